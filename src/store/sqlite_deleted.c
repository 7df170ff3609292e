// SPDX-License-Identifier: Apache-2.0
/*
 * Deleted messages. An entry that is expunged, or goes with its mailbox or account, becomes a row
 * of the table `deleted`: kept for a configured time, from which it can be put back, and then
 * forgotten. Forgetting is the one way in which a body loses its last name: its row goes in the
 * same transaction, and its bytes count as dead in their segment from then on (reclaim.c).
 *
 * What is kept counts not toward the quota, but has the quota as its own bound: beyond it the
 * oldest are forgotten early, so that nobody fills the disk by deleting.
 */
#include "store/names.h"
#include "store/sqlite_private.h"

static int64_t now_of(const struct sqlite_engine *e)
{
	return e->seams->clock->wall_ms(e->seams->clock);
}

/* ---- bodies that nobody names ---- */

int sqlite_segment_dead(struct sqlite_engine *e, uint32_t segment, uint64_t bytes, struct err *err)
{
	return sql_run(&e->conn,
		sql_bound(&e->conn, SQL_SEGMENT_DEAD, "iii", (int64_t)segment, (int64_t)bytes,
			now_of(e)),
		err);
}

int sqlite_body_drop(struct sqlite_engine *e, uint64_t body, struct err *err)
{
	sqlite3_stmt *st = sql_bound(&e->conn, SQL_BODY_DROP, "i", (int64_t)body);
	int row = sql_row(&e->conn, st, err);
	if (row <= 0)
		return row;
	uint32_t segment = sql_u32(st, 0);
	uint64_t stored = sql_u64(st, 1);
	sql_end(st);
	e->bodies--;
	vec_push(&e->txn->dropped, &body);
	return sqlite_segment_dead(e, segment, stored, err);
}

/* ---- forgetting ---- */

struct kept_row {
	int64_t time;
	uint64_t mailbox, body, size;
	uint32_t uid;
};

/* The oldest that was deleted before a time. 1, 0 none, -1. */
static int oldest(struct sqlite_engine *e, uint64_t account, int64_t before, struct kept_row *ret,
	struct err *err)
{
	sqlite3_stmt *st = sql_bound(&e->conn, SQL_DELETED_OLDEST, "ii", (int64_t)account, before);
	int row = sql_row(&e->conn, st, err);
	if (row <= 0)
		return row;
	*ret = (struct kept_row){ .time = sqlite3_column_int64(st, 0),
		.mailbox = sql_u64(st, 1),
		.uid = sql_u32(st, 2),
		.body = sql_u64(st, 3),
		.size = sql_u64(st, 4) };
	sql_end(st);
	return 1;
}

static int delete_row(
	struct sqlite_engine *e, uint64_t account, const struct kept_row *row, struct err *err)
{
	return sql_run(&e->conn,
		sql_bound(&e->conn, SQL_DELETED_DELETE, "iiii", (int64_t)account, row->time,
			(int64_t)row->mailbox, (int64_t)row->uid),
		err);
}

/* a: NULL for an account that was removed. */
static void uncharge(struct sqlite_engine *e, struct account_state *a, uint64_t size)
{
	if (a == NULL)
		return;
	state_touch_account(e, a);
	a->kept_bytes -= size;
	a->kept_messages--;
}

static int forget_row(struct sqlite_engine *e, uint64_t account, struct account_state *a,
	const struct kept_row *row, struct err *err)
{
	if (delete_row(e, account, row, err) < 0)
		return -1;
	uncharge(e, a, row->size);
	return sqlite_body_drop(e, row->body, err);
}

/* The account's state; *ret NULL: it was removed. */
static int state_if_there(
	struct sqlite_engine *e, uint64_t account, struct account_state **ret, struct err *err)
{
	struct err why = ERR_INIT;
	*ret = state_account(e, account, &why);
	if (*ret || why.kind == ERR_NOT_FOUND)
		return 0;
	*err = why;
	return -1;
}

/* Nothing is left of an account that was removed: neither is its address. */
static int forget_removed(struct sqlite_engine *e, uint64_t account, struct err *err)
{
	return sql_run(
		&e->conn, sql_bound(&e->conn, SQL_REMOVED_DELETE, "i", (int64_t)account), err);
}

