// SPDX-License-Identifier: Apache-2.0
/* The simulated loop (see loop_sim.h): the clock, timers, workers, and the drawing of what happens
 * next. The network is in net_sim.c. */
#include "io/loop_sim_private.h"

#include <assert.h>

enum {
	EVENTS_MOST = 1 << 20,
	/* Steps of one run without the clock moving: more is a loop that spins. */
	STEPS_AT_ONE_TIME = 10 * 1000 * 1000,
	START_MS = 1000000,
};
#define WALL_MS INT64_C(1767225600000) /* 2026-01-01T00:00:00Z */

uint64_t sim_draw(struct loop_sim *s, uint64_t n)
{
	uint64_t r;
	s->random.seam.fill(&s->random.seam, &r, sizeof(r));
	return r % n;
}

void sim_can(struct loop_sim *s, enum sim_kind kind, void *what)
{
	struct sim_event e = { kind, what };
	void *added = vec_push(&s->events, &e);
	assert(added != NULL);
}

/* ---- timers ---- */

struct timer {
	struct timer *next;
	struct loop_sim *sim;
	int64_t when_ms;
	void (*fire)(void *arg);
	void *arg;
};

static struct timer *sim_timer_new(struct loop *loop, void (*fire)(void *arg), void *arg)
{
	struct timer *t = xmalloc(sizeof(*t));
	t->sim = loop_sim_of(loop);
	t->fire = fire;
	t->arg = arg;
	t->next = t->sim->timers;
	t->sim->timers = t;
	return t;
}

static void sim_timer_set(struct timer *t, int64_t when_ms)
{
	t->when_ms = when_ms;
}

static void sim_timer_free(struct timer **timer)
{
	struct timer *t = *timer;
	if (t == NULL)
		return;
	for (struct timer **at = &t->sim->timers; *at != NULL; at = &(*at)->next) {
		if (*at == t) {
			*at = t->next;
			break;
		}
	}
	free(t);
	*timer = NULL;
}

static void timers_collect(struct loop_sim *s)
{
	for (struct timer *t = s->timers; t != NULL; t = t->next)
		if (t->when_ms != 0 && t->when_ms <= sim_now(s))
			sim_can(s, SIM_TIMER, t);
}

static int64_t timers_next(const struct loop_sim *s)
{
	int64_t next = INT64_MAX;
	for (const struct timer *t = s->timers; t != NULL; t = t->next)
		if (t->when_ms != 0 && t->when_ms < next)
			next = t->when_ms;
	return next;
}

static void timer_happens(struct timer *t)
{
	t->when_ms = 0;
	t->fire(t->arg);
}

/* ---- workers ---- */

struct worker {
	struct worker *next;
	struct loop_sim *sim;
	struct worker_spec spec;
	bool awake, notified, stepping;
};

static struct worker *sim_worker_start(
	struct executor_seam *executor, const struct worker_spec *spec)
{
	struct worker *w = xmalloc(sizeof(*w));
	w->sim = CONTAINER_OF(executor, struct loop_sim, executor);
	w->spec = *spec;
	w->awake = true;
	w->next = w->sim->workers;
	w->sim->workers = w;
	return w;
}

static void sim_worker_wake(struct worker *w)
{
	w->awake = true;
}

static void sim_worker_notify(struct worker *w)
{
	w->notified = true;
}

static void sim_worker_stop(struct worker **worker)
{
	struct worker *w = *worker;
	if (w == NULL)
		return;
	assert(!w->stepping); /* a thread cannot wait for itself */
	for (struct worker **at = &w->sim->workers; *at != NULL; at = &(*at)->next) {
		if (*at == w) {
			*at = w->next;
			break;
		}
	}
	free(w);
	*worker = NULL;
}

static void workers_collect(struct loop_sim *s)
{
	for (struct worker *w = s->workers; w != NULL; w = w->next) {
		if (w->awake)
			sim_can(s, SIM_STEP, w);
		if (w->notified)
			sim_can(s, SIM_DONE, w);
	}
}

static void worker_steps(struct worker *w)
{
	w->awake = false;
	w->stepping = true;
	bool more = w->spec.step(w->spec.arg);
	w->stepping = false;
	if (more)
		w->awake = true;
}

static void worker_done(struct worker *w)
{
	w->notified = false;
	w->spec.done(w->spec.arg);
}

static struct executor_seam *sim_executor(struct loop *loop)
{
	return &loop_sim_of(loop)->executor;
}

/* ---- what happens next ---- */

