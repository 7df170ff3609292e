// SPDX-License-Identifier: Apache-2.0
/*
 * Operations on mailboxes: create, delete, rename, subscribe (RFC 9051 6.3.4 to 6.3.8). Names are
 * canonical (names.h). A deleted mailbox takes nothing along: children stay, and its UIDVALIDITY
 * is never given again.
 */
#include "base/buf.h"
#include "store/names.h"
#include "store/sqlite_private.h"

#include <stdlib.h>

static int find(
	struct sqlite_engine *e, uint64_t account, struct str name, uint64_t *ret, struct err *err)
{
	sqlite3_stmt *st = sql_bound(&e->conn, SQL_MAILBOX_BY_NAME, "it", (int64_t)account, name);
	int row = sql_row(&e->conn, st, err);
	*ret = 0;
	if (row > 0) {
		*ret = sql_u64(st, 0);
		sql_end(st);
	}
	return row < 0 ? -1 : 0;
}

static int count(
	struct sqlite_engine *e, enum sql which, uint64_t account, uint64_t *ret, struct err *err)
{
	sqlite3_stmt *st = sql_bound(&e->conn, which, "i", (int64_t)account);
	if (sql_row(&e->conn, st, err) <= 0)
		return -1;
	*ret = sql_u64(st, 0);
	sql_end(st);
	return 0;
}

static int counted(
	struct sqlite_engine *e, enum sql which, uint64_t account, int64_t by, struct err *err)
{
	return sql_run(&e->conn, sql_bound(&e->conn, which, "ii", by, (int64_t)account), err);
}

int sqlite_next_uidvalidity(struct sqlite_engine *e, struct err *err)
{
	if (e->uidvalidity == UINT32_MAX)
		return fail(err, ERR_LIMIT, "no UIDVALIDITY is left");
	/* Rises even when the transaction is rolled back: only never twice matters. */
	return sqlite_meta_put(&e->conn, "uidvalidity", ++e->uidvalidity, err);
}

int sqlite_mailbox_make(struct sqlite_engine *e, uint64_t account, struct str name, uint16_t use,
	struct mailbox_row *ret, struct err *err)
{
	uint64_t n;
	if (count(e, SQL_MAILBOX_COUNT, account, &n, err) < 0)
		return -1;
	if (n >= LIMIT_MAILBOXES)
		return fail(err, ERR_LIMIT, "an account has at most %d mailboxes", LIMIT_MAILBOXES);
	struct account_state *a = state_account(e, account, err);
	if (a == NULL || sqlite_next_uidvalidity(e, err) < 0)
		return -1;
	uint64_t modseq = state_next_modseq(e, a);
	if (counted(e, SQL_MAILBOX_COUNTED, account, 1, err) < 0 ||
		sql_run(&e->conn,
			sql_bound(&e->conn, SQL_MAILBOX_INSERT, "itiii", (int64_t)account, name,
				(int64_t)e->uidvalidity, (int64_t)use, (int64_t)modseq),
			err) < 0)
		return -1;
	if (ret)
		*ret = (struct mailbox_row){ .account = account,
			.status = { .id = (uint64_t)sqlite3_last_insert_rowid(e->conn.db),
				.special_use = use,
				.exists = true,
				.uidvalidity = e->uidvalidity,
				.uidnext = 1,
				.highest_modseq = modseq } };
	return 0;
}

/* Creates what is missing above the name, from the top. RFC 9051 6.3.4 */
static int make_parents(struct sqlite_engine *e, uint64_t account, struct str name, struct err *err)
{
	for (size_t i = 1; i < name.n; i++) {
		if (name.p[i] != '/')
			continue;
		struct str parent = str_sub(name, 0, i);
		uint64_t id;
		if (find(e, account, parent, &id, err) < 0)
			return -1;
		if (id == 0 && sqlite_mailbox_make(e, account, parent, 0, NULL, err) < 0)
			return -1;
	}
	return 0;
}

static int must_be_free(struct sqlite_engine *e, uint64_t account, struct str name, struct err *err)
{
	uint64_t id;
	if (find(e, account, name, &id, err) < 0)
		return -1;
	return id ? fail(err, ERR_EXISTS, "the mailbox exists already") : 0;
}

