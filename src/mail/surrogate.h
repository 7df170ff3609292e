/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message whose header fields hold UTF-8 (RFC 6532), as a client can read it that knows nothing
 * of that: a surrogate in which header fields are ASCII, those of its MIME parts too. A message
 * without such fields comes out as it went in, byte for byte; bodies always do.
 *
 *   - What has a form in ASCII gets it, and nothing of it is lost: encoded words in texts and
 *     names, A-labels in domains, RFC 2231 in MIME parameters; message-ids that have none become
 *     Downgraded-Message-ID and the like (RFC 6857 3).
 *   - An address whose local part is beyond ASCII has none. It becomes part of the display name of
 *     an address that is nobody's (RFC 6858 2.1).
 *   - A field that cannot be read, or would make the message LIMIT_SURROGATE_EXTRA_BYTES longer, is
 *     left out (RFC 6858 2.4); of one above LIMIT_SURROGATE_FIELD_BYTES that began in ASCII, each
 *     byte beyond it becomes "?".
 *   - A field that is beyond ASCII and no UTF-8 stays as it is: nobody knows what it says, and
 *     clients have always guessed.
 *
 *     struct mail_surrogate s;
 *     mail_surrogate_init(&s, give, arg);
 *     mail_surrogate_input(&s, bytes); …      any split gives the same
 *     mail_surrogate_end(&s);
 *     mail_surrogate_done(&s);
 *
 * Each call gives at most LIMIT_SURROGATE_FIELD_BYTES + LIMIT_SURROGATE_EXTRA_BYTES more than it
 * takes. Headers of parts are those behind a line that is "--" and a boundary that an earlier
 * Content-Type named.
 *
 * uses: base, mail; used by: pop3
 */
#ifndef CULVER_MAIL_SURROGATE_H
#define CULVER_MAIL_SURROGATE_H

#include "base/buf.h"
#include "base/str.h"

struct mail_surrogate {
	void (*give)(void *arg, struct str bytes);
	void *arg;
	uint8_t where;
	struct buf held; /* of a header: the field so far; of a body: what may become a delimiter */
	size_t line;     /* where the last line of it begins */
	uint8_t excess;  /* a field that is too long for held: what becomes of the rest */
	bool in_line;    /* and that is in the middle of a line */
	struct buf boundaries;             /* each with its kind before it and LF behind it */
	bool in_digest, typed, is_message; /* the part whose header this is */
	size_t extra;
};

void mail_surrogate_init(
	struct mail_surrogate *, void (*give)(void *arg, struct str bytes), void *arg);
void mail_surrogate_done(struct mail_surrogate *); /* accepts one that was zeroed */
void mail_surrogate_input(struct mail_surrogate *, struct str bytes);
/* The message is complete: what is still held. */
void mail_surrogate_end(struct mail_surrogate *);

/* One field, from its name to its last line end: adds it in ASCII. False, and nothing added: it
 * must be left out. */
bool mail_surrogate_field(struct str field, struct buf *out);

#endif
