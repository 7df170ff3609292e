/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an administrator types. Each command is a function of the same form in a table (main.c);
 * what they share is here: options, output as text or JSON, exit codes.
 *
 * uses: everything below; used by: main
 */
#ifndef CULVER_CLI_CLI_H
#define CULVER_CLI_CLI_H

#include "base/buf.h"
#include "base/err.h"

#include <stdio.h>

/* Exit codes: fixed, in every manual page. */
enum exit_code {
	EXIT_GOOD = 0,
	EXIT_FAILED = 1,      /* it could not be done; try again or look at the log */
	EXIT_USAGE = 2,       /* the command line makes no sense */
	EXIT_NOT_THERE = 3,   /* no such account, domain, alias */
	EXIT_THERE = 4,       /* it exists already */
	EXIT_BAD_CONFIG = 5,  /* the configuration is wrong */
	EXIT_DAMAGE = 6,      /* damage was found, in the store or in a backup */
	EXIT_NOT_RUNNING = 7, /* status, reload, upgrade: no server runs */
};

struct options;
/* The table of commands (main.c). */
struct command {
	const char *group, *name; /* "account", "add"; the name is NULL for a command of one word */
	int (*run)(const struct options *);
	const char *help;
};

/* As args_n: say your usage (cli_usage), and do nothing. Every command looks at args_n first. */
enum { ASK_USAGE = -1 };

/* What every command takes, and what is left. */
struct options {
	const struct command *commands;
	size_t commands_n;
	struct buf *usage;   /* with ASK_USAGE: where it goes; NULL: standard output */
	const char *command; /* "account add" */
	const char *config_path;
	bool json;
	bool password_stdin, demo, loopback, print_defaults, list, removed, erase, verify, replace,
		repair, rebuild, force, accept_loss, deleted, all, plain;
	const char *dir, *hostname, *domain, *quota, *messages, *services, *kind, *retention,
		*active, *legacy_auth, *label, *catch_all, *since, *mailbox, *keep, *point,
		*account, *uid, *message_id, *into, *format, *password_file, *ca;
	int64_t offset;
	uint64_t given; /* bit n: the option of that row of options.c */
	char **args;
	int args_n;
};

/* Reads options; -1 after having said on stderr what is wrong. */
int options_read(struct options *, int argc, char **argv);
/* Whether a command whose usage this is has all the options that were given (-c and --json are
 * everybody's): -1 after having said which it has not. */
int options_fit(const struct options *, struct str usage);
/* The configuration's path: -c, or $CULVER_CONF, or /etc/culver/culver.conf. */
const char *options_config(const struct options *);

/* Says what went wrong on stderr ("culver account add: ..."; as JSON with --json) and gives the
 * exit code for it. */
int cli_fail(const struct options *, const struct err *);
/* Prints "usage: culver COMMAND text"; the exit code for a wrong command line. The text is the only
 * place where a command's options are named: `--help` and completion are made from it. In it a word
 * that begins with "-" is an option, the next one its value, and "a|b" are choices. */
int cli_usage(const struct options *, const char *text);
/* Whether an option ("--quota", "-c") takes a value. */
bool options_takes_value(struct str name);

/* A quota: "10G", "500M", "1000", or "none", which is 0; at most 2^60. */
int cli_size(const char *text, uint64_t *ret, struct err *err);
/* The same of messages: "10000" or "none". */
int cli_count(const char *text, uint64_t *ret, struct err *err);

/* A time: an age ("90m", "2h", "3d") before now, or a date of UTC ("2026-11-28",
 * "2026-11-28T10:30Z"). Milliseconds since 1970. */
int cli_since(const char *text, int64_t now, int64_t *ret, struct err *err);

/* "smtp,imap,pop3" or "none", as bits of enum service; and back. */
int cli_services(const char *text, uint32_t *ret, struct err *err);
void cli_service_names(uint32_t services, struct buf *out);

/* JSON text of a string, quoted, into out. In text that is no UTF-8 each byte above 127 becomes
 * U+FFFD. */
void json_string(struct buf *out, struct str s);

/* A text that somebody else chose, for a terminal: control characters (U+0080 to U+009F too) and
 * bytes that are no UTF-8 are printed as '?'. */
void cli_print(FILE *to, struct str s);

/* What --json lists comes one by one and is printed when it is whole, between head and tail: so a
 * command that fails has printed nothing before its error. -1: it is too long. */
enum { CLI_LIST_BYTES = 1 << 30 };
int cli_print_list(const char *head, const struct buf *items, const char *tail, struct err *err);

/* A word as a shell reads it, quoted where that is needed: for lines that are to be pasted. */
void cli_shell_word(struct buf *out, struct str word);

int cmd_quickstart(const struct options *);
int cmd_serve(const struct options *);
int cmd_check(const struct options *);
int cmd_status(const struct options *);
int cmd_completion(const struct options *);
int cmd_reload(const struct options *);
int cmd_upgrade(const struct options *);
int cmd_version(const struct options *);
int cmd_account_add(const struct options *);
int cmd_account_list(const struct options *);
int cmd_account_remove(const struct options *);
int cmd_account_password(const struct options *);
int cmd_account_set(const struct options *);
int cmd_account_app_password(const struct options *);
int cmd_account_certificate(const struct options *);
int cmd_account_undelete(const struct options *);
int cmd_account_recount(const struct options *);
int cmd_import(const struct options *);
int cmd_export(const struct options *);
int cmd_domain_add(const struct options *);
int cmd_domain_list(const struct options *);
int cmd_domain_remove(const struct options *);
int cmd_domain_set(const struct options *);
int cmd_alias_add(const struct options *);
int cmd_alias_list(const struct options *);
int cmd_alias_remove(const struct options *);
int cmd_store_check(const struct options *);
/* store check --repair, --rebuild, --accept-loss */
int repair_store(const struct options *);
/* Whether the ledger of a stopped server is whole by itself (ledger_verify), without its store: 0,
 * or -1 (ERR_CORRUPT: it is not; the text says what can be done). */
int repair_verify_ledger(const struct options *, struct err *err);
int cmd_store_backup(const struct options *);
int cmd_store_restore(const struct options *);
int cmd_store_points(const struct options *);
int cmd_store_reclaim(const struct options *);

#endif
