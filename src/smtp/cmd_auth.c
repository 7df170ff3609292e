// SPDX-License-Identifier: Apache-2.0
/*
 * AUTH    RFC 4954
 *
 * On submission services alone, and under TLS (or on loopback, when it is configured so). The gate
 * checks the credentials and gives a ticket; the store opens a session for it, which later says
 * whose addresses are whose.
 */
#include "smtp/smtp_private.h"

bool smtp_auth_allowed(const struct smtp *s)
{
	const struct session_peer_info *peer = s->session.peer;
	return s->submission && (peer->tls || (s->session.host->settings->plaintext_auth_loopback &&
						      peer->loopback));
}

struct sasl_context smtp_sasl_context(const struct smtp *s)
{
	return (struct sasl_context){ STR("smtp"), s->session.peer, s->session.host->settings };
}

static void log_login(struct smtp *s, enum smtp_reply r)
{
	char code[12];
	snprintf(code, sizeof(code), "%d", smtp_reply_code(r));
	sasl_log(&s->session, s->sasl != NULL ? sasl_user(s->sasl) : str_from(s->login),
		r == SAY_LOGGED_IN, code);
}

/* The end of an exchange. */
static void finish(struct smtp *s, enum smtp_reply r)
{
	log_login(s, r);
	sasl_end(&s->sasl, &s->session);
	s->reading = READ_COMMAND;
	/* After some failures the next command meets "too many errors".   RFC 4954 4 */
	if (r == SAY_LOGIN_FAILED && ++s->login_failures >= LIMIT_SMTP_LOGIN_FAILURES)
		s->errors = LIMIT_SMTP_ERRORS;
	smtp_say(s, r);
}

static void challenge(struct smtp *s)
{
	struct buf text;
	buf_init(&text, LIMIT_SASL_LINE_BYTES);
	if (buf_add_base64(&text, sasl_challenge(s->sasl)))
		smtp_reply_add(&s->session.out, SAY_CHALLENGE, text.n ? text.p : "", false);
	buf_done(&text);
	s->reading = READ_RESPONSE;
}

static void auth_answer(struct smtp *s, const struct frame *answer);

static void go_on(struct smtp *s, enum sasl_status status)
{
	struct frame question;
	switch (status) {
	case SASL_CHALLENGE:
		challenge(s);
		break;
	case SASL_ASK:
		sasl_question(s->sasl, &question);
		smtp_ask(s, ASK_GATE, &question, auth_answer);
		break;
	case SASL_BAD:
		finish(s, SAY_BAD_RESPONSE);
		break;
	case SASL_NOT_FIRST:
		finish(s, SAY_NO_INITIAL_RESPONSE);
		break;
	case SASL_CANCELLED:
		finish(s, SAY_CANCELLED);
		break;
	case SASL_FAILED:
	case SASL_DONE:
		finish(s, SAY_LOGIN_FAILED);
		break;
	}
}

/* AUTH mechanism [ SP initial-response ]
 * The order of the refusals: what no TLS would help, then TLS, then the words. */
void smtp_auth(struct smtp *s, struct str args)
{
	struct str initial = args, mechanism = str_split(&initial, ' ');
	bool has_initial = mechanism.n < args.n;
	enum smtp_reply r = SAY_NOTHING;
	if (!s->submission || !s->esmtp)
		r = SAY_NO_AUTH_HERE;
	else if (s->session.authenticated)
		r = SAY_AUTH_ALREADY;
	else if (!smtp_auth_allowed(s))
		r = SAY_TLS_REQUIRED;
	else if (mechanism.n == 0)
		r = SAY_BAD_ARGUMENTS;
	if (r != SAY_NOTHING) {
		smtp_say(s, r);
		return;
	}
	struct sasl_context context = smtp_sasl_context(s);
	s->sasl = sasl_new(mechanism, &context);
	if (s->sasl == NULL)
		smtp_say(s, SAY_UNKNOWN_MECHANISM);
	else
		go_on(s, sasl_start(s->sasl, has_initial ? &initial : NULL));
}

