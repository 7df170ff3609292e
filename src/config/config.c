// SPDX-License-Identifier: Apache-2.0
/* The table of keys, and everything that is made from it. */
#include "config/config.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/scan.h"
#include "config/twice.h"
#include "mail/address.h"

#include <arpa/inet.h>
#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum key_type { KEY_TEXT, KEY_DOMAIN, KEY_NUMBER, KEY_BOOL, KEY_LIST };

struct key {
	const char *name;
	enum key_type type;
	size_t offset;
	const char *standard; /* the default, as text */
	int64_t min, max;     /* of a number */
	const char *choices;  /* of a text: "a|b", or NULL */
	unsigned readers;     /* enum config_reader */
	const char *help;
	bool at_start; /* it takes effect at a start; all others at a reload, too */
};

#define AT(field) offsetof(struct config, field)
#define MIB       (1024 * 1024)

static const struct key keys[] = {
	{ "hostname", KEY_DOMAIN, AT(hostname), "localhost", 0, 0, NULL, FOR_ALL,
		"our name in greetings, Received fields and certificates: a domain name" },
	{ "directory", KEY_TEXT, AT(directory), ".", 0, 0, NULL, FOR_SUPERVISOR,
		"where data, keys and the control socket are; relative to this file", true },
	{ "user", KEY_TEXT, AT(user), "culver", 0, 0, NULL, FOR_SUPERVISOR,
		"the user that all roles become when started as root", true },
	{ "listen", KEY_LIST, AT(listen), "0.0.0.0 ::", 0, 0, NULL, FOR_SUPERVISOR,
		"addresses to listen on, up to 15; one that this machine lacks ends the start",
		true },
	{ "port_offset", KEY_NUMBER, AT(port_offset), "0", 0, 60000, NULL, FOR_SUPERVISOR,
		"added to every standard port", true },
	{ "loopback", KEY_BOOL, AT(loopback), "false", 0, 0, NULL, FOR_FRONT,
		"allow passwords without TLS from 127.0.0.0/8 and ::1" },
	{ "message_bytes", KEY_NUMBER, AT(message_bytes), "52428800", 65536, 1024 * MIB, NULL,
		FOR_FRONT | FOR_STORE, "the largest message" },
	{ "recipients", KEY_NUMBER, AT(recipients), "1000", 100, 1000, NULL, FOR_FRONT,
		"most recipients of one message (RFC 5321 4.5.3.1.8: at least 100)" },
	{ "sessions", KEY_NUMBER, AT(sessions), "8000", 10, 100000, NULL, FOR_FRONT,
		"most connections of one front" },
	{ "sessions_per_address", KEY_NUMBER, AT(sessions_per_address), "1000", 1, 100000, NULL,
		FOR_FRONT,
		"most connections of one IPv4 address or IPv6 /64 to one front; not loopback" },
	{ "unknown_server_name", KEY_TEXT, AT(unknown_server_name), "default", 0, 0,
		"default|refuse", FOR_FRONT,
		"what a TLS client gets that names a host that no certificate is for: the default "
		"certificate, or an alert; on port 25 always the default (RFC 7672 8.1)" },
	{ "pop3_login_delay", KEY_NUMBER, AT(pop3_login_delay_s), "0", 0, 86400, NULL,
		FOR_FRONT | FOR_STORE,
		"seconds between two POP3 logins of an account (RFC 2449 6.5); 0 for none" },
	{ "pop3_surrogates", KEY_BOOL, AT(pop3_surrogates), "false", 0, 0, NULL, FOR_FRONT,
		"give POP3 clients that have not said UTF8 header fields in ASCII, as RFC 6856 2.1 "
		"has it; "
		"false: every message as it is stored, to everybody" },
	{ "client_certificates", KEY_BOOL, AT(client_certificates), "false", 0, 0, NULL, FOR_FRONT,
		"ask clients of submission, IMAP and POP3 for a certificate, for AUTH EXTERNAL" },
	{ "submission_plus", KEY_BOOL, AT(submission_plus), "false", 0, 0, NULL, FOR_FRONT,
		"announce SCRAM-SHA-256-PLUS to those who submit mail, too; mutt and neomutt of "
		"2022 and 2023 take it there and then fail for want of a channel binding" },
	{ "imap_hide", KEY_TEXT, AT(imap_hide), "none", 0, 0, NULL, FOR_FRONT,
		"IMAP capabilities that are not announced, apart by blanks, for clients that trip "
		"over them: NAME for everybody, ADDRESS:NAME for one account, id=CLIENT:NAME for "
		"clients that say so of themselves (ID): their name, or name/version, where * "
		"stands for any text, blanks too; who uses one all the same is served" },
	{ "imap_hide_known", KEY_BOOL, AT(imap_hide_known), "true", 0, 0, NULL, FOR_FRONT,
		"hide IMAP capabilities also from clients that are known to trip over them, by "
		"what they say of themselves (docs/clients.md); RFC 2971 3 would have it false" },
	{ "fronts_mx", KEY_NUMBER, AT(fronts_mx), "1", 1, 8, NULL, FOR_SUPERVISOR,
		"processes that serve port 25", true },
	{ "fronts_user", KEY_NUMBER, AT(fronts_user), "1", 1, 8, NULL, FOR_SUPERVISOR,
		"processes that serve submission, IMAP and POP3", true },
	{ "drain_seconds", KEY_NUMBER, AT(drain_seconds), "10", 1, 600, NULL, FOR_SUPERVISOR,
		"how long sessions may take to end at a stop" },
	{ "front_hours", KEY_NUMBER, AT(front_hours), "12", 1, 8760, NULL, FOR_SUPERVISOR,
		"how long a process that serves clients lives; then another takes its place, and "
		"it drains" },
	{ "upgrade_drain_seconds", KEY_NUMBER, AT(upgrade_drain_seconds), "60", 1, 3600, NULL,
		FOR_SUPERVISOR,
		"how long sessions may take to end when their process is replaced" },
	{ "hash_workers", KEY_NUMBER, AT(hash_workers), "2", 2, 64, NULL, FOR_GATE,
		"threads that check passwords; half of them take no suspected guesses", true },
	{ "ticket_hours", KEY_NUMBER, AT(ticket_hours), "72", 1, 720, NULL, FOR_GATE,
		"how long a login lasts at most, for a session that never ends" },
	{ "segment_bytes", KEY_NUMBER, AT(segment_bytes), "268435456", MIB, 1024 * MIB, NULL,
		FOR_STORE, "size at which a file of messages is sealed", true },
	{ "reserve_bytes", KEY_NUMBER, AT(reserve_bytes), "67108864", MIB, 1024 * MIB, NULL,
		FOR_STORE,
		"free space below which new mail is refused, so that deleting still works and "
		"makes room",
		true },
	{ "keep_deleted_days", KEY_NUMBER, AT(keep_deleted_days), "14", 0, 3650, NULL, FOR_STORE,
		"how long deleted messages can be put back by culver account undelete; 0: not at "
		"all" },
	{ "log_file", KEY_TEXT, AT(log_file), "stderr", 0, 0, NULL, FOR_SUPERVISOR,
		"where log lines go: a path, relative to this file, or stderr; opened again at "
		"SIGHUP and SIGUSR1" },
	{ "log_format", KEY_TEXT, AT(log_format), "logfmt", 0, 0, "logfmt|json", FOR_ALL,
		"form of log lines" },
	{ "log_level", KEY_TEXT, AT(log_level), "info", 0, 0, "error|warn|info|debug", FOR_ALL,
		"log lines beyond this level are not written" },
};

