// SPDX-License-Identifier: Apache-2.0
/* Views: single properties by table, and then the whole against a model: a store that changes at
 * random, and a client that believes nothing but the responses. */
#include "api/schemes.h"
#include "base/limits.h"
#include "imap/view.h"

#include <stdlib.h>

#include "base/test.h"

static struct view *view_of(size_t n, uint32_t step)
{
	struct view *v = view_new();
	view_load_begin(v);
	for (size_t i = 0; i < n; i++) {
		struct api_entry e = { .uid = (uint32_t)(i + 1) * step, .modseq = 1 };
		assert_true(view_load(v, &e, 1));
	}
	view_load_end(v);
	view_tell_all(v);
	return v;
}

static void expect_tell(struct view *v, struct view_tell tell, const char *text)
{
	struct buf b;
	buf_init(&b, 1 << 20);
	assert_true(view_tell(v, &tell, &b));
	assert_str(buf_str(&b), str_from(text));
	buf_done(&b);
}

static void apply(struct view *v, const struct api_entry *e, size_t n, const uint32_t *gone,
	size_t n_gone, const struct view_own *own)
{
	assert_true(view_apply(v, e, n, gone, n_gone, own));
	view_apply_end(v);
}

static void tells_in_order(void **state)
{
	(void)state;
	struct view *v = view_of(5, 10);
	struct str work = STR("$Work");
	assert_true(view_set_keywords(v, &work, 1));
	assert_false(view_set_keywords(v, &work, 1));
	struct api_entry e[] = {
		{ .uid = 60, .modseq = 5 },
		{ .uid = 30, .modseq = 6, .flags = FLAG_SEEN | FLAG_DELETED, .keywords_low = 1 },
	};
	uint32_t gone[] = { 20, 50 };
	apply(v, e, 2, gone, 2, NULL);
	assert_true(view_has_news(v, false, true));
	assert_int_equal(view_exists(v), 5);
	assert_true(view_is_gone(v, 2));
	expect_tell(v, (struct view_tell){ .uid = true, .modseq = true },
		"* 6 EXISTS\r\n"
		"* 3 FETCH (UID 30 FLAGS (\\Deleted \\Seen $Work) MODSEQ (6))\r\n");
	assert_false(view_has_news(v, false, true));
	assert_true(view_has_news(v, true, true));
	expect_tell(v, (struct view_tell){ .expunge = true }, "* 5 EXPUNGE\r\n* 2 EXPUNGE\r\n");
	assert_int_equal(view_exists(v), 4);
	assert_int_equal(view_sequence(v, 60), 4);
	assert_int_equal(view_sequence(v, 50), 0);
	assert_int_equal(view_last_uid(v), 60);
	view_free(&v);
	view_free(&v);
}

static void new_entries_come_in_any_order(void **state)
{
	(void)state;
	struct view *v = view_of(1, 1);
	struct api_entry e[] = { { .uid = 9, .modseq = 9 }, { .uid = 7, .modseq = 10 },
		{ .uid = 9, .modseq = 11, .flags = FLAG_SEEN }, { .uid = 8, .modseq = 8 } };
	uint32_t gone[] = { 8, 3 };
	assert_true(view_apply(v, e, 3, gone, 2, NULL));
	apply(v, e + 3, 1, NULL, 0, NULL);
	expect_tell(v, (struct view_tell){ .expunge = true }, "* 3 EXISTS\r\n");
	assert_int_equal(view_entry(v, 2)->uid, 7);
	assert_int_equal(view_entry(v, 3)->uid, 9);
	assert_int_equal(view_entry(v, 3)->flags, FLAG_SEEN);
	assert_null(view_entry(v, 4));
	assert_null(view_entry(v, 0));
	view_free(&v);
}

