/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the client: client.c (bytes into responses, and what follows what), command.c (what
 * is sent), response.c (what a response says), list.c (mailboxes and their names). */
#ifndef CULVER_IMAP_CLIENT_PRIVATE_H
#define CULVER_IMAP_CLIENT_PRIVATE_H

#include "base/limits.h"
#include "base/scan.h"
#include "imap_client/client.h"

enum { TAG_BYTES = 16, PIECES = 4, OUT_BYTES = 16 * 1024 };
/* Stands in a response for a body that was handed out while it came; no server may send it. */
#define BODY_MARK '\x01'

enum client_state {
	AT_GREETING,
	AT_CAPABILITY, /* the first, or the one after TLS */
	AT_STARTTLS,
	AT_SECURING, /* TLS is being started; nothing is read */
	AT_LOGIN,
	AT_CAPABILITY_AGAIN, /* after the login */
	AT_NAMESPACE,
	AT_REST, /* nothing is asked */
	AT_LIST,
	AT_LSUB,
	AT_EXAMINE,
	AT_ENTRIES,
	AT_FETCH,
	AT_LOGOUT,
	AT_END
};

enum capability {
	CAN_STARTTLS = 1,
	CAN_NOT_LOGIN = 2,
	CAN_PLAIN = 4,
	CAN_SASL_IR = 8,
	CAN_NAMESPACE = 16,
	CAN_LIST_EXTENDED = 32,
	CAN_SPECIAL_USE = 64,
	CAN_REV1 = 128,
	CAN_REV2 = 256
};

struct imap_client {
	enum client_state state;
	bool starttls, secured;
	uint64_t most_bytes;
	struct buf user, password;
	struct err err;
	unsigned can; /* enum capability */

	/* the command that is out: what is still to be sent waits for "+" at each split */
	char tag[TAG_BYTES];
	unsigned tags;
	struct buf command, out;
	size_t sent, splits[PIECES], n_splits;

	/* the response that comes: its text, with literals in it as they came */
	struct buf text;
	size_t line;           /* where the line that is coming begins */
	uint64_t literal_left; /* of a literal that goes into the text */
	uint64_t body_left;    /* of a body that is handed out */
	uint64_t body_size;
	bool body_begun;    /* this response has one */
	uint64_t useless;   /* responses since the last that told something */
	struct arena arena; /* of the response */
	struct str bytes;

	/* namespaces */
	struct buf prefix;    /* of the user's own mailboxes */
	struct buf foreign;   /* prefixes of others' and shared ones, each with a NUL behind it */
	struct arena names;   /* of mailboxes */
	struct vec mailboxes; /* struct imap_client_mailbox */
	struct vec lsub;      /* struct str */

	struct imap_client_selected selected;
	struct imap_client_entry entry;
	struct buf keywords;
	uint64_t entries;
	/* FETCH: what was asked for */
	uint32_t wanted[LIMIT_IMAP_CLIENT_FETCH];
	bool got[LIMIT_IMAP_CLIENT_FETCH];
	size_t n_wanted;
};

/* The session is over: of that kind, for that reason. -1 always. */
int client_fail(struct imap_client *, enum err_kind kind, const char *format, ...)
	PRINTF_LIKE(3, 4);
/* The server's words, for people, in a buffer of the arena's. */
const char *client_words(struct imap_client *, struct str text);

/* ---- command.c ---- */

/* Begins a command behind its tag; pieces and strings are added; then it is sent. */
void command_begin(struct imap_client *, const char *words);
void command_addf(struct imap_client *, const char *format, ...) PRINTF_LIKE(2, 3);
/* A string, quoted or as a literal. */
void command_add_string(struct imap_client *, struct str);
/* What follows waits for a "+". */
void command_split(struct imap_client *);
void command_send(struct imap_client *, enum client_state then);
/* A "+" came. */
int command_continue(struct imap_client *);
void command_login(struct imap_client *);

/* ---- response.c ---- */

/* An untagged response, without "* " and its end. *ret: what it tells, or IMAP_CLIENT_MORE. -1:
 * failed. */
int response_untagged(struct imap_client *, struct scan *, enum imap_client_event *ret);
/* resp-text: its code, which may tell capabilities or numbers, and the words. */
int response_text(struct imap_client *, struct scan *, struct str *ret_words);
/* Whether the literal that the text ends with is a body that was asked for. */
bool response_is_body(struct imap_client *, struct str text_before);

/* ---- list.c ---- */

int list_response(struct imap_client *, struct scan *, bool lsub);
int namespace_response(struct imap_client *, struct scan *);
/* All are there: sorted, each once, with what LSUB said. */
void list_end(struct imap_client *);
void list_begin(struct imap_client *);

#endif
