// SPDX-License-Identifier: Apache-2.0
/* POP3 as dialogues: what the client says, and all that it hears; the times it has. */
#include "pop3/scene.h"

/* RFC 1939 10 and its examples; the words that every introduction shows. */
static void greets_lists_and_signs_off(void **state)
{
	(void)state;
	struct fake_host *f = host(two, 2);
	fake_open(f);
	assert_str(buf_str(&f->out), STR("+OK mx.example.test POP3 server ready\r\n"));
	expect(f, "USER alice\r\n", "+OK name is taken\r\n");
	expect(f, "PASS secret\r\n", "+OK maildrop has 2 messages (49 octets)\r\n");
	expect(f, "STAT\r\n", "+OK 2 49\r\n");
	expect(f, "LIST\r\n", "+OK 2 messages (49 octets)\r\n1 29\r\n2 20\r\n.\r\n");
	expect(f, "LIST 2\r\n", "+OK 2 20\r\n");
	expect(f, "LIST 3\r\n", "-ERR no such message, only 2 messages in maildrop\r\n");
	expect(f, "UIDL\r\n", "+OK unique-id listing follows\r\n1 77.3\r\n2 77.8\r\n.\r\n");
	expect(f, "UIDL 2\r\n", "+OK 2 77.8\r\n");
	expect(f, "RETR 1\r\n", "+OK 29 octets\r\nSubject: one\r\n\r\nfirst\r\n..dot\r\n.\r\n");
	expect(f, "RETR 2\r\n", "+OK 20 octets\r\nSubject: two\r\n\r\nlast\r\n.\r\n");
	expect(f, "TOP 1 1\r\n",
		"+OK top of message follows\r\nSubject: one\r\n\r\nfirst\r\n.\r\n");
	expect(f, "TOP 1 0\r\n", "+OK top of message follows\r\nSubject: one\r\n\r\n.\r\n");
	expect(f, "DELE 1\r\n", "+OK message 1 deleted\r\n");
	expect(f, "DELE 1\r\n", "-ERR message 1 already deleted\r\n");
	expect(f, "LIST\r\n", "+OK 1 message (20 octets)\r\n2 20\r\n.\r\n");
	expect(f, "RSET\r\n", "+OK maildrop has 2 messages (49 octets)\r\n");
	expect(f, "NOOP\r\n", "+OK\r\n");
	expect(f, "dele 1\r\nDELE 2\r\n", "+OK message 1 deleted\r\n+OK message 2 deleted\r\n");
	expect(f, "STAT \r\n", "+OK 0 0\r\n");
	assert_int_equal(f->changes, 0);
	expect(f, "QUIT\r\n", "+OK mx.example.test POP3 server signing off (maildrop empty)\r\n");
	assert_int_equal(f->session->next, NEXT_CLOSE);
	assert_int_equal(f->changes, 1);
	assert_int_equal(f->expunged.n, 1);
	struct api_range *r = vec_at(&f->expunged, 0);
	assert_int_equal(r->low, 3);
	assert_int_equal(r->high, 8);
	close_host(f);
}

static void knows_its_states(void **state)
{
	(void)state;
	struct fake_host *f = host(two, 2);
	fake_open(f);
	expect(f, "STAT\r\n", "-ERR log in first\r\n");
	expect(f, "PASS secret\r\n", "-ERR say USER first\r\n");
	expect(f, "FOO\r\n\r\n", "-ERR unknown command\r\n-ERR unknown command\r\n");
	expect(f, "USER\r\n", "-ERR USER has other arguments\r\n");
	expect(f, "STAT\n", "-ERR lines end in CR LF\r\n");
	expect(f, "NO\rOP\r\n", "-ERR lines end in CR LF\r\n");
	expect(f, "QUIT now\r\n", "-ERR QUIT has other arguments\r\n");
	expect(f, "CAPA\r\n",
		"+OK Capability list follows\r\nTOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\n"
		"AUTH-RESP-CODE\r\nUSER\r\nSASL PLAIN LOGIN\r\nEXPIRE 0 USER\r\nUTF8 USER\r\n"
		"LANG\r\nIMPLEMENTATION Culver\r\n.\r\n");
	expect(f, "USER alice\r\nPASS secret\r\nUSER alice\r\n",
		"+OK name is taken\r\n+OK maildrop has 2 messages (49 octets)\r\n"
		"-ERR already logged in\r\n");
	expect(f, "STLS\r\n", "-ERR already logged in\r\n");
	expect(f, "QUIT\r\n", "+OK mx.example.test POP3 server signing off (2 messages left)\r\n");
	assert_int_equal(f->changes, 0);
	close_host(f);
}

