// SPDX-License-Identifier: Apache-2.0
/*
 * The rows that a group of transactions changes again and again, an account's and a mailbox's
 * counters, are read once, changed in memory, and written once at the end of the group. A failed
 * transaction puts back what it had touched.
 */
#include "store/sqlite_private.h"

#include "base/planted.h"

#include <stdlib.h>

/* ---- reading ---- */

struct account_state *state_account(struct sqlite_engine *e, uint64_t id, struct err *err)
{
	struct account_state *a = map_get_u64(&e->accounts, id);
	if (a)
		return a;
	sqlite3_stmt *st = sql_bound(&e->conn, SQL_ACCOUNT_STATE, "i", (int64_t)id);
	int row = sql_row(&e->conn, st, err);
	if (row == 0)
		fail(err, ERR_NOT_FOUND, "no such account");
	if (row <= 0)
		return NULL;
	a = xmalloc(sizeof(*a));
	*a = (struct account_state){ .id = id,
		.epoch = sql_u64(st, 0),
		.modseq = sql_u64(st, 1),
		.active = sql_u64(st, 2) != 0,
		.quota_bytes = sql_u64(st, 3),
		.quota_messages = sql_u64(st, 4),
		.used_bytes = sql_u64(st, 5),
		.used_messages = sql_u64(st, 6),
		.kept_bytes = sql_u64(st, 7),
		.kept_messages = sql_u64(st, 8) };
	sql_end(st);
	map_put_u64(&e->accounts, id, a);
	return a;
}

static struct mailbox_state *mailbox_from_row(struct sqlite_engine *e, sqlite3_stmt *st)
{
	uint64_t id = sql_u64(st, 0);
	struct mailbox_state *m = map_get_u64(&e->mailboxes, id);
	if (m == NULL) {
		m = xmalloc(sizeof(*m));
		*m = (struct mailbox_state){ .id = id,
			.uidvalidity = sql_u32(st, 3),
			.uidnext = sql_u32(st, 4),
			.modseq = sql_u64(st, 5),
			.messages = sql_u64(st, 6),
			.unseen = sql_u64(st, 7),
			.deleted = sql_u64(st, 8),
			.size = sql_u64(st, 9),
			.account = sql_u64(st, 10),
			.deleted_size = sql_u64(st, 11),
			.uidfloor = sql_u32(st, 12) };
		map_put_u64(&e->mailboxes, id, m);
	}
	sql_end(st);
	return m;
}

struct mailbox_state *state_mailbox(struct sqlite_engine *e, uint64_t id, struct err *err)
{
	struct mailbox_state *m = map_get_u64(&e->mailboxes, id);
	if (m)
		return m;
	sqlite3_stmt *st = sql_bound(&e->conn, SQL_MAILBOX_BY_ID, "i", (int64_t)id);
	int row = sql_row(&e->conn, st, err);
	if (row == 0)
		fail(err, ERR_NOT_FOUND, "no such mailbox");
	return row > 0 ? mailbox_from_row(e, st) : NULL;
}

struct mailbox_state *state_inbox(struct sqlite_engine *e, uint64_t account, struct err *err)
{
	struct mailbox_state *m = map_get_u64(&e->inboxes, account);
	if (m)
		return m;
	sqlite3_stmt *st = sql_bound(
		&e->conn, SQL_MAILBOX_BY_NAME, "it", (int64_t)account, STR("INBOX"));
	int row = sql_row(&e->conn, st, err);
	if (row == 0)
		fail(err, ERR_NOT_FOUND, "no such mailbox");
	if (row <= 0)
		return NULL;
	m = mailbox_from_row(e, st);
	map_put_u64(&e->inboxes, account, m);
	return m;
}

struct account_state *state_by(struct sqlite_engine *e, const struct op_by *by, struct err *err)
{
	struct account_state *a = state_account(e, by->account, err);
	if (a && by->epoch && (by->epoch != a->epoch || !a->active)) {
		fail(err, ERR_EXPIRED, "the session has ended");
		return NULL;
	}
	if (a && a->modseq > LIMIT_MODSEQ) {
		fail(err, ERR_LIMIT, "the account has given all its mod-sequences");
		return NULL;
	}
	return a;
}

