/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of an SMTP session, for the files of this folder.
 *
 * Adding a verb? Its row in session.c, its function here and in a cmd_*.c, its sentences in
 * reply.[ch], its keyword in cmd_hello.c, its grammar and the tests of both.
 */
#ifndef CULVER_SMTP_SMTP_PRIVATE_H
#define CULVER_SMTP_SMTP_PRIVATE_H

#include "auth/sasl.h"
#include "base/arena.h"
#include "base/limits.h"
#include "smtp/grammar.h"
#include "smtp/reply.h"
#include "smtp/smtp.h"
#include "smtp/wire.h"

/* What has been said so far. Bits, so that the table of verbs can name several. */
enum smtp_state {
	SMTP_FRESH = 1,   /* no EHLO or HELO since the start, or since TLS began */
	SMTP_GREETED = 2, /* no transaction */
	SMTP_MAIL = 4,    /* MAIL was accepted */
	SMTP_RCPT = 8,    /* and at least one recipient */
	SMTP_CHUNKS = 16, /* and a BDAT */
	SMTP_ANY = 31,
};

/* What the next bytes are. */
enum smtp_reading {
	READ_COMMAND,
	READ_RESPONSE, /* of a SASL exchange */
	READ_DATA,
	READ_CHUNK,
	READ_DISCARD, /* a chunk nobody wants */
};

enum smtp_body { BODY_7BIT, BODY_8BITMIME, BODY_BINARYMIME };

struct smtp_recipient {
	struct smtp_recipient *next;
	uint64_t account;
	struct str given;  /* as RCPT said it, normalized */
	struct str target; /* the account's address */
};

/* One MAIL and what follows. Reset by assigning no_transaction, so nothing survives an error path
 * (hostile-input S22, S23). Strings and recipients live in the session's arena. */
struct smtp_transaction {
	char id[24];     /* on every log line about the message */
	struct str from; /* normalized; empty: the null reverse-path */
	enum smtp_body body;
	bool utf8;
	uint64_t size; /* as declared; 0: not */
	struct smtp_recipient *first, *last;
	size_t recipients; /* RCPTs that were accepted */
	size_t deliveries; /* length of the list */
	size_t overshoot;
	size_t tiny_chunks;
};

struct smtp_receiving; /* receive.c */

struct smtp {
	struct session session; /* first: what hosts see */
	bool submission;        /* not port 25: AUTH, and the rules of RFC 6409 */
	enum smtp_state state;
	enum smtp_reading reading;
	struct smtp_line line;

	bool esmtp;     /* EHLO, not HELO */
	bool grouped;   /* the last verb's reply may wait for others */
	bool ungrouped; /* one that may not has been answered since the last call */
	char hello[LIMIT_DOMAIN_BYTES + 1];

	/* The one question that is open. While it is, no input is taken. */
	uint32_t request;
	void (*answered)(struct smtp *, const struct frame *answer);

	struct str asked; /* the address that it is about, in the arena */
	void (*owner_answered)(struct smtp *, const struct frame *answer);

	struct sasl *sasl; /* while an exchange goes on */
	char login[LIMIT_ADDRESS_BYTES + 1];
	char ticket[256];
	size_t ticket_n;

	struct arena arena; /* the transaction's */
	struct smtp_transaction tx;
	struct smtp_receiving *receiving; /* between DATA or BDAT and the reply */
	uint64_t chunk_left, chunk_size;
	bool chunk_last;
	enum smtp_reply after_discard;

	size_t errors, junk, login_failures;
	int64_t patient_until_ms; /* with who is waited for: the client, or our own processes */
	bool draining, login_ended, closed_by_peer;
};

/* ---- session.c ---- */

/* Says it. 5xx count as errors. */
void smtp_say(struct smtp *, enum smtp_reply);
void smtp_sayf(struct smtp *, enum smtp_reply, const char *format, ...) PRINTF_LIKE(3, 4);
/* Says it, and closes once it is sent. */
void smtp_say_and_close(struct smtp *, enum smtp_reply);
/* Asks; `answered` gets the answer, and no input is taken before. */
void smtp_ask(struct smtp *, enum session_peer, const struct frame *,
	void (*answered)(struct smtp *, const struct frame *answer));
/* Waits for the answer to a question that was asked before. */
void smtp_wait_for(struct smtp *, uint32_t request,
	void (*answered)(struct smtp *, const struct frame *answer));
