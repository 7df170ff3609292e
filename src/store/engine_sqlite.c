// SPDX-License-Identifier: Apache-2.0
/*
 * The SQLite engine: opening, groups of transactions, checkpoints. The embedded default.
 *
 * A group is one SQLite transaction, and so one flush; each of our transactions in it is a
 * savepoint, so that one that fails fails alone. What a commit's failure leaves is not known, so
 * every failure there but a full disk ends the process (architecture.md, "A failed flush").
 */
#include "base/planted.h"
#include "store/disk.h"
#include "store/distrust.h"
#include "store/sqlite_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>

static const char file_name[] = "ledger.db", log_name[] = "ledger.db-wal";

/* Every operation. `cold`: it reads or writes rows that state.c keeps, so those are written first
 * and forgotten afterwards. */
static const struct {
	sqlite_op run;
	bool cold;
} operations[OP_KINDS] = {
	[OP_BODY] = { sqlite_op_body, false },
	[OP_LAND] = { sqlite_op_land, false },
	[OP_FLAGS] = { sqlite_op_flags, false },
	[OP_COPY] = { sqlite_op_copy, false },
	[OP_EXPUNGE] = { sqlite_op_expunge, false },
	[OP_MAILBOX_CREATE] = { sqlite_op_mailbox_create, true },
	[OP_MAILBOX_ENSURE] = { sqlite_op_mailbox_ensure, true },
	[OP_MAILBOX_DELETE] = { sqlite_op_mailbox_delete, true },
	[OP_MAILBOX_RENAME] = { sqlite_op_mailbox_rename, true },
	[OP_SUBSCRIBE] = { sqlite_op_subscribe, true },
	[OP_ACCOUNT_ADD] = { sqlite_op_account_add, true },
	[OP_ACCOUNT_PASSWORD] = { sqlite_op_account_password, true },
	[OP_ACCOUNT_REMOVE] = { sqlite_op_account_remove, true },
	[OP_ACCOUNT_SET] = { sqlite_op_account_set, true },
	[OP_SECRET_PUT] = { sqlite_op_secret_put, false },
	[OP_SECRET_REMOVE] = { sqlite_op_secret_remove, true },
	[OP_SECRET_USED] = { sqlite_op_secret_used, false },
	[OP_DOMAIN_ADD] = { sqlite_op_domain_add, true },
	[OP_DOMAIN_REMOVE] = { sqlite_op_domain_remove, true },
	[OP_DOMAIN_SET] = { sqlite_op_domain_set, true },
	[OP_ALIAS_ADD] = { sqlite_op_alias_add, true },
	[OP_ALIAS_REMOVE] = { sqlite_op_alias_remove, true },
	[OP_MAILBOX_RECOVER] = { sqlite_op_mailbox_recover, true },
	[OP_BODY_LOST] = { sqlite_op_body_lost, true },
	[OP_MEND] = { sqlite_op_mend, true },
	[OP_REBUILD] = { sqlite_op_rebuild, true },
	[OP_UNDELETE] = { sqlite_op_undelete, true },
	[OP_FORGET] = { sqlite_op_forget, false },
	[OP_BODY_MOVE] = { sqlite_op_body_move, false },
	[OP_SEGMENT] = { sqlite_op_segment, false },
	[OP_NAMED] = { sqlite_op_named, false },
	[OP_ANNOTATE] = { sqlite_op_annotate, false },
	[OP_RECENT] = { sqlite_op_recent, false },
};

/* ---- opening ---- */

static int note_log_pages(void *arg, sqlite3 *db, const char *name, int pages);

/* A store that was never restored has its first history, which is called like the store. */
static int read_history(struct sqlite_engine *e, struct err *err)
{
	memcpy(e->identity.history, e->identity.store_id, sizeof(e->identity.history));
	sqlite3_stmt *st = sql_bound(&e->conn, SQL_META_GET, "t", STR("history"));
	int row = sql_row(&e->conn, st, err);
	if (row <= 0)
		return row;
	struct str history = sql_str(st, 0);
	if (history.n == sizeof(e->identity.history))
		memcpy(e->identity.history, history.p, history.n);
	sql_end(st);
	return 0;
}

