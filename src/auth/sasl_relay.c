// SPDX-License-Identifier: Apache-2.0
/*
 * Mechanisms whose exchange is the gate's: the client's messages go there as they are, and the
 * gate's challenges come back. Nothing of a verifier passes here.
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
	return SASL_ASK;
}

/* "If the mechanism does not support an initial response, the server MUST reject". RFC 4954 4 */
enum sasl_status sasl_server_first_step(struct sasl *x, struct str message)
{
	return x->exchange == 0 ? SASL_BAD : sasl_relay_step(x, message);
}
