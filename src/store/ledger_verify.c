// SPDX-License-Identifier: Apache-2.0
/* SQLite's integrity check of a ledger. */
#include "store/ledger_verify.h"

#include "base/str.h"

#include <errno.h>
#include <fcntl.h>

static bool is_damage(int code)
{
	return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
}

/* What the check has to say in its first line, which is "ok" or about the first damage it met. */
int ledger_verify_open(sqlite3 *db, const char *name, struct err *err)
{
	sqlite3_stmt *st = NULL;
	char said[200] = "";
	sqlite3_exec(db, "PRAGMA trusted_schema=OFF;PRAGMA cell_size_check=ON", NULL, NULL, NULL);
	int rc = sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		snprintf(said, sizeof(said), "%s", (const char *)sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
	if (str_equal(str_from(said), STR("ok")))
		return 0;
	if (rc == SQLITE_ROW || is_damage(rc))
		return fail_log(err, ERR_CORRUPT, "%s is damaged: %s", name,
			said[0] ? said : sqlite3_errmsg(db));
	return fail_log(err, ERR_TEMP, "verifying %s: %s", name, sqlite3_errmsg(db));
}

/* An empty database is whole, too, and no ledger. */
static int has_accounts(sqlite3 *db, const char *name, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db, "SELECT 1 FROM accounts,mailboxes,meta", -1, &st, NULL);
	sqlite3_finalize(st);
	if (rc == SQLITE_OK)
		return 0;
	return fail_log(err, is_damage(rc) || rc == SQLITE_ERROR ? ERR_CORRUPT : ERR_TEMP,
		"%s is no ledger: %s", name, sqlite3_errmsg(db));
}

int ledger_verify(struct files_seam *files, const char *name, struct err *err)
{
	sqlite3 *db = NULL;
	int file = files->open(files, name, O_RDONLY, 0);
	if (file < 0) {
		errno = -file;
		return file == -ENOENT ? fail_log(err, ERR_NOT_FOUND, "there is no %s", name)
				       : fail_errno(err, "%s", name);
	}
	(void)files->close(files, file);
	int rc = sqlite_open(files, NULL, name, SQLITE_OPEN_READONLY, &db);
	if (rc != SQLITE_OK)
		fail_log(err, is_damage(rc) ? ERR_CORRUPT : ERR_TEMP, "%s: %s", name,
			sqlite3_errstr(rc));
	int result = rc == SQLITE_OK && ledger_verify_open(db, name, err) == 0 &&
				     has_accounts(db, name, err) == 0
			     ? 0
			     : -1;
	if (db)
		sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_close_v2(db);
	return result;
}
