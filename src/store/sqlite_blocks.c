// SPDX-License-Identifier: Apache-2.0
/*
 * Flags, keywords and modseqs of entries stand in blocks (flag_block.h), rows of the table `flags`.
 * Whoever asks for those of an entry asks here: operations, views, and SQL, by the functions
 * entry_flags() and so on of each connection.
 *
 * Some blocks are held as the connection's transaction has them, so that a batch of deliveries, or
 * an expunge, reads and writes a block once. What was changed is written when the block gives way
 * to another, and by blocks_write().
 */
#include "store/sqlite_private.h"

#include <inttypes.h>
#include <stdlib.h>

static uint64_t id_of(uint64_t mailbox, uint32_t uid)
{
	return mailbox << 24 | uid / FLAG_BLOCK_UIDS;
}

static struct held_block *find(struct sqlite_reader *c, uint64_t id)
{
	for (size_t i = 0; i < BLOCKS_HELD; i++) {
		struct held_block *h = &c->blocks[(c->newest + i) % BLOCKS_HELD];
		if (h->held && h->id == id)
			return h;
	}
	return NULL;
}

static void hold(struct held_block *h, uint64_t id)
{
	h->held = true;
	h->id = id;
}

static struct held_block *use(struct sqlite_reader *c, struct held_block *h)
{
	c->newest = (size_t)(h - c->blocks);
	h->used = ++c->block_uses;
	return h;
}

/* ---- a transaction that may fail ---- */

/* Before anything is done to what is held, once a transaction. */
static void save(struct held_block *h)
{
	if (h->saved)
		return;
	h->saved = true;
	h->before_dirty = h->dirty;
	if (!h->dirty)
		return;
	h->before_id = h->id;
	if (h->before == NULL)
		h->before = xmalloc(sizeof(*h->before));
	*h->before = *h->block;
}

void blocks_begin(struct sqlite_reader *c)
{
	for (size_t i = 0; i < BLOCKS_HELD; i++)
		c->blocks[i].saved = false;
}

void blocks_undo(struct sqlite_reader *c)
{
	for (size_t i = 0; i < BLOCKS_HELD; i++) {
		struct held_block *h = &c->blocks[i];
		if (!h->saved)
			continue;
		h->saved = false;
		h->held = h->dirty = h->before_dirty;
		if (!h->dirty)
			continue;
		h->id = h->before_id;
		*h->block = *h->before;
	}
}

/* ---- writing, and making room ---- */

static int put(struct sqlite_reader *c, const struct held_block *h, struct err *err)
{
	uint8_t room[FLAG_BLOCK_BYTES];
	size_t n = flag_block_encode(h->block, room);
	return sql_run(c,
		n ? sql_bound(c, SQL_BLOCK_PUT, "ib", (int64_t)h->id, str_make(room, n))
		  : sql_bound(c, SQL_BLOCK_DELETE, "i", (int64_t)h->id),
		err);
}

static int write_one(struct sqlite_reader *c, struct held_block *h, struct err *err)
{
	if (!h->dirty)
		return 0;
	save(h);
	h->dirty = false;
	return put(c, h, err);
}

int blocks_write(struct sqlite_reader *c, struct err *err)
{
	for (size_t i = 0; i < BLOCKS_HELD; i++)
		if (write_one(c, &c->blocks[i], err) < 0)
			return -1;
	return 0;
}

void blocks_forget(struct sqlite_reader *c)
{
	for (size_t i = 0; i < BLOCKS_HELD; i++)
		c->blocks[i].held = c->blocks[i].dirty = false;
}

void blocks_done(struct sqlite_reader *c)
{
	for (size_t i = 0; i < BLOCKS_HELD; i++) {
		free(c->blocks[i].block);
		free(c->blocks[i].before);
	}
}

/* The block that was not used for longest gives way. */
static struct held_block *make_room(struct sqlite_reader *c, struct err *err)
{
	struct held_block *h = &c->blocks[0];
	for (size_t i = 1; i < BLOCKS_HELD; i++)
		if (c->blocks[i].used < h->used)
			h = &c->blocks[i];
	save(h);
	if (write_one(c, h, err) < 0)
		return NULL;
	h->held = false;
	if (h->block == NULL)
		h->block = xmalloc(sizeof(*h->block));
	return h;
}

/* ---- finding ---- */

static int unreadable(uint64_t id, struct err *err)
{
	return fail_log(err, ERR_CORRUPT,
		"ledger: flags of mailbox %" PRIu64 ", uid %u and up, can't be read", id >> 24,
		held_block_uid(id));
}

