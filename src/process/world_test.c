// SPDX-License-Identifier: Apache-2.0
/* A whole server in one process: mail walks the road, and what happens when a role is lost. */
#include "process/world_test.h"

#include "cli/certificate.h"

static void submit(struct world *w, const char *from, const char *to, const char *text)
{
	struct client c;
	char line[400];
	assert_true(client_connect(&c, w, "smtp", from));
	client_wants(&c, "220 ");
	client_says(&c, "EHLO client.example\r\n", "250 ");
	client_says(&c, "MAIL FROM:<someone@elsewhere.example>\r\n", "250 ");
	snprintf(line, sizeof(line), "RCPT TO:<%s>\r\n", to);
	client_says(&c, line, "250 ");
	client_says(&c, "DATA\r\n", "354 ");
	client_says(&c, text, "250 ");
	client_says(&c, "QUIT\r\n", "221 ");
	client_done(&c);
}

static void pop_login(struct client *c, struct world *w, const char *user)
{
	char line[200];
	assert_true(client_connect(c, w, "pop3", "127.0.0.1"));
	client_wants(c, "+OK");
	snprintf(line, sizeof(line), "USER %s\r\n", user);
	client_says(c, line, "+OK");
	client_says(c, "PASS secret\r\n", "+OK");
}

static void boot(struct world *w, uint64_t seed)
{
	world_make(w, seed);
	world_boot(w);
	world_until(w, w->ready);
	world_people(w);
}

static void test_road(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct world w;
		struct client c;
		boot(&w, seed);
		submit(&w, "192.0.2.1", "bob@example", "Subject: hello\r\n\r\nthe road\r\n.\r\n");
		pop_login(&c, &w, "bob@example");
		client_says(&c, "STAT\r\n", "+OK 1 ");
		client_says(&c, "RETR 1\r\n", "the road");
		client_says(&c, "QUIT\r\n", "+OK");
		client_done(&c);
		assert_true(client_connect(&c, &w, "imap", "127.0.0.1"));
		client_wants(&c, "* OK");
		client_says(&c, "a LOGIN bob@example wrong\r\n", "a NO ");
		client_says(&c, "b LOGIN bob@example secret\r\n", "b OK");
		client_says(&c, "c SELECT INBOX\r\n", "* 1 EXISTS");
		client_wants(&c, "c OK");
		client_says(&c, "d FETCH 1 BODY[TEXT]\r\n", "the road");
		client_wants(&c, "d OK");
		client_says(&c, "e LOGOUT\r\n", "e OK");
		client_done(&c);
		world_done(&w);
	}
}

/* Nothing was asked that must not be answered: who waits for the store is told to come back, and
 * finds it again without connecting anew. */
static void test_store_dies(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct world w;
		struct client smtp, imap;
		boot(&w, seed);
		assert_true(client_connect(&imap, &w, "imap", "127.0.0.1"));
		client_says(&imap, "a LOGIN alice@example secret\r\n", "a OK");
		client_says(&imap, "b SELECT INBOX\r\n", "b OK");
		assert_true(client_connect(&smtp, &w, "smtp", "192.0.2.1"));
		client_wants(&smtp, "220 ");
		client_says(&smtp, "EHLO c.example\r\n", "250 ");
		client_says(&smtp, "MAIL FROM:<>\r\n", "250 2.1.0");
		w.refuse_start = 5; /* it stays away for a while */
		world_kill(&w.spawn, world_child(&w, "store")->process, SIGKILL);
		world_until(&w, world_child(&w, "store")->process == 0);
		loop_sim_run_for(w.loop, 100);
		client_says(&smtp, "RCPT TO:<alice@example>\r\n", "451 ");
		client_says(&imap, "c SELECT INBOX\r\n", "c NO [UNAVAILABLE]");
		world_until(&w, world_all_up(&w));
		assert_true(world_said(&w, "event=role-not-started"));
		loop_sim_run_for(w.loop, 1000);
		client_says(&smtp, "RSET\r\n", "250 2.0.0");
		client_says(&smtp, "MAIL FROM:<>\r\n", "250 2.1.0");
		client_says(&smtp, "RCPT TO:<alice@example>\r\n", "250 ");
		client_says(&smtp, "DATA\r\n", "354 ");
		client_says(&smtp, "Subject: again\r\n\r\nx\r\n.\r\n", "250 ");
		client_says(&imap, "d SELECT INBOX\r\n", "* 1 EXISTS");
		client_wants(&imap, "d OK");
		client_done(&imap);
		client_done(&smtp);
		world_done(&w);
	}
}

