// SPDX-License-Identifier: Apache-2.0
/* Many users at work at once, logins, and connections that idle: load.c says what each does. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imap_load.h"

enum {
	MESSAGES = 100,
	BYTES = 4096
}; /* what a mixed run keeps its mailboxes at, and of what size */

struct run {
	const char *what;
	unsigned long port, connections, n_users;
	double seconds;       /* mixed: how long */
	unsigned long logins; /* login: how many in all */
	bool tls, again;      /* again: a login for each round of commands */
	char **users;
	atomic_ulong next_thread, commands;
	atomic_bool over;
	pthread_barrier_t turn; /* of all threads and the main one */
};

struct user {
	struct run *run;
	struct conn conn;
	const char *name;
	char password[100];
	char *text;           /* room for a message */
	unsigned long exists; /* messages of INBOX, as this session was told */
	unsigned long commands;
	uint64_t random;
};

static unsigned long below(struct user *u, unsigned long n)
{
	return (unsigned long)(random_bits(&u->random) >> 33) % n;
}

/* "* N EXISTS" and "* N EXPUNGE" move the count. */
static void count_messages(struct user *u, const char *line)
{
	unsigned long n = 0;

	for (line += 2; *line >= '0' && *line <= '9'; line++)
		n = n * 10 + (unsigned long)(*line - '0');
	if (strncmp(line, " EXISTS", 7) == 0)
		u->exists = n;
	else if (strncmp(line, " EXPUNGE", 8) == 0 && u->exists > 0)
		u->exists--;
}

/* Reads to the tagged answer. NO is one, too: another session may have expunged what was asked for.
 */
static void answered(struct user *u)
{
	bool within = false; /* a response that a literal has interrupted */

	for (;;) {
		size_t len, literal;
		char *line = conn_line(&u->conn, &len);

		if (!within && len > 4 && memcmp(line, "a ", 2) == 0) {
			if (memcmp(line, "a OK", 4) != 0 && memcmp(line, "a NO", 4) != 0)
				die("the server said %.*s", (int)len, line);
			u->commands++;
			return;
		}
		literal = imap_literal(line, len);
		if (!within && strncmp(line, "* BYE [", 7) == 0)
			die("the server said %.*s", (int)len, line);
		if (!within && line[0] == '*')
			count_messages(u, line);
		within = literal > 0;
		conn_skip(&u->conn, literal);
	}
}

#define DO(u, ...) (conn_say(&(u)->conn, __VA_ARGS__), answered(u))

static void log_in(struct user *u)
{
	imap_login(&u->conn, u->run->port, u->run->tls, u->name, u->password);
	u->commands++;
}

static void log_out(struct user *u)
{
	DO(u, "a LOGOUT\r\n");
	conn_close(&u->conn);
}

static void fill(struct user *u)
{
	while (u->exists < MESSAGES) {
		imap_append(&u->conn, u->text, BYTES, u->commands, 1, u->name, &u->random);
		answered(u);
	}
}

/* What a client does with a mailbox; the shares are those of the usual IMAP load test. */
static void work(struct user *u)
{
	unsigned long first;

	if (below(u, 2))
		DO(u, "a LIST \"\" \"*\"\r\n");
	if (below(u, 2))
		DO(u, "a STATUS INBOX (MESSAGES UNSEEN UIDNEXT)\r\n");
	DO(u, "a SELECT INBOX\r\n");
	first = 1 + below(u, u->exists);
	DO(u, "a FETCH %lu:%lu (UID FLAGS ENVELOPE)\r\n", first,
		first + 9 < u->exists ? first + 9 : u->exists);
	DO(u, "a FETCH %lu (BODY.PEEK[])\r\n", 1 + below(u, u->exists));
	if (below(u, 10) < 3)
		DO(u, "a FETCH %lu (BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (FROM SUBJECT)])\r\n",
			1 + below(u, u->exists));
	if (below(u, 2))
		DO(u, "a STORE %lu %cFLAGS (\\Seen)\r\n", 1 + below(u, u->exists),
			below(u, 2) ? '+' : '-');
	DO(u, "a STORE %lu +FLAGS (\\Deleted)\r\n", 1 + below(u, u->exists));
	DO(u, "a EXPUNGE\r\n");
	if (u->exists < MESSAGES) {
		imap_append(&u->conn, u->text, BYTES, u->commands, 1, u->name, &u->random);
		answered(u);
	}
	DO(u, "a NOOP\r\n");
	if (u->exists == 0)
		fill(u);
}

