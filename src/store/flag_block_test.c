// SPDX-License-Identifier: Apache-2.0
#include "store/flag_block.h"

#include "base/mem.h"
#include "base/test.h"
#include "store/little.h"

static struct flag_block decoded(const uint8_t *bytes, size_t n)
{
	struct flag_block b;
	assert_int_equal(flag_block_decode(str_make(bytes, n), &b), 0);
	return b;
}

static void assert_same(const struct flag_block *a, const struct flag_block *b)
{
	for (size_t i = 0; i < FLAG_BLOCK_UIDS; i++) {
		assert_int_equal(a->records[i].modseq, b->records[i].modseq);
		assert_int_equal(a->records[i].flags, b->records[i].flags);
		assert_int_equal(a->records[i].keywords[0], b->records[i].keywords[0]);
		assert_int_equal(a->records[i].keywords[1], b->records[i].keywords[1]);
	}
}

/* One of each size that modseqs and keywords may take, and what a block of it takes. */
static void comes_back_as_it_was(void **state)
{
	static const struct {
		uint64_t first, last; /* modseqs */
		uint64_t low, high;   /* keywords of the last */
		size_t bytes;         /* of a record */
	} cases[] = { { 1, 1, 0, 0, 1 }, { 7, 7 + 255, 0, 0, 2 }, { 7, 7 + 256, 0, 0, 3 },
		{ 1, 1 + UINT64_C(0xffffffff), 0, 0, 5 }, { 1, 2 + UINT64_C(0xffffffff), 0, 0, 6 },
		{ 1, INT64_MAX, 0, 0, 9 }, { INT64_MAX, INT64_MAX, 0, 0, 1 }, { 1, 1, 1, 0, 2 },
		{ 1, 1, 0x100, 0, 3 }, { 1, 1, 1ULL << 63, 0, 9 }, { 1, 1, 0, 1, 10 },
		{ 1, 1, 5, 1ULL << 63, 17 }, { 1, INT64_MAX, UINT64_MAX, UINT64_MAX, 25 } };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (uint32_t n = 2; n <= FLAG_BLOCK_UIDS; n += 127) {
			struct flag_block b = { 0 };
			uint8_t room[FLAG_BLOCK_BYTES];
			for (uint32_t uid = 256; uid < 256 + n; uid++)
				*flag_block_at(&b, uid) = (struct flag_record){
					.modseq = cases[i].first, .flags = (uint8_t)uid
				};
			flag_block_at(&b, 256 + n - 1)->modseq = cases[i].last;
			flag_block_at(&b, 256 + n - 1)->keywords[0] = cases[i].low;
			flag_block_at(&b, 256 + n - 1)->keywords[1] = cases[i].high;
			size_t size = flag_block_encode(&b, room);
			assert_int_equal(size, 43 + n * cases[i].bytes);
			struct flag_block back = decoded(room, size);
			assert_same(&b, &back);
			assert_int_equal(flag_block_count(&back), n);
		}
}

static void an_empty_one_has_no_bytes(void **state)
{
	struct flag_block b = { 0 };
	uint8_t room[FLAG_BLOCK_BYTES];
	(void)state;
	assert_int_equal(flag_block_encode(&b, room), 0);
	assert_int_equal(flag_block_count(&b), 0);
	assert_int_equal(flag_block_decode(STR_NONE, &b), -1);
}

/* Two UIDs, 3 and 255, modseqs 5 and 6, a keyword each: a byte for each of what may vary. */
static size_t two(uint8_t room[FLAG_BLOCK_BYTES])
{
	struct flag_block b = { 0 };
	*flag_block_at(&b, 3) = (struct flag_record){ 5, { 1, 0 }, 1 };
	*flag_block_at(&b, 255) = (struct flag_record){ 6, { 2, 0 }, 2 };
	return flag_block_encode(&b, room);
}

static void flags_of_all(void **state)
{
	struct flag_block b = { 0 };
	uint8_t room[FLAG_BLOCK_BYTES], flags = 0xff;
	(void)state;
	assert_int_equal(flag_block_flags(str_make(room, two(room)), &flags), 0);
	assert_int_equal(flags, 1 | 2);
	*flag_block_at(&b, 7) = (struct flag_record){ 5, { UINT64_MAX, UINT64_MAX }, 0 };
	size_t n = flag_block_encode(&b, room);
	assert_int_equal(flag_block_flags(str_make(room, n), &flags), 0);
	assert_int_equal(flags, 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(flag_block_flags(str_make(room, i), &flags), -1);
}

static void refuses_what_is_malformed(void **state)
{
	static const struct {
		size_t at;
		uint8_t byte;
	} cases[] = { { 0, 0 }, { 0, 2 }, { 1, 0 }, { 1, 2 }, { 1, 9 }, { 2, 0 }, { 2, 2 },
		{ 2, 17 }, { 3, 0 }, { 3, 9 }, { 35, 0 }, /* modseq 0 */
		{ 42, 0x80 },                             /* beyond INT64_MAX */
		{ 45, 1 }, { 46, 0 } }; /* the lowest is not there; a byte that is not needed */
	struct flag_block b;
	uint8_t bytes[FLAG_BLOCK_BYTES];
	(void)state;
	size_t n = two(bytes);
	assert_int_equal(n, 49);
	decoded(bytes, n);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		two(bytes);
		bytes[cases[i].at] = cases[i].byte;
		assert_int_equal(flag_block_decode(str_make(bytes, n), &b), -1);
	}
	two(bytes);
	for (size_t i = 0; i <= sizeof(bytes); i++)
		assert_int_equal(flag_block_decode(str_make(bytes, i), &b), i == n ? 0 : -1);
	/* A modseq that wraps. */
	bytes[1] = 8;
	put_u64(bytes + 35, 5);
	put_u64(bytes + 45, 0);
	put_u64(bytes + 53, UINT64_MAX);
	bytes[61] = bytes[62] = 1;
	assert_int_equal(flag_block_decode(str_make(bytes, 43 + 2 * 10), &b), -1);
}

TEST_MAIN(test_case(comes_back_as_it_was), test_case(an_empty_one_has_no_bytes),
	test_case(flags_of_all), test_case(refuses_what_is_malformed))
