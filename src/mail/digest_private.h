/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The digest's bytes, shared by who writes them (digest_write.c) and who reads them (digest.c).
 *
 *   digest   = u8 format, u8 parser, varint flags, size, header_size, lines, parts,
 *              envelope, string preview, record
 *   envelope = *( u8 1 + enum digest_field, string ) u8 0, varint duplicates, varint truncated
 *   record   = u32 bytes of the record with its children, u8 kind, varint flags, u8 depth,
 *              varint header_at, header_size, body_size, lines, u8 encoding,
 *              *( u8 entry, string ) u8 0, *record
 *   string   = varint length, bytes
 *
 * Numbers are little-endian; varints LEB128. Entries stand in the order of their numbers, each at
 * most once. Absent entries 1 and 2 mean text/plain, or message/rfc822 in a DIGEST_MESSAGE.
 */
#ifndef CULVER_MAIL_DIGEST_PRIVATE_H
#define CULVER_MAIL_DIGEST_PRIVATE_H

#include "mail/digest.h"

enum digest_entry {
	ENTRY_TYPE = 1,
	ENTRY_SUBTYPE = 2,
	ENTRY_PARAMS = 3, /* *( string name, string value ) */
	ENTRY_ENCODING = 4,
	ENTRY_ID = 5,
	ENTRY_DESCRIPTION = 6,
	ENTRY_MD5 = 7,
	ENTRY_DISPOSITION = 8,
	ENTRY_DISPOSITION_PARAMS = 9,
	ENTRY_LANGUAGE = 10,
	ENTRY_LOCATION = 11,
	ENTRY_ENVELOPE = 12, /* of a DIGEST_MESSAGE alone */
	ENTRIES
};

/* What the writer knows of one part. Offsets fit 32 bits: see LIMIT_PARSE_BYTES. */
struct digest_record {
	uint32_t header_at, header_size, body_size, lines;
	uint32_t entries_at, entries_n; /* encoded entries, in the heap */
	uint32_t envelope_at;           /* length-prefixed in the heap; 0: none */
	uint8_t kind, flags, depth, encoding;
};

struct digest_head {
	uint32_t flags;
	uint64_t size, header_size, lines;
	struct str envelope; /* encoded */
	struct str preview;
};

size_t digest_varint_size(uint64_t value);
bool digest_put_varint(struct buf *out, uint64_t value);
bool digest_put_string(struct buf *out, struct str s);
bool digest_put_entry(struct buf *out, uint8_t entry, struct str s);
/* Bytes of the fixed part of a record: all but its entries. */
size_t digest_record_size(const struct digest_record *r);
/* Writes it all: records in document order, each one's depth at most one more than the one's before
 * it. False: out is full. */
bool digest_write(struct buf *out, const struct digest_head *head,
	const struct digest_record *records, size_t n, struct str heap);

#endif
