// SPDX-License-Identifier: Apache-2.0
/* Bytes of a hostile peer to a channel over the simulated network: the first byte chooses who
 * listens, the second is the seed by which the network cuts and delays. Property: the same frames
 * arrive and the same end comes however they were cut. */
#include "api/schemes.h"
#include "base/fuzz.h"
#include "base/mem.h"
#include "io/channel.h"
#include "io/loop_sim.h"

#include <stdlib.h>

enum { BYTES = 60000 };

struct seen {
	size_t n, requests;
	const char *reason;
};

static bool saw_frame(void *arg, uint32_t request, const struct frame *f, int received)
{
	struct seen *s = arg;
	struct buf text;
	buf_init(&text, 1 << 20);
	frame_print(f, &text);
	buf_done(&text);
	FUZZ_CHECK(received < 0); /* none was sent */
	s->n++;
	s->requests = s->requests * 31 + request + (size_t)f->type;
	return true;
}
static void saw_closed(void *arg, const char *reason)
{
	struct seen *s = arg;
	FUZZ_CHECK(reason != NULL && s->reason == NULL);
	s->reason = reason;
}
static void peer_ready(void *arg, int events)
{
	(void)arg;
	(void)events;
}

static struct seen feed(struct str bytes, uint64_t seed, int us, int them)
{
	struct seen s = { 0 };
	struct loop *l = loop_sim_new(seed);
	int h[2];
	loop_sim_set_network(l, &(struct loop_sim_network){ 20, BYTES, seed != 0 });
	l->class->pair(l, h);
	struct channel *c = channel_new(
		l, h[1], us, them, &(struct channel_events){ saw_frame, NULL, saw_closed, &s });
	struct link *peer = l->class->link_new(
		l, h[0], &(struct link_events){ .ready = peer_ready });
	for (size_t at = 0; at < bytes.n;) {
		ssize_t n = l->class->link_write(peer, bytes.p + at, bytes.n - at, -1);
		FUZZ_CHECK(n > 0);
		at += (size_t)n;
	}
	l->class->link_shutdown(peer);
	loop_sim_run_for(l, 60000);
	channel_free(&c);
	l->class->link_free(&peer);
	loop_sim_free(&l);
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
	struct str bytes = str_make(data + 2, size - 2);
	struct seen whole = feed(bytes, 0, pair[0], pair[1]);
	struct seen parts = feed(bytes, (uint64_t)data[1] + 1, pair[0], pair[1]);
	FUZZ_CHECK(whole.reason != NULL && parts.reason != NULL);
	FUZZ_CHECK(strcmp(whole.reason, parts.reason) == 0);
	FUZZ_CHECK(whole.n == parts.n && whole.requests == parts.requests);
	return 0;
}
