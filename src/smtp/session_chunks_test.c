// SPDX-License-Identifier: Apache-2.0
/* The session by itself: BDAT. Names carry the numbers of the catalogue of hostile input. */
#include "smtp/session_scene.h"

/* ---- BDAT ---- */

/* S22, S23: after an error there is no envelope left. */
static void s22_s23_nothing_survives_an_error(void **state)
{
	(void)state;
	start("smtp", false);
	say(HELLO);
	say(ENVELOPE);
	assert_string_equal(say("BDAT 3\r\na\nb"), "554");
	assert_string_equal(say("DATA\r\n"), "503");
	assert_string_equal(say("RCPT TO:<alice@example.test>\r\n"), "503");
	say(ENVELOPE);
	assert_string_equal(say("BDAT 200001\r\n"), "552 closed");
	assert_false(f.upload.open);

	submission();
	say(SUBMITTED);
	say("DATA\r\n");
	assert_string_equal(say("From: bob@example.test\r\n\r\n.\r\n"), "550");
	assert_string_equal(say("RCPT TO:<bob@example.test>\r\n"), "503");
	assert_string_equal(say("DATA\r\n"), "503");
	assert_string_equal(say("BDAT 0 LAST\r\n"), "503");
	assert_int_equal(f.copies, 0);
}

/* S24: addresses beyond ASCII without SMTPUTF8, and everything else in the same group. */
static void s24_utf8_without_leave(void **state)
{
	(void)state;
	start("smtp", false);
	say(HELLO);
	assert_string_equal(say("MAIL FROM:<\xc3\xa5@b.example>\r\n"
				"RCPT TO:<\xc3\xa5sa@example.test>\r\nDATA\r\n"),
		"553 503 503");
	assert_string_equal(say("VRFY \xc3\xa5\r\n"), "553");
	assert_string_equal(say("MAIL FROM:<a@b.example>\r\n"
				"RCPT TO:<\xc3\xa5sa@example.test>\r\nDATA\r\n"),
		"250 553 503");
	assert_string_equal(say("RSET\r\n" ENVELOPE), "250 250 250");
	say("DATA\r\n");
	assert_string_equal(say("x\r\n.\r\n"), "250");
}

/* S19: the connection ends within a chunk, or between two. */
static void s19_end_within_chunks(void **state)
{
	(void)state;
	static const char *const chunks[] = { "BDAT 5\r\nab", "BDAT 2\r\nab",
		"BDAT 5 LAST\r\nabcd" };
	for (size_t i = 0; i < ARRAY_LEN(chunks); i++) {
		start("smtp", true);
		say(HELLO);
		say(ENVELOPE);
		fake_input(&f, str_from(chunks[i]));
		codes();
		f.session->class->eof(f.session);
		assert_int_equal(f.session->next, NEXT_CLOSE);
		assert_int_equal(f.session->class->input(f.session, STR("x\r\n")), 3);
		fake_run(&f);
		assert_string_equal(codes(), "closed");
		assert_int_equal(f.copies, 0);
	}
}

/* S34, S35, through the session: 501, and the session goes on. */
static void s34_s35_bad_paths(void **state)
{
	(void)state;
	static const char *const paths[] = { "<@>", "<a@>", "<@a>", "<a@b@c>", "<\"\">@x", "< a@b>",
		"a@b", "<<a@b>>", "<\"a@b>", "<a@b\\", "<a@b", "" };
	start("smtp", false);
	say(HELLO);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		char line[128];
		snprintf(line, sizeof(line), "MAIL FROM:%s\r\n", paths[i]);
		assert_string_equal(say(line), "501");
	}
	assert_string_equal(say("MAIL FROM:<>\r\nRCPT TO:<>\r\nRCPT TO:<a>\r\n"), "250 501 501");
	assert_string_equal(say("RCPT TO:<alice@example.test>\r\n"), "250");
}

/* S25: sizes that are none. */
static void s25_chunk_sizes(void **state)
{
	(void)state;
	static const char *const args[] = { " 99999999999999999999", " -1", " 0x10", " +1", " 007",
		"", " LAST", " 1 FIRST" };
	for (size_t i = 0; i < ARRAY_LEN(args); i++) {
		char line[64];
		start("smtp", false);
		say(HELLO);
		say(ENVELOPE);
		snprintf(line, sizeof(line), "BDAT%s\r\n", args[i]);
		assert_string_equal(say(line), "501 closed");
	}
}

/* S26: chunks that carry nothing, N-1, N, N+1. */
static void s26_tiny_chunks(void **state)
{
	(void)state;
	start("smtp", false);
	say(HELLO);
	say(ENVELOPE);
	for (int i = 1; i < LIMIT_SMTP_TINY_CHUNKS; i++)
		assert_string_equal(say(i % 2 ? "BDAT 0\r\n" : "BDAT 1\r\nx"), "250");
	assert_string_equal(say("BDAT 0\r\n"), "250");
	assert_string_equal(say("BDAT 0\r\n"), "421 closed");
}

