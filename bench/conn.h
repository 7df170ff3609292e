// SPDX-License-Identifier: Apache-2.0
/*
 * What the parts of the load generator share: a blocking connection to a server on loopback, plain
 * or TLS, messages to send, and steps between which the caller reads the server's CPU. Whatever is
 * not as expected ends the program with a line on standard error and status 1.
 */
#ifndef BENCH_CONN_H
#define BENCH_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>

#define MOST_CONNECTIONS 1000

struct ssl_st;

struct conn {
	int fd;
	struct ssl_st *tls; /* or NULL */
	char *in;
	size_t from, to; /* what has been read and not used: in[from..to) */
	uint64_t received;
	char *out;
	size_t said; /* and not sent yet */
};

noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Seconds of a clock that only rises; and of CPU that this process has used. */
double now(void);
double own_cpu(void);
/* A command line's argument that must be a number. */
unsigned long number(const char *text);

void conn_open(struct conn *c, unsigned long port);
/* The same, with a whole TLS handshake (nothing is resumed, nothing of the certificate verified).
 */
void conn_open_tls(struct conn *c, unsigned long port);
void conn_close(struct conn *c);
/* What is said leaves when an answer is waited for, in one write when it is not much: as clients do
 * that gather what they write. */
void conn_send(struct conn *c, const char *bytes, size_t n);
void conn_say(struct conn *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The next line, with its LF; good until the next call. */
char *conn_line(struct conn *c, size_t *len);
void conn_skip(struct conn *c, size_t n);
/* A line that must begin with start. */
void conn_expect(struct conn *c, const char *start);

/* xorshift64*: what it gives need be different, not secret. state is not 0. */
uint64_t random_bits(uint64_t *state);
/* A message of at most size bytes, its number i in it; its length. */
size_t make_message(char *to, size_t size, unsigned long i, const char *recipient, uint64_t *state);
/* The same of words, of which 4,096 differ, with "Serial" and its number and "end" in the text;
 * with subject, sender and date of its own, and mostly an answer to one before it. */
size_t make_prose(char *to, size_t size, unsigned long i, const char *recipient, uint64_t *state);

/* Tells the caller and waits for its line. */
void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

struct step {
	const char *name;
	unsigned long repeats;
	const char *command; /* of IMAP, without its tag */
	void (*run)(struct conn *c, const struct step *s, unsigned long messages);
};

void run_steps(struct conn *c, const struct step *steps, size_t n, unsigned long messages);

#endif
