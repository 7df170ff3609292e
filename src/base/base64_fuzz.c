// SPDX-License-Identifier: Apache-2.0
/* Encoding is undone by decoding; what decodes is the one encoding of its bytes. */
#include "base/buf.h"
#include "base/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_make(data, size);
	struct buf coded, plain;
	buf_init(&coded, size * 2 + 4);
	buf_init(&plain, size * 2 + 4);
	FUZZ_CHECK(buf_add_base64(&coded, in));
	FUZZ_CHECK(buf_add_base64_decoded(&plain, buf_str(&coded)));
	FUZZ_CHECK(str_equal(buf_str(&plain), in));
	buf_clear(&plain);
	buf_clear(&coded);
	if (buf_add_base64_decoded(&plain, in)) {
		FUZZ_CHECK(buf_add_base64(&coded, buf_str(&plain)));
		FUZZ_CHECK(str_equal(buf_str(&coded), in));
	} else {
		FUZZ_CHECK(plain.n == 0);
	}
	buf_done(&plain);
	buf_done(&coded);
	return 0;
}
