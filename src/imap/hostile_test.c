// SPDX-License-Identifier: Apache-2.0
/* hostile-input I1 to I10 against a whole session, by number: what is said, and that the session
 * goes on afterwards. Each parser has its own limits tested at N-1, N and N+1 beside it. */
#include "imap/dialogue.h"

#include "imap/imap_private.h"

#define READY                                                                                      \
	LOGIN "D: From: a@b\\nSubject: x\\n\\nHello\\n\n"                                          \
	      "C: se EXAMINE INBOX\n"                                                              \
	      "S: * FLAGS ~\nS: * OK [PERM~\nS: * 1 EXISTS\nS: * 0 RECENT\nS: * OK [UNSEEN~\n"     \
	      "S: * OK [UIDV~\nS: * OK [UIDN~\nS: * OK [HIGH~\nS: * OK [MAILB~\nS: se OK ~\n"

/* Sends before + times * middle + after as one command "x …", and expects its tagged reply. */
static void repeat(struct fake *f, const char *before, const char *middle, size_t times,
	const char *after, const char *expected)
{
	struct buf b;
	struct imap *s;
	struct str heard;
	size_t at;

	buf_init(&b, 64 * 1024 * 1024);
	buf_addf(&b, "x %s", before);
	for (size_t i = 0; i < times; i++)
		buf_addz(&b, middle);
	buf_addf(&b, "%s\r\n", after);
	fake_send(f, 0, buf_str(&b));
	heard = buf_str(&f->clients[0].received);
	at = str_search(heard, STR("x "));
	if (!glob(str_from(expected), str_chomp(str_from_offset(heard, at))))
		fail_msg("%s%s…: '%.*s'", before, middle, (int)(heard.n < 300 ? heard.n : 300),
			heard.p);
	buf_clear(&f->clients[0].received);
	/* nothing of it is kept */
	s = (struct imap *)(void *)f->clients[0].session;
	if (s != NULL) {
		assert_true(s->wire.text.cap <= 8192);
		assert_true(s->arena.used == 0);
		dialogue_with(f, "C: y NOOP\n"
				 "S: y OK ~\n");
	}
	buf_done(&b);
}

static const struct {
	int number; /* of hostile-input I */
	const char *before, *middle;
	size_t times;
	const char *after, *expected;
} cases[] = {
	/* many small literals */
	{ 3, "LIST \"\"", " {1+}\r\nx", 2000, "", "x BAD [TOOBIG] ~" },
	{ 3, "NOOP ", "x", 1100000, "", "x BAD [TOOBIG] ~" },
	/* parentheses */
	{ 4, "NOOP ", "(", 4000, "", "x BAD ~" },
	{ 4, "SEARCH ", "(", 64, "ALL", "x ~" },
	{ 4, "ID ", "(", 65, "", "x BAD ~" },
	{ 4, "LIST ", "(", 60, "", "x BAD ~" },
	/* SEARCH */
	{ 5, "SEARCH ", "NOT ", 100000, "ALL", "x ~" },
	{ 5, "SEARCH ", "OR ", 100000, "ALL", "x ~" },
	{ 5, "SEARCH ALL", " ALL", 10000, "", "x ~" },
	{ 5, "SEARCH SUBJECT ", "y", 1000000, "", "x ~" },
	{ 5, "SEARCH ", "OR ALL ", 60, "ALL", "x OK ~" },
	{ 5, "SEARCH ", "NOT ", 60, "ALL", "x OK ~" },
	/* FETCH */
	{ 6, "FETCH 1 BODY.PEEK[1", ".1", 10000, "]", "x ~" },
	{ 6, "FETCH 1 BODY.PEEK[]<4294967295", "", 1, ".4294967295>", "x OK ~" },
	{ 6, "FETCH 1 BODY.PEEK[]<9223372036854775807", "", 1, ".9223372036854775807>", "x ~" },
	{ 6, "FETCH 1 BODY.PEEK[]<18446744073709551616", "", 1, ".1>", "x BAD ~" },
	{ 6, "FETCH 1 BODY.PEEK[]<0", "", 1, ".0>", "x BAD ~" },
	{ 6, "FETCH 1 (FLAGS", " BODY.PEEK[]", 10000, ")", "x ~" },
	{ 6, "FETCH 1 (FLAGS", " UID", 10000, ")", "x ~" },
	{ 6, "FETCH 1 BODY.PEEK[HEADER.FIELDS (a", " a", 10000, ")]", "x ~" },
	/* sets */
	{ 7, "UID FETCH 1", ",1:*", 100000, " UID", "x OK ~" },
	{ 7, "UID FETCH 1", ",*:4294967295,4294967295:1", 20000, " UID", "x OK ~" },
	{ 7, "FETCH 1:4294967295", "", 1, " UID", "x BAD ~" },
	{ 7, "FETCH 0", "", 1, " UID", "x BAD ~" },
	{ 7, "FETCH *:*", "", 1, " UID", "x OK ~" },
	{ 7, "UID FETCH 4294967296", "", 1, " UID", "x BAD ~" },
	{ 7, "UID FETCH 1", ",1", 65535, " UID", "x OK ~" },
	{ 7, "UID FETCH 1", ",1", 65536, " UID", "x NO [LIMIT] ~" },
	{ 7, "UID FETCH 1", ",1", 400000, " UID", "x NO [LIMIT] ~" },
	{ 7, "UID FETCH 1", ",1", 400000, ",0 UID", "x BAD ~" },
	{ 7, "UID STORE 1", ",1", 65536, " FLAGS ()", "x NO [LIMIT] ~" },
	{ 7, "UID SEARCH 1", ",1", 65536, "", "x NO [LIMIT] ~" },
	{ 7, "UID SEARCH UID 1", ",1", 65536, "", "x NO [LIMIT] ~" },
	/* names */
	{ 8, "CREATE &-&AAA", "", 1, "", "x NO ~" },
	{ 8, "CREATE &", "", 1, "", "x NO ~" },
	{ 8, "CREATE &AGE-", "", 1, "", "x NO ~" },
	{ 8, "CREATE &2AA-", "", 1, "", "x NO ~" },
	{ 8, "CREATE &AAA-", "", 1, "", "x NO ~" },
	{ 8, "CREATE &Jjo-&Jjo-", "", 1, "", "x NO ~" },
	{ 9, "CREATE ../x", "", 1, "", "x NO ~" },
	{ 9, "CREATE /etc/passwd", "", 1, "", "x NO ~" },
	{ 9, "CREATE a//b", "", 1, "", "x NO ~" },
	{ 9, "CREATE .", "", 1, "", "x NO ~" },
	{ 9, "CREATE ..", "", 1, "", "x NO ~" },
	{ 9, "CREATE \"\x7f\"", "", 1, "", "x NO ~" },
	{ 9, "CREATE \"\t\"", "", 1, "", "x NO ~" },
	{ 9, "CREATE ", "n", 10000, "", "x NO ~" },
	{ 9, "CREATE a", "/a", 10000, "", "x NO ~" },
	{ 9, "CREATE a", "/a", 32, "", "x NO ~" },
	{ 9, "CREATE \"*\"", "", 1, "", "x NO ~" },
	{ 9, "RENAME Sent ../x", "", 1, "", "x NO ~" },
	/* patterns */
	{ 10, "LIST \"\" ", "*%", 1000, "", "x ~" },
	{ 10, "LIST \"\" ", "*a%", 300, "", "x OK ~" },
	{ 10, "LIST \"\" (*", " *", 31, ")", "x OK ~" },
	{ 10, "LIST \"\" (*", " *", 32, ")", "x NO [LIMIT] ~" },
};

