// SPDX-License-Identifier: Apache-2.0
/* Life and death of the roles: started together, started again when they die, stopped in order. */
#include "process/supervisor_private.h"

#include "base/limits.h"
#include "store/distrust.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

int64_t supervisor_now(const struct supervisor *s)
{
	return s->o.clock->monotonic_ms(s->o.clock);
}

bool child_is_front(const struct child *c)
{
	return c->row->class == &front_role;
}

/* The child's one timer: while it is held back, to hold it no longer; while it is down, to start it
 * again; while its control channel is gone or it drains, to end it; of a front that is up, to
 * replace it. */
void child_set_timer(struct child *c, int64_t after_ms)
{
	struct supervisor *s = c->supervisor;
	s->loop->class->timer_set(c->timer, supervisor_now(s) + after_ms);
}

void child_live_hours(struct child *front)
{
	struct supervisor *s = front->supervisor;
	int64_t lived_ms = supervisor_now(s) - front->up_ms;
	int64_t left_ms = s->o.config->front_hours * 3600 * 1000 - lived_ms;
	child_set_timer(front, left_ms > 0 ? left_ms : 0);
}

void supervisor_tell(struct supervisor *s, enum supervisor_news news)
{
	if (s->o.news)
		s->o.news(s->o.news_arg, news);
}

/* ---- readiness ---- */

static void say_ready(struct supervisor *s)
{
	VEC_EACH (struct child *, c, &s->children)
		if (!(*c)->leaving && !(*c)->spare && (*c)->state != CHILD_UP)
			return;
	if (!s->was_ready)
		supervisor_tell(s, NEWS_READY);
	s->was_ready = true;
}

void supervisor_go_on(struct supervisor *s)
{
	say_ready(s);
	upgrade_go_on(s);
}

static void release_when_fronts_are_up(struct supervisor *s);

static void is_up(struct child *c)
{
	struct supervisor *s = c->supervisor;
	int64_t now = supervisor_now(s);
	c->state = CHILD_UP;
	c->was_up = true;
	c->up_ms = now;
	if (c->row->class == &store_role)
		s->distrust = false;
	log_event(&s->o.log, LOG_INFO, c->restarts ? "role-back" : "role-up",
		"role=%s pid=%d ms=%" PRId64 " down_ms=%" PRId64, c->row->name, c->process,
		now - c->started_ms, c->died_ms ? now - c->died_ms : 0);
	release_when_fronts_are_up(s);
	if (c->spare) {
		reload_keys_up(c);
		return;
	}
	if (child_is_front(c))
		child_live_hours(c);
	supervisor_go_on(s);
}

static bool on_frame(void *arg, uint32_t request, const struct frame *frame, int handle)
{
	struct child *c = arg;
	if (handle >= 0)
		return false;
	if (frame->type == FRAME_STARTED && c->state == CHILD_STARTING && !c->holds)
		is_up(c);
	else if (frame->type == FRAME_STARTED && c->state == CHILD_DRAINING)
		return true; /* it was told to go while it came up */
	else if (frame->type == FRAME_CHANNEL_LOST)
		connect_lost(c, frame->channel_lost.channel);
	else if (frame->type == FRAME_CERTIFICATES_ARE && child_is_front(c))
		reload_answered(c, &frame->certificates_are);
	else if (frame->type == FRAME_DONE && c->holds)
		upgrade_loaded(c);
	else if (frame->type == FRAME_DONE && request != 0)
		reload_settled(c);
	else if (frame->type == FRAME_DONE)
		c->alive = true;
	else
		return false;
	return true;
}

/* A child whose control channel breaks has died, or will not be trusted any longer. It has a moment
 * to be seen dying, since how it died matters (STORE_EXIT_DISTRUST). */
static void on_closed(void *arg, const char *reason)
{
	struct child *c = arg;
	struct log_text why;
	if (channel_dropped(c->control))
		log_event(&c->supervisor->o.log, LOG_ERROR, "role-dropped", "role=%s pid=%d why=%s",
			c->row->name, c->process, log_value(&why, str_from(reason)));
	channel_free(&c->control);
	if (c->process)
		child_set_timer(c, LIMIT_DYING_MS);
}