/* A password before TLS is not even asked about; STLS forgets what came before it (P7, I15). */
static void asks_for_tls(void **state)
{
	(void)state;
	struct fake_host *f = host(two, 2);
	f->peer.tls = false;
	f->peer.loopback = true;
	fake_open(f);
	expect(f, "USER alice\r\nPASS secret\r\nAUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n",
		"-ERR [AUTH] say STLS first: no passwords without TLS\r\n"
		"-ERR [AUTH] say STLS first: no passwords without TLS\r\n"
		"-ERR [AUTH] say STLS first: no passwords without TLS\r\n");
	expect(f, "CAPA\r\n",
		"+OK Capability list follows\r\nTOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\n"
		"AUTH-RESP-CODE\r\nSTLS\r\nEXPIRE 0 USER\r\nUTF8 USER\r\nLANG\r\n"
		"IMPLEMENTATION Culver\r\n.\r\n");
	expect(f, "STLS\r\nUSER injected\r\nUSER", "+OK Begin TLS negotiation\r\n");
	expect(f, "PASS secret\r\n", "-ERR say USER first\r\n");
	expect(f, "STLS\r\n", "-ERR TLS is on already\r\n");
	expect(f, "USER alice\r\nPASS secret\r\n",
		"+OK name is taken\r\n+OK maildrop has 2 messages (49 octets)\r\n");
	assert_int_equal(f->logins, 1);
	close_host(f);
	/* allowed by configuration, on loopback */
	f = host(two, 2);
	f->peer.tls = false;
	f->peer.loopback = true;
	f->settings.plaintext_auth_loopback = true;
	log_in(f);
	close_host(f);
	/* and there alone */
	f = host(two, 2);
	f->peer.tls = false;
	f->settings.plaintext_auth_loopback = true;
	fake_open(f);
	fake_say(f, STR("USER alice\r\nPASS secret\r\n"));
	assert_int_equal(f->logins, 0);
	close_host(f);
}

/* RFC 5034 */
static void authenticates(void **state)
{
	(void)state;
	struct fake_host *f = host(two, 1);
	fake_open(f);
	expect(f, "AUTH NTLM\r\n", "-ERR unknown mechanism\r\n");
	expect(f, "AUTH PLAIN\r\n", "+ \r\n");
	expect(f, "*\r\n", "-ERR authentication cancelled\r\n");
	expect(f, "AUTH PLAIN !\r\n", "-ERR that is no response to the challenge\r\n");
	expect(f, "AUTH PLAIN\r\nAGFsaWNlAHNlY3JldA==\r\n",
		"+ \r\n+OK maildrop has 1 message (29 octets)\r\n");
	close_host(f);
	f = host(two, 1);
	fake_open(f);
	expect(f, "auth login\r\nYWxpY2U=\r\nc2VjcmV0\r\nSTAT\r\n",
		"+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n+OK maildrop has 1 message (29 octets)\r\n"
		"+OK 1 29\r\n");
	close_host(f);
}

/* P1: pipelined guesses wait for each other, and are few. */
static void guessing_is_slow(void **state)
{
	(void)state;
	struct fake_host *f = host(two, 2);
	fake_open(f);
	buf_clear(&f->out);
	for (int i = 0; i < 100; i++)
		buf_addz(&f->left, "USER alice\r\nPASS wrong\r\n");
	fake_run(f);
	assert_int_equal(f->logins, 1);
	assert_str(buf_str(&f->out), STR("+OK name is taken\r\n"));
	for (int i = 1; i <= LIMIT_POP3_LOGIN_FAILURES; i++) {
		assert_int_equal(f->logins, i);
		assert_int_equal(f->session->next, NEXT_GO_ON);
		assert_int_equal(f->session->deadline_ms,
			f->clock.monotonic_ms + i * LIMIT_POP3_LOGIN_DELAY_MS);
		f->clock.monotonic_ms = f->session->deadline_ms;
		f->session->class->timeout(f->session);
		fake_run(f);
		assert_true(str_search(buf_str(&f->out),
				    STR("-ERR [AUTH] wrong name or password\r\n")) < f->out.n);
	}
	assert_int_equal(f->session->next, NEXT_CLOSE);
	assert_int_equal(f->logins, LIMIT_POP3_LOGIN_FAILURES);
	close_host(f);
}

