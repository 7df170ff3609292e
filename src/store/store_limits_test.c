// SPDX-License-Identifier: Apache-2.0
/* What one peer may make the store hold: each limit at N - 1, N and N + 1. */
#include "store/store_test.h"

#include "store/store_private.h"

static struct frame resolve_alice(void)
{
	return (struct frame){ .type = FRAME_RESOLVE,
		.resolve.address = STR("alice@example.test") };
}

/* Frames with the request n, n = from … to, of which the last may be refused. */
static void tell_many(struct test_peer *p, uint32_t from, uint32_t to, struct frame frame)
{
	for (uint32_t request = from; request <= to; request++)
		tell(p, request, frame);
}

/* Asks about alice with that number as a detail, which is found out once. */
static bool is_known_at_once(struct test_peer *p, uint32_t detail)
{
	char address[64];
	snprintf(address, sizeof(address), "alice+%u@example.test", detail);
	uint32_t request = ++p->last_request;
	forget_replies(p);
	tell(p, request,
		(struct frame){ .type = FRAME_RESOLVE, .resolve.address = str_from(address) });
	bool at_once = reply_at(p, request, 0) != NULL;
	executor_fake_run(&p->f->executor);
	assert_frame(reply_at(p, request, 0), FRAME_RESOLVED);
	return at_once;
}

static void recipients_that_are_known(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	for (uint32_t i = 1; i <= LIMIT_KNOWN_ADDRESSES; i++)
		assert_false(is_known_at_once(&w.mx, i));
	assert_true(is_known_at_once(&w.mx, 1));
	assert_true(is_known_at_once(&w.mx, LIMIT_KNOWN_ADDRESSES - 1));
	assert_true(is_known_at_once(&w.mx, LIMIT_KNOWN_ADDRESSES));
	/* One more: all others have to be found out again. */
	assert_false(is_known_at_once(&w.mx, LIMIT_KNOWN_ADDRESSES + 1));
	assert_true(is_known_at_once(&w.mx, LIMIT_KNOWN_ADDRESSES + 1));
	assert_false(is_known_at_once(&w.mx, 1));
	world_done(&w);
}

static void questions_at_once(void **state)
{
	/* Nothing that could be known already. */
	struct frame nobody = { .type = FRAME_RESOLVE,
		.resolve.address = STR("nobody@example.test") };
	struct world w;
	(void)state;
	world_init(&w);
	for (uint32_t n = LIMIT_PEER_JOBS - 1; n <= LIMIT_PEER_JOBS + 1; n++) {
		forget_replies(&w.mx);
		tell_many(&w.mx, 1, n, nobody);
		const struct frame *refused = reply_at(&w.mx, n, 0);
		if (n <= LIMIT_PEER_JOBS)
			assert_null(refused);
		else
			assert_failed(refused, ERR_TEMP);
		executor_fake_run(&w.f.executor);
		assert_int_equal(w.mx.replies.n, n);
	}
	/* The other peer was never kept waiting. */
	assert_frame(ask(&w.user, resolve_alice()), FRAME_RESOLVED);
	world_done(&w);
}

static void uploads_at_once(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	tell_many(&w.mx, 1, LIMIT_PEER_UPLOADS, (struct frame){ .type = FRAME_UPLOAD_OPEN });
	assert_int_equal(w.mx.replies.n, 0);
	tell(&w.mx, LIMIT_PEER_UPLOADS + 1, (struct frame){ .type = FRAME_UPLOAD_OPEN });
	assert_failed(reply_at(&w.mx, LIMIT_PEER_UPLOADS + 1, 0), ERR_TEMP);
	tell(&w.mx, 1, (struct frame){ .type = FRAME_UPLOAD_ABORT });
	tell(&w.mx, LIMIT_PEER_UPLOADS + 2, (struct frame){ .type = FRAME_UPLOAD_OPEN });
	assert_null(reply_at(&w.mx, LIMIT_PEER_UPLOADS + 2, 0));
	/* One that is open already is not opened again. */
	tell(&w.mx, 2, (struct frame){ .type = FRAME_UPLOAD_OPEN });
	assert_failed(reply_at(&w.mx, 2, 0), ERR_NOT_NOW);
	world_done(&w);
}

