// SPDX-License-Identifier: Apache-2.0
#include "base/limits.h"
#include "imap/search.h"

#include "base/test.h"

static struct arena arena;

static const char *const ops[] = { "and", "or", "not", "all", "flag", "keyword", "seq", "uid",
	"larger", "smaller", "modseq", "before", "on", "since", "older", "younger", "saved-before",
	"saved-on", "saved-since", "email-id", "never", "recent", "sentbefore", "senton",
	"sentsince", "header", "body", "text" };

static void print(const struct search *s, struct buf *out)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct search_key *k = &s->keys[i];
		buf_addf(out, "%s%s", i ? " " : "", ops[k->op]);
		if (k->op == SEARCH_AND)
			buf_addf(out, "%u", k->count);
		if (k->op == SEARCH_FLAG || (k->op == SEARCH_RECENT && k->flags))
			buf_addf(out, "=%u", k->flags);
		if (k->field.n > 0)
			buf_addf(out, ":%" STR_FMT, STR_ARG(k->field));
		if (k->text.n > 0)
			buf_addf(out, "=%" STR_FMT, STR_ARG(k->text));
		if (k->number > 0)
			buf_addf(out, "=%llu", (unsigned long long)k->number);
		if (k->day != 0)
			buf_addf(out, "=%lld", (long long)k->day);
		if (k->set.n > 0) {
			buf_addc(out, '=');
			seqset_print(&k->set, out);
		}
		if (k->set.saved)
			buf_addz(out, "=$");
	}
}

