// SPDX-License-Identifier: Apache-2.0
/* The store's process: channels on one side, the store's own threads on the other. */
#include "store/store.h"

#include "base/time.h"
#include "base/vec.h"
#include "process/role.h"
#include "store/distrust.h"

#include <stdio.h>
#include <stdlib.h>

enum { READERS = 2 };

struct store_client;
struct store_role {
	struct role base;
	struct config *config;
	struct store_settings settings;
	char directory[1025];
	struct files_seam *files;
	struct store *store;
	struct store_client *clients;
	struct timer *soon; /* clients that are gone; waiting to be idle */
	struct timer *upkeep;
	bool draining;
};

struct store_client {
	struct store_role *role;
	struct channel *channel;
	struct store_peer *peer;
	struct timer *rest; /* between the portions of a large answer */
	int class;
	uint32_t instance;
	bool dead;
	struct store_client *next;
};

static bool send_reply(void *arg, uint32_t request, const struct frame *frame)
{
	struct store_client *c = arg;
	return c->channel == NULL || channel_send(c->channel, request, frame);
}

static void soon(struct store_role *r)
{
	struct loop *loop = r->base.context->loop;
	loop->class->timer_set(r->soon, loop->clock->monotonic_ms(loop->clock));
}

static bool client_frame(void *arg, uint32_t request, const struct frame *frame, int handle)
{
	struct store_client *c = arg;
	/* Who drains begins nothing: what is asked now ends with the channel, and its asker knows.
	 */
	if (c->role->draining)
		return handle < 0;
	return handle < 0 && c->peer && store_peer_frame(c->peer, request, frame);
}

static void client_room(void *arg)
{
	struct store_client *c = arg;
	if (c->peer)
		store_peer_room(c->peer);
}

static void rested(void *arg)
{
	struct store_client *c = arg;
	if (c->peer)
		store_peer_rested(c->peer);
}

/* A millisecond: libuv calls a timer that is due at once in the same turn. */
static void rest(void *arg)
{
	struct store_client *c = arg;
	struct loop *loop = c->role->base.context->loop;
	loop->class->timer_set(c->rest, loop->clock->monotonic_ms(loop->clock) + 1);
}

static void client_closed(void *arg, const char *reason)
{
	struct store_client *c = arg;
	struct log_text text;
	log_event(&c->role->base.context->log, LOG_DEBUG, "channel-closed", "class=%d why=%s",
		c->class, log_value(&text, str_from(reason)));
	role_channel_closed(c->role->base.context, c->channel);
	c->dead = true;
	soon(c->role);
}

static void attach(struct store_client *c)
{
	struct store_replies replies = { .send = send_reply, .rest = rest, .arg = c };
	c->peer = store_peer_add(c->role->store, c->class, c->instance, &replies);
}

static void client_free(struct store_client *c)
{
	store_peer_remove(&c->peer);
	channel_free(&c->channel);
	c->role->base.context->loop->class->timer_free(&c->rest);
	free(c);
}

/* A new channel of the same process replaces the one before: what a session of that holds, such as
 * a maildrop, is free before it is asked for again. */
static void client_replace(struct store_role *r, uint32_t instance)
{
	for (struct store_client **at = &r->clients; *at; at = &(*at)->next) {
		struct store_client *c = *at;
		if (c->instance != instance)
			continue;
		*at = c->next;
		client_free(c);
		return;
	}
}

static void client_new(struct store_role *r, int handle, const struct frame_hand_over *f)
{
	client_replace(r, f->instance);
	struct store_client *c = xmalloc(sizeof(*c));
	struct channel_events events = {
		.frame = client_frame, .room = client_room, .closed = client_closed, .arg = c
	};
	*c = (struct store_client){ .role = r, .class = f->role, .instance = f->instance };
	c->rest = r->base.context->loop->class->timer_new(r->base.context->loop, rested, c);
	c->next = r->clients;
	r->clients = c;
	if (r->store)
		attach(c);
	c->channel = channel_new(r->base.context->loop, handle, CLASS_STORE, c->class, &events);
	channel_set_number(c->channel, f->channel);
}

static void finish_when_idle(struct store_role *r)
{
	struct loop *loop = r->base.context->loop;
	if (!r->draining)
		return;
	if (r->store == NULL || store_is_idle(r->store))
		r->base.context->finish(r->base.context, 0);
	else
		loop->class->timer_set(r->soon, loop->clock->monotonic_ms(loop->clock) + 10);
}

static void on_soon(void *arg)
{
	struct store_role *r = arg;
	for (struct store_client **at = &r->clients; *at;) {
		struct store_client *c = *at;
		if (c->dead) {
			*at = c->next;
			client_free(c);
		} else {
			at = &c->next;
		}
	}
	finish_when_idle(r);
}

