/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SMTP on the wire, receiving: command lines, dot-stuffed data, and the text rules of chunks. Byte
 * machines without I/O: any split of the input gives the same result.
 *
 * The one end of a line is CRLF and the one end of data is CRLF "." CRLF. A bare CR, a bare LF and
 * a NUL are refused wherever they stand, for every client (RFC 5321 2.3.8, 4.1.1.4; hostile-input
 * S1 to S14), so that no two readers of the same bytes see two different messages.
 *
 * uses: base; used by: smtp/session.c, smtp/data.c
 */
#ifndef CULVER_SMTP_WIRE_H
#define CULVER_SMTP_WIRE_H

#include "base/buf.h"

/* ---- command lines ---- */

enum smtp_line_status {
	SMTP_LINE_MORE,     /* all bytes were taken; the line is not complete */
	SMTP_LINE_DONE,     /* a line, without its CRLF */
	SMTP_LINE_TOO_LONG, /* a line above the maximum has ended; its bytes are gone */
	SMTP_LINE_ENDLESS,  /* too long by more than LIMIT_SMTP_DISCARD_BYTES: close */
	SMTP_LINE_BARE,     /* a CR without LF, or a LF without CR: close */
};

struct smtp_line {
	struct buf text;  /* of the line so far; max is the longest line without its CRLF */
	size_t discarded; /* bytes beyond the maximum */
	bool cr;          /* the last byte was a CR */
};

/* max: the longest line, without CRLF. */
void smtp_line_init(struct smtp_line *, size_t max);
void smtp_line_done(struct smtp_line *);
/* Begins a new line; keeps the room unless it is large. */
void smtp_line_reset(struct smtp_line *);
/* Takes bytes up to the end of a line; returns how many. After any status but MORE the line is in
 * line->text until smtp_line_reset. */
size_t smtp_line_feed(struct smtp_line *, struct str bytes, enum smtp_line_status *ret);

/* ---- data ---- */

enum smtp_data_status {
	SMTP_DATA_MORE,
	SMTP_DATA_END, /* CRLF "." CRLF was taken */
	SMTP_DATA_BAD, /* bare CR, bare LF or NUL: refuse the message and close */
};

/* Where the machine stands: after CRLF (or at the start), in a line, after its CR, after the dot
 * that begins a line, after CRLF "." CR. */
enum smtp_data_at { DATA_LINE, DATA_TEXT, DATA_CR, DATA_DOT, DATA_DOT_CR };

struct smtp_data {
	enum smtp_data_at at; /* {0}: the start */
};

/* Takes bytes; returns how many. *ret_text is the next run of the message's bytes, unstuffed, a
 * part of `bytes` (it may be empty). Call again with the rest while the status is MORE and bytes
 * are left. The CR of a CRLF counts as text before its LF is seen: what is BAD later is refused
 * whole. */
size_t smtp_data_feed(
	struct smtp_data *, struct str bytes, struct str *ret_text, enum smtp_data_status *ret);

/* ---- chunks (BDAT) without BODY=BINARYMIME ---- */

struct smtp_text {
	bool cr;
};

/* Whether the bytes keep the rules of text: no NUL, CR and LF as CRLF alone. */
bool smtp_text_feed(struct smtp_text *, struct str bytes);
/* After the last chunk: whether no CR is left alone. */
bool smtp_text_end(const struct smtp_text *);

#endif
