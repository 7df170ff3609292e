// SPDX-License-Identifier: Apache-2.0
/* Memory that lives and dies together. */
#include "base/arena.h"

#include <stdlib.h>

#ifdef CULVER_SANITIZED
/* A block for each piece, of exactly its size, so that AddressSanitizer sees where one ends. */
enum { FIRST_BYTES = 0, BLOCK_BYTES = 0, ALIGN = 16 };
#else
/* The first block is small, and the only one that is kept: a session that idles has one. */
enum { FIRST_BYTES = 208, BLOCK_BYTES = 2048, ALIGN = 16 };
#endif

struct arena_block {
	struct arena_block *next;
	size_t size, used;
	_Alignas(ALIGN) char data[];
};

void arena_init(struct arena *a, size_t max)
{
	*a = (struct arena){ .max = max };
}

static void free_blocks(struct arena_block *b)
{
	while (b) {
		struct arena_block *next = b->next;
		free(b);
		b = next;
	}
}

void arena_done(struct arena *a)
{
	free_blocks(a->blocks);
	*a = (struct arena){ .max = a->max };
}

void arena_reset(struct arena *a)
{
	struct arena_block *keep = NULL;

	for (struct arena_block *b = a->blocks, *next; b != NULL; b = next) {
		next = b->next;
		if (keep == NULL && b->size == FIRST_BYTES)
			keep = b;
		else
			free(b);
	}
	if (keep != NULL) {
		keep->next = NULL;
		keep->used = 0;
	}
	a->blocks = keep;
	a->used = 0;
}

/* A block with room for n bytes. A large one goes behind the newest, whose room stays in use. */
static struct arena_block *add_block(struct arena *a, size_t n)
{
	size_t usual = a->blocks == NULL ? FIRST_BYTES : BLOCK_BYTES, room = n > usual ? n : usual;
	struct arena_block *b = xrealloc(NULL, sizeof(*b) + room), **at = &a->blocks;
	if (n > BLOCK_BYTES && a->blocks)
		at = &a->blocks->next;
	*b = (struct arena_block){ .next = *at, .size = room };
	*at = b;
	return b;
}

/* With whatever was there before. */
static void *take(struct arena *a, size_t n)
{
	if (n > a->max - a->used)
		return NULL;
	struct arena_block *b = a->blocks;
	if (b == NULL || b->size - b->used < n)
		b = add_block(a, n);
	char *p = b->data + b->used;
	/* The next piece is aligned; what that costs counts. */
	size_t size = (n + ALIGN - 1) / ALIGN * ALIGN;
	b->used = size < b->size - b->used ? b->used + size : b->size;
	a->used = size < a->max - a->used ? a->used + size : a->max;
	return p;
}

void *arena_alloc(struct arena *a, size_t n)
{
	/* A piece of nothing is a piece of its own, too. */
	n = n ? n : 1;
	void *p = take(a, n);
	if (p)
		memset(p, 0, n);
	return p;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return arena_alloc(a, bytes);
}

struct str arena_str(struct arena *a, struct str s)
{
	size_t size;
	char *p = size_add(s.n, 1, &size) ? take(a, size) : NULL;
	if (p == NULL)
		return STR_NONE;
	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return str_make(p, s.n);
}
