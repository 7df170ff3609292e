// SPDX-License-Identifier: Apache-2.0
/*
 * Streams (see stream.h): a client's connection, plain, then perhaps TLS, then closing.
 *
 * All work is done in one function, stream_work(), when the loop says that the link is ready or at
 * the turn's timer; what the owner calls only notes what is wanted. So events never come from
 * inside a call of the owner's, and the owner may free the stream inside of any event.
 */
#include "io/stream.h"

#include "base/limits.h"
#include "io/squeeze.h"
#include "io/tls.h"

#include <errno.h>

enum {
	READ_BYTES = 16 * 1024, /* at first, and one TLS record */
	ROUNDS = 4,             /* reads and writes of one stream a turn */
};

enum phase {
	PHASE_PLAIN,
	PHASE_STARTING, /* plaintext replies still leave; then the handshake */
	PHASE_HANDSHAKE,
	PHASE_SECURE,
	PHASE_LINGERING, /* all was sent; what the client still sends is thrown away */
	PHASE_DEAD
};

struct stream {
	struct loop *loop;
	struct link *link;
	struct stream_events on;
	struct tls_server *server; /* or, where we are the client: */
	struct tls_client *client;
	char host[256];
	struct tls_conn *tls;
	char alpn[16];
	struct squeeze *squeeze; /* NULL: what is sent is what was said */
	struct buf packed;       /* input that is still to be expanded */
	struct buf in, out;
	struct timer *timer;
	int64_t deadline_ms; /* of handshake, sending or closing; 0: none */
	const char *late;    /* what failed when it passes */
	const char *failed;
	enum phase phase;
	bool turn;       /* the timer is set for now */
	bool paused;     /* stream_pause */
	bool resumed;    /* stream_resume: offer what is kept */
	bool eof;        /* no input will come */
	bool closing;    /* stream_close */
	bool ended;      /* close_notify is on its way */
	bool full;       /* the link takes no more now */
	bool tls_writes; /* the handshake waits for the link to take bytes */
	bool read_on;    /* bytes wait inside TLS */
	bool fast;       /* the last read filled its room */
	bool expands;    /* there may be more in squeeze than it has handed out */
	bool offering;   /* input() is on the stack, with in as its argument */
	bool busy, freed, told;
};

static int64_t now_ms(const struct stream *s)
{
	return s->loop->clock->monotonic_ms(s->loop->clock);
}

/* Work as soon as the loop turns. */
static void turn_soon(struct stream *s)
{
	if (s->turn || s->phase == PHASE_DEAD || s->busy)
		return;
	s->turn = true;
	s->loop->class->timer_set(s->timer, now_ms(s));
}

static void deadline(struct stream *s, int64_t within_ms, const char *what)
{
	s->deadline_ms = now_ms(s) + within_ms;
	s->late = what;
}

static void stream_fail(struct stream *s, const char *reason)
{
	if (s->failed == NULL)
		s->failed = reason;
}

static bool stopped(const struct stream *s)
{
	return s->freed || s->failed != NULL;
}

/* ---- out ---- */

/* Sends from the front of out, as plaintext or TLS. > 0, 0: not now, -1: dead. */
static ssize_t write_some(struct stream *s, const char *p, size_t n)
{
	if (s->tls == NULL) {
		ssize_t sent = s->loop->class->link_write(s->link, p, n, -1);
		return sent == -EAGAIN ? 0 : sent <= 0 ? -1 : sent;
	}
	size_t sent = 0;
	switch (tls_conn_write(s->tls, p, n, &sent)) {
	case TLS_OK:
		return (ssize_t)sent;
	case TLS_WANT_WRITE:
		return 0;
	case TLS_WANT_READ: /* would be a renegotiation */
	case TLS_END:
	case TLS_FAILED:
		break;
	}
	return -1;
}

