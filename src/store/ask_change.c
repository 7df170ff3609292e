// SPDX-License-Identifier: Apache-2.0
/* Changes to entries: flags, copies, expunges. The UIDs come in frames of their own before. */
#include "store/store_private.h"

#include <stdlib.h>

enum { RANGES_A_FRAME = 7000, PEER_RANGES = 16 * LIMIT_REQUEST_RANGES };

/* ---- UIDs ---- */

/* The ranges of one request, until the change that they are for. */
struct ranges {
	struct vec items; /* struct api_range */
	bool too_many;    /* some were left out: the change is refused */
};

static struct ranges *ranges_of(struct store_peer *peer, uint32_t request)
{
	struct ranges *r = map_get_u64(&peer->ranges, request);
	if (r)
		return r;
	r = xmalloc(sizeof(*r));
	vec_init(&r->items, sizeof(struct api_range), LIMIT_REQUEST_RANGES);
	if (map_put_u64(&peer->ranges, request, r))
		return r;
	free(r); /* the change that follows is refused for want of UIDs */
	return NULL;
}

ASK(ask_uids)
{
	(void)session;
	size_t n = frame->uids.ranges.n;
	struct ranges *r = ranges_of(peer, request);
	if (r == NULL)
		return;
	if (r->items.n + n > LIMIT_REQUEST_RANGES || peer->n_ranges + n > PEER_RANGES)
		r->too_many = true;
	if (r->too_many)
		return;
	for (size_t i = 0; i < n; i++)
		vec_push(&r->items, &frame->uids.ranges.items[i]);
	peer->n_ranges += n;
}

bool peer_take_ranges(struct store_peer *peer, uint32_t request, struct vec *ret)
{
	struct ranges *r = map_remove_u64(&peer->ranges, request);
	if (r == NULL)
		return false;
	bool whole = !r->too_many;
	peer->n_ranges -= r->items.n;
	if (whole)
		*ret = r->items;
	else
		vec_done(&r->items);
	free(r);
	return whole;
}

void peer_drop_ranges(struct store_peer *peer)
{
	void *value;
	for (size_t at = 0; map_next(&peer->ranges, &at, NULL, &value);) {
		struct ranges *r = value;
		vec_done(&r->items);
		free(r);
	}
	map_done(&peer->ranges);
}

/* ---- changes ---- */

/* A write job with one operation for the session; its UIDs live as long as the transaction. */
static struct job *change_new(struct store_peer *peer, const struct store_session *session,
	const struct job_class *class, uint32_t request, const struct frame *frame,
	enum op_kind kind, struct api_range_list *ret_uids)
{
	struct vec ranges;
	struct err err = ERR_INIT;
	bool known = peer_take_ranges(peer, request, &ranges);
	struct job *job = job_new(peer, class, request, frame);
	if (job == NULL || !known) {
		if (known)
			vec_done(&ranges);
		fail(&err, ERR_LIMIT, "no UIDs, or too many ranges of them");
		if (job)
			job_answer_failed(job, &err);
		return NULL;
	}
	job->txn = txn_new();
	txn_add(job->txn, kind)->by = session->by;
	struct api_range *kept = arena_array(
		&job->txn->arena, ranges.n + 1, sizeof(struct api_range));
	if (ranges.n)
		memcpy(kept, ranges.p, ranges.n * sizeof(*kept));
	*ret_uids = (struct api_range_list){ kept, ranges.n };
	vec_done(&ranges);
	return job;
}

/* What an answer may hold that names as many entries as these UIDs may be: what it holds in the end
 * is not known before. A vec that grows has twice as much. */
static size_t cost_of(const struct job *job, const struct api_range_list *uids)
{
	uint64_t n = 0, most = job->store->settings.bounds->changed_entries;
	for (size_t i = 0; i < uids->n && n < most; i++) {
		const struct api_range *r = &uids->items[i];
		n += r->high >= r->low ? (uint64_t)r->high - r->low + 1 : 0;
	}
	return 2 * sizeof(struct api_pair) * (size_t)(n < most ? n : most);
}

/* UIDs, rising, as ranges. */
static void make_ranges(struct job *job, const struct vec *uids)
{
	vec_init(&job->items, sizeof(struct api_range), LIMIT_CHANGED_ENTRIES);
	VEC_EACH (uint32_t, uid, uids) {
		struct api_range *last = job->items.n ? vec_at(&job->items, job->items.n - 1)
						      : NULL;
		if (last && last->high + 1 == *uid)
			last->high = *uid;
		else
			vec_push(&job->items, &(struct api_range){ *uid, *uid });
	}
}

