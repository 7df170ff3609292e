// SPDX-License-Identifier: Apache-2.0
/*
 * Views: a mailbox at a modseq, and what has changed since.
 *
 * A view is read in slices of LIMIT_VIEW_SLICE_ROWS, each a snapshot of its own, so that no
 * snapshot is held for long. When the mailbox changed between slices, the earlier ones are
 * corrected from the change log, on the loop: then all of it is the mailbox at one modseq again.
 * The correction needs every change up to the last slice; a view that was read ahead of what has
 * been published waits for that. What was read is kept (bases.c), and answers who comes next.
 */
#include "store/store_private.h"

enum { ENTRIES_A_FRAME = 1000, CHANGES_A_FRAME = 740, EXPUNGED_A_FRAME = 4000 };

/* ---- reading ---- */

/* Room for a view, and its first slice is next. whole: all of it in one. */
static void begin(struct job *job, bool whole)
{
	vec_done(&job->items);
	const struct store_bounds *bounds = job->store->settings.bounds;
	vec_init(&job->items, sizeof(struct api_entry), bounds->view_entries);
	job->unseen = 0;
	job->step = whole ? bounds->view_entries : bounds->slice_rows;
	job->worked = 0;
}

/* A bare view needs no rows, but where the first unseen message is not among the first. */
static int read_numbers(struct reading *r, struct job *job, bool *ret_all)
{
	const struct frame_view_open *ask = &job->ask.view_open;
	vec_clear(&job->keywords);
	if (r->reader->class->numbers(r->reader, ask->mailbox,
		    ask->unseen ? job->store->settings.bounds->unseen_looked : 0, job->mailbox,
		    &job->arena, &job->keywords, &job->unseen, &job->err) < 0)
		return -1;
	*ret_all = !ask->unseen || job->unseen > 0 || job->mailbox->status.unseen == 0;
	return 0;
}

static int read_slice(struct reading *r, struct job *job)
{
	struct api_entry *last = job->worked ? vec_at(&job->items, job->worked - 1) : NULL;
	/* The last slice's keywords are the ones that count: the list only grows. */
	vec_clear(&job->keywords);
	return r->reader->class->view(r->reader, job->ask.view_open.mailbox, last ? last->uid : 0,
		job->step, job->mailbox, &job->arena, &job->keywords, &job->items, &job->err);
}

/* Which mailbox is it, and whose? A log is made for the owner alone: as long as there is one for
 * somebody else, the owner is told that there is no such mailbox. */
static void find_mailbox(struct reading *r, struct job *job)
{
	const struct frame_view_open *ask = &job->ask.view_open;
	if (ask->mailbox)
		(void)job_own_mailbox(r, job, ask->mailbox, job->mailbox);
	else
		(void)r->reader->class->mailbox_by_name(
			r->reader, job->by.account, ask->name, job->mailbox, &job->err);
}

/* One slice: `step` rows behind the first `worked`. */
static void view_work(struct reading *r, struct job *job)
{
	if (job->log == NULL) {
		find_mailbox(r, job);
		return;
	}
	bool all = false;
	if (job->ask.view_open.bare && job->worked == 0 && read_numbers(r, job, &all) < 0)
		return;
	if (!all && read_slice(r, job) < 0)
		return;
	if (job->mailbox->account != job->by.account)
		fail(&job->err, ERR_NOT_FOUND, "no such mailbox");
	if (job->worked == 0) { /* of the first slice */
		job->size = job->mailbox->status.highest_modseq;
		job->uidnext = job->mailbox->status.uidnext;
	}
	if (job->unseen == 0)
		job->unseen = entries_unseen(&job->items, job->worked);
	if (job->worked == 0 && job->ask.view_open.recent && job->err.kind == ERR_NONE)
		(void)r->reader->class->recent(
			r->reader, &job->mailbox->status, job->recent, &job->n_recent, &job->err);
}

/* Whether there may be rows behind the slice that was read. */
static bool more_slices(struct job *job)
{
	bool full = job->items.n - job->worked == job->step;
	job->worked = job->items.n;
	return full;
}

/* The first unseen message is found, and what there is of a view, at one modseq, will not be kept.
 */
static bool is_enough(const struct job *job)
{
	const struct api_mailbox *m = &job->mailbox->status;
	return job->ask.view_open.bare && job->unseen > 0 && job->size == m->highest_modseq &&
	       !base_fits(job->store, m->messages);
}

