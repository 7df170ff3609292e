/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SASL, the server's side (RFC 4422), for smtp, imap and pop3. Pure step functions over one table
 * of mechanisms: PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login), which end in a password;
 * and SCRAM-SHA-256, -PLUS, EXTERNAL and CRAM-MD5, whose messages are relayed to the gate, which
 * has the verifiers (exchange.h). A mechanism that joins (OAUTHBEARER) is a row here and one there;
 * its users stay as they are.
 *
 *     struct sasl_context c = { service, session->peer, session->host->settings };
 *     struct sasl *x = sasl_new(STR("PLAIN"), &c);          NULL: no such mechanism here
 *     status = sasl_start(x, has_initial ? &initial : NULL);
 *     while the status is
 *       SASL_CHALLENGE  send base64(sasl_challenge(x)), read a line: status = sasl_response(x,
 * line) SASL_ASK        sasl_question(x, &frame); ask the gate; status = sasl_answer(x, &answer)
 *     SASL_DONE         the answer was a login_ok: its ticket is what was wanted
 *     SASL_FAILED       wrong credentials, or the gate said `failed` (which then says why)
 *     SASL_BAD          the client's words make no sense: base64, NULs, lengths
 *     SASL_NOT_FIRST    an initial response, where the server speaks first
 *     SASL_CANCELLED    the client sent "*"
 *     sasl_end(&x, session)     wipes every secret
 *
 * A password travels to the gate in the question alone and is never logged.
 *
 * uses: base, api frames; used by: smtp imap pop3
 */
#ifndef CULVER_AUTH_SASL_H
#define CULVER_AUTH_SASL_H

#include "base/buf.h"
#include "base/limits.h"

struct frame;
struct sasl;
struct session;
struct session_peer_info;
struct front_settings;

enum sasl_status {
	SASL_CHALLENGE,
	SASL_ASK,
	SASL_DONE,
	SASL_FAILED,
	SASL_BAD,
	SASL_NOT_FIRST,
	SASL_CANCELLED,
};

/* Where it takes place, and what is offered there. */
struct sasl_context {
	struct str service; /* "smtp", "imap", "pop3" */
	const struct session_peer_info *peer;
	const struct front_settings *settings;
};

/* Begins an exchange. mechanism: its name, without regard to case. The context is copied; what it
 * points at outlives the exchange. NULL: there is no such mechanism, or not here. */
struct sasl *sasl_new(struct str mechanism, const struct sasl_context *) MUST_CHECK;

/* The first step. initial: the initial response as it stood in the command, base64 with "=" for an
 * empty one (RFC 4954 4, RFC 5034 4, RFC 4959 3), or NULL when there was none. */
enum sasl_status sasl_start(struct sasl *, const struct str *initial) MUST_CHECK;

/* The client's line after a challenge, without its CRLF: base64, empty, or "*". */
enum sasl_status sasl_response(struct sasl *, struct str line) MUST_CHECK;

/* What to send to the client, before base64; may be empty. Valid until the next step. */
struct str sasl_challenge(const struct sasl *);

/* After SASL_ASK: fills the question for the gate. It points into the exchange, so ask before
 * anything else is done with it. */
void sasl_question(const struct sasl *, struct frame *ret_question);

/* The gate's answer. SASL_DONE for login_ok; SASL_CHALLENGE for challenge; SASL_FAILED for failed,
 * or SASL_BAD when it says that the client's message makes no sense; secrets are wiped. */
enum sasl_status sasl_answer(struct sasl *, const struct frame *answer) MUST_CHECK;

/* The user name that was given, for logs (through log_value), cut where it is longer than an
 * address may be; after SASL_DONE of a relayed mechanism the account's. Empty: none was given so
 * far. */
struct str sasl_user(const struct sasl *);
/* The line in the log of a login that has ended, alike for every protocol and mechanism, so that
 * programs that ban addresses need one pattern: event=login or login-failed, service, peer, user
 * (as it was given: a stranger's words), the protocol's answer. */
void sasl_log(const struct session *, struct str user, bool good, const char *answer);

/* Ends the exchange, wherever it is: a gate that waits for the client is told. Accepts NULL. */
void sasl_end(struct sasl **, struct session *);

/* Wipes and frees; accepts NULL. */
void sasl_free(struct sasl **);

/* Adds the name of every mechanism that is announced here, `before` in front of each: " " for SMTP
 * and POP3, " AUTH=" for IMAP. */
void sasl_add_names(struct buf *out, const char *before, const struct sasl_context *);

/* Whether APOP is offered here: as CRAM-MD5. */
bool sasl_offers_legacy(const struct sasl_context *);

#endif
