// SPDX-License-Identifier: Apache-2.0
/* ENVELOPE, BODYSTRUCTURE and sections of whole messages, through the parser and its digest. */
#include "imap/fetch_write.h"

#include "base/limits.h"
#include "mail/digest_private.h"
#include "mail/mime.h"

#include "base/test.h"

/* RFC 9051 7.5.2's message, more or less. */
static const char plain[] = "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
			    "From: Terry Gray <gray@cac.washington.edu>\r\n"
			    "Subject: IMAP4rev2 WG mtg summary and minutes\r\n"
			    "To: imap@cac.washington.edu\r\n"
			    "Cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
			    "Message-Id: <B27397-0100000@cac.washington.ed>\r\n"
			    "MIME-Version: 1.0\r\n"
			    "Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n"
			    "\r\n"
			    "line\r\nline\r\n";

static const char nested[] = "From: a@x.test\r\n"
			     "Content-Type: multipart/mixed; boundary=\"B1\"\r\n"
			     "Content-Language: en, de\r\n"
			     "\r\n"
			     "preamble\r\n"
			     "--B1\r\n"
			     "\r\n"
			     "one\r\n"
			     "--B1\r\n"
			     "Content-Type: application/octet-stream; name=\"a\\\"b\"\r\n"
			     "Content-Transfer-Encoding: base64\r\n"
			     "Content-ID: <id@x>\r\n"
			     "Content-Disposition: attachment; filename=x.bin\r\n"
			     "\r\n"
			     "AAEC\r\n"
			     "--B1\r\n"
			     "Content-Type: message/rfc822\r\n"
			     "\r\n"
			     "Subject: inner\r\n"
			     "To: group: b@y.test, c;, d@z.test\r\n"
			     "Content-Type: multipart/alternative; boundary=B2\r\n"
			     "\r\n"
			     "--B2\r\n"
			     "Content-Type: text/html\r\n"
			     "\r\n"
			     "<p>\r\n"
			     "--B2--\r\n"
			     "--B1--\r\n"
			     "epilogue\r\n";

struct opened {
	struct buf bytes;
	struct digest d;
};

static void open_message(struct opened *o, struct str message)
{
	buf_init(&o->bytes, LIMIT_DIGEST_BYTES);
	mail_parse(message, &o->bytes);
	assert_true(digest_open(&o->d, buf_str(&o->bytes), message.n));
}

static void writes_envelopes(void **state)
{
	(void)state;
	static const struct {
		struct str message;
		bool utf8;
		struct str out;
	} cases[] = {
		{ { plain, sizeof(plain) - 1 }, false,
			STR_INIT("(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" "
				 "\"IMAP4rev2 WG mtg summary and minutes\" "
				 "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
				 "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
				 "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
				 "((NIL NIL \"imap\" \"cac.washington.edu\")) "
				 "((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")"
				 "(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) "
				 "NIL NIL \"<B27397-0100000@cac.washington.ed>\")") },
		{ STR_INIT("\r\n"), false, STR_INIT("(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)") },
		{ STR_INIT("Subject:\r\nSender:\r\nFrom: x@y\r\n\r\n"), false,
			STR_INIT("(NIL \"\" ((NIL NIL \"x\" \"y\")) ((NIL NIL \"x\" \"y\")) "
				 "((NIL NIL \"x\" \"y\")) NIL NIL NIL NIL NIL)") },
		{ STR_INIT("To: g: a@b;, none:;\r\n\r\n"), false,
			STR_INIT("(NIL NIL NIL NIL NIL ((NIL NIL \"g\" NIL)(NIL NIL \"a\" \"b\")"
				 "(NIL NIL NIL NIL)(NIL NIL \"none\" NIL)(NIL NIL NIL NIL)) "
				 "NIL NIL NIL NIL)") },
		/* I29: quotes, 8-bit, NUL, and a bare CR */
		{ STR_INIT("Subject: a\"b\\c\r\n\r\n"), false,
			STR_INIT("(NIL \"a\\\"b\\\\c\" NIL NIL NIL NIL NIL NIL NIL NIL)") },
		{ STR_INIT("Subject: \xc3\xa4\r\n\r\n"), false,
			STR_INIT("(NIL {2}\r\n\xc3\xa4 NIL NIL NIL NIL NIL NIL NIL NIL)") },
		{ STR_INIT("Subject: \xc3\xa4\r\n\r\n"), true,
			STR_INIT("(NIL \"\xc3\xa4\" NIL NIL NIL NIL NIL NIL NIL NIL)") },
		{ STR_INIT("Subject: \xe4\r\n\r\n"), true,
			STR_INIT("(NIL {1}\r\n\xe4 NIL NIL NIL NIL NIL NIL NIL NIL)") },
		{ STR_INIT("Subject: a\0b\r\n\r\n"), true,
			STR_INIT("(NIL {3}\r\na\x80"
				 "b NIL NIL NIL NIL NIL NIL NIL NIL)") },
		{ STR_INIT("Subject: a\rb\r\n\r\n"), true,
			STR_INIT("(NIL {3}\r\na\rb NIL NIL NIL NIL NIL NIL NIL NIL)") },
	};
	struct buf out;
	buf_init(&out, 8 * LIMIT_DIGEST_BYTES);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct opened o;
		open_message(&o, cases[i].message);
		buf_clear(&out);
		assert_true(fetch_write_envelope(&out, &o.d.envelope, cases[i].utf8));
		assert_str(buf_str(&out), cases[i].out);
		buf_done(&o.bytes);
	}
	buf_done(&out);
}

