// SPDX-License-Identifier: Apache-2.0
/*
 * What happens to a header on the way: Bcc, Date, Message-ID, hops; who may write From and Sender;
 * and the lines in front of a copy.
 */
#include "base/test.h"
#include "smtp/fake_host.h"
#include "smtp/submit.h"

#define ADDED_DATE "Date: D\r\n"
#define ADDED_ID   "Message-ID: <I>\r\n"
#define ADDED      ADDED_DATE ADDED_ID

static void collect(void *arg, struct str bytes)
{
	buf_adds(arg, bytes);
}

static const struct header_case {
	struct str in;
	struct str out;
	bool broken;
} header_cases[] = {
	{ STR_INIT("From: a\r\nDate: x\r\nMessage-ID: <y>\r\n\r\nbody\r\n"),
		STR_INIT("From: a\r\nDate: x\r\nMessage-ID: <y>\r\n\r\nbody\r\n") },
	{ STR_INIT("From: a\r\n\r\nbody\r\n"), STR_INIT("From: a\r\n" ADDED "\r\nbody\r\n") },
	{ STR_INIT("DATE: x\r\n\r\n"), STR_INIT("DATE: x\r\n" ADDED_ID "\r\n") },
	{ STR_INIT("message-id : <y>\r\n\r\n"),
		STR_INIT("message-id : <y>\r\n" ADDED_DATE "\r\n") },
	/* Bcc in every shape, folded too; not in the body, and not what only begins so */
	{ STR_INIT("Bcc: c\r\nTo: b\r\nbcc:\r\n d,\r\n\te\r\nSubject: s\r\n\r\nBcc: f\r\n"),
		STR_INIT("To: b\r\nSubject: s\r\n" ADDED "\r\nBcc: f\r\n") },
	{ STR_INIT("Resent-BCC: c\r\nBcc : d\r\nBccx: e\r\nX-Bcc: f\r\n\r\n"),
		STR_INIT("Bccx: e\r\nX-Bcc: f\r\n" ADDED "\r\n") },
	/* an empty header, no header, nothing, no body */
	{ STR_INIT("\r\nbody\r\n"), STR_INIT(ADDED "\r\nbody\r\n") },
	{ STR_INIT("Hello Bob\r\nFrom: x\r\n\r\nrest\r\n"),
		STR_INIT(ADDED "\r\nHello Bob\r\nFrom: x\r\n\r\nrest\r\n") },
	{ STR_INIT(" indented\r\nFrom: x\r\n"), STR_INIT(ADDED "\r\n indented\r\nFrom: x\r\n") },
	{ STR_INIT(""), STR_INIT(ADDED) },
	{ STR_INIT("Subject: s\r\n"), STR_INIT("Subject: s\r\n" ADDED) },
	{ STR_INIT("Subject: s"), STR_INIT("Subject: s\r\n" ADDED) },
	{ STR_INIT("Bcc: b\r\n"), STR_INIT(ADDED) },
	/* S14: a line that is no field between those that are */
	{ STR_INIT("From: a\r\nwhat is this\r\nFrom: b\r\n\r\n"),
		STR_INIT("From: a\r\nwhat is this\r\nFrom: b\r\n" ADDED "\r\n"), true },
};

static void submitted_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(header_cases); i++) {
		const struct header_case *c = &header_cases[i];
		for (size_t split = 0; split <= c->in.n; split++) {
			struct smtp_header h;
			struct buf out;
			buf_init(&out, 1000);
			smtp_header_init(
				&h, true, STR(ADDED), sizeof(ADDED_DATE) - 1, collect, &out);
			smtp_header_input(&h, str_sub(c->in, 0, split));
			smtp_header_input(&h, str_from_offset(c->in, split));
			smtp_header_end(&h);
			assert_str(buf_str(&out), c->out);
			assert_int_equal(h.broken, c->broken);
			smtp_header_done(&h);
			buf_done(&out);
		}
	}
}

/* On port 25 every byte stays. Before a first line that would continue our Received field an empty
 * line comes. */
static void received_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(header_cases); i++) {
		struct str in = header_cases[i].in;
		struct smtp_header h;
		struct buf out;
		buf_init(&out, 1000);
		smtp_header_init(&h, false, STR_NONE, 0, collect, &out);
		for (size_t k = 0; k < in.n; k++)
			smtp_header_input(&h, str_sub(in, k, 1));
		smtp_header_end(&h);
		size_t added = in.n > 0 && in.p[0] == ' ' ? 2 : 0;
		assert_str(str_sub(buf_str(&out), 0, added), added ? STR("\r\n") : STR(""));
		assert_str(str_from_offset(buf_str(&out), added), in);
		smtp_header_done(&h);
		buf_done(&out);
	}
}

/* ---- through a session ---- */

static struct fake_host f;

