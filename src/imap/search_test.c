// SPDX-License-Identifier: Apache-2.0
/* Searches against messages: stage after stage, and in pieces. */
#include "api/schemes.h"
#include "base/limits.h"
#include "base/time.h"
#include "imap/search.h"
#include "mail/digest.h"
#include "mail/mime.h"

#include "base/test.h"

#include <malloc.h>

#define PREFIX "Delivered-To: alice@example.test\r\n"

static const char message[] = PREFIX "Date: Mon, 7 Feb 1994 23:52:25 -0800\r\n"
				     "From: =?iso-8859-1?Q?J=FCrgen?= <juergen@example.test>\r\n"
				     "Subject: folded\r\n subject line\r\n"
				     "To: a@x.test\r\n"
				     "X-Long: =?utf-8?B?w4RwZmVs?=\r\n"
				     "X-Empty:\r\n"
				     "Content-Type: multipart/mixed; boundary=B\r\n"
				     "\r\n"
				     "preamble\r\n"
				     "--B\r\n"
				     "Content-Type: text/plain; charset=iso-8859-1\r\n"
				     "Content-Transfer-Encoding: quoted-printable\r\n"
				     "\r\n"
				     "Sch=F6ne Gr=FC=\r\n=DFe\r\n"
				     "--B\r\n"
				     "Content-Type: text/html\r\n"
				     "Content-Transfer-Encoding: base64\r\n"
				     "\r\n"
				     "PGI+aGlk\r\nZGVuPC9iPg==\r\n"
				     "--B\r\n"
				     "Content-Type: application/octet-stream\r\n"
				     "Content-Disposition: attachment;\r\n"
				     " filename=Invoice.bin\r\n"
				     "\r\n"
				     "attached\r\n"
				     "--B\r\n"
				     "Content-Type: message/rfc822\r\n"
				     "\r\n"
				     "Subject: =?utf-8?Q?in=C3=B1er?=\r\n"
				     "\r\n"
				     "inner text\r\n"
				     "--B--\r\n";

static struct arena arena;
static struct view *view;
static struct buf digest_bytes;
static struct digest digest;

static int setup(void **state)
{
	(void)state;
	struct str body = str_make(message + strlen(PREFIX), sizeof(message) - 1 - strlen(PREFIX));
	arena_init(&arena, 1 << 20);
	buf_init(&digest_bytes, LIMIT_DIGEST_BYTES);
	mail_parse(body, &digest_bytes);
	assert_true(digest_open(&digest, buf_str(&digest_bytes), body.n));
	view = view_new();
	struct str names[] = { STR("$Work"), STR("b") };
	view_set_keywords(view, names, 2);
	struct api_entry e[] = {
		{ .uid = 10,
			.modseq = 5,
			.flags = FLAG_SEEN,
			.size = sizeof(message) - 1,
			.time = 10 * TIME_DAY_MS + 5,
			.keywords_low = 1 },
		{ .uid = 20,
			.modseq = 9,
			.flags = FLAG_DELETED | FLAG_DRAFT,
			.size = 100,
			.time = -1,
			.keywords_low = 2 },
	};
	assert_true(view_apply(view, e, 2, NULL, 0, NULL));
	view_apply_end(view);
	view_tell_all(view);
	view_recent_add(view, 5, 10);
	view_recent_add(view, 20, 29);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	view_free(&view);
	buf_done(&digest_bytes);
	arena_done(&arena);
	return 0;
}

static void parse(struct search *search, const char *text)
{
	struct scan s = scan_from(str_from(text));
	arena_reset(&arena);
	struct api_range saved[] = { { 15, 25 } };
	struct seqset set = { .ranges = saved, .n = 1 };
	if (search_parse(&s, &arena, search, NULL) < 0)
		fail_msg("%s", text);
	assert_int_equal(search_begin(search, view, &set, NULL), 0);
}

