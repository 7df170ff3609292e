// SPDX-License-Identifier: Apache-2.0
/* Errors: their texts are whole, one line, and never more than their room. */
#include "base/err.h"
#include "base/test.h"

#include <errno.h>

static void kinds_have_names(void **state)
{
	(void)state;
	for (int k = 0; k < ERR_KINDS; k++) {
		assert_non_null(err_name((enum err_kind)k));
		assert_true(strlen(err_sentence((enum err_kind)k)) > 0);
		for (int other = 0; other < k; other++)
			assert_string_not_equal(
				err_name((enum err_kind)k), err_name((enum err_kind)other));
	}
	assert_string_equal(err_name(ERR_KINDS), "unknown");
	assert_string_equal(err_name((enum err_kind) - 1), "unknown");
	assert_string_equal(err_sentence(ERR_KINDS), "unknown error");
}

static void says_what_for_whom(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	assert_int_equal(fail(NULL, ERR_TEMP, "x"), -1);
	assert_int_equal(fail_log(NULL, ERR_TEMP, "x"), -1);
	assert_int_equal(fail_errno(NULL, "x"), -1);
	assert_int_equal(fail(&err, ERR_QUOTA, "%s is full", "INBOX"), -1);
	assert_int_equal(err.kind, ERR_QUOTA);
	assert_string_equal(err.public_text, "INBOX is full");
	assert_string_equal(err_log_text(&err), "INBOX is full");
	assert_int_equal(fail_log(&err, ERR_CORRUPT, "/var/%d", 7), -1);
	assert_string_equal(err.public_text, "stored data is damaged");
	assert_string_equal(err_log_text(&err), "/var/7");
	errno = ENOENT;
	assert_int_equal(fail_errno(&err, "/var"), -1);
	assert_int_equal(err.kind, ERR_TEMP);
	assert_string_equal(err_log_text(&err), "/var: No such file or directory");
	errno = ENOSPC;
	fail_errno(&err, "/var");
	assert_int_equal(err.kind, ERR_FULL);
	errno = EDQUOT;
	fail_errno(&err, "/var");
	assert_int_equal(err.kind, ERR_FULL);
	assert_int_equal(fail(&err, ERR_AUTH, "later"), -1);
	assert_string_equal(err_log_text(&err), "later");
}

static void may_quote_itself(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	fail(&err, ERR_TEMP, "b");
	fail(&err, ERR_TEMP, "a %s c", err.public_text);
	assert_string_equal(err.public_text, "a b c");
	fail_log(&err, ERR_TEMP, "[%s]", err.public_text);
	fail_log(&err, ERR_TEMP, "(%s)", err.log_text);
	assert_string_equal(err.log_text, "([a b c])");
}

/* S52: a text that quotes a stranger stays one line. */
static void s52_is_one_line(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	fail(&err, ERR_SYNTAX, "%s", "a\r\n250 OK\x7f\t\x01");
	assert_string_equal(err.public_text, "a  250 OK   ");
	fail(&err, ERR_SYNTAX, "%s", "gr\xc3\xbc\xc3\x9f\xff");
	assert_string_equal(err.public_text, "gr\xc3\xbc\xc3\x9f\xff");
}

static void is_cut_between_characters(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	size_t room = sizeof(err.public_text) - 1;
	char text[400];
	for (size_t n = 0; n < 8; n++) {
		memset(text, 'a', sizeof(text));
		memcpy(text + room - n, "\xe2\x82\xac\xf0\x9f\x95\x8a", 7);
		text[room - n + 7] = '\0';
		fail(&err, ERR_SYNTAX, "%s", text);
		assert_true(str_is_utf8(str_from(err.public_text)));
		size_t whole = n < 3 ? room - n : n < 7 ? room - n + 3 : room;
		assert_int_equal(strlen(err.public_text), whole);
	}
}

TEST_MAIN(test_case(kinds_have_names), test_case(says_what_for_whom), test_case(may_quote_itself),
	test_case(s52_is_one_line), test_case(is_cut_between_characters))
