// SPDX-License-Identifier: Apache-2.0
/*
 * Which UIDs were expunged after a modseq (RFC 7162 3.2.5.1, 3.2.6). The ledger remembers every one
 * for as long as its mailbox exists. They are read in slices of LIMIT_VIEW_SLICE_ROWS, each a
 * snapshot of its own: what is expunged meanwhile may be in the answer or not, and who asks has a
 * view that says which of these UIDs its client still counts.
 *
 * That walk takes longer the older a mailbox is. Most who ask have seen the mailbox a moment ago,
 * and its log, where somebody watches it, has what they need; but not when one of them was told
 * what is not published yet (bases.c).
 */
#include "store/store_private.h"

enum { RANGES_A_FRAME = 7000 };

static void vanished_work(struct reading *r, struct job *job)
{
	const struct frame_view_vanished *ask = &job->ask.view_vanished;
	const struct store_bounds *bounds = job->store->settings.bounds;
	struct mailbox_row row;
	uint32_t after = (uint32_t)job->worked;
	if (job_own_mailbox(r, job, ask->mailbox, &row) < 0)
		return;
	int more = r->reader->class->expunged(r->reader, ask->mailbox, &after, bounds->slice_rows,
		ask->since, &job->items, &job->err);
	job->worked = after;
	job->finished = more <= 0;
}

static enum produced vanished_produce(struct job *job, struct frame *frame)
{
	if (job->finished)
		return PRODUCED_END;
	size_t n = job->items.n - job->at;
	job->step = n > RANGES_A_FRAME ? RANGES_A_FRAME : n;
	*frame = (struct frame){ .type = FRAME_VANISHED,
		.vanished = {
			.uids = { job->step ? vec_at(&job->items, job->at) : NULL, job->step },
			.last = job->step == n } };
	return PRODUCED_FRAME;
}

static bool take_from_log(struct job *job, const struct mailbox_log *log)
{
	uint64_t since = job->ask.view_vanished.since;
	struct vec entries, expunged;
	if (log == NULL || log->gone || log->account != job->by.account ||
		!log_reaches(log, since) || log->latest < log->said)
		return false;
	vec_init(&entries, sizeof(struct api_entry), LIMIT_CHANGE_LOG);
	vec_init(&expunged, sizeof(uint32_t), LIMIT_CHANGE_LOG);
	bool taken = log_changes(log, since, &entries, &expunged, &job->err) == 0;
	VEC_EACH (uint32_t, uid, &expunged)
		taken = taken && ranges_add(&job->items, *uid, &job->err) == 0;
	vec_done(&entries);
	vec_done(&expunged);
	return taken;
}

ASK(ask_view_vanished)
{
	static const struct job_class class = { .name = "vanished",
		.work = vanished_work,
		.done = job_items_read,
		.produce = vanished_produce,
		.sent = job_items_sent,
		.cost = LIMIT_PEER_ANSWER_BYTES / 8 };
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return;
	job->by = session->by;
	vec_done(&job->items);
	vec_init(&job->items, sizeof(struct api_range), job->store->settings.bounds->view_entries);
	if (peer->reads.held <= LIMIT_PEER_ANSWER_BYTES &&
		take_from_log(job, map_get_u64(&peer->store->logs, frame->view_vanished.mailbox))) {
		job_holds(job);
		peer_out(peer, job);
		return;
	}
	vec_clear(&job->items);
	job->err = (struct err)ERR_INIT;
	job_read(job);
}