/* Messages 1 and 2 as the entry alone answers: y, n, or d for "needs the digest". */
static void answers_from_entries(void **state)
{
	(void)state;
	static const struct {
		const char *search, *answers;
	} cases[] = {
		{ " ALL", "yy" },
		{ " SEEN", "yn" },
		{ " UNSEEN", "ny" },
		{ " DELETED DRAFT", "ny" },
		{ " NEW", "ny" },
		{ " RECENT", "yy" },
		{ " RECENT SEEN", "yn" },
		{ " OLD", "nn" },
		{ " OR SEEN DELETED", "yy" },
		{ " NOT (SEEN ALL)", "ny" },
		{ " KEYWORD $work", "yn" },
		{ " UNKEYWORD $work", "ny" },
		{ " KEYWORD none", "nn" },
		{ " 1", "yn" },
		{ " *", "ny" },
		{ " 2:9", "ny" },
		{ " 3:*", "ny" },
		{ " 7", "nn" },
		{ " 4294967295:1", "yy" },
		{ " UID 10:19", "yn" },
		{ " UID *", "ny" },
		{ " $", "ny" },
		{ " UID $", "ny" },
		{ " LARGER 100", "yn" },
		{ " SMALLER 101", "ny" },
		{ " MODSEQ 6", "ny" },
		{ " ON 11-Jan-1970", "yn" },
		{ " SINCE 11-Jan-1970", "yn" },
		{ " BEFORE 11-Jan-1970", "ny" },
		{ " ON 31-Dec-1969", "ny" },
		{ " FROM x", "dd" },
		{ " SEEN FROM x", "dn" },
		{ " OR SEEN FROM x", "yd" },
		{ " NOT FROM x", "dd" },
		{ " BODY x DELETED", "nd" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct search search;
		parse(&search, cases[i].search);
		for (uint32_t n = 1; n <= 2; n++) {
			char got = "nyd-"[search_entry(&search, view, n)];
			if (got != cases[i].answers[n - 1])
				fail_msg("%s, %u: %c", cases[i].search, n, got);
		}
		assert_int_equal(search_entry(&search, view, 3), SEARCH_NO);
		search_end(&search);
	}
}

/* signature: appended, if it is wanted. */
static bool from_bytes(
	const struct search *search, uint8_t held, size_t step, struct buf *signature)
{
	struct search_bytes *b = search_bytes_new(
		search, view, 1, held, &digest, (uint32_t)strlen(PREFIX));
	if (signature)
		search_bytes_sign(b);
	uint64_t offset;
	uint32_t length;
	while (search_bytes_want(b, &offset, &length)) {
		size_t n = length < step ? length : step;
		assert_true(offset + length < sizeof(message));
		search_bytes_feed(b, str_make(message + offset, n));
	}
	bool yes = search_bytes_answer(b);
	if (signature)
		buf_adds(signature, search_bytes_signature(b));
	search_bytes_free(&b);
	return yes;
}

/* As the store says it. */
static uint8_t held_by(const struct search *search, struct str signature)
{
	uint8_t held = SEARCH_SIGNED;
	for (size_t i = 0; i < search->n_needles; i++)
		if (signature_may_hold(
			    signature, search->needles[i].trigrams, search->needles[i].n))
			held |= (uint8_t)(1u << i);
	return held;
}

/* With its signature the answer is the same, whatever else was searched for when it was made.
 * Whether the bytes were needed. */
static bool is_the_same_when_signed(const struct search *search, bool yes)
{
	struct buf signature, again;
	buf_init(&signature, SIGNATURE_BYTES_MOST);
	buf_init(&again, SIGNATURE_BYTES_MOST);
	assert_int_equal(from_bytes(search, 0, 5, &signature), yes);
	assert_int_equal(from_bytes(search, 0, 100000, &again), yes);
	assert_true(str_equal(buf_str(&signature), buf_str(&again)));
	buf_clear(&again);
	search_sign(str_from(PREFIX), str_from(message + strlen(PREFIX)), &digest, &again);
	assert_true(str_equal(buf_str(&signature), buf_str(&again)));
	uint8_t held = held_by(search, buf_str(&signature));
	enum search_answer answer = search_signature(search, view, 1, held);
	if (answer == SEARCH_NEEDS_DIGEST)
		answer = search_digest(search, view, 1, held, &digest);
	if (answer == SEARCH_NEEDS_BYTES)
		assert_int_equal(from_bytes(search, held, 100000, NULL), yes);
	else
		assert_int_equal(answer, yes ? SEARCH_YES : SEARCH_NO);
	buf_done(&signature);
	buf_done(&again);
	return answer == SEARCH_NEEDS_BYTES;
}

/* As the digest answers, and where that is b for "needs the bytes", as those do. */
static void answers_from_digest_and_bytes(void **state)
{
	(void)state;
	static const struct {
		const char *search, *answers;
	} cases[] = {
		{ " FROM \"J\xc3\xbcRGEN\"", "y" },
		{ " FROM juergen@example", "y" },
		{ " FROM nobody", "n" },
		{ " CC x", "n" },
		{ " SUBJECT \"folded subject\"", "y" },
		{ " SUBJECT \"\"", "y" },
		{ " CC \"\"", "n" },
		{ " SENTON 7-Feb-1994", "y" }, /* the day where it was sent */
		{ " SENTBEFORE 8-Feb-1994 SENTSINCE 7-Feb-1994", "y" },
		{ " SENTON 8-Feb-1994", "n" },
		{ " HEADER to x.test", "y" },
		{ " HEADER X-Long \"\xc3\xa4PFEL\"", "by" },
		{ " HEADER X-Long birne", "bn" },
		{ " HEADER X-Long \"a\xcc\x88pfel\"", "by" }, /* RFC 5051 2: decomposed */
		{ " HEADER X-Long apfel", "bn" },
		{ " HEADER X-Empty \"\"", "by" },
		{ " HEADER X-None \"\"", "bn" },
		{ " HEADER Delivered-To alice", "by" }, /* the prefix is part of the header */
		{ " BODY \"sch\xc3\xb6ne\"", "by" },
		{ " BODY \"gr\xc3\xbcsse\"",
			"by" }, /* across a soft line break; sharp s folds to ss */
		{ " BODY hidden", "by" },
		{ " BODY attached", "bn" },
		{ " BODY \"inner text\"", "by" },
		{ " BODY \"Subject: in\xc3\xb1"
		  "er\"",
			"by" },
		{ " BODY folded", "bn" },
		{ " BODY preamble", "bn" },
		{ " BODY \"\"", "by" },
		{ " TEXT folded", "by" },
		{ " TEXT \"subject: folded\"", "by" },
		{ " TEXT hidden", "by" },
		{ " TEXT delivered-to", "by" },
		{ " TEXT nothing", "bn" },
		{ " TEXT invoice.BIN", "by" },
		{ " TEXT octet-stream", "by" },
		{ " TEXT \"inner text\"", "by" },
		{ " TEXT \"subject: in\xc3\xb1"
		  "er\"",
			"by" },
		{ " TEXT attached", "bn" },
		{ " BODY invoice.bin", "bn" },
		{ " HEADER Content-Disposition attachment", "bn" },
		{ " NOT BODY nothing", "by" },
		{ " OR BODY nothing TEXT hidden", "by" },
		{ " BODY hidden BODY \"sch\xc3\xb6ne\" HEADER X-Long z", "bn" },
		{ " BODY hidden BODY \"sch\xc3\xb6ne\" HEADER X-Long pfel", "by" },
		{ " OR SEEN BODY x", "y" },
		{ " FROM nobody BODY x", "n" },
	};
	unsigned misses = 0, read = 0;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct search search;
		parse(&search, cases[i].search);
		char got = "ny-b"[search_digest(&search, view, 1, 0, &digest)];
		if (got != cases[i].answers[0])
			fail_msg("%s: %c", cases[i].search, got);
		static const size_t steps[] = { 1, 2, 3, 7, 64, 100000 };
		for (size_t k = 0; got == 'b' && k < ARRAY_LEN(steps); k++) {
			bool yes = from_bytes(&search, 0, steps[k], NULL);
			if (yes != (cases[i].answers[1] == 'y'))
				fail_msg("%s in steps of %zu: %d", cases[i].search, steps[k], yes);
		}
		if (got == 'b') {
			bool yes = cases[i].answers[1] == 'y';
			bool was_read = is_the_same_when_signed(&search, yes);
			misses += !yes;
			read += !yes && was_read;
		}
		search_end(&search);
	}
	assert_true(misses > 10 && read <= misses / 2); /* what is elsewhere in it is no miss */
}

