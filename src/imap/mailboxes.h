/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All mailboxes of the account at a moment, for LIST and LSUB: copies of the store's `mailboxes`
 * frames, sorted so that what is below a name follows it at once, and with the parents that do not
 * exist themselves (exists and subscribed are false). Bounded by
 * LIMIT_IMAP_MAILBOXES and the arena.
 *
 * uses: base, api frames; used by: LIST of imap
 */
#ifndef CULVER_IMAP_MAILBOXES_H
#define CULVER_IMAP_MAILBOXES_H

#include "api/frames.h"
#include "base/vec.h"

struct mailboxes {
	struct arena *arena; /* the names live here */
	struct vec all;      /* struct api_mailbox, in order of name */
};

void mailboxes_init(struct mailboxes *m, struct arena *arena);
void mailboxes_done(struct mailboxes *m);
/* False: there are too many. */
bool mailboxes_add(struct mailboxes *m, const struct api_mailbox *items, size_t n) MUST_CHECK;
/* After the last: sorts, and adds missing parents. False: there are too many. */
bool mailboxes_end(struct mailboxes *m) MUST_CHECK;

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
