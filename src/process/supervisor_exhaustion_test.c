// SPDX-License-Identifier: Apache-2.0
/* X3: no process can be made. What runs goes on, and what is missing comes back once one can be. */
#include "process/world_test.h"

#include <errno.h>

static int no_process(struct spawn_seam *seam, const struct role_row *row, uint32_t instance,
	int control, int log)
{
	struct world *w = CONTAINER_OF(seam, struct world, spawn);
	(void)row;
	(void)instance;
	w->loop->class->handle_close(w->loop, control);
	w->loop->class->handle_close(w->loop, log);
	return -EAGAIN;
}

static void up(struct world *w, uint64_t seed)
{
	world_make(w, seed);
	world_boot(w);
	world_until(w, w->ready);
}

static void x3_a_role_that_cannot_be_started_again(void **state)
{
	struct world w;
	struct client c;
	(void)state;
	up(&w, 1);
	w.spawn.start = no_process;
	world_kill(&w.spawn, world_child(&w, "gate")->process, SIGKILL);
	world_until(&w, world_child(&w, "gate")->failures >= 4);
	/* with pauses between that grow: no loop of tries */
	int64_t began = supervisor_now(w.supervisor);
	world_until(&w, world_child(&w, "gate")->failures >= 8);
	assert_in_range(supervisor_now(w.supervisor) - began, 1000, 60000);
	assert_true(world_said(&w, "event=role-not-started role=gate"));
	assert_true(client_connect(&c, &w, "smtp", "192.0.2.1")); /* others go on */
	client_wants(&c, "220 ");
	w.spawn.start = world_start;
	world_until(&w, world_all_up(&w));
	assert_int_equal(w.supervisor->phase, RUNNING);
	client_done(&c);
	world_done(&w);
}

/* X8: a reload that cannot have its second keys changes nothing; LIMIT_RELOAD_MS need not pass. */
static void x3_x8_a_reload_without_a_process(void **state)
{
	static const char pem[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
	char path[200];
	struct world w;
	(void)state;
	up(&w, 2);
	snprintf(path, sizeof(path), "%s/tls", w.path);
	assert_int_equal(mkdir(path, 0700), 0);
	world_write(&w, "tls/a.crt", pem, sizeof(pem) - 1);
	w.spawn.start = no_process;
	supervisor_reload(w.supervisor);
	assert_true(world_said(&w, "event=reload-refused what=certificates"));
	assert_true(world_all_up(&w));
	w.spawn.start = world_start;
	supervisor_reload(w.supervisor); /* it can be read by no front: refused, and all stay up */
	int64_t began = supervisor_now(w.supervisor);
	world_until(&w, w.supervisor->reload.phase == RELOAD_NONE);
	assert_in_range(supervisor_now(w.supervisor) - began, 0, LIMIT_RELOAD_MS);
	assert_true(world_said(&w, "this is not a certificate chain in PEM"));
	assert_int_equal(w.supervisor->certificates.n, 0);
	loop_sim_run_for(w.loop, 1000);
	assert_true(world_all_up(&w));
	snprintf(path, sizeof(path), "%s/tls/a.crt", w.path);
	unlink(path);
	world_done(&w);
}

TEST_MAIN(test_case(x3_a_role_that_cannot_be_started_again),
	test_case(x3_x8_a_reload_without_a_process))
