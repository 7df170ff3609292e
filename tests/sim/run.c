// SPDX-License-Identifier: Apache-2.0
/* One run: the server begins with nothing, accounts are made, then rounds of use while things go
 * wrong, each followed by rest and an audit. */
#include "sim.h"

#include "base/planted.h"
#include "io/loop_sim_private.h"

#include <unistd.h>

bool round_over = true;

enum { TICK_MS = 250, REST_MS = 600 * 1000, UP_MS = 300 * 1000 };

static const struct {
	const char *name;
	void (*run)(struct actor *);
} kinds[] = { { "smtp", client_smtp_run }, { "imap", client_imap_run }, { "pop3", client_pop3_run },
	{ "sync", client_sync_run }, { "admin", client_admin_run }, { "smtp", client_smtp_run },
	{ "imap", client_imap_run }, { "boxes", client_boxes_run },
	{ "import", client_import_run } };

static void wait_until_up(void)
{
	/* What could not be copied after a failed flush is tried again in time. */
	world_until(world_all_up() && !world_read_only(), UP_MS);
	if (!world_all_up() || world_read_only())
		sim_fail(
			world_read_only() ? "the store stays read-only" : "not everything came up");
	world_run_for(2000); /* channels between them; refusals pass */
}

static void use(unsigned clients)
{
	struct actor *actors[64];
	round_over = false;
	for (unsigned i = 0; i < clients; i++)
		actors[i] = actor_new(
			kinds[i % ARRAY_LEN(kinds)].name, i, kinds[i % ARRAY_LEN(kinds)].run);
	for (int64_t until = sim_ms() + world.o.round_ms; sim_ms() < until;) {
		world_run_for(TICK_MS);
		faults_tick();
	}
	trace("world", "the round is over");
	round_over = true;
	faults_heal();
	for (unsigned i = 0; i < clients; i++) {
		world_until(actors[i]->done, REST_MS);
		if (!actors[i]->done)
			sim_fail("%s does not come to its end", actors[i]->name);
	}
}

static void look(void)
{
	if (world.o.faults & 1U << FAULT_LEDGER && world.disk->damaged)
		audit_ledger();
	wait_until_up();
	if (world_is_damaged()) {
		audit_damaged();
		wait_until_up();
	}
	audit();
	if (import_settle())
		audit_imported();
}

void run_sums(void)
{
	struct sim_report *r = world.report;
	uint64_t hash;
	r->struck[FAULT_EIO] = (uint32_t)world.disk->failed;
	r->struck[FAULT_FULL] = (uint32_t)world.disk->full;
	r->struck[FAULT_FLUSH] = (uint32_t)world.disk->flushes_failed;
	r->struck[world.o.faults & 1U << FAULT_LEDGER ? FAULT_LEDGER : FAULT_DAMAGE] =
		(uint32_t)world.disk->damaged;
	uint64_t hits[HIT_KINDS] = {
#define X(name, count) count,
		HITS(X)
#undef X
	};
	memcpy(r->hits, hits, sizeof(hits));
	r->steps = loop_sim_steps(world.loop, &hash);
	r->hash ^= hash;
	r->simulated_ms = sim_ms();
	r->planted = planted_reached;
}

void run_end(enum outcome outcome)
{
	world.report->outcome = outcome;
	run_sums();
	world.report->finished = true;
	fflush(stdout);
	_exit(0);
}

void sim_run(const struct sim_options *o, struct sim_report *report)
{
	struct sim_options mine = *o;
	planted_name = o->planted;
	/* When nothing goes wrong more can be held: so in every eighth run. */
	if (o->faults == FAULTS_ALL && o->seed % 8 == 7)
		mine.faults = 1U << FAULT_SHORT;
	world_begin(&mine, report);
	world_boot();
	wait_until_up();
	admin_set_up();
	audit();
	for (unsigned i = 0; i < o->rounds; i++) {
		use(o->clients);
		look();
	}
	run_sums();
	report->finished = true;
}
