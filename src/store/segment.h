/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments: where the bytes of messages are. A body is stored once, as a record (record.h) in an
 * append-only file blobs/NNNNNNNN. docs/store.md has the formats and what a crash leaves.
 *
 *     struct segments *s = segments_open(&options, &report, err);       at the store's start
 *
 *     spool_add(spool, bytes, err) …; spool_finish(spool, err);         the loop: an upload
 * (spool.h)
 *
 *     segments_append(s, spool, recipients, n, &ref, err);              the writer: for each
 * message segments_flush(s, err);                                           one flush for all of
 * them … commit the rows that name the refs, flush those, only then answer …
 *
 *     segment_read(reader, &ref, offset, p, n, err);                    any thread, own reader
 *
 * Order: what segments_flush returned 0 for is on disk; only then may a row that names it be
 * committed. Or else (segments_write) a small batch is in the same transaction as the rows that
 * name it, and so on disk with them, or not at all. A record that no row names is an orphan:
 * harmless, reclaimed later. A body that was neither flushed nor carried was never there.
 *
 * A flush that failed can't be repeated: the kernel may have dropped the pages and call them clean.
 * Then segments_must_end() is true, every later append fails, and the process has to end without
 * having promised anything: distrust_mark() (distrust.h), exit. Its successor opens with
 * options.distrust (distrust_is_marked()), which re-reads the tail segment past the page cache,
 * copies what verifies, flushes, renames. If that can't be done the store opens read-only.
 *
 * Threads: append, flush, forget: the writer alone. Readers: any number of threads, one reader
 * each, at the same time. open, close, check: nobody else at work (check may run beside readers and
 * the writer: it looks at flushed bytes only).
 *
 * uses: base, record, chunk, spool; used by: the ledger half of the store, cli (before a rebuild)
 */
#ifndef CULVER_STORE_SEGMENT_H
#define CULVER_STORE_SEGMENT_H

#include "api/frames.h"
#include "base/seams.h"
#include "base/vec.h"
#include "store/record.h"

#define SEGMENT_HEADER_BYTES 4096 /* before the first record */

struct segments;
struct segment_reader;
struct spool;
struct vec;

/* Where a record is. This is what a row keeps: all four fields. */
struct blob_ref {
	uint64_t id;      /* unique for ever in a store; a record that moves keeps it */
	uint32_t segment; /* from 1 */
	uint64_t offset;  /* of the record in its segment's file */
	uint64_t length;  /* of the record as stored */
};

/* The first place behind everything that the ledger's rows name: the greatest segment, and in it
 * the greatest offset + length. {0, 0}: no rows. */
struct segment_end {
	uint32_t segment;
	uint64_t offset;
};

/* The file is made so much longer than a batch needs that does not fit it, so that the flushes of
 * those that follow find blocks and length in place. */
#define SEGMENT_AHEAD_BYTES (2 * 1024 * 1024)

/* A batch of a segment that the ledger carries: what is in the file need not have been flushed. */
struct segment_carry {
	uint32_t slot; /* below LIMIT_CARRY_SLOTS; what it held before has been flushed since */
	uint32_t segment;
	uint64_t offset;
	const uint8_t *p; /* `length` bytes and zeros up to a multiple of 4,096; borrowed */
	uint32_t length;
	uint32_t checksum; /* of place and bytes */
};
typedef int (*each_carry)(void *arg, const struct segment_carry *);

struct segments_options {
	struct files_seam *files; /* "blobs" is made in its root */
	uint8_t store_id[16];     /* random, made with the ledger, the same for ever */
	uint64_t epoch;           /* the store's; goes into new segments */
	int64_t now_ms;           /* wall clock, for the headers of new segments */
	struct segment_end committed;
	uint64_t segment_bytes; /* a segment is sealed at this size; 0: LIMIT_SEGMENT_BYTES */
	uint64_t reserve_bytes; /* that appends leave free on the disk; 0: LIMIT_DISK_RESERVE_BYTES
				 */
	size_t ahead_bytes;     /* whole blocks, at most SEGMENT_AHEAD_BYTES; 0: so many */
	bool distrust;          /* a flush failed before: copy the tail segment */
	bool read_only;         /* change nothing at all (store check on a stopped server) */
	bool keep_all;          /* the ledger was lost: do not clean what no row names */
	/* Gives each batch that the ledger carries, in any order; NULL: none. 0, what each()
	 * returned, or -1 and err. */
	int (*carried)(void *arg, each_carry each, void *each_arg, struct err *err);
	void *carried_arg;
};

