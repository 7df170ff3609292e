// SPDX-License-Identifier: Apache-2.0
/*
 * USER, PASS   RFC 1939 7      AUTH   RFC 5034      STLS   RFC 2595 4      CAPA   RFC 2449 5
 *
 * A login is four questions: the gate vouches and gives a ticket; the store opens a session for it,
 * locks the maildrop, and gives a view of INBOX, which is the maildrop from then on.
 */
#include "pop3/pop3_private.h"

#include "base/abnf.h"

#include <stdio.h>

/* A password is not asked for where others could read it. */
static bool may_log_in(const struct pop3 *s)
{
	const struct session_peer_info *peer = s->session.peer;
	return peer->tls || (s->session.host->settings->plaintext_auth_loopback && peer->loopback);
}

static bool refuse_without_tls(struct pop3 *s)
{
	if (may_log_in(s))
		return false;
	pop3_refuse(s, "[AUTH] say STLS first: no passwords without TLS");
	return true;
}

static struct sasl_context sasl_context(const struct pop3 *s)
{
	return (struct sasl_context){ STR("pop3"), s->session.peer, s->session.host->settings };
}

/* ---- CAPA, STLS ---- */

/* How long the server leaves what it has. Before the login it is the least that any account may be
 * set to.   RFC 2449 6.7 */
static void add_expire(struct pop3 *s)
{
	if (s->state == POP3_AUTHORIZATION)
		pop3_say(s, "EXPIRE 0 USER");
	else if (s->retention == RETAIN_DELETE)
		pop3_say(s, "EXPIRE 0");
	else if (s->retention == RETAIN_EXPIRE)
		pop3_say(s, "EXPIRE %" PRIu32, s->expire_days);
	else
		pop3_say(s, "EXPIRE NEVER");
}

/* The same for everybody, and the store keeps it.   RFC 2449 6.5 */
static void add_login_delay(struct pop3 *s)
{
	uint32_t seconds = s->session.host->settings->pop3_login_delay_s;
	if (seconds > 0)
		pop3_say(s, "LOGIN-DELAY %" PRIu32, seconds);
}

void pop3_capa(struct pop3 *s, struct str arg)
{
	(void)arg;
	struct buf *out = &s->session.out;
	pop3_say(s, "+OK Capability list follows");
	buf_addz(out, "TOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n");
	if (may_log_in(s)) {
		struct sasl_context context = sasl_context(s);
		buf_addz(out, "USER\r\nSASL");
		sasl_add_names(out, " ", &context);
		buf_addz(out, "\r\n");
	}
	if (s->state == POP3_AUTHORIZATION && !s->session.peer->tls &&
		s->session.host->settings->tls_available)
		buf_addz(out, "STLS\r\n");
	add_expire(s);
	add_login_delay(s);
	buf_addz(out, "UTF8 USER\r\nLANG\r\nIMPLEMENTATION Culver\r\n.\r\n");
}

void pop3_stls(struct pop3 *s, struct str arg)
{
	(void)arg;
	if (s->session.peer->tls) {
		pop3_refuse(s, "TLS is on already");
		return;
	}
	if (s->utf8) { /* RFC 6856 2.1 */
		pop3_refuse(s, "STLS comes before UTF8");
		return;
	}
	if (!s->session.host->settings->tls_available) {
		pop3_refuse(s, "there is no certificate");
		return;
	}
	pop3_say(s, "+OK Begin TLS negotiation");
	s->session.next = NEXT_START_TLS;
}

/* ---- the end of a login ---- */

static void log_login(struct pop3 *s, enum err_kind kind)
{
	sasl_log(&s->session, s->sasl != NULL ? sasl_user(s->sasl) : str_from(s->user),
		kind == ERR_NONE, kind == ERR_NONE ? "ok" : err_name(kind));
}

static void forget_login(struct pop3 *s)
{
	sasl_end(&s->sasl, &s->session);
	s->in_exchange = s->user_given = false;
	s->user[0] = 0;
}