static bool said(const char *part)
{
	bool yes = str_search(buf_str(&f.out), str_from(part)) < f.out.n;
	buf_clear(&f.out);
	return yes;
}

static void input(const char *text)
{
	fake_input(&f, str_from(text));
}

static void start(bool user)
{
	fake_done(&f);
	fake_init(&f, user ? "submissions" : "smtp", user);
	fake_open(&f);
	input("EHLO client.example\r\n");
	if (user)
		input("AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdABzZWNyZXQ=\r\n");
	buf_clear(&f.out);
}

static void send_message(const char *from, const char *to, const char *message)
{
	char line[512];
	snprintf(line, sizeof(line), "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\n", from, to);
	input(line);
	input("DATA\r\n");
	buf_clear(&f.out);
	input(message);
	input(".\r\n");
}

#define NO_LIST   "550 5.6.0 From, Sender or Resent-From is no list of addresses"
#define NO_DOMAIN "550 5.6.0 From, Sender or Resent-From has an address without @domain"

static void who_may_write_from(void **state)
{
	(void)state;
	static const struct {
		const char *header, *reply;
	} cases[] = {
		{ "From: alice@example.test\r\n", "250 2.0.0" },
		{ "From: Alice <alice@EXAMPLE.test>\r\n", "250 2.0.0" },
		{ "From: \"Boss, The\" <alice+x@example.test>\r\n", "250 2.0.0" },
		{ "From: alice@example.test, Sales <sales@example.test>\r\n", "250 2.0.0" },
		{ "From:\r\n alice@example.test\r\n", "250 2.0.0" },
		{ "Subject: no From claims nobody\r\n", "250 2.0.0" },
		{ "X-Sender: x@y.example\r\nFrom: \"al\"\"ice\" <alice@example.test>\r\n",
			"250 2.0.0" },
		/* what else clients show as the sender: RFC 5322 3.6.2, 3.6.6 */
		{ "From: alice@example.test\r\nSender: <alice+x@example.test>\r\n", "250 2.0.0" },
		{ "Resent-From: alice@example.test\r\nFrom: alice@example.test\r\n"
		  "Resent-Sender: sales@example.test\r\nResent-From: sales@example.test\r\n",
			"250 2.0.0" },
		{ "From: alice@example.test\r\nSender: bob@example.test\r\n", "550 5.7.1" },
		{ "Sender: bob@example.test\r\nFrom: alice@example.test\r\n", "550 5.7.1" },
		{ "SENDER:\r\n bob@example.test\r\n", "550 5.7.1" },
		{ "Sender: alice@example.test\r\nSender: alice@example.test\r\n",
			"550 5.6.0 There is more than one" },
		{ "From: alice@example.test\r\nSender:\r\n", NO_LIST },
		{ "From: alice@example.test\r\nResent-From: bob@example.test\r\n", "550 5.7.1" },
		{ "From: alice@example.test\r\nResent-Sender: bob@example.test\r\n", "550 5.7.1" },
		{ "From: alice@example.test\r\nResent-From: alice@example.test\r\n"
		  "resent-from : alice@example.test, bob@example.test\r\n",
			"550 5.7.1" },
		{ "From: bob@example.test\r\n", "550 5.7.1" },
		{ "From: alice@example.test, bob@example.test\r\n", "550 5.7.1" },
		{ "From: <bob@example.test> alice@example.test\r\n", NO_LIST },
		{ "From: alice@example.test <boss@other.test>\r\n", NO_LIST },
		{ "From: alice@example.test\r\nFrom: boss@other.test\r\n",
			"550 5.6.0 There is more than one" },
		{ "From: alice@example.test\r\nfrom : boss@other.test\r\n", "550 5.6.0" },
		{ "From:\r\n", NO_LIST },
		{ "From: nobody\r\n", NO_DOMAIN },
		{ "From: alice\r\n", NO_DOMAIN },
		{ "From: root (Cron Daemon)\r\n", NO_DOMAIN },
		{ "From: <alice>\r\n", NO_DOMAIN },
		{ "From: Last, First <alice@example.test>\r\n", NO_DOMAIN },
		{ "From: alice@example.test\r\njunk\r\nFrom: boss@other.test\r\n",
			"550 5.6.0 A line of the header is no field" },
		{ "From: undisclosed: ;\r\n", NO_LIST },
		{ "From: (alice@example.test) boss@other.test\r\n", "550 5.7.1" },
	};
	start(true);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char message[512];
		size_t copies = f.copies;
		snprintf(message, sizeof(message), "%s\r\ntext\r\n", cases[i].header);
		send_message("alice@example.test", "bob@example.test", message);
		bool accepted = strncmp(cases[i].reply, "250", 3) == 0;
		if (!said(cases[i].reply))
			fail_msg("%s", cases[i].header);
		assert_int_equal(f.copies, copies + accepted);
		assert_false(f.upload.open);
	}
}

