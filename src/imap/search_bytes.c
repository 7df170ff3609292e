// SPDX-License-Identifier: Apache-2.0
/* The last stage of a search: the message's own bytes. RFC 9051 6.4.4: HEADER, BODY, TEXT.
 *
 * The message is read in ranges that the digest names: its header, then for TEXT the header of each
 * part, and each text part and the header of each message inside. A header goes field by field,
 * unfolded and decoded, a long field in pieces; a part through transfer decoding, charset and case
 * folding into a window. Of a window, and of a field's pieces, the end is kept as long as the
 * longest needle, so that nothing is missed where two of them meet. */
#include "imap/search_private.h"

#include "base/abnf.h"
#include "base/limits.h"
#include "mail/charset.h"
#include "mail/digest.h"
#include "mail/encoded.h"
#include "mail/header.h"
#include "mail/transfer.h"

#include <stdlib.h>

#define READ_BYTES  65000 /* what one message_bytes frame holds */
#define SLICE_BYTES 8192  /* decoded at a time */
#define AHEAD_BYTES                                                                                \
	16384 /* asked for at least: small parts that follow each other are one question */
/* A decoded slice with what the decoder held, its UTF-8 (3 bytes a byte), and that as it is
 * compared: the bounds that the headers of mail/ give. */
#define DECODED_BYTES (SLICE_BYTES + 2048)
#define UTF8_BYTES    (3 * DECODED_BYTES + 64)
#define FOLDED_BYTES  (MAIL_SEARCH_GROWTH * UTF8_BYTES)
/* The same of a piece of a field, with its name. */
#define LINE_BYTES                                                                                 \
	(MAIL_SEARCH_GROWTH * (3 * LIMIT_HEADER_LINE_BYTES + 64 + LIMIT_FIELD_NAME_BYTES))

enum reading { READ_START, READ_HEADER, READ_MIME_HEADER, READ_INNER_HEADER, READ_TEXT };

struct search_bytes {
	const struct search *search;
	const struct digest *digest;
	uint64_t prefix;
	uint8_t *leaves; /* enum truth */
	bool finished;
	uint64_t looked; /* bytes that the keys were held against, since it was asked */
	size_t longest;  /* needle of HEADER, BODY and TEXT */
	struct signature_maker *maker; /* NULL: nobody wants a signature */
	struct buf signature;
	/* the range being read */
	enum reading reading;
	uint64_t offset, end;
	struct digest_part part;
	bool header_done; /* the part's own header is a message's, or has been read */
	struct buf ahead; /* what came from behind that range, and so lies at ahead_at */
	uint64_t ahead_at;
	/* a header */
	struct mail_splitter splitter;
	struct buf field; /* a piece of one, as it stands, up to LIMIT_HEADER_LINE_BYTES */
	bool begun;       /* a piece of the same field was looked at before: */
	bool gap;         /* which ended in a blank */
	struct buf name;  /* the field's */
	struct buf line;  /* its name, ": " and value as they are compared; or the end of that */
	size_t head;      /* so much of it is name and ": " */
	/* a part */
	struct mail_decoder decoder;
	struct mail_converter *converter;
	struct buf decoded, utf8, window;
};

/* Whether the text that keys of these kinds look at is still wanted. */
static bool is_open(const struct search_bytes *b, enum search_op from, enum search_op to)
{
	if (b->maker && to == SEARCH_TEXT)
		return true;
	for (size_t i = 0; i < b->search->n; i++) {
		enum search_op op = b->search->keys[i].op;
		if (b->leaves[i] == TRUTH_OPEN && op >= from && op <= to)
			return true;
	}
	return false;
}

/* An empty needle is in everything. */
static void answer_empty(struct search_bytes *b)
{
	for (size_t i = 0; i < b->search->n; i++) {
		const struct search_key *key = &b->search->keys[i];
		if ((key->op == SEARCH_BODY || key->op == SEARCH_TEXT) && key->text.n == 0)
			b->leaves[i] = TRUTH_YES;
	}
}