/* Wrong credentials cost time: the answer waits, and with it all that was pipelined behind
 * (hostile-input P1). */
static void reject(struct pop3 *s)
{
	s->delayed = true;
	s->failures++;
	s->session.deadline_ms = pop3_now(s) + (int64_t)s->failures * LIMIT_POP3_LOGIN_DELAY_MS;
}

void pop3_login_delayed(struct pop3 *s)
{
	s->delayed = false;
	pop3_reply_failed(&s->session.out, ERR_AUTH, STR("wrong name or password"));
	if (s->failures >= LIMIT_POP3_LOGIN_FAILURES)
		pop3_close(s);
}

static void forget_drop(struct pop3 *s)
{
	pop3_leave(s);
	vec_clear(&s->drop);
	s->drop_count = 0;
	s->drop_octets = 0;
}

static void failed(struct pop3 *s, enum err_kind kind, struct str text)
{
	log_login(s, kind);
	forget_login(s);
	forget_drop(s);
	if (kind == ERR_AUTH)
		reject(s);
	else
		pop3_reply_failed(&s->session.out, kind, text);
}

static void ask_session(struct pop3 *s);

/* The store has gone between two of its questions: the next one is asked from the first on, once.
 */
static bool begin_again(struct pop3 *s)
{
	if (s->session.store_session == 0 || s->began_again)
		return false;
	s->began_again = true;
	forget_drop(s);
	ask_session(s);
	return true;
}

/* Whether the frame is the one expected; otherwise the login has failed, or begins anew. */
static bool expect(struct pop3 *s, const struct frame *frame, enum frame_type type)
{
	if (frame->type == type)
		return true;
	if (frame->type == FRAME_FAILED && frame->failed.kind == ERR_TEMP && begin_again(s))
		return false;
	if (frame->type == FRAME_FAILED)
		failed(s, frame->failed.kind, frame->failed.text);
	else
		failed(s, ERR_TEMP, STR_NONE);
	return false;
}

/* ---- opening the maildrop ---- */

static void opened(struct pop3 *s)
{
	s->state = POP3_TRANSACTION;
	s->session.authenticated = true;
	s->errors = 0;
	log_login(s, ERR_NONE);
	forget_login(s);
	pop3_say(s, "+OK maildrop has %zu message%s (%" PRIu64 " octets)", s->drop_count,
		s->drop_count == 1 ? "" : "s", s->drop_octets);
}

static bool add_entries(struct pop3 *s, const struct api_entry_list *entries)
{
	for (size_t i = 0; i < entries->n; i++) {
		const struct api_entry *e = &entries->items[i];
		struct pop3_message m = { .uid = e->uid, .size = e->size, .time = e->time };
		if (vec_push(&s->drop, &m) == NULL)
			return false;
		s->drop_count++;
		s->drop_octets += e->size;
	}
	return true;
}

static void entries_came(struct pop3 *s, const struct frame *f)
{
	if (!expect(s, f, FRAME_VIEW_ENTRIES))
		return;
	if (!add_entries(s, &f->view_entries.entries)) {
		struct session_host *host = s->session.host;
		if (!f->view_entries.last)
			host->cancel(host, &s->session, s->request);
		failed(s, ERR_LIMIT, STR("the maildrop has too many messages"));
	} else if (!f->view_entries.last) {
		pop3_await(s, entries_came);
	} else {
		opened(s);
	}
}

static void view_came(struct pop3 *s, const struct frame *f)
{
	if (!expect(s, f, FRAME_VIEW_IS))
		return;
	s->uidvalidity = f->view_is.uidvalidity;
	pop3_await(s, entries_came);
}

static void inbox_found(struct pop3 *s, const struct frame *f)
{
	if (!expect(s, f, FRAME_MAILBOXES))
		return;
	if (f->mailboxes.mailboxes.n != 1) {
		failed(s, ERR_TEMP, STR_NONE);
		return;
	}
	s->mailbox = f->mailboxes.mailboxes.items[0].id;
	struct frame q = { .type = FRAME_VIEW_OPEN,
		.view_open = { s->session.store_session, s->mailbox, false } };
	pop3_ask(s, ASK_STORE, &q, view_came);
}