static bool is_inbox(struct str name)
{
	return str_equal(name, STR("INBOX"));
}

int sqlite_op_mailbox_create(struct sqlite_engine *e, struct op *op, struct err *err)
{
	struct str name = op->mailbox.name;
	struct mailbox_row row;
	struct account_state *a = state_by(e, &op->by, err);
	if (a == NULL || must_be_free(e, a->id, name, err) < 0 ||
		make_parents(e, a->id, name, err) < 0 ||
		sqlite_mailbox_make(e, a->id, name, op->mailbox.special_use, &row, err) < 0)
		return -1;
	op->result.mailbox = row.status.id;
	op->result.modseq = row.status.highest_modseq;
	op->result.status = row.status;
	op->result.status.name = name;
	return 0;
}

/* Of an address, a mailbox and another server's UIDVALIDITY, for the table of those that were taken
 * once (FNV-1a). Two that are alike cost no more than a UIDVALIDITY of ours. */
static int64_t mark_of(struct str address, struct str name, uint32_t uidvalidity)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	char number[16];
	snprintf(number, sizeof(number), "%u", uidvalidity);
	struct str parts[] = { address, name, str_from(number) };
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		for (size_t k = 0; k <= parts[i].n; k++) {
			hash ^= k < parts[i].n ? (unsigned char)parts[i].p[k] : 0;
			hash *= UINT64_C(0x100000001b3);
		}
	return (int64_t)hash;
}

/* 1: the address's mailbox of that name had the UIDVALIDITY at no time; now it has. */
static int take_uidvalidity(struct sqlite_engine *e, const struct op *op, struct err *err)
{
	struct account_row account;
	if (sqlite_account_by_id(&e->conn.reader, op->by.account, &account, err) < 0)
		return -1;
	int64_t mark = mark_of(
		str_from(account.address), op->mailbox.name, op->mailbox.uidvalidity);
	if (sql_run(&e->conn, sql_bound(&e->conn, SQL_IMPORTED, "i", mark), err) < 0)
		return -1;
	return sqlite3_changes(e->conn.db) > 0;
}

/* Whether the ledger can't have given a UIDVALIDITY, and won't: it is from before its time, or
 * between the last that was given and now, and then it counts as given. */
static int is_free(struct sqlite_engine *e, uint32_t uidvalidity, struct err *err)
{
	uint64_t created_ms;
	int64_t now_s = e->seams->clock->wall_ms(e->seams->clock) / 1000;
	if (sqlite_meta_get(&e->conn, "created_ms", &created_ms, err) < 0)
		return -1;
	if (uidvalidity < created_ms / 1000)
		return 1;
	if (uidvalidity <= e->uidvalidity || uidvalidity > now_s)
		return 0;
	e->uidvalidity = uidvalidity;
	return sqlite_meta_put(&e->conn, "uidvalidity", e->uidvalidity, err) < 0 ? -1 : 1;
}

/* An imported mailbox keeps UIDs by keeping its UIDVALIDITY, if name, UIDVALIDITY and UID stay one
 * message for ever (RFC 9051 2.3.1.1). One whose UIDs are all given, or soon will be, begins anew:
 * another server says what it likes, and the mailbox would take no mail any more. I20 */
static int keep_uidvalidity(struct sqlite_engine *e, struct op *op, struct err *err)
{
	struct mailbox_state *m = state_mailbox(e, op->result.mailbox, err);
	uint32_t wanted = op->mailbox.uidvalidity;
	if (m == NULL)
		return -1;
	if (wanted && op->mailbox.uidnext <= LIMIT_IMPORTED_UID && m->uidnext == 1 &&
		m->messages == 0) {
		int taken = is_free(e, wanted, err);
		if (taken > 0)
			taken = take_uidvalidity(e, op, err);
		if (taken < 0)
			return -1;
		if (taken &&
			sql_run(&e->conn,
				sql_bound(&e->conn, SQL_MAILBOX_UIDVALIDITY, "iii", (int64_t)wanted,
					(int64_t)op->mailbox.uidnext, (int64_t)m->id),
				err) < 0)
			return -1;
		if (taken) {
			state_touch_mailbox(e, m);
			m->uidvalidity = wanted;
			m->uidfloor = op->mailbox.uidnext;
		}
	}
	op->result.uidvalidity = m->uidvalidity;
	return 0;
}

