// SPDX-License-Identifier: Apache-2.0
/* Whether the roles still answer: each is pinged, and when all have answered until the next time,
 * that is news, for a service manager's watchdog. A role that hangs is ended, and starts again. */
#include "process/supervisor_private.h"

#include <signal.h>

/* A store that is being opened may be so for minutes (a ledger of an earlier schema is written
 * anew, one that is not believed is copied), and would never come to an end were it ended for that.
 */
static bool is_well(const struct child *c)
{
	if (c->state == CHILD_STARTING && c->row->class == &store_role)
		return true;
	return c->leaving || c->spare || (c->state == CHILD_UP && c->alive);
}

static bool all_answered(const struct supervisor *s)
{
	VEC_EACH (struct child *, c, &s->children)
		if (!is_well(*c))
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

/* Silence is counted in pulses, not by the clock: where the supervisor stood still, too (a machine
 * that was suspended), nobody has kept it waiting. */
static void listen_for(struct child *c)
{
	struct supervisor *s = c->supervisor;
	if (c->state != CHILD_UP || c->alive || c->control == NULL) {
		c->silent_ms = 0;
		return;
	}
	c->silent_ms += s->o.pulse_ms;
	if (c->silent_ms < LIMIT_SILENCE_MS)
		return;
	log_event(&s->o.log, LOG_ERROR, "role-hangs", "role=%s pid=%d silent_s=%d", c->row->name,
		c->process, (int)(c->silent_ms / 1000));
	c->silent_ms = 0;
	s->o.spawn->kill(s->o.spawn, c->process, SIGKILL);
}

static void on_pulse(void *arg)
{
	struct supervisor *s = arg;
	if (all_answered(s))
		supervisor_tell(s, NEWS_PULSE);
	VEC_EACH (struct child *, c, &s->children) {
		listen_for(*c);
		ping(*c);
	}
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
