// SPDX-License-Identifier: Apache-2.0
/* Becoming somebody: STARTTLS, AUTHENTICATE and LOGIN (RFC 9051 6.2). The gate says who it is and
 * gives a ticket; the store opens a session for it. A password goes to the gate alone and is never
 * logged (I15). A refusal is told after a second or more, and the fifth ends the connection. */
#include "imap/imap_private.h"

#include "auth/sasl.h"
#include "imap/selected.h"
#include "imap/token.h"

#include <inttypes.h>

void imap_starttls(struct imap *s)
{
	if (!imap_args_end(s))
		return;
	if (s->session.peer->tls || !s->session.host->settings->tls_available) {
		reply_bad(s, NULL, "TLS is %s",
			s->session.peer->tls ? "on already" : "not available");
		imap_finish_now(s);
		return;
	}
	/* I17: what came behind the command is thrown away by the host. */
	reply_ok(s, NULL, "Begin TLS negotiation now");
	imap_write(s, buf_str(&s->reply));
	s->session.next = NEXT_START_TLS;
	s->id = (struct imap_id){ .name = "" }; /* anybody may have said it */
	imap_command_over(s);
}

/* ---- the outcome, for both ways ---- */

static void refuse_later(struct imap *s)
{
	imap_finish_now(s);
	if (s->failed_logins >= LIMIT_IMAP_LOGINS) {
		imap_write(s, buf_str(&s->reply));
		imap_bye(s, "Too many failed logins");
	}
}

/* Each failure doubles the wait for its answer. */
static void login_fails(struct imap *s, struct str user, const struct frame *answer)
{
	enum err_kind kind = answer->type == FRAME_FAILED ? answer->failed.kind : ERR_TEMP;

	sasl_log(&s->session, user, false, err_name(kind));
	sasl_end(&s->sasl, &s->session);
	s->lost = false;
	if (kind == ERR_AUTH)
		reply_no(s, "AUTHENTICATIONFAILED", "Wrong user name or password");
	else if (kind == ERR_DENIED)
		reply_no(s, "CONTACTADMIN", "This login is not for IMAP"); /* RFC 5530 3 */
	else if (kind == ERR_UNSUPPORTED) /* the password was right: RFC 5530 3 */
		reply_no(s, "AUTHORIZATIONFAILED", "Nobody may act for somebody else here");
	else
		reply_failed(s, answer);
	s->lost = false;
	if (kind == ERR_TEMP) {
		imap_finish_now(s);
		return;
	}
	s->failed_logins++;
	s->cmd.timer = refuse_later;
	s->session.deadline_ms = imap_now(s) +
				 (LIMIT_IMAP_LOGIN_DELAY_MS << (s->failed_logins - 1));
}

void imap_open_session(struct imap *s, imap_answer *answer)
{
	imap_ask(s, ASK_STORE,
		&(struct frame){ .type = FRAME_SESSION_OPEN,
			.session_open = { str_make(s->ticket, s->ticket_bytes), STR("imap") } },
		answer);
}

/* The second half of a login: the store knows the ticket. */
static void session_opened(struct imap *s, const struct frame *answer)
{
	struct buf *out;

	s->request = 0;
	if (answer->type != FRAME_SESSION_IS) {
		login_fails(s, str_from(s->address), answer);
		return;
	}
	s->session.store_session = answer->session_is.session;
	s->account = answer->session_is.account;
	imap_authenticated(s);
	sasl_log(&s->session, str_from(s->address), true, "ok");
	out = reply_open_ok(s);
	buf_addz(out, "CAPABILITY ");
	capability_add(s, out);
	reply_close(s, "Logged in");
	imap_finish_now(s);
}

static void take_ticket(struct imap *s, const struct frame *answer)
{
	const struct frame_login_ok *ok = &answer->login_ok;

	s->ticket_bytes = str_copy(ok->ticket, s->ticket, sizeof s->ticket);
	snprintf(s->address, sizeof s->address, "%" STR_FMT, STR_ARG(ok->address));
	sasl_end(&s->sasl, &s->session);
	imap_open_session(s, session_opened);
}

/* RFC 9051 6.2.3, 11.3: not without TLS; the code tells the client what is missing. */
static bool refuse_plaintext(struct imap *s)
{
	if (imap_may_login(s))
		return false;
	reply_no(s, "PRIVACYREQUIRED", "Please use TLS first");
	imap_finish_now(s);
	return true;
}

/* ---- LOGIN SP userid SP password                          RFC 9051 6.2.3 ---- */

struct login_work {
	struct str user, password; /* in the wire's text, or in the arena when they had escapes */
};

static void login_answer(struct imap *s, const struct frame *answer)
{
	const struct login_work *w = s->cmd.work;

	s->request = 0;
	if (answer->type == FRAME_LOGIN_OK)
		take_ticket(s, answer);
	else
		login_fails(s, w->user, answer);
}

