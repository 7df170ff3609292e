// SPDX-License-Identifier: Apache-2.0
/*
 * Channels (see channel.h). Frames wait in one of two lanes; when the loop turns, as many as fit go
 * to `wire`, credit first, then small ones, then bulk, and from there in one write. What is on the
 * wire is never overtaken, so it is kept short. Arriving bytes are cut into frames, checked,
 * decoded and handed over one by one.
 *
 * Credit counts whole frames with their headers; `credit` frames themselves cost nothing. The
 * peer's frames are hostile: whatever does not fit ends the channel, and never more than that.
 */
#include "io/channel.h"

#include "api/schemes.h"
#include "base/arena.h"
#include "base/limits.h"

#include <assert.h>
#include <errno.h>

enum {
	/* Bytes on the wire up to which more are put there: two bulk frames and some small ones. */
	WIRE_BYTES = 128 * 1024,
	FRAME_MOST = FRAME_HEADER_BYTES + LIMIT_FRAME_BYTES,
	READ_BYTES = 64 * 1024,
	/* Consumed bytes of a lane that are worth a credit frame: a quarter of all credit. */
	GRANT_BYTES = 256 * 1024,
	/* What a decoded frame takes beyond its bytes: lists of records. */
	ARENA_BYTES = 1024 * 1024,
};

enum { SMALL, BULK, LANES };

struct lane {
	struct buf waiting; /* whole frames not yet on the wire */
	uint32_t credit;    /* bytes we may still send */
	uint32_t they_may;  /* bytes the peer may still send */
	uint32_t owed;      /* bytes that we took and have not granted again */
};

/* A descriptor on its way. at: where its frame begins, in bytes ever put into the small lane, and
 * once the frame is on the wire, in bytes ever put on the wire. */
struct pass {
	uint64_t at;
	int handle;
	bool on_wire;
};

struct channel {
	struct loop *loop;
	struct link *link; /* NULL once it is closed */
	struct channel_events on;
	int us, them;
	uint32_t request, number;

	struct lane lanes[LANES];
	struct buf wire;
	uint64_t wire_total, wire_sent;    /* bytes ever put on the wire, and written from it */
	uint64_t small_total, small_taken; /* bytes ever put into the small lane, and moved on */
	struct pass passes[LIMIT_CHANNEL_HANDLES];
	size_t passes_n;

	struct buf in;
	int received[LIMIT_CHANNEL_HANDLES];
	size_t received_n;
	struct arena arena; /* one frame's lists */
	size_t taking;      /* bulk bytes of the frame now being handed over; 0: none, or held */

	struct timer *flush, *stall;
	bool flush_set, stall_set;
	bool room_wanted; /* channel_send() said no */
	bool full;        /* the link takes no more now */
	bool busy;        /* one of our functions is on the stack */
	bool freed;       /* channel_free() came while busy */
	const char *failed;
	bool peer_gone; /* which is why it failed */
	bool told;      /* on.closed() was called */
};

static int64_t now_ms(struct channel *c)
{
	return c->loop->clock->monotonic_ms(c->loop->clock);
}

static void flush_soon(struct channel *c)
{
	if (c->flush_set || c->told)
		return;
	c->flush_set = true;
	c->loop->class->timer_set(c->flush, now_ms(c));
}

/* The channel ends: the owner is told when the stack is ours again. */
static void channel_fail(struct channel *c, const char *reason)
{
	if (c->failed != NULL)
		return;
	c->failed = reason;
	flush_soon(c);
}

static void channel_peer_gone(struct channel *c, const char *reason)
{
	c->peer_gone |= c->failed == NULL;
	channel_fail(c, reason);
}

/* ---- ends ---- */

static void channel_close(struct channel *c)
{
	const struct loop_class *class = c->loop->class;
	class->link_free(&c->link);
	class->timer_free(&c->flush);
	class->timer_free(&c->stall);
	for (size_t i = 0; i < c->passes_n; i++)
		class->handle_close(c->loop, c->passes[i].handle);
	for (size_t i = 0; i < c->received_n; i++)
		class->handle_close(c->loop, c->received[i]);
	c->passes_n = c->received_n = 0;
}

static void channel_destroy(struct channel *c)
{
	for (size_t i = 0; i < LANES; i++)
		buf_done(&c->lanes[i].waiting);
	buf_done(&c->wire);
	buf_done(&c->in);
	arena_done(&c->arena);
	free(c);
}

