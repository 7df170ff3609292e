// SPDX-License-Identifier: Apache-2.0
/* Who is served first when many want in (S47), and app passwords, without a gate around them. */
#include "process/gate_private.h"

#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>

struct bench {
	struct clock_fake clock;
	struct random_fake random;
	struct role_context context;
	struct gate gate;
	struct gate_client client;
	struct login login;
};

static void bench_init(struct bench *b)
{
	*b = (struct bench){ 0 };
	clock_fake_init(&b->clock, 1700000000000);
	random_fake_init(&b->random, 1);
	b->context.seams.clock = &b->clock.seam;
	b->context.seams.random = &b->random.seam;
	b->gate.base.context = &b->context;
	b->gate.throttle = throttle_new(&b->random.seam);
	b->gate.users = throttle_new(&b->random.seam);
	b->gate.pairs = throttle_new(&b->random.seam);
	memset(b->gate.app_key, 7, sizeof(b->gate.app_key));
	b->client.gate = &b->gate;
}

static void bench_done(struct bench *b)
{
	throttle_free(&b->gate.throttle);
	throttle_free(&b->gate.users);
	throttle_free(&b->gate.pairs);
}

/* A login from an address for an account; 0: for a name that is nobody's. */
static struct login *login(struct bench *b, const char *peer, uint64_t account)
{
	b->login = (struct login){ .client = &b->client, .account = account, .exists = account };
	snprintf(b->login.peer, sizeof(b->login.peer), "%s", peer);
	snprintf(b->login.user, sizeof(b->login.user), "nobody");
	rank_name(&b->login);
	return &b->login;
}

static void fail_times(struct bench *b, const char *peer, uint64_t account, unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		rank_failed(login(b, peer, account));
}

static void s47_an_address_that_tries_is_served_later(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	for (unsigned n = 0; n < LIMIT_GATE_TRIES; n++) {
		assert_int_equal(rank_of(login(&b, "192.0.2.1", n + 1)), HASH_FRESH + n);
		assert_true(HASH_FRESH + n < HASH_SUSPECT);
		fail_times(&b, "192.0.2.1", n + 1, 1);
	}
	for (unsigned n = 0; n < 2; n++) {
		assert_int_equal(rank_of(login(&b, "192.0.2.1", 99)), HASH_SUSPECT);
		fail_times(&b, "192.0.2.1", 99, 1);
	}
	/* a /64 is one address, and this machine's are counted, too */
	fail_times(&b, "2001:db8:1:2:3:4:5:6", 1, LIMIT_GATE_TRIES);
	assert_int_equal(rank_of(login(&b, "2001:db8:1:2::9", 2)), HASH_SUSPECT);
	assert_int_equal(rank_of(login(&b, "2001:db8:1:3::9", 2)), HASH_FRESH);
	fail_times(&b, "127.0.0.1", 1, LIMIT_GATE_TRIES);
	assert_int_equal(rank_of(login(&b, "127.0.0.1", 2)), HASH_SUSPECT);
	assert_int_equal(rank_of(login(&b, "127.0.0.2", 2)), HASH_FRESH);
	/* what is under way may fail */
	struct login waiting[LIMIT_GATE_TRIES];
	for (unsigned n = 0; n < LIMIT_GATE_TRIES; n++) {
		waiting[n] = *login(&b, "192.0.2.7", 5);
		rank_begins(&waiting[n]);
	}
	assert_int_equal(rank_of(login(&b, "192.0.2.7", 6)), HASH_SUSPECT);
	for (unsigned n = 0; n < LIMIT_GATE_TRIES; n++)
		rank_ends(&waiting[n]);
	assert_int_equal(rank_of(login(&b, "192.0.2.7", 6)), HASH_FRESH);
	bench_done(&b);
}

/* One guess from each of many addresses: strangers who want that account are served later, and the
 * person whose it is, where he always is, first. */
static void s47_an_account_that_many_try(void **state)
{
	struct bench b;
	char peer[32];
	(void)state;
	bench_init(&b);
	rank_succeeded(login(&b, "198.51.100.1", 1));
	for (unsigned n = 0; n < LIMIT_GATE_USER_TRIES; n++) {
		snprintf(peer, sizeof(peer), "192.0.2.%u", n);
		assert_int_equal(rank_of(login(&b, peer, 1)), HASH_FRESH);
		fail_times(&b, peer, 1, 1);
	}
	assert_int_equal(rank_of(login(&b, "203.0.113.1", 1)), HASH_SUSPECT);
	assert_int_equal(rank_of(login(&b, "203.0.113.1", 2)), HASH_FRESH);
	assert_int_equal(rank_of(login(&b, "198.51.100.1", 1)), HASH_KNOWN);
	/* It passes, and nobody was kept out meanwhile. */
	assert_true(throttle_may_try(b.gate.throttle, STR("203.0.113.1"), b.clock.monotonic_ms));
	b.clock.monotonic_ms += LIMIT_GATE_REFILL_MS;
	assert_int_equal(rank_of(login(&b, "203.0.113.1", 1)), HASH_FRESH);
	/* A name that is nobody's is counted alike. */
	for (unsigned n = 0; n < LIMIT_GATE_USER_TRIES; n++) {
		snprintf(peer, sizeof(peer), "192.0.3.%u", n);
		fail_times(&b, peer, 0, 1);
	}
	assert_int_equal(rank_of(login(&b, "203.0.113.9", 0)), HASH_SUSPECT);
	bench_done(&b);
}

