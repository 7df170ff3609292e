// SPDX-License-Identifier: Apache-2.0
#include "base/limits.h"
#include "imap/fetch_attr.h"

#include "base/test.h"

static struct arena arena;

static int parse(struct str in, struct fetch_attrs *f, struct err *err)
{
	struct scan s = scan_from(in);
	if (fetch_attrs_parse(&s, &arena, f, err) < 0)
		return -1;
	return scan_end(&s) ? 0 : fail(err, ERR_SYNTAX, "rest");
}

/* What is read is printed as RFC 9051 7.5.2 names it. */
static void reads_and_names(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out; /* out NULL: BAD */
		bool seen, digest, bytes;
	} cases[] = {
		{ "FLAGS", "FLAGS", false, false, false },
		{ "(UID FLAGS)", "UID FLAGS", false, false, false },
		{ "(flags FLAGS uid)", "FLAGS UID", false, false, false },
		{ "ALL", "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE", false, true, false },
		{ "fast", "FLAGS INTERNALDATE RFC822.SIZE", false, false, false },
		{ "FULL", "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY", false, true, false },
		{ "(ALL)", NULL, 0, 0, 0 },
		{ "MODSEQ", "MODSEQ", false, false, false },
		{ "BODY", "BODY", false, true, false },
		{ "BODYSTRUCTURE", "BODYSTRUCTURE", false, true, false },
		{ "BODY[]", "BODY[]", true, false, true },
		{ "BODY.PEEK[]", "BODY[]", false, false, true },
		{ "(BODY.PEEK[] BODY[])", "BODY[]", true, false, true },
		{ "BODY[]<0.10>", "BODY[]<0>", true, false, true },
		{ "body.peek[text]", "BODY[TEXT]", false, true, true },
		{ "BODY[1]", "BODY[1]", true, true, true },
		{ "BODY[1.2.3.MIME]", "BODY[1.2.3.MIME]", true, true, true },
		{ "BODY[2.HEADER]", "BODY[2.HEADER]", true, true, true },
		{ "BODY[2.TEXT]<5.1>", "BODY[2.TEXT]<5>", true, true, true },
		{ "BODY[HEADER.FIELDS (From \"To\" {2}\r\nCc)]", "BODY[HEADER.FIELDS (From To Cc)]",
			true, true, true },
		{ "BODY[4.header.fields.not (a)]", "BODY[4.HEADER.FIELDS.NOT (a)]", true, true,
			true },
		{ "BINARY[1]", "BINARY[1]", true, true, true },
		{ "BINARY.PEEK[]", "BINARY[]", false, true, true },
		{ "BINARY.PEEK[1.2]<3.4>", "BINARY[1.2]<3>", false, true, true },
		{ "BINARY.SIZE[1]", "BINARY.SIZE[1]", false, true, true },
		{ "RFC822", "RFC822", true, false, true },
		{ "RFC822.HEADER", "RFC822.HEADER", false, true, true },
		{ "RFC822.TEXT", "RFC822.TEXT", true, true, true },
		{ "RFC822.SIZE", "RFC822.SIZE", false, false, false },
		/* I6 */
		{ "BODY[]<4294967295.4294967295>", "BODY[]<4294967295>", true, false, true },
		{ "BODY[]<9223372036854775807.9223372036854775807>", "BODY[]<9223372036854775807>",
			true, false, true },
		{ "BODY[]<9223372036854775808.1>", NULL, 0, 0, 0 },
		{ "BODY[]<99999999999999999999.1>", NULL, 0, 0, 0 },
		{ "BODY[]<1.0>", NULL, 0, 0, 0 },
		{ "BODY[]<-1.5>", NULL, 0, 0, 0 },
		{ "BODY[]<1>", NULL, 0, 0, 0 },
		{ "BINARY.SIZE[1]<0.1>", NULL, 0, 0, 0 },
		{ "BINARY[TEXT]", NULL, 0, 0, 0 },
		{ "BINARY[1.TEXT]", NULL, 0, 0, 0 },
		{ "BODY[MIME]", NULL, 0, 0, 0 },
		{ "BODY[0]", NULL, 0, 0, 0 },
		{ "BODY[1.]", NULL, 0, 0, 0 },
		{ "BODY[1..2]", NULL, 0, 0, 0 },
		{ "BODY[1.0]", NULL, 0, 0, 0 },
		{ "BODY[01]", NULL, 0, 0, 0 },
		{ "BODY[1.02]", NULL, 0, 0, 0 },
		{ "BODY[.1]", NULL, 0, 0, 0 },
		{ "BODY[4294967296]", NULL, 0, 0, 0 },
		{ "BODY[TEXTS]", NULL, 0, 0, 0 },
		{ "BODY[HEADER.FIELDS ()]", NULL, 0, 0, 0 },
		{ "BODY[HEADER.FIELDS From]", NULL, 0, 0, 0 },
		{ "BODY[", NULL, 0, 0, 0 },
		{ "BODY.PEEK", NULL, 0, 0, 0 },
		{ "BODYS", NULL, 0, 0, 0 },
		{ "()", NULL, 0, 0, 0 },
		{ "(FLAGS", NULL, 0, 0, 0 },
		{ "(FLAGS  UID)", NULL, 0, 0, 0 },
		{ "", NULL, 0, 0, 0 },
	};
	struct buf b;
	buf_init(&b, 4000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fetch_attrs f;
		struct err err;
		arena_reset(&arena);
		int got = parse(str_from(cases[i].in), &f, &err);
		if ((got == 0) != (cases[i].out != NULL))
			fail_msg("%s: %d", cases[i].in, got);
		if (got < 0) {
			assert_int_equal(err.kind, ERR_SYNTAX);
			continue;
		}
		buf_clear(&b);
		for (size_t k = 0; k < f.n; k++) {
			if (k > 0)
				buf_addc(&b, ' ');
			assert_true(fetch_item_print(&f.items[k], &b));
		}
		assert_str(buf_str(&b), str_from(cases[i].out));
		assert_int_equal(f.sets_seen, cases[i].seen);
		assert_int_equal(f.needs_digest, cases[i].digest);
		assert_int_equal(f.needs_bytes, cases[i].bytes);
	}
	buf_done(&b);
}

