// SPDX-License-Identifier: Apache-2.0
/* The maildrop of a session: large ones, what is asked for ahead, QUIT or none, a store that goes.
 */
#include "pop3/scene.h"

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

/* P4: of the record, of an earlier UIDVALIDITY, of its own; the longest there can be. */
static void p4_unique_ids(void **state)
{
	static const struct api_uidl uidls[] = {
		{ .uid = 3, .body = 0x100000042, .recipient = 144, .mark = 0xabcdef },
		{ .uid = 8, .validity = 12 },
	};
	static const struct api_uidl longest[] = {
		{ .uid = 3, .body = UINT64_MAX, .recipient = UINT32_MAX, .mark = UINT64_MAX },
		{ .uid = 8, .validity = UINT32_MAX },
	};
	(void)state;
	struct fake_host *f = host(two, 2);
	f->uidls = uidls;
	log_in(f);
	expect(f, "UIDL 1\r\n", "+OK 1 100000042.90.abcdef\r\n");
	expect(f, "UIDL\r\n",
		"+OK unique-id listing follows\r\n1 100000042.90.abcdef\r\n2 12.8\r\n.\r\n");
	expect(f, "DELE 1\r\nUIDL\r\nUIDL 1\r\nUIDL 3\r\n",
		"+OK message 1 deleted\r\n+OK unique-id listing follows\r\n2 12.8\r\n.\r\n"
		"-ERR message 1 already deleted\r\n"
		"-ERR no such message, only 2 messages in maildrop\r\n");
	assert_int_equal(f->uidls_asked, 1);
	close_host(f);
	f = host(two, 2);
	f->uidls = longest;
	log_in(f);
	expect(f, "UIDL\r\n",
		"+OK unique-id listing follows\r\n1 ffffffffffffffff.ffffffff.ffffffffffffffff\r\n"
		"2 4294967295.8\r\n.\r\n");
	close_host(f);
	/* one that another session has removed */
	const struct fake_message some[] = { two[0], { STR("x"), 5, 0, true }, two[1] };
	f = host(some, 3);
	log_in(f);
	expect(f, "UIDL\r\nUIDL 2\r\nUIDL 3\r\n",
		"+OK unique-id listing follows\r\n1 77.3\r\n3 77.8\r\n.\r\n"
		"-ERR the message is gone\r\n+OK 3 77.8\r\n");
	close_host(f);
	/* none, refused, and then not */
	f = host(two, 0);
	log_in(f);
	expect(f, "UIDL\r\n", "+OK unique-id listing follows\r\n.\r\n");
	close_host(f);
	f = host(two, 2);
	log_in(f);
	f->no_uidls = ERR_TEMP;
	buf_clear(&f->out);
	fake_say(f, STR("UIDL\r\nUIDL 1\r\n"));
	assert_true(str_search(buf_str(&f->out), STR("-ERR [SYS/TEMP]")) == 0);
	f->no_uidls = ERR_NONE;
	expect(f, "UIDL 1\r\nUIDL 2\r\nNOOP\r\n", "+OK 1 77.3\r\n+OK 2 77.8\r\n+OK\r\n");
	assert_int_equal(f->uidls_asked, 3);
	close_host(f);
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

/* Every verb that writes a message, sent ahead: what was said goes out when the next one has no
 * room behind it, though more commands wait. */
static void many_are_sent_ahead(void **state)
{
	(void)state;
	enum { MESSAGES = 40, BYTES = 1000 };
	static const char *const verbs[][2] = { { "TOP", "1" }, { "RETR", "" } };
	struct fake_message m[MESSAGES];
	char text[BYTES];
	memset(text, 'x', sizeof(text));
	memcpy(text + sizeof(text) - 2, "\r\n", 2);
	for (uint32_t i = 0; i < MESSAGES; i++)
		m[i] = (struct fake_message){ str_make(text, sizeof(text)), i + 1, 0, false };
	for (size_t v = 0; v < ARRAY_LEN(verbs); v++) {
		struct fake_host *f = host(m, MESSAGES);
		log_in(f);
		buf_clear(&f->out);
		for (int i = 1; i <= MESSAGES; i++)
			buf_addf(&f->left, "%s %d %s\r\n", verbs[v][0], i, verbs[v][1]);
		fake_say(f, STR("NOOP\r\n"));
		assert_true(f->out.n > (size_t)MESSAGES * BYTES);
		assert_true(str_ends_nocase(buf_str(&f->out), STR("\r\n.\r\n+OK\r\n")));
		close_host(f);
	}
}

/* P5 and the rest of what goes wrong. */
static void nothing_goes_without_quit(void **state)
{
	(void)state;
	for (int how = 0; how < 3; how++) {
		struct fake_host *f = host_logged_in();
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
	struct fake_host *f = host_logged_in();
	f->hold = true;
	buf_clear(&f->out);
	fake_say(f, STR("RETR 2\r\n"));
	f->session->class->eof(f->session);
	assert_int_equal(f->session->next, NEXT_GO_ON);
	answers_come(f);
	assert_str(buf_str(&f->out), STR("+OK 20 octets\r\nSubject: two\r\n\r\nlast\r\n.\r\n"));
	assert_int_equal(f->session->next, NEXT_CLOSE);
	assert_int_equal(f->changes, 0);
	close_host(f);
	/* The client leaves behind its QUIT: it is carried out. */
	f = host_logged_in();
	f->hold = true;
	fake_say(f, STR("DELE 1\r\nQUIT\r\n"));
	f->session->class->eof(f->session);
	assert_int_equal(f->session->next, NEXT_GO_ON);
	answers_come(f);
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
	struct fake_host *f = host_logged_in();
	expect(f, "DELE 1\r\n", "+OK message 1 deleted\r\n");
	f->hold = true;
	buf_clear(&f->out);
	f->session->class->store_lost(f->session);
	fake_say(f, STR("STAT\r\nRETR 2\r\nQUIT\r\n"));
	assert_int_equal(f->out.n, 0); /* until it has the maildrop again */
	answers_come(f);
	assert_str(buf_str(&f->out),
		STR("+OK 1 20\r\n+OK 20 octets\r\nSubject: two\r\n\r\nlast\r\n.\r\n"
		    "+OK mx.example.test POP3 server signing off (1 message left)\r\n"));
	assert_int_equal(f->changes, 1);
	close_host(f);
	for (int how = 0; how < 3; how++) {
		f = host_logged_in();
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
	f = host_logged_in();
	f->hold = true;
	fake_say(f, STR("DELE 1\r\nQUIT\r\n"));
	f->session->class->store_lost(f->session);
	assert_int_equal(f->session->next, NEXT_GO_ON);
	answers_come(f);
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

TEST_MAIN(test_case(p4_unique_ids), test_case(large_maildrops), test_case(large_messages),
	test_case(many_are_sent_ahead), test_case(nothing_goes_without_quit),
	test_case(store_is_replaced), test_case(a_login_begins_again_once),
	test_case(a_maildrop_has_a_limit), test_case(ahead_has_limits),
	test_case(ahead_follows_the_client))
