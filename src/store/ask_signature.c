// SPDX-License-Identifier: Apache-2.0
/* What signatures hold of what is searched for. Those that a front has made come as digests do
 * (ask_message.c). */
#include "store/store_private.h"

#include "mail/signature.h"
#include "store/ops.h"

enum { ENTRIES_A_WALK = 256, SIGNED = 1 << 7 };

struct needles {
	size_t n;
	struct {
		uint16_t trigrams[SIGNATURE_TRIGRAMS];
		size_t n;
	} of[7]; /* signature_ask: needles */
};

static struct needles needles_of(const struct api_needle_list *list)
{
	struct needles all = { .n = list->n };
	for (size_t i = 0; i < list->n; i++) {
		const uint8_t *p = (const uint8_t *)list->items[i].trigrams.p;
		all.of[i].n = list->items[i].trigrams.n / 2;
		for (size_t k = 0; k < all.of[i].n; k++)
			all.of[i].trigrams[k] = (uint16_t)(p[2 * k] | p[2 * k + 1] << 8);
	}
	return all;
}

static uint8_t held_by(struct str signature, const struct needles *needles)
{
	uint8_t held = SIGNED;
	for (size_t i = 0; i < needles->n; i++)
		if (signature_may_hold(signature, needles->of[i].trigrams, needles->of[i].n))
			held |= (uint8_t)(1u << i);
	return held;
}

/* All of them, in one snapshot of each: a few milliseconds for 4,000. */
static void ask_work(struct reading *r, struct job *job)
{
	const struct frame_signature_ask *ask = &job->ask.signature_ask;
	struct needles needles = needles_of(&ask->needles);
	struct entry_body bodies[ENTRIES_A_WALK];
	if (r->reader->class->snapshot_begin(r->reader, &job->err) < 0)
		return;
	digest_reader_snapshot(r->digests, true);
	for (size_t at = 0, n; at < ask->uids.n; at += n) {
		n = ask->uids.n - at < ENTRIES_A_WALK ? ask->uids.n - at : ENTRIES_A_WALK;
		if (r->reader->class->entry_bodies(r->reader, job->by.account, ask->mailbox,
			    ask->uids.items + at, n, bodies, &job->err) < 0)
			break;
		for (size_t i = 0; i < n; i++) {
			struct str signature = signature_read(
				r->digests, bodies[i].body, bodies[i].prefix_at);
			buf_addc(&job->bytes, signature.n ? (char)held_by(signature, &needles) : 0);
		}
	}
	digest_reader_snapshot(r->digests, false);
	r->reader->class->snapshot_end(r->reader);
}

static bool ask_done(struct job *job)
{
	job_answer(job, &(struct frame){ .type = FRAME_SIGNATURES_HOLD,
				.signatures_hold = { buf_str(&job->bytes), .last = true } });
	return false;
}

static bool keep_needles(struct job *job, struct api_needle_list *needles)
{
	struct api_needle *copy = arena_array(&job->arena, needles->n, sizeof(*copy));
	for (size_t i = 0; i < needles->n; i++) {
		copy[i] = needles->items[i];
		if (!job_keep(job, &copy[i].trigrams))
			return false;
	}
	needles->items = copy;
	return true;
}

ASK(ask_signature_ask)
{
	static const struct job_class class = {
		.name = "signatures", .work = ask_work, .done = ask_done
	};
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return;
	job->by = session->by;
	job_keep_uids(job, &job->ask.signature_ask.uids);
	if (keep_needles(job, &job->ask.signature_ask.needles))
		job_read(job);
	else
		job_answer_done(job);
}
