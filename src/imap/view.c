// SPDX-License-Identifier: Apache-2.0
/* A session's view of its mailbox: the array of entries and what of it the client knows.
 *
 * entries[0, told) are the client's; a rank there is a sequence number. entries[told, n) arrived
 * since, and are in UID order once view_apply_end or view_load_end has run. `marks` runs beside:
 * GONE entries keep their place until the client is told, then they leave all at once. That is what
 * makes 100,000 expunges one pass. Telling is in view_tell.c, asking in view_ask.c. */
#include "imap/view.h"

#include "api/schemes.h"
#include "base/limits.h"
#include "imap/view_private.h"

#include <stdlib.h>

struct view *view_new(void)
{
	struct view *v = xmalloc(sizeof(*v));
	vec_init(&v->lost, sizeof(uint32_t), LIMIT_VIEW_ENTRIES);
	vec_init(&v->recent, sizeof(struct api_range), LIMIT_VIEW_ENTRIES);
	return v;
}

void view_free(struct view **v)
{
	if (*v == NULL)
		return;
	view_forget_keywords(*v);
	vec_done(&(*v)->lost);
	vec_done(&(*v)->recent);
	free((*v)->entries);
	free((*v)->marks);
	free(*v);
	*v = NULL;
}

static void make_room(struct view *v, size_t n)
{
	if (n <= v->cap)
		return;
	v->cap = n;
	v->entries = xrealloc(v->entries, v->cap * sizeof(*v->entries));
	v->marks = xrealloc(v->marks, v->cap);
}

static bool add(struct view *v, const struct api_entry *e)
{
	if (v->n == LIMIT_VIEW_ENTRIES)
		return false;
	if (v->n == v->cap)
		make_room(v, v->cap + v->cap / 2 + 64);
	v->unclean |= v->n > v->sorted && v->entries[v->n - 1].uid >= e->uid;
	v->entries[v->n] = *e;
	v->marks[v->n++] = 0;
	return true;
}

void view_squeeze(struct view *v, uint8_t marks)
{
	size_t to = 0, told = v->told;
	for (size_t i = 0; i < v->n; i++) {
		if (v->marks[i] & marks) {
			told -= i < v->told;
			continue;
		}
		if (to < i) {
			v->entries[to] = v->entries[i];
			v->marks[to] = v->marks[i];
		}
		to++;
	}
	v->sorted -= v->n - to; /* what leaves was told, so it was in order */
	v->n = to;
	v->told = told;
}

void view_mark(struct view *v, size_t i, enum view_mark mark)
{
	if (i >= v->told || (v->marks[i] & VIEW_GONE))
		return;
	if (!(v->marks[i] & (VIEW_FLAGS | VIEW_MODSEQ)))
		v->changed++;
	v->marks[i] |= (uint8_t)mark;
}

void view_unmark(struct view *v, size_t i)
{
	if (v->marks[i] & (VIEW_FLAGS | VIEW_MODSEQ))
		v->changed--;
	v->marks[i] &= (uint8_t) ~(VIEW_FLAGS | VIEW_MODSEQ);
}

static void mark_gone(struct view *v, size_t i)
{
	if (v->marks[i] & VIEW_GONE)
		return;
	view_unmark(v, i);
	v->marks[i] |= VIEW_GONE;
	v->gone += i < v->told;
	v->unclean |= i >= v->told;
}

/* ---- an entry is now so ---- */

static bool same_flags(const struct api_entry *a, const struct api_entry *b)
{
	return a->flags == b->flags && a->keywords_low == b->keywords_low &&
	       a->keywords_high == b->keywords_high;
}

/* What the session's own STORE makes of an entry as the client knows it. */
static struct api_entry expected(const struct api_entry *old, const struct view_own *own)
{
	struct api_entry e = *old;
	if (own->mode == FLAGS_REMOVE) {
		e.flags &= (uint8_t)~own->flags;
		e.keywords_low &= ~own->keywords_low;
		e.keywords_high &= ~own->keywords_high;
		return e;
	}
	if (own->mode == FLAGS_REPLACE)
		e.flags = 0, e.keywords_low = e.keywords_high = 0;
	e.flags |= own->flags;
	e.keywords_low |= own->keywords_low;
	e.keywords_high |= own->keywords_high;
	return e;
}

static bool is_own(const struct api_entry *now, const struct view_own *own)
{
	return now->modseq >= own->modseq && seqset_contains(&own->uids, now->uid) &&
	       !seqset_contains(&own->failed, now->uid);
}

/* The client of a STORE.SILENT knows the outcome, unless somebody else's change is in it. One that
 * came after it may have set the flags back to what the view has, which the client believes no
 * more. */
