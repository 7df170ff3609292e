// SPDX-License-Identifier: Apache-2.0
/* The sorter and the threader by themselves: any number of messages, hostile ones, and memory that
 * ends. Hostile-input I22. */
#include "base/limits.h"
#include "base/time.h"
#include "imap/facts.h"
#include "imap/sort.h"
#include "imap/thread.h"
#include "mail/digest.h"
#include "mail/mime.h"

#include "base/test.h"

#include <stdlib.h>
#include <time.h>

static const uint8_t key[16] = "any key will do";

struct text {
	struct buf digest;
	struct digest d;
	struct facts_reader reader;
	struct message_facts m;
};

static const struct message_facts *parse(
	struct text *t, const struct api_entry *e, const char *message)
{
	buf_init(&t->digest, LIMIT_DIGEST_BYTES);
	mail_parse(str_from(message), &t->digest);
	assert_true(digest_open(&t->d, buf_str(&t->digest), strlen(message)));
	facts_reader_init(&t->reader);
	facts_read(&t->reader, e, &t->d, &t->m);
	return &t->m;
}

static void done(struct text *t)
{
	buf_done(&t->digest);
	facts_reader_done(&t->reader);
}

/* ---- sorting ---- */

static struct sort_criteria criteria(const char *text)
{
	struct sort_criteria c;
	struct scan s = scan_from(str_from(text));
	assert_true(sort_criteria_parse(&s, &c));
	assert_true(scan_end(&s));
	return c;
}

/* Any number of messages, whatever the size of the steps; equal ones by number. */
static void any_number_in_any_steps(void **state)
{
	(void)state;
	struct sort_criteria c = criteria("(SIZE REVERSE ARRIVAL)");
	assert_false(c.needs_digest);
	for (size_t n = 0; n < 70; n++) {
		for (size_t step = 1; step < 100; step += 30) {
			struct sorter *t = sorter_new(&c, LIMIT_IMAP_SORT_BYTES);
			for (uint32_t i = 1; i <= n; i++)
				assert_true(sorter_add(t, i,
					&(struct api_entry){ .size = i * 7 % 5, .time = i % 3 },
					NULL));
			while (!sorter_step(t, step))
				;
			assert_int_equal(sorter_count(t), n);
			for (size_t i = 1; i < n; i++) {
				uint32_t a = sorter_at(t, i - 1), b = sorter_at(t, i);
				uint32_t x = a * 7 % 5, y = b * 7 % 5;
				assert_true(
					x < y ||
					(x == y && (a % 3 > b % 3 || (a % 3 == b % 3 && a < b))));
			}
			sorter_free(&t);
		}
	}
}

static void criteria_are_read(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "SIZE", "()", "(SIZE", "(SIZE )", "( SIZE)",
		"(REVERSE)", "(REVERSE REVERSE SIZE)", "(SIZES)", "(SUBJECT  DATE)" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct scan s = scan_from(str_from(bad[i]));
		struct sort_criteria c;
		assert_false(sort_criteria_parse(&s, &c));
	}
	struct sort_criteria c = criteria("(reverse Subject SIZE subject REVERSE DisplayFrom)");
	assert_int_equal(c.n, 3);
	assert_true(c.v[0].key == SORT_SUBJECT && c.v[0].reverse && c.needs_digest);
	assert_true(c.v[2].key == SORT_DISPLAYFROM && c.v[2].reverse);
}

/* Keys that begin alike, are beginnings of each other, or are not there. */
static void texts(void **state)
{
	(void)state;
	static const char *const subjects[] = { "", "a", "aaaaaaaa", "aaaaaaaaa", "AAAAAAAAb",
		"aaaaaaaac", "aaaaaaab", "b" };
	struct sort_criteria c = criteria("(REVERSE SUBJECT)");
	struct sorter *t = sorter_new(&c, LIMIT_IMAP_SORT_BYTES);
	for (size_t i = 0; i < ARRAY_LEN(subjects); i++) {
		char message[100];
		struct text text;
		snprintf(message, sizeof(message), "Subject: %s\r\n\r\n", subjects[i]);
		struct api_entry e = { .uid = 1 };
		assert_true(sorter_add(t, (uint32_t)i + 1, &e, parse(&text, &e, message)));
		done(&text);
	}
	assert_true(sorter_step(t, 1000));
	for (size_t i = 0; i < ARRAY_LEN(subjects); i++)
		assert_int_equal(sorter_at(t, i), ARRAY_LEN(subjects) - i);
	sorter_free(&t);
}

