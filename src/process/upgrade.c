// SPDX-License-Identifier: Apache-2.0
/*
 * Processes that replace others, without a client being turned away.
 *
 * To another image: the binary that is installed looks at what it would get and at its own
 * configuration (`check`); when it answers as only such a program can (takeover_word), and no frame
 * is half read on any control channel, this image becomes that one. The new one adopts all children
 * as leaving, and starts a generation of its own beside them:
 *
 *     the new store loads and holds; the old one ends its commits and goes; the new one starts
 *     (the fronts hold what begins meanwhile, held.c; what was half done fails: ERR_TEMP)
 *     then the other roles start; old fronts still accept, with their own gate, keys and courier
 *     when they are up, the new fronts: who accepts has everybody whom it asks
 *     all are up: the old fronts stop accepting and drain, their goodbyes spread over seconds
 *     the last of them has gone: so do their gate, keys and courier
 *
 * A front that has lived its hours is replaced in the same way, without the rest.
 */
#include "process/supervisor_private.h"

#include "base/abnf.h"
#include "base/limits.h"
#include "store/store.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { REST_TRY_MS = 5 };

/* ---- what another image is left ---- */

static bool describe_child(const struct child *c, struct takeover *t)
{
	struct takeover_child d = { .process = c->process,
		.instance = c->instance,
		.generation = c->generation,
		.up = c->state == CHILD_UP || c->state == CHILD_DRAINING,
		.started_ms = c->started_ms };
	if (c->control == NULL || c->log == NULL || c->holds ||
		!channel_rest(c->control, &d.control))
		return false;
	snprintf(d.role, sizeof(d.role), "%s", c->row->name);
	d.log = c->supervisor->loop->class->link_handle(c->log);
	return vec_push(&t->children, &d);
}

static bool describe_listener(const struct supervisor_listener *l, struct takeover *t)
{
	struct takeover_listener d = { .handle = l->handle };
	snprintf(d.service, sizeof(d.service), "%s", l->service->name);
	return vec_push(&t->listeners, &d);
}

/* False: not now, since something is on its way between us and a child. */
static bool describe(const struct supervisor *s, struct takeover *t, struct buf *text)
{
	memcpy(t->ticket_key, s->ticket_key, sizeof(t->ticket_key));
	memcpy(t->tls_secret, s->ticket_secret, sizeof(t->tls_secret));
	t->last_instance = s->last_instance;
	t->generation = s->upgrade.generation;
	t->schema = store_schema();
	t->distrust = s->distrust;
	t->lock = s->o.lock;
	t->control = s->o.control_listener;
	if (!s->was_ready || s->reload.phase != RELOAD_NONE) /* soon over */
		return false;
	for (size_t i = 0; i < s->o.listeners_n; i++)
		if (!describe_listener(&s->o.listeners[i], t))
			return false;
	VEC_EACH (struct child *, c, &s->children)
		if ((*c)->held || ((*c)->process && !describe_child(*c, t)))
			return false;
	return takeover_write(t, text);
}

/* ---- to another image ---- */

static void refuse(struct supervisor *s, struct str why)
{
	struct upgrade *u = &s->upgrade;
	struct log_text text;
	why = str_trim(why);
	snprintf(u->why, sizeof(u->why), "%" STR_FMT, STR_ARG(str_sub(why, 0, sizeof(u->why) - 1)));
	for (char *p = u->why; *p; p++)
		if (abnf_is_ctl(*p))
			*p = ' ';
	u->refused++;
	u->may_go = false;
	s->loop->class->timer_set(u->timer, 0);
	log_event(&s->o.log, LOG_ERROR, "upgrade-refused", "why=%s",
		log_value(&text, str_from(u->why)));
	supervisor_tell(s, NEWS_UPGRADED);
}