static void maildrop_locked(struct pop3 *s, const struct frame *f)
{
	if (!expect(s, f, FRAME_DONE))
		return;
	struct frame q = { .type = FRAME_MAILBOX_STATUS,
		.mailbox_status = { s->session.store_session, STR("INBOX") } };
	pop3_ask(s, ASK_STORE, &q, inbox_found);
}

static void session_opened(struct pop3 *s, const struct frame *f)
{
	if (!expect(s, f, FRAME_SESSION_IS))
		return;
	s->session.store_session = f->session_is.session;
	s->retention = f->session_is.pop3_retention;
	s->expire_days = f->session_is.pop3_expire_days;
	snprintf(s->address, sizeof(s->address), "%" STR_FMT, STR_ARG(f->session_is.address));
	struct frame q = { .type = FRAME_LOCK_MAILDROP,
		.lock_maildrop = { s->session.store_session } };
	pop3_ask(s, ASK_STORE, &q, maildrop_locked);
}

static void ask_session(struct pop3 *s)
{
	struct frame q = { .type = FRAME_SESSION_OPEN,
		.session_open = {
			.ticket = str_make(s->ticket, s->ticket_n), .service = STR("pop3") } };
	pop3_ask(s, ASK_STORE, &q, session_opened);
}

static void open_session(struct pop3 *s, struct str ticket)
{
	s->ticket_n = str_copy(ticket, s->ticket, sizeof(s->ticket));
	s->began_again = false;
	ask_session(s);
}

/* ---- USER, PASS ---- */

/* Any name is good: who exists is told to nobody (RFC 1939 13). */
void pop3_user(struct pop3 *s, struct str arg)
{
	if (refuse_without_tls(s))
		return;
	if (arg.n > LIMIT_ADDRESS_BYTES || str_has_control(arg) || !str_is_utf8(arg)) {
		pop3_refuse(s, "that is no user name");
		return;
	}
	snprintf(s->user, sizeof(s->user), "%" STR_FMT, STR_ARG(arg));
	s->user_given = true;
	pop3_say(s, "+OK name is taken");
}

static void pass_answer(struct pop3 *s, const struct frame *f)
{
	if (expect(s, f, FRAME_LOGIN_OK))
		open_session(s, f->login_ok.ticket);
}

/* "the server may use the argument, spaces included, as the password"  RFC 1939 7 */
void pop3_pass(struct pop3 *s, struct str arg)
{
	if (refuse_without_tls(s))
		return;
	if (!s->user_given) {
		pop3_refuse(s, "say USER first");
		return;
	}
	if (arg.n > LIMIT_PASSWORD_BYTES || !str_is_utf8(arg)) { /* RFC 6856 2.2 */
		failed(s, ERR_AUTH, STR_NONE);
		return;
	}
	struct frame q = { .type = FRAME_LOGIN,
		.login = { .service = STR("pop3"),
			.peer = str_from(s->session.peer->address),
			.user = str_from(s->user),
			.password = arg } };
	pop3_ask(s, ASK_GATE, &q, pass_answer);
}

/* ---- AUTH ---- */

static void auth_answer(struct pop3 *s, const struct frame *f);

static void auth_go_on(struct pop3 *s, enum sasl_status status)
{
	struct buf *out = &s->session.out;
	struct frame q;
	s->in_exchange = false;
	switch (status) {
	case SASL_CHALLENGE:
		buf_addz(out, "+ ");
		buf_add_base64(out, sasl_challenge(s->sasl));
		buf_addz(out, "\r\n");
		s->in_exchange = true;
		break;
	case SASL_ASK:
		sasl_question(s->sasl, &q);
		pop3_ask(s, ASK_GATE, &q, auth_answer);
		break;
	case SASL_CANCELLED:
		forget_login(s);
		pop3_refuse(s, "authentication cancelled");
		break;
	case SASL_BAD:
	case SASL_NOT_FIRST:
		forget_login(s);
		pop3_refuse(s, "that is no response to the challenge");
		break;
	case SASL_FAILED:
	case SASL_DONE:
		failed(s, ERR_AUTH, STR_NONE);
		break;
	}
}

