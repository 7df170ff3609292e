// SPDX-License-Identifier: Apache-2.0
/* Options, sizes and JSON as a command line has them. */
#include "base/test.h"

#include "cli/cli.h"

static void test_json_string(void **state)
{
	static const struct {
		struct str text;
		const char *json;
	} cases[] = {
		{ STR_INIT(""), "\"\"" },
		{ STR_INIT("a b"), "\"a b\"" },
		{ STR_INIT("\"\\"), "\"\\\"\\\\\"" },
		{ STR_INIT("a\r\n\0\x7f"), "\"a\\u000d\\u000a\\u0000\\u007f\"" },
		{ STR_INIT("gr\xc3\xbc\xc3\x9f"), "\"gr\xc3\xbc\xc3\x9f\"" },
		{ STR_INIT("\xff"), "\"\xef\xbf\xbd\"" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out;
		buf_init(&out, 100);
		json_string(&out, cases[i].text);
		assert_str(buf_str(&out), str_from(cases[i].json));
		buf_done(&out);
	}
}

/* Nothing of what somebody else chose is the terminal's business. */
static void test_print(void **state)
{
	static const struct {
		struct str text, printed;
	} cases[] = {
		{ STR_INIT(""), STR_INIT("") },
		{ STR_INIT("a b~"), STR_INIT("a b~") },
		{ STR_INIT("\x1b[2J\r\n\0\x7f"), STR_INIT("?[2J????") },
		{ STR_INIT("gr\xc3\xbc\xc3\x9f"), STR_INIT("gr\xc3\xbc\xc3\x9f") },
		{ STR_INIT("\xc3\xbc\x9b[m\xc2\x9b[m\xc2\xa0"),
			STR_INIT("\xc3\xbc?[m?[m\xc2\xa0") },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *text;
		size_t n;
		FILE *to = open_memstream(&text, &n);
		cli_print(to, cases[i].text);
		fclose(to);
		assert_str(str_make(text, n), cases[i].printed);
		free(text);
	}
}

static void test_shell_word(void **state)
{
	static const char *const cases[][2] = {
		{ "/srv/mail/culver.conf", "/srv/mail/culver.conf" },
		{ "a-b_c+1.2,3:4@5%", "a-b_c+1.2,3:4@5%" },
		{ "", "''" },
		{ "/my mail/c", "'/my mail/c'" },
		{ "it's", "'it'\\''s'" },
		{ "$HOME", "'$HOME'" },
		{ "gr\xc3\xbc\xc3\x9f", "'gr\xc3\xbc\xc3\x9f'" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out;
		buf_init(&out, 100);
		cli_shell_word(&out, str_from(cases[i][0]));
		assert_str(buf_str(&out), str_from(cases[i][1]));
		buf_done(&out);
	}
}

static void test_size(void **state)
{
	static const struct {
		const char *text;
		uint64_t size;
		bool good;
	} cases[] = {
		{ "none", 0, true },
		{ "1", 1, true },
		{ "1K", 1024, true },
		{ "500M", 500 * 1024 * 1024, true },
		{ "10G", (uint64_t)10 << 30, true },
		{ "1T", (uint64_t)1 << 40, true },
		{ "1048575T", (uint64_t)1048575 << 40, true },
		{ "1048576T", (uint64_t)1 << 60, true },
		{ "1048577T", 0, false },
		{ "16777217T", 0, false }, /* 1T, were it to overflow */
		{ "18446744073709551616", 0, false },
		{ "0", 0, false },
		{ "", 0, false },
		{ "K", 0, false },
		{ "1k", 0, false },
		{ "1KB", 0, false },
		{ "-1", 0, false },
		{ " 1", 0, false },
		{ "1 ", 0, false },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_INIT;
		uint64_t n = 7;
		assert_int_equal(cli_size(cases[i].text, &n, &err) == 0, cases[i].good);
		assert_int_equal(n, cases[i].size);
	}
}

/* Of messages: their number has no unit. */
static void test_count(void **state)
{
	static const struct {
		const char *text;
		uint64_t count;
		bool good;
	} cases[] = {
		{ "none", 0, true },
		{ "1", 1, true },
		{ "1152921504606846976", (uint64_t)1 << 60, true },
		{ "1152921504606846977", 0, false },
		{ "5K", 0, false },
		{ "0", 0, false },
		{ "-1", 0, false },
		{ "", 0, false },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_INIT;
		uint64_t n = 7;
		assert_int_equal(cli_count(cases[i].text, &n, &err) == 0, cases[i].good);
		assert_int_equal(n, cases[i].count);
		if (!cases[i].good)
			assert_non_null(strstr(err.public_text, "is no number of messages"));
	}
}

static void test_options(void **state)
{
	struct options o = { .command = "account add" };
	const char *good[] = { "culver", "--json", "-c", "/x", "--offset", "60000", "a@b.example",
		"--quota=1G", NULL };
	const char *bad[] = { "culver", "--offset", "60001", NULL };
	const char *worse[] = { "culver", "--offset", "1x", NULL };
	(void)state;
	assert_int_equal(options_read(&o, 8, (char **)(uintptr_t)good), 0);
	assert_true(o.json);
	assert_string_equal(options_config(&o), "/x");
	assert_int_equal(o.offset, 60000);
	assert_string_equal(o.quota, "1G");
	assert_int_equal(o.args_n, 1);
	assert_string_equal(o.args[0], "a@b.example");
	assert_int_equal(options_read(&o, 3, (char **)(uintptr_t)bad), -1);
	assert_int_equal(options_read(&o, 3, (char **)(uintptr_t)worse), -1);
}

/* Each option by itself, as a word of the usage; -c and --json are everybody's. */
static void test_options_fit(void **state)
{
	static const struct {
		const char *option;
		struct str usage;
		int fits;
	} cases[] = {
		{ "--erase", STR_INIT("[-c FILE] [--erase] ADDRESS"), 0 },
		{ "--erase", STR_INIT("[-c FILE] ADDRESS --erase"), 0 },
		{ "--erase", STR_INIT("[-c FILE] [--json]"), -1 },
		{ "--erase", STR_INIT(""), -1 },
		{ "--password-stdin", STR_INIT("[--password-file FILE]"), -1 },
		{ "--plain", STR_INIT("[--plain-text] [--plainer] [--plain]"), 0 },
		{ "--plain", STR_INIT("[--plain-text] [--plainer]"), -1 },
		{ "--json", STR_INIT(""), 0 },
		{ "-c/x", STR_INIT(""), 0 },
		{ "--config=/x", STR_INIT(""), 0 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *words[] = { "culver", cases[i].option, NULL };
		struct options o = { .command = "account add" };
		assert_int_equal(options_read(&o, 2, (char **)(uintptr_t)words), 0);
		assert_int_equal(options_fit(&o, cases[i].usage), cases[i].fits);
	}
}

static void test_since(void **state)
{
	static const int64_t now = 1700000000000;
	static const struct {
		const char *text;
		int64_t at; /* -1: refused */
	} cases[] = {
		{ "0m", now },
		{ "90m", now - 5400000 },
		{ "2h", now - 7200000 },
		{ "3d", now - 259200000 },
		{ "1970-01-02", 86400000 },
		{ "1970-01-01T01:02", 3720000 },
		{ "1970-01-01T01:02Z", 3720000 },
		{ "1970-01-01T01:02:03Z", 3723000 },
		{ "", -1 },
		{ "3", -1 },
		{ "3w", -1 },
		{ "3d ", -1 },
		{ "1000001d", -1 },
		{ "yesterday", -1 },
		{ "1970-13-01", -1 },
		{ "1970-01-01T", -1 },
		{ "1970-01-01T24:00", -1 },
		{ "1970-01-01 01:02", -1 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_INIT;
		int64_t at = 0;
		bool good = cli_since(cases[i].text, now, &at, &err) == 0;
		assert_int_equal(good, cases[i].at >= 0);
		if (good)
			assert_int_equal(at, cases[i].at);
		else
			assert_int_equal(err.kind, ERR_SYNTAX);
	}
}

TEST_MAIN(test_case(test_json_string), test_case(test_print), test_case(test_shell_word),
	test_case(test_size), test_case(test_count), test_case(test_since), test_case(test_options),
	test_case(test_options_fit))
