/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mark that a restore leaves in the store's directory: `restored`. The next process that opens
 * the store begins a new history before anything else (docs/store.md, "Restoring"), and removes the
 * mark; one that is interrupted in between begins it once more, to the same effect.
 *
 * uses: base; used by: store.c, cli (restore)
 */
#ifndef CULVER_STORE_RESTORED_H
#define CULVER_STORE_RESTORED_H

#include "base/buf.h"
#include "base/err.h"
#include "base/seams.h"

#define RESTORED_MARK "restored"

struct restored {
	uint8_t history[16]; /* fresh */
	uint32_t
		uidvalidity; /* the last that the store before is known to have given; 0: unknown */
};

void restored_write(const struct restored *r, struct buf *out);
int restored_parse(struct str text, struct restored *ret, struct err *err);
/* 1: there is a mark, 0: there is none, -1: it can't be read. */
int restored_find(struct files_seam *files, struct restored *ret, struct err *err);
/* Makes the mark: there as a whole or not at all, and flushed. */
int restored_put(struct files_seam *files, const struct restored *r, struct err *err);
int restored_clear(struct files_seam *files, struct err *err);

#endif
