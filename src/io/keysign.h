/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A private key, and signing with it: the keys process's side of io/keyprov.h.
 *
 * uses: base, OpenSSL; used by: process/keys
 */
#ifndef CULVER_IO_KEYSIGN_H
#define CULVER_IO_KEYSIGN_H

#include "base/buf.h"
#include "base/err.h"

struct keysign;

/* One unencrypted private key from PEM: RSA of 2048 to 8192 bits, ECDSA on P-256 or P-384, Ed25519.
 * NULL and ERR_CONFIG otherwise; ERR_TEMP: OpenSSL has no memory. The caller wipes the PEM. */
struct keysign *keysign_load(struct str pem, struct err *err) MUST_CHECK;
void keysign_free(struct keysign **);
/* Signs a digest whose length must be that of the scheme's hash, with a scheme (enum key_scheme of
 * api/schemes.h) that fits the key. For SCHEME_ED25519 the digest is the message that is signed
 * (RFC 8463 3: 32 bytes). The signature is appended. -1: ERR_DENIED when key, scheme and digest do
 * not fit, ERR_TEMP when OpenSSL fails. */
int keysign_sign(const struct keysign *, uint16_t scheme, struct str digest,
	struct buf *ret_signature, struct err *err) MUST_CHECK;
/* "RSA", "EC", "ED25519" */
const char *keysign_kind(const struct keysign *);
/* Its id, as keyprov_id() makes it. */
const char *keysign_id(const struct keysign *);

#endif
