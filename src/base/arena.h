/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that lives and dies together. A parameter `struct arena *` means: the result lives as long
 * as the arena. Three kinds exist in a front: session, transaction (reset after each command or
 * mail) and turn. An arena has a maximum; going over it returns NULL, which the caller must treat
 * as "too much" (the other side asked for it), not as out of memory.
 *
 * uses: mem, str; used by: parsers and sessions
 */
#ifndef CULVER_BASE_ARENA_H
#define CULVER_BASE_ARENA_H

#include "base/mem.h"
#include "base/str.h"

struct arena_block;
struct arena {
	struct arena_block *blocks; /* newest first */
	size_t used, max;           /* bytes handed out, and their bound */
};

void arena_init(struct arena *a, size_t max);
void arena_done(struct arena *a); /* frees everything; accepts one that was zeroed */
/* Forgets everything handed out and frees all but one small block. */
void arena_reset(struct arena *a);

/* Zeroed, aligned for any type; NULL beyond the maximum, towards which a piece counts as a multiple
 * of 16 bytes. */
void *arena_alloc(struct arena *a, size_t n) MUST_CHECK;
/* n elements, the product checked. */
void *arena_array(struct arena *a, size_t n, size_t size) MUST_CHECK;
/* A copy with a NUL behind it. p is NULL in the result when it did not fit (n is then 0 too). */
struct str arena_str(struct arena *a, struct str s);

#endif
