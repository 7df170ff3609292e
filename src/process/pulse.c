// SPDX-License-Identifier: Apache-2.0
/* Whether the roles still answer: each is pinged, and when all have answered until the next time,
 * that is news. A role that hangs makes silence, and whoever listens for the news (a service
 * manager's watchdog) acts on that. */
#include "process/supervisor_private.h"

static bool all_answered(const struct supervisor *s)
{
	VEC_EACH (struct child *, c, &s->children)
		if (!(*c)->leaving && !(*c)->spare && ((*c)->state != CHILD_UP || !(*c)->alive))
			return false;
	return true;
}

static void ping(struct child *c)
{
	struct frame f = { .type = FRAME_PING };
	c->alive = false;
	if (c->state == CHILD_UP && c->control)
		c->alive = !channel_send(c->control, 0, &f); /* a small frame always goes */
}

static void on_pulse(void *arg)
{
	struct supervisor *s = arg;
	if (all_answered(s))
		supervisor_tell(s, NEWS_PULSE);
	VEC_EACH (struct child *, c, &s->children)
		ping(*c);
	s->loop->class->timer_set(s->pulse, supervisor_now(s) + s->o.pulse_ms);
}

void pulse_start(struct supervisor *s)
{
	if (s->o.pulse_ms == 0)
		return;
	s->pulse = s->loop->class->timer_new(s->loop, on_pulse, s);
	s->loop->class->timer_set(s->pulse, supervisor_now(s) + s->o.pulse_ms);
}

void pulse_stop(struct supervisor *s)
{
	if (s->pulse)
		s->loop->class->timer_free(&s->pulse);
}
