/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An engine keeps the ledger: it runs transactions (ops.h) and answers reads. engine_sqlite.c is
 * the first. What engines share is these functions and one test-suite (engine_suite.h), not SQL.
 *
 *     struct engine *e = engine_sqlite.open(&options, &err);
 *     e->class->run(e, txns, n, &err);
 *     struct reader *r = e->class->reader_open(e, &err);
 *
 * Threads: run, checkpoint and close by one thread at a time each; each reader is one thread's.
 * Durability: when run returns 0, every transaction whose err is ERR_NONE is on disk, and only
 * then do readers see it. When it returns -1 a flush may have failed: nothing of the group may be
 * answered and the process has to end (architecture.md, "A failed flush"). One call is one flush,
 * but for transactions that write more than bounds->group_rows together: theirs are several.
 *
 * uses: ops; used by: the writer, readers and maintainer of the store
 */
#ifndef CULVER_STORE_ENGINE_H
#define CULVER_STORE_ENGINE_H

#include "base/seams.h"
#include "store/ops.h"
#include "store/restored.h"

struct engine {
	const struct engine_class *class;
	/* Bytes of a segment that must be on disk with the rows that name them, or NULL. run() puts
	 * them into each commit that it tries, until one has succeeded: then it becomes NULL. While
	 * it is not, no commit has. */
	const struct segment_carry *carry;
	/* What has to be on disk before any row that names it is: run() calls it when the rows are
	 * worked out, before each commit. -1 fails the transactions, and nothing was committed.
	 * NULL: there is nothing. */
	int (*before_commit)(void *arg, struct err *err);
	void *before_commit_arg;
};
struct reader {
	const struct engine_class *class;
};

struct engine_options {
	const struct seams *seams;
	bool read_only; /* transactions are refused with ERR_READ_ONLY; nothing is written */
	const struct store_bounds *bounds; /* NULL: the normal ones; lives as long as the engine */
	uint64_t reserve_bytes;            /* of the disk (disk.h): where less is free the log is
					    * kept short. 0: LIMIT_DISK_RESERVE_BYTES */
	/* The ledger was restored to an earlier state: begin a new history, unless that was done.
	 * NULL: it was not. */
	const struct restored *restored;
	const struct engine_rebuild
		*rebuild; /* the ledger is new and takes this identity, or NULL */
};

struct account_row {
	uint64_t id, epoch, modseq;
	char address[LIMIT_ADDRESS_BYTES + 1];
	uint8_t kind;
	bool active, legacy_auth;
	uint32_t services;
	uint64_t quota_bytes, quota_messages; /* 0: none set */
	uint64_t used_bytes, used_messages;
	uint8_t pop3_retention;
	uint32_t pop3_expire_days;
};

struct mailbox_row {
	struct api_mailbox status; /* name: in `name` below */
	uint64_t account;
	uint32_t recent; /* the first UID that no session was told of */
	char name[LIMIT_MAILBOX_NAME_BYTES + 1];
};

/* What is needed to read an entry's bytes. */
struct entry_body {
	uint64_t body; /* 0: there is no such entry */
	uint32_t prefix_at, prefix_size;
};

struct entry_place {
	struct body_place body;
	uint32_t prefix_at;
	uint32_t prefix_size;
	uint64_t size;
};

/* What an entry is known by. uidl: of which its body is 0 when it is not made of the record. */
struct entry_ids {
	uint32_t uid;
	uint64_t entry_id, body;
	struct api_uidl uidl;
};

/* A message that was deleted and is kept; what it points at is borrowed for the call. */
struct deleted_row {
	int64_t time; /* of its deletion, ms since 1970 */
	uint64_t mailbox, body, size, entry_id;
	uint32_t uid, prefix_at, prefix_size;
	uint8_t flags;
	int64_t date;        /* internal date */
	struct str name;     /* of the mailbox, then */
	struct str keywords; /* with blanks between */
};
struct deleted_filter {
	uint64_t account;
	int64_t since;
	struct str mailbox; /* empty: any */
};

/* What is known of a segment. There may be none about one that exists, and one about none. */
struct segment_row {
	uint32_t segment;
	bool surveyed; /* dead has been counted since it was sealed, orphans too */
	uint64_t dead; /* bytes of records that nothing names */
	int64_t since; /* when the first of them died, ms since 1970 */
};

struct kept_counts {
	uint64_t messages, bytes; /* deleted and kept */
	uint64_t dead;            /* bytes of records in segments, as far as known */
};

struct ledger_counts {
	uint64_t accounts, messages, bodies, epoch;
	uint32_t uidvalidity; /* the last that was given */
};

/* Each gets one row; a non-zero return ends the walk, and is the walk's result. */
typedef int (*each_str)(void *arg, struct str a, struct str b);