int sqlite_op_forget(struct sqlite_engine *e, struct op *op, struct err *err)
{
	const struct op_forget *forget = &op->forget;
	struct account_state *a;
	struct kept_row row;
	int more = 1;
	if (state_if_there(e, forget->account, &a, err) < 0)
		return -1;
	while (op->result.done_count < forget->most &&
		(more = oldest(e, forget->account, forget->before, &row, err)) > 0) {
		if (forget_row(e, forget->account, a, &row, err) < 0)
			return -1;
		op->result.done_count++;
	}
	op->result.more = more > 0;
	return more < 0 ? -1 : forget_removed(e, forget->account, err);
}

/* ---- keeping ---- */

/* Whether more is kept than the quota allows for it. */
static bool keeps_too_much(const struct account_state *a)
{
	return (a->quota_bytes && a->kept_bytes > a->quota_bytes) ||
	       (a->quota_messages && a->kept_messages > a->quota_messages);
}

int sqlite_deleted_keep_within(struct sqlite_engine *e, struct account_state *a, uint64_t messages,
	uint64_t bytes, struct err *err)
{
	struct kept_row row;
	int found = 1;
	state_touch_account(e, a);
	a->kept_bytes += bytes;
	a->kept_messages += messages;
	while (keeps_too_much(a) && (found = oldest(e, a->id, INT64_MAX, &row, err)) > 0)
		if (forget_row(e, a->id, a, &row, err) < 0)
			return -1;
	return found < 0 ? -1 : 0;
}

int sqlite_deleted_keep(
	struct sqlite_engine *e, struct account_state *a, struct deleted_row *row, struct err *err)
{
	row->time = now_of(e);
	if (sql_run(&e->conn,
		    sql_bound(&e->conn, SQL_DELETED_INSERT, "iiiiiiiiiiitt", (int64_t)a->id,
			    row->time, (int64_t)row->mailbox, (int64_t)row->uid, (int64_t)row->body,
			    (int64_t)row->prefix_at, (int64_t)row->prefix_size, (int64_t)row->flags,
			    (int64_t)row->size, row->date, (int64_t)row->entry_id, row->name,
			    row->keywords),
		    err) < 0)
		return -1;
	return sqlite_deleted_keep_within(e, a, 1, row->size, err);
}

int sqlite_deleted_keep_all(struct sqlite_engine *e, struct account_state *a,
	const struct mailbox_state *m, struct err *err)
{
	return sql_run(&e->conn,
		sql_bound(&e->conn, SQL_DELETED_KEEP, "iii", (int64_t)a->id, now_of(e),
			(int64_t)m->id),
		err);
}

int sqlite_deleted_of_removed(
	struct sqlite_engine *e, uint64_t account, struct str address, bool erase, struct err *err)
{
	if (erase && sql_run(&e->conn, sql_bound(&e->conn, SQL_DELETED_END, "i", (int64_t)account),
			     err) < 0)
		return -1;
	if (sql_run(&e->conn,
		    sql_bound(&e->conn, SQL_REMOVED_INSERT, "iti", (int64_t)account, address,
			    now_of(e)),
		    err) < 0)
		return -1;
	return forget_removed(e, account, err);
}

/* ---- putting back ---- */

enum { BACK_AT_ONCE = 500, THERE_AT_ONCE = 5000 };
static const struct str recovered = STR_INIT("Recovered");

struct going_back {
	struct sqlite_engine *e;
	struct account_state *a;
	struct account_state *from; /* NULL: of an account that was removed */
	uint64_t from_id;
	struct op *op;
	struct vec rows;       /* struct deleted_row; strings are in the transaction's arena */
	uint64_t last_mailbox; /* where the one before was, and what took it */
	struct mailbox_state *last_target;
};

static int collect(void *arg, const struct deleted_row *row)
{
	struct going_back *g = arg;
	struct deleted_row copy = *row;
	if (txn_keep(g->e->txn, &copy.name) && txn_keep(g->e->txn, &copy.keywords) &&
		vec_push(&g->rows, &copy))
		return 0;
	return 1;
}

/* A mailbox of the account by id or by name; *ret NULL: there is none. */
static int find_target(struct going_back *g, const struct deleted_row *row,
	struct mailbox_state **ret, struct err *err)
{
	struct err why = ERR_INIT;
	struct mailbox_row found;
	*ret = state_owned(g->e, row->mailbox, g->a->id, &why);
	if (*ret == NULL && why.kind == ERR_NOT_FOUND) {
		why = (struct err)ERR_INIT;
		if (sqlite_mailbox_by_name(&g->e->conn.reader, g->a->id, row->name, &found, &why) ==
			0)
			*ret = state_mailbox(g->e, found.status.id, &why);
	}
	if (*ret || why.kind == ERR_NOT_FOUND)
		return 0;
	*err = why;
	return -1;
}

