// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "conn.h"

#define IN_BYTES   (256 * 1024)
#define OUT_BYTES  (32 * 1024)
#define LINE_BYTES 78 /* of a body, with its CRLF */
#define POOL_LINES 6000
#define RUN_LINES  16

noreturn void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	_exit(1);
}

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double own_cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

unsigned long number(const char *text)
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

void conn_open(struct conn *c, unsigned long port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { .tv_sec = 60 };
	int yes = 1;

	*c = (struct conn){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
		.in = malloc(IN_BYTES),
		.out = malloc(OUT_BYTES) };
	if (c->fd < 0 || !c->in || !c->out ||
		connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0)
		die("connecting to %lu: %s", port, strerror(errno));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

void conn_open_tls(struct conn *c, unsigned long port)
{
	static SSL_CTX *context;
	static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&once);
	if (!context)
		context = SSL_CTX_new(TLS_client_method());
	pthread_mutex_unlock(&once);
	conn_open(c, port);
	c->tls = SSL_new(context);
	if (!c->tls || SSL_set_fd(c->tls, c->fd) != 1 || SSL_connect(c->tls) != 1)
		die("no TLS with %lu", port);
}

static void conn_write(struct conn *c, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t sent = c->tls ? SSL_write(c->tls, bytes, (int)n)
				      : send(c->fd, bytes, n, MSG_NOSIGNAL);

		if (sent <= 0)
			die("sending: %s", strerror(errno));
		bytes += sent;
		n -= (size_t)sent;
	}
}

static void conn_flush(struct conn *c)
{
	conn_write(c, c->out, c->said);
	c->said = 0;
}

void conn_close(struct conn *c)
{
	conn_flush(c);
	SSL_free(c->tls);
	close(c->fd);
	free(c->in);
	free(c->out);
}

void conn_send(struct conn *c, const char *bytes, size_t n)
{
	if (n > OUT_BYTES - c->said)
		conn_flush(c);
	if (n > OUT_BYTES) {
		conn_write(c, bytes, n);
		return;
	}
	memcpy(c->out + c->said, bytes, n);
	c->said += n;
}

void conn_say(struct conn *c, const char *format, ...)
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

	conn_flush(c);
	if (c->from == c->to) {
		c->from = c->to = 0;
	} else if (c->to == IN_BYTES) {
		memmove(c->in, c->in + c->from, c->to - c->from);
		c->to -= c->from;
		c->from = 0;
	}
	if (c->to == IN_BYTES)
		die("a line of more than %d bytes", IN_BYTES);
	n = c->tls ? SSL_read(c->tls, c->in + c->to, (int)(IN_BYTES - c->to))
		   : recv(c->fd, c->in + c->to, IN_BYTES - c->to, 0);
	if (n <= 0)
		die("the server %s", n == 0 ? "hung up" : strerror(errno));
	c->to += (size_t)n;
	c->received += (uint64_t)n;
}

char *conn_line(struct conn *c, size_t *len)
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

void conn_skip(struct conn *c, size_t n)
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

void conn_expect(struct conn *c, const char *start)
{
	size_t len;
	char *line = conn_line(c, &len);

	if (len < strlen(start) || memcmp(line, start, strlen(start)) != 0)
		die("expected %s, the server said %.*s", start, (int)len, line);
}

/* -- messages -- */

uint64_t random_bits(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

static char pool[POOL_LINES * LINE_BYTES];

/* Lines of random letters. */
static void make_pool(void)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint64_t state = 88172645463325252ULL;

	for (size_t at = 0; at < sizeof pool; at += LINE_BYTES) {
		for (size_t i = 0; i < LINE_BYTES - 2; i++)
			pool[at + i] = letters[random_bits(&state) >> 58];
		memcpy(pool + at + LINE_BYTES - 2, "\r\n", 2);
	}
}

/* Such lines, bytes in all but for the last line's rest. They are runs of lines that were made
 * once: the generator works on the same processors as the server that it measures. */
static size_t random_lines(char *to, size_t bytes, uint64_t *state)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	size_t at = 0;

	pthread_once(&once, make_pool);
	while (at + LINE_BYTES <= bytes) {
		size_t left = (bytes - at) / LINE_BYTES, n = left < RUN_LINES ? left : RUN_LINES;
		size_t from = random_bits(state) % (POOL_LINES - RUN_LINES);

		memcpy(to + at, pool + from * LINE_BYTES, n * LINE_BYTES);
		at += n * LINE_BYTES;
	}
	return at;
}