int sqlite_op_mailbox_ensure(struct sqlite_engine *e, struct op *op, struct err *err)
{
	struct account_state *a = state_by(e, &op->by, err);
	if (a == NULL || find(e, a->id, op->mailbox.name, &op->result.mailbox, err) < 0)
		return -1;
	if (op->result.mailbox == 0 &&
		(sqlite_op_mailbox_create(e, op, err) < 0 ||
			(op->mailbox.on &&
				sqlite_subscribe(e, a->id, op->mailbox.name, true, err) < 0)))
		return -1;
	return keep_uidvalidity(e, op, err);
}

static int delete_rows(struct sqlite_engine *e, uint64_t mailbox, struct err *err)
{
	static const enum sql all[] = { SQL_MAILBOX_ENTRIES_DELETE, SQL_MAILBOX_BLOCKS_DELETE,
		SQL_MAILBOX_TOMBSTONES_DELETE, SQL_MAILBOX_KEYWORDS_DELETE, SQL_MAILBOX_SEEN_DELETE,
		SQL_MAILBOX_ANNOTATIONS_DELETE, SQL_MAILBOX_DELETE };
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (sql_run(&e->conn, sql_bound(&e->conn, all[i], "i", (int64_t)mailbox), err) < 0)
			return -1;
	blocks_forget(&e->conn);
	return 0;
}

int sqlite_mailbox_drop(
	struct sqlite_engine *e, struct account_state *a, uint64_t mailbox, struct err *err)
{
	struct mailbox_state *m = state_mailbox(e, mailbox, err);
	if (m == NULL)
		return -1;
	uint64_t messages = m->messages, bytes = m->size;
	if (blocks_write(&e->conn, err) < 0)
		return -1;
	if (messages && sqlite_deleted_keep_all(e, a, m, err) < 0)
		return -1;
	state_touch_account(e, a);
	a->used_bytes -= bytes;
	a->used_messages -= messages;
	state_change(e, &(struct change){ .kind = CHANGE_GONE,
				.account = a->id,
				.mailbox = mailbox,
				.modseq = state_next_modseq(e, a) });
	if (counted(e, SQL_MAILBOX_COUNTED, a->id, -1, err) < 0 || delete_rows(e, mailbox, err) < 0)
		return -1;
	return messages ? sqlite_deleted_keep_within(e, a, messages, bytes, err) : 0;
}

int sqlite_op_mailbox_delete(struct sqlite_engine *e, struct op *op, struct err *err)
{
	struct account_state *a = state_by(e, &op->by, err);
	uint64_t id;
	if (a == NULL)
		return -1;
	if (is_inbox(op->mailbox.name))
		return fail(err, ERR_DENIED, "INBOX can't be deleted"); /* RFC 9051 6.3.5 */
	if (find(e, a->id, op->mailbox.name, &id, err) < 0)
		return -1;
	if (id == 0)
		return fail(err, ERR_NOT_FOUND, "no such mailbox");
	return sqlite_mailbox_drop(e, a, id, err);
}

/* ---- rename ---- */

struct renamed {
	uint64_t id;
	struct str name;
};

static int collect_children(struct sqlite_engine *e, uint64_t account, struct str from,
	struct vec *children, struct err *err)
{
	sqlite3_stmt *st = sql_bound(&e->conn, SQL_MAILBOX_CHILDREN, "it", (int64_t)account, from);
	int row;
	while ((row = sql_row(&e->conn, st, err)) > 0) {
		struct str name = sql_str(st, 1);
		struct renamed r = { .id = sql_u64(st, 0),
			.name = str_make(xmemdup0(name.p, name.n), name.n) };
		vec_push(children, &r);
	}
	return row;
}

static int rename_one(
	struct sqlite_engine *e, uint64_t account, uint64_t id, struct str name, struct err *err)
{
	if (!mailbox_name_fits(name))
		return fail(err, ERR_LIMIT, "the name of a mailbox below it would be too long");
	if (must_be_free(e, account, name, err) < 0)
		return -1;
	return sql_run(
		&e->conn, sql_bound(&e->conn, SQL_MAILBOX_RENAME, "ti", name, (int64_t)id), err);
}