static struct mailbox_state *make_recovered(struct going_back *g, struct err *err)
{
	struct mailbox_row row;
	struct err why = ERR_INIT;
	if (sqlite_mailbox_by_name(&g->e->conn.reader, g->a->id, recovered, &row, &why) == 0)
		return state_mailbox(g->e, row.status.id, err);
	if (why.kind != ERR_NOT_FOUND) {
		*err = why;
		return NULL;
	}
	if (sqlite_mailbox_make(g->e, g->a->id, recovered, 0, &row, err) < 0 ||
		sqlite_subscribe(g->e, g->a->id, recovered, true, err) < 0)
		return NULL;
	return state_mailbox(g->e, row.status.id, err);
}

/* Its mailbox, also under a new name; else the one that has its name now; else 'Recovered'. */
static struct mailbox_state *target_of(
	struct going_back *g, const struct deleted_row *row, struct err *err)
{
	struct mailbox_state *m;
	if (g->last_target && g->last_mailbox == row->mailbox)
		return g->last_target;
	if (find_target(g, row, &m, err) < 0)
		return NULL;
	if (m == NULL)
		m = make_recovered(g, err);
	g->last_mailbox = row->mailbox;
	g->last_target = m;
	return m;
}

/* An entry id is one message for ever. Where another body has it the message came back from a
 * backup (a restore makes a record of its own, a copy or a move does not): it is there, and does
 * not come twice. */
static int drop_what_is_there(struct going_back *g, struct err *err)
{
	const struct op_undelete *op = &g->op->undelete;
	struct vec rows; /* struct kept_row */
	vec_init(&rows, sizeof(struct kept_row), THERE_AT_ONCE);
	sqlite3_stmt *st = sql_bound(&g->e->conn, SQL_DELETED_THERE, "iiti", (int64_t)g->from_id,
		op->since, op->mailbox, (int64_t)THERE_AT_ONCE);
	int rc;
	while ((rc = sql_row(&g->e->conn, st, err)) > 0) {
		struct kept_row row = { .time = sqlite3_column_int64(st, 0),
			.mailbox = sql_u64(st, 1),
			.uid = sql_u32(st, 2),
			.body = sql_u64(st, 3),
			.size = sql_u64(st, 4) };
		vec_push(&rows, &row);
	}
	VEC_EACH (struct kept_row, row, &rows)
		if (rc == 0)
			rc = forget_row(g->e, g->from_id, g->from, row, err);
	g->op->result.there = (uint32_t)rows.n;
	vec_done(&rows);
	return rc;
}

static int put_back(struct going_back *g, const struct deleted_row *row, struct err *err)
{
	struct mailbox_state *m = target_of(g, row, err);
	struct kept_row key = { .time = row->time, .mailbox = row->mailbox, .uid = row->uid };
	if (m == NULL || delete_row(g->e, g->from_id, &key, err) < 0 ||
		sqlite_entry_back(g->e, g->a, m, row, err) < 0)
		return -1;
	uncharge(g->e, g->from, row->size);
	g->op->result.done_count++;
	g->op->result.bytes += row->size;
	return 0;
}

/* Up to BACK_AT_ONCE of what one account left. */
static int put_all_back(struct going_back *g, struct err *err)
{
	const struct op_undelete *op = &g->op->undelete;
	struct deleted_filter filter = {
		.account = g->from_id, .since = op->since, .mailbox = op->mailbox
	};
	vec_init(&g->rows, sizeof(struct deleted_row), BACK_AT_ONCE);
	int rc = sqlite_deleted_each(
		&g->e->conn.reader, &filter, NULL, BACK_AT_ONCE, collect, g, err);
	g->op->result.more = g->rows.n == BACK_AT_ONCE;
	for (size_t i = 0; rc == 0 && i < g->rows.n; i++) {
		const struct deleted_row *row = vec_at(&g->rows, i);
		if (!sqlite_has_room(g->a, row->size)) {
			/* What fitted is back; the next try, which moves nothing, says why. */
			g->op->result.more = true;
			if (g->op->result.done_count == 0)
				rc = fail(err, ERR_QUOTA, "the account is over its quota");
			break;
		}
		rc = put_back(g, row, err);
	}
	vec_done(&g->rows);
	return rc;
}

