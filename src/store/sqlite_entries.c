// SPDX-License-Identifier: Apache-2.0
/*
 * Operations on entries: landing, copying and moving, expunging (flags: sqlite_flags.c). Each takes
 * one modseq of the account when it changes something at all, and leaves a change for each entry.
 *
 * UIDs are given here, inside the transaction, and are never given again: uidnext only rises
 * (RFC 9051 2.3.1.1).
 */
#include "base/abnf.h"
#include "base/buf.h"
#include "base/planted.h"
#include "store/sqlite_private.h"

enum { BATCH_ROWS = 256 };

struct row {
	struct api_entry entry;
	uint64_t body;
	uint32_t prefix_at, prefix_size;
	/* What the UIDL is made of. Above 0: the record and this, body_mark(); at most one entry of
	 * all has the same. 0: UIDVALIDITY and UID. Below: the negative of an earlier UIDVALIDITY,
	 * and UID. */
	int64_t uidl;
};

/* ---- counters ---- */

/* One that is too low, which is damage, ends at 0. */
static void count(uint64_t *counter, uint64_t n, bool in)
{
	if (in)
		*counter += n;
	else
		*counter -= n < *counter ? n : *counter;
}

void sqlite_count_entry(struct mailbox_state *m, const struct api_entry *entry, bool in)
{
	count(&m->messages, 1, in);
	count(&m->size, entry->size, in);
	if (!(entry->flags & FLAG_SEEN))
		count(&m->unseen, 1, in);
	if (entry->flags & FLAG_DELETED) {
		count(&m->deleted, 1, in);
		count(&m->deleted_size, entry->size, in);
	}
}

bool sqlite_has_room(const struct account_state *a, uint64_t size)
{
	return (a->quota_messages == 0 || a->used_messages < a->quota_messages) &&
	       (a->quota_bytes == 0 ||
		       (size <= a->quota_bytes && a->used_bytes <= a->quota_bytes - size));
}

static void charge(struct sqlite_engine *e, struct account_state *a, uint64_t size, bool in)
{
	state_touch_account(e, a);
	if (!in && planted("quota_not_given_back"))
		return;
	a->used_messages += in ? 1 : (uint64_t)-1;
	a->used_bytes += in ? size : -size;
}

static bool has_uids(const struct mailbox_state *m)
{
	return m->uidnext < UINT32_MAX && m->uidfloor < UINT32_MAX;
}

/* wanted: what an imported message had elsewhere, which it keeps while UIDs rise and many are left;
 * or 0. One that is given here is beyond all that were given there. */
static uint32_t take_uid(struct mailbox_state *m, uint32_t wanted)
{
	uint32_t uid = m->uidnext > m->uidfloor ? m->uidnext : m->uidfloor;
	if (wanted >= m->uidnext && wanted <= LIMIT_IMPORTED_UID)
		uid = wanted;
	m->uidnext = uid + 1;
	return uid;
}

void sqlite_tell(struct sqlite_engine *e, enum change_kind kind, const struct mailbox_state *m,
	const struct api_entry *entry)
{
	state_change(e, &(struct change){ .kind = kind,
				.account = m->account,
				.mailbox = m->id,
				.modseq = entry->modseq,
				.uidnext = m->uidnext,
				.entry = *entry });
}

/* ---- keywords ---- */

static int add_keyword(
	struct sqlite_engine *e, struct mailbox_state *m, struct str name, struct err *err)
{
	if (name.n > LIMIT_KEYWORD_BYTES)
		return fail(err, ERR_LIMIT, "a keyword has at most %d bytes", LIMIT_KEYWORD_BYTES);
	if (m->n_keywords == LIMIT_KEYWORDS)
		return fail(err, ERR_LIMIT, "a mailbox has at most %d keywords", LIMIT_KEYWORDS);
	uint32_t bit = m->n_keywords;
	if (sql_run(&e->conn,
		    sql_bound(&e->conn, SQL_KEYWORD_INSERT, "iit", (int64_t)m->id, (int64_t)bit,
			    name),
		    err) < 0)
		return -1;
	state_touch_mailbox(e, m);
	m->keywords[m->n_keywords++] = str_make(xmemdup0(name.p, name.n), name.n);
	state_change(e, &(struct change){ .kind = CHANGE_KEYWORD,
				.account = m->account,
				.mailbox = m->id,
				.bit = bit,
				.name = arena_str(&e->txn->arena, name) });
	return (int)bit;
}

