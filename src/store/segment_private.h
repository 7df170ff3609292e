/* SPDX-License-Identifier: Apache-2.0 */
/* What the files segment*.c share. */
#ifndef CULVER_STORE_SEGMENT_PRIVATE_H
#define CULVER_STORE_SEGMENT_PRIVATE_H

#include "base/vec.h"
#include "store/chunk.h"
#include "store/disk.h"
#include "store/segment.h"

#include <pthread.h>
#include <stdatomic.h>

/* A batch begins at a multiple of this, so that no block that was flushed is ever written again. */
#define SEGMENT_BLOCK      4096
#define SEGMENT_VERSION    1
#define SEGMENT_NAME_BYTES 32
#define SEGMENTS_DIRECTORY "blobs"
#define SEGMENT_MAX_NUMBER 99999999U
_Static_assert(SEGMENT_HEADER_BYTES % SEGMENT_BLOCK == 0, "the first batch has blocks of its own");

struct segment_header {
	uint32_t number;
	uint8_t store_id[16];
	uint64_t epoch;
	int64_t created_ms;
};

/* A descriptor that readers share. */
struct segment_file {
	uint32_t number; /* 0: free */
	int file;
	unsigned users;
	uint64_t used_at; /* for choosing the one to close */
	uint64_t size;    /* of a sealed segment */
	bool removed;     /* closed by its last user */
};

struct segments {
	struct files_seam *files;
	struct segments_options options;
	uint32_t seed; /* record_seed() */

	/* The writer's. The batch is what was appended since the last flush: in the file from tail
	 * to `written`, in batch[0 … n) from there on. */
	int file; /* -1: none; the next append makes a segment */
	uint32_t next_number;
	uint32_t number; /* the segment being written, 0: none yet */
	uint64_t tail;   /* end of what is flushed, a multiple of SEGMENT_BLOCK */
	uint64_t written;
	uint64_t extended; /* the file's size: zeros ahead of what is written */
	uint8_t *batch;
	size_t n;
	uint64_t flushing; /* the end of a batch that is written and not yet flushed; 0: none */
	uint64_t batch_records;
	uint64_t room; /* on the disk, for what the batch may still take */
	bool dirty;    /* something was written behind tail since the last flush */
	bool must_end, read_only;
	/* What the ledger carries (segment_carry.c). */
	uint64_t ahead; /* up to here the file has blocks and length on disk: since a flush */
	uint32_t slots; /* in use since the last flush */
	bool plain;     /* the batch is to be flushed */
	bool unsure;    /* something before tail is neither flushed nor carried */
	_Atomic bool unsettled; /* something before tail is not flushed */
	/* Of the last segment, when it may not be written to: how it should be. */
	struct carried *carried;

	/* Guards what follows; number and tail too, but that the writer reads them without. */
	pthread_mutex_t lock;
	uint32_t last_number; /* greater ones may be in the making */
	struct segment_file open_files[LIMIT_SEGMENT_FILES];
	uint64_t uses;
	uint64_t flushes, records;

	pthread_mutex_t pin_lock; /* held while a segment is removed */
	unsigned pins;
};

/* One that readers see in the place of what is in the file. */
struct carried {
	struct carried *next;
	uint32_t segment;
	uint64_t offset;
	size_t n;
	uint8_t p[];
};

struct segment_reader {
	struct segments *s;
	struct chunk_coder *coder;
	struct sha256_pool *hashes;
	/* A file that is read instead of the segment's own (recovery); -1: none. */
	int fixed_file;
	uint64_t fixed_limit;

	/* Bytes of a segment that were read last: a multiple of SEGMENT_BLOCK in place and size. */
	uint8_t *window;
	uint32_t window_segment;
	uint64_t window_at;
	size_t window_n;

	/* The record whose header and table were read last. */
	bool have_record;
	struct record_header header;
	struct record_chunk *chunks; /* with room for chunks_cap */
	uint64_t *chunk_at;          /* offset in the file */
	uint32_t chunks_cap;

	/* The chunk that was decoded last. */
	bool have_chunk;
	uint64_t chunk_blob;
	uint32_t chunk_index;
	uint8_t *chunk;
};

static inline uint64_t segment_block_up(uint64_t n)
{
	return (n + SEGMENT_BLOCK - 1) & ~(uint64_t)(SEGMENT_BLOCK - 1);
}

/* ---- segment_file.c ---- */