static void test_by_number(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_with(&f, READY);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		repeat(&f, cases[i].before, cases[i].middle, cases[i].times, cases[i].after,
			cases[i].expected);
	fake_done(&f);
}

/* I7 in SELECT: the mailbox that was selected is closed nevertheless (RFC 9051 6.3.2). */
static void test_known_sets(void **state)
{
	static const char select[] = "SELECT INBOX (QRESYNC (1 1 1";
	struct fake f;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_with(&f, READY "C: q ENABLE QRESYNC\n"
				"S: * ENABLED QRESYNC\n"
				"S: * OK [HIGHESTMODSEQ ~\n"
				"S: q OK ~\n");
	repeat(&f, select, ",1", 65536, "))", "x is closed\r\nx NO [LIMIT] ~");
	repeat(&f, "SELECT INBOX (QRESYNC (1 1 1 (1", ",1", 65536, " 1)))", "x NO [LIMIT] ~");
	repeat(&f, "SELECT INBOX (QRESYNC (1 1 1 (1 1", ",1", 65536, ")))", "x NO [LIMIT] ~");
	repeat(&f, select, ",1", 65535, "))", "x OK ~");
	fake_done(&f);
}

/* I1, I2, I4 before login: little is kept of whatever comes. */
static void test_strangers(void **state)
{
	static const char *const floods[] = { "(", "{", "\"", "a", " ", "\\", "}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(floods); i++) {
		struct fake f;
		struct imap *s;

		fake_init(&f);
		fake_connect(&f, "imaps", true);
		s = (struct imap *)(void *)f.clients[0].session;
		for (int k = 0; k < 200000 && f.clients[0].session != NULL; k++) {
			fake_send(&f, 0, str_from(floods[i]));
			if (f.clients[0].session != NULL)
				assert_true(s->wire.text.cap <= 65536);
		}
		assert_true(f.clients[0].closed); /* too much was skipped */
		fake_done(&f);
	}
}

/* A tag of one byte more than the limit is no tag. */
static void test_tag(void **state)
{
	(void)state;
	for (size_t n = LIMIT_IMAP_TAG_BYTES - 1; n <= LIMIT_IMAP_TAG_BYTES + 1; n++) {
		struct fake f;
		struct buf b;

		fake_init(&f);
		fake_connect(&f, "imaps", true);
		buf_clear(&f.clients[0].received);
		buf_init(&b, 1000);
		for (size_t i = 0; i < n; i++)
			buf_addc(&b, 't');
		buf_addz(&b, " NOOP\r\n");
		fake_send(&f, 0, buf_str(&b));
		assert_int_equal(str_starts(buf_str(&f.clients[0].received), STR("* BAD")),
			n > LIMIT_IMAP_TAG_BYTES);
		buf_done(&b);
		fake_done(&f);
	}
}

/* What one command may parse into, in the arena's unit of 16 bytes. */
static void test_arena(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	for (int over = -1; over <= 1; over++) {
		struct arena *a = &imap_of(f.clients[0].session)->arena;
		void *p = arena_alloc(a, (size_t)(LIMIT_IMAP_ARENA_BYTES + over * 16));

		assert_int_equal(p != NULL, over <= 0);
		arena_reset(a);
	}
	fake_done(&f);
}

TEST_MAIN(test_case(test_arena), test_case(test_by_number), test_case(test_known_sets),
	test_case(test_strangers), test_case(test_tag))