static void reads_programs(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out; /* out NULL: BAD */
		unsigned returns;
	} cases[] = {
		{ " ALL", "all", 0 },
		{ " seen", "flag=1", 0 },
		{ " UNSEEN", "flag=1 not", 0 },
		{ " NEW", "recent=1", 0 },
		{ " OLDER 1 YOUNGER 4294967295", "older=1 younger=4294967295 and2", 0 },
		{ " OLDER 0", NULL, 0 },
		{ " OLDER x", NULL, 0 },
		{ " EMAILID M1 NOT THREADID T", "email-id=1 never not and2", 0 },
		{ " EMAILID", NULL, 0 },
		{ " SAVEDATESUPPORTED SAVEDBEFORE 2-Jan-1970 SAVEDON 2-Jan-1970 SAVEDSINCE "
		  "2-Jan-1970",
			"all saved-before=1 saved-on=1 saved-since=1 and4", 0 },
		{ " UNSEEN UNDELETED", "flag=1 not flag=8 not and2", 0 },
		{ " UNSEEN UNDELETED UNDRAFT", "flag=1 not flag=8 not flag=16 not and3", 0 },
		{ " (UNSEEN UNSEEN) (UNSEEN UNSEEN)",
			"flag=1 not flag=1 not and2 flag=1 not flag=1 not and2 and2", 0 },
		{ " OR (UNSEEN UNSEEN) NOT UNSEEN", "flag=1 not flag=1 not and2 flag=1 not not or",
			0 },
		{ " OLD RECENT NEW", "recent not recent recent=1 and3", 0 },
		{ " FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"",
			"flag=4 since=8797 header:From=SMITH not and3", 0 },
		{ " ON \"1-Jan-1970\" BEFORE 2-Jan-1970", "on before=1 and2", 0 },
		{ " OR SEEN (DELETED DRAFT)", "flag=1 flag=8 flag=16 and2 or", 0 },
		{ " OR NOT SEEN OR SEEN DELETED", "flag=1 not flag=1 flag=8 or or", 0 },
		{ " ((SEEN))", "flag=1", 0 },
		{ " NOT NOT ALL", "all not not", 0 },
		{ " 1:3,5", "seq=1:3,5", 0 },
		{ " UID 7:9 $", "uid=7:9 seq=$ and2", 0 },
		{ " UID $", "uid=$", 0 },
		{ " KEYWORD $Work UNKEYWORD b", "keyword=$Work keyword=b not and2", 0 },
		{ " LARGER 1000 SMALLER 9223372036854775807",
			"larger=1000 smaller=9223372036854775807 and2", 0 },
		{ " HEADER X-Foo \"\"", "header:X-Foo", 0 },
		{ " HEADER \"\" \"\"", "never", 0 },
		{ " NOT HEADER \"\" x", "never=X not", 0 },
		{ " HEADER List-Id {5}\r\nA b)( TEXT x", "header:List-Id=A B)( text=X and2", 0 },
		{ " BODY \"\xc3\x84\"", "body=A\xcc\x88", 0 },
		{ " CHARSET UTF-8 SUBJECT \xff", NULL, 0 },
		{ " CHARSET iso-8859-1 SUBJECT {1}\r\n\xc4", "header:Subject=A\xcc\x88", 0 },
		{ " CC a BCC b TO c", "header:Cc=A header:Bcc=B header:To=C and3", 0 },
		{ " MODSEQ 620162338", "modseq=620162338", 0 },
		{ " MODSEQ \"/flags/\\\\draft\" all 620162338", "modseq=620162338", 0 },
		{ " RETURN (MIN COUNT) ALL", "all", SEARCH_RETURN_MIN | SEARCH_RETURN_COUNT },
		{ " RETURN () CHARSET us-ascii ALL", "all", SEARCH_RETURN_ALL },
		{ " return (save max) ALL", "all", SEARCH_RETURN_SAVE | SEARCH_RETURN_MAX },
		{ " SENTON 1-Jan-2000", "senton=10957", 0 },
		{ "", NULL, 0 },
		{ " ", NULL, 0 },
		{ "ALL", NULL, 0 },
		{ " ALL ", NULL, 0 },
		{ "  ALL", NULL, 0 },
		{ " ALL  SEEN", NULL, 0 },
		{ " ()", NULL, 0 },
		{ " (SEEN", NULL, 0 },
		{ " SEEN)", NULL, 0 },
		{ " (SEEN )", NULL, 0 },
		{ " NOT", NULL, 0 },
		{ " OR SEEN", NULL, 0 },
		{ " NOT(SEEN)", NULL, 0 },
		{ " SEENX", NULL, 0 },
		{ " 0", NULL, 0 },
		{ " 1,", NULL, 0 },
		{ " UID a", NULL, 0 },
		{ " FROM", NULL, 0 },
		{ " BEFORE 31-Feb-2000", NULL, 0 },
		{ " BEFORE \"1-Feb-2000", NULL, 0 },
		{ " LARGER -1", NULL, 0 },
		{ " LARGER 9223372036854775808", NULL, 0 },
		{ " MODSEQ \"/x/\" all 1", NULL, 0 },
		{ " RETURN (FOO) ALL", NULL, 0 },
		{ " RETURN (MIN", NULL, 0 },
		{ " RETURN (MIN)", NULL, 0 },
		{ " CHARSET UTF-8", NULL, 0 },
	};
	struct buf b;
	buf_init(&b, 4000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		arena_reset(&arena);
		struct scan s = scan_from(str_from(cases[i].in));
		struct search search;
		struct err err;
		int got = search_parse(&s, &arena, &search, &err);
		if ((got == 0) != (cases[i].out != NULL))
			fail_msg("%s: %d", cases[i].in, got);
		if (got < 0) {
			assert_int_equal(err.kind, ERR_SYNTAX);
			continue;
		}
		buf_clear(&b);
		print(&search, &b);
		assert_str(buf_str(&b), str_from(cases[i].out));
		assert_int_equal(search.returns, cases[i].returns);
	}
	buf_done(&b);
}

static void refuses_unknown_charsets(void **state)
{
	(void)state;
	struct scan s = scan_from(STR(" CHARSET UTF-7 ALL"));
	struct search search;
	struct err err;
	assert_int_equal(search_parse(&s, &arena, &search, &err), -1);
	assert_int_equal(err.kind, ERR_UNSUPPORTED);
}

static void nest(struct buf *b, size_t n)
{
	buf_addz(b, " ");
	for (size_t i = 1; i < n; i++)
		buf_addz(b, "NOT ");
	buf_addz(b, "ALL");
}

