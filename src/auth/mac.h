/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HMAC-SHA-256: of tickets, of what the gate remembers, in SCRAM.
 *
 * uses: base, OpenSSL; used by: auth, process/gate
 */
#ifndef CULVER_AUTH_MAC_H
#define CULVER_AUTH_MAC_H

#include "base/mem.h"
#include "base/str.h"

#include <stdint.h>

enum { MAC_BYTES = 32 };

/* False: OpenSSL has no memory, and *ret says nothing. Then nobody is vouched for, and nobody is
 * told that what he has is wrong. */
bool mac_sha256(struct str key, struct str text, uint8_t ret[MAC_BYTES]) MUST_CHECK;

#endif
