// SPDX-License-Identifier: Apache-2.0
/* STAT, LIST, UIDL, DELE, RSET, NOOP   RFC 1939 5, 7
 *
 * The maildrop is an array; a message's number is its rank in it, for the whole session. */
#include "pop3/pop3_private.h"

#define ITEM_BYTES 80 /* the longest line of LIST or UIDL, and the end */

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

/* NULL: the message was not there any more when the unique-ids were asked for. */
static const struct api_uidl *uidl_of(const struct pop3 *s, uint32_t uid)
{
	size_t low = 0, high = s->uidls.n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct api_uidl *u = vec_at(&s->uidls, mid);
		if (u->uid == uid)
			return u;
		if (u->uid < uid)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* unique-id: 1 to 70 characters 0x21-0x7e. That of a record is the same in every ledger that names
 * it (hostile-input P4); otherwise it is a UIDVALIDITY and a UID, which never come again. The one
 * has two dots, the other has one. */
static void add_uidl(struct pop3 *s, const struct api_uidl *u)
{
	struct buf *out = &s->session.out;
	if (u->body)
		buf_addf(out, "%" PRIx64 ".%" PRIx32 ".%" PRIx64, u->body, u->recipient, u->mark);
	else
		buf_addf(out, "%u.%u", u->validity ? u->validity : s->uidvalidity, u->uid);
}

/* False, and nothing is added: its unique-id can't be told any more, and any other would be taken
 * for that of a message which is new. */
static bool add_item(struct pop3 *s, const char *before, const struct pop3_message *m)
{
	const struct api_uidl *u = s->uidl ? uidl_of(s, m->uid) : NULL;
	struct buf *out = &s->session.out;
	if (s->uidl && u == NULL)
		return false;
	buf_addf(out, "%s%zu ", before, number_of(s, m));
	if (u)
		add_uidl(s, u);
	else
		buf_addf(out, "%" PRIu64, m->size);
	return buf_addz(out, "\r\n");
}

static bool write_items(struct pop3 *s)
{
	for (; s->at < s->drop.n; s->at++) {
		const struct pop3_message *m = vec_at(&s->drop, s->at);
		if (!pop3_has_room(s, ITEM_BYTES))
			return false;
		if (!m->deleted)
			(void)add_item(s, "", m);
	}
	return buf_addz(&s->session.out, ".\r\n");
}

static void write_list(struct pop3 *s)
{
	s->at = 0;
	pop3_write(s, write_items);
}

void pop3_list(struct pop3 *s, struct str arg)
{
	s->uidl = false;
	if (arg.n > 0) {
		struct pop3_message *m = pop3_message_arg(s, arg);
		if (m != NULL)
			(void)add_item(s, "+OK ", m);
		return;
	}
	pop3_say(s, "+OK %zu message%s (%" PRIu64 " octets)", s->drop_count,
		s->drop_count == 1 ? "" : "s", s->drop_octets);
	write_list(s);
}

/* at: the message's place, or beyond all of them. */
static void write_uidl(struct pop3 *s)
{
	s->uidl = true;
	if (s->at < s->drop.n) {
		if (!add_item(s, "+OK ", vec_at(&s->drop, s->at)))
			pop3_reply_failed(
				&s->session.out, ERR_NOT_FOUND, STR("the message is gone"));
		return;
	}
	pop3_say(s, "+OK unique-id listing follows");
	write_list(s);
}

/* What came since the maildrop was opened is not in it. */
static void keep_uidls(struct pop3 *s, const struct api_uidl_list *uidls)
{
	const struct pop3_message *last = s->drop.n ? vec_at(&s->drop, s->drop.n - 1) : NULL;
	for (size_t i = 0; last && i < uidls->n && uidls->items[i].uid <= last->uid; i++)
		if (!vec_push(&s->uidls, &uidls->items[i]))
			return;
}

static void uidls_came(struct pop3 *s, const struct frame *f)
{
	if (f->type != FRAME_UIDLS_ARE) {
		vec_clear(&s->uidls);
		pop3_reply_failed(&s->session.out,
			f->type == FRAME_FAILED ? (enum err_kind)f->failed.kind : ERR_TEMP,
			STR_NONE);
		return;
	}
	keep_uidls(s, &f->uidls_are.uidls);
	s->uidls_known = f->uidls_are.last;
	if (s->uidls_known)
		write_uidl(s);
	else
		pop3_await(s, uidls_came);
}

/* The store is asked once a session: many a client never says UIDL. */
void pop3_uidl(struct pop3 *s, struct str arg)
{
	struct pop3_message *m = NULL;
	if (arg.n > 0 && (m = pop3_message_arg(s, arg)) == NULL)
		return;
	s->at = m ? number_of(s, m) - 1 : s->drop.n;
	if (s->uidls_known) {
		write_uidl(s);
		return;
	}
	struct frame q = { .type = FRAME_UIDL_LIST,
		.uidl_list = { s->session.store_session, s->mailbox } };
	pop3_ask(s, ASK_STORE, &q, uidls_came);
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
