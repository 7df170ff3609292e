// SPDX-License-Identifier: Apache-2.0
#include "mail/reference.h"

#include "base/abnf.h"
#include "base/mem.h"
#include "base/scan.h"

/* U+00A0 to U+00FF */
static const struct str latin1[] = { STR_INIT("nbsp"), STR_INIT("iexcl"), STR_INIT("cent"),
	STR_INIT("pound"), STR_INIT("curren"), STR_INIT("yen"), STR_INIT("brvbar"),
	STR_INIT("sect"), STR_INIT("uml"), STR_INIT("copy"), STR_INIT("ordf"), STR_INIT("laquo"),
	STR_INIT("not"), STR_INIT("shy"), STR_INIT("reg"), STR_INIT("macr"), STR_INIT("deg"),
	STR_INIT("plusmn"), STR_INIT("sup2"), STR_INIT("sup3"), STR_INIT("acute"),
	STR_INIT("micro"), STR_INIT("para"), STR_INIT("middot"), STR_INIT("cedil"),
	STR_INIT("sup1"), STR_INIT("ordm"), STR_INIT("raquo"), STR_INIT("frac14"),
	STR_INIT("frac12"), STR_INIT("frac34"), STR_INIT("iquest"), STR_INIT("Agrave"),
	STR_INIT("Aacute"), STR_INIT("Acirc"), STR_INIT("Atilde"), STR_INIT("Auml"),
	STR_INIT("Aring"), STR_INIT("AElig"), STR_INIT("Ccedil"), STR_INIT("Egrave"),
	STR_INIT("Eacute"), STR_INIT("Ecirc"), STR_INIT("Euml"), STR_INIT("Igrave"),
	STR_INIT("Iacute"), STR_INIT("Icirc"), STR_INIT("Iuml"), STR_INIT("ETH"),
	STR_INIT("Ntilde"), STR_INIT("Ograve"), STR_INIT("Oacute"), STR_INIT("Ocirc"),
	STR_INIT("Otilde"), STR_INIT("Ouml"), STR_INIT("times"), STR_INIT("Oslash"),
	STR_INIT("Ugrave"), STR_INIT("Uacute"), STR_INIT("Ucirc"), STR_INIT("Uuml"),
	STR_INIT("Yacute"), STR_INIT("THORN"), STR_INIT("szlig"), STR_INIT("agrave"),
	STR_INIT("aacute"), STR_INIT("acirc"), STR_INIT("atilde"), STR_INIT("auml"),
	STR_INIT("aring"), STR_INIT("aelig"), STR_INIT("ccedil"), STR_INIT("egrave"),
	STR_INIT("eacute"), STR_INIT("ecirc"), STR_INIT("euml"), STR_INIT("igrave"),
	STR_INIT("iacute"), STR_INIT("icirc"), STR_INIT("iuml"), STR_INIT("eth"),
	STR_INIT("ntilde"), STR_INIT("ograve"), STR_INIT("oacute"), STR_INIT("ocirc"),
	STR_INIT("otilde"), STR_INIT("ouml"), STR_INIT("divide"), STR_INIT("oslash"),
	STR_INIT("ugrave"), STR_INIT("uacute"), STR_INIT("ucirc"), STR_INIT("uuml"),
	STR_INIT("yacute"), STR_INIT("thorn"), STR_INIT("yuml") };

