// SPDX-License-Identifier: Apache-2.0
/* Copying the ledger past a page cache that can't be believed. */
#include "store/ledger_copy.h"

#include "store/ledger_verify.h"
#include "store/sqlite_open.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>

static const char ledger_name[] = "ledger.db", copy_name[] = "ledger.tmp",
		  ready_name[] = "ledger.ready";

static int failed(struct err *err, const char *what, int rc)
{
	errno = -rc;
	return fail_errno(err, "%s", what);
}

/* 1, 0: there is none, or -1: who can't tell must not take it for none. */
static int exists(struct files_seam *files, const char *name, struct err *err)
{
	int file = files->open(files, name, O_RDONLY, 0);
	if (file == -ENOENT)
		return 0;
	if (file < 0)
		return failed(err, name, file);
	files->close(files, file);
	return 1;
}

/* 0, also when it is not there. */
static int remove_file(struct files_seam *files, const char *name, struct err *err)
{
	int rc = files->unlink(files, name);
	return rc < 0 && rc != -ENOENT ? failed(err, name, rc) : 0;
}

int ledger_copy_finish(const struct seams *seams, struct err *err)
{
	struct files_seam *files = seams->files;
	int ready = exists(files, ready_name, err);
	if (ready <= 0)
		return ready;
	/* The old log must be gone for good before the new file has the name that it belongs to:
	 * replayed into the copy it would undo parts of it. */
	if (remove_file(files, "ledger.db-wal", err) < 0 ||
		remove_file(files, "ledger.db-shm", err) < 0)
		return -1;
	int rc = files->sync_directory(files, ".");
	if (rc == 0)
		rc = files->rename(files, ready_name, ledger_name);
	if (rc == 0)
		rc = files->sync_directory(files, ".");
	return rc < 0 ? failed(err, "the copied ledger can't take its place", rc) : 0;
}

static sqlite3 *open_db(struct files_seam *files, const char *name, struct err *err)
{
	sqlite3 *db;
	if (sqlite_open(files, NULL, name, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &db) ==
		SQLITE_OK)
		return db;
	fail_log(err, ERR_TEMP, "%s: %s", name, db ? sqlite3_errmsg(db) : "no memory");
	sqlite3_close_v2(db);
	return NULL;
}

static int copy_pages(sqlite3 *from, sqlite3 *to, struct err *err)
{
	sqlite3_exec(to, "PRAGMA synchronous=FULL", NULL, NULL, NULL);
	sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
	int rc = backup ? sqlite3_backup_step(backup, -1) : SQLITE_ERROR;
	if (backup && sqlite3_backup_finish(backup) != SQLITE_OK)
		rc = SQLITE_ERROR;
	if (rc == SQLITE_DONE)
		return 0;
	return fail_log(err, ERR_TEMP, "copying the ledger: %s", sqlite3_errmsg(to));
}

static int verify(sqlite3 *db, struct err *err)
{
	return ledger_verify_open(db, "the copied ledger", err);
}

static int copy_and_verify(struct files_seam *files, struct err *err)
{
	sqlite3 *from = open_db(files, ledger_name, err);
	sqlite3 *to = from ? open_db(files, copy_name, err) : NULL;
	int rc = -1;
	if (to && copy_pages(from, to, err) == 0 &&
		/* The check tells a read that failed as it tells damage: only what does not pass
		 * twice is damaged. */
		(verify(to, err) == 0 || verify(to, err) == 0))
		rc = 0;
	/* The copy's own log, if it had one, is moved into it by the last close. That of the ledger
	 * stays: it may be in the page cache alone, and a checkpoint that a power cut ended would
	 * leave half of it in the ledger. */
	if (from)
		sqlite3_db_config(from, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_close(to);
	sqlite3_close(from);
	return rc;
}

static int flush(struct files_seam *files, struct err *err)
{
	int file = files->open(files, copy_name, O_RDWR, 0);
	if (file < 0)
		return failed(err, copy_name, file);
	int rc = files->fsync(files, file);
	files->close(files, file);
	return rc < 0 ? failed(err, "flushing the copied ledger", rc) : 0;
}

static int remove_copy(struct files_seam *files, struct err *err)
{
	static const char *const names[] = { "ledger.tmp", "ledger.tmp-wal", "ledger.tmp-shm",
		"ledger.tmp-journal" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (remove_file(files, names[i], err) < 0)
			return -1;
	return 0;
}

void ledger_read_from_disk(struct files_seam *files)
{
	static const char *const names[] = { "ledger.db", "ledger.db-wal" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		int file = files->open(files, names[i], O_RDONLY, 0);
		if (file < 0)
			continue;
		/* What was written and never flushed gets to the disk, or is believed to have. */
		(void)files->fdatasync(files, file);
		(void)files->forget_cache(files, file);
		files->close(files, file);
	}
}

int ledger_copy(const struct seams *seams, struct err *err)
{
	struct files_seam *files = seams->files;
	int there = exists(files, ledger_name, err);
	if (there <= 0)
		return there;
	if (remove_copy(files, err) < 0 || copy_and_verify(files, err) < 0 || flush(files, err) < 0)
		return -1;
	int log = exists(files, "ledger.tmp-wal", err);
	if (log < 0)
		return -1;
	if (log)
		return fail_log(err, ERR_TEMP, "the copied ledger kept a log");
	int rc = files->rename(files, copy_name, ready_name);
	if (rc == 0)
		rc = files->sync_directory(files, ".");
	if (rc < 0)
		return failed(err, "the copied ledger", rc);
	return ledger_copy_finish(seams, err);
}
