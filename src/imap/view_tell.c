// SPDX-License-Identifier: Apache-2.0
/* What the client is told of a view's news. RFC 9051 7.4.1 (EXISTS), 7.5.1 (EXPUNGE), 7.5.2
 * (FETCH); RFC 7162 3.2.10 (VANISHED).
 *
 * EXPUNGE goes from the highest number to the lowest: so no number that is still to be said changes
 * by what was said, and a telling that stops for want of room goes on where it was. */
#include "imap/view_private.h"

#include "base/planted.h"
#include "base/limits.h"

#include <stdlib.h>

#define EXPUNGE_BYTES 32
/* All flags, every keyword of at most 64 bytes, and the rest of the line. */
#define FETCH_BYTES (VIEW_KEYWORDS * 65 + 256)

/* True: all were said, or nothing was to say. */
static bool tell_expunge(struct view *v, struct buf *out)
{
	size_t i = v->tell_expunge ? v->tell_expunge : v->told;
	for (; i > 0 && v->gone > 0; i--) {
		if ((v->marks[i - 1] & (VIEW_GONE | VIEW_SAID)) != VIEW_GONE)
			continue;
		if (buf_room(out) < EXPUNGE_BYTES) {
			v->tell_expunge = i;
			return false;
		}
		if (!planted("expunge_not_told"))
			buf_addf(out, "* %zu EXPUNGE\r\n", i);
		v->marks[i - 1] |= VIEW_SAID;
		v->gone--;
	}
	v->tell_expunge = 0;
	view_squeeze(v, VIEW_SAID);
	v->recount = true;
	return true;
}

/* The next range of UIDs from entry i on that are to be said to have vanished; the index behind it.
 * Only what the client counts may be named (RFC 7162 3.2.10.2), so a range has no gaps. */
static size_t next_vanished(const struct view *v, size_t i, struct api_range *ret)
{
	while (i < v->told && (v->marks[i] & (VIEW_GONE | VIEW_SAID)) != VIEW_GONE)
		i++;
	if (i == v->told)
		return i;
	ret->low = ret->high = v->entries[i++].uid;
	while (i < v->told && v->entries[i].uid == ret->high + 1 &&
		(v->marks[i] & (VIEW_GONE | VIEW_SAID)) == VIEW_GONE)
		ret->high = v->entries[i++].uid;
	return i;
}

static void mark_said(struct view *v, const struct api_range *range)
{
	size_t i = view_lower_bound(v, v->told, range->low);
	for (; i < v->told && v->entries[i].uid <= range->high; i++) {
		v->marks[i] |= VIEW_SAID;
		v->gone--;
	}
}

/* One response as long as there is room; what finds none is said in another. */
static bool tell_vanished(struct view *v, struct buf *out)
{
	struct api_range range = { 0, 0 };
	const char *gap = "* VANISHED ";
	size_t i = 0;
	while (v->gone > 0 && buf_room(out) >= 2 * EXPUNGE_BYTES) {
		i = next_vanished(v, i, &range);
		buf_addf(out, "%s%u", gap, range.low);
		if (range.high != range.low)
			buf_addf(out, ":%u", range.high);
		mark_said(v, &range);
		gap = ",";
	}
	if (*gap == ',')
		buf_addz(out, "\r\n");
	if (v->gone > 0)
		return false;
	view_squeeze(v, VIEW_SAID);
	v->recount = true;
	return true;
}

static bool tell_exists(struct view *v, struct buf *out)
{
	if (v->told == v->n || planted("exists_not_told"))
		return true;
	if (buf_room(out) < EXPUNGE_BYTES)
		return false;
	buf_addf(out, "* %zu EXISTS\r\n", v->n);
	v->told = v->n;
	v->recount = v->grown = true;
	return true;
}

static uint32_t count_recent(const struct view *v)
{
	size_t n = 0;
	VEC_EACH (const struct api_range, r, &v->recent)
		n += view_lower_bound(v, v->told, r->high + 1) -
		     view_lower_bound(v, v->told, r->low);
	return (uint32_t)n;
}