/* P1: a line of 1 MiB; P2: numbers that are none. */
static void bad_words_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *says, *hears;
	} cases[] = {
		{ "RETR 0\r\n", "-ERR that is no message number\r\n" },
		{ "RETR -1\r\n", "-ERR that is no message number\r\n" },
		{ "RETR 1x\r\n", "-ERR that is no message number\r\n" },
		{ "RETR\r\n", "-ERR RETR has other arguments\r\n" },
		{ "RETR 1 2\r\n", "-ERR RETR has other arguments\r\n" },
		{ "LIST 99999999999\r\n", "-ERR no such message, only 2 messages in maildrop\r\n" },
		{ "LIST 99999999999999999999999\r\n", "-ERR that is no message number\r\n" },
		{ "TOP 1\r\n", "-ERR TOP has a message number and a number of lines\r\n" },
		{ "TOP 1 -1\r\n", "-ERR TOP has a message number and a number of lines\r\n" },
		{ "TOP 9 1\r\n", "-ERR no such message, only 2 messages in maildrop\r\n" },
		{ "TOP 2 4294967295\r\n",
			"+OK top of message follows\r\nSubject: two\r\n\r\nlast\r\n.\r\n" },
		{ "TOP 2 18446744073709551616\r\n",
			"-ERR TOP has a message number and a number of lines\r\n" },
	};
	struct fake_host *f = host_logged_in();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect(f, cases[i].says, cases[i].hears);
	struct buf line;
	buf_init(&line, 2 << 20);
	size_t n[] = { LIMIT_POP3_LINE_BYTES - 1, LIMIT_POP3_LINE_BYTES, LIMIT_POP3_LINE_BYTES + 1,
		60000 };
	for (size_t i = 0; i < ARRAY_LEN(n); i++) {
		buf_clear(&line);
		for (size_t k = 0; k < n[i]; k++)
			buf_addc(&line, 'x');
		buf_addz(&line, "\r\n");
		expect(f, line.p,
			i < 2 ? "-ERR unknown command\r\n" : "-ERR the line is too long\r\n");
	}
	buf_clear(&line);
	for (size_t k = 0; k < 1 << 20; k++)
		buf_addc(&line, 'x');
	expect(f, line.p, "-ERR the line is too long\r\n");
	assert_int_equal(f->session->next, NEXT_CLOSE);
	buf_done(&line);
	close_host(f);
}

/* A name that no address can be is refused before it is kept. */
static void names_have_an_end(void **state)
{
	(void)state;
	char line[LIMIT_ADDRESS_BYTES + 16];
	struct fake_host *f = host(two, 2);
	fake_open(f);
	for (int n = LIMIT_ADDRESS_BYTES - 1; n <= LIMIT_ADDRESS_BYTES + 1; n++) {
		snprintf(line, sizeof(line), "USER %0*d\r\n", n, 0);
		expect(f, line,
			n > LIMIT_ADDRESS_BYTES ? "-ERR that is no user name\r\n"
						: "+OK name is taken\r\n");
	}
	close_host(f);
}

