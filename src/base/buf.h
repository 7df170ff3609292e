/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owned bytes that grow, up to a maximum given at birth. A buf never exceeds its maximum: adding
 * more fails, sets `full`, and leaves what was there. Nothing that a stranger fills exists without
 * such a bound. There is always a NUL after the n bytes, for convenience; nothing relies on it.
 *
 *     struct buf out;
 *     buf_init(&out, LIMIT_REPLY_BYTES);
 *     buf_addf(&out, "%d %s\r\n", code, text);
 *     if (out.full) …
 *     buf_done(&out);
 *
 * uses: str, mem; used by: everything
 */
#ifndef CULVER_BASE_BUF_H
#define CULVER_BASE_BUF_H

#include "base/mem.h"
#include "base/str.h"

struct buf {
	char *p;
	size_t n, cap, max;
	bool full; /* something was refused since buf_init or buf_clear */
};

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b); /* frees; accepts one that was zeroed */
/* Empties it and clears `full`; keeps the memory. */
void buf_clear(struct buf *b);
/* Empties it and gives the memory back: for connections that idle. */
void buf_release(struct buf *b);

/* Moves the memory of one that is empty to another that has none, unless it is more than that may
 * have. */
void buf_give_memory(struct buf *from, struct buf *to);

static inline struct str buf_str(const struct buf *b)
{
	return str_make(b->p, b->n);
}
/* How many more bytes fit. */
static inline size_t buf_room(const struct buf *b)
{
	return b->max - b->n;
}

/* Each adds all or nothing and returns whether it did. */
static inline bool buf_add(struct buf *b, const void *p, size_t n);
static inline bool buf_adds(struct buf *b, struct str s);
static inline bool buf_addz(struct buf *b, const char *s);
static inline bool buf_addc(struct buf *b, char c);
/* In decimal. */
bool buf_add_number(struct buf *b, uint64_t n);
bool buf_addf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
/* Base64 of the bytes (RFC 4648 4), padded, one line. */
bool buf_add_base64(struct buf *b, struct str s);
/* Decodes strict base64 (RFC 4648 4): padded, nothing but the alphabet. False and nothing added
 * when it is anything else. */
bool buf_add_base64_decoded(struct buf *b, struct str s);
bool buf_add_hex(struct buf *b, struct str s);
/* Room for n more bytes at the end: returns where to write, or NULL (and full). Then buf_used. */
char *buf_reserve(struct buf *b, size_t n);
void buf_used(struct buf *b, size_t n);
/* Removes n bytes from the front. */
void buf_consume(struct buf *b, size_t n);
/* Shortens to n bytes. */
void buf_truncate(struct buf *b, size_t n);

/* ---- what is written by the piece: where there is room, no more than the copy ---- */

bool buf_add_growing(struct buf *b, const void *p, size_t n); /* buf_add's */

static inline bool buf_add(struct buf *b, const void *p, size_t n)
{
	if (n > b->max - b->n || n >= b->cap - b->n || n == 0)
		return buf_add_growing(b, p, n);
	memcpy(b->p + b->n, p, n);
	b->n += n;
	b->p[b->n] = '\0';
	return true;
}

static inline bool buf_adds(struct buf *b, struct str s)
{
	return buf_add(b, s.p, s.n);
}

static inline bool buf_addz(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

static inline bool buf_addc(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

#endif
