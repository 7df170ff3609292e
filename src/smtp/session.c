// SPDX-License-Identifier: Apache-2.0
/*
 * The states and the table of verbs; reading lines, data and chunks in turn; patience; ends.
 *
 * While a question is open, or output has no room, no input is taken: so replies come in the order
 * of the commands (RFC 5321 4.3.1), and pipelining (RFC 2920 3.2) needs nothing else.
 */
#include "smtp/smtp_private.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* No command is begun with less room for its reply: EHLO's is the longest, some 600 bytes. */
enum { REPLY_ROOM = 2048 };

/* Flags of verbs. LAST: only as the last of a pipelined group (RFC 2920 3.1, RFC 3207 4,
 * RFC 4954 4). NOOP and QUIT are such too, and harmless. JUNK: brings no message nearer. GROUPED:
 * its reply may wait for those that follow (RFC 2920 3.2), and no other may. */
enum { LAST = 1, JUNK = 2, NO_ARGUMENTS = 4, GROUPED = 8 };

/* RFC 5321 4.1.4, Order of Commands: which verb may be given when. BDAT looks at the state itself,
 * since the bytes that it announces come in any case. */
static const struct verb {
	struct str name;
	unsigned states;
	unsigned flags;
	void (*run)(struct smtp *, struct str args);
} verbs[] = {
	{ STR_INIT("EHLO"), SMTP_ANY, LAST | JUNK, smtp_ehlo },
	{ STR_INIT("HELO"), SMTP_ANY, LAST | JUNK, smtp_helo },
	{ STR_INIT("MAIL"), SMTP_GREETED, GROUPED, smtp_mail },
	{ STR_INIT("RCPT"), SMTP_MAIL | SMTP_RCPT, GROUPED, smtp_rcpt },
	{ STR_INIT("DATA"), SMTP_RCPT, LAST | NO_ARGUMENTS, smtp_data },
	{ STR_INIT("BDAT"), SMTP_ANY, 0, smtp_bdat },
	{ STR_INIT("RSET"), SMTP_ANY, JUNK | NO_ARGUMENTS | GROUPED, smtp_rset },
	{ STR_INIT("NOOP"), SMTP_ANY, JUNK, smtp_noop },
	{ STR_INIT("QUIT"), SMTP_ANY, NO_ARGUMENTS, smtp_quit },
	{ STR_INIT("VRFY"), SMTP_ANY, LAST | JUNK, smtp_vrfy },
	{ STR_INIT("EXPN"), SMTP_ANY, LAST | JUNK, smtp_expn },
	{ STR_INIT("HELP"), SMTP_ANY, JUNK, smtp_help },
	{ STR_INIT("STARTTLS"), SMTP_GREETED, LAST | NO_ARGUMENTS, smtp_starttls },
	{ STR_INIT("AUTH"), SMTP_GREETED, LAST, smtp_auth },
};

static const struct smtp_transaction no_transaction = { 0 };

static struct smtp *smtp_of(struct session *session)
{
	return CONTAINER_OF(session, struct smtp, session);
}

int64_t smtp_now(const struct smtp *s)
{
	struct clock_seam *clock = s->session.host->seams->clock;
	return clock->monotonic_ms(clock);
}

/* ---- saying ---- */

void smtp_say(struct smtp *s, enum smtp_reply r)
{
	smtp_reply_add(&s->session.out, r, NULL, false);
	if (smtp_reply_code(r) >= 500)
		s->errors++;
}

void smtp_sayf(struct smtp *s, enum smtp_reply r, const char *format, ...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	smtp_reply_add(&s->session.out, r, text, false);
}

/* rfc/5321:1646 not followed: besides QUIT and 421 we close where a client's words and its data can
 * no longer be told apart (bare line ends, improper pipelining, endless lines). */
void smtp_say_and_close(struct smtp *s, enum smtp_reply r)
{
	smtp_say(s, r);
	smtp_reset(s);
	s->session.next = NEXT_CLOSE;
}

/* ---- asking ---- */

void smtp_ask(struct smtp *s, enum session_peer peer, const struct frame *question,
	void (*answered)(struct smtp *, const struct frame *answer))
{
	struct session_host *host = s->session.host;
	smtp_wait_for(s, host->ask(host, &s->session, peer, question), answered);
}

void smtp_wait_for(struct smtp *s, uint32_t request,
	void (*answered)(struct smtp *, const struct frame *answer))
{
	assert(s->request == 0);
	s->answered = answered;
	s->request = request;
	s->patient_until_ms = smtp_now(s) + LIMIT_SMTP_ANSWER_MS;
}

