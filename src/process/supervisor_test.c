// SPDX-License-Identifier: Apache-2.0
/* Life and death: the order of starts and stops, back-off, giving up, distrust, reload, commands,
 * and children that write too much. */
#include "process/world_test.h"

#include "store/distrust.h"

static void up(struct world *w, uint64_t seed)
{
	world_make(w, seed);
	world_boot(w);
	world_until(w, w->ready);
}

static void test_ready_once(void **state)
{
	struct world w;
	(void)state;
	up(&w, 1);
	assert_int_equal(w.supervisor->children.n, 7);
	assert_int_equal(w.processes_n, 6); /* the second keys waits for a reload */
	size_t n = 0;
	for (int fronts = 1; fronts >= 0;
		fronts--) /* fronts, then the rest, in the table's order */
		for (size_t i = 0; i < role_rows_n; i++)
			if ((role_rows[i].class == &front_role) == (fronts == 1))
				assert_string_equal(w.processes[n++].row->name, role_rows[i].name);
	world_kill(&w.spawn, world_child(&w, "gate")->process, SIGSEGV);
	world_until(&w, world_child(&w, "gate")->process == 0);
	world_until(&w, world_all_up(&w));
	assert_int_equal(w.ready, 1);
	assert_int_equal(world_child(&w, "gate")->restarts, 1);
	assert_true(world_said(&w, "event=role-back role=gate"));
	world_done(&w);
}

/* An instance is never used twice: tickets are bound to it. */
static void test_instances_differ(void **state)
{
	struct world w;
	(void)state;
	up(&w, 2);
	for (int i = 0; i < 3; i++)
		world_restart(&w, "front-user");
	for (size_t a = 0; a < w.processes_n; a++)
		for (size_t b = 0; b < a; b++)
			assert_int_not_equal(
				w.processes[a].context.instance, w.processes[b].context.instance);
	world_done(&w);
}

/* Kills a role, and goes on by milliseconds to the moment after which it is to be started again: it
 * is not there a millisecond sooner, and then it is. */
static void comes_back_after(struct world *w, const char *name, int64_t ms)
{
	struct child *c = world_child(w, name);
	int64_t before = c->started_ms;
	world_kill(&w->spawn, c->process, SIGKILL);
	loop_sim_run_for(w->loop, 1);
	loop_sim_run_until_idle(w->loop);
	if (ms > 0) {
		loop_sim_run_for(w->loop, ms - 1); /* N-1 */
		assert_int_equal(c->started_ms, before);
		assert_int_equal(supervisor_now(w->supervisor), c->died_ms + ms - 1);
		loop_sim_run_for(w->loop, 1); /* N */
	}
	assert_int_equal(c->started_ms, c->died_ms + ms);
	loop_sim_run_for(w->loop, 1); /* N+1: the same one */
	assert_int_equal(c->started_ms, c->died_ms + ms);
}

/* Who dies as soon as it is up is started again with longer and longer pauses, and at once when it
 * had settled. */
static void test_back_off(void **state)
{
	static const int64_t pauses[] = { 50, 100, 200, LIMIT_AGAIN_MS, LIMIT_AGAIN_MS,
		LIMIT_AGAIN_MS };
	struct world w;
	(void)state;
	up(&w, 3);
	for (size_t i = 0; i < ARRAY_LEN(pauses); i++) {
		comes_back_after(&w, "courier", pauses[i]);
		world_until(&w, world_all_up(&w));
	}
	loop_sim_run_for(w.loop, LIMIT_SETTLED_MS);
	comes_back_after(&w, "courier", 0);
	world_done(&w);
}

/* How long it must have lived for its death not to count as a failed start. */
static void test_settled(void **state)
{
	(void)state;
	for (int over = -1; over <= 1; over++) {
		struct world w;
		up(&w, 3);
		struct child *c = world_child(&w, "courier");
		int64_t started = c->started_ms, age = supervisor_now(w.supervisor) - started;
		/* a process dies a millisecond after it is killed */
		loop_sim_run_for(w.loop, LIMIT_SETTLED_MS + over - 1 - age);
		world_kill(&w.spawn, c->process, SIGKILL);
		loop_sim_run_for(w.loop, 1);
		assert_int_equal(c->died_ms - started, LIMIT_SETTLED_MS + over);
		assert_int_equal(c->failures, over < 0 ? 1 : 0);
		world_done(&w);
	}
}