static size_t longest_needle(const struct search *search)
{
	size_t longest = 0;
	for (size_t i = 0; i < search->n; i++) {
		const struct search_key *key = &search->keys[i];
		if (key->op >= SEARCH_HEADER && key->text.n > longest)
			longest = key->text.n;
	}
	return longest;
}

static struct search_bytes *make(
	const struct search *search, const struct digest *d, uint32_t prefix_size)
{
	struct search_bytes *b = xmalloc(sizeof(*b));
	b->search = search;
	b->digest = d;
	b->prefix = prefix_size;
	b->leaves = xcalloc(search->n, sizeof(*b->leaves));
	buf_init(&b->field, LIMIT_HEADER_LINE_BYTES);
	buf_init(&b->decoded, DECODED_BYTES);
	buf_init(&b->utf8, UTF8_BYTES);
	buf_init(&b->signature, SIGNATURE_BYTES_MOST);
	buf_init(&b->ahead, AHEAD_BYTES);
	b->longest = longest_needle(search);
	buf_init(&b->window, FOLDED_BYTES + b->longest);
	buf_init(&b->name, LIMIT_FIELD_NAME_BYTES);
	buf_init(&b->line, LINE_BYTES + b->longest);
	return b;
}

struct search_bytes *search_bytes_new(const struct search *search, const struct view *v,
	uint32_t sequence, uint8_t held, const struct digest *d, uint32_t prefix_size)
{
	struct search_bytes *b = make(search, d, prefix_size);
	search_ask_entry(search, v, sequence, b->leaves);
	search_ask_signature(search, held, b->leaves);
	if (view_entry(v, sequence) != NULL)
		search_ask_digest(search, d, b->leaves);
	answer_empty(b);
	return b;
}

void search_bytes_free(struct search_bytes **b)
{
	if (*b == NULL)
		return;
	mail_converter_free(&(*b)->converter);
	buf_done(&(*b)->field);
	buf_done(&(*b)->name);
	buf_done(&(*b)->line);
	buf_done(&(*b)->decoded);
	buf_done(&(*b)->utf8);
	buf_done(&(*b)->window);
	buf_done(&(*b)->ahead);
	buf_done(&(*b)->signature);
	free((*b)->maker);
	free((*b)->leaves);
	free(*b);
	*b = NULL;
}

bool search_bytes_answer(const struct search_bytes *b)
{
	return search_truth(b->search, b->leaves) == TRUTH_YES;
}

uint64_t search_bytes_looked(struct search_bytes *b)
{
	uint64_t looked = b->looked;
	b->looked = 0;
	return looked;
}

void search_bytes_sign(struct search_bytes *b)
{
	b->maker = xmalloc(sizeof(*b->maker));
	signature_begin(b->maker);
}

struct str search_bytes_signature(struct search_bytes *b)
{
	signature_end(b->maker, &b->signature);
	return buf_str(&b->signature);
}

static void sign(struct search_bytes *b, struct str folded)
{
	if (b->maker)
		signature_add(b->maker, folded);
}

static void end_of_text(struct search_bytes *b)
{
	if (b->maker)
		signature_break(b->maker);
}

/* ---- headers ---- */

static bool find_field(const struct search_bytes *b, const struct search_key *key)
{
	struct str line = buf_str(&b->line), value = str_from_offset(line, b->head);
	switch ((int)key->op) {
	case SEARCH_HEADER: /* an empty needle: the field is there */
		if (b->reading != READ_HEADER || !str_equal_nocase(key->field, buf_str(&b->name)))
			return false;
		return key->text.n == 0 || str_search(value, key->text) < value.n;
	case SEARCH_BODY: /* the header of a message inside is part of the body */
		return b->reading == READ_INNER_HEADER && str_search(line, key->text) < line.n;
	case SEARCH_TEXT: /* "including MIME header fields" (RFC 9051 6.4.4) */
		return str_search(line, key->text) < line.n;
	default:
		return false;
	}
}

static void add_to_line(struct search_bytes *b, struct str utf8)
{
	size_t before = b->line.n;
	mail_search_text(utf8, &b->line);
	sign(b, str_from_offset(buf_str(&b->line), before));
}