/* Two logins wait for the gate's hash workers when it dies: both are answered. */
static void test_gate_dies_during_login(void **state)
{
	struct world w;
	struct client c[2];
	(void)state;
	boot(&w, 7);
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		assert_true(client_connect(&c[i], &w, "imap", "127.0.0.1"));
		client_wants(&c[i], "* OK");
		client_send(&c[i], "a LOGIN alice@example secret\r\n");
	}
	loop_sim_run_for(w.loop, 21);
	world_kill(&w.spawn, world_child(&w, "gate")->process, SIGKILL);
	for (size_t i = 0; i < ARRAY_LEN(c); i++)
		client_wants(&c[i], "a ");
	world_until(&w, world_all_up(&w));
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		client_says(&c[i], "b NOOP\r\n", "b OK");
		client_done(&c[i]);
	}
	world_done(&w);
}

/* Replies to a group of commands arrive as one; none waits for the end of a group that holds more
 * than MAIL, RCPT and RSET.   RFC 2920 3.2 (2), (5) */
static void test_replies_of_a_group(void **state)
{
	static const struct {
		const char *group;
		unsigned pieces;
	} cases[] = {
		{ "MAIL FROM:<>\r\nRCPT TO:<alice@example>\r\nRCPT TO:<bob@example>\r\nRSET\r\n",
			1 },
		{ "NOOP\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example>\r\nRSET\r\n", 2 },
		{ "MAIL FROM:<>\r\nRCPT TO:<alice@example>\r\nDATA\r\n", 1 }
	};
	struct world w;
	struct client c;
	(void)state;
	boot(&w, 9);
	struct loop_sim_network whole = { .delay_ms = 20, .buffer_bytes = 64 * 1024 };
	loop_sim_set_network(w.loop, &whole);
	assert_true(client_connect(&c, &w, "smtp", "192.0.2.1"));
	client_wants(&c, "220 ");
	client_says(&c, "EHLO c.example\r\n", "250 ");
	loop_sim_run_for(w.loop, 100);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_clear(&c.in);
		c.reads = 0;
		client_send(&c, cases[i].group);
		loop_sim_run_for(w.loop, 1000);
		if (c.reads != cases[i].pieces)
			fail_msg("case %zu: %u pieces: %.*s", i, c.reads, (int)c.in.n, c.in.p);
	}
	assert_true(str_search(buf_str(&c.in), STR("\r\n354 ")) < c.in.n);
	client_done(&c);
	world_done(&w);
}

/* ---- limits of a front ---- */

/* It hears one line, and the connection ends at once. */
static void is_turned_away(struct client *c, const char *line)
{
	for (int ms = 0; ms < 1000 && !c->ended; ms++)
		loop_sim_run_for(c->world->loop, 1);
	assert_true(c->ended);
	assert_str(buf_str(&c->in), str_from(line));
	client_done(c);
}

static void test_sessions_of_an_address(void **state)
{
	struct world w;
	struct client c[4], local;
	(void)state;
	world_make(&w, 3);
	world_configure(&w, "sessions_per_address = 3\n");
	world_boot(&w);
	world_until(&w, w.ready);
	for (size_t i = 0; i < 3; i++) { /* N-1, N */
		assert_true(client_connect(&c[i], &w, "smtp", "192.0.2.1"));
		client_wants(&c[i], "220 ");
	}
	assert_true(client_connect(&c[3], &w, "smtp", "192.0.2.1")); /* N+1 */
	is_turned_away(&c[3], "421 4.3.2 Too many connections; try again later\r\n");
	assert_true(client_connect(&local, &w, "smtp", "192.0.2.2"));
	client_wants(&local, "220 ");
	client_done(&local);
	client_says(&c[0], "QUIT\r\n", "221 "); /* one leaves, one may come */
	client_done(&c[0]);
	loop_sim_run_for(w.loop, 1000);
	assert_true(client_connect(&c[0], &w, "smtp", "192.0.2.1"));
	client_wants(&c[0], "220 ");
	for (size_t i = 0; i < 3; i++)
		client_done(&c[i]);
	world_done(&w);
}