static void stream_flush(struct stream *s)
{
	size_t at = 0;
	s->full = false;
	while (at < s->out.n) {
		ssize_t n = write_some(s, s->out.p + at, s->out.n - at);
		if (n < 0) {
			stream_fail(s, "the other side is gone");
			return;
		}
		if (n == 0) {
			s->full = true;
			break;
		}
		at += (size_t)n;
	}
	buf_consume(&s->out, at);
	if (s->closing || s->phase == PHASE_STARTING)
		return; /* their deadlines stand */
	if (!s->full)
		s->deadline_ms = 0;
	else if (at > 0 || s->deadline_ms == 0)
		deadline(s, LIMIT_SEND_STALL_MS, "the client reads nothing");
}

/* Sends, and lets the owner say more as long as the client takes it. */
static void write_out(struct stream *s)
{
	if (s->phase != PHASE_PLAIN && s->phase != PHASE_STARTING && s->phase != PHASE_SECURE)
		return;
	for (int i = 0; i < ROUNDS && s->out.n > 0; i++) {
		stream_flush(s);
		if (stopped(s) || s->out.n > 0)
			return;
		buf_release(&s->out);
		if (s->on.drained != NULL)
			s->on.drained(s->on.arg);
		if (stopped(s))
			return;
	}
}

/* ---- in ---- */

static bool may_read(const struct stream *s)
{
	return !stopped(s) && !s->paused && !s->eof && !s->closing && s->in.n == 0 &&
	       s->packed.n == 0 && !s->expands &&
	       (s->phase == PHASE_PLAIN || s->phase == PHASE_SECURE);
}

static void set_aside(struct stream *s);

/* Offers what is kept, once. */
static void offer(struct stream *s)
{
	enum phase before = s->phase;
	const struct squeeze *squeeze = s->squeeze;
	s->resumed = false;
	if (s->in.n == 0 || s->closing || (before != PHASE_PLAIN && before != PHASE_SECURE))
		return;
	s->offering = true;
	size_t taken = s->on.input(s->on.arg, buf_str(&s->in));
	s->offering = false;
	if (stopped(s))
		return;
	/* S15: STARTTLS was among them: what follows it was never said. */
	if (s->phase != before || s->closing)
		buf_clear(&s->in);
	else
		buf_consume(&s->in, taken < s->in.n ? taken : s->in.n);
	if (s->squeeze != squeeze)
		set_aside(s);
}

/* ---- compression ---- */

static bool may_expand(const struct stream *s)
{
	return !stopped(s) && !s->paused && !s->closing && s->in.n == 0 &&
	       (s->packed.n > 0 || s->expands);
}

/* One piece of what waits in packed. */
static void expand_one(struct stream *s)
{
	size_t used = 0, got = 0;
	char *room = buf_reserve(&s->in, READ_BYTES);
	enum expanded e = squeeze_expand(
		s->squeeze, buf_str(&s->packed), room, READ_BYTES, &used, &got);
	s->expands = e == EXPANDED;
	buf_consume(&s->packed, used);
	buf_used(&s->in, got);
	if (e == EXPANDED_BROKEN || (used == 0 && got == 0 && s->packed.n > 0))
		stream_fail(s, "the client's compressed bytes are broken");
}

/* Expands and offers, a few pieces a turn. */
static void expand(struct stream *s)
{
	for (int i = 0; i < ROUNDS && may_expand(s); i++) {
		expand_one(s);
		if (!stopped(s) && s->in.n > 0)
			offer(s);
	}
	if (s->in.n == 0)
		buf_release(&s->in);
	if (s->packed.n == 0)
		buf_release(&s->packed);
}

/* What the owner has not taken yet is compressed. */
static void set_aside(struct stream *s)
{
	buf_adds(&s->packed, buf_str(&s->in));
	buf_clear(&s->in);
}

void stream_start_compression(struct stream *s)
{
	if (s->squeeze != NULL || (s->phase != PHASE_PLAIN && s->phase != PHASE_SECURE))
		return;
	s->squeeze = squeeze_new();
	if (!s->offering) /* otherwise offer() does */
		set_aside(s);
	turn_soon(s);
}