static void *field_of(struct config *c, const struct key *k)
{
	return (char *)c + k->offset;
}

static const struct key *key_named(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (str_equal(str_from(keys[i].name), name))
			return &keys[i];
	return NULL;
}

/* ---- setting a value from text ---- */

static bool is_choice(const char *choices, struct str value)
{
	struct str rest = str_from(choices);
	while (rest.n)
		if (str_equal(str_split(&rest, '|'), value))
			return true;
	return false;
}

static int set_text(char **field, const struct key *k, struct str value, struct err *err)
{
	if (k->choices && !is_choice(k->choices, value))
		return fail(err, ERR_CONFIG, "%s must be one of %s", k->name, k->choices);
	if (value.n == 0 || value.n > 1024 || str_has_control(value))
		return fail(err, ERR_CONFIG, "%s must be 1 to 1024 printable characters", k->name);
	free(*field);
	*field = str_dup(value);
	return 0;
}

/* Kept as it goes over the wire: lower case, A-labels. */
static int set_domain(char **field, const struct key *k, struct str value, struct err *err)
{
	AUTO(buf_done)
	struct buf normal;
	buf_init(&normal, LIMIT_DOMAIN_BYTES);
	if (!mail_domain_can_be_ours(value) || !mail_domain_normalize(value, &normal))
		return fail(err, ERR_CONFIG,
			"%s must be a domain name and no IP address: labels of letters, digits and "
			"hyphens with dots between them, the last not of digits alone",
			k->name);
	free(*field);
	*field = str_dup(buf_str(&normal));
	return 0;
}

