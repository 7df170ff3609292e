// SPDX-License-Identifier: Apache-2.0
/* The supervisor's limits of time, to the millisecond. */
#include "base/time.h"
#include "process/world_test.h"

static void up(struct world *w, uint64_t seed)
{
	world_make(w, seed);
	world_boot(w);
	world_until(w, w->ready);
}

/* ---- roles that hang ---- */

enum { PULSE_MS = 900 };

/* To the moment of the next pulse, before which a role's answer to the last one is unsaid. */
static void pulse(struct world *w, struct child *hangs)
{
	loop_sim_run_for(w->loop, PULSE_MS - 1);
	if (hangs)
		hangs->alive = false;
	loop_sim_run_for(w->loop, 1);
}

static void who_hangs_is_killed(void **state)
{
	enum { PULSES = LIMIT_SILENCE_MS / PULSE_MS };
	struct world w;
	(void)state;
	_Static_assert(LIMIT_SILENCE_MS % PULSE_MS == 0, "the last pulse is the limit");
	up(&w, 12);
	w.supervisor->o.pulse_ms = PULSE_MS;
	pulse_start(w.supervisor);
	struct child *store = world_child(&w, "store");
	struct process *p = world_role(&w, "store");
	for (int i = 0; i < PULSES + 1; i++)
		pulse(&w, NULL);
	assert_int_equal(store->silent_ms, 0);
	for (int i = 0; i < PULSES - 1; i++)
		pulse(&w, store); /* N-1 */
	assert_false(p->ending);
	pulse(&w, NULL); /* an answer, late as it is */
	assert_int_equal(store->silent_ms, 0);
	for (int i = 0; i < PULSES; i++) {
		assert_false(p->ending);
		pulse(&w, store);
	}
	assert_true(p->ending); /* N */
	assert_true(world_said(&w, "event=role-hangs role=store"));
	world_until(&w, p->pid == 0);
	pulse_stop(w.supervisor); /* N+1 */
	world_until(&w, world_all_up(&w));
	assert_int_equal(store->restarts, 1);
	world_done(&w);
}

/* A manager's watchdog does not end the server while its store is being opened; but while any other
 * role does not come up. */
static void a_store_may_take_its_time(void **state)
{
	static const char *const roles[] = { "store", "gate" };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		struct world w;
		up(&w, 13);
		w.supervisor->o.pulse_ms = PULSE_MS;
		pulse_start(w.supervisor);
		pulse(&w, NULL);
		w.mute = roles[i];
		world_child(&w, roles[i])->state = CHILD_STARTING;
		int before = w.pulses;
		for (int n = 0; n < 100; n++)
			pulse(&w, NULL);
		assert_int_equal(w.pulses - before, i == 0 ? 100 : 0);
		pulse_stop(w.supervisor);
		world_done(&w);
	}
}

/* ---- certificates ---- */

/* A second keys that never comes up: the reload is given up at LIMIT_RELOAD_MS, and everything is
 * as it was. X8 */
static void x8_a_reload_has_its_time(void **state)
{
	struct world w;
	char path[200];
	(void)state;
	up(&w, 1);
	snprintf(path, sizeof(path), "%s/tls", w.path);
	assert_int_equal(mkdir(path, 0700), 0);
	world_write(&w, "tls/a.crt", "x", 1);
	w.mute = "keys";
	supervisor_reload(w.supervisor);
	loop_sim_run_for(w.loop, LIMIT_RELOAD_MS - 1); /* N-1 */
	assert_int_equal(w.supervisor->reload.phase, RELOAD_STARTING);
	assert_false(world_said(&w, "event=reload-refused"));
	loop_sim_run_for(w.loop, 1); /* N */
	assert_int_equal(w.supervisor->reload.phase, RELOAD_NONE);
	assert_true(
		world_said(&w, "event=reload-refused what=certificates why=\"it took too long\""));
	buf_clear(&w.log);
	loop_sim_run_for(w.loop, 1); /* N+1 */
	assert_false(world_said(&w, "event=reload-refused"));
	world_until(&w, !w.processes[w.processes_n - 1].pid); /* it is killed */
	assert_true(world_all_up(&w));
	w.mute = NULL;
	world_done(&w);
}

/* The old keys dies as the last whom a reload waits for, and another was asked for meanwhile: that
 * one starts this very child again. */
