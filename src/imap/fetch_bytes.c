// SPDX-License-Identifier: Apache-2.0
/* What of FETCH needs a message's bytes: BODY[…], BINARY[…], BINARY.SIZE[…] (RFC 9051 6.4.5), and
 * parsing a message that has no digest.
 *
 * A slice of the message is sent as it arrives: its length is known before. What goes through a
 * filter (HEADER.FIELDS) or a decoder (BINARY) is measured first, and kept as far as it fits; if it
 * does not, it is read a second time to be sent. So no literal is ever whole in memory. */
#include "imap/fetch.h"

#include <inttypes.h>

/* ---- which bytes ---- */

static bool needs_bytes(enum fetch_kind kind)
{
	return kind == FETCH_SECTION || kind == FETCH_BINARY || kind == FETCH_BINARY_SIZE;
}

static bool is_identity(enum mail_encoding e)
{
	return e != MAIL_QUOTED_PRINTABLE && e != MAIL_BASE64;
}

static struct extent parse_extent(const struct fetch_work *f, const struct message *m)
{
	struct extent e = { .offset = m->prefix_size };

	if (f->attrs.needs_digest && !m->has_digest && m->size > m->prefix_size)
		e.length = m->size - m->prefix_size;
	return e;
}

static struct extent item_extent(
	const struct fetch_work *f, const struct message *m, const struct fetch_item *i)
{
	struct extent e = { .found = true, .place = { .size = m->size } };
	bool whole = i->section.n_part == 0 && i->section.text == SECTION_ALL;

	if (!needs_bytes(i->kind))
		return (struct extent){ .found = false };
	if ((!whole || i->kind != FETCH_SECTION) && f->attrs.needs_digest)
		e.found = section_find(&m->digest, m->prefix_size, &i->section, &e.place);
	if (!e.found)
		return e;
	if (i->kind != FETCH_SECTION) {
		e.unknown = e.place.encoding == MAIL_ENCODING_UNKNOWN;
		if (e.unknown)
			return e;
		e.how = is_identity(e.place.encoding) ? HOW_SLICE : HOW_DECODE;
	} else if (e.place.filter) {
		e.how = HOW_FILTER;
	}
	e.offset = e.place.offset;
	e.length = e.place.size;
	if (e.how == HOW_SLICE && i->kind == FETCH_BINARY_SIZE) {
		e.length = 0;
	} else if (e.how == HOW_SLICE) {
		uint64_t from;

		fetch_partial(i, e.place.size, &from, &e.length);
		e.offset += from;
	}
	return e;
}

static struct extent extent_at(struct fetch_work *f, const struct cursor *c)
{
	const struct message *m = &f->batch.messages[c->message];
	const struct fetch_item *i;

	if (c->item == 0)
		return parse_extent(f, m);
	i = &f->attrs.items[c->item - 1];
	if (i->section.n_part > 0)
		f->worked += m->digest.bytes.n;
	return item_extent(f, m, i);
}

/* ---- asking ahead ---- */

/* The next item or message; false: what comes is not known before this message was parsed. Where
 * it is read for its digest alone, that is the next message. */
static bool cursor_next(const struct fetch_work *f, struct cursor *c)
{
	const struct message *m = &f->batch.messages[c->message];

	if (c->item == 0 && f->attrs.needs_digest && !m->has_digest) {
		if (f->attrs.needs_bytes)
			return false;
		c->item = f->attrs.n;
	}
	c->at = 0;
	if (++c->item > f->attrs.n) {
		c->item = 0;
		c->message++;
	}
	return true;
}

static bool is_whole(const struct extent *e, const struct message *m)
{
	return e->how == HOW_SLICE && e->offset == 0 && e->length == m->size &&
	       e->length <= READS_BYTES;
}

/* What was gone past without bytes is not looked at again to see that it needs none. */
static void catch_up(struct fetch_work *f, const struct cursor *to)
{
	if (f->ahead.message < to->message ||
		(f->ahead.message == to->message && f->ahead.item < to->item))
		f->ahead = (struct cursor){ .message = to->message, .item = to->item };
}

/* Whole messages that follow each other are one question. Once something is on its way, the rest
 * need not be found in this turn. */