static int set_number(int64_t *field, const struct key *k, struct str value, struct err *err)
{
	struct scan s = scan_from(value);
	uint64_t n;
	if (!scan_number(&s, INT64_MAX, &n) || !scan_end(&s) || (int64_t)n < k->min ||
		(int64_t)n > k->max)
		return fail(err, ERR_CONFIG, "%s must be a number from %" PRId64 " to %" PRId64,
			k->name, k->min, k->max);
	*field = (int64_t)n;
	return 0;
}

static int set_bool(bool *field, const struct key *k, struct str value, struct err *err)
{
	if (!is_choice("true|false", value))
		return fail(err, ERR_CONFIG, "%s must be true or false", k->name);
	*field = str_equal(value, STR("true"));
	return 0;
}

/* As bytes, so that two spellings of one are one. */
struct address {
	unsigned char bytes[16];
	size_t n;
};

static bool parse_address(const char *text, struct address *ret)
{
	*ret = (struct address){ .n = 16 };
	if (inet_pton(AF_INET6, text, ret->bytes) == 1)
		return true;
	ret->n = 4;
	return inet_pton(AF_INET, text, ret->bytes) == 1;
}

/* What no socket can be bound to, as these are written; NULL: nothing. */
static const char *why_not_listened(const struct address *a)
{
	static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	if (a->n == 16 && memcmp(a->bytes, mapped, sizeof(mapped)) == 0)
		return "is an IPv4 address in IPv6's dress: write it as 192.0.2.1 (RFC 4291 "
		       "2.5.5.2)";
	if (a->n == 16 && a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80)
		return "is good on one link only, and which is not said (RFC 4291 2.5.6)";
	return NULL;
}

static bool is_any(const struct address *a)
{
	static const unsigned char none[16];
	return memcmp(a->bytes, none, a->n) == 0;
}

/* Two sockets of one port: nobody else can have what one has already. */
static int check_pair(const char *before, const char *after, const struct key *k, struct err *err)
{
	struct address a, b;
	if (!parse_address(before, &a) || !parse_address(after, &b) || a.n != b.n)
		return 0;
	if (memcmp(a.bytes, b.bytes, a.n) == 0)
		return fail(err, ERR_CONFIG, "%s: %s is there twice", k->name, after);
	if (is_any(&a) || is_any(&b))
		return fail(err, ERR_CONFIG, "%s: %s is all of IPv%c, %s too: remove one", k->name,
			is_any(&a) ? before : after, a.n == 4 ? '4' : '6',
			is_any(&a) ? after : before);
	return 0;
}

/* field[n] is an address that can be listened on, and beside those before it. */
static int check_address(char *const field[], size_t n, const struct key *k, struct err *err)
{
	struct address this;
	if (!parse_address(field[n], &this))
		return fail(err, ERR_CONFIG, "%s: %.64s is not an IP address", k->name, field[n]);
	const char *why = why_not_listened(&this);
	if (why)
		return fail(err, ERR_CONFIG, "%s: %s %s", k->name, field[n], why);
	for (size_t i = 0; i < n; i++)
		if (check_pair(field[i], field[n], k, err))
			return -1;
	return 0;
}

