/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of the session by itself: one at a time, what it is told, and the codes that it says.
 *
 * used by: session_test.c, session_chunks_test.c, session_limits_test.c, session_patience_test.c
 */
#ifndef CULVER_SMTP_SESSION_SCENE_H
#define CULVER_SMTP_SESSION_SCENE_H

#include "base/test.h"
#include "smtp/fake_host.h"
#include "smtp/smtp_private.h"

#include <inttypes.h>

#define HELLO     "EHLO client.example\r\n"
#define ENVELOPE  "MAIL FROM:<a@b.example>\r\nRCPT TO:<alice@example.test>\r\n"
#define SUBMITTED "MAIL FROM:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\n"
#define LOGIN     "AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdABzZWNyZXQ=\r\n"

static struct fake_host f;
static size_t seen;

static inline int teardown(void **state)
{
	(void)state;
	fake_done(&f);
	return 0;
}

static inline void start(const char *service, bool tls)
{
	fake_done(&f);
	fake_init(&f, service, tls);
	fake_open(&f);
	seen = f.out.n;
}

/* The codes of the replies since the last call, and "closed": "250 250 354". Long runs of one code
 * are written "250*7". */
static const char *codes(void)
{
	static char text[512];
	char last[8] = "";
	size_t n = 0, run = 0;
	text[0] = '\0';
	for (;;) {
		struct str rest = str_from_offset(buf_str(&f.out), seen);
		size_t end = str_search(rest, STR("\r\n"));
		bool more = end < rest.n;
		if (more) {
			seen += end + 2;
			if (rest.p[3] == '-')
				continue;
		}
		if (more && run > 0 && strncmp(last, rest.p, 3) == 0) {
			run++;
			continue;
		}
		if (run > 3)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s*%zu ", last, run);
		else
			for (; run > 0; run--)
				n += (size_t)snprintf(text + n, sizeof(text) - n, "%s ", last);
		if (!more)
			break;
		snprintf(last, sizeof(last), "%.3s", rest.p);
		run = 1;
	}
	if (f.session->next == NEXT_CLOSE)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "closed ");
	text[n ? n - 1 : 0] = '\0';
	return text;
}

static const char *say_n(struct str bytes)
{
	fake_input(&f, bytes);
	return codes();
}

static const char *say(const char *text)
{
	return say_n(str_from(text));
}

/* What was said last, up to its code's blank. */
static inline bool said(const char *part)
{
	return str_search(buf_str(&f.out), str_from(part)) < f.out.n;
}

static inline void submission(void)
{
	start("submissions", true);
	assert_string_equal(say(HELLO), "250");
	assert_string_equal(say(LOGIN), "235");
}

static inline struct str stored_body(void)
{
	assert_true(f.stored.n > 0);
	return buf_str(vec_at(&f.stored, f.stored.n - 1));
}

#endif
