// SPDX-License-Identifier: Apache-2.0
/* The store: annotations of mailboxes and accounts (RFC 5464). */
#include "store/store_test.h"

static const struct frame *annotate(
	struct world *w, uint32_t session, uint64_t mailbox, const char *name, const char *value)
{
	struct api_annotation a = { .name = str_from(name),
		.value = str_from(value ? value : ""),
		.remove = value == NULL };
	return ask(&w->user, (struct frame){ .type = FRAME_METADATA_SET,
				     .metadata_set = { session, mailbox, { &a, 1 } } });
}

static size_t annotations_of(struct world *w, uint32_t session, uint64_t mailbox)
{
	uint32_t request = w->user.last_request + 1;
	size_t n = 0;
	const struct frame *r = ask(&w->user,
		(struct frame){ .type = FRAME_METADATA_GET, .metadata_get = { session, mailbox } });
	for (size_t i = 0; r && r->type == FRAME_METADATA_ARE; r = reply_at(&w->user, request, ++i))
		n += r->metadata_are.annotations.n;
	return n;
}

/* They are kept in numbers, belong to their mailbox, and raise its modseq. */
static void annotations_are_kept(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint64_t bob = account_of(&w.mx, "bob@example.test");
	uint32_t hers = open_session(&w.user, alice), his = open_session(&w.user, bob);
	uint64_t inbox = mailbox_of(&w.user, hers, "INBOX"),
		 sent = mailbox_of(&w.user, hers, "Sent");
	struct frame open = { .type = FRAME_VIEW_OPEN, .view_open = { hers, inbox, true } };
	uint64_t before = ask(&w.user, open)->view_is.modseq;
	char name[32];
	assert_frame(annotate(&w, hers, inbox, "/private/a", "one"), FRAME_DONE);
	assert_frame(annotate(&w, hers, inbox, "/private/a", "two"), FRAME_DONE);
	assert_frame(annotate(&w, hers, 0, "/private/a", "mine"), FRAME_DONE);
	assert_int_equal(annotations_of(&w, hers, inbox), 1);
	assert_int_equal(annotations_of(&w, hers, 0), 1);
	assert_int_equal(annotations_of(&w, his, 0), 0);
	assert_true(ask(&w.user, open)->view_is.modseq > before);
	const struct frame *changed = ask(
		&w.user, (struct frame){ .type = FRAME_VIEW_CHANGES,
				 .view_changes = { hers, inbox, before } });
	assert_frame(changed, FRAME_VIEW_CHANGED);
	assert_true(changed->view_changed.modseq > before);
	assert_failed(annotate(&w, his, inbox, "/private/a", "his"), ERR_NOT_FOUND);
	assert_failed(ask(&w.user, (struct frame){ .type = FRAME_METADATA_GET,
					   .metadata_get = { his, inbox } }),
		ERR_NOT_FOUND);
	assert_frame(annotate(&w, hers, inbox, "/private/a", NULL), FRAME_DONE);
	assert_int_equal(annotations_of(&w, hers, inbox), 0);
	for (int i = 0; i <= LIMIT_ANNOTATIONS; i++) {
		snprintf(name, sizeof(name), "/private/%d", i);
		const struct frame *r = annotate(&w, hers, sent, name, "");
		if (i < LIMIT_ANNOTATIONS)
			assert_frame(r, FRAME_DONE);
		else
			assert_failed(r, ERR_LIMIT);
	}
	assert_int_equal(annotations_of(&w, hers, sent), LIMIT_ANNOTATIONS);
	/* They go with the mailbox, whose name may come again. */
	ask(&w.user, (struct frame){ .type = FRAME_MAILBOX_DELETE,
			     .mailbox_delete = { hers, STR("Sent") } });
	ask(&w.user, (struct frame){ .type = FRAME_MAILBOX_CREATE,
			     .mailbox_create = { hers, STR("Sent"), 0 } });
	assert_int_equal(annotations_of(&w, hers, mailbox_of(&w.user, hers, "Sent")), 0);
	world_done(&w);
}

/* A mailbox with as many as it may have, ten at once. */
static uint64_t annotate_fully(struct world *w, uint32_t session, int number)
{
	char name[32], names[10][32];
	snprintf(name, sizeof(name), "m%d", number);
	uint64_t mailbox = ask(&w->user, (struct frame){ .type = FRAME_MAILBOX_CREATE,
						 .mailbox_create = { session, str_from(name), 0 } })
				   ->mailboxes.mailboxes.items[0]
				   .id;
	for (int i = 0; i < LIMIT_ANNOTATIONS; i += 10) {
		struct api_annotation a[10] = { { .remove = false } };
		for (int k = 0; k < 10; k++) {
			snprintf(names[k], sizeof(names[k]), "/private/%d", i + k);
			a[k].name = str_from(names[k]);
		}
		assert_frame(
			ask(&w->user, (struct frame){ .type = FRAME_METADATA_SET,
					      .metadata_set = { session, mailbox, { a, 10 } } }),
			FRAME_DONE);
		forget_replies(&w->user);
	}
	return mailbox;
}

static void annotations_of_an_account_are_bounded(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint32_t session = open_session(&w.user, alice);
	uint64_t last = 0;
	for (int i = 0; i < LIMIT_ACCOUNT_ANNOTATIONS / LIMIT_ANNOTATIONS; i++)
		last = annotate_fully(&w, session, i);
	assert_failed(annotate(&w, session, 0, "/private/a", "one more"), ERR_LIMIT);
	assert_frame(annotate(&w, session, last, "/private/0", NULL), FRAME_DONE);
	assert_frame(annotate(&w, session, 0, "/private/a", "the last"), FRAME_DONE);
	world_done(&w);
}

TEST_MAIN(test_case(annotations_are_kept), test_case(annotations_of_an_account_are_bounded))
