// SPDX-License-Identifier: Apache-2.0
/* What is kept of a password for SCRAM-SHA-256 (RFC 5802 3, RFC 7677). */
#include "auth/mac.h"
#include "auth/saslprep.h"
#include "auth/scram.h"
#include "base/scan.h"

#include <openssl/evp.h>

static const struct str scheme = STR_INIT("SCRAM-SHA-256$");

/* SaltedPassword; StoredKey := H(HMAC(it, "Client Key")); ServerKey := HMAC(it, "Server Key"). */
static bool derive(struct str password, struct scram_verifier *v)
{
	uint8_t salted[SCRAM_HASH_BYTES] = { 0 }, client[SCRAM_HASH_BYTES];
	struct str key = str_make(salted, sizeof(salted));
	bool good = PKCS5_PBKDF2_HMAC(password.p, (int)password.n, v->salt, (int)v->salt_n,
			    (int)v->iterations, EVP_sha256(), sizeof(salted), salted) == 1 &&
		    mac_sha256(key, STR("Client Key"), client) &&
		    EVP_Digest(client, sizeof(client), v->stored_key, NULL, EVP_sha256(), NULL) ==
			    1 &&
		    mac_sha256(key, STR("Server Key"), v->server_key);
	mem_wipe(salted, sizeof(salted));
	mem_wipe(client, sizeof(client));
	return good;
}

bool scram_salt(const uint8_t key[32], struct str name, uint8_t ret[SCRAM_SALT_BYTES])
{
	uint8_t bytes[MAC_BYTES];
	if (!mac_sha256(str_make(key, 32), name, bytes))
		return false;
	memcpy(ret, bytes, SCRAM_SALT_BYTES);
	return true;
}

bool scram_verifier_is_current(const struct scram_verifier *v, const uint8_t salt[SCRAM_SALT_BYTES])
{
	return v->iterations == SCRAM_ITERATIONS && v->salt_n == SCRAM_SALT_BYTES &&
	       memcmp(v->salt, salt, SCRAM_SALT_BYTES) == 0;
}

bool scram_verifier_make(
	const uint8_t salt[SCRAM_SALT_BYTES], struct str password, struct scram_verifier *ret)
{
	struct buf prepared;
	saslprep_password(password, &prepared);
	*ret = (struct scram_verifier){ .iterations = SCRAM_ITERATIONS,
		.salt_n = SCRAM_SALT_BYTES };
	memcpy(ret->salt, salt, SCRAM_SALT_BYTES);
	bool good = derive(buf_str(&prepared), ret);
	saslprep_password_done(&prepared);
	return good;
}

bool scram_verifier_stand_in(const uint8_t key[32], struct str name, struct scram_verifier *ret)
{
	*ret = (struct scram_verifier){
		.iterations = SCRAM_ITERATIONS, .salt_n = SCRAM_SALT_BYTES, .stands_in = true
	};
	/* Nobody knows what the stored key is the hash of. */
	return scram_salt(key, name, ret->salt) &&
	       mac_sha256(
		       str_make(key, 32), str_make(ret->salt, SCRAM_SALT_BYTES), ret->stored_key);
}

void scram_verifier_write(const struct scram_verifier *v, struct buf *out)
{
	buf_addf(out, "%" STR_FMT "%u:", STR_ARG(scheme), v->iterations);
	buf_add_base64(out, str_make(v->salt, v->salt_n));
	buf_addc(out, '$');
	buf_add_base64(out, str_make(v->stored_key, sizeof(v->stored_key)));
	buf_addc(out, ':');
	buf_add_base64(out, str_make(v->server_key, sizeof(v->server_key)));
}

/* Decodes base64 into room; false when it is empty or longer. */
static bool decode(struct str text, uint8_t *room, size_t max, size_t *ret_n)
{
	AUTO(buf_done)
	struct buf bytes;
	buf_init(&bytes, max);
	if (!buf_add_base64_decoded(&bytes, text) || bytes.n == 0)
		return false;
	memcpy(room, bytes.p, bytes.n);
	*ret_n = bytes.n;
	return true;
}

bool scram_verifier_read(struct str text, struct scram_verifier *ret)
{
	struct scan s = scan_from(text);
	struct str salt, stored;
	uint64_t iterations;
	size_t stored_n, server_n;
	struct scram_verifier v = { .salt_n = 0 };
	if (!scan_literal_nocase(&s, scheme) ||
		!scan_number(&s, LIMIT_SCRAM_ITERATIONS_MAX, &iterations) ||
		iterations < LIMIT_SCRAM_ITERATIONS_MIN || !scan_char(&s, ':') ||
		!scan_until(&s, '$', &salt) || !scan_char(&s, '$') ||
		!scan_until(&s, ':', &stored) || !scan_char(&s, ':'))
		return false;
	if (!decode(salt, v.salt, sizeof(v.salt), &v.salt_n) ||
		!decode(stored, v.stored_key, sizeof(v.stored_key), &stored_n) ||
		!decode(scan_rest(&s), v.server_key, sizeof(v.server_key), &server_n) ||
		stored_n != SCRAM_HASH_BYTES || server_n != SCRAM_HASH_BYTES)
		return false;
	v.iterations = (uint32_t)iterations;
	*ret = v;
	return true;
}
