// SPDX-License-Identifier: Apache-2.0
#include "base/limits.h"
#include "base/test.h"
#include "smtp/grammar.h"

#include <stdlib.h>

static const struct path_case {
	const char *in;
	const char *mailbox; /* NULL: refused */
	const char *domain;
} path_cases[] = {
	{ "<a@b>", "a@b", "b" },
	{ "<userx@y.foo.org>", "userx@y.foo.org", "y.foo.org" },
	{ "<a.b+c!#$%&'*-/=?^_`{|}~@example.org>", "a.b+c!#$%&'*-/=?^_`{|}~@example.org",
		"example.org" },
	{ "<@hosta.int,@jkl.org:userc@d.bar.org>", "userc@d.bar.org", "d.bar.org" },
	{ "<\"a b\"@x.org>", "\"a b\"@x.org", "x.org" },
	{ "<\"a\\\"b\\\\\"@x.org>", "\"a\\\"b\\\\\"@x.org", "x.org" },
	{ "<\"user@other\"@us>", "\"user@other\"@us", "us" },
	{ "<user%other@us>", "user%other@us", "us" },
	{ "<a@[192.0.2.1]>", "a@[192.0.2.1]", "[192.0.2.1]" },
	{ "<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]" },
	{ "<\xc3\xa5sa@\xc3\xb6.se>", "\xc3\xa5sa@\xc3\xb6.se", "\xc3\xb6.se" },
	{ "<a@xn--nda.se>", "a@xn--nda.se", "xn--nda.se" },
	{ "<-a@b>", "-a@b", "b" },
	/* S35 */
	{ "<>", NULL, NULL },
	{ "<@>", NULL, NULL },
	{ "<a@>", NULL, NULL },
	{ "<@a>", NULL, NULL },
	{ "<a@b@c>", NULL, NULL },
	{ "<\"\">@x", NULL, NULL },
	{ "<\"\"@x>", NULL, NULL },
	{ "< a@b>", NULL, NULL },
	{ "<a@b >", NULL, NULL },
	{ "a@b", NULL, NULL },
	{ "<<a@b>>", NULL, NULL },
	{ "<\"a@b>", NULL, NULL },
	{ "<\"a\\\"@b>", NULL, NULL },
	{ "<\"a\"\\@b>", NULL, NULL },
	{ "<a\\@b>", NULL, NULL },
	{ "<a@b\\>", NULL, NULL },
	{ "<a..b@c>", NULL, NULL },
	{ "<.a@c>", NULL, NULL },
	{ "<a.@c>", NULL, NULL },
	{ "<a@b.>", NULL, NULL },
	{ "<a@.b>", NULL, NULL },
	{ "<a@b..c>", NULL, NULL },
	{ "<a@-b>", NULL, NULL },
	{ "<a@b->", NULL, NULL },
	{ "<a@b_c>", NULL, NULL },
	{ "<a b@c>", NULL, NULL },
	{ "<a@b", NULL, NULL },
	{ "<a@[192.0.2.256]>", NULL, NULL },
	{ "<a@[192.0.2]>", NULL, NULL },
	{ "<a@[IPv6:::::]>", NULL, NULL },
	{ "<a@[::1]>", NULL, NULL },
	{ "<a@[x:y]>", NULL, NULL },
	{ "<a@[192.0.2.1>", NULL, NULL },
	{ "<@a,b:c@d>", NULL, NULL },
	{ "<@a:@b:c@d>", NULL, NULL },
	{ "<a(comment)@b>", NULL, NULL },
	{ "<a\x01@b>", NULL, NULL },
	{ "<\"a\x01\"@b>", NULL, NULL },
	{ "<\"a\\\xc3\xa5\"@b>", NULL, NULL },
	/* S54: not UTF-8 */
	{ "<\xc3@b>", NULL, NULL },
	{ "<\xc0\x80@b>", NULL, NULL },
	{ "<a@\xed\xa0\x80>", NULL, NULL },
};

