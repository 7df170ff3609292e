/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory: allocation that cannot fail, ownership that cannot be forgotten.
 *
 * Every size that a stranger controls is bounded before it gets here (base/limits.h), so running
 * out of memory ends the process, which its supervisor starts again. Memory comes zeroed.
 *
 * uses: nothing; used by: everything
 */
#ifndef CULVER_BASE_MEM_H
#define CULVER_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The exit status of a process that ran out of memory; the supervisor names it in its log. */
#define MEM_EXIT_STATUS 71

/* Ends the process: for libraries that say that they could have no memory. */
_Noreturn void mem_exhausted(void);
/* Zeroed memory; ends the process when there is none. n may be 0. The caller frees with free(). */
void *xmalloc(size_t n) __attribute__((malloc, returns_nonnull, warn_unused_result));
/* n elements of size bytes, the product checked. */
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull, warn_unused_result));
/* As realloc(3); new bytes are not zeroed. */
void *xrealloc(void *p, size_t n) __attribute__((returns_nonnull, warn_unused_result));
/* A copy of n bytes with a NUL after them. */
char *xmemdup0(const void *p, size_t n) __attribute__((malloc, returns_nonnull, nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull, nonnull));

/* Overwrites memory that held a secret; never optimized away. */
void mem_wipe(void *p, size_t n);
/* Compares n bytes in time that depends on n alone. */
bool mem_equal_const_time(const void *a, const void *b, size_t n);

/* Frees what a variable points at when it goes out of scope: AUTO(txn_abort) struct txn *t = …
 * The function takes the address of the variable, accepts a NULL there, and nulls it. */
#define AUTO(free_function) __attribute__((cleanup(free_function)))
#define MUST_CHECK          __attribute__((warn_unused_result))
#define NONNULL             __attribute__((nonnull))
#define PRINTF_LIKE(f, a)   __attribute__((format(printf, f, a)))

/* AUTO(mem_free_p) char *p: free() as a cleanup. */
static inline void mem_free_p(void *pp)
{
	void **p = pp;
	__builtin_free(*p);
	*p = NULL;
}

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
/* The struct of type t whose member m is at p. */
#define CONTAINER_OF(p, t, m) ((t *)(void *)((char *)(p)-offsetof(t, m)))

/* Arithmetic that says when it overflows: false and *ret untouched. */
static inline bool size_add(size_t a, size_t b, size_t *ret)
{
	size_t r;
	if (__builtin_add_overflow(a, b, &r))
		return false;
	*ret = r;
	return true;
}

#endif