/* What segments_open found and did; the caller logs it. */
struct segments_report {
	uint32_t segments;       /* files there are */
	uint64_t orphan_records; /* whole records behind `committed`; kept */
	uint64_t cut_bytes;      /* torn or unflushed bytes behind the last whole record; cut off */
	uint64_t missing_bytes;  /* of what the ledger names, how much the files lack: damage */
	uint64_t damaged_records; /* committed records of the tail that do not verify (distrust) */
	uint64_t carried; /* batches of the ledger that the last segment did not have as they are */
	bool copied;      /* the tail was copied and renamed (distrust) */
	bool read_only;   /* writing is refused; `reason` says why */
	struct err reason;
};

/* NULL and err when the store can't serve at all: another store's segments (ERR_CONFIG), a newer
 * version (ERR_UNSUPPORTED), no directory. Damage and a disk that takes no writes do not prevent
 * opening: see the report. With distrust, when 0 findings were reported and report->read_only is
 * false, the caller may clear the mark once its own files are recovered too. */
struct segments *segments_open(
	const struct segments_options *options, struct segments_report *report, struct err *err);
/* Nothing may be pending (flush or forget before). Accepts NULL. */
void segments_close(struct segments **s);

/*
 * Appends a record for a finished spool (spool_finish). recipients: whom it is delivered to, at
 * most LIMIT_RECORD_RECIPIENTS, prefixes at most LIMIT_PREFIX_BYTES each; all borrowed for the
 * call. The spool stays the caller's and may be freed at once. ret_prefix_at (n numbers, or NULL):
 * for segment_read_prefix. Not on disk before segments_flush.
 *
 * Failing: ERR_TEMP (disk full and the like) or ERR_READ_ONLY. Then nothing of the *whole batch*
 * since the last flush is there any more: answer all of it with a temporary failure, or append it
 * anew. ERR_LIMIT: refused before anything was written; the batch stays.
 */
int segments_append(struct segments *s, struct spool *spool,
	const struct record_recipient *recipients, size_t n, struct blob_ref *ret,
	uint32_t *ret_prefix_at, struct err *err);
/* Writes, unless that was done, and flushes what was appended. 0: all of it is on disk. -1: none of
 * it may be named; ask segments_must_end(). Nothing appended: 0, without a flush. */
int segments_flush(struct segments *s, struct err *err);
/* Writes what was appended. 0: it is on its way to the disk, and segments_flush has to be called
 * before a row that names it is committed and before the next append; -1 as segments_flush. 1: the
 * batch is small and need not be flushed, readers see it, and *ret must be committed in one
 * transaction with the rows that name it (segments_open then writes it again, whatever a power cut
 * left); after that segments_carried. When that is not called no row may name it, and the next
 * batch is flushed, with everything before it. */
int segments_write(struct segments *s, struct segment_carry *ret, struct err *err);
void segments_carried(struct segments *s);
/* Flushes what has been carried so far: 0 or -1 as segments_flush. Nothing may be pending. */
int segments_settle(struct segments *s, struct err *err);
/* Whether there is something for it to do. From any thread. */
bool segments_unsettled(struct segments *s);
/* Forgets what was appended since the last flush. */
void segments_forget(struct segments *s);
bool segments_must_end(const struct segments *s);
bool segments_read_only(const struct segments *s);

struct segments_totals {
	uint32_t segments;
	uint64_t bytes;   /* of all segments, as used */
	uint64_t flushes; /* of batches since open, in a segment or carried in the ledger */
	uint64_t records; /* appended and flushed since open */
};
/* From any thread. */
struct segments_totals segments_totals(struct segments *s);

/* ---- for a backup: bytes as they are in the files ---- */

/* Every segment with the length up to which it is flushed, in rising order: struct
 * api_backup_segment into a vec that is initialised here. From any thread. */
int segments_extents(struct segments *s, struct vec *ret, struct err *err);
/* Up to n bytes at a place, none beyond the flushed length, not verified. How many, or -1. From any
 * thread. */
ssize_t segments_read_raw(
	struct segments *s, uint32_t number, uint64_t at, void *p, size_t n, struct err *err);

/* ---- reading ---- */

/* One for each thread that reads: it owns scratch memory and keeps the last header and chunk. */
struct segment_reader *segment_reader_new(struct segments *s);
void segment_reader_free(struct segment_reader **r);
/* Bytes offset … offset + n of the raw body into p; clipped at the body's end. Returns how many, or
 * -1: ERR_CORRUPT (a checksum, an address or a length is wrong: nothing wrong is ever returned;
 * or the segment is gone), ERR_TEMP. Every byte returned was verified. */
ssize_t segment_read(struct segment_reader *r, const struct blob_ref *ref, uint64_t offset, void *p,
	size_t n, struct err *err);
