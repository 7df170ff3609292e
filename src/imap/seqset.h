/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sequence sets: "1:4,7,*", "$" (RFC 9051 9: sequence-set; hostile-input I7).
 *
 * Ranges are kept sorted, disjoint and not touching, whatever order the client wrote them in; "*"
 * is kept apart until it is known what it stands for, since that is a matter of the moment the
 * command runs. Whether the numbers are sequence numbers or UIDs is the user's knowledge; view.h
 * turns either into the other.
 *
 *     struct seqset set;
 *     if (!seqset_parse(&s, arena, &set)) return BAD;
 *     seqset_resolve(&set, last);        what "*" is; 0 when there is nothing
 *     for (size_t i = 0; i < set.n; i++) … set.ranges[i].low … high
 *
 * uses: base, api frames; used by: view, search, session and commands of imap
 */
#ifndef CULVER_IMAP_SEQSET_H
#define CULVER_IMAP_SEQSET_H

#include "api/frames.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/scan.h"
#include "base/vec.h"

/* Ranges are struct api_range of the frames: low and high, 1 <= low <= high. */
struct seqset {
	const struct api_range *ranges;
	size_t n;
	struct api_range
		*own;  /* the same, when this set may still change (has room for one more) */
	bool too_much; /* more ranges than there may be, or no room for them: it names nothing */
	bool saved;    /* it is "$", and nothing else (RFC 5182, RFC 9051 6.4.4.1) */
	bool star;     /* "*" occurs; until seqset_resolve */
	uint32_t star_low, star_high; /* the numbers that ranges with "*" name: "5:*,*:9" gives 5
					 and 9; a lone "*" gives UINT32_MAX and 0 */
};

/* Takes a sequence-set or "$" from the cursor; the ranges live in the arena. False, cursor unmoved:
 * it is none (0, a number above 4294967295). One of more than LIMIT_IMAP_SEQ_RANGES ranges, or that
 * the arena has no room for, is too_much. */
bool seqset_parse(struct scan *s, struct arena *a, struct seqset *ret) MUST_CHECK;
/* "*" becomes `last` (the number of messages, or the highest UID). With last 0, "*" itself stands
 * for nothing; "5:*" is then 5. */
void seqset_resolve(struct seqset *set, uint32_t last);

/* These ask a set without an unresolved "*" or "$". */
bool seqset_contains(const struct seqset *set, uint32_t number); /* O(log n) */
/* The index of the first range that ends at or above the number; set->n: there is none. O(log n) */
size_t seqset_find(const struct seqset *set, uint32_t number);
uint32_t seqset_max(const struct seqset *set); /* 0 when empty */
uint64_t seqset_count(const struct seqset *set);
/* One range, "7" or "1:4", after a comma when asked. */
bool seqset_add_range(struct buf *out, struct api_range range, bool comma);
/* "1:4,7": also valid as uid-set. Adds nothing for an empty set. False: out is full. */
bool seqset_print(const struct seqset *set, struct buf *out);

/* Ranges built by appending: v is a vec of struct api_range, ranges come in the order of `low`.
 * False: the vec's maximum was reached. */
bool seq_ranges_add(struct vec *v, uint32_t low, uint32_t high);
/* The vec's ranges as a set, borrowed. */
struct seqset seqset_of(const struct vec *v);

/* partial-range = nz-number ":" nz-number / MINUS nz-number ":" MINUS nz-number     RFC 9394 4
 * Places in a list of results, counted from 1, from its end when `last`; as given, in either order.
 */
struct partial_range {
	bool last;
	uint32_t a, b;
};
bool partial_range_parse(struct scan *s, struct partial_range *ret) MUST_CHECK;
bool partial_range_print(const struct partial_range *r, struct buf *out);
/* The part of a range that is within [from, to) of a list's places, of which `passed` are before
 * it; low above high when there is none. */
struct api_range seq_range_clip(
	struct api_range range, uint32_t passed, uint32_t from, uint32_t to);
/* Of n results those in [from, to), counted from 0; none when from == to. */
void partial_range_slice(
	const struct partial_range *r, uint32_t n, uint32_t *ret_from, uint32_t *ret_to);

#endif
