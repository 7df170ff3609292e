// SPDX-License-Identifier: Apache-2.0
/* The table of subcommands. */
#include "base/planted.h"
#include "cli/cli.h"
#include "process/os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { USAGE_BYTES = 4096 };

static const struct command commands[] = {
	{ "quickstart", NULL, cmd_quickstart, "make a directory with all that a server needs" },
	{ "serve", NULL, cmd_serve, "be the server, in the foreground" },
	{ "check", NULL, cmd_check, "check the configuration; --print-defaults shows every key" },
	{ "status", NULL, cmd_status, "what the running server does" },
	{ "reload", NULL, cmd_reload, "have the running server read its configuration again" },
	{ "upgrade", NULL, cmd_upgrade, "have the running server become the installed program" },
	{ "completion", NULL, cmd_completion,
		"what bash, zsh or fish needs to complete these words" },
	{ "version", NULL, cmd_version, "which version this is" },
	{ "account", "add", cmd_account_add, "make an account" },
	{ "account", "list", cmd_account_list, "all accounts" },
	{ "account", "password", cmd_account_password, "change a password; ends its sessions" },
	{ "account", "set", cmd_account_set, "quota, services, retention, active, legacy-auth" },
	{ "account", "app-password", cmd_account_app_password,
		"add, list or remove passwords for single programs" },
	{ "account", "certificate", cmd_account_certificate,
		"add, remove or list client certificates for AUTH EXTERNAL" },
	{ "account", "remove", cmd_account_remove,
		"remove an account; its mail is kept for a while, or not (--erase)" },
	{ "account", "recount", cmd_account_recount,
		"compare counters with what is there, and mend them; --all" },
	{ "account", "undelete", cmd_account_undelete,
		"list deleted messages (--list), or put them back" },
	{ "import", NULL, cmd_import, "mail of other servers, by IMAP, from Maildirs and mboxes" },
	{ "export", NULL, cmd_export,
		"an account's mail as Maildir, mboxes or a tar of .eml files" },
	{ "domain", "add", cmd_domain_add, "receive mail for a domain" },
	{ "domain", "list", cmd_domain_list, "all domains" },
	{ "domain", "set", cmd_domain_set, "a domain's catch-all address" },
	{ "domain", "remove", cmd_domain_remove,
		"no longer receive for a domain without accounts" },
	{ "alias", "add", cmd_alias_add, "another address for an account, or for several" },
	{ "alias", "list", cmd_alias_list, "all aliases" },
	{ "alias", "remove", cmd_alias_remove, "remove an alias, or one target of it" },
	{ "store", "check", cmd_store_check,
		"verify messages and what is known of them; --repair sets right" },
	{ "store", "backup", cmd_store_backup, "add a point in time to a backup directory" },
	{ "store", "restore", cmd_store_restore,
		"the store, an account or a message as a backup has it" },
	{ "store", "points", cmd_store_points,
		"the points that a backup holds; --verify reads all" },
	{ "store", "reclaim", cmd_store_reclaim,
		"free the space of what was deleted long enough ago; --deleted: of all that was" },
};

static void print_command(FILE *out, const struct command *c)
{
	fprintf(out, "  %-10s %-12s %s\n", c->group, c->name ? c->name : "", c->help);
}

static void print_help(FILE *out)
{
	fprintf(out, "usage: culver COMMAND [OPTION...] [ARGUMENT...]\n\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		print_command(out, &commands[i]);
	fprintf(out,
		"\nEvery command takes -c FILE (or $CULVER_CONF; else /etc/culver/culver.conf) and "
		"--json, and --help\nshows what else.\nExit codes: 0 done, 1 failed, 2 usage, 3 "
		"not there, 4 exists, 5 "
		"configuration, 6 damage, 7 not running.\nManual: culver(1), culver.conf(5)\n");
}

static const struct command *find_command(int argc, char **argv)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const struct command *c = &commands[i];
		if (strcmp(argv[1], c->group) == 0 &&
			(c->name == NULL || (argc > 2 && strcmp(argv[2], c->name) == 0)))
			return c;
	}
	return NULL;
}

static void set_command(struct options *o, const struct command *c, char title[64])
{
	snprintf(title, 64, "%s%s%s", c->group, c->name ? " " : "", c->name ? c->name : "");
	*o = (struct options){
		.command = title, .commands = commands, .commands_n = ARRAY_LEN(commands)
	};
}

