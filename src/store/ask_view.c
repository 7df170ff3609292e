// SPDX-License-Identifier: Apache-2.0
/*
 * Views: a mailbox at a modseq, and what has changed since.
 *
 * A view is read in slices of LIMIT_VIEW_SLICE_ROWS, each a snapshot of its own, so that no
 * snapshot is held for long. When the mailbox changed between slices, the earlier ones are
 * corrected from the change log, on the loop: then all of it is the mailbox at one modseq again.
 * The correction needs every change up to the last slice; a view that was read ahead of what has
 * been published waits for that.
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
	job->step = whole ? bounds->view_entries : bounds->slice_rows;
	job->worked = 0;
}

/* One slice: `step` rows behind the first `worked`. */
static void view_work(struct reading *r, struct job *job)
{
	struct api_entry *last = job->worked ? vec_at(&job->items, job->worked - 1) : NULL;
	/* The last slice's keywords are the ones that count: the list only grows. */
	vec_clear(&job->keywords);
	if (r->reader->class->view(r->reader, job->ask.view_open.mailbox, last ? last->uid : 0,
		    job->step, job->mailbox, &job->arena, &job->keywords, &job->items,
		    &job->err) < 0)
		return;
	if (job->mailbox->account != job->by.account)
		fail(&job->err, ERR_NOT_FOUND, "no such mailbox");
	if (job->worked == 0)
		job->size = job->mailbox->status.highest_modseq; /* of the first slice */
}

/* Whether there may be rows behind the slice that was read. */
static bool more_slices(struct job *job)
{
	bool full = job->items.n - job->worked == job->step;
	job->worked = job->items.n;
	return full;
}

/* ---- correcting ---- */

