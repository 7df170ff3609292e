/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ledger operations as values. A transaction is a list of typed operations that an engine runs as
 * a whole: all of them or none. It holds everything the operations point at, so it can wait in a
 * queue, be run in a group with others, and be run again. What came of each operation is written
 * beside it; what others are to hear of it once it is flushed is the list of changes.
 *
 *     struct txn *t = txn_new();
 *     struct op *op = txn_add(t, OP_FLAGS);
 *     op->by = (struct op_by){ .account = a, .epoch = e };
 *     op->flags = (struct op_flags){ .mailbox = m, .mode = FLAGS_ADD, .flags = FLAG_SEEN, … };
 *     engine_run(engine, &t, 1, &err);        then t->err, op->result, t->changes
 *     txn_free(&t);
 *
 * Nothing here knows SQL, and nothing that runs operations knows frames (beyond the plain records
 * that views are made of).
 *
 * uses: base, api records; used by: engines, the writer, the store's requests
 */
#ifndef CULVER_STORE_OPS_H
#define CULVER_STORE_OPS_H

#include "api/frames.h"
#include "api/schemes.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/vec.h"
#include "store/little.h"
#include "store/segment.h"

/* Bounds that would take hundreds of MB to reach: a test hands lower ones in, everybody else the
 * normal ones, which are the limits themselves. */
struct store_bounds {
	uint32_t changed_entries; /* LIMIT_CHANGED_ENTRIES */
	uint32_t view_entries;    /* LIMIT_VIEW_ENTRIES */
	size_t upload_bytes;      /* LIMIT_PEER_UPLOAD_BYTES */
	uint32_t slice_rows;      /* LIMIT_VIEW_SLICE_ROWS */
	size_t log_bytes;         /* LIMIT_WAL_BYTES */
	size_t group_rows;        /* LIMIT_GROUP_ROWS */
	size_t bases_bytes;       /* LIMIT_BASES_BYTES */
	uint32_t flags_told;      /* LIMIT_FLAGS_TOLD */
	uint32_t unseen_looked;   /* LIMIT_UNSEEN_LOOKED */
};
extern const struct store_bounds store_bounds_normal;

enum op_kind {
	OP_BODY, /* bytes that are on disk get a row */
	OP_LAND, /* an entry for a body: delivered or appended */
	OP_FLAGS,
	OP_COPY, /* or move */
	OP_EXPUNGE,
	OP_MAILBOX_CREATE,
	OP_MAILBOX_ENSURE, /* as create, and subscribed if wanted; or the one that is there */
	OP_MAILBOX_DELETE,
	OP_MAILBOX_RENAME,
	OP_SUBSCRIBE,
	OP_ACCOUNT_ADD,
	OP_ACCOUNT_PASSWORD,
	OP_ACCOUNT_REMOVE,
	OP_ACCOUNT_SET,
	OP_SECRET_PUT,
	OP_SECRET_REMOVE,
	OP_SECRET_USED,
	OP_DOMAIN_ADD,
	OP_DOMAIN_REMOVE,
	OP_DOMAIN_SET,
	OP_ALIAS_ADD,
	OP_ALIAS_REMOVE,
	OP_UNDELETE,        /* what was deleted and is kept comes back */
	OP_FORGET,          /* what was kept long enough goes for good */
	OP_MAILBOX_RECOVER, /* repair: entries whose mailbox has no row get one */
	OP_BODY_LOST,       /* repair: a body that can't be read goes, with all that names it */
	OP_MEND,            /* counters are made what the rows say, of an account or of all */
	OP_REBUILD,         /* a record of a lost ledger, with all its recipients */
	OP_BODY_MOVE,       /* a body's record has been copied elsewhere */
	OP_SEGMENT,         /* what was found out about a segment */
	OP_NAMED,           /* changes nothing; fails when a body has no row any more */
	OP_ANNOTATE,        /* what is kept beside a mailbox or an account */
	OP_RECENT,          /* sessions were told of a mailbox's messages; it may be gone */
	OP_KINDS
};

/* For whom an operation is done. The engine compares the epoch in the commit: ERR_EXPIRED. */
struct op_by {
	uint64_t account;
	uint64_t epoch; /* 0: not compared (deliveries, the store itself) */
};

/* Where a body's record is, as segments_append said, and what is in it. */
struct body_place {
	struct blob_ref ref;
	uint64_t size; /* raw bytes of the body */
	uint8_t sha256[32];
};

struct op_body {
	struct body_place place;
};

