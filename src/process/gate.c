// SPDX-License-Identifier: Apache-2.0
/* The gate: who may come in. It owns the way from a password to a ticket and nothing else: no mail,
 * no private key, no file. Verifiers come from the store when they are needed. */
#include "process/gate_private.h"

#include "auth/derive.h"
#include "base/limits.h"

#include <stdlib.h>

void gate_send(struct gate *g, struct channel *channel, uint32_t request, const struct frame *frame)
{
	if (channel && !channel_send(channel, request, frame))
		log_event(&g->base.context->log, LOG_ERROR, "frame-lost", "frame=%s",
			frame_name((uint16_t)frame->type));
}

/* ---- clients: fronts and commands ---- */

void gate_client_release(struct gate_client *c)
{
	if (c->channel || c->logins)
		return;
	if (c->next)
		c->next->link = c->link;
	*c->link = c->next;
	free(c);
}

static void client_end(struct gate_client *c)
{
	channel_free(&c->channel);
	c->logins++; /* stays until all of its exchanges are gone */
	exchanges_drop(c);
	c->logins--;
	gate_client_release(c);
}

static void client_closed(void *arg, const char *reason)
{
	struct gate_client *c = arg;
	(void)reason;
	role_channel_closed(c->gate->base.context, c->channel);
	client_end(c);
}

static bool client_frame(void *arg, uint32_t request, const struct frame *frame, int handle)
{
	struct gate_client *c = arg;
	if (handle >= 0)
		return false;
	if (frame->type == FRAME_LOGIN)
		login_begin(c, request, &frame->login);
	else if (frame->type == FRAME_EXCHANGE_BEGIN)
		exchange_open(c, request, &frame->exchange_begin);
	else if (frame->type == FRAME_EXCHANGE_GO_ON)
		exchange_go_on(c, request, &frame->exchange_go_on);
	else if (frame->type == FRAME_MAKE_APP_PASSWORD)
		make_app_password(c, request, &frame->make_app_password);
	else if (frame->type == FRAME_MAKE_VERIFIER)
		make_verifier_begin(c, request, &frame->make_verifier);
	else
		return false;
	return true;
}

/* Which a new channel of the same process replaces. */
static struct gate_client *client_of(struct gate *g, uint32_t instance)
{
	struct gate_client *c = g->clients;
	while (c && (c->instance != instance || c->channel == NULL))
		c = c->next;
	return c;
}

static void client_new(struct gate *g, int handle, const struct frame_hand_over *f)
{
	struct gate_client *c = client_of(g, f->instance);
	if (c)
		client_end(c);
	c = xmalloc(sizeof(*c));
	struct channel_events events = { .frame = client_frame, .closed = client_closed, .arg = c };
	*c = (struct gate_client){ .gate = g, .instance = f->instance, .class = f->role };
	c->next = g->clients;
	c->link = &g->clients;
	if (c->next)
		c->next->link = &c->next;
	g->clients = c;
	c->channel = channel_new(g->base.context->loop, handle, CLASS_GATE, c->class, &events);
	channel_set_number(c->channel, f->channel);
	offers_tell(c);
}

/* ---- the store ---- */

static bool store_frame(void *arg, uint32_t request, const struct frame *frame, int handle)
{
	struct gate *g = arg;
	if (handle >= 0)
		return false;
	/* 0: about secrets that nobody waits for */
	if (offers_frame(g, request, frame) || request == 0)
		return true;
	void *login = map_remove_u64(&g->store_asks, request);
	if (login == NULL)
		return false;
	login_credentials(g, login, frame);
	return true;
}

static void store_gone(struct gate *g)
{
	channel_free(&g->store);
	g->offers_request = 0;
	login_held_begin(g);
}

static void store_closed(void *arg, const char *reason)
{
	struct gate *g = arg;
	(void)reason;
	role_channel_closed(g->base.context, g->store);
	store_gone(g);
}

static void store_new(struct gate *g, int handle, uint32_t number)
{
	struct channel_events events = { .frame = store_frame, .closed = store_closed, .arg = g };
	if (g->store)
		store_gone(g);
	g->store = channel_new(g->base.context->loop, handle, CLASS_GATE, CLASS_STORE, &events);
	channel_set_number(g->store, number);
	login_held_send(g);
	offers_ask(g);
}

/* ---- the role ---- */

static bool on_hand_over(struct gate *g, const struct frame_hand_over *f, int handle)
{
	if (handle < 0)
		return false;
	if (str_equal(f->kind, STR("store")))
		store_new(g, handle, f->channel);
	else if (str_equal(f->kind, STR("front")) || str_equal(f->kind, STR("admin")))
		client_new(g, handle, f);
	else
		return false;
	return true;
}

