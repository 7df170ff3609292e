/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Damage to the ledger's log that can't be the work of a power cut. SQLite takes what does not
 * verify for the log's end and says nothing (log_damage.c says how the two are told apart).
 *
 *     struct log_damage found;
 *     if (log_damage(files, "ledger.db-wal", &found, err) == 1) … found.at …
 *
 * uses: base; used by: store (before the ledger is opened; the check), cli (store check)
 */
#ifndef CULVER_STORE_LOG_DAMAGE_H
#define CULVER_STORE_LOG_DAMAGE_H

#include "base/err.h"
#include "base/seams.h"

struct log_damage {
	int64_t at;  /* where the first frame is that does not verify; 0: the header */
	int64_t end; /* of the last commit before it, in bytes from the beginning */
};

/* 1: damaged, and what was acknowledged behind it is lost; 0: as far as can be told not; -1: it
 * can't be read. The log must not be written to meanwhile, else it may say 1 once for nothing. */
int log_damage(struct files_seam *, const char *name, struct log_damage *ret, struct err *err);

#endif
