// SPDX-License-Identifier: Apache-2.0
#include "base/limits.h"
#include "base/test.h"
#include "mail/param.h"

/* type/subtype;name=value;… and ! when malformed, > when truncated */
static const struct {
	const char *in, *out;
} values[] = {
	{ "text/plain; charset=us-ascii (Plain text)", "text/plain;charset=us-ascii" },
	{ "text/plain; charset=\"us-ascii\"", "text/plain;charset=us-ascii" },
	{ " message / rfc822", "message/rfc822" },
	{ "(c) text (c) / (c) plain (c) ; (c) a (c) = (c) b (c)", "text/plain;a=b" },
	{ "multipart/mixed;\r\n boundary=\"a\\\"b\\\\c\"", "multipart/mixed;boundary=a\"b\\c" },
	{ "attachment; filename=\"a;b.txt\"; size=3", "attachment/;filename=a;b.txt;size=3" },
	{ "attachment; filename=a b(1).txt; size=3", "attachment/;filename=a b(1).txt;size=3!" },
	{ "attachment; filename=a(1).txt", "attachment/;filename=a(1).txt!" },
	{ "attachment; filename=\xc3\xa4.txt", "attachment/;filename=\xc3\xa4.txt!" },
	{ "text/plain;;; a=b;", "text/plain;a=b" },
	{ "text/plain; a", "text/plain!" },
	{ "text/plain; =b; c=d", "text/plain;c=d!" },
	{ "text/plain; a=; c=d", "text/plain;a=;c=d" },
	{ "text/plain; a=b; A=c", "text/plain;a=b!" }, /* M7: the first */
	{ "text/plain; a=\"open", "text/plain;a=open!" },
	{ "text/plain; a=\"b\" junk; c=d", "text/plain;a=b;c=d!" },
	{ "text/plain charset=x", "text/plain;charset=x!" },
	{ "text/plain\r\n\tcharset=x y=\"z\" u", "text/plain;charset=x;y=z!" },
	{ "text/plain; charset=xy=z", "text/plain;charset=xy=z!" },
	{ "text/plain x; charset=y", "text/plain;charset=y!" },
	{ "text/", "text/" },
	{ "", "/" },
	{ ";", "/" },
	{ "text", "text/" },
};

static void m7_parses_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct arena a;
		struct buf out;
		struct mail_value v;
		arena_init(&a, 65536);
		buf_init(&out, 65536);
		mail_value_parse(&a, str_from(values[i].in), &v);
		buf_addf(&out, "%" STR_FMT "/%" STR_FMT, STR_ARG(v.type), STR_ARG(v.subtype));
		for (size_t k = 0; k < v.n; k++)
			buf_addf(&out, ";%" STR_FMT "=%" STR_FMT, STR_ARG(v.params[k].name),
				STR_ARG(v.params[k].value));
		buf_addz(&out, v.malformed ? "!" : "");
		buf_addz(&out, v.truncated ? ">" : "");
		if (!str_equal(buf_str(&out), str_from(values[i].out)))
			fail_msg("%s gave %s", values[i].in, out.p);
		arena_done(&a);
		buf_done(&out);
	}
}

static const struct {
	const char *in, *text; /* of parameter "n"; NULL: there is none */
} texts[] = {
	{ "a; n=plain", "plain" },
	{ "a; N=\"quo ted\"", "quo ted" },
	/* RFC 2231 3, 4, 4.1 */
	{ "a; n*0=\"ftp://\"; n*1=\"cs.utk.edu/\"", "ftp://cs.utk.edu/" },
	{ "a; n*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A", "This is ***fun***" },
	{ "a; n*0*=us-ascii'en'This%20is%20even%20more%20;\r\n n*1*=%2A%2A%2Afun%2A%2A%2A%20; "
	  "n*2=\"isn't it!\"",
		"This is even more ***fun*** isn't it!" },
	{ "a; n*1=b; n*0=a", "ab" },
	{ "a; n*0=a; n*2=c", "a" }, /* M8: a gap */
	{ "a; n*1=b", NULL },
	{ "a; n*0=a; n*0=x; n*1=b", "ab" }, /* M8: duplicates */
	{ "a; n*00=a", NULL },
	{ "a; n*99999999999999999999=a; n=x", "x" }, /* M8: overflow */
	{ "a; n*100=a; n=x", "x" },
	{ "a; n=x; n*=utf-8''%C3%BC", "\xc3\xbc" },
	{ "a; n*=iso-8859-1''%FC", "\xc3\xbc" },
	{ "a; n*0*=utf-8''%C3; n*1*=%BC", "\xc3\xbc" },
	{ "a; n*=%C3%BC", "\xc3\xbc" },
	{ "a; n*=x'y", "x'y" },
	{ "a; n*=nonsense''%C3%BC", "\xc3\xbc" },
	{ "a; n*=utf-7''+ADw-", "+ADw-" }, /* M11 */
	{ "a; n*=utf-8''%0D%0Ax%00", "  x " },
	{ "a; n*=utf-8''%f", "%f" },
	{ "a; n*=utf-8''%FF", "\xef\xbf\xbd" },
	{ "a; n=\"=?utf-8?q?gr=C3=BCn?=\"", "gr\xc3\xbcn" },
	{ "a; n=\xfc", "\xc3\xbc" },
	{ "a; m=x", NULL },
};

