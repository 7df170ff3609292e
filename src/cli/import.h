/* SPDX-License-Identifier: Apache-2.0 */
/*
 * culver import: where messages come from (import_maildir.c, import_mbox.c, import_imap.c) and how
 * they get into the store (import.c). The store is told of each mailbox and then of its messages;
 * what an account has already, by its bytes and as often as it has it, is passed over. So an import
 * can be run again, and goes on where it was stopped.
 *
 * Messages may be alike, and then one that is new in a mailbox is not to be taken for what was
 * there in another. So mailboxes that hold something here come first, and are looked at by
 * themselves; what the account has elsewhere alone is put off until all of these were
 * (importer_settle). What it has not then is read again, and comes late.
 *
 * uses: cli, folders, store's names and hashes; used by: cmd_import.c
 */
#ifndef CULVER_CLI_IMPORT_H
#define CULVER_CLI_IMPORT_H

#include "base/map.h"
#include "base/vec.h"
#include "cli/cli.h"
#include "cli/import_bodies.h"
#include "cli/remote.h"
#include "folders/folders.h"
#include "store/names.h"
#include "store/sha256.h"

/* Of one message; all of it borrowed. */
struct import_message {
	struct str bytes; /* with CR LF */
	int64_t time_ms;
	uint8_t flags;
	struct str keywords; /* with blanks between */
	uint32_t uid;        /* that it had; 0: unknown */
	const char *from;    /* for people: a file's name */
};

/* What a mailbox is to be. */
struct import_mailbox {
	struct str name;               /* "Work/2026" */
	uint32_t uidvalidity, uidnext; /* that it had; 0: unknown */
	bool unsubscribed;
	bool once; /* it shows what is in others: what was seen in one does not come again */
};

/* How messages of the mailbox at hand are looked at. */
enum import_turn {
	IMPORT_REST,    /* what is known anywhere is there; all else lands */
	IMPORT_AT_HAND, /* what is known elsewhere is put off */
	IMPORT_LATE     /* what was put off and is not there lands, and nothing else */
};

/* By what a message is known. */
struct import_body {
	struct api_body_hash whole, inside; /* inside: without what this store put in front */
	bool has_inside;
};

struct import_put_off {
	struct import_body body;
	uint64_t mailbox;
	uint32_t uid;
	bool late; /* it is not there: it is to be read again */
};

struct importer {
	const struct options *o;
	struct remote *remote;
	struct address_name address;
	uint64_t account;
	uint64_t most_bytes; /* of a message */
	/* Where people hear what was left out, or happened to a message; NULL: standard error. */
	void (*says)(struct importer *, const char *mailbox, const char *what, const char *why);
	struct import_bodies known; /* what no message of the source's stands for yet */
	struct sha256_pool *hashes;
	struct map seen; /* hashes of bodies that were in a mailbox of this run */
	bool counted;    /* all mailboxes were told of, and are told of again */
	/* what was put off */
	struct vec put_off;        /* struct import_put_off */
	struct import_bodies late; /* of these, what is to be read again */
	/* files, which are read once or twice */
	bool files, second;
	struct map subscribed; /* names */
	bool has_list;         /* of them */
	struct map looked_at;  /* mailboxes' numbers */
	struct map passed; /* struct placed_body -> how often it came in these, and was not late */
	/* the mailbox at hand */
	enum import_turn turn;
	struct mailbox_name mailbox;
	uint64_t id;     /* 0: the INBOX */
	uint64_t number; /* the same, the INBOX's as well */
	bool once;
	bool keeps_uids;
	bool holds; /* one was put off, so those behind it are, too: their order is kept */
	bool quiet; /* what is to be said of it is said when files are read the other time */
	/* messages that land together */
	struct vec batch; /* struct import_message, owned */
	size_t batch_bytes;
	/* totals */
	uint64_t imported, there, left_out, mailboxes;
	int64_t shown_ms;
};

/* Whether a mailbox of the source is to come: all, or the one that --mailbox names. */
bool importer_wants(const struct importer *, struct str name);
int importer_begin(struct importer *, struct str address, struct err *err);
/* What follows is for this mailbox. 1: it can't be had, which was said; nothing is to follow. */
int importer_mailbox(struct importer *, const struct import_mailbox *, struct err *err);
int importer_message(struct importer *, const struct import_message *, struct err *err);
/* The same of one that is known not to be there. */
int importer_put(struct importer *, const struct import_message *, struct err *err);
/* All mailboxes that hold something were looked at: says of what was put off whether it is late. */
void importer_settle(struct importer *);
/* Writes what waits. */
int importer_flush(struct importer *, struct err *err);
int importer_end(struct importer *, struct err *err);
/* It has failed: another may be begun. */
void importer_abandon(struct importer *);
void importer_done(struct importer *);
#define IMPORT_CLOSED "is a link, or can't be read: it is left out"
/* Something was left out, and why. */
void importer_tell(struct importer *, const char *what, const char *why);
/* A whole mailbox is left out. */
void importer_tell_of_mailbox(struct importer *, const char *name, const char *why);

/* A message is known to be that entry of the account, without its bytes: it is there already, and
 * counts for none that comes. False: it counts as what has come. */
bool importer_has(struct importer *, uint64_t entry_id);

/* Files are read once or twice: first of mailboxes that hold something here, then of the others and
 * what is late. */
int importer_read(struct importer *, int (*read)(struct importer *, void *arg, struct err *),
	void *arg, struct err *err);
/* importer_mailbox for who reads files. 1: also when nothing is to follow this time. */
int importer_folder(struct importer *, const struct import_mailbox *, struct err *err);

/* Reads a list of subscribed mailboxes, if there is one; separator: of their levels. */
bool importer_read_subscriptions(
	struct importer *, int directory, const char *file, char separator);
bool importer_is_unsubscribed(const struct importer *, struct str name);

int import_imap(struct importer *, const struct remote_server *, struct err *err);
/* The directory or file, already open; may be called again. */
int import_maildir(struct importer *, int directory, struct err *err);
int import_mboxes(struct importer *, int directory, struct err *err);
int import_mbox(struct importer *, int file, struct str mailbox, struct err *err);

/* Reads a regular file of a directory, no link, into out, emptied first. 0; 1: there is none, or it
 * is no such file, or too large. */
int import_read_file(int directory, const char *name, struct buf *out, int64_t *ret_time_ms);
/* Names in a directory, sorted, but "." and ".."; in the arena. -1: it can't be read. */
int import_list(int directory, struct arena *arena, struct vec *names, struct err *err);
/* A directory in a directory, no link; -1: it is none. */
int import_open_directory(int directory, const char *name);

/* Where a walk over directories is: what lies in it are mailboxes, and levels above others. */
struct import_level {
	void *arg; /* the walker's own */
	int directory;
	struct str above; /* its name as a mailbox; empty: it is the one that is imported */
	int depth;
};
/* Calls each for every name in it, sorted; stops on what is not 0. Below LIMIT_MAILBOX_LEVELS
 * nothing is looked at. ERR_LIMIT: the names are above LIMIT_IMPORT_NAMES_BYTES. */
int import_walk(const struct import_level *,
	int (*each)(const struct import_level *, const char *entry, struct err *), struct err *err);
/* Adds the name that an entry has as a mailbox below the level's. False: it is none. */
bool import_level_name(const struct import_level *, struct str entry, struct buf *name);

#endif
