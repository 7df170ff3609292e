/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening a database in the store's directory, through the files seam.
 *
 * uses: base, SQLite; used by: store (ledger, its copies, digests)
 */
#ifndef CULVER_STORE_SQLITE_OPEN_H
#define CULVER_STORE_SQLITE_OPEN_H

#include "base/mem.h"
#include "base/seams.h"

#include <sqlite3.h>

/* By that VFS (NULL: that of the files); flags as sqlite3_open_v2. SQLITE_OK, or what it says; then
 * too *ret may be a connection, which knows more and is to be closed. */
int sqlite_open(struct files_seam *, const char *vfs, const char *name, int flags, sqlite3 **ret);

#endif
