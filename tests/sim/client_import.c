// SPDX-License-Identifier: Apache-2.0
/*
 * The administrator imports an account from another provider's server (source.c), as the command
 * does: its own code (src/cli/import.c, import_imap.c, remote.c, remote_fetch.c) runs in an actor,
 * on a loop that is the actor's waiting. It is broken off by whatever happens, and begun again.
 */
#include "source.h"

#include "cli/import.h"
#include "cli/remote_private.h"

enum { TURN_MS = 60 * 1000, GROWS_MOST = 5 };

/* Of one command. */
struct running {
	struct actor *actor;
	struct remote *remote;
	struct loop loop;
	struct loop_class class;
	struct spawn_seam spawn;
	bool stopped;
};
static struct running *at_work;
static bool begun;

static void says(struct importer *im, const char *mailbox, const char *what, const char *why)
{
	(void)im;
	trace(at_work->actor->name, "%s: %s: %s", mailbox ? mailbox : "-", what, why);
}

/* ---- the command's loop ---- */

static void run(struct loop *loop)
{
	struct running *c = CONTAINER_OF(loop, struct running, loop);
	while (!c->stopped)
		actor_wait(c->actor, TURN_MS);
	c->stopped = false;
}

/* The actor goes on at the next turn, not within what has happened. */
static void stop(struct loop *loop)
{
	struct running *c = CONTAINER_OF(loop, struct running, loop);
	c->stopped = true;
	if (c->actor->waiting)
		world.loop->class->timer_set(c->actor->timer, sim_loop_ms());
}

static struct timer *timer_new(struct loop *loop, void (*fire)(void *arg), void *arg)
{
	(void)loop;
	return world.loop->class->timer_new(world.loop, fire, arg);
}

static struct link *link_new(struct loop *loop, int handle, const struct link_events *events)
{
	(void)loop;
	return world.loop->class->link_new(world.loop, handle, events);
}

static int pair(struct loop *loop, int handles[2])
{
	(void)loop;
	return world.loop->class->pair(world.loop, handles);
}

static void handle_close(struct loop *loop, int handle)
{
	(void)loop;
	world.loop->class->handle_close(world.loop, handle);
}

/* The fetcher is the command's own child. */
static int start(struct spawn_seam *seam, const struct role_row *row, uint32_t instance,
	int control, int log)
{
	(void)seam;
	close(log); /* a real one: the command's own errors */
	return world_spawn(row, instance, control, -1)->pid;
}

static bool begin(struct running *c, struct actor *a)
{
	struct err err = ERR_INIT;
	*c = (struct running){ .actor = a, .class = *world.loop->class };
	c->class.run = run;
	c->class.stop = stop;
	c->class.timer_new = timer_new;
	c->class.link_new = link_new;
	c->class.pair = pair;
	c->class.handle_close = handle_close;
	c->loop = (struct loop){ .class = &c->class, .clock = world.loop->clock };
	c->spawn.start = start;
	int handle = world.powered ? loop_sim_connect(world.loop, world.control_door, "", 0) : -1;
	if (handle < 0)
		return false;
	c->remote = remote_new();
	c->remote->config = config_load("culver.conf", &err);
	c->remote->spawn = &c->spawn;
	return remote_join(c->remote, &c->loop, handle, &err) == 0;
}

static void end(struct running *c)
{
	struct remote *r = c->remote;
	if (r == NULL)
		return;
	remote_leave(r);
	buf_done(&r->status);
	buf_done(&r->certificates);
	config_free(&r->config);
	free(r);
}

/* Somebody ends the command. */
static void on_killed(void *arg)
{
	struct running *c = arg;
	trace(c->actor->name, "is killed");
	fault_struck(FAULT_CRASH);
	c->remote->lost = true;
	remote_wake(c->remote);
}

/* ---- an import ---- */

