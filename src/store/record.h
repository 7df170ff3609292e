/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The format of a record: one body, for whom it came, and how to verify any part of it. Pure: bytes
 * to struct and back, no files. All numbers little-endian.
 *
 *     header      RECORD_HEADER_BYTES, with a checksum
 *     chunk table n_chunks × RECORD_CHUNK_BYTES, checksum in the header
 *     recipients  n_recipients × (RECORD_RECIPIENT_BYTES + prefix, padded to 8), a checksum each
 *     chunks      as stored, one behind the other, padded to 8 at the end
 *
 * Every checksum is a CRC-32C (crc32c.h) that also covers the store's id (by the seed), the blob
 * id, what it is the checksum of, and its number in the record, so that bytes that stand in the
 * wrong place, come from another store, or were put into a mail by somebody who wants them found as
 * a record, do not verify. The header also says in which segment and at which offset it was
 * written.
 *
 * uses: base, crc32c; used by: segment, spool
 */
#ifndef CULVER_STORE_RECORD_H
#define CULVER_STORE_RECORD_H

#include "base/err.h"
#include "base/limits.h"
#include "base/str.h"

#define RECORD_MAGIC           0x31524c43U /* "CLR1" */
#define RECORD_VERSION         1
#define RECORD_HEADER_BYTES    128
#define RECORD_CHUNK_BYTES     16
#define RECORD_RECIPIENT_BYTES 40
#define RECORD_ALIGN           8

enum record_codec { CODEC_NONE = 0, CODEC_ZSTD = 1, CODECS };

/* One recipient: the entry that the message became, and the lines that go before the body for it
 * (Return-Path, Delivered-To, Received, …). */
struct record_recipient {
	uint64_t account, mailbox;
	int64_t time_ms; /* internal date */
	struct str prefix;
};

struct record_header {
	uint64_t blob_id;
	uint32_t segment; /* where it was written */
	uint64_t offset;
	uint32_t key_id;        /* 0: not encrypted; the only one */
	uint64_t raw_length;    /* of the body */
	uint64_t stored_length; /* of the whole record, padding included */
	uint8_t sha256[32];     /* of the raw body */
	uint32_t n_chunks;      /* raw_length / LIMIT_CHUNK_BYTES, rounded up */
	uint32_t n_recipients;
	uint32_t recipients_length; /* bytes of the recipients' part */
	uint32_t table_crc;
};

struct record_chunk {
	uint8_t codec;
	uint32_t raw_length;    /* LIMIT_CHUNK_BYTES for all but the last */
	uint32_t stored_length; /* never above raw_length */
	uint32_t crc;           /* of the stored bytes */
};

static inline uint64_t record_pad(uint64_t n)
{
	return (n + RECORD_ALIGN - 1) & ~(uint64_t)(RECORD_ALIGN - 1);
}
/* Offsets of the parts inside a record. */
static inline uint64_t record_recipients_at(const struct record_header *h)
{
	return RECORD_HEADER_BYTES + (uint64_t)h->n_chunks * RECORD_CHUNK_BYTES;
}
static inline uint64_t record_chunks_at(const struct record_header *h)
{
	return record_recipients_at(h) + h->recipients_length;
}
static inline uint32_t record_chunks_of(uint64_t raw_length)
{
	return (uint32_t)((raw_length + LIMIT_CHUNK_BYTES - 1) / LIMIT_CHUNK_BYTES);
}
/* Bytes of one recipient in the record, padding included. */
static inline uint64_t record_recipient_length(size_t prefix_length)
{
	return record_pad(RECORD_RECIPIENT_BYTES + prefix_length);
}

/* What all checksums of a store begin with. */
uint32_t record_seed(const uint8_t store_id[16]);

/* Each writes exactly its part. The header is encoded last: it has the table's checksum. */
void record_put_header(
	uint32_t seed, uint8_t p[RECORD_HEADER_BYTES], const struct record_header *h);
void record_put_chunk(uint8_t p[RECORD_CHUNK_BYTES], const struct record_chunk *c);
/* Returns the bytes written: record_recipient_length(). */
size_t record_put_recipient(uint32_t seed, uint8_t *p, uint64_t blob_id, uint32_t index,
	const struct record_recipient *r);

/* Checksums of the table and of one chunk's stored bytes. */
uint32_t record_table_crc(uint32_t seed, uint64_t blob_id, const uint8_t *table, uint32_t n_chunks);
uint32_t record_chunk_crc(
	uint32_t seed, uint64_t blob_id, uint32_t index, const void *stored, size_t n);

/* Decodes and verifies a header: checksum, version (ERR_UNSUPPORTED when newer), key id
 * (ERR_UNSUPPORTED when not 0), and that lengths and counts agree and are within limits. */
int record_get_header(uint32_t seed, const uint8_t p[RECORD_HEADER_BYTES],
	struct record_header *ret, struct err *err);
/* Verifies the table (n_chunks × RECORD_CHUNK_BYTES) and decodes it into ret[n_chunks]: each
 * chunk's codec is known, raw lengths add up, stored lengths fit the record. */
int record_get_table(uint32_t seed, const struct record_header *h, const uint8_t *table,
	struct record_chunk *ret, struct err *err);
/* Decodes the recipient at the front of p[0 … n); the prefix borrows from p. *ret_used: how many
 * bytes it takes. */
int record_get_recipient(uint32_t seed, const uint8_t *p, size_t n, uint64_t blob_id,
	struct record_recipient *ret, uint32_t *ret_index, size_t *ret_used, struct err *err);
/* Whether the bytes begin like a record (magic alone). */
bool record_begins(const uint8_t *p, size_t n);

#endif