/* Memory ends where it should: one message more is one too many. */
static void i22_memory_of_a_sort(void **state)
{
	(void)state;
	struct sort_criteria c = criteria("(SIZE)");
	assert_int_equal(LIMIT_IMAP_SORT_BYTES, 64 * 1024 * 1024);
	for (size_t n = 1; n < 5; n++) {
		/* a value of 24 bytes and three numbers */
		for (int less = 0; less < 2; less++) {
			struct sorter *t = sorter_new(&c, n * 36 - (size_t)less);
			size_t taken = 0;
			while (sorter_add(t, 1, &(struct api_entry){ .uid = 1 }, NULL))
				taken++;
			assert_int_equal(taken, n - (size_t)less);
			sorter_free(&t);
		}
	}
}

/* ---- threads ---- */

struct letter {
	const char *date, *id, *references, *in_reply_to, *subject;
};

static void add(struct threader *t, uint32_t n, const struct letter *l)
{
	struct text text;
	struct buf message;
	buf_init(&message, 1000000);
	if (l->date != NULL)
		buf_addf(&message, "Date: Wed, %s Feb 2023 10:00:00 +0000\r\n", l->date);
	if (l->id != NULL)
		buf_addf(&message, "Message-ID: %s\r\n", l->id);
	if (l->references != NULL)
		buf_addf(&message, "References: %s\r\n", l->references);
	if (l->in_reply_to != NULL)
		buf_addf(&message, "In-Reply-To: %s\r\n", l->in_reply_to);
	if (l->subject != NULL)
		buf_addf(&message, "Subject: %s\r\n", l->subject);
	buf_addc(&message, '\0');
	assert_true(threader_add(
		t, n, parse(&text, &(struct api_entry){ .time = n * TIME_DAY_MS }, message.p)));
	done(&text);
	buf_done(&message);
}

static void expect(struct threader *t, size_t step, const char *answer)
{
	struct buf out;
	buf_init(&out, 1 << 20);
	while (!threader_step(t, step))
		;
	/* little room at a time */
	for (bool done = false; !done;) {
		struct buf some;
		buf_init(&some, 40);
		done = threader_write(t, NULL, &some);
		buf_adds(&out, buf_str(&some));
		buf_done(&some);
	}
	assert_str(buf_str(&out), str_from(answer));
	buf_done(&out);
	threader_free(&t);
}

static void threads(const struct letter *letters, size_t n, const char *answer)
{
	for (size_t step = 1; step <= 1000; step += step < 5 ? 1 : 995) {
		struct threader *t = threader_new(THREAD_REFERENCES, key, LIMIT_IMAP_SORT_BYTES);
		for (size_t i = 0; i < n; i++)
			add(t, (uint32_t)i + 1, &letters[i]);
		expect(t, step, answer);
	}
}
#define THREADS(answer, ...)                                                                       \
	threads((struct letter[]){ __VA_ARGS__ },                                                  \
		sizeof((struct letter[]){ __VA_ARGS__ }) / sizeof(struct letter), answer)

