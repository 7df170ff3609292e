// SPDX-License-Identifier: Apache-2.0
/*
 * The exchange and the table of mechanisms. A mechanism is a row: its name, where it is announced,
 * what it does at the start without an initial response, and its step for each response, decoded.
 * The rules that all share (base64, "=", "*", lengths) are kept here once, before a mechanism sees
 * a byte.
 */
#include "api/schemes.h"
#include "auth/sasl_private.h"

#include <stdlib.h>

static uint32_t service_of(const struct sasl_context *c)
{
	return str_equal(c->service, STR("smtp"))   ? SERVICE_SMTP
	       : str_equal(c->service, STR("imap")) ? SERVICE_IMAP
						    : SERVICE_POP3;
}

static bool scram_here(const struct sasl_context *c)
{
	return c->settings->scram_services & service_of(c);
}

/* Not to submission unless it is wanted: clients built with GNU SASL take -PLUS there when they see
 * it, have no channel binding to give, and try nothing else. */
bool sasl_announces_plus(const struct sasl_context *c)
{
	return scram_here(c) && c->peer->tls &&
	       (service_of(c) != SERVICE_SMTP || c->settings->submission_plus) &&
	       (c->peer->bindings.exporter_n > 0 || c->peer->bindings.endpoint_n > 0);
}

static bool external_here(const struct sasl_context *c)
{
	return c->peer->tls && c->peer->bindings.certificate_n > 0;
}

bool sasl_offers_legacy(const struct sasl_context *c)
{
	return c->settings->legacy_services & service_of(c);
}

/* The stronger come first: some clients take the first that they know. */
static const struct sasl_mechanism mechanisms[] = {
	{ STR_INIT("SCRAM-SHA-256-PLUS"), sasl_announces_plus, false, sasl_client_first_begin,
		sasl_relay_step, sasl_scram_claimed },
	{ STR_INIT("SCRAM-SHA-256"), scram_here, true, sasl_client_first_begin, sasl_relay_step,
		sasl_scram_claimed },
	{ STR_INIT("EXTERNAL"), external_here, false, sasl_client_first_begin, sasl_relay_step,
		sasl_external_claimed },
	{ STR_INIT("PLAIN"), NULL, true, sasl_plain_begin, sasl_plain_step, NULL },
	{ STR_INIT("LOGIN"), NULL, true, sasl_login_begin, sasl_login_step, NULL },
	{ STR_INIT("CRAM-MD5"), sasl_offers_legacy, false, sasl_server_first_begin,
		sasl_server_first_step, sasl_cram_claimed },
};

static bool is_offered(const struct sasl_mechanism *m, const struct sasl_context *c)
{
	return m->offered == NULL || m->offered(c);
}

static const struct sasl_mechanism *find(struct str name, const struct sasl_context *c)
{
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		if (str_equal_nocase(mechanisms[i].name, name))
			return mechanisms[i].always || is_offered(&mechanisms[i], c)
				       ? &mechanisms[i]
				       : NULL;
	return NULL;
}

struct sasl *sasl_new(struct str mechanism, const struct sasl_context *context)
{
	const struct sasl_mechanism *m = find(mechanism, context);
	if (m == NULL)
		return NULL;
	struct sasl *x = xmalloc(sizeof(*x));
	x->mechanism = m;
	x->context = *context;
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

void sasl_add_names(struct buf *out, const char *before, const struct sasl_context *c)
{
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		if (is_offered(&mechanisms[i], c))
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
