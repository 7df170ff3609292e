/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing array of one type with a maximum number of elements.
 *
 *     struct vec ids;
 *     vec_init(&ids, sizeof(uint64_t), LIMIT_IDS);
 *     if (!vec_push(&ids, &id)) return fail(err, ERR_LIMIT, "too many");
 *     VEC_EACH(uint64_t, id, &ids) …
 *     vec_done(&ids);
 *
 * uses: mem; used by: everything
 */
#ifndef CULVER_BASE_VEC_H
#define CULVER_BASE_VEC_H

#include "base/mem.h"

struct vec {
	char *p;
	size_t n, cap, size, max; /* elements; size is bytes an element */
};

void vec_init(struct vec *v, size_t element_size, size_t max);
void vec_done(struct vec *v); /* frees the array, not what its elements point at */
void vec_clear(struct vec *v);
/* Appends a copy of the element; NULL at the maximum. Pointers into the array end here. A NULL
 * element appends zeroed bytes. */
void *vec_push(struct vec *v, const void *element);
static inline void *vec_at(const struct vec *v, size_t i)
{
	return v->p + i * v->size;
}
/* Removes element i, keeping order. */
void vec_remove(struct vec *v, size_t i);

/* An empty one has no memory, and nothing may be added to NULL, not even 0. */
#define VEC_EACH(type, e, v)                                                                       \
	for (__typeof__(type) *e = (type *)(void *)(v)->p, *e##_end = e ? e + (v)->n : e;          \
		e != e##_end; e++)

#endif
