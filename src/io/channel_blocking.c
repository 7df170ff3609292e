// SPDX-License-Identifier: Apache-2.0
/*
 * The blocking channel (see channel.h): one question, one answer, a deadline. The frames and their
 * credit are those of every channel; the peer does not notice the difference.
 *
 * A question that ran into its deadline may be half sent, and its answer half received: both are
 * kept and completed by the next question.
 */
#include "io/channel.h"

#include "base/arena.h"
#include "base/limits.h"
#include "io/descriptor.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum {
	FRAME_MOST = FRAME_HEADER_BYTES + LIMIT_FRAME_BYTES,
	GRANT_BYTES = 64 * 1024,
	READ_BYTES = 4096,
	/* After a deadline has passed nobody waits again for so long, unless the late answer comes:
	 * a peer that is stuck must not stop its asker's other work time and again. */
	REST_MS = 1000,
};

struct blocking_channel {
	int fd; /* -1: the peer has gone */
	int us, them;
	struct clock_seam *clock;
	uint32_t request, number;
	bool dropped; /* for what it said, and nobody has asked yet */
	uint32_t credit, owed, they_may;
	uint32_t unanswered; /* questions that were given up and may still be answered */
	int64_t gave_up_ms;  /* when that happened last */
	int64_t begun_by_ms; /* when a peer must have begun to answer; 0: it has */
	struct buf out, in;
	struct arena arena;
};

static void peer_gone(struct blocking_channel *b)
{
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
}

static void peer_dropped(struct blocking_channel *b)
{
	b->dropped = true;
	peer_gone(b);
}

/* Writes what there is. False: the peer has gone. */
static bool write_some(struct blocking_channel *b)
{
	ssize_t n = descriptor_write(b->fd, b->out.p, b->out.n, -1);
	if (n > 0)
		buf_consume(&b->out, (size_t)n);
	return n > 0 || n == -EAGAIN;
}

static bool read_some(struct blocking_channel *b)
{
	char *room = buf_reserve(&b->in, READ_BYTES);
	ssize_t n = room == NULL ? -ENOBUFS : descriptor_read(b->fd, room, READ_BYTES, NULL);
	if (n > 0)
		buf_used(&b->in, (size_t)n);
	return n > 0 || n == -EAGAIN;
}

static bool take_credit(struct blocking_channel *b, const struct frame *f)
{
	if (f->credit.small > LIMIT_CHANNEL_SMALL_CREDIT - b->credit)
		return false;
	b->credit += f->credit.small;
	return true;
}

/* Gives back what answers cost, now and then. */
static void grant(struct blocking_channel *b, uint32_t cost)
{
	struct frame f = { .type = FRAME_CREDIT };
	b->owed += cost;
	if (b->owed < GRANT_BYTES)
		return;
	f.credit.small = b->owed;
	if (frame_encode(&f, 0, &b->out)) {
		b->they_may += b->owed;
		b->owed = 0;
	}
}

enum taken { TAKEN_ANSWER, TAKEN_OTHER, TAKEN_NONE, TAKEN_BAD };

/* One frame that has come whole. Its payload is copied to room, where the answer will live. */
static enum taken take_frame(struct blocking_channel *b, struct buf *room, struct frame *ret)
{
	struct frame_header h;
	struct err err = ERR_INIT;
	if (b->in.n < FRAME_HEADER_BYTES)
		return TAKEN_NONE;
	if (frame_header_decode(str_sub(buf_str(&b->in), 0, FRAME_HEADER_BYTES), &h, &err) != 0)
		return TAKEN_BAD;
	uint32_t cost = FRAME_HEADER_BYTES + h.length;
	if (b->in.n < cost)
		return TAKEN_NONE;
	buf_clear(room);
	if (!buf_add(room, b->in.p + FRAME_HEADER_BYTES, h.length))
		return TAKEN_BAD;
	buf_consume(&b->in, cost);
	arena_reset(&b->arena);
	if (!frame_allowed(h.type, b->them, b->us) ||
		frame_decode(&h, buf_str(room), &b->arena, ret, &err) != 0)
		return TAKEN_BAD;
	if (ret->type == FRAME_CREDIT)
		return take_credit(b, ret) ? TAKEN_OTHER : TAKEN_BAD;
	if (frame_is_bulk(h.type) || cost > b->they_may)
		return TAKEN_BAD;
	b->they_may -= cost;
	b->begun_by_ms = 0;
	grant(b, cost);
	if (h.request == b->request)
		return TAKEN_ANSWER;
	/* Another number: the late answer to a question that was given up. */
	if (b->unanswered > 0)
		b->unanswered--;
	return TAKEN_OTHER;
}

