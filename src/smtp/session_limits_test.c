// SPDX-License-Identifier: Apache-2.0
/* The session by itself: limits. Names carry the numbers of the catalogue of hostile input. */
#include "smtp/session_scene.h"

/* ---- limits ---- */

/* S30, and the limit itself at N-1, N, N+1, by DATA and by BDAT. */
static void s30_sizes(void **state)
{
	(void)state;
	static char text[101000];
	for (int over = -1; over <= 1; over++) {
		size_t size = (size_t)(100000 + over);
		const char *expected = over > 0 ? "552" : "250";
		memset(text, 'x', sizeof(text));
		for (size_t i = 0; i + 1 < size; i += 100)
			memcpy(text + i, "\r\n", 2);
		memcpy(text + size - 2, "\r\n", 2);
		start("smtp", false);
		say(HELLO);
		say("MAIL FROM:<a@b.example> SIZE=10\r\nRCPT TO:<alice@example.test>\r\n");
		say("DATA\r\n");
		fake_input(&f, str_make(text, size));
		assert_string_equal(say(".\r\n"), expected);
		assert_int_equal(f.copies, over <= 0);

		char line[64];
		say(ENVELOPE);
		snprintf(line, sizeof(line), "BDAT %zu LAST\r\n", size);
		fake_input(&f, str_from(line));
		fake_input(&f, str_make(text, size));
		assert_string_equal(codes(), expected);
	}
	/* What is too big is read up to twice the limit, to be answered in its place. */
	start("smtp", false);
	say(HELLO);
	say(ENVELOPE);
	say("DATA\r\n");
	memset(text, 'x', sizeof(text));
	for (int i = 0; i < 3; i++)
		fake_input(&f, str_make(text, 100000));
	assert_string_equal(codes(), "552 closed");
}

/* S55: on submission any text is a name, within what a domain may have. */
static void s55_hello_names(void **state)
{
	(void)state;
	char line[LIMIT_DOMAIN_BYTES + 10];
	for (int n = LIMIT_DOMAIN_BYTES - 1; n <= LIMIT_DOMAIN_BYTES + 1; n++)
		for (int i = 0; i < 2; i++) {
			start(i ? "submissions" : "smtp", i);
			snprintf(line, sizeof(line), "EHLO %0*d\r\n", n, 0);
			line[6] = ' ';
			assert_string_equal(
				say(line), i && n <= LIMIT_DOMAIN_BYTES ? "250" : "501");
			assert_string_equal(say(HELLO), "250");
		}
}

/* S32: lines of the limit, and far beyond. */
static void s32_long_lines(void **state)
{
	(void)state;
	static char line[11 * 1024 * 1024];
	memset(line, 'x', sizeof(line));
	memcpy(line, "NOOP ", 5);
	for (int over = -1; over <= 1; over++) {
		start("smtp", false);
		say(HELLO);
		fake_input(&f, str_make(line, (size_t)(LIMIT_SMTP_COMMAND_BYTES + over)));
		assert_string_equal(say("\r\n"), over > 0 ? "500" : "250");
		assert_string_equal(say("NOOP\r\n"), "250");
	}
	start("smtp", false);
	say(HELLO);
	assert_string_equal(say_n(str_make(line, sizeof(line))), "500 closed");
}

static void s33_control_characters(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		char in_name[] = "NO?P\r\n", in_path[] = "MAIL FROM:<a?b@c.example>\r\n";
		if (c == '\r' || c == '\n' || (c >= ' ' && c < 0x7f))
			continue;
		start("smtp", false);
		say(HELLO);
		in_name[2] = in_path[12] = (char)c;
		assert_string_equal(say_n(str_make(in_name, 6)), "500");
		const char *got = say_n(str_make(in_path, sizeof(in_path) - 1));
		assert_true(strcmp(got, "500") == 0 || strcmp(got, "501") == 0);
	}
}

