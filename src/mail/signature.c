// SPDX-License-Identifier: Apache-2.0
#include "mail/signature.h"

#include <string.h>

enum { VERSION = 1, ALL_BITS = 1 << SIGNATURE_BITS_MOST };

static uint16_t hash(uint32_t trigram)
{
	/* Fibonacci hashing: the upper bits of the product depend on all of the three bytes */
	return (uint16_t)((trigram * UINT32_C(2654435769)) >> 16);
}

void signature_begin(struct signature_maker *m)
{
	memset(m, 0, sizeof(*m));
}

void signature_break(struct signature_maker *m)
{
	m->known = 0;
}

void signature_add(struct signature_maker *m, struct str folded)
{
	uint32_t last = m->last;
	size_t i = 0;
	for (; m->known < 2 && i < folded.n; i++, m->known++)
		last = last << 8 | (unsigned char)folded.p[i];
	for (; i < folded.n; i++) {
		last = (last << 8 | (unsigned char)folded.p[i]) & 0xffffff;
		uint16_t h = hash(last);
		m->bits[h >> 3] |= (uint8_t)(1u << (h & 7));
	}
	m->last = last;
}

static size_t bits_set(const uint8_t *p, size_t n)
{
	size_t set = 0;
	for (size_t i = 0; i < n; i += 8) {
		uint64_t word;
		memcpy(&word, p + i, 8);
		set += (size_t)__builtin_popcountll(word);
	}
	return set;
}

/* Lays the upper half over the lower one, unless that fills it too much. */
static bool halve(uint8_t *bits, size_t n)
{
	uint8_t half[ALL_BITS / 16];
	for (size_t i = 0; i < n / 2; i++)
		half[i] = bits[i] | bits[n / 2 + i];
	if (bits_set(half, n / 2) * 100 >= n / 2 * 8 * SIGNATURE_FILL)
		return false;
	memcpy(bits, half, n / 2);
	return true;
}

void signature_end(struct signature_maker *m, struct buf *out)
{
	unsigned k = SIGNATURE_BITS_MOST;
	while (k > SIGNATURE_BITS_LEAST && halve(m->bits, (size_t)1 << (k - 3)))
		k--;
	buf_addc(out, VERSION);
	buf_addc(out, (char)k);
	buf_add(out, m->bits, (size_t)1 << (k - 3));
}

/* ---- asking ---- */

size_t signature_trigrams(struct str needle, uint16_t ret[SIGNATURE_TRIGRAMS])
{
	if (needle.n < 3)
		return 0;
	const unsigned char *p = (const unsigned char *)needle.p;
	size_t all = needle.n - 2, n = all < SIGNATURE_TRIGRAMS ? all : SIGNATURE_TRIGRAMS;
	for (size_t i = 0; i < n; i++) {
		const unsigned char *t = p + i * all / n;
		ret[i] = hash((uint32_t)t[0] << 16 | (uint32_t)t[1] << 8 | t[2]);
	}
	return n;
}

bool signature_may_hold(struct str signature, const uint16_t *trigrams, size_t n)
{
	const uint8_t *p = (const uint8_t *)signature.p;
	if (signature.n < SIGNATURE_HEAD_BYTES || p[0] != VERSION || p[1] < SIGNATURE_BITS_LEAST ||
		p[1] > SIGNATURE_BITS_MOST ||
		signature.n - SIGNATURE_HEAD_BYTES != (size_t)1 << (p[1] - 3))
		return true;
	unsigned mask = (1u << p[1]) - 1;
	const uint8_t *bits = p + SIGNATURE_HEAD_BYTES;
	for (size_t i = 0; i < n; i++) {
		unsigned h = trigrams[i] & mask;
		if (!(bits[h >> 3] & (1u << (h & 7))))
			return false;
	}
	return true;
}
