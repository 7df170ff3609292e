/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash maps, keyed with SipHash-2-4 so that a stranger who chooses keys cannot choose collisions.
 * Keys are bytes (copied) or 64-bit numbers; values are pointers that the map does not own.
 *
 * uses: mem, str; used by: everything
 */
#ifndef CULVER_BASE_MAP_H
#define CULVER_BASE_MAP_H

#include "base/mem.h"
#include "base/str.h"

struct map_slot;
struct map {
	struct map_slot *slots;
	size_t n, used, cap, max; /* entries, entries and tombstones, slots, most entries */
	uint64_t key[2];
};

/* key: 16 random bytes (seams' random; the same for one process is fine). max: most entries. */
void map_init(struct map *m, const uint8_t key[16], size_t max);
void map_done(struct map *m);
/* The value, or NULL. */
void *map_get(const struct map *m, struct str key);
/* Sets or replaces; false when it is full. value must not be NULL. */
bool map_put(struct map *m, struct str key, void *value);
/* Removes and returns the value, or NULL. */
void *map_remove(struct map *m, struct str key);
void *map_get_u64(const struct map *m, uint64_t key);
bool map_put_u64(struct map *m, uint64_t key, void *value);
void *map_remove_u64(struct map *m, uint64_t key);
/* Walks all entries: start with *at = 0; false at the end. Removing the entry just returned is
 * allowed, adding is not. key may be NULL. */
bool map_next(const struct map *m, size_t *at, struct str *key, void **value);

/* SipHash-2-4 of the bytes. */
uint64_t siphash(const uint64_t key[2], const void *p, size_t n);

#endif
