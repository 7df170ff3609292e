// SPDX-License-Identifier: Apache-2.0
/* culver upgrade, reload: signals to the running server; and whether an upgrade came to pass. */
#include "cli/cli.h"

#include "cli/remote.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { LOOK_AGAIN_MS = 100, UPGRADE_MS = 60000 };

/* That no server runs has an exit code of its own. */
static int failed(const struct options *o, const struct err *err)
{
	int code = cli_fail(o, err);
	return err->kind == ERR_NOT_FOUND ? EXIT_NOT_RUNNING : code;
}

/* Signals the server, and says where its count of upgrades stood before. */
static int signal_server(
	const struct options *o, int number, struct remote_upgrades *ret_before, struct err *err)
{
	AUTO(remote_close)
	struct remote *r = remote_open(options_config(o), true, err);
	if (r == NULL)
		return -1;
	*ret_before = *remote_upgrades(r);
	int process = remote_process(r);
	if (process <= 0)
		return fail(err, ERR_TEMP, "the server's process is not known");
	if (kill(process, number) < 0)
		return fail_errno(err, "cannot signal process %d", process);
	return 0;
}

/* 1: it came to pass; 0: not yet; -1: it was refused. */
static int look(const struct options *o, const struct remote_upgrades *before, struct err *err)
{
	AUTO(remote_close)
	struct remote *r = remote_open(options_config(o), true, err);
	if (r == NULL) { /* between two images nobody answers */
		*err = (struct err)ERR_INIT;
		return 0;
	}
	const struct remote_upgrades *now = remote_upgrades(r);
	if (now->refused > before->refused && now->done == before->done)
		return fail(err, ERR_UNSUPPORTED, "refused, and nothing has changed: %s",
			now->refused_why);
	return now->done > before->done && !now->under_way;
}

int cmd_upgrade(const struct options *o)
{
	struct err err = ERR_INIT;
	struct remote_upgrades before;
	if (o->args_n)
		return cli_usage(o, "[-c FILE] [--json]");
	int result = signal_server(o, SIGUSR2, &before, &err);
	for (int ms = 0; result == 0 && ms < UPGRADE_MS; ms += LOOK_AGAIN_MS) {
		usleep(LOOK_AGAIN_MS * 1000);
		result = look(o, &before, &err);
	}
	if (result == 0)
		fail(&err, ERR_TEMP, "not done within %d s; the log says more", UPGRADE_MS / 1000);
	if (result != 1)
		return failed(o, &err);
	printf(o->json ? "{\"upgraded\":true}\n"
		       : "upgraded; sessions of before end by themselves\n");
	return EXIT_GOOD;
}

int cmd_reload(const struct options *o)
{
	struct err err = ERR_INIT;
	struct remote_upgrades before;
	if (o->args_n)
		return cli_usage(o, "[-c FILE] [--json]");
	AUTO(config_free)
	struct config *config = config_load(options_config(o), &err);
	if (config == NULL)
		return cli_fail(o, &err);
	if (signal_server(o, SIGHUP, &before, &err))
		return failed(o, &err);
	printf(o->json ? "{\"reloading\":true}\n"
		       : "the server reads %s again; its log says how that went\n",
		options_config(o));
	return EXIT_GOOD;
}
