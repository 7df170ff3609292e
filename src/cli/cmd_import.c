// SPDX-License-Identifier: Apache-2.0
/* culver import: mail of other servers, from Maildirs, mboxes, or themselves by IMAP, into accounts
 * that there are. */
#include "cli/import.h"

#include "base/limits.h"
#include "base/scan.h"
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct totals {
	uint64_t imported, there, left_out, mailboxes;
	int code; /* of the first source that could not be read, or not to the end; EXIT_GOOD */
};

static void note_failure(struct totals *totals, int code)
{
	if (totals->code == EXIT_GOOD)
		totals->code = code;
}

static void add(struct totals *totals, const struct totals *its)
{
	totals->imported += its->imported;
	totals->there += its->there;
	totals->left_out += its->left_out;
	totals->mailboxes += its->mailboxes;
	note_failure(totals, its->code);
}

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
	if (im->mailboxes == 0 && im->left_out == 0 && im->o->mailbox == NULL)
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

/* NONE: there is none. */
static struct str next_password(struct passwords *p)
{
	return p->only.n ? p->only : str_chomp(str_split(&p->rest, '\n'));
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
	struct str password, struct err *err)
{
	AUTO(buf_done)
	struct buf user;
	struct remote_server server;
	buf_init(&user, LIMIT_IMAP_CLIENT_SECRET_BYTES);
	if (read_server(im->o, address, path, &user, &server, err) < 0)
		return -1;
	if (password.n == 0)
		return fail(err, ERR_SYNTAX,
			"there is no password for this server (--password-file, "
			"--password-stdin: a line for each)");
	server.password = password;
	server.most_bytes = im->most_bytes;
	return import_imap(im, &server, err);
}

/* ---- one account ---- */

/* Where it comes from: one pair of the command line. */
struct source {
	const char *address, *path;
	struct str password;
	bool taken; /* by what was begun */
};

struct importing {
	const struct options *o;
	uint64_t most_bytes;
	struct source *sources;
	size_t n;
};

/* Whose import it was; several may be at work. */
static int fail_import(const struct options *o, const struct source *source, const struct err *err)
{
	struct err whose = ERR_INIT;
	fail(&whose, err->kind, "%s: %s", source->address,
		err_log_text(err)[0] ? err_log_text(err) : err_sentence(err->kind));
	return cli_fail(o, &whose);
}

static void import_one(const struct importing *x, struct remote *remote,
	const struct source *source, struct totals *totals)
{
	struct err err = ERR_INIT;
	struct importer im = { .o = x->o, .remote = remote, .most_bytes = x->most_bytes };
	int rc = importer_begin(&im, str_from(source->address), &err);
	if (rc == 0)
		rc = is_server(source->path) ? import_server(&im, source->address, source->path,
						       source->password, &err)
					     : import_path(&im, source->path, &err);
	if (rc == 0 && x->o->mailbox && im.mailboxes == 0 && im.left_out == 0)
		rc = fail(&err, ERR_NOT_FOUND, "there is no mailbox %s in %s", x->o->mailbox,
			source->path);
	if (rc == 0)
		rc = importer_end(&im, &err);
	else
		importer_abandon(&im);
	int code = rc < 0 ? fail_import(x->o, source, &err) : EXIT_GOOD;
	if (!x->o->json)
		printf("%s: %" PRIu64 " messages imported into %" PRIu64 " mailboxes, %" PRIu64
		       " were there already, %" PRIu64 " left out\n",
			source->address, im.imported, im.mailboxes, im.there, im.left_out);
	add(totals, &(struct totals){ im.imported, im.there, im.left_out, im.mailboxes, code });
	importer_done(&im);
}

static bool is_of(const struct source *s, const struct source *first)
{
	return str_equal_nocase(str_from(s->address), str_from(first->address));
}

/* All sources of the account of the first one, one after the other: the next may be better. */
static void import_account(
	const struct importing *x, struct remote *remote, size_t first, struct totals *totals)
{
	for (size_t i = first; i < x->n; i++)
		if (is_of(&x->sources[i], &x->sources[first]))
			import_one(x, remote, &x->sources[i], totals);
}

/* The first source of the next account; n: there is none. */
static size_t next_account(struct importing *x)
{
	size_t first = 0;
	while (first < x->n && x->sources[first].taken)
		first++;
	for (size_t i = first; i < x->n; i++)
		x->sources[i].taken |= is_of(&x->sources[i], &x->sources[first]);
	return first;
}

/* ---- several accounts at once, a process each: of a server that runs ---- */

enum { ACCOUNTS_AT_ONCE = 4 };

struct worker {
	pid_t process; /* 0: none */
	int end;       /* of a pipe: its totals come here */
	const char *address;
};

static _Noreturn void work(const struct importing *x, size_t first, int end)
{
	struct totals totals = { 0 };
	struct err err = ERR_INIT;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	setvbuf(stdout, NULL, _IOLBF, 0); /* lines stay whole beside others' */
	setvbuf(stderr, NULL, _IOLBF, 0);
	struct remote *remote = remote_open(options_config(x->o), true, &err);
	if (remote == NULL)
		totals.code = cli_fail(x->o, &err);
	else
		import_account(x, remote, first, &totals);
	remote_close(&remote);
	fflush(stdout);
	fflush(stderr);
	_exit(write(end, &totals, sizeof(totals)) == sizeof(totals) ? 0 : EXIT_FAILED);
}

