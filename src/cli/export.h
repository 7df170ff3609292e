/* SPDX-License-Identifier: Apache-2.0 */
/*
 * culver export: an account's messages read from the store (export.c), and written as a Maildir, as
 * mboxes, or as .eml files in a tar. A writer is told of each mailbox, then of its messages by UID,
 * then of its end.
 *
 * uses: cli, folders; used by: cmd_export.c
 */
#ifndef CULVER_CLI_EXPORT_H
#define CULVER_CLI_EXPORT_H

#include "cli/cli.h"
#include "cli/remote.h"
#include "folders/folders.h"

struct export_message {
	const struct api_entry *entry;
	struct str bytes;
	struct str keywords[128]; /* names */
	size_t n_keywords;
};

struct export_writer;
struct export_class {
	const char *format;
	/* target: a directory that is empty and open, or a file. */
	struct export_writer *(*open)(int target, struct err *err);
	/* 1: it can't have the mailbox, which was told; none of its messages is to follow. */
	int (*mailbox)(struct export_writer *, const struct api_mailbox *,
		const struct frame_view_is *, bool has_children, struct err *err);
	int (*message)(struct export_writer *, const struct export_message *, struct err *err);
	int (*mailbox_end)(struct export_writer *, struct err *err);
	/* All of it is written. */
	int (*end)(struct export_writer *, struct err *err);
	void (*free)(struct export_writer **);
	bool is_file;
};
extern const struct export_class export_maildir, export_mbox, export_eml;

struct export_totals {
	uint64_t messages, mailboxes, damaged;
	uint64_t left_out; /* mailboxes */
};
int export_account(const struct options *, struct remote *, struct str address,
	const struct export_class *, struct export_writer *, struct export_totals *, struct err *);

/* Writes all of it. */
int export_write(int file, struct str bytes, struct err *err);
/* A file, or a directory, that is new. -1 and err. */
int export_new_file(int directory, const char *name, struct err *err);
int export_new_directory(int directory, const char *name, struct err *err);
/* Makes the name of a file that there is none of, by "_" at its end. False: it is too long, or
 * empty. */
bool export_name_is_free(int directory, struct buf *name);
#define EXPORT_TOO_LONG                                                                            \
	"its name is too long for a file's: it is left out (--mailbox NAME with --format eml has " \
	"it)"
/* Something can't be said in the format: told, not counted. */
void export_note(const char *what, struct str name);

#endif
