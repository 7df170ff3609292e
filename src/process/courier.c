// SPDX-License-Identifier: Apache-2.0
/* The courier: what carries mail outwards. Sending has not been written yet. It connects to other
 * people's servers for a command, and hands over the connection before a byte was read from it. */
#include "api/frames.h"
#include "base/limits.h"
#include "base/vec.h"
#include "io/dial.h"
#include "process/role.h"

#include <stdlib.h>

struct courier {
	struct role base;
	struct dialer *dialer;
	struct vec clients; /* struct courier_client * */
};

struct courier_client {
	struct courier *courier;
	struct channel *channel;
	struct vec calls; /* struct courier_call * */
};

/* A connection that is under way. */
struct courier_call {
	struct courier_client *client;
	uint32_t request;
	struct dial *dial;
};

/* ---- connecting ---- */

static void forget(struct courier_call *call)
{
	struct vec *calls = &call->client->calls;
	for (size_t i = 0; i < calls->n; i++) {
		if (*(struct courier_call **)vec_at(calls, i) == call) {
			vec_remove(calls, i);
			break;
		}
	}
	free(call);
}

static bool refuse(struct courier_client *c, uint32_t request, const struct err *err)
{
	return channel_send(c->channel, request,
		&(struct frame){ .type = FRAME_FAILED,
			.failed = {
				.kind = (uint8_t)err->kind, .text = str_from(err->public_text) } });
}

static void connected(void *arg, int handle, const struct err *err)
{
	struct courier_call *call = arg;
	struct courier_client *c = call->client;
	struct frame answer = { .type = FRAME_COURIER_CONNECTED };
	if (handle >= 0)
		channel_send_handle(c->channel, call->request, &answer, handle);
	else
		(void)refuse(c, call->request, err);
	forget(call);
}

static bool ask_connect(
	struct courier_client *c, uint32_t request, const struct frame_courier_connect *ask)
{
	struct err err = ERR_INIT;
	struct courier_call *call = xmalloc(sizeof(*call));
	*call = (struct courier_call){ .client = c, .request = request };
	if (c->courier->dialer == NULL)
		fail(&err, ERR_UNSUPPORTED, "there is no network");
	else if (ask->host.n == 0 || str_has_control(ask->host) || ask->port == 0)
		fail(&err, ERR_SYNTAX, "this is no host and port");
	else if (!vec_push(&c->calls, &call))
		fail(&err, ERR_LIMIT, "too many connections are under way");
	if (err.kind == ERR_NONE) {
		call->dial = dial_ask(c->courier->dialer, ask->host, ask->port, connected, call);
		if (call->dial)
			return true;
		forget(call);
		fail(&err, ERR_LIMIT, "too many connections are under way");
		return refuse(c, request, &err);
	}
	free(call);
	return refuse(c, request, &err);
}

/* ---- who asks ---- */

static bool client_frame(void *arg, uint32_t request, const struct frame *frame, int handle)
{
	struct courier_client *c = arg;
	struct clock_seam *clock = c->courier->base.context->seams.clock;
	struct frame answer = { .type = FRAME_COURIER_IS,
		.courier_is.wall_ms = clock->wall_ms(clock) };
	if (handle >= 0)
		return false;
	if (frame->type == FRAME_COURIER_CONNECT)
		return ask_connect(c, request, &frame->courier_connect);
	return frame->type == FRAME_COURIER_HELLO && channel_send(c->channel, request, &answer);
}

static void client_free(struct courier_client *c)
{
	VEC_EACH (struct courier_call *, call, &c->calls) {
		dial_cancel(&(*call)->dial);
		free(*call);
	}
	vec_done(&c->calls);
	channel_free(&c->channel);
	free(c);
}

static void client_closed(void *arg, const char *reason)
{
	struct courier_client *c = arg;
	struct vec *clients = &c->courier->clients;
	(void)reason;
	role_channel_closed(c->courier->base.context, c->channel);
	for (size_t i = 0; i < clients->n; i++) {
		if (*(struct courier_client **)vec_at(clients, i) == c) {
			vec_remove(clients, i);
			break;
		}
	}
	client_free(c);
}

/* ---- the role ---- */

static bool courier_frame(struct role *role, const struct frame *frame, int handle)
{
	struct courier *r = CONTAINER_OF(role, struct courier, base);
	if (frame->type == FRAME_COURIER_CONFIG) {
		role_apply_log_lines(role->context, frame->courier_config.text);
		return true;
	}
	if (frame->type != FRAME_HAND_OVER || handle < 0)
		return false;
	struct courier_client *c = xmalloc(sizeof(*c));
	struct channel_events events = { .frame = client_frame, .closed = client_closed, .arg = c };
	c->courier = r;
	vec_init(&c->calls, sizeof(struct courier_call *), LIMIT_DIALS);
	c->channel = channel_new(
		role->context->loop, handle, CLASS_COURIER, frame->hand_over.role, &events);
	channel_set_number(c->channel, frame->hand_over.channel);
	vec_push(&r->clients, &c);
	return true;
}

static struct role *courier_new(struct role_context *context)
{
	struct courier *r = xmalloc(sizeof(*r));
	r->base = (struct role){ &courier_role, context };
	vec_init(&r->clients, sizeof(struct courier_client *), 4096);
	return &r->base;
}

/* Files that say who has which address are read while they can be. */
static int courier_prepare(struct role *role, struct err *err)
{
	struct courier *r = CONTAINER_OF(role, struct courier, base);
	(void)err;
	if (role->context->open_dialer)
		r->dialer = role->context->open_dialer(role->context);
	return 0;
}

static void courier_drain(struct role *role, uint32_t within_ms, uint32_t spread_ms)
{
	(void)within_ms;
	(void)spread_ms;
	role->context->finish(role->context, 0);
}

static void courier_free(struct role **role)
{
	struct courier *r = CONTAINER_OF(*role, struct courier, base);
	VEC_EACH (struct courier_client *, c, &r->clients)
		client_free(*c);
	vec_done(&r->clients);
	dialer_free(&r->dialer);
	free(r);
	*role = NULL;
}

const struct role_class courier_role = {
	.new = courier_new,
	.frame = courier_frame,
	.prepare = courier_prepare,
	.drain = courier_drain,
	.free = courier_free,
};
