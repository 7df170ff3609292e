// SPDX-License-Identifier: Apache-2.0
/*
 * The exchange and the table of mechanisms. A mechanism is a row: its name, what it does at the
 * start without an initial response, and its step for each response, decoded. The rules that all
 * share (base64, "=", "*", lengths) are kept here once, before a mechanism sees a byte.
 */
#include "auth/sasl_private.h"

#include <stdlib.h>

static const struct sasl_mechanism mechanisms[] = {
	{ STR_INIT("PLAIN"), sasl_plain_begin, sasl_plain_step },
	{ STR_INIT("LOGIN"), sasl_login_begin, sasl_login_step },
};

static const struct sasl_mechanism *find(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		if (str_equal_nocase(mechanisms[i].name, name))
			return &mechanisms[i];
	return NULL;
}

struct sasl *sasl_new(struct str mechanism, struct str service, struct str peer)
{
	const struct sasl_mechanism *m = find(mechanism);
	if (m == NULL)
		return NULL;
	struct sasl *x = xmalloc(sizeof(*x));
	x->mechanism = m;
	sasl_text_set(&x->service, service);
	sasl_text_set(&x->peer, peer);
	return x;
}

void sasl_free(struct sasl **x)
{
	if (*x == NULL)
		return;
	mem_wipe(*x, sizeof(**x));
	free(*x);
	*x = NULL;
}

/* Decodes into room that is wiped afterwards, and steps. */
static enum sasl_status step(struct sasl *x, struct str base64)
{
	struct buf message;
	enum sasl_status status = SASL_BAD;
	if (base64.n > LIMIT_SASL_LINE_BYTES)
		return SASL_BAD;
	buf_init(&message, LIMIT_SASL_LINE_BYTES + 4);
	/* Room at once: growing would leave an unwiped copy of a password behind. */
	char *room = buf_reserve(&message, base64.n + 4);
	if (buf_add_base64_decoded(&message, base64))
		status = x->mechanism->step(x, buf_str(&message));
	if (room != NULL)
		mem_wipe(message.p, message.cap);
	buf_done(&message);
	return status;
}

enum sasl_status sasl_start(struct sasl *x, const struct str *initial)
{
	if (initial == NULL)
		return x->mechanism->begin(x);
	/* "=" is a response of zero bytes; nothing at all would be no response.   RFC 4954 4 */
	if (str_equal(*initial, STR("=")))
		return x->mechanism->step(x, STR(""));
	if (initial->n == 0)
		return SASL_BAD;
	return step(x, *initial);
}

enum sasl_status sasl_response(struct sasl *x, struct str line)
{
	if (str_equal(line, STR("*")))
		return SASL_CANCELLED;
	return step(x, line);
}

struct str sasl_challenge(const struct sasl *x)
{
	return x->challenge;
}

struct str sasl_user(const struct sasl *x)
{
	return str_make(x->user.p, x->user.n);
}

void sasl_add_names(struct buf *out, const char *before)
{
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		buf_addf(out, "%s%" STR_FMT, before, STR_ARG(mechanisms[i].name));
}

bool sasl_text_set(struct sasl_text *t, struct str s)
{
	if (s.n > sizeof(t->p))
		return false;
	t->n = s.n;
	if (s.n > 0)
		memcpy(t->p, s.p, s.n);
	return true;
}

bool sasl_password_set(struct sasl *x, struct str s)
{
	if (s.n == 0 || s.n > sizeof(x->password))
		return false;
	x->password_n = s.n;
	memcpy(x->password, s.p, s.n);
	return true;
}
