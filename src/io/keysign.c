// SPDX-License-Identifier: Apache-2.0
/* Private keys and their signatures (see keysign.h). One table says what a scheme is. */
#include "io/keysign.h"

#include "api/schemes.h"
#include "base/limits.h"
#include "io/tls_private.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

struct keysign {
	EVP_PKEY *key;
	const char *kind;
	char id[KEYPROV_ID_BYTES];
};

static const struct scheme_row {
	uint16_t scheme;
	const char *kind, *hash; /* hash NULL: the key hashes by itself */
	size_t digest_n;
	int padding;
} scheme_rows[] = {
	{ SCHEME_ECDSA_SHA256, "EC", "SHA2-256", 32, 0 },
	{ SCHEME_ECDSA_SHA384, "EC", "SHA2-384", 48, 0 },
	{ SCHEME_RSA_PKCS1_SHA256, "RSA", "SHA2-256", 32, RSA_PKCS1_PADDING },
	{ SCHEME_RSA_PKCS1_SHA384, "RSA", "SHA2-384", 48, RSA_PKCS1_PADDING },
	{ SCHEME_RSA_PKCS1_SHA512, "RSA", "SHA2-512", 64, RSA_PKCS1_PADDING },
	{ SCHEME_RSA_PSS_SHA256, "RSA", "SHA2-256", 32, RSA_PKCS1_PSS_PADDING },
	{ SCHEME_RSA_PSS_SHA384, "RSA", "SHA2-384", 48, RSA_PKCS1_PSS_PADDING },
	{ SCHEME_RSA_PSS_SHA512, "RSA", "SHA2-512", 64, RSA_PKCS1_PSS_PADDING },
	{ SCHEME_ED25519, "ED25519", NULL, 32, 0 },
};

/* ---- loading ---- */

/* Nobody is here to be asked for a passphrase. */
static int no_passphrase(char *p, int n, int writing, void *arg)
{
	(void)p;
	(void)n;
	(void)writing;
	(void)arg;
	return -1;
}

struct keysign *keysign_load(struct str pem, struct err *err)
{
	EVP_PKEY *key = NULL;
	(void)tls_no_memory(); /* what was */
	BIO *bio = pem.n > 0 && pem.n < INT32_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
	if (bio != NULL)
		key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	const char *kind = key != NULL ? keyprov_kind(key) : NULL;
	if (tls_no_memory()) {
		EVP_PKEY_free(key);
		fail(err, ERR_TEMP, "no memory for a key");
		return NULL;
	}
	if (kind == NULL) {
		EVP_PKEY_free(key);
		fail(err, ERR_CONFIG,
			key == NULL ? "not an unencrypted private key in PEM"
				    : "not RSA of 2048 bits or more, P-256, P-384 or Ed25519");
		return NULL;
	}
	struct keysign *k = xmalloc(sizeof(*k));
	k->key = key;
	k->kind = kind;
	if (!keyprov_id(key, k->id)) {
		keysign_free(&k);
		fail_log(err, ERR_TEMP, "OpenSSL could not name a key");
	}
	return k;
}

void keysign_free(struct keysign **keysign)
{
	if (*keysign == NULL)
		return;
	EVP_PKEY_free((*keysign)->key); /* OpenSSL wipes it */
	free(*keysign);
	*keysign = NULL;
}

const char *keysign_kind(const struct keysign *k)
{
	return k->kind;
}

const char *keysign_id(const struct keysign *k)
{
	return k->id;
}

/* ---- signing ---- */

/* The digest is signed as it is: RSA and ECDSA. */
static bool sign_digest(EVP_PKEY *key, const struct scheme_row *row, struct str digest,
	unsigned char *to, size_t *n)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	EVP_MD *md = EVP_MD_fetch(NULL, row->hash, NULL);
	bool good = ctx != NULL && md != NULL && EVP_PKEY_sign_init(ctx) == 1;
	if (good && row->padding != 0)
		good = EVP_PKEY_CTX_set_rsa_padding(ctx, row->padding) == 1;
	good = good && EVP_PKEY_CTX_set_signature_md(ctx, md) == 1;
	if (good && row->padding == RSA_PKCS1_PSS_PADDING)
		good = EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
	good = good && EVP_PKEY_sign(ctx, to, n, (const unsigned char *)digest.p, digest.n) == 1;
	EVP_MD_free(md);
	EVP_PKEY_CTX_free(ctx);
	return good;
}

/* PureEdDSA over the digest as its message. RFC 8463 3 */
static bool sign_message(EVP_PKEY *key, struct str message, unsigned char *to, size_t *n)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
		    EVP_DigestSign(ctx, to, n, (const unsigned char *)message.p, message.n) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}

int keysign_sign(const struct keysign *k, uint16_t scheme, struct str digest,
	struct buf *ret_signature, struct err *err)
{
	const struct scheme_row *row = NULL;
	unsigned char signature[LIMIT_SIGNATURE_BYTES];
	size_t n = sizeof(signature);
	for (size_t i = 0; i < ARRAY_LEN(scheme_rows); i++)
		if (scheme_rows[i].scheme == scheme)
			row = &scheme_rows[i];
	if (row == NULL || strcmp(row->kind, k->kind) != 0)
		return fail(err, ERR_DENIED, "the scheme does not fit the key");
	if (digest.n != row->digest_n)
		return fail(err, ERR_DENIED, "the digest does not fit the scheme");
	bool good = row->hash != NULL ? sign_digest(k->key, row, digest, signature, &n)
				      : sign_message(k->key, digest, signature, &n);
	ERR_clear_error();
	if (!good || !buf_add(ret_signature, signature, n))
		return fail_log(err, ERR_TEMP, "OpenSSL could not sign");
	return 0;
}