static void recipients_of_one_message(void **state)
{
	struct world w;
	uint64_t to[LIMIT_LANDINGS + 1];
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	for (size_t i = 0; i < ARRAY_LEN(to); i++)
		to[i] = alice;
	for (size_t n = LIMIT_LANDINGS - 1; n <= LIMIT_LANDINGS + 1; n++) {
		const struct frame *r = deliver(&w.mx, STR("x"), to, n, STR("P: x\r\n"));
		if (n <= LIMIT_LANDINGS)
			assert_int_equal(r->delivered.landings.n, n);
		else
			assert_failed(r, ERR_LIMIT);
	}
	world_done(&w);
}

static struct frame session_open(struct fixture *f, uint64_t account, struct buf *ticket)
{
	make_ticket(f,
		(struct ticket){ .instance = 3,
			.account = account,
			.epoch = 1,
			.rights = SERVICES_ALL,
			.expires_ms = 1800000000000 },
		ticket);
	return (struct frame){ .type = FRAME_SESSION_OPEN,
		.session_open = { .ticket = buf_str(ticket), .service = STR("imap") } };
}

static void sessions_of_one_front(void **state)
{
	enum { TURN = 4096 };
	struct world w;
	struct buf ticket;
	(void)state;
	world_init(&w);
	struct frame open = session_open(&w.f, account_of(&w.mx, "alice@example.test"), &ticket);
	for (uint32_t i = 0; i < LIMIT_PEER_SESSIONS / TURN; i++) {
		forget_replies(&w.user);
		tell_many(&w.user, 10001, 10000 + TURN, open);
		executor_fake_run(&w.f.executor);
		assert_frame(reply_at(&w.user, 10000 + TURN, 0), FRAME_SESSION_IS);
	}
	uint32_t last = reply_at(&w.user, 10000 + TURN, 0)->session_is.session;
	assert_failed(ask(&w.user, open), ERR_LIMIT);
	tell(&w.user, 0,
		(struct frame){ .type = FRAME_SESSION_CLOSE, .session_close.session = last });
	assert_frame(ask(&w.user, open), FRAME_SESSION_IS);
	buf_done(&ticket);
	world_done(&w);
}

static void watches_of_one_front(void **state)
{
	enum { BOXES = 16, TURN = 2048 };
	struct store_bounds bounds = store_bounds_normal;
	struct world w;
	struct buf ticket;
	uint64_t boxes[BOXES];
	char name[16];
	(void)state;
	world_init(&w);
	bounds.bases_bytes = 0; /* no answer comes before its turn */
	w.f.store->settings.bounds = &bounds;
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	struct frame open = session_open(&w.f, alice, &ticket);
	uint32_t session = open_session(&w.user, alice), first = session + 1;
	for (int i = 0; i < BOXES; i++) {
		snprintf(name, sizeof(name), "box%d", i);
		boxes[i] = ask(&w.user, (struct frame){ .type = FRAME_MAILBOX_CREATE,
						.mailbox_create = { session, str_from(name), 0 } })
				   ->mailboxes.mailboxes.items[0]
				   .id;
	}
	for (uint32_t i = 0; i < LIMIT_PEER_WATCHES / BOXES; i += TURN) {
		tell_many(&w.user, 10001, 10000 + TURN, open);
		executor_fake_run(&w.f.executor);
		assert_frame(reply_at(&w.user, 10000 + TURN, 0), FRAME_SESSION_IS);
	}
	for (uint32_t i = 0; i < LIMIT_PEER_WATCHES; i++) {
		tell(&w.user, 20000 + i % TURN,
			(struct frame){ .type = FRAME_VIEW_OPEN,
				.view_open = { first + i / BOXES, boxes[i % BOXES], true } });
		if (i % TURN == TURN - 1) {
			forget_replies(&w.user);
			executor_fake_run(&w.f.executor);
			assert_frame(reply_at(&w.user, 20000 + i % TURN, 0), FRAME_VIEW_IS);
		}
	}
	struct frame more = { .type = FRAME_VIEW_OPEN, .view_open = { session, boxes[0], true } };
	assert_failed(ask(&w.user, more), ERR_LIMIT);
	tell(&w.user, 0,
		(struct frame){ .type = FRAME_VIEW_CLOSE, .view_close = { first, boxes[0] } });
	assert_frame(ask(&w.user, more), FRAME_VIEW_IS);
	buf_done(&ticket);
	world_done(&w);
}