/* Once a minute, or as often as the upkeep wants while it is at work. */
static void on_upkeep(void *arg)
{
	enum { MOST_MS = 60000 };
	struct store_role *r = arg;
	struct loop *loop = r->base.context->loop;
	if (r->store == NULL || r->draining)
		return;
	int64_t ms = store_upkeep(r->store);
	loop->class->timer_set(
		r->upkeep, loop->clock->monotonic_ms(loop->clock) + (ms < MOST_MS ? ms : MOST_MS));
}

/* A flush has failed: what the page cache says is no longer known to be on the disk. The process
 * ends; the next one distrusts what it finds. */
static void on_ended(void *arg, const struct err *why)
{
	struct store_role *r = arg;
	struct log_text text;
	log_event(&r->base.context->log, LOG_ERROR, "flush-failed", "why=%s",
		log_value(&text, str_from(err_log_text(why))));
	r->base.context->finish(r->base.context, STORE_EXIT_DISTRUST);
}

/* ---- the role ---- */

static bool on_config(struct store_role *r, const struct frame_store_config *f)
{
	struct err err = ERR_INIT;
	struct log_text text;
	if (f->ticket_key.n != STORE_TICKET_KEY_BYTES)
		return false;
	if (config_read_lines(r->config, f->text, &err)) {
		log_event(&r->base.context->log, LOG_ERROR, "config-refused", "why=%s",
			log_value(&text, str_from(err_log_text(&err))));
		return false;
	}
	memcpy(r->settings.ticket_key, f->ticket_key.p, STORE_TICKET_KEY_BYTES);
	r->settings.message_bytes = (uint64_t)r->config->message_bytes;
	r->settings.keep_deleted_ms = r->config->keep_deleted_days * TIME_DAY_MS;
	r->settings.pop3_login_delay_ms = r->config->pop3_login_delay_s * 1000;
	r->settings.segment_bytes = (uint64_t)r->config->segment_bytes;
	r->settings.reserve_bytes = (uint64_t)r->config->reserve_bytes;
	r->settings.readers = READERS;
	r->settings.distrust = f->distrust;
	r->settings.ended = on_ended;
	r->settings.arg = r;
	snprintf(r->directory, sizeof(r->directory), "%" STR_FMT, STR_ARG(f->directory));
	role_apply_log(r->base.context, r->config);
	if (r->store)
		store_configure(r->store, &r->settings);
	return true;
}

static bool store_frame(struct role *role, const struct frame *frame, int handle)
{
	struct store_role *r = CONTAINER_OF(role, struct store_role, base);
	if (frame->type == FRAME_STORE_CONFIG)
		return on_config(r, &frame->store_config);
	if (frame->type != FRAME_HAND_OVER || handle < 0)
		return false;
	client_new(r, handle, &frame->hand_over);
	return true;
}

static struct role *store_role_new(struct role_context *context)
{
	struct store_role *r = xmalloc(sizeof(*r));
	r->base = (struct role){ &store_role, context };
	r->config = config_new();
	r->soon = context->loop->class->timer_new(context->loop, on_soon, r);
	r->upkeep = context->loop->class->timer_new(context->loop, on_upkeep, r);
	return &r->base;
}

static int store_role_start(struct role *role, struct err *err)
{
	struct store_role *r = CONTAINER_OF(role, struct store_role, base);
	struct role_context *context = role->context;
	r->files = context->open_files(context, r->directory, err);
	if (r->files == NULL)
		return -1;
	context->seams.files = r->files;
	r->store = store_new(&context->seams, &r->settings, &context->log, err);
	if (r->store == NULL)
		return -1;
	for (struct store_client *c = r->clients; c; c = c->next)
		attach(c);
	on_upkeep(r);
	return 0;
}

static void store_role_drain(struct role *role, uint32_t within_ms, uint32_t spread_ms)
{
	struct store_role *r = CONTAINER_OF(role, struct store_role, base);
	(void)within_ms; /* the supervisor keeps the time */
	(void)spread_ms;
	r->draining = true;
	soon(r);
}

static void store_role_free(struct role **role)
{
	struct store_role *r = CONTAINER_OF(*role, struct store_role, base);
	struct loop *loop = r->base.context->loop;
	while (r->clients) {
		struct store_client *c = r->clients;
		r->clients = c->next;
		client_free(c);
	}
	store_free(&r->store);
	if (r->files)
		r->base.context->close_files(r->base.context, &r->files);
	loop->class->timer_free(&r->soon);
	loop->class->timer_free(&r->upkeep);
	config_free(&r->config);
	free(r);
	*role = NULL;
}

const struct role_class store_role = {
	.new = store_role_new,
	.frame = store_frame,
	.start = store_role_start,
	.drain = store_role_drain,
	.free = store_role_free,
};
