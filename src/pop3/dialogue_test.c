// SPDX-License-Identifier: Apache-2.0
/* POP3 as dialogues: what the client says, and all that it hears. */
#include "base/time.h"
#include "pop3/fake_host.h"

#include <stdio.h>

#include "base/test.h"

static const struct fake_message two[] = {
	{ STR_INIT("Subject: one\r\n\r\nfirst\r\n.dot\r\n"), 3, 0, false },
	{ STR_INIT("Subject: two\r\n\r\nlast"), 8, 0, false },
};

static struct fake_host *host(const struct fake_message *m, size_t n)
{
	struct fake_host *f = xmalloc(sizeof(*f));
	f->message = m;
	f->messages = n;
	f->peer.tls = true;
	return f;
}

static void close_host(struct fake_host *f)
{
	fake_close(f);
	free(f);
}

static void expect(struct fake_host *f, const char *says, const char *hears)
{
	buf_clear(&f->out);
	fake_say(f, str_from(says));
	assert_str(buf_str(&f->out), str_from(hears));
}

static void log_in(struct fake_host *f)
{
	fake_open(f);
	fake_say(f, STR("USER alice\r\nPASS secret\r\n"));
	assert_true(f->session->authenticated);
}

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
	struct fake_host *f = host(two, 2);
	log_in(f);
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

/* P2: DELE and RSET 100,000 times; P4: 100,000 messages, listed through little room. */
static void large_maildrops(void **state)
{
	(void)state;
	struct fake_host *f = host(two, 0);
	f->many = 100000;
	log_in(f);
	for (int i = 0; i < 1000; i++)
		fake_say(f, STR("DELE 5\r\nRSET\r\n"));
	buf_clear(&f->out);
	for (int i = 0; i < 99000; i++)
		buf_addz(&f->left, "DELE 5\r\nRSET\r\n");
	fake_run(f);
	buf_clear(&f->out);
	fake_say(f, STR("UIDL\r\nLIST\r\nSTAT\r\n"));
	size_t lines = 0;
	for (size_t i = 0; i < f->out.n; i++)
		lines += f->out.p[i] == '\n';
	assert_int_equal(lines, 2 * 100002 + 1);
	assert_true(
		str_search(buf_str(&f->out), STR("\r\n100000 77.100999\r\n.\r\n+OK")) < f->out.n);
	/* every other one goes: one range each, in several changes if need be */
	for (int i = 1; i <= 100000; i += 2) {
		char text[32];
		snprintf(text, sizeof(text), "DELE %d\r\n", i);
		fake_say(f, str_from(text));
	}
	fake_say(f, STR("QUIT\r\n"));
	assert_int_equal(f->expunged.n, 50000);
	assert_int_equal(f->changes, 1);
	assert_int_equal(f->session->next, NEXT_CLOSE);
	assert_int_equal(most_output(f->session), LIMIT_SESSION_OUT_BYTES);
	close_host(f);
	f = host(two, 0);
	f->many = 200000;
	log_in(f);
	for (int i = 1; i <= 200000; i += 2) {
		char text[32];
		snprintf(text, sizeof(text), "DELE %d\r\n", i);
		fake_say(f, str_from(text));
	}
	fake_say(f, STR("QUIT\r\n"));
	assert_int_equal(f->expunged.n, 100000);
	assert_int_equal(f->changes, 2);
	close_host(f);
}

