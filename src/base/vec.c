// SPDX-License-Identifier: Apache-2.0
/* A growing array of one type. */
#include "base/vec.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void vec_init(struct vec *v, size_t element_size, size_t max)
{
	assert(element_size > 0 && max < SIZE_MAX / 4 / element_size);
	*v = (struct vec){ .size = element_size, .max = max };
}

void vec_done(struct vec *v)
{
	free(v->p);
	*v = (struct vec){ .size = v->size, .max = v->max };
}

void vec_clear(struct vec *v)
{
	v->n = 0;
}

void *vec_push(struct vec *v, const void *element)
{
	if (v->n == v->max)
		return NULL;
	if (v->n == v->cap) {
		size_t cap = v->cap ? v->cap * 2 : 8;
		v->cap = cap > v->max ? v->max : cap;
		v->p = xrealloc(v->p, v->cap * v->size);
	}
	char *to = v->p + v->n++ * v->size;
	if (element)
		memcpy(to, element, v->size);
	else
		memset(to, 0, v->size);
	return to;
}

void vec_remove(struct vec *v, size_t i)
{
	assert(i < v->n);
	v->n--;
	memmove(v->p + i * v->size, v->p + (i + 1) * v->size, (v->n - i) * v->size);
}
