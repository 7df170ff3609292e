/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an account has already, for an import: bodies, how often it has each, and where. Whatever of
 * the source's is found to be there takes one of it away, so that it stands for one message alone.
 * Of messages that are alike the one in the same mailbox is meant, so that comes first; one that is
 * elsewhere is taken when that was asked for all.
 *
 * uses: base, api; used by: import.c
 */
#ifndef CULVER_CLI_IMPORT_BODIES_H
#define CULVER_CLI_IMPORT_BODIES_H

#include "api/frames.h"
#include "base/map.h"
#include "base/vec.h"

/* How often something was seen. */
void count_more(struct map *m, struct str key);
bool count_less(struct map *m, struct str key); /* false: it was 0 */

/* A body in a mailbox; a key without gaps. */
struct placed_body {
	struct api_body_hash hash;
	uint64_t mailbox;
};

struct import_bodies {
	struct map times;     /* hash of a body -> how often the account has it */
	struct map here;      /* the same and a mailbox -> how often that has it */
	struct map mailboxes; /* a mailbox's number -> how many of these it has */
	struct map entries;   /* entry's id -> which of `bodies`, from 1 on */
	struct vec bodies;    /* struct placed_body */
};

/* key: 16 random bytes. */
void bodies_init(struct import_bodies *k, const uint8_t key[16]);
void bodies_done(struct import_bodies *k);
/* entry: its id; 0: it was deleted. mailbox 0: nobody knows. */
void bodies_add(
	struct import_bodies *k, struct api_body_hash hash, uint64_t mailbox, uint64_t entry);
/* Whether it has anything at all; whether there is something in a mailbox. */
bool bodies_any(const struct import_bodies *k);
bool bodies_in(const struct import_bodies *k, uint64_t mailbox);
/* Whether it has that body anywhere. */
bool bodies_has(const struct import_bodies *k, struct api_body_hash hash);
/* Takes one, of a mailbox or wherever it is; false: there is none. Where nobody looks at mailboxes
 * any more it is not said which has one less. */
bool bodies_take_here(struct import_bodies *k, struct api_body_hash hash, uint64_t mailbox);
bool bodies_take(struct import_bodies *k, struct api_body_hash hash);
/* Takes an entry, once. False: it is not known, or another was taken for it. */
bool bodies_take_entry(struct import_bodies *k, uint64_t entry, struct api_body_hash *ret);

#endif
