/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of segments share: messages whose every byte follows from their number, a store of
 * segments over simulated files, and the comparison of what is found with what was put. */
#ifndef CULVER_STORE_SEGMENT_TEST_H
#define CULVER_STORE_SEGMENT_TEST_H

#include "base/buf.h"
#include "base/vec.h"
#include "store/distrust.h"
#include "store/files_sim.h"
#include "store/segment.h"
#include "store/spool.h"

#include "base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

static inline uint64_t mix(uint64_t z)
{
	z += 0x9e3779b97f4a7c15U;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
	z = (z ^ z >> 27) * 0x94d049bb133111ebU;
	return z ^ z >> 31;
}

/* A message: of every four one is text, which compresses. */
struct message {
	uint64_t number;
	size_t length;
};

/* Bytes at … at + n of its body. */
static inline void message_bytes(const struct message *m, size_t at, size_t n, char *p)
{
	static const char text[] = "The quick brown fox jumps over the lazy dog. ";
	for (size_t i = 0; i < n; i++) {
		uint64_t word = mix(m->number << 32 ^ ((at + i) / 8));
		p[i] = m->number % 4 == 0 ? text[(at + i + m->number) % (sizeof(text) - 1)]
					  : (char)(word >> ((at + i) % 8 * 8));
	}
}

static inline size_t message_prefix(const struct message *m, char p[64])
{
	return (size_t)snprintf(
		p, 64, "Delivered-To: user-%llu@example.test\r\n", (unsigned long long)m->number);
}

/* A finished spool of it, fed in pieces; NULL: the file could not be written. */
static inline struct spool *message_spool(struct spooler *spooler, const struct message *m)
{
	struct spool *spool = spool_new(spooler, LIMIT_BODY_BYTES);
	struct err err = ERR_INIT;
	char piece[10007];
	int result = 0;
	for (size_t at = 0; at < m->length && result == 0;) {
		size_t n = m->length - at < sizeof(piece) ? m->length - at : sizeof(piece);
		message_bytes(m, at, n, piece);
		result = spool_add(spool, str_make(piece, n), &err);
		at += n;
	}
	if (result == 0)
		result = spool_finish(spool, &err);
	if (result < 0)
		spool_free(&spool);
	return spool;
}

static inline struct segments_options test_options(struct files_seam *files)
{
	return (struct segments_options){
		.files = files, .store_id = "a store's own id", .epoch = 1, .now_ms = 1
	};
}

/* Appends a message delivered to account = its number. */
static inline int message_append(struct segments *s, struct spooler *spooler,
	const struct message *m, struct blob_ref *ref, uint32_t *prefix_at, struct err *err)
{
	char prefix[64];
	struct record_recipient to = { .account = m->number, .mailbox = 7, .time_ms = -5 };
	to.prefix = str_make(prefix, message_prefix(m, prefix));
	struct spool *spool = message_spool(spooler, m);
	if (spool == NULL)
		return fail_log(err, ERR_TEMP, "no spool");
	int result = segments_append(s, spool, &to, 1, ref, prefix_at, err);
	spool_free(&spool);
	return result;
}

/* 1: read whole and right; 0: an error was said; ends the test when bytes are wrong. */
static inline int message_is_there(struct segment_reader *r, const struct message *m,
	const struct blob_ref *ref, uint32_t prefix_at)
{
	struct err err = ERR_INIT;
	char *got = xmalloc(m->length + 1), *want = xmalloc(m->length + 1), prefix[64];
	char got_prefix[LIMIT_PREFIX_BYTES];
	message_bytes(m, 0, m->length, want);
	ssize_t n = segment_read(r, ref, 0, got, m->length + 1, &err);
	if (n >= 0) {
		assert_int_equal(n, m->length);
		assert_memory_equal(got, want, m->length);
	}
	free(got);
	free(want);
	ssize_t p = segment_read_prefix(r, ref, prefix_at, got_prefix, sizeof(got_prefix), &err);
	if (p >= 0)
		assert_str(str_make(got_prefix, (size_t)p),
			str_make(prefix, message_prefix(m, prefix)));
	return n >= 0 && p >= 0;
}

#endif
