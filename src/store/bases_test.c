// SPDX-License-Identifier: Apache-2.0
/* Views that are kept: what they answer is what the ledger says, after whatever was done; what is
 * kept ends at its limits; answers under way keep their view. */
#include "store/bases_scene.h"

static void kept_is_what_the_ledger_says(void **state)
{
	struct scene s;
	struct str name = STR("/private/comment");
	(void)state;
	init(&s);
	for (int i = 0; i < 8; i++)
		deliver_one(&s.w.mx, s.alice, STR("x"));
	free(view_text(&s, s.inbox));
	free(view_text(&s, s.sent));
	assert_current(&s, "nothing");
	deliver_one(&s.w.mx, s.alice, STR("y"));
	assert_current(&s, "a delivery");
	flag(&s, 2, 3, FLAGS_ADD, FLAG_SEEN, "$Work");
	assert_current(&s, "flags");
	flag(&s, 1, 6, FLAGS_ADD, FLAG_SEEN, "");
	assert_current(&s, "flags of others");
	flag(&s, 1, 2, FLAGS_REMOVE, FLAG_SEEN, "$Work");
	assert_current(&s, "fewer flags");
	flag(&s, 1, 9, FLAGS_REPLACE, FLAG_DELETED, "$Other");
	assert_current(&s, "other flags");
	s.bounds.flags_told = 3;
	flag(&s, 2, 6, FLAGS_ADD, FLAG_SEEN, "$Work");
	assert_current(&s, "flags of many");
	flag(&s, 1, 9, FLAGS_REPLACE, FLAG_DELETED, "$Other");
	assert_current(&s, "other flags of many");
	copy(&s, s.inbox, s.sent, 2, 5, false);
	assert_current(&s, "a copy");
	copy(&s, s.inbox, s.sent, 4, 4, true);
	assert_current(&s, "a move");
	copy(&s, s.sent, s.inbox, 1, 2, true);
	assert_current(&s, "a move back");
	ask_about(&s.w.user, 1, 3,
		(struct frame){ .type = FRAME_EXPUNGE, .expunge = { s.session, s.inbox, true } });
	assert_current(&s, "an expunge");
	struct api_annotation a = { .name = name, .value = STR("v") };
	ask(&s.w.user, (struct frame){ .type = FRAME_METADATA_SET,
			       .metadata_set = { s.session, s.inbox, { &a, 1 } } });
	assert_current(&s, "an annotation");
	for (int i = 0; i < 30; i++)
		deliver_one(&s.w.mx, s.alice, STR("z"));
	ask_about(&s.w.user, 9, 20,
		(struct frame){ .type = FRAME_EXPUNGE, .expunge = { s.session, s.inbox, false } });
	deliver_one(&s.w.mx, s.alice, STR("z"));
	assert_current(&s, "many things");
	world_done(&s.w);
}

/* A bare view: the numbers, and no entries, from what is kept or from the ledger. */
static void bare_views(void **state)
{
	struct scene s;
	(void)state;
	init(&s);
	for (int i = 0; i < 5; i++)
		deliver_one(&s.w.mx, s.alice, STR("x"));
	struct frame bare = view_open(&s, s.inbox);
	bare.view_open.bare = true;
	for (uint32_t seen = 0; seen <= 5; seen++) {
		if (seen > 0)
			flag(&s, seen, seen, FLAGS_ADD, FLAG_SEEN, "");
		for (int kept = 0; kept < 2; kept++) {
			if (!kept)
				bases_drop(s.w.f.store);
			const struct frame *is = ask(&s.w.user, bare);
			assert_int_equal(is->view_is.messages, 5);
			assert_int_equal(is->view_is.uidnext, 6);
			assert_int_equal(is->view_is.unseen, seen < 5 ? seen + 1 : 0);
			const struct frame *end = reply_at(&s.w.user, s.w.user.last_request, 1);
			assert_frame(end, FRAME_VIEW_ENTRIES);
			assert_true(end->view_entries.last && end->view_entries.entries.n == 0);
			assert_null(reply_at(&s.w.user, s.w.user.last_request, 2));
		}
	}
	world_done(&s.w);
}

