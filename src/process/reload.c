// SPDX-License-Identifier: Apache-2.0
/*
 * A reload: configuration, certificates and keys anew, without a handshake that fails.
 *
 * keys has closed its sandbox and can open no file again, so a second one is started and reads the
 * new keys. When it is up, every front gets a channel to it and the new certificates, tries each
 * with it, and answers. When all can use them, every role gets the new configuration, the fronts
 * use the certificates, and the old keys ends once no handshake can need it. When each role has
 * said that it has the configuration, the reload is done. Else nothing has changed: the second keys
 * ends, and the configuration that was read is forgotten (X8).
 */
#include "process/preflight.h"
#include "process/supervisor_private.h"

#include <stdio.h>

static struct child *spare_keys(const struct supervisor *s)
{
	VEC_EACH (struct child *, c, &s->children)
		if ((*c)->spare)
			return *c;
	return NULL;
}

static struct child *keys_in_force(const struct supervisor *s)
{
	VEC_EACH (struct child *, c, &s->children)
		if ((*c)->row->class == &keys_role && !(*c)->spare && !(*c)->leaving)
			return *c;
	return NULL;
}

/* A front that leaves ends with the certificates that it has. */
static bool takes_part(const struct child *c)
{
	return child_is_front(c) && !c->leaving;
}

static void tell_fronts(struct supervisor *s, bool use)
{
	struct frame f = { .type = FRAME_USE_CERTIFICATES,
		.use_certificates = { s->reload.generation, use } };
	VEC_EACH (struct child *, c, &s->children)
		if (takes_part(*c))
			provision_say(*c, &f);
}

static void begin(struct supervisor *s);

/* why: what it was refused for; empty: it came to pass. */
static void over(struct supervisor *s, const char *why)
{
	struct reload *r = &s->reload;
	r->phase = RELOAD_NONE;
	r->done++;
	snprintf(r->why, sizeof(r->why), "%s", why);
	certificates_clear(&r->certificates);
	config_free(&r->config);
	s->loop->class->timer_set(r->timer, 0);
	if (s->phase != RUNNING)
		return;
	supervisor_tell(s, NEWS_RELOADED);
	if (r->again)
		begin(s);
}

/* Everything stays as it was. */
static void refuse(struct supervisor *s, const char *what, const char *why)
{
	struct reload *r = &s->reload;
	struct log_text text;
	log_event(&s->o.log, LOG_ERROR, "reload-refused", "what=%s why=%s", what,
		log_value(&text, str_from(why)));
	if (r->phase == RELOAD_ASKING)
		tell_fronts(s, false);
	bool drains = r->phase != RELOAD_NONE && r->keys->process;
	over(s, why);
	if (drains && r->keys->state != CHILD_DRAINING)
		child_drain(r->keys, 0, 0);
}

static int read_config(struct supervisor *s, struct err *err)
{
	struct reload *r = &s->reload;
	AUTO(buf_done)
	struct buf names;
	buf_init(&names, sizeof(r->fresh_for_start) - 1);
	r->config = config_load(s->o.config_path, err);
	if (r->config == NULL)
		return -1;
	config_keep_for_start(r->config, s->o.config, &names);
	snprintf(r->fresh_for_start, sizeof(r->fresh_for_start), "%" STR_FMT,
		STR_ARG(buf_str(&names)));
	return 0;
}

static void commit(struct supervisor *s);

static void begin(struct supervisor *s)
{
	struct reload *r = &s->reload;
	struct err err = ERR_INIT;
	r->again = false;
	r->keys = spare_keys(s);
	if (r->keys->process) { /* of the last reload: the files may be newer than what it has */
		r->again = true;
		if (r->keys->state != CHILD_DRAINING)
			child_drain(r->keys, 0, 0);
		return;
	}
	supervisor_tell(s, NEWS_RELOADING);
	if (read_config(s, &err)) {
		refuse(s, "configuration", err_log_text(&err));
		return;
	}
	if (certificates_load(s, &r->certificates) > LIMIT_CERTIFICATES) {
		refuse(s, "certificates", "there are too many certificates in tls/");
		return;
	}
	if (r->certificates.n == 0 && s->certificates.n == 0) {
		commit(s);
		return;
	}
	if (r->certificates.n == 0) {
		refuse(s, "certificates", PREFLIGHT_NO_CERTIFICATE);
		return;
	}
	r->generation++;
	if (child_start(r->keys, &err)) {
		refuse(s, "certificates", err_log_text(&err));
		return;
	}
	r->phase = RELOAD_STARTING;
	s->loop->class->timer_set(r->timer, supervisor_now(s) + LIMIT_RELOAD_MS);
}

/* ---- in force ---- */

static void say_reloaded(struct supervisor *s)
{
	struct log_text file, keys;
	bool waits = s->reload.for_start[0] != '\0';
	log_event(&s->o.log, waits ? LOG_WARN : LOG_INFO, "reloaded",
		"file=%s certificates=%zu%s%s", log_value(&file, str_from(s->o.config_path)),
		s->certificates.n, waits ? " at-the-next-start=" : "",
		waits ? log_value(&keys, str_from(s->reload.for_start)) : "");
	over(s, "");
}

/* One that starts has it before it does anything. */
static bool is_asked(const struct child *c)
{
	return c->state == CHILD_UP && !c->leaving && c->control != NULL;
}

