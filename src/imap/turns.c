// SPDX-License-Identifier: Apache-2.0
/* The turns of an IMAP session: every way in (api/session.h), what waits for room, for an answer or
 * for time, and the loop that goes on with a command's steps until one of these is needed. */
#include "imap/imap_private.h"

#include "auth/sasl.h"
#include "imap/notify.h"
#include "imap/selected.h"

#include <inttypes.h>
#include <stdarg.h>

/* ---- output ---- */

/* Moves what waits in s->line to the host's buffer, as far as there is room. A response that was
 * more than any may be was cut off, and there is no honest way on. */
static void drain(struct imap *s)
{
	size_t n = s->line.n, room = buf_room(&s->session.out);

	if (s->line.full)
		s->session.next = NEXT_CLOSE;
	if (n == 0 || s->line.full)
		return;
	n = n < room ? n : room;
	buf_add(&s->session.out, s->line.p, n);
	if (n == s->line.n)
		buf_release(&s->line);
	else
		buf_consume(&s->line, n);
}

void imap_write(struct imap *s, struct str bytes)
{
	drain(s);
	if (s->line.n == 0 && bytes.n <= buf_room(&s->session.out))
		buf_adds(&s->session.out, bytes);
	else if (!buf_adds(&s->line, bytes))
		s->session.next = NEXT_CLOSE;
}

void imap_writef(struct imap *s, const char *format, ...)
{
	char text[1500];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	imap_write(s, str_make(text, n < 0 ? 0 : (size_t)n));
}

struct buf *imap_out(struct imap *s)
{
	return &s->line;
}

bool imap_has_room(const struct imap *s)
{
	return s->line.n == 0 && buf_room(&s->session.out) >= IMAP_ROOM_BYTES;
}

/* ---- questions ---- */

void imap_ask(
	struct imap *s, enum session_peer peer, const struct frame *question, imap_answer *answer)
{
	s->answer = answer;
	s->request = s->session.host->ask(s->session.host, &s->session, peer, question);
}

void imap_tell(struct imap *s, const struct frame *frame)
{
	s->session.host->tell(s->session.host, &s->session, ASK_STORE, s->request, frame);
}

static void yielded(struct imap *s, const struct frame *answer)
{
	(void)answer; /* whatever it is */
	s->request = 0;
	s->step = s->cmd.after_yield;
}

void imap_yield(struct imap *s, imap_step *after)
{
	s->cmd.after_yield = after;
	imap_ask(s, ASK_STORE, &(struct frame){ .type = FRAME_PING }, yielded);
}

/* ---- time ---- */

int64_t imap_now(const struct imap *s)
{
	struct clock_seam *clock = s->session.host->seams->clock;

	return clock->monotonic_ms(clock);
}

/* The first of what the session waits for. */
static void set_alarm(struct imap *s)
{
	int64_t at = s->limit_ms;

	if (s->look_ms != 0 && s->look_ms < at)
		at = s->look_ms;
	if (s->alive_ms != 0 && s->alive_ms < at)
		at = s->alive_ms;
	s->session.deadline_ms = at;
}

/* RFC 9051 5.4: the autologout timer is at least 30 minutes; strangers have a minute in all. */
void imap_set_deadline(struct imap *s)
{
	if (s->cmd.timer != NULL)
		return;
	if (s->state == NOT_AUTHENTICATED)
		s->limit_ms = s->born_ms + LIMIT_IMAP_STRANGER_MS;
	else if (s->arriving_until_ms != 0)
		s->limit_ms = s->arriving_until_ms;
	else
		s->limit_ms = imap_now(s) + LIMIT_IMAP_IDLE_MS;
	if (s->cmd.news == NULL)
		s->alive_ms = 0;
	if (s->sel.loaded && !s->lost && !s->sel.behind)
		s->look_ms = imap_now(s) + LIMIT_IMAP_VIEW_MS;
	set_alarm(s);
}

