/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of TLS: certificates made for the test, whose private keys are in a keysign each, so
 * that the server's side never has them.
 *
 * used by: stream_test.c, tls_memory_test.c
 */
#ifndef CULVER_IO_TLS_SCENE_H
#define CULVER_IO_TLS_SCENE_H

#include "base/limits.h"
#include "base/test.h"
#include "io/keysign.h"
#include "io/tls_private.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdatomic.h>

/* ---- certificates made for the test ---- */

struct identity {
	char id[16];
	struct keysign *key;
	char *chain;
};

static inline char *pem_of(int (*write)(BIO *, void *), void *what)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	assert_int_equal(write(bio, what), 1);
	long n = BIO_get_mem_data(bio, &p);
	char *copy = xmemdup0(p, (size_t)n);
	BIO_free(bio);
	return copy;
}
static inline int write_key(BIO *bio, void *key)
{
	return PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
}
static inline int write_certificate(BIO *bio, void *x)
{
	return PEM_write_bio_X509(bio, x);
}

static inline char *certificate_of(EVP_PKEY *key, const char *names)
{
	X509 *x = X509_new();
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
		(const unsigned char *)"test", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	char *pem = pem_of(write_certificate, x);
	X509_free(x);
	return pem;
}
static inline struct identity identity_new(const char *id, EVP_PKEY *key, const char *names)
{
	struct identity i = { .chain = certificate_of(key, names) };
	struct err err = ERR_INIT;
	snprintf(i.id, sizeof(i.id), "%s", id);
	char *pem = pem_of(write_key, key);
	i.key = keysign_load(str_from(pem), &err);
	assert_non_null(i.key);
	free(pem);
	EVP_PKEY_free(key);
	return i;
}

/* One fixture for all tests: RSA keys take long to make. */
struct fixture {
	struct identity ec, ec384, rsa, other;
	atomic_int signatures;
	bool fail;
};

static inline int sign(void *arg, const char *key_id, uint16_t scheme, struct str digest,
	struct buf *ret_signature, struct err *err)
{
	struct fixture *f = arg;
	const struct identity *all[] = { &f->ec, &f->ec384, &f->rsa, &f->other };
	if (f->fail)
		return fail(err, ERR_TEMP, "keys is away");
	f->signatures++;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (strcmp(all[i]->id, key_id) == 0)
			return keysign_sign(all[i]->key, scheme, digest, ret_signature, err);
	return fail(err, ERR_NOT_FOUND, "no such key");
}

static inline int setup(void **state)
{
	struct fixture *f = xmalloc(sizeof(*f));
	tls_prepare();
	signal(SIGPIPE, SIG_IGN);
	f->ec = identity_new("ec", EVP_EC_gen("P-256"), "DNS:mail.example.test");
	f->ec384 = identity_new("ec384", EVP_EC_gen("P-384"), "DNS:b.example.test");
	f->rsa = identity_new("rsa", EVP_RSA_gen(2048), "DNS:mail.example.test");
	f->other = identity_new("other", EVP_EC_gen("P-256"), "DNS:*.other.test");
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;
	struct identity *all[] = { &f->ec, &f->ec384, &f->rsa, &f->other };
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		keysign_free(&all[i]->key);
		free(all[i]->chain);
	}
	free(f);
	return 0;
}

static inline struct tls_server *server_of(
	struct fixture *f, const struct identity *const *all, size_t n)
{
	struct err err = ERR_INIT;
	struct tls_certificates *c = tls_certificates_new();
	for (size_t i = 0; i < n; i++)
		assert_int_equal(tls_certificates_add(
					 c, str_from(all[i]->id), str_from(all[i]->chain), &err),
			0);
	struct tls_server *s = tls_server_new(c, sign, f, &err);
	if (s == NULL)
		fail_msg("%s", err_log_text(&err));
	tls_certificates_free(&c);
	return s;
}

#endif