/* S42, S43: the limit of recipients, duplicates, overshoot. */
static void s42_s43_recipients(void **state)
{
	(void)state;
	char line[64];
	start("smtp", false);
	say(HELLO);
	say("MAIL FROM:<a@b.example>\r\n");
	for (int i = 0; i < 60; i++)
		assert_string_equal(say("RCPT TO:<alice@example.test>\r\n"), "250");
	for (int i = 0; i < 40; i++) {
		snprintf(line, sizeof(line), "RCPT TO:<u%d@example.test>\r\n", i);
		assert_string_equal(say(line), "250");
	}
	size_t questions = f.questions;
	for (int i = 0; i < LIMIT_SMTP_OVERSHOOT; i++)
		assert_string_equal(say("RCPT TO:<u77@example.test>\r\n"), "452");
	assert_int_equal(f.questions, questions);
	say("DATA\r\n");
	assert_string_equal(say("x\r\n.\r\n"), "250");
	assert_int_equal(f.copies, 41);
	say("MAIL FROM:<a@b.example>\r\n");
	for (int i = 0; i < 100; i++)
		say("RCPT TO:<alice@example.test>\r\n");
	for (int i = 0; i < LIMIT_SMTP_OVERSHOOT; i++)
		say("RCPT TO:<bob@example.test>\r\n");
	assert_string_equal(say("RCPT TO:<bob@example.test>\r\n"), "421 closed");
}

/* The memory of one envelope: all but what one more recipient takes is filled, 16 bytes less and
 * 16 more (the arena's unit). */
static void s42_envelope_bytes(void **state)
{
	(void)state;
	for (int over = -1; over <= 1; over++) {
		start("smtp", false);
		struct arena *arena = &CONTAINER_OF(f.session, struct smtp, session)->arena;
		say(HELLO);
		say("MAIL FROM:<a@b.example>\r\n");
		size_t before = arena->used;
		assert_string_equal(say("RCPT TO:<u1@example.test>\r\n"), "250");
		size_t cost = arena->used - before;
		size_t fill = LIMIT_SMTP_ENVELOPE_BYTES - arena->used - cost;
		assert_non_null(arena_alloc(arena, fill + (size_t)(over * 16)));
		assert_string_equal(say("RCPT TO:<u2@example.test>\r\n"), over > 0 ? "452" : "250");
		/* who fits is served all the same */
		say("DATA\r\n");
		assert_string_equal(say("x\r\n.\r\n"), "250");
		assert_int_equal(f.copies, over > 0 ? 1 : 2);
	}
}

/* So many parameters are looked at (and are 555, unknown); with one more the line is 501. */
static void most_parameters(void **state)
{
	(void)state;
	static const char *const commands[] = { "MAIL FROM:<a@b.example>",
		"RCPT TO:<alice@example.test>" };
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		for (int n = LIMIT_SMTP_PARAMETERS - 1; n <= LIMIT_SMTP_PARAMETERS + 1; n++) {
			start("smtp", false);
			say(HELLO);
			if (i == 1)
				say("MAIL FROM:<a@b.example>\r\n");
			fake_input(&f, str_from(commands[i]));
			for (int k = 0; k < n; k++)
				fake_input(&f, STR(" X=y"));
			assert_string_equal(say("\r\n"), n > LIMIT_SMTP_PARAMETERS ? "501" : "555");
		}
}

/* The store's own bound: more copies than a commit can answer. */
static void most_deliveries(void **state)
{
	(void)state;
	char line[64];
	start("smtp", false);
	f.settings.recipients = 5000;
	say(HELLO);
	say("MAIL FROM:<a@b.example>\r\n");
	for (int i = 0; i < LIMIT_SMTP_DELIVERIES - 1; i++) {
		snprintf(line, sizeof(line), "RCPT TO:<u%d@example.test>\r\n", i);
		assert_string_equal(say(line), "250");
	}
	assert_string_equal(say("RCPT TO:<team@example.test>\r\n"), "452");
	assert_string_equal(say("RCPT TO:<bob@example.test>\r\n"), "250");
	assert_string_equal(say("RCPT TO:<alice@example.test>\r\n"), "452");
	say("DATA\r\n");
	assert_string_equal(say("x\r\n.\r\n"), "250");
	assert_int_equal(f.copies, LIMIT_SMTP_DELIVERIES);
}