/* A command, or a line of one, has its time from its first byte on, however it trickles. Only a
 * literal's bytes buy more, at the least rate that we stand, so that a large message may take as
 * long as it needs. S44's counterpart. */
static void bytes_came(struct imap *s, uint64_t of_literal, enum wire_event e)
{
	int64_t most = imap_now(s) + LIMIT_IMAP_COMMAND_MS;

	if (e == WIRE_COMMAND || e == WIRE_BAD || e == WIRE_FATAL) {
		s->arriving_until_ms = 0;
	} else if (s->arriving_until_ms == 0) {
		s->arriving_until_ms = most;
	} else {
		s->arriving_until_ms += (int64_t)of_literal * 1000 / LIMIT_DATA_RATE_BYTES;
		if (s->arriving_until_ms > most)
			s->arriving_until_ms = most;
	}
}

/* Whom we have kept waiting within a command has all of its time again. */
static void time_anew(struct imap *s)
{
	if (s->arriving_until_ms != 0)
		s->arriving_until_ms = imap_now(s) + LIMIT_IMAP_COMMAND_MS;
	imap_set_deadline(s);
}

void imap_look_later(struct imap *s, int64_t ms)
{
	s->look_ms = imap_now(s) + ms;
	set_alarm(s);
}

void imap_keep_alive(struct imap *s)
{
	s->alive_ms = imap_now(s) + LIMIT_IMAP_ALIVE_MS;
	set_alarm(s);
}

/* ---- turns ---- */

static bool takes_input(const struct imap *s)
{
	return s->session.next == NEXT_GO_ON && s->step == NULL && s->request == 0 &&
	       s->cmd.timer == NULL && !s->cmd.busy && s->line.n == 0 &&
	       buf_room(&s->session.out) >= IMAP_ROOM_BYTES;
}

void imap_run(struct imap *s)
{
	for (;;) {
		imap_step *step = s->step;

		drain(s);
		if (s->line.n > 0 || step == NULL || s->request != 0 ||
			s->session.next != NEXT_GO_ON || !imap_has_room(s))
			break;
		s->step = NULL;
		step(s);
	}
	s->session.idle = s->step == NULL && s->request == 0 && !s->cmd.busy &&
			  s->wire.text.n == 0 && s->line.n == 0;
	if (s->eof && takes_input(s))
		s->session.next = NEXT_CLOSE;
}

/* What was sent ahead is done at once as far as it asks nobody; but not for ever, while others
 * wait. One command's own turns are its own (LIMIT_IMAP_SEARCH_WORK and others). */
static bool has_had_its_turn(const struct imap *s, int64_t begun_ms)
{
	return takes_input(s) && !s->cmd.running && s->state != NOT_AUTHENTICATED &&
	       imap_now(s) - begun_ms >= LIMIT_IMAP_TURN_MS;
}

static size_t input(struct session *session, struct str bytes)
{
	struct imap *s = imap_of(session);
	int64_t begun_ms = imap_now(s);
	size_t taken = 0;

	while (taken < bytes.n && takes_input(s)) {
		size_t used = 0;
		uint64_t left = s->wire.left;
		enum wire_event e = wire_take(&s->wire, str_from_offset(bytes, taken), &used);

		bytes_came(s, left < used ? left : used, e);
		imap_wire_event(s, e);
		taken += used;
		imap_run(s);
		if (taken < bytes.n && has_had_its_turn(s, begun_ms))
			imap_yield(s, imap_at_rest);
	}
	s->bytes_in += taken;
	if (taken > 0)
		imap_set_deadline(s);
	return taken;
}

static void answer(struct session *session, uint32_t request, const struct frame *frame)
{
	struct imap *s = imap_of(session);
	bool waited = !takes_input(s);

	if (request != 0 && request == s->request)
		s->answer(s, frame);
	else if (request != 0 && request == s->upload)
		s->upload_answer(s, frame);
	else
		reads_answer(&s->reads, request, frame);
	imap_run(s);
	if (waited && takes_input(s))
		time_anew(s);
}