/* ---- starting ---- */

static int open_pairs(struct supervisor *s, int control[2], int log[2], struct err *err)
{
	int result = s->loop->class->pair(s->loop, control);
	if (result < 0)
		return fail_log(err, ERR_TEMP, "socketpair: %s", strerror(-result));
	result = s->loop->class->pair(s->loop, log);
	if (result == 0)
		return 0;
	s->loop->class->handle_close(s->loop, control[0]);
	s->loop->class->handle_close(s->loop, control[1]);
	return fail_log(err, ERR_TEMP, "socketpair: %s", strerror(-result));
}

void child_control_events(struct child *c, struct channel_events *ret)
{
	*ret = (struct channel_events){ .frame = on_frame, .closed = on_closed, .arg = c };
}

/* The process of what child_prepare has prepared. */
static int child_spawn(struct child *c, struct err *err)
{
	struct supervisor *s = c->supervisor;
	c->held = false;
	c->started_ms = supervisor_now(s);
	c->process = s->o.spawn->start(
		s->o.spawn, c->row, c->instance, c->held_control, c->held_log);
	if (c->process > 0)
		return 0;
	int result = c->process;
	c->process = 0;
	return fail_log(err, ERR_TEMP, "cannot start %s: %s", c->row->name, strerror(-result));
}

/* held: its process begins later, and finds everything that was sent to it until then. */
static int child_prepare(struct child *c, bool held, struct err *err)
{
	struct supervisor *s = c->supervisor;
	struct channel_events events;
	int control[2], log[2];
	child_control_events(c, &events);
	if (open_pairs(s, control, log, err))
		return -1;
	c->instance = ++s->last_instance;
	c->generation = s->upgrade.generation;
	c->holds = upgrade_must_hold(c);
	c->started_ms = supervisor_now(s);
	c->was_up = false;
	c->held = held;
	c->held_control = control[1];
	c->held_log = log[1];
	s->loop->class->timer_set(c->timer, 0); /* it was for the one before */
	if (held) {
		child_set_timer(c, LIMIT_HELD_MS);
	} else if (child_spawn(c, err)) {
		s->loop->class->handle_close(s->loop, control[0]);
		s->loop->class->handle_close(s->loop, log[0]);
		return -1;
	}
	c->state = CHILD_STARTING;
	child_log_open(c, log[0]);
	c->control = channel_new(
		s->loop, control[0], CLASS_SUPERVISOR, c->row->channel_class, &events);
	provision_child(c);
	return 0;
}

int child_start(struct child *c, struct err *err)
{
	return child_prepare(c, false, err);
}

/* Who can come up is back within a second, however often it dies. */
static int64_t back_off_ms(const struct child *c)
{
	int64_t ms = 50, most = c->was_up ? LIMIT_AGAIN_MS : LIMIT_RESTART_MS;
	for (unsigned i = 1; i < c->failures && ms < most; i++)
		ms *= 2;
	return c->failures == 0 ? 0 : ms < most ? ms : most;
}

static void not_started(struct child *c, const struct err *err)
{
	struct log_text text;
	c->failures++;
	log_event(&c->supervisor->o.log, LOG_ERROR, "role-not-started", "role=%s why=%s",
		c->row->name, log_value(&text, str_from(err_log_text(err))));
	child_set_timer(c, back_off_ms(c));
}

static void drop_held(struct child *c)
{
	struct loop *loop = c->supervisor->loop;
	if (!c->held)
		return;
	c->held = false;
	loop->class->handle_close(loop, c->held_control);
	loop->class->handle_close(loop, c->held_log);
}

static void release(struct child *c)
{
	struct err err = ERR_INIT;
	c->supervisor->loop->class->timer_set(c->timer, 0);
	if (c->supervisor->phase != RUNNING) {
		drop_held(c);
	} else if (child_spawn(c, &err)) {
		c->state = CHILD_DOWN;
		connect_forget(c);
		channel_free(&c->control);
		child_log_close(c);
		not_started(c, &err);
	}
}