static int read_identity(struct sqlite_engine *e, struct err *err)
{
	sqlite3_stmt *st = sql_bound(&e->conn, SQL_META_GET, "t", STR("store_id"));
	if (sql_row(&e->conn, st, err) <= 0)
		return -1;
	struct str id = sql_str(st, 0);
	bool good = id.n == sizeof(e->identity.store_id);
	if (good)
		memcpy(e->identity.store_id, id.p, id.n);
	sql_end(st);
	uint64_t uidvalidity, segment;
	if (!good)
		return fail_log(err, ERR_CORRUPT, "ledger: the store has no identity");
	if (read_history(e, err) < 0 ||
		sqlite_schema_version(e->conn.db, &e->identity.schema, err) < 0)
		return -1;
	if (sqlite_meta_get(&e->conn, "epoch", &e->identity.epoch, err) < 0 ||
		sqlite_meta_get(&e->conn, "uidvalidity", &uidvalidity, err) < 0 ||
		sqlite_meta_get(&e->conn, "tail_segment", &segment, err) < 0 ||
		sqlite_meta_get(&e->conn, "bodies", &e->bodies, err) < 0 ||
		sqlite_meta_get(&e->conn, "tail_offset", &e->identity.committed.offset, err) < 0)
		return -1;
	e->uidvalidity = (uint32_t)uidvalidity;
	e->identity.committed.segment = (uint32_t)segment;
	e->tail = e->identity.committed;
	return 0;
}

static int open_all(struct sqlite_engine *e, struct err *err)
{
	struct files_seam *files = e->seams->files;
	if (!e->read_only && !planted("page_cache_trusted") && log_settle(files, log_name, err) < 0)
		return -1;
	int flags = e->read_only ? SQLITE_OPEN_READONLY
				 : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
	/* Its memory is not counted: that is a lock and a sum for each piece. Only before the first
	 * use of SQLite in a process, and refused after that. */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	if (log_vfs_init(&e->log, files->sqlite_vfs(files)) != SQLITE_OK)
		return fail_log(err, ERR_TEMP, "%s: no memory", file_name);
	const char *vfs = planted("published_before_flush") ? NULL : e->log.name;
	sqlite3 *db = sqlite_db_open(e->seams, vfs, file_name, flags, err);
	if (db == NULL)
		return -1;
	sqlite_reader_init(&e->conn, db);
	e->conn.writer = true;
	if (blocks_known(&e->conn, err) < 0 ||
		sqlite_schema_bring(db, e->seams, e->read_only, err) < 0)
		return -1;
	if (e->restored && !e->read_only && sqlite_begin_history(e, e->restored, err) < 0)
		return -1;
	if (e->rebuild && sqlite_begin_rebuild(e, e->rebuild, err) < 0)
		return -1;
	if (read_identity(e, err) < 0)
		return -1;
	if (e->read_only)
		return 0;
	/* The name of a new file must be on disk too. */
	if (e->seams->files->sync_directory(e->seams->files, ".") < 0)
		return fail_log(err, ERR_TEMP, "the store's directory can't be flushed");
	sqlite3_wal_hook(db, note_log_pages, e);
	e->checkpointer = sqlite_db_open(e->seams, NULL, file_name, SQLITE_OPEN_READWRITE, err);
	return e->checkpointer ? 0 : -1;
}

