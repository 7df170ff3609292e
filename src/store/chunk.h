/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunks: at most LIMIT_CHUNK_BYTES raw bytes, stored as they are or as one zstd frame (RFC 8878),
 * whichever is shorter by enough to pay for the time.
 */
#ifndef CULVER_STORE_CHUNK_H
#define CULVER_STORE_CHUNK_H

#include "base/err.h"
#include "store/record.h"

/* Scratch for both directions; one a thread. */
struct chunk_coder;
struct chunk_coder *chunk_coder_new(void);
void chunk_coder_free(struct chunk_coder **c);

/* Encodes raw (1 … LIMIT_CHUNK_BYTES) into out, which has room for raw.n bytes. Returns codec and
 * lengths; crc is not set. With CODEC_NONE nothing was written to out: raw itself is what is
 * stored. */
struct record_chunk chunk_encode(struct chunk_coder *c, struct str raw, uint8_t *out);
/* Decodes stored bytes into out (LIMIT_CHUNK_BYTES). ERR_CORRUPT unless exactly raw_length bytes
 * come out. */
int chunk_decode(struct chunk_coder *c, const struct record_chunk *chunk, const uint8_t *stored,
	uint8_t *out, struct err *err);
/* A quick look at a sample: false when compressing is not worth trying (random bytes, base64 of
 * compressed data). Never wrong in a way that matters: either answer is stored correctly. */
bool chunk_may_compress(struct str raw);

#endif
