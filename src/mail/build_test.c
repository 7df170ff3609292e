// SPDX-License-Identifier: Apache-2.0
#include "base/test.h"
#include "mail/build.h"

static void builds_received(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 4000);
	struct mail_received r = { .helo = STR("client.example"),
		.peer_address = STR("192.0.2.1"),
		.by = STR("mx.example.test"),
		.with = STR("ESMTPS"),
		.tls_cipher = STR("TLS_AES_256_GCM_SHA384"),
		.tls_version = STR("TLSv1.3"),
		.id = STR("7Q2K"),
		.for_address = STR("bob@example.test"),
		.date = STR("Sat, 21 Nov 2026 22:43:24 +0000") };
	assert_true(mail_build_received(&b, &r));
	assert_str(buf_str(&b),
		STR("Received: from client.example ([192.0.2.1])\r\n\tby mx.example.test with "
		    "ESMTPS\r\n\tid 7Q2K\r\n\tfor <bob@example.test>\r\n\t"
		    "tls TLS_AES_256_GCM_SHA384 (TLSv1.3); "
		    "Sat, 21 Nov 2026 22:43:24 +0000\r\n"));
	buf_clear(&b);
	r = (struct mail_received){ .helo = STR("evil) by x\r\nBcc: a\x00\x85"),
		.peer_address = STR("2001:db8::1"),
		.by = STR("h"),
		.with = STR("SMTP"),
		.date = STR("d") };
	assert_true(mail_build_received(&b, &r));
	assert_str(buf_str(&b), STR("Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1]) (helo "
				    "evil? by x??Bcc: a?"
				    "?)\r\n\tby h with SMTP; d\r\n"));
	r.with = STR("SM TP");
	assert_false(mail_build_received(&b, &r));
	r.with = STR("SMTP");
	r.tls_cipher = STR("a b");
	assert_false(mail_build_received(&b, &r));
	buf_done(&b);
}

/* S52: none of these may end a field. */
static void s52_refuses_injection(void **state)
{
	(void)state;
	static const struct str bad[] = { STR_INIT("a\r\nX: y"), STR_INIT("a\rb"), STR_INIT("a\nb"),
		STR_INIT("a\0b"), STR_INIT("a\x7f"),
		STR_INIT("a\xc2\x85"
			 "b"),
		STR_INIT("a\xe2\x80\xa8"
			 "b"),
		STR_INIT("a\xe2\x80\xa9"), STR_INIT("\xff") };
	struct buf b;
	buf_init(&b, 4000);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char path[64];
		buf_clear(&b);
		assert_false(mail_build_field(&b, STR("X"), bad[i]));
		assert_false(mail_build_return_path(&b, bad[i]));
		memcpy(path, bad[i].p, bad[i].n);
		memcpy(path + bad[i].n, "@x.org", 6);
		assert_false(mail_build_return_path(&b, str_make(path, bad[i].n + 6)));
		assert_false(mail_build_delivered_to(&b, str_make(path, bad[i].n + 6)));
		assert_false(mail_build_mailbox(&b, STR("n"), str_make(path, bad[i].n + 6)));
		assert_int_equal(b.n, 0);
		/* Text and names are encoded instead. */
		assert_true(mail_build_text(&b, STR("Subject"), bad[i]));
		assert_true(str_starts(buf_str(&b), STR("Subject: =?utf-8?B?")));
		assert_int_equal(str_find(buf_str(&b), '\n'), b.n - 1);
		buf_clear(&b);
		assert_true(mail_build_mailbox(&b, bad[i], STR("a@x.org")));
		assert_true(str_is_ascii(buf_str(&b)) && !str_has_control(buf_str(&b)));
	}
	assert_false(mail_build_field(&b, STR("X:"), STR("v")));
	assert_false(mail_build_field(&b, STR("X\r\nY"), STR("v")));
	assert_false(mail_build_field(&b, STR(""), STR("v")));
	buf_done(&b);
}

static void builds_fields(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 4000);
	assert_true(mail_build_return_path(&b, STR("")));
	assert_true(mail_build_return_path(&b, STR("a@x.org")));
	assert_true(mail_build_delivered_to(&b, STR("\"a b\"@x.org")));
	assert_true(mail_build_text(&b, STR("Subject"), STR("plain text")));
	assert_true(mail_build_text(&b, STR("Subject"), STR("gr\xc3\xbcn")));
	assert_str(buf_str(&b), STR("Return-Path: <>\r\nReturn-Path: <a@x.org>\r\n"
				    "Delivered-To: \"a b\"@x.org\r\nSubject: plain text\r\n"
				    "Subject: =?utf-8?B?Z3LDvG4=?=\r\n"));
	buf_clear(&b);
	assert_true(mail_build_mailbox(&b, STR("Ann, B."), STR("ann@x.org")));
	assert_str(buf_str(&b), STR("\"Ann, B.\" <ann@x.org>"));
	buf_clear(&b);
	assert_true(mail_build_mailbox(&b, STR("Ann"), STR("ann@x.org")));
	assert_str(buf_str(&b), STR("Ann <ann@x.org>"));
	buf_clear(&b);
	assert_true(mail_build_message_id(
		&b, (const uint8_t *)"0123456789abcdef", 1700000000000, STR("x.org")));
	assert_str(buf_str(&b), STR("<30313233343536373839616263646566.1700000000000@x.org>"));
	buf_done(&b);
}

static void folds_long_values(void **state)
{
	(void)state;
	struct buf b, value;
	buf_init(&b, 10000);
	buf_init(&value, 10000);
	for (int i = 0; i < 100; i++)
		buf_addz(&value, "word ");
	assert_true(mail_build_field(&b, STR("X"), str_trim(buf_str(&value))));
	for (struct str rest = buf_str(&b); rest.n > 0;)
		assert_true(str_split(&rest, '\n').n <= 79);
	buf_done(&b);
	buf_done(&value);
}

TEST_MAIN(test_case(builds_received), test_case(s52_refuses_injection), test_case(builds_fields),
	test_case(folds_long_values))