static bool is_blocked(const struct channel *c)
{
	return c->wire.n > 0 || c->lanes[SMALL].waiting.n > 0 || c->room_wanted;
}

/* The stall timer runs from the last progress as long as something waits. */
static void stall_watch(struct channel *c, bool progress)
{
	bool blocked = is_blocked(c);
	if (blocked == c->stall_set && !(blocked && progress))
		return;
	c->stall_set = blocked;
	c->loop->class->timer_set(c->stall, blocked ? now_ms(c) + LIMIT_CHANNEL_STALL_MS : 0);
}

/* The end of every entry from the loop: what could not be done with callbacks on the stack. */
static void channel_settle(struct channel *c)
{
	c->busy = false;
	if (!c->freed && c->failed != NULL && !c->told) {
		c->told = true;
		channel_close(c);
		c->busy = true;
		c->on.closed(c->on.arg, c->failed);
		c->busy = false;
	}
	if (c->freed)
		channel_destroy(c);
}

/* ---- out ---- */

static uint32_t frame_bytes_at(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;
	uint32_t length = u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
	return FRAME_HEADER_BYTES + length;
}

static void wire_add(struct channel *c, const void *p, size_t n)
{
	bool fits = buf_add(&c->wire, p, n);
	assert(fits); /* one frame more than WIRE_BYTES has room */
	c->wire_total += n;
}

/* One credit frame for both lanes, when either is worth it. */
static void wire_credit(struct channel *c)
{
	struct lane *l = c->lanes;
	if (l[SMALL].owed < GRANT_BYTES && l[BULK].owed < GRANT_BYTES)
		return;
	size_t before = c->wire.n;
	struct frame f = { .type = FRAME_CREDIT,
		.credit = { .small = l[SMALL].owed, .bulk = l[BULK].owed } };
	if (!frame_encode(&f, 0, &c->wire))
		return; /* the wire is full: next time */
	c->wire_total += c->wire.n - before;
	for (size_t i = 0; i < LANES; i++) {
		l[i].they_may += l[i].owed;
		l[i].owed = 0;
	}
}

/* The descriptor of a small frame that goes to the wire goes with it. */
static void pass_moves(struct channel *c)
{
	for (size_t i = 0; i < c->passes_n; i++) {
		struct pass *p = &c->passes[i];
		if (!p->on_wire && p->at == c->small_taken) {
			p->on_wire = true;
			p->at = c->wire_total;
		}
	}
}

/* Moves whole frames of a lane to the wire as far as wire and credit reach. */
static void wire_lane(struct channel *c, int which)
{
	struct lane *l = &c->lanes[which];
	size_t at = 0;
	while (at < l->waiting.n && c->wire.n < WIRE_BYTES) {
		uint32_t n = frame_bytes_at(l->waiting.p + at);
		/* Bulk frames paid when they were taken. */
		if (which == SMALL) {
			if (n > l->credit)
				break;
			l->credit -= n;
			pass_moves(c);
			c->small_taken += n;
		}
		wire_add(c, l->waiting.p + at, n);
		at += n;
	}
	buf_consume(&l->waiting, at);
	if (l->waiting.n == 0 && l->waiting.cap > WIRE_BYTES)
		buf_release(&l->waiting);
}

/* Writes up to the next frame that carries a descriptor, or that frame with it. */
static ssize_t write_once(struct channel *c)
{
	size_t n = c->wire.n;
	int handle = -1;
	if (c->passes_n > 0 && c->passes[0].on_wire) {
		uint64_t ahead = c->passes[0].at - c->wire_sent;
		if (ahead > 0)
			n = ahead < n ? (size_t)ahead : n;
		else
			handle = c->passes[0].handle;
	}
	if (handle >= 0 && c->passes_n > 1 && c->passes[1].on_wire)
		n = (size_t)(c->passes[1].at - c->wire_sent);
	ssize_t sent = c->loop->class->link_write(c->link, c->wire.p, n, handle);
	if (sent > 0 && handle >= 0) {
		c->loop->class->handle_close(c->loop, handle);
		c->passes_n--;
		memmove(c->passes, c->passes + 1, c->passes_n * sizeof(c->passes[0]));
	}
	return sent;
}

