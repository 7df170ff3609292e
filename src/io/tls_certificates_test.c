// SPDX-License-Identifier: Apache-2.0
/* Certificates and keys that are refused, and what keysign signs. */
#include "api/schemes.h"
#include "io/tls_scene.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

static void bad_certificates_are_refused(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;
	struct tls_certificates *c = tls_certificates_new();
	EVP_PKEY *weak = EVP_RSA_gen(1024);
	assert_null(tls_server_new(c, sign, f, &err));
	assert_int_equal(tls_certificates_add(c, STR("k"), STR(""), &err), -1);
	assert_int_equal(tls_certificates_add(c, STR("k"), STR("hello"), &err), -1);
	assert_int_equal(tls_certificates_add(c, STR(""), str_from(f->ec.chain), &err), -1);
	char long_id[65] = { 0 };
	memset(long_id, 'k', 64);
	assert_int_equal(
		tls_certificates_add(c, str_make(long_id, 64), str_from(f->ec.chain), &err), 0);
	assert_int_equal(
		tls_certificates_add(c, str_make(long_id, 65), str_from(f->ec.chain), &err), -1);
	/* chains: LIMIT_CHAIN and one more */
	struct buf chain;
	buf_init(&chain, 1 << 20);
	for (int i = 0; i < LIMIT_CHAIN; i++)
		buf_addz(&chain, f->ec.chain);
	assert_int_equal(tls_certificates_add(c, STR("k"), buf_str(&chain), &err), 0);
	buf_addz(&chain, f->ec.chain);
	assert_int_equal(tls_certificates_add(c, STR("k"), buf_str(&chain), &err), -1);
	assert_int_equal(err.kind, ERR_CONFIG);
	/* garbage after the first certificate */
	buf_clear(&chain);
	buf_addz(&chain, f->ec.chain);
	buf_addz(&chain, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	assert_int_equal(tls_certificates_add(c, STR("k"), buf_str(&chain), &err), -1);
	for (int i = 2; i < LIMIT_CERTIFICATES; i++)
		assert_int_equal(tls_certificates_add(c, STR("k"), str_from(f->ec.chain), &err), 0);
	assert_int_equal(tls_certificates_add(c, STR("k"), str_from(f->ec.chain), &err), -1);
	buf_done(&chain);
	tls_certificates_free(&c);
	EVP_PKEY_free(weak);
}

static void keysign_refuses_what_does_not_fit(void **state)
{
	struct fixture *f = *state;
	static const char zeroes[64];
	static const struct {
		bool rsa;
		uint16_t scheme;
		size_t digest_n;
		bool works;
	} cases[] = {
		{ false, SCHEME_ECDSA_SHA256, 31, false },
		{ false, SCHEME_ECDSA_SHA256, 32, true },
		{ false, SCHEME_ECDSA_SHA256, 33, false },
		{ false, SCHEME_ECDSA_SHA384, 48, true },
		{ false, SCHEME_RSA_PSS_SHA256, 32, false },
		{ false, SCHEME_ED25519, 32, false },
		{ false, 0, 32, false },
		{ false, 10, 32, false },
		{ true, SCHEME_RSA_PKCS1_SHA256, 32, true },
		{ true, SCHEME_RSA_PSS_SHA512, 64, true },
		{ true, SCHEME_RSA_PSS_SHA512, 32, false },
		{ true, SCHEME_ECDSA_SHA256, 32, false },
	};
	struct buf signature;
	buf_init(&signature, LIMIT_SIGNATURE_BYTES);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_INIT;
		buf_clear(&signature);
		int r = keysign_sign(cases[i].rsa ? f->rsa.key : f->ec.key, cases[i].scheme,
			str_make(zeroes, cases[i].digest_n), &signature, &err);
		assert_int_equal(r, cases[i].works ? 0 : -1);
		assert_int_equal(signature.n > 0, cases[i].works);
		if (r != 0)
			assert_int_equal(err.kind, ERR_DENIED);
	}
	buf_done(&signature);
}

/* Whose modulus has a + b bits: the product of two numbers that are no primes, since those of such
 * a size take a minute to be found. What is signed with it has the right length and is no
 * signature.
 */
