// SPDX-License-Identifier: Apache-2.0
/*
 * Writing: appending records to the segment at the end, and flushing a batch of them.
 *
 * A batch is laid out in memory and goes to the file by one write, or by several when it is larger
 * than LIMIT_SEGMENT_BATCH (a large body streams through the same memory). Nothing before `tail` is
 * ever written again: the next batch begins at a block of its own, so neither a torn write nor a
 * page that fails can touch a record that was promised.
 */
#include "store/segment_private.h"

#include "base/planted.h"

#include "store/spool.h"

#include <assert.h>
#include <stdlib.h>

/* What a large body is copied by. */
#define STREAM_BYTES (1024 * 1024)

bool segments_must_end(const struct segments *s)
{
	return s->must_end;
}

bool segments_read_only(const struct segments *s)
{
	return s->read_only;
}

/* ---- where the batch is ---- */

/* The place in the file where the next record goes. */
static uint64_t batch_end(const struct segments *s)
{
	return s->written + s->n;
}

static bool batch_is_empty(const struct segments *s)
{
	return batch_end(s) == s->tail;
}

int segment_write_out(struct segments *s, size_t n, struct err *err)
{
	s->dirty = true;
	int result = files_pwrite_all(s->files, s->file, s->batch, n, (off_t)s->written);
	if (result < 0)
		return FAIL_SEAM(err, result, "can't write segment %u", s->number);
	s->written += n;
	if (s->written > s->extended)
		s->extended = s->written;
	s->n = 0;
	return 0;
}

/* Lets go of the segment: the next append makes another. */
static void abandon(struct segments *s)
{
	if (s->file >= 0)
		(void)s->files->close(s->files, s->file);
	s->file = -1;
	segment_set_current(s, 0, 0);
	s->written = s->extended = s->ahead = 0;
	s->n = 0;
	s->dirty = false;
}

/* Takes back what was written behind the tail: it must not be found behind a later, shorter batch.
 * After a flush that failed nothing is touched any more. */
static int clean_tail(struct segments *s, struct err *err)
{
	if (!s->dirty || s->must_end)
		return 0;
	int result = s->files->truncate(s->files, s->file, (off_t)s->tail);
	if (result < 0)
		return FAIL_SEAM(err, result, "can't clean the end of segment %u", s->number);
	s->dirty = false;
	s->extended = s->ahead = s->tail;
	return 0;
}

void segments_forget(struct segments *s)
{
	s->written = s->tail;
	s->n = 0;
	s->flushing = 0;
	s->batch_records = 0;
	s->plain = false;
	(void)clean_tail(s, NULL); /* if not, segment_prepare() has to */
}

/* Forgets the batch after an error; hands the -1 on. */
static int forget(struct segments *s)
{
	segments_forget(s);
	return -1;
}

/* ---- flushing ---- */

static int flush_failed(struct segments *s, int result, struct err *err)
{
	s->must_end = true;
	return FAIL_SEAM(err, result, "flushing segment %u failed", s->number);
}

int segment_flush_file(struct segments *s, int file, struct err *err)
{
	int result = files_fdatasync(s->files, file);
	return result < 0 ? flush_failed(s, result, err) : 0;
}

size_t segment_pad_batch(struct segments *s)
{
	size_t padded = segment_block_up(batch_end(s)) - s->written;
	memset(s->batch + s->n, 0, padded - s->n);
	return padded;
}

/* Makes the file longer than this batch needs, so that the flushes of those behind it need not
 * write where its blocks are and how long it is. Where that can't be done, or room is short, each
 * does; and what it got longer by is given back. */
static void lengthen(struct segments *s, uint64_t end)
{
	uint64_t n = end + s->options.ahead_bytes - s->extended;
	if (end <= s->extended || s->room < n)
		return;
	if (s->files->lengthen(s->files, s->file, (off_t)s->extended, (off_t)n) == 0)
		s->extended += n;
	else
		(void)s->files->truncate(s->files, s->file, (off_t)s->extended);
}

void segment_batch_is_in(struct segments *s, uint64_t end)
{
	s->written = end;
	s->dirty = s->plain = false;
	pthread_mutex_lock(&s->lock);
	s->tail = end;
	s->flushes++;
	s->records += s->batch_records;
	pthread_mutex_unlock(&s->lock);
	s->batch_records = 0;
}