/* Children go along. RFC 9051 6.3.6 */
static int rename_children(
	struct sqlite_engine *e, uint64_t account, struct str from, struct str to, struct err *err)
{
	struct vec children;
	vec_init(&children, sizeof(struct renamed), LIMIT_MAILBOXES);
	struct buf name;
	buf_init(&name, 2 * LIMIT_MAILBOX_NAME_BYTES);
	int rc = collect_children(e, account, from, &children, err);
	VEC_EACH (struct renamed, child, &children) {
		buf_clear(&name);
		buf_adds(&name, to);
		buf_adds(&name, str_from_offset(child->name, from.n));
		if (rc == 0)
			rc = rename_one(e, account, child->id, buf_str(&name), err);
		free((void *)(uintptr_t)child->name.p);
	}
	buf_done(&name);
	vec_done(&children);
	return rc;
}

/* INBOX stays; what is in it moves to the new mailbox. RFC 9051 6.3.6 */
static int rename_inbox(
	struct sqlite_engine *e, struct account_state *a, struct op *op, struct err *err)
{
	struct mailbox_row row;
	if (make_parents(e, a->id, op->mailbox.to, err) < 0 ||
		sqlite_mailbox_make(e, a->id, op->mailbox.to, 0, &row, err) < 0)
		return -1;
	struct mailbox_state *from = state_inbox(e, a->id, err);
	struct mailbox_state *to = from ? state_mailbox(e, row.status.id, err) : NULL;
	struct api_range all = { 1, UINT32_MAX };
	if (to == NULL)
		return -1;
	return sqlite_entries_copy(
		e, a, from, to, (struct api_range_list){ &all, 1 }, true, &op->result, err);
}

int sqlite_op_mailbox_rename(struct sqlite_engine *e, struct op *op, struct err *err)
{
	struct str from = op->mailbox.name, to = op->mailbox.to;
	struct account_state *a = state_by(e, &op->by, err);
	uint64_t id;
	if (a == NULL || find(e, a->id, from, &id, err) < 0)
		return -1;
	if (id == 0)
		return fail(err, ERR_NOT_FOUND, "no such mailbox");
	if (must_be_free(e, a->id, to, err) < 0)
		return -1;
	if (is_inbox(from))
		return rename_inbox(e, a, op, err);
	if (str_starts(to, from) && to.n > from.n && to.p[from.n] == '/')
		return fail(err, ERR_DENIED, "a mailbox can't be moved below itself");
	if (make_parents(e, a->id, to, err) < 0 || rename_one(e, a->id, id, to, err) < 0 ||
		rename_children(e, a->id, from, to, err) < 0)
		return -1;
	op->result.mailbox = id;
	op->result.modseq = state_next_modseq(e, a);
	return 0;
}

/* ---- \Recent ---- */

int sqlite_op_recent(struct sqlite_engine *e, struct op *op, struct err *err)
{
	return sql_run(&e->conn,
		sql_bound(&e->conn, SQL_RECENT_PUT, "ii", (int64_t)op->recent.uid,
			(int64_t)op->recent.mailbox),
		err);
}

/* ---- subscriptions ---- */

int sqlite_subscribe(
	struct sqlite_engine *e, uint64_t account, struct str name, bool on, struct err *err)
{
	enum sql which = on ? SQL_SUBSCRIBE : SQL_UNSUBSCRIBE;
	if (sql_run(&e->conn, sql_bound(&e->conn, which, "it", (int64_t)account, name), err) < 0)
		return -1;
	if (sqlite3_changes(e->conn.db) == 0)
		return 0; /* it was so before */
	return counted(e, SQL_SUBSCRIPTION_COUNTED, account, on ? 1 : -1, err);
}

int sqlite_op_subscribe(struct sqlite_engine *e, struct op *op, struct err *err)
{
	struct account_state *a = state_by(e, &op->by, err);
	uint64_t n;
	if (a == NULL || count(e, SQL_SUBSCRIPTION_COUNT, a->id, &n, err) < 0)
		return -1;
	if (op->mailbox.on && n >= LIMIT_SUBSCRIPTIONS)
		return fail(err, ERR_LIMIT, "too many subscriptions");
	return sqlite_subscribe(e, a->id, op->mailbox.name, op->mailbox.on, err);
}
