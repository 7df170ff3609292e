// SPDX-License-Identifier: Apache-2.0
/*
 * The session by itself: framing, order, limits, patience, refusals. Names carry the numbers of
 * the catalogue of hostile input.
 */
#include "base/test.h"
#include "smtp/fake_host.h"
#include "smtp/smtp_private.h"

#include <inttypes.h>

#define HELLO     "EHLO client.example\r\n"
#define ENVELOPE  "MAIL FROM:<a@b.example>\r\nRCPT TO:<alice@example.test>\r\n"
#define SUBMITTED "MAIL FROM:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\n"
#define LOGIN     "AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdABzZWNyZXQ=\r\n"

static struct fake_host f;
static size_t seen;

static int teardown(void **state)
{
	(void)state;
	fake_done(&f);
	return 0;
}

static void start(const char *service, bool tls)
{
	fake_done(&f);
	fake_init(&f, service, tls);
	fake_open(&f);
	seen = f.out.n;
}

/* The codes of the replies since the last call, and "closed": "250 250 354". Long runs of one code
 * are written "250*7". */
static const char *codes(void)
{
	static char text[512];
	char last[8] = "";
	size_t n = 0, run = 0;
	text[0] = '\0';
	for (;;) {
		struct str rest = str_from_offset(buf_str(&f.out), seen);
		size_t end = str_search(rest, STR("\r\n"));
		bool more = end < rest.n;
		if (more) {
			seen += end + 2;
			if (rest.p[3] == '-')
				continue;
		}
		if (more && run > 0 && strncmp(last, rest.p, 3) == 0) {
			run++;
			continue;
		}
		if (run > 3)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s*%zu ", last, run);
		else
			for (; run > 0; run--)
				n += (size_t)snprintf(text + n, sizeof(text) - n, "%s ", last);
		if (!more)
			break;
		snprintf(last, sizeof(last), "%.3s", rest.p);
		run = 1;
	}
	if (f.session->next == NEXT_CLOSE)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "closed ");
	text[n ? n - 1 : 0] = '\0';
	return text;
}

static const char *say_n(struct str bytes)
{
	fake_input(&f, bytes);
	return codes();
}

static const char *say(const char *text)
{
	return say_n(str_from(text));
}

/* What was said last, up to its code's blank. */
static bool said(const char *part)
{
	return str_search(buf_str(&f.out), str_from(part)) < f.out.n;
}

static void submission(void)
{
	start("submissions", true);
	assert_string_equal(say(HELLO), "250");
	assert_string_equal(say(LOGIN), "235");
}

static struct str stored_body(void)
{
	assert_true(f.stored.n > 0);
	return buf_str(vec_at(&f.stored, f.stored.n - 1));
}

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

/* ---- patience ---- */

static void pass_ms(int64_t ms)
{
	f.clock.monotonic_ms += ms;
	if (f.session->deadline_ms != 0 && f.clock.monotonic_ms >= f.session->deadline_ms) {
		f.session->class->timeout(f.session);
		fake_run(&f);
	}
}

static void s44_deadlines(void **state)
{
	(void)state;
	/* A command has its time, however it trickles. */
	start("smtp", false);
	say(HELLO);
	for (int i = 0; i < 29; i++) {
		pass_ms(10000);
		assert_string_equal(say("x"), "");
	}
	pass_ms(10000);
	assert_string_equal(codes(), "421 closed");
	assert_true(said("421 4.4.2 "));

	/* Data: a byte every ten seconds loses within three minutes; a pause does not. */
	start("smtp", false);
	say(HELLO);
	say(ENVELOPE);
	say("DATA\r\n");
	int seconds = 0;
	while (f.session->next == NEXT_GO_ON && seconds < 1000) {
		fake_input(&f, STR("x"));
		pass_ms(10000);
		seconds += 10;
	}
	assert_in_range(seconds, 110, 130);
	assert_string_equal(codes(), "421 closed");
	assert_int_equal(f.copies, 0);

	static char text[40000];
	memset(text, 'x', sizeof(text));
	start("smtp", false);
	say(HELLO);
	say(ENVELOPE);
	say("DATA\r\n");
	pass_ms(60000);
	fake_input(&f, str_make(text, sizeof(text)));
	pass_ms(130000);
	fake_input(&f, STR("x"));
	assert_string_equal(say("\r\n.\r\n"), "250");
}

