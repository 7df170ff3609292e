// SPDX-License-Identifier: Apache-2.0
/* Views that are kept, and what was committed or read and is not published: nobody hears of it too
 * early, and nothing is kept over it. And whatever is done, in any order. */
#include "store/bases_scene.h"

/* What the workers have done of what was asked, before the loop hears of it: one job. */
static struct job *held_back(struct scene *s)
{
	struct worker *writer = s->w.f.executor.workers;
	while (writer->awake)
		writer->awake = writer->spec.step(writer->spec.arg);
	readers_alone(s);
	for (struct worker *w = writer; w; w = w->next)
		w->notified = false;
	struct job *job = job_queue_take(&s->w.f.store->finished, 2);
	assert_non_null(job);
	assert_null(job->next);
	return job;
}

static void goes_on(struct scene *s, struct job *job)
{
	struct worker *writer = s->w.f.executor.workers;
	job_queue_put(&s->w.f.store->finished, job);
	writer->spec.done(writer->spec.arg);
	executor_fake_run(&s->w.f.executor);
}

/* In the ledger, and not published. */
static struct job *committed(struct scene *s, uint32_t uid, struct frame change)
{
	uint32_t request = ++s->w.user.last_request;
	tell_uids(&s->w.user, request, uid, uid);
	tell(&s->w.user, request, change);
	return held_back(s);
}

static struct frame copy_of(const struct scene *s)
{
	return (struct frame){ .type = FRAME_COPY, .copy = { s->session, s->inbox, s->inbox } };
}

/* Who hears of changes is told the UIDNEXT that goes with them, whatever somebody else has seen. */
static void uidnext_is_not_ahead(void **state)
{
	struct scene s;
	(void)state;
	init(&s);
	struct frame open = view_open(&s, s.inbox), other = open;
	open.view_open.watch = open.view_open.bare = true;
	other.view_open.session = open_session(&s.w.user, s.alice);
	deliver_one(&s.w.mx, s.alice, STR("x"));
	struct frame changes = { .type = FRAME_VIEW_CHANGES,
		.view_changes = { s.session, s.inbox, ask(&s.w.user, open)->view_is.modseq } };
	assert_int_equal(ask(&s.w.user, changes)->view_changed.uidnext, 2);
	deliver_one(&s.w.mx, s.alice, STR("x"));
	bases_drop(s.w.f.store);
	struct job *copied = committed(&s, 1, copy_of(&s));
	for (int kept = 0; kept < 2; kept++) {
		const struct frame *is = ask(&s.w.user, other);
		assert_int_equal(is->view_is.uidnext, 4);
		assert_int_equal(is->view_is.messages, 3);
		const struct frame *changed = ask(&s.w.user, changes);
		assert_int_equal(changed->view_changed.entries.n, 1);
		assert_int_equal(changed->view_changed.uidnext, 3);
	}
	changes.view_changes.since = ask(&s.w.user, changes)->view_changed.modseq;
	goes_on(&s, copied);
	const struct frame *changed = ask(&s.w.user, changes);
	assert_int_equal(changed->view_changed.entries.n, 1);
	assert_int_equal(changed->view_changed.uidnext, 4);
	free(view_text(&s, s.sent));
	assert_current(&s, "a copy that was seen early");
	world_done(&s.w);
}

/* Who has seen what is not published yet is told all that went up to there. */
static void vanished_is_not_behind_what_was_said(void **state)
{
	struct scene s;
	(void)state;
	init(&s);
	struct frame open = view_open(&s, s.inbox), other = open;
	open.view_open.watch = open.view_open.bare = true;
	other.view_open.session = open_session(&s.w.user, s.alice);
	other.view_open.watch = true;
	for (int i = 0; i < 3; i++)
		deliver_one(&s.w.mx, s.alice, STR("x"));
	struct frame vanished = { .type = FRAME_VIEW_VANISHED,
		.view_vanished = { s.session, s.inbox, ask(&s.w.user, open)->view_is.modseq } };
	ask_about(&s.w.user, 1, 1,
		(struct frame){ .type = FRAME_EXPUNGE, .expunge = { s.session, s.inbox } });
	bases_drop(s.w.f.store);
	struct job *expunged = committed(
		&s, 2, (struct frame){ .type = FRAME_EXPUNGE, .expunge = { s.session, s.inbox } });
	assert_int_equal(ask(&s.w.user, other)->view_is.messages, 1);
	const struct frame *is = ask(&s.w.user, vanished);
	assert_int_equal(is->vanished.uids.n, 1);
	assert_int_equal(is->vanished.uids.items[0].low, 1);
	assert_int_equal(is->vanished.uids.items[0].high, 2);
	goes_on(&s, expunged);
	is = ask(&s.w.user, vanished);
	assert_int_equal(is->vanished.uids.items[0].high, 2);
	world_done(&s.w);
}

