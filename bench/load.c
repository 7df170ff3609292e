// SPDX-License-Identifier: Apache-2.0
/*
 * A load generator: drives a mail server on loopback and prints what it took, and its own CPU.
 *
 *     load smtp PORT CONNECTIONS MESSAGES BYTES RECIPIENT...    (or lmtp)
 *     load pop3 PORT USER PASSWORD MESSAGES
 *     load imap PORT USER PASSWORD MESSAGES
 *     load fill PORT USER PASSWORD MESSAGES BYTES
 *     load append|store|expunge PORT CONNECTIONS COUNT BYTES USER...
 *
 * smtp sends MESSAGES in all over CONNECTIONS threads, each on one connection that is kept, with
 * MAIL, RCPT and DATA in one write (RFC 2920). The recipients take turns. Each message is different
 * from every other: random letters in lines of 76, which lose a quarter at best to any compression,
 * as every attachment in base64 does.
 *
 * fill appends to INBOX, 50 messages a command (RFC 3502). append appends one at a time, store sets
 * or takes a flag of one message a command, expunge marks and expunges one (two commands): COUNT in
 * all over the connections, of users (whose password is their local part and "-secret") in turns.
 *
 * These three, pop3 and imap do their steps one after the other. Before and after each one a line
 * is printed
 * ("begin NAME REPEATS", "end NAME seconds=S bytes=B own_cpu=S") and a line of standard input is
 * awaited, in which time the caller reads the server's CPU. Any answer that is not the expected one
 * ends the program with status 1: a server that refuses is not measured.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_CONNECTIONS 1000
#define IN_BYTES         (256 * 1024)
#define LINE_BYTES       78 /* of a body, with its CRLF */
#define PIPELINED        16 /* RETR sent ahead of the answers */

struct conn {
	int fd;
	char *in;
	size_t from, to; /* what has been read and not used: in[from..to) */
	uint64_t received;
};

noreturn static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	_exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double own_cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static unsigned long number(const char *text)
{
	unsigned long n = 0;

	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9' || n > 100000000)
			die("not a number: %s", text);
		n = n * 10 + (unsigned long)(*p - '0');
	}
	return n;
}

/* -- a connection -- */

static void conn_open(struct conn *c, unsigned long port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { .tv_sec = 60 };
	int yes = 1;

	*c = (struct conn){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
		.in = malloc(IN_BYTES) };
	if (c->fd < 0 || !c->in || connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0)
		die("connecting to %lu: %s", port, strerror(errno));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

static void conn_close(struct conn *c)
{
	close(c->fd);
	free(c->in);
}

static void conn_send(struct conn *c, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(c->fd, bytes, n, MSG_NOSIGNAL);

		if (sent <= 0)
			die("sending: %s", strerror(errno));
		bytes += sent;
		n -= (size_t)sent;
	}
}

__attribute__((format(printf, 2, 3))) static void conn_say(struct conn *c, const char *format, ...)
{
	char line[2048];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof line, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof line)
		die("a command is too long");
	conn_send(c, line, (size_t)n);
}

/* Reads more behind what is kept. */
static void conn_fill(struct conn *c)
{
	ssize_t n;

	if (c->from == c->to) {
		c->from = c->to = 0;
	} else if (c->to == IN_BYTES) {
		memmove(c->in, c->in + c->from, c->to - c->from);
		c->to -= c->from;
		c->from = 0;
	}
	if (c->to == IN_BYTES)
		die("a line of more than %d bytes", IN_BYTES);
	n = recv(c->fd, c->in + c->to, IN_BYTES - c->to, 0);
	if (n <= 0)
		die("the server %s", n == 0 ? "hung up" : strerror(errno));
	c->to += (size_t)n;
	c->received += (uint64_t)n;
}

/* The next line, with its LF; good until the next call. */
static char *conn_line(struct conn *c, size_t *len)
{
	size_t looked = 0;

	for (;;) {
		char *lf = memchr(c->in + c->from + looked, '\n', c->to - c->from - looked);
		char *line = c->in + c->from;

		if (lf) {
			*len = (size_t)(lf + 1 - line);
			c->from += *len;
			return line;
		}
		looked = c->to - c->from;
		conn_fill(c);
	}
}

