/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All mailboxes of the account at a moment, for LIST and LSUB: copies of the store's `mailboxes`
 * frames, sorted by name, with the names between them that are only parents. Bounded by
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
/* After the last: sorts. */
void mailboxes_end(struct mailboxes *m);

static inline const struct api_mailbox *mailboxes_at(const struct mailboxes *m, size_t i)
{
	return (const void *)vec_at(&m->all, i);
}

/* Whether some mailbox below it exists; whether one below it is subscribed. O(log n + children
 * that are not). */
bool mailboxes_has_children(const struct mailboxes *m, struct str name);
bool mailboxes_has_subscribed_below(const struct mailboxes *m, struct str name);

#endif
