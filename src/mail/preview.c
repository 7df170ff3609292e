// SPDX-License-Identifier: Apache-2.0
/*
 * The preview: the first characters of the text a reader would see (RFC 8970). The first bytes of
 * the first text/plain part are kept, or else of the first text/html part, decoded when the part
 * ends. HTML is not parsed: what stands between < and > is left out, and of style and script all;
 * character references are read (mail/reference.h). Nothing expands (hostile-input M12).
 */
#include "mail/mime_private.h"

#include "base/abnf.h"
#include "mail/charset.h"
#include "mail/reference.h"

/* Raw bytes looked at. 200 characters in base64 of UTF-32 are 1,100; HTML mail often begins with
 * kilobytes of style. */
enum { RAW_PLAIN = 2048, RAW_HTML = 24 * 1024 };

void preview_init(struct preview *p)
{
	*p = (struct preview){ .capturing = false };
	buf_init(&p->raw, RAW_HTML);
	buf_init(&p->text, 4 * LIMIT_PREVIEW_CHARS);
}

void preview_done(struct preview *p)
{
	buf_done(&p->raw);
	buf_done(&p->text);
}

bool preview_wants(const struct preview *p, bool is_html)
{
	return p->text.n == 0 || (p->is_html && !is_html);
}

void preview_begin(struct preview *p, bool is_html, enum mail_encoding encoding, struct str charset)
{
	buf_clear(&p->raw);
	if (charset.n > sizeof(p->charset))
		charset.n = 0;
	if (charset.n)
		memcpy(p->charset, charset.p, charset.n);
	p->charset_name = str_make(p->charset, charset.n);
	p->encoding = encoding;
	p->is_html = is_html;
	p->capturing = true;
	(void)buf_reserve(&p->raw, RAW_PLAIN);
}

size_t preview_room(const struct preview *p)
{
	size_t max = p->is_html ? RAW_HTML : RAW_PLAIN;
	return p->capturing && p->raw.n < max ? max - p->raw.n : 0;
}

void preview_input(struct preview *p, struct str bytes)
{
	size_t room = preview_room(p);
	if (room > 0)
		buf_adds(&p->raw, str_sub(bytes, 0, room));
}

/* ---- markup ---- */

/* Passes a tag; with style and script also what they hold. s is behind the "<". */
static void skip_tag(struct str *s)
{
	static const struct str hidden[] = { STR_INIT("style"), STR_INIT("script"),
		STR_INIT("title"), STR_INIT("head") };
	static const struct str closing[] = { STR_INIT("</style"), STR_INIT("</script"),
		STR_INIT("</title"), STR_INIT("</head") };
	struct str tag = *s;
	if (str_starts(*s, STR("!--"))) {
		*s = str_from_offset(*s, str_search(*s, STR("-->")) + 3);
		return;
	}
	str_split(s, '>');
	for (size_t i = 0; i < ARRAY_LEN(hidden); i++) {
		bool is_it = str_starts_nocase(tag, hidden[i]) && tag.n > hidden[i].n &&
			     !abnf_is_alnum(tag.p[hidden[i].n]);
		if (!is_it)
			continue;
		while (s->n > 0 && !str_starts_nocase(*s, closing[i]))
			*s = str_from_offset(*s, 1);
		str_split(s, '>');
	}
}

static void strip_markup(struct str html, struct buf *out)
{
	while (html.n > 0) {
		char c = html.p[0];
		if (c == '&' && mail_reference(&html, out))
			continue;
		html = str_from_offset(html, 1);
		if (c == '<') {
			skip_tag(&html);
			c = ' ';
		}
		buf_addc(out, c);
	}
}

/* ---- the line ---- */

