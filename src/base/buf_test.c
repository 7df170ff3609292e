// SPDX-License-Identifier: Apache-2.0
/* Owned bytes: the maximum above all. */
#include "base/buf.h"
#include "base/test.h"

static void keeps_its_maximum(void **state)
{
	(void)state;
	static const size_t maxima[] = { 0, 1, 4, 63, 64, 65, 127, 128, 129, 1000 };
	for (size_t i = 0; i < ARRAY_LEN(maxima); i++) {
		struct buf b;
		buf_init(&b, maxima[i]);
		for (size_t n = 0; n < maxima[i]; n++) {
			assert_int_equal(buf_room(&b), maxima[i] - n);
			assert_true(buf_addc(&b, 'x'));
		}
		assert_false(b.full);
		assert_true(buf_addz(&b, ""));
		assert_false(buf_addc(&b, 'y'));
		assert_true(b.full);
		assert_int_equal(b.n, maxima[i]);
		assert_int_equal(b.p[b.n], '\0');
		assert_int_equal(str_find(buf_str(&b), 'y'), b.n);
		buf_clear(&b);
		assert_false(b.full);
		assert_int_equal(b.n, 0);
		buf_done(&b);
		buf_done(&b);
	}
}

static void adds_all_or_nothing(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 8);
	assert_true(buf_addz(&b, "abcd"));
	assert_false(buf_adds(&b, STR("12345")));
	assert_false(buf_addf(&b, "%d", 12345));
	assert_false(buf_add_hex(&b, STR("123")));
	assert_false(buf_add_base64(&b, STR("1234")));
	assert_false(buf_add_base64_decoded(&b, STR("MTIzNDU=")));
	assert_null(buf_reserve(&b, 5));
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_str(buf_str(&b), STR("abcd"));
	assert_true(b.full);
	assert_true(buf_adds(&b, STR("1234")));
	assert_str(buf_str(&b), STR("abcd1234"));
	buf_done(&b);
}

static void formats_long_and_short(void **state)
{
	(void)state;
	for (int n = 250; n < 262; n++) {
		struct buf b;
		buf_init(&b, (size_t)n + 1);
		assert_true(buf_addf(&b, "%*d", n, 7));
		assert_int_equal(b.n, n);
		assert_int_equal(b.p[n - 1], '7');
		assert_false(buf_addf(&b, "%s", "xy"));
		assert_true(buf_addf(&b, "%s", "x"));
		buf_done(&b);
	}
}

static void consumes_and_truncates(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 100);
	buf_consume(&b, 0);
	buf_truncate(&b, 0);
	buf_addz(&b, "abcdef");
	buf_consume(&b, 2);
	assert_str(buf_str(&b), STR("cdef"));
	buf_truncate(&b, 3);
	assert_string_equal(b.p, "cde");
	buf_consume(&b, 3);
	assert_int_equal(b.n, 0);
	char *to = buf_reserve(&b, 4);
	memcpy(to, "wxyz", 4);
	buf_used(&b, 2);
	assert_string_equal(b.p, "wx");
	buf_release(&b);
	assert_int_equal(b.cap, 0);
	assert_int_equal(b.max, 100);
	buf_done(&b);
}

static void gives_memory(void **state)
{
	(void)state;
	struct buf from, to;
	for (size_t most = 9; most <= 11; most++) {
		buf_init(&from, 10);
		buf_init(&to, most);
		buf_give_memory(&from, &to); /* it has none */
		assert_null(to.p);
		char *p = buf_reserve(&from, 10);
		buf_give_memory(&from, &to);
		assert_ptr_equal(to.p, most < 10 ? NULL : p);
		assert_ptr_equal(from.p, most < 10 ? p : NULL);
		assert_true(buf_add(&to, "123456789", most < 10 ? 9 : 10));
		buf_give_memory(&from, &to); /* it has some already */
		assert_int_equal(to.n, most < 10 ? 9 : 10);
		buf_done(&from);
		buf_done(&to);
	}
}

/* RFC 4648 10 */
static void base64_vectors(void **state)
{
	(void)state;
	static const struct {
		struct str plain, coded;
	} cases[] = {
		{ STR_INIT(""), STR_INIT("") },
		{ STR_INIT("f"), STR_INIT("Zg==") },
		{ STR_INIT("fo"), STR_INIT("Zm8=") },
		{ STR_INIT("foo"), STR_INIT("Zm9v") },
		{ STR_INIT("foob"), STR_INIT("Zm9vYg==") },
		{ STR_INIT("fooba"), STR_INIT("Zm9vYmE=") },
		{ STR_INIT("foobar"), STR_INIT("Zm9vYmFy") },
		{ STR_INIT("\0\xff\xfb\xef"), STR_INIT("AP/77w==") },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b;
		/* Exactly as much room as the result needs. */
		buf_init(&b, cases[i].coded.n);
		assert_true(buf_add_base64(&b, cases[i].plain));
		assert_str(buf_str(&b), cases[i].coded);
		buf_done(&b);
		buf_init(&b, cases[i].plain.n);
		assert_true(buf_add_base64_decoded(&b, cases[i].coded));
		assert_str(buf_str(&b), cases[i].plain);
		buf_done(&b);
	}
}

static void base64_is_strict(void **state)
{
	(void)state;
	static const struct str bad[] = { STR_INIT("Z"), STR_INIT("Zg"), STR_INIT("Zg="),
		STR_INIT("===="), STR_INIT("Z==="), STR_INIT("=Zg="), STR_INIT("Zg==Zg=="),
		STR_INIT("Zh=="), STR_INIT("Zm9="), STR_INIT("Zm 9"), STR_INIT("Zm\n9"),
		STR_INIT("Zm9\0"), STR_INIT("Zm-_"), STR_INIT("Zm9v\r\n"), STR_INIT("Zg==\n\n\n\n"),
		STR_INIT("*"), STR_INIT("="), STR_INIT("Zm9\xff") };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct buf b;
		buf_init(&b, 100);
		buf_addz(&b, "kept");
		if (buf_add_base64_decoded(&b, bad[i]))
			fail_msg("case %zu", i);
		assert_string_equal(b.p, "kept");
		assert_int_equal(b.n, 4);
		buf_done(&b);
	}
}

static void hex(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 6);
	assert_true(buf_add_hex(&b, STR("\0\x9f\xff")));
	assert_str(buf_str(&b), STR("009fff"));
	buf_done(&b);
}

static void numbers(void **state)
{
	static const uint64_t all[] = { 0, 9, 10, 99, 100, 4294967295, UINT64_MAX };
	struct buf b;
	(void)state;
	buf_init(&b, 20);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		char text[30];
		snprintf(text, sizeof(text), "%llu", (unsigned long long)all[i]);
		buf_clear(&b);
		assert_true(buf_add_number(&b, all[i]));
		assert_true(str_equal(buf_str(&b), str_from(text)));
	}
	assert_false(buf_add_number(&b, 1));
	assert_int_equal(b.n, 20);
	buf_done(&b);
}

TEST_MAIN(cmocka_unit_test(numbers), test_case(keeps_its_maximum), test_case(adds_all_or_nothing),
	test_case(formats_long_and_short), test_case(consumes_and_truncates),
	test_case(gives_memory), test_case(base64_vectors), test_case(base64_is_strict),
	test_case(hex))
