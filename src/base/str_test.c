// SPDX-License-Identifier: Apache-2.0
/* Borrowed bytes. */
#include "base/mem.h"
#include "base/test.h"

#include <stdlib.h>

static void compares(void **state)
{
	(void)state;
	assert_true(str_equal(STR_NONE, STR("")));
	assert_true(str_equal(STR("a\0b"), STR("a\0b")));
	assert_false(str_equal(STR("a\0b"), STR("a\0c")));
	assert_false(str_equal(STR("a"), STR("ab")));
	assert_true(str_equal_nocase(STR("EhLo-@[`{"), STR("eHlO-@[`{")));
	/* Letters alone: '@' and '`', '[' and '{' are 32 apart too. */
	assert_false(str_equal_nocase(STR("@"), STR("`")));
	assert_false(str_equal_nocase(STR("["), STR("{")));
	assert_false(str_equal_nocase(STR("\xc4"), STR("\xe4")));
	assert_true(str_starts(STR("abc"), STR("ab")));
	assert_true(str_starts(STR_NONE, STR_NONE));
	assert_false(str_starts(STR("a"), STR("ab")));
	assert_true(str_starts_nocase(STR("SIZE=1"), STR("size=")));
	assert_true(str_ends_nocase(STR("x.EXAMPLE"), STR(".example")));
	assert_true(str_ends_nocase(STR_NONE, STR_NONE));
	assert_false(str_ends_nocase(STR("e"), STR(".e")));
	assert_int_equal(str_compare(STR("a"), STR("a")), 0);
	assert_int_equal(str_compare(STR_NONE, STR_NONE), 0);
	assert_true(str_compare(STR("a"), STR("ab")) < 0);
	assert_true(str_compare(STR("\xff"), STR("a")) > 0);
	assert_true(str_compare(STR("b"), STR("ab")) > 0);
}

static void finds(void **state)
{
	(void)state;
	assert_int_equal(str_find(STR("a=b=c"), '='), 1);
	assert_int_equal(str_find(STR("abc"), '='), 3);
	assert_int_equal(str_find(STR_NONE, '='), 0);
	assert_int_equal(str_find(STR("ab\0c"), '\0'), 2);
	assert_int_equal(str_find_last(STR("a=b=c"), '='), 3);
	assert_int_equal(str_find_last(STR("abc"), '='), 3);
	assert_int_equal(str_search(STR("abcabd"), STR("abd")), 3);
	assert_int_equal(str_search(STR("abc"), STR("abcd")), 3);
	assert_int_equal(str_search(STR("abc"), STR_NONE), 0);
	assert_int_equal(str_search(STR_NONE, STR("a")), 0);
	assert_int_equal(str_search(STR_NONE, STR_NONE), 0);
}

static void cuts(void **state)
{
	(void)state;
	assert_str(str_from(NULL), STR(""));
	assert_str(str_from_offset(STR("abc"), 1), STR("bc"));
	assert_str(str_from_offset(STR("abc"), 3), STR(""));
	assert_str(str_from_offset(STR("abc"), SIZE_MAX), STR(""));
	assert_str(str_from_offset(STR_NONE, 1), STR(""));
	assert_str(str_sub(STR("abc"), 1, 1), STR("b"));
	assert_str(str_sub(STR("abc"), 1, SIZE_MAX), STR("bc"));
	assert_str(str_sub(STR("abc"), 9, 9), STR(""));
	assert_str(str_trim(STR(" \t\r\nab c\n ")), STR("ab c"));
	assert_str(str_trim(STR("  \r\n")), STR(""));
	assert_str(str_trim(STR_NONE), STR(""));
	assert_str(str_chomp(STR("a\r\n")), STR("a"));
	assert_str(str_chomp(STR("a\n")), STR("a"));
	assert_str(str_chomp(STR("a\n\n")), STR("a\n"));
	assert_str(str_chomp(STR("\r\n")), STR(""));
	assert_str(str_chomp(STR_NONE), STR(""));
}

static void splits(void **state)
{
	(void)state;
	struct str rest = STR("a,,b");
	assert_str(str_split(&rest, ','), STR("a"));
	assert_str(str_split(&rest, ','), STR(""));
	assert_str(rest, STR("b"));
	assert_str(str_split(&rest, ','), STR("b"));
	assert_str(rest, STR(""));
	assert_str(str_split(&rest, ','), STR(""));
	rest = STR_NONE;
	assert_str(str_split(&rest, ','), STR(""));
}

static void copies(void **state)
{
	(void)state;
	char *copy = str_dup(STR("a\0b"));
	assert_memory_equal(copy, "a\0b", 4);
	free(copy);
	copy = str_dup(STR_NONE);
	assert_string_equal(copy, "");
	free(copy);
	char room[] = "....";
	assert_int_equal(str_copy(STR_NONE, room, sizeof(room)), 0);
	assert_int_equal(str_copy(STR("ab"), room, 3), 2);
	assert_string_equal(room, "ab..");
	assert_int_equal(str_copy(STR("abc"), room, 3), 3);
	assert_int_equal(str_copy(STR("wxyz"), room, 3), 3);
	assert_string_equal(room, "wxy.");
}