static void a_reload_follows_a_death(void **state)
{
	struct world w;
	char path[200];
	(void)state;
	up(&w, 13);
	snprintf(path, sizeof(path), "%s/tls", w.path);
	assert_int_equal(mkdir(path, 0700), 0);
	world_write(&w, "tls/a.crt", "x", 1);
	struct reload *r = &w.supervisor->reload;
	struct child *old = world_child(&w, "keys");
	r->phase = RELOAD_SETTLING;
	r->again = true;
	old->spare = true;
	old->settles = true;
	VEC_EACH (struct child *, c, &w.supervisor->children)
		if (*c != old && (*c)->row == old->row)
			(*c)->spare = false;
	world_kill(&w.spawn, old->process, SIGKILL);
	world_until(&w, r->phase == RELOAD_STARTING && r->keys == old);
	assert_int_equal(old->state, CHILD_STARTING);
	assert_non_null(old->control);
	assert_false(world_said(&w, "event=reload-refused"));
	world_done(&w);
}

/* While an upgrade has no fronts yet, the keys of a reload may be up before those that it began
 * with, and take their place: then nobody else comes up for whom the fronts would wait. */
static void a_reload_that_overtakes_an_upgrade(void **state)
{
	struct world w;
	char path[200];
	(void)state;
	up(&w, 14);
	snprintf(path, sizeof(path), "%s/tls", w.path);
	assert_int_equal(mkdir(path, 0700), 0);
	world_write(&w, "tls/a.crt", "x", 1);
	struct child *old = world_child(&w, "keys");
	w.mute = "keys";
	world_kill(&w.spawn, old->process, SIGKILL);
	world_until(&w, old->process == 0);
	world_until(&w, old->state == CHILD_STARTING);
	w.mute = NULL;
	w.supervisor->was_ready = false;
	w.supervisor->upgrade.under_way = true;
	VEC_EACH (struct child *, c, &w.supervisor->children)
		(*c)->leaving = child_is_front(*c);
	supervisor_reload(w.supervisor);
	world_until(&w, old->spare);
	assert_true(w.supervisor->was_ready);
	assert_false(w.supervisor->upgrade.under_way);
	world_done(&w);
}

/* It listens on every port all the same, so nothing else would say why nobody gets in by TLS. */
static void no_certificate_is_said(void **state)
{
	(void)state;
	for (int there = 0; there <= 1; there++) {
		struct world w;
		char path[200];
		world_make(&w, 8);
		snprintf(path, sizeof(path), "%s/tls", w.path);
		assert_int_equal(mkdir(path, 0755), 0);
		if (there) /* what is wrong with it is said elsewhere */
			world_write(&w, "tls/default.crt", "x", 1);
		world_boot(&w);
		world_until(&w, w.ready);
		assert_int_equal(world_said(&w, "event=no-certificate"), !there);
		world_done(&w);
	}
}

/* A second less than LIMIT_EXPIRY_WARN_DAYS is 13 days: warned of once a day. */
static void certificates_that_end_soon(void **state)
{
	enum { LOOK_S = 1, DAY_S = 24 * 3600 };
	(void)state;
	for (int over = -1; over <= 1; over++) {
		struct world w;
		up(&w, 2);
		int64_t at_s = w.loop->clock->wall_ms(w.loop->clock) / 1000 + LOOK_S;
		struct api_certificate c = { .name = STR("mine"),
			.hosts = STR("mail.example"),
			.expires_s = (uint64_t)(at_s + (int64_t)LIMIT_EXPIRY_WARN_DAYS * DAY_S +
						over) };
		struct frame_certificates_are are = { .certificates = { &c, 1 }, .good = true };
		certificates_found(w.supervisor, &are, false);
		loop_sim_run_for(w.loop, LOOK_S * 1000);
		assert_int_equal(world_said(&w, "event=certificate-expires"), over < 0);
		assert_int_equal(
			world_said(&w, "event=certificate-expires name=mine days=13"), over < 0);
		loop_sim_run_for(w.loop, DAY_S * 1000 - 1);
		buf_clear(&w.log);
		loop_sim_run_for(w.loop, 1); /* a day later: of all three */
		assert_int_equal(
			world_said(&w, "event=certificate-expires name=mine days=12"), over < 0);
		assert_int_equal(
			world_said(&w, "event=certificate-expires name=mine days=13"), over >= 0);
		world_done(&w);
	}
}

/* A front that was taken over says any time: the last one that can be written stands for all later,
 * and 1970 for all before. */