/* The bit of a keyword: RFC 9051 2.3.2, without regard to case. -1 none; -2 failed. None is made of
 * what is no keyword of IMAP, whoever says it: every session is told the names as they are. */
static int keyword_bit(struct sqlite_engine *e, struct mailbox_state *m, struct str name, bool make,
	struct err *err)
{
	if (make && !abnf_is_imap_keyword(name))
		return -1;
	if (state_keywords(e, m, err) < 0)
		return -2;
	for (uint32_t i = 0; i < m->n_keywords; i++)
		if (str_equal_nocase(m->keywords[i], name))
			return (int)i;
	if (!make)
		return -1;
	int bit = add_keyword(e, m, name, err);
	return bit < 0 ? -2 : bit;
}

static void set_bit(uint64_t bits[2], int bit)
{
	bits[bit / 64] |= (uint64_t)1 << (bit % 64);
}

int sqlite_keyword_bits(struct sqlite_engine *e, struct mailbox_state *m, struct api_str_list names,
	bool make, uint64_t bits[2], struct err *err)
{
	for (size_t i = 0; i < names.n; i++) {
		int bit = keyword_bit(e, m, names.items[i], make, err);
		if (bit == -2)
			return -1;
		if (bit >= 0)
			set_bit(bits, bit);
	}
	return 0;
}

/* ---- rows ---- */

/* The entry is new in its mailbox, wherever it came from: its save date is now (RFC 8514 3). */
static int insert_entry(
	struct sqlite_engine *e, const struct mailbox_state *m, struct row *row, struct err *err)
{
	struct api_entry *x = &row->entry;
	x->saved_s = (uint32_t)(e->seams->clock->wall_ms(e->seams->clock) / 1000);
	if (sql_run(&e->conn,
		    sql_bound(&e->conn, SQL_ENTRY_INSERT, "iiiiiiiiii", (int64_t)m->id,
			    (int64_t)x->uid, (int64_t)row->body, (int64_t)row->prefix_at,
			    (int64_t)row->prefix_size, (int64_t)x->size, x->time,
			    (int64_t)x->entry_id, (int64_t)x->saved_s, row->uidl),
		    err) < 0)
		return -1;
	return blocks_put(&e->conn, m->id, x, err);
}

static int delete_entry(struct sqlite_engine *e, const struct mailbox_state *m,
	const struct api_entry *x, struct err *err)
{
	if (sql_run(&e->conn,
		    sql_bound(&e->conn, SQL_ENTRY_DELETE, "ii", (int64_t)m->id, (int64_t)x->uid),
		    err) < 0 ||
		blocks_remove(&e->conn, m->id, x->uid, err) < 0)
		return -1;
	/* Kept for QRESYNC: which UIDs went at which modseq. RFC 7162 3.2.5.2 */
	return sql_run(&e->conn,
		sql_bound(&e->conn, SQL_TOMBSTONE, "iii", (int64_t)m->id, (int64_t)x->uid,
			(int64_t)x->modseq),
		err);
}

/* Reads at most BATCH_ROWS entries from low to high. -1, or how many. */
static int fetch(struct sqlite_engine *e, uint64_t mailbox, uint32_t low, uint32_t high,
	struct row rows[BATCH_ROWS], struct err *err)
{
	sqlite3_stmt *st = sql_bound(&e->conn, SQL_ENTRIES, "iiii", (int64_t)mailbox, (int64_t)low,
		(int64_t)high, (int64_t)BATCH_ROWS);
	int n = 0, more;
	while ((more = sql_row(&e->conn, st, err)) > 0 && n < BATCH_ROWS) {
		struct row *row = &rows[n++];
		*row = (struct row){ .body = sql_u64(st, ENTRIES_BODY),
			.prefix_at = sql_u32(st, ENTRIES_PREFIX_AT),
			.prefix_size = sql_u32(st, ENTRIES_PREFIX_SIZE),
			.uidl = sqlite3_column_int64(st, ENTRIES_UIDL) };
		if (sqlite_entry_from_row(&e->conn, mailbox, st, &row->entry, err) < 0) {
			sql_end(st);
			return -1;
		}
	}
	return more < 0 ? -1 : n;
}

