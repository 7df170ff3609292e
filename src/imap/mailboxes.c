// SPDX-License-Identifier: Apache-2.0
/* The account's mailboxes as LIST needs them; see mailboxes.h. */
#include "imap/mailboxes.h"

#include "base/limits.h"

#include <stdlib.h>
#include <string.h>

void mailboxes_init(struct mailboxes *m, struct arena *arena)
{
	m->arena = arena;
	vec_init(&m->all, sizeof(struct api_mailbox), LIMIT_IMAP_MAILBOXES);
	m->n_runs = 0;
}

void mailboxes_done(struct mailboxes *m)
{
	vec_done(&m->all);
}

/* How many bytes are the same at the beginning. Names may be long, and much alike. */
static size_t common(const char *a, const char *b, size_t n)
{
	size_t i = 0;

	while (i + 8 <= n && memcmp(a + i, b + i, 8) == 0)
		i += 8;
	while (i < n && a[i] == b[i])
		i++;
	return i;
}

/* "/" sorts before every other byte, so that everything below a name follows it at once. */
static int compare(const void *pa, const void *pb)
{
	struct str a = ((const struct api_mailbox *)pa)->name;
	struct str b = ((const struct api_mailbox *)pb)->name;
	size_t n = a.n < b.n ? a.n : b.n, i = common(a.p, b.p, n);

	if (i == n)
		return a.n < b.n ? -1 : a.n > b.n;
	if (a.p[i] == '/' || b.p[i] == '/')
		return a.p[i] == '/' ? -1 : 1;
	return (unsigned char)a.p[i] < (unsigned char)b.p[i] ? -1 : 1;
}

/* ---- runs ---- */

static void sort(struct mailboxes *m, size_t from)
{
	if (m->all.n - from > 1)
		qsort(vec_at(&m->all, from), m->all.n - from, sizeof(struct api_mailbox), compare);
}

/* The last two become one. */
static void merge(struct mailboxes *m)
{
	size_t first = m->runs[m->n_runs - 2], second = m->runs[m->n_runs - 1];
	size_t n = second - first, i = 0, next = second, to = first;
	struct api_mailbox *all = (void *)m->all.p, *left;

	m->n_runs--;
	if (compare(&all[second - 1], &all[second]) <= 0)
		return;
	left = xmalloc(n * sizeof *left);
	memcpy(left, all + first, n * sizeof *left);
	while (i < n)
		all[to++] = next < m->all.n && compare(&all[next], &left[i]) < 0 ? all[next++]
										 : left[i++];
	free(left);
}

/* What was pushed from here on, and is in order, is a run. */
static void add_run(struct mailboxes *m, size_t from)
{
	if (from == m->all.n)
		return;
	m->runs[m->n_runs++] = from;
	while (m->n_runs > 1 && m->runs[m->n_runs - 1] - m->runs[m->n_runs - 2] <
					2 * (m->all.n - m->runs[m->n_runs - 1]))
		merge(m);
}

static void merge_all(struct mailboxes *m)
{
	while (m->n_runs > 1)
		merge(m);
}

bool mailboxes_add(struct mailboxes *m, const struct api_mailbox *items, size_t n)
{
	size_t from = m->all.n;
	bool fits = true;

	for (size_t i = 0; fits && i < n; i++) {
		struct api_mailbox box = items[i];

		box.name = arena_str(m->arena, items[i].name);
		fits = box.name.p != NULL && vec_push(&m->all, &box) != NULL;
	}
	sort(m, from);
	add_run(m, from);
	return fits;
}

void mailboxes_renamed(struct mailboxes *m)
{
	sort(m, 0);
	m->n_runs = 0;
	add_run(m, 0);
}

/* ---- what is below what ---- */

size_t mailboxes_after(const struct mailboxes *m, struct str name)
{
	const struct api_mailbox key = { .name = name };
	size_t low = 0, high = m->all.n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (compare(mailboxes_at(m, mid), &key) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The parents of a name that are not there. Everything between a parent and the name is below that
 * parent, so the name before is one of these, or the parent: else it is missing. What is added is
 * in order, too. */
static bool add_parents(struct mailboxes *m, struct str before, struct str name)
{
	size_t same = common(before.p, name.p, before.n < name.n ? before.n : name.n);

	for (size_t i = same > 0 ? same : 1; i < name.n; i++) {
		struct api_mailbox parent = { .name = str_sub(name, 0, i) };

		if (name.p[i] != '/' || str_equal(before, parent.name))
			continue;
		if (vec_push(&m->all, &parent) == NULL)
			return false;
	}
	return true;
}

bool mailboxes_end(struct mailboxes *m)
{
	size_t n = m->all.n;
	struct str before = STR_NONE;

	merge_all(m);
	for (size_t i = 0; i < n; i++) {
		struct str name = mailboxes_at(m, i)->name;

		if (!add_parents(m, before, name))
			return false;
		before = name;
	}
	add_run(m, n);
	merge_all(m);
	return true;
}

bool mailboxes_is_below(struct str name, struct str parent)
{
	return name.n > parent.n && str_starts(name, parent) && name.p[parent.n] == '/';
}

bool mailboxes_has_children(const struct mailboxes *m, struct str name)
{
	for (size_t i = mailboxes_after(m, name); i < m->all.n; i++) {
		const struct api_mailbox *box = mailboxes_at(m, i);

		if (!mailboxes_is_below(box->name, name))
			return false;
		if (box->exists)
			return true;
	}
	return false;
}