/* An entry that a repair looks at. account: 0 when no row says whose it is. */
struct broken_entry {
	uint64_t account, mailbox, body, entry_id, size;
	uint32_t uid, prefix_at, prefix_size;
	uint8_t flags;
	int64_t time;
};
enum broken {
	BROKEN_OF_BODY,    /* the entries of the body `key` */
	BROKEN_NO_BODY,    /* whose body, above `key`, has no row; by body */
	BROKEN_NO_MAILBOX, /* whose mailbox, above `key`, has no row; by mailbox */
};

/* A new ledger for segments that there are already. */
struct engine_rebuild {
	uint8_t store_id[16];
	uint64_t epoch;
};

struct engine_identity {
	uint8_t store_id[16];
	uint8_t history[16]; /* the store's id, or what the last restore drew */
	uint64_t epoch;
	struct segment_end committed;
	uint32_t schema;
};

struct engine_class {
	const char *name;
	struct engine *(*open)(const struct engine_options *, struct err *);
	void (*close)(struct engine **);
	/* See above. Fills each transaction's err, results and changes. */
	int (*run)(struct engine *, struct txn *const *txns, size_t n, struct err *);
	/* Moves what is in the log to its place; the maintainer's. -1 is as grave as that of run.
	 */
	int (*checkpoint)(struct engine *, struct err *);
	/* Whether the log has grown so much that a checkpoint is due. From any thread. */
	bool (*checkpoint_due)(struct engine *);
	/* What segments_open must know: the store's identity, drawn at creation, its epoch, and
	 * the end of what rows name. */
	void (*identity)(struct engine *, struct engine_identity *ret);
	/* Each batch of a segment that is carried, in any order, borrowed for the call: 0, each()'s
	 * non-zero, or -1 and err. The thread of run. */
	int (*carried)(struct engine *, each_carry each, void *arg, struct err *);

	/* Copies the ledger into a new file of the store's directory while the engine is in use:
	 * begin, then steps between runs, by the thread of run. What is committed between two steps
	 * is carried over, no snapshot is held. The copy is not flushed. copy_step: 1 the copy is
	 * whole and is the ledger as of the last run, 0 there is more, -1 and err; but for 0 it has
	 * ended. copy_end gives up, or does nothing. */
	int (*copy_begin)(struct engine *, const char *name, struct err *);
	int (*copy_step)(struct engine *, struct err *);
	void (*copy_end)(struct engine *);

	struct reader *(*reader_open)(struct engine *, struct err *);
	void (*reader_close)(struct reader **);

	/* Reads: 0 found, -1 with err (ERR_NOT_FOUND: there is none). Each is one snapshot that
	 * ends with the call. */
	int (*account_by_address)(struct reader *, struct str, struct account_row *, struct err *);
	int (*account_by_id)(struct reader *, uint64_t, struct account_row *, struct err *);
	/* An account and its secrets, by id, in one snapshot. certificate: with an empty address,
	 * the account that it is registered for. A secret's strings end with the call. */
	int (*credentials)(struct reader *, struct str address, struct str certificate,
		struct account_row *, int (*each)(void *, const struct api_secret *), void *,
		struct err *);
	/* Bits of enum service: those for which every active account that may use them has a
	 * SCRAM verifier (and there is one), and for which one has a recoverable secret. */
	int (*offers)(struct reader *, uint32_t *ret_scram, uint32_t *ret_legacy, struct err *);
	/* The oldest active account of the domain, or of all when name is empty. */
	int (*account_first)(struct reader *, struct str domain, uint64_t *, struct err *);
	/* ret_catch_all: room for LIMIT_ADDRESS_BYTES + 1 bytes. */
	int (*domain)(struct reader *, struct str name, char *ret_catch_all, struct err *);
	/* Targets of an alias, up to LIMIT_ALIAS_TARGETS. */
	int (*alias_targets)(struct reader *, struct str address, each_str, void *, struct err *);
	int (*account_each)(struct reader *, uint64_t after,
		int (*)(void *, const struct account_row *), void *, struct err *);
	int (*domain_each)(
		struct reader *, int (*)(void *, const struct api_domain *), void *, struct err *);
	int (*alias_each)(struct reader *, each_str, void *, struct err *);

