// SPDX-License-Identifier: Apache-2.0
/* One client's connection: the stream below, the session above, and what each wants of the other.
 */
#include "process/front_private.h"

#include "auth/throttle.h"
#include "base/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- counting by address ---- */

static bool count_address(struct front *f, const char *key, int change)
{
	struct str k = str_from(key);
	uintptr_t n = (uintptr_t)map_get(&f->per_address, k);
	if (change < 0) {
		if (n > 1)
			return map_put(&f->per_address, k, (void *)(n - 1));
		map_remove(&f->per_address, k);
		return true;
	}
	return n < f->settings.sessions_per_address && map_put(&f->per_address, k, (void *)(n + 1));
}

/* ---- strangers ---- */

static int64_t now(const struct front *f)
{
	return f->base.context->loop->clock->monotonic_ms(f->base.context->loop->clock);
}

static void stranger_comes(struct conn *c)
{
	struct front *f = c->front;
	c->stranger = true;
	c->came_ms = now(f);
	c->younger = NULL;
	c->older = f->youngest;
	*(f->youngest ? &f->youngest->younger : &f->oldest) = c;
	f->youngest = c;
}

/* It has logged in, or goes. */
static void no_stranger(struct conn *c)
{
	struct front *f = c->front;
	if (!c->stranger)
		return;
	c->stranger = false;
	*(c->older ? &c->older->younger : &f->oldest) = c->younger;
	*(c->younger ? &c->younger->older : &f->youngest) = c->older;
}

/* Whose message is being kept stays. Where nobody logs in, who brings a message at the least rate
 * that we stand counts as one who has only just come. */
static void look_at_stranger(struct conn *c)
{
	const struct session *s = c->session;
	if (s->authenticated || s->keeping) {
		no_stranger(c);
	} else if (!c->stranger || s->brought - c->brought >= LIMIT_STRANGER_BYTES) {
		no_stranger(c);
		stranger_comes(c);
		c->brought = s->brought;
	}
}

/* X4: places are for those who log in, and on port 25 for those who bring mail. Where all are
 * taken, who has had the time for it and has not done it makes room for the next; so a flood of
 * connections keeps nobody out who knows a password, and never costs a session that has logged in.
 * It is freed at the next turn, so a front may hold a few more than its limit for that long. False:
 * nobody has been a stranger for long enough. */
static bool stranger_gives_way(struct front *f)
{
	struct conn *c = f->oldest;
	if (c == NULL || now(f) - c->came_ms < LIMIT_STRANGER_STAY_MS)
		return false;
	conn_drain(c, false);
	conn_kill(c);
	return true;
}

/* ---- the session's wishes ---- */

/* A client that takes nothing is waited for, but not with a login that has ended (A8). */
static int64_t deadline_of(struct conn *c, const struct loop *loop)
{
	if (c->session->next != NEXT_CLOSE || !c->session->cut)
		return c->session->deadline_ms;
	if (c->cut_ms == 0)
		c->cut_ms = loop->clock->monotonic_ms(loop->clock) + LIMIT_CUT_MS;
	return c->cut_ms;
}

static void set_deadline(struct conn *c)
{
	struct loop *loop = c->front->base.context->loop;
	int64_t deadline_ms = deadline_of(c, loop);
	if (deadline_ms == c->deadline_ms)
		return;
	c->deadline_ms = deadline_ms;
	loop->class->timer_set(c->deadline, c->deadline_ms);
}

/* Keeps the way from a store session's number to its connection. */
static void note_store_session(struct conn *c, uint32_t number)
{
	if (number == c->store_session)
		return;
	if (c->store_session && map_get_u64(&c->front->sessions, c->store_session) == c)
		map_remove_u64(&c->front->sessions, c->store_session);
	c->store_session = number;
	if (number && !map_put_u64(&c->front->sessions, number, c))
		conn_kill(c);
}

static void end_session(struct conn *c)
{
	asks_forget(c);
	note_store_session(c, 0);
	if (c->session)
		c->session->class->free(&c->session);
}

static void end_and_close(struct conn *c)
{
	c->closing = true;
	end_session(c);
	stream_close(c->stream);
}

static void do_next(struct conn *c)
{
	struct session *s = c->session;
	if (s->out.n > 0 || stream_unsent(c->stream) > 0)
		return; /* first what was said */
	if (s->next == NEXT_CLOSE) {
		/* The session ends here, not when the client has closed too: what it holds in the
		 * store (a POP3 maildrop) is free for the next. */
		end_and_close(c);
	} else if (s->next == NEXT_START_TLS) {
		s->next = NEXT_GO_ON;
		c->handshaking = true;
		stream_start_tls(c->stream, c->front->tls.server, c->service->alpn);
	} else if (s->next == NEXT_COMPRESS) {
		s->next = NEXT_GO_ON;
		stream_start_compression(c->stream);
		stream_resume(c->stream);
		/* it took no input meanwhile, nor the end of it */
		s->class->resume(s);
		conn_settle(c);
	}
}

