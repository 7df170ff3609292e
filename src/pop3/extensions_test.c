// SPDX-License-Identifier: Apache-2.0
/* What RFC 2449, 3206 and 6856 add to POP3: what CAPA says when, response codes, UTF8, LANG. */
#include "pop3/scene.h"

/* "Grüße" in the header, as a message of RFC 6532 has it. */
static const struct fake_message greeting[] = {
	{ STR_INIT("Subject: Gr\xc3\xbc\xc3\x9f"
		   "e\r\n\r\nx\r\n"),
		3, 0, false },
};

/* Whether CAPA has the line. */
static bool announces(struct fake_host *f, const char *capability)
{
	char line[100];
	snprintf(line, sizeof(line), "\r\n%s\r\n", capability);
	buf_clear(&f->out);
	fake_say(f, STR("CAPA\r\n"));
	assert_true(str_ends_nocase(buf_str(&f->out), STR("\r\n.\r\n")));
	return str_search(buf_str(&f->out), str_from(line)) < f->out.n;
}

static const char *const always[] = { "TOP", "UIDL", "PIPELINING", "RESP-CODES", "AUTH-RESP-CODE",
	"USER", "UTF8 USER", "LANG", "IMPLEMENTATION Culver" };

/* RFC 2449 6: the same before and after the login, but for what is the account's own. */
static void capa_is_exact(void **state)
{
	static const struct {
		uint8_t retention;
		uint32_t days;
		const char *expire;
	} cases[] = { { RETAIN_CLIENT, 0, "EXPIRE NEVER" }, { RETAIN_KEEP, 0, "EXPIRE NEVER" },
		{ RETAIN_DELETE, 0, "EXPIRE 0" }, { RETAIN_EXPIRE, 1, "EXPIRE 1" },
		{ RETAIN_EXPIRE, 36500, "EXPIRE 36500" } };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fake_host *f = host(greeting, 1);
		f->retention = cases[i].retention;
		f->expire_days = cases[i].days;
		f->settings.pop3_login_delay_s = i == 0 ? 0 : 900;
		fake_open(f);
		for (int logged_in = 0; logged_in < 2; logged_in++) {
			for (size_t k = 0; k < ARRAY_LEN(always); k++)
				assert_true(announces(f, always[k]));
			assert_int_equal(announces(f, "LOGIN-DELAY 900"), i != 0);
			assert_int_equal(announces(f, "EXPIRE 0 USER"), !logged_in);
			assert_int_equal(announces(f, cases[i].expire), logged_in);
			fake_say(f, STR("USER alice\r\nPASS secret\r\n"));
		}
		close_host(f);
	}
}

/* RFC 2449 8.1.1, 8.1.2; RFC 3206 4, 5: the code is for programs, and says whose fault it is. */
static void refusals_have_codes(void **state)
{
	static const struct {
		enum err_kind kind;
		const char *hears;
	} cases[] = { { ERR_IN_USE, "-ERR [IN-USE] " }, { ERR_NOT_NOW, "-ERR [LOGIN-DELAY] " },
		{ ERR_TEMP, "-ERR [SYS/TEMP] " }, { ERR_EXPIRED, "-ERR [SYS/TEMP] " },
		{ ERR_DENIED, "-ERR [AUTH] " }, { ERR_CORRUPT, "-ERR [SYS/PERM] " },
		{ ERR_LIMIT, "-ERR [SYS/TEMP] " } };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fake_host *f = host(greeting, 1);
		fake_open(f);
		fake_say(f, STR("USER alice\r\n"));
		f->locked = cases[i].kind;
		buf_clear(&f->out);
		fake_say(f, STR("PASS secret\r\n"));
		assert_true(str_starts(buf_str(&f->out), str_from(cases[i].hears)));
		assert_false(f->session->authenticated);
		/* and who comes again when it is over is let in */
		f->locked = ERR_NONE;
		fake_say(f, STR("USER alice\r\nPASS secret\r\n"));
		assert_true(f->session->authenticated);
		close_host(f);
	}
}

