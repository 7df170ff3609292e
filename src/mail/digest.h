/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The digest: what parsing found in a message, in at most LIMIT_DIGEST_BYTES. Made by the parser
 * (mail/mime.h), kept by the store, read by whoever answers ENVELOPE, BODYSTRUCTURE, BODY[1.2],
 * BINARY, SEARCH. It is about the *body* of an entry, in architecture.md's words the message
 * without the prefix; add the prefix's size to every offset.
 *
 * A digest is a claim: its bytes are hostile. digest_open checks all of them once (versions,
 * lengths, tree, offsets within body_size, every string); after that walking cannot fail and
 * allocates nothing. A digest that does not open is made anew from the message.
 *
 *     struct digest d;
 *     if (!digest_open(&d, bytes, body_size)) … parse again
 *     struct digest_part part = digest_root(&d), child;
 *     for (bool more = digest_first_child(&d, &part, &child); more;
 *             more = digest_next_sibling(&d, &child, &child)) …
 *
 * The format, version 1, is written down in digest_private.h.
 *
 * uses: base, mail/transfer (encoding names); used by: imap, smtp, store (size and version alone)
 */
#ifndef CULVER_MAIL_DIGEST_H
#define CULVER_MAIL_DIGEST_H

#include "base/buf.h"
#include "base/limits.h"
#include "base/str.h"
#include "mail/transfer.h"

#define DIGEST_FORMAT_VERSION 1 /* a digest of another format does not open */
#define DIGEST_PARSER_VERSION                                                                      \
	1 /* raised when the parser's reading changes: old ones still open                         \
	   */

/* What was seen in the message. The numbers are kept: append only. */
enum digest_flag {
	DIGEST_8BIT = 1 << 0,             /* a byte above 0x7f anywhere */
	DIGEST_NUL = 1 << 1,              /* a NUL anywhere */
	DIGEST_8BIT_HEADER = 1 << 2,      /* a byte above 0x7f in the message's own header */
	DIGEST_BARE_LF = 1 << 3,          /* a line that ends with LF alone */
	DIGEST_LONG_LINE = 1 << 4,        /* a line above 998 bytes (RFC 5322 2.1.1) */
	DIGEST_NO_HEADER_END = 1 << 5,    /* the message has no empty line */
	DIGEST_BROKEN_FIELD = 1 << 6,     /* a line in the message's header that is no field */
	DIGEST_AMBIGUOUS = 1 << 7,        /* two readers may see two structures (M6) */
	DIGEST_DUPLICATE_FIELD = 1 << 8,  /* a MIME field came twice in a part (M7) */
	DIGEST_PARTS_DROPPED = 1 << 9,    /* parts are missing: too many, too deep, or too large */
	DIGEST_FIELD_TRUNCATED = 1 << 10, /* a value is longer in the message than here (M2) */
	DIGEST_ATTACHMENT = 1 << 11,      /* a leaf that is an attachment */
};

/* The envelope's fields, in ENVELOPE's order (RFC 9051 7.5.2), then References. */
enum digest_field {
	DIGEST_DATE,
	DIGEST_SUBJECT,
	DIGEST_FROM,
	DIGEST_SENDER,
	DIGEST_REPLY_TO,
	DIGEST_TO,
	DIGEST_CC,
	DIGEST_BCC,
	DIGEST_IN_REPLY_TO,
	DIGEST_MESSAGE_ID,
	DIGEST_REFERENCES,
	DIGEST_FIELDS
};

/* Values as they stand in the message, unfolded and trimmed (mail_unfold), of the first field of
 * each name. p == NULL: no such field. May hold any byte but LF, NUL and bare CR included. */
struct digest_envelope {
	struct str value[DIGEST_FIELDS];
	uint16_t duplicates; /* bit 1 << field: there was more than one */
	uint16_t truncated;  /* bit 1 << field: the value was longer */
};

enum digest_kind {
	DIGEST_LEAF,
	DIGEST_MULTIPART, /* has at least one child */
	DIGEST_MESSAGE,   /* message/rfc822 or message/global; has exactly one child: its root part,
			     and an envelope */
};

