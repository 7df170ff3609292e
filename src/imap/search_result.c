// SPDX-License-Identifier: Apache-2.0
/* What a search found, and how it is said. RFC 9051 7.3.4 and RFC 4731 3 (ESEARCH), RFC 3501 7.2.5
 * (SEARCH), RFC 7162 3.1.5, 3.1.10 (MODSEQ). */
#include "imap/search.h"

#include "base/limits.h"
#include "imap/token.h"

void search_result_init(struct search_result *r)
{
	*r = (struct search_result){ 0 };
	vec_init(&r->ranges, sizeof(struct api_range), LIMIT_VIEW_ENTRIES);
	vec_init(&r->uids, sizeof(struct api_range), LIMIT_VIEW_ENTRIES);
}

void search_result_done(struct search_result *r)
{
	vec_done(&r->ranges);
	vec_done(&r->uids);
}

/* The numbers themselves are wanted. */
static bool wants_numbers(const struct search *search)
{
	return search->returns == 0 ||
	       (search->returns & (SEARCH_RETURN_ALL | SEARCH_RETURN_PARTIAL)) != 0;
}

bool search_result_keep(struct search_result *r, const struct search *search, const struct view *v,
	uint32_t sequence)
{
	const struct api_entry *e = view_entry(v, sequence);
	return e == NULL || !(search->returns & SEARCH_RETURN_SAVE) ||
	       seq_ranges_add(&r->uids, e->uid, e->uid);
}

bool search_result_add(struct search_result *r, const struct search *search, const struct view *v,
	uint32_t sequence, bool by_uid)
{
	return search_result_keep(r, search, v, sequence) &&
	       search_result_add_sorted(r, search, v, sequence, by_uid);
}

/* Behind the last, in its range when it is the next number. */
static bool add_number(struct vec *ranges, uint32_t n)
{
	struct api_range *last = ranges->n ? vec_at(ranges, ranges->n - 1) : NULL;
	if (last != NULL && last->high + 1 == n) {
		last->high = n;
		return true;
	}
	return vec_push(ranges, &(struct api_range){ n, n }) != NULL;
}

bool search_result_add_sorted(struct search_result *r, const struct search *search,
	const struct view *v, uint32_t sequence, bool by_uid)
{
	const struct api_entry *e = view_entry(v, sequence);
	if (e == NULL)
		return true;
	uint32_t number = by_uid ? e->uid : sequence;
	if (wants_numbers(search) && !add_number(&r->ranges, number))
		return false;
	if (r->count++ == 0) {
		r->min = number;
		r->min_uid = e->uid;
		r->min_modseq = e->modseq;
	}
	r->max = number;
	r->max_uid = e->uid;
	r->max_modseq = e->modseq;
	if (e->modseq > r->modseq)
		r->modseq = e->modseq;
	return true;
}

/* With MIN or MAX alone the mod-sequence is theirs, else the highest of all (RFC 7162 3.1.10). */
static uint64_t modseq_of(const struct search_result *r, unsigned returns)
{
	unsigned asked = returns & ~(unsigned)SEARCH_RETURN_SAVE;
	if (asked == SEARCH_RETURN_MIN)
		return r->min_modseq;
	if (asked == SEARCH_RETURN_MAX)
		return r->max_modseq;
	if (asked == (SEARCH_RETURN_MIN | SEARCH_RETURN_MAX))
		return r->min_modseq > r->max_modseq ? r->min_modseq : r->max_modseq;
	return r->modseq;
}

/* The longest piece added at once: a head with its tag, or a tail. */
#define PIECE_BYTES 1400

enum { AT_HEAD, AT_NUMBERS, AT_TAIL, AT_END };

static void head(const struct search_result *r, unsigned returns, struct str tag, bool by_uid,
	struct buf *out)
{
	buf_addz(out, "* ESEARCH (TAG ");
	token_add_string(out, tag, false);
	buf_addz(out, by_uid ? ") UID" : ")");
	if ((returns & SEARCH_RETURN_MIN) && r->count > 0)
		buf_addf(out, " MIN %u", r->min);
	if ((returns & SEARCH_RETURN_MAX) && r->count > 0)
		buf_addf(out, " MAX %u", r->max);
	if (returns & SEARCH_RETURN_COUNT)
		buf_addf(out, " COUNT %u", r->count);
	if ((returns & SEARCH_RETURN_ALL) && r->count > 0)
		buf_addz(out, " ALL ");
}

/* sequence-set of ESEARCH's ALL and PARTIAL: results [from, to) */
static bool add_ranges(const struct search_result *r, uint32_t from, uint32_t to,
	struct search_write *w, struct buf *out)
{
	for (; w->range < r->ranges.n; w->range++) {
		const struct api_range *range = vec_at(&r->ranges, w->range);
		struct api_range part = seq_range_clip(*range, w->passed, from, to);
		if (buf_room(out) < PIECE_BYTES)
			return false;
		w->passed += range->high - range->low + 1;
		if (part.low > part.high)
			continue;
		seqset_add_range(out, part, w->any);
		w->any = true;
	}
	return true;
}

