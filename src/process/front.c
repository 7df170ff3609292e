// SPDX-License-Identifier: Apache-2.0
/* A front: many connections of many protocols, and the channels to whom they ask. It opens no file,
 * makes no socket, holds no key. One code for every class; the supervisor's listeners decide which.
 */
#include "process/front_private.h"

#include "base/limits.h"
#include "imap/answers.h"

#include <stdio.h>
#include <stdlib.h>

void front_soon(struct front *f)
{
	struct loop *loop = f->base.context->loop;
	loop->class->timer_set(f->soon, loop->clock->monotonic_ms(loop->clock));
}

static void finish_when_empty(struct front *f)
{
	if (f->draining && f->conns == NULL)
		f->base.context->finish(f->base.context, 0);
}

static void on_soon(void *arg)
{
	struct front *f = arg;
	asks_turn(f);
	while (f->dead) {
		struct conn *c = f->dead;
		f->dead = c->next_dead;
		conn_free(c);
	}
	finish_when_empty(f);
}

/* ---- configuration ---- */

static void apply_settings(struct front *f)
{
	struct front_settings *s = &f->settings;
	snprintf(s->hostname, sizeof(s->hostname), "%s", f->config->hostname);
	s->plaintext_auth_loopback = f->config->loopback;
	s->message_bytes = (uint64_t)f->config->message_bytes;
	s->recipients = (uint32_t)f->config->recipients;
	s->sessions = (uint32_t)f->config->sessions;
	s->sessions_per_address = (uint32_t)f->config->sessions_per_address;
	s->pop3_login_delay_s = (uint32_t)f->config->pop3_login_delay_s;
	s->submission_plus = f->config->submission_plus;
	s->pop3_surrogates = f->config->pop3_surrogates;
	s->imap_hide = f->config->imap_hide;
	s->imap_hide_known = f->config->imap_hide_known;
	role_apply_log(f->base.context, f->config);
	front_tls_configured(f);
}

/* A configuration that does not parse leaves the old one in force (X8). */
static bool on_config(struct front *f, const struct frame_front_config *frame)
{
	struct err err = ERR_INIT;
	struct config *c = config_new();
	struct log_text text;
	if (config_read_lines(c, frame->text, &err)) {
		log_event(&f->base.context->log, LOG_ERROR, "config-refused", "why=%s",
			log_value(&text, str_from(err_log_text(&err))));
		config_free(&c);
		return true;
	}
	config_free(&f->config);
	f->config = c;
	apply_settings(f);
	return true;
}

/* ---- what is handed over ---- */

static void on_accepted(void *arg, int handle, const char *address, uint16_t port)
{
	conn_accept(arg, handle, address, port);
}

static void listen_on(struct front *f, const struct service_row *service, int handle)
{
	struct loop *loop = f->base.context->loop;
	struct front_listener *l = xmalloc(sizeof(*l));
	*l = (struct front_listener){ .front = f, .service = service };
	l->listener = loop->class->listener_new(loop, handle, on_accepted, l);
	vec_push(&f->listeners, &l);
}

static void connect_peer(
	struct front *f, enum session_peer peer, const struct frame_hand_over *frame, int handle)
{
	asks_set_channel(f, peer, handle);
	channel_set_number(f->peers[peer].channel, frame->channel);
}

static bool on_hand_over(struct front *f, const struct frame_hand_over *frame, int handle)
{
	const struct service_row *service = service_row_named(frame->kind);
	if (handle < 0)
		return false;
	if (service && service->peer_class == f->base.context->row->channel_class)
		listen_on(f, service, handle);
	else if (str_equal(frame->kind, STR("store")))
		connect_peer(f, ASK_STORE, frame, handle);
	else if (str_equal(frame->kind, STR("gate")))
		connect_peer(f, ASK_GATE, frame, handle);
	else if (str_equal(frame->kind, STR("courier")))
		connect_peer(f, ASK_COURIER, frame, handle);
	else
		return front_tls_hand_over(f, frame, handle);
	return true;
}

static bool front_frame(struct role *role, const struct frame *frame, int handle)
{
	struct front *f = CONTAINER_OF(role, struct front, base);
	switch ((int)frame->type) {
	case FRAME_FRONT_CONFIG:
		return on_config(f, &frame->front_config);
	case FRAME_FRONT_CERTIFICATE:
		return front_tls_certificate(f, &frame->front_certificate);
	case FRAME_USE_CERTIFICATES:
		return front_tls_use(f, &frame->use_certificates);
	case FRAME_HAND_OVER:
		return on_hand_over(f, &frame->hand_over, handle);
	default:
		return false;
	}
}