struct mailbox_state *state_owned(
	struct sqlite_engine *e, uint64_t mailbox, uint64_t account, struct err *err)
{
	struct mailbox_state *m = state_mailbox(e, mailbox, err);
	if (m && m->account != account) {
		/* The same answer as for one that does not exist. I11 */
		fail(err, ERR_NOT_FOUND, "no such mailbox");
		return NULL;
	}
	return m;
}

int state_keywords(struct sqlite_engine *e, struct mailbox_state *m, struct err *err)
{
	if (m->keywords_known)
		return 0;
	if (m->keywords == NULL)
		m->keywords = xcalloc(LIMIT_KEYWORDS, sizeof(*m->keywords));
	sqlite3_stmt *st = sql_bound(&e->conn, SQL_KEYWORDS, "i", (int64_t)m->id);
	int row;
	while ((row = sql_row(&e->conn, st, err)) > 0) {
		uint64_t bit = sql_u64(st, 0);
		struct str name = sql_str(st, 1);
		if (bit != m->n_keywords || bit >= LIMIT_KEYWORDS) {
			sql_end(st);
			return fail_log(
				err, ERR_CORRUPT, "ledger: keywords of a mailbox have gaps");
		}
		m->keywords[m->n_keywords++] = str_make(
			xmemdup0(name.n ? name.p : "", name.n), name.n);
	}
	m->keywords_known = row == 0;
	return row;
}

/* ---- changing ---- */

void state_touch_account(struct sqlite_engine *e, struct account_state *a)
{
	if (a->saved == NULL) {
		a->saved = xmalloc(sizeof(*a));
		*a->saved = *a;
		vec_push(&e->touched_accounts, &a);
	}
	if (!a->dirty)
		vec_push(&e->dirty_accounts, &a);
	a->dirty = true;
}

void state_touch_mailbox(struct sqlite_engine *e, struct mailbox_state *m)
{
	if (m->saved == NULL) {
		m->saved = xmalloc(sizeof(*m));
		*m->saved = *m;
		vec_push(&e->touched_mailboxes, &m);
	}
	if (!m->dirty)
		vec_push(&e->dirty_mailboxes, &m);
	m->dirty = true;
}

uint64_t state_next_modseq(struct sqlite_engine *e, struct account_state *a)
{
	state_touch_account(e, a);
	return ++a->modseq;
}

void state_change(struct sqlite_engine *e, const struct change *change)
{
	/* The maximum is above what operations may touch, so it always fits. */
	vec_push(&e->txn->changes, change);
}

/* ---- settling ---- */

static void *pointer_at(const struct vec *v, size_t i)
{
	void *p;
	memcpy(&p, vec_at(v, i), sizeof(p));
	return p;
}

static void free_keywords(struct mailbox_state *m, uint32_t from)
{
	for (uint32_t i = from; i < m->n_keywords; i++)
		free((void *)(uintptr_t)m->keywords[i].p);
}

/* Keywords that were read after the touch are not in the saved copy; they are read anew then. */
static void restore_mailbox(struct mailbox_state *m)
{
	struct mailbox_state *saved = m->saved;
	struct str *keywords = m->keywords;
	free_keywords(m, saved->n_keywords);
	*m = *saved;
	m->keywords = keywords;
	m->saved = saved;
}

void state_settle(struct sqlite_engine *e, bool failed)
{
	if (failed)
		blocks_undo(&e->conn);
	for (size_t i = 0; i < e->touched_accounts.n; i++) {
		struct account_state *a = pointer_at(&e->touched_accounts, i), *saved = a->saved;
		if (failed)
			*a = *saved;
		free(saved);
		a->saved = NULL;
	}
	for (size_t i = 0; i < e->touched_mailboxes.n; i++) {
		struct mailbox_state *m = pointer_at(&e->touched_mailboxes, i);
		if (failed)
			restore_mailbox(m);
		free(m->saved);
		m->saved = NULL;
	}
	vec_clear(&e->touched_accounts);
	vec_clear(&e->touched_mailboxes);
}