/* Takes the name off the first piece of a field. */
static struct str begin_field(struct search_bytes *b, struct str piece)
{
	struct mail_field f;
	b->begun = true;
	if (!mail_field_next(&piece, &f))
		return STR_NONE;
	buf_adds(&b->name, f.name);
	add_to_line(b, f.name);
	add_to_line(b, STR(": "));
	b->head = b->line.n;
	return f.value;
}

static void add_value(struct search_bytes *b, struct str value)
{
	struct buf flat, text;
	buf_init(&flat, value.n);
	buf_init(&text, 3 * value.n + 64);
	mail_unfold(value, &flat);
	mail_encoded_decode(buf_str(&flat), &text);
	add_to_line(b, buf_str(&text));
	buf_done(&flat);
	buf_done(&text);
}

static bool is_blank(char c)
{
	return abnf_is_wsp(c) || c == '\r' || c == '\n';
}

static void look_at_field(struct search_bytes *b, struct str piece)
{
	if (!b->begun)
		piece = begin_field(b, piece);
	else if (b->gap || (piece.n > 0 && is_blank(piece.p[0])))
		add_to_line(b, STR(" "));
	add_value(b, piece);
	b->looked += b->line.n;
	for (size_t i = 0; i < b->search->n; i++) {
		if (b->leaves[i] == TRUTH_OPEN && find_field(b, &b->search->keys[i]))
			b->leaves[i] = TRUTH_YES;
	}
}

/* The field that has been gathered is complete. */
static void end_field(struct search_bytes *b)
{
	if (!b->begun && b->field.n == 0)
		return;
	look_at_field(b, buf_str(&b->field));
	end_of_text(b);
	buf_clear(&b->field);
	buf_clear(&b->name);
	buf_release(&b->line);
	b->head = 0;
	b->begun = b->gap = false;
}

/* Where a piece of a long field may end: behind the comma of an address and its blanks, else behind
 * blanks, in its second half, with two bytes left to tell what follows; else before its last
 * character. */
static size_t field_cut(struct str piece)
{
	size_t blank = 0, cut = piece.n;
	for (size_t i = piece.n - 2; i > piece.n / 2; i--) {
		size_t end = i;
		if (is_blank(piece.p[i]) || !is_blank(piece.p[i - 1]))
			continue;
		while (end > 0 && is_blank(piece.p[end - 1]))
			end--;
		if (end > 0 && piece.p[end - 1] == ',')
			return i;
		if (blank == 0)
			blank = i;
	}
	if (blank > 0)
		return blank;
	while (cut > 1 && ((unsigned char)piece.p[cut - 1] & 0xc0) == 0x80 && piece.n - cut < 3)
		cut--;
	return cut > 1 && (unsigned char)piece.p[cut - 1] >= 0xc0 ? cut - 1 : piece.n;
}

/* In memory of its size: the next piece may come in a later turn, and the session may have as many
 * messages open as BATCH_MAX. */
static void keep_end(struct search_bytes *b, size_t keep)
{
	size_t gone = b->line.n > keep ? b->line.n - keep : 0;
	struct buf end;
	buf_init(&end, b->line.max);
	buf_adds(&end, str_from_offset(buf_str(&b->line), gone));
	buf_done(&b->line);
	b->line = end;
	b->head = b->head > gone ? b->head - gone : 0;
}

/* Looks at what there is of a field that goes on, and keeps its end. Blanks between encoded words
 * are none (RFC 2047 6.2). */
static void cut_field(struct search_bytes *b)
{
	size_t cut = field_cut(buf_str(&b->field));
	struct str piece = str_sub(buf_str(&b->field), 0, cut);
	bool words = str_ends_nocase(str_trim(piece), STR("?=")) &&
		     str_starts(str_from_offset(buf_str(&b->field), cut), STR("=?"));
	look_at_field(b, piece);
	b->gap = is_blank(piece.p[cut - 1]) && !words;
	buf_consume(&b->field, cut);
	keep_end(b, b->longest ? b->longest - 1 : 0);
}

static void take_piece(struct search_bytes *b, enum mail_piece kind, struct str piece)
{
	if (kind != MAIL_PIECE_FIELD)
		return;
	if (b->splitter.field_start)
		end_field(b);
	while (piece.n > 0) {
		struct str some = str_sub(piece, 0, buf_room(&b->field));
		if (some.n == 0)
			cut_field(b);
		buf_adds(&b->field, some);
		piece = str_from_offset(piece, some.n);
	}
}

