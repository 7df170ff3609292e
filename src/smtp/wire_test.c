// SPDX-License-Identifier: Apache-2.0
#include "base/limits.h"
#include "base/test.h"
#include "smtp/wire.h"

#include <stdlib.h>

/* ---- data: the machine, against a reading of the whole text at once ---- */

struct outcome {
	enum smtp_data_status status;
	size_t taken; /* up to and including the end, or the byte that spoils */
	char text[64];
	size_t n;
};

static void feed(struct smtp_data *d, struct str piece, struct outcome *o)
{
	while (piece.n > 0 && o->status == SMTP_DATA_MORE) {
		struct str run;
		size_t taken = smtp_data_feed(d, piece, &run, &o->status);
		assert_true(taken > 0 && taken <= piece.n && run.n <= taken);
		assert_true(o->n + run.n <= sizeof(o->text));
		memcpy(o->text + o->n, run.p, run.n);
		o->n += run.n;
		o->taken += taken;
		piece = str_from_offset(piece, taken);
	}
}

/* The reference, by another way: cut at CRLF first, and look at whole lines. */
static struct outcome reference(struct str in)
{
	struct outcome o = { SMTP_DATA_MORE };
	while (o.taken < in.n) {
		struct str rest = str_from_offset(in, o.taken);
		size_t end = str_search(rest, STR("\r\n"));
		bool whole = end < rest.n;
		struct str line = str_sub(rest, 0, end);
		/* A CR that ends the input may still become a CRLF. */
		size_t checked = line.n;
		if (!whole && line.n > 0 && line.p[line.n - 1] == '\r')
			checked--;
		for (size_t i = 0; i < checked; i++) {
			bool cr = line.p[i] == '\r';
			if (!cr && line.p[i] != '\n' && line.p[i] != '\0')
				continue;
			/* A bare CR is known by the byte behind it. */
			o.status = SMTP_DATA_BAD;
			o.taken += i + (cr ? 2 : 1);
			return o;
		}
		if (whole && str_equal(line, STR("."))) {
			o.status = SMTP_DATA_END;
			o.taken += 3;
			return o;
		}
		struct str kept = line.n > 0 && line.p[0] == '.' ? str_from_offset(line, 1) : line;
		if (!whole && str_equal(line, STR(".\r")))
			kept.n = 0;
		memcpy(o.text + o.n, kept.p ? kept.p : "", kept.n);
		o.n += kept.n;
		if (whole) {
			memcpy(o.text + o.n, "\r\n", 2);
			o.n += 2;
		}
		o.taken += line.n + (whole ? 2 : 0);
	}
	return o;
}

static void same(const struct outcome *a, const struct outcome *b, struct str in)
{
	bool good = a->status == b->status && a->taken == b->taken;
	if (a->status != SMTP_DATA_BAD)
		good = good && a->n == b->n && memcmp(a->text, b->text, a->n) == 0;
	if (!good) {
		for (size_t i = 0; i < in.n; i++)
			print_error("%02x ", (unsigned char)in.p[i]);
		fail_msg("status %d %d, taken %zu %zu, text %zu %zu", (int)a->status,
			(int)b->status, a->taken, b->taken, a->n, b->n);
	}
}

static size_t check_all_splits(struct str in)
{
	struct outcome expected = reference(in);
	for (size_t split = 0; split <= in.n; split++) {
		struct smtp_data d = { 0 };
		struct outcome o = { SMTP_DATA_MORE };
		feed(&d, str_sub(in, 0, split), &o);
		feed(&d, str_from_offset(in, split), &o);
		same(&o, &expected, in);
	}
	struct smtp_data d = { 0 };
	struct outcome o = { SMTP_DATA_MORE };
	for (size_t i = 0; i < in.n; i++)
		feed(&d, str_sub(in, i, 1), &o);
	same(&o, &expected, in);
	return expected.status == SMTP_DATA_END;
}

/* S8: every string of at most 7 bytes over {CR, LF, ".", NUL, "x"}, after a line of text, in every
 * two-way split and byte by byte; the end of data is CRLF "." CRLF alone. */
