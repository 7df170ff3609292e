// SPDX-License-Identifier: Apache-2.0
/* The secrets of an account of one kind: listed, removed by number. */
#include "cli/secrets.h"

#include "api/schemes.h"
#include "base/limits.h"
#include "base/scan.h"
#include "base/time.h"

#include <inttypes.h>
#include <stdio.h>

struct listing {
	const struct options *o;
	const struct secret_command *command;
	uint64_t wanted;  /* 0: all are printed */
	bool found;       /* the wanted one */
	struct buf items; /* JSON */
};

/* "never", or when. */
static const char *moment(struct time_text *text, int64_t ms)
{
	return ms ? time_iso8601(text, ms) : "never";
}

static void print_one(struct listing *l, const struct api_secret *s)
{
	struct time_text created, used;
	AUTO(buf_done)
	struct buf label, services, own;
	void (*add_own)(const struct api_secret *,
		struct buf *) = l->o->json ? l->command->own_json : l->command->own_text;
	buf_init(&label, 2048);
	buf_init(&services, 64);
	buf_init(&own, 256);
	json_string(&label, s->label);
	cli_service_names(s->services, &services);
	if (add_own)
		add_own(s, &own);
	if (l->o->json)
		buf_addf(&l->items,
			"%s{\"id\":%" PRIu64 ",%" STR_FMT
			"\"label\":%s,\"services\":\"%s\",\"created_ms\":%" PRId64
			",\"used_ms\":%" PRId64 "}",
			l->items.n ? "," : "", s->id, STR_ARG(buf_str(&own)), label.p, services.p,
			s->created_ms, s->used_ms);
	else
		printf("%6" PRIu64 "  %" STR_FMT "%-15s made %s  last used %s  %" STR_FMT "\n",
			s->id, STR_ARG(buf_str(&own)), services.p, moment(&created, s->created_ms),
			moment(&used, s->used_ms), STR_ARG(s->label));
	buf_done(&services);
	buf_done(&own);
}

static void take_secrets(void *arg, const struct frame *frame)
{
	struct listing *l = arg;
	for (size_t i = 0; frame->type == FRAME_SECRETS && i < frame->secrets.secrets.n; i++) {
		const struct api_secret *s = &frame->secrets.secrets.items[i];
		if (s->kind != l->command->kind || (l->wanted && l->wanted != s->id))
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

static int list(struct listing *l, struct remote *r, struct err *err)
{
	buf_init(&l->items, CLI_LIST_BYTES);
	int result = ask_list(l, r, err);
	if (result == 0 && l->o->json)
		result = cli_print_list("[", &l->items, "]", err);
	buf_done(&l->items);
	return result;
}

static int remove_one(struct listing *l, struct remote *r, struct err *err)
{
	struct scan s = scan_from(str_from(l->o->args[2]));
	if (!scan_number(&s, INT64_MAX, &l->wanted) || !scan_end(&s) || l->wanted == 0)
		return fail(err, ERR_SYNTAX, "the %s is named by its number in the list",
			l->command->noun);
	if (ask_list(l, r, err))
		return -1;
	if (!l->found)
		return fail(err, ERR_NOT_FOUND, "the account has no %s of that number",
			l->command->noun);
	struct frame f = { .type = FRAME_SECRET_REMOVE,
		.secret_remove = { str_from(l->o->args[1]), l->wanted } };
	if (remote_ask(r, REMOTE_STORE, &f, NULL, NULL, err))
		return -1;
	if (l->o->json)
		printf("{\"id\":%" PRIu64 ",\"done\":\"removed\"}\n", l->wanted);
	return 0;
}

static int act(struct listing *l, struct remote *r, struct err *err)
{
	const char *verb = l->o->args[0];
	if (strcmp(verb, "add") == 0)
		return l->command->add(l->o, r, err);
	return strcmp(verb, "list") == 0 ? list(l, r, err) : remove_one(l, r, err);
}

/* How many words belong to the verb; 0: there is no such one. */
static int words(const struct secret_command *c, const char *verb)
{
	if (strcmp(verb, "add") == 0)
		return c->add_args;
	if (strcmp(verb, "list") == 0)
		return 2;
	return strcmp(verb, "remove") == 0 ? 3 : 0;
}

int secrets_command(const struct options *o, const struct secret_command *c)
{
	struct err err = ERR_INIT;
	struct listing l = { .o = o, .command = c };
	if (o->args_n < 1 || o->args_n != words(c, o->args[0]))
		return cli_usage(o, c->usage);
	if (str_has_control(str_from(o->label))) { /* a list has one line for each */
		fail(&err, ERR_SYNTAX, "--label: a control character is in it");
		return cli_fail(o, &err);
	}
	if (str_from(o->label).n > LIMIT_SECRET_LABEL_BYTES) {
		fail(&err, ERR_SYNTAX, "--label has at most %d bytes", LIMIT_SECRET_LABEL_BYTES);
		return cli_fail(o, &err);
	}
	struct remote *r = remote_open(options_config(o), false, &err);
	int result = r ? act(&l, r, &err) : -1;
	remote_close(&r);
	return result ? cli_fail(o, &err) : EXIT_GOOD;
}
