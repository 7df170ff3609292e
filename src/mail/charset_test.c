// SPDX-License-Identifier: Apache-2.0
#include "base/limits.h"
#include "base/test.h"
#include "mail/address.h"
#include "mail/charset.h"
#include "mail/encoded.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void preloads(void **state)
{
	(void)state;
	assert_int_equal(mail_charsets_preload(), 0);
}

/* All is loaded: a process that can open nothing any more converts, folds and normalizes. */
static int child_without_files(void)
{
	struct rlimit none = { 0, 0 };
	struct buf out;
	if (mail_charsets_preload() != 0 || setrlimit(RLIMIT_NOFILE, &none) != 0 ||
		open("/dev/null", O_RDONLY) != -1)
		return 1;
	buf_init(&out, 1 << 20);
	for (size_t i = 0; mail_charset_at(i); i++) {
		struct mail_converter *c = mail_converter_new(mail_charset_at(i));
		char every[256];
		for (size_t k = 0; k < sizeof(every); k++)
			every[k] = (char)k;
		mail_converter_input(c, str_make(every, sizeof(every)), &out);
		mail_converter_input(c, STR("\x1b$)C\x0e\x30\x21\x1b$(D\x1b(I\x1b.A"), &out);
		mail_converter_end(c, &out);
		mail_converter_free(&c);
	}
	buf_clear(&out);
	bool ok = mail_to_utf8(mail_charset_find(STR("iso-2022-kr")),
			  STR("\x1b$)C\x0e\x30\x21\x0f"), &out) &&
		  mail_to_utf8(
			  mail_charset_find(STR("iso-2022-jp-2")), STR("\x1b$A0!\x1b(B"), &out) &&
		  mail_to_utf8(mail_charset_find(STR("koi8-r")), STR("\xf0"), &out) &&
		  mail_fold_case(STR("\xc3\x9c"), &out) && mail_casemap(STR("\xc3\xbc"), &out) &&
		  mail_to_nfc(STR("o\xcc\x88"), &out) &&
		  mail_domain_normalize(STR("b\xc3\xbc.example"), &out);
	return !ok || !str_equal(buf_str(&out),
			      STR("\xea\xb0\x80\xe5\x95\x8a\xd0\x9f\xc3\xbcU\xcc\x88\xc3\xb6"
				  "xn--b-eha.example"));
}

static void m11_needs_no_files_later(void **state)
{
	(void)state;
	int status;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(child_without_files());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* RFC 5051 2, with its example, and RFC 5255 4.6's Russian one */
static void casemaps(void **state)
{
	(void)state;
	static const struct {
		const char *in, *casemap, *search;
	} cases[] = {
		{ "", "", "" },
		{ "Hello, [W]orld", "HELLO, [W]ORLD", "HELLO, [W]ORLD" },
		{ "\xc7\x84", "Dz\xcc\x8c", "Dz\xcc\x8c" },
		{ "\xc3\xa9", "E\xcc\x81", "E\xcc\x81" },
		{ "e\xcc\x81", "E\xcc\x81", "E\xcc\x81" },
		{ "\xd0\x90\xd0\xbb", "\xd0\x90\xd0\x9b", "\xd0\x90\xd0\x9b" },
		{ "\xef\xac\x81x", "fiX", "FIX" }, /* a ligature has no title case of its own */
		{ "Stra\xc3\x9f"
		  "e",
			"STRA\xc3\x9f"
			"E",
			"STRASSE" },
		{ "\xf0\x90\x90\xa8", "\xf0\x90\x90\x80", "\xf0\x90\x90\x80" },
		{ "a\xff"
		  "b",
			"A\xef\xbf\xbd"
			"B",
			"A\xef\xbf\xbd"
			"B" },
	};
	struct buf out;
	buf_init(&out, 1000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_clear(&out);
		assert_true(mail_casemap(str_from(cases[i].in), &out));
		assert_str(buf_str(&out), str_from(cases[i].casemap));
		buf_clear(&out);
		assert_true(mail_search_text(str_from(cases[i].in), &out));
		assert_str(buf_str(&out), str_from(cases[i].search));
	}
	/* The longest decomposition there is stays within the bound. */
	buf_clear(&out);
	assert_true(mail_search_text(STR("\xef\xb7\xba"), &out));
	assert_in_range(out.n, 4, 3 * MAIL_SEARCH_GROWTH);
	buf_done(&out);
}

/* M11: only what is in the table. */
static void m11_allows_the_table_alone(void **state)
{
	(void)state;
	static const struct {
		const char *name, *found;
	} names[] = {
		{ "UTF-8", "utf-8" },
		{ " \"utf-8\" ", "utf-8" },
		{ "latin1", "iso-8859-1" },
		{ "L1", "iso-8859-1" },
		{ "CP1252", "windows-1252" },
		{ "gb2312", "gbk" },
		{ "KS_C_5601-1987", "euc-kr" },
		{ "utf-7", NULL },
		{ "unicode-1-1-utf-7", NULL },
		{ "x-imap4-modified-utf7", NULL },
		{ "ibm037", NULL },
		{ "../../x", NULL },
		{ "", NULL },
		{ " ", NULL },
		{ "l1 l2", NULL },
		{ "1", NULL },
		{ "scsu", NULL },
		{ "bocu-1", NULL },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL },
	};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct mail_charset *c = mail_charset_find(str_from(names[i].name));
		if ((c == NULL) != (names[i].found == NULL))
			fail_msg("%s", names[i].name);
		if (c)
			assert_string_equal(mail_charset_name(c), names[i].found);
	}
	for (size_t i = 0; mail_charset_at(i); i++)
		assert_ptr_equal(mail_charset_find(str_from(mail_charset_name(mail_charset_at(i)))),
			mail_charset_at(i));
}

