// SPDX-License-Identifier: Apache-2.0
/* A SQLite connection: opening, kept statements, binding, and what its errors mean to us. */
#include "store/sqlite_private.h"

#include "base/planted.h"
#include "store/sqlite_open.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* WAL, so that readers never wait; every commit flushed (log_vfs.h relies on it); the checkpoint
 * is the maintainer's. */
static const char pragmas[] = "PRAGMA journal_mode=WAL;"
			      "PRAGMA synchronous=FULL;"
			      "PRAGMA wal_autocheckpoint=0;"
			      "PRAGMA cache_size=-16384;"
			      "PRAGMA temp_store=MEMORY;"
			      "PRAGMA secure_delete=ON;" /* what was carried is erased */
			      "PRAGMA trusted_schema=OFF;"
			      "PRAGMA cell_size_check=ON;";

int sqlite_fail(sqlite3 *db, struct err *err)
{
	int code = sqlite3_extended_errcode(db);
	int kind = code & 0xff;
	if (kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB)
		return fail_log(err, ERR_CORRUPT, "ledger: %s (%d)", sqlite3_errmsg(db), code);
	if (kind == SQLITE_FULL)
		return fail_log(err, ERR_FULL,
			"ledger: %s (%d): remove something else from the disk, since what is there "
			"can't be deleted without some room either",
			sqlite3_errmsg(db), code);
	return fail_log(err, ERR_TEMP, "ledger: %s (%d)", sqlite3_errmsg(db), code);
}

int sqlite_exec(sqlite3 *db, const char *sql, struct err *err)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return sqlite_fail(db, err);
	return 0;
}

/* A log that was longer is cut to so many bytes when it is started over. */
static int limit_log(sqlite3 *db, struct err *err)
{
	char sql[64];
	snprintf(sql, sizeof(sql), "PRAGMA journal_size_limit=%lld", (long long)LIMIT_WAL_BYTES);
	return sqlite_exec(db, sql, err);
}

static sqlite3 *planted_pragmas(sqlite3 *db)
{
	if (planted("published_before_flush")) /* the log is flushed when it is moved */
		sqlite3_exec(db, "PRAGMA synchronous=NORMAL", NULL, NULL, NULL);
	return db;
}

sqlite3 *sqlite_db_open(
	const struct seams *seams, const char *vfs, const char *name, int flags, struct err *err)
{
	sqlite3 *db;
	if (sqlite_open(seams->files, vfs, name, flags, &db) == SQLITE_OK) {
		sqlite3_extended_result_codes(db, 1);
		sqlite3_busy_timeout(db, SQLITE_BUSY_MS);
		sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
		if (sqlite_schema_known(db, err) == 0 &&
			(flags & SQLITE_OPEN_READONLY ||
				(sqlite_exec(db, pragmas, err) == 0 && limit_log(db, err) == 0)))
			return planted_pragmas(db);
	} else {
		fail_log(err, ERR_TEMP, "%s: %s", name, db ? sqlite3_errmsg(db) : "no memory");
	}
	sqlite3_close_v2(db);
	return NULL;
}

void sqlite_reader_init(struct sqlite_reader *c, sqlite3 *db)
{
	*c = (struct sqlite_reader){ .reader.class = &engine_sqlite, .db = db };
}

void sqlite_reader_done(struct sqlite_reader *c)
{
	for (size_t i = 0; i < SQL_STATEMENTS; i++)
		sqlite3_finalize(c->kept[i]);
	blocks_done(c);
	sqlite3_close_v2(c->db);
	*c = (struct sqlite_reader){ 0 };
}

static sqlite3_stmt *kept(struct sqlite_reader *c, enum sql which)
{
	if (c->kept[which] == NULL) {
		int rc = sqlite3_prepare_v3(c->db, sql_text[which], -1, SQLITE_PREPARE_PERSISTENT,
			&c->kept[which], NULL);
		if (rc != SQLITE_OK)
			return NULL;
	} else {
		sqlite3_reset(c->kept[which]);
	}
	return c->kept[which];
}

static int bind_one(sqlite3_stmt *st, int at, char letter, va_list *values)
{
	if (letter == 'i')
		return sqlite3_bind_int64(st, at, va_arg(*values, int64_t));
	struct str s = va_arg(*values, struct str);
	const char *p = s.p ? s.p : "";
	if (letter == 't')
		return sqlite3_bind_text(st, at, p, (int)s.n, SQLITE_STATIC);
	return sqlite3_bind_blob(st, at, p, (int)s.n, SQLITE_STATIC);
}

sqlite3_stmt *sql_bound(struct sqlite_reader *c, enum sql which, const char *format, ...)
{
	sqlite3_stmt *st = kept(c, which);
	if (st == NULL)
		return NULL;
	/* It begins a transaction, or is one. */
	if (!c->writer && sqlite3_get_autocommit(c->db))
		blocks_forget(c);
	va_list values;
	va_start(values, format);
	for (int i = 0; format[i]; i++)
		if (bind_one(st, i + 1, format[i], &values) != SQLITE_OK)
			st = NULL;
	va_end(values);
	return st;
}

int sql_row(struct sqlite_reader *c, sqlite3_stmt *st, struct err *err)
{
	if (st == NULL)
		return sqlite_fail(c->db, err);
	int rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE) {
		sqlite3_reset(st);
		return 0;
	}
	sqlite_fail(c->db, err);
	sqlite3_reset(st);
	return -1;
}

int sql_run(struct sqlite_reader *c, sqlite3_stmt *st, struct err *err)
{
	int row = sql_row(c, st, err);
	if (row > 0)
		sql_end(st);
	return row < 0 ? -1 : 0;
}

int sql_transaction_begin(struct sqlite_reader *c, enum sql which, struct err *err)
{
	if (kept(c, SQL_COMMIT) == NULL || kept(c, SQL_ROLLBACK) == NULL)
		return sqlite_fail(c->db, err);
	return sql_run(c, sql_bound(c, which, ""), err);
}

void sql_copy_text(sqlite3_stmt *st, int column, char *room, size_t size)
{
	struct str s = str_sub(sql_str(st, column), 0, size - 1);
	if (s.n)
		memcpy(room, s.p, s.n);
	room[s.n] = 0;
}

int sqlite_meta_get(struct sqlite_reader *c, const char *key, uint64_t *ret, struct err *err)
{
	sqlite3_stmt *st = sql_bound(c, SQL_META_GET, "t", str_from(key));
	int row = sql_row(c, st, err);
	if (row < 0)
		return -1;
	*ret = row ? sql_u64(st, 0) : 0;
	if (row)
		sql_end(st);
	return 0;
}

int sqlite_meta_put(struct sqlite_reader *c, const char *key, uint64_t value, struct err *err)
{
	return sql_run(c, sql_bound(c, SQL_META_PUT, "ti", str_from(key), (int64_t)value), err);
}