/* A message of 3 MiB, in pieces; P3: the octets before stuffing are LIST's. */
static void large_messages(void **state)
{
	(void)state;
	size_t n = 3 << 20;
	char *p = xmalloc(n);
	static const char unit[] = "\r\n.\n.\r.x..";
	for (size_t i = 0; i < n; i++)
		p[i] = unit[i % (sizeof(unit) - 1)];
	memcpy(p + n - 2, "\r\n", 2);
	struct fake_message m = { str_make(p, n), 1, 0, false };
	struct fake_host *f = host(&m, 1);
	log_in(f);
	buf_clear(&f->out);
	fake_say(f, STR("RETR 1\r\nNOOP\r\n"));
	struct str out = buf_str(&f->out);
	assert_true(str_starts(out, STR("+OK 3145728 octets\r\n")));
	assert_true(str_ends_nocase(out, STR("\r\n.\r\n+OK\r\n")));
	/* A client that splits at CRLF and takes off one dot. */
	size_t got = 0, at = strlen("+OK 3145728 octets\r\n");
	bool start = true;
	for (; at < out.n - strlen(".\r\n+OK\r\n"); at++) {
		if (start && out.p[at] == '.')
			at++;
		start = at > 0 && out.p[at] == '\n' && out.p[at - 1] == '\r';
		/* the lone dot between bare LFs, which is stuffed for the sake of others */
		if (got < n && out.p[at] != p[got] && out.p[at] == '.')
			continue;
		assert_true(got < n && out.p[at] == p[got]);
		got++;
	}
	assert_int_equal(got, n);
	close_host(f);
	free(p);
}

/* P5 and the rest of what goes wrong. */
static void nothing_goes_without_quit(void **state)
{
	(void)state;
	for (int how = 0; how < 3; how++) {
		struct fake_host *f = host(two, 2);
		log_in(f);
		expect(f, "DELE 1\r\n", "+OK message 1 deleted\r\n");
		buf_clear(&f->out);
		if (how == 0)
			f->session->class->eof(f->session);
		if (how == 1)
			f->session->class->timeout(f->session);
		if (how == 2)
			f->session->class->notice(
				f->session, &(struct frame){ .type = FRAME_SESSION_ENDED });
		fake_run(f);
		assert_int_equal(f->session->next, NEXT_CLOSE);
		assert_int_equal(f->out.n, 0);
		f->session->class->free(&f->session);
		assert_int_equal(f->changes, 0);
		assert_int_equal(f->sessions_closed, how < 2);
		close_host((f->session = pop3_session_class.new(&f->host, &f->peer, &f->log), f));
	}
	/* The client says it all and closes its side: it hears the answer. */
	struct fake_host *f = host(two, 2);
	log_in(f);
	f->hold = true;
	buf_clear(&f->out);
	fake_say(f, STR("RETR 2\r\n"));
	f->session->class->eof(f->session);
	assert_int_equal(f->session->next, NEXT_GO_ON);
	f->hold = false;
	fake_run(f);
	assert_str(buf_str(&f->out), STR("+OK 20 octets\r\nSubject: two\r\n\r\nlast\r\n.\r\n"));
	assert_int_equal(f->session->next, NEXT_CLOSE);
	assert_int_equal(f->changes, 0);
	close_host(f);
	/* The client leaves behind its QUIT: it is carried out. */
	f = host(two, 2);
	log_in(f);
	f->hold = true;
	fake_say(f, STR("DELE 1\r\nQUIT\r\n"));
	f->session->class->eof(f->session);
	assert_int_equal(f->session->next, NEXT_GO_ON);
	f->hold = false;
	fake_run(f);
	assert_int_equal(f->session->next, NEXT_CLOSE);
	assert_int_equal(f->changes, 1);
	close_host(f);
}

