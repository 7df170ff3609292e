// SPDX-License-Identifier: Apache-2.0
/* Header fields in ASCII for clients that know no other (RFC 6857, RFC 6858). */
#include "base/test.h"
#include "mail/surrogate.h"

#include "base/limits.h"

static void fields(void **state)
{
	static const struct {
		const char *field, *surrogate; /* NULL: left out */
	} cases[] = {
		/* texts, with what was encoded already */
		{ "Subject: Gr\xc3\xbc\xc3\x9f"
		  "e\r\n",
			"Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\n" },
		{ "Subject: =?iso-8859-1?q?=FC?=\r\n \xc3\xbc\r\n",
			"Subject: =?utf-8?B?w7wgw7w=?=\r\n" },
		{ "X-Anything: \xc3\xbc\n", "X-Anything: =?utf-8?B?w7w=?=\r\n" },
		/* names; domains have A-labels */
		{ "From: J\xc3\xbcrgen <j@example.org>\r\n",
			"From: =?utf-8?B?SsO8cmdlbg==?= <j@example.org>\r\n" },
		{ "To: \"a, b\" <a@\xc3\xbc.example>,\r\n\tc@example.org (\xc3\xbc)\r\n",
			"To: \"a, b\" <a@xn--tda.example>,\r\n =?utf-8?B?w7w=?= "
			"<c@example.org>\r\n" },
		{ "Cc: =?utf-8?q?=C3=A4?= <a@example.org>, \xc3\xbc@\xc3\xbc.example\r\n",
			"Cc: =?utf-8?B?w6Q=?= <a@example.org>,\r\n "
			"=?utf-8?B?w7xAw7wuZXhhbXBsZQ==?= "
			"<invalid@internationalized-address.invalid>\r\n" },
		{ "From: Fred <\xc3\xbc@example.org>\r\n",
			"From: =?utf-8?B?RnJlZCDDvEBleGFtcGxlLm9yZw==?= "
			"<invalid@internationalized-address.invalid>\r\n" },
		{ "Return-Path: <\xc3\xbc@example.org>\r\n",
			"Return-Path: =?utf-8?B?w7xAZXhhbXBsZS5vcmc=?= "
			"<invalid@internationalized-address.invalid>\r\n" },
		{ "To: A team: \xc3\xbc <a@b.example>, c@d.example;, e@f.example\r\n",
			"To: \"A team\":\r\n =?utf-8?B?w7w=?= <a@b.example>,\r\n c@d.example;,\r\n "
			"e@f.example\r\n" },
		{ "To: \xc3\xbc:;\r\n", "To: =?utf-8?B?w7w=?=:;\r\n" },
		/* message-ids have no other form */
		{ "Message-ID: <a@\xc3\xbc.example>\r\n",
			"Downgraded-Message-ID: =?utf-8?B?PGFAw7wuZXhhbXBsZT4=?=\r\n" },
		{ "references: <a@b> <a@\xc3\xbc.example>\r\n",
			"Downgraded-references: =?utf-8?B?PGFAYj4gPGFAw7wuZXhhbXBsZT4=?=\r\n" },
		/* parameters */
		{ "Content-Type: text/plain; charset=utf-8;\r\n name=\"\xc3\xbc b.txt\"\r\n",
			"Content-Type: text/plain;\r\n charset=utf-8;\r\n "
			"name*=utf-8''%C3%BC%20b.txt\r\n" },
		{ "Content-Disposition: attachment; filename*0=\xc3\xbc; filename*1=\"a \\\"\"; "
		  "x=\"y "
		  "\\\\z\"\r\n",
			"Content-Disposition: attachment;\r\n filename*=utf-8''%C3%BCa%20%22;\r\n "
			"x=\"y \\\\z\"\r\n" },
		{ "Content-Type: multipart/mixed; boundary=a; \xc3\xbc=b (\xc3\xbc)\r\n",
			"Content-Type: multipart/mixed;\r\n boundary=a\r\n" },
		{ "Content-Type: text/\xc3\xbc\r\n", NULL },
		/* comments */
		{ "Date: Sat, 21 Nov 2026 22:43:24 +0100 (M\xc3\xbcnchen)\r\n",
			"Date: Sat, 21 Nov 2026 22:43:24 +0100\r\n" },
		{ "Date: gestern fr\xc3\xbch\r\n", NULL },
		{ "Received: from x by y for <\xc3\xbc@example.org>; now\r\n", NULL },
		/* no field, and what tries to be more than one */
		{ "gr\xc3\xbcn\r\n", NULL },
		{ "Subject: \xc3\xbc\rBcc: x\r\n", "Subject: =?utf-8?B?w7wgQmNjOiB4?=\r\n" },
		{ "From: \xc3\xbc\r <a@b.example>\r\n",
			"From: =?utf-8?B?w7w=?= <a@b.example>\r\n" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out;
		buf_init(&out, 4000);
		bool good = mail_surrogate_field(str_from(cases[i].field), &out);
		assert_str(buf_str(&out), str_from(cases[i].surrogate ? cases[i].surrogate : ""));
		assert_int_equal(good, cases[i].surrogate != NULL);
		buf_done(&out);
	}
}

/* ---- messages ---- */

static void keep(void *arg, struct str bytes)
{
	assert_true(bytes.n > 0);
	assert_true(buf_adds(arg, bytes));
}

static void make(struct str message, size_t piece, struct buf *out)
{
	struct mail_surrogate s;
	buf_clear(out);
	mail_surrogate_init(&s, keep, out);
	for (size_t at = 0; at < message.n; at += piece)
		mail_surrogate_input(&s, str_sub(message, at, piece));
	mail_surrogate_end(&s);
	mail_surrogate_done(&s);
}

static void becomes(struct str message, struct str surrogate)
{
	static const size_t pieces[] = { 1, 2, 3, 7, 64, 1000, 100000 };
	struct buf out;
	buf_init(&out, 200000);
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		make(message, pieces[i], &out);
		assert_str(buf_str(&out), surrogate);
	}
	buf_done(&out);
}

