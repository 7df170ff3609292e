// SPDX-License-Identifier: Apache-2.0
/* Manifests: there and back, and every byte of one changed. */
#include "store/manifest.h"

#include "base/limits.h"
#include "base/test.h"
#include "store/restored.h"

static void make(struct manifest *m, unsigned n)
{
	manifest_init(m);
	memset(m->store_id, 0xab, sizeof(m->store_id));
	memset(m->history, 0x01, sizeof(m->history));
	m->epoch = 3;
	m->schema = 1;
	m->time_ms = 1795877844123;
	m->ledger.length = 40960;
	for (unsigned i = 1; i <= n; i++) {
		struct manifest_file f = { .number = i * 2, .length = i * UINT64_C(4096) };
		memset(f.sha256, (int)i, sizeof(f.sha256));
		assert_non_null(vec_push(&m->segments, &f));
	}
}

static void there_and_back(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 4; n++) {
		struct manifest m, again;
		struct buf text;
		struct err err = ERR_INIT;
		make(&m, n);
		buf_init(&text, LIMIT_MANIFEST_BYTES);
		assert_true(manifest_write(&m, &text));
		assert_int_equal(manifest_parse(buf_str(&text), &again, &err), 0);
		assert_int_equal(again.segments.n, n);
		assert_int_equal(again.epoch, 3);
		assert_int_equal(again.time_ms, m.time_ms);
		assert_memory_equal(again.store_id, m.store_id, 16);
		for (unsigned i = 1; i <= n; i++)
			assert_int_equal(manifest_find(&again, i * 2)->length, i * 4096);
		assert_null(manifest_find(&again, 3));
		buf_done(&text);
		manifest_done(&m);
		manifest_done(&again);
	}
}

/* X12, G5: no byte can be changed, taken away or put in unseen. */
static void x12_every_change_is_seen(void **state)
{
	struct manifest m, again;
	struct buf text, changed;
	struct err err = ERR_INIT;
	(void)state;
	make(&m, 2);
	buf_init(&text, LIMIT_MANIFEST_BYTES);
	buf_init(&changed, LIMIT_MANIFEST_BYTES);
	assert_true(manifest_write(&m, &text));
	for (size_t i = 0; i < text.n; i++) {
		for (int kind = 0; kind < 3; kind++) {
			buf_clear(&changed);
			buf_add(&changed, text.p, i);
			if (kind == 0)
				buf_addc(&changed, text.p[i] ^ 1);
			if (kind == 1)
				buf_addf(&changed, "0%c", text.p[i]);
			buf_add(&changed, text.p + i + 1, text.n - i - 1);
			assert_int_equal(manifest_parse(buf_str(&changed), &again, &err), -1);
			manifest_done(&again);
		}
		assert_int_equal(manifest_parse(str_sub(buf_str(&text), 0, i), &again, &err), -1);
		manifest_done(&again);
	}
	buf_done(&text);
	buf_done(&changed);
	manifest_done(&m);
}

static void g8_newer_is_refused(void **state)
{
	struct manifest m;
	struct err err = ERR_INIT;
	(void)state;
	assert_int_equal(manifest_parse(STR("culver-backup 2\nanything\n"), &m, &err), -1);
	assert_int_equal(err.kind, ERR_UNSUPPORTED);
	manifest_done(&m);
}

/* LIMIT_MANIFEST_BYTES and one more: the first is looked at, the second is not. */
static void limit_of_bytes(void **state)
{
	struct manifest m;
	struct err err = ERR_INIT;
	struct buf text;
	(void)state;
	buf_init(&text, LIMIT_MANIFEST_BYTES + 1);
	buf_addz(&text, "culver-backup 2\n");
	while (text.n < LIMIT_MANIFEST_BYTES)
		buf_addc(&text, 'x');
	assert_int_equal(manifest_parse(str_sub(buf_str(&text), 0, text.n - 1), &m, &err), -1);
	assert_int_equal(err.kind, ERR_UNSUPPORTED);
	assert_int_equal(manifest_parse(buf_str(&text), &m, &err), -1);
	assert_int_equal(err.kind, ERR_UNSUPPORTED);
	buf_addc(&text, 'x');
	assert_int_equal(manifest_parse(buf_str(&text), &m, &err), -1);
	assert_int_equal(err.kind, ERR_CORRUPT);
	buf_done(&text);
}

/* The mark of a restore: what is not as it is written is refused, wherever it ends. */
static void marks(void **state)
{
	struct restored mark = { .uidvalidity = 77 }, again;
	struct buf text;
	struct err err = ERR_INIT;
	(void)state;
	memset(mark.history, 0xfe, sizeof(mark.history));
	buf_init(&text, 1024);
	restored_write(&mark, &text);
	assert_int_equal(restored_parse(buf_str(&text), &again, &err), 0);
	assert_memory_equal(&again, &mark, sizeof(mark));
	for (size_t i = 0; i < text.n; i++) {
		char was = text.p[i];
		assert_true(restored_parse(str_sub(buf_str(&text), 0, i), &again, &err) < 0);
		text.p[i] = (char)(was ^ 0x80);
		assert_true(restored_parse(buf_str(&text), &again, &err) < 0);
		text.p[i] = was;
	}
	buf_done(&text);
}

TEST_MAIN(test_case(there_and_back), test_case(marks), test_case(x12_every_change_is_seen),
	test_case(g8_newer_is_refused), test_case(limit_of_bytes))
