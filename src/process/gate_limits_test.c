// SPDX-License-Identifier: Apache-2.0
/* The gate's limits of time and steps, to the millisecond: a gate without a world around it,
 * between a store and a front that are the test's. */
#include "process/gate_private.h"

#include "base/limits.h"
#include "base/test.h"
#include "io/loop_sim.h"

#include <stdlib.h>

struct peer {
	struct channel *channel;
	unsigned questions; /* that have a number */
	int type, kind;     /* of the last frame */
	uint32_t request;
};

struct fixture {
	struct loop *loop;
	struct random_fake random;
	struct log_sink sink;
	struct role_context context;
	struct gate gate;
	struct gate_client client;
	struct peer store, front;
};

static void drop_line(struct log_sink *sink, struct str line)
{
	(void)sink;
	(void)line;
}

static bool peer_frame(void *arg, uint32_t request, const struct frame *f, int handle)
{
	struct peer *p = arg;
	p->questions += request != 0;
	p->request = request;
	p->type = (int)f->type;
	p->kind = f->type == FRAME_FAILED ? f->failed.kind : ERR_NONE;
	return handle < 0;
}

static bool gate_frame(void *arg, uint32_t request, const struct frame *f, int handle)
{
	(void)arg;
	(void)request;
	(void)f;
	return handle < 0;
}

static void closed(void *arg, const char *reason)
{
	(void)arg;
	(void)reason;
}

/* The gate's end; the other is the peer's. */
static struct channel *connect_peer(struct fixture *x, struct peer *p, int class)
{
	struct channel_events ours = { .frame = gate_frame, .closed = closed, .arg = x };
	struct channel_events theirs = { .frame = peer_frame, .closed = closed, .arg = p };
	int pair[2];
	assert_int_equal(x->loop->class->pair(x->loop, pair), 0);
	*p = (struct peer){ .channel = channel_new(x->loop, pair[1], class, CLASS_GATE, &theirs) };
	return channel_new(x->loop, pair[0], CLASS_GATE, class, &ours);
}

static void up(struct fixture *x)
{
	static const struct loop_sim_network at_once = { .delay_ms = 0, .buffer_bytes = 1 << 20 };
	static const uint8_t key[16];
	*x = (struct fixture){ .loop = loop_sim_new(3),
		.sink = { .write = drop_line, .level = LOG_ERROR } };
	random_fake_init(&x->random, 3);
	loop_sim_set_network(x->loop, &at_once);
	x->context = (struct role_context){ .loop = x->loop,
		.seams = { .clock = x->loop->clock, .random = &x->random.seam },
		.sink = &x->sink };
	log_init(&x->context.log, &x->sink, "role=gate");
	struct gate *g = &x->gate;
	g->base.context = &x->context;
	g->throttle = throttle_new(&x->random.seam);
	g->users = throttle_new(&x->random.seam);
	g->pairs = throttle_new(&x->random.seam);
	map_init(&g->store_asks, key, LIMIT_FRONT_QUESTIONS);
	g->facts.seams = &x->context.seams;
	g->facts.hostname = "mail.example";
	assert_true(exchange_facts_init(&g->facts));
	exchanges_init(g);
	login_held_init(g);
	offers_init(g);
	g->store = connect_peer(x, &x->store, CLASS_STORE);
	x->client = (struct gate_client){ .gate = g, .class = CLASS_USER };
	x->client.channel = connect_peer(x, &x->front, CLASS_USER);
}

static void down(struct fixture *x)
{
	struct gate *g = &x->gate;
	exchanges_drop(&x->client);
	login_drop_waiting(g);
	exchanges_done(g);
	offers_done(g);
	channel_free(&x->client.channel);
	channel_free(&x->front.channel);
	channel_free(&g->store);
	channel_free(&x->store.channel);
	throttle_free(&g->throttle);
	throttle_free(&g->users);
	throttle_free(&g->pairs);
	loop_sim_free(&x->loop);
}

/* ---- which mechanisms can be announced ---- */

static const struct frame offers = { .type = FRAME_OFFERS, .offers = { .scram = 1 } };

/* What there is to be asked is asked, and answered. */
static void answer_offers(struct fixture *x)
{
	uint32_t before = x->store.request;
	loop_sim_run_until_idle(x->loop);
	if (x->store.request != before)
		assert_true(offers_frame(&x->gate, x->store.request, &offers));
}