/* The first that there is of those: 1; 0: there is none, and *ret is for it; -1. */
static int load(struct sqlite_reader *c, uint64_t first, uint64_t last, struct held_block **ret,
	struct err *err)
{
	struct held_block *room = make_room(c, err);
	if (room == NULL)
		return -1;
	*ret = room;
	sqlite3_stmt *st = sql_bound(c, SQL_BLOCK_FIRST, "ii", (int64_t)first, (int64_t)last);
	int row = sql_row(c, st, err);
	if (row <= 0)
		return row;
	uint64_t id = sql_u64(st, 0);
	struct held_block *held = find(c, id);
	if (held)
		*ret = held;
	else if (flag_block_decode(sql_str(st, 1), room->block) == 0)
		hold(room, id);
	else
		row = unreadable(id, err);
	sql_end(st);
	return row;
}

struct held_block *blocks_get(
	struct sqlite_reader *c, uint64_t mailbox, uint32_t uid, struct err *err)
{
	uint64_t id = id_of(mailbox, uid);
	struct held_block *h = find(c, id);
	int found = h ? 1 : load(c, id, id, &h, err);
	if (found < 0)
		return NULL;
	if (found == 0) {
		*h->block = (struct flag_block){ 0 };
		hold(h, id);
	}
	return use(c, h);
}

struct flag_record *blocks_change(struct held_block *h, uint32_t uid)
{
	save(h);
	h->dirty = true;
	return flag_block_at(h->block, uid);
}

struct block_walk block_walk(uint64_t mailbox, uint32_t low, uint32_t high)
{
	return (struct block_walk){ id_of(mailbox, low), id_of(mailbox, high) };
}

int blocks_next(
	struct sqlite_reader *c, struct block_walk *w, struct held_block **ret, struct err *err)
{
	if (w->next > w->last)
		return 0;
	int found = 1;
	*ret = find(c, w->next);
	if (*ret == NULL) {
		/* A statement does not find what was not written. */
		if (blocks_write(c, err) < 0)
			return -1;
		found = load(c, w->next, w->last, ret, err);
	}
	if (found > 0)
		w->next = use(c, *ret)->id + 1;
	return found;
}

/* ---- finding by flags ---- */

static uint8_t flags_of(const struct flag_block *b)
{
	uint8_t flags = 0;
	for (size_t i = 0; i < FLAG_BLOCK_UIDS; i++)
		flags |= b->records[i].modseq ? b->records[i].flags : 0;
	return flags;
}

/* The first of those that are held. */
static struct held_block *held_with(
	struct sqlite_reader *c, const struct block_walk *w, uint8_t flags)
{
	struct held_block *first = NULL;
	for (size_t i = 0; i < BLOCKS_HELD; i++) {
		struct held_block *h = &c->blocks[i];
		if (h->held && h->id >= w->next && h->id <= w->last &&
			(first == NULL || h->id < first->id) && flags_of(h->block) & flags)
			first = h;
	}
	return first;
}

/* The first of the rows, of which one that is held may be out of date. 1, 0 none, -1. */
static int row_with(struct sqlite_reader *c, const struct block_walk *w, uint8_t flags,
	uint64_t *ret, struct err *err)
{
	sqlite3_stmt *st = sql_bound(c, SQL_BLOCKS, "ii", (int64_t)w->next, (int64_t)w->last);
	uint8_t has;
	int row;
	while ((row = sql_row(c, st, err)) > 0) {
		uint64_t id = sql_u64(st, 0);
		if (flag_block_flags(sql_str(st, 1), &has) < 0) {
			row = unreadable(id, err);
			break;
		}
		if (has & flags) {
			*ret = id;
			break;
		}
	}
	sql_end(st);
	return row;
}

int blocks_next_with(struct sqlite_reader *c, struct block_walk *w, uint8_t flags,
	struct held_block **ret, struct err *err)
{
	struct held_block *h = held_with(c, w, flags);
	struct block_walk before = { w->next, h ? h->id - 1 : w->last };
	uint64_t id;
	int found = before.next <= before.last ? row_with(c, &before, flags, &id, err) : 0;
	if (found > 0)
		h = blocks_get(c, id >> 24, held_block_uid(id), err);
	if (found < 0 || (found > 0 && h == NULL))
		return -1;
	if (h == NULL)
		return 0;
	*ret = use(c, h);
	w->next = h->id + 1;
	return 1;
}

/* ---- an entry's ---- */

/* What has no record, which is damage, has no flags. */
int blocks_read(struct sqlite_reader *c, uint64_t mailbox, struct api_entry *x, struct err *err)
{
	struct held_block *h = blocks_get(c, mailbox, x->uid, err);
	if (h == NULL)
		return -1;
	flag_record_get(flag_block_at(h->block, x->uid), x);
	if (x->modseq == 0)
		x->modseq = 1;
	return 0;
}

int blocks_put(
	struct sqlite_reader *c, uint64_t mailbox, const struct api_entry *x, struct err *err)
{
	struct held_block *h = blocks_get(c, mailbox, x->uid, err);
	if (h == NULL)
		return -1;
	flag_record_put(blocks_change(h, x->uid), x);
	return 0;
}

