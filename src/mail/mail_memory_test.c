// SPDX-License-Identifier: Apache-2.0
/* X2: the parser of messages, and what reads text out of them, at each allocation, ICU's too: it
 * ends, or comes to the same digest and text. */
#include "base/no_memory.h"
#include "mail/address.h"
#include "mail/charset.h"
#include "mail/digest.h"
#include "mail/mime.h"
#include "mail/surrogate.h"

static const char message[] =
	"From: =?iso-2022-jp?b?GyRCRnxLXBsoQg==?= <a@b.example>, Group: x@y.example;\r\n"
	"To: \"q\" <\xc3\xa5@\xc3\xbc.example>\r\nSubject: =?koi8-r?q?=F0=D2=C9?= "
	"=?utf-8?b?w6Q=?=\r\n"
	"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary*0=a; boundary*1=b\r\n\r\n"
	"--ab\r\nContent-Type: text/html; charset=gb18030\r\n"
	"Content-Disposition: attachment; filename*=iso-8859-1''d%E9j%E0\r\n\r\n<p>x\r\n"
	"--ab\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\n"
	"text\r\n--ab--\r\n";

static void parse(void *arg)
{
	struct buf digest;
	(void)arg;
	assert_int_equal(mail_charsets_preload(), 0);
	no_memory_from_here();
	buf_init(&digest, LIMIT_DIGEST_BYTES);
	mail_parse(str_from(message), &digest);
	no_memory_until_here();
	no_memory_note(buf_str(&digest));
	buf_done(&digest);
}

static void normalize(void *arg)
{
	struct buf all;
	(void)arg;
	buf_init(&all, 10000);
	assert_int_equal(mail_charsets_preload(), 0); /* as a front at its start */
	no_memory_from_here();
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = { "\xc3\xa5@\xc3\x9c.example", "A@B.example",
			"x@stra\303\237e.example" };
		struct buf normal;
		buf_init(&normal, LIMIT_ADDRESS_BYTES);
		bool good = mail_address_normalize(str_from(names[i]), &normal);
		buf_addf(&all, "%d %" STR_FMT "\n", good, STR_ARG(buf_str(&normal)));
		buf_done(&normal);
	}
	no_memory_until_here();
	no_memory_note(buf_str(&all));
	buf_done(&all);
}

static void say(void *arg, struct str bytes)
{
	buf_adds(arg, bytes);
}

static void make_surrogate(void *arg)
{
	static const char text[] =
		"From: J\xc3\xbcrgen <j@stra\303\237e.example>, =?utf-8?q?=C3=A4?= <\xc3\xbc@b>\r\n"
		"Subject: =?koi8-r?q?=F0=D2=C9?= \xc3\xbc\r\nMessage-ID: <\xc3\xbc>\r\n"
		"Content-Type: multipart/mixed; boundary=b; name=\xc3\xbc\r\n\r\n"
		"--b\r\nDate: x (\xc3\xbc)\r\n\r\n\xc3\xbc\r\n--b--\r\n";
	struct mail_surrogate s;
	struct buf out;
	(void)arg;
	buf_init(&out, 10000);
	assert_int_equal(mail_charsets_preload(), 0);
	no_memory_from_here();
	mail_surrogate_init(&s, say, &out);
	mail_surrogate_input(&s, str_from(text));
	mail_surrogate_end(&s);
	mail_surrogate_done(&s);
	no_memory_until_here();
	no_memory_note(buf_str(&out));
	buf_done(&out);
}

static void x2_each_allocation_of_a_surrogate(void **state)
{
	(void)state;
	NO_MEMORY_EACH(run, "surrogate", make_surrogate, NULL)
	no_memory_said_the_same(&run);
}

static void x2_each_allocation_of_a_parser(void **state)
{
	(void)state;
	NO_MEMORY_EACH(run, "message", parse, NULL)
	no_memory_said_the_same(&run);
}

static void x2_each_allocation_of_an_address(void **state)
{
	(void)state;
	NO_MEMORY_EACH(run, "address", normalize, NULL)
	no_memory_said_the_same(&run);
}

TEST_MAIN(test_case(x2_each_allocation_of_a_surrogate), test_case(x2_each_allocation_of_a_parser),
	test_case(x2_each_allocation_of_an_address))
