// SPDX-License-Identifier: Apache-2.0
/*
 * Parameters put together and decoded: continuations and charsets of RFC 2231; and file names made
 * safe. Segments are gathered in one pass into a table by number, so that order, gaps and
 * duplicates cost nothing (hostile-input M8).
 */
#include "mail/param.h"

#include "base/abnf.h"
#include "base/limits.h"
#include "base/scan.h"
#include "mail/charset.h"
#include "mail/encoded.h"

struct segment {
	struct str value;
	bool present;
	bool is_extended; /* "*" at the end of the name: percent-encoded */
};

/* What follows the name: initial-section / other-sections, or only "*".    RFC 2231 7
 * Returns the section's number, or -1. "*" alone is number 0. */
static int section_of(struct str name, struct str wanted, bool *ret_extended)
{
	struct scan s = scan_from(name);
	uint64_t number = 0;
	if (!scan_literal_nocase(&s, wanted) || !scan_char(&s, '*'))
		return -1;
	*ret_extended = scan_end(&s);
	if (*ret_extended)
		return 0;
	bool leading_zero = scan_peek(&s) == '0' && scan_left(&s) > 1 && abnf_is_digit(s.p[1]);
	if (leading_zero || !scan_number(&s, LIMIT_MIME_PARAMS - 1, &number))
		return -1;
	*ret_extended = scan_char(&s, '*');
	return scan_end(&s) ? (int)number : -1;
}

/* The segments of a parameter by number; "name*" comes before "name*0". The first of a number
 * counts. Returns how many there are before the first gap. */
static size_t gather(const struct mail_param *params, size_t n, struct str wanted,
	struct segment table[LIMIT_MIME_PARAMS])
{
	size_t count = 0;
	bool extended, whole = false;
	for (size_t i = 0; i < n; i++) {
		int number = section_of(params[i].name, wanted, &extended);
		bool is_whole = number == 0 && params[i].name.n == wanted.n + 1;
		if (number < 0 || (table[number].present && (!is_whole || whole)))
			continue;
		whole |= is_whole;
		table[number] = (struct segment){ params[i].value, true, extended };
	}
	if (whole)
		return 1;
	while (count < LIMIT_MIME_PARAMS && table[count].present)
		count++;
	return count;
}

/* extended-other-values = *(ext-octet / attribute-char)      RFC 2231 7 */
static bool add_percent_decoded(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		bool is_octet = c == '%' && i + 2 < text.n && abnf_hex_value(text.p[i + 1]) >= 0 &&
				abnf_hex_value(text.p[i + 2]) >= 0;
		if (is_octet) {
			c = (char)(abnf_hex_value(text.p[i + 1]) * 16 +
				   abnf_hex_value(text.p[i + 2]));
			i += 2;
		}
		if (!buf_addc(out, c))
			return false;
	}
	return true;
}

/* extended-initial-value = [charset] "'" [language] "'" extended-other-values   RFC 2231 7
 * Without two quotes all of it is the value. */
static struct str take_charset(struct str *value)
{
	struct str rest = *value, charset = STR_NONE;
	struct str first = str_split(&rest, '\'');
	if (str_find(rest, '\'') < rest.n) {
		charset = first;
		str_split(&rest, '\'');
		*value = rest;
	}
	return charset;
}

/* The bytes of an RFC 2231 parameter; false when there is none of that name. */
static bool add_sections(const struct mail_param *params, size_t n, struct str name,
	struct buf *out, struct str *ret_charset)
{
	struct segment table[LIMIT_MIME_PARAMS] = { 0 };
	size_t count = gather(params, n, name, table);
	bool fits = true;
	*ret_charset = STR_NONE;
	if (count > 0 && table[0].is_extended)
		*ret_charset = take_charset(&table[0].value);
	for (size_t i = 0; i < count && fits; i++)
		fits = table[i].is_extended ? add_percent_decoded(out, table[i].value)
					    : buf_adds(out, table[i].value);
	return count > 0 && fits;
}

