// SPDX-License-Identifier: Apache-2.0
/*
 * X2: a role's start, as far as OpenSSL's goes: each of its allocations. What OpenSSL could not do
 * once at its beginning it may never try again, so the process ends; one that goes on can do
 * everything. Nothing of OpenSSL's may be used before the child that tries.
 */
#include "auth/derive.h"
#include "auth/mac.h"
#include "base/no_memory.h"
#include "io/tls.h"

#include <openssl/ssl.h>

static void start(void *arg)
{
	static const uint8_t secret[DERIVE_SECRET_BYTES] = { 1 };
	uint8_t bytes[32];
	struct err err = ERR_INIT;
	(void)arg;
	no_memory_from_here();
	tls_prepare();
	no_memory_until_here();
	assert_int_equal(derive_key(secret, "test", bytes, sizeof(bytes), &err), 0);
	assert_true(mac_sha256(STR("key"), STR("text"), bytes));
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	assert_non_null(ctx);
	SSL_CTX_free(ctx);
	EVP_PKEY *key = EVP_EC_gen("P-256");
	assert_non_null(key);
	EVP_PKEY_free(key);
}

static void x2_each_allocation_of_a_start(void **state)
{
	(void)state;
	NO_MEMORY_EACH(run, "start of OpenSSL", start, NULL);
}

TEST_MAIN(test_case(x2_each_allocation_of_a_start))
