// SPDX-License-Identifier: Apache-2.0
#include "base/buf.h"
#include "base/limits.h"
#include "imap/match.h"

#include "base/test.h"

static bool matches(const char *reference, const char *pattern, const char *name)
{
	struct match m;
	assert_true(match_init(&m, str_from(reference), str_from(pattern)));
	bool yes = match_name(&m, str_from(name));
	assert_int_equal(match_name(&m, str_from(name)), yes); /* and again */
	match_done(&m);
	return yes;
}

static void knows_wildcards(void **state)
{
	(void)state;
	static const struct {
		const char *reference, *pattern, *name;
		bool yes;
	} cases[] = {
		{ "", "*", "a/b/c", true },
		{ "", "*", "", true },
		{ "", "%", "a", true },
		{ "", "%", "a/b", false },
		{ "", "%/%", "a/b", true },
		{ "", "%/%", "a/b/c", false },
		{ "", "a", "a", true },
		{ "", "a", "A", false },
		{ "", "", "a", false },
		{ "", "", "", true },
		{ "", "a*", "a", true },
		{ "", "a*", "a/b", true },
		{ "", "*b", "a/b", true },
		{ "", "*b", "a/c", false },
		{ "", "a%c", "abc", true },
		{ "", "a%c", "a/c", false },
		{ "", "a%*c", "a/c", true },
		{ "", "a*%c", "a/c", true },
		{ "", "*%*%*%*", "x/y", true },
		{ "a/", "%", "a/b", true },
		{ "a/", "%", "a/b/c", false },
		{ "a%", "%b", "a/b", false },
		{ "", "inbox", "INBOX", true },
		{ "", "iNb*", "INBOX", true },
		{ "", "inbox/x", "INBOX/x", true },
		{ "", "inbox/X", "INBOX/x", false },
		{ "", "inboxes", "INBOXES", false },
		{ "", "%inbox", "INBOX", true },
		{ "", "\xc3\xa4%", "\xc3\xa4\xc3\xb6", true },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (matches(cases[i].reference, cases[i].pattern, cases[i].name) != cases[i].yes)
			fail_msg("%s%s against %s", cases[i].reference, cases[i].pattern,
				cases[i].name);
	}
}

static bool naive(const char *p, const char *n)
{
	if (*p == 0)
		return *n == 0;
	if (*p == '*' || *p == '%') {
		if (naive(p + 1, n))
			return true;
		return *n && (*p == '*' || *n != '/') && naive(p, n + 1);
	}
	return *p == *n && naive(p + 1, n + 1);
}

/* Every pattern of up to 5 symbols against every name of up to 5. */
static void agrees_with_backtracking(void **state)
{
	(void)state;
	for (int p = 0; p < 4 * 4 * 4 * 4 * 4; p++) {
		char pattern[6] = { 0 };
		for (int i = 0, x = p; i < 5 && x; i++, x /= 4)
			pattern[i] = "a/*%"[x % 4];
		struct match m;
		assert_true(match_init(&m, STR(""), str_from(pattern)));
		for (int n = 0; n < 3 * 3 * 3 * 3 * 3; n++) {
			char name[6] = { 0 };
			for (int i = 0, x = n; i < 5 && x; i++, x /= 3)
				name[i] = "a/b"[x % 3];
			if (match_name(&m, str_from(name)) != naive(pattern, name))
				fail_msg("%s against %s", pattern, name);
		}
		match_done(&m);
	}
}

/* I10 */
static void is_linear_and_bounded(void **state)
{
	(void)state;
	struct buf p;
	buf_init(&p, 10000);
	for (int i = 0; i < 1000; i++)
		buf_addz(&p, "*%*%*%");
	struct match m;
	assert_true(match_init(&m, STR(""), buf_str(&p)));
	assert_int_equal(m.states, 2);
	match_done(&m);
	for (size_t n = LIMIT_MAILBOX_PATTERN_BYTES - 1; n <= LIMIT_MAILBOX_PATTERN_BYTES + 1;
		n++) {
		buf_clear(&p);
		for (size_t i = 0; i < n; i++)
			buf_addc(&p, i % 2 ? '*' : 'a');
		assert_int_equal(
			match_init(&m, STR(""), buf_str(&p)), n <= LIMIT_MAILBOX_PATTERN_BYTES);
		if (n > LIMIT_MAILBOX_PATTERN_BYTES)
			break;
		char name[1024];
		memset(name, 'a', sizeof(name));
		assert_true(match_name(&m, str_make(name, sizeof(name))));
		name[1023] = 'b';
		assert_int_equal(match_name(&m, str_make(name, sizeof(name))), n % 2 == 0);
		for (int i = 0; i < 1000; i++)
			match_name(&m, str_make(name, sizeof(name)));
		match_done(&m);
	}
	buf_done(&p);
}

TEST_MAIN(test_case(knows_wildcards), test_case(agrees_with_backtracking),
	test_case(is_linear_and_bounded))
