// SPDX-License-Identifier: Apache-2.0
/*
 * An upload. One buffer holds the finished chunks as they will be stored, and behind them the raw
 * bytes of the chunk that is being filled:
 *
 *     [chunk][chunk]…[raw bytes so far      ]
 *     0              ^done                  ^n
 *
 * A full chunk is encoded in its place. Once the body has more than LIMIT_SPOOL_MEMORY_BYTES, the
 * finished chunks go to the file whenever WRITE_BYTES of them have gathered.
 */
#include "store/spool.h"

#include "base/vec.h"
#include "store/chunk.h"
#include "store/disk.h"
#include "store/sha256.h"

#include <assert.h>
#include <stdlib.h>

#define WRITE_BYTES (256 * 1024)
#define FIRST_BYTES 4096
#define MOST_BYTES  (LIMIT_SPOOL_MEMORY_BYTES + LIMIT_CHUNK_BYTES)
#define MAX_CHUNKS  (LIMIT_BODY_BYTES / LIMIT_CHUNK_BYTES)

struct spooler {
	struct files_seam *files;
	uint64_t reserve_bytes;
	struct chunk_coder *coder;
	struct sha256_pool *hashes;
	uint8_t encoded[LIMIT_CHUNK_BYTES];
};

struct spool {
	struct spooler *spooler;
	struct sha256 *hash; /* NULL once finished */
	uint64_t max_bytes, raw_length;
	struct vec chunks; /* struct record_chunk */
	char *p;
	size_t n, done, cap;
	int file;         /* -1: in memory */
	uint64_t written; /* bytes of finished chunks in the file */
	bool failed, finished;
	uint8_t sha256[SHA256_BYTES];
};

/* ---- the spooler ---- */

struct spooler *spooler_new(struct files_seam *files)
{
	struct spooler *s = xmalloc(sizeof(*s));
	s->files = files;
	s->coder = chunk_coder_new();
	s->hashes = sha256_pool_new();
	return s;
}

void spooler_reserve(struct spooler *spooler, uint64_t bytes)
{
	spooler->reserve_bytes = bytes;
}

void spooler_free(struct spooler **spooler)
{
	struct spooler *s = *spooler;
	if (s == NULL)
		return;
	sha256_pool_free(&s->hashes);
	chunk_coder_free(&s->coder);
	free(s);
	*spooler = NULL;
}

/* ---- the spool ---- */

struct spool *spool_new(struct spooler *spooler, uint64_t max_bytes)
{
	assert(max_bytes <= LIMIT_BODY_BYTES);
	struct spool *s = xmalloc(sizeof(*s));
	s->spooler = spooler;
	s->hash = sha256_begin(spooler->hashes);
	s->max_bytes = max_bytes;
	vec_init(&s->chunks, sizeof(struct record_chunk), MAX_CHUNKS);
	s->file = -1;
	return s;
}

void spool_free(struct spool **spool)
{
	struct spool *s = *spool;
	if (s == NULL)
		return;
	sha256_drop(s->spooler->hashes, &s->hash);
	if (s->file >= 0)
		(void)s->spooler->files->close(s->spooler->files, s->file);
	vec_done(&s->chunks);
	free(s->p);
	free(s);
	*spool = NULL;
}

static void set_capacity(struct spool *s, size_t cap)
{
	s->p = xrealloc(s->p, cap);
	s->cap = cap;
}

/* Room for n more bytes. The buffer never holds more than the greatest body that stays in memory,
 * or what is written at once, and one chunk. */
static void reserve(struct spool *s, size_t n)
{
	if (s->n + n <= s->cap)
		return;
	assert(s->n + n <= MOST_BYTES);
	size_t cap = s->cap ? s->cap * 2 : FIRST_BYTES;
	while (cap < s->n + n)
		cap *= 2;
	set_capacity(s, cap < MOST_BYTES ? cap : MOST_BYTES);
}

/* Writes the finished chunks out and moves what follows to the front. */
static int write_out(struct spool *s, struct err *err)
{
	struct files_seam *files = s->spooler->files;
	if (!disk_has_room(files, s->done, disk_reserve(s->spooler->reserve_bytes)))
		return fail_log(err, ERR_FULL, "no room on the disk for an upload");
	if (s->file < 0) {
		int file = files->open_unlinked(files, "blobs");
		if (file < 0)
			return FAIL_SEAM(err, file, "can't make a file for an upload");
		s->file = file;
	}
	int result = files_pwrite_all(files, s->file, s->p, s->done, (off_t)s->written);
	if (result < 0)
		return FAIL_SEAM(err, result, "can't write an upload's file");
	s->written += s->done;
	memmove(s->p, s->p + s->done, s->n - s->done);
	s->n -= s->done;
	s->done = 0;
	if (s->cap > WRITE_BYTES + LIMIT_CHUNK_BYTES)
		set_capacity(s, WRITE_BYTES + LIMIT_CHUNK_BYTES);
	return 0;
}

