/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a ledger is whole by itself: every page, cell and index of the file, by SQLite's
 * integrity check. It takes seconds for a million messages. What rows say is not looked at here
 * (engine's check).
 *
 * uses: base, SQLite; used by: ledger_copy.c, and cli (backup, restore, rebuild)
 */
#ifndef CULVER_STORE_LEDGER_VERIFY_H
#define CULVER_STORE_LEDGER_VERIFY_H

#include "base/seams.h"
#include "store/sqlite_open.h"

/* Opens the file for reading alone; it has no log beside it, or nobody else has it open. -1:
 * ERR_CORRUPT when it is damaged or no ledger, ERR_NOT_FOUND when there is none. */
int ledger_verify(struct files_seam *files, const char *name, struct err *err);
/* The same of one that is open. */
int ledger_verify_open(sqlite3 *db, const char *name, struct err *err);

#endif
