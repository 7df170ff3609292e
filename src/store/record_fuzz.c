// SPDX-License-Identifier: Apache-2.0
/*
 * Records and segment headers from bytes that may be anything. The input is a record as it would
 * stand in a file; so that the mutator gets past the checksums, the second run sets those that it
 * can find. Properties: what is decoded is within the limits and, encoded again, is the same bytes;
 * chunks decode to exactly their raw length or are refused.
 */
#include "base/fuzz.h"
#include "store/chunk.h"
#include "store/crc32c.h"
#include "store/little.h"
#include "store/segment_private.h"

#include <stdlib.h>

#define SEED 1

/* A checksum as the format describes it, made apart from record.c. */
static uint32_t sum(uint32_t of, uint64_t id, uint32_t index, const uint8_t *p, size_t n)
{
	uint8_t bound[16];
	put_u64(bound, id);
	put_u32(bound + 8, index);
	put_u32(bound + 12, of);
	return crc32c(crc32c(SEED, bound, sizeof(bound)), p, n);
}

/* Sets magic and checksums where the fields say they are. */
static void repair(uint8_t *p, size_t n)
{
	if (n < RECORD_HEADER_BYTES)
		return;
	uint64_t id = get_u64(p + 8), n_chunks = get_u32(p + 80);
	put_u32(p, RECORD_MAGIC);
	memset(p + 96, 0, 28);
	uint64_t table = n_chunks * RECORD_CHUNK_BYTES;
	if (table <= n - RECORD_HEADER_BYTES)
		put_u32(p + 92,
			record_table_crc(SEED, id, p + RECORD_HEADER_BYTES, (uint32_t)n_chunks));
	put_u32(p + 124, sum(1, id, 0, p, 124));
	uint64_t at = RECORD_HEADER_BYTES + table;
	while (at + RECORD_RECIPIENT_BYTES <= n) {
		uint64_t length = record_recipient_length(get_u32(p + at + 32));
		if (length > n - at)
			break;
		put_u32(p + at, sum(3, id, get_u32(p + at + 4), p + at + 4, length - 4));
		at += length;
	}
}

static void check_recipients(const uint8_t *p, size_t n, const struct record_header *h)
{
	uint64_t at = record_recipients_at(h);
	for (uint32_t i = 0; i < h->n_recipients && at < n; i++) {
		struct record_recipient r;
		uint32_t index;
		size_t used;
		if (record_get_recipient(
			    SEED, p + at, n - at, h->blob_id, &r, &index, &used, NULL) < 0)
			return;
		FUZZ_CHECK(r.prefix.n <= LIMIT_PREFIX_BYTES && used <= n - at);
		uint8_t *again = xmalloc(used);
		FUZZ_CHECK(record_put_recipient(SEED, again, h->blob_id, index, &r) == used);
		FUZZ_CHECK(memcmp(again, p + at, used) == 0);
		free(again);
		at += used;
	}
}

static void check_chunks(const uint8_t *p, size_t n, const struct record_header *h)
{
	if (record_chunks_at(h) > n)
		return;
	struct record_chunk *chunks = xcalloc(h->n_chunks, sizeof(*chunks));
	uint8_t *out = xmalloc(LIMIT_CHUNK_BYTES);
	struct chunk_coder *coder = chunk_coder_new();
	uint64_t at = record_chunks_at(h);
	bool good = record_get_table(SEED, h, p + RECORD_HEADER_BYTES, chunks, NULL) == 0;
	for (uint32_t i = 0; good && i < h->n_chunks; i++) {
		if (chunks[i].stored_length > n - at)
			break;
		uint8_t *raw = xmalloc(chunks[i].raw_length); /* an exact one */
		if (chunk_decode(coder, &chunks[i], p + at, raw, NULL) == 0) {
			struct str bytes = str_make(raw, chunks[i].raw_length);
			struct record_chunk c = chunk_encode(coder, bytes, out);
			const uint8_t *stored = c.codec == CODEC_NONE ? raw : out;
			uint8_t *back = xmalloc(c.raw_length);
			FUZZ_CHECK(chunk_decode(coder, &c, stored, back, NULL) == 0);
			FUZZ_CHECK(memcmp(back, raw, c.raw_length) == 0);
			free(back);
		}
		free(raw);
		at += chunks[i].stored_length;
	}
	chunk_coder_free(&coder);
	free(out);
	free(chunks);
}

static void check_record(const uint8_t *p, size_t n)
{
	struct record_header h;
	if (n < RECORD_HEADER_BYTES || record_get_header(SEED, p, &h, NULL) < 0)
		return;
	FUZZ_CHECK(record_begins(p, n) && h.raw_length <= LIMIT_BODY_BYTES && h.key_id == 0);
	FUZZ_CHECK(h.stored_length >= record_chunks_at(&h));
	uint8_t again[RECORD_HEADER_BYTES];
	record_put_header(SEED, again, &h);
	FUZZ_CHECK(memcmp(again, p, sizeof(again)) == 0);
	check_recipients(p, n, &h);
	check_chunks(p, n, &h);
}

static void check_segment_header(const uint8_t *data, size_t n)
{
	uint8_t p[SEGMENT_HEADER_BYTES] = { 0 }, again[SEGMENT_HEADER_BYTES];
	struct segment_header h;
	memcpy(p, data, n < 60 ? n : 60);
	for (int repaired = 0; repaired < 2; repaired++) {
		if (repaired) {
			memcpy(p, "CULVERSG\1\0\0", 12);
			memset(p + 48, 0, 12);
			put_u32(p + 60, crc32c(0, p, 60));
		}
		if (segment_get_header(p, &h, NULL) < 0)
			continue;
		segment_put_header(again, &h);
		FUZZ_CHECK(memcmp(again, p, sizeof(p)) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *p = xmalloc(size + 1);
	if (size)
		memcpy(p, data, size);
	check_segment_header(data, size);
	check_record(p, size);
	repair(p, size);
	check_record(p, size);
	free(p);
	return 0;
}