static bool is_news(
	const struct view *v, size_t i, const struct api_entry *now, const struct view_own *own)
{
	const struct api_entry *old = &v->entries[i];
	if (own == NULL || !is_own(now, own))
		return !same_flags(old, now);
	struct api_entry e = expected(old, own);
	bool silent = now->modseq == own->modseq && (v->marks[i] & VIEW_FLAGS) == 0;
	return !same_flags(&e, now) || (!silent && !same_flags(old, now));
}

static void change(
	struct view *v, size_t i, const struct api_entry *now, const struct view_own *own)
{
	struct api_entry *e = &v->entries[i];
	if (now->modseq < e->modseq) /* what the view has is later */
		return;
	bool differs = is_news(v, i, now, own);
	bool newer = now->modseq != e->modseq;
	*e = *now;
	if (differs)
		view_mark(v, i, VIEW_FLAGS);
	else if (newer)
		view_mark(v, i, VIEW_MODSEQ);
}

void view_store(struct view *v, const struct view_own *own, bool silent)
{
	for (size_t r = 0; r < own->uids.n; r++) {
		size_t i = view_lower_bound(v, v->sorted, own->uids.ranges[r].low);
		for (; i < v->sorted && v->entries[i].uid <= own->uids.ranges[r].high; i++) {
			struct api_entry *e = &v->entries[i], now = expected(e, own);
			if (same_flags(e, &now) ||
				(own->failed.n > 0 && seqset_contains(&own->failed, e->uid)))
				continue;
			now.modseq = own->modseq;
			*e = now;
			view_mark(v, i, silent ? VIEW_MODSEQ : VIEW_FLAGS);
		}
	}
}

/* ---- a whole view ---- */

void view_load_begin(struct view *v)
{
	v->load_at = 0;
	v->load_n = v->n;
	v->load_uid = 0;
}

/* An own STORE.SILENT may be among what was missed, and be undone again: so flags are told even
 * where the view sees none that differ. */
static void reloaded(struct view *v, size_t i, const struct api_entry *now)
{
	bool newer = now->modseq > v->entries[i].modseq;
	change(v, i, now, NULL);
	if (newer)
		view_mark(v, i, VIEW_FLAGS);
}

static bool load_one(struct view *v, const struct api_entry *e)
{
	if (e->uid <= v->load_uid)
		return false;
	v->load_uid = e->uid;
	if (e->modseq > v->newest)
		v->newest = e->modseq;
	while (v->load_at < v->load_n && v->entries[v->load_at].uid < e->uid)
		mark_gone(v, v->load_at++);
	if (v->load_at == v->load_n)
		return add(v, e);
	/* If not this one, it lies between two that the view has: it was there once, has been
	 * forgotten, and cannot come back. */
	if (v->entries[v->load_at].uid == e->uid)
		reloaded(v, v->load_at++, e);
	return true;
}

bool view_load(struct view *v, const struct api_entry *entries, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!load_one(v, &entries[i]))
			return false;
	}
	return true;
}

void view_load_end(struct view *v)
{
	while (v->load_at < v->load_n)
		mark_gone(v, v->load_at++);
	view_apply_end(v);
}

static int compare_entries(const void *a, const void *b)
{
	const struct api_entry *x = a, *y = b;
	if (x->uid != y->uid)
		return x->uid < y->uid ? -1 : 1;
	return x->modseq < y->modseq ? -1 : x->modseq > y->modseq;
}

/* ---- a view that comes later than its numbers ---- */

void view_clear(struct view *v)
{
	free(v->entries);
	free(v->marks);
	v->entries = NULL;
	v->marks = NULL;
	v->n = v->cap = v->told = v->sorted = v->gone = v->changed = 0;
	v->tell_expunge = v->tell_fetch = 0;
	v->newest = 0;
	v->unclean = false;
	vec_done(&v->lost);
}

size_t view_count_below(const struct view *v, uint32_t uid)
{
	return view_lower_bound(v, v->n, uid);
}

/* The entries above a UID go to where they belong when all that is still to come is below them. */
static size_t move_up(struct view *v, size_t from, size_t *to, uint32_t above)
{
	for (; from > 0 && v->entries[from - 1].uid > above; from--) {
		v->entries[--*to] = v->entries[from - 1];
		v->marks[*to] = v->marks[from - 1];
	}
	return from;
}

/* Entries for n UIDs that the view has none of, expunged already. Both are in order, so they are
 * merged, from behind. */