/* Sends what can be sent. */
static void channel_flush(struct channel *c)
{
	bool progress = false;
	c->full = false;
	while (c->failed == NULL) {
		wire_credit(c);
		wire_lane(c, SMALL);
		wire_lane(c, BULK);
		if (c->wire.n == 0)
			break;
		ssize_t sent = write_once(c);
		if (sent == -EAGAIN) {
			c->full = true;
			break;
		}
		if (sent <= 0) {
			channel_peer_gone(c, "the peer is gone");
			return;
		}
		c->wire_sent += (uint64_t)sent;
		buf_consume(&c->wire, (size_t)sent);
		progress = true;
	}
	if (c->failed != NULL)
		return;
	c->loop->class->link_want(c->link, LINK_READ | (c->full ? LINK_WRITE : 0));
	stall_watch(c, progress);
}

/* Bulk frames wait until any of them fits. */
static void offer_room(struct channel *c)
{
	if (!c->room_wanted || c->failed != NULL || c->freed || c->lanes[BULK].credit < FRAME_MOST)
		return;
	c->room_wanted = false;
	stall_watch(c, true);
	if (c->on.room != NULL)
		c->on.room(c->on.arg);
}

/* Encodes to the end of the lane. 0: could not. */
static uint32_t lane_add(struct channel *c, int which, uint32_t request, const struct frame *f)
{
	struct buf *waiting = &c->lanes[which].waiting;
	size_t before = waiting->n;
	if (!frame_encode(f, request, waiting))
		return 0;
	return (uint32_t)(waiting->n - before);
}

static bool send_bulk(struct channel *c, uint32_t request, const struct frame *f)
{
	struct lane *l = &c->lanes[BULK];
	uint32_t n = lane_add(c, BULK, request, f);
	if (n == 0) { /* what waits was paid for, so there is room for one more */
		channel_fail(c, "a frame of ours could not be encoded");
		return false;
	}
	if (n > l->credit) {
		buf_truncate(&l->waiting, l->waiting.n - n);
		c->room_wanted = true;
		flush_soon(c);
		return false;
	}
	l->credit -= n;
	flush_soon(c);
	return true;
}

static void send_small(struct channel *c, uint32_t request, const struct frame *f, int handle)
{
	struct lane *l = &c->lanes[SMALL];
	if (handle >= 0 && c->passes_n == ARRAY_LEN(c->passes)) {
		channel_fail(c, "the peer takes no descriptors");
		c->loop->class->handle_close(c->loop, handle);
		return;
	}
	if (handle >= 0)
		c->passes[c->passes_n++] = (struct pass){ .at = c->small_total, .handle = handle };
	uint32_t n = lane_add(c, SMALL, request, f);
	if (n == 0)
		channel_fail(c, buf_room(&l->waiting) < FRAME_MOST
					? "the peer does not keep up"
					: "a frame of ours could not be encoded");
	c->small_total += n;
	flush_soon(c);
}

bool channel_send(struct channel *c, uint32_t request, const struct frame *f)
{
	bool bulk = frame_is_bulk((uint16_t)f->type);
	if (c->failed != NULL)
		return !bulk;
	if (bulk)
		return send_bulk(c, request, f);
	send_small(c, request, f, -1);
	return true;
}

void channel_send_handle(struct channel *c, uint32_t request, const struct frame *f, int handle)
{
	if (c->failed != NULL)
		c->loop->class->handle_close(c->loop, handle);
	else
		send_small(c, request, f, handle);
}

uint32_t channel_next_request(struct channel *c)
{
	/* The lowest bit is the side's, so numbers of both sides differ. Never 0: 1 or 2 is next.
	 */
	c->request += 2;
	if (c->request == 0)
		c->request = 2;
	return c->request;
}

/* ---- credit for the peer ---- */

static void lane_consumed(struct channel *c, int which, size_t bytes)
{
	struct lane *l = &c->lanes[which];
	l->owed += (uint32_t)bytes;
	if (l->owed >= GRANT_BYTES)
		flush_soon(c);
}

size_t channel_hold(struct channel *c)
{
	size_t held = c->taking;
	c->taking = 0;
	return held;
}

void channel_grant(struct channel *c, size_t bytes)
{
	const struct lane *l = &c->lanes[BULK];
	assert(bytes <= LIMIT_CHANNEL_BULK_CREDIT - l->they_may - l->owed);
	if (c->failed == NULL)
		lane_consumed(c, BULK, bytes);
}

/* More than all of it was never given away. */
static bool credit_add(struct lane *l, uint32_t more, uint32_t most)
{
	if (more > most || l->credit > most - more)
		return false;
	l->credit += more;
	return true;
}

