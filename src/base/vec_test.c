// SPDX-License-Identifier: Apache-2.0
/* Growing arrays. */
#include "base/test.h"
#include "base/vec.h"

static void keeps_its_maximum_and_order(void **state)
{
	(void)state;
	static const size_t maxima[] = { 0, 1, 7, 8, 9, 100 };
	for (size_t i = 0; i < ARRAY_LEN(maxima); i++) {
		struct vec v;
		vec_init(&v, sizeof(uint32_t), maxima[i]);
		for (uint32_t k = 0; k < maxima[i]; k++)
			assert_non_null(vec_push(&v, &k));
		uint32_t k = 0;
		assert_null(vec_push(&v, &k));
		assert_int_equal(v.n, maxima[i]);
		VEC_EACH (uint32_t, e, &v)
			assert_int_equal(*e, k++);
		assert_int_equal(k, maxima[i]);
		vec_clear(&v);
		assert_int_equal(v.n, 0);
		vec_done(&v);
		vec_done(&v);
	}
}

static void removes(void **state)
{
	(void)state;
	struct vec v;
	vec_init(&v, 1, 10);
	for (const char *p = "abcd"; *p; p++)
		vec_push(&v, p);
	vec_remove(&v, 0);
	vec_remove(&v, 2);
	assert_memory_equal(v.p, "bc", 2);
	assert_int_equal(*(char *)vec_at(&v, 1), 'c');
	assert_int_equal(*(char *)vec_push(&v, NULL), '\0');
	vec_done(&v);
}

TEST_MAIN(test_case(keeps_its_maximum_and_order), test_case(removes))