static void own_changes_are_silent(void **state)
{
	(void)state;
	static const struct {
		uint8_t before, mode, flags, after;
		uint64_t modseq;
		const char *with, *without;
		bool others; /* STORE named another message */
		bool failed; /* UNCHANGEDSINCE kept it back */
	} cases[] = {
		{ 0, FLAGS_ADD, FLAG_SEEN, FLAG_SEEN, 7, "* 1 FETCH (MODSEQ (7))\r\n", "" },
		{ FLAG_DRAFT, FLAGS_REPLACE, FLAG_SEEN, FLAG_SEEN, 7, "* 1 FETCH (MODSEQ (7))\r\n",
			"" },
		{ FLAG_DRAFT, FLAGS_REMOVE, FLAG_DRAFT, 0, 7, "* 1 FETCH (MODSEQ (7))\r\n", "" },
		/* somebody else's change is in it */
		{ 0, FLAGS_ADD, FLAG_SEEN, FLAG_SEEN | FLAG_DRAFT, 7,
			"* 1 FETCH (FLAGS (\\Seen \\Draft) MODSEQ (7))\r\n",
			"* 1 FETCH (FLAGS (\\Seen \\Draft))\r\n" },
		/* somebody set it back after us: the view has seen no change, the client expects
		   one */
		{ 0, FLAGS_ADD, FLAG_SEEN, 0, 8, "* 1 FETCH (FLAGS () MODSEQ (8))\r\n",
			"* 1 FETCH (FLAGS ())\r\n" },
		/* before us and once more by us */
		{ FLAG_SEEN, FLAGS_ADD, FLAG_SEEN, FLAG_SEEN, 7, "* 1 FETCH (MODSEQ (7))\r\n", "" },
		/* the same, done by somebody else in the same commit */
		{ 0, FLAGS_ADD, FLAG_SEEN, FLAG_SEEN, 7,
			"* 1 FETCH (FLAGS (\\Seen) MODSEQ (7))\r\n",
			"* 1 FETCH (FLAGS (\\Seen))\r\n", true },
		/* likewise, before us: ours was not done */
		{ 0, FLAGS_ADD, FLAG_SEEN, FLAG_SEEN, 7,
			"* 1 FETCH (FLAGS (\\Seen) MODSEQ (7))\r\n",
			"* 1 FETCH (FLAGS (\\Seen))\r\n", false, true },
		/* not ours */
		{ 0, FLAGS_ADD, FLAG_SEEN, FLAG_SEEN, 8,
			"* 1 FETCH (FLAGS (\\Seen) MODSEQ (8))\r\n",
			"* 1 FETCH (FLAGS (\\Seen))\r\n" },
	};
	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		size_t c = i / 2;
		struct view *v = view_new();
		struct api_entry e = { .uid = 5, .flags = cases[c].before, .modseq = 1 };
		apply(v, &e, 1, NULL, 0, NULL);
		view_tell_all(v);
		struct api_range uids = { cases[c].others ? 6 : 5, 6 };
		struct view_own own = { .uids = { .ranges = &uids, .n = 1 },
			.failed = { .ranges = &uids, .n = cases[c].failed },
			.modseq = 7,
			.mode = cases[c].mode,
			.flags = cases[c].flags };
		e.flags = cases[c].after;
		e.modseq = cases[c].modseq;
		apply(v, &e, 1, NULL, 0, &own);
		expect_tell(v, (struct view_tell){ .modseq = i % 2 == 0 },
			i % 2 == 0 ? cases[c].with : cases[c].without);
		view_free(&v);
	}
}

/* Between two loads a STORE.SILENT of this session's may have been done and undone. */
static void what_changed_between_two_loads_has_its_flags_told(void **state)
{
	(void)state;
	struct view *v = view_of(2, 1);
	struct api_entry again[] = { *view_entry(v, 1), *view_entry(v, 2) };
	again[1].modseq += 10;
	view_load_begin(v);
	assert_true(view_load(v, again, 2));
	view_load_end(v);
	expect_tell(v, (struct view_tell){ 0 }, "* 2 FETCH (FLAGS ())\r\n");
	view_free(&v);
}

static void marks_and_unmarks(void **state)
{
	(void)state;
	struct view *v = view_of(3, 1);
	struct api_range r[] = { { 2, 9 } };
	view_mark_changed(v, &(struct seqset){ .ranges = r, .n = 1 });
	view_mark_told(v, 3);
	view_mark_told(v, 0);
	view_mark_told(v, 99);
	expect_tell(v, (struct view_tell){ 0 }, "* 2 FETCH (FLAGS ())\r\n");
	view_free(&v);
}

static void compares_with_a_new_load(void **state)
{
	(void)state;
	struct view *v = view_of(4, 1);
	struct api_entry e[] = { { .uid = 2, .modseq = 1 },
		{ .uid = 4, .modseq = 3, .flags = FLAG_FLAGGED }, { .uid = 9, .modseq = 2 } };
	view_load_begin(v);
	assert_true(view_load(v, e, 3));
	assert_false(view_load(v, e, 1)); /* not in order */
	view_load_end(v);
	expect_tell(v, (struct view_tell){ .expunge = true },
		"* 3 EXPUNGE\r\n* 1 EXPUNGE\r\n* 3 EXISTS\r\n* 2 FETCH (FLAGS (\\Flagged))\r\n");
	view_free(&v);
}