static void ask_ahead(struct imap *s, struct fetch_work *f)
{
	struct cursor *c = &f->ahead;
	struct reads_many many = { .n = 0 };

	if (!reads_wants(&s->reads))
		return;
	while (c->message < f->batch.n &&
		(f->worked <= LIMIT_IMAP_FETCH_WORK || s->reads.n + many.n == 0)) {
		const struct message *m = &f->batch.messages[c->message];
		struct extent e = extent_at(f, c);
		uint64_t left = e.length - c->at;

		if (left == 0) {
			if (!cursor_next(f, c))
				break;
			continue;
		}
		if (!reads_room(&s->reads, &many))
			break;
		if (left > READS_BYTES)
			left = READS_BYTES;
		if (is_whole(&e, m)) {
			reads_add(&s->reads, &many, m->uid, (uint32_t)left);
		} else {
			reads_ask_many(&s->reads, &many);
			reads_ask(&s->reads, m->uid, e.offset + c->at, (uint32_t)left);
		}
		c->at += left;
	}
	reads_ask_many(&s->reads, &many);
}

/* From here on everything is asked for again. */
static void restart(struct imap *s, struct fetch_work *f, struct cursor from)
{
	reads_clear(&s->reads);
	f->ahead = from;
}

static struct piece *next_piece(struct imap *s, struct fetch_work *f, imap_step *step)
{
	struct piece *p;

	catch_up(f, &f->here);
	ask_ahead(s, f);
	p = reads_first(&s->reads);
	if (p == NULL)
		reads_wait(&s->reads, step);
	else if (p->error == ERR_NONE && p->data.n != p->length)
		p->error = ERR_CORRUPT;
	return p;
}

/* ---- a message that cannot be had ---- */

/* What the answer is to say. Damage is this message's alone; anything else is every message's. */
static void note(struct fetch_work *f, enum err_kind why)
{
	bool mild = f->worst == ERR_NONE || f->worst == ERR_NOT_FOUND;

	if (mild || (f->worst == ERR_CORRUPT && why != ERR_NOT_FOUND))
		f->worst = why;
}

/* Its response has not begun: it has none. RFC 2180 4.1.2 */
static enum progress skip_message(struct imap *s, struct fetch_work *f, enum err_kind why)
{
	note(f, why);
	mail_parser_free(&f->parser);
	f->here = (struct cursor){ .message = f->here.message + 1 };
	f->without = 0;
	restart(s, f, f->here);
	return GO_ON;
}

static void write_name(struct imap *s, struct fetch_work *f, const struct fetch_item *i)
{
	if (f->said)
		buf_addc(imap_out(s), ' ');
	f->said = true;
	fetch_item_print(i, imap_out(s));
}

/* There is no such section: nstring or nil; of "BINARY.SIZE" section-binary SP number the size of
 * that.       RFC 9051 9 */
static void write_nothing(struct imap *s, struct fetch_work *f, const struct fetch_item *i)
{
	write_name(s, f, i);
	buf_addz(imap_out(s), i->kind == FETCH_BINARY_SIZE ? " 0" : " NIL");
}

/* Its content cannot be had, and NO will say so. A size has no word for that, and must not be
 * another than it is (RFC 3516 4.3): it is left out. */
static void write_refused(struct imap *s, struct fetch_work *f, const struct fetch_item *i)
{
	if (i->kind != FETCH_BINARY_SIZE)
		write_nothing(s, f, i);
}

/* Between items: the item is NIL, as is what follows. Within a literal there is no honest way on,
 * nor a word. */
static enum progress piece_fails(struct imap *s, struct fetch_work *f, enum err_kind why)
{
	struct sending *x = &f->sending;

	if (x->open && (x->extent.how == HOW_SLICE || x->resend)) {
		log_event(&s->session.log, LOG_WARN, "imap-fetch-cut", "uid=%" PRIu32 " why=%s",
			f->batch.messages[f->here.message].uid, err_name(why));
		imap_bye(s, "[UNAVAILABLE] A message went away while it was sent");
		return GIVE_UP;
	}
	note(f, why);
	write_refused(s, f, &f->attrs.items[f->here.item - 1]);
	x->open = false;
	cursor_next(f, &f->here);
	restart(s, f, f->here);
	return GO_ON;
}

/* ---- parsing ---- */

static enum progress parse_step(struct imap *s, struct fetch_work *f, imap_step *step)
{
	struct message *m = &f->batch.messages[f->here.message];
	uint64_t size = parse_extent(f, m).length;

