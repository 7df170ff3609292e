// SPDX-License-Identifier: Apache-2.0
/*
 * LOGIN, draft-murchison-sasl-login: two prompts, a user name and a password. Never a standard, and
 * still what some clients know alone. An initial response is the user name, as clients send it.
 */
#include "auth/sasl_private.h"

enum sasl_status sasl_login_begin(struct sasl *x)
{
	x->challenge = STR("Username:");
	return SASL_CHALLENGE;
}

enum sasl_status sasl_login_step(struct sasl *x, struct str message)
{
	if (str_find(message, 0) != message.n)
		return SASL_BAD;
	if (x->responses++ == 0) {
		if (!str_is_utf8(message))
			return SASL_BAD;
		x->cannot_be_right = message.n == 0 || !sasl_text_set(&x->user, message);
		x->challenge = STR("Password:");
		return SASL_CHALLENGE;
	}
	if (!sasl_password_set(x, message) || x->cannot_be_right)
		return SASL_FAILED;
	return SASL_ASK;
}