static void feed_header(struct search_bytes *b, struct str bytes)
{
	enum mail_piece kind;
	struct str piece;
	while ((kind = mail_splitter_next(&b->splitter, &bytes, &piece)) != MAIL_PIECE_MORE)
		take_piece(b, kind, piece);
}

static void end_header(struct search_bytes *b)
{
	enum mail_piece kind;
	struct str piece;
	while ((kind = mail_splitter_end(&b->splitter, &piece)) != MAIL_PIECE_MORE)
		take_piece(b, kind, piece);
	end_field(b);
}

/* ---- text ---- */

/* Looks through the window, and keeps its end. */
static void look(struct search_bytes *b)
{
	size_t before = b->window.n;
	mail_search_text(buf_str(&b->utf8), &b->window);
	buf_clear(&b->utf8);
	sign(b, str_from_offset(buf_str(&b->window), before));
	for (size_t i = 0; i < b->search->n; i++) {
		const struct search_key *key = &b->search->keys[i];
		if (b->leaves[i] != TRUTH_OPEN || key->op < SEARCH_BODY)
			continue;
		if (str_search(buf_str(&b->window), key->text) < b->window.n)
			b->leaves[i] = TRUTH_YES;
	}
	b->looked += b->window.n;
	size_t keep = b->longest ? b->longest - 1 : 0;
	if (b->window.n > keep)
		buf_consume(&b->window, b->window.n - keep);
}

static void feed_text(struct search_bytes *b, struct str bytes)
{
	for (size_t at = 0; at < bytes.n; at += SLICE_BYTES) {
		mail_decoder_input(&b->decoder, str_sub(bytes, at, SLICE_BYTES), &b->decoded);
		mail_converter_input(b->converter, buf_str(&b->decoded), &b->utf8);
		buf_clear(&b->decoded);
		look(b);
	}
}

static void end_text(struct search_bytes *b)
{
	mail_decoder_end(&b->decoder, &b->decoded);
	mail_converter_input(b->converter, buf_str(&b->decoded), &b->utf8);
	mail_converter_end(b->converter, &b->utf8);
	buf_clear(&b->decoded);
	look(b);
	buf_clear(&b->window);
	end_of_text(b);
	mail_converter_free(&b->converter);
}

static const struct mail_charset *charset_of(const struct digest_part *part)
{
	struct str params = part->params, name, value;
	while (digest_param_next(&params, &name, &value)) {
		if (str_equal_nocase(name, STR("charset")))
			return mail_charset_find(value);
	}
	return NULL;
}

static bool is_text(const struct digest_part *part)
{
	return part->kind == DIGEST_LEAF && (str_equal_nocase(part->type, STR("text")) ||
						    str_equal_nocase(part->type, STR("message")));
}

/* ---- ranges ---- */

static void begin(struct search_bytes *b, enum reading reading, uint64_t offset, uint64_t size)
{
	b->reading = reading;
	b->offset = offset;
	b->end = offset + size;
	if (reading == READ_TEXT) {
		mail_decoder_init(&b->decoder, b->part.encoding);
		b->converter = mail_converter_new(charset_of(&b->part));
	} else {
		mail_splitter_init(&b->splitter);
	}
}

static void end_range(struct search_bytes *b)
{
	if (b->reading == READ_TEXT)
		end_text(b);
	else if (b->reading != READ_START)
		end_header(b);
}

static bool next_part(struct search_bytes *b)
{
	b->header_done = b->part.kind == DIGEST_MESSAGE; /* the next one's is the message's */
	return digest_next(b->digest, &b->part, &b->part);
}