/* A group is one flush: N - 1 and N transactions take one, N + 1 takes two. */
static void transactions_of_one_flush(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	struct frame status = { .type = FRAME_STORE_STATUS };
	for (uint32_t n = LIMIT_GROUP_TRANSACTIONS - 1; n <= LIMIT_GROUP_TRANSACTIONS + 1; n++) {
		uint64_t before = ask(&w.admin, status)->store_status_is.flushes;
		tell_many(&w.mx, 1, n, (struct frame){ .type = FRAME_UPLOAD_OPEN });
		tell_many(&w.mx, 1, n,
			(struct frame){ .type = FRAME_UPLOAD_TO, .upload_to.account = alice });
		tell_many(&w.mx, 1, n, (struct frame){ .type = FRAME_UPLOAD_COMMIT });
		executor_fake_run(&w.f.executor);
		uint64_t after = ask(&w.admin, status)->store_status_is.flushes;
		assert_int_equal(after - before, n <= LIMIT_GROUP_TRANSACTIONS ? 1 : 2);
	}
	world_done(&w);
}

/* What was read for a peer that takes nothing is bounded; all of it comes when there is room. */
static void answers_that_wait(void **state)
{
	enum { BODY = 60000, N = LIMIT_PEER_ANSWER_BYTES / BODY + 200 };
	struct world w;
	char *body = xmalloc(BODY);
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	w.f.random.seam.fill(&w.f.random.seam, body, BODY);
	deliver_one(&w.mx, alice, str_make(body, BODY));
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	w.user.bulk_room = 0;
	tell_many(&w.user, 1000, 999 + N,
		(struct frame){ .type = FRAME_MESSAGE_READ,
			.message_read = { session, inbox, 1, 0, BODY } });
	executor_fake_run(&w.f.executor);
	assert_false(store_is_idle(w.f.store));
	for (uint32_t i = 0; i < N; i++) {
		w.user.bulk_room = 1;
		forget_replies(&w.user);
		store_peer_room(w.user.peer);
		executor_fake_run(&w.f.executor);
		assert_int_equal(w.user.replies.n, 1);
		const struct reply *r = vec_at(&w.user.replies, 0);
		assert_int_equal(r->frame.message_bytes.data.n, BODY);
	}
	assert_true(store_is_idle(w.f.store));
	free(body);
	world_done(&w);
}

/* One more question is begun when its answer fits beside those that wait, to the byte. */
static void answers_that_fit(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	deliver_one(&w.mx, alice, STR("x"));
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	struct frame read = { .type = FRAME_MESSAGE_READ,
		.message_read = { session, inbox, 1, 0, 10 } };
	struct store_peer *peer = w.user.peer;
	size_t room = w.user.bulk_room;
	w.user.bulk_room = 0;
	tell(&w.user, 1000, read);
	executor_fake_run(&w.f.executor);
	size_t cost = peer->reads.held;
	assert_int_not_equal(cost, 0);
	w.user.bulk_room = room;
	store_peer_room(peer);
	assert_int_equal(peer->reads.held, 0);
	for (int over = -1; over <= 1; over++) {
		uint32_t request = (uint32_t)(2000 + over);
		size_t others = LIMIT_PEER_ANSWER_BYTES - cost + (size_t)over;
		peer->reads.held += others;
		tell(&w.user, request, read);
		executor_fake_run(&w.f.executor);
		assert_int_equal(reply_at(&w.user, request, 0) != NULL, over <= 0);
		peer->reads.held -= others;
		peer_start_waiting(peer);
		executor_fake_run(&w.f.executor);
		assert_frame(reply_at(&w.user, request, 0), FRAME_MESSAGE_BYTES);
		assert_int_equal(peer->reads.held, 0);
	}
	world_done(&w);
}

/* A view that waits for room ends with its peer, and the mailbox's log has one user less. */
static void who_waits_goes_with_its_peer(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	deliver_one(&w.mx, alice, STR("x"));
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	struct frame open = { .type = FRAME_VIEW_OPEN,
		.view_open = { .session = session, .mailbox = inbox } };
	assert_frame(ask(&w.user, open), FRAME_VIEW_IS);
	const struct mailbox_log *log = map_get_u64(&w.f.store->logs, inbox);
	uint32_t users = log->users; /* what is kept of it */
	w.user.peer->reads.held += LIMIT_PEER_ANSWER_BYTES;
	tell(&w.user, 1000, open);
	executor_fake_run(&w.f.executor);
	assert_non_null(w.user.peer->reads.waiting);
	assert_int_equal(log->users, users + 1);
	w.user.peer->reads.held -= LIMIT_PEER_ANSWER_BYTES;
	store_peer_remove(&w.user.peer);
	executor_fake_run(&w.f.executor);
	assert_int_equal(log->users, users);
	world_done(&w);
}

