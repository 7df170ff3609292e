// SPDX-License-Identifier: Apache-2.0
/*
 * A gate among fronts, a command and a store that send whatever they like. The input is a series of
 * frames: a byte chooses the type, a byte who sends it, two bytes the length of the payload that
 * follows. Some values of the first byte are no frames: time passes, somebody hashes, somebody
 * goes.
 *
 * Properties: whatever is sent, no question is answered twice and nothing that was not asked, and
 * nobody is let in but by an account that the store has named.
 */
#include "base/fuzz.h"
#include "base/limits.h"
#include "io/loop_sim.h"
#include "process/gate_private.h"
#include "store/executor_fake.h"

enum {
	MOST_FRAMES = 32,
	MOST_HASHES = 2, /* of an input: each is slow by intent */
	FRONTS = 3,
	STORE = FRONTS,
	PEERS
};

/* Only ever appended to: the corpus names them by their place. */
static const enum frame_type types[] = { FRAME_LOGIN, FRAME_EXCHANGE_BEGIN, FRAME_EXCHANGE_GO_ON,
	FRAME_MAKE_VERIFIER, FRAME_MAKE_APP_PASSWORD, FRAME_CREDENTIALS, FRAME_FAILED, FRAME_OFFERS,
	FRAME_ACCOUNTS_CHANGED, FRAME_DONE, FRAME_HAND_OVER };
/* Come after the frames. */
enum { TIME_PASSES = ARRAY_LEN(types), HASH, GO, CHOICES };

struct question {
	uint32_t request;
	bool answered;
};

struct peer {
	struct channel *channel;
	bool closed;
	struct question asked[MOST_FRAMES]; /* by a front; since its channel was made */
	size_t n;
	uint32_t waiting[2 * MOST_FRAMES]; /* the store: what it was asked */
	size_t waiting_n, waiting_at;
	uint32_t offers;
};

static struct world {
	struct loop *loop;
	struct random_fake random;
	struct executor_fake executor;
	struct log_sink sink;
	struct role_context context;
	struct role *gate;
	struct peer peers[PEERS];
	uint32_t exchange; /* the last that was begun */
	uint64_t accounts[MOST_FRAMES];
	size_t accounts_n;
	int hashes;
} w;

static int class_of(size_t peer)
{
	return peer == STORE ? CLASS_STORE : peer == FRONTS - 1 ? CLASS_ADMIN : CLASS_USER;
}

/* ---- what the gate says ---- */

static bool was_named(uint64_t account)
{
	for (size_t i = 0; i < w.accounts_n; i++)
		if (w.accounts[i] == account)
			return true;
	return false;
}

static bool front_frame(void *arg, uint32_t request, const struct frame *f, int handle)
{
	struct peer *p = arg;
	size_t i = 0;
	FUZZ_CHECK(handle < 0);
	if (request == 0) {
		FUZZ_CHECK(f->type == FRAME_MECHANISMS);
		return true;
	}
	while (i < p->n && p->asked[i].request != request)
		i++;
	FUZZ_CHECK(i < p->n && !p->asked[i].answered);
	p->asked[i].answered = true;
	if (f->type == FRAME_CHALLENGE)
		w.exchange = f->challenge.exchange;
	if (f->type == FRAME_LOGIN_OK)
		FUZZ_CHECK(was_named(f->login_ok.account));
	return true;
}

static bool store_frame(void *arg, uint32_t request, const struct frame *f, int handle)
{
	struct peer *p = arg;
	FUZZ_CHECK(handle < 0);
	if (f->type == FRAME_GET_OFFERS)
		p->offers = request;
	else if (request && p->waiting_n < ARRAY_LEN(p->waiting))
		p->waiting[p->waiting_n++] = request;
	return true;
}

static void closed(void *arg, const char *reason)
{
	struct peer *p = arg;
	(void)reason;
	p->closed = true;
}

/* ---- the scene ---- */

static void drop_line(struct log_sink *sink, struct str line)
{
	(void)sink;
	(void)line;
}

static void settle(void)
{
	loop_sim_run_until_idle(w.loop);
}

static void leave(size_t i)
{
	channel_free(&w.peers[i].channel);
	settle();
}

/* A peer that has gone, or was dropped, is there again. */
static struct peer *come(size_t i)
{
	struct peer *p = &w.peers[i];
	int pair[2];
	if (p->channel && !p->closed)
		return p;
	channel_free(&p->channel);
	*p = (struct peer){ .n = 0 };
	FUZZ_CHECK(w.loop->class->pair(w.loop, pair) == 0);
	p->channel = channel_new(w.loop, pair[1], class_of(i), CLASS_GATE,
		&(struct channel_events){
			i == STORE ? store_frame : front_frame, NULL, closed, p });
	struct frame f = { .type = FRAME_HAND_OVER,
		.hand_over = { .kind = i == STORE        ? STR("store")
				       : i == FRONTS - 1 ? STR("admin")
							 : STR("front"),
			.instance = (uint32_t)i + 1,
			.role = (uint8_t)class_of(i) } };
	FUZZ_CHECK(gate_role.frame(w.gate, &f, pair[0]));
	settle();
	return p;
}