/* Answers to a group of commands go out as one. */
static bool is_gathering(const struct conn *c)
{
	const struct session *s = c->session;
	return s->gathers && c->unread && s->next == NEXT_GO_ON && s->out.n < SESSION_GATHER_BYTES;
}

void conn_settle(struct conn *c)
{
	if (c->dead || c->closing || c->session == NULL)
		return;
	if (!is_gathering(c))
		stream_send(c->stream, &c->session->out);
	if (c->dead)
		return;
	note_store_session(c, c->session->store_session);
	look_at_stranger(c);
	set_deadline(c);
	if (c->session->next != NEXT_GO_ON)
		do_next(c);
}

static void go_on(struct conn *c)
{
	conn_settle(c);
	if (!c->dead && !c->closing && c->session && c->session->next == NEXT_GO_ON)
		stream_resume(c->stream);
}

void conn_answer(struct conn *c, uint32_t request, const struct frame *frame)
{
	if (c->dead || c->closing)
		return;
	c->session->class->answer(c->session, request, frame);
	go_on(c);
}

void conn_room(struct conn *c)
{
	c->wants_room = false;
	if (c->dead || c->closing)
		return;
	c->session->class->resume(c->session);
	go_on(c);
}

void conn_drain(struct conn *c, bool patient)
{
	if (c->dead || c->closing)
		return;
	c->drained = true;
	if (c->session == NULL || c->handshaking) {
		if (!patient)
			conn_kill(c);
		return;
	}
	c->session->class->drain(c->session);
	conn_settle(c);
}

/* ---- the stream's events ---- */

static void new_session(struct conn *c)
{
	struct front *f = c->front;
	struct log log;
	log_child(&log, &f->base.context->log, "session=%" PRIu64, c->id);
	c->session = c->service->session->new (&f->host, &c->peer, &log);
	c->session->host_data = c;
	go_on(c);
}

/* How a request begins that a browser was tricked into sending (T4), and that no command of ours
 * does: HTTP/1's request line and HTTP/2's preface. */
static const char *const http_beginnings[] = { "GET /", "GET http", "POST /", "POST http", "HEAD /",
	"PUT /", "DELETE /", "OPTIONS /", "OPTIONS *", "PATCH /", "TRACE /", "PRI * HTTP" };

enum is_http { HTTP_NO, HTTP_MAYBE, HTTP_YES };

static enum is_http looks_like_http(struct str bytes)
{
	enum is_http is = HTTP_NO;
	for (size_t i = 0; i < ARRAY_LEN(http_beginnings); i++) {
		struct str b = str_from(http_beginnings[i]);
		if (str_starts_nocase(bytes, b))
			return HTTP_YES;
		if (str_starts_nocase(b, bytes))
			is = HTTP_MAYBE; /* the rest of it has not come */
	}
	return is;
}

/* Looks at the first bytes that a client says, however they are cut. True: they are for its
 * session, which answers nothing before a line is whole. */
static bool may_speak(struct conn *c, struct str bytes)
{
	char said[sizeof(c->first)];
	size_t more = sizeof(said) - c->first_n;
	if (c->has_spoken)
		return true;
	more = bytes.n < more ? bytes.n : more;
	memcpy(said, c->first, c->first_n);
	memcpy(said + c->first_n, bytes.p, more);
	enum is_http is = looks_like_http(str_make(said, c->first_n + more));
	c->has_spoken = is == HTTP_NO;
	if (is != HTTP_YES)
		return true;
	/* without a word, so that nothing of the request comes back */
	log_event(&c->session->log, LOG_INFO, "http-refused", "peer=%s service=%s", c->peer.address,
		c->service->name);
	end_and_close(c);
	return false;
}

static void note_first(struct conn *c, struct str bytes)
{
	size_t more = sizeof(c->first) - c->first_n;
	more = bytes.n < more ? bytes.n : more;
	memcpy(c->first + c->first_n, bytes.p, more);
	c->first_n += more;
}

static size_t on_input(void *arg, struct str bytes)
{
	struct conn *c = arg;
	if (c->dead || c->closing || c->session == NULL || !may_speak(c, bytes))
		return 0;
	size_t n = c->session->class->input(c->session, bytes);
	if (!c->has_spoken)
		note_first(c, str_sub(bytes, 0, n));
	c->unread = n < bytes.n;
	conn_settle(c);
	return n;
}

static void on_drained(void *arg)
{
	struct conn *c = arg;
	if (c->dead || c->closing || c->session == NULL)
		return;
	if (c->session->next == NEXT_GO_ON)
		c->session->class->resume(c->session);
	go_on(c);
}

static void on_tls_started(void *arg)
{
	struct conn *c = arg;
	if (c->dead || c->closing)
		return;
	c->handshaking = false;
	c->peer.tls = true;
	stream_tls_info(c->stream, c->peer.tls_version, c->peer.tls_cipher);
	if (c->service->peer_class == CLASS_USER &&
		!stream_tls_bindings(c->stream, &c->peer.bindings)) {
		conn_kill(c); /* without them a right login would be a wrong one */
		return;
	}
	if (c->session == NULL) {
		new_session(c);
	} else {
		c->session->class->tls_started(c->session);
		go_on(c);
	}
	if (c->drained) /* while its handshake was under way */
		conn_drain(c, false);
}