/* Three times before everything was up once: there is no use. */
static void test_gives_up(void **state)
{
	struct world w;
	(void)state;
	world_make(&w, 4);
	w.broken = "store";
	world_boot(&w);
	world_until(&w, w.supervisor->phase == STOPPED);
	assert_int_equal(supervisor_status(w.supervisor), 1);
	assert_int_equal(w.ready, 0);
	assert_int_equal(world_child(&w, "store")->failures, 3);
	assert_true(world_said(&w, "event=giving-up role=store failures=3"));
	assert_true(world_said(&w, "why=\"broken by the test\""));
	world_done(&w);
}

/* After the first time it goes on for ever. */
static void test_never_gives_up_later(void **state)
{
	struct world w;
	(void)state;
	up(&w, 5);
	w.broken = "gate";
	world_kill(&w.spawn, world_child(&w, "gate")->process, SIGKILL);
	struct child *c = world_child(&w, "gate");
	/* 50 ms doubled until they are LIMIT_RESTART_MS, where they stay */
	for (unsigned n = 9; n <= 11; n++) {
		world_until(&w, c->failures == n);
		int64_t due = c->died_ms + LIMIT_RESTART_MS, before = c->started_ms;
		loop_sim_run_for(w.loop, due - 1 - supervisor_now(w.supervisor)); /* N-1 */
		assert_int_equal(c->started_ms, before);
		loop_sim_run_for(w.loop, 1); /* N */
		assert_int_equal(c->started_ms, due);
		loop_sim_run_for(w.loop, 1); /* N+1 */
		assert_int_equal(c->started_ms, due);
	}
	assert_int_equal(w.supervisor->phase, RUNNING);
	w.broken = NULL;
	world_until(&w, world_all_up(&w));
	world_done(&w);
}

/* Whose control channel is gone has a moment to be seen dying, and then is killed. */
static void test_dying(void **state)
{
	struct world w;
	(void)state;
	up(&w, 9);
	struct child *c = world_child(&w, "courier");
	struct process *p = world_role(&w, "courier");
	role_host_free(&p->host); /* it lives on without its channel */
	loop_sim_run_until_idle(w.loop);
	assert_null(c->control);
	loop_sim_run_for(w.loop, LIMIT_DYING_MS - 1);
	assert_false(p->ending);
	loop_sim_run_for(w.loop, 1);
	assert_true(p->ending);
	loop_sim_run_for(w.loop, 1);
	assert_int_equal(p->pid, 0);
	world_until(&w, world_all_up(&w));
	world_done(&w);
}

static void test_stops_in_order(void **state)
{
	struct world w;
	struct client c;
	(void)state;
	up(&w, 6);
	assert_true(client_connect(&c, &w, "smtp", "192.0.2.1"));
	client_wants(&c, "220 ");
	supervisor_stop(w.supervisor);
	supervisor_stop(w.supervisor); /* impatience changes nothing */
	client_wants(&c, "421 ");
	world_until(&w, w.supervisor->phase == STOPPED);
	size_t front = str_search(buf_str(&w.log), STR("event=role-ended role=front-mx"));
	size_t store = str_search(buf_str(&w.log), STR("event=role-ended role=store"));
	assert_true(front < store && store < w.log.n);
	assert_false(world_said(&w, "event=role-killed"));
	assert_int_equal(supervisor_status(w.supervisor), 0);
	client_done(&c);
	world_done(&w);
}

