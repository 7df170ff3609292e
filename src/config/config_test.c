// SPDX-License-Identifier: Apache-2.0
#include "config/config.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Writes text to a file of its own and loads it. */
static struct config *load_text(const char *text, struct err *err)
{
	char path[] = "/tmp/culver-config-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	struct config *c = config_load(path, err);
	unlink(path);
	return c;
}

static void values_are_read(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	struct config *c = load_text(
		"# a comment\nhostname = \"mail.example.test\"\nport_offset = 2000\n"
		"loopback = true\nlisten = {\"127.0.0.1\", \"::1\"}\n",
		&err);
	assert_non_null(c);
	assert_string_equal(c->hostname, "mail.example.test");
	assert_int_equal(c->port_offset, 2000);
	assert_true(c->loopback);
	assert_string_equal(c->listen[1], "::1");
	assert_null(c->listen[2]);
	assert_int_equal(c->recipients, 1000);
	assert_string_equal(c->directory, "/tmp");
	config_free(&c);
}

/* RFC 5321 2.3.5: the name as it goes over the wire */
static void the_host_name_is_kept_as_a_labels(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	struct config *c = load_text("hostname = \"Mail.M\xc3\xbcller.test\"\n", &err);
	assert_non_null(c);
	assert_string_equal(c->hostname, "mail.xn--mller-kva.test");
	config_free(&c);
}

static void mistakes_are_named_with_their_line(void **state)
{
	(void)state;
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "hostname = \"a\"\nrecipients = 99\n",
			":2: recipients must be a number from 100" },
		{ "hostname = \"my_host\"\n", ":1: hostname must be a domain name" },
		{ "hostname = \"a b.test\"\n", "hostname must be a domain name" },
		{ "hostname = \"*.test\"\n", "hostname must be a domain name" },
		{ "hostname = \"\"\n", "hostname must be a domain name" },
		{ "hostname = \"192.0.2.1\"\n",
			"hostname must be a domain name and no IP address" },
		{ "hostname = \"2001:db8::1\"\n",
			"hostname must be a domain name and no IP address" },
		{ "hostname = \"[192.0.2.1]\"\n",
			"hostname must be a domain name and no IP address" },
		{ "\nlisten = {\"::1\", \"300.1.1.1\"}\n", ":2: listen: 300.1.1.1 is not an IP" },
		{ "listen = {\"mail.test\"}\n", "listen: mail.test is not an IP" },
		{ "listen = {\"::1\", \"0:0::1\"}\n", "listen: 0:0::1 is there twice" },
		{ "listen = {\"127.0.0.1\", \"127.0.0.1\"}\n", "127.0.0.1 is there twice" },
		{ "listen = {\"0.0.0.0\", \"127.0.0.1\"}\n",
			"listen: 0.0.0.0 is all of IPv4, 127.0.0.1 too" },
		{ "listen = {\"127.0.0.1\", \"::1\", \"::\"}\n",
			"listen: :: is all of IPv6, ::1 too" },
		{ "listen = {}\n", "listen: no address to listen on" },
		{ "listen = {\"::ffff:127.0.0.1\"}\n",
			"listen: ::ffff:127.0.0.1 is an IPv4 address" },
		{ "listen = {\"fe80::1\"}\n", "listen: fe80::1 is good on one link only" },
		{ "recipients = 1001\n", "recipients must be" },
		{ "recipients = 18446744073709551617\n", "recipients must be" },
		{ "nonsense = 1\n", "nonsense" },
		{ "loopback = perhaps\n", "loopback must be true or false" },
		{ "log_format = xml\n", "log_format must be one of logfmt|json" },
		{ "hostname = \"a\n", ":" },
		{ "hostname = a.test\nrecipients = 200\n\nhostname = b.test\n",
			":4: hostname is given twice, first in line 1" },
		{ "/* one\n two */ recipients=200 recipients = 200",
			":2: recipients is given twice, first in line 2" },
		{ "listen = {\"::1\"}\nlog_file = \"a\\\" listen = c\"\nlisten = { \"127.0.0.1\" "
		  "}\n",
			"listen is given twice, first in line 1" },
		{ "directory = \"/nonexistent/x\"\n", "No such file" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = ERR_INIT;
		assert_null(load_text(cases[i].text, &err));
		assert_int_equal(err.kind, ERR_CONFIG);
		if (!strstr(err.public_text, cases[i].expected))
			fail_msg("'%s' for '%s'", err.public_text, cases[i].text);
	}
	struct err err = ERR_INIT;
	assert_null(config_load("/nonexistent/culver.conf", &err));
	assert_non_null(strstr(err.public_text, "quickstart"));
}

/* libconfuse counts a comment as up to three lines. */
static void comments_do_not_shift_lines(void **state)
{
	(void)state;
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "# one\n## two\n# three\nnonsense = 1\n", ":4: no such option 'nonsense'" },
		{ "// one\n# two\nrecipients = 99\n", ":3: recipients must be" },
		{ "/* one\n * two */\n/**/ nonsense = 1\n", ":3: no such option" },
		{ "hostname = a.test # here\nnonsense = 1\n", ":2: no such option" },
		{ "log_file = \"a # b\"\nnonsense = 1\n", ":2: no such option" },
		{ "log_file = 'a // \\' /* b'\nnonsense = 1\n", ":2: no such option" },
		{ "log_file = \"a\n# b\"\nnonsense = 1\n", "log_file must be" },
		{ "# one\nhostname = \"a", "premature end of file" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = ERR_INIT;
		assert_null(load_text(cases[i].text, &err));
		if (!strstr(err.public_text, cases[i].expected))
			fail_msg("'%s' for '%s'", err.public_text, cases[i].text);
	}
}

