// SPDX-License-Identifier: Apache-2.0
/* Content-Transfer-Encodings, decoded byte by byte. RFC 2045 6 */
#include "mail/transfer.h"

#include "base/abnf.h"
#include "mail/address.h"

enum { SLACK = 1024 };

enum mail_encoding mail_encoding_from(struct str value)
{
	static const struct {
		struct str name;
		enum mail_encoding encoding;
	} table[] = {
		{ STR_INIT("7bit"), MAIL_7BIT },
		{ STR_INIT("8bit"), MAIL_8BIT },
		{ STR_INIT("binary"), MAIL_BINARY },
		{ STR_INIT("quoted-printable"), MAIL_QUOTED_PRINTABLE },
		{ STR_INIT("base64"), MAIL_BASE64 },
	};
	char word[64];
	struct buf b = { .p = word, .cap = sizeof(word), .max = sizeof(word) - 1 };
	enum mail_encoding found = MAIL_ENCODING_UNKNOWN;
	mail_strip_comments(str_sub(value, 0, 1000), &b);
	struct str name = str_trim(buf_str(&b));
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (str_equal_nocase(name, table[i].name))
			found = table[i].encoding;
	return found;
}

void mail_decoder_init(struct mail_decoder *d, enum mail_encoding encoding)
{
	*d = (struct mail_decoder){ .encoding = encoding };
}

/* ---- base64                                  RFC 2045 6.8, RFC 4648 4 ---- */

/* The value of a character of the alphabet; 64 for "=", 65 for anything else. */
static unsigned base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (unsigned)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (unsigned)(c - 'a') + 26;
	if (abnf_is_digit(c))
		return (unsigned)(c - '0') + 52;
	return c == '+' ? 62 : c == '/' ? 63 : c == '=' ? 64 : 65;
}

static bool is_line_blank(char c)
{
	return c == '\r' || c == '\n' || c == ' ' || c == '\t';
}

/* The whole bytes of a group that ends early; what is left of it is dropped. */
static size_t base64_flush(struct mail_decoder *d, char *to)
{
	size_t n = d->bits_n > 1 ? (size_t)d->bits_n - 1 : 0;
	if (n > 0)
		to[0] = (char)(d->bits >> (d->bits_n * 6 - 8));
	if (n > 1)
		to[1] = (char)(d->bits >> (d->bits_n * 6 - 16));
	d->malformed |= d->bits_n == 1;
	d->bits = d->bits_n = 0;
	return n;
}

static size_t base64_input(struct mail_decoder *d, struct str in, char *to)
{
	size_t n = 0;
	for (size_t i = 0; i < in.n; i++) {
		unsigned v = base64_value(in.p[i]);
		if (v == 64) {
			n += base64_flush(d, to + n);
			continue;
		}
		if (v > 64) {
			d->malformed |= !is_line_blank(in.p[i]);
			continue;
		}
		d->bits = d->bits << 6 | v;
		if (++d->bits_n == 4) {
			to[n++] = (char)(d->bits >> 16);
			to[n++] = (char)(d->bits >> 8);
			to[n++] = (char)d->bits;
			d->bits = d->bits_n = 0;
		}
	}
	return n;
}

/* ---- quoted-printable                        RFC 2045 6.7 ---- */

enum {
	QP_TEXT,
	QP_BLANKS,      /* blanks held: they go when a line end follows */
	QP_EQUALS,      /* "=" */
	QP_HEX,         /* "=" and one hex digit, in d->hex */
	QP_SOFT_BLANKS, /* "=" and blanks, held: a soft break when a line end follows */
	QP_SOFT_CR,     /* "=", blanks, CR */
	QP_BLANKS_CR,   /* blanks, CR */
};

static size_t qp_give_held(struct mail_decoder *d, char *to)
{
	size_t n = d->blanks;
	memcpy(to, d->held, n);
	d->blanks = 0;
	return n;
}