static void start_check(struct supervisor *s, struct str text)
{
	struct upgrade *u = &s->upgrade;
	int pair[2];
	if (!takeover_word(text, u->word)) {
		refuse(s, STR("no memory is left"));
		return;
	}
	if (s->loop->class->pair(s->loop, pair) < 0) {
		refuse(s, STR("no descriptors are left"));
		return;
	}
	int process = s->o.spawn->check(s->o.spawn, text, pair[1]);
	if (process < 0) {
		s->loop->class->handle_close(s->loop, pair[0]);
		refuse(s, str_from(strerror(-process)));
		return;
	}
	u->checking = process;
	u->said = s->loop->class->link_new(
		s->loop, pair[0], &(struct link_events){ .ready = NULL });
	u->until_ms = supervisor_now(s) + LIMIT_TAKEOVER_MS;
	s->loop->class->timer_set(u->timer, u->until_ms);
}

static void become(struct supervisor *s, const struct takeover *t, struct str text)
{
	char why[160];
	log_event(&s->o.log, LOG_INFO, "upgrading", "children=%zu", t->children.n);
	VEC_EACH (struct child *, c, &s->children)
		child_log_flush(*c);
	int result = s->o.spawn->become(s->o.spawn, t, text);
	snprintf(why, sizeof(why), "the new binary cannot be run: %s", strerror(-result));
	refuse(s, str_from(why));
}

static void try_again(struct supervisor *s)
{
	int64_t soon = supervisor_now(s) + REST_TRY_MS, until = s->upgrade.until_ms;
	s->loop->class->timer_set(s->upgrade.timer, soon < until ? soon : until);
}

/* The check, and after it the step itself, as soon as nothing is on its way. */
static void on_timer(void *arg)
{
	struct supervisor *s = arg;
	struct upgrade *u = &s->upgrade;
	struct takeover t;
	struct buf text;
	if (u->checking) {
		s->o.spawn->kill(s->o.spawn, u->checking, SIGKILL);
		return;
	}
	takeover_init(&t);
	buf_init(&text, LIMIT_TAKEOVER_BYTES);
	if (s->phase != RUNNING)
		refuse(s, STR("the server is stopping"));
	else if (describe(s, &t, &text) && u->may_go)
		become(s, &t, buf_str(&text));
	else if (text.n && !u->may_go)
		start_check(s, buf_str(&text));
	else if (supervisor_now(s) >= u->until_ms)
		refuse(s, STR("a role does not come to rest"));
	else
		try_again(s);
	if (text.n)
		mem_wipe(text.p, text.n);
	buf_done(&text);
	takeover_done(&t);
}

/* What the check has against it; one that ends without a word is described from outside. */
static struct str why_not(const struct supervisor *s, struct str said, int status, char room[160])
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return STR("the new binary ends well and does not say that it can take over: it is "
			   "another program, or a Culver that cannot");
	if (said.n > 0)
		return said;
	if (!WIFSIGNALED(status))
		snprintf(room, 160,
			"the new binary's check of itself ended with status %d, without a word",
			WEXITSTATUS(status));
	else if (supervisor_now(s) >= s->upgrade.until_ms)
		snprintf(room, 160, "the new binary's check of itself was not done within %d s",
			LIMIT_TAKEOVER_MS / 1000);
	else
		snprintf(room, 160, "signal %d ended the new binary's check of itself",
			WTERMSIG(status));
	return str_from(room);
}

/* All that the check has said: it has ended, so nothing more comes. */
static struct str hear(struct supervisor *s, char *said, size_t room)
{
	size_t n = 0;
	ssize_t got = 1;
	while (s->upgrade.said && got > 0 && n < room) {
		got = s->loop->class->link_read(s->upgrade.said, said + n, room - n, NULL);
		n += got > 0 ? (size_t)got : 0;
	}
	if (s->upgrade.said)
		s->loop->class->link_free(&s->upgrade.said);
	return str_make(said, n);
}