#define FFFD "\xef\xbf\xbd"
static const struct {
	const char *charset;
	struct str in, out;
} conversions[] = {
	{ "utf-8", STR_INIT("gr\xc3\xbcn \xf0\x9f\x98\x80"),
		STR_INIT("gr\xc3\xbcn \xf0\x9f\x98\x80") },
	{ "utf-8",
		STR_INIT("a\xff"
			 "b"),
		STR_INIT("a" FFFD "b") },
	{ "utf-8", STR_INIT("\xc0\x80"), STR_INIT(FFFD FFFD) },
	{ "utf-8", STR_INIT("\xed\xa0\x80"), STR_INIT(FFFD FFFD FFFD) },
	{ "utf-8", STR_INIT("\xf4\x90\x80\x80"), STR_INIT(FFFD FFFD FFFD FFFD) },
	{ "utf-8", STR_INIT("x\xe2\x82"), STR_INIT("x" FFFD) },
	{ "us-ascii", STR_INIT("a\xe4"), STR_INIT("a" FFFD) },
	{ "iso-8859-1", STR_INIT("gr\xfcn \x80"), STR_INIT("gr\xc3\xbcn \xe2\x82\xac") },
	{ "iso-8859-15", STR_INIT("\xa4"), STR_INIT("\xe2\x82\xac") },
	{ "iso-8859-16", STR_INIT("a\x80\xa4\xaa\xff"),
		STR_INIT("a\xc2\x80\xe2\x82\xac\xc8\x98\xc3\xbf") },
	{ "koi8-r", STR_INIT("\xf0\xd2"), STR_INIT("\xd0\x9f\xd1\x80") },
	{ "windows-1251", STR_INIT("\xcf\xf0"), STR_INIT("\xd0\x9f\xd1\x80") },
	{ "gb18030", STR_INIT("\xc4\xe3"), STR_INIT("\xe4\xbd\xa0") },
	{ "gbk", STR_INIT("\xc4\xe3"), STR_INIT("\xe4\xbd\xa0") },
	{ "big5", STR_INIT("\xa7\x41"), STR_INIT("\xe4\xbd\xa0") },
	{ "shift_jis", STR_INIT("\x82\xa0"), STR_INIT("\xe3\x81\x82") },
	{ "euc-jp", STR_INIT("\xa4\xa2"), STR_INIT("\xe3\x81\x82") },
	{ "euc-jp", STR_INIT("\x8f\xb0\xa1"), STR_INIT("\xe4\xb8\x82") }, /* JIS X 0212 */
	{ "iso-2022-jp", STR_INIT("\x1b$B$\"\x1b(B."), STR_INIT("\xe3\x81\x82.") },
	{ "iso-2022-jp", STR_INIT("\x1b$B$\""), STR_INIT("\xe3\x81\x82") }, /* M11: left open */
	/* GB 2312, KS C 5601, JIS X 0212, and the upper half of ISO 8859-7 */
	{ "iso-2022-jp-2", STR_INIT("\x1b$A0!\x1b$(C0!\x1b$(D0!\x1b(B\x1b.F\x1bNa"),
		STR_INIT("\xe5\x95\x8a\xea\xb0\x80\xe4\xb8\x82\xce\xb1") },
	{ "euc-kr", STR_INIT("\xb0\xa1"), STR_INIT("\xea\xb0\x80") },
	{ "iso-2022-kr", STR_INIT("\x1b$)C\x0e\x30\x21\x0f"), STR_INIT("\xea\xb0\x80") },
	{ "hz-gb-2312", STR_INIT("~{Dc~}."), STR_INIT("\xe4\xbd\xa0.") },
	{ "utf-16", STR_INIT("\xfe\xff\0a\xd8\x3d\xde\0"), STR_INIT("a\xf0\x9f\x98\x80") },
	{ "utf-16le", STR_INIT("a\0\x3d\xd8"), STR_INIT("a" FFFD) },
	{ "utf-16be", STR_INIT("\0a\xd8\x3d\0b"), STR_INIT("a" FFFD "b") },
};

