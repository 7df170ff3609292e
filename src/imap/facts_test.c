// SPDX-License-Identifier: Apache-2.0
/* Envelopes that are kept between one SORT and the next: the same comes back, and memory ends. */
#include "imap/facts.h"

#include "base/test.h"

static const uint8_t key[16] = "any key will do";

static void what_was_put(void **state)
{
	(void)state;
	struct facts *f = facts_new(key, LIMIT_IMAP_FACTS_BYTES);
	struct digest d = { .flags = 0 }, got;
	d.envelope.value[DIGEST_SUBJECT] = STR("a subject");
	d.envelope.value[DIGEST_TO] = STR("");
	d.envelope.value[DIGEST_REFERENCES] = STR("<a@b>");
	assert_false(facts_get(NULL, 1, &got));
	assert_false(facts_get(f, 1, &got));
	for (uint32_t uid = 1; uid <= 1000; uid++)
		facts_put(f, uid, &d);
	d.envelope.value[DIGEST_SUBJECT] = STR("another");
	facts_put(f, 1, &d); /* it never changes: the first stays */
	for (uint32_t uid = 1; uid <= 1000; uid++) {
		assert_true(facts_get(f, uid, &got));
		assert_str(got.envelope.value[DIGEST_SUBJECT], STR("a subject"));
		assert_str(got.envelope.value[DIGEST_REFERENCES], STR("<a@b>"));
		assert_true(got.envelope.value[DIGEST_TO].p != NULL &&
			    got.envelope.value[DIGEST_TO].n == 0);
		assert_null(got.envelope.value[DIGEST_FROM].p);
	}
	assert_false(facts_get(f, 1001, &got));
	facts_free(&f);
	facts_free(&f);
}

/* Not a byte beyond the bound; what finds no room is unknown. */
static void i22_memory_of_facts(void **state)
{
	(void)state;
	struct digest d = { .flags = 0 }, got;
	d.envelope.value[DIGEST_SUBJECT] = STR(
		"0123"); /* 48 bytes with its lengths, and a slot of 64 */
	for (size_t n = 1; n < 5; n++) {
		for (int less = 0; less < 2; less++) {
			struct facts *f = facts_new(key, n * 112 - (size_t)less);
			for (uint32_t uid = 1; uid <= 10; uid++)
				facts_put(f, uid, &d);
			for (uint32_t uid = 1; uid <= 10; uid++)
				assert_int_equal(facts_get(f, uid, &got), uid <= n - (size_t)less);
			facts_free(&f);
		}
	}
	assert_int_equal(LIMIT_IMAP_FACTS_BYTES, 6 * 1024 * 1024);
}

/* n ranks of every second UID. */
static void put_ranks(struct facts *f, unsigned by, uint32_t n)
{
	struct vec ranks;
	vec_init(&ranks, sizeof(struct facts_rank), LIMIT_IMAP_RANKS);
	for (uint32_t i = 1; i <= n; i++)
		vec_push(&ranks, &(struct facts_rank){ 2 * i, n - i });
	facts_put_ranks(f, by, &ranks);
	vec_done(&ranks);
}

static void ranks_are_found(void **state)
{
	(void)state;
	struct facts *f = facts_new(key, 1000);
	uint32_t rank;
	size_t at = 0;
	assert_false(facts_rank(NULL, 1, &at, 2, &rank));
	assert_false(facts_rank(f, 1, &at, 2, &rank));
	put_ranks(f, 1, 100);
	assert_false(facts_rank(f, 2, &at, 2, &rank));
	assert_true(facts_rank(f, 1, &at, 2, &rank));
	assert_int_equal(rank, 99);
	assert_true(facts_rank(f, 1, &at, 200, &rank));
	assert_int_equal(rank, 0);
	assert_false(facts_rank(f, 1, &at, 202, &rank));
	at = 0;
	assert_false(facts_rank(f, 1, &at, 3, &rank));
	assert_true(facts_rank(f, 1, &at, 4, &rank));
	put_ranks(f, 1, 49); /* far fewer are not worth it */
	assert_true(facts_rank(f, 1, &at, 200, &rank));
	at = 0;
	put_ranks(f, 1, 50);
	assert_false(facts_rank(f, 1, &at, 200, &rank));
	facts_free(&f);
}

/* Whose ranks are put last are kept. */
static void i22_number_of_ranks(void **state)
{
	(void)state;
	for (int over = -1; over <= 1; over++) {
		struct facts *f = facts_new(key, 1000);
		uint32_t rank;
		size_t at = 0, other = 0, last = 0;
		put_ranks(f, 0, 10);
		put_ranks(f, 1, 10);
		put_ranks(f, 2, (uint32_t)(LIMIT_IMAP_RANKS - 20 + over));
		assert_int_equal(facts_rank(f, 0, &at, 2, &rank), over <= 0);
		assert_true(facts_rank(f, 1, &other, 2, &rank));
		assert_true(facts_rank(f, 2, &last, 2, &rank));
		facts_free(&f);
	}
}

TEST_MAIN(test_case(ranks_are_found), test_case(i22_number_of_ranks), test_case(what_was_put),
	test_case(i22_memory_of_facts))
