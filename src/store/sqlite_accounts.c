// SPDX-License-Identifier: Apache-2.0
/* Operations of administrators: accounts, domains, aliases. */
#include "store/names.h"
#include "store/resolve.h"
#include "store/sqlite_private.h"

static struct reader *own_reader(struct sqlite_engine *e)
{
	return &e->conn.reader;
}

static struct str domain_of(struct str address)
{
	return str_from_offset(address, str_find_last(address, '@') + 1);
}

/* 1 there is such a domain, 0 there is not. */
static int has_domain(struct sqlite_engine *e, struct str name, struct err *err)
{
	char catch_all[LIMIT_ADDRESS_BYTES + 1];
	struct err missing = ERR_INIT;
	if (sqlite_domain(own_reader(e), name, catch_all, &missing) == 0)
		return 1;
	if (missing.kind == ERR_NOT_FOUND)
		return 0;
	*err = missing;
	return -1;
}

/* Counts rows of a statement with one number. */
static int64_t number(struct sqlite_engine *e, sqlite3_stmt *st, struct err *err)
{
	int row = sql_row(&e->conn, st, err);
	if (row <= 0)
		return row;
	int64_t n = sqlite3_column_int64(st, 0);
	sql_end(st);
	return n;
}

static int has_account(
	struct sqlite_engine *e, struct str address, struct account_row *ret, struct err *err)
{
	struct err missing = ERR_INIT;
	if (sqlite_account_by_address(own_reader(e), address, ret, &missing) == 0)
		return 1;
	if (missing.kind == ERR_NOT_FOUND)
		return 0;
	*err = missing;
	return -1;
}

int sqlite_must_have_account(
	struct sqlite_engine *e, struct str address, struct account_row *ret, struct err *err)
{
	int found = has_account(e, address, ret, err);
	return found == 0 ? fail(err, ERR_NOT_FOUND, "no such account") : found < 0 ? -1 : 0;
}

/* ---- where addresses lead ---- */

/* 1: the address itself is an account or an alias of ours. */
static int is_known(struct sqlite_engine *e, struct str address, struct err *err)
{
	struct account_row row;
	int found = has_account(e, address, &row, err);
	if (found)
		return found;
	int64_t n = number(e, sql_bound(&e->conn, SQL_ALIAS_COUNT, "t", address), err);
	return n < 0 ? -1 : n > 0;
}

/* 1: with or without its detail. */
static int leads_somewhere(struct sqlite_engine *e, struct str address, struct err *err)
{
	struct address_name a, plain;
	int known = is_known(e, address, err);
	if (known == 0 && address_canonical(address, &a, NULL) == 0 &&
		address_without_detail(&a, &plain))
		known = is_known(e, address_str(&plain), err);
	return known;
}

static int must_lead_somewhere(struct sqlite_engine *e, struct str address, struct err *err)
{
	int known = leads_somewhere(e, address, err);
	if (known)
		return known < 0 ? -1 : 0;
	return fail(err, ERR_NOT_FOUND, "the target is neither an account nor an alias here");
}

/* Aliases and catch-alls that led to one address; gone: what these aliases were. */
static int forget_ways_one(
	struct sqlite_engine *e, struct str address, struct vec *gone, struct err *err)
{
	struct str domain = domain_of(address);
	struct str local = str_sub(address, 0, address.n - domain.n - 1);
	char least[LIMIT_ADDRESS_BYTES + 2], most[LIMIT_ADDRESS_BYTES + 2];
	snprintf(least, sizeof(least), "%" STR_FMT "+", STR_ARG(local));
	snprintf(most, sizeof(most), "%" STR_FMT ",", STR_ARG(local)); /* is behind '+' */
	struct str end = str_from_offset(address, local.n);
	sqlite3_stmt *st = sql_bound(&e->conn, SQL_ALIAS_FORGET_TARGET, "tttt", address,
		str_from(least), str_from(most), end);
	int row;
	while ((row = sql_row(&e->conn, st, err)) > 0) {
		struct str name = arena_str(&e->txn->arena, sql_str(st, 0));
		if (name.p == NULL || vec_push(gone, &name) == NULL) {
			sql_end(st);
			return fail(err, ERR_LIMIT, "too many aliases lead there");
		}
	}
	if (row < 0)
		return -1;
	return sql_run(&e->conn,
		sql_bound(&e->conn, SQL_CATCH_ALL_FORGET, "tttt", address, str_from(least),
			str_from(most), end),
		err);
}

