// SPDX-License-Identifier: Apache-2.0
/* Channels over socket pairs: both lanes, credit, handles, hostile peers, the
 * blocking one. */
#include "io/channel.h"

#include "api/schemes.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/test.h"
#include "io/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

/* One side with what it saw. */
struct side {
	struct loop *loop;
	struct channel *channel;
	struct {
		uint16_t type;
		uint32_t request;
	} saw[4096];
	size_t n, bulk_n, held;
	int rooms;
	int handles[4];
	size_t handles_n;
	bool hold, refuse, free_inside, stop_at_room;
	size_t stop_after; /* frames */
	int to_pump;
	struct frame pumped;
	const char *reason;
};

static bool saw_frame(void *arg, uint32_t request, const struct frame *f, int received)
{
	struct side *s = arg;
	assert_true(s->n < ARRAY_LEN(s->saw));
	s->saw[s->n].type = (uint16_t)f->type;
	s->saw[s->n++].request = request;
	s->bulk_n += frame_is_bulk((uint16_t)f->type);
	if (received >= 0)
		s->handles[s->handles_n++] = received;
	if (s->hold)
		s->held += channel_hold(s->channel);
	if (s->n == s->stop_after)
		s->loop->class->stop(s->loop);
	if (s->free_inside)
		channel_free(&s->channel);
	return !s->refuse;
}
static void saw_room(void *arg)
{
	struct side *s = arg;
	s->rooms++;
	if (s->stop_at_room)
		s->loop->class->stop(s->loop);
}
static void saw_closed(void *arg, const char *reason)
{
	struct side *s = arg;
	assert_null(s->reason);
	s->reason = reason;
	s->loop->class->stop(s->loop);
}

static void side_init(struct side *s, struct loop *l, int handle, int us, int them)
{
	*s = (struct side){ .loop = l };
	s->channel = channel_new(l, handle, us, them,
		&(struct channel_events){ saw_frame, saw_room, saw_closed, s });
}

static void stop_loop(void *arg)
{
	struct loop *l = arg;
	l->class->stop(l);
}
static void run_for(struct loop *l, int ms)
{
	struct timer *t = l->class->timer_new(l, stop_loop, l);
	l->class->timer_set(t, l->clock->monotonic_ms(l->clock) + ms);
	l->class->run(l);
	l->class->timer_free(&t);
}

struct pairing {
	struct loop *loop;
	struct side front, store;
};
static struct pairing *pairing_new(void)
{
	struct pairing *p = xmalloc(sizeof(*p));
	int h[2];
	p->loop = loop_uv_new();
	assert_int_equal(p->loop->class->pair(p->loop, h), 0);
	side_init(&p->front, p->loop, h[0], CLASS_USER, CLASS_STORE);
	side_init(&p->store, p->loop, h[1], CLASS_STORE, CLASS_USER);
	return p;
}
static void pairing_free(struct pairing *p)
{
	channel_free(&p->front.channel);
	channel_free(&p->store.channel);
	loop_uv_free(&p->loop);
	free(p);
}

static const struct frame ping = { .type = FRAME_PING };
static char zeroes[65000];
static struct frame bulk_frame(size_t n)
{
	return (struct frame){ .type = FRAME_UPLOAD_BYTES,
		.upload_bytes = { str_make(zeroes, n) } };
}

static void frames_cross_in_order(void **state)
{
	(void)state;
	struct pairing *p = pairing_new();
	assert_int_equal(channel_next_request(p->front.channel), 1);
	assert_int_equal(channel_next_request(p->front.channel), 3);
	assert_int_equal(channel_next_request(p->store.channel), 2);
	struct frame resolve = { .type = FRAME_RESOLVE, .resolve = { .address = STR("a@b") } };
	for (uint32_t i = 1; i <= 100; i++)
		assert_true(channel_send(p->front.channel, i, &resolve));
	p->store.stop_after = 100;
	run_for(p->loop, 2000);
	assert_int_equal(p->store.n, 100);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(p->store.saw[i].request, i + 1);
	pairing_free(p);
}

