// SPDX-License-Identifier: Apache-2.0
/* Runs a program of cursor calls, given by the first half of the input, over the second half. The
 * cursor never leaves its text, and a refusal never moves it. */
#include "base/fuzz.h"
#include "base/scan.h"

static bool is_even(char c)
{
	return c % 2 == 0;
}

/* One call; returns whether it may have moved the cursor. */
static bool call(struct scan *s, uint8_t op, struct str text)
{
	struct str part = str_sub(text, op / 16, op % 5), ret = STR_NONE;
	uint64_t n, max = op & 64 ? UINT64_MAX : op;
	switch (op % 9) {
	case 0:
		return scan_char(s, (char)op);
	case 1:
		return scan_literal_nocase(s, part);
	case 2:
		return scan_word_nocase(s, part);
	case 3:
		return scan_sp(s);
	case 4:
		return scan_wsp(s) > 0;
	case 5:
		return scan_while(s, is_even).n > 0;
	case 6:
		return scan_until(s, (char)op, &ret);
	case 7:
		if (!scan_number(s, max, &n))
			return false;
		FUZZ_CHECK(n <= max);
		return true;
	default:
		return op & 128 ? scan_digits(s, op % 24, &n) : scan_bytes(s, op % 24, &ret);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make(data + size / 2, size - size / 2);
	struct scan s = scan_from(text);
	for (size_t i = 0; i < size / 2; i++) {
		struct scan before = s;
		if (!call(&s, data[i], text))
			FUZZ_CHECK(s.p == before.p);
		FUZZ_CHECK(s.p >= before.p && s.p <= s.end && s.end == before.end);
		if (scan_end(&s))
			s = scan_from(text);
	}
	return 0;
}
