// SPDX-License-Identifier: Apache-2.0
/* The log in fewer writes: what others see of it, and what becomes of a write that fails. */
#include "store/log_vfs.h"

#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A VFS over SQLite's own that counts what reaches a log. */
static struct {
	sqlite3_vfs vfs;
	sqlite3_vfs *real;
	sqlite3_io_methods methods;
	const sqlite3_io_methods *real_methods;
	unsigned writes, flushes;
	size_t written;
	int fail_write, fail_flush; /* an error for the next one */
} under;

static int under_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at)
{
	int rc = under.fail_write;
	under.fail_write = SQLITE_OK;
	under.writes++;
	under.written += (size_t)n;
	return rc ? rc : under.real_methods->xWrite(file, p, n, at);
}

static int under_sync(sqlite3_file *file, int flags)
{
	int rc = under.fail_flush;
	under.fail_flush = SQLITE_OK;
	under.flushes++;
	return rc ? rc : under.real_methods->xSync(file, flags);
}

static int under_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret)
{
	(void)vfs;
	int rc = under.real->xOpen(under.real, name, file, flags, ret);
	if (rc != SQLITE_OK || !(flags & SQLITE_OPEN_WAL))
		return rc;
	under.real_methods = file->pMethods;
	under.methods = *file->pMethods;
	under.methods.xWrite = under_write;
	under.methods.xSync = under_sync;
	file->pMethods = &under.methods;
	return rc;
}

static struct place {
	char folder[64], path[96];
	struct log_vfs vfs;
	sqlite3 *db, *reader;
} place;

static sqlite3 *open_by(const char *vfs)
{
	sqlite3 *db = NULL;
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
	assert_int_equal(sqlite3_open_v2(place.path, &db, flags, vfs), SQLITE_OK);
	return db;
}