/* ---- answering ---- */

static int keep_keywords(struct job *job, const struct mailbox_log *log, struct err *err)
{
	for (uint32_t i = 0; i < log->n_keywords; i++) {
		struct str name = str_from(log->keywords[i]);
		if (!job_keep(job, &name) || !vec_push(&job->keywords, &name))
			return fail(err, ERR_LIMIT, "too many keywords");
	}
	return 0;
}

static uint32_t unseen_of(const struct job *job)
{
	if (!job->ask.view_open.unseen)
		return 0;
	return job->base ? base_unseen(job->base) : job->unseen;
}

/* How many messages no session was told of: by the entries, or, where there are none, as the reader
 * has counted them (another session may have been told since then). */
static uint32_t recent_of(const struct job *job)
{
	const struct vec *entries = job_series(job);
	if (!job->ask.view_open.recent || job->log->recent >= job->mailbox->status.uidnext)
		return 0;
	if (entries->n == 0)
		return job->n_recent;
	return (uint32_t)(entries->n - entries_from(entries, job->log->recent));
}

static void send_view_is(struct job *job)
{
	const struct api_mailbox *m = &job->mailbox->status;
	bool bare = job->ask.view_open.bare && job_series(job)->n == 0;
	peer_send(job->peer, job->request,
		&(struct frame){ .type = FRAME_VIEW_IS,
			.view_is = { .mailbox = m->id,
				.uidvalidity = m->uidvalidity,
				.uidnext = m->uidnext,
				.modseq = m->highest_modseq,
				.messages = bare ? m->messages : (uint32_t)job_series(job)->n,
				.keywords = { (void *)job->keywords.p, job->keywords.n },
				.unseen = unseen_of(job),
				.recent_uid = job->ask.view_open.recent ? job->log->recent : 0,
				.recent = recent_of(job) } });
}

static int answer_view(struct job *job, struct err *err)
{
	struct store_session *s = session_find(job->peer, job->session);
	struct watch *w = NULL;
	if (s == NULL)
		return fail(err, ERR_EXPIRED, "the session has ended");
	if (job->ask.view_open.watch && (w = watch_add(s, job->log->mailbox, err)) == NULL)
		return -1;
	/* What was read before a rewriting may be wrong. */
	bool keep = job->noted == job->store->rewrites;
	if (keep && job->base == NULL && job->ask.view_open.bare && job->items.n == 0)
		job->base = base_bare(job->store, job->log, &job->mailbox->status,
			job->ask.view_open.unseen ? &job->unseen : NULL);
	else if (keep && job->base == NULL)
		job->base = base_new(job->store, job->log, &job->mailbox->status, &job->items);
	if (keep && job->base && job->mailbox->status.name.n)
		base_name(job->base, job->mailbox->status.name);
	job_holds(job);
	if (job->mailbox->status.highest_modseq > job->log->said)
		job->log->said = job->mailbox->status.highest_modseq;
	send_view_is(job);
	if (job->ask.view_open.take)
		recent_take(job->store, job->log, job->mailbox->status.uidnext);
	if (w) {
		w->told = false;
		if (w->log->latest > job->mailbox->status.highest_modseq)
			watch_tell(w, false);
	}
	job_leave_log(job);
	peer_out(job->peer, job);
	return 0;
}

enum settled { SETTLED, SETTLED_LATER, SETTLED_AGAIN };

/* Later: what was read is ahead of what is published. Again: in one piece, since the log does not
 * reach back far enough for a correction. */
static enum settled make_one(struct job *job, struct err *err)
{
	struct mailbox_log *log = job->log;
	uint64_t last = job->mailbox->status.highest_modseq;
	log_view_was_read(log, job->size, job->uidnext, job->mailbox->recent, &job->keywords);
	if (log->gone) {
		fail(err, ERR_NOT_FOUND, "no such mailbox");
		return SETTLED;
	}
	if (job->size == last)
		return SETTLED;
	if (log->latest < last)
		return SETTLED_LATER;
	struct err short_log = ERR_INIT;
	job->mailbox->status.highest_modseq = log->latest;
	if (log->uidnext > job->mailbox->status.uidnext)
		job->mailbox->status.uidnext = log->uidnext;
	if (log_correct(log, job->size, &job->items, &short_log) < 0)
		return SETTLED_AGAIN;
	job->unseen = entries_unseen(&job->items, 0);
	/* What came may have keywords that came with it. */
	vec_clear(&job->keywords);
	keep_keywords(job, log, err);
	return SETTLED;
}

