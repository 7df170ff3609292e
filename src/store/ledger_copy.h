/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger's half of what the successor of a failed flush does: it does not believe that what
 * the page cache shows is on the disk, so it copies the ledger into a new file, flushes that, and
 * puts it in the place of the old (architecture.md, "A failed flush").
 *
 * The new file is first `ledger.tmp`; complete and flushed it becomes `ledger.ready`, which is the
 * moment of decision; then the old log is removed and ledger.ready becomes ledger.db. A crash
 * before the decision leaves the old ledger, one after it is finished at the next start.
 *
 * uses: base, SQLite; used by: store.c, before the engine is opened
 */
#ifndef CULVER_STORE_LEDGER_COPY_H
#define CULVER_STORE_LEDGER_COPY_H

#include "base/seams.h"

/* Copies, verifies and switches. 0 also when there is no ledger yet. -1: the old one is as it was
 * and must only be read. */
int ledger_copy(const struct seams *seams, struct err *err);
/* When the copy could not be made: what is read from now on is what the disk has, not what the page
 * cache believes. Rows that only the cache has would be shown, lost with the power, and their UIDs
 * given again. */
void ledger_read_from_disk(struct files_seam *);
/* Finishes a switch that was decided. To be called before the ledger is opened, always. */
int ledger_copy_finish(const struct seams *seams, struct err *err);

#endif
