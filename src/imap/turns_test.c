// SPDX-License-Identifier: Apache-2.0
/* A command that costs much goes on in another turn, so that others have theirs: hostile-input I5,
 * I10. The answers are those of a command that costs little. */
#include "imap/dialogue.h"

#define PATTERN_BYTES 1000
#define PATTERN_WORDS (PATTERN_BYTES / 64 + 1)
#define SHORT_WORDS   1 /* of a pattern of a few bytes */
#define NOTHINGS      31

/* What the command has the client hear, and how often it goes on in another turn. */
static struct str hear(struct fake *f, struct buf *command, unsigned *ret_yields)
{
	buf_addz(command, "\r\n");
	buf_clear(&f->clients[0].received);
	f->yields = 0;
	fake_send(f, 0, buf_str(command));
	*ret_yields = f->yields;
	buf_clear(command);
	return buf_str(&f->clients[0].received);
}

static size_t count(struct str text, const char *what)
{
	struct str needle = str_from(what);
	size_t n = 0, at;

	while ((at = str_search(text, needle)) < text.n) {
		text = str_from_offset(text, at + needle.n);
		n++;
	}
	return n;
}

static void begin(struct fake *f, struct buf *command)
{
	fake_init(f);
	fake_connect(f, "imaps", true);
	fake_send(f, 0, STR("in LOGIN alice secret\r\n"));
	buf_init(command, 2 * 1024 * 1024);
}

static void end(struct fake *f, struct buf *command)
{
	buf_done(command);
	fake_done(f);
}

/* ---- LIST ---- */

/* 31 long patterns that no name is like, and one more. */
static void add_patterns(struct buf *command, const char *last)
{
	buf_addc(command, '(');
	for (int i = 0; i < NOTHINGS; i++) {
		for (int k = 0; k < PATTERN_BYTES; k++)
			buf_addc(command, 'x');
		buf_addc(command, ' ');
	}
	buf_addf(command, "%s)", last);
}

static uint64_t work_of(size_t name_bytes)
{
	return (name_bytes + 1) * (NOTHINGS * PATTERN_WORDS + SHORT_WORDS + 1);
}

/* The first LIST that takes two turns, by the number of its names. */
static void test_list(void **state)
{
	uint64_t work = work_of(5) + work_of(4) + work_of(5); /* INBOX, Sent, Trash */
	struct fake f;
	struct buf command;
	int most = 0;

	(void)state;
	for (char name[32];; most++) {
		work += work_of((size_t)snprintf(name, sizeof name, "more-%d", most));
		if (work > LIMIT_IMAP_LIST_WORK)
			break;
	}
	begin(&f, &command);
	for (int over = -1; over <= 1; over++) {
		unsigned yields;
		struct str heard;

		f.more_boxes = most + over;
		buf_addz(&command, "a LIST \"\" ");
		add_patterns(&command, "more*");
		heard = hear(&f, &command, &yields);
		assert_int_equal(yields, over > 0);
		assert_int_equal(
			count(heard, "* LIST (\\HasNoChildren) \"/\" more-"), f.more_boxes);
		assert_int_equal(count(heard, "* LIST"), f.more_boxes);
		assert_int_equal(count(heard, "a OK LIST completed"), 1);
	}
	end(&f, &command);
}

/* Parents within each other that are not subscribed, and many below them that are: each name is
 * looked at once. */
