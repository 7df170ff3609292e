// SPDX-License-Identifier: Apache-2.0
/* culver account: who has mail here. */
#include "cli/cli.h"

#include "api/schemes.h"
#include "base/limits.h"
#include "base/scan.h"
#include "cli/remote.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

struct word {
	const char *name;
	uint32_t value;
};
static const struct word kinds[] = { { "person", ACCOUNT_PERSON }, { "sandbox", ACCOUNT_SANDBOX },
	{ "stream", ACCOUNT_STREAM } };
static const struct word service_words[] = { { "smtp", SERVICE_SMTP }, { "imap", SERVICE_IMAP },
	{ "pop3", SERVICE_POP3 } };
static const struct word retentions[] = { { "client", RETAIN_CLIENT }, { "keep", RETAIN_KEEP },
	{ "delete", RETAIN_DELETE }, { "expire", RETAIN_EXPIRE } };

static const struct word *word_named(const struct word *words, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_equal(name, str_from(words[i].name)))
			return &words[i];
	return NULL;
}

static const char *word_for(const struct word *words, size_t n, uint32_t value)
{
	for (size_t i = 0; i < n; i++)
		if (words[i].value == value)
			return words[i].name;
	return "unknown";
}

/* ---- passwords ---- */

enum { SHORT_PASSWORD_BYTES = 8 };

/* The first line of a descriptor, without its end, be it LF or CRLF: a password with a CR could not
 * be given by LOGIN or PASS. */
static int read_line(int fd, struct buf *out, struct err *err)
{
	char c;
	ssize_t n;
	while ((n = read(fd, &c, 1)) == 1 && c != '\n')
		if (!buf_addc(out, c))
			return fail(err, ERR_SYNTAX, "a password has at most %d bytes",
				LIMIT_PASSWORD_BYTES);
	if (n < 0)
		return fail_errno(err, "cannot read the password");
	if (out->n && out->p[out->n - 1] == '\r')
		buf_truncate(out, out->n - 1);
	return out->n ? 0 : fail(err, ERR_SYNTAX, "the password is empty");
}

/* What nobody sees is typed twice. */
static int read_twice(struct buf *out, struct err *err)
{
	struct buf again;
	buf_init(&again, LIMIT_PASSWORD_BYTES);
	fprintf(stderr, "Password: ");
	int result = read_line(STDIN_FILENO, out, err);
	if (result == 0) {
		fprintf(stderr, "\nThe same again: ");
		result = read_line(STDIN_FILENO, &again, err);
	}
	if (result == 0 && !str_equal(buf_str(out), buf_str(&again)))
		result = fail(err, ERR_SYNTAX, "the second is not the first; nothing was done");
	if (again.p)
		mem_wipe(again.p, again.cap);
	buf_done(&again);
	return result;
}

static int ask_terminal(struct buf *out, struct err *err)
{
	struct termios was, silent;
	if (tcgetattr(STDIN_FILENO, &was) < 0)
		return fail(err, ERR_SYNTAX,
			"no terminal to ask for the password; give it with --password-stdin");
	silent = was;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	int result = read_twice(out, err);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
	fprintf(stderr, "\n");
	return result;
}

static int read_verifier(const struct options *o, struct remote *r, bool legacy_auth,
	struct remote_verifier *ret, struct err *err)
{
	struct buf password;
	buf_init(&password, LIMIT_PASSWORD_BYTES);
	int result = o->password_stdin ? read_line(STDIN_FILENO, &password, err)
				       : ask_terminal(&password, err);
	if (result == 0 && password.n < SHORT_PASSWORD_BYTES)
		fprintf(stderr,
			"culver: warning: a password of less than %d characters is soon "
			"guessed\n",
			SHORT_PASSWORD_BYTES);
	if (result == 0)
		result = remote_make_verifier(
			r, buf_str(&password), str_from(o->args[0]), legacy_auth, ret, err);
	if (password.p)
		mem_wipe(password.p, password.cap);
	buf_done(&password);
	return result;
}

/* ---- values ---- */

int cli_services(const char *text, uint32_t *ret, struct err *err)
{
	struct str rest = str_from(text);
	*ret = 0;
	if (str_equal(rest, STR("none")))
		return 0;
	do {
		struct str name = str_split(&rest, ',');
		const struct word *w = word_named(service_words, ARRAY_LEN(service_words), name);
		if (w == NULL)
			return fail(err, ERR_SYNTAX, "services are smtp,imap,pop3 or none");
		*ret |= w->value;
	} while (rest.n);
	return 0;
}

