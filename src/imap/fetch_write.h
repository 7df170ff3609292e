/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers to FETCH that need the message's digest or its bytes: ENVELOPE, BODYSTRUCTURE, and where
 * BODY[…] lies (RFC 9051 7.5.2, 6.4.5; hostile-input I6, I29).
 *
 * Whatever a header holds, what is written is valid IMAP: strings that cannot be quoted are
 * literals, a NUL is sent as 0x80.
 *
 *     struct section_place place;
 *     if (!section_find(&digest, prefix_size, &item->section, &place)) … NIL
 *     place.offset, place.size: the message's bytes to send
 *     place.filter: of those, the fields that a struct section_filter lets through
 *
 * uses: base, mail (digest, header, address), token, fetch_attr; used by: FETCH of imap
 */
#ifndef CULVER_IMAP_FETCH_WRITE_H
#define CULVER_IMAP_FETCH_WRITE_H

#include "base/buf.h"
#include "imap/fetch_attr.h"
#include "mail/digest.h"
#include "mail/header.h"

/* Adds the envelope, all or nothing (false: out has no room). utf8: the client takes UTF-8 in
 * quoted strings (IMAP4rev2 or UTF8=ACCEPT is enabled). At most some 4 times the digest; 8 times
 * LIMIT_DIGEST_BYTES always suffice. */
bool fetch_write_envelope(struct buf *out, const struct digest_envelope *e, bool utf8);
/* Adds BODY, or with `extended` BODYSTRUCTURE. As above. */
bool fetch_write_structure(struct buf *out, const struct digest *d, bool extended, bool utf8);

/* Where a section lies, as offsets of the whole message: prefix and body. */
struct section_place {
	uint64_t offset, size;
	bool filter; /* HEADER.FIELDS: a header, of which only some fields are sent */
	enum mail_encoding encoding; /* BINARY: what to decode; MAIL_ENCODING_UNKNOWN is answered by
					NO [UNKNOWN-CTE] (RFC 9051 6.4.5) */
};
/* False: there is no such part. */
bool section_find(const struct digest *d, uint32_t prefix_size, const struct section *s,
	struct section_place *ret);

/*
 * HEADER.FIELDS and HEADER.FIELDS.NOT over a header that streams by. Names compare without case;
 * fields come in the message's order, the empty line at the end always (RFC 9051 6.4.5.1).
 *
 *     while (section_filter_next(&f, &bytes, &piece)) … piece is to be sent
 *     at the header's end: while (section_filter_end(&f, &piece)) …
 */
struct section_filter {
	const struct section *section;
	struct mail_splitter splitter;
};
void section_filter_init(struct section_filter *f, const struct section *s);
/* The next bytes that pass; *bytes shrinks. False: the input is used up. */
bool section_filter_next(struct section_filter *f, struct str *bytes, struct str *ret_piece);
bool section_filter_end(struct section_filter *f, struct str *ret_piece);
/* A whole header at once. False: out has no room. */
bool section_filter(const struct section *s, struct str header, struct buf *out);

/* The part of n octets that <offset.length> names: *ret_from and *ret_length, both within n. */
void fetch_partial(
	const struct fetch_item *item, uint64_t n, uint64_t *ret_from, uint64_t *ret_length);
/* BODY[] can hold no NUL (RFC 9051 9, CHAR8): each becomes 0x80. */
void fetch_mask_nul(char *p, size_t n);

#endif