static void take_credit(struct channel *c, const struct frame_credit *f)
{
	if (!credit_add(&c->lanes[SMALL], f->small, LIMIT_CHANNEL_SMALL_CREDIT) ||
		!credit_add(&c->lanes[BULK], f->bulk, LIMIT_CHANNEL_BULK_CREDIT))
		channel_fail(c, "more credit than there is");
	else /* none is no progress */
		stall_watch(c, f->small || f->bulk);
	flush_soon(c);
}

/* ---- in ---- */

/* The descriptor that belongs to a frame: it came with the frame's first byte, so it is here. */
static int take_handle(struct channel *c, const struct frame *f)
{
	if (f->type != FRAME_HAND_OVER && f->type != FRAME_COURIER_CONNECTED)
		return -1;
	if (c->received_n == 0) {
		channel_fail(c, "a frame came without its descriptor");
		return -1;
	}
	int handle = c->received[0];
	c->received_n--;
	memmove(c->received, c->received + 1, c->received_n * sizeof(c->received[0]));
	return handle;
}

static void hand_over(struct channel *c, uint32_t request, const struct frame *f, size_t cost)
{
	int which = frame_is_bulk((uint16_t)f->type) ? BULK : SMALL;
	int handle = take_handle(c, f);
	if (c->failed != NULL)
		return;
	c->taking = which == BULK ? cost : 0;
	bool good = c->on.frame(c->on.arg, request, f, handle);
	if (c->freed)
		return;
	if (!good)
		channel_fail(c, "a frame that is not allowed here");
	if (which == SMALL)
		lane_consumed(c, SMALL, cost);
	else if (c->taking > 0)
		lane_consumed(c, BULK, cost);
	c->taking = 0;
}

/* Whether the peer had the credit; takes it. */
static bool they_pay(struct channel *c, uint16_t type, size_t cost)
{
	if (type == FRAME_CREDIT)
		return true;
	struct lane *l = &c->lanes[frame_is_bulk(type) ? BULK : SMALL];
	if (cost > l->they_may)
		return false;
	l->they_may -= (uint32_t)cost;
	return true;
}

static void take_frame(struct channel *c, const struct frame_header *h, struct str payload)
{
	struct frame f;
	struct err err = ERR_INIT;
	size_t cost = FRAME_HEADER_BYTES + payload.n;
	if (!frame_allowed(h->type, c->them, c->us)) {
		channel_fail(c, "a frame that this peer may not send");
	} else if (!they_pay(c, h->type, cost)) {
		channel_fail(c, "sent beyond its credit");
	} else if (frame_decode(h, payload, &c->arena, &f, &err) != 0) {
		channel_fail(c, "a frame that makes no sense");
	} else if (f.type == FRAME_CREDIT) {
		take_credit(c, &f.credit);
	} else {
		hand_over(c, h->request, &f, cost);
	}
	arena_reset(&c->arena);
}

/* Cuts what has come into frames. */
static void take_frames(struct channel *c)
{
	size_t at = 0;
	while (c->failed == NULL && !c->freed && c->in.n - at >= FRAME_HEADER_BYTES) {
		struct frame_header h;
		struct err err = ERR_INIT;
		struct str rest = str_from_offset(buf_str(&c->in), at);
		if (frame_header_decode(str_sub(rest, 0, FRAME_HEADER_BYTES), &h, &err) != 0) {
			channel_fail(c, "a frame's header makes no sense");
			return;
		}
		if (rest.n - FRAME_HEADER_BYTES < h.length)
			break;
		take_frame(c, &h, str_sub(rest, FRAME_HEADER_BYTES, h.length));
		at += FRAME_HEADER_BYTES + h.length;
	}
	buf_consume(&c->in, at);
	if (c->failed == NULL && !c->freed && c->in.n == 0 && c->received_n > 0)
		channel_fail(c, "a descriptor that belongs to no frame");
}

static void keep_handle(struct channel *c, int handle)
{
	if (handle < 0)
		return;
	if (c->received_n == ARRAY_LEN(c->received)) {
		c->loop->class->handle_close(c->loop, handle);
		channel_fail(c, "too many descriptors");
		return;
	}
	c->received[c->received_n++] = handle;
}

