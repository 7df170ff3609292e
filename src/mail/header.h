/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header blocks: the fields in front of a body, byte-exact.
 *
 * One reading, the same for every reader of Culver:
 *   - a line ends at LF; a CR right before it belongs to the line end; any other CR is a byte of
 *     the line;
 *   - the block ends at the first empty line alone (a line of blanks is not empty: it continues
 *     the field above), or where the bytes end;
 *   - a line that begins with SP or HTAB continues the field above it;
 *   - every other line begins a field; blanks between name and colon are tolerated (RFC 5322
 *     4.5); a line without a colon in its first 1,000 bytes, or whose name is above 998 or holds
 *     anything but ftext, is a *broken* field: it has its bytes, and no name. (M2, M3)
 *
 *     struct mail_field f;
 *     for (struct str rest = block; mail_field_next(&rest, &f);)
 *             if (str_equal_nocase(f.name, STR("Subject"))) …
 *
 * All slices borrow from the block. Nothing allocates but mail_unfold_arena.
 *
 * uses: base; used by: mail, smtp, imap, pop3
 */
#ifndef CULVER_MAIL_HEADER_H
#define CULVER_MAIL_HEADER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/str.h"

struct mail_field {
	struct str raw;   /* the whole field: name, colon, folded lines, last line end */
	struct str name;  /* without blanks; empty when the field is broken */
	struct str value; /* behind the colon up to the last line end, still folded; all of a broken
			     field */
};

/* Takes the next field off the front of *rest. False at the empty line (which stays in *rest) and
 * at the end of the bytes. Linear over a whole block. */
bool mail_field_next(struct str *rest, struct mail_field *ret);
/* The first field of that name (ASCII case ignored). */
bool mail_field_find(struct str block, struct str name, struct mail_field *ret);
/* How many fields have that name; counting stops at max. */
size_t mail_field_count(struct str block, struct str name, size_t max);
/* Bytes of the header block at the front of the message, the empty line included; all bytes when
 * there is no empty line. */
size_t mail_header_size(struct str message);

/* The value as one line: line ends removed (RFC 5322 2.2.3), outer blanks trimmed. False when it
 * does not fit; then nothing is added. */
bool mail_unfold(struct str value, struct buf *out);
/* The same; borrows the value itself when nothing had to change but the outer blanks. STR_NONE
 * when the arena is full. */
struct str mail_unfold_arena(struct arena *a, struct str value);

/*
 * The same reading for bytes that stream by: cuts them into pieces, each of one field, so that
 * fields can be dropped or changed on the way (Bcc at submission). The pieces put together are the
 * input, whatever its splits were. A field's name is known before its first piece.
 *
 *     while ((kind = mail_splitter_next(&s, &bytes, &piece)) != MAIL_PIECE_MORE)
 *             if (kind != MAIL_PIECE_FIELD || !str_equal_nocase(s.name, STR("Bcc")))
 *                     forward(piece);
 *     … at the end of the message: the same loop with mail_splitter_end() instead
 */
enum mail_piece {
	MAIL_PIECE_MORE,  /* the input is used up */
	MAIL_PIECE_FIELD, /* bytes of the field s->name (empty: broken) */
	MAIL_PIECE_END,   /* the empty line */
	MAIL_PIECE_BODY,  /* what comes behind it */
};
struct mail_splitter {
	struct str name;  /* of the field that the last piece belongs to; points into kept */
	bool field_start; /* the last piece was the field's first */
	uint8_t state;
	size_t held_n, name_n, blanks;
	char kept[LIMIT_FIELD_NAME_BYTES];
	char held[LIMIT_FIELD_NAME_BYTES + 2]; /* the head of a line, until its name is known:
						   the colon is in it, or the line is broken */
};
void mail_splitter_init(struct mail_splitter *s);
/* The next piece; *bytes shrinks. A piece is borrowed from *bytes or from s, until the next call.
 */
enum mail_piece mail_splitter_next(
	struct mail_splitter *s, struct str *bytes, struct str *ret_piece);
/* After the last byte: gives what is still held, then MAIL_PIECE_MORE. */
enum mail_piece mail_splitter_end(struct mail_splitter *s, struct str *ret_piece);

/*
 * Of bytes that stream by, whether the header block is that of an internationalized message (RFC
 * 6532): it goes beyond ASCII, and all of it is UTF-8. Any split of the input gives the same.
 */
struct mail_header_watch {
	bool over;   /* the empty line came */
	bool beyond; /* a byte beyond ASCII was seen */
	bool broken; /* one that is no UTF-8 */
	bool filled; /* the line has a byte besides a CR at its front */
	bool cr;     /* that CR is there */
	uint8_t held_n;
	char held[4]; /* a character that is not complete */
};
/* Begin with all zero. */
void mail_header_watch(struct mail_header_watch *w, struct str bytes);
bool mail_header_is_utf8(const struct mail_header_watch *w);

#endif