/* Bulk is refused exactly at the end of its credit, and small frames overtake
 * what waits. */
static void bulk_stops_at_credit_and_small_overtakes(void **state)
{
	(void)state;
	struct pairing *p = pairing_new();
	struct frame bulk = bulk_frame(65000);
	size_t cost = FRAME_HEADER_BYTES + 4 + 65000, sent = 0;
	p->store.hold = true;
	while (channel_send(p->front.channel, 7, &bulk))
		sent++;
	assert_int_equal(sent, LIMIT_CHANNEL_BULK_CREDIT / cost);
	/* N - 1, N, N + 1 bytes of what is left */
	size_t left = LIMIT_CHANNEL_BULK_CREDIT - sent * cost - FRAME_HEADER_BYTES - 4;
	struct frame rest = bulk_frame(left + 1);
	assert_false(channel_send(p->front.channel, 7, &rest));
	rest = bulk_frame(left);
	assert_true(channel_send(p->front.channel, 7, &rest));
	rest = bulk_frame(0);
	assert_false(channel_send(p->front.channel, 7, &rest));
	assert_true(channel_send(p->front.channel, 9, &ping));
	p->store.stop_after = sent + 2;
	run_for(p->loop, 5000);
	assert_int_equal(p->store.n, sent + 2);
	size_t at = 0;
	while (p->store.saw[at].type != FRAME_PING)
		at++;
	assert_true(at <= 3); /* the wire holds two bulk frames and a bit */
	assert_int_equal(p->store.held, LIMIT_CHANNEL_BULK_CREDIT);
	run_for(p->loop, 30);
	assert_int_equal(p->front.rooms, 0);
	p->front.stop_at_room = true;
	channel_grant(p->store.channel, p->store.held);
	run_for(p->loop, 2000);
	assert_int_equal(p->front.rooms, 1);
	rest = bulk_frame(65000);
	assert_true(channel_send(p->front.channel, 7, &rest));
	pairing_free(p);
}

/* Much more than the credit in both lanes, both ways at once. */
static void pump(void *arg)
{
	struct side *s = arg;
	s->rooms++;
	while (s->to_pump > 0 && channel_send(s->channel, 1, &s->pumped))
		s->to_pump--;
}
static void credit_renews(void **state)
{
	(void)state;
	struct pairing *p = xmalloc(sizeof(*p));
	int h[2];
	p->loop = loop_uv_new();
	assert_int_equal(p->loop->class->pair(p->loop, h), 0);
	p->front = (struct side){ .loop = p->loop, .to_pump = 200, .pumped = bulk_frame(64000) };
	p->store = (struct side){ .loop = p->loop, .to_pump = 200 };
	p->store.pumped = (struct frame){ .type = FRAME_MESSAGE_BYTES,
		.message_bytes = { .data = str_make(zeroes, 64000) } };
	p->front.channel = channel_new(p->loop, h[0], CLASS_USER, CLASS_STORE,
		&(struct channel_events){ saw_frame, pump, saw_closed, &p->front });
	p->store.channel = channel_new(p->loop, h[1], CLASS_STORE, CLASS_USER,
		&(struct channel_events){ saw_frame, pump, saw_closed, &p->store });
	pump(&p->front);
	pump(&p->store);
	/* 1.4 MiB of small frames as well: more than their credit */
	struct frame subscribe = { .type = FRAME_MAILBOX_SUBSCRIBE,
		.mailbox_subscribe = { .name = str_make(zeroes, 1000) } };
	for (int i = 0; i < 1400; i++)
		assert_true(channel_send(p->front.channel, 5, &subscribe));
	for (int i = 0; i < 100 && (p->store.n < 1600 || p->front.n < 200); i++)
		run_for(p->loop, 50);
	assert_null(p->front.reason);
	assert_null(p->store.reason);
	assert_int_equal(p->store.bulk_n, 200);
	assert_int_equal(p->store.n, 1600);
	assert_int_equal(p->front.bulk_n, 200);
	assert_true(p->front.rooms > 1);
	pairing_free(p);
}