/* The prefix of one recipient into p (LIMIT_PREFIX_BYTES are enough); prefix_at as append gave it.
 * Returns its length, or -1 as segment_read. */
ssize_t segment_read_prefix(struct segment_reader *r, const struct blob_ref *ref,
	uint32_t prefix_at, void *p, size_t n, struct err *err);
/* The recipient itself; of its prefix only the length is given. */
int segment_read_recipient(struct segment_reader *r, const struct blob_ref *ref, uint32_t prefix_at,
	struct record_recipient *ret, struct err *err);
/* The record of a blob where it was written first, if it is still there: all that a row has. */
int segment_find(struct segment_reader *r, uint64_t id, struct blob_ref *ret, uint64_t *ret_size,
	uint8_t ret_sha256[32], struct err *err);
/* Length and hash as the record has them. */
struct segment_body {
	uint64_t raw_length;
	uint8_t sha256[32];
};
int segment_read_header(struct segment_reader *r, const struct blob_ref *ref,
	struct segment_body *ret, struct err *err);

/* Of the first segment whose header is whole: whose it is, and the greatest epoch of all. For
 * rebuilding a lost ledger; -1 and ERR_NOT_FOUND: there is none. */
int segments_identity(
	struct files_seam *files, uint8_t ret_store_id[16], uint64_t *ret_epoch, struct err *err);

/* ---- reclaim ---- */

/* The writer's: appends a copy of a record, verified as it is read (by a reader of the writer's
 * own), under its blob id. As segments_append, but that ERR_CORRUPT (the old record can't be read)
 * and ERR_LIMIT (no room) leave the batch as it was. */
int segments_copy(struct segments *s, struct segment_reader *r, const struct blob_ref *from,
	struct blob_ref *ret, struct err *err);
/* The writer's: seals the segment at the end and begins the next. Nothing may be pending. */
int segments_seal(struct segments *s, struct err *err);
/* The writer's, when no append waits for its rows: every segment below this number is sealed, and
 * what no row names in them never will be named. */
uint32_t segments_settled(const struct segments *s);

/* Whoever reads segments as files, as a backup does, holds a pin meanwhile: no segment is removed
 * while there is one. From any thread. */
void segments_pin(struct segments *s);
void segments_unpin(struct segments *s);

/* Removes a segment that no row names any more. Who reads in it goes on; who has yet to open it
 * finds ERR_CORRUPT, and must ask the ledger again where the record is. From any one thread.
 * ERR_IN_USE: there is a pin. ERR_DENIED: the one at the end stays, so no number is given twice. */
int segments_remove(struct segments *s, uint32_t number, struct err *err);

/* Gives each whole record of a segment, its checksums compared, from *place on (0: the first) until
 * record() returns non-zero, which means: not this one, stop here. *place is where to go on.
 * *ret_damaged: ranges that were no record. 0: the end was reached; 1: stopped; -1. */
int segment_walk_some(struct segment_reader *r, uint32_t segment, uint64_t *place,
	int (*record)(void *arg, const struct blob_ref *ref), void *arg, uint32_t *ret_damaged,
	struct err *err);

/* ---- walking: check, and rebuilding a lost ledger ---- */

struct segment_finding {
	uint32_t segment;
	uint64_t offset, end; /* the bytes that it is about */
	uint64_t id;          /* of the blob; 0: unknown */
	const char *text;     /* one line, borrowed for the call */
};
struct segment_record {
	struct blob_ref ref;
	uint64_t raw_length;
	uint8_t sha256[32];
	const struct record_recipient *recipients; /* borrowed for the call */
	const uint32_t *prefix_at;
	size_t n_recipients;
};
struct segment_walk {
	/* Each whole record in order of segment and offset; NULL: not wanted. Non-zero ends the
	 * walk. */
	int (*record)(void *arg, const struct segment_record *record);
	/* Each damage; NULL: not wanted. The walk goes on behind it where a record can be found. */
	void (*finding)(void *arg, const struct segment_finding *finding);
	void *arg;
	bool bodies; /* also read every chunk, and compare lengths and SHA-256 */
	uint64_t n_records, n_bytes, n_findings; /* results */
};
/* Walks all segments up to their flushed length. 0, or the callback's non-zero, or -1 and err when
 * the files can't be read at all. Changes nothing. */
int segments_walk(struct segments *s, struct segment_walk *walk, struct err *err);
/* Verifies the one record that a row names, bodies and all: 0, or -1 and err (as segment_read) with
 * a log text that says what is wrong. */
int segment_verify(struct segment_reader *r, const struct blob_ref *ref,
	const struct segment_body *expected, struct err *err);

#endif