static const struct {
	struct str name;
	uint16_t c;
} others[] = { { STR_INIT("quot"), '"' }, { STR_INIT("amp"), '&' }, { STR_INIT("apos"), '\'' },
	{ STR_INIT("lt"), '<' }, { STR_INIT("gt"), '>' }, { STR_INIT("QUOT"), '"' },
	{ STR_INIT("AMP"), '&' }, { STR_INIT("LT"), '<' }, { STR_INIT("GT"), '>' },
	{ STR_INIT("NBSP"), 0xa0 }, { STR_INIT("OElig"), 0x152 }, { STR_INIT("oelig"), 0x153 },
	{ STR_INIT("Scaron"), 0x160 }, { STR_INIT("scaron"), 0x161 }, { STR_INIT("Yuml"), 0x178 },
	{ STR_INIT("circ"), 0x2c6 }, { STR_INIT("tilde"), 0x2dc }, { STR_INIT("ensp"), 0x2002 },
	{ STR_INIT("emsp"), 0x2003 }, { STR_INIT("thinsp"), 0x2009 }, { STR_INIT("zwnj"), 0x200c },
	{ STR_INIT("zwj"), 0x200d }, { STR_INIT("lrm"), 0x200e }, { STR_INIT("rlm"), 0x200f },
	{ STR_INIT("ndash"), 0x2013 }, { STR_INIT("mdash"), 0x2014 }, { STR_INIT("lsquo"), 0x2018 },
	{ STR_INIT("rsquo"), 0x2019 }, { STR_INIT("sbquo"), 0x201a }, { STR_INIT("ldquo"), 0x201c },
	{ STR_INIT("rdquo"), 0x201d }, { STR_INIT("bdquo"), 0x201e },
	{ STR_INIT("dagger"), 0x2020 }, { STR_INIT("Dagger"), 0x2021 },
	{ STR_INIT("bull"), 0x2022 }, { STR_INIT("hellip"), 0x2026 },
	{ STR_INIT("permil"), 0x2030 }, { STR_INIT("lsaquo"), 0x2039 },
	{ STR_INIT("rsaquo"), 0x203a }, { STR_INIT("euro"), 0x20ac }, { STR_INIT("trade"), 0x2122 },
	{ STR_INIT("larr"), 0x2190 }, { STR_INIT("rarr"), 0x2192 }, { STR_INIT("minus"), 0x2212 } };

/* Numbers from 128 to 159 mean what windows-1252 has there, as they do in browsers
 * (HTML 13.2.5.80); 0: nothing. */
static const uint16_t windows1252[32] = { 0x20ac, 0, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021,
	0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0, 0x17d, 0, 0, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
	0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0, 0x17e, 0x178 };

static void add_character(uint32_t c, struct buf *out)
{
	char b[4];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = n; i-- > 1; c >>= 6)
		b[i] = (char)(0x80 | (c & 0x3f));
	b[0] = (char)(lead[n] | c);
	buf_add(out, b, n);
}

static uint32_t named(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(latin1); i++)
		if (str_equal(name, latin1[i]))
			return 0xa0 + (uint32_t)i;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (str_equal(name, others[i].name))
			return others[i].c;
	return 0;
}

static bool is_hex_digit(char c)
{
	return abnf_hex_value(c) >= 0;
}

static bool hex_number(struct scan *s, uint64_t *ret)
{
	struct str digits = scan_while(s, is_hex_digit);

	*ret = 0;
	for (size_t i = 0; i < digits.n; i++) {
		if (*ret > UINT32_MAX / 16)
			return false;
		*ret = *ret * 16 + (uint64_t)abnf_hex_value(digits.p[i]);
	}
	return digits.n > 0;
}

/* A character, or a blank for what is none. */
static uint32_t numbered(uint64_t number)
{
	if (number >= 0x80 && number <= 0x9f)
		number = windows1252[number - 0x80];
	bool is_character = number >= ' ' && number <= 0x10ffff && number != 0x7f &&
			    (number < 0xd800 || number > 0xdfff);
	return is_character ? (uint32_t)number : ' ';
}

bool mail_reference(struct str *s, struct buf *out)
{
	struct scan a = scan_from(str_from_offset(*s, 1));
	uint64_t number;
	uint32_t c;

	if (scan_char(&a, '#')) {
		bool is_hex = scan_char(&a, 'x') || scan_char(&a, 'X');
		if (!(is_hex ? hex_number(&a, &number) : scan_number(&a, UINT32_MAX, &number)))
			return false;
		c = numbered(number);
	} else {
		c = named(scan_while(&a, abnf_is_alnum));
	}
	if (c == 0 || !scan_char(&a, ';'))
		return false;
	add_character(c, out);
	*s = scan_rest(&a);
	return true;
}