/* AUTH mechanism [initial-response] */
void pop3_auth(struct pop3 *s, struct str arg)
{
	struct str initial = arg, mechanism = str_split(&initial, ' ');
	bool has_initial = mechanism.n < arg.n;
	if (refuse_without_tls(s))
		return;
	forget_login(s);
	struct sasl_context context = sasl_context(s);
	s->sasl = sasl_new(mechanism, &context);
	if (s->sasl == NULL) {
		pop3_refuse(s, "unknown mechanism");
		return;
	}
	auth_go_on(s, sasl_start(s->sasl, has_initial ? &initial : NULL));
}

void pop3_auth_response(struct pop3 *s, struct str line)
{
	auth_go_on(s, sasl_response(s->sasl, line));
}

static void auth_answer(struct pop3 *s, const struct frame *f)
{
	enum sasl_status status = sasl_answer(s->sasl, f);
	if (status == SASL_DONE)
		open_session(s, f->login_ok.ticket);
	else if (status == SASL_FAILED)
		(void)expect(s, f, FRAME_LOGIN_OK);
	else
		auth_go_on(s, status);
}

/* ---- APOP ---- */

/* "The syntax of the timestamp corresponds to the `msg-id' in [RFC822]", and it is different each
 * time. RFC 1939 7 */
void pop3_greet(struct pop3 *s)
{
	const struct session_host *host = s->session.host;
	const struct seams *seams = host->seams;
	struct sasl_context context = sasl_context(s);
	uint64_t number;
	if (!sasl_offers_legacy(&context)) {
		pop3_say(s, "+OK %s POP3 server ready", host->hostname);
		return;
	}
	seams->random->fill(seams->random, &number, sizeof(number));
	int n = snprintf(s->timestamp, sizeof(s->timestamp), "<%" PRIu64 ".%" PRId64 "@", number,
		seams->clock->wall_ms(seams->clock));
	snprintf(s->timestamp + n, sizeof(s->timestamp) - (size_t)n, "%.*s>",
		LIMIT_POP3_TIMESTAMP_BYTES - n - 1, host->hostname);
	/* The name is in it; twice, a long one would not fit the 512 octets of RFC 2449 4. */
	pop3_say(s, "+OK POP3 server ready %s", s->timestamp);
}

static void apop_answer(struct pop3 *s, const struct frame *f)
{
	if (f->type == FRAME_FAILED && f->failed.kind == ERR_SYNTAX) {
		forget_login(s);
		pop3_refuse(s, "APOP takes a name and a digest of 32 digits");
	} else if (expect(s, f, FRAME_LOGIN_OK)) {
		open_session(s, f->login_ok.ticket);
	}
}

/* APOP name digest. RFC 1939 7 */
void pop3_apop(struct pop3 *s, struct str arg)
{
	if (refuse_without_tls(s))
		return;
	if (s->timestamp[0] == 0) {
		pop3_refuse(s, "APOP is not offered here");
		return;
	}
	forget_login(s);
	snprintf(s->user, sizeof(s->user), "%" STR_FMT,
		STR_ARG(str_sub(arg, 0, str_find_last(arg, ' '))));
	struct frame q = { .type = FRAME_EXCHANGE_BEGIN,
		.exchange_begin = { .service = STR("pop3"),
			.peer = str_from(s->session.peer->address),
			.mechanism = STR("APOP"),
			.has_data = true,
			.data = arg,
			.greeting = str_from(s->timestamp) } };
	pop3_ask(s, ASK_GATE, &q, apop_answer);
}
