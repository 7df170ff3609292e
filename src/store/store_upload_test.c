// SPDX-License-Identifier: Apache-2.0
/* The store: several messages of one upload, and a message that replaces another. */
#include "store/store_test.h"

static void into(
	struct world *w, uint32_t request, uint32_t session, uint64_t mailbox, struct str bytes)
{
	tell(&w->user, request,
		(struct frame){ .type = FRAME_UPLOAD_BYTES, .upload_bytes.data = bytes });
	tell(&w->user, request,
		(struct frame){ .type = FRAME_UPLOAD_INTO,
			.upload_into = { .session = session, .mailbox = mailbox } });
}

static const struct frame *commit(struct world *w, uint32_t request)
{
	tell(&w->user, request, (struct frame){ .type = FRAME_UPLOAD_COMMIT });
	executor_fake_run(&w->f.executor);
	return reply_at(&w->user, request, 0);
}

static struct str text_of(struct world *w, uint32_t session, uint64_t mailbox, uint32_t uid)
{
	const struct frame *r = ask(
		&w->user, (struct frame){ .type = FRAME_MESSAGE_READ,
				  .message_read = { session, mailbox, uid, 0, 100 } });
	assert_frame(r, FRAME_MESSAGE_BYTES);
	return r->message_bytes.data;
}

