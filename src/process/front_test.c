// SPDX-License-Identifier: Apache-2.0
/* A front by itself: how many questions and client addresses it keeps at once, and for how long it
 * waits for others. */
#include "process/front_test.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static void addresses_at_once(void **state)
{
	struct fixture x;
	char text[32];
	(void)state;
	up(&x);
	for (unsigned i = 0; i < LIMIT_FRONT_ADDRESSES - 2; i++) {
		snprintf(text, sizeof(text), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		assert_true(map_put(&x.front->per_address, str_from(text), &x));
	}
	comes(&x, "192.0.2.1"); /* N-1 */
	assert_int_equal(x.front->conns_n, 1);
	comes(&x, "192.0.2.2"); /* N */
	assert_int_equal(x.front->conns_n, 2);
	comes(&x, "192.0.2.3"); /* N+1 */
	assert_int_equal(x.front->conns_n, 2);
	comes(&x, "192.0.2.1"); /* is counted already */
	comes(&x, "127.0.0.1"); /* is not counted */
	assert_int_equal(x.front->conns_n, 4);
	map_remove(&x.front->per_address, STR("10.0.0.1"));
	comes(&x, "192.0.2.3");
	assert_int_equal(x.front->conns_n, 5);
	down(&x);
}

/* Its first connections, the youngest first, are alive or gone. */
static void are_alive(const struct fixture *x, const char *pattern)
{
	const struct conn *c = x->front->conns;
	for (; *pattern; pattern++, c = c->next) {
		assert_non_null(c);
		assert_int_equal(!c->dead, *pattern == '+');
	}
	assert_null(c);
}

static void x4_strangers_give_way(void **state)
{
	struct fixture x;
	(void)state;
	up(&x);
	x.front->settings.sessions = 3;
	x.door.service = service_row_named(STR("imap"));
	comes(&x, "192.0.2.1");
	x.front->conns->session->authenticated = true; /* the oldest, and it stays */
	conn_settle(x.front->conns);
	comes(&x, "192.0.2.2");
	comes(&x, "192.0.2.3");
	loop_sim_run_for(x.loop, LIMIT_STRANGER_STAY_MS - 1); /* N-1 */
	comes(&x, "192.0.2.4");
	are_alive(&x, "+++");
	assert_int_equal(x.front->per_address.n, 3); /* who was turned away is not counted */
	loop_sim_run_for(x.loop, 1);                 /* N */
	comes(&x, "192.0.2.4");
	are_alive(&x, "++-+");
	loop_sim_run_for(x.loop, 1); /* N+1 */
	are_alive(&x, "+++");
	comes(&x, "192.0.2.5");
	are_alive(&x, "++-+");
	comes(&x, "192.0.2.6"); /* the others have only just come */
	are_alive(&x, "++-+");
	loop_sim_run_for(x.loop, LIMIT_STRANGER_STAY_MS);
	for (struct conn *c = x.front->conns; c; c = c->next) {
		c->session->authenticated = true;
		conn_settle(c);
	}
	comes(&x, "192.0.2.7"); /* nobody is a stranger */
	are_alive(&x, "+++");
	down(&x);
}

/* Nobody can log in on port 25: who brings no mail gives way, the one whose message is being kept
 * never, and who brings some has come anew. */
static void x4_on_port_25(void **state)
{
	struct fixture x;
	(void)state;
	up(&x);
	x.front->settings.sessions = 3;
	comes(&x, "192.0.2.1");
	struct conn *keeping = x.front->conns;
	loop_sim_run_for(x.loop, 0); /* the greeting */
	keeping->session->keeping = true;
	conn_settle(keeping);
	comes(&x, "192.0.2.2");
	struct conn *bringing = x.front->conns;
	comes(&x, "192.0.2.3");
	struct conn *slow = x.front->conns;
	loop_sim_run_for(x.loop, LIMIT_STRANGER_STAY_MS - 1);
	comes(&x, "192.0.2.4");
	are_alive(&x, "+++");
	loop_sim_run_for(x.loop, 1);
	bringing->session->brought += LIMIT_STRANGER_BYTES; /* N */
	conn_settle(bringing);
	slow->session->brought += LIMIT_STRANGER_BYTES - 1; /* N-1 */
	conn_settle(slow);
	comes(&x, "192.0.2.4");
	are_alive(&x, "+-++");
	loop_sim_run_for(x.loop, 1);
	keeping->session->keeping = false; /* acknowledged: the youngest now */
	conn_settle(keeping);
	loop_sim_run_for(x.loop, LIMIT_STRANGER_STAY_MS - 1);
	comes(&x, "192.0.2.5");
	are_alive(&x, "++-+");
	loop_sim_run_for(x.loop, 1); /* N+1 */
	comes(&x, "192.0.2.6");
	are_alive(&x, "++-+");
	down(&x);
}

static unsigned strangers_in_order(const struct front *f)
{
	unsigned n = 0;
	const struct conn *older = NULL;
	for (const struct conn *c = f->oldest; c; older = c, c = c->younger, n++)
		assert_ptr_equal(c->older, older);
	assert_ptr_equal(f->youngest, older);
	return n;
}

/* Who comes back among the strangers is the youngest, wherever he stood before. */
static void a_stranger_again(void **state)
{
	struct fixture x;
	(void)state;
	up(&x);
	comes(&x, "192.0.2.1");
	struct conn *first = x.front->conns;
	comes(&x, "192.0.2.2");
	comes(&x, "192.0.2.3");
	loop_sim_run_for(x.loop, 0);
	for (int i = 0; i < 3; i++) {
		first->session->keeping = true;
		conn_settle(first);
		assert_int_equal(strangers_in_order(x.front), 2);
		first->session->keeping = false;
		conn_settle(first);
		assert_ptr_equal(x.front->youngest, first);
		assert_int_equal(strangers_in_order(x.front), 3);
		first = x.front->oldest;
		first->session->brought += LIMIT_STRANGER_BYTES;
		conn_settle(first);
		assert_int_equal(strangers_in_order(x.front), 3);
		first = x.front->oldest;
	}
	down(&x);
}

static uint32_t asks(struct fixture *x)
{
	static const struct frame question = { .type = FRAME_RESOLVE,
		.resolve.address = STR_INIT("a@b") };
	return asks_for(x, &question);
}

/* Whether a question went to the store: one that is refused has a number of the front's own. */
static bool went_out(uint32_t request)
{
	return !(request & 0x80000000u);
}

static void questions_at_once(void **state)
{
	struct fixture x;
	int pair[2];
	(void)state;
	up(&x);
	assert_int_equal(x.loop->class->pair(x.loop, pair), 0);
	asks_set_channel(x.front, ASK_STORE, pair[0]);
	comes(&x, "192.0.2.1");
	const struct map *open = &x.front->peers[ASK_STORE].asks;
	while (open->n < LIMIT_FRONT_QUESTIONS - 2)
		assert_true(went_out(asks(&x)));
	assert_true(went_out(asks(&x))); /* N-1 */
	uint32_t last = asks(&x);
	assert_true(went_out(last));      /* N */
	assert_false(went_out(asks(&x))); /* N+1 */
	assert_int_equal(open->n, LIMIT_FRONT_QUESTIONS + 1);
	asks_turn(x.front); /* it is told to come again, and goes on */
	assert_int_equal(open->n, LIMIT_FRONT_QUESTIONS);
	assert_false(x.front->conns->dead);
	x.front->host.cancel(&x.front->host, x.front->conns->session, last);
	assert_true(went_out(asks(&x)));
	down(&x);
}

/* ---- between two stores ---- */

/* What came to the next store. */
struct next_store {
	struct channel *channel;
	unsigned n;
	uint32_t requests[8];
	uint16_t types[8];
};

static bool store_hears(void *arg, uint32_t request, const struct frame *frame, int handle)
{
	struct next_store *s = arg;
	assert_true(handle < 0 && s->n < ARRAY_LEN(s->requests));
	s->requests[s->n] = request;
	s->types[s->n++] = (uint16_t)frame->type;
	return true;
}

static void store_gone(void *arg, const char *reason)
{
	(void)arg;
	(void)reason;
}

/* A front with a client, whose store has just gone. */
static void up_without_store(struct fixture *x)
{
	static const struct frame open = { .type = FRAME_UPLOAD_OPEN };
	int pair[2];
	up(x);
	assert_int_equal(x->loop->class->pair(x->loop, pair), 0);
	asks_set_channel(x->front, ASK_STORE, pair[0]);
	comes(x, "192.0.2.1");
	assert_true(went_out(asks_for(x, &open)));
	x->loop->class->handle_close(x->loop, pair[1]);
	loop_sim_run_for(x->loop, 0);
	assert_null(x->front->peers[ASK_STORE].channel);
	assert_int_equal(x->front->peers[ASK_STORE].asks.n, 0); /* it may have been done or not */
}

static void questions_wait_for_the_next_store(void **state)
{
	static const struct frame open = { .type = FRAME_UPLOAD_OPEN },
				  bytes = { .type = FRAME_UPLOAD_BYTES,
					  .upload_bytes.data = STR_INIT("x") },
				  listing = { .type = FRAME_MAILBOX_STATUS };
	struct fixture x;
	struct next_store next = { .n = 0 };
	struct channel_events events = { .frame = store_hears, .closed = store_gone, .arg = &next };
	int pair[2];
	(void)state;
	up_without_store(&x);
	struct session_host *host = &x.front->host;
	struct session *session = x.front->conns->session;
	uint32_t first = asks(&x), second = asks(&x), upload = asks_for(&x, &open);
	assert_true(went_out(first) && went_out(second) && went_out(upload));
	assert_false(went_out(asks_for(&x, &listing))); /* names a session */
	host->cancel(host, session, second);
	assert_false(host->tell(host, session, ASK_STORE, upload, &bytes));
	assert_true(x.front->conns->wants_room);
	assert_int_equal(x.loop->class->pair(x.loop, pair), 0);
	next.channel = channel_new(
		x.loop, pair[1], CLASS_STORE, x.front->base.context->row->channel_class, &events);
	asks_set_channel(x.front, ASK_STORE, pair[0]);
	assert_false(x.front->conns->wants_room);
	assert_true(host->tell(host, session, ASK_STORE, upload, &bytes));
	uint32_t third = asks(&x);
	loop_sim_run_for(x.loop, 1000);
	assert_int_equal(next.n, 4);
	assert_int_equal(next.requests[0], first);
	assert_int_equal(next.types[0], FRAME_RESOLVE);
	assert_int_equal(next.types[1], FRAME_UPLOAD_OPEN);
	assert_int_equal(next.requests[1], upload);
	assert_int_equal(next.types[2] + next.types[3], FRAME_UPLOAD_BYTES + FRAME_RESOLVE);
	assert_int_equal(next.requests[2] + next.requests[3], third + upload);
	assert_int_equal(x.front->held.n + x.front->held_bytes, 0);
	channel_free(&next.channel);
	down(&x);
}

/* A client goes while the store opens its session: that is closed, since nobody else will. */
static void a_session_that_nobody_waits_for(void **state)
{
	static const struct frame open = { .type = FRAME_SESSION_OPEN,
		.session_open.service = STR_INIT("imap") },
				  is = { .type = FRAME_SESSION_IS, .session_is.session = 77 };
	struct fixture x;
	struct next_store store = { .n = 0 };
	struct channel_events events = {
		.frame = store_hears, .closed = store_gone, .arg = &store
	};
	int pair[2];
	(void)state;
	up_as(&x, CLASS_USER);
	x.door.service = service_row_named(STR("imap"));
	assert_int_equal(x.loop->class->pair(x.loop, pair), 0);
	store.channel = channel_new(x.loop, pair[1], CLASS_STORE, CLASS_USER, &events);
	asks_set_channel(x.front, ASK_STORE, pair[0]);
	/* it stays; it has gone; it is about to be freed */
	for (int goes = 0; goes <= 2; goes++) {
		store.n = 0;
		comes(&x, "192.0.2.1");
		uint32_t request = asks_for(&x, &open);
		loop_sim_run_for(x.loop, 1000);
		assert_int_equal(store.n, 1);
		if (goes == 1)
			conn_kill(x.front->conns);
		loop_sim_run_for(x.loop, 1000);
		assert_true(channel_send(store.channel, request, &is));
		if (goes == 2)
			x.front->conns->dead = true;
		loop_sim_run_for(x.loop, 1000);
		assert_int_equal(store.n, goes ? 2 : 1);
	}
	assert_int_equal(store.types[1], FRAME_SESSION_CLOSE);
	channel_free(&store.channel);
	down(&x);
}

/* A7: a client goes while the gate begins its exchange, which is ended there. */
static void a7_an_exchange_that_nobody_waits_for(void **state)
{
	static const struct frame begin = { .type = FRAME_EXCHANGE_BEGIN,
		.exchange_begin = { .service = STR_INIT("imap"),
			.mechanism = STR_INIT("SCRAM-SHA-256") } },
				  challenge = { .type = FRAME_CHALLENGE,
					  .challenge = { 77, STR_INIT("r=x") } };
	struct fixture x;
	struct next_store gate = { .n = 0 };
	struct channel_events events = { .frame = store_hears, .closed = store_gone, .arg = &gate };
	int pair[2];
	(void)state;
	up_as(&x, CLASS_USER);
	x.door.service = service_row_named(STR("imap"));
	assert_int_equal(x.loop->class->pair(x.loop, pair), 0);
	gate.channel = channel_new(x.loop, pair[1], CLASS_GATE, CLASS_USER, &events);
	asks_set_channel(x.front, ASK_GATE, pair[0]);
	comes(&x, "192.0.2.1");
	struct session_host *host = &x.front->host;
	uint32_t request = host->ask(host, x.front->conns->session, ASK_GATE, &begin);
	conn_kill(x.front->conns);
	loop_sim_run_for(x.loop, 1000);
	assert_int_equal(gate.n, 1);
	assert_true(channel_send(gate.channel, request, &challenge));
	loop_sim_run_for(x.loop, 1000);
	assert_int_equal(gate.n, 2);
	assert_int_equal(gate.types[1], FRAME_EXCHANGE_GO_ON);
	channel_free(&gate.channel);
	down(&x);
}

static uint32_t upload_under_way;
static void (*frees)(struct session **);

/* As a session does whose message has come in part. */
static void aborts_and_frees(struct session **s)
{
	static const struct frame abort = { .type = FRAME_UPLOAD_ABORT };
	struct session_host *host = &((struct conn *)(*s)->host_data)->front->host;
	host->tell(host, *s, ASK_STORE, upload_under_way, &abort);
	frees(s);
}

/* T11: a client goes in the middle of a message. The store hears that it is given up. */
static void t11_a_message_that_is_cut(void **state)
{
	static const struct frame open = { .type = FRAME_UPLOAD_OPEN };
	struct session_class cut;
	struct fixture x;
	struct next_store store = { .n = 0 };
	struct channel_events events = {
		.frame = store_hears, .closed = store_gone, .arg = &store
	};
	int pair[2];
	(void)state;
	up(&x);
	assert_int_equal(x.loop->class->pair(x.loop, pair), 0);
	store.channel = channel_new(x.loop, pair[1], CLASS_STORE, CLASS_MX, &events);
	asks_set_channel(x.front, ASK_STORE, pair[0]);
	comes(&x, "192.0.2.1");
	struct session *session = x.front->conns->session;
	cut = *session->class;
	frees = cut.free;
	cut.free = aborts_and_frees;
	session->class = &cut;
	upload_under_way = asks_for(&x, &open);
	loop_sim_run_for(x.loop, 1000);
	conn_kill(x.front->conns);
	loop_sim_run_for(x.loop, 1000);
	assert_int_equal(store.n, 2);
	assert_int_equal(store.types[1], FRAME_UPLOAD_ABORT);
	assert_int_equal(store.requests[1], upload_under_way);
	assert_int_equal(x.front->peers[ASK_STORE].asks.n, 0);
	channel_free(&store.channel);
	down(&x);
}

/* The store keeps the number of an upload that it has given up, for what still comes of it: until
 * it hears that nothing does. */
static void an_upload_that_the_store_gives_up(void **state)
{
	static const struct frame open = { .type = FRAME_UPLOAD_OPEN },
				  bytes = { .type = FRAME_UPLOAD_BYTES,
					  .upload_bytes.data = STR_INIT("x") },
				  failed = { .type = FRAME_FAILED, .failed.kind = ERR_FULL };
	struct fixture x;
	struct next_store store = { .n = 0 };
	struct channel_events events = {
		.frame = store_hears, .closed = store_gone, .arg = &store
	};
	int pair[2];
	(void)state;
	up(&x);
	assert_int_equal(x.loop->class->pair(x.loop, pair), 0);
	store.channel = channel_new(x.loop, pair[1], CLASS_STORE, CLASS_MX, &events);
	asks_set_channel(x.front, ASK_STORE, pair[0]);
	comes(&x, "192.0.2.1");
	struct session *session = x.front->conns->session;
	uint32_t upload = asks_for(&x, &open), other = asks(&x);
	loop_sim_run_for(x.loop, 1000);
	assert_true(channel_send(store.channel, other, &failed));
	assert_true(channel_send(store.channel, upload, &failed));
	loop_sim_run_for(x.loop, 1000);
	assert_true(x.front->host.tell(&x.front->host, session, ASK_STORE, upload, &bytes));
	loop_sim_run_for(x.loop, 1000);
	assert_int_equal(store.n, 3);
	assert_int_equal(store.types[2], FRAME_UPLOAD_ABORT);
	assert_int_equal(store.requests[2], upload);
	channel_free(&store.channel);
	down(&x);
}

/* A store that is asked, and goes. */
static void store_comes_and_goes(struct fixture *x, const struct frame *const *questions, size_t n)
{
	int pair[2];
	assert_int_equal(x->loop->class->pair(x->loop, pair), 0);
	asks_set_channel(x->front, ASK_STORE, pair[0]);
	for (size_t i = 0; i < n; i++)
		assert_true(went_out(asks_for(x, questions[i])));
	x->loop->class->handle_close(x->loop, pair[1]);
	loop_sim_run_for(x->loop, 0);
	assert_null(x->front->peers[ASK_STORE].channel);
}

/* What was asked and not answered is asked again, once, if it may be done twice. */
static void questions_are_asked_again(void **state)
{
	static const struct frame who = { .type = FRAME_RESOLVE,
		.resolve.address = STR_INIT("a@b") },
				  come = { .type = FRAME_SESSION_OPEN,
					  .session_open.service = STR_INIT("imap") },
				  upload = { .type = FRAME_UPLOAD_OPEN },
				  listing = { .type = FRAME_MAILBOX_STATUS };
	static const struct frame *const questions[] = { &who, &upload, &come, &listing };
	struct fixture x;
	(void)state;
	up(&x);
	comes(&x, "192.0.2.1");
	store_comes_and_goes(&x, questions, ARRAY_LEN(questions));
	assert_int_equal(x.front->peers[ASK_STORE].asks.n, 2);
	assert_int_equal(x.front->held.n, 2);
	store_comes_and_goes(&x, NULL, 0);
	assert_int_equal(x.front->peers[ASK_STORE].asks.n, 0);
	down(&x);
}

static void questions_wait_for_a_second(void **state)
{
	struct fixture x;
	(void)state;
	up_without_store(&x);
	const struct map *open = &x.front->peers[ASK_STORE].asks;
	assert_true(went_out(asks(&x)));
	loop_sim_run_for(x.loop, LIMIT_FRONT_HOLD_MS - 1); /* N-1 */
	assert_int_equal(open->n, 1);
	assert_true(went_out(asks(&x)));
	loop_sim_run_for(x.loop, 1); /* N */
	assert_int_equal(open->n, 0);
	assert_false(went_out(asks(&x)));
	loop_sim_run_for(x.loop, 1); /* N+1 */
	assert_int_equal(open->n, 0);
	assert_false(went_out(asks(&x)));
	down(&x);
}

static void as_many_bytes_wait(void **state)
{
	struct fixture x;
	(void)state;
	up_without_store(&x);
	assert_true(went_out(asks(&x)));
	size_t one = x.front->held_bytes;
	for (int more = -1; more <= 1; more++) { /* N-1, N, N+1 */
		x.front->held_bytes = LIMIT_FRONT_HELD_BYTES + (size_t)more - one;
		assert_int_equal(went_out(asks(&x)), more <= 0);
	}
	down(&x);
}

/* A clock that stands still until it has been asked so often: then it is late_ms later. */
struct late_clock {
	struct clock_seam seam;
	struct clock_seam *real;
	int64_t late_ms;
	unsigned looks, on_time;
};

static int64_t late_wall_ms(struct clock_seam *seam)
{
	struct late_clock *c = CONTAINER_OF(seam, struct late_clock, seam);
	return c->real->wall_ms(c->real);
}

static int64_t late_monotonic_ms(struct clock_seam *seam)
{
	struct late_clock *c = CONTAINER_OF(seam, struct late_clock, seam);
	return c->real->monotonic_ms(c->real) + (c->looks++ < c->on_time ? 0 : c->late_ms);
}

static const struct frame_hand_over keys_come = { .kind = STR_INIT("keys"), .channel = 7 };

/* The answer of keys is there when it is looked for LIMIT_KEYS_MS after the question, a millisecond
 * sooner or later: in time is sooner. T10 */
static void t10_keys_have_their_time(void **state)
{
	static const char key[LIMIT_TICKET_KEY_BYTES] = { 1 };
	struct frame answer = { .type = FRAME_TICKET_KEY_IS,
		.ticket_key_is.key = str_make(key, sizeof(key)) };
	(void)state;
	for (int over = -1; over <= 1; over++) {
		struct fixture x;
		struct buf wire;
		int pair[2];
		up(&x);
		struct late_clock clock = { .seam = { late_wall_ms, late_monotonic_ms },
			.real = x.loop->clock,
			.late_ms = LIMIT_KEYS_MS + over,
			.on_time = 2 }; /* the channel's beginning, and the question */
		x.context.seams.clock = &clock.seam;
		buf_init(&wire, 1000);
		assert_true(frame_encode(&answer, 1, &wire)); /* the first question of ours */
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
		assert_int_equal(write(pair[1], wire.p, wire.n), wire.n);
		assert_true(front_tls_hand_over(x.front, &keys_come, pair[0]));
		assert_int_not_equal(tls_tickets_missing(x.front->tls.tickets), 0);
		loop_sim_run_for(x.loop, 100); /* it asks for the key of tickets */
		assert_true(clock.looks >= 3);
		assert_int_equal(tls_tickets_missing(x.front->tls.tickets) == 0, over < 0);
		close(pair[1]);
		buf_done(&wire);
		down(&x);
	}
}

static int signs(struct fixture *x, int keys, uint32_t request, struct late_clock *clock)
{
	struct frame answer = { .type = FRAME_SIGNATURE, .signature.signature = STR("signed") };
	struct err err = ERR_INIT;
	struct buf wire, signature;
	buf_init(&wire, 1000);
	buf_init(&signature, 1000);
	assert_true(frame_encode(&answer, request, &wire));
	assert_int_equal(write(keys, wire.p, wire.n), wire.n);
	clock->looks = 0;
	int result = front_tls_sign(x->front, "k", 1, STR("digest"), &signature, &err);
	assert_int_equal(result, signature.n > 0 ? 0 : -1);
	buf_done(&wire);
	buf_done(&signature);
	return result;
}

/* A keys that has said nothing yet has the time of a start, a millisecond less or more. One that
 * has answered has LIMIT_KEYS_MS. T10 */
static void t10_keys_may_start_later(void **state)
{
	(void)state;
	for (int over = -1; over <= 1; over++) {
		struct fixture x;
		int pair[2];
		up(&x);
		struct late_clock clock = { .seam = { late_wall_ms, late_monotonic_ms },
			.real = x.loop->clock,
			.on_time = 2 }; /* what is left of the start, and the question */
		x.context.seams.clock = &clock.seam;
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
		assert_true(front_tls_hand_over(x.front, &keys_come, pair[0]));
		clock.late_ms = LIMIT_KEYS_START_MS + over;
		assert_int_equal(signs(&x, pair[1], 1, &clock), over < 0 ? 0 : -1);
		if (over < 0) {
			clock.late_ms = LIMIT_KEYS_MS + over;
			assert_int_equal(signs(&x, pair[1], 3, &clock), 0);
			clock.late_ms = LIMIT_KEYS_MS;
			assert_int_equal(signs(&x, pair[1], 5, &clock), -1);
		}
		close(pair[1]);
		down(&x);
	}
}

static bool supervisor_hears(void *arg, uint32_t request, const struct frame *f, int handle)
{
	uint32_t *lost = arg;
	assert_int_equal(f->type, FRAME_CHANNEL_LOST);
	assert_int_equal(*lost, 0); /* once */
	*lost = f->channel_lost.channel;
	return request == 0 && handle < 0;
}

/* A keys that says what makes no sense is dropped: the supervisor is told, once. Not when it goes.
 */
static void keys_that_make_no_sense(void **state)
{
	(void)state;
	for (int goes = 0; goes <= 1; goes++) {
		struct fixture x;
		struct err err = ERR_INIT;
		uint32_t lost = 0;
		int pair[2], control[2];
		up(&x);
		struct channel_events events = {
			.frame = supervisor_hears, .closed = store_gone, .arg = &lost
		};
		assert_int_equal(x.loop->class->pair(x.loop, control), 0);
		struct channel *supervisor = channel_new(x.loop, control[0], CLASS_SUPERVISOR,
			x.context.row->channel_class, &events);
		x.context.control = channel_new(x.loop, control[1], x.context.row->channel_class,
			CLASS_SUPERVISOR, &events);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
		assert_true(front_tls_hand_over(x.front, &keys_come, pair[0]));
		if (!goes)
			assert_int_equal(write(pair[1], "no frame at all.", 16), 16);
		else
			close(pair[1]);
		for (int i = 0; i < 2; i++)
			assert_int_equal(
				front_tls_sign(x.front, "k", 1, STR("digest"), NULL, &err), -1);
		loop_sim_run_for(x.loop, 1000);
		assert_int_equal(lost, goes ? 0 : 7);
		if (!goes)
			close(pair[1]);
		channel_free(&supervisor);
		channel_free(&x.context.control);
		down(&x);
	}
}

/* A8: who takes nothing is not waited for with a login that has ended. */
static void a8_a_client_that_does_not_listen(void **state)
{
	static const struct loop_sim_network narrow = { .delay_ms = 0, .buffer_bytes = 1 };
	struct fixture x;
	(void)state;
	up(&x);
	loop_sim_set_network(x.loop, &narrow);
	comes(&x, "192.0.2.1");
	loop_sim_run_for(x.loop, 1000);
	struct conn *c = x.front->conns;
	c->session->next = NEXT_CLOSE;
	c->session->cut = true;
	conn_settle(c);
	loop_sim_run_for(x.loop, LIMIT_CUT_MS - 1); /* N-1 */
	assert_int_equal(x.front->conns_n, 1);
	assert_false(c->dead);
	loop_sim_run_for(x.loop, 1); /* N */
	assert_int_equal(x.front->conns_n, 0);
	loop_sim_run_for(x.loop, 1); /* N+1 */
	assert_int_equal(x.front->conns_n, 0);
	down(&x);
}

TEST_MAIN(test_case(addresses_at_once), test_case(x4_strangers_give_way), test_case(x4_on_port_25),
	test_case(a_stranger_again), test_case(questions_at_once),
	test_case(questions_wait_for_the_next_store), test_case(questions_wait_for_a_second),
	test_case(questions_are_asked_again), test_case(a_session_that_nobody_waits_for),
	test_case(as_many_bytes_wait), test_case(t11_a_message_that_is_cut),
	test_case(a7_an_exchange_that_nobody_waits_for),
	test_case(an_upload_that_the_store_gives_up), test_case(t10_keys_have_their_time),
	test_case(t10_keys_may_start_later), test_case(keys_that_make_no_sense),
	test_case(a8_a_client_that_does_not_listen))
