// SPDX-License-Identifier: Apache-2.0
/* Operations on secrets: what an account proves itself with. Values are opaque here. */
#include "store/sqlite_private.h"

/* The account that an operation is for: by its address (an administrator's), or by op->by. */
static int account_of(struct sqlite_engine *e, const struct op *op, uint64_t *ret, struct err *err)
{
	struct account_row row;
	if (op->secret.address.n) {
		if (sqlite_must_have_account(e, op->secret.address, &row, err) < 0)
			return -1;
		*ret = row.id;
		return 0;
	}
	if (state_by(e, &op->by, err) == NULL)
		return -1;
	*ret = op->by.account;
	return 0;
}

static int must_have_room(struct sqlite_engine *e, uint64_t account, struct err *err)
{
	sqlite3_stmt *st = sql_bound(&e->conn, SQL_SECRET_COUNT, "i", (int64_t)account);
	if (sql_row(&e->conn, st, err) <= 0)
		return -1;
	uint64_t n = sql_u64(st, 0);
	sql_end(st);
	if (n >= LIMIT_SECRETS)
		return fail(err, ERR_LIMIT,
			"an account has at most %d app passwords and certificates", LIMIT_SECRETS);
	return 0;
}

static int insert(
	struct sqlite_engine *e, uint64_t account, const struct op_secret *s, struct err *err)
{
	if (s->value.n == 0 || s->value.n > LIMIT_SECRET_BYTES ||
		s->label.n > LIMIT_SECRET_LABEL_BYTES)
		return fail(err, ERR_LIMIT, "a secret has 1 to %d bytes, its label at most %d",
			LIMIT_SECRET_BYTES, LIMIT_SECRET_LABEL_BYTES);
	if (s->kind > SECRET_RECOVERABLE && must_have_room(e, account, err) < 0)
		return -1;
	if (sql_run(&e->conn,
		    sql_bound(&e->conn, SQL_SECRET_INSERT, "iitbii", (int64_t)account,
			    (int64_t)s->kind, s->label, s->value, (int64_t)s->services, s->time_ms),
		    err) == 0)
		return 0;
	if ((sqlite3_errcode(e->conn.db) & 0xff) == SQLITE_CONSTRAINT)
		return fail(err, ERR_EXISTS, "the certificate is registered already");
	return -1;
}

int sqlite_secrets_forget(
	struct sqlite_engine *e, uint64_t account, enum secret_kind up_to, struct err *err)
{
	return sql_run(&e->conn,
		sql_bound(&e->conn, SQL_SECRETS_FORGET, "ii", (int64_t)account, (int64_t)up_to),
		err);
}

int sqlite_secrets_of_password(
	struct sqlite_engine *e, uint64_t account, const struct op_account *a, struct err *err)
{
	struct op_secret s = { .kind = SECRET_PASSWORD,
		.value = a->verifier,
		.services = SERVICES_ALL,
		.time_ms = a->time_ms };
	if (insert(e, account, &s, err) < 0)
		return -1;
	for (size_t i = 0; i < a->secrets.n; i++) {
		s.kind = a->secrets.items[i].kind;
		s.value = a->secrets.items[i].value;
		if (s.kind != SECRET_SCRAM_SHA256 && s.kind != SECRET_RECOVERABLE)
			return fail(err, ERR_SYNTAX, "no such kind of secret of a password");
		if (insert(e, account, &s, err) < 0)
			return -1;
	}
	return 0;
}

int sqlite_op_secret_put(struct sqlite_engine *e, struct op *op, struct err *err)
{
	const struct op_secret *s = &op->secret;
	uint64_t account;
	if (account_of(e, op, &account, err) < 0)
		return -1;
	if (s->kind <= SECRET_PASSWORD || s->kind > SECRET_CERTIFICATE)
		return fail(err, ERR_SYNTAX, "no such kind of secret");
	if (s->kind <= SECRET_RECOVERABLE && sql_run(&e->conn,
						     sql_bound(&e->conn, SQL_SECRETS_DELETE, "ii",
							     (int64_t)account, (int64_t)s->kind),
						     err) < 0)
		return -1;
	return insert(e, account, s, err);
}

static int must_have_changed(struct sqlite_engine *e, struct err *err)
{
	if (sqlite3_changes(e->conn.db) == 0)
		return fail(err, ERR_NOT_FOUND, "no such secret");
	return 0;
}

int sqlite_op_secret_remove(struct sqlite_engine *e, struct op *op, struct err *err)
{
	uint64_t account;
	if (account_of(e, op, &account, err) < 0 ||
		sql_run(&e->conn,
			sql_bound(&e->conn, SQL_SECRET_DELETE, "iii", (int64_t)account,
				(int64_t)op->secret.id, (int64_t)SECRET_APP_PASSWORD),
			err) < 0 ||
		must_have_changed(e, err) < 0)
		return -1;
	return sqlite_account_ends(e, account, err);
}

int sqlite_op_secret_used(struct sqlite_engine *e, struct op *op, struct err *err)
{
	uint64_t account;
	if (account_of(e, op, &account, err) < 0 ||
		sql_run(&e->conn,
			sql_bound(&e->conn, SQL_SECRET_USED, "iii", op->secret.time_ms,
				(int64_t)account, (int64_t)op->secret.id),
			err) < 0)
		return -1;
	return must_have_changed(e, err);
}