/* RFC 6856 2: before the login; no STLS after it. What is stored is what is given; without it, a
 * surrogate: "character strings outside the ASCII repertoire MUST NOT be sent to the client". */
static void utf8_mode(void **state)
{
	static const char retr[] = "+OK 23 octets\r\nSubject: Gr\xc3\xbc\xc3\x9f"
				   "e\r\n\r\nx\r\n.\r\n";
	(void)state;
	struct fake_host *f = host(greeting, 1);
	f->peer.tls = false;
	f->peer.loopback = true;
	f->settings.plaintext_auth_loopback = f->settings.pop3_surrogates = true;
	fake_open(f);
	expect(f, "UTF8 x\r\n", "-ERR UTF8 has other arguments\r\n");
	expect(f, "UTF8\r\n", "+OK UTF8 mode is on\r\n");
	expect(f, "UTF8\r\n", "+OK UTF8 mode is on\r\n");
	expect(f, "STLS\r\n", "-ERR STLS comes before UTF8\r\n");
	fake_say(f, STR("USER alice\r\nPASS secret\r\n"));
	expect(f, "UTF8\r\n", "-ERR already logged in\r\n");
	expect(f, "LIST 1\r\n", "+OK 1 23\r\n");
	expect(f, "RETR 1\r\n", retr);
	close_host(f);
	f = host(greeting, 1);
	log_in(f);
	expect(f, "RETR 1\r\n", retr); /* so it is configured */
	close_host(f);
	f = host(greeting, 1);
	f->settings.pop3_surrogates = true;
	log_in(f);
	expect(f, "LIST 1\r\n", "+OK 1 23\r\n");
	expect(f, "RETR 1\r\n",
		"+OK 23 octets\r\nSubject: =?utf-8?B?R3LDvMOfZQ==?=\r\n\r\nx\r\n.\r\n");
	expect(f, "TOP 1 0\r\n",
		"+OK top of message follows\r\nSubject: =?utf-8?B?R3LDvMOfZQ==?=\r\n\r\n.\r\n");
	close_host(f);
}

/* TOP counts the lines of the surrogate (RFC 6858 4); a message of many pieces is one; what is held
 * at its end is given; a body stays as it is. */
static void surrogates(void **state)
{
	static char body[200001];
	struct buf m, retr;
	(void)state;
	buf_init(&m, 300000);
	buf_init(&retr, 300000);
	memset(body, 'x', sizeof(body) - 1);
	for (size_t i = 0; i + 2 < sizeof(body); i += 80)
		memcpy(body + i, "\xc3\xbc\r\n", 4);
	buf_addf(&m, "Content-Type: multipart/mixed; boundary=b\r\n\r\n%s\r\n", body);
	buf_addz(&retr, "+OK 200100 octets\r\n");
	buf_adds(&retr, buf_str(&m));
	buf_addz(&m, "--b\r\nContent-Description: \xc3\xbc\r\n\r\n.\xc3\xbc\r\n--b\r\nSubject: "
		     "\xc3\xbc");
	buf_addz(&retr, "--b\r\nContent-Description: =?utf-8?B?w7w=?=\r\n\r\n..\xc3\xbc\r\n--b\r\n"
			"Subject: =?utf-8?B?w7w=?=\r\n.\r\n");
	const struct fake_message all[] = { { buf_str(&m), 1, 0, false },
		{ STR("Subject: \xc3\xbc\r\nTo: \xc3\xbc <a@b>,\r\n c@d\r\n\r\n1\r\n2\r\n3\r\n"), 2,
			0, false } };
	struct fake_host *f = host(all, 2);
	f->settings.pop3_surrogates = true;
	log_in(f);
	expect(f, "RETR 1\r\n", retr.p);
	static const char *const tops[] = { "", "1\r\n", "1\r\n2\r\n", "1\r\n2\r\n3\r\n" };
	for (size_t i = 0; i < ARRAY_LEN(tops); i++) {
		buf_clear(&retr);
		buf_addf(&retr,
			"+OK top of message follows\r\nSubject: =?utf-8?B?w7w=?=\r\nTo: "
			"=?utf-8?B?w7w=?= <a@b>,\r\n c@d\r\n\r\n%s.\r\n",
			tops[i]);
		char say[20];
		snprintf(say, sizeof(say), "TOP 2 %zu\r\n", i);
		expect(f, say, retr.p);
	}
	close_host(f);
	buf_done(&m);
	buf_done(&retr);
}

