// SPDX-License-Identifier: Apache-2.0
/* The one spelling of mailbox names and addresses. */
#include "base/test.h"
#include "store/names.h"

static void mailbox_names(void **state)
{
	static const struct {
		const char *given, *expected;
		enum err_kind kind;
	} cases[] = {
		{ "inbox", "INBOX", ERR_NONE }, /* RFC 9051 5.1 */
		{ "Inbox/x", "INBOX/x", ERR_NONE }, { "inboxes", "inboxes", ERR_NONE },
		{ "a/inbox", "a/inbox", ERR_NONE }, { "Sent", "Sent", ERR_NONE },
		{ "caf\x65\xcc\x81", "caf\xc3\xa9", ERR_NONE }, /* NFC */
		{ "caf\xc3\xa9", "caf\xc3\xa9", ERR_NONE }, { "", NULL, ERR_SYNTAX },
		{ "/", NULL, ERR_SYNTAX }, { "a/", NULL, ERR_SYNTAX }, { "/a", NULL, ERR_SYNTAX },
		{ "a//b", NULL, ERR_SYNTAX }, { "a\nb", NULL, ERR_SYNTAX },
		{ "\xff", NULL, ERR_SYNTAX },
		{ "\xed\xa0\x80", NULL, ERR_SYNTAX }, /* a surrogate */
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct mailbox_name name;
		struct err err = ERR_INIT;
		int rc = mailbox_name_canonical(str_from(cases[i].given), &name, &err);
		assert_int_equal(rc == 0 ? ERR_NONE : err.kind, cases[i].kind);
		if (rc == 0)
			assert_str(mailbox_name_str(&name), str_from(cases[i].expected));
	}
}

/* N - 1, N, N + 1 bytes and levels. I9, I30 */
static void mailbox_names_are_limited(void **state)
{
	char text[LIMIT_MAILBOX_NAME_BYTES + 2];
	struct mailbox_name name;
	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t n = LIMIT_MAILBOX_NAME_BYTES - 1; n <= LIMIT_MAILBOX_NAME_BYTES + 1; n++)
		assert_int_equal(mailbox_name_canonical(str_make(text, n), &name, NULL),
			n <= LIMIT_MAILBOX_NAME_BYTES ? 0 : -1);
	for (size_t i = 1; i < sizeof(text); i += 2)
		text[i] = '/';
	for (size_t n = LIMIT_MAILBOX_LEVELS - 1; n <= LIMIT_MAILBOX_LEVELS + 1; n++) {
		int rc = mailbox_name_canonical(str_make(text, 2 * n - 1), &name, NULL);
		assert_int_equal(rc, n <= LIMIT_MAILBOX_LEVELS ? 0 : -1);
	}
}

static void addresses(void **state)
{
	static const struct {
		const char *given, *expected, *plain;
	} cases[] = {
		{ "Alice@Example.TEST", "alice@example.test", NULL },
		{ "a+b@x", "a+b@x", "a@x" },
		{ "a+b+c@x", "a+b+c@x", "a@x" },
		{ "+b@x", "+b@x", NULL },
		{ "a+@x", "a+@x", "a@x" },
		{ "a@b@x", "a@b@x", NULL }, /* a quoted local part without its quotes */
		{ "j\xc3\xbcrgen@x", "j\xc3\xbcrgen@x", NULL },
		{ "", NULL, NULL },
		{ "a", NULL, NULL },
		{ "@x", NULL, NULL },
		{ "a@", NULL, NULL },
		{ "a@x y", NULL, NULL },
		{ "a\r@x", NULL, NULL },
		{ "a\xff@x", NULL, NULL },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct address_name a, plain;
		int rc = address_canonical(str_from(cases[i].given), &a, NULL);
		assert_int_equal(rc, cases[i].expected ? 0 : -1);
		if (rc < 0)
			continue;
		assert_str(address_str(&a), str_from(cases[i].expected));
		assert_int_equal(address_without_detail(&a, &plain), cases[i].plain != NULL);
		if (cases[i].plain)
			assert_str(address_str(&plain), str_from(cases[i].plain));
	}
}