/* S41: errors and idle talk, N-1, N, N+1; a message clears the account. */
static void s41_errors_and_junk(void **state)
{
	(void)state;
	start("smtp", false);
	say(HELLO);
	say("MAIL FROM:<a@b.example>\r\n");
	for (int i = 0; i < LIMIT_SMTP_ERRORS - 1; i++)
		assert_string_equal(say("RCPT TO:<nobody@example.test>\r\n"), "550");
	assert_string_equal(say("RCPT TO:<alice@example.test>\r\n"), "250");
	say("DATA\r\n");
	assert_string_equal(say("x\r\n.\r\n"), "250");
	for (int i = 0; i < LIMIT_SMTP_ERRORS; i++)
		assert_string_equal(say("FOO\r\n"), "500");
	assert_string_equal(say("NOOP\r\n"), "421 closed");

	start("smtp", false);
	say(HELLO);
	for (int i = 1; i < LIMIT_SMTP_JUNK; i++)
		assert_string_equal(say(i % 2 ? "NOOP\r\n" : "RSET\r\n"), "250");
	assert_string_equal(say("NOOP\r\n"), "421 closed");
}

static void s47_login_failures(void **state)
{
	(void)state;
	start("submissions", true);
	say(HELLO);
	for (int i = 0; i < LIMIT_SMTP_LOGIN_FAILURES; i++)
		assert_string_equal(say("AUTH PLAIN AHgAeQ==\r\n"), "535");
	assert_string_equal(say(LOGIN), "421 closed");
	/* The log has the name, and no password in any form. */
	assert_true(str_search(buf_str(&f.logged), STR("event=login-failed")) < f.logged.n);
	assert_true(str_search(buf_str(&f.logged), STR("user=x")) < f.logged.n);
	submission();
	assert_int_equal(str_search(buf_str(&f.logged), STR("secret")), f.logged.n);
	assert_int_equal(str_search(buf_str(&f.logged), STR("AGFsaWNl")), f.logged.n);
}

/* S48: 1 MiB of initial response or of response, NULs, and AUTH at odd times. */
static void s48_auth(void **state)
{
	(void)state;
	static char line[1024 * 1024];
	memset(line, 'A', sizeof(line));
	memcpy(line, "AUTH PLAIN ", 11);
	start("submissions", true);
	say(HELLO);
	assert_string_equal(say_n(str_make(line, sizeof(line))), "500 closed");
	start("submissions", true);
	say(HELLO);
	assert_string_equal(say("AUTH PLAIN\r\n"), "334");
	memset(line, 'A', 12);
	assert_string_equal(say_n(str_make(line, LIMIT_SASL_LINE_BYTES)), "");
	assert_string_equal(say("\r\n"), "501");
	assert_string_equal(say("AUTH PLAIN\r\n"), "334");
	assert_string_equal(say_n(str_make(line, LIMIT_SASL_LINE_BYTES + 1)), "");
	assert_string_equal(say("\r\n"), "500");
	assert_string_equal(say("AUTH PLAIN\r\n"), "334"); /* that was no end of more than it */
	assert_string_equal(say("\r\n"), "501");
	assert_string_equal(say("AUTH PLAIN\r\n"), "334");
	assert_string_equal(say_n(str_make(line, sizeof(line))), "500 closed");
	submission();
	assert_string_equal(say("MAIL FROM:<>\r\n"), "250");
	assert_string_equal(say(LOGIN), "503");
	start("submission", false);
	say(HELLO);
	assert_string_equal(say(LOGIN), "538");
	f.settings.plaintext_auth_loopback = true;
	assert_string_equal(say(LOGIN), "538");
	f.peer.loopback = true;
	assert_string_equal(say(LOGIN), "235");
}

/* A gate that was taken over lets somebody in and leaves out the ticket and who it is: the store
 * says what that is worth. */
static void no_ticket_is_no_harm(void **state)
{
	(void)state;
	start("submissions", true);
	say(HELLO);
	assert_string_equal(say("AUTH PLAIN AGVyaW5AZXhhbXBsZS50ZXN0AHNlY3JldA==\r\n"), "235");
}

TEST_MAIN(test_case(no_ticket_is_no_harm), test_case(s30_sizes), test_case(s55_hello_names),
	test_case(s32_long_lines), test_case(s33_control_characters), test_case(s42_s43_recipients),
	test_case(s42_envelope_bytes), test_case(most_parameters), test_case(most_deliveries),
	test_case(s41_errors_and_junk), test_case(s47_login_failures),
	cmocka_unit_test_teardown(s48_auth, teardown))
