// SPDX-License-Identifier: Apache-2.0
/* Checked against the definition read the other way round: decode, then ask whether the code point
 * is one and whether it encodes to the same bytes (RFC 3629 3). */
#include "base/fuzz.h"
#include "base/str.h"

static size_t encode(uint32_t c, unsigned char out[4])
{
	if (c < 0x80) {
		out[0] = (unsigned char)c;
		return 1;
	}
	size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		out[i] = (unsigned char)(0x80 | (c & 0x3f));
	out[0] = (unsigned char)(UINT32_C(0xf00) >> n | c);
	return n;
}

static size_t reference(const unsigned char *p, size_t left)
{
	for (size_t n = 1; n <= 4 && n <= left; n++) {
		uint32_t c = p[0] & (n == 1 ? 0xffu : 0x7fu >> n);
		for (size_t i = 1; i < n; i++)
			c = c << 6 | ((uint32_t)p[i] & 0x3f);
		unsigned char again[4];
		if (c <= 0x10ffff && (c < 0xd800 || c > 0xdfff) && encode(c, again) == n &&
			memcmp(again, p, n) == 0)
			return n;
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool valid = true;
	for (size_t i = 0; i < size;) {
		struct str rest = str_make(data + i, size - i);
		size_t n = str_utf8_sequence(rest);
		FUZZ_CHECK(n == reference(data + i, size - i));
		FUZZ_CHECK(str_is_utf8(str_sub(rest, 0, n)));
		valid = valid && n;
		i += n ? n : 1;
	}
	FUZZ_CHECK(str_is_utf8(str_make(data, size)) == valid);
	return 0;
}
