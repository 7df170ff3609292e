// SPDX-License-Identifier: Apache-2.0
/* Steps on one large mailbox, and changes on many connections. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imap_load.h"

size_t imap_literal(const char *line, size_t len)
{
	size_t size = 0, at = len - 3;

	if (len < 5 || line[at] != '}')
		return 0;
	while (at > 0 && line[at - 1] >= '0' && line[at - 1] <= '9')
		at--;
	if (at == 0 || line[at - 1] != '{')
		return 0;
	for (; line[at] != '}'; at++)
		size = size * 10 + (size_t)(line[at] - '0');
	return size;
}

unsigned long imap_answer(struct conn *c)
{
	unsigned long responses = 0;
	bool within = false; /* a response that a literal has interrupted */

	for (;;) {
		size_t len;
		char *line = conn_line(c, &len);
		size_t literal = imap_literal(line, len);

		if (!within && line[0] == '*')
			responses++;
		else if (!within && len > 4 && memcmp(line, "a OK", 4) == 0)
			return responses;
		else if (!within)
			die("the server said %.*s", (int)len, line);
		within = literal > 0;
		conn_skip(c, literal);
	}
}

static void imap_step(struct conn *c, const struct step *s, unsigned long messages)
{
	unsigned long responses;

	conn_say(c, "a %s\r\n", s->command);
	responses = imap_answer(c);
	if (strncmp(s->command, "FETCH", 5) == 0 && responses < messages)
		die("%s gave %lu responses of %lu", s->name, responses, messages);
}

/* +FLAGS and -FLAGS in turns, so that each time all are changed. */
static void imap_store_all(struct conn *c, const struct step *s, unsigned long messages)
{
	static bool on;
	unsigned long responses;

	on = !on;
	conn_say(c, "a STORE 1:* %cFLAGS (\\Flagged)\r\n", on ? '+' : '-');
	responses = imap_answer(c);
	if (responses < messages)
		die("%s gave %lu responses of %lu", s->name, responses, messages);
}

void imap_password(char *to, size_t size, const char *user)
{
	snprintf(to, size, "%.*s-secret", (int)strcspn(user, "@"), user);
}

void imap_login(
	struct conn *c, unsigned long port, bool tls, const char *user, const char *password)
{
	if (tls)
		conn_open_tls(c, port);
	else
		conn_open(c, port);
	conn_expect(c, "* OK");
	conn_say(c, "a LOGIN \"%s\" \"%s\"\r\n", user, password);
	imap_answer(c);
}

/* A line of SEARCH, and as many numbers in it as messages are to be found. */
static void imap_search(struct conn *c, const struct step *s, unsigned long messages)
{
	unsigned long found = 0, wanted = strstr(s->command, "end") ? 1 : 0;

	(void)messages;
	conn_say(c, "a %s\r\n", s->command);
	for (;;) {
		size_t len;
		char *line = conn_line(c, &len);

		/* Others say from time to time how far they are. */
		for (size_t i = 0; memcmp(line, "* SEARCH", 8) == 0 && i < len; i++)
			found += line[i] == ' ';
		if (line[0] != '*' && (len < 4 || memcmp(line, "a OK", 4) != 0))
			die("the server said %.*s", (int)len, line);
		if (line[0] != '*')
			break;
	}
	if (found != 1 + wanted)
		die("%s found %lu of %lu", s->name, found - 1, wanted);
}

/* All messages, each once, whatever the order or the threads. */
static void imap_sort(struct conn *c, const struct step *s, unsigned long messages)
{
	unsigned long found = 0;
	bool within = false;

	conn_say(c, "a %s\r\n", s->command);
	for (;;) {
		size_t len;
		char *line = conn_line(c, &len);

		/* Others say from time to time how far they are. */
		bool is_it = memcmp(line, "* SORT", 6) == 0 || memcmp(line, "* THREAD", 8) == 0;

		for (size_t i = 0; is_it && i < len; i++) {
			bool digit = line[i] >= '0' && line[i] <= '9';

			found += digit && !within;
			within = digit;
		}
		if (line[0] != '*' && (len < 4 || memcmp(line, "a OK", 4) != 0))
			die("the server said %.*s", (int)len, line);
		if (line[0] != '*')
			break;
	}
	if (found != messages)
		die("%s put %lu of %lu in order", s->name, found, messages);
}

static void selected_steps(char **argv, const struct step *steps, size_t n)
{
	struct conn c;

	imap_login(&c, number(argv[2]), false, argv[3], argv[4]);
	conn_say(&c, "a SELECT INBOX\r\n");
	imap_answer(&c);
	run_steps(&c, steps, n, number(argv[5]));
	conn_say(&c, "a LOGOUT\r\n");
	imap_answer(&c);
	conn_close(&c);
}

