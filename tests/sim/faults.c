// SPDX-License-Identifier: Apache-2.0
/* What goes wrong, when, as the seed has it. Each kind can be left out (sim_options.faults). */
#include "sim.h"

#include <errno.h>

#include "io/loop_sim_private.h"

const struct fault_row fault_rows[FAULT_KINDS] = {
#define X(name, word, text) { word, text },
	FAULTS(X)
#undef X
};

void fault_struck(enum fault_kind kind)
{
	world.report->struck[kind]++;
}

static struct process *any_role(void)
{
	struct process *live[32];
	size_t n = 0;
	for (size_t i = 0; i < world.processes_n; i++)
		if (world.processes[i].pid && !world.processes[i].ending && n < ARRAY_LEN(live))
			live[n++] = &world.processes[i];
	return n ? live[dice(n)] : NULL;
}

/* The store is where mail can be lost. */
static struct process *a_victim(void)
{
	struct process *store = world_role("store");
	return store && chance(60) ? store : any_role();
}

static void power(void)
{
	world.disk->plan.crash_at = world.disk->calls + 1 + dice(200);
}

static void crash(void)
{
	struct process *p = a_victim();
	if (p && chance(30))
		p->crash_at_flush = true; /* what was written is seen by the next, and may go */
	else if (p)
		p->crash_in = 1 + dice(300);
}

/* Before the next one has flushed what this one has left. */
void fault_after_crash(void)
{
	if (world.o.faults & 1U << FAULT_POWER && chance(30))
		power();
}

static void memory(void)
{
	struct process *p = a_victim();
	if (p)
		p->memory_in = 1 + dice(1000);
}

static void eio(void)
{
	world.disk->plan.fail_at = world.disk->calls + 1 + dice(300);
	world.disk->plan.fail_with = chance(70) ? -EIO : -ENOSPC;
}

static void full(void)
{
	uint64_t used = files_sim_bytes_used(world.disk);
	world.disk->plan.capacity = world.disk->plan.capacity ? 0 : used + dice(200000);
	trace("fault", world.disk->plan.capacity ? "the disk is nearly full" : "the disk has room");
}

static void flush(void)
{
	world.disk->plan.flush_fails = world.disk->flushes + 1 + dice(20);
}

static void shorten(void)
{
	world.disk->plan.stutter = !world.disk->plan.stutter;
	trace("fault", world.disk->plan.stutter ? "calls do less, or are interrupted"
						: "calls do what was asked");
	fault_struck(FAULT_SHORT);
}

static void clock_jump(void)
{
	struct loop_sim *s = loop_sim_of(world.loop);
	int64_t by = (int64_t)dice(7200000) - 3600000;
	fault_struck(FAULT_CLOCK);
	if (chance(70)) {
		world.jumps++;
		trace("fault", "the wall clock jumps by %lld s", (long long)(by / 1000));
		s->clock.wall_ms += by;
	} else {
		world.sleeps++;
		by = (int64_t)dice(600000); /* longer than any channel waits */
		trace("fault", "all sleep for %lld s", (long long)(by / 1000));
		s->clock.wall_ms += by;
		s->clock.monotonic_ms += by;
		world.slept_ms += by;
	}
}

static void network(void)
{
	struct loop_sim_network n = { .delay_ms = 1 + (int64_t)dice(300),
		.buffer_bytes = 16384 + (size_t)dice(100000),
		.split = chance(80) };
	loop_sim_set_network(world.loop, &n);
}

static void damage_to(const char *where)
{
	struct files_sim_plan *p = &world.disk->plan;
	p->damage_where = where;
	p->damage_write = world.disk->damage_writes + 1 + dice(10);
	p->damage = chance(34) ? DAMAGE_FLIP : chance(50) ? DAMAGE_LOSE : DAMAGE_MISDIRECT;
}

/* In every fourth run: the others are held to more (a backup of damage has it, too). */
static bool damages(void)
{
	return world.o.seed % 4 == 0;
}

static void damage(void)
{
	if (damages())
		damage_to("blobs/");
}

/* Once, so that what comes of it is known. */
static void ledger(void)
{
	if (world.disk->damaged == 0)
		damage_to("ledger.db");
}

/* What is not here strikes of itself. */
static void (*const strike[FAULT_KINDS])(void) = { [FAULT_POWER] = power,
	[FAULT_CRASH] = crash,
	[FAULT_MEMORY] = memory,
	[FAULT_EIO] = eio,
	[FAULT_FULL] = full,
	[FAULT_FLUSH] = flush,
	[FAULT_SHORT] = shorten,
	[FAULT_CLOCK] = clock_jump,
	[FAULT_NETWORK] = network,
	[FAULT_DAMAGE] = damage,
	[FAULT_LEDGER] = ledger };

void faults_tick(void)
{
	if (!world.powered) {
		if (chance(40))
			world_boot();
		return;
	}
	if (world.o.faults == 0 || !chance(15))
		return;
	enum fault_kind kind = (enum fault_kind)dice(FAULT_KINDS);
	if (world.o.faults & 1U << FAULT_LEDGER && world.disk->damaged == 0 && chance(30))
		kind = FAULT_LEDGER;
	if (damages() && chance(20))
		kind = FAULT_DAMAGE;
	if (!(world.o.faults & 1U << kind) || strike[kind] == NULL)
		return;
	trace("fault", "soon: %s", fault_rows[kind].text);
	strike[kind]();
}

void faults_heal(void)
{
	struct loop_sim_network n = { .delay_ms = 20, .buffer_bytes = 65536, .split = true };
	loop_sim_set_network(world.loop, &n);
	if (world.powered && world.disk->plan.crash_at) {
		fault_struck(FAULT_POWER);
		world_power_cut();
	}
	world.disk->plan = (struct files_sim_plan){ .crash_at = 0 };
	for (size_t i = 0; i < world.processes_n; i++) {
		struct process *p = &world.processes[i];
		p->crash_in = p->memory_in = 0;
		p->crash_at_flush = false;
	}
	if (!world.powered)
		world_boot();
	trace("world", "nothing is to go wrong now");
}