/* ---- life ---- */

static struct role *front_new(struct role_context *context)
{
	struct front *f = xmalloc(sizeof(*f));
	struct loop *loop = context->loop;
	uint8_t key[16];
	context->seams.random->fill(context->seams.random, key, sizeof(key));
	f->base = (struct role){ &front_role, context };
	f->config = config_new();
	f->host.seams = &context->seams;
	f->host.settings = &f->settings;
	f->host.hostname = f->settings.hostname;
	f->host.instance = context->instance;
	f->host.answers = answers_new(key, LIMIT_IMAP_ANSWERS_BYTES);
	map_init(&f->sessions, key, LIMIT_PEER_SESSIONS);
	map_init(&f->per_address, key, LIMIT_FRONT_ADDRESSES);
	vec_init(&f->listeners, sizeof(struct front_listener *), 256);
	f->soon = loop->class->timer_new(loop, on_soon, f);
	front_tls_init(f);
	apply_settings(f);
	asks_init(f);
	return &f->base;
}

static void stop_listening(struct front *f)
{
	struct loop *loop = f->base.context->loop;
	VEC_EACH (struct front_listener *, l, &f->listeners) {
		loop->class->listener_free(&(*l)->listener);
		free(*l);
	}
	vec_clear(&f->listeners);
}

/* ---- leaving ---- */

enum { GOODBYE_MS = 50, LAST_WORDS_MS = 500 };

static int64_t now(const struct front *f)
{
	return f->base.context->loop->clock->monotonic_ms(f->base.context->loop->clock);
}

/* Who is here still is told, and has a moment to read it. */
static void on_drain_end(void *arg)
{
	struct front *f = arg;
	if (now(f) >= f->drain_end_ms) {
		f->base.context->finish(f->base.context, 0);
		return;
	}
	for (struct conn *c = f->conns; c; c = c->next)
		conn_expire(c);
	f->base.context->loop->class->timer_set(f->drain_end, f->drain_end_ms);
}

/* The oldest first: who has just come may be about to do what they came for. The list begins with
 * the youngest. */
static void say_goodbyes(void *arg)
{
	struct front *f = arg;
	int64_t left_ms = f->drain_from_ms + f->spread_ms - now(f);
	size_t stay = left_ms > 0 ? f->drain_conns * (size_t)left_ms / (size_t)f->spread_ms : 0;
	for (struct conn *c = f->conns; c; c = c->next) {
		if (c->drained || c->dead || c->closing)
			continue;
		if (stay > 0)
			stay--;
		else
			conn_drain(c, f->spread_ms > 0);
	}
	if (left_ms > 0)
		f->base.context->loop->class->timer_set(f->drain_next, now(f) + GOODBYE_MS);
	front_soon(f);
}

/* Stops accepting, lets every session say goodbye in its protocol's way, and leaves no later than
 * the deadline. */
static void front_drain(struct role *role, uint32_t within_ms, uint32_t spread_ms)
{
	struct front *f = CONTAINER_OF(role, struct front, base);
	struct loop *loop = f->base.context->loop;
	int64_t last = within_ms < 2 * LAST_WORDS_MS ? within_ms / 2 : LAST_WORDS_MS;
	f->drain_from_ms = now(f);
	f->drain_end_ms = f->drain_from_ms + within_ms;
	f->spread_ms = spread_ms;
	f->drain_conns = f->conns_n;
	if (!f->draining) {
		stop_listening(f);
		f->drain_end = loop->class->timer_new(loop, on_drain_end, f);
		f->drain_next = loop->class->timer_new(loop, say_goodbyes, f);
	}
	f->draining = true;
	loop->class->timer_set(f->drain_end, f->drain_end_ms - last);
	say_goodbyes(f);
}

static void front_free(struct role **role)
{
	struct front *f = CONTAINER_OF(*role, struct front, base);
	struct loop *loop = f->base.context->loop;
	stop_listening(f);
	while (f->conns)
		conn_free(f->conns);
	asks_done(f);
	answers_free(&f->host.answers);
	front_tls_done(f);
	map_done(&f->sessions);
	map_done(&f->per_address);
	vec_done(&f->listeners);
	loop->class->timer_free(&f->soon);
	if (f->draining) {
		loop->class->timer_free(&f->drain_end);
		loop->class->timer_free(&f->drain_next);
	}
	config_free(&f->config);
	free(f);
	*role = NULL;
}

const struct role_class front_role = {
	.new = front_new,
	.frame = front_frame,
	.drain = front_drain,
	.free = front_free,
};
