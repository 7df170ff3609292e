// SPDX-License-Identifier: Apache-2.0
/*
 * Runs the dialogues of tests/dialogues/smtp (tests/dialogue.py describes the format, and runs them
 * against a live server) and of src/smtp/dialogues (which need this host's made-up accounts): each
 * whole segments at a time, and byte by byte, which must make no difference. Lines that a client
 * sends one after the other go in one segment. "# delivered N" counts copies.
 */
#include "base/test.h"
#include "smtp/fake_host.h"

#include <dirent.h>

static const char *const folders[] = { "tests/dialogues/smtp", "src/smtp/dialogues" };

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

/* Text with * for anything. */
static bool matches(struct str line, struct str expected)
{
	struct str part = str_split(&expected, '*');
	if (!str_starts(line, part))
		return false;
	line = str_from_offset(line, part.n);
	while (expected.n > 0) {
		part = str_split(&expected, '*');
		size_t at = str_search(line, part);
		if (at == line.n && part.n > 0)
			return false;
		line = str_from_offset(line, at + part.n);
	}
	return true;
}

static void expect_line(struct dialogue *d, struct str expected, bool skip)
{
	struct str line = next_line(d);
	while (skip && !matches(line, expected))
		line = next_line(d);
	if (!matches(line, expected))
		fail_msg("%s:%d: '%" STR_FMT "' instead of '%" STR_FMT "'", d->name, d->line,
			STR_ARG(line), STR_ARG(expected));
}

/* The line with what stands for alice's SASL PLAIN response. */
static void add_line(struct dialogue *d, struct str line)
{
	static const char plain[] = "${plain:alice}";
	size_t at = str_search(line, str_from(plain));
	buf_adds(&d->segment, str_sub(line, 0, at));
	if (at < line.n) {
		buf_addz(&d->segment, "AGFsaWNlQGV4YW1wbGUudGVzdABzZWNyZXQ=");
		buf_adds(&d->segment, str_from_offset(line, at + strlen(plain)));
	}
	buf_addz(&d->segment, "\r\n");
}

static void comment(struct dialogue *d, struct str text)
{
	struct scan s = scan_from(text);
	uint64_t n;
	if (scan_literal_nocase(&s, STR(" tls: yes"))) {
		d->f.peer.tls = true;
	} else if (scan_literal_nocase(&s, STR(" delivered ")) && scan_number(&s, 1000, &n)) {
		send_segment(d);
		if (d->f.copies != n)
			fail_msg("%s:%d: %zu copies", d->name, d->line, d->f.copies);
	}
}

static void set_service(struct dialogue *d, struct str name)
{
	struct session_peer_info *peer = &d->f.peer;
	snprintf(peer->service, sizeof(peer->service), "%" STR_FMT, STR_ARG(name));
	peer->tls = peer->tls || str_equal(name, STR("submissions"));
	peer->loopback = d->f.settings.plaintext_auth_loopback = true;
	d->f.host.hostname = "mail.example.test";
}

static void expect_state(struct dialogue *d, struct str what)
{
	bool good = false;
	if (str_equal(what, STR("TLS")))
		good = d->f.tls_started;
	else if (str_equal(what, STR("EOF")))
		good = d->f.session->next == NEXT_CLOSE && d->said == d->f.out.n;
	if (!good)
		fail_msg("%s:%d: not so", d->name, d->line);
}

static void do_line(struct dialogue *d, struct str line)
{
	struct scan s = scan_from(line);
	d->line++;
	if (scan_char(&s, '#')) {
		comment(d, scan_rest(&s));
		return;
	}
	if (scan_literal_nocase(&s, STR("service: "))) {
		set_service(d, scan_rest(&s));
		return;
	}
	if (d->f.session == NULL)
		fake_open(&d->f);
	if (scan_literal_nocase(&s, STR("C: "))) {
		add_line(d, scan_rest(&s));
		return;
	}
	send_segment(d);
	if (scan_literal_nocase(&s, STR("S: ")))
		expect_line(d, scan_rest(&s), false);
	else if (scan_literal_nocase(&s, STR("S~ ")))
		expect_line(d, scan_rest(&s), true);
	else if (line.n > 0)
		expect_state(d, line);
}

static void run_file(const char *folder, const char *name, bool by_byte)
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

static size_t run_folder(const char *folder)
{
	size_t n = 0;
	DIR *dir = opendir(folder);
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir)) != NULL;)
		if (str_ends_nocase(str_from(e->d_name), STR(".txt"))) {
			run_file(folder, e->d_name, false);
			run_file(folder, e->d_name, true);
			n++;
		}
	closedir(dir);
	return n;
}

static void all_dialogues(void **state)
{
	(void)state;
	size_t n = 0;
	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		n += run_folder(folders[i]);
	assert_true(n >= 14);
}

TEST_MAIN(test_case(all_dialogues))