/* S54: overlong forms, surrogates, beyond U+10FFFF, truncated. */
static void s54_utf8(void **state)
{
	(void)state;
	static const struct {
		struct str text;
		size_t first; /* length of the first sequence */
		bool all;
	} cases[] = {
		{ STR_INIT(""), 0, true },
		{ STR_INIT("a"), 1, true },
		{ STR_INIT("\0"), 1, true },
		{ STR_INIT("\x7f"), 1, true },
		{ STR_INIT("\x80"), 0, false },
		{ STR_INIT("\xbf"), 0, false },
		{ STR_INIT("\xc0\x80"), 0, false },
		{ STR_INIT("\xc1\xbf"), 0, false },
		{ STR_INIT("\xc2\x80"), 2, true },
		{ STR_INIT("\xc2"), 0, false },
		{ STR_INIT("\xc2\x7f"), 0, false },
		{ STR_INIT("\xc2\xc0"), 0, false },
		{ STR_INIT("\xdf\xbf"), 2, true },
		{ STR_INIT("\xe0\x9f\xbf"), 0, false },
		{ STR_INIT("\xe0\xa0\x80"), 3, true },
		{ STR_INIT("\xe0\xa0"), 0, false },
		{ STR_INIT("\xe2\x82\x7f"), 0, false },
		{ STR_INIT("\xed\x9f\xbf"), 3, true },
		{ STR_INIT("\xed\xa0\x80"), 0, false },
		{ STR_INIT("\xed\xbf\xbf"), 0, false },
		{ STR_INIT("\xee\x80\x80"), 3, true },
		{ STR_INIT("\xef\xbf\xbf"), 3, true },
		{ STR_INIT("\xf0\x8f\xbf\xbf"), 0, false },
		{ STR_INIT("\xf0\x90\x80\x80"), 4, true },
		{ STR_INIT("\xf0\x90\x80"), 0, false },
		{ STR_INIT("\xf4\x8f\xbf\xbf"), 4, true },
		{ STR_INIT("\xf4\x90\x80\x80"), 0, false },
		{ STR_INIT("\xf5\x80\x80\x80"), 0, false },
		{ STR_INIT("\xff"), 0, false },
		{ STR_INIT("\xe2\x82\xac"
			   "a"),
			3, true },
		{ STR_INIT("a\xe2\x82"), 1, false },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(str_utf8_sequence(cases[i].text), cases[i].first);
		assert_int_equal(str_is_utf8(cases[i].text), cases[i].all);
	}
}

static void classes(void **state)
{
	(void)state;
	assert_true(str_is_ascii(STR("a\x7f\0")));
	assert_false(str_is_ascii(STR("a\x80")));
	assert_true(str_is_ascii(STR_NONE));
	assert_false(str_has_control(STR("a \x80\xff")));
	assert_true(str_has_control(STR("a\0")));
	assert_true(str_has_control(STR("\x1f")));
	assert_true(str_has_control(STR("\x7f")));
	for (int c = -128; c < 128; c++) {
		bool upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z';
		assert_int_equal(ascii_lower((char)c), upper ? c + 32 : c);
		assert_int_equal(ascii_upper((char)c), lower ? c - 32 : c);
	}
}

static void printable(void **state)
{
	char text[40];
	(void)state;
	assert_int_equal(str_printable(STR("")), 0);
	/* Each byte in each place of what is looked at together, and behind it. */
	for (size_t at = 0; at < 20; at++)
		for (int byte = 0; byte < 256; byte++) {
			memset(text, byte % 2 ? '~' : ' ', sizeof(text));
			text[at] = (char)byte;
			bool good = byte >= 0x20 && byte < 0x7f;
			for (size_t n = at + 1; n <= 20; n++)
				assert_int_equal(str_printable(str_make(text, n)), good ? n : at);
		}
}

static void ascii(void **state)
{
	char text[80];
	(void)state;
	assert_int_equal(str_ascii(STR_NONE), 0);
	for (size_t n = 0; n < 80; n++)
		for (size_t at = 0; at < n; at++)
			for (int byte = 0; byte < 256; byte++) {
				memset(text, byte % 2 ? '\x7f' : '\0', sizeof(text));
				text[at] = (char)byte;
				assert_int_equal(
					str_ascii(str_make(text, n)), byte < 0x80 ? n : at);
			}
}

TEST_MAIN(cmocka_unit_test(printable), test_case(ascii), test_case(compares), test_case(finds),
	test_case(cuts), test_case(splits), test_case(copies), test_case(s54_utf8),
	test_case(classes))