int blocks_remove(struct sqlite_reader *c, uint64_t mailbox, uint32_t uid, struct err *err)
{
	return blocks_put(c, mailbox, &(struct api_entry){ .uid = uid }, err);
}

/* ---- what SQL calls ---- */

/* entry_…(mailbox,uid); NULL: of none. What is damaged, which is for the check to tell, is as what
 * is missing. */
static const struct flag_record *record_of(sqlite3_context *context, sqlite3_value **v)
{
	static const struct flag_record missing;
	struct sqlite_reader *c = sqlite3_user_data(context);
	uint32_t uid = (uint32_t)sqlite3_value_int64(v[1]);
	struct err err = ERR_INIT;
	if (sqlite3_value_type(v[1]) == SQLITE_NULL)
		return NULL;
	struct held_block *h = blocks_get(c, (uint64_t)sqlite3_value_int64(v[0]), uid, &err);
	if (h)
		return flag_block_at(h->block, uid);
	if (err.kind == ERR_CORRUPT)
		return &missing;
	sqlite3_result_error_code(context, sqlite3_extended_errcode(c->db));
	return NULL;
}

static void entry_flags(sqlite3_context *context, int n, sqlite3_value **v)
{
	const struct flag_record *r = record_of(context, v);
	(void)n;
	if (r)
		sqlite3_result_int(context, r->flags);
}

static void entry_keywords_low(sqlite3_context *context, int n, sqlite3_value **v)
{
	const struct flag_record *r = record_of(context, v);
	(void)n;
	if (r)
		sqlite3_result_int64(context, (int64_t)r->keywords[0]);
}

static void entry_keywords_high(sqlite3_context *context, int n, sqlite3_value **v)
{
	const struct flag_record *r = record_of(context, v);
	(void)n;
	if (r)
		sqlite3_result_int64(context, (int64_t)r->keywords[1]);
}

/* NULL: it is missing. */
static void entry_modseq(sqlite3_context *context, int n, sqlite3_value **v)
{
	const struct flag_record *r = record_of(context, v);
	(void)n;
	if (r && r->modseq)
		sqlite3_result_int64(context, (int64_t)r->modseq);
}

/* flag_count(data): of a block; NULL: it is none. */
static void flag_count(sqlite3_context *context, int n, sqlite3_value **v)
{
	struct flag_block b;
	struct str data = str_make(sqlite3_value_blob(v[0]), (size_t)sqlite3_value_bytes(v[0]));
	(void)n;
	if (flag_block_decode(data, &b) == 0)
		sqlite3_result_int64(context, flag_block_count(&b));
}

/* flag_block(uid,flags,keywords_low,keywords_high,modseq): a block of these rows. */
static void add_to_block(sqlite3_context *context, int n, sqlite3_value **v)
{
	struct flag_block *b = sqlite3_aggregate_context(context, sizeof(*b));
	int64_t modseq = sqlite3_value_int64(v[4]);
	(void)n;
	if (b == NULL) {
		sqlite3_result_error_nomem(context);
		return;
	}
	*flag_block_at(b, (uint32_t)sqlite3_value_int64(v[0])) = (struct flag_record){
		.modseq = modseq > 0 ? (uint64_t)modseq : 1, /* none is 0, but by damage */
		.keywords = { (uint64_t)sqlite3_value_int64(v[2]),
			(uint64_t)sqlite3_value_int64(v[3]) },
		.flags = (uint8_t)sqlite3_value_int64(v[1]),
	};
}

static void end_block(sqlite3_context *context)
{
	struct flag_block *b = sqlite3_aggregate_context(context, 0);
	uint8_t room[FLAG_BLOCK_BYTES];
	size_t n = b ? flag_block_encode(b, room) : 0;
	if (n)
		sqlite3_result_blob(context, room, (int)n, SQLITE_TRANSIENT);
}

int blocks_known(struct sqlite_reader *c, struct err *err)
{
	static const struct {
		const char *name;
		int arguments;
		void (*call)(sqlite3_context *, int, sqlite3_value **);
	} functions[] = { { "entry_flags", 2, entry_flags },
		{ "entry_keywords_low", 2, entry_keywords_low },
		{ "entry_keywords_high", 2, entry_keywords_high },
		{ "entry_modseq", 2, entry_modseq }, { "flag_count", 1, flag_count } };
	enum { FLAGS = SQLITE_UTF8 | SQLITE_DIRECTONLY };
	for (size_t i = 0; i < ARRAY_LEN(functions); i++)
		if (sqlite3_create_function(c->db, functions[i].name, functions[i].arguments, FLAGS,
			    c, functions[i].call, NULL, NULL) != SQLITE_OK)
			return sqlite_fail(c->db, err);
	if (sqlite3_create_function(
		    c->db, "flag_block", 5, FLAGS, c, NULL, add_to_block, end_block) != SQLITE_OK)
		return sqlite_fail(c->db, err);
	return 0;
}
