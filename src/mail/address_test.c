// SPDX-License-Identifier: Apache-2.0
#include "base/limits.h"
#include "base/test.h"
#include "mail/address.h"

#include <stdlib.h>
#include <time.h>

/* name|route|local|domain; "-" for absent; groups as {name and }. */
static void print(const struct mail_addresses *list, struct buf *out)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct mail_address *a = &list->v[i];
		struct str part[4] = { a->name, a->route, a->local, a->domain };
		if (i)
			buf_addz(out, ", ");
		if (a->kind == MAIL_ADDRESS_GROUP_END)
			buf_addc(out, '}');
		else if (a->kind == MAIL_ADDRESS_GROUP_START)
			buf_addf(out, "{%" STR_FMT, STR_ARG(a->name));
		for (size_t k = 0; a->kind == MAIL_ADDRESS_MAILBOX && k < 4; k++) {
			if (part[k].p == NULL)
				buf_addz(out, k ? "|-" : "-");
			else
				buf_addf(out, "%s%" STR_FMT, k ? "|" : "", STR_ARG(part[k]));
		}
	}
	buf_addz(out, list->malformed ? " !" : "");
	buf_addz(out, list->truncated ? " >" : "");
}

static const struct {
	const char *in, *out;
} lists[] = {
	/* RFC 5322 A.1 */
	{ "John Doe <jdoe@machine.example>", "John Doe|-|jdoe|machine.example" },
	{ "\"Joe Q. Public\" <john.q.public@example.com>",
		"Joe Q. Public|-|john.q.public|example.com" },
	{ "Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
		"Mary Smith|-|mary|x.test, -|-|jdoe|example.org, Who?|-|one|y.test" },
	{ "<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
		"-|-|boss|nil.test, Giant; \"Big\" Box|-|sysservices|example.net" },
	{ "A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
		"{A Group, Ed Jones|-|c|a.test, -|-|joe|where.test, John|-|jdoe|one.test, }" },
	{ "Undisclosed recipients:;", "{Undisclosed recipients, }" },
	/* RFC 5322 A.5: comments and folding everywhere */
	{ "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
		"Pete|-|pete|silly.test" },
	{ "A Group(Some people)\r\n    :Chris Jones <c@(Chris's host.)public.example>,\r\n"
	  "        joe@example.org,\r\n John <jdoe@one.test> (my dear friend); (the end of the "
	  "group)",
		"{A Group, Chris Jones|-|c|public.example, -|-|joe|example.org, "
		"John|-|jdoe|one.test, }" },
	{ "(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;",
		"{Hidden recipients, }" },
	/* RFC 5322 A.6: obsolete */
	{ "Joe Q. Public <john.q.public@example.com>",
		"Joe Q. Public|-|john.q.public|example.com" },
	{ "Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
		"Mary Smith|@node.test|mary|example.net, -|-|jdoe|test.example" },
	{ "<@a.test,@b.test:c@d.test>", "-|@a.test,@b.test|c|d.test" },
	{ "John  <jdoe . x@machine(comment).  example>", "John|-|jdoe.x|machine.example" },
	/* names in comments, as before RFC 822 */
	{ "jdoe@x.test (John Doe)", "John Doe|-|jdoe|x.test" },
	{ "a@b.test (one (nested \\) two) end)", "one (nested ) two) end|-|a|b.test" },
	/* quoted local parts, literals, UTF-8 (RFC 6532) */
	{ "\"a b\"@c.test", "-|-|a b|c.test" }, { "\"a\\\"b\".c@d.test", "-|-|a\"b.c|d.test" },
	{ "\"\"@c.test", "-|-||c.test" }, { "x@[192.0.2.1]", "-|-|x|[192.0.2.1]" },
	{ "J\xc3\xb6rg <j\xc3\xb6rg@b\xc3\xbc"
	  "cher.example>",
		"J\xc3\xb6rg|-|j\xc3\xb6rg|b\xc3\xbc"
		"cher.example" },
	{ "=?utf-8?q?J=C3=B6rg?= <j@x.test>", "=?utf-8?q?J=C3=B6rg?=|-|j|x.test" },
	{ "\"\" <a@b.test>", "|-|a|b.test" },
	/* what breaks the grammar */
	{ "a@b.test <c@d.test>", "a@b.test|-|c|d.test !" },
	{ "John Doe a@b.test", "-|-|a|b.test !" },
	{ "a@b.test c@d.test", "-|-|a|b.test, -|-|c|d.test !" }, { "<a@b.test", "-|-|a|b.test !" },
	{ "<a@b.test, c@d.test", "-|-|a|b.test, -|-|c|d.test !" }, { "a@", "-|-|a| !" },
	{ "@b.test", "-|-||b.test !" }, { "<>", "-|-|| !" }, { "someone", "-|-|someone| !" },
	{ "two words", "-|-|two words| !" }, { "\"open <a@b.test>", "-|-|open <a@b.test>| !" },
	{ "a@b.test (open", "open|-|a|b.test !" }, { "a;b@c.test;", "-|-|a|, -|-|b|c.test !" },
	{ "g:h:a@b.test;", "{g, -|-|a|b.test, } !" }, { "g:a@b.test", "{g, -|-|a|b.test, } !" },
	{ "a@b@c.test", "-|-|a|b, -|-||c.test !" }, { "a@[1.2.3", "-|-|a|[1.2.3 !" }, { "", "" },
	{ " , ,, ", "" }, { "(only a comment)", "" }, { "(ends in a backslash\\", " !" }, /* M10 */
};

