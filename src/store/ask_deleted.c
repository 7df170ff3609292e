// SPDX-License-Identifier: Apache-2.0
/* Questions about messages that were deleted and are kept for a while: listing them, putting them
 * back. */
#include "store/names.h"
#include "store/store_private.h"

enum { DELETED_A_FRAME = 50, DELETED_A_SLICE = 1000 };

/* What is older than the keep time is not there any more, forgotten already or not. Nothing that
 * was deleted has the time 0. */
static int64_t kept_since(const struct store *store, int64_t asked)
{
	int64_t now = store->seams->clock->wall_ms(store->seams->clock);
	int64_t since = now - store->settings.keep_deleted_ms + 1;
	since = since > asked ? since : asked;
	return since > 1 ? since : 1;
}

/* ---- the list ---- */

struct listing {
	struct job *job;
	struct deleted_row last; /* where the next slice begins */
	size_t n;                /* rows of this slice */
};

static int add_row(void *arg, const struct deleted_row *row)
{
	struct listing *l = arg;
	struct api_deleted deleted = { .mailbox = row->name,
		.time = row->time,
		.size = row->size,
		.date = row->date,
		.flags = row->flags };
	l->last = *row;
	l->n++;
	if (job_keep(l->job, &deleted.mailbox) && vec_push(&l->job->items, &deleted))
		return 0;
	l->job->step = 1; /* there are more than can be listed */
	return 1;
}

/* All that one account left. 0, 1: there is no room for more, -1. */
static int list_account(struct reading *r, struct job *job, uint64_t account)
{
	const struct frame_deleted_list *ask = &job->ask.deleted_list;
	struct deleted_filter filter = {
		.account = account, .since = ask->since, .mailbox = ask->mailbox
	};
	struct listing l = { .job = job };
	const struct deleted_row *after = NULL;
	int rc;
	do {
		l.n = 0;
		rc = r->reader->class->deleted_each(
			r->reader, &filter, after, DELETED_A_SLICE, add_row, &l, &job->err);
		after = &l.last;
	} while (rc == 0 && l.n == DELETED_A_SLICE);
	return rc;
}

static void list_work(struct reading *r, struct job *job)
{
	const struct frame_deleted_list *ask = &job->ask.deleted_list;
	const struct engine_class *engine = r->reader->class;
	struct account_row row;
	uint64_t account = 0;
	vec_init(&job->items, sizeof(struct api_deleted), LIMIT_DELETED_LIST);
	if (ask->removed) {
		while (engine->removed_each(r->reader, ask->address, account, &account, &job->err) >
			0)
			if (list_account(r, job, account) != 0)
				return;
	} else if (engine->account_by_address(r->reader, ask->address, &row, &job->err) == 0) {
		list_account(r, job, row.id);
	}
}

/* step: 1 when the list was cut. */
static enum produced list_produce(struct job *job, struct frame *frame)
{
	if (job->finished)
		return PRODUCED_END;
	size_t n = job->items.n - job->at;
	bool last = n <= DELETED_A_FRAME;
	job->worked = last ? n : DELETED_A_FRAME;
	*frame = (struct frame){ .type = FRAME_DELETED_ARE,
		.deleted_are = {
			.deleted = { n ? vec_at(&job->items, job->at) : NULL, job->worked },
			.cut = job->step != 0,
			.last = last } };
	return PRODUCED_FRAME;
}

static void list_sent(struct job *job)
{
	job->at += job->worked;
	job->finished = job->at == job->items.n;
}

/* Whom and what it is about, in canonical form ("inbox" is INBOX), kept by the job. */
static bool keep_question(
	struct job *job, struct str *address, struct str *mailbox, int64_t *since, struct err *err)
{
	struct address_name name;
	struct mailbox_name m;
	if (address_canonical(*address, &name, err) < 0)
		return false;
	if (mailbox->n > 0) {
		if (mailbox_name_canonical(*mailbox, &m, err) < 0)
			return false;
		*mailbox = mailbox_name_str(&m);
	}
	*address = address_str(&name);
	*since = kept_since(job->store, *since);
	if (job_keep(job, address) && job_keep(job, mailbox))
		return true;
	fail(err, ERR_LIMIT, "too long");
	return false;
}

ASK(ask_deleted_list)
{
	static const struct job_class class = {
		.name = "deleted", .work = list_work, .produce = list_produce, .sent = list_sent
	};
	struct err err = ERR_INIT;
	(void)session;
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return;
	struct frame_deleted_list *ask = &job->ask.deleted_list;
	if (keep_question(job, &ask->address, &ask->mailbox, &ask->since, &err))
		job_read(job);
	else
		job_answer_failed(job, &err);
}

/* ---- putting back ---- */

static bool undeleted(struct job *job)
{
	const struct op_result *result = &txn_op(job->txn, 0)->result;
	job_answer(job, &(struct frame){ .type = FRAME_UNDELETED,
				.undeleted = { .messages = result->done_count,
					.bytes = result->bytes,
					.more = result->more,
					.there = result->there } });
	return false;
}

ASK(ask_undelete)
{
	static const struct job_class class = { .name = "undelete", .done = undeleted };
	struct err err = ERR_INIT;
	(void)session;
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return;
	struct frame_undelete *ask = &job->ask.undelete;
	if (!keep_question(job, &ask->address, &ask->mailbox, &ask->since, &err)) {
		job_answer_failed(job, &err);
		return;
	}
	job->txn = txn_new();
	txn_add(job->txn, OP_UNDELETE)->undelete = (struct op_undelete){ .address = ask->address,
		.since = ask->since,
		.mailbox = ask->mailbox,
		.removed = ask->removed,
		.look = !ask->goes_on };
	job_write(job);
}