static void give_config(struct supervisor *s)
{
	struct frame ping = { .type = FRAME_PING };
	bool hours = s->reload.config->front_hours != s->o.config->front_hours;
	config_free(&s->o.config);
	s->o.config = s->reload.config;
	s->reload.config = NULL;
	memcpy(s->reload.for_start, s->reload.fresh_for_start, sizeof(s->reload.for_start));
	VEC_EACH (struct child *, at, &s->children) {
		struct child *c = *at;
		if (c->leaving || c->control == NULL)
			continue;
		provision_config(c);
		c->settles = is_asked(c) && channel_send(c->control, s->reload.done + 1, &ping);
		if (hours && child_is_front(c) && is_asked(c))
			child_live_hours(c);
	}
}

void reload_go_on(struct supervisor *s)
{
	if (s->reload.phase != RELOAD_SETTLING)
		return;
	VEC_EACH (struct child *, c, &s->children)
		if ((*c)->settles)
			return;
	say_reloaded(s);
}

void reload_settled(struct child *child)
{
	child->settles = false;
	reload_go_on(child->supervisor);
}

/* ---- asking ---- */

static void use_certificates(struct supervisor *s)
{
	struct reload *r = &s->reload;
	struct child *old = keys_in_force(s);
	struct vec fresh = r->certificates;
	tell_fronts(s, true);
	r->certificates = s->certificates;
	s->certificates = fresh;
	old->spare = true;
	r->keys->spare = false;
	r->keys->restarts = old->restarts;
	/* A handshake that has begun with the old certificate may yet need its key. */
	if (old->process)
		child_set_timer(old, LIMIT_HANDSHAKE_MS);
}

/* The configuration first: what it says of TLS is for the new certificates, too. */
static void commit(struct supervisor *s)
{
	struct reload *r = &s->reload;
	struct err err = ERR_INIT;
	if (s->o.configured && s->o.configured(s->o.configured_arg, r->config, &err)) {
		refuse(s, "configuration", err_log_text(&err));
		return;
	}
	give_config(s);
	if (r->certificates.n > 0)
		use_certificates(s);
	r->phase = RELOAD_SETTLING;
	s->loop->class->timer_set(r->timer, supervisor_now(s) + LIMIT_RELOAD_MS);
	supervisor_go_on(s); /* the keys that somebody waited for may not have been up */
	reload_go_on(s);
}

static void commit_when_all_answered(struct supervisor *s)
{
	VEC_EACH (struct child *, at, &s->children) {
		const struct child *c = *at;
		if (takes_part(c) && c->control && c->answered != s->reload.generation)
			return;
	}
	commit(s);
}

void reload_offer(struct child *front)
{
	struct supervisor *s = front->supervisor;
	struct reload *r = &s->reload;
	if (r->phase != RELOAD_ASKING || front->control == NULL || !connect_reload(front, r->keys))
		return; /* who is asked nothing answers nothing: the timer ends that */
	front->answered = 0;
	certificates_send(front, &r->certificates, r->generation);
}

void reload_keys_up(struct child *spare)
{
	struct supervisor *s = spare->supervisor;
	if (s->reload.phase != RELOAD_STARTING || spare != s->reload.keys)
		return;
	s->reload.phase = RELOAD_ASKING;
	VEC_EACH (struct child *, c, &s->children)
		if (takes_part(*c))
			reload_offer(*c);
	commit_when_all_answered(s);
}

static void describe(const struct vec *all, const struct api_certificate *c, char *why, size_t room)
{
	const char *unreadable = certificates_unreadable(all, c->name);
	struct str problem = unreadable ? str_from(unreadable) : c->problem;
	snprintf(why, room, "%" STR_FMT ": %" STR_FMT, STR_ARG(c->name), STR_ARG(problem));
}

void reload_answered(struct child *front, const struct frame_certificates_are *f)
{
	struct supervisor *s = front->supervisor;
	char why[400] = "a certificate cannot be used";
	if (f->generation == 0) {
		certificates_found(s, f, false);
		return;
	}
	if (s->reload.phase != RELOAD_ASKING || f->generation != s->reload.generation)
		return;
	certificates_found(s, f, !f->good);
	if (f->good) {
		front->answered = f->generation;
		commit_when_all_answered(s);
		return;
	}
	for (size_t i = f->certificates.n; i-- > 0;)
		if (f->certificates.items[i].problem.n > 0)
			describe(&s->reload.certificates, &f->certificates.items[i], why,
				sizeof(why));
	refuse(s, "certificates", why);
}

void reload_keys_ended(struct child *spare)
{
	struct supervisor *s = spare->supervisor;
	if (s->reload.phase != RELOAD_NONE && s->reload.phase != RELOAD_SETTLING &&
		spare == s->reload.keys)
		refuse(s, "certificates", "the process for the new keys ended");
	if (s->reload.phase == RELOAD_NONE && s->reload.again)
		begin(s);
}

static void on_timer(void *arg)
{
	struct supervisor *s = arg;
	if (s->reload.phase == RELOAD_SETTLING)
		say_reloaded(s); /* who does not answer by now is the pulse's */
	else if (s->reload.phase != RELOAD_NONE)
		refuse(s, "certificates", "it took too long");
}

/* ---- the command ---- */

void supervisor_reload(struct supervisor *s)
{
	if (s->phase != RUNNING)
		return;
	if (s->reload.phase == RELOAD_NONE)
		begin(s);
	else
		s->reload.again = true;
}

void reload_init(struct supervisor *s)
{
	vec_init(&s->reload.certificates, sizeof(struct certificate_file), LIMIT_CERTIFICATES);
	s->reload.timer = s->loop->class->timer_new(s->loop, on_timer, s);
}

void reload_done(struct supervisor *s)
{
	config_free(&s->reload.config);
	certificates_clear(&s->reload.certificates);
	vec_done(&s->reload.certificates);
	s->loop->class->timer_free(&s->reload.timer);
}
