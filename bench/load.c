// SPDX-License-Identifier: Apache-2.0
/*
 * A load generator: drives a mail server on loopback and prints what it took, and its own CPU.
 *
 *     load smtp PORT CONNECTIONS MESSAGES BYTES RECIPIENT...    (or lmtp)
 *     load pop3 PORT USER PASSWORD MESSAGES
 *     load imap PORT USER PASSWORD MESSAGES
 *     load search|sort PORT USER PASSWORD MESSAGES
 *     load fill|prose PORT USER PASSWORD MESSAGES BYTES
 *     load append|store|expunge PORT CONNECTIONS COUNT BYTES USER...
 *     load mixed PORT CONNECTIONS SECONDS logins|kept USER...
 *     load login PORT CONNECTIONS COUNT plain|tls USER...
 *     load idle PORT CONNECTIONS plain|tls USER...
 *
 * smtp sends MESSAGES in all over CONNECTIONS threads, each on one connection that is kept, with
 * MAIL, RCPT and DATA in one write (RFC 2920). The recipients take turns. Each message is different
 * from every other: random letters in lines of 76, which lose a quarter at best to any compression,
 * as every attachment in base64 does.
 *
 * fill appends to INBOX, 50 messages a command (RFC 3502), prose the same of words, in
 * conversations: search searches those, for what is in none of them and what is in one, and puts
 * them in order by SORT and THREAD. append appends one at a time, store sets or takes a flag of one
 * message a command, expunge marks and expunges one (two commands): COUNT in all over the
 * connections, of users (whose password is their local part and "-secret") in turns.
 *
 * All but smtp and fill tell of their steps: before and after each one a line is printed ("begin
 * NAME REPEATS", "end NAME seconds=S bytes=B own_cpu=S") and a line of standard input is awaited,
 * in which time the caller reads the server's CPU. Any answer that is not the expected one ends the
 * program with status 1: a server that refuses is not measured.
 *
 * mixed is many users at work for some seconds: each connection lists, asks for the status,
 * selects, fetches, stores, expunges and appends, one command at a time (imap_mixed.c has the mix),
 * and with "logins" logs in anew each time. It prints how many commands were answered. login logs
 * in and out, COUNT in all. idle opens its connections, has each select INBOX and idle, says "begin
 * idle", and leaves when it has its line.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "imap_load.h"

#define PIPELINED 16 /* RETR sent ahead of the answers */

/* -- SMTP and LMTP -- */

struct smtp_run {
	unsigned long port, messages, bytes, n_recipients;
	char **recipients;
	bool lmtp;
	atomic_ulong next;
	pthread_barrier_t start;
	double begun;
};

/* A reply of one or more lines with this code. */
static void reply(struct conn *c, const char *code)
{
	for (;;) {
		size_t len;
		char *line = conn_line(c, &len);

		if (len < 4 || memcmp(line, code, 3) != 0)
			die("expected %s, the server said %.*s", code, (int)len, line);
		if (line[3] != '-')
			return;
	}
}

static void send_message(
	struct smtp_run *r, struct conn *c, char *text, unsigned long i, uint64_t *state)
{
	const char *recipient = r->recipients[i % r->n_recipients];
	size_t n = make_message(text, r->bytes, i, recipient, state);

	conn_say(c, "MAIL FROM:<load@load.example>\r\nRCPT TO:<%s>\r\nDATA\r\n", recipient);
	reply(c, "250");
	reply(c, "250");
	reply(c, "354");
	memcpy(text + n, ".\r\n", 3);
	conn_send(c, text, n + 3);
	reply(c, "250");
}

static void *smtp_thread(void *arg)
{
	struct smtp_run *r = arg;
	char *text = malloc(r->bytes + 16);
	struct conn c;
	uint64_t state;
	unsigned long i;

	if (!text)
		die("out of memory");
	if (getentropy(&state, sizeof state) != 0)
		die("no randomness");
	state |= 1;
	conn_open(&c, r->port);
	reply(&c, "220");
	conn_say(&c, "%s load.example\r\n", r->lmtp ? "LHLO" : "EHLO");
	reply(&c, "250");
	if (pthread_barrier_wait(&r->start) == PTHREAD_BARRIER_SERIAL_THREAD)
		r->begun = now();
	while ((i = atomic_fetch_add(&r->next, 1)) < r->messages)
		send_message(r, &c, text, i, &state);
	conn_say(&c, "QUIT\r\n");
	reply(&c, "221");
	conn_close(&c);
	free(text);
	return NULL;
}

