// SPDX-License-Identifier: Apache-2.0
/*
 * A header block cut into fields while it streams by. The head of each line is held until it is
 * known what the line is: a continuation, the empty line, or a field of some name; from then on the
 * line's bytes pass straight through. Heads that are longer than a line may be count as broken.
 */
#include "mail/header.h"

#include "base/abnf.h"

enum {
	AT_LINE_START, /* held: the line so far; nothing of it was given yet */
	IN_LINE,       /* the line is known; bytes up to its LF pass */
	GIVE_HELD,     /* held is to be given, then IN_LINE */
	GIVE_LINE,     /* held is a whole line: to be given, then AT_LINE_START */
	IN_BODY,
};

void mail_splitter_init(struct mail_splitter *s)
{
	*s = (struct mail_splitter){ .state = AT_LINE_START };
}

static void new_field(struct mail_splitter *s, size_t name_n)
{
	memcpy(s->kept, s->held, name_n);
	s->name = str_make(s->kept, name_n);
	s->field_start = true;
}

/* A new byte of a line's head. Says what the line is, or MAIL_PIECE_MORE while that is open. */
static enum mail_piece head_byte(struct mail_splitter *s, char c)
{
	s->held[s->held_n++] = c;
	if (s->held_n == 1)
		s->name_n = s->blanks = 0;
	bool after_cr = s->held_n == 2 && s->held[0] == '\r';
	if (c == '\n' && (s->held_n == 1 || after_cr))
		return MAIL_PIECE_END;
	if (abnf_is_wsp(c) && s->held_n == 1)
		return MAIL_PIECE_FIELD; /* goes on with the field above */
	if (c == '\r' && s->held_n == 1)
		return MAIL_PIECE_MORE;
	bool is_open = s->held_n < sizeof(s->held) && !after_cr;
	if (is_open && abnf_is_ftext(c) && s->blanks == 0 && s->name_n < LIMIT_FIELD_NAME_BYTES) {
		s->name_n++;
		return MAIL_PIECE_MORE;
	}
	if (is_open && abnf_is_wsp(c)) {
		s->blanks++;
		return MAIL_PIECE_MORE;
	}
	new_field(s, c == ':' && s->name_n > 0 && !after_cr ? s->name_n : 0);
	return MAIL_PIECE_FIELD;
}

static enum mail_piece give_held(struct mail_splitter *s, struct str *ret)
{
	*ret = str_make(s->held, s->held_n);
	s->state = s->state == GIVE_LINE ? AT_LINE_START : IN_LINE;
	s->held_n = 0;
	return MAIL_PIECE_FIELD;
}

/* Takes bytes into held until the line is known. */
static enum mail_piece line_start(struct mail_splitter *s, struct str *bytes, struct str *ret)
{
	while (bytes->n > 0) {
		char c = bytes->p[0];
		*bytes = str_from_offset(*bytes, 1);
		s->field_start = false;
		enum mail_piece kind = head_byte(s, c);
		if (kind == MAIL_PIECE_MORE)
			continue;
		if (kind == MAIL_PIECE_FIELD) {
			s->state = c == '\n' ? GIVE_LINE : GIVE_HELD;
			return give_held(s, ret);
		}
		*ret = str_make(s->held, s->held_n);
		s->held_n = 0;
		s->name = STR_NONE;
		s->state = IN_BODY;
		return MAIL_PIECE_END;
	}
	return MAIL_PIECE_MORE;
}

enum mail_piece mail_splitter_next(
	struct mail_splitter *s, struct str *bytes, struct str *ret_piece)
{
	if (s->state == AT_LINE_START)
		return line_start(s, bytes, ret_piece);
	if (bytes->n == 0)
		return MAIL_PIECE_MORE;
	*ret_piece = *bytes;
	if (s->state == IN_BODY) {
		*bytes = str_from_offset(*bytes, bytes->n);
		return MAIL_PIECE_BODY;
	}
	size_t at = str_find(*bytes, '\n');
	if (at < bytes->n) {
		ret_piece->n = at + 1;
		s->state = AT_LINE_START;
	}
	*bytes = str_from_offset(*bytes, ret_piece->n);
	s->field_start = false;
	return MAIL_PIECE_FIELD;
}

enum mail_piece mail_splitter_end(struct mail_splitter *s, struct str *ret_piece)
{
	if (s->held_n == 0)
		return MAIL_PIECE_MORE;
	new_field(s, 0); /* a head without colon */
	return give_held(s, ret_piece);
}
