/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manifest of a point in time in a backup: which files make it up, how long each is and its
 * SHA-256. Text, a line for each, and a last line with the SHA-256 of all before, so a manifest
 * that was cut or changed is none. docs/store.md, "Backups". Pure: bytes to struct and back.
 *
 *     if (manifest_parse(text, &m, &err) == 0) …            then manifest_done(&m), always
 *
 * uses: base, sha256; used by: cli (backup, restore)
 */
#ifndef CULVER_STORE_MANIFEST_H
#define CULVER_STORE_MANIFEST_H

#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"
#include "store/sha256.h"

/* Bytes [0, length) of a file; a segment's file may have grown since. */
struct manifest_file {
	uint32_t number; /* of the segment */
	uint64_t length;
	uint8_t sha256[SHA256_BYTES];
};

struct manifest {
	uint8_t store_id[16];
	uint8_t history[16]; /* drawn anew by each restore */
	uint64_t epoch;
	uint32_t schema; /* of the ledger */
	int64_t time_ms;
	struct manifest_file ledger;
	struct vec segments; /* struct manifest_file, by number, rising */
};

void manifest_init(struct manifest *m);
void manifest_done(struct manifest *m);
/* The segment of that number, or NULL. */
const struct manifest_file *manifest_find(const struct manifest *m, uint32_t number);
/* False: too long (LIMIT_MANIFEST_BYTES is what out should have as its maximum). */
bool manifest_write(const struct manifest *m, struct buf *out);
/* Takes exactly what manifest_write gives. ERR_CORRUPT; ERR_UNSUPPORTED for a newer version. *ret
 * is initialised in any case. */
int manifest_parse(struct str text, struct manifest *ret, struct err *err);

#endif
