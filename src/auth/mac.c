// SPDX-License-Identifier: Apache-2.0
/* HMAC-SHA-256 by OpenSSL (see mac.h). */
#include "auth/mac.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

bool mac_sha256(struct str key, struct str text, uint8_t ret[MAC_BYTES])
{
	unsigned n = 0;
	return HMAC(EVP_sha256(), key.p, (int)key.n, (const unsigned char *)text.p, text.n, ret,
		       &n) != NULL &&
	       n == MAC_BYTES;
}