static void on_eof(void *arg)
{
	struct conn *c = arg;
	if (c->dead || c->closing)
		return;
	if (c->session == NULL) {
		conn_kill(c);
		return;
	}
	c->session->class->eof(c->session);
	conn_settle(c);
}

static void on_failed(void *arg, const char *reason)
{
	struct conn *c = arg;
	struct log_text text;
	log_event(c->session ? &c->session->log : &c->front->base.context->log, LOG_DEBUG,
		"connection-ended", "peer=%s service=%s why=%s", c->peer.address, c->service->name,
		log_value(&text, str_from(reason)));
	conn_kill(c);
}

static void on_deadline(void *arg)
{
	struct conn *c = arg;
	/* deadline_ms stays what it was: a session that sets no other is not called again at once.
	 */
	if (c->dead || c->closing || c->session == NULL)
		return;
	if (c->handshaking || c->cut_ms != 0) {
		conn_kill(c);
		return;
	}
	c->session->class->timeout(c->session);
	go_on(c);
}

/* ---- beginning and end ---- */

static bool may_come_in(struct front *f, const char *key, bool loopback)
{
	if (f->draining || (!loopback && !count_address(f, key, 1)))
		return false;
	if (f->conns_n < f->settings.sessions || stranger_gives_way(f))
		return true;
	if (!loopback)
		count_address(f, key, -1);
	return false;
}

/* Who finds no room hears so in the protocol's words, as far as the system takes them at once, and
 * nothing is kept of the connection: a flood of them costs no memory and no time. Where TLS comes
 * first nothing can be said without a handshake, which is what there is no room for. */
static void turn_away(const struct front_listener *l, int handle)
{
	static const struct link_events none = { 0 }; /* nothing is wanted */
	struct loop *loop = l->front->base.context->loop;
	struct str text = str_from(l->service->session->refusal);
	if (l->service->implicit_tls) {
		loop->class->handle_close(loop, handle);
		return;
	}
	struct link *link = loop->class->link_new(loop, handle, &none);
	while (link != NULL && text.n > 0) {
		ssize_t n = loop->class->link_write(link, text.p, text.n, -1);
		if (n <= 0)
			break;
		text = str_from_offset(text, (size_t)n);
	}
	if (link != NULL)
		loop->class->link_shutdown(link);
	loop->class->link_free(&link);
}

static void describe(struct conn *c, int handle, const char *address, uint16_t port)
{
	struct loop *loop = c->front->base.context->loop;
	snprintf(c->peer.address, sizeof(c->peer.address), "%s", address);
	snprintf(c->peer.service, sizeof(c->peer.service), "%s", c->service->name);
	c->peer.port = port;
	c->peer.loopback = throttle_is_loopback(str_from(address));
	loop->class->handle_local_address(loop, handle, c->peer.local);
}

void conn_accept(struct front_listener *l, int handle, const char *address, uint16_t port)
{
	struct front *f = l->front;
	struct loop *loop = f->base.context->loop;
	struct conn *c = xmalloc(sizeof(*c));
	struct stream_events events = { .input = on_input,
		.drained = on_drained,
		.tls_started = on_tls_started,
		.eof = on_eof,
		.failed = on_failed,
		.arg = c };
	c->front = f;
	c->service = l->service;
	c->id = ++f->next_id;
	describe(c, handle, address, port);
	snprintf(c->address_key, sizeof(c->address_key), "%" STR_FMT,
		STR_ARG(throttle_client(str_from(address))));
	if (!may_come_in(f, c->address_key, c->peer.loopback)) {
		turn_away(l, handle);
		free(c);
		return;
	}
	f->conns_n++;
	f->served++;
	c->next = f->conns;
	c->link = &f->conns;
	if (c->next)
		c->next->link = &c->next;
	f->conns = c;
	stranger_comes(c);
	c->deadline = loop->class->timer_new(loop, on_deadline, c);
	c->stream = stream_new(loop, handle, &events);
	if (!c->service->implicit_tls)
		new_session(c);
	else if (f->tls.server)
		stream_start_tls(c->stream, f->tls.server, c->service->alpn);
	else
		conn_kill(c);
}

void conn_expire(struct conn *c)
{
	if (c->dead || c->closing || c->session == NULL || c->handshaking)
		return;
	c->session->class->drain(c->session);
	conn_settle(c);
}

void conn_kill(struct conn *c)
{
	if (c->dead)
		return;
	c->dead = true;
	no_stranger(c);
	c->next_dead = c->front->dead;
	c->front->dead = c;
	front_soon(c->front);
}

void conn_free(struct conn *c)
{
	struct front *f = c->front;
	end_session(c);
	no_stranger(c);
	f->base.context->loop->class->timer_free(&c->deadline);
	stream_free(&c->stream);
	if (!c->peer.loopback)
		count_address(f, c->address_key, -1);
	if (c->next)
		c->next->link = c->link;
	*c->link = c->next;
	f->conns_n--;
	free(c);
}
