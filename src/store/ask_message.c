// SPDX-License-Identifier: Apache-2.0
/* The bytes of messages, and their digests. */
#include "store/store_private.h"

#include <inttypes.h>

enum {
	BYTES_A_FRAME = 65000,
	DIGEST_A_FRAME = 64000,
	DIGESTS_A_TURN = 256 * 1024, /* read ahead of what is sent */
};

/* ---- bytes ---- */

/* Prefix bytes from offset on, then the body's. */
static int read_prefix(struct reading *r, struct job *job, const struct entry_place *place,
	uint64_t offset, size_t *length)
{
	char prefix[LIMIT_PREFIX_BYTES];
	if (offset >= place->prefix_size || *length == 0)
		return 0;
	ssize_t n = segment_read_prefix(
		r->segments, &place->body.ref, place->prefix_at, prefix, sizeof(prefix), &job->err);
	if (n < 0)
		return -1;
	if ((size_t)n != place->prefix_size)
		return fail_log(&job->err, ERR_CORRUPT,
			"body %" PRIu64 ": a prefix has another size", place->body.ref.id);
	struct str part = str_sub(str_make(prefix, (size_t)n), offset, *length);
	buf_adds(&job->bytes, part);
	*length -= part.n;
	return 0;
}

static int read_body(struct reading *r, struct job *job, const struct entry_place *place,
	uint64_t offset, size_t length)
{
	while (length > 0 && offset < place->body.size) {
		char *p = buf_reserve(&job->bytes, length);
		ssize_t n = p == NULL ? -1
				      : segment_read(r->segments, &place->body.ref, offset, p,
						length, &job->err);
		if (n < 0)
			return -1;
		if (n == 0)
			return fail_log(&job->err, ERR_CORRUPT, "body %" PRIu64 " is too short",
				place->body.ref.id);
		buf_used(&job->bytes, (size_t)n);
		offset += (uint64_t)n;
		length -= (size_t)n;
		if (length > place->body.size - offset)
			length = (size_t)(place->body.size - offset);
	}
	return 0;
}

static void bytes_work(struct reading *r, struct job *job)
{
	const struct frame_message_read *ask = &job->ask.message_read;
	struct entry_place place;
	size_t length = ask->length > BYTES_A_FRAME ? BYTES_A_FRAME : ask->length;
	if (r->reader->class->entry(
		    r->reader, job->by.account, ask->mailbox, ask->uid, &place, &job->err) < 0)
		return;
	job->size = place.prefix_size + place.body.size;
	if (read_prefix(r, job, &place, ask->offset, &length) < 0)
		return;
	uint64_t at = ask->offset > place.prefix_size ? ask->offset - place.prefix_size : 0;
	read_body(r, job, &place, at, length);
}

static enum produced bytes_produce(struct job *job, struct frame *frame)
{
	if (job->finished)
		return PRODUCED_END;
	*frame = (struct frame){ .type = FRAME_MESSAGE_BYTES,
		.message_bytes = { .size = job->size, .data = buf_str(&job->bytes) } };
	return PRODUCED_FRAME;
}

static void finished(struct job *job)
{
	job->finished = true;
}

ASK(ask_message_read)
{
	static const struct job_class class = { .name = "bytes",
		.work = bytes_work,
		.produce = bytes_produce,
		.sent = finished,
		.cost = BYTES_A_FRAME };
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return;
	job->by = session->by;
	job_read(job);
}

/* ---- digests ---- */

/* One that was read: its bytes lie in job->bytes. */
struct read_digest {
	uint32_t uid, prefix_size;
	size_t at, size;
};

static int read_one(struct reading *r, struct job *job, uint32_t uid)
{
	struct read_digest d = { .uid = uid, .at = job->bytes.n };
	struct entry_place place;
	struct err err = ERR_INIT;
	uint64_t mailbox = job->ask.digest_read.mailbox;
	if (r->reader->class->entry(r->reader, job->by.account, mailbox, uid, &place, &err) == 0) {
		d.prefix_size = place.prefix_size;
		digest_read(r->digests, place.body.ref.id, &job->bytes);
	} else if (err.kind != ERR_NOT_FOUND && err.kind != ERR_CORRUPT) {
		job->err = err;
		return -1;
	}
	d.size = job->bytes.n - d.at;
	vec_push(&job->items, &d);
	return 0;
}

