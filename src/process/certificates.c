// SPDX-License-Identifier: Apache-2.0
/* Certificates as the supervisor has them: bytes from D/tls that are handed to fronts, and what the
 * fronts say is in them. What was read last and found good is kept, so that a front which comes
 * back has it even when the files have become something else. */
#include "process/supervisor_private.h"

#include "base/time.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { PEM_BYTES = 60000, DAY_MS = 24 * 3600 * 1000, DAY_S = 24 * 3600 };

/* ---- files ---- */

static int is_certificate(const struct dirent *d)
{
	return str_ends_nocase(str_from(d->d_name), STR(".crt"));
}

/* The first is what clients are shown that name no host of ours: default.crt, or the first by name.
 */
static int default_first(const struct dirent **a, const struct dirent **b)
{
	bool first_a = strcmp((*a)->d_name, "default.crt") == 0;
	bool first_b = strcmp((*b)->d_name, "default.crt") == 0;
	return first_a != first_b ? (first_b ? 1 : -1) : strcmp((*a)->d_name, (*b)->d_name);
}

static void load_one(struct supervisor *s, struct vec *all, const char *file)
{
	char path[4500];
	struct log_text name, text;
	struct certificate_file c = { .name = "" };
	struct err err = ERR_INIT;
	struct str stem = str_make(file, strlen(file) - strlen(".crt"));
	buf_init(&c.pem, PEM_BYTES);
	snprintf(c.name, sizeof(c.name), "%" STR_FMT, STR_ARG(str_sub(stem, 0, 64)));
	snprintf(path, sizeof(path), "%s/tls/%s", s->o.config->directory, file);
	if (config_read_file(path, &c.pem, &err)) {
		buf_release(&c.pem);
		snprintf(c.unreadable, sizeof(c.unreadable), "%s", err.public_text);
		log_event(&s->o.log, LOG_ERROR, "certificate-unreadable", "file=%s why=%s",
			log_value(&name, str_from(path)),
			log_value(&text, str_from(err.public_text)));
	}
	if (!vec_push(all, &c))
		buf_done(&c.pem);
}

int certificates_load(struct supervisor *s, struct vec *ret)
{
	char path[4200];
	struct log_text text;
	struct dirent **names = NULL;
	snprintf(path, sizeof(path), "%s/tls", s->o.config->directory);
	int n = scandir(path, &names, is_certificate, default_first);
	if (n > LIMIT_CERTIFICATES)
		log_event(&s->o.log, LOG_ERROR, "too-many-certificates", "found=%d used=%d", n,
			LIMIT_CERTIFICATES);
	if (n < 0 && errno != ENOENT)
		log_event(&s->o.log, LOG_ERROR, "certificates-unreadable", "directory=%s",
			log_value(&text, str_from(path)));
	for (int i = 0; i < n; i++) {
		load_one(s, ret, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return n;
}

void certificates_clear(struct vec *all)
{
	VEC_EACH (struct certificate_file, c, all)
		buf_done(&c->pem);
	vec_clear(all);
}

void certificates_send(struct child *front, const struct vec *all, uint32_t generation)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct certificate_file *c = vec_at(all, i);
		struct frame f = { .type = FRAME_FRONT_CERTIFICATE,
			.front_certificate = { .name = str_from(c->name),
				.chain_pem = buf_str(&c->pem),
				.last = i == all->n - 1,
				.generation = generation } };
		provision_say(front, &f);
	}
}

/* ---- what is in them ---- */

static int64_t days_left(const struct supervisor *s, const struct certificate_state *c)
{
	return (c->expires_s - s->o.clock->wall_ms(s->o.clock) / 1000) / DAY_S;
}

static void warn(const struct supervisor *s)
{
	VEC_EACH (struct certificate_state, c, &s->found) {
		struct log_text name;
		if (c->problem[0] == '\0' && days_left(s, c) < LIMIT_EXPIRY_WARN_DAYS)
			log_event(&s->o.log, LOG_WARN, "certificate-expires",
				"name=%s days=%" PRId64, log_value(&name, str_from(c->name)),
				days_left(s, c));
	}
}

