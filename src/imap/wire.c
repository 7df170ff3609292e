// SPDX-License-Identifier: Apache-2.0
/* The byte machine between the stream and the grammar; see wire.h. Modes: TEXT collects lines,
 * KEEP a literal into the text, STREAM hands one out, SKIP throws one away. A command that broke a
 * rule is still read to its end, so that its remains are never taken for another command. */
#include "imap/wire.h"

#include "base/limits.h"
#include "base/scan.h"

const struct wire_limits wire_limits_stranger = {
	.text_bytes = LIMIT_IMAP_STRANGER_TEXT_BYTES,
	.literal_bytes = LIMIT_IMAP_STRANGER_LITERAL_BYTES,
	.literals = LIMIT_IMAP_STRANGER_LITERALS,
	.nonsync_bytes = LIMIT_IMAP_STRANGER_LITERAL_BYTES,
	.skip_bytes = LIMIT_IMAP_STRANGER_SKIP_BYTES,
	.depth = LIMIT_IMAP_STRANGER_DEPTH,
};

const struct wire_limits wire_limits_user = {
	.text_bytes = LIMIT_IMAP_TEXT_BYTES,
	.literal_bytes = LIMIT_IMAP_TEXT_BYTES,
	.literals = LIMIT_IMAP_LITERALS,
	.nonsync_bytes = LIMIT_IMAP_SKIP_BYTES,
	.skip_bytes = LIMIT_IMAP_SKIP_BYTES,
	.depth = LIMIT_IMAP_DEPTH,
};

#define TAG_ROOM_BYTES  256  /* of a refused command: enough for its tag */
#define KEEP_TEXT_BYTES 4096 /* a larger text gives its memory back after the command */

void wire_init(struct wire *w, const struct wire_limits *limits)
{
	*w = (struct wire){ .limits = limits };
	buf_init(&w->text, limits->text_bytes);
}

void wire_done(struct wire *w)
{
	buf_done(&w->text);
}

void wire_set_limits(struct wire *w, const struct wire_limits *limits)
{
	w->limits = limits;
	w->text.max = limits->text_bytes;
}

void wire_reset(struct wire *w)
{
	struct buf text = w->text;
	const struct wire_limits *limits = w->limits;

	*w = (struct wire){ .limits = limits, .text = text };
	if (text.cap > KEEP_TEXT_BYTES)
		buf_release(&w->text);
	else
		buf_clear(&w->text);
}

void wire_plain(struct wire *w)
{
	w->plain = true;
}

static void spoil(struct wire *w, enum wire_bad why)
{
	if (w->bad == WIRE_FINE)
		w->bad = why;
}

/* Throws n more bytes away; false when that is too much for one command. */
static bool skip(struct wire *w, uint64_t n)
{
	if (n > w->limits->skip_bytes - w->skipped)
		return false;
	w->skipped += n;
	return true;
}

/* literal = "{" number64 ["+"] "}" CRLF *CHAR8              RFC 9051 9
 * at the end of a line. A number with leading zeros or beyond 63 bits is refused (I1). */
static bool announcement(struct wire *w)
{
	struct str t = buf_str(&w->text);
	size_t open = str_find_last(t, '{');
	struct scan s;

	if (open == t.n)
		return false;
	s = scan_from(str_from_offset(t, open + 1));
	if (scan_peek(&s) == '0' && s.end - s.p > 1 && s.p[1] != '}' && s.p[1] != '+')
		return false;
	if (!scan_number(&s, INT64_MAX, &w->size))
		return false;
	w->nonsync = scan_char(&s, '+');
	w->binary = open > 0 && t.p[open - 1] == '~';
	return scan_char(&s, '}') && scan_end(&s);
}

/* A line that was spoilt and ends in {n+} still has a literal on its way, which must not be read
 * as a command. */
static enum wire_event spoilt_line(struct wire *w)
{
	if (w->plain || w->last != '}' || w->before != '+')
		return WIRE_BAD;
	if (w->bad == WIRE_TOO_LONG || w->quoted || !announcement(w))
		return WIRE_FATAL;
	return wire_refuse(w);
}

static enum wire_event line_end(struct wire *w)
{
	if (w->quoted)
		spoil(w, WIRE_QUOTE);
	if (w->bad != WIRE_FINE)
		return spoilt_line(w);
	if (w->plain || w->last != '}')
		return WIRE_COMMAND;
	if (announcement(w))
		return WIRE_LITERAL;
	spoil(w, WIRE_NUMBER);
	return spoilt_line(w);
}

