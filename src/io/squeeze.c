// SPDX-License-Identifier: Apache-2.0
/* DEFLATE for streams: see squeeze.h. Raw blocks without a header (RFC 4978 4: negative window
 * bits). */
#include "io/squeeze.h"

#include "base/mem.h"

#include <stdlib.h>
#include <zlib.h>

enum {
	LEVEL = 1,        /* RFC 4978 4: the cheapest makes 25 to 40 % of responses */
	WINDOW_BITS = 12, /* of ours: 1 << (12 + 2) bytes */
	MEMORY_LEVEL = 5, /* 1 << (5 + 9) bytes */
	ANY_WINDOW = 15,  /* of the other side's: it may use all that DEFLATE has */
	FLUSH_BYTES = 64, /* what ends a block */
};

struct squeeze {
	z_stream out, in;
};

static void *allocate(void *arg, uInt n, uInt size)
{
	(void)arg;
	return xcalloc(n, size);
}

static void release(void *arg, void *p)
{
	(void)arg;
	free(p);
}

struct squeeze *squeeze_new(void)
{
	struct squeeze *q = xmalloc(sizeof *q);
	q->out = (z_stream){ .zalloc = allocate, .zfree = release };
	q->in = (z_stream){ .zalloc = allocate, .zfree = release };
	/* They can fail only for want of memory or for wrong constants. */
	if (deflateInit2(&q->out, LEVEL, Z_DEFLATED, -WINDOW_BITS, MEMORY_LEVEL,
		    Z_DEFAULT_STRATEGY) != Z_OK ||
		inflateInit2(&q->in, -ANY_WINDOW) != Z_OK)
		abort();
	return q;
}

void squeeze_free(struct squeeze **squeeze)
{
	struct squeeze *q = *squeeze;
	if (q == NULL)
		return;
	deflateEnd(&q->out);
	inflateEnd(&q->in);
	free(q);
	*squeeze = NULL;
}

/* zlib's pointers to input are not const, but it only reads. */
static Bytef *input_of(struct str bytes)
{
	return (Bytef *)(uintptr_t)bytes.p;
}

/* Bytes that do not compress grow by less than an eighth (deflateBound). */
static size_t fitting(size_t n, size_t room)
{
	size_t most = room > FLUSH_BYTES ? (room - FLUSH_BYTES) / 8 * 7 : 0;
	return n < most ? n : most;
}

size_t squeeze_add(struct squeeze *q, struct str bytes, struct buf *out)
{
	size_t n = fitting(bytes.n, buf_room(out));
	if (n == 0)
		return 0;
	size_t room = deflateBound(&q->out, (uLong)n) + FLUSH_BYTES;
	if (room > buf_room(out))
		room = buf_room(out);
	char *p = buf_reserve(out, room);
	if (p == NULL)
		return 0;
	q->out.next_in = input_of(bytes);
	q->out.avail_in = (uInt)n;
	q->out.next_out = (Bytef *)p;
	q->out.avail_out = (uInt)room;
	if (deflate(&q->out, Z_SYNC_FLUSH) != Z_OK || q->out.avail_in > 0 || q->out.avail_out == 0)
		abort(); /* the bound says that it fits */
	buf_used(out, room - q->out.avail_out);
	return n;
}

enum expanded squeeze_expand(struct squeeze *q, struct str bytes, char *room, size_t n,
	size_t *ret_used, size_t *ret_got)
{
	q->in.next_in = input_of(bytes);
	q->in.avail_in = (uInt)bytes.n;
	q->in.next_out = (Bytef *)room;
	q->in.avail_out = (uInt)n;
	int rc = inflate(&q->in, Z_SYNC_FLUSH);
	*ret_used = bytes.n - q->in.avail_in;
	*ret_got = n - q->in.avail_out;
	if (rc != Z_OK && rc != Z_BUF_ERROR)
		return EXPANDED_BROKEN;
	return q->in.avail_out == 0 ? EXPANDED : EXPANDED_ALL;
}