/* Of a body and an internal date, never 0. The blob id, the recipient of the record and this make
 * the UIDL of an entry that landed: a rebuild finds all of them again, and where a restored store
 * gives a blob id that the lost past had given, this tells the two messages apart. */
static inline int64_t body_mark(const struct body_place *b, int64_t time_ms)
{
	uint64_t date = (uint64_t)time_ms * UINT64_C(0x9e3779b97f4a7c15);
	int64_t mark = (int64_t)((get_u64(b->sha256) ^ date) & INT64_MAX);
	return mark ? mark : 1;
}

/* The modseq, UID and entry id are the engine's to give. */
struct op_land {
	uint64_t mailbox;     /* 0: the account's INBOX */
	struct str name;      /* of the mailbox, until it was looked up (ask_upload.c) */
	uint64_t body;        /* blob id */
	uint32_t prefix_at;   /* where the prefix is: for segment_read_prefix */
	uint32_t prefix_size; /* its bytes; 0: there is none */
	int64_t mark;         /* body_mark() */
	uint64_t size;        /* prefix and body */
	int64_t time;         /* internal date, ms since 1970 */
	uint8_t flags;
	struct api_str_list keywords;
	uint64_t entry_id; /* 0: its own; else of a message that comes back */
	uint32_t uid;      /* that it is to have, where it is beyond all that were given; or 0 */
	bool strict;       /* ERR_QUOTA when there is no room; otherwise it lands even so */
};

struct op_flags {
	uint64_t mailbox;
	struct api_range_list uids;
	enum flags_mode mode;
	uint8_t flags;
	struct api_str_list keywords;
	uint64_t unchanged_since; /* UINT64_MAX: not given. RFC 7162 3.1.3 */
};
/* What it makes of an entry's flags, with the bits of its keywords; whether that is another. */
bool op_flags_apply(const struct op_flags *op, const uint64_t bits[2], struct api_entry *entry);

struct op_copy {
	uint64_t mailbox, target;
	struct api_range_list uids;
	bool move;
	uint32_t expected; /* ERR_NOT_FOUND when fewer are there; 0: as many as are there */
};

struct op_expunge {
	uint64_t mailbox; /* 0: the account's INBOX */
	struct api_range_list uids;
	bool deleted_only;
	bool must;      /* ERR_NOT_FOUND when nothing was there */
	int64_t before; /* only entries with an internal date before it; 0: any */
};

/* Mailbox operations name mailboxes; names are canonical (names.h). */
struct op_mailbox {
	struct str name;
	struct str to;        /* rename */
	uint16_t special_use; /* create */
	/* ensure: to have where it is new and empty (0: its own), and the UID below which all were
	 * given elsewhere */
	uint32_t uidvalidity, uidnext;
	bool on; /* subscribe; ensure: subscribe it where it is made */
};

/* Addresses are canonical (address.h). Which fields count depends on the kind. */
struct op_account {
	struct str address;
	struct str verifier;            /* of the password */
	struct api_secret_list secrets; /* kind and value of what else was made of the password */
	int64_t time_ms;                /* of the password */
	uint8_t kind;
	uint32_t set; /* enum account_field */
	struct api_account values;
	bool erase; /* remove: its mail is not kept */
};

/* A secret of the account with the address, or (empty) of op.by's. Putting one of a kind that an
 * account has once replaces the one before. Removing one that came from elsewhere than the
 * password raises the epoch. */
struct op_secret {
	struct str address;
	uint64_t id;      /* remove, used */
	uint8_t kind;     /* put: enum secret_kind but SECRET_PASSWORD */
	struct str label; /* put */
	struct str value; /* put */
	uint32_t services;
	int64_t time_ms; /* put: of its making; used: of its use */
};

struct op_domain {
	struct str name;
	struct str catch_all;
};

struct op_alias {
	struct str address;
	struct str target;
};

/* Into its mailbox, or the one that has its name now, or 'Recovered'; with new UIDs; strict about
 * the quota. Some hundred at a time: result.more says that it is to be run again. */
struct op_undelete {
	struct str address;
	int64_t since;      /* deleted then or later; at least 1 */
	struct str mailbox; /* its name when the message was deleted; empty: any */
	bool removed;       /* what accounts left that had the address and were removed */
	bool look;          /* first forget what the account has again, from a backup */
};

struct op_forget {
	uint64_t account;
	int64_t before; /* deleted earlier than this */
	uint32_t most;  /* rows of one transaction; result.more: there are others */
};

