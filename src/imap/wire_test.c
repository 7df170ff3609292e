// SPDX-License-Identifier: Apache-2.0
/* The wire, byte by byte and whole: lines, literals, and everything that hostile-input.md I1 to I4
 * says about them. */
#include "imap/wire.h"

#include "base/limits.h"
#include "base/test.h"

#include <stdio.h>

/* Feeds the bytes in pieces of `step` and writes what happened: C[text] a command, L{n} a literal
 * that was accepted, B[why] a bad one, F fatal, M more. Literals are accepted when they may be. */
static void feed(struct buf *log, const struct wire_limits *limits, struct str in, size_t step)
{
	struct wire w;

	wire_init(&w, limits);
	while (in.n > 0) {
		struct str piece = str_sub(in, 0, step);
		size_t used = 0;
		enum wire_event e = wire_take(&w, piece, &used);

		in = str_from_offset(in, used);
		if (e == WIRE_LITERAL && !wire_accept(&w))
			e = wire_refuse(&w);
		else if (e == WIRE_LITERAL)
			buf_addf(log, "L{%u%s}", (unsigned)w.size, w.nonsync ? "+" : "");
		if (e == WIRE_COMMAND) {
			buf_addz(log, "C[");
			buf_adds(log, buf_str(&w.text));
			buf_addz(log, "]");
		} else if (e == WIRE_BAD) {
			buf_addf(log, "B[%d]", (int)w.bad);
		} else if (e == WIRE_FATAL) {
			buf_addz(log, "F");
			break;
		}
		if (e == WIRE_COMMAND || e == WIRE_BAD)
			wire_reset(&w);
	}
	if (w.text.n > 0 && !(log->n > 0 && log->p[log->n - 1] == 'F'))
		buf_addz(log, "M");
	assert_true(w.text.n <= limits->text_bytes);
	wire_done(&w);
}

static void check(const struct wire_limits *limits, struct str in, const char *expected)
{
	for (size_t step = 1; step < 9; step += 7) {
		struct buf log;

		buf_init(&log, 4 * 1024 * 1024);
		feed(&log, limits, in, step == 8 ? in.n : step);
		if (expected != NULL)
			assert_str(buf_str(&log), str_from(expected));
		buf_done(&log);
	}
}