/* Whoever was told numbers gets no older entries to them: also where an older view is kept. */
static void nothing_opens_behind_what_was_said(void **state)
{
	struct scene s;
	(void)state;
	init(&s);
	deliver_one(&s.w.mx, s.alice, STR("x"));
	bases_drop(s.w.f.store);
	struct frame bare = view_open(&s, s.inbox);
	bare.view_open.watch = bare.view_open.bare = true;
	tell(&s.w.user, ++s.w.user.last_request, view_open(&s, s.inbox));
	struct job *older = held_back(&s), *copied = committed(&s, 1, copy_of(&s));
	uint32_t request = ++s.w.user.last_request;
	tell(&s.w.user, request, bare);
	struct job *newer = held_back(&s);
	goes_on(&s, older);
	assert_true(is_kept(&s, s.inbox));
	goes_on(&s, newer);
	assert_int_equal(reply_at(&s.w.user, request, 0)->view_is.messages, 2);
	assert_int_equal(reply_at(&s.w.user, request, 0)->view_is.uidnext, 3);
	const struct frame *is = ask(&s.w.user, view_open(&s, s.inbox));
	assert_int_equal(is->view_is.messages, 2);
	assert_int_equal(is->view_is.uidnext, 3);
	goes_on(&s, copied);
	free(view_text(&s, s.sent));
	assert_current(&s, "a copy that was seen early");
	world_done(&s.w);
}

/* What is published after it was read is passed by: it may be older than what was read. */
static void published_after_it_was_read(void **state)
{
	enum { FLAGS_TOLD, FLAGS_OF_MANY, GOES, CASES };
	struct scene s;
	(void)state;
	for (int i = 0; i < 2 * CASES; i++) {
		bool numbers = i >= CASES, goes = i % CASES == GOES;
		init(&s);
		deliver_one(&s.w.mx, s.alice, STR("x"));
		s.bounds.flags_told = i % CASES == FLAGS_OF_MANY ? 0 : LIMIT_FLAGS_TOLD;
		struct frame set = { .type = FRAME_SET_FLAGS,
			.set_flags = { .session = s.session,
				.mailbox = s.inbox,
				.mode = FLAGS_REPLACE,
				.flags = FLAG_FLAGGED,
				.unchanged_since = UINT64_MAX } };
		struct frame expunge = { .type = FRAME_EXPUNGE, .expunge = { s.session, s.inbox } };
		struct frame open = view_open(&s, s.inbox);
		open.view_open.bare = numbers;
		bases_drop(s.w.f.store);
		struct job *first = committed(&s, 1, goes ? copy_of(&s) : set);
		set.set_flags.flags = FLAG_DRAFT;
		struct job *second = committed(&s, goes ? 2 : 1, goes ? expunge : set);
		free(view_text(&s, s.sent));
		uint64_t modseq = ask(&s.w.user, open)->view_is.modseq;
		goes_on(&s, first);
		if (numbers) {
			assert_true(is_kept(&s, s.inbox));
			steps = 0;
			const struct frame *is = ask(&s.w.user, open);
			assert_int_equal(steps, 0);
			assert_int_equal(is->view_is.modseq, modseq);
			assert_int_equal(is->view_is.uidnext, goes ? 3 : 2);
		} else {
			assert_current(&s, "the older change");
		}
		goes_on(&s, second);
		if (numbers)
			free(view_text(&s, s.inbox));
		assert_current(&s, "both changes");
		world_done(&s.w);
	}
}

/* ---- what no log has ---- */

static uint32_t import_into(struct scene *s, const char *name, uint32_t uidvalidity)
{
	const struct frame *r = ask(
		&s->w.admin, (struct frame){ .type = FRAME_RESTORE_MAILBOX,
				     .restore_mailbox = { s->alice, str_from(name),
					     .uidvalidity = uidvalidity } });
	assert_frame(r, FRAME_RESTORE_MAILBOX_IS);
	return r->restore_mailbox_is.uidvalidity;
}

/* An import gives an empty mailbox the UIDVALIDITY that it had elsewhere: also one that is kept,
 * and one that was read and is not answered yet. */
static void an_import_changes_uidvalidity(void **state)
{
	static const char *const names[] = { "Sent", "Drafts" };
	struct scene s;
	(void)state;
	init(&s);
	assert_frame(ask(&s.w.admin, (struct frame){ .type = FRAME_RESTORE_BEGIN,
					     .restore_begin.address = STR("alice@example.test") }),
		FRAME_RESTORE_IS);
	for (uint32_t under_way = 0; under_way < 2; under_way++) {
		uint64_t mailbox = mailbox_of(&s.w.user, s.session, names[under_way]);
		if (under_way) {
			tell(&s.w.user, ++s.w.user.last_request, view_open(&s, mailbox));
			readers_alone(&s);
		} else {
			free(view_text(&s, mailbox));
		}
		uint32_t is = import_into(&s, names[under_way], 1234 + under_way);
		assert_int_equal(is, 1234 + under_way);
		for (int i = 0; i < 2; i++)
			assert_int_equal(
				ask(&s.w.user, view_open(&s, mailbox))->view_is.uidvalidity, is);
	}
	world_done(&s.w);
}

