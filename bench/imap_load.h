// SPDX-License-Identifier: Apache-2.0
/* The load generator's IMAP: load.c says what each does. */
#ifndef BENCH_IMAP_LOAD_H
#define BENCH_IMAP_LOAD_H

#include "conn.h"

int imap_load(int argc, char **argv);
int imap_searches(int argc, char **argv);
int imap_sorts(int argc, char **argv);
int imap_fill(int argc, char **argv);
int imap_many(int argc, char **argv);
int imap_mixed(int argc, char **argv);
int imap_logins(int argc, char **argv);
int imap_idle(int argc, char **argv);

/* The size of the literal that this line ends with ({123} CRLF), or 0. */
size_t imap_literal(const char *line, size_t len);
/* Reads to the tagged OK; returns how many lines began with an asterisk. */
unsigned long imap_answer(struct conn *c);
/* Connects (by TLS, if said so), reads the greeting, and logs in. */
void imap_login(
	struct conn *c, unsigned long port, bool tls, const char *user, const char *password);
/* What all the accounts of the bench have for a password: the local part and "-secret". */
void imap_password(char *to, size_t size, const char *user);
/* n messages in one APPEND to INBOX (RFC 3502 where n is above 1); the answer is still to be read.
 */
void imap_append(struct conn *c, char *text, unsigned long bytes, unsigned long first,
	unsigned long n, const char *recipient, uint64_t *state);

#endif
