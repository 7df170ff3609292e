/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For dialogues of POP3: a session over a maildrop of the test's, and what it says.
 *
 * used by: dialogue_test.c, drop_test.c, extensions_test.c
 */
#ifndef CULVER_POP3_SCENE_H
#define CULVER_POP3_SCENE_H

#include "base/time.h"
#include "pop3/fake_host.h"

#include <stdio.h>

#include "base/test.h"

static const struct fake_message two[] = {
	{ STR_INIT("Subject: one\r\n\r\nfirst\r\n.dot\r\n"), 3, 0, false },
	{ STR_INIT("Subject: two\r\n\r\nlast"), 8, 0, false },
};

static inline struct fake_host *host(const struct fake_message *m, size_t n)
{
	struct fake_host *f = xmalloc(sizeof(*f));
	f->message = m;
	f->messages = n;
	f->peer.tls = true;
	return f;
}

static inline void close_host(struct fake_host *f)
{
	fake_close(f);
	free(f);
}

static inline void expect(struct fake_host *f, const char *says, const char *hears)
{
	buf_clear(&f->out);
	fake_say(f, str_from(says));
	assert_str(buf_str(&f->out), str_from(hears));
}

static inline void log_in(struct fake_host *f)
{
	fake_open(f);
	fake_say(f, STR("USER alice\r\nPASS secret\r\n"));
	assert_true(f->session->authenticated);
}

static inline struct fake_host *host_logged_in(void)
{
	struct fake_host *f = host(two, 2);
	log_in(f);
	return f;
}

/* What was held back. */
static inline void answers_come(struct fake_host *f)
{
	f->hold = false;
	fake_run(f);
}

#endif