static int set_list(
	char *field[CONFIG_LISTEN_MAX], const struct key *k, struct str value, struct err *err)
{
	size_t n = 0;
	for (size_t i = 0; i < CONFIG_LISTEN_MAX; i++) {
		free(field[i]);
		field[i] = NULL;
	}
	while (value.n) {
		struct str item = str_split(&value, ' ');
		if (item.n == 0)
			continue;
		if (n == CONFIG_LISTEN_MAX - 1)
			return fail(err, ERR_CONFIG, "%s has more than %d items", k->name,
				CONFIG_LISTEN_MAX - 1);
		field[n++] = str_dup(item);
		if (check_address(field, n - 1, k, err) < 0)
			return -1;
	}
	return n ? 0 : fail(err, ERR_CONFIG, "%s: no address to listen on", k->name);
}

static int set_value(struct config *c, const struct key *k, struct str value, struct err *err)
{
	switch (k->type) {
	case KEY_TEXT:
		return set_text(field_of(c, k), k, value, err);
	case KEY_DOMAIN:
		return set_domain(field_of(c, k), k, value, err);
	case KEY_NUMBER:
		return set_number(field_of(c, k), k, value, err);
	case KEY_BOOL:
		return set_bool(field_of(c, k), k, value, err);
	case KEY_LIST:
		return set_list(field_of(c, k), k, value, err);
	}
	return -1;
}

static void write_value(struct config *c, const struct key *k, struct buf *out)
{
	char **list = field_of(c, k);
	switch (k->type) {
	case KEY_TEXT:
	case KEY_DOMAIN:
		buf_addz(out, *list);
		return;
	case KEY_NUMBER:
		buf_addf(out, "%" PRId64, *(int64_t *)field_of(c, k));
		return;
	case KEY_BOOL:
		buf_addz(out, *(bool *)field_of(c, k) ? "true" : "false");
		return;
	case KEY_LIST:
		for (size_t i = 0; list[i]; i++)
			buf_addf(out, "%s%s", i ? " " : "", list[i]);
		return;
	}
}

/* ---- whole configurations ---- */

struct config *config_new(void)
{
	struct config *c = xmalloc(sizeof(*c));
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		int bad = set_value(c, &keys[i], str_from(keys[i].standard), NULL);
		if (bad)
			abort(); /* a default outside its own range: a bug in the table */
	}
	return c;
}

void config_free(struct config **config)
{
	struct config *c = *config;
	if (c == NULL)
		return;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		char **text = field_of(c, &keys[i]);
		if (keys[i].type == KEY_TEXT || keys[i].type == KEY_DOMAIN)
			free(*text);
		for (size_t n = 0; keys[i].type == KEY_LIST && text[n]; n++)
			free(text[n]);
	}
	free(c);
	*config = NULL;
}

void config_write_for(const struct config *config, enum config_reader reader, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (!(keys[i].readers & reader))
			continue;
		buf_addf(out, "%s ", keys[i].name);
		write_value((struct config *)(uintptr_t)config, &keys[i], out);
		buf_addc(out, '\n');
	}
}

int config_read_lines(struct config *c, struct str lines, struct err *err)
{
	while (lines.n) {
		struct str line = str_split(&lines, '\n');
		struct str name = str_split(&line, ' ');
		const struct key *k = key_named(name);
		if (k == NULL)
			return fail(err, ERR_CONFIG, "unknown key %" STR_FMT, STR_ARG(name));
		if (set_value(c, k, line, err))
			return -1;
	}
	return 0;
}

/* Values as text, so that one comparison does for all types. */
static bool is_same(struct config *a, struct config *b, const struct key *k)
{
	AUTO(buf_done)
	struct buf one;
	AUTO(buf_done)
	struct buf other;
	buf_init(&one, 16384);
	buf_init(&other, 16384);
	write_value(a, k, &one);
	write_value(b, k, &other);
	return str_equal(buf_str(&one), buf_str(&other));
}

