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
