// SPDX-License-Identifier: Apache-2.0
/* Keys of session tickets: of this hour and the one before, never more. What tickets do between a
 * client and a server is in tests/test_hostile_tls.py. */
#include "auth/derive.h"
#include "base/limits.h"
#include "base/test.h"
#include "io/tls_private.h"

enum { HOUR_MS = 3600 * 1000 };

static void t8_keys_of_two_hours(void **state)
{
	static const uint8_t key[LIMIT_TICKET_KEY_BYTES] = { 1 };
	struct clock_fake clock;
	(void)state;
	clock_fake_init(&clock, 100 * (int64_t)HOUR_MS);
	struct tls_tickets *t = tls_tickets_new(&clock.seam);
	assert_false(tls_tickets_ready(NULL));
	assert_false(tls_tickets_ready(t));
	assert_int_equal(tls_tickets_missing(t), 100);
	tls_tickets_put(t, 100, key);
	assert_true(tls_tickets_ready(t));
	assert_int_equal(tls_tickets_missing(t), 0);
	clock.wall_ms += HOUR_MS - 1; /* the last moment of its hour */
	assert_int_equal(tls_tickets_missing(t), 0);
	clock.wall_ms += 1;
	assert_int_equal(tls_tickets_missing(t), 101);
	assert_true(tls_tickets_ready(t)); /* keys is away: the one before goes on for its hour */
	clock.wall_ms += HOUR_MS - 1;
	assert_true(tls_tickets_ready(t));
	clock.wall_ms += 1;
	assert_false(tls_tickets_ready(t));
	clock.wall_ms = 99 * (int64_t)HOUR_MS; /* a clock that is set back makes no old key good */
	assert_false(tls_tickets_ready(t));
	tls_tickets_free(&t);
	assert_null(t);
}

static bool all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

/* Whatever differs, the key does, in each of its three parts; none is zero even of a zero secret.
 */
static void t8_keys_differ(void **state)
{
	static const char *const purposes[] = { "culver tls tickets class=2 hour=1",
		"culver tls tickets class=3 hour=1", "culver tls tickets class=2 hour=2",
		"culver tls tickets class=2 hour=11" };
	static const uint8_t secret[DERIVE_SECRET_BYTES];
	static const size_t parts[] = { 0, 16, 48 };
	uint8_t keys[ARRAY_LEN(purposes)][LIMIT_TICKET_KEY_BYTES];
	struct err err = ERR_INIT;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(purposes); i++) {
		assert_int_equal(
			derive_key(secret, purposes[i], keys[i], sizeof(keys[i]), &err), 0);
		for (size_t p = 0; p < ARRAY_LEN(parts); p++) {
			assert_false(all_zero(keys[i] + parts[p], 16));
			for (size_t j = 0; j < i; j++)
				assert_memory_not_equal(keys[i] + parts[p], keys[j] + parts[p], 16);
		}
	}
}

TEST_MAIN(test_case(t8_keys_of_two_hours), test_case(t8_keys_differ))
