// SPDX-License-Identifier: Apache-2.0
/* The bytes of messages, and their digests. */
#include "store/store_private.h"

#include <inttypes.h>

enum {
	BYTES_A_FRAME = 65000,
	MESSAGES_A_TURN = 256 * 1024, /* read ahead of what is sent */
	DIGEST_A_FRAME = 64000,
	DIGESTS_A_TURN = 256 * 1024, /* frames of them go while the next turn reads */
	DIGESTS_A_FRAME = 1000,
	DIGESTS_A_WALK = 256,
	DIGEST_HEAD_BYTES = 12, /* of one among many */
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

/* Adds bytes that begin at a place to the job's; job->size is that of the whole entry. */
static int read_place(struct reading *r, struct job *job, const struct entry_place *place,
	uint64_t offset, size_t length)
{
	if (length > BYTES_A_FRAME)
		length = BYTES_A_FRAME;
	job->size = place->prefix_size + place->body.size;
	if (read_prefix(r, job, place, offset, &length) < 0)
		return -1;
	uint64_t at = offset > place->prefix_size ? offset - place->prefix_size : 0;
	return read_body(r, job, place, at, length);
}

/* The same of an entry. -1: job->err. The record may be moved, and its segment removed, between the
 * look at the row and the reading: then the row says something else by now, but not in a snapshot.
 */
static int read_entry(struct reading *r, struct job *job, uint64_t mailbox, uint32_t uid,
	uint64_t offset, size_t length)
{
	struct entry_place place = { .size = 0 }, before;
	size_t had = job->bytes.n;
	do {
		before = place;
		job->err = (struct err)ERR_INIT;
		buf_truncate(&job->bytes, had);
		if (r->reader->class->entry(
			    r->reader, job->by.account, mailbox, uid, &place, &job->err) < 0)
			return -1;
		if (read_place(r, job, &place, offset, length) == 0)
			return 0;
	} while (place.body.ref.segment != before.body.ref.segment ||
		 place.body.ref.offset != before.body.ref.offset);
	buf_truncate(&job->bytes, had);
	return -1;
}

static void bytes_work(struct reading *r, struct job *job)
{
	const struct frame_message_read *ask = &job->ask.message_read;
	buf_clear(&job->bytes);
	(void)read_entry(r, job, ask->mailbox, ask->uid, ask->offset, ask->length);
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

/* ---- many entries ---- */

/* One that was read: its bytes lie in job->bytes. */
struct read_message {
	uint32_t uid;
	bool gone;
	uint64_t size;
	size_t at, n;
};

/* Whoever is gone is an answer; any other failure ends the series, behind what was read. */
static int read_whole(struct reading *r, struct job *job, uint64_t mailbox, uint32_t uid)
{
	struct read_message m = { .uid = uid, .at = job->bytes.n };
	if (read_entry(r, job, mailbox, uid, 0, BYTES_A_FRAME) == 0) {
		m.size = job->size;
		m.n = job->bytes.n - m.at;
	} else if (job->err.kind == ERR_NOT_FOUND) {
		m.gone = true;
		job->err = (struct err)ERR_INIT;
	} else {
		return -1;
	}
	vec_push(&job->items, &m);
	return 0;
}

/* A turn's worth, in one snapshot; the rest when this was sent. worked: UIDs that were read so far.
 */
static void messages_work(struct reading *r, struct job *job)
{
	const struct frame_messages_read *ask = &job->ask.messages_read;
	buf_clear(&job->bytes);
	vec_done(&job->items);
	vec_init(&job->items, sizeof(struct read_message), ask->uids.n + 1);
	job->at = 0;
	if (r->reader->class->snapshot_begin(r->reader, &job->err) < 0)
		return;
	while (job->worked < ask->uids.n && job->bytes.n < MESSAGES_A_TURN &&
		read_whole(r, job, ask->mailbox, ask->uids.items[job->worked]) == 0)
		job->worked++;
	if (job->items.n > 0)
		job->err = (struct err)ERR_INIT; /* the next turn meets it again */
	r->reader->class->snapshot_end(r->reader);
	/* Where the snapshot says that the first one's record is, it may be no more. */
	if (job->items.n == 0 && job->worked < ask->uids.n &&
		read_whole(r, job, ask->mailbox, ask->uids.items[job->worked]) == 0)
		job->worked++;
}

static enum produced messages_produce(struct job *job, struct frame *frame)
{
	bool read_all = job->worked == job->ask.messages_read.uids.n;
	if (job->at == job->items.n)
		return read_all ? PRODUCED_END : PRODUCED_WORK;
	const struct read_message *m = vec_at(&job->items, job->at);
	*frame = (struct frame){ .type = FRAME_MESSAGE_IS,
		.message_is = { .uid = m->uid,
			.gone = m->gone,
			.size = m->size,
			.data = str_sub(buf_str(&job->bytes), m->at, m->n),
			.last = read_all && job->at + 1 == job->items.n } };
	return PRODUCED_FRAME;
}

static void message_sent(struct job *job)
{
	job->at++;
}

/* A question that answers itself: for no UIDs the answer is empty, and the last. */
static void answer_nothing(struct store_peer *peer, uint32_t request, const struct frame *none)
{
	if (!peer->replies.send(peer->replies.arg, request, none)) {
		struct err err = ERR_INIT;
		fail(&err, ERR_TEMP, "no room for an answer");
		peer_fail(peer, request, &err);
	}
}

ASK(ask_messages_read)
{
	static const struct job_class class = { .name = "messages",
		.work = messages_work,
		.produce = messages_produce,
		.sent = message_sent,
		.cost = MESSAGES_A_TURN + BYTES_A_FRAME };
	if (frame->messages_read.uids.n == 0) {
		answer_nothing(peer, request,
			&(struct frame){ .type = FRAME_MESSAGE_IS, .message_is.last = true });
		return;
	}
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return;
	job_keep_uids(job, &job->ask.messages_read.uids);
	job->by = session->by;
	job_read(job);
}

/* ---- digests ---- */

/* One that was read: its bytes lie in job->bytes. */
struct read_digest {
	uint32_t uid, prefix_size;
	size_t at, size;
};

static void read_one(struct reading *r, struct job *job, uint32_t uid, const struct entry_body *e)
{
	struct read_digest d = { .uid = uid, .prefix_size = e->prefix_size, .at = job->bytes.n };
	if (e->body)
		digest_read(r->digests, e->body, &job->bytes);
	d.size = job->bytes.n - d.at;
	vec_push(&job->items, &d);
}

/* How many may still belong to this turn, if they are as large as those that it has. */
static size_t so_many_more(const struct job *job)
{
	size_t size = job->items.n == 0 ? 0 : job->bytes.n / job->items.n;
	size_t n = size == 0 ? DIGESTS_A_WALK : (DIGESTS_A_TURN - job->bytes.n) / size + 1;
	return n > DIGESTS_A_WALK ? DIGESTS_A_WALK : n;
}

/* A turn's worth, in one snapshot of each; the rest when this was sent. worked: UIDs that were read
 * so far. */
static void digests_work(struct reading *r, struct job *job)
{
	const struct frame_digest_read *ask = &job->ask.digest_read;
	struct entry_body bodies[DIGESTS_A_WALK];
	buf_clear(&job->bytes);
	vec_done(&job->items);
	vec_init(&job->items, sizeof(struct read_digest), ask->uids.n + 1);
	job->at = job->step = 0;
	if (r->reader->class->snapshot_begin(r->reader, &job->err) < 0)
		return;
	digest_reader_snapshot(r->digests, true);
	while (job->worked < ask->uids.n && job->bytes.n < DIGESTS_A_TURN) {
		const uint32_t *uids = ask->uids.items + job->worked;
		size_t n = ask->uids.n - job->worked, most = so_many_more(job);
		n = n > most ? most : n;
		if (r->reader->class->entry_bodies(r->reader, job->by.account, ask->mailbox, uids,
			    n, bodies, &job->err) < 0)
			break;
		for (size_t i = 0; i < n && job->bytes.n < DIGESTS_A_TURN; i++, job->worked++)
			read_one(r, job, uids[i], &bodies[i]);
	}
	digest_reader_snapshot(r->digests, false);
	r->reader->class->snapshot_end(r->reader);
}

/* Small ones from job->at on, as many as one frame takes; job->step: how many. */
static bool produce_many(struct job *job, bool read_all, struct frame *frame)
{
	size_t bytes = 0;
	vec_clear(&job->more_items);
	for (size_t i = job->at; i < job->items.n && job->more_items.n < DIGESTS_A_FRAME; i++) {
		const struct read_digest *d = vec_at(&job->items, i);
		bytes += d->size + DIGEST_HEAD_BYTES;
		if (bytes > DIGEST_A_FRAME)
			break;
		struct api_one_digest one = { d->uid, d->prefix_size,
			str_sub(buf_str(&job->bytes), d->at, d->size) };
		vec_push(&job->more_items, &one);
	}
	job->step = job->more_items.n;
	if (job->step == 0)
		return false;
	*frame = (struct frame){ .type = FRAME_DIGESTS_ARE,
		.digests_are = { { (void *)job->more_items.p, job->step },
			.last = read_all && job->at + job->step == job->items.n } };
	return true;
}

/* at: which digest; noted: how much of it was sent; finished: the frame is of many. */
static enum produced digests_produce(struct job *job, struct frame *frame)
{
	bool read_all = job->worked == job->ask.digest_read.uids.n;
	if (job->at == job->items.n)
		return read_all ? PRODUCED_END : PRODUCED_WORK;
	job->finished = job->ask.digest_read.many && job->noted == 0 &&
			produce_many(job, read_all, frame);
	if (job->finished)
		return PRODUCED_FRAME;
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
	if (job->finished) {
		job->at += job->step;
		return;
	}
	job->noted += job->step;
	if (job->noted < d->size)
		return;
	job->noted = 0;
	job->at++;
}

ASK(ask_digest_read)
{
	static const struct job_class class = { .name = "digests",
		.work = digests_work,
		.produce = digests_produce,
		.sent = digest_sent,
		.cost = DIGESTS_A_TURN + LIMIT_DIGEST_BYTES };
	if (frame->digest_read.uids.n == 0) {
		answer_nothing(peer, request,
			&(struct frame){ .type = FRAME_DIGEST_IS, .digest_is.last = true });
		return;
	}
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return;
	job_keep_uids(job, &job->ask.digest_read.uids);
	vec_init(&job->more_items, sizeof(struct api_one_digest), DIGESTS_A_FRAME);
	job->by = session->by;
	job_read(job);
}

/* ---- what a front has made: a digest, a signature ---- */

static bool is_digest(const struct job *job)
{
	return job->ask.type == FRAME_DIGEST_PUT;
}

static struct str *bytes_put(struct job *job)
{
	return is_digest(job) ? &job->ask.digest_put.digest : &job->ask.signature_put.signature;
}

static void put_work(struct reading *r, struct job *job)
{
	const struct frame_digest_put *digest = &job->ask.digest_put;
	const struct frame_signature_put *signature = &job->ask.signature_put;
	uint64_t mailbox = is_digest(job) ? digest->mailbox : signature->mailbox;
	uint32_t uid = is_digest(job) ? digest->uid : signature->uid;
	struct entry_place place;
	if (r->reader->class->entry(r->reader, job->by.account, mailbox, uid, &place, &job->err) <
		0)
		return;
	job->digest_body = place.body.ref.id;
	job->signature_prefix = place.prefix_at;
}

/* First from a reader, which found the body; then from the writer. */
static bool put_done(struct job *job)
{
	struct str *kept = is_digest(job) ? &job->digest : &job->signature;
	if (kept->n == 0 && bytes_put(job)->n && !job->store->read_only) {
		*kept = *bytes_put(job);
		/* The message may have been erased meanwhile: then nothing of it comes back. */
		job->txn = txn_new();
		txn_add(job->txn, OP_NAMED)->named.body = job->digest_body;
		job_write(job);
		return false;
	}
	job_answer_done(job);
	return false;
}

static void put(struct store_peer *peer, const struct store_session *session, uint32_t request,
	const struct frame *frame)
{
	static const struct job_class class = { .name = "put", .work = put_work, .done = put_done };
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return;
	job->by = session->by;
	if (job_keep(job, bytes_put(job)))
		job_read(job);
	else
		job_answer_done(job);
}

ASK(ask_digest_put)
{
	put(peer, session, request, frame);
}

ASK(ask_signature_put)
{
	put(peer, session, request, frame);
}