/* "expire:30" carries its days. */
static int parse_retention(const char *text, struct api_account *a, struct err *err)
{
	struct str days = str_from(text);
	struct str name = str_split(&days, ':');
	const struct word *w = word_named(retentions, ARRAY_LEN(retentions), name);
	struct scan s = scan_from(days);
	uint64_t n = 0;
	bool expires = w && w->value == RETAIN_EXPIRE;
	if (w == NULL || (expires != (days.n > 0)) ||
		(expires && (!scan_number(&s, 36500, &n) || !scan_end(&s) || n == 0)))
		return fail(err, ERR_SYNTAX, "retention is client, keep, delete or expire:DAYS");
	a->pop3_retention = (uint8_t)w->value;
	a->pop3_expire_days = (uint32_t)n;
	return 0;
}

static int parse_kind(const char *text, uint8_t *ret, struct err *err)
{
	const struct word *w = word_named(kinds, ARRAY_LEN(kinds), str_from(text));
	if (w == NULL)
		return fail(err, ERR_SYNTAX, "kind is person, sandbox or stream");
	*ret = (uint8_t)w->value;
	return 0;
}

static int parse_yes(const char *text, const char *option, bool *ret, struct err *err)
{
	*ret = text && strcmp(text, "yes") == 0;
	if (text && !*ret && strcmp(text, "no") != 0)
		return fail(err, ERR_SYNTAX, "%s is yes or no", option);
	return 0;
}

/* The options that were given, as fields and the bits that say which. */
static int parse_fields(
	const struct options *o, struct api_account *a, uint32_t *set, struct err *err)
{
	struct {
		const char *given;
		uint32_t bit;
	} const fields[] = { { o->quota, ACCOUNT_QUOTA_BYTES },
		{ o->messages, ACCOUNT_QUOTA_MESSAGES }, { o->services, ACCOUNT_SERVICES },
		{ o->kind, ACCOUNT_KIND }, { o->retention, ACCOUNT_POP3_RETENTION },
		{ o->active, ACCOUNT_ACTIVE }, { o->legacy_auth, ACCOUNT_LEGACY_AUTH } };
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		*set |= fields[i].given ? fields[i].bit : 0;
	if ((o->quota && cli_size(o->quota, &a->quota_bytes, err)) ||
		(o->messages && cli_count(o->messages, &a->quota_messages, err)) ||
		(o->services && cli_services(o->services, &a->services, err)) ||
		(o->kind && parse_kind(o->kind, &a->kind, err)) ||
		(o->retention && parse_retention(o->retention, a, err)))
		return -1;
	return parse_yes(o->active, "--active", &a->active, err) ||
			       parse_yes(o->legacy_auth, "--legacy-auth", &a->legacy_auth, err)
		       ? -1
		       : 0;
}

/* ---- the commands ---- */

static int with_remote(
	const struct options *o, int (*act)(const struct options *, struct remote *, struct err *))
{
	struct err err = ERR_INIT;
	struct remote *r = remote_open(options_config(o), false, &err);
	int result = r ? act(o, r, &err) : -1;
	remote_close(&r);
	return result ? cli_fail(o, &err) : EXIT_GOOD;
}

static void say_done(const struct options *o, const char *verb)
{
	AUTO(buf_done)
	struct buf out;
	buf_init(&out, 8192);
	json_string(&out, str_from(o->args[0]));
	if (o->json)
		printf("{\"address\":%s,\"done\":\"%s\"}\n", out.p, verb);
	else
		printf("%s %s\n", o->args[0], verb);
}

static int set_fields(const struct options *o, struct remote *r, struct err *err)
{
	struct frame f = { .type = FRAME_ACCOUNT_SET,
		.account_set.account.address = str_from(o->args[0]) };
	if (parse_fields(o, &f.account_set.account, &f.account_set.set, err))
		return -1;
	if (f.account_set.set == 0)
		return fail(err, ERR_SYNTAX, "nothing is to be changed: give an option");
	return remote_ask(r, REMOTE_STORE, &f, NULL, NULL, err);
}

static int add(const struct options *o, struct remote *r, struct err *err)
{
	struct remote_verifier verifier;
	struct api_account fields = { .id = 0 };
	uint32_t set = 0;
	if (parse_fields(o, &fields, &set, err) ||
		read_verifier(o, r, fields.legacy_auth, &verifier, err))
		return -1;
	struct frame f = { .type = FRAME_ACCOUNT_ADD,
		.account_add = { .address = str_from(o->args[0]),
			.verifier = str_from(verifier.text),
			.secrets = remote_secrets(&verifier),
			.legacy_auth = fields.legacy_auth,
			.kind = fields.kind,
			.quota_bytes = fields.quota_bytes,
			.quota_messages = fields.quota_messages,
			.set = set,
			.fields = fields } };
	if (remote_ask(r, REMOTE_STORE, &f, NULL, NULL, err))
		return -1;
	say_done(o, "added");
	return 0;
}

int cmd_account_add(const struct options *o)
{
	if (o->args_n != 1)
		return cli_usage(o,
			"[-c FILE] [--json] [--password-stdin] [--quota SIZE] [--messages N] "
			"[--kind person|sandbox|stream] [--services smtp,imap,pop3] "
			"[--retention client|keep|delete|expire:DAYS] [--legacy-auth yes|no] "
			"ADDRESS");
	return with_remote(o, add);
}