void smtp_auth_response(struct smtp *s, struct str line)
{
	s->reading = READ_COMMAND;
	go_on(s, sasl_response(s->sasl, line));
}

/* "the server fails the AUTH command with the 500 reply"   RFC 4954 4 */
void smtp_auth_too_long(struct smtp *s)
{
	finish(s, SAY_RESPONSE_TOO_LONG);
}

/* ---- the ticket and the store's session ---- */

/* `then` gets session_is, or the failure. */
static void open_session(struct smtp *s, void (*then)(struct smtp *, const struct frame *answer))
{
	struct frame question = { .type = FRAME_SESSION_OPEN,
		.session_open = {
			.ticket = str_make(s->ticket, s->ticket_n), .service = STR("smtp") } };
	smtp_ask(s, ASK_STORE, &question, then);
}

static bool keep_ticket(struct smtp *s, const struct frame_login_ok *ok)
{
	if (ok->ticket.n > sizeof(s->ticket) || ok->address.n >= sizeof(s->login))
		return false;
	s->ticket_n = str_copy(ok->ticket, s->ticket, sizeof(s->ticket));
	s->login[str_copy(ok->address, s->login, sizeof(s->login) - 1)] = '\0';
	return true;
}

static void auth_opened(struct smtp *s, const struct frame *answer);

static void auth_answer(struct smtp *s, const struct frame *answer)
{
	enum sasl_status status = sasl_answer(s->sasl, answer);
	if (status == SASL_FAILED)
		finish(s, smtp_reply_for(smtp_failure(answer), SMTP_FOR_LOGIN));
	else if (status != SASL_DONE)
		go_on(s, status);
	else if (keep_ticket(s, &answer->login_ok))
		open_session(s, auth_opened);
	else
		finish(s, SAY_LOGIN_LATER);
}

static void auth_opened(struct smtp *s, const struct frame *answer)
{
	if (answer->type != FRAME_SESSION_IS) {
		finish(s, SAY_LOGIN_LATER);
		smtp_logout(s);
		return;
	}
	s->session.store_session = answer->session_is.session;
	s->session.authenticated = true;
	finish(s, SAY_LOGGED_IN);
}

void smtp_logout(struct smtp *s)
{
	sasl_end(&s->sasl, &s->session);
	if (s->session.store_session != 0) {
		struct frame bye = { .type = FRAME_SESSION_CLOSE,
			.session_close = { .session = s->session.store_session } };
		(void)s->session.host->tell(s->session.host, &s->session, ASK_STORE, 0, &bye);
	}
	s->session.store_session = 0;
	s->session.authenticated = false;
	s->login[0] = '\0';
	mem_wipe(s->ticket, sizeof(s->ticket));
	s->ticket_n = 0;
}

/* ---- whose address ---- */

static void ask_owner(struct smtp *s)
{
	struct frame question = { .type = FRAME_OWNS_ADDRESS,
		.owns_address = { .session = s->session.store_session, .address = s->asked } };
	smtp_ask(s, ASK_STORE, &question, s->owner_answered);
}

/* The store was replaced meanwhile; its successor has opened our session, or not. */
static void owner_reopened(struct smtp *s, const struct frame *answer)
{
	if (answer->type == FRAME_SESSION_IS) {
		s->session.store_session = answer->session_is.session;
		ask_owner(s);
		return;
	}
	if (smtp_failure(answer) == ERR_EXPIRED)
		s->login_ended = true;
	struct frame later = { .type = FRAME_FAILED, .failed = { .kind = ERR_TEMP } };
	s->owner_answered(s, &later);
}

void smtp_ask_owner(struct smtp *s, struct str address,
	void (*answered)(struct smtp *, const struct frame *answer))
{
	s->asked = address;
	s->owner_answered = answered;
	if (s->session.store_session != 0)
		ask_owner(s);
	else
		open_session(s, owner_reopened);
}
