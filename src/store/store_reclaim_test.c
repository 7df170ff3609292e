// SPDX-License-Identifier: Apache-2.0
/* Upkeep: what was deleted is forgotten in time, and its bytes are gone in time; what lives stays
 * what it was, wherever its record moves. */
#include "store/reclaim_scene.h"

/* Kept for the time that was set, then forgotten within the hour, and its bytes gone within
 * LIMIT_ERASE_MS, though most of the segment lives, and though it is the one at the end. */
static void erased_in_time(void **state)
{
	struct tidy t;
	(void)state;
	tidy_init(&t, 30);
	int before = files(&t.w);
	assert_true(before > 2);
	assert_true(found_in(&t.w, ".", "number-3.")); /* it was carried by the ledger */
	expunge(&t.w, t.session, t.inbox, 3, 3);
	expunge(&t.w, t.session, t.inbox, 30, 30);
	upkeep_after(&t.w, TIME_DAY_MS - 3600 * 1000);
	assert_true(on_disk(&t.w, "number-3."));
	upkeep_after(&t.w, 2 * 3600 * 1000); /* forgotten */
	const struct frame *status = ask(&t.w.admin, (struct frame){ .type = FRAME_STORE_STATUS });
	assert_int_equal(status->store_status_is.kept_messages, 0);
	assert_int_equal(status->store_status_is.bodies, 28);
	assert_true(status->store_status_is.dead_bytes > 2 * BODY);
	for (int64_t hours = 2; hours < LIMIT_ERASE_MS / 3600000; hours++)
		upkeep_after(&t.w, 3600 * 1000);
	assert_false(on_disk(&t.w, "number-3."));
	assert_false(on_disk(&t.w, "number-30."));
	assert_true(on_disk(&t.w, "number-2."));
	again(&t);
	assert_alive(&t, 4, 29, 1);
	check(&t.w, 0);
	world_restart(&t.w);
	again(&t);
	assert_alive(&t, 4, 29, 1);
	check(&t.w, 0);
	assert_int_equal(ask(&t.w.admin, (struct frame){ .type = FRAME_STORE_STATUS })
				 ->store_status_is.dead_bytes,
		0);
	world_done(&t.w);
}

static int note_since(void *arg, const struct segment_row *row)
{
	int64_t *since = arg;
	if (row->dead)
		*since = row->since;
	return 0;
}

/* Since when something in the one segment that holds anything dead has been dead. */
static int64_t dead_since(struct world *w)
{
	struct engine *e = w->f.store->engine;
	struct err err = ERR_INIT;
	int64_t since = -1;
	struct reader *r = e->class->reader_open(e, &err);
	assert_non_null(r);
	assert_int_equal(e->class->segment_each(r, note_since, &since, &err), 0);
	e->class->reader_close(&r);
	assert_int_not_equal(since, -1);
	return since;
}

/* A pass in a moment that does not end. */
static void pass_at(struct world *w, int64_t wall_ms)
{
	struct store *store = w->f.store;
	pass_time(w, wall_ms - w->f.clock.wall_ms);
	store->reclaim.next_ms = w->f.clock.monotonic_ms;
	for (int i = 0; i < 1000 && (i == 0 || store->reclaim.step != RECLAIM_REST); i++) {
		store_upkeep(store);
		executor_fake_run(&w->f.executor);
	}
	assert_int_equal(store->reclaim.step, RECLAIM_REST);
}

/* To the millisecond: half of LIMIT_ERASE_MS after the bytes became dead, the pass that comes next
 * takes them. The other half is for what it waits for. */
static void erasing_begins_in_time(void **state)
{
	(void)state;
	for (int over = -1; over <= 1; over++) {
		struct tidy t;
		tidy_init(&t, 30);
		expunge(&t.w, t.session, t.inbox, 3, 3);
		upkeep_after(&t.w, TIME_DAY_MS);
		upkeep_after(&t.w, 2 * 3600 * 1000); /* forgotten, and counted */
		pass_at(&t.w, dead_since(&t.w) + LIMIT_ERASE_MS / 2 + over);
		assert_int_equal(on_disk(&t.w, "number-3."), over < 0);
		pass_at(&t.w, t.w.f.clock.wall_ms + 1);
		assert_false(on_disk(&t.w, "number-3."));
		again(&t);
		assert_alive(&t, 4, 30, 1);
		world_done(&t.w);
	}
}

