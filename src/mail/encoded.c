// SPDX-License-Identifier: Apache-2.0
/*
 * Encoded words, RFC 2047. Decoding walks over the text once. Neighbouring words of one charset
 * share one converter that is flushed when the run ends, so that a character cut in two by a
 * thoughtless sender is whole again; blanks between words vanish (RFC 2047 6.2).
 */
#include "mail/encoded.h"

#include "base/abnf.h"
#include "base/limits.h"
#include "base/scan.h"
#include "mail/charset.h"
#include "mail/transfer.h"

struct word {
	const struct mail_charset *charset;
	bool is_base64; /* "B"; otherwise "Q" */
	struct str text;
};

struct decoding {
	struct buf *out;
	struct buf bytes; /* of the word at hand */
	struct mail_converter *converter;
	const struct mail_charset *charset; /* of the run of words, or NULL: not in one */
	bool fits;
};

static bool is_token(char c)
{
	return abnf_is_vchar(c) && c != '?' && c != '=';
}

/* encoded-word = "=?" charset ["*" language] "?" encoding "?" encoded-text "?="
 * RFC 2047 2, RFC 2231 5. Blanks in a "Q" text are forbidden, and common: they are taken. */
static bool word_scan(struct scan *s, struct word *ret)
{
	struct scan w = *s;
	struct str charset, text;
	if (!scan_literal_nocase(&w, STR("=?")))
		return false;
	charset = scan_while(&w, is_token);
	charset = str_split(&charset, '*');
	if (!scan_char(&w, '?'))
		return false;
	int encoding = scan_peek(&w);
	bool is_base64 = encoding == 'b' || encoding == 'B';
	if (!is_base64 && encoding != 'q' && encoding != 'Q')
		return false;
	w.p++;
	if (!scan_char(&w, '?'))
		return false;
	struct scan bounded = w;
	if (scan_left(&bounded) > LIMIT_ENCODED_WORD_BYTES)
		bounded.end = bounded.p + LIMIT_ENCODED_WORD_BYTES;
	if (!scan_until(&bounded, '?', &text))
		return false;
	w.p = bounded.p + 1;
	if (!scan_char(&w, '='))
		return false;
	*ret = (struct word){ mail_charset_find(charset), is_base64, text };
	if (ret->charset == NULL)
		return false;
	*s = w;
	return true;
}

/* Text of a Q word: "_" is a blank, "=XX" a byte, the rest itself.  RFC 2047 4.2 */
static void q_decode(struct str text, struct buf *out)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		bool is_hex = c == '=' && i + 2 < text.n && abnf_hex_value(text.p[i + 1]) >= 0 &&
			      abnf_hex_value(text.p[i + 2]) >= 0;
		if (is_hex) {
			c = (char)(abnf_hex_value(text.p[i + 1]) * 16 +
				   abnf_hex_value(text.p[i + 2]));
			i += 2;
		} else if (c == '_') {
			c = ' ';
		}
		buf_addc(out, c);
	}
}

static void run_end(struct decoding *d)
{
	if (d->charset)
		d->fits = mail_converter_end(d->converter, d->out) && d->fits;
	d->charset = NULL;
}

static void word_decode(struct decoding *d, const struct word *w)
{
	struct mail_decoder decoder;
	if (d->charset != w->charset) {
		run_end(d);
		mail_converter_free(&d->converter);
		d->converter = mail_converter_new(w->charset);
		d->charset = w->charset;
	}
	buf_clear(&d->bytes);
	if (w->is_base64) {
		mail_decoder_init(&decoder, MAIL_BASE64);
		mail_decoder_input(&decoder, w->text, &d->bytes);
		mail_decoder_end(&decoder, &d->bytes);
	} else {
		q_decode(w->text, &d->bytes);
	}
	d->fits = mail_converter_input(d->converter, buf_str(&d->bytes), d->out) && d->fits;
}

