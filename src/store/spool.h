/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An upload on its way into the store: bytes as they come, hashed, counted, cut into chunks, and
 * compressed where that pays. In memory up to LIMIT_SPOOL_MEMORY_BYTES of raw bytes, then in an
 * unlinked file of blobs/. What it holds when finished is a record's chunks, so that the writer has
 * nothing left to do but copy.
 *
 *     struct spooler *spooler = spooler_new(files);            one for each thread (the loop)
 *     struct spool *spool = spool_new(spooler, max_bytes);     for each upload
 *     if (spool_add(spool, bytes, err) < 0) …                  ERR_LIMIT, ERR_TEMP
 *     if (spool_finish(spool, err) < 0) …
 *     … segments_append(s, spool, …) by the writer …
 *     spool_free(&spool);
 *
 * A spool is used by one thread at a time: the loop until spool_finish, then whoever it is handed
 * to; spool_free on the thread of the spooler.
 *
 * uses: base, chunk; used by: the dispatcher, segment
 */
#ifndef CULVER_STORE_SPOOL_H
#define CULVER_STORE_SPOOL_H

#include "base/seams.h"
#include "store/record.h"

struct spooler;
struct spool;

struct spooler *spooler_new(struct files_seam *files);
/* What its files leave free on the disk; 0, as at first: LIMIT_DISK_RESERVE_BYTES. */
void spooler_reserve(struct spooler *spooler, uint64_t bytes);
/* Every spool of it is freed before. Accepts NULL. */
void spooler_free(struct spooler **spooler);

/* max_bytes: the largest body taken, at most LIMIT_BODY_BYTES. */
struct spool *spool_new(struct spooler *spooler, uint64_t max_bytes);
void spool_free(struct spool **spool);
/* ERR_LIMIT: more than max_bytes; ERR_TEMP: the file can't be written. After a failure every later
 * add and the finish fail too. */
int spool_add(struct spool *spool, struct str bytes, struct err *err);
/* No more bytes come. */
int spool_finish(struct spool *spool, struct err *err);

/* Raw bytes so far. */
uint64_t spool_length(const struct spool *spool);
/* SHA-256 of the raw bytes; after spool_finish. */
const uint8_t *spool_sha256(const struct spool *spool);
/* Memory it holds (for the dispatcher's accounts of memory). */
size_t spool_memory(const struct spool *spool);

/* ---- for segments_append ---- */

uint32_t spool_chunks(const struct spool *spool);
/* codec and lengths; crc is not set. */
struct record_chunk spool_chunk(const struct spool *spool, uint32_t i);
/* All chunks as stored, one behind the other. */
uint64_t spool_stored_length(const struct spool *spool);
/* Copies stored bytes at … at + n. 0, or -1 and ERR_TEMP. */
int spool_copy(const struct spool *spool, uint64_t at, void *p, size_t n, struct err *err);

#endif
