// SPDX-License-Identifier: Apache-2.0
/*
 * Records to bytes and back: header, chunk table, recipients. Everything read here may be damaged
 * or from another place; nothing is used before its checksum and its limits hold.
 *
 * The place of magic, version, header length and checksum in a header never changes, so that a
 * newer version is told from damage.
 */
#include "store/record.h"

#include "store/crc32c.h"
#include "store/little.h"

/* What a checksum is of; part of what it covers. */
enum sum_of { SUM_HEADER = 1, SUM_TABLE, SUM_RECIPIENT, SUM_CHUNK };

enum {
	/* header */
	AT_MAGIC = 0,
	AT_VERSION = 4,
	AT_HEADER_BYTES = 6,
	AT_BLOB_ID = 8,
	AT_OFFSET = 16,
	AT_SEGMENT = 24,
	AT_KEY_ID = 28,
	AT_RAW_LENGTH = 32,
	AT_STORED_LENGTH = 40,
	AT_SHA256 = 48,
	AT_N_CHUNKS = 80,
	AT_N_RECIPIENTS = 84,
	AT_RECIPIENTS_LENGTH = 88,
	AT_TABLE_CRC = 92,
	AT_RESERVED = 96, /* zero */
	AT_HEADER_CRC = 124,

	/* chunk */
	AT_CODEC = 0, /* one byte, three of zero */
	AT_CHUNK_RAW = 4,
	AT_CHUNK_STORED = 8,
	AT_CHUNK_CRC = 12,

	/* recipient */
	AT_RECIPIENT_CRC = 0,
	AT_INDEX = 4,
	AT_ACCOUNT = 8,
	AT_MAILBOX = 16,
	AT_TIME = 24,
	AT_PREFIX_LENGTH = 32, /* then four bytes of zero */
};

uint32_t record_seed(const uint8_t store_id[16])
{
	return crc32c(0, store_id, 16);
}

/* The checksum of n bytes as part `of` with this number in the record of this blob. */
static uint32_t sum(
	uint32_t seed, enum sum_of of, uint64_t blob_id, uint32_t index, const void *p, size_t n)
{
	uint8_t bound[16];
	put_u64(bound, blob_id);
	put_u32(bound + 8, index);
	put_u32(bound + 12, (uint32_t)of);
	return crc32c(crc32c(seed, bound, sizeof(bound)), p, n);
}

static bool all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

/* ---- header ---- */

void record_put_header(uint32_t seed, uint8_t p[RECORD_HEADER_BYTES], const struct record_header *h)
{
	memset(p, 0, RECORD_HEADER_BYTES);
	put_u32(p + AT_MAGIC, RECORD_MAGIC);
	put_u16(p + AT_VERSION, RECORD_VERSION);
	put_u16(p + AT_HEADER_BYTES, RECORD_HEADER_BYTES);
	put_u64(p + AT_BLOB_ID, h->blob_id);
	put_u64(p + AT_OFFSET, h->offset);
	put_u32(p + AT_SEGMENT, h->segment);
	put_u32(p + AT_KEY_ID, h->key_id);
	put_u64(p + AT_RAW_LENGTH, h->raw_length);
	put_u64(p + AT_STORED_LENGTH, h->stored_length);
	memcpy(p + AT_SHA256, h->sha256, sizeof(h->sha256));
	put_u32(p + AT_N_CHUNKS, h->n_chunks);
	put_u32(p + AT_N_RECIPIENTS, h->n_recipients);
	put_u32(p + AT_RECIPIENTS_LENGTH, h->recipients_length);
	put_u32(p + AT_TABLE_CRC, h->table_crc);
	put_u32(p + AT_HEADER_CRC, sum(seed, SUM_HEADER, h->blob_id, 0, p, AT_HEADER_CRC));
}

/* Whether lengths and counts agree with each other and with the limits. */
static bool header_is_sane(const struct record_header *h)
{
	if (h->raw_length > LIMIT_BODY_BYTES || h->n_recipients > LIMIT_RECORD_RECIPIENTS)
		return false;
	if (h->n_chunks != record_chunks_of(h->raw_length))
		return false;
	if (h->recipients_length % RECORD_ALIGN ||
		h->recipients_length < h->n_recipients * RECORD_RECIPIENT_BYTES ||
		h->recipients_length >
			h->n_recipients * record_recipient_length(LIMIT_PREFIX_BYTES))
		return false;
	uint64_t chunks_at = record_chunks_at(h);
	return h->stored_length % RECORD_ALIGN == 0 && h->stored_length >= chunks_at &&
	       h->stored_length <= chunks_at + record_pad(h->raw_length);
}