/* Keys beyond SEARCH_NEEDLES, too short ones and what the digest answers are not asked of
 * signatures: N - 1, N, N + 1. */
static void asks_so_much_of_signatures(void **state)
{
	(void)state;
	for (size_t n = SEARCH_NEEDLES - 1; n <= SEARCH_NEEDLES + 1; n++) {
		struct search search;
		char text[400] = " FROM alice BODY ab HEADER X-Empty \"\"";
		for (size_t i = 0; i < n; i++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s",
				i % 2 ? " TEXT nowhere" : " BODY nowhere");
		parse(&search, text);
		assert_int_equal(search.n_needles, n < SEARCH_NEEDLES ? n : SEARCH_NEEDLES);
		assert_int_equal(search_signature(&search, view, 1, SEARCH_SIGNED), SEARCH_NO);
		assert_int_equal(search_signature(&search, view, 1, 0), SEARCH_NEEDS_DIGEST);
		search_end(&search);
	}
}

/* A message that ends before its digest says so: no loop, and no. */
static void a_short_message_ends(void **state)
{
	(void)state;
	struct search search;
	parse(&search, " TEXT nothing");
	struct search_bytes *b = search_bytes_new(&search, view, 1, 0, &digest, 0);
	uint64_t offset;
	uint32_t length;
	int rounds = 0;
	while (search_bytes_want(b, &offset, &length) && rounds++ < 100)
		search_bytes_feed(b, STR_NONE);
	assert_in_range(rounds, 1, 10);
	assert_false(search_bytes_answer(b));
	search_bytes_free(&b);
	search_end(&search);
}

