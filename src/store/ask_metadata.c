// SPDX-License-Identifier: Apache-2.0
/* Annotations (RFC 5464) of mailboxes, and (mailbox 0) of the account. */
#include "store/store_private.h"

/* ---- reading ---- */

static int add_annotation(void *arg, const struct api_annotation *a)
{
	struct job *job = arg;
	struct api_annotation copy = *a;
	if (job_keep(job, &copy.name) && job_keep(job, &copy.value) && vec_push(&job->items, &copy))
		return 0;
	return fail(&job->err, ERR_LIMIT, "too many annotations");
}

static void get_work(struct reading *r, struct job *job)
{
	const struct engine_class *engine = r->reader->class;
	struct mailbox_row row;
	uint64_t mailbox = job->ask.metadata_get.mailbox;
	if (mailbox && job_own_mailbox(r, job, mailbox, &row) < 0)
		return;
	vec_init(&job->items, sizeof(struct api_annotation), LIMIT_ANNOTATIONS);
	engine->annotation_each(
		r->reader, job->by.account, mailbox, add_annotation, job, &job->err);
}

static enum produced get_produce(struct job *job, struct frame *frame)
{
	if (job->finished)
		return PRODUCED_END;
	size_t n = job->items.n - job->at;
	job->step = n > LIMIT_ANNOTATIONS_AT_ONCE ? LIMIT_ANNOTATIONS_AT_ONCE : n;
	*frame = (struct frame){ .type = FRAME_METADATA_ARE,
		.metadata_are = { .annotations = { job->step ? vec_at(&job->items, job->at) : NULL,
					  job->step },
			.last = job->step == n } };
	return PRODUCED_FRAME;
}

ASK(ask_metadata_get)
{
	static const struct job_class class = { .name = "metadata",
		.work = get_work,
		.produce = get_produce,
		.sent = job_items_sent,
		.cost = LIMIT_ANNOTATIONS * (LIMIT_ANNOTATION_BYTES + 300) };
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return;
	job->by = session->by;
	job_read(job);
}

/* ---- changing ---- */

static bool set_done(struct job *job)
{
	job_answer_done(job);
	return false;
}

int annotations_keep(struct txn *txn, struct api_annotation_list *list, struct err *err)
{
	struct api_annotation *items = arena_array(&txn->arena, list->n + 1, sizeof(*items));
	for (size_t i = 0; items && i < list->n; i++) {
		items[i] = list->items[i];
		if (!txn_keep(txn, &items[i].name) || !txn_keep(txn, &items[i].value))
			items = NULL;
	}
	list->items = items;
	return items ? 0 : fail(err, ERR_LIMIT, "too much at once");
}

ASK(ask_metadata_set)
{
	static const struct job_class class = { .name = "metadata_set", .done = set_done };
	const struct frame_metadata_set *ask = &frame->metadata_set;
	struct err err = ERR_INIT;
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return;
	job->txn = txn_new();
	struct op *op = txn_add(job->txn, OP_ANNOTATE);
	op->by = session->by;
	op->annotate = (struct op_annotate){ .mailbox = ask->mailbox, .list = ask->annotations };
	if (annotations_keep(job->txn, &op->annotate.list, &err) < 0)
		job_answer_failed(job, &err);
	else
		job_write(job);
}