/* Who has come in from there before is known there, for that account, until he fails too often;
 * what he does there speaks against nobody elsewhere. */
static void s47_known_at_home(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	rank_succeeded(login(&b, "198.51.100.1", 1));
	assert_int_equal(rank_of(login(&b, "198.51.100.1", 2)), HASH_FRESH);
	fail_times(&b, "198.51.100.1", 2, LIMIT_GATE_TRIES); /* a neighbour behind the same NAT */
	for (unsigned n = 0; n < LIMIT_GATE_KNOWN_TRIES; n++) {
		assert_int_equal(rank_of(login(&b, "198.51.100.1", 1)), HASH_KNOWN);
		fail_times(&b, "198.51.100.1", 1, 1);
	}
	assert_int_equal(rank_of(login(&b, "198.51.100.1", 1)), HASH_SUSPECT);
	assert_int_equal(rank_of(login(&b, "203.0.113.1", 1)), HASH_FRESH);
	bench_done(&b);
}

/* ---- app passwords ---- */

static bool check(struct bench *b, const char *password, const struct frame_credentials *c)
{
	login(b, "192.0.2.1", c ? 1 : 0)->job.password = str_from(password);
	return app_password_check(&b->login, c) == VERDICT_RIGHT;
}

static void an_app_password_is_found_by_its_mac(void **state)
{
	static const char text[] = "abcde-fghjk-mnpqr-23456-789zz";
	struct bench b;
	uint8_t macs[LIMIT_SECRETS][32];
	struct api_secret secrets[LIMIT_SECRETS];
	struct frame_credentials c = { .account = 1, .secrets = { secrets, LIMIT_SECRETS } };
	(void)state;
	bench_init(&b);
	for (size_t i = 0; i < LIMIT_SECRETS; i++) {
		memset(macs[i], (int)i, sizeof(macs[i]));
		secrets[i] = (struct api_secret){ .id = 100 + i,
			.kind = SECRET_APP_PASSWORD,
			.value = str_make(macs[i], 32),
			.services = SERVICE_POP3,
			.used_ms = 5 };
	}
	struct api_secret *last = &secrets[LIMIT_SECRETS - 1];
	assert_false(check(&b, text, &c));
	assert_true(
		app_password_mac(&b.gate, "abcdefghjkmnpqr23456789zz", macs[LIMIT_SECRETS - 1]));
	static const char *const same[] = { text, "ABCDEFGHJKMNPQR23456789ZZ",
		" abcde fghjk mnpqr 23456 789zz-" };
	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		assert_true(check(&b, same[i], &c));
		assert_int_equal(b.login.app_password, last->id);
		assert_int_equal(b.login.app_services, SERVICE_POP3);
		assert_int_equal(b.login.app_used_ms, 5);
	}
	static const char *const others[] = { "", "-", "abcde-fghjk-mnpqr-23456-789z",
		"abcde-fghjk-mnpqr-23456-789zzz", "abcde-fghjk-mnpqr-23456-789zy",
		"abcde-fghjk-mnpqr-23456-789z0", "abcde-fghjk-mnpqr-23456-789z\xff" };
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_false(check(&b, others[i], &c));
	assert_false(check(&b, text, NULL));
	/* It is nothing else by accident: another kind, a value of another length. */
	last->kind = SECRET_CERTIFICATE;
	assert_false(check(&b, text, &c));
	last->kind = SECRET_APP_PASSWORD;
	last->value.n = 31;
	assert_false(check(&b, text, &c));
	/* What SCRAM needs may follow. */
	char longer[33];
	memcpy(longer, macs[LIMIT_SECRETS - 1], 32);
	last->value = str_make(longer, 33);
	assert_true(check(&b, text, &c));
	/* And under another gate's key it is none. */
	last->value.n = 32;
	assert_true(check(&b, text, &c));
	b.gate.app_key[0] ^= 1;
	assert_false(check(&b, text, &c));
	bench_done(&b);
}

static void its_use_is_noted_once_an_hour(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	struct login *l = login(&b, "192.0.2.1", 1);
	assert_true(app_password_is_due(l)); /* never used */
	for (int i = -1; i <= 1; i++) {
		l->app_used_ms = b.clock.wall_ms - LIMIT_SECRET_USED_MS - i;
		assert_int_equal(app_password_is_due(l), i >= 0);
	}
	l->app_used_ms = b.clock.wall_ms;
	assert_false(app_password_is_due(l));
	l->app_used_ms++; /* by a clock that ran ahead */
	assert_true(app_password_is_due(l));
	bench_done(&b);
}

TEST_MAIN(test_case(s47_an_address_that_tries_is_served_later),
	test_case(s47_an_account_that_many_try), test_case(s47_known_at_home),
	test_case(an_app_password_is_found_by_its_mac), test_case(its_use_is_noted_once_an_hour))