/* A needle across the end of every slice of a large part. */
static void finds_across_slices(void **state)
{
	(void)state;
	struct buf body, bytes;
	buf_init(&body, 1 << 20);
	buf_init(&bytes, LIMIT_DIGEST_BYTES);
	struct search search;
	parse(&search, " BODY needle!");
	for (size_t at = 8180; at <= 8200; at++) {
		buf_clear(&body);
		buf_clear(&bytes);
		buf_addz(&body, "\r\n");
		for (size_t i = 0; i < 20000; i++)
			buf_addc(&body, i % 70 == 69 ? '\n' : '.');
		memcpy(body.p + at, "Needle!", 7);
		mail_parse(buf_str(&body), &bytes);
		struct digest d;
		assert_true(digest_open(&d, buf_str(&bytes), body.n));
		struct search_bytes *b = search_bytes_new(&search, view, 1, 0, &d, 0);
		uint64_t offset;
		uint32_t length;
		while (search_bytes_want(b, &offset, &length))
			search_bytes_feed(b, str_sub(buf_str(&body), (size_t)offset, length));
		assert_true(search_bytes_answer(b));
		search_bytes_free(&b);
	}
	search_end(&search);
	buf_done(&body);
	buf_done(&bytes);
}

/* M4: small parts that follow each other are not a question each. */
static void small_parts_come_together(void **state)
{
	(void)state;
	struct buf body, bytes;
	buf_init(&body, 1 << 20);
	buf_init(&bytes, LIMIT_DIGEST_BYTES);
	buf_addz(&body, "Content-Type: multipart/mixed; boundary=b\r\n\r\n");
	for (int i = 0; i < 1000; i++)
		buf_addf(&body, "--b\r\nX-N: %d\r\n\r\npart %d\r\n", i, i);
	buf_addz(&body, "--b--\r\n");
	mail_parse(buf_str(&body), &bytes);
	struct digest d;
	assert_true(digest_open(&d, buf_str(&bytes), body.n));
	static const char *const searches[] = { " BODY \"part 999\"", " TEXT \"x-n: 998\"",
		" BODY nowhere" };
	for (size_t i = 0; i < ARRAY_LEN(searches); i++) {
		struct search search;
		parse(&search, searches[i]);
		struct search_bytes *b = search_bytes_new(&search, view, 1, 0, &d, 0);
		uint64_t offset, end = 0;
		uint32_t length;
		unsigned wanted = 0;
		while (search_bytes_want(b, &offset, &length)) {
			assert_true(offset >= end && offset + length <= body.n);
			end = offset + length;
			wanted++;
			search_bytes_feed(b, str_sub(buf_str(&body), (size_t)offset, length));
		}
		assert_in_range(wanted, 1, body.n / 16384 + 2);
		assert_int_equal(search_bytes_answer(b), i < 2);
		search_bytes_free(&b);
		search_end(&search);
	}
	buf_done(&body);
	buf_done(&bytes);
}