/* Feeds what a '|' separates, each piece as a segment of its own. */
static void feed_pieces(const char *text)
{
	struct str rest = str_from(text);
	while (rest.n > 0)
		fake_input(&f, str_split(&rest, '|'));
	codes();
}

/* Each wait, a millisecond before its end, at it and after it. */
static void s44_each_wait(void **state)
{
	static const struct {
		const char *said;
		int64_t ms;
	} waits[] = {
		{ "", LIMIT_SMTP_COMMAND_MS },
		{ HELLO, LIMIT_SMTP_COMMAND_MS },
		{ HELLO "|NO", LIMIT_SMTP_COMMAND_MS },
		{ HELLO "|" ENVELOPE, LIMIT_SMTP_COMMAND_MS },
		{ HELLO "|" ENVELOPE "|DATA\r\n", LIMIT_SMTP_DATA_FIRST_MS },
		{ HELLO "|" ENVELOPE "|BDAT 9\r\n", LIMIT_SMTP_DATA_FIRST_MS },
		{ HELLO "|" ENVELOPE "|BDAT 1\r\nx", LIMIT_SMTP_COMMAND_MS },
		{ HELLO "|" ENVELOPE "|DATA\r\n|.\r\n", LIMIT_SMTP_COMMAND_MS },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(waits); i++)
		for (int over = -1; over <= 1; over++) {
			start("smtp", false);
			feed_pieces(waits[i].said);
			pass_ms(waits[i].ms + over);
			assert_string_equal(codes(), over < 0 ? "" : "421 closed");
		}
}

/* Each byte buys time at the least rate, up to the wait for a block. */
static void s44_data_rate(void **state)
{
	(void)state;
	static const int64_t most_ms = LIMIT_SMTP_DATA_BLOCK_MS;
	static const int64_t first_ms = LIMIT_SMTP_DATA_FIRST_MS;
	static char text[(LIMIT_SMTP_DATA_BLOCK_MS / 1000) * LIMIT_DATA_RATE_BYTES];
	memset(text, 'x', sizeof(text));
	for (int over = -1; over <= 1; over++) {
		/* so many bytes at once as fill the wait, one less and one more */
		int64_t full = (most_ms - first_ms) * LIMIT_DATA_RATE_BYTES / 1000;
		int64_t bought = (full + over) * 1000 / LIMIT_DATA_RATE_BYTES;
		int64_t wait = over > 0 ? most_ms : first_ms + bought;
		for (int late = 0; late <= 1; late++) {
			start("smtp", false);
			feed_pieces(HELLO "|" ENVELOPE "|DATA\r\n");
			fake_input(&f, str_make(text, (size_t)(full + over)));
			pass_ms(wait - 1 + late);
			assert_string_equal(codes(), late ? "421 closed" : "");
		}
		/* the rate, a byte a second less and one more, for a minute: patience stays, falls
		 * or grows */
		start("smtp", false);
		feed_pieces(HELLO "|" ENVELOPE "|DATA\r\n");
		for (int second = 0; second < 60; second++) {
			pass_ms(1000);
			fake_input(&f, str_make(text, (size_t)(LIMIT_DATA_RATE_BYTES + over)));
		}
		assert_int_equal(f.session->deadline_ms - f.clock.monotonic_ms,
			first_ms + over * 60 * 1000 / LIMIT_DATA_RATE_BYTES);
	}
}

/* Our own processes have their time too; then the client is told, and nothing was delivered. */
static void silent_store(void **state)
{
	(void)state;
	for (int over = -1; over <= 1; over++) {
		start("smtp", false);
		say(HELLO);
		f.hold_answers = true;
		assert_string_equal(say(ENVELOPE), "250");
		pass_ms(LIMIT_SMTP_ANSWER_MS + over);
		assert_string_equal(codes(), over < 0 ? "" : "421 closed");
	}
}