/* What led to an address that has gone goes, too: a new person with an old address gets nothing
 * by itself. */
static int forget_ways_to(struct sqlite_engine *e, struct str address, struct err *err)
{
	AUTO(vec_done)
	struct vec gone;
	vec_init(&gone, sizeof(struct str), SIZE_MAX / 1024); /* as many as there are */
	vec_push(&gone, &address);
	for (size_t i = 0; i < gone.n; i++) {
		struct str one = *(struct str *)vec_at(&gone, i);
		int known = leads_somewhere(e, one, err);
		if (known < 0 || (known == 0 && forget_ways_one(e, one, &gone, err) < 0))
			return -1;
	}
	return 0;
}

static void tell_ended(struct sqlite_engine *e, uint64_t account)
{
	state_change(e, &(struct change){ .kind = CHANGE_ENDED, .account = account });
}

int sqlite_account_ends(struct sqlite_engine *e, uint64_t account, struct err *err)
{
	tell_ended(e, account);
	return sql_run(
		&e->conn, sql_bound(&e->conn, SQL_ACCOUNT_EPOCH, "i", (int64_t)account), err);
}

/* ---- accounts ---- */

/* What every account begins with. RFC 6154 2 for the uses. */
static const struct {
	struct str name;
	uint16_t use;
} first_mailboxes[] = {
	{ STR_INIT("INBOX"), 0 },
	{ STR_INIT("Archive"), USE_ARCHIVE },
	{ STR_INIT("Drafts"), USE_DRAFTS },
	{ STR_INIT("Junk"), USE_JUNK },
	{ STR_INIT("Sent"), USE_SENT },
	{ STR_INIT("Trash"), USE_TRASH },
};

int sqlite_make_first_mailboxes(struct sqlite_engine *e, uint64_t account, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(first_mailboxes); i++) {
		struct str name = first_mailboxes[i].name;
		if (sqlite_mailbox_make(e, account, name, first_mailboxes[i].use, NULL, err) < 0 ||
			sqlite_subscribe(e, account, name, true, err) < 0)
			return -1;
	}
	return 0;
}

static int must_be_new(struct sqlite_engine *e, struct str address, struct err *err)
{
	struct account_row row;
	int found = has_account(e, address, &row, err);
	if (found < 0)
		return -1;
	int64_t aliases = number(e, sql_bound(&e->conn, SQL_ALIAS_COUNT, "t", address), err);
	if (aliases < 0)
		return -1;
	if (found || aliases)
		return fail(err, ERR_EXISTS, "the address is in use");
	return 0;
}

static int must_be_ours(struct sqlite_engine *e, struct str address, struct err *err)
{
	struct str domain = domain_of(address);
	int ours = has_domain(e, domain, err);
	return ours == 0  ? fail(err, ERR_NOT_FOUND, "no such domain: %" STR_FMT, STR_ARG(domain))
	       : ours < 0 ? -1
			  : 0;
}

int sqlite_op_account_add(struct sqlite_engine *e, struct op *op, struct err *err)
{
	const struct op_account *a = &op->account;
	if (a->kind > ACCOUNT_STREAM)
		return fail(err, ERR_SYNTAX, "no such kind of account");
	if (must_be_ours(e, a->address, err) < 0 || must_be_new(e, a->address, err) < 0)
		return -1;
	if (sql_run(&e->conn,
		    sql_bound(&e->conn, SQL_ACCOUNT_INSERT, "ttiiii", a->address,
			    domain_of(a->address), (int64_t)a->kind, (int64_t)a->values.quota_bytes,
			    (int64_t)a->values.quota_messages, (int64_t)a->values.legacy_auth),
		    err) < 0)
		return -1;
	uint64_t account = (uint64_t)sqlite3_last_insert_rowid(e->conn.db);
	if (sqlite_secrets_of_password(e, account, a, err) < 0)
		return -1;
	if (sqlite_make_first_mailboxes(e, account, err) < 0)
		return -1;
	return a->set ? sqlite_op_account_set(e, op, err) : 0;
}