static void nest_or(struct buf *b, size_t n)
{
	buf_addz(b, " ");
	for (size_t i = 1; i < n; i++)
		buf_addz(b, "OR ALL ");
	buf_addz(b, "ALL");
}

static void nest_parens(struct buf *b, size_t n)
{
	buf_addz(b, " ");
	for (size_t i = 1; i < n; i++)
		buf_addz(b, "(");
	buf_addz(b, "ALL");
	for (size_t i = 1; i < n; i++)
		buf_addz(b, ")");
}

/* With the joint that makes one of them. */
static void many(struct buf *b, size_t n)
{
	for (size_t i = 1; i < n; i++)
		buf_addz(b, " ALL");
}

static void needle(struct buf *b, size_t n)
{
	buf_addf(b, " BODY {%zu}\r\n", n);
	for (size_t i = 0; i < n; i++)
		buf_addc(b, 'a');
}

/* I5, I23: at N - 1, N, N + 1, and 100,000 */
static void has_limits(void **state)
{
	(void)state;
	static const struct {
		void (*make)(struct buf *, size_t);
		size_t limit;
	} cases[] = {
		{ nest, LIMIT_IMAP_SEARCH_DEPTH },
		{ nest_or, LIMIT_IMAP_SEARCH_DEPTH },
		{ nest_parens, LIMIT_IMAP_SEARCH_DEPTH },
		{ many, LIMIT_IMAP_SEARCH_KEYS },
		{ needle, LIMIT_IMAP_NEEDLE_BYTES },
	};
	struct buf b;
	buf_init(&b, 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t n[] = { cases[i].limit - 1, cases[i].limit, cases[i].limit + 1, 100000 };
		for (size_t k = 0; k < ARRAY_LEN(n); k++) {
			arena_reset(&arena);
			buf_clear(&b);
			cases[i].make(&b, n[k]);
			struct scan s = scan_from(buf_str(&b));
			struct search search;
			struct err err;
			int got = search_parse(&s, &arena, &search, &err);
			if (got != (k < 2 ? 0 : -1))
				fail_msg("case %zu, %zu: %d", i, n[k], got);
			if (got < 0)
				assert_int_equal(err.kind, ERR_LIMIT);
		}
	}
	buf_done(&b);
}

/* ---- results ---- */

static struct view *view_of(size_t n)
{
	struct view *v = view_new();
	for (size_t i = 1; i <= n; i++) {
		struct api_entry e = { .uid = (uint32_t)i * 10, .modseq = 100 - i };
		assert_true(view_apply(v, &e, 1, NULL, 0, NULL));
	}
	view_apply_end(v);
	view_tell_all(v);
	return v;
}