static bool tell_recent(struct view *v, struct buf *out)
{
	if (!v->recount)
		return true;
	if (buf_room(out) < EXPUNGE_BYTES)
		return false;
	uint32_t n = count_recent(v);
	if (n != v->recent_said || (v->grown && n > 0))
		buf_addf(out, "* %u RECENT\r\n", n);
	v->recent_said = n;
	v->recount = v->grown = false;
	return true;
}

/* A STORE of a whole mailbox says one for each message: so piece by piece, without a format. */
static void add_fetch(struct view *v, size_t i, const struct view_tell *tell, struct buf *out)
{
	const struct api_entry *e = &v->entries[i];
	const char *gap = " FETCH (";
	buf_add(out, "* ", 2);
	buf_add_number(out, i + 1);
	if (tell->uid) {
		buf_addz(out, gap);
		buf_add(out, "UID ", 4);
		buf_add_number(out, e->uid);
		gap = " ";
	}
	if (v->marks[i] & VIEW_FLAGS) {
		buf_addz(out, gap);
		buf_add(out, "FLAGS ", 6);
		view_add_flags(v, out, e);
		gap = " ";
	}
	if (tell->modseq) {
		buf_addz(out, gap);
		buf_add(out, "MODSEQ (", 8);
		buf_add_number(out, e->modseq);
		buf_addc(out, ')');
		if (tell->heard != NULL && e->modseq > *tell->heard)
			*tell->heard = e->modseq;
	}
	buf_add(out, ")\r\n", 3);
}

static bool tell_fetch(struct view *v, const struct view_tell *tell, struct buf *out)
{
	for (size_t i = v->tell_fetch; i < v->told && v->changed > 0; i++) {
		if (!(v->marks[i] & (VIEW_FLAGS | VIEW_MODSEQ)) ||
			(tell->only != NULL && !seqset_contains(tell->only, v->entries[i].uid)))
			continue;
		if (buf_room(out) < FETCH_BYTES) {
			v->tell_fetch = i;
			return false;
		}
		if (tell->modseq || (v->marks[i] & VIEW_FLAGS))
			add_fetch(v, i, tell, out);
		view_unmark(v, i);
	}
	v->tell_fetch = 0;
	return true;
}

static bool tell_what_came_and_went(struct view *v, const struct view_tell *tell, struct buf *out)
{
	/* More may have gone since a call that found no room: so again, until none is left. */
	while (tell->expunge && v->gone > 0) {
		if (!(tell->vanished ? tell_vanished(v, out) : tell_expunge(v, out)))
			return false;
	}
	return tell_exists(v, out) && (!tell->recent || tell_recent(v, out));
}

bool view_tell(struct view *v, const struct view_tell *tell, struct buf *out)
{
	if (!tell->no_news && !tell_what_came_and_went(v, tell, out))
		return false;
	if (tell->no_flags)
		return true;
	if (!tell_fetch(v, tell, out))
		return false;
	return v->changed == 0 || tell_fetch(v, tell, out);
}

bool view_has_news(const struct view *v, bool expunge, bool flags)
{
	return (expunge && v->gone > 0) || v->told < v->n || (flags && v->changed > 0);
}

void view_tell_all(struct view *v)
{
	view_squeeze(v, VIEW_GONE);
	v->told = v->n;
	v->gone = v->changed = 0;
	v->tell_expunge = v->tell_fetch = 0;
	if (v->n > 0)
		memset(v->marks, 0, v->n);
}

void view_mark_changed(struct view *v, const struct seqset *sequence)
{
	for (size_t r = 0; r < sequence->n; r++) {
		for (size_t i = sequence->ranges[r].low; i <= sequence->ranges[r].high; i++) {
			if (i > v->told)
				return;
			view_mark(v, i - 1, VIEW_FLAGS);
		}
	}
}

void view_mark_modseqs(struct view *v, const struct seqset *sequence, const struct seqset *but)
{
	for (size_t r = 0; r < sequence->n; r++) {
		for (size_t i = sequence->ranges[r].low; i <= sequence->ranges[r].high; i++) {
			if (i > v->told)
				return;
			if (but->n == 0 || !seqset_contains(but, v->entries[i - 1].uid))
				view_mark(v, i - 1, VIEW_MODSEQ);
		}
	}
}

void view_mark_told(struct view *v, uint32_t sequence)
{
	if (sequence > 0 && sequence <= v->told)
		view_unmark(v, sequence - 1);
}
