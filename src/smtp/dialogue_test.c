// SPDX-License-Identifier: Apache-2.0
/*
 * Runs tests/dialogues/smtp/ against a session with a made-up host: each file whole segments at a
 * time, and byte by byte, which must make no difference.
 */
#include "base/test.h"
#include "smtp/fake_host.h"

#include <dirent.h>

static const char folder[] = "tests/dialogues/smtp";

struct dialogue {
	const char *name;
	struct fake_host f;
	struct buf segment; /* C: lines not sent yet */
	size_t said;        /* of f.out that was looked at */
	bool by_byte;
	int line;
};

static void send_segment(struct dialogue *d)
{
	if (d->by_byte)
		for (size_t i = 0; i < d->segment.n; i++)
			fake_input(&d->f, str_make(d->segment.p + i, 1));
	else
		fake_input(&d->f, buf_str(&d->segment));
	buf_clear(&d->segment);
}

static struct str next_line(struct dialogue *d)
{
	struct str rest = str_from_offset(buf_str(&d->f.out), d->said);
	size_t end = str_search(rest, STR("\r\n"));
	if (end == rest.n)
		fail_msg("%s:%d: nothing was said", d->name, d->line);
	d->said += end + 2;
	return str_sub(rest, 0, end);
}

static void expect_line(struct dialogue *d, struct str expected, bool whole_reply)
{
	struct str line = next_line(d);
	while (whole_reply && line.n > 3 && line.p[3] == '-')
		line = next_line(d);
	if (!str_starts(line, expected))
		fail_msg("%s:%d: '%" STR_FMT "' instead of '%" STR_FMT "'", d->name, d->line,
			STR_ARG(line), STR_ARG(expected));
}

static void expect_state(struct dialogue *d, struct str what)
{
	struct scan s = scan_from(what);
	uint64_t n;
	if (str_equal(what, STR("closed"))) {
		assert_int_equal(d->f.session->next, NEXT_CLOSE);
		assert_int_equal(d->said, d->f.out.n);
	} else if (scan_literal_nocase(&s, STR("delivered ")) && scan_number(&s, 1000, &n)) {
		if (d->f.copies != n)
			fail_msg("%s:%d: %zu copies", d->name, d->line, d->f.copies);
	} else {
		fail_msg("%s:%d: what is this?", d->name, d->line);
	}
}

static void comment(struct dialogue *d, struct str text)
{
	struct scan s = scan_from(text);
	if (scan_literal_nocase(&s, STR(" service: ")))
		snprintf(d->f.peer.service, sizeof(d->f.peer.service), "%" STR_FMT,
			STR_ARG(scan_rest(&s)));
	else if (scan_literal_nocase(&s, STR(" tls: yes")))
		d->f.peer.tls = true;
	else if (scan_literal_nocase(&s, STR(" loopback: yes")))
		d->f.peer.loopback = d->f.settings.plaintext_auth_loopback = true;
}

static void do_line(struct dialogue *d, struct str line)
{
	struct scan s = scan_from(line);
	d->line++;
	if (scan_char(&s, '#')) {
		comment(d, scan_rest(&s));
		return;
	}
	if (d->f.session == NULL)
		fake_open(&d->f);
	if (scan_literal_nocase(&s, STR("C: "))) {
		buf_adds(&d->segment, scan_rest(&s));
		buf_addz(&d->segment, "\r\n");
		return;
	}
	send_segment(d);
	if (scan_literal_nocase(&s, STR("S: ")))
		expect_line(d, scan_rest(&s), false);
	else if (scan_literal_nocase(&s, STR("S*: ")))
		expect_line(d, scan_rest(&s), true);
	else if (scan_literal_nocase(&s, STR("X: ")))
		expect_state(d, scan_rest(&s));
	else if (line.n > 0)
		fail_msg("%s:%d: what is this?", d->name, d->line);
}

static void run_file(const char *name, bool by_byte)
{
	char path[512], line[512];
	struct dialogue d = { .name = name, .by_byte = by_byte };
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	fake_init(&d.f, "smtp", false);
	buf_init(&d.segment, 1024 * 1024);
	while (fgets(line, sizeof(line), file))
		do_line(&d, str_chomp(str_from(line)));
	if (d.said != d.f.out.n)
		fail_msg("%s: more was said", name);
	fclose(file);
	buf_done(&d.segment);
	fake_done(&d.f);
}

static void all_dialogues(void **state)
{
	(void)state;
	size_t n = 0;
	DIR *dir = opendir(folder);
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir)) != NULL;)
		if (str_ends_nocase(str_from(e->d_name), STR(".txt"))) {
			run_file(e->d_name, false);
			run_file(e->d_name, true);
			n++;
		}
	closedir(dir);
	assert_true(n >= 13);
}

TEST_MAIN(test_case(all_dialogues))