/* A turn's worth; the rest when this was sent. worked: UIDs that were read so far. */
static void digests_work(struct reading *r, struct job *job)
{
	const struct api_u32_list *uids = &job->ask.digest_read.uids;
	buf_clear(&job->bytes);
	vec_done(&job->items);
	vec_init(&job->items, sizeof(struct read_digest), uids->n + 1);
	job->at = job->step = 0;
	while (job->worked < uids->n && job->bytes.n < DIGESTS_A_TURN)
		if (read_one(r, job, uids->items[job->worked++]) < 0)
			return;
}

/* at: which digest; noted: how much of it was sent. */
static enum produced digests_produce(struct job *job, struct frame *frame)
{
	bool read_all = job->worked == job->ask.digest_read.uids.n;
	if (job->at == job->items.n)
		return read_all ? PRODUCED_END : PRODUCED_WORK;
	const struct read_digest *d = vec_at(&job->items, job->at);
	size_t left = d->size - (size_t)job->noted;
	job->step = left > DIGEST_A_FRAME ? DIGEST_A_FRAME : left;
	bool more = job->step < left;
	*frame = (struct frame){ .type = FRAME_DIGEST_IS,
		.digest_is = { .uid = d->uid,
			.prefix_size = d->prefix_size,
			.digest = str_sub(
				buf_str(&job->bytes), d->at + (size_t)job->noted, job->step),
			.more = more,
			.last = !more && read_all && job->at + 1 == job->items.n } };
	return PRODUCED_FRAME;
}

static void digest_sent(struct job *job)
{
	const struct read_digest *d = vec_at(&job->items, job->at);
	job->noted += job->step;
	if (job->noted < d->size)
		return;
	job->noted = 0;
	job->at++;
}

/* A question for no UIDs has an answer too: one that is empty, and the last. */
static void answer_nothing(struct store_peer *peer, uint32_t request)
{
	struct frame none = { .type = FRAME_DIGEST_IS, .digest_is.last = true };
	if (!peer->replies.send(peer->replies.arg, request, &none)) {
		struct err err = ERR_INIT;
		fail(&err, ERR_TEMP, "no room for an answer");
		peer_fail(peer, request, &err);
	}
}

ASK(ask_digest_read)
{
	static const struct job_class class = { .name = "digests",
		.work = digests_work,
		.produce = digests_produce,
		.sent = digest_sent,
		.cost = DIGESTS_A_TURN + LIMIT_DIGEST_BYTES };
	size_t n = frame->digest_read.uids.n;
	if (n == 0) {
		answer_nothing(peer, request);
		return;
	}
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return;
	uint32_t *uids = arena_array(&job->arena, n, sizeof(*uids));
	memcpy(uids, frame->digest_read.uids.items, n * sizeof(*uids));
	job->ask.digest_read.uids.items = uids;
	job->by = session->by;
	job_read(job);
}

/* ---- a digest that was made again ---- */

static void put_work(struct reading *r, struct job *job)
{
	const struct frame_digest_put *ask = &job->ask.digest_put;
	struct entry_place place;
	if (r->reader->class->entry(
		    r->reader, job->by.account, ask->mailbox, ask->uid, &place, &job->err) == 0)
		job->digest_body = place.body.ref.id;
}

/* First from a reader, which found the body; then from the writer. */
static bool put_done(struct job *job)
{
	if (job->digest.n == 0 && job->ask.digest_put.digest.n && !job->store->read_only) {
		job->digest = job->ask.digest_put.digest;
		job_write(job);
		return false;
	}
	job_answer_done(job);
	return false;
}

ASK(ask_digest_put)
{
	static const struct job_class class = {
		.name = "digest", .work = put_work, .done = put_done
	};
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return;
	job->by = session->by;
	if (job_keep(job, &job->ask.digest_put.digest))
		job_read(job);
	else
		job_answer_done(job);
}