static void stays(struct str message)
{
	becomes(message, message);
}

/* "8bit content-transfer-encoding" is for every client.   RFC 6856 2.1 */
static void what_needs_nothing_stays(void **state)
{
	(void)state;
	stays(STR(""));
	stays(STR("\r\n"));
	stays(STR("Subject: x\r\nTo: a,\r\n b\r\n\r\nGr\xc3\xbc\xc3\x9f"
		  "e\r\n.\r\n--x\r\n"));
	stays(STR("Subject: x\nX"));
	stays(STR(" begins: so\r\n--\r\n\r\n\r\nS: \xc3\xbc\r\n"));
	stays(STR("Subject: Gr\xfc\xdf"
		  "e in Latin-1\r\n\r\n"));
	stays(STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n"
		  "S: \xc3\xbc\r\n--b2\r\nS: \xc3\xbc\r\n-\r\n--b--\r\nS: \xc3\xbc\r\n-- b"));
	stays(STR("Content-Type: message/rfc822; x=multipart\r\n\r\nS: x\r\n\r\nS: \xc3\xbc\r\n"));
}

static void headers_at_every_depth(void **state)
{
	(void)state;
	becomes(STR("Subject: \xc3\xbc"), STR("Subject: =?utf-8?B?w7w=?=\r\n"));
	becomes(STR("A: a\r\nS: \xc3\xbc\r\nB: b\r\n\r\nS: \xc3\xbc\r\n"),
		STR("A: a\r\nS: =?utf-8?B?w7w=?=\r\nB: b\r\n\r\nS: \xc3\xbc\r\n"));
	becomes(STR("Content-Type: MULTIPART/mixed; boundary=\"a b\"\r\n\r\nS: \xc3\xbc\r\n"
		    "--a b \r\nS: \xc3\xbc\r\n\r\nS: \xc3\xbc\r\n"
		    "--a b\r\nContent-Type: multipart/digest; boundary=c\r\n\r\nS: \xc3\xbc\r\n"
		    "--c\r\n\r\nS: \xc3\xbc\r\n\r\nS: \xc3\xbc\r\n"
		    "--c\r\nContent-Type: text/plain\r\n\r\nS: \xc3\xbc\r\n"
		    "--c--\r\nS: \xc3\xbc\r\n"
		    "--a b\r\nContent-Type: message/rfc822\r\n\r\nS: \xc3\xbc\r\n\r\nS: "
		    "\xc3\xbc\r\n"
		    "--a b\r\nS: \xc3\xbc\r\n--a b--\r\nS: \xc3\xbc\r\n"),
		STR("Content-Type: MULTIPART/mixed; boundary=\"a b\"\r\n\r\nS: \xc3\xbc\r\n"
		    "--a b \r\nS: =?utf-8?B?w7w=?=\r\n\r\nS: \xc3\xbc\r\n"
		    "--a b\r\nContent-Type: multipart/digest; boundary=c\r\n\r\nS: \xc3\xbc\r\n"
		    "--c\r\n\r\nS: =?utf-8?B?w7w=?=\r\n\r\nS: \xc3\xbc\r\n"
		    "--c\r\nContent-Type: text/plain\r\n\r\nS: \xc3\xbc\r\n"
		    "--c--\r\nS: \xc3\xbc\r\n"
		    "--a b\r\nContent-Type: message/rfc822\r\n\r\nS: =?utf-8?B?w7w=?=\r\n\r\nS: "
		    "\xc3\xbc\r\n"
		    "--a b\r\nS: =?utf-8?B?w7w=?=\r\n--a b--\r\nS: \xc3\xbc\r\n"));
}

