/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the SQLite engine: a connection with its kept statements, and the parts of
 * engine_sqlite.c that have files of their own. No other file includes this.
 *
 *     sqlite3_stmt *st = sql_bound(c, SQL_ACCOUNT_BY_ID, "i", id);
 *     int rc = sql_row(c, st, err);       1: a row, 0: none, -1: failed; then sql_end(st)
 *
 * Format letters of sql_bound: i int64_t, t struct str as text, b struct str as blob.
 */
#ifndef CULVER_STORE_SQLITE_PRIVATE_H
#define CULVER_STORE_SQLITE_PRIVATE_H

#include "store/log_vfs.h"

#include <sqlite3.h>
#include <stdatomic.h>

#include "api/schemes.h"
#include "base/map.h"
#include "store/engine.h"
#include "store/flag_block.h"

/* Every statement, in the order of sqlite_statements.c. */
enum sql {
	SQL_BEGIN,
	SQL_BEGIN_READ,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_SAVEPOINT,
	SQL_RELEASE,
	SQL_ROLLBACK_TO,
	SQL_META_GET,
	SQL_META_PUT,
	SQL_ACCOUNT_BY_ADDRESS,
	SQL_ACCOUNT_BY_ID,
	SQL_ACCOUNT_FIRST,
	SQL_ACCOUNT_FIRST_OF,
	SQL_ACCOUNT_EACH,
	SQL_ACCOUNT_INSERT,
	SQL_ACCOUNT_EPOCH,
	SQL_ACCOUNT_SET,
	SQL_ACCOUNT_STATE,
	SQL_ACCOUNT_STATE_PUT,
	SQL_ACCOUNT_DELETE,
	SQL_SECRETS,
	SQL_SECRET_COUNT,
	SQL_SECRET_OWNER,
	SQL_OFFERS,
	SQL_SECRET_INSERT,
	SQL_SECRET_USED,
	SQL_SECRET_DELETE,
	SQL_SECRETS_DELETE,
	SQL_SECRETS_FORGET,
	SQL_DOMAIN,
	SQL_DOMAIN_EACH,
	SQL_DOMAIN_INSERT,
	SQL_DOMAIN_DELETE,
	SQL_DOMAIN_SET,
	SQL_DOMAIN_IN_USE,
	SQL_DOMAIN_HAS_ALIASES,
	SQL_ALIAS_TARGETS,
	SQL_ALIAS_EACH,
	SQL_ALIAS_INSERT,
	SQL_ALIAS_DELETE,
	SQL_ALIAS_DELETE_ALL,
	SQL_ALIAS_COUNT,
	SQL_ALIAS_FORGET_TARGET,
	SQL_CATCH_ALL_FORGET,
	SQL_MAILBOX_BY_ID,
	SQL_MAILBOX_BY_NAME,
	SQL_MAILBOX_NAME,
	SQL_MAILBOX_EACH,
	SQL_MAILBOX_COUNT,
	SQL_MAILBOX_COUNTED,
	SQL_MAILBOX_FIRST,
	SQL_MAILBOX_INSERT,
	SQL_MAILBOX_STATE_PUT,
	SQL_MAILBOX_RENAME,
	SQL_MAILBOX_CHILDREN,
	SQL_MAILBOX_DELETE,
	SQL_MAILBOX_ENTRIES_DELETE,
	SQL_MAILBOX_BLOCKS_DELETE,
	SQL_MAILBOX_TOMBSTONES_DELETE,
	SQL_MAILBOX_KEYWORDS_DELETE,
	SQL_MAILBOX_SEEN_DELETE,
	SQL_SUBSCRIBE,
	SQL_UNSUBSCRIBE,
	SQL_SUBSCRIPTION_COUNT,
	SQL_SUBSCRIPTION_COUNTED,
	SQL_SUBSCRIPTIONS_DELETE,
	SQL_KEYWORDS,
	SQL_KEYWORD_INSERT,
	SQL_BODY_INSERT,
	SQL_BODY_EACH,
	SQL_ENTRY_INSERT,
	SQL_ENTRIES,
	SQL_ENTRY_DELETE,
	SQL_ENTRY_PLACE,
	SQL_BLOCK_FIRST,
	SQL_BLOCKS,
	SQL_BLOCK_PUT,
	SQL_BLOCK_DELETE,
	SQL_TOMBSTONE,
	SQL_TOMBSTONES,
	SQL_ANNOTATIONS,
	SQL_IMPORTED,
	SQL_MAILBOX_UIDVALIDITY,
	SQL_ANNOTATION_PUT,
	SQL_ANNOTATION_KEEP,
	SQL_ANNOTATION_DELETE,
	SQL_ANNOTATION_COUNT,
	SQL_ANNOTATIONS_COUNT,
	SQL_ANNOTATIONS_DELETE,
	SQL_MAILBOX_ANNOTATIONS_DELETE,
	SQL_RECENT,
	SQL_RECENT_PUT,
	SQL_DELETED_INSERT,
	SQL_DELETED_KEEP,
	SQL_DELETED_EACH,
	SQL_DELETED_THERE,
	SQL_DELETED_OLDEST,
	SQL_DELETED_DELETE,
	SQL_DELETED_END,
	SQL_DELETED_COUNT,
	SQL_DELETED_NEXT_ACCOUNT,
	SQL_DELETED_EXPIRED,
	SQL_BODY_DROP,
	SQL_SEGMENT_DEAD,
	SQL_SEGMENT_EACH,
	SQL_SEGMENT_SURVEYED,
	SQL_SEGMENT_DELETE,
	SQL_CARRY,
	SQL_CARRIED,
	SQL_CARRIED_DELETE,
	SQL_BODY_MOVE,
	SQL_BODY_THERE,
	SQL_BODIES_IN,
	SQL_BROKEN_OF_BODY,
	SQL_BROKEN_NO_BODY,
	SQL_BROKEN_NO_MAILBOX,
	SQL_KEPT_COUNTS,
	SQL_REMOVED_INSERT,
	SQL_REMOVED_EACH,
	SQL_REMOVED_DELETE,
	SQL_COUNTS,
	SQL_MEND_BLOCKS,
	SQL_MEND_BLOCKS_GONE,
	SQL_MEND_MAILBOXES,
	SQL_MEND_ACCOUNTS,
	SQL_CHECK_COUNTERS,
	SQL_CHECK_ACCOUNTS,
	SQL_CHECK_BODIES,
	SQL_CHECK_ORPHANS,
	SQL_CHECK_UNNAMED,
	SQL_CHECK_KEPT,
	SQL_CHECK_SECRETS,
	SQL_CHECK_MAILBOXES,
	SQL_CHECK_SIZES,
	SQL_CHECK_KEPT_SIZES,
	SQL_CHECK_ENTRY_IDS,
	SQL_CHECK_BLOCKS,
	SQL_STATEMENTS
};
extern const char *const sql_text[SQL_STATEMENTS];
/* The columns of SQL_ENTRIES. */
enum {
	ENTRIES_UID,
	ENTRIES_SIZE,
	ENTRIES_TIME,
	ENTRIES_ENTRY_ID,
	ENTRIES_SAVED,
	ENTRIES_BODY,
	ENTRIES_PREFIX_AT,
	ENTRIES_PREFIX_SIZE,
	ENTRIES_UIDL
};

