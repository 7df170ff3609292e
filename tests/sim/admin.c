// SPDX-License-Identifier: Apache-2.0
/* The administrator's channels (see admin.h). */
#include "admin.h"

enum { PATIENCE_MS = 600 * 1000, CONNECT_MS = 60 * 1000, STEP_MS = 10 };

static void take_answer(struct admin *a, const struct frame *f)
{
	if (f->type == FRAME_VERIFIER) {
		snprintf(a->verifier, sizeof(a->verifier), "%" STR_FMT,
			STR_ARG(f->verifier.verifier));
	} else if (f->type == FRAME_CHECK_DONE) {
		a->findings = f->check_done.findings;
	} else if (f->type == FRAME_RECOUNTED) {
		a->findings = f->recounted.mended;
	} else if (f->type == FRAME_RECLAIMED) {
		a->segments = f->reclaimed.segments;
	} else if (f->type == FRAME_UNDELETED) {
		a->more = f->undeleted.more;
	} else if (f->type == FRAME_FAILED) {
		a->kind = f->failed.kind;
		snprintf(a->text, sizeof(a->text), "%" STR_FMT, STR_ARG(f->failed.text));
	}
}

static bool on_answer(void *arg, uint32_t request, const struct frame *f, int handle)
{
	struct admin *a = arg;
	(void)request;
	if (f->type == FRAME_CHECK_FINDING) {
		trace("check", "%" STR_FMT, STR_ARG(f->check_finding.text));
		snprintf(a->text, sizeof(a->text), "%" STR_FMT, STR_ARG(f->check_finding.text));
		if (a->on_finding)
			a->on_finding(f->check_finding.text);
		return handle < 0;
	}
	take_answer(a, f);
	if (a->on_frame == NULL || f->type == FRAME_FAILED || a->on_frame(a, f))
		a->answer = (int)f->type;
	return handle < 0;
}

static void on_lost(void *arg, const char *reason)
{
	struct admin *a = arg;
	(void)reason;
	a->ended = true;
}

static bool on_control(void *arg, uint32_t request, const struct frame *f, int handle)
{
	struct admin *a = arg;
	struct channel_events events = { .frame = on_answer, .closed = on_lost, .arg = a };
	(void)request;
	a->have_status |= f->type == FRAME_STATUS;
	if (f->type != FRAME_HAND_OVER)
		return handle < 0;
	if (str_equal(f->hand_over.kind, STR("courier"))) { /* nobody asks it anything here */
		world.loop->class->handle_close(world.loop, handle);
		return true;
	}
	bool store = str_equal(f->hand_over.kind, STR("store"));
	struct channel **to = store ? &a->store : &a->gate;
	if (*to != NULL)
		channel_free(to);
	*to = channel_new(
		world.loop, handle, CLASS_ADMIN, store ? CLASS_STORE : CLASS_GATE, &events);
	return true;
}

/* Until the condition holds or the time is over. */
static void wait_for(struct admin *a, bool (*done)(const struct admin *), int64_t ms)
{
	for (int64_t until = sim_ms() + ms; !done(a) && !a->ended && sim_ms() < until;) {
		if (a->actor)
			actor_sleep(a->actor, STEP_MS);
		else
			world_run_for(STEP_MS);
	}
}

static bool connected(const struct admin *a)
{
	return a->have_status;
}

static bool answered(const struct admin *a)
{
	return a->answer != 0;
}

bool admin_open(struct admin *a, struct actor *actor)
{
	struct channel_events events = { .frame = on_control, .closed = on_lost, .arg = a };
	*a = (struct admin){ .actor = actor };
	if (!world.powered)
		return false;
	int handle = loop_sim_connect(world.loop, world.control_door, "", 0);
	if (handle < 0)
		return false;
	a->control = channel_new(world.loop, handle, CLASS_ADMIN, CLASS_SUPERVISOR, &events);
	wait_for(a, connected, CONNECT_MS);
	return a->store != NULL && a->gate != NULL && !a->ended;
}

void admin_close(struct admin *a)
{
	channel_free(&a->store);
	channel_free(&a->gate);
	channel_free(&a->control);
}

int admin_ask(struct admin *a, struct channel *to, const struct frame *f)
{
	a->answer = 0;
	a->text[0] = 0;
	if (a->ended || to == NULL || !channel_send(to, channel_next_request(to), f))
		return 0;
	wait_for(a, answered, PATIENCE_MS);
	const char *who = a->actor ? a->actor->name : "admin";
	trace(who, "%s: %s%s%s", frame_name((uint16_t)f->type),
		a->answer ? frame_name((uint16_t)a->answer) : "no answer", a->text[0] ? ": " : "",
		a->text);
	return a->answer;
}

void admin_must(struct admin *a, struct channel *to, const struct frame *f, int want)
{
	if (admin_ask(a, to, f) != want)
		sim_fail("%s was answered by %s: %s", frame_name((uint16_t)f->type),
			a->answer ? frame_name((uint16_t)a->answer) : "nobody", a->text);
}