struct op_mend {
	uint64_t mailbox, body; /* recover; lost */
	uint64_t account;       /* mend; 0: all of them, and references too */
};

struct op_rebuild {
	struct body_place place;
	const struct record_recipient *recipients;
	const uint32_t *prefix_at;
	size_t n;
};

struct op_body_move {
	struct blob_ref from, to;
};

struct op_segment {
	uint32_t segment;
	uint64_t dead; /* it was surveyed: bytes of records without a row */
	bool gone;     /* or it was removed */
};

struct op_recent {
	uint64_t mailbox;
	uint32_t uid; /* the first that none was told of */
};

struct op_named {
	uint64_t body;
};

struct op_annotate {
	uint64_t mailbox; /* 0: of the account itself */
	struct api_annotation_list list;
	bool missing; /* those that are there stay as they are */
};

struct op_result {
	uint64_t modseq;
	uint64_t before; /* flags: the mailbox's modseq without this */
	uint64_t mailbox;
	uint32_t uidvalidity;
	uint32_t uid;
	uint64_t entry_id;
	uint32_t done_count;
	uint64_t bytes; /* of what came back */
	uint32_t there; /* did not come back, since the mailbox has it again */
	bool more;
	struct vec failed;         /* uint32_t: UIDs that UNCHANGEDSINCE kept back, rising */
	struct vec pairs;          /* struct api_pair, rising */
	struct api_mailbox status; /* mailbox_create: the new one; its name is in the arena */
};

struct op {
	enum op_kind kind;
	struct op_by by;
	union {
		struct op_body body;
		struct op_land land;
		struct op_flags flags;
		struct op_copy copy;
		struct op_expunge expunge;
		struct op_mailbox mailbox;
		struct op_account account;
		struct op_secret secret;
		struct op_domain domain;
		struct op_alias alias;
		struct op_mend mend;
		struct op_rebuild rebuild;
		struct op_undelete undelete;
		struct op_forget forget;
		struct op_body_move body_move;
		struct op_segment segment;
		struct op_named named;
		struct op_annotate annotate;
		struct op_recent recent;
	};
	struct op_result result;
};

/* What others hear after the flush. */
enum change_kind {
	CHANGE_ENTRY,    /* new, or its flags changed: `entry` is what it is now */
	CHANGE_FLAGS,    /* of more entries than are told one by one: what `flags` did */
	CHANGE_EXPUNGED, /* entry.uid is gone */
	CHANGE_KEYWORD,  /* the mailbox has a new keyword: bit and name */
	CHANGE_MODSEQ,   /* of the mailbox alone: annotations */
	CHANGE_GONE,     /* the mailbox was deleted */
	CHANGE_ENDED,    /* the account's epoch rose, or it was removed: sessions end */
};
struct change {
	enum change_kind kind;
	uint64_t account, mailbox;
	uint64_t modseq;
	uint32_t uidnext;
	union {
		struct api_entry entry;
		struct {
			const struct op_flags *op;
			uint64_t bits[2]; /* of its keywords */
		} flags;
	};
	uint32_t bit;
	struct str name; /* lives as long as the transaction, as flags.op does */
};

struct txn {
	struct arena arena;
	struct vec ops;     /* struct op; pointers into it end at the next txn_add */
	struct vec changes; /* struct change, in order */
	struct vec dropped; /* uint64_t: bodies that no message names any more */
	struct err err;     /* ERR_NONE: all of it is on disk */
};

/* Appends a UID to rising ranges (struct api_range). -1: ERR_LIMIT, the vec is full. */
int ranges_add(struct vec *ranges, uint32_t uid, struct err *err) MUST_CHECK;

struct txn *txn_new(void);
void txn_free(struct txn **txn);
/* A zeroed operation at the end of the list; NULL beyond LIMIT_LANDINGS + 2 operations. */
struct op *txn_add(struct txn *txn, enum op_kind kind);
static inline struct op *txn_op(const struct txn *txn, size_t i)
{
	return vec_at(&txn->ops, i);
}
/* Copies into the transaction. False: beyond LIMIT_TRANSACTION_BYTES. */
bool txn_keep(struct txn *txn, struct str *s) MUST_CHECK;
bool txn_keep_strings(struct txn *txn, struct api_str_list *list) MUST_CHECK;
/* Gives back what others were to hear of it; results stay. */
void txn_forget_changes(struct txn *txn);
/* Forgets results, so that it can be run (again). Engines call it. */
void txn_reset_results(struct txn *txn);

#endif
