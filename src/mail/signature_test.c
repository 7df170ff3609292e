// SPDX-License-Identifier: Apache-2.0
#include "mail/signature.h"

#include "base/test.h"

#include <stdio.h>
#include <string.h>

static struct buf made(const struct str *texts, size_t n, size_t piece)
{
	static struct signature_maker m;
	struct buf out;
	buf_init(&out, SIGNATURE_BYTES_MOST);
	signature_begin(&m);
	for (size_t i = 0; i < n; i++) {
		for (struct str rest = texts[i]; rest.n; rest = str_from_offset(rest, piece))
			signature_add(&m, str_sub(rest, 0, piece));
		signature_break(&m);
	}
	signature_end(&m, &out);
	assert_false(out.full);
	return out;
}

static bool may_hold(struct str signature, struct str needle)
{
	uint16_t trigrams[SIGNATURE_TRIGRAMS];
	return signature_may_hold(signature, trigrams, signature_trigrams(needle, trigrams));
}

static void holds_what_is_there(void **state)
{
	(void)state;
	const struct str texts[] = { STR("the quick brown fox"), STR("jumps over"), STR("ab"),
		STR("c") };
	for (size_t piece = 1; piece < 20; piece++) {
		struct buf s = made(texts, ARRAY_LEN(texts), piece);
		for (size_t i = 0; i < ARRAY_LEN(texts); i++)
			for (size_t from = 0; from < texts[i].n; from++)
				for (size_t n = 0; n <= texts[i].n - from; n++)
					assert_true(
						may_hold(buf_str(&s), str_sub(texts[i], from, n)));
		assert_false(may_hold(buf_str(&s), STR("quack")));
		assert_false(may_hold(buf_str(&s), STR("foxjumps"))); /* two texts */
		assert_false(may_hold(buf_str(&s), STR("abc")));
		assert_int_equal(s.n, SIGNATURE_HEAD_BYTES + 64);
		buf_done(&s);
	}
}

/* Bytes that look like words, from a seed. */
static void prose(struct buf *out, size_t n, uint32_t seed)
{
	while (out->n < n) {
		seed = seed * 1664525 + 1013904223;
		uint32_t word = (seed >> 8) % 3000;
		for (uint32_t k = word * 2654435769u, i = 0; i < 3 + word % 6; i++, k *= 69069)
			buf_addc(out, (char)('a' + (k >> 24) % 26));
		buf_addc(out, ' ');
	}
}

/* Larger texts have larger ones, up to the largest; and few of other words are let by. */
static void grows_with_the_text(void **state)
{
	(void)state;
	static const struct {
		size_t text, least, most;
	} sizes[] = { { 0, 64, 64 }, { 100, 64, 64 }, { 4096, 256, 1024 }, { 65536, 1024, 8192 },
		{ 1 << 20, 1024, 8192 } };
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct buf text;
		buf_init(&text, sizes[i].text + 100);
		prose(&text, sizes[i].text, (uint32_t)i);
		struct str t = buf_str(&text);
		struct buf s = made(&t, 1, 1000);
		assert_in_range(s.n - SIGNATURE_HEAD_BYTES, sizes[i].least, sizes[i].most);
		unsigned passed = 0;
		for (unsigned k = 0; k < 1000; k++) {
			char needle[16];
			snprintf(needle, sizeof(needle), "q%uzx%u", k * 7919, k);
			passed += may_hold(buf_str(&s), str_from(needle));
		}
		assert_in_range(passed, 0, 20);
		buf_done(&s);
		buf_done(&text);
	}
}

/* Its bits are those of the trigrams and no others, whatever the text's length and place in memory,
 * and however it comes. */
static void holds_nothing_else(void **state)
{
	char room[64];
	(void)state;
	for (size_t n = 0; n < 40; n++) {
		for (size_t at = 0; at < 8; at++) {
			uint8_t want[64] = { 0 };
			for (size_t i = 0; i < n; i++)
				room[at + i] = (char)((n * 31 + i) * 2654435769u >> 24);
			struct str text = str_make(room + at, n);
			for (size_t i = 0; i + 3 <= n; i++) {
				uint16_t all[SIGNATURE_TRIGRAMS];
				assert_int_equal(signature_trigrams(str_sub(text, i, 3), all), 1);
				uint16_t h = all[0];
				want[(h & 511) >> 3] |= (uint8_t)(1u << (h & 7));
			}
			for (size_t piece = 1; piece <= n + 1; piece++) {
				struct buf s = made(&text, 1, piece);
				assert_int_equal(s.n, SIGNATURE_HEAD_BYTES + sizeof(want));
				assert_memory_equal(s.p + SIGNATURE_HEAD_BYTES, want, sizeof(want));
				buf_done(&s);
			}
		}
	}
}

/* Every trigram there is: all bits, no halving. */
static void a_full_one_holds_all(void **state)
{
	(void)state;
	struct buf text;
	buf_init(&text, 1 << 20);
	for (uint32_t i = 0, x = 1; i < 1 << 20; i++, x = x * 1664525 + 1013904223)
		buf_addc(&text, (char)(x >> 24));
	struct str t = buf_str(&text);
	struct buf s = made(&t, 1, 4096);
	assert_int_equal(s.n, SIGNATURE_BYTES_MOST);
	assert_true(may_hold(buf_str(&s), STR("anything")));
	buf_done(&s);
	buf_done(&text);
}

/* SIGNATURE_TRIGRAMS: N - 1, N, N + 1; its beginning and its end are always among them. */
static void needles(void **state)
{
	uint16_t few[SIGNATURE_TRIGRAMS], many[SIGNATURE_TRIGRAMS];
	char needle[SIGNATURE_TRIGRAMS + 8];
	(void)state;
	for (size_t i = 0; i < sizeof(needle); i++)
		needle[i] = (char)('a' + i);
	assert_int_equal(signature_trigrams(STR("ab"), few), 0);
	assert_int_equal(signature_trigrams(STR("abc"), few), 1);
	for (size_t over = 0; over < 3; over++) {
		size_t n = SIGNATURE_TRIGRAMS - 1 + over;
		assert_int_equal(signature_trigrams(str_make(needle, n + 2), many),
			over < 2 ? n : SIGNATURE_TRIGRAMS);
		assert_int_equal(many[0], few[0]);
	}
}

static void what_is_not_one_holds_all(void **state)
{
	(void)state;
	static const char short_one[2 + 63] = { 1, 9 }, long_one[2 + 65] = { 1, 9 },
					right[2 + 64] = { 1, 9 }, other[2 + 64] = { 2, 9 },
					small[2 + 32] = { 1, 8 }, large[2 + 16384] = { 1, 17 };
	assert_false(may_hold(str_make(right, sizeof(right)), STR("abc")));
	assert_true(may_hold(STR_NONE, STR("abc")));
	assert_true(may_hold(str_make(right, 1), STR("abc")));
	assert_true(may_hold(str_make(short_one, sizeof(short_one)), STR("abc")));
	assert_true(may_hold(str_make(long_one, sizeof(long_one)), STR("abc")));
	assert_true(may_hold(str_make(other, sizeof(other)), STR("abc")));
	assert_true(may_hold(str_make(small, sizeof(small)), STR("abc")));
	assert_true(may_hold(str_make(large, sizeof(large)), STR("abc")));
}

TEST_MAIN(test_case(holds_what_is_there), test_case(holds_nothing_else),
	test_case(grows_with_the_text), test_case(a_full_one_holds_all), test_case(needles),
	test_case(what_is_not_one_holds_all))
