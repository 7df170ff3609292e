/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What other programs keep mail in: Maildir with what Dovecot and Courier put beside the messages,
 * mbox, and the tar in which .eml files leave. Pure functions over bytes: nothing here opens a
 * file, and every byte may be hostile. What makes no sense is left out, never guessed.
 *
 *     struct maildir_name name = maildir_name_read(STR("1276528487.M364837P9451.host,S=5:2,RSa"));
 *     uint32_t uid = uidlist_find(&list, name.base);
 *
 * Bytes of messages end their lines with CR LF on our side, and with LF, mostly, on the other.
 *
 * uses: base, mail, imap (modified UTF-7), api schemes; used by: cli
 */
#ifndef CULVER_FOLDERS_FOLDERS_H
#define CULVER_FOLDERS_FOLDERS_H

#include "api/schemes.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/vec.h"

/* ---- bytes ---- */

/* Adds the bytes with each LF that has no CR before it made CR LF. False: no room. */
bool folders_to_crlf(struct str in, struct buf *out) MUST_CHECK;
/* Adds the bytes with each CR LF made LF, if folders_to_crlf gives them back; else as they are. */
bool folders_to_lf(struct str in, struct buf *out) MUST_CHECK;

/* Why what a file begins with is no message: a program keeps it compressed or encrypted. NULL: it
 * may be one. */
const char *folders_packed(struct str bytes);

/* ---- Maildir: names of messages ---- */

/* "unique:2,FLAGS": https://cr.yp.to/proto/maildir.html; a to z are Dovecot's keywords. */
struct maildir_name {
	struct str base;   /* up to the ":" */
	uint8_t flags;     /* enum entry_flag */
	bool passed;       /* P: $Forwarded */
	uint32_t keywords; /* bits of a to z */
};
struct maildir_name maildir_name_read(struct str file);
/* Adds ":2," and the letters in order. */
bool maildir_name_info(struct buf *out, uint8_t flags, bool passed, uint32_t keywords);

/* ---- Maildir: names of folders ---- */

/* ".Work.2026" as the mailbox's name "Work/2026" (Maildir++), in UTF-8. The names are modified
 * UTF-7, or, with other bytes than ASCII, UTF-8. False: it is none. */
bool maildir_folder_read(struct str directory, struct buf *out) MUST_CHECK;
/* The directory of a mailbox other than INBOX. A "." within a level, which Maildir++ can't hold,
 * becomes "_". maildir_folder_read also takes "&AC4-" for one, which exports had once. */
bool maildir_folder_write(struct str name, struct buf *out) MUST_CHECK;
/* One directory of a path, for layouts in which a mailbox is a path. */
bool folder_level_read(struct str level, struct buf *out) MUST_CHECK;
/* A "." at its start, which hides a file, becomes "_", and so does that of ".sbd" at its end. */
bool folder_level_write(struct str level, struct buf *out) MUST_CHECK;

/* ---- Maildir: UIDs and keywords ---- */

struct uidlist_entry {
	struct str base; /* borrowed from the text */
	uint32_t uid;
};
struct uidlist {
	uint32_t uidvalidity, uidnext; /* 0: there is none */
	struct vec entries;            /* struct uidlist_entry, by base */
};
/* dovecot-uidlist of versions 1 and 3, courierimapuiddb. The text must outlive the list, which is
 * empty when the text makes no sense. */
void uidlist_read(struct uidlist *list, struct str text);
void uidlist_done(struct uidlist *list);
/* 0: it has none. A UID that two messages claim is nobody's. */
uint32_t uidlist_find(const struct uidlist *list, struct str base);

enum { DOVECOT_KEYWORDS = 26 };
/* dovecot-keywords: names by letter, borrowed; empty: none. */
void dovecot_keywords_read(struct str text, struct str names[DOVECOT_KEYWORDS]);

/* courierimapkeywords/:list: one message after the other, its keywords with blanks between. */
struct courier_list {
	struct str rest;
	struct str names[LIMIT_KEYWORDS]; /* borrowed */
	size_t n;
};
void courier_list_begin(struct courier_list *list, struct str text);
bool courier_list_next(struct courier_list *list, struct str *ret_base, struct buf *words);
/* What has changed since, beside it: NAME, or ".N.NAME", of which the highest N counts, for the
 * message of that base; a keyword a line, or none any more. ret_number: 0 without N. */