static void convert_in_pieces(
	const struct mail_charset *c, struct str in, size_t piece, struct buf *out)
{
	struct mail_converter *converter = mail_converter_new(c);
	for (; in.n > 0; in = str_from_offset(in, piece))
		assert_true(mail_converter_input(converter, str_sub(in, 0, piece), out));
	assert_true(mail_converter_end(converter, out));
	mail_converter_free(&converter);
}

static void m11_converts_any_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(conversions); i++) {
		const struct mail_charset *c = mail_charset_find(str_from(conversions[i].charset));
		for (size_t piece = 1; piece < 12; piece++) {
			struct buf out;
			buf_init(&out, 1000);
			convert_in_pieces(c, conversions[i].in, piece, &out);
			assert_str(buf_str(&out), conversions[i].out);
			buf_done(&out);
		}
	}
}

/* M11: whatever comes in, valid UTF-8 comes out, within the bound that the header promises. */
static void m11_always_gives_utf8(void **state)
{
	(void)state;
	uint64_t seed = 1;
	for (size_t i = 0; mail_charset_at(i); i++) {
		for (int round = 0; round < 50; round++) {
			char bytes[200];
			struct buf out;
			for (size_t k = 0; k < sizeof(bytes); k++) {
				seed = seed * 6364136223846793005u + 1442695040888963407u;
				bytes[k] = (char)(seed >> (round % 2 ? 33 : 57));
			}
			buf_init(&out, sizeof(bytes) * 3 + 16);
			assert_true(mail_to_utf8(
				mail_charset_at(i), str_make(bytes, sizeof(bytes)), &out));
			assert_true(str_is_utf8(buf_str(&out)));
			buf_done(&out);
		}
	}
}

/* Each ASCII character in each place of what is looked at together, and behind it. */
static void changes_ascii_by_eights(void **state)
{
	char text[20], lower[20], upper[20];
	struct buf out;
	(void)state;
	buf_init(&out, sizeof(text));
	for (size_t n = 0; n <= sizeof(text); n++)
		for (int c = 0; c < 128; c++) {
			for (size_t i = 0; i < n; i++) {
				text[i] = (char)((size_t)c + i * 37) & 0x7f;
				lower[i] = ascii_lower(text[i]);
				upper[i] = ascii_upper(text[i]);
			}
			buf_clear(&out);
			assert_true(mail_fold_case(str_make(text, n), &out));
			assert_str(buf_str(&out), str_make(lower, n));
			buf_clear(&out);
			assert_true(mail_casemap(str_make(text, n), &out));
			assert_str(buf_str(&out), str_make(upper, n));
		}
	buf_done(&out);
}

