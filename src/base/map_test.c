// SPDX-License-Identifier: Apache-2.0
/* Hash maps, against an array that does the same slowly; and the hash against its reference. */
#include "base/map.h"
#include "base/test.h"

#include <stdio.h>

static const uint8_t key[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

/* The first vectors of the SipHash-2-4 paper's reference implementation: messages 00, 00 01, …
 * under the key 00 01 … 0f. */
static void siphash_vectors(void **state)
{
	(void)state;
	static const uint64_t expected[] = { 0x726fdb47dd0e0e31, 0x74f839c593dc67fd,
		0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d, 0xcf2794e0277187b7, 0x18765564cd99a68d,
		0xcbc9466e58fee3ce, 0xab0200f58b01d137, 0x93f5f5799a932462, 0x9e0082df0ba9e4b0,
		0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7, 0x751e8fbc860ee5fb, 0x14ea5627c0843d90,
		0xf723ca908e7af2ee, 0xa129ca6149be45e5 };
	uint64_t k[2];
	memcpy(k, key, sizeof(k));
	for (size_t n = 0; n < ARRAY_LEN(expected); n++)
		assert_true(siphash(k, key, n) == expected[n]);
}

static void strings(void **state)
{
	(void)state;
	struct map m;
	int a, b;
	map_init(&m, key, 10);
	assert_null(map_get(&m, STR("a")));
	assert_null(map_remove(&m, STR("a")));
	char name[] = "alice";
	assert_true(map_put(&m, str_from(name), &a));
	name[0] = 'x'; /* the key is a copy */
	assert_ptr_equal(map_get(&m, STR("alice")), &a);
	assert_true(map_put(&m, STR("alice"), &b));
	assert_int_equal(m.n, 1);
	assert_ptr_equal(map_get(&m, STR("alice")), &b);
	assert_true(map_put(&m, STR_NONE, &a));
	assert_ptr_equal(map_get(&m, STR("")), &a);
	assert_true(map_put(&m, STR("a\0b"), &a));
	assert_null(map_get(&m, STR("a\0c")));
	assert_null(map_get(&m, STR("a")));
	/* The number 5 is not the string of five bytes. */
	assert_null(map_get_u64(&m, 5));
	assert_ptr_equal(map_remove(&m, STR("alice")), &b);
	assert_null(map_get(&m, STR("alice")));
	map_done(&m);
	map_done(&m);
}

static void keeps_its_maximum(void **state)
{
	(void)state;
	struct map m;
	map_init(&m, key, 100);
	for (uint64_t i = 0; i < 100; i++)
		assert_true(map_put_u64(&m, i, &m));
	assert_false(map_put_u64(&m, 100, &m));
	assert_true(map_put_u64(&m, 99, &m));
	assert_ptr_equal(map_remove_u64(&m, 0), &m);
	assert_true(map_put_u64(&m, 100, &m));
	assert_false(map_put_u64(&m, 101, &m));
	map_done(&m);
	map_init(&m, key, 0);
	assert_false(map_put_u64(&m, 1, &m));
	map_done(&m);
}

/* Entries that come and go leave marks behind; these must neither fill the map nor hide an entry.
 */
static void churn_does_not_grow(void **state)
{
	(void)state;
	struct map m;
	map_init(&m, key, 8);
	for (uint64_t i = 0; i < 100000; i++) {
		assert_true(map_put_u64(&m, i, &m));
		if (i >= 8 - 1)
			assert_ptr_equal(map_remove_u64(&m, i - 7), &m);
		assert_true(m.cap <= 64);
		assert_true(m.used * 2 <= m.cap);
	}
	for (uint64_t i = 99993; i < 100000; i++)
		assert_ptr_equal(map_get_u64(&m, i), &m);
	assert_int_equal(m.n, 7);
	map_done(&m);
}

static void agrees_with_an_array(void **state)
{
	(void)state;
	static int values[300];
	void *model[300] = { 0 };
	struct map m;
	uint64_t x = 1;
	size_t n = 0;
	map_init(&m, key, 200);
	for (int i = 0; i < 200000; i++) {
		x = x * 6364136223846793005 + 1442695040888963407;
		size_t k = (x >> 33) % 300;
		char name[16];
		snprintf(name, sizeof(name), "%zu", k);
		struct str s = str_from(name);
		if (x >> 63) {
			bool fits = model[k] || n < 200;
			assert_int_equal(map_put(&m, s, &values[i % 300]), fits);
			n += model[k] == NULL && fits;
			if (fits)
				model[k] = &values[i % 300];
		} else {
			assert_ptr_equal(map_remove(&m, s), model[k]);
			n -= model[k] != NULL;
			model[k] = NULL;
		}
		assert_ptr_equal(map_get(&m, s), model[k]);
		assert_int_equal(m.n, n);
	}
	map_done(&m);
}

static void walks_and_removes(void **state)
{
	(void)state;
	struct map m;
	map_init(&m, key, 1000);
	for (uint64_t i = 0; i < 100; i++)
		map_put_u64(&m, i, &m);
	map_put(&m, STR("name"), &m);
	size_t at = 0, n = 0, names = 0;
	struct str k;
	void *value;
	while (map_next(&m, &at, &k, &value)) {
		assert_ptr_equal(value, &m);
		n++;
		if (k.p && str_equal(k, STR("name"))) {
			names++;
			assert_ptr_equal(map_remove(&m, STR("name")), &m);
		}
	}
	assert_int_equal(n, 101);
	assert_int_equal(names, 1);
	at = n = 0;
	while (map_next(&m, &at, NULL, &value))
		n++;
	assert_int_equal(n, 100);
	map_done(&m);
	at = 0;
	assert_false(map_next(&m, &at, NULL, &value));
}

TEST_MAIN(test_case(siphash_vectors), test_case(strings), test_case(keeps_its_maximum),
	test_case(churn_does_not_grow), test_case(agrees_with_an_array),
	test_case(walks_and_removes))
