// SPDX-License-Identifier: Apache-2.0
/*
 * The table of replies, and the table from kinds of error to replies. The greeting, EHLO's answer,
 * 334 and 354 have no enhanced code (RFC 2034 4, RFC 4954 4).
 */
#include "smtp/reply.h"

#include "base/mem.h"

static const struct row {
	int code;
	const char *enhanced; /* with its blank */
	const char *text;
} rows[SMTP_REPLIES] = {
	[SAY_GREETING] = { 220, "", "ESMTP" },
	[SAY_HELLO] = { 250, "", "at your service" },
	[SAY_HELP] = { 214, "2.0.0 ", "RFC 5321" },
	[SAY_BYE] = { 221, "2.0.0 ", "Bye" },
	[SAY_START_TLS] = { 220, "2.0.0 ", "Ready to start TLS" },
	[SAY_LOGGED_IN] = { 235, "2.7.0 ", "Authentication succeeded" },
	[SAY_OK] = { 250, "2.0.0 ", "OK" },
	[SAY_SENDER_OK] = { 250, "2.1.0 ", "Sender OK" },
	[SAY_RECIPIENT_OK] = { 250, "2.1.5 ", "Recipient OK" },
	[SAY_CHUNK_OK] = { 250, "2.0.0 ", "octets received" },
	[SAY_ACCEPTED] = { 250, "2.0.0 ", "Accepted" },
	[SAY_VRFY] = { 252, "2.5.2 ", "Cannot VRFY; send some mail and try" },
	[SAY_CHALLENGE] = { 334, "", "" },
	[SAY_SEND_DATA] = { 354, "", "Send the message, end with <CRLF>.<CRLF>" },

	[SAY_SHUTDOWN] = { 421, "4.3.2 ", "Service is not available now; try again" },
	[SAY_TIMEOUT] = { 421, "4.4.2 ", "Waited too long" },
	[SAY_TOO_MANY_ERRORS] = { 421, "4.7.0 ", "Too many errors" },
	[SAY_TOO_MUCH_TALK] = { 421, "4.7.0 ", "Too many commands without a message" },
	[SAY_SESSION_ENDED] = { 421, "4.7.0 ", "The login is no longer valid" },
	[SAY_TRY_LATER] = { 451, "4.3.0 ", "Try again later" },
	[SAY_TOO_MANY_RECIPIENTS] = { 452, "4.5.3 ", "Too many recipients; send the rest apart" },
	[SAY_MAILBOX_FULL] = { 452, "4.2.2 ", "Mailbox is full" },
	[SAY_NO_STORAGE] = { 452, "4.3.1 ", "Insufficient system storage" },
	[SAY_NO_TLS_NOW] = { 454, "4.7.0 ", "TLS is not available" },
	[SAY_LOGIN_LATER] = { 454, "4.7.0 ", "Temporary authentication failure" },

	[SAY_UNKNOWN_VERB] = { 500, "5.5.2 ", "Command not recognized" },
	[SAY_LINE_TOO_LONG] = { 500, "5.5.2 ", "Line too long" },
	[SAY_RESPONSE_TOO_LONG] = { 500, "5.5.6 ", "Authentication exchange line is too long" },
	[SAY_BARE_CR_LF] = { 500, "5.5.2 ", "Lines end with CRLF; closing" },
	[SAY_CONTROL] = { 500, "5.5.2 ", "Control characters in a command" },
	[SAY_NO_ARGUMENTS] = { 501, "5.5.4 ", "This command takes no arguments" },
	[SAY_BAD_ARGUMENTS] = { 501, "5.5.4 ", "Syntax error in arguments" },
	[SAY_BAD_SENDER] = { 501, "5.1.7 ", "Syntax error in address" },
	[SAY_BAD_PATH] = { 501, "5.1.3 ", "Syntax error in address" },
	[SAY_BAD_PARAMETER] = { 501, "5.5.4 ", "Syntax error in a parameter" },
	[SAY_UNKNOWN_PARAMETER] = { 555, "5.5.4 ", "Parameter not recognized" },
	[SAY_BAD_HELLO] = { 501, "5.5.4 ", "A domain or an address literal is needed" },
	[SAY_BAD_CHUNK] = { 501, "5.5.4 ", "Syntax: BDAT size [LAST]; closing" },
	[SAY_BAD_RESPONSE] = { 501, "5.5.2 ", "Not a valid response" },
	[SAY_NO_INITIAL_RESPONSE] = { 501, "5.7.0 ", "With this mechanism the server begins" },
	[SAY_CANCELLED] = { 501, "5.7.0 ", "Authentication cancelled" },
	[SAY_NOT_DONE] = { 502, "5.5.1 ", "Command not implemented" },
	[SAY_NO_AUTH_HERE] = { 503, "5.5.1 ", "Authentication is not offered here" },
	[SAY_HELLO_FIRST] = { 503, "5.5.1 ", "Send EHLO first" },
	[SAY_MAIL_FIRST] = { 503, "5.5.1 ", "Send MAIL first" },
	[SAY_RCPT_FIRST] = { 503, "5.5.1 ", "No valid recipients" },
	[SAY_IN_TRANSACTION] = { 503, "5.5.1 ", "A transaction is open" },
	[SAY_IN_CHUNKS] = { 503, "5.5.1 ", "Chunks have begun; send BDAT or RSET" },
	[SAY_BINARY_NEEDS_CHUNKS] = { 503, "5.5.1 ", "BODY=BINARYMIME needs BDAT" },
	[SAY_TLS_ALREADY] = { 503, "5.5.1 ", "TLS is on already" },
	[SAY_AUTH_ALREADY] = { 503, "5.5.1 ", "Authenticated already" },
	[SAY_UNKNOWN_MECHANISM] = { 504, "5.5.4 ", "Unknown authentication mechanism" },
	[SAY_AUTH_REQUIRED] = { 530, "5.7.0 ", "Authentication required" },
	[SAY_TLS_REQUIRED] = { 538, "5.7.11 ", "Encryption required; send STARTTLS first" },
	[SAY_LOGIN_FAILED] = { 535, "5.7.8 ", "Authentication credentials invalid" },
	[SAY_PIPELINING] = { 554, "5.5.1 ", "Improper pipelining; closing" },
	[SAY_NO_SUCH_USER] = { 550, "5.1.1 ", "No such user here" },
	[SAY_NO_RELAY] = { 550, "5.7.1 ", "Relaying denied" },
	[SAY_NOT_YOURS] = { 550, "5.7.1 ", "Not an address of yours" },
	[SAY_FROM_NOT_YOURS] = { 550, "5.7.1 ",
		"From, Sender or Resent-From is not an address of yours" },
	[SAY_FROM_MALFORMED] = { 550, "5.6.0 ",
		"From, Sender or Resent-From is no list of addresses; write \"Name\" "
		"<name@domain>" },
	[SAY_FROM_SEVERAL] = { 550, "5.6.0 ", "There is more than one From or Sender field" },
	[SAY_FROM_TOO_LONG] = { 550, "5.6.0 ",
		"From, Sender or Resent-From is too long or has too many addresses" },
	[SAY_FROM_UNQUALIFIED] = { 550, "5.6.0 ",
		"From, Sender or Resent-From has an address without @domain; write name@domain, "
		"and a name that has a comma in quotes" },
	[SAY_HEADER_MALFORMED] = { 550, "5.6.0 ",
		"A line of the header is no field; the header ends with an empty line" },
	[SAY_NEEDS_UTF8] = { 553, "5.6.7 ", "The address needs SMTPUTF8" },
	[SAY_TOO_BIG] = { 552, "5.3.4 ", "Message too big" },
	[SAY_BEYOND_QUOTA] = { 552, "5.2.3 ", "Message is larger than the mailbox's quota" },
	[SAY_LOOP] = { 554, "5.4.6 ", "Too many hops; a loop" },
	[SAY_BAD_TEXT] = { 554, "5.6.0 ", "NUL, bare CR or bare LF in the message" },
	[SAY_REFUSED] = { 554, "5.0.0 ", "Transaction failed" },
};