/* Finds the next range in the parts from b->part on. */
static bool begin_part(struct search_bytes *b, bool more)
{
	for (; more; more = next_part(b)) {
		struct digest_part inner;
		if (!b->header_done && is_open(b, SEARCH_TEXT, SEARCH_TEXT)) {
			b->header_done = true;
			begin(b, READ_MIME_HEADER, b->prefix + b->part.header_at,
				b->part.header_size);
			return true;
		}
		if (is_text(&b->part)) {
			begin(b, READ_TEXT, b->prefix + b->part.body_at, b->part.body_size);
			return true;
		}
		if (b->part.kind == DIGEST_MESSAGE &&
			digest_first_child(b->digest, &b->part, &inner)) {
			begin(b, READ_INNER_HEADER, b->prefix + inner.header_at, inner.header_size);
			return true;
		}
	}
	return false;
}

static bool next_range(struct search_bytes *b)
{
	enum reading was = b->reading;
	end_range(b);
	if (was == READ_START && (is_open(b, SEARCH_HEADER, SEARCH_HEADER) ||
					 is_open(b, SEARCH_TEXT, SEARCH_TEXT))) {
		begin(b, READ_HEADER, 0, b->prefix + b->digest->header_size);
		return true;
	}
	if (!is_open(b, SEARCH_BODY, SEARCH_TEXT))
		return false;
	if (was <= READ_HEADER) {
		b->part = digest_root(b->digest);
		b->header_done = true;
	}
	return begin_part(b, was <= READ_MIME_HEADER || next_part(b));
}

/* Bytes of the range, from its offset on. */
static void take(struct search_bytes *b, struct str bytes)
{
	b->offset += bytes.n;
	if (b->reading == READ_TEXT)
		feed_text(b, bytes);
	else
		feed_header(b, bytes);
}

/* From what came with the range before. */
static bool take_ahead(struct search_bytes *b)
{
	if (b->offset < b->ahead_at || b->offset - b->ahead_at >= b->ahead.n)
		return false;
	take(b, str_sub(buf_str(&b->ahead), (size_t)(b->offset - b->ahead_at),
			(size_t)(b->end - b->offset)));
	return true;
}

/* How much to ask for: the rest of the range, and when that is little some of what follows. */
static uint32_t length_wanted(const struct search_bytes *b)
{
	uint64_t left = b->end - b->offset;
	uint64_t all = b->prefix + b->digest->size - b->offset; /* ranges lie within it */
	uint64_t n = left < AHEAD_BYTES ? AHEAD_BYTES : left;
	n = n < all ? n : all;
	return (uint32_t)(n < READ_BYTES ? n : READ_BYTES);
}

bool search_bytes_want(struct search_bytes *b, uint64_t *ret_offset, uint32_t *ret_length)
{
	while (!b->finished) {
		if (b->maker == NULL && search_truth(b->search, b->leaves) != TRUTH_OPEN)
			break;
		if (b->offset >= b->end) {
			b->finished = !next_range(b);
		} else if (!take_ahead(b)) {
			*ret_offset = b->offset;
			*ret_length = length_wanted(b);
			return true;
		}
	}
	/* Everything was looked at: what was not found is not there. */
	for (size_t i = 0; b->finished && i < b->search->n; i++) {
		if (b->leaves[i] == TRUTH_OPEN)
			b->leaves[i] = TRUTH_NO;
	}
	b->finished = true;
	return false;
}

void search_bytes_feed(struct search_bytes *b, struct str bytes)
{
	if (bytes.n == 0) {
		b->offset = b->end;
		return;
	}
	struct str mine = str_sub(bytes, 0, (size_t)(b->end - b->offset));
	take(b, mine);
	buf_clear(&b->ahead);
	b->ahead_at = b->offset;
	buf_adds(&b->ahead, str_sub(str_from_offset(bytes, mine.n), 0, AHEAD_BYTES));
}

/* ---- a message at hand ---- */

void search_sign(struct str prefix, struct str body, const struct digest *d, struct buf *out)
{
	static const struct search nothing = { .n = 0 };
	struct search_bytes *b = make(&nothing, d, (uint32_t)prefix.n);
	uint64_t at;
	uint32_t n;
	search_bytes_sign(b);
	while (search_bytes_want(b, &at, &n))
		search_bytes_feed(b, at < prefix.n ? str_sub(prefix, (size_t)at, n)
						   : str_sub(body, (size_t)(at - prefix.n), n));
	buf_adds(out, search_bytes_signature(b));
	search_bytes_free(&b);
}