/* Where the first unseen message is ends the reading of what is too large to be kept. */
static void bare_view_of_a_large_mailbox(void **state)
{
	struct scene s;
	(void)state;
	init(&s);
	for (int i = 0; i < 6; i++)
		deliver_one(&s.w.mx, s.alice, STR("x"));
	flag(&s, 1, 2, FLAGS_ADD, FLAG_SEEN, "");
	s.bounds.slice_rows = 2;
	s.bounds.unseen_looked = 1;
	struct frame bare = view_open(&s, s.inbox);
	bare.view_open.bare = true;
	unsigned all = 0;
	for (int kept = 1; kept >= 0; kept--) {
		if (!kept)
			s.bounds.bases_bytes = 0;
		bases_drop(s.w.f.store);
		steps = 0;
		const struct frame *is = ask(&s.w.user, bare);
		assert_int_equal(is->view_is.messages, 6);
		assert_int_equal(is->view_is.unseen, 3);
		assert_int_equal(is->view_is.uidnext, 7);
		all = kept ? steps : all;
	}
	assert_int_equal(steps, all - 2);
	world_done(&s.w);
}

/* Of LIMIT_UNSEEN_LOOKED entries the first unseen is found without the rest, and what was found
 * stands until something changes. */
static void the_first_unseen_is_looked_for(void **state)
{
	enum { N = 4 };
	struct scene s;
	(void)state;
	assert_int_equal(store_bounds_normal.unseen_looked, LIMIT_UNSEEN_LOOKED);
	init(&s);
	for (int i = 0; i < N + 2; i++)
		deliver_one(&s.w.mx, s.alice, STR("x"));
	s.bounds.unseen_looked = N;
	struct frame bare = view_open(&s, s.inbox);
	bare.view_open.bare = true;
	for (uint32_t n = N - 1; n <= N + 1; n++) {
		flag(&s, 1, n - 1, FLAGS_ADD, FLAG_SEEN, "");
		bases_drop(s.w.f.store);
		assert_int_equal(ask(&s.w.user, bare)->view_is.unseen, n);
		assert_int_equal(s.w.f.store->newest->entries.n, n <= N ? 0 : N + 2);
		steps = 0;
		const struct frame *is = ask(&s.w.user, bare);
		assert_int_equal(is->view_is.unseen, n);
		assert_int_equal(is->view_is.messages, N + 2);
		assert_int_equal(steps, 0);
	}
	bases_drop(s.w.f.store);
	flag(&s, 1, 1, FLAGS_REMOVE, FLAG_SEEN, "");
	assert_int_equal(ask(&s.w.user, bare)->view_is.unseen, 1);
	assert_true(s.w.f.store->newest->bare);
	deliver_one(&s.w.mx, s.alice, STR("x"));
	assert_null(s.w.f.store->newest);
	assert_int_equal(ask(&s.w.user, bare)->view_is.messages, N + 3);
	assert_true(s.w.f.store->newest->bare);
	free(view_text(&s, s.inbox)); /* whoever wants the entries gets them */
	assert_int_equal(s.w.f.store->newest->entries.n, N + 3);
	assert_int_equal(ask(&s.w.user, bare)->view_is.messages, N + 3);
	assert_int_equal(s.w.f.store->newest->entries.n, N + 3);
	world_done(&s.w);
}

/* An older front, which would not know the field, does not ask for it. */
static void the_modseq_before(void **state)
{
	struct scene s;
	struct frame set = { .type = FRAME_SET_FLAGS };
	(void)state;
	init(&s);
	deliver_one(&s.w.mx, s.alice, STR("x"));
	set.set_flags.session = s.session;
	set.set_flags.mailbox = s.inbox;
	set.set_flags.flags = FLAG_SEEN;
	set.set_flags.unchanged_since = UINT64_MAX;
	uint64_t modseq = ask(&s.w.user, view_open(&s, s.inbox))->view_is.modseq;
	const struct frame *changed = ask_about(&s.w.user, 1, 1, set);
	assert_int_equal(changed->changed.before, 0);
	assert_true(changed->changed.modseq > modseq);
	modseq = changed->changed.modseq;
	set.set_flags.flags = FLAG_DRAFT;
	set.set_flags.before = true;
	changed = ask_about(&s.w.user, 1, 1, set);
	assert_int_equal(changed->changed.before, modseq);
	assert_true(changed->changed.modseq > modseq);
	world_done(&s.w);
}

