// SPDX-License-Identifier: Apache-2.0
/* Answers that are kept: the same comes back, sheets are not mixed up, and memory ends. */
#include "imap/answers.h"

#include "base/limits.h"
#include "base/test.h"

#include <stdio.h>

static const uint8_t key[16] = "any key will do";

static struct str text_of(uint32_t uid, char room[40])
{
	return str_make(room, (size_t)snprintf(room, 40, "answer %u", uid * 7));
}

static void what_was_put(void **state)
{
	struct answers *a = answers_new(key, LIMIT_IMAP_ANSWERS_BYTES);
	struct sheet *s = answers_sheet(a, 1, 2, 3, 4);
	struct str got;
	char room[40];
	(void)state;
	assert_false(sheet_get(NULL, 1, &got));
	assert_false(sheet_get(s, 1, &got));
	/* Some in order, the others between and before them. */
	for (uint32_t uid = 3; uid <= 3000; uid += 3)
		sheet_put(a, s, uid, text_of(uid, room));
	for (uint32_t uid = 3000; uid > 0; uid -= 2)
		sheet_put(a, s, uid, text_of(uid, room));
	sheet_put(a, s, 6, STR("another")); /* it never changes: the first stays */
	for (int backwards = 0; backwards < 2; backwards++)
		for (uint32_t i = 0; i <= 3001; i++) {
			uint32_t uid = backwards ? 3001 - i : i;
			bool known = uid > 0 && uid <= 3000 && (uid % 3 == 0 || uid % 2 == 0);
			assert_int_equal(sheet_get(s, uid, &got), known);
			if (known)
				assert_str(got, text_of(uid, room));
		}
	/* Another account, mailbox, UIDVALIDITY and kind are others. */
	assert_false(sheet_get(answers_sheet(a, 2, 2, 3, 4), 6, &got));
	assert_false(sheet_get(answers_sheet(a, 1, 3, 3, 4), 6, &got));
	assert_false(sheet_get(answers_sheet(a, 1, 2, 4, 4), 6, &got));
	assert_false(sheet_get(answers_sheet(a, 1, 2, 3, 5), 6, &got));
	assert_true(sheet_get(answers_sheet(a, 1, 2, 3, 4), 6, &got));
	answers_free(&a);
	answers_free(&a);
}

/* Not a byte beyond the bound: the oldest sheets go, and those in use take no more. */
static void memory_of_answers(void **state)
{
	enum { MAX = 100000 };
	struct answers *a = answers_new(key, MAX);
	struct str got;
	char room[40];
	(void)state;
	assert_int_equal(LIMIT_IMAP_ANSWERS_BYTES, 64 * 1024 * 1024);
	for (uint64_t mailbox = 1; mailbox <= 100; mailbox++) {
		for (uint32_t uid = 1; uid <= 100; uid++)
			sheet_put(a, answers_sheet(a, 1, mailbox, 1, 0), uid, text_of(uid, room));
		assert_true(answers_bytes(a) <= MAX);
	}
	assert_true(sheet_get(answers_sheet(a, 1, 100, 1, 0), 100, &got));
	assert_true(sheet_get(answers_sheet(a, 1, 99, 1, 0), 100, &got));
	assert_false(sheet_get(answers_sheet(a, 1, 1, 1, 0), 1, &got));
	/* Three that one command uses stay, whatever is put into them. */
	struct sheet *three[SHEETS_AT_ONCE];
	for (unsigned i = 0; i < SHEETS_AT_ONCE; i++)
		three[i] = answers_sheet(a, 1, 7, 7, i);
	for (uint32_t uid = 1; uid <= 5000; uid++)
		for (unsigned i = 0; i < SHEETS_AT_ONCE; i++)
			sheet_put(a, three[i], uid, text_of(uid, room));
	assert_true(answers_bytes(a) <= MAX && answers_bytes(a) > MAX / 2);
	for (unsigned i = 0; i < SHEETS_AT_ONCE; i++) {
		assert_true(sheet_get(three[i], 1, &got));
		assert_str(got, text_of(1, room));
		assert_false(sheet_get(three[i], 5000, &got));
	}
	answers_free(&a);
}

/* One that no room is left for is none. */
static void no_room_at_all(void **state)
{
	struct answers *a = answers_new(key, 100);
	struct str got;
	(void)state;
	struct sheet *s = answers_sheet(a, 1, 1, 1, 0);
	assert_null(s);
	sheet_put(a, s, 1, STR("x"));
	assert_false(sheet_get(s, 1, &got));
	answers_free(&a);
}

TEST_MAIN(test_case(what_was_put), test_case(memory_of_answers), test_case(no_room_at_all))