/* Text outside words. RFC 6532 says UTF-8; what is not was most often written in windows-1252. */
static void plain_decode(struct decoding *d, struct str text)
{
	bool utf8 = str_is_utf8(text);
	run_end(d);
	if (text.n > 0)
		d->fits = mail_to_utf8(utf8 ? NULL : mail_charset_find(STR("windows-1252")), text,
				  d->out) &&
			  d->fits;
}

/* Controls, C1 and the line separators among them, become blanks. M9 */
static void replace_controls(struct buf *b, size_t from)
{
	for (size_t i = from; i < b->n; i++) {
		unsigned char *p = (unsigned char *)b->p + i;
		if (abnf_is_ctl((char)*p))
			*p = ' ';
		else if (i + 1 < b->n && p[0] == 0xc2 && p[1] < 0xa0)
			p[0] = p[1] = ' ';
		else if (i + 2 < b->n && p[0] == 0xe2 && p[1] == 0x80 && (p[2] & 0xfe) == 0xa8)
			p[0] = p[1] = p[2] = ' ';
	}
}

/* Where the next "=?" is, or the end. */
static const char *next_mark(struct scan *s)
{
	struct str rest = scan_rest(s);
	return rest.p + str_search(rest, STR("=?"));
}

static bool is_blank(struct str s)
{
	return str_trim(s).n == 0;
}

bool mail_encoded_decode(struct str text, struct buf *out)
{
	struct decoding d = { .out = out, .fits = true };
	struct scan s = scan_from(text);
	const char *plain = s.p; /* what was not given yet */
	size_t from = out->n;
	struct word w;
	buf_init(&d.bytes, LIMIT_ENCODED_WORD_BYTES + 2048);
	while (d.fits && !scan_end(&s)) {
		const char *mark = next_mark(&s);
		s.p = mark;
		if (scan_end(&s))
			break;
		if (!word_scan(&s, &w)) {
			s.p = mark + 2;
			continue;
		}
		struct str before = str_make(plain, (size_t)(mark - plain));
		if (d.charset == NULL || !is_blank(before))
			plain_decode(&d, before);
		word_decode(&d, &w);
		plain = s.p;
	}
	if (d.fits)
		plain_decode(&d, str_make(plain, (size_t)(s.end - plain)));
	replace_controls(out, from);
	mail_converter_free(&d.converter);
	buf_done(&d.bytes);
	return d.fits;
}

/* ---- writing ---- */

/* "=?utf-8?B?" and "?=" leave 63 characters of base64, which is 45 bytes. RFC 2047 2 */
enum { WORD_BYTES = 45 };

/* Whether the text may stand as it is: printable ASCII in which nothing looks like a word. */
static bool is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!abnf_is_vchar(s.p[i]) && s.p[i] != ' ')
			return false;
	return str_search(s, STR("=?")) == s.n;
}

/* As many whole characters as fit into one word. */
static struct str take_word(struct str *rest)
{
	size_t n = rest->n < WORD_BYTES ? rest->n : WORD_BYTES;
	if (n < rest->n)
		while (n > WORD_BYTES - 4 && ((unsigned char)rest->p[n] & 0xc0) == 0x80)
			n--;
	struct str taken = str_make(rest->p, n);
	*rest = str_from_offset(*rest, n);
	return taken;
}

bool mail_encoded_encode(struct str utf8, struct buf *out)
{
	size_t before = out->n;
	struct buf clean;
	if (is_plain(utf8))
		return buf_adds(out, utf8);
	buf_init(&clean, utf8.n * 3 + 16);
	bool fits = mail_to_utf8(NULL, utf8, &clean);
	replace_controls(&clean, 0);
	for (struct str rest = buf_str(&clean); fits && rest.n > 0;) {
		fits = (out->n == before || buf_addz(out, "\r\n ")) &&
		       buf_addz(out, "=?utf-8?B?") && buf_add_base64(out, take_word(&rest)) &&
		       buf_addz(out, "?=");
	}
	if (!fits)
		buf_truncate(out, before);
	buf_done(&clean);
	return fits;
}
