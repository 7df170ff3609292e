// SPDX-License-Identifier: Apache-2.0
/*
 * culver store check --repair, --rebuild and --accept-loss, on a stopped server. Nothing is done in
 * silence: what is found comes first, then each thing that was done, then what a second look still
 * finds.
 */
#include "cli/cli.h"
#include "cli/remote.h"

#include "process/os.h"
#include "store/ledger_verify.h"
#include "store/log_damage.h"
#include "store/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { PATH_BYTES = 4300 };

struct repairing {
	const struct options *o;
	const char *word; /* what the lines that come are */
	struct buf lines;
	struct frame_check_done found;
	struct frame_repair_done done;
};

static void on_line(void *arg, const struct frame *frame)
{
	struct repairing *r = arg;
	AUTO(buf_done)
	struct buf text;
	buf_init(&text, 8192);
	if (frame->type == FRAME_CHECK_DONE)
		r->found = frame->check_done;
	if (frame->type == FRAME_REPAIR_DONE)
		r->done = frame->repair_done;
	if (frame->type != FRAME_CHECK_FINDING)
		return;
	/* Where no message is hit nothing is damaged. */
	struct str line = frame->check_finding.text, mark = STR("note: ");
	const char *word = r->word;
	if (str_starts(line, mark)) {
		word = "note";
		line = str_from_offset(line, mark.n);
	}
	json_string(&text, line);
	if (r->o->json)
		buf_addf(&r->lines, "%s{\"%s\":%s}", r->lines.n ? "," : "", word, text.p);
	else
		printf("%s: %" STR_FMT "\n", word, STR_ARG(line));
}

/* Asks one question of a store that is started for it alone. */
static int ask(struct repairing *r, const char *word, const struct frame *question, struct err *err)
{
	AUTO(remote_close)
	struct remote *remote = remote_open(options_config(r->o), false, err);
	r->word = word;
	return remote ? remote_ask(remote, REMOTE_STORE, question, on_line, r, err) : -1;
}

/* D/data/rebuild tells the store to begin with an empty ledger, D/data/accept-loss to cut off what
 * is damaged of the ledger's log. */
