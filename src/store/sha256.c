// SPDX-License-Identifier: Apache-2.0
/* SHA-256 by OpenSSL. Its functions fail for want of memory alone, which ends the process. */
#include "store/sha256.h"

#include "base/mem.h"

#include <stdlib.h>
#include <openssl/evp.h>

#define KEPT 64 /* as many hash at once without making a new context */

struct sha256_pool {
	EVP_MD *type;
	EVP_MD_CTX *kept[KEPT];
	size_t n;
};

/* A struct sha256 is OpenSSL's context under another name. */
static EVP_MD_CTX *context(struct sha256 *h)
{
	return (EVP_MD_CTX *)(void *)h;
}

static void or_end(int ok)
{
	if (!ok)
		mem_exhausted();
}

struct sha256_pool *sha256_pool_new(void)
{
	struct sha256_pool *pool = xmalloc(sizeof(*pool));
	pool->type = EVP_MD_fetch(NULL, "SHA256", NULL);
	or_end(pool->type != NULL);
	return pool;
}

void sha256_pool_free(struct sha256_pool **pool)
{
	struct sha256_pool *p = *pool;
	if (p == NULL)
		return;
	while (p->n)
		EVP_MD_CTX_free(p->kept[--p->n]);
	EVP_MD_free(p->type);
	free(p);
	*pool = NULL;
}

struct sha256 *sha256_begin(struct sha256_pool *pool)
{
	EVP_MD_CTX *c = pool->n ? pool->kept[--pool->n] : EVP_MD_CTX_new();
	or_end(c != NULL && EVP_DigestInit_ex2(c, pool->type, NULL));
	return (struct sha256 *)(void *)c;
}

void sha256_add(struct sha256 *h, struct str bytes)
{
	or_end(EVP_DigestUpdate(context(h), bytes.p, bytes.n));
}

void sha256_drop(struct sha256_pool *pool, struct sha256 **h)
{
	if (*h == NULL)
		return;
	if (pool->n < KEPT)
		pool->kept[pool->n++] = context(*h);
	else
		EVP_MD_CTX_free(context(*h));
	*h = NULL;
}

void sha256_end(struct sha256_pool *pool, struct sha256 **h, uint8_t ret[SHA256_BYTES])
{
	or_end(EVP_DigestFinal_ex(context(*h), ret, NULL));
	sha256_drop(pool, h);
}