/* Sends and receives until the answer is here, the deadline has passed or the peer has gone. */
static bool exchange(
	struct blocking_channel *b, int64_t deadline_ms, struct buf *room, struct frame *ret)
{
	for (;;) {
		enum taken taken = take_frame(b, room, ret);
		if (taken == TAKEN_ANSWER)
			return true;
		if (taken == TAKEN_OTHER)
			continue;
		if (taken == TAKEN_BAD) {
			peer_dropped(b);
			return false;
		}
		int64_t left_ms = deadline_ms - b->clock->monotonic_ms(b->clock);
		struct pollfd p = { .fd = b->fd, .events = POLLIN };
		if (b->out.n > 0)
			p.events |= POLLOUT;
		if (left_ms <= 0 || (poll(&p, 1, (int)left_ms) < 0 && errno != EINTR))
			return false;
		if ((p.revents & POLLOUT && !write_some(b)) ||
			(p.revents & (POLLIN | POLLHUP | POLLERR) && !read_some(b))) {
			peer_gone(b);
			return false;
		}
	}
}

/* Takes what has come meanwhile: late answers, credit. */
static void catch_up(struct blocking_channel *b, struct buf *room)
{
	struct frame f;
	enum taken taken = TAKEN_NONE;
	for (;;) {
		size_t before = b->in.n;
		if (!read_some(b)) {
			peer_gone(b);
			return;
		}
		bool more = b->in.n > before;
		while ((taken = take_frame(b, room, &f)) == TAKEN_OTHER)
			;
		if (taken != TAKEN_NONE) { /* an answer to nothing */
			peer_dropped(b);
			return;
		}
		if (!more)
			return;
	}
}

/* Puts the question into out, when the peer gave credit for it. */
static bool put_question(struct blocking_channel *b, const struct frame *question)
{
	size_t before = b->out.n;
	if (!frame_encode(question, b->request, &b->out))
		return false;
	size_t cost = b->out.n - before;
	if (cost > b->credit) {
		buf_truncate(&b->out, before);
		return false;
	}
	b->credit -= (uint32_t)cost;
	return true;
}

int blocking_channel_start_ms(const struct blocking_channel *b)
{
	int64_t left_ms = b->begun_by_ms - b->clock->monotonic_ms(b->clock);
	return b->begun_by_ms != 0 && left_ms > 0 ? (int)left_ms : 0;
}

static bool rests(const struct blocking_channel *b, int64_t now_ms)
{
	return b->unanswered > 0 && now_ms - b->gave_up_ms < REST_MS && now_ms >= b->begun_by_ms;
}

int blocking_channel_ask(struct blocking_channel *b, const struct frame *question, int within_ms,
	struct buf *room, struct frame *ret_answer, struct err *err)
{
	int64_t now_ms = b->clock->monotonic_ms(b->clock);
	b->request += 2;
	if (b->request == 0)
		b->request = 2;
	if (b->fd >= 0 && (b->unanswered > 0 || b->credit < FRAME_MOST))
		catch_up(b, room);
	if (b->fd < 0)
		return fail_log(err, ERR_TEMP, "the peer has gone");
	if (rests(b, now_ms))
		return fail_log(err, ERR_TEMP, "the peer did not answer lately");
	if (!put_question(b, question))
		return fail_log(err, ERR_TEMP, "the peer takes no more questions");
	if (!exchange(b, now_ms + within_ms, room, ret_answer)) {
		b->unanswered++;
		b->gave_up_ms = b->clock->monotonic_ms(b->clock);
		return fail_log(err, ERR_TEMP, "no answer within %d ms", within_ms);
	}
	return 0;
}

void blocking_channel_set_number(struct blocking_channel *b, uint32_t number)
{
	b->number = number;
}

uint32_t blocking_channel_lost(struct blocking_channel *b)
{
	bool lost = b->dropped;
	b->dropped = false;
	return lost ? b->number : 0;
}

struct blocking_channel *blocking_channel_new(
	int handle, int us, int them, struct clock_seam *clock)
{
	struct blocking_channel *b = xmalloc(sizeof(*b));
	b->fd = handle;
	b->us = us;
	b->them = them;
	b->clock = clock;
	b->begun_by_ms = clock->monotonic_ms(clock) + LIMIT_KEYS_START_MS;
	b->request = us < them ? UINT32_MAX : 0;
	b->credit = b->they_may = LIMIT_CHANNEL_SMALL_CREDIT;
	buf_init(&b->out, 2 * FRAME_MOST);
	buf_init(&b->in, FRAME_MOST + READ_BYTES);
	arena_init(&b->arena, FRAME_MOST);
	return b;
}

void blocking_channel_free(struct blocking_channel **channel)
{
	struct blocking_channel *b = *channel;
	if (b == NULL)
		return;
	peer_gone(b);
	buf_done(&b->out);
	buf_done(&b->in);
	arena_done(&b->arena);
	free(b);
	*channel = NULL;
}