/* A role that goes down while all stop is not started again. */
static void test_dies_while_stopping(void **state)
{
	struct world w;
	struct client c;
	(void)state;
	up(&w, 7);
	assert_true(client_connect(&c, &w, "smtp", "192.0.2.1"));
	client_wants(&c, "220 ");
	client_says(&c, "EHLO c.example\r\n", "250 ");
	size_t before = w.processes_n;
	world_kill(&w.spawn, world_child(&w, "store")->process, SIGKILL);
	supervisor_stop(w.supervisor);
	world_until(&w, w.supervisor->phase == STOPPED);
	assert_int_equal(w.processes_n, before);
	client_done(&c);
	world_done(&w);
}

/* A command that is done, or a stop, comes while roles still start: that they have come up is no
 * offence then, and nobody is cut off for it. */
static void test_stops_while_starting(void **state)
{
	(void)state;
	for (int steps = 0; steps < 40; steps++) {
		struct world w;
		world_make(&w, 7);
		world_boot(&w);
		loop_sim_run_for(w.loop, steps);
		supervisor_stop(w.supervisor);
		world_until(&w, w.supervisor->phase == STOPPED);
		assert_false(world_said(&w, "event=role-dropped"));
		world_done(&w);
	}
}

/* A failed flush: the next store is told so until one has come up. */
static void test_distrust_is_handed_on(void **state)
{
	struct world w;
	(void)state;
	up(&w, 8);
	assert_false(w.distrust_seen);
	process_ends(world_role(&w, "store"), STORE_EXIT_DISTRUST << 8);
	w.broken = "store"; /* its successor dies too: the one after it is told still */
	world_until(&w, world_child(&w, "store")->failures == 2);
	assert_true(w.distrust_seen);
	w.broken = NULL;
	w.distrust_seen = false;
	world_until(&w, world_all_up(&w));
	assert_true(w.distrust_seen);
	loop_sim_run_for(w.loop, LIMIT_SETTLED_MS);
	world_restart(&w, "store");
	assert_false(w.distrust_seen);
	world_done(&w);
}

/* X8: a broken configuration leaves the old one in force. */
static void test_reload(void **state)
{
	struct world w;
	struct client c;
	(void)state;
	up(&w, 9);
	world_write(&w, "culver.conf", "hostname = \"", 12);
	supervisor_reload(w.supervisor);
	assert_true(world_said(&w, "event=reload-refused"));
	loop_sim_run_for(w.loop, 1000);
	assert_true(world_all_up(&w));
	assert_string_equal(w.supervisor->o.config->hostname, "mail.example");
	assert_true(client_connect(&c, &w, "smtp", "192.0.2.1"));
	client_wants(&c, "220 mail.example");
	client_done(&c);
	world_write(&w, "culver.conf", "hostname = \"new.example\"\n", 25);
	supervisor_reload(w.supervisor);
	world_until(&w, world_said(&w, "event=reloaded"));
	loop_sim_run_for(w.loop, 1000);
	assert_true(client_connect(&c, &w, "smtp", "192.0.2.1"));
	client_wants(&c, "220 new.example");
	client_done(&c);
	world_done(&w);
}

/* A front that has lived its hours: another takes its place before it stops accepting, and what it
 * holds may end in its own time. */
static void test_front_is_replaced(void **state)
{
	struct world w;
	struct client c;
	(void)state;
	world_make(&w, 13);
	world_configure(&w, "front_hours = 1\n");
	world_boot(&w);
	world_until(&w, w.ready);
	struct child *old = world_child(&w, "front-mx");
	loop_sim_run_for(w.loop, (int64_t)3600 * 1000 - 20000);
	assert_true(client_connect(&c, &w, "smtp", "192.0.2.1"));
	client_wants(&c, "220 ");
	client_says(&c, "EHLO c.example\r\n", "250 ");
	client_says(&c, "MAIL FROM:<a@c.example>\r\n", "250 ");
	world_until(&w, old->leaving);
	assert_ptr_equal(world_child(&w, "front-mx")->row, old->row);
	assert_ptr_not_equal(world_child(&w, "front-mx"), old);
	assert_int_equal(old->state, CHILD_UP);
	world_until(&w, old->state == CHILD_DRAINING);
	assert_int_equal(world_child(&w, "front-mx")->state, CHILD_UP);
	assert_int_equal(w.supervisor->children.n, 9); /* both classes, at the same time */
	client_says(&c, "RSET\r\n", "421 ");
	client_done(&c);
	world_until(&w, w.supervisor->children.n == 7);
	world_until(&w, world_all_up(&w));
	assert_int_equal(world_child(&w, "front-mx")->restarts, 0);
	assert_int_equal(w.ready, 1);
	world_done(&w);
}

