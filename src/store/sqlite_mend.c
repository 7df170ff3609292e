// SPDX-License-Identifier: Apache-2.0
/*
 * Operations of a repair (repair.c). They look at the rows themselves, not at the counters that
 * other operations keep, and OP_MEND, which a repair ends with (and which is all of a recount),
 * sets those right.
 */
#include "store/sqlite_private.h"

#include <inttypes.h>

/* ---- rows that name what is not there ---- */

static struct broken_entry from_row(sqlite3_stmt *st)
{
	return (struct broken_entry){ .account = sql_u64(st, 0),
		.mailbox = sql_u64(st, 1),
		.uid = sql_u32(st, 2),
		.body = sql_u64(st, 3),
		.entry_id = sql_u64(st, 4),
		.prefix_at = sql_u32(st, 5),
		.prefix_size = sql_u32(st, 6),
		.flags = (uint8_t)sql_u32(st, 7),
		.time = sqlite3_column_int64(st, 8),
		.size = sql_u64(st, 9) };
}

int sqlite_broken(struct reader *r, enum broken which, uint64_t key, size_t n, struct vec *ret,
	struct err *err)
{
	static const enum sql statements[] = { [BROKEN_OF_BODY] = SQL_BROKEN_OF_BODY,
		[BROKEN_NO_BODY] = SQL_BROKEN_NO_BODY,
		[BROKEN_NO_MAILBOX] = SQL_BROKEN_NO_MAILBOX };
	struct sqlite_reader *c = sqlite_reader_of(r);
	sqlite3_stmt *st = sql_bound(c, statements[which], "ii", (int64_t)key, (int64_t)n);
	int row;
	while ((row = sql_row(c, st, err)) > 0) {
		struct broken_entry entry = from_row(st);
		vec_push(ret, &entry);
	}
	return row;
}

/* ---- operations ---- */

static int run_with(struct sqlite_engine *e, const char *sql, int64_t number, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(e->conn.db, sql, -1, &st, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_bind_int64(st, 1, number);
		rc = sqlite3_step(st);
	}
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? 0 : sqlite_fail(e->conn.db, err);
}

/* The entries of a mailbox that has no row get one, with the number that they name. */
int sqlite_op_mailbox_recover(struct sqlite_engine *e, struct op *op, struct err *err)
{
	struct account_state *a = state_by(e, &op->by, err);
	char name[40], sql[400];
	if (a == NULL || sqlite_next_uidvalidity(e, err) < 0)
		return -1;
	snprintf(name, sizeof(name), "Recovered-%" PRIu64, op->mend.mailbox);
	snprintf(sql, sizeof(sql),
		"INSERT INTO mailboxes(id,account,name,uidvalidity,modseq) "
		"VALUES(?1,%" PRIu64 ",'%s',%u,%" PRIu64 ")",
		a->id, name, e->uidvalidity, state_next_modseq(e, a));
	if (run_with(e, sql, (int64_t)op->mend.mailbox, err) < 0)
		return -1;
	return sqlite_subscribe(e, a->id, str_from(name), true, err);
}

/* A body that can't be read, and all that names it. */
int sqlite_op_body_lost(struct sqlite_engine *e, struct op *op, struct err *err)
{
	static const char *const steps[] = {
		"INSERT OR REPLACE INTO expunged(mailbox,uid,modseq) "
		"SELECT e.mailbox,e.uid,coalesce((SELECT a.modseq+1 FROM mailboxes m "
		"JOIN accounts a ON a.id=m.account WHERE m.id=e.mailbox),1) "
		"FROM entries e WHERE e.body=?1",
		"UPDATE accounts SET modseq=modseq+1 WHERE id IN (SELECT m.account FROM entries e "
		"JOIN mailboxes m ON m.id=e.mailbox WHERE e.body=?1)",
		"UPDATE mailboxes SET modseq=(SELECT modseq FROM accounts a WHERE a.id=account) "
		"WHERE id IN (SELECT mailbox FROM entries WHERE body=?1)",
		"DELETE FROM entries WHERE body=?1",
		"DELETE FROM deleted WHERE body=?1",
	};
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		if (run_with(e, steps[i], (int64_t)op->mend.body, err) < 0)
			return -1;
	return sqlite_body_drop(e, op->mend.body, err);
}

