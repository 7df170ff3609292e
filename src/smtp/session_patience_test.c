// SPDX-License-Identifier: Apache-2.0
/*
 * The session by itself: how long it waits, and what it does while our own side, or the client, is
 * away. Names carry the numbers of the catalogue of hostile input.
 */
#include "smtp/session_scene.h"

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

/* An account was removed behind its RCPT. The others' message is not refused for ever because of
 * it: at the next try RCPT tells them apart. */
static void one_of_several_is_gone(void **state)
{
	(void)state;
	static const char *const recipients[] = { "RCPT TO:<bob@example.test>\r\n",
		"RCPT TO:<bob@example.test>\r\nRCPT TO:<alice@example.test>\r\n",
		"RCPT TO:<team@example.test>\r\n" };
	for (size_t i = 0; i < ARRAY_LEN(recipients); i++) {
		start("smtp", false);
		say(HELLO);
		say("MAIL FROM:<a@b.example>\r\n");
		say(recipients[i]);
		say("DATA\r\n");
		f.commit_fails = ERR_NOT_FOUND;
		say("x\r\n.\r\n");
		assert_true(said("451 4.3.0 "));
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

TEST_MAIN(test_case(s44_deadlines), test_case(s44_each_wait), test_case(s44_data_rate),
	test_case(silent_store), test_case(store_away), test_case(store_replaced),
	test_case(commit_refusals), test_case(one_of_several_is_gone),
	test_case(upload_refused_early), test_case(back_pressure), test_case(no_room_at_all),
	cmocka_unit_test_teardown(s45_output_without_room, teardown))