/* What is mostly dead is rewritten at the next pass; what is not waits. */
static void mostly_dead_goes_soon(void **state)
{
	struct tidy t;
	(void)state;
	tidy_init(&t, 50); /* 9 or 10 a segment */
	expunge(&t.w, t.session, t.inbox, 1, 8);
	expunge(&t.w, t.session, t.inbox, 25, 25);
	upkeep_after(&t.w, TIME_DAY_MS + 1);
	assert_false(on_disk(&t.w, "number-1."));
	assert_true(on_disk(&t.w, "number-9."));
	assert_true(on_disk(&t.w, "number-25."));
	again(&t);
	assert_alive(&t, 9, 24, 1);
	assert_alive(&t, 26, 50, 1);
	check(&t.w, 0);
	world_done(&t.w);
}

/* An administrator asks: all that is dead goes at once, with `deleted` also what is kept. */
static void reclaimed_when_asked(void **state)
{
	struct tidy t;
	(void)state;
	tidy_init(&t, 30);
	struct frame_reclaimed r = reclaim_now(&t.w, false);
	assert_int_equal(r.segments, 0);
	for (uint32_t i = 1; i <= 30; i += 2)
		expunge(&t.w, t.session, t.inbox, i, i);
	r = reclaim_now(&t.w, false);
	assert_int_equal(r.segments, 0);
	assert_true(on_disk(&t.w, "number-1."));
	r = reclaim_now(&t.w, true);
	assert_int_equal(r.forgotten, 15);
	assert_true(r.segments > 2);
	assert_true(r.freed > 15 * BODY);
	assert_true(r.moved >= 15 * BODY);
	for (uint32_t i = 1; i <= 30; i++) {
		char name[32];
		snprintf(name, sizeof(name), "number-%u.", i);
		assert_int_equal(on_disk(&t.w, name), i % 2 == 0);
	}
	assert_alive(&t, 2, 30, 2);
	check(&t.w, 0);
	expunge(&t.w, t.session, t.inbox, 1, 30);
	r = reclaim_now(&t.w, true);
	assert_int_equal(r.forgotten, 15);
	assert_int_equal(r.moved, 0);
	assert_int_equal(files(&t.w), 1); /* the one at the end */
	check(&t.w, 0);
	char room[BODY];
	assert_int_equal(deliver_one(&t.w.mx, t.alice, body_of(31, BODY, room)), 31);
	assert_alive(&t, 31, 31, 1);
	world_done(&t.w);
}

/* A body with several entries, kept or not, lives as long as the last of them; the digest too. */
static void shared_body_lives(void **state)
{
	struct tidy t;
	(void)state;
	tidy_init(&t, 1);
	uint64_t sent = mailbox_of(&t.w.user, t.session, "Sent");
	assert_frame(ask_about(&t.w.user, 1, 1,
			     (struct frame){ .type = FRAME_COPY,
				     .copy = { t.session, t.inbox, sent, false } }),
		FRAME_COPIED);
	expunge(&t.w, t.session, t.inbox, 1, 1);
	reclaim_now(&t.w, true);
	assert_body(&t.w, t.session, sent, 1, 1);
	expunge(&t.w, t.session, sent, 1, 1);
	reclaim_now(&t.w, false);
	assert_true(on_disk(&t.w, "number-1."));
	struct buf digest;
	buf_init(&digest, LIMIT_DIGEST_BYTES);
	struct digest_reader *reader = digest_reader_new(t.w.f.store->digests);
	uint64_t id = (uint64_t)1 << 32 | SEGMENT_HEADER_BYTES / RECORD_ALIGN;
	assert_true(digest_read(reader, id, &digest));
	reclaim_now(&t.w, true);
	assert_false(on_disk(&t.w, "number-1."));
	assert_false(digest_read(reader, id, &digest));
	digest_reader_free(&reader);
	buf_done(&digest);
	world_done(&t.w);
}

/* What the digest said is in no file, the log of digests among them; a reader that is in the way
 * puts that off. */
