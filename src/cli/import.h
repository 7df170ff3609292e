/* SPDX-License-Identifier: Apache-2.0 */
/*
 * culver import: where messages come from (import_maildir.c, import_mbox.c, import_imap.c) and how
 * they get into the store (import.c). The store is told of each mailbox and then of its messages;
 * what an account has already, by its bytes and as often as it has it, is passed over. So an import
 * can be run again, and goes on where it was stopped.
 *
 * uses: cli, folders, store's names and hashes; used by: cmd_import.c
 */
#ifndef CULVER_CLI_IMPORT_H
#define CULVER_CLI_IMPORT_H

#include "base/map.h"
#include "base/vec.h"
#include "cli/cli.h"
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
	bool once;  /* it shows what is in others: what was seen in one does not come again */
	bool again; /* it was told of before */
};

struct importer {
	const struct options *o;
	struct remote *remote;
	struct address_name address;
	uint64_t account;
	uint64_t most_bytes; /* of a message */
	struct map known;    /* hash of a body -> how often the account has it still */
	struct map entries;  /* entry's id -> its body in `bodies`, from 1 on */
	struct vec bodies;   /* struct api_body_hash */
	struct sha256_pool *hashes;
	/* the mailbox at hand */
	struct mailbox_name mailbox;
	uint64_t id;     /* 0: the INBOX */
	uint64_t number; /* the same, the INBOX's as well */
	bool once;
	struct map seen; /* hashes of bodies that were in a mailbox of this run */
	bool keeps_uids;
	/* messages that land together */
	struct vec batch; /* struct import_message, owned */
	size_t batch_bytes;
	/* totals */
	uint64_t imported, there, left_out, mailboxes;
	int64_t shown_ms;
};

int importer_begin(struct importer *, struct str address, struct err *err);
/* What follows is for this mailbox. 1: it can't be had, which was said; nothing is to follow. */
int importer_mailbox(struct importer *, const struct import_mailbox *, struct err *err);
int importer_message(struct importer *, const struct import_message *, struct err *err);
/* Writes what waits. */
int importer_flush(struct importer *, struct err *err);
int importer_end(struct importer *, struct err *err);
/* It has failed: another may be begun. */
void importer_abandon(struct importer *);
void importer_done(struct importer *);
/* Something was left out, and why. */
void importer_tell(struct importer *, const char *what, const char *why);
/* A whole mailbox is left out. */
void importer_tell_of_mailbox(struct importer *, const char *name, const char *why);

/* A message is known to be that entry of the account, without its bytes: it is there already, and
 * counts for none that comes. False: it counts as what has come. */
bool importer_has(struct importer *, uint64_t entry_id);

int import_imap(struct importer *, const struct remote_server *, struct err *err);
/* The directory or file, already open. */
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
