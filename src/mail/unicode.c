// SPDX-License-Identifier: Apache-2.0
/* Case folding, i;unicode-casemap, normalization form C, and what no name may hold. Unicode by ICU.
 */
#include "mail/charset.h"

#include "base/abnf.h"
#include "base/icu.h"

#include <stdlib.h>
#include <unicode/ucasemap.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>
#include <unicode/utf8.h>

/* Text goes through ICU in pieces of at most this many bytes, cut between characters. */
enum { PIECE = 4096, FOLD_GROWTH = 3 };

static struct str take_piece(struct str *rest)
{
	size_t n = rest->n < PIECE ? rest->n : PIECE;
	if (n < rest->n)
		while (n > 1 && ((unsigned char)rest->p[n] & 0xc0) == 0x80)
			n--;
	struct str piece = str_make(rest->p, n);
	*rest = str_from_offset(*rest, n);
	return piece;
}

/* ASCII, eight characters at a time: of the letters of one case, which begin with `first`, those of
 * the other. */
static bool change_case(struct str text, char first, struct buf *out)
{
	const uint64_t ones = 0x0101010101010101;
	const uint64_t to_first = (uint64_t)(0x80 - first) * ones, beyond = to_first - 26 * ones;
	char *to = buf_reserve(out, text.n);
	size_t i = 0;
	if (to == NULL)
		return false;
	/* No sum reaches the byte above it. */
	for (uint64_t w; i + sizeof(w) <= text.n; i += sizeof(w)) {
		memcpy(&w, text.p + i, sizeof(w));
		w ^= ((w + to_first) & ~(w + beyond) & ones * 0x80) >> 2;
		memcpy(to + i, &w, sizeof(w));
	}
	for (; i < text.n; i++)
		to[i] = first == 'a' ? ascii_upper(text.p[i]) : ascii_lower(text.p[i]);
	buf_used(out, text.n);
	return true;
}

static bool fold_ascii(struct str text, struct buf *out)
{
	return change_case(text, 'A', out);
}

static bool fold_piece(UCaseMap *map, struct str piece, struct buf *out)
{
	char folded[PIECE * FOLD_GROWTH];
	UErrorCode status = U_ZERO_ERROR;
	int32_t n = ucasemap_utf8FoldCase(
		map, folded, sizeof(folded), piece.p, (int32_t)piece.n, &status);
	return icu_good(status) && buf_add(out, folded, (size_t)n);
}

static bool fold_unicode(struct str text, struct buf *out)
{
	UErrorCode status = U_ZERO_ERROR;
	UCaseMap *map = ucasemap_open("", U_FOLD_CASE_DEFAULT, &status);
	bool fits = icu_good(status);
	while (fits && text.n > 0)
		fits = fold_piece(map, take_piece(&text), out);
	ucasemap_close(map);
	return fits;
}

bool mail_fold_case(struct str utf8, struct buf *out)
{
	if (str_is_ascii(utf8))
		return fold_ascii(utf8, out);
	if (str_is_utf8(utf8))
		return fold_unicode(utf8, out);
	struct buf clean;
	buf_init(&clean, utf8.n * 3 + 16);
	bool fits = mail_to_utf8(NULL, utf8, &clean) && fold_unicode(buf_str(&clean), out);
	buf_done(&clean);
	return fits;
}

/* ---- i;unicode-casemap ---- */

static bool upper_ascii(struct str text, struct buf *out)
{
	return change_case(text, 'a', out);
}

/* A character as UTF-16; how many units. */
static int32_t utf16_of(UChar32 c, UChar *to)
{
	to[0] = c > 0xffff ? (UChar)(0xd7c0 + (c >> 10)) : (UChar)c;
	to[1] = (UChar)(0xdc00 | (c & 0x3ff));
	return c > 0xffff ? 2 : 1;
}

/* RFC 5051 2, (2)(a) and (b), of one character. */
static bool casemap_code_point(const UNormalizer2 *nfkd, UChar32 c, struct buf *out)
{
	UErrorCode status = U_ZERO_ERROR;
	UChar pieces[64];
	char text[3 * ARRAY_LEN(pieces)];
	int32_t bytes = 0;
	c = u_totitle(c);
	int32_t n = unorm2_getDecomposition(nfkd, c, pieces, (int32_t)ARRAY_LEN(pieces), &status);
	if (n <= 0 || !icu_good(status))
		n = utf16_of(c, pieces);
	status = U_ZERO_ERROR;
	u_strToUTF8(text, (int32_t)sizeof(text), &bytes, pieces, n, &status);
	return icu_good(status) && buf_add(out, text, (size_t)bytes);
}

