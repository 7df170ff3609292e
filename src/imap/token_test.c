// SPDX-License-Identifier: Apache-2.0
#include "imap/token.h"

#include "base/test.h"

static void reads_astrings(void **state)
{
	(void)state;
	static const struct {
		struct str in, out, rest;
		bool ok;
	} cases[] = {
		{ STR_INIT("INBOX x"), STR_INIT("INBOX"), STR_INIT(" x"), true },
		{ STR_INIT("a]b"), STR_INIT("a]b"), STR_INIT(""), true },
		{ STR_INIT("\"a b\" "), STR_INIT("a b"), STR_INIT(" "), true },
		{ STR_INIT("\"a\\\"\\\\b\""), STR_INIT("a\"\\b"), STR_INIT(""), true },
		{ STR_INIT("\"\""), STR_INIT(""), STR_INIT(""), true },
		{ STR_INIT("{3}\r\na\rb!"), STR_INIT("a\rb"), STR_INIT("!"), true },
		{ STR_INIT("{0}\r\n"), STR_INIT(""), STR_INIT(""), true },
		{ STR_INIT("{3+}\r\nabc"), STR_INIT("abc"), STR_INIT(""), true },
		{ STR_INIT("\"\xc3\xa4\""), STR_INIT("\xc3\xa4"), STR_INIT(""), true },
		/* what is none stays where it is */
		{ STR_INIT("{4}\r\nabc"), STR_INIT(""), STR_INIT("{4}\r\nabc"), false },
		{ STR_INIT("{4294967295}\r\n"), STR_INIT(""), STR_INIT("{4294967295}\r\n"), false },
		{ STR_INIT("{99999999999999999999}\r\n"), STR_INIT(""),
			STR_INIT("{99999999999999999999}\r\n"), false }, /* I1 */
		{ STR_INIT("{-1}\r\n"), STR_INIT(""), STR_INIT("{-1}\r\n"), false },
		{ STR_INIT("{2}\r\n\0a"), STR_INIT(""), STR_INIT("{2}\r\n\0a"), false },
		{ STR_INIT("~{1}\r\na"), STR_INIT("~{1}"), STR_INIT(""), false },
		{ STR_INIT("\"a"), STR_INIT(""), STR_INIT("\"a"), false },
		{ STR_INIT("\"a\\n\""), STR_INIT(""), STR_INIT("\"a\\n\""), false },
		{ STR_INIT("\"a\\"), STR_INIT(""), STR_INIT("\"a\\"), false },
		{ STR_INIT("\"a\r\n\""), STR_INIT(""), STR_INIT("\"a\r\n\""), false },
		{ STR_INIT("\"\xff\""), STR_INIT(""), STR_INIT("\"\xff\""), false },
		{ STR_INIT("(a"), STR_INIT(""), STR_INIT("(a"), false },
		{ STR_INIT(""), STR_INIT(""), STR_INIT(""), false },
	};
	struct arena a;
	arena_init(&a, 4096);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scan s = scan_from(cases[i].in);
		struct str got = STR("");
		if (str_starts(cases[i].in, STR("~")))
			continue;
		assert_int_equal(token_astring(&s, &a, &got), cases[i].ok);
		if (cases[i].ok)
			assert_str(got, cases[i].out);
		assert_str(scan_rest(&s), cases[i].rest);
	}
	arena_done(&a);
}

static void reads_literal8(void **state)
{
	(void)state;
	struct scan s = scan_from(STR("~{2}\r\n\0a"));
	struct str got;
	assert_false(token_literal(&s, false, &got));
	assert_true(token_literal(&s, true, &got));
	assert_str(got, STR("\0a"));
}

static void reads_flags_and_numbers(void **state)
{
	(void)state;
	struct str got;
	struct scan s = scan_from(STR("\\Seen $Work"));
	assert_true(token_flag(&s, &got));
	assert_str(got, STR("\\Seen"));
	assert_true(scan_sp(&s) && token_flag(&s, &got));
	assert_str(got, STR("$Work"));
	s = scan_from(STR("\\ x"));
	assert_false(token_flag(&s, &got));
	uint32_t n;
	s = scan_from(STR("4294967295"));
	assert_true(token_nz_number(&s, &n) && n == UINT32_MAX);
	s = scan_from(STR("4294967296"));
	assert_false(token_nz_number(&s, &n));
	s = scan_from(STR("0"));
	assert_false(token_nz_number(&s, &n));
	assert_true(token_number(&s, &n) && n == 0);
	s = scan_from(STR("07"));
	assert_false(token_nz_number(&s, &n));
	assert_true(token_number(&s, &n) && n == 7);
	uint64_t n64;
	s = scan_from(STR("9223372036854775807"));
	assert_true(token_number64(&s, &n64));
	s = scan_from(STR("9223372036854775808"));
	assert_false(token_number64(&s, &n64));
}