static void s8_all_short_strings(void **state)
{
	static const char alphabet[] = { '\r', '\n', '.', '\0', 'x' };
	size_t strings = 0, ends = 0;
	(void)state;
	for (size_t n = 0; n <= 7; n++) {
		size_t count = 1;
		for (size_t i = 0; i < n; i++)
			count *= sizeof(alphabet);
		for (size_t number = 0; number < count; number++, strings++) {
			char text[16] = "line\r\n";
			size_t left = number;
			for (size_t i = 0; i < n; i++, left /= sizeof(alphabet))
				text[6 + i] = alphabet[left % sizeof(alphabet)];
			bool end = check_all_splits(str_make(text, 6 + n));
			size_t at = str_search(str_make(text + 4, n + 2), STR("\r\n.\r\n"));
			struct str before = str_make(text + 4, at);
			/* It ended: there is a terminator, and only clean text before it. */
			if (end) {
				assert_true(at < n + 2);
				assert_true(str_find(before, 0) == before.n);
			}
			ends += end;
		}
	}
	assert_int_equal(strings, 97656);
	assert_true(ends > 0);
}

static const struct data_case {
	const char *name;
	struct str in;
	enum smtp_data_status status;
	struct str text;
} data_cases[] = {
	{ "S1", STR_INIT("a\n.\nb"), SMTP_DATA_BAD, STR_INIT("") },
	{ "S2", STR_INIT("a\n.\r\n"), SMTP_DATA_BAD, STR_INIT("") },
	{ "S3", STR_INIT("a\r\n.\n"), SMTP_DATA_BAD, STR_INIT("") },
	{ "S4", STR_INIT("a\r.\r"), SMTP_DATA_BAD, STR_INIT("") },
	{ "S5", STR_INIT("a\r.\r\n"), SMTP_DATA_BAD, STR_INIT("") },
	{ "S5", STR_INIT("a\r\n.\rx"), SMTP_DATA_BAD, STR_INIT("") },
	{ "S5", STR_INIT("a\r.\n"), SMTP_DATA_BAD, STR_INIT("") },
	{ "S5", STR_INIT("a\n.\r"), SMTP_DATA_BAD, STR_INIT("") },
	{ "S6", STR_INIT("a\r\n\0.\r\n"), SMTP_DATA_BAD, STR_INIT("") },
	{ "S7", STR_INIT("a\r\r\n.\r\r\n"), SMTP_DATA_BAD, STR_INIT("") },
	{ "S7", STR_INIT("a\r\n.\r\r\n"), SMTP_DATA_BAD, STR_INIT("") },
	{ "S11", STR_INIT(".\r\n"), SMTP_DATA_END, STR_INIT("") },
	{ "S11", STR_INIT("..\r\n...\r\n.x\r\nx.\r\n.\r\n"), SMTP_DATA_END,
		STR_INIT(".\r\n..\r\nx\r\nx.\r\n") },
	{ "S11", STR_INIT("no end"), SMTP_DATA_MORE, STR_INIT("no end") },
	{ "S11", STR_INIT("a\r\n.\r"), SMTP_DATA_MORE, STR_INIT("a\r\n") },
	{ "RFC 5321 4.5.2", STR_INIT("a\r\n.\r\nQUIT\r\n"), SMTP_DATA_END, STR_INIT("a\r\n") },
};

static void s1_to_s11_data(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(data_cases); i++) {
		const struct data_case *c = &data_cases[i];
		struct smtp_data d = { 0 };
		struct outcome o = { SMTP_DATA_MORE };
		feed(&d, c->in, &o);
		if (o.status != c->status)
			fail_msg("%s: case %zu: %d", c->name, i, (int)o.status);
		if (c->status != SMTP_DATA_BAD)
			assert_str(str_make(o.text, o.n), c->text);
		check_all_splits(c->in);
	}
}

/* ---- command lines ---- */

