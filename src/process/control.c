// SPDX-License-Identifier: Apache-2.0
/* D/control: a command connects, is looked at, and gets its channels. Nothing is read from it. */
#include "process/supervisor_private.h"

#include "base/limits.h"

#include <stdlib.h>

struct admin {
	struct supervisor *supervisor;
	struct channel *channel;
	bool ends_all; /* the one command of a stopped server */
};

static bool on_frame(void *arg, uint32_t request, const struct frame *frame, int handle)
{
	(void)arg;
	(void)request;
	(void)frame;
	(void)handle;
	return false;
}

static void admin_free(struct admin *a)
{
	channel_free(&a->channel);
	free(a);
}

static void on_closed(void *arg, const char *reason)
{
	struct admin *a = arg;
	struct supervisor *s = a->supervisor;
	bool ends_all = a->ends_all;
	(void)reason;
	for (size_t i = 0; i < s->admins.n; i++) {
		if (*(struct admin **)vec_at(&s->admins, i) == a) {
			vec_remove(&s->admins, i);
			break;
		}
	}
	admin_free(a);
	if (ends_all)
		supervisor_stop(s);
}

void control_add(struct supervisor *s, int handle, bool last_ends_all)
{
	struct admin *a = xmalloc(sizeof(*a));
	struct channel_events events = { .frame = on_frame, .closed = on_closed, .arg = a };
	*a = (struct admin){ .supervisor = s, .ends_all = last_ends_all };
	a->channel = channel_new(s->loop, handle, CLASS_SUPERVISOR, CLASS_ADMIN, &events);
	if (!vec_push(&s->admins, &a)) {
		admin_free(a);
		return;
	}
	provision_admin(s, a->channel, ++s->last_instance);
}

void control_accepted(void *arg, int handle, const char *address, uint16_t port)
{
	struct supervisor *s = arg;
	(void)address;
	(void)port;
	if (s->admins.n == LIMIT_ADMIN_CHANNELS ||
		!s->o.may_command(s->o.may_command_arg, handle)) {
		log_event(&s->o.log, LOG_WARN, "command-refused", "commands=%zu", s->admins.n);
		s->loop->class->handle_close(s->loop, handle);
		return;
	}
	control_add(s, handle, false);
}

void control_free(struct supervisor *s)
{
	VEC_EACH (struct admin *, a, &s->admins)
		admin_free(*a);
	vec_done(&s->admins);
}
