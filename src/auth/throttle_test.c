// SPDX-License-Identifier: Apache-2.0
#include "auth/throttle.h"

#include "base/limits.h"
#include "base/test.h"

#include <stdio.h>

static struct throttle *make(void)
{
	struct random_fake random;
	random_fake_init(&random, 1);
	return throttle_new(&random.seam);
}

static void failures_are_counted_by_address(void **state)
{
	(void)state;
	struct throttle *t = make();
	struct str a = STR("192.0.2.1");
	for (int i = 0; i < LIMIT_GATE_FAILURES; i++) {
		assert_true(throttle_may_try(t, a, 0));
		throttle_failed(t, a, 0);
	}
	assert_false(throttle_may_try(t, a, 0));
	assert_true(throttle_may_try(t, STR("192.0.2.2"), 0));
	assert_false(throttle_may_try(t, a, LIMIT_GATE_REFILL_MS - 1));
	assert_true(throttle_may_try(t, a, LIMIT_GATE_REFILL_MS));
	throttle_failed(t, a, LIMIT_GATE_REFILL_MS);
	assert_false(throttle_may_try(t, a, LIMIT_GATE_REFILL_MS));
	throttle_free(&t);
}

static void a_network_of_ipv6_is_one(void **state)
{
	(void)state;
	struct throttle *t = make();
	for (int i = 0; i < LIMIT_GATE_FAILURES; i++)
		throttle_failed(t, STR("2001:db8:1:2:3:4:5:6"), 0);
	assert_false(throttle_may_try(t, STR("2001:db8:1:2::9"), 0) &&
		     throttle_may_try(t, STR("2001:db8:1:2:9:9:9:9"), 0));
	assert_true(throttle_may_try(t, STR("2001:db8:1:3:3:4:5:6"), 0));
	throttle_free(&t);
}

static void this_machine_is_not_held_up(void **state)
{
	(void)state;
	struct throttle *t = make();
	for (int i = 0; i < 1000; i++)
		throttle_failed(t, STR("127.0.0.1"), 0);
	assert_true(throttle_may_try(t, STR("127.0.0.1"), 0));
	throttle_free(&t);
}

static void success_is_remembered_and_forgives_one(void **state)
{
	(void)state;
	struct throttle *t = make();
	struct str a = STR("192.0.2.1");
	assert_false(throttle_is_known(t, a));
	for (int i = 0; i < LIMIT_GATE_FAILURES; i++)
		throttle_failed(t, a, 0);
	throttle_succeeded(t, a, 0);
	assert_true(throttle_is_known(t, a));
	assert_true(throttle_may_try(t, a, 0));
	throttle_failed(t, a, 0);
	assert_false(throttle_may_try(t, a, 0));
	throttle_free(&t);
}

static struct str address_of(unsigned number)
{
	static char text[32];
	snprintf(text, sizeof(text), "10.%u.%u.%u", number >> 16, number >> 8 & 255, number & 255);
	return str_from(text);
}

static void the_quietest_is_forgotten_at_the_limit(void **state)
{
	(void)state;
	struct throttle *t = make();
	for (unsigned n = 1; n <= LIMIT_GATE_ADDRESSES; n++) {
		throttle_succeeded(t, address_of(n), 0);
		if (n >= LIMIT_GATE_ADDRESSES - 1) /* N-1, N */
			assert_true(throttle_is_known(t, address_of(1)));
	}
	throttle_may_try(t, address_of(1), 0);
	throttle_succeeded(t, address_of(LIMIT_GATE_ADDRESSES + 1), 0); /* N+1 */
	assert_true(throttle_is_known(t, address_of(1)));
	assert_false(throttle_is_known(t, address_of(2)));
	assert_true(throttle_is_known(t, address_of(3)));
	assert_true(throttle_is_known(t, address_of(LIMIT_GATE_ADDRESSES + 1)));
	throttle_free(&t);
}

static void tries_are_failures_and_what_may_fail(void **state)
{
	(void)state;
	struct throttle *t = make();
	struct str a = STR("192.0.2.1");
	assert_int_equal(throttle_tries(t, a, 0), 0);
	throttle_began(t, a, 0);
	throttle_began(t, a, 0);
	assert_int_equal(throttle_tries(t, a, 0), 2);
	throttle_failed(t, a, 0);
	throttle_ended(t, a, 0);
	assert_int_equal(throttle_tries(t, a, 0), 2);
	assert_int_equal(throttle_tries(t, a, LIMIT_GATE_REFILL_MS - 1), 2);
	assert_int_equal(throttle_tries(t, a, LIMIT_GATE_REFILL_MS), 1);
	throttle_ended(t, a, LIMIT_GATE_REFILL_MS);
	assert_int_equal(throttle_tries(t, a, LIMIT_GATE_REFILL_MS), 0);
	throttle_ended(t, a, LIMIT_GATE_REFILL_MS); /* one that was forgotten */
	assert_int_equal(throttle_tries(t, a, LIMIT_GATE_REFILL_MS), 0);
	/* this machine's are counted, though not held up */
	for (int i = 0; i < 1000; i++)
		throttle_failed(t, STR("127.0.0.9"), 0);
	assert_int_equal(throttle_tries(t, STR("127.0.0.9"), 0), LIMIT_GATE_FAILURES);
	assert_int_equal(throttle_tries(t, STR("127.0.0.8"), 0), 0);
	throttle_free(&t);
}

/* A front may leave out where its client is. */
static void no_address_is_one_too(void **state)
{
	(void)state;
	struct throttle *t = make();
	for (int i = 0; i < LIMIT_GATE_FAILURES; i++) {
		assert_true(throttle_may_try(t, STR_NONE, 0));
		throttle_failed(t, STR_NONE, 0);
	}
	assert_false(throttle_may_try(t, STR_NONE, 0));
	throttle_free(&t);
}

TEST_MAIN(test_case(no_address_is_one_too), test_case(tries_are_failures_and_what_may_fail),
	test_case(failures_are_counted_by_address), test_case(a_network_of_ipv6_is_one),
	test_case(this_machine_is_not_held_up), test_case(success_is_remembered_and_forgives_one),
	test_case(the_quietest_is_forgotten_at_the_limit))
