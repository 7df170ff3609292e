// SPDX-License-Identifier: Apache-2.0
/* Base subjects and message ids. RFC 5256 2.1, 3 */
#include "mail/subject.h"

#include "base/test.h"

static void base_subjects(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out;
		bool reply;
	} cases[] = {
		{ "", "", false },
		{ "hello", "hello", false },
		{ " \t hello \t  world ", "hello world", false },
		{ "=?utf-8?q?Re:_gr=C3=BCn?=", "gr\xc3\xbcn", true },
		{ "Re: hello", "hello", true },
		{ "RE : re[2] :Fwd: FW: hello", "hello", true },
		{ "re [a] : hello", "hello", true },
		{ "re [a] [b]: hello", "re [a] [b]: hello", false },
		{ "fwd: x (fwd) (FWD)", "x", true },
		{ "x(fwd)", "x", true },
		{ "(fwd)", "", true },
		{ "[list] Re: hello", "hello", true },
		{ "[list][bug] [x] Re: [y] Fw: hello", "hello", true },
		{ "[list] hello", "hello", false },
		{ "[a][b] hello", "hello", false },
		{ "[a][b]", "[b]", false },
		{ "[a] (fwd)", "[a]", true },
		{ "Re: [a]", "[a]", true },
		{ "[fwd: hello]", "hello", true },
		{ "[Fwd: Re: [x] hello (fwd)]", "hello", true },
		{ "[fwd: [fwd: [fwd: x]]]", "x", true },
		{ "[fwd: x] y", "y", false },
		{ "[fwd:]", "", true },
		{ "[fwd: x", "[fwd: x", false },
		{ "Re:", "", true },
		{ "re", "re", false },
		{ "rehearsal: x", "rehearsal: x", false },
		{ "fwiw: x", "fwiw: x", false },
		{ "[a [b] c", "[a [b] c", false },
		{ "]x[", "]x[", false },
		{ "Re: Re: Re: x", "x", true },
	};
	struct buf out;
	buf_init(&out, 1000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool reply;
		buf_clear(&out);
		assert_true(mail_base_subject(str_from(cases[i].in), &out, &reply));
		if (!str_equal(buf_str(&out), str_from(cases[i].out)) || reply != cases[i].reply)
			fail_msg("%s: '%.*s' %d", cases[i].in, (int)out.n, out.p, reply);
	}
	buf_done(&out);
}

/* Hostile ones take linear time: each of these is looked at some few times. */
static void i22_long_subjects(void **state)
{
	(void)state;
	static const char *const pieces[] = { "[a]", "[fwd:", "re: ", "[", "(fwd)", "re[", " ",
		"[a" };
	enum { BYTES = 4 * 1024 * 1024 };
	struct buf in, out;
	buf_init(&in, BYTES);
	buf_init(&out, 4 * BYTES);
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		bool reply;
		buf_clear(&in);
		buf_clear(&out);
		while (buf_addz(&in, pieces[i]))
			;
		in.full = false;
		assert_true(mail_base_subject(buf_str(&in), &out, &reply));
	}
	buf_clear(&in);
	while (buf_addz(&in, "<("))
		;
	in.full = false;
	struct str ids = buf_str(&in);
	assert_false(mail_reference_next(&ids, &out));
	buf_done(&in);
	buf_done(&out);
}

static void message_ids(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "<a@b>", "a@b|" },
		{ "<a@b><c@d> <e@f>", "a@b|c@d|e@f|" },
		{ "<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>", "01KF8JCEOCBS0045PS@xxx.yyy.com|" },
		{ "<01KF8JCEOCBS0045PS@xxx.yyy.com>", "01KF8JCEOCBS0045PS@xxx.yyy.com|" },
		{ "< a (comment (x)) @ b >", "a@b|" },
		{ "<\"a\\\"b>\"@c>", "a\"b>@c|" },
		{ "<A@b> (was: <c@d>)", "A@b|c@d|" },
		{ "your message of today", "" },
		{ "<ab>", "" },
		{ "<@b>", "" },
		{ "<a@>", "" },
		{ "<>", "" },
		{ "<a@b", "" },
		{ "<a@<c@d>", "c@d|" },
		{ "<a@\"b", "" },
		{ "<a@[1.2.3.4]>", "a@[1.2.3.4]|" },
	};
	struct buf id, all;
	buf_init(&id, 100);
	buf_init(&all, 1000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str rest = str_from(cases[i].in);
		buf_clear(&all);
		while (mail_reference_next(&rest, &id)) {
			buf_adds(&all, buf_str(&id));
			buf_addc(&all, '|');
		}
		assert_str(buf_str(&all), str_from(cases[i].out));
	}
	buf_done(&id);
	buf_done(&all);
}

TEST_MAIN(test_case(base_subjects), test_case(i22_long_subjects), test_case(message_ids))
