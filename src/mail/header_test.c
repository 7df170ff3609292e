// SPDX-License-Identifier: Apache-2.0
#include "base/test.h"
#include "mail/header.h"

struct want {
	const char *name, *value;
};
static const struct {
	const char *block;
	struct want want[5];
	size_t size;
} blocks[] = {
	{ "A: 1\r\nB:2\r\n\r\nbody", { { "A", " 1" }, { "B", "2" } }, 13 },
	{ "A: 1\nB:2\n\nbody", { { "A", " 1" }, { "B", "2" } }, 10 },
	{ "A: 1\r\n 2\r\n\t3\r\nB: x", { { "A", " 1\r\n 2\r\n\t3" }, { "B", " x" } }, 18 },
	{ "A : 1\r\nB\t :2\r\n", { { "A", " 1" }, { "B", "2" } }, 14 }, /* M3, RFC 5322 4.5 */
	{ "no colon\r\n: empty\r\nA b: c\r\n",
		{ { "", "no colon" }, { "", ": empty" }, { "", "A b: c" } }, 27 }, /* M3 */
	{ "\xc3\xa4: 1\r\nA\xff: 2\r\n", { { "", "\xc3\xa4: 1" }, { "", "A\xff: 2" } }, 14 },
	{ " first\r\nA: 1\r\n", { { "", " first" }, { "A", " 1" } }, 14 },
	{ "A: 1\r\n \r\n\t\r\nB: 2\r\n", { { "A", " 1\r\n \r\n\t" }, { "B", " 2" } }, 18 }, /* M3 */
	{ "A: 1\rB: 2\r\n\r\n", { { "A", " 1\rB: 2" } }, 13 }, /* S14: a bare CR is a byte */
	{ "\r\nA: 1\r\n", { { NULL } }, 2 },
	{ "\nA: 1\r\n", { { NULL } }, 1 },
	{ "\r\r\nA: 1\r\n", { { "", "\r" }, { "A", " 1" } }, 9 },
	{ "From a@b Sat Jan  3 10:10:10\nA: 1\n",
		{ { "", "From a@b Sat Jan  3 10:10:10" }, { "A", " 1" } }, 34 }, /* M16 */
	{ "A:", { { "A", "" } }, 2 },
	{ "", { { NULL } }, 0 },
};

static void m3_cuts_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
		struct str block = str_from(blocks[i].block), rest = block;
		struct mail_field f;
		size_t n = 0;
		for (; mail_field_next(&rest, &f); n++) {
			assert_non_null(blocks[i].want[n].name);
			assert_str(f.name, str_from(blocks[i].want[n].name));
			assert_str(f.value, str_from(blocks[i].want[n].value));
		}
		assert_null(blocks[i].want[n].name);
		assert_int_equal(mail_header_size(block), blocks[i].size);
	}
}

static void finds_and_counts(void **state)
{
	(void)state;
	struct str block = STR("A: 1\r\na : 2\r\nB: 3\r\nA: 4\r\n\r\nA: 5\r\n");
	struct mail_field f;
	assert_true(mail_field_find(block, STR("b"), &f));
	assert_str(f.value, STR(" 3"));
	assert_false(mail_field_find(block, STR("C"), &f));
	assert_int_equal(mail_field_count(block, STR("A"), 10), 3);
	assert_int_equal(mail_field_count(block, STR("A"), 2), 2);
}

static const struct {
	const char *in, *out;
} unfolds[] = {
	{ " one\r\n two", "one two" },
	{ "a\n\tb\r\n  c ", "a\tb  c" },
	{ "plain", "plain" },
	{ " \r\n \r\n x", "x" },
	{ "a\rb", "a\rb" },
	{ "", "" },
};

static void unfolds_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(unfolds); i++) {
		struct buf b;
		struct arena a;
		buf_init(&b, 100);
		arena_init(&a, 4096);
		assert_true(mail_unfold(str_from(unfolds[i].in), &b));
		assert_str(buf_str(&b), str_from(unfolds[i].out));
		assert_str(
			mail_unfold_arena(&a, str_from(unfolds[i].in)), str_from(unfolds[i].out));
		buf_done(&b);
		arena_done(&a);
	}
	struct buf small;
	buf_init(&small, 3);
	assert_false(mail_unfold(STR("ab\r\n cd"), &small));
	assert_int_equal(small.n, 0);
	buf_done(&small);
}

