// SPDX-License-Identifier: Apache-2.0
/* A self-signed certificate by OpenSSL. */
#include "cli/certificate.h"

#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

enum { DAYS = 3650 };

static bool add_extension(X509 *x, X509V3_CTX *ctx, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, ctx, nid, value);
	bool good = e && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return good;
}

static void alternative_names(const char *const names[], struct buf *out)
{
	for (size_t i = 0; names[i]; i++) {
		unsigned char scratch[16];
		bool ip = inet_pton(AF_INET, names[i], scratch) == 1 ||
			  inet_pton(AF_INET6, names[i], scratch) == 1;
		buf_addf(out, "%s%s:%s", i ? "," : "", ip ? "IP" : "DNS", names[i]);
	}
}

/* What RFC 5280 asks of a certificate that is its own authority. */
static bool add_extensions(X509 *x, const char *const names[])
{
	X509V3_CTX ctx;
	AUTO(buf_done)
	struct buf alternatives;
	buf_init(&alternatives, 4096);
	alternative_names(names, &alternatives);
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	return add_extension(x, &ctx, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
	       add_extension(x, &ctx, NID_key_usage, "critical,digitalSignature,keyCertSign") &&
	       add_extension(x, &ctx, NID_ext_key_usage, "serverAuth") &&
	       add_extension(x, &ctx, NID_subject_key_identifier, "hash") &&
	       add_extension(x, &ctx, NID_authority_key_identifier, "keyid:always") &&
	       add_extension(x, &ctx, NID_subject_alt_name, alternatives.p);
}

static bool set_serial(X509 *x)
{
	unsigned char bytes[16];
	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	bytes[0] &= 0x7f;
	BIGNUM *n = BN_bin2bn(bytes, sizeof(bytes), NULL);
	bool good = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
	BN_free(n);
	return good;
}

/* A common name has at most 64 characters (RFC 5280 A.1); it is for people to read. */
static bool set_name(X509 *x, const char *host)
{
	X509_NAME *name = X509_get_subject_name(x);
	int n = (int)strlen(host);
	return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)host,
		       n > 64 ? 64 : n, -1, 0) == 1 &&
	       X509_set_issuer_name(x, name) == 1;
}

static bool fill(X509 *x, EVP_PKEY *key, const char *const names[])
{
	return X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) &&
	       X509_gmtime_adj(X509_getm_notBefore(x), -86400L) &&
	       X509_gmtime_adj(X509_getm_notAfter(x), 86400L * DAYS) && set_name(x, names[0]) &&
	       X509_set_pubkey(x, key) == 1 && add_extensions(x, names) &&
	       X509_sign(x, key, EVP_sha256()) > 0;
}

static bool take_pem(BIO *bio, struct buf *out)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);
	return n > 0 && buf_add(out, p, (size_t)n);
}

static bool write_pem(X509 *x, EVP_PKEY *key, struct buf *ret_key, struct buf *ret_certificate)
{
	BIO *k = BIO_new(BIO_s_secmem()), *c = BIO_new(BIO_s_mem());
	bool good = k && c && PEM_write_bio_PrivateKey(k, key, NULL, NULL, 0, NULL, NULL) == 1 &&
		    PEM_write_bio_X509(c, x) == 1 && take_pem(k, ret_key) &&
		    take_pem(c, ret_certificate);
	BIO_free(k);
	BIO_free(c);
	return good;
}

int certificate_make(const char *const names[], struct buf *ret_key, struct buf *ret_certificate,
	struct err *err)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	bool good = key && x && fill(x, key, names) && write_pem(x, key, ret_key, ret_certificate);
	X509_free(x);
	EVP_PKEY_free(key);
	return good ? 0 : fail_log(err, ERR_TEMP, "OpenSSL could not make a certificate");
}