/* ---- our own side away ---- */

static void store_away(void **state)
{
	(void)state;
	start("smtp", false);
	say(HELLO);
	f.store_away = true;
	assert_string_equal(say(ENVELOPE), "250 451");
	assert_true(said("451 4.3.0 "));
	f.store_away = false;
	assert_string_equal(say("RCPT TO:<alice@example.test>\r\n"), "250");
	say("DATA\r\n");
	f.store_away = true;
	assert_string_equal(say("x\r\n.\r\n"), "451");
	f.store_away = false;
	say(ENVELOPE);
	say("DATA\r\n");
	f.commit_fails = ERR_TEMP;
	assert_string_equal(say("x\r\n.\r\n"), "451");
	f.commit_fails = ERR_NONE;
	say(ENVELOPE);
	say("DATA\r\n");
	assert_string_equal(say("x\r\n.\r\n"), "250");
	assert_int_equal(f.copies, 1);

	start("submissions", true);
	say(HELLO);
	f.gate_away = true;
	assert_string_equal(say(LOGIN), "454");
	f.gate_away = false;
	f.store_away = true;
	assert_string_equal(say(LOGIN), "454");
	f.store_away = false;
	assert_string_equal(say("MAIL FROM:<alice@example.test>\r\n"), "530");
	assert_string_equal(say(LOGIN), "235");
}

/* The store's successor gets our ticket; an upload that was under way is answered 451. */
static void store_replaced(void **state)
{
	(void)state;
	static char text[90000];
	memset(text, 'x', sizeof(text));
	submission();
	f.session->class->store_lost(f.session);
	size_t questions = f.questions;
	assert_string_equal(say(SUBMITTED), "250 250");
	assert_int_equal(f.questions, questions + 3); /* session_open, owns_address, resolve */
	say("DATA\r\n");
	fake_input(&f, str_make(text, sizeof(text)));
	assert_true(f.upload.open);
	f.upload.open = false; /* it went with its store */
	f.session->class->store_lost(f.session);
	fake_run(&f);
	assert_string_equal(say("\r\n.\r\n"), "451");
	assert_int_equal(f.copies, 0);
}

/* What the store says of a whole message. Only what is too big for ever is refused for ever: RFC
 * 1870 6.3, RFC 3463 3.3 and 3.4. */
static void commit_refusals(void **state)
{
	(void)state;
	static const struct {
		enum err_kind kind;
		const char *reply;
	} cases[] = { { ERR_TOO_BIG, "552 5.3.4 " }, { ERR_FULL, "452 4.3.1 " },
		{ ERR_QUOTA, "452 4.2.2 " }, { ERR_LIMIT, "451 4.3.0 " },
		{ ERR_READ_ONLY, "451 4.3.0 " } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		start("smtp", false);
		say(HELLO);
		say(ENVELOPE);
		say("DATA\r\n");
		f.commit_fails = cases[i].kind;
		say("x\r\n.\r\n");
		assert_true(said(cases[i].reply));
		assert_int_equal(f.copies, 0);
	}
}

/* A failure that the store tells before the end: the rest is not sent, and the reply is its. */
static void upload_refused_early(void **state)
{
	(void)state;
	static char text[70000];
	memset(text, 'x', sizeof(text));
	start("smtp", false);
	say(HELLO);
	say(ENVELOPE);
	say("DATA\r\n");
	fake_input(&f, str_make(text, sizeof(text)));
	assert_true(f.upload.open);
	f.upload.open = false;
	fake_fail(&f, f.upload.request, ERR_QUOTA);
	fake_run(&f);
	assert_string_equal(say("more\r\n.\r\n"), "452");
	assert_string_equal(say("NOOP\r\n"), "250");
}

