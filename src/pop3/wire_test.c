// SPDX-License-Identifier: Apache-2.0
#include "base/limits.h"
#include "pop3/wire.h"

#include <stdlib.h>

#include "base/test.h"

/* Every split in two, and byte by byte. */
static void stuffed(struct str in, size_t split, struct buf *out)
{
	struct pop3_stuffer s;
	buf_clear(out);
	pop3_stuffer_init(&s);
	if (split == SIZE_MAX) {
		for (size_t i = 0; i < in.n; i++)
			assert_true(pop3_stuff(&s, str_sub(in, i, 1), out));
	} else {
		assert_true(pop3_stuff(&s, str_sub(in, 0, split), out));
		assert_true(pop3_stuff(&s, str_from_offset(in, split), out));
	}
	assert_true(pop3_stuff_end(&s, out));
}

/* P3 */
static void stuffs_dots(void **state)
{
	(void)state;
	static const struct {
		struct str in, out;
	} cases[] = {
		{ STR_INIT(""), STR_INIT(".\r\n") },
		{ STR_INIT("a"), STR_INIT("a\r\n.\r\n") },
		{ STR_INIT("a\r\n"), STR_INIT("a\r\n.\r\n") },
		{ STR_INIT("."), STR_INIT("..\r\n.\r\n") },
		{ STR_INIT(".\r\n"), STR_INIT("..\r\n.\r\n") },
		{ STR_INIT("a\r\n.\r\nb\r\n"), STR_INIT("a\r\n..\r\nb\r\n.\r\n") },
		{ STR_INIT("a\r\n..b"), STR_INIT("a\r\n...b\r\n.\r\n") },
		{ STR_INIT("a.b\r\nc."), STR_INIT("a.b\r\nc.\r\n.\r\n") },
		{ STR_INIT("a\r"), STR_INIT("a\r\r\n.\r\n") },
		{ STR_INIT("a\r\r\n.b"), STR_INIT("a\r\r\n..b\r\n.\r\n") },
		{ STR_INIT("a\n"), STR_INIT("a\n\r\n.\r\n") },
		/* behind a bare LF a lone dot is stuffed, and no other */
		{ STR_INIT("a\n.\r\n+OK\r\n"), STR_INIT("a\n..\r\n+OK\r\n.\r\n") },
		{ STR_INIT("a\n.\n.\nb"), STR_INIT("a\n..\n..\nb\r\n.\r\n") },
		{ STR_INIT("a\n."), STR_INIT("a\n..\r\n.\r\n") },
		{ STR_INIT("a\n.b"), STR_INIT("a\n.b\r\n.\r\n") },
		{ STR_INIT("a\n..\r\n"), STR_INIT("a\n..\r\n.\r\n") },
		{ STR_INIT("a\r.\r\n"), STR_INIT("a\r.\r\n.\r\n") },
		{ STR_INIT("\0\r\n.\0"), STR_INIT("\0\r\n..\0\r\n.\r\n") },
	};
	struct buf out;
	buf_init(&out, 1000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t split = 0; split <= cases[i].in.n; split++) {
			stuffed(cases[i].in, split, &out);
			assert_str(buf_str(&out), cases[i].out);
		}
		stuffed(cases[i].in, SIZE_MAX, &out);
		assert_str(buf_str(&out), cases[i].out);
	}
	buf_done(&out);
}

/* All strings of up to 7 bytes of the four that matter: any split is the same, a strict client and
 * a lenient one find one end alone, and the bound of the growth holds. */
static void stuffs_exhaustively(void **state)
{
	(void)state;
	struct buf whole, parts;
	buf_init(&whole, 100);
	buf_init(&parts, 100);
	for (unsigned code = 0; code < 4 * 4 * 4 * 4 * 4 * 4 * 4; code++) {
		char in[7];
		for (unsigned i = 0, x = code; i < 7; i++, x /= 4)
			in[i] = "\r\n.a"[x % 4];
		for (size_t n = code % 7 == 0 ? 0 : 7; n <= 7; n++) {
			stuffed(str_make(in, n), 0, &whole);
			stuffed(str_make(in, n), SIZE_MAX, &parts);
			assert_true(str_equal(buf_str(&whole), buf_str(&parts)));
			assert_true(whole.n <= n + n / 2 + 2 + 7);
			struct str rest = buf_str(&whole);
			while (rest.n >
				0) { /* lenient: lines end in LF, a CR before it is dropped */
				struct str line = str_split(&rest, '\n');
				if (line.n > 0 && line.p[line.n - 1] == '\r')
					line.n--;
				if (str_equal(line, STR(".")))
					assert_int_equal(rest.n, 0);
			}
			size_t end = str_search(buf_str(&whole), STR("\r\n.\r\n"));
			assert_true(whole.n == 3 || end == whole.n - 5);
		}
	}
	buf_done(&whole);
	buf_done(&parts);
}