static bool add_gone(struct view *v, const struct vec *absent, uint64_t n)
{
	if (n > LIMIT_VIEW_ENTRIES - v->n)
		return false;
	size_t from = v->n, to = v->n + (size_t)n;
	make_room(v, to);
	v->n = v->sorted = to;
	for (size_t r = absent->n; r > 0; r--) {
		const struct api_range *range = (const void *)vec_at(absent, r - 1);
		from = move_up(v, from, &to, range->high);
		for (uint32_t uid = range->high; uid >= range->low && uid != 0; uid--) {
			v->entries[--to] = (struct api_entry){ .uid = uid };
			v->marks[to] = VIEW_GONE;
		}
	}
	v->unclean = false;
	return from == to; /* else one of the UIDs was 0 */
}

/* The UIDs below uidnext that went and that the view lacks; how many that are. */
static uint64_t find_absent(
	const struct view *v, uint32_t uidnext, const struct vec *vanished, struct vec *ret)
{
	uint64_t n = 0;
	VEC_EACH (const struct api_range, r, vanished) {
		uint32_t high = r->high < uidnext ? r->high : uidnext - 1;
		if (r->low <= high)
			view_absent(v, r->low, high, ret);
	}
	VEC_EACH (const struct api_range, r, ret)
		n += r->high - r->low + 1;
	return n;
}

bool view_promise(struct view *v, uint32_t exists, uint32_t uidnext, uint64_t modseq,
	const struct vec *vanished)
{
	struct vec absent;
	vec_init(&absent, sizeof(struct api_range), LIMIT_VIEW_ENTRIES);
	uint64_t n = find_absent(v, uidnext, vanished, &absent);
	bool good = view_count_below(v, uidnext) + n == exists &&
		    (n == 0 || add_gone(v, &absent, n));
	vec_done(&absent);
	if (!good)
		return false;
	v->told = exists;
	v->gone = n;
	for (size_t i = 0; i < v->told && v->newest > modseq; i++)
		if (v->entries[i].modseq > modseq)
			view_mark(v, i, VIEW_FLAGS);
	return true;
}

/* ---- changes ---- */

/* New entries may come in the order of their changes rather than of their UIDs, and twice; they
 * are put in order at the end. */
static bool apply_one(struct view *v, const struct api_entry *e, const struct view_own *own)
{
	size_t i = view_lower_bound(v, v->sorted, e->uid);
	if (i < v->sorted && v->entries[i].uid == e->uid) {
		change(v, i, e, own);
		return true;
	}
	/* Not the view's, and not new either: it was told to be expunged before. */
	return i < v->sorted || add(v, e);
}

static bool expunge_one(struct view *v, uint32_t uid)
{
	size_t i = view_lower_bound(v, v->sorted, uid);
	if (i < v->sorted && v->entries[i].uid == uid) {
		mark_gone(v, i);
		return true;
	}
	/* It came and went within this series, or the view never knew it. */
	v->unclean |= i >= v->sorted;
	return i < v->sorted || vec_push(&v->lost, &uid) != NULL;
}

bool view_apply(struct view *v, const struct api_entry *entries, size_t n, const uint32_t *expunged,
	size_t n_expunged, const struct view_own *own)
{
	for (size_t i = 0; i < n; i++) {
		if (!apply_one(v, &entries[i], own))
			return false;
	}
	for (size_t i = 0; i < n_expunged; i++) {
		if (!expunge_one(v, expunged[i]))
			return false;
	}
	return true;
}

static int compare_uids(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

/* Puts the new entries in UID order. */
static void sort_new(struct view *v)
{
	for (size_t i = v->sorted + 1; i < v->n; i++) {
		if (v->entries[i - 1].uid >= v->entries[i].uid) {
			qsort(v->entries + v->sorted, v->n - v->sorted, sizeof(*v->entries),
				compare_entries);
			return;
		}
	}
}

/* Of the entries not told, drops those that came and went, and all but the latest of those that
 * came twice. */
static void clean_new(struct view *v)
{
	const uint32_t *lost = (const uint32_t *)(void *)v->lost.p;
	size_t at = 0;
	if (v->lost.n > 1)
		qsort(v->lost.p, v->lost.n, sizeof(uint32_t), compare_uids);
	size_t to = v->told;
	for (size_t i = v->told; i < v->n; i++) {
		uint32_t uid = v->entries[i].uid;
		while (at < v->lost.n && lost[at] < uid)
			at++;
		bool gone = (v->marks[i] & VIEW_GONE) || (at < v->lost.n && lost[at] == uid);
		bool again = i + 1 < v->n && v->entries[i + 1].uid == uid;
		if (gone || again)
			continue;
		v->entries[to] = v->entries[i];
		v->marks[to++] = 0;
	}
	v->n = to;
	vec_clear(&v->lost);
}

/* A walk over a million entries keeps a front's other clients waiting: it is done when there is
 * something to find. */
void view_apply_end(struct view *v)
{
	if (v->unclean) {
		sort_new(v);
		clean_new(v);
	}
	v->unclean = false;
	v->sorted = v->n;
}