	/* Mailboxes with their subscription, and subscribed names that do not exist (id 0), by
	 * name. */
	int (*mailbox_each)(struct reader *, uint64_t account,
		int (*)(void *, const struct api_mailbox *), void *, struct err *);
	int (*mailbox_by_name)(
		struct reader *, uint64_t account, struct str, struct mailbox_row *, struct err *);
	int (*mailbox_by_id)(struct reader *, uint64_t, struct mailbox_row *, struct err *);
	/* How many messages of a mailbox, as it was read before, no session was told of: their UIDs
	 * are `from` at least, and not below what the mailbox's row says. */
	int (*recent)(struct reader *, const struct api_mailbox *, uint32_t from, uint32_t *ret,
		struct err *err);
	/* One snapshot of at most `rows` entries with UIDs above `after`, appended to `entries`
	 * (struct api_entry), and the mailbox's row and keywords (appended to `keywords`, struct
	 * str in the arena, when it is not NULL) in the same snapshot. */
	int (*view)(struct reader *, uint64_t mailbox, uint32_t after, size_t rows,
		struct mailbox_row *, struct arena *, struct vec *keywords, struct vec *entries,
		struct err *);
	/* The mailbox's row and keywords, as view() has them, and in the same snapshot which of the
	 * first `looked` entries is the first without \Seen, counted from 1; 0: none of them. */
	int (*numbers)(struct reader *, uint64_t mailbox, size_t looked, struct mailbox_row *,
		struct arena *, struct vec *keywords, uint32_t *ret_unseen, struct err *);
	/* Annotations of a mailbox of the account, or (0) of the account, in order of name. */
	int (*annotation_each)(struct reader *, uint64_t account, uint64_t mailbox,
		int (*)(void *, const struct api_annotation *), void *, struct err *);
	/* Of the next `rows` UIDs above *after that the mailbox has expunged, those that went after
	 * a modseq, appended to ret (struct api_range, rising). Moves *after on. 1, or 0: there
	 * were no more, or -1. */
	int (*expunged)(struct reader *, uint64_t mailbox, uint32_t *after, size_t rows,
		uint64_t since, struct vec *ret, struct err *);
	/* What is read in between is one snapshot, and cheaper than each read by itself. Not for
	 * longer than a slice of a view takes; no walk (`view`) inside. */
	int (*snapshot_begin)(struct reader *, struct err *);
	void (*snapshot_end)(struct reader *);
	/* An entry of a mailbox of the account: ERR_NOT_FOUND also when it is another's. I11 */
	int (*entry)(struct reader *, uint64_t account, uint64_t mailbox, uint32_t uid,
		struct entry_place *, struct err *);
	/* The bodies of n entries, by UID, for their digests: cheap when the UIDs rise and are near
	 * to each other. An entry that is not there has body 0; so have all of a mailbox that is
	 * not the account's. */
	int (*entry_bodies)(struct reader *, uint64_t account, uint64_t mailbox,
		const uint32_t *uids, size_t n, struct entry_body *ret, struct err *);
	/* Every body, in order of id, above `after`; at most n. */
	int (*body_each)(struct reader *, uint64_t after, size_t n,
		int (*)(void *, const struct body_place *), void *, struct err *);
	/* At most n entries of a mailbox with UIDs above `after`: what identifies them. */
	int (*entry_ids)(struct reader *, uint64_t mailbox, uint32_t after, size_t n,
		int (*)(void *, const struct entry_ids *), void *, struct err *);
	/* At most n of them, appended to ret (struct broken_entry). */
	int (*broken)(struct reader *, enum broken which, uint64_t key, size_t n, struct vec *ret,
		struct err *);
	int (*counts)(struct reader *, struct ledger_counts *, struct err *);
	/* The counters of one account and its mailboxes against the rows: each finding is a line.
	 */
	int (*check_account)(
		struct reader *, uint64_t, int (*)(void *, struct str), void *, struct err *);
	int (*segment_each)(
		struct reader *, int (*)(void *, const struct segment_row *), void *, struct err *);
	/* Adds to *ret how many of the next n bodies above *after are in the segment, to
	 * *ret_bytes what their records take, and moves *after on. 1, or 0: there were none, or -1.
	 */
	int (*bodies_in)(struct reader *, uint32_t segment, uint64_t *after, size_t n,
		uint64_t *ret, uint64_t *ret_bytes, struct err *);
	int (*kept)(struct reader *, struct kept_counts *, struct err *);
	/* At most n in the order of deletion; after: the last one that was seen, or NULL. */
	int (*deleted_each)(struct reader *, const struct deleted_filter *,
		const struct deleted_row *after, size_t n,
		int (*)(void *, const struct deleted_row *), void *, struct err *);
	/* The first account from a number on that keeps something deleted before a time. 1, or 0:
	 * there is none, or -1. */
	int (*deleted_expired)(
		struct reader *, uint64_t from, int64_t before, uint64_t *, struct err *);
	/* The next account above `after` that had the address and was removed. As above. */
	int (*removed_each)(
		struct reader *, struct str address, uint64_t after, uint64_t *, struct err *);
	/* Consistency of the engine's own files and rows: each finding is one line. */
	int (*check)(struct reader *, int (*)(void *, struct str), void *, struct err *);
};

extern const struct engine_class engine_sqlite;

#endif
