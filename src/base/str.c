// SPDX-License-Identifier: Apache-2.0
/* Borrowed bytes: comparing, finding, cutting. */
#include "base/str.h"

#include "base/abnf.h"
#include "base/mem.h"

bool str_equal_nocase(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	return true;
}

bool str_starts_nocase(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_equal_nocase(str_make(s.p, prefix.n), prefix);
}

bool str_ends_nocase(struct str s, struct str suffix)
{
	return s.n >= suffix.n && str_equal_nocase(str_from_offset(s, s.n - suffix.n), suffix);
}

int str_compare(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n ? memcmp(a.p, b.p, n) : 0;
	if (order != 0)
		return order;
	return a.n < b.n ? -1 : a.n > b.n;
}

size_t str_find(struct str s, char c)
{
	const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
	return at == NULL ? s.n : (size_t)(at - s.p);
}

size_t str_find_last(struct str s, char c)
{
	const char *at = s.n ? memrchr(s.p, c, s.n) : NULL;
	return at == NULL ? s.n : (size_t)(at - s.p);
}

size_t str_search(struct str s, struct str needle)
{
	if (needle.n == 0)
		return 0;
	const char *at = s.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;
	return at == NULL ? s.n : (size_t)(at - s.p);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
	while (s.n && is_blank(s.p[0]))
		s = str_from_offset(s, 1);
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

struct str str_chomp(struct str s)
{
	if (s.n && s.p[s.n - 1] == '\n')
		s.n--;
	if (s.n && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}

struct str str_split(struct str *rest, char c)
{
	size_t at = str_find(*rest, c);
	struct str head = str_make(rest->p, at);
	*rest = str_from_offset(*rest, at < rest->n ? at + 1 : at);
	return head;
}

size_t str_copy(struct str s, void *to, size_t room)
{
	size_t n = s.n < room ? s.n : room;
	if (n)
		memcpy(to, s.p, n);
	return n;
}

char *str_dup(struct str s)
{
	return xmemdup0(s.n ? s.p : "", s.n);
}

/* UTF8-2, UTF8-3, UTF8-4                                          RFC 3629 4 */
size_t str_utf8_sequence(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	if (s.n == 0 || p[0] < 0x80)
		return s.n > 0;
	size_t n = p[0] >= 0xc2 && p[0] <= 0xdf   ? 2
		   : p[0] >= 0xe0 && p[0] <= 0xef ? 3
		   : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
						  : 0;
	if (n == 0 || s.n < n)
		return 0;
	unsigned char low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
	unsigned char high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* Without a byte above 0x7f, a byte below 0x20 (or one that is 0x7f) makes the subtraction borrow;
 * the borrow may reach the byte above it, which is looked at anew. */
static bool all_printable(const char eight[8])
{
	const uint64_t ones = 0x0101010101010101;
	uint64_t w;
	memcpy(&w, eight, sizeof(w));
	return ((w | (w - ones * 0x20) | ((w ^ ones * 0x7f) - ones)) & ones * 0x80) == 0;
}

size_t str_printable(struct str s)
{
	size_t i = 0;
	while (i + 8 <= s.n && all_printable(s.p + i))
		i += 8;
	/* The last few, with some that were looked at. */
	if (s.n >= 8 && i + 8 > s.n && all_printable(s.p + s.n - 8))
		return s.n;
	while (i < s.n && s.p[i] >= 0x20 && s.p[i] < 0x7f)
		i++;
	return i;
}

bool str_is_utf8(struct str s)
{
	s = str_from_offset(s, str_printable(s));
	while (s.n) {
		size_t n = str_utf8_sequence(s);
		if (n == 0)
			return false;
		s = str_from_offset(s, n);
	}
	return true;
}

size_t str_ascii(struct str s)
{
	const uint64_t beyond = 0x8080808080808080;
	size_t i = 0;
	for (uint64_t w[4]; i + sizeof(w) <= s.n; i += sizeof(w)) {
		memcpy(w, s.p + i, sizeof(w));
		if ((w[0] | w[1] | w[2] | w[3]) & beyond)
			break;
	}
	while (i < s.n && !abnf_is_8bit(s.p[i]))
		i++;
	return i;
}

bool str_is_ascii(struct str s)
{
	return str_ascii(s) == s.n;
}

bool str_has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (abnf_is_ctl(s.p[i]))
			return true;
	return false;
}