static struct frame by_name(const struct scene *s, const char *name)
{
	return (struct frame){ .type = FRAME_VIEW_OPEN,
		.view_open = { .session = s->session, .name = str_from(name) } };
}

static void names(void **state)
{
	struct scene s;
	(void)state;
	init(&s);
	deliver_one(&s.w.mx, s.alice, STR("x"));
	assert_int_equal(ask(&s.w.user, by_name(&s, "Sent"))->view_is.mailbox, s.sent);
	steps = 0;
	assert_int_equal(ask(&s.w.user, by_name(&s, "Sent"))->view_is.mailbox, s.sent);
	assert_int_equal(steps, 0);
	assert_failed(ask(&s.w.user, by_name(&s, "Nowhere")), ERR_NOT_FOUND);
	assert_failed(ask(&s.w.user, by_name(&s, "")), ERR_NOT_FOUND);
	ask(&s.w.user, (struct frame){ .type = FRAME_MAILBOX_RENAME,
			       .mailbox_rename = { s.session, STR("Sent"), STR("Old") } });
	assert_failed(ask(&s.w.user, by_name(&s, "Sent")), ERR_NOT_FOUND);
	for (int i = 0; i < 2; i++)
		assert_int_equal(ask(&s.w.user, by_name(&s, "Old"))->view_is.mailbox, s.sent);
	/* Another account's are not found by it. */
	uint32_t his = open_session(&s.w.user, account_of(&s.w.mx, "bob@example.test"));
	struct frame other = by_name(&s, "Old");
	other.view_open.session = his;
	assert_failed(ask(&s.w.user, other), ERR_NOT_FOUND);
	ask(&s.w.user, (struct frame){ .type = FRAME_MAILBOX_DELETE,
			       .mailbox_delete = { s.session, STR("Old") } });
	assert_failed(ask(&s.w.user, by_name(&s, "Old")), ERR_NOT_FOUND);
	assert_failed(ask(&s.w.user, view_open(&s, s.sent)), ERR_NOT_FOUND);
	world_done(&s.w);
}

/* Who opened it by its name hears that it was deleted. */
static void watched_by_name(void **state)
{
	struct scene s;
	(void)state;
	init(&s);
	uint32_t his = open_session(&s.w.user, s.alice);
	struct frame open = by_name(&s, "Sent");
	open.view_open.watch = open.view_open.bare = true;
	assert_frame(ask(&s.w.user, open), FRAME_VIEW_IS);
	open.view_open.session = his;
	assert_frame(ask(&s.w.user, open), FRAME_VIEW_IS);
	tell(&s.w.user, 0,
		(struct frame){ .type = FRAME_VIEW_CLOSE, .view_close = { s.session, s.sent } });
	assert_frame(ask(&s.w.user, (struct frame){ .type = FRAME_MAILBOX_DELETE,
					    .mailbox_delete = { s.session, STR("Sent") } }),
		FRAME_DONE);
	const struct frame *news = reply_at(&s.w.user, 0, 0);
	assert_non_null(news);
	assert_frame(news, FRAME_MAILBOX_CHANGED);
	assert_true(news->mailbox_changed.gone);
	world_done(&s.w);
}

/* LIMIT_BASES_BYTES: the one that was not used for longest goes, and one that is more than half of
 * it is not kept. */
static void bytes_that_are_kept(void **state)
{
	struct scene s;
	(void)state;
	init(&s);
	assert_int_equal(store_bounds_normal.bases_bytes, LIMIT_BASES_BYTES);
	free(view_text(&s, s.inbox));
	size_t one = s.w.f.store->bases_bytes;
	assert_true(one > 0);
	for (int less = 1; less >= -1; less--) {
		bases_drop(s.w.f.store);
		assert_int_equal(s.w.f.store->bases_bytes, 0);
		s.bounds.bases_bytes = 2 * one - (size_t)(less > 0) + (size_t)(less < 0);
		free(view_text(&s, s.inbox));
		assert_int_equal(is_kept(&s, s.inbox), less <= 0);
		free(view_text(&s, s.sent));
		assert_int_equal(is_kept(&s, s.inbox), less <= 0);
		free(view_text(&s, s.inbox)); /* used again */
		uint64_t drafts = mailbox_of(&s.w.user, s.session, "Drafts");
		free(view_text(&s, drafts));
		assert_int_equal(is_kept(&s, s.inbox), less <= 0);
		assert_false(is_kept(&s, s.sent));
	}
	world_done(&s.w);
}

