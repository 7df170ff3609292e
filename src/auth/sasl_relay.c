// SPDX-License-Identifier: Apache-2.0
/*
 * Mechanisms whose exchange is the gate's: the client's messages go there as they are, and the
 * gate's challenges come back. Nothing of a verifier passes here. Who the client says that it is is
 * looked for on the way, for the log alone.
 */
#include "api/frames.h"
#include "auth/sasl_private.h"

/* The client speaks first: without an initial response it gets an empty challenge. RFC 4422 3 */
enum sasl_status sasl_client_first_begin(struct sasl *x)
{
	x->challenge = STR("");
	return SASL_CHALLENGE;
}

enum sasl_status sasl_server_first_begin(struct sasl *x)
{
	(void)x;
	return SASL_ASK;
}

enum sasl_status sasl_relay_step(struct sasl *x, struct str message)
{
	if (message.n > sizeof(x->message))
		return SASL_BAD;
	x->has_message = true;
	x->message_n = message.n;
	if (message.n > 0)
		memcpy(x->message, message.p, message.n);
	if (x->user.n == 0)
		x->mechanism->claimed(&x->user, message);
	return SASL_ASK;
}

/* "If the mechanism does not support an initial response, the server MUST reject". RFC 4954 4 */
enum sasl_status sasl_server_first_step(struct sasl *x, struct str message)
{
	return x->exchange == 0 ? SASL_NOT_FIRST : sasl_relay_step(x, message);
}

/* ---- names, for the log ---- */

static void claim(struct sasl_text *user, struct str name)
{
	(void)sasl_text_set(user, str_sub(name, 0, sizeof(user->p)));
}

/* authzid: the certificate says who it is, and the message whom he wants to be.   RFC 4422 A.1 */
void sasl_external_claimed(struct sasl_text *user, struct str message)
{
	claim(user, message);
}

/* Name, blank, digest.   RFC 2195 2 */
void sasl_cram_claimed(struct sasl_text *user, struct str message)
{
	claim(user, str_sub(message, 0, str_find_last(message, ' ')));
}

/* "=2C" is a comma, "=3D" an equals sign.   RFC 5802 5.1 */
static void undo_escapes(struct sasl_text *t)
{
	size_t n = 0;
	for (size_t i = 0; i < t->n; i++) {
		struct str rest = str_make(t->p + i, t->n - i);
		bool comma = str_starts(rest, STR("=2C")), equals = str_starts(rest, STR("=3D"));
		char c = t->p[i];
		t->p[n++] = comma ? ',' : equals ? '=' : c;
		i += comma || equals ? 2 : 0;
	}
	t->n = n;
}

/* client-first-message = gs2-cbind-flag "," [authzid] "," [reserved-mext ","] "n=" saslname ...
 *                                                                            RFC 5802 7 */
void sasl_scram_claimed(struct sasl_text *user, struct str message)
{
	(void)str_split(&message, ',');
	(void)str_split(&message, ',');
	while (message.n) {
		struct str part = str_split(&message, ',');
		if (!str_starts(part, STR("n=")))
			continue;
		claim(user, str_from_offset(part, 2));
		undo_escapes(user);
		return;
	}
}