static void writes_structures(void **state)
{
	(void)state;
	static const struct {
		struct str message;
		bool extended;
		const char *out;
	} cases[] = {
		{ { plain, sizeof(plain) - 1 }, false,
			"(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 12 2)" },
		{ { plain, sizeof(plain) - 1 }, true,
			"(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 12 2 "
			"NIL NIL NIL NIL)" },
		{ STR_INIT("\r\nx"), false,
			"(\"text\" \"plain\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 1 0)" },
		{ STR_INIT(""), false,
			"(\"text\" \"plain\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 0 0)" },
		{ STR_INIT("Content-Transfer-Encoding: x-odd\r\nContent-Type: a/b\r\n\r\nx"), false,
			"(\"a\" \"b\" NIL NIL NIL \"x-odd\" 1)" },
		/* M7: its contents are read as they are, its encoding is told */
		{ STR_INIT("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: "
			   "base64\r\n\r\nQTogYg0KDQpj"),
			false,
			"(\"message\" \"rfc822\" NIL NIL NIL \"BASE64\" 12 (NIL NIL NIL NIL NIL "
			"NIL "
			"NIL NIL NIL NIL) (\"text\" \"plain\" (\"CHARSET\" \"US-ASCII\") NIL NIL "
			"\"7BIT\" 0 0) 0)" },
		{ STR_INIT("Content-Type: message/global\r\nContent-Transfer-Encoding: "
			   "quoted-printable\r\n\r\nA=3A b"),
			false, "(\"message\" \"global\" NIL NIL NIL \"QUOTED-PRINTABLE\" 6)" },
		{ { nested, sizeof(nested) - 1 }, false,
			"((\"text\" \"plain\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 3 0)"
			"(\"application\" \"octet-stream\" (\"name\" \"a\\\"b\") \"<id@x>\" NIL "
			"\"BASE64\" 4)"
			"(\"message\" \"rfc822\" NIL NIL NIL \"7BIT\" 147 "
			"(NIL \"inner\" NIL NIL NIL ((NIL NIL \"group\" NIL)(NIL NIL \"b\" "
			"\"y.test\")"
			"(NIL NIL \"c\" \"\")(NIL NIL NIL NIL)(NIL NIL \"d\" \"z.test\")) "
			"NIL NIL NIL NIL) "
			"((\"text\" \"html\" NIL NIL NIL \"7BIT\" 3 0) \"alternative\") 8) "
			"\"mixed\")" },
		{ { nested, sizeof(nested) - 1 }, true,
			"((\"text\" \"plain\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 3 0 "
			"NIL NIL NIL NIL)"
			"(\"application\" \"octet-stream\" (\"name\" \"a\\\"b\") \"<id@x>\" NIL "
			"\"BASE64\" 4 NIL (\"attachment\" (\"filename\" \"x.bin\")) NIL NIL)"
			"(\"message\" \"rfc822\" NIL NIL NIL \"7BIT\" 147 "
			"(NIL \"inner\" NIL NIL NIL ((NIL NIL \"group\" NIL)(NIL NIL \"b\" "
			"\"y.test\")"
			"(NIL NIL \"c\" \"\")(NIL NIL NIL NIL)(NIL NIL \"d\" \"z.test\")) "
			"NIL NIL NIL NIL) "
			"((\"text\" \"html\" NIL NIL NIL \"7BIT\" 3 0 NIL NIL NIL NIL) "
			"\"alternative\" (\"boundary\" \"B2\") NIL NIL NIL) 8 NIL NIL NIL NIL) "
			"\"mixed\" (\"boundary\" \"B1\") NIL (\"en\" \"de\") NIL)" },
	};
	struct buf out;
	buf_init(&out, 8 * LIMIT_DIGEST_BYTES);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct opened o;
		open_message(&o, cases[i].message);
		buf_clear(&out);
		assert_true(fetch_write_structure(&out, &o.d, cases[i].extended, false));
		assert_str(buf_str(&out), str_from(cases[i].out));
		/* all or nothing */
		struct buf small;
		buf_init(&small, out.n - 1);
		assert_false(fetch_write_structure(&small, &o.d, cases[i].extended, false));
		assert_int_equal(small.n, 0);
		buf_done(&small);
		buf_done(&o.bytes);
	}
	buf_done(&out);
}

