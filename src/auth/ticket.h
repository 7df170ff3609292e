/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tickets: authority as bytes. The gate seals one after a login; the store opens it. A front
 * carries it, can read it, and can neither make nor change one: the MAC's key is the gate's and the
 * store's alone. It is bound to the front's instance, which the store knows from its channel.
 *
 * uses: base; used by: process/gate, store
 */
#ifndef CULVER_AUTH_TICKET_H
#define CULVER_AUTH_TICKET_H

#include "base/buf.h"
#include "base/err.h"

#define TICKET_KEY_BYTES 32
#define TICKET_MAX_BYTES 256

struct ticket {
	uint32_t instance; /* of the front it was made for */
	uint64_t account;
	uint64_t epoch;     /* the account's; a password change raises it */
	uint32_t rights;    /* enum service: what the login was for */
	int64_t expires_ms; /* wall clock */
};

/* Appends the sealed form: at most TICKET_MAX_BYTES. False: OpenSSL has no memory. */
bool ticket_seal(
	const uint8_t key[TICKET_KEY_BYTES], const struct ticket *, struct buf *out) MUST_CHECK;
/* -1 with ERR_EXPIRED: forged, damaged, for another instance, or past its time; with ERR_TEMP:
 * OpenSSL has no memory. The epoch is for the caller to compare with the account's. */
int ticket_open(const uint8_t key[TICKET_KEY_BYTES], struct str sealed, uint32_t instance,
	int64_t wall_ms, struct ticket *ret, struct err *err) MUST_CHECK;

#endif