void config_keep_for_start(
	struct config *fresh, const struct config *in_force, struct buf *ret_keys)
{
	struct config *old = (struct config *)(uintptr_t)in_force;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		AUTO(buf_done)
		struct buf value;
		buf_init(&value, 16384);
		if (!keys[i].at_start || is_same(fresh, old, &keys[i]))
			continue;
		buf_addf(ret_keys, "%s%s", ret_keys->n ? " " : "", keys[i].name);
		write_value(old, &keys[i], &value);
		if (set_value(fresh, &keys[i], buf_str(&value), NULL))
			abort(); /* what is in force was checked when it was read */
	}
}

/* ---- the file ---- */

/* libconfuse hands no argument to its callbacks, so what it complains about is kept in an option
 * of its own, under a name that no file can spell. */
#define ERROR_OPTION "error text"

static PRINTF_LIKE(2, 0) void keep_error(cfg_t *cfg, const char *format, va_list args)
{
	char text[200];
	cfg_opt_t *opt = cfg_getopt(cfg, ERROR_OPTION);
	vsnprintf(text, sizeof(text), format, args);
	if (opt && *opt->simple_value.string == NULL)
		*opt->simple_value.string = xstrdup(text);
}

/* One value as text, whatever its type: lists are joined by blanks. */
static void option_text(cfg_opt_t *opt, struct buf *out)
{
	for (unsigned i = 0; i < cfg_opt_size(opt); i++) {
		const char *item = cfg_opt_getnstr(opt, i);
		buf_addf(out, "%s%s", i ? " " : "", item ? item : "");
	}
}

/* Called as each value is read, so that libconfuse can name the line. */
static int validate(cfg_t *cfg, cfg_opt_t *opt)
{
	AUTO(config_free)
	struct config *scratch = config_new();
	AUTO(buf_done)
	struct buf text;
	struct err err = ERR_INIT;
	const struct key *k = key_named(str_from(cfg_opt_name(opt)));
	buf_init(&text, 16384);
	option_text(opt, &text);
	if (k && set_value(scratch, k, buf_str(&text), &err)) {
		cfg_error(cfg, "%s", err.public_text);
		return -1;
	}
	return 0;
}

static void describe_keys(cfg_opt_t opts[], char **error_text)
{
	size_t n = ARRAY_LEN(keys);
	for (size_t i = 0; i < n; i++)
		opts[i] = keys[i].type == KEY_LIST
				  ? (cfg_opt_t)CFG_STR_LIST(keys[i].name, NULL, CFGF_NODEFAULT)
				  : (cfg_opt_t)CFG_STR(keys[i].name, NULL, CFGF_NODEFAULT);
	opts[n] = (cfg_opt_t)CFG_SIMPLE_STR(ERROR_OPTION, error_text);
	opts[n + 1] = (cfg_opt_t)CFG_END();
}

static int take_values(struct config *c, cfg_t *cfg, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		cfg_opt_t *opt = cfg_getopt(cfg, keys[i].name);
		AUTO(buf_done)
		struct buf text;
		buf_init(&text, 16384);
		bool is_empty_list = opt && (opt->flags & CFGF_MODIFIED) && cfg_opt_size(opt) == 0;
		if (opt == NULL || (cfg_opt_size(opt) == 0 && !is_empty_list))
			continue;
		option_text(opt, &text);
		if (set_value(c, &keys[i], buf_str(&text), err))
			return -1;
	}
	return 0;
}

/* A relative directory is relative to the file that names it. */
static int make_absolute(struct config *c, const char *path, struct err *err)
{
	AUTO(mem_free_p)
	char *copy = xstrdup(path);
	char real[PATH_MAX], joined[2 * PATH_MAX];
	bool absolute = c->directory[0] == '/';
	snprintf(joined, sizeof(joined), "%s/%s", absolute ? "" : dirname(copy), c->directory);
	if (realpath(joined, real) == NULL)
		return fail(err, ERR_CONFIG, "%s: directory %s: %s", path,
			absolute ? c->directory : joined, strerror(errno));
	free(c->directory);
	c->directory = xstrdup(real);
	return 0;
}