/* What a search says of a message, of which each read brings so many bytes at most. */
static bool answer_of(const char *text, struct str body, uint32_t most)
{
	struct buf bytes;
	struct digest d;
	struct search search;
	uint64_t offset;
	uint32_t length;
	buf_init(&bytes, LIMIT_DIGEST_BYTES);
	mail_parse(body, &bytes);
	assert_true(digest_open(&d, buf_str(&bytes), body.n));
	parse(&search, text);
	struct search_bytes *b = search_bytes_new(&search, view, 1, 0, &d, 0);
	while (search_bytes_want(b, &offset, &length))
		search_bytes_feed(b, str_sub(body, (size_t)offset, length < most ? length : most));
	bool yes = search_bytes_answer(b);
	search_bytes_free(&b);
	search_end(&search);
	buf_done(&bytes);
	return yes;
}

/* M2: a header field is held in pieces of so many bytes; a needle is found wherever it lies, where
 * two of them meet as well. */
static void looks_at_all_of_a_field(void **state)
{
	static const char needle[] = "H\xc3\xb6rner!";
	(void)state;
	struct buf body;
	buf_init(&body, 1 << 20);
	for (size_t n = 0; n <= 2 * (strlen(needle) + 2); n++) {
		buf_clear(&body);
		buf_addz(&body, "X-Long: ");
		while (body.n < (1 + n % 2 * 2) * LIMIT_HEADER_LINE_BYTES - n / 2)
			buf_addc(&body, '.');
		buf_addz(&body, needle);
		buf_addz(&body, "...\r\n\r\n");
		struct str all = buf_str(&body);
		assert_true(answer_of(" HEADER X-Long \"H\xc3\x96RNER!\"", all, 65000));
		assert_true(answer_of(" TEXT \".h\xc3\xb6rner!.\"", all, 4000));
		assert_false(answer_of(" HEADER X-Long rner!!", all, 65000));
		assert_false(answer_of(" HEADER X-Long long", all, 65000));
		assert_false(answer_of(" BODY rner", all, 65000));
	}
	buf_done(&body);
}

static size_t memory_in_use(void)
{
	struct mallinfo2 m = mallinfo2(); /* a sanitizer's has nothing to say */
	return m.uordblks + m.hblkhd;
}

/* Nor does a long field take memory while its next piece is waited for, whatever its characters
 * become (this one eleven times as much as in the message). */
