// SPDX-License-Identifier: Apache-2.0
/* The reading cursor. */
#include "base/scan.h"

bool scan_char(struct scan *s, char c)
{
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

bool scan_literal_nocase(struct scan *s, struct str literal)
{
	struct str ignored;
	return str_starts_nocase(scan_rest(s), literal) && scan_bytes(s, literal.n, &ignored);
}

bool scan_word_nocase(struct scan *s, struct str word)
{
	struct scan before = *s;
	if (!scan_literal_nocase(s, word))
		return false;
	if (s->p < s->end && (abnf_is_alnum(*s->p) || *s->p == '-' || *s->p == '_')) {
		*s = before;
		return false;
	}
	return true;
}

bool scan_sp(struct scan *s)
{
	return scan_char(s, ' ');
}

size_t scan_wsp(struct scan *s)
{
	return scan_while(s, abnf_is_wsp).n;
}

struct str scan_while(struct scan *s, bool (*is)(char))
{
	const char *from = s->p;
	while (s->p < s->end && is(*s->p))
		s->p++;
	return str_make(from, (size_t)(s->p - from));
}

bool scan_until(struct scan *s, char c, struct str *ret)
{
	struct str rest = scan_rest(s);
	size_t at = str_find(rest, c);
	if (at == rest.n)
		return false;
	*ret = str_make(s->p, at);
	s->p += at;
	return true;
}

bool scan_number(struct scan *s, uint64_t max, uint64_t *ret)
{
	const char *p = s->p;
	uint64_t value = 0;
	for (; p < s->end && abnf_is_digit(*p); p++) {
		uint64_t digit = (uint64_t)(*p - '0');
		if (value > (max - digit) / 10 || digit > max)
			return false;
		value = value * 10 + digit;
	}
	if (p == s->p)
		return false;
	s->p = p;
	*ret = value;
	return true;
}

bool scan_digits(struct scan *s, size_t n, uint64_t *ret)
{
	struct scan part = { s->p, s->p };
	if (scan_left(s) < n || n > 18)
		return false;
	part.end = s->p + n;
	if (!scan_number(&part, UINT64_MAX, ret) || !scan_end(&part))
		return false;
	s->p = part.end;
	return true;
}

bool scan_bytes(struct scan *s, size_t n, struct str *ret)
{
	if (scan_left(s) < n)
		return false;
	*ret = str_make(s->p, n);
	/* Nothing may be added to NULL, not even 0. */
	if (n)
		s->p += n;
	return true;
}
