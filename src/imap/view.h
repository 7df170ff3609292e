/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session's view of its selected mailbox: what the client believes, and what it is still to be
 * told (ARCHITECTURE.md, Views).
 *
 * The view holds entries in UID order. The first `told` of them the client knows of, and an entry's
 * sequence number is its rank among those; the rest arrived since. The store's news is applied at
 * any time and only marks: an expunged entry keeps its number until the client was told. The client
 * is told by view_tell, which a session calls where RFC 9051 7.5.1 allows it. So each session has
 * its own past.
 *
 *     struct view *v = view_new();
 *     view_load_begin(v); view_load(v, entries, n) for each frame; view_load_end(v);
 *     view_tell_all(v);                                   SELECT says EXISTS itself
 *     …
 *     view_apply(v, entries, n, expunged, n, NULL) for each view_changed; view_apply_end(v)
 *     done = view_tell(v, &(struct view_tell){ .expunge = true, .uid = true }, &s->out);
 *
 * Cost: applying is O(k log n), telling O(n) however many expunges there are. A view of a million
 * entries takes 65 MB.
 *
 * uses: base, api frames, seqset; used by: session and commands of imap
 */
#ifndef CULVER_IMAP_VIEW_H
#define CULVER_IMAP_VIEW_H

#include "api/frames.h"
#include "base/buf.h"
#include "base/vec.h"
#include "imap/seqset.h"

struct view;

struct view *view_new(void);
void view_free(struct view **v);

/* ---- what the store says ---- */

/* A whole view, in UID order: the first, or one to compare with (after ERR_LIMIT of view_changes):
 * what is not in it is expunged, what differs is changed, what is above is new. view_load is false
 * when the entries are not in ascending order or beyond LIMIT_VIEW_ENTRIES: the store is broken. */
void view_load_begin(struct view *v);
bool view_load(struct view *v, const struct api_entry *entries, size_t n) MUST_CHECK;
void view_load_end(struct view *v);

/* A view that was loaded after the client had been told, at a modseq, how many messages there are,
 * all with UIDs below uidnext: they are what the client knows. vanished: ranges of UIDs (a vec of
 * struct api_range, rising) that were expunged since; those that the view lacks come back, expunged
 * and to be told. What changed since then is to be told. False, and nothing is told, when that does
 * not come to `exists` messages. */
bool view_promise(struct view *v, uint32_t exists, uint32_t uidnext, uint64_t modseq,
	const struct vec *vanished) MUST_CHECK;
/* How many entries there are below a UID, told or not. */
size_t view_count_below(const struct view *v, uint32_t uid);
/* Forgets all entries; keywords stay. */
void view_clear(struct view *v);

/* This session's own STORE of these UIDs. Of a .SILENT one changes with this modseq that are
 * exactly what the client expects are not told (but for MODSEQ, RFC 7162 3.1.3). Others' changes of
 * the same commit have the same modseq. */
struct view_own {
	struct seqset uids, failed; /* but for those that UNCHANGEDSINCE kept back */
	uint64_t modseq;
	uint8_t mode; /* enum flags_mode */
	uint8_t flags;
	uint64_t keywords_low, keywords_high;
};
/* One frame of changes; own may be NULL. False: a UID that cannot be new is new. */
bool view_apply(struct view *v, const struct api_entry *entries, size_t n, const uint32_t *expunged,
	size_t n_expunged, const struct view_own *own) MUST_CHECK;
/* The change itself, to a view that has everything before it. The client is to be told of it, but
 * for a silent one. */
void view_store(struct view *v, const struct view_own *own, bool silent);
/* After the last frame of changes, before anything below. */
void view_apply_end(struct view *v);

/* Replaces the keyword names; true when they differ from before (FLAGS is to be told again). */
bool view_set_keywords(struct view *v, const struct str *names, size_t n);

/* ---- what the client is told ---- */

struct view_tell {
	bool expunge;              /* EXPUNGE may be said now */
	bool uid;                  /* FETCH carries UID */
	bool modseq;               /* FETCH carries MODSEQ (CONDSTORE is enabled) */
	bool no_flags;             /* FETCH is left for later: RFC 5465 3.1 */
	bool no_news;              /* so is all else */
	const struct seqset *only; /* FETCH of other UIDs is left for later; NULL: of none */
	bool vanished;   /* VANISHED and UIDs in the place of EXPUNGE: RFC 7162 3.2.10.2 */
	uint64_t *heard; /* rises to the highest MODSEQ that is said; NULL: nobody asks */
	bool recent;     /* RECENT is said with EXISTS, and when it is another: RFC 3501 7.3.2; not
			    while it is 0 */
};
/* Adds untagged responses in this order: EXPUNGE (highest number first) or VANISHED, EXISTS,
 * RECENT, FETCH of changed flags. True: everything that may be said was said. False: out has no
 * room; call again with the same `tell` when it has. Between the two nothing else needs the
 * sequence numbers. */
