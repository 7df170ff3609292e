// SPDX-License-Identifier: Apache-2.0
/*
 * One pass over the pieces that mail/header.h's splitter cuts; see submit.h.
 *
 * A submitted message whose first line is no field has no header: one is put in front, with the
 * empty line that ends it, so that every reader takes the rest for the body. A line that is no
 * field after one that is, is refused: readers disagree about it (hostile-input S14). On port 25 a
 * first line that begins with a blank has the empty line in front alone, or it would be read as a
 * line of our Received field.
 */
#include "smtp/submit.h"

#include "base/limits.h"

void smtp_header_init(struct smtp_header *h, bool submission, struct str added, size_t date_n,
	void (*emit)(void *arg, struct str bytes), void *arg)
{
	*h = (struct smtp_header){ .submission = submission,
		.ends_with_lf = true,
		.added = added,
		.added_date_n = date_n,
		.emit = emit,
		.arg = arg };
	mail_splitter_init(&h->splitter);
	buf_init(&h->authors, LIMIT_FROM_BYTES);
}

void smtp_header_done(struct smtp_header *h)
{
	buf_done(&h->authors);
}

static void emit(struct smtp_header *h, struct str bytes)
{
	if (bytes.n == 0)
		return;
	h->ends_with_lf = bytes.p[bytes.n - 1] == '\n';
	h->emit(h->arg, bytes);
}

/* RFC 6409 8.2, 8.3 */
static void add_missing(struct smtp_header *h)
{
	if (h->submission && h->dates == 0)
		emit(h, str_sub(h->added, 0, h->added_date_n));
	if (h->submission && h->message_ids == 0)
		emit(h, str_from_offset(h->added, h->added_date_n));
}

/* RFC 5322 3.6.2, 3.6.6: clients show each of them as who sent the message. */
static bool names_an_author(struct str name)
{
	static const struct str fields[] = { STR_INIT("From"), STR_INIT("Sender"),
		STR_INIT("Resent-From"), STR_INIT("Resent-Sender") };
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (str_equal_nocase(name, fields[i]))
			return true;
	return false;
}

/* What each field does here. Others only go by. */
static void field_begins(struct smtp_header *h, struct str name)
{
	h->any_field = true;
	h->dropping = h->submission && (str_equal_nocase(name, STR("Bcc")) ||
					       str_equal_nocase(name, STR("Resent-Bcc")));
	h->in_author = h->submission && names_an_author(name);
	h->from_fields += str_equal_nocase(name, STR("From"));
	h->sender_fields += str_equal_nocase(name, STR("Sender"));
	h->dates += str_equal_nocase(name, STR("Date"));
	h->message_ids += str_equal_nocase(name, STR("Message-ID"));
	h->received += str_equal_nocase(name, STR("Received"));
	h->broken = h->broken || name.n == 0;
}

/* The first line would continue a field, or on submission is none. */
static bool has_no_header(const struct smtp_header *h)
{
	return !h->any_field &&
	       (!h->splitter.field_start || (h->submission && h->splitter.name.n == 0));
}

static void field(struct smtp_header *h, struct str piece)
{
	if (has_no_header(h)) {
		add_missing(h);
		emit(h, STR("\r\n"));
		h->in_body = true;
		emit(h, piece);
		return;
	}
	if (h->splitter.field_start)
		field_begins(h, h->splitter.name);
	if (h->in_author)
		buf_adds(&h->authors, piece); /* too long: authors.full */
	if (!h->dropping)
		emit(h, piece);
}

static void piece(struct smtp_header *h, enum mail_piece kind, struct str bytes)
{
	if (kind == MAIL_PIECE_END && !h->in_body) {
		add_missing(h);
		h->in_body = true;
	}
	if (kind == MAIL_PIECE_FIELD && !h->in_body)
		field(h, bytes);
	else
		emit(h, bytes);
}

void smtp_header_input(struct smtp_header *h, struct str bytes)
{
	struct str cut;
	enum mail_piece kind;
	while ((kind = mail_splitter_next(&h->splitter, &bytes, &cut)) != MAIL_PIECE_MORE)
		piece(h, kind, cut);
}

void smtp_header_end(struct smtp_header *h)
{
	struct str cut;
	enum mail_piece kind;
	while ((kind = mail_splitter_end(&h->splitter, &cut)) != MAIL_PIECE_MORE)
		piece(h, kind, cut);
	if (h->in_body || !h->submission)
		return;
	/* A header without its empty line, and no body. */
	if (!h->ends_with_lf)
		emit(h, STR("\r\n"));
	add_missing(h);
}
