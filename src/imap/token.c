// SPDX-License-Identifier: Apache-2.0
/* The smallest words of IMAP, read and written. RFC 9051 9 is the grammar; every function names its
 * production. */
#include "imap/token.h"

/* A quoted string is read up to its end quote, so its length is the command's; written ones stay
 * short, since some clients read lines into small buffers. */
#define QUOTED_WRITE_BYTES 1000

bool token_atom(struct scan *s, struct str *ret)
{
	struct str a = scan_while(s, abnf_is_imap_atom);
	if (a.n == 0)
		return false;
	*ret = a;
	return true;
}

/* Where the quoted string that begins at p (behind its quote) ends: at its closing quote, or NULL.
 * QUOTED-CHAR = <any TEXT-CHAR except quoted-specials> / "\" quoted-specials / UTF8-2/3/4 */
static const char *quoted_end(const char *p, const char *end, size_t *ret_escapes)
{
	for (*ret_escapes = 0; p < end && *p != '"'; p++) {
		if (*p == '\r' || *p == '\n' || *p == 0)
			return NULL;
		if (*p != '\\')
			continue;
		if (++p == end || (*p != '"' && *p != '\\'))
			return NULL;
		++*ret_escapes;
	}
	return p < end ? p : NULL;
}

bool token_quoted(struct scan *s, struct arena *a, struct str *ret)
{
	if (scan_peek(s) != '"')
		return false;
	const char *p = s->p + 1;
	size_t escapes;
	const char *end = quoted_end(p, s->end, &escapes);
	if (end == NULL)
		return false;
	struct str text = str_make(p, (size_t)(end - p));
	if (!str_is_utf8(text))
		return false;
	if (escapes > 0) {
		char *copy = arena_alloc(a, text.n);
		if (copy == NULL)
			return false;
		size_t n = 0;
		for (; p < end; p++) {
			if (*p == '\\')
				p++;
			copy[n++] = *p;
		}
		text = str_make(copy, n);
	}
	s->p = end + 1;
	*ret = text;
	return true;
}

bool token_literal(struct scan *s, bool eight, struct str *ret)
{
	struct scan t = *s;
	bool binary = eight && scan_char(&t, '~');
	uint64_t n;
	struct str bytes;
	if (!scan_char(&t, '{') || !scan_number(&t, INT64_MAX, &n))
		return false;
	scan_char(&t, '+');
	if (!scan_char(&t, '}') || !scan_char(&t, '\r') || !scan_char(&t, '\n'))
		return false;
	if (n > scan_left(&t) || !scan_bytes(&t, (size_t)n, &bytes))
		return false;
	if (!binary && str_find(bytes, 0) != bytes.n)
		return false;
	*s = t;
	*ret = bytes;
	return true;
}

bool token_string(struct scan *s, struct arena *a, struct str *ret)
{
	return token_quoted(s, a, ret) || token_literal(s, false, ret);
}

bool token_astring(struct scan *s, struct arena *a, struct str *ret)
{
	struct str bare = scan_while(s, abnf_is_imap_astring);
	if (bare.n == 0)
		return token_string(s, a, ret);
	*ret = bare;
	return true;
}

/* list-char = ATOM-CHAR / list-wildcards / resp-specials; 8-bit bytes too, which clients with
 * UTF-8 names send bare (they are checked as UTF-8 where names are read) */
static bool is_list_char(char c)
{
	return abnf_is_imap_astring(c) || c == '%' || c == '*' || abnf_is_8bit(c);
}

bool token_list_mailbox(struct scan *s, struct arena *a, struct str *ret)
{
	struct str bare = scan_while(s, is_list_char);
	if (bare.n == 0)
		return token_string(s, a, ret);
	*ret = bare;
	return true;
}

bool token_flag(struct scan *s, struct str *ret)
{
	struct scan t = *s;
	scan_char(&t, '\\');
	struct str atom;
	if (!token_atom(&t, &atom))
		return false;
	*ret = str_make(s->p, (size_t)(t.p - s->p));
	*s = t;
	return true;
}

bool token_number(struct scan *s, uint32_t *ret)
{
	uint64_t n;
	if (!scan_number(s, UINT32_MAX, &n))
		return false;
	*ret = (uint32_t)n;
	return true;
}

/* nz-number = digit-nz *DIGIT                                       RFC 9051 9 */
bool token_nz_number(struct scan *s, uint32_t *ret)
{
	struct scan t = *s;
	uint32_t n;
	if (scan_peek(&t) == '0' || !token_number(&t, &n))
		return false;
	*s = t;
	*ret = n;
	return true;
}