static void resolves_sets(void **state)
{
	(void)state;
	static const struct {
		const char *set;
		bool uid;
		const char *sequence, *uids; /* NULL: BAD */
	} cases[] = {
		/* UIDs 10 20 30 40 50, 30 is gone */
		{ "1:3", false, "1:3", "10:20" },
		{ "5,1", false, "1,5", "10,50" },
		{ "*", false, "5", "50" },
		{ "4:*", false, "4:5", "40:50" },
		{ "6", false, NULL, NULL },
		{ "6:*", false, NULL, NULL },
		{ "1:4294967295", false, NULL, NULL },
		{ "3", false, "3", "" },
		{ "1:*", true, "1:5", "10:20,40:50" },
		{ "1:4294967295", true, "1:5", "10:20,40:50" },
		{ "60:*", true, "5", "50" },
		{ "15:35", true, "2:3", "20" },
		{ "1:9,11:19,51:60", true, "", "" },
		{ "4294967295", true, "", "" },
		{ "*,20", true, "2,5", "20,50" },
		{ "$", false, "1:2", "10:20" },
		{ "$", true, "1:2", "10:20" },
	};
	struct view *v = view_of(5, 10);
	uint32_t gone = 30;
	apply(v, NULL, 0, &gone, 1, NULL);
	struct api_range kept = { 5, 25 };
	struct seqset saved = { .ranges = &kept, .n = 1 };
	struct arena a;
	arena_init(&a, 1 << 16);
	struct vec seq, uids;
	vec_init(&seq, sizeof(struct api_range), 100);
	vec_init(&uids, sizeof(struct api_range), 100);
	struct buf b;
	buf_init(&b, 1000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scan s = scan_from(str_from(cases[i].set));
		struct seqset set;
		assert_true(seqset_parse(&s, &a, &set));
		bool ok = view_resolve(v, &set, cases[i].uid, &saved, &seq);
		assert_int_equal(ok, cases[i].sequence != NULL);
		if (!ok)
			continue;
		struct seqset out = seqset_of(&seq);
		buf_clear(&b);
		seqset_print(&out, &b);
		assert_str(buf_str(&b), str_from(cases[i].sequence));
		view_uids(v, &seq, &uids);
		out = seqset_of(&uids);
		buf_clear(&b);
		seqset_print(&out, &b);
		assert_str(buf_str(&b), str_from(cases[i].uids));
	}
	struct view *empty = view_of(0, 1);
	struct scan s = scan_from(STR("*"));
	struct seqset star;
	assert_true(seqset_parse(&s, &a, &star));
	assert_false(view_resolve(empty, &star, false, NULL, &seq)); /* RFC 9051 9, seq-number */
	assert_true(view_resolve(empty, &star, true, NULL, &seq) && seq.n == 0);
	view_free(&empty);
	view_free(&v);
	vec_done(&seq);
	vec_done(&uids);
	buf_done(&b);
	arena_done(&a);
}

static void writes_all_flags(void **state)
{
	(void)state;
	struct view *v = view_new();
	struct buf b;
	buf_init(&b, 1000);
	assert_true(view_add_all_flags(v, &b, "\\*"));
	assert_str(buf_str(&b), STR("(\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)"));
	struct str names[70];
	for (size_t i = 0; i < 70; i++)
		names[i] = STR("k");
	names[69] = STR("last");
	assert_true(view_set_keywords(v, names, 70));
	assert_int_equal(view_keyword_bit(v, STR("LAST")), 69);
	assert_int_equal(view_keyword_bit(v, STR("none")), -1);
	buf_clear(&b);
	assert_true(view_add_flags(
		v, &b, &(struct api_entry){ .flags = FLAG_SEEN, .keywords_high = 1 << 5 }));
	assert_str(buf_str(&b), STR("(\\Seen last)"));
	/* A ledger may have names that are none: no session is told of them. */
	names[0] = STR("x)\r\n* BYE");
	names[1] = STR(" ");
	names[2] = STR("");
	assert_true(view_set_keywords(v, names, 4));
	buf_clear(&b);
	assert_true(view_add_flags(v, &b, &(struct api_entry){ .keywords_low = 15 }));
	assert_str(buf_str(&b), STR("(k)"));
	buf_clear(&b);
	assert_true(view_add_all_flags(v, &b, NULL));
	assert_str(buf_str(&b), STR("(\\Answered \\Flagged \\Deleted \\Seen \\Draft k)"));
	assert_int_equal(flag_bit(STR("\\seen")), FLAG_SEEN);
	assert_int_equal(flag_bit(STR("seen")), 0);
	buf_done(&b);
	view_free(&v);
}