/* "culver account add --help", "culver account --help", "culver --help" */
static int help_on(int argc, char **argv)
{
	bool any = false;
	for (size_t i = 0; i < ARRAY_LEN(commands) && argc > 1; i++) {
		const struct command *c = &commands[i];
		char title[64];
		struct options o;
		bool this_one = c->name == NULL || argc < 3 || argv[2][0] == '-' ||
				strcmp(argv[2], c->name) == 0;
		if (strcmp(argv[1], c->group) != 0 || !this_one)
			continue;
		set_command(&o, c, title);
		o.args_n = ASK_USAGE;
		printf("%sculver %s: %s\n", any ? "\n" : "", title, c->help);
		c->run(&o);
		any = true;
	}
	if (!any)
		print_help(stdout);
	return EXIT_GOOD;
}

/* Even when the options could not be read, or there is no such command. */
static bool has_json(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--json") == 0)
			return true;
	return false;
}

/* "culver store", "culver store nonsense": those that there are. */
static int no_such_command(int argc, char **argv)
{
	bool any = false;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(argv[1], commands[i].group) != 0)
			continue;
		if (!any && argc > 2)
			fprintf(stderr, "culver: there is no command %s %s\n", argv[1], argv[2]);
		if (!any)
			fprintf(stderr, "usage: culver %s COMMAND [OPTION...] [ARGUMENT...]\n\n",
				argv[1]);
		print_command(stderr, &commands[i]);
		any = true;
	}
	if (!any)
		fprintf(stderr, "culver: there is no command %s; see culver --help\n", argv[1]);
	if (has_json(argc, argv))
		printf("{\"error\":\"%s\",\"text\":\"there is no such command; see culver "
		       "--help\"}\n",
			err_name(ERR_SYNTAX));
	return EXIT_USAGE;
}

/* What a disk had no room for was not said. */
static int flushed(int result)
{
	errno = EIO; /* when an earlier write has failed, and nobody knows of what */
	if (fflush(stdout) == 0 && !ferror(stdout))
		return result;
	fprintf(stderr, "culver: what there was to say could not be written: %s\n",
		strerror(errno));
	return EXIT_FAILED;
}

/* What a command would take no notice of is refused: somebody meant something by it. */
static int look_at_options(const struct command *c, const struct options *o)
{
	char title[64];
	struct options ask;
	AUTO(buf_done)
	struct buf usage;
	buf_init(&usage, USAGE_BYTES);
	set_command(&ask, c, title);
	ask.args_n = ASK_USAGE;
	ask.usage = &usage;
	(void)c->run(&ask);
	return options_fit(o, buf_str(&usage));
}

static int run_command(const struct command *c, int argc, char **argv)
{
	char title[64];
	int words = c->name ? 2 : 1;
	struct options o;
	set_command(&o, c, title);
	/* getopt begins behind its first word, which stands for the program in what it says. */
	char program[] = "culver";
	argv[words] = program;
	if (options_read(&o, argc - words, argv + words) || look_at_options(c, &o)) {
		if (has_json(argc, argv))
			printf("{\"error\":\"%s\",\"text\":\"an option is wrong; see culver %s "
			       "--help\"}\n",
				err_name(ERR_SYNTAX), title);
		return EXIT_USAGE;
	}
	return flushed(c->run(&o));
}

static bool is_one_of(const char *word, const char *a, const char *b)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

/* Standard descriptors that were closed are taken, so that no file and no socket of ours gets their
 * numbers, and with them what is printed or logged. Nothing can be read from them or written to
 * them, as before. */
static void take_standard_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
			open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			return; /* no /dev: then it is as it was */
}

int main(int argc, char **argv)
{
	take_standard_descriptors();
	planted_from_environment();
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "role") == 0)
		return role_main(argc, argv);
	if (strcmp(argv[1], "role-probe") == 0)
		return role_probe_main(argc, argv);
	if (strcmp(argv[1], "takeover-check") == 0)
		return takeover_check_main(argc, argv);
	if (is_one_of(argv[1], "help", "--help"))
		return flushed(help_on(argc - 1, argv + 1));
	for (int i = 1; i < argc; i++)
		if (is_one_of(argv[i], "--help", "-h"))
			return flushed(help_on(argc, argv));
	if (strcmp(argv[1], "--version") == 0) {
		printf("culver %s\n", CULVER_VERSION);
		return flushed(EXIT_GOOD);
	}
	const struct command *c = find_command(argc, argv);
	return c ? run_command(c, argc, argv) : no_such_command(argc, argv);
}
