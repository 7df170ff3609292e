// SPDX-License-Identifier: Apache-2.0
/* Each character class over all 256 bytes, against the set as its RFC lists it. */
#include "base/abnf.h"
#include "base/mem.h"
#include "base/test.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS  "0123456789"

static const struct {
	const char *name;
	bool (*is)(char);
	const char *set;
} classes[] = {
	{ "alpha", abnf_is_alpha, LETTERS },
	{ "digit", abnf_is_digit, DIGITS },
	{ "alnum", abnf_is_alnum, LETTERS DIGITS },
	{ "vchar", abnf_is_vchar, LETTERS DIGITS "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" },
	{ "wsp", abnf_is_wsp, " \t" },
	{ "atext", abnf_is_atext, LETTERS DIGITS "!#$%&'*+-/=?^_`{|}~" },
	{ "mime token", abnf_is_mime_token, LETTERS DIGITS "!#$%&'*+-.^_`{|}~" },
	{ "ftext", abnf_is_ftext, LETTERS DIGITS "!\"#$%&'()*+,-./;<=>?@[\\]^_`{|}~" },
	{ "qtext", abnf_is_qtext, LETTERS DIGITS "!#$%&'()*+,-./:;<=>?@[]^_`{|}~" },
	{ "imap atom", abnf_is_imap_atom, LETTERS DIGITS "!#$&'+,-./:;<=>?@[^_`|}~" },
	{ "imap astring", abnf_is_imap_astring, LETTERS DIGITS "!#$&'+,-./:;<=>?@[]^_`|}~" },
};

static void classes_are_their_sets(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		for (int c = 0; c < 256; c++) {
			bool listed = c && strchr(classes[i].set, c) != NULL;
			if (classes[i].is((char)c) != listed)
				fail_msg("%s: 0x%02x", classes[i].name, c);
		}
}

static void controls_and_eight_bits(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		assert_int_equal(abnf_is_ctl((char)c), c < 32 || c == 127);
		assert_int_equal(abnf_is_8bit((char)c), c > 127);
	}
}

static void keywords(void **state)
{
	(void)state;
	assert_true(abnf_is_imap_keyword(STR("$MDNSent")) && abnf_is_imap_keyword(STR("x")));
	static const struct str none[] = { STR_INIT(""), STR_INIT(" "), STR_INIT("a b"),
		STR_INIT("\\Seen"), STR_INIT("x)"), STR_INIT("x\r\n"), STR_INIT("x\0"),
		STR_INIT("gr\xc3\xbc\xc3\x9f") };
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		assert_false(abnf_is_imap_keyword(none[i]));
}

static void hex(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		const char *at = c ? strchr("0123456789abcdefABCDEF", c) : NULL;
		int value = at ? (c <= '9' ? c - '0' : (c | 32) - 'a' + 10) : -1;
		assert_int_equal(abnf_hex_value((char)c), value);
	}
}

static void hex_bytes(void **state)
{
	uint8_t bytes[2];
	(void)state;
	assert_true(abnf_hex_bytes(STR("00fF"), bytes, 2) && bytes[0] == 0 && bytes[1] == 255);
	assert_true(abnf_hex_bytes(STR(""), bytes, 0));
	assert_false(
		abnf_hex_bytes(STR("00f"), bytes, 2) || abnf_hex_bytes(STR("00ff0"), bytes, 2));
	assert_false(
		abnf_hex_bytes(STR("00ff00"), bytes, 2) || abnf_hex_bytes(STR("00"), bytes, 2));
	assert_false(
		abnf_hex_bytes(STR("00g0"), bytes, 2) || abnf_hex_bytes(STR("0 00"), bytes, 2));
}

TEST_MAIN(test_case(classes_are_their_sets), test_case(controls_and_eight_bits),
	test_case(keywords), test_case(hex), test_case(hex_bytes))
