// SPDX-License-Identifier: Apache-2.0
#include "base/test.h"
#include "mail/transfer.h"

static const struct {
	const char *encoding, *in, *out;
	bool malformed;
} cases[] = {
	{ "base64", "aGVsbG8=", "hello", false }, { "base64", "aGVs\r\nbG8=\r\n", "hello", false },
	{ "base64", "aGVsbG8", "hello", false }, { "base64", "aGVsbA==", "hell", false },
	{ "base64", "aGVsbA==bG8=", "helllo", false }, /* M7: "=" in the middle */
	{ "base64", "aG!Vs*bG8=", "hello", true },     /* M7: junk */
	{ "base64", "a", "", true }, { "base64", "====", "", false }, { "base64", "", "", false },
	{ "quoted-printable", "a=3Db=20", "a=b ", false },
	{ "quoted-printable", "a=3db=C3=BC", "a=b\xc3\xbc", false },
	{ "quoted-printable", "a=\r\nb", "ab", false },
	{ "quoted-printable", "a=\nb", "ab", false },
	{ "quoted-printable", "a= \t\r\nb", "ab", false },
	{ "quoted-printable", "a \t\r\nb", "a\r\nb", false },
	{ "quoted-printable", "a \nb ", "a\nb", false },
	{ "quoted-printable", "a  b", "a  b", false },
	{ "quoted-printable", "a=", "a", false }, /* M7: soft break at the end */
	{ "quoted-printable", "a= ", "a", false }, { "quoted-printable", "a=\r", "a=\r", true },
	{ "quoted-printable", "a=XYb", "a=XYb", true }, { "quoted-printable", "a=4", "a=4", true },
	{ "quoted-printable", "a=4=41", "a=4A", true },
	{ "quoted-printable", "a==41", "a=A", true }, { "quoted-printable", "a= b", "a= b", true },
	{ "quoted-printable", "a\r\rb\r", "a\r\rb\r", false },
	{ "quoted-printable", " \r x", " \r x", false },
	{ "7bit", "a=41 \r\n", "a=41 \r\n", false },
	{ "x-uuencode", "begin 644", "begin 644", false }, /* M7 */
};

static void decode(const char *encoding, struct str in, size_t piece, struct buf *out, bool *bad)
{
	struct mail_decoder d;
	mail_decoder_init(&d, mail_encoding_from(str_from(encoding)));
	for (; in.n > 0; in = str_from_offset(in, piece))
		assert_true(mail_decoder_input(&d, str_sub(in, 0, piece), out));
	assert_true(mail_decoder_end(&d, out));
	*bad = d.malformed;
}

static void m7_decodes_any_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t piece = 1; piece < 10; piece++) {
			struct buf out;
			bool malformed;
			buf_init(&out, 10000);
			decode(cases[i].encoding, str_from(cases[i].in), piece, &out, &malformed);
			assert_str(buf_str(&out), str_from(cases[i].out));
			assert_int_equal(malformed, cases[i].malformed);
			buf_done(&out);
		}
	}
}

static void round_trips_all_bytes(void **state)
{
	(void)state;
	struct buf raw, coded, out;
	bool malformed;
	buf_init(&raw, 4000);
	buf_init(&coded, 16000);
	buf_init(&out, 32000);
	for (int i = 0; i < 1000; i++)
		buf_addc(&raw, (char)(i * 7));
	buf_add_base64(&coded, buf_str(&raw));
	decode("base64", buf_str(&coded), 17, &out, &malformed);
	assert_str(buf_str(&out), buf_str(&raw));
	buf_clear(&coded);
	buf_clear(&out);
	for (size_t i = 0; i < raw.n; i++)
		buf_addf(&coded, "=%02X%s", (unsigned char)raw.p[i], i % 20 == 19 ? "=\r\n" : "");
	decode("quoted-printable", buf_str(&coded), 17, &out, &malformed);
	assert_str(buf_str(&out), buf_str(&raw));
	buf_done(&raw);
	buf_done(&coded);
	buf_done(&out);
}

/* More blanks than are held come out, and the output still fits its bound. */
static void holds_many_blanks(void **state)
{
	(void)state;
	for (size_t n = 998; n <= 1002; n++) {
		struct buf in, out;
		bool malformed;
		buf_init(&in, 4000);
		buf_init(&out, 8000);
		for (size_t i = 0; i < n; i++)
			buf_addc(&in, ' ');
		buf_addz(&in, "x");
		decode("quoted-printable", buf_str(&in), 1, &out, &malformed);
		assert_str(buf_str(&out), buf_str(&in));
		buf_done(&in);
		buf_done(&out);
	}
}

static void names_encodings(void **state)
{
	(void)state;
	assert_int_equal(mail_encoding_from(STR(" BASE64 (comment)")), MAIL_BASE64);
	assert_int_equal(mail_encoding_from(STR("Quoted-Printable")), MAIL_QUOTED_PRINTABLE);
	assert_int_equal(mail_encoding_from(STR("8bit")), MAIL_8BIT);
	assert_int_equal(mail_encoding_from(STR("binary")), MAIL_BINARY);
	assert_int_equal(mail_encoding_from(STR("base 64")), MAIL_ENCODING_UNKNOWN);
	assert_int_equal(mail_encoding_from(STR("base64;")), MAIL_ENCODING_UNKNOWN);
}

TEST_MAIN(test_case(m7_decodes_any_split), test_case(round_trips_all_bytes),
	test_case(holds_many_blanks), test_case(names_encodings))
