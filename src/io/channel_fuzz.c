// SPDX-License-Identifier: Apache-2.0
/* Bytes of a hostile peer to a channel, over a socket pair: the first byte chooses who listens, the
 * rest is sent in pieces of a length that the second byte chooses. Property: the same frames arrive
 * whatever the pieces. */
#include "api/schemes.h"
#include "base/fuzz.h"
#include "base/mem.h"
#include "io/channel.h"
#include "io/descriptor.h"

#include <unistd.h>

enum { TURNS = 400, BYTES = 60000 };

struct seen {
	struct loop *loop;
	size_t n, requests;
	bool closed;
};

static bool saw_frame(void *arg, uint32_t request, const struct frame *f, int received)
{
	struct seen *s = arg;
	struct buf text;
	buf_init(&text, 1 << 20);
	frame_print(f, &text);
	buf_done(&text);
	s->n++;
	s->requests = s->requests * 31 + request + (size_t)f->type;
	if (received >= 0)
		close(received);
	return true;
}
static void saw_room(void *arg)
{
	(void)arg;
}
static void saw_closed(void *arg, const char *reason)
{
	struct seen *s = arg;
	FUZZ_CHECK(reason != NULL && !s->closed);
	s->closed = true;
	s->loop->class->stop(s->loop);
}

static struct seen feed(struct str bytes, size_t piece, int us, int them)
{
	struct seen s = { .loop = loop_uv_new() };
	int h[2];
	FUZZ_CHECK(s.loop->class->pair(s.loop, h) == 0);
	struct channel *c = channel_new(s.loop, h[1], us, them,
		&(struct channel_events){ saw_frame, saw_room, saw_closed, &s });
	/* All fits into the socket; what matters is how the reads cut it, so write, then run. */
	for (size_t at = 0; at < bytes.n; at += piece) {
		struct str part = str_sub(bytes, at, piece);
		if (descriptor_write(h[0], part.p, part.n, -1) < 0)
			break;
	}
	close(h[0]);
	s.loop->class->run(s.loop);
	channel_free(&c);
	loop_uv_free(&s.loop);
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int pairs[][2] = { { CLASS_STORE, CLASS_USER }, { CLASS_USER, CLASS_STORE },
		{ CLASS_GATE, CLASS_USER }, { CLASS_KEYS, CLASS_MX },
		{ CLASS_MX, CLASS_SUPERVISOR }, { CLASS_SUPERVISOR, CLASS_STORE } };
	if (size < 2 || size > BYTES)
		return 0;
	const int *pair = pairs[data[0] % ARRAY_LEN(pairs)];
	size_t piece = (size_t)data[1] + 1;
	struct str bytes = str_make(data + 2, size - 2);
	if (bytes.n / piece > TURNS) /* each write is a buffer of its own in the kernel */
		piece = bytes.n / TURNS + 1;
	struct seen whole = feed(bytes, BYTES, pair[0], pair[1]);
	struct seen parts = feed(bytes, piece, pair[0], pair[1]);
	FUZZ_CHECK(whole.closed && parts.closed);
	FUZZ_CHECK(whole.n == parts.n && whole.requests == parts.requests);
	return 0;
}
