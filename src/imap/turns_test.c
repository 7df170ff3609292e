// SPDX-License-Identifier: Apache-2.0
/* A command that costs much goes on in another turn, so that others have theirs: hostile-input I5,
 * I6, I10. The answers are those of a command that costs little. */
#include "imap/dialogue.h"
#include "mail/mime.h"

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

/* Somebody delivers a message; the size of its digest, which the store has if `known`. */
static size_t deliver(struct fake *f, struct str message, bool known)
{
	struct fake_box *inbox = fake_box_by_name(f, STR("INBOX"));
	struct mail_parser *parser = mail_parser_new(NULL);
	struct buf digest;
	size_t n;

	buf_init(&digest, LIMIT_DIGEST_BYTES);
	mail_parser_input(parser, message);
	mail_parser_end(parser, &digest);
	mail_parser_free(&parser);
	fake_deliver(f, "INBOX", message);
	if (known)
		buf_adds(&fake_entry(inbox, inbox->entries.n - 1)->digest, buf_str(&digest));
	n = digest.n;
	buf_done(&digest);
	return n;
}

/* Long fields, which each key has decoded: the digests of a batch take more than one turn. */
static void test_search_digests(void **state)
{
	enum { MESSAGES = 8, TO_BYTES = 10000 };
	struct buf command, message;
	struct fake f;

	(void)state;
	begin(&f, &command);
	buf_init(&message, 20000);
	for (int i = 0; i < MESSAGES; i++) {
		buf_clear(&message);
		buf_addz(&message, "To: ");
		add_times(&message, TO_BYTES / 20, "somebody@a.example,\r\n ");
		buf_addf(&message, "%s@b.example\r\n\r\n", i % 2 ? "word" : "other");
		deliver(&f, buf_str(&message), true);
	}
	open_inbox(&f, 0);
	for (int few = 0; few <= 1; few++) {
		unsigned yields;
		struct str heard;

		buf_addz(&command, "a SEARCH RETURN (ALL)");
		add_times(&command, few ? 1 : KEYS, " TO word");
		heard = hear(&f, &command, &yields);
		assert_int_equal(yields, few ? 0 : MESSAGES - 1);
		assert_int_equal(count(heard, "ALL 2,4,6,8\r\n"), 1);
		assert_int_equal(count(heard, "a OK SEARCH completed"), 1);
	}
	buf_done(&message);
	end(&f, &command);
}

/* Messages with a long field, or a long body; every other one has the word. */
static void deliver_long(struct fake *f, int messages, size_t field_bytes, size_t body_bytes)
{
	struct buf message;

	buf_init(&message, 1024 + field_bytes + body_bytes);
	for (int i = 0; i < messages; i++) {
		buf_clear(&message);
		buf_addz(&message, "Subject: x\r\nX: ");
		add_times(&message, field_bytes / 10, "some text ");
		buf_addz(&message, "\r\n\r\n");
		add_times(&message, body_bytes / 10, "some text ");
		buf_addf(&message, "%s\r\n", i % 2 ? "word" : "other");
		deliver(f, buf_str(&message), true);
	}
	buf_done(&message);
}

/* What many keys look for in long texts: they are read in small pieces, between which others have
 * their turn; and where a long field ends, which keys look through as a whole, as well. A few keys
 * take it in one. */
static void test_search_bytes(void **state)
{
	enum { MESSAGES = 12, LONG = 40000, EACH = LONG / 8 * KEYS / LIMIT_IMAP_SEARCH_WORK };

	(void)state;
	for (int header = 0; header <= 1; header++) {
		struct buf command;
		struct fake f;

		begin(&f, &command);
		deliver_long(&f, MESSAGES, header ? LONG : 0, header ? 0 : LONG);
		open_inbox(&f, 0);
		for (int few = 0; few <= 1; few++) {
			unsigned yields;
			struct str heard;

			buf_addz(&command, "a SEARCH RETURN (ALL)");
			add_times(&command, few ? 1 : KEYS, " TEXT word");
			heard = hear(&f, &command, &yields);
			if (few)
				assert_int_equal(yields, 0);
			else if (header)
				assert_in_range(yields, MESSAGES - 1, MESSAGES + 1);
			else
				assert_in_range(yields, MESSAGES * EACH / 2, MESSAGES * EACH);
			assert_int_equal(count(heard, "ALL 2,4,6,8,10,12\r\n"), 1);
			assert_int_equal(count(heard, "a OK SEARCH completed"), 1);
		}
		end(&f, &command);
	}
}

