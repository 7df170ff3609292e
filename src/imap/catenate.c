// SPDX-License-Identifier: Apache-2.0
/* CATENATE's URLs (RFC 4469 3): the bytes that BODY.PEEK[…] would give are read from the store and
 * go into the message being made, a piece at a time. \Seen stays as it is. Whatever is wrong with a
 * URL is NO [BADURL]: its syntax, no such mailbox of this account or one with another UIDVALIDITY,
 * no such message or part. */
#include "imap/append.h"

#include "imap/mailbox_name.h"

#define DIGEST_PUT_MAX 64000 /* digest_put: digest */
#define PIECE_BYTES    60000 /* what a header's filter holds back comes on top of it */

void catenate_init(struct catenate *c)
{
	buf_init(&c->bytes, LIMIT_DIGEST_BYTES);
}

void catenate_drop(struct catenate *c)
{
	buf_done(&c->bytes);
	mail_parser_free(&c->parser);
}

static struct append_work *work_of(struct imap *s)
{
	return s->cmd.work;
}

static struct catenate *catenate_of(struct imap *s)
{
	return &work_of(s)->catenate;
}

/* ---- what ends it ---- */

/* url-resp-text = 1*<any TEXT-CHAR except "]">, quoted as in the RFC's example; what may not stand
 * there is encoded.                                            RFC 4469 5 */
static void bad_url(struct imap *s)
{
	struct str url = catenate_of(s)->given;
	struct buf code;

	buf_init(&code, 3 * LIMIT_IMAP_URL_BYTES + 32);
	buf_addz(&code, "BADURL \"");
	for (size_t i = 0; i < url.n; i++) {
		unsigned char c = (unsigned char)url.p[i];

		if (c < 0x20 || c >= 0x7f || c == ']' || c == '"' || c == '\\')
			buf_addf(&code, "%%%02X", c);
		else
			buf_addc(&code, (char)c);
	}
	buf_addc(&code, '"');
	reply_no(s, code.p, "No such message or part");
	buf_done(&code);
	append_stop(s);
}

/* True: the answer is what was asked for. */
static bool expect(struct imap *s, const struct frame *answer, enum frame_type expected)
{
	if (answer->type == expected)
		return true;
	s->request = 0;
	if (answer->type == FRAME_FAILED && answer->failed.kind == ERR_NOT_FOUND) {
		bad_url(s);
		return false;
	}
	reply_failed(s, answer);
	append_stop(s);
	return false;
}

static void done(struct imap *s)
{
	struct catenate *c = catenate_of(s);

	buf_release(&c->bytes);
	mail_parser_free(&c->parser);
	append_push(s, append_proceed);
}

/* ---- the bytes ---- */

static void take_bytes(struct imap *s, const struct frame *answer);

static void ask_bytes(struct imap *s, uint64_t most, imap_answer *answer)
{
	const struct catenate *c = catenate_of(s);
	uint64_t left = most < PIECE_BYTES ? most : PIECE_BYTES;

	imap_ask(s, ASK_STORE,
		&(struct frame){ .type = FRAME_MESSAGE_READ,
			.message_read = { s->session.store_session, c->mailbox, c->url.uid, c->at,
				(uint32_t)left } },
		answer);
}

static bool give(struct imap *s, struct str bytes)
{
	if (append_push_bytes(s, bytes))
		return true;
	reply_no(s, "TOOBIG", "Message is too large");
	append_stop(s);
	return false;
}

/* Of a filtered header, the bytes that ;PARTIAL= wants. */
static bool give_wanted(struct imap *s, struct str piece)
{
	struct catenate *c = catenate_of(s);
	uint64_t begin = c->passed, end = c->passed + piece.n;
	uint64_t from = begin > c->from ? begin : c->from, to = end < c->to ? end : c->to;

	c->passed = end;
	return from >= to || give(s, str_sub(piece, (size_t)(from - begin), (size_t)(to - from)));
}