/* No input will come. */
static void take_eof(struct stream *s)
{
	s->eof = true;
	s->on.eof(s->on.arg);
}

/* Reads into p. > 0, 0: not now; otherwise the end or a failure was noted. */
static ssize_t read_plain(struct stream *s, char *p, size_t n)
{
	ssize_t got = s->loop->class->link_read(s->link, p, n, NULL);
	if (got > 0 || got == -EAGAIN)
		return got > 0 ? got : 0;
	if (got == 0)
		take_eof(s);
	else
		stream_fail(s, "the other side is gone");
	return -1;
}

static ssize_t read_tls(struct stream *s, char *p, size_t n)
{
	size_t got = 0;
	switch (tls_conn_read(s->tls, p, n, &got)) {
	case TLS_OK:
		return (ssize_t)got;
	case TLS_WANT_READ:
	case TLS_WANT_WRITE:
		return 0;
	case TLS_END: /* S19: and nothing is ever read from this link again */
		take_eof(s);
		return -1;
	case TLS_FAILED: /* T11: the end of the connection is not the end of TLS */
		break;
	}
	stream_fail(s, tls_conn_reason(s->tls));
	return -1;
}

static void read_in(struct stream *s)
{
	for (int i = 0; i < ROUNDS && may_read(s); i++) {
		/* as much as may be kept, while a client sends as fast as it is read */
		size_t room_n = s->fast ? LIMIT_STREAM_IN_BYTES : READ_BYTES;
		struct buf *to = s->squeeze ? &s->packed : &s->in;
		if (!s->fast)
			buf_give_memory(&s->loop->spare, to);
		char *room = buf_reserve(to, room_n);
		ssize_t n = s->tls ? read_tls(s, room, room_n) : read_plain(s, room, room_n);
		/* Half a record is no reason to go on: the rest of it wakes the link. */
		s->read_on = n > 0 && s->tls != NULL && tls_conn_pending(s->tls);
		if (n <= 0)
			break;
		s->fast = (size_t)n == room_n;
		buf_used(to, (size_t)n);
		if (s->squeeze)
			expand(s);
		else
			offer(s);
		if (!s->fast && !s->read_on)
			break;
	}
	if (s->in.n == 0 && !s->fast) {
		buf_give_memory(&s->in, &s->loop->spare);
		buf_release(&s->in);
	}
}

/* ---- TLS ---- */

static void tls_begin(struct stream *s)
{
	if (s->out.n > 0)
		return; /* the reply to STARTTLS is plaintext */
	s->phase = PHASE_HANDSHAKE;
	s->tls = s->client ? tls_conn_to(s->client, s->loop, s->link, s->host)
			   : tls_conn_new(s->server, s->loop, s->link, s->alpn[0] ? s->alpn : NULL);
	if (s->tls == NULL)
		stream_fail(s, "no memory for TLS");
}

static void handshake(struct stream *s)
{
	enum tls_result r = tls_conn_handshake(s->tls);
	s->tls_writes = r == TLS_WANT_WRITE;
	if (r == TLS_WANT_READ || r == TLS_WANT_WRITE)
		return;
	if (r != TLS_OK) {
		stream_fail(s, tls_conn_reason(s->tls));
		return;
	}
	buf_clear(&s->in); /* S15 once more: nothing of before crosses this line */
	s->phase = PHASE_SECURE;
	s->deadline_ms = 0;
	s->read_on = true;
	if (s->on.tls_started != NULL)
		s->on.tls_started(s->on.arg);
}

static void start_tls(struct stream *s)
{
	s->phase = PHASE_STARTING;
	if (!s->offering)
		buf_clear(&s->in); /* S15; otherwise offer() does */
	deadline(s, LIMIT_HANDSHAKE_MS, "the TLS handshake took too long");
	turn_soon(s);
}

