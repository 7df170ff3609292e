// SPDX-License-Identifier: Apache-2.0
/* What somebody sends as DEFLATE: expanded in rooms of any size it is the same, and the bounds of
 * the room hold; what is compressed by us comes back. The first byte is the room. */
#include "base/fuzz.h"
#include "base/mem.h"
#include "io/squeeze.h"

#define MOST (1 << 20) /* bytes of a bomb that are looked at */

static bool expand(struct str in, size_t room_n, struct buf *ret)
{
	struct squeeze *q = squeeze_new();
	char room[256];
	enum expanded e = EXPANDED;
	while (e == EXPANDED || (e == EXPANDED_ALL && in.n > 0)) {
		size_t used = 0, got = 0;
		e = squeeze_expand(q, in, room, room_n, &used, &got);
		FUZZ_CHECK(used <= in.n && got <= room_n);
		if (!buf_add(ret, room, got) || (e == EXPANDED_ALL && used == 0))
			break;
		in = str_from_offset(in, used);
	}
	squeeze_free(&q);
	return e != EXPANDED_BROKEN;
}

static void there_and_back(struct str bytes)
{
	struct squeeze *q = squeeze_new();
	struct buf packed, back;
	buf_init(&packed, MOST);
	buf_init(&back, MOST);
	FUZZ_CHECK(squeeze_add(q, bytes, &packed) == bytes.n);
	FUZZ_CHECK(expand(buf_str(&packed), 256, &back));
	FUZZ_CHECK(str_equal(buf_str(&back), bytes));
	buf_done(&packed);
	buf_done(&back);
	squeeze_free(&q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf a, b;
	if (size < 2 || size > 65536)
		return 0;
	struct str in = str_make(data + 1, size - 1);
	buf_init(&a, MOST);
	buf_init(&b, MOST);
	bool whole = expand(in, 1 + (size_t)data[0], &a), again = expand(in, 256, &b);
	if (!a.full && !b.full) {
		FUZZ_CHECK(whole == again);
		FUZZ_CHECK(str_equal(buf_str(&a), buf_str(&b)));
	}
	there_and_back(in);
	buf_done(&a);
	buf_done(&b);
	return 0;
}