static bool casemap_valid(struct str utf8, struct buf *out)
{
	UErrorCode status = U_ZERO_ERROR;
	const UNormalizer2 *nfkd = unorm2_getNFKDInstance(&status);
	bool fits = icu_good(status);
	for (size_t i = 0; i < utf8.n && fits;) {
		UChar32 c = (unsigned char)utf8.p[i];
		if (c < 0x80) {
			i++;
			fits = buf_addc(out, ascii_upper((char)c));
			continue;
		}
		U8_NEXT_UNSAFE(utf8.p, i, c);
		fits = casemap_code_point(nfkd, c, out);
	}
	return fits;
}

bool mail_casemap(struct str utf8, struct buf *out)
{
	if (str_is_ascii(utf8))
		return upper_ascii(utf8, out);
	if (str_is_utf8(utf8))
		return casemap_valid(utf8, out);
	struct buf clean;
	buf_init(&clean, utf8.n * 3 + 16);
	bool fits = mail_to_utf8(NULL, utf8, &clean) && casemap_valid(buf_str(&clean), out);
	buf_done(&clean);
	return fits;
}

bool mail_search_text(struct str utf8, struct buf *out)
{
	if (str_is_ascii(utf8))
		return upper_ascii(utf8, out);
	struct buf folded;
	buf_init(&folded, utf8.n * 9 + 64);
	bool fits = mail_fold_case(utf8, &folded) && casemap_valid(buf_str(&folded), out);
	buf_done(&folded);
	return fits;
}

/* The text as UTF-16, to be freed; *ret_n units. Each byte of UTF-8 gives at most one. */
static UChar *to_utf16(struct str utf8, int32_t *ret_n)
{
	UErrorCode status = U_ZERO_ERROR;
	if (utf8.n > INT32_MAX / 8 || !str_is_utf8(utf8))
		return NULL;
	UChar *u = xcalloc(utf8.n + 1, sizeof(*u));
	u_strFromUTF8(
		u, (int32_t)utf8.n + 1, ret_n, utf8.n ? utf8.p : "", (int32_t)utf8.n, &status);
	(void)icu_good(status);
	return u;
}

bool mail_is_nfc(struct str utf8)
{
	UErrorCode status = U_ZERO_ERROR;
	int32_t n = 0;
	if (str_is_ascii(utf8))
		return true;
	UChar *u = to_utf16(utf8, &n);
	if (u == NULL)
		return false;
	UBool normal = unorm2_isNormalized(unorm2_getNFCInstance(&status), u, n, &status);
	free(u);
	return icu_good(status) && normal;
}

/* One UTF-16 unit becomes at most 3 bytes; NFC lengthens UTF-16 by at most 3 (UAX 15). */
bool mail_to_nfc(struct str utf8, struct buf *out)
{
	UErrorCode status = U_ZERO_ERROR;
	int32_t n = 0, nfc_n = 0, bytes = 0;
	if (str_is_ascii(utf8))
		return buf_adds(out, utf8);
	UChar *u = to_utf16(utf8, &n);
	if (u == NULL)
		return false;
	int32_t cap = n * 3 + 1;
	UChar *nfc = xcalloc((size_t)cap, sizeof(*nfc));
	char *text = xmalloc((size_t)cap * 3);
	nfc_n = unorm2_normalize(unorm2_getNFCInstance(&status), u, n, nfc, cap, &status);
	u_strToUTF8(text, cap * 3, &bytes, nfc, nfc_n, &status);
	bool fits = icu_good(status) && buf_add(out, text, (size_t)bytes);
	free(u);
	free(nfc);
	free(text);
	return fits;
}

bool mail_has_unsafe(struct str utf8)
{
	if (str_printable(utf8) == utf8.n)
		return false;
	if (!str_is_utf8(utf8) || str_has_control(utf8))
		return true;
	for (size_t i = 0; i + 1 < utf8.n; i++) {
		const unsigned char *p = (const unsigned char *)utf8.p + i;
		if (p[0] == 0xc2 && p[1] <= 0x9f) /* U+0080-U+009F, NEL among them */
			return true;
		if (p[0] == 0xe2 && p[1] == 0x80 && i + 2 < utf8.n && (p[2] & 0xfe) == 0xa8)
			return true; /* U+2028, U+2029 */
	}
	return false;
}