static void writes_results(void **state)
{
	(void)state;
	static const struct {
		const char *search;
		bool by_uid, extended;
		uint32_t found[5];
		const char *out, *saved;
	} cases[] = {
		{ " ALL", false, false, { 2, 3, 5 }, "* SEARCH 2 3 5\r\n", "" },
		{ " ALL", true, false, { 2, 3, 5 }, "* SEARCH 20 30 50\r\n", "" },
		{ " ALL", false, false, { 0 }, "* SEARCH\r\n", "" },
		{ " MODSEQ 1", false, false, { 2, 5 }, "* SEARCH 2 5 (MODSEQ 98)\r\n", "" },
		{ " MODSEQ 1", false, false, { 0 }, "* SEARCH\r\n", "" },
		{ " ALL", false, true, { 2, 3, 5 }, "* ESEARCH (TAG \"a1\") ALL 2:3,5\r\n", "" },
		{ " ALL", true, true, { 0 }, "* ESEARCH (TAG \"a1\") UID\r\n", "" },
		{ " RETURN () ALL", true, false, { 1, 2 },
			"* ESEARCH (TAG \"a1\") UID ALL 10,20\r\n", "" },
		{ " RETURN (MIN MAX COUNT) ALL", false, false, { 2, 3, 5 },
			"* ESEARCH (TAG \"a1\") MIN 2 MAX 5 COUNT 3\r\n", "" },
		{ " RETURN (MIN MAX COUNT ALL) ALL", false, false, { 0 },
			"* ESEARCH (TAG \"a1\") COUNT 0\r\n", "" },
		{ " RETURN (MAX) MODSEQ 1", false, false, { 2, 5 },
			"* ESEARCH (TAG \"a1\") MAX 5 MODSEQ 95\r\n", "" },
		{ " RETURN (MIN MAX) MODSEQ 1", false, false, { 2, 5 },
			"* ESEARCH (TAG \"a1\") MIN 2 MAX 5 MODSEQ 98\r\n", "" },
		{ " RETURN (SAVE) ALL", false, false, { 2, 3 }, "", "20,30" },
		{ " RETURN (SAVE MIN) ALL", false, false, { 2, 3, 5 },
			"* ESEARCH (TAG \"a1\") MIN 2\r\n", "20" },
		{ " RETURN (SAVE MIN MAX) ALL", false, false, { 2, 3, 5 },
			"* ESEARCH (TAG \"a1\") MIN 2 MAX 5\r\n", "20,50" },
		{ " RETURN (SAVE MIN COUNT) ALL", false, false, { 2, 3, 5 },
			"* ESEARCH (TAG \"a1\") MIN 2 COUNT 3\r\n", "20,30,50" },
	};
	struct view *v = view_of(5);
	struct buf b;
	buf_init(&b, 4000);
	struct vec saved;
	vec_init(&saved, sizeof(struct api_range), 100);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scan s = scan_from(str_from(cases[i].search));
		struct search search;
		assert_int_equal(search_parse(&s, &arena, &search, NULL), 0);
		struct search_result r;
		search_result_init(&r);
		for (size_t k = 0; k < 5 && cases[i].found[k]; k++)
			assert_true(search_result_add(
				&r, &search, v, cases[i].found[k], cases[i].by_uid));
		struct search_write w = { 0 };
		buf_clear(&b);
		assert_true(search_result_write(
			&r, &search, STR("a1"), cases[i].by_uid, cases[i].extended, &w, &b));
		assert_str(buf_str(&b), str_from(cases[i].out));
		search_result_save(&r, &search, &saved);
		struct seqset set = seqset_of(&saved);
		buf_clear(&b);
		seqset_print(&set, &b);
		assert_str(buf_str(&b), str_from(cases[i].saved));
		search_result_done(&r);
	}
	vec_done(&saved);
	buf_done(&b);
	view_free(&v);
}

/* Any room gives the same bytes. */
static void writes_in_pieces(void **state)
{
	(void)state;
	struct view *v = view_of(3000);
	static const char *const searches[] = { " ALL", " RETURN (ALL) ALL" };
	for (size_t i = 0; i < ARRAY_LEN(searches); i++) {
		struct scan s = scan_from(str_from(searches[i]));
		struct search search;
		arena_reset(&arena);
		assert_int_equal(search_parse(&s, &arena, &search, NULL), 0);
		struct search_result r;
		search_result_init(&r);
		for (uint32_t n = 1; n <= 3000; n++)
			if (n % 3)
				assert_true(search_result_add(&r, &search, v, n, true));
		struct buf whole, small, all;
		buf_init(&whole, 1 << 20);
		buf_init(&all, 1 << 20);
		buf_init(&small, 1500);
		struct search_write w = { 0 };
		assert_true(search_result_write(&r, &search, STR("t"), true, false, &w, &whole));
		w = (struct search_write){ 0 };
		bool done;
		do {
			done = search_result_write(&r, &search, STR("t"), true, false, &w, &small);
			buf_adds(&all, buf_str(&small));
			buf_clear(&small);
		} while (!done);
		assert_true(str_equal(buf_str(&whole), buf_str(&all)));
		buf_done(&whole);
		buf_done(&small);
		buf_done(&all);
		search_result_done(&r);
	}
	view_free(&v);
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
	const struct CMUnitTest tests[] = { test_case(reads_programs),
		test_case(refuses_unknown_charsets), test_case(has_limits),
		test_case(writes_results), test_case(writes_in_pieces) };
	return cmocka_run_group_tests(tests, setup, teardown);
}