/* Something was held that turned out to be text: it is given, and the state is QP_TEXT. */
static size_t qp_release(struct mail_decoder *d, char *to)
{
	size_t n = 0;
	bool equals = d->state == QP_EQUALS || d->state == QP_HEX || d->state == QP_SOFT_BLANKS ||
		      d->state == QP_SOFT_CR;
	if (equals) {
		to[n++] = '=';
		d->malformed = true;
	}
	if (d->state == QP_HEX)
		to[n++] = (char)d->hex;
	n += qp_give_held(d, to + n);
	if (d->state == QP_SOFT_CR || d->state == QP_BLANKS_CR)
		to[n++] = '\r';
	d->state = QP_TEXT;
	return n;
}

static void qp_hold(struct mail_decoder *d, uint8_t state, char c)
{
	d->held[d->blanks++] = c;
	d->state = state;
}

/* A byte when nothing is held. */
static size_t qp_text(struct mail_decoder *d, char c, char *to)
{
	if (c == '=')
		d->state = QP_EQUALS;
	else if (abnf_is_wsp(c))
		qp_hold(d, QP_BLANKS, c);
	else
		to[0] = c;
	return d->state == QP_TEXT;
}

static size_t qp_byte(struct mail_decoder *d, char c, char *to)
{
	bool soft = d->state == QP_EQUALS || d->state == QP_SOFT_BLANKS;
	bool after_cr = d->state == QP_SOFT_CR || d->state == QP_BLANKS_CR;
	size_t n = 0;
	if (d->state == QP_TEXT)
		return qp_text(d, c, to);
	if (c == '\n' && (soft || d->state == QP_SOFT_CR)) {
		d->blanks = 0;
		d->state = QP_TEXT;
		return 0;
	}
	if (c == '\n' && d->state != QP_HEX) { /* trailing blanks of a line go */
		if (d->state == QP_BLANKS_CR)
			to[n++] = '\r';
		d->blanks = 0;
		d->state = QP_TEXT;
		to[n++] = '\n';
		return n;
	}
	if (c == '\r' && !after_cr && d->state != QP_HEX) {
		d->state = soft ? QP_SOFT_CR : QP_BLANKS_CR;
		return 0;
	}
	if (abnf_is_wsp(c) && !after_cr && d->state != QP_HEX && d->blanks < sizeof(d->held)) {
		qp_hold(d, soft ? QP_SOFT_BLANKS : QP_BLANKS, c);
		return 0;
	}
	if (d->state == QP_EQUALS && abnf_hex_value(c) >= 0) {
		d->hex = (uint8_t)c;
		d->state = QP_HEX;
		return 0;
	}
	if (d->state == QP_HEX && abnf_hex_value(c) >= 0) {
		to[0] = (char)(abnf_hex_value((char)d->hex) * 16 + abnf_hex_value(c));
		d->state = QP_TEXT;
		return 1;
	}
	n = qp_release(d, to);
	return n + qp_text(d, c, to + n);
}

static size_t qp_input(struct mail_decoder *d, struct str in, char *to)
{
	size_t n = 0;
	for (size_t i = 0; i < in.n; i++)
		n += qp_byte(d, in.p[i], to + n);
	return n;
}

/* At the end of the data "=" and blanks are a soft break, and blanks are trailing. */
static size_t qp_end(struct mail_decoder *d, char *to)
{
	if (d->state == QP_BLANKS || d->state == QP_EQUALS || d->state == QP_SOFT_BLANKS) {
		d->blanks = 0;
		d->state = QP_TEXT;
	}
	return qp_release(d, to);
}

/* ---- all ---- */

bool mail_decoder_input(struct mail_decoder *d, struct str in, struct buf *out)
{
	if (d->encoding != MAIL_BASE64 && d->encoding != MAIL_QUOTED_PRINTABLE)
		return buf_adds(out, in);
	char *to = buf_reserve(out, in.n + SLACK);
	if (to == NULL)
		return false;
	buf_used(out, d->encoding == MAIL_BASE64 ? base64_input(d, in, to) : qp_input(d, in, to));
	return true;
}

bool mail_decoder_end(struct mail_decoder *d, struct buf *out)
{
	if (d->encoding != MAIL_BASE64 && d->encoding != MAIL_QUOTED_PRINTABLE)
		return true;
	char *to = buf_reserve(out, SLACK);
	if (to == NULL)
		return false;
	buf_used(out, d->encoding == MAIL_BASE64 ? base64_flush(d, to) : qp_end(d, to));
	return true;
}