static int write_account(struct sqlite_engine *e, struct account_state *a, struct err *err)
{
	if (!a->dirty)
		return 0;
	a->dirty = false;
	if (planted("modseq_not_kept"))
		return 0;
	return sql_run(&e->conn,
		sql_bound(&e->conn, SQL_ACCOUNT_STATE_PUT, "iiiiii", (int64_t)a->modseq,
			(int64_t)a->used_bytes, (int64_t)a->used_messages, (int64_t)a->kept_bytes,
			(int64_t)a->kept_messages, (int64_t)a->id),
		err);
}

static int write_mailbox(struct sqlite_engine *e, struct mailbox_state *m, struct err *err)
{
	if (!m->dirty)
		return 0;
	m->dirty = false;
	if (planted("uidnext_not_kept") && m->uidnext % 3 == 0)
		return 0;
	return sql_run(&e->conn,
		sql_bound(&e->conn, SQL_MAILBOX_STATE_PUT, "iiiiiiii", (int64_t)m->uidnext,
			(int64_t)m->modseq, (int64_t)m->messages, (int64_t)m->unseen,
			(int64_t)m->deleted, (int64_t)m->size, (int64_t)m->deleted_size,
			(int64_t)m->id),
		err);
}

int state_write(struct sqlite_engine *e, struct err *err)
{
	if (blocks_write(&e->conn, err) < 0)
		return -1;
	for (size_t i = 0; i < e->dirty_accounts.n; i++)
		if (write_account(e, pointer_at(&e->dirty_accounts, i), err) < 0)
			return -1;
	for (size_t i = 0; i < e->dirty_mailboxes.n; i++)
		if (write_mailbox(e, pointer_at(&e->dirty_mailboxes, i), err) < 0)
			return -1;
	vec_clear(&e->dirty_accounts);
	vec_clear(&e->dirty_mailboxes);
	return 0;
}

/* ---- life ---- */

enum { STATE_ROWS = 1 << 20, STATE_KEPT = 8192 };

void state_init(struct sqlite_engine *e)
{
	uint8_t key[16];
	e->seams->random->fill(e->seams->random, key, sizeof(key));
	map_init(&e->accounts, key, STATE_ROWS);
	map_init(&e->mailboxes, key, STATE_ROWS);
	map_init(&e->inboxes, key, STATE_ROWS);
	vec_init(&e->touched_accounts, sizeof(void *), 4 * STATE_ROWS);
	vec_init(&e->touched_mailboxes, sizeof(void *), 4 * STATE_ROWS);
	vec_init(&e->dirty_accounts, sizeof(void *), 4 * STATE_ROWS);
	vec_init(&e->dirty_mailboxes, sizeof(void *), 4 * STATE_ROWS);
}

static void clear_map(struct map *m)
{
	uint8_t key[16];
	memcpy(key, m->key, sizeof(key));
	map_done(m);
	map_init(m, key, STATE_ROWS);
}

void state_clear(struct sqlite_engine *e)
{
	state_settle(e, false);
	blocks_forget(&e->conn);
	vec_clear(&e->dirty_accounts);
	vec_clear(&e->dirty_mailboxes);
	void *value;
	for (size_t at = 0; map_next(&e->accounts, &at, NULL, &value);)
		free(value);
	for (size_t at = 0; map_next(&e->mailboxes, &at, NULL, &value);) {
		struct mailbox_state *m = value;
		free_keywords(m, 0);
		free(m->keywords);
		free(m);
	}
	clear_map(&e->accounts);
	clear_map(&e->mailboxes);
	clear_map(&e->inboxes);
}

void state_trim(struct sqlite_engine *e)
{
	if (e->accounts.n + e->mailboxes.n > STATE_KEPT)
		state_clear(e);
}

void state_done(struct sqlite_engine *e)
{
	state_clear(e);
	map_done(&e->accounts);
	map_done(&e->mailboxes);
	map_done(&e->inboxes);
	vec_done(&e->touched_accounts);
	vec_done(&e->touched_mailboxes);
	vec_done(&e->dirty_accounts);
	vec_done(&e->dirty_mailboxes);
}