/* The error kind of an answer that is not the one hoped for. */
enum err_kind smtp_failure(const struct frame *answer);
/* Forgets the transaction (RFC 5321 4.1.1.5); what was on its way to the store is aborted. */
void smtp_reset(struct smtp *);
/* Forgets who logged in. */
void smtp_logout(struct smtp *);
int64_t smtp_now(const struct smtp *);
/* The patience with a message that now begins to come. */
void smtp_data_begins(struct smtp *);
/* Why DATA or BDAT cannot be given now. */
enum smtp_reply smtp_out_of_order_for_data(const struct smtp *);
/* A copy in the transaction's arena; false when the envelope is too big. */
bool smtp_keep(struct smtp *, struct str, struct str *ret);
/* Swallows a chunk, then says it ("MUST accept and discard", RFC 3030 2). Beyond twice what a
 * message may have nothing is read: the connection ends (hostile-input S27). */
void smtp_discard_chunk(struct smtp *, uint64_t size, enum smtp_reply);

/* ---- verbs ---- */

void smtp_ehlo(struct smtp *, struct str args);
void smtp_helo(struct smtp *, struct str args);
void smtp_mail(struct smtp *, struct str args);
void smtp_rcpt(struct smtp *, struct str args);
void smtp_data(struct smtp *, struct str args);
void smtp_bdat(struct smtp *, struct str args);
void smtp_rset(struct smtp *, struct str args);
void smtp_noop(struct smtp *, struct str args);
void smtp_quit(struct smtp *, struct str args);
void smtp_vrfy(struct smtp *, struct str args);
void smtp_expn(struct smtp *, struct str args);
void smtp_help(struct smtp *, struct str args);
void smtp_starttls(struct smtp *, struct str args);
void smtp_auth(struct smtp *, struct str args);
/* A line of the SASL exchange. */
void smtp_auth_response(struct smtp *, struct str line);
void smtp_auth_too_long(struct smtp *);
/* Whether AUTH may be used on this connection as it is now. */
bool smtp_auth_allowed(const struct smtp *);
struct sasl_context smtp_sasl_context(const struct smtp *);
/* Normalizes a path into the transaction's arena; else what to say. */
enum smtp_reply smtp_keep_path(struct smtp *, const struct smtp_path *, struct str *ret);
/* Asks whether the address belongs to who is logged in; opens the store's session first when there
 * is none. `answered` gets done or failed. address lives in the transaction's arena. */
void smtp_ask_owner(struct smtp *, struct str address,
	void (*answered)(struct smtp *, const struct frame *answer));

/* ---- receive.c ---- */

/* Begins to receive a message: DATA, or the first BDAT. */
void smtp_receive_begin(struct smtp *);
/* Whether so many bytes more are within the largest message. */
bool smtp_receive_room(const struct smtp *, uint64_t size);
/* Data or a chunk as it comes over the wire. How many bytes were taken. */
size_t smtp_receive_data(struct smtp *, struct str bytes);
size_t smtp_receive_chunk(struct smtp *, struct str bytes);
/* Whether more bytes can be taken now; no: the store has no room. */
bool smtp_receive_ready(const struct smtp *);
/* There may be room again. */
void smtp_receive_resume(struct smtp *);
/* An answer to the upload that came before its end: it failed. False: not ours. */
bool smtp_receive_answer(struct smtp *, uint32_t request, const struct frame *answer);
/* Ends it without an answer. */
void smtp_receive_abort(struct smtp *);
/* The store's channel is another one: what was sent is lost. */
void smtp_receive_store_lost(struct smtp *);
/* Whether the store has been told to commit and has not answered. */
bool smtp_receive_committing(const struct smtp *);
/* Whether all of the message has come, and it has no reply yet. */
bool smtp_receive_complete(const struct smtp *);
/* One event in the log for a message that ends without a reply. */
void smtp_receive_log(struct smtp *, const char *reason);

/* ---- trace.c ---- */

/* The lines in front of one recipient's copy. False: they do not fit. */
bool smtp_trace(
	const struct smtp *, const struct smtp_recipient *, int64_t wall_ms, struct buf *out);
/* Draws the id of a message: 20 characters, sorted by time. */
void smtp_message_id(const struct seams *, char id[24]);

#endif