/* ---- FETCH ---- */

#define PARTS 3000

/* A message of many parts; what its digest has bytes. */
static size_t deliver_parts(struct fake *f, int parts)
{
	struct buf b;
	size_t n;

	buf_init(&b, 1024 * 1024);
	buf_addz(&b, "Content-Type: multipart/mixed; boundary=x\r\n\r\n");
	for (int i = 0; i < parts; i++)
		buf_addf(&b, "--x\r\n\r\n%d\r\n", i + 1);
	buf_addz(&b, "--x--\r\n");
	n = deliver(f, buf_str(&b), false);
	fake_run(f);
	buf_done(&b);
	return n;
}

static void add_missing(struct buf *command, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_addf(command, " BODY.PEEK[%zu.MIME]", PARTS + 1 + i);
}

/* The first FETCH that takes two turns, by the number of parts that are looked for: each twice, to
 * know whether there are bytes to wait for, and to be written. */
static void test_fetch(void **state)
{
	struct fake f;
	struct buf command;
	size_t most;

	(void)state;
	begin(&f, &command);
	most = (LIMIT_IMAP_FETCH_WORK / deliver_parts(&f, PARTS) + 1) / 2;
	assert_in_range(most, 2, LIMIT_IMAP_FETCH_ITEMS - 2);
	fake_send(&f, 0, STR("s SELECT INBOX\r\n"));
	for (size_t n = most - 1; n <= most + 1; n++) {
		unsigned yields;
		struct str heard;

		buf_addz(&command, "a FETCH 1 (UID");
		add_missing(&command, n);
		buf_addc(&command, ')');
		heard = hear(&f, &command, &yields);
		assert_int_equal(yields, n > most);
		assert_int_equal(count(heard, ".MIME] NIL"), n);
		assert_int_equal(count(heard, "a OK FETCH completed"), 1);
	}
	end(&f, &command);
}

/* Copies of it, and what is there among what is not: what is asked for ahead stays in step. */
static void test_fetch_ahead(void **state)
{
	enum { COPIES = 6, MISSING = 60 };
	struct fake f;

	(void)state;
	for (int stingy = 0; stingy <= 1; stingy++) {
		struct buf command;
		struct str heard;
		unsigned yields;

		begin(&f, &command);
		for (int i = 0; i < COPIES; i++)
			deliver_parts(&f, PARTS);
		fake_send(&f, 0, STR("s SELECT INBOX\r\n"));
		f.stingy = stingy;
		buf_addz(&command, "a FETCH 1:* (BODY.PEEK[2999]");
		add_missing(&command, MISSING);
		buf_addz(&command, " BODY.PEEK[3000])");
		heard = hear(&f, &command, &yields);
		assert_in_range(yields, COPIES, 10 * COPIES);
		assert_int_equal(
			count(heard, "FETCH (BODY[2999] {4}\r\n2999 BODY[3001.MIME] NIL "), COPIES);
		assert_int_equal(count(heard, ".MIME] NIL"), COPIES * MISSING);
		assert_int_equal(count(heard, " BODY[3000] {4}\r\n3000)\r\n"), COPIES);
		assert_int_equal(count(heard, "a OK FETCH completed"), 1);
		end(&f, &command);
	}
}

/* The last of them alone has what is asked for. */
static void test_fetch_last(void **state)
{
	enum { COPIES = 6, WANTED = 60 };
	struct fake f;
	struct buf command;
	struct str heard;
	unsigned yields;

	(void)state;
	begin(&f, &command);
	for (int i = 1; i <= COPIES; i++)
		deliver_parts(&f, i == COPIES ? PARTS + WANTED : PARTS);
	fake_send(&f, 0, STR("s SELECT INBOX\r\n"));
	for (int again = 0; again <= 1; again++) {
		buf_addz(&command, "a FETCH 1:* (FLAGS");
		add_missing(&command, WANTED);
		buf_addc(&command, ')');
		heard = hear(&f, &command, &yields);
		assert_in_range(yields, COPIES, 10 * COPIES);
		assert_int_equal(count(heard, "FETCH (FLAGS () BODY["), COPIES);
		assert_int_equal(count(heard, ".MIME] NIL"), (COPIES - 1) * WANTED);
		assert_int_equal(count(heard, ".MIME] {2}\r\n\r\n"), WANTED);
		assert_int_equal(count(heard, "a OK FETCH completed"), 1);
	}
	end(&f, &command);
}

