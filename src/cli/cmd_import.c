// SPDX-License-Identifier: Apache-2.0
/* culver import: mail of other servers, from Maildirs and mboxes, into accounts that there are. */
#include "cli/import.h"

#include "config/config.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct totals {
	uint64_t imported, there, left_out, mailboxes;
};

/* A Maildir, an mbox, or a directory of these: what it is shows. */
static int import_path(struct importer *im, const char *path, struct err *err)
{
	struct stat st;
	int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (file < 0 || fstat(file, &st) < 0) {
		if (file >= 0)
			close(file);
		return fail_errno(err, "%s can't be read", path);
	}
	int rc = -1, cur = import_open_directory(file, "cur");
	if (S_ISREG(st.st_mode))
		rc = import_mbox(im, file, STR("INBOX"), err);
	else if (cur >= 0)
		rc = import_maildir(im, file, err);
	else if (S_ISDIR(st.st_mode))
		rc = import_mboxes(im, file, err);
	else
		fail(err, ERR_SYNTAX, "%s is neither a Maildir nor an mbox", path);
	if (cur >= 0)
		close(cur);
	close(file);
	return rc;
}

static int import_one(const struct options *o, struct remote *remote, uint64_t most_bytes,
	char *const *pair, struct totals *totals, struct err *err)
{
	struct importer im = { .o = o, .remote = remote, .most_bytes = most_bytes };
	int rc = importer_begin(&im, str_from(pair[0]), err);
	if (rc == 0)
		rc = import_path(&im, pair[1], err);
	if (rc == 0)
		rc = importer_end(&im, err);
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
		return cli_usage(
			o, "[-c FILE] [--into NAME] [--json] ADDRESS PATH [ADDRESS PATH ...]");
	AUTO(config_free)
	struct config *config = config_load(options_config(o), &err);
	if (config == NULL)
		return cli_fail(o, &err);
	AUTO(remote_close)
	struct remote *remote = remote_open(options_config(o), false, &err);
	int rc = remote ? 0 : -1;
	for (int i = 0; rc == 0 && i < o->args_n; i += 2)
		rc = import_one(
			o, remote, (uint64_t)config->message_bytes, &o->args[i], &totals, &err);
	if (o->json && rc == 0)
		printf("{\"imported\":%" PRIu64 ",\"there\":%" PRIu64 ",\"left_out\":%" PRIu64
		       ",\"mailboxes\":%" PRIu64 "}\n",
			totals.imported, totals.there, totals.left_out, totals.mailboxes);
	if (rc < 0)
		return cli_fail(o, &err);
	return totals.left_out ? EXIT_FAILED : EXIT_GOOD;
}