/* Encodes the raw bytes behind the finished chunks as one chunk more. */
static void finish_chunk(struct spool *s)
{
	struct str raw = str_make(s->p + s->done, s->n - s->done);
	struct record_chunk chunk = chunk_encode(s->spooler->coder, raw, s->spooler->encoded);
	if (chunk.codec != CODEC_NONE)
		memcpy(s->p + s->done, s->spooler->encoded, chunk.stored_length);
	s->done += chunk.stored_length;
	s->n = s->done;
	void *added = vec_push(&s->chunks, &chunk);
	assert(added != NULL);
}

/* Takes bytes up to the end of the chunk; returns how many. */
static size_t fill_chunk(struct spool *s, struct str bytes)
{
	size_t room = LIMIT_CHUNK_BYTES - (s->n - s->done);
	size_t n = bytes.n < room ? bytes.n : room;
	reserve(s, n);
	memcpy(s->p + s->n, bytes.p, n);
	s->n += n;
	if (n == room)
		finish_chunk(s);
	return n;
}

/* Whether finished chunks have to leave memory. */
static bool is_too_much(const struct spool *s)
{
	if (s->raw_length <= LIMIT_SPOOL_MEMORY_BYTES)
		return false;
	return s->file < 0 || s->done >= WRITE_BYTES;
}

static int refuse(struct spool *s)
{
	s->failed = true;
	return -1;
}

int spool_add(struct spool *s, struct str bytes, struct err *err)
{
	assert(!s->finished);
	if (s->failed)
		return fail(err, ERR_TEMP, "the upload has failed");
	if (bytes.n > s->max_bytes - s->raw_length) {
		fail(err, ERR_TOO_BIG, "message is larger than %llu bytes",
			(unsigned long long)s->max_bytes);
		return refuse(s);
	}
	sha256_add(s->hash, bytes);
	while (bytes.n) {
		size_t n = fill_chunk(s, bytes);
		bytes = str_from_offset(bytes, n);
		s->raw_length += n;
		if (is_too_much(s) && write_out(s, err) < 0)
			return refuse(s);
	}
	return 0;
}

int spool_finish(struct spool *s, struct err *err)
{
	assert(!s->finished);
	if (s->failed)
		return fail(err, ERR_TEMP, "the upload has failed");
	if (s->n > s->done)
		finish_chunk(s);
	if (s->file >= 0) {
		if (s->done && write_out(s, err) < 0)
			return refuse(s);
		free(s->p);
		s->p = NULL;
		s->cap = 0;
	}
	sha256_end(s->spooler->hashes, &s->hash, s->sha256);
	s->finished = true;
	return 0;
}

uint64_t spool_length(const struct spool *s)
{
	return s->raw_length;
}

const uint8_t *spool_sha256(const struct spool *s)
{
	assert(s->finished);
	return s->sha256;
}

size_t spool_memory(const struct spool *s)
{
	return sizeof(*s) + s->cap + s->chunks.cap * s->chunks.size;
}

/* ---- for segments_append ---- */

uint32_t spool_chunks(const struct spool *s)
{
	assert(s->finished);
	return (uint32_t)s->chunks.n;
}

struct record_chunk spool_chunk(const struct spool *s, uint32_t i)
{
	assert(i < s->chunks.n);
	return *(struct record_chunk *)vec_at(&s->chunks, i);
}

uint64_t spool_stored_length(const struct spool *s)
{
	return s->file < 0 ? s->done : s->written;
}

int spool_copy(const struct spool *s, uint64_t at, void *p, size_t n, struct err *err)
{
	assert(s->finished && at + n <= spool_stored_length(s));
	if (s->file < 0) {
		if (n)
			memcpy(p, s->p + at, n);
		return 0;
	}
	int result = files_pread_all(s->spooler->files, s->file, p, n, (off_t)at);
	return result < 0 ? FAIL_SEAM(err, result, "can't read an upload's file") : 0;
}