/* A field of n bytes, in one line or in many, with an umlaut behind its name or at its end. */
static void add_field(struct buf *b, size_t n, bool lines, bool first)
{
	size_t end = b->n + n - (first ? 2 : 4);
	buf_addz(b, first ? "X: \xc3\xbc" : "X: ");
	while (b->n < end)
		if (lines && b->n % 100 == 0 && b->n + 3 < end)
			buf_addz(b, "\r\n ");
		else
			buf_addc(b, 'x');
	buf_addz(b, first ? "\r\n" : "\xc3\xbc\r\n");
	assert_int_equal(b->n, n);
}

/* LIMIT_SURROGATE_FIELD_BYTES: a longer one is left out; what comes behind it is not. */
static void fields_have_an_end(void **state)
{
	struct buf message, expected;
	(void)state;
	buf_init(&message, 4 * LIMIT_SURROGATE_FIELD_BYTES);
	buf_init(&expected, 4 * LIMIT_SURROGATE_FIELD_BYTES);
	for (int more = -1; more <= 1; more++) {
		for (int form = 0; form < 4; form++) {
			buf_clear(&message);
			buf_clear(&expected);
			add_field(&message, (size_t)(LIMIT_SURROGATE_FIELD_BYTES + more), form & 1,
				form & 2);
			if (more <= 0)
				assert_true(mail_surrogate_field(buf_str(&message), &expected));
			buf_addz(&message, "Y: \xc3\xbc\r\n\r\n");
			buf_addz(&expected, "Y: =?utf-8?B?w7w=?=\r\n\r\n");
			becomes(buf_str(&message), buf_str(&expected));
		}
	}
	buf_done(&message);
	buf_done(&expected);
}

/* One that was ASCII as far as it could be held goes on: with its line, and with others. */
static void long_fields_of_ascii_pass(void **state)
{
	struct buf message, expected;
	(void)state;
	buf_init(&message, 4 * LIMIT_SURROGATE_FIELD_BYTES);
	buf_init(&expected, 4 * LIMIT_SURROGATE_FIELD_BYTES);
	for (int lines = 0; lines < 2; lines++) {
		buf_clear(&message);
		buf_addz(&message, "A: a\r\nX: ");
		while (message.n < 3 * LIMIT_SURROGATE_FIELD_BYTES)
			buf_addz(&message, lines ? "a@b.example,\r\n\t" : "a@b.example, ");
		buf_clear(&expected);
		buf_adds(&expected, buf_str(&message));
		buf_addz(&message, "x\xc3\xbcx\xc3\xbc\r\n\xc3\xbc\r\nY: \xc3\xbc\r\n\r\n\xc3\xbc");
		buf_addz(&expected, "x?\?x?\?\r\nY: =?utf-8?B?w7w=?=\r\n\r\n\xc3\xbc");
		becomes(buf_str(&message), buf_str(&expected));
	}
	buf_done(&message);
	buf_done(&expected);
}

/* LIMIT_SURROGATE_EXTRA_BYTES: what would make the message longer than that is left out. */
static void messages_do_not_grow_for_ever(void **state)
{
	struct buf message, out;
	size_t extra = 0, fields = 0;
	(void)state;
	buf_init(&message, 100000);
	buf_init(&out, 100000);
	for (int i = 0; i < 2000; i++)
		buf_addz(&message, "S: \xc3\xbc\r\n");
	make(buf_str(&message), 1000, &out);
	assert_true(out.n % strlen("S: =?utf-8?B?w7w=?=\r\n") == 0);
	fields = out.n / strlen("S: =?utf-8?B?w7w=?=\r\n");
	extra = fields * (strlen("S: =?utf-8?B?w7w=?=\r\n") - strlen("S: \xc3\xbc\r\n"));
	assert_true(extra <= LIMIT_SURROGATE_EXTRA_BYTES);
	assert_true(extra > LIMIT_SURROGATE_EXTRA_BYTES - 14);
	buf_done(&message);
	buf_done(&out);
}

TEST_MAIN(test_case(fields), test_case(what_needs_nothing_stays), test_case(headers_at_every_depth),
	test_case(fields_have_an_end), test_case(long_fields_of_ascii_pass),
	test_case(messages_do_not_grow_for_ever))
