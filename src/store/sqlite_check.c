// SPDX-License-Identifier: Apache-2.0
/* What `store check` finds in the SQLite engine's rows: each table against the others, and the
 * pages against themselves. Every finding is a line for people. */
#include "store/sqlite_private.h"

#include <inttypes.h>
#include <stdio.h>

struct finder {
	int (*each)(void *, struct str);
	void *arg;
};

static int find(struct finder *f, const char *format, ...) PRINTF_LIKE(2, 3);
static int find(struct finder *f, const char *format, ...)
{
	char text[400];
	va_list values;
	va_start(values, format);
	vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	return f->each(f->arg, str_from(text));
}

/* A mailbox's counters against its entries. */
static int check_counters(struct finder *f, sqlite3_stmt *st)
{
	static const struct {
		int kept, real;
		const char *what;
	} columns[] = { { 2, 4, "messages" }, { 3, 5, "bytes" }, { 8, 9, "unseen" },
		{ 10, 11, "deleted" }, { 12, 13, "deleted bytes" } };
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(columns); i++)
		if (sql_u64(st, columns[i].kept) != sql_u64(st, columns[i].real))
			rc = find(f, "mailbox %" PRIu64 ": %s: kept %" PRIu64 ", found %" PRIu64,
				sql_u64(st, 0), columns[i].what, sql_u64(st, columns[i].kept),
				sql_u64(st, columns[i].real));
	if (rc == 0 && sql_u64(st, 6) >= sql_u64(st, 7))
		rc = find(f, "mailbox %" PRIu64 ": a UID is above UIDNEXT", sql_u64(st, 0));
	if (rc == 0 && sql_u64(st, 14) > sql_u64(st, 7))
		rc = find(f, "mailbox %" PRIu64 ": UIDs that were told of are above UIDNEXT",
			sql_u64(st, 0));
	return rc;
}

/* An account's counters against its mailboxes and subscriptions: pairs of columns. */
static int check_account(struct finder *f, sqlite3_stmt *st)
{
	static const char *const what[] = { "mailboxes", "subscriptions", "messages", "bytes",
		"deleted messages", "deleted bytes" };
	int rc = 0;
	for (int i = 0; rc == 0 && i < (int)ARRAY_LEN(what); i++)
		if (sql_u64(st, 2 * i + 1) != sql_u64(st, 2 * i + 2))
			rc = find(f, "account %" PRIu64 ": %s: kept %" PRIu64 ", found %" PRIu64,
				sql_u64(st, 0), what[i], sql_u64(st, 2 * i + 1),
				sql_u64(st, 2 * i + 2));
	return rc;
}

static int check_body(struct finder *f, sqlite3_stmt *st)
{
	return find(f, "mailbox %" PRIu64 " uid %" PRIu64 ": body %" PRIu64 " has no row",
		sql_u64(st, 0), sql_u64(st, 1), sql_u64(st, 2));
}

static int check_orphan(struct finder *f, sqlite3_stmt *st)
{
	return find(f, "%" PRIu64 " entries of mailbox %" PRIu64 ", which does not exist",
		sql_u64(st, 2), sql_u64(st, 0));
}

static int check_unnamed(struct finder *f, sqlite3_stmt *st)
{
	return find(f, "body %" PRIu64 " belongs to no message", sql_u64(st, 0));
}

static int check_kept(struct finder *f, sqlite3_stmt *st)
{
	return find(f,
		"account %" PRIu64 ", deleted message, mailbox %" PRIu64 " uid %" PRIu64
		": body %" PRIu64 " has no row",
		sql_u64(st, 0), sql_u64(st, 1), sql_u64(st, 2), sql_u64(st, 3));
}

static int check_secret(struct finder *f, sqlite3_stmt *st)
{
	return find(f, "secret %" PRIu64 " is of account %" PRIu64 ", which does not exist",
		sql_u64(st, 0), sql_u64(st, 1));
}

static int check_mailbox(struct finder *f, sqlite3_stmt *st)
{
	return find(f,
		"mailbox %" PRIu64 " (%" PRIu64 " messages) is of account %" PRIu64
		", which does not exist",
		sql_u64(st, 0), sql_u64(st, 2), sql_u64(st, 1));
}

static int check_size(struct finder *f, sqlite3_stmt *st)
{
	return find(f,
		"mailbox %" PRIu64 " uid %" PRIu64 ": size: kept %" PRIu64 ", found %" PRIu64,
		sql_u64(st, 0), sql_u64(st, 1), sql_u64(st, 2), sql_u64(st, 3));
}

