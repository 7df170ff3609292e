// SPDX-License-Identifier: Apache-2.0
#include "base/limits.h"
#include "imap/seqset.h"

#include "base/test.h"

static struct arena arena;

static bool parse(struct str in, struct seqset *set, struct str *ret_rest)
{
	struct scan s = scan_from(in);
	bool ok = seqset_parse(&s, &arena, set);
	*ret_rest = scan_rest(&s);
	return ok;
}

/* I7 */
static void merges_in_any_order(void **state)
{
	(void)state;
	static const struct {
		struct str in;
		uint32_t last;
		struct str out;
	} cases[] = {
		{ STR_INIT("1"), 9, STR_INIT("1") },
		{ STR_INIT("3,1,2"), 9, STR_INIT("1:3") },
		{ STR_INIT("5:3,4:8,10"), 9, STR_INIT("3:8,10") },
		{ STR_INIT("4294967295:1"), 9, STR_INIT("1:4294967295") },
		{ STR_INIT("4294967295,4294967294"), 9, STR_INIT("4294967294:4294967295") },
		{ STR_INIT("1:4294967295,7"), 0, STR_INIT("1:4294967295") },
		{ STR_INIT("*"), 9, STR_INIT("9") },
		{ STR_INIT("*:*"), 9, STR_INIT("9") },
		{ STR_INIT("*"), 0, STR_INIT("") },
		{ STR_INIT("*:*"), 0, STR_INIT("") },
		{ STR_INIT("1:*"), 9, STR_INIT("1:9") },
		{ STR_INIT("*:4"), 9, STR_INIT("4:9") },
		{ STR_INIT("12:*"), 9, STR_INIT("9:12") }, /* RFC 9051 9, seq-range */
		{ STR_INIT("12:*,3:*,1"), 9, STR_INIT("1,3:12") },
		{ STR_INIT("2,4,*"), 5, STR_INIT("2,4:5") },
		{ STR_INIT("5:*"), 0, STR_INIT("5") },
	};
	struct buf b;
	buf_init(&b, 1000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct seqset set;
		struct str rest;
		assert_true(parse(cases[i].in, &set, &rest));
		assert_int_equal(rest.n, 0);
		seqset_resolve(&set, cases[i].last);
		buf_clear(&b);
		assert_true(seqset_print(&set, &b));
		assert_str(buf_str(&b), cases[i].out);
	}
	buf_done(&b);
	arena_reset(&arena);
}

static void refuses_what_is_no_set(void **state)
{
	(void)state;
	static const char *const cases[] = { "", "0", "01", "1,0", "0:5", "5:0", "4294967296",
		"1:", ":1", ",1", "1,", "1,,2", "-1", "a", "1:2:x,", "99999999999999999999" };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct seqset set;
		struct str in = str_from(cases[i]), rest;
		bool ok = parse(in, &set, &rest);
		if (ok) /* "1:2:x" is a set and then something else */
			assert_int_not_equal(rest.n, 0);
		else
			assert_int_equal(rest.n, in.n);
	}
	struct seqset set;
	struct str rest;
	assert_true(parse(STR("$ x"), &set, &rest) && set.saved);
	assert_str(rest, STR(" x"));
	arena_reset(&arena);
}

static void contains_and_counts(void **state)
{
	(void)state;
	struct seqset set;
	struct str rest;
	assert_true(parse(STR("7,3:5,100:200"), &set, &rest));
	assert_int_equal(seqset_count(&set), 3 + 1 + 101);
	assert_int_equal(seqset_max(&set), 200);
	static const uint32_t in[] = { 3, 5, 7, 100, 150, 200 }, out[] = { 1, 2, 6, 8, 99, 201 };
	for (size_t i = 0; i < ARRAY_LEN(in); i++) {
		assert_true(seqset_contains(&set, in[i]));
		assert_false(seqset_contains(&set, out[i]));
	}
	assert_true(parse(STR("1:4294967295"), &set, &rest));
	assert_int_equal(seqset_count(&set), 4294967295U);
	arena_reset(&arena);
}

/* "1:*" 100,000 times costs nothing; distinct ranges have a limit. I7 */
static void is_bounded(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 4 << 20);
	for (int i = 0; i < 100000; i++)
		buf_addz(&b, i ? ",1:*" : "1:*");
	struct seqset set;
	struct str rest;
	assert_true(parse(buf_str(&b), &set, &rest));
	seqset_resolve(&set, 10);
	assert_int_equal(set.n, 1);
	for (size_t n = LIMIT_IMAP_SEQ_RANGES - 1; n <= LIMIT_IMAP_SEQ_RANGES + 1; n++) {
		buf_clear(&b);
		for (size_t i = 0; i < n; i++)
			buf_addf(&b, "%s%zu", i ? "," : "", 2 * (n - i));
		assert_true(parse(buf_str(&b), &set, &rest));
		assert_int_equal(set.too_much, n > LIMIT_IMAP_SEQ_RANGES);
		assert_int_equal(set.n, set.too_much ? 0 : n);
		arena_reset(&arena);
	}
	buf_done(&b);
}

static void builds_ranges(void **state)
{
	(void)state;
	struct vec v;
	vec_init(&v, sizeof(struct api_range), 2);
	assert_true(seq_ranges_add(&v, 1, 1) && seq_ranges_add(&v, 2, 4));
	assert_true(seq_ranges_add(&v, 3, 3) && seq_ranges_add(&v, 6, 6));
	assert_false(seq_ranges_add(&v, 8, 8));
	assert_true(seq_ranges_add(&v, 7, UINT32_MAX));
	struct seqset set = seqset_of(&v);
	assert_true(seqset_contains(&set, 4) && !seqset_contains(&set, 5));
	assert_true(seqset_contains(&set, UINT32_MAX));
	vec_done(&v);
}

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 4 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_done(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { test_case(merges_in_any_order),
		test_case(refuses_what_is_no_set), test_case(contains_and_counts),
		test_case(is_bounded), test_case(builds_ranges) };
	return cmocka_run_group_tests(tests, setup, teardown);
}