bool upgrade_check_ended(struct supervisor *s, int process, int status)
{
	struct upgrade *u = &s->upgrade;
	char said[400], room[160];
	if (process == 0 || process != u->checking)
		return false;
	u->checking = 0;
	struct str answer = hear(s, said, sizeof(said));
	u->may_go = WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
		    str_equal(str_trim(answer), str_from(u->word));
	if (!u->may_go) {
		refuse(s, why_not(s, answer, status, room));
		return true;
	}
	u->until_ms = supervisor_now(s) + LIMIT_TAKEOVER_MS;
	s->loop->class->timer_set(u->timer, supervisor_now(s));
	return true;
}

void supervisor_upgrade(struct supervisor *s)
{
	struct upgrade *u = &s->upgrade;
	if (s->phase != RUNNING || s->o.spawn->check == NULL || s->o.admin_handle >= 0)
		return;
	if (u->checking || u->may_go || u->under_way) {
		/* What is still being checked becomes what is installed by then. */
		u->again = u->under_way;
		log_event(&s->o.log, LOG_WARN, "upgrade-under-way", "generation=%u", u->generation);
		return;
	}
	supervisor_tell(s, NEWS_RELOADING);
	u->until_ms = supervisor_now(s) + LIMIT_TAKEOVER_MS;
	s->loop->class->timer_set(u->timer, supervisor_now(s));
}

/* ---- from another image ---- */

static void adopt(struct supervisor *s, const struct takeover_child *d)
{
	const struct role_row *row = role_row_named(d->role);
	struct channel_events events;
	if (row == NULL) { /* of a version that has roles of which we know nothing */
		s->loop->class->handle_close(s->loop, d->log);
		s->loop->class->handle_close(s->loop, d->control.handle);
		return;
	}
	struct child *c = child_new(s, row);
	c->leaving = c->was_up = true;
	c->instance = d->instance;
	c->generation = d->generation;
	c->process = d->process;
	c->state = d->up ? CHILD_UP : CHILD_STARTING;
	c->started_ms = d->started_ms;
	child_control_events(c, &events);
	c->control = channel_resume(
		s->loop, &d->control, CLASS_SUPERVISOR, row->channel_class, &events);
	child_log_open(c, d->log);
	vec_push(&s->children, &c);
}

static struct child *current_store(struct supervisor *s)
{
	VEC_EACH (struct child *, c, &s->children)
		if (!(*c)->leaving && (*c)->row->class == &store_role)
			return *c;
	return NULL;
}

int upgrade_take_over(struct supervisor *s, const struct takeover *t, struct err *err)
{
	struct upgrade *u = &s->upgrade;
	memcpy(s->ticket_key, t->ticket_key, sizeof(s->ticket_key));
	memcpy(s->ticket_secret, t->tls_secret, sizeof(s->ticket_secret));
	s->last_instance = t->last_instance;
	s->distrust = t->distrust;
	s->was_ready = true;
	u->generation = t->generation + 1;
	u->under_way = true;
	VEC_EACH (const struct takeover_child, d, &t->children)
		adopt(s, d);
	log_event(&s->o.log, LOG_INFO, "taken-over", "generation=%u children=%zu listeners=%zu",
		u->generation, t->children.n, t->listeners.n);
	return child_start(current_store(s), err);
}

/* ---- the old and the new ---- */

static bool any_leaving(const struct supervisor *s, const struct role_class *class)
{
	VEC_EACH (struct child *, c, &s->children)
		if ((*c)->leaving && (*c)->row->class == class)
			return true;
	return false;
}

bool upgrade_must_hold(const struct child *c)
{
	return c->row->class == &store_role && any_leaving(c->supervisor, &store_role);
}

static void drain_leaving(struct supervisor *s, bool (*which)(const struct child *),
	uint32_t within_ms, uint32_t spread_ms)
{
	/* A child without its channel is killed at once, but its end is heard of later. */
	VEC_EACH (struct child *, c, &s->children)
		if ((*c)->leaving && (*c)->state != CHILD_DRAINING && which(*c))
			child_drain(*c, within_ms, spread_ms);
}