/* ---- sections ---- */

#define PREFIX "Received: x\r\n"

/* RFC 9051 7.5.2: "Servers SHOULD decode parameter-value continuations" and charsets. */
static void joins_parameters(void **state)
{
	(void)state;
	static const struct str message = STR_INIT(
		"Content-Type: a/b; name*0=long; name*1=name\r\n"
		"Content-Disposition: inline; filename*0*=iso-8859-1''%FC; filename*1=.x\r\n\r\nx");
	static const char *const out[] = {
		"(\"a\" \"b\" (\"name\" \"longname\") NIL NIL \"7BIT\" 1 NIL (\"inline\" "
		"(\"filename*\" \"iso-8859-1''%FC.x\")) NIL NIL)",
		"(\"a\" \"b\" (\"name\" \"longname\") NIL NIL \"7BIT\" 1 NIL (\"inline\" "
		"(\"filename*\" \"\xc3\xbc.x\")) NIL NIL)",
	};
	struct opened o;
	struct buf b;
	open_message(&o, message);
	buf_init(&b, 4096);
	for (int utf8 = 0; utf8 < 2; utf8++) {
		buf_clear(&b);
		assert_true(fetch_write_structure(&b, &o.d, true, utf8));
		assert_str(buf_str(&b), str_from(out[utf8]));
	}
	buf_done(&b);
	buf_done(&o.bytes);
}

/* The digest of a message of one byte whose type has n parameters. */
static void make_params(struct opened *o, size_t n, char value)
{
	struct buf params, entries;
	buf_init(&params, 4096);
	buf_init(&entries, 4096);
	buf_init(&o->bytes, LIMIT_DIGEST_BYTES);
	for (size_t i = 0; i < n; i++) {
		char name[30];
		snprintf(name, sizeof(name), "n%zu", i);
		digest_put_string(&params, str_from(name));
		digest_put_string(&params, str_make(&value, 1));
	}
	digest_put_entry(&entries, ENTRY_TYPE, STR("a"));
	digest_put_entry(&entries, ENTRY_SUBTYPE, STR("b"));
	digest_put_entry(&entries, ENTRY_PARAMS, buf_str(&params));
	assert_true(digest_write(&o->bytes,
		&(struct digest_head){ .size = 1, .envelope = STR("\0\0\0") },
		&(struct digest_record){ .body_size = 1, .entries_n = (uint32_t)entries.n }, 1,
		buf_str(&entries)));
	assert_true(digest_open(&o->d, buf_str(&o->bytes), 1));
	buf_done(&params);
	buf_done(&entries);
}