bool token_number64(struct scan *s, uint64_t *ret)
{
	return scan_number(s, INT64_MAX, ret);
}

/* ---- writing ---- */

static bool can_be_quoted(struct str s, bool utf8)
{
	if (s.n > QUOTED_WRITE_BYTES)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (abnf_is_ctl(s.p[i]) || (!utf8 && abnf_is_8bit(s.p[i])))
			return false;
	}
	return !utf8 || str_is_utf8(s);
}

static bool needs_backslash(char c)
{
	return c == '"' || c == '\\';
}

/* Whether eight bytes can stand between quotes as they are. As in str_printable: a byte that can't
 * makes its subtraction borrow. The borrow may reach the byte above it, which then counts, too: of
 * eight that do not all pass, none is looked at. */
static bool all_plain(const char eight[8])
{
	const uint64_t ones = 0x0101010101010101;
	uint64_t w;
	memcpy(&w, eight, sizeof(w));
	uint64_t below = w - ones * 0x20, delete = (w ^ ones * 0x7f) - ones;
	uint64_t quote = (w ^ ones * '"') - ones, backslash = (w ^ ones * '\\') - ones;
	return ((w | below | delete | quote | backslash) & ones * 0x80) == 0;
}

/* Most strings are short, printable, and without a character that is to be escaped. */
static bool is_plain(struct str s)
{
	size_t i = 0;
	while (i + 8 <= s.n && all_plain(s.p + i))
		i += 8;
	if (s.n >= 8)
		return i + 8 > s.n && all_plain(s.p + s.n - 8);
	while (i < s.n && s.p[i] >= 0x20 && s.p[i] < 0x7f && !needs_backslash(s.p[i]))
		i++;
	return i == s.n;
}

static bool add_plain(struct buf *out, struct str s)
{
	char *to = buf_reserve(out, s.n + 2);
	if (to == NULL)
		return false;
	to[0] = '"';
	if (s.n > 0)
		memcpy(to + 1, s.p, s.n);
	to[s.n + 1] = '"';
	buf_used(out, s.n + 2);
	return true;
}

static bool add_quoted(struct buf *out, struct str s)
{
	size_t need = s.n + 2;
	for (size_t i = 0; i < s.n; i++)
		need += needs_backslash(s.p[i]);
	char *to = buf_reserve(out, need);
	if (to == NULL)
		return false;
	*to++ = '"';
	for (size_t i = 0; i < s.n; i++) {
		if (needs_backslash(s.p[i]))
			*to++ = '\\';
		*to++ = s.p[i];
	}
	*to = '"';
	buf_used(out, need);
	return true;
}

/* CHAR8 is any byte but NUL (RFC 9051 9): a NUL is sent as 0x80, as in BODY[]. */
static bool add_literal(struct buf *out, struct str s)
{
	size_t start = out->n;
	if (!buf_addf(out, "{%zu}\r\n", s.n))
		return false;
	size_t at = out->n;
	if (!buf_adds(out, s)) {
		buf_truncate(out, start);
		return false;
	}
	for (; at < out->n; at++) {
		if (out->p[at] == 0)
			out->p[at] = (char)0x80;
	}
	return true;
}

bool token_add_string(struct buf *out, struct str s, bool utf8)
{
	if (s.n <= QUOTED_WRITE_BYTES && is_plain(s))
		return add_plain(out, s);
	return can_be_quoted(s, utf8) ? add_quoted(out, s) : add_literal(out, s);
}

bool token_add_nstring(struct buf *out, struct str s, bool utf8)
{
	return s.p == NULL ? buf_addz(out, "NIL") : token_add_string(out, s, utf8);
}

bool token_add_astring(struct buf *out, struct str s, bool utf8)
{
	struct scan t = scan_from(s);
	struct str bare = scan_while(&t, abnf_is_imap_astring);
	/* "NIL" would be read as an atom by some: it is quoted. */
	if (s.n > 0 && bare.n == s.n && !str_equal_nocase(s, STR("NIL")))
		return buf_adds(out, s);
	return token_add_string(out, s, utf8);
}

bool token_add_text(struct buf *out, struct str s)
{
	size_t start = out->n;
	if (!buf_adds(out, s))
		return false;
	for (size_t i = start; i < out->n; i++) {
		if (abnf_is_ctl(out->p[i]) || abnf_is_8bit(out->p[i]))
			out->p[i] = '?';
	}
	return true;
}
