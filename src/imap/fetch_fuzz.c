// SPDX-License-Identifier: Apache-2.0
/* FETCH attributes: what was read prints as something that reads the same. */
#include "base/fuzz.h"
#include "imap/fetch_attr.h"
#include "imap/token.h"

/* The name in an answer has no length of its partial; it is added, and reads as the same item. */
static void again(const struct fetch_item *item, struct arena *a)
{
	struct buf out;
	buf_init(&out, 4 << 20);
	FUZZ_CHECK(fetch_item_print(item, &out));
	if (item->partial) {
		FUZZ_CHECK(out.p[out.n - 1] == '>');
		buf_truncate(&out, out.n - 1);
		buf_addz(&out, ".1>");
	}
	struct scan s = scan_from(buf_str(&out));
	struct fetch_attrs f;
	FUZZ_CHECK(fetch_attrs_parse(&s, a, &f, NULL) == 0 && scan_end(&s) && f.n == 1);
	FUZZ_CHECK(f.items[0].kind == item->kind && f.items[0].offset == item->offset);
	FUZZ_CHECK(f.items[0].section.n_part == item->section.n_part);
	FUZZ_CHECK(f.items[0].section.n_fields == item->section.n_fields);
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a, b;
	arena_init(&a, 1 << 20);
	arena_init(&b, 4 << 20);
	struct scan s = scan_from(str_make(data, size));
	struct fetch_attrs f;
	struct err err;
	if (fetch_attrs_parse(&s, &a, &f, &err) == 0) {
		for (size_t i = 0; i < f.n; i++) {
			FUZZ_CHECK(!f.items[i].partial ||
				   f.items[i].length <= INT64_MAX - f.items[i].offset);
			arena_reset(&b);
			again(&f.items[i], &b);
		}
		struct fetch_modifiers m;
		if (fetch_modifiers_parse(&s, &m, &err) == 0 && m.partial) {
			uint32_t from, to;
			partial_range_slice(&m.range, 1000, &from, &to);
			FUZZ_CHECK(from <= to && to <= 1000);
		}
	}
	arena_done(&a);
	arena_done(&b);
	return 0;
}
