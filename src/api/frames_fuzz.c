// SPDX-License-Identifier: Apache-2.0
/* Every frame, both ways: two bytes choose it (its number, or its place in the table), the rest is
 * its payload. What decodes must encode to something that decodes to the same. */
#include "api/codec_table.h"
#include "api/frames.h"
#include "base/fuzz.h"
#include "base/limits.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	struct frame_header h = { .length = (uint32_t)(size - 2), .version = FRAME_VERSION };
	h.type = (uint16_t)(data[0] | data[1] << 8);
	if (h.type >= 1000)
		h.type = frame_table[h.type % frame_table_n].type;
	struct arena arena;
	arena_init(&arena, 1 << 21);
	struct frame f, g;
	struct err err = ERR_INIT;
	if (frame_decode(&h, str_make(data + 2, size - 2), &arena, &f, &err) == 0) {
		struct buf one, two;
		buf_init(&one, 2 * LIMIT_FRAME_BYTES);
		buf_init(&two, 2 * LIMIT_FRAME_BYTES);
		FUZZ_CHECK(frame_encode(&f, 7, &one));
		struct frame_header again;
		FUZZ_CHECK(frame_header_decode(str_sub(buf_str(&one), 0, FRAME_HEADER_BYTES),
				   &again, &err) == 0);
		FUZZ_CHECK(frame_decode(&again, str_from_offset(buf_str(&one), FRAME_HEADER_BYTES),
				   &arena, &g, &err) == 0);
		FUZZ_CHECK(frame_encode(&g, 7, &two));
		FUZZ_CHECK(str_equal(buf_str(&one), buf_str(&two)));
		buf_clear(&two);
		frame_print(&g, &two);
		buf_done(&one);
		buf_done(&two);
	}
	arena_done(&arena);
	return 0;
}
