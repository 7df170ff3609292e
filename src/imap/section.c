// SPDX-License-Identifier: Apache-2.0
/* Where BODY[…] lies in a message, and which fields of a header pass. RFC 9051 6.4.5.1. */
#include "imap/fetch_write.h"

#include "imap/token.h"

static bool is_filter(enum section_text text)
{
	return text == SECTION_HEADER_FIELDS || text == SECTION_HEADER_FIELDS_NOT;
}

/* The message itself: the prefix is the beginning of its header. */
static void find_in_message(
	const struct digest *d, uint64_t prefix, const struct section *s, struct section_place *ret)
{
	uint64_t header = prefix + d->header_size, all = prefix + d->size;
	if (s->text == SECTION_ALL)
		ret->size = all;
	else if (s->text == SECTION_TEXT)
		ret->offset = header, ret->size = all - header;
	else
		ret->size = header;
}

static bool find_in_part(
	const struct digest *d, uint64_t prefix, const struct section *s, struct section_place *ret)
{
	struct digest_part part, inner;
	if (!digest_find(d, s->part, s->n_part, &part))
		return false;
	if (s->text == SECTION_ALL) {
		bool multipart = part.kind == DIGEST_MULTIPART;
		*ret = (struct section_place){ prefix + part.body_at, part.body_size,
			.encoding = multipart ? MAIL_7BIT : digest_said_encoding(&part) };
		return true;
	}
	if (s->text == SECTION_MIME) {
		*ret = (struct section_place){ prefix + part.header_at, part.header_size };
		return true;
	}
	/* HEADER and TEXT of a part are those of the message that it holds. */
	if (part.kind != DIGEST_MESSAGE || !digest_first_child(d, &part, &inner))
		return false;
	uint64_t end = part.body_at + part.body_size;
	if (s->text == SECTION_TEXT)
		*ret = (struct section_place){ prefix + inner.body_at, end - inner.body_at };
	else
		*ret = (struct section_place){ prefix + inner.header_at, inner.header_size };
	return true;
}

bool section_find(const struct digest *d, uint32_t prefix_size, const struct section *s,
	struct section_place *ret)
{
	struct section_place place = { 0 };
	if (s->n_part == 0)
		find_in_message(d, prefix_size, s, &place);
	else if (!find_in_part(d, prefix_size, s, &place))
		return false;
	place.filter = is_filter(s->text);
	*ret = place;
	return true;
}

/* ---- fields ---- */

void section_filter_init(struct section_filter *f, const struct section *s)
{
	f->section = s;
	mail_splitter_init(&f->splitter);
}

static bool is_named(const struct section *s, struct str name)
{
	for (size_t i = 0; name.n > 0 && i < s->n_fields; i++) {
		if (str_equal_nocase(s->fields[i], name))
			return true;
	}
	return false;
}

/* A broken field has no name: it is in no list, and so in every .NOT. */
static bool passes(const struct section_filter *f, enum mail_piece kind)
{
	if (kind != MAIL_PIECE_FIELD)
		return kind == MAIL_PIECE_END;
	return is_named(f->section, f->splitter.name) ==
	       (f->section->text == SECTION_HEADER_FIELDS);
}

bool section_filter_next(struct section_filter *f, struct str *bytes, struct str *ret_piece)
{
	enum mail_piece kind;
	while ((kind = mail_splitter_next(&f->splitter, bytes, ret_piece)) != MAIL_PIECE_MORE) {
		if (passes(f, kind) && ret_piece->n > 0)
			return true;
	}
	return false;
}

bool section_filter_end(struct section_filter *f, struct str *ret_piece)
{
	enum mail_piece kind;
	while ((kind = mail_splitter_end(&f->splitter, ret_piece)) != MAIL_PIECE_MORE) {
		if (passes(f, kind) && ret_piece->n > 0)
			return true;
	}
	return false;
}

bool section_filter(const struct section *s, struct str header, struct buf *out)
{
	struct section_filter f;
	struct str piece;
	bool ok = true;
	section_filter_init(&f, s);
	while (section_filter_next(&f, &header, &piece))
		ok = buf_adds(out, piece) && ok;
	while (section_filter_end(&f, &piece))
		ok = buf_adds(out, piece) && ok;
	return ok;
}

void fetch_partial(
	const struct fetch_item *item, uint64_t n, uint64_t *ret_from, uint64_t *ret_length)
{
	uint64_t from = 0, length = n;
	if (item->partial) {
		from = item->offset < n ? item->offset : n;
		length = item->length < n - from ? item->length : n - from;
	}
	*ret_from = from;
	*ret_length = length;
}

void fetch_mask_nul(char *p, size_t n)
{
	for (char *at = p; n > 0 && (at = memchr(at, 0, (size_t)(p + n - at))) != NULL;)
		*at = (char)0x80;
}
