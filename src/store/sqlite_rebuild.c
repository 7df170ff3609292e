// SPDX-License-Identifier: Apache-2.0
/*
 * A ledger that was lost, made anew from the records (docs/store.md, "Checking and rebuilding"). A
 * record says for each recipient the account, the mailbox (0: the INBOX), the date and the prefix,
 * whose Delivered-To is the account's address. All else is lost: names of mailboxes, flags, later
 * moves and copies, passwords, aliases, and that something was deleted.
 */
#include "mail/header.h"
#include "store/names.h"
#include "store/sqlite_private.h"

#include <inttypes.h>

/* UIDVALIDITY: beyond what the lost ledger can have given; it began with the time of its making
 * too. Numbers that are given by themselves stay clear of those that records may still bring. */
static const char sql_begin[] = "INSERT OR REPLACE INTO sqlite_sequence(name,seq) VALUES"
				"('accounts',1048576),('mailboxes',1073741824);"
				"UPDATE meta SET value=value+1048576 WHERE key='uidvalidity';"
				/* What the lost one gave is not known: see is_free(). */
				"UPDATE meta SET value=0 WHERE key='created_ms';"
				"INSERT INTO domains(name) VALUES('recovered.invalid');";

int sqlite_begin_rebuild(struct sqlite_engine *e, const struct engine_rebuild *r, struct err *err)
{
	struct str id = str_make(r->store_id, sizeof(r->store_id));
	if (sql_run(&e->conn, sql_bound(&e->conn, SQL_META_PUT, "tb", STR("store_id"), id), err) <
			0 ||
		sqlite_meta_put(&e->conn, "epoch", r->epoch, err) < 0)
		return -1;
	return sqlite_exec(e->conn.db, sql_begin, err);
}

static int run_numbers(struct sqlite_engine *e, const char *sql, const int64_t *numbers, size_t n,
	struct str text, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(e->conn.db, sql, -1, &st, NULL);
	for (size_t i = 0; rc == SQLITE_OK && i < n; i++)
		rc = sqlite3_bind_int64(st, (int)i + 1, numbers[i]);
	if (rc == SQLITE_OK && text.n)
		rc = sqlite3_bind_text(st, (int)n + 1, text.p, (int)text.n, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? 0 : sqlite_fail(e->conn.db, err);
}

static bool has_row(struct sqlite_engine *e, enum sql which, uint64_t id)
{
	sqlite3_stmt *st = sql_bound(&e->conn, which, "i", (int64_t)id);
	bool found = sql_row(&e->conn, st, NULL) > 0;
	if (found)
		sql_end(st);
	return found;
}

/* Without a secret: mail comes in, and nobody logs in before a password is set. */
static int make_account(struct sqlite_engine *e, uint64_t id, struct err *err)
{
	char address[64];
	snprintf(address, sizeof(address), "account-%" PRIu64 "@recovered.invalid", id);
	int64_t number = (int64_t)id;
	if (run_numbers(e,
		    "INSERT INTO accounts(id,domain,address) VALUES(?1,"
		    "(SELECT id FROM domains WHERE name='recovered.invalid'),?2)",
		    &number, 1, str_from(address), err) < 0)
		return -1;
	return sqlite_make_first_mailboxes(e, id, err);
}

/* The first Delivered-To of an account that has no address yet, if nobody else has it. */
static int name_account(struct sqlite_engine *e, uint64_t id, struct str prefix, struct err *err)
{
	struct mail_field field;
	struct address_name address;
	struct err ignored = ERR_INIT;
	int64_t number = (int64_t)id;
	if (!mail_field_find(prefix, STR("Delivered-To"), &field) ||
		address_canonical(str_trim(field.value), &address, &ignored) < 0)
		return 0;
	if (run_numbers(e, "INSERT OR IGNORE INTO domains(name) VALUES(?1)", NULL, 0,
		    address_domain(&address), err) < 0)
		return -1;
	char sql[400];
	snprintf(sql, sizeof(sql),
		"UPDATE OR IGNORE accounts SET address=?2,domain=(SELECT id FROM domains WHERE "
		"name=substr(?2,%zu)) WHERE id=?1 AND address LIKE 'account-%%@recovered.invalid'",
		address.at + 2);
	return run_numbers(e, sql, &number, 1, address_str(&address), err);
}

/* *ret: the mailbox that the recipient names. */
static int make_mailbox(
	struct sqlite_engine *e, const struct record_recipient *r, uint64_t *ret, struct err *err)
{
	char name[40];
	*ret = r->mailbox;
	if (r->mailbox == 0) {
		struct mailbox_state *inbox = state_inbox(e, r->account, err);
		*ret = inbox ? inbox->id : 0;
		return inbox ? 0 : -1;
	}
	if (has_row(e, SQL_MAILBOX_BY_ID, r->mailbox))
		return 0;
	snprintf(name, sizeof(name), "Mailbox-%" PRIu64, r->mailbox);
	if (sqlite_next_uidvalidity(e, err) < 0)
		return -1;
	int64_t numbers[] = { (int64_t)r->mailbox, (int64_t)r->account, e->uidvalidity };
	if (run_numbers(e,
		    "INSERT INTO mailboxes(id,account,uidvalidity,modseq,name) "
		    "VALUES(?1,?2,?3,1,?4)",
		    numbers, ARRAY_LEN(numbers), str_from(name), err) < 0)
		return -1;
	return sqlite_subscribe(e, r->account, str_from(name), true, err);
}

static int land(
	struct sqlite_engine *e, const struct op_rebuild *rebuild, size_t i, struct err *err)
{
	const struct record_recipient *r = &rebuild->recipients[i];
	uint64_t mailbox;
	if (r->account == 0 || r->account > INT64_MAX ||
		r->mailbox > INT32_MAX) /* entry ids: 63 bits, with the UID */
		return 0;
	if (!has_row(e, SQL_ACCOUNT_BY_ID, r->account) && make_account(e, r->account, err) < 0)
		return -1;
	if (name_account(e, r->account, r->prefix, err) < 0 ||
		make_mailbox(e, r, &mailbox, err) < 0)
		return -1;
	struct op landing = { .kind = OP_LAND, .by.account = r->account };
	landing.land = (struct op_land){ .mailbox = mailbox,
		.body = rebuild->place.ref.id,
		.prefix_at = rebuild->prefix_at[i],
		.prefix_size = (uint32_t)r->prefix.n,
		.mark = body_mark(&rebuild->place, r->time_ms),
		.size = r->prefix.n + rebuild->place.size,
		.time = r->time_ms };
	return sqlite_op_land(e, &landing, err);
}

/* A record that was moved may stand in two places: the second is passed over. */
int sqlite_op_rebuild(struct sqlite_engine *e, struct op *op, struct err *err)
{
	const struct op_rebuild *rebuild = &op->rebuild;
	struct op body = { .kind = OP_BODY, .body.place = rebuild->place };
	int64_t id = (int64_t)rebuild->place.ref.id;
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(e->conn.db, "SELECT 1 FROM bodies WHERE id=?1", -1, &st, NULL);
	if (rc == SQLITE_OK && sqlite3_bind_int64(st, 1, id) == SQLITE_OK)
		rc = sqlite3_step(st);
	sqlite3_finalize(st);
	if (rc == SQLITE_ROW || rebuild->n == 0)
		return 0;
	if (sqlite_op_body(e, &body, err) < 0)
		return -1;
	for (size_t i = 0; i < rebuild->n; i++)
		if (land(e, rebuild, i, err) < 0)
			return -1;
	op->result.done_count = (uint32_t)rebuild->n;
	return 0;
}