/* Changes are answered at once; a peer that takes none of its answers gets no more of them. */
static void changes_that_nobody_takes(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	struct store_peer *peer = w.user.peer;
	uint64_t modseq = ask(&w.user,
		(struct frame){ .type = FRAME_VIEW_OPEN, .view_open = { session, inbox, true } })
				  ->view_is.modseq;
	deliver_one(&w.mx, alice, STR("x"));
	struct frame changes = { .type = FRAME_VIEW_CHANGES,
		.view_changes = { session, inbox, modseq } };
	for (int over = -1; over <= 1; over++) {
		uint32_t request = (uint32_t)(2000 + over);
		size_t others = LIMIT_PEER_ANSWER_BYTES + (size_t)over;
		w.user.bulk_room = 0;
		peer->blocked = false;
		peer->reads.held += others;
		tell(&w.user, request, changes);
		if (over > 0)
			assert_failed(reply_at(&w.user, request, 0), ERR_LIMIT);
		else
			assert_true(peer->reads.held >= others + sizeof(struct api_entry));
		peer->reads.held -= others;
		w.user.bulk_room = SIZE_MAX;
		store_peer_room(peer);
		if (over <= 0)
			assert_frame(reply_at(&w.user, request, 0), FRAME_VIEW_CHANGED);
		assert_int_equal(peer->reads.held, 0);
	}
	world_done(&w);
}

/* A list of mailboxes counts as what it may hold until it is read, and then as what it holds. */
static void lists_that_nobody_takes(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint32_t session = open_session(&w.user, account_of(&w.mx, "alice@example.test"));
	struct store_peer *peer = w.user.peer;
	w.user.bulk_room = 0;
	tell(&w.user, 1000,
		(struct frame){ .type = FRAME_MAILBOX_LIST, .mailbox_list.session = session });
	assert_int_equal(peer->reads.held, LIMIT_PEER_ANSWER_BYTES / 8);
	executor_fake_run(&w.f.executor);
	const struct job *job = peer->out;
	assert_non_null(job);
	assert_int_equal(
		peer->reads.held, job->items.cap * sizeof(struct api_mailbox) + job->arena.used);
	assert_true(job->arena.used > 0); /* the names */
	w.user.bulk_room = SIZE_MAX;
	store_peer_room(peer);
	assert_frame(reply_at(&w.user, 1000, 0), FRAME_MAILBOXES);
	assert_int_equal(peer->reads.held, 0);
	world_done(&w);
}

/* What the answers of a peer's changes hold, run or not. */
static size_t held_by_changes(const struct store_peer *peer)
{
	size_t bytes = 0;
	for (const struct job *job = peer->jobs; job; job = job->peer_next) {
		const struct op_result *result = &txn_op(job->txn, 0)->result;
		bytes += result->failed.cap * result->failed.size +
			 result->pairs.cap * result->pairs.size + job->items.cap * job->items.size +
			 job->txn->changes.cap * job->txn->changes.size;
	}
	return bytes;
}

/* Changes whose answers are long and that nobody takes: others wait until there is room. Here all
 * are kept back by UNCHANGEDSINCE, so each names every second message, a range each. */
static void refusals_that_nobody_takes(void **state)
{
	enum { DOUBLINGS = 14, MESSAGES = 1 << DOUBLINGS, STORES = 400 };
	static struct api_range odd[MESSAGES / 2];
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	deliver_one(&w.mx, alice, STR("x"));
	double_mailbox(&w, session, inbox, DOUBLINGS);
	for (uint32_t i = 0; i < ARRAY_LEN(odd); i++)
		odd[i] = (struct api_range){ 2 * i + 1, 2 * i + 1 };
	struct frame uids = { .type = FRAME_UIDS, .uids.ranges = { odd, ARRAY_LEN(odd) } };
	struct frame refused = { .type = FRAME_SET_FLAGS,
		.set_flags = { .session = session, .mailbox = inbox, .mode = 1, .flags = 1 } };
	w.user.bulk_room = 0;
	for (uint32_t i = 0; i < STORES; i++) {
		tell(&w.user, 1000 + i, uids);
		tell(&w.user, 1000 + i, refused);
	}
	executor_fake_run(&w.f.executor);
	assert_true(held_by_changes(w.user.peer) <= LIMIT_PEER_ANSWER_BYTES);
	/* All are answered, whole, when he takes them. */
	w.user.bulk_room = SIZE_MAX;
	while (!store_is_idle(w.f.store)) {
		store_peer_room(w.user.peer);
		executor_fake_run(&w.f.executor);
	}
	for (uint32_t i = 0; i < STORES; i++) {
		const struct frame *first = reply_at(&w.user, 1000 + i, 0);
		assert_frame(first, FRAME_CHANGED);
		size_t n = first->changed.failed.n;
		n += first->changed.last ? 0 : reply_at(&w.user, 1000 + i, 1)->changed.failed.n;
		assert_int_equal(n, ARRAY_LEN(odd));
	}
	world_done(&w);
}

