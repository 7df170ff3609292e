// SPDX-License-Identifier: Apache-2.0
/* Options and what commands say when they fail. */
#include "cli/cli.h"

#include "base/scan.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { OPT_FIRST = 256 };

/* Every option of every command. */
static const struct {
	const char *name;
	int has_argument;
	size_t offset;
} table[] = {
	{ "config", required_argument, offsetof(struct options, config_path) },
	{ "dir", required_argument, offsetof(struct options, dir) },
	{ "hostname", required_argument, offsetof(struct options, hostname) },
	{ "domain", required_argument, offsetof(struct options, domain) },
	{ "offset", required_argument, offsetof(struct options, offset) },
	{ "quota", required_argument, offsetof(struct options, quota) },
	{ "messages", required_argument, offsetof(struct options, messages) },
	{ "services", required_argument, offsetof(struct options, services) },
	{ "kind", required_argument, offsetof(struct options, kind) },
	{ "retention", required_argument, offsetof(struct options, retention) },
	{ "active", required_argument, offsetof(struct options, active) },
	{ "legacy-auth", required_argument, offsetof(struct options, legacy_auth) },
	{ "label", required_argument, offsetof(struct options, label) },
	{ "catch-all", required_argument, offsetof(struct options, catch_all) },
	{ "since", required_argument, offsetof(struct options, since) },
	{ "mailbox", required_argument, offsetof(struct options, mailbox) },
	{ "keep", required_argument, offsetof(struct options, keep) },
	{ "point", required_argument, offsetof(struct options, point) },
	{ "account", required_argument, offsetof(struct options, account) },
	{ "uid", required_argument, offsetof(struct options, uid) },
	{ "message-id", required_argument, offsetof(struct options, message_id) },
	{ "into", required_argument, offsetof(struct options, into) },
	{ "format", required_argument, offsetof(struct options, format) },
	{ "password-file", required_argument, offsetof(struct options, password_file) },
	{ "ca", required_argument, offsetof(struct options, ca) },
	{ "plain", no_argument, offsetof(struct options, plain) },
	{ "repair", no_argument, offsetof(struct options, repair) },
	{ "rebuild", no_argument, offsetof(struct options, rebuild) },
	{ "force", no_argument, offsetof(struct options, force) },
	{ "accept-loss", no_argument, offsetof(struct options, accept_loss) },
	{ "replace", no_argument, offsetof(struct options, replace) },
	{ "verify", no_argument, offsetof(struct options, verify) },
	{ "json", no_argument, offsetof(struct options, json) },
	{ "password-stdin", no_argument, offsetof(struct options, password_stdin) },
	{ "demo", no_argument, offsetof(struct options, demo) },
	{ "loopback", no_argument, offsetof(struct options, loopback) },
	{ "print-defaults", no_argument, offsetof(struct options, print_defaults) },
	{ "list", no_argument, offsetof(struct options, list) },
	{ "removed", no_argument, offsetof(struct options, removed) },
	{ "erase", no_argument, offsetof(struct options, erase) },
	{ "deleted", no_argument, offsetof(struct options, deleted) },
	{ "all", no_argument, offsetof(struct options, all) },
};

_Static_assert(ARRAY_LEN(table) <= 64, "a bit for each");

static int set_option(struct options *o, size_t i)
{
	char *field = (char *)o + table[i].offset;
	uint64_t n;
	o->given |= (uint64_t)1 << i;
	if (table[i].has_argument == no_argument) {
		*(bool *)field = true;
		return 0;
	}
	if (table[i].offset != offsetof(struct options, offset)) {
		memcpy(field, &optarg, sizeof(optarg));
		return 0;
	}
	struct scan s = scan_from(str_from(optarg));
	if (!scan_number(&s, 60000, &n) || !scan_end(&s)) {
		fprintf(stderr, "culver: --offset is a number from 0 to 60000\n");
		return -1;
	}
	o->offset = (int64_t)n;
	return 0;
}

int options_read(struct options *o, int argc, char **argv)
{
	struct option longs[ARRAY_LEN(table) + 1] = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		int value = OPT_FIRST + (int)i;
		longs[i] = (struct option){ table[i].name, table[i].has_argument, NULL, value };
	}
	optind = 1;
	for (int c; (c = getopt_long(argc, argv, "c:", longs, NULL)) != -1;) {
		if (c == 'c')
			o->config_path = optarg;
		else if (c < OPT_FIRST || set_option(o, (size_t)(c - OPT_FIRST)))
			return -1; /* getopt has said why */
	}
	o->args = argv + optind;
	o->args_n = argc - optind;
	return 0;
}

/* As a word: --re is not named by --repair. */
static bool names(struct str usage, const char *option)
{
	char word[40];
	snprintf(word, sizeof(word), "--%s", option);
	size_t length = strlen(word);
	for (size_t at; (at = str_search(usage, str_from(word))) != usage.n;) {
		usage = str_from_offset(usage, at + length);
		if (usage.n == 0 || !(abnf_is_alnum(usage.p[0]) || usage.p[0] == '-'))
			return true;
	}
	return false;
}

int options_fit(const struct options *o, struct str usage)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		bool for_all = table[i].offset == offsetof(struct options, config_path) ||
			       table[i].offset == offsetof(struct options, json);
		if (for_all || !(o->given >> i & 1) || names(usage, table[i].name))
			continue;
		fprintf(stderr, "culver: %s has no option --%s; see culver %s --help\n", o->command,
			table[i].name, o->command);
		return -1;
	}
	return 0;
}

bool options_takes_value(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (str_starts(name, STR("--")) &&
			str_equal(str_from_offset(name, 2), str_from(table[i].name)))
			return table[i].has_argument != no_argument;
	return str_equal(name, STR("-c"));
}