static void digests_of_the_erased_go(void **state)
{
	(void)state;
	for (int beside = 0; beside <= 1; beside++) {
		struct tidy t;
		tidy_init(&t, 2);
		assert_frame(ask(&t.w.user, (struct frame){ .type = FRAME_DIGEST_PUT,
						    .digest_put = { t.session, t.inbox, 1,
							    STR("what-it-said") } }),
			FRAME_DONE);
		assert_true(found_in(&t.w, ".", "what-it-said"));
		struct digest_reader *reader = digest_reader_new(t.w.f.store->digests);
		struct buf digest;
		buf_init(&digest, LIMIT_DIGEST_BYTES);
		digest_reader_snapshot(reader, beside);
		assert_false(digest_read(reader, 1, &digest));
		expunge(&t.w, t.session, t.inbox, 1, 1);
		reclaim_now(&t.w, true);
		assert_int_equal(found_in(&t.w, ".", "what-it-said"), beside);
		digest_reader_free(&reader);
		deliver_one(&t.w.mx, t.alice, STR("another"));
		assert_false(found_in(&t.w, ".", "what-it-said"));
		buf_done(&digest);
		world_done(&t.w);
	}
}

/* A digest that was made again while its message was erased does not come back. */
static void late_digest_is_refused(void **state)
{
	struct tidy t;
	(void)state;
	tidy_init(&t, 1);
	uint32_t request = ++t.w.user.last_request;
	tell(&t.w.user, request,
		(struct frame){ .type = FRAME_DIGEST_PUT,
			.digest_put = { t.session, t.inbox, 1, STR("late") } });
	/* The reader has found the body, the writer has not been reached. */
	struct worker *reader = t.w.f.store->readings[0].worker;
	reader->spec.step(reader->spec.arg);
	t.w.f.store->settings.keep_deleted_ms = 0;
	uint64_t id = (uint64_t)1 << 32 | SEGMENT_HEADER_BYTES / RECORD_ALIGN;
	struct txn *txn = txn_new(), *forgotten = txn_new();
	struct api_range all = { 1, UINT32_MAX };
	struct op *op = txn_add(txn, OP_EXPUNGE);
	op->by.account = t.alice;
	op->expunge = (struct op_expunge){ .mailbox = t.inbox, .uids = { &all, 1 } };
	txn_add(forgotten, OP_FORGET)->forget = (struct op_forget){ t.alice, INT64_MAX, 10 };
	struct engine *e = t.w.f.store->engine;
	assert_int_equal(e->class->run(e, &txn, 1, &t.w.f.err), 0);
	assert_int_equal(e->class->run(e, &forgotten, 1, &t.w.f.err), 0);
	assert_int_equal(forgotten->dropped.n, 1);
	digests_drop(t.w.f.store->digests, id);
	digests_end(t.w.f.store->digests);
	executor_fake_run(&t.w.f.executor);
	assert_failed(reply_at(&t.w.user, request, 0), ERR_NOT_FOUND);
	struct buf digest;
	buf_init(&digest, LIMIT_DIGEST_BYTES);
	struct digest_reader *digests = digest_reader_new(t.w.f.store->digests);
	assert_false(digest_read(digests, id, &digest));
	digest_reader_free(&digests);
	buf_done(&digest);
	txn_free(&txn);
	txn_free(&forgotten);
	world_done(&t.w);
}

/* Records that no row ever named (an APPEND beyond the quota) are found when their segment is
 * sealed, and go; not before. */