/* S26: which chunks are tiny. Of chunks one byte smaller than the limit, so many are too many. */
static void s26_size_of_tiny_chunks(void **state)
{
	(void)state;
	char chunk[LIMIT_SMTP_TINY_CHUNK + 32];
	for (int over = -1; over <= 1; over++) {
		size_t size = (size_t)(LIMIT_SMTP_TINY_CHUNK + over);
		int n = snprintf(chunk, sizeof(chunk), "BDAT %zu\r\n", size);
		memset(chunk + n, 'x', size);
		start("smtp", false);
		f.settings.message_bytes = 1024 * 1024;
		say(HELLO);
		say(ENVELOPE);
		for (int i = 0; i < LIMIT_SMTP_TINY_CHUNKS; i++)
			assert_string_equal(say_n(str_make(chunk, (size_t)n + size)), "250");
		assert_string_equal(
			say_n(str_make(chunk, (size_t)n + size)), over < 0 ? "421 closed" : "250");
	}
}

/* S27: a chunk without an envelope is dropped, exactly, up to a limit. */
static void s27_chunk_without_envelope(void **state)
{
	(void)state;
	start("smtp", false);
	say(HELLO);
	assert_string_equal(say("BDAT 12\r\nRSET\r\nNOOP\r\nNOOP\r\n"), "503 250");
	assert_string_equal(say("BDAT 5 LAST\r\nNO"), "");
	assert_string_equal(say("OP\r\r\n"), "503 500");
	static char chunk[200100];
	for (int over = -1; over <= 1; over++) {
		size_t size = (size_t)(200000 + over); /* twice what a message may have */
		int n = snprintf(chunk, sizeof(chunk), "BDAT %zu\r\n", size);
		memset(chunk + n, 'x', size);
		start("smtp", false);
		say(HELLO);
		assert_string_equal(
			say_n(str_make(chunk, (size_t)n + size)), over > 0 ? "503 closed" : "503");
	}
}

/* S28: mixtures. */
static void s28_data_and_bdat(void **state)
{
	(void)state;
	start("smtp", false);
	say(HELLO);
	say(ENVELOPE);
	assert_string_equal(say("BDAT 4\r\nab\r\n"), "250");
	assert_string_equal(say("DATA\r\n"), "503");
	assert_string_equal(say("MAIL FROM:<a@b.example>\r\n"), "503");
	assert_string_equal(say("RCPT TO:<alice@example.test>\r\n"), "503");
	assert_string_equal(say("RSET\r\n"), "250");
	assert_string_equal(say("BDAT 4 LAST\r\nab\r\n"), "503");
	say(ENVELOPE);
	assert_string_equal(
		say("BDAT 4\r\nab\r\nBDAT 4 LAST\r\ncd\r\nBDAT 2 LAST\r\n\r\n"), "250 250 503");
	assert_int_equal(f.copies, 1);
	assert_str(stored_body(), STR("ab\r\ncd\r\n"));
	/* BODY=BINARYMIME: DATA is refused, and any byte is welcome. */
	assert_string_equal(
		say("MAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<bob@example.test>\r\n"), "250 250");
	assert_string_equal(say("DATA\r\n"), "503");
	assert_string_equal(say_n(STR("BDAT 5 LAST\r\n\r\0\n.\xff")), "250");
	assert_str(stored_body(), STR("\r\0\n.\xff"));
}

/* Without it the rules of DATA hold, over the ends of chunks too; the connection goes on. */
static void chunks_of_text(void **state)
{
	(void)state;
	static const struct {
		struct str in;
		const char *codes;
	} cases[] = {
		{ STR_INIT("BDAT 1\r\n\rBDAT 1 LAST\r\n\n"), "250 250" },
		{ STR_INIT("BDAT 1 LAST\r\n\r"), "554" },
		{ STR_INIT("BDAT 1\r\n\rBDAT 1 LAST\r\nx"), "250 554" },
		{ STR_INIT("BDAT 1 LAST\r\n\n"), "554" },
		{ STR_INIT("BDAT 3 LAST\r\na\0b"), "554" },
		{ STR_INIT("BDAT 5 LAST\r\n.\r\n.\r"), "554" },
		{ STR_INIT("BDAT 7 LAST\r\nx\r\n.\r\ny"), "250" },
		{ STR_INIT("BDAT 2\r\na\nBDAT 1 LAST\r\nb"), "554 503" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		start("smtp", false);
		say(HELLO);
		say(ENVELOPE);
		assert_string_equal(say_n(cases[i].in), cases[i].codes);
		assert_string_equal(say("NOOP\r\n"), "250");
		assert_false(f.upload.open);
	}
}

TEST_MAIN(test_case(s22_s23_nothing_survives_an_error), test_case(s24_utf8_without_leave),
	test_case(s19_end_within_chunks), test_case(s34_s35_bad_paths), test_case(s25_chunk_sizes),
	test_case(s26_tiny_chunks), test_case(s26_size_of_tiny_chunks),
	test_case(s27_chunk_without_envelope), test_case(s28_data_and_bdat),
	cmocka_unit_test_teardown(chunks_of_text, teardown))
