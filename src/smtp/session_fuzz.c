// SPDX-License-Identifier: Apache-2.0
/*
 * A whole session with a made-up host. The first byte says which service and what the host is like;
 * the rest is what the client sends, in segments that 0xff ends.
 *
 * Property: any split of the input gives the same replies and the same stored messages. What a
 * session does about improper pipelining is the one thing that depends on segments by design; such
 * inputs are run, and not compared.
 */
#include "base/fuzz.h"
#include "smtp/fake_host.h"

static void open_host(struct fake_host *f, uint8_t kind)
{
	static const char *const services[] = { "smtp", "submission", "submissions",
		"submission-alt" };
	fake_init(f, services[kind & 3], kind & 4);
	f->peer.loopback = f->settings.plaintext_auth_loopback = kind & 8;
	f->no_room = f->no_room_now = kind >> 4 & 1;
	f->store_away = kind >> 5 & 1;
	f->settings.message_bytes = 3000;
	fake_open(f);
}

static void run(struct fake_host *f, struct str in, size_t step)
{
	while (in.n > 0) {
		struct str segment = str_split(&in, '\xff');
		for (size_t at = 0; at < segment.n; at += step)
			fake_input(f, str_sub(segment, at, step));
	}
	if (f->session->next == NEXT_GO_ON)
		f->session->class->eof(f->session);
	fake_run(f);
	FUZZ_CHECK(f->session->next == NEXT_CLOSE && !f->upload.open);
}

static bool improper(const struct fake_host *f)
{
	return str_search(buf_str(&f->out), STR("Improper pipelining")) < f->out.n;
}

static void compare(const struct fake_host *a, const struct fake_host *b)
{
	FUZZ_CHECK(str_equal(buf_str(&a->out), buf_str(&b->out)));
	FUZZ_CHECK(a->copies == b->copies && a->stored.n == b->stored.n);
	for (size_t i = 0; i < a->stored.n; i++)
		FUZZ_CHECK(
			str_equal(buf_str(vec_at(&a->stored, i)), buf_str(vec_at(&b->stored, i))));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const size_t steps[] = { SIZE_MAX / 2, 1, 7 };
	struct fake_host hosts[ARRAY_LEN(steps)];
	if (size == 0 || size > 20000)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		open_host(&hosts[i], bytes[0]);
		run(&hosts[i], str_make(bytes + 1, size - 1), steps[i]);
	}
	for (size_t i = 1; i < ARRAY_LEN(steps); i++)
		if (!improper(&hosts[0]) && !improper(&hosts[i]))
			compare(&hosts[0], &hosts[i]);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		fake_done(&hosts[i]);
	return 0;
}
