// SPDX-License-Identifier: Apache-2.0
/* The store: who watches a mailbox, views, changes in series, peers that are slow or go. */
#include "store/store_private.h"
#include "store/store_test.h"

/* ---- watching ---- */

static void watchers_hear_once_and_ask(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	deliver_one(&w.mx, alice, STR("one"));
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	struct frame open = { .type = FRAME_VIEW_OPEN, .view_open = { session, inbox, true } };
	uint64_t modseq = ask(&w.user, open)->view_is.modseq;
	forget_replies(&w.user);
	deliver_one(&w.mx, alice, STR("two"));
	deliver_one(&w.mx, alice, STR("three"));
	const struct frame *news = reply_at(&w.user, 0, 0);
	assert_frame(news, FRAME_MAILBOX_CHANGED);
	assert_int_equal(news->mailbox_changed.session, session);
	assert_int_equal(news->mailbox_changed.mailbox, inbox);
	assert_false(news->mailbox_changed.gone);
	assert_null(reply_at(&w.user, 0, 1)); /* coalesced until it asks */
	struct frame changes = { .type = FRAME_VIEW_CHANGES,
		.view_changes = { session, inbox, modseq } };
	const struct frame *changed = ask(&w.user, changes);
	assert_frame(changed, FRAME_VIEW_CHANGED);
	assert_int_equal(changed->view_changed.entries.n, 2);
	assert_int_equal(changed->view_changed.entries.items[1].uid, 3);
	assert_int_equal(changed->view_changed.uidnext, 4);
	assert_true(changed->view_changed.last);
	modseq = changed->view_changed.modseq;
	/* Nothing since: an empty answer with the same modseq. */
	changes.view_changes.since = modseq;
	changed = ask(&w.user, changes);
	assert_int_equal(changed->view_changed.entries.n, 0);
	assert_int_equal(changed->view_changed.modseq, modseq);
	/* A change, then an expunge, of one UID: only that it is gone. */
	forget_replies(&w.user);
	ask_about(&w.user, 2, 2,
		(struct frame){ .type = FRAME_SET_FLAGS,
			.set_flags = { .session = session,
				.mailbox = inbox,
				.mode = FLAGS_ADD,
				.flags = FLAG_DELETED,
				.unchanged_since = UINT64_MAX } });
	ask_about(&w.user, 1, 3,
		(struct frame){ .type = FRAME_EXPUNGE, .expunge = { session, inbox, true } });
	assert_frame(reply_at(&w.user, 0, 0), FRAME_MAILBOX_CHANGED);
	changed = ask(&w.user, changes);
	assert_int_equal(changed->view_changed.entries.n, 0);
	assert_int_equal(changed->view_changed.expunged.n, 1);
	assert_int_equal(changed->view_changed.expunged.items[0], 2);
	/* Gone. */
	uint64_t sent = mailbox_of(&w.user, session, "Sent");
	open.view_open.mailbox = sent;
	ask(&w.user, open);
	forget_replies(&w.user);
	ask(&w.user, (struct frame){ .type = FRAME_MAILBOX_DELETE,
			     .mailbox_delete = { session, STR("Sent") } });
	assert_true(reply_at(&w.user, 0, 0)->mailbox_changed.gone);
	/* Closed: silence. */
	forget_replies(&w.user);
	tell(&w.user, 0,
		(struct frame){ .type = FRAME_VIEW_CLOSE, .view_close = { session, inbox } });
	deliver_one(&w.mx, alice, STR("four"));
	assert_null(reply_at(&w.user, 0, 0));
	world_done(&w);
}

/* Alice's, with six messages; her session, and one of Bob's, whose it is not. */
static uint64_t inbox_of_six(struct world *w, uint32_t *ret_session, uint32_t *ret_his)
{
	world_init(w);
	uint64_t alice = account_of(&w->mx, "alice@example.test");
	for (int i = 0; i < 6; i++)
		deliver_one(&w->mx, alice, STR("one"));
	*ret_session = open_session(&w->user, alice);
	*ret_his = open_session(&w->user, account_of(&w->mx, "bob@example.test"));
	return mailbox_of(&w->user, *ret_session, "INBOX");
}