/* A word of a few syllables; the first of 4,096 are the frequent ones. */
static size_t random_word(char *to, uint64_t *state)
{
	static const char syllables[32][3] = { "ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo",
		"mu", "na", "pe", "ri", "so", "tu", "va", "we", "xi", "yo", "zu", "an", "en", "in",
		"on", "un", "ar", "er", "ir", "or", "ur", "st", "th" };
	uint64_t bits = random_bits(state) >> 40;
	unsigned word = (unsigned)((bits & 4095) * (bits >> 12 & 4095) >> 12);
	size_t n = 0;

	for (unsigned rest = word + 40; rest > 0; rest >>= 4, n += 2)
		memcpy(to + n, syllables[rest & 31], 2);
	return n;
}

static size_t random_prose(char *to, size_t bytes, uint64_t *state)
{
	size_t at = 0, line = 0;

	while (at + 32 <= bytes) {
		size_t n = random_word(to + at, state);

		line = line > 64 ? 0 : line + n + 1;
		at += n;
		to[at++] = ' ';
		if (line == 0) {
			memcpy(to + at - 1, "\r\n", 2);
			at++;
		}
	}
	memcpy(to + at, "\r\n", 2);
	return at + 2;
}

static size_t make_head(
	char *to, size_t size, unsigned long i, const char *recipient, uint64_t *state)
{
	return (size_t)snprintf(to, size,
		"From: Load Generator <load@load.example>\r\nTo: <%s>\r\n"
		"Subject: message %lu of this run\r\nDate: Sat, 21 Nov 2026 22:23:33 +0000\r\n"
		"Message-ID: <%lu.%016" PRIx64 "@load.example>\r\nMIME-Version: 1.0\r\n"
		"Content-Type: text/plain; charset=us-ascii\r\n\r\n",
		recipient, i, i, random_bits(state));
}

/* Two of three messages answer one of the 40 before them; 0: this one begins a thread. */
static unsigned long answered(unsigned long i)
{
	uint64_t state = i * 0x9e3779b97f4a7c15ULL | 1;
	uint64_t bits = random_bits(&state) >> 20;

	return bits % 3 == 0 || i <= 40 ? 0 : i - bits / 3 % 40 - 1;
}

/* Words that are the same for the same number. */
static size_t words_of(char *to, unsigned long i, size_t n)
{
	uint64_t state = i * 0xbf58476d1ce4e5b9ULL | 1;
	size_t at = 0;

	for (; n > 0; n--) {
		at += random_word(to + at, &state);
		to[at++] = n > 1 ? ' ' : 0;
	}
	return at - 1;
}

/* The head of a message in a conversation: its thread's subject, one of 300 senders, a date some
 * days around that of its neighbours, what it answers. */
static size_t make_talk(char *to, size_t size, unsigned long i, const char *recipient)
{
	enum { REFERENCES = 6 };
	char subject[100], name[40];
	unsigned long first = i, parents[REFERENCES], n_parents = 0;
	uint64_t state = i * 0x94d049bb133111ebULL | 1;
	uint64_t bits = random_bits(&state) >> 16;
	unsigned sent = (unsigned)((i * 240 + bits % 400000) %
				   (28 * 86400)); /* second of a month */
	size_t n;

	for (unsigned long up = answered(i); up > 0; up = answered(up)) {
		first = up;
		if (n_parents < REFERENCES)
			parents[n_parents++] = up;
	}
	words_of(subject, first, 4);
	words_of(name, bits / 400000 % 300, 2);
	n = (size_t)snprintf(to, size,
		"From: %s <%.3s%lu@load.example>\r\nTo: <%s>\r\nSubject: %s%s\r\n"
		"Date: %u Nov 2026 %02u:%02u:%02u +0000\r\nMessage-ID: <talk%lu@load.example>\r\n",
		name, name, (unsigned long)(bits / 400000 % 300), recipient,
		first == i ? "" : "Re: ", subject, sent / 86400 + 1, sent / 3600 % 24,
		sent / 60 % 60, sent % 60, i);
	if (n_parents > 0)
		n += (size_t)snprintf(to + n, size - n,
			"In-Reply-To: <talk%lu@load.example>\r\nReferences:", parents[0]);
	for (unsigned long k = n_parents; k > 0; k--)
		n += (size_t)snprintf(
			to + n, size - n, " <talk%lu@load.example>\r\n", parents[k - 1]);
	return n +
	       (size_t)snprintf(to + n, size - n,
		       "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n");
}

size_t make_prose(char *to, size_t size, unsigned long i, const char *recipient, uint64_t *state)
{
	size_t n = make_talk(to, size, i, recipient);

	n += (size_t)snprintf(to + n, size - n, "Serial%luend\r\n", i);
	return n + random_prose(to + n, size - n, state);
}

size_t make_message(char *to, size_t size, unsigned long i, const char *recipient, uint64_t *state)
{
	size_t n = make_head(to, size, i, recipient, state);

	n += random_lines(to + n, size - n, state);
	return n;
}

/* -- steps -- */

void tell(const char *format, ...)
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

void run_steps(struct conn *c, const struct step *steps, size_t n, unsigned long messages)
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
