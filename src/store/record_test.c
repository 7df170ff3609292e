// SPDX-License-Identifier: Apache-2.0
/* Records: what is put is got; every flipped bit, every wrong place and every limit is refused. */
#include "store/record.h"

#include "store/chunk.h"
#include "store/crc32c.h"
#include "store/little.h"

#include "base/test.h"

#include <stdlib.h>

#define SEED 0x12345678U

/* RFC 3720 appendix B.4. */
static void crc32c_is_castagnoli(void **state)
{
	(void)state;
	uint8_t p[48];
	memset(p, 0, 32);
	assert_int_equal(crc32c(0, p, 32), 0x8a9136aaU);
	memset(p, 0xff, 32);
	assert_int_equal(crc32c(0, p, 32), 0x62a8ab43U);
	for (int i = 0; i < 32; i++)
		p[i] = (uint8_t)i;
	assert_int_equal(crc32c(0, p, 32), 0x46dd794eU);
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283U);
	for (size_t n = 0; n < sizeof(p); n++)
		for (size_t cut = 0; cut <= n; cut++) {
			assert_int_equal(
				crc32c(0, p, n), crc32c(crc32c(0, p, cut), p + cut, n - cut));
			assert_int_equal(crc32c(7, p, n), crc32c_portable(7, p, n));
		}
}

static struct record_header sample_header(void)
{
	struct record_header h = { .blob_id = 0x100000200,
		.segment = 1,
		.offset = 4096,
		.raw_length = 70000,
		.n_chunks = 2,
		.n_recipients = 1,
		.recipients_length = 48,
		.table_crc = 99 };
	h.stored_length = record_chunks_at(&h) + record_pad(70000);
	memset(h.sha256, 0xab, sizeof(h.sha256));
	return h;
}

