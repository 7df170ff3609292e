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

static void set(struct signature_maker *m, uint32_t trigram)
{
	static const uint8_t bit[8] = { 1, 2, 4, 8, 16, 32, 64, 128 };
	uint16_t h = hash(trigram);
	m->bits[h >> 3] |= bit[h & 7];
}

static uint32_t trigram_at(const unsigned char *p)
{
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

/* The trigrams of three bytes or more, two a load; none waits for the one before. */
static void set_all(struct signature_maker *m, const unsigned char *p, size_t n)
{
	size_t i = 0;
	for (; i + 3 < n; i += 2) {
		uint32_t four = (uint32_t)p[i] << 24 | (uint32_t)p[i + 1] << 16 |
				(uint32_t)p[i + 2] << 8 | p[i + 3];
		set(m, four >> 8);
		set(m, four & 0xffffff);
	}
	m->last = trigram_at(p + n - 3);
	set(m, m->last);
}

void signature_add(struct signature_maker *m, struct str folded)
{
	const unsigned char *p = (const unsigned char *)folded.p;
	/* What begins in the text before, or needs three bytes to begin with. */
	for (size_t i = 0; i < 2 && i < folded.n; i++) {
		m->last = (m->last << 8 | p[i]) & 0xffffff;
		if (m->known == 2)
			set(m, m->last);
		else
			m->known++;
	}
	if (folded.n > 2)
		set_all(m, p, folded.n);
}

/* As __builtin_popcountll(), which is a call where the processor is not known to have it. */
static size_t bits_set(uint64_t word)
{
	word -= word >> 1 & 0x5555555555555555;
	word = (word & 0x3333333333333333) + (word >> 2 & 0x3333333333333333);
	word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return (size_t)(word * 0x0101010101010101 >> 56);
}

static uint64_t word_at(const uint8_t *p)
{
	uint64_t word;
	memcpy(&word, p, sizeof(word));
	return word;
}

/* Lays the upper half over the lower one, unless that fills it too much. */
static bool halve(uint8_t *bits, size_t n)
{
	size_t set = 0;
	for (size_t i = 0; i < n / 2; i += 8)
		set += bits_set(word_at(bits + i) | word_at(bits + n / 2 + i));
	if (set * 100 >= n / 2 * 8 * SIGNATURE_FILL)
		return false;
	for (size_t i = 0; i < n / 2; i += 8) {
		uint64_t word = word_at(bits + i) | word_at(bits + n / 2 + i);
		memcpy(bits + i, &word, sizeof(word));
	}
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