/* A log file, too: where the server was started from says nothing. */
static int make_log_absolute(struct config *c, const char *path, struct err *err)
{
	AUTO(mem_free_p)
	char *copy = xstrdup(path);
	char real[PATH_MAX], joined[2 * PATH_MAX];
	if (c->log_file[0] == '/' || strcmp(c->log_file, "stderr") == 0)
		return 0;
	if (realpath(dirname(copy), real) == NULL)
		return fail(
			err, ERR_CONFIG, "%s: log_file %s: %s", path, c->log_file, strerror(errno));
	snprintf(joined, sizeof(joined), "%s/%s", real, c->log_file);
	free(c->log_file);
	c->log_file = xstrdup(joined);
	return 0;
}

static int read_regular(int fd, struct buf *out, struct err *err)
{
	struct stat s;
	char part[4096];
	ssize_t n = 1;
	if (fstat(fd, &s) == 0 && S_ISDIR(s.st_mode))
		return fail(err, ERR_CONFIG, "%s", strerror(EISDIR));
	if (!S_ISREG(s.st_mode))
		return fail(err, ERR_CONFIG, "it is no regular file");
	while (n > 0) {
		do
			n = read(fd, part, sizeof(part));
		while (n < 0 && errno == EINTR);
		if (n > 0 && !buf_add(out, part, (size_t)n))
			return fail(err, ERR_CONFIG, "it has more than %zu bytes", out->max);
	}
	return n < 0 ? fail(err, ERR_CONFIG, "%s", strerror(errno)) : 0;
}

