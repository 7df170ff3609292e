// SPDX-License-Identifier: Apache-2.0
/* culver import: mail of other servers, from Maildirs, mboxes, or themselves by IMAP, into accounts
 * that there are. */
#include "cli/import.h"

#include "base/limits.h"
#include "base/scan.h"
#include "config/config.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct totals {
	uint64_t imported, there, left_out, mailboxes;
	uint64_t failed; /* servers that could not be read, or not to the end */
};

struct source_path {
	const char *path;
	int file;
	struct stat st;
};

/* A Maildir, an mbox, or a directory of these: what it is shows. */
static int read_path(struct importer *im, void *arg, struct err *err)
{
	const struct source_path *p = arg;
	int cur = import_open_directory(p->file, "cur");
	if (cur >= 0)
		close(cur);
	if (S_ISREG(p->st.st_mode))
		return import_mbox(im, p->file, STR("INBOX"), err);
	if (cur >= 0)
		return import_maildir(im, p->file, err);
	if (!S_ISDIR(p->st.st_mode))
		return fail(err, ERR_SYNTAX, "%s is neither a Maildir nor an mbox", p->path);
	if (import_mboxes(im, p->file, err) < 0)
		return -1;
	if (im->mailboxes == 0 && im->left_out == 0)
		return fail(err, ERR_NOT_FOUND,
			"%s is no Maildir (there is no cur in it), and no mbox is in it", p->path);
	return 0;
}

static int import_path(struct importer *im, const char *path, struct err *err)
{
	struct source_path p = { .path = path,
		.file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) };
	if (p.file < 0 || fstat(p.file, &p.st) < 0) {
		if (p.file >= 0)
			close(p.file);
		return fail_errno(err, "%s can't be read", path);
	}
	int rc = importer_read(im, read_path, &p, err);
	close(p.file);
	return rc;
}

/* ---- servers ---- */

enum { PASSWORDS_BYTES = 1 << 20 };

/* Of servers, in the order of the command line: a line for each, or one for all. */
struct passwords {
	struct buf text;
	struct str rest;
	struct str only; /* of one line */
};

static int read_passwords(const struct options *o, struct passwords *p, struct err *err)
{
	ssize_t n = 0;
	char *room = NULL;
	int file = o->password_file ? open(o->password_file, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	buf_init(&p->text, PASSWORDS_BYTES);
	if (!o->password_file && !o->password_stdin)
		return 0;
	if (file < 0)
		return fail_errno(err, "%s can't be read", o->password_file);
	while ((room = buf_reserve(&p->text, 4096)) && (n = read(file, room, 4096)) > 0)
		buf_used(&p->text, (size_t)n);
	if (o->password_file)
		close(file);
	if (n < 0 || room == NULL)
		return fail(err, ERR_SYNTAX, "the passwords can't be read, or are too long");
	p->rest = buf_str(&p->text);
	struct str all = str_chomp(p->rest);
	p->only = str_find(all, '\n') == all.n ? all : STR_NONE;
	return 0;
}

static void forget_passwords(struct passwords *p)
{
	if (p->text.p)
		mem_wipe(p->text.p, p->text.cap);
	buf_done(&p->text);
}

static int next_password(struct passwords *p, struct str *ret, struct err *err)
{
	*ret = p->only.n ? p->only : str_chomp(str_split(&p->rest, '\n'));
	return ret->n ? 0
		      : fail(err, ERR_SYNTAX,
				"there is no password for this server (--password-file, "
				"--password-stdin: a line for each)");
}

/* What "%41" stands for. False: it makes no sense. */
static bool decode(struct str in, struct buf *out)
{
	uint8_t byte;
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] != '%') {
			(void)buf_addc(out, in.p[i]);
			continue;
		}
		if (i + 2 >= in.n || !abnf_hex_bytes(str_sub(in, i + 1, 2), &byte, 1) || byte == 0)
			return false;
		(void)buf_addc(out, (char)byte);
		i += 2;
	}
	return !out->full;
}

/* host [":" port] ["/"]; an IPv6 address in brackets. */
static bool read_host(struct str s, struct remote_server *ret)
{
	uint64_t port = ret->port;
	struct scan scan = scan_from(s);
	bool good;
	if (scan_char(&scan, '[')) {
		good = scan_until(&scan, ']', &ret->host) && scan_char(&scan, ']');
	} else {
		size_t end = str_find(s, ':');
		end = end < s.n ? end : str_find(s, '/');
		good = scan_bytes(&scan, end, &ret->host);
	}
	if (good && scan_char(&scan, ':'))
		good = scan_number(&scan, UINT16_MAX, &port) && port > 0;
	(void)scan_char(&scan, '/');
	ret->port = (uint16_t)port;
	return good && ret->host.n && scan_end(&scan);
}

static bool is_server(const char *path)
{
	struct str s = str_from(path);
	return str_starts_nocase(s, STR("imap://")) || str_starts_nocase(s, STR("imaps://"));
}

