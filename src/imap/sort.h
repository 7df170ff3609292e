/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sorting messages by what SORT names (RFC 5256 3, RFC 5957), from their entries and what facts.h
 * took from their digests.
 *
 *     if (!sort_criteria_parse(&scan, &criteria)) return BAD;
 *     struct sorter *t = sorter_new(&criteria, LIMIT_IMAP_SORT_BYTES);
 *     sorter_add(t, n, entry, facts) for each message
 *     while (!sorter_step(t, 20000)) … let others have their turn
 *     for (size_t i = 0; i < sorter_count(t); i++) … sorter_at(t, i)
 *
 * Texts compare by i;unicode-casemap (RFC 5051). What compares equal comes in the order of the
 * mailbox, in whatever order it was added. Time is O(n log n) comparisons, in steps; a key is
 * computed once.
 *
 * uses: base, facts, mail (address, charset, encoded); used by: SORT of imap
 */
#ifndef CULVER_IMAP_SORT_H
#define CULVER_IMAP_SORT_H

#include "api/frames.h"
#include "base/scan.h"

struct message_facts;

enum sort_key {
	SORT_ARRIVAL,
	SORT_CC,
	SORT_DATE,
	SORT_FROM,
	SORT_SIZE,
	SORT_SUBJECT,
	SORT_TO,
	SORT_DISPLAYFROM,
	SORT_DISPLAYTO,
	SORT_KEYS
};

struct sort_criteria {
	struct {
		enum sort_key key;
		bool reverse;
	} v[SORT_KEYS]; /* a key that comes again decides nothing, so each is here once */
	size_t n;
	bool needs_digest;
};

/* Whether the key is in the digest rather than in the entry. */
bool sort_needs_digest(enum sort_key key);
/* sort-criteria = "(" sort-criterion *(SP sort-criterion) ")" */
bool sort_criteria_parse(struct scan *s, struct sort_criteria *ret);

struct sorter;
/* max: bytes of memory for keys. */
struct sorter *sorter_new(const struct sort_criteria *criteria, size_t max);
void sorter_free(struct sorter **t);
/* What it has in memory. */
size_t sorter_bytes(const struct sorter *t);
/* m: may be NULL when the criteria need no digest. False: beyond the memory. */
bool sorter_add(struct sorter *t, uint32_t sequence, const struct api_entry *e,
	const struct message_facts *m) MUST_CHECK;
/* The same with a rank (facts.h) in the place of the digest, for each criterion that needs one. */
bool sorter_add_ranked(struct sorter *t, uint32_t sequence, const struct api_entry *e,
	const uint32_t ranks[SORT_KEYS]) MUST_CHECK;
/* Goes on sorting for so many comparisons; true: it is sorted. */
bool sorter_step(struct sorter *t, size_t comparisons);
size_t sorter_count(const struct sorter *t);
uint32_t sorter_at(const struct sorter *t, size_t i);
/* Whether two compare equal by the first criterion. */
bool sorter_equal(const struct sorter *t, size_t i, size_t k);

#endif