static int derive_all(struct gate *g, const uint8_t master[32], struct err *err)
{
	struct exchange_facts *f = &g->facts;
	if (derive_key(
		    master, "culver gate success cache", g->cache_key, sizeof(g->cache_key), err) ||
		derive_key(
			master, "culver gate app passwords", g->app_key, sizeof(g->app_key), err) ||
		derive_key(master, "culver gate scram stand-in", f->stand_in_key,
			sizeof(f->stand_in_key), err))
		return -1;
	return derive_key(master, "culver gate recoverable secrets", f->sealed_key,
		sizeof(f->sealed_key), err);
}

static int stand_in(struct gate *g, struct err *err)
{
	return exchange_facts_init(&g->facts) ? 0 : fail_log(err, ERR_TEMP, "no memory");
}

static bool on_config(struct gate *g, const struct frame_gate_config *f)
{
	struct err err = ERR_INIT;
	struct log_text text;
	if (f->ticket_key.n != TICKET_KEY_BYTES || f->master_key.n != 32)
		return false;
	memcpy(g->ticket_key, f->ticket_key.p, TICKET_KEY_BYTES);
	bool reload = g->hashers != NULL; /* its keys stay, and so do they */
	struct config *fresh = config_new();
	if (config_read_lines(fresh, f->text, &err) ||
		(!reload && (derive_all(g, (const uint8_t *)f->master_key.p, &err) ||
				    stand_in(g, &err)))) {
		log_event(&g->base.context->log, LOG_ERROR, "config-refused", "why=%s",
			log_value(&text, str_from(err_log_text(&err))));
		config_free(&fresh);
		return false;
	}
	config_free(&g->config);
	g->config = fresh;
	g->facts.hostname = g->config->hostname;
	role_apply_log(g->base.context, g->config);
	return true;
}

static bool gate_frame(struct role *role, const struct frame *frame, int handle)
{
	struct gate *g = CONTAINER_OF(role, struct gate, base);
	if (frame->type == FRAME_GATE_CONFIG)
		return on_config(g, &frame->gate_config);
	if (frame->type == FRAME_HAND_OVER)
		return on_hand_over(g, &frame->hand_over, handle);
	return false;
}

static struct role *gate_new(struct role_context *context)
{
	struct gate *g = xmalloc(sizeof(*g));
	uint8_t key[16];
	context->seams.random->fill(context->seams.random, key, sizeof(key));
	g->base = (struct role){ &gate_role, context };
	g->config = config_new();
	g->throttle = throttle_new(context->seams.random);
	g->users = throttle_new(context->seams.random);
	g->pairs = throttle_new(context->seams.random);
	map_init(&g->store_asks, key, LIMIT_FRONT_QUESTIONS);
	login_held_init(g);
	login_cache_init(g, key);
	g->facts.seams = &context->seams;
	exchanges_init(g);
	offers_init(g);
	return &g->base;
}

static int gate_start(struct role *role, struct err *err)
{
	struct gate *g = CONTAINER_OF(role, struct gate, base);
	(void)err;
	g->hashers = hashers_new(&g->base.context->seams, (unsigned)g->config->hash_workers);
	return 0;
}

static void gate_drain(struct role *role, uint32_t within_ms, uint32_t spread_ms)
{
	(void)within_ms; /* fronts have gone by now: nothing is left to do */
	(void)spread_ms;
	role->context->finish(role->context, 0);
}

static void gate_free(struct role **role)
{
	struct gate *g = CONTAINER_OF(*role, struct gate, base);
	hashers_free(&g->hashers, login_drop);
	login_drop_waiting(g);
	exchanges_done(g);
	offers_done(g);
	while (g->clients) { /* no login is left */
		channel_free(&g->clients->channel);
		gate_client_release(g->clients);
	}
	channel_free(&g->store);
	login_cache_free(g);
	throttle_free(&g->throttle);
	throttle_free(&g->users);
	throttle_free(&g->pairs);
	config_free(&g->config);
	mem_wipe(g->ticket_key, sizeof(g->ticket_key));
	mem_wipe(g->cache_key, sizeof(g->cache_key));
	mem_wipe(g->app_key, sizeof(g->app_key));
	mem_wipe(&g->facts, sizeof(g->facts));
	free(g);
	*role = NULL;
}

const struct role_class gate_role = {
	.new = gate_new,
	.frame = gate_frame,
	.start = gate_start,
	.drain = gate_drain,
	.free = gate_free,
};
