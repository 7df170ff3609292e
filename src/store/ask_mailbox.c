// SPDX-License-Identifier: Apache-2.0
/* Questions about mailboxes, and changes to them. */
#include "store/names.h"
#include "store/store_private.h"

#include <stdlib.h>

enum { MAILBOXES_A_FRAME = 256, NAMES_A_FRAME = 48000, RECORD_BYTES = 64 };

/* ---- answers that are lists of mailboxes ---- */

/* As many as fit into a frame by number and by bytes. */
static size_t fitting(const struct job *job)
{
	size_t n = 0, bytes = 0;
	while (job->at + n < job->items.n && n < MAILBOXES_A_FRAME) {
		const struct api_mailbox *m = vec_at(&job->items, job->at + n);
		bytes += m->name.n + RECORD_BYTES;
		if (n > 0 && bytes > NAMES_A_FRAME)
			break;
		n++;
	}
	return n;
}

static enum produced mailboxes_produce(struct job *job, struct frame *frame)
{
	if (job->finished)
		return PRODUCED_END;
	job->step = fitting(job);
	size_t recents = job->more_items.n ? job->step : 0;
	*frame = (struct frame){ .type = FRAME_MAILBOXES,
		.mailboxes = {
			.mailboxes = { job->step ? vec_at(&job->items, job->at) : NULL, job->step },
			.last = job->at + job->step == job->items.n,
			.recents = {
				recents ? vec_at(&job->more_items, job->at) : NULL, recents } } };
	return PRODUCED_FRAME;
}

static int add_mailbox(void *arg, const struct api_mailbox *mailbox)
{
	struct job *job = arg;
	struct api_mailbox copy = *mailbox;
	if (job_keep(job, &copy.name) && vec_push(&job->items, &copy))
		return 0;
	return fail(&job->err, ERR_LIMIT, "too many mailboxes");
}

static void init_items(struct job *job)
{
	vec_init(&job->items, sizeof(struct api_mailbox), LIMIT_MAILBOXES + LIMIT_SUBSCRIPTIONS);
}

/* ---- reads ---- */

/* Where a mailbox's view is kept, SELECT says what is published. What a reader saw may be ahead of
 * that for a moment, and nobody is to see a mailbox go back. */
static bool is_ahead(const struct job *job)
{
	VEC_EACH (struct api_mailbox, m, &job->items) {
		const struct mailbox_log *log = map_get_u64(&job->store->logs, m->id);
		if (log && log->base && m->highest_modseq > log->latest &&
			m->highest_modseq > log->base->modseq)
			return true;
	}
	return false;
}

static bool waits(struct job *job)
{
	bool ahead = job->store->under_way > 0 && is_ahead(job);
	if (ahead)
		job_wait(job);
	return ahead;
}

static bool read_done(struct job *job)
{
	if (waits(job))
		return false;
	job_holds(job);
	return true;
}

static void published(struct job *job)
{
	if (waits(job))
		return;
	job_holds(job);
	peer_out(job->peer, job);
}

/* What of it is not in the ledger yet goes along: recent.c. */
static void wants_recent(struct job *job)
{
	vec_init(&job->more_items, sizeof(struct recent_of), LIMIT_MAILBOXES);
	recents_collect(job->store, job->by.account, &job->more_items);
}

static int compare_mailboxes(const void *a, const void *b)
{
	const struct recent_of *x = a, *y = b;
	return x->mailbox < y->mailbox ? -1 : x->mailbox > y->mailbox;
}

static uint32_t not_in_ledger(const struct vec *waiting, uint64_t mailbox)
{
	struct recent_of key = { .mailbox = mailbox };
	const struct recent_of *of = waiting->n ? bsearch(&key, waiting->p, waiting->n, sizeof(key),
							  compare_mailboxes)
						: NULL;
	return of ? of->uid : 0;
}

/* A number for each mailbox, in the place of what was collected. */
static void count_recent(struct reading *r, struct job *job)
{
	struct vec waiting = job->more_items;
	if (waiting.n)
		qsort(waiting.p, waiting.n, waiting.size, compare_mailboxes);
	vec_init(&job->more_items, sizeof(uint32_t), job->items.max);
	VEC_EACH (const struct api_mailbox, m, &job->items) {
		uint32_t n = 0;
		if (job->err.kind == ERR_NONE && m->messages > 0)
			(void)r->reader->class->recent(
				r->reader, m, not_in_ledger(&waiting, m->id), &n, &job->err);
		vec_push(&job->more_items, &n);
	}
	vec_done(&waiting);
}