static void wipe_text(struct imap *s)
{
	if (s->wire.text.n > 0)
		mem_wipe(s->wire.text.p, s->wire.text.n);
}

static void drop_login(struct imap *s)
{
	struct login_work *w = s->cmd.work;

	mem_wipe((void *)(uintptr_t)w->password.p, w->password.n);
	wipe_text(s);
}

void imap_login(struct imap *s)
{
	struct login_work *w = imap_work(s, sizeof *w, drop_login);

	if (!scan_sp(&s->cmd.args) || !token_astring(&s->cmd.args, &s->arena, &w->user) ||
		!scan_sp(&s->cmd.args) || !token_astring(&s->cmd.args, &s->arena, &w->password) ||
		!scan_end(&s->cmd.args)) {
		imap_bad_args(s);
		return;
	}
	if (refuse_plaintext(s))
		return;
	if (w->user.n > LIMIT_ADDRESS_BYTES || w->password.n > LIMIT_PASSWORD_BYTES) {
		login_fails(s, STR("(too long)"),
			&(struct frame){ .type = FRAME_FAILED, .failed = { .kind = ERR_AUTH } });
		return;
	}
	imap_ask(s, ASK_GATE,
		&(struct frame){ .type = FRAME_LOGIN,
			.login = { .service = STR("imap"),
				.peer = str_from(s->session.peer->address),
				.user = w->user,
				.password = w->password } },
		login_answer);
}

/* ---- AUTHENTICATE SP auth-type [SP initial-resp]          RFC 9051 6.2.2 ---- */

struct sasl_context imap_sasl_context(const struct imap *s)
{
	return (struct sasl_context){ STR("imap"), s->session.peer, s->session.host->settings };
}

static void sasl_goes_on(struct imap *s, enum sasl_status status);

static void sasl_line(struct imap *s, struct str line)
{
	enum sasl_status status;

	s->cmd.line = NULL;
	status = sasl_response(s->sasl, line);
	wipe_text(s);
	sasl_goes_on(s, status);
}

static void sasl_gate_answer(struct imap *s, const struct frame *answer)
{
	char user[LIMIT_ADDRESS_BYTES + 1];

	s->request = 0;
	snprintf(user, sizeof user, "%" STR_FMT, STR_ARG(sasl_user(s->sasl)));
	enum sasl_status status = sasl_answer(s->sasl, answer);
	if (status == SASL_DONE)
		take_ticket(s, answer);
	else if (status == SASL_FAILED)
		login_fails(s, str_from(user), answer);
	else
		sasl_goes_on(s, status);
}

static void sasl_ends(struct imap *s, const char *text)
{
	sasl_end(&s->sasl, &s->session);
	reply_bad(s, NULL, "%s", text);
	imap_finish_now(s);
	imap_count_bad(s);
}

static void sasl_challenges(struct imap *s)
{
	imap_write(s, STR("+ "));
	buf_add_base64(imap_out(s), sasl_challenge(s->sasl));
	buf_addz(imap_out(s), "\r\n");
	wire_reset(&s->wire);
	wire_plain(&s->wire);
	s->cmd.line = sasl_line;
}

static void sasl_goes_on(struct imap *s, enum sasl_status status)
{
	struct frame question;

	switch (status) {
	case SASL_CHALLENGE:
		sasl_challenges(s);
		break;
	case SASL_ASK:
		sasl_question(s->sasl, &question);
		imap_ask(s, ASK_GATE, &question, sasl_gate_answer);
		break;
	case SASL_CANCELLED: /* RFC 9051 6.2.2: "*" is answered with BAD */
		sasl_ends(s, "AUTHENTICATE cancelled");
		break;
	case SASL_DONE:
	case SASL_FAILED:
	case SASL_BAD:
	case SASL_NOT_FIRST:
		sasl_ends(s, "The response makes no sense");
		break;
	}
}

static void drop_sasl(struct imap *s)
{
	wipe_text(s);
	sasl_end(&s->sasl, &s->session);
}

void imap_authenticate(struct imap *s)
{
	struct str mechanism, initial;
	bool has_initial = false;

	s->cmd.drop = drop_sasl;
	if (!scan_sp(&s->cmd.args) || !token_atom(&s->cmd.args, &mechanism)) {
		imap_bad_args(s);
		return;
	}
	if (scan_sp(&s->cmd.args)) { /* RFC 4959 3 */
		has_initial = true;
		initial = scan_rest(&s->cmd.args);
	}
	if (!has_initial && !imap_args_end(s))
		return;
	if (refuse_plaintext(s))
		return;
	struct sasl_context context = imap_sasl_context(s);
	s->sasl = sasl_new(mechanism, &context);
	if (s->sasl == NULL) {
		reply_no(s, "CANNOT", "No such mechanism");
		imap_finish_now(s);
		return;
	}
	sasl_goes_on(s, sasl_start(s->sasl, has_initial ? &initial : NULL));
}
