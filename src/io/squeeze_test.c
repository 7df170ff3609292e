// SPDX-License-Identifier: Apache-2.0
/* DEFLATE both ways: what goes in comes out, in pieces of any size, within the room that there is;
 * what is no DEFLATE is noticed. */
#include "io/squeeze.h"

#include "base/limits.h"
#include "base/test.h"

#include <stdlib.h>
#include <zlib.h>

/* One side's bytes, through the other, with so much room. */
static void expand(struct squeeze *q, struct str bytes, size_t room, struct buf *ret)
{
	char piece[4096];
	enum expanded e = EXPANDED;
	while (bytes.n > 0 || e == EXPANDED) {
		size_t used, got;
		e = squeeze_expand(q, bytes, piece, room, &used, &got);
		assert_int_not_equal(e, EXPANDED_BROKEN);
		assert_true(used <= bytes.n && got <= room);
		bytes = str_from_offset(bytes, used);
		buf_add(ret, piece, got);
	}
}

static void fill(struct buf *b, size_t n, bool random)
{
	uint32_t x = 1;
	buf_clear(b);
	for (size_t i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		buf_addc(b, random ? (char)(x >> 24) : "* 1 FETCH (FLAGS ())\r\n"[i % 22]);
	}
}

static void there_and_back(void **state)
{
	static const size_t sizes[] = { 1, 100, 4096, 65536, 300000 };
	static const size_t rooms[] = { 1, 7, 4096 };
	struct squeeze *ours = squeeze_new(), *theirs = squeeze_new();
	struct buf plain, packed, back;
	(void)state;
	buf_init(&plain, 1 << 20);
	buf_init(&packed, 1 << 20);
	buf_init(&back, 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(sizes) * 2; i++) {
		fill(&plain, sizes[i / 2], i % 2);
		buf_clear(&packed);
		buf_clear(&back);
		assert_int_equal(squeeze_add(ours, buf_str(&plain), &packed), plain.n);
		if (plain.n > 1000 && i % 2 == 0)
			assert_true(packed.n < plain.n / 4);
		expand(theirs, buf_str(&packed), rooms[i % 3], &back);
		assert_true(str_equal(buf_str(&back), buf_str(&plain)));
	}
	buf_done(&plain);
	buf_done(&packed);
	buf_done(&back);
	squeeze_free(&ours);
	squeeze_free(&theirs);
	squeeze_free(&theirs);
}

/* Only what has room is taken; the rest waits. */
static void takes_what_fits(void **state)
{
	struct squeeze *q = squeeze_new();
	struct buf plain, packed;
	size_t at = 0;
	(void)state;
	buf_init(&plain, 1 << 20);
	fill(&plain, 100000, true);
	while (at < plain.n) {
		buf_init(&packed, 1000);
		size_t n = squeeze_add(q, str_from_offset(buf_str(&plain), at), &packed);
		assert_true(n > 500 || at + n == plain.n);
		assert_true(packed.n <= 1000);
		at += n;
		buf_done(&packed);
	}
	buf_init(&packed, 64);
	assert_int_equal(squeeze_add(q, STR("x"), &packed), 0);
	buf_done(&packed);
	buf_done(&plain);
	squeeze_free(&q);
}

/* A client of zlib's usual settings; then the end of its blocks, which is no way to go on. */
static void expands_a_clients(void **state)
{
	struct squeeze *q = squeeze_new();
	unsigned char packed[200];
	char room[100];
	size_t used, got;
	(void)state;
	z_stream z = { 0 };
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)(uintptr_t) "a NOOP\r\n";
	z.avail_in = 8;
	z.next_out = packed;
	z.avail_out = sizeof packed;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(squeeze_expand(q, str_make(packed, sizeof packed - z.avail_out), room,
				 sizeof room, &used, &got),
		EXPANDED_BROKEN);
	assert_int_equal(got, 8);
	deflateEnd(&z);
	squeeze_free(&q);
}

static void what_is_none(void **state)
{
	struct squeeze *q = squeeze_new();
	char room[100];
	size_t used, got;
	(void)state;
	assert_int_equal(
		squeeze_expand(q, STR("a NOOP\r\nb NOOP\r\n"), room, sizeof room, &used, &got),
		EXPANDED_BROKEN);
	squeeze_free(&q);
}

TEST_MAIN(test_case(there_and_back), test_case(takes_what_fits), test_case(expands_a_clients),
	test_case(what_is_none))
