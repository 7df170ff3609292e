// SPDX-License-Identifier: Apache-2.0
/*
 * Going through a segment from record to record. Behind damage it goes on where the damaged
 * record's header says it ends; without a header, at the next place that holds a header for exactly
 * this place of this store (bytes in a stranger's mail can't: they would have to know the store's
 * id).
 */
#include "store/segment_private.h"

static const uint8_t zeros[SEGMENT_BLOCK];

/* Whether [from, to) is all zeros. -1: can't be read. */
static int is_zero(
	struct segment_reader *r, uint32_t number, uint64_t from, uint64_t to, struct err *err)
{
	while (from < to) {
		size_t n = to - from < sizeof(zeros) ? (size_t)(to - from) : sizeof(zeros);
		const uint8_t *p = segment_window(r, number, from, n, err);
		if (p == NULL)
			return -1;
		if (memcmp(p, zeros, n) != 0)
			return 0;
		from += n;
	}
	return 1;
}

/* Whether a header stands there that says it belongs there. -1: can't be read. */
static int has_header(struct segment_reader *r, const struct segment_scan *scan, uint64_t at,
	struct record_header *ret, struct err *err)
{
	struct err ignored;
	const uint8_t *p = segment_window(r, scan->number, at, RECORD_HEADER_BYTES, err);
	if (p == NULL)
		return -1;
	return record_begins(p, RECORD_HEADER_BYTES) &&
	       record_get_header(r->s->seed, p, ret, &ignored) == 0 &&
	       ret->segment == scan->number && ret->offset == at;
}

/* The first place from `from` on that has a header, or the limit. Places are multiples of
 * RECORD_ALIGN. -1: can't be read. */
static int find_record(struct segment_reader *r, const struct segment_scan *scan, uint64_t from,
	uint64_t *ret, struct err *err)
{
	*ret = record_pad(from);
	while (*ret + RECORD_HEADER_BYTES <= scan->limit) {
		struct record_header h;
		int has = has_header(r, scan, *ret, &h, err);
		if (has)
			return has < 0 ? -1 : 0;
		/* What the file was made longer by is passed over block by block. */
		bool block = *ret % SEGMENT_BLOCK == 0 && *ret + SEGMENT_BLOCK <= scan->limit;
		int zero = block ? is_zero(r, scan->number, *ret, *ret + SEGMENT_BLOCK, err) : 0;
		if (zero < 0)
			return -1;
		*ret += zero ? SEGMENT_BLOCK : RECORD_ALIGN;
	}
	*ret = scan->limit;
	return 0;
}

/* Loads and verifies the record at the place. 1: whole; 0: not, *why says why; -1: the disk can't
 * be read. */
static int try_record(
	struct segment_reader *r, const struct segment_scan *scan, uint64_t at, struct err *why)
{
	if (segment_load(r, scan->number, at, why) == 0 && segment_verify_recipients(r, why) == 0 &&
		segment_verify_chunks(r, scan->bodies, why) == 0)
		return 1;
	return why->kind == ERR_TEMP ? -1 : 0;
}

/* What lies between the last whole record and the next: zeros are nothing. */
static int report_gap(struct segment_reader *r, struct segment_scan *scan, uint64_t to,
	const struct err *why, struct err *err)
{
	if (scan->end >= to)
		return 0;
	int zero = is_zero(r, scan->number, scan->end, to, err);
	if (zero != 0)
		return zero < 0 ? -1 : 0;
	return scan->garbage ? scan->garbage(scan->arg, scan->end, to, why) : 0;
}

/* Where to go on behind the record at a place that is not whole. -1: can't be read. */
static int behind_damage(struct segment_reader *r, const struct segment_scan *scan, uint64_t at,
	uint64_t *ret, struct err *err)
{
	struct record_header h;
	int has = has_header(r, scan, at, &h, err);
	*ret = at + (has > 0 ? h.stored_length : RECORD_ALIGN);
	return has < 0 ? -1 : 0;
}

int segment_scan(struct segment_reader *r, struct segment_scan *scan, struct err *err)
{
	uint64_t at;
	struct err why = ERR_INIT;
	fail_log(&why, ERR_CORRUPT, "no record begins here");
	scan->end = scan->from;
	if (find_record(r, scan, scan->from, &at, err) < 0)
		return -1;
	while (at < scan->limit) {
		struct err this = ERR_INIT;
		uint64_t after;
		int whole = try_record(r, scan, at, &this);
		if (whole < 0) {
			*err = this;
			return -1;
		}
		if (whole) {
			int result = report_gap(r, scan, at, &why, err);
			if (result == 0 && scan->record)
				result = scan->record(scan->arg, r);
			if (result)
				return result;
			after = scan->end = at + r->header.stored_length;
		} else {
			why = this;
			if (behind_damage(r, scan, at, &after, err) < 0)
				return -1;
		}
		if (find_record(r, scan, after, &at, err) < 0)
			return -1;
	}
	return report_gap(r, scan, scan->limit, &why, err);
}
