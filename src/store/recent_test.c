// SPDX-License-Identifier: Apache-2.0
/* Which messages no session was told of: who is told takes them, who only looks does not; the
 * ledger has it before long, and when the store is closed; STATUS counts them. RFC 3501 2.3.2 */
#include "store/store_private.h"
#include "store/store_test.h"

struct scene {
	struct world w;
	uint64_t alice, inbox, modseq;
	uint32_t session;
};

static void find(struct scene *s)
{
	s->alice = account_of(&s->w.mx, "alice@example.test");
	s->session = open_session(&s->w.user, s->alice);
	s->inbox = mailbox_of(&s->w.user, s->session, "INBOX");
}

static void init(struct scene *s, int messages)
{
	world_init(&s->w);
	find(s);
	for (int i = 0; i < messages; i++)
		deliver_one(&s->w.mx, s->alice, STR("x"));
}

static void restart(struct scene *s)
{
	world_restart(&s->w);
	find(s);
}

static void look(struct scene *s, bool bare, bool take, uint32_t uid, uint32_t n, int line)
{
	const struct frame *is = ask(&s->w.user, (struct frame){ .type = FRAME_VIEW_OPEN,
							 .view_open = { .session = s->session,
								 .mailbox = s->inbox,
								 .watch = true,
								 .bare = bare,
								 .recent = true,
								 .take = take } });
	if (is->type != FRAME_VIEW_IS || is->view_is.recent_uid != uid || is->view_is.recent != n)
		fail_msg("line %d: %u from %u", line, is->view_is.recent, is->view_is.recent_uid);
	s->modseq = is->view_is.modseq;
}
#define assert_looks(s, bare, uid, n) look((s), (bare), false, (uid), (n), __LINE__)
#define assert_takes(s, bare, uid, n) look((s), (bare), true, (uid), (n), __LINE__)

static uint32_t changes(struct scene *s, bool take)
{
	const struct frame *f = ask(&s->w.user,
		(struct frame){ .type = FRAME_VIEW_CHANGES,
			.view_changes = { s->session, s->inbox, s->modseq, true, take } });
	assert_frame(f, FRAME_VIEW_CHANGED);
	s->modseq = f->view_changed.modseq;
	return f->view_changed.recent_uid;
}

/* By STATUS, which is by the list too. */
static uint32_t counted(struct scene *s)
{
	const struct frame *f = ask(
		&s->w.user, (struct frame){ .type = FRAME_MAILBOX_STATUS,
				    .mailbox_status = { s->session, STR("INBOX"), true } });
	assert_frame(f, FRAME_MAILBOXES);
	assert_int_equal(f->mailboxes.recents.n, 1);
	uint32_t n = f->mailboxes.recents.items[0];
	f = ask(&s->w.user,
		(struct frame){ .type = FRAME_MAILBOX_LIST, .mailbox_list = { s->session, true } });
	assert_int_equal(f->mailboxes.recents.n, f->mailboxes.mailboxes.n);
	for (size_t i = 0; i < f->mailboxes.recents.n; i++)
		assert_int_equal(f->mailboxes.recents.items[i],
			f->mailboxes.mailboxes.items[i].id == s->inbox ? n : 0);
	return n;
}

static void who_is_told_takes_them(void **state)
{
	(void)state;
	for (int bare = 0; bare < 2; bare++) {
		struct scene s;
		init(&s, 3);
		assert_int_equal(counted(&s), 3);
		assert_looks(&s, bare, 1, 3);
		assert_int_equal(counted(&s), 3);
		assert_takes(&s, bare, 1, 3);
		assert_int_equal(counted(&s), 0);
		assert_takes(&s, bare, 4, 0);
		assert_looks(&s, bare, 4, 0);
		deliver_one(&s.w.mx, s.alice, STR("y"));
		deliver_one(&s.w.mx, s.alice, STR("y"));
		assert_int_equal(counted(&s), 2);
		assert_looks(&s, bare, 4, 2);
		bases_drop(s.w.f.store);
		assert_looks(&s, bare, 4, 2);
		ask_about(&s.w.user, 4, 4,
			(struct frame){
				.type = FRAME_EXPUNGE, .expunge = { s.session, s.inbox, false } });
		assert_int_equal(counted(&s), 1);
		assert_takes(&s, bare, 4, 1);
		assert_int_equal(counted(&s), 0);
		world_done(&s.w);
	}
}

static void news_take_them_too(void **state)
{
	struct scene s;
	(void)state;
	init(&s, 1);
	assert_takes(&s, true, 1, 1);
	deliver_one(&s.w.mx, s.alice, STR("y"));
	assert_int_equal(changes(&s, false), 2);
	assert_int_equal(changes(&s, true), 2);
	assert_int_equal(changes(&s, true), 3);
	assert_int_equal(counted(&s), 0);
	deliver_one(&s.w.mx, s.alice, STR("y"));
	assert_int_equal(changes(&s, true), 3);
	assert_int_equal(changes(&s, false), 4);
	world_done(&s.w);
}

