// SPDX-License-Identifier: Apache-2.0
/*
 * What the ledger knows of segments: which have dead bytes since when, and where bodies are. Moving
 * a body changes where its row says the record is, and nothing else: no entry, no modseq, so nobody
 * hears of it.
 */
#include "store/sqlite_private.h"

void sqlite_note_end(struct sqlite_engine *e, const struct blob_ref *ref)
{
	uint64_t end = ref->offset + ref->length;
	if (ref->segment > e->tail.segment ||
		(ref->segment == e->tail.segment && end > e->tail.offset))
		e->tail = (struct segment_end){ ref->segment, end };
}

/* The row may have gone, or moved, since the copy was made: then the copy is the dead one. */
int sqlite_op_body_move(struct sqlite_engine *e, struct op *op, struct err *err)
{
	const struct blob_ref *from = &op->body_move.from, *to = &op->body_move.to;
	sqlite3_stmt *st = sql_bound(&e->conn, SQL_BODY_MOVE, "iiiii", (int64_t)to->segment,
		(int64_t)to->offset, (int64_t)from->id, (int64_t)from->segment,
		(int64_t)from->offset);
	if (sql_run(&e->conn, st, err) < 0)
		return -1;
	op->result.done_count = (uint32_t)sqlite3_changes(e->conn.db);
	if (op->result.done_count == 0)
		return sqlite_segment_dead(e, to->segment, to->length, err);
	sqlite_note_end(e, to);
	return sqlite_segment_dead(e, from->segment, from->length, err);
}

int sqlite_op_named(struct sqlite_engine *e, struct op *op, struct err *err)
{
	sqlite3_stmt *st = sql_bound(&e->conn, SQL_BODY_THERE, "i", (int64_t)op->named.body);
	int row = sql_row(&e->conn, st, err);
	if (row == 0)
		return fail(err, ERR_NOT_FOUND, "no such message");
	if (row > 0)
		sql_end(st);
	return row < 0 ? -1 : 0;
}

int sqlite_op_segment(struct sqlite_engine *e, struct op *op, struct err *err)
{
	const struct op_segment *s = &op->segment;
	int64_t now = e->seams->clock->wall_ms(e->seams->clock);
	if (s->gone) {
		/* Whatever was carried of it goes too (secure_delete: as zeros), and from the log.
		 */
		e->erase = ERASE_NOW;
		if (sql_run(&e->conn,
			    sql_bound(&e->conn, SQL_CARRIED_DELETE, "i", (int64_t)s->segment),
			    err) < 0)
			return -1;
		return sql_run(&e->conn,
			sql_bound(&e->conn, SQL_SEGMENT_DELETE, "i", (int64_t)s->segment), err);
	}
	return sql_run(&e->conn,
		sql_bound(&e->conn, SQL_SEGMENT_SURVEYED, "iii", (int64_t)s->segment,
			(int64_t)s->dead, now),
		err);
}

int sqlite_carry(struct sqlite_engine *e, const struct segment_carry *c, struct err *err)
{
	/* Whole blocks: a row that is as long as the one before is written over it. */
	struct str bytes = str_make(c->p, (c->length + 4095) & ~(size_t)4095);
	sqlite3_stmt *st = sql_bound(&e->conn, SQL_CARRY, "iiiiib", (int64_t)c->slot,
		(int64_t)c->segment, (int64_t)c->offset, (int64_t)c->length, (int64_t)c->checksum,
		bytes);
	return sql_run(&e->conn, st, err);
}

int sqlite_carried(struct engine *engine, each_carry each, void *arg, struct err *err)
{
	struct sqlite_engine *e = sqlite_engine_of(engine);
	sqlite3_stmt *st = sql_bound(&e->conn, SQL_CARRIED, "");
	int row, rc = 0;
	while (rc == 0 && (row = sql_row(&e->conn, st, err)) != 0) {
		if (row < 0)
			return -1;
		struct str bytes = sql_str(st, 5);
		struct segment_carry c = { .slot = sql_u32(st, 0),
			.segment = sql_u32(st, 1),
			.offset = sql_u64(st, 2),
			.p = (const uint8_t *)bytes.p,
			.length = sql_u32(st, 3),
			.checksum = sql_u32(st, 4) };
		if (c.length <= bytes.n)
			rc = each(arg, &c);
	}
	if (st)
		sql_end(st);
	/* Some MiB of pages that nobody asks for again. */
	sqlite3_db_release_memory(e->conn.db);
	return rc;
}

int sqlite_segment_each(struct reader *r, int (*each)(void *, const struct segment_row *),
	void *arg, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	sqlite3_stmt *st = sql_bound(c, SQL_SEGMENT_EACH, "");
	int row, rc = 0;
	while (rc == 0 && (row = sql_row(c, st, err)) != 0) {
		if (row < 0)
			return -1;
		struct segment_row segment = { .segment = sql_u32(st, 0),
			.surveyed = sql_u32(st, 1) != 0,
			.dead = sql_u64(st, 2),
			.since = sqlite3_column_int64(st, 3) };
		rc = each(arg, &segment);
	}
	if (st)
		sql_end(st);
	return rc;
}

int sqlite_bodies_in(struct reader *r, uint32_t segment, uint64_t *after, size_t n, uint64_t *ret,
	uint64_t *ret_bytes, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	sqlite3_stmt *st = sql_bound(
		c, SQL_BODIES_IN, "iii", (int64_t)segment, (int64_t)*after, (int64_t)n);
	if (sql_row(c, st, err) <= 0)
		return -1;
	bool more = sqlite3_column_type(st, 0) != SQLITE_NULL;
	if (more)
		*after = sql_u64(st, 0);
	*ret += sql_u64(st, 1);
	*ret_bytes += sql_u64(st, 2);
	sql_end(st);
	return more;
}

int sqlite_kept(struct reader *r, struct kept_counts *ret, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	sqlite3_stmt *st = sql_bound(c, SQL_KEPT_COUNTS, "");
	if (sql_row(c, st, err) <= 0)
		return -1;
	*ret = (struct kept_counts){
		.messages = sql_u64(st, 0), .bytes = sql_u64(st, 1), .dead = sql_u64(st, 2)
	};
	sql_end(st);
	return 0;
}
