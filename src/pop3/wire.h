/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POP3's bytes: command lines in, multi-line responses out. RFC 1939 3.
 *
 * uses: base; used by: the rest of pop3
 */
#ifndef CULVER_POP3_WIRE_H
#define CULVER_POP3_WIRE_H

#include "base/buf.h"

/* ---- lines in ---- */

enum pop3_line {
	POP3_LINE_MORE,    /* everything was taken, no line is complete */
	POP3_LINE_DONE,    /* pop3_lines.text is a line without its CRLF */
	POP3_LINE_BAD,     /* a line ended that has no CR before its LF, or holds CR or NUL */
	POP3_LINE_LONG,    /* a line ended that was longer than may be */
	POP3_LINE_TOO_MUCH /* a line without end: close */
};

struct pop3_lines {
	struct buf text;
	size_t max;       /* without CRLF; may be changed between lines */
	size_t discarded; /* of a line that is too long */
	bool bad, complete;
};
void pop3_lines_init(struct pop3_lines *l);
void pop3_lines_done(struct pop3_lines *l); /* wipes: a line may be a password */
/* Forgets what is there of a line. */
void pop3_lines_reset(struct pop3_lines *l);
/* Takes bytes to the end of a line at most; *ret_used says how many. */
enum pop3_line pop3_lines_take(struct pop3_lines *l, struct str bytes, size_t *ret_used);

/* ---- messages out ---- */

/*
 * A message becomes a multi-line response: a line that begins with "." gets another one, and the
 * end is CRLF "." CRLF, whose CRLF is the message's own when it has one (RFC 1939 3). Every other
 * byte goes out as it is stored, so that the octets before stuffing are those of LIST (P3).
 *
 * A lone "." between a bare LF and a line end is stuffed too: for a client that takes LF as a line
 * end it would be the end, and what follows would be read as our next response.
 */
struct pop3_stuffer {
	bool line_start; /* behind CRLF, or at the beginning */
	bool after_lf;   /* behind a bare LF */
	bool held;       /* "." behind a bare LF: the next byte decides */
	bool cr;         /* the last byte was CR */
};
void pop3_stuffer_init(struct pop3_stuffer *s);
/* Adds the bytes, stuffed: at most one and a half times as many, plus 2. False: out has no room for
 * that; nothing was taken. */
bool pop3_stuff(struct pop3_stuffer *s, struct str bytes, struct buf *out);
/* Adds the end: at most 7 bytes. */
bool pop3_stuff_end(struct pop3_stuffer *s, struct buf *out);

/* TOP: the header, the empty line, and n lines of the body. RFC 1939 7 */
struct pop3_top {
	uint64_t lines; /* of the body, still to be sent */
	uint64_t width; /* bytes of the present line so far */
	bool body, cr;
};
/* How many of the bytes are to be sent; *ret_done: and then no more. */
size_t pop3_top_take(struct pop3_top *t, struct str bytes, bool *ret_done);

#endif
