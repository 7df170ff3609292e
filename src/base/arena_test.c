// SPDX-License-Identifier: Apache-2.0
/* Memory that lives and dies together: its maximum, its alignment, its zeroes. */
#include "base/arena.h"
#include "base/test.h"

static void keeps_its_maximum(void **state)
{
	(void)state;
	struct arena a;
	for (size_t max = 1000; max < 1040; max++) {
		arena_init(&a, max);
		assert_null(arena_alloc(&a, max + 1));
		assert_non_null(arena_alloc(&a, max));
		assert_null(arena_alloc(&a, 1));
		arena_reset(&a);
		assert_non_null(arena_alloc(&a, max - 1));
		assert_null(arena_alloc(&a, 16));
		arena_done(&a);
	}
	arena_init(&a, 64);
	for (int i = 0; i < 4; i++)
		assert_non_null(arena_alloc(&a, 1));
	assert_null(arena_alloc(&a, 1));
	assert_null(arena_alloc(&a, SIZE_MAX));
	arena_done(&a);
	arena_done(&a);
}

static void pieces_are_zeroed_aligned_and_apart(void **state)
{
	(void)state;
	static const size_t sizes[] = { 1, 15, 16, 17, 100, 2047, 2048, 2049, 5000, 3, 31, 0, 1 };
	struct arena a;
	arena_init(&a, 1 << 20);
	for (int round = 0; round < 3; round++) {
		unsigned char *pieces[ARRAY_LEN(sizes)];
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
			pieces[i] = arena_alloc(&a, sizes[i]);
			assert_non_null(pieces[i]);
			assert_int_equal((uintptr_t)pieces[i] % 16, 0);
			for (size_t k = 0; k < sizes[i]; k++)
				assert_int_equal(pieces[i][k], 0);
			memset(pieces[i], (int)i + 1, sizes[i]);
		}
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
			for (size_t k = 0; k < sizes[i]; k++)
				assert_int_equal(pieces[i][k], i + 1);
		arena_reset(&a);
		assert_int_equal(a.used, 0);
	}
	arena_done(&a);
}

static void arrays_and_strings(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 100);
	assert_null(arena_array(&a, SIZE_MAX / 2, 3));
	assert_non_null(arena_array(&a, 4, 4));
	struct str s = arena_str(&a, STR("a\0b"));
	assert_str(s, STR("a\0b"));
	assert_int_equal(s.p[3], '\0');
	s = arena_str(&a, STR_NONE);
	assert_non_null(s.p);
	assert_int_equal(s.n, 0);
	char big[100] = { 0 };
	s = arena_str(&a, str_make(big, sizeof(big)));
	assert_null(s.p);
	assert_int_equal(s.n, 0);
	s = arena_str(&a, str_make(big, SIZE_MAX));
	assert_null(s.p);
	arena_done(&a);
}

TEST_MAIN(test_case(keeps_its_maximum), test_case(pieces_are_zeroed_aligned_and_apart),
	test_case(arrays_and_strings))