#define TOO_LONG "550 5.6.0 From, Sender or Resent-From is too long"

static void many_from_addresses(void **state)
{
	(void)state;
	start(true);
	for (size_t n = LIMIT_FROM_ADDRESSES - 1; n <= LIMIT_FROM_ADDRESSES + 1; n++) {
		char message[4096] = "From: alice@example.test";
		for (size_t i = 1; i < n; i++)
			snprintf(message + strlen(message), 64, ",\r\n alice+%zu@example.test", i);
		snprintf(message + strlen(message), 8, "\r\n\r\n");
		send_message("", "bob@example.test", message);
		assert_true(said(n > LIMIT_FROM_ADDRESSES ? TOO_LONG : "250"));
	}
	/* a field that is too long to keep */
	static char message[2 * LIMIT_FROM_BYTES];
	for (int over = -1; over <= 1; over++) {
		struct buf b;
		buf_init(&b, sizeof(message));
		buf_addz(&b, "From: alice@example.test (");
		while (b.n < (size_t)(LIMIT_FROM_BYTES + over) - 3)
			buf_addz(&b, "x");
		buf_addz(&b, ")\r\n\r\n");
		send_message("", "bob@example.test", b.p);
		assert_true(said(over > 0 ? TOO_LONG : "250"));
		buf_done(&b);
	}
}

/* On port 25 From is nobody's business, and a message without any is delivered. */
static void strangers_headers(void **state)
{
	(void)state;
	start(false);
	send_message("x@other.test", "alice@example.test",
		"From: boss@example.test\r\njunk\r\nFrom: b\r\n\r\n");
	assert_true(said("250 2.0.0"));
	assert_str(buf_str(vec_at(&f.stored, 0)),
		STR("From: boss@example.test\r\njunk\r\nFrom: b\r\n\r\n"));
	send_message("", "alice@example.test", "");
	assert_true(said("250 2.0.0"));
	assert_int_equal(((struct buf *)vec_at(&f.stored, 1))->n, 0);
	/* What would continue our Received field is the body. RFC 5322 2.2 */
	send_message("x@other.test", "alice@example.test",
		" (forged) Sun, 1 Jan 2000 00:00:00 +0000\r\nSubject: hi\r\n\r\nx\r\n");
	assert_true(said("250 2.0.0"));
	assert_str(buf_str(vec_at(&f.stored, 2)),
		STR("\r\n (forged) Sun, 1 Jan 2000 00:00:00 +0000\r\nSubject: hi\r\n\r\nx\r\n"));
	send_message("x@other.test", "alice@example.test", "\tx: y\r\n");
	assert_true(said("250 2.0.0"));
	assert_str(buf_str(vec_at(&f.stored, 3)), STR("\r\n\tx: y\r\n"));
}

/* A loop: N-1, N, N+1 hops. Only the header's count. */
static void hops(void **state)
{
	(void)state;
	for (int n = LIMIT_RECEIVED_FIELDS - 1; n <= LIMIT_RECEIVED_FIELDS + 1; n++) {
		struct buf b;
		buf_init(&b, 100000);
		for (int i = 0; i < n; i++)
			buf_addz(&b, "Received: by x;\r\n y\r\n");
		buf_addz(&b, "\r\n");
		for (int i = 0; i < 100; i++)
			buf_addz(&b, "Received: by x\r\n");
		start(false);
		send_message("x@other.test", "alice@example.test", b.p);
		assert_true(said(n > LIMIT_RECEIVED_FIELDS ? "554 5.4.6" : "250"));
		buf_done(&b);
	}
}

/* Date and Message-ID of our own are what mail/ and base/time.h make. */
static void added_fields(void **state)
{
	(void)state;
	start(true);
	send_message("alice@example.test", "bob@example.test", "Subject: x\r\n\r\ny\r\n");
	struct str body = buf_str(vec_at(&f.stored, 0));
	assert_true(str_search(body, STR("Date: Sat, 21 Nov 2026 ")) < body.n ||
		    str_search(body, STR("Date: ")) < body.n);
	assert_true(str_search(body, STR("Message-ID: <")) < body.n);
	assert_true(str_search(body, STR("@mx.example.test>\r\n\r\ny\r\n")) < body.n);
}