void segment_name(char name[SEGMENT_NAME_BYTES], uint32_t number, const char *suffix);
void segment_put_header(uint8_t p[SEGMENT_HEADER_BYTES], const struct segment_header *h);
/* ERR_CORRUPT, or ERR_UNSUPPORTED for a newer version. */
int segment_get_header(
	const uint8_t p[SEGMENT_HEADER_BYTES], struct segment_header *ret, struct err *err);
/* Reads and decodes the header, and compares number and store. ERR_CONFIG: another store's. */
int segment_check_header(struct segments *s, int file, uint32_t number, struct err *err);
/* The numbers of all segments, ascending. ret is initialised here. */
int segment_numbers(struct segments *s, struct vec *ret, struct err *err);
/* Up to n bytes; fewer only at the end of the file. Or -errno. */
ssize_t segment_pread(struct files_seam *files, int file, void *p, size_t n, uint64_t at);
/* A descriptor to read with, and up to where: the flushed length. Given back with release. */
int segment_acquire(
	struct segments *s, uint32_t number, int *ret_file, uint64_t *ret_limit, struct err *err);
void segment_release(struct segments *s, uint32_t number, int file);
/* Number and tail of the segment that is written from now on; 0: none. The one before is as long as
 * its tail was. */
void segment_set_current(struct segments *s, uint32_t number, uint64_t tail);
void segment_close_all(struct segments *s);
/* One that nobody uses; under the lock. */
void segment_file_close(struct segments *s, struct segment_file *f);

/* ---- segment.c ---- */

/* fdatasync; a failure is for ever (must_end). */
int segment_flush_file(struct segments *s, int file, struct err *err);

/* Makes sure that there is a segment with room for one record more. */
int segment_prepare(struct segments *s, struct err *err);
/* Writes the first n bytes of the batch in memory. The caller forgets the batch when it fails. */
int segment_write_out(struct segments *s, size_t n, struct err *err);

/* 1: there is a batch; 0: there is none; -1: a flush has failed. */
int segment_may_flush(const struct segments *s, struct err *err);
/* Writes the batch and begins to flush it; segments_flush has to follow. */
int segment_start_flush(struct segments *s, struct err *err);

/* The batch is padded to a block: how many bytes of it to write. */
size_t segment_pad_batch(struct segments *s);
/* The batch, written and flushed or carried, is part of the segment. */
void segment_batch_is_in(struct segments *s, uint64_t end);

/* ---- segment_carry.c ---- */

struct segment_redone {
	uint64_t differed; /* batches that stood there otherwise */
	uint64_t end;      /* of the last batch */
};
/* Writes again into the last segment what the ledger carries of it, and flushes; or, where nothing
 * may be written, keeps it for readers. -1: the ledger can't be read; *reason, if it can't be
 * written (then readers see it all the same). */
int segment_redo(struct segments *s, uint32_t number, int file, struct segment_redone *ret,
	struct err *reason, struct err *err);
/* Puts what is kept for readers over bytes that were read. */
void segment_overlay(const struct segments *s, uint32_t number, uint8_t *p, size_t n, uint64_t at);
void segment_carried_free(struct segments *s);

/* ---- segment_read.c ---- */

/* n bytes at a place of a segment, borrowed until the next call; n at most a window. */
const uint8_t *segment_window(
	struct segment_reader *r, uint32_t number, uint64_t at, size_t n, struct err *err);
/* The record that a row names, with all four fields as the row has them. */
int segment_load_ref(struct segment_reader *r, const struct blob_ref *ref, struct err *err);
/* Loads header and table of the record there. */
int segment_load(struct segment_reader *r, uint32_t number, uint64_t offset, struct err *err);
/* Verifies the loaded record's chunks: checksums; with `bodies` also what they decode to, and the
 * hash of the whole. */
int segment_verify_chunks(struct segment_reader *r, bool bodies, struct err *err);
/* Verifies the loaded record's recipients. */
int segment_verify_recipients(struct segment_reader *r, struct err *err);

/* ---- segment_scan.c ---- */

/* Goes through one segment from an offset up to its limit by a reader (its fixed file, if it has
 * one). Each whole record is given to record(); each range of bytes that is neither record nor
 * zeros to garbage(), before the record behind it. Either's non-zero ends the walk and is returned.
 * *ret_end: behind the last whole record (or the start). */
struct segment_scan {
	uint32_t number;
	uint64_t from, limit;
	bool bodies;
	int (*record)(void *arg, struct segment_reader *r);
	int (*garbage)(void *arg, uint64_t from, uint64_t to, const struct err *why);
	void *arg;
	uint64_t end; /* result */
};
int segment_scan(struct segment_reader *r, struct segment_scan *scan, struct err *err);

#endif
