// SPDX-License-Identifier: Apache-2.0
/* The names that LIST chooses from: order, missing parents, and how many there may be. */
#include "imap/mailboxes.h"

#include "base/limits.h"
#include "base/test.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

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

static uint32_t random_below(uint64_t *seed, uint32_t n)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % n;
}

/* Each name has its parents before it, and nothing else between. */
static void check_order(const struct mailboxes *m)
{
	for (size_t i = 0; i < m->all.n; i++) {
		struct str name = mailboxes_at(m, i)->name;
		size_t slash = str_find_last(name, '/'), at = i;
		struct str parent = str_sub(name, 0, slash);

		if (i > 0)
			assert_false(str_equal(name, mailboxes_at(m, i - 1)->name));
		assert_int_equal(mailboxes_after(m, name), i + 1);
		if (slash == name.n)
			continue;
		while (at > 0 && mailboxes_is_below(mailboxes_at(m, at - 1)->name, parent))
			at--;
		assert_true(at > 0);
		assert_str(mailboxes_at(m, at - 1)->name, parent);
	}
}

/* However the names come, some at a time, they are in order at the end. */
static void test_order(void **state)
{
	enum { ROUNDS = 300, NAMES = 200 };
	static const char letters[] = "ab /-\xc3";
	uint64_t seed = 1;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct api_mailbox some[NAMES];
		char names[NAMES][20];
		struct mailboxes m;
		struct arena arena;
		uint32_t n = 0;

		arena_init(&arena, 100000);
		mailboxes_init(&m, &arena);
		while (n < NAMES) {
			uint32_t from = n, more = 1 + random_below(&seed, 50);

			for (; n < NAMES && n < from + more; n++) {
				int k = snprintf(names[n], 20, "%u%c", n % 7,
					letters[random_below(&seed, 6)]);

				while (k < 12)
					names[n][k++] = letters[random_below(&seed, 6)];
				snprintf(names[n] + k, 6, "%u", n); /* no two are the same */
				some[n] = (struct api_mailbox){ .name = str_from(names[n]) };
			}
			assert_true(mailboxes_add(&m, some + from, n - from));
		}
		assert_true(mailboxes_end(&m));
		check_order(&m);
		for (size_t i = 0; i < m.all.n; i++) { /* each another's place */
			struct api_mailbox *box = vec_at(&m.all, i);
			char text[20];

			for (size_t k = 0; k < box->name.n; k++)
				text[k] = box->name.p[k] == '/' ? '/' : (char)(box->name.p[k] ^ 1);
			box->name = arena_str(&arena, str_make(text, box->name.n));
		}
		mailboxes_renamed(&m);
		assert_true(mailboxes_end(&m));
		check_order(&m);
		mailboxes_done(&m);
		arena_done(&arena);
	}
}

/* What comes last is little beside what came in the turns before, of names that are much alike and
 * in no order. */
static void test_turns(void **state)
{
	enum { NAMES = 90000, AT_ONCE = 400 };
	struct mailboxes m;
	struct arena arena;
	clock_t begin = clock(), last;

	(void)state;
	arena_init(&arena, LIMIT_IMAP_ARENA_BYTES);
	mailboxes_init(&m, &arena);
	for (uint32_t n = 0; n < NAMES; n += AT_ONCE) {
		struct api_mailbox some[AT_ONCE];
		char names[AT_ONCE][160];

		for (uint32_t i = 0; i < AT_ONCE; i++) {
			snprintf(names[i], sizeof names[i], "%0150u", (n + i) * 2654435761u);
			some[i] = (struct api_mailbox){ .name = str_from(names[i]) };
		}
		assert_true(mailboxes_add(&m, some, AT_ONCE));
	}
	last = clock();
	assert_true(mailboxes_end(&m));
	assert_true(clock() - last < last - begin); /* a quarter of it */
	assert_int_equal(m.all.n, NAMES);
	for (size_t i = 1; i < m.all.n; i++)
		assert_true(memcmp(mailboxes_at(&m, i - 1)->name.p, mailboxes_at(&m, i)->name.p,
				    150) < 0);
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

TEST_MAIN(test_case(test_parents), test_case(test_order), test_case(test_turns),
	test_case(test_limit))