static void certificates_that_never_end(void **state)
{
	static const int64_t last_s = TIME_MAX_MS / 1000;
	static const int64_t said_s[] = { INT64_MIN, -1, 0, 1, TIME_MAX_MS / 1000 - 1,
		TIME_MAX_MS / 1000, TIME_MAX_MS / 1000 + 1, INT64_MAX };
	struct api_certificate list[LIMIT_CERTIFICATES];
	struct world w;
	(void)state;
	up(&w, 2);
	for (size_t i = 0; i < ARRAY_LEN(said_s); i++) {
		struct api_certificate c = { .name = STR("mine"), .expires_s = said_s[i] };
		struct frame_certificates_are are = { .certificates = { &c, 1 }, .good = true };
		certificates_found(w.supervisor, &are, false);
		assert_int_equal(certificates_list(w.supervisor, list), 1);
		assert_int_equal(list[0].expires_s, said_s[i] < 0        ? 0
						    : said_s[i] > last_s ? last_s
									 : said_s[i]);
		buf_clear(&w.log);
		loop_sim_run_for(w.loop, 1000);
		assert_int_equal(world_said(&w, "event=certificate-expires"), said_s[i] <= 1);
	}
	world_done(&w);
}

/* ---- another image ---- */

enum { CHECKING = 7 };

struct checked {
	struct world w;
	int checks, killed;
	int says;
	char word[TAKEOVER_WORD_BYTES];
};

static int check(struct spawn_seam *seam, struct str takeover, int says)
{
	struct checked *x = CONTAINER_OF(seam, struct checked, w.spawn);
	assert_true(takeover.n > 0);
	assert_true(takeover_word(takeover, x->word));
	x->says = says;
	x->checks++;
	return CHECKING;
}

/* What the new binary says, and how it ends. */
static void says_and_ends(struct checked *x, const char *text, int status)
{
	struct link_events none = { .ready = NULL };
	struct link *says = x->w.loop->class->link_new(x->w.loop, x->says, &none);
	for (size_t n = 0; n < strlen(text);) {
		ssize_t got = x->w.loop->class->link_write(says, text + n, strlen(text) - n, -1);
		assert_true(got > 0);
		n += (size_t)got;
	}
	x->w.loop->class->link_free(&says);
	if (text[0])
		loop_sim_run_for(x->w.loop, 100);
	x->w.spawn.ended(x->w.spawn.arg, CHECKING, status);
}

static void kill_one(struct spawn_seam *seam, int process, int number)
{
	struct checked *x = CONTAINER_OF(seam, struct checked, w.spawn);
	if (process == CHECKING)
		x->killed = number;
	else
		world_kill(seam, process, number);
}

static int never_becomes(struct spawn_seam *seam, const struct takeover *t, struct str text)
{
	(void)seam;
	(void)t;
	(void)text;
	return -ENOEXEC;
}

static void checked_up(struct checked *x, uint64_t seed)
{
	x->checks = x->killed = 0;
	up(&x->w, seed);
	x->w.spawn.check = check;
	x->w.spawn.kill = kill_one;
	x->w.spawn.become = never_becomes;
	loop_sim_run_for(x->w.loop, 100);
}

static bool refused(const struct checked *x, const char *why)
{
	return world_said(&x->w, "event=upgrade-refused") && world_said(&x->w, why);
}

static void the_check_of_a_new_binary_has_its_time(void **state)
{
	struct checked x;
	(void)state;
	checked_up(&x, 3);
	supervisor_upgrade(x.w.supervisor);
	loop_sim_run_until_idle(x.w.loop);
	assert_int_equal(x.checks, 1);
	loop_sim_run_for(x.w.loop, LIMIT_TAKEOVER_MS - 1); /* N-1 */
	assert_int_equal(x.killed, 0);
	loop_sim_run_for(x.w.loop, 1); /* N */
	assert_int_equal(x.killed, SIGKILL);
	loop_sim_run_for(x.w.loop, 1); /* N+1: when it is gone, it is refused */
	assert_false(world_said(&x.w, "event=upgrade-refused"));
	says_and_ends(&x, "", SIGKILL);
	assert_true(refused(&x, "check of itself was not done within"));
	assert_true(world_all_up(&x.w));
	world_done(&x.w);
}