static void conn_skip(struct conn *c, size_t n)
{
	while (n > 0) {
		size_t here = c->to - c->from;

		if (here == 0) {
			conn_fill(c);
			continue;
		}
		here = here < n ? here : n;
		c->from += here;
		n -= here;
	}
}

/* A line that must begin with start. */
static void conn_expect(struct conn *c, const char *start)
{
	size_t len;
	char *line = conn_line(c, &len);

	if (len < strlen(start) || memcmp(line, start, strlen(start)) != 0)
		die("expected %s, the server said %.*s", start, (int)len, line);
}

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

/* xorshift64*: the letters need be different, not secret. */
static uint64_t random_bits(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

/* Lines of random letters, bytes in all but for the last line's rest. */
static size_t random_lines(char *to, size_t bytes, uint64_t *state)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t at = 0;

	while (at + LINE_BYTES <= bytes) {
		for (size_t i = 0; i < LINE_BYTES - 2; i += 4) {
			uint64_t bits = random_bits(state) >> 32;

			for (size_t k = 0; k < 4; k++, bits >>= 6)
				to[at + i + k] = letters[bits & 63];
		}
		to[at + LINE_BYTES - 2] = '\r';
		to[at + LINE_BYTES - 1] = '\n';
		at += LINE_BYTES;
	}
	return at;
}