static int run(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int setup_all(void **state)
{
	(void)state;
	under.real = sqlite3_vfs_find(NULL);
	under.vfs = *under.real;
	under.vfs.zName = "under";
	under.vfs.xOpen = under_open;
	return sqlite3_vfs_register(&under.vfs, 0);
}

static int setup(void **state)
{
	(void)state;
	snprintf(place.folder, sizeof(place.folder), "/tmp/culver-log-XXXXXX");
	assert_non_null(mkdtemp(place.folder));
	snprintf(place.path, sizeof(place.path), "%s/a.db", place.folder);
	assert_int_equal(log_vfs_init(&place.vfs, "under"), SQLITE_OK);
	place.db = open_by(place.vfs.name);
	assert_int_equal(run(place.db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
				       "PRAGMA wal_autocheckpoint=0;"
				       "CREATE TABLE t(n INTEGER PRIMARY KEY, v BLOB)"),
		SQLITE_OK);
	place.reader = open_by(NULL);
	under.writes = under.flushes = 0;
	under.written = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(sqlite3_close(place.reader), SQLITE_OK);
	assert_int_equal(sqlite3_close(place.db), SQLITE_OK);
	log_vfs_done(&place.vfs);
	assert_null(sqlite3_vfs_find(place.vfs.name));
	unlink(place.path);
	assert_int_equal(rmdir(place.folder), 0); /* the log went with the last connection */
	return 0;
}

static int64_t rows_seen(sqlite3 *db)
{
	sqlite3_stmt *st;
	static const char sql[] = "SELECT count(*) FROM t WHERE length(v) > 0";
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	int64_t n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

static void assert_sound(sqlite3 *db)
{
	sqlite3_stmt *st;
	assert_int_equal(
		sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(st, 0), "ok");
	sqlite3_finalize(st);
}

static void a_commit_is_one_write(void **state)
{
	(void)state;
	assert_int_equal(run(place.db, "INSERT INTO t VALUES(1, randomblob(40000))"), SQLITE_OK);
	assert_int_equal(under.writes, 1);
	assert_int_equal(under.flushes, 1);
	assert_true(under.written > 40000);
	assert_int_equal(rows_seen(place.reader), 1);
	/* One that is larger than what is gathered takes some more. */
	assert_int_equal(run(place.db, "INSERT INTO t VALUES(2, randomblob(1000000))"), SQLITE_OK);
	assert_in_range(under.writes, 8, 12);
	assert_int_equal(under.flushes, 2);
	assert_int_equal(rows_seen(place.reader), 2);
	assert_sound(place.reader);
}

/* A transaction that outgrows SQLite's memory reads back what it wrote, and may take it back. */
static void what_was_spilled_is_read(void **state)
{
	(void)state;
	assert_int_equal(
		run(place.db, "PRAGMA cache_size=10; PRAGMA cache_spill=10; BEGIN"), SQLITE_OK);
	char sql[80];
	for (int i = 1; i <= 100; i++) {
		snprintf(sql, sizeof(sql), "INSERT INTO t VALUES(%d, randomblob(%d))", i, i * 97);
		assert_int_equal(run(place.db, sql), SQLITE_OK);
		if (i == 50)
			assert_int_equal(run(place.db, "SAVEPOINT half"), SQLITE_OK);
	}
	assert_true(under.writes > 1);
	assert_int_equal(rows_seen(place.db), 100);
	assert_int_equal(rows_seen(place.reader), 0);
	assert_int_equal(run(place.db, "ROLLBACK TO half; UPDATE t SET v=randomblob(500); COMMIT"),
		SQLITE_OK);
	assert_int_equal(rows_seen(place.reader), 50);
	assert_sound(place.reader);
	assert_int_equal(run(place.db, "BEGIN; DELETE FROM t; ROLLBACK"), SQLITE_OK);
	assert_int_equal(rows_seen(place.reader), 50);
	assert_int_equal(run(place.db, "PRAGMA wal_checkpoint(TRUNCATE)"), SQLITE_OK);
	assert_sound(place.reader);
}

/* A commit is handed on and seen, and costs no flush. */
static void flushes_may_be_left_out(void **state)
{
	(void)state;
	place.vfs.unflushed = true;
	for (int i = 1; i <= 3; i++) {
		assert_int_equal(
			run(place.db, "INSERT INTO t(v) VALUES(randomblob(9000))"), SQLITE_OK);
		assert_int_equal(rows_seen(place.reader), i);
	}
	assert_int_equal(under.writes, 3);
	assert_int_equal(under.flushes, 0);
	place.vfs.unflushed = false;
	assert_int_equal(run(place.db, "PRAGMA wal_checkpoint(PASSIVE)"), SQLITE_OK);
	assert_int_equal(under.flushes, 1);
	/* The log is begun anew: its header is flushed. */
	place.vfs.unflushed = true;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			run(place.db, "INSERT INTO t(v) VALUES(randomblob(9000))"), SQLITE_OK);
		assert_int_equal(under.flushes, 2);
	}
	assert_sound(place.reader);
}

static void a_failure_takes_its_commit_alone(void **state)
{
	(void)state;
	assert_int_equal(run(place.db, "INSERT INTO t VALUES(1, 'a')"), SQLITE_OK);
	under.fail_write = SQLITE_FULL;
	assert_int_equal(run(place.db, "INSERT INTO t VALUES(2, 'b')"), SQLITE_FULL);
	under.fail_flush = SQLITE_IOERR_FSYNC;
	assert_int_equal(run(place.db, "INSERT INTO t VALUES(3, 'c')"), SQLITE_IOERR);
	assert_int_equal(rows_seen(place.db), 1);
	assert_int_equal(rows_seen(place.reader), 1);
	assert_int_equal(run(place.db, "INSERT INTO t VALUES(4, 'd')"), SQLITE_OK);
	assert_int_equal(rows_seen(place.reader), 2);
	assert_sound(place.reader);
}

static void what_is_under_it_must_be_there(void **state)
{
	(void)state;
	struct log_vfs v = { .base = NULL };
	log_vfs_done(&v);
	assert_int_equal(log_vfs_init(&v, "no such VFS"), SQLITE_CANTOPEN);
	log_vfs_done(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_commit_is_one_write, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_spilled_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(flushes_may_be_left_out, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failure_takes_its_commit_alone, setup, teardown),
		cmocka_unit_test(what_is_under_it_must_be_there),
	};
	return cmocka_run_group_tests(tests, setup_all, NULL);
}