/* Each has its own reason, in the log and for who asked. */
static void a_check_that_fails_without_a_word(void **state)
{
	static const struct {
		int status; /* as wait(2) has it */
		const char *why;
	} cases[] = {
		{ 127 << 8, "check of itself ended with status 127, without a word" },
		{ SIGSEGV, "signal 11 ended the new binary's check of itself" },
		{ SIGKILL, "signal 9 ended the new binary's check of itself" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct checked x;
		checked_up(&x, 3);
		supervisor_upgrade(x.w.supervisor);
		loop_sim_run_until_idle(x.w.loop);
		says_and_ends(&x, "", cases[i].status);
		assert_true(refused(&x, cases[i].why));
		world_done(&x.w);
	}
}

/* /bin/true ends well too. What counts is the answer, and that it is to what was asked. */
static void a_program_that_ends_well_is_not_yet_the_next_image(void **state)
{
	static const char *const words[] = { "", "yes", "culver-takeover 1",
		"culver-takeover 1 "
		"0000000000000000000000000000000000000000000000000000000000000000" };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct checked x;
		checked_up(&x, 3);
		supervisor_upgrade(x.w.supervisor);
		loop_sim_run_until_idle(x.w.loop);
		says_and_ends(&x, words[i], 0);
		assert_true(refused(&x, "does not say that it can take over"));
		assert_true(world_all_up(&x.w));
		world_done(&x.w);
	}
}

/* A program that was installed while the one before starts its roles is not forgotten: one more
 * upgrade follows, however often it was asked for. */
static void an_upgrade_that_is_asked_for_meanwhile_follows(void **state)
{
	struct checked x;
	(void)state;
	checked_up(&x, 3);
	struct upgrade *u = &x.w.supervisor->upgrade;
	u->under_way = true;
	supervisor_upgrade(x.w.supervisor);
	supervisor_upgrade(x.w.supervisor);
	loop_sim_run_for(x.w.loop, 100);
	assert_int_equal(x.checks, 0);
	upgrade_go_on(x.w.supervisor); /* all are up */
	loop_sim_run_for(x.w.loop, 100);
	assert_int_equal(x.checks, 1);
	says_and_ends(&x, "", 0);
	upgrade_go_on(x.w.supervisor);
	loop_sim_run_for(x.w.loop, 100);
	assert_int_equal(x.checks, 1);
	world_done(&x.w);
}

/* Before the check, and after it, for as long: everybody must be at rest. after: it has passed. */
static void rests_in_time(bool after, int late)
{
	struct checked x;
	checked_up(&x, 4);
	struct reload *busy = &x.w.supervisor->reload;
	busy->phase = after ? RELOAD_NONE : RELOAD_ASKING;
	supervisor_upgrade(x.w.supervisor);
	loop_sim_run_until_idle(x.w.loop);
	assert_int_equal(x.checks, after);
	if (after) {
		busy->phase = RELOAD_ASKING;
		says_and_ends(&x, x.word, 0);
	}
	loop_sim_run_for(x.w.loop, LIMIT_TAKEOVER_MS - 1);
	assert_false(world_said(&x.w, "event=upgrade-refused"));
	if (late < 0)
		busy->phase = RELOAD_NONE; /* N-1: the last look, at N, finds it so */
	loop_sim_run_for(x.w.loop, 1);
	busy->phase = RELOAD_NONE; /* N, N+1 */
	loop_sim_run_for(x.w.loop, 1 + late);
	assert_int_equal(refused(&x, "a role does not come to rest"), late >= 0);
	assert_int_equal(x.checks, after || late < 0);
	if (after && late < 0)
		assert_true(refused(&x, "the new binary cannot be run"));
	world_done(&x.w);
}

/* The image that takes over believes that readiness was told: it is, before that. */
static void a_server_that_starts_is_up_first(void **state)
{
	struct checked x = { .checks = 0 };
	(void)state;
	world_make(&x.w, 5);
	x.w.spawn.check = check;
	x.w.spawn.kill = kill_one;
	x.w.spawn.become = never_becomes;
	world_boot(&x.w);
	supervisor_upgrade(x.w.supervisor);
	while (!x.w.ready) {
		assert_int_equal(x.checks, 0);
		loop_sim_run_for(x.w.loop, 1);
	}
	loop_sim_run_for(x.w.loop, 100);
	assert_int_equal(x.checks, 1);
	world_done(&x.w);
}

static void a_role_that_does_not_come_to_rest(void **state)
{
	(void)state;
	for (int after = 0; after <= 1; after++)
		for (int late = -1; late <= 1; late++)
			rests_in_time(after, late);
}