static bool changed(struct job *job)
{
	struct vec *failed = &txn_op(job->txn, 0)->result.failed;
	make_ranges(job, failed);
	vec_done(failed);
	job_holds(job);
	return true;
}

static enum produced changed_produce(struct job *job, struct frame *frame)
{
	if (job->finished)
		return PRODUCED_END;
	const struct op_result *result = &txn_op(job->txn, 0)->result;
	bool before = job->ask.type == FRAME_SET_FLAGS && job->ask.set_flags.before;
	size_t n = job->items.n - job->at;
	job->step = n > RANGES_A_FRAME ? RANGES_A_FRAME : n;
	*frame = (struct frame){ .type = FRAME_CHANGED,
		.changed = { .modseq = result->modseq,
			.failed = { n ? vec_at(&job->items, job->at) : NULL, job->step },
			.done_count = result->done_count,
			.last = job->step == n,
			.before = before ? result->before : 0 } };
	return PRODUCED_FRAME;
}

static const struct job_class change_class = {
	.name = "change", .done = changed, .produce = changed_produce, .sent = job_items_sent
};

ASK(ask_set_flags)
{
	const struct frame_set_flags *ask = &frame->set_flags;
	struct api_range_list uids;
	struct err err = ERR_INIT;
	struct job *job = change_new(peer, session, &change_class, request, frame, OP_FLAGS, &uids);
	if (job == NULL)
		return;
	struct op *op = txn_op(job->txn, 0);
	op->flags = (struct op_flags){ .mailbox = ask->mailbox,
		.uids = uids,
		.mode = ask->mode,
		.flags = ask->flags,
		.keywords = ask->keywords,
		.unchanged_since = ask->unchanged_since };
	if (ask->unchanged_since != UINT64_MAX)
		job->cost = cost_of(job, &uids);
	if (txn_keep_strings(job->txn, &op->flags.keywords)) {
		job_write(job);
		return;
	}
	fail(&err, ERR_LIMIT, "too many keywords");
	job_answer_failed(job, &err);
}

ASK(ask_expunge)
{
	const struct frame_expunge *ask = &frame->expunge;
	struct api_range_list uids;
	struct job *job = change_new(
		peer, session, &change_class, request, frame, OP_EXPUNGE, &uids);
	if (job == NULL)
		return;
	txn_op(job->txn, 0)->expunge = (struct op_expunge){
		.mailbox = ask->mailbox, .uids = uids, .deleted_only = ask->deleted_only
	};
	job_write(job);
}

/* ---- copy ---- */

static bool copied(struct job *job)
{
	job->size = txn_op(job->txn, 0)->result.pairs.n;
	job_holds(job);
	return true;
}

static enum produced copied_produce(struct job *job, struct frame *frame)
{
	if (job->finished)
		return PRODUCED_END;
	const struct op_result *result = &txn_op(job->txn, 0)->result;
	size_t n = result->pairs.n - job->at;
	job->step = n > RANGES_A_FRAME ? RANGES_A_FRAME : n;
	*frame = (struct frame){ .type = FRAME_COPIED,
		.copied = { .uidvalidity = result->uidvalidity,
			.modseq = result->modseq,
			.pairs = { n ? vec_at(&result->pairs, job->at) : NULL, job->step },
			.last = job->step == n } };
	return PRODUCED_FRAME;
}

static void pairs_sent(struct job *job)
{
	job->at += job->step;
	job->finished = job->at == job->size;
}

ASK(ask_copy)
{
	static const struct job_class class = {
		.name = "copy", .done = copied, .produce = copied_produce, .sent = pairs_sent
	};
	const struct frame_copy *ask = &frame->copy;
	struct api_range_list uids;
	struct job *job = change_new(peer, session, &class, request, frame, OP_COPY, &uids);
	if (job == NULL)
		return;
	txn_op(job->txn, 0)->copy = (struct op_copy){ .mailbox = ask->mailbox,
		.target = ask->target,
		.uids = uids,
		.move = ask->move,
		.expected = ask->expected };
	job->cost = cost_of(job, &uids);
	job_write(job);
}