static void header_is_got_as_put(void **state)
{
	(void)state;
	uint8_t p[RECORD_HEADER_BYTES];
	struct record_header h = sample_header(), got;
	struct err err = ERR_INIT;
	record_put_header(SEED, p, &h);
	assert_true(record_begins(p, sizeof(p)));
	assert_int_equal(record_get_header(SEED, p, &got, &err), 0);
	assert_int_equal(got.blob_id, h.blob_id);
	assert_int_equal(got.stored_length, h.stored_length);
	assert_int_equal(got.recipients_length, 48);
	assert_memory_equal(got.sha256, h.sha256, sizeof(h.sha256));
	assert_int_equal(record_get_header(SEED + 1, p, &got, &err), -1); /* another store's */
	for (size_t bit = 0; bit < sizeof(p) * 8; bit++) {
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(record_get_header(SEED, p, &got, &err), -1);
		assert_int_equal(err.kind, ERR_CORRUPT);
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

/* What a header with right checksum and wrong fields is refused for. */
struct header_case {
	const char *what;
	void (*change)(struct record_header *);
	enum err_kind kind; /* ERR_NONE: accepted */
};

static void encrypted(struct record_header *h)
{
	h->key_id = 1;
}
static void body_at_limit(struct record_header *h)
{
	h->raw_length = LIMIT_BODY_BYTES;
	h->n_chunks = record_chunks_of(h->raw_length);
	h->stored_length = record_chunks_at(h) + h->raw_length;
}
static void body_below_limit(struct record_header *h)
{
	h->raw_length = LIMIT_BODY_BYTES - 1;
	h->n_chunks = record_chunks_of(h->raw_length);
	h->stored_length = record_chunks_at(h) + 8;
}
static void body_above_limit(struct record_header *h)
{
	body_at_limit(h);
	h->raw_length++;
	h->n_chunks = record_chunks_of(h->raw_length);
}
static void recipients_at_limit(struct record_header *h)
{
	h->n_recipients = LIMIT_RECORD_RECIPIENTS;
	h->recipients_length = LIMIT_RECORD_RECIPIENTS * RECORD_RECIPIENT_BYTES;
	h->stored_length = record_chunks_at(h) + 64;
}
static void recipients_above_limit(struct record_header *h)
{
	recipients_at_limit(h);
	h->n_recipients++;
	h->recipients_length += RECORD_RECIPIENT_BYTES;
}
static void prefix_at_limit(struct record_header *h)
{
	h->recipients_length = (uint32_t)record_recipient_length(LIMIT_PREFIX_BYTES);
	h->stored_length = record_chunks_at(h) + 64;
}
static void prefix_above_limit(struct record_header *h)
{
	prefix_at_limit(h);
	h->recipients_length += 8;
	h->stored_length += 8;
}
static void recipients_too_short(struct record_header *h)
{
	h->recipients_length = 32;
}
static void too_few_chunks(struct record_header *h)
{
	h->n_chunks--;
}
static void shorter_than_parts(struct record_header *h)
{
	h->stored_length = record_chunks_at(h) - 8;
}
static void longer_than_raw(struct record_header *h)
{
	h->stored_length += 8;
}
static void unaligned(struct record_header *h)
{
	h->stored_length -= 1;
}
static void empty(struct record_header *h)
{
	*h = (struct record_header){ .blob_id = 1, .stored_length = RECORD_HEADER_BYTES };
}

static void header_fields_are_bounded(void **state)
{
	(void)state;
	static const struct header_case cases[] = {
		{ "encrypted", encrypted, ERR_UNSUPPORTED },
		{ "body N-1", body_below_limit, ERR_NONE },
		{ "body N", body_at_limit, ERR_NONE },
		{ "body N+1", body_above_limit, ERR_CORRUPT },
		{ "recipients N", recipients_at_limit, ERR_NONE },
		{ "recipients N+1", recipients_above_limit, ERR_CORRUPT },
		{ "prefix N", prefix_at_limit, ERR_NONE },
		{ "prefix N+1", prefix_above_limit, ERR_CORRUPT },
		{ "recipients too short", recipients_too_short, ERR_CORRUPT },
		{ "too few chunks", too_few_chunks, ERR_CORRUPT },
		{ "shorter than its parts", shorter_than_parts, ERR_CORRUPT },
		{ "longer than raw", longer_than_raw, ERR_CORRUPT },
		{ "unaligned", unaligned, ERR_CORRUPT },
		{ "empty", empty, ERR_NONE },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t p[RECORD_HEADER_BYTES];
		struct record_header h = sample_header(), got;
		struct err err = ERR_INIT;
		cases[i].change(&h);
		record_put_header(SEED, p, &h);
		int result = record_get_header(SEED, p, &got, &err);
		if (err.kind != cases[i].kind || result != (cases[i].kind ? -1 : 0))
			fail_msg("%s: %s", cases[i].what, err_name(err.kind));
	}
}

/* G8: a newer version is told from damage. The checksum is made as the format says. */
static void newer_version_is_refused(void **state)
{
	(void)state;
	uint8_t p[RECORD_HEADER_BYTES], bound[16] = { 0 };
	struct record_header h = sample_header(), got;
	struct err err = ERR_INIT;
	record_put_header(SEED, p, &h);
	p[4] = RECORD_VERSION + 1;
	put_u64(bound, h.blob_id);
	bound[12] = 1;
	put_u32(p + 124, crc32c(crc32c(SEED, bound, sizeof(bound)), p, 124));
	assert_int_equal(record_get_header(SEED, p, &got, &err), -1);
	assert_int_equal(err.kind, ERR_UNSUPPORTED);
}

static void table_is_verified(void **state)
{
	(void)state;
	uint8_t table[2 * RECORD_CHUNK_BYTES];
	struct record_header h = sample_header();
	struct record_chunk c[2] = { { CODEC_NONE, LIMIT_CHUNK_BYTES, LIMIT_CHUNK_BYTES, 1 },
		{ CODEC_ZSTD, 70000 - LIMIT_CHUNK_BYTES, 100, 2 } };
	struct record_chunk got[2];
	struct err err = ERR_INIT;
	h.stored_length = record_pad(record_chunks_at(&h) + LIMIT_CHUNK_BYTES + 100);
	for (int i = 0; i < 2; i++)
		record_put_chunk(table + i * RECORD_CHUNK_BYTES, &c[i]);
	h.table_crc = record_table_crc(SEED, h.blob_id, table, 2);
	assert_int_equal(record_get_table(SEED, &h, table, got, &err), 0);
	assert_int_equal(got[1].codec, CODEC_ZSTD);
	assert_int_equal(got[1].stored_length, 100);
	for (size_t bit = 0; bit < sizeof(table) * 8; bit++) {
		table[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(record_get_table(SEED, &h, table, got, &err), -1);
		/* Nor by a right checksum over wrong lengths. */
		struct record_header forged = h;
		forged.table_crc = record_table_crc(SEED, h.blob_id, table, 2);
		bool is_crc = bit / 8 % RECORD_CHUNK_BYTES >= 12;
		/* A flip of the codec of a chunk stored raw: only decoding can tell. */
		bool is_codec = bit == 0;
		/* 100, 101 and 102 are padded to the same length. */
		bool is_slack = bit / 8 == RECORD_CHUNK_BYTES + 8 && bit % 8 < 2;
		assert_int_equal(record_get_table(SEED, &forged, table, got, &err),
			is_crc || is_codec || is_slack ? 0 : -1);
		table[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	h.blob_id++; /* misdirected */
	assert_int_equal(record_get_table(SEED, &h, table, got, &err), -1);
}

static void recipients_are_verified(void **state)
{
	(void)state;
	uint8_t p[128];
	struct record_recipient r = { .account = 1,
		.mailbox = 2,
		.time_ms = -3,
		.prefix = STR("To: x\r\n") },
				got;
	struct err err = ERR_INIT;
	uint32_t index;
	size_t used, n = record_put_recipient(SEED, p, 77, 5, &r);
	assert_int_equal(n, record_recipient_length(r.prefix.n));
	assert_int_equal(record_get_recipient(SEED, p, n, 77, &got, &index, &used, &err), 0);
	assert_int_equal(got.time_ms, -3);
	assert_int_equal(index, 5);
	assert_int_equal(used, n);
	assert_str(got.prefix, r.prefix);
	assert_int_equal(record_get_recipient(SEED, p, n, 78, &got, &index, &used, &err), -1);
	for (size_t cut = 0; cut < n; cut++)
		assert_int_equal(
			record_get_recipient(SEED, p, cut, 77, &got, &index, &used, &err), -1);
	for (size_t bit = 0; bit < n * 8; bit++) {
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(
			record_get_recipient(SEED, p, n, 77, &got, &index, &used, &err), -1);
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void chunks_round_trip(void **state)
{
	(void)state;
	static const size_t lengths[] = { 1, 255, 256, 2047, 2048, LIMIT_CHUNK_BYTES - 1,
		LIMIT_CHUNK_BYTES };
	struct chunk_coder *coder = chunk_coder_new();
	uint8_t *raw = xmalloc(LIMIT_CHUNK_BYTES), *out = xmalloc(LIMIT_CHUNK_BYTES),
		*back = xmalloc(LIMIT_CHUNK_BYTES);
	struct err err = ERR_INIT;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
		for (int random = 0; random < 2; random++) {
			size_t n = lengths[i];
			uint64_t x = 1;
			for (size_t k = 0; k < n; k++, x = x * 6364136223846793005U + 1)
				raw[k] = random ? (uint8_t)(x >> 56) : "hello world\r\n"[k % 13];
			struct record_chunk c = chunk_encode(coder, str_make(raw, n), out);
			assert_int_equal(c.raw_length, n);
			assert_int_equal(c.codec, random || n < 256 ? CODEC_NONE : CODEC_ZSTD);
			assert_true(c.stored_length <= n);
			const uint8_t *stored = c.codec == CODEC_NONE ? raw : out;
			assert_int_equal(chunk_decode(coder, &c, stored, back, &err), 0);
			assert_memory_equal(raw, back, n);
			c.raw_length++; /* it decodes to fewer bytes than the table says */
			if (c.codec == CODEC_ZSTD)
				assert_int_equal(chunk_decode(coder, &c, stored, back, &err), -1);
		}
	chunk_coder_free(&coder);
	free(raw);
	free(out);
	free(back);
}

TEST_MAIN(test_case(crc32c_is_castagnoli), test_case(header_is_got_as_put),
	test_case(header_fields_are_bounded), test_case(newer_version_is_refused),
	test_case(table_is_verified), test_case(recipients_are_verified),
	test_case(chunks_round_trip))