/* Not named: SAY_TRY_LATER. Nothing of ours that fails may cost a message.
 *
 * Sizes (RFC 1870 6.1, 6.4; RFC 3463 3.3, 3.4): 552 is for what will not fit later either, beyond
 * the server's own limit (5.3.4) or beyond the whole quota of one recipient (5.2.3); 452 is for a
 * mailbox that is full now (4.2.2) and for a disk that is (4.3.1).
 *
 * An owner who has gone between RCPT and the end of the message is one of several, perhaps: the
 * answer is for all of them, so it is 451, and who asks again hears at RCPT whose mailbox is gone.
 */
static const enum smtp_reply from_error[ERR_KINDS][SMTP_CONTEXTS] = {
	[ERR_SYNTAX] = { SAY_BAD_PATH, SAY_REFUSED, SAY_LOGIN_FAILED },
	[ERR_AUTH] = { SAY_NO_SUCH_USER, SAY_REFUSED, SAY_LOGIN_FAILED },
	[ERR_DENIED] = { SAY_NO_RELAY, SAY_REFUSED, SAY_LOGIN_FAILED },
	[ERR_NOT_FOUND] = { SAY_NO_SUCH_USER, SAY_TRY_LATER, SAY_LOGIN_FAILED },
	[ERR_QUOTA] = { SAY_MAILBOX_FULL, SAY_MAILBOX_FULL, SAY_LOGIN_LATER },
	[ERR_LIMIT] = { SAY_TOO_MANY_RECIPIENTS, SAY_TRY_LATER, SAY_LOGIN_LATER },
	[ERR_EXPIRED] = { SAY_TRY_LATER, SAY_TRY_LATER, SAY_LOGIN_FAILED },
	[ERR_TEMP] = { SAY_TRY_LATER, SAY_TRY_LATER, SAY_LOGIN_LATER },
	[ERR_UNSUPPORTED] = { SAY_TRY_LATER, SAY_TRY_LATER, SAY_LOGIN_FAILED },
	[ERR_TOO_BIG] = { SAY_BEYOND_QUOTA, SAY_TOO_BIG, SAY_LOGIN_LATER },
	[ERR_FULL] = { SAY_NO_STORAGE, SAY_NO_STORAGE, SAY_LOGIN_LATER },
};

enum smtp_reply smtp_reply_for(enum err_kind kind, enum smtp_context context)
{
	enum smtp_reply r = kind < ERR_KINDS ? from_error[kind][context] : SAY_NOTHING;
	if (r != SAY_NOTHING)
		return r;
	return context == SMTP_FOR_LOGIN ? SAY_LOGIN_LATER : SAY_TRY_LATER;
}

int smtp_reply_code(enum smtp_reply r)
{
	return rows[r].code;
}

void smtp_reply_add(struct buf *out, enum smtp_reply r, const char *text, bool more)
{
	const struct row *row = &rows[r];
	buf_addf(out, "%d%c%s%s\r\n", row->code, more ? '-' : ' ', row->enhanced,
		text != NULL ? text : row->text);
}