static void holds_little_of_a_field(void **state)
{
	(void)state;
	struct buf body, bytes;
	struct digest d;
	struct search search;
	uint64_t offset;
	uint32_t length;
	size_t most = 0;
	buf_init(&body, 1 << 20);
	buf_init(&bytes, LIMIT_DIGEST_BYTES);
	buf_addz(&body, "X-Long: ");
	while (body.n < 6 * LIMIT_HEADER_LINE_BYTES)
		buf_addz(&body, "\xef\xb7\xba");
	buf_addz(&body, "\r\n\r\n");
	mail_parse(buf_str(&body), &bytes);
	assert_true(digest_open(&d, buf_str(&bytes), body.n));
	parse(&search, " HEADER X-Long nowhere");
	size_t before = memory_in_use();
	struct search_bytes *b = search_bytes_new(&search, view, 1, 0, &d, 0);
	while (search_bytes_want(b, &offset, &length)) {
		search_bytes_feed(b, str_sub(buf_str(&body), (size_t)offset, length));
		if (memory_in_use() > before + most)
			most = memory_in_use() - before;
	}
	assert_in_range(most, 0, 3 * LIMIT_HEADER_LINE_BYTES);
	search_bytes_free(&b);
	search_end(&search);
	buf_done(&bytes);
	buf_done(&body);
}

/* A list of recipients of any length (the digest has 48 KiB of it): every one of them is found. */
static void finds_every_recipient(void **state)
{
	enum { RECIPIENTS = 6000 };
	(void)state;
	struct buf body;
	char text[200];
	buf_init(&body, 1 << 20);
	buf_addz(&body, "To: ");
	for (int i = 0; i < RECIPIENTS; i++)
		buf_addf(&body, "=?utf-8?q?J=C3=BCrgen?= =?utf-8?q?_N%d?= <r%d@x.test>%s", i, i,
			i == RECIPIENTS - 1 ? "\r\n" : ",\r\n ");
	buf_addz(&body, "Cc: other@x.test\r\n\r\ntext\r\n");
	for (int i = 0; i < RECIPIENTS; i += i < 5900 ? 97 : 1) {
		snprintf(text, sizeof(text), " TO \"J\xc3\x9cRGEN n%d <r%d@x.test>%s\"", i, i,
			i == RECIPIENTS - 1 ? "" : ", j");
		if (!answer_of(text, buf_str(&body), 65000))
			fail_msg("%s", text);
	}
	assert_false(answer_of(" TO r6000@", buf_str(&body), 65000));
	assert_false(answer_of(" TO other@", buf_str(&body), 65000));
	assert_true(answer_of(" TEXT \"cc: other@\"", buf_str(&body), 65000));
	assert_true(answer_of(" NOT TO r6000@", buf_str(&body), 65000));
	buf_done(&body);
}

/* Encoded words without an end are one text, wherever pieces of the field meet. */
static void joins_words_of_a_long_field(void **state)
{
	enum { NEAR = 200 };
	(void)state;
	struct buf body;
	char text[100];
	size_t near[1000], n = 0;
	buf_init(&body, 1 << 20);
	buf_addz(&body, "Subject:");
	for (size_t i = 0; i < 10000; i++) {
		if ((body.n + NEAR) % LIMIT_HEADER_LINE_BYTES < 2 * NEAR)
			near[n++] = i;
		buf_addf(&body, "%s =?utf-8?q?<%zu>?=", i % 3 ? "\r\n" : "", i);
	}
	buf_addz(&body, "\r\n\r\n");
	assert_true(n > 2 * NEAR / 21);
	for (size_t i = 0; i < n; i++) {
		snprintf(text, sizeof(text), " SUBJECT \"<%zu><%zu>\"", near[i], near[i] + 1);
		if (!answer_of(text, buf_str(&body), 65000))
			fail_msg("%s", text);
	}
	assert_false(answer_of(" SUBJECT \"> <\"", buf_str(&body), 65000));
	buf_done(&body);
}

