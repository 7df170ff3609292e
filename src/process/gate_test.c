// SPDX-License-Identifier: Apache-2.0
/* The gate, keys and the store among fronts that lie: other fronts' tickets, frames that are not
 * theirs, descriptors, bytes that are no frames; and the gate's limits. */
#include "process/liar_test.h"

static int open_session(struct liar *store, const struct liar *gate)
{
	struct frame f = { .type = FRAME_SESSION_OPEN,
		.session_open = { str_make(gate->ticket, gate->ticket_n), STR("imap") } };
	return ask(store, &f);
}

/* The instance is the channel's, not a field's: a ticket that is stolen is no use elsewhere. */
static void test_ticket_of_another_front(void **state)
{
	struct world w;
	struct liar gate, same, other;
	(void)state;
	up(&w);
	world_people(&w);
	lie(&gate, &w, "gate", CLASS_USER, 7001, CLASS_USER);
	assert_int_equal(ask(&gate, &alice), FRAME_LOGIN_OK);
	lie(&same, &w, "store", CLASS_USER, 7001, CLASS_USER);
	assert_int_equal(open_session(&same, &gate), FRAME_SESSION_IS);
	lie(&other, &w, "store", CLASS_USER, 7002, CLASS_USER);
	assert_int_equal(open_session(&other, &gate), FRAME_FAILED);
	assert_int_equal(other.kind, ERR_EXPIRED);
	/* mx can be granted no account, not even with a ticket made for it. */
	struct liar mx;
	lie(&mx, &w, "store", CLASS_MX, 7001, CLASS_USER);
	assert_int_equal(open_session(&mx, &gate), -1);
	channel_free(&gate.channel);
	channel_free(&same.channel);
	channel_free(&other.channel);
	channel_free(&mx.channel);
	world_done(&w);
}

/* What is not for a class costs the channel, and nobody else anything. */
static void test_frames_of_others(void **state)
{
	static const struct frame make = { .type = FRAME_MAKE_VERIFIER,
		.make_verifier.password = STR_INIT("x") };
	static const struct frame sign = { .type = FRAME_SIGN,
		.sign = { .key_id = STR_INIT("default"),
			.scheme = SCHEME_ECDSA_SHA256,
			.digest = STR_INIT("01234567890123456789012345678901") } };
	static const struct {
		const char *role;
		int class, as;
		const struct frame *frame;
	} cases[] = {
		{ "gate", CLASS_USER, CLASS_ADMIN, &make }, /* a user front makes verifiers */
		{ "gate", CLASS_MX, CLASS_USER, &alice },   /* an mx front logs in */
		{ "keys", CLASS_ADMIN, CLASS_MX, &sign },   /* a command has things signed */
	};
	struct world w;
	(void)state;
	up(&w);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct liar l;
		lie(&l, &w, cases[i].role, cases[i].class, 1, cases[i].as);
		assert_int_equal(ask(&l, cases[i].frame), -1);
		channel_free(&l.channel);
	}
	assert_true(world_all_up(&w));
	world_done(&w);
}

static void test_descriptors(void **state)
{
	static const char *const roles[] = { "gate", "keys", "courier", "store" };
	struct world w;
	(void)state;
	up(&w);
	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		struct liar l;
		int pair[2];
		lie(&l, &w, roles[i], CLASS_USER, 1, CLASS_SUPERVISOR);
		assert_int_equal(w.loop->class->pair(w.loop, pair), 0);
		struct frame f = { .type = FRAME_HAND_OVER, .hand_over.kind = STR("front") };
		channel_send_handle(l.channel, 1, &f, pair[0]);
		world_until(&w, l.closed);
		channel_free(&l.channel);
		w.loop->class->handle_close(w.loop, pair[1]);
	}
	assert_true(world_all_up(&w));
	world_done(&w);
}

/* A login runs while its front goes: nothing is answered, nothing breaks. */
static void test_front_goes_during_login(void **state)
{
	struct world w;
	struct liar l;
	(void)state;
	up(&w);
	world_people(&w);
	for (int ms = 0; ms < 60; ms += 4) {
		lie(&l, &w, "gate", CLASS_USER, 7001, CLASS_USER);
		for (int i = 0; i < 3; i++)
			assert_true(
				channel_send(l.channel, channel_next_request(l.channel), &alice));
		loop_sim_run_for(w.loop, ms);
		channel_free(&l.channel);
		loop_sim_run_for(w.loop, 1000);
	}
	assert_true(world_all_up(&w));
	world_done(&w);
}