static void test_list_deep(void **state)
{
	char parents[] = "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/";
	enum { LEAVES = 1500 };
	struct fake f;
	struct buf command;
	struct str heard;
	unsigned yields;
	uint64_t most = (LEAVES + 34) * work_of(sizeof parents + 4) / LIMIT_IMAP_LIST_WORK + 1;

	(void)state;
	begin(&f, &command);
	f.more = parents;
	f.more_boxes = LEAVES;
	buf_addz(&command, "a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" ");
	add_patterns(&command, "*");
	heard = hear(&f, &command, &yields);
	assert_in_range(yields, 2, most);
	assert_int_equal(count(heard, "* LIST (\\HasNoChildren \\Subscribed)"), LEAVES);
	assert_int_equal(count(heard, "* LIST"), LEAVES);
	/* none of those below matches: the parent stands for all */
	buf_addz(&command, "b LIST (SUBSCRIBED RECURSIVEMATCH) \"\" ");
	add_patterns(&command, "%");
	heard = hear(&f, &command, &yields);
	assert_in_range(yields, 2, most);
	assert_int_equal(count(heard, "* LIST"), 1);
	assert_int_equal(
		count(heard, "\\HasChildren) \"/\" a (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"), 1);
	buf_addz(&command, "c LSUB \"\" %");
	heard = hear(&f, &command, &yields);
	assert_int_equal(yields, 0);
	assert_int_equal(count(heard, "* LSUB"), 1);
	assert_int_equal(count(heard, "* LSUB (\\Noselect) \"/\" a\r\n"), 1);
	end(&f, &command);
}

/* ---- SEARCH ---- */

#define KEYS 1000

static void open_inbox(struct fake *f, uint32_t messages)
{
	for (uint32_t i = 1; i <= messages; i++)
		fake_deliver(
			f, "INBOX", i % 2 ? STR("A: b\r\n\r\nword\r\n") : STR("A: b\r\n\r\nc\r\n"));
	fake_run(f);
	fake_send(f, 0, STR("s SELECT INBOX\r\n"));
}

static void add_times(struct buf *command, size_t n, const char *what)
{
	for (size_t i = 0; i < n; i++)
		buf_addz(command, what);
}

/* The first SEARCH that takes two turns, by the number of messages: so many keys and what joins
 * them are asked of each. */
static void test_search(void **state)
{
	(void)state;
	for (uint32_t over = 0; over <= 2; over++) {
		uint32_t n = LIMIT_IMAP_SEARCH_WORK / (KEYS + 1) - 1 + over;
		struct fake f;
		struct buf command;
		struct str heard;
		unsigned yields;
		char all[32];

		begin(&f, &command);
		open_inbox(&f, n);
		buf_addz(&command, "a SEARCH RETURN (ALL)");
		add_times(&command, KEYS, " ALL");
		heard = hear(&f, &command, &yields);
		assert_int_equal(yields, over == 2);
		snprintf(all, sizeof all, "ALL 1:%u\r\n", n);
		assert_int_equal(count(heard, all), 1);
		assert_int_equal(count(heard, "a OK SEARCH completed"), 1);
		end(&f, &command);
	}
}

/* Sets of many ranges cost more; what the bytes answer goes by windows, and batches, as well. */
static void test_search_more(void **state)
{
	static const char *const last[] = { "", " TEXT word", " HEADER A b TEXT word" };
	struct buf command, set;
	struct fake f;
	unsigned yields;

	(void)state;
	begin(&f, &command);
	open_inbox(&f, 400);
	buf_init(&set, 10000);
	buf_addz(&set, " UID 1");
	for (int uid = 3; uid < 400; uid += 2)
		buf_addf(&set, ",%d", uid);
	buf_addc(&set, '\0');
	for (size_t i = 0; i < ARRAY_LEN(last); i++) {
		struct str heard;

		buf_addz(&command, "a SEARCH RETURN (COUNT MAX)");
		add_times(&command, KEYS, set.p);
		buf_addz(&command, last[i]);
		heard = hear(&f, &command, &yields);
		assert_in_range(yields, 3, 8);
		assert_int_equal(count(heard, "MAX 399 COUNT 200\r\n"), 1);
		assert_int_equal(count(heard, "a OK SEARCH completed"), 1);
		buf_addf(&command, "b SEARCH RETURN (COUNT MAX)%s%s", set.p, last[i]);
		heard = hear(&f, &command, &yields);
		assert_int_equal(yields, 0);
		assert_int_equal(count(heard, "MAX 399 COUNT 200\r\n"), 1);
	}
	buf_done(&set);
	end(&f, &command);
}

TEST_MAIN(test_case(test_list), test_case(test_list_deep), test_case(test_search),
	test_case(test_search_more))