/* With or without an asterisk among them: a claim's parameters are written up to the bound. */
static void writes_so_many_parameters(void **state)
{
	static const size_t counts[] = { 0, 1, LIMIT_MIME_PARAMS - 1, LIMIT_MIME_PARAMS,
		LIMIT_MIME_PARAMS + 1 };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(counts) * 2; i++) {
		size_t n = counts[i / 2], at = 0, found = 0;
		struct opened o;
		struct buf b;
		make_params(&o, n, i % 2 ? '*' : '-');
		buf_init(&b, 16384);
		assert_true(fetch_write_structure(&b, &o.d, false, false));
		for (; (at = str_search(buf_str(&b), STR("\"n"))) < b.n; found++)
			buf_consume(&b, at + 2);
		assert_int_equal(found, n < LIMIT_MIME_PARAMS ? n : LIMIT_MIME_PARAMS);
		buf_done(&b);
		buf_done(&o.bytes);
	}
}

static void finds_sections(void **state)
{
	(void)state;
	static const struct {
		const char *section, *out; /* NULL: NIL */
	} cases[] = {
		{ "[1]", "one" },
		{ "[1.MIME]", "\r\n" },
		{ "[2]", "AAEC" },
		{ "[2.MIME]", "Content-Type: application/octet-stream; name=\"a\\\"b\"\r\n"
			      "Content-Transfer-Encoding: base64\r\nContent-ID: <id@x>\r\n"
			      "Content-Disposition: attachment; filename=x.bin\r\n\r\n" },
		{ "[2.HEADER]", NULL },
		{ "[2.TEXT]", NULL },
		{ "[3.HEADER.FIELDS (subject)]", "Subject: inner\r\n\r\n" },
		{ "[3.HEADER.FIELDS.NOT (subject to)]",
			"Content-Type: multipart/alternative; boundary=B2\r\n\r\n" },
		{ "[3.TEXT]", "--B2\r\nContent-Type: text/html\r\n\r\n<p>\r\n--B2--" },
		{ "[3.1]", "<p>" },
		{ "[3.1.MIME]", "Content-Type: text/html\r\n\r\n" },
		{ "[3.2]", NULL },
		{ "[4]", NULL },
		{ "[1.1]", NULL },
		{ "[0]", NULL },
		{ "[HEADER]", PREFIX "From: a@x.test\r\n"
				     "Content-Type: multipart/mixed; boundary=\"B1\"\r\n"
				     "Content-Language: en, de\r\n\r\n" },
		{ "[HEADER.FIELDS (Received FROM x)]", PREFIX "From: a@x.test\r\n\r\n" },
		{ "[HEADER.FIELDS (none)]", "\r\n" },
	};
	struct opened o;
	open_message(&o, str_make(nested, sizeof(nested) - 1));
	struct buf message, out;
	struct arena a;
	buf_init(&message, 4000);
	buf_init(&out, 4000);
	arena_init(&a, 1 << 20);
	buf_addz(&message, PREFIX);
	buf_addz(&message, nested);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scan s = scan_from(str_from(cases[i].section));
		struct section sec;
		struct section_place place;
		bool found = section_parse(&s, &a, &sec, NULL) == 0 &&
			     section_find(&o.d, sizeof(PREFIX) - 1, &sec, &place);
		if (found != (cases[i].out != NULL))
			fail_msg("%s: %d", cases[i].section, found);
		if (!found)
			continue;
		struct str part = str_sub(
			buf_str(&message), (size_t)place.offset, (size_t)place.size);
		buf_clear(&out);
		if (place.filter)
			assert_true(section_filter(&sec, part, &out));
		else
			buf_adds(&out, part);
		assert_str(buf_str(&out), str_from(cases[i].out));
	}
	struct section whole = { 0 }, text = { .text = SECTION_TEXT };
	struct section_place place;
	assert_true(section_find(&o.d, sizeof(PREFIX) - 1, &whole, &place));
	assert_int_equal(place.offset, 0);
	assert_int_equal(place.size, message.n);
	assert_true(section_find(&o.d, sizeof(PREFIX) - 1, &text, &place));
	assert_int_equal(place.offset + place.size, message.n);
	assert_true(str_starts(
		str_from_offset(buf_str(&message), (size_t)place.offset), STR("preamble")));
	uint32_t two = 2;
	struct section binary = { .part = &two, .n_part = 1 };
	assert_true(section_find(&o.d, 0, &binary, &place));
	assert_int_equal(place.encoding, MAIL_BASE64);
	buf_done(&message);
	buf_done(&out);
	buf_done(&o.bytes);
	arena_done(&a);
}

