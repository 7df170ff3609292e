// SPDX-License-Identifier: Apache-2.0
/* culver upgrade, reload: signals to the running server; and what came of them. */
#include "cli/cli.h"

#include "cli/remote.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { LOOK_AGAIN_MS = 50, UPGRADE_MS = 60000, RELOAD_MS = 60000 };

/* Where the server's counts stood before it was signalled. */
struct before {
	struct remote_upgrades upgrades;
	struct remote_reloads reloads;
};

/* That no server runs has an exit code of its own. */
static int failed(const struct options *o, const struct err *err)
{
	int code = cli_fail(o, err);
	return err->kind == ERR_NOT_FOUND ? EXIT_NOT_RUNNING : code;
}

static int signal_server(
	const struct options *o, int number, struct before *ret_before, struct err *err)
{
	AUTO(remote_close)
	struct remote *r = remote_open(options_config(o), true, err);
	if (r == NULL)
		return -1;
	*ret_before = (struct before){ *remote_upgrades(r), *remote_reloads(r) };
	int process = remote_process(r);
	if (process <= 0)
		return fail(err, ERR_TEMP, "the server's process is not known");
	if (kill(process, number) < 0)
		return fail_errno(err, "cannot signal process %d", process);
	return 0;
}

/* Of what was asked for. 1: it came to pass; 0: not yet; -1: it was refused. */
typedef int look_function(
	const struct remote *now, const struct before *before, void *ret, struct err *err);

static int upgraded(const struct remote *r, const struct before *before, void *ret, struct err *err)
{
	const struct remote_upgrades *now = remote_upgrades(r), *was = &before->upgrades;
	(void)ret;
	if (now->refused > was->refused && now->done == was->done)
		return fail(err, ERR_UNSUPPORTED, "refused, and nothing has changed: %s",
			now->refused_why);
	return now->done > was->done && !now->under_way;
}

/* An image that has come meanwhile counts anew, and has read everything. */
static int reloaded(const struct remote *r, const struct before *before, void *ret, struct err *err)
{
	struct remote_reloads *now = ret;
	*now = *remote_reloads(r);
	if (now->under_way || (now->done == before->reloads.done &&
				      remote_upgrades(r)->done == before->upgrades.done))
		return 0;
	if (now->refused_why[0] != '\0')
		return fail(
			err, ERR_CONFIG, "refused, and nothing has changed: %s", now->refused_why);
	return 1;
}

static int look(const struct options *o, look_function *function, const struct before *before,
	void *ret, struct err *err)
{
	AUTO(remote_close)
	struct remote *r = remote_open(options_config(o), true, err);
	if (r != NULL)
		return function(r, before, ret, err);
	if (err->kind == ERR_NOT_FOUND)
		return fail(err, ERR_TEMP, "the server has ended; its log says why");
	*err = (struct err)ERR_INIT; /* between two images nobody answers */
	return 0;
}

static int ask_for(const struct options *o, int number, int within_ms, look_function *function,
	void *ret, struct err *err)
{
	struct before before;
	int result = signal_server(o, number, &before, err);
	for (int ms = 0; result == 0 && ms < within_ms; ms += LOOK_AGAIN_MS) {
		usleep(LOOK_AGAIN_MS * 1000);
		result = look(o, function, &before, ret, err);
	}
	if (result == 0)
		fail(err, ERR_TEMP, "not done within %d s; the log says more", within_ms / 1000);
	return result == 1 ? 0 : -1;
}

/* What the program that was to take over has against it comes as words alone. */
static void look_at_config(const struct options *o, struct err *err)
{
	AUTO(config_free)
	struct config *c = config_load(options_config(o), NULL);
	if (err->kind == ERR_UNSUPPORTED && c == NULL)
		err->kind = ERR_CONFIG;
}

int cmd_upgrade(const struct options *o)
{
	struct err err = ERR_INIT;
	if (o->args_n)
		return cli_usage(o, "[-c FILE] [--json]");
	if (ask_for(o, SIGUSR2, UPGRADE_MS, upgraded, NULL, &err)) {
		look_at_config(o, &err);
		return failed(o, &err);
	}
	printf(o->json ? "{\"upgraded\":true}\n"
		       : "upgraded; sessions of before end by themselves\n");
	return EXIT_GOOD;
}

static void print_reloaded(const struct options *o, const struct remote_reloads *r)
{
	AUTO(buf_done)
	struct buf list;
	struct str names = str_from(r->for_start);
	buf_init(&list, 4096);
	while (names.n) {
		struct str name = str_split(&names, ' ');
		buf_addf(&list, o->json ? "%s\"%" STR_FMT "\"" : "%s%" STR_FMT,
			list.n ? (o->json ? "," : ", ") : "", STR_ARG(name));
	}
	if (o->json)
		printf("{\"reloaded\":true,\"at_the_next_start\":[%" STR_FMT "]}\n",
			STR_ARG(buf_str(&list)));
	else if (list.n)
		printf("reloaded; at the next start alone: %" STR_FMT "\n",
			STR_ARG(buf_str(&list)));
	else
		printf("reloaded\n");
}

int cmd_reload(const struct options *o)
{
	struct err err = ERR_INIT;
	struct remote_reloads reloads;
	if (o->args_n)
		return cli_usage(o, "[-c FILE] [--json]");
	if (ask_for(o, SIGHUP, RELOAD_MS, reloaded, &reloads, &err))
		return failed(o, &err);
	print_reloaded(o, &reloads);
	return EXIT_GOOD;
}