/* The queue of small frames, filled to the byte: N-1 and N fit, one more costs
 * the peer the channel. */
static void small_queue_is_bounded(void **state)
{
	enum { NAME = 500, COST = FRAME_HEADER_BYTES + 4 + 4 + NAME + 1 };
	(void)state;
	for (int over = -1; over <= 1; over++) {
		struct pairing *p = pairing_new();
		struct frame subscribe = { .type = FRAME_MAILBOX_SUBSCRIBE,
			.mailbox_subscribe = { .name = str_make(zeroes, NAME), .on = true } };
		for (size_t i = 1; i < LIMIT_CHANNEL_QUEUE_BYTES / COST; i++)
			assert_true(channel_send(p->front.channel, 1, &subscribe));
		size_t rest = LIMIT_CHANNEL_QUEUE_BYTES % COST;
		subscribe.mailbox_subscribe.name = str_make(
			zeroes, (size_t)((int)(NAME + rest) + over));
		assert_true(channel_send(p->front.channel, 1, &subscribe));
		assert_null(p->front.reason); /* never from inside channel_send */
		run_for(p->loop, over > 0 ? 2000 : 1);
		if (over > 0)
			assert_string_equal(p->front.reason, "the peer does not keep up");
		else
			assert_null(p->front.reason);
		pairing_free(p);
	}
}

static void handles_cross_with_their_frames(void **state)
{
	(void)state;
	struct pairing *p = pairing_new();
	int h[2], pipes[3][2];
	channel_free(&p->front.channel);
	channel_free(&p->store.channel);
	assert_int_equal(p->loop->class->pair(p->loop, h), 0);
	side_init(&p->front, p->loop, h[0], CLASS_SUPERVISOR, CLASS_STORE);
	side_init(&p->store, p->loop, h[1], CLASS_STORE, CLASS_SUPERVISOR);
	struct frame over = { .type = FRAME_HAND_OVER, .hand_over = { .kind = STR("smtp") } };
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pipe(pipes[i]), 0);
		assert_true(channel_send(p->front.channel, 0, &ping));
		channel_send_handle(p->front.channel, (uint32_t)i, &over, pipes[i][1]);
	}
	p->store.stop_after = 6;
	run_for(p->loop, 2000);
	assert_null(p->store.reason);
	assert_int_equal(p->store.n, 6);
	assert_int_equal(p->store.handles_n, 3);
	for (int i = 0; i < 3; i++) { /* each the right one, and nobody else has it */
		char c;
		assert_int_equal(write(p->store.handles[i], "x", 1), 1);
		close(p->store.handles[i]);
		assert_int_equal(read(pipes[i][0], &c, 1), 1);
		assert_int_equal(read(pipes[i][0], &c, 1), 0);
		close(pipes[i][0]);
	}
	pairing_free(p);
}

/* Frees inside of events, and unsent handles: nothing leaks (run with ASan),
 * nothing crashes. */
static void freed_from_inside(void **state)
{
	(void)state;
	struct pairing *p = pairing_new();
	p->store.free_inside = true;
	assert_true(channel_send(p->front.channel, 1, &ping));
	assert_true(channel_send(p->front.channel, 1, &ping));
	run_for(p->loop, 2000);
	assert_int_equal(p->store.n, 1);
	assert_null(p->store.channel);
	assert_string_equal(p->front.reason, "closed by the peer");
	pairing_free(p);
}

static void last_words_leave(void **state)
{
	(void)state;
	struct pairing *p = pairing_new();
	assert_true(channel_send(p->front.channel, 1, &ping));
	channel_free(&p->front.channel);
	run_for(p->loop, 2000);
	assert_int_equal(p->store.n, 1);
	assert_string_equal(p->store.reason, "closed by the peer");
	pairing_free(p);
}

