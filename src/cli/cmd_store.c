// SPDX-License-Identifier: Apache-2.0
/* culver store check, status, check, version. */
#include "cli/cli.h"

#include "api/schemes.h"
#include "base/limits.h"
#include "base/scan.h"
#include "base/seams.h"
#include "base/time.h"
#include "cli/remote.h"
#include "process/preflight.h"

#include <inttypes.h>
#include <stdio.h>

enum { STATUS_MS = 5000 }; /* for the store's part of it */

struct checking {
	const struct options *o;
	struct frame_check_done done;
	struct buf items; /* JSON */
};

static void on_finding(void *arg, const struct frame *frame)
{
	struct checking *c = arg;
	AUTO(buf_done)
	struct buf text;
	buf_init(&text, 8192);
	if (frame->type == FRAME_CHECK_DONE)
		c->done = frame->check_done;
	if (frame->type != FRAME_CHECK_FINDING)
		return;
	json_string(&text, frame->check_finding.text);
	if (c->o->json)
		buf_addf(&c->items, "%s%s", c->items.n ? "," : "", text.p);
	else
		printf("%s%" STR_FMT "\n",
			str_starts(frame->check_finding.text, STR("note: ")) ? "" : "damage: ",
			STR_ARG(frame->check_finding.text));
}

static int ask_check(struct checking *c, struct err *err)
{
	struct frame f = { .type = FRAME_STORE_CHECK };
	AUTO(remote_close)
	struct remote *r = remote_open(options_config(c->o), false, err);
	return r ? remote_ask(r, REMOTE_STORE, &f, on_finding, c, err) : -1;
}

/* A store that can't even be opened may have a ledger that says why. */
static int check_unopened(struct checking *c, struct err *err)
{
	struct err why = ERR_INIT;
	if (err->kind != ERR_TEMP || repair_verify_ledger(c->o, &why) == 0 ||
		why.kind != ERR_CORRUPT)
		return -1;
	struct frame found = { .type = FRAME_CHECK_FINDING,
		.check_finding.text = str_from(err_log_text(&why)) };
	on_finding(c, &found);
	c->done.findings = 1;
	if (!c->o->json)
		printf("the segments were not looked at\n");
	return 0;
}

static int print_checked(struct checking *c, struct err *err)
{
	const struct frame_check_done *d = &c->done;
	char tail[200];
	snprintf(tail, sizeof(tail),
		"],\"messages\":%" PRIu64 ",\"bodies\":%" PRIu64 ",\"bytes\":%" PRIu64
		",\"found\":%" PRIu64 "}",
		d->messages, d->bodies, d->bytes, d->findings);
	if (c->o->json)
		return cli_print_list("{\"findings\":[", &c->items, tail, err);
	printf("%" PRIu64 " messages, %" PRIu64 " bodies, %" PRIu64 " bytes, %" PRIu64
	       " found damaged\n",
		d->messages, d->bodies, d->bytes, d->findings);
	return 0;
}

int cmd_store_check(const struct options *o)
{
	struct err err = ERR_INIT;
	struct checking c = { .o = o };
	if (o->args_n || (o->force && !o->rebuild))
		return cli_usage(o, "[-c FILE] [--repair | --rebuild [--force] | --accept-loss] "
				    "[--json]");
	if (o->repair || o->rebuild || o->accept_loss)
		return repair_store(o);
	buf_init(&c.items, CLI_LIST_BYTES);
	int result = ask_check(&c, &err);
	if (result < 0)
		result = check_unopened(&c, &err);
	if (result == 0)
		result = print_checked(&c, &err);
	buf_done(&c.items);
	if (result)
		return cli_fail(o, &err);
	return c.done.findings ? EXIT_DAMAGE : EXIT_GOOD;
}

/* ---- reclaim ---- */

static void on_reclaimed(void *arg, const struct frame *frame)
{
	struct frame_reclaimed *r = arg;
	if (frame->type == FRAME_RECLAIMED)
		*r = frame->reclaimed;
}

int cmd_store_reclaim(const struct options *o)
{
	struct err err = ERR_INIT;
	struct frame f = { .type = FRAME_STORE_RECLAIM, .store_reclaim.deleted = o->deleted };
	struct frame_reclaimed d = { .forgotten = 0 };
	if (o->args_n)
		return cli_usage(o, "[-c FILE] [--deleted] [--json]");
	AUTO(remote_close)
	struct remote *r = remote_open(options_config(o), false, &err);
	if (r == NULL || remote_ask(r, REMOTE_STORE, &f, on_reclaimed, &d, &err))
		return cli_fail(o, &err);
	if (o->json)
		printf("{\"forgotten\":%" PRIu64 ",\"segments\":%u,\"freed\":%" PRIu64
		       ",\"moved\":%" PRIu64 ",\"pinned\":%s}\n",
			d.forgotten, d.segments, d.freed, d.moved, d.pinned ? "true" : "false");
	else
		printf("%" PRIu64 " messages forgotten, %u files of %" PRIu64
		       " bytes removed, %" PRIu64 " bytes moved%s\n",
			d.forgotten, d.segments, d.freed, d.moved,
			d.pinned ? "; a backup is at work: what it reads stays until it ends" : "");
	return EXIT_GOOD;
}

