/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What SORT and THREAD have seen of the selected mailbox's messages, for the next of them: the
 * envelope of a digest, which never changes, by UID. Bounded (LIMIT_IMAP_FACTS_BYTES); what finds
 * no room is asked for again. It goes with the selected mailbox, and when the client says IDLE.
 *
 *     if (!facts_get(*f, uid, &digest)) … ask for it, then facts_put(f, key, max, uid, &digest)
 *
 * uses: base, mail/digest; used by: gather
 */
#ifndef CULVER_IMAP_FACTS_H
#define CULVER_IMAP_FACTS_H

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

#endif