int config_read_file(const char *path, struct buf *out, struct err *err)
{
	struct stat s;
	/* O_NONBLOCK: a pipe that nobody writes to would be waited for. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT && lstat(path, &s) == 0)
		return fail(err, ERR_CONFIG, "it is a link that leads nowhere");
	if (fd < 0)
		return fail(
			err, errno == ENOENT ? ERR_NOT_FOUND : ERR_CONFIG, "%s", strerror(errno));
	int result = read_regular(fd, out, err);
	close(fd);
	return result;
}

/* libconfuse's scanner ends the process when it can't read, so it never reads a file. */
static int load(struct config *c, cfg_t *cfg, const char *path, char **error_text, struct err *err)
{
	AUTO(buf_done)
	struct buf text;
	struct err why = ERR_INIT;
	buf_init(&text, LIMIT_CONFIG_BYTES + 1);
	if (config_read_file(path, &text, &why))
		return fail(err, ERR_CONFIG, "%s: %s%s", path, why.public_text,
			why.kind == ERR_NOT_FOUND ? " (make one with: culver quickstart)" : "");
	if (text.n > LIMIT_CONFIG_BYTES)
		return fail(err, ERR_CONFIG, "%s: too long for a configuration", path);
	if (str_find(buf_str(&text), '\0') < text.n || !buf_addc(&text, 0))
		return fail(err, ERR_CONFIG, "%s: there is a NUL in it", path);
	config_blank(text.p, text.n - 1);
	int result = cfg_parse_buf(cfg, text.p);
	if (result != CFG_SUCCESS)
		return fail(err, ERR_CONFIG, "%s:%d: %s", path, cfg->line,
			*error_text ? *error_text : "syntax error");
	struct config_twice twice;
	if (config_find_twice(str_make(text.p, text.n - 1), &twice))
		return fail(err, ERR_CONFIG,
			"%s:%d: %" STR_FMT " is given twice, first in line %d: remove one", path,
			twice.second, STR_ARG(twice.name), twice.first);
	if (take_values(c, cfg, &why))
		return fail(err, ERR_CONFIG, "%s: %s", path, err_log_text(&why));
	return make_absolute(c, path, err) || make_log_absolute(c, path, err) ? -1 : 0;
}

struct config *config_load(const char *path, struct err *err)
{
	cfg_opt_t opts[ARRAY_LEN(keys) + 2];
	char *error_text = NULL;
	describe_keys(opts, &error_text);
	cfg_t *cfg = cfg_init(opts, CFGF_NONE);
	if (cfg == NULL) {
		fail_errno(err, "cannot read %s", path);
		return NULL;
	}
	cfg_set_error_function(cfg, keep_error);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		cfg_set_validate_func(cfg, keys[i].name, validate);
	struct config *c = config_new();
	if (load(c, cfg, path, &error_text, err))
		config_free(&c);
	cfg_free(cfg);
	free(error_text);
	return c;
}

/* `directory = "D"`, in quotes or not. */
static struct str directory_of(struct str text)
{
	while (text.n) {
		struct scan s = scan_from(str_trim(str_split(&text, '\n')));
		if (!scan_literal_nocase(&s, STR("directory")))
			continue;
		struct str value = str_trim(scan_rest(&s));
		if (value.n < 2 || value.p[0] != '=')
			continue;
		value = str_trim(str_from_offset(value, 1));
		if (value.n > 1 && (value.p[0] == '"' || value.p[0] == '\''))
			value = str_sub(value, 1, str_find(str_from_offset(value, 1), value.p[0]));
		return value;
	}
	return STR_NONE;
}

struct config *config_load_directory(const char *path)
{
	AUTO(buf_done)
	struct buf text;
	buf_init(&text, LIMIT_CONFIG_BYTES);
	if (config_read_file(path, &text, NULL) || !buf_addc(&text, 0))
		return NULL;
	config_blank(text.p, text.n - 1);
	struct config *c = config_new();
	struct str value = directory_of(str_make(text.p, text.n - 1));
	if ((value.n > 0 && set_value(c, key_named(STR("directory")), value, NULL)) ||
		make_absolute(c, path, NULL))
		config_free(&c);
	return c;
}

/* ---- help ---- */

static void print_range(const struct key *k, struct buf *out)
{
	if (k->type == KEY_NUMBER)
		buf_addf(out, "%" PRId64 " to %" PRId64, k->min, k->max);
	else if (k->choices)
		buf_addz(out, k->choices);
}

static void print_mdoc(const struct key *k, struct buf *out)
{
	bool ranged = k->type == KEY_NUMBER || k->choices;
	buf_addf(out, ".It Ic %s\n%s.\nDefault:\n.Ql \\&%s %s\n", k->name, k->help, k->standard,
		ranged ? ";" : ".");
	print_range(k, out);
	buf_addz(out, ranged ? ".\n" : "");
	if (k->at_start)
		buf_addz(out, "Takes effect at the next start.\n");
}

static void print_plain(const struct key *k, struct buf *out)
{
	bool ranged = k->type == KEY_NUMBER || k->choices;
	buf_addf(out, "# %s%s", k->help, ranged ? ": " : "");
	print_range(k, out);
	buf_addz(out, k->at_start ? " (at the next start)" : "");
	buf_addf(out, "\n%s = \"%s\"\n", k->name, k->standard);
}

/* In no text of the table is a quote, a backslash or a control character (config_test.c). */
static void print_json(const struct key *k, struct buf *out)
{
	buf_addf(out, "%s{\"key\":\"%s\",\"default\":\"%s\",\"help\":\"%s\"",
		k == keys ? "[" : ",\n", k->name, k->standard, k->help);
	if (k->type == KEY_NUMBER)
		buf_addf(out, ",\"min\":%" PRId64 ",\"max\":%" PRId64, k->min, k->max);
	if (k->choices)
		buf_addf(out, ",\"choices\":\"%s\"", k->choices);
	buf_addf(out, ",\"at_start\":%s}%s", k->at_start ? "true" : "false",
		k == &keys[ARRAY_LEN(keys) - 1] ? "]\n" : "");
}

void config_print_defaults(struct buf *out, enum config_form form)
{
	static void (*const print[])(const struct key *, struct buf *) = {
		[CONFIG_PLAIN] = print_plain, [CONFIG_MDOC] = print_mdoc, [CONFIG_JSON] = print_json
	};
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		print[form](&keys[i], out);
}