/* UIDs 2 to 4 and 6 of six go, at two modseqs. */
static void what_vanished_is_remembered(void **state)
{
	struct world w;
	uint32_t session, his;
	(void)state;
	uint64_t inbox = inbox_of_six(&w, &session, &his);
	struct frame expunge = { .type = FRAME_EXPUNGE, .expunge = { session, inbox, false } };
	uint64_t first = ask_about(&w.user, 2, 4, expunge)->changed.modseq;
	ask_about(&w.user, 6, 6, expunge);
	struct frame vanished = { .type = FRAME_VIEW_VANISHED,
		.view_vanished = { session, inbox, first - 1 } };
	const struct frame *is = ask(&w.user, vanished);
	assert_frame(is, FRAME_VANISHED);
	assert_true(is->vanished.last);
	assert_int_equal(is->vanished.uids.n, 2);
	assert_int_equal(is->vanished.uids.items[0].low, 2);
	assert_int_equal(is->vanished.uids.items[0].high, 4);
	assert_int_equal(is->vanished.uids.items[1].low, 6);
	vanished.view_vanished.since = first;
	is = ask(&w.user, vanished);
	assert_int_equal(is->vanished.uids.n, 1);
	assert_int_equal(is->vanished.uids.items[0].low, 6);
	vanished.view_vanished.since = first + 1;
	assert_int_equal(ask(&w.user, vanished)->vanished.uids.n, 0);
	vanished.view_vanished.session = his;
	assert_failed(ask(&w.user, vanished), ERR_NOT_FOUND);
	world_done(&w);
}

/* Asked of a mailbox that is watched it takes no reader, as far back as the log reaches. */
static void what_vanished_a_moment_ago(void **state)
{
	struct world w;
	uint32_t session, his;
	(void)state;
	uint64_t inbox = inbox_of_six(&w, &session, &his);
	struct frame expunge = { .type = FRAME_EXPUNGE, .expunge = { session, inbox, false } };
	ask_about(&w.user, 3, 3, expunge);
	uint64_t modseq = ask(&w.user,
		(struct frame){ .type = FRAME_VIEW_OPEN, .view_open = { session, inbox, true } })
				  ->view_is.modseq;
	ask_about(&w.user, 6, 6, expunge);
	ask_about(&w.user, 1, 2, expunge);
	struct frame vanished = { .type = FRAME_VIEW_VANISHED,
		.view_vanished = { session, inbox, modseq } };
	forget_replies(&w.user);
	tell(&w.user, 900, vanished);
	const struct frame *is = reply_at(&w.user, 900, 0);
	assert_non_null(is); /* nobody but the loop has run */
	assert_true(is->vanished.last);
	assert_int_equal(is->vanished.uids.n, 2);
	assert_int_equal(is->vanished.uids.items[0].low, 1);
	assert_int_equal(is->vanished.uids.items[0].high, 2);
	assert_int_equal(is->vanished.uids.items[1].low, 6);
	vanished.view_vanished.since = modseq - 1; /* before the log: all that the ledger has */
	tell(&w.user, 901, vanished);
	assert_null(reply_at(&w.user, 901, 0));
	executor_fake_run(&w.f.executor);
	assert_int_equal(reply_at(&w.user, 901, 0)->vanished.uids.n, 2); /* 1 to 3, and 6 */
	vanished.view_vanished.session = his;
	vanished.view_vanished.since = modseq;
	assert_failed(ask(&w.user, vanished), ERR_NOT_FOUND);
	world_done(&w);
}

