// SPDX-License-Identifier: Apache-2.0
/*
 * What the ledger carries. A small batch is written into the segment like any other, but instead of
 * being flushed there its bytes go into the transaction that names them: one flush for both. So the
 * rule holds as it is, bytes are on disk before, or rather with, the row that names them.
 *
 * Such a batch lies where a flush has made blocks and length of the file durable already, in what
 * the file was made longer by: so there are at most SEGMENT_AHEAD_BYTES. The first batch that does
 * not fit is flushed, and with it all that were carried, and their slots in the ledger are used
 * again. A segment is flushed before the next is made: only of the last is anything carried.
 *
 * Opening writes all of it again, and flushes. Nothing depends on what a power cut, a failed flush
 * or a killed process left there. What was flushed long since is written too: the same bytes, for a
 * place in a segment is never used twice. A row that is damaged itself is left alone.
 */
#include "base/planted.h"
#include "store/segment_private.h"

#include "store/crc32c.h"
#include "store/little.h"

#include <stdlib.h>

static uint32_t checksum(const struct segments *s, const struct segment_carry *c)
{
	uint8_t place[16];
	put_u32(place, c->segment);
	put_u64(place + 4, c->offset);
	put_u32(place + 12, c->length);
	return crc32c(crc32c(s->seed, place, sizeof(place)), c->p, c->length);
}

/* ---- writing ---- */

static bool can_be_carried(const struct segments *s)
{
	return s->n && s->n <= LIMIT_CARRY_BYTES && s->written == s->tail && !s->plain &&
	       !s->unsure && s->slots < LIMIT_CARRY_SLOTS &&
	       segment_block_up(s->written + s->n) <= s->ahead;
}

int segments_write(struct segments *s, struct segment_carry *ret, struct err *err)
{
	int any = segment_may_flush(s, err);
	if (any <= 0)
		return any;
	if (!can_be_carried(s))
		return segment_start_flush(s, err);
	struct segment_carry c = { .slot = s->slots,
		.segment = s->number,
		.offset = s->tail,
		.p = s->batch,
		.length = (uint32_t)s->n };
	if (segment_write_out(s, segment_pad_batch(s), err) < 0) {
		segments_forget(s);
		return -1;
	}
	c.checksum = checksum(s, &c);
	s->unsettled = true;
	s->unsure = true;
	segment_batch_is_in(s, s->written);
	*ret = c;
	return 1;
}

void segments_carried(struct segments *s)
{
	s->unsure = false;
	s->slots++;
}

/* ---- opening ---- */

struct redo {
	struct segments *s;
	uint32_t number;
	int file;
	uint64_t written;
	struct segment_redone done;
	struct err *reason; /* why nothing more can be written */
};

/* Whether the file has it. What can't be read is not there. */
static bool stands_there(const struct redo *redo, const struct segment_carry *c)
{
	uint8_t p[SEGMENT_BLOCK];
	for (size_t at = 0; at < c->length; at += sizeof(p)) {
		size_t n = c->length - at < sizeof(p) ? c->length - at : sizeof(p);
		ssize_t got = segment_pread(redo->s->files, redo->file, p, n, c->offset + at);
		if (got != (ssize_t)n || memcmp(p, c->p + at, n) != 0)
			return false;
	}
	return true;
}

static void keep_for_readers(struct segments *s, const struct segment_carry *c)
{
	struct carried *kept = xmalloc(sizeof(*kept) + c->length);
	*kept = (struct carried){
		.next = s->carried, .segment = c->segment, .offset = c->offset, .n = c->length
	};
	memcpy(kept->p, c->p, c->length);
	s->carried = kept;
}

static int redo_one(void *arg, const struct segment_carry *c)
{
	struct redo *redo = arg;
	struct segments *s = redo->s;
	if (c->segment != redo->number || checksum(s, c) != c->checksum)
		return 0;
	bool differs = !stands_there(redo, c);
	redo->done.differed += differs;
	if (c->offset + c->length > redo->done.end)
		redo->done.end = c->offset + c->length;
	if (planted("redo_left_out"))
		return 0;
	if (!s->read_only && redo->reason->kind == ERR_NONE) {
		int result = files_pwrite_all(
			s->files, redo->file, c->p, c->length, (off_t)c->offset);
		redo->written++;
		if (result < 0)
			(void)FAIL_SEAM(redo->reason, result, "can't write segment %u", c->segment);
	}
	if (differs && (s->read_only || redo->reason->kind != ERR_NONE))
		keep_for_readers(s, c);
	return 0;
}

int segment_redo(struct segments *s, uint32_t number, int file, struct segment_redone *ret,
	struct err *reason, struct err *err)
{
	struct redo redo = { .s = s, .number = number, .file = file, .reason = reason };
	if (s->options.carried == NULL)
		return 0;
	if (s->options.carried(s->options.carried_arg, redo_one, &redo, err) < 0)
		return -1;
	*ret = redo.done;
	if (redo.written == 0 || reason->kind != ERR_NONE)
		return 0;
	int result = files_fdatasync(s->files, file);
	if (result < 0)
		(void)FAIL_SEAM(reason, result, "flushing segment %u failed", number);
	return 0;
}

/* ---- reading what could not be written ---- */

void segment_overlay(const struct segments *s, uint32_t number, uint8_t *p, size_t n, uint64_t at)
{
	for (const struct carried *c = s->carried; c; c = c->next) {
		uint64_t from = c->offset > at ? c->offset : at;
		uint64_t to = c->offset + c->n < at + n ? c->offset + c->n : at + n;
		if (c->segment == number && from < to)
			memcpy(p + (from - at), c->p + (from - c->offset), (size_t)(to - from));
	}
}

void segment_carried_free(struct segments *s)
{
	for (struct carried *c = s->carried, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	s->carried = NULL;
}