/* An old store that does not end is killed, and the new one goes on. */
static void an_old_store_has_its_time(void **state)
{
	struct world w;
	(void)state;
	up(&w, 5);
	struct child *old = world_child(&w, "store");
	struct process *p = world_role(&w, "store");
	w.stuck = "store";
	upgrade_replace(old);
	for (int ms = 0; ms < 10000 && old->state != CHILD_DRAINING; ms++)
		loop_sim_run_for(w.loop, 1);
	assert_int_equal(old->state, CHILD_DRAINING);
	loop_sim_run_for(w.loop, LIMIT_HANDOVER_MS - 1); /* N-1 */
	assert_false(p->ending);
	assert_false(world_all_up(&w));
	loop_sim_run_for(w.loop, 1); /* N */
	assert_true(p->ending);
	assert_true(world_said(&w, "event=role-killed role=store"));
	loop_sim_run_for(w.loop, 1); /* N+1 */
	assert_int_equal(p->pid, 0);
	w.stuck = NULL;
	world_until(&w, world_all_up(&w));
	world_done(&w);
}

/* Who accepts has everybody whom it asks: no login is told to come back. */
static void fronts_begin_last_of_a_generation(void **state)
{
	struct takeover t;
	(void)state;
	takeover_init(&t);
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct world w;
		world_make(&w, seed);
		w.takeover = &t;
		world_boot(&w);
		while (!world_all_up(&w)) {
			bool others = true, fronts = false;
			VEC_EACH (struct child *, c, &w.supervisor->children) {
				if (child_is_front(*c))
					fronts |= (*c)->process != 0;
				else
					others &= (*c)->state == CHILD_UP || (*c)->spare;
			}
			assert_true(others || !fronts);
			loop_sim_run_for(w.loop, 1);
		}
		world_done(&w);
	}
	takeover_done(&t);
}

/* Over half of what a front has to drain in, and no longer than LIMIT_SPREAD_MS. */
static void goodbyes_are_spread(void **state)
{
	enum { CLIENTS = 8, N = LIMIT_SPREAD_MS };
	static const struct {
		const char *configuration;
		uint32_t spread_ms;
	} cases[] = { { "upgrade_drain_seconds = 9\n", N - 500 },
		{ "upgrade_drain_seconds = 10\n", N }, { "upgrade_drain_seconds = 11\n", N },
		{ "upgrade_drain_seconds = 600\n", N } };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world w;
		struct client c[CLIENTS];
		world_make(&w, 6);
		world_configure(&w, cases[i].configuration);
		world_boot(&w);
		world_until(&w, w.ready);
		struct child *old = world_child(&w, "front-mx");
		for (size_t k = 0; k < CLIENTS; k++) {
			assert_true(client_connect(&c[k], &w, "smtp", "192.0.2.1"));
			client_wants(&c[k], "220 ");
		}
		upgrade_replace(old);
		for (int ms = 0; ms < 10000 && w.spread_ms == 0; ms++)
			loop_sim_run_for(w.loop, 1);
		assert_int_equal(w.spread_ms, cases[i].spread_ms);
		int64_t began = supervisor_now(w.supervisor);
		client_wants(&c[0], "421 ");
		assert_in_range(supervisor_now(w.supervisor) - began, 0, N / CLIENTS);
		loop_sim_run_for(
			w.loop, began + cases[i].spread_ms * 3 / 4 - supervisor_now(w.supervisor));
		assert_int_equal(c[CLIENTS - 1].in.n, 0);
		loop_sim_run_for(w.loop, cases[i].spread_ms / 4 + 100);
		for (size_t k = 1; k < CLIENTS; k++) {
			client_wants(&c[k], "421 ");
			client_done(&c[k]);
		}
		client_done(&c[0]);
		assert_in_range(supervisor_now(w.supervisor) - began, 0, N + 200);
		world_done(&w);
	}
}

TEST_MAIN(test_case(who_hangs_is_killed), test_case(a_store_may_take_its_time),
	test_case(a_reload_follows_a_death), test_case(a_reload_that_overtakes_an_upgrade),
	test_case(x8_a_reload_has_its_time), test_case(certificates_that_end_soon),
	test_case(certificates_that_never_end), test_case(no_certificate_is_said),
	test_case(the_check_of_a_new_binary_has_its_time),
	test_case(a_check_that_fails_without_a_word),
	test_case(a_program_that_ends_well_is_not_yet_the_next_image),
	test_case(an_upgrade_that_is_asked_for_meanwhile_follows),
	test_case(a_server_that_starts_is_up_first), test_case(a_role_that_does_not_come_to_rest),
	test_case(an_old_store_has_its_time), test_case(fronts_begin_last_of_a_generation),
	test_case(goodbyes_are_spread))
