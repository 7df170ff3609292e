// SPDX-License-Identifier: Apache-2.0
/*
 * The session by itself: framing, order, its ends. Names carry the numbers of the catalogue of
 * hostile input.
 */
#include "smtp/session_scene.h"

/* ---- framing ---- */

/* S1 to S7, S10, S12, S14: for everyone; nothing of what follows is a command. */
static void s1_to_s14_bare_line_ends(void **state)
{
	(void)state;
	static const struct str ends[] = { STR_INIT("\n.\n"), STR_INIT("\n.\r\n"),
		STR_INIT("\r\n.\n"), STR_INIT("\r.\r"), STR_INIT("\r.\r\n"), STR_INIT("\r.\n"),
		STR_INIT("\n.\r"), STR_INIT("\r\n\0.\r\n"), STR_INIT("\r\r\n.\r\r\n"),
		STR_INIT("\r\n.\r\r\n"), STR_INIT("\r\n.\r"), STR_INIT("\rFrom: x\r\n.\r\n"),
		STR_INIT("\0\r\n.\r\n") };
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		for (int user = 0; user < 2; user++) {
			if (user)
				submission();
			else
				start("smtp", false);
			if (!user)
				say(HELLO);
			assert_string_equal(say(user ? SUBMITTED : ENVELOPE), "250 250");
			assert_string_equal(say("DATA\r\n"), "354");
			fake_input(&f, STR("Subject: x\r\n\r\nx"));
			fake_input(&f, ends[i]);
			fake_input(&f, STR("MAIL FROM:<x@y.example>\r\n"));
			assert_string_equal(codes(), "554 closed");
			assert_int_equal(f.copies, 0);
			assert_false(f.upload.open);
		}
}

/* S8 once more, through the whole session: of all strings of at most 5 bytes after a line of text,
 * a message comes of those with CRLF.CRLF alone, and it is what the wire's machine says. */
static void s8_through_the_session(void **state)
{
	static const char alphabet[] = { '\r', '\n', '.', '\0', 'x' };
	(void)state;
	size_t accepted = 0;
	start("smtp", false);
	say(HELLO);
	for (size_t n = 0; n <= 5; n++) {
		size_t count = 1;
		for (size_t i = 0; i < n; i++)
			count *= sizeof(alphabet);
		for (size_t number = 0; number < count; number++) {
			char text[16] = "a\r\n";
			size_t left = number;
			for (size_t i = 0; i < n; i++, left /= sizeof(alphabet))
				text[3 + i] = alphabet[left % sizeof(alphabet)];
			size_t before = f.copies;
			say(ENVELOPE);
			say("DATA\r\n");
			fake_input(&f, str_make(text, 3 + n));
			size_t end = str_search(str_make(text + 1, 2 + n), STR("\r\n.\r\n"));
			bool first_clean = end < 2 + n;
			for (size_t i = 0; first_clean && i < end; i++) {
				char c = text[1 + i], next = text[2 + i];
				if (c == '\0' || (c == '\r' && next != '\n') ||
					(c == '\n' && text[i] != '\r'))
					first_clean = false;
			}
			assert_int_equal(f.copies - before, first_clean);
			accepted += first_clean;
			fake_close(&f);
			seen = 0;
			fake_open(&f);
			say(HELLO);
		}
	}
	/* ".CRLF" and up to two more bytes, or behind one line of at most two bytes */
	assert_true(accepted >= 1 + 5 + 25);
}

/* S11: stuffed dots in any split; end of input before the terminator. */
static void s11_dots_and_end_of_input(void **state)
{
	(void)state;
	struct str wire = STR("..\r\n...\r\n.x\r\n\r\n.\r\n");
	for (size_t split = 1; split < wire.n; split++) {
		start("smtp", false);
		say(HELLO);
		say(ENVELOPE);
		say("DATA\r\n");
		fake_input(&f, str_sub(wire, 0, split));
		fake_input(&f, str_from_offset(wire, split));
		assert_string_equal(codes(), "250");
		assert_str(stored_body(), STR(".\r\n..\r\nx\r\n\r\n"));
	}
	for (size_t n = 0; n < wire.n; n++) {
		start("smtp", false);
		say(HELLO);
		say(ENVELOPE);
		say("DATA\r\n");
		fake_input(&f, str_sub(wire, 0, n));
		f.session->class->eof(f.session);
		fake_run(&f);
		assert_string_equal(codes(), "closed");
		assert_int_equal(f.copies, 0);
		assert_true(
			str_search(buf_str(&f.logged), STR("reason=connection-lost")) < f.logged.n);
	}
}