/* Follows quotes and parentheses. */
static void follow(struct wire *w, char c)
{
	if (w->quoted) {
		if (w->escaped)
			w->escaped = false;
		else if (c == '\\')
			w->escaped = true;
		else if (c == '"')
			w->quoted = false;
	} else if (c == '"') {
		w->quoted = true;
	} else if (c == '(') {
		if (++w->depth > w->limits->depth)
			spoil(w, WIRE_DEPTH);
	} else if (c == ')' && w->depth > 0) {
		w->depth--;
	}
}

static enum wire_event text_byte(struct wire *w, char c)
{
	if (c == '\n') {
		if (!w->cr)
			spoil(w, WIRE_BARE);
		w->cr = false;
		return line_end(w);
	}
	if (w->cr)
		spoil(w, WIRE_BARE);
	w->cr = c == '\r';
	if (w->cr)
		return WIRE_MORE;
	if (c == '\0')
		spoil(w, WIRE_NUL);
	w->before = w->last;
	w->last = c;
	if (w->bad == WIRE_TOO_LONG)
		return skip(w, 1) ? WIRE_MORE : WIRE_FATAL;
	if (!w->plain)
		follow(w, c);
	if (!buf_addc(&w->text, c))
		w->bad = WIRE_TOO_LONG;
	return WIRE_MORE;
}

static enum wire_event take_text(struct wire *w, struct str bytes, size_t *used)
{
	while (*used < bytes.n && w->mode == WIRE_TEXT) {
		enum wire_event e = text_byte(w, bytes.p[(*used)++]);

		if (e != WIRE_MORE)
			return e;
	}
	return WIRE_MORE;
}

/* The next bytes of a literal, whatever becomes of them. */
static struct str literal_piece(struct wire *w, struct str bytes, size_t *used)
{
	size_t n = bytes.n - *used;
	struct str piece;

	if (n > w->left)
		n = (size_t)w->left;
	if (n > WIRE_PIECE_BYTES)
		n = WIRE_PIECE_BYTES;
	piece = str_make(bytes.p + *used, n);
	*used += n;
	w->left -= n;
	if (w->left == 0)
		w->mode = WIRE_TEXT;
	return piece;
}

enum wire_event wire_take(struct wire *w, struct str bytes, size_t *ret_used)
{
	size_t used = 0;
	enum wire_event e = WIRE_MORE;

	while (e == WIRE_MORE && used < bytes.n) {
		enum wire_mode mode = w->mode;
		struct str piece;

		if (mode == WIRE_TEXT) {
			e = take_text(w, bytes, &used);
			continue;
		}
		piece = literal_piece(w, bytes, &used);
		if (mode == WIRE_STREAM) {
			w->piece = piece;
			e = WIRE_BYTES;
		} else if (mode == WIRE_KEEP) {
			/* literal = … *CHAR8, which is %x01-ff       RFC 9051 9 */
			if (!w->binary && str_find(piece, '\0') < piece.n)
				spoil(w, WIRE_NUL);
			buf_adds(&w->text, piece);
		}
	}
	*ret_used = used;
	return e;
}

static void begin_literal(struct wire *w, enum wire_mode mode)
{
	w->left = w->size;
	w->mode = w->size > 0 ? mode : WIRE_TEXT;
	w->last = w->before = '\0';
}

bool wire_accept(struct wire *w)
{
	const struct wire_limits *l = w->limits;

	if (w->literals + 1 > l->literals || w->size > l->literal_bytes - w->literal_bytes ||
		(w->nonsync && w->size > l->nonsync_bytes) || w->size > buf_room(&w->text) ||
		buf_room(&w->text) - w->size < 2) {
		spoil(w, WIRE_TOO_BIG);
		return false;
	}
	buf_addz(&w->text, "\r\n");
	w->literals++;
	w->literal_bytes += w->size;
	begin_literal(w, WIRE_KEEP);
	return true;
}

void wire_stream(struct wire *w)
{
	buf_addz(&w->text, "\r\n");
	begin_literal(w, WIRE_STREAM);
}

enum wire_event wire_refuse(struct wire *w)
{
	spoil(w, WIRE_TOO_BIG);
	if (!w->nonsync)
		return WIRE_BAD;
	if (!skip(w, w->size))
		return WIRE_FATAL;
	/* what follows the literal is read as another line of this command */
	buf_truncate(&w->text, w->text.n > TAG_ROOM_BYTES ? TAG_ROOM_BYTES : w->text.n);
	begin_literal(w, WIRE_SKIP);
	return WIRE_MORE;
}
