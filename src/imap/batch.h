/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A few messages at a time, with their digests: what FETCH and SEARCH work on. Digests are asked
 * for together; a message that has none, or one that does not open, is read and parsed here.
 *
 *     batch_clear(b); batch_add(b, view, sequence) …
 *     batch_load(s, b, step)        asks for the digests, then runs step; false: nobody to ask
 */
#ifndef CULVER_IMAP_BATCH_H
#define CULVER_IMAP_BATCH_H

#include "imap/imap_private.h"
#include "mail/digest.h"

#define BATCH_MAX 64

struct message {
	uint32_t sequence, uid;
	uint64_t size; /* prefix and body */
	uint32_t prefix_size;
	struct buf bytes;     /* the digest's */
	struct digest digest; /* when has_digest */
	bool has_digest;
};

struct batch {
	struct message messages[BATCH_MAX];
	size_t n;
	imap_step *after;
	imap_answer *refused; /* takes the store's refusal; NULL: it finishes the command */
};

void batch_init(struct batch *b);
void batch_done(struct batch *b);
void batch_clear(struct batch *b);
/* The batch must have room. */
void batch_add(struct batch *b, const struct view *v, uint32_t sequence);
/* Asks for the digests of all; `after` becomes the step when they came, has_digest says which are
 * usable. */
void batch_load(struct imap *s, struct batch *b, imap_step *after);
/* The digest in m->bytes, made by parsing: opens it, and offers it to the store. False: it does not
 * open. */
bool batch_parsed(struct imap *s, struct message *m);

#endif
