// SPDX-License-Identifier: Apache-2.0
/* SCRAM-SHA-256 and -PLUS as an exchange (scram.h): client-first, server-first, client-final,
 * server-final, and the client's empty answer to that. */
#include "auth/exchange_private.h"

enum { NONCE_BYTES = 18 }; /* 144 bits, and no padding in base64 */

/* A message that is not SCRAM's grammar is bad; nearly everything else is a refusal. */
static enum exchange_step refused(struct exchange *x, enum scram_result r)
{
	if (r == SCRAM_NO_MEMORY)
		return exchange_no_memory(x);
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

/* The app passwords that were made with the salt that is sent: the same for all of an account, but
 * for a verifier of an older version, which is made anew at the next login that shows the password.
 */
static void add_app_passwords(struct exchange *x, const struct frame_credentials *c)
{
	struct scram_verifier verifier = { .salt_n = 0 };
	for (size_t i = 0; c && i < c->secrets.n; i++) {
		const struct api_secret *s = &c->secrets.items[i];
		if (s->kind != SECRET_APP_PASSWORD || s->value.n <= APP_PASSWORD_MAC_BYTES ||
			!scram_verifier_read(
				str_from_offset(s->value, APP_PASSWORD_MAC_BYTES), &verifier))
			continue;
		size_t at = scram_add(&x->scram, &verifier);
		if (at)
			x->keys[at] = exchange_key_of(s);
	}
	mem_wipe(&verifier, sizeof(verifier));
}

/* The stand-in is made for everybody, and used for those who have nothing better. */
enum exchange_step scram_account(
	struct exchange *x, const struct frame_credentials *c, struct str name)
{
	struct scram_verifier verifier = { .salt_n = 0 }, stand_in;
	uint8_t random_bytes[NONCE_BYTES];
	struct random_seam *random = x->facts->seams->random;
	struct str kept = exchange_secret(c, SECRET_SCRAM_SHA256);
	AUTO(buf_done)
	struct buf nonce;
	buf_init(&nonce, 64);
	if (!scram_verifier_stand_in(x->facts->stand_in_key, name, &stand_in))
		return exchange_no_memory(x);
	x->work++;
	if (kept.n == 0 || !scram_verifier_read(kept, &verifier))
		verifier = stand_in;
	random->fill(random, random_bytes, sizeof(random_bytes));
	buf_add_base64(&nonce, str_make(random_bytes, sizeof(random_bytes))); /* has no comma */
	buf_clear(&x->challenge);
	scram_server_first(&x->scram, &verifier, buf_str(&nonce), &x->challenge);
	x->keys[0].services = SERVICES_ALL;
	add_app_passwords(x, c);
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
	x->key = x->keys[x->scram.key];
	x->proved = true;
	return EXCHANGE_CHALLENGE;
}