/* The second change comes LIMIT_GATE_OFFERS_MS after the first, a millisecond sooner or later. */
static void offers_are_asked_for_now_and_then(void **state)
{
	(void)state;
	for (int over = -1; over <= 1; over++) {
		struct fixture x;
		up(&x);
		offers_ask(&x.gate);
		answer_offers(&x);
		assert_int_equal(x.store.questions, 1);
		assert_int_equal(x.store.type, FRAME_GET_OFFERS);
		loop_sim_run_for(x.loop, LIMIT_GATE_OFFERS_MS + over);
		for (int i = 0; i < 3; i++)
			offers_ask(&x.gate); /* all of them are one question */
		answer_offers(&x);
		assert_int_equal(x.store.questions, over < 0 ? 1 : 2);
		loop_sim_run_for(x.loop, 1);
		answer_offers(&x);
		assert_int_equal(x.store.questions, 2);
		loop_sim_run_for(x.loop, LIMIT_GATE_OFFERS_MS - 2);
		assert_int_equal(x.store.questions, 2);
		loop_sim_run_for(x.loop, 2);
		assert_int_equal(x.store.questions, over < 0 ? 2 : 3);
		down(&x);
	}
}

/* A store that answers late is not asked again before; what it says then is heard, and what has
 * changed meanwhile is asked for. */
static void offers_that_come_late(void **state)
{
	struct fixture x;
	(void)state;
	up(&x);
	offers_ask(&x.gate);
	loop_sim_run_for(x.loop, LIMIT_GATE_OFFERS_MS + 1);
	uint32_t first = x.store.request;
	offers_ask(&x.gate);
	loop_sim_run_for(x.loop, 10 * LIMIT_GATE_OFFERS_MS);
	assert_int_equal(x.store.questions, 1);
	assert_true(offers_frame(&x.gate, first, &offers));
	assert_int_equal(x.gate.offers.scram, 1);
	loop_sim_run_until_idle(x.loop);
	assert_int_equal(x.store.questions, 2);
	assert_true(offers_frame(&x.gate, x.store.request, &offers));
	loop_sim_run_for(x.loop, 10 * LIMIT_GATE_OFFERS_MS);
	assert_int_equal(x.store.questions, 2);
	down(&x);
}

/* ---- exchanges ---- */

/* One whose challenge the client has. */
static struct login *begin(struct fixture *x)
{
	struct frame_exchange_begin f = {
		.service = STR("imap"), .peer = STR("192.0.2.1"), .mechanism = STR("CRAM-MD5")
	};
	exchange_open(&x->client, 2, &f);
	loop_sim_run_until_idle(x->loop);
	assert_int_equal(x->front.type, FRAME_CHALLENGE);
	assert_non_null(x->gate.exchanges);
	return x->gate.exchanges;
}

static void go_on(struct fixture *x, uint32_t exchange)
{
	struct frame_exchange_go_on f = { .exchange = exchange,
		.data = STR("x 0123456789abcdef0123456789abcdef") };
	exchange_go_on(&x->client, 4, &f);
	loop_sim_run_until_idle(x->loop);
}

/* No mechanism of today comes to so many: an answer is told that it was one too many all the same.
 */
static void a7_steps_of_an_exchange(void **state)
{
	(void)state;
	for (unsigned n = LIMIT_GATE_EXCHANGE_STEPS - 1; n <= LIMIT_GATE_EXCHANGE_STEPS + 1; n++) {
		struct fixture x;
		up(&x);
		struct login *l = begin(&x);
		l->steps = n - 1;
		go_on(&x, l->number);
		bool is_taken = n <= LIMIT_GATE_EXCHANGE_STEPS;
		assert_int_equal(x.store.questions, is_taken ? 1 : 0);
		if (is_taken)
			assert_int_equal(x.store.type, FRAME_GET_CREDENTIALS);
		assert_int_equal(x.front.type, is_taken ? FRAME_CHALLENGE : FRAME_FAILED);
		assert_int_equal(x.front.kind, is_taken ? ERR_NONE : ERR_SYNTAX);
		assert_int_equal(x.gate.exchanges == NULL, !is_taken);
		down(&x);
	}
}

/* Who answers sooner is judged; who answers later is told to begin anew. */
static void a7_an_exchange_has_its_time(void **state)
{
	(void)state;
	for (int over = -1; over <= 1; over++) {
		struct fixture x;
		up(&x);
		uint32_t number = begin(&x)->number;
		loop_sim_run_for(x.loop, LIMIT_GATE_EXCHANGE_MS + over);
		go_on(&x, number);
		assert_int_equal(x.store.questions, over < 0 ? 1 : 0);
		assert_int_equal(x.front.type, over < 0 ? FRAME_CHALLENGE : FRAME_FAILED);
		assert_int_equal(x.front.kind, over < 0 ? ERR_NONE : ERR_TEMP);
		down(&x);
	}
}

/* A store that hangs for longer than an exchange may last: the gate does not turn on its heel until
 * it answers, and then the exchange goes on. */
static void an_exchange_outlives_a_store_that_hangs(void **state)
{
	struct fixture x;
	(void)state;
	up(&x);
	struct login *l = begin(&x);
	loop_sim_run_for(x.loop, LIMIT_GATE_EXCHANGE_MS - 1);
	go_on(&x, l->number);
	assert_int_equal(x.store.questions, 1);
	loop_sim_run_for(x.loop, LIMIT_GATE_EXCHANGE_MS);
	assert_ptr_equal(map_remove_u64(&x.gate.store_asks, x.store.request), l);
	exchange_credentials(l, NULL);
	loop_sim_run_for(x.loop, LIMIT_GATE_ANSWER_MS);
	loop_sim_run_until_idle(x.loop);
	assert_int_equal(x.front.type, FRAME_FAILED);
	assert_int_equal(x.front.kind, ERR_AUTH);
	down(&x);
}

