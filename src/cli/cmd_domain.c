// SPDX-License-Identifier: Apache-2.0
/* culver domain and culver alias: which names are ours, and what other names accounts have. */
#include "cli/cli.h"

#include "cli/remote.h"

#include <stdio.h>

/* One question whose answer is `done`, and a line that says so. */
static int change(const struct options *o, const struct frame *f, const char *verb)
{
	struct err err = ERR_INIT;
	AUTO(buf_done)
	struct buf name;
	buf_init(&name, 8192);
	AUTO(remote_close)
	struct remote *r = remote_open(options_config(o), false, &err);
	if (r == NULL || remote_ask(r, REMOTE_STORE, f, NULL, NULL, &err))
		return cli_fail(o, &err);
	json_string(&name, str_from(o->args[0]));
	if (o->json)
		printf("{\"name\":%s,\"done\":\"%s\"}\n", name.p, verb);
	else
		printf("%s %s\n", o->args[0], verb);
	return EXIT_GOOD;
}

struct listing {
	const struct options *o;
	struct buf items; /* JSON */
};

static int show(const struct options *o, enum frame_type question,
	void (*each)(void *, const struct frame *))
{
	struct err err = ERR_INIT;
	struct frame f = { .type = question };
	struct listing l = { .o = o };
	if (o->args_n)
		return cli_usage(o, "[-c FILE] [--json]");
	AUTO(remote_close)
	struct remote *r = remote_open(options_config(o), false, &err);
	if (r == NULL)
		return cli_fail(o, &err);
	buf_init(&l.items, CLI_LIST_BYTES);
	int result = remote_ask(r, REMOTE_STORE, &f, each, &l, &err);
	if (result == 0 && o->json)
		result = cli_print_list("[", &l.items, "]", &err);
	buf_done(&l.items);
	return result ? cli_fail(o, &err) : EXIT_GOOD;
}

/* Two texts as a JSON object or as a line. */
static void print_pair(
	struct listing *l, const char *a_name, struct str a, const char *b_name, struct str b)
{
	AUTO(buf_done)
	struct buf out;
	buf_init(&out, 16384);
	json_string(&out, a);
	buf_addf(&out, ",\"%s\":", b_name);
	json_string(&out, b);
	if (l->o->json)
		buf_addf(&l->items, "%s{\"%s\":%s}", l->items.n ? "," : "", a_name, out.p);
	else if (b.n > 0)
		printf("%-40" STR_FMT " %" STR_FMT "\n", STR_ARG(a), STR_ARG(b));
	else
		printf("%" STR_FMT "\n", STR_ARG(a));
}

int cmd_domain_add(const struct options *o)
{
	if (o->args_n != 1)
		return cli_usage(o, "[-c FILE] [--json] DOMAIN");
	struct frame f = { .type = FRAME_DOMAIN_ADD, .domain_add.name = str_from(o->args[0]) };
	return change(o, &f, "added");
}

int cmd_domain_remove(const struct options *o)
{
	if (o->args_n != 1)
		return cli_usage(o, "[-c FILE] [--json] DOMAIN");
	struct frame f = { .type = FRAME_DOMAIN_REMOVE,
		.domain_remove.name = str_from(o->args[0]) };
	return change(o, &f, "removed");
}

int cmd_domain_set(const struct options *o)
{
	if (o->args_n != 1 || o->catch_all == NULL)
		return cli_usage(o, "[-c FILE] [--json] --catch-all ADDRESS|none DOMAIN");
	bool none = strcmp(o->catch_all, "none") == 0;
	struct frame f = { .type = FRAME_DOMAIN_SET,
		.domain_set = { str_from(o->args[0]), none ? STR("") : str_from(o->catch_all) } };
	return change(o, &f, "changed");
}

static void print_domains(void *arg, const struct frame *frame)
{
	for (size_t i = 0; frame->type == FRAME_DOMAINS && i < frame->domains.domains.n; i++) {
		const struct api_domain *d = &frame->domains.domains.items[i];
		print_pair(arg, "domain", d->name, "catch_all", d->catch_all);
	}
}

int cmd_domain_list(const struct options *o)
{
	return show(o, FRAME_DOMAIN_LIST, print_domains);
}

int cmd_alias_add(const struct options *o)
{
	if (o->args_n != 2)
		return cli_usage(o, "[-c FILE] [--json] ADDRESS TARGET");
	struct frame f = { .type = FRAME_ALIAS_ADD,
		.alias_add = { str_from(o->args[0]), str_from(o->args[1]) } };
	return change(o, &f, "added");
}

int cmd_alias_remove(const struct options *o)
{
	if (o->args_n != 1 && o->args_n != 2)
		return cli_usage(o, "[-c FILE] [--json] ADDRESS [TARGET]");
	struct frame f = { .type = FRAME_ALIAS_REMOVE,
		.alias_remove = {
			str_from(o->args[0]), o->args_n == 2 ? str_from(o->args[1]) : STR("") } };
	return change(o, &f, "removed");
}

static void print_aliases(void *arg, const struct frame *frame)
{
	for (size_t i = 0; frame->type == FRAME_ALIASES && i < frame->aliases.aliases.n; i++) {
		const struct api_alias *a = &frame->aliases.aliases.items[i];
		print_pair(arg, "address", a->address, "target", a->target);
	}
}

int cmd_alias_list(const struct options *o)
{
	return show(o, FRAME_ALIAS_LIST, print_aliases);
}
