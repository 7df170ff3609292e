// SPDX-License-Identifier: Apache-2.0
#include "base/limits.h"
#include "imap/mailbox_name.h"

#include "base/test.h"

/* I8, I9 */
static void reads_names(void **state)
{
	(void)state;
	static const struct {
		struct str wire;
		bool utf8;
		const char *name; /* NULL: refused */
	} cases[] = {
		{ STR_INIT("inbox"), false, "INBOX" },
		{ STR_INIT("iNBox/x"), false, "INBOX/x" },
		{ STR_INIT("inboxes"), false, "inboxes" },
		{ STR_INIT("x/inbox"), false, "x/inbox" },
		{ STR_INIT("a/b c"), false, "a/b c" },
		{ STR_INIT("a/"), false, "a" },
		{ STR_INIT("~root"), false, "~root" }, /* a name like any other: never a path */
		{ STR_INIT("&AOQ-"), false, "\xc3\xa4" },
		{ STR_INIT("&AOQ-"), true, "&AOQ-" },
		{ STR_INIT("\xc3\xa4"), true, "\xc3\xa4" },
		{ STR_INIT("\xc3\xa4"), false,
			"\xc3\xa4" }, /* a bare 8-bit name is taken as UTF-8 */
		{ STR_INIT("a\xcc\x88"), true, "\xc3\xa4" }, /* NFC: one name, one mailbox */
		{ STR_INIT("&AGEDCA-"), false, NULL },       /* "a" in base64 */
		{ STR_INIT("a&Awg-"), false, "\xc3\xa4" },
		{ STR_INIT("&-"), false, "&" },
		{ STR_INIT("&"), false, NULL },
		{ STR_INIT("&AAA-"), false, NULL },
		{ STR_INIT("&AAE-"), false, NULL },
		{ STR_INIT("\xff"), true, NULL },
		{ STR_INIT("a\0b"), true, NULL },
		{ STR_INIT("a\tb"), true, NULL },
		{ STR_INIT("a\x7f"), true, NULL },
		{ STR_INIT("a\xe2\x80\xa8"), true, NULL }, /* U+2028 */
		{ STR_INIT("a\xc2\x85"), true, NULL },     /* U+0085 */
		{ STR_INIT(""), false, NULL },
		{ STR_INIT("/"), false, NULL },
		{ STR_INIT("/etc/passwd"), false, NULL },
		{ STR_INIT("../x"), false, NULL },
		{ STR_INIT("a/../x"), false, NULL },
		{ STR_INIT("."), false, NULL },
		{ STR_INIT("a//b"), false, NULL },
		{ STR_INIT("a%"), false, NULL },
		{ STR_INIT("*"), false, NULL },
		{ STR_INIT("#news.x"), false, NULL },
	};
	struct buf b;
	buf_init(&b, LIMIT_MAILBOX_NAME_BYTES);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err;
		int got = mailbox_name_read(cases[i].wire, cases[i].utf8, &b, &err);
		if ((got == 0) != (cases[i].name != NULL))
			fail_msg("%s: %d", cases[i].wire.p, got);
		if (got == 0)
			assert_str(buf_str(&b), str_from(cases[i].name));
		else
			assert_int_equal(err.kind, ERR_DENIED);
	}
	buf_done(&b);
}

static void has_limits(void **state)
{
	(void)state;
	struct buf b, wire;
	buf_init(&b, LIMIT_MAILBOX_NAME_BYTES);
	buf_init(&wire, 20000);
	size_t sizes[] = { LIMIT_MAILBOX_NAME_BYTES - 1, LIMIT_MAILBOX_NAME_BYTES,
		LIMIT_MAILBOX_NAME_BYTES + 1, 10000 };
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		buf_clear(&wire);
		for (size_t k = 0; k < sizes[i]; k++)
			buf_addc(&wire, 'a');
		assert_int_equal(
			mailbox_name_read(buf_str(&wire), i % 2, &b, NULL), i < 2 ? 0 : -1);
	}
	size_t levels[] = { LIMIT_MAILBOX_LEVELS - 1, LIMIT_MAILBOX_LEVELS,
		LIMIT_MAILBOX_LEVELS + 1, 500 };
	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		buf_clear(&wire);
		for (size_t k = 0; k < levels[i]; k++)
			buf_addz(&wire, k ? "/a" : "a");
		assert_int_equal(
			mailbox_name_read(buf_str(&wire), false, &b, NULL), i < 2 ? 0 : -1);
	}
	buf_done(&b);
	buf_done(&wire);
}

static void writes_names(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 1000);
	assert_true(mailbox_name_write(&b, STR("INBOX"), false));
	assert_true(mailbox_name_write(&b, STR("a b"), false));
	assert_true(mailbox_name_write(&b, STR("\xc3\xa4"), false));
	assert_true(mailbox_name_write(&b, STR("\xc3\xa4"), true));
	assert_str(buf_str(&b), STR("INBOX\"a b\"&AOQ-\"\xc3\xa4\""));
	assert_true(mailbox_name_is_inbox(STR("INBOX")));
	buf_done(&b);
}

TEST_MAIN(test_case(reads_names), test_case(has_limits), test_case(writes_names))
