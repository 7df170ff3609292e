// SPDX-License-Identifier: Apache-2.0
/*
 * A message on its way to a client: its header and the headers of its parts are held a field at a
 * time, and everything else passes.
 */
#include "mail/surrogate.h"

#include "base/abnf.h"
#include "mail/header.h"
#include "mail/param.h"

enum { IN_HEADER, IN_BODY, IN_BODY_LINE }; /* the last: of a line that is no delimiter */
enum { FITS, PASSES, LEFT_OUT };           /* what becomes of a field that is too long */
/* Before a boundary: parts of a multipart/digest are messages. */
enum { OF_DIGEST = 'd', OF_OTHER = 'm' };

enum {
	BOUNDARIES_BYTES = 16 * 1024, /* together; parts of those beyond it are taken for text */
	LINE_BYTES = LIMIT_BOUNDARY_BYTES + 64, /* a longer one is no delimiter */
	ARENA_BYTES = 128 * 1024
};

void mail_surrogate_init(
	struct mail_surrogate *s, void (*give)(void *arg, struct str bytes), void *arg)
{
	*s = (struct mail_surrogate){ .give = give, .arg = arg, .where = IN_HEADER };
	buf_init(&s->held, LIMIT_SURROGATE_FIELD_BYTES);
	buf_init(&s->boundaries, BOUNDARIES_BYTES);
}

void mail_surrogate_done(struct mail_surrogate *s)
{
	buf_done(&s->held);
	buf_done(&s->boundaries);
}

static void give(struct mail_surrogate *s, struct str bytes)
{
	if (bytes.n > 0)
		s->give(s->arg, bytes);
}

/* ---- what a Content-Type says ---- */

static void take_boundary(struct mail_surrogate *s, const struct mail_value *v)
{
	bool digest = str_equal_nocase(v->subtype, STR("digest"));
	size_t before = s->boundaries.n;
	struct buf b;
	buf_init(&b, LIMIT_BOUNDARY_BYTES);
	bool good = mail_param_bytes(v->params, v->n, STR("boundary"), &b) && b.n > 0 &&
		    str_find(buf_str(&b), '\n') == b.n &&
		    buf_addc(&s->boundaries, digest ? OF_DIGEST : OF_OTHER) &&
		    buf_adds(&s->boundaries, buf_str(&b)) && buf_addc(&s->boundaries, '\n');
	if (!good)
		buf_truncate(&s->boundaries, before);
	buf_done(&b);
}

/* The first one counts. */
static void take_type(struct mail_surrogate *s, struct str value)
{
	struct arena arena;
	struct mail_value v;
	if (s->typed)
		return;
	s->typed = true;
	arena_init(&arena, ARENA_BYTES);
	mail_value_parse(&arena, value, &v);
	if (str_equal_nocase(v.type, STR("multipart")))
		take_boundary(s, &v);
	s->is_message = str_equal_nocase(v.type, STR("message")) &&
			(str_equal_nocase(v.subtype, STR("rfc822")) ||
				str_equal_nocase(v.subtype, STR("global")));
	arena_done(&arena);
}

enum delimiter { NO_DELIMITER, BEGINS_PART, CLOSES };

static enum delimiter delimiter(struct mail_surrogate *s, struct str line)
{
	if (!str_starts(line, STR("--")))
		return NO_DELIMITER;
	line = str_from_offset(line, 2);
	while (line.n > 0 && (abnf_is_wsp(line.p[line.n - 1]) || line.p[line.n - 1] == '\r' ||
				     line.p[line.n - 1] == '\n'))
		line.n--;
	for (struct str rest = buf_str(&s->boundaries); rest.n > 0;) {
		struct str one = str_split(&rest, '\n'), name = str_from_offset(one, 1);
		if (!str_starts(line, name))
			continue;
		struct str behind = str_from_offset(line, name.n);
		if (str_equal(behind, STR("--")))
			return CLOSES;
		if (behind.n > 0)
			continue;
		s->in_digest = one.p[0] == OF_DIGEST;
		return BEGINS_PART;
	}
	return NO_DELIMITER;
}

/* ---- headers ---- */

static void begin_header(struct mail_surrogate *s)
{
	s->where = IN_HEADER;
	s->typed = s->is_message = false;
}

/* Behind the empty line. A part of a digest is a message when it does not say what it is.
 * RFC 2046 5.1.5 */
static void header_ends(struct mail_surrogate *s)
{
	bool message = s->typed ? s->is_message : s->in_digest;
	s->in_digest = false;
	if (message)
		begin_header(s);
	else
		s->where = IN_BODY;
}

static void give_field(struct mail_surrogate *s, struct str field)
{
	struct mail_field f;
	struct str rest = field;
	if (mail_field_next(&rest, &f) && str_equal_nocase(f.name, STR("Content-Type")))
		take_type(s, f.value);
	if (str_is_ascii(field) || !str_is_utf8(field)) {
		give(s, field);
		return;
	}
	struct buf out;
	buf_init(&out, field.n + LIMIT_SURROGATE_EXTRA_BYTES - s->extra);
	if (mail_surrogate_field(field, &out)) {
		s->extra += out.n > field.n ? out.n - field.n : 0;
		give(s, buf_str(&out));
	}
	buf_done(&out);
}

/* A piece of a field that is too long to be looked at. */
static void give_excess(struct mail_surrogate *s, struct str piece)
{
	s->in_line = piece.n > 0 && piece.p[piece.n - 1] != '\n';
	for (; piece.n > 0 && s->excess == PASSES; piece = str_from_offset(piece, 1)) {
		size_t n = 0;
		while (n < piece.n && !abnf_is_8bit(piece.p[n]))
			n++;
		give(s, str_sub(piece, 0, n));
		if (n == piece.n)
			break;
		give(s, STR("?"));
		piece = str_from_offset(piece, n);
	}
}