/* All of the file is on disk. */
static void settled(struct segments *s)
{
	s->ahead = s->extended;
	s->slots = 0;
	s->unsettled = false;
	s->unsure = false;
}

static int write_batch(struct segments *s, struct err *err)
{
	uint64_t end = segment_block_up(batch_end(s));
	s->dirty = true;
	lengthen(s, end);
	if (segment_write_out(s, segment_pad_batch(s), err) < 0 && !planted("write_error_ignored"))
		return forget(s);
	s->flushing = end;
	return 0;
}

static int flush_batch(struct segments *s, struct err *err)
{
	if (s->flushing == 0 && write_batch(s, err) < 0)
		return -1;
	uint64_t end = s->flushing;
	s->flushing = 0;
	if (!planted("body_flush_left_out") && segment_flush_file(s, s->file, err) < 0)
		return -1;
	settled(s);
	segment_batch_is_in(s, end);
	return 0;
}

int segment_start_flush(struct segments *s, struct err *err)
{
	if (write_batch(s, err) < 0)
		return -1;
	int result = s->files->start_flush(
		s->files, s->file, (off_t)s->tail, (off_t)(s->flushing - s->tail));
	return result < 0 ? flush_failed(s, result, err) : 0;
}

int segments_settle(struct segments *s, struct err *err)
{
	if (!s->unsettled || s->file < 0)
		return 0;
	if (segment_flush_file(s, s->file, err) < 0)
		return -1;
	settled(s);
	return 0;
}

bool segments_unsettled(struct segments *s)
{
	return s->unsettled;
}

int segment_may_flush(const struct segments *s, struct err *err)
{
	if (s->must_end)
		return fail_log(err, ERR_READ_ONLY, "a flush has failed, the store must end");
	return !batch_is_empty(s);
}

int segments_flush(struct segments *s, struct err *err)
{
	int any = segment_may_flush(s, err);
	return any > 0 ? flush_batch(s, err) : any;
}

/* ---- a new segment ---- */

/* Writes the header of a new segment and makes file and name durable. */
static int start_file(struct segments *s, int file, uint32_t number, struct err *err)
{
	uint8_t p[SEGMENT_HEADER_BYTES];
	struct segment_header h = {
		.number = number, .epoch = s->options.epoch, .created_ms = s->options.now_ms
	};
	memcpy(h.store_id, s->options.store_id, sizeof(h.store_id));
	segment_put_header(p, &h);
	int result = files_pwrite_all(s->files, file, p, sizeof(p), 0);
	if (result < 0)
		return FAIL_SEAM(err, result, "can't write segment %u", number);
	if (segment_flush_file(s, file, err) < 0)
		return -1;
	if (planted("directory_not_flushed"))
		return 0;
	result = s->files->sync_directory(s->files, SEGMENTS_DIRECTORY);
	if (result == 0)
		return 0;
	s->must_end = true;
	return FAIL_SEAM(err, result, "flushing the segments' directory failed");
}