/* One more copy is made when its answer fits beside those that wait, to the byte; reads go on
 * beside it. Who waits goes with its peer. */
static void copies_that_fit(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	deliver_one(&w.mx, alice, STR("x"));
	struct store_peer *peer = w.user.peer;
	struct frame copy = { .type = FRAME_COPY, .copy = { session, inbox, inbox, false } };
	tell_uids(&w.user, 1000, 1, 3);
	tell(&w.user, 1000, copy);
	size_t cost = peer->changes.held;
	assert_true(cost >= 3 * sizeof(struct api_pair));
	executor_fake_run(&w.f.executor);
	assert_int_equal(peer->changes.held, 0);
	for (int over = -1; over <= 1; over++) {
		uint32_t request = (uint32_t)(2000 + over);
		size_t others = LIMIT_PEER_ANSWER_BYTES - cost + (size_t)over;
		peer->changes.held += others;
		tell_uids(&w.user, request, 1, 3);
		tell(&w.user, request, copy);
		executor_fake_run(&w.f.executor);
		assert_int_equal(reply_at(&w.user, request, 0) != NULL, over <= 0);
		mailbox_of(&w.user, session, "INBOX");
		peer->changes.held -= others;
		peer_start_waiting(peer);
		executor_fake_run(&w.f.executor);
		assert_frame(reply_at(&w.user, request, 0), FRAME_COPIED);
		assert_int_equal(peer->changes.held, 0);
	}
	peer->changes.held += LIMIT_PEER_ANSWER_BYTES;
	tell_uids(&w.user, 3000, 1, 3);
	tell(&w.user, 3000, copy);
	assert_non_null(peer->changes.waiting);
	store_peer_remove(&w.user.peer);
	executor_fake_run(&w.f.executor);
	assert_true(store_is_idle(w.f.store));
	world_done(&w);
}

/* What questions hold counts until they are answered: the ranges of a change, the bytes of a
 * digest. */
static void memory_of_questions(void **state)
{
	static struct store_bounds bounds;
	enum { RANGES = 1000 };
	struct world w;
	struct api_range ranges[RANGES];
	char bytes[20000];
	(void)state;
	world_init(&w);
	w.f.random.seam.fill(&w.f.random.seam, bytes, sizeof(bytes));
	bounds = store_bounds_normal;
	w.f.store->settings.bounds = &bounds;
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	deliver_one(&w.mx, alice, str_make(bytes, sizeof(bytes)));
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	struct store_peer *peer = w.user.peer;
	assert_int_equal(peer->asked_bytes, 0);
	for (uint32_t i = 0; i < RANGES; i++)
		ranges[i] = (struct api_range){ 2 * i + 1, 2 * i + 1 };
	struct frame uids = { .type = FRAME_UIDS, .uids.ranges = { ranges, RANGES } };
	struct frame expunge = { .type = FRAME_EXPUNGE, .expunge = { session, inbox, true } };
	struct frame put = { .type = FRAME_DIGEST_PUT,
		.digest_put = { session, inbox, 1, str_make(bytes, sizeof(bytes)) } };
	tell(&w.user, 100, put);
	size_t digest = peer->asked_bytes;
	assert_true(digest >= sizeof(bytes));
	tell(&w.user, 101, uids);
	tell(&w.user, 101, expunge);
	size_t both = peer->asked_bytes;
	assert_true(both >= digest + sizeof(ranges));
	executor_fake_run(&w.f.executor);
	assert_frame(reply_at(&w.user, 100, 0), FRAME_DONE);
	assert_frame(reply_at(&w.user, 101, 0), FRAME_CHANGED);
	assert_int_equal(peer->asked_bytes, 0);
	for (int over = -1; over <= 1; over++) {
		uint32_t request = (uint32_t)(200 + 10 * over);
		bounds.upload_bytes = both - (size_t)over;
		tell(&w.user, request, put);
		tell(&w.user, request + 1, uids);
		tell(&w.user, request + 1, expunge);
		executor_fake_run(&w.f.executor);
		assert_frame(reply_at(&w.user, request, 0), FRAME_DONE);
		if (over > 0)
			assert_failed(reply_at(&w.user, request + 1, 0), ERR_TEMP);
		else
			assert_frame(reply_at(&w.user, request + 1, 0), FRAME_CHANGED);
		assert_int_equal(peer->asked_bytes, 0);
	}
	world_done(&w);
}