/* The log reaches back so far and no farther. */
static void change_log_is_bounded(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	deliver_one(&w.mx, alice, STR("one"));
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	uint64_t modseq = ask(&w.user,
		(struct frame){ .type = FRAME_VIEW_OPEN, .view_open = { session, inbox, true } })
				  ->view_is.modseq;
	struct frame changes = { .type = FRAME_VIEW_CHANGES,
		.view_changes = { session, inbox, modseq } };
	assert_failed(ask(&w.user, (struct frame){ .type = FRAME_VIEW_CHANGES,
					   .view_changes = { session, inbox, modseq - 1 } }),
		ERR_LIMIT);
	struct frame flip = { .type = FRAME_SET_FLAGS,
		.set_flags = { .session = session,
			.mailbox = inbox,
			.mode = FLAGS_ADD,
			.flags = FLAG_SEEN,
			.unchanged_since = UINT64_MAX } };
	for (int i = 0; i < LIMIT_CHANGE_LOG; i++) {
		flip.set_flags.mode = i % 2 ? FLAGS_REMOVE : FLAGS_ADD;
		uint32_t request = ++w.user.last_request;
		tell_uids(&w.user, request, 1, 1);
		tell(&w.user, request, flip);
		if (i % 200 == 0) {
			executor_fake_run(&w.f.executor);
			forget_replies(&w.user);
		}
	}
	executor_fake_run(&w.f.executor);
	const struct frame *r = ask(&w.user, changes);
	assert_frame(r, FRAME_VIEW_CHANGED); /* N: one entry, its newest state */
	assert_int_equal(r->view_changed.entries.n, 1);
	assert_int_equal(r->view_changed.entries.items[0].flags, 0);
	flip.set_flags.mode = FLAGS_ADD;
	ask_about(&w.user, 1, 1, flip); /* N + 1: the older half goes */
	assert_failed(ask(&w.user, changes), ERR_LIMIT);
	changes.view_changes.since = r->view_changed.modseq;
	assert_frame(ask(&w.user, changes), FRAME_VIEW_CHANGED);
	world_done(&w);
}

static struct worker *reader_of(struct world *w)
{
	return w->f.executor.workers->next; /* the writer comes first */
}

/* Who asks for a mailbox by its number makes no log of it before it is known to be his: the owner
 * would be told that there is no such mailbox. */
static void others_views_are_in_nobodys_way(void **state)
{
	struct world w;
	struct test_peer other;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	peer_init(&other, &w.f, CLASS_USER, 3);
	uint32_t hers = open_session(&other, alice);
	uint32_t his = open_session(&w.user, account_of(&w.mx, "bob@example.test"));
	uint64_t inbox = mailbox_of(&other, hers, "INBOX");
	w.user.peer->reads.held += LIMIT_PEER_ANSWER_BYTES; /* for as long as he likes */
	tell(&w.user, 1000,
		(struct frame){ .type = FRAME_VIEW_OPEN, .view_open = { his, inbox, true } });
	executor_fake_run(&w.f.executor);
	assert_non_null(w.user.peer->reads.waiting);
	assert_int_equal(w.f.store->logs.n, 0);
	struct frame open = { .type = FRAME_VIEW_OPEN, .view_open = { hers, inbox, true } };
	assert_frame(ask(&other, open), FRAME_VIEW_IS);
	w.user.peer->reads.held -= LIMIT_PEER_ANSWER_BYTES;
	peer_start_waiting(w.user.peer);
	executor_fake_run(&w.f.executor);
	assert_failed(reply_at(&w.user, 1000, 0), ERR_NOT_FOUND);
	/* Where there is a log, a view takes no second turn: this one is kept, and takes none. */
	tell(&other, 1001, open);
	assert_frame(reply_at(&other, 1001, 0), FRAME_VIEW_IS);
	peer_done(&other);
	world_done(&w);
}