/* What accounts left that had the address once, one after the other. */
static int put_removed_back(struct going_back *g, struct err *err)
{
	uint64_t after = 0;
	while (!g->op->result.more) {
		sqlite3_stmt *st = sql_bound(&g->e->conn, SQL_REMOVED_EACH, "ti",
			g->op->undelete.address, (int64_t)after);
		int row = sql_row(&g->e->conn, st, err);
		if (row <= 0)
			return row;
		g->from_id = after = sql_u64(st, 0);
		sql_end(st);
		if (put_all_back(g, err) < 0 || forget_removed(g->e, after, err) < 0)
			return -1;
		if (g->op->result.done_count > 0)
			g->op->result.more = true;
	}
	return 0;
}

int sqlite_op_undelete(struct sqlite_engine *e, struct op *op, struct err *err)
{
	struct account_row row;
	struct going_back g = { .e = e, .op = op };
	if (sqlite_account_by_address(&e->conn.reader, op->undelete.address, &row, err) < 0)
		return -1;
	g.a = state_account(e, row.id, err);
	if (g.a == NULL)
		return -1;
	if (op->undelete.removed)
		return put_removed_back(&g, err);
	g.from = g.a;
	g.from_id = g.a->id;
	if (op->undelete.look && drop_what_is_there(&g, err) < 0)
		return -1;
	op->result.more = op->result.there == THERE_AT_ONCE;
	return op->result.more ? 0 : put_all_back(&g, err);
}

/* ---- reads ---- */

static void from_row(sqlite3_stmt *st, struct deleted_row *ret)
{
	*ret = (struct deleted_row){ .time = sqlite3_column_int64(st, 0),
		.mailbox = sql_u64(st, 1),
		.uid = sql_u32(st, 2),
		.body = sql_u64(st, 3),
		.size = sql_u64(st, 4),
		.prefix_at = sql_u32(st, 5),
		.prefix_size = sql_u32(st, 6),
		.flags = (uint8_t)sql_u32(st, 7),
		.date = sqlite3_column_int64(st, 8),
		.entry_id = sql_u64(st, 9),
		.name = sql_str(st, 10),
		.keywords = sql_str(st, 11) };
}

int sqlite_deleted_each(struct reader *r, const struct deleted_filter *filter,
	const struct deleted_row *after, size_t n, int (*each)(void *, const struct deleted_row *),
	void *arg, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	struct deleted_row begin = {
		.time = filter->since - 1, .mailbox = INT64_MAX, .uid = UINT32_MAX
	};
	if (after == NULL)
		after = &begin;
	sqlite3_stmt *st = sql_bound(c, SQL_DELETED_EACH, "iiiiti", (int64_t)filter->account,
		after->time, (int64_t)after->mailbox, (int64_t)after->uid, filter->mailbox,
		(int64_t)n);
	int row, rc = 0;
	while (rc == 0 && (row = sql_row(c, st, err)) != 0) {
		struct deleted_row deleted;
		if (row < 0)
			return -1;
		from_row(st, &deleted);
		rc = each(arg, &deleted);
	}
	if (st)
		sql_end(st);
	return rc;
}

static int number(struct sqlite_reader *c, sqlite3_stmt *st, uint64_t *ret, struct err *err)
{
	int row = sql_row(c, st, err);
	if (row <= 0)
		return row;
	bool null = sqlite3_column_type(st, 0) == SQLITE_NULL;
	*ret = sql_u64(st, 0);
	sql_end(st);
	return null ? 0 : 1;
}

int sqlite_deleted_expired(
	struct reader *r, uint64_t from, int64_t before, uint64_t *ret, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	uint64_t account, one;
	int found;
	while ((found = number(c, sql_bound(c, SQL_DELETED_NEXT_ACCOUNT, "i", (int64_t)from),
			&account, err)) > 0) {
		found = number(c, sql_bound(c, SQL_DELETED_EXPIRED, "ii", (int64_t)account, before),
			&one, err);
		if (found) {
			*ret = account;
			return found;
		}
		from = account + 1;
	}
	return found;
}

int sqlite_removed_each(
	struct reader *r, struct str address, uint64_t after, uint64_t *ret, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	return number(c, sql_bound(c, SQL_REMOVED_EACH, "ti", address, (int64_t)after), ret, err);
}
