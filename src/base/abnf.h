/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Character classes, named after the ABNF of the RFCs. No <ctype.h>, no locale.
 */
#ifndef CULVER_BASE_ABNF_H
#define CULVER_BASE_ABNF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

static inline bool abnf_is_alpha(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}
static inline bool abnf_is_digit(char c)
{
	return c >= '0' && c <= '9';
}
static inline bool abnf_is_alnum(char c)
{
	return abnf_is_alpha(c) || abnf_is_digit(c);
}
/* VCHAR = %x21-7E            RFC 5234 B.1 */
static inline bool abnf_is_vchar(char c)
{
	return c >= 0x21 && c <= 0x7e;
}
/* WSP = SP / HTAB            RFC 5234 B.1 */
static inline bool abnf_is_wsp(char c)
{
	return c == ' ' || c == '\t';
}
static inline bool abnf_is_ctl(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}
static inline bool abnf_is_8bit(char c)
{
	return (unsigned char)c >= 0x80;
}
/* atext                      RFC 5322 3.2.3 */
extern const bool abnf_atext_marks[128]; /* what of it is no letter and no digit */
static inline bool abnf_is_atext(char c)
{
	return abnf_is_alnum(c) || (!abnf_is_8bit(c) && abnf_atext_marks[(unsigned char)c]);
}
/* token char of RFC 2045 5.1: any CHAR except SPACE, CTLs and tspecials */
bool abnf_is_mime_token(char c);
/* ftext = %d33-57 / %d59-126 RFC 5322 3.6.8: field name characters */
bool abnf_is_ftext(char c);
/* qtext of a quoted-string, without specials   RFC 5322 3.2.4 */
bool abnf_is_qtext(char c);
/* ATOM-CHAR: CHAR except atom-specials         RFC 9051 9 */
bool abnf_is_imap_atom(char c);
/* flag-keyword, which is an atom               RFC 9051 9 */
bool abnf_is_imap_keyword(struct str s);
/* ASTRING-CHAR = ATOM-CHAR / "]"               RFC 9051 9 */
bool abnf_is_imap_astring(char c);
/* 0-15, or -1 */
int abnf_hex_value(char c);
/* The n bytes that hex writes as 2 * n digits of either case, into ret; false for any other text,
 * and ret is then undefined. */
bool abnf_hex_bytes(struct str hex, uint8_t *ret, size_t n);

#endif