/* ---- limits ---- */

static unsigned dropped;
static void drop(struct hash_job *job)
{
	(void)job;
	dropped++;
}

static struct hash_job *crowded;
static void crowd(struct hash_job *job)
{
	crowded = job;
}

static void test_queue(void **state)
{
	static struct hash_job jobs[HASH_RANKS][LIMIT_GATE_QUEUE + 1];
	struct loop *loop = loop_sim_new(1);
	struct seams seams = { .executor = loop->class->executor(loop) };
	struct hashers *all = hashers_new(&seams, 2);
	(void)state;
	for (enum hash_rank rank = HASH_KNOWN; rank < HASH_RANKS; rank++) { /* each has a queue */
		for (size_t i = 0; i <= LIMIT_GATE_QUEUE; i++) {
			struct hash_job *job = &jobs[rank][i];
			*job = (struct hash_job){ .rank = rank, .crowded_out = crowd };
			crowded = NULL;
			hashers_add(all, job);
			/* N+1: of those who know the last to come, of the others the first */
			assert_ptr_equal(crowded, i < LIMIT_GATE_QUEUE ? NULL
						  : rank == HASH_KNOWN ? job
								       : &jobs[rank][0]);
		}
	}
	hashers_free(&all, drop);
	assert_int_equal(dropped, HASH_RANKS * LIMIT_GATE_QUEUE);
	loop_sim_free(&loop);
}

static void mac_of(uint32_t number, uint8_t mac[LOGIN_MAC_BYTES])
{
	memset(mac, 0, LOGIN_MAC_BYTES);
	memcpy(mac, &number, sizeof(number));
}

static void test_cache(void **state)
{
	struct clock_fake clock;
	struct role_context context = { .seams.clock = &clock.seam };
	struct gate g = { .base.context = &context };
	uint8_t mac[LOGIN_MAC_BYTES], key[16] = "0123456789abcde";
	(void)state;
	clock_fake_init(&clock, 1700000000000);
	login_cache_init(&g, key);
	for (uint32_t i = 0; i < LIMIT_GATE_CACHE; i++) { /* N-1, N */
		mac_of(i, mac);
		login_cache_add(&g, mac);
		login_cache_add(&g, mac);
	}
	mac_of(0, mac);
	assert_true(login_cache_has(&g, mac));
	mac_of(LIMIT_GATE_CACHE, mac); /* N+1: the oldest goes */
	login_cache_add(&g, mac);
	assert_true(login_cache_has(&g, mac));
	assert_int_equal(g.cache.n, LIMIT_GATE_CACHE);
	mac_of(0, mac);
	assert_false(login_cache_has(&g, mac));
	mac_of(1, mac);
	assert_true(login_cache_has(&g, mac));
	clock.monotonic_ms += 3600 * 1000 - 1;
	assert_true(login_cache_has(&g, mac));
	clock.monotonic_ms++;
	assert_false(login_cache_has(&g, mac));
	login_cache_free(&g);
}

/* Whatever differs, the MAC does. */
static void test_cache_mac(void **state)
{
	static const struct {
		uint64_t account;
		struct str verifier, password;
	} cases[] = {
		{ 1, STR_INIT("v"), STR_INIT("p") },
		{ 2, STR_INIT("v"), STR_INIT("p") },
		{ 1, STR_INIT("w"), STR_INIT("p") },
		{ 1, STR_INIT("v"), STR_INIT("q") },
		{ 1, STR_INIT("vp"), STR_INIT("") },
		{ 1, STR_INIT(""), STR_INIT("vp") },
		{ 11, STR_INIT(""), STR_INIT("vp") },
	};
	struct gate g = { .cache_key = "key" };
	uint8_t macs[ARRAY_LEN(cases)][LOGIN_MAC_BYTES];
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_true(login_cache_mac(
			&g, cases[i].account, cases[i].verifier, cases[i].password, macs[i]));
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(macs[i], macs[j], LOGIN_MAC_BYTES);
	}
}

