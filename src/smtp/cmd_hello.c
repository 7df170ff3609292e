// SPDX-License-Identifier: Apache-2.0
/*
 * EHLO and HELO    RFC 5321 4.1.1.1
 *
 * Both end a transaction that was open ("as if RSET", 4.1.4). EHLO's answer is the list of what we
 * can do on this connection as it is now. On port 25 the name must be one in form (whether it is
 * the client's is not looked at: "MUST NOT refuse", 4.1.4); on submission any text will do, and
 * Received has it in a comment where it is none (mail/build.h).
 */
#include "smtp/smtp_private.h"

#include <inttypes.h>
#include <stdio.h>

/* A printer, a camera or a script often has no name that is one ("Scanner 2. OG", "(none)"), and
 * says what it has to who knows it by its login: RFC 6409 asks for no more. */
static bool may_be_called(const struct smtp *s, struct str name)
{
	return smtp_hello_name(name) ||
	       (s->submission && name.n > 0 && name.n <= LIMIT_DOMAIN_BYTES);
}

static bool greeted(struct smtp *s, struct str name, bool esmtp)
{
	if (!may_be_called(s, name)) {
		smtp_say(s, SAY_BAD_HELLO);
		return false;
	}
	smtp_reset(s);
	for (size_t i = 0; i < name.n; i++)
		s->hello[i] = abnf_is_8bit(name.p[i]) ? '?' : name.p[i]; /* Received is ASCII */
	s->hello[name.n] = '\0';
	s->esmtp = esmtp;
	s->state = SMTP_GREETED;
	return true;
}

static void offer(struct smtp *s, const char *keyword)
{
	smtp_reply_add(&s->session.out, SAY_HELLO, keyword, true);
}

static void offer_size(struct smtp *s)
{
	char text[32];
	snprintf(text, sizeof(text), "SIZE %" PRIu64, s->session.host->settings->message_bytes);
	offer(s, text);
}

static void offer_auth(struct smtp *s)
{
	struct buf text;
	struct sasl_context context = smtp_sasl_context(s);
	buf_init(&text, 256);
	buf_addz(&text, "AUTH");
	sasl_add_names(&text, " ", &context);
	offer(s, text.p);
	buf_done(&text);
}

static bool tls_possible(const struct smtp *s)
{
	return !s->session.peer->tls && s->session.host->settings->tls_available;
}

/* ehlo = "EHLO" SP ( Domain / address-literal ) */
void smtp_ehlo(struct smtp *s, struct str args)
{
	if (!greeted(s, args, true))
		return;
	offer(s, s->session.host->hostname);
	offer(s, "PIPELINING");
	offer_size(s);
	offer(s, "8BITMIME");
	offer(s, "CHUNKING");
	offer(s, "BINARYMIME");
	offer(s, "SMTPUTF8");
	if (tls_possible(s))
		offer(s, "STARTTLS");
	if (smtp_auth_allowed(s) && !s->session.authenticated)
		offer_auth(s);
	smtp_reply_add(&s->session.out, SAY_HELLO, "ENHANCEDSTATUSCODES", false);
}

/* helo = "HELO" SP Domain */
void smtp_helo(struct smtp *s, struct str args)
{
	if (greeted(s, args, false))
		smtp_reply_add(&s->session.out, SAY_HELLO, s->session.host->hostname, false);
}

/* STARTTLS    RFC 3207 4: what the client said before is forgotten when TLS has begun. */
void smtp_starttls(struct smtp *s, struct str args)
{
	(void)args;
	if (s->session.peer->tls) {
		smtp_say(s, SAY_TLS_ALREADY);
	} else if (!tls_possible(s)) {
		smtp_say(s, SAY_NO_TLS_NOW);
	} else {
		smtp_say(s, SAY_START_TLS);
		s->session.next = NEXT_START_TLS;
	}
}
