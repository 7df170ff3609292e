// SPDX-License-Identifier: Apache-2.0
/* Questions of the moment in which one store has gone and the next has not come: an upgrade's, or
 * that of a store that died. Those that begin something, and so mean the same to either, wait for
 * the next one for a second from the loss on. So do, once, those that were asked and not answered
 * if it does no harm to do them twice. Everything else that was asked before may have been done or
 * not, and what names a session of the old store means nothing to the new: that fails at once, as
 * does everything once the second is over. (Logins: login_held.c.) */
#include "process/front_private.h"

#include <stdlib.h>

struct held {
	uint32_t request;
	struct buf frame; /* as it is sent, header and payload */
};

static int64_t now_ms(const struct front *f)
{
	return f->base.context->loop->clock->monotonic_ms(f->base.context->loop->clock);
}

static bool may_wait(const struct frame *frame)
{
	return frame->type == FRAME_RESOLVE || frame->type == FRAME_SESSION_OPEN ||
	       frame->type == FRAME_UPLOAD_OPEN;
}

/* The session that an old store opened has gone with it. An upload's bytes went with its question.
 */
static bool may_repeat(const struct frame *frame)
{
	return frame->type == FRAME_RESOLVE || frame->type == FRAME_SESSION_OPEN;
}

static void forget(struct front *f)
{
	VEC_EACH (struct held, h, &f->held)
		buf_done(&h->frame);
	vec_clear(&f->held);
	f->held_bytes = 0;
}

static void on_over(void *arg)
{
	struct front *f = arg;
	f->hold_until_ms = 0;
	VEC_EACH (struct held, h, &f->held)
		asks_refuse(f, ASK_STORE, h->request);
	forget(f);
	asks_room(&f->peers[ASK_STORE]);
}

void held_begin(struct front *f)
{
	f->hold_until_ms = now_ms(f) + LIMIT_FRONT_HOLD_MS;
	f->base.context->loop->class->timer_set(f->hold, f->hold_until_ms);
}

static bool put(struct front *f, struct held *h)
{
	if (h->frame.n <= LIMIT_FRONT_HELD_BYTES - f->held_bytes && vec_push(&f->held, h)) {
		f->held_bytes += h->frame.n;
		return true;
	}
	buf_done(&h->frame);
	return false;
}

static bool encode(struct buf *room, uint32_t request, const struct frame *frame)
{
	buf_init(room, LIMIT_FRAME_BYTES + FRAME_HEADER_BYTES);
	if (frame_encode(frame, request, room))
		return true;
	buf_done(room);
	return false;
}

bool held_put(struct front *f, uint32_t request, const struct frame *frame)
{
	struct held h = { .request = request };
	return now_ms(f) < f->hold_until_ms && may_wait(frame) &&
	       encode(&h.frame, request, frame) && put(f, &h);
}

void held_note(struct ask *a, const struct frame *frame)
{
	if (may_repeat(frame))
		(void)encode(&a->again, a->request, frame);
}

bool held_again(struct front *f, struct ask *a)
{
	struct held h = { .request = a->request, .frame = a->again };
	if (a->again.n == 0)
		return false;
	buf_init(&a->again, 0);
	return put(f, &h);
}

static bool send(struct front_peer *p, const struct held *h)
{
	struct frame_header header;
	struct frame frame;
	struct err err = ERR_INIT;
	struct str bytes = buf_str(&h->frame);
	struct arena arena;
	arena_init(&arena, LIMIT_FRAME_BYTES);
	bool sent = frame_header_decode(str_sub(bytes, 0, FRAME_HEADER_BYTES), &header, &err) ==
			    0 &&
		    frame_decode(&header, str_from_offset(bytes, FRAME_HEADER_BYTES), &arena,
			    &frame, &err) == 0 &&
		    channel_send(p->channel, h->request, &frame);
	arena_done(&arena);
	return sent;
}

void held_send(struct front *f)
{
	struct front_peer *p = &f->peers[ASK_STORE];
	f->base.context->loop->class->timer_set(f->hold, 0);
	f->hold_until_ms = 0;
	VEC_EACH (const struct held, h, &f->held)
		if (map_get_u64(&p->asks, h->request) != NULL && !send(p, h))
			asks_refuse(f, ASK_STORE, h->request);
	forget(f);
	asks_room(p);
}

void held_init(struct front *f)
{
	struct loop *loop = f->base.context->loop;
	vec_init(&f->held, sizeof(struct held), LIMIT_FRONT_QUESTIONS);
	f->hold = loop->class->timer_new(loop, on_over, f);
}

void held_done(struct front *f)
{
	forget(f);
	vec_done(&f->held);
	f->base.context->loop->class->timer_free(&f->hold);
}