static void orphans_go(void **state)
{
	struct tidy t;
	char room[BODY];
	(void)state;
	tidy_init(&t, 3);
	assert_frame(
		ask(&t.w.admin, (struct frame){ .type = FRAME_ACCOUNT_SET,
					.account_set = { .set = ACCOUNT_QUOTA_MESSAGES,
						.account = { .address = STR("alice@example.test"),
							.quota_messages = 3 } } }),
		FRAME_DONE);
	uint32_t request = ++t.w.user.last_request;
	tell(&t.w.user, request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
	tell(&t.w.user, request,
		(struct frame){
			.type = FRAME_UPLOAD_BYTES, .upload_bytes.data = body_of(4, BODY, room) });
	tell(&t.w.user, request,
		(struct frame){ .type = FRAME_UPLOAD_INTO,
			.upload_into = { .session = t.session, .mailbox = t.inbox } });
	tell(&t.w.user, request, (struct frame){ .type = FRAME_UPLOAD_COMMIT });
	executor_fake_run(&t.w.f.executor);
	assert_failed(reply_at(&t.w.user, request, 0), ERR_QUOTA);
	assert_true(on_disk(&t.w, "number-4."));
	reclaim_now(&t.w, false);
	assert_true(on_disk(&t.w, "number-4."));
	for (uint32_t i = 5; i <= 20; i++)
		deliver_one(&t.w.mx, t.alice, body_of(i, BODY, room));
	reclaim_now(&t.w, false);
	assert_false(on_disk(&t.w, "number-4."));
	assert_alive(&t, 1, 3, 1);
	check(&t.w, 0);
	world_done(&t.w);
}

/* While somebody reads segments by their names none goes. */
static void pinned_segments_stay(void **state)
{
	struct tidy t;
	(void)state;
	tidy_init(&t, 30);
	expunge(&t.w, t.session, t.inbox, 1, 9);
	int before = files(&t.w);
	segments_pin(t.w.f.store->segments);
	struct frame_reclaimed r = reclaim_now(&t.w, true);
	assert_true(r.pinned);
	assert_int_equal(r.segments, 0);
	assert_true(files(&t.w) >= before);
	assert_true(on_disk(&t.w, "number-1."));
	assert_alive(&t, 10, 30, 1);
	segments_unpin(t.w.f.store->segments);
	upkeep_after(&t.w, 10 * 60 * 1000);
	assert_false(on_disk(&t.w, "number-1."));
	assert_alive(&t, 10, 30, 1);
	check(&t.w, 0);
	world_done(&t.w);
}

/* Damage stays where it is and costs its message alone; the segment is not removed. */
static void damaged_record_stays(void **state)
{
	struct tidy t;
	(void)state;
	tidy_init(&t, 30);
	struct files_seam *seam = t.w.f.seams.files;
	int file = seam->open(seam, "blobs/00000001", 2, 0);
	assert_int_equal(seam->pwrite(seam, file, "damage", 6, SEGMENT_HEADER_BYTES + BODY), 6);
	seam->close(seam, file);
	for (uint32_t i = 2; i <= 9; i++)
		if (i != 5)
			expunge(&t.w, t.session, t.inbox, i, i);
	reclaim_now(&t.w, true);
	reclaim_now(&t.w, true);
	assert_alive(&t, 5, 5, 1);
	assert_alive(&t, 10, 30, 1);
	assert_true(on_disk(&t.w, "number-1."));
	assert_failed(ask(&t.w.user, (struct frame){ .type = FRAME_MESSAGE_READ,
					     .message_read = { t.session, t.inbox, 1, 0, BODY } }),
		ERR_CORRUPT);
	world_done(&t.w);
}

/* No more than LIMIT_RECLAIM_RATE_BYTES a second while others ask for something; ten times that
 * when nobody does. */
static void rate_is_kept(void **state)
{
	struct tidy t;
	(void)state;
	for (int busy = 0; busy < 2; busy++) {
		tidy_init(&t, 1);
		t.w.f.store->settings.segment_bytes = LIMIT_SEGMENT_BYTES;
		size_t size = 5 * 1000 * 1000;
		char *room = xmalloc(size);
		for (uint32_t i = 2; i <= 10; i++)
			deliver_one(&t.w.mx, t.alice, body_of(i, size, room));
		free(room);
		pass_time(&t.w, 3600 * 1000);
		int64_t begin = t.w.f.clock.monotonic_ms, again_ms;
		uint64_t asked = 0;
		do {
			again_ms = store_upkeep(t.w.f.store);
			executor_fake_run(&t.w.f.executor);
			if (busy)
				ask(&t.w.admin, (struct frame){ .type = FRAME_PING });
			if (t.w.f.store->reclaim.step != RECLAIM_REST)
				pass_time(&t.w, again_ms);
			asked++;
		} while (t.w.f.store->reclaim.step != RECLAIM_REST);
		/* Eight of 5 MB, in sealed segments, were surveyed; nobody waits after the last. */
		int64_t took = t.w.f.clock.monotonic_ms - begin;
		int64_t least = 30LL * 1000 * 1000 * 1000 / LIMIT_RECLAIM_RATE_BYTES;
		assert_true(busy ? took >= least : took >= least / 10 && took < least / 2);
		assert_true(took < 2 * least);
		world_done(&t.w);
	}
}

/* What some milliseconds bring, up to what is brought by a tenth of a second. */
static void rate_is_exact(void **state)
{
	struct tidy t;
	(void)state;
	tidy_init(&t, 1);
	struct store *store = t.w.f.store;
	struct reclaim *r = &store->reclaim;
	for (int busy = 0; busy <= 1; busy++)
		for (int over = -1; over <= 1; over++) {
			int64_t rate = (busy ? 1LL : 10LL) * LIMIT_RECLAIM_RATE_BYTES;
			r->next_ms = INT64_MAX;
			r->budget = 0;
			r->counted_ms = t.w.f.clock.monotonic_ms;
			r->asked = store->asked - (uint64_t)busy;
			pass_time(&t.w, 100 + over);
			store_upkeep(store);
			assert_int_equal(r->budget, over < 0 ? rate * 99 / 1000 : rate / 10);
		}
	world_done(&t.w);
}

/* Who knows the old place of a record that moved is never given wrong bytes, and finds the new one
 * in the ledger. */
static void old_places_are_refused(void **state)
{
	struct tidy t;
	(void)state;
	tidy_init(&t, 20);
	struct reader *rows = t.w.f.store->engine->class->reader_open(
		t.w.f.store->engine, &t.w.f.err);
	struct entry_place place;
	assert_int_equal(rows->class->entry(rows, t.alice, t.inbox, 1, &place, &t.w.f.err), 0);
	struct segment_reader *reader = segment_reader_new(t.w.f.store->segments);
	char room[BODY], expected[BODY];
	assert_int_equal(segment_read(reader, &place.body.ref, 0, room, 100, &t.w.f.err), 100);
	expunge(&t.w, t.session, t.inbox, 2, 9);
	assert_true(reclaim_now(&t.w, true).segments > 0);
	segment_reader_free(&reader);
	reader = segment_reader_new(t.w.f.store->segments);
	assert_int_equal(segment_read(reader, &place.body.ref, 0, room, 100, &t.w.f.err), -1);
	assert_int_equal(t.w.f.err.kind, ERR_CORRUPT);
	assert_int_equal(rows->class->entry(rows, t.alice, t.inbox, 1, &place, &t.w.f.err), 0);
	assert_int_equal(segment_read(reader, &place.body.ref, 0, room, BODY, &t.w.f.err), BODY);
	assert_str(str_make(room, BODY), body_of(1, BODY, expected));
	segment_reader_free(&reader);
	rows->class->reader_close(&rows);
	world_done(&t.w);
}

/* LIMIT_DELETED_LIST: one list has no more, and says so. */
static void long_lists_are_cut(void **state)
{
	static const uint32_t cases[] = { LIMIT_DELETED_LIST - 1, LIMIT_DELETED_LIST,
		LIMIT_DELETED_LIST + 1 };
	struct tidy t;
	(void)state;
	tidy_init(&t, 1);
	uint32_t n = 1;
	/* Copies of copies, until there are enough; then all of them go, and some come again. */
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		while (n < cases[i]) {
			uint32_t most = cases[i] - n < n ? cases[i] - n : n;
			assert_frame(
				ask_about(&t.w.user, 1, most,
					(struct frame){ .type = FRAME_COPY,
						.copy = { t.session, t.inbox, t.inbox, false } }),
				FRAME_COPIED);
			n += most;
		}
		struct test_peer admin;
		uint32_t session = t.session;
		expunge(&t.w, session, t.inbox, 1, UINT32_MAX);
		peer_init(&admin, &t.w.f, CLASS_ADMIN, 9);
		uint32_t request = ++admin.last_request;
		tell(&admin, request,
			(struct frame){ .type = FRAME_DELETED_LIST,
				.deleted_list.address = STR("alice@example.test") });
		executor_fake_run(&t.w.f.executor);
		uint32_t listed = 0;
		const struct frame *r, *last = NULL;
		for (size_t k = 0; (r = reply_at(&admin, request, k)) != NULL; k++) {
			assert_frame(r, FRAME_DELETED_ARE);
			listed += (uint32_t)r->deleted_are.deleted.n;
			last = r;
		}
		assert_int_equal(
			listed, cases[i] < LIMIT_DELETED_LIST ? cases[i] : LIMIT_DELETED_LIST);
		assert_true(last->deleted_are.last);
		assert_int_equal(last->deleted_are.cut, cases[i] > LIMIT_DELETED_LIST);
		peer_done(&admin);
		world_done(&t.w);
		if (i + 1 < ARRAY_LEN(cases))
			tidy_init(&t, 1);
		n = 1;
	}
}