int sqlite_op_account_password(struct sqlite_engine *e, struct op *op, struct err *err)
{
	struct account_row row;
	if (sqlite_must_have_account(e, op->account.address, &row, err) < 0)
		return -1;
	if (sqlite_secrets_forget(e, row.id, SECRET_RECOVERABLE, err) < 0 ||
		sqlite_secrets_of_password(e, row.id, &op->account, err) < 0)
		return -1;
	return sqlite_account_ends(e, row.id, err);
}

int sqlite_op_account_remove(struct sqlite_engine *e, struct op *op, struct err *err)
{
	struct account_row row;
	if (sqlite_must_have_account(e, op->account.address, &row, err) < 0)
		return -1;
	struct account_state *a = state_account(e, row.id, err);
	if (a == NULL)
		return -1;
	int64_t mailbox;
	while ((mailbox = number(
			e, sql_bound(&e->conn, SQL_MAILBOX_FIRST, "i", (int64_t)row.id), err)) > 0)
		if (sqlite_mailbox_drop(e, a, (uint64_t)mailbox, err) < 0)
			return -1;
	if (mailbox < 0 ||
		sql_run(&e->conn,
			sql_bound(&e->conn, SQL_SUBSCRIPTIONS_DELETE, "i", (int64_t)row.id),
			err) < 0 ||
		sql_run(&e->conn, sql_bound(&e->conn, SQL_ANNOTATIONS_DELETE, "i", (int64_t)row.id),
			err) < 0 ||
		sqlite_deleted_of_removed(e, row.id, op->account.address, op->account.erase, err) <
			0 ||
		sqlite_secrets_forget(e, row.id, SECRET_CERTIFICATE, err) < 0)
		return -1;
	tell_ended(e, row.id);
	if (sql_run(&e->conn, sql_bound(&e->conn, SQL_ACCOUNT_DELETE, "i", (int64_t)row.id), err) <
		0)
		return -1;
	return forget_ways_to(e, op->account.address, err);
}

static void apply_values(struct account_row *row, uint32_t set, const struct api_account *values)
{
	if (set & ACCOUNT_ACTIVE)
		row->active = values->active;
	if (set & ACCOUNT_SERVICES)
		row->services = values->services & SERVICES_ALL;
	if (set & ACCOUNT_QUOTA_BYTES)
		row->quota_bytes = values->quota_bytes;
	if (set & ACCOUNT_QUOTA_MESSAGES)
		row->quota_messages = values->quota_messages;
	if (set & ACCOUNT_KIND)
		row->kind = values->kind;
	if (set & ACCOUNT_LEGACY_AUTH)
		row->legacy_auth = values->legacy_auth;
	if (set & ACCOUNT_POP3_RETENTION) {
		row->pop3_retention = values->pop3_retention;
		row->pop3_expire_days = values->pop3_expire_days;
	}
}

/* Less than before: what is logged in must come again. */
static bool loses(const struct account_row *before, const struct account_row *after)
{
	return (before->active && !after->active) || (before->services & ~after->services);
}

int sqlite_op_account_set(struct sqlite_engine *e, struct op *op, struct err *err)
{
	struct account_row before, row;
	if (sqlite_must_have_account(e, op->account.address, &before, err) < 0)
		return -1;
	row = before;
	apply_values(&row, op->account.set, &op->account.values);
	if (row.kind > ACCOUNT_STREAM || row.pop3_retention > RETAIN_EXPIRE)
		return fail(err, ERR_SYNTAX, "no such value");
	bool ends = loses(&before, &row);
	if (ends)
		tell_ended(e, row.id);
	/* What could be read again is kept no longer than it is wanted. */
	if (!row.legacy_auth && sql_run(&e->conn,
					sql_bound(&e->conn, SQL_SECRETS_DELETE, "ii",
						(int64_t)row.id, (int64_t)SECRET_RECOVERABLE),
					err) < 0)
		return -1;
	return sql_run(&e->conn,
		sql_bound(&e->conn, SQL_ACCOUNT_SET, "iiiiiiiiii", (int64_t)row.active,
			(int64_t)row.services, (int64_t)row.quota_bytes,
			(int64_t)row.quota_messages, (int64_t)row.pop3_retention,
			(int64_t)row.pop3_expire_days, (int64_t)row.kind, (int64_t)row.legacy_auth,
			(int64_t)ends, (int64_t)row.id),
		err);
}

