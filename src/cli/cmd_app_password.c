// SPDX-License-Identifier: Apache-2.0
/* culver account app-password: passwords for one program each, drawn by the gate and shown once. */
#include "cli/cli.h"

#include "api/schemes.h"
#include "base/scan.h"
#include "base/time.h"
#include "cli/remote.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- add ---- */

struct drawn {
	char text[64], value[64];
	size_t text_n, value_n;
};

static void keep_drawn(void *arg, const struct frame *frame)
{
	struct drawn *d = arg;
	if (frame->type != FRAME_APP_PASSWORD)
		return;
	struct str text = str_sub(frame->app_password.text, 0, sizeof(d->text));
	struct str value = str_sub(frame->app_password.value, 0, sizeof(d->value));
	memcpy(d->text, text.p, d->text_n = text.n);
	memcpy(d->value, value.p, d->value_n = value.n);
}

static int add(const struct options *o, struct remote *r, struct err *err)
{
	static const struct frame draw = { .type = FRAME_MAKE_APP_PASSWORD };
	struct drawn d = { .text_n = 0 };
	uint32_t services = SERVICES_ALL;
	if ((o->services && cli_services(o->services, &services, err)) ||
		remote_ask(r, REMOTE_GATE, &draw, keep_drawn, &d, err))
		return -1;
	if (services == 0)
		return fail(err, ERR_SYNTAX, "an app password is good for one service at least");
	struct frame f = { .type = FRAME_SECRET_ADD,
		.secret_add = { .address = str_from(o->args[1]),
			.kind = SECRET_APP_PASSWORD,
			.label = str_from(o->label ? o->label : ""),
			.value = str_make(d.value, d.value_n),
			.services = services } };
	int result = remote_ask(r, REMOTE_STORE, &f, NULL, NULL, err);
	if (result == 0)
		printf(o->json ? "{\"password\":\"%.*s\"}\n" : "%.*s\n", (int)d.text_n, d.text);
	mem_wipe(&d, sizeof(d));
	return result;
}

/* ---- list, remove ---- */

struct listing {
	const struct options *o;
	uint64_t wanted; /* 0: all are printed */
	bool found;      /* the wanted one; or one was printed */
};

/* "never", or when. */
static const char *moment(struct time_text *text, int64_t ms)
{
	return ms ? time_iso8601(text, ms) : "never";
}

static void print_one(const struct listing *l, const struct api_secret *s)
{
	struct time_text created, used;
	AUTO(buf_done)
	struct buf label, services;
	buf_init(&label, 2048);
	buf_init(&services, 64);
	json_string(&label, s->label);
	cli_service_names(s->services, &services);
	if (l->o->json)
		printf("%s{\"id\":%" PRIu64
		       ",\"label\":%s,\"services\":\"%s\",\"created_ms\":%" PRId64
		       ",\"used_ms\":%" PRId64 "}",
			l->found ? "," : "", s->id, label.p, services.p, s->created_ms, s->used_ms);
	else
		printf("%6" PRIu64 "  %-15s made %s  last used %s  %" STR_FMT "\n", s->id,
			services.p, moment(&created, s->created_ms), moment(&used, s->used_ms),
			STR_ARG(s->label));
	buf_done(&services);
}

static void take_secrets(void *arg, const struct frame *frame)
{
	struct listing *l = arg;
	for (size_t i = 0; frame->type == FRAME_SECRETS && i < frame->secrets.secrets.n; i++) {
		const struct api_secret *s = &frame->secrets.secrets.items[i];
		if (s->kind != SECRET_APP_PASSWORD || (l->wanted && l->wanted != s->id))
			continue;
		if (l->wanted == 0)
			print_one(l, s);
		l->found = true;
	}
}

static int ask_list(struct listing *l, struct remote *r, struct err *err)
{
	struct frame f = { .type = FRAME_SECRET_LIST,
		.secret_list.address = str_from(l->o->args[1]) };
	return remote_ask(r, REMOTE_STORE, &f, take_secrets, l, err);
}

static int list(const struct options *o, struct remote *r, struct err *err)
{
	struct listing l = { .o = o };
	if (o->json)
		printf("[");
	int result = ask_list(&l, r, err);
	if (o->json)
		printf("]\n");
	return result;
}

/* By its number among the app passwords alone: what else an account has is not for this command. */
static int remove_one(const struct options *o, struct remote *r, struct err *err)
{
	struct listing l = { .o = o };
	struct scan s = scan_from(str_from(o->args[2]));
	if (!scan_number(&s, INT64_MAX, &l.wanted) || !scan_end(&s) || l.wanted == 0)
		return fail(
			err, ERR_SYNTAX, "an app password is removed by its number in the list");
	if (ask_list(&l, r, err))
		return -1;
	if (!l.found)
		return fail(err, ERR_NOT_FOUND, "the account has no such app password");
	struct frame f = { .type = FRAME_SECRET_REMOVE,
		.secret_remove = { str_from(o->args[1]), l.wanted } };
	return remote_ask(r, REMOTE_STORE, &f, NULL, NULL, err);
}

/* ---- the command ---- */

static const struct {
	const char *verb;
	int args;
	int (*act)(const struct options *, struct remote *, struct err *);
} verbs[] = { { "add", 2, add }, { "list", 2, list }, { "remove", 3, remove_one } };

int cmd_account_app_password(const struct options *o)
{
	for (size_t i = 0; o->args_n > 0 && i < ARRAY_LEN(verbs); i++) {
		if (strcmp(o->args[0], verbs[i].verb) != 0 || o->args_n != verbs[i].args)
			continue;
		struct err err = ERR_INIT;
		struct remote *r = remote_open(options_config(o), false, &err);
		int result = r ? verbs[i].act(o, r, &err) : -1;
		remote_close(&r);
		return result ? cli_fail(o, &err) : EXIT_GOOD;
	}
	return cli_usage(o, "add [-c FILE] [--label TEXT] [--services smtp,imap,pop3] ADDRESS\n"
			    "       culver account app-password list [-c FILE] [--json] ADDRESS\n"
			    "       culver account app-password remove [-c FILE] ADDRESS NUMBER");
}