static void m10_parses_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct arena a;
		struct buf out;
		struct mail_addresses list;
		arena_init(&a, 65536);
		buf_init(&out, 65536);
		mail_addresses_parse(&a, str_from(lists[i].in), &list);
		print(&list, &out);
		if (!str_equal(buf_str(&out), str_from(lists[i].out)))
			fail_msg("%s\n gave %s\n not  %s", lists[i].in, out.p, lists[i].out);
		arena_done(&a);
		buf_done(&out);
	}
}

static void repeat(struct buf *b, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_addz(b, text);
}

/* M1: the cap at N-1, N, N+1; a group that is cut is closed. */
static void m1_bounds_entries(void **state)
{
	(void)state;
	for (size_t n = LIMIT_ADDRESSES - 1; n <= LIMIT_ADDRESSES + 1; n++) {
		struct arena a;
		struct buf b;
		struct mail_addresses list;
		arena_init(&a, 1 << 20);
		buf_init(&b, 1 << 20);
		repeat(&b, "a@b.test,", n);
		mail_addresses_parse(&a, buf_str(&b), &list);
		assert_int_equal(list.n, n <= LIMIT_ADDRESSES ? n : LIMIT_ADDRESSES);
		assert_int_equal(list.truncated, n > LIMIT_ADDRESSES);
		buf_clear(&b);
		buf_addz(&b, "g:");
		repeat(&b, "a@b.test,", n);
		mail_addresses_parse(&a, buf_str(&b), &list);
		assert_int_equal(list.v[list.n - 1].kind, MAIL_ADDRESS_GROUP_END);
		arena_done(&a);
		buf_done(&b);
	}
}

/* M10: depth is bounded by a number, not by the stack. */
static void m10_bounds_comments(void **state)
{
	(void)state;
	for (size_t n = LIMIT_COMMENT_DEPTH - 1; n <= LIMIT_COMMENT_DEPTH + 1; n++) {
		struct arena a;
		struct buf b;
		struct mail_addresses list;
		arena_init(&a, 1 << 20);
		buf_init(&b, 1 << 20);
		repeat(&b, "(", n);
		repeat(&b, ")", n);
		buf_addz(&b, "a@b.test");
		mail_addresses_parse(&a, buf_str(&b), &list);
		assert_int_equal(list.mailboxes, 1);
		assert_int_equal(list.malformed, n > LIMIT_COMMENT_DEPTH);
		arena_done(&a);
		buf_done(&b);
	}
}

