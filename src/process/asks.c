// SPDX-License-Identifier: Apache-2.0
/* Questions on their way: the sessions' side of a front's channels. A session asks; the answer
 * finds it by its request's number. When the peer dies, every question to it is answered `failed`
 * with ERR_TEMP, so that a session never waits for what cannot come. */
#include "process/front_private.h"

#include <stdlib.h>

static struct front *front_of(struct session_host *host)
{
	return CONTAINER_OF(host, struct front, host);
}

static struct conn *conn_of(struct session *s)
{
	return s->host_data;
}

static const int peer_classes[FRONT_PEERS] = { CLASS_STORE, CLASS_GATE, CLASS_COURIER };

static const struct frame peer_is_away = { .type = FRAME_FAILED,
	.failed = { .kind = ERR_TEMP, .text = STR_INIT("service is restarting, try again") } };

/* The end of an upload that its session has not told: the connection is gone, or the store has
 * given it up, and keeps the number for what still comes. */
static void end_upload(struct front_peer *p, const struct ask *a)
{
	static const struct frame abort = { .type = FRAME_UPLOAD_ABORT };
	if (a->uploads && p->channel)
		(void)!channel_send(p->channel, a->request, &abort);
}

static void ask_free(struct front_peer *p, struct ask *a)
{
	end_upload(p, a);
	map_remove_u64(&p->asks, a->request);
	if (a->next)
		a->next->link = a->link;
	*a->link = a->next;
	buf_done(&a->again);
	signer_forget(p->front, &a->upload);
	free(a);
}

/* NULL: there are too many. */
static struct ask *ask_new(struct front_peer *p, struct conn *c, uint32_t request)
{
	struct ask *a = xmalloc(sizeof(*a));
	*a = (struct ask){ .conn = c, .request = request, .peer = p->number, .next = c->asks };
	if (!map_put_u64(&p->asks, request, a)) {
		free(a);
		return NULL;
	}
	a->link = &c->asks;
	if (a->next)
		a->next->link = &a->next;
	c->asks = a;
	return a;
}

/* A number of our own, for a question that will be answered `failed` at the next turn. */
static uint32_t refuse_later(struct front_peer *p, struct conn *c)
{
	struct front *f = p->front;
	struct refused r = { .peer = p->number };
	do {
		f->away_request = f->away_request + 1;
		r.request = f->away_request | 0x80000000u;
	} while (map_get_u64(&p->asks, r.request) != NULL);
	if (ask_new(p, c, r.request) == NULL || !vec_push(&f->refused_asks, &r))
		conn_kill(c);
	front_soon(f);
	return r.request;
}

/* Of our side's (channel_next_request), but none twice from channel to channel: a question may be
 * held for the next one. */
static uint32_t next_request(struct front_peer *p)
{
	do {
		p->request = (p->request + 2) & 0x7fffffffu;
	} while (p->request == 0 || map_get_u64(&p->asks, p->request) != NULL);
	return p->request;
}

static bool put_question(struct front_peer *p, struct ask *a, const struct frame *frame)
{
	if (p->channel == NULL)
		return p->number == ASK_STORE && held_put(p->front, a->request, frame);
	if (p->number == ASK_STORE)
		held_note(a, frame);
	return channel_send(p->channel, a->request, frame);
}

static uint32_t ask(struct session_host *host, struct session *s, enum session_peer peer,
	const struct frame *frame)
{
	struct front_peer *p = &front_of(host)->peers[peer];
	struct conn *c = conn_of(s);
	if (p->asks.n >= LIMIT_FRONT_QUESTIONS)
		return refuse_later(p, c);
	uint32_t request = next_request(p);
	struct ask *a = ask_new(p, c, request);
	if (a == NULL)
		return refuse_later(p, c);
	if (!put_question(p, a, frame)) {
		ask_free(p, a);
		return refuse_later(p, c);
	}
	a->uploads = frame->type == FRAME_UPLOAD_OPEN;
	if (a->uploads)
		a->upload = signer_begin(p->front, request);
	return request;
}

