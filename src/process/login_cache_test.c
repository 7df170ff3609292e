// SPDX-License-Identifier: Apache-2.0
/* A3: what was right for one account, verifier and password is right for no other three. */
#include "process/gate_private.h"

#include "base/test.h"

#include <stdio.h>

enum { N = 24, TEXT = 12 };

struct fixture {
	struct clock_fake clock;
	struct random_fake random;
	struct role_context context;
	struct gate gate;
	uint64_t accounts[N];
	char verifiers[N][TEXT + 1], passwords[N][TEXT + 1];
};

/* Short texts of few symbols, so that many are parts of others: "a", "ab", "1a", … */
static void draw(struct random_seam *random, char text[TEXT + 1])
{
	uint8_t chance[TEXT + 1];
	random->fill(random, chance, sizeof(chance));
	size_t n = chance[TEXT] % 4;
	for (size_t i = 0; i < n; i++)
		text[i] = "ab01"[chance[i] % 4];
	text[n] = 0;
}

static void init(struct fixture *f)
{
	static const uint8_t key[16] = "0123456789abcde";
	*f = (struct fixture){ 0 };
	clock_fake_init(&f->clock, 1700000000000);
	random_fake_init(&f->random, 3);
	f->context.seams.clock = &f->clock.seam;
	f->gate.base.context = &f->context;
	login_cache_init(&f->gate, key);
	for (size_t i = 0; i < N; i++) {
		f->accounts[i] = i < N / 2 ? i : i * 11;
		draw(&f->random.seam, f->verifiers[i]);
		draw(&f->random.seam, f->passwords[i]);
	}
}

static void mac(struct fixture *f, size_t account, size_t verifier, size_t password,
	uint8_t ret[LOGIN_MAC_BYTES])
{
	assert_true(login_cache_mac(&f->gate, f->accounts[account],
		str_from(f->verifiers[verifier]), str_from(f->passwords[password]), ret));
}

/* Whether the three are those of an account that came in. */
static bool was_right(const struct fixture *f, size_t account, size_t verifier, size_t password)
{
	for (size_t i = 0; i < N; i++)
		if (f->accounts[i] == f->accounts[account] &&
			strcmp(f->verifiers[i], f->verifiers[verifier]) == 0 &&
			strcmp(f->passwords[i], f->passwords[password]) == 0)
			return true;
	return false;
}

static void a3_nobody_is_taken_for_another(void **state)
{
	struct fixture f;
	uint8_t m[LOGIN_MAC_BYTES];
	size_t found = 0;
	(void)state;
	init(&f);
	for (size_t i = 0; i < N; i++) {
		mac(&f, i, i, i, m);
		login_cache_add(&f.gate, m);
	}
	for (size_t n = 0; n < N * N * N; n++) {
		size_t account = n % N, verifier = n / N % N, password = n / N / N;
		mac(&f, account, verifier, password, m);
		bool has = login_cache_has(&f.gate, m);
		assert_int_equal(has, was_right(&f, account, verifier, password));
		found += has;
	}
	assert_true(found >= N);
	/* Another gate's key: nobody at all. */
	f.gate.cache_key[31] ^= 1;
	for (size_t i = 0; i < N; i++) {
		mac(&f, i, i, i, m);
		assert_false(login_cache_has(&f.gate, m));
	}
	login_cache_free(&f.gate);
}

TEST_MAIN(test_case(a3_nobody_is_taken_for_another))