/* Copies are recent where they are now. RFC 3501 6.4.7 */
static void copies_are(void **state)
{
	struct scene s;
	(void)state;
	init(&s, 2);
	assert_takes(&s, true, 1, 2);
	ask_about(&s.w.user, 1, 2,
		(struct frame){
			.type = FRAME_COPY, .copy = { s.session, s.inbox, s.inbox, false } });
	assert_int_equal(counted(&s), 2);
	assert_takes(&s, true, 3, 2);
	world_done(&s.w);
}

static void upkeep(struct scene *s)
{
	s->w.f.clock.monotonic_ms += 20000;
	store_upkeep(s->w.f.store);
	executor_fake_run(&s->w.f.executor);
}

/* No SELECT waits for a flush, and there is none for who takes nothing. */
static void written_before_long(void **state)
{
	struct scene s;
	(void)state;
	init(&s, 3);
	uint64_t commits = s.w.f.store->commits;
	assert_takes(&s, true, 1, 3);
	assert_true(s.w.f.store->recents != NULL);
	assert_int_equal(s.w.f.store->commits, commits);
	upkeep(&s);
	assert_int_equal(s.w.f.store->commits, commits + 1);
	assert_null(s.w.f.store->recents);
	assert_takes(&s, true, 4, 0);
	upkeep(&s);
	assert_int_equal(s.w.f.store->commits, commits + 1);
	/* With nobody who knows it left, the ledger says so. */
	tell(&s.w.user, 0,
		(struct frame){ .type = FRAME_VIEW_CLOSE, .view_close = { s.session, s.inbox } });
	bases_drop(s.w.f.store);
	assert_null(map_get_u64(&s.w.f.store->logs, s.inbox));
	assert_looks(&s, true, 4, 0);
	world_done(&s.w);
}

static void a_closed_store_has_it(void **state)
{
	struct scene s;
	(void)state;
	init(&s, 3);
	assert_takes(&s, true, 1, 3);
	tell(&s.w.user, 0,
		(struct frame){ .type = FRAME_VIEW_CLOSE, .view_close = { s.session, s.inbox } });
	bases_drop(s.w.f.store);
	assert_looks(&s, true, 4, 0); /* the log is there until it is written */
	restart(&s);
	assert_null(s.w.f.store->recents);
	assert_looks(&s, true, 4, 0);
	assert_int_equal(counted(&s), 0);
	world_done(&s.w);
}

/* What rises while it is written is written again. */
static void risen_meanwhile(void **state)
{
	struct scene s;
	(void)state;
	init(&s, 1);
	assert_takes(&s, true, 1, 1);
	s.w.f.clock.monotonic_ms += 20000;
	store_upkeep(s.w.f.store); /* queued, not run */
	struct mailbox_log *log = map_get_u64(&s.w.f.store->logs, s.inbox);
	recent_take(s.w.f.store, log, 9);
	executor_fake_run(&s.w.f.executor);
	assert_ptr_equal(s.w.f.store->recents, log);
	upkeep(&s);
	assert_null(s.w.f.store->recents);
	world_done(&s.w);
}

static void a_mailbox_that_is_gone(void **state)
{
	struct scene s;
	(void)state;
	init(&s, 1);
	ask(&s.w.user, (struct frame){ .type = FRAME_MAILBOX_CREATE,
			       .mailbox_create = { s.session, STR("Work"), 0 } });
	uint64_t inbox = s.inbox;
	s.inbox = mailbox_of(&s.w.user, s.session, "Work");
	ask_about(&s.w.user, 1, 1,
		(struct frame){ .type = FRAME_COPY, .copy = { s.session, inbox, s.inbox, false } });
	assert_takes(&s, true, 1, 1);
	ask(&s.w.user, (struct frame){ .type = FRAME_MAILBOX_DELETE,
			       .mailbox_delete = { s.session, STR("Work") } });
	upkeep(&s);
	assert_null(s.w.f.store->recents);
	assert_null(map_get_u64(&s.w.f.store->logs, s.inbox));
	world_done(&s.w);
}

enum { MANY = 300 };

static void find_one(struct scene *s, int i)
{
	char name[16];
	snprintf(name, sizeof(name), "m%d", i);
	s->inbox = mailbox_of(&s->w.user, s->session, name);
}

static void init_many(struct scene *s)
{
	init(s, 1);
	uint64_t inbox = s->inbox;
	for (int i = 0; i < MANY; i++) {
		char name[16];
		snprintf(name, sizeof(name), "m%d", i);
		ask(&s->w.user, (struct frame){ .type = FRAME_MAILBOX_CREATE,
					.mailbox_create = { s->session, str_from(name), 0 } });
		find_one(s, i);
		ask_about(&s->w.user, 1, 1,
			(struct frame){ .type = FRAME_COPY,
				.copy = { s->session, inbox, s->inbox, false } });
		assert_takes(s, true, 1, 1);
	}
}

