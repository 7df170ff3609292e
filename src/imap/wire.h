/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes to commands. RFC 9051 2.2.1, 4.3; RFC 7888.
 *
 * A command is one or more lines joined by literals. The wire collects it into one bounded text in
 * which every literal stands as it came: {n}CRLF and n bytes; the grammar reads it from there. The
 * one literal that may be larger than memory, APPEND's message, is handed out piece by piece.
 *
 *     switch (wire_take(w, bytes, &used)) {
 *     case WIRE_MORE:     all taken, nothing complete
 *     case WIRE_COMMAND:  buf_str(&w->text) is a command without its CRLF;   then wire_reset(w)
 *     case WIRE_LITERAL:  the text ends in {n}: wire_accept(w), wire_stream(w) or wire_refuse(w)
 *     case WIRE_BYTES:    w->piece is part of a literal that is streamed
 *     case WIRE_BAD:      the command is over and broke a rule, see w->bad;  then wire_reset(w)
 *     case WIRE_FATAL:    what follows cannot be told apart: say BYE and close
 *     }
 *
 * Rules of the machine: a line ends in CRLF, and a bare CR or LF spoils its command. NUL is
 * nowhere but in literal8 and streamed bytes (RFC 9051 9, rule 3). Quotes are followed, so that
 * a } inside a quoted string announces nothing. Parentheses are counted, so that nobody's nesting
 * gets deeper than the limit before a parser sees it (I4). What is read without being kept is
 * bounded too (I2).
 *
 * uses: base; used by: session
 */
#ifndef CULVER_IMAP_WIRE_H
#define CULVER_IMAP_WIRE_H

#include "base/buf.h"

/* What one command may cost; differs before and after login. */
struct wire_limits {
	size_t text_bytes;      /* the text with its literals */
	uint64_t literal_bytes; /* all kept literals together */
	uint32_t literals;      /* how many */
	uint64_t nonsync_bytes; /* largest {n+}: RFC 7888 5, LITERAL- */
	uint64_t skip_bytes;    /* read and thrown away within one command */
	uint32_t depth;         /* open parentheses */
};
extern const struct wire_limits wire_limits_stranger, wire_limits_user;

#define WIRE_PIECE_BYTES 60000 /* most that one WIRE_BYTES hands out: it fits a frame */

enum wire_event { WIRE_MORE, WIRE_COMMAND, WIRE_LITERAL, WIRE_BYTES, WIRE_BAD, WIRE_FATAL };

/* Why a command is bad. */
enum wire_bad {
	WIRE_FINE,
	WIRE_BARE,     /* CR or LF alone */
	WIRE_NUL,      /* NUL outside literal8 */
	WIRE_TOO_LONG, /* beyond text_bytes */
	WIRE_TOO_BIG,  /* a literal beyond its limits, or too many of them */
	WIRE_NUMBER,   /* {…} at the end of a line is no literal */
	WIRE_QUOTE,    /* a quoted string without its end */
	WIRE_DEPTH     /* too many parentheses */
};

enum wire_mode { WIRE_TEXT, WIRE_KEEP, WIRE_STREAM, WIRE_SKIP };

struct wire {
	const struct wire_limits *limits;
	struct buf text;
	enum wire_mode mode;
	enum wire_bad bad;
	bool plain;           /* one line without literals: SASL, DONE */
	bool quoted, escaped; /* inside "…", after a backslash there */
	bool cr;              /* the last byte was CR */
	char last, before;    /* the line's last byte but CR, and the one before it */
	uint32_t depth, literals;
	uint64_t literal_bytes; /* kept so far in this command */
	uint64_t skipped;
	uint64_t left;    /* bytes of the present literal still to come */
	uint64_t size;    /* the announced literal */
	bool nonsync;     /* {n+} */
	bool binary;      /* ~{n}: RFC 3516 4.4, literal8 */
	struct str piece; /* WIRE_BYTES: borrowed from wire_take's bytes */
};

void wire_init(struct wire *w, const struct wire_limits *limits);
void wire_done(struct wire *w);
/* From the next command on. */
void wire_set_limits(struct wire *w, const struct wire_limits *limits);
/* Forgets the command: the next byte begins another. Gives memory back when it was much. */
void wire_reset(struct wire *w);
/* The next line is no command: no literals, quotes or parentheses. After wire_reset. */
void wire_plain(struct wire *w);
/* Takes bytes up to the first event; *ret_used says how many. */
enum wire_event wire_take(struct wire *w, struct str bytes, size_t *ret_used);

/* Answers to WIRE_LITERAL. Accept: it is kept in the text; false: it is too much, and was refused
 * (a literal that is too much is refused with `bad` set). The caller sends the continuation
 * request when !nonsync. */
bool wire_accept(struct wire *w);
/* It comes as WIRE_BYTES; afterwards the text goes on behind it. */
void wire_stream(struct wire *w);
/* The command has failed. WIRE_BAD: the client waits for our answer, so the command is over at
 * once. WIRE_MORE: its bytes are on their way; they are skipped, and the command ends in WIRE_BAD
 * later. WIRE_FATAL: they are too many to be skipped. */
enum wire_event wire_refuse(struct wire *w);

#endif
