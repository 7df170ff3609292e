// SPDX-License-Identifier: Apache-2.0
/* A merge sort that can stop anywhere; see merge.h. */
#include "imap/merge.h"

#include <stdlib.h>

static size_t at_most(size_t n, size_t most)
{
	return n < most ? n : most;
}

/* The next pair of runs begins at `left`. */
static void begin_pair(struct merge *m, size_t left)
{
	m->left = m->i = m->k = left;
	m->j = at_most(left + m->width, m->n);
}

void merge_begin(struct merge *m, size_t n)
{
	if (n > m->room || m->order == NULL) {
		merge_done(m);
		m->order = xcalloc(n + 1, sizeof(*m->order));
		m->spare = xcalloc(n + 1, sizeof(*m->spare));
		m->room = n;
	}
	m->n = n;
	m->width = 1;
	begin_pair(m, 0);
}

void merge_done(struct merge *m)
{
	free(m->order);
	free(m->spare);
	*m = (struct merge){ .order = NULL };
}

/* All pairs of this width are merged. */
static void end_pass(struct merge *m)
{
	uint32_t *merged = m->spare;
	m->spare = m->order;
	m->order = merged;
	m->width *= 2;
	begin_pair(m, 0);
}

/* One number goes where it belongs. False: the pair is merged. */
static bool merge_one(struct merge *m, merge_compare *compare, const void *arg)
{
	size_t mid = at_most(m->left + m->width, m->n), end = at_most(m->left + 2 * m->width, m->n);
	if (m->k == end)
		return false;
	bool first = m->j == end ||
		     (m->i < mid && compare(arg, m->order[m->i], m->order[m->j]) <= 0);
	m->spare[m->k++] = first ? m->order[m->i++] : m->order[m->j++];
	return true;
}

bool merge_step(struct merge *m, size_t *comparisons, merge_compare *compare, const void *arg)
{
	while (m->width < m->n) {
		if (*comparisons == 0)
			return false;
		(*comparisons)--;
		if (merge_one(m, compare, arg))
			continue;
		begin_pair(m, at_most(m->left + 2 * m->width, m->n));
		if (m->left == m->n)
			end_pass(m);
	}
	return true;
}
