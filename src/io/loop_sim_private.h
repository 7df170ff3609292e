/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the simulated loop, shared by loop_sim.c and net_sim.c. */
#ifndef CULVER_IO_LOOP_SIM_PRIVATE_H
#define CULVER_IO_LOOP_SIM_PRIVATE_H

#include "base/buf.h"
#include "base/vec.h"
#include "io/loop_sim.h"

/* Things that can happen. */
enum sim_kind { SIM_TIMER, SIM_LINK, SIM_LISTENER, SIM_STEP, SIM_DONE };
struct sim_event {
	enum sim_kind kind;
	void *what;
};

struct loop_sim {
	struct loop base;
	struct loop_class class;
	struct clock_fake clock;
	struct random_fake random;
	struct executor_seam executor;
	struct loop_sim_network network;
	struct timer *timers; /* lists, in the order of their making */
	struct link *links;
	struct listener *listeners;
	struct worker *workers;
	struct vec ends;   /* struct end *: what handles stand for */
	struct vec events; /* struct sim_event: what can happen now */
	bool stopped;
	uint64_t steps, hash;
	uint64_t splits, delays; /* reads and writes cut short; writes that take time */
};

static inline struct loop_sim *loop_sim_of(struct loop *loop)
{
	return CONTAINER_OF(loop, struct loop_sim, base);
}
static inline int64_t sim_now(const struct loop_sim *s)
{
	return s->clock.monotonic_ms;
}
/* 0 to n - 1; n must not be 0. */
uint64_t sim_draw(struct loop_sim *, uint64_t n);
void sim_can(struct loop_sim *, enum sim_kind, void *what);

/* net_sim.c */
extern const struct loop_class sim_net_class; /* the network's part of the class */
void sim_net_collect(struct loop_sim *);      /* links and listeners that are ready */
void sim_net_happen(struct loop_sim *, const struct sim_event *);
int64_t sim_net_next(const struct loop_sim *); /* when the next bytes arrive; INT64_MAX: never */
void sim_net_done(struct loop_sim *);

#endif
