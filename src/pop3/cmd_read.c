// SPDX-License-Identifier: Apache-2.0
/* RETR   RFC 1939 5      TOP   RFC 1939 7
 *
 * A message is pulled from the store a piece at a time, as the client makes room; no more than one
 * piece is in memory, but for what RETR asks for ahead (ahead.c). +OK is said with the first piece,
 * so that a message that can't be read is refused; one that breaks off later can only be told by
 * ending the connection.
 *
 * With pop3_surrogates, who has not said UTF8 gets a surrogate where header fields hold
 * UTF-8 (mail/surrogate.h). RFC 6856 2.1 leaves that or a refusal; one message that is refused
 * keeps many clients from all that come behind it, and whoever sends it chooses that. LIST, STAT
 * and the lines with +OK say the size of what is stored, as RFC 6858 4 allows. */
#include "pop3/pop3_private.h"

#define PIECE_BYTES 65000 /* what one message_bytes frame holds */
/* Bytes, stuffed (half as much again at worst), and the lines around them. */
#define STUFFED_BYTES(n) ((n) + (n) / 2 + 1024)
/* A surrogate may be longer, and have held a field back from the piece before. */
#define FIRST_ROOM(n) STUFFED_BYTES((n) + LIMIT_SURROGATE_EXTRA_BYTES)
#define PIECE_ROOM    FIRST_ROOM(PIECE_BYTES + LIMIT_SURROGATE_FIELD_BYTES)
_Static_assert(PIECE_ROOM < LIMIT_SESSION_OUT_BYTES, "a stuffed piece fits");

static void piece_came(struct pop3 *s, const struct frame *f);

static const struct pop3_message *message(const struct pop3 *s)
{
	return vec_at(&s->drop, s->at);
}

static void broken(struct pop3 *s, enum err_kind kind)
{
	s->writing = NULL;
	if (!s->read.begun) {
		pop3_reply_failed(&s->session.out, kind,
			kind == ERR_NOT_FOUND ? STR("the message is gone") : STR_NONE);
		return;
	}
	log_event(&s->session.log, LOG_WARN, "pop3-broken-off", "uid=%u offset=%" PRIu64,
		message(s)->uid, s->read.offset);
	pop3_close(s);
}

static void begin(struct pop3 *s, uint64_t size)
{
	s->read.begun = true;
	if (s->read.top)
		pop3_say(s, "+OK top of message follows");
	else
		pop3_say(s, "+OK %" PRIu64 " octets", size);
}

/* Bytes as they are to be read by the client. */
static void send(void *arg, struct str data)
{
	struct pop3 *s = arg;
	if (s->read.enough)
		return;
	if (s->read.top)
		data.n = pop3_top_take(&s->read.limit, data, &s->read.enough);
	s->octets_sent += data.n;
	if (!pop3_stuff(&s->read.stuffer, data, &s->session.out))
		pop3_close(s); /* more than was asked for */
}

/* The next bytes of a message of that size. */
static void give(struct pop3 *s, uint64_t size, struct str data)
{
	if (!s->read.begun)
		begin(s, size);
	s->read.offset += data.n;
	s->read.last = s->read.offset >= size;
	if (s->utf8 || !s->session.host->settings->pop3_surrogates) {
		send(s, data);
	} else {
		mail_surrogate_input(&s->read.surrogate, data);
		if (s->read.last)
			mail_surrogate_end(&s->read.surrogate);
	}
	s->read.last |= s->read.enough;
	if (s->read.last)
		mail_surrogate_done(&s->read.surrogate);
}

static bool end(struct pop3 *s)
{
	struct pop3_message *m = vec_at(&s->drop, s->at);
	if (!s->read.top)
		m->retrieved = true;
	return pop3_stuff_end(&s->read.stuffer, &s->session.out);
}

/* Asks for the next piece when there is room for it. */
static bool write_message(struct pop3 *s)
{
	if (!pop3_has_room(s, PIECE_ROOM))
		return false;
	if (s->read.last)
		return end(s);
	struct frame q = { .type = FRAME_MESSAGE_READ,
		.message_read = { s->session.store_session, s->mailbox, message(s)->uid,
			s->read.offset, PIECE_BYTES } };
	pop3_ask(s, ASK_STORE, &q, piece_came);
	return false;
}

static void piece_came(struct pop3 *s, const struct frame *f)
{
	if (f->type != FRAME_MESSAGE_BYTES ||
		(f->message_bytes.data.n == 0 && s->read.offset < f->message_bytes.size)) {
		broken(s, f->type == FRAME_FAILED ? f->failed.kind : ERR_TEMP);
		return;
	}
	give(s, f->message_bytes.size, f->message_bytes.data);
}

/* RETR's beginning was asked for already, most often long before. */
static bool write_first(struct pop3 *s)
{
	const struct pop3_ahead *a = pop3_ahead_head(s);
	if (a == NULL || (a->came && a->gone)) {
		broken(s, a ? ERR_NOT_FOUND : s->ahead_failed);
		if (a)
			pop3_ahead_taken(s);
		return true;
	}
	if (!a->came || !pop3_has_room(s, FIRST_ROOM(a->bytes.n)))
		return false;
	give(s, a->size, buf_str(&a->bytes));
	pop3_ahead_taken(s);
	return s->read.last ? end(s) : write_message(s);
}

static bool write_retr(struct pop3 *s)
{
	return s->read.begun ? write_message(s) : write_first(s);
}

static void read_message(struct pop3 *s, struct pop3_message *m, bool top, uint64_t lines)
{
	s->at = (size_t)(m - (struct pop3_message *)vec_at(&s->drop, 0));
	s->read.offset = 0;
	s->read.begun = s->read.last = s->read.enough = false;
	s->read.top = top;
	s->read.limit = (struct pop3_top){ .lines = lines };
	pop3_stuffer_init(&s->read.stuffer);
	mail_surrogate_done(&s->read.surrogate);
	mail_surrogate_init(&s->read.surrogate, send, s);
	if (!top)
		pop3_ahead_begin(s, s->at);
	pop3_write(s, top ? write_message : write_retr);
}

void pop3_retr(struct pop3 *s, struct str arg)
{
	struct pop3_message *m = pop3_message_arg(s, arg);
	if (m != NULL)
		read_message(s, m, false, 0);
}

/* TOP msg n: n is a non-negative number of lines. */
void pop3_top(struct pop3 *s, struct str arg)
{
	struct str count = arg, number = str_split(&count, ' ');
	struct scan scan = scan_from(count);
	uint64_t lines;
	if (!scan_number(&scan, UINT64_MAX, &lines) || scan_wsp(&scan) > 1 || !scan_end(&scan)) {
		pop3_refuse(s, "TOP has a message number and a number of lines");
		return;
	}
	struct pop3_message *m = pop3_message_arg(s, number);
	if (m != NULL)
		read_message(s, m, true, lines);
}
