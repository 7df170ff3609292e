// SPDX-License-Identifier: Apache-2.0
#include "store/flag_block.h"

#include <string.h>

#include "store/little.h"

enum {
	VERSION = 1,
	AT_UIDS = 3,
	AT_LOWEST = 35,
	HEAD_BYTES = 43,
	MODSEQ_BYTES = 8,
	KEYWORDS_BYTES = 16
};
_Static_assert(
	HEAD_BYTES + FLAG_BLOCK_UIDS * (1 + MODSEQ_BYTES + KEYWORDS_BYTES) == FLAG_BLOCK_BYTES,
	"the largest block");

/* What a block's encoding depends on. */
struct shape {
	uint32_t n;
	uint64_t lowest;
	uint32_t modseq_bytes, keywords_bytes;
};

/* Bytes that it takes to say a number. */
static uint32_t bytes_of(uint64_t number)
{
	uint32_t n = 0;
	for (; number; number >>= 8)
		n++;
	return n;
}

static struct shape shape_of(const struct flag_block *b)
{
	struct shape s = { .lowest = UINT64_MAX };
	uint64_t highest = 0, keywords[2] = { 0, 0 };
	for (size_t i = 0; i < FLAG_BLOCK_UIDS; i++) {
		const struct flag_record *r = &b->records[i];
		if (r->modseq == 0)
			continue;
		s.n++;
		s.lowest = r->modseq < s.lowest ? r->modseq : s.lowest;
		highest = r->modseq > highest ? r->modseq : highest;
		keywords[0] |= r->keywords[0];
		keywords[1] |= r->keywords[1];
	}
	s.modseq_bytes = s.n ? bytes_of(highest - s.lowest) : 0;
	s.keywords_bytes = keywords[1] ? 8 + bytes_of(keywords[1]) : bytes_of(keywords[0]);
	return s;
}

static size_t length_of(const struct shape *s)
{
	return HEAD_BYTES + s->n * (size_t)(1 + s->modseq_bytes + s->keywords_bytes);
}

uint32_t flag_block_count(const struct flag_block *b)
{
	return shape_of(b).n;
}

/* ---- encoding ---- */

static uint8_t *put(uint8_t *p, uint64_t number, uint32_t bytes)
{
	for (; bytes; bytes--, number >>= 8)
		*p++ = (uint8_t)number;
	return p;
}

size_t flag_block_encode(const struct flag_block *b, uint8_t room[FLAG_BLOCK_BYTES])
{
	struct shape s = shape_of(b);
	uint32_t low = s.keywords_bytes < 8 ? s.keywords_bytes : 8, high = s.keywords_bytes - low;
	uint8_t *flags = room + HEAD_BYTES, *modseqs = flags + s.n;
	uint8_t *keywords = modseqs + s.n * (size_t)s.modseq_bytes;
	if (s.n == 0)
		return 0;
	memset(room, 0, HEAD_BYTES);
	room[0] = VERSION;
	room[1] = (uint8_t)s.modseq_bytes;
	room[2] = (uint8_t)s.keywords_bytes;
	put_u64(room + AT_LOWEST, s.lowest);
	for (size_t i = 0; i < FLAG_BLOCK_UIDS; i++) {
		const struct flag_record *r = &b->records[i];
		if (r->modseq == 0)
			continue;
		room[AT_UIDS + i / 8] |= (uint8_t)(1U << i % 8);
		*flags++ = r->flags;
		modseqs = put(modseqs, r->modseq - s.lowest, s.modseq_bytes);
		keywords = put(put(keywords, r->keywords[0], low), r->keywords[1], high);
	}
	return length_of(&s);
}

/* ---- decoding ---- */

static uint64_t take(const uint8_t **p, uint32_t bytes)
{
	uint64_t number = 0;
	for (uint32_t i = 0; i < bytes; i++)
		number |= (uint64_t) * (*p)++ << 8 * i;
	return number;
}

static uint32_t count_bits(const uint8_t *p, size_t n)
{
	uint32_t count = 0;
	for (size_t i = 0; i < n; i++)
		count += (uint32_t)__builtin_popcount(p[i]);
	return count;
}

static bool head_is_good(struct str bytes, struct shape *ret)
{
	const uint8_t *p = (const uint8_t *)bytes.p;
	if (bytes.n < HEAD_BYTES || p[0] != VERSION || p[1] > MODSEQ_BYTES || p[2] > KEYWORDS_BYTES)
		return false;
	*ret = (struct shape){ .n = count_bits(p + AT_UIDS, FLAG_BLOCK_UIDS / 8),
		.lowest = get_u64(p + AT_LOWEST),
		.modseq_bytes = p[1],
		.keywords_bytes = p[2] };
	return ret->n > 0 && bytes.n == length_of(ret);
}

int flag_block_flags(struct str bytes, uint8_t *ret)
{
	struct shape s;
	uint8_t flags = 0;
	if (!head_is_good(bytes, &s))
		return -1;
	for (size_t i = 0; i < s.n; i++)
		flags |= (uint8_t)bytes.p[HEAD_BYTES + i];
	*ret = flags;
	return 0;
}

int flag_block_decode(struct str bytes, struct flag_block *ret)
{
	struct shape s, real;
	if (!head_is_good(bytes, &s))
		return -1;
	uint32_t low = s.keywords_bytes < 8 ? s.keywords_bytes : 8, high = s.keywords_bytes - low;
	const uint8_t *p = (const uint8_t *)bytes.p, *flags = p + HEAD_BYTES;
	const uint8_t *modseqs = flags + s.n, *keywords = modseqs + s.n * (size_t)s.modseq_bytes;
	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < FLAG_BLOCK_UIDS; i++) {
		struct flag_record *r = &ret->records[i];
		if (!(p[AT_UIDS + i / 8] >> i % 8 & 1))
			continue;
		r->flags = *flags++;
		r->modseq = s.lowest + take(&modseqs, s.modseq_bytes);
		r->keywords[0] = take(&keywords, low);
		r->keywords[1] = take(&keywords, high);
		if (r->modseq > INT64_MAX)
			return -1;
	}
	/* A modseq of 0 is missing there, one that wrapped is the lowest. */
	real = shape_of(ret);
	return real.n == s.n && real.lowest == s.lowest && real.modseq_bytes == s.modseq_bytes &&
			       real.keywords_bytes == s.keywords_bytes
		       ? 0
		       : -1;
}
