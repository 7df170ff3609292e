// SPDX-License-Identifier: Apache-2.0
/* Flag blocks from bytes that may be anything: what is decoded has this one encoding, and stays in
 * its bounds. */
#include "store/flag_block.h"

#include "base/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct flag_block block;
	uint8_t again[FLAG_BLOCK_BYTES];
	struct str bytes = str_make(data, size);
	if (flag_block_decode(bytes, &block) < 0)
		return 0;
	FUZZ_CHECK(str_equal(bytes, str_make(again, flag_block_encode(&block, again))));
	uint32_t count = 0;
	uint8_t flags, all = 0;
	for (uint32_t uid = 0; uid < FLAG_BLOCK_UIDS; uid++) {
		FUZZ_CHECK(flag_block_at(&block, uid)->modseq <= INT64_MAX);
		count += flag_block_at(&block, uid)->modseq > 0;
		all |= flag_block_at(&block, uid)->flags;
	}
	FUZZ_CHECK(flag_block_flags(bytes, &flags) == 0 && flags == all);
	FUZZ_CHECK(count > 0 && count == flag_block_count(&block));
	return 0;
}
