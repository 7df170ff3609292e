/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logins by challenge and response, as the gate sees them: one table of mechanisms, without I/O.
 * What a front sees is sasl.h; it relays the client's messages and never meets a verifier.
 *
 *     struct exchange *x = exchange_new(&facts, &begin_frame);         NULL: no such mechanism
 *     step = exchange_begin(x);
 *       EXCHANGE_ACCOUNT    look exchange_user(x) up (or, when it is empty, the certificate), then
 *                           step = exchange_account(x, credentials or NULL)
 *       EXCHANGE_CHALLENGE  send exchange_challenge(x); the answer: step = exchange_response(x, m)
 *       EXCHANGE_RIGHT      it is the account of the credentials
 *       EXCHANGE_WRONG, EXCHANGE_BAD   credentials that are not right; no message of this mechanism
 *       EXCHANGE_NO_MEMORY  OpenSSL has none: nothing is known of the credentials, try again later
 *     exchange_free(&x)
 *
 * An account that does not exist, or has no secret for the mechanism, takes the same steps with
 * secrets that stand in, so that neither time nor words tell (hostile-input.md A1).
 *
 * A mechanism that joins is a row here and one in sasl.c. OAUTHBEARER (RFC 7628) will be: begin
 * parses the token and names the user, account awaits what the courier says of it.
 *
 * uses: base, api frames, OpenSSL; used by: process/gate
 */
#ifndef CULVER_AUTH_EXCHANGE_H
#define CULVER_AUTH_EXCHANGE_H

#include "api/frames.h"
#include "base/buf.h"
#include "base/seams.h"

/* What is the gate's own. */
struct exchange_facts {
	const struct seams *seams; /* random, clock */
	const char *hostname;      /* for CRAM-MD5's challenge */
	uint8_t stand_in_key[32];  /* salts, of those too who have no verifier */
	uint8_t sealed_key[32];    /* opens recoverable secrets */
	uint8_t stand_in[64];      /* a recoverable secret of nobody's */
	size_t stand_in_n;
};
/* Derived keys are set; makes what stands in. False: OpenSSL has no memory. */
bool exchange_facts_init(struct exchange_facts *) MUST_CHECK;

struct exchange;

enum exchange_step {
	EXCHANGE_ACCOUNT,
	EXCHANGE_CHALLENGE,
	EXCHANGE_RIGHT,
	EXCHANGE_WRONG,
	EXCHANGE_BAD,
	EXCHANGE_NO_MEMORY,
};

/* Whether there is a mechanism of that name. */
bool exchange_known(struct str mechanism);
/* Everything of the frame is copied; the facts outlive it. */
struct exchange *exchange_new(
	const struct exchange_facts *, const struct frame_exchange_begin *) MUST_CHECK;
enum exchange_step exchange_begin(struct exchange *) MUST_CHECK;
/* Once, after EXCHANGE_ACCOUNT. NULL: there is no such account. name: the canonical spelling of
 * exchange_user, the same for an account that exists and one that does not. */
enum exchange_step exchange_account(
	struct exchange *, const struct frame_credentials *, struct str name) MUST_CHECK;
enum exchange_step exchange_response(struct exchange *, struct str message) MUST_CHECK;
/* Valid until the next step. */
struct str exchange_challenge(const struct exchange *);
struct str exchange_user(const struct exchange *);
struct str exchange_authzid(const struct exchange *);
struct str exchange_mechanism(const struct exchange *);
/* The client certificate that proves it; empty: none. */
struct str exchange_certificate(const struct exchange *);
/* After EXCHANGE_RIGHT: which app password or certificate it was, and what that is good for. id 0:
 * the account's own password. */
struct exchange_key {
	uint64_t id;
	uint8_t kind; /* enum secret_kind */
	uint32_t services;
	int64_t used_ms;
};
struct exchange_key exchange_key(const struct exchange *);
/* Why it was wrong or bad, one word for the log. */
const char *exchange_reason(const struct exchange *);
/* How many hash and cipher operations it took so far: the same for whoever exists and who does
 * not. */
unsigned exchange_work(const struct exchange *);
void exchange_free(struct exchange **); /* wipes */

#endif