/* Some editors write one at the beginning of UTF-8. */
static void a_byte_order_mark_is_nothing(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	struct config *c = load_text("\xef\xbb\xbfhostname = \"a.test\"\r\n", &err);
	assert_non_null(c);
	assert_string_equal(c->hostname, "a.test");
	config_free(&c);
	assert_null(load_text("loopback = true\n\xef\xbb\xbfhostname = \"a.test\"\n", &err));
	char path[] = "/tmp/culver-config-XXXXXX";
	static const char marked[] = "\xef\xbb\xbf"
				     "directory = \"/var\"\nnonsense";
	int fd = mkstemp(path);
	assert_int_equal(write(fd, marked, strlen(marked)), (ssize_t)strlen(marked));
	close(fd);
	c = config_load_directory(path);
	assert_string_equal(c->directory, "/var");
	config_free(&c);
	unlink(path);
}

static void what_quotes_hold_is_no_comment(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	struct config *c = load_text("log_file = \"/tmp/a # b\" # not this\nuser = 'c//d'\n"
				     "hostname = /* in between */ a.test\nimap_hide = e//f\n",
		&err);
	if (c == NULL)
		fail_msg("%s", err.public_text);
	assert_string_equal(c->log_file, "/tmp/a # b");
	assert_string_equal(c->user, "c//d");
	assert_string_equal(c->hostname, "a.test");
	assert_string_equal(c->imap_hide, "e//f");
	config_free(&c);
}

/* Not to where the server was started, which a service manager decides. */
static void a_log_file_is_relative_to_the_file(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	struct config *c = load_text("log_file = \"log/culver\"\n", &err);
	assert_non_null(c);
	assert_string_equal(c->log_file, "/tmp/log/culver");
	config_free(&c);
	c = load_text("log_file = stderr\n", &err);
	assert_non_null(c);
	assert_string_equal(c->log_file, "stderr");
	config_free(&c);
}

/* What only looks as if it were given twice. */
static void once_is_once(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	struct config *c = load_text(
		"# recipients = 100\n// recipients = 101\n/* recipients = 102 */"
		"recipients = 200 # recipients = 103\n"
		"log_file = \"recipients = 104\"\n"
		"listen = {\"::1\"}\nlisten += {'127.0.0.1'}\n",
		&err);
	if (c == NULL)
		fail_msg("%s", err.public_text);
	assert_int_equal(c->recipients, 200);
	assert_string_equal(c->listen[1], "127.0.0.1");
	config_free(&c);
}

/* Instead of a file, and too much of one; a reload lives through both. */
static void what_cannot_be_read_is_named(void **state)
{
	char *text = xmalloc(LIMIT_CONFIG_BYTES + 2);
	struct err err = ERR_INIT;
	(void)state;
	assert_null(config_load("/tmp", &err));
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.public_text, "/tmp: Is a directory"));
	for (size_t n = LIMIT_CONFIG_BYTES - 1; n <= LIMIT_CONFIG_BYTES + 1; n++) {
		memset(text, '\n', n);
		text[n] = 0;
		err = (struct err)ERR_INIT;
		struct config *c = load_text(text, &err);
		assert_int_equal(c != NULL, n <= LIMIT_CONFIG_BYTES);
		config_free(&c);
	}
	assert_non_null(strstr(err.public_text, "too long"));
	free(text);
}

static void a_role_gets_its_own_keys(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	struct config *c = config_new(), *d = config_new();
	struct buf out;
	buf_init(&out, 8192);
	c->recipients = 500;
	config_write_for(c, FOR_FRONT, &out);
	assert_null(strstr(out.p, "directory"));
	assert_null(strstr(out.p, "user"));
	assert_int_equal(config_read_lines(d, buf_str(&out), &err), 0);
	assert_int_equal(d->recipients, 500);
	assert_int_equal(config_read_lines(d, STR("recipients 5\n"), &err), -1);
	assert_int_equal(config_read_lines(d, STR("bogus 5\n"), &err), -1);
	buf_done(&out);
	config_free(&c);
	config_free(&d);
}

/* culver.conf(5) and the table cannot disagree. */
static void the_manual_page_is_the_tables(void **state)
{
	(void)state;
	struct buf list, page;
	char chunk[4096];
	buf_init(&list, 65536);
	buf_init(&page, 65536);
	FILE *f = fopen("man/culver.conf.5", "r");
	assert_non_null(f);
	for (size_t n; (n = fread(chunk, 1, sizeof(chunk), f)) > 0;)
		buf_add(&page, chunk, n);
	fclose(f);
	config_print_defaults(&list, CONFIG_MDOC);
	assert_true(str_search(buf_str(&page), buf_str(&list)) < page.n);
	buf_done(&list);
	buf_done(&page);
}

TEST_MAIN(test_case(the_manual_page_is_the_tables), test_case(values_are_read),
	test_case(the_host_name_is_kept_as_a_labels), test_case(mistakes_are_named_with_their_line),
	test_case(comments_do_not_shift_lines), test_case(a_byte_order_mark_is_nothing),
	test_case(what_quotes_hold_is_no_comment), test_case(a_log_file_is_relative_to_the_file),
	test_case(once_is_once), test_case(what_cannot_be_read_is_named),
	test_case(a_role_gets_its_own_keys))