static void engine_close(struct engine **engine)
{
	if (*engine == NULL)
		return;
	struct sqlite_engine *e = sqlite_engine_of(*engine);
	*engine = NULL;
	sqlite_copy_end(&e->engine);
	state_done(e);
	if (e->distrusted || e->read_only) {
		/* Not even the checkpoint that SQLite makes when the last one closes. */
		if (e->conn.db)
			sqlite3_db_config(e->conn.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		if (e->checkpointer)
			sqlite3_db_config(
				e->checkpointer, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	}
	sqlite3_close_v2(e->checkpointer);
	sqlite_reader_done(&e->conn);
	log_vfs_done(&e->log);
	free(e);
}

static struct engine *engine_open(const struct engine_options *options, struct err *err)
{
	struct sqlite_engine *e = xmalloc(sizeof(*e));
	*e = (struct sqlite_engine){ .engine.class = &engine_sqlite,
		.seams = options->seams,
		.read_only = options->read_only,
		.bounds = options->bounds ? options->bounds : &store_bounds_normal,
		.reserve_bytes = options->reserve_bytes,
		.restored = options->restored,
		.rebuild = options->rebuild };
	state_init(e);
	struct engine *engine = &e->engine;
	if (open_all(e, err) < 0)
		engine_close(&engine);
	return engine;
}

static void engine_identity_of(struct engine *engine, struct engine_identity *ret)
{
	*ret = sqlite_engine_of(engine)->identity;
}

/* ---- a group ---- */

static bool is_cold(const struct txn *txn)
{
	VEC_EACH (struct op, op, &txn->ops)
		if (operations[op->kind].cold)
			return true;
	return false;
}

static int run_operations(struct sqlite_engine *e, struct txn *txn, struct err *err)
{
	VEC_EACH (struct op, op, &txn->ops)
		if (operations[op->kind].run(e, op, err) < 0)
			return -1;
	return 0;
}

/* One transaction in its savepoint. -1: the group can't go on. */
static int run_one(struct sqlite_engine *e, struct txn *txn, struct err *err)
{
	bool cold = is_cold(txn);
	uint64_t bodies = e->bodies;
	struct err why = ERR_INIT;
	txn_reset_results(txn);
	e->txn = txn;
	if (cold && state_write(e, err) < 0)
		return -1;
	blocks_begin(&e->conn);
	if (sql_run(&e->conn, sql_bound(&e->conn, SQL_SAVEPOINT, ""), err) < 0)
		return -1;
	int rc = run_operations(e, txn, &why);
	if (rc == 0 && cold)
		rc = state_write(e, &why);
	if (sqlite3_get_autocommit(e->conn.db)) {
		/* A full disk or an I/O error has undone the whole group. */
		*err = why;
		return -1;
	}
	state_settle(e, rc < 0);
	if (rc < 0) {
		e->bodies = bodies;
		vec_clear(&txn->changes);
		vec_clear(&txn->dropped);
		txn->err = why;
		if (sql_run(&e->conn, sql_bound(&e->conn, SQL_ROLLBACK_TO, ""), err) < 0)
			return -1;
	}
	if (cold)
		state_clear(e);
	return sql_run(&e->conn, sql_bound(&e->conn, SQL_RELEASE, ""), err);
}

static int put_if(
	struct sqlite_engine *e, bool changed, const char *key, uint64_t value, struct err *err)
{
	return changed ? sqlite_meta_put(&e->conn, key, value, err) : 0;
}

static int write_meta(struct sqlite_engine *e, uint64_t bodies, struct err *err)
{
	struct segment_end was = e->identity.committed, tail = e->tail;
	if (put_if(e, e->bodies != bodies, "bodies", e->bodies, err) < 0 ||
		put_if(e, tail.offset != was.offset, "tail_offset", tail.offset, err) < 0)
		return -1;
	return put_if(e, tail.segment != was.segment, "tail_segment", tail.segment, err);
}

/* Rows that were written since the connection was opened; what was rolled back is among them. */
static size_t rows_written(const struct sqlite_engine *e)
{
	return (size_t)sqlite3_total_changes64(e->conn.db);
}

/* All of the transactions, or as many of the first as it takes to write bounds->group_rows: so the
 * log does not grow by what hundreds of huge ones write before it can be started over. */
static int run_group(
	struct sqlite_engine *e, struct txn *const *txns, size_t n, size_t *ret_n, struct err *err)
{
	uint64_t bodies = e->bodies;
	size_t rows = rows_written(e), i = 0;
	if (sql_transaction_begin(&e->conn, SQL_BEGIN, err) < 0)
		return -1;
	if (e->engine.carry && sqlite_carry(e, e->engine.carry, err) < 0)
		return -1;
	while (i < n && rows_written(e) - rows < e->bounds->group_rows)
		if (run_one(e, txns[i++], err) < 0)
			return -1;
	*ret_n = i;
	if (state_write(e, err) < 0 || write_meta(e, bodies, err) < 0)
		return -1;
	if (e->engine.before_commit &&
		e->engine.before_commit(e->engine.before_commit_arg, err) < 0)
		return -1;
	return sql_run(&e->conn, sql_bound(&e->conn, SQL_COMMIT, ""), err);
}

static void fail_group(struct txn *const *txns, size_t n, const struct err *why)
{
	for (size_t i = 0; i < n; i++) {
		vec_clear(&txns[i]->changes);
		vec_clear(&txns[i]->dropped);
		txns[i]->err = *why;
	}
}

/* Whether the database's last failure is one after which the disk can't be believed. A full disk
 * (SQLITE_FULL) comes from a write: nothing was promised, nothing is in doubt. */
static bool is_grave(sqlite3 *db)
{
	return (sqlite3_errcode(db) & 0xff) == SQLITE_IOERR;
}

enum {
	PAGE_BYTES = 4096,
	DUE_PAGES = 4 * 1024 * 1024 / PAGE_BYTES, /* new ones, for a checkpoint */
};

/* Everything in the log is moved to its place; a reader that is in the way is given a while. 1: it
 * is so; 0: it can't be now; -1: the disk can't be believed. */
static int move_log(struct sqlite_engine *e, int mode, int within_ms, struct err *err)
{
	sqlite3_busy_timeout(e->conn.db, within_ms);
	int rc = sqlite3_wal_checkpoint_v2(e->conn.db, NULL, mode, NULL, NULL);
	sqlite3_busy_timeout(e->conn.db, SQLITE_BUSY_MS);
	if (rc != SQLITE_OK)
		return is_grave(e->conn.db) ? sqlite_fail(e->conn.db, err) : 0;
	if (mode == SQLITE_CHECKPOINT_TRUNCATE)
		e->log_pages = e->moved_pages = 0;
	return 1;
}

/* Whether the log takes the room that deleting needs: mail is refused already, and the log has half
 * of what reclaim leaves to the ledger; or a group found no room at all. */
static bool log_must_go(const struct sqlite_engine *e)
{
	uint64_t bytes = (uint64_t)e->log_pages * PAGE_BYTES;
	if (e->was_full)
		return true;
	return bytes >= disk_last_reserve(e->reserve_bytes) / 2 &&
	       !disk_has_room(e->seams->files, 1, disk_reserve(e->reserve_bytes));
}

/* The maintainer moves pages while others write, so under load it never finds the log at its end,
 * which is what SQLite needs to start it over. The writer does that, when little is left to move;
 * a reader that is in the way is given a tenth of a second, and then it is tried at the next
 * group. It begins at a quarter of LIMIT_WAL_BYTES, so that groups, small beside that, do not reach
 * the limit; a log that one huge group has made longer is cut to it (sqlite_db.c). Where room is
 * short it is cut to nothing, and sooner. */
static int keep_log_small(struct sqlite_engine *e, struct err *err)
{
	int mode = log_must_go(e) ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_RESTART;
	if (mode == SQLITE_CHECKPOINT_RESTART &&
		(size_t)e->log_pages < e->bounds->log_bytes / 4 / PAGE_BYTES)
		return 0;
	e->was_full = false;
	return move_log(e, mode, 100, err) < 0 ? -1 : 0;
}

/* A segment has gone, and what the log still holds of its messages must not outlive it: everything
 * is moved to its place and the log is cut. A reader that is in the way is given a tenth of a
 * second; then it is tried behind each group, without waiting. */
static int clear_log(struct sqlite_engine *e, struct err *err)
{
	int moved = move_log(e, SQLITE_CHECKPOINT_TRUNCATE, e->erase == ERASE_NOW ? 100 : 0, err);
	e->erase = moved > 0 ? ERASE_NOTHING : ERASE_LATER;
	if (moved < 0)
		e->distrusted = true;
	return moved < 0 ? -1 : 0;
}

static int note_log_pages(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct sqlite_engine *e = arg;
	(void)db;
	(void)name;
	if (pages < e->moved_pages)
		e->moved_pages = 0; /* the log was started over */
	e->log_pages = pages;
	return SQLITE_OK;
}

/* Some of the first. -1: the disk can't be believed; else what can't be done has failed. */
static int run_some(
	struct sqlite_engine *e, struct txn *const *txns, size_t n, size_t *ret_n, struct err *err)
{
	struct err why = ERR_INIT;
	uint64_t bodies = e->bodies;
	state_trim(e);
	if (keep_log_small(e, &why) == 0 && run_group(e, txns, n, ret_n, &why) == 0) {
		e->identity.committed = e->tail;
		e->engine.carry = NULL;
		return e->erase ? clear_log(e, err) : 0;
	}
	bool grave = is_grave(e->conn.db);
	e->was_full = why.kind == ERR_FULL;
	if (!sqlite3_get_autocommit(e->conn.db))
		sql_run(&e->conn, sql_bound(&e->conn, SQL_ROLLBACK, ""), NULL);
	state_clear(e);
	e->tail = e->identity.committed;
	e->bodies = bodies;
	if (why.kind == ERR_NONE)
		fail_log(&why, ERR_TEMP, "ledger: the group failed");
	fail_group(txns, n, &why);
	*ret_n = n;
	if (!grave)
		return 0;
	e->distrusted = true;
	*err = why;
	return -1;
}

static int engine_run(struct engine *engine, struct txn *const *txns, size_t n, struct err *err)
{
	struct sqlite_engine *e = sqlite_engine_of(engine);
	struct err why = ERR_INIT;
	if (e->read_only) {
		fail(&why, ERR_READ_ONLY, "the store takes no changes at present");
		fail_group(txns, n, &why);
		return 0;
	}
	for (size_t done = 0, some = 0; done < n; done += some)
		if (run_some(e, txns + done, n - done, &some, err) < 0)
			return -1;
	return 0;
}

/* ---- checkpoints ---- */

/* Passive: it moves what no reader needs any more, and waits for nobody. */
static int engine_checkpoint(struct engine *engine, struct err *err)
{
	struct sqlite_engine *e = sqlite_engine_of(engine);
	int pages = 0, moved = 0;
	if (e->read_only)
		return 0;
	int rc = sqlite3_wal_checkpoint_v2(
		e->checkpointer, NULL, SQLITE_CHECKPOINT_PASSIVE, &pages, &moved);
	if (rc == SQLITE_OK)
		e->moved_pages = moved;
	if (rc == SQLITE_OK || !is_grave(e->checkpointer))
		return 0;
	e->distrusted = true;
	return sqlite_fail(e->checkpointer, err);
}

static bool engine_checkpoint_due(struct engine *engine)
{
	struct sqlite_engine *e = sqlite_engine_of(engine);
	return e->log_pages - e->moved_pages >= DUE_PAGES;
}

static void engine_reader_close(struct reader **reader)
{
	if (*reader == NULL)
		return;
	struct sqlite_reader *c = sqlite_reader_of(*reader);
	*reader = NULL;
	sqlite_reader_done(c);
	free(c);
}

static struct reader *engine_reader_open(struct engine *engine, struct err *err)
{
	struct sqlite_engine *e = sqlite_engine_of(engine);
	sqlite3 *db = sqlite_db_open(e->seams, NULL, file_name, SQLITE_OPEN_READONLY, err);
	if (db == NULL)
		return NULL;
	struct sqlite_reader *c = xmalloc(sizeof(*c));
	sqlite_reader_init(c, db);
	struct reader *reader = &c->reader;
	if (blocks_known(c, err) < 0)
		engine_reader_close(&reader);
	return reader;
}

const struct engine_class engine_sqlite = {
	.name = "sqlite",
	.open = engine_open,
	.close = engine_close,
	.run = engine_run,
	.checkpoint = engine_checkpoint,
	.checkpoint_due = engine_checkpoint_due,
	.identity = engine_identity_of,
	.carried = sqlite_carried,
	.copy_begin = sqlite_copy_begin,
	.copy_step = sqlite_copy_step,
	.copy_end = sqlite_copy_end,
	.reader_open = engine_reader_open,
	.reader_close = engine_reader_close,
	.account_by_address = sqlite_account_by_address,
	.account_by_id = sqlite_account_by_id,
	.credentials = sqlite_credentials,
	.offers = sqlite_offers,
	.account_first = sqlite_account_first,
	.domain = sqlite_domain,
	.alias_targets = sqlite_alias_targets,
	.account_each = sqlite_account_each,
	.domain_each = sqlite_domain_each,
	.alias_each = sqlite_alias_each,
	.mailbox_each = sqlite_mailbox_each,
	.mailbox_by_name = sqlite_mailbox_by_name,
	.mailbox_by_id = sqlite_mailbox_by_id,
	.recent = sqlite_recent,
	.view = sqlite_view,
	.numbers = sqlite_numbers,
	.expunged = sqlite_expunged,
	.annotation_each = sqlite_annotation_each,
	.snapshot_begin = sqlite_snapshot_begin,
	.snapshot_end = sqlite_snapshot_end,
	.entry = sqlite_entry,
	.entry_bodies = sqlite_entry_bodies,
	.body_each = sqlite_body_each,
	.broken = sqlite_broken,
	.entry_ids = sqlite_entry_ids,
	.counts = sqlite_counts,
	.check_account = sqlite_check_account,
	.segment_each = sqlite_segment_each,
	.bodies_in = sqlite_bodies_in,
	.kept = sqlite_kept,
	.deleted_each = sqlite_deleted_each,
	.deleted_expired = sqlite_deleted_expired,
	.removed_each = sqlite_removed_each,
	.check = sqlite_check,
};