/* A client waits for a front alone, most of whose time to come up is the processor's: so the others
 * begin behind it. What it asks them waits in their channels. */
static void release_when_fronts_are_up(struct supervisor *s)
{
	VEC_EACH (struct child *, c, &s->children)
		if (child_is_front(*c) && (*c)->process && (*c)->state == CHILD_STARTING)
			return;
	VEC_EACH (struct child *, c, &s->children)
		if ((*c)->held)
			release(*c);
}

static void on_timer(void *arg)
{
	struct child *c = arg;
	struct err err = ERR_INIT;
	if (c->held) {
		release(c);
		return;
	}
	if (c->process && c->spare && c->control && c->state != CHILD_DRAINING) {
		child_drain(c, 0, 0); /* its successor has taken over */
		child_set_timer(c, LIMIT_DYING_MS);
		return;
	}
	if (c->process && child_is_front(c) && c->control && c->state == CHILD_UP) {
		upgrade_replace(c);
		return;
	}
	if (c->process) {
		if (c->state == CHILD_DRAINING)
			log_event(&c->supervisor->o.log, LOG_WARN, "role-killed", "role=%s pid=%d",
				c->row->name, c->process);
		c->supervisor->o.spawn->kill(c->supervisor->o.spawn, c->process, SIGKILL);
		return;
	}
	if (c->supervisor->phase != RUNNING || c->spare)
		return;
	c->restarts += c->started_ms != 0;
	if (child_start(c, &err))
		not_started(c, &err);
}

void child_start_soon(struct child *c)
{
	child_set_timer(c, 0);
}

/* ---- stopping ---- */

static bool any_left(const struct supervisor *s, bool fronts)
{
	VEC_EACH (struct child *, c, &s->children)
		if ((*c)->process && child_is_front(*c) == fronts)
			return true;
	return false;
}

void child_drain(struct child *c, uint32_t within_ms, uint32_t spread_ms)
{
	struct frame f = { .type = FRAME_DRAIN,
		.drain = { .within_ms = within_ms, .spread_ms = spread_ms } };
	c->state = CHILD_DRAINING;
	if (c->control == NULL || !channel_send(c->control, 0, &f))
		c->supervisor->o.spawn->kill(c->supervisor->o.spawn, c->process, SIGKILL);
	else
		child_set_timer(c, (int64_t)within_ms + 2000);
}

static void drain(struct supervisor *s, bool fronts, uint32_t within_ms)
{
	VEC_EACH (struct child *, c, &s->children)
		if ((*c)->process && child_is_front(*c) == fronts)
			child_drain(*c, within_ms, 0);
}

/* Fronts first, so that what they still have to say can be stored; then everybody else. */
static void go_on_stopping(struct supervisor *s)
{
	if (s->phase == STOPPING_FRONTS && !any_left(s, true)) {
		s->phase = STOPPING_REST;
		drain(s, false, 5000);
	}
	if (s->phase == STOPPING_REST && !any_left(s, false)) {
		s->phase = STOPPED;
		s->loop->class->stop(s->loop);
	}
}

/* With the fronts' own, which drain: who comes now is refused at once, rather than left to wait for
 * a greeting. What a service manager listens on stays its own, for the next start. */
static void close_listeners(struct supervisor *s)
{
	for (size_t i = 0; i < s->o.listeners_n && s->o.copy_listener == NULL; i++)
		s->loop->class->handle_close(s->loop, s->o.listeners[i].handle);
	s->o.listeners_n = 0;
}

void supervisor_stop(struct supervisor *s)
{
	if (s->phase != RUNNING)
		return;
	log_event(&s->o.log, LOG_INFO, "stopping", "within_s=%" PRId64, s->o.config->drain_seconds);
	s->phase = STOPPING_FRONTS;
	VEC_EACH (struct child *, c, &s->children)
		drop_held(*c);
	supervisor_tell(s, NEWS_STOPPING);
	if (s->control)
		s->loop->class->listener_free(&s->control);
	close_listeners(s);
	drain(s, true, (uint32_t)s->o.config->drain_seconds * 1000);
	go_on_stopping(s);
}