/* An answer that tells who exists is given LIMIT_GATE_ANSWER_MS after its question, however soon
 * the store has found him or not. */
static void a1_an_answer_takes_its_time(void **state)
{
	(void)state;
	for (int after = 0; after <= LIMIT_GATE_ANSWER_MS + 1; after++) {
		struct fixture x;
		up(&x);
		struct login *l = begin(&x);
		go_on(&x, l->number);
		loop_sim_run_for(x.loop, after); /* so long the store looks */
		assert_ptr_equal(map_remove_u64(&x.gate.store_asks, x.store.request), l);
		exchange_credentials(l, NULL);
		for (int ms = after; ms < LIMIT_GATE_ANSWER_MS; ms++) { /* ... N-1 */
			loop_sim_run_until_idle(x.loop);
			assert_int_equal(x.front.type, FRAME_CHALLENGE);
			loop_sim_run_for(x.loop, 1);
		}
		loop_sim_run_until_idle(x.loop); /* N, or N+1 when the store was slower */
		assert_int_equal(x.front.type, FRAME_FAILED);
		assert_int_equal(x.front.kind, ERR_AUTH);
		assert_null(x.gate.exchanges);
		down(&x);
	}
}

/* ---- between two stores ---- */

static void log_in(struct fixture *x)
{
	struct frame_login f = { .service = STR("imap"),
		.peer = STR("192.0.2.1"),
		.user = STR("alice@example.test"),
		.password = STR("secret") };
	login_begin(&x->client, 2, &f);
	loop_sim_run_until_idle(x->loop);
}

static void store_goes(struct fixture *x)
{
	channel_free(&x->gate.store);
	channel_free(&x->store.channel);
	login_held_begin(&x->gate);
	loop_sim_run_until_idle(x->loop);
}

static void store_comes(struct fixture *x)
{
	x->gate.store = connect_peer(x, &x->store, CLASS_STORE);
	login_held_send(&x->gate);
	loop_sim_run_until_idle(x->loop);
}

/* What was asked and not answered, and what comes later. */
static void logins_wait_for_the_next_store(void **state)
{
	struct fixture x;
	(void)state;
	up(&x);
	log_in(&x);
	go_on(&x, begin(&x)->number);
	assert_int_equal(x.store.questions, 2);
	unsigned told = x.front.questions;
	store_goes(&x);
	log_in(&x);
	assert_int_equal(x.front.questions, told); /* nobody has been told anything */
	store_comes(&x);
	assert_int_equal(x.store.questions, 3);
	assert_int_equal(x.store.type, FRAME_GET_CREDENTIALS);
	assert_int_equal(x.front.questions, told);
	/* Nobody waits twice. */
	log_in(&x);
	store_goes(&x);
	assert_int_equal(x.front.questions, told + 3);
	assert_int_equal(x.front.kind, ERR_TEMP);
	assert_int_equal(x.gate.held_n, 1);
	down(&x);
}

static void logins_wait_for_a_second(void **state)
{
	(void)state;
	for (int over = -1; over <= 1; over++) { /* N-1, N, N+1 */
		struct fixture x;
		up(&x);
		log_in(&x);
		store_goes(&x);
		loop_sim_run_for(x.loop, LIMIT_GATE_HOLD_MS + over);
		assert_int_equal(x.front.questions, over < 0 ? 0 : 1);
		log_in(&x);
		assert_int_equal(x.front.questions, over < 0 ? 0 : 2);
		assert_int_equal(x.front.kind, over < 0 ? ERR_NONE : ERR_TEMP);
		down(&x);
	}
}

static void so_many_logins_wait(void **state)
{
	struct fixture x;
	(void)state;
	up(&x);
	store_goes(&x);
	for (unsigned n = 1; n <= LIMIT_GATE_HELD + 1; n++) {
		log_in(&x);
		assert_int_equal(x.gate.held_n, n <= LIMIT_GATE_HELD ? n : LIMIT_GATE_HELD);
		assert_int_equal(x.front.questions, n <= LIMIT_GATE_HELD ? 0 : 1);
	}
	down(&x);
}

TEST_MAIN(test_case(offers_are_asked_for_now_and_then), test_case(offers_that_come_late),
	test_case(a7_steps_of_an_exchange), test_case(a7_an_exchange_has_its_time),
	test_case(an_exchange_outlives_a_store_that_hangs), test_case(a1_an_answer_takes_its_time),
	test_case(logins_wait_for_the_next_store), test_case(logins_wait_for_a_second),
	test_case(so_many_logins_wait))
