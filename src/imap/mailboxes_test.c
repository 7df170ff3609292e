// SPDX-License-Identifier: Apache-2.0
/* The names that LIST chooses from: order, missing parents, and how many there may be. */
#include "imap/mailboxes.h"

#include "base/limits.h"
#include "base/test.h"

#include <stdio.h>

static void add(struct mailboxes *m, const char *name)
{
	struct api_mailbox box = { .name = str_from(name), .exists = true };

	assert_true(mailboxes_add(m, &box, 1));
}

static void test_parents(void **state)
{
	static const char *const expected[] = { "a", "a/b", "a/b/c", "a/b/d/e", "a b", "x", "x/q/r",
		"x/y", "x/y/z", "x/y/zz" };
	struct mailboxes m;
	struct arena arena;

	(void)state;
	arena_init(&arena, 100000);
	mailboxes_init(&m, &arena);
	add(&m, "x/y/zz");
	add(&m, "a b");
	add(&m, "a/b/c");
	add(&m, "a/b");
	add(&m, "a");
	add(&m, "x/y/z");
	add(&m, "a/b/d/e");
	add(&m, "x/q/r");
	assert_true(mailboxes_end(&m));
	assert_int_equal(m.all.n, 12);
	for (size_t i = 0, k = 0; i < m.all.n; i++) {
		const struct api_mailbox *box = mailboxes_at(&m, i);

		if (str_equal(box->name, STR("a/b/d")) ||
			str_equal(box->name, STR("x/q"))) { /* the parent between */
			assert_false(box->exists);
			continue;
		}
		assert_str(box->name, str_from(expected[k++]));
		assert_true(box->exists == (box->name.p[0] != 'x' || box->name.n > 3));
	}
	assert_true(mailboxes_has_children(&m, STR("a")));
	assert_true(mailboxes_has_children(&m, STR("x")));
	assert_false(mailboxes_has_children(&m, STR("a b")));
	assert_false(mailboxes_has_children(&m, STR("a/b/c")));
	mailboxes_done(&m);
	arena_done(&arena);
}

static void test_limit(void **state)
{
	struct mailboxes m;
	struct arena arena;
	char name[20];

	(void)state;
	arena_init(&arena, LIMIT_IMAP_ARENA_BYTES);
	mailboxes_init(&m, &arena);
	for (uint32_t i = 1; i <= LIMIT_IMAP_MAILBOXES + 1; i++) {
		struct api_mailbox box = { .exists = true };

		snprintf(name, sizeof name, "%u", i);
		box.name = str_from(name);
		assert_true(mailboxes_add(&m, &box, 1) == (i <= LIMIT_IMAP_MAILBOXES));
	}
	assert_true(mailboxes_end(&m));
	mailboxes_done(&m);
	/* missing parents count too */
	mailboxes_init(&m, &arena);
	arena_reset(&arena);
	for (uint32_t i = 1; i < LIMIT_IMAP_MAILBOXES; i++)
		add(&m, "q");
	add(&m, "x/y");
	assert_false(mailboxes_end(&m));
	mailboxes_done(&m);
	arena_done(&arena);
}

TEST_MAIN(test_case(test_parents), test_case(test_limit))
