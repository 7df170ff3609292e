// SPDX-License-Identifier: Apache-2.0
/*
 * The charsets that mail may be written in, and their conversion to UTF-8 by ICU. Which converter
 * ICU opens is decided by this table alone. ISO-8859-16, which ICU lacks, has a table here. UTF-7
 * is absent on purpose: text that hides markup from whoever looks at bytes (hostile-input M11).
 */
#include "mail/charset.h"

#include "base/abnf.h"
#include "base/icu.h"
#include "base/scan.h"

#include <assert.h>
#include <stdlib.h>
#include <unicode/ucasemap.h>
#include <unicode/ucnv.h>
#include <unicode/uidna.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

struct mail_charset {
	const char *name;      /* preferred MIME name, lower case */
	const char *icu;       /* the converter; NULL: UTF-8, which needs none, or `upper` */
	const char *aliases;   /* further names, each between blanks */
	const uint16_t *upper; /* what the bytes from 0xa0 on are; those before are themselves */
};

static const uint16_t iso_8859_16[] = { 0xa0, 0x104, 0x105, 0x141, 0x20ac, 0x201e, 0x160, 0xa7,
	0x161, 0xa9, 0x218, 0xab, 0x179, 0xad, 0x17a, 0x17b, 0xb0, 0xb1, 0x10c, 0x142, 0x17d,
	0x201d, 0xb6, 0xb7, 0x17e, 0x10d, 0x219, 0xbb, 0x152, 0x153, 0x178, 0x17c, 0xc0, 0xc1, 0xc2,
	0x102, 0xc4, 0x106, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf, 0x110,
	0x143, 0xd2, 0xd3, 0xd4, 0x150, 0xd6, 0x15a, 0x170, 0xd9, 0xda, 0xdb, 0xdc, 0x118, 0x21a,
	0xdf, 0xe0, 0xe1, 0xe2, 0x103, 0xe4, 0x107, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xeb, 0xec, 0xed,
	0xee, 0xef, 0x111, 0x144, 0xf2, 0xf3, 0xf4, 0x151, 0xf6, 0x15b, 0x171, 0xf9, 0xfa, 0xfb,
	0xfc, 0x119, 0x21b, 0xff };

/* Names: IANA's registry and the WHATWG labels. ISO-8859-1 reads as windows-1252, ISO-8859-9 as
 * windows-1254, TIS-620 as windows-874, GB2312 as GBK, KS_C_5601 as its superset: mail that is
 * labelled so is usually written in the superset (WHATWG Encoding 4.2). */