static void happen(struct loop_sim *s, const struct sim_event *e)
{
	switch (e->kind) {
	case SIM_TIMER:
		timer_happens(e->what);
		break;
	case SIM_STEP:
		worker_steps(e->what);
		break;
	case SIM_DONE:
		worker_done(e->what);
		break;
	case SIM_LINK:
	case SIM_LISTENER:
		sim_net_happen(s, e);
		break;
	}
}

/* One thing that can happen now. False: nothing can. */
static bool step(struct loop_sim *s)
{
	vec_clear(&s->events);
	timers_collect(s);
	workers_collect(s);
	sim_net_collect(s);
	if (s->events.n == 0)
		return false;
	uint64_t which = sim_draw(s, s->events.n);
	struct sim_event e = *(struct sim_event *)vec_at(&s->events, which);
	s->steps++;
	s->hash = (s->hash ^ (which << 8 | (uint64_t)e.kind)) * UINT64_C(0x100000001b3);
	s->hash ^= (uint64_t)sim_now(s);
	happen(s, &e);
	return true;
}

/* Moves the clock to the next thing that will happen, at most to until. False: there is none. */
static bool advance(struct loop_sim *s, int64_t until_ms)
{
	int64_t timers = timers_next(s), net = sim_net_next(s);
	int64_t next = timers < net ? timers : net;
	if (next == INT64_MAX || next > until_ms)
		return false;
	if (next > sim_now(s)) {
		s->clock.wall_ms += next - sim_now(s);
		s->clock.monotonic_ms = next;
	}
	return true;
}

static bool run_until(struct loop_sim *s, int64_t until_ms)
{
	s->stopped = false;
	for (;;) {
		for (int i = 0; !s->stopped && step(s); i++)
			assert(i < STEPS_AT_ONE_TIME);
		if (s->stopped)
			return false;
		if (!advance(s, until_ms))
			return true;
	}
}

static void sim_run(struct loop *loop)
{
	run_until(loop_sim_of(loop), INT64_MAX - 1);
}

static void sim_stop(struct loop *loop)
{
	loop_sim_of(loop)->stopped = true;
}

bool loop_sim_run_for(struct loop *loop, int64_t ms)
{
	struct loop_sim *s = loop_sim_of(loop);
	int64_t until_ms = sim_now(s) + ms;
	if (!run_until(s, until_ms))
		return false;
	if (sim_now(s) < until_ms) {
		s->clock.wall_ms += until_ms - sim_now(s);
		s->clock.monotonic_ms = until_ms;
	}
	return true;
}

bool loop_sim_run_until_idle(struct loop *loop)
{
	return loop_sim_run_for(loop, 0);
}

uint64_t loop_sim_steps(const struct loop *loop, uint64_t *ret_hash)
{
	const struct loop_sim *s = (const struct loop_sim *)((const char *)loop -
							     offsetof(struct loop_sim, base));
	*ret_hash = s->hash;
	return s->steps;
}

/* ---- the loop ---- */

struct loop *loop_sim_new(uint64_t seed)
{
	struct loop_sim *s = xmalloc(sizeof(*s));
	clock_fake_init(&s->clock, WALL_MS);
	s->clock.monotonic_ms = START_MS;
	random_fake_init(&s->random, seed);
	/* The network's part of the class, and ours. */
	s->class = sim_net_class;
	s->class.run = sim_run;
	s->class.stop = sim_stop;
	s->class.timer_new = sim_timer_new;
	s->class.timer_set = sim_timer_set;
	s->class.timer_free = sim_timer_free;
	s->class.executor = sim_executor;
	s->base.class = &s->class;
	s->base.clock = &s->clock.seam;
	s->executor = (struct executor_seam){ .start = sim_worker_start,
		.wake = sim_worker_wake,
		.notify = sim_worker_notify,
		.stop = sim_worker_stop };
	s->network = (struct loop_sim_network){ 20, 64 * 1024, true };
	vec_init(&s->ends, sizeof(void *), EVENTS_MOST);
	vec_init(&s->events, sizeof(struct sim_event), EVENTS_MOST);
	return &s->base;
}

void loop_sim_free(struct loop **loop)
{
	if (*loop == NULL)
		return;
	struct loop_sim *s = loop_sim_of(*loop);
	assert(s->timers == NULL && s->workers == NULL); /* their owners would point at nothing */
	sim_net_done(s);
	vec_done(&s->ends);
	vec_done(&s->events);
	buf_done(&s->base.spare);
	free(s);
	*loop = NULL;
}

void loop_sim_set_network(struct loop *loop, const struct loop_sim_network *network)
{
	loop_sim_of(loop)->network = *network;
}