enum digest_part_flag {
	DIGEST_PART_TYPE_DEFAULT = 1 << 0, /* no usable Content-Type: type and subtype are the
					      default, there are no parameters */
	DIGEST_PART_OPAQUE = 1 << 1,       /* too deep or without boundary; not looked into */
	DIGEST_PART_CLOSED = 1 << 2,       /* a multipart that had its close delimiter */
	DIGEST_PART_ATTACHMENT = 1 << 3,   /* disposition attachment, or a leaf with a file name */
};

/* One part. Strings borrow from the digest; p == NULL: the field is absent. */
struct digest_part {
	enum digest_kind kind;
	uint32_t flags;       /* enum digest_part_flag */
	uint32_t depth;       /* of the root: 0 */
	uint64_t header_at;   /* offset in the body */
	uint64_t header_size; /* with the empty line */
	uint64_t body_at;     /* header_at + header_size */
	uint64_t body_size;   /* without the line end that belongs to a delimiter */
	uint64_t lines;       /* LFs within body_size */
	struct str type;      /* as written: "text", "TEXT" */
	struct str subtype;
	struct str params;           /* for digest_param_next */
	enum mail_encoding encoding; /* what it was read by */
	struct str encoding_text;    /* as written; p == NULL: absent */
	struct str id, description, md5;
	struct str disposition; /* "attachment" */
	struct str disposition_params;
	struct str language; /* the field's value: one tag or several with commas */
	struct str location;
	struct digest_envelope envelope; /* DIGEST_MESSAGE: of the message inside */
	size_t at, children_at, end;     /* where it stands in the digest */
};

struct digest {
	struct str bytes;
	uint8_t parser;       /* version of the parser that made it */
	uint32_t flags;       /* enum digest_flag */
	uint64_t size;        /* of the body it was made from; equals body_size of digest_open */
	uint64_t header_size; /* of the message's own header, with the empty line */
	uint64_t lines;       /* LFs in the whole */
	uint32_t parts;       /* all parts of the tree */
	struct digest_envelope envelope;
	struct str preview; /* the beginning of the text: valid UTF-8, one line, at most
			       LIMIT_PREVIEW_CHARS characters (RFC 8970) */
	size_t root;        /* where the root part stands */
};

/* Checks everything and fills *ret, which borrows the bytes. False: not a digest of this format, or
 * not one of a body of that size. O(bytes.n). */
bool digest_open(struct digest *ret, struct str bytes, uint64_t body_size);

struct digest_part digest_root(const struct digest *d);
/* What its header says of its encoding. Of a multipart or a message that may be another than it was
 * read by (mime.h). */
enum mail_encoding digest_said_encoding(const struct digest_part *part);
/* False: there is none. ret may be the part itself. */
bool digest_first_child(
	const struct digest *d, const struct digest_part *part, struct digest_part *ret);
bool digest_next_sibling(
	const struct digest *d, const struct digest_part *part, struct digest_part *ret);
/* The next part in document order (parents first); the depth tells how the tree moved. */
bool digest_next(const struct digest *d, const struct digest_part *part, struct digest_part *ret);

/*
 * The part that an IMAP section number names (RFC 9051 6.4.5.1): path {4, 2} is "4.2". Number 1 of
 * a message that is no multipart is its body; numbers go on inside a message/rfc822 part. n is at
 * least 1. False: there is no such part.
 *
 * With *ret of kind DIGEST_MESSAGE, its only child is the message for n.HEADER and n.TEXT. BODY[n]
 * is body_at/body_size, BODY[n.MIME] header_at/header_size. For n = 1 of a message that is no
 * multipart this is the root part.
 */
bool digest_find(const struct digest *d, const uint32_t *path, size_t n, struct digest_part *ret);

/* Takes a name and value off the front of *params (part.params, part.disposition_params). Values
 * are unquoted and not decoded: IMAP shows them so; mail/param.h decodes. */
bool digest_param_next(struct str *params, struct str *name, struct str *value);

#endif
