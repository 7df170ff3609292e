/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every sentence that an SMTP session can say. A reply is a name; its code, its enhanced code
 * (RFC 3463, RFC 2034) and its text stand in the table of reply.c and nowhere else.
 *
 * uses: base; used by: smtp
 */
#ifndef CULVER_SMTP_REPLY_H
#define CULVER_SMTP_REPLY_H

#include "base/buf.h"
#include "base/err.h"

enum smtp_reply {
	SAY_NOTHING = 0,
	/* 2xx, 3xx */
	SAY_GREETING,
	SAY_HELLO,
	SAY_HELP,
	SAY_BYE,
	SAY_START_TLS,
	SAY_LOGGED_IN,
	SAY_OK,
	SAY_SENDER_OK,
	SAY_RECIPIENT_OK,
	SAY_CHUNK_OK,
	SAY_ACCEPTED,
	SAY_VRFY,
	SAY_CHALLENGE,
	SAY_SEND_DATA,
	/* 4xx */
	SAY_SHUTDOWN,
	SAY_TIMEOUT,
	SAY_TOO_MANY_ERRORS,
	SAY_TOO_MUCH_TALK,
	SAY_SESSION_ENDED,
	SAY_TRY_LATER,
	SAY_TOO_MANY_RECIPIENTS,
	SAY_MAILBOX_FULL,
	SAY_NO_STORAGE,
	SAY_NO_TLS_NOW,
	SAY_LOGIN_LATER,
	/* 5xx */
	SAY_UNKNOWN_VERB,
	SAY_LINE_TOO_LONG,
	SAY_RESPONSE_TOO_LONG,
	SAY_BARE_CR_LF,
	SAY_CONTROL,
	SAY_NO_ARGUMENTS,
	SAY_BAD_ARGUMENTS,
	SAY_BAD_SENDER, /* X.1.7: bad sender's mailbox address syntax; X.1.3 is the recipient's */
	SAY_BAD_PATH,
	SAY_BAD_PARAMETER,
	SAY_UNKNOWN_PARAMETER,
	SAY_BAD_HELLO,
	SAY_BAD_CHUNK,
	SAY_BAD_RESPONSE,
	SAY_NO_INITIAL_RESPONSE, /* RFC 4954 4: its code is 5.7.0 */
	SAY_CANCELLED,
	SAY_NOT_DONE,
	SAY_NO_AUTH_HERE,
	SAY_HELLO_FIRST,
	SAY_MAIL_FIRST,
	SAY_RCPT_FIRST,
	SAY_IN_TRANSACTION,
	SAY_IN_CHUNKS,
	SAY_BINARY_NEEDS_CHUNKS,
	SAY_TLS_ALREADY,
	SAY_AUTH_ALREADY,
	SAY_UNKNOWN_MECHANISM,
	SAY_AUTH_REQUIRED,
	SAY_TLS_REQUIRED,
	SAY_LOGIN_FAILED,
	SAY_PIPELINING,
	SAY_NO_SUCH_USER,
	SAY_NO_RELAY,
	SAY_NOT_YOURS,
	SAY_FROM_NOT_YOURS,
	SAY_FROM_MALFORMED,
	SAY_FROM_SEVERAL,
	SAY_FROM_TOO_LONG,
	SAY_FROM_UNQUALIFIED,
	SAY_HEADER_MALFORMED,
	SAY_NEEDS_UTF8,
	SAY_TOO_BIG,
	SAY_BEYOND_QUOTA,
	SAY_LOOP,
	SAY_BAD_TEXT,
	SAY_REFUSED,
	SMTP_REPLIES
};

/* Where an error comes from: the same kind means another thing there. */
enum smtp_context { SMTP_FOR_RECIPIENT, SMTP_FOR_MESSAGE, SMTP_FOR_LOGIN, SMTP_CONTEXTS };

/* What to say about an error of that kind. */
enum smtp_reply smtp_reply_for(enum err_kind, enum smtp_context);
/* Its code, for logs and for counting. */
int smtp_reply_code(enum smtp_reply);
/* Adds the line: code, enhanced code, `text` (or the table's own when NULL), CRLF. text holds no
 * control characters. more: another line of the same reply follows. */
void smtp_reply_add(struct buf *out, enum smtp_reply, const char *text, bool more);

#endif