static void on_day(void *arg)
{
	struct supervisor *s = arg;
	warn(s);
	s->loop->class->timer_set(s->daily, supervisor_now(s) + DAY_MS);
}

const char *certificates_unreadable(const struct vec *all, struct str name)
{
	VEC_EACH (const struct certificate_file, c, all)
		if (c->unreadable[0] != '\0' && str_equal(str_from(c->name), name))
			return c->unreadable;
	return NULL;
}

static void copy_text(char *to, size_t room, struct str from)
{
	size_t n = from.n < room - 1 ? from.n : room - 1;
	for (size_t i = 0; i < n; i++) /* a front's word: for a terminal all the same */
		to[i] = from.p[i] >= ' ' && from.p[i] <= '~' ? from.p[i] : '?';
	to[n] = '\0';
}

/* A front may say any time. */
static int64_t bounded_s(int64_t seconds)
{
	if (seconds < 0)
		return 0;
	return seconds < TIME_MAX_MS / 1000 ? seconds : TIME_MAX_MS / 1000;
}

/* Every front finds the same, so the last word stands. Of a refused reload only what was wrong is
 * kept, beside those that stay in force. */
void certificates_found(
	struct supervisor *s, const struct frame_certificates_are *f, bool is_refused)
{
	for (size_t i = s->found.n; i-- > 0;) {
		const struct certificate_state *c = vec_at(&s->found, i);
		if (!is_refused || c->problem[0] != '\0')
			vec_remove(&s->found, i);
	}
	for (size_t i = 0; i < f->certificates.n; i++) {
		const struct api_certificate *from = &f->certificates.items[i];
		struct certificate_state c = { .expires_s = bounded_s(from->expires_s) };
		if (is_refused && from->problem.n == 0)
			continue;
		copy_text(c.name, sizeof(c.name), from->name);
		copy_text(c.hosts, sizeof(c.hosts), from->hosts);
		const char *unreadable = certificates_unreadable(
			is_refused ? &s->reload.certificates : &s->certificates, from->name);
		copy_text(c.problem, sizeof(c.problem),
			unreadable ? str_from(unreadable) : from->problem);
		vec_push(&s->found, &c);
	}
	if (!is_refused) /* soon, once for all fronts */
		s->loop->class->timer_set(s->daily, supervisor_now(s) + 1000);
}

size_t certificates_list(
	const struct supervisor *s, struct api_certificate list[LIMIT_CERTIFICATES])
{
	size_t n = 0;
	for (; n < s->found.n && n < LIMIT_CERTIFICATES; n++) {
		const struct certificate_state *c = vec_at(&s->found, n);
		list[n] = (struct api_certificate){ str_from(c->name), str_from(c->hosts),
			c->expires_s, str_from(c->problem) };
	}
	return n;
}

/* ---- beginning and end ---- */

/* Its ports are open all the same; without TLS there is no login but from this machine. */
static void say_none(const struct supervisor *s)
{
	struct log_text text;
	char path[4200];
	snprintf(path, sizeof(path), "%s/tls", s->o.config->directory);
	log_event(&s->o.log, LOG_WARN, "no-certificate", "directory=%s note=%s",
		log_value(&text, str_from(path)),
		"\"there is no *.crt in it, so there is no TLS: culver.conf(5), CERTIFICATES\"");
}

void certificates_init(struct supervisor *s)
{
	vec_init(&s->certificates, sizeof(struct certificate_file), LIMIT_CERTIFICATES);
	vec_init(&s->found, sizeof(struct certificate_state), 2 * LIMIT_CERTIFICATES);
	s->daily = s->loop->class->timer_new(s->loop, on_day, s);
	if (s->o.admin_handle >= 0)
		return;
	(void)certificates_load(s, &s->certificates); /* as many as can be used */
	if (s->certificates.n == 0)
		say_none(s);
}

void certificates_done(struct supervisor *s)
{
	certificates_clear(&s->certificates);
	vec_done(&s->certificates);
	vec_done(&s->found);
	s->loop->class->timer_free(&s->daily);
}
