// SPDX-License-Identifier: Apache-2.0
#include "base/limits.h"
#include "base/mem.h"
#include "base/test.h"
#include "mail/digest.h"
#include "mail/mime.h"

#define MULTI "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
#define HTML  "Content-Type: text/html\r\n\r\n"

static const struct {
	const char *message, *preview;
} cases[] = {
	{ "\r\nHello,\r\n\r\n  this is  text.\r\n", "Hello, this is text." },
	{ "\r\n", "" },
	{ "", "" },
	{ "Content-Type: text/plain; charset=koi8-r\r\n\r\n\xf0\xd2", "\xd0\x9f\xd1\x80" },
	{ "Content-Transfer-Encoding: base64\r\n\r\nZ3LDvG4=\r\n", "gr\xc3\xbcn" },
	{ "Content-Transfer-Encoding: quoted-printable\r\n\r\ngr=C3=BCn=\r\n.", "gr\xc3\xbcn." },
	{ "\r\ngr\xfcn", "gr\xc3\xbcn" }, /* no charset: windows-1252 */
	{ "Content-Type: text/plain; charset=utf-7\r\n\r\n+ADw-", "+ADw-" }, /* M11 */
	{ "\r\na\x01"
	  "b\xc2\x85"
	  "c\xe2\x80\xa8"
	  "d\xc2\xa0"
	  "e",
		"a b c d e" },
	{ "Content-Type: image/png\r\n\r\nxxx", "" },
	{ "Content-Disposition: attachment\r\n\r\nxxx", "" },
	/* which part */
	{ MULTI "--b\r\n" HTML "<b>bold</b>\r\n--b\r\n\r\nplain\r\n--b--", "plain" },
	{ MULTI "--b\r\n\r\nplain\r\n--b\r\n" HTML "<b>bold</b>\r\n--b--", "plain" },
	{ MULTI "--b\r\n\r\n \r\n--b\r\n\r\nsecond\r\n--b--", "second" },
	{ MULTI "--b\r\nContent-Type: image/png\r\n\r\nx\r\n--b\r\n\r\nafter\r\n--b--", "after" },
	{ "Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ninner", "inner" },
	/* M12: markup */
	{ HTML "<html><head><title>t</title></head><style>p{}</style><p>one<br>two</p>",
		"one two" },
	{ HTML "<script>x<y</script>&lt;&amp;&gt;&nbsp;&quot;&foo;", "<&> \"&foo;" },
	/* RFC 8970 3.2: shown as plain text */
	{ HTML "Gr&uuml;&szlig;e, &Eacute;t&eacute; &AMP; "
	       "&euro;&#8364;&#x20AC;&#X1f600;&#39;&#147;&hellip;",
		"Gr\xc3\xbc\xc3\x9f"
		"e, \xc3\x89t\xc3\xa9 & \xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xf0\x9f\x98\x80'"
		"\xe2\x80\x9c\xe2\x80\xa6" },
	{ HTML "&EUML &eacute &; &#; &#x; &#xg; &#99999999999; &#x100000000; &",
		"&EUML &eacute &; &#; &#x; &#xg; &#99999999999; &#x100000000; &" },
	{ HTML "a&#0;b&#10;c&#127;d&#129;e&#xd800;f&#1114112;g&#00000000097;", "a b c d e f ga" },
	{ HTML "&amp;lt;", "&lt;" },
	/* padding; but a soft hyphen and a joiner in a word stay */
	{ HTML "News&nbsp;&zwnj;&#847;&nbsp;&#8199;&shy;&#8203; &zwnj;<p>&zwj;text", "News text" },
	{ HTML "&zwnj;&nbsp;&zwnj;&emsp;&#x3000;x", "x" },
	{ HTML "Do&shy;nau a&zwj;b", "Do\xc2\xad"
				     "nau a\xe2\x80\x8d"
				     "b" },
	{ HTML "<!-- <p> -->a<!-- open", "a" },
	{ HTML "a<b", "a" },
	{ HTML "<STYLE>x", "" },
	{ HTML "<header>kept</header>", "kept" },
};

static void preview_of(struct str message, struct buf *digest, struct str *ret)
{
	struct digest d;
	buf_init(digest, LIMIT_DIGEST_BYTES);
	mail_parse(message, digest);
	assert_true(digest_open(&d, buf_str(digest), message.n));
	*ret = d.preview;
}

static void m12_shows_the_beginning(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf digest;
		struct str preview;
		preview_of(str_from(cases[i].message), &digest, &preview);
		if (!str_equal(preview, str_from(cases[i].preview)))
			fail_msg("%s gave %" STR_FMT, cases[i].message, STR_ARG(preview));
		buf_done(&digest);
	}
}

/* 200 characters, of one byte or of four; no blank at the end. */
static void bounds_the_preview(void **state)
{
	(void)state;
	for (size_t n = LIMIT_PREVIEW_CHARS - 1; n <= LIMIT_PREVIEW_CHARS + 1; n++) {
		for (int wide = 0; wide < 2; wide++) {
			struct buf message, digest;
			struct str preview;
			size_t want = n < LIMIT_PREVIEW_CHARS ? n : LIMIT_PREVIEW_CHARS;
			buf_init(&message, 10000);
			buf_addz(&message, "Content-Type: text/plain; charset=utf-8\r\n\r\n");
			for (size_t i = 0; i < n; i++)
				buf_addz(&message, wide ? "\xf0\x9f\x98\x80" : "x");
			preview_of(buf_str(&message), &digest, &preview);
			assert_int_equal(preview.n, wide ? 4 * want : want);
			buf_done(&message);
			buf_done(&digest);
		}
	}
	struct buf message, digest;
	struct str preview;
	buf_init(&message, 10000);
	buf_addz(&message, "\r\n");
	for (size_t i = 0; i < LIMIT_PREVIEW_CHARS - 1; i++)
		buf_addc(&message, 'x');
	buf_addz(&message, " y");
	preview_of(buf_str(&message), &digest, &preview);
	assert_int_equal(preview.n, LIMIT_PREVIEW_CHARS - 1);
	buf_done(&message);
	buf_done(&digest);
}

/* The first so many characters of words with one blank between them, but no blank at the end. */
static void ends_within_words(void **state)
{
	(void)state;
	for (size_t word = 1; word <= LIMIT_PREVIEW_CHARS + 1; word++) {
		struct buf message, want, digest;
		struct str preview;
		buf_init(&message, 10000);
		buf_init(&want, 10000);
		buf_addz(&message, "\r\n  ");
		while (want.n <= LIMIT_PREVIEW_CHARS) {
			for (size_t i = 0; i < word; i++) {
				buf_addc(&message, (char)('!' + i % 94));
				buf_addc(&want, (char)('!' + i % 94));
			}
			buf_addz(&message, " \r\n\t");
			buf_addc(&want, ' ');
		}
		preview_of(buf_str(&message), &digest, &preview);
		assert_str(preview, str_trim(str_sub(buf_str(&want), 0, LIMIT_PREVIEW_CHARS)));
		buf_done(&message);
		buf_done(&want);
		buf_done(&digest);
	}
}

TEST_MAIN(test_case(m12_shows_the_beginning), test_case(ends_within_words),
	test_case(bounds_the_preview))
