// SPDX-License-Identifier: Apache-2.0
/*
 * The loop as one role sees it. Everything that the loop calls goes through here, so that the world
 * knows whose code runs, and a role that is dead hears nothing any more; and while the stack of a
 * role that died in the middle of something unwinds, no call of it succeeds.
 *
 * What is allotted here stays until the run ends: a callback may free what it was called for.
 */
#include "sim.h"

#include <errno.h>

struct role_loop {
	struct loop base;
	struct loop_class class;
	struct executor_seam executor;
	struct process *process;
};

/* One thing that may happen to the role. */
struct hook {
	struct process *process;
	void (*call)(void *arg);
	bool (*step)(void *arg);
	void (*ready)(void *arg, int events);
	void (*accepted)(void *arg, int handle, const char *address, uint16_t port);
	void *arg;
	struct blocking *blocking; /* of a worker */
};

static struct role_loop *role_loop_of(struct loop *loop)
{
	return CONTAINER_OF(loop, struct role_loop, base);
}

static struct hook *hook_new(struct process *p, void *arg)
{
	struct hook *h = xmalloc(sizeof(*h));
	h->process = p;
	h->arg = arg;
	return h;
}

/* False: it is dead, or has no power. */
static bool enter(const struct hook *h)
{
	if (files_sim_crashed(world.disk))
		world.loop->class->stop(world.loop); /* world_after_turn cuts the power */
	if (h->process->ending || !world.powered || files_sim_crashed(world.disk))
		return false;
	world.current = h->process;
	return true;
}

static void leave(void)
{
	world.current = NULL;
}

static const struct loop_class *real(void)
{
	return world.loop->class;
}

/* ---- timers ---- */

static void fire(void *arg)
{
	struct hook h = *(struct hook *)arg;
	if (!enter(&h))
		return;
	h.call(h.arg);
	leave();
}

static struct timer *timer_new(struct loop *loop, void (*call)(void *arg), void *arg)
{
	struct hook *h = hook_new(role_loop_of(loop)->process, arg);
	h->call = call;
	return real()->timer_new(world.loop, fire, h);
}

/* ---- links ---- */

static void ready(void *arg, int events)
{
	struct hook h = *(struct hook *)arg;
	if (!enter(&h))
		return;
	h.ready(h.arg, events);
	leave();
}

static struct link *link_new(struct loop *loop, int handle, const struct link_events *events)
{
	struct hook *h = hook_new(role_loop_of(loop)->process, events->arg);
	h->ready = events->ready;
	struct link_events ours = { .ready = ready, .arg = h };
	return real()->link_new(world.loop, handle, &ours);
}

static ssize_t link_read(struct link *k, void *p, size_t n, int *received)
{
	if (received != NULL)
		*received = -1;
	return world_call(world.current) ? real()->link_read(k, p, n, received) : -EPIPE;
}

static ssize_t link_write(struct link *k, const void *p, size_t n, int pass)
{
	return world_call(world.current) ? real()->link_write(k, p, n, pass) : -EPIPE;
}

static void link_shutdown(struct link *k)
{
	if (world_call(world.current))
		real()->link_shutdown(k);
}

/* ---- listeners ---- */

static void accepted(void *arg, int handle, const char *address, uint16_t port)
{
	struct hook h = *(struct hook *)arg;
	if (!enter(&h)) {
		real()->handle_close(world.loop, handle);
		return;
	}
	h.accepted(h.arg, handle, address, port);
	leave();
}

static struct listener *listener_new(struct loop *loop, int handle,
	void (*call)(void *arg, int handle, const char *address, uint16_t port), void *arg)
{
	struct hook *h = hook_new(role_loop_of(loop)->process, arg);
	h->accepted = call;
	return real()->listener_new(world.loop, handle, accepted, h);
}

/* Of itself only the supervisor ends its loop. */
static void stop(struct loop *loop)
{
	(void)loop;
	world.gave_up = true;
	real()->stop(world.loop); /* world_after_turn */
}

/* ---- handles ---- */

static int pair(struct loop *loop, int handles[2])
{
	(void)loop;
	return real()->pair(world.loop, handles);
}

static void handle_close(struct loop *loop, int handle)
{
	(void)loop;
	real()->handle_close(world.loop, handle);
}

/* ---- workers ---- */

static bool step(void *arg)
{
	struct hook h = *(struct hook *)arg;
	if (!enter(&h))
		return false;
	bool more = h.blocking ? false : h.step(h.arg);
	leave();
	if (h.blocking)
		blocking_wake(h.blocking);
	return more;
}

static struct worker *start(struct executor_seam *executor, const struct worker_spec *spec)
{
	struct role_loop *l = CONTAINER_OF(executor, struct role_loop, executor);
	struct hook *h = hook_new(l->process, spec->arg);
	h->step = spec->step;
	h->call = spec->done;
	if (blocking_is(spec))
		h->blocking = blocking_new(l->process, spec);
	struct worker_spec ours = { .name = spec->name, .step = step, .done = fire, .arg = h };
	struct executor_seam *e = real()->executor(world.loop);
	return e->start(e, &ours);
}

static struct executor_seam *executor(struct loop *loop)
{
	return &role_loop_of(loop)->executor;
}

struct loop *role_loop_new(struct process *p)
{
	struct role_loop *l = xmalloc(sizeof(*l));
	l->process = p;
	l->class = *real();
	l->class.stop = stop;
	l->class.timer_new = timer_new;
	l->class.link_new = link_new;
	l->class.link_read = link_read;
	l->class.link_write = link_write;
	l->class.link_shutdown = link_shutdown;
	l->class.listener_new = listener_new;
	l->class.pair = pair;
	l->class.handle_close = handle_close;
	l->class.executor = executor;
	l->executor = *real()->executor(world.loop);
	l->executor.start = start;
	l->base.class = &l->class;
	l->base.clock = world.loop->clock;
	return &l->base;
}