/* A flag block as the connection's transaction has it: sqlite_blocks.c. */
struct held_block {
	bool held;
	uint64_t id;   /* mailbox << 24 | uid >> 8 */
	uint64_t used; /* the greater, the later */
	bool dirty;    /* not written yet */
	struct flag_block *block;
	/* The running transaction of a group has changed it, or put another in its place: what was
	 * not written before that, if anything, for when it fails. */
	bool saved, before_dirty;
	uint64_t before_id;
	struct flag_block *before;
};
enum { BLOCKS_HELD = 16 }; /* the mailboxes that a group of deliveries goes to, often */

/* A connection: the writer's, or a reader's. */
struct sqlite_reader {
	struct reader reader;
	sqlite3 *db;
	sqlite3_stmt *kept[SQL_STATEMENTS];
	bool writer; /* the only one: what it holds of blocks stands between transactions, too */
	struct held_block blocks[BLOCKS_HELD];
	size_t newest; /* of these, the one that was asked for last */
	uint64_t block_uses;
};

static inline struct sqlite_reader *sqlite_reader_of(struct reader *r)
{
	return CONTAINER_OF(r, struct sqlite_reader, reader);
}

/* Rows that transactions change again and again are kept here, and written once at the end of the
 * group. `saved` is what the row was before the running transaction touched it. */