static void s13_bare_line_end_in_a_command(void **state)
{
	(void)state;
	static const char *const lines[] = { "NOOP\nNOOP\r\n", "NOOP\rNOOP\r\n", "NOOP\n",
		"MAIL FROM:<a@b.example>\nRCPT TO:<alice@example.test>\r\n", "NOOP\r\r\n" };
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		start("smtp", false);
		say(HELLO);
		assert_string_equal(say(lines[i]), "500 closed");
	}
}

/* S15, S17: whatever comes behind STARTTLS in its segment is no command, then or later. */
static void s15_plaintext_behind_starttls(void **state)
{
	(void)state;
	start("smtp", false);
	say(HELLO);
	assert_string_equal(say("STARTTLS\r\nRCPT TO:<alice@example.test>\r\n"), "554 closed");
	assert_false(f.tls_started);
	/* Half a line before the handshake is thrown away with the rest. */
	start("smtp", false);
	say(HELLO);
	assert_string_equal(say("STARTTLS\r\n"), "220");
	assert_true(f.tls_started);
	assert_string_equal(say("NOOP\r\n"), "250");
}

/* S18: STARTTLS where it does not belong, and what it forgets. */
static void s18_starttls_out_of_place(void **state)
{
	(void)state;
	start("submission", false);
	f.peer.loopback = f.settings.plaintext_auth_loopback = true;
	assert_string_equal(say("STARTTLS\r\n"), "503");
	say("HELO x\r\n");
	assert_string_equal(say("AUTH PLAIN =\r\n"), "503");
	say(HELLO);
	assert_string_equal(say(LOGIN), "235");
	assert_string_equal(say("MAIL FROM:<alice@example.test>\r\n"), "250");
	assert_string_equal(say("STARTTLS\r\n"), "503");
	say("RSET\r\n");
	assert_string_equal(say("STARTTLS x\r\n"), "501");
	assert_string_equal(say("STARTTLS\r\n"), "220");
	assert_int_equal(f.sessions_closed, 1);
	assert_string_equal(say(HELLO), "250");
	assert_string_equal(say("MAIL FROM:<alice@example.test>\r\n"), "530");
	assert_string_equal(say("STARTTLS\r\n"), "503");
	start("smtp", false);
	f.settings.tls_available = false;
	say(HELLO);
	assert_false(said("STARTTLS"));
	assert_string_equal(say("STARTTLS\r\n"), "454");
}

/* S20, S21: groups that RFC 2920 does not allow. */
static void s20_s21_improper_pipelining(void **state)
{
	(void)state;
	static const char *const before_ehlo[] = { HELLO ENVELOPE, "NOOP\r\nNOOP\r\n",
		"HELO x\r\nMAIL FROM:<a@b.example>\r\n", "GET / HTTP/1.1\r\nHost: x\r\n",
		"RSET\r\n" HELLO };
	static const char *const after[] = { HELLO "NOOP\r\n", "VRFY x\r\nNOOP\r\n",
		"EXPN x\r\nNOOP\r\n", "AUTH PLAIN\r\nx\r\n", ENVELOPE "DATA\r\nx\r\n.\r\n",
		"DATA\r\n.\r\n" };
	for (size_t i = 0; i < ARRAY_LEN(before_ehlo); i++) {
		start("smtp", false);
		assert_string_equal(say(before_ehlo[i]), "554 closed");
	}
	for (size_t i = 0; i < ARRAY_LEN(after); i++) {
		start("smtp", false);
		say(HELLO);
		const char *got = say(after[i]);
		if (!str_ends_nocase(str_from(got), STR("554 closed")))
			fail_msg("case %zu: %s", i, got);
		assert_int_equal(f.copies, 0);
	}
	start("smtp", false);
	say("HELO x\r\n");
	assert_string_equal(say("MAIL FROM:<a@b.example>\r\nNOOP\r\n"), "554 closed");
}

/* ---- ends ---- */

static void drains_between_transactions(void **state)
{
	(void)state;
	start("smtp", false);
	say(HELLO);
	f.session->class->drain(f.session);
	fake_run(&f);
	assert_string_equal(codes(), "421 closed");
	assert_true(said("421 4.3.2 "));

	start("smtp", false);
	say(HELLO);
	say(ENVELOPE);
	f.session->class->drain(f.session);
	fake_run(&f);
	assert_string_equal(codes(), "");
	say("DATA\r\n");
	assert_string_equal(say("x\r\n.\r\n"), "250 421 closed");
	assert_int_equal(f.copies, 1);

	/* Said again: the time is over. */
	start("smtp", false);
	say(HELLO);
	say(ENVELOPE);
	say("DATA\r\n");
	say("half a mess");
	f.session->class->drain(f.session);
	fake_run(&f);
	assert_string_equal(codes(), "");
	f.session->class->drain(f.session);
	fake_run(&f);
	assert_string_equal(codes(), "421 closed");
	assert_int_equal(f.copies, 0);
}