/* RFC 6856 2.2: names and passwords in UTF-8, and in nothing that looks like it. */
static void utf8_names(void **state)
{
	static const char *const bad[] = { "\xff", "\xc3", "a\xc0\xaf", "\xed\xa0\x80",
		"\xf4\x90\x80\x80" };
	char line[64];
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct fake_host *f = host(greeting, 1);
		fake_open(f);
		snprintf(line, sizeof(line), "USER %s\r\n", bad[i]);
		expect(f, line, "-ERR that is no user name\r\n");
		expect(f, "USER j\xc3\xbcrgen\r\n", "+OK name is taken\r\n");
		snprintf(line, sizeof(line), "PASS %s\r\n", bad[i]);
		expect(f, line, "");
		assert_int_equal(f->logins, 0); /* nobody was asked, and it costs a while */
		f->clock.monotonic_ms = f->session->deadline_ms;
		f->session->class->timeout(f->session);
		fake_run(f);
		assert_str(buf_str(&f->out), STR("-ERR [AUTH] wrong name or password\r\n"));
		close_host(f);
	}
}

/* RFC 6856 3 */
static void languages(void **state)
{
	(void)state;
	struct fake_host *f = host(greeting, 1);
	fake_open(f);
	for (int logged_in = 0; logged_in < 2; logged_in++) {
		expect(f, "LANG\r\n", "+OK language listing follows\r\nen English\r\n.\r\n");
		expect(f, "LANG MUL\r\n", "-ERR no such language here\r\n");
		expect(f, "LANG en\r\n", "+OK en language is English\r\n");
		expect(f, "lang EN\r\n", "+OK en language is English\r\n");
		expect(f, "LANG *\r\n", "+OK en language is English\r\n");
		expect(f, "LANG e\r\n", "-ERR no such language here\r\n");
		expect(f, "LANG en-US\r\n", "-ERR no such language here\r\n");
		expect(f, "LANG en-\r\n", "-ERR no such language here\r\n");
		expect(f, "LANG \xff\r\n", "-ERR no such language here\r\n");
		expect(f, "LANG en de\r\n", "-ERR LANG has other arguments\r\n");
		fake_say(f, STR("USER alice\r\nPASS secret\r\n"));
	}
	close_host(f);
}

/* APOP's timestamp ends with our name, of which as much is there as fits. RFC 1939 7 */
static void timestamps_fit_their_frame(void **state)
{
	char name[LIMIT_POP3_TIMESTAMP_BYTES + 1], *was;
	size_t shortest = 0; /* with a name of no letters */
	(void)state;
	for (int over = -2; over <= 1; over++) {
		struct fake_host *f = host(greeting, 1);
		size_t n = over == -2 ? 0 : (size_t)(LIMIT_POP3_TIMESTAMP_BYTES + over) - shortest;
		memset(name, 'm', n);
		name[n] = '\0';
		f->hostname = name;
		f->settings.legacy_services = SERVICE_POP3;
		fake_open(f);
		size_t begin = str_find(buf_str(&f->out), '<');
		size_t end = str_find(buf_str(&f->out), '>') + 1;
		assert_in_range(end, begin + 1, f->out.n);
		if (over == -2)
			shortest = end - begin;
		else
			assert_int_equal(
				end - begin, LIMIT_POP3_TIMESTAMP_BYTES + (over < 0 ? -1 : 0));
		was = f->out.p + begin;
		assert_int_equal(str_find(str_make(was, end - begin), '@'), shortest - 2);
		close_host(f);
	}
}

TEST_MAIN(test_case(timestamps_fit_their_frame), test_case(capa_is_exact),
	test_case(refusals_have_codes), test_case(utf8_mode), test_case(surrogates),
	test_case(utf8_names), test_case(languages))