void stream_start_tls(struct stream *s, struct tls_server *server, const char *alpn)
{
	if (s->phase != PHASE_PLAIN)
		return;
	s->server = tls_server_ref(server);
	snprintf(s->alpn, sizeof(s->alpn), "%s", alpn != NULL ? alpn : "");
	start_tls(s);
}

void stream_start_tls_to(struct stream *s, struct tls_client *client, const char *host)
{
	if (s->phase != PHASE_PLAIN)
		return;
	s->client = tls_client_ref(client);
	snprintf(s->host, sizeof(s->host), "%s", host);
	start_tls(s);
}

void stream_tls_info(const struct stream *s, char version[16], char cipher[64])
{
	version[0] = cipher[0] = '\0';
	if (s->phase == PHASE_SECURE && s->tls != NULL)
		tls_conn_info(s->tls, version, cipher);
}

bool stream_tls_bindings(const struct stream *s, struct session_bindings *ret)
{
	int64_t now_s = s->loop->clock->wall_ms(s->loop->clock) / 1000;
	return s->phase != PHASE_SECURE || s->tls == NULL || tls_conn_bindings(s->tls, now_s, ret);
}

/* ---- the end ---- */

/* All was sent: end TLS, then our side of the connection. The client's last bytes are read and
 * thrown away, since closing on them would be a reset that can overtake our last reply. */
static void close_down(struct stream *s)
{
	if (s->out.n > 0 &&
		(s->phase == PHASE_PLAIN || s->phase == PHASE_STARTING || s->phase == PHASE_SECURE))
		return;
	if (s->phase == PHASE_SECURE && !s->ended) {
		enum tls_result r = tls_conn_end(s->tls);
		s->full = r == TLS_WANT_WRITE;
		if (s->full)
			return;
		s->ended = true;
	}
	s->full = false;
	s->phase = PHASE_LINGERING;
	buf_release(&s->out); /* what was given during a handshake that will not be */
	s->loop->class->link_shutdown(s->link);
}

static void linger(struct stream *s)
{
	char *room = buf_reserve(&s->in, READ_BYTES);
	for (int i = 0; i < ROUNDS && room != NULL; i++) {
		ssize_t n = s->loop->class->link_read(s->link, room, READ_BYTES, NULL);
		if (n == -EAGAIN)
			break;
		if (n <= 0) {
			stream_fail(s, "closed");
			break;
		}
	}
	buf_release(&s->in);
}

void stream_close(struct stream *s)
{
	if (s->closing || s->phase == PHASE_DEAD)
		return;
	s->closing = true;
	deadline(s, LIMIT_CLOSE_MS, "closed");
	turn_soon(s);
}

static void stream_shut(struct stream *s)
{
	s->phase = PHASE_DEAD;
	tls_conn_free(&s->tls);
	squeeze_free(&s->squeeze);
	tls_server_free(&s->server);
	tls_client_free(&s->client);
	s->loop->class->link_free(&s->link);
	s->loop->class->timer_free(&s->timer);
	buf_release(&s->in);
	buf_release(&s->packed);
	buf_release(&s->out);
}

/* ---- the loop calls ---- */

static int wanted(const struct stream *s)
{
	int want = 0;
	if (s->phase == PHASE_LINGERING || s->phase == PHASE_HANDSHAKE || may_read(s))
		want |= LINK_READ;
	if (s->full || s->tls_writes)
		want |= LINK_WRITE;
	return want;
}

