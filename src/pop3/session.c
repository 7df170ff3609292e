// SPDX-License-Identifier: Apache-2.0
/* The states of POP3 and the table of verbs. RFC 1939 3.
 *
 * Input is taken a line at a time, and none while an answer is awaited, a response has not been
 * written to its end, or a failed login is being paid for: that alone makes pipelining right
 * (RFC 2449 6.6). */
#include "pop3/pop3_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Room that a response which is not written in pieces may need: CAPA is the longest. */
#define ROOM_BYTES 2048

#define BEFORE (POP3_AUTHORIZATION)
#define AFTER  (POP3_TRANSACTION)

enum arguments { NONE, ONE, MAYBE, TEXT };

/* Which verb may be said when. RFC 1939 4 to 7; RFC 2449 5 CAPA; RFC 2595 4 STLS; RFC 5034 4 AUTH;
 * RFC 6856 UTF8, LANG */
static const struct verb {
	struct str name;
	unsigned states;
	enum arguments arguments;
	void (*run)(struct pop3 *, struct str arg);
} verbs[] = {
	{ STR_INIT("USER"), BEFORE, TEXT, pop3_user },
	{ STR_INIT("PASS"), BEFORE, TEXT, pop3_pass },
	{ STR_INIT("AUTH"), BEFORE, TEXT, pop3_auth },
	{ STR_INIT("APOP"), BEFORE, TEXT, pop3_apop },
	{ STR_INIT("STLS"), BEFORE, NONE, pop3_stls },
	{ STR_INIT("CAPA"), BEFORE | AFTER, NONE, pop3_capa },
	{ STR_INIT("UTF8"), BEFORE, NONE, pop3_utf8 },
	{ STR_INIT("LANG"), BEFORE | AFTER, MAYBE, pop3_lang },
	{ STR_INIT("STAT"), AFTER, NONE, pop3_stat },
	{ STR_INIT("LIST"), AFTER, MAYBE, pop3_list },
	{ STR_INIT("UIDL"), AFTER, MAYBE, pop3_uidl },
	{ STR_INIT("RETR"), AFTER, ONE, pop3_retr },
	{ STR_INIT("TOP"), AFTER, TEXT, pop3_top },
	{ STR_INIT("DELE"), AFTER, ONE, pop3_dele },
	{ STR_INIT("RSET"), AFTER, NONE, pop3_rset },
	{ STR_INIT("NOOP"), AFTER, NONE, pop3_noop },
	{ STR_INIT("QUIT"), BEFORE | AFTER, NONE, pop3_quit },
};

static struct pop3 *pop3_of(struct session *session)
{
	return CONTAINER_OF(session, struct pop3, session);
}

int64_t pop3_now(const struct pop3 *s)
{
	struct clock_seam *clock = s->session.host->seams->clock;
	return clock->monotonic_ms(clock);
}

/* ---- saying ---- */

static void say(struct pop3 *s, const char *status, const char *format, va_list args)
{
	char text[400];
	vsnprintf(text, sizeof(text), format, args);
	buf_addf(&s->session.out, "%s%s\r\n", status, text);
}

void pop3_say(struct pop3 *s, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	say(s, "", format, args);
	va_end(args);
}

void pop3_close(struct pop3 *s)
{
	s->session.next = NEXT_CLOSE;
	s->writing = NULL;
}

void pop3_refuse(struct pop3 *s, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	say(s, "-ERR ", format, args);
	va_end(args);
	if (++s->errors >= LIMIT_POP3_ERRORS)
		pop3_close(s);
}

/* ---- waiting ---- */

void pop3_ask(
	struct pop3 *s, enum session_peer peer, const struct frame *question, pop3_answer *answer)
{
	s->waiting = answer;
	s->request = s->session.host->ask(s->session.host, &s->session, peer, question);
}

void pop3_await(struct pop3 *s, pop3_answer *answer)
{
	s->waiting = answer;
}

bool pop3_has_room(struct pop3 *s, size_t n)
{
	s->cramped = buf_room(&s->session.out) < n;
	return !s->cramped;
}

static void go_on_writing(struct pop3 *s)
{
	s->cramped = false;
	if (s->writing != NULL && s->waiting == NULL && s->writing(s))
		s->writing = NULL;
}

void pop3_write(struct pop3 *s, pop3_writer *writer)
{
	s->writing = writer;
	go_on_writing(s);
}

void pop3_leave(struct pop3 *s)
{
	struct session_host *host = s->session.host;
	if (s->session.store_session == 0)
		return;
	struct frame f = { .type = FRAME_SESSION_CLOSE,
		.session_close = { s->session.store_session } };
	host->tell(host, &s->session, ASK_STORE, 0, &f);
	s->session.store_session = 0;
}

