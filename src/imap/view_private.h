/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of struct view, for view.c, view_tell.c and view_flags.c. */
#ifndef CULVER_IMAP_VIEW_PRIVATE_H
#define CULVER_IMAP_VIEW_PRIVATE_H

#include "imap/view.h"

enum view_mark {
	VIEW_GONE = 1,   /* expunged */
	VIEW_FLAGS = 2,  /* flags are to be told */
	VIEW_MODSEQ = 4, /* the mod-sequence alone is to be told, to who asked for those */
	VIEW_SAID = 8    /* EXPUNGE was said; leaves when this telling is through */
};

struct view {
	struct api_entry *entries;
	uint8_t *marks; /* enum view_mark, beside entries */
	size_t n, cap;
	size_t told;     /* the client knows entries[0, told) */
	size_t sorted;   /* entries[0, sorted) are in UID order */
	size_t gone;     /* of [0, told): VIEW_GONE without VIEW_SAID */
	size_t changed;  /* of [0, told): VIEW_FLAGS or VIEW_MODSEQ */
	bool unclean;    /* entries[told, n) may be out of order, twice or gone */
	struct vec lost; /* UIDs expunged in this series that were not in [0, sorted) */
	/* loading */
	size_t load_at, load_n;
	uint32_t load_uid;
	uint64_t newest; /* the highest modseq that was loaded */
	/* telling: where the next call goes on; 0: from the start */
	size_t tell_expunge, tell_fetch;
	/* \Recent */
	struct vec recent; /* struct api_range of UIDs, rising */
	uint32_t recent_said;
	bool recount; /* entries came or left since RECENT was said */
	bool grown;   /* they came: it goes with EXISTS */
	/* keywords */
	struct str *keywords; /* one piece of memory; NULL: none */
	size_t n_keywords;
};

/* The index of the first of entries[0, n) with a UID at or above this one, or n. */
size_t view_lower_bound(const struct view *v, size_t n, uint32_t uid);
/* Marks an entry that the client knows to be told of. */
void view_mark(struct view *v, size_t i, enum view_mark mark);
void view_unmark(struct view *v, size_t i);
/* Drops entries with VIEW_SAID (or those with any of the marks), keeping order. */
void view_squeeze(struct view *v, uint8_t marks);
void view_forget_keywords(struct view *v);

#endif
