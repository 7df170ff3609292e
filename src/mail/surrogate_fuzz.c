// SPDX-License-Identifier: Apache-2.0
/* Any split of a message has the same surrogate, which is not longer than it may be; and what is
 * ASCII stays as it is. */
#include "base/fuzz.h"
#include "base/limits.h"
#include "mail/surrogate.h"

static void keep(void *arg, struct str bytes)
{
	FUZZ_CHECK(bytes.n > 0);
	FUZZ_CHECK(buf_adds(arg, bytes));
}

static void make(struct str message, size_t seed, struct buf *out)
{
	struct mail_surrogate s;
	mail_surrogate_init(&s, keep, out);
	for (size_t at = 0, n; at < message.n; at += n) {
		size_t before = out->n;
		n = seed ? 1 + (seed = seed * 1103515245 + 12345) / 65536 % 37 : message.n;
		struct str bytes = str_sub(message, at, n);
		mail_surrogate_input(&s, bytes);
		FUZZ_CHECK(out->n - before <=
			   bytes.n + LIMIT_SURROGATE_FIELD_BYTES + LIMIT_SURROGATE_EXTRA_BYTES);
	}
	mail_surrogate_end(&s);
	mail_surrogate_done(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str message = str_make(data, size);
	size_t most = size + LIMIT_SURROGATE_EXTRA_BYTES;
	struct buf whole, split;
	buf_init(&whole, most);
	buf_init(&split, most);
	make(message, 0, &whole);
	make(message, size + 1, &split);
	FUZZ_CHECK(str_equal(buf_str(&whole), buf_str(&split)));
	if (str_is_ascii(message))
		FUZZ_CHECK(str_equal(buf_str(&whole), message));
	buf_done(&whole);
	buf_done(&split);
	return 0;
}