/* LIMIT_BASE_CHANGES of a mailbox that nobody watches. */
static void changes_for_nobody(void **state)
{
	struct scene s;
	(void)state;
	init(&s);
	deliver_one(&s.w.mx, s.alice, STR("x"));
	double_mailbox(&s.w, s.session, s.inbox, 11);
	for (uint32_t n = LIMIT_BASE_CHANGES - 1; n <= LIMIT_BASE_CHANGES + 1; n++) {
		free(view_text(&s, s.inbox));
		assert_true(is_kept(&s, s.inbox));
		flag(&s, 1, n, n % 2 ? FLAGS_ADD : FLAGS_REMOVE, FLAG_SEEN, "");
		assert_int_equal(is_kept(&s, s.inbox), n <= LIMIT_BASE_CHANGES);
	}
	world_done(&s.w);
}

static void unwatch(struct scene *s)
{
	tell(&s->w.user, ++s->w.user.last_request,
		(struct frame){ .type = FRAME_VIEW_CLOSE, .view_close = { s->session, s->inbox } });
	executor_fake_run(&s->w.f.executor);
}

/* What was changed while somebody watched is taken in, and the log of it is not kept for nobody. */
static void a_log_that_was_watched(void **state)
{
	struct scene s;
	(void)state;
	init(&s);
	deliver_one(&s.w.mx, s.alice, STR("x"));
	double_mailbox(&s.w, s.session, s.inbox, 11);
	struct frame open = view_open(&s, s.inbox);
	open.view_open.watch = true;
	free(view_text(&s, s.sent));
	for (uint32_t n = LIMIT_BASE_CHANGES; n <= LIMIT_BASE_CHANGES + 1; n++) {
		ask(&s.w.user, open);
		flag(&s, 1, n, n % 2 ? FLAGS_ADD : FLAGS_REMOVE, FLAG_SEEN, "");
		assert_true(is_kept(&s, s.inbox));
		unwatch(&s);
		assert_true(is_kept(&s, s.inbox));
		const struct mailbox_log *log = map_get_u64(&s.w.f.store->logs, s.inbox);
		assert_int_equal(log->items.n, 0);
		assert_current(&s, "a log that was watched");
	}
	world_done(&s.w);
}

/* More changes than the log holds, of one transaction and of many, are taken in as they go by. */
static void a_log_that_is_too_short(void **state)
{
	enum { ALL = 1 << 15 };
	struct scene s;
	(void)state;
	init(&s);
	deliver_one(&s.w.mx, s.alice, STR("x"));
	double_mailbox(&s.w, s.session, s.inbox, 15);
	struct frame open = view_open(&s, s.inbox);
	open.view_open.watch = true;
	free(view_text(&s, s.sent));
	ask(&s.w.user, open);
	flag(&s, 1, LIMIT_CHANGE_LOG + 1, FLAGS_ADD, FLAG_FLAGGED, "");
	assert_current(&s, "one more than the log holds");
	flag(&s, 1, ALL, FLAGS_ADD, FLAG_SEEN, "$New");
	assert_current(&s, "flags of all");
	for (uint32_t i = 0; i < 6; i++) {
		flag(&s, 100 * i + 1, ALL / 2 + 100 * i, i % 2 ? FLAGS_ADD : FLAGS_REMOVE,
			FLAG_SEEN, "");
		ask_about(&s.w.user, 5000 * i + 7, 5000 * i + 4000,
			(struct frame){
				.type = FRAME_EXPUNGE, .expunge = { s.session, s.inbox, false } });
		deliver_one(&s.w.mx, s.alice, STR("y"));
		forget_replies(&s.w.user);
		if (i % 3 == 2)
			assert_current(&s, "flags, expunges and arrivals");
	}
	copy(&s, s.inbox, s.sent, 1, ALL, true);
	assert_current(&s, "a move of all");
	world_done(&s.w);
}

