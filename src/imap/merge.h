/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sorting of numbers in steps that can stop anywhere, between which others have their turn: a merge
 * sort.
 *
 *     merge_begin(&m, n);  m.order[0 … n - 1] = …
 *     while (!merge_step(&m, &comparisons, compare, arg)) … comparisons is 0: in another turn
 *     m.order[0 … n - 1] are in order
 *     merge_done(&m);
 *
 * uses: base; used by: sort, thread
 */
#ifndef CULVER_IMAP_MERGE_H
#define CULVER_IMAP_MERGE_H

#include "base/mem.h"

struct merge {
	uint32_t *order, *spare;
	size_t n, room;
	/* runs of `width` are sorted in order[]; pairs of them go to spare[] */
	size_t width, left, i, j, k;
};

/* As memcmp; whoever is 0 keeps its place. */
typedef int merge_compare(const void *arg, uint32_t a, uint32_t b);

/* Makes room for n numbers, or uses what was there; *m is zeroed before the first time. */
void merge_begin(struct merge *m, size_t n);
void merge_done(struct merge *m);
/* Goes on for so many comparisons, and takes off those that it made; true: it is sorted. */
bool merge_step(struct merge *m, size_t *comparisons, merge_compare *compare, const void *arg);

#endif