struct account_state {
	uint64_t id, epoch, modseq;
	bool active;
	uint64_t quota_bytes, quota_messages, used_bytes, used_messages;
	uint64_t kept_bytes, kept_messages; /* deleted, and kept for a while */
	bool dirty;
	struct account_state *saved;
};
struct mailbox_state {
	uint64_t id, account, modseq;
	uint32_t uidvalidity, uidnext;
	uint32_t uidfloor; /* of an imported mailbox: all below were given elsewhere */
	uint64_t messages, unseen, deleted, size, deleted_size;
	bool dirty;
	bool keywords_known;
	uint32_t n_keywords;
	struct str *keywords; /* LIMIT_KEYWORDS of them, or NULL; array and bytes are owned */
	struct mailbox_state *saved;
};

struct sqlite_engine {
	struct engine engine;
	struct sqlite_reader conn; /* the writer's */
	sqlite3 *checkpointer;     /* the maintainer's */
	const struct seams *seams;
	bool read_only;
	const struct store_bounds *bounds;
	uint64_t reserve_bytes;
	bool was_full;                        /* the last group found no room */
	const struct restored *restored;      /* while it is opened */
	const struct engine_rebuild *rebuild; /* while it is opened */
	atomic_bool distrusted;               /* a flush failed */
	struct engine_identity identity;
	struct segment_end tail; /* identity.committed with what the running group adds */
	uint64_t bodies;         /* rows there are, with what the running group adds */
	_Atomic int log_pages;   /* of the WAL, after the last commit */
	_Atomic int moved_pages; /* of these, how many the last checkpoint found in their place */
	uint32_t uidvalidity;    /* the last that was given to a mailbox */
	struct map accounts;     /* id -> struct account_state */
	struct map mailboxes;    /* id -> struct mailbox_state */
	struct map inboxes;      /* account -> struct mailbox_state */
	struct vec touched_accounts, touched_mailboxes;       /* by the running transaction */
	struct vec dirty_accounts, dirty_mailboxes;           /* by the running group */
	struct txn *txn;                                      /* the running one */
	enum { ERASE_NOTHING, ERASE_NOW, ERASE_LATER } erase; /* the log holds what is to go */
	sqlite3 *copy; /* the ledger's copy in the making, or NULL */
	sqlite3_backup *copying;
	char copy_name[64];
	struct log_vfs log;
};

static inline struct sqlite_engine *sqlite_engine_of(struct engine *e)
{
	return CONTAINER_OF(e, struct sqlite_engine, engine);
}

/* ---- log_settle.c ---- */
/* Puts on disk, before anybody reads it, what SQLite would read of the log of that name. A flush
 * that fails marks the store (distrust.h). */
int log_settle(struct files_seam *, const char *name, struct err *err);

/* ---- sqlite_db.c ---- */
enum { SQLITE_BUSY_MS = 10000 }; /* nobody holds a lock for long; a backstop */
/* Opens the ledger, by that VFS (NULL: that of the files); flags as sqlite3_open_v2. */
sqlite3 *sqlite_db_open(
	const struct seams *, const char *vfs, const char *name, int flags, struct err *err);
int sqlite_exec(sqlite3 *db, const char *sql, struct err *err);
void sqlite_reader_init(struct sqlite_reader *c, sqlite3 *db);
void sqlite_reader_done(struct sqlite_reader *c);
/* The kept statement, reset, with the values bound; aborts on a statement that does not compile
 * (a bug), NULL never. */
sqlite3_stmt *sql_bound(struct sqlite_reader *c, enum sql which, const char *format, ...);
/* 1 a row, 0 the end, -1 with err. At 0 and -1 the statement has been reset. */
int sql_row(struct sqlite_reader *c, sqlite3_stmt *st, struct err *err);
static inline void sql_end(sqlite3_stmt *st)
{
	sqlite3_reset(st);
}
/* Runs a statement that gives no rows. */
int sql_run(struct sqlite_reader *c, sqlite3_stmt *st, struct err *err);
/* Begins a transaction (SQL_BEGIN, SQL_BEGIN_READ). What ends it is there then, so that it can be
 * ended without memory: the next one could not begin in it. */