/* ---- the model ---- */

#define MODEL_MAX 400
struct model {
	struct api_entry entry[MODEL_MAX]; /* the store: in UID order */
	size_t n;
	uint32_t uidnext;
	uint64_t modseq;
	struct {
		uint32_t uid;
		int flags; /* -1: not yet fetched */
	} client[MODEL_MAX];
	size_t client_n;
	uint32_t gone[MODEL_MAX]; /* since the view was last told */
	size_t gone_n;
	uint64_t seen_modseq;
	uint64_t random;
};

static size_t draw(struct model *m, size_t n)
{
	m->random = m->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (size_t)(m->random >> 33) % n;
}

static void store_acts(struct model *m)
{
	size_t what = draw(m, 4);
	if (what == 0 && m->n < MODEL_MAX - 1) {
		m->entry[m->n++] = (struct api_entry){ .uid = m->uidnext, .modseq = ++m->modseq };
		m->uidnext += 1 + (uint32_t)draw(m, 3);
	} else if (what == 1 && m->n > 0 && m->gone_n < MODEL_MAX) {
		size_t i = draw(m, m->n);
		m->gone[m->gone_n++] = m->entry[i].uid;
		m->modseq++;
		memmove(&m->entry[i], &m->entry[i + 1], (m->n - i - 1) * sizeof(m->entry[0]));
		m->n--;
	} else if (m->n > 0) {
		size_t i = draw(m, m->n);
		m->entry[i].flags = (uint8_t)draw(m, 32);
		m->entry[i].modseq = ++m->modseq;
	}
}

/* Gives the view what changed, in pieces and not in UID order, or the whole to compare with. */
static void sync_view(struct model *m, struct view *v)
{
	if (draw(m, 5) == 0) {
		view_load_begin(v);
		size_t half = draw(m, m->n + 1);
		assert_true(view_load(v, m->entry, half));
		assert_true(view_load(v, m->entry + half, m->n - half));
		view_load_end(v);
	} else {
		size_t start = m->n ? draw(m, m->n) : 0;
		for (size_t k = 0; k < m->n; k++) {
			struct api_entry *e = &m->entry[(start + k) % m->n];
			if (e->modseq > m->seen_modseq)
				assert_true(view_apply(v, e, 1, NULL, 0, NULL));
		}
		assert_true(view_apply(v, NULL, 0, m->gone, m->gone_n, NULL));
		view_apply_end(v);
	}
	m->gone_n = 0;
	m->seen_modseq = m->modseq;
}

static void client_reads(struct model *m, struct view *v, struct str line, bool expunge)
{
	struct scan s = scan_from(line);
	uint64_t n, flags;
	assert_true(scan_literal_nocase(&s, STR("* ")) && scan_number(&s, UINT32_MAX, &n));
	if (scan_literal_nocase(&s, STR(" EXPUNGE"))) {
		assert_true(expunge && n > 0 && n <= m->client_n);
		memmove(&m->client[n - 1], &m->client[n], (m->client_n - n) * sizeof(m->client[0]));
		m->client_n--;
	} else if (scan_literal_nocase(&s, STR(" EXISTS"))) {
		assert_true(n >= m->client_n);
		for (; m->client_n < n; m->client_n++)
			m->client[m->client_n].uid = 0;
	} else if (scan_literal_nocase(&s, STR(" FETCH (UID "))) {
		assert_true(n > 0 && n <= m->client_n);
		assert_true(scan_number(&s, UINT32_MAX, &flags));
		if (m->client[n - 1].uid == 0)
			m->client[n - 1].uid = (uint32_t)flags;
		assert_int_equal(m->client[n - 1].uid, flags);
		/* what the flags are is read from the entry: its writer is tested elsewhere */
		m->client[n - 1].flags = view_entry(v, (uint32_t)n)->flags;
	} else {
		fail_msg("%.*s", (int)line.n, line.p);
	}
}