bool mail_param_bytes(const struct mail_param *params, size_t n, struct str name, struct buf *out)
{
	size_t before = out->n;
	struct str charset;
	const struct mail_param *plain = mail_param_find(params, n, name);
	if (add_sections(params, n, name, out, &charset))
		return true;
	buf_truncate(out, before);
	return plain != NULL && buf_adds(out, plain->value);
}

/* Text on one line: controls become blanks. */
static void blank_controls(struct buf *b, size_t from)
{
	for (size_t i = from; i < b->n; i++)
		if (abnf_is_ctl(b->p[i]))
			b->p[i] = ' ';
}

static size_t params_bytes(const struct mail_param *params, size_t n)
{
	size_t sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += params[i].value.n;
	return sum;
}

bool mail_param_text(const struct mail_param *params, size_t n, struct str name, struct buf *out)
{
	size_t before = out->n;
	struct str charset;
	struct buf bytes;
	buf_init(&bytes, params_bytes(params, n));
	const struct mail_param *plain = mail_param_find(params, n, name);
	bool ok = add_sections(params, n, name, &bytes, &charset);
	if (ok)
		ok = mail_to_utf8(mail_charset_find(charset), buf_str(&bytes), out);
	else
		ok = plain != NULL && mail_encoded_decode(plain->value, out);
	buf_done(&bytes);
	if (!ok)
		buf_truncate(out, before);
	blank_controls(out, before);
	return ok;
}

/* ---- one parameter for its segments ---- */

/* extended-other-values of a segment that was not percent-encoded */
static bool add_percent_encoded(struct buf *out, struct str text)
{
	bool fits = true;
	for (size_t i = 0; i < text.n && fits; i++) {
		char c = text.p[i];
		bool plain = abnf_is_mime_token(c) && c != '%' && c != '*' && c != '\'';
		fits = plain ? buf_addc(out, c) : buf_addf(out, "%%%02X", (unsigned char)c);
	}
	return fits;
}

/* The segments as one: plain text, or extended-value, still encoded. */
static bool add_joined(struct buf *out, const struct segment *table, size_t count, bool extended)
{
	bool fits = !extended || table[0].is_extended || buf_addz(out, "''");
	for (size_t i = 0; i < count && fits; i++)
		fits = extended && !table[i].is_extended ? add_percent_encoded(out, table[i].value)
							 : buf_adds(out, table[i].value);
	return fits;
}

/* False: there are no segments of that name, or no room. */
static bool join(struct arena *a, const struct mail_param *params, size_t n, struct str name,
	bool decode, struct mail_param *ret)
{
	struct segment table[LIMIT_MIME_PARAMS] = { 0 };
	size_t count = gather(params, n, name, table);
	bool extended = false;
	for (size_t i = 0; i < count; i++)
		extended |= table[i].is_extended;
	struct buf text;
	buf_init(&text, 3 * params_bytes(params, n) + name.n + 8);
	bool ok = count > 0 && buf_adds(&text, name) && (!extended || buf_addc(&text, '*'));
	if (ok)
		ret->name = arena_str(a, buf_str(&text));
	buf_clear(&text);
	ok = ok && (extended && decode ? mail_param_text(params, n, name, &text)
				       : add_joined(&text, table, count, extended));
	if (ok)
		ret->value = arena_str(a, buf_str(&text));
	buf_done(&text);
	return ok && ret->name.p != NULL && ret->value.p != NULL;
}

static bool is_among(const struct str *names, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_equal_nocase(names[i], name))
			return true;
	return false;
}

