/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reading cursor over borrowed bytes. Every function either takes what it is named after and
 * moves on, or returns false (or an empty str) and leaves the cursor where it was. Grammar
 * functions build on these and follow the same rule.
 *
 *     struct scan s = scan_from(line);
 *     if (!scan_word_nocase(&s, STR("SIZE")) || !scan_char(&s, '=') || !scan_number(&s, MAX, &n)) …
 *
 * uses: str, abnf; used by: every parser
 */
#ifndef CULVER_BASE_SCAN_H
#define CULVER_BASE_SCAN_H

#include "base/abnf.h"
#include "base/str.h"

/* What an incremental parser answers. */
enum parsed { PARSED_DONE, PARSED_MORE, PARSED_BAD };

struct scan {
	const char *p, *end;
};

static inline struct scan scan_from(struct str s)
{
	return (struct scan){ s.p, s.n ? s.p + s.n : s.p };
}
static inline size_t scan_left(const struct scan *s)
{
	return (size_t)(s->end - s->p);
}
static inline bool scan_end(const struct scan *s)
{
	return s->p == s->end;
}
/* The next byte as 0-255, or -1 at the end. Not taken. */
static inline int scan_peek(const struct scan *s)
{
	return s->p == s->end ? -1 : (unsigned char)*s->p;
}
/* What is left, not taken. */
static inline struct str scan_rest(const struct scan *s)
{
	return str_make(s->p, scan_left(s));
}
bool scan_char(struct scan *s, char c);
/* The literal, ASCII letters without case. */
bool scan_literal_nocase(struct scan *s, struct str literal);
/* As scan_literal_nocase, and no letter, digit, '-' or '_' follows. */
bool scan_word_nocase(struct scan *s, struct str word);
/* Exactly one SP. */
bool scan_sp(struct scan *s);
/* Takes any blanks and tabs; returns how many. */
size_t scan_wsp(struct scan *s);
/* The longest run of bytes of a class; may be empty. */
struct str scan_while(struct scan *s, bool (*is)(char));
/* Up to, not including, c; false when there is no c. */
bool scan_until(struct scan *s, char c, struct str *ret);
/* 1*DIGIT up to max. Leading zeros are taken. False on no digit or a value above max; never
 * overflows. */
bool scan_number(struct scan *s, uint64_t max, uint64_t *ret);
/* As scan_number, but exactly n digits. */
bool scan_digits(struct scan *s, size_t n, uint64_t *ret);
/* n bytes. */
bool scan_bytes(struct scan *s, size_t n, struct str *ret);

#endif
