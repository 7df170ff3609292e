// SPDX-License-Identifier: Apache-2.0
/* What is kept between one SORT and the next: the same comes back, and memory ends. */
#include "imap/facts.h"

#include "base/test.h"

static const uint8_t key[16] = "any key will do";

static void what_was_put(void **state)
{
	(void)state;
	struct facts *f = facts_new(key, LIMIT_IMAP_FACTS_BYTES);
	struct message_facts m = { .sent_ms = -5, .reply = true }, got;
	m.text[FACTS_SUBJECT] = STR("a subject");
	m.text[FACTS_IDS] = STR("some ids");
	assert_false(facts_get(NULL, 1, &got));
	assert_false(facts_get(f, 1, &got));
	for (uint32_t uid = 1; uid <= 1000; uid++)
		facts_put(f, uid, &m);
	m.text[FACTS_SUBJECT] = STR("another");
	facts_put(f, 1, &m); /* it never changes: the first stays */
	for (uint32_t uid = 1; uid <= 1000; uid++) {
		assert_true(facts_get(f, uid, &got));
		assert_str(got.text[FACTS_SUBJECT], STR("a subject"));
		assert_str(got.text[FACTS_IDS], STR("some ids"));
		assert_int_equal(got.text[FACTS_TO].n, 0);
		assert_true(got.sent_ms == -5 && got.reply);
	}
	assert_false(facts_get(f, 1001, &got));
	facts_free(&f);
	facts_free(&f);
}

static void expect_ids(struct str ids, const char *const *expected)
{
	struct str id;
	for (; *expected != NULL; expected++) {
		assert_true(facts_next_id(&ids, &id));
		assert_str(id, str_from(*expected));
	}
	assert_false(facts_next_id(&ids, &id));
}
#define IDS(...)                                                                                   \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

/* What is taken from a digest, and from an entry that has none. */
static void what_is_read(void **state)
{
	(void)state;
	struct facts_reader reader;
	struct digest d = { .flags = 0 };
	struct str *value = d.envelope.value;
	struct message_facts m;
	facts_reader_init(&reader);
	facts_read(&reader, &(struct api_entry){ .time = 7 }, NULL, &m);
	assert_true(m.sent_ms == 7 && !m.reply && m.text[FACTS_IDS].n == 0);
	value[DIGEST_SUBJECT] = STR("Re: [x] Word");
	value[DIGEST_DATE] = STR("1 Jan 1970 00:00:01 +0000");
	value[DIGEST_REFERENCES] = STR("<a@x> <\"b\"@x>");
	value[DIGEST_IN_REPLY_TO] = STR("<c@x> <d@x>");
	facts_read(&reader, &(struct api_entry){ .time = 7 }, &d, &m);
	assert_true(m.sent_ms == 1000 && m.reply);
	assert_str(m.text[FACTS_SUBJECT], STR("WORD"));
	expect_ids(m.text[FACTS_IDS], IDS("", "a@x", "b@x"));
	value[DIGEST_MESSAGE_ID] = STR("<m@x> <n@x>");
	value[DIGEST_REFERENCES] = STR("none at all");
	value[DIGEST_DATE] = STR("no date");
	value[DIGEST_SUBJECT] = STR("Word");
	facts_read(&reader, &(struct api_entry){ .time = 7 }, &d, &m);
	assert_true(m.sent_ms == 7 && !m.reply);
	expect_ids(m.text[FACTS_IDS], IDS("m@x", "c@x"));
	facts_reader_done(&reader);
}

/* As many ids as a digest has room for, each of the shortest kind. */
static void m2_many_ids(void **state)
{
	(void)state;
	struct facts_reader reader;
	struct digest d = { .flags = 0 };
	struct message_facts m;
	struct buf many;
	size_t n = 0;
	facts_reader_init(&reader);
	buf_init(&many, LIMIT_DIGEST_BYTES);
	while (buf_addz(&many, "<a@b>"))
		n++;
	d.envelope.value[DIGEST_REFERENCES] = buf_str(&many);
	facts_read(&reader, &(struct api_entry){ .time = 7 }, &d, &m);
	for (struct str ids = m.text[FACTS_IDS], id; facts_next_id(&ids, &id); n--)
		assert_true(id.n == 3 || ids.n == m.text[FACTS_IDS].n - 4);
	assert_int_equal(n + 1, 0);
	buf_done(&many);
	facts_reader_done(&reader);
}

/* Not a byte beyond the bound; what finds no room is unknown. */
static void i22_memory_of_facts(void **state)
{
	(void)state;
	struct message_facts m = { .reply = false }, got;
	m.text[FACTS_SUBJECT] = STR(
		"0123456789abcdef"); /* 48 bytes of a record, and a slot of 64 */
	for (size_t n = 1; n < 5; n++) {
		for (int less = 0; less < 2; less++) {
			struct facts *f = facts_new(key, n * 112 - (size_t)less);
			for (uint32_t uid = 1; uid <= 10; uid++)
				facts_put(f, uid, &m);
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
	test_case(what_is_read), test_case(m2_many_ids), test_case(i22_memory_of_facts))