static int64_t free_now;
static int64_t free_bytes(struct files_seam *files)
{
	(void)files;
	return free_now;
}

/* A disk that is full beyond the reserve: files without anything living go first, without any room;
 * then, of the reserve, what has some; what there is no room for stays, and is no failure as long
 * as something went. Q3 */
static void q3_a_full_disk_is_freed_by_deleting(void **state)
{
	(void)state;
	struct tidy t;
	tidy_init(&t, 50); /* 9 or 10 a segment */
	int before = files(&t.w);
	expunge(&t.w, t.session, t.inbox, 2, 8); /* one or two live in the first */
	expunge(&t.w, t.session, t.inbox, 11, 35);
	t.w.f.seams.files->free_bytes = free_bytes;
	free_now = LIMIT_DISK_RESERVE_BYTES / 8;
	struct frame_reclaimed r = reclaim_now(&t.w, true);
	assert_true(r.segments > 0 && r.moved == 0);
	assert_true(files(&t.w) < before);
	assert_true(on_disk(&t.w, "number-2."));
	assert_false(on_disk(&t.w, "number-25."));
	const struct frame *refused = ask(&t.w.admin,
		(struct frame){ .type = FRAME_STORE_RECLAIM, .store_reclaim.deleted = true });
	assert_frame(refused, FRAME_FAILED);
	assert_int_equal(refused->failed.kind, ERR_FULL);
	free_now = LIMIT_DISK_RESERVE_BYTES / 2; /* new mail is refused */
	r = reclaim_now(&t.w, true);
	assert_true(r.segments > 0 && r.moved > 0);
	assert_false(on_disk(&t.w, "number-2."));
	assert_false(on_disk(&t.w, "number-35."));
	again(&t);
	assert_alive(&t, 9, 10, 1);
	assert_alive(&t, 36, 50, 1);
	check(&t.w, 0);
	world_done(&t.w);
}

