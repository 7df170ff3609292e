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

TEST_MAIN(test_case(what_was_put), test_case(i22_memory_of_facts))
