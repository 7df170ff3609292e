/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What SORT and THREAD have seen of the selected mailbox's messages, for the next of them: the
 * envelope of a digest, which never changes, by UID; and where messages come by a key of SORT,
 * which so never changes either. Bounded (LIMIT_IMAP_FACTS_BYTES, LIMIT_IMAP_RANKS); what finds no
 * room is asked for, or put in order, again. It goes with the selected mailbox, when the client
 * says IDLE, and when he says nothing for a minute.
 *
 *     if (!facts_get(*f, uid, &digest)) … ask for it, then facts_put(f, key, max, uid, &digest)
 *
 * uses: base, mail/digest; used by: gather, SORT
 */
#ifndef CULVER_IMAP_FACTS_H
#define CULVER_IMAP_FACTS_H

#include "base/vec.h"
#include "mail/digest.h"

struct facts;

/* key: random, for the map. */
struct facts *facts_new(const uint8_t key[16], size_t max);
void facts_free(struct facts **f);
/* Keeps the envelope, if there is room. */
void facts_put(struct facts *f, uint32_t uid, const struct digest *d);
/* A digest of which the envelope alone is there, borrowed until the next facts_put; false: unknown.
 * f may be NULL. */
bool facts_get(const struct facts *f, uint32_t uid, struct digest *ret);

enum { FACTS_KEYS = 9 }; /* enum sort_key */
/* Messages of equal rank compare equal. */
struct facts_rank {
	uint32_t uid, rank;
};
/* Keeps the ranks of messages by a key, by rising UID, if they are not far fewer than there are
 * already; they move. Others' ranks may go for them. */
void facts_put_ranks(struct facts *f, unsigned key, struct vec *ranks);
/* The rank of a UID; UIDs rise from call to call, and *at is 0 at first. f may be NULL. */
bool facts_rank(
	const struct facts *f, unsigned key, size_t *at, uint32_t uid, uint32_t *ret) MUST_CHECK;

#endif