static bool takes_input(const struct pop3 *s)
{
	return s->waiting == NULL && s->writing == NULL && !s->delayed && !s->lost &&
	       s->session.next == NEXT_GO_ON && buf_room(&s->session.out) >= ROOM_BYTES;
}

/* A line has its time from its first byte on, however it trickles: SMTP's S44. */
static void keep_time(struct pop3 *s)
{
	if (s->lines.text.n == 0)
		s->since_ms = pop3_now(s);
}

/* Strangers have their ten minutes once, so that they keep no connection by saying something now
 * and then; an account's client begins them anew with each line (RFC 1939 3). */
static int64_t wait_ends(const struct pop3 *s)
{
	if (s->state == POP3_AUTHORIZATION)
		return s->born_ms + LIMIT_POP3_STRANGER_MS;
	return s->since_ms + LIMIT_POP3_IDLE_MS;
}

/* The last of every call: what may be done now, and until when. */
static void settle(struct pop3 *s)
{
	keep_time(s);
	bool busy = s->waiting != NULL || s->writing != NULL || s->delayed;
	if (s->closed_by_client && !busy)
		pop3_close(s);
	if (s->lost && !busy && s->session.next == NEXT_GO_ON)
		pop3_reopen(s);
	if (!s->delayed)
		s->session.deadline_ms = wait_ends(s);
	s->session.gathers = s->state == POP3_TRANSACTION && !s->delayed && !s->cramped;
	s->session.idle = takes_input(s) && s->lines.text.n == 0 && !s->in_exchange;
	if (s->draining && s->session.idle && s->state == POP3_AUTHORIZATION)
		pop3_close(s);
}

/* ---- lines ---- */

static bool arguments_fit(const struct verb *v, struct str arg)
{
	bool one = arg.n > 0 && str_find(arg, ' ') == arg.n;
	switch (v->arguments) {
	case NONE:
		return arg.n == 0;
	case ONE:
		return one;
	case MAYBE:
		return arg.n == 0 || one;
	case TEXT:
		break;
	}
	return arg.n > 0;
}

/* Keywords and arguments are separated by one SP each; a blank at the end is let be (clients send
 * "STAT "), but not behind a password. */
static void run_line(struct pop3 *s, struct str line)
{
	if (s->ended) {
		pop3_reply_failed(&s->session.out, ERR_TEMP,
			STR("this session ended with the server's restart and deleted nothing, "
			    "please log in again"));
		pop3_close(s);
		return;
	}
	struct str arg = line, name = str_split(&arg, ' ');
	const struct verb *v = verbs, *end = verbs + ARRAY_LEN(verbs);
	while (v != end && !str_equal_nocase(name, v->name))
		v++;
	if (v == end) {
		pop3_refuse(s, "unknown command");
		return;
	}
	if (v->arguments != TEXT)
		while (arg.n > 0 && arg.p[arg.n - 1] == ' ')
			arg.n--;
	if (!(v->states & s->state)) {
		pop3_refuse(
			s, s->state == POP3_AUTHORIZATION ? "log in first" : "already logged in");
		return;
	}
	if (!arguments_fit(v, arg)) {
		pop3_refuse(s, "%" STR_FMT " has other arguments", STR_ARG(v->name));
		return;
	}
	unsigned errors = s->errors;
	v->run(s, arg);
	/* Before the login nothing makes good for an error: who says AUTH and then a line that is
	 * no response, again and again, would be counted from 0 each time. */
	if (s->errors == errors && s->state == POP3_TRANSACTION)
		s->errors = 0;
}

static void take_line(struct pop3 *s, enum pop3_line kind)
{
	struct str line = buf_str(&s->lines.text);
	switch (kind) {
	case POP3_LINE_DONE:
		if (s->in_exchange)
			pop3_auth_response(s, line);
		else
			run_line(s, line);
		break;
	case POP3_LINE_BAD:
	case POP3_LINE_LONG:
		if (s->in_exchange) /* the exchange ends with it */
			pop3_auth_response(s, STR("*"));
		else
			pop3_refuse(s, kind == POP3_LINE_BAD ? "lines end in CR LF"
							     : "the line is too long");
		break;
	case POP3_LINE_TOO_MUCH:
		pop3_refuse(s, "the line is too long");
		pop3_close(s);
		break;
	case POP3_LINE_MORE:
		return;
	}
	pop3_lines_reset(&s->lines);
	s->lines.max = s->in_exchange ? LIMIT_SASL_LINE_BYTES : LIMIT_POP3_LINE_BYTES;
}

/* ---- the session class ---- */

static size_t input(struct session *session, struct str bytes)
{
	struct pop3 *s = pop3_of(session);
	size_t taken = 0;
	while (taken < bytes.n && takes_input(s)) {
		size_t used;
		keep_time(s);
		enum pop3_line kind = pop3_lines_take(
			&s->lines, str_from_offset(bytes, taken), &used);
		taken += used;
		take_line(s, kind);
	}
	settle(s);
	return taken;
}

