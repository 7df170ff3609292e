// SPDX-License-Identifier: Apache-2.0
/* LIST patterns as a bit-parallel automaton. State i means: the first i symbols of the pattern have
 * been matched. A byte moves a state on when the next symbol is that byte; a wildcard symbol keeps
 * its own state alive for the bytes it stands for, and is passed over for nothing. */
#include "imap/match.h"

#include "base/limits.h"
#include "base/mem.h"

#include <stdlib.h>

#define BITS 64

static void set_bit(uint64_t *set, size_t i)
{
	set[i / BITS] |= (uint64_t)1 << (i % BITS);
}

static bool has_bit(const uint64_t *set, size_t i)
{
	return set[i / BITS] >> (i % BITS) & 1;
}

static bool is_wildcard(char c)
{
	return c == '*' || c == '%';
}

/* Copies, making one of each run of wildcards: with a "*" in it, "*"; else "%". Returns the length,
 * or LIMIT_MAILBOX_PATTERN_BYTES + 1. */
static size_t simplify(struct str in, size_t n, char *to)
{
	for (size_t i = 0; i < in.n; i++) {
		char c = in.p[i];
		if (n > 0 && is_wildcard(c) && is_wildcard(to[n - 1])) {
			if (c == '*')
				to[n - 1] = '*';
			continue;
		}
		if (n == LIMIT_MAILBOX_PATTERN_BYTES)
			return LIMIT_MAILBOX_PATTERN_BYTES + 1;
		to[n++] = c;
	}
	return n;
}

bool match_init(struct match *m, struct str reference, struct str pattern)
{
	char p[LIMIT_MAILBOX_PATTERN_BYTES];
	*m = (struct match){ 0 };
	size_t n = simplify(reference, 0, p);
	if (n <= sizeof(p))
		n = simplify(pattern, n, p);
	if (n > sizeof(p))
		return false;
	m->states = n + 1;
	m->words = m->states / BITS + 1;
	m->accepts = xcalloc(256 * m->words, sizeof(uint64_t));
	m->block = m->now = xcalloc(4 * m->words, sizeof(uint64_t));
	m->next = m->now + m->words;
	m->star = m->next + m->words;
	m->percent = m->star + m->words;
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '*')
			set_bit(m->star, i);
		else if (p[i] == '%')
			set_bit(m->percent, i);
		else
			set_bit(m->accepts + (unsigned char)p[i] * m->words, i);
	}
	return true;
}

void match_done(struct match *m)
{
	free(m->accepts);
	free(m->block);
	*m = (struct match){ 0 };
}

/* A wildcard also stands for nothing: its state leads on. No two wildcards are neighbours, so one
 * round is enough. */
static void pass_wildcards(const struct match *m, uint64_t *states)
{
	uint64_t carry = 0;
	for (size_t w = 0; w < m->words; w++) {
		uint64_t from = states[w] & (m->star[w] | m->percent[w]);
		states[w] |= from << 1 | carry;
		carry = from >> (BITS - 1);
	}
}

static void step(struct match *m, char c, char also)
{
	const uint64_t *a = m->accepts + (unsigned char)c * m->words;
	const uint64_t *b = m->accepts + (unsigned char)also * m->words;
	uint64_t carry = 0;
	for (size_t w = 0; w < m->words; w++) {
		uint64_t wild = m->star[w] | (c == '/' ? 0 : m->percent[w]);
		uint64_t from = m->now[w] & (a[w] | b[w]);
		m->next[w] = (m->now[w] & wild) | from << 1 | carry;
		carry = from >> (BITS - 1);
	}
	pass_wildcards(m, m->next);
	uint64_t *t = m->now;
	m->now = m->next;
	m->next = t;
}

bool match_name(struct match *m, struct str name)
{
	bool inbox = str_starts(name, STR("INBOX")) && (name.n == 5 || name.p[5] == '/');
	memset(m->now, 0, m->words * sizeof(uint64_t));
	set_bit(m->now, 0);
	pass_wildcards(m, m->now);
	for (size_t i = 0; i < name.n; i++)
		step(m, name.p[i], inbox && i < 5 ? ascii_lower(name.p[i]) : name.p[i]);
	return has_bit(m->now, m->states - 1);
}
