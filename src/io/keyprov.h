/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An OpenSSL 3 provider whose keys are elsewhere. A key of it knows its public part and its id;
 * signing hashes here and asks the signer for the signature of the digest. It does ECDSA and RSA
 * (PKCS #1 v1.5 and PSS) over SHA-256, -384 and -512, which is what TLS 1.2 and 1.3 need.
 *
 * uses: base, OpenSSL; used by: io/tls_server, io/keysign, cli
 */
#ifndef CULVER_IO_KEYPROV_H
#define CULVER_IO_KEYPROV_H

#include "io/tls.h"

#include <openssl/evp.h>

struct keyprov_signer {
	tls_sign_function *sign;
	void *arg;
};

#define KEYPROV_ID_BYTES 65 /* a key id with its NUL */

/* The id that a key has in *keys*: SHA-256 of its public part (SubjectPublicKeyInfo) in
 * hexadecimal. So a certificate finds the key that is its own whatever files are called, or none.
 */
bool keyprov_id(const EVP_PKEY *key, char ret[KEYPROV_ID_BYTES]);
/* What *keys* can sign for: "RSA" (2048 to 8192 bits), "EC" (P-256 or P-384), "ED25519" (not in
 * TLS); NULL: nothing else. */
const char *keyprov_kind(const EVP_PKEY *key);

/* The provider, and OpenSSL's own as the preferred one, in a library context of the caller's, which
 * may be freed after keyprov_unload. */
struct keyprov {
	OSSL_PROVIDER *common, *ours;
};
bool keyprov_load(struct keyprov *, OSSL_LIB_CTX *);
void keyprov_unload(struct keyprov *); /* accepts one that was not loaded */
/* A key whose private part has that id. public_key: any key or a certificate's, RSA or EC. The
 * signer is borrowed for the key's life. NULL when OpenSSL refuses. */
EVP_PKEY *keyprov_key(
	OSSL_LIB_CTX *, EVP_PKEY *public_key, const struct keyprov_signer *, const char *key_id);

#endif
