// SPDX-License-Identifier: Apache-2.0
/* Memory: zeroes, copies, and the end of a process that has none left. */
#include "base/mem.h"
#include "base/test.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void zeroes_and_copies(void **state)
{
	(void)state;
	char *p = xmalloc(100);
	for (int i = 0; i < 100; i++)
		assert_int_equal(p[i], 0);
	p = xrealloc(p, 0);
	free(p);
	free(xmalloc(0));
	free(xcalloc(0, 8));
	p = xmemdup0("a\0b", 3);
	assert_memory_equal(p, "a\0b\0", 4);
	free(p);
	p = xmemdup0("", 0);
	assert_int_equal(*p, 0);
	free(p);
	p = xstrdup("abc");
	assert_string_equal(p, "abc");
	free(p);
}

static void wipes_and_compares(void **state)
{
	(void)state;
	char secret[] = "secret";
	mem_wipe(secret, 3);
	assert_memory_equal(secret, "\0\0\0ret", 6);
	mem_wipe(NULL, 0);
	assert_true(mem_equal_const_time("abc", "abd", 2));
	assert_false(mem_equal_const_time("abc", "abd", 3));
	assert_false(mem_equal_const_time("xbc", "abc", 3));
	assert_true(mem_equal_const_time("x", "y", 0));
}

static void adds_sizes(void **state)
{
	(void)state;
	size_t n = 7;
	assert_true(size_add(SIZE_MAX - 1, 1, &n));
	assert_true(n == SIZE_MAX);
	n = 7;
	assert_false(size_add(SIZE_MAX, 1, &n));
	assert_int_equal(n, 7);
}

static int frees;
static void count_free(void *p)
{
	frees += *(void **)p != NULL;
	mem_free_p(p);
}

static void cleans_up(void **state)
{
	(void)state;
	{
		AUTO(count_free)
		char *p = xmalloc(1);
		AUTO(count_free)
		char *none = NULL;
		p[0] = 'x';
		assert_null(none);
	}
	assert_int_equal(frees, 1);
}

static int status_of_child(void (*child)(void))
{
	pid_t pid = fork();
	if (pid == 0) {
		close(STDERR_FILENO);
		child();
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void overflow_of_a_product(void)
{
	volatile size_t n = SIZE_MAX / 2;
	free(xcalloc(n, 4));
}

#ifndef CULVER_SANITIZED
static void no_memory_left(void)
{
	struct rlimit limit = { 1 << 28, 1 << 28 };
	setrlimit(RLIMIT_AS, &limit);
	for (;;)
		memset(xmalloc(1 << 20), 1, 1);
}
#endif

static void ends_when_there_is_none(void **state)
{
	(void)state;
#ifndef CULVER_SANITIZED
	/* A sanitizer has its own opinion of both. */
	assert_int_equal(status_of_child(no_memory_left), MEM_EXIT_STATUS);
	assert_int_equal(status_of_child(overflow_of_a_product), MEM_EXIT_STATUS);
#else
	assert_int_not_equal(status_of_child(overflow_of_a_product), 0);
#endif
}

TEST_MAIN(test_case(zeroes_and_copies), test_case(wipes_and_compares), test_case(adds_sizes),
	test_case(cleans_up), test_case(ends_when_there_is_none))