static int new_segment(struct segments *s, struct err *err)
{
	char name[SEGMENT_NAME_BYTES];
	uint32_t number = s->next_number;
	if (number > SEGMENT_MAX_NUMBER)
		return fail_log(err, ERR_FULL, "no segment number is left");
	segment_name(name, number, "");
	int file = s->files->open(s->files, name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (file < 0)
		return FAIL_SEAM(err, file, "can't make segment %u", number);
	s->next_number++;
	if (start_file(s, file, number, err) < 0) {
		(void)s->files->close(s->files, file);
		(void)s->files->unlink(s->files, name);
		return -1;
	}
	s->file = file;
	segment_set_current(s, number, SEGMENT_HEADER_BYTES);
	s->written = s->extended = SEGMENT_HEADER_BYTES;
	return 0;
}

/* Seals the segment at the end; all of it is flushed before another is made. What is ahead of it is
 * given back; that it was need not be flushed, for zeros behind the end are harmless. */
static int seal(struct segments *s, struct err *err)
{
	if (!batch_is_empty(s) && flush_batch(s, err) < 0)
		return -1;
	if (segments_settle(s, err) < 0)
		return -1;
	if (s->extended > s->tail)
		(void)s->files->truncate(s->files, s->file, (off_t)s->tail);
	abandon(s);
	return 0;
}

int segment_prepare(struct segments *s, struct err *err)
{
	if (batch_is_empty(s) && clean_tail(s, err) < 0)
		return -1;
	if (s->file >= 0 && batch_end(s) >= s->options.segment_bytes && seal(s, err) < 0)
		return -1;
	return s->file < 0 ? new_segment(s, err) : 0;
}

int segments_seal(struct segments *s, struct err *err)
{
	if (s->must_end || s->read_only)
		return fail_log(err, ERR_READ_ONLY, "the segments take no more");
	if ((s->file >= 0 && seal(s, err) < 0) || new_segment(s, err) < 0)
		return forget(s);
	return 0;
}

/* ---- appending ---- */

/* A record in the making: header but for its checksums, and how long its first three parts are. */
static struct record_header plan(const struct segments *s, const struct spool *spool,
	const struct record_recipient *recipients, size_t n)
{
	struct record_header h = { .offset = batch_end(s),
		.segment = s->number,
		.raw_length = spool_length(spool),
		.n_chunks = spool_chunks(spool),
		.n_recipients = (uint32_t)n };
	h.blob_id = (uint64_t)s->number << 32 | h.offset / RECORD_ALIGN;
	memcpy(h.sha256, spool_sha256(spool), sizeof(h.sha256));
	for (size_t i = 0; i < n; i++)
		h.recipients_length += (uint32_t)record_recipient_length(recipients[i].prefix.n);
	h.stored_length = record_pad(record_chunks_at(&h) + spool_stored_length(spool));
	return h;
}

static void put_recipients(uint32_t seed, uint8_t *head, const struct record_header *h,
	const struct record_recipient *recipients, uint32_t *ret_prefix_at)
{
	uint64_t at = record_recipients_at(h);
	for (uint32_t i = 0; i < h->n_recipients; i++) {
		if (ret_prefix_at)
			ret_prefix_at[i] = (uint32_t)at;
		at += record_put_recipient(seed, head + at, h->blob_id, i, &recipients[i]);
	}
}

/* Table entry i, for the stored bytes given. Returns their number. */
static uint32_t put_chunk(uint32_t seed, uint8_t *head, const struct record_header *h,
	const struct spool *spool, uint32_t i, const uint8_t *stored)
{
	struct record_chunk c = spool_chunk(spool, i);
	c.crc = record_chunk_crc(seed, h->blob_id, i, stored, c.stored_length);
	record_put_chunk(head + RECORD_HEADER_BYTES + (size_t)i * RECORD_CHUNK_BYTES, &c);
	return c.stored_length;
}

/* Once the table is complete. */
static void put_header(uint32_t seed, uint8_t *head, struct record_header *h)
{
	h->table_crc = record_table_crc(seed, h->blob_id, head + RECORD_HEADER_BYTES, h->n_chunks);
	record_put_header(seed, head, h);
}

/* A record that fits the batch is laid out in it. */
static int append_small(struct segments *s, const struct spool *spool,
	const struct record_recipient *recipients, struct record_header *h, uint32_t *ret_prefix_at,
	struct err *err)
{
	uint8_t *p = s->batch + s->n, *chunk = p + record_chunks_at(h);
	size_t stored = spool_stored_length(spool);
	if (spool_copy(spool, 0, chunk, stored, err) < 0)
		return -1;
	memset(chunk + stored, 0, h->stored_length - record_chunks_at(h) - stored);
	for (uint32_t i = 0; i < h->n_chunks; i++)
		chunk += put_chunk(s->seed, p, h, spool, i, chunk);
	put_recipients(s->seed, p, h, recipients, ret_prefix_at);
	put_header(s->seed, p, h);
	s->n += h->stored_length;
	return 0;
}

/* Copies as many chunks from i on as fit STREAM_BYTES into the batch's memory and writes them
 * behind what is written. Returns the number of chunks, or -1. */
static int stream_chunks(struct segments *s, const struct spool *spool, uint8_t *head,
	const struct record_header *h, uint32_t i, uint64_t *from, struct err *err)
{
	size_t n = 0;
	uint32_t more = 0;
	while (i + more < h->n_chunks &&
		n + spool_chunk(spool, i + more).stored_length <= STREAM_BYTES)
		n += spool_chunk(spool, i + more++).stored_length;
	if (spool_copy(spool, *from, s->batch, n, err) < 0)
		return -1;
	const uint8_t *chunk = s->batch;
	for (uint32_t k = 0; k < more; k++)
		chunk += put_chunk(s->seed, head, h, spool, i + k, chunk);
	if (segment_write_out(s, n, err) < 0)
		return -1;
	*from += n;
	return (int)more;
}

/* A record that does not fit the batch: its chunks go to the file piece by piece, then what stands
 * before them. All of it is in front of the same flush, so the order is free. */
static int append_large(struct segments *s, const struct spool *spool,
	const struct record_recipient *recipients, struct record_header *h, uint32_t *ret_prefix_at,
	struct err *err)
{
	if (segment_write_out(s, s->n, err) < 0)
		return -1;
	AUTO(mem_free_p)
	uint8_t *head = xmalloc(record_chunks_at(h));
	s->written = h->offset + record_chunks_at(h);
	uint64_t from = 0;
	for (uint32_t i = 0; i < h->n_chunks;) {
		int more = stream_chunks(s, spool, head, h, i, &from, err);
		if (more < 0)
			return -1;
		i += (uint32_t)more;
	}
	put_recipients(s->seed, head, h, recipients, ret_prefix_at);
	put_header(s->seed, head, h);
	int result = files_pwrite_all(
		s->files, s->file, head, record_chunks_at(h), (off_t)h->offset);
	if (result < 0)
		return FAIL_SEAM(err, result, "can't write segment %u", s->number);
	s->n = h->offset + h->stored_length - s->written; /* the padding */
	memset(s->batch, 0, s->n);
	return 0;
}

/* Whether n bytes more may go to the disk; asked for a batch, not for each of its records. */
static bool has_room(struct segments *s, uint64_t n)
{
	if (batch_is_empty(s) || s->room < n) {
		uint64_t room = disk_room(s->files, disk_reserve(s->options.reserve_bytes));
		s->room = room > s->n ? room - s->n : 0;
	}
	if (s->room < n)
		return false;
	s->room -= n;
	return true;
}

static int append(struct segments *s, const struct spool *spool,
	const struct record_recipient *recipients, size_t n, struct blob_ref *ret,
	uint32_t *ret_prefix_at, struct err *err)
{
	if (!has_room(s, spool_stored_length(spool)))
		return fail_log(err, ERR_FULL, "no room on the disk for a message");
	if (segment_prepare(s, err) < 0)
		return -1;
	struct record_header h = plan(s, spool, recipients, n);
	bool small = h.stored_length <= LIMIT_SEGMENT_BATCH;
	if (small && s->n + h.stored_length > LIMIT_SEGMENT_BATCH &&
		segment_write_out(s, s->n, err) < 0)
		return -1;
	if ((small ? append_small : append_large)(s, spool, recipients, &h, ret_prefix_at, err) < 0)
		return -1;
	s->batch_records++;
	*ret = (struct blob_ref){
		.id = h.blob_id, .segment = h.segment, .offset = h.offset, .length = h.stored_length
	};
	return 0;
}

int segments_append(struct segments *s, struct spool *spool,
	const struct record_recipient *recipients, size_t n, struct blob_ref *ret,
	uint32_t *ret_prefix_at, struct err *err)
{
	if (s->must_end || s->read_only)
		return fail_log(err, ERR_READ_ONLY,
			s->must_end ? "a flush has failed, the store must end"
				    : "the segments are read-only");
	if (n > LIMIT_RECORD_RECIPIENTS)
		return fail(err, ERR_LIMIT, "more than %d recipients", LIMIT_RECORD_RECIPIENTS);
	for (size_t i = 0; i < n; i++)
		if (recipients[i].prefix.n > LIMIT_PREFIX_BYTES)
			return fail(err, ERR_LIMIT, "a prefix is longer than %d bytes",
				LIMIT_PREFIX_BYTES);
	if (append(s, spool, recipients, n, ret, ret_prefix_at, err) < 0)
		return forget(s);
	return 0;
}

/* ---- figures ---- */

struct segments_totals segments_totals(struct segments *s)
{
	pthread_mutex_lock(&s->lock);
	struct segments_totals t = { .flushes = s->flushes, .records = s->records };
	uint32_t last = s->last_number;
	pthread_mutex_unlock(&s->lock);
	struct vec numbers;
	if (segment_numbers(s, &numbers, NULL) == 0) {
		VEC_EACH (uint32_t, number, &numbers) {
			int file;
			uint64_t limit;
			if (*number > last || segment_acquire(s, *number, &file, &limit, NULL) < 0)
				continue;
			segment_release(s, *number, file);
			t.segments++;
			t.bytes += limit;
		}
	}
	vec_done(&numbers);
	return t;
}