static void add_numbers(struct buf *b, size_t n)
{
	buf_clear(b);
	buf_addz(b, "BODY[");
	for (size_t i = 0; i < n; i++)
		buf_addz(b, i ? ".1" : "1");
	buf_addz(b, "]");
}

static void add_fields(struct buf *b, size_t n)
{
	buf_clear(b);
	buf_addz(b, "BODY[HEADER.FIELDS (");
	for (size_t i = 0; i < n; i++)
		buf_addz(b, i ? " a" : "a");
	buf_addz(b, ")]");
}

static void add_items(struct buf *b, size_t n)
{
	buf_clear(b);
	for (size_t i = 0; i < n; i++)
		buf_addf(b, "%cBODY[]<%zu.1>", i ? ' ' : '(', i);
	buf_addz(b, ")");
}

/* I6: each limit at N - 1, N and N + 1; then the catalogue's 10,000. */
static void has_limits(void **state)
{
	(void)state;
	static const struct {
		void (*make)(struct buf *, size_t);
		size_t limit;
	} cases[] = {
		{ add_numbers, LIMIT_IMAP_SECTION_DEPTH },
		{ add_fields, LIMIT_IMAP_HEADER_FIELDS },
		{ add_items, LIMIT_IMAP_FETCH_ITEMS },
	};
	struct buf b;
	buf_init(&b, 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t n[] = { cases[i].limit - 1, cases[i].limit, cases[i].limit + 1, 10000 };
		for (size_t k = 0; k < ARRAY_LEN(n); k++) {
			struct fetch_attrs f;
			struct err err;
			arena_reset(&arena);
			cases[i].make(&b, n[k]);
			assert_int_equal(parse(buf_str(&b), &f, &err), k < 2 ? 0 : -1);
			if (k >= 2)
				assert_int_equal(err.kind, ERR_LIMIT);
		}
	}
	/* The same again and again is one. */
	buf_clear(&b);
	for (size_t i = 0; i < 10000; i++)
		buf_addz(&b, i ? " FLAGS" : "(FLAGS");
	buf_addz(&b, ")");
	struct fetch_attrs f;
	arena_reset(&arena);
	assert_int_equal(parse(buf_str(&b), &f, NULL), 0);
	assert_int_equal(f.n, 1);
	buf_done(&b);
}

static void reads_modifiers(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		int ret;
		uint64_t since;
		bool vanished;
	} cases[] = {
		{ "", 0, 0 },
		{ " (CHANGEDSINCE 12345)", 0, 12345 },
		{ " (changedsince 9223372036854775807)", 0, INT64_MAX },
		{ " (CHANGEDSINCE 1 VANISHED)", 0, 1, true },
		{ " (vanished changedsince 2)", 0, 2, true },
		{ " (VANISHED)", 0, 0, true },
		{ " (VANISHED VANISHED CHANGEDSINCE 1)", -1, 0 },
		{ " (CHANGEDSINCE 1 CHANGEDSINCE 2)", -1, 0 },
		{ " (CHANGEDSINCE 1VANISHED)", -1, 0 },
		{ " (CHANGEDSINCE 1 VANISHED )", -1, 0 },
		{ " (CHANGEDSINCE 0)", 0, 0 },
		{ " (CHANGEDSINCE 0 CHANGEDSINCE 1)", -1, 0 },
		{ " (CHANGEDSINCE 9223372036854775808)", -1, 0 },
		{ " (CHANGEDSINCE)", -1, 0 },
		{ " (CHANGEDSINCE 1) ", -1, 0 },
		{ " ()", -1, 0 },
		{ "(CHANGEDSINCE 1)", -1, 0 },
		{ " x", -1, 0 },
		{ " (CHANGEDSINCE 1 CHANGEDSINCE 1)", -1, 0 },
		{ " (PARTIAL 1:2)", 0, 0 },
		{ " (PARTIAL -1:-2 CHANGEDSINCE 5)", 0, 5 },
		{ " (PARTIAL 1:-2)", -1, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scan s = scan_from(str_from(cases[i].in));
		struct fetch_modifiers m;
		assert_int_equal(fetch_modifiers_parse(&s, &m, NULL), cases[i].ret);
		if (cases[i].ret == 0) {
			assert_int_equal(m.changed_since, cases[i].since);
			assert_int_equal(m.vanished, cases[i].vanished);
		}
	}
}

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 1 << 20);
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
	const struct CMUnitTest tests[] = { test_case(reads_and_names), test_case(has_limits),
		test_case(reads_modifiers) };
	return cmocka_run_group_tests(tests, setup, teardown);
}