static void folds_case(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "Hello", "hello" },
		{ "GR\xc3\x9cN", "gr\xc3\xbcn" },
		{ "Stra\xc3\x9f"
		  "e",
			"strasse" },
		{ "\xce\xa3\xcf\x82", "\xcf\x83\xcf\x83" },
		{ "\xff", FFFD },
		{ "", "" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out;
		buf_init(&out, 100);
		assert_true(mail_fold_case(str_from(cases[i].in), &out));
		assert_str(buf_str(&out), str_from(cases[i].out));
		buf_done(&out);
	}
	/* Longer than a piece, cut between characters. */
	struct buf in, out;
	buf_init(&in, 40000);
	buf_init(&out, 40000);
	for (int i = 0; i < 10000; i++)
		buf_addz(&in, "\xe2\xb1\xaf"); /* U+2C6F folds to two bytes */
	assert_true(mail_fold_case(buf_str(&in), &out));
	assert_int_equal(out.n, 20000);
	buf_done(&in);
	buf_done(&out);
}

static void normalizes(void **state)
{
	(void)state;
	struct buf out;
	buf_init(&out, 100);
	assert_true(mail_is_nfc(STR("\xc3\xb6")));
	assert_false(mail_is_nfc(STR("o\xcc\x88")));
	assert_false(mail_is_nfc(STR("\xff")));
	assert_true(mail_to_nfc(STR("o\xcc\x88"), &out));
	assert_str(buf_str(&out), STR("\xc3\xb6"));
	assert_false(mail_to_nfc(STR("\xff"), &out));
	assert_true(mail_has_unsafe(STR("a\n")));
	assert_true(mail_has_unsafe(STR("a\xc2\x9f")));
	assert_true(mail_has_unsafe(STR("a\xe2\x80\xa9")));
	assert_true(mail_has_unsafe(STR("a\xff")));
	assert_false(mail_has_unsafe(STR("gr\xc3\xbcn \xe2\x80\x9c\xc2\xa0")));
	buf_done(&out);
}

/* ---- encoded words ---- */

static const struct {
	const char *in, *out;
} words[] = {
	{ "plain", "plain" },
	{ "=?utf-8?q?gr=C3=BCn?=", "gr\xc3\xbcn" },
	{ "=?UTF-8?B?Z3LDvG4=?=", "gr\xc3\xbcn" },
	/* RFC 2047 8 */
	{ "=?ISO-8859-1?Q?a?=", "a" },
	{ "=?ISO-8859-1?Q?a?= b", "a b" },
	{ "=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab" },
	{ "=?ISO-8859-1?Q?a?=  \t =?ISO-8859-1?Q?b?=", "ab" },
	{ "=?ISO-8859-1?Q?a_b?=", "a b" },
	{ "=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b" },
	{ "x =?ISO-8859-1?Q?a?= y", "x a y" },
	{ "=?utf-8*en?q?a?=", "a" },                            /* RFC 2231 5 */
	{ "=?iso-2022-jp-2?b?GyRBMCEbKEI=?=", "\xe5\x95\x8a" }, /* GB 2312 */
	/* M9 */
	{ "=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "\xc3\xbc" }, /* split multibyte */
	{ "=?utf-8?b?w7w?==?utf-8?b?w7w=?=", "\xc3\xbc\xc3\xbc" },
	{ "=?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3F=3D?=", "=?utf-8?q?x?=" }, /* once */
	{ "=?utf-8?q?a=0D=0Ab=00=7F?=", "a  b  " },
	{ "=?utf-8?q?=E2=80=A8=C2=85?=", "     " },
	{ "=?utf-8?q?a@b<c>?=", "a@b<c>" },
	{ "=?nonsense?q?a?=", "=?nonsense?q?a?=" },
	{ "=?utf-7?q?+ADw-?=", "=?utf-7?q?+ADw-?=" },
	{ "=?utf-8?x?a?=", "=?utf-8?x?a?=" },
	{ "=?utf-8?q?a", "=?utf-8?q?a" },
	{ "=?utf-8?q?a?", "=?utf-8?q?a?" },
	{ "=?utf-8?q?"
	  "?=",
		"" },
	{ "=?=?=?=?", "=?=?=?=?" },
	{ "=?utf-8?q?bla nks?=", "bla nks" },
	{ "=?utf-8?q?=FF?=", FFFD },
	{ "=?iso-2022-jp?b?GyRCJCI=?=", "\xe3\x81\x82" },
	{ "=?iso-2022-jp?b?GyRCJCI=?= =?iso-2022-jp?b?JCI=?=", "\xe3\x81\x82\xe3\x81\x82" },
	{ "gr\xc3\xbcn", "gr\xc3\xbcn" },
	{ "gr\xfcn", "gr\xc3\xbcn" },
	{ "a\x01"
	  "b",
		"a b" },
};

static void m9_decodes_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct buf out;
		buf_init(&out, 1000);
		assert_true(mail_encoded_decode(str_from(words[i].in), &out));
		if (!str_equal(buf_str(&out), str_from(words[i].out)))
			fail_msg("%s gave %s", words[i].in, out.p);
		buf_done(&out);
	}
}