static size_t find_uid(const struct vec *entries, uint32_t uid)
{
	size_t low = 0, high = entries->n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (((struct api_entry *)vec_at(entries, mid))->uid < uid)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Changed entries take the place of the old; new ones (beyond the last) go to the end. */
static int put_entries(struct vec *entries, const struct vec *changed, struct err *err)
{
	VEC_EACH (struct api_entry, entry, changed) {
		size_t at = find_uid(entries, entry->uid);
		struct api_entry *have = at < entries->n ? vec_at(entries, at) : NULL;
		if (have && have->uid == entry->uid)
			*have = *entry;
		else if (at < entries->n || vec_push(entries, entry) == NULL)
			return fail(err, ERR_LIMIT, "the mailbox is too large for a view");
	}
	return 0;
}

static void drop_entries(struct vec *entries, const struct vec *expunged)
{
	size_t kept = 0, gone = 0;
	for (size_t i = 0; i < entries->n; i++) {
		const struct api_entry *entry = vec_at(entries, i);
		while (gone < expunged->n && *(uint32_t *)vec_at(expunged, gone) < entry->uid)
			gone++;
		if (gone < expunged->n && *(uint32_t *)vec_at(expunged, gone) == entry->uid)
			continue;
		memmove(vec_at(entries, kept++), entry, sizeof(*entry));
	}
	entries->n = kept;
}

/* All changes since the first slice, over everything that was read. */
static int correct(struct job *job, const struct mailbox_log *log, struct err *err)
{
	struct vec changed, expunged;
	vec_init(&changed, sizeof(struct api_entry), LIMIT_CHANGE_LOG);
	vec_init(&expunged, sizeof(uint32_t), LIMIT_CHANGE_LOG);
	int rc = log_changes(log, job->size, &changed, &expunged, err);
	if (rc == 0)
		drop_entries(&job->items, &expunged);
	if (rc == 0)
		rc = put_entries(&job->items, &changed, err);
	vec_done(&changed);
	vec_done(&expunged);
	job->mailbox->status.highest_modseq = log->latest;
	job->mailbox->status.uidnext = log->uidnext;
	return rc;
}

static void leave_log(struct job *job)
{
	struct mailbox_log *log = job->log;
	job->log = NULL;
	if (log == NULL)
		return;
	log->users--;
	log_release(job->store, log);
}

/* ---- answering ---- */

static void send_view_is(struct job *job)
{
	const struct api_mailbox *m = &job->mailbox->status;
	peer_send(job->peer, job->request,
		&(struct frame){ .type = FRAME_VIEW_IS,
			.view_is = { .mailbox = m->id,
				.uidvalidity = m->uidvalidity,
				.uidnext = m->uidnext,
				.modseq = m->highest_modseq,
				.messages = (uint32_t)job->items.n,
				.keywords = { (void *)job->keywords.p, job->keywords.n } } });
}

static int answer_view(struct job *job, struct err *err)
{
	struct store_session *s = session_find(job->peer, job->session);
	struct watch *w = NULL;
	if (s == NULL)
		return fail(err, ERR_EXPIRED, "the session has ended");
	if (job->ask.view_open.watch && (w = watch_add(s, job->log->mailbox, err)) == NULL)
		return -1;
	job_holds(job);
	send_view_is(job);
	if (w) {
		w->told = false;
		if (w->log->latest > job->mailbox->status.highest_modseq)
			watch_tell(w, false);
	}
	leave_log(job);
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
	log_view_was_read(log, job->size, job->mailbox->status.uidnext, &job->keywords);
	if (log->gone) {
		fail(err, ERR_NOT_FOUND, "no such mailbox");
		return SETTLED;
	}
	if (job->size == last)
		return SETTLED;
	if (log->latest < last)
		return SETTLED_LATER;
	struct err short_log = ERR_INIT;
	return correct(job, log, &short_log) < 0 ? SETTLED_AGAIN : SETTLED;
}

static void settle(struct job *job)
{
	struct store *store = job->store;
	struct err err = ERR_INIT;
	enum settled settled = make_one(job, &err);
	if (settled == SETTLED_LATER) {
		job->next = store->views_waiting;
		store->views_waiting = job;
		return;
	}
	if (settled == SETTLED_AGAIN) {
		begin(job, true);
		job_read(job);
		return;
	}
	if (err.kind == ERR_NONE && answer_view(job, &err) == 0)
		return;
	leave_log(job);
	job_answer_failed(job, &err);
}

void views_retry(struct store *store)
{
	struct job *waiting = store->views_waiting;
	store->views_waiting = NULL;
	for (struct job *job = waiting, *next; job; job = next) {
		next = job->next;
		if (job->peer) {
			settle(job);
			continue;
		}
		leave_log(job);
		job_free(job);
	}
}

void views_drop(struct store *store)
{
	for (struct job *job = store->views_waiting, *next; job; job = next) {
		next = job->next;
		leave_log(job);
		job_free(job);
	}
	store->views_waiting = NULL;
}

static void view_always(struct job *job)
{
	if (job->err.kind != ERR_NONE || job->peer == NULL)
		leave_log(job);
}

static bool view_done(struct job *job)
{
	if (more_slices(job))
		job_read(job);
	else
		settle(job);
	return false;
}

static enum produced view_produce(struct job *job, struct frame *frame)
{
	if (job->finished)
		return PRODUCED_END;
	size_t n = job->items.n - job->at;
	job->step = n > ENTRIES_A_FRAME ? ENTRIES_A_FRAME : n;
	*frame = (struct frame){ .type = FRAME_VIEW_ENTRIES,
		.view_entries = { .entries = { n ? vec_at(&job->items, job->at) : NULL, job->step },
			.last = job->step == n } };
	return PRODUCED_FRAME;
}

ASK(ask_view_open)
{
	static const struct job_class class = { .name = "view",
		.work = view_work,
		.always = view_always,
		.done = view_done,
		.produce = view_produce,
		.sent = job_items_sent,
		.cost = LIMIT_PEER_ANSWER_BYTES / 8 };
	struct err err = ERR_INIT;
	struct mailbox_log *log = log_get(
		peer->store, frame->view_open.mailbox, session->by.account);
	if (log == NULL) {
		fail(&err, ERR_NOT_FOUND, "no such mailbox");
		peer_fail(peer, request, &err);
		return;
	}
	log->users++;
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL) {
		log->users--;
		log_release(peer->store, log);
		return;
	}
	job->by = session->by;
	job->session = session->number;
	job->log = log;
	job->mailbox = arena_alloc(&job->arena, sizeof(*job->mailbox));
	begin(job, false);
	job_read(job);
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
			.uidnext = (uint32_t)job->noted,
			.keywords = { (void *)job->keywords.p, first ? job->keywords.n : 0 },
			.entries = { entries ? vec_at(&job->items, job->at) : NULL, job->step },
			.expunged = { gone ? vec_at(&job->more_items, job->worked) : NULL, gone },
			.last = job->step == entries && gone == expunged } };
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
	for (uint32_t i = 0; i < log->n_keywords; i++) {
		struct str name = str_from(log->keywords[i]);
		if (!job_keep(job, &name) || !vec_push(&job->keywords, &name))
			return fail(err, ERR_LIMIT, "too many keywords");
	}
	job->size = log->latest > since ? log->latest : since;
	job->noted = log->uidnext;
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
	if (log == NULL || log->account != session->by.account)
		fail(&err, ERR_LIMIT, "changes since then are not known any more");
	else
		collect_changes(job, log, ask->since, &err);
	if (err.kind != ERR_NONE)
		job_answer_failed(job, &err);
	else
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
