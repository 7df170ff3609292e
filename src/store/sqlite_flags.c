// SPDX-License-Identifier: Apache-2.0
/*
 * Flags. One statement a range: its WHERE calls entry_changes() for each row, which sees what the
 * entry was, counts, tells, and says whether the row is written. So there is one walk over the rows
 * and nothing is read twice; what a row becomes is said once more by the statement's SET, with what
 * stays and what is added as masks.
 */
#include "base/planted.h"
#include "store/sqlite_private.h"

/* Of the running statement. */
struct flags_walk {
	struct sqlite_engine *e;
	struct account_state *a;
	struct mailbox_state *m;
	const struct op_flags *op;
	struct op_result *result;
	uint64_t bits[2]; /* of the keywords */
	uint64_t modseq;  /* of what is changed */
	bool any;         /* something was */
	uint32_t seen, changed;
	size_t changes; /* of the transaction, before this */
	struct err err;
};

/* ---- one entry ---- */

/* One by one, or, from so many on, what was done. */
static void tell_changed(struct flags_walk *f, const struct api_entry *x)
{
	if (f->changed++ < f->e->bounds->flags_told)
		sqlite_tell(f->e, CHANGE_ENTRY, f->m, x);
	else
		f->e->txn->changes.n = f->changes;
}

static void tell_done(struct flags_walk *f)
{
	if (f->changed <= f->e->bounds->flags_told)
		return;
	state_change(f->e, &(struct change){ .kind = CHANGE_FLAGS,
				   .account = f->m->account,
				   .mailbox = f->m->id,
				   .modseq = f->modseq,
				   .uidnext = f->m->uidnext,
				   .flags = { f->op, { f->bits[0], f->bits[1] } } });
}

static void note_modseq(struct flags_walk *f)
{
	if (f->any)
		return;
	f->any = true;
	f->modseq = state_next_modseq(f->e, f->a);
	state_touch_mailbox(f->e, f->m);
	f->m->modseq = f->modseq;
}

/* Whether the row is to be written. What changes nothing gives no modseq: RFC 7162 3.1.3 */
static bool changes(struct flags_walk *f, struct api_entry *x)
{
	struct api_entry old = *x;
	if (x->modseq > f->op->unchanged_since) {
		vec_push(&f->result->failed, &x->uid);
		return false;
	}
	f->result->done_count++;
	if (!op_flags_apply(f->op, f->bits, x))
		return false;
	note_modseq(f);
	x->modseq = f->modseq;
	sqlite_count_entry(f->m, &old, false);
	sqlite_count_entry(f->m, x, true);
	tell_changed(f, x);
	return !planted("flags_not_kept");
}

/* entry_changes(uid,flags,keywords_low,keywords_high,modseq,size,time,entry_id,saved) */
static void entry_changes(sqlite3_context *c, int n, sqlite3_value **v)
{
	struct flags_walk *f = ((struct sqlite_engine *)sqlite3_user_data(c))->flags;
	struct api_entry x = { .uid = (uint32_t)sqlite3_value_int64(v[0]),
		.flags = (uint8_t)sqlite3_value_int64(v[1]),
		.keywords_low = (uint64_t)sqlite3_value_int64(v[2]),
		.keywords_high = (uint64_t)sqlite3_value_int64(v[3]),
		.modseq = (uint64_t)sqlite3_value_int64(v[4]),
		.size = (uint64_t)sqlite3_value_int64(v[5]),
		.time = sqlite3_value_int64(v[6]),
		.entry_id = (uint64_t)sqlite3_value_int64(v[7]),
		.saved_s = (uint32_t)sqlite3_value_int64(v[8]) };
	(void)n;
	if (++f->seen > f->e->bounds->changed_entries) {
		fail(&f->err, ERR_LIMIT, "too many messages at once");
		sqlite3_result_error(c, f->err.public_text, -1);
		return;
	}
	sqlite3_result_int(c, changes(f, &x));
}