static void test_signatures_a_second(void **state)
{
	static const struct frame sign = { .type = FRAME_SIGN,
		.sign = { .key_id = STR_INIT("none"),
			.scheme = SCHEME_ECDSA_SHA256,
			.digest = STR_INIT("01234567890123456789012345678901") } };
	struct loop_sim_network fast = { .delay_ms = 0, .buffer_bytes = 1 << 20 };
	struct world w;
	struct liar l;
	(void)state;
	up(&w);
	loop_sim_set_network(w.loop, &fast);
	lie(&l, &w, "keys", CLASS_MX, 1, CLASS_MX);
	for (unsigned i = 0; i < LIMIT_SIGNATURES_A_SECOND; i++) { /* N */
		assert_true(channel_send(l.channel, channel_next_request(l.channel), &sign));
		if (i % 1000 == 0)
			loop_sim_run_until_idle(w.loop);
	}
	loop_sim_run_until_idle(w.loop);
	assert_int_equal(l.failures, LIMIT_SIGNATURES_A_SECOND);
	assert_int_equal(l.temporary, 0);
	assert_int_equal(ask(&l, &sign), FRAME_FAILED); /* N+1 */
	assert_int_equal(l.kind, ERR_TEMP);
	loop_sim_run_for(w.loop, 1000);
	assert_int_equal(ask(&l, &sign), FRAME_FAILED);
	assert_int_equal(l.kind, ERR_NOT_FOUND);
	channel_free(&l.channel);
	world_done(&w);
}

/* A taken front cannot lay in keys for the hours in which it will be gone. */
static void test_t8_ticket_keys_of_which_hours(void **state)
{
	struct world w;
	struct liar l;
	(void)state;
	up(&w);
	uint64_t now = (uint64_t)w.loop->clock->wall_ms(w.loop->clock) / (3600 * 1000);
	const struct {
		uint64_t hour;
		uint16_t answer;
	} cases[] = { { now, FRAME_TICKET_KEY_IS }, { now - 1, FRAME_TICKET_KEY_IS },
		{ now + 1, FRAME_FAILED }, { now - 2, FRAME_FAILED }, { 0, FRAME_FAILED },
		{ UINT64_MAX, FRAME_FAILED } };
	lie(&l, &w, "keys", CLASS_MX, 1, CLASS_MX);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct frame f = { .type = FRAME_TICKET_KEY, .ticket_key.hour = cases[i].hour };
		assert_int_equal(ask(&l, &f), cases[i].answer);
		if (cases[i].answer == FRAME_FAILED)
			assert_int_equal(l.kind, ERR_DENIED);
	}
	channel_free(&l.channel);
	world_done(&w);
}

/* ---- exchanges ---- */

/* Begins one for a client of an address of that number. */
static void send_begin(struct liar *l, unsigned number)
{
	char peer[32];
	snprintf(peer, sizeof(peer), "10.%u.%u.%u", number >> 16, number >> 8 & 255, number & 255);
	struct frame f = { .type = FRAME_EXCHANGE_BEGIN,
		.exchange_begin = { .service = STR("imap"),
			.peer = str_from(peer),
			.mechanism = STR("CRAM-MD5") } };
	assert_true(channel_send(l->channel, channel_next_request(l->channel), &f));
}

/* The answer's type. */
static int begin_exchange(struct liar *l, unsigned number)
{
	unsigned before = l->answers;
	send_begin(l, number);
	world_until(l->world, l->answers > before);
	return l->type;
}

static int go_on(struct liar *l, uint32_t exchange, bool cancelled)
{
	struct frame f = { .type = FRAME_EXCHANGE_GO_ON,
		.exchange_go_on = { .exchange = exchange,
			.data = STR("x 0123456789abcdef0123456789abcdef"),
			.cancelled = cancelled } };
	return ask(l, &f);
}

/* LIMIT_GATE_EXCHANGES of a front, whose oldest makes room for N + 1; LIMIT_GATE_EXCHANGES_ADDRESS
 * of an address, at N and N + 1; one that is cancelled makes room; another front has its own. A7 */