/* A repair works on the rows, and a recount makes counters anew: nothing is kept over them. */
static void nothing_is_kept_over_a_repair(void **state)
{
	struct scene s;
	(void)state;
	init(&s);
	free(view_text(&s, s.inbox));
	assert_non_null(s.w.f.store->newest);
	struct txn *mend = txn_new();
	txn_add(mend, OP_MEND);
	publish(s.w.f.store, mend);
	txn_free(&mend);
	assert_null(s.w.f.store->newest);
	free(view_text(&s, s.inbox));
	peer_done(&s.w.mx);
	peer_done(&s.w.user);
	assert_non_null(s.w.f.store->newest);
	assert_frame(
		ask(&s.w.admin, (struct frame){ .type = FRAME_STORE_REPAIR }), FRAME_REPAIR_DONE);
	assert_null(s.w.f.store->newest);
	peer_done(&s.w.admin);
	fixture_done(&s.w.f);
}

/* ---- at random ---- */

static uint32_t chance(struct scene *s, uint32_t n)
{
	uint32_t x;
	s->w.f.seams.random->fill(s->w.f.seams.random, &x, sizeof(x));
	return x % n;
}

static void watch(struct scene *s, bool on)
{
	struct frame open = view_open(s, s->inbox);
	open.view_open.watch = true;
	if (on)
		ask(&s->w.user, open);
	else
		tell(&s->w.user, ++s->w.user.last_request,
			(struct frame){
				.type = FRAME_VIEW_CLOSE, .view_close = { s->session, s->inbox } });
	executor_fake_run(&s->w.f.executor);
}

static void rename_sent(struct scene *s, const char *from, const char *to)
{
	assert_frame(ask(&s->w.user, (struct frame){ .type = FRAME_MAILBOX_RENAME,
					     .mailbox_rename = { s->session, str_from(from),
						     str_from(to) } }),
		FRAME_DONE);
	assert_int_equal(ask(&s->w.user, (struct frame){ .type = FRAME_VIEW_OPEN,
						 .view_open = { .session = s->session,
							 .name = str_from(to) } })
				 ->view_is.mailbox,
		s->sent);
}

static void something(struct scene *s)
{
	static const uint8_t modes[] = { FLAGS_ADD, FLAGS_REMOVE, FLAGS_REPLACE };
	static const char *const keywords[] = { "", "$One", "$Two" };
	uint32_t low = 1 + chance(s, 60), high = low + chance(s, 20);
	bool back = chance(s, 2);
	switch (chance(s, 9)) {
	case 0:
	case 1:
		for (uint32_t n = 1 + chance(s, 5); n > 0; n--)
			deliver_one(&s->w.mx, s->alice, STR("x"));
		break;
	case 2:
	case 3:
		flag(s, low, high, modes[chance(s, 3)], (uint8_t)chance(s, FLAGS_ALL + 1),
			keywords[chance(s, 3)]);
		break;
	case 4:
		copy(s, back ? s->sent : s->inbox, back ? s->inbox : s->sent, low, high,
			chance(s, 2));
		break;
	case 5:
		ask_about(&s->w.user, low, high,
			(struct frame){ .type = FRAME_EXPUNGE,
				.expunge = {
					s->session, back ? s->sent : s->inbox, chance(s, 2) } });
		break;
	case 6:
		watch(s, back);
		break;
	case 7:
		rename_sent(s, "Sent", "Elsewhere");
		rename_sent(s, "Elsewhere", "Sent");
		break;
	default:
		assert_frame(ask(&s->w.admin, (struct frame){ .type = FRAME_UNDELETE,
						      .undelete = { STR("alice@example.test") } }),
			FRAME_UNDELETED);
	}
}

/* Views that were read before a change, and are answered after it, do not bring back what was. */
static void whatever_is_done(void **state)
{
	struct scene s;
	(void)state;
	init(&s);
	s.w.f.store->settings.keep_deleted_ms = 1000000;
	for (int i = 0; i < 400; i++) {
		if (chance(&s, 3) == 0) {
			bases_drop(s.w.f.store);
			tell(&s.w.user, ++s.w.user.last_request, view_open(&s, s.inbox));
			tell(&s.w.user, ++s.w.user.last_request, view_open(&s, s.sent));
			if (chance(&s, 2))
				readers_alone(&s);
		}
		s.bounds.flags_told = chance(&s, 2) ? LIMIT_FLAGS_TOLD : chance(&s, 6);
		something(&s);
		executor_fake_run(&s.w.f.executor);
		free(view_text(&s, s.inbox));
		free(view_text(&s, s.sent));
		assert_current(&s, "something");
	}
	world_done(&s.w);
}

TEST_MAIN(test_case(uidnext_is_not_ahead), test_case(vanished_is_not_behind_what_was_said),
	test_case(nothing_opens_behind_what_was_said), test_case(published_after_it_was_read),
	test_case(an_import_changes_uidvalidity), test_case(nothing_is_kept_over_a_repair),
	test_case(whatever_is_done))