static int check_kept_size(struct finder *f, sqlite3_stmt *st)
{
	return find(f,
		"deleted message, mailbox %" PRIu64 " uid %" PRIu64 ": size: kept %" PRIu64
		", found %" PRIu64,
		sql_u64(st, 0), sql_u64(st, 1), sql_u64(st, 2), sql_u64(st, 3));
}

static int check_entry_id(struct finder *f, sqlite3_stmt *st)
{
	return find(f, "mailbox %" PRIu64 " uid %" PRIu64 ": %" PRIu64 " is no entry id",
		sql_u64(st, 0), sql_u64(st, 1), sql_u64(st, 2));
}

static int check_block(struct finder *f, sqlite3_stmt *st)
{
	uint64_t id = sql_u64(st, 0), entries = sql_u64(st, 1), known = sql_u64(st, 2);
	uint32_t uid = held_block_uid(id);
	if (sqlite3_column_type(st, 3) == SQLITE_NULL)
		return find(f,
			"mailbox %" PRIu64 " uid %u to %u: flags of %" PRIu64
			" messages are missing or can't be read",
			id >> 24, uid, uid + FLAG_BLOCK_UIDS - 1, entries);
	return find(f,
		"mailbox %" PRIu64 " uid %u to %u: flags of %" PRIu64
		" messages are missing, and of %" PRIu64 " there are flags and no message",
		id >> 24, uid, uid + FLAG_BLOCK_UIDS - 1, entries - known, sql_u64(st, 3) - known);
}

/* account: 0, or the statement's parameter. */
static int check_rows(struct sqlite_reader *c, enum sql which, uint64_t account,
	int (*check)(struct finder *, sqlite3_stmt *), struct finder *f, struct err *err)
{
	bool counters = which == SQL_CHECK_COUNTERS || which == SQL_CHECK_ACCOUNTS;
	sqlite3_stmt *st = sql_bound(c, which, counters ? "i" : "", (int64_t)account);
	int row, rc = 0;
	while (rc == 0 && (row = sql_row(c, st, err)) != 0) {
		if (row < 0)
			return -1;
		rc = check(f, st);
	}
	sql_end(st);
	return rc;
}

static int check_pages(struct sqlite_reader *c, struct finder *f, struct err *err)
{
	sqlite3_stmt *st = NULL;
	if (sqlite3_prepare_v2(c->db, "PRAGMA integrity_check(100)", -1, &st, NULL) != SQLITE_OK)
		return sqlite_fail(c->db, err);
	int rc = 0;
	while (rc == 0 && sqlite3_step(st) == SQLITE_ROW) {
		struct str line = sql_str(st, 0);
		if (!str_equal(line, STR("ok")))
			rc = find(f, "ledger: %.*s", (int)(line.n > 300 ? 300 : line.n), line.p);
	}
	sqlite3_finalize(st);
	return rc;
}

int sqlite_check_account(struct reader *r, uint64_t account, int (*each)(void *, struct str),
	void *arg, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	struct finder f = { .each = each, .arg = arg };
	int rc = check_rows(c, SQL_CHECK_COUNTERS, account, check_counters, &f, err);
	if (rc == 0)
		rc = check_rows(c, SQL_CHECK_ACCOUNTS, account, check_account, &f, err);
	return rc;
}

int sqlite_check(struct reader *r, int (*each)(void *, struct str), void *arg, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	struct finder f = { .each = each, .arg = arg };
	static const struct {
		enum sql which;
		int (*check)(struct finder *, sqlite3_stmt *);
	} checks[] = { { SQL_CHECK_COUNTERS, check_counters },
		{ SQL_CHECK_ACCOUNTS, check_account }, { SQL_CHECK_BODIES, check_body },
		{ SQL_CHECK_ORPHANS, check_orphan }, { SQL_CHECK_UNNAMED, check_unnamed },
		{ SQL_CHECK_KEPT, check_kept }, { SQL_CHECK_SECRETS, check_secret },
		{ SQL_CHECK_MAILBOXES, check_mailbox }, { SQL_CHECK_SIZES, check_size },
		{ SQL_CHECK_KEPT_SIZES, check_kept_size }, { SQL_CHECK_ENTRY_IDS, check_entry_id },
		{ SQL_CHECK_BLOCKS, check_block } };
	int rc = check_pages(c, &f, err);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(checks); i++)
		rc = check_rows(c, checks[i].which, 0, checks[i].check, &f, err);
	return rc;
}