/* A frame that goes with a question. */
static bool send_part(
	struct front_peer *p, struct ask *a, uint32_t request, const struct frame *frame)
{
	struct frame commit;
	if (p->channel == NULL)
		return false; /* the question itself is held */
	if (a != NULL && frame->type == FRAME_UPLOAD_COMMIT) {
		commit = *frame;
		commit.upload_commit.signs = signer_wants(p->front, a->upload);
		frame = &commit;
	}
	if (!channel_send(p->channel, request, frame))
		return false; /* there is no room */
	if (a == NULL)
		return true;
	a->uploads = a->uploads && frame->type != FRAME_UPLOAD_COMMIT &&
		     frame->type != FRAME_UPLOAD_ABORT;
	signer_told(p->front, a->upload, frame);
	return true;
}

static bool tell(struct session_host *host, struct session *s, enum session_peer peer,
	uint32_t request, const struct frame *frame)
{
	struct front_peer *p = &front_of(host)->peers[peer];
	/* A peer that is away has answered, or will: what goes with the question goes nowhere.
	 * Request 0 goes with no question and gets no answer (session_close). */
	struct ask *a = map_get_u64(&p->asks, request);
	if (request & 0x80000000u || (request == 0 ? p->channel == NULL : a == NULL))
		return true;
	if (send_part(p, a, request, frame))
		return true;
	conn_of(s)->wants_room = true;
	return false;
}

static void cancel(struct session_host *host, struct session *s, uint32_t request)
{
	struct front *f = front_of(host);
	for (struct ask *a = conn_of(s)->asks; a; a = a->next) {
		if (a->request == request) {
			ask_free(&f->peers[a->peer], a);
			return;
		}
	}
}

/* ---- what comes back ---- */

static void give(struct front_peer *p, struct ask *a, const struct frame *frame)
{
	struct conn *c = a->conn;
	uint32_t request = a->request;
	if (frame->type == FRAME_DELIVERED)
		signer_delivered(p->front, &a->upload);
	if (frame_ends_answer(frame))
		ask_free(p, a);
	conn_answer(c, request, frame);
}

/* Frames that the store sends of itself go to the session they name. */
static void notice(struct front *f, uint32_t store_session, const struct frame *frame)
{
	struct conn *c = map_get_u64(&f->sessions, store_session);
	if (c == NULL || c->dead || c->session->class->notice == NULL)
		return;
	c->session->class->notice(c->session, frame);
	conn_settle(c);
}

/* Sessions see them when they announce the next time. */
static void take_mechanisms(struct front *f, const struct frame_mechanisms *m)
{
	f->settings.scram_services = m->scram;
	f->settings.legacy_services = m->legacy;
}

/* Whoever asked has gone. What was begun for him would stay, and count: a session as long as this
 * front, an exchange until its time is over. */
static void give_to_nobody(struct front_peer *p, const struct frame *frame)
{
	struct frame end = { .type = FRAME_SESSION_CLOSE };
	if (frame->type == FRAME_SESSION_IS)
		end.session_close.session = frame->session_is.session;
	else if (frame->type == FRAME_CHALLENGE)
		end = (struct frame){ .type = FRAME_EXCHANGE_GO_ON,
			.exchange_go_on = {
				.exchange = frame->challenge.exchange, .cancelled = true } };
	else
		return;
	(void)!channel_send(p->channel, 0, &end);
}

static bool on_frame(void *arg, uint32_t request, const struct frame *frame, int handle)
{
	struct front_peer *p = arg;
	struct ask *a = map_get_u64(&p->asks, request);
	if (handle >= 0)
		return false; /* nobody but the supervisor hands anything over */
	if (frame->type == FRAME_MAILBOX_CHANGED)
		notice(p->front, frame->mailbox_changed.session, frame);
	else if (frame->type == FRAME_ACCOUNT_CHANGED)
		notice(p->front, frame->account_changed.session, frame);
	else if (frame->type == FRAME_SESSION_ENDED)
		notice(p->front, frame->session_ended.session, frame);
	else if (frame->type == FRAME_MECHANISMS && p->number == ASK_GATE)
		take_mechanisms(p->front, &frame->mechanisms);
	else if (a && !a->conn->dead)
		give(p, a, frame);
	else
		give_to_nobody(p, frame);
	return true; /* an answer that nobody wants any more is no offence */
}

