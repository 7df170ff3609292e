// SPDX-License-Identifier: Apache-2.0
/* The small grammars: sets, words, names, patterns. What was read prints and reads the same. */
#include "base/fuzz.h"
#include "imap/match.h"
#include "imap/seqset.h"
#include "imap/token.h"
#include "imap/utf7.h"

static void sets(struct str in, struct arena *a)
{
	struct scan s = scan_from(in);
	struct seqset set, again;
	if (!seqset_parse(&s, a, &set)) {
		FUZZ_CHECK(s.p == in.p);
		return;
	}
	seqset_resolve(&set, 1000);
	for (size_t i = 0; i < set.n; i++) {
		FUZZ_CHECK(set.ranges[i].low >= 1 && set.ranges[i].low <= set.ranges[i].high);
		FUZZ_CHECK(i == 0 || set.ranges[i - 1].high + 1 < set.ranges[i].low);
		FUZZ_CHECK(seqset_contains(&set, set.ranges[i].high));
	}
	struct buf out;
	buf_init(&out, 4 << 20);
	FUZZ_CHECK(seqset_print(&set, &out));
	s = scan_from(buf_str(&out));
	FUZZ_CHECK(set.n == 0 || seqset_parse(&s, a, &again));
	FUZZ_CHECK(set.n == 0 || (again.n == set.n && seqset_count(&again) == seqset_count(&set)));
	buf_done(&out);
}

static void words(struct str in, struct arena *a)
{
	struct scan s = scan_from(in);
	struct str word, again;
	if (!token_astring(&s, a, &word)) {
		FUZZ_CHECK(s.p == in.p);
		return;
	}
	struct buf out;
	buf_init(&out, 4 << 20);
	FUZZ_CHECK(token_add_astring(&out, word, true));
	s = scan_from(buf_str(&out));
	FUZZ_CHECK(token_astring(&s, a, &again) && scan_end(&s) && str_equal(word, again));
	buf_done(&out);
}

static void names(struct str in)
{
	struct buf utf8, wire;
	buf_init(&utf8, 4 << 20);
	buf_init(&wire, 4 << 20);
	if (utf7_decode(in, &utf8)) {
		FUZZ_CHECK(str_is_utf8(buf_str(&utf8)));
		FUZZ_CHECK(utf7_encode(buf_str(&utf8), &wire) && str_equal(buf_str(&wire), in));
	}
	buf_clear(&utf8);
	buf_clear(&wire);
	if (utf7_encode(in, &wire))
		FUZZ_CHECK(utf7_decode(buf_str(&wire), &utf8) && str_equal(buf_str(&utf8), in));
	buf_done(&utf8);
	buf_done(&wire);
}

static void patterns(struct str in)
{
	struct str rest = in, pattern = str_split(&rest, '\n');
	struct match m;
	if (!match_init(&m, STR(""), pattern))
		return;
	bool yes = match_name(&m, rest);
	FUZZ_CHECK(match_name(&m, rest) == yes);
	match_done(&m);
	if (match_init(&m, pattern, STR("*")))
		FUZZ_CHECK(!yes || match_name(&m, rest));
	match_done(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_make(data, size);
	struct arena a;
	arena_init(&a, 16 << 20);
	sets(in, &a);
	words(in, &a);
	names(in);
	patterns(in);
	arena_done(&a);
	return 0;
}
