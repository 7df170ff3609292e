/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DEFLATE in both directions of one connection (RFC 1951, RFC 4978), for streams.
 *
 * Memory of one: 38 KiB to compress (a window of 4 KiB, memory level 5, once something is sent) and
 * 40 KiB to expand (32 KiB of it the window that the other side may use), 78 KiB in all. With the
 * window of 32 KiB and zlib's usual level it would be 308 KiB, for a tenth less of bytes.
 *
 * Bounds: what is expanded is handed out in pieces as large as the caller's room, so a bomb costs
 * no more memory than its sender's plain bytes would.
 *
 * uses: base, zlib; used by: stream
 */
#ifndef CULVER_IO_SQUEEZE_H
#define CULVER_IO_SQUEEZE_H

#include "base/buf.h"

struct squeeze;

struct squeeze *squeeze_new(void);
void squeeze_free(struct squeeze **);

/* Compresses from the front of bytes as much as out has room for, in whole blocks that the other
 * side can expand at once. Returns how many bytes it took; 0: there is no room. */
size_t squeeze_add(struct squeeze *, struct str bytes, struct buf *out);

enum expanded {
	EXPANDED,       /* *ret_got bytes; call again, also without more bytes */
	EXPANDED_ALL,   /* *ret_got bytes, and nothing more before more bytes come */
	EXPANDED_BROKEN /* this is no DEFLATE, or it has ended */
};
/* Expands from bytes into the room of n bytes. */
enum expanded squeeze_expand(struct squeeze *, struct str bytes, char *room, size_t n,
	size_t *ret_used, size_t *ret_got);

#endif