/* ---- THREAD ---- */

/* The more messages, the more turns. */
static void test_thread(void **state)
{
	static const char *const algorithms[] = { "ORDEREDSUBJECT", "REFERENCES" };
	unsigned yields[2][ARRAY_LEN(algorithms)];

	(void)state;
	for (int many = 0; many <= 1; many++) {
		uint32_t n = many ? 3000 : 30;
		struct fake f;
		struct buf command;

		begin(&f, &command);
		open_inbox(&f, n);
		for (size_t i = 0; i < ARRAY_LEN(algorithms); i++) {
			struct str heard;

			buf_addf(&command, "a THREAD %s UTF-8 ALL", algorithms[i]);
			heard = hear(&f, &command, &yields[many][i]);
			assert_int_equal(count(heard, "a OK THREAD completed"), 1);
			/* without a subject they are one thread by the first */
			assert_int_equal(count(heard, "("), i == 0 ? n : n);
		}
		end(&f, &command);
	}
	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++)
		assert_in_range(yields[1][i], yields[0][i] + 1, yields[0][i] + 10);
}

/* ---- many commands ---- */

/* A clock that stands still but for one jump, behind the reading that begins a turn. */
struct jumping_clock {
	struct clock_seam seam;
	struct clock_seam *real;
	int64_t jump_ms;
	int readings;
};

static int64_t jumping_wall(struct clock_seam *seam)
{
	struct jumping_clock *c = (struct jumping_clock *)(void *)seam;

	return c->real->wall_ms(c->real);
}

static int64_t jumping_monotonic(struct clock_seam *seam)
{
	struct jumping_clock *c = (struct jumping_clock *)(void *)seam;

	return c->real->monotonic_ms(c->real) + (c->readings++ > 0 ? c->jump_ms : 0);
}

/* I24: what is sent ahead and asks nobody is done until it has taken its time, then others have
 * their turn. All is answered, in order. */
static void test_commands_sent_ahead(void **state)
{
	enum { COMMANDS = 50 };

	(void)state;
	for (int64_t over = -1; over <= 1; over++) {
		struct jumping_clock clock = { .seam = { .wall_ms = jumping_wall,
						       .monotonic_ms = jumping_monotonic },
			.jump_ms = LIMIT_IMAP_TURN_MS + over };
		struct fake f;
		struct buf command;
		struct str heard;
		unsigned yields;

		begin(&f, &command);
		open_inbox(&f, 10);
		hear(&f, (buf_addz(&command, "l SEARCH SEEN"), &command), &yields);
		clock.real = f.seams.clock;
		f.seams.clock = &clock.seam;
		for (int i = 0; i < COMMANDS; i++)
			buf_addf(&command, "n%d SEARCH SEEN\r\n", i);
		buf_addz(&command, "a NOOP");
		heard = hear(&f, &command, &yields);
		assert_int_equal(yields, over >= 0);
		assert_int_equal(count(heard, " OK SEARCH completed\r\n"), COMMANDS);
		assert_true(str_search(heard, STR("n48 OK")) < str_search(heard, STR("n49 OK")));
		assert_int_equal(count(heard, "a OK NOOP completed"), 1);
		f.seams.clock = clock.real;
		end(&f, &command);
	}
}

TEST_MAIN(test_case(test_commands_sent_ahead), test_case(test_thread), test_case(test_fetch),
	test_case(test_fetch_ahead), test_case(test_fetch_last), test_case(test_list),
	test_case(test_list_deep), test_case(test_search), test_case(test_search_bytes),
	test_case(test_search_digests), test_case(test_search_more))
