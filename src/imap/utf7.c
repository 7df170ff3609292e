// SPDX-License-Identifier: Apache-2.0
/* Modified UTF-7. RFC 3501 5.1.3: printable US-ASCII but "&" stands for itself, "&-" is "&", and
 * "&...-" holds UTF-16 in base64 with "," for "/" and without padding. */
#include "imap/utf7.h"

#include "base/scan.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static int base64_value(char c)
{
	const char *at = c == 0 ? NULL : strchr(alphabet, c);
	return at == NULL ? -1 : (int)(at - alphabet);
}

static bool is_direct(uint32_t c)
{
	return c >= 0x20 && c <= 0x7e;
}

static bool add_utf8(struct buf *out, uint32_t c)
{
	char b[4];
	size_t n;
	if (c < 0x800) {
		b[0] = (char)(0xc0 | c >> 6);
		n = 2;
	} else if (c < 0x10000) {
		b[0] = (char)(0xe0 | c >> 12);
		n = 3;
	} else {
		b[0] = (char)(0xf0 | c >> 18);
		n = 4;
	}
	for (size_t i = 1; i < n; i++)
		b[i] = (char)(0x80 | (c >> (6 * (n - 1 - i)) & 0x3f));
	if (c < 0x80)
		return buf_addc(out, (char)c);
	return buf_add(out, b, n);
}

/* UTF-16 units as they come out of base64. */
struct units {
	uint32_t bits, n_bits; /* not yet a unit */
	uint32_t high;         /* a high surrogate that waits for its low one */
	bool any;
};

/* One unit: a character that must have been encoded, or half of a pair. */
static bool take_unit(struct units *u, uint32_t unit, struct buf *out)
{
	u->any = true;
	if (u->high) {
		if (unit < 0xdc00 || unit > 0xdfff)
			return false;
		uint32_t c = 0x10000 + ((u->high - 0xd800) << 10) + (unit - 0xdc00);
		u->high = 0;
		return add_utf8(out, c);
	}
	if (unit >= 0xd800 && unit <= 0xdbff) {
		u->high = unit;
		return true;
	}
	/* NUL, which no name holds; a lone low surrogate; what stands for itself. */
	if (unit == 0 || (unit >= 0xdc00 && unit <= 0xdfff) || is_direct(unit))
		return false;
	return add_utf8(out, unit);
}

/* What follows "&", up to and with its "-". */
static bool decode_shift(struct scan *s, struct buf *out)
{
	if (scan_char(s, '-'))
		return buf_addc(out, '&');
	struct units u = { 0 };
	while (!scan_end(s)) {
		char c = *s->p++;
		if (c == '-') /* leftover bits: fewer than a digit, and zero */
			return u.any && !u.high && u.n_bits < 6 && u.bits == 0;
		int v = base64_value(c);
		if (v < 0)
			return false;
		u.bits = u.bits << 6 | (uint32_t)v;
		u.n_bits += 6;
		if (u.n_bits < 16)
			continue;
		u.n_bits -= 16;
		uint32_t unit = u.bits >> u.n_bits;
		u.bits &= (1U << u.n_bits) - 1;
		if (!take_unit(&u, unit, out))
			return false;
	}
	return false;
}

static bool decode(struct scan *s, struct buf *out)
{
	while (!scan_end(s)) {
		char c = *s->p++;
		if (c != '&') {
			if (!is_direct((unsigned char)c) || !buf_addc(out, c))
				return false;
			continue;
		}
		bool shifted = scan_peek(s) != '-';
		if (!decode_shift(s, out))
			return false;
		/* "&AOQ-&APY-" should have been one shift: two spellings of one name. */
		if (shifted && scan_peek(s) == '&' && scan_left(s) > 1 && s->p[1] != '-')
			return false;
	}
	return true;
}

bool utf7_decode(struct str in, struct buf *out)
{
	size_t start = out->n;
	struct scan s = scan_from(in);
	if (decode(&s, out))
		return true;
	buf_truncate(out, start);
	return false;
}

/* ---- encoding ---- */

/* The next character of valid UTF-8. */
static uint32_t next_char(struct scan *s)
{
	uint32_t c = (unsigned char)*s->p++;
	if (c < 0x80)
		return c;
	int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
	c &= 0x3fU >> more;
	for (; more > 0; more--)
		c = c << 6 | ((unsigned char)*s->p++ & 0x3f);
	return c;
}

static bool put_unit(struct units *u, uint32_t unit, struct buf *out)
{
	u->bits = u->bits << 16 | unit;
	u->n_bits += 16;
	while (u->n_bits >= 6) {
		u->n_bits -= 6;
		if (!buf_addc(out, alphabet[u->bits >> u->n_bits & 0x3f]))
			return false;
	}
	u->bits &= (1U << u->n_bits) - 1;
	return true;
}

static bool put_char(struct units *u, uint32_t c, struct buf *out)
{
	if (c < 0x10000)
		return put_unit(u, c, out);
	c -= 0x10000;
	return put_unit(u, 0xd800 + (c >> 10), out) && put_unit(u, 0xdc00 + (c & 0x3ff), out);
}

/* A run of characters that do not stand for themselves. */
static bool encode_shift(struct scan *s, struct buf *out)
{
	struct units u = { 0 };
	if (!buf_addc(out, '&'))
		return false;
	while (!scan_end(s) && !is_direct((unsigned char)*s->p)) {
		if (!put_char(&u, next_char(s), out))
			return false;
	}
	if (u.n_bits > 0 && !buf_addc(out, alphabet[u.bits << (6 - u.n_bits) & 0x3f]))
		return false;
	return buf_addc(out, '-');
}

static bool encode(struct scan *s, struct buf *out)
{
	while (!scan_end(s)) {
		if (!is_direct((unsigned char)*s->p)) {
			if (!encode_shift(s, out))
				return false;
			continue;
		}
		char c = *s->p++;
		if (!(c == '&' ? buf_addz(out, "&-") : buf_addc(out, c)))
			return false;
	}
	return true;
}

bool utf7_encode(struct str in, struct buf *out)
{
	size_t start = out->n;
	struct scan s = scan_from(in);
	if (str_is_utf8(in) && str_find(in, 0) == in.n && encode(&s, out))
		return true;
	buf_truncate(out, start);
	return false;
}