static void local_parts_are_limited(void **state)
{
	char text[LIMIT_LOCAL_PART_BYTES + 4];
	struct address_name a;
	(void)state;
	for (size_t n = LIMIT_LOCAL_PART_BYTES - 1; n <= LIMIT_LOCAL_PART_BYTES + 1; n++) {
		memset(text, 'x', n);
		memcpy(text + n, "@y", 2);
		assert_int_equal(address_canonical(str_make(text, n + 2), &a, NULL),
			n <= LIMIT_LOCAL_PART_BYTES ? 0 : -1);
	}
}

/* One spelling for what names the same, whichever way it is written. */
static void addresses_have_one_spelling(void **state)
{
	static const struct {
		const char *given, *expected, *plain;
	} cases[] = {
		/* RFC 5321 4.1.2: quotes that say nothing are none */
		{ "\"alice\"@x", "alice@x", NULL },
		{ "\"al\\ice\"@x", "alice@x", NULL },
		{ "\"a b\"@x", "\"a b\"@x", NULL },
		{ "\"A\\ B\"@X", "\"a b\"@x", NULL },
		{ "\"a b+c d\"@x", "\"a b+c d\"@x", "\"a b\"@x" },
		{ "\"a+c d\"@x", "\"a+c d\"@x", "a@x" },
		{ "\"a@b\"@x", "\"a@b\"@x", NULL },
		{ "\"+b c\"@x", "\"+b c\"@x", NULL },
		/* with its detail it is a dot-string, without it is none */
		{ "\"dot.+x\"@x", "dot.+x@x", "\"dot.\"@x" },
		/* RFC 6531, RFC 5891: labels and their forms; NFC in the local part */
		{ "a@M\xc3\xbcller.TEST", "a@xn--mller-kva.test", NULL },
		{ "a@mu\xcc\x88ller.test", "a@xn--mller-kva.test", NULL },
		{ "a@XN--MLLER-KVA.test", "a@xn--mller-kva.test", NULL },
		{ "a@m\xc3\x9cller\xe3\x80\x82test", "a@xn--mller-kva.test", NULL },
		{ "ju\xcc\x88rgen+x@b\xc3\xbc.x", "j\xc3\xbcrgen+x@xn--b-eha.x",
			"j\xc3\xbcrgen@xn--b-eha.x" },
		/* lower case before NFC, and behind it */
		{ "T\xcc\x88@x", "\xe1\xba\x97@x", NULL },
		{ "\xe2\x84\xaa@x", "k@x", NULL },
		{ "T\xcc\x88 @x_", "\xe1\xba\x97 @x_", NULL },
		{ "a@[IPv6:2001:DB8::1]", "a@[ipv6:2001:db8::1]", NULL },
		/* what is none keeps a spelling, so that it can be removed */
		{ "A b@x", "a b@x", NULL },
		{ "a@X_y.test", "a@x_y.test", NULL },
		{ "a@xn--zz\xc3\xbc.test", "a@xn--zz\xc3\xbc.test", NULL },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct address_name a, plain, again;
		assert_int_equal(address_canonical(str_from(cases[i].given), &a, NULL), 0);
		assert_str(address_str(&a), str_from(cases[i].expected));
		assert_int_equal(a.text[a.at], '@');
		assert_int_equal(address_canonical(address_str(&a), &again, NULL), 0);
		assert_str(address_str(&again), address_str(&a));
		assert_int_equal(address_without_detail(&a, &plain), cases[i].plain != NULL);
		if (cases[i].plain)
			assert_str(address_str(&plain), str_from(cases[i].plain));
	}
}

static int check_domain(const char *given)
{
	char name[LIMIT_DOMAIN_BYTES + 1];
	if (domain_canonical(str_from(given), name, NULL) < 0)
		return -2;
	return domain_check(str_from(name), NULL);
}