static double cpu_seconds(const char *unit, size_t n)
{
	struct arena a;
	struct buf b;
	struct mail_addresses list;
	struct timespec from, to;
	arena_init(&a, 64 << 20);
	buf_init(&b, 64 << 20);
	repeat(&b, unit, n);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	mail_addresses_parse(&a, buf_str(&b), &list);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	arena_done(&a);
	buf_done(&b);
	return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

/* As in mime_test.c: twice the input, at most two and a half times the cost; three tries. */
static bool is_linear(const char *unit, size_t n)
{
	for (int i = 0; i < 3; i++) {
		double twice = cpu_seconds(unit, 2 * n);
		if (twice < 0.2 || twice <= 2.5 * cpu_seconds(unit, n))
			return true;
	}
	return false;
}

/* M1, M10: what once took minutes. */
static void m1_m10_stays_linear(void **state)
{
	(void)state;
	static const char *const units[] = { "a@b.test,", "(", "()", "\\", "\"", "\\\"", "<", ">",
		"@", ":", ";", "g:", "g:;", "a ", "a.", "[", "<@a:", "<a@b>", "a@b ", "(\\",
		"\"\\\\", "=?a?b?c?= " };
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (!is_linear(units[i], 100000))
			fail_msg("%s", units[i]);
}

static const struct {
	const char *in, *out; /* NULL: refused */
} normals[] = {
	{ "Ann@Example.ORG", "Ann@example.org" },
	{ "\"ann\"@example.org", "ann@example.org" },
	{ "\"a\\n\\n\"@example.org", "ann@example.org" },
	{ "\"a b\"@example.org", "\"a b\"@example.org" },
	{ "\"a\\\"b\"@example.org", "\"a\\\"b\"@example.org" },
	{ "\"a@b\"@example.org", "\"a@b\"@example.org" },
	{ "\"\"@example.org", "\"\"@example.org" },
	{ "a.b+c@localhost", "a.b+c@localhost" },
	{ "a@[192.0.2.1]", "a@[192.0.2.1]" },
	{ "a@[IPv6:2001:DB8::1]", "a@[ipv6:2001:db8::1]" },
	{ "a@B\xc3\xbc"
	  "cher.example",
		"a@xn--bcher-kva.example" },
	{ "j\xc3\xb6@example.org", "j\xc3\xb6@example.org" },
	{ "jo\xcc\x88@example.org", "j\xc3\xb6@example.org" }, /* NFC */
	{ "a@fa\xc3\x9f.example", "a@xn--fa-hia.example" },    /* nontransitional */
	{ "a", NULL },
	{ "@example.org", NULL },
	{ "a@", NULL },
	{ ".a@example.org", NULL },
	{ "a.@example.org", NULL },
	{ "a..b@example.org", NULL },
	{ "a b@example.org", NULL },
	{ "a@exa mple.org", NULL },
	{ "a@-x.org", NULL },
	{ "a@x-.org", NULL },
	{ "a@x..org", NULL },
	{ "a@x.org.", NULL },
	{ "a@x_y.org", NULL },
	{ "a@[1.2.3]", NULL },
	{ "a@[256.1.1.1]", NULL },
	{ "a@[IPv6:::g]", NULL },
	{ "a\r\n@x.org", NULL },
	{ "\"a\r\n\"@x.org", NULL },
	{ "a\xc2\x85@x.org", NULL }, /* NEL */
	{ "a\xff@x.org", NULL },
	{ "\"a\"b\"@x.org", NULL },
	{ "\"a\\\"@x.org", NULL },
	{ "a@xn--a-\xc3\xbc.org", NULL },
};

static void normalizes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(normals); i++) {
		struct buf b;
		buf_init(&b, 400);
		buf_addz(&b, "+");
		bool ok = mail_address_normalize(str_from(normals[i].in), &b);
		struct str got = str_from_offset(buf_str(&b), 1);
		if (ok != (normals[i].out != NULL) || !str_equal(got, str_from(normals[i].out)))
			fail_msg("%s gave %s", normals[i].in, b.p);
		buf_done(&b);
	}
}

