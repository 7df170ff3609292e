/* SPDX-License-Identifier: Apache-2.0 */
/* What every unit test includes: cmocka, and a main that runs the tests given to it. */
#ifndef CULVER_BASE_TEST_H
#define CULVER_BASE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* fail() is ours, in base/err.h; a test that has come to a wrong place says why. */
#undef fail
#undef fail_msg
#define fail_msg(text, ...)                                                                        \
	do {                                                                                       \
		print_error("ERROR: " text "\n", ##__VA_ARGS__);                                   \
		_fail(__FILE__, __LINE__);                                                         \
	} while (0)

#include "base/str.h"

/* Tests that go through every case take every TEST_STEP-th where a sanitizer makes each of them
 * slow; the plain build takes them all. 13 has no divisor in common with a byte, a block or a page.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { TEST_STEP = 13 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { TEST_STEP = 13 };
#else
enum { TEST_STEP = 1 };
#endif
#else
enum { TEST_STEP = 1 };
#endif

#define test_case(function) cmocka_unit_test(function)

#define assert_str(actual, expected)                                                               \
	do {                                                                                       \
		struct str a_ = (actual), e_ = (expected);                                         \
		if (!str_equal(a_, e_))                                                            \
			fail_msg(                                                                  \
				"'%" STR_FMT "' is not '%" STR_FMT "'", STR_ARG(a_), STR_ARG(e_)); \
	} while (0)

#define TEST_MAIN(...)                                                                             \
	int main(void)                                                                             \
	{                                                                                          \
		const struct CMUnitTest tests[] = { __VA_ARGS__ };                                 \
		return cmocka_run_group_tests(tests, NULL, NULL);                                  \
	}

#endif