int imap_searches(int argc, char **argv)
{
	static const struct step steps[] = {
		{ "SEARCH-BODY-miss-first", 1, "SEARCH BODY nowhere", imap_search },
		{ "SEARCH-BODY-miss", 5, "SEARCH BODY nowhere", imap_search },
		{ "SEARCH-TEXT-miss", 5, "SEARCH TEXT nowhere", imap_search },
		{ "SEARCH-BODY-hit", 5, "SEARCH BODY serial471end", imap_search },
		{ "SEARCH-TEXT-hit", 5, "SEARCH TEXT serial471end", imap_search },
	};
	selected_steps(argv, steps, sizeof steps / sizeof steps[0]);
	(void)argc;
	return 0;
}

int imap_sorts(int argc, char **argv)
{
	static const struct step steps[] = {
		{ "SORT-SUBJECT-first", 1, "SORT (SUBJECT) US-ASCII ALL", imap_sort },
		{ "SORT-SUBJECT", 10, "SORT (SUBJECT) US-ASCII ALL", imap_sort },
		{ "SORT-DATE-first", 1, "SORT (DATE) US-ASCII ALL", imap_sort },
		{ "SORT-DATE", 10, "SORT (DATE) US-ASCII ALL", imap_sort },
		{ "SORT-FROM-first", 1, "SORT (FROM) US-ASCII ALL", imap_sort },
		{ "SORT-FROM", 10, "SORT (FROM) US-ASCII ALL", imap_sort },
		{ "THREAD-REFERENCES-first", 1, "THREAD REFERENCES US-ASCII ALL", imap_sort },
		{ "THREAD-REFERENCES", 10, "THREAD REFERENCES US-ASCII ALL", imap_sort },
	};

	selected_steps(argv, steps, sizeof steps / sizeof steps[0]);
	(void)argc;
	return 0;
}

int imap_load(int argc, char **argv)
{
	static const struct step steps[] = {
		{ "SELECT", 200, "SELECT INBOX", imap_step },
		{ "FLAGS", 20, "FETCH 1:* (FLAGS)", imap_step },
		{ "ENVELOPE-first", 1, "FETCH 1:* (UID FLAGS ENVELOPE)", imap_step },
		{ "ENVELOPE", 5, "FETCH 1:* (UID FLAGS ENVELOPE)", imap_step },
		{ "BODYSTRUCTURE", 5, "FETCH 1:* (BODYSTRUCTURE)", imap_step },
		{ "BODY.PEEK[]", 2, "FETCH 1:* (BODY.PEEK[])", imap_step },
		{ "STORE-of-all", 4, NULL, imap_store_all },
	};
	struct conn c;

	(void)argc;
	imap_login(&c, number(argv[2]), false, argv[3], argv[4]);
	run_steps(&c, steps, sizeof steps / sizeof steps[0], number(argv[5]));
	conn_say(&c, "a LOGOUT\r\n");
	imap_answer(&c);
	conn_close(&c);
	return 0;
}

static void append_made(struct conn *c, char *text, unsigned long bytes, unsigned long first,
	unsigned long n, const char *recipient, uint64_t *state,
	size_t (*make)(char *, size_t, unsigned long, const char *, uint64_t *))
{
	conn_say(c, "a APPEND INBOX");
	for (unsigned long i = 0; i < n; i++) {
		size_t size = make(text, bytes, first + i, recipient, state);

		conn_say(c, " {%zu+}\r\n", size);
		conn_send(c, text, size);
	}
	conn_say(c, "\r\n");
}

void imap_append(struct conn *c, char *text, unsigned long bytes, unsigned long first,
	unsigned long n, const char *recipient, uint64_t *state)
{
	append_made(c, text, bytes, first, n, recipient, state, make_message);
}

int imap_fill(int argc, char **argv)
{
	enum { AT_ONCE = 50 };
	unsigned long messages = number(argv[5]), bytes = number(argv[6]);
	char *text = malloc(bytes + 16);
	struct conn c;
	uint64_t state = 88172645463325252ULL;

	(void)argc;
	if (!text)
		die("out of memory");
	imap_login(&c, number(argv[2]), false, argv[3], argv[4]);
	for (unsigned long i = 0; i < messages; i += AT_ONCE) {
		append_made(&c, text, bytes, i, messages - i < AT_ONCE ? messages - i : AT_ONCE,
			argv[3], &state, strcmp(argv[1], "prose") == 0 ? make_prose : make_message);
		imap_answer(&c);
	}
	conn_say(&c, "a LOGOUT\r\n");
	imap_answer(&c);
	conn_close(&c);
	free(text);
	return 0;
}

/* -- many IMAP connections, one change a command -- */

