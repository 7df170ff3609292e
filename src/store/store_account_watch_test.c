// SPDX-License-Identifier: Apache-2.0
/* Who watches an account is told that something changed, once until it asks again, and which
 * annotations did. */
#include "store/store_test.h"

#include "base/limits.h"

static void watch(struct world *w, uint32_t session, bool on)
{
	tell(&w->user, 0,
		(struct frame){ .type = FRAME_ACCOUNT_WATCH, .account_watch = { session, on } });
}

/* The n-th since replies were forgotten, or NULL. */
static const struct frame *told(struct world *w, size_t n)
{
	const struct frame *f = reply_at(&w->user, 0, n);

	if (f != NULL)
		assert_frame(f, FRAME_ACCOUNT_CHANGED);
	return f;
}

static void annotate(struct world *w, uint32_t session, uint64_t mailbox, int n)
{
	char name[32];
	struct api_annotation item = { .value = STR("x") };

	snprintf(name, sizeof(name), "/private/%d", n);
	item.name = str_from(name);
	assert_frame(ask(&w->user, (struct frame){ .type = FRAME_METADATA_SET,
					   .metadata_set = { session, mailbox, { &item, 1 } } }),
		FRAME_DONE);
}

static void changes_of_the_account(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint64_t bob = account_of(&w.mx, "bob@example.test");
	uint32_t hers = open_session(&w.user, alice), other = open_session(&w.user, alice);
	watch(&w, other, true);
	watch(&w, hers, true);
	deliver_one(&w.mx, bob, STR("his"));
	assert_null(told(&w, 0));
	deliver_one(&w.mx, alice, STR("one"));
	assert_int_equal(told(&w, 0)->account_changed.session, hers);
	assert_int_equal(told(&w, 1)->account_changed.session, other);
	deliver_one(&w.mx, alice, STR("two"));
	assert_null(told(&w, 2)); /* once until it asks */
	forget_replies(&w.user);
	watch(&w, hers, true);
	assert_null(told(&w, 0)); /* the list, read now, has it */
	ask(&w.user, (struct frame){ .type = FRAME_MAILBOX_CREATE,
			     .mailbox_create = { hers, STR("New"), 0 } });
	assert_int_equal(told(&w, 0)->account_changed.session, hers);
	struct frame changes[] = {
		{ .type = FRAME_MAILBOX_SUBSCRIBE,
			.mailbox_subscribe = { hers, STR("New"), true } },
		{ .type = FRAME_MAILBOX_RENAME,
			.mailbox_rename = { hers, STR("New"), STR("Old") } },
		{ .type = FRAME_MAILBOX_DELETE, .mailbox_delete = { hers, STR("Old") } },
	};
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		forget_replies(&w.user);
		watch(&w, hers, true);
		assert_frame(ask(&w.user, changes[i]), FRAME_DONE);
		assert_non_null(told(&w, 0));
		assert_null(told(&w, 1));
	}
	/* Others go on when the first, or the last, leaves. */
	forget_replies(&w.user);
	watch(&w, other, true);
	watch(&w, hers, false);
	deliver_one(&w.mx, alice, STR("three"));
	assert_int_equal(told(&w, 0)->account_changed.session, other);
	assert_null(told(&w, 1));
	forget_replies(&w.user);
	tell(&w.user, 0, (struct frame){ .type = FRAME_SESSION_CLOSE, .session_close = { other } });
	deliver_one(&w.mx, alice, STR("four"));
	assert_null(told(&w, 0));
	world_done(&w);
}

static void annotations_are_named(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint32_t hers = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, hers, "INBOX");
	watch(&w, hers, true);
	annotate(&w, hers, inbox, 0);
	const struct frame *f = told(&w, 0);
	assert_int_equal(f->account_changed.annotations.n, 1);
	assert_int_equal(f->account_changed.annotations.items[0].mailbox, inbox);
	assert_true(str_equal(f->account_changed.annotations.items[0].name, STR("/private/0")));
	/* What came in between is told at once to who asks. */
	for (int n = 63; n <= 65; n++) {
		forget_replies(&w.user);
		for (int i = 0; i < n; i++)
			annotate(&w, hers, i % 2 ? 0 : inbox, i % 20);
		assert_null(told(&w, 0));
		watch(&w, hers, true);
		f = told(&w, 0);
		assert_int_equal(f->account_changed.annotations.n, n < 64 ? n : 64);
		assert_int_equal(f->account_changed.more, n > 64);
	}
	world_done(&w);
}

TEST_MAIN(test_case(changes_of_the_account), test_case(annotations_are_named))