static void m8_decodes_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct arena a;
		struct buf out;
		struct mail_value v;
		arena_init(&a, 65536);
		buf_init(&out, 65536);
		mail_value_parse(&a, str_from(texts[i].in), &v);
		bool found = mail_param_text(v.params, v.n, STR("n"), &out);
		if (found != (texts[i].text != NULL) ||
			!str_equal(buf_str(&out), str_from(texts[i].text)))
			fail_msg("%s gave %s", texts[i].in, out.p);
		arena_done(&a);
		buf_done(&out);
	}
}

/* M8: as many segments as parameters are kept, N-1, N, N+1. */
/* RFC 2231 6, RFC 9051 7.5.2 */
static void joins_segments(void **state)
{
	(void)state;
	static const struct {
		const char *in, *kept, *decoded; /* decoded NULL: as kept */
	} cases[] = {
		{ "a; b=c; d=\"\"", "b=c;d=;", NULL },
		{ "a; n*0=x; b=c; N*1=\"y z\"", "n=xy z;b=c;", NULL },
		{ "a; n*1=y; n*0=x", "n=xy;", NULL },
		{ "a; n*=utf-8'en'%C3%BC%20", "n*=utf-8'en'%C3%BC%20;", "n*=\xc3\xbc ;" },
		{ "a; n*0*=iso-8859-1''%FC; n*1=\"50% x\"; n*2*=%20z",
			"n*=iso-8859-1''%FC50%25%20x%20z;",
			"n*=\xc3\xbc"
			"50% x z;" },
		{ "a; n*0=x; n*1*=%20y", "n*=''x%20y;", "n*=x y;" },
		{ "a; n=x; n*=utf-8''y", "n=x;n*=utf-8''y;", "n=x;n*=y;" },
		{ "a; n*0=x; n*2=z", "n=x;", NULL },
		{ "a; n*1=y; n*2=z", "n*1=y;n*2=z;", NULL },
		{ "a; n*00=x; *0=y; n**=z", "n*00=x;*0=y;n**=z;", NULL },
	};
	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		struct arena a;
		struct buf out;
		struct mail_value v;
		struct mail_param joined[LIMIT_MIME_PARAMS];
		bool decode = i % 2 == 1;
		const char *kept = cases[i / 2].kept, *decoded = cases[i / 2].decoded;
		arena_init(&a, 65536);
		buf_init(&out, 65536);
		mail_value_parse(&a, str_from(cases[i / 2].in), &v);
		size_t n = mail_params_join(&a, v.params, v.n, decode, joined);
		for (size_t k = 0; k < n; k++)
			buf_addf(&out, "%" STR_FMT "=%" STR_FMT ";", STR_ARG(joined[k].name),
				STR_ARG(joined[k].value));
		assert_str(buf_str(&out), str_from(decode && decoded ? decoded : kept));
		arena_done(&a);
		buf_done(&out);
	}
}

static void m8_bounds_segments(void **state)
{
	(void)state;
	for (size_t n = LIMIT_MIME_PARAMS - 1; n <= LIMIT_MIME_PARAMS + 1; n++) {
		struct arena a;
		struct buf in, out;
		struct mail_value v;
		arena_init(&a, 1 << 20);
		buf_init(&in, 1 << 20);
		buf_init(&out, 65536);
		buf_addz(&in, "a");
		for (size_t i = 0; i < n; i++)
			buf_addf(&in, "; n*%zu=x", i);
		mail_value_parse(&a, buf_str(&in), &v);
		assert_int_equal(v.n, n <= LIMIT_MIME_PARAMS ? n : LIMIT_MIME_PARAMS);
		assert_int_equal(v.truncated, n > LIMIT_MIME_PARAMS);
		assert_true(mail_param_bytes(v.params, v.n, STR("n"), &out));
		assert_int_equal(out.n, v.n);
		arena_done(&a);
		buf_done(&in);
		buf_done(&out);
	}
}

/* M14 */
static void m14_makes_file_names_safe(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out;
	} names[] = {
		{ "a.txt", "a.txt" },
		{ "../../etc/passwd", "passwd" },
		{ "C:\\windows\\a.exe", "a.exe" },
		{ "..", "" },
		{ "...hidden", "hidden" },
		{ "a/", "" },
		{ "CON", "_CON" },
		{ "nul.txt", "_nul.txt" },
		{ "com1", "_com1" },
		{ "compute", "compute" },
		{ "a\r\nb\x01", "a__b_" },
		{ "gpj\xe2\x80\xae"
		  "exe.txt",
			"gpjexe.txt" },
		{ "a\xe2\x80\xa8\xc2\x85\xd8\x9c"
		  "b",
			"ab" },
		{ "a?*:<>|\".b", "a_______.b" },
		{ "a. ", "a" },
		{ "", "" },
	};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct buf out;
		buf_init(&out, 1000);
		assert_true(mail_file_name(str_from(names[i].in), &out));
		assert_str(buf_str(&out), str_from(names[i].out));
		buf_done(&out);
	}
	for (size_t n = 254; n <= 256; n++) {
		struct buf in, out;
		buf_init(&in, 1000);
		buf_init(&out, 1000);
		for (size_t i = 0; i < n - 1; i++)
			buf_addc(&in, 'x');
		buf_addz(&in, "\xc3\xbc");
		assert_true(mail_file_name(buf_str(&in), &out));
		assert_int_equal(out.n, n + 1 <= 255 ? n + 1 : n == 255 ? 254 : 255);
		assert_true(str_is_utf8(buf_str(&out)));
		buf_done(&in);
		buf_done(&out);
	}
}

TEST_MAIN(test_case(m7_parses_values), test_case(joins_segments), test_case(m8_decodes_texts),
	test_case(m8_bounds_segments), test_case(m14_makes_file_names_safe))
