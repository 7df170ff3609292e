// SPDX-License-Identifier: Apache-2.0
/* Annotations (RFC 5464): what clients keep beside a mailbox or, with mailbox 0, beside the
 * account. They go with their mailbox. A change raises the mailbox's modseq (RFC 7162 3.2). */
#include "store/sqlite_private.h"

static int put(struct sqlite_engine *e, uint64_t account, uint64_t mailbox,
	const struct api_annotation *a, bool missing, struct err *err)
{
	if (a->name.n == 0 || a->name.n > LIMIT_ANNOTATION_NAME_BYTES ||
		a->value.n > LIMIT_ANNOTATION_BYTES)
		return fail(err, ERR_LIMIT, "an annotation is too large");
	if (a->remove)
		return sql_run(&e->conn,
			sql_bound(&e->conn, SQL_ANNOTATION_DELETE, "iit", (int64_t)account,
				(int64_t)mailbox, a->name),
			err);
	return sql_run(&e->conn,
		sql_bound(&e->conn, missing ? SQL_ANNOTATION_KEEP : SQL_ANNOTATION_PUT, "iitb",
			(int64_t)account, (int64_t)mailbox, a->name,
			a->value.n ? a->value : STR("")),
		err);
}

/* The first number of a row there must be. */
static int number(struct sqlite_engine *e, sqlite3_stmt *st, uint64_t *ret, struct err *err)
{
	if (sql_row(&e->conn, st, err) <= 0)
		return -1;
	*ret = sql_u64(st, 0);
	sql_end(st);
	return 0;
}

static int check_numbers(
	struct sqlite_engine *e, uint64_t account, uint64_t mailbox, struct err *err)
{
	uint64_t here = 0, in_all = 0;
	if (number(e,
		    sql_bound(&e->conn, SQL_ANNOTATION_COUNT, "ii", (int64_t)account,
			    (int64_t)mailbox),
		    &here, err) < 0 ||
		number(e, sql_bound(&e->conn, SQL_ANNOTATIONS_COUNT, "i", (int64_t)account),
			&in_all, err) < 0)
		return -1;
	if (here > LIMIT_ANNOTATIONS || in_all > LIMIT_ACCOUNT_ANNOTATIONS)
		return fail(err, ERR_LIMIT, "too many annotations");
	return 0;
}

static void raise_modseq(struct sqlite_engine *e, struct account_state *a, struct mailbox_state *m)
{
	state_touch_mailbox(e, m);
	m->modseq = state_next_modseq(e, a);
	state_change(e, &(struct change){ .kind = CHANGE_MODSEQ,
				.account = m->account,
				.mailbox = m->id,
				.modseq = m->modseq,
				.uidnext = m->uidnext });
}

int sqlite_op_annotate(struct sqlite_engine *e, struct op *op, struct err *err)
{
	const struct op_annotate *x = &op->annotate;
	struct account_state *a = state_by(e, &op->by, err);
	struct mailbox_state *m = NULL;
	bool any = false;
	if (a == NULL || (x->mailbox && (m = state_owned(e, x->mailbox, a->id, err)) == NULL))
		return -1;
	for (size_t i = 0; i < x->list.n; i++) {
		if (put(e, a->id, x->mailbox, &x->list.items[i], x->missing, err) < 0)
			return -1;
		any |= !x->list.items[i].remove;
	}
	if (any && check_numbers(e, a->id, x->mailbox, err) < 0)
		return -1;
	if (m)
		raise_modseq(e, a, m);
	return 0;
}

int sqlite_annotation_each(struct reader *r, uint64_t account, uint64_t mailbox,
	int (*each)(void *, const struct api_annotation *), void *arg, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	sqlite3_stmt *st = sql_bound(c, SQL_ANNOTATIONS, "ii", (int64_t)account, (int64_t)mailbox);
	int row;
	while ((row = sql_row(c, st, err)) > 0) {
		struct api_annotation a = { .name = sql_str(st, 0), .value = sql_str(st, 1) };
		int rc = each(arg, &a);
		if (rc) {
			sql_end(st);
			return rc;
		}
	}
	return row;
}
