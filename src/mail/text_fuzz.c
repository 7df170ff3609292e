// SPDX-License-Identifier: Apache-2.0
/* What turns bytes into text: encoded words, parameters, charsets, transfer encodings. The output
 * is valid UTF-8 within its promised bound, and no split changes it. */
#include "base/fuzz.h"
#include "mail/charset.h"
#include "mail/encoded.h"
#include "mail/param.h"
#include "mail/subject.h"
#include "mail/transfer.h"

/* Each within its bound; base subjects and message ids of the same text (RFC 5256). */
static void fold_and_casemap(struct str text)
{
	struct buf out;
	bool reply;
	buf_init(&out, text.n * MAIL_SEARCH_GROWTH + 16);
	FUZZ_CHECK(mail_search_text(text, &out) && str_is_utf8(buf_str(&out)));
	buf_clear(&out);
	FUZZ_CHECK(mail_casemap(text, &out) && str_is_utf8(buf_str(&out)));
	buf_clear(&out);
	FUZZ_CHECK(mail_base_subject(text, &out, &reply));
	for (struct str rest = text; mail_reference_next(&rest, &out);)
		FUZZ_CHECK(out.n >= 3 && rest.n < text.n);
	buf_done(&out);
}

static void check_words(struct str text)
{
	struct buf out, again, back;
	buf_init(&out, text.n * 3 + 16);
	FUZZ_CHECK(mail_encoded_decode(text, &out));
	FUZZ_CHECK(str_is_utf8(buf_str(&out)) && !str_has_control(buf_str(&out)));
	buf_init(&again, out.n * 4 + 1000);
	buf_init(&back, again.max * 3);
	FUZZ_CHECK(mail_encoded_encode(buf_str(&out), &again));
	FUZZ_CHECK(mail_encoded_decode(buf_str(&again), &back));
	FUZZ_CHECK(str_equal(buf_str(&back), buf_str(&out)));
	buf_clear(&again);
	mail_fold_case(buf_str(&out), &again);
	fold_and_casemap(buf_str(&out));
	buf_done(&out);
	buf_done(&again);
	buf_done(&back);
}

static void check_params(struct str text)
{
	struct arena a;
	struct mail_value v;
	struct buf out, name;
	arena_init(&a, 1 << 20);
	buf_init(&out, text.n * 9 + 64);
	buf_init(&name, 1000);
	mail_value_parse(&a, text, &v);
	if (mail_param_text(v.params, v.n, STR("n"), &out)) {
		FUZZ_CHECK(str_is_utf8(buf_str(&out)) && !str_has_control(buf_str(&out)));
		mail_file_name(buf_str(&out), &name);
		FUZZ_CHECK(name.n <= 255 && str_is_utf8(buf_str(&name)));
		FUZZ_CHECK(str_find(buf_str(&name), '/') == name.n);
	}
	struct mail_param joined[LIMIT_MIME_PARAMS];
	for (int decode = 0; decode < 2; decode++)
		FUZZ_CHECK(mail_params_join(&a, v.params, v.n, decode, joined) <= v.n);
	arena_done(&a);
	buf_done(&out);
	buf_done(&name);
}

static void decode(enum mail_encoding encoding, struct str in, size_t piece, struct buf *out)
{
	struct mail_decoder d;
	mail_decoder_init(&d, encoding);
	for (; in.n > 0; in = str_from_offset(in, piece))
		FUZZ_CHECK(mail_decoder_input(&d, str_sub(in, 0, piece), out));
	FUZZ_CHECK(mail_decoder_end(&d, out));
}

static void check_transfer(struct str text)
{
	for (int e = MAIL_7BIT; e <= MAIL_ENCODING_UNKNOWN; e++) {
		struct buf whole, split;
		buf_init(&whole, text.n + 2048);
		buf_init(&split, text.n + 2048);
		decode((enum mail_encoding)e, text, text.n + 1, &whole);
		decode((enum mail_encoding)e, text, 3, &split);
		FUZZ_CHECK(str_equal(buf_str(&whole), buf_str(&split)));
		buf_done(&whole);
		buf_done(&split);
	}
}

/* The first byte chooses the charset. */
static void check_charset(struct str text)
{
	const struct mail_charset *c = text.n ? mail_charset_at((unsigned char)text.p[0]) : NULL;
	struct str rest = str_from_offset(text, 1);
	struct buf whole, split;
	buf_init(&whole, rest.n * 3 + 16);
	buf_init(&split, rest.n * 3 + 16);
	FUZZ_CHECK(mail_to_utf8(c, rest, &whole));
	FUZZ_CHECK(str_is_utf8(buf_str(&whole)));
	struct mail_converter *converter = mail_converter_new(c);
	for (; rest.n > 0; rest = str_from_offset(rest, 1))
		FUZZ_CHECK(mail_converter_input(converter, str_sub(rest, 0, 1), &split));
	FUZZ_CHECK(mail_converter_end(converter, &split));
	mail_converter_free(&converter);
	FUZZ_CHECK(str_equal(buf_str(&whole), buf_str(&split)));
	buf_done(&whole);
	buf_done(&split);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make(data, size);
	check_words(text);
	check_params(text);
	check_transfer(text);
	check_charset(text);
	return 0;
}
