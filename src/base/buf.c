// SPDX-License-Identifier: Apache-2.0
/* Owned bytes with a maximum. */
#include "base/buf.h"

#include "base/abnf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *b, size_t max)
{
	assert(max < SIZE_MAX / 4);
	*b = (struct buf){ .max = max };
}

void buf_done(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ .max = b->max };
}

void buf_clear(struct buf *b)
{
	b->n = 0;
	b->full = false;
	if (b->p)
		b->p[0] = '\0';
}

void buf_release(struct buf *b)
{
	buf_done(b);
}

void buf_give_memory(struct buf *from, struct buf *to)
{
	assert(from->n == 0);
	if (from->p == NULL || to->p != NULL || from->cap > to->max + 1)
		return;
	to->p = from->p;
	to->cap = from->cap;
	buf_clear(to);
	from->p = NULL;
	from->cap = 0;
}

char *buf_reserve(struct buf *b, size_t n)
{
	if (n > b->max - b->n) {
		b->full = true;
		return NULL;
	}
	size_t need = b->n + n + 1; /* the NUL */
	if (need > b->cap) {
		size_t cap = b->cap < 64 ? 64 : b->cap * 2;
		if (cap < need)
			cap = need;
		if (cap > b->max + 1)
			cap = b->max + 1;
		b->p = xrealloc(b->p, cap);
		b->cap = cap;
	}
	return b->p + b->n;
}

void buf_used(struct buf *b, size_t n)
{
	assert(b->n + n < b->cap);
	b->n += n;
	b->p[b->n] = '\0';
}

bool buf_add_growing(struct buf *b, const void *p, size_t n)
{
	char *to = buf_reserve(b, n);
	if (to == NULL)
		return false;
	if (n)
		memcpy(to, p, n);
	buf_used(b, n);
	return true;
}

bool buf_add_number(struct buf *b, uint64_t n)
{
	char text[20];
	size_t at = sizeof(text);
	do
		text[--at] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	return buf_add(b, text + at, sizeof(text) - at);
}

bool buf_addf(struct buf *b, const char *format, ...)
{
	char small[256];
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int n = vsnprintf(small, sizeof(small), format, args);
	va_end(args);
	assert(n >= 0);
	bool added;
	if ((size_t)n < sizeof(small)) {
		added = buf_add(b, small, (size_t)n);
	} else {
		char *to = buf_reserve(b, (size_t)n);
		added = to != NULL;
		if (added) {
			vsnprintf(to, (size_t)n + 1, format, again);
			buf_used(b, (size_t)n);
		}
	}
	va_end(again);
	return added;
}

static const char base64_alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool buf_add_base64(struct buf *b, struct str s)
{
	char *to = buf_reserve(b, (s.n + 2) / 3 * 4);
	if (to == NULL)
		return false;
	size_t n = 0;
	for (size_t i = 0; i < s.n; i += 3) {
		size_t left = s.n - i;
		uint32_t v = (uint32_t)(unsigned char)s.p[i] << 16;
		if (left > 1)
			v |= (uint32_t)(unsigned char)s.p[i + 1] << 8;
		if (left > 2)
			v |= (unsigned char)s.p[i + 2];
		to[n++] = base64_alphabet[v >> 18];
		to[n++] = base64_alphabet[v >> 12 & 63];
		to[n++] = left > 1 ? base64_alphabet[v >> 6 & 63] : '=';
		to[n++] = left > 2 ? base64_alphabet[v & 63] : '=';
	}
	buf_used(b, n);
	return true;
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (abnf_is_digit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Three bytes of the four digits, or -1. Padding counts as 0. */
static int64_t base64_group(const char *p, size_t digits)
{
	int64_t v = 0;
	for (size_t k = 0; k < 4; k++) {
		int digit = k < digits ? base64_value(p[k]) : 0;
		if (digit < 0)
			return -1;
		v = v << 6 | digit;
	}
	return v;
}

bool buf_add_base64_decoded(struct buf *b, struct str s)
{
	if (s.n % 4 != 0)
		return false;
	if (s.n == 0)
		return true;
	size_t pad = s.p[s.n - 1] != '=' ? 0 : s.p[s.n - 2] != '=' ? 1 : 2;
	size_t before = b->n;
	if (buf_reserve(b, s.n / 4 * 3 - pad) == NULL)
		return false;
	for (size_t i = 0; i < s.n; i += 4) {
		size_t missing = i + 4 == s.n ? pad : 0;
		int64_t v = base64_group(s.p + i, 4 - missing);
		/* Bits beyond the last byte must be zero (RFC 4648 3.5). */
		if (v < 0 || (v & ((INT64_C(1) << 8 * missing) - 1))) {
			buf_truncate(b, before);
			return false;
		}
		char bytes[3] = { (char)(v >> 16), (char)(v >> 8), (char)v };
		buf_add(b, bytes, 3 - missing);
	}
	return true;
}

bool buf_add_hex(struct buf *b, struct str s)
{
	static const char digits[] = "0123456789abcdef";
	char *to = buf_reserve(b, s.n * 2);
	if (to == NULL)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		to[2 * i] = digits[(unsigned char)s.p[i] >> 4];
		to[2 * i + 1] = digits[s.p[i] & 15];
	}
	buf_used(b, s.n * 2);
	return true;
}

void buf_consume(struct buf *b, size_t n)
{
	assert(n <= b->n);
	if (n == 0)
		return;
	b->n -= n;
	memmove(b->p, b->p + n, b->n);
	b->p[b->n] = '\0';
}

void buf_truncate(struct buf *b, size_t n)
{
	assert(n <= b->n);
	b->n = n;
	if (b->p)
		b->p[n] = '\0';
}