void asks_room(struct front_peer *p)
{
	for (struct conn *c = p->front->conns; c; c = c->next)
		if (c->wants_room)
			conn_room(c);
}

static void on_room(void *arg)
{
	asks_room(arg);
}

void asks_refuse(struct front *f, enum session_peer peer, uint32_t request)
{
	struct refused r = { peer, request };
	vec_push(&f->refused_asks, &r);
	front_soon(f);
}

/* Answers everything that was asked of this peer, but for what waits for the next store. Each
 * answer may ask anew, and that goes to the next turn, so only what is there now is taken. */
static void fail_all(struct front_peer *p)
{
	size_t at = 0;
	void *value;
	while (map_next(&p->asks, &at, NULL, &value)) {
		struct ask *a = value;
		if (!(a->request & 0x80000000u) && !held_again(p->front, a))
			asks_refuse(p->front, p->number, a->request);
	}
}

void asks_turn(struct front *f)
{
	struct vec now = f->refused_asks;
	vec_init(&f->refused_asks, sizeof(struct refused), now.max);
	VEC_EACH (struct refused, r, &now) {
		struct front_peer *p = &f->peers[r->peer];
		struct ask *a = map_get_u64(&p->asks, r->request);
		if (a)
			give(p, a, &peer_is_away);
	}
	vec_done(&now);
}

static void tell_sessions(struct front *f)
{
	for (struct conn *c = f->conns; c; c = c->next) {
		if (c->dead || c->session == NULL || c->session->class->store_lost == NULL)
			continue;
		c->session->class->store_lost(c->session);
		conn_settle(c);
	}
}

static void lost(struct front_peer *p, const char *reason)
{
	struct front *f = p->front;
	struct log_text text;
	log_event(&f->base.context->log, LOG_WARN, "peer-lost", "peer=%d why=%s", p->number,
		log_value(&text, str_from(reason)));
	channel_free(&p->channel);
	if (p->number == ASK_STORE) {
		signer_clear(f);
		held_begin(f);
	}
	fail_all(p);
	asks_turn(f);
	if (p->number == ASK_STORE)
		tell_sessions(f);
}

static void on_closed(void *arg, const char *reason)
{
	struct front_peer *p = arg;
	role_channel_closed(p->front->base.context, p->channel);
	lost(p, reason);
}

void asks_set_channel(struct front *f, enum session_peer number, int handle)
{
	struct front_peer *p = &f->peers[number];
	struct channel_events events = {
		.frame = on_frame, .room = on_room, .closed = on_closed, .arg = p
	};
	if (p->channel)
		lost(p, "replaced");
	p->channel = channel_new(f->base.context->loop, handle, f->base.context->row->channel_class,
		peer_classes[number], &events);
	if (number == ASK_STORE)
		held_send(f);
}

/* ---- beginning and end ---- */

void asks_init(struct front *f)
{
	uint8_t key[16];
	struct random_seam *random = f->base.context->seams.random;
	random->fill(random, key, sizeof(key));
	for (unsigned i = 0; i < FRONT_PEERS; i++) {
		f->peers[i].front = f;
		f->peers[i].number = (enum session_peer)i;
		f->peers[i].request = f->base.context->row->channel_class < peer_classes[i] ? 1 : 0;
		/* as many again may be refused within one turn */
		map_init(&f->peers[i].asks, key, 2 * LIMIT_FRONT_QUESTIONS);
	}
	vec_init(&f->refused_asks, sizeof(struct refused), 2 * LIMIT_FRONT_QUESTIONS);
	held_init(f);
	signer_init(f);
	f->host.ask = ask;
	f->host.tell = tell;
	f->host.cancel = cancel;
}

void asks_forget(struct conn *c)
{
	while (c->asks)
		ask_free(&c->front->peers[c->asks->peer], c->asks);
}

void asks_done(struct front *f)
{
	held_done(f);
	signer_done(f);
	for (unsigned i = 0; i < FRONT_PEERS; i++) {
		channel_free(&f->peers[i].channel);
		map_done(&f->peers[i].asks);
	}
	vec_done(&f->refused_asks);
}