enum err_kind smtp_failure(const struct frame *answer)
{
	if (answer->type != FRAME_FAILED || answer->failed.kind == ERR_NONE ||
		answer->failed.kind >= ERR_KINDS)
		return ERR_TEMP;
	return (enum err_kind)answer->failed.kind;
}

static void forget_question(struct smtp *s)
{
	if (s->request != 0)
		s->session.host->cancel(s->session.host, &s->session, s->request);
	s->request = 0;
	s->answered = NULL;
}

/* ---- the transaction ---- */

void smtp_reset(struct smtp *s)
{
	forget_question(s);
	smtp_receive_abort(s);
	arena_reset(&s->arena);
	s->tx = no_transaction;
	s->reading = READ_COMMAND;
	if (s->state != SMTP_FRESH)
		s->state = SMTP_GREETED;
}

bool smtp_keep(struct smtp *s, struct str text, struct str *ret)
{
	struct str copy = arena_str(&s->arena, text);
	if (copy.p == NULL)
		return false;
	*ret = copy;
	return true;
}

void smtp_discard_chunk(struct smtp *s, uint64_t size, enum smtp_reply r)
{
	smtp_reset(s);
	if (size > 2 * s->session.host->settings->message_bytes) {
		smtp_say_and_close(s, r);
	} else if (size == 0) {
		smtp_say(s, r);
	} else {
		s->reading = READ_DISCARD;
		s->chunk_left = size;
		s->after_discard = r;
	}
}

/* ---- commands ---- */

