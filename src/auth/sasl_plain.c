// SPDX-License-Identifier: Apache-2.0
/*
 * PLAIN, RFC 4616 2: one message, and no challenge before it but an empty one.
 */
#include "auth/sasl_private.h"

enum sasl_status sasl_plain_begin(struct sasl *x)
{
	x->challenge = STR("");
	return SASL_CHALLENGE;
}

/* message   = [authzid] UTF8NUL authcid UTF8NUL passwd          RFC 4616 2
 * Two NULs, neither fewer nor more; authcid and passwd are 1*SAFE. An authzid or authcid that no
 * account can have, and a password beyond the limit, are wrong credentials, not bad grammar. */
enum sasl_status sasl_plain_step(struct sasl *x, struct str message)
{
	size_t first = str_find(message, 0);
	if (first == message.n)
		return SASL_BAD;
	struct str rest = str_from_offset(message, first + 1);
	size_t second = str_find(rest, 0);
	if (second == rest.n)
		return SASL_BAD;
	struct str authzid = str_sub(message, 0, first);
	struct str authcid = str_sub(rest, 0, second);
	struct str password = str_from_offset(rest, second + 1);
	if (str_find(password, 0) != password.n || authcid.n == 0 || password.n == 0)
		return SASL_BAD;
	if (!str_is_utf8(authzid) || !str_is_utf8(authcid))
		return SASL_BAD;
	if (!sasl_text_set(&x->user, authcid) || !sasl_text_set(&x->authzid, authzid) ||
		!sasl_password_set(x, password))
		return SASL_FAILED;
	return SASL_ASK;
}