int record_get_header(uint32_t seed, const uint8_t p[RECORD_HEADER_BYTES],
	struct record_header *ret, struct err *err)
{
	if (get_u32(p + AT_MAGIC) != RECORD_MAGIC)
		return fail_log(err, ERR_CORRUPT, "no record here");
	struct record_header h = { .blob_id = get_u64(p + AT_BLOB_ID),
		.offset = get_u64(p + AT_OFFSET),
		.segment = get_u32(p + AT_SEGMENT),
		.key_id = get_u32(p + AT_KEY_ID),
		.raw_length = get_u64(p + AT_RAW_LENGTH),
		.stored_length = get_u64(p + AT_STORED_LENGTH),
		.n_chunks = get_u32(p + AT_N_CHUNKS),
		.n_recipients = get_u32(p + AT_N_RECIPIENTS),
		.recipients_length = get_u32(p + AT_RECIPIENTS_LENGTH),
		.table_crc = get_u32(p + AT_TABLE_CRC) };
	memcpy(h.sha256, p + AT_SHA256, sizeof(h.sha256));
	if (get_u32(p + AT_HEADER_CRC) != sum(seed, SUM_HEADER, h.blob_id, 0, p, AT_HEADER_CRC))
		return fail_log(err, ERR_CORRUPT, "a record's header has a wrong checksum");
	if (get_u16(p + AT_VERSION) > RECORD_VERSION)
		return fail_log(err, ERR_UNSUPPORTED,
			"a record has version %u, this Culver knows up to %u",
			get_u16(p + AT_VERSION), RECORD_VERSION);
	if (h.key_id != 0)
		return fail_log(err, ERR_UNSUPPORTED,
			"a record is encrypted with key %u, this Culver has no keys for records",
			h.key_id);
	if (get_u16(p + AT_VERSION) == 0 || get_u16(p + AT_HEADER_BYTES) != RECORD_HEADER_BYTES ||
		!all_zero(p + AT_RESERVED, AT_HEADER_CRC - AT_RESERVED) || !header_is_sane(&h))
		return fail_log(err, ERR_CORRUPT, "a record's header has impossible lengths");
	*ret = h;
	return 0;
}

bool record_begins(const uint8_t *p, size_t n)
{
	return n >= 4 && get_u32(p + AT_MAGIC) == RECORD_MAGIC;
}

/* ---- chunk table ---- */

void record_put_chunk(uint8_t p[RECORD_CHUNK_BYTES], const struct record_chunk *c)
{
	put_u32(p + AT_CODEC, c->codec);
	put_u32(p + AT_CHUNK_RAW, c->raw_length);
	put_u32(p + AT_CHUNK_STORED, c->stored_length);
	put_u32(p + AT_CHUNK_CRC, c->crc);
}

uint32_t record_table_crc(uint32_t seed, uint64_t blob_id, const uint8_t *table, uint32_t n_chunks)
{
	return sum(
		seed, SUM_TABLE, blob_id, n_chunks, table, (size_t)n_chunks * RECORD_CHUNK_BYTES);
}

uint32_t record_chunk_crc(
	uint32_t seed, uint64_t blob_id, uint32_t index, const void *stored, size_t n)
{
	return sum(seed, SUM_CHUNK, blob_id, index, stored, n);
}

/* The raw length that chunk i must have. */
static uint32_t chunk_raw_length(const struct record_header *h, uint32_t i)
{
	uint64_t left = h->raw_length - (uint64_t)i * LIMIT_CHUNK_BYTES;
	return left < LIMIT_CHUNK_BYTES ? (uint32_t)left : LIMIT_CHUNK_BYTES;
}

static bool chunk_is_sane(const struct record_chunk *c, uint32_t raw_length)
{
	if (c->raw_length != raw_length || c->stored_length == 0 ||
		c->stored_length > c->raw_length)
		return false;
	return c->codec != CODEC_NONE || c->stored_length == c->raw_length;
}

