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

bool search_result_add(struct search_result *r, const struct search *search, const struct view *v,
	uint32_t sequence, bool by_uid)
{
	const struct api_entry *e = view_entry(v, sequence);
	if (e == NULL)
		return true;
	uint32_t number = by_uid ? e->uid : sequence;
	bool all = search->returns == 0 || (search->returns & SEARCH_RETURN_ALL);
	if (all && !seq_ranges_add(&r->ranges, number, number))
		return false;
	if ((search->returns & SEARCH_RETURN_SAVE) && !seq_ranges_add(&r->uids, e->uid, e->uid))
		return false;
	if (r->count++ == 0) {
		r->min = number;
		r->min_modseq = e->modseq;
	}
	r->max = number;
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

/* sequence-set of ESEARCH's ALL */
static bool add_ranges(const struct search_result *r, struct search_write *w, struct buf *out)
{
	for (; w->range < r->ranges.n; w->range++) {
		const struct api_range *range = vec_at(&r->ranges, w->range);
		if (buf_room(out) < PIECE_BYTES)
			return false;
		seqset_add_range(out, *range, w->range > 0);
	}
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
			buf_addf(out, " %u", n);
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
	extended = extended || search->extended;
	/* SAVE alone says nothing (RFC 9051 6.4.4.1). */
	if (returns == SEARCH_RETURN_SAVE)
		return true;
	if (w->at == AT_HEAD) {
		if (buf_room(out) < PIECE_BYTES + tag.n * 2)
			return false;
		if (extended)
			head(r, returns, tag, by_uid, out);
		else
			buf_addz(out, "* SEARCH");
		w->at = AT_NUMBERS;
	}
	if (w->at == AT_NUMBERS) {
		bool done = true;
		if (returns & SEARCH_RETURN_ALL)
			done = extended ? add_ranges(r, w, out) : add_numbers(r, w, out);
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

void search_result_save(
	const struct search_result *r, const struct search *search, struct vec *saved)
{
	vec_clear(saved);
	if (r->uids.n == 0)
		return;
	const struct api_range *first = vec_at(&r->uids, 0),
			       *last = vec_at(&r->uids, r->uids.n - 1);
	unsigned ends = search->returns & (SEARCH_RETURN_MIN | SEARCH_RETURN_MAX);
	if (ends == 0 || (search->returns & (SEARCH_RETURN_ALL | SEARCH_RETURN_COUNT))) {
		VEC_EACH (const struct api_range, range, &r->uids)
			seq_ranges_add(saved, range->low, range->high);
		return;
	}
	if (ends & SEARCH_RETURN_MIN)
		seq_ranges_add(saved, first->low, first->low);
	if (ends & SEARCH_RETURN_MAX)
		seq_ranges_add(saved, last->high, last->high);
}