/* I29: valid syntax whatever the bytes are. */
static void writes_strings(void **state)
{
	(void)state;
	static const struct {
		struct str in;
		bool utf8;
		struct str out;
	} cases[] = {
		{ STR_INIT("abc"), false, STR_INIT("\"abc\"") },
		{ STR_INIT(""), false, STR_INIT("\"\"") },
		{ STR_INIT("a\"b\\"), false, STR_INIT("\"a\\\"b\\\\\"") },
		{ STR_INIT("a\r\nb"), false, STR_INIT("{4}\r\na\r\nb") },
		{ STR_INIT("a\0b"), false,
			STR_INIT("{3}\r\na\x80"
				 "b") },
		{ STR_INIT("\xc3\xa4"), false, STR_INIT("{2}\r\n\xc3\xa4") },
		{ STR_INIT("\xc3\xa4"), true, STR_INIT("\"\xc3\xa4\"") },
		{ STR_INIT("\xc3"), true, STR_INIT("{1}\r\n\xc3") },
	};
	struct buf b;
	buf_init(&b, 2000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_clear(&b);
		assert_true(token_add_string(&b, cases[i].in, cases[i].utf8));
		assert_str(buf_str(&b), cases[i].out);
	}
	buf_clear(&b);
	assert_true(token_add_nstring(&b, STR_NONE, true));
	assert_true(token_add_astring(&b, STR("a]b"), false));
	assert_true(token_add_astring(&b, STR("a b"), false));
	assert_true(token_add_astring(&b, STR("nil"), false));
	assert_true(token_add_text(&b, STR("x\r\n\xc3y")));
	assert_str(buf_str(&b), STR("NILa]b\"a b\"\"nil\"x???y"));
	buf_done(&b);
	buf_init(&b, 6);
	assert_true(buf_addz(&b, "ab"));
	assert_false(token_add_string(&b, STR("abc"), false)); /* 5 do not fit into 4 */
	assert_false(token_add_string(&b, STR("\x80"), false));
	assert_str(buf_str(&b), STR("ab"));
	assert_true(token_add_string(&b, STR("cd"), false));
	buf_done(&b);
}

/* Each byte in each place of what is looked at together, and in the rest: quoted as it is, quoted
 * behind a backslash, or a literal. */
static void writes_each_byte_in_each_place(void **state)
{
	char text[20], expected[64];
	struct buf b;
	(void)state;
	buf_init(&b, 64);
	for (size_t at = 0; at < sizeof(text); at++) {
		for (int byte = 0; byte < 256; byte++) {
			for (size_t n = at + 1; n <= sizeof(text); n++) {
				bool literal = byte < 0x20 || byte >= 0x7f;
				bool escaped = byte == '"' || byte == '\\';
				int head = literal ? snprintf(expected, 32, "{%zu}\r\n", n)
						   : snprintf(expected, 32, "\"");
				size_t end = (size_t)head;
				memset(text, byte % 2 ? '~' : ' ', sizeof(text));
				text[at] = (char)byte;
				for (size_t i = 0; i < n; i++) {
					if (escaped && i == at)
						expected[end++] = '\\';
					expected[end++] = byte == 0 && i == at ? (char)0x80
									       : text[i];
				}
				if (!literal)
					expected[end++] = '"';
				buf_clear(&b);
				assert_true(token_add_string(&b, str_make(text, n), false));
				assert_str(buf_str(&b), str_make(expected, end));
			}
		}
	}
	buf_done(&b);
}

/* Up to 1,000 bytes stand between quotes; the room is looked at before anything is written. */
static void writes_long_strings(void **state)
{
	char text[1001];
	struct buf b;
	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t n = 999; n <= 1001; n++) {
		buf_init(&b, 2000);
		assert_true(token_add_string(&b, str_make(text, n), false));
		assert_int_equal(b.p[0], n <= 1000 ? '"' : '{');
		assert_int_equal(b.n, n <= 1000 ? n + 2 : n + 8);
		buf_done(&b);
	}
	buf_init(&b, 12);
	assert_false(token_add_string(&b, str_make(text, 11), false));
	assert_int_equal(b.n, 0);
	assert_true(token_add_string(&b, str_make(text, 10), false));
	buf_done(&b);
}

TEST_MAIN(test_case(writes_each_byte_in_each_place), test_case(writes_long_strings),
	test_case(reads_astrings), test_case(reads_literal8), test_case(reads_flags_and_numbers),
	test_case(writes_strings))