/* RFC 5256 3, step by step */
static void references(void **state)
{
	(void)state;
	/* the shape of 7.2.THREAD's first example */
	THREADS("(1)(2 3 (4 5)(6 7 8))", { "01", "<1@x>" }, { "02", "<2@x>" },
		{ "03", "<3@x>", "<2@x>" }, { "04", "<4@x>", "<2@x> <3@x>" },
		{ "05", "<5@x>", "<2@x> <3@x> <4@x>" }, { "06", "<6@x>", "<2@x> <3@x>" },
		{ "07", "<7@x>", "<6@x>" }, { "08", "<8@x>", NULL, "<7@x>" });
	/* and of its second: siblings of one that is not here */
	THREADS("((1)(2))", { "01", "<1@x>", "<0@x>" }, { "02", "<2@x>", "<0@x>" });
	/* (3): dummies between go, and one above an only child */
	THREADS("(1 2)", { "02", "<1@x>", "<0@x>" }, { "01", "<2@x>", "<0@x> <1@x> <9@x> <8@x>" });
	/* quoting is no difference */
	THREADS("(1 2)", { "01", "<\"a\"@x>" }, { "02", "<b@x>", "<a@x>" });
	/* References without an id: the first of In-Reply-To */
	THREADS("(1 3)(2)", { "01", "<a@x>" }, { "01", "<b@x>" },
		{ "02", "<c@x>", "none at all", "<a@x> <b@x>" });
	/* (1)(A): the second with an id has one of its own; nobody is below it */
	THREADS("(1 3)(2)", { "01", "<a@x>" }, { "02", "<a@x>" }, { "03", "<c@x>", "<a@x>" });
	/* (1)(B): its own word on its parent counts, or on having none */
	THREADS("(1 2 3 4)", { "01", "<a@x>" }, { "02", "<b@x>", "<a@x>" },
		{ "03", "<d@x>", "<b@x> <c@x>" }, { "04", "<e@x>", "<d@x>" });
	THREADS("(1 2 3)", { "01", "<a@x>" }, { "02", "<b@x>" }, { "03", "<c@x>", "<a@x> <b@x>" });
	/* (4), (6): by sent date, then by number; without a date by the internal one */
	THREADS("(2)(1)(3)", { "03", "<a@x>" }, { "02", "<b@x>" }, { "03", "<c@x>" });
	THREADS("(1 (3)(2))", { "01", "<a@x>" }, { "05", "<b@x>", "<a@x>" },
		{ "04", "<c@x>", "<a@x>" });
	THREADS("(2)(1)", { "01" }, { NULL });
	/* case of ids counts */
	THREADS("(1)(2)", { "01", "<a@x>" }, { "02", "<b@x>", "<A@x>" });
}

/* (5) */
static void subjects(void **state)
{
	(void)state;
	/* a reply goes below */
	THREADS("(1 2)", { "01", NULL, NULL, NULL, "x" }, { "02", NULL, NULL, NULL, "Re: X" });
	/* also when it came first: the one that is no reply is the thread */
	THREADS("(2 1)", { "01", NULL, NULL, NULL, "Re: x" }, { "02", NULL, NULL, NULL, "x" });
	/* two that are no replies, and two that are, are siblings */
	THREADS("((1)(2))", { "01", NULL, NULL, NULL, "x" }, { "02", NULL, NULL, NULL, "x" });
	THREADS("((1)(2)(3))", { "01", NULL, NULL, NULL, "Re: x" },
		{ "02", NULL, NULL, NULL, "Fwd: x" }, { "03", NULL, NULL, NULL, "re: x" });
	/* two without their parents become one */
	THREADS("((1)(2)(3)(4))", { "01", "<1@x>", "<a@x>", NULL, "x" },
		{ "02", "<2@x>", "<a@x>", NULL, "x" }, { "03", "<3@x>", "<b@x>", NULL, "x" },
		{ "04", "<4@x>", "<b@x>", NULL, "x" });
	/* one without its parent takes others in */
	THREADS("((1)(2)(3))", { "01", "<1@x>", "<a@x>", NULL, "x" },
		{ "02", "<2@x>", "<a@x>", NULL, "x" }, { "03", NULL, NULL, NULL, "x" });
	/* no subject is none */
	THREADS("(1)(2)", { "01", NULL, NULL, NULL, "Re:" }, { "02", NULL, NULL, NULL, "" });
}

/* I22: self-references, circles, the same id everywhere */
static void i22_circles(void **state)
{
	(void)state;
	THREADS("(1)", { "01", "<a@x>", "<a@x>" });
	THREADS("(1)", { "01", "<a@x>", "<a@x> <a@x> <a@x>" });
	THREADS("(2 1)", { "01", "<a@x>", "<b@x>" }, { "02", "<b@x>", "<a@x>" });
	THREADS("(3 1 2)", { "01", "<a@x>", "<c@x>" }, { "02", "<b@x>", "<a@x>" },
		{ "03", "<c@x>", "<b@x>" });
	THREADS("(1)(2)(3)", { "01", "<a@x>", "<a@x>" }, { "02", "<a@x>" }, { "03", "<a@x>" });
}

