// SPDX-License-Identifier: Apache-2.0
/* X2: the frames' codec at each of its allocations: it ends, or the frame is the same. */
#include "api/frames.h"
#include "base/limits.h"
#include "base/no_memory.h"

static void there_and_back(void *arg)
{
	struct api_target targets[] = { { 1, STR("alice@example.test") },
		{ 2, STR("bob@x.test") } };
	struct frame out = { .type = FRAME_RESOLVED, .resolved.targets = { targets, 2 } }, in;
	struct frame_header header;
	struct arena arena;
	struct buf wire, text;
	struct err err = ERR_INIT;
	(void)arg;
	arena_init(&arena, 1 << 20);
	buf_init(&text, 10000);
	buf_init(&wire, 2 * LIMIT_FRAME_BYTES);
	no_memory_from_here();
	assert_true(frame_encode(&out, 7, &wire));
	assert_int_equal(
		frame_header_decode(str_sub(buf_str(&wire), 0, FRAME_HEADER_BYTES), &header, &err),
		0);
	assert_int_equal(frame_decode(&header, str_from_offset(buf_str(&wire), FRAME_HEADER_BYTES),
				 &arena, &in, &err),
		0);
	frame_print(&in, &text);
	no_memory_until_here();
	no_memory_note(buf_str(&text));
	buf_done(&wire);
	buf_done(&text);
	arena_done(&arena);
}

static void x2_each_allocation_of_a_frame(void **state)
{
	(void)state;
	NO_MEMORY_EACH(run, "frame", there_and_back, NULL)
	no_memory_said_the_same(&run);
}

TEST_MAIN(test_case(x2_each_allocation_of_a_frame))