static void s35_paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(path_cases); i++) {
		const struct path_case *c = &path_cases[i];
		struct scan s = scan_from(str_from(c->in));
		struct smtp_path p;
		bool good = smtp_forward_path(&s, &p);
		if (good && !scan_end(&s))
			good = false;
		if (good != (c->mailbox != NULL))
			fail_msg("%s", c->in);
		if (!good)
			continue;
		assert_str(p.mailbox, str_from(c->mailbox));
		assert_str(p.domain, str_from(c->domain));
		assert_int_equal(p.utf8, !str_is_ascii(p.mailbox));
		assert_true(smtp_mailbox(p.mailbox, &p));
	}
	struct smtp_path p;
	struct scan s = scan_from(STR("<>"));
	assert_true(smtp_reverse_path(&s, &p) && scan_end(&s) && p.mailbox.n == 0);
	s = scan_from(STR("<PostMaster>"));
	assert_true(smtp_forward_path(&s, &p) && scan_end(&s));
	assert_str(p.mailbox, STR("PostMaster"));
	assert_int_equal(p.domain.n, 0);
	s = scan_from(STR("<postmaster>"));
	assert_false(smtp_reverse_path(&s, &p));
}

static void own_literals(void **state)
{
	static const struct {
		const char *domain, *address;
		bool same;
	} cases[] = {
		{ "[192.0.2.1]", "192.0.2.1", true },
		{ "[192.0.2.1]", "192.0.2.10", false },
		{ "192.0.2.1", "192.0.2.1", false },
		{ "[192.0.2.1] ", "192.0.2.1", false },
		{ "[IPv6:2001:DB8:0::1]", "2001:db8::1", true },
		{ "[ipv6:2001:db8::1]", "2001:db8::2", false },
		{ "[IPv6:::1]", "127.0.0.1", false },
		{ "[127.0.0.1]", "local", false },
		{ "[127.0.0.1]", "", false },
		{ "", "127.0.0.1", false },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (smtp_literal_is(str_from(cases[i].domain), str_from(cases[i].address)) !=
			cases[i].same)
			fail_msg("%s", cases[i].domain);
}

/* A path of a local part, a label count and a last label's length. */
static bool path_of(size_t local, size_t labels, size_t label)
{
	char text[1024];
	size_t n = 0;
	text[n++] = '<';
	memset(text + n, 'l', local);
	n += local;
	text[n++] = '@';
	for (size_t i = 0; i < labels; i++) {
		memset(text + n, 'd', label);
		n += label;
		text[n++] = i + 1 < labels ? '.' : '>';
	}
	struct smtp_path p;
	struct scan s = scan_from(str_make(text, n));
	return smtp_forward_path(&s, &p) && scan_end(&s);
}

static void s34_lengths(void **state)
{
	(void)state;
	assert_true(path_of(63, 1, 1));
	assert_true(path_of(64, 1, 1));
	assert_false(path_of(65, 1, 1));
	assert_true(path_of(1, 1, 62));
	assert_true(path_of(1, 1, 63));
	assert_false(path_of(1, 1, 64));
	/* "<" local "@" 125 labels of one letter ">": 252 bytes and the local part */
	for (int over = -1; over <= 1; over++)
		assert_int_equal(
			path_of((size_t)(LIMIT_PATH_BYTES - 252 + over), 125, 1), over <= 0);
	char name[300];
	for (size_t n = 254; n <= 256; n++) {
		for (size_t i = 0; i < n; i++)
			name[i] = i % 2 ? '.' : 'd';
		if (name[n - 1] == '.')
			name[n - 1] = 'd';
		struct smtp_path p;
		char mailbox[302] = "a@";
		memcpy(mailbox + 2, name, n);
		assert_int_equal(smtp_mailbox(str_make(mailbox, n + 2), &p), n <= 255);
		assert_int_equal(smtp_hello_name(str_make(name, n)), n <= 255);
	}
}

/* S35: 100,000 backslashes, quotes, dots: linear. */
static void s35_long(void **state)
{
	(void)state;
	static char text[100000];
	for (const char *c = "\\\".a@,<"; *c; c++) {
		struct smtp_path p;
		memset(text, *c, sizeof(text));
		text[0] = '<';
		text[1] = '"';
		struct scan s = scan_from(str_make(text, sizeof(text)));
		assert_false(smtp_forward_path(&s, &p));
		assert_ptr_equal(s.p, text);
	}
}

static void parameters(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		int n;
	} cases[] = {
		{ "", 0 },
		{ " SIZE=100", 1 },
		{ " SIZE=100 BODY=8BITMIME SMTPUTF8", 3 },
		{ " 8X-y=!<>", 1 },
		{ "SIZE=1", -1 },
		{ "  SIZE=1", -1 },
		{ " SIZE=", -1 },
		{ " =1", -1 },
		{ " -A=1", -1 },
		{ " A=b=c", -1 },
		{ " A=\xc3\xa5", -1 },
		{ " A\t", -1 },
		{ " A B C D", 4 },
		{ " A B C D E", -1 },
	};
	struct smtp_param params[4];
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scan s = scan_from(str_from(cases[i].in));
		assert_int_equal(smtp_params(&s, params, 4), cases[i].n);
	}
	struct scan s = scan_from(STR(" SIZE=100 SMTPUTF8"));
	assert_int_equal(smtp_params(&s, params, 4), 2);
	assert_str(params[0].keyword, STR("SIZE"));
	assert_str(params[0].value, STR("100"));
	assert_null(params[1].value.p);
}

