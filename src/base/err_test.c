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

/* A long path does not hide what is wrong with it. */
static void is_cut_in_the_middle(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	char path[4096];
	memset(path, 'd', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	fail(&err, ERR_CONFIG, "/srv/%s: it is no file", path);
	assert_int_equal(strlen(err.public_text), sizeof(err.public_text) - 1);
	assert_memory_equal(err.public_text, "/srv/dd", 7);
	assert_non_null(strstr(err.public_text, "d...d"));
	assert_non_null(strstr(err.public_text, "d: it is no file"));
	assert_non_null(strstr(err.log_text, "d: it is no file"));
	path[sizeof(err.public_text)] = '\0'; /* a log has room for it */
	fail(&err, ERR_CONFIG, "/srv/%s: it is no file", path);
	assert_non_null(strstr(err.public_text, "d...d"));
	assert_null(strstr(err_log_text(&err), "..."));
	path[sizeof(err.public_text)] = 'd';
	errno = ENOENT;
	fail_errno(&err, "cannot open /srv/%s", path);
	assert_int_equal(strlen(err.log_text), sizeof(err.log_text) - 1);
	assert_non_null(strstr(err.log_text, "d: No such file or directory"));
}

/* Wherever the cut falls, no part of a character is left, and of the room no more than three bytes
 * at each side. */
static void is_cut_between_characters(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	size_t room = sizeof(err.public_text) - 1;
	char text[400];
	for (size_t n = 0; n < 16; n++) {
		memset(text, 'a', n);
		for (size_t at = n; at + 7 < sizeof(text); at += 7)
			memcpy(text + at, "\xe2\x82\xac\xf0\x9f\x95\x8a", 8);
		fail(&err, ERR_SYNTAX, "%s", text);
		assert_true(str_is_utf8(str_from(err.public_text)));
		assert_in_range(strlen(err.public_text), room - 6, room);
		assert_non_null(strstr(err.public_text, "..."));
	}
	/* What is no UTF-8 is cut anywhere. */
	memset(text, 0xbf, sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	fail(&err, ERR_SYNTAX, "%s", text);
	assert_int_equal(strlen(err.public_text), room);
}

TEST_MAIN(test_case(kinds_have_names), test_case(says_what_for_whom), test_case(may_quote_itself),
	test_case(s52_is_one_line), test_case(is_cut_in_the_middle),
	test_case(is_cut_between_characters))
