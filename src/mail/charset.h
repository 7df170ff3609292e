/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text in any charset of the allow-list, as UTF-8; and the Unicode operations that mail needs.
 *
 * Charsets come from one table of names and aliases (charset.c); ICU is never asked to open a
 * converter by a name from outside, and UTF-7 is not in the table (hostile-input M11). Output is
 * always valid UTF-8: what cannot be converted becomes U+FFFD. A process calls
 * mail_charsets_preload() before its sandbox closes; after that nothing here touches a file.
 *
 * uses: base, ICU; used by: mail/encoded, mail/param, imap (SEARCH, mailbox names), store
 */
#ifndef CULVER_MAIL_CHARSET_H
#define CULVER_MAIL_CHARSET_H

#include "base/buf.h"
#include "base/str.h"

struct mail_charset; /* a row of the table */

/* Loads every converter and table. 0, or -1 when ICU lacks something. May be called again. */
int mail_charsets_preload(void);

/* The charset of that name or alias (case and quotes ignored), or NULL: not allowed or unknown. */
const struct mail_charset *mail_charset_find(struct str name);
/* Its preferred MIME name: "utf-8". */
const char *mail_charset_name(const struct mail_charset *c);
/* The table, for tests and for IMAP's BADCHARSET list: i from 0 on; NULL at the end. */
const struct mail_charset *mail_charset_at(size_t i);

/*
 * Converting a stream: any split gives the same result; an unfinished character at the end becomes
 * one U+FFFD. Output is at most 3 bytes for an input byte, plus 16. Linear.
 *
 *     struct mail_converter *c = mail_converter_new(charset);
 *     mail_converter_input(c, bytes, &out); …
 *     mail_converter_end(c, &out);          then it can be used again from the start
 *     mail_converter_free(&c);
 */
struct mail_converter;
/* charset NULL: bytes that are valid UTF-8 stay, others become U+FFFD. */
struct mail_converter *mail_converter_new(const struct mail_charset *charset);
/* False: out is full; what did not fit is lost, but what is there is valid UTF-8. */
bool mail_converter_input(struct mail_converter *c, struct str bytes, struct buf *out);
bool mail_converter_end(struct mail_converter *c, struct buf *out);
void mail_converter_free(struct mail_converter **c);

/* A whole text at once. charset NULL as above. */
bool mail_to_utf8(const struct mail_charset *charset, struct str bytes, struct buf *out);

/* Full case folding (Unicode CaseFolding, C + F) of UTF-8, for searching: compare folded needle
 * with folded text. Invalid bytes become U+FFFD first. Character by character, so that a text may
 * be folded in pieces cut between characters. */
bool mail_fold_case(struct str utf8, struct buf *out);
/* i;unicode-casemap (RFC 5051 2): the text as that collation compares it, octet by octet: each
 * character in title case and then decomposed (NFKD, but for the order of marks). Invalid bytes
 * become U+FFFD first. Character by character, as above. */
bool mail_casemap(struct str utf8, struct buf *out);
/* What SEARCH compares (RFC 5255 4.2): the case folding above, and then that casemap. So what
 * i;unicode-casemap finds is found, and "ss" finds "\u00df" besides. A byte becomes at most
 * MAIL_SEARCH_GROWTH. */
bool mail_search_text(struct str utf8, struct buf *out);
#define MAIL_SEARCH_GROWTH 12
/* Whether the text is valid UTF-8 in normalization form C. RFC 9051 5.1 asks it of mailbox names.
 */
bool mail_is_nfc(struct str utf8);
/* The text in NFC. False: not valid UTF-8, or out is full. */
bool mail_to_nfc(struct str utf8, struct buf *out);
/* Whether a text of UTF-8 holds what no name may: controls (C0, DEL, C1), U+2028, U+2029, or
 * anything invalid. RFC 9051 5.1, RFC 5198 2 */
bool mail_has_unsafe(struct str utf8);

#endif