/* Each "$" is ranges of its own: all of them together are bounded. */
static void ranges_of_all_sets(void **state)
{
	enum { EACH = 5000, KEYS = LIMIT_IMAP_SEARCH_RANGES / EACH };
	struct api_entry *e = xcalloc(2 * EACH, sizeof(*e));
	struct api_range saved[EACH];
	struct seqset set = { .ranges = saved, .n = EACH };
	struct view *v = view_new();
	(void)state;
	_Static_assert(LIMIT_IMAP_SEARCH_RANGES % EACH == 0, "KEYS sets are the limit");
	for (uint32_t i = 0; i < 2 * EACH; i++)
		e[i] = (struct api_entry){ .uid = i + 1, .modseq = 1 };
	for (uint32_t i = 0; i < EACH; i++)
		saved[i] = (struct api_range){ 2 * i + 1, 2 * i + 1 };
	assert_true(view_apply(v, e, 2 * EACH, NULL, 0, NULL));
	view_apply_end(v);
	view_tell_all(v);
	for (int over = -1; over <= 1; over++) {
		struct search search = { 0 };
		struct err err = ERR_INIT;
		struct buf text;
		buf_init(&text, 4096);
		for (int i = 0; i < KEYS - (over < 0); i++)
			buf_addz(&text, " $");
		buf_addz(&text, over > 0 ? " UID 7" : "");
		struct scan s = scan_from(buf_str(&text));
		arena_reset(&arena);
		assert_int_equal(search_parse(&s, &arena, &search, NULL), 0);
		assert_int_equal(search_begin(&search, v, &set, &err), over > 0 ? -1 : 0);
		assert_int_equal(err.kind, over > 0 ? ERR_LIMIT : ERR_NONE);
		search_end(&search);
		buf_done(&text);
	}
	view_free(&v);
	free(e);
}

static double cpu_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* I23: a field that costs much to decode is decoded once, however many keys look at it: at some 0.4
 * to 1.5 ms each, a thousand keys would be a second of one turn. */
static void many_keys_look_at_a_field(void **state)
{
	(void)state;
	enum { KEYS = 1000 };
	struct buf text, bytes, keys;
	struct search search;
	struct digest d;
	buf_init(&text, 1024 * 1024);
	buf_init(&bytes, LIMIT_DIGEST_BYTES);
	buf_init(&keys, 64 * 1024);
	buf_addz(&text, "From:");
	while (text.n < 60000)
		buf_addz(&text, " =?iso-2022-jp?b?GyRCJCIkIiQi?=");
	buf_addz(&text, " <a@b.test>\r\nDate: ");
	while (text.n < 120000)
		buf_addz(&text, "(1 Jan) ");
	buf_addz(&text, "Mon, 7 Feb 1994 23:52:25 -0800\r\n\r\n");
	mail_parse(buf_str(&text), &bytes);
	assert_true(digest_open(&d, buf_str(&bytes), text.n));
	for (int i = 0; i < KEYS; i++)
		buf_addf(&keys, i % 10 == 0 ? " SENTON 7-Feb-1994" : " FROM q%d", i);
	buf_addc(&keys, '\0');
	parse(&search, keys.p);
	double from = cpu_s();
	assert_int_equal(search_digest(&search, view, 1, 0, &d), SEARCH_NO);
	assert_true(cpu_s() - from < 0.15);
	search_end(&search);
	buf_done(&text);
	buf_done(&bytes);
	buf_done(&keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = { test_case(answers_from_entries),
		test_case(answers_from_digest_and_bytes), test_case(a_short_message_ends),
		test_case(finds_across_slices), test_case(small_parts_come_together),
		test_case(asks_so_much_of_signatures), test_case(looks_at_all_of_a_field),
		test_case(holds_little_of_a_field), test_case(finds_every_recipient),
		test_case(joins_words_of_a_long_field), test_case(ranges_of_all_sets),
		test_case(many_keys_look_at_a_field) };
	return cmocka_run_group_tests(tests, setup, teardown);
}