/* ---- domains ---- */

int sqlite_op_domain_add(struct sqlite_engine *e, struct op *op, struct err *err)
{
	int found = has_domain(e, op->domain.name, err);
	if (found)
		return found < 0 ? -1 : fail(err, ERR_EXISTS, "the domain exists already");
	return sql_run(&e->conn, sql_bound(&e->conn, SQL_DOMAIN_INSERT, "t", op->domain.name), err);
}

int sqlite_op_domain_remove(struct sqlite_engine *e, struct op *op, struct err *err)
{
	int found = has_domain(e, op->domain.name, err);
	if (found <= 0)
		return found < 0 ? -1
				 : fail(err, ERR_NOT_FOUND, "no such domain: %" STR_FMT,
					   STR_ARG(op->domain.name));
	int64_t used = number(e, sql_bound(&e->conn, SQL_DOMAIN_IN_USE, "t", op->domain.name), err);
	if (used)
		return used < 0 ? -1 : fail(err, ERR_IN_USE, "the domain has accounts");
	used = number(e, sql_bound(&e->conn, SQL_DOMAIN_HAS_ALIASES, "t", op->domain.name), err);
	if (used)
		return used < 0 ? -1 : fail(err, ERR_IN_USE, "the domain has aliases");
	return sql_run(&e->conn, sql_bound(&e->conn, SQL_DOMAIN_DELETE, "t", op->domain.name), err);
}

int sqlite_op_domain_set(struct sqlite_engine *e, struct op *op, struct err *err)
{
	int found = has_domain(e, op->domain.name, err);
	if (found <= 0)
		return found < 0 ? -1
				 : fail(err, ERR_NOT_FOUND, "no such domain: %" STR_FMT,
					   STR_ARG(op->domain.name));
	if (op->domain.catch_all.n && must_lead_somewhere(e, op->domain.catch_all, err) < 0)
		return -1;
	return sql_run(&e->conn,
		sql_bound(&e->conn, SQL_DOMAIN_SET, "tt", op->domain.catch_all, op->domain.name),
		err);
}

/* ---- aliases ---- */

int sqlite_op_alias_add(struct sqlite_engine *e, struct op *op, struct err *err)
{
	struct str address = op->alias.address, target = op->alias.target;
	struct account_row row;
	if (must_be_ours(e, address, err) < 0)
		return -1;
	if (str_equal(address, target))
		return fail(err, ERR_DENIED, "the alias would lead to itself");
	if (must_lead_somewhere(e, target, err) < 0)
		return -1;
	int found = has_account(e, address, &row, err);
	if (found)
		return found < 0 ? -1 : fail(err, ERR_EXISTS, "the address is an account");
	int loop = resolve_leads_to(own_reader(e), target, address, err);
	if (loop)
		return loop < 0 ? -1 : fail(err, ERR_DENIED, "the alias would lead to itself");
	int64_t n = number(e, sql_bound(&e->conn, SQL_ALIAS_COUNT, "t", address), err);
	if (n < 0)
		return -1;
	if (n >= LIMIT_ALIAS_TARGETS)
		return fail(err, ERR_LIMIT, "an alias has at most %d targets", LIMIT_ALIAS_TARGETS);
	sqlite3_stmt *st = sql_bound(&e->conn, SQL_ALIAS_INSERT, "tt", address, target);
	if (sql_run(&e->conn, st, err) == 0)
		return 0;
	if ((sqlite3_errcode(e->conn.db) & 0xff) == SQLITE_CONSTRAINT)
		return fail(err, ERR_EXISTS, "the alias has that target already");
	return -1;
}

int sqlite_op_alias_remove(struct sqlite_engine *e, struct op *op, struct err *err)
{
	sqlite3_stmt *st = op->alias.target.n ? sql_bound(&e->conn, SQL_ALIAS_DELETE, "tt",
							op->alias.address, op->alias.target)
					      : sql_bound(&e->conn, SQL_ALIAS_DELETE_ALL, "t",
							op->alias.address);
	if (sql_run(&e->conn, st, err) < 0)
		return -1;
	if (sqlite3_changes(e->conn.db) == 0)
		return fail(err, ERR_NOT_FOUND, "no such alias");
	return forget_ways_to(e, op->alias.address, err);
}
