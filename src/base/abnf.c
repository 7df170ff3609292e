// SPDX-License-Identifier: Apache-2.0
/* Character classes, each as what its RFC leaves out of the printable characters. */
#include "base/abnf.h"

static bool is_one_of(char c, const char *set)
{
	for (; *set; set++)
		if (*set == c)
			return true;
	return false;
}

const bool abnf_atext_marks[128] = { ['!'] = true,
	['#'] = true,
	['$'] = true,
	['%'] = true,
	['&'] = true,
	['\''] = true,
	['*'] = true,
	['+'] = true,
	['-'] = true,
	['/'] = true,
	['='] = true,
	['?'] = true,
	['^'] = true,
	['_'] = true,
	['`'] = true,
	['{'] = true,
	['|'] = true,
	['}'] = true,
	['~'] = true };

bool abnf_is_mime_token(char c)
{
	return abnf_is_vchar(c) && !is_one_of(c, "()<>@,;:\\\"/[]?=");
}

bool abnf_is_ftext(char c)
{
	return abnf_is_vchar(c) && c != ':';
}

bool abnf_is_qtext(char c)
{
	return abnf_is_vchar(c) && c != '"' && c != '\\';
}

bool abnf_is_imap_atom(char c)
{
	return abnf_is_vchar(c) && !is_one_of(c, "(){%*\"\\]");
}

bool abnf_is_imap_keyword(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!abnf_is_imap_atom(s.p[i]))
			return false;
	return s.n > 0;
}

bool abnf_is_imap_astring(char c)
{
	return c == ']' || abnf_is_imap_atom(c);
}

int abnf_hex_value(char c)
{
	if (abnf_is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool abnf_hex_bytes(struct str hex, uint8_t *ret, size_t n)
{
	if (hex.n % 2 != 0 || hex.n / 2 != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int high = abnf_hex_value(hex.p[2 * i]), low = abnf_hex_value(hex.p[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		ret[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}
