// SPDX-License-Identifier: Apache-2.0
/* Command lines, dot-stuffing, and where TOP ends. Each is a small machine over bytes that gives
 * the same for any split of its input. */
#include "pop3/wire.h"

#include "base/limits.h"
#include "base/mem.h"

/* ---- lines in ---- */

void pop3_lines_init(struct pop3_lines *l)
{
	*l = (struct pop3_lines){ .max = LIMIT_POP3_LINE_BYTES };
	buf_init(&l->text, LIMIT_SASL_LINE_BYTES + 1);
}

void pop3_lines_reset(struct pop3_lines *l)
{
	if (l->text.n > 0)
		mem_wipe(l->text.p, l->text.n);
	buf_release(&l->text);
	l->discarded = 0;
	l->bad = l->complete = false;
}

void pop3_lines_done(struct pop3_lines *l)
{
	pop3_lines_reset(l);
	buf_done(&l->text);
}

/* The LF has come: what is the line? */
static enum pop3_line end_line(struct pop3_lines *l)
{
	l->complete = true;
	if (l->discarded > 0)
		return POP3_LINE_LONG;
	if (l->text.n == 0 || l->text.p[l->text.n - 1] != '\r')
		return POP3_LINE_BAD;
	buf_truncate(&l->text, l->text.n - 1);
	struct str line = buf_str(&l->text);
	bool bad = str_find(line, '\r') < line.n || str_find(line, 0) < line.n;
	if (line.n > l->max)
		return POP3_LINE_LONG;
	return bad ? POP3_LINE_BAD : POP3_LINE_DONE;
}

enum pop3_line pop3_lines_take(struct pop3_lines *l, struct str bytes, size_t *ret_used)
{
	if (l->complete)
		pop3_lines_reset(l);
	size_t n = str_find(bytes, '\n');
	size_t room = l->max + 1 - l->text.n; /* for the CR */
	size_t keep = n < room ? n : room;
	buf_add(&l->text, bytes.p, keep);
	l->discarded += n - keep;
	*ret_used = n < bytes.n ? n + 1 : n;
	if (l->discarded > LIMIT_POP3_DISCARD_BYTES)
		return POP3_LINE_TOO_MUCH;
	return n < bytes.n ? end_line(l) : POP3_LINE_MORE;
}

/* ---- messages out ---- */

void pop3_stuffer_init(struct pop3_stuffer *s)
{
	*s = (struct pop3_stuffer){ .line_start = true };
}

/* One byte that is special, or stands behind one. Writes 1 to 3 bytes. */
static char *stuff_byte(struct pop3_stuffer *s, char c, char *to)
{
	if (s->held) {
		*to++ = '.';
		if (c == '\r' || c == '\n')
			*to++ = '.';
		s->held = false;
	}
	if (c == '.' && s->after_lf) {
		s->held = true;
		s->after_lf = false;
		return to;
	}
	if (c == '.' && s->line_start)
		*to++ = '.';
	s->line_start = c == '\n' && s->cr;
	s->after_lf = c == '\n' && !s->cr;
	s->cr = c == '\r';
	*to++ = c;
	return to;
}

bool pop3_stuff(struct pop3_stuffer *s, struct str bytes, struct buf *out)
{
	char *start = buf_reserve(out, bytes.n + bytes.n / 2 + 2), *to = start;
	if (start == NULL)
		return false;
	for (size_t i = 0; i < bytes.n;) {
		bool plain = !s->held && !s->line_start && !s->after_lf && !s->cr;
		if (plain) { /* up to the next line end nothing happens */
			struct str rest = str_from_offset(bytes, i);
			size_t n = str_find(rest, '\n');
			if (n > 0 && rest.p[n - 1] == '\r')
				n--;
			if (n == rest.n && n > 0 && rest.p[n - 1] == '\r')
				n--;
			memcpy(to, rest.p, n);
			to += n;
			i += n;
			if (i == bytes.n)
				break;
		}
		to = stuff_byte(s, bytes.p[i++], to);
	}
	buf_used(out, (size_t)(to - start));
	return true;
}

bool pop3_stuff_end(struct pop3_stuffer *s, struct buf *out)
{
	if (buf_room(out) < 7)
		return false;
	if (s->held)
		buf_addz(out, "..");
	if (s->held || !s->line_start)
		buf_addz(out, "\r\n");
	return buf_addz(out, ".\r\n");
}

/* The empty line and the lines of the body are counted by LF, as readers of mail do. */
size_t pop3_top_take(struct pop3_top *t, struct str bytes, bool *ret_done)
{
	*ret_done = false;
	for (size_t i = 0; i < bytes.n; i++) {
		char c = bytes.p[i];
		if (c == '\n') {
			bool empty = t->width == 0 || (t->width == 1 && t->cr);
			if (t->body)
				t->lines--;
			t->body = t->body || empty;
			t->width = 0;
			if (t->body && t->lines == 0) {
				*ret_done = true;
				return i + 1;
			}
		} else {
			t->width++;
		}
		t->cr = c == '\r';
	}
	return bytes.n;
}
