/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Borrowed bytes. A struct str points into memory that somebody else owns, may hold NUL, and is
 * not terminated. It is passed by value and never freed. A function that returns one says how long
 * the bytes stay valid.
 *
 *     struct str verb = STR("EHLO");
 *     if (str_equal_nocase(word, verb)) log_info(log, "verb=%" STR_FMT, STR_ARG(word));
 *
 * uses: mem; used by: everything
 */
#ifndef CULVER_BASE_STR_H
#define CULVER_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *p;
	size_t n;
};

#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })
#define STR_INIT(literal)                                                                          \
	{                                                                                          \
		"" literal, sizeof(literal) - 1                                                    \
	} /* for static tables */
#define STR_NONE   ((struct str){ NULL, 0 })
#define STR_FMT    ".*s"
#define STR_ARG(s) (int)((s).n > 65536 ? 65536 : (s).n), (s).n ? (s).p : ""

static inline struct str str_make(const void *p, size_t n)
{
	return (struct str){ .p = p, .n = n };
}

/* The bytes of a C string, without its NUL; NULL gives the empty string. */
static inline struct str str_from(const char *s)
{
	return str_make(s, s == NULL ? 0 : strlen(s));
}

static inline bool str_equal(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
/* ASCII letters compare without case; every other byte compares exactly. */
bool str_equal_nocase(struct str a, struct str b);
static inline bool str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_equal(str_make(s.p, prefix.n), prefix);
}
bool str_starts_nocase(struct str s, struct str prefix);
bool str_ends_nocase(struct str s, struct str suffix);
/* <0, 0, >0 as memcmp, the shorter first. */
int str_compare(struct str a, struct str b);
/* Offset of the first c, or s.n when there is none. */
size_t str_find(struct str s, char c);
/* Offset of the last c, or s.n. */
size_t str_find_last(struct str s, char c);
/* Offset of the first occurrence of needle, or s.n. An empty needle is at 0. Linear. */
size_t str_search(struct str s, struct str needle);
/* The bytes from offset `from` on; offsets beyond the end are clamped. */
static inline struct str str_from_offset(struct str s, size_t from)
{
	if (from >= s.n)
		return str_make(s.n ? s.p + s.n : s.p, 0);
	return str_make(s.p + from, s.n - from);
}
/* At most n bytes from offset `from`; both clamped. */
static inline struct str str_sub(struct str s, size_t from, size_t n)
{
	struct str r = str_from_offset(s, from);
	if (r.n > n)
		r.n = n;
	return r;
}
/* Without leading and trailing blanks, tabs, CR and LF. */
struct str str_trim(struct str s);
/* Without a trailing CRLF or LF. */
struct str str_chomp(struct str s);
/* Splits at the first c: returns what is before it and moves *rest behind it. Without c the whole
 * is returned and *rest is empty. */
struct str str_split(struct str *rest, char c);
/* Copies as many of the bytes as there is room for, without a NUL, and returns how many: none of an
 * empty string, which may point nowhere (memcpy may not be given NULL). */
size_t str_copy(struct str s, void *to, size_t room);
/* A NUL-terminated copy for a C interface; the caller frees. NUL bytes inside are kept, so check
 * with str_find(s, 0) first where they matter. */
char *str_dup(struct str s);
/* Whether the bytes are valid UTF-8 (RFC 3629: no overlong forms, no surrogates, <= U+10FFFF). */
bool str_is_utf8(struct str s);
/* The length of the valid UTF-8 sequence that s begins with, 1 to 4; 0 when there is none. */
size_t str_utf8_sequence(struct str s);
/* How many bytes it begins with that are ASCII (0x00-0x7f); looks at 32 at a time. */
size_t str_ascii(struct str s);
bool str_is_ascii(struct str s);
/* How many bytes it begins with that are printable ASCII (0x20-0x7e); looks at eight at a time. */
size_t str_printable(struct str s);
/* Whether any byte is a control character (0x00-0x1f, 0x7f). */
bool str_has_control(struct str s);

static inline char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}
static inline char ascii_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

#endif
