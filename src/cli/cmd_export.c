// SPDX-License-Identifier: Apache-2.0
/* culver export: an account's mail as other programs keep it. */
#include "cli/export.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct export_class *const formats[] = { &export_maildir, &export_mbox, &export_eml };

static const struct export_class *format_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (name == NULL || strcmp(formats[i]->format, name) == 0)
			return formats[i];
	return NULL;
}

static bool is_empty(int directory)
{
	int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), n = 0;
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	if (d == NULL)
		return false;
	while (n < 3 && readdir(d))
		n++;
	closedir(d);
	return n < 3;
}

static bool is_stdout(const char *path)
{
	return strcmp(path, "-") == 0;
}

/* ---- half a tar, which looks like one ---- */

static char *volatile half; /* the path of one that is being written */
static const int ends[] = { SIGINT, SIGTERM, SIGHUP };

static void on_end(int number)
{
	if (half)
		(void)unlink(half);
	(void)raise(number); /* SA_RESETHAND: as if we had not been asked */
}

static void watch_ends(void)
{
	struct sigaction end = { .sa_handler = on_end, .sa_flags = (int)SA_RESETHAND }, was;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (sigaction(ends[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN)
			(void)sigaction(ends[i], &end, NULL);
}

/* No signal comes between its making and its being known. */
static int make_half(const char *path, struct err *err)
{
	sigset_t set, before;
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		sigaddset(&set, ends[i]);
	sigprocmask(SIG_BLOCK, &set, &before);
	errno = 0;
	int file = export_new_file(AT_FDCWD, path, err);
	if (file >= 0) {
		half = xstrdup(path);
		watch_ends();
	} else if (errno == EEXIST) {
		fail(err, ERR_EXISTS, "%s is there already", path);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return file;
}

static void end_half(bool whole)
{
	char *path = half;
	if (path && !whole)
		(void)unlink(path);
	half = NULL;
	free(path);
}

/* ---- an account ---- */

/* Nothing that is there is written over. */
static int open_target(const struct export_class *class, const char *path, struct err *err)
{
	if (is_stdout(path) && !class->is_file)
		return fail(err, ERR_SYNTAX,
			"- is standard output, which --format eml alone can write to (a directory "
			"of that name is ./-)");
	if (is_stdout(path))
		return dup(STDOUT_FILENO);
	if (class->is_file)
		return make_half(path, err);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return fail_errno(err, "can't make %s", path);
	int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return fail_errno(err, "can't open %s", path);
	if (is_empty(directory))
		return directory;
	close(directory);
	return fail(err, ERR_EXISTS, "%s is not empty", path);
}

static int export_one(const struct options *o, struct remote *remote,
	const struct export_class *class, char *const *pair, struct export_totals *totals,
	struct err *err)
{
	struct err why = ERR_INIT;
	uint64_t before = totals->messages;
	int target = open_target(class, pair[1], err);
	if (target < 0)
		return -1;
	struct export_writer *writer = class->open(target, &why);
	int rc = writer ? export_account(o, remote, str_from(pair[0]), class, writer, totals, &why)
			: -1;
	class->free(&writer);
	if (close(target) < 0 && rc == 0)
		rc = fail_errno(&why, "writing failed");
	end_half(rc == 0);
	if (rc == 0)
		return 0;
	bool part = !class->is_file && totals->messages > before;
	return fail(err, why.kind, "%s into %s: %s%s", pair[0], pair[1],
		err_log_text(&why)[0] ? err_log_text(&why) : err_sentence(why.kind),
		part ? "; what was written until then is there" : "");
}

static void print_totals(const struct options *o, const struct export_totals *t, bool to_stdout)
{
	FILE *out = to_stdout ? stderr : stdout;
	if (o->json)
		fprintf(out,
			"{\"messages\":%" PRIu64 ",\"mailboxes\":%" PRIu64 ",\"damaged\":%" PRIu64
			",\"left_out\":%" PRIu64 "}\n",
			t->messages, t->mailboxes, t->damaged, t->left_out);
	else
		fprintf(out,
			"%" PRIu64 " messages exported from %" PRIu64 " mailboxes, %" PRIu64
			" are damaged, %" PRIu64 " mailboxes left out\n",
			t->messages, t->mailboxes, t->damaged, t->left_out);
}

int cmd_export(const struct options *o)
{
	struct err err = ERR_INIT;
	struct export_totals totals = { 0 };
	const struct export_class *class = format_of(o->format);
	if (o->args_n < 2 || o->args_n % 2 || class == NULL)
		return cli_usage(o,
			"[-c FILE] [--format maildir|mbox|eml] [--mailbox NAME] [--json] "
			"ADDRESS PATH [ADDRESS PATH ...]");
	bool to_stdout = false;
	AUTO(remote_close)
	struct remote *remote = remote_open(options_config(o), false, &err);
	int rc = remote ? 0 : -1;
	for (int i = 0; rc == 0 && i < o->args_n; i += 2) {
		to_stdout |= is_stdout(o->args[i + 1]);
		rc = export_one(o, remote, class, &o->args[i], &totals, &err);
	}
	if (rc < 0)
		return cli_fail(o, &err);
	print_totals(o, &totals, to_stdout);
	return totals.damaged ? EXIT_DAMAGE : totals.left_out ? EXIT_FAILED : EXIT_GOOD;
}