/* S34: 64, 63 and 255 fit, one more does not. */
static void s34_bounds_mailboxes(void **state)
{
	(void)state;
	struct buf b, out;
	buf_init(&b, 1000);
	buf_init(&out, 1000);
	for (size_t n = LIMIT_LOCAL_PART_BYTES - 1; n <= LIMIT_LOCAL_PART_BYTES + 1; n++) {
		buf_clear(&b);
		repeat(&b, "l", n);
		buf_addz(&b, "@x.org");
		assert_int_equal(
			mail_address_normalize(buf_str(&b), &out), n <= LIMIT_LOCAL_PART_BYTES);
	}
	for (size_t n = LIMIT_LABEL_BYTES - 1; n <= LIMIT_LABEL_BYTES + 1; n++) {
		buf_clear(&b);
		repeat(&b, "d", n);
		assert_int_equal(mail_domain_valid(buf_str(&b)), n <= LIMIT_LABEL_BYTES);
	}
	for (size_t n = LIMIT_DOMAIN_BYTES - 1; n <= LIMIT_DOMAIN_BYTES + 1; n++) {
		buf_clear(&b);
		repeat(&b, "d.", n / 2);
		repeat(&b, "d", n - b.n);
		if (b.p[b.n - 1] == '.')
			b.p[b.n - 2] = b.p[b.n - 1] = 'd';
		assert_int_equal(b.n, n);
		assert_int_equal(mail_domain_valid(buf_str(&b)), n <= LIMIT_DOMAIN_BYTES);
	}
	buf_done(&b);
	buf_done(&out);
}

static void strips_comments(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ " (a) base64 (b(c))", "base64" },
		{ "<a@b> (x) <c@d>", "<a@b> <c@d>" },
		{ "\"(not)\" (yes)", "\"(not)\"" },
		{ "a\r\n b", "a b" },
		{ "(open", "" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b;
		buf_init(&b, 100);
		assert_true(mail_strip_comments(str_from(cases[i].in), &b));
		assert_str(buf_str(&b), str_from(cases[i].out));
		buf_done(&b);
	}
	struct str rest = STR("x <a@b> y <c@d><e>, <open"), id;
	assert_true(mail_message_id_next(&rest, &id));
	assert_str(id, STR("<a@b>"));
	assert_true(mail_message_id_next(&rest, &id));
	assert_true(mail_message_id_next(&rest, &id));
	assert_str(id, STR("<e>"));
	assert_false(mail_message_id_next(&rest, &id));
}

static bool same(struct str a, struct str b)
{
	return (a.p == NULL) == (b.p == NULL) && str_equal(a, b);
}

/* Whatever is called simple is what the parser says it is: all values of up to seven of these
 * pieces. */
static void simple_is_what_the_parser_says(void **state)
{
	static const char *const pieces[] = { "a", "@", "<", ">", " ", ".", ",", "(b)", "\"",
		"\xc3\xa9", ":", "\t" };
	enum { MOST = 6, N = 12 };
	unsigned simple = 0, count = 1;
	(void)state;
	for (int length = 0; length <= MOST; length++, count *= N)
		for (unsigned which = 0; which < count; which++) {
			char text[40] = "";
			unsigned rest = which;
			for (int i = 0; i < length; i++, rest /= N)
				memcpy(text + strlen(text), pieces[rest % N],
					strlen(pieces[rest % N]) + 1);
			struct mail_address a;
			if (!mail_address_simple(str_from(text), &a))
				continue;
			struct mail_addresses list = { 0 };
			struct arena arena;
			arena_init(&arena, 100000);
			mail_addresses_parse(&arena, str_from(text), &list);
			assert_int_equal(list.n, 1);
			assert_true(list.v[0].kind == a.kind && same(list.v[0].name, a.name) &&
				    same(list.v[0].route, a.route) &&
				    same(list.v[0].local, a.local) &&
				    same(list.v[0].domain, a.domain));
			arena_done(&arena);
			simple++;
		}
	assert_true(simple > 20);
	struct mail_address a;
	assert_true(mail_address_simple(STR("Load Generator <load@load.example>"), &a));
	assert_true(str_equal(a.name, STR("Load Generator")));
}

TEST_MAIN(cmocka_unit_test(simple_is_what_the_parser_says), test_case(m10_parses_lists),
	test_case(m1_bounds_entries), test_case(m10_bounds_comments),
	test_case(m1_m10_stays_linear), test_case(normalizes), test_case(s34_bounds_mailboxes),
	test_case(strips_comments))
