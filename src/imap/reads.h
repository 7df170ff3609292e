/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pieces of messages on their way from the store: a short queue of message_read questions, several
 * in flight, taken in the order in which they were asked. FETCH and SEARCH keep it filled ahead of
 * where they write, so that neither the store nor the client waits for the other.
 *
 *     while (reads_room(r) && there is a next piece) reads_ask(r, uid, offset, length, tag);
 *     p = reads_first(r);            NULL: it has not come; reads_wait(r, step) and return
 *     … p->data …
 *     reads_pop(r);
 */
#ifndef CULVER_IMAP_READS_H
#define CULVER_IMAP_READS_H

#include "base/buf.h"
#include "base/err.h"

struct imap;
struct frame;

#define READS_MAX       64           /* pieces in flight */
#define READS_MAX_BYTES (512 * 1024) /* and what they may hold */
#define READS_BYTES     65000        /* message_bytes: data */
#define READS_AT_ONCE   32           /* whole messages of one question */
#define READS_KEEP      8192         /* a larger piece's memory is not kept for the next one */

struct piece {
	uint32_t request; /* 0: it came */
	uint32_t uid;
	uint64_t offset;
	uint32_t length;     /* asked for */
	enum err_kind error; /* ERR_NONE: data is what was asked for, or up to the end */
	uint64_t size;       /* of the message */
	struct buf data;
};

struct reads {
	struct imap *s;
	struct piece *pieces; /* a ring of READS_MAX; NULL: nothing was asked for */
	unsigned first, n;
	size_t bytes;                /* of the pieces, as they were asked for */
	void (*wake)(struct imap *); /* becomes s->step when the first piece comes */
};

void reads_init(struct reads *r, struct imap *s);
/* Forgets all; answers still on their way are dropped. */
void reads_clear(struct reads *r);
/* Whole messages that are to be asked for together. */
struct reads_many {
	uint32_t uids[READS_AT_ONCE], lengths[READS_AT_ONCE];
	unsigned n;
	size_t bytes;
};
/* Whether it is time to ask again: half of what may be in flight has come, so that there is room
 * for several at once. */
static inline bool reads_wants(const struct reads *r)
{
	return r->n <= READS_MAX / 2 && r->bytes <= READS_MAX_BYTES / 2;
}
/* Room for another piece behind these (NULL: none). */
static inline bool reads_room(const struct reads *r, const struct reads_many *many)
{
	return r->n + (many ? many->n : 0) < READS_MAX &&
	       r->bytes + (many ? many->bytes : 0) + READS_BYTES <= READS_MAX_BYTES;
}
/* A message of at most READS_BYTES, whole. Asks when there are as many as one question takes. */
void reads_add(struct reads *r, struct reads_many *many, uint32_t uid, uint32_t length);
void reads_ask_many(struct reads *r, struct reads_many *many);
void reads_ask(struct reads *r, uint32_t uid, uint64_t offset, uint32_t length);
struct piece *reads_first(struct reads *r);
void reads_pop(struct reads *r);
/* Runs `step` when the first piece has come. */
void reads_wait(struct reads *r, void (*step)(struct imap *));
/* An answer with a request of ours; others are ignored. */
void reads_answer(struct reads *r, uint32_t request, const struct frame *frame);

#endif