/* M9: 10^6 words, and a word of a megabyte. */
static void m9_decodes_many_words(void **state)
{
	(void)state;
	static const char *const units[] = { "=?utf-8?q?a?= ", "=?koi8-r?q?a?=",
		"=?koi8-r?q?a?= =?utf-8?b?YQ==?= ", "=?", "=?a?q?", "=?utf-8?q?a?",
		"?=", "=?utf-8?q?" };
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		struct buf in, out;
		buf_init(&in, 64 << 20);
		buf_init(&out, 64 << 20);
		for (int k = 0; k < 200000 / TEST_STEP; k++)
			buf_addz(&in, units[i]);
		assert_true(mail_encoded_decode(buf_str(&in), &out));
		assert_true(str_is_utf8(buf_str(&out)));
		buf_done(&in);
		buf_done(&out);
	}
	struct buf in, out;
	buf_init(&in, 2 << 20);
	buf_init(&out, 2 << 20);
	buf_addz(&in, "=?utf-8?q?");
	for (int k = 0; k < 1 << 20; k++)
		buf_addc(&in, 'x');
	buf_addz(&in, "?=");
	assert_true(mail_encoded_decode(buf_str(&in), &out));
	assert_str(buf_str(&out), buf_str(&in));
	buf_done(&in);
	buf_done(&out);
}

/* M9: a word's text of N-1, N and N+1 bytes. */
static void m9_bounds_words(void **state)
{
	(void)state;
	for (size_t n = LIMIT_ENCODED_WORD_BYTES - 1; n <= LIMIT_ENCODED_WORD_BYTES + 1; n++) {
		struct buf in, out;
		buf_init(&in, 10000);
		buf_init(&out, 30000);
		buf_addz(&in, "=?utf-8?q?");
		for (size_t i = 0; i < n - 1; i++) /* the "?" behind the text is counted too */
			buf_addc(&in, 'x');
		buf_addz(&in, "?=");
		assert_true(mail_encoded_decode(buf_str(&in), &out));
		assert_int_equal(out.n, n <= LIMIT_ENCODED_WORD_BYTES ? n - 1 : in.n);
		buf_done(&in);
		buf_done(&out);
	}
}

static void encodes_what_it_decodes(void **state)
{
	(void)state;
	static const char *const texts[] = { "plain text", "gr\xc3\xbcn", "=?utf-8?q?x?=", "",
		"a very long text with an umlaut \xc3\xbc that needs more than one encoded word "
		"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80" };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct buf coded, out;
		buf_init(&coded, 10000);
		buf_init(&out, 10000);
		assert_true(mail_encoded_encode(str_from(texts[i]), &coded));
		for (struct str rest = buf_str(&coded); rest.n > 0;)
			assert_true(str_split(&rest, '\n').n <= 78);
		assert_true(mail_encoded_decode(buf_str(&coded), &out));
		assert_str(buf_str(&out), str_from(texts[i]));
		buf_done(&coded);
		buf_done(&out);
	}
}

TEST_MAIN(test_case(casemaps), test_case(m11_needs_no_files_later), test_case(preloads),
	test_case(m11_allows_the_table_alone), test_case(m11_converts_any_split),
	test_case(m11_always_gives_utf8), test_case(changes_ascii_by_eights), test_case(folds_case),
	test_case(normalizes), test_case(m9_decodes_words), test_case(m9_decodes_many_words),
	test_case(m9_bounds_words), test_case(encodes_what_it_decodes))