/* What an operation does to one entry. The row is what the entry was. */
struct walk {
	struct sqlite_engine *e;
	struct account_state *a;
	struct mailbox_state *m;
	struct op_result *result;
	uint64_t modseq; /* of this operation; 0: nothing was changed so far */
	uint32_t seen;
	struct str name; /* of the mailbox, once it was asked for */
	uint8_t flags;   /* only blocks with one of them are looked at; 0: all entries */
	int (*each)(struct walk *, struct row *, struct err *);
	const void *op;
};

static uint64_t walk_modseq(struct walk *w)
{
	if (w->modseq == 0) {
		w->modseq = state_next_modseq(w->e, w->a);
		state_touch_mailbox(w->e, w->m);
		w->m->modseq = w->modseq;
	}
	return w->modseq;
}

static int walk_range(struct walk *w, uint32_t low, uint32_t high, struct err *err)
{
	struct row rows[BATCH_ROWS];
	for (int n = BATCH_ROWS; n == BATCH_ROWS && low <= high;) {
		n = fetch(w->e, w->m->id, low, high, rows, err);
		for (int i = 0; i < n; i++) {
			if (++w->seen > w->e->bounds->changed_entries)
				return fail(err, ERR_LIMIT, "too many messages at once");
			low = rows[i].entry.uid + 1;
			if (w->each(w, &rows[i], err) < 0)
				return -1;
		}
		if (n < 0)
			return -1;
	}
	return 0;
}

/* From the first to the last UID of a block that has one of the flags. */
static int walk_block(
	struct walk *w, struct held_block *h, uint32_t low, uint32_t high, struct err *err)
{
	uint32_t first = 0, last = 0;
	for (uint64_t uid = low; uid <= high; uid++) {
		const struct flag_record *r = flag_block_at(h->block, (uint32_t)uid);
		if (r->modseq == 0 || !(r->flags & w->flags))
			continue;
		last = (uint32_t)uid;
		first = first ? first : last;
	}
	return first ? walk_range(w, first, last, err) : 0;
}

static int walk_blocks(struct walk *w, uint32_t low, uint32_t high, struct err *err)
{
	struct block_walk blocks = block_walk(w->m->id, low, high);
	struct held_block *h;
	int more;
	while ((more = blocks_next_with(&w->e->conn, &blocks, w->flags, &h, err)) > 0) {
		uint32_t first = held_block_uid(h->id), last = first + FLAG_BLOCK_UIDS - 1;
		if (walk_block(w, h, low > first ? low : first, high < last ? high : last, err) < 0)
			return -1;
	}
	return more;
}

int sqlite_range_next(struct range_walk *w, uint32_t *ret_low, uint32_t *ret_high, struct err *err)
{
	if (w->at == w->uids.n)
		return 0;
	struct api_range r = w->uids.items[w->at++];
	if (r.low == 0 || r.low > r.high || r.low < w->floor)
		return fail(err, ERR_SYNTAX, "UID ranges must rise");
	if (r.low > w->last)
		return 0;
	*ret_low = r.low;
	*ret_high = r.high < w->last ? r.high : w->last;
	w->floor = (uint64_t)*ret_high + 1;
	return 1;
}

/* Every entry in the ranges. Entries that the walk itself adds are not seen: they are beyond the
 * UIDNEXT of its begin. */
static int walk(struct walk *w, struct api_range_list uids, struct err *err)
{
	struct range_walk ranges = { uids, w->m->uidnext - 1 };
	uint32_t low = 0, high = 0;
	int more;
	while ((more = sqlite_range_next(&ranges, &low, &high, err)) > 0)
		if ((w->flags ? walk_blocks : walk_range)(w, low, high, err) < 0)
			return -1;
	w->result->modseq = w->modseq ? w->modseq : w->m->modseq;
	return more;
}

/* ---- landing ---- */

int sqlite_op_body(struct sqlite_engine *e, struct op *op, struct err *err)
{
	const struct body_place *b = &op->body.place;
	if (sql_run(&e->conn,
		    sql_bound(&e->conn, SQL_BODY_INSERT, "iiiiib", (int64_t)b->ref.id,
			    (int64_t)b->ref.segment, (int64_t)b->ref.offset, (int64_t)b->ref.length,
			    (int64_t)b->size, str_make(b->sha256, sizeof(b->sha256))),
		    err) < 0)
		return -1;
	sqlite_note_end(e, &b->ref);
	e->bodies++;
	return 0;
}

