// SPDX-License-Identifier: Apache-2.0
/* HKDF by OpenSSL (see derive.h). */
#include "auth/derive.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

int derive_key(const uint8_t secret[DERIVE_SECRET_BYTES], const char *purpose, uint8_t *ret,
	size_t n, struct err *err)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	char digest[] = "SHA256";
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret, DERIVE_SECRET_BYTES),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)purpose, strlen(purpose)),
		OSSL_PARAM_construct_end() };
	int good = ctx && EVP_KDF_derive(ctx, ret, n, params) == 1;
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return good ? 0 : fail_log(err, ERR_TEMP, "HKDF for %s failed", purpose);
}