static void tell_client(struct model *m, struct view *v, bool expunge)
{
	struct buf out;
	buf_init(&out, 8800 + draw(m, 200)); /* little room: many calls */
	struct view_tell tell = { .expunge = expunge, .uid = true };
	struct buf all;
	buf_init(&all, 1 << 20);
	bool done;
	do {
		done = view_tell(v, &tell, &out);
		buf_adds(&all, buf_str(&out));
		buf_clear(&out);
	} while (!done);
	for (struct str rest = buf_str(&all); rest.n > 0;)
		client_reads(m, v, str_split(&rest, '\n'), expunge);
	buf_done(&all);
	buf_done(&out);
	/* The client fetches what is new to it. */
	assert_int_equal(view_exists(v), m->client_n);
	for (size_t i = 0; i < m->client_n; i++) {
		const struct api_entry *e = view_entry(v, (uint32_t)i + 1);
		if (m->client[i].uid == 0) {
			m->client[i].uid = e->uid;
			m->client[i].flags = e->flags;
		}
		assert_int_equal(m->client[i].uid, e->uid);
		assert_int_equal(view_sequence(v, e->uid), i + 1);
		if (!view_is_gone(v, (uint32_t)i + 1))
			assert_int_equal(m->client[i].flags, e->flags);
	}
}

static void agrees_with_a_model(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct model *m = xmalloc(sizeof(*m));
		*m = (struct model){ .uidnext = 1, .random = seed };
		struct view *v = view_new();
		for (int round = 0; round < 60; round++) {
			for (size_t i = draw(m, 12); i > 0; i--)
				store_acts(m);
			if (draw(m, 3) != 0)
				sync_view(m, v);
			if (draw(m, 2) == 0)
				tell_client(m, v, draw(m, 2) == 0);
		}
		sync_view(m, v);
		tell_client(m, v, true);
		assert_int_equal(m->client_n, m->n);
		for (size_t i = 0; i < m->n; i++) {
			assert_int_equal(m->client[i].uid, m->entry[i].uid);
			assert_int_equal(m->client[i].flags, m->entry[i].flags);
		}
		view_free(&v);
		free(m);
	}
}

/* A million entries and 100,000 expunges, told through 128 KiB of room at a time. */
static void is_fast_enough(void **state)
{
	(void)state;
	struct view *v = view_of(1000000, 2);
	uint32_t gone[1000];
	for (uint32_t i = 0; i < 100; i++) {
		for (uint32_t k = 0; k < 1000; k++)
			gone[k] = (i * 1000 + k) * 20 + 2;
		assert_true(view_apply(v, NULL, 0, gone, 1000, NULL));
	}
	view_apply_end(v);
	struct buf out;
	buf_init(&out, 128 * 1024);
	struct view_tell tell = { .expunge = true };
	size_t lines = 0;
	bool done;
	do {
		done = view_tell(v, &tell, &out);
		for (size_t i = 0; i < out.n; i++)
			lines += out.p[i] == '\n';
		buf_clear(&out);
	} while (!done);
	assert_int_equal(lines, 100000);
	assert_int_equal(view_exists(v), 900000);
	assert_int_equal(view_entry(v, 1)->uid, 4);
	buf_done(&out);
	view_free(&v);
}

#ifndef CULVER_SANITIZED /* 260 MB, and more under a sanitizer */
static void has_a_limit(void **state)
{
	(void)state;
	struct view *v = view_new();
	struct api_entry e[1000] = { 0 };
	for (uint32_t uid = 1; uid < LIMIT_VIEW_ENTRIES;) {
		size_t n = 0;
		for (; n < 1000 && uid < LIMIT_VIEW_ENTRIES; n++)
			e[n].uid = uid++;
		assert_true(view_apply(v, e, n, NULL, 0, NULL));
	}
	e[0].uid = LIMIT_VIEW_ENTRIES;
	assert_true(view_apply(v, e, 1, NULL, 0, NULL));
	e[0].uid++;
	assert_false(view_apply(v, e, 1, NULL, 0, NULL));
	view_apply_end(v);
	view_tell_all(v);
	assert_int_equal(view_exists(v), LIMIT_VIEW_ENTRIES);
	view_free(&v);
}
#else
static void has_a_limit(void **state)
{
	(void)state;
	skip();
}
#endif

/* The client was told of five messages below UID 60, at modseq 5; when the view is loaded two of
 * them are gone, one has other flags, and two are new, one of which came and went. */
