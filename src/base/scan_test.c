// SPDX-License-Identifier: Apache-2.0
/* The cursor: what is taken, and that a refusal takes nothing. */
#include "base/mem.h"
#include "base/scan.h"
#include "base/test.h"

static void literals(void **state)
{
	(void)state;
	struct scan s = scan_from(STR("Size=12 x"));
	assert_false(scan_char(&s, 's'));
	assert_false(scan_literal_nocase(&s, STR("sizes")));
	assert_false(scan_word_nocase(&s, STR("siz")));
	assert_int_equal(scan_left(&s), 9);
	assert_true(scan_word_nocase(&s, STR("SIZE")));
	assert_int_equal(scan_peek(&s), '=');
	assert_true(scan_char(&s, '='));
	assert_false(scan_sp(&s));
	assert_true(scan_literal_nocase(&s, STR("12")));
	assert_true(scan_sp(&s));
	assert_true(scan_word_nocase(&s, STR("X")));
	assert_true(scan_end(&s));
	assert_int_equal(scan_peek(&s), -1);
	assert_false(scan_char(&s, 'x'));
	assert_true(scan_literal_nocase(&s, STR_NONE));
}

static void words_end(void **state)
{
	(void)state;
	static const struct {
		struct str text;
		bool is;
	} cases[] = { { STR_INIT("OK"), true }, { STR_INIT("ok:"), true },
		{ STR_INIT("OKAY"), false }, { STR_INIT("OK1"), false }, { STR_INIT("OK-"), false },
		{ STR_INIT("OK_"), false }, { STR_INIT("OK "), true }, { STR_INIT("O"), false },
		{ STR_INIT(""), false } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scan s = scan_from(cases[i].text);
		assert_int_equal(scan_word_nocase(&s, STR("OK")), cases[i].is);
		assert_int_equal(scan_left(&s), cases[i].text.n - (cases[i].is ? 2 : 0));
	}
}

static void nothing_is_a_text_too(void **state)
{
	(void)state;
	struct scan s = scan_from(STR_NONE);
	struct str part = STR("kept");
	uint64_t n = 7;
	assert_true(scan_end(&s));
	assert_int_equal(scan_peek(&s), -1);
	assert_int_equal(scan_left(&s), 0);
	assert_false(scan_char(&s, 'a'));
	assert_false(scan_sp(&s));
	assert_int_equal(scan_wsp(&s), 0);
	assert_int_equal(scan_while(&s, abnf_is_alpha).n, 0);
	assert_false(scan_until(&s, 'a', &part));
	assert_false(scan_number(&s, 10, &n));
	assert_false(scan_digits(&s, 1, &n));
	assert_false(scan_bytes(&s, 1, &part));
	assert_str(part, STR("kept"));
	assert_true(n == 7);
	assert_true(scan_literal_nocase(&s, STR_NONE));
	assert_true(scan_bytes(&s, 0, &part));
	assert_int_equal(part.n, 0);
}

static void runs(void **state)
{
	(void)state;
	struct scan s = scan_from(STR(" \t abc;def"));
	struct str part;
	assert_int_equal(scan_wsp(&s), 3);
	assert_false(scan_until(&s, '!', &part));
	assert_true(scan_until(&s, ';', &part));
	assert_str(part, STR("abc"));
	assert_int_equal(scan_peek(&s), ';');
	assert_true(scan_bytes(&s, 1, &part));
	assert_false(scan_bytes(&s, 4, &part));
	assert_false(scan_bytes(&s, SIZE_MAX, &part));
	assert_str(scan_while(&s, abnf_is_alpha), STR("def"));
	s = scan_from(STR("\xff"));
	assert_int_equal(scan_peek(&s), 255);
}

/* S25: numbers at, below and above their maximum; no sign, no hex, no overflow. */
static void s25_numbers(void **state)
{
	(void)state;
	static const struct {
		struct str text;
		uint64_t max;
		bool ok;
		uint64_t value;
		size_t left;
	} cases[] = {
		{ STR_INIT("0"), 0, true, 0, 0 },
		{ STR_INIT("1"), 0, false, 0, 1 },
		{ STR_INIT("9"), 10, true, 9, 0 },
		{ STR_INIT("10"), 10, true, 10, 0 },
		{ STR_INIT("11"), 10, false, 0, 2 },
		{ STR_INIT("100"), 10, false, 0, 3 },
		{ STR_INIT("5"), 4, false, 0, 1 },
		{ STR_INIT("0010"), 10, true, 10, 0 },
		{ STR_INIT("12x"), 99, true, 12, 1 },
		{ STR_INIT("+1"), 99, false, 0, 2 },
		{ STR_INIT("-1"), 99, false, 0, 2 },
		{ STR_INIT(" 1"), 99, false, 0, 2 },
		{ STR_INIT("0x10"), 99, true, 0, 3 },
		{ STR_INIT("18446744073709551614"), UINT64_MAX, true, UINT64_MAX - 1, 0 },
		{ STR_INIT("18446744073709551615"), UINT64_MAX, true, UINT64_MAX, 0 },
		{ STR_INIT("18446744073709551616"), UINT64_MAX, false, 0, 20 },
		{ STR_INIT("99999999999999999999"), UINT64_MAX, false, 0, 20 },
		{ STR_INIT("184467440737095516150"), UINT64_MAX, false, 0, 21 },
		{ STR_INIT("4294967295"), UINT32_MAX, true, UINT32_MAX, 0 },
		{ STR_INIT("4294967296"), UINT32_MAX, false, 0, 10 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scan s = scan_from(cases[i].text);
		uint64_t value = 0;
		if (scan_number(&s, cases[i].max, &value) != cases[i].ok)
			fail_msg("case %zu", i);
		assert_true(value == cases[i].value);
		assert_int_equal(scan_left(&s), cases[i].left);
	}
}

static void fixed_digits(void **state)
{
	(void)state;
	struct scan s = scan_from(STR("20261x"));
	uint64_t n = 0;
	assert_false(scan_digits(&s, 0, &n));
	assert_false(scan_digits(&s, 6, &n));
	assert_false(scan_digits(&s, 7, &n));
	assert_true(scan_digits(&s, 4, &n));
	assert_int_equal(n, 2026);
	assert_int_equal(scan_left(&s), 2);
	s = scan_from(STR("9999999999999999999"));
	assert_false(scan_digits(&s, 19, &n));
	assert_true(scan_digits(&s, 18, &n));
	assert_true(n == 999999999999999999);
}

TEST_MAIN(test_case(literals), test_case(words_end), test_case(nothing_is_a_text_too),
	test_case(runs), test_case(s25_numbers), test_case(fixed_digits))