/* P5, P6: the session goes on with the next store, or deletes nothing and says so. */
static void store_is_replaced(void **state)
{
	static const char sorry[] = "-ERR [SYS/TEMP] this session ended with the server's restart "
				    "and deleted nothing, please log in again\r\n";
	(void)state;
	struct fake_host *f = host(two, 2);
	log_in(f);
	expect(f, "DELE 1\r\n", "+OK message 1 deleted\r\n");
	f->hold = true;
	buf_clear(&f->out);
	f->session->class->store_lost(f->session);
	fake_say(f, STR("STAT\r\nRETR 2\r\nQUIT\r\n"));
	assert_int_equal(f->out.n, 0); /* until it has the maildrop again */
	f->hold = false;
	fake_run(f);
	assert_str(buf_str(&f->out),
		STR("+OK 1 20\r\n+OK 20 octets\r\nSubject: two\r\n\r\nlast\r\n.\r\n"
		    "+OK mx.example.test POP3 server signing off (1 message left)\r\n"));
	assert_int_equal(f->changes, 1);
	close_host(f);
	for (int how = 0; how < 3; how++) {
		f = host(two, 2);
		log_in(f);
		expect(f, "DELE 1\r\n", "+OK message 1 deleted\r\n");
		f->locked = how == 0 ? ERR_IN_USE : ERR_NONE; /* by who came meanwhile */
		f->rebuilt = how == 1;
		f->store_away = how == 2;
		buf_clear(&f->out);
		f->session->class->store_lost(f->session);
		fake_run(f);
		assert_int_equal(f->out.n, 0); /* nothing was asked */
		assert_int_equal(f->session->next, NEXT_GO_ON);
		fake_say(f, STR("QUIT\r\nSTAT\r\n"));
		assert_str(buf_str(&f->out), str_from(sorry));
		assert_int_equal(f->session->next, NEXT_CLOSE);
		assert_int_equal(f->changes, 0);
		close_host(f);
	}
	/* An answer was awaited: it has failed, then the session goes on. */
	f = host(two, 2);
	log_in(f);
	f->hold = true;
	fake_say(f, STR("DELE 1\r\nQUIT\r\n"));
	f->session->class->store_lost(f->session);
	assert_int_equal(f->session->next, NEXT_GO_ON);
	f->hold = false;
	fake_run(f);
	assert_int_equal(f->session->next, NEXT_CLOSE);
	close_host(f);
}

/* A store that goes in the middle of a login: the next one is asked, but no third. */
static void a_login_begins_again_once(void **state)
{
	(void)state;
	for (unsigned n = 0; n <= 2; n++) {
		struct fake_host *f = host(two, 2);
		fake_open(f);
		f->locks_fail = n;
		buf_clear(&f->out);
		fake_say(f, STR("USER alice\r\nPASS secret\r\n"));
		assert_int_equal(f->session->authenticated, n < 2);
		assert_int_equal(f->sessions_closed, n);
		assert_int_equal(
			str_search(buf_str(&f->out), STR("+OK maildrop has 2 ")) < f->out.n, n < 2);
		assert_int_equal(f->locks_fail, 0);
		close_host(f);
	}
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
		struct fake_host *f = host(two, 2);
		log_in(f);
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
	struct fake_host *f = host(two, 2);
	log_in(f);
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

static void a_maildrop_has_a_limit(void **state)
{
	(void)state;
	for (uint32_t n = LIMIT_POP3_MESSAGES - 1; n <= LIMIT_POP3_MESSAGES + 1; n++) {
		struct fake_host *f = host(two, 0);
		f->many = n;
		fake_open(f);
		fake_say(f, STR("USER alice\r\nPASS secret\r\n"));
		assert_int_equal(f->session->authenticated, n <= LIMIT_POP3_MESSAGES);
		assert_int_equal(f->sessions_closed, n > LIMIT_POP3_MESSAGES);
		close_host(f);
	}
}

/* ---- messages that are asked for ahead ---- */

static struct fake_message *many_messages(size_t n, size_t size)
{
	struct fake_message *m = xcalloc(n, sizeof(*m));
	char *p = xmalloc(size);
	memset(p, 'x', size);
	for (size_t i = 0; i < n; i++)
		m[i] = (struct fake_message){ str_make(p, size), (uint32_t)i + 1, 0, false };
	return m;
}

static void free_messages(struct fake_message *m)
{
	free((void *)(uintptr_t)m[0].bytes.p);
	free(m);
}

static void retrieve(struct fake_host *f, size_t number)
{
	char line[40];
	snprintf(line, sizeof(line), "RETR %zu\r\n", number);
	buf_clear(&f->out);
	fake_say(f, str_from(line));
	if (!str_starts(buf_str(&f->out), STR("+OK ")))
		fail_msg("%s: %.*s", line, (int)f->out.n, f->out.p);
	assert_true(str_ends_nocase(buf_str(&f->out), STR("\r\n.\r\n")));
}

/* Who goes through the maildrop is read ahead for, as far as the limits allow; who jumps is not. */
static void ahead_has_limits(void **state)
{
	static const struct {
		size_t size, most, bytes;
	} cases[] = { { 1, LIMIT_POP3_AHEAD_MESSAGES, LIMIT_POP3_AHEAD_MESSAGES },
		{ LIMIT_POP3_AHEAD_BYTES / 4 - 1, 4, LIMIT_POP3_AHEAD_BYTES - 4 },
		{ LIMIT_POP3_AHEAD_BYTES / 4, 4, LIMIT_POP3_AHEAD_BYTES },
		{ LIMIT_POP3_AHEAD_BYTES / 4 + 1, 3, 3 * (LIMIT_POP3_AHEAD_BYTES / 4 + 1) },
		{ 65000, 2, 130000 }, { 65001, 1, 65000 } };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum { N = 3 * LIMIT_POP3_AHEAD_MESSAGES };
		struct fake_message *m = many_messages(N, cases[i].size);
		struct fake_host *f = host(m, N);
		log_in(f);
		for (size_t n = 1; n <= N; n++)
			retrieve(f, n);
		assert_int_equal(f->ahead_messages, cases[i].most);
		assert_int_equal(f->ahead_bytes, cases[i].bytes);
		assert_int_equal(f->asked_total, N); /* each once */
		for (size_t n = N; n >= 2; n -= 2)
			retrieve(f, n);
		assert_int_equal(f->asked_total, N + N / 2);
		close_host(f);
		free_messages(m);
	}
}