static EVP_PKEY *rsa_of(int a, int b)
{
	static const char *const names[] = { OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_RSA_E,
		OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2,
		OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2,
		OSSL_PKEY_PARAM_RSA_COEFFICIENT1 };
	enum { MODULUS, E, D, P, Q, E1, E2, INVERSE, PARTS };
	BIGNUM *n[PARTS];
	BN_CTX *room = BN_CTX_new();
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	for (size_t i = 0; i < PARTS; i++) {
		n[i] = BN_new();
		BN_set_word(n[i], i == E ? 65537 : 3);
	}
	BN_one(n[P]);
	BN_lshift(n[P], n[P], a);
	BN_sub_word(
		n[P], 1); /* 2^a - 1 and 2^b - 1 have no divisor in common when a and b have none */
	BN_one(n[Q]);
	BN_lshift(n[Q], n[Q], b);
	BN_sub_word(n[Q], 1);
	BN_mul(n[MODULUS], n[P], n[Q], room);
	assert_non_null(BN_mod_inverse(n[INVERSE], n[Q], n[P], room));
	for (size_t i = 0; i < PARTS; i++)
		assert_int_equal(OSSL_PARAM_BLD_push_BN(build, names[i], n[i]), 1);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *key = NULL;
	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params), 1);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	for (size_t i = 0; i < PARTS; i++)
		BN_free(n[i]);
	BN_CTX_free(room);
	return key;
}

/* LIMIT_SIGNATURE_BYTES: of keys, and of the certificates that go with them. */
static void rsa_keys_are_bounded(void **state)
{
	static const struct {
		int a, b;
		size_t bytes;
	} cases[] = { { 4091, 4093, LIMIT_SIGNATURE_BYTES - 1 },
		{ 4095, 4097, LIMIT_SIGNATURE_BYTES }, { 4096, 4097, LIMIT_SIGNATURE_BYTES + 1 } };
	static const char digest[32];
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_INIT;
		bool fits = cases[i].bytes <= LIMIT_SIGNATURE_BYTES;
		EVP_PKEY *key = rsa_of(cases[i].a, cases[i].b);
		char *pem = pem_of(write_key, key), *chain = certificate_of(key, "DNS:a.example");
		assert_int_equal(EVP_PKEY_get_size(key), cases[i].bytes);
		struct keysign *k = keysign_load(str_from(pem), &err);
		assert_int_equal(k != NULL, fits);
		struct buf signature;
		buf_init(&signature, LIMIT_SIGNATURE_BYTES);
		if (k != NULL)
			assert_int_equal(
				keysign_sign(k, SCHEME_RSA_PSS_SHA256,
					str_make(digest, sizeof(digest)), &signature, &err),
				0);
		assert_int_equal(signature.n, fits ? cases[i].bytes : 0);
		struct tls_certificates *c = tls_certificates_new();
		assert_int_equal(
			tls_certificates_add(c, STR("k"), str_from(chain), &err), fits ? 0 : -1);
		tls_certificates_free(&c);
		buf_done(&signature);
		keysign_free(&k);
		free(chain);
		free(pem);
		EVP_PKEY_free(key);
	}
}

/* DKIM's Ed25519 (RFC 8463) verifies with the public key. */
static void keysign_ed25519(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	char *pem = pem_of(write_key, key);
	struct keysign *k = keysign_load(str_from(pem), &err);
	assert_non_null(k);
	assert_string_equal(keysign_kind(k), "ED25519");
	unsigned char digest[32] = { 7 };
	struct buf signature;
	buf_init(&signature, LIMIT_SIGNATURE_BYTES);
	assert_int_equal(
		keysign_sign(k, SCHEME_ED25519, str_make(digest, 32), &signature, &err), 0);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key), 1);
	assert_int_equal(
		EVP_DigestVerify(ctx, (unsigned char *)signature.p, signature.n, digest, 32), 1);
	EVP_MD_CTX_free(ctx);
	buf_done(&signature);
	keysign_free(&k);
	free(pem);
	EVP_PKEY_free(key);
	EVP_PKEY *small = EVP_RSA_gen(1024);
	pem = pem_of(write_key, small);
	assert_null(keysign_load(str_from(pem), &err));
	assert_null(keysign_load(STR("nothing"), &err));
	assert_null(keysign_load(STR(""), &err));
	free(pem);
	EVP_PKEY_free(small);
}

int main(void)
{
	const struct CMUnitTest tests[] = { test_case(bad_certificates_are_refused),
		test_case(keysign_refuses_what_does_not_fit), test_case(rsa_keys_are_bounded),
		test_case(keysign_ed25519) };
	return cmocka_run_group_tests(tests, setup, teardown);
}
