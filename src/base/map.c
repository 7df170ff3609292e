// SPDX-License-Identifier: Apache-2.0
/* Hash maps with open addressing, and the keyed hash behind them. */
#include "base/map.h"

#include <assert.h>
#include <stdlib.h>

struct map_slot {
	void *value;     /* NULL: free, TOMBSTONE: was removed */
	char *key;       /* NULL for a number */
	uint64_t number; /* the key, or the length of its bytes */
	uint64_t hash;
};

static char tombstone_mark;
#define TOMBSTONE ((void *)&tombstone_mark)

static uint64_t rotate(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static void sip_block(uint64_t v[4], uint64_t m)
{
	v[3] ^= m;
	sip_round(v);
	sip_round(v);
	v[0] ^= m;
}

uint64_t siphash(const uint64_t key[2], const void *p, size_t n)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
		key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573 };
	const unsigned char *at = p;
	size_t left = n;
	for (; left >= 8; left -= 8, at += 8) {
		uint64_t m;
		memcpy(&m, at, 8); /* little-endian machines only; a map's order is its own */
		sip_block(v, m);
	}
	uint64_t last = (uint64_t)n << 56;
	for (size_t i = 0; i < left; i++)
		last |= (uint64_t)at[i] << (8 * i);
	sip_block(v, last);
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void map_init(struct map *m, const uint8_t key[16], size_t max)
{
	assert(max < SIZE_MAX / 4 / sizeof(struct map_slot));
	*m = (struct map){ .max = max };
	memcpy(m->key, key, 16);
}

void map_done(struct map *m)
{
	for (size_t i = 0; i < m->cap; i++)
		free(m->slots[i].key);
	free(m->slots);
	m->slots = NULL;
	m->n = m->cap = m->used = 0;
}

static bool slot_is(const struct map_slot *s, uint64_t hash, const char *key, uint64_t number)
{
	if (s->value == TOMBSTONE || s->hash != hash || s->number != number)
		return false;
	if (key == NULL || s->key == NULL)
		return key == NULL && s->key == NULL;
	return memcmp(s->key, key, number) == 0;
}

/* The slot of a key, or NULL. key NULL: the key is the number. */
static struct map_slot *find(const struct map *m, uint64_t hash, const char *key, uint64_t number)
{
	if (m->cap == 0)
		return NULL;
	for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		struct map_slot *s = &m->slots[i];
		if (s->value == NULL)
			return NULL;
		if (slot_is(s, hash, key, number))
			return s;
	}
}

static struct map_slot *free_slot(struct map *m, uint64_t hash)
{
	size_t i = hash & (m->cap - 1);
	while (m->slots[i].value != NULL)
		i = (i + 1) & (m->cap - 1);
	return &m->slots[i];
}

/* Makes room so that at most half of the slots are in use; drops the tombstones. */
static void grow(struct map *m)
{
	struct map old = *m;
	m->cap = 16;
	while (m->cap < old.n * 4)
		m->cap *= 2;
	m->slots = xcalloc(m->cap, sizeof(*m->slots));
	m->used = old.n;
	for (size_t i = 0; i < old.cap; i++) {
		struct map_slot *s = &old.slots[i];
		if (s->value != NULL && s->value != TOMBSTONE)
			*free_slot(m, s->hash) = *s;
	}
	free(old.slots);
}

static bool put(struct map *m, uint64_t hash, const char *key, uint64_t number, void *value)
{
	assert(value != NULL);
	struct map_slot *s = find(m, hash, key, number);
	if (s) {
		s->value = value;
		return true;
	}
	if (m->n == m->max)
		return false;
	if ((m->used + 1) * 2 > m->cap)
		grow(m);
	*free_slot(m, hash) = (struct map_slot){ .value = value,
		.key = key ? xmemdup0(key, number) : NULL,
		.number = number,
		.hash = hash };
	m->n++;
	m->used++;
	return true;
}

static void *take(struct map *m, struct map_slot *s)
{
	if (s == NULL)
		return NULL;
	void *value = s->value;
	free(s->key);
	*s = (struct map_slot){ .value = TOMBSTONE };
	m->n--;
	return value;
}

static const char *bytes_of(struct str key)
{
	return key.n ? key.p : "";
}

void *map_get(const struct map *m, struct str key)
{
	struct map_slot *s = find(m, siphash(m->key, key.p, key.n), bytes_of(key), key.n);
	return s ? s->value : NULL;
}

bool map_put(struct map *m, struct str key, void *value)
{
	return put(m, siphash(m->key, key.p, key.n), bytes_of(key), key.n, value);
}

void *map_remove(struct map *m, struct str key)
{
	return take(m, find(m, siphash(m->key, key.p, key.n), bytes_of(key), key.n));
}

void *map_get_u64(const struct map *m, uint64_t key)
{
	struct map_slot *s = find(m, siphash(m->key, &key, 8), NULL, key);
	return s ? s->value : NULL;
}

bool map_put_u64(struct map *m, uint64_t key, void *value)
{
	return put(m, siphash(m->key, &key, 8), NULL, key, value);
}

void *map_remove_u64(struct map *m, uint64_t key)
{
	return take(m, find(m, siphash(m->key, &key, 8), NULL, key));
}

bool map_next(const struct map *m, size_t *at, struct str *key, void **value)
{
	for (; *at < m->cap; (*at)++) {
		struct map_slot *s = &m->slots[*at];
		if (s->value == NULL || s->value == TOMBSTONE)
			continue;
		if (key)
			*key = s->key ? str_make(s->key, s->number) : STR_NONE;
		*value = s->value;
		(*at)++;
		return true;
	}
	return false;
}
