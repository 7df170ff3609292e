/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys for purposes, derived from one secret: HKDF with SHA-256 (RFC 5869). Who has one purpose's
 * key learns nothing about another's.
 *
 * uses: base, OpenSSL; used by: process (gate, keys)
 */
#ifndef CULVER_AUTH_DERIVE_H
#define CULVER_AUTH_DERIVE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { DERIVE_SECRET_BYTES = 32 };

/* purpose: the label, unlike that of every other purpose of the secret. ret: n bytes, at most 255 *
 * 32. ERR_TEMP when OpenSSL fails. */
int derive_key(const uint8_t secret[DERIVE_SECRET_BYTES], const char *purpose, uint8_t *ret,
	size_t n, struct err *err) MUST_CHECK;

#endif