static int set(const struct options *o, struct remote *r, struct err *err)
{
	if (set_fields(o, r, err))
		return -1;
	say_done(o, "changed");
	return 0;
}

int cmd_account_set(const struct options *o)
{
	if (o->args_n != 1)
		return cli_usage(o,
			"[-c FILE] [--json] [--active yes|no] [--quota SIZE] [--messages N] "
			"[--kind person|sandbox|stream] [--services smtp,imap,pop3] [--retention "
			"client|keep|delete|expire:DAYS] "
			"[--legacy-auth yes|no] ADDRESS");
	return with_remote(o, set);
}

static int password(const struct options *o, struct remote *r, struct err *err)
{
	struct remote_verifier verifier;
	if (read_verifier(o, r, false, &verifier, err))
		return -1;
	struct frame f = { .type = FRAME_ACCOUNT_PASSWORD,
		.account_password = { str_from(o->args[0]), str_from(verifier.text),
			remote_secrets(&verifier) } };
	if (remote_ask(r, REMOTE_STORE, &f, NULL, NULL, err))
		return -1;
	say_done(o, "changed");
	return 0;
}

int cmd_account_password(const struct options *o)
{
	if (o->args_n != 1)
		return cli_usage(o, "[-c FILE] [--json] [--password-stdin] ADDRESS");
	return with_remote(o, password);
}

static int remove_account(const struct options *o, struct remote *r, struct err *err)
{
	struct frame f = { .type = FRAME_ACCOUNT_REMOVE,
		.account_remove = { .address = str_from(o->args[0]), .erase = o->erase } };
	if (remote_ask(r, REMOTE_STORE, &f, NULL, NULL, err))
		return -1;
	say_done(o, "removed");
	return 0;
}

int cmd_account_remove(const struct options *o)
{
	if (o->args_n != 1)
		return cli_usage(o, "[-c FILE] [--json] [--erase] ADDRESS");
	return with_remote(o, remove_account);
}

/* ---- list ---- */

struct listing {
	const struct options *o;
	struct buf items; /* JSON */
};

void cli_service_names(uint32_t services, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(service_words); i++)
		if (services & service_words[i].value)
			buf_addf(out, "%s%s", out->n ? "," : "", service_words[i].name);
	if (out->n == 0)
		buf_addz(out, "none");
}

static void print_account(struct listing *l, const struct api_account *a)
{
	AUTO(buf_done)
	struct buf services, address;
	const char *kind = word_for(kinds, ARRAY_LEN(kinds), a->kind);
	const char *retention = word_for(retentions, ARRAY_LEN(retentions), a->pop3_retention);
	buf_init(&services, 64);
	buf_init(&address, 4096);
	cli_service_names(a->services, &services);
	json_string(&address, a->address);
	if (l->o->json)
		buf_addf(&l->items,
			"%s{\"id\":%" PRIu64
			",\"address\":%s,\"kind\":\"%s\",\"active\":%s,\"services\":\"%s\","
			"\"quota_bytes\":%" PRIu64 ",\"quota_messages\":%" PRIu64
			",\"used_bytes\":%" PRIu64 ",\"used_messages\":%" PRIu64
			",\"retention\":\"%s\",\"expire_days\":%u,\"legacy_auth\":%s}",
			l->items.n ? "," : "", a->id, address.p, kind, a->active ? "true" : "false",
			services.p, a->quota_bytes, a->quota_messages, a->used_bytes,
			a->used_messages, retention, a->pop3_expire_days,
			a->legacy_auth ? "true" : "false");
	else
		printf("%-40" STR_FMT " %-8s %-8s %-15s %12" PRIu64 " bytes %8" PRIu64
		       " messages\n",
			STR_ARG(a->address), kind, a->active ? "active" : "inactive", services.p,
			a->used_bytes, a->used_messages);
}

static void print_accounts(void *arg, const struct frame *frame)
{
	struct listing *l = arg;
	for (size_t i = 0; frame->type == FRAME_ACCOUNTS && i < frame->accounts.accounts.n; i++)
		print_account(l, &frame->accounts.accounts.items[i]);
}

static int list(const struct options *o, struct remote *r, struct err *err)
{
	struct frame f = { .type = FRAME_ACCOUNT_LIST };
	struct listing l = { .o = o };
	buf_init(&l.items, CLI_LIST_BYTES);
	int result = remote_ask(r, REMOTE_STORE, &f, print_accounts, &l, err);
	if (result == 0 && o->json)
		result = cli_print_list("[", &l.items, "]", err);
	buf_done(&l.items);
	return result;
}

int cmd_account_list(const struct options *o)
{
	if (o->args_n)
		return cli_usage(o, "[-c FILE] [--json]");
	return with_remote(o, list);
}