/* ---- commands ---- */

static void test_commands_at_once(void **state)
{
	struct world w;
	struct command c[LIMIT_ADMIN_CHANNELS + 1];
	(void)state;
	up(&w, 10);
	for (size_t i = 0; i < LIMIT_ADMIN_CHANNELS; i++) { /* N */
		command_open(&c[i], &w);
		assert_true(c[i].have_status);
	}
	command_open(&c[LIMIT_ADMIN_CHANNELS], &w); /* N+1 */
	assert_true(c[LIMIT_ADMIN_CHANNELS].ended);
	command_close(&c[LIMIT_ADMIN_CHANNELS]);
	command_close(&c[0]); /* one leaves: one may come */
	world_until(&w, w.supervisor->admins.n == LIMIT_ADMIN_CHANNELS - 1);
	command_open(&c[0], &w);
	assert_true(c[0].have_status);
	for (size_t i = 0; i < LIMIT_ADMIN_CHANNELS; i++)
		command_close(&c[i]);
	world_done(&w);
}

static void test_commands_of_others(void **state)
{
	struct world w;
	struct command c;
	(void)state;
	up(&w, 11);
	w.may_command = false;
	command_open(&c, &w);
	assert_true(c.ended && !c.have_status && c.store == NULL);
	assert_true(world_said(&w, "event=command-refused"));
	command_close(&c);
	/* What a command says to the supervisor ends it: nothing is read there. */
	w.may_command = true;
	command_open(&c, &w);
	struct frame f = { .type = FRAME_DOMAIN_ADD, .domain_add.name = STR("x.example") };
	assert_true(channel_send(c.control, 1, &f));
	world_until(&w, c.ended);
	command_close(&c);
	assert_true(world_all_up(&w));
	world_done(&w);
}

/* ---- a child that is not as it should be ---- */

static void test_flood_of_log_lines(void **state)
{
	struct world w;
	char junk[9000];
	(void)state;
	up(&w, 12);
	struct process *p = world_role(&w, "front-mx");
	struct child *c = world_child(&w, "front-mx");
	memset(junk, 'x', sizeof(junk));
	for (int i = 0; i < 100; i++) { /* no newline ever */
		w.loop->class->link_write(p->log, junk, sizeof(junk), -1);
		loop_sim_run_for(w.loop, 30);
		assert_in_range(c->log_line.n, 0, CHILD_LINE_BYTES);
	}
	size_t longest = 0;
	for (struct str rest = buf_str(&w.log); rest.n;) {
		struct str line = str_split(&rest, '\n');
		longest = line.n > longest ? line.n : longest;
	}
	assert_in_range(longest, 1000, CHILD_LINE_BYTES - 1);
	/* What it said last comes through, whole, though its end has no newline. */
	for (struct str words = STR("\nlast words"); words.n > 0;) {
		ssize_t n = w.loop->class->link_write(p->log, words.p, words.n, -1);
		words = str_from_offset(words, n > 0 ? (size_t)n : 0);
	}
	loop_sim_run_for(w.loop, 1000);
	world_kill(&w.spawn, p->pid, SIGKILL);
	world_until(&w, world_said(&w, "last words\n"));
	world_until(&w, world_all_up(&w));
	world_done(&w);
}

static void says(struct world *w, struct process *p, const char *line)
{
	ssize_t n = (ssize_t)strlen(line);
	assert_int_equal(w->loop->class->link_write(p->log, line, (size_t)n, -1), n);
	loop_sim_run_for(w->loop, 2);
}

/* What it says at once is passed on at once; what it says right behind that is gathered in its
 * pipe, and is not lost with it. */
