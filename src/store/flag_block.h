/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flag blocks: what changes of an entry (flags, keywords, modseq), of up to 256 UIDs of a mailbox
 * in some hundred bytes, so that a STORE of a whole mailbox writes a row for 256 messages. They are
 * the values of the ledger's table `flags` (docs/store.md). Pure: bytes in, bytes out.
 *
 *     struct flag_block b;
 *     if (flag_block_decode(bytes, &b) < 0)       damage
 *     struct flag_record *r = flag_block_at(&b, uid);
 *     r->flags |= FLAG_SEEN;
 *     size_t n = flag_block_encode(&b, room);     0: it has no UID any more
 *
 * Numbers are little-endian, records follow each other by UID:
 *
 *     1    version: 1
 *     1    M: bytes of a modseq, 0 to 8
 *     1    K: bytes of the keywords' bits, 0 to 16
 *     32   the UIDs that it has: bit uid % 8 of byte uid % 256 / 8
 *     8    the lowest modseq
 *     n    flags of each
 *     n*M  modseq of each, less the lowest
 *     n*K  keywords of each
 *
 * There is one encoding of a block, and nothing else is decoded: some UID, M and K no larger than
 * they must be, modseqs from 1 to INT64_MAX.
 *
 * uses: base; used by: the SQLite engine
 */
#ifndef CULVER_STORE_FLAG_BLOCK_H
#define CULVER_STORE_FLAG_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum {
	FLAG_BLOCK_UIDS = 256,
	FLAG_BLOCK_BYTES = 43 + FLAG_BLOCK_UIDS * (1 + 8 + 16), /* at most */
};

struct flag_record {
	uint64_t modseq; /* 0: the block does not have the UID */
	uint64_t keywords[2];
	uint8_t flags;
};

struct flag_block {
	struct flag_record records[FLAG_BLOCK_UIDS]; /* by uid % 256 */
};

static inline struct flag_record *flag_block_at(struct flag_block *b, uint32_t uid)
{
	return &b->records[uid % FLAG_BLOCK_UIDS];
}

/* -1: it is none; *ret has anything then. */
int flag_block_decode(struct str bytes, struct flag_block *ret);
/* Bytes written; 0: the block is empty. */
size_t flag_block_encode(const struct flag_block *b, uint8_t room[FLAG_BLOCK_BYTES]);
/* The flags that UIDs of it have, all together, without reading more of it: -1: it is none, as far
 * as its head tells. */
int flag_block_flags(struct str bytes, uint8_t *ret);
/* How many UIDs it has. */
uint32_t flag_block_count(const struct flag_block *b);

#endif