/* A view that grows beyond what is kept is not kept, also while it is watched and not asked for. */
static void grows_beyond_the_limit(void **state)
{
	struct scene s;
	(void)state;
	init(&s);
	deliver_one(&s.w.mx, s.alice, STR("x"));
	struct frame open = view_open(&s, s.inbox);
	open.view_open.watch = true;
	ask(&s.w.user, open);
	assert_true(is_kept(&s, s.inbox));
	s.bounds.bases_bytes = 2 * s.w.f.store->bases_bytes;
	double_mailbox(&s.w, s.session, s.inbox, 15);
	assert_true(s.w.f.store->bases_bytes <= s.bounds.bases_bytes);
	assert_false(is_kept(&s, s.inbox));
	assert_int_equal(ask(&s.w.user, open)->view_is.messages, 1 << 15);
	world_done(&s.w);
}

/* Who is being sent a view gets it as it was, whatever becomes of the mailbox and of what is kept.
 */
static void answers_under_way(void **state)
{
	struct scene s;
	(void)state;
	init(&s);
	for (int i = 0; i < 3; i++)
		deliver_one(&s.w.mx, s.alice, STR("x"));
	for (int drop = 0; drop < 2; drop++) {
		free(view_text(&s, s.inbox));
		uint32_t messages = drop ? 2 : 3, request = ++s.w.user.last_request;
		s.w.user.bulk_room = 0;
		tell(&s.w.user, request, view_open(&s, s.inbox));
		executor_fake_run(&s.w.f.executor);
		assert_int_equal(reply_at(&s.w.user, request, 0)->view_is.messages, messages);
		assert_null(reply_at(&s.w.user, request, 1));
		uint32_t uid = drop ? 2 : 1;
		tell_uids(&s.w.user, 9000, uid, uid);
		tell(&s.w.user, 9000,
			(struct frame){
				.type = FRAME_EXPUNGE, .expunge = { s.session, s.inbox, false } });
		executor_fake_run(&s.w.f.executor);
		if (drop)
			bases_drop(s.w.f.store);
		uint32_t second = ++s.w.user.last_request;
		tell(&s.w.user, second, view_open(&s, s.inbox));
		executor_fake_run(&s.w.f.executor);
		assert_int_equal(reply_at(&s.w.user, second, 0)->view_is.messages, messages - 1);
		s.w.user.bulk_room = SIZE_MAX;
		store_peer_room(s.w.user.peer);
		const struct frame *entries = reply_at(&s.w.user, request, 1);
		assert_int_equal(entries->view_entries.entries.n, messages);
		assert_int_equal(entries->view_entries.entries.items[0].uid, uid);
		entries = reply_at(&s.w.user, second, 1);
		assert_int_equal(entries->view_entries.entries.n, messages - 1);
		assert_int_equal(entries->view_entries.entries.items[0].uid, uid + 1);
		assert_true(store_is_idle(s.w.f.store));
	}
	world_done(&s.w);
}

static unsigned kept_in_order(const struct store *store)
{
	unsigned n = 0;
	const struct base *newer = NULL;
	for (const struct base *b = store->newest; b; newer = b, b = b->older, n++) {
		assert_ptr_equal(b->newer, newer);
		assert_ptr_equal(b->log->base, b);
	}
	assert_ptr_equal(store->oldest, newer);
	return n;
}

/* One that an answer holds goes on as a copy, though another mailbox's was used after it. */
static void a_copy_behind_another(void **state)
{
	struct scene s;
	(void)state;
	init(&s);
	deliver_one(&s.w.mx, s.alice, STR("x"));
	free(view_text(&s, s.inbox));
	free(view_text(&s, s.sent));
	assert_int_equal(kept_in_order(s.w.f.store), 2);
	s.w.user.bulk_room = 0;
	tell(&s.w.user, ++s.w.user.last_request, view_open(&s, s.inbox));
	tell(&s.w.user, ++s.w.user.last_request, view_open(&s, s.sent));
	executor_fake_run(&s.w.f.executor);
	assert_int_equal(s.w.f.store->newest->log->mailbox, s.sent);
	deliver_one(&s.w.mx, s.alice, STR("y"));
	tell(&s.w.user, ++s.w.user.last_request, view_open(&s, s.inbox));
	assert_int_equal(s.w.f.store->newest->log->mailbox, s.inbox);
	assert_int_equal(kept_in_order(s.w.f.store), 2);
	s.w.user.bulk_room = SIZE_MAX;
	store_peer_room(s.w.user.peer);
	executor_fake_run(&s.w.f.executor);
	assert_current(&s, "a copy");
	bases_drop(s.w.f.store);
	assert_int_equal(kept_in_order(s.w.f.store), 0);
	assert_int_equal(s.w.f.store->bases_bytes, 0);
	world_done(&s.w);
}