/* A filter gives the same for any split. */
static void filters_in_pieces(void **state)
{
	(void)state;
	static const struct str fields[] = { STR_INIT("b"), STR_INIT(""), STR_INIT("d") };
	static const struct str header = STR_INIT(
		"A: 1\r\n x\r\nb : 2\r\n\ty\r\nbroken\r\n z\r\nB: 3\nbb: 4\r\nd:\r\n\r\n");
	static const struct {
		enum section_text text;
		struct str out;
	} cases[] = {
		{ SECTION_HEADER_FIELDS, STR_INIT("b : 2\r\n\ty\r\nB: 3\nd:\r\n\r\n") },
		{ SECTION_HEADER_FIELDS_NOT,
			STR_INIT("A: 1\r\n x\r\nbroken\r\n z\r\nbb: 4\r\n\r\n") },
	};
	struct buf out;
	buf_init(&out, 1000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct section sec = { .text = cases[i].text, .fields = fields, .n_fields = 3 };
		for (size_t step = 1; step <= header.n; step++) {
			struct section_filter f;
			struct str piece;
			section_filter_init(&f, &sec);
			buf_clear(&out);
			for (size_t at = 0; at < header.n; at += step) {
				struct str bytes = str_sub(header, at, step);
				while (section_filter_next(&f, &bytes, &piece))
					buf_adds(&out, piece);
			}
			while (section_filter_end(&f, &piece))
				buf_adds(&out, piece);
			assert_str(buf_str(&out), cases[i].out);
		}
	}
	buf_done(&out);
}

/* I6: no sum overflows, nothing beyond the end. */
static void cuts_partials(void **state)
{
	(void)state;
	static const struct {
		uint64_t offset, length, n, from, got;
	} cases[] = {
		{ 0, 10, 5, 0, 5 },
		{ 2, 2, 5, 2, 2 },
		{ 5, 1, 5, 5, 0 },
		{ 9, 1, 5, 5, 0 },
		{ 4294967295, 4294967295, 5, 5, 0 },
		{ INT64_MAX, 1, 5, 5, 0 },
		{ 1, INT64_MAX - 1, 5, 1, 4 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fetch_item item = {
			.partial = true, .offset = cases[i].offset, .length = cases[i].length
		};
		uint64_t from, got;
		fetch_partial(&item, cases[i].n, &from, &got);
		assert_int_equal(from, cases[i].from);
		assert_int_equal(got, cases[i].got);
	}
	uint64_t from, got;
	fetch_partial(&(struct fetch_item){ 0 }, 7, &from, &got);
	assert_true(from == 0 && got == 7);
	char nul[] = { 0, 'a', 0, 0 };
	fetch_mask_nul(nul, sizeof(nul));
	assert_memory_equal(nul,
		"\x80"
		"a\x80\x80",
		4);
	fetch_mask_nul(nul, 0);
}

TEST_MAIN(test_case(writes_envelopes), test_case(writes_structures), test_case(joins_parameters),
	test_case(writes_so_many_parameters), test_case(finds_sections),
	test_case(filters_in_pieces), test_case(cuts_partials))