static void refused_lines_have_an_end(void **state)
{
	(void)state;
	struct fake_host *f = host(two, 2);
	fake_open(f);
	for (int i = 1; i <= LIMIT_POP3_ERRORS; i++) {
		assert_int_equal(f->session->next, NEXT_GO_ON);
		fake_say(f, STR("FOO\r\n"));
	}
	assert_int_equal(f->session->next, NEXT_CLOSE);
	close_host(f);
	/* An exchange that begins well does not make good for those that ended badly. */
	static const char *const exchanges[] = { "AUTH PLAIN\r\n!\r\n", "AUTH LOGIN\r\n*\r\n",
		"USER alice\r\nFOO\r\n" };
	for (size_t n = 0; n < ARRAY_LEN(exchanges); n++) {
		f = host(two, 2);
		fake_open(f);
		for (int i = 1; i <= LIMIT_POP3_ERRORS; i++) {
			assert_int_equal(f->session->next, NEXT_GO_ON);
			fake_say(f, str_from(exchanges[n]));
		}
		assert_int_equal(f->session->next, NEXT_CLOSE);
		close_host(f);
	}
	/* Once somebody is in, they are counted in a row, and from 0. */
	f = host(two, 2);
	fake_open(f);
	for (int i = 1; i < LIMIT_POP3_ERRORS; i++)
		fake_say(f, STR("FOO\r\n"));
	fake_say(f, STR("USER alice\r\nPASS secret\r\n"));
	for (int i = 1; i <= LIMIT_POP3_ERRORS; i++)
		fake_say(f, STR("NOOP\r\nFOO\r\n"));
	assert_int_equal(f->session->next, NEXT_GO_ON);
	for (int i = 1; i < LIMIT_POP3_ERRORS; i++)
		fake_say(f, STR("FOO\r\n"));
	assert_int_equal(f->session->next, NEXT_CLOSE);
	close_host(f);
}

static void failures_are_told(void **state)
{
	(void)state;
	struct fake_host *f = host(two, 2);
	fake_open(f);
	f->locked = ERR_IN_USE;
	expect(f, "USER alice\r\nPASS secret\r\n", "+OK name is taken\r\n-ERR [IN-USE] in use\r\n");
	assert_int_equal(f->sessions_closed, 1);
	f->locked = ERR_NONE;
	f->gate_away = true;
	buf_clear(&f->out);
	fake_say(f, STR("USER alice\r\nPASS secret\r\n"));
	assert_true(str_search(buf_str(&f->out), STR("-ERR [SYS/TEMP] ")) < f->out.n);
	f->gate_away = false;
	fake_say(f, STR("USER alice\r\nPASS secret\r\n"));
	assert_true(f->session->authenticated);
	f->change_fails = true;
	expect(f, "DELE 1\r\nQUIT\r\n",
		"+OK message 1 deleted\r\n-ERR [SYS/TEMP] some deleted messages not removed\r\n");
	close_host(f);
	/* A message that is gone by now. */
	static const struct fake_message gone = { STR_INIT("x"), 3, 0, true };
	f = host(&gone, 1);
	log_in(f);
	expect(f, "RETR 1\r\nNOOP\r\n", "-ERR the message is gone\r\n+OK\r\n");
	close_host(f);
}

/* A gate that was taken over lets somebody in and leaves out the ticket: the store says what that
 * is worth. */
static void no_ticket_is_no_harm(void **state)
{
	(void)state;
	struct fake_host *f = host(two, 2);
	fake_open(f);
	expect(f, "USER erin\r\nPASS secret\r\n",
		"+OK name is taken\r\n+OK maildrop has 2 messages (49 octets)\r\n");
	close_host(f);
}

/* Issue part 11: the client decides, unless the account's policy says otherwise. */
static void retention_is_the_accounts(void **state)
{
	(void)state;
	static const struct {
		uint8_t retention;
		uint32_t days;
		size_t expunged; /* DELE 1, RETR 2; 3 is old */
		const char *left;
	} cases[] = {
		{ RETAIN_CLIENT, 0, 1, "2 messages left" },
		{ RETAIN_KEEP, 0, 0, "3 messages left" },
		{ RETAIN_DELETE, 0, 1, "1 message left" },
		{ RETAIN_EXPIRE, 30, 2, "1 message left" },
	};
	int64_t now = 1000000000000;
	struct fake_message m[] = { { STR("a\r\n"), 1, now, false },
		{ STR("b\r\n"), 2, now, false },
		{ STR("c\r\n"), 3, now - 31 * TIME_DAY_MS, false } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fake_host *f = host(m, 3);
		f->retention = cases[i].retention;
		f->expire_days = cases[i].days;
		log_in(f);
		fake_say(f, STR("DELE 1\r\nRETR 2\r\nTOP 3 1\r\nQUIT\r\n"));
		assert_int_equal(f->expunged.n, cases[i].expunged);
		assert_true(str_search(buf_str(&f->out), str_from(cases[i].left)) < f->out.n);
		close_host(f);
	}
}

