// SPDX-License-Identifier: Apache-2.0
/* What one image leaves and the next one takes; and what the next one refuses. */
#include "base/test.h"

#include "base/limits.h"
#include "process/takeover.h"

#include <stdio.h>

static void fill(struct takeover *t, size_t listeners, size_t children)
{
	takeover_init(t);
	t->last_instance = 77;
	t->generation = 3;
	t->schema = 2;
	t->distrust = true;
	t->lock = 5;
	t->control = 6;
	for (size_t i = 0; i < sizeof(t->ticket_key); i++)
		t->ticket_key[i] = (uint8_t)(251 - i), t->tls_secret[i] = (uint8_t)(7 * i);
	for (size_t i = 0; i < listeners; i++) {
		struct takeover_listener l = { "submission-alt", (int)i + 10 };
		assert_true(vec_push(&t->listeners, &l));
	}
	for (size_t i = 0; i < children; i++) {
		struct takeover_child c = { "front-user", 4000000 + (int)i, (uint32_t)i + 1, 2,
			i % 2 == 0, INT64_MAX, 99,
			{ 98, UINT32_MAX, LIMIT_CHANNEL_SMALL_CREDIT, 17, 4 } };
		assert_true(vec_push(&t->children, &c));
	}
}

static void test_there_and_back(void **state)
{
	struct takeover a, b;
	struct buf text, again;
	struct err err = ERR_INIT;
	(void)state;
	/* As many as there may be, and they fit. */
	fill(&a, LIMIT_TAKEOVER_LISTENERS, LIMIT_TAKEOVER_CHILDREN);
	buf_init(&text, LIMIT_TAKEOVER_BYTES);
	buf_init(&again, LIMIT_TAKEOVER_BYTES);
	assert_true(takeover_write(&a, &text));
	takeover_init(&b);
	assert_int_equal(takeover_read(buf_str(&text), &b, &err), 0);
	assert_memory_equal(a.ticket_key, b.ticket_key, sizeof(a.ticket_key));
	assert_memory_equal(a.tls_secret, b.tls_secret, sizeof(a.tls_secret));
	assert_int_equal(b.last_instance, 77);
	assert_int_equal(b.generation, 3);
	assert_int_equal(b.schema, 2);
	assert_true(b.distrust);
	assert_int_equal(b.listeners.n, LIMIT_TAKEOVER_LISTENERS);
	assert_int_equal(b.children.n, LIMIT_TAKEOVER_CHILDREN);
	assert_true(takeover_write(&b, &again));
	assert_true(str_equal(buf_str(&text), buf_str(&again)));
	takeover_done(&a);
	takeover_done(&b);
	buf_done(&text);
	buf_done(&again);
}

static void refused(const char *text)
{
	struct takeover t;
	struct err err = ERR_INIT;
	takeover_init(&t);
	if (takeover_read(str_from(text), &t, &err) == 0)
		fail_msg("taken: %s", text);
	assert_int_equal(err.kind, ERR_UNSUPPORTED);
	assert_true(err_log_text(&err)[0] != '\0');
	takeover_done(&t);
}

#define GOOD "culver-takeover 1\ninstance 7\nlock 5\ncontrol 6\n"

static void test_refused(void **state)
{
	struct takeover t;
	struct err err = ERR_INIT;
	(void)state;
	takeover_init(&t);
	assert_int_equal(takeover_read(STR(GOOD), &t, &err), 0);
	takeover_done(&t);
	refused("");
	refused("culver-takeover 2\ninstance 7\nlock 5\ncontrol 6\n");
	refused("culver-takeover 1\n");
	refused("culver-takeover 1\ninstance 7\nlock 5\n");
	refused(GOOD "lock 0\n");
	refused(GOOD "lock 2147483648\n");
	refused(GOOD "lock 5 6\n");
	refused(GOOD "instance 4294967296\n");
	refused(GOOD "distrust 2\n");
	refused(GOOD "ticket-key 00\n");
	refused(GOOD "tls-secret xx\n");
	refused(GOOD "ticket-key "
		     "zz0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n");
	refused(GOOD "what is this\n");
	refused(GOOD "\n");
	refused(GOOD "listener smtp\n");
	refused(GOOD "listener a-name-that-is-too-long 9\n");
	refused(GOOD "listener \x01 9\n");
	refused(GOOD "child store 1 1 1 1 1 9 8 1 1048577 0 0\n"); /* beyond all credit */
	refused(GOOD "child store 1 1 1 1 1 9 8 1 0 1048576 1\n");
	refused(GOOD "child store 0 1 1 1 1 9 8 1 0 0 0\n");
	refused(GOOD "child store 1 1 1 1 1 9 8 1 0 0\n");
}

/* One more of each than there may be. */
static void test_limits(void **state)
{
	struct buf text;
	(void)state;
	buf_init(&text, LIMIT_TAKEOVER_BYTES);
	buf_addz(&text, GOOD);
	for (size_t i = 0; i <= LIMIT_TAKEOVER_LISTENERS; i++)
		assert_true(buf_addz(&text, "listener smtp 9\n"));
	refused(text.p);
	buf_clear(&text);
	buf_addz(&text, GOOD);
	for (size_t i = 0; i <= LIMIT_TAKEOVER_CHILDREN; i++)
		assert_true(buf_addz(&text, "child store 1 1 1 1 1 9 8 1 0 0 0\n"));
	refused(text.p);
	buf_done(&text);
}

/* All of it: LIMIT_TAKEOVER_BYTES are read, one more is not. */
static void test_bytes(void **state)
{
	static const char line[] = "lock 5\n", longer[] = "distrust 0\n";
	(void)state;
	for (size_t n = LIMIT_TAKEOVER_BYTES - 1; n <= LIMIT_TAKEOVER_BYTES + 1; n++) {
		struct takeover t;
		struct buf text;
		struct err err = ERR_INIT;
		buf_init(&text, LIMIT_TAKEOVER_BYTES + 1);
		buf_addz(&text, GOOD);
		while ((n - text.n) % strlen(line) != 0)
			buf_addz(&text, longer);
		while (text.n < n)
			buf_addz(&text, line);
		assert_int_equal(text.n, n);
		takeover_init(&t);
		assert_int_equal(takeover_read(buf_str(&text), &t, &err),
			n <= LIMIT_TAKEOVER_BYTES ? 0 : -1);
		takeover_done(&t);
		buf_done(&text);
	}
}

/* What is written: into a buffer that has other things in it, up to the same. */
static void test_bytes_written(void **state)
{
	(void)state;
	for (int over = -1; over <= 1; over++) {
		struct takeover t;
		struct buf text;
		fill(&t, 1, 1);
		buf_init(&text, 2 * LIMIT_TAKEOVER_BYTES);
		assert_true(takeover_write(&t, &text));
		size_t before = (size_t)(LIMIT_TAKEOVER_BYTES + over) - text.n;
		buf_clear(&text);
		while (text.n < before)
			buf_addc(&text, '\n');
		assert_int_equal(takeover_write(&t, &text), over <= 0);
		takeover_done(&t);
		buf_done(&text);
	}
}

TEST_MAIN(test_case(test_there_and_back), test_case(test_refused), test_case(test_limits),
	test_case(test_bytes), test_case(test_bytes_written))