static void finds_the_top(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		uint64_t lines;
		const char *out;
	} cases[] = {
		{ "a: b\r\n\r\nx\r\ny\r\n", 0, "a: b\r\n\r\n" },
		{ "a: b\r\n\r\nx\r\ny\r\n", 1, "a: b\r\n\r\nx\r\n" },
		{ "a: b\r\n\r\nx\r\ny\r\n", 9, "a: b\r\n\r\nx\r\ny\r\n" },
		{ "a: b\r\n\r\nx\r\ny\r\n", UINT64_MAX, "a: b\r\n\r\nx\r\ny\r\n" },
		{ "a: b\n\nx\ny", 1, "a: b\n\nx\n" },
		{ "\r\nx\r\ny", 1, "\r\nx\r\n" },
		{ "a: b\r\n", 5, "a: b\r\n" },
		{ "a: b\r\n\r\r\nx", 0, "a: b\r\n\r\r\nx" },
		{ "", 0, "" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str in = str_from(cases[i].in);
		bool done;
		struct pop3_top t = { .lines = cases[i].lines };
		assert_str(str_sub(in, 0, pop3_top_take(&t, in, &done)), str_from(cases[i].out));
		t = (struct pop3_top){ .lines = cases[i].lines };
		size_t n = 0;
		for (done = false; n < in.n && !done; n++)
			assert_int_equal(pop3_top_take(&t, str_sub(in, n, 1), &done), 1);
		assert_int_equal(n, strlen(cases[i].out));
	}
}

static void cuts_lines(void **state)
{
	(void)state;
	static const struct {
		struct str in;
		enum pop3_line kind;
		const char *text;
	} cases[] = {
		{ STR_INIT("abc\r\n"), POP3_LINE_DONE, "abc" },
		{ STR_INIT("\r\n"), POP3_LINE_DONE, "" },
		{ STR_INIT("abc\n"), POP3_LINE_BAD, NULL },
		{ STR_INIT("\n"), POP3_LINE_BAD, NULL },
		{ STR_INIT("a\rb\r\n"), POP3_LINE_BAD, NULL },
		{ STR_INIT("a\0b\r\n"), POP3_LINE_BAD, NULL },
		{ STR_INIT("12345678\r\n"), POP3_LINE_DONE, "12345678" },
		{ STR_INIT("123456789\r\n"), POP3_LINE_LONG, NULL },
		{ STR_INIT("1234567890\r\n"), POP3_LINE_LONG, NULL },
		{ STR_INIT("12345678901234567890\n"), POP3_LINE_LONG, NULL },
	};
	struct pop3_lines l;
	pop3_lines_init(&l);
	l.max = 8;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t split = 0; split < cases[i].in.n; split++) {
			size_t used;
			struct str a = str_sub(cases[i].in, 0, split);
			assert_int_equal(pop3_lines_take(&l, a, &used), POP3_LINE_MORE);
			assert_int_equal(used, split);
			struct str b = str_from_offset(cases[i].in, split);
			assert_int_equal(pop3_lines_take(&l, b, &used), cases[i].kind);
			assert_int_equal(used, b.n);
			if (cases[i].text != NULL)
				assert_str(buf_str(&l.text), str_from(cases[i].text));
		}
	}
	pop3_lines_done(&l);
}

/* P1: what is thrown away of a line has an end too. */
static void discards_so_much(void **state)
{
	(void)state;
	size_t max = LIMIT_POP3_LINE_BYTES + 1 + LIMIT_POP3_DISCARD_BYTES;
	char *x = xmalloc(max + 1);
	memset(x, 'x', max + 1);
	for (size_t n = max - 1; n <= max + 1; n++) {
		struct pop3_lines l;
		size_t used;
		pop3_lines_init(&l);
		assert_int_equal(pop3_lines_take(&l, str_make(x, n), &used),
			n <= max ? POP3_LINE_MORE : POP3_LINE_TOO_MUCH);
		assert_true(l.text.n <= LIMIT_POP3_LINE_BYTES + 1);
		if (n <= max)
			assert_int_equal(
				pop3_lines_take(&l, STR("\r\n"), &used) == POP3_LINE_LONG, n < max);
		pop3_lines_done(&l);
	}
	free(x);
}

TEST_MAIN(test_case(stuffs_dots), test_case(stuffs_exhaustively), test_case(finds_the_top),
	test_case(cuts_lines), test_case(discards_so_much))