/* RFC 5321 2.3.5, 4.1.2; RFC 5890 2.3.2.1 */
static void what_may_be_a_domain(void **state)
{
	static const char *const good[] = { "example.test", "localhost", "1.test", "a-b.test",
		"1.2.3.4a", "EXAMPLE.Test", "m\xc3\xbcller.test", "xn--mller-kva.test",
		"fa\xc3\x9f.test", "ab--c.test" };
	static const char *const bad[] = { ".example.test", "example.test.", "example..test", ".",
		"*.test", "x_y.test", "-a.test", "a-.test", "[1.2.3.4]", "1.2.3.4", "example.1",
		"127", "[IPv6:::1]", "a/b", "xn--.test", "xn--zzzzz9999999999.test", "xn--a.test",
		"m\xc3\xbcller..test", "m\xc3\xbcller.test.", "\xcc\x88.test", "a\xe2\x80\x8d.test",
		"\xd7\x90"
		"a.test",
		"\xef\xbf\xbd.test", "a\xe2\x80\xa8.test" };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(check_domain(good[i]), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (check_domain(bad[i]) == 0)
			fail_msg("%s is no domain", bad[i]);
	assert_int_equal(check_domain(""), -2);
	assert_int_equal(check_domain("a@b"), -2);
	assert_int_equal(check_domain("\xff.test"), -2);
}

static void domains_are_limited(void **state)
{
	char text[LIMIT_DOMAIN_BYTES + 4];
	(void)state;
	for (size_t n = LIMIT_LABEL_BYTES - 1; n <= LIMIT_LABEL_BYTES + 1; n++) {
		memset(text, 'x', n);
		memcpy(text + n, ".test", 6);
		assert_int_equal(check_domain(text), n <= LIMIT_LABEL_BYTES ? 0 : -1);
	}
	for (size_t n = LIMIT_OWN_DOMAIN_BYTES - 1; n <= LIMIT_OWN_DOMAIN_BYTES + 1; n++) {
		for (size_t i = 0; i < n; i++)
			text[i] = i % 50 == 49 ? '.' : 'x';
		text[n] = 0;
		assert_int_equal(check_domain(text), n <= LIMIT_OWN_DOMAIN_BYTES ? 0 : -1);
	}
	for (size_t n = LIMIT_DOMAIN_BYTES; n <= LIMIT_DOMAIN_BYTES + 1; n++) {
		for (size_t i = 0; i < n; i++)
			text[i] = i % 50 == 49 ? '.' : 'x';
		text[n] = 0;
		assert_int_equal(check_domain(text), n <= LIMIT_DOMAIN_BYTES ? -1 : -2);
	}
}

static void what_may_be_an_address(void **state)
{
	static const char *const good[] = { "a@x", "\"a b\"@x", "j\xc3\xbcrgen@b\xc3\xbc.x" };
	static const char *const bad[] = { "a b@x", "a@b@x", "a..b@x", ".a@x", "a@x_y",
		"a@[1.2.3.4]", "a@x.", "\"a@x", "\"\"@x" };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct address_name a;
		assert_int_equal(address_canonical(str_from(good[i]), &a, NULL), 0);
		assert_int_equal(address_check(address_str(&a), NULL), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct address_name a;
		struct err err = ERR_INIT;
		if (address_canonical(str_from(bad[i]), &a, NULL) < 0)
			continue;
		assert_int_equal(address_check(address_str(&a), &err), -1);
		assert_int_equal(err.kind, ERR_SYNTAX);
	}
}

TEST_MAIN(test_case(mailbox_names), test_case(mailbox_names_are_limited), test_case(addresses),
	test_case(local_parts_are_limited), test_case(addresses_have_one_spelling),
	test_case(what_may_be_a_domain), test_case(domains_are_limited),
	test_case(what_may_be_an_address))
