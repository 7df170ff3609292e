// SPDX-License-Identifier: Apache-2.0
/*
 * Copying the ledger for a backup, while the engine is in use: SQLite's online backup on the
 * writer's own connection, a few pages at a time between groups. What that connection commits
 * meanwhile goes into the copy too, so nothing is copied twice and no snapshot keeps the log from
 * being moved. The copy is nobody's ledger until a restore flushes it: it is written without
 * flushes, and what goes wrong with it harms the backup alone.
 */
#include "store/disk.h"
#include "store/sqlite_open.h"
#include "store/sqlite_private.h"

enum { PAGES_A_STEP = 64 }; /* a quarter of a MiB: some tenths of a millisecond */

static int copy_failed(int rc, struct err *err)
{
	return fail_log(err, ERR_TEMP, "copying the ledger: %s", sqlite3_errstr(rc));
}

int sqlite_copy_begin(struct engine *engine, const char *name, struct err *err)
{
	struct sqlite_engine *e = sqlite_engine_of(engine);
	struct files_seam *files = e->seams->files;
	(void)files->unlink(files, name);
	int rc = sqlite_open(
		files, NULL, name, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &e->copy);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(e->copy, "PRAGMA journal_mode=OFF;PRAGMA synchronous=OFF;", NULL,
			NULL, NULL);
	if (rc == SQLITE_OK)
		e->copying = sqlite3_backup_init(e->copy, "main", e->conn.db, "main");
	if (e->copying) {
		snprintf(e->copy_name, sizeof(e->copy_name), "%s", name);
		return 0;
	}
	copy_failed(rc == SQLITE_OK ? sqlite3_errcode(e->copy) : rc, err);
	sqlite_copy_end(engine);
	return -1;
}

/* Read and write version: 2 is a database with a log beside it, which the copy has not (SQLite's
 * file format, 1.3.3). */
static int say_no_log(struct files_seam *files, const char *name, struct err *err)
{
	enum { AT_VERSIONS = 18 };
	static const char versions[2] = { 1, 1 };
	int file = files->open(files, name, O_RDWR, 0);
	int rc = file < 0 ? file
			  : files_pwrite_all(files, file, versions, sizeof(versions), AT_VERSIONS);
	if (file >= 0)
		(void)files->close(files, file);
	return rc < 0 ? FAIL_SEAM(err, rc, "%s", name) : 0;
}

static int copy_done(struct sqlite_engine *e, struct err *err)
{
	int rc = sqlite3_backup_finish(e->copying);
	e->copying = NULL;
	int closed = sqlite3_close(e->copy);
	e->copy = NULL;
	if (rc != SQLITE_OK || closed != SQLITE_OK)
		return copy_failed(rc != SQLITE_OK ? rc : closed, err);
	return say_no_log(e->seams->files, e->copy_name, err) < 0 ? -1 : 1;
}

int sqlite_copy_step(struct engine *engine, struct err *err)
{
	struct sqlite_engine *e = sqlite_engine_of(engine);
	int rc = sqlite3_backup_step(e->copying, PAGES_A_STEP);
	/* Busy: the checkpointer has a lock for a moment. */
	if (rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
		return 0;
	if (rc == SQLITE_DONE)
		return copy_done(e, err);
	copy_failed(rc, err);
	sqlite_copy_end(engine);
	return -1;
}

void sqlite_copy_end(struct engine *engine)
{
	struct sqlite_engine *e = sqlite_engine_of(engine);
	if (e->copying)
		sqlite3_backup_finish(e->copying);
	e->copying = NULL;
	sqlite3_close(e->copy);
	e->copy = NULL;
}
