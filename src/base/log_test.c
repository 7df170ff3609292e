// SPDX-License-Identifier: Apache-2.0
/* Log lines: one line each, cut well, and JSON that a JSON parser takes. */
#include "base/buf.h"
#include "base/log.h"
#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct kept {
	struct log_sink sink;
	struct buf text;
	int lines;
};

static void keep(struct log_sink *sink, struct str line)
{
	struct kept *k = CONTAINER_OF(sink, struct kept, sink);
	buf_clear(&k->text);
	buf_adds(&k->text, line);
	k->lines++;
}

static int64_t a_moment(struct log_sink *sink)
{
	(void)sink;
	return 1795299813123;
}

static void kept_init(struct kept *k, bool json)
{
	*k = (struct kept){ .sink = { .write = keep, .level = LOG_INFO, .json = json } };
	buf_init(&k->text, 1 << 20);
}

static void a_line_an_event(void **state)
{
	(void)state;
	struct kept k;
	struct log role, session;
	struct log_text text;
	kept_init(&k, false);
	log_init(&role, &k.sink, "role=%s", "front-mx");
	log_child(&session, &role, "session=%d", 91);
	log_event(&session, LOG_INFO, "smtp-rcpt", "rcpt=%s answer=%d",
		log_value(&text, STR("a b@x")), 250);
	assert_str(buf_str(&k.text), STR("level=info role=front-mx session=91 event=smtp-rcpt "
					 "rcpt=\"a b@x\" answer=250\n"));
	log_add(&session, "msg=%s", "7Q2K");
	k.sink.now_ms = a_moment;
	k.sink.json = true;
	log_event(&session, LOG_WARN, "end", "%s", "");
	assert_str(buf_str(&k.text),
		STR("{\"t\":\"2026-11-21T22:23:33.123Z\",\"level\":\"warn\",\"role\":\"front-mx\","
		    "\"session\":\"91\",\"msg\":\"7Q2K\",\"event\":\"end\"}\n"));
	log_event(&session, LOG_DEBUG, "fine", "x=%d", 1);
	assert_int_equal(k.lines, 2);
	struct log silent;
	log_init(&silent, NULL, "role=%s", "none");
	log_event(&silent, LOG_ERROR, "nothing", "x=%d", 1);
	assert_int_equal(k.lines, 2);
	buf_done(&k.text);
}

static void values(void **state)
{
	(void)state;
	static const struct {
		struct str value;
		const char *text;
	} cases[] = {
		{ STR_INIT("plain-1.x_y:/@+<>[],*$~%"), "plain-1.x_y:/@+<>[],*$~%" },
		{ STR_INIT(""), "\"\"" },
		{ STR_INIT("a b"), "\"a b\"" },
		{ STR_INIT("a=b"), "\"a=b\"" },
		{ STR_INIT("\0"), "\"\\x00\"" },
		{ STR_INIT("a\r\nlevel=error"), "\"a\\x0d\\x0alevel=error\"" },
		{ STR_INIT("say \"hi\\\""), "\"say \\x22hi\\x5c\\x22\"" },
		{ STR_INIT("gr\xc3\xbc\xc3\x9f"), "\"gr\xc3\xbc\xc3\x9f\"" },
		{ STR_INIT("\xc3\xbc\xff\xc3"), "\"\xc3\xbc\\xff\\xc3\"" },
		{ STR_INIT("\x7f\x1b[31m"), "\"\\x7f\\x1b[31m\"" },
		/* NEL, line separator, right-to-left override, isolate; the euro stays */
		{ STR_INIT("\xc2\x85\xe2\x80\xa8\xe2\x80\xae\xe2\x81\xa7\xe2\x82\xac"),
			"\"\\xc2\\x85\\xe2\\x80\\xa8\\xe2\\x80\\xae\\xe2\\x81\\xa7\xe2\x82\xac\"" },
	};
	struct log_text text;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(log_value(&text, cases[i].value), cases[i].text);
}

static void long_values_are_cut_between_characters(void **state)
{
	(void)state;
	static const struct str units[] = { STR_INIT("a"), STR_INIT("\x01"),
		STR_INIT("\xe2\x82\xac"), STR_INIT("\xf0\x9f\x95\x8a"), STR_INIT("\xff"),
		STR_INIT("\xe2\x80\xa8"), STR_INIT("\"") };
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		for (size_t offset = 0; offset < 8; offset++) {
			struct buf b;
			struct log_text text;
			buf_init(&b, 10000);
			buf_add(&b, "        ", offset);
			for (int n = 0; n < 1000; n++)
				buf_adds(&b, units[i]);
			struct str s = str_from(log_value(&text, buf_str(&b)));
			bool quoted = offset || i;
			assert_true(s.n >= 380 && s.n < sizeof(text.text));
			assert_true(str_is_utf8(s));
			assert_int_equal(s.p[s.n - 1], quoted ? '"' : 'a');
			buf_done(&b);
		}
}

static size_t count(struct str s, char c)
{
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == c;
	return n;
}