/* A mailbox is deleted after it was looked up: before its log is made, or before it is read. */
static void deleted_before_it_is_read(void **state)
{
	(void)state;
	for (int made = 0; made <= 1; made++) {
		struct world w;
		world_init(&w);
		uint32_t session = open_session(&w.user, account_of(&w.mx, "alice@example.test"));
		uint64_t sent = mailbox_of(&w.user, session, "Sent");
		tell(&w.user, 1000,
			(struct frame){
				.type = FRAME_VIEW_OPEN, .view_open = { session, sent, true } });
		struct worker *reader = reader_of(&w);
		reader->spec.step(reader->spec.arg);
		assert_int_equal(w.f.store->logs.n, 0);
		if (made) {
			reader->spec.done(reader->spec.arg);
			assert_int_equal(w.f.store->logs.n, 1);
		}
		tell(&w.user, 1001,
			(struct frame){ .type = FRAME_MAILBOX_DELETE,
				.mailbox_delete = { session, STR("Sent") } });
		executor_fake_run(&w.f.executor);
		assert_frame(reply_at(&w.user, 1001, 0), FRAME_DONE);
		assert_failed(reply_at(&w.user, 1000, 0), ERR_NOT_FOUND);
		assert_int_equal(w.f.store->logs.n, 0);
		world_done(&w);
	}
}

/* Slices of a view, between which the mailbox changes: the answer is the mailbox at one modseq. */
static void view_in_slices_is_one_snapshot(void **state)
{
	struct store_bounds bounds = store_bounds_normal;
	struct world w;
	(void)state;
	world_init(&w);
	bounds.bases_bytes = 0; /* no view is kept: each is read */
	w.f.store->settings.bounds = &bounds;
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	deliver_one(&w.mx, alice, STR("x"));
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	double_mailbox(&w, session, inbox, 16);
	assert_true(65536 > LIMIT_VIEW_SLICE_ROWS);
	/* With few changes the slices are corrected; with more than the log holds, read again. */
	for (int many = 0; many < 2; many++) {
		forget_replies(&w.user);
		tell(&w.user, 9000,
			(struct frame){ .type = FRAME_VIEW_OPEN,
				.view_open = { session, inbox, many == 0 } });
		struct worker *reader = reader_of(&w);
		assert_true(reader->spec.step(reader->spec.arg)); /* the first slice */
		uint32_t uidnext = many ? 65538 : 65537;
		tell_uids(&w.user, 9001, 2, many ? 2 + LIMIT_CHANGE_LOG : 3);
		tell(&w.user, 9001,
			(struct frame){ .type = FRAME_SET_FLAGS,
				.set_flags = { .session = session,
					.mailbox = inbox,
					.mode = many ? FLAGS_REMOVE : FLAGS_ADD,
					.flags = FLAG_FLAGGED,
					.unchanged_since = UINT64_MAX } });
		tell_uids(&w.user, 9002, 1 + 6 * (uint32_t)many, 1 + 6 * (uint32_t)many);
		tell(&w.user, 9002,
			(struct frame){
				.type = FRAME_EXPUNGE, .expunge = { session, inbox, false } });
		struct worker *writer = w.f.executor.workers;
		writer->awake = false;
		assert_true(writer->spec.step(writer->spec.arg));
		deliver_one(&w.mx, alice, STR("new"));
		executor_fake_run(&w.f.executor);
		const struct frame *is = reply_at(&w.user, 9000, 0);
		assert_frame(is, FRAME_VIEW_IS);
		assert_int_equal(is->view_is.uidnext, uidnext + 1);
		uint32_t n = 0, last = 0, flagged = 0;
		const struct frame *r;
		for (size_t i = 1; (r = reply_at(&w.user, 9000, i)) != NULL; i++)
			for (size_t k = 0; k < r->view_entries.entries.n; k++, n++) {
				const struct api_entry *e = &r->view_entries.entries.items[k];
				assert_true(e->uid > last && e->uid != (many ? 7 : 1));
				assert_true(e->modseq <= is->view_is.modseq);
				flagged += e->flags == FLAG_FLAGGED;
				last = e->uid;
			}
		assert_int_equal(n, is->view_is.messages);
		assert_int_equal(n, 65536);
		assert_int_equal(last, uidnext);
		assert_int_equal(flagged, many ? 0 : 2);
	}
	world_done(&w);
}

