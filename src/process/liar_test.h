/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A front of the test's own, in a world (world_test.h), that says of itself what it likes.
 *
 * used by: gate_test.c, gate_memory_test.c
 */
#ifndef CULVER_PROCESS_LIAR_TEST_H
#define CULVER_PROCESS_LIAR_TEST_H

#include "process/world_test.h"

#include "process/gate_private.h"

struct liar {
	struct world *world;
	struct channel *channel;
	bool closed;
	unsigned answers, failures, temporary;
	int type, kind;
	uint8_t ticket[TICKET_MAX_BYTES];
	size_t ticket_n;
};

static inline bool liar_frame(void *arg, uint32_t request, const struct frame *f, int handle)
{
	struct liar *l = arg;
	if (request == 0)
		return handle < 0; /* what is announced */
	l->answers++;
	l->type = (int)f->type;
	if (f->type == FRAME_FAILED) {
		l->failures++;
		l->kind = f->failed.kind;
		l->temporary += f->failed.kind == ERR_TEMP;
	}
	if (f->type == FRAME_LOGIN_OK) {
		l->ticket_n = f->login_ok.ticket.n;
		memcpy(l->ticket, f->login_ok.ticket.p, l->ticket_n);
	}
	return handle < 0;
}

static inline void liar_closed(void *arg, const char *reason)
{
	struct liar *l = arg;
	(void)reason;
	l->closed = true;
}

/* Has the role believe that a new front of that instance and class is there. The test's end says
 * that it is `as`. */
static inline void lie(
	struct liar *l, struct world *w, const char *role, int class, uint32_t instance, int as)
{
	struct channel_events events = { .frame = liar_frame, .closed = liar_closed, .arg = l };
	struct frame f = { .type = FRAME_HAND_OVER,
		.hand_over = { STR("front"), instance, (uint8_t) class } };
	int pair[2];
	*l = (struct liar){ .world = w };
	assert_int_equal(w->loop->class->pair(w->loop, pair), 0);
	channel_send_handle(world_child(w, role)->control, 0, &f, pair[1]);
	l->channel = channel_new(
		w->loop, pair[0], as, world_child(w, role)->row->channel_class, &events);
}

static inline int ask(struct liar *l, const struct frame *f)
{
	unsigned before = l->answers;
	assert_true(channel_send(l->channel, channel_next_request(l->channel), f));
	world_until(l->world, l->answers > before || l->closed);
	return l->closed ? -1 : l->type;
}

static inline void up(struct world *w)
{
	world_make(w, 5);
	world_boot(w);
	world_until(w, w->ready);
}

static const struct frame alice = { .type = FRAME_LOGIN,
	.login = { .service = STR_INIT("imap"),
		.peer = STR_INIT("192.0.2.1"),
		.user = STR_INIT("alice@example"),
		.password = STR_INIT("secret") } };

#endif
