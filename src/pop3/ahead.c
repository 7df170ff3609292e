// SPDX-License-Identifier: Apache-2.0
/* Messages that were asked of the store before they are retrieved: most clients retrieve one after
 * the other, and each by itself would cost four wake-ups of a process or thread.
 *
 * They are kept in a ring, in the order of the maildrop; the first of them is the one that is being
 * retrieved. How many are asked for grows with each RETR of the next message and falls back to one
 * with any other, so that who wants a single message reads no other. */
#include "pop3/pop3_private.h"

#define WHOLE_BYTES 65000 /* what a message_is frame holds of a message */

static struct pop3_ahead *ring_at(struct pop3 *s, size_t i)
{
	return &s->ahead[(s->ahead_first + i) % LIMIT_POP3_AHEAD_MESSAGES];
}

static const struct pop3_message *message_at(const struct pop3 *s, size_t at)
{
	return vec_at(&s->drop, at);
}

static uint64_t bytes_of(const struct pop3 *s, size_t at)
{
	uint64_t size = message_at(s, at)->size;
	return size < WHOLE_BYTES ? size : WHOLE_BYTES;
}

/* The first message from there on that is not deleted. */
static size_t next_living(const struct pop3 *s, size_t at)
{
	while (at < s->drop.n && message_at(s, at)->deleted)
		at++;
	return at;
}

static void empty(struct pop3 *s, struct pop3_ahead *a)
{
	s->ahead_bytes -= bytes_of(s, a->at);
	buf_done(&a->bytes);
	*a = (struct pop3_ahead){ 0 };
}

static void drop_first(struct pop3 *s)
{
	empty(s, ring_at(s, 0));
	s->ahead_first = (s->ahead_first + 1) % LIMIT_POP3_AHEAD_MESSAGES;
	s->ahead_n--;
}

void pop3_ahead_forget(struct pop3 *s)
{
	if (s->ahead_request != 0)
		s->session.host->cancel(s->session.host, &s->session, s->ahead_request);
	s->ahead_request = 0;
	while (s->ahead_n > 0)
		drop_first(s);
}

/* The first may have any size, those that follow come whole or not at all. */
static bool may_add(const struct pop3 *s, size_t at)
{
	if (at >= s->drop.n || s->ahead_n >= s->ahead_most)
		return false;
	return s->ahead_n == 0 ||
	       (message_at(s, at)->size <= WHOLE_BYTES &&
		       s->ahead_bytes + message_at(s, at)->size <= LIMIT_POP3_AHEAD_BYTES);
}

static void ask_from(struct pop3 *s, size_t at)
{
	uint32_t uids[LIMIT_POP3_AHEAD_MESSAGES];
	size_t n = 0;
	for (; may_add(s, at); at = next_living(s, at + 1)) {
		struct pop3_ahead *a = ring_at(s, s->ahead_n++);
		*a = (struct pop3_ahead){ .at = at };
		buf_init(&a->bytes, WHOLE_BYTES);
		s->ahead_bytes += bytes_of(s, at);
		uids[n++] = message_at(s, at)->uid;
	}
	struct frame q = { .type = FRAME_MESSAGES_READ,
		.messages_read = { s->session.store_session, s->mailbox, { uids, n } } };
	if (n > 0)
		s->ahead_request = s->session.host->ask(
			s->session.host, &s->session, ASK_STORE, &q);
}

void pop3_ahead_begin(struct pop3 *s, size_t at)
{
	bool next = s->retr_next > 0 && at == next_living(s, s->retr_next);
	size_t more = 2 * s->ahead_most;
	s->ahead_most = !next || more == 0                 ? 1
			: more < LIMIT_POP3_AHEAD_MESSAGES ? more
							   : LIMIT_POP3_AHEAD_MESSAGES;
	s->retr_next = at + 1;
	while (s->ahead_n > 0 && ring_at(s, 0)->at < at && ring_at(s, 0)->came)
		drop_first(s);
	if (s->ahead_n == 0 || ring_at(s, 0)->at != at) {
		pop3_ahead_forget(s);
		ask_from(s, at);
	} else if (s->ahead_request == 0 && s->ahead_n <= s->ahead_most / 2) {
		/* While the client is sent these the store reads the next. */
		ask_from(s, next_living(s, ring_at(s, s->ahead_n - 1)->at + 1));
	}
}

struct pop3_ahead *pop3_ahead_head(struct pop3 *s)
{
	return s->ahead_n > 0 ? ring_at(s, 0) : NULL;
}

void pop3_ahead_taken(struct pop3 *s)
{
	drop_first(s);
}

static struct pop3_ahead *first_awaited(struct pop3 *s)
{
	for (size_t i = 0; i < s->ahead_n; i++)
		if (!ring_at(s, i)->came)
			return ring_at(s, i);
	return NULL;
}

/* Those that have not come will not: each is asked for anew at its own RETR. */
static void drop_awaited(struct pop3 *s)
{
	s->ahead_request = 0;
	while (s->ahead_n > 0 && !ring_at(s, s->ahead_n - 1)->came)
		empty(s, ring_at(s, --s->ahead_n));
}

void pop3_ahead_came(struct pop3 *s, const struct frame *f)
{
	const struct frame_message_is *m = &f->message_is;
	struct pop3_ahead *a = first_awaited(s);
	bool good = f->type == FRAME_MESSAGE_IS && a != NULL &&
		    m->uid == message_at(s, a->at)->uid &&
		    (m->gone || m->data.n == (m->size < WHOLE_BYTES ? m->size : WHOLE_BYTES));
	if (!good) {
		s->ahead_failed = f->type == FRAME_FAILED ? (enum err_kind)f->failed.kind
							  : ERR_TEMP;
		drop_awaited(s);
		return;
	}
	a->came = true;
	a->gone = m->gone;
	a->size = m->size;
	buf_adds(&a->bytes, m->data);
	if (m->last)
		drop_awaited(s);
}
