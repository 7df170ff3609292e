// SPDX-License-Identifier: Apache-2.0
/* The walk over a configuration's words: it stays within the text, and what it finds is there. */
#include "base/fuzz.h"
#include "config/twice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make((const char *)data, size);
	struct config_twice twice;
	if (!config_find_twice(text, &twice))
		return 0;
	FUZZ_CHECK(twice.name.n > 0 && twice.name.p > text.p &&
		   twice.name.p + twice.name.n <= text.p + text.n);
	FUZZ_CHECK(twice.first >= 1 && twice.second >= twice.first);
	return 0;
}