/* STATUS and LIST wait for what they saw to be published, which is what SELECT says of a view that
 * is kept. (Found by the model client.) */
static void status_is_not_ahead(void **state)
{
	struct scene s;
	(void)state;
	init(&s);
	deliver_one(&s.w.mx, s.alice, STR("x"));
	const struct frame questions[] = {
		{ .type = FRAME_MAILBOX_STATUS, .mailbox_status = { s.session, STR("INBOX") } },
		{ .type = FRAME_MAILBOX_LIST, .mailbox_list = { s.session } },
	};
	for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
		free(view_text(&s, s.inbox)); /* is kept */
		struct store *store = s.w.f.store;
		struct mailbox_log *log = map_get_u64(&store->logs, s.inbox);
		uint64_t latest = log->latest, modseq = log->base->modseq;
		/* As if the last change were in the ledger, and not published. */
		store->under_way++;
		log->latest = log->base->modseq = modseq - 1;
		uint32_t request = 9000 + (uint32_t)i;
		tell(&s.w.user, request, questions[i]);
		executor_fake_run(&s.w.f.executor);
		assert_null(reply_at(&s.w.user, request, 0));
		log->latest = latest;
		log->base->modseq = modseq;
		store->under_way--;
		jobs_retry(store);
		const struct frame *is = reply_at(&s.w.user, request, 0);
		assert_frame(is, FRAME_MAILBOXES);
		for (size_t k = 0; k < is->mailboxes.mailboxes.n; k++)
			if (is->mailboxes.mailboxes.items[k].id == s.inbox)
				assert_int_equal(
					is->mailboxes.mailboxes.items[k].highest_modseq, modseq);
	}
	world_done(&s.w);
}

/* A keyword that is published while a view is read does not hide those that were there before it.
 * (Found by the model client.) */
static void keywords_beside_a_view(void **state)
{
	struct scene s;
	struct str name = STR("$b");
	(void)state;
	init(&s);
	deliver_one(&s.w.mx, s.alice, STR("x"));
	flag(&s, 1, 1, FLAGS_ADD, 0, "$a");
	bases_drop(s.w.f.store);
	forget_replies(&s.w.user);
	tell(&s.w.user, 9000, view_open(&s, s.inbox));
	tell_uids(&s.w.user, 9001, 1, 1);
	tell(&s.w.user, 9001,
		(struct frame){ .type = FRAME_SET_FLAGS,
			.set_flags = { .session = s.session,
				.mailbox = s.inbox,
				.mode = FLAGS_ADD,
				.keywords = { &name, 1 },
				.unchanged_since = UINT64_MAX } });
	executor_fake_run(&s.w.f.executor);
	const struct frame *is = reply_at(&s.w.user, 9000, 0);
	assert_frame(is, FRAME_VIEW_IS);
	uint64_t bits = reply_at(&s.w.user, 9000, 1)->view_entries.entries.items[0].keywords_low;
	assert_true(bits < 1ULL << is->view_is.keywords.n);
	for (size_t i = 0; i < is->view_is.keywords.n; i++)
		assert_str(is->view_is.keywords.items[i], i == 0 ? STR("$a") : STR("$b"));
	assert_current(&s, "a keyword beside a view");
	world_done(&s.w);
}

TEST_MAIN(test_case(kept_is_what_the_ledger_says), test_case(bare_views),
	test_case(bare_view_of_a_large_mailbox), test_case(the_first_unseen_is_looked_for),
	test_case(the_modseq_before), test_case(names), test_case(watched_by_name),
	test_case(bytes_that_are_kept), test_case(changes_for_nobody),
	test_case(a_log_that_was_watched), test_case(a_log_that_is_too_short),
	test_case(grows_beyond_the_limit), test_case(answers_under_way),
	test_case(a_copy_behind_another), test_case(status_is_not_ahead),
	test_case(keywords_beside_a_view))