static void refused_frames_close(void **state)
{
	(void)state;
	struct pairing *p = pairing_new();
	p->store.refuse = true;
	assert_true(channel_send(p->front.channel, 1, &ping));
	run_for(p->loop, 2000);
	if (p->store.reason == NULL)
		run_for(p->loop, 2000);
	assert_string_equal(p->store.reason, "a frame that is not allowed here");
	pairing_free(p);
}

/* ---- hostile bytes ---- */

static void put_header(struct buf *b, uint32_t length, uint16_t type, uint16_t version)
{
	unsigned char h[FRAME_HEADER_BYTES] = { length & 255, length >> 8 & 255, length >> 16 & 255,
		length >> 24 & 255, type & 255, type >> 8, version & 255, version >> 8 };
	buf_add(b, h, sizeof(h));
}

struct hostile {
	const char *name;
	uint32_t length, sent;
	uint16_t type, version;
	int copies;
	int descriptor;
	const char *reason;
};
static const struct hostile hostile[] = {
	{ "unknown version", 0, 0, FRAME_PING, 2, 1, 0, "a frame's header makes no sense" },
	{ "limit of length, unknown type", LIMIT_FRAME_BYTES, LIMIT_FRAME_BYTES, 9999, 1, 1, 0,
		"a frame that this peer may not send" },
	{ "length above limit", LIMIT_FRAME_BYTES + 1, 0, FRAME_PING, 1, 1, 0,
		"a frame's header makes no sense" },
	{ "length 2^32-1", UINT32_MAX, 0, FRAME_PING, 1, 1, 0, "a frame's header makes no sense" },
	{ "another class's frame", 0, 0, FRAME_STORE_CHECK, 1, 1, 0,
		"a frame that this peer may not send" },
	{ "the other direction", 0, 0, FRAME_RESOLVED, 1, 1, 0,
		"a frame that this peer may not send" },
	{ "trailing bytes", 5, 5, FRAME_PING, 1, 1, 0, "a frame that makes no sense" },
	{ "too much credit", 8, 8, FRAME_CREDIT, 1, 1, 0, "more credit than there is" },
	{ "a handle with a frame that has none", 0, 0, FRAME_PING, 1, 1, 1,
		"a descriptor that belongs to no frame" },
	{ "cut inside a frame", 9, 3, FRAME_PING, 1, 1, 0, "closed by the peer" },
	{ "beyond the small credit", 65, 65, FRAME_UIDS, 1, LIMIT_CHANNEL_SMALL_CREDIT, 0, NULL },
};

static void hostile_peers_lose_the_channel(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hostile) - 1; i++) {
		const struct hostile *t = &hostile[i];
		struct loop *l = loop_uv_new();
		struct side store;
		int h[2];
		assert_int_equal(l->class->pair(l, h), 0);
		side_init(&store, l, h[1], CLASS_STORE, CLASS_USER);
		struct buf b;
		buf_init(&b, 2 * LIMIT_FRAME_BYTES);
		put_header(&b, t->length, t->type, t->version);
		char *fill = buf_reserve(&b, t->sent);
		memset(fill, t->type == FRAME_CREDIT ? 1 : 0, t->sent);
		buf_used(&b, t->sent);
		/* whole, and byte by byte */
		if (t->sent < 100 && !t->descriptor) {
			for (size_t k = 0; k < b.n; k++) {
				descriptor_write(h[0], b.p + k, 1, -1);
				run_for(l, 1);
			}
		} else {
			assert_int_equal(
				descriptor_write(h[0], b.p, b.n, t->descriptor ? 1 : -1), b.n);
		}
		if (t->sent < t->length)
			close(h[0]);
		for (int k = 0; k < 100 && store.reason == NULL; k++)
			run_for(l, 10);
		if (store.reason == NULL || strcmp(store.reason, t->reason) != 0)
			fail_msg("%s: %s", t->name, store.reason);
		if (t->sent >= t->length)
			close(h[0]);
		buf_done(&b);
		channel_free(&store.channel);
		loop_uv_free(&l);
	}
}