static void up(void)
{
	static const struct loop_sim_network at_once = { .delay_ms = 0, .buffer_bytes = 1 << 20 };
	static const char key[TICKET_KEY_BYTES];
	struct err err = ERR_INIT;
	w = (struct world){ .loop = loop_sim_new(1),
		.sink = { .write = drop_line, .level = LOG_INFO } };
	loop_sim_set_network(w.loop, &at_once);
	random_fake_init(&w.random, 1);
	w.executor.seam = (struct executor_seam){
		.start = fake_start, .wake = fake_wake, .notify = fake_notify, .stop = fake_stop
	};
	fake_of = &w.executor;
	w.context = (struct role_context){ .loop = w.loop,
		.seams = { .clock = w.loop->clock,
			.random = &w.random.seam,
			.executor = &w.executor.seam },
		.sink = &w.sink };
	log_init(&w.context.log, &w.sink, "role=gate");
	w.gate = gate_role.new(&w.context);
	struct frame config = { .type = FRAME_GATE_CONFIG,
		.gate_config = {
			str_make(key, sizeof(key)), str_make(key, sizeof(key)), STR("") } };
	FUZZ_CHECK(gate_role.frame(w.gate, &config, -1));
	FUZZ_CHECK(gate_role.start(w.gate, &err) == 0);
	for (size_t i = 0; i < PEERS; i++)
		come(i);
}

static void down(void)
{
	gate_role.free(&w.gate);
	for (size_t i = 0; i < PEERS; i++)
		channel_free(&w.peers[i].channel);
	loop_sim_free(&w.loop);
}

/* ---- what happens ---- */

/* As much as an input may, in all. */
static void hash(void)
{
	for (struct worker *h = w.executor.workers; h; h = h->next) {
		while (h->awake && w.hashes < MOST_HASHES) {
			h->awake = h->spec.step(h->spec.arg);
			w.hashes += h->awake;
		}
		if (h->notified) {
			h->notified = false;
			h->spec.done(h->spec.arg);
		}
	}
	settle();
}

/* One that is known may take a second: here it is a quick one, of "secret". */
static void name_account(struct frame_credentials *c)
{
	if (verifier_known(c->verifier))
		c->verifier = STR("$5$rounds=1000$culverfuzz$"
				  ".qijsFFa/R6Nq504.fn0jioakcVXizzlpwg0xEjTkzD");
	if (w.accounts_n < ARRAY_LEN(w.accounts))
		w.accounts[w.accounts_n++] = c->account;
}

/* The number of what was asked, as the bits of `how` say, or any. */
static uint32_t answered(struct peer *store, const struct frame *f, uint8_t how)
{
	if (f->type == FRAME_ACCOUNTS_CHANGED)
		return 0;
	if (f->type == FRAME_OFFERS)
		return store->offers;
	if (how & 128 && store->waiting_at < store->waiting_n)
		return store->waiting[store->waiting_at++];
	return how & 64 ? 0 : how;
}

static void send_frame(struct peer *p, struct frame *f, uint8_t how)
{
	uint32_t request;
	if (p == &w.peers[STORE]) {
		request = answered(p, f, how);
		if (f->type == FRAME_CREDENTIALS)
			name_account(&f->credentials);
	} else {
		request = channel_next_request(p->channel);
		p->asked[p->n++] = (struct question){ .request = request };
		if (f->type == FRAME_EXCHANGE_GO_ON && how & 128)
			f->exchange_go_on.exchange = w.exchange;
	}
	if (channel_send(p->channel, request, f))
		settle();
}

static void send_one(enum frame_type type, uint8_t how, struct str payload)
{
	struct frame frame;
	struct frame_header header = {
		.length = (uint32_t)payload.n, .type = (uint16_t)type, .version = FRAME_VERSION
	};
	struct err err = ERR_INIT;
	struct arena arena;
	arena_init(&arena, 1 << 21);
	bool of_store = type >= FRAME_CREDENTIALS || type == FRAME_FAILED || type == FRAME_DONE;
	if (frame_decode(&header, payload, &arena, &frame, &err) == 0)
		send_frame(come(of_store ? STORE : (how & 3) % FRONTS), &frame, how);
	arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	up();
	for (int n = 0; size >= 4 && n < MOST_FRAMES; n++) {
		size_t length = (size_t)data[2] | (size_t)data[3] << 8;
		if (length > size - 4)
			length = size - 4;
		unsigned what = data[0] % CHOICES;
		if (what == TIME_PASSES)
			loop_sim_run_for(w.loop, INT64_C(1) << (data[1] & 31));
		else if (what == HASH)
			hash();
		else if (what == GO)
			leave(data[1] % PEERS);
		else
			send_one(types[what], data[1], str_make(data + 4, length));
		data += 4 + length;
		size -= 4 + length;
	}
	down();
	return 0;
}