static const struct verb *find_verb(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (str_equal_nocase(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

/* Why a verb cannot be given now. */
static enum smtp_reply out_of_order(enum smtp_state state, const struct verb *v)
{
	switch (state) {
	case SMTP_FRESH:
		return SAY_HELLO_FIRST;
	case SMTP_GREETED:
		return SAY_MAIL_FIRST;
	case SMTP_MAIL:
		return v->states == SMTP_RCPT ? SAY_RCPT_FIRST : SAY_IN_TRANSACTION;
	case SMTP_CHUNKS:
		return SAY_IN_CHUNKS;
	case SMTP_RCPT:
	case SMTP_ANY:
		break;
	}
	return SAY_IN_TRANSACTION;
}

enum smtp_reply smtp_out_of_order_for_data(const struct smtp *s)
{
	static const struct verb data = { .states = SMTP_RCPT };
	return out_of_order(s->state, &data);
}

/* Commands in one segment without leave: before EHLO was answered (hostile-input S20), after HELO,
 * or behind a verb that must be the last of a group (S15, S21). What is a command and what is data
 * can then no longer be told, so the connection ends. */
static bool improper_pipelining(const struct smtp *s, const struct verb *v, bool more)
{
	return more && (s->state == SMTP_FRESH || !s->esmtp || (v != NULL && v->flags & LAST)) &&
	       (v == NULL || v->run != smtp_quit);
}

static void run_command(struct smtp *s, struct str line, bool more)
{
	struct str name, args;
	smtp_verb(line, &name, &args);
	const struct verb *v = find_verb(name);
	s->grouped = v != NULL && v->flags & GROUPED;
	s->ungrouped |= !s->grouped;
	if (improper_pipelining(s, v, more)) {
		smtp_say_and_close(s, SAY_PIPELINING);
	} else if (s->errors >= LIMIT_SMTP_ERRORS) {
		smtp_say_and_close(s, SAY_TOO_MANY_ERRORS);
	} else if (str_has_control(line)) {
		smtp_say(s, SAY_CONTROL);
	} else if (v == NULL) {
		smtp_say(s, SAY_UNKNOWN_VERB);
	} else if (v->flags & JUNK && ++s->junk > LIMIT_SMTP_JUNK) {
		smtp_say_and_close(s, SAY_TOO_MUCH_TALK);
	} else if (!(v->states & s->state)) {
		smtp_say(s, out_of_order(s->state, v));
	} else if (v->flags & NO_ARGUMENTS && args.n > 0) {
		smtp_say(s, SAY_NO_ARGUMENTS);
	} else {
		v->run(s, args);
	}
}

/* A line may have held a password. */
static void drop_line(struct smtp *s)
{
	if (s->line.text.p != NULL)
		mem_wipe(s->line.text.p, s->line.text.cap);
	smtp_line_reset(&s->line);
	s->line.text.max = s->reading == READ_RESPONSE ? LIMIT_SASL_LINE_BYTES
						       : LIMIT_SMTP_COMMAND_BYTES;
}

static size_t read_line(struct smtp *s, struct str bytes)
{
	enum smtp_line_status status;
	size_t taken = smtp_line_feed(&s->line, bytes, &status);
	if (status == SMTP_LINE_MORE)
		return taken;
	s->patient_until_ms = smtp_now(s) + LIMIT_SMTP_COMMAND_MS;
	if (status == SMTP_LINE_BARE)
		smtp_say_and_close(s, SAY_BARE_CR_LF);
	else if (status == SMTP_LINE_ENDLESS)
		smtp_say_and_close(s, SAY_LINE_TOO_LONG);
	else if (s->reading == READ_RESPONSE && status == SMTP_LINE_TOO_LONG)
		smtp_auth_too_long(s);
	else if (s->reading == READ_RESPONSE)
		smtp_auth_response(s, buf_str(&s->line.text));
	else if (status == SMTP_LINE_TOO_LONG)
		smtp_say(s, SAY_LINE_TOO_LONG);
	else
		run_command(s, buf_str(&s->line.text), taken < bytes.n);
	drop_line(s);
	return taken;
}

static size_t read_discarded(struct smtp *s, struct str bytes)
{
	size_t n = bytes.n < s->chunk_left ? bytes.n : (size_t)s->chunk_left;
	s->chunk_left -= n;
	if (s->chunk_left == 0) {
		s->reading = READ_COMMAND;
		smtp_say(s, s->after_discard);
	}
	return n;
}

/* ---- patience ---- */

void smtp_data_begins(struct smtp *s)
{
	s->patient_until_ms = smtp_now(s) + LIMIT_SMTP_DATA_FIRST_MS;
}

/* Each byte buys its sender time at the least rate that we stand, up to the wait for a block: a
 * trickle loses (hostile-input S44), a pause does not.   RFC 5321 4.5.3.2 */
static void data_came(struct smtp *s, size_t n)
{
	int64_t most = smtp_now(s) + LIMIT_SMTP_DATA_BLOCK_MS;
	s->session.brought += n;
	s->patient_until_ms += (int64_t)n * 1000 / LIMIT_DATA_RATE_BYTES;
	if (s->patient_until_ms > most)
		s->patient_until_ms = most;
}

static bool can_read(const struct smtp *s)
{
	return s->session.next == NEXT_GO_ON && s->request == 0 &&
	       buf_room(&s->session.out) >= REPLY_ROOM && smtp_receive_ready(s);
}

/* Somebody has been asked: the answer decides, or a message is being kept already. */
static bool at_work(const struct smtp *s)
{
	return s->session.next != NEXT_GO_ON || s->request != 0 || smtp_receive_committing(s);
}

/* Whoever speaks here may do so no longer, in the middle of a message too (hostile-input A8). */
static void end_login(struct smtp *s)
{
	s->session.cut = true;
	smtp_receive_log(s, "login-ended");
	smtp_say_and_close(s, SAY_SESSION_ENDED);
}

/* What holds after each call from outside. */
static void settle(struct smtp *s)
{
	if (s->closed_by_peer && s->receiving == NULL && s->request == 0)
		s->session.next = NEXT_CLOSE; /* all is said */
	bool between = s->reading == READ_COMMAND && s->request == 0 && s->receiving == NULL &&
		       s->session.next == NEXT_GO_ON;
	if (s->login_ended && !at_work(s))
		end_login(s);
	else if (between && s->draining && s->state <= SMTP_GREETED)
		smtp_say_and_close(s, SAY_SHUTDOWN);
	bool waits_for_client = can_read(s);
	s->session.deadline_ms = waits_for_client || s->request != 0 ? s->patient_until_ms : 0;
	s->session.gathers = s->reading == READ_COMMAND && s->receiving == NULL && s->grouped &&
			     !s->ungrouped;
	s->ungrouped = false;
	s->session.keeping = smtp_receive_committing(s);
	s->session.idle = between && waits_for_client && s->line.text.n == 0 && !s->line.cr;
}

/* ---- what a host calls ---- */

static size_t session_input(struct session *session, struct str bytes)
{
	struct smtp *s = smtp_of(session);
	size_t taken = 0;
	if (session->next == NEXT_CLOSE)
		return bytes.n;
	while (taken < bytes.n && can_read(s)) {
		struct str rest = str_from_offset(bytes, taken);
		bool is_line = s->reading == READ_COMMAND || s->reading == READ_RESPONSE;
		size_t n = is_line                    ? read_line(s, rest)
			   : s->reading == READ_DATA  ? smtp_receive_data(s, rest)
			   : s->reading == READ_CHUNK ? smtp_receive_chunk(s, rest)
						      : read_discarded(s, rest);
		if (!is_line)
			data_came(s, n);
		/* behind a message or chunk the next command has its own time: RFC 5321 4.5.3.2.7
		 */
		if (!is_line && s->reading == READ_COMMAND && s->request == 0)
			s->patient_until_ms = smtp_now(s) + LIMIT_SMTP_COMMAND_MS;
		s->ungrouped |= !is_line;
		taken += n;
	}
	settle(s);
	return taken;
}

static void session_answer(struct session *session, uint32_t request, const struct frame *answer)
{
	struct smtp *s = smtp_of(session);
	if (request == s->request && request != 0) {
		void (*answered)(struct smtp *, const struct frame *) = s->answered;
		s->request = 0;
		s->answered = NULL;
		s->patient_until_ms = smtp_now(s) + LIMIT_SMTP_COMMAND_MS;
		answered(s, answer);
	} else {
		smtp_receive_answer(s, request, answer);
	}
	settle(s);
}

static void session_notice(struct session *session, const struct frame *notice)
{
	struct smtp *s = smtp_of(session);
	if (notice->type == FRAME_SESSION_ENDED)
		s->login_ended = true;
	settle(s);
}

static void session_resume(struct session *session)
{
	struct smtp *s = smtp_of(session);
	bool waited = !can_read(s);
	smtp_receive_resume(s);
	if (waited && can_read(s) && s->receiving != NULL)
		smtp_data_begins(s);
	settle(s);
}

static void session_timeout(struct session *session)
{
	struct smtp *s = smtp_of(session);
	if (session->deadline_ms == 0 || smtp_now(s) < session->deadline_ms)
		return;
	smtp_receive_log(s, "timeout");
	smtp_say_and_close(s, SAY_TIMEOUT);
	settle(s);
}

static void session_tls_started(struct session *session)
{
	struct smtp *s = smtp_of(session);
	/* "discard any knowledge obtained from the client"   RFC 3207 4.2 */
	smtp_reset(s);
	smtp_logout(s);
	drop_line(s);
	s->state = SMTP_FRESH;
	s->esmtp = false;
	s->hello[0] = '\0';
	session->next = NEXT_GO_ON;
	s->patient_until_ms = smtp_now(s) + LIMIT_SMTP_COMMAND_MS;
	settle(s);
}

static void session_eof(struct session *session)
{
	struct smtp *s = smtp_of(session);
	/* Without its terminator there is no message (RFC 5321 4.1.1.10); once it is complete, what
	 * becomes of it is said, and is worth a line in the log. */
	if (smtp_receive_complete(s)) {
		s->closed_by_peer = true;
		return;
	}
	smtp_receive_log(s, "connection-lost");
	smtp_reset(s);
	session->next = NEXT_CLOSE;
	settle(s);
}

static void session_drain(struct session *session)
{
	struct smtp *s = smtp_of(session);
	/* Said again: the time is over. Not while a message is being committed: whether it was
	 * taken is what the client must hear, or nothing. */
	if (s->draining && s->request == 0 && session->next == NEXT_GO_ON)
		smtp_say_and_close(s, SAY_SHUTDOWN);
	s->draining = true;
	settle(s);
}

static void session_store_lost(struct session *session)
{
	struct smtp *s = smtp_of(session);
	session->store_session = 0;
	smtp_receive_store_lost(s);
	settle(s);
}

static void session_free(struct session **session)
{
	if (*session == NULL)
		return;
	struct smtp *s = smtp_of(*session);
	smtp_reset(s);
	smtp_logout(s);
	drop_line(s);
	smtp_line_done(&s->line);
	arena_done(&s->arena);
	buf_done(&s->session.out);
	free(s);
	*session = NULL;
}

static struct session *session_new(
	struct session_host *host, const struct session_peer_info *peer, const struct log *log)
{
	struct smtp *s = xmalloc(sizeof(*s));
	s->session = (struct session){
		.class = &smtp_session_class, .host = host, .peer = peer, .log = *log
	};
	buf_init(&s->session.out, LIMIT_SESSION_OUT_BYTES);
	smtp_line_init(&s->line, LIMIT_SMTP_COMMAND_BYTES);
	arena_init(&s->arena, LIMIT_SMTP_ENVELOPE_BYTES);
	s->submission = strcmp(peer->service, "smtp") != 0;
	s->state = SMTP_FRESH;
	s->patient_until_ms = smtp_now(s) + LIMIT_SMTP_COMMAND_MS;
	smtp_sayf(s, SAY_GREETING, "%s ESMTP", host->hostname);
	settle(s);
	return &s->session;
}

const struct session_class smtp_session_class = {
	.name = "smtp",
	.refusal = "421 4.3.2 Too many connections; try again later\r\n", /* RFC 5321 3.8 */
	.new = session_new,
	.input = session_input,
	.answer = session_answer,
	.notice = session_notice,
	.resume = session_resume,
	.timeout = session_timeout,
	.tls_started = session_tls_started,
	.eof = session_eof,
	.drain = session_drain,
	.store_lost = session_store_lost,
	.free = session_free,
};
