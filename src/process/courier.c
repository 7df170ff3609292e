// SPDX-License-Identifier: Apache-2.0
/* The courier: what carries mail outwards. Sending has not been written yet; until then it holds
 * its place, its sandbox and its channels, and says that it is there. */
#include "api/frames.h"
#include "base/vec.h"
#include "process/role.h"

#include <stdlib.h>

struct courier {
	struct role base;
	struct vec clients; /* struct courier_client * */
};

struct courier_client {
	struct courier *courier;
	struct channel *channel;
};

static bool client_frame(void *arg, uint32_t request, const struct frame *frame, int handle)
{
	struct courier_client *c = arg;
	struct clock_seam *clock = c->courier->base.context->seams.clock;
	struct frame answer = { .type = FRAME_COURIER_IS,
		.courier_is.wall_ms = clock->wall_ms(clock) };
	if (handle >= 0 || frame->type != FRAME_COURIER_HELLO)
		return false;
	return channel_send(c->channel, request, &answer);
}

static void client_closed(void *arg, const char *reason)
{
	struct courier_client *c = arg;
	struct vec *clients = &c->courier->clients;
	(void)reason;
	role_channel_closed(c->courier->base.context, c->channel);
	channel_free(&c->channel);
	for (size_t i = 0; i < clients->n; i++) {
		if (*(struct courier_client **)vec_at(clients, i) == c) {
			vec_remove(clients, i);
			break;
		}
	}
	free(c);
}

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

static void courier_drain(struct role *role, uint32_t within_ms, uint32_t spread_ms)
{
	(void)within_ms;
	(void)spread_ms;
	role->context->finish(role->context, 0);
}

static void courier_free(struct role **role)
{
	struct courier *r = CONTAINER_OF(*role, struct courier, base);
	VEC_EACH (struct courier_client *, c, &r->clients) {
		channel_free(&(*c)->channel);
		free(*c);
	}
	vec_done(&r->clients);
	free(r);
	*role = NULL;
}

const struct role_class courier_role = {
	.new = courier_new,
	.frame = courier_frame,
	.drain = courier_drain,
	.free = courier_free,
};
