// SPDX-License-Identifier: Apache-2.0
/* X2: an SMTP session at each of its allocations, the libraries' too. It ends, or goes on as if
 * nothing had been; what it has said until then is what it says otherwise; a message was accepted
 * only if it was stored. */
#include "base/no_memory.h"
#include "mail/charset.h"
#include "smtp/fake_host.h"

static const char *const mx[] = { "EHLO client.example\r\n", "MAIL FROM:<a@b.example> SIZE=500\r\n",
	"RCPT TO:<alice@example.test>\r\n", "RCPT TO:<nobody@example.test>\r\n",
	"RCPT TO:<bob@EXAMPLE.test>\r\n", "DATA\r\n",
	"From: =?iso-8859-2?q?J=E1n?= <a@b.example>\r\nSubject: =?utf-8?b?w6TDtsO8?=\r\n"
	"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\none\r\n"
	"--x\r\nContent-Type: text/plain; charset=windows-1252\r\n"
	"Content-Transfer-Encoding: base64\r\n\r\ngIGC\r\n--x--\r\n.\r\n",
	"MAIL FROM:<\xc3\xa5sa@\xc3\xbc.example> SMTPUTF8 BODY=8BITMIME\r\n",
	"RCPT TO:<\xc3\xa5sa@example.test>\r\n", "BDAT 11 LAST\r\nSubject: x\n", "RSET\r\n",
	"VRFY alice\r\n", "QUIT\r\n", NULL };
static const char *const submission[] = { "EHLO client.example\r\n",
	"AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdABzZWNyZXQ=\r\n", "MAIL FROM:<alice@example.test>\r\n",
	"RCPT TO:<bob@example.test>\r\n", "DATA\r\n",
	"From: Alice <alice@example.test>, sales@example.test\r\nBcc: "
	"x@y.example\r\n\r\nhi\r\n.\r\n",
	"MAIL FROM:<bob@example.test>\r\n", "QUIT\r\n", NULL };

struct course {
	const char *service;
	const char *const *lines;
};

static void dialogue(void *arg)
{
	const struct course *c = arg;
	struct fake_host f;
	fake_init(&f, c->service, true);
	assert_int_equal(mail_charsets_preload(), 0); /* as a front at its start */
	no_memory_from_here();
	fake_open(&f);
	for (size_t i = 0; c->lines[i]; i++) {
		fake_input(&f, str_from(c->lines[i]));
		no_memory_note(buf_str(&f.out));
	}
	no_memory_until_here();
	size_t accepted = 0;
	for (struct str rest = buf_str(&f.out); rest.n;)
		accepted += str_starts(str_split(&rest, '\n'), STR("250 2.0.0 Accepted"));
	assert_int_equal(accepted, f.stored.n);
	fake_done(&f);
}

static void x2_each_allocation_of_a_session(void **state)
{
	static struct course courses[] = { { "smtp", mx }, { "submissions", submission } };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(courses); i++)
		NO_MEMORY_EACH(run, courses[i].service, dialogue, &courses[i])
	no_memory_said_the_same(&run);
}

TEST_MAIN(test_case(x2_each_allocation_of_a_session))