/* What was asked for ahead is not what is given when the client does something else. */
static void ahead_follows_the_client(void **state)
{
	static const struct fake_message five[] = { { STR_INIT("one"), 1, 0, false },
		{ STR_INIT("two"), 2, 0, false }, { STR_INIT("three"), 3, 0, true },
		{ STR_INIT("four"), 4, 0, false }, { STR_INIT("five"), 5, 0, false } };
	(void)state;
	struct fake_host *f = host(five, 5);
	log_in(f);
	/* Pipelined, with one that is gone, one deleted, one twice, and one before. */
	expect(f,
		"RETR 1\r\nRETR 2\r\nRETR 3\r\nDELE 4\r\nRETR 5\r\nRETR 5\r\nRETR 4\r\nRETR 1\r\n",
		"+OK 3 octets\r\none\r\n.\r\n+OK 3 octets\r\ntwo\r\n.\r\n"
		"-ERR the message is gone\r\n+OK message 4 deleted\r\n"
		"+OK 4 octets\r\nfive\r\n.\r\n+OK 4 octets\r\nfive\r\n.\r\n"
		"-ERR message 4 already deleted\r\n+OK 3 octets\r\none\r\n.\r\n");
	close_host(f);
	/* One that can't be read takes no other along. */
	f = host(five, 2);
	f->corrupt_uid = 2;
	log_in(f);
	expect(f, "RETR 1\r\nRETR 2\r\nRETR 1\r\nRETR 2\r\nNOOP\r\n",
		"+OK 3 octets\r\none\r\n.\r\n-ERR [SYS/PERM] stored data is damaged\r\n"
		"+OK 3 octets\r\none\r\n.\r\n-ERR [SYS/PERM] stored data is damaged\r\n+OK\r\n");
	close_host(f);
	/* The session ends while more are on their way. */
	f = host(five, 2);
	log_in(f);
	fake_say(f, STR("RETR 1\r\n"));
	f->hold = true;
	fake_say(f, STR("RETR 2\r\n"));
	close_host(f);
}

TEST_MAIN(test_case(ahead_has_limits), test_case(ahead_follows_the_client),
	test_case(greets_lists_and_signs_off), test_case(knows_its_states), test_case(asks_for_tls),
	test_case(authenticates), test_case(guessing_is_slow), test_case(bad_words_are_refused),
	test_case(names_have_an_end), test_case(refused_lines_have_an_end),
	test_case(large_maildrops), test_case(large_messages), test_case(nothing_goes_without_quit),
	test_case(store_is_replaced), test_case(failures_are_told),
	test_case(a_login_begins_again_once), test_case(retention_is_the_accounts),
	test_case(s44_trickled_lines), test_case(idles_ten_minutes),
	test_case(strangers_have_ten_minutes_in_all), test_case(a_maildrop_has_a_limit))