static int worker_start(struct worker *w, const struct importing *x, size_t first, struct err *err)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail_errno(err, "can't make a pipe");
	fflush(stdout);
	*w = (struct worker){ fork(), ends[0], x->sources[first].address };
	if (w->process == 0)
		work(x, first, ends[1]);
	close(ends[1]);
	if (w->process > 0)
		return 0;
	close(ends[0]);
	w->process = 0;
	return fail_errno(err, "can't make a process");
}

static void worker_end(struct worker *w, struct totals *totals)
{
	struct totals its = { 0 };
	if (read(w->end, &its, sizeof(its)) != sizeof(its)) {
		fprintf(stderr, "culver import: %s: its import was cut off\n", w->address);
		its.code = EXIT_FAILED;
	}
	close(w->end);
	w->process = 0;
	add(totals, &its);
}

/* Until one has ended; -1: there is none. */
static int wait_for_one(struct worker workers[ACCOUNTS_AT_ONCE], struct totals *totals)
{
	pid_t process;
	while ((process = waitpid(-1, NULL, 0)) < 0 && errno == EINTR)
		;
	for (size_t i = 0; process > 0 && i < ACCOUNTS_AT_ONCE; i++)
		if (workers[i].process == process)
			worker_end(&workers[i], totals);
	return process < 0 ? -1 : 0;
}

static struct worker *free_worker(struct worker workers[ACCOUNTS_AT_ONCE])
{
	for (size_t i = 0; i < ACCOUNTS_AT_ONCE; i++)
		if (workers[i].process == 0)
			return &workers[i];
	return NULL;
}

static void import_at_once(struct importing *x, struct totals *totals)
{
	struct worker workers[ACCOUNTS_AT_ONCE] = { 0 };
	struct err err = ERR_INIT;
	for (size_t first; (first = next_account(x)) < x->n;) {
		struct worker *w;
		while ((w = free_worker(workers)) == NULL)
			if (wait_for_one(workers, totals) < 0)
				return;
		if (worker_start(w, x, first, &err) < 0) {
			note_failure(totals, cli_fail(x->o, &err));
			break;
		}
	}
	while (wait_for_one(workers, totals) == 0)
		;
}

/* ---- the command ---- */

static void import_in_turn(struct importing *x, struct totals *totals)
{
	struct err err = ERR_INIT;
	AUTO(remote_close)
	struct remote *remote = remote_open(options_config(x->o), false, &err);
	if (remote == NULL)
		note_failure(totals, cli_fail(x->o, &err));
	for (size_t first; remote && (first = next_account(x)) < x->n;)
		import_account(x, remote, first, totals);
}

static bool is_one_account(const struct importing *x)
{
	for (size_t i = 1; i < x->n; i++)
		if (!is_of(&x->sources[i], &x->sources[0]))
			return false;
	return true;
}

static bool is_running(const struct options *o)
{
	struct err err = ERR_INIT;
	AUTO(remote_close)
	struct remote *remote = remote_open(options_config(o), true, &err);
	return remote != NULL;
}

static void read_sources(struct importing *x, struct passwords *passwords)
{
	for (size_t i = 0; i < x->n; i++) {
		struct source *s = &x->sources[i];
		*s = (struct source){ .address = x->o->args[2 * i], .path = x->o->args[2 * i + 1] };
		if (is_server(s->path))
			s->password = next_password(passwords);
	}
}

int cmd_import(const struct options *o)
{
	struct err err = ERR_INIT;
	struct totals totals = { 0 };
	if (o->args_n < 2 || o->args_n % 2)
		return cli_usage(o,
			"[-c FILE] [--mailbox NAME] [--into NAME] [--password-file FILE] "
			"[--password-stdin] "
			"[--ca FILE] [--plain] [--json] ADDRESS PATH|URL [ADDRESS PATH|URL ...]");
	AUTO(config_free)
	struct config *config = config_load(options_config(o), &err);
	AUTO(forget_passwords)
	struct passwords passwords = { 0 };
	if (config == NULL || read_passwords(o, &passwords, &err) < 0)
		return cli_fail(o, &err);
	struct importing x = {
		.o = o, .most_bytes = (uint64_t)config->message_bytes, .n = (size_t)o->args_n / 2
	};
	x.sources = xcalloc(x.n, sizeof(*x.sources));
	read_sources(&x, &passwords);
	if (is_one_account(&x) || !is_running(o))
		import_in_turn(&x, &totals);
	else
		import_at_once(&x, &totals);
	free(x.sources);
	if (o->json && (totals.code == 0 || x.n > 1))
		printf("{\"imported\":%" PRIu64 ",\"there\":%" PRIu64 ",\"left_out\":%" PRIu64
		       ",\"mailboxes\":%" PRIu64 "}\n",
			totals.imported, totals.there, totals.left_out, totals.mailboxes);
	return totals.code ? totals.code : totals.left_out ? EXIT_FAILED : EXIT_GOOD;
}