static void list_work(struct reading *r, struct job *job)
{
	init_items(job);
	if (r->reader->class->mailbox_each(
		    r->reader, job->by.account, add_mailbox, job, &job->err) == 0 &&
		job->ask.mailbox_list.recent)
		count_recent(r, job);
}

ASK(ask_mailbox_list)
{
	static const struct job_class class = { .name = "mailboxes",
		.work = list_work,
		.done = read_done,
		.published = published,
		.produce = mailboxes_produce,
		.sent = job_items_sent,
		.cost = LIMIT_PEER_ANSWER_BYTES / 8 };
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return;
	job->by = session->by;
	if (frame->mailbox_list.recent)
		wants_recent(job);
	job_read(job);
}

static void status_work(struct reading *r, struct job *job)
{
	struct mailbox_row row;
	init_items(job);
	if (r->reader->class->mailbox_by_name(
		    r->reader, job->by.account, job->ask.mailbox_status.name, &row, &job->err) == 0)
		add_mailbox(job, &row.status);
	if (job->err.kind == ERR_NONE && job->ask.mailbox_status.recent)
		count_recent(r, job);
}

/* Puts a canonical name into the job. */
static int keep_name(struct job *job, struct str *name, struct err *err)
{
	struct mailbox_name canonical;
	if (mailbox_name_canonical(*name, &canonical, err) < 0)
		return -1;
	*name = mailbox_name_str(&canonical);
	return job_keep(job, name) ? 0 : fail(err, ERR_LIMIT, "the name is too long");
}

ASK(ask_mailbox_status)
{
	static const struct job_class class = { .name = "status",
		.work = status_work,
		.done = read_done,
		.published = published,
		.produce = mailboxes_produce,
		.sent = job_items_sent };
	struct err err = ERR_INIT;
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return;
	job->by = session->by;
	if (frame->mailbox_status.recent)
		wants_recent(job);
	if (keep_name(job, &job->ask.mailbox_status.name, &err) == 0) {
		job_read(job);
		return;
	}
	/* What can't be a name is no mailbox. */
	fail(&err, ERR_NOT_FOUND, "no such mailbox");
	job_answer_failed(job, &err);
}

/* ---- changes ---- */

static bool created(struct job *job)
{
	init_items(job);
	add_mailbox(job, &txn_op(job->txn, 0)->result.status);
	return true;
}

static bool answer_done(struct job *job)
{
	job_answer_done(job);
	return false;
}

static const struct job_class create_class = {
	.name = "create", .done = created, .produce = mailboxes_produce, .sent = job_items_sent
};
static const struct job_class change_class = { .name = "mailbox", .done = answer_done };

/* One operation on names. `to` may be empty. */
static void change(struct store_peer *peer, const struct store_session *session, uint32_t request,
	const struct frame *frame, enum op_kind kind, struct op_mailbox values)
{
	struct err err = ERR_INIT;
	const struct job_class *class = kind == OP_MAILBOX_CREATE ? &create_class : &change_class;
	struct job *job = job_new(peer, class, request, frame);
	if (job == NULL)
		return;
	job->txn = txn_new();
	struct op *op = txn_add(job->txn, kind);
	op->by = session->by;
	op->mailbox = values;
	if (keep_name(job, &op->mailbox.name, &err) < 0 ||
		(kind == OP_MAILBOX_RENAME && keep_name(job, &op->mailbox.to, &err) < 0))
		job_answer_failed(job, &err);
	else
		job_write(job);
}

ASK(ask_mailbox_create)
{
	const struct frame_mailbox_create *ask = &frame->mailbox_create;
	change(peer, session, request, frame, OP_MAILBOX_CREATE,
		(struct op_mailbox){ .name = ask->name, .special_use = ask->special_use });
}

ASK(ask_mailbox_delete)
{
	change(peer, session, request, frame, OP_MAILBOX_DELETE,
		(struct op_mailbox){ .name = frame->mailbox_delete.name });
}

ASK(ask_mailbox_rename)
{
	const struct frame_mailbox_rename *ask = &frame->mailbox_rename;
	change(peer, session, request, frame, OP_MAILBOX_RENAME,
		(struct op_mailbox){ .name = ask->from, .to = ask->to });
}

ASK(ask_mailbox_subscribe)
{
	const struct frame_mailbox_subscribe *ask = &frame->mailbox_subscribe;
	change(peer, session, request, frame, OP_SUBSCRIBE,
		(struct op_mailbox){ .name = ask->name, .on = ask->on });
}