/* A restore that was refused for its memory is not at work: another can begin. */
static void a_restore_that_had_no_room(void **state)
{
	struct store_bounds bounds = store_bounds_normal;
	struct world w;
	struct frame begin = { .type = FRAME_RESTORE_BEGIN,
		.restore_begin.address = STR("alice@example.test") };
	(void)state;
	world_init(&w);
	bounds.upload_bytes = 0;
	w.f.store->settings.bounds = &bounds;
	assert_failed(ask(&w.admin, begin), ERR_TEMP);
	bounds.upload_bytes = LIMIT_PEER_UPLOAD_BYTES;
	assert_frame(ask(&w.admin, begin), FRAME_RESTORE_IS);
	world_done(&w);
}

/* message_bytes is for what comes. What a backup has was good once, and comes back whatever may
 * come now. */
static void a_message_that_was_not_too_large_then(void **state)
{
	enum { MOST = 1000 };
	struct world w;
	char bytes[MOST + 1];
	struct str body = str_make(bytes, sizeof(bytes));
	(void)state;
	world_init(&w);
	memset(bytes, 'x', sizeof(bytes));
	w.f.store->settings.message_bytes = MOST;
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	assert_failed(deliver(&w.mx, body, &alice, 1, STR_NONE), ERR_TOO_BIG);
	assert_frame(ask(&w.admin, (struct frame){ .type = FRAME_RESTORE_BEGIN,
					   .restore_begin.address = STR("alice@example.test") }),
		FRAME_RESTORE_IS);
	uint32_t request = ++w.admin.last_request;
	tell(&w.admin, request,
		(struct frame){ .type = FRAME_UPLOAD_OPEN, .upload_open.size = body.n });
	tell(&w.admin, request,
		(struct frame){ .type = FRAME_UPLOAD_BYTES, .upload_bytes.data = body });
	tell(&w.admin, request,
		(struct frame){ .type = FRAME_UPLOAD_RESTORE,
			.upload_restore = { .account = alice, .time = 1000 } });
	tell(&w.admin, request, (struct frame){ .type = FRAME_UPLOAD_COMMIT });
	executor_fake_run(&w.f.executor);
	assert_frame(reply_at(&w.admin, request, 0), FRAME_DELIVERED);
	world_done(&w);
}

/* An upload's bytes are given back when it is answered, not when its commit waits for the writer.
 */
