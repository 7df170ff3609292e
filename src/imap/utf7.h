/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modified UTF-7, the encoding of mailbox names in IMAP4rev1 (RFC 3501 5.1.3; hostile-input I8).
 *
 * Only the one canonical form of a name is read: no ASCII inside base64, no empty or adjacent
 * shifts that could be one, no stray bits, no lone surrogates. So utf7_encode(utf7_decode(x)) is x.
 *
 * uses: base; used by: imap/mailbox_name
 */
#ifndef CULVER_IMAP_UTF7_H
#define CULVER_IMAP_UTF7_H

#include "base/buf.h"

/* Adds the UTF-8 for a modified UTF-7 string. False: not canonical, or out is full; out is as it
 * was. */
bool utf7_decode(struct str in, struct buf *out) MUST_CHECK;
/* More than what n bytes of UTF-8 become: two UTF-16 units in base64 for four bytes at worst, and
 * "&" and "-" around. */
static inline size_t utf7_most(size_t n)
{
	return n * 5 + 2;
}
/* Adds the modified UTF-7 for a UTF-8 string. False: not UTF-8, a NUL, or out is full. */
bool utf7_encode(struct str in, struct buf *out) MUST_CHECK;

#endif