int sqlite_flags_known(struct sqlite_engine *e, struct err *err)
{
	if (sqlite3_create_function(e->conn.db, "entry_changes", 9, SQLITE_UTF8 | SQLITE_DIRECTONLY,
		    e, entry_changes, NULL, NULL) != SQLITE_OK)
		return sqlite_fail(e->conn.db, err);
	return 0;
}

/* ---- the statement ---- */

/* What of the old stays, and what is added, as op_flags_apply() has it. */
static int64_t kept(enum flags_mode mode, uint64_t given)
{
	return mode == FLAGS_REPLACE ? 0 : mode == FLAGS_ADD ? -1 : (int64_t)~given;
}

static int64_t added(enum flags_mode mode, uint64_t given)
{
	return mode == FLAGS_REMOVE ? 0 : (int64_t)given;
}

static int write_range(struct flags_walk *f, uint32_t low, uint32_t high, struct err *err)
{
	enum flags_mode mode = f->op->mode;
	uint64_t flags = f->op->flags & FLAGS_ALL;
	f->e->flags = f;
	int rc = sql_run(&f->e->conn,
		sql_bound(&f->e->conn, SQL_ENTRIES_FLAGS, "iiiiiiiiii", kept(mode, flags),
			added(mode, flags), kept(mode, f->bits[0]), added(mode, f->bits[0]),
			kept(mode, f->bits[1]), added(mode, f->bits[1]), (int64_t)f->modseq,
			(int64_t)f->m->id, (int64_t)low, (int64_t)high),
		err);
	f->e->flags = NULL;
	if (f->err.kind != ERR_NONE)
		*err = f->err;
	return rc;
}

/* 1: a range has an entry that may be changed; 0: none has; -1 */
static int find_any(const struct flags_walk *f, struct err *err)
{
	struct range_walk ranges = { f->op->uids, f->m->uidnext - 1 };
	uint64_t since = f->op->unchanged_since;
	uint32_t low = 0, high = 0;
	int more, any = 0;
	while (any == 0 && (more = sqlite_range_next(&ranges, &low, &high, err)) != 0) {
		sqlite3_stmt *st = more < 0
					   ? NULL
					   : sql_bound(&f->e->conn, SQL_ENTRIES_ANY, "iiii",
						     (int64_t)f->m->id, (int64_t)low, (int64_t)high,
						     (int64_t)(since < INT64_MAX ? since
										 : INT64_MAX));
		if (more < 0)
			return -1;
		any = sql_row(&f->e->conn, st, err);
		if (any > 0)
			sql_end(st);
	}
	return any;
}

/* New keywords are made when there is an entry that may have them: a STORE whose UNCHANGEDSINCE
 * keeps all back changes nothing, the mailbox's list neither. RFC 7162 3.1.3 */
static int find_bits(struct flags_walk *f, struct err *err)
{
	bool make = f->op->mode != FLAGS_REMOVE;
	int any = f->op->keywords.n > 0 ? find_any(f, err) : 0;
	if (any <= 0)
		return any;
	return sqlite_keyword_bits(f->e, f->m, f->op->keywords, make, f->bits, err);
}

int sqlite_op_flags(struct sqlite_engine *e, struct op *op, struct err *err)
{
	struct account_state *a = state_by(e, &op->by, err);
	struct mailbox_state *m = a ? state_owned(e, op->flags.mailbox, a->id, err) : NULL;
	if (m == NULL)
		return -1;
	if (op->flags.mode > FLAGS_REMOVE)
		return fail(err, ERR_SYNTAX, "no such mode");
	struct flags_walk f = {
		.e = e, .a = a, .m = m, .op = &op->flags, .result = &op->result, .err = ERR_INIT
	};
	struct range_walk ranges = { op->flags.uids, m->uidnext - 1 };
	uint32_t low = 0, high = 0;
	int more;
	op->result.before = m->modseq;
	if (find_bits(&f, err) < 0)
		return -1;
	f.modseq = a->modseq + 1;
	f.changes = e->txn->changes.n;
	while ((more = sqlite_range_next(&ranges, &low, &high, err)) > 0)
		if (write_range(&f, low, high, err) < 0)
			return -1;
	tell_done(&f);
	op->result.modseq = m->modseq;
	return more;
}
