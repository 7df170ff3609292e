/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 (FIPS 180-4) by OpenSSL, with contexts that are used again. (A file of its own because
 * OpenSSL's headers and base/err.h both have a name ERR_NOT_NOW.)
 */
#ifndef CULVER_STORE_SHA256_H
#define CULVER_STORE_SHA256_H

#include "base/str.h"

#define SHA256_BYTES 32

struct sha256;      /* one hash in the making */
struct sha256_pool; /* for one thread */

struct sha256_pool *sha256_pool_new(void);
void sha256_pool_free(struct sha256_pool **pool);

/* Begins a hash; given back to the pool by sha256_end or sha256_drop, which null it. */
struct sha256 *sha256_begin(struct sha256_pool *pool);
void sha256_add(struct sha256 *h, struct str bytes);
void sha256_end(struct sha256_pool *pool, struct sha256 **h, uint8_t ret[SHA256_BYTES]);
/* Accepts NULL. */
void sha256_drop(struct sha256_pool *pool, struct sha256 **h);

#endif
