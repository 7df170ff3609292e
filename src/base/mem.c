// SPDX-License-Identifier: Apache-2.0
/* Allocation that ends the process when there is no memory, and memory for secrets. */
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn void mem_exhausted(void)
{
	static const char text[] = "culver: out of memory\n";
	/* Nothing to be done if even this fails. */
	ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);
	(void)n;
	_exit(MEM_EXIT_STATUS);
}

void *xmalloc(size_t n)
{
	return xcalloc(1, n);
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);
	if (p == NULL)
		mem_exhausted();
	return p;
}

void *xrealloc(void *p, size_t n)
{
	void *r = realloc(p, n ? n : 1);
	if (r == NULL)
		mem_exhausted();
	return r;
}

char *xmemdup0(const void *p, size_t n)
{
	size_t size;
	if (!size_add(n, 1, &size))
		mem_exhausted();
	char *r = xmalloc(size);
	if (n)
		memcpy(r, p, n);
	return r;
}

char *xstrdup(const char *s)
{
	return xmemdup0(s, strlen(s));
}

void mem_wipe(void *p, size_t n)
{
	if (n)
		explicit_bzero(p, n);
}

bool mem_equal_const_time(const void *a, const void *b, size_t n)
{
	const volatile unsigned char *x = a, *y = b;
	unsigned char different = 0;
	for (size_t i = 0; i < n; i++)
		different |= (unsigned char)(x[i] ^ y[i]);
	return different == 0;
}