/* The reserve is what the settings say. */
static void q3_mail_leaves_the_reserve(void **state)
{
	(void)state;
	char room[BODY];
	for (int over = 0; over <= 1; over++) {
		struct tidy t;
		tidy_init(&t, 1);
		t.w.f.settings.reserve_bytes = 5 << 20;
		world_restart(&t.w);
		again(&t);
		t.w.f.seams.files->free_bytes = free_bytes;
		free_now = (5 << 20) + (over ? 2 * BODY : BODY / 2);
		const struct frame *r = deliver(
			&t.w.mx, body_of(2, BODY, room), &t.alice, 1, STR("Return-Path: <>\r\n"));
		assert_frame(r, over ? FRAME_DELIVERED : FRAME_FAILED);
		world_done(&t.w);
	}
}

TEST_MAIN(test_case(erased_in_time), test_case(erasing_begins_in_time),
	test_case(mostly_dead_goes_soon), test_case(reclaimed_when_asked),
	test_case(shared_body_lives), test_case(digests_of_the_erased_go),
	test_case(late_digest_is_refused), test_case(orphans_go), test_case(pinned_segments_stay),
	test_case(damaged_record_stays), test_case(rate_is_kept), test_case(rate_is_exact),
	test_case(old_places_are_refused), test_case(long_lists_are_cut),
	test_case(q3_a_full_disk_is_freed_by_deleting), test_case(q3_mail_leaves_the_reserve))
