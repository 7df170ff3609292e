// SPDX-License-Identifier: Apache-2.0
/* SCRAM-SHA-256 and -PLUS as an exchange (scram.h): client-first, server-first, client-final,
 * server-final, and the client's empty answer to that. */
#include "auth/exchange_private.h"

enum { NONCE_BYTES = 18 }; /* 144 bits, and no padding in base64 */

/* A message that is not SCRAM's grammar is bad; everything else is a refusal. */
static enum exchange_step refused(struct exchange *x, enum scram_result r)
{
	if (r == SCRAM_BAD_ENCODING)
		return exchange_bad(x, scram_reason(r));
	return exchange_wrong(x, scram_reason(r));
}

enum exchange_step scram_begin(struct exchange *x)
{
	struct scram *s = &x->scram;
	if (!x->has_data)
		return exchange_bad(x, "no-initial-response");
	s->plus = x->mechanism->plus;
	s->plus_announced = x->plus_announced;
	s->bindings = (struct scram_bindings){ buf_str(&x->exporter), buf_str(&x->endpoint) };
	enum scram_result r = scram_client_first(s, buf_str(&x->data));
	buf_adds(&x->user, buf_str(&s->user));
	buf_adds(&x->authzid, buf_str(&s->authzid));
	return r == SCRAM_FINE ? EXCHANGE_ACCOUNT : refused(x, r);
}

/* The stand-in is made for everybody, and used for those who have nothing better. */
enum exchange_step scram_account(
	struct exchange *x, const struct frame_credentials *c, struct str name)
{
	struct scram_verifier verifier, stand_in;
	uint8_t random_bytes[NONCE_BYTES];
	struct random_seam *random = x->facts->seams->random;
	struct str kept = exchange_secret(c, SECRET_SCRAM_SHA256);
	AUTO(buf_done)
	struct buf text;
	AUTO(buf_done)
	struct buf nonce;
	buf_init(&text, LIMIT_SECRET_BYTES);
	buf_init(&nonce, 64);
	scram_verifier_stand_in(x->facts->stand_in_key, name, &stand_in);
	scram_verifier_write(&stand_in, &text);
	x->work++;
	x->exists = kept.n > 0 && scram_verifier_read(kept, &verifier);
	if (!x->exists && !scram_verifier_read(buf_str(&text), &verifier))
		return exchange_wrong(x, "stand-in");
	random->fill(random, random_bytes, sizeof(random_bytes));
	buf_add_base64(&nonce, str_make(random_bytes, sizeof(random_bytes))); /* has no comma */
	buf_clear(&x->challenge);
	scram_server_first(&x->scram, &verifier, buf_str(&nonce), &x->challenge);
	mem_wipe(&verifier, sizeof(verifier));
	return EXCHANGE_CHALLENGE;
}

/* server-final-message goes out as a challenge, whose answer is empty ("additional data with
 * success" in a protocol without: RFC 4422 3.6, 5). */
enum exchange_step scram_response(struct exchange *x, struct str message)
{
	if (x->proved)
		return message.n == 0 ? EXCHANGE_RIGHT : exchange_bad(x, "not-empty");
	buf_clear(&x->challenge);
	enum scram_result r = scram_client_final(&x->scram, message, &x->challenge);
	if (r != SCRAM_FINE)
		return refused(x, r);
	if (!x->exists)
		return exchange_wrong(x, "unknown-user");
	x->proved = true;
	return EXCHANGE_CHALLENGE;
}
