// SPDX-License-Identifier: Apache-2.0
/* One chunk's codec: none or zstd. */
#include "store/chunk.h"

#include <stdlib.h>
#include <zstd.h>

/* Level 1: a 10 KiB mail in some 20 µs; level 3 costs twice that for 3 % less. */
#define ZSTD_LEVEL 1
/* Below, a frame's own header eats what is won. */
#define WORTH_TRYING_BYTES 256

struct chunk_coder {
	ZSTD_CCtx *compress;
	ZSTD_DCtx *decompress; /* made when first needed */
};

struct chunk_coder *chunk_coder_new(void)
{
	struct chunk_coder *c = xmalloc(sizeof(*c));
	return c;
}

void chunk_coder_free(struct chunk_coder **c)
{
	if (*c == NULL)
		return;
	ZSTD_freeCCtx((*c)->compress);
	ZSTD_freeDCtx((*c)->decompress);
	free(*c);
	*c = NULL;
}

/* How likely two bytes of a sample are the same (that is 2^-H2, the collision entropy) decides:
 * 1/64 for base64 of random bytes, 1/256 for random bytes, above 1/25 for text. Base64 of something
 * compressed would still shrink to 3/4, at 2.5 µs a KiB, for ever paid again at each read. */
bool chunk_may_compress(struct str raw)
{
	enum { RUNS = 8, RUN = 128, SAMPLE = RUNS * RUN, UNLIKELY = 40 };
	if (raw.n < WORTH_TRYING_BYTES)
		return false;
	if (raw.n < 2 * SAMPLE)
		return true;
	uint16_t count[256] = { 0 };
	size_t step = (raw.n - RUN) / (RUNS - 1);
	for (size_t run = 0; run < RUNS; run++)
		for (size_t i = 0; i < RUN; i++)
			count[(uint8_t)raw.p[run * step + i]]++;
	uint32_t same = 0;
	for (size_t i = 0; i < 256; i++)
		same += (uint32_t)count[i] * count[i];
	return same > SAMPLE * SAMPLE / UNLIKELY;
}

struct record_chunk chunk_encode(struct chunk_coder *c, struct str raw, uint8_t *out)
{
	struct record_chunk chunk = {
		.codec = CODEC_NONE, .raw_length = (uint32_t)raw.n, .stored_length = (uint32_t)raw.n
	};
	if (!chunk_may_compress(raw))
		return chunk;
	if (c->compress == NULL && (c->compress = ZSTD_createCCtx()) == NULL)
		return chunk; /* no memory: stored as it is */
	/* It pays when an eighth is saved. Less room than that makes zstd give up early. */
	size_t room = raw.n - raw.n / 8;
	size_t n = ZSTD_compressCCtx(c->compress, out, room, raw.p, raw.n, ZSTD_LEVEL);
	if (ZSTD_isError(n))
		return chunk;
	chunk.codec = CODEC_ZSTD;
	chunk.stored_length = (uint32_t)n;
	return chunk;
}

int chunk_decode(struct chunk_coder *c, const struct record_chunk *chunk, const uint8_t *stored,
	uint8_t *out, struct err *err)
{
	if (chunk->codec == CODEC_NONE) {
		memcpy(out, stored, chunk->raw_length);
		return 0;
	}
	if (c->decompress == NULL && (c->decompress = ZSTD_createDCtx()) == NULL)
		return fail_log(err, ERR_TEMP, "no memory to decompress");
	size_t n = ZSTD_decompressDCtx(
		c->decompress, out, chunk->raw_length, stored, chunk->stored_length);
	if (ZSTD_isError(n))
		return fail_log(
			err, ERR_CORRUPT, "a chunk does not decompress: %s", ZSTD_getErrorName(n));
	if (n != chunk->raw_length)
		return fail_log(err, ERR_CORRUPT, "a chunk decompresses to a wrong length");
	return 0;
}