/* imapurl, of which a server alone: "imap" ["s"] "://" [user "@"] host …   RFC 5092 7 */
static int read_server(const struct options *o, const char *address, const char *path,
	struct buf *user, struct remote_server *ret, struct err *err)
{
	struct str rest = str_from(path);
	bool tls = str_starts_nocase(rest, STR("imaps"));
	rest = str_from_offset(rest, tls ? 8 : 7);
	size_t at = str_find_last(rest, '@');
	*ret = (struct remote_server){ .port = tls ? 993 : 143,
		.security = tls        ? REMOTE_TLS
			    : o->plain ? REMOTE_PLAIN
				       : REMOTE_STARTTLS,
		.ca = o->ca };
	bool good = true;
	/* Others see a command line: the error does not repeat it either. */
	if (at < rest.n && str_find(str_sub(rest, 0, at), ':') < at)
		return fail(err, ERR_SYNTAX,
			"no password is taken from a URL (--password-file, --password-stdin); a "
			"\":\" of USER is %%3A");
	if (at < rest.n)
		good = decode(str_sub(rest, 0, at), user);
	else
		(void)buf_addz(user, address);
	if (!good || !read_host(str_from_offset(rest, at < rest.n ? at + 1 : 0), ret))
		return fail(err, ERR_SYNTAX, "%s is no imap://USER@HOST:PORT or imaps://…", path);
	ret->user = buf_str(user);
	return 0;
}

static int import_server(struct importer *im, const char *address, const char *path,
	struct passwords *passwords, struct err *err)
{
	AUTO(buf_done)
	struct buf user;
	struct remote_server server;
	buf_init(&user, LIMIT_IMAP_CLIENT_SECRET_BYTES);
	if (read_server(im->o, address, path, &user, &server, err) < 0 ||
		next_password(passwords, &server.password, err) < 0)
		return -1;
	server.most_bytes = im->most_bytes;
	return import_imap(im, &server, err);
}

/* ---- the command ---- */

static int import_one(const struct options *o, struct remote *remote, uint64_t most_bytes,
	char *const *pair, bool more, struct passwords *passwords, struct totals *totals,
	struct err *err)
{
	struct importer im = { .o = o, .remote = remote, .most_bytes = most_bytes };
	int rc = importer_begin(&im, str_from(pair[0]), err);
	if (rc == 0)
		rc = is_server(pair[1]) ? import_server(&im, pair[0], pair[1], passwords, err)
					: import_path(&im, pair[1], err);
	if (rc == 0)
		rc = importer_end(&im, err);
	else
		importer_abandon(&im);
	/* The next server may be better. */
	if (rc < 0 && is_server(pair[1]) && err->kind != ERR_SYNTAX && err->kind != ERR_CONFIG &&
		more) {
		(void)cli_fail(o, err);
		*err = (struct err)ERR_INIT;
		totals->failed++;
		rc = 0;
	}
	if (!o->json)
		printf("%s: %" PRIu64 " messages imported into %" PRIu64 " mailboxes, %" PRIu64
		       " were there already, %" PRIu64 " left out\n",
			pair[0], im.imported, im.mailboxes, im.there, im.left_out);
	totals->imported += im.imported;
	totals->there += im.there;
	totals->left_out += im.left_out;
	totals->mailboxes += im.mailboxes;
	importer_done(&im);
	return rc;
}

int cmd_import(const struct options *o)
{
	struct err err = ERR_INIT;
	struct totals totals = { 0 };
	if (o->args_n < 2 || o->args_n % 2)
		return cli_usage(o,
			"[-c FILE] [--into NAME] [--password-file FILE] [--password-stdin] "
			"[--ca FILE] [--plain] [--json] ADDRESS PATH|URL [ADDRESS PATH|URL ...]");
	AUTO(config_free)
	struct config *config = config_load(options_config(o), &err);
	if (config == NULL)
		return cli_fail(o, &err);
	AUTO(remote_close)
	struct remote *remote = remote_open(options_config(o), false, &err);
	AUTO(forget_passwords)
	struct passwords passwords = { 0 };
	int rc = remote ? read_passwords(o, &passwords, &err) : -1;
	for (int i = 0; rc == 0 && i < o->args_n; i += 2)
		rc = import_one(o, remote, (uint64_t)config->message_bytes, &o->args[i],
			i + 2 < o->args_n, &passwords, &totals, &err);
	if (o->json && rc == 0)
		printf("{\"imported\":%" PRIu64 ",\"there\":%" PRIu64 ",\"left_out\":%" PRIu64
		       ",\"mailboxes\":%" PRIu64 "}\n",
			totals.imported, totals.there, totals.left_out, totals.mailboxes);
	if (rc < 0)
		return cli_fail(o, &err);
	return totals.left_out || totals.failed ? EXIT_FAILED : EXIT_GOOD;
}