static bool give_fields(struct imap *s, struct str bytes, bool last)
{
	struct catenate *c = catenate_of(s);
	struct str piece;

	while (section_filter_next(&c->filter, &bytes, &piece))
		if (!give_wanted(s, piece))
			return false;
	while (last && section_filter_end(&c->filter, &piece))
		if (!give_wanted(s, piece))
			return false;
	return true;
}

/* A step: the channel took what came before. */
static void copy(struct imap *s)
{
	const struct catenate *c = catenate_of(s);

	if (work_of(s)->error != ERR_NONE || c->at == c->end)
		done(s);
	else
		ask_bytes(s, c->end - c->at, take_bytes);
}

static void take_bytes(struct imap *s, const struct frame *answer)
{
	struct catenate *c = catenate_of(s);
	struct str bytes;

	if (!expect(s, answer, FRAME_MESSAGE_BYTES))
		return;
	s->request = 0;
	bytes = answer->message_bytes.data;
	if (bytes.n == 0 || bytes.n > c->end - c->at) {
		reply_err(s, ERR_CORRUPT, STR_NONE);
		append_stop(s);
		return;
	}
	c->at += bytes.n;
	if (c->place.filter ? give_fields(s, bytes, c->at == c->end) : give(s, bytes))
		append_push(s, copy);
}

/* ---- which bytes ---- */

static void located(struct imap *s)
{
	struct catenate *c = catenate_of(s);
	uint64_t from, length;

	if (c->place.filter) {
		c->from = c->item.partial ? c->item.offset : 0;
		c->to = c->item.partial ? c->item.offset + c->item.length : UINT64_MAX;
		c->passed = 0;
		section_filter_init(&c->filter, &c->item.section);
		from = 0;
		length = c->place.size;
	} else {
		fetch_partial(&c->item, c->place.size, &from, &length);
	}
	c->at = c->place.offset + from;
	c->end = c->at + length;
	s->step = copy;
}

static void find_section(struct imap *s)
{
	struct catenate *c = catenate_of(s);

	if (section_find(&c->digest, c->prefix_size, &c->item.section, &c->place))
		located(s);
	else
		bad_url(s);
}

static bool open_digest(struct catenate *c)
{
	return c->prefix_size <= c->size && c->bytes.n > 0 && !c->bytes.full &&
	       digest_open(&c->digest, buf_str(&c->bytes), c->size - c->prefix_size);
}

/* ---- a message without a digest is parsed ---- */

/* So that its other parts need no parsing. */
static void keep_digest(struct imap *s)
{
	const struct catenate *c = catenate_of(s);

	if (c->bytes.n <= DIGEST_PUT_MAX)
		s->session.host->tell(s->session.host, &s->session, ASK_STORE, 0,
			&(struct frame){ .type = FRAME_DIGEST_PUT,
				.digest_put = { s->session.store_session, c->mailbox, c->url.uid,
					buf_str(&c->bytes) } });
}

static void take_to_parse(struct imap *s, const struct frame *answer)
{
	struct catenate *c = catenate_of(s);

	if (!expect(s, answer, FRAME_MESSAGE_BYTES))
		return;
	s->request = 0;
	mail_parser_input(c->parser, answer->message_bytes.data);
	c->at += answer->message_bytes.data.n;
	if (answer->message_bytes.data.n > 0 && c->at < c->size) {
		ask_bytes(s, c->size - c->at, take_to_parse);
		return;
	}
	buf_clear(&c->bytes);
	mail_parser_end(c->parser, &c->bytes);
	mail_parser_free(&c->parser);
	if (!open_digest(c)) {
		reply_err(s, ERR_CORRUPT, STR_NONE);
		append_stop(s);
		return;
	}
	keep_digest(s);
	find_section(s);
}

