/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets that must be read again, encrypted: AES-256-GCM under a key that only the gate has. What
 * it is for (the account's address) is authenticated with it, so a sealed secret that is moved to
 * another account does not open.
 *
 * uses: base, OpenSSL; used by: auth, process/gate
 */
#ifndef CULVER_AUTH_SEALED_H
#define CULVER_AUTH_SEALED_H

#include "base/buf.h"
#include "base/limits.h"
#include "base/seams.h"

enum {
	SEALED_NONCE_BYTES = 12,
	SEALED_TAG_BYTES = 16,
	/* version, nonce, text, tag */
	SEALED_EXTRA_BYTES = 1 + SEALED_NONCE_BYTES + SEALED_TAG_BYTES,
	SEALED_TEXT_BYTES = LIMIT_SECRET_BYTES - SEALED_EXTRA_BYTES
};

/* Appends the sealed text. False: it is empty, beyond SEALED_TEXT_BYTES, or there is no room; or
 * OpenSSL has no memory. */
bool sealed_make(struct random_seam *, const uint8_t key[32], struct str owner, struct str text,
	struct buf *out) MUST_CHECK;
enum sealed_result {
	SEALED_OPENED,
	SEALED_OTHER, /* damaged, another key's, or another owner's */
	SEALED_FAILED /* OpenSSL has no memory: it may be good */
};
/* Appends the text. */
enum sealed_result sealed_open(
	const uint8_t key[32], struct str owner, struct str sealed, struct buf *out) MUST_CHECK;

#endif