static int write_mark(const struct config *config, const char *name, struct err *err)
{
	char path[PATH_BYTES];
	int lock = os_lock(config, err);
	if (lock < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/data/%s", config->directory, name);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	int rc = fd < 0 || fsync(fd) < 0 ? fail_errno(err, "can't make %s", path) : 0;
	if (fd >= 0)
		close(fd);
	close(lock);
	return rc;
}

static bool is_there(const struct config *config, const char *name)
{
	char path[PATH_BYTES];
	snprintf(path, sizeof(path), "%s/data/%s", config->directory, name);
	return access(path, F_OK) == 0;
}

/* ERR_CORRUPT: with what can be done. */
static int verify_log(struct files_seam *files, struct err *err)
{
	struct log_damage found;
	int damaged = log_damage(files, "ledger.db-wal", &found, err);
	if (damaged <= 0)
		return damaged;
	return fail_log(err, ERR_CORRUPT,
		"ledger.db-wal is damaged at offset %" PRId64
		": what was acknowledged behind it is lost; restore a backup (culver store restore "
		"--replace), or go on without (culver store check --accept-loss)",
		found.at);
}

static int verify_ledger(struct files_seam *files, struct err *err)
{
	struct err why = ERR_INIT;
	int rc = ledger_verify(files, "ledger.db", &why);
	if (why.kind == ERR_CORRUPT || why.kind == ERR_NOT_FOUND)
		return fail_log(err, ERR_CORRUPT,
			"%.200s; restore a backup (culver store restore --replace), or make it "
			"anew (culver store check --rebuild)",
			err_log_text(&why));
	if (why.kind != ERR_NONE)
		*err = why;
	return rc;
}

/* The ledger of a store that nobody has open; log: and what is not in its pages yet. */
static int verify(const struct config *config, bool log, struct err *err)
{
	char data[PATH_BYTES];
	snprintf(data, sizeof(data), "%s/data", config->directory);
	int lock = os_lock(config, err);
	struct files_seam *files = lock < 0 ? NULL : files_os_new(data, err);
	int rc = files ? 0 : -1;
	if (rc == 0 && log)
		rc = verify_log(files, err);
	if (rc == 0)
		rc = verify_ledger(files, err);
	files_os_free(&files);
	if (lock >= 0)
		close(lock);
	return rc;
}

int repair_verify_ledger(const struct options *o, struct err *err)
{
	AUTO(config_free)
	struct config *config = config_load(options_config(o), err);
	if (config == NULL || remote_must_be_stopped(config, err) < 0)
		return -1;
	return verify(config, true, err);
}

/* The store would begin it, and end at once, at every start. */
static int has_segments(const struct config *config, struct err *err)
{
	char data[PATH_BYTES];
	uint8_t id[16];
	uint64_t epoch;
	struct err why = ERR_INIT;
	snprintf(data, sizeof(data), "%s/data", config->directory);
	struct files_seam *files = files_os_new(data, err);
	int rc = files ? segments_identity(files, id, &epoch, &why) : -1;
	files_os_free(&files);
	if (why.kind == ERR_NOT_FOUND)
		return fail(err, ERR_TEMP,
			"%s: if ledger.db is whole remove %s/rebuild, if that is there; if not, "
			"restore a backup (culver store restore --replace), or begin anew with "
			"%s and %s.used moved away",
			why.public_text, data, data, data);
	if (why.kind != ERR_NONE)
		*err = why;
	return rc;
}

/* Whoever has a ledger that is whole loses by a rebuild, and one that was set aside by an earlier
 * rebuild would be lost with this one. One that was begun is only gone on with. */
static int may_rebuild(const struct repairing *r, const struct config *config, struct err *err)
{
	struct err why = ERR_INIT;
	if (is_there(config, "rebuild"))
		return 0;
	if (is_there(config, "ledger.lost") || is_there(config, "ledger.lost-wal"))
		return fail(err, ERR_EXISTS,
			"%s/data/ledger.lost is what an earlier rebuild has set aside: move it "
			"away "
			"first, and ledger.lost-wal with it",
			config->directory);
	if (r->o->force)
		return 0;
	if (verify(config, false, &why) < 0) {
		if (why.kind == ERR_CORRUPT)
			return 0;
		*err = why;
		return -1;
	}
	return fail(err, ERR_EXISTS,
		"%s/data/ledger.db is whole: a rebuild would lose passwords, names of mailboxes, "
		"flags and what was moved; --force does it all the same",
		config->directory);
}

static int begin_rebuild(struct repairing *r, const struct config *config, struct err *err)
{
	if (has_segments(config, err) < 0 || may_rebuild(r, config, err) < 0 ||
		write_mark(config, "rebuild", err) < 0)
		return -1;
	fprintf(stderr,
		"the ledger is made anew from the segments; the old one, if any, is kept as "
		"%s/data/ledger.lost. To have it back: with the server stopped, if ledger.lost is "
		"there, remove rebuild, ledger.db and ledger.db-wal there, and rename ledger.lost "
		"to ledger.db and ledger.lost-wal, if it is there, to ledger.db-wal; if it is not, "
		"remove rebuild alone\n",
		config->directory);
	return 0;
}

static int repair(struct repairing *r, struct err *err)
{
	struct frame check = { .type = FRAME_STORE_CHECK };
	struct frame mend = { .type = FRAME_STORE_REPAIR, .store_repair.rebuild = r->o->rebuild };
	AUTO(config_free)
	struct config *config = config_load(options_config(r->o), err);
	if (config == NULL || remote_must_be_stopped(config, err) < 0)
		return -1;
	if (r->o->accept_loss && write_mark(config, "accept-loss", err) < 0)
		return -1;
	if (r->o->rebuild) {
		if (begin_rebuild(r, config, err) < 0)
			return -1;
	} else if (!r->o->accept_loss && verify(config, true, err) < 0) {
		return -1; /* rows that can't all be read are not set right by what can */
	} else if (ask(r, "found", &check, err) < 0) {
		return -1;
	}
	if (ask(r, "done", &mend, err) < 0)
		return -1;
	return ask(r, "damage", &check, err);
}

static void print_result(const struct repairing *r)
{
	const struct frame_repair_done *done = &r->done;
	if (r->o->json)
		printf("{\"lines\":[%s],\"repaired\":%" PRIu64 ",\"damaged\":%" PRIu64
		       ",\"left\":%" PRIu64 ",\"messages\":%" PRIu64 ",\"found\":%" PRIu64 "}\n",
			r->lines.n ? r->lines.p : "", done->repaired, done->damaged, done->left,
			r->found.messages, r->found.findings);
	else
		printf("%" PRIu64 " things set right, %" PRIu64 " messages in 'Damaged', %" PRIu64
		       " things left; %" PRIu64 " messages, %" PRIu64 " found damaged\n",
			done->repaired, done->damaged, done->left, r->found.messages,
			r->found.findings);
}

int repair_store(const struct options *o)
{
	struct err err = ERR_INIT;
	struct repairing r = { .o = o };
	buf_init(&r.lines, 64 << 20);
	int rc = repair(&r, &err);
	if (rc == 0)
		print_result(&r);
	else if (r.lines.n)
		fprintf(stderr, "%s\n", r.lines.p);
	buf_done(&r.lines);
	if (rc < 0)
		return cli_fail(o, &err);
	return r.found.findings || r.done.left ? EXIT_DAMAGE : EXIT_GOOD;
}