int sqlite_op_land(struct sqlite_engine *e, struct op *op, struct err *err)
{
	const struct op_land *land = &op->land;
	struct account_state *a = state_by(e, &op->by, err);
	if (a == NULL)
		return -1;
	struct mailbox_state *m = land->mailbox ? state_owned(e, land->mailbox, a->id, err)
						: state_inbox(e, a->id, err);
	uint64_t bits[2] = { 0, 0 };
	if (m == NULL)
		return -1;
	if (land->strict && !sqlite_has_room(a, land->size))
		return fail(err, ERR_QUOTA, "the account is over its quota");
	if (!has_uids(m))
		return fail(err, ERR_LIMIT, "the mailbox has given all its UIDs");
	if (land->keywords.n && sqlite_keyword_bits(e, m, land->keywords, true, bits, err) < 0)
		return -1;
	state_touch_mailbox(e, m);
	uint32_t uid = take_uid(m, land->uid);
	m->modseq = state_next_modseq(e, a);
	/* The id is the first place's: no mailbox id and no UID in it is ever given again. */
	struct row row = { .entry = { .uid = uid,
				   .flags = land->flags & FLAGS_ALL,
				   .keywords_low = bits[0],
				   .keywords_high = bits[1],
				   .modseq = m->modseq,
				   .size = land->size,
				   .time = land->time,
				   .entry_id = land->entry_id ? land->entry_id
							      : m->id << 32 | uid },
		.body = land->body,
		.prefix_at = land->prefix_at,
		.prefix_size = land->prefix_size,
		.uidl = land->mark };
	if (insert_entry(e, m, &row, err) < 0)
		return -1;
	sqlite_count_entry(m, &row.entry, true);
	charge(e, a, land->size, true);
	sqlite_tell(e, CHANGE_ENTRY, m, &row.entry);
	op->result.modseq = m->modseq;
	op->result.mailbox = m->id;
	op->result.uidvalidity = m->uidvalidity;
	op->result.uid = uid;
	op->result.entry_id = row.entry.entry_id;
	op->result.done_count = 1;
	return 0;
}

/* ---- coming back ---- */

/* Keywords for which the mailbox has no room are left out, and those that a ledger has from when
 * any bytes were one (blanks among them, at which names are split here). */
static int bits_of(struct sqlite_engine *e, struct mailbox_state *m, struct str names,
	uint64_t bits[2], struct err *err)
{
	while (names.n) {
		struct str name = str_split(&names, ' ');
		if (state_keywords(e, m, err) < 0)
			return -1;
		int bit = keyword_bit(e, m, name, m->n_keywords < LIMIT_KEYWORDS, err);
		if (bit == -2)
			return -1;
		if (bit >= 0)
			set_bit(bits, bit);
	}
	return 0;
}

int sqlite_entry_back(struct sqlite_engine *e, struct account_state *a, struct mailbox_state *m,
	const struct deleted_row *back, struct err *err)
{
	uint64_t bits[2] = { 0, 0 };
	if (!has_uids(m))
		return fail(err, ERR_LIMIT, "the mailbox has given all its UIDs");
	if (bits_of(e, m, back->keywords, bits, err) < 0)
		return -1;
	state_touch_mailbox(e, m);
	m->modseq = state_next_modseq(e, a);
	/* Without \Deleted, or the next EXPUNGE would take it again. With a new UIDL, so that a
	 * client that had it, and lost it, gets it. */
	struct row row = { .entry = { .uid = take_uid(m, 0),
				   .flags = back->flags & FLAGS_ALL & ~FLAG_DELETED,
				   .keywords_low = bits[0],
				   .keywords_high = bits[1],
				   .modseq = m->modseq,
				   .size = back->size,
				   .time = back->date,
				   .entry_id = back->entry_id },
		.body = back->body,
		.prefix_at = back->prefix_at,
		.prefix_size = back->prefix_size };
	if (insert_entry(e, m, &row, err) < 0)
		return -1;
	sqlite_count_entry(m, &row.entry, true);
	charge(e, a, back->size, true);
	sqlite_tell(e, CHANGE_ENTRY, m, &row.entry);
	return 0;
}

/* ---- copy and move ---- */

struct copy_walk {
	struct mailbox_state *to;
	bool move;
	int16_t bit_of[LIMIT_KEYWORDS]; /* a keyword's bit in the target; -1: dropped, -2: not asked
					 */
};

/* Keywords go along by name. What the target has no room for is left out: RFC 9051 6.4.7 asks for
 * the flags to be kept, but not at the price of the message. */