const char *options_config(const struct options *o)
{
	const char *env = getenv("CULVER_CONF");
	if (o->config_path)
		return o->config_path;
	return env && env[0] ? env : "/etc/culver/culver.conf";
}

/* ---- saying what went wrong ---- */

static enum exit_code exit_code_for(enum err_kind kind)
{
	switch ((int)kind) {
	case ERR_SYNTAX:
		return EXIT_USAGE;
	case ERR_NOT_FOUND:
		return EXIT_NOT_THERE;
	case ERR_EXISTS:
		return EXIT_THERE;
	case ERR_CONFIG:
		return EXIT_BAD_CONFIG;
	case ERR_CORRUPT:
		return EXIT_DAMAGE;
	default:
		return EXIT_FAILED;
	}
}

int cli_fail(const struct options *o, const struct err *err)
{
	const char *text = err_log_text(err);
	if (text[0] == '\0')
		text = err_sentence(err->kind);
	if (o->json) {
		AUTO(buf_done)
		struct buf out;
		buf_init(&out, 8192);
		json_string(&out, str_from(text));
		printf("{\"error\":\"%s\",\"text\":%s}\n", err_name(err->kind), out.p);
	}
	fprintf(stderr, "culver %s: %s\n", o->command, text);
	return (int)exit_code_for(err->kind);
}

int cli_print_list(const char *head, const struct buf *items, const char *tail, struct err *err)
{
	if (items->full)
		return fail(err, ERR_LIMIT, "the list is too long");
	printf("%s%" STR_FMT "%s\n", head, STR_ARG(buf_str(items)), tail);
	return 0;
}

static void usage_json(const struct options *o, const char *text)
{
	AUTO(buf_done)
	struct buf said;
	AUTO(buf_done)
	struct buf out;
	buf_init(&said, 8192);
	buf_init(&out, 2 * 8192);
	buf_addf(&said, "usage: culver %s %s", o->command, text);
	json_string(&out, buf_str(&said));
	printf("{\"error\":\"%s\",\"text\":%s}\n", err_name(ERR_SYNTAX), out.p);
}

int cli_usage(const struct options *o, const char *text)
{
	if (o->args_n == ASK_USAGE && o->usage) {
		buf_addz(o->usage, text);
		return EXIT_GOOD;
	}
	if (o->json && o->args_n != ASK_USAGE)
		usage_json(o, text);
	fprintf(o->args_n == ASK_USAGE ? stdout : stderr, "usage: culver %s %s\n", o->command,
		text);
	return o->args_n == ASK_USAGE ? EXIT_GOOD : EXIT_USAGE;
}

void json_string(struct buf *out, struct str s)
{
	bool utf8 = str_is_utf8(s);
	buf_addc(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (c == '"' || c == '\\')
			buf_addf(out, "\\%c", c);
		else if (abnf_is_ctl(c))
			buf_addf(out, "\\u%04x", (unsigned char)c);
		else if (abnf_is_8bit(c) && !utf8)
			buf_addz(out, "\xef\xbf\xbd");
		else
			buf_addc(out, c);
	}
	buf_addc(out, '"');
}

void cli_print(FILE *to, struct str s)
{
	while (s.n) {
		size_t n = str_utf8_sequence(s);
		bool c1 = n == 2 && s.p[0] == '\xc2' && (uint8_t)s.p[1] < 0xa0;
		if (n == 0 || c1 || abnf_is_ctl(s.p[0]))
			fputc('?', to);
		else
			fwrite(s.p, 1, n, to);
		s = str_from_offset(s, n ? n : 1);
	}
}

static bool is_plain_in_shells(char c)
{
	return abnf_is_alnum(c) || strchr("/._-+,:@%", c) != NULL;
}

void cli_shell_word(struct buf *out, struct str word)
{
	struct scan s = scan_from(word);
	if (word.n > 0 && scan_while(&s, is_plain_in_shells).n == word.n) {
		buf_adds(out, word);
		return;
	}
	buf_addc(out, '\'');
	for (size_t i = 0; i < word.n; i++)
		if (word.p[i] == '\'')
			buf_addz(out, "'\\''");
		else
			buf_addc(out, word.p[i]);
	buf_addc(out, '\'');
}

enum { MOST_LOG = 60 }; /* 2^60 bytes, or messages */

int cli_count(const char *text, uint64_t *ret, struct err *err)
{
	struct scan s = scan_from(str_from(text));
	uint64_t n = 0;
	*ret = 0;
	if (strcmp(text, "none") == 0)
		return 0;
	if (!scan_number(&s, (uint64_t)1 << MOST_LOG, &n) || !scan_end(&s) || n == 0)
		return fail(
			err, ERR_SYNTAX, "%s is no number of messages; try 10000 or none", text);
	*ret = n;
	return 0;
}

int cli_size(const char *text, uint64_t *ret, struct err *err)
{
	static const char units[] = "KMGT";
	const uint64_t most = (uint64_t)1 << MOST_LOG;
	struct scan s = scan_from(str_from(text));
	uint64_t n, factor = 1, unit = 1;
	*ret = 0;
	if (strcmp(text, "none") == 0)
		return 0;
	bool good = scan_number(&s, most, &n);
	for (size_t i = 0; good && units[i]; i++) {
		unit *= 1024;
		if (scan_char(&s, units[i])) {
			factor = unit;
			break;
		}
	}
	if (!good || !scan_end(&s) || n == 0 || n > most / factor)
		return fail(err, ERR_SYNTAX, "%s is no size; try 500M, 10G or none", text);
	*ret = n * factor;
	return 0;
}
