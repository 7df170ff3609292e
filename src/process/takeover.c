// SPDX-License-Identifier: Apache-2.0
/* The lines of a takeover: a word that says what, and then its fields, each after one blank. */
#include "process/takeover.h"

#include "auth/mac.h"
#include "base/abnf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/scan.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

static const char first_line[] = "culver-takeover 1";

void takeover_init(struct takeover *t)
{
	*t = (struct takeover){ .lock = -1, .control = -1 };
	vec_init(&t->listeners, sizeof(struct takeover_listener), LIMIT_TAKEOVER_LISTENERS);
	vec_init(&t->children, sizeof(struct takeover_child), LIMIT_TAKEOVER_CHILDREN);
}

void takeover_done(struct takeover *t)
{
	vec_done(&t->listeners);
	vec_done(&t->children);
	mem_wipe(t, sizeof(*t));
}

/* ---- writing ---- */

static bool write_child(const struct takeover_child *c, struct buf *out)
{
	const struct channel_rest *r = &c->control;
	return buf_addf(out,
		"child %s %d %" PRIu32 " %" PRIu32 " %d %" PRId64 " %d %d %" PRIu32 " %" PRIu32
		" %" PRIu32 " %" PRIu32 "\n",
		c->role, c->process, c->instance, c->generation, c->up, c->started_ms, c->log,
		r->handle, r->request, r->credit, r->they_may, r->owed);
}

bool takeover_write(const struct takeover *t, struct buf *out)
{
	bool good = buf_addf(out,
			    "%s\ninstance %" PRIu32 "\ngeneration %" PRIu32 "\nschema %" PRIu32
			    "\ndistrust %d\nlock %d\ncontrol %d\nticket-key ",
			    first_line, t->last_instance, t->generation, t->schema, t->distrust,
			    t->lock, t->control) &&
		    buf_add_hex(out, str_make(t->ticket_key, sizeof(t->ticket_key))) &&
		    buf_addz(out, "\ntls-secret ") &&
		    buf_add_hex(out, str_make(t->tls_secret, sizeof(t->tls_secret))) &&
		    buf_addc(out, '\n');
	VEC_EACH (const struct takeover_listener, l, &t->listeners)
		good = good && buf_addf(out, "listener %s %d\n", l->service, l->handle);
	VEC_EACH (const struct takeover_child, c, &t->children)
		good = good && write_child(c, out);
	return good && out->n <= LIMIT_TAKEOVER_BYTES;
}

bool takeover_word(struct str text, char ret[TAKEOVER_WORD_BYTES])
{
	uint8_t mac[MAC_BYTES];
	char *p = ret;
	if (!mac_sha256(str_from(first_line), text, mac))
		return false;
	p += snprintf(ret, TAKEOVER_WORD_BYTES, "%s ", first_line);
	for (size_t i = 0; i < sizeof(mac); i++)
		p += snprintf(p, 3, "%02x", mac[i]);
	return true;
}

/* ---- reading ---- */

/* The fields of a line, taken one after another; once one is wrong, all that follow are. */
struct fields {
	struct str rest;
	bool bad;
};

static uint64_t take_number(struct fields *f, uint64_t most)
{
	uint64_t n = 0;
	struct scan s = scan_from(str_split(&f->rest, ' '));
	if (!scan_number(&s, most, &n) || !scan_end(&s))
		f->bad = true;
	return f->bad ? 0 : n;
}

/* Descriptors and processes: never 0. */
static int take_int(struct fields *f)
{
	int n = (int)take_number(f, INT_MAX);
	f->bad = f->bad || n == 0;
	return n;
}

static uint32_t take_u32(struct fields *f)
{
	return (uint32_t)take_number(f, UINT32_MAX);
}

static bool take_bool(struct fields *f)
{
	return take_number(f, 1) == 1;
}

static void take_name(struct fields *f, char ret[TAKEOVER_NAME_BYTES + 1])
{
	struct str name = str_split(&f->rest, ' ');
	if (name.n == 0 || name.n > TAKEOVER_NAME_BYTES || str_has_control(name)) {
		f->bad = true;
		return;
	}
	memcpy(ret, name.p, name.n);
	ret[name.n] = '\0';
}

static void take_key(struct fields *f, uint8_t ret[TAKEOVER_KEY_BYTES])
{
	if (!abnf_hex_bytes(str_split(&f->rest, ' '), ret, TAKEOVER_KEY_BYTES))
		f->bad = true;
}

static void take_listener(struct fields *f, struct takeover *t)
{
	struct takeover_listener l = { "", -1 };
	take_name(f, l.service);
	l.handle = take_int(f);
	f->bad = f->bad || !vec_push(&t->listeners, &l);
}

static void take_child(struct fields *f, struct takeover *t)
{
	struct takeover_child c = { .log = -1 };
	take_name(f, c.role);
	c.process = take_int(f);
	c.instance = take_u32(f);
	c.generation = take_u32(f);
	c.up = take_bool(f);
	c.started_ms = (int64_t)take_number(f, INT64_MAX);
	c.log = take_int(f);
	c.control.handle = take_int(f);
	c.control.request = take_u32(f);
	c.control.credit = (uint32_t)take_number(f, LIMIT_CHANNEL_SMALL_CREDIT);
	c.control.they_may = (uint32_t)take_number(f, LIMIT_CHANNEL_SMALL_CREDIT);
	c.control.owed = (uint32_t)take_number(f, LIMIT_CHANNEL_SMALL_CREDIT);
	f->bad = f->bad || c.control.they_may + c.control.owed > LIMIT_CHANNEL_SMALL_CREDIT ||
		 !vec_push(&t->children, &c);
}

static bool take_line(struct str what, struct fields *f, struct takeover *t)
{
	if (str_equal(what, STR("instance")))
		t->last_instance = take_u32(f);
	else if (str_equal(what, STR("generation")))
		t->generation = take_u32(f);
	else if (str_equal(what, STR("schema")))
		t->schema = take_u32(f);
	else if (str_equal(what, STR("distrust")))
		t->distrust = take_bool(f);
	else if (str_equal(what, STR("lock")))
		t->lock = take_int(f);
	else if (str_equal(what, STR("control")))
		t->control = take_int(f);
	else if (str_equal(what, STR("ticket-key")))
		take_key(f, t->ticket_key);
	else if (str_equal(what, STR("tls-secret")))
		take_key(f, t->tls_secret);
	else if (str_equal(what, STR("listener")))
		take_listener(f, t);
	else if (str_equal(what, STR("child")))
		take_child(f, t);
	else
		return false;
	return !f->bad && f->rest.n == 0;
}

int takeover_read(struct str text, struct takeover *t, struct err *err)
{
	if (text.n > LIMIT_TAKEOVER_BYTES)
		return fail(err, ERR_UNSUPPORTED,
			"the running server hands over more than %d bytes", LIMIT_TAKEOVER_BYTES);
	if (!str_equal(str_split(&text, '\n'), str_from(first_line)))
		return fail(err, ERR_UNSUPPORTED,
			"what the running server hands over is of another version");
	while (text.n) {
		struct str line = str_split(&text, '\n');
		struct str what = str_split(&line, ' ');
		struct fields f = { line, false };
		if (!take_line(what, &f, t))
			return fail(err, ERR_UNSUPPORTED,
				"the running server hands over what makes no sense here: %" STR_FMT,
				STR_ARG(str_sub(what, 0, 40)));
	}
	if (t->lock < 0 || t->control < 0 || t->last_instance == 0)
		return fail(err, ERR_UNSUPPORTED, "what the running server hands over is not all");
	return 0;
}