int record_get_table(uint32_t seed, const struct record_header *h, const uint8_t *table,
	struct record_chunk *ret, struct err *err)
{
	if (record_table_crc(seed, h->blob_id, table, h->n_chunks) != h->table_crc)
		return fail_log(err, ERR_CORRUPT, "a record's chunk table has a wrong checksum");
	uint64_t stored = 0;
	for (uint32_t i = 0; i < h->n_chunks; i++) {
		const uint8_t *p = table + (size_t)i * RECORD_CHUNK_BYTES;
		struct record_chunk c = { .codec = p[AT_CODEC],
			.raw_length = get_u32(p + AT_CHUNK_RAW),
			.stored_length = get_u32(p + AT_CHUNK_STORED),
			.crc = get_u32(p + AT_CHUNK_CRC) };
		if (get_u32(p + AT_CODEC) >= CODECS)
			return fail_log(err, ERR_UNSUPPORTED, "a chunk has the unknown codec %u",
				get_u32(p + AT_CODEC));
		if (!chunk_is_sane(&c, chunk_raw_length(h, i)))
			return fail_log(err, ERR_CORRUPT, "a chunk has impossible lengths");
		stored += c.stored_length;
		ret[i] = c;
	}
	if (record_pad(record_chunks_at(h) + stored) != h->stored_length)
		return fail_log(err, ERR_CORRUPT, "a record's chunks do not fill it");
	return 0;
}

/* ---- recipients ---- */

size_t record_put_recipient(uint32_t seed, uint8_t *p, uint64_t blob_id, uint32_t index,
	const struct record_recipient *r)
{
	size_t n = record_recipient_length(r->prefix.n);
	size_t used = RECORD_RECIPIENT_BYTES + r->prefix.n;
	put_u32(p + AT_INDEX, index);
	put_u64(p + AT_ACCOUNT, r->account);
	put_u64(p + AT_MAILBOX, r->mailbox);
	put_u64(p + AT_TIME, (uint64_t)r->time_ms);
	put_u64(p + AT_PREFIX_LENGTH, r->prefix.n);
	if (r->prefix.n)
		memcpy(p + RECORD_RECIPIENT_BYTES, r->prefix.p, r->prefix.n);
	memset(p + used, 0, n - used);
	put_u32(p + AT_RECIPIENT_CRC,
		sum(seed, SUM_RECIPIENT, blob_id, index, p + AT_INDEX, n - AT_INDEX));
	return n;
}

int record_get_recipient(uint32_t seed, const uint8_t *p, size_t n, uint64_t blob_id,
	struct record_recipient *ret, uint32_t *ret_index, size_t *ret_used, struct err *err)
{
	if (n < RECORD_RECIPIENT_BYTES)
		return fail_log(err, ERR_CORRUPT, "a record's recipient is cut short");
	uint32_t index = get_u32(p + AT_INDEX);
	uint64_t prefix = get_u64(p + AT_PREFIX_LENGTH);
	if (prefix > LIMIT_PREFIX_BYTES || record_recipient_length(prefix) > n)
		return fail_log(err, ERR_CORRUPT, "a record's recipient has an impossible length");
	size_t length = record_recipient_length(prefix);
	if (get_u32(p + AT_RECIPIENT_CRC) !=
		sum(seed, SUM_RECIPIENT, blob_id, index, p + AT_INDEX, length - AT_INDEX))
		return fail_log(err, ERR_CORRUPT, "a record's recipient has a wrong checksum");
	size_t used = RECORD_RECIPIENT_BYTES + prefix;
	if (!all_zero(p + used, length - used))
		return fail_log(err, ERR_CORRUPT, "a record's recipient is not padded with zeros");
	*ret = (struct record_recipient){ .account = get_u64(p + AT_ACCOUNT),
		.mailbox = get_u64(p + AT_MAILBOX),
		.time_ms = (int64_t)get_u64(p + AT_TIME),
		.prefix = str_make(p + RECORD_RECIPIENT_BYTES, prefix) };
	*ret_index = index;
	*ret_used = length;
	return 0;
}
