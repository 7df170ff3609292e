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

static void domains_have_no_empty_label(void **state)
{
	(void)state;
	assert_false(domain_has_empty_label(STR("example.test")));
	assert_false(domain_has_empty_label(STR("localhost")));
	assert_true(domain_has_empty_label(STR("")));
	assert_true(domain_has_empty_label(STR(".example.test")));
	assert_true(domain_has_empty_label(STR("example.test.")));
	assert_true(domain_has_empty_label(STR("example..test")));
}

TEST_MAIN(test_case(mailbox_names), test_case(mailbox_names_are_limited), test_case(addresses),
	test_case(local_parts_are_limited), test_case(domains_have_no_empty_label))