/* A peer that sends all of its bulk credit is heard; one byte more is too much.
 */
static void credit_is_enforced_on_the_receiver(void **state)
{
	(void)state;
	for (int beyond = 0; beyond <= 1; beyond++) {
		struct loop *l = loop_uv_new();
		struct side store;
		int h[2];
		assert_int_equal(l->class->pair(l, h), 0);
		side_init(&store, l, h[1], CLASS_STORE, CLASS_USER);
		store.hold = true;
		struct buf b;
		buf_init(&b, LIMIT_CHANNEL_BULK_CREDIT + 100);
		size_t full = LIMIT_CHANNEL_BULK_CREDIT / 16;
		for (int i = 0; i < 16; i++) {
			size_t n = full - FRAME_HEADER_BYTES - 4;
			struct frame f = bulk_frame(n < 65000 ? n : 65000);
			if (i == 0) /* exactly the credit in all, and then one byte more */
				f = bulk_frame(65000);
			assert_true(frame_encode(&f, 1, &b));
		}
		size_t left = LIMIT_CHANNEL_BULK_CREDIT - b.n;
		struct frame f = bulk_frame(left - FRAME_HEADER_BYTES - 4 + (size_t)beyond);
		assert_true(frame_encode(&f, 1, &b));
		assert_int_equal(b.n, LIMIT_CHANNEL_BULK_CREDIT + (size_t)beyond);
		for (int k = 0; k < 2000 && b.n > 0 && store.reason == NULL; k++) {
			ssize_t n = descriptor_write(h[0], b.p, b.n, -1);
			if (n > 0)
				buf_consume(&b, (size_t)n);
			run_for(l, 1);
		}
		run_for(l, 20);
		assert_int_equal(store.n, beyond ? 16 : 17);
		if (beyond)
			assert_string_equal(store.reason, "sent beyond its credit");
		else
			assert_null(store.reason);
		buf_done(&b);
		close(h[0]);
		channel_free(&store.channel);
		loop_uv_free(&l);
	}
}

/* ---- the blocking channel ---- */

struct keys {
	int fd;
	atomic_int after_ms, answers;
	atomic_bool die;
};
static void *keys_main(void *arg)
{
	struct keys *k = arg;
	struct buf in;
	buf_init(&in, 1 << 20);
	for (;;) {
		char *room = buf_reserve(&in, 4096);
		struct pollfd p = { .fd = k->fd, .events = POLLIN };
		poll(&p, 1, 2000);
		ssize_t n = descriptor_read(k->fd, room, 4096, NULL);
		if (n <= 0 || k->die)
			break;
		buf_used(&in, (size_t)n);
		struct frame_header h;
		struct err err = ERR_INIT;
		while (in.n >= FRAME_HEADER_BYTES &&
			frame_header_decode(
				str_sub(buf_str(&in), 0, FRAME_HEADER_BYTES), &h, &err) == 0 &&
			in.n >= FRAME_HEADER_BYTES + h.length) {
			buf_consume(&in, FRAME_HEADER_BYTES + h.length);
			if (h.type != FRAME_SIGN)
				continue;
			usleep((useconds_t)k->after_ms * 1000);
			k->after_ms = 0;
			struct buf out;
			buf_init(&out, 4096);
			struct frame f = { .type = FRAME_SIGNATURE,
				.signature = { .signature = STR("signed") } };
			assert_true(frame_encode(&f, h.request, &out));
			atomic_fetch_add(&k->answers, 1); /* before it is heard */
			descriptor_write(k->fd, out.p, out.n, -1);
			buf_done(&out);
		}
	}
	close(k->fd);
	buf_done(&in);
	return NULL;
}

