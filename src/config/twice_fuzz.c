// SPDX-License-Identifier: Apache-2.0
/* The walks over a configuration: they stay within the text, a second one finds no comment, and
 * what is given twice is there. */
#include "base/fuzz.h"
#include "base/mem.h"
#include "config/twice.h"

#include <stdlib.h>

static void check_twice(struct str text)
{
	struct config_twice twice;
	if (!config_find_twice(text, &twice))
		return;
	FUZZ_CHECK(twice.name.n > 0 && twice.name.p > text.p &&
		   twice.name.p + twice.name.n <= text.p + text.n);
	FUZZ_CHECK(twice.first >= 1 && twice.second >= twice.first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = xmalloc(size + 1), *again = xmalloc(size + 1);
	memcpy(copy, data, size);
	config_blank(copy, size);
	memcpy(again, copy, size);
	config_blank(again, size);
	FUZZ_CHECK(memcmp(copy, again, size) == 0);
	check_twice(str_make(copy, size));
	free(copy);
	free(again);
	return 0;
}