static void test_sessions_of_a_front(void **state)
{
	static const struct {
		const char *service, *line;
	} services[] = {
		{ "smtp", "421 4.3.2 Too many connections; try again later\r\n" },
		{ "imap", "* BYE Too many connections, please try again later\r\n" },
		{ "pop3", "-ERR [SYS/TEMP] too many connections, try again later\r\n" },
		{ "imaps", "" }, /* where TLS comes first, nothing can be said */
	};
	struct world w;
	struct client c[20], more;
	(void)state;
	world_make(&w, 4);
	world_configure(&w, "sessions = 10\n");
	world_boot(&w);
	world_until(&w, w.ready);
	for (size_t i = 0; i < 20; i++) { /* ten of each front: N-1, N */
		assert_true(client_connect(&c[i], &w, i < 10 ? "smtp" : "imap", "127.0.0.1"));
		client_wants(&c[i], i < 10 ? "220 " : "* OK");
	}
	for (size_t i = 0; i < ARRAY_LEN(services); i++) { /* N+1 */
		assert_true(client_connect(&more, &w, services[i].service, "127.0.0.1"));
		is_turned_away(&more, services[i].line);
	}
	client_says(&c[0], "QUIT\r\n", "221 "); /* one leaves, one may come */
	client_done(&c[0]);
	loop_sim_run_for(w.loop, 1000);
	assert_true(client_connect(&c[0], &w, "smtp", "127.0.0.1"));
	client_wants(&c[0], "220 ");
	for (size_t i = 0; i < 20; i++)
		client_done(&c[i]);
	world_done(&w);
}

/* Whoever is in a handshake can be told nothing, and holds up nothing. */
static void test_drain_in_handshakes(void **state)
{
	static const char *const names[] = { "mail.example", NULL };
	struct err err = ERR_INIT;
	struct buf key, certificate;
	struct world w;
	struct client smtp, imaps, idle;
	char path[200];
	(void)state;
	world_make(&w, 5);
	buf_init(&key, 8192);
	buf_init(&certificate, 8192);
	assert_int_equal(certificate_make(names, &key, &certificate, &err), 0);
	snprintf(path, sizeof(path), "%s/tls", w.path);
	assert_int_equal(mkdir(path, 0755), 0);
	world_write(&w, "tls/default.crt", certificate.p, certificate.n);
	buf_done(&key);
	buf_done(&certificate);
	world_boot(&w);
	world_until(&w, w.ready);
	assert_true(client_connect(&idle, &w, "imaps", "192.0.2.1"));
	assert_true(client_connect(&imaps, &w, "imaps", "192.0.2.1"));
	client_send(&imaps, "\x16\x03\x01\x02"); /* a record that never ends */
	assert_true(client_connect(&smtp, &w, "smtp", "192.0.2.1"));
	client_wants(&smtp, "220 ");
	client_says(&smtp, "EHLO c.example\r\n", "250 ");
	client_says(&smtp, "STARTTLS\r\n", "220 ");
	loop_sim_run_for(w.loop, 1000);
	supervisor_stop(w.supervisor);
	loop_sim_run_for(w.loop, 1000);
	assert_int_equal(w.supervisor->phase, STOPPED);
	assert_false(world_said(&w, "event=role-killed"));
	client_done(&idle);
	client_done(&imaps);
	client_done(&smtp);
	world_done(&w);
}

TEST_MAIN(test_case(test_drain_in_handshakes), test_case(test_road), test_case(test_store_dies),
	test_case(test_gate_dies_during_login), test_case(test_sessions_of_an_address),
	test_case(test_sessions_of_a_front), test_case(test_replies_of_a_group))