/* One prefix a copy: each recipient sees its own address alone. */
static void lines_in_front(void **state)
{
	(void)state;
	start(false);
	send_message("Sender@other.test", "team@example.test", "x\r\n");
	struct str lines = buf_str(&f.upload.prefixes);
	assert_true(str_starts(lines, STR("1:Return-Path: <Sender@other.test>\r\n"
					  "Delivered-To: alice@example.test\r\n"
					  "Received: from client.example (")));
	static const char *const parts[] = { "[192.0.2.1]", "by mx.example.test", "with ESMTP",
		"for <team@example.test>",
		"2:Return-Path: <Sender@other.test>\r\n"
		"Delivered-To: bob@example.test\r\n" };
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (str_search(lines, str_from(parts[i])) == lines.n)
			fail_msg("%s is not in %" STR_FMT, parts[i], STR_ARG(lines));

	send_message("", "alice@example.test", "x\r\n");
	assert_true(str_starts(buf_str(&f.upload.prefixes), STR("1:Return-Path: <>\r\n")));

	/* RFC 5321 4.5.1: the one address without a domain has its lines too. */
	send_message("", "Postmaster", "x\r\n");
	lines = buf_str(&f.upload.prefixes);
	assert_true(str_starts(lines, STR("1:Return-Path: <>\r\n")));
	assert_true(str_search(lines, STR("for <alice@example.test>")) < lines.n);
}

/* Devices have names that are none: they may submit (port 25 is strict), and Received stays one. */
static void devices_names(void **state)
{
	(void)state;
	static const struct {
		const char *name, *received; /* NULL: refused */
	} cases[] = {
		{ "printer", "from printer ([192.0.2.1])\r\n\tby" },
		{ "(none)", "(helo ?none?)\r\n\tby" },
		{ "Scanner 2. OG", "(helo Scanner 2. OG)\r\n\tby" },
		{ "HP_LASER_1", "(helo HP_LASER_1)\r\n\tby" },
		{ "b\xc3\xbcro\xff", "(helo b??ro?)\r\n\tby" },
		{ "a) by b (", "(helo a? by b ?)\r\n\tby" },
		{ "host.", "(helo host.)\r\n\tby" },
		{ "a\\", "(helo a?)\r\n\tby" },
		{ "", NULL },
		{ "a\tb", NULL },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char line[64];
		fake_done(&f);
		fake_init(&f, "submissions", true);
		fake_open(&f);
		snprintf(line, sizeof(line), "EHLO %s\r\n", cases[i].name);
		input(line);
		if (cases[i].received == NULL) {
			assert_true(said("50"));
			continue;
		}
		input("AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdABzZWNyZXQ=\r\n");
		send_message("", "bob@example.test", "x\r\n");
		struct str lines = buf_str(&f.upload.prefixes);
		if (str_search(lines, str_from(cases[i].received)) == lines.n)
			fail_msg("%s is not in %" STR_FMT, cases[i].received, STR_ARG(lines));
	}
	fake_done(&f);
}

/* RFC 3848, RFC 6531 4.3 */
static void protocol_names(void **state)
{
	(void)state;
	static const struct {
		const char *service;
		bool tls, helo, utf8;
		const char *with;
	} cases[] = {
		{ "smtp", false, true, false, "with SMTP" },
		{ "smtp", false, false, false, "with ESMTP" },
		{ "smtp", true, false, false, "with ESMTPS" },
		{ "smtp", true, false, true, "with UTF8SMTPS" },
		{ "smtp", false, false, true, "with UTF8SMTP" },
		{ "submissions", true, false, false, "with ESMTPSA" },
		{ "submissions", true, false, true, "with UTF8SMTPSA" },
		{ "submission", false, false, false, "with ESMTPA" },
		{ "submission", false, false, true, "with UTF8SMTPA" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		fake_done(&f);
		fake_init(&f, cases[i].service, cases[i].tls);
		f.peer.loopback = f.settings.plaintext_auth_loopback = true;
		fake_open(&f);
		input(cases[i].helo ? "HELO x\r\n" : "EHLO x\r\n");
		if (strcmp(cases[i].service, "smtp") != 0)
			input("AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdABzZWNyZXQ=\r\n");
		input(cases[i].utf8 ? "MAIL FROM:<> SMTPUTF8\r\n" : "MAIL FROM:<>\r\n");
		input("RCPT TO:<bob@example.test>\r\n");
		input("DATA\r\n");
		input("x\r\n.\r\n");
		struct str lines = buf_str(&f.upload.prefixes);
		size_t at = str_search(lines, str_from(cases[i].with));
		if (at == lines.n || abnf_is_alnum(lines.p[at + strlen(cases[i].with)]))
			fail_msg("%s is not in %" STR_FMT, cases[i].with, STR_ARG(lines));
		bool tls = str_search(lines, STR("\r\n\ttls TLS_AES_256_GCM_SHA384 (TLSv1.3); ")) <
			   lines.n;
		assert_int_equal(tls, cases[i].tls);
	}
	fake_done(&f);
}

TEST_MAIN(test_case(submitted_headers), test_case(received_headers), test_case(who_may_write_from),
	test_case(many_from_addresses), test_case(strangers_headers), test_case(hops),
	test_case(added_fields), test_case(lines_in_front), test_case(devices_names),
	test_case(protocol_names))