static int smtp_load(int argc, char **argv)
{
	unsigned long connections = number(argv[3]);
	struct smtp_run r = { .port = number(argv[2]),
		.messages = number(argv[4]),
		.bytes = number(argv[5]),
		.recipients = argv + 6,
		.n_recipients = (unsigned long)(argc - 6),
		.lmtp = argv[1][0] == 'l' };
	pthread_t threads[MOST_CONNECTIONS];
	double cpu = own_cpu(), took;

	if (connections == 0 || connections > MOST_CONNECTIONS || r.bytes < 1024)
		die("1 to %d connections, at least 1024 bytes", MOST_CONNECTIONS);
	pthread_barrier_init(&r.start, NULL, (unsigned)connections);
	for (unsigned long i = 0; i < connections; i++)
		if (pthread_create(&threads[i], NULL, smtp_thread, &r) != 0)
			die("cannot start a thread");
	for (unsigned long i = 0; i < connections; i++)
		pthread_join(threads[i], NULL);
	took = now() - r.begun;
	printf("seconds=%.4f messages=%lu own_cpu=%.4f\n", took, r.messages, own_cpu() - cpu);
	return 0;
}

/* -- POP3 -- */

/* The rest of an answer of several lines. */
static void pop3_lines(struct conn *c)
{
	for (;;) {
		size_t len;
		char *line = conn_line(c, &len);

		if (len == 3 && line[0] == '.')
			return;
	}
}

static void pop3_lists(struct conn *c, const struct step *s, unsigned long messages)
{
	(void)s;
	(void)messages;
	conn_say(c, "STAT\r\n");
	conn_expect(c, "+OK");
	conn_say(c, "UIDL\r\n");
	conn_expect(c, "+OK");
	pop3_lines(c);
	conn_say(c, "LIST\r\n");
	conn_expect(c, "+OK");
	pop3_lines(c);
}

/* RETR of all, `ahead` commands sent before the answers to them. */
static void pop3_retrieve(struct conn *c, unsigned long messages, unsigned long ahead)
{
	unsigned long asked = 0;

	for (unsigned long got = 0; got < messages; got++) {
		for (; asked < messages && asked < got + ahead; asked++)
			conn_say(c, "RETR %lu\r\n", asked + 1);
		conn_expect(c, "+OK");
		pop3_lines(c);
	}
}

static void pop3_one_by_one(struct conn *c, const struct step *s, unsigned long messages)
{
	(void)s;
	pop3_retrieve(c, messages, 1);
}

static void pop3_pipelined(struct conn *c, const struct step *s, unsigned long messages)
{
	(void)s;
	pop3_retrieve(c, messages, PIPELINED);
}

static int pop3_load(int argc, char **argv)
{
	static const struct step steps[] = {
		{ "STAT+UIDL+LIST", 20, NULL, pop3_lists },
		{ "RETR", 1, NULL, pop3_one_by_one },
		{ "RETR-pipelined", 1, NULL, pop3_pipelined },
	};
	struct conn c;

	(void)argc;
	conn_open(&c, number(argv[2]));
	conn_expect(&c, "+OK");
	conn_say(&c, "USER %s\r\n", argv[3]);
	conn_expect(&c, "+OK");
	conn_say(&c, "PASS %s\r\n", argv[4]);
	conn_expect(&c, "+OK");
	run_steps(&c, steps, sizeof steps / sizeof steps[0], number(argv[5]));
	conn_say(&c, "QUIT\r\n");
	conn_expect(&c, "+OK");
	conn_close(&c);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int words; /* of the command line, at least */
		int (*run)(int argc, char **argv);
	} loads[] = {
		{ "smtp", 7, smtp_load },
		{ "lmtp", 7, smtp_load },
		{ "pop3", 6, pop3_load },
		{ "imap", 6, imap_load },
		{ "search", 6, imap_searches },
		{ "sort", 6, imap_sorts },
		{ "fill", 7, imap_fill },
		{ "prose", 7, imap_fill },
		{ "append", 7, imap_many },
		{ "store", 7, imap_many },
		{ "expunge", 7, imap_many },
		{ "mixed", 7, imap_mixed },
		{ "login", 7, imap_logins },
		{ "idle", 6, imap_idle },
	};

	for (size_t i = 0; i < sizeof loads / sizeof loads[0]; i++)
		if (argc >= loads[i].words && strcmp(argv[1], loads[i].name) == 0)
			return loads[i].run(argc, argv);
	fprintf(stderr, "load: load.c says how it is called\n");
	return 2;
}
