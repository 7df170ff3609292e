// SPDX-License-Identifier: Apache-2.0
/* A POP3 session with any input, whole and split: the same output, within its bounds, and nothing
 * deleted without QUIT. */
#include "base/fuzz.h"
#include "pop3/fake_host.h"

static const struct fake_message messages[] = {
	{ STR_INIT("Subject: one\r\n\r\nfirst\r\n.dot\r\n"), 3, 0, false },
	{ STR_INIT("Subject: two\n\n.\n.\r\nlast"), 8, 0, false },
	{ STR_INIT(""), 9, 0, false },
};

static struct fake_host *run(struct str in, size_t step, bool tls)
{
	struct fake_host *f = xmalloc(sizeof(*f));
	f->message = messages;
	f->messages = ARRAY_LEN(messages);
	f->peer.tls = f->settings.pop3_surrogates = tls;
	fake_open(f);
	if (tls)
		fake_say(f, STR("USER alice\r\nPASS secret\r\n"));
	for (size_t i = 0; i < in.n && f->session->next != NEXT_CLOSE; i += step) {
		fake_say(f, str_sub(in, i, step));
		for (int k = 0; k < 10 && f->session->deadline_ms < f->clock.monotonic_ms + 60000 &&
				f->session->next != NEXT_CLOSE;
			k++) {
			f->session->class->timeout(f->session);
			fake_run(f);
		}
	}
	return f;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_make(data, size < 20000 ? size : 20000);
	for (int tls = 0; tls < 2; tls++) {
		struct fake_host *a = run(in, in.n + 1, tls);
		struct fake_host *b = run(in, 1, tls);
		bool stls = str_search(buf_str(&a->out), STR("Begin TLS")) < a->out.n;
		/* What is pipelined behind STLS is thrown away, so there splits differ. */
		FUZZ_CHECK(stls || str_equal(buf_str(&a->out), buf_str(&b->out)));
		FUZZ_CHECK(a->changes == 0 || a->session->next == NEXT_CLOSE);
		fake_close(a);
		fake_close(b);
		free(a);
		free(b);
	}
	return 0;
}