static const char *host(void)
{
	uint64_t at = dice(100);
	return at < 70   ? SOURCE_HOST
	       : at < 85 ? SOURCE_NEAR
	       : at < 96 ? "192.0.2.1"
			 : "nobody.example";
}

/* As cmd_import.c has it. */
static int import(struct importer *im, const char *from, struct err *err)
{
	struct remote_server server = { .host = str_from(from),
		.port = 143,
		.security = REMOTE_PLAIN,
		.user = STR("somebody"),
		.password = STR("or\"other"),
		.most_bytes = im->most_bytes };
	int rc = importer_begin(im, str_from(account_address(IMPORTED)), err);
	if (rc == 0)
		rc = import_imap(im, &server, err);
	if (rc == 0)
		rc = importer_end(im, err);
	else
		importer_abandon(im);
	return rc;
}

/* What it says of itself: each message of the source was imported, or was there, or left out. */
static void check_sums(const struct importer *im, size_t before)
{
	uint64_t n = im->imported + im->there;
	if (im->left_out == 0 && (n < before || n > source_messages()))
		sim_fail("an import of %zu to %zu messages: %llu imported, %llu there", before,
			source_messages(), (unsigned long long)im->imported,
			(unsigned long long)im->there);
}

/* must: nothing is to go wrong. */
static void import_once(struct actor *a, bool must)
{
	struct running c;
	struct err err = ERR_INIT;
	struct options o = { .json = true };
	unsigned upgrades = world.upgrades;
	bool all_up = world_all_up();
	const char *from = must ? SOURCE_HOST : host();
	if (!begin(&c, a)) {
		if (must)
			sim_fail("an import has nobody to ask");
		end(&c);
		return;
	}
	at_work = &c;
	struct timer *killed = world.loop->class->timer_new(world.loop, on_killed, &c);
	if (world.o.faults & 1U << FAULT_CRASH && !must && chance(15))
		world.loop->class->timer_set(killed, sim_loop_ms() + (int64_t)dice(6000));
	struct importer im = { .o = &o,
		.remote = c.remote,
		.most_bytes = (uint64_t)c.remote->config->message_bytes,
		.says = says };
	size_t before = source_messages();
	trace(a->name, "imports from %s", from);
	source_import_begin();
	int rc = import(&im, from, &err);
	trace(a->name, "%s: %llu imported, %llu there, %llu left out%s%s", rc ? "failed" : "done",
		(unsigned long long)im.imported, (unsigned long long)im.there,
		(unsigned long long)im.left_out, rc ? ": " : "", rc ? err_log_text(&err) : "");
	bool nobody = strcmp(from, "nobody.example") == 0;
	bool quiet = world_is_quiet() && all_up && upgrades == world.upgrades && !nobody;
	if ((must || quiet) && (rc != 0 || im.left_out))
		sim_fail("an import failed, and nothing is wrong: %s",
			rc ? err_log_text(&err) : "something was left out");
	if (nobody && rc == 0)
		sim_fail("an import came from a host that there is not");
	if (rc == 0)
		check_sums(&im, before);
	source_import_end(rc == 0, im.left_out > 0);
	world.report->imports += rc == 0;
	world.report->imported += im.imported;
	importer_done(&im);
	world.loop->class->timer_free(&killed);
	end(&c);
	at_work = NULL;
}

/* One at a time: a second would be refused for the first's sake. */
void client_import_run(struct actor *a)
{
	if (!begun)
		source_begin();
	begun = true;
	while (!round_over) {
		actor_sleep(a, (int64_t)dice(8000));
		if (round_over || at_work)
			continue;
		source_grow((size_t)dice(GROWS_MOST));
		import_once(a, false);
	}
}

static void to_the_end(struct actor *a)
{
	import_once(a, true);
}

bool import_settle(void)
{
	if (!begun)
		return false;
	struct actor *a = actor_new("import", 99, to_the_end);
	world_until(a->done, 600000);
	if (!a->done)
		sim_fail("an import does not end");
	return true;
}