	if (f->parser == NULL)
		f->parser = mail_parser_new(NULL);
	while (f->here.at < size) {
		struct piece *p = next_piece(s, f, step);

		if (p == NULL)
			return MUST_WAIT;
		if (p->error != ERR_NONE)
			return skip_message(s, f, p->error);
		mail_parser_input(f->parser, buf_str(&p->data));
		f->here.at += p->data.n;
		reads_pop(&s->reads);
	}
	buf_clear(&m->bytes);
	mail_parser_end(f->parser, &m->bytes);
	mail_parser_free(&f->parser);
	f->here.at = 0;
	if (f->ahead.message == f->here.message)
		f->ahead = f->here;
	return batch_parsed(s, m) ? GO_ON : skip_message(s, f, ERR_CORRUPT);
}

/* ---- what the bytes become ---- */

/* One more piece of the result: counted, and kept or sent as far as it is wanted. */
static void emit(struct imap *s, struct sending *x, struct str piece)
{
	uint64_t begin = x->total, end = x->total + piece.n;
	uint64_t from = begin > x->from ? begin : x->from, to = end < x->to ? end : x->to;

	x->total = end;
	if (from >= to)
		return;
	piece = str_sub(piece, (size_t)(from - begin), (size_t)(to - from));
	x->nul = x->nul || str_find(piece, '\0') < piece.n;
	if (x->resend)
		imap_write(s, piece);
	else if (!x->hold.full)
		buf_adds(&x->hold, piece);
}

static void transform(struct imap *s, struct sending *x, struct str bytes)
{
	struct str piece;

	if (x->extent.how == HOW_FILTER) {
		while (section_filter_next(&x->filter, &bytes, &piece))
			emit(s, x, piece);
	} else {
		buf_clear(&x->scratch);
		mail_decoder_input(&x->decoder, bytes, &x->scratch);
		emit(s, x, buf_str(&x->scratch));
	}
}

static void transform_end(struct imap *s, struct sending *x)
{
	struct str piece;

	if (x->extent.how == HOW_FILTER) {
		while (section_filter_end(&x->filter, &piece))
			emit(s, x, piece);
	} else {
		buf_clear(&x->scratch);
		mail_decoder_end(&x->decoder, &x->scratch);
		emit(s, x, buf_str(&x->scratch));
	}
}

/* ---- one item ---- */

static void write_literal_head(
	struct imap *s, struct fetch_work *f, const struct fetch_item *i, uint64_t n, bool nul)
{
	write_name(s, f, i);
	buf_addf(imap_out(s), " %s{%" PRIu64 "}\r\n", nul ? "~" : "", n);
}

static void write_size(struct imap *s, struct fetch_work *f, const struct fetch_item *i, uint64_t n)
{
	write_name(s, f, i);
	buf_addf(imap_out(s), " %" PRIu64, n);
}

static void begin_transform(struct sending *x, const struct fetch_item *i)
{
	x->got = x->total = 0;
	if (x->extent.how == HOW_FILTER)
		section_filter_init(&x->filter, &i->section);
	else
		mail_decoder_init(&x->decoder, x->extent.place.encoding);
}

/* False: the item needs no bytes, and is written. */
static bool begin_item(struct imap *s, struct fetch_work *f)
{
	const struct fetch_item *i = &f->attrs.items[f->here.item - 1];
	const struct message *m = &f->batch.messages[f->here.message];
	struct sending *x = &f->sending;

	x->extent = extent_at(f, &f->here);
	if (!x->extent.found) {
		write_nothing(s, f, i);
		return false;
	}
	if (x->extent.unknown) {
		f->unknown_cte = true;
		write_refused(s, f, i);
		return false;
	}
	if (i->kind == FETCH_BINARY_SIZE && x->extent.how == HOW_SLICE) {
		write_size(s, f, i, x->extent.place.size);
		return false;
	}
	x->open = true;
	x->resend = x->nul = false;
	buf_clear(&x->hold);
	if (x->extent.how == HOW_SLICE) {
		x->got = 0;
		write_literal_head(s, f, i, x->extent.length,
			i->kind == FETCH_BINARY && (m->digest.flags & DIGEST_NUL) != 0);
		return true;
	}
	begin_transform(x, i);
	x->from = i->partial ? i->offset : 0;
	x->to = i->partial ? i->offset + i->length : UINT64_MAX;
	return true;
}

/* The bytes of the extent, as they come. */
static enum progress item_bytes(struct imap *s, struct fetch_work *f, imap_step *step)
{
	struct sending *x = &f->sending;
	bool mask = f->attrs.items[f->here.item - 1].kind == FETCH_SECTION;

