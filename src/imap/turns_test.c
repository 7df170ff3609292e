// SPDX-License-Identifier: Apache-2.0
/* A command that costs much goes on in another turn, so that others have theirs: hostile-input I10.
 * The answers are those of a command that costs little. */
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

TEST_MAIN(test_case(test_list), test_case(test_list_deep))