/* Lines of every length around the limit, whose last value is quoted, escaped, multi-byte. */
static void long_lines_are_cut_well(void **state)
{
	(void)state;
	struct kept k;
	struct log log;
	char filler[LOG_LINE_BYTES + 64];
	memset(filler, 'f', sizeof(filler));
	kept_init(&k, false);
	log_init(&log, &k.sink, "role=x");
	for (int n = LOG_LINE_BYTES - 120; n < LOG_LINE_BYTES + 50; n++) {
		log_event(
			&log, LOG_INFO, "e", "f=%.*s v=\"\\x41 \xe2\x82\xac\\x42\" w=1", n, filler);
		struct str line = buf_str(&k.text);
		size_t whole = strlen("level=info role=x event=e f= v=\"\\x41 EEE\\x42\" w=1\n") +
			       (size_t)n;
		bool cut = whole > LOG_LINE_BYTES - strlen(" cut=1");
		assert_true(line.n <= LOG_LINE_BYTES);
		assert_int_equal(line.p[line.n - 1], '\n');
		assert_int_equal(count(line, '\n'), 1);
		assert_int_equal(count(line, '"') % 2, 0);
		assert_true(str_is_utf8(line));
		assert_int_equal(str_ends_nocase(line, STR(" cut=1\n")), cut);
		if (!cut)
			assert_int_equal(line.n, whole);
		else
			assert_true(line.n > LOG_LINE_BYTES - 12);
	}
	buf_done(&k.text);
}

static void prefixes_are_cut_well(void **state)
{
	(void)state;
	struct kept k;
	struct log log;
	struct log_text text;
	char helo[300];
	kept_init(&k, false);
	for (int n = 0; n < 250; n++) {
		memset(helo, 'h', sizeof(helo));
		memcpy(helo + n, " \"\xe2\x82\xac", 5);
		log_init(&log, &k.sink, "helo=%s", log_value(&text, str_make(helo, (size_t)n + 5)));
		log_add(&log, "msg=%d", 1);
		log_event(&log, LOG_INFO, "e", "x=1%s", "");
		struct str line = buf_str(&k.text);
		assert_true(strlen(log.prefix) < LOG_PREFIX_BYTES);
		assert_int_equal(count(line, '"') % 2, 0);
		assert_true(str_is_utf8(line));
		assert_true(str_ends_nocase(line, STR("event=e x=1\n")));
	}
	buf_done(&k.text);
}

/* A caller who forgets log_value spoils his value, never the line. */
static void misuse_stays_one_line(void **state)
{
	(void)state;
	struct kept k;
	struct log log;
	kept_init(&k, false);
	log_init(&log, &k.sink, "p=%s", "a\nb");
	log_event(&log, LOG_INFO, "e", "x=%s", "a\r\nlevel=error \"open");
	assert_str(buf_str(&k.text), STR("level=info p=a?b event=e x=a??level=error \"open\"\n"));
	buf_clear(&k.text);
	log_event(&log, LOG_INFO, "e", "x=%s", "\"open");
	assert_str(buf_str(&k.text), STR("level=info p=a?b event=e x=\"open\"\n"));
	buf_done(&k.text);
}

/* Python's parser reads what every kind of event becomes, and finds the fields again. */
static void json_is_json(void **state)
{
	(void)state;
	struct kept k;
	struct log log;
	static const char *const texts[] = { "", "x=1", "x=\"a b\" y=2", "x=", "=", "==", "x",
		"x y z=1", "x=a\"b", "\"", "x=\"open", "x=\"a\"b", "x=\\", "x=\"\\x41\"",
		"  x=1  y=2  ", "x=\xff\xfe", "\xff=1", "x=\xe2\x82", "x=\"\xe2\x82\xac\"",
		"x=\x01\t", "x={\"y\":1}", "x=\xed\xa0\x80", "x=</script>" };
	FILE *f = tmpfile();
	assert_non_null(f);
	kept_init(&k, true);
	log_init(&log, &k.sink, "role=x");
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		log_event(&log, LOG_INFO, "e", "%s", texts[i]);
		fwrite(k.text.p, 1, k.text.n, f);
	}
	/* The worst growth: a line of nothing but bytes that JSON writes as six. */
	char worst[2 * LOG_LINE_BYTES] = "x=";
	memset(worst + 2, '\xff', sizeof(worst) - 3);
	log_event(&log, LOG_INFO, "e", "%s", worst);
	fwrite(k.text.p, 1, k.text.n, f);
	for (size_t i = 0; i + 2 < sizeof(worst); i += 2)
		memcpy(worst + i, "= ", 2);
	log_event(&log, LOG_INFO, "e", "%s", worst);
	fwrite(k.text.p, 1, k.text.n, f);
	fflush(f);
	char command[256];
	snprintf(command, sizeof(command), "/proc/%d/fd/%d", (int)getpid(), fileno(f));
	assert_int_equal(setenv("CULVER_LINES", command, 1), 0);
	pid_t pid = fork();
	if (pid == 0) {
		execl("/usr/bin/python3", "python3", "-c",
			"import json, os\n"
			"lines = open(os.environ['CULVER_LINES'], "
			"'rb').read().decode().split('\\n')\n"
			"events = [json.loads(l) for l in lines[:-1]]\n"
			"assert len(events) == 25, len(events)\n"
			"assert all(e['role'] == 'x' and e['event'] == 'e' for e in events)\n"
			"assert events[2]['x'] == 'a b' and events[2]['y'] == '2', events[2]\n"
			"assert events[13]['x'] == '\\\\x41', events[13]\n"
			"assert events[15]['x'] == '\\\\xff\\\\xfe', events[15]\n",
			(char *)NULL);
		_exit(127);
	}
	int status = -1;
	waitpid(pid, &status, 0);
	fclose(f);
	assert_int_equal(status, 0);
	buf_done(&k.text);
}

TEST_MAIN(test_case(a_line_an_event), test_case(values),
	test_case(long_values_are_cut_between_characters), test_case(long_lines_are_cut_well),
	test_case(prefixes_are_cut_well), test_case(misuse_stays_one_line), test_case(json_is_json))
