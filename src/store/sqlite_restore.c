// SPDX-License-Identifier: Apache-2.0
/*
 * A new history: what a ledger that was restored to an earlier state must not give again. What came
 * after that state is lost here and remembered by clients: so every mailbox gets a UIDVALIDITY that
 * none had, and every counter goes on beyond where the lost past can have brought it (RFC 9051
 * 2.3.1.1, RFC 7162 3.1.2.2, RFC 8474 5.1). G7
 */
#include "store/sqlite_private.h"

#include <inttypes.h>

/* Beyond what can have happened between two backups. */
#define LOST_MODSEQS   "4294967296" /* changes of an account */
#define LOST_NUMBERS   "1048576"    /* messages of a mailbox; mailboxes and accounts */
#define LOST_MAILBOXES 1048576

static const char sql_begin[] =
	"BEGIN IMMEDIATE;"
	/* UIDLs of what is there stay. */
	"UPDATE entries SET uidl=-(SELECT uidvalidity FROM mailboxes WHERE id=mailbox)"
	" WHERE uidl=0 AND mailbox IN (SELECT id FROM mailboxes);"
	"UPDATE meta SET value=value+1 WHERE key='epoch';"
	"UPDATE accounts SET modseq=modseq+" LOST_MODSEQS ",epoch=epoch+1;"
	"UPDATE mailboxes SET modseq=(SELECT modseq FROM accounts a WHERE a.id=account),"
	" uidnext=CASE WHEN uidnext<2147483648 THEN uidnext+" LOST_NUMBERS " ELSE uidnext END "
	"WHERE account IN (SELECT id FROM accounts);"
	"DELETE FROM expunged;"
	"UPDATE sqlite_sequence SET seq=seq+" LOST_NUMBERS ";";

static int set_uidvalidities(struct sqlite_engine *e, uint64_t base, struct err *err)
{
	char sql[400];
	snprintf(sql, sizeof(sql),
		"UPDATE mailboxes SET uidvalidity=%" PRIu64 "+r.n FROM "
		"(SELECT id,row_number() OVER (ORDER BY id) AS n FROM mailboxes) r "
		"WHERE r.id=mailboxes.id;"
		"UPDATE meta SET value=%" PRIu64 "+(SELECT count(*) FROM mailboxes) "
		"WHERE key='uidvalidity';",
		base, base);
	return sqlite_exec(e->conn.db, sql, err);
}

static uint64_t max_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static int change_all(struct sqlite_engine *e, const struct restored *r, struct err *err)
{
	uint64_t given;
	int64_t now = e->seams->clock->wall_ms(e->seams->clock) / 1000;
	if (sqlite_exec(e->conn.db, sql_begin, err) < 0 ||
		sqlite_meta_get(&e->conn, "uidvalidity", &given, err) < 0)
		return -1;
	uint64_t base = max_of(max_of(given, r->uidvalidity), now > 0 ? (uint64_t)now : 0);
	/* Where the lost past is not known it may have given some more. */
	base += r->uidvalidity ? 0 : LOST_MAILBOXES;
	if (base > UINT32_MAX - LOST_MAILBOXES)
		return fail(err, ERR_LIMIT, "no UIDVALIDITY is left");
	if (set_uidvalidities(e, base, err) < 0)
		return -1;
	sqlite3_stmt *st = sql_bound(&e->conn, SQL_META_PUT, "tb", STR("history"),
		str_make(r->history, sizeof(r->history)));
	if (sql_run(&e->conn, st, err) < 0)
		return -1;
	return sqlite_exec(e->conn.db, "COMMIT", err);
}

static int is_begun(struct sqlite_engine *e, const struct restored *r, struct err *err)
{
	sqlite3_stmt *st = sql_bound(&e->conn, SQL_META_GET, "t", STR("history"));
	int row = sql_row(&e->conn, st, err);
	if (row <= 0)
		return row;
	int same = str_equal(sql_str(st, 0), str_make(r->history, sizeof(r->history)));
	sql_end(st);
	return same;
}

int sqlite_begin_history(struct sqlite_engine *e, const struct restored *r, struct err *err)
{
	int begun = is_begun(e, r, err);
	if (begun)
		return begun < 0 ? -1 : 0;
	if (change_all(e, r, err) == 0)
		return 0;
	sqlite3_exec(e->conn.db, "ROLLBACK", NULL, NULL, NULL);
	return -1;
}