static void test_log_lines_gather(void **state)
{
	struct loop_sim_network quick = { .buffer_bytes = 64 * 1024 };
	struct world w;
	(void)state;
	up(&w, 31);
	loop_sim_set_network(w.loop, &quick);
	struct process *p = world_role(&w, "front-mx");
	loop_sim_run_for(w.loop, 1000);
	for (int again = 0; again < 2; again++) {
		says(&w, p, again ? "three\n" : "one\n");
		assert_true(world_said(&w, again ? "three\n" : "one\n"));
		says(&w, p, again ? "four\n" : "two\n");
		assert_false(world_said(&w, again ? "four\n" : "two\n"));
		loop_sim_run_for(w.loop, 20);
		assert_true(world_said(&w, again ? "four\n" : "two\n"));
		loop_sim_run_for(w.loop, 20);
	}
	says(&w, p, "five\n");
	says(&w, p, "last words\n");
	assert_false(world_said(&w, "last words\n"));
	world_kill(&w.spawn, p->pid, SIGKILL);
	world_until(&w, world_said(&w, "last words\n"));
	world_done(&w);
}

/* Fronts come up first, the others when those are up, or after LIMIT_HELD_MS when they are not. */
static void test_fronts_first(void **state)
{
	struct loop_sim_network slow = { .delay_ms = 60000, .buffer_bytes = 64 * 1024 };
	struct world w;
	(void)state;
	world_make(&w, 21);
	world_boot(&w);
	VEC_EACH (struct child *, c, &w.supervisor->children)
		assert_int_equal((*c)->process != 0, child_is_front(*c));
	world_until(&w, w.ready);
	world_done(&w);
	world_make(&w, 22);
	loop_sim_set_network(w.loop, &slow);
	world_boot(&w);
	struct child *store = world_child(&w, "store");
	loop_sim_run_for(w.loop, LIMIT_HELD_MS - 1);
	assert_int_equal(store->process, 0);
	loop_sim_run_for(w.loop, 1);
	assert_int_not_equal(store->process, 0);
	assert_int_not_equal(world_child(&w, "gate")->process, 0);
	assert_int_equal(world_child(&w, "front-mx")->state, CHILD_STARTING);
	world_done(&w);
	/* Stopped before that: nobody is left. */
	world_make(&w, 23);
	world_boot(&w);
	supervisor_stop(w.supervisor);
	loop_sim_run_for(w.loop, 60000);
	assert_int_equal(w.supervisor->phase, STOPPED);
	assert_int_equal(world_child(&w, "store")->process, 0);
	world_done(&w);
}

/* As while an upgrade starts its store: the others have not been down since the machine started. */
static void what_was_never_started_is_down_for_no_time(void **state)
{
	struct world w;
	struct command c;
	(void)state;
	up(&w, 11);
	loop_sim_run_for(w.loop, 5000);
	struct child *courier = NULL;
	VEC_EACH (struct child *, at, &w.supervisor->children)
		if ((*at)->row->channel_class == CLASS_COURIER)
			courier = *at;
	assert_non_null(courier);
	int64_t started_ms = courier->started_ms;
	courier->started_ms = 0;
	command_open(&c, &w);
	assert_non_null(strstr(c.status, "courier"));
	assert_non_null(strstr(strstr(c.status, "courier"), " 0 0\n"));
	courier->started_ms = started_ms;
	command_close(&c);
	world_done(&w);
}

TEST_MAIN(test_case(what_was_never_started_is_down_for_no_time), test_case(test_fronts_first),
	test_case(test_ready_once), test_case(test_instances_differ), test_case(test_back_off),
	test_case(test_gives_up), test_case(test_never_gives_up_later), test_case(test_dying),
	test_case(test_settled), test_case(test_stops_in_order),
	test_case(test_dies_while_stopping), test_case(test_stops_while_starting),
	test_case(test_distrust_is_handed_on), test_case(test_reload),
	test_case(test_front_is_replaced), test_case(test_commands_at_once),
	test_case(test_commands_of_others), test_case(test_flood_of_log_lines),
	test_case(test_log_lines_gather))
