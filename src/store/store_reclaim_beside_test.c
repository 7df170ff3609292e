// SPDX-License-Identifier: Apache-2.0
/* Upkeep beside others: a repair, and readers of what it moves. */
#include "store/reclaim_scene.h"

/* A repair gives bodies rows that a pass would count as dead: the two are never at work together.
 */
static void repair_and_pass_exclude_each_other(void **state)
{
	struct frame repair = { .type = FRAME_STORE_REPAIR };
	struct frame reclaim = { .type = FRAME_STORE_RECLAIM, .store_reclaim.deleted = true };
	struct tidy t;
	(void)state;
	tidy_init(&t, 20);
	expunge(&t.w, t.session, t.inbox, 1, 9);
	peer_done(&t.w.mx);
	peer_done(&t.w.user);
	tell(&t.w.admin, 100, reclaim); /* the pass begins, and its first job waits */
	assert_int_not_equal(t.w.f.store->reclaim.step, RECLAIM_REST);
	tell(&t.w.admin, 101, repair);
	assert_failed(reply_at(&t.w.admin, 101, 0), ERR_IN_USE);
	executor_fake_run(&t.w.f.executor);
	assert_frame(reply_at(&t.w.admin, 100, 0), FRAME_RECLAIMED);

	tell(&t.w.admin, 102, repair);
	assert_null(reply_at(&t.w.admin, 102, 0)); /* it is taken, and waits for the writer */
	pass_time(&t.w, TIME_DAY_MS);
	store_upkeep(t.w.f.store);
	assert_int_equal(t.w.f.store->reclaim.step, RECLAIM_REST);
	tell(&t.w.admin, 103, reclaim);
	assert_failed(reply_at(&t.w.admin, 103, 0), ERR_IN_USE);
	executor_fake_run(&t.w.f.executor);
	assert_frame(reply_at(&t.w.admin, 102, 0), FRAME_REPAIR_DONE);
	assert_frame(ask(&t.w.admin, reclaim), FRAME_RECLAIMED);
	peer_init(&t.w.mx, &t.w.f, CLASS_MX, 2);
	peer_init(&t.w.user, &t.w.f, CLASS_USER, 3);
	check(&t.w, 0);
	world_done(&t.w);
}

/* The place that a row gave is old when it is used: between the two a pass moves the record and
 * removes its segment. */
static struct {
	struct engine_class class;
	struct world *w;
	int rows; /* so many rows are read before that */
} between;

static void all_but_readers(struct world *w)
{
	struct store *store = w->f.store;
	for (bool busy = true; busy;) {
		busy = false;
		for (struct worker *one = w->f.executor.workers; one; one = one->next) {
			if (one == store->readings[0].worker || one == store->readings[1].worker)
				continue;
			busy |= one->awake || one->notified;
			one->awake = one->awake && one->spec.step(one->spec.arg);
			if (one->notified)
				one->spec.done(one->spec.arg);
			one->notified = false;
		}
	}
}

static int entry_then_move(struct reader *r, uint64_t account, uint64_t mailbox, uint32_t uid,
	struct entry_place *ret, struct err *err)
{
	int rc = engine_sqlite.entry(r, account, mailbox, uid, ret, err);
	if (between.rows > 0 && --between.rows == 0) {
		tell(&between.w->admin, 900,
			(struct frame){
				.type = FRAME_STORE_RECLAIM, .store_reclaim.deleted = true });
		all_but_readers(between.w);
		const struct frame *done = reply_at(&between.w->admin, 900, 0);
		assert_frame(done, FRAME_RECLAIMED);
		assert_true(done->reclaimed.segments > 0);
	}
	return rc;
}

/* 20 messages, of which 3 to 9 are deleted, so that 1 and 2 are to be moved when the row of the
 * n-th has been read. */
static void move_between(struct tidy *t, int n)
{
	tidy_init(t, 20);
	expunge(&t->w, t->session, t->inbox, 3, 9);
	assert_body(&t->w, t->session, t->inbox, 20, 20);
	between.class = engine_sqlite;
	between.class.entry = entry_then_move;
	between.w = &t->w;
	between.rows = n;
	for (int i = 0; i < 2; i++)
		if (t->w.f.store->readings[i].reader)
			t->w.f.store->readings[i].reader->class = &between.class;
}

static void one_that_moved_is_read(void **state)
{
	struct tidy t;
	(void)state;
	move_between(&t, 1);
	assert_body(&t.w, t.session, t.inbox, 1, 1);
	assert_int_equal(between.rows, 0);
	assert_false(on_disk(&t.w, "number-3."));
	world_done(&t.w);
}

/* Several in one snapshot, which goes on saying where they were: the first of them, or one behind
 * it. */
static void many_that_moved_are_read(void **state)
{
	uint32_t uids[] = { 2, 1, 20 };
	size_t head = strlen("Return-Path: <>\r\n");
	(void)state;
	for (int n = 1; n <= 3; n++) {
		struct tidy t;
		char room[BODY];
		move_between(&t, n);
		ask(&t.w.user, (struct frame){ .type = FRAME_MESSAGES_READ,
				       .messages_read = {
					       t.session, t.inbox, { uids, ARRAY_LEN(uids) } } });
		for (size_t i = 0; i < ARRAY_LEN(uids); i++) {
			const struct frame *r = reply_at(&t.w.user, t.w.user.last_request, i);
			assert_frame(r, FRAME_MESSAGE_IS);
			assert_int_equal(r->message_is.uid, uids[i]);
			assert_str(str_from_offset(r->message_is.data, head),
				body_of(uids[i], BODY, room));
		}
		assert_int_equal(between.rows, 0);
		world_done(&t.w);
	}
}

TEST_MAIN(test_case(repair_and_pass_exclude_each_other), test_case(one_that_moved_is_read),
	test_case(many_that_moved_are_read))
