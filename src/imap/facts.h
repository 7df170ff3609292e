/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What SORT and THREAD look at in a message, and have seen of the selected mailbox's, for the next
 * of them: dates, subjects and message ids as they compare, by UID, which never change; and where
 * messages come by a key of SORT, which so never changes either. Bounded (LIMIT_IMAP_FACTS_BYTES,
 * LIMIT_IMAP_RANKS); what finds no room is asked for, or put in order, again. It goes with the
 * selected mailbox, when the client says IDLE, and when he says nothing for a minute.
 *
 *     if (!facts_get(f, uid, &seen)) … ask for its digest, then facts_read(&reader, entry, digest,
 *                                      &seen) and facts_put(f, uid, &seen)
 *
 * uses: base, api frames, mail (charset, date, digest, subject); used by: gather, SORT, THREAD
 */
#ifndef CULVER_IMAP_FACTS_H
#define CULVER_IMAP_FACTS_H

#include "api/frames.h"
#include "base/buf.h"
#include "base/vec.h"
#include "mail/digest.h"

struct facts;

enum facts_text {
	FACTS_SUBJECT, /* the base subject as it compares (RFC 5256 2.1); empty: none */
	FACTS_IDS,     /* see facts_next_id */
	FACTS_FROM,    /* the fields, as far as their first addresses may be */
	FACTS_TO,
	FACTS_CC,
	FACTS_TEXTS
};
struct message_facts {
	int64_t sent_ms; /* since 1970, of the Date field or else the internal date. RFC 5256 2.2 */
	bool reply;      /* or forward, by the subject */
	struct str text[FACTS_TEXTS];
};

/* key: random, for the map. */
struct facts *facts_new(const uint8_t key[16], size_t max);
void facts_free(struct facts **f);
/* Where texts are made. */
struct facts_reader {
	struct buf base, subject, id, ids;
};
void facts_reader_init(struct facts_reader *r);
void facts_reader_done(struct facts_reader *r);
/* Takes them from an entry and its digest (NULL: there is none); borrowed from both, and until the
 * next facts_read. */
void facts_read(struct facts_reader *r, const struct api_entry *e, const struct digest *d,
	struct message_facts *ret);
/* Keeps them, if there is room. */
void facts_put(struct facts *f, uint32_t uid, const struct message_facts *m);
/* What was kept, borrowed as long as f; false: unknown. f may be NULL. */
bool facts_get(const struct facts *f, uint32_t uid, struct message_facts *ret);
/* The next id of FACTS_IDS; *ids goes on behind it. The first is the message's own, or empty; then
 * come those of References, or else the first of In-Reply-To. RFC 5256 3 */
bool facts_next_id(struct str *ids, struct str *ret);

enum { FACTS_KEYS = 9 }; /* enum sort_key */
/* Messages of equal rank compare equal. */
struct facts_rank {
	uint32_t uid, rank;
};
/* Keeps the ranks of messages by a key, by rising UID, if they are not far fewer than there are
 * already; they move. Others' ranks may go for them. */
void facts_put_ranks(struct facts *f, unsigned key, struct vec *ranks);
/* The rank of a UID; UIDs rise from call to call, and *at is 0 at first. f may be NULL. */
bool facts_rank(
	const struct facts *f, unsigned key, size_t *at, uint32_t uid, uint32_t *ret) MUST_CHECK;

#endif