static void notice(struct session *session, const struct frame *frame)
{
	struct imap *s = imap_of(session);

	if (frame->type == FRAME_SESSION_ENDED) {
		session->store_session = 0;
		session->cut = true;
		imap_bye(s, "[UNAVAILABLE] Your credentials have changed, please log in again");
	} else if (frame->type == FRAME_MAILBOX_CHANGED && s->sel.view != NULL &&
		   frame->mailbox_changed.mailbox == s->sel.mailbox) {
		s->sel.stale = s->sel.noticed = true;
		s->sel.gone = s->sel.gone || frame->mailbox_changed.gone;
		if (s->cmd.news != NULL && s->step == NULL && s->request == 0)
			s->cmd.news(s);
		else
			notify_turn(s);
	} else if (frame->type == FRAME_ACCOUNT_CHANGED) {
		notify_account_changed(s, &frame->account_changed);
		notify_turn(s);
	}
	imap_run(s);
}

static void resume(struct session *session)
{
	struct imap *s = imap_of(session);
	bool waited = !takes_input(s);

	if (s->cmd.resume != NULL)
		s->cmd.resume(s);
	imap_run(s);
	if (waited && takes_input(s))
		time_anew(s);
}

/* Opens the store's session anew, asks again what could not be asked, or gives back the view's
 * entries. Unless a command is at work: at its end it reopens by itself, and is followed by another
 * look. */
static void look(struct imap *s)
{
	if (s->request != 0 || s->step != NULL || (s->cmd.running && s->cmd.news == NULL))
		return;
	if (s->lost)
		selected_reopen(s, s->cmd.news != NULL ? s->cmd.news
				   : s->notify != NULL ? notify_turn
						       : NULL);
	else if (s->cmd.news != NULL && s->sel.behind)
		s->cmd.news(s);
	else if (s->notify != NULL && s->sel.behind)
		notify_turn(s);
	else
		selected_rest(s);
}

/* What is due of that, both at once perhaps. */
static void before_the_limit(struct imap *s)
{
	bool looks = s->look_ms != 0 && imap_now(s) >= s->look_ms;

	if (looks)
		s->look_ms = 0;
	if (s->alive_ms != 0 && imap_now(s) >= s->alive_ms) {
		if (takes_input(s)) /* it has taken all, and nothing is on its way */
			imap_write(s, STR("* OK Still here\r\n"));
		s->alive_ms = imap_now(s) + LIMIT_IMAP_ALIVE_MS;
	}
	set_alarm(s);
	if (looks)
		look(s);
}

static void timeout(struct session *session)
{
	struct imap *s = imap_of(session);
	void (*timer)(struct imap *) = s->cmd.timer;

	if (timer != NULL) {
		s->cmd.timer = NULL;
		imap_set_deadline(s);
		timer(s);
	} else if ((s->look_ms != 0 || s->alive_ms != 0) && imap_now(s) < s->limit_ms) {
		before_the_limit(s);
	} else if (s->state == NOT_AUTHENTICATED) {
		imap_bye(s, "Login takes too long");
	} else if (s->request != 0 || s->step != NULL || s->cmd.busy) {
		time_anew(s); /* a command is at work */
	} else if (s->arriving_until_ms != 0) {
		imap_bye(s, "Command takes too long to arrive");
	} else {
		imap_bye(s, "Autologout: idle for too long");
	}
	imap_run(s);
}

/* RFC 9051 11.1, RFC 8314: what was said without TLS counts for nothing. */
static void tls_started(struct session *session)
{
	struct imap *s = imap_of(session);

	session->next = NEXT_GO_ON;
	wire_reset(&s->wire);
	s->arriving_until_ms = 0;
	imap_run(s);
}

/* Who says no more may still listen: what was said is answered, then this ends. Of a client that
 * is gone we hear when we write. */
