// SPDX-License-Identifier: Apache-2.0
/*
 * A reload: configuration, certificates and keys anew, without a handshake that fails.
 *
 * keys has closed its sandbox and can open no file again, so a second one is started and reads the
 * new keys. When it is up, every front gets a channel to it and the new certificates, tries each
 * with it, and answers. When all can use them all do, and the old keys ends once no handshake can
 * need it. Else none does: the second keys ends and nothing has changed (X8).
 */
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

static void say_reloaded(struct supervisor *s)
{
	struct log_text text;
	log_event(&s->o.log, LOG_INFO, "reloaded", "file=%s certificates=%zu",
		log_value(&text, str_from(s->o.config_path)), s->certificates.n);
	supervisor_tell(s, NEWS_RELOADED);
}

static void reload_end(struct supervisor *s)
{
	struct reload *r = &s->reload;
	r->phase = RELOAD_NONE;
	certificates_clear(&r->certificates);
	s->loop->class->timer_set(r->timer, 0);
}

/* Everything stays as it was. */
static void refuse(struct supervisor *s, const char *why)
{
	struct reload *r = &s->reload;
	struct log_text text;
	log_event(&s->o.log, LOG_ERROR, "reload-refused", "what=certificates why=%s",
		log_value(&text, str_from(why)));
	supervisor_tell(s, NEWS_RELOADED);
	if (r->phase == RELOAD_ASKING)
		tell_fronts(s, false);
	reload_end(s);
	if (r->keys != NULL && r->keys->process)
		child_drain(r->keys, 0, 0);
}

static void begin(struct supervisor *s)
{
	struct reload *r = &s->reload;
	struct err err = ERR_INIT;
	r->again = false;
	r->keys = spare_keys(s);
	if (r->keys->process) { /* of the last reload: the files may be newer than what it has */
		r->again = true;
		child_drain(r->keys, 0, 0);
		return;
	}
	certificates_load(s, &r->certificates);
	if (r->certificates.n == 0) {
		if (s->certificates.n == 0)
			say_reloaded(s);
		else
			refuse(s, "there is no certificate in tls/");
		return;
	}
	r->generation++;
	r->phase = RELOAD_STARTING;
	if (child_start(r->keys, &err)) {
		refuse(s, err_log_text(&err));
		return;
	}
	s->loop->class->timer_set(r->timer, supervisor_now(s) + LIMIT_RELOAD_MS);
}

/* ---- asking ---- */

static void commit(struct supervisor *s)
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
	reload_end(s);
	say_reloaded(s);
	if (r->again)
		begin(s);
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
			snprintf(why, sizeof(why), "%" STR_FMT ": %" STR_FMT,
				STR_ARG(f->certificates.items[i].name),
				STR_ARG(f->certificates.items[i].problem));
	refuse(s, why);
}

void reload_keys_ended(struct child *spare)
{
	struct supervisor *s = spare->supervisor;
	if (s->reload.phase != RELOAD_NONE && spare == s->reload.keys)
		refuse(s, "the process for the new keys ended");
	if (s->reload.phase == RELOAD_NONE && s->reload.again)
		begin(s);
}

static void on_timer(void *arg)
{
	struct supervisor *s = arg;
	if (s->reload.phase != RELOAD_NONE)
		refuse(s, "it took too long");
}

/* ---- the command ---- */

void supervisor_reload(struct supervisor *s)
{
	struct err err = ERR_INIT;
	struct log_text text;
	if (s->phase != RUNNING)
		return;
	supervisor_tell(s, NEWS_RELOADING);
	struct config *fresh = config_load(s->o.config_path, &err);
	if (fresh == NULL) {
		supervisor_tell(s, NEWS_RELOADED);
		log_event(&s->o.log, LOG_ERROR, "reload-refused", "why=%s",
			log_value(&text, str_from(err_log_text(&err))));
		return;
	}
	config_free(&s->o.config);
	s->o.config = fresh;
	VEC_EACH (struct child *, c, &s->children)
		if (child_is_front(*c) && (*c)->control)
			provision_config(*c);
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
	certificates_clear(&s->reload.certificates);
	vec_done(&s->reload.certificates);
	s->loop->class->timer_free(&s->reload.timer);
}