static void password_changed(void **state)
{
	(void)state;
	struct frame ended = { .type = FRAME_SESSION_ENDED };
	submission();
	f.session->class->notice(f.session, &ended);
	fake_run(&f);
	assert_string_equal(codes(), "421 closed");
	submission();
	say(SUBMITTED);
	say("DATA\r\n");
	say("x\r\n");
	f.session->class->notice(f.session, &ended);
	fake_run(&f);
	assert_string_equal(codes(), "421 closed");
	assert_int_equal(f.copies, 0);
	/* What the store is keeping already is kept, and said. */
	submission();
	say(SUBMITTED);
	say("DATA\r\n");
	f.hold_answers = true;
	assert_string_equal(say("x\r\n.\r\n"), "");
	f.session->class->notice(f.session, &ended);
	fake_run(&f);
	assert_string_equal(codes(), "");
	f.hold_answers = false;
	fake_run(&f);
	assert_string_equal(codes(), "250 421 closed");
}

/* The client goes while the store commits: the outcome is logged. */
static void gone_while_committing(void **state)
{
	(void)state;
	start("smtp", false);
	say(HELLO);
	say(ENVELOPE);
	say("DATA\r\n");
	f.hold_answers = true;
	assert_false(f.session->keeping);
	fake_input(&f, STR("x\r\n.\r\n"));
	assert_true(f.session->keeping);
	assert_int_equal(f.session->brought, 6);
	f.session->class->eof(f.session);
	assert_int_equal(f.session->next, NEXT_GO_ON);
	f.hold_answers = false;
	fake_run(&f);
	assert_false(f.session->keeping);
	assert_int_equal(f.session->next, NEXT_CLOSE);
	assert_true(str_search(buf_str(&f.logged), STR("answer=250")) < f.logged.n);
	/* and in every other state nothing is left behind */
	static const char *const states[] = { "", HELLO, HELLO "|" ENVELOPE,
		HELLO "|" ENVELOPE "|DATA\r\n|x", HELLO "|" ENVELOPE "|BDAT 5\r\nx" };
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		struct str rest = str_from(states[i]);
		start("smtp", false);
		while (rest.n > 0)
			fake_input(&f, str_split(&rest, '|'));
		f.session->class->eof(f.session);
		assert_int_equal(f.session->next, NEXT_CLOSE);
		assert_false(f.upload.open);
	}
}

/* A client that says no more behind a message that is complete hears what becomes of it: while its
 * owners are asked for, and while the store has no room. */
static void half_closed_behind_a_message(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		submission();
		say(SUBMITTED);
		say("DATA\r\n");
		f.hold_answers = true;
		fake_input(&f, i == 1 ? STR("From: bob@example.test\r\n\r\nx\r\n.\r\n")
				      : STR("From: sales@example.test\r\n\r\nx\r\n.\r\n"));
		f.session->class->eof(f.session);
		assert_int_equal(f.session->next, NEXT_GO_ON);
		f.no_room_now = i == 2 ? 3 : 0;
		f.hold_answers = false;
		fake_run(&f);
		assert_string_equal(codes(), i == 1 ? "550 closed" : "250 closed");
		assert_int_equal(f.copies, i == 1 ? 0 : 1);
		assert_int_equal(f.no_room_told > 0, i == 2);
	}
	/* the store goes while it has no room */
	submission();
	say(SUBMITTED);
	say("DATA\r\n");
	f.hold_answers = true;
	fake_input(&f, STR("From: sales@example.test\r\n\r\nx\r\n.\r\n"));
	f.session->class->eof(f.session);
	f.hold_answers = false;
	f.no_room_now = 1;
	while (fake_answer_one(&f))
		;
	assert_int_equal(f.session->next, NEXT_GO_ON);
	f.session->class->store_lost(f.session);
	fake_take_output(&f);
	assert_string_equal(codes(), "451 closed");
}

static void idles(void **state)
{
	(void)state;
	start("smtp", false);
	assert_true(f.session->idle);
	fake_input(&f, STR("NO"));
	assert_false(f.session->idle);
	fake_input(&f, STR("OP\r\n"));
	assert_true(f.session->idle);
}

TEST_MAIN(test_case(s1_to_s14_bare_line_ends), test_case(s8_through_the_session),
	test_case(s11_dots_and_end_of_input), test_case(s13_bare_line_end_in_a_command),
	test_case(s15_plaintext_behind_starttls), test_case(s18_starttls_out_of_place),
	test_case(s20_s21_improper_pipelining), test_case(drains_between_transactions),
	test_case(password_changed), test_case(gone_while_committing),
	test_case(half_closed_behind_a_message), cmocka_unit_test_teardown(idles, teardown))
