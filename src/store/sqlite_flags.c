// SPDX-License-Identifier: Apache-2.0
/*
 * Flags. What changes of entries stands in blocks of 256 UIDs (sqlite_blocks.c), so a STORE is a
 * walk over blocks. Rows of entries are read for what a change that is told one by one says beside,
 * and for the sizes of those that get or lose \Deleted.
 */
#include "base/planted.h"
#include "store/sqlite_private.h"

struct flags_walk {
	struct sqlite_engine *e;
	struct account_state *a;
	struct mailbox_state *m;
	const struct op_flags *op;
	struct op_result *result;
	uint64_t bits[2]; /* of the keywords */
	uint64_t modseq;  /* of what is changed; 0: nothing was so far */
	uint32_t seen, changed;
	size_t changes; /* of the transaction, before this */
};

/* What was changed of a block: as it is now, and the flags before. */
struct changed {
	uint32_t n;
	bool deleted; /* one got or lost \Deleted */
	struct api_entry entries[FLAG_BLOCK_UIDS];
	uint8_t before[FLAG_BLOCK_UIDS];
};

/* ---- one entry ---- */

static void note_modseq(struct flags_walk *f)
{
	if (f->modseq)
		return;
	f->modseq = state_next_modseq(f->e, f->a);
	state_touch_mailbox(f->e, f->m);
	f->m->modseq = f->modseq;
}

/* What changes nothing gives no modseq: RFC 7162 3.1.3 */
static void change(
	struct flags_walk *f, struct held_block *h, struct api_entry x, struct changed *c)
{
	uint8_t before = x.flags;
	if (x.modseq > f->op->unchanged_since) {
		vec_push(&f->result->failed, &x.uid);
		return;
	}
	f->result->done_count++;
	if (!op_flags_apply(f->op, f->bits, &x))
		return;
	note_modseq(f);
	x.modseq = f->modseq;
	c->deleted |= ((x.flags ^ before) & FLAG_DELETED) != 0;
	c->before[c->n] = before;
	c->entries[c->n++] = x;
	if (!planted("flags_not_kept"))
		flag_record_put(blocks_change(h, x.uid), &x);
}

/* ---- one block ---- */

static int add_rows(const struct flags_walk *f, struct changed *c, struct err *err)
{
	struct api_entry *x = c->entries, *last = &c->entries[c->n - 1];
	sqlite3_stmt *st = sql_bound(&f->e->conn, SQL_ENTRIES, "iiii", (int64_t)f->m->id,
		(int64_t)x->uid, (int64_t)last->uid, (int64_t)FLAG_BLOCK_UIDS);
	int row;
	while ((row = sql_row(&f->e->conn, st, err)) > 0) {
		while (x->uid < sql_u32(st, ENTRIES_UID))
			x++;
		if (x->uid == sql_u32(st, ENTRIES_UID))
			sqlite_add_row(st, x);
	}
	return row;
}

/* Changes are told one by one or, from so many on, as what was done (tell_done). */
static int tell(struct flags_walk *f, struct changed *c, struct err *err)
{
	f->changed += c->n;
	bool told = f->changed <= f->e->bounds->flags_told;
	if ((told || c->deleted) && add_rows(f, c, err) < 0)
		return -1;
	for (uint32_t i = 0; i < c->n; i++) {
		struct api_entry old = c->entries[i];
		old.flags = c->before[i];
		sqlite_count_entry(f->m, &old, false);
		sqlite_count_entry(f->m, &c->entries[i], true);
		if (told && c->entries[i].entry_id) /* else there is no row: damage */
			sqlite_tell(f->e, CHANGE_ENTRY, f->m, &c->entries[i]);
	}
	if (!told)
		f->e->txn->changes.n = f->changes;
	return 0;
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

static int change_block(
	struct flags_walk *f, struct held_block *h, uint32_t low, uint32_t high, struct err *err)
{
	struct changed c = { .n = 0 };
	for (uint64_t uid = low; uid <= high; uid++) {
		struct api_entry x = { .uid = (uint32_t)uid };
		flag_record_get(flag_block_at(h->block, x.uid), &x);
		if (x.modseq == 0)
			continue;
		if (++f->seen > f->e->bounds->changed_entries)
			return fail(err, ERR_LIMIT, "too many messages at once");
		change(f, h, x, &c);
	}
	return c.n ? tell(f, &c, err) : 0;
}

/* 1: it has an entry that may be changed. */
static int may_change(
	struct flags_walk *f, struct held_block *h, uint32_t low, uint32_t high, struct err *err)
{
	(void)err;
	for (uint64_t uid = low; uid <= high; uid++) {
		const struct flag_record *r = flag_block_at(h->block, (uint32_t)uid);
		if (r->modseq && r->modseq <= f->op->unchanged_since)
			return 1;
	}
	return 0;
}

/* ---- all blocks ---- */

typedef int (*each_block)(
	struct flags_walk *, struct held_block *, uint32_t low, uint32_t high, struct err *);

static int walk_range(
	struct flags_walk *f, uint32_t low, uint32_t high, each_block each, struct err *err)
{
	struct block_walk blocks = block_walk(f->m->id, low, high);
	struct held_block *h;
	int more, rc = 0;
	while (rc == 0 && (more = blocks_next(&f->e->conn, &blocks, &h, err)) != 0) {
		if (more < 0)
			return -1;
		uint32_t first = held_block_uid(h->id), last = first + FLAG_BLOCK_UIDS - 1;
		rc = each(f, h, low > first ? low : first, high < last ? high : last, err);
	}
	return rc;
}

/* Each block that has UIDs of the ranges, until one is not answered with 0, which is returned. */
static int walk(struct flags_walk *f, each_block each, struct err *err)
{
	struct range_walk ranges = { f->op->uids, f->m->uidnext - 1 };
	uint32_t low = 0, high = 0;
	int more, rc = 0;
	while (rc == 0 && (more = sqlite_range_next(&ranges, &low, &high, err)) != 0)
		rc = more < 0 ? -1 : walk_range(f, low, high, each, err);
	return rc;
}

/* New keywords are made when there is an entry that may have them: a STORE whose UNCHANGEDSINCE
 * keeps all back changes nothing, the mailbox's list neither. RFC 7162 3.1.3 */
static int find_bits(struct flags_walk *f, struct err *err)
{
	bool make = f->op->mode != FLAGS_REMOVE;
	int any = f->op->keywords.n > 0 ? walk(f, may_change, err) : 0;
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
	struct flags_walk f = { .e = e, .a = a, .m = m, .op = &op->flags, .result = &op->result };
	op->result.before = m->modseq;
	if (find_bits(&f, err) < 0)
		return -1;
	f.changes = e->txn->changes.n;
	if (walk(&f, change_block, err) < 0)
		return -1;
	tell_done(&f);
	op->result.modseq = m->modseq;
	return 0;
}