/* ---- status ---- */

static void keep_status(void *arg, const struct frame *frame)
{
	struct frame_store_status_is *s = arg;
	if (frame->type == FRAME_STORE_STATUS_IS)
		*s = frame->store_status_is;
}

/* "name pid state restarts seconds" as JSON. */
static void print_role_json(struct str line, bool first)
{
	static const char *const names[] = { "role", "pid", "state", "restarts", "seconds" };
	AUTO(buf_done)
	struct buf out;
	buf_init(&out, 4096);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct str value = str_split(&line, ' ');
		bool text = i == 0 || i == 2;
		buf_addf(&out, "%s\"%s\":", i ? "," : "", names[i]);
		if (text)
			json_string(&out, value);
		else
			buf_adds(&out, value);
	}
	printf("%s{%s}", first ? "" : ",", out.p);
}

static void certificate_json(
	struct buf *out, struct str name, uint64_t expires_s, struct str hosts, struct str problem)
{
	buf_addz(out, "{\"name\":");
	json_string(out, name);
	buf_addf(out, ",\"expires_s\":%" PRIu64 ",\"hosts\":", expires_s);
	json_string(out, hosts);
	buf_addz(out, ",\"problem\":");
	json_string(out, problem);
	buf_addc(out, '}');
}

static void certificate_text(
	struct buf *out, struct str name, uint64_t expires_s, struct str hosts, struct str problem)
{
	struct time_text date;
	struct clock_seam *clock = clock_os();
	int64_t left_s = (int64_t)expires_s - clock->wall_ms(clock) / 1000;
	buf_addf(out, "certificate %" STR_FMT, STR_ARG(name));
	if (problem.n > 0) {
		buf_addf(out, " REFUSED: %" STR_FMT "\n", STR_ARG(problem));
		return;
	}
	buf_addf(out, " until %s for %" STR_FMT, time_iso8601(&date, (int64_t)expires_s * 1000),
		STR_ARG(hosts));
	if (left_s < 0)
		buf_addz(out, " EXPIRED");
	else if (left_s < (int64_t)LIMIT_EXPIRY_WARN_DAYS * 86400)
		buf_addf(out, " EXPIRES IN %" PRId64 " DAYS", left_s / 86400);
	buf_addc(out, '\n');
}

/* Lines of remote_certificates(). */
static void print_certificates(const struct options *o, struct str lines)
{
	AUTO(buf_done)
	struct buf out;
	buf_init(&out, 262144);
	for (bool first = true; lines.n > 0; first = false) {
		struct str line = str_split(&lines, '\n');
		struct str name = str_split(&line, '\t'), expires = str_split(&line, '\t');
		struct str hosts = str_split(&line, '\t');
		struct scan scan = scan_from(expires);
		uint64_t expires_s = 0; /* what could not be read says 0 */
		if (!scan_number(&scan, TIME_MAX_MS / 1000, &expires_s))
			expires_s = 0;
		if (o->json && !first)
			buf_addc(&out, ',');
		(o->json ? certificate_json : certificate_text)(&out, name, expires_s, hosts, line);
	}
	if (out.n > 0)
		printf("%s", out.p);
}

/* A configuration that is wrong: the server goes on with the one that it has read. A disk without
 * room: all is up, and no mail comes in. In JSON it is a list, as check's. */
static void print_warning(const struct options *o)
{
	char text[5000] = "";
	struct err err = ERR_INIT;
	AUTO(config_free)
	struct config *c = config_load(options_config(o), &err);
	AUTO(buf_done)
	struct buf json;
	if (c == NULL)
		snprintf(text, sizeof(text), "%s", err_log_text(&err));
	else
		(void)preflight_disk_is_short(c, text, sizeof(text));
	if (!o->json && text[0])
		fprintf(stderr, "culver status: warning: %s\n", text);
	buf_init(&json, 2 * sizeof(text));
	if (text[0])
		json_string(&json, str_from(text));
	if (o->json)
		printf(",\"warnings\":[%s]", json.n ? json.p : "");
}

static void print_roles(const struct options *o, const struct remote *r)
{
	struct str roles = remote_status(r);
	bool first = true;
	if (o->json)
		printf("{\"running\":true");
	print_warning(o);
	if (o->json)
		printf(",\"roles\":[");
	while (roles.n) {
		struct str line = str_split(&roles, '\n');
		if (o->json)
			print_role_json(line, first);
		else
			printf("%" STR_FMT "\n", STR_ARG(line));
		first = false;
	}
	if (o->json)
		printf("],\"certificates\":[");
	print_certificates(o, remote_certificates(r));
	if (o->json)
		printf("],");
}

