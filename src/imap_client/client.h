/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side of IMAP, as much of it as takes mail out of a server without changing anything
 * there (EXAMINE, BODY.PEEK): a state machine without I/O. Bytes of the server go in, bytes for it
 * and events come out. One thing is asked at a time.
 *
 *     struct imap_client *c = imap_client_new(&options);
 *     each time bytes came:
 *             taken = imap_client_input(c, bytes, &event);    at most one event a call
 *     each time: send what imap_client_out(c) holds
 *     IMAP_CLIENT_READY (logged in) -> imap_client_list(c)
 *     IMAP_CLIENT_READY -> the mailboxes are known: imap_client_examine(c, 0)
 *     IMAP_CLIENT_READY -> imap_client_entries(c); IMAP_CLIENT_ENTRY for each message
 *     IMAP_CLIENT_READY -> imap_client_fetch(c, uids, n); IMAP_CLIENT_BYTES, and behind them
 *                          IMAP_CLIENT_MESSAGE, which says whose they were
 *     IMAP_CLIENT_REFUSED in READY's place: the server said NO (or BAD); go on with something else
 *
 * The server is a stranger. What it sends is bounded (limits.h: LIMIT_IMAP_CLIENT_…), what it says
 * is believed only where it was asked for, and what makes no sense ends the session with a sentence
 * (IMAP_CLIENT_FAILED, imap_client_error). How long it may take is the caller's matter.
 *
 * STARTTLS: nothing that was said before TLS counts after it, and bytes that came behind the OK are
 * refused (RFC 9051 11.1; CVE-2011-0411 and its kin). PREAUTH where STARTTLS is wanted is refused
 * (RFC 9051 11.3; hostile-input I16). The password is sent to nobody before that.
 *
 * uses: base, imap (words, names), api schemes; used by: process/fetcher
 */
#ifndef CULVER_IMAP_CLIENT_CLIENT_H
#define CULVER_IMAP_CLIENT_CLIENT_H

#include "api/schemes.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "base/vec.h"

enum imap_client_event {
	IMAP_CLIENT_MORE,      /* nothing to tell; more bytes are awaited */
	IMAP_CLIENT_START_TLS, /* send what waits, start TLS, then imap_client_secured() */
	IMAP_CLIENT_READY,     /* what was asked is done */
	IMAP_CLIENT_REFUSED,   /* it was refused: imap_client_error(), until the next question */
	IMAP_CLIENT_ENTRY,     /* imap_client_entry(): a message that is there */
	IMAP_CLIENT_BYTES,     /* imap_client_bytes(): some of a message's */
	IMAP_CLIENT_MESSAGE,   /* imap_client_entry(): whose those were; imap_client_bytes(): the
				  last of them, mostly none */
	IMAP_CLIENT_FAILED     /* it is over: imap_client_error() */
};

struct imap_client_options {
	struct str user, password; /* copied; wiped in the end */
	bool starttls;             /* wanted, and nothing said before it */
	uint64_t most_bytes;       /* of a message; a larger one's bytes are thrown away */
};

/* Names live as long as the client. */
struct imap_client_mailbox {
	struct str name; /* as the server spells it */
	struct str path; /* UTF-8, levels with "/", without the prefix of the user's namespace;
			    empty: it can't be said */
	bool selectable;
	bool subscribed;
	uint16_t special_use; /* enum special_use, bits */
};

/* Of one message; all of it is borrowed until the next call of imap_client_input. */
struct imap_client_entry {
	uint32_t uid;
	uint64_t size;
	int64_t time_ms; /* INTERNALDATE */
	bool has_time;
	uint8_t flags;       /* enum entry_flag */
	struct str keywords; /* with blanks between */
	bool has_body;       /* IMAP_CLIENT_MESSAGE: bytes came; false: there were none to have */
	bool too_big;        /* they were thrown away: size says how many */
};

struct imap_client;
struct imap_client *imap_client_new(const struct imap_client_options *);
void imap_client_free(struct imap_client **);

/* Takes bytes up to the first event and returns how many it took. With IMAP_CLIENT_MORE it has
 * taken all of them, and all of them with IMAP_CLIENT_FAILED, always. */
size_t imap_client_input(struct imap_client *, struct str bytes, enum imap_client_event *ret);
/* What waits to be sent; the caller consumes it. */
struct buf *imap_client_out(struct imap_client *);
/* TLS has begun, and the server's certificate is right. */
void imap_client_secured(struct imap_client *);
const struct err *imap_client_error(const struct imap_client *);
/* Of the last IMAP_CLIENT_ENTRY or _MESSAGE, or _BYTES. */
const struct imap_client_entry *imap_client_entry(const struct imap_client *);
struct str imap_client_bytes(const struct imap_client *);

/* Each asks, after READY or REFUSED. */
void imap_client_list(struct imap_client *);
void imap_client_examine(struct imap_client *, size_t mailbox);
/* Of the mailbox that was examined last; 0: the server does not say. */
struct imap_client_selected {
	uint32_t uidvalidity, uidnext, exists;
};
struct imap_client_selected imap_client_selected(const struct imap_client *);
void imap_client_entries(struct imap_client *);
/* n: at most LIMIT_IMAP_CLIENT_FETCH; ascending. What has gone meanwhile does not come. */
void imap_client_fetch(struct imap_client *, const uint32_t *uids, size_t n);
void imap_client_logout(struct imap_client *);

size_t imap_client_mailboxes(const struct imap_client *);
const struct imap_client_mailbox *imap_client_mailbox(const struct imap_client *, size_t i);

/* The path of a mailbox's name; adds nothing, and false, when it can't be said. separator: 0: it
 * has no levels. */
bool imap_client_path(struct str name, char separator, struct buf *out) MUST_CHECK;

#endif
