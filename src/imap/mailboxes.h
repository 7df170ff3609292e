/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All mailboxes of the account at a moment, for LIST and LSUB: copies of the store's `mailboxes`
 * frames, sorted so that what is below a name follows it at once, and with the parents that do not
 * exist themselves (exists and subscribed are false). Bounded by
 * LIMIT_IMAP_MAILBOXES and the arena.
 *
 * Each frame's names are put in order as they come, and merged with those before, so that no turn
 * sorts all of them.
 *
 * uses: base, api frames; used by: LIST of imap
 */
#ifndef CULVER_IMAP_MAILBOXES_H
#define CULVER_IMAP_MAILBOXES_H

#include "api/frames.h"
#include "base/vec.h"

/* Each at least twice as long as the next, of at most LIMIT_IMAP_MAILBOXES in all. */
#define MAILBOXES_RUNS 20

struct mailboxes {
	struct arena *arena;         /* the names live here */
	struct vec all;              /* struct api_mailbox, in order of name */
	size_t runs[MAILBOXES_RUNS]; /* until mailboxes_end: where parts begin that are in order */
	size_t n_runs;
};

void mailboxes_init(struct mailboxes *m, struct arena *arena);
void mailboxes_done(struct mailboxes *m);
/* False: there are too many. */
bool mailboxes_add(struct mailboxes *m, const struct api_mailbox *items, size_t n) MUST_CHECK;
/* After the last: all is in order, with missing parents. False: there are too many. More may be
 * added then, with another end. */
bool mailboxes_end(struct mailboxes *m) MUST_CHECK;
/* Before mailboxes_end, where names were changed in place. */
void mailboxes_renamed(struct mailboxes *m);

static inline const struct api_mailbox *mailboxes_at(const struct mailboxes *m, size_t i)
{
	return (const void *)vec_at(&m->all, i);
}

/* Where the names after this one begin: first what is below it. O(log n) */
size_t mailboxes_after(const struct mailboxes *m, struct str name);
bool mailboxes_is_below(struct str name, struct str parent);
/* Whether some mailbox below it exists. */
bool mailboxes_has_children(const struct mailboxes *m, struct str name);

#endif
