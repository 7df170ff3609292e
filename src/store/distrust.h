/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mark that a flush failed. The store that sees a flush fail (of a segment or of the ledger)
 * marks and ends; its successor asks, and if so copies its files instead of believing the page
 * cache; then it clears the mark.
 *
 * The mark is a file "distrust" in the store's directory. It need not be durable: what it warns of
 * is a page cache that differs from the disk, and a restart of the machine ends both.
 */
#ifndef CULVER_STORE_DISTRUST_H
#define CULVER_STORE_DISTRUST_H

#include "base/seams.h"

/* As well as it can be done; returns -1 when not even the name could be made (then the exit status
 * STORE_EXIT_DISTRUST has to tell). */
int distrust_mark(struct files_seam *files);
bool distrust_is_marked(struct files_seam *files);
/* After both halves were recovered and flushed. */
int distrust_clear(struct files_seam *files, struct err *err);

/* The exit status of a store that ends because of a failed flush. */
#define STORE_EXIT_DISTRUST 75

#endif
