// SPDX-License-Identifier: Apache-2.0
/* Sequence sets: read, merged, asked and printed. RFC 9051 9, sequence-set. */
#include "imap/seqset.h"

#include "base/limits.h"
#include "imap/token.h"

#include <stdlib.h>

/* Upper bound of the ranges in the text: one more than its commas, up to the first byte that cannot
 * belong to a set. */
static size_t count_ranges(const struct scan *s)
{
	size_t n = 1;
	for (const char *p = s->p; p < s->end; p++) {
		if (*p == ',')
			n++;
		else if (!abnf_is_digit(*p) && *p != ':' && *p != '*')
			break;
	}
	return n;
}

/* seq-number = nz-number / "*"; "*" is 0 */
static bool seq_number(struct scan *s, uint32_t *ret)
{
	if (scan_char(s, '*')) {
		*ret = 0;
		return true;
	}
	return token_nz_number(s, ret);
}

static void note_star(struct seqset *set, uint32_t other)
{
	if (!set->star) {
		set->star = true;
		set->star_low = UINT32_MAX;
		set->star_high = 0;
	}
	if (other == 0)
		return;
	if (other < set->star_low)
		set->star_low = other;
	if (other > set->star_high)
		set->star_high = other;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct api_range *x = a, *y = b;
	return x->low < y->low ? -1 : x->low > y->low;
}

/* Sorts, and makes one of ranges that overlap or touch. Returns how many are left. */
static size_t merge(struct api_range *r, size_t n)
{
	if (n == 0)
		return 0;
	qsort(r, n, sizeof(*r), compare_ranges);
	size_t last = 0;
	for (size_t i = 1; i < n; i++) {
		if ((uint64_t)r[i].low <= (uint64_t)r[last].high + 1) {
			if (r[i].high > r[last].high)
				r[last].high = r[i].high;
		} else {
			r[++last] = r[i];
		}
	}
	return last + 1;
}

/* sequence-set = (seq-number / seq-range) ["," sequence-set]
 * seq-range = seq-number ":" seq-number: in either order */
static bool ranges(struct scan *s, struct api_range *r, size_t max, struct seqset *set)
{
	do {
		uint32_t a, b;
		if (!seq_number(s, &a))
			return false;
		b = a;
		if (scan_char(s, ':') && !seq_number(s, &b))
			return false;
		if (a == 0 || b == 0) {
			note_star(set, a | b);
			continue;
		}
		if (set->n < max)
			r[set->n++] = (struct api_range){ a < b ? a : b, a < b ? b : a };
		else
			set->too_much = true;
	} while (scan_char(s, ','));
	return true;
}

bool seqset_parse(struct scan *s, struct arena *a, struct seqset *ret)
{
	struct scan t = *s;
	struct seqset set = { 0 };
	if (scan_char(&t, '$')) {
		set.saved = true;
	} else {
		/* One more than the set needs: seqset_resolve may add a range. */
		size_t max = count_ranges(&t);
		if (max > LIMIT_IMAP_SEQ_RANGES)
			max = LIMIT_IMAP_SEQ_RANGES;
		struct api_range *r = arena_array(a, max + 1, sizeof(*r));
		if (!ranges(&t, r, r == NULL ? 0 : max, &set))
			return false;
		if (set.too_much || r == NULL)
			set = (struct seqset){ .too_much = true };
		set.n = merge(r, set.n);
		set.ranges = set.own = r;
	}
	*s = t;
	*ret = set;
	return true;
}

/* Every range with "*" holds `last`, so together they are one: from the lowest number named to the
 * highest. */
void seqset_resolve(struct seqset *set, uint32_t last)
{
	if (!set->star)
		return;
	set->star = false;
	uint32_t low = set->star_low, high = set->star_high;
	if (last > 0 && last < low)
		low = last;
	if (last > high)
		high = last;
	if (high == 0)
		return;
	set->own[set->n] = (struct api_range){ low, high };
	set->n = merge(set->own, set->n + 1);
}

size_t seqset_find(const struct seqset *set, uint32_t number)
{
	size_t low = 0, high = set->n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (set->ranges[mid].high < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool seqset_contains(const struct seqset *set, uint32_t number)
{
	size_t i = seqset_find(set, number);
	return i < set->n && set->ranges[i].low <= number;
}

uint32_t seqset_max(const struct seqset *set)
{
	return set->n ? set->ranges[set->n - 1].high : 0;
}

uint64_t seqset_count(const struct seqset *set)
{
	uint64_t n = 0;
	for (size_t i = 0; i < set->n; i++)
		n += (uint64_t)set->ranges[i].high - set->ranges[i].low + 1;
	return n;
}

bool seqset_add_range(struct buf *out, struct api_range r, bool comma)
{
	const char *before = comma ? "," : "";
	if (r.low == r.high)
		return buf_addf(out, "%s%u", before, r.low);
	return buf_addf(out, "%s%u:%u", before, r.low, r.high);
}

bool seqset_print(const struct seqset *set, struct buf *out)
{
	size_t start = out->n;
	for (size_t i = 0; i < set->n; i++) {
		if (!seqset_add_range(out, set->ranges[i], i > 0)) {
			buf_truncate(out, start);
			return false;
		}
	}
	return true;
}

bool seq_ranges_add(struct vec *v, uint32_t low, uint32_t high)
{
	if (v->n > 0) {
		struct api_range *last = vec_at(v, v->n - 1);
		if ((uint64_t)low <= (uint64_t)last->high + 1) {
			if (high > last->high)
				last->high = high;
			return true;
		}
	}
	return vec_push(v, &(struct api_range){ low, high }) != NULL;
}

struct seqset seqset_of(const struct vec *v)
{
	return (struct seqset){ .ranges = (const struct api_range *)(const void *)v->p, .n = v->n };
}

/* ---- partial ranges: RFC 9394 ---- */

bool partial_range_parse(struct scan *s, struct partial_range *ret)
{
	struct scan at = *s;
	ret->last = scan_char(&at, '-');
	if (!token_nz_number(&at, &ret->a) || !scan_char(&at, ':') ||
		scan_char(&at, '-') != ret->last || !token_nz_number(&at, &ret->b))
		return false;
	*s = at;
	return true;
}

bool partial_range_print(const struct partial_range *r, struct buf *out)
{
	const char *minus = r->last ? "-" : "";
	return buf_addf(out, "%s%u:%s%u", minus, r->a, minus, r->b);
}

void partial_range_slice(
	const struct partial_range *r, uint32_t n, uint32_t *ret_from, uint32_t *ret_to)
{
	uint32_t low = r->a < r->b ? r->a : r->b, high = r->a < r->b ? r->b : r->a;
	low = low > n ? n : low - 1;
	high = high > n ? n : high;
	*ret_from = r->last ? n - high : low;
	*ret_to = r->last ? n - low : high;
}

struct api_range seq_range_clip(struct api_range range, uint32_t passed, uint32_t from, uint32_t to)
{
	uint32_t n = range.high - range.low + 1;
	uint32_t low = from > passed ? from - passed : 0, high = to > passed ? to - passed : 0;
	if (high > n)
		high = n;
	return low < high ? (struct api_range){ range.low + low, range.low + high - 1 }
			  : (struct api_range){ 1, 0 };
}
