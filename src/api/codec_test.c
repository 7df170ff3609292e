// SPDX-License-Identifier: Apache-2.0
#include "api/codec_table.h"
#include "api/frames.h"
#include "api/schemes.h"
#include "base/limits.h"
#include "base/test.h"

static struct buf wire;
static struct arena arena;

static int setup(void **state)
{
	(void)state;
	buf_init(&wire, 4 * LIMIT_FRAME_BYTES);
	arena_init(&arena, 1 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_done(&wire);
	arena_done(&arena);
	return 0;
}

static int decode(struct frame *ret)
{
	struct err err = ERR_INIT;
	struct frame_header h;
	if (frame_header_decode(str_sub(buf_str(&wire), 0, FRAME_HEADER_BYTES), &h, &err))
		return -1;
	return frame_decode(
		&h, str_from_offset(buf_str(&wire), FRAME_HEADER_BYTES), &arena, ret, &err);
}

static void a_frame_with_lists_comes_back(void **state)
{
	(void)state;
	struct api_entry entries[] = { { .uid = 1, .flags = 3, .modseq = 1ull << 60, .time = -5 },
		{ .uid = 0xffffffff } };
	uint32_t gone[] = { 7, 9 };
	struct str words[] = { STR_INIT("$Forwarded"), STR_INIT("") };
	struct frame f = { .type = FRAME_VIEW_CHANGED,
		.view_changed = { .modseq = 77,
			.uidnext = 3,
			.keywords = { words, 2 },
			.entries = { entries, 2 },
			.expunged = { gone, 2 },
			.last = true } };
	struct frame g;
	assert_true(frame_encode(&f, 42, &wire));
	assert_int_equal(decode(&g), 0);
	assert_int_equal(g.type, FRAME_VIEW_CHANGED);
	assert_int_equal(g.view_changed.entries.n, 2);
	assert_int_equal(g.view_changed.entries.items[0].time, -5);
	assert_true(g.view_changed.entries.items[0].modseq == 1ull << 60);
	assert_str(g.view_changed.keywords.items[0], STR("$Forwarded"));
	assert_int_equal(g.view_changed.expunged.items[1], 9);
	assert_true(g.view_changed.last);
}

static void a_shorter_frame_has_zeroes_and_a_longer_is_refused(void **state)
{
	(void)state;
	struct frame f = { .type = FRAME_CHANGED, .changed = { .modseq = 5, .last = true } };
	struct frame g;
	assert_true(frame_encode(&f, 1, &wire));
	wire.p[0] = 8; /* modseq alone */
	buf_truncate(&wire, FRAME_HEADER_BYTES + 8);
	assert_int_equal(decode(&g), 0);
	assert_true(g.changed.modseq == 5 && !g.changed.last && g.changed.failed.n == 0);
	buf_clear(&wire);
	assert_true(frame_encode(&f, 1, &wire));
	wire.p[0]++;
	buf_addc(&wire, 0);
	assert_int_equal(decode(&g), -1);
}

/* An old receiver refuses what it does not know: so what says nothing is not sent. */
static void a_field_that_says_nothing_is_not_sent(void **state)
{
	(void)state;
	struct frame f = { .type = FRAME_VIEW_IS,
		.view_is = { .mailbox = 7, .deleted_horizon = 1 } };
	struct frame g;
	assert_true(frame_encode(&f, 1, &wire));
	size_t old = wire.n;
	assert_int_equal(decode(&g), 0);
	assert_true(
		g.view_is.mailbox == 7 && g.view_is.deleted_horizon == 1 && g.view_is.unseen == 0);
	buf_clear(&wire);
	f.view_is.unseen = 9;
	assert_true(frame_encode(&f, 1, &wire));
	assert_int_equal(wire.n, old + 4);
	assert_int_equal(decode(&g), 0);
	assert_int_equal(g.view_is.unseen, 9);
	/* Strings, lists and flags, too; the first field is always there. */
	buf_clear(&wire);
	assert_true(frame_encode(&(struct frame){ .type = FRAME_VIEW_OPEN }, 1, &wire));
	assert_int_equal(wire.n, FRAME_HEADER_BYTES + 4);
	assert_int_equal(decode(&g), 0);
	assert_true(g.view_open.session == 0 && g.view_open.name.n == 0);
}

static void lengths_hold_at_their_limits(void **state)
{
	(void)state;
	char text[400] = { 0 };
	struct frame f = { .type = FRAME_RESOLVE, .resolve.address = { text, 320 } };
	struct frame g;
	assert_true(frame_encode(&f, 1, &wire));
	assert_int_equal(decode(&g), 0);
	assert_int_equal(g.resolve.address.n, 320);
	f.resolve.address.n = 321;
	assert_false(frame_encode(&f, 1, &wire));
	/* The same by a sender who does not keep to it. */
	wire.p[FRAME_HEADER_BYTES] = (char)(321 & 255);
	buf_addc(&wire, 0);
	wire.p[0]++;
	assert_int_equal(decode(&g), -1);
}

static void counts_are_checked_before_memory_is_taken(void **state)
{
	(void)state;
	struct frame f = { .type = FRAME_UIDS };
	struct frame g;
	assert_true(frame_encode(&f, 1, &wire));
	wire.p[FRAME_HEADER_BYTES] = 2; /* two ranges, and no bytes for them */
	assert_int_equal(decode(&g), -1);
	assert_int_equal(arena.used, 0);
}

static void a_bool_is_zero_or_one(void **state)
{
	(void)state;
	struct frame f = { .type = FRAME_COPY, .copy.move = true };
	struct frame g;
	assert_true(frame_encode(&f, 1, &wire));
	wire.p[wire.n - 1] = 2;
	assert_int_equal(decode(&g), -1);
}

static void headers_are_checked(void **state)
{
	(void)state;
	struct frame_header h;
	struct err err = ERR_INIT;
	char raw[12] = { 0, 0, 1, 0, 1, 0, 1, 0 }; /* 65,536 bytes, frame 1, version 1 */
	assert_int_equal(frame_header_decode(str_make(raw, 12), &h, &err), 0);
	raw[4 + 2] = 2;
	assert_int_equal(frame_header_decode(str_make(raw, 12), &h, &err), -1);
	raw[4 + 2] = 1;
	raw[3] = 1;
	assert_int_equal(frame_header_decode(str_make(raw, 12), &h, &err), -1);
	assert_int_equal(frame_header_decode(str_make(raw, 11), &h, &err), -1);
}

static void directions_are_known(void **state)
{
	(void)state;
	assert_true(frame_allowed(FRAME_LOGIN, CLASS_USER, CLASS_GATE));
	assert_false(frame_allowed(FRAME_LOGIN, CLASS_MX, CLASS_GATE));
	assert_false(frame_allowed(FRAME_VIEW_OPEN, CLASS_MX, CLASS_STORE));
	assert_true(frame_allowed(FRAME_RESOLVE, CLASS_MX, CLASS_STORE));
	assert_false(frame_allowed(9999, CLASS_MX, CLASS_STORE));
	for (size_t i = 1; i < frame_table_n; i++)
		assert_true(frame_table[i - 1].type < frame_table[i].type);
}

static void the_end_of_an_answer_is_known(void **state)
{
	(void)state;
	struct frame f = { .type = FRAME_VIEW_IS };
	assert_false(frame_ends_answer(&f));
	f = (struct frame){ .type = FRAME_VIEW_ENTRIES };
	assert_false(frame_ends_answer(&f));
	f.view_entries.last = true;
	assert_true(frame_ends_answer(&f));
	f = (struct frame){ .type = FRAME_DONE };
	assert_true(frame_ends_answer(&f));
	f = (struct frame){ .type = FRAME_FAILED };
	assert_true(frame_ends_answer(&f));
}

static void every_empty_frame_comes_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < frame_table_n; i++) {
		struct frame f, g;
		memset(&f, 0, sizeof(f));
		f.type = (enum frame_type)frame_table[i].type;
		buf_clear(&wire);
		assert_true(frame_encode(&f, 3, &wire));
		assert_int_equal(decode(&g), 0);
		assert_int_equal(g.type, f.type);
	}
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
TEST_MAIN(CASE(a_frame_with_lists_comes_back),
	CASE(a_shorter_frame_has_zeroes_and_a_longer_is_refused),
	CASE(a_field_that_says_nothing_is_not_sent), CASE(lengths_hold_at_their_limits),
	CASE(counts_are_checked_before_memory_is_taken), CASE(a_bool_is_zero_or_one),
	CASE(the_end_of_an_answer_is_known), CASE(headers_are_checked), CASE(directions_are_known),
	CASE(every_empty_frame_comes_back))