/* A byte every ten seconds gets no more time than silence; each line has its own. S44 of SMTP. */
static void s44_trickled_lines(void **state)
{
	(void)state;
	for (int over = -1; over <= 1; over++) {
		struct fake_host *f = host_logged_in();
		f->clock.monotonic_ms += 5000;
		expect(f, "NOOP\r\nX", "+OK\r\n");
		int64_t began = f->clock.monotonic_ms;
		while (f->clock.monotonic_ms < began + LIMIT_POP3_IDLE_MS - 10000) {
			f->clock.monotonic_ms += 10000;
			fake_say(f, STR("x"));
		}
		f->clock.monotonic_ms = began + LIMIT_POP3_IDLE_MS + over;
		assert_int_equal(f->clock.monotonic_ms >= f->session->deadline_ms, over >= 0);
		buf_clear(&f->out);
		expect(f, "\r\n", "-ERR unknown command\r\n");
		assert_int_equal(
			f->session->deadline_ms, f->clock.monotonic_ms + LIMIT_POP3_IDLE_MS);
		close_host(f);
	}
}

/* RFC 1939 3: ten minutes; each command begins them anew. */
static void idles_ten_minutes(void **state)
{
	(void)state;
	struct fake_host *f = host_logged_in();
	f->clock.monotonic_ms += 1000;
	expect(f, "NOOP\r\n", "+OK\r\n");
	assert_int_equal(f->session->deadline_ms, f->clock.monotonic_ms + LIMIT_POP3_IDLE_MS);
	assert_true(f->session->idle);
	expect(f, "DELE 1\r\nNO", "+OK message 1 deleted\r\n");
	assert_false(f->session->idle);
	buf_clear(&f->out);
	f->session->class->timeout(f->session);
	fake_run(f);
	assert_int_equal(f->session->next, NEXT_CLOSE);
	assert_int_equal(f->out.n + f->changes, 0);
	close_host(f);
}

/* Ten minutes in all before a login, however often something is said. P1 */
static void strangers_have_ten_minutes_in_all(void **state)
{
	(void)state;
	for (int over = -1; over <= 1; over++) {
		struct fake_host *f = host(two, 2);
		fake_open(f);
		int64_t ends = f->clock.monotonic_ms + LIMIT_POP3_STRANGER_MS;
		for (int i = 0; i < 5; i++) {
			f->clock.monotonic_ms += LIMIT_POP3_STRANGER_MS / 6;
			buf_clear(&f->out);
			fake_say(f, STR("CAPA\r\nUSER al"));
			fake_say(f, STR("ice\r\n"));
			assert_true(str_search(buf_str(&f->out), STR("+OK name")) < f->out.n);
			assert_int_equal(f->session->deadline_ms, ends);
		}
		f->clock.monotonic_ms = ends + over;
		assert_int_equal(f->clock.monotonic_ms >= f->session->deadline_ms, over >= 0);
		f->session->class->timeout(f->session); /* what the front does then */
		assert_int_equal(f->session->next, NEXT_CLOSE);
		close_host(f);
	}
	struct fake_host *f = host(two, 2); /* a login ends it */
	fake_open(f);
	f->clock.monotonic_ms += LIMIT_POP3_STRANGER_MS - 1;
	fake_say(f, STR("USER alice\r\nPASS secret\r\n"));
	assert_true(f->session->authenticated);
	assert_int_equal(f->session->deadline_ms, f->clock.monotonic_ms + LIMIT_POP3_IDLE_MS);
	close_host(f);
}

TEST_MAIN(test_case(greets_lists_and_signs_off), test_case(knows_its_states),
	test_case(asks_for_tls), test_case(authenticates), test_case(guessing_is_slow),
	test_case(bad_words_are_refused), test_case(names_have_an_end),
	test_case(refused_lines_have_an_end), test_case(failures_are_told),
	test_case(no_ticket_is_no_harm), test_case(retention_is_the_accounts),
	test_case(s44_trickled_lines), test_case(idles_ten_minutes),
	test_case(strangers_have_ten_minutes_in_all))