static void lines(void **state)
{
	(void)state;
	static const struct {
		struct str in;
		const char
			*expected; /* a letter a line: d done, l too long, b bare; then the rest */
	} cases[] = {
		{ STR_INIT("NOOP\r\n"), "d" },
		{ STR_INIT("\r\n\r\n"), "dd" },
		{ STR_INIT("NOOP"), "" },
		{ STR_INIT("NOOP\r"), "" },
		{ STR_INIT("12345678\r\n"), "d" },
		{ STR_INIT("123456789\r\n"), "l" },
		{ STR_INIT("1234567890123\r\nNOOP\r\n"), "ld" },
		{ STR_INIT("NO\nOP\r\n"), "b" }, /* S13 */
		{ STR_INIT("NO\rOP\r\n"), "b" }, /* S13 */
		{ STR_INIT("NOOP\r\r\n"), "b" }, /* S13 */
		{ STR_INIT("\n"), "b" },
		{ STR_INIT("123456789\nx\r\n"), "b" },
		{ STR_INIT("NO\0P\r\n"), "d" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t piece = 1; piece <= cases[i].in.n; piece++) {
			struct smtp_line line;
			struct str in = cases[i].in;
			char seen[8] = "";
			size_t n = 0;
			smtp_line_init(&line, 8);
			while (in.n > 0 && (n == 0 || seen[n - 1] != 'b')) {
				enum smtp_line_status status;
				struct str part = str_sub(in, 0, piece);
				size_t taken = smtp_line_feed(&line, part, &status);
				in = str_from_offset(in, taken);
				if (status == SMTP_LINE_MORE) {
					assert_int_equal(taken, part.n);
					continue;
				}
				seen[n++] = status == SMTP_LINE_DONE       ? 'd'
					    : status == SMTP_LINE_TOO_LONG ? 'l'
									   : 'b';
				smtp_line_reset(&line);
			}
			assert_string_equal(seen, cases[i].expected);
			smtp_line_done(&line);
		}
}

/* S32: a line without end: bounded memory, and an end to patience. */
static void s32_endless_line(void **state)
{
	(void)state;
	struct smtp_line line;
	enum smtp_line_status status = SMTP_LINE_MORE;
	char piece[1000];
	size_t fed = 0;
	memset(piece, 'x', sizeof(piece));
	smtp_line_init(&line, LIMIT_SMTP_COMMAND_BYTES);
	while (status == SMTP_LINE_MORE) {
		smtp_line_feed(&line, str_make(piece, sizeof(piece)), &status);
		fed += sizeof(piece);
		assert_true(line.text.cap <= LIMIT_SMTP_COMMAND_BYTES + 1);
	}
	assert_int_equal(status, SMTP_LINE_ENDLESS);
	assert_true(fed <= LIMIT_SMTP_COMMAND_BYTES + LIMIT_SMTP_DISCARD_BYTES + 2000);
	smtp_line_done(&line);
}

/* ---- chunks ---- */

static void chunk_text(void **state)
{
	(void)state;
	static const struct {
		struct str in;
		bool good;
	} cases[] = {
		{ STR_INIT(""), true },
		{ STR_INIT("a\r\n.\r\nb"), true }, /* a dot is a byte like any other */
		{ STR_INIT("a\nb"), false },
		{ STR_INIT("a\rb"), false },
		{ STR_INIT("a\r"), false },
		{ STR_INIT("a\r\r\n"), false },
		{ STR_INIT("a\0b"), false },
		{ STR_INIT("\n"), false },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t split = 0; split <= cases[i].in.n; split++) {
			struct smtp_text t = { 0 };
			bool good = smtp_text_feed(&t, str_sub(cases[i].in, 0, split)) &&
				    smtp_text_feed(&t, str_from_offset(cases[i].in, split)) &&
				    smtp_text_end(&t);
			assert_int_equal(good, cases[i].good);
		}
}

TEST_MAIN(test_case(s8_all_short_strings), test_case(s1_to_s11_data), test_case(lines),
	test_case(s32_endless_line), test_case(chunk_text))
