/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message's search signature: a filter of the trigrams, three bytes in a row, of its text as
 * SEARCH compares it (charset.h, mail_search_text). It narrows: a needle with a trigram that the
 * filter lacks is not in the text; one whose trigrams are all there may be. So a search reads few
 * messages, and what has no signature is read.
 *
 *     struct signature_maker m;
 *     signature_begin(&m);
 *     signature_add(&m, text); …           goes on where the text before ended
 *     signature_break(&m);                 what comes is another text
 *     signature_end(&m, &out);
 *
 * Like a digest it is a claim of whoever made it: any bytes are a signature, and one that is not
 * well made holds everything.
 *
 * Format: 1 byte 1; 1 byte k, 9 to 16; 2^k bits. A trigram's bit is its hash modulo 2^k. It is made
 * with 16 and halved, the halves laid over each other, as long as less than SIGNATURE_FILL percent
 * of the bits are set then: some 1 KiB for 4 KiB of prose.
 *
 * uses: base; used by: imap (search), store (asks it)
 */
#ifndef CULVER_MAIL_SIGNATURE_H
#define CULVER_MAIL_SIGNATURE_H

#include "base/buf.h"
#include "base/str.h"

enum {
	SIGNATURE_BITS_LEAST = 9,
	SIGNATURE_BITS_MOST = 16,
	SIGNATURE_HEAD_BYTES = 2,
	SIGNATURE_BYTES_MOST = SIGNATURE_HEAD_BYTES + (1 << SIGNATURE_BITS_MOST) / 8,
	SIGNATURE_FILL = 40,
	SIGNATURE_TRIGRAMS = 32, /* of a needle: more would narrow no further */
};

struct signature_maker {
	uint8_t bits[(1 << SIGNATURE_BITS_MOST) / 8];
	uint32_t last;  /* the two bytes before */
	unsigned known; /* of them */
};

void signature_begin(struct signature_maker *);
void signature_add(struct signature_maker *, struct str folded);
void signature_break(struct signature_maker *);
/* Appends it, at most SIGNATURE_BYTES_MOST. The maker is used up. */
void signature_end(struct signature_maker *, struct buf *out);

/* The hashes of a needle's trigrams, from all over it; how many (none of a needle of less than
 * three bytes, which anything may hold). */
size_t signature_trigrams(struct str folded_needle, uint16_t ret[SIGNATURE_TRIGRAMS]);
bool signature_may_hold(struct str signature, const uint16_t *trigrams, size_t n);

#endif
