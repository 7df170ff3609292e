/* SPDX-License-Identifier: Apache-2.0 */
/* A POP3 session's inside, for the files of this folder. */
#ifndef CULVER_POP3_PRIVATE_H
#define CULVER_POP3_PRIVATE_H

#include <inttypes.h>

#include "api/schemes.h"
#include "auth/sasl.h"
#include "base/limits.h"
#include "base/scan.h"
#include "base/vec.h"
#include "mail/surrogate.h"
#include "pop3/pop3.h"
#include "pop3/reply.h"
#include "pop3/wire.h"

/* RFC 1939 3, as bits for the table of verbs. */
enum pop3_state { POP3_AUTHORIZATION = 1, POP3_TRANSACTION = 2, POP3_UPDATE = 4 };

struct pop3_message {
	uint32_t uid;
	bool deleted;   /* DELE */
	bool retrieved; /* RETR, to the end */
	uint64_t size;
	int64_t time; /* internal date, ms since 1970 */
};

/* A message that was asked for before it is retrieved, or just when it is. */
struct pop3_ahead {
	size_t at; /* its place in the maildrop */
	bool came, gone;
	uint64_t size;    /* of the whole message */
	struct buf bytes; /* its first 65,000 */
};

struct pop3;
typedef void pop3_answer(struct pop3 *, const struct frame *);

/* A response that does not fit at once: goes on in resume(). False: out has no room. */
typedef bool pop3_writer(struct pop3 *);

struct pop3 {
	struct session session;
	enum pop3_state state;
	struct pop3_lines lines;
	unsigned errors;   /* refused lines: before the login all, then since the last good one */
	unsigned failures; /* of logins */
	bool draining, closed_by_client;
	bool utf8; /* RFC 6856 2.1 */

	/* waiting: for an answer, for room, or for a while */
	pop3_answer *waiting;
	uint32_t request;
	pop3_writer *writing;
	bool cramped; /* writing waits for room in out, so what is there must go */
	bool delayed; /* -ERR is said at the deadline */

	/* login */
	int64_t born_ms;
	int64_t since_ms; /* the line that has begun began then; else the last event's time */
	bool in_exchange; /* the next line is a response to a challenge */
	bool user_given;
	char user[LIMIT_ADDRESS_BYTES + 1];
	struct sasl *sasl;
	char timestamp[LIMIT_POP3_TIMESTAMP_BYTES + 1]; /* of the greeting, for APOP; empty: none */
	char address[LIMIT_ADDRESS_BYTES + 1];          /* of the account */

	/* the maildrop */
	uint8_t ticket[256]; /* what it was opened with */
	size_t ticket_n;
	bool began_again; /* the login, with another store */
	bool lost;  /* its store has gone, and the next one is asked once nothing is under way */
	bool ended; /* and does not have it: the next command is told */
	uint64_t mailbox;
	uint32_t uidvalidity;
	uint8_t retention; /* enum pop3_retention */
	uint32_t expire_days;
	struct vec drop;    /* struct pop3_message */
	struct vec deleted; /* uint32_t: places of those with DELE */
	struct vec uidls;   /* struct api_uidl, by UID, once UIDL was said */
	bool uidls_known;
	uint64_t drop_octets; /* of those not deleted */
	size_t drop_count;
	uint64_t octets_sent; /* for the log */

	/* RETR of one message after the other: those that were asked for, in a ring, in order */
	struct pop3_ahead ahead[LIMIT_POP3_AHEAD_MESSAGES];
	size_t ahead_first, ahead_n;
	uint64_t ahead_bytes;       /* their sizes */
	uint32_t ahead_request;     /* of those that have not come; 0: none */
	enum err_kind ahead_failed; /* why the last ones did not come */
	size_t ahead_most;          /* how many it is worth asking for at once */
	size_t retr_next;           /* behind the message that was retrieved last */

	/* LIST, UIDL: the next message; RETR, TOP */
	size_t at;
	bool uidl;
	struct {
		uint64_t offset;
		bool begun, last, top;
		bool enough;                     /* all lines that TOP asks for are out */
		struct mail_surrogate surrogate; /* unless UTF8 was said */
		struct pop3_stuffer stuffer;
		struct pop3_top limit;
	} read;
};

/* Adds a line; the format has no CRLF. */
void pop3_say(struct pop3 *s, const char *format, ...) PRINTF_LIKE(2, 3);
/* "-ERR …" for what the other side got wrong; counts. */
void pop3_refuse(struct pop3 *s, const char *format, ...) PRINTF_LIKE(2, 3);
/* Asks; the answer goes to the function. One question at a time. */
void pop3_ask(struct pop3 *s, enum session_peer, const struct frame *, pop3_answer *);
/* The series is not over: the next frame goes to the function too. */
void pop3_await(struct pop3 *s, pop3_answer *);
/* For writers: may so many bytes be written now? */
bool pop3_has_room(struct pop3 *s, size_t n);
/* Begins a response that may take many calls. */
void pop3_write(struct pop3 *s, pop3_writer *);
int64_t pop3_now(const struct pop3 *s);
void pop3_close(struct pop3 *s);
/* Leaves the store's session, if there is one. */
void pop3_leave(struct pop3 *s);

/* reopen.c: asks the store that there is now for what the one before had; then lost or ended. */
void pop3_reopen(struct pop3 *s);

/* ahead.c: messages that were asked for. begin: one is to be retrieved, and is asked for if need
 * be, with some that are likely to follow. head: the one that begin was called with, which may not
 * have come yet, or NULL: it could not be had, and ahead_failed says why. taken: it is done with.
 */
void pop3_ahead_begin(struct pop3 *s, size_t at);
struct pop3_ahead *pop3_ahead_head(struct pop3 *s);
void pop3_ahead_taken(struct pop3 *s);
/* An answer to the request ahead_request. */
void pop3_ahead_came(struct pop3 *s, const struct frame *f);
void pop3_ahead_forget(struct pop3 *s);

/* The message that the argument names, or NULL after having refused. */
struct pop3_message *pop3_message_arg(struct pop3 *s, struct str arg);

/* verbs */
void pop3_user(struct pop3 *s, struct str arg);
void pop3_pass(struct pop3 *s, struct str arg);
void pop3_auth(struct pop3 *s, struct str arg);
void pop3_apop(struct pop3 *s, struct str arg);
/* The greeting, with APOP's timestamp where that is offered. */
void pop3_greet(struct pop3 *s);
void pop3_auth_response(struct pop3 *s, struct str line);
void pop3_stls(struct pop3 *s, struct str arg);
void pop3_capa(struct pop3 *s, struct str arg);
void pop3_utf8(struct pop3 *s, struct str arg);
void pop3_lang(struct pop3 *s, struct str arg);
void pop3_stat(struct pop3 *s, struct str arg);
void pop3_list(struct pop3 *s, struct str arg);
void pop3_uidl(struct pop3 *s, struct str arg);
void pop3_dele(struct pop3 *s, struct str arg);
void pop3_rset(struct pop3 *s, struct str arg);
void pop3_noop(struct pop3 *s, struct str arg);
void pop3_retr(struct pop3 *s, struct str arg);
void pop3_top(struct pop3 *s, struct str arg);
void pop3_quit(struct pop3 *s, struct str arg);

/* A login failed; the while is over. */
void pop3_login_delayed(struct pop3 *s);

#endif
