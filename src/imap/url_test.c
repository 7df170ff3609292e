// SPDX-License-Identifier: Apache-2.0
/* URLs of messages: the forms of RFC 5092 9 and RFC 4469, and what is none. */
#include "base/test.h"
#include "imap/url.h"

static const struct {
	const char *text;
	bool ok;
	const char *mailbox; /* NULL: the base's */
	uint32_t uidvalidity, uid;
	const char *section; /* NULL: all */
	bool partial;
	uint64_t offset, length;
} cases[] = {
	{ "/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER", true, "Drafts", 385759045, 20,
		"HEADER" },
	{ "/Drafts;UIDVALIDITY=385759045/;UID=20/;Section=1.MIME", true, "Drafts", 385759045, 20,
		"1.MIME" },
	{ "/Drafts/;UID=3002", true, "Drafts", 0, 3002, NULL },
	{ "/gray-council;UIDVALIDITY=385759045/;UID=20/;PARTIAL=0.1024", true, "gray-council",
		385759045, 20, NULL, true, 0, 1024 },
	{ "/a/b/;uid=1/;SECTION=1.2/;PARTIAL=7", true, "a/b", 0, 1, "1.2", true, 7, 0 },
	{ ";UID=20", true, NULL, 0, 20, NULL },
	{ ";UID=20/;SECTION=TEXT/;PARTIAL=1.2", true, NULL, 0, 20, "TEXT", true, 1, 2 },
	{ "/%C3%A4%2f%20&=/;UID=1", true, "\xc3\xa4/ &=", 0, 1, NULL },
	{ "/x/;UID=1/;SECTION=HEADER.FIELDS%20(Subject)", true, "x", 0, 1,
		"HEADER.FIELDS (Subject)" },
	{ "/x/;UID=1/;SECTION=1/;PARTIAL=9223372036854775807.9223372036854775807", true, "x", 0, 1,
		"1", true, INT64_MAX, INT64_MAX },
	/* what RFC 4469 3 leaves to others, and what is no message */
	{ "imap://joe@example.com/x/;UID=1", false },
	{ "//example.com/x/;UID=1", false },
	{ "/x/;UID=1;URLAUTH=anonymous", false },
	{ "/x", false },
	{ "/x?SUBJECT%20a", false },
	{ "", false },
	{ "/", false },
	{ "/;UID=1", false },
	/* no URL */
	{ "x/;UID=1", false },
	{ "/x;UID=1", false },
	{ "/x/;UID=0", false },
	{ "/x/;UID=4294967296", false },
	{ "/x/;UID=1 ", false },
	{ "/x/;UID=1/", false },
	{ "/x;UIDVALIDITY=0/;UID=1", false },
	{ "/x;UIDVALIDITY=1;UID=1", false },
	{ "/x/;UID=1/;SECTION=", false },
	{ "/x/;UID=1/;SECTION=1;PARTIAL=1", false },
	{ "/x/;UID=1/;SECTION=/;PARTIAL=1", false },
	{ "/x/;UID=1/;PARTIAL=1.0", false },
	{ "/x/;UID=1/;PARTIAL=9223372036854775808", false },
	{ "/x/;UID=1/;PARTIAL=1/;SECTION=1", false },
	{ "/%00/;UID=1", false },
	{ "/%4/;UID=1", false },
	{ "/x%/;UID=1", false },
	{ "/a b/;UID=1", false },
	{ "/\xc3\xa4/;UID=1", false },
};

static void check_str(struct str got, const char *expected)
{
	if (expected == NULL)
		assert_null(got.p);
	else
		assert_true(str_equal(got, str_from(expected)));
}

static void test_urls(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct imap_url u;
		struct arena a;

		arena_init(&a, 65536);
		if (imap_url_parse(str_from(cases[i].text), &a, &u) != cases[i].ok)
			fail_msg("%s", cases[i].text);
		if (cases[i].ok) {
			check_str(u.mailbox, cases[i].mailbox);
			check_str(u.section, cases[i].section);
			assert_int_equal(u.uidvalidity, cases[i].uidvalidity);
			assert_int_equal(u.uid, cases[i].uid);
			assert_int_equal(u.partial, cases[i].partial);
			assert_int_equal(u.offset, cases[i].offset);
			assert_int_equal(u.length, cases[i].length);
		}
		arena_done(&a);
	}
}

TEST_MAIN(test_case(test_urls))