/* ---- changes ---- */

static void changes_answer_in_series(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	for (int i = 0; i < 3; i++)
		deliver_one(&w.mx, alice, STR("x"));
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	uint64_t trash = mailbox_of(&w.user, session, "Trash");
	/* UNCHANGEDSINCE 0 keeps all back, as one range. */
	const struct frame *r = ask_about(&w.user, 1, UINT32_MAX,
		(struct frame){ .type = FRAME_SET_FLAGS,
			.set_flags = { .session = session,
				.mailbox = inbox,
				.flags = 1,
				.unchanged_since = 0 } });
	assert_frame(r, FRAME_CHANGED);
	assert_int_equal(r->changed.failed.n, 1);
	assert_true(r->changed.failed.items[0].low == 1 && r->changed.failed.items[0].high == 3);
	assert_int_equal(r->changed.done_count, 0);
	r = ask_about(&w.user, 2, 3,
		(struct frame){ .type = FRAME_COPY, .copy = { session, inbox, trash, true } });
	assert_frame(r, FRAME_COPIED);
	assert_int_equal(r->copied.pairs.n, 2);
	assert_int_equal(r->copied.pairs.items[1].from, 3);
	assert_int_equal(r->copied.pairs.items[1].to, 2);
	assert_true(r->copied.last);
	/* Without UIDs there is nothing to change; an empty list is a list. */
	assert_failed(ask(&w.user, (struct frame){ .type = FRAME_EXPUNGE,
					   .expunge = { session, inbox, false } }),
		ERR_LIMIT);
	tell(&w.user, w.user.last_request + 1, (struct frame){ .type = FRAME_UIDS });
	r = ask(&w.user,
		(struct frame){ .type = FRAME_EXPUNGE, .expunge = { session, inbox, false } });
	assert_frame(r, FRAME_CHANGED);
	assert_int_equal(r->changed.done_count, 0);
	world_done(&w);
}

/* N - 1, N, N + 1 ranges. I5 */
static void ranges_are_limited(void **state)
{
	enum { A_FRAME = 7000 };
	struct api_range *ranges = xcalloc(LIMIT_REQUEST_RANGES + 1, sizeof(*ranges));
	struct world w;
	(void)state;
	world_init(&w);
	uint32_t session = open_session(&w.user, account_of(&w.mx, "alice@example.test"));
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	for (uint32_t i = 0; i <= LIMIT_REQUEST_RANGES; i++)
		ranges[i] = (struct api_range){ 2 * i + 1, 2 * i + 1 };
	for (size_t n = LIMIT_REQUEST_RANGES - 1; n <= LIMIT_REQUEST_RANGES + 1; n++) {
		uint32_t request = w.user.last_request + 1;
		for (size_t at = 0; at < n; at += A_FRAME)
			tell(&w.user, request,
				(struct frame){ .type = FRAME_UIDS,
					.uids.ranges = { ranges + at,
						n - at < A_FRAME ? n - at : A_FRAME } });
		const struct frame *r = ask(
			&w.user, (struct frame){ .type = FRAME_EXPUNGE,
					 .expunge = { session, inbox, false } });
		assert_frame(r, n <= LIMIT_REQUEST_RANGES ? FRAME_CHANGED : FRAME_FAILED);
	}
	free(ranges);
	world_done(&w);
}

/* ---- output ---- */

