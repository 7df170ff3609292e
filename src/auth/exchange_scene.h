/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of exchanges: what is the gate's own, an account with every kind of secret, and the
 * client's side of SCRAM.
 *
 * used by: exchange_test.c, auth_memory_test.c
 */
#ifndef CULVER_AUTH_EXCHANGE_SCENE_H
#define CULVER_AUTH_EXCHANGE_SCENE_H

#include "auth/exchange_private.h"
#include "auth/sealed.h"
#include "base/test.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

static struct clock_fake clock_seam;
static struct random_fake random_seam;
static struct seams seams;
static struct exchange_facts facts;

static inline int setup(void **state)
{
	(void)state;
	clock_fake_init(&clock_seam, 1700000000000);
	random_fake_init(&random_seam, 1);
	seams = (struct seams){ .clock = &clock_seam.seam, .random = &random_seam.seam };
	facts = (struct exchange_facts){ .seams = &seams, .hostname = "mail.example.test" };
	facts.stand_in_key[0] = 1;
	facts.sealed_key[0] = 2;
	assert_true(exchange_facts_init(&facts));
	return 0;
}

static const uint8_t fingerprint[32] = { 7 };

/* alice@example.test with every kind of secret. */
struct person {
	struct buf scram, sealed;
	struct api_secret secrets[3];
	struct frame_credentials c;
};

static inline void person_init(struct person *p, const char *password)
{
	struct scram_verifier v;
	buf_init(&p->scram, LIMIT_SECRET_BYTES);
	buf_init(&p->sealed, LIMIT_SECRET_BYTES);
	uint8_t salt[SCRAM_SALT_BYTES];
	assert_true(scram_salt(facts.stand_in_key, STR("alice@example.test"), salt));
	assert_true(scram_verifier_make(salt, str_from(password), &v));
	scram_verifier_write(&v, &p->scram);
	assert_true(sealed_make(&random_seam.seam, facts.sealed_key, STR("alice@example.test"),
		str_from(password), &p->sealed));
	p->secrets[0] = (struct api_secret){
		.id = 1, .kind = SECRET_SCRAM_SHA256, .value = buf_str(&p->scram)
	};
	p->secrets[1] = (struct api_secret){
		.id = 2, .kind = SECRET_RECOVERABLE, .value = buf_str(&p->sealed)
	};
	p->secrets[2] = (struct api_secret){ .id = 3,
		.kind = SECRET_CERTIFICATE,
		.services = SERVICE_IMAP,
		.value = str_make(fingerprint, sizeof(fingerprint)) };
	p->c = (struct frame_credentials){ .account = 1,
		.address = STR("alice@example.test"),
		.secrets = { p->secrets, 3 },
		.legacy_auth = true };
}

static inline void person_done(struct person *p)
{
	buf_done(&p->scram);
	buf_done(&p->sealed);
}

static inline void hmac(struct str key, struct str text, uint8_t ret[32])
{
	assert_non_null(HMAC(
		EVP_sha256(), key.p, (int)key.n, (const unsigned char *)text.p, text.n, ret, NULL));
}

/* The client's side of RFC 5802 3, of a password; *proof is what it sends. */
static inline void client_final(struct str challenge, const char *password, struct buf *final)
{
	uint8_t salt[64], salted[32], client[32], stored[32], signature[32];
	struct str s = str_from_offset(challenge, str_search(challenge, STR(",s=")) + 3);
	AUTO(buf_done)
	struct buf salt_bytes;
	AUTO(buf_done)
	struct buf auth;
	buf_init(&salt_bytes, sizeof(salt));
	buf_init(&auth, 1000);
	assert_true(buf_add_base64_decoded(&salt_bytes, str_sub(s, 0, str_find(s, ','))));
	assert_int_equal(PKCS5_PBKDF2_HMAC(password, (int)strlen(password),
				 (const unsigned char *)salt_bytes.p, (int)salt_bytes.n,
				 SCRAM_ITERATIONS, EVP_sha256(), 32, salted),
		1);
	hmac(str_make(salted, 32), STR("Client Key"), client);
	assert_int_equal(EVP_Digest(client, 32, stored, NULL, EVP_sha256(), NULL), 1);
	buf_addf(final, "c=biws,%" STR_FMT,
		STR_ARG(str_sub(challenge, 0, str_find(challenge, ','))));
	buf_addf(&auth, "n=alice@example.test,r=q,%" STR_FMT ",%" STR_FMT, STR_ARG(challenge),
		STR_ARG(buf_str(final)));
	hmac(str_make(stored, 32), buf_str(&auth), signature);
	for (size_t i = 0; i < 32; i++)
		signature[i] ^= client[i];
	buf_addz(final, ",p=");
	buf_add_base64(final, str_make(signature, 32));
}

#endif