static void take_digest(struct imap *s, const struct frame *answer)
{
	struct catenate *c = catenate_of(s);

	if (!expect(s, answer, FRAME_DIGEST_IS))
		return;
	c->prefix_size = answer->digest_is.prefix_size;
	buf_adds(&c->bytes, answer->digest_is.digest);
	if (!answer->digest_is.last)
		return;
	s->request = 0;
	if (open_digest(c)) {
		find_section(s);
		return;
	}
	c->parser = mail_parser_new(NULL);
	c->at = c->prefix_size;
	ask_bytes(s, PIECE_BYTES, take_to_parse);
}

/* ---- which message ---- */

static void take_size(struct imap *s, const struct frame *answer)
{
	struct catenate *c = catenate_of(s);

	if (!expect(s, answer, FRAME_MESSAGE_BYTES))
		return;
	s->request = 0;
	c->size = answer->message_bytes.size;
	if (c->url.section.p == NULL) {
		c->place = (struct section_place){ .size = c->size };
		located(s);
		return;
	}
	imap_ask(s, ASK_STORE,
		&(struct frame){ .type = FRAME_DIGEST_READ,
			.digest_read = { s->session.store_session, c->mailbox,
				{ &c->url.uid, 1 } } },
		take_digest);
}

static void take_mailbox(struct imap *s, const struct frame *answer)
{
	struct catenate *c = catenate_of(s);
	const struct api_mailbox_list *list = &answer->mailboxes.mailboxes;

	if (!expect(s, answer, FRAME_MAILBOXES))
		return;
	s->request = 0;
	if (list->n != 1 || !list->items[0].exists ||
		(c->url.uidvalidity != 0 && c->url.uidvalidity != list->items[0].uidvalidity)) {
		bad_url(s);
		return;
	}
	c->mailbox = list->items[0].id;
	ask_bytes(s, 1, take_size);
}

static void ask_mailbox(struct imap *s)
{
	const struct catenate *c = catenate_of(s);
	struct err err = ERR_INIT;
	struct buf name;

	buf_init(&name, LIMIT_MAILBOX_NAME_BYTES);
	if (mailbox_name_read(c->url.mailbox, true, &name, &err) < 0)
		bad_url(s);
	else
		imap_ask(s, ASK_STORE,
			&(struct frame){ .type = FRAME_MAILBOX_STATUS,
				.mailbox_status = { s->session.store_session, buf_str(&name) } },
			take_mailbox);
	buf_done(&name);
}

/* The section as FETCH would have it in brackets. */
static bool read_item(struct imap *s, struct catenate *c)
{
	const struct imap_url *u = &c->url;
	struct err err = ERR_INIT;
	struct buf text;
	struct scan a;
	bool ok = true;

	c->item = (struct fetch_item){ .kind = FETCH_SECTION,
		.partial = u->partial,
		.offset = u->offset,
		.length = u->length != 0 ? u->length : INT64_MAX };
	if (u->section.p == NULL)
		return true;
	buf_init(&text, LIMIT_IMAP_URL_BYTES + 2);
	buf_addf(&text, "[%" STR_FMT "]", STR_ARG(u->section));
	a = scan_from(arena_str(&s->arena, buf_str(&text)));
	ok = section_parse(&a, &s->arena, &c->item.section, &err) == 0 && scan_end(&a);
	buf_done(&text);
	return ok;
}

void catenate_copy(struct imap *s, struct str url)
{
	struct catenate *c = catenate_of(s);

	c->given = arena_str(&s->arena, url);
	c->prefix_size = 0;
	buf_clear(&c->bytes);
	if (!imap_url_parse(c->given, &s->arena, &c->url) || !read_item(s, c)) {
		bad_url(s);
	} else if (c->url.mailbox.p != NULL) {
		ask_mailbox(s);
	} else if (s->sel.view != NULL) { /* the base URL: RFC 4469 3 */
		c->mailbox = s->sel.mailbox;
		ask_bytes(s, 1, take_size);
	} else {
		bad_url(s);
	}
}