/* Bulk frames find no room again and again: the same bytes arrive, in order. */
static void back_pressure(void **state)
{
	(void)state;
	static char text[1000000];
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i * 7 % 26);
	for (unsigned no_room = 0; no_room < 4; no_room++) {
		start("smtp", false);
		f.settings.message_bytes = sizeof(text) + 2;
		f.no_room = f.no_room_now = no_room;
		say(HELLO);
		say("MAIL FROM:<a@b.example>\r\nRCPT TO:<team@example.test>\r\n");
		say("DATA\r\n");
		fake_input(&f, str_make(text, sizeof(text)));
		assert_string_equal(say("\r\n.\r\nNOOP\r\n"), "250 250");
		assert_true(f.no_room_told > 0 || no_room == 0);
		assert_int_equal(f.copies, 2);
		struct str body = stored_body();
		assert_int_equal(body.n, sizeof(text) + 2);
		assert_memory_equal(body.p, text, sizeof(text));
	}
}

/* While the store has no room the client waits, and memory stays bounded. */
static void no_room_at_all(void **state)
{
	(void)state;
	static char text[60000];
	memset(text, 'x', sizeof(text));
	start("smtp", false);
	f.settings.message_bytes = 1 << 30;
	say(HELLO);
	say(ENVELOPE);
	say("DATA\r\n");
	f.no_room = f.no_room_now = 1;
	size_t taken = 0;
	for (int i = 0; i < 10; i++)
		taken += f.session->class->input(f.session, str_make(text, sizeof(text)));
	assert_in_range(taken, 65000, 65000 + 20000);
	assert_true(f.session->deadline_ms == 0);
}

/* The most that a session says before the front has taken some of it. */
static size_t most_output(struct session *s)
{
	buf_clear(&s->out);
	while (buf_addc(&s->out, 'x'))
		; /* N-1, N; not N+1 */
	size_t n = s->out.n;
	buf_clear(&s->out);
	return n;
}

/* The client reads nothing: the output is bounded, and goes on later. S45 */
static void s45_output_without_room(void **state)
{
	(void)state;
	start("smtp", false);
	say(HELLO);
	struct buf many;
	buf_init(&many, 1 << 20);
	for (int i = 0; i < 20000; i++)
		buf_addz(&many, "MAIL FROM:<a@b.example>\r\n");
	size_t taken = f.session->class->input(f.session, buf_str(&many));
	assert_true(taken < many.n);
	assert_true(f.session->out.n <= LIMIT_SESSION_OUT_BYTES && !f.session->out.full);
	buf_done(&many);
	assert_int_equal(most_output(f.session), LIMIT_SESSION_OUT_BYTES);
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
	fake_input(&f, STR("x\r\n.\r\n"));
	f.session->class->eof(f.session);
	assert_int_equal(f.session->next, NEXT_GO_ON);
	f.hold_answers = false;
	fake_run(&f);
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
	test_case(s20_s21_improper_pipelining), test_case(s22_s23_nothing_survives_an_error),
	test_case(s24_utf8_without_leave), test_case(s19_end_within_chunks),
	test_case(s34_s35_bad_paths), test_case(s25_chunk_sizes), test_case(s26_tiny_chunks),
	test_case(s26_size_of_tiny_chunks), test_case(s42_envelope_bytes),
	test_case(most_parameters), test_case(s44_each_wait), test_case(s44_data_rate),
	test_case(s27_chunk_without_envelope), test_case(s28_data_and_bdat),
	test_case(chunks_of_text), test_case(s30_sizes), test_case(s32_long_lines),
	test_case(s33_control_characters), test_case(s42_s43_recipients),
	test_case(most_deliveries), test_case(s41_errors_and_junk), test_case(s47_login_failures),
	test_case(s48_auth), test_case(s44_deadlines), test_case(silent_store),
	test_case(store_away), test_case(store_replaced), test_case(commit_refusals),
	test_case(upload_refused_early), test_case(back_pressure), test_case(no_room_at_all),
	test_case(s45_output_without_room), test_case(drains_between_transactions),
	test_case(password_changed), test_case(gone_while_committing),
	cmocka_unit_test_teardown(idles, teardown))