static void eof(struct session *session)
{
	struct imap *s = imap_of(session);

	s->eof = true;
	s->eof_ms = imap_now(s);
	imap_run(s);
}

static void drain_front(struct session *session)
{
	struct imap *s = imap_of(session);

	s->draining = true;
	if (!s->cmd.running || s->cmd.news != NULL)
		imap_bye(s, "This session has to end here, please come back");
	imap_run(s);
}

static void store_lost(struct session *session)
{
	struct imap *s = imap_of(session);

	if (s->state == NOT_AUTHENTICATED) {
		session->store_session = 0;
		return;
	}
	imap_session_is_gone(s);
	look(s);
	imap_run(s);
}

void imap_session_is_gone(struct imap *s)
{
	s->session.store_session = 0;
	s->lost = true;
}

void imap_authenticated(struct imap *s)
{
	s->state = AUTHENTICATED;
	s->session.authenticated = true;
	wire_set_limits(&s->wire, &wire_limits_user);
	imap_set_deadline(s);
}

static struct session *new (
	struct session_host *host, const struct session_peer_info *peer, const struct log *log)
{
	struct imap *s = xmalloc(sizeof *s);

	s->session = (struct session){ .class = &imap_session_class, .host = host, .peer = peer };
	s->session.log = *log;
	buf_init(&s->session.out, LIMIT_SESSION_OUT_BYTES);
	buf_init(&s->line, LIMIT_IMAP_RESPONSE_BYTES);
	buf_init(&s->reply, LIMIT_IMAP_RESPONSE_BYTES);
	arena_init(&s->arena, LIMIT_IMAP_ARENA_BYTES);
	wire_init(&s->wire, &wire_limits_stranger);
	reads_init(&s->reads, s);
	selected_init(s);
	s->state = NOT_AUTHENTICATED;
	s->born_ms = imap_now(s);
	/* greeting = "*" SP (resp-cond-auth / resp-cond-bye) CRLF   RFC 9051 7.1.4 */
	buf_addz(&s->session.out, "* OK [CAPABILITY ");
	capability_add(s, &s->session.out);
	buf_addf(&s->session.out, "] %s Culver is ready\r\n", host->hostname);
	imap_set_deadline(s);
	s->session.idle = true;
	return &s->session;
}

static void free_session(struct session **session)
{
	struct imap *s = *session == NULL ? NULL : imap_of(*session);

	if (s == NULL)
		return;
	if (s->request != 0)
		s->session.host->cancel(s->session.host, &s->session, s->request);
	imap_drop_work(s);
	selected_leave(s);
	notify_free(&s->notify);
	if (s->session.store_session != 0)
		s->session.host->tell(s->session.host, &s->session, ASK_STORE, 0,
			&(struct frame){ .type = FRAME_SESSION_CLOSE,
				.session_close = { s->session.store_session } });
	if (s->state != NOT_AUTHENTICATED)
		log_event(&s->session.log, LOG_INFO, "imap-end",
			"commands=%" PRIu64 " in=%" PRIu64 " appended=%" PRIu64 " fetched=%" PRIu64,
			s->commands, s->bytes_in, s->appended, s->fetched);
	sasl_end(&s->sasl, &s->session);
	mem_wipe(s->ticket, sizeof s->ticket);
	wire_done(&s->wire);
	arena_done(&s->arena);
	buf_done(&s->line);
	buf_done(&s->reply);
	buf_done(&s->session.out);
	free(s);
	*session = NULL;
}

const struct session_class imap_session_class = {
	.name = "imap",
	.refusal = "* BYE Too many connections, please try again later\r\n", /* RFC 9051 7.1.5 */
	.new = new,
	.input = input,
	.answer = answer,
	.notice = notice,
	.resume = resume,
	.timeout = timeout,
	.tls_started = tls_started,
	.eof = eof,
	.drain = drain_front,
	.store_lost = store_lost,
	.free = free_session,
};
