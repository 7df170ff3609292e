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

void mailboxes_end(struct mailboxes *m)
{
	if (m->all.n > 1)
		qsort(m->all.p, m->all.n, sizeof(struct api_mailbox), compare);
}

/* Where the names after this one begin. */
static size_t after(const struct mailboxes *m, struct str name)
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

static bool is_below(struct str name, struct str parent)
{
	return name.n > parent.n && str_starts(name, parent) && name.p[parent.n] == '/';
}

bool mailboxes_has_children(const struct mailboxes *m, struct str name)
{
	for (size_t i = after(m, name); i < m->all.n; i++) {
		const struct api_mailbox *box = mailboxes_at(m, i);

		if (!is_below(box->name, name))
			return false;
		if (box->exists)
			return true;
	}
	return false;
}

bool mailboxes_has_subscribed_below(const struct mailboxes *m, struct str name)
{
	for (size_t i = after(m, name); i < m->all.n; i++) {
		const struct api_mailbox *box = mailboxes_at(m, i);

		if (!is_below(box->name, name))
			return false;
		if (box->subscribed)
			return true;
	}
	return false;
}