static void a_promise_is_kept(void **state)
{
	(void)state;
	struct api_entry e[] = { { .uid = 10, .modseq = 2 },
		{ .uid = 30, .modseq = 7, .flags = FLAG_SEEN }, { .uid = 40, .modseq = 5 },
		{ .uid = 61, .modseq = 8 } };
	struct api_range gone[] = { { 20, 20 }, { 40, 40 }, { 50, 50 }, { 60, 60 } };
	for (size_t n_gone = 0; n_gone <= 4; n_gone++) {
		struct vec vanished = {
			.p = (char *)(void *)gone, .n = n_gone, .size = sizeof(*gone)
		};
		struct view *v = view_new();
		view_load_begin(v);
		assert_true(view_load(v, e, 4));
		view_load_end(v);
		assert_int_equal(view_count_below(v, 60), 3);
		/* 40 went after the view was read: it is news yet to come. */
		assert_int_equal(view_promise(v, 5, 60, 5, &vanished), n_gone >= 3);
		if (n_gone < 3) {
			view_free(&v);
			continue;
		}
		assert_int_equal(view_exists(v), 5);
		assert_int_equal(view_sequence(v, 50), 5);
		assert_true(view_is_gone(v, 2) && view_is_gone(v, 5) && !view_is_gone(v, 4));
		assert_true(view_has_news(v, true, false));
		expect_tell(v, (struct view_tell){ .uid = true },
			"* 6 EXISTS\r\n* 3 FETCH (UID 30 FLAGS (\\Seen))\r\n");
		uint32_t later = 40;
		apply(v, NULL, 0, &later, 1, NULL);
		expect_tell(v, (struct view_tell){ .expunge = true },
			"* 5 EXPUNGE\r\n* 4 EXPUNGE\r\n* 2 EXPUNGE\r\n");
		assert_int_equal(view_exists(v), 3);
		assert_int_equal(view_last_uid(v), 61);
		view_free(&v);
	}
}

/* All that was promised went, and then mail comes: there is room for it, however little there was.
 */
static void mail_comes_behind_a_promise(void **state)
{
	(void)state;
	for (uint32_t n = 1; n <= 4; n++) {
		struct api_range gone[] = { { 1, n } };
		struct vec vanished = { .p = (char *)(void *)gone, .n = 1, .size = sizeof(*gone) };
		struct view *v = view_new();
		view_load_begin(v);
		view_load_end(v);
		assert_true(view_promise(v, n, n + 1, 5, &vanished));
		for (uint32_t uid = n + 1; uid <= 100; uid++) {
			struct api_entry e = { .uid = uid, .modseq = 5 + uid };
			apply(v, &e, 1, NULL, 0, NULL);
		}
		char text[200] = "";
		for (uint32_t k = n; k > 0; k--)
			snprintf(text + strlen(text), 20, "* %u EXPUNGE\r\n", k);
		snprintf(text + strlen(text), 20, "* %u EXISTS\r\n", 100 - n);
		expect_tell(v, (struct view_tell){ .expunge = true }, text);
		assert_int_equal(view_last_uid(v), 100);
		view_free(&v);
	}
}

/* A promise of a large mailbox half of which went, every second message: what went is put
 * between what is there. */
static void a_large_promise_is_kept(void **state)
{
	(void)state;
	enum { N = 100000 };
	struct view *v = view_of(N / 2, 2);
	struct vec vanished;
	vec_init(&vanished, sizeof(struct api_range), N);
	for (uint32_t uid = 1; uid < N; uid += 2)
		vec_push(&vanished, &(struct api_range){ uid, uid });
	assert_true(view_promise(v, N, N + 1, 1, &vanished));
	for (uint32_t i = 1; i <= N; i++) {
		assert_int_equal(view_entry(v, i)->uid, i);
		assert_int_equal(view_is_gone(v, i), i % 2);
	}
	vec_done(&vanished);
	view_free(&v);
}

TEST_MAIN(test_case(mail_comes_behind_a_promise), test_case(a_large_promise_is_kept),
	test_case(a_promise_is_kept), test_case(tells_in_order),
	test_case(new_entries_come_in_any_order), test_case(own_changes_are_silent),
	test_case(what_changed_between_two_loads_has_its_flags_told), test_case(marks_and_unmarks),
	test_case(compares_with_a_new_load), test_case(resolves_sets), test_case(writes_all_flags),
	test_case(agrees_with_a_model), test_case(is_fast_enough), test_case(has_a_limit))
