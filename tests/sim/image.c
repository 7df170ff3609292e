// SPDX-License-Identifier: Apache-2.0
/*
 * The supervisor becomes another image, as an upgrade has it: what its takeover says is all that
 * the new one knows of the old. The old one hears nothing from then on; it is freed when its stack
 * has unwound, but for the handles that the takeover names, and its children live.
 */
#include "sim.h"

#include "process/takeover.h"

#include <errno.h>

/* CHECK_MS: by then the network has brought what it says (faults.c). */
enum { CHECK_PID = 900, CHECK_MS = 400, HANDLES_MOST = 1000 };

static struct {
	struct timer *checked, *exec;
	struct buf text;
	struct vec kept; /* int: handles that the new image gets */
	bool pending;
} image;

static void set_timer(struct timer *t, int64_t in_ms)
{
	world.loop->class->timer_set(t, world.loop->clock->monotonic_ms(world.loop->clock) + in_ms);
}

/* ---- the check of the new binary ---- */

static void on_checked(void *arg)
{
	(void)arg;
	if (world.supervisor)
		world.spawn.ended(world.spawn.arg, CHECK_PID, 0);
}

static void say(int says, const char *text)
{
	struct link_events none = { .ready = NULL };
	struct link *link = world.loop->class->link_new(world.loop, says, &none);
	ssize_t got = 1;
	for (size_t n = strlen(text); n > 0 && got > 0; n -= (size_t)got, text += got)
		got = world.loop->class->link_write(link, text, n, -1);
	world.loop->class->link_free(&link);
}

static int check(struct spawn_seam *seam, struct str takeover, int says)
{
	char word[TAKEOVER_WORD_BYTES];
	(void)seam;
	if (!takeover_word(takeover, word))
		sim_fail("no memory for the other image's word");
	trace("world", "another image looks at what it would get");
	say(says, word);
	set_timer(image.checked, CHECK_MS);
	return CHECK_PID;
}

/* ---- the step ---- */

static void keep(int handle)
{
	loop_sim_keep(world.loop, handle);
	vec_push(&image.kept, &handle);
}

/* It comes back here, as exec(2) does not; the caller is told that it failed, and does not live to
 * tell anybody. */
static int become(struct spawn_seam *seam, const struct takeover *t, struct str text)
{
	(void)seam;
	buf_clear(&image.text);
	buf_adds(&image.text, text);
	vec_clear(&image.kept);
	keep(t->control);
	VEC_EACH (struct takeover_child, c, &t->children) {
		keep(c->control.handle);
		keep(c->log);
	}
	world.supervisor_process->ending = true;
	image.pending = true;
	set_timer(image.exec, 0);
	return -EINTR;
}

static void on_exec(void *arg)
{
	struct takeover t;
	struct err err = ERR_INIT;
	(void)arg;
	if (!image.pending)
		return;
	image.pending = false;
	trace("world", "the supervisor becomes another image");
	world.upgrades++;
	world.becoming = true; /* its children live on */
	supervisor_free(&world.supervisor);
	world.becoming = false;
	takeover_init(&t);
	if (takeover_read(buf_str(&image.text), &t, &err) < 0)
		sim_fail("the takeover can't be read: %s", err_log_text(&err));
	world_start_supervisor(&t);
	takeover_done(&t);
	world.report->upgrades++;
}

void image_power_cut(void)
{
	if (!image.pending)
		return;
	image.pending = false;
	VEC_EACH (int, handle, &image.kept)
		world.loop->class->handle_close(world.loop, *handle);
}

void image_init(void)
{
	image.checked = world.loop->class->timer_new(world.loop, on_checked, NULL);
	image.exec = world.loop->class->timer_new(world.loop, on_exec, NULL);
	buf_init(&image.text, 1 << 20);
	vec_init(&image.kept, sizeof(int), HANDLES_MOST);
	world.spawn.check = check;
	world.spawn.become = become;
}
