/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LIST patterns: "*" is any bytes, "%" any bytes but "/" (RFC 9051 6.3.9; hostile-input I10).
 *
 * A pattern becomes a bit-parallel automaton: a name costs its length times the pattern's words of
 * 64 bits, whatever the wildcards; there is no backtracking.
 *
 *     struct match m;
 *     if (!match_init(&m, reference, pattern)) return NO;
 *     if (match_name(&m, mailbox->name)) …
 *     match_done(&m);
 *
 * uses: base; used by: LIST of imap
 */
#ifndef CULVER_IMAP_MATCH_H
#define CULVER_IMAP_MATCH_H

#include "base/str.h"

struct match {
	uint64_t *accepts; /* for each byte: which states it leads on from */
	uint64_t *block;   /* the four below, one allocation */
	uint64_t *now, *next;
	uint64_t *star, *percent; /* which states are wildcards */
	size_t states, words;
};

/* reference and pattern are joined as they are (RFC 9051 6.3.9). False: after runs of wildcards are
 * made one, the pattern is above LIMIT_MAILBOX_PATTERN_BYTES. */
bool match_init(struct match *m, struct str reference, struct str pattern);
void match_done(struct match *m); /* accepts one that was zeroed */
/* A first level INBOX matches without case. */
bool match_name(struct match *m, struct str name);

#endif