static void mixed(struct user *u)
{
	log_in(u);
	DO(u, "a SELECT INBOX\r\n");
	fill(u);
	u->commands = 0;
	pthread_barrier_wait(&u->run->turn);
	pthread_barrier_wait(&u->run->turn);
	while (!atomic_load(&u->run->over)) {
		if (u->run->again) {
			log_out(u);
			log_in(u);
		}
		work(u);
	}
	atomic_fetch_add(&u->run->commands, u->commands);
	pthread_barrier_wait(&u->run->turn);
	pthread_barrier_wait(&u->run->turn);
	log_out(u);
}

static void logins(struct user *u)
{
	log_in(u);
	log_out(u);
	pthread_barrier_wait(&u->run->turn);
	pthread_barrier_wait(&u->run->turn);
	while (atomic_fetch_add(&u->run->commands, 1) < u->run->logins) {
		log_in(u);
		log_out(u);
	}
	pthread_barrier_wait(&u->run->turn);
	pthread_barrier_wait(&u->run->turn);
}

static void *user_thread(void *arg)
{
	struct run *r = arg;
	unsigned long own = atomic_fetch_add(&r->next_thread, 1);
	struct user u = {
		.run = r, .name = r->users[own % r->n_users], .random = 88172645463325252ULL + own
	};

	imap_password(u.password, sizeof u.password, u.name);
	u.text = malloc(BYTES + 16);
	if (!u.text)
		die("out of memory");
	(r->logins ? logins : mixed)(&u);
	free(u.text);
	return NULL;
}

static void until(double when)
{
	struct timespec t = { 0 };

	while (now() < when) {
		t.tv_nsec = 10000000;
		nanosleep(&t, NULL);
	}
}

/* All connections do it; "begin" and "end" around what is measured. */
static int all(struct run *r)
{
	pthread_t threads[MOST_CONNECTIONS];
	double begun, took, cpu;

	if (r->connections == 0 || r->connections > MOST_CONNECTIONS || r->n_users == 0)
		die("1 to %d connections, at least one user", MOST_CONNECTIONS);
	pthread_barrier_init(&r->turn, NULL, (unsigned)r->connections + 1);
	for (unsigned long i = 0; i < r->connections; i++)
		if (pthread_create(&threads[i], NULL, user_thread, r) != 0)
			die("cannot start a thread");
	pthread_barrier_wait(&r->turn);
	tell("begin %s 1\n", r->what);
	cpu = own_cpu();
	begun = now();
	pthread_barrier_wait(&r->turn);
	if (!r->logins)
		until(begun + r->seconds);
	atomic_store(&r->over, true);
	pthread_barrier_wait(&r->turn);
	took = now() - begun;
	tell("end %s seconds=%.6f commands=%lu own_cpu=%.6f\n", r->what, took,
		r->logins ? r->logins : atomic_load(&r->commands), own_cpu() - cpu);
	pthread_barrier_wait(&r->turn);
	for (unsigned long i = 0; i < r->connections; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

int imap_mixed(int argc, char **argv)
{
	struct run r = { .what = "mixed",
		.port = number(argv[2]),
		.connections = number(argv[3]),
		.seconds = (double)number(argv[4]),
		.again = strcmp(argv[5], "logins") == 0,
		.users = argv + 6,
		.n_users = (unsigned long)(argc - 6) };

	return all(&r);
}

int imap_logins(int argc, char **argv)
{
	struct run r = { .what = "login",
		.port = number(argv[2]),
		.connections = number(argv[3]),
		.logins = number(argv[4]),
		.tls = strcmp(argv[5], "tls") == 0,
		.users = argv + 6,
		.n_users = (unsigned long)(argc - 6) };

	return all(&r);
}

int imap_idle(int argc, char **argv)
{
	unsigned long port = number(argv[2]), connections = number(argv[3]);
	bool tls = strcmp(argv[4], "tls") == 0;
	char password[100];
	struct conn *c = calloc(connections, sizeof *c);

	if (!c || argc < 6)
		die("no memory, or no user");
	for (unsigned long i = 0; i < connections; i++) {
		const char *user = argv[5 + i % (unsigned long)(argc - 5)];

		imap_password(password, sizeof password, user);
		imap_login(&c[i], port, tls, user, password);
		conn_say(&c[i], "a SELECT INBOX\r\n");
		imap_answer(&c[i]);
		conn_say(&c[i], "a IDLE\r\n");
		conn_expect(&c[i], "+");
	}
	tell("begin idle 1\n");
	tell("end idle seconds=0 own_cpu=0\n");
	return 0;
}
