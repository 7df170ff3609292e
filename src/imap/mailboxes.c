// SPDX-License-Identifier: Apache-2.0
/* The account's mailboxes as LIST needs them; see mailboxes.h. */
#include "imap/mailboxes.h"

#include "base/limits.h"

void mailboxes_init(struct mailboxes *m, struct arena *arena)
{
	m->arena = arena;
	vec_init(&m->all, sizeof(struct api_mailbox), LIMIT_IMAP_MAILBOXES);
}

void mailboxes_done(struct mailboxes *m)
{
	vec_done(&m->all);
}

bool mailboxes_add(struct mailboxes *m, const struct api_mailbox *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct api_mailbox box = items[i];

		box.name = arena_str(m->arena, items[i].name);
		if (box.name.p == NULL || vec_push(&m->all, &box) == NULL)
			return false;
	}
	return true;
}

/* "/" sorts before every other byte, so that everything below a name follows it at once. */
static int compare(const void *pa, const void *pb)
{
	struct str a = ((const struct api_mailbox *)pa)->name;
	struct str b = ((const struct api_mailbox *)pb)->name;
	size_t n = a.n < b.n ? a.n : b.n, i = 0;

	while (i < n && a.p[i] == b.p[i])
		i++;
	if (i == n)
		return a.n < b.n ? -1 : a.n > b.n;
	if (a.p[i] == '/' || b.p[i] == '/')
		return a.p[i] == '/' ? -1 : 1;
	return (unsigned char)a.p[i] < (unsigned char)b.p[i] ? -1 : 1;
}

static void sort(struct mailboxes *m)
{
	if (m->all.n > 1)
		qsort(m->all.p, m->all.n, sizeof(struct api_mailbox), compare);
}

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

/* Among the first n, which are sorted. */
static bool is_there(struct mailboxes *m, size_t n, struct str name)
{
	struct mailboxes sorted = { .all = { .p = m->all.p, .n = n, .size = m->all.size } };
	size_t i = mailboxes_after(&sorted, name);

	return i > 0 && str_equal(mailboxes_at(m, i - 1)->name, name);
}

/* The parents of one name that are not there. What is below a parent stands together, so one that
 * the name before has too was seen to already. */
static bool add_parents(struct mailboxes *m, size_t n, struct str before, struct str name)
{
	for (size_t i = 1; i < name.n; i++) {
		struct api_mailbox parent = { .name = str_sub(name, 0, i) };

		if (name.p[i] != '/' || mailboxes_is_below(before, parent.name) ||
			is_there(m, n, parent.name))
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

	sort(m);
	for (size_t i = 0; i < n; i++) {
		struct str name = mailboxes_at(m, i)->name;

		if (!add_parents(m, n, before, name))
			return false;
		before = name;
	}
	sort(m);
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