static bool is_store(const struct child *c)
{
	return c->row->class == &store_role;
}

static bool is_anybody(const struct child *c)
{
	(void)c;
	return true;
}

void upgrade_loaded(struct child *c)
{
	drain_leaving(c->supervisor, is_store, LIMIT_HANDOVER_MS - 2000, 0);
	upgrade_go_on(c->supervisor);
}

static bool all_up(const struct supervisor *s, bool fronts)
{
	VEC_EACH (struct child *, c, &s->children)
		if (!(*c)->leaving && !(*c)->spare && child_is_front(*c) == fronts &&
			(*c)->state != CHILD_UP)
			return false;
	return true;
}

static void start_all(struct supervisor *s, bool fronts)
{
	VEC_EACH (struct child *, c, &s->children)
		if (!(*c)->leaving && !(*c)->spare && child_is_front(*c) == fronts &&
			(*c)->process == 0 && (*c)->started_ms == 0)
			child_start_soon(*c);
}

/* A front that begins with the others may have read of its listeners and not yet of its gate: who
 * logs in then would be told to come back. */
static void start_the_rest(struct supervisor *s)
{
	start_all(s, false);
	if (all_up(s, false))
		start_all(s, true);
}

static uint32_t drain_ms(const struct supervisor *s)
{
	return (uint32_t)s->o.config->upgrade_drain_seconds * 1000;
}

static void generation_is_up(struct supervisor *s)
{
	struct upgrade *u = &s->upgrade;
	uint32_t spread = drain_ms(s) / 2 < LIMIT_SPREAD_MS ? drain_ms(s) / 2 : LIMIT_SPREAD_MS;
	drain_leaving(s, child_is_front, drain_ms(s), spread);
	if (!u->under_way)
		return;
	u->under_way = false;
	log_event(&s->o.log, LOG_INFO, "upgraded", "generation=%u version=%s", u->generation,
		CULVER_VERSION);
	supervisor_tell(s, NEWS_UPGRADED);
	if (u->again) {
		u->again = false;
		supervisor_upgrade(s);
	}
}

void upgrade_go_on(struct supervisor *s)
{
	struct child *store = current_store(s);
	if (s->phase != RUNNING || store == NULL)
		return;
	if (store->holds && store->state == CHILD_STARTING && !any_leaving(s, &store_role)) {
		store->holds = false;
		provision_start(store);
	}
	if (s->upgrade.under_way && store->state == CHILD_UP)
		start_the_rest(s);
	if (!all_up(s, false) || !all_up(s, true))
		return;
	generation_is_up(s);
	if (!any_leaving(s, &front_role))
		drain_leaving(s, is_anybody, LIMIT_HANDOVER_MS - 2000, 0);
}

void upgrade_replace(struct child *old)
{
	struct supervisor *s = old->supervisor;
	struct child *fresh = child_new(s, old->row);
	if (s->phase != RUNNING || old->leaving || !vec_push(&s->children, &old)) {
		child_free(&fresh);
		return;
	}
	VEC_EACH (struct child *, c, &s->children) {
		if (*c == old) {
			*c = fresh; /* the first is its place among the roles; the last stays */
			break;
		}
	}
	old->leaving = true;
	log_event(&s->o.log, LOG_INFO, "role-replaced", "role=%s pid=%d", old->row->name,
		old->process);
	child_start_soon(fresh);
}

/* ---- beginning and end ---- */

void upgrade_init(struct supervisor *s)
{
	s->upgrade.timer = s->loop->class->timer_new(s->loop, on_timer, s);
}

void upgrade_free(struct supervisor *s)
{
	struct upgrade *u = &s->upgrade;
	if (u->checking)
		s->o.spawn->kill(s->o.spawn, u->checking, SIGKILL);
	if (u->said)
		s->loop->class->link_free(&u->said);
	s->loop->class->timer_free(&u->timer);
}
