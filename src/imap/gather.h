/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What SORT and THREAD look at in many messages, one after the other. Their digests are asked for
 * by the hundred and looked at as they come; what was taken from them is kept for the next time
 * (facts.h). A message that has none, or one that does not open, is read and parsed, and its digest
 * offered to the store; these come last, each while the next are on their way.
 *
 *     gather_init(&g);
 *     gather_begin(s, &g, &sequence, each, end)      sequence: a vec of uint32_t, which stays
 *     … each(s, n, facts) …, then the step `end`; g.error says why it ended early
 *     gather_done(&g);
 */
#ifndef CULVER_IMAP_GATHER_H
#define CULVER_IMAP_GATHER_H

#include "imap/facts.h"
#include "imap/imap_private.h"

struct mail_parser;

/* m: of the entry alone when the message could not be read. False: it is too much (ERR_LIMIT). */
typedef bool gather_each(struct imap *s, uint32_t sequence, const struct message_facts *m);

struct gather {
	const struct vec *sequence;
	size_t looked;   /* of it: known, or in `todo` */
	struct vec todo; /* uint32_t: to be asked for */
	gather_each *each;
	imap_step *end;
	enum err_kind error;
	struct facts_reader reader;
	size_t asked, answered; /* of todo */
	struct buf piece;       /* a digest that comes in pieces, or is made here */
	struct vec missing;     /* struct unparsed */
	size_t parsed;          /* of missing */
	struct mail_parser *parser;
	uint64_t fed;    /* bytes of the message being parsed */
	size_t ahead;    /* of missing: asked for */
	uint64_t wanted; /* bytes of the next one that were asked for */
};

void gather_init(struct gather *g);
void gather_done(struct gather *g);
void gather_begin(struct imap *s, struct gather *g, const struct vec *sequence, gather_each *each,
	imap_step *end);

#endif
