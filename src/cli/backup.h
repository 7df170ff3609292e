/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backup's directory (docs/store.md, "Backups"): points in time, and the segments they share.
 *
 *     TARGET/lock                          held by the one command that writes
 *     TARGET/points/TIME.ledger            a copy of the ledger
 *     TARGET/points/TIME.manifest          written last: without it there is no point
 *     TARGET/segments-HISTORY/blobs/N      only ever grow; a point counts a beginning of each
 *
 * Whatever is read from it is verified before it is used: it may have lain on any medium.
 *
 * uses: base, store/manifest, process/os; used by: the commands store backup, points, restore
 */
#ifndef CULVER_CLI_BACKUP_H
#define CULVER_CLI_BACKUP_H

#include "base/seams.h"
#include "store/manifest.h"

enum { POINT_NAME_BYTES = 20, BACKUP_NAME_BYTES = 128 };

struct point {
	char name[POINT_NAME_BYTES + 1]; /* 2026-11-28T15-04-05Z */
};

struct backup {
	struct files_seam *files;
	struct sha256_pool *hashes;
	int lock;          /* -1: for reading alone */
	struct vec points; /* struct point, oldest first */
};

/* Opens the directory; write: makes it where it is missing, and takes its lock (ERR_IN_USE). One
 * that holds anything else is refused before anything is made in it (ERR_CONFIG; when it is to be
 * read, ERR_NOT_FOUND).
 * Without a point that is whole there are no points. Accepts NULL to close. */
struct backup *backup_open(const char *path, bool write, struct err *err);
void backup_close(struct backup **);
/* The newest point, or the one of that name. ERR_NOT_FOUND. */
int backup_point(const struct backup *, const char *name, struct point *ret, struct err *err);
/* *ret is initialised in any case. */
int backup_manifest(
	const struct backup *, const struct point *, struct manifest *ret, struct err *err);
/* Reads all that makes up a point, and compares; the ledger must be whole by itself, too. each: a
 * line for each file that is not as it was; returns how many, or -1 when the manifest itself can't
 * be read. */
int backup_verify(const struct backup *, const struct point *,
	void (*each)(void *arg, const char *line), void *arg, struct err *err);
/* Removes what an interrupted backup left that is of no use to the next. */
void backup_clean(struct backup *);
/* Keeps the newest `keep` points, and the segments that they need. */
int backup_prune(struct backup *, size_t keep, size_t *ret_removed, struct err *err);

/* Names of files; each returns `room`. */
const char *backup_point_name(
	char room[BACKUP_NAME_BYTES], const struct point *, const char *suffix);
const char *backup_folder(
	char room[BACKUP_NAME_BYTES], const uint8_t history[16], const char *suffix);
const char *backup_segment(char room[BACKUP_NAME_BYTES], const uint8_t history[16], uint32_t number,
	const char *suffix);

/* SHA-256 of a file's first `length` bytes: 0, or -1 and err (ERR_CORRUPT: it is shorter). */
int backup_hash(const struct backup *, const char *name, uint64_t length, uint8_t ret[SHA256_BYTES],
	struct err *err);
/* The file's size; -1: there is none. */
int64_t backup_size(const struct backup *, const char *name);

/* ---- copying out: a file that is written, flushed, and hashed on the way ---- */

struct backup_sink {
	struct files_seam *files;
	char name[BACKUP_NAME_BYTES];
	int file;
	uint64_t at; /* bytes so far */
	struct sha256 *hash;
	struct sha256_pool *hashes;
	struct err err; /* the first failure; what comes after it is dropped */
};
/* from: bytes of the file that stay, and are hashed first. expected: what their hash must be, or
 * NULL. -1: ERR_CORRUPT when it is not, and the sink is closed. */
int backup_sink_open(struct backup_sink *, const struct backup *, const char *name, uint64_t from,
	const uint8_t *expected, struct err *err);
void backup_sink_add(struct backup_sink *, struct str bytes);
/* Gives it what there is of the first `length` bytes of a file of the backup. */
void backup_copy(const struct backup *, const char *from, uint64_t length, struct backup_sink *);
/* So far all is on the disk. */
int backup_sink_flush(struct backup_sink *, struct err *err);
/* Ends it: 0 when all bytes were written and flushed and there are `length` of them. */
int backup_sink_close(
	struct backup_sink *, uint64_t length, uint8_t ret[SHA256_BYTES], struct err *err);

#endif