static uint32_t counted_in_all(struct scene *s)
{
	uint32_t n = 0;
	ask(&s->w.user,
		(struct frame){ .type = FRAME_MAILBOX_LIST, .mailbox_list = { s->session, true } });
	for (size_t at = 0;; at++) {
		const struct frame *f = reply_at(&s->w.user, s->w.user.last_request, at);
		for (size_t i = 0; i < f->mailboxes.recents.n; i++)
			n += f->mailboxes.recents.items[i];
		if (f->mailboxes.last)
			return n;
	}
}

/* Many mailboxes take several transactions, one after another. */
static void many_mailboxes(void **state)
{
	struct scene s;
	(void)state;
	init_many(&s);
	uint64_t commits = s.w.f.store->commits;
	assert_int_equal(counted_in_all(&s), 1); /* INBOX has one */
	upkeep(&s);
	assert_null(s.w.f.store->recents);
	assert_int_equal(s.w.f.store->commits, commits + 2);
	assert_int_equal(counted_in_all(&s), 1);
	world_done(&s.w);
}

static void many_mailboxes_of_a_store_that_is_closed(void **state)
{
	struct scene s;
	(void)state;
	init_many(&s);
	restart(&s);
	for (int i = 0; i < MANY; i++) {
		find_one(&s, i);
		assert_looks(&s, true, 2, 0);
	}
	world_done(&s.w);
}

/* Fronts of before an upgrade don't know what they did not ask for: ARCHITECTURE.md, "Upgrade". */
static void who_did_not_ask(void **state)
{
	struct scene s;
	(void)state;
	init(&s, 1);
	for (int bare = 0; bare < 2; bare++) {
		const struct frame *f = ask(
			&s.w.user, (struct frame){ .type = FRAME_VIEW_OPEN,
					   .view_open = { s.session, s.inbox, true, bare } });
		assert_int_equal(f->view_is.messages, 1);
		assert_int_equal(f->view_is.recent_uid, 0);
		assert_int_equal(f->view_is.recent, 0);
		f = ask(&s.w.user,
			(struct frame){ .type = FRAME_VIEW_CHANGES,
				.view_changes = { s.session, s.inbox, f->view_is.modseq } });
		assert_frame(f, FRAME_VIEW_CHANGED);
		assert_int_equal(f->view_changed.recent_uid, 0);
	}
	const struct frame *f = ask(
		&s.w.user, (struct frame){ .type = FRAME_MAILBOX_STATUS,
				   .mailbox_status = { s.session, STR("INBOX") } });
	assert_int_equal(f->mailboxes.mailboxes.n, 1);
	assert_int_equal(f->mailboxes.recents.n, 0);
	f = ask(&s.w.user,
		(struct frame){ .type = FRAME_MAILBOX_LIST, .mailbox_list = { s.session } });
	assert_true(f->mailboxes.mailboxes.n > 1);
	assert_int_equal(f->mailboxes.recents.n, 0);
	assert_int_equal(counted(&s), 1);
	world_done(&s.w);
}

/* One that is too large to be kept is not read to its end. */
static void a_large_mailbox(void **state)
{
	struct scene s;
	struct store_bounds bounds = store_bounds_normal;
	(void)state;
	init(&s, 9);
	bounds.bases_bytes = 1;
	bounds.slice_rows = 2;
	s.w.f.store->settings.bounds = &bounds;
	for (int unseen = 0; unseen < 2; unseen++) {
		const struct frame *is = ask(&s.w.user, (struct frame){ .type = FRAME_VIEW_OPEN,
								.view_open = { .session = s.session,
									.mailbox = s.inbox,
									.bare = true,
									.unseen = unseen,
									.recent = true } });
		assert_int_equal(is->view_is.messages, 9);
		assert_int_equal(is->view_is.recent, 9);
		assert_int_equal(is->view_is.unseen, unseen);
	}
	assert_takes(&s, true, 1, 9);
	deliver_one(&s.w.mx, s.alice, STR("y"));
	assert_takes(&s, true, 10, 1);
	assert_takes(&s, true, 11, 0);
	world_done(&s.w);
}

/* A store that can't write answers from memory. */
static void read_only(void **state)
{
	struct scene s;
	(void)state;
	init(&s, 1);
	s.w.f.store->read_only = true;
	assert_takes(&s, true, 1, 1);
	assert_looks(&s, true, 2, 0);
	assert_null(s.w.f.store->recents);
	world_done(&s.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_told_takes_them),
		cmocka_unit_test(news_take_them_too),
		cmocka_unit_test(copies_are),
		cmocka_unit_test(written_before_long),
		cmocka_unit_test(a_closed_store_has_it),
		cmocka_unit_test(risen_meanwhile),
		cmocka_unit_test(a_mailbox_that_is_gone),
		cmocka_unit_test(many_mailboxes),
		cmocka_unit_test(many_mailboxes_of_a_store_that_is_closed),
		cmocka_unit_test(who_did_not_ask),
		cmocka_unit_test(a_large_mailbox),
		cmocka_unit_test(read_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