	while (x->got < x->extent.length) {
		struct piece *p;

		if (s->line.n >= IMAP_ROOM_BYTES) {
			s->step = step;
			return MUST_WAIT;
		}
		p = next_piece(s, f, step);
		if (p == NULL)
			return MUST_WAIT;
		if (p->error != ERR_NONE)
			return piece_fails(s, f, p->error);
		if (mask)
			fetch_mask_nul(p->data.p, p->data.n);
		if (x->extent.how == HOW_SLICE)
			imap_write(s, buf_str(&p->data));
		else
			transform(s, x, buf_str(&p->data));
		x->got += p->data.n;
		reads_pop(&s->reads);
	}
	return GO_ON;
}

/* All was measured: it is written, or read again to be written. */
static bool item_measured(struct imap *s, struct fetch_work *f)
{
	const struct fetch_item *i = &f->attrs.items[f->here.item - 1];
	struct sending *x = &f->sending;
	uint64_t to = x->to < x->total ? x->to : x->total;
	uint64_t n = to > x->from ? to - x->from : 0;

	if (i->kind == FETCH_BINARY_SIZE) {
		write_size(s, f, i, x->total);
		return true;
	}
	write_literal_head(s, f, i, n, i->kind == FETCH_BINARY && x->nul);
	if (!x->hold.full) {
		buf_adds(imap_out(s), buf_str(&x->hold));
		return true;
	}
	x->resend = true;
	begin_transform(x, i);
	restart(s, f, (struct cursor){ .message = f->here.message, .item = f->here.item });
	return false;
}

static enum progress item_step(struct imap *s, struct fetch_work *f, imap_step *step)
{
	const struct fetch_item *i = &f->attrs.items[f->here.item - 1];
	struct sending *x = &f->sending;
	enum progress p;

	if (!needs_bytes(i->kind)) {
		write_name(s, f, i);
		buf_addc(imap_out(s), ' ');
		fetch_write_value(s, f, &f->batch.messages[f->here.message], f->here.item - 1);
		return GO_ON;
	}
	if (!x->open && !begin_item(s, f))
		return GO_ON;
	do {
		p = item_bytes(s, f, step);
		if (p != GO_ON || !x->open)
			return p;
		if (x->extent.how != HOW_SLICE)
			transform_end(s, x);
	} while (x->extent.how != HOW_SLICE && !x->resend && !item_measured(s, f));
	x->open = false;
	return GO_ON;
}

/* ---- one message ---- */

/* Which item of the message is the first that needs bytes: they are asked for from there on. False:
 * it takes more than one turn to know. */
static bool first_is_known(struct fetch_work *f)
{
	struct cursor c = { .message = f->here.message };

	while (f->without < f->attrs.n) {
		if (f->worked > LIMIT_IMAP_FETCH_WORK)
			return false;
		c.item = f->without + 1;
		if (extent_at(f, &c).length > 0)
			break;
		f->without++;
	}
	catch_up(f, &c);
	return true;
}

/* Nothing is said of a message before its first bytes are here: until then it may turn out to be
 * expunged. */
static enum progress open_message(struct imap *s, struct fetch_work *f, imap_step *step)
{
	const struct message *m = &f->batch.messages[f->here.message];

	if (f->attrs.needs_digest && !m->has_digest)
		return parse_step(s, f, step);
	if (!first_is_known(f))
		return GO_ON; /* as far as here, and on in another turn */
	if (f->without < f->attrs.n) {
		const struct piece *p = next_piece(s, f, step);

		if (p == NULL)
			return MUST_WAIT;
		if (p->error != ERR_NONE)
			return skip_message(s, f, p->error);
	}
	f->without = 0;
	fetch_open(s, m->sequence);
	f->said = false;
	f->here.item = 1;
	return GO_ON;
}

/* msg-att is never empty: a UID may always be told.   RFC 9051 9 */
static void close_message(struct imap *s, struct fetch_work *f, const struct message *m)
{
	if (!f->said)
		buf_addf(imap_out(s), "UID %" PRIu32, m->uid);
	fetch_message_done(s, f, m);
}

enum progress fetch_message_step(struct imap *s, struct fetch_work *f, imap_step *step)
{
	size_t message = f->here.message, item = f->here.item;
	enum progress p;

	if (item == 0)
		return open_message(s, f, step);
	p = item_step(s, f, step);
	if (p != GO_ON)
		return p;
	if (f->here.item == item && f->here.message == message)
		cursor_next(f, &f->here);
	if (f->here.message != message)
		close_message(s, f, &f->batch.messages[message]);
	return GO_ON;
}