#define NAMELESS                                                                                   \
	"WHERE NOT EXISTS(SELECT 1 FROM entries WHERE body=bodies.id) "                            \
	"AND NOT EXISTS(SELECT 1 FROM deleted WHERE body=bodies.id)"

/* The bytes of bodies that no message names, whose rows are about to go, are dead from now on. */
static int note_dead(struct sqlite_engine *e, struct err *err)
{
	static const char sql[] =
		"INSERT INTO segments(segment,dead,since) SELECT segment,sum(stored),?1 FROM "
		"bodies " NAMELESS
		" GROUP BY segment ON CONFLICT(segment) DO UPDATE SET since=CASE WHEN dead=0 "
		"THEN excluded.since ELSE since END,dead=dead+excluded.dead";
	return run_with(e, sql, e->seams->clock->wall_ms(e->seams->clock), err);
}

static int count_bodies(struct sqlite_engine *e, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(e->conn.db, "SELECT count(*) FROM bodies", -1, &st, NULL);
	if (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW)
		e->bodies = sql_u64(st, 0);
	sqlite3_finalize(st);
	return rc == SQLITE_ROW ? 0 : sqlite_fail(e->conn.db, err);
}

/* Flags of entries that are not there go; entries without get none, at a modseq that is new. */
static int mend_blocks(struct sqlite_engine *e, struct err *err)
{
	if (sql_run(&e->conn, sql_bound(&e->conn, SQL_MEND_BLOCKS_GONE, ""), err) < 0 ||
		sql_run(&e->conn, sql_bound(&e->conn, SQL_MEND_BLOCKS, ""), err) < 0)
		return -1;
	blocks_forget(&e->conn);
	return 0;
}

/* Counters are kept by the operations that change rows; after damage they may be off. done_count:
 * rows that were not what they are now. */
int sqlite_op_mend(struct sqlite_engine *e, struct op *op, struct err *err)
{
	static const enum sql counters[] = { SQL_MEND_MAILBOXES, SQL_MEND_ACCOUNTS };
	static const char references[] =
		"DELETE FROM bodies " NAMELESS ";"
		"DELETE FROM deleted WHERE NOT EXISTS(SELECT 1 FROM bodies WHERE id=deleted.body);";
	/* A message is its lines and its body. */
	static const char sizes[] =
		"UPDATE entries SET size=prefix_size+(SELECT size FROM bodies WHERE id=body) "
		"WHERE size<>prefix_size+(SELECT size FROM bodies WHERE id=body);"
		"UPDATE deleted SET size=prefix_size+(SELECT size FROM bodies WHERE id=body) "
		"WHERE size<>prefix_size+(SELECT size FROM bodies WHERE id=body);";
	int64_t first = (int64_t)op->mend.account, last = first ? first : INT64_MAX;
	/* Of this transaction's operations before. */
	if (blocks_write(&e->conn, err) < 0 || (first == 0 && note_dead(e, err) < 0))
		return -1;
	int before = sqlite3_total_changes(e->conn.db);
	if (first == 0 && (sqlite_exec(e->conn.db, references, err) < 0 ||
				  sqlite_exec(e->conn.db, sizes, err) < 0 ||
				  count_bodies(e, err) < 0 || mend_blocks(e, err) < 0))
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(counters); i++)
		if (sql_run(&e->conn, sql_bound(&e->conn, counters[i], "ii", first, last), err) < 0)
			return -1;
	op->result.done_count = (uint32_t)(sqlite3_total_changes(e->conn.db) - before);
	return 0;
}