/* ---- what has died ---- */

static void log_end(const struct child *c, int status)
{
	const struct log *log = &c->supervisor->o.log;
	enum log_level level = c->state == CHILD_DRAINING ? LOG_INFO : LOG_WARN;
	if (WIFSIGNALED(status))
		log_event(log, level, "role-ended", "role=%s pid=%d signal=%d", c->row->name,
			c->process, WTERMSIG(status));
	else
		log_event(log, level, "role-ended", "role=%s pid=%d status=%d%s", c->row->name,
			c->process, WEXITSTATUS(status),
			WEXITSTATUS(status) == MEM_EXIT_STATUS ? " why=out-of-memory" : "");
}

/* Many failures before the first time that all were up: there is no use in going on. */
static bool is_hopeless(const struct child *c)
{
	return !c->supervisor->was_ready && c->failures >= 3;
}

/* Not to have come up is a failure, and so is to die as soon as it was up: without back-off that
 * would be a loop of starts. */
static void count_failure(struct child *c)
{
	bool soon = supervisor_now(c->supervisor) - c->started_ms < LIMIT_SETTLED_MS;
	if (c->state == CHILD_STARTING || (c->state == CHILD_UP && soon))
		c->failures++;
	else
		c->failures = 0;
}

/* One that has a successor: it is gone. */
static void forget(struct child *child)
{
	struct supervisor *s = child->supervisor;
	for (size_t i = 0; i < s->children.n; i++) {
		if (*(struct child **)vec_at(&s->children, i) == child) {
			vec_remove(&s->children, i);
			break;
		}
	}
	child_free(&child);
}

static void child_ended(struct child *c, int status)
{
	struct supervisor *s = c->supervisor;
	bool leaving = c->leaving, spare = c->spare;
	log_end(c, status);
	count_failure(c);
	if (WIFEXITED(status) && WEXITSTATUS(status) == STORE_EXIT_DISTRUST &&
		c->row->class == &store_role)
		s->distrust = true;
	connect_forget(c);
	c->process = 0;
	c->state = CHILD_DOWN;
	c->died_ms = supervisor_now(s);
	c->settles = false;
	channel_free(&c->control);
	child_log_close(c);
	s->loop->class->timer_set(c->timer, 0);
	if (c->leaving)
		forget(c);
	if (s->phase != RUNNING) {
		go_on_stopping(s);
	} else if (spare) {
		reload_keys_ended(c);
	} else if (leaving) {
		upgrade_go_on(s);
	} else if (is_hopeless(c)) {
		log_event(&s->o.log, LOG_ERROR, "giving-up", "role=%s failures=%u", c->row->name,
			c->failures);
		s->status = 1;
		supervisor_stop(s);
	} else {
		child_set_timer(c, back_off_ms(c));
		release_when_fronts_are_up(s);
	}
	reload_go_on(s); /* last: what it begins may start this very child again */
}

static void on_ended(void *arg, int process, int status)
{
	struct supervisor *s = arg;
	if (upgrade_check_ended(s, process, status))
		return;
	VEC_EACH (struct child *, c, &s->children) {
		if ((*c)->process == process) {
			child_ended(*c, status);
			return;
		}
	}
}

/* ---- beginning and end ---- */

static size_t copies_of(const struct supervisor *s, const struct role_row *row)
{
	if (s->o.admin_handle >= 0)
		return row->offline;
	if (row->class == &keys_role)
		return 2; /* the second is the spare */
	if (row->class != &front_role)
		return 1;
	return (size_t)(row->channel_class == CLASS_MX ? s->o.config->fronts_mx
						       : s->o.config->fronts_user);
}

