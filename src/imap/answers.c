// SPDX-License-Identifier: Apache-2.0
/* Answers that were given before; see answers.h. A sheet is an array by UID, mostly filled from its
 * beginning to its end, and the texts in an arena. */
#include "imap/answers.h"

#include "base/arena.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/vec.h"

#include <stdlib.h>

struct row {
	uint32_t uid, n;
	const char *text;
};

struct name {
	uint64_t account, mailbox;
	uint32_t uidvalidity, kind;
};

struct sheet {
	struct sheet *newer, *older; /* by their last use */
	struct name name;
	struct vec rows; /* struct row, by UID */
	struct arena texts;
	size_t next;  /* where the next one is likely to be found */
	size_t bytes; /* of the sum */
};

struct answers {
	struct map by_name; /* struct name -> struct sheet */
	struct sheet *newest, *oldest;
	size_t bytes, max;
};

enum { SHEET_BYTES = 4096 }; /* of one that is nearly empty, with its place in the map */

struct answers *answers_new(const uint8_t key[16], size_t max)
{
	struct answers *a = xmalloc(sizeof(*a));
	map_init(&a->by_name, key, max / SHEET_BYTES * 2 + 2);
	a->max = max;
	return a;
}

static struct str key_of(const struct name *name)
{
	return str_make((const char *)name, sizeof(*name));
}

static void leave_list(struct answers *a, struct sheet *s)
{
	*(s->newer ? &s->newer->older : &a->newest) = s->older;
	*(s->older ? &s->older->newer : &a->oldest) = s->newer;
	s->newer = s->older = NULL;
}

static void enter_list(struct answers *a, struct sheet *s)
{
	s->older = a->newest;
	*(s->older ? &s->older->newer : &a->oldest) = s;
	a->newest = s;
}

static void sheet_free(struct answers *a, struct sheet *s)
{
	leave_list(a, s);
	a->bytes -= s->bytes;
	map_remove(&a->by_name, key_of(&s->name));
	vec_done(&s->rows);
	arena_done(&s->texts);
	free(s);
}

void answers_free(struct answers **a)
{
	if (*a == NULL)
		return;
	while ((*a)->oldest)
		sheet_free(*a, (*a)->oldest);
	map_done(&(*a)->by_name);
	free(*a);
	*a = NULL;
}

size_t answers_bytes(const struct answers *a)
{
	return a->bytes;
}

/* Sheets that a command has in its hands are the newest. False: there is nothing else to go. */
static bool make_room(struct answers *a, size_t n)
{
	const struct sheet *keep = a->newest;
	for (int i = 1; keep && i < SHEETS_AT_ONCE; i++)
		keep = keep->older;
	while (a->bytes + n > a->max) {
		if (keep == NULL || a->oldest == keep)
			return false;
		sheet_free(a, a->oldest);
	}
	return true;
}

struct sheet *answers_sheet(
	struct answers *a, uint64_t account, uint64_t mailbox, uint32_t uidvalidity, unsigned kind)
{
	struct name name = { account, mailbox, uidvalidity, kind };
	struct sheet *s = map_get(&a->by_name, key_of(&name));
	if (s) {
		leave_list(a, s);
		enter_list(a, s);
		return s;
	}
	if (!make_room(a, SHEET_BYTES))
		return NULL;
	s = xmalloc(sizeof(*s));
	s->name = name;
	vec_init(&s->rows, sizeof(struct row), LIMIT_VIEW_ENTRIES);
	arena_init(&s->texts, a->max);
	s->bytes = SHEET_BYTES;
	a->bytes += s->bytes;
	enter_list(a, s);
	map_put(&a->by_name, key_of(&s->name), s);
	return s;
}

static struct row *row_at(const struct sheet *s, size_t i)
{
	return (struct row *)(void *)vec_at(&s->rows, i);
}

/* The first row with a UID at or above this one; mostly it is behind all that are there. */
static size_t lower_bound(const struct sheet *s, uint32_t uid)
{
	size_t low = 0, high = s->rows.n;
	if (high > 0 && row_at(s, high - 1)->uid < uid)
		return high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (row_at(s, middle)->uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool sheet_get(struct sheet *s, uint32_t uid, struct str *ret)
{
	if (s == NULL || s->rows.n == 0)
		return false;
	size_t i = s->next;
	if (i > 0 && row_at(s, i - 1)->uid == uid)
		i--;
	else if (i >= s->rows.n || row_at(s, i)->uid != uid)
		i = lower_bound(s, uid);
	if (i == s->rows.n || row_at(s, i)->uid != uid)
		return false;
	*ret = str_make(row_at(s, i)->text, row_at(s, i)->n);
	s->next = i + 1;
	return true;
}

/* What the sheet takes now. */
static size_t sheet_bytes(const struct sheet *s)
{
	return SHEET_BYTES + s->rows.cap * sizeof(struct row) + s->texts.used;
}

void sheet_put(struct answers *a, struct sheet *s, uint32_t uid, struct str text)
{
	struct row row = { uid, (uint32_t)text.n, NULL };
	size_t at = s ? lower_bound(s, uid) : 0;
	if (s == NULL || text.n > UINT32_MAX || (at < s->rows.n && row_at(s, at)->uid == uid))
		return;
	/* Rows double, and an arena counts in pieces of 16. */
	size_t more = text.n + 32 +
		      (s->rows.n == s->rows.cap ? (s->rows.cap + 8) * sizeof(row) : 0);
	if (!make_room(a, more) || (row.text = arena_str(&s->texts, text).p) == NULL ||
		vec_push(&s->rows, &row) == NULL)
		return;
	if (at + 1 < s->rows.n) {
		memmove(row_at(s, at + 1), row_at(s, at), (s->rows.n - 1 - at) * sizeof(row));
		*row_at(s, at) = row;
	}
	a->bytes += sheet_bytes(s) - s->bytes;
	s->bytes = sheet_bytes(s);
}
