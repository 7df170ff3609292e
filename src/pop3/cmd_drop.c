// SPDX-License-Identifier: Apache-2.0
/* STAT, LIST, UIDL, DELE, RSET, NOOP   RFC 1939 5, 7
 *
 * The maildrop is an array; a message's number is its rank in it, for the whole session. */
#include "pop3/pop3_private.h"

#define ITEM_BYTES 64 /* the longest line of LIST or UIDL, and the end */

struct pop3_message *pop3_message_arg(struct pop3 *s, struct str arg)
{
	struct scan scan = scan_from(arg);
	uint64_t n;
	if (!scan_number(&scan, UINT64_MAX, &n) || !scan_end(&scan) || n == 0) {
		pop3_refuse(s, "that is no message number");
		return NULL;
	}
	if (n > s->drop.n) {
		pop3_refuse(s, "no such message, only %zu message%s in maildrop", s->drop.n,
			s->drop.n == 1 ? "" : "s");
		return NULL;
	}
	struct pop3_message *m = vec_at(&s->drop, (size_t)n - 1);
	if (m->deleted) {
		pop3_refuse(s, "message %" PRIu64 " already deleted", n);
		return NULL;
	}
	return m;
}

static size_t number_of(const struct pop3 *s, const struct pop3_message *m)
{
	return (size_t)(m - (const struct pop3_message *)vec_at(&s->drop, 0)) + 1;
}

void pop3_stat(struct pop3 *s, struct str arg)
{
	(void)arg;
	pop3_say(s, "+OK %zu %" PRIu64, s->drop_count, s->drop_octets);
}

/* ---- LIST, UIDL ---- */

/* unique-id: 1 to 70 characters 0x21-0x7e. A UID never comes again under one UIDVALIDITY, so the
 * two together are the same over restarts and rebuilds (hostile-input P4). */
static void add_item(struct pop3 *s, const char *before, const struct pop3_message *m)
{
	if (s->uidl)
		buf_addf(&s->session.out, "%s%zu %u.%u\r\n", before, number_of(s, m),
			s->uidvalidity, m->uid);
	else
		buf_addf(
			&s->session.out, "%s%zu %" PRIu64 "\r\n", before, number_of(s, m), m->size);
}

static bool write_items(struct pop3 *s)
{
	for (; s->at < s->drop.n; s->at++) {
		const struct pop3_message *m = vec_at(&s->drop, s->at);
		if (buf_room(&s->session.out) < ITEM_BYTES)
			return false;
		if (!m->deleted)
			add_item(s, "", m);
	}
	return buf_addz(&s->session.out, ".\r\n");
}

static void list(struct pop3 *s, struct str arg, bool uidl)
{
	s->uidl = uidl;
	if (arg.n > 0) {
		struct pop3_message *m = pop3_message_arg(s, arg);
		if (m != NULL)
			add_item(s, "+OK ", m);
		return;
	}
	if (uidl)
		pop3_say(s, "+OK unique-id listing follows");
	else
		pop3_say(s, "+OK %zu message%s (%" PRIu64 " octets)", s->drop_count,
			s->drop_count == 1 ? "" : "s", s->drop_octets);
	s->at = 0;
	pop3_write(s, write_items);
}

void pop3_list(struct pop3 *s, struct str arg)
{
	list(s, arg, false);
}

void pop3_uidl(struct pop3 *s, struct str arg)
{
	list(s, arg, true);
}

/* ---- DELE, RSET, NOOP ---- */

void pop3_dele(struct pop3 *s, struct str arg)
{
	struct pop3_message *m = pop3_message_arg(s, arg);
	if (m == NULL)
		return;
	uint32_t at = (uint32_t)number_of(s, m) - 1;
	if (vec_push(&s->deleted, &at) == NULL)
		return;
	m->deleted = true;
	s->drop_count--;
	s->drop_octets -= m->size;
	pop3_say(s, "+OK message %zu deleted", number_of(s, m));
}

void pop3_rset(struct pop3 *s, struct str arg)
{
	(void)arg;
	/* What was deleted, not what there is: RSET costs no more than the DELEs before it (P2). */
	VEC_EACH (uint32_t, i, &s->deleted) {
		struct pop3_message *m = vec_at(&s->drop, *i);
		m->deleted = false;
		s->drop_count++;
		s->drop_octets += m->size;
	}
	vec_clear(&s->deleted);
	pop3_say(s, "+OK maildrop has %zu message%s (%" PRIu64 " octets)", s->drop_count,
		s->drop_count == 1 ? "" : "s", s->drop_octets);
}

void pop3_noop(struct pop3 *s, struct str arg)
{
	(void)arg;
	pop3_say(s, "+OK");
}
