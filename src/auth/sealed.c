// SPDX-License-Identifier: Apache-2.0
/* Sealed secrets: version 1, nonce, ciphertext, tag. */
#include "auth/sealed.h"

#include <openssl/evp.h>

enum { VERSION = 1 };

/* One pass either way over text into room of the same size; tag is written or compared. */
static enum sealed_result run(bool seal, const uint8_t key[32], const uint8_t *nonce,
	struct str owner, struct str text, uint8_t *room, uint8_t tag[SEALED_TAG_BYTES])
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n = 0, end = 0;
	bool good = c && EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce, seal) == 1 &&
		    EVP_CipherUpdate(c, NULL, &n, (const uint8_t *)owner.p, (int)owner.n) == 1 &&
		    EVP_CipherUpdate(c, room, &n, (const uint8_t *)text.p, (int)text.n) == 1 &&
		    (seal || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, SEALED_TAG_BYTES, tag) ==
				     1);
	/* The last step is the one that compares. */
	bool fits = good && EVP_CipherFinal_ex(c, room + n, &end) == 1;
	if (fits && seal)
		good = EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, SEALED_TAG_BYTES, tag) == 1;
	EVP_CIPHER_CTX_free(c);
	if (!good)
		return SEALED_FAILED;
	return fits && (size_t)(n + end) == text.n ? SEALED_OPENED : SEALED_OTHER;
}

bool sealed_make(struct random_seam *random, const uint8_t key[32], struct str owner,
	struct str text, struct buf *out)
{
	uint8_t sealed[LIMIT_SECRET_BYTES];
	if (text.n == 0 || text.n > SEALED_TEXT_BYTES)
		return false;
	sealed[0] = VERSION;
	random->fill(random, sealed + 1, SEALED_NONCE_BYTES);
	uint8_t *room = sealed + 1 + SEALED_NONCE_BYTES;
	return run(true, key, sealed + 1, owner, text, room, room + text.n) == SEALED_OPENED &&
	       buf_add(out, sealed, text.n + SEALED_EXTRA_BYTES);
}

enum sealed_result sealed_open(
	const uint8_t key[32], struct str owner, struct str sealed, struct buf *out)
{
	uint8_t text[SEALED_TEXT_BYTES], tag[SEALED_TAG_BYTES];
	if (sealed.n <= SEALED_EXTRA_BYTES || sealed.n > LIMIT_SECRET_BYTES ||
		sealed.p[0] != VERSION)
		return SEALED_OTHER;
	const uint8_t *bytes = (const uint8_t *)sealed.p;
	size_t n = sealed.n - SEALED_EXTRA_BYTES;
	memcpy(tag, bytes + sealed.n - SEALED_TAG_BYTES, sizeof(tag));
	enum sealed_result result = run(false, key, bytes + 1, owner,
		str_sub(sealed, 1 + SEALED_NONCE_BYTES, n), text, tag);
	if (result == SEALED_OPENED && !buf_add(out, text, n))
		result = SEALED_OTHER;
	mem_wipe(text, sizeof(text));
	return result;
}