static void test_lines(void **state)
{
	static const struct {
		struct str in;
		const char *expected;
	} cases[] = {
		{ STR_INIT("a NOOP\r\n"), "C[a NOOP]" },
		{ STR_INIT("a NOOP\r\nb NOOP\r\nc"), "C[a NOOP]C[b NOOP]M" },
		{ STR_INIT("\r\n"), "C[]" },
		/* a bare LF ends the line, a bare CR does not; both spoil it */
		{ STR_INIT("a NOOP\nb NOOP\r\n"), "B[1]C[b NOOP]" },
		{ STR_INIT("a NO\rOP\r\nb X\r\n"), "B[1]C[b X]" },
		{ STR_INIT("a NOOP\r\r\nb X\r\n"), "B[1]C[b X]" },
		{ STR_INIT("a N\0P\r\nb X\r\n"), "B[2]C[b X]" },
		{ STR_INIT("a LOGIN \"x{3}\r\nb X\r\n"), "B[6]C[b X]" },
		{ STR_INIT("a LOGIN \"x\\\"{3}\" y\r\n"), "C[a LOGIN \"x\\\"{3}\" y]" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check(&wire_limits_stranger, cases[i].in, cases[i].expected);
}

static void test_literals(void **state)
{
	static const struct {
		struct str in;
		const char *expected; /* NULL: the text has a NUL, see test_nul */
	} cases[] = {
		{ STR_INIT("a LOGIN {3}\r\nabc {2+}\r\nxy\r\n"),
			"L{3}L{2+}C[a LOGIN {3}\r\nabc {2+}\r\nxy]" },
		{ STR_INIT("a LOGIN {0}\r\n x\r\n"), "L{0}C[a LOGIN {0}\r\n x]" },
		{ STR_INIT("a X {4}\r\na\r\nb\r\n"), "L{4}C[a X {4}\r\na\r\nb]" },
		{ STR_INIT("a X {2}\r\n\0b\r\nb X\r\n"), "L{2}B[2]C[b X]" },
		{ STR_INIT("a X ~{2}\r\n\0b\r\n"), NULL },
		/* I1: numbers that are none, before any invitation */
		{ STR_INIT("a LOGIN {4294967295}\r\nb X\r\n"), "B[4]C[b X]" },
		{ STR_INIT("a LOGIN {99999999999999999999}\r\nb X\r\n"), "B[5]C[b X]" },
		{ STR_INIT("a LOGIN {-1}\r\nb X\r\n"), "B[5]C[b X]" },
		{ STR_INIT("a LOGIN {010}\r\nb X\r\n"), "B[5]C[b X]" },
		{ STR_INIT("a LOGIN {}\r\nb X\r\n"), "B[5]C[b X]" },
		{ STR_INIT("a LOGIN {5\r\nb X\r\n"), "C[a LOGIN {5]C[b X]" },
		/* what follows cannot be told apart */
		{ STR_INIT("a LOGIN {99999999999999999999+}\r\nb X\r\n"), "F" },
		{ STR_INIT("a LOGIN {010+}\r\nb X\r\n"), "F" },
		/* a spoilt line's literal is no command */
		{ STR_INIT("a LO\rGIN {3+}\r\nb X\r\nc X\r\n"), "B[1]C[c X]" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check(&wire_limits_stranger, cases[i].in, cases[i].expected);
}

/* I1, I2: 4096 bytes of literals before login, then no more. */
static void test_stranger_literal(void **state)
{
	struct buf in;

	(void)state;
	for (size_t n = LIMIT_IMAP_STRANGER_LITERAL_BYTES - 1;
		n <= LIMIT_IMAP_STRANGER_LITERAL_BYTES + 1; n++)
		for (int plus = 0; plus < 2; plus++) {
			char expected[LIMIT_IMAP_STRANGER_LITERAL_BYTES + 200];
			struct buf out;

			buf_init(&in, 65536);
			buf_init(&out, 65536);
			buf_addf(&in, "a X {%zu%s}\r\n", n, plus ? "+" : "");
			if (n <= LIMIT_IMAP_STRANGER_LITERAL_BYTES || plus)
				for (size_t i = 0; i < n; i++)
					buf_addc(&in, 'x');
			if (n <= LIMIT_IMAP_STRANGER_LITERAL_BYTES || plus)
				buf_addz(&in, "\r\n");
			feed(&out, &wire_limits_stranger, buf_str(&in), in.n);
			snprintf(expected, sizeof expected, "L{%zu%s}", n, plus ? "+" : "");
			if (n <= LIMIT_IMAP_STRANGER_LITERAL_BYTES)
				assert_true(str_starts(buf_str(&out), str_from(expected)));
			else
				assert_str(buf_str(&out), STR("B[4]"));
			buf_done(&in);
			buf_done(&out);
		}
	/* I2: 100 MiB that nobody asked for */
	check(&wire_limits_stranger, STR("a X {104857600+}\r\nxxxxxxxxxxxxx"), "F");
}

/* Who has which bounds. */
static const struct party {
	const struct wire_limits *limits;
	uint32_t literals, depth;
	size_t text_bytes;
	uint64_t skip_bytes;
} parties[] = {
	{ &wire_limits_stranger, LIMIT_IMAP_STRANGER_LITERALS, LIMIT_IMAP_STRANGER_DEPTH,
		LIMIT_IMAP_STRANGER_TEXT_BYTES, LIMIT_IMAP_STRANGER_SKIP_BYTES },
	{ &wire_limits_user, LIMIT_IMAP_LITERALS, LIMIT_IMAP_DEPTH, LIMIT_IMAP_TEXT_BYTES,
		LIMIT_IMAP_SKIP_BYTES },
};

/* I2: how large a literal that nobody wants may be, to be read and thrown away. */
static void test_skipped_literal(void **state)
{
	char in[64];

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(parties); k++)
		for (int over = -1; over <= 1; over++) {
			snprintf(in, sizeof in, "a X {%llu+}\r\nxxxxxxx",
				(unsigned long long)parties[k].skip_bytes +
					(unsigned long long)(long long)over);
			check(parties[k].limits, str_from(in), over > 0 ? "F" : "M");
		}
}

/* I2, I3: a line that was too long from its start is skipped to its end, or to the limit. */
static void test_skipped_line(void **state)
{
	size_t most = LIMIT_IMAP_STRANGER_TEXT_BYTES + 1 + LIMIT_IMAP_STRANGER_SKIP_BYTES;

	(void)state;
	for (size_t n = most - 1; n <= most + 1; n++) {
		struct buf in, out;

		buf_init(&in, 2 * most);
		buf_init(&out, 65536);
		for (size_t i = 0; i < n; i++)
			buf_addc(&in, 'x');
		buf_addz(&in, "\r\n");
		feed(&out, &wire_limits_stranger, buf_str(&in), in.n);
		assert_str(buf_str(&out), n > most ? STR("F") : STR("B[3]"));
		buf_done(&in);
		buf_done(&out);
	}
}

/* I3: many small literals in one command. */
static void test_many_literals(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(parties); k++)
		for (uint32_t n = parties[k].literals - 1; n <= parties[k].literals + 1; n++) {
			bool over = n > parties[k].literals;
			struct buf in, out;

			buf_init(&in, 65536);
			buf_init(&out, 1024 * 1024);
			buf_addz(&in, "a X");
			for (uint32_t i = 0; i < n; i++)
				buf_addz(&in, " {1+}\r\ny");
			buf_addz(&in, "\r\n");
			feed(&out, parties[k].limits, buf_str(&in), in.n);
			assert_true((str_search(buf_str(&out), STR("C[a X")) < out.n) != over);
			assert_true(str_ends_nocase(buf_str(&out), STR("B[4]")) == over);
			buf_done(&in);
			buf_done(&out);
		}
}

/* I3: a line of one byte more than the limit is read to its end, and is one bad command. */
static void test_long_line(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(parties); k++) {
		size_t most = parties[k].text_bytes;

		for (size_t n = most - 1; n <= most + 1; n++) {
			struct buf in, out;

			buf_init(&in, 2 * most);
			buf_init(&out, 2 * most);
			for (size_t i = 0; i < n; i++)
				buf_addc(&in, 'x');
			buf_addz(&in, "\r\nb X\r\n");
			feed(&out, parties[k].limits, buf_str(&in), in.n);
			assert_true(str_ends_nocase(buf_str(&out), STR("C[b X]")));
			assert_true(str_starts(buf_str(&out), STR("B[3]")) == (n > most));
			buf_done(&in);
			buf_done(&out);
		}
	}
}

/* I4: open parentheses, nothing but them, before and after login. */
static void test_depth(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(parties); k++)
		for (uint32_t n = parties[k].depth - 1; n <= parties[k].depth + 1; n++) {
			struct buf in, out;

			buf_init(&in, 65536);
			buf_init(&out, 65536);
			buf_addz(&in, "a NOOP ");
			for (uint32_t i = 0; i < n; i++)
				buf_addc(&in, '(');
			buf_addz(&in, "\r\n");
			feed(&out, parties[k].limits, buf_str(&in), in.n);
			assert_true(
				str_equal(buf_str(&out), STR("B[7]")) == (n > parties[k].depth));
			buf_done(&in);
			buf_done(&out);
		}
	check(&wire_limits_stranger, STR("a X \"((((((((((((((((\"\r\n"),
		"C[a X \"((((((((((((((((\"]");
}