struct child *child_new(struct supervisor *s, const struct role_row *row)
{
	struct child *c = xmalloc(sizeof(*c));
	c->supervisor = s;
	c->row = row;
	c->timer = s->loop->class->timer_new(s->loop, on_timer, c);
	c->log_rest = s->loop->class->timer_new(s->loop, child_log_rested, c);
	buf_init(&c->log_line, CHILD_LINE_BYTES);
	return c;
}

void child_free(struct child **child)
{
	struct child *c = *child;
	struct supervisor *s = c->supervisor;
	connect_forget(c);
	drop_held(c);
	channel_free(&c->control);
	child_log_close(c);
	buf_done(&c->log_line);
	s->loop->class->timer_free(&c->timer);
	s->loop->class->timer_free(&c->log_rest);
	free(c);
	*child = NULL;
}

static void make_children(struct supervisor *s)
{
	vec_init(&s->children, sizeof(struct child *), LIMIT_TAKEOVER_CHILDREN);
	for (size_t i = 0; i < role_rows_n; i++) {
		for (size_t n = copies_of(s, &role_rows[i]); n > 0; n--) {
			struct child *c = child_new(s, &role_rows[i]);
			c->spare = c->row->class == &keys_role && n == 1;
			vec_push(&s->children, &c);
		}
	}
}

/* Fronts first. */
static int start_children(struct supervisor *s, struct err *err)
{
	for (int fronts = 1; fronts >= 0; fronts--)
		VEC_EACH (struct child *, c, &s->children)
			if (child_is_front(*c) == (fronts == 1) && !(*c)->spare &&
				child_prepare(*c, fronts == 0, err))
				return -1;
	release_when_fronts_are_up(s); /* there may be none */
	return 0;
}

/* What is started depends on what is there: nothing, or what another image has left. */
static int begin(struct supervisor *s, struct err *err)
{
	const struct takeover *from = s->o.takeover;
	s->o.takeover = NULL;
	if (provision_load_master_key(s, err))
		return -1;
	return from ? upgrade_take_over(s, from, err) : start_children(s, err);
}

struct supervisor *supervisor_new(
	struct loop *loop, const struct supervisor_options *options, struct err *err)
{
	struct supervisor *s = xmalloc(sizeof(*s));
	s->o = *options;
	s->loop = loop;
	s->o.spawn->ended = on_ended;
	s->o.spawn->arg = s;
	vec_init(&s->admins, sizeof(void *), LIMIT_ADMIN_CHANNELS);
	s->o.random->fill(s->o.random, s->ticket_key, sizeof(s->ticket_key));
	s->o.random->fill(s->o.random, s->ticket_secret, sizeof(s->ticket_secret));
	certificates_init(s);
	reload_init(s);
	connect_init(s);
	upgrade_init(s);
	pulse_start(s);
	make_children(s);
	if (begin(s, err)) {
		supervisor_free(&s);
		return NULL;
	}
	if (s->o.control_listener >= 0)
		s->control = loop->class->listener_new(
			loop, s->o.control_listener, control_accepted, s);
	if (s->o.admin_handle >= 0)
		control_add(s, s->o.admin_handle, true);
	return s;
}

int supervisor_status(const struct supervisor *s)
{
	return s->status;
}

void supervisor_free(struct supervisor **supervisor)
{
	struct supervisor *s = *supervisor;
	if (s == NULL)
		return;
	VEC_EACH (struct child *, c, &s->children) {
		if ((*c)->process)
			s->o.spawn->kill(s->o.spawn, (*c)->process, SIGKILL);
		child_free(c);
	}
	vec_done(&s->children);
	upgrade_free(s);
	pulse_stop(s);
	control_free(s);
	if (s->control)
		s->loop->class->listener_free(&s->control);
	certificates_done(s);
	reload_done(s);
	connect_done(s);
	config_free(&s->o.config);
	mem_wipe(s->ticket_secret, sizeof(s->ticket_secret));
	mem_wipe(s->ticket_key, sizeof(s->ticket_key));
	mem_wipe(s->master_key, sizeof(s->master_key));
	free(s);
	*supervisor = NULL;
}