static int copy_keyword(struct walk *w, struct copy_walk *c, int bit, struct err *err)
{
	if (c->bit_of[bit] == -2) {
		bool room = c->to->n_keywords < LIMIT_KEYWORDS;
		int to = keyword_bit(w->e, c->to, w->m->keywords[bit], room, err);
		if (to == -2)
			return -1;
		c->bit_of[bit] = (int16_t)to;
	}
	return 0;
}

static int copy_keywords(struct walk *w, struct copy_walk *c, struct api_entry *x, struct err *err)
{
	uint64_t old[2] = { x->keywords_low, x->keywords_high }, bits[2] = { 0, 0 };
	if ((old[0] | old[1]) == 0 || c->to == w->m)
		return 0;
	if (state_keywords(w->e, w->m, err) < 0 || state_keywords(w->e, c->to, err) < 0)
		return -1;
	for (int bit = 0; bit < (int)w->m->n_keywords; bit++) {
		if (!(old[bit / 64] >> (bit % 64) & 1))
			continue;
		if (copy_keyword(w, c, bit, err) < 0)
			return -1;
		if (c->bit_of[bit] >= 0 && !planted("keyword_of_copy_lost"))
			set_bit(bits, c->bit_of[bit]);
	}
	x->keywords_low = bits[0];
	x->keywords_high = bits[1];
	return 0;
}

static int leave_source(struct walk *w, struct row *row, struct err *err)
{
	struct api_entry gone = row->entry;
	gone.modseq = walk_modseq(w);
	if (delete_entry(w->e, w->m, &gone, err) < 0)
		return -1;
	sqlite_count_entry(w->m, &gone, false);
	sqlite_tell(w->e, CHANGE_EXPUNGED, w->m, &gone);
	return 0;
}

static int copy_each(struct walk *w, struct row *row, struct err *err)
{
	struct copy_walk *c = (struct copy_walk *)(uintptr_t)w->op;
	struct mailbox_state *to = c->to;
	uint32_t from = row->entry.uid;
	if (!c->move && !sqlite_has_room(w->a, row->entry.size))
		return fail(err, ERR_QUOTA, "the account is over its quota");
	if (!has_uids(to))
		return fail(err, ERR_LIMIT, "the mailbox has given all its UIDs");
	if (c->move && !planted("source_of_move_stays") && leave_source(w, row, err) < 0)
		return -1;
	if (w->modseq == 0)
		w->modseq = state_next_modseq(w->e, w->a);
	if (copy_keywords(w, c, &row->entry, err) < 0)
		return -1;
	state_touch_mailbox(w->e, to);
	/* A record's UIDL goes along with its one entry; a copy is a message of its own. */
	if (!c->move || row->uidl < 0)
		row->uidl = 0;
	if (planted("flags_of_copy_lost"))
		row->entry.flags = 0;
	row->entry.uid = take_uid(to, 0);
	row->entry.modseq = to->modseq = w->modseq;
	if (insert_entry(w->e, to, row, err) < 0)
		return -1;
	sqlite_count_entry(to, &row->entry, true);
	if (!c->move)
		charge(w->e, w->a, row->entry.size, true);
	sqlite_tell(w->e, CHANGE_ENTRY, to, &row->entry);
	struct api_pair pair = { .from = from, .to = row->entry.uid };
	vec_push(&w->result->pairs, &pair);
	w->result->done_count++;
	return 0;
}

int sqlite_entries_copy(struct sqlite_engine *e, struct account_state *a,
	struct mailbox_state *from, struct mailbox_state *to, struct api_range_list uids, bool move,
	struct op_result *result, struct err *err)
{
	struct copy_walk c = { .to = to, .move = move };
	for (size_t i = 0; i < LIMIT_KEYWORDS; i++)
		c.bit_of[i] = -2;
	struct walk w = {
		.e = e, .a = a, .m = from, .result = result, .each = copy_each, .op = &c
	};
	if (walk(&w, uids, err) < 0)
		return -1;
	result->uidvalidity = to->uidvalidity;
	result->mailbox = to->id;
	return 0;
}

