// SPDX-License-Identifier: Apache-2.0
/* LOGIN-DELAY: RFC 2449 6.5, 8.1.1. (The lock: store_test.c.) */
#include "store/store_private.h"
#include "store/store_test.h"

enum { DELAY_MS = 60000 };

static void init(struct world *w)
{
	world_init(w);
	w->f.settings.pop3_login_delay_ms = DELAY_MS;
	world_restart(w);
}

static struct frame lock_of(struct world *w, uint64_t account)
{
	return (struct frame){ .type = FRAME_LOCK_MAILDROP,
		.lock_maildrop.session = open_session(&w->user, account) };
}

static void end(struct world *w, const struct frame *lock)
{
	tell(&w->user, 0,
		(struct frame){ .type = FRAME_SESSION_CLOSE,
			.session_close.session = lock->lock_maildrop.session });
}

static void an_account_waits(void **state)
{
	struct world w;
	(void)state;
	init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint64_t bob = account_of(&w.mx, "bob@example.test");
	struct frame first = lock_of(&w, alice);
	assert_frame(ask(&w.user, first), FRAME_DONE);
	assert_frame(ask(&w.user, first), FRAME_DONE); /* it has it */
	/* in use is said before too soon */
	struct frame second = lock_of(&w, alice);
	assert_failed(ask(&w.user, second), ERR_IN_USE);
	end(&w, &first);
	assert_failed(ask(&w.user, second), ERR_NOT_NOW);
	/* nobody else waits */
	assert_frame(ask(&w.user, lock_of(&w, bob)), FRAME_DONE);
	/* who was refused does not wait longer for it, and has not got the lock */
	w.f.clock.monotonic_ms += DELAY_MS - 1;
	assert_failed(ask(&w.user, second), ERR_NOT_NOW);
	w.f.clock.monotonic_ms += 1;
	assert_frame(ask(&w.user, second), FRAME_DONE);
	world_done(&w);
}

static void no_delay_is_the_default(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	for (int i = 0; i < 3; i++) {
		struct frame lock = lock_of(&w, alice);
		assert_frame(ask(&w.user, lock), FRAME_DONE);
		end(&w, &lock);
	}
	world_done(&w);
}

/* A session of an account that need not exist: what is remembered goes by its number alone. */
static bool opens(struct world *w, uint64_t account)
{
	struct op_by by = { .account = account };
	struct store_session *s = session_add(w->user.peer, &by, SERVICE_POP3);
	struct frame lock = { .type = FRAME_LOCK_MAILDROP, .lock_maildrop.session = s->number };
	bool done = ask(&w->user, lock)->type == FRAME_DONE;
	session_remove(s);
	forget_replies(&w->user);
	return done;
}

static void what_is_remembered_is_bounded(void **state)
{
	struct world w;
	(void)state;
	init(&w);
	for (uint64_t i = 1; i <= LIMIT_MAILDROP_OPENINGS; i++)
		assert_true(opens(&w, i));
	assert_false(opens(&w, 1));
	assert_true(opens(&w, LIMIT_MAILDROP_OPENINGS + 1)); /* the oldest makes room */
	assert_true(opens(&w, 1));
	assert_false(opens(&w, 3));
	assert_int_equal(w.f.store->openings.by_account.n, LIMIT_MAILDROP_OPENINGS);
	w.f.clock.monotonic_ms += DELAY_MS;
	assert_true(opens(&w, 3));
	assert_int_equal(w.f.store->openings.by_account.n, 1);
	world_done(&w);
}

/* ---- unique-ids ---- */

/* All of a list in slices and frames, and only one's own: landed ones, then copies. */
static void p4_unique_ids_are_listed(void **state)
{
	enum { LANDED = 25, TIMES = 7 };
	static struct store_bounds bounds;
	struct world w;
	(void)state;
	bounds = store_bounds_normal;
	bounds.slice_rows = 10;
	world_init(&w);
	w.f.settings.bounds = &bounds;
	world_restart(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint64_t bob = account_of(&w.mx, "bob@example.test");
	for (int i = 0; i < LANDED; i++)
		deliver_one(&w.mx, alice, STR("Subject: x\r\n\r\n"));
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	struct frame list = { .type = FRAME_UIDL_LIST, .uidl_list = { session, inbox } };
	double_mailbox(&w, session, inbox, TIMES);
	forget_replies(&w.user);
	const struct frame *are = ask(&w.user, list);
	uint32_t request = w.user.last_request;
	uint64_t n = 0, last = 0;
	for (size_t k = 0;; k++) {
		are = reply_at(&w.user, request, k);
		assert_frame(are, FRAME_UIDLS_ARE);
		for (size_t i = 0; i < are->uidls_are.uidls.n; i++) {
			const struct api_uidl *u = &are->uidls_are.uidls.items[i];
			assert_int_equal(u->uid, ++n);
			if (n <= LANDED)
				assert_true(u->body > last && u->mark != 0 && u->validity == 0);
			else
				assert_true(u->body == 0 && u->mark == 0);
			last = u->body;
		}
		if (are->uidls_are.last)
			break;
	}
	assert_int_equal(n, LANDED << TIMES);
	list.uidl_list.session = open_session(&w.user, bob);
	assert_failed(ask(&w.user, list), ERR_NOT_FOUND);
	list.uidl_list.mailbox = 7777;
	assert_failed(ask(&w.user, list), ERR_NOT_FOUND);
	world_done(&w);
}

TEST_MAIN(test_case(p4_unique_ids_are_listed), test_case(an_account_waits),
	test_case(no_delay_is_the_default), test_case(what_is_remembered_is_bounded))
