// SPDX-License-Identifier: Apache-2.0
/* Takes a role through its life as the supervisor's frames say. */
#include "process/role.h"

#include "process/roles.h"

#include <stdio.h>
#include <stdlib.h>

struct role_host {
	struct role_context *context;
	struct role *role;
	struct channel *control;
	bool started;
};

void role_log_as(struct log_sink *sink, const struct config *config)
{
	static const char *const levels[] = { "error", "warn", "info", "debug" };
	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (strcmp(config->log_level, levels[i]) == 0)
			sink->level = (enum log_level)i;
	sink->json = strcmp(config->log_format, "json") == 0;
}

void role_apply_log(struct role_context *context, const struct config *config)
{
	role_log_as(context->sink, config);
}

void role_apply_log_lines(struct role_context *context, struct str lines)
{
	struct err err = ERR_INIT;
	struct log_text text;
	AUTO(config_free)
	struct config *c = config_new();
	if (config_read_lines(c, lines, &err) == 0)
		role_apply_log(context, c);
	else
		log_event(&context->log, LOG_ERROR, "config-refused", "why=%s",
			log_value(&text, str_from(err_log_text(&err))));
}

void role_channel_lost(struct role_context *context, uint32_t number)
{
	struct frame f = { .type = FRAME_CHANNEL_LOST, .channel_lost.channel = number };
	if (number != 0 && context->control && !channel_send(context->control, 0, &f))
		log_event(&context->log, LOG_ERROR, "frame-lost", "frame=channel_lost");
}

void role_channel_closed(struct role_context *context, const struct channel *channel)
{
	if (channel_dropped(channel))
		role_channel_lost(context, channel_number(channel));
}

static void end(struct role_host *h, const char *why, const struct err *err)
{
	struct log_text text;
	log_event(&h->context->log, LOG_ERROR, "role-failed", "at=%s why=%s", why,
		log_value(&text, str_from(err_log_text(err))));
	h->context->finish(h->context, 1);
}

static int start(struct role_host *h, const char **at, struct err *err)
{
	struct role_context *c = h->context;
	const struct role_class *class = h->role->class;
	*at = "prepare";
	if (class->prepare && class->prepare(h->role, err))
		return -1;
	*at = "confine";
	if (c->confine && c->confine(c, err))
		return -1;
	*at = "start";
	if (class->start && class->start(h->role, err))
		return -1;
	*at = "sandbox";
	return c->close_sandbox ? c->close_sandbox(c, err) : 0;
}

static bool on_start(struct role_host *h, uint32_t request)
{
	struct err err = ERR_INIT;
	const char *at = "";
	if (h->started)
		return false;
	if (start(h, &at, &err)) {
		end(h, at, &err);
		return true;
	}
	h->started = true;
	struct frame f = { .type = FRAME_STARTED };
	return channel_send(h->control, request, &f);
}

static bool on_frame(void *arg, uint32_t request, const struct frame *frame, int handle)
{
	struct role_host *h = arg;
	struct frame done = { .type = FRAME_DONE };
	switch ((int)frame->type) {
	case FRAME_START:
		return on_start(h, request);
	case FRAME_PING:
		if (h->context->pulse)
			h->context->pulse(h->context);
		return channel_send(h->control, request, &done);
	case FRAME_DRAIN:
		h->role->class->drain(h->role, frame->drain.within_ms, frame->drain.spread_ms);
		return true;
	default:
		return h->role->class->frame(h->role, frame, handle);
	}
}

/* Without its supervisor a role must not live on. */
static void on_closed(void *arg, const char *reason)
{
	struct role_host *h = arg;
	struct log_text text;
	log_event(&h->context->log, LOG_WARN, "supervisor-lost", "why=%s",
		log_value(&text, str_from(reason)));
	h->context->finish(h->context, 1);
}

struct role_host *role_host_new(struct role_context *context, int control_handle)
{
	struct role_host *h = xmalloc(sizeof(*h));
	struct channel_events events = { .frame = on_frame, .closed = on_closed, .arg = h };
	h->context = context;
	h->role = context->row->class->new (context);
	h->control = channel_new(context->loop, control_handle, (int)context->row->channel_class,
		CLASS_SUPERVISOR, &events);
	context->control = h->control;
	return h;
}

void role_host_free(struct role_host **host)
{
	struct role_host *h = *host;
	if (h == NULL)
		return;
	h->role->class->free(&h->role);
	channel_free(&h->control);
	h->context->control = NULL;
	free(h);
	*host = NULL;
}