/* Several messages of one upload land together, or none does. */
static void messages_land_together(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint32_t session = open_session(&w.user, alice), request = w.user.last_request + 100;
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	w.user.last_request += 200;
	tell(&w.user, request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
	into(&w, request, session, inbox, STR("one"));
	tell(&w.user, request, (struct frame){ .type = FRAME_UPLOAD_NEXT });
	into(&w, request, session, inbox, STR("second"));
	const struct frame *r = commit(&w, request);
	assert_frame(r, FRAME_DELIVERED);
	assert_int_equal(r->delivered.landings.n, 2);
	assert_int_equal(r->delivered.landings.items[0].uid, 1);
	assert_int_equal(r->delivered.landings.items[1].uid, 2);
	assert_true(str_equal(text_of(&w, session, inbox, 1), STR("one")));
	assert_true(str_equal(text_of(&w, session, inbox, 2), STR("second")));
	r = ask(&w.user, (struct frame){ .type = FRAME_QUOTA_GET, .quota_get = { session } });
	assert_frame(r, FRAME_QUOTA_IS);
	assert_int_equal(r->quota_is.used_messages, 2);
	assert_int_equal(r->quota_is.used_bytes, 9);
	assert_int_equal(r->quota_is.quota_bytes, 0);
	/* The second goes to a mailbox that is not there: neither is there. */
	tell(&w.user, ++request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
	into(&w, request, session, inbox, STR("three"));
	tell(&w.user, request, (struct frame){ .type = FRAME_UPLOAD_NEXT });
	into(&w, request, session, inbox + 1000, STR("four"));
	assert_failed(commit(&w, request), ERR_NOT_FOUND);
	assert_failed(ask(&w.user, (struct frame){ .type = FRAME_MESSAGE_READ,
					   .message_read = { session, inbox, 3, 0, 100 } }),
		ERR_NOT_FOUND);
	/* One without a place. */
	tell(&w.user, ++request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
	tell(&w.user, request, (struct frame){ .type = FRAME_UPLOAD_NEXT });
	assert_failed(reply_at(&w.user, request, 0), ERR_NOT_NOW);
	/* As many as may come, and one more. */
	tell(&w.user, ++request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
	into(&w, request, session, inbox, STR("x"));
	for (int i = 1; i < LIMIT_UPLOAD_MESSAGES; i++) {
		tell(&w.user, request, (struct frame){ .type = FRAME_UPLOAD_NEXT });
		into(&w, request, session, inbox, STR("x"));
	}
	assert_null(reply_at(&w.user, request, 0));
	tell(&w.user, request, (struct frame){ .type = FRAME_UPLOAD_NEXT });
	assert_failed(reply_at(&w.user, request, 0), ERR_LIMIT);
	world_done(&w);
}

/* A message goes and another comes in one commit; what is not there can't go. */
static void a_message_is_replaced(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	deliver_one(&w.mx, alice, STR("old"));
	uint32_t session = open_session(&w.user, alice), request = w.user.last_request + 100;
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	struct frame replace = { .type = FRAME_UPLOAD_REPLACE,
		.upload_replace = { session, inbox, 1 } };
	w.user.last_request += 200;
	for (int i = 0; i < 2; i++) { /* the second time it is gone */
		tell(&w.user, ++request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
		tell(&w.user, request, replace);
		into(&w, request, session, inbox, STR("new"));
		const struct frame *r = commit(&w, request);
		if (i == 0)
			assert_int_equal(r->delivered.landings.items[0].uid, 2);
		else
			assert_failed(r, ERR_NOT_FOUND);
	}
	assert_true(str_equal(text_of(&w, session, inbox, 2), STR("new")));
	assert_failed(ask(&w.user, (struct frame){ .type = FRAME_MESSAGE_READ,
					   .message_read = { session, inbox, 3, 0, 100 } }),
		ERR_NOT_FOUND);
	/* Not behind a place. */
	tell(&w.user, ++request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
	into(&w, request, session, inbox, STR("new"));
	tell(&w.user, request, replace);
	assert_failed(reply_at(&w.user, request, 0), ERR_NOT_NOW);
	world_done(&w);
}

/* The answer to an upload of one message into a mailbox that is named. */
static const struct frame *append_to(struct world *w, uint32_t session, const char *name)
{
	uint32_t request = w->user.last_request += 2;
	tell(&w->user, request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
	tell(&w->user, request,
		(struct frame){ .type = FRAME_UPLOAD_BYTES, .upload_bytes.data = STR("text") });
	tell(&w->user, request,
		(struct frame){ .type = FRAME_UPLOAD_INTO,
			.upload_into = { .session = session, .name = str_from(name) } });
	return commit(w, request);
}

static void lands(
	struct world *w, uint32_t session, const char *name, uint64_t mailbox, uint32_t uid)
{
	const struct frame *r = append_to(w, session, name);
	assert_frame(r, FRAME_DELIVERED);
	assert_int_equal(r->delivered.landings.n, 1);
	assert_int_equal(r->delivered.landings.items[0].mailbox, mailbox);
	assert_int_equal(r->delivered.landings.items[0].uid, uid);
}

/* A mailbox by its name: the one that has it now, whoever had it before. */
static void a_mailbox_is_named(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint32_t session = open_session(&w.user, alice), other = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	struct frame create = { .type = FRAME_MAILBOX_CREATE,
		.mailbox_create = { .session = other, .name = STR("x") } };
	lands(&w, session, "inbox", inbox, 1);
	lands(&w, session, "INBOX", inbox, 2);
	assert_failed(append_to(&w, session, "x"), ERR_NOT_FOUND);
	assert_failed(append_to(&w, session, "//"), ERR_NOT_FOUND);
	assert_frame(ask(&w.user, create), FRAME_MAILBOXES);
	uint64_t x = mailbox_of(&w.user, session, "x");
	lands(&w, session, "x", x, 1);
	lands(&w, session, "x", x, 2);
	lands(&w, other, "x", x, 3);
	/* renamed: the name is nobody's, then another's */
	assert_frame(ask(&w.user, (struct frame){ .type = FRAME_MAILBOX_RENAME,
					  .mailbox_rename = { other, STR("x"), STR("y") } }),
		FRAME_DONE);
	assert_failed(append_to(&w, session, "x"), ERR_NOT_FOUND);
	lands(&w, session, "y", x, 4);
	assert_frame(ask(&w.user, create), FRAME_MAILBOXES);
	x = mailbox_of(&w.user, session, "x");
	lands(&w, session, "x", x, 1);
	/* deleted, and made again */
	assert_frame(ask(&w.user, (struct frame){ .type = FRAME_MAILBOX_DELETE,
					  .mailbox_delete = { other, STR("x") } }),
		FRAME_DONE);
	assert_failed(append_to(&w, session, "x"), ERR_NOT_FOUND);
	lands(&w, session, "y", mailbox_of(&w.user, session, "y"), 5);
	assert_frame(ask(&w.user, create), FRAME_MAILBOXES);
	x = mailbox_of(&w.user, session, "x");
	lands(&w, session, "x", x, 1);
	assert_frame(ask(&w.user, (struct frame){ .type = FRAME_MAILBOX_DELETE,
					  .mailbox_delete = { other, STR("x") } }),
		FRAME_DONE);
	assert_frame(ask(&w.user, create), FRAME_MAILBOXES);
	lands(&w, session, "x", mailbox_of(&w.user, session, "x"), 1);
	world_done(&w);
}

/* Several at once, to different ones; one that is not there takes all with it. */
static void mailboxes_are_named(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint32_t session = open_session(&w.user, account_of(&w.mx, "alice@example.test"));
	static const char *const names[] = { "INBOX", "x", "INBOX", "nowhere" };
	assert_frame(
		ask(&w.user, (struct frame){ .type = FRAME_MAILBOX_CREATE,
				     .mailbox_create = { .session = session, .name = STR("x") } }),
		FRAME_MAILBOXES);
	for (size_t n = 3; n <= 4; n++) {
		uint32_t request = w.user.last_request += 2;
		tell(&w.user, request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
		for (size_t i = 0; i < n; i++) {
			if (i > 0)
				tell(&w.user, request, (struct frame){ .type = FRAME_UPLOAD_NEXT });
			tell(&w.user, request,
				(struct frame){ .type = FRAME_UPLOAD_BYTES,
					.upload_bytes.data = STR("text") });
			tell(&w.user, request,
				(struct frame){ .type = FRAME_UPLOAD_INTO,
					.upload_into = {
						.session = session, .name = str_from(names[i]) } });
		}
		const struct frame *r = commit(&w, request);
		if (n == 4) {
			assert_failed(r, ERR_NOT_FOUND);
			continue;
		}
		assert_int_equal(r->delivered.landings.n, 3);
		assert_int_equal(r->delivered.landings.items[1].uid, 1);
		assert_int_equal(r->delivered.landings.items[2].uid, 2);
	}
	lands(&w, session, "INBOX", mailbox_of(&w.user, session, "INBOX"), 3);
	world_done(&w);
}

TEST_MAIN(test_case(a_mailbox_is_named), test_case(mailboxes_are_named),
	test_case(messages_land_together), test_case(a_message_is_replaced))