static void memory_of_commits(void **state)
{
	struct world w;
	char bytes[20000];
	(void)state;
	world_init(&w);
	w.f.random.seam.fill(&w.f.random.seam, bytes, sizeof(bytes));
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	for (int whole = 0; whole <= 1; whole++) {
		uint32_t request = (uint32_t)(100 + whole);
		tell(&w.mx, request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
		tell(&w.mx, request,
			(struct frame){ .type = FRAME_UPLOAD_BYTES,
				.upload_bytes.data = str_make(bytes, sizeof(bytes)) });
		if (whole)
			tell(&w.mx, request,
				(struct frame){
					.type = FRAME_UPLOAD_TO, .upload_to.account = alice });
		assert_true(w.mx.peer->upload_bytes >= sizeof(bytes));
		tell(&w.mx, request, (struct frame){ .type = FRAME_UPLOAD_COMMIT });
		if (whole) {
			assert_true(w.mx.peer->upload_bytes >= sizeof(bytes));
			executor_fake_run(&w.f.executor);
			assert_frame(reply_at(&w.mx, request, 0), FRAME_DELIVERED);
		} else {
			assert_failed(reply_at(&w.mx, request, 0), ERR_NOT_NOW);
		}
		assert_int_equal(w.mx.peer->upload_bytes, 0);
	}
	world_done(&w);
}

/* The memory of a peer's uploads, all of them together. */
static void memory_of_uploads(void **state)
{
	static struct store_bounds bounds;
	struct world w;
	char bytes[20000];
	(void)state;
	assert_int_equal(store_bounds_normal.upload_bytes, LIMIT_PEER_UPLOAD_BYTES);
	world_init(&w);
	assert_ptr_equal(w.f.store->settings.bounds, &store_bounds_normal);
	w.f.random.seam.fill(&w.f.random.seam, bytes, sizeof(bytes));
	struct frame more = { .type = FRAME_UPLOAD_BYTES,
		.upload_bytes.data = str_make(bytes, sizeof(bytes)) };
	bounds = store_bounds_normal;
	w.f.store->settings.bounds = &bounds;
	tell(&w.mx, 1, (struct frame){ .type = FRAME_UPLOAD_OPEN });
	tell(&w.mx, 1, more);
	size_t one = w.mx.peer->upload_bytes;
	assert_true(one >= sizeof(bytes));
	for (int over = -1; over <= 1; over++) {
		uint32_t request = (uint32_t)(10 + over);
		bounds.upload_bytes = 2 * one - (size_t)over;
		tell(&w.mx, request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
		tell(&w.mx, request, more);
		if (over > 0)
			assert_failed(reply_at(&w.mx, request, 0), ERR_TEMP);
		else
			assert_null(reply_at(&w.mx, request, 0));
		assert_int_equal(w.mx.peer->upload_bytes, over > 0 ? one : 2 * one);
		tell(&w.mx, request, (struct frame){ .type = FRAME_UPLOAD_ABORT });
		assert_int_equal(w.mx.peer->upload_bytes, one);
	}
	world_done(&w);
}

static void entries_of_a_view(void **state)
{
	static struct store_bounds bounds;
	struct world w;
	(void)state;
	assert_int_equal(store_bounds_normal.view_entries, LIMIT_VIEW_ENTRIES);
	world_init(&w);
	bounds = store_bounds_normal;
	bounds.view_entries = 5;
	w.f.store->settings.bounds = &bounds;
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	for (uint32_t n = 1; n <= bounds.view_entries + 1; n++) {
		deliver_one(&w.mx, alice, STR("x"));
		const struct frame *r = ask(
			&w.user, (struct frame){ .type = FRAME_VIEW_OPEN,
					 .view_open = { session, inbox, false } });
		if (n <= bounds.view_entries)
			assert_int_equal(r->view_is.messages, n);
		else
			assert_failed(r, ERR_LIMIT);
	}
	world_done(&w);
}

static bool (*reader_steps)(void *arg);
static unsigned steps;

static bool count_step(void *arg)
{
	bool something = reader_steps(arg);
	steps += something;
	return something;
}

/* A slice that is full may have another behind it: N - 1 rows are one, N rows and N + 1 are two. In
 * front of them is the look whose mailbox it is. */
static void rows_of_a_slice(void **state)
{
	static struct store_bounds bounds;
	struct world w;
	(void)state;
	assert_int_equal(store_bounds_normal.slice_rows, LIMIT_VIEW_SLICE_ROWS);
	world_init(&w);
	bounds = store_bounds_normal;
	bounds.slice_rows = 5;
	bounds.bases_bytes = 0; /* each view is read */
	w.f.store->settings.bounds = &bounds;
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	struct worker *reader = w.f.executor.workers->next; /* the writer comes first */
	reader_steps = reader->spec.step;
	for (uint32_t n = 1; n <= 2 * bounds.slice_rows + 1; n++) {
		deliver_one(&w.mx, alice, STR("x"));
		reader->spec.step = count_step;
		steps = 0;
		const struct frame *r = ask(
			&w.user, (struct frame){ .type = FRAME_VIEW_OPEN,
					 .view_open = { session, inbox, false } });
		assert_int_equal(r->view_is.messages, n);
		assert_int_equal(steps, 1 + n / bounds.slice_rows + 1);
		reader->spec.step = reader_steps;
	}
	world_done(&w);
}

static void count_rest(void *arg)
{
	(void)arg;
	steps++;
}

/* A large view goes in portions, so that the loop's other clients have their turn. */
static void portions_of_a_large_view(void **state)
{
	enum { DOUBLINGS = 15, MESSAGES = (1 << DOUBLINGS) + 1 };
	struct store_bounds bounds = store_bounds_normal;
	struct world w;
	(void)state;
	world_init(&w);
	bounds.bases_bytes = 0; /* what was sent is given back at once */
	w.f.store->settings.bounds = &bounds;
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	deliver_one(&w.mx, alice, STR("x"));
	double_mailbox(&w, session, inbox, DOUBLINGS);
	deliver_one(&w.mx, alice, STR("x"));
	w.user.peer->replies.rest = count_rest;
	steps = 0;
	uint32_t request = ++w.user.last_request;
	tell(&w.user, request,
		(struct frame){ .type = FRAME_VIEW_OPEN, .view_open = { session, inbox, false } });
	executor_fake_run(&w.f.executor);
	const struct frame *f = reply_at(&w.user, request, 0);
	assert_frame(f, FRAME_VIEW_IS);
	assert_int_equal(f->view_is.messages, MESSAGES);
	size_t seen = 0, entries = 0;
	for (bool last = false; !last; store_peer_rested(w.user.peer)) {
		size_t before = seen;
		store_peer_room(w.user.peer); /* is no reason to go on before */
		while (!last && (f = reply_at(&w.user, request, 1 + seen)) != NULL) {
			assert_frame(f, FRAME_VIEW_ENTRIES);
			entries += f->view_entries.entries.n;
			last = f->view_entries.last;
			seen++;
		}
		assert_true(last || seen - before == 2);
		assert_int_equal(steps, seen / 2);
	}
	assert_int_equal(entries, MESSAGES);
	assert_false(store_is_idle(w.f.store)); /* a reader gives its memory back */
	executor_fake_run(&w.f.executor);
	assert_true(store_is_idle(w.f.store));
	world_done(&w);
}

/* How many the list of what alice deleted names, and whether it says that it was cut. */
static size_t deleted_listed(struct world *w, bool *ret_cut)
{
	size_t n = 0;
	*ret_cut = false;
	forget_replies(&w->admin);
	ask(&w->admin, (struct frame){ .type = FRAME_DELETED_LIST,
			       .deleted_list.address = STR("alice@example.test") });
	for (size_t i = 0; i < w->admin.replies.n; i++) {
		const struct reply *r = vec_at(&w->admin.replies, i);
		assert_frame(&r->frame, FRAME_DELETED_ARE);
		n += r->frame.deleted_are.deleted.n;
		*ret_cut = *ret_cut || r->frame.deleted_are.cut;
	}
	return n;
}

static void deleted_messages_of_a_list(void **state)
{
	enum { MOST = LIMIT_DELETED_LIST, DOUBLED = 1 << 14 };
	struct world w;
	bool cut;
	(void)state;
	world_init(&w);
	w.f.store->settings.keep_deleted_ms = 1000000;
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	deliver_one(&w.mx, alice, STR("x"));
	double_mailbox(&w, session, inbox, 14);
	assert_frame(ask_about(&w.user, 1, MOST + 1 - DOUBLED,
			     (struct frame){ .type = FRAME_COPY,
				     .copy = { session, inbox, inbox, false } }),
		FRAME_COPIED);
	uint32_t first = 1;
	for (uint32_t n = MOST - 1; n <= MOST + 1; n++) {
		ask_about(&w.user, first, n,
			(struct frame){
				.type = FRAME_EXPUNGE, .expunge = { session, inbox, false } });
		first = n + 1;
		assert_int_equal(deleted_listed(&w, &cut), n <= MOST ? n : MOST);
		assert_int_equal(cut, n > MOST);
	}
	world_done(&w);
}

TEST_MAIN(test_case(recipients_that_are_known), test_case(deleted_messages_of_a_list),
	test_case(changes_that_nobody_takes), test_case(lists_that_nobody_takes),
	test_case(refusals_that_nobody_takes), test_case(copies_that_fit),
	test_case(memory_of_questions), test_case(a_restore_that_had_no_room),
	test_case(a_message_that_was_not_too_large_then), test_case(memory_of_commits),
	test_case(memory_of_uploads), test_case(entries_of_a_view), test_case(rows_of_a_slice),
	test_case(portions_of_a_large_view), test_case(questions_at_once),
	test_case(uploads_at_once), test_case(recipients_of_one_message),
	test_case(sessions_of_one_front), test_case(watches_of_one_front),
	test_case(transactions_of_one_flush), test_case(answers_that_wait),
	test_case(answers_that_fit), test_case(who_waits_goes_with_its_peer))