static void answer(struct session *session, uint32_t request, const struct frame *frame)
{
	struct pop3 *s = pop3_of(session);
	pop3_answer *waiting = s->waiting;
	if (request != 0 && request == s->ahead_request) {
		pop3_ahead_came(s, frame);
		go_on_writing(s);
		settle(s);
		return;
	}
	if (waiting == NULL || request != s->request)
		return;
	s->waiting = NULL;
	waiting(s, frame);
	go_on_writing(s);
	settle(s);
}

static void resume(struct session *session)
{
	struct pop3 *s = pop3_of(session);
	if (s->session.next == NEXT_GO_ON)
		go_on_writing(s);
	settle(s);
}

/* "the session does NOT enter the UPDATE state--the server should close the TCP connection without
 * removing any messages or sending any response to the client"   RFC 1939 3 */
static void timeout(struct session *session)
{
	struct pop3 *s = pop3_of(session);
	if (s->delayed) {
		pop3_login_delayed(s);
		settle(s);
		return;
	}
	pop3_close(s);
}

/* Whatever was said before TLS is forgotten.   RFC 2595 4 */
static void tls_started(struct session *session)
{
	struct pop3 *s = pop3_of(session);
	s->session.next = NEXT_GO_ON;
	s->user_given = false;
	pop3_lines_reset(&s->lines);
	settle(s);
}

/* What was said is carried out to its end, a QUIT too; then this ends. */
static void eof(struct session *session)
{
	struct pop3 *s = pop3_of(session);
	s->closed_by_client = true;
	settle(s);
}

static void drain(struct session *session)
{
	struct pop3 *s = pop3_of(session);
	s->draining = true;
	settle(s);
}

/* What was under way has failed, or will. A QUIT is not said twice: its answer tells. */
static void store_lost(struct session *session)
{
	struct pop3 *s = pop3_of(session);
	s->session.store_session = 0;
	s->lost = s->state == POP3_TRANSACTION && !s->ended;
	settle(s);
}

/* The account's authority has ended: the password was changed, or the account is gone. */
static void notice(struct session *session, const struct frame *frame)
{
	struct pop3 *s = pop3_of(session);
	if (frame->type != FRAME_SESSION_ENDED)
		return;
	s->session.store_session = 0;
	s->session.cut = true;
	log_event(&s->session.log, LOG_INFO, "pop3-end", "reason=revoked");
	pop3_close(s);
}

static struct session *new (
	struct session_host *host, const struct session_peer_info *peer, const struct log *log)
{
	struct pop3 *s = xmalloc(sizeof(*s));
	s->session = (struct session){ .class = &pop3_session_class, .host = host, .peer = peer };
	buf_init(&s->session.out, LIMIT_SESSION_OUT_BYTES);
	log_child(&s->session.log, log, "%s", "");
	s->state = POP3_AUTHORIZATION;
	s->born_ms = pop3_now(s);
	pop3_lines_init(&s->lines);
	vec_init(&s->drop, sizeof(struct pop3_message), LIMIT_POP3_MESSAGES);
	vec_init(&s->deleted, sizeof(uint32_t), LIMIT_POP3_MESSAGES);
	vec_init(&s->uidls, sizeof(struct api_uidl), LIMIT_POP3_MESSAGES);
	pop3_greet(s);
	settle(s);
	return &s->session;
}

static void free_session(struct session **session)
{
	if (*session == NULL)
		return;
	struct pop3 *s = pop3_of(*session);
	if (s->waiting != NULL)
		s->session.host->cancel(s->session.host, &s->session, s->request);
	pop3_ahead_forget(s);
	pop3_leave(s);
	if (s->session.authenticated)
		log_event(&s->session.log, LOG_INFO, "pop3-end",
			"messages=%zu octets=%" PRIu64 " sent=%" PRIu64, s->drop_count,
			s->drop_octets, s->octets_sent);
	sasl_end(&s->sasl, &s->session);
	mem_wipe(s->ticket, sizeof(s->ticket));
	pop3_lines_done(&s->lines);
	mail_surrogate_done(&s->read.surrogate);
	vec_done(&s->drop);
	vec_done(&s->deleted);
	vec_done(&s->uidls);
	buf_done(&s->session.out);
	free(s);
	*session = NULL;
}

const struct session_class pop3_session_class = {
	.name = "pop3",
	.refusal = "-ERR [SYS/TEMP] too many connections, try again later\r\n", /* RFC 3206 4 */
	.new = new,
	.input = input,
	.answer = answer,
	.notice = notice,
	.resume = resume,
	.timeout = timeout,
	.tls_started = tls_started,
	.eof = eof,
	.drain = drain,
	.store_lost = store_lost,
	.free = free_session,
};