static const struct mail_charset charsets[] = {
	{ "us-ascii", NULL, " ascii ansi_x3.4-1968 iso646-us iso-ir-6 us cp367 ibm367 646 " },
	{ "utf-8", NULL, " utf8 unicode-1-1-utf-8 utf_8 utf8mb4 csutf8 " },
	{ "iso-8859-1", "ibm-5348_P100-1997",
		" latin1 l1 iso8859-1 iso88591 iso_8859-1 iso-ir-100 "
		"cp819 ibm819 iso_8859-1:1987 " },
	{ "windows-1252", "ibm-5348_P100-1997", " cp1252 x-cp1252 ansi " },
	{ "iso-8859-2", "ibm-912_P100-1995",
		" latin2 l2 iso8859-2 iso88592 iso_8859-2 iso-ir-101 " },
	{ "iso-8859-3", "ibm-913_P100-2000", " latin3 l3 iso8859-3 iso_8859-3 iso-ir-109 " },
	{ "iso-8859-4", "ibm-914_P100-1995", " latin4 l4 iso8859-4 iso_8859-4 iso-ir-110 " },
	{ "iso-8859-5", "ibm-915_P100-1995", " cyrillic iso8859-5 iso_8859-5 iso-ir-144 " },
	{ "iso-8859-6", "ibm-1089_P100-1995",
		" arabic iso8859-6 iso_8859-6 iso-ir-127 "
		"iso-8859-6-i iso-8859-6-e asmo-708 ecma-114 " },
	{ "iso-8859-7", "ibm-9005_X110-2007",
		" greek greek8 iso8859-7 iso_8859-7 iso-ir-126 "
		"ecma-118 elot_928 " },
	{ "iso-8859-8", "ibm-5012_P100-1999",
		" hebrew iso8859-8 iso_8859-8 iso-ir-138 iso-8859-8-i "
		"iso-8859-8-e logical visual " },
	{ "iso-8859-9", "ibm-5350_P100-1998", " latin5 l5 iso8859-9 iso_8859-9 iso-ir-148 " },
	{ "iso-8859-10", "iso-8859_10-1998", " latin6 l6 iso8859-10 iso_8859-10 iso-ir-157 " },
	{ "iso-8859-13", "ibm-921_P100-1995", " iso8859-13 iso_8859-13 " },
	{ "iso-8859-14", "iso-8859_14-1998", " latin8 l8 iso8859-14 iso_8859-14 iso-celtic " },
	{ "iso-8859-15", "ibm-923_P100-1998",
		" latin9 l9 iso8859-15 iso885915 iso_8859-15 latin-9 " },
	{ "iso-8859-16", NULL,
		" latin10 l10 iso8859-16 iso_8859-16 iso_8859-16:2001 iso-ir-226 csiso885916 ",
		iso_8859_16 },
	{ "windows-874", "ibm-874_P100-1995", " tis-620 tis620 cp874 iso-8859-11 dos-874 " },
	{ "windows-1250", "ibm-5346_P100-1998", " cp1250 x-cp1250 " },
	{ "windows-1251", "ibm-5347_P100-1998", " cp1251 x-cp1251 " },
	{ "windows-1253", "ibm-5349_P100-1998", " cp1253 x-cp1253 " },
	{ "windows-1254", "ibm-5350_P100-1998", " cp1254 x-cp1254 " },
	{ "windows-1255", "ibm-9447_P100-2002", " cp1255 x-cp1255 " },
	{ "windows-1256", "ibm-9448_X100-2005", " cp1256 x-cp1256 " },
	{ "windows-1257", "ibm-9449_P100-2002", " cp1257 x-cp1257 " },
	{ "windows-1258", "ibm-5354_P100-1998", " cp1258 x-cp1258 " },
	{ "koi8-r", "ibm-878_P100-1996", " koi koi8 koi8_r cskoi8r " },
	{ "koi8-u", "ibm-1168_P100-2002", " koi8-ru " },
	{ "macintosh", "macos-0_2-10.2", " mac x-mac-roman macroman x-macroman " },
	{ "x-mac-cyrillic", "macos-7_3-10.2", " x-mac-ukrainian maccyrillic " },
	{ "ibm437", "ibm-437_P100-1995", " cp437 437 " },
	{ "ibm850", "ibm-850_P100-1995", " cp850 850 " },
	{ "ibm852", "ibm-852_P100-1995", " cp852 852 " },
	{ "ibm866", "ibm-866_P100-1995", " cp866 866 " },
	{ "gb18030", "gb18030", " gb-18030 " },
	{ "gbk", "windows-936-2000",
		" cp936 ms936 windows-936 x-gbk gb2312 gb_2312-80 chinese "
		"csgb2312 iso-ir-58 euc-cn x-euc-cn " },
	{ "big5", "windows-950-2000", " big5-hkscs cn-big5 csbig5 x-x-big5 cp950 big-5 " },
	{ "hz-gb-2312", "HZ", " hz " },
	{ "euc-jp", "euc-jp-2007", " x-euc-jp eucjp euc_jp cseucpkdfmtjapanese " },
	{ "shift_jis", "ibm-943_P15A-2003",
		" shift-jis sjis x-sjis ms_kanji windows-31j cp932 ms932 "
		"csshiftjis " },
	{ "iso-2022-jp", "ISO_2022,locale=ja,version=0",
		" iso2022-jp csiso2022jp iso-2022-jp-1 "
		"iso-2022-jp-ms cp50220 cp50221 " },
	{ "iso-2022-jp-2", "ISO_2022,locale=ja,version=2", " csiso2022jp2 " },
	{ "euc-kr", "windows-949-2000",
		" ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 korean "
		"windows-949 cp949 uhc cseuckr iso-ir-149 " },
	{ "iso-2022-kr", "ISO_2022,locale=ko,version=0", " csiso2022kr " },
	{ "utf-16", "UTF-16", " utf16 ucs-2 iso-10646-ucs-2 " },
	{ "utf-16le", "UTF-16LE", " utf16le unicodefffe " },
	{ "utf-16be", "UTF-16BE", " utf16be " },
	{ "utf-32", "UTF-32", " utf32 ucs-4 " },
};

enum { NAME_BYTES = 40, CHUNK = 1024 };

const struct mail_charset *mail_charset_at(size_t i)
{
	return i < ARRAY_LEN(charsets) ? &charsets[i] : NULL;
}