static void ordered_subject(void **state)
{
	(void)state;
	static const struct letter letters[] = { { "05", NULL, NULL, NULL, "b" },
		{ "04", NULL, NULL, NULL, "Re: B" }, { "03", NULL, NULL, NULL, "a" },
		{ "06", NULL, NULL, NULL, "b" }, { "07", NULL, NULL, NULL, "a" },
		{ "01", NULL, NULL, NULL, "c" } };
	for (size_t step = 1; step <= 1000; step += step < 5 ? 1 : 995) {
		struct threader *t = threader_new(
			THREAD_ORDEREDSUBJECT, key, LIMIT_IMAP_SORT_BYTES);
		for (uint32_t i = 0; i < ARRAY_LEN(letters); i++)
			add(t, i + 1, &letters[i]);
		expect(t, step, "(6)(3 5)(2 (1)(4))");
	}
	expect(threader_new(THREAD_ORDEREDSUBJECT, key, LIMIT_IMAP_SORT_BYTES), 1, "");
	expect(threader_new(THREAD_REFERENCES, key, LIMIT_IMAP_SORT_BYTES), 1, "");
}

enum shape { CHAIN, BACKWARDS, STAR, ONE_SUBJECT, SHAPES };

/* 10⁵ messages, as deep as they are many, or as wide: no recursion, and in time. */
static void i22_many(void **state)
{
	enum { MANY = 100000 };
	(void)state;
	for (enum shape shape = CHAIN; shape < SHAPES; shape++) {
		struct threader *t = threader_new(THREAD_REFERENCES, key, LIMIT_IMAP_SORT_BYTES);
		struct facts_reader reader;
		struct digest d = { .flags = 0 };
		struct message_facts m;
		struct buf out;
		clock_t begin = clock();
		facts_reader_init(&reader);
		buf_init(&out, 4 << 20);
		for (uint32_t i = 1; i <= MANY; i++) {
			char id[32], parent[32];
			snprintf(id, sizeof(id), "<%u@x>", i);
			snprintf(parent, sizeof(parent), "<%u@x>",
				shape == CHAIN       ? i - 1
				: shape == BACKWARDS ? i + 1
						     : 0);
			if (shape != ONE_SUBJECT) {
				d.envelope.value[DIGEST_MESSAGE_ID] = str_from(id);
				d.envelope.value[DIGEST_REFERENCES] = str_from(parent);
			} else {
				d.envelope.value[DIGEST_SUBJECT] = STR("Re: the same");
			}
			facts_read(&reader, &(struct api_entry){ .time = i }, &d, &m);
			assert_true(threader_add(t, i, &m));
		}
		while (!threader_step(t, 1000))
			;
		assert_true(threader_write(t, NULL, &out));
		assert_true(out.n > MANY && out.p[0] == '(' && out.p[out.n - 1] == ')');
		assert_true(
			clock() - begin < 20 * CLOCKS_PER_SEC); /* 0.1 s where nothing else runs */
		buf_done(&out);
		threader_free(&t);
		facts_reader_done(&reader);
	}
}

static void i22_memory_of_threads(void **state)
{
	(void)state;
	struct threader *t = threader_new(THREAD_REFERENCES, key, 10 * 192);
	struct message_facts none = { .reply = false }, m;
	size_t taken = 0;
	while (threader_add(t, (uint32_t)taken + 1, &none))
		taken++;
	assert_int_equal(taken, 10);
	threader_free(&t);
	t = threader_new(THREAD_REFERENCES, key, 10 * 192);
	struct digest d = { .flags = 0 };
	d.envelope.value[DIGEST_REFERENCES] = STR(
		"<1@x> <2@x> <3@x> <4@x> <5@x> <6@x> <7@x> <8@x> <9@x> <10@x>");
	struct facts_reader reader;
	facts_reader_init(&reader);
	facts_read(&reader, &(struct api_entry){ .uid = 1 }, &d, &m);
	assert_false(threader_add(t, 1, &m));
	facts_reader_done(&reader);
	threader_free(&t);
}

TEST_MAIN(test_case(any_number_in_any_steps), test_case(criteria_are_read), test_case(texts),
	test_case(i22_memory_of_a_sort), test_case(references), test_case(subjects),
	test_case(i22_circles), test_case(ordered_subject), test_case(i22_many),
	test_case(i22_memory_of_threads))