size_t mail_params_join(struct arena *a, const struct mail_param *params, size_t n, bool decode,
	struct mail_param ret[LIMIT_MIME_PARAMS])
{
	struct str joined[LIMIT_MIME_PARAMS];
	size_t joined_n = 0, count = 0;
	for (size_t i = 0; i < n && i < LIMIT_MIME_PARAMS; i++) {
		bool extended;
		struct str name = str_sub(params[i].name, 0, str_find(params[i].name, '*'));
		bool is_segment = name.n > 0 && section_of(params[i].name, name, &extended) >= 0;
		if (is_segment && is_among(joined, joined_n, name))
			continue;
		if (is_segment && join(a, params, n, name, decode, &ret[count]))
			joined[joined_n++] = name;
		else
			ret[count] = params[i];
		count++;
	}
	return count;
}

/* ---- file names ---- */

enum { FILE_NAME_BYTES = 255 };

/* The bytes of a character at p that has no place in a file name: bidirectional marks, embeddings,
 * overrides and isolates (they can turn "gpj.exe" around), C1 controls, line separators. */
static size_t unwanted_character(struct str s, size_t at)
{
	const unsigned char *p = (const unsigned char *)s.p + at;
	size_t left = s.n - at;
	if (left >= 2 && p[0] == 0xc2 && p[1] < 0xa0)
		return 2;
	if (left >= 2 && p[0] == 0xd8 && p[1] == 0x9c) /* U+061C */
		return 2;
	if (left < 3 || p[0] != 0xe2)
		return 0;
	bool format = p[1] == 0x80 && (p[2] == 0x8e || p[2] == 0x8f ||         /* U+200E, U+200F */
					      (p[2] >= 0xa8 && p[2] <= 0xae)); /* U+2028-U+202E */
	bool isolate = p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9;           /* U+2066-U+2069 */
	return format || isolate ? 3 : 0;
}

/* CON, PRN, AUX, NUL, COM1-9, LPT1-9: devices of Windows, with any extension. */
static bool is_device(struct str name)
{
	static const struct str names[] = { STR_INIT("con"), STR_INIT("prn"), STR_INIT("aux"),
		STR_INIT("nul"), STR_INIT("com"), STR_INIT("lpt") };
	struct str stem = str_trim(str_sub(name, 0, str_find(name, '.')));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		bool numbered = i >= 4;
		if (str_starts_nocase(stem, names[i]) && stem.n == names[i].n + numbered &&
			(!numbered || abnf_is_digit(stem.p[3])))
			return true;
	}
	return false;
}

static bool is_bad_in_file_name(char c)
{
	return abnf_is_ctl(c) || c == ':' || c == '*' || c == '?' || c == '"' || c == '<' ||
	       c == '>' || c == '|';
}

bool mail_file_name(struct str text, struct buf *out)
{
	struct buf b;
	size_t slash = str_find_last(text, '/');
	text = slash < text.n ? str_from_offset(text, slash + 1) : text;
	slash = str_find_last(text, '\\');
	text = slash < text.n ? str_from_offset(text, slash + 1) : text;
	buf_init(&b, text.n * 3 + 16);
	buf_addc(&b, '_'); /* for a device */
	for (size_t i = 0; i < text.n;) {
		size_t skip = unwanted_character(text, i);
		if (skip == 0)
			buf_addc(&b, is_bad_in_file_name(text.p[i]) ? '_' : text.p[i]);
		i += skip ? skip : 1;
	}
	struct str name = str_from_offset(buf_str(&b), 1);
	while (name.n && (name.p[0] == '.' || name.p[0] == ' '))
		name = str_from_offset(name, 1);
	if (is_device(name)) {
		b.p[name.p - b.p - 1] = '_';
		name = str_make(name.p - 1, name.n + 1);
	}
	if (name.n > FILE_NAME_BYTES) {
		name.n = FILE_NAME_BYTES;
		while (name.n && ((unsigned char)name.p[name.n] & 0xc0) == 0x80)
			name.n--;
	}
	while (name.n && (name.p[name.n - 1] == '.' || name.p[name.n - 1] == ' '))
		name.n--;
	bool fits = mail_to_utf8(NULL, name, out);
	buf_done(&b);
	return fits;
}