static void settle(struct job *job)
{
	struct err err = ERR_INIT;
	enum settled settled = make_one(job, &err);
	if (settled == SETTLED_LATER) {
		job_wait(job);
		return;
	}
	if (settled == SETTLED_AGAIN) {
		begin(job, true);
		job_read(job);
		return;
	}
	if (err.kind == ERR_NONE && answer_view(job, &err) == 0)
		return;
	job_leave_log(job);
	job_answer_failed(job, &err);
}

static void view_always(struct job *job)
{
	if (job->err.kind != ERR_NONE || job->peer == NULL)
		job_leave_log(job);
}

static void view_begin(struct job *job);

static bool view_done(struct job *job)
{
	bool more = job->log != NULL && more_slices(job);
	if (more && is_enough(job)) {
		more = false;
		vec_clear(&job->items);
	}
	if (job->log == NULL)
		view_begin(job);
	else if (more)
		job_read(job);
	else
		settle(job);
	return false;
}

static enum produced view_produce(struct job *job, struct frame *frame)
{
	if (job->finished)
		return PRODUCED_END;
	const struct vec *entries = job_series(job);
	size_t n = job->ask.view_open.bare ? 0 : entries->n - job->at;
	job->step = n > ENTRIES_A_FRAME ? ENTRIES_A_FRAME : n;
	*frame = (struct frame){ .type = FRAME_VIEW_ENTRIES,
		.view_entries = { .entries = { n ? vec_at(entries, job->at) : NULL, job->step },
			.last = job->step == n } };
	return PRODUCED_FRAME;
}

static void view_sent(struct job *job)
{
	job_items_sent(job);
	job->finished |= job->ask.view_open.bare;
}

/* Numbers that are kept say all that a bare view is to say. */
static bool says_all(const struct job *job, const struct base *base)
{
	const struct frame_view_open *ask = &job->ask.view_open;
	return ask->bare && (!ask->unseen || base->unseen_known) &&
	       (!ask->recent || job->log->recent >= base->uidnext);
}

/* What is kept may be older than what somebody was told who opened the mailbox when it was ahead of
 * what is published: who asks for the entries behind numbers gets none that are older. */
static bool may_answer(const struct job *job, const struct base *base)
{
	return base->modseq >= job->log->said && (!base->bare || says_all(job, base));
}

/* What is kept of the mailbox answers at once, but that a peer which is sent a lot already waits
 * like for any other answer. */
static bool answer_kept(struct job *job, struct err *err)
{
	struct store_peer *peer = job->peer;
	struct base *base = base_get(job->store, job->log);
	if (base == NULL)
		return false;
	if (!may_answer(job, base)) {
		base_drop(job->store, job->log);
		base_put(&base);
		return false;
	}
	size_t bytes = base->entries.cap * base->entries.size;
	if (peer->reads.waiting ||
		(peer->reads.held && peer->reads.held + bytes > LIMIT_PEER_ANSWER_BYTES)) {
		base_put(&base);
		return false;
	}
	job->base = base;
	job->mailbox->status = (struct api_mailbox){ .id = job->log->mailbox,
		.name = job->mailbox->status.name,
		.uidvalidity = base->uidvalidity,
		.uidnext = base->uidnext,
		.messages = base->messages,
		.highest_modseq = base->modseq };
	keep_keywords(job, job->log, err);
	return true;
}

/* The mailbox is known: from what is kept, or from the readers. */
static void view_begin(struct job *job)
{
	struct err err = ERR_INIT;
	uint64_t mailbox = job->ask.view_open.mailbox;
	if (mailbox == 0)
		mailbox = job->mailbox->status.id;
	struct mailbox_log *log = log_get(job->store, mailbox, job->by.account);
	if (log == NULL) {
		fail(&err, ERR_NOT_FOUND, "no such mailbox");
		job_answer_failed(job, &err);
		return;
	}
	log->users++;
	job->log = log;
	job->recent = log->recent;
	job->ask.view_open.mailbox = mailbox;
	if (!answer_kept(job, &err)) {
		begin(job, false);
		job_read(job);
	} else if (err.kind != ERR_NONE || answer_view(job, &err) < 0) {
		job_leave_log(job);
		job_answer_failed(job, &err);
	}
}