int sql_transaction_begin(struct sqlite_reader *c, enum sql which, struct err *err);
/* fail() from the connection's last error. */
int sqlite_fail(sqlite3 *db, struct err *err);
static inline uint64_t sql_u64(sqlite3_stmt *st, int column)
{
	return (uint64_t)sqlite3_column_int64(st, column);
}
static inline uint32_t sql_u32(sqlite3_stmt *st, int column)
{
	return (uint32_t)sqlite3_column_int64(st, column);
}
static inline struct str sql_str(sqlite3_stmt *st, int column)
{
	const void *p = sqlite3_column_blob(st, column);
	return str_make(p, (size_t)sqlite3_column_bytes(st, column));
}
/* Copies a text column into room (with a NUL), cut at it. */
void sql_copy_text(sqlite3_stmt *st, int column, char *room, size_t size);
int sqlite_meta_get(struct sqlite_reader *c, const char *key, uint64_t *ret, struct err *err);
int sqlite_meta_put(struct sqlite_reader *c, const char *key, uint64_t value, struct err *err);

/* ---- sqlite_schema.c ---- */
/* Brings the file to this program's version. G8 */
int sqlite_schema_bring(sqlite3 *db, const struct seams *, bool read_only, struct err *err);

/* Refuses a file of a newer program, before anything of it is touched. */
int sqlite_schema_known(sqlite3 *db, struct err *err);
/* The number that the file has. */
int sqlite_schema_version(sqlite3 *db, uint32_t *ret, struct err *err);

/* ---- sqlite_copy.c ---- */
int sqlite_copy_begin(struct engine *, const char *name, struct err *err);
int sqlite_copy_step(struct engine *, struct err *err);
void sqlite_copy_end(struct engine *);

/* ---- sqlite_restore.c ---- */
/* See engine_options. */
int sqlite_begin_history(struct sqlite_engine *, const struct restored *, struct err *err);

/* ---- sqlite_mend.c, sqlite_rebuild.c ---- */
int sqlite_broken(struct reader *, enum broken which, uint64_t key, size_t n, struct vec *ret,
	struct err *err);
