/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames: what Culver's processes say to each other. The structs are made from frames.def; this is
 * what can be done with them. Everything that is decoded is hostile: lengths are checked against
 * the payload and against the field's own maximum before anything is allocated.
 *
 *     struct frame f = { .type = FRAME_RESOLVE, .resolve = { .address = rcpt } };
 *     frame_encode(&f, request, &out);
 *
 * uses: base; used by: io/channel, protocols, store, process, cli
 */
#ifndef CULVER_API_CODEC_H
#define CULVER_API_CODEC_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct frame;

#define FRAME_HEADER_BYTES 12
#define FRAME_VERSION      1

struct frame_header {
	uint32_t length; /* of the payload */
	uint16_t type;
	uint16_t version;
	uint32_t request;
};

/* Header and payload, appended to out. False and nothing added: a field is beyond its maximum, or
 * out is full. */
bool frame_encode(const struct frame *, uint32_t request, struct buf *out) MUST_CHECK;
/* The header from exactly FRAME_HEADER_BYTES bytes. -1: unknown version, or a length above
 * LIMIT_FRAME_BYTES. */
int frame_header_decode(struct str bytes, struct frame_header *ret, struct err *err) MUST_CHECK;
/* The payload of a header's length. Strings point into payload; lists are made in the arena.
 * Missing fields are zero; a longer payload, an unknown type, or a length beyond a field's maximum
 * is -1 with ERR_SYNTAX. */
int frame_decode(const struct frame_header *, struct str payload, struct arena *, struct frame *ret,
	struct err *err) MUST_CHECK;

/* Whether this type may travel from one class to another (enum peer_class). */
bool frame_allowed(uint16_t type, int from, int to);
bool frame_is_bulk(uint16_t type);
/* Whether this is the last frame of an answer: of a series, the one with last = true. */
bool frame_ends_answer(const struct frame *);
/* "mailbox_list", or "unknown". */
const char *frame_name(uint16_t type);
/* For logs and tests: name and fields as text; bytes by their length alone. */
void frame_print(const struct frame *, struct buf *out);

#endif
