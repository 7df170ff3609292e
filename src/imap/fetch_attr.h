/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a FETCH asks for: the list of attributes, or a macro, as a table of items (RFC 9051 6.4.5,
 * RFC 3501 6.4.5; hostile-input I6).
 *
 * uses: base, token; used by: FETCH of imap, fetch_write
 */
#ifndef CULVER_IMAP_FETCH_ATTR_H
#define CULVER_IMAP_FETCH_ATTR_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/scan.h"
#include "imap/seqset.h"

enum fetch_kind {
	FETCH_UID,
	FETCH_FLAGS,
	FETCH_INTERNALDATE,
	FETCH_SIZE, /* RFC822.SIZE */
	FETCH_MODSEQ,
	FETCH_SAVEDATE, /* RFC 8514 */
	FETCH_EMAILID,  /* RFC 8474 */
	FETCH_THREADID,
	FETCH_PREVIEW, /* RFC 8970 */
	FETCH_ENVELOPE,
	FETCH_BODY, /* BODY: structure without extension data */
	FETCH_BODYSTRUCTURE,
	FETCH_SECTION, /* BODY[…], and RFC822, RFC822.HEADER, RFC822.TEXT by `name` */
	FETCH_BINARY,
	FETCH_BINARY_SIZE,
};

enum section_text {
	SECTION_ALL, /* nothing after the part's number: its body, or the message */
	SECTION_HEADER,
	SECTION_HEADER_FIELDS,
	SECTION_HEADER_FIELDS_NOT,
	SECTION_TEXT,
	SECTION_MIME,
};

/* section-spec of RFC 9051 9 */
struct section {
	const uint32_t *part; /* 1.2.3, from 1; n_part is at most LIMIT_IMAP_SECTION_DEPTH */
	size_t n_part;
	enum section_text text;
	const struct str *fields; /* of HEADER.FIELDS (.NOT) */
	size_t n_fields;
};

struct fetch_item {
	enum fetch_kind kind;
	struct str name; /* "RFC822.HEADER" and the like, when the answer is so named; else empty */
	bool peek;       /* does not set \Seen */
	bool lazy;       /* PREVIEW (LAZY): from a digest that is there, else NIL; RFC 8970 4.1 */
	bool partial;
	uint64_t offset, length; /* of <offset.length>; offset + length never overflows */
	struct section section;
};

struct fetch_attrs {
	struct fetch_item *items;
	size_t n;
	bool sets_seen;       /* some item sets \Seen */
	bool needs_digest;    /* some item needs the digest */
	bool looks_at_digest; /* some item is lazy: what has none is not parsed for it */
	bool needs_bytes;     /* some item needs the message */
	bool wants[FETCH_BINARY_SIZE + 1]; /* by kind */
};

/* fetch = "FETCH" SP sequence-set SP <this>: "ALL" / "FULL" / "FAST" / fetch-att / "(" … ")". The
 * same item twice is one. -1: ERR_SYNTAX or ERR_LIMIT, cursor anywhere. */
int fetch_attrs_parse(
	struct scan *s, struct arena *a, struct fetch_attrs *ret, struct err *err) MUST_CHECK;
/* Adds an item of a kind without section, if it is not there (UID of UID FETCH, MODSEQ). */
bool fetch_attrs_add(struct fetch_attrs *f, struct arena *a, enum fetch_kind kind);

struct fetch_modifiers {
	bool has_since;
	uint64_t changed_since; /* CHANGEDSINCE: RFC 7162 3.1.4.1 */
	bool vanished; /* VANISHED: RFC 7162 3.2.6; whether it may be said is the caller's */
	bool partial;  /* PARTIAL: RFC 9394 3.3, likewise */
	struct partial_range range;
};
/* fetch-modifiers = [SP "(" fetch-modifier *(SP fetch-modifier) ")"]      RFC 4466 3, RFC 7162 7 */
int fetch_modifiers_parse(struct scan *s, struct fetch_modifiers *ret, struct err *err) MUST_CHECK;

/* section = "[" [section-spec] "]", alone: for URLs and CATENATE later, and tests. */
int section_parse(struct scan *s, struct arena *a, struct section *ret, struct err *err) MUST_CHECK;
/* Adds the item's name in an answer: "BODY[1.HEADER.FIELDS (From)]<0>", "BINARY[1]", "FLAGS". */
bool fetch_item_print(const struct fetch_item *item, struct buf *out);

#endif
