// SPDX-License-Identifier: Apache-2.0
/* Search signatures: any bytes may be one; and whatever a text holds, its signature holds. The
 * first byte cuts the rest in two. */
#include "base/fuzz.h"
#include "mail/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct signature_maker m;
	uint16_t trigrams[SIGNATURE_TRIGRAMS];
	if (size == 0)
		return 0;
	struct str text = str_make(data + 1, size - 1), needle = str_sub(text, 0, data[0]);
	size_t n = signature_trigrams(needle, trigrams);
	FUZZ_CHECK(n <= SIGNATURE_TRIGRAMS && n <= needle.n);
	(void)signature_may_hold(str_from_offset(text, data[0]), trigrams, n);
	struct buf out;
	buf_init(&out, SIGNATURE_BYTES_MOST);
	signature_begin(&m);
	signature_add(&m, needle);
	signature_add(&m, str_from_offset(text, data[0]));
	signature_end(&m, &out);
	FUZZ_CHECK(!out.full && signature_may_hold(buf_str(&out), trigrams, n));
	buf_done(&out);
	return 0;
}