static void values(void **state)
{
	(void)state;
	uint64_t size;
	assert_true(smtp_size_value(STR("0"), &size) && size == 0);
	assert_true(smtp_size_value(STR("00012"), &size) && size == 12);
	assert_true(smtp_size_value(STR("18446744073709551615"), &size) && size == UINT64_MAX);
	/* S30: 2^64 */
	assert_true(smtp_size_value(STR("18446744073709551616"), &size) && size == UINT64_MAX);
	assert_false(smtp_size_value(STR("100000000000000000000"), &size));
	assert_false(smtp_size_value(STR("-1"), &size));
	assert_false(smtp_size_value(STR(""), &size));
	assert_false(smtp_size_value(STR("1x"), &size));

	struct buf out;
	buf_init(&out, 32);
	assert_true(smtp_xtext(STR("e+3Dmc2@example.com"), &out)); /* RFC 4954 5 */
	assert_str(buf_str(&out), STR("e=mc2@example.com"));
	/* S49 */
	static const char *const bad[] = { "a+00", "a+0D+0A", "a+", "a+4", "a+g0", "a+3d", "a=b",
		"a b", "\xc3\xa5", "a+7F" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_false(smtp_xtext(str_from(bad[i]), &out));
		assert_int_equal(out.n, 17);
	}
	buf_done(&out);
}

/* S25 */
static void s25_chunk_args(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		bool good, last;
		uint64_t size;
	} cases[] = {
		{ "0", true, false, 0 },
		{ "0 LAST", true, true, 0 },
		{ "1000000 last", true, true, 1000000 },
		{ "9223372036854775807", true, false, INT64_MAX },
		{ "9223372036854775808", false },
		{ "99999999999999999999", false },
		{ "-1", false },
		{ "+1", false },
		{ "0x10", false },
		{ "ff", false },
		{ "00", false },
		{ "007", false },
		{ "", false },
		{ "LAST", false },
		{ " 5", false },
		{ "5  LAST", false },
		{ "5 LASTX", false },
		{ "5 LAST x", false },
		{ "5LAST", false },
		{ "5 ", false },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t size = 0;
		bool last = false;
		bool good = smtp_chunk_args(str_from(cases[i].in), &size, &last);
		if (good != cases[i].good)
			fail_msg("%s", cases[i].in);
		if (good) {
			assert_true(size == cases[i].size);
			assert_int_equal(last, cases[i].last);
		}
	}
}

/* S55 */
static void hello_names(void **state)
{
	(void)state;
	static const char *const good[] = { "bar.com", "[192.0.2.1]", "[IPv6:::1]", "localhost",
		"DESKTOP_1", "127.0.0.1", "xn--nda.se" };
	static const char *const bad[] = { "", "[::::]", "[]", "[192.0.2.1]x", "a b", "a..b", ".a",
		"a.", "::1", "\xc3\xa5.se", "a\x01", "[192.0.2.1", "<x>", "a@b" };
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(smtp_hello_name(str_from(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(smtp_hello_name(str_from(bad[i])));
}

static void verbs(void **state)
{
	(void)state;
	struct str verb, args;
	smtp_verb(STR("MAIL FROM:<a@b> SIZE=1  "), &verb, &args);
	assert_str(verb, STR("MAIL"));
	assert_str(args, STR("FROM:<a@b> SIZE=1"));
	smtp_verb(STR("QUIT"), &verb, &args);
	assert_str(verb, STR("QUIT"));
	assert_int_equal(args.n, 0);
	smtp_verb(STR("   "), &verb, &args);
	assert_int_equal(verb.n, 0);
	smtp_verb(STR(" NOOP"), &verb, &args);
	assert_int_equal(verb.n, 0);
}

TEST_MAIN(test_case(s35_paths), test_case(own_literals), test_case(s34_lengths),
	test_case(s35_long), test_case(parameters), test_case(values), test_case(s25_chunk_args),
	test_case(hello_names), test_case(verbs))