static void test_a7_exchanges_are_bounded(void **state)
{
	struct world w;
	struct liar l, other;
	(void)state;
	up(&w);
	lie(&l, &w, "gate", CLASS_USER, 7001, CLASS_USER);
	lie(&other, &w, "gate", CLASS_USER, 7002, CLASS_USER);
	for (unsigned i = 0; i < LIMIT_GATE_EXCHANGES_ADDRESS; i++)
		assert_int_equal(begin_exchange(&l, 0), FRAME_CHALLENGE);
	assert_int_equal(begin_exchange(&l, 0), FRAME_FAILED);
	assert_int_equal(l.kind, ERR_TEMP);
	assert_int_equal(begin_exchange(&other, 0), FRAME_FAILED);
	assert_int_equal(go_on(&other, 1, true), FRAME_DONE); /* is not its own: nothing happens */
	assert_int_equal(begin_exchange(&l, 0), FRAME_FAILED);
	assert_int_equal(go_on(&l, 1, true), FRAME_DONE);
	assert_int_equal(begin_exchange(&l, 0), FRAME_CHALLENGE);
	unsigned answers = l.answers, failures = l.failures;
	for (unsigned i = LIMIT_GATE_EXCHANGES_ADDRESS; i < LIMIT_GATE_EXCHANGES; i++, answers++)
		send_begin(&l, i);
	world_until(&w, l.answers == answers);
	assert_int_equal(l.failures, failures);
	assert_int_equal(begin_exchange(&l, LIMIT_GATE_EXCHANGES), FRAME_CHALLENGE);
	assert_int_equal(go_on(&l, 2, false), FRAME_FAILED); /* the oldest, since 1 was cancelled */
	assert_int_equal(l.kind, ERR_TEMP);
	assert_int_equal(go_on(&l, 3, false), FRAME_FAILED); /* judged */
	assert_int_equal(l.kind, ERR_AUTH);
	assert_int_equal(begin_exchange(&other, LIMIT_GATE_EXCHANGES), FRAME_CHALLENGE);
	channel_free(&l.channel); /* with its front an exchange ends */
	loop_sim_run_for(w.loop, 100);
	assert_int_equal(begin_exchange(&other, 0), FRAME_CHALLENGE);
	channel_free(&other.channel);
	assert_true(world_all_up(&w));
	world_done(&w);
}

/* LIMIT_GATE_EXCHANGE_MS: who answers sooner is judged, who answers later is told to begin anew;
 * LIMIT_GATE_ANSWER_MS: no sooner than that does an answer tell who exists (to the millisecond:
 * gate_limits_test.c). A1 */
static void test_a1_exchanges_have_their_time(void **state)
{
	struct world w;
	struct liar l;
	(void)state;
	up(&w);
	world_people(&w);
	lie(&l, &w, "gate", CLASS_USER, 7001, CLASS_USER);
	assert_int_equal(begin_exchange(&l, 1), FRAME_CHALLENGE);
	assert_int_equal(begin_exchange(&l, 2), FRAME_CHALLENGE);
	loop_sim_run_for(w.loop, LIMIT_GATE_EXCHANGE_MS - 1000);
	int64_t before = w.loop->clock->monotonic_ms(w.loop->clock);
	assert_int_equal(go_on(&l, 1, false), FRAME_FAILED);
	assert_int_equal(l.kind, ERR_AUTH);
	assert_true(w.loop->clock->monotonic_ms(w.loop->clock) >= before + LIMIT_GATE_ANSWER_MS);
	loop_sim_run_for(w.loop, 2000);
	assert_int_equal(go_on(&l, 2, false), FRAME_FAILED);
	assert_int_equal(l.kind, ERR_TEMP);
	assert_int_equal(go_on(&l, 2, true), FRAME_DONE);
	channel_free(&l.channel);
	world_done(&w);
}

TEST_MAIN(test_case(test_ticket_of_another_front), test_case(test_frames_of_others),
	test_case(test_descriptors), test_case(test_front_goes_during_login), test_case(test_queue),
	test_case(test_cache), test_case(test_cache_mac), test_case(test_signatures_a_second),
	test_case(test_t8_ticket_keys_of_which_hours), test_case(test_a7_exchanges_are_bounded),
	test_case(test_a1_exchanges_have_their_time))
