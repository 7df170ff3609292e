// SPDX-License-Identifier: Apache-2.0
/* Whatever another image has left: it is refused with a reason, or what is read is what is written.
 */
#include "base/fuzz.h"
#include "base/limits.h"
#include "process/takeover.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct takeover t, again;
	struct buf text;
	struct err err = ERR_INIT;
	takeover_init(&t);
	takeover_init(&again);
	buf_init(&text, LIMIT_TAKEOVER_BYTES);
	if (size <= LIMIT_TAKEOVER_BYTES && takeover_read(str_make(data, size), &t, &err) == 0) {
		FUZZ_CHECK(t.children.n <= LIMIT_TAKEOVER_CHILDREN);
		FUZZ_CHECK(takeover_write(&t, &text));
		FUZZ_CHECK(takeover_read(buf_str(&text), &again, &err) == 0);
		FUZZ_CHECK(again.children.n == t.children.n);
		FUZZ_CHECK(again.last_instance == t.last_instance);
	} else if (size <= LIMIT_TAKEOVER_BYTES) {
		FUZZ_CHECK(err.kind == ERR_UNSUPPORTED);
	}
	buf_done(&text);
	takeover_done(&t);
	takeover_done(&again);
	return 0;
}
