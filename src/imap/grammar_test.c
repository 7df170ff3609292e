// SPDX-License-Identifier: Apache-2.0
/* Arguments that several commands share. */
#include "imap/grammar.h"

#include "api/schemes.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/test.h"

static void test_flags(void **state)
{
	static const struct {
		const char *text;
		int flags; /* -1: refused */
		size_t n;
	} cases[] = {
		{ "()", 0, 0 },
		{ "(\\Seen)", FLAG_SEEN, 0 },
		{ "(\\seen \\DELETED \\Draft)", FLAG_SEEN | FLAG_DELETED | FLAG_DRAFT, 0 },
		{ "($Forwarded $forwarded x)", 0, 2 },
		{ "(\\Recent)", 0, 0 },
		{ "(\\Other)", -1, 0 },
		{ "(\\*)", -1, 0 },
		{ "( \\Seen)", -1, 0 },
		{ "(\\Seen", -1, 0 },
		{ "(\\Seen  x)", -1, 0 },
		{ "(\"x\")", -1, 0 },
		{ "", -1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scan s = scan_from(str_from(cases[i].text));
		struct flag_list f;
		bool ok = grammar_flag_list(&s, &f) && scan_end(&s);

		assert_int_equal(ok, cases[i].flags >= 0);
		if (ok) {
			assert_int_equal(f.flags, cases[i].flags);
			assert_int_equal(f.n, cases[i].n);
		}
	}
}

/* I18: 128 keywords of 64 bytes. */
static void test_flag_limits(void **state)
{
	(void)state;
	for (size_t n = LIMIT_KEYWORD_BYTES - 1; n <= LIMIT_KEYWORD_BYTES + 1; n++) {
		struct flag_list f;
		struct buf b;
		struct scan s;

		buf_init(&b, 1000);
		for (size_t i = 0; i < n; i++)
			buf_addc(&b, 'k');
		s = scan_from(buf_str(&b));
		assert_true(grammar_flags(&s, &f));
		assert_int_equal(f.too_much, n > LIMIT_KEYWORD_BYTES);
		buf_done(&b);
	}
	for (size_t n = 127; n <= 129; n++) {
		struct flag_list f;
		struct buf b;
		struct scan s;

		buf_init(&b, 10000);
		for (size_t i = 0; i < n; i++)
			buf_addf(&b, "%sk%zu", i > 0 ? " " : "", i);
		s = scan_from(buf_str(&b));
		assert_true(grammar_flags(&s, &f));
		assert_int_equal(f.too_much, n > 128);
		buf_done(&b);
	}
}

static void test_dates(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: refused */
	} cases[] = {
		{ "\" 1-Jan-1970 00:00:01 +0000\"", 1000 },
		{ "\"01-Jan-1970 01:00:01 +0100\"", 1000 },
		{ "\"07-Feb-1994 21:52:25 -0800\"", 760686745000 },
		{ "\"1-Jan-1970 00:00:01 +0000\"", -1 },
		{ "\"32-Jan-1970 00:00:01 +0000\"", -1 },
		{ "\"29-Feb-1995 00:00:01 +0000\"", -1 },
		{ "\" 1-Jan-0000 00:00:01 +0000\"", -1 },
		{ "\" 1-Jan-1970 24:00:01 +0000\"", -1 },
		{ "\" 1-Jan-1970 00:00:01 0000\"", -1 },
		{ "\" 1-Jan-1970 00:00:01 +0000", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scan s = scan_from(str_from(cases[i].text));
		int64_t ms = -1;
		bool ok = grammar_date_time(&s, &ms);

		assert_int_equal(ok, cases[i].ms >= 0);
		if (ok)
			assert_int_equal(ms, cases[i].ms);
	}
}

static void test_status(void **state)
{
	static const struct {
		const char *text;
		unsigned atts; /* 0: refused */
	} cases[] = {
		{ "(MESSAGES)", STATUS_MESSAGES },
		{ "(uidnext UIDVALIDITY)", STATUS_UIDNEXT | STATUS_UIDVALIDITY },
		{ "(DELETED SIZE DELETED)", STATUS_DELETED | STATUS_SIZE },
		{ "(HIGHESTMODSEQ RECENT UNSEEN)",
			STATUS_HIGHESTMODSEQ | STATUS_RECENT | STATUS_UNSEEN },
		{ "()", 0 },
		{ "(MESSAGESX)", 0 },
		{ "(MESSAGES ", 0 },
		{ "MESSAGES", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scan s = scan_from(str_from(cases[i].text));
		unsigned atts = 0;
		bool ok = grammar_status_atts(&s, &atts);

		assert_int_equal(ok, cases[i].atts != 0);
		if (ok)
			assert_int_equal(atts, cases[i].atts);
	}
}

static void test_uses(void **state)
{
	(void)state;
	for (uint16_t bit = 1; bit <= USE_ALL; bit = (uint16_t)(bit << 1))
		assert_int_equal(grammar_special_use(str_from(grammar_special_use_name(bit))), bit);
	assert_int_equal(grammar_special_use(STR("\\sENT")), USE_SENT);
	assert_int_equal(grammar_special_use(STR("Sent")), 0);
}

TEST_MAIN(test_case(test_flags), test_case(test_flag_limits), test_case(test_dates),
	test_case(test_status), test_case(test_uses))