static size_t make_message(
	char *to, size_t size, unsigned long i, const char *recipient, uint64_t *state)
{
	int head = snprintf(to, size,
		"From: Load Generator <load@load.example>\r\nTo: <%s>\r\n"
		"Subject: message %lu of this run\r\nDate: Sat, 21 Nov 2026 22:23:33 +0000\r\n"
		"Message-ID: <%lu.%016" PRIx64 "@load.example>\r\nMIME-Version: 1.0\r\n"
		"Content-Type: text/plain; charset=us-ascii\r\n\r\n",
		recipient, i, i, random_bits(state));
	size_t n = (size_t)head;

	n += random_lines(to + n, size - n, state);
	return n;
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

static int smtp_load(int argc, char **argv, bool lmtp)
{
	unsigned long connections = number(argv[3]);
	struct smtp_run r = { .port = number(argv[2]),
		.messages = number(argv[4]),
		.bytes = number(argv[5]),
		.recipients = argv + 6,
		.n_recipients = (unsigned long)(argc - 6),
		.lmtp = lmtp };
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

/* -- steps -- */

/* Tells the caller and waits for its line. */
__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
	char line[16];
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	fflush(stdout);
	if (!fgets(line, sizeof line, stdin))
		exit(0);
}

struct step {
	const char *name;
	unsigned long repeats;
	const char *command; /* of IMAP, without its tag */
	void (*run)(struct conn *c, const struct step *s, unsigned long messages);
};

static void run_steps(struct conn *c, const struct step *steps, size_t n, unsigned long messages)
{
	for (const struct step *s = steps; s < steps + n; s++) {
		uint64_t received = c->received;
		double begun, took, cpu;

		tell("begin %s %lu\n", s->name, s->repeats);
		cpu = own_cpu();
		begun = now();
		for (unsigned long i = 0; i < s->repeats; i++)
			s->run(c, s, messages);
		took = now() - begun;
		tell("end %s seconds=%.6f bytes=%" PRIu64 " own_cpu=%.6f\n", s->name, took,
			c->received - received, own_cpu() - cpu);
	}
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

static int pop3_load(char **argv)
{
	static const struct step steps[] = {
		{ "STAT+UIDL+LIST", 20, NULL, pop3_lists },
		{ "RETR", 1, NULL, pop3_one_by_one },
		{ "RETR-pipelined", 1, NULL, pop3_pipelined },
	};
	struct conn c;

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

/* -- IMAP -- */

/* The size of the literal that this line ends with ({123} CRLF), or 0. */
static size_t literal_size(const char *line, size_t len)
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

/* Reads to the tagged OK; returns how many lines began with an asterisk. */
static unsigned long imap_answer(struct conn *c)
{
	unsigned long responses = 0;
	bool within = false; /* a response that a literal has interrupted */

	for (;;) {
		size_t len;
		char *line = conn_line(c, &len);
		size_t literal = literal_size(line, len);

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

static void imap_login(struct conn *c, unsigned long port, const char *user, const char *password)
{
	conn_open(c, port);
	conn_expect(c, "* OK");
	conn_say(c, "a LOGIN \"%s\" \"%s\"\r\n", user, password);
	imap_answer(c);
}

static int imap_load(char **argv)
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

	imap_login(&c, number(argv[2]), argv[3], argv[4]);
	run_steps(&c, steps, sizeof steps / sizeof steps[0], number(argv[5]));
	conn_say(&c, "a LOGOUT\r\n");
	imap_answer(&c);
	conn_close(&c);
	return 0;
}

/* Many messages in one APPEND; the answer is awaited. */
static void append(struct conn *c, char *text, unsigned long bytes, unsigned long first,
	unsigned long n, const char *recipient, uint64_t *state)
{
	conn_say(c, "a APPEND INBOX");
	for (unsigned long i = 0; i < n; i++) {
		size_t size = make_message(text, bytes, first + i, recipient, state);

		conn_say(c, " {%zu+}\r\n", size);
		conn_send(c, text, size);
	}
	conn_say(c, "\r\n");
	imap_answer(c);
}

static int imap_fill(char **argv)
{
	enum { AT_ONCE = 50 };
	unsigned long messages = number(argv[5]), bytes = number(argv[6]);
	char *text = malloc(bytes + 16);
	struct conn c;
	uint64_t state = 88172645463325252ULL;

	if (!text)
		die("out of memory");
	imap_login(&c, number(argv[2]), argv[3], argv[4]);
	for (unsigned long i = 0; i < messages; i += AT_ONCE)
		append(&c, text, bytes, i, messages - i < AT_ONCE ? messages - i : AT_ONCE, argv[3],
			&state);
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
	snprintf(password, sizeof password, "%.*s-secret", (int)strcspn(user, "@"), user);
	imap_login(&c, r->port, user, password);
	if (*r->what != 'a')
		n_uids = own_uids(&c, own / r->n_users, every ? every : 1, uids, MOST_UIDS);
	pthread_barrier_wait(&r->turn); /* all are logged in */
	pthread_barrier_wait(&r->turn); /* the caller has looked */
	for (; at < share; at++) {
		if (*r->what == 'a')
			append(&c, text, r->bytes, at, 1, user, &state);
		else if (*r->what == 's' || at < n_uids)
			change(&c, *r->what == 'e', uids[at % n_uids], at / n_uids % 2 == 0);
		else
			die("%lu messages are too few to expunge", n_uids);
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

static int imap_many(int argc, char **argv)
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

int main(int argc, char **argv)
{
	if (argc >= 7 && (strcmp(argv[1], "smtp") == 0 || strcmp(argv[1], "lmtp") == 0))
		return smtp_load(argc, argv, argv[1][0] == 'l');
	if (argc == 6 && strcmp(argv[1], "pop3") == 0)
		return pop3_load(argv);
	if (argc == 6 && strcmp(argv[1], "imap") == 0)
		return imap_load(argv);
	if (argc == 7 && strcmp(argv[1], "fill") == 0)
		return imap_fill(argv);
	if (argc >= 7 && (strcmp(argv[1], "append") == 0 || strcmp(argv[1], "store") == 0 ||
				 strcmp(argv[1], "expunge") == 0))
		return imap_many(argc, argv);
	fprintf(stderr, "load smtp|lmtp PORT CONNECTIONS MESSAGES BYTES RECIPIENT...\n"
			"load pop3|imap PORT USER PASSWORD MESSAGES\n"
			"load fill PORT USER PASSWORD MESSAGES BYTES\n"
			"load append|store|expunge PORT CONNECTIONS COUNT BYTES USER...\n");
	return 2;
}