int sqlite_op_mailbox_recover(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_body_lost(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_mend(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_rebuild(struct sqlite_engine *, struct op *, struct err *);
int sqlite_begin_rebuild(struct sqlite_engine *, const struct engine_rebuild *, struct err *err);

/* ---- sqlite_state.c ---- */
struct account_state *state_account(struct sqlite_engine *, uint64_t id, struct err *err);
struct mailbox_state *state_mailbox(struct sqlite_engine *, uint64_t id, struct err *err);
struct mailbox_state *state_inbox(struct sqlite_engine *, uint64_t account, struct err *err);
/* To be called before a field is changed: keeps the old one for a roll-back, marks as dirty. */
void state_touch_account(struct sqlite_engine *, struct account_state *a);
void state_touch_mailbox(struct sqlite_engine *, struct mailbox_state *m);
/* Checks `by` against the account: ERR_EXPIRED, ERR_NOT_FOUND. */
struct account_state *state_by(struct sqlite_engine *, const struct op_by *, struct err *err);
/* The mailbox, when it belongs to the account: ERR_NOT_FOUND else. I11 */
struct mailbox_state *state_owned(
	struct sqlite_engine *, uint64_t mailbox, uint64_t account, struct err *err);
int state_keywords(struct sqlite_engine *, struct mailbox_state *m, struct err *err);
/* The transaction is over: forget or restore what was saved. */
void state_settle(struct sqlite_engine *, bool failed);
/* Writes what is dirty, blocks too. */
int state_write(struct sqlite_engine *, struct err *err);
/* Forgets all, written or not. */
void state_clear(struct sqlite_engine *);
void state_init(struct sqlite_engine *);
void state_done(struct sqlite_engine *);
/* Between groups: forgets all when it has become large. */
void state_trim(struct sqlite_engine *);
uint64_t state_next_modseq(struct sqlite_engine *, struct account_state *a);
void state_change(struct sqlite_engine *, const struct change *change);

/* ---- operations: sqlite_entries.c, sqlite_mailboxes.c, sqlite_accounts.c, sqlite_secrets.c ----
 */
typedef int (*sqlite_op)(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_body(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_land(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_flags(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_copy(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_expunge(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_mailbox_create(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_mailbox_ensure(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_mailbox_delete(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_mailbox_rename(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_subscribe(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_account_add(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_account_password(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_account_remove(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_account_set(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_secret_put(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_secret_remove(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_secret_used(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_domain_add(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_domain_remove(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_domain_set(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_alias_add(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_alias_remove(struct sqlite_engine *, struct op *, struct err *);

int sqlite_op_undelete(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_forget(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_body_move(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_named(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_segment(struct sqlite_engine *, struct op *, struct err *);

/* INBOX and the others that every account begins with. */
int sqlite_make_first_mailboxes(struct sqlite_engine *, uint64_t account, struct err *err);
/* Raises e->uidvalidity. */
int sqlite_next_uidvalidity(struct sqlite_engine *, struct err *err);
/* A mailbox of the account; ret_id and status in *ret. name is canonical and free. */
int sqlite_mailbox_make(struct sqlite_engine *, uint64_t account, struct str name, uint16_t use,
	struct mailbox_row *ret, struct err *err);
int sqlite_subscribe(
	struct sqlite_engine *, uint64_t account, struct str name, bool on, struct err *err);
/* Removes a mailbox with its rows. */
int sqlite_mailbox_drop(
	struct sqlite_engine *, struct account_state *a, uint64_t mailbox, struct err *err);
/* Moves or copies entries in ranges from one mailbox to another. pairs may be NULL. */
int sqlite_entries_copy(struct sqlite_engine *, struct account_state *a, struct mailbox_state *from,
	struct mailbox_state *to, struct api_range_list uids, bool move, struct op_result *result,
	struct err *err);

/* An entry with a new UID for a message that was deleted. */
int sqlite_entry_back(struct sqlite_engine *, struct account_state *a, struct mailbox_state *m,
	const struct deleted_row *row, struct err *err);
bool sqlite_has_room(const struct account_state *a, uint64_t size);
/* An entry comes into the mailbox's counters, or leaves them. */
void sqlite_count_entry(struct mailbox_state *m, const struct api_entry *entry, bool in);
void sqlite_tell(struct sqlite_engine *, enum change_kind, const struct mailbox_state *m,
	const struct api_entry *entry);
/* The bits of keywords, which get one where `make`. */
int sqlite_keyword_bits(struct sqlite_engine *, struct mailbox_state *m, struct api_str_list names,
	bool make, uint64_t bits[2], struct err *err);
/* Ranges of UIDs, which must rise and not overlap, up to the last UID that there is. */
struct range_walk {
	struct api_range_list uids;
	uint32_t last;
	size_t at;
	uint64_t floor;
};
/* 1: the next range; 0: there is none; -1: they do not rise. */
int sqlite_range_next(struct range_walk *w, uint32_t *ret_low, uint32_t *ret_high, struct err *err);

/* ---- sqlite_blocks.c ---- */
/* Makes known to the connection what statements call: entry_flags() and so on. */
int blocks_known(struct sqlite_reader *, struct err *err);
/* The block of the UID, empty where there is none; NULL: it can't be read. It stands until the next
 * call. */
struct held_block *blocks_get(
	struct sqlite_reader *, uint64_t mailbox, uint32_t uid, struct err *err);
/* Blocks of a mailbox that have UIDs from one to another, rising. */
struct block_walk {
	uint64_t next, last;
};
struct block_walk block_walk(uint64_t mailbox, uint32_t low, uint32_t high);
/* 1: the next one, which stands until the next call; 0: there is none; -1. */
int blocks_next(
	struct sqlite_reader *, struct block_walk *w, struct held_block **ret, struct err *err);
/* The same, of those on which an entry may have one of these flags. The rest is not decoded and not
 * held, so to look for what few have costs little, and no other block gives way. */
int blocks_next_with(struct sqlite_reader *, struct block_walk *w, uint8_t flags,
	struct held_block **ret, struct err *err);
/* The record of a UID of the block, which is about to be changed. */
struct flag_record *blocks_change(struct held_block *h, uint32_t uid);
/* The first UID that is a held block's. */
static inline uint32_t held_block_uid(uint64_t id)
{
	return (uint32_t)(id * FLAG_BLOCK_UIDS);
}
static inline void flag_record_get(const struct flag_record *r, struct api_entry *x)
{
	x->flags = r->flags;
	x->keywords_low = r->keywords[0];
	x->keywords_high = r->keywords[1];
	x->modseq = r->modseq;
}
static inline void flag_record_put(struct flag_record *r, const struct api_entry *x)
{
	*r = (struct flag_record){ .modseq = x->modseq,
		.keywords = { x->keywords_low, x->keywords_high },
		.flags = x->flags };
}
/* Fills in what changes of an entry, by its UID; puts it; takes it out. */
int blocks_read(struct sqlite_reader *, uint64_t mailbox, struct api_entry *x, struct err *err);
int blocks_put(
	struct sqlite_reader *, uint64_t mailbox, const struct api_entry *x, struct err *err);
int blocks_remove(struct sqlite_reader *, uint64_t mailbox, uint32_t uid, struct err *err);
/* Writes what is dirty: before the commit, and before a statement that calls us or writes to the
 * table itself (then what is held is to be forgotten, too). */
int blocks_write(struct sqlite_reader *, struct err *err);
void blocks_forget(struct sqlite_reader *);
/* A transaction of a group begins; it has failed, and what is held is what it was. */
void blocks_begin(struct sqlite_reader *);
void blocks_undo(struct sqlite_reader *);
void blocks_done(struct sqlite_reader *);

/* ---- sqlite_deleted.c ---- */
/* Keeps one entry, which was deleted before (what the quota has no room for is forgotten at once,
 * and its body goes with its last name); the time is given here. */
int sqlite_deleted_keep(
	struct sqlite_engine *, struct account_state *a, struct deleted_row *row, struct err *err);
/* Keeps every entry of a mailbox; when they have been deleted, keep_within is to be called. */
int sqlite_deleted_keep_all(struct sqlite_engine *, struct account_state *a,
	const struct mailbox_state *m, struct err *err);
/* So many more messages and bytes are kept; the oldest are forgotten for which there is no room. */
int sqlite_deleted_keep_within(struct sqlite_engine *, struct account_state *a, uint64_t messages,
	uint64_t bytes, struct err *err);
/* What the account left is kept without it, or (erase) only until it is forgotten. */
int sqlite_deleted_of_removed(
	struct sqlite_engine *, uint64_t account, struct str address, bool erase, struct err *err);
/* So many bytes of a segment belong to nothing any more. */
int sqlite_segment_dead(struct sqlite_engine *, uint32_t segment, uint64_t bytes, struct err *err);
/* Drops a body's row when no entry and nothing that is kept names it any more. */
int sqlite_body_drop(struct sqlite_engine *, uint64_t body, struct err *err);
int sqlite_deleted_each(struct reader *, const struct deleted_filter *,
	const struct deleted_row *after, size_t n, int (*)(void *, const struct deleted_row *),
	void *, struct err *err);
int sqlite_deleted_expired(
	struct reader *, uint64_t from, int64_t before, uint64_t *, struct err *err);
int sqlite_removed_each(
	struct reader *, struct str address, uint64_t after, uint64_t *, struct err *err);
/* Puts what was made of a password: its verifier and the rest. What came from the one before is
 * gone already. */
int sqlite_secrets_of_password(
	struct sqlite_engine *, uint64_t account, const struct op_account *, struct err *err);
/* Forgets the account's secrets up to a kind. */
int sqlite_secrets_forget(
	struct sqlite_engine *, uint64_t account, enum secret_kind up_to, struct err *err);
/* The epoch rises: tickets and sessions of the account end. */
int sqlite_account_ends(struct sqlite_engine *, uint64_t account, struct err *err);
/* ERR_NOT_FOUND: there is no such account. */
int sqlite_must_have_account(
	struct sqlite_engine *, struct str address, struct account_row *ret, struct err *err);

/* ---- sqlite_segments.c ---- */
/* A row names a record: the end of what rows name moves on. */
void sqlite_note_end(struct sqlite_engine *, const struct blob_ref *ref);
/* Puts bytes of a segment into the running transaction. */
int sqlite_carry(struct sqlite_engine *, const struct segment_carry *, struct err *err);
int sqlite_carried(struct engine *, each_carry each, void *arg, struct err *err);
int sqlite_segment_each(
	struct reader *, int (*)(void *, const struct segment_row *), void *, struct err *err);
int sqlite_bodies_in(struct reader *, uint32_t segment, uint64_t *after, size_t n, uint64_t *ret,
	uint64_t *ret_bytes, struct err *);
int sqlite_kept(struct reader *, struct kept_counts *, struct err *err);

/* ---- sqlite_read.c ---- */
int sqlite_account_by_address(struct reader *, struct str, struct account_row *, struct err *err);
int sqlite_account_by_id(struct reader *, uint64_t, struct account_row *, struct err *err);
int sqlite_credentials(struct reader *, struct str address, struct str certificate,
	struct account_row *, int (*)(void *, const struct api_secret *), void *, struct err *);
int sqlite_offers(struct reader *, uint32_t *ret_scram, uint32_t *ret_legacy, struct err *);
int sqlite_account_first(struct reader *, struct str domain, uint64_t *, struct err *err);
int sqlite_domain(struct reader *, struct str name, char *ret_catch_all, struct err *err);
int sqlite_alias_targets(struct reader *, struct str address, each_str, void *, struct err *err);
int sqlite_account_each(struct reader *, uint64_t after,
	int (*)(void *, const struct account_row *), void *, struct err *err);
int sqlite_domain_each(
	struct reader *, int (*)(void *, const struct api_domain *), void *, struct err *err);
int sqlite_alias_each(struct reader *, each_str, void *, struct err *err);
int sqlite_mailbox_each(struct reader *, uint64_t account,
	int (*)(void *, const struct api_mailbox *), void *, struct err *err);
int sqlite_mailbox_by_name(
	struct reader *, uint64_t account, struct str, struct mailbox_row *, struct err *err);
int sqlite_mailbox_by_id(struct reader *, uint64_t, struct mailbox_row *, struct err *err);
int sqlite_recent(
	struct reader *, const struct api_mailbox *, uint32_t from, uint32_t *ret, struct err *err);
int sqlite_numbers(struct reader *, uint64_t mailbox, size_t looked, struct mailbox_row *,
	struct arena *, struct vec *keywords, uint32_t *ret_unseen, struct err *);
int sqlite_view(struct reader *, uint64_t mailbox, uint32_t after, size_t rows,
	struct mailbox_row *, struct arena *, struct vec *keywords, struct vec *entries,
	struct err *err);
/* What a row of SQL_ENTRIES says of an entry; the rest of it stands in its block. */
void sqlite_add_row(sqlite3_stmt *st, struct api_entry *x);
/* Both. */
int sqlite_entry_from_row(struct sqlite_reader *, uint64_t mailbox, sqlite3_stmt *st,
	struct api_entry *ret, struct err *err);
int sqlite_snapshot_begin(struct reader *, struct err *);
void sqlite_snapshot_end(struct reader *);
int sqlite_entry_bodies(struct reader *, uint64_t account, uint64_t mailbox, const uint32_t *uids,
	size_t n, struct entry_body *ret, struct err *);
int sqlite_entry(struct reader *, uint64_t account, uint64_t mailbox, uint32_t uid,
	struct entry_place *, struct err *err);
int sqlite_body_each(struct reader *, uint64_t after, size_t n,
	int (*)(void *, const struct body_place *), void *, struct err *err);
int sqlite_op_recent(struct sqlite_engine *, struct op *, struct err *);
int sqlite_op_annotate(struct sqlite_engine *, struct op *, struct err *);
int sqlite_annotation_each(struct reader *, uint64_t account, uint64_t mailbox,
	int (*)(void *, const struct api_annotation *), void *, struct err *);
int sqlite_expunged(struct reader *, uint64_t mailbox, uint32_t *after, size_t rows, uint64_t since,
	struct vec *, struct err *);
int sqlite_entry_ids(struct reader *, uint64_t mailbox, uint32_t after, size_t n,
	int (*each)(void *, const struct entry_ids *), void *, struct err *);
int sqlite_counts(struct reader *, struct ledger_counts *, struct err *err);
int sqlite_check_account(
	struct reader *, uint64_t, int (*)(void *, struct str), void *, struct err *err);
int sqlite_check(struct reader *, int (*)(void *, struct str), void *, struct err *err);

#endif