/* ret-data-partial = "PARTIAL" SP "(" partial-range SP partial-results ")"   RFC 9394 4 */
static bool add_partial(const struct search_result *r, const struct search *search,
	struct search_write *w, struct buf *out)
{
	uint32_t from, to;
	partial_range_slice(&search->partial, r->count, &from, &to);
	if (buf_room(out) < PIECE_BYTES)
		return false;
	if (!w->partial) {
		buf_addz(out, " PARTIAL (");
		partial_range_print(&search->partial, out);
		buf_addc(out, ' ');
		w->partial = true;
	}
	if (!add_ranges(r, from, to, w, out))
		return false;
	buf_addz(out, w->any ? ")" : "NIL)");
	return true;
}

/* *(SP nz-number) of SEARCH */
static bool add_numbers(const struct search_result *r, struct search_write *w, struct buf *out)
{
	for (; w->range < r->ranges.n; w->range++, w->next = 0) {
		const struct api_range *range = vec_at(&r->ranges, w->range);
		uint32_t n = w->next ? w->next : range->low;
		for (;; n++) {
			if (buf_room(out) < PIECE_BYTES) {
				w->next = n;
				return false;
			}
			buf_addc(out, ' ');
			buf_add_number(out, n);
			if (n == range->high)
				break;
		}
	}
	return true;
}

bool search_result_write(const struct search_result *r, const struct search *search, struct str tag,
	bool by_uid, bool extended, struct search_write *w, struct buf *out)
{
	unsigned returns = search->returns ? search->returns : SEARCH_RETURN_ALL;
	extended = (extended && !r->sorted) || search->extended; /* rev2 has no SORT */
	/* SAVE alone says nothing (RFC 9051 6.4.4.1). */
	if (returns == SEARCH_RETURN_SAVE)
		return true;
	if (w->at == AT_HEAD) {
		if (buf_room(out) < PIECE_BYTES + tag.n * 2)
			return false;
		if (extended)
			head(r, returns, tag, by_uid, out);
		else
			buf_addz(out, r->sorted ? "* SORT" : "* SEARCH");
		w->at = AT_NUMBERS;
	}
	if (w->at == AT_NUMBERS) {
		bool done = true;
		if (returns & SEARCH_RETURN_PARTIAL)
			done = add_partial(r, search, w, out);
		else if (returns & SEARCH_RETURN_ALL)
			done = extended ? add_ranges(r, 0, r->count, w, out)
					: add_numbers(r, w, out);
		if (!done)
			return false;
		w->at = AT_TAIL;
	}
	if (w->at == AT_TAIL) {
		if (buf_room(out) < PIECE_BYTES)
			return false;
		unsigned long long modseq = modseq_of(r, returns);
		if (search->uses_modseq && r->count > 0)
			buf_addf(out, extended ? " MODSEQ %llu" : " (MODSEQ %llu)", modseq);
		buf_addz(out, "\r\n");
		w->at = AT_END;
	}
	return true;
}

/* The UIDs of results [from, to), of those that are not sorted, or a whole range's when they are.
 */
static void save_partial(
	const struct search_result *r, const struct search *search, struct vec *saved)
{
	uint32_t from, to, passed = 0;
	partial_range_slice(&search->partial, r->count, &from, &to);
	VEC_EACH (const struct api_range, range, &r->uids) {
		struct api_range part = seq_range_clip(*range, passed, from, to);
		passed += range->high - range->low + 1;
		if (part.low <= part.high)
			seq_ranges_add(saved, part.low, part.high);
	}
}

void search_result_save(
	const struct search_result *r, const struct search *search, struct vec *saved)
{
	vec_clear(saved);
	if (r->uids.n == 0)
		return;
	unsigned some = search->returns &
			(SEARCH_RETURN_MIN | SEARCH_RETURN_MAX | SEARCH_RETURN_PARTIAL);
	if (some == 0 || (search->returns & (SEARCH_RETURN_ALL | SEARCH_RETURN_COUNT))) {
		VEC_EACH (const struct api_range, range, &r->uids)
			seq_ranges_add(saved, range->low, range->high);
		return;
	}
	/* RFC 9394 3.2, table 1 */
	uint32_t low = r->min_uid, high = r->max_uid;
	if (r->sorted && low > high) {
		low = r->max_uid;
		high = r->min_uid;
		some = (some & SEARCH_RETURN_PARTIAL) |
		       (some & SEARCH_RETURN_MIN ? SEARCH_RETURN_MAX : 0) |
		       (some & SEARCH_RETURN_MAX ? SEARCH_RETURN_MIN : 0);
	}
	if (some & SEARCH_RETURN_MIN)
		seq_ranges_add(saved, low, low);
	if (some & SEARCH_RETURN_PARTIAL)
		save_partial(r, search, saved);
	if (some & SEARCH_RETURN_MAX)
		seq_ranges_add(saved, high, high);
}