/* U+2000 to U+200A, U+202F, U+205F, U+3000, the no-break space and the byte order mark */
static bool is_space(struct str c)
{
	static const struct str some[] = { STR_INIT(" "), STR_INIT("\xc2\xa0"),
		STR_INIT("\xe2\x80\xaf"), STR_INIT("\xe2\x81\x9f"), STR_INIT("\xe3\x80\x80"),
		STR_INIT("\xef\xbb\xbf") };
	for (size_t i = 0; i < ARRAY_LEN(some); i++)
		if (str_equal(c, some[i]))
			return true;
	return c.n == 3 && str_starts(c, STR("\xe2\x80")) && (unsigned char)c.p[2] <= 0x8a;
}

/* What has no width: soft hyphen, grapheme joiner, U+200B to U+200F, word joiner. Newsletters pad
 * what they want shown with hundreds of these between blanks. */
static bool is_invisible(struct str c)
{
	if (str_equal(c, STR("\xc2\xad")) || str_equal(c, STR("\xcd\x8f")) ||
		str_equal(c, STR("\xe2\x81\xa0")))
		return true;
	return c.n == 3 && str_starts(c, STR("\xe2\x80")) && (unsigned char)c.p[2] >= 0x8b &&
	       (unsigned char)c.p[2] <= 0x8f;
}

/* Bytes of the character at the front; what is no text counts as a blank, and so does what can't be
 * seen and follows one. */
static size_t character(struct str s, bool behind_blank, bool *ret_blank)
{
	static const size_t length[] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4 };
	size_t n = length[(unsigned char)s.p[0] >> 4];
	struct str c = str_sub(s, 0, n);
	*ret_blank = is_space(c) || mail_has_unsafe(c) || (behind_blank && is_invisible(c));
	return c.n;
}

/* How many of the first characters are plain ones, a byte each: most text is made of these. */
static size_t plain_run(struct str s, size_t most)
{
	size_t n = 0;
	while (n < s.n && n < most && abnf_is_vchar(s.p[n]))
		n++;
	return n;
}

/* Runs of blanks become one; at most LIMIT_PREVIEW_CHARS characters. */
static void collapse(struct str text, struct buf *out)
{
	size_t count = 0;
	bool gap = false, blank;
	while (text.n > 0 && count < LIMIT_PREVIEW_CHARS) {
		bool apart = gap && count > 0;
		size_t run = plain_run(text, LIMIT_PREVIEW_CHARS - count - apart);
		size_t n = run;
		blank = false;
		if (run == 0)
			n = character(text, gap || count == 0, &blank);
		if (!blank && apart) {
			if (count + 2 > LIMIT_PREVIEW_CHARS)
				break;
			buf_addc(out, ' ');
			count++;
		}
		if (!blank) {
			buf_add(out, text.p, n);
			count += run ? run : 1;
		}
		gap = blank;
		text = str_from_offset(text, n);
	}
}

void preview_end(struct preview *p)
{
	struct mail_decoder decoder;
	struct buf bytes, text, plain;
	const struct mail_charset *charset = mail_charset_find(p->charset_name);
	p->capturing = false;
	buf_init(&bytes, RAW_HTML + 2048);
	buf_init(&text, 3 * (RAW_HTML + 2048) + 16);
	buf_init(&plain, 3 * (RAW_HTML + 2048) + 16);
	mail_decoder_init(&decoder, p->encoding);
	mail_decoder_input(&decoder, buf_str(&p->raw), &bytes);
	mail_decoder_end(&decoder, &bytes);
	/* No charset named, and no UTF-8: as in mail/encoded.h. */
	if (p->charset_name.n == 0 && !str_is_utf8(buf_str(&bytes)))
		charset = mail_charset_find(STR("windows-1252"));
	mail_to_utf8(charset, buf_str(&bytes), &text);
	if (p->is_html)
		strip_markup(buf_str(&text), &plain);
	buf_clear(&p->text);
	collapse(buf_str(p->is_html ? &plain : &text), &p->text);
	buf_release(&p->raw);
	buf_done(&bytes);
	buf_done(&text);
	buf_done(&plain);
}