bool courier_file_name(struct str file, struct str *ret_base, uint64_t *ret_number);
bool courier_file_read(struct str text, struct buf *words) MUST_CHECK;

/* Names in a file "subscriptions" of Dovecot (both versions) or "courierimapsubscribed", one after
 * the other, as mailbox names. separator: of the levels, for those that do not say. */
struct subscriptions {
	struct str rest;
	bool tabs; /* Dovecot's second version: levels by tabs */
	char separator;
};
struct subscriptions subscriptions_begin(struct str text, char separator);
bool subscriptions_next(struct subscriptions *s, struct buf *out);

/* ---- mbox ---- */

#define MBOX_NO_LENGTH UINT64_MAX

/* What an mbox says of a message beside its bytes. */
struct mbox_meta {
	int64_t time_ms;
	uint8_t flags;
	uint32_t uid;                  /* X-UID; 0: none */
	uint64_t length;               /* Content-Length; MBOX_NO_LENGTH: none */
	uint32_t uidvalidity, uidlast; /* X-IMAPbase, of the first message; 0: none */
	struct str base_keywords;      /* to write: all of the mbox, in X-IMAPbase */
	struct str keywords;           /* with blanks between; borrowed */
	struct str sender;             /* to write: of the "From " line */
};

/* Splits an mbox. A separator is a line "From ", something, a date, at the start or behind an empty
 * line; so "From here on" in a text is text. In a file that begins as Thunderbird's do ("From - ",
 * or "From " alone) "From " alone is one, too. Where a Content-Length says that such a line is in
 * the text (mboxcl2, which Dovecot writes) it is, if behind that many bytes there is a separator or
 * the end; of a file in which one was wrong none is believed any more. */
struct mbox {
	struct buf text; /* the message that has begun, its "From " line first */
	size_t line;     /* where the line that has begun starts */
	bool begun, empty_before;
	bool first;       /* no line has ended yet */
	bool bare;        /* it is Thunderbird's: "From " alone separates, too */
	bool too_big;     /* it has grown far beyond `max`, and is being left out */
	uint64_t skipped; /* bytes before the first separator, but for empty lines */
	size_t body;      /* where the body begins; 0: it has not begun */
	uint64_t length;  /* that it is said to have */
	size_t doubtful;  /* the first separator within that length; 0: none */
	bool no_lengths;  /* one was wrong */
	size_t max;
	/* Gets each message: its "From " line and all that is behind it, up to the empty line
	 * before the next one. too_big: of one that was left out, its beginning. */
	int (*message)(void *arg, struct str text, bool too_big);
	void *arg;
};
void mbox_init(struct mbox *m, size_t max, int (*message)(void *, struct str, bool), void *arg);
/* 0, or what message() gave that is not 0. */
int mbox_input(struct mbox *m, struct str bytes) MUST_CHECK;
int mbox_end(struct mbox *m) MUST_CHECK;
void mbox_done(struct mbox *m);
/* Whether a line, without its end, is a separator, and of when. */
bool mbox_separator(struct str line, int64_t *ret_ms);

/* Reads a message that was split off: its bytes with CR LF into out, without the fields that are
 * the mbox's own. Where its Content-Length is right the body is as it was; else ">From " lines were
 * quoted (mboxrd; mboxo reads the same but for lines that began with ">From " when they were
 * written). keywords: where those of meta are kept. False: no room. internal: it is no message but
 * a program's own note. */
bool mbox_message_read(struct str text, struct mbox_meta *meta, struct buf *keywords,
	struct buf *out, bool *internal) MUST_CHECK;
/* Adds a message with the fields that Dovecot and others know in its header, and without those of
 * these names that it had: as it is, with a Content-Length, or, when a line of it would be taken
 * for a separator, in mboxrd. Its last line gets an end. False: no room. */
bool mbox_message_write(
	struct str message, const struct mbox_meta *meta, struct buf *out) MUST_CHECK;

/* ---- tar ---- */

/* POSIX.1-2001 pax: a header, the bytes, tar_pad() zeros; at the end two blocks of zeros. False: no
 * room. */
bool tar_header(struct str path, uint64_t size, int64_t mtime_ms, struct buf *out) MUST_CHECK;
size_t tar_pad(uint64_t size);
enum { TAR_BLOCK = 512 };

#endif
