/* SPDX-License-Identifier: Apache-2.0 */
/* The parser's state, for mime.c (lines and structure) and mime_part.c (what a header means). */
#ifndef CULVER_MAIL_MIME_PARSER_H
#define CULVER_MAIL_MIME_PARSER_H

#include "base/vec.h"
#include "mail/mime.h"
#include "mail/mime_private.h"

enum part_state {
	IN_HEADER,
	IN_BODY,     /* of a multipart: preamble, or a child is open */
	IN_EPILOGUE, /* of a multipart that was closed */
};

/* A part that is open. The stack's bottom is the root; each one's parent is below it. */
struct open_part {
	enum part_state state;
	uint32_t record; /* its number */
	uint64_t body_at;
	uint64_t lines_before;          /* LFs before its body */
	uint64_t children_end;          /* where its last child ended */
	uint32_t type_n;                /* bytes of its entries that name its type */
	size_t boundary_at, boundary_n; /* in boundaries; n is 0 for what is no multipart */
	bool is_message;                /* the root part of a message: its header has an envelope */
	bool in_digest;                 /* its parent is a multipart/digest */
	bool is_digest;
	bool captures; /* its body goes to the preview */
	bool children;
};

struct mail_parser {
	struct mail_limits limits;
	uint32_t flags;       /* enum digest_flag */
	uint64_t size, lines; /* bytes and LFs so far */

	uint64_t line_at;  /* where the current line begins */
	unsigned line_end; /* bytes of the line end before it */
	struct buf line;   /* its head, when it came in pieces */
	uint64_t line_len; /* its length so far */
	bool line_cr;      /* its last byte was a CR */
	size_t line_cap;   /* so much of it is kept; fixed when it begins */

	struct vec stack;      /* struct open_part */
	struct vec records;    /* struct digest_record, in document order */
	struct buf boundaries; /* of the open multiparts */
	struct buf heap;       /* entries and envelopes of records */
	struct buf envelope;   /* the message's own */
	size_t used;           /* bytes of the digest that are spoken for */
	struct fields fields;
	struct preview preview;
};

enum {
	DIGEST_FIXED_BYTES = 1024, /* numbers and preview */
	PART_RESERVE = 64,         /* of the digest, for a part that is open */
};

/* Whether another part may be listed. */
bool parser_has_room(const struct mail_parser *p);
struct digest_record *parser_record(struct mail_parser *p, const struct open_part *part);

/* The header of the top part is complete: decides what the part is, and writes down its entries. */
void mime_part_describe(struct mail_parser *p, struct open_part *part, struct digest_record *r);
/* The part is closed, its sizes are known. */
void mime_part_finish(struct mail_parser *p, struct open_part *part, struct digest_record *r);

#endif
