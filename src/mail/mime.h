/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The message parser: a message streams through once, and what comes out is its digest
 * (mail/digest.h): envelope, MIME structure with offsets, preview, flags. It never fails: every
 * sequence of bytes has a digest, and any split of the input gives the same one.
 *
 *     struct mail_parser *p = mail_parser_new(NULL);
 *     mail_parser_input(p, bytes); …
 *     mail_parser_end(p, &digest);
 *     mail_parser_free(&p);
 *
 * The one reading of the structure (RFC 2045, 2046; hostile-input M4-M7, M16):
 *   - lines and header blocks as mail/header.h says; in a part, a delimiter line ends its header;
 *   - a delimiter is a line that begins with "--" and the boundary of an open multipart. Lines that
 *     are exactly that (or with "--" behind it; blanks may follow) are looked for first, from the
 *     innermost multipart outwards; then lines that only begin so (RFC 2046 5.1.1 says it suffices;
 *     flagged). An outer delimiter ends every part inside;
 *   - the line end before a delimiter belongs to the delimiter;
 *   - after a close delimiter everything up to the parent's next delimiter is epilogue;
 *   - of fields that may stand once the first counts; of two boundary parameters the first;
 *   - a Content-Type that is no "type/subtype" reads as text/plain (RFC 2045 5.2), in a
 *     multipart/digest an absent one as message/rfc822 (RFC 2046 5.1.5);
 *   - a multipart whose boundary is absent, empty or above LIMIT_BOUNDARY_BYTES, or that holds no
 *     delimiter, is a leaf and reads as text/plain;
 *   - message/rfc822 and message/global hold one message, whose parts are read too. A transfer
 *     encoding of a multipart or a message is ignored (RFC 2045 6.4; flagged), and told as it is;
 *   - composites deeper than LIMIT_MIME_DEPTH read as application/octet-stream leaves; parts beyond
 *     LIMIT_MIME_PARTS, or beyond what fits into LIMIT_DIGEST_BYTES, are not listed.
 * All that departs from the RFCs raises a flag in the digest.
 *
 * Memory: at most 1 MiB of state, whatever comes (M2); typically under 16 KiB. Time: linear.
 *
 * mail/ as a whole: formats as pure functions over base/'s strings, buffers and arenas; no I/O, no
 * clock, no logging, no state that outlives a call but the structs here.
 *
 * uses: base, ICU; used by: smtp, imap, process/front
 */
#ifndef CULVER_MAIL_MIME_H
#define CULVER_MAIL_MIME_H

#include "base/buf.h"
#include "base/limits.h"
#include "base/str.h"

/* For tests: smaller limits than base/limits.h's. */
struct mail_limits {
	uint32_t depth;        /* LIMIT_MIME_DEPTH */
	uint32_t parts;        /* LIMIT_MIME_PARTS */
	uint32_t digest_bytes; /* LIMIT_DIGEST_BYTES */
};

struct mail_parser;
/* limits NULL: those of base/limits.h. */
struct mail_parser *mail_parser_new(const struct mail_limits *limits);
void mail_parser_free(struct mail_parser **p);
void mail_parser_input(struct mail_parser *p, struct str bytes);
/* The message is complete: adds its digest (at most LIMIT_DIGEST_BYTES) to out. Once. */
void mail_parser_end(struct mail_parser *p, struct buf *out);
/* Bytes of state held now, for tests. */
size_t mail_parser_memory(const struct mail_parser *p);

/* A whole message at once. */
void mail_parse(struct str message, struct buf *out);

#endif