/* A peer without room gets nothing more, loses nothing, and small answers overtake. */
static void slow_peer_is_waited_for(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint64_t to[] = { alice };
	for (int i = 0; i < 2500; i++) {
		uint32_t request = ++w.mx.last_request;
		tell(&w.mx, request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
		tell(&w.mx, request,
			(struct frame){ .type = FRAME_UPLOAD_TO, .upload_to.account = to[0] });
		tell(&w.mx, request, (struct frame){ .type = FRAME_UPLOAD_COMMIT });
	}
	executor_fake_run(&w.f.executor);
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	w.user.bulk_room = 1;
	ask(&w.user,
		(struct frame){ .type = FRAME_VIEW_OPEN, .view_open = { session, inbox, false } });
	uint32_t view = w.user.last_request;
	assert_frame(reply_at(&w.user, view, 1), FRAME_VIEW_ENTRIES);
	assert_null(reply_at(&w.user, view, 2));
	assert_false(store_is_idle(w.f.store));
	assert_frame(ask(&w.user, (struct frame){ .type = FRAME_PING }), FRAME_DONE);
	/* Another series takes turns with the first. */
	tell(&w.user, 7777,
		(struct frame){
			.type = FRAME_MESSAGE_READ, .message_read = { session, inbox, 1, 0, 10 } });
	executor_fake_run(&w.f.executor);
	w.user.bulk_room = 2;
	store_peer_room(w.user.peer);
	assert_non_null(reply_at(&w.user, 7777, 0));
	assert_non_null(reply_at(&w.user, view, 2));
	assert_null(reply_at(&w.user, view, 3));
	w.user.bulk_room = SIZE_MAX;
	store_peer_room(w.user.peer);
	const struct frame *last = reply_at(&w.user, view, 3);
	assert_true(last->view_entries.last);
	assert_int_equal(last->view_entries.entries.n, 500);
	assert_true(store_is_idle(w.f.store));
	world_done(&w);
}

/* A peer that goes with questions everywhere: at readers, at the writer, in output. */
static void peers_go_at_any_time(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	deliver_one(&w.mx, alice, STR("x"));
	for (size_t steps = 0; steps < 12; steps++) {
		uint32_t session = open_session(&w.user, alice);
		uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
		w.user.bulk_room = steps % 3;
		for (uint32_t i = 1; i < 4; i++) {
			uint32_t request = 1000 + 10 * i;
			tell(&w.user, request,
				(struct frame){ .type = FRAME_VIEW_OPEN,
					.view_open = { session, inbox, true } });
			tell(&w.user, request + 1,
				(struct frame){ .type = FRAME_MAILBOX_CREATE,
					.mailbox_create = { session, STR("m"), 0 } });
			tell(&w.user, request + 2, (struct frame){ .type = FRAME_UPLOAD_OPEN });
			tell_uids(&w.user, request + 3, 1, 1);
			tell(&w.user, request + 3,
				(struct frame){ .type = FRAME_COPY,
					.copy = { session, inbox, inbox, false } });
			tell_uids(&w.user, request + 4, 1, 1);
		}
		size_t n = steps;
		for (struct worker *k = w.f.executor.workers; k && n; k = k->next)
			while (k->awake && n-- > 0) {
				k->awake = k->spec.step(k->spec.arg);
				if (n % 2 == 0 && k->notified) {
					k->notified = false;
					k->spec.done(k->spec.arg);
				}
			}
		peer_done(&w.user);
		executor_fake_run(&w.f.executor);
		assert_true(store_is_idle(w.f.store));
		peer_init(&w.user, &w.f, CLASS_USER, 3);
	}
	world_done(&w);
}

TEST_MAIN(test_case(others_views_are_in_nobodys_way), test_case(deleted_before_it_is_read),
	test_case(watchers_hear_once_and_ask), test_case(what_vanished_is_remembered),
	test_case(what_vanished_a_moment_ago), test_case(change_log_is_bounded),
	test_case(view_in_slices_is_one_snapshot), test_case(changes_answer_in_series),
	test_case(ranges_are_limited), test_case(slow_peer_is_waited_for),
	test_case(peers_go_at_any_time))