/* After the work: what is to be watched, and when to be called again. */
static void stream_settle(struct stream *s)
{
	s->busy = false;
	if (!s->freed && s->failed != NULL && !s->told) {
		/* The text may be the TLS connection's own, which ends here. */
		char why[160];
		snprintf(why, sizeof(why), "%s", s->failed);
		s->told = true;
		stream_shut(s);
		s->busy = true;
		s->on.failed(s->on.arg, why);
		s->busy = false;
	}
	if (s->freed) {
		free(s);
		return;
	}
	if (s->phase == PHASE_DEAD)
		return;
	s->loop->class->link_want(s->link, wanted(s));
	bool more = (s->read_on && may_read(s)) || (s->out.n > 0 && !s->full) ||
		    (s->resumed && s->in.n > 0) || may_expand(s) ||
		    (s->closing && s->phase < PHASE_LINGERING && !s->full);
	/* A handshake's own bytes wait for nothing. */
	if (s->phase == PHASE_HANDSHAKE)
		more = false;
	s->turn = more || s->phase == PHASE_STARTING;
	if (s->phase == PHASE_STARTING && s->full)
		s->turn = false;
	s->loop->class->timer_set(s->timer, s->turn ? now_ms(s) : s->deadline_ms);
}

static void stream_work(struct stream *s, int events)
{
	s->busy = true;
	s->turn = false;
	if (s->deadline_ms != 0 && now_ms(s) >= s->deadline_ms)
		stream_fail(s, s->late);
	if (!stopped(s) && s->phase == PHASE_LINGERING)
		linger(s);
	if (!stopped(s) && (!s->full || events & LINK_WRITE))
		write_out(s);
	if (!stopped(s) && s->phase == PHASE_STARTING && !s->closing)
		tls_begin(s);
	if (!stopped(s) && s->phase == PHASE_HANDSHAKE && !s->closing)
		handshake(s);
	if (!stopped(s) && s->resumed)
		offer(s);
	if (!stopped(s) && s->squeeze)
		expand(s);
	if (!stopped(s) && (events & LINK_READ || s->read_on))
		read_in(s);
	if (!stopped(s) && !s->full)
		write_out(s); /* the answers to what was read */
	if (!stopped(s) && s->closing && s->phase != PHASE_LINGERING)
		close_down(s);
	stream_settle(s);
}

static void stream_ready(void *arg, int events)
{
	stream_work(arg, events);
}

static void stream_turn(void *arg)
{
	stream_work(arg, 0);
}

/* ---- what the owner calls ---- */

void stream_send(struct stream *s, struct buf *out)
{
	if (s->phase == PHASE_DEAD || s->phase == PHASE_LINGERING || out->n == 0) {
		buf_clear(out);
		return;
	}
	size_t n = buf_room(&s->out) < out->n ? buf_room(&s->out) : out->n;
	if (s->squeeze)
		n = squeeze_add(s->squeeze, buf_str(out), &s->out);
	else
		buf_add(&s->out, out->p, n);
	buf_consume(out, n);
	if (!s->full)
		turn_soon(s);
}

size_t stream_unsent(const struct stream *s)
{
	return s->out.n;
}

void stream_resume(struct stream *s)
{
	s->resumed = true;
	turn_soon(s);
}

void stream_pause(struct stream *s, bool on)
{
	if (s->paused == on)
		return;
	s->paused = on;
	turn_soon(s);
}

struct stream *stream_new(struct loop *loop, int handle, const struct stream_events *events)
{
	struct stream *s = xmalloc(sizeof(*s));
	s->loop = loop;
	s->loop->spare.max = READ_BYTES;
	s->on = *events;
	buf_init(&s->in, LIMIT_STREAM_IN_BYTES);
	buf_init(&s->packed, LIMIT_STREAM_IN_BYTES);
	buf_init(&s->out, LIMIT_STREAM_OUT_BYTES);
	s->timer = loop->class->timer_new(loop, stream_turn, s);
	s->link = loop->class->link_new(
		loop, handle, &(struct link_events){ .ready = stream_ready, .arg = s });
	if (s->link == NULL)
		stream_fail(s, "no link");
	turn_soon(s);
	return s;
}

void stream_free(struct stream **stream)
{
	struct stream *s = *stream;
	if (s == NULL)
		return;
	*stream = NULL;
	if (s->phase != PHASE_DEAD)
		stream_shut(s);
	s->freed = true;
	if (!s->busy)
		free(s);
}