const char *mail_charset_name(const struct mail_charset *c)
{
	return c->name;
}

const struct mail_charset *mail_charset_find(struct str name)
{
	char padded[NAME_BYTES + 2] = " ";
	name = str_trim(name);
	if (name.n >= 2 && name.p[0] == '"' && name.p[name.n - 1] == '"')
		name = str_sub(name, 1, name.n - 2);
	if (name.n == 0 || name.n > NAME_BYTES)
		return NULL;
	for (size_t i = 0; i < name.n; i++) {
		if (!abnf_is_vchar(name.p[i]))
			return NULL;
		padded[i + 1] = ascii_lower(name.p[i]);
	}
	padded[name.n + 1] = ' ';
	struct str with_blanks = str_make(padded, name.n + 2);
	for (size_t i = 0; i < ARRAY_LEN(charsets); i++) {
		struct str aliases = str_from(charsets[i].aliases);
		if (str_equal_nocase(name, str_from(charsets[i].name)) ||
			str_search(aliases, with_blanks) < aliases.n)
			return &charsets[i];
	}
	return NULL;
}

/* ---- conversion ---- */

struct mail_converter {
	UConverter *icu;       /* NULL: UTF-8 in, UTF-8 out, unless `upper` */
	const uint16_t *upper; /* of the charset */
	unsigned char held[4]; /* UTF-8: the beginning of a character */
	size_t held_n;
	UChar surrogate; /* the first half of a pair that the last chunk ended with, or 0 */
};

static UConverter *open_icu(const struct mail_charset *charset)
{
	UErrorCode status = U_ZERO_ERROR;
	if (charset == NULL || charset->icu == NULL)
		return NULL;
	UConverter *icu = ucnv_open(charset->icu, &status);
	return icu_good(status) ? icu : NULL;
}

static struct mail_converter converter(const struct mail_charset *charset)
{
	return (struct mail_converter){ .icu = open_icu(charset),
		.upper = charset == NULL ? NULL : charset->upper };
}

struct mail_converter *mail_converter_new(const struct mail_charset *charset)
{
	struct mail_converter *c = xmalloc(sizeof(*c));
	*c = converter(charset);
	return c;
}

void mail_converter_free(struct mail_converter **c)
{
	if (*c == NULL)
		return;
	ucnv_close((*c)->icu);
	free(*c);
	*c = NULL;
}

#define REPLACEMENT STR("\xef\xbf\xbd") /* U+FFFD */

/* How many bytes of a character begin at p: its length, 0 when it may still become one, or -1 when
 * it cannot. RFC 3629 4 */
static int utf8_prefix(const unsigned char *p, size_t n)
{
	size_t want = p[0] < 0x80                    ? 1
		      : p[0] >= 0xc2 && p[0] <= 0xdf ? 2
		      : (p[0] & 0xf0) == 0xe0        ? 3
		      : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
						     : 0;
	if (want == 0)
		return -1;
	unsigned char low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
	unsigned char high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
	for (size_t i = 1; i < want; i++, low = 0x80, high = 0xbf) {
		if (i == n)
			return 0;
		if (p[i] < low || p[i] > high)
			return -1;
	}
	return (int)want;
}

/* Valid UTF-8 passes; each byte that cannot be part of a character becomes one U+FFFD. */
static bool utf8_input(struct mail_converter *c, struct str in, struct buf *out)
{
	bool fits = true;
	while (in.n > 0 && fits) {
		if (c->held_n > 0 || (unsigned char)in.p[0] >= 0x80) {
			c->held[c->held_n++] = (unsigned char)in.p[0];
			in = str_from_offset(in, 1);
			int n;
			while (c->held_n > 0 && (n = utf8_prefix(c->held, c->held_n)) != 0 &&
				fits) {
				fits = n > 0 ? buf_add(out, c->held, (size_t)n)
					     : buf_adds(out, REPLACEMENT);
				size_t used = n > 0 ? (size_t)n : 1;
				c->held_n -= used;
				memmove(c->held, c->held + used, c->held_n);
			}
			continue;
		}
		size_t n = str_ascii(in);
		fits = buf_add(out, in.p, n);
		in = str_from_offset(in, n);
	}
	return fits;
}

static bool utf8_end(struct mail_converter *c, struct buf *out)
{
	bool fits = c->held_n == 0 || buf_adds(out, REPLACEMENT);
	c->held_n = 0;
	return fits;
}

