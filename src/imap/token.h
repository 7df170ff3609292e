/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest words of IMAP: atoms, quoted strings and literals, in a whole command.
 *
 * The wire layer gathers a command until its last CRLF; literals stand in it as they came:
 * "{3}\r\nabc" or "{3+}\r\nabc" (~{3} for literal8). The functions here read such text with a
 * cursor, take what they are named after or leave the cursor alone, and return bytes that lie in
 * the command or, where a quoted string had escapes, in the arena. Writers are the other direction:
 * any bytes in, valid syntax out (hostile-input I29).
 *
 * uses: base; used by: the rest of imap
 */
#ifndef CULVER_IMAP_TOKEN_H
#define CULVER_IMAP_TOKEN_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/scan.h"

/* atom = 1*ATOM-CHAR                                     RFC 9051 9 */
bool token_atom(struct scan *s, struct str *ret);
/* quoted = DQUOTE *QUOTED-CHAR DQUOTE: no CR, LF or NUL; valid UTF-8 (RFC 9051 9) */
bool token_quoted(struct scan *s, struct arena *a, struct str *ret);
/* literal = "{" number64 ["+"] "}" CRLF *CHAR8: no NUL. literal8 as well when `eight`: "~{" ...,
 * which may hold NUL.                                    RFC 9051 9, RFC 7888 */
bool token_literal(struct scan *s, bool eight, struct str *ret);
/* string = quoted / literal */
bool token_string(struct scan *s, struct arena *a, struct str *ret);
/* astring = 1*ASTRING-CHAR / string */
bool token_astring(struct scan *s, struct arena *a, struct str *ret);
/* list-mailbox = 1*list-char / string; list-char = ATOM-CHAR / "%" / "*" / "]" */
bool token_list_mailbox(struct scan *s, struct arena *a, struct str *ret);
/* flag = "\" atom / atom; ret includes the backslash */
bool token_flag(struct scan *s, struct str *ret);
/* number: up to 4294967295; nz-number: from 1, and no leading zero; number64: up to 2^63-1. */
bool token_number(struct scan *s, uint32_t *ret);
bool token_nz_number(struct scan *s, uint32_t *ret);
bool token_number64(struct scan *s, uint64_t *ret);

/* string: quoted when the bytes allow it (no CR, LF, NUL, no 8-bit unless `utf8` and valid UTF-8,
 * at most 1000 bytes), else as a literal. NUL, which neither may hold, becomes 0x80. */
bool token_add_string(struct buf *out, struct str s, bool utf8);
/* nstring: NIL for STR_NONE (p NULL), else as above. */
bool token_add_nstring(struct buf *out, struct str s, bool utf8);
/* astring: bare when it can be, else string. */
bool token_add_astring(struct buf *out, struct str s, bool utf8);
/* text that stands bare in a response code or after OK: control and 8-bit bytes become '?'. */
bool token_add_text(struct buf *out, struct str s);

#endif