ASK(ask_view_open)
{
	static const struct job_class class = { .name = "view",
		.work = view_work,
		.always = view_always,
		.done = view_done,
		.published = settle,
		.produce = view_produce,
		.sent = view_sent,
		.cost = LIMIT_PEER_ANSWER_BYTES / 8 };
	const struct frame_view_open *ask = &frame->view_open;
	struct mailbox_log *log = ask->mailbox
					  ? map_get_u64(&peer->store->logs, ask->mailbox)
					  : base_log(peer->store, session->by.account, ask->name);
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return;
	job->by = session->by;
	job->session = session->number;
	job->noted = peer->store->rewrites;
	job->mailbox = arena_alloc(&job->arena, sizeof(*job->mailbox));
	if (log) {
		job->ask.view_open.mailbox = log->mailbox;
		view_begin(job);
	} else {
		job_read_with(job, &job->ask.view_open.name);
	}
}

/* ---- changes ---- */

static enum produced changes_produce(struct job *job, struct frame *frame)
{
	if (job->finished)
		return PRODUCED_END;
	size_t entries = job->items.n - job->at, expunged = job->more_items.n - job->worked;
	job->step = entries > CHANGES_A_FRAME ? CHANGES_A_FRAME : entries;
	size_t gone = expunged > EXPUNGED_A_FRAME ? EXPUNGED_A_FRAME : expunged;
	bool first = job->at == 0 && job->worked == 0;
	*frame = (struct frame){ .type = FRAME_VIEW_CHANGED,
		.view_changed = { .modseq = job->size,
			.uidnext = job->uidnext,
			.keywords = { (void *)job->keywords.p, first ? job->keywords.n : 0 },
			.entries = { entries ? vec_at(&job->items, job->at) : NULL, job->step },
			.expunged = { gone ? vec_at(&job->more_items, job->worked) : NULL, gone },
			.last = job->step == entries && gone == expunged,
			.recent_uid = job->ask.view_changes.recent ? job->recent : 0 } };
	return PRODUCED_FRAME;
}

static void changes_sent(struct job *job)
{
	size_t expunged = job->more_items.n - job->worked;
	job->at += job->step;
	job->worked += expunged > EXPUNGED_A_FRAME ? EXPUNGED_A_FRAME : expunged;
	job->finished = job->at == job->items.n && job->worked == job->more_items.n;
}

static int collect_changes(
	struct job *job, const struct mailbox_log *log, uint64_t since, struct err *err)
{
	vec_init(&job->items, sizeof(struct api_entry), LIMIT_CHANGE_LOG);
	vec_init(&job->more_items, sizeof(uint32_t), LIMIT_CHANGE_LOG);
	if (log_changes(log, since, &job->items, &job->more_items, err) < 0)
		return -1;
	if (keep_keywords(job, log, err) < 0)
		return -1;
	job->size = log->latest > since ? log->latest : since;
	job->uidnext = log_uidnext(log);
	job->recent = log->recent;
	return 0;
}

ASK(ask_view_changes)
{
	static const struct job_class class = {
		.name = "changes", .produce = changes_produce, .sent = changes_sent
	};
	const struct frame_view_changes *ask = &frame->view_changes;
	struct err err = ERR_INIT;
	struct mailbox_log *log = map_get_u64(&peer->store->logs, ask->mailbox);
	struct watch *w = watch_find(session, ask->mailbox);
	if (w)
		w->told = false;
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return;
	/* A peer that takes none of its answers is to open the view again, which waits its turn. */
	if (log == NULL || log->account != session->by.account ||
		peer->reads.held > LIMIT_PEER_ANSWER_BYTES)
		fail(&err, ERR_LIMIT, "changes since then are not known any more");
	else if (collect_changes(job, log, ask->since, &err) == 0 && ask->take)
		recent_take(peer->store, log, job->uidnext);
	if (err.kind != ERR_NONE) {
		job_answer_failed(job, &err);
		return;
	}
	job_holds(job);
	peer_out(peer, job);
}

ASK(ask_view_close)
{
	(void)peer;
	(void)request;
	struct watch *w = watch_find(session, frame->view_close.mailbox);
	if (w)
		watch_remove(w);
}