struct imap_run {
	const char *what;
	unsigned long port, connections, count, bytes, n_users;
	char **users;
	atomic_ulong next_thread;
	pthread_barrier_t turn; /* of all threads and the main one */
};

/* The UIDs of a mailbox that are this thread's: it shares it with every n-th of them. */
static unsigned long own_uids(struct conn *c, unsigned long own, unsigned long every,
	unsigned long *uids, unsigned long most)
{
	unsigned long n = 0, at = 0;
	size_t len;
	char *line;

	conn_say(c, "a SELECT INBOX\r\n");
	imap_answer(c);
	conn_say(c, "a UID SEARCH ALL\r\n");
	line = conn_line(c, &len);
	for (char *p = line + strlen("* SEARCH"); n < most && *p == ' ';) {
		unsigned long uid = 0;

		for (p++; *p >= '0' && *p <= '9'; p++)
			uid = uid * 10 + (unsigned long)(*p - '0');
		if (at++ % every == own)
			uids[n++] = uid;
	}
	imap_answer(c);
	if (n == 0)
		die("the mailbox has no message for this connection");
	return n;
}

static void change(struct conn *c, bool expunge, unsigned long uid, bool on)
{
	if (!expunge) {
		conn_say(c, "a UID STORE %lu %cFLAGS.SILENT (\\Flagged)\r\n", uid, on ? '+' : '-');
		imap_answer(c);
		return;
	}
	conn_say(c, "a UID STORE %lu +FLAGS.SILENT (\\Deleted)\r\n", uid);
	imap_answer(c);
	conn_say(c, "a UID EXPUNGE %lu\r\n", uid);
	imap_answer(c);
}

static void *imap_thread(void *arg)
{
	enum { MOST_UIDS = 20000 };
	struct imap_run *r = arg;
	unsigned long own = atomic_fetch_add(&r->next_thread, 1), n_uids = 0, at = 0;
	unsigned long share = r->count / r->connections, every = r->connections / r->n_users;
	const char *user = r->users[own % r->n_users];
	unsigned long *uids = calloc(MOST_UIDS, sizeof *uids);
	char password[100], *text = malloc(r->bytes + 16);
	struct conn c;
	uint64_t state = 88172645463325252ULL + own;

	if (!text || !uids)
		die("out of memory");
	imap_password(password, sizeof password, user);
	imap_login(&c, r->port, false, user, password);
	if (*r->what != 'a')
		n_uids = own_uids(&c, own / r->n_users, every ? every : 1, uids, MOST_UIDS);
	pthread_barrier_wait(&r->turn); /* all are logged in */
	pthread_barrier_wait(&r->turn); /* the caller has looked */
	for (; at < share; at++) {
		if (*r->what == 'a') {
			imap_append(&c, text, r->bytes, at, 1, user, &state);
			imap_answer(&c);
		} else if (*r->what == 's' || at < n_uids) {
			change(&c, *r->what == 'e', uids[at % n_uids], at / n_uids % 2 == 0);
		} else {
			die("%lu messages are too few to expunge", n_uids);
		}
	}
	pthread_barrier_wait(&r->turn);
	pthread_barrier_wait(&r->turn);
	conn_say(&c, "a LOGOUT\r\n");
	imap_answer(&c);
	conn_close(&c);
	free(text);
	free(uids);
	return NULL;
}

int imap_many(int argc, char **argv)
{
	struct imap_run r = { .what = argv[1],
		.port = number(argv[2]),
		.connections = number(argv[3]),
		.count = number(argv[4]),
		.bytes = number(argv[5]),
		.users = argv + 6,
		.n_users = (unsigned long)(argc - 6) };
	pthread_t threads[MOST_CONNECTIONS];
	double begun, took, cpu;

	if (r.connections == 0 || r.connections > MOST_CONNECTIONS || r.bytes < 1024)
		die("1 to %d connections, at least 1024 bytes", MOST_CONNECTIONS);
	pthread_barrier_init(&r.turn, NULL, (unsigned)r.connections + 1);
	for (unsigned long i = 0; i < r.connections; i++)
		if (pthread_create(&threads[i], NULL, imap_thread, &r) != 0)
			die("cannot start a thread");
	pthread_barrier_wait(&r.turn);
	tell("begin %s %lu\n", r.what, r.count);
	cpu = own_cpu();
	begun = now();
	pthread_barrier_wait(&r.turn);
	pthread_barrier_wait(&r.turn);
	took = now() - begun;
	tell("end %s seconds=%.6f bytes=0 own_cpu=%.6f\n", r.what, took, own_cpu() - cpu);
	pthread_barrier_wait(&r.turn);
	for (unsigned long i = 0; i < r.connections; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