bool view_tell(struct view *v, const struct view_tell *tell, struct buf *out);
/* Whether view_tell would say anything. */
bool view_has_news(const struct view *v, bool expunge, bool flags);
/* The client has been told of everything by other means (SELECT; FETCH of nothing pending). Gone
 * entries leave. */
void view_tell_all(struct view *v);
/* The client is to be told these entries' flags, changed or not (STORE without .SILENT), or just
 * has been (FETCH FLAGS). Sequence numbers. */
void view_mark_changed(struct view *v, const struct seqset *sequence);
/* The client is to be told these entries' modseqs, changed or not, but for the UIDs `but` (a
 * conditional STORE with .SILENT). */
void view_mark_modseqs(struct view *v, const struct seqset *sequence, const struct seqset *but);
void view_mark_told(struct view *v, uint32_t sequence);

/* ---- what the client may ask ---- */

uint32_t view_exists(const struct view *v);   /* messages, as the client counts */
uint32_t view_last_uid(const struct view *v); /* what "*" is among UIDs; 0 when empty */
/* The entry with a sequence number, NULL when there is none. Valid until the view changes. */
const struct api_entry *view_entry(const struct view *v, uint32_t sequence);
/* It is expunged and the client not yet told. */
bool view_is_gone(const struct view *v, uint32_t sequence);
/* The sequence number of a UID, or 0. */
uint32_t view_sequence(const struct view *v, uint32_t uid);

/* The entries that a set from the client names, as ranges of sequence numbers (struct api_range)
 * put into ret, which is emptied first. uid: the set is of UIDs; unknown ones are passed over.
 * saved: what "$" stands for, a set of UIDs (NULL: empty). ERR_SYNTAX (false) when a sequence
 * number is above view_exists, "*" in an empty mailbox included (RFC 9051 9, seq-number). The set
 * is not changed. */
bool view_resolve(const struct view *v, const struct seqset *set, bool uid,
	const struct seqset *saved, struct vec *ret) MUST_CHECK;
/* Adds the UIDs between low and high that the view does not hold (those that are gone and not yet
 * told it does). */
void view_absent(const struct view *v, uint32_t low, uint32_t high, struct vec *ret);
/* Ranges of sequence numbers as ranges of UIDs, which name the same living entries to the store. */
void view_uids(const struct view *v, const struct vec *sequence, struct vec *ret);

/* ---- \Recent, of sessions that know it: RFC 3501 2.3.2 ---- */

/* Messages with these UIDs are, for as long as the session has the mailbox selected. */
void view_recent_add(struct view *v, uint32_t low, uint32_t high);
bool view_is_recent(const struct view *v, uint32_t uid);
/* None are any more: RFC 9051 has no \Recent, and the client wants that. */
void view_recent_forget(struct view *v);
/* What the client was last told of their number. */
uint32_t view_recent_said(const struct view *v);
void view_recent_say(struct view *v, uint32_t n);

/* ---- one entry ---- */

/* When it came into the mailbox, in ms since 1970; for one that came before such times were kept,
 * its internal date (RFC 8514 4.3). */
static inline int64_t entry_saved_ms(const struct api_entry *e)
{
	return e->saved_s != 0 ? (int64_t)e->saved_s * 1000 : e->time;
}

/* ---- flags and keywords ---- */

#define VIEW_KEYWORDS 128
size_t view_keyword_count(const struct view *v);
struct str view_keyword_name(const struct view *v, size_t bit);
/* The bit of a keyword, or -1. Keywords compare without case (RFC 5788 1). */
int view_keyword_bit(const struct view *v, struct str name);
/* Adds "(\Seen $Forwarded)", and "\Recent" where it is. */
bool view_add_flags(const struct view *v, struct buf *out, const struct api_entry *e);
/* Adds "(\Answered … $Forwarded …)": all flags and keywords that there are, `more` (like "\*")
 * before the end. */
bool view_add_all_flags(const struct view *v, struct buf *out, const char *more);
/* The bit of "\Seen" and so on (enum entry_flag), or 0. Without case. */
uint8_t flag_bit(struct str name);

#endif