/* Lines that are no commands: SASL, DONE. */
static void test_plain(void **state)
{
	struct wire w;
	size_t used;

	(void)state;
	wire_init(&w, &wire_limits_stranger);
	wire_plain(&w);
	assert_int_equal(wire_take(&w, STR("\"((({5}\r\nx"), &used), WIRE_COMMAND);
	assert_int_equal(used, 9);
	assert_str(buf_str(&w.text), STR("\"((({5}"));
	wire_done(&w);
}

/* A literal that is streamed comes out as it went in, and the text goes on behind it. */
static void test_stream(void **state)
{
	struct wire w;
	size_t used;

	(void)state;
	wire_init(&w, &wire_limits_user);
	assert_int_equal(wire_take(&w, STR("a APPEND x {5}\r\nhel"), &used), WIRE_LITERAL);
	assert_int_equal(used, 16);
	wire_stream(&w);
	assert_int_equal(wire_take(&w, STR("hel"), &used), WIRE_BYTES);
	assert_str(w.piece, STR("hel"));
	assert_int_equal(wire_take(&w, STR("lo tail\r\n"), &used), WIRE_BYTES);
	assert_str(w.piece, STR("lo"));
	assert_int_equal(wire_take(&w, STR(" tail\r\n"), &used), WIRE_COMMAND);
	assert_str(buf_str(&w.text), STR("a APPEND x {5}\r\n tail"));
	wire_done(&w);
}

TEST_MAIN(test_case(test_lines), test_case(test_literals), test_case(test_stranger_literal),
	test_case(test_skipped_literal), test_case(test_skipped_line),
	test_case(test_many_literals), test_case(test_long_line), test_case(test_depth),
	test_case(test_plain), test_case(test_stream))