/* A character as UTF-8; returns its length.     RFC 3629 3 */
static size_t utf8_put(unsigned char b[4], uint32_t code)
{
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	if (code < 0x80) {
		b[0] = (unsigned char)code;
		return 1;
	}
	size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i > 0; i--, code >>= 6)
		b[i] = (unsigned char)(0x80 | (code & 0x3f));
	b[0] = (unsigned char)(lead[n] | code);
	return n;
}

static bool upper_input(const uint16_t *upper, struct str in, struct buf *out)
{
	for (size_t i = 0; i < in.n; i++) {
		unsigned char byte = (unsigned char)in.p[i], bytes[4];
		if (!buf_add(out, bytes, utf8_put(bytes, byte < 0xa0 ? byte : upper[byte - 0xa0])))
			return false;
	}
	return true;
}

/* UTF-16 as UTF-8. A first half of a pair at the end is kept for the next chunk; halves alone
 * become U+FFFD. */
static bool add_utf16(struct mail_converter *c, const UChar *u, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t code = u[i];
		unsigned char bytes[4];
		if (c->surrogate && U16_IS_TRAIL(code))
			code = 0x10000 + ((uint32_t)(c->surrogate & 0x3ff) << 10) + (code & 0x3ff);
		else if (c->surrogate && !buf_adds(out, REPLACEMENT))
			return false;
		c->surrogate = 0;
		if (U16_IS_LEAD(code)) {
			c->surrogate = (UChar)code;
			continue;
		}
		if (U16_IS_TRAIL(code) || code == 0x1a) /* SUB: how ICU marks some failures */
			code = 0xfffd;
		if (!buf_add(out, bytes, utf8_put(bytes, code)))
			return false;
	}
	return true;
}

/* One call of ICU's converter after another until the input is used up. */
static bool icu_input(struct mail_converter *c, struct str in, bool flush, struct buf *out)
{
	const char *from = in.n ? in.p : "", *end = from + in.n;
	UErrorCode status;
	do {
		UChar chunk[CHUNK], *to = chunk;
		status = U_ZERO_ERROR;
		ucnv_toUnicode(c->icu, &to, chunk + CHUNK, &from, end, NULL, flush, &status);
		if (!add_utf16(c, chunk, (size_t)(to - chunk), out))
			return false;
		(void)icu_good(status);
	} while (status == U_BUFFER_OVERFLOW_ERROR);
	return true;
}

bool mail_converter_input(struct mail_converter *c, struct str bytes, struct buf *out)
{
	if (c->upper != NULL)
		return upper_input(c->upper, bytes, out);
	if (c->icu == NULL)
		return utf8_input(c, bytes, out);
	/* ICU counts in int32: long inputs go in pieces. */
	while (bytes.n > 0) {
		struct str piece = str_sub(bytes, 0, 1 << 20);
		if (!icu_input(c, piece, false, out))
			return false;
		bytes = str_from_offset(bytes, piece.n);
	}
	return true;
}

bool mail_converter_end(struct mail_converter *c, struct buf *out)
{
	if (c->icu == NULL)
		return utf8_end(c, out);
	bool fits = icu_input(c, STR(""), true, out);
	if (c->surrogate)
		fits = buf_adds(out, REPLACEMENT) && fits;
	c->surrogate = 0;
	ucnv_reset(c->icu);
	return fits;
}

bool mail_to_utf8(const struct mail_charset *charset, struct str bytes, struct buf *out)
{
	struct mail_converter c = converter(charset);
	bool fits = mail_converter_input(&c, bytes, out) && mail_converter_end(&c, out);
	ucnv_close(c.icu);
	return fits;
}

int mail_charsets_preload(void)
{
	UErrorCode status = U_ZERO_ERROR;
	for (size_t i = 0; i < ARRAY_LEN(charsets); i++) {
		UConverter *icu = open_icu(&charsets[i]);
		if (charsets[i].icu && icu == NULL)
			return -1;
		/* Some converters open others only when a character asks for them. */
		UChar to[16];
		if (icu)
			ucnv_toUChars(
				icu, to, ARRAY_LEN(to), "\x1b$B0!\x1b(B\xa4\xa2", 10, &status);
		status = U_ZERO_ERROR;
		ucnv_close(icu);
	}
	uidna_close(uidna_openUTS46(UIDNA_DEFAULT, &status));
	unorm2_getNFCInstance(&status);
	unorm2_getNFKDInstance(&status);
	UCaseMap *map = ucasemap_open("", U_FOLD_CASE_DEFAULT, &status);
	ucasemap_close(map);
	return icu_good(status) ? 0 : -1;
}
