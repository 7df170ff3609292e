/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptors that tools/frames makes and codec.c interprets. For these two alone. */
#ifndef CULVER_API_CODEC_TABLE_H
#define CULVER_API_CODEC_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum field_kind {
	FIELD_U8,
	FIELD_U16,
	FIELD_U32,
	FIELD_U64,
	FIELD_I64,
	FIELD_BOOL,
	FIELD_STR,
	FIELD_BYTES,
	FIELD_RECORD
};

struct record;
struct field {
	const char *name;
	enum field_kind kind;
	size_t offset;
	uint32_t max;      /* bytes of a str */
	uint32_t list_max; /* 0: not a list */
	const struct record *record;
};

struct record {
	size_t size;
	size_t n;
	const struct field *fields;
};

struct frame_info {
	uint16_t type;
	const char *name;
	uint16_t from, to; /* bits 1 << enum peer_class */
	bool bulk;
	bool goes_on; /* another frame of the same answer follows it always */
	struct record record;
};

extern const struct frame_info frame_table[]; /* by type */
extern const size_t frame_table_n;

#endif
