// SPDX-License-Identifier: Apache-2.0
/* SEARCH: whatever is read is a sound program within its bounds: every joint finds what it joins,
 * and exactly one answer is left. */
#include "base/fuzz.h"
#include "base/limits.h"
#include "imap/search.h"

static void check(const struct search *s)
{
	size_t depth = 0;
	FUZZ_CHECK(s->n >= 1 && s->n <= LIMIT_IMAP_SEARCH_KEYS);
	for (size_t i = 0; i < s->n; i++) {
		const struct search_key *k = &s->keys[i];
		size_t takes = k->op == SEARCH_AND ? k->count : k->op == SEARCH_OR ? 2 : 0;
		if (k->op == SEARCH_NOT)
			takes = 1;
		FUZZ_CHECK(depth >= takes);
		depth = depth - takes + 1;
		FUZZ_CHECK(k->op == SEARCH_KEYWORD || str_is_utf8(k->text));
	}
	FUZZ_CHECK(depth == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	arena_init(&a, 4 << 20);
	struct scan s = scan_from(str_make(data, size));
	struct search search;
	struct err err = ERR_INIT;
	if (search_parse(&s, &a, &search, &err) == 0) {
		check(&search);
		FUZZ_CHECK(scan_end(&s));
		struct view *v = view_new();
		if (search_begin(&search, v, NULL, &err) == 0)
			FUZZ_CHECK(search_entry(&search, v, 1) != SEARCH_NEEDS_BYTES);
		search_end(&search);
		view_free(&v);
	} else {
		FUZZ_CHECK(err.kind != ERR_NONE);
	}
	arena_done(&a);
	return 0;
}