/* Runs the splitter over bytes cut at one place; writes "name|piece" for whole fields. */
static void split_at(struct str all, size_t cut, struct buf *out)
{
	struct mail_splitter s;
	struct str part[2] = { str_sub(all, 0, cut), str_from_offset(all, cut) }, piece;
	size_t total = 0;
	enum mail_piece kind;
	mail_splitter_init(&s);
	for (int i = 0; i < 3; i++) {
		while ((kind = i < 2 ? mail_splitter_next(&s, &part[i], &piece)
				     : mail_splitter_end(&s, &piece)) != MAIL_PIECE_MORE) {
			assert_memory_equal(piece.p, all.p + total, piece.n);
			total += piece.n;
			if (kind == MAIL_PIECE_FIELD && s.field_start)
				buf_addf(out, "[%" STR_FMT "]", STR_ARG(s.name));
			if (kind == MAIL_PIECE_END)
				buf_addz(out, "[end]");
		}
	}
	assert_int_equal(total, all.n);
}

static void splits_anywhere(void **state)
{
	(void)state;
	static const struct {
		const char *in, *names;
	} cases[] = {
		{ "To: a\r\nBcc: x\r\n y\r\nbcc : z\r\n\r\nBcc: body\r\n", "[To][Bcc][bcc][end]" },
		{ "no colon\r\nA: 1\n\n", "[][A][end]" },
		{ "A: 1\r\nlast", "[A][]" },
		{ "\r\rx\r\nB: 1\r\n\r", "[][B][]" },
		{ "\n", "[end]" },
		{ "a\r:b\n", "[]" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str all = str_from(cases[i].in);
		for (size_t cut = 0; cut <= all.n; cut++) {
			struct buf out;
			buf_init(&out, 1000);
			split_at(all, cut, &out);
			assert_str(buf_str(&out), str_from(cases[i].names));
			buf_done(&out);
		}
	}
}

/* M3: a name of 998 is a name, of 999 none; the same by both ways of reading. */
static void m3_bounds_names(void **state)
{
	(void)state;
	for (size_t n = LIMIT_FIELD_NAME_BYTES - 1; n <= LIMIT_FIELD_NAME_BYTES + 1; n++) {
		struct buf b, names;
		struct mail_field f;
		buf_init(&b, 2000);
		buf_init(&names, 2000);
		for (size_t i = 0; i < n; i++)
			buf_addc(&b, 'n');
		buf_addz(&b, ": v\r\n");
		struct str rest = buf_str(&b);
		assert_true(mail_field_next(&rest, &f));
		assert_int_equal(f.name.n, n <= LIMIT_FIELD_NAME_BYTES ? n : 0);
		split_at(buf_str(&b), 500, &names);
		assert_int_equal(names.n, f.name.n + 2);
		buf_done(&b);
		buf_done(&names);
	}
}

static void watches_for_utf8(void **state)
{
	(void)state;
	static const struct {
		const char *message;
		bool utf8;
	} rows[] = {
		{ "A: \xc3\xa4\r\n\r\n", true },
		{ "A: \xf0\x9f\x98\x80\n\n\xff", true }, /* the body does not count */
		{ "A: \xe2\x82\xac", true },
		{ "\xc3\xa4: 1\r\n", true },
		{ "A: 1\r\n\r\n\xc3\xa4", false },
		{ "\r\n\xc3\xa4", false },
		{ "\r\r\n\xc3\xa4", true },                  /* not empty: above */
		{ "A: \xc3\xa4\r\nB: \xe4\r\n\r\n", false }, /* ISO 8859-1 beside it */
		{ "A: \xe2\x82\r\n\r\n", false },
		{ "A: \xe2\x82", false },
		{ "A: \xed\xa0\x80\n", false }, /* a surrogate: RFC 3629 3 */
		{ "A: \xc0\x80\n", false },
		{ "A: \xf8\x88\x80\x80\x80\n", false },
		{ "", false },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t n = 1; n < 6; n++) {
			struct mail_header_watch w = { .over = false };
			struct str all = str_from(rows[i].message);
			for (size_t at = 0; at < all.n; at += n)
				mail_header_watch(&w, str_sub(all, at, n));
			assert_int_equal(mail_header_is_utf8(&w), rows[i].utf8);
		}
}

TEST_MAIN(test_case(m3_cuts_fields), test_case(finds_and_counts), test_case(unfolds_values),
	test_case(splits_anywhere), test_case(m3_bounds_names), test_case(watches_for_utf8))
