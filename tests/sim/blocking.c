// SPDX-License-Identifier: Apache-2.0
/*
 * Workers that block in what they do: the dialer's, which wait for names and for connections. In
 * this world nothing may wait but actors, so each of them is one, and its step goes on when what it
 * waits for has come. A role that is dead is not gone back to.
 */
#include "sim.h"

#define FOR_EVER_MS (INT64_C(1) << 50)

struct blocking {
	struct process *process;
	struct worker_spec spec;
	struct actor *actor;
	bool woken, idle;
};
static struct blocking *running; /* whose step this is */

static bool is_dead(const struct process *p)
{
	return p->dead || p->ending || !world.powered;
}

static void leave_for_ever(struct actor *a)
{
	for (;;)
		actor_wait(a, FOR_EVER_MS);
}

static bool step(struct blocking *b)
{
	running = b;
	world.current = b->process;
	bool more = b->spec.step(b->spec.arg);
	world.current = NULL;
	running = NULL;
	return more;
}

static void run(struct actor *a)
{
	struct blocking *b = a->arg;
	for (;;) {
		while (b->woken && !is_dead(b->process)) {
			b->woken = false;
			b->woken |= step(b);
		}
		b->idle = true;
		actor_wait(a, FOR_EVER_MS);
		b->idle = false;
	}
}

bool blocking_is(const struct worker_spec *spec)
{
	return strcmp(spec->name, "dial") == 0;
}

/* What it does first does not block, and who starts it waits for that. */
struct blocking *blocking_new(struct process *p, const struct worker_spec *spec)
{
	struct blocking *b = xcalloc(1, sizeof(*b));
	b->process = p;
	b->spec = *spec;
	(void)spec->step(spec->arg);
	return b;
}

void blocking_wake(struct blocking *b)
{
	b->woken = true;
	if (b->actor == NULL) {
		b->actor = actor_new("dial", 0, run);
		b->actor->arg = b;
	} else if (b->idle) {
		actor_wake(b->actor);
	}
}

void blocking_wait(int64_t ms)
{
	struct blocking *b = running;
	world.current = NULL;
	running = NULL;
	for (int64_t until = sim_ms() + ms; sim_ms() < until;)
		actor_wait(b->actor, until - sim_ms());
	if (is_dead(b->process))
		leave_for_ever(b->actor);
	running = b;
	world.current = b->process;
}