static void blocking_questions(void **state)
{
	(void)state;
	int h[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, h), 0);
	struct keys keys = { .fd = h[1] };
	pthread_t thread;
	pthread_create(&thread, NULL, keys_main, &keys);
	struct blocking_channel *b = blocking_channel_new(h[0], CLASS_USER, CLASS_KEYS, clock_os());
	struct buf room;
	buf_init(&room, 8192);
	struct frame answer;
	struct err err = ERR_INIT;
	struct frame sign = { .type = FRAME_SIGN,
		.sign = { .key_id = STR("k"), .scheme = 1, .digest = str_make(zeroes, 32) } };
	/* more than the credit of answers and questions in all */
	for (int i = 0; i < 20000; i++) {
		assert_int_equal(blocking_channel_ask(b, &sign, 1000, &room, &answer, &err), 0);
		assert_int_equal(answer.type, FRAME_SIGNATURE);
		assert_str(answer.signature.signature, STR("signed"));
		if (i == 15000) /* the thread grants nothing; as keys' channel would */
			break;
	}
	blocking_channel_free(&b);
	pthread_join(thread, NULL);
	buf_done(&room);
}

/* T10: a late answer is not mistaken for the next one, a dead peer fails at
 * once. */
static void t10_blocking_deadline_and_death(void **state)
{
	(void)state;
	int h[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, h), 0);
	struct keys keys = { .fd = h[1] };
	pthread_t thread;
	pthread_create(&thread, NULL, keys_main, &keys);
	struct clock_seam *clock = clock_os();
	struct blocking_channel *b = blocking_channel_new(h[0], CLASS_USER, CLASS_KEYS, clock);
	struct buf room;
	buf_init(&room, 8192);
	struct frame answer;
	struct err err = ERR_INIT;
	struct frame sign = { .type = FRAME_SIGN, .sign = { .key_id = STR("k"), .scheme = 1 } };
	assert_in_range(blocking_channel_start_ms(b), 1, LIMIT_KEYS_START_MS);
	assert_int_equal(blocking_channel_ask(b, &sign, 1000, &room, &answer, &err), 0);
	assert_int_equal(blocking_channel_start_ms(b), 0);
	keys.after_ms = 2 * LIMIT_KEYS_MS;
	int64_t start = clock->monotonic_ms(clock);
	assert_int_equal(blocking_channel_ask(b, &sign, LIMIT_KEYS_MS, &room, &answer, &err), -1);
	assert_int_equal(err.kind, ERR_TEMP);
	int64_t took = clock->monotonic_ms(clock) - start;
	assert_true(took >= LIMIT_KEYS_MS && took < 2 * LIMIT_KEYS_MS);
	/* at once while the late answer is out */
	start = clock->monotonic_ms(clock);
	assert_int_equal(blocking_channel_ask(b, &sign, 1000, &room, &answer, &err), -1);
	assert_true(clock->monotonic_ms(clock) - start < 30);
	usleep(2 * LIMIT_KEYS_MS * 1000);
	assert_int_equal(blocking_channel_ask(b, &sign, 1000, &room, &answer, &err), 0);
	assert_int_equal(keys.answers, 3);
	keys.die = true;
	start = clock->monotonic_ms(clock);
	assert_int_equal(blocking_channel_ask(b, &sign, 2000, &room, &answer, &err), -1);
	assert_int_equal(blocking_channel_ask(b, &sign, 2000, &room, &answer, &err), -1);
	assert_true(clock->monotonic_ms(clock) - start < 1000);
	pthread_join(thread, NULL);
	blocking_channel_free(&b);
	buf_done(&room);
}

TEST_MAIN(test_case(frames_cross_in_order), test_case(bulk_stops_at_credit_and_small_overtakes),
	test_case(credit_renews), test_case(small_queue_is_bounded),
	test_case(handles_cross_with_their_frames), test_case(freed_from_inside),
	test_case(last_words_leave), test_case(refused_frames_close),
	test_case(hostile_peers_lose_the_channel), test_case(credit_is_enforced_on_the_receiver),
	test_case(blocking_questions), test_case(t10_blocking_deadline_and_death))