/* One read a turn, so that one peer does not keep the loop from the others. */
static void channel_read(struct channel *c)
{
	int handle = -1;
	char *room = buf_reserve(&c->in, READ_BYTES);
	assert(room != NULL);
	ssize_t n = c->loop->class->link_read(c->link, room, READ_BYTES, &handle);
	keep_handle(c, handle);
	if (n == -EAGAIN || c->failed != NULL)
		return;
	if (n <= 0) {
		channel_peer_gone(c, n == 0 ? "closed by the peer" : "the peer is gone");
		return;
	}
	buf_used(&c->in, (size_t)n);
	take_frames(c);
}

/* ---- the loop calls ---- */

static void channel_ready(void *arg, int events)
{
	struct channel *c = arg;
	c->busy = true;
	if (events & LINK_READ)
		channel_read(c);
	if (c->failed == NULL && !c->freed && events & LINK_WRITE)
		channel_flush(c);
	offer_room(c);
	channel_settle(c);
}

static void channel_turn(void *arg)
{
	struct channel *c = arg;
	c->busy = true;
	c->flush_set = false;
	if (c->failed == NULL && !c->full)
		channel_flush(c);
	offer_room(c);
	channel_settle(c);
}

static void channel_stalled(void *arg)
{
	struct channel *c = arg;
	c->busy = true;
	c->stall_set = false;
	channel_fail(c, "the peer stalls");
	channel_settle(c);
}

struct channel *channel_new(
	struct loop *loop, int handle, int us, int them, const struct channel_events *events)
{
	struct channel *c = xmalloc(sizeof(*c));
	c->loop = loop;
	c->on = *events;
	c->us = us;
	c->them = them;
	c->request = us < them ? UINT32_MAX : 0; /* odd: 1, 3, ...; even: 2, 4, ... */
	c->lanes[SMALL].credit = c->lanes[SMALL].they_may = LIMIT_CHANNEL_SMALL_CREDIT;
	c->lanes[BULK].credit = c->lanes[BULK].they_may = LIMIT_CHANNEL_BULK_CREDIT;
	buf_init(&c->lanes[SMALL].waiting, LIMIT_CHANNEL_QUEUE_BYTES);
	buf_init(&c->lanes[BULK].waiting, LIMIT_CHANNEL_BULK_CREDIT + FRAME_MOST);
	buf_init(&c->wire, WIRE_BYTES + FRAME_MOST);
	buf_init(&c->in, FRAME_MOST + READ_BYTES);
	arena_init(&c->arena, ARENA_BYTES);
	c->flush = loop->class->timer_new(loop, channel_turn, c);
	c->stall = loop->class->timer_new(loop, channel_stalled, c);
	c->link = loop->class->link_new(
		loop, handle, &(struct link_events){ .ready = channel_ready, .arg = c });
	if (c->link == NULL)
		channel_fail(c, "no link");
	else
		loop->class->link_want(c->link, LINK_READ);
	return c;
}

void channel_set_number(struct channel *c, uint32_t number)
{
	c->number = number;
}

uint32_t channel_number(const struct channel *c)
{
	return c->number;
}

bool channel_dropped(const struct channel *c)
{
	return c->failed != NULL && !c->peer_gone;
}

bool channel_rest(const struct channel *c, struct channel_rest *ret)
{
	const struct lane *l = &c->lanes[SMALL], *b = &c->lanes[BULK];
	if (c->failed != NULL || c->in.n || c->wire.n || l->waiting.n || b->waiting.n ||
		c->passes_n || c->received_n || b->credit != LIMIT_CHANNEL_BULK_CREDIT ||
		b->they_may != LIMIT_CHANNEL_BULK_CREDIT)
		return false;
	*ret = (struct channel_rest){ .handle = c->loop->class->link_handle(c->link),
		.request = c->request,
		.credit = l->credit,
		.they_may = l->they_may,
		.owed = l->owed };
	return true;
}

struct channel *channel_resume(struct loop *loop, const struct channel_rest *rest, int us, int them,
	const struct channel_events *events)
{
	struct channel *c = channel_new(loop, rest->handle, us, them, events);
	c->request = rest->request;
	c->lanes[SMALL].credit = rest->credit;
	c->lanes[SMALL].they_may = rest->they_may;
	c->lanes[SMALL].owed = rest->owed;
	return c;
}

void channel_free(struct channel **channel)
{
	struct channel *c = *channel;
	if (c == NULL)
		return;
	*channel = NULL;
	/* What was said last still leaves, as far as the peer takes it at once. */
	if (c->failed == NULL && !c->full)
		channel_flush(c);
	channel_close(c);
	c->freed = true;
	if (!c->busy)
		channel_destroy(c);
}