int sqlite_op_copy(struct sqlite_engine *e, struct op *op, struct err *err)
{
	struct account_state *a = state_by(e, &op->by, err);
	struct mailbox_state *from = a ? state_owned(e, op->copy.mailbox, a->id, err) : NULL;
	struct mailbox_state *to = from ? state_owned(e, op->copy.target, a->id, err) : NULL;
	if (to == NULL)
		return -1;
	if (sqlite_entries_copy(e, a, from, to, op->copy.uids, op->copy.move, &op->result, err) < 0)
		return -1;
	if (op->result.pairs.n < op->copy.expected)
		return fail(err, ERR_NOT_FOUND, "some of the messages are there no more");
	return 0;
}

/* ---- expunge ---- */

/* The mailbox's name, read once a walk. */
static int walk_name(struct walk *w, struct err *err)
{
	if (w->name.n)
		return 0;
	sqlite3_stmt *st = sql_bound(&w->e->conn, SQL_MAILBOX_NAME, "i", (int64_t)w->m->id);
	if (sql_row(&w->e->conn, st, err) <= 0)
		return -1;
	w->name = arena_str(&w->e->txn->arena, sql_str(st, 0));
	sql_end(st);
	return w->name.p ? 0 : fail(err, ERR_LIMIT, "the name of the mailbox is too long");
}

/* Keywords by name, with blanks between. */
static int keyword_names(
	struct walk *w, const struct api_entry *x, struct buf *out, struct err *err)
{
	uint64_t bits[2] = { x->keywords_low, x->keywords_high };
	if ((bits[0] | bits[1]) == 0)
		return 0;
	if (state_keywords(w->e, w->m, err) < 0)
		return -1;
	for (uint32_t i = 0; i < w->m->n_keywords; i++)
		if (bits[i / 64] >> (i % 64) & 1)
			buf_addf(out, "%s%" STR_FMT, out->n ? " " : "", STR_ARG(w->m->keywords[i]));
	return 0;
}

static int keep_deleted(struct walk *w, const struct row *row, struct err *err)
{
	AUTO(buf_done)
	struct buf keywords;
	buf_init(&keywords, LIMIT_KEYWORDS * (LIMIT_KEYWORD_BYTES + 1));
	if (walk_name(w, err) < 0 || keyword_names(w, &row->entry, &keywords, err) < 0)
		return -1;
	struct deleted_row deleted = { .mailbox = w->m->id,
		.body = row->body,
		.size = row->entry.size,
		.entry_id = row->entry.entry_id,
		.uid = row->entry.uid,
		.prefix_at = row->prefix_at,
		.prefix_size = row->prefix_size,
		.flags = row->entry.flags,
		.date = row->entry.time,
		.name = w->name,
		.keywords = buf_str(&keywords) };
	return sqlite_deleted_keep(w->e, w->a, &deleted, err);
}

static int expunge_each(struct walk *w, struct row *row, struct err *err)
{
	const struct op_expunge *op = w->op;
	struct api_entry *x = &row->entry;
	if (op->deleted_only && !(x->flags & FLAG_DELETED))
		return 0;
	if (op->before && x->time >= op->before)
		return 0;
	x->modseq = walk_modseq(w);
	if (delete_entry(w->e, w->m, x, err) < 0 || keep_deleted(w, row, err) < 0)
		return -1;
	sqlite_count_entry(w->m, x, false);
	charge(w->e, w->a, x->size, false);
	sqlite_tell(w->e, CHANGE_EXPUNGED, w->m, x);
	w->result->done_count++;
	return 0;
}

/* Which carry \Deleted the blocks say, and not the mailbox's counter, which may be damaged. Where
 * none does, as for most EXPUNGEs and CLOSEs, no entry is looked at: of 100,000 that would take
 * 27 ms of everybody's writer. */
int sqlite_op_expunge(struct sqlite_engine *e, struct op *op, struct err *err)
{
	struct account_state *a = state_by(e, &op->by, err);
	if (a == NULL)
		return -1;
	struct mailbox_state *m = op->expunge.mailbox
					  ? state_owned(e, op->expunge.mailbox, a->id, err)
					  : state_inbox(e, a->id, err);
	if (m == NULL)
		return -1;
	struct walk w = { .e = e,
		.a = a,
		.m = m,
		.result = &op->result,
		.flags = op->expunge.deleted_only ? FLAG_DELETED : 0,
		.each = expunge_each,
		.op = &op->expunge };
	if (walk(&w, op->expunge.uids, err) < 0)
		return -1;
	if (op->expunge.must && op->result.done_count == 0)
		return fail(err, ERR_NOT_FOUND, "no such message");
	return 0;
}