static void print_store(const struct options *o, const struct frame_store_status_is *s)
{
	if (o->json)
		printf("\"accounts\":%" PRIu64 ",\"messages\":%" PRIu64 ",\"bodies\":%" PRIu64
		       ",\"segment_bytes\":%" PRIu64 ",\"commits\":%" PRIu64 ",\"flushes\":%" PRIu64
		       ",\"kept_messages\":%" PRIu64 ",\"kept_bytes\":%" PRIu64
		       ",\"dead_bytes\":%" PRIu64 ",\"read_only\":%s,\"damage\":%u}\n",
			s->accounts, s->messages, s->bodies, s->segment_bytes, s->commits,
			s->flushes, s->kept_messages, s->kept_bytes, s->dead_bytes,
			s->read_only ? "true" : "false", s->damage);
	else
		printf("accounts %" PRIu64 " messages %" PRIu64 " bodies %" PRIu64 " bytes %" PRIu64
		       " commits %" PRIu64 " flushes %" PRIu64 "\ndeleted and kept %" PRIu64
		       " messages %" PRIu64 " bytes, dead %" PRIu64 " bytes%s\n",
			s->accounts, s->messages, s->bodies, s->segment_bytes, s->commits,
			s->flushes, s->kept_messages, s->kept_bytes, s->dead_bytes,
			s->read_only ? " READ-ONLY" : "");
	if (!o->json && s->damage)
		printf("DAMAGE was met %u times since the store was opened: run culver store "
		       "check\n",
			s->damage);
}

/* Which role is away is what somebody asks for who has no answer from the store either. In JSON it
 * is one object all the same, without the store's numbers. */
static int print_status(const struct options *o, struct remote *r, struct err *err)
{
	struct frame f = { .type = FRAME_STORE_STATUS };
	struct frame_store_status_is status = { .accounts = 0 };
	print_roles(o, r);
	if (remote_ask_within(r, STATUS_MS, REMOTE_STORE, &f, keep_status, &status, err)) {
		if (o->json)
			printf("\"store\":null}\n");
		fprintf(stderr, "culver status: %s\n", err_log_text(err));
		return EXIT_FAILED;
	}
	print_store(o, &status);
	return EXIT_GOOD;
}

int cmd_status(const struct options *o)
{
	struct err err = ERR_INIT;
	if (o->args_n)
		return cli_usage(o, "[-c FILE] [--json]");
	AUTO(remote_close)
	struct remote *r = remote_open(options_config(o), true, &err);
	if (r == NULL && err.kind == ERR_NOT_FOUND) {
		if (o->json)
			printf("{\"running\":false");
		print_warning(o);
		if (o->json)
			printf("}\n");
		fprintf(stderr, "culver status: %s\n", err.public_text);
		return EXIT_NOT_RUNNING;
	}
	return r ? print_status(o, r, &err) : cli_fail(o, &err);
}

/* ---- check and version ---- */

struct warnings {
	const struct options *o;
	struct buf *list; /* JSON */
};

static void warn(void *arg, const char *text)
{
	struct warnings *w = arg;
	if (!w->o->json)
		fprintf(stderr, "culver check: warning: %s\n", text);
	buf_addz(w->list, w->list->n ? "," : "");
	json_string(w->list, str_from(text));
}

/* Of who may not ask it nothing is known. */
static bool server_has_tls(const struct options *o)
{
	struct err err = ERR_INIT;
	AUTO(remote_close)
	struct remote *r = remote_open(options_config(o), true, &err);
	return r && remote_certificates(r).n > 0;
}

int cmd_check(const struct options *o)
{
	struct err err = ERR_INIT;
	if (o->args_n)
		return cli_usage(o, "[-c FILE] [--print-defaults] [--json]");
	if (o->print_defaults) {
		AUTO(buf_done)
		struct buf out;
		buf_init(&out, 65536);
		config_print_defaults(&out, o->json ? CONFIG_JSON : CONFIG_PLAIN);
		printf("%s", out.p);
		return EXIT_GOOD;
	}
	AUTO(config_free)
	struct config *c = config_load(options_config(o), &err);
	AUTO(buf_done)
	struct buf list;
	struct warnings w = { .o = o, .list = &list };
	buf_init(&list, 65536);
	if (c == NULL || preflight(c, server_has_tls(o), warn, &w, &err) < 0)
		return cli_fail(o, &err);
	if (o->json)
		printf("{\"good\":true,\"warnings\":[%" STR_FMT "]}\n", STR_ARG(buf_str(&list)));
	else
		printf("%s is good\n", options_config(o));
	return EXIT_GOOD;
}

int cmd_version(const struct options *o)
{
	if (o->args_n)
		return cli_usage(o, "[--json]");
	printf(o->json ? "{\"version\":\"%s\"}\n" : "culver %s\n", CULVER_VERSION);
	return EXIT_GOOD;
}
