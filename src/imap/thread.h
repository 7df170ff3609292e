/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threading: ORDEREDSUBJECT and REFERENCES (RFC 5256 3; hostile-input I22).
 *
 *     struct threader *t = threader_new(THREAD_REFERENCES, key, LIMIT_IMAP_SORT_BYTES);
 *     threader_add(t, n, facts) for each message; of several with one Message-ID the first that is
 *                               added has it
 *     while (!threader_step(t, 20000)) … let others have their turn
 *     while (!threader_write(t, view or NULL, out)) … out has no room; again when it has
 *
 * Nothing recurses: a thread may be as deep as the mailbox is long. Time is O(n log n), but for the
 * search for loops, which has a budget of steps for all messages together; a link that would go
 * over it is not made.
 *
 * uses: base, facts, view; used by: THREAD of imap
 */
#ifndef CULVER_IMAP_THREAD_H
#define CULVER_IMAP_THREAD_H

#include "imap/facts.h"
#include "imap/view.h"

enum thread_algorithm { THREAD_ORDEREDSUBJECT, THREAD_REFERENCES };

/* thread-alg. False: unknown. */
bool thread_algorithm_parse(struct scan *s, enum thread_algorithm *ret);

struct threader;
/* key: random, for hash maps; max: bytes of memory. */
struct threader *threader_new(enum thread_algorithm algorithm, const uint8_t key[16], size_t max);
void threader_free(struct threader **t);
/* What it has in memory. */
size_t threader_bytes(const struct threader *t);
/* False: beyond the memory. */
bool threader_add(struct threader *t, uint32_t sequence, const struct message_facts *m) MUST_CHECK;
/* Goes on for so many nodes and comparisons; true: all is done. */
bool threader_step(struct threader *t, size_t work);
/* Adds 1*thread-list, with UIDs of the view or (NULL) sequence numbers. False: out has no room. */
bool threader_write(struct threader *t, const struct view *v, struct buf *out);

#endif
