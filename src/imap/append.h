/* SPDX-License-Identifier: Apache-2.0 */
/*
 * APPEND and REPLACE at work: append_read.c reads what the client says, cmd_append.c does it item
 * by item, catenate.c fetches what URLs name, append_push.c hands the messages to the store.
 *
 * The command's text comes in pieces, each up to a literal or the end. A piece is read ahead to see
 * that it makes sense, then done: messages begin and end, URLs are copied, and at last the literal
 * is invited. No message is ever whole in memory.
 */
#ifndef CULVER_IMAP_APPEND_H
#define CULVER_IMAP_APPEND_H

#include "imap/fetch_write.h"
#include "imap/grammar.h"
#include "imap/imap_private.h"
#include "imap/url.h"
#include "mail/header.h"
#include "mail/mime.h"

#define APPEND_DATA_MAX 65000 /* upload_bytes, upload_digest: data */
/* Up to so many bytes a message that the client sends whether it is welcome or not goes on to the
 * store without a question first, and no message's quota is asked for before it comes. */
#define APPEND_UNASKED_MAX 65536

/* ---- append_read.c: the command's text ---- */

/* What may come next. */
enum append_place {
	AT_MESSAGE, /* another message or the end */
	AT_FIRST,   /* behind CATENATE's "(" */
	AT_PART,    /* another part or ")" */
	AT_UTF8,    /* the ")" of UTF8 (~{…}): RFC 6855 4 */
	AT_UTF8_PART
};

enum append_kind {
	APPEND_MESSAGE,
	APPEND_TEXT, /* TEXT {, UTF8 (~{ */
	APPEND_URL,
	APPEND_PAREN, /* nothing to do */
	APPEND_END,
	APPEND_LITERAL, /* a URL's literal begins here */
	APPEND_BAD
};

/* What stands before a message. */
struct append_message {
	struct flag_list flags;
	int64_t time;
};

struct append_item {
	enum append_kind kind;
	struct append_message message;
	bool literal; /* the text ends here in the literal to be streamed */
	bool utf8;
	struct str url;
};

/* Reads one item; the cursor stands behind it then, or at the literal. */
struct append_item append_read(struct scan *a, struct arena *arena, enum append_place *place);

/* ---- the work ---- */

enum push { PUSH_REPLACE, PUSH_BYTES, PUSH_DIGEST, PUSH_INTO, PUSH_NEXT, PUSH_COMMIT };

/* The URL that is being copied. */
struct catenate {
	struct str given;
	struct imap_url url;
	struct fetch_item item; /* section and partial */
	uint64_t mailbox, size; /* of the whole message */
	uint32_t prefix_size;
	struct buf bytes; /* the digest's */
	struct digest digest;
	struct mail_parser *parser;
	struct section_place place;
	uint64_t at, end;  /* of the message: what is read next */
	uint64_t from, to; /* what of a filtered header is wanted */
	uint64_t passed;
	struct section_filter filter;
};

struct append_work {
	struct str name, given;
	uint64_t mailbox;          /* 0: the store finds it, by its name */
	uint32_t number, replaces; /* REPLACE: as given; UID in the selected mailbox */
	bool begun;                /* the mailbox was found, or is not to be asked for */
	size_t seen, at;           /* of the text: read ahead, done */
	enum append_place seen_place, place;
	bool literal;  /* the wire waits for our word about one */
	bool complete; /* the whole command came */
	uint32_t n, parts;
	bool ended; /* the present message is with the store */
	struct append_message message;
	uint64_t hint, bytes, bytes_in_all; /* of the present message; of all that ended */
	struct catenate catenate;
	/* to the store */
	struct mail_parser *parser;
	struct mail_header_watch watch;
	struct buf piece;  /* what the channel had no room for */
	struct buf digest; /* once all came */
	size_t digest_at;
	enum push push;
	imap_step *then; /* when all that there is was sent; NULL: the client is awaited */
	bool nul;
	enum err_kind error; /* what the store said early */
	char error_text[161];
	char id[17]; /* the message's, in logs */
};

/* The reply is made: it is sent when the client has said all that is on its way. */
void append_stop(struct imap *s);
/* The next item of the command; a step. */
void append_proceed(struct imap *s);

/* ---- append_push.c ---- */

void append_push_init(struct append_work *w);
void append_push_drop(struct imap *s, struct append_work *w);
/* A message begins; size: 0 when unknown. */
void append_push_message(struct imap *s, uint64_t size);
/* Bytes of it, at most 60,000 at a time, and only when all before were sent. False: it is more than
 * a message may be. */
bool append_push_bytes(struct imap *s, struct str bytes) MUST_CHECK;
/* All of the message came. */
void append_push_end(struct imap *s);
/* Sends what there is as the channel takes it, then goes on with `then`. */
void append_push(struct imap *s, imap_step *then);
/* All messages came: `landed` takes the answer. */
void append_push_commit(struct imap *s, imap_answer *landed);

/* ---- catenate.c ---- */

void catenate_init(struct catenate *c);
void catenate_drop(struct catenate *c);
/* Copies what the URL names into the present message, then proceeds. */
void catenate_copy(struct imap *s, struct str url);

#endif