/* Ends the field that is held, but for its last n bytes: these begin the next. */
static void end_field(struct mail_surrogate *s, size_t n)
{
	struct str field = str_make(s->held.p, s->held.n - n);
	if (s->excess == FITS && field.n > 0)
		give_field(s, field);
	s->excess = FITS;
	buf_consume(&s->held, field.n);
	s->line = 0;
}

static bool is_empty_line(struct str line)
{
	return str_equal(line, STR("\r\n")) || str_equal(line, STR("\n"));
}

/* A line is complete: it continues the field, begins another, or ends the header. */
static void header_line(struct mail_surrogate *s)
{
	struct str line = str_from_offset(buf_str(&s->held), s->line);
	bool first = s->line == 0 && s->excess == FITS;
	enum delimiter d = delimiter(s, line);
	if (is_empty_line(line) || d != NO_DELIMITER) {
		end_field(s, line.n);
		give(s, buf_str(&s->held));
		buf_clear(&s->held);
		if (d == NO_DELIMITER)
			header_ends(s);
		else if (d == BEGINS_PART)
			begin_header(s);
		else
			s->where = IN_BODY;
	} else if (abnf_is_wsp(line.p[0]) && s->excess != FITS) {
		give_excess(s, line);
		buf_clear(&s->held);
	} else {
		if (!first && !abnf_is_wsp(line.p[0]))
			end_field(s, line.n);
		s->line = s->held.n;
	}
}

/* There is no room for more. next: the byte that there is none for. */
static void make_room(struct mail_surrogate *s, char next)
{
	struct str all = buf_str(&s->held), line = str_from_offset(all, s->line);
	if (s->line > 0 && !abnf_is_wsp(line.n > 0 ? line.p[0] : next)) {
		end_field(s, line.n);
		return;
	}
	if (s->excess == FITS || !abnf_is_wsp(all.p[0]))
		s->excess = str_is_ascii(all) ? PASSES : LEFT_OUT;
	give_excess(s, all);
	buf_clear(&s->held);
	s->line = 0;
}

/* Takes no more than the rest of a line. */
static void header_bytes(struct mail_surrogate *s, struct str *bytes)
{
	struct str line = str_sub(*bytes, 0, str_find(*bytes, '\n') + 1);
	if (s->in_line) {
		give_excess(s, line);
	} else if (buf_room(&s->held) == 0) {
		make_room(s, bytes->p[0]);
		return;
	} else {
		line = str_sub(line, 0, buf_room(&s->held));
		buf_adds(&s->held, line);
		if (line.p[line.n - 1] == '\n')
			header_line(s);
	}
	*bytes = str_from_offset(*bytes, line.n);
}

/* ---- bodies ---- */

/* Bytes that pass: up to a line that may be a delimiter. */
static struct str passing(struct mail_surrogate *s, struct str bytes)
{
	size_t n = 0;
	while (n < bytes.n) {
		struct str rest = str_from_offset(bytes, n);
		if (s->where == IN_BODY && rest.p[0] == '-' && (rest.n == 1 || rest.p[1] == '-') &&
			s->boundaries.n > 0)
			break;
		if (s->boundaries.n == 0)
			return bytes;
		size_t end = str_find(rest, '\n');
		s->where = end < rest.n ? IN_BODY : IN_BODY_LINE;
		n += end < rest.n ? end + 1 : rest.n;
	}
	return str_sub(bytes, 0, n);
}

static void body_line(struct mail_surrogate *s)
{
	if (delimiter(s, buf_str(&s->held)) == BEGINS_PART)
		begin_header(s);
	give(s, buf_str(&s->held));
	buf_clear(&s->held);
}

static void body_bytes(struct mail_surrogate *s, struct str *bytes)
{
	struct str taken = STR_NONE;
	if (s->held.n == 0) {
		taken = passing(s, *bytes);
		give(s, taken);
	}
	if (taken.n == 0) {
		taken = str_sub(*bytes, 0, str_find(*bytes, '\n') + 1);
		taken = str_sub(taken, 0, LINE_BYTES - s->held.n);
		buf_adds(&s->held, taken);
		bool whole = taken.p[taken.n - 1] == '\n';
		bool other = s->held.n > 1 && s->held.p[1] != '-';
		if (whole) {
			body_line(s);
		} else if (other || s->held.n == LINE_BYTES) {
			s->where = IN_BODY_LINE;
			give(s, buf_str(&s->held));
			buf_clear(&s->held);
		}
	}
	*bytes = str_from_offset(*bytes, taken.n);
}

void mail_surrogate_input(struct mail_surrogate *s, struct str bytes)
{
	while (bytes.n > 0)
		if (s->where == IN_HEADER)
			header_bytes(s, &bytes);
		else
			body_bytes(s, &bytes);
}

void mail_surrogate_end(struct mail_surrogate *s)
{
	struct str line = str_from_offset(buf_str(&s->held), s->line);
	if (s->where != IN_HEADER) {
		give(s, buf_str(&s->held));
		buf_clear(&s->held);
		return;
	}
	if (line.n > 0 && !abnf_is_wsp(line.p[0]))
		end_field(s, line.n); /* the last line is a field of its own */
	else if (s->excess != FITS)
		give_excess(s, line);
	end_field(s, 0);
}
