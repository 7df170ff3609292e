// SPDX-License-Identifier: Apache-2.0
/* SORT and THREAD as dialogues: RFC 5256, RFC 5957, RFC 5267 3; and PARTIAL, RFC 9394. */
#include "imap/dialogue.h"
#include "imap/reads.h"

#define M(date, from, to, subject, more)                                                           \
	"D: Date: " date "\\nFrom: " from "\\nTo: " to "\\nSubject: " subject "\\n" more           \
	"\\n\\nx\\n\n"
#define FIVE                                                                                       \
	M("Wed, 1 Feb 2023 10:00:00 +0100", "Zoe <b@x>", "Zed <a@x>", "beta", "Cc: c@x")           \
	M("Wed, 1 Feb 2023 09:30:00 +0000", "=?utf-8?q?=C3=84nne?= <a@x>", "b@y", "Re: Alpha", "") \
	M("Tue, 31 Jan 2023 10:00:00 +0000", "c@x", "bob: b@x;", "[list] ALPHA (fwd)", "Cc: a@x")  \
	M("nonsense", "<d@x>", "b@x", "alpha", "Cc: B@x")                                          \
	"D: Subject: \\n\\nlonger than the others, which have one letter; this one has more of "   \
	"them"                                                                                     \
	" even than all their header fields together, so that it is the largest of the five; and " \
	"so"                                                                                       \
	" it goes on a little longer\\n\n"

/* RFC 5256 3, with messages of our own in the place of theirs */
static void test_sort(void **state)
{
	(void)state;
	dialogue(LOGIN FIVE INBOX("5") "C: A282 SORT (SUBJECT) UTF-8 SINCE 1-Feb-1994\n"
				       "S: * SORT 5 2 3 4 1\n"
				       "S: A282 OK SORT completed\n"
				       "C: A283 SORT (SUBJECT REVERSE DATE) UTF-8 ALL\n"
				       "S: * SORT 5 4 2 3 1\n"
				       "S: A283 OK SORT completed\n"
				       "C: A284 SORT (SUBJECT) US-ASCII TEXT \"not in mailbox\"\n"
				       "S: * SORT\n"
				       "S: A284 OK SORT completed\n"
				       "C: b SORT (DATE) UTF-8 ALL\n"
				       "S: * SORT 3 1 2 4 5\n" /* 09:00 and 09:30 UTC */
				       "S: b OK ~\n"
				       "C: c UID SORT (REVERSE FROM ARRIVAL) \"utf-8\" 1:4\n"
				       "S: * SORT 4 3 1 2\n"
				       "S: c OK ~\n"
				       "C: d SORT (CC) UTF-8 ALL\n"
				       "S: * SORT 2 5 3 4 1\n"
				       "S: d OK ~\n"
				       "C: e SORT (TO) UTF-8 ALL\n"
				       "S: * SORT 5 1 2 4 3\n" /* a group's name counts */
				       "S: e OK ~\n"
				       "C: f SORT (REVERSE SIZE REVERSE SIZE) UTF-8 1,5\n"
				       "S: * SORT 5 1\n"
				       "S: f OK ~\n"
				       "C: g SORT (REVERSE ARRIVAL) UTF-8 ALL\n"
				       "S: * SORT 1 2 3 4 5\n" /* the same second */
				       "S: g OK ~\n"
				       "C: h SORT (DISPLAYFROM) UTF-8 1:4\n" /* Änne before c@x */
				       "S: * SORT 2 3 4 1\n"
				       "S: h OK ~\n"
				       "C: i SORT (DISPLAYTO) UTF-8 ALL\n"
				       "S: * SORT 5 4 2 3 1\n"
				       "S: i OK ~\n"
				       "C: j SORT (SUBJECT) UTF-8 MODSEQ 1 1:2\n"
				       "S: * OK [HIGHESTMODSEQ ~\n"
				       "S: * SORT 2 1 (MODSEQ 12)\n"
				       "S: j OK ~\n");
}

/* What was in order once is so again, whatever came and went. */
static void test_sort_again(void **state)
{
	(void)state;
	dialogue(LOGIN FIVE INBOX("5") "C: a SORT (REVERSE SUBJECT) UTF-8 ALL\n"
				       "S: * SORT 1 2 3 4 5\n"
				       "S: a OK ~\n"
				       "C: b SORT (SUBJECT) UTF-8 ALL\n"
				       "S: * SORT 5 2 3 4 1\n"
				       "S: b OK ~\n"
				       "C: c SORT (DATE) UTF-8 ALL\n"
				       "S: * SORT 3 1 2 4 5\n"
				       "S: c OK ~\n"
				       "C: d SORT (SUBJECT REVERSE DATE) UTF-8 ALL\n"
				       "S: * SORT 5 4 2 3 1\n"
				       "S: d OK ~\n"
				       "C: e SORT (REVERSE SUBJECT SIZE) UTF-8 2,4:5,1\n"
				       "S: * SORT 1 4 2 5\n"
				       "S: e OK ~\n" M("nonsense", "<d@x>", "b@x", "aaa",
					       "") "C: f NOOP\n"
						   "S: * 6 EXISTS\n"
						   "S: f OK ~\n"
						   "C: g SORT (SUBJECT) UTF-8 ALL\n"
						   "S: * SORT 5 6 2 3 4 1\n"
						   "S: g OK ~\n"
						   "C: h STORE 2 +FLAGS.SILENT (\\Deleted)\n"
						   "S: h OK ~\n"
						   "C: i EXPUNGE\n"
						   "S: * 2 EXPUNGE\n"
						   "S: i OK ~\n"
						   "C: j SORT (SUBJECT) UTF-8 ALL\n"
						   "S: * SORT 4 5 2 3 1\n"
						   "S: j OK ~\n");
}

static void test_refusals(void **state)
{
	(void)state;
	dialogue(LOGIN EMPTY_INBOX "C: a SORT (SUBJECT) UTF-8 ALL\n"
				   "S: * SORT\n"
				   "S: a OK ~\n"
				   "C: b SORT () UTF-8 ALL\n"
				   "S: b BAD ~\n"
				   "C: c SORT (SUBJECT REVERSE) UTF-8 ALL\n"
				   "S: c BAD ~\n"
				   "C: d SORT (COLOUR) UTF-8 ALL\n"
				   "S: d BAD ~\n"
				   "C: e SORT (SUBJECT) UTF-8\n"
				   "S: e BAD ~\n"
				   "C: f SORT (SUBJECT) KLINGON ALL\n"
				   "S: f NO [BADCHARSET (us-ascii utf-8 ~)] ~\n"
				   "C: g SORT SUBJECT UTF-8 ALL\n"
				   "S: g BAD ~\n"
				   "C: h THREAD REFERENCES UTF-8 ALL\n"
				   "S: * THREAD\n"
				   "S: h OK ~\n"
				   "C: i THREAD REFS UTF-8 ALL\n"
				   "S: i BAD ~\n"
				   "C: j THREAD ORDEREDSUBJECT KLINGON ALL\n"
				   "S: j NO [BADCHARSET (~)] ~\n"
				   "C: k THREAD REFERENCES UTF-8\n"
				   "S: k BAD ~\n"
				   "C: l SORT RETURN (PARTIAL 1:2) (DATE) UTF-8 ALL\n"
				   "S: l BAD ~\n"
				   "C: m UNSELECT\n"
				   "S: m OK ~\n"
				   "C: n SORT (DATE) UTF-8 ALL\n"
				   "S: n BAD ~\n"
				   "C: o UID THREAD REFERENCES UTF-8 ALL\n"
				   "S: o BAD ~\n");
}

/* RFC 5267 3.3 and RFC 4731 3 */
static void test_esort(void **state)
{
	(void)state;
	dialogue(LOGIN FIVE INBOX(
		"5") "C: E01 UID SORT RETURN () (REVERSE DATE) UTF-8 UNDELETED UNKEYWORD $Junk\n"
		     "S: * ESEARCH (TAG \"E01\") UID ALL 4:5,2,1,3\n"
		     "S: E01 OK SORT completed\n"
		     "C: b SORT RETURN (MIN MAX COUNT) (SUBJECT) UTF-8 ALL\n"
		     "S: * ESEARCH (TAG \"b\") MIN 5 MAX 1 COUNT 5\n"
		     "S: b OK ~\n"
		     "C: c SORT RETURN (ALL) (SUBJECT) UTF-8 FROM nobody\n"
		     "S: * ESEARCH (TAG \"c\")\n"
		     "S: c OK ~\n"
		     "C: d SORT RETURN (SAVE) (SUBJECT) UTF-8 2:3\n"
		     "S: d OK ~\n"
		     "C: e FETCH $ UID\n"
		     "S: * 2 FETCH (UID 2)\n"
		     "S: * 3 FETCH (UID 3)\n"
		     "S: e OK ~\n"
		     "C: f SORT RETURN (SAVE MIN MAX) (SUBJECT) UTF-8 ALL\n"
		     "S: * ESEARCH (TAG \"f\") MIN 5 MAX 1\n"
		     "S: f OK ~\n"
		     "C: g UID SEARCH $\n"
		     "S: * SEARCH 1 5\n"
		     "S: g OK ~\n"
		     "C: h SORT RETURN (SAVE) (SUBJECT) KLINGON ALL\n"
		     "S: h NO [BADCHARSET ~\n"
		     "C: i UID SEARCH $\n"
		     "S: * SEARCH\n"
		     "S: i OK ~\n"
		     "C: j ENABLE IMAP4rev2\n"
		     "S: * ENABLED IMAP4rev2\n"
		     "S: j OK ~\n"
		     "C: k SORT (SUBJECT) UTF-8 1:2\n"
		     "S: * SORT 2 1\n"
		     "S: k OK ~\n");
}

#define REPLY(id, refs, subject)                                                                   \
	"D: Date: Wed, 1 Feb 2023 10:00:00 +0000\\nMessage-ID: <" id "@x>\\nReferences: " refs     \
	"\\nSubject: " subject "\\n\\nx\\n\n"

static void test_thread(void **state)
{
	(void)state;
	dialogue(LOGIN REPLY("1", "", "one") REPLY("2", "<1@x>", "Re: one") REPLY(
		"3", "<1@x> <2@x>", "Re: one") REPLY("4", "<1@x> <2@x>", "Re: one") REPLY("5", "",
		"five") INBOX("5") "C: a THREAD REFERENCES UTF-8 ALL\n"
				   "S: * THREAD (1 2 (3)(4))(5)\n"
				   "S: a OK THREAD completed\n"
				   "C: b THREAD ORDEREDSUBJECT UTF-8 ALL\n"
				   "S: * THREAD (1 (2)(3)(4))(5)\n"
				   "S: b OK THREAD completed\n"
				   "C: c STORE 1 +FLAGS.SILENT (\\Deleted)\n"
				   "S: c OK ~\n"
				   "C: d UID EXPUNGE 1\n"
				   "S: * 1 EXPUNGE\n"
				   "S: d OK ~\n"
				   "C: e UID THREAD REFERENCES UTF-8 ALL\n"
				   "S: * THREAD (2 (3)(4))(5)\n"
				   "S: e OK ~\n"
				   "C: f THREAD REFERENCES UTF-8 2:4\n"
				   "S: * THREAD ((2)(3))(4)\n"
				   "S: f OK ~\n"
				   "C: A284 THREAD ORDEREDSUBJECT US-ASCII TEXT \"gewp\"\n"
				   "S: * THREAD\n"
				   "S: A284 OK THREAD completed\n");
}

/* Whether a command is answered though other sessions have sorted so much; what it took is given
 * back in either case. */
static bool sorts_beside(struct fake *f, const char *command, uint64_t others)
{
	struct str heard;

	f->host.sort_bytes = others;
	buf_clear(&f->clients[0].received);
	fake_send(f, 0, str_from(command));
	heard = buf_str(&f->clients[0].received);
	assert_int_equal(f->host.sort_bytes, others);
	if (str_search(heard, STR("t OK ")) < heard.n)
		return true;
	assert_true(str_search(heard, STR("t NO [LIMIT] Too many messages")) < heard.n);
	return false;
}

/* With names and subjects of a thousand bytes. */
static void deliver_wordy(struct fake *f, int messages)
{
	char word[1000], text[2500];

	memset(word, 'w', sizeof word);
	for (int n = 0; n < messages; n++) {
		snprintf(text, sizeof text,
			"Message-ID: <%.*s@%d>\r\nSubject: %d %.*s\r\n\r\nx\r\n", (int)sizeof word,
			word, n, n, (int)sizeof word, word);
		fake_deliver(f, "INBOX", str_from(text));
	}
}

/* I22: what all sessions of a front have in memory to put in order is bounded, but for a share that
 * each may have. */
static void test_all_of_a_front(void **state)
{
	static const char *const commands[] = { "SORT (SUBJECT FROM)", "THREAD REFERENCES",
		"THREAD ORDEREDSUBJECT" };
	enum { MESSAGES = 1500 };
	struct fake f;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	deliver_wordy(&f, MESSAGES);
	dialogue_with(&f, LOGIN INBOX("1500"));
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		uint64_t too_little = LIMIT_IMAP_SORT_SHARE_BYTES, enough = 8 * 1024 * 1024;
		char all[64], few[64];

		snprintf(all, sizeof all, "t %s UTF-8 ALL\r\n", commands[i]);
		snprintf(few, sizeof few, "t %s UTF-8 1:300\r\n", commands[i]);
		assert_true(sorts_beside(&f, few, LIMIT_IMAP_SORTS_BYTES));
		assert_false(sorts_beside(&f, all, LIMIT_IMAP_SORTS_BYTES - too_little));
		assert_true(sorts_beside(&f, all, LIMIT_IMAP_SORTS_BYTES - enough));
		while (enough - too_little > 1) { /* the last byte counts */
			uint64_t room = (enough + too_little) / 2;
			bool sorted = sorts_beside(&f, all, LIMIT_IMAP_SORTS_BYTES - room);

			*(sorted ? &enough : &too_little) = room;
		}
		assert_in_range(enough, MESSAGES * 1000, MESSAGES * 3000);
	}
	fake_done(&f);
}

/* What is told meanwhile: no EXPUNGE after SORT and THREAD, but after their UID forms. RFC 5256 3
 */
static void test_expunge_waits(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 MAIL2 INBOX(
		"2") "C: z FETCH 1 UID\n"
		     "S: * 1 FETCH (UID 1)\n"
		     "S: z OK ~\n" LOGIN2 "C2: se SELECT INBOX\n" OPENS_UNSEEN(
			     "2:", "2") "S2: se OK ~\n"
					"C2: a STORE 1 +FLAGS.SILENT (\\Deleted)\n"
					"S2: a OK ~\n"
					"C2: b EXPUNGE\n"
					"S2: * 1 EXPUNGE\n"
					"S2: b OK ~\n"
					"C: a SORT (DATE) UTF-8 ALL\n"
					"S: * SORT 1 2\n"
					"S: a OK ~\n"
					"C: b SORT (DATE) UTF-8 ALL\n"
					"S: * SORT 2\n"
					"S: b OK ~\n"
					"C: c UID THREAD REFERENCES UTF-8 ALL\n"
					"S: * THREAD (2)\n"
					"S: * 1 EXPUNGE\n"
					"S: c OK ~\n");
}

/* A store that is away while messages are parsed, since they have no digest yet: the command fails,
 * and is not answered as if they had no subject. */
static void test_store_away(void **state)
{
	(void)state;
	dialogue(LOGIN FIVE "X: nodigests\n" INBOX("5") "X: noreads\n"
							"C: a SORT (SUBJECT) UTF-8 ALL\n"
							"S: a NO [UNAVAILABLE] ~\n"
							"C: b THREAD REFERENCES UTF-8 ALL\n"
							"S: b NO [UNAVAILABLE] ~\n"
							"X: reads\n"
							"C: c SORT (SUBJECT) UTF-8 ALL\n"
							"S: * SORT 5 2 3 4 1\n"
							"S: c OK ~\n");
}

/* Delivers so many, of which the later is the earlier in the order of subjects; all are small but
 * that of the number `large`. */
static void deliver_unsorted(struct fake *f, int n, int large)
{
	struct buf b;

	buf_init(&b, 1024 * 1024);
	for (int i = 1; i <= n; i++) {
		buf_clear(&b);
		buf_addf(&b, "Subject: %03d\r\n\r\n", 999 - i);
		for (int k = 0; k < (i == large ? 20000 : 3); k++)
			buf_addz(&b, "ten bytes\r\n");
		fake_deliver(f, "INBOX", buf_str(&b));
	}
	fake_run(f);
	buf_done(&b);
}

/* Messages without a digest are read while others are parsed, many by one question; one that is
 * damaged, and one that takes several pieces, is in its place. */
static void test_reads_ahead(void **state)
{
	enum { MESSAGES = 100, LARGE = 50 };
	static const int damaged[] = { 0, 1, 21, LARGE, MESSAGES };
	struct buf expected;

	(void)state;
	buf_init(&expected, 10000);
	for (size_t i = 0; i < ARRAY_LEN(damaged); i++) {
		struct fake f;

		fake_init(&f);
		fake_connect(&f, "imaps", true);
		f.no_digests = true;
		f.damaged = (uint32_t)damaged[i];
		deliver_unsorted(&f, MESSAGES, LARGE);
		fake_send(&f, 0, STR("a LOGIN alice secret\r\nb SELECT INBOX\r\n"));
		buf_clear(&f.clients[0].received);
		f.reads = 0;
		fake_send(&f, 0, STR("c SORT (SUBJECT) UTF-8 ALL\r\n"));
		buf_clear(&expected);
		buf_addz(&expected, "* SORT");
		if (damaged[i]) /* it has no subject */
			buf_addf(&expected, " %d", damaged[i]);
		for (int n = MESSAGES; n > 0; n--)
			if (n != damaged[i])
				buf_addf(&expected, " %d", n);
		buf_addz(&expected, "\r\nc OK SORT completed\r\n");
		assert_true(str_equal(buf_str(&f.clients[0].received), buf_str(&expected)));
		assert_in_range(f.most_waiting, READS_MAX / 2,
			damaged[i] ? 2 * READS_MAX : READS_MAX); /* what is asked again, too */
		/* each of a question by itself when one is damaged; once more behind the large one
		 */
		assert_in_range(f.reads, 100 / READS_AT_ONCE, READS_AT_ONCE + 30);
		assert_int_equal(f.puts, MESSAGES - (damaged[i] != 0));
		fake_done(&f);
	}
	buf_done(&expected);
}

/* RFC 9394 3.1, 3.2 */
static void test_partial_search(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 MAIL2 MAIL1 MAIL2 MAIL1 MAIL2 INBOX(
		"6") "C: A01 UID SEARCH RETURN (PARTIAL -1:-2) UNDELETED UNKEYWORD $Junk\n"
		     "S: * ESEARCH (TAG \"A01\") UID PARTIAL (-1:-2 5:6)\n"
		     "S: A01 OK SEARCH completed\n"
		     "C: A02 UID SEARCH RETURN (PARTIAL 5:9) ALL\n"
		     "S: * ESEARCH (TAG \"A02\") UID PARTIAL (5:9 5:6)\n"
		     "S: A02 OK ~\n"
		     "C: A03 SEARCH RETURN (PARTIAL 3:1 COUNT MIN MAX) 1:2,4,6\n"
		     "S: * ESEARCH (TAG \"A03\") MIN 1 MAX 6 COUNT 4 PARTIAL (3:1 1:2,4)\n"
		     "S: A03 OK ~\n"
		     "C: A04 UID SEARCH RETURN (PARTIAL 7:4294967295) ALL\n"
		     "S: * ESEARCH (TAG \"A04\") UID PARTIAL (7:4294967295 NIL)\n"
		     "S: A04 OK ~\n"
		     "C: A05 SEARCH RETURN (PARTIAL -7:-9) ALL\n"
		     "S: * ESEARCH (TAG \"A05\") PARTIAL (-7:-9 NIL)\n"
		     "S: A05 OK ~\n"
		     "C: A06 SEARCH RETURN (PARTIAL -2:-9 COUNT) FROM nobody\n"
		     "S: * ESEARCH (TAG \"A06\") COUNT 0 PARTIAL (-2:-9 NIL)\n"
		     "S: A06 OK ~\n"
		     "C: b SEARCH RETURN (PARTIAL 1:2 ALL) ALL\n"
		     "S: b BAD ~\n"
		     "C: c SEARCH RETURN (PARTIAL 1:2 PARTIAL 1:2) ALL\n"
		     "S: c BAD ~\n"
		     "C: d SEARCH RETURN (PARTIAL 1:*) ALL\n"
		     "S: d BAD ~\n"
		     "C: e SEARCH RETURN (PARTIAL -1:2) ALL\n"
		     "S: e BAD ~\n"
		     "C: f SEARCH RETURN (PARTIAL 0:2) ALL\n"
		     "S: f BAD ~\n"
		     "C: g SEARCH RETURN (SAVE PARTIAL 2:3) 1,3,5,6\n"
		     "S: * ESEARCH (TAG \"g\") PARTIAL (2:3 3,5)\n"
		     "S: g OK ~\n"
		     "C: h SEARCH $\n"
		     "S: * SEARCH 3 5\n"
		     "S: h OK ~\n"
		     "C: i SEARCH RETURN (SAVE PARTIAL 2:3 MIN MAX) 1,3,5,6\n"
		     "S: * ESEARCH (TAG \"i\") MIN 1 MAX 6 PARTIAL (2:3 3,5)\n"
		     "S: i OK ~\n"
		     "C: j SEARCH $\n"
		     "S: * SEARCH 1 3 5 6\n"
		     "S: j OK ~\n"
		     "C: k SEARCH RETURN (SAVE PARTIAL -1:-1 MIN) 2:5\n"
		     "S: * ESEARCH (TAG \"k\") MIN 2 PARTIAL (-1:-1 5)\n"
		     "S: k OK ~\n"
		     "C: l SEARCH $\n"
		     "S: * SEARCH 2 5\n"
		     "S: l OK ~\n"
		     "C: m SEARCH RETURN (SAVE PARTIAL 1:1 COUNT) 2:5\n"
		     "S: * ESEARCH (TAG \"m\") COUNT 4 PARTIAL (1:1 2)\n"
		     "S: m OK ~\n"
		     "C: n SEARCH $\n"
		     "S: * SEARCH 2 3 4 5\n"
		     "S: n OK ~\n");
}

/* A store that answers for a message nobody asked for is heard to its end. */
static void test_one_too_many(void **state)
{
	(void)state;
	dialogue(LOGIN FIVE INBOX("5") "X: onetoomany\n"
				       "C: a SORT (SUBJECT) UTF-8 ALL\n"
				       "S: * SORT 5 2 3 4 1\n"
				       "S: a OK ~\n");
}

/* RFC 9394 3.3, 3.4 */
static void test_partial_fetch(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 MAIL2 MAIL1 MAIL2 MAIL1 MAIL2 INBOX(
		"6") "C: a STORE 2 +FLAGS.SILENT (\\Deleted)\n"
		     "S: a OK ~\n"
		     "C: b EXPUNGE\n"
		     "S: * 2 EXPUNGE\n"
		     "S: b OK ~\n"
		     "C: 10 UID FETCH 1:5000 (UID FLAGS) (PARTIAL -1:-3)\n"
		     "S: * 3 FETCH (UID 4 FLAGS ())\n"
		     "S: * 4 FETCH (UID 5 FLAGS ())\n"
		     "S: * 5 FETCH (UID 6 FLAGS ())\n"
		     "S: 10 OK FETCH completed\n"
		     "C: 11 UID FETCH 1,3:* (UID FLAGS) (PARTIAL 1:2)\n"
		     "S: * 1 FETCH (UID 1 FLAGS ())\n"
		     "S: * 2 FETCH (UID 3 FLAGS ())\n"
		     "S: 11 OK FETCH completed\n"
		     "C: 12 UID FETCH 1:* (UID) (PARTIAL 6:9)\n"
		     "S: 12 OK FETCH completed\n"
		     "C: c STORE 1,5 +FLAGS.SILENT (\\Flagged)\n"
		     "S: c OK ~\n"
		     "C: 101 UID FETCH 1:* (UID FLAGS) (PARTIAL -1:-2 CHANGEDSINCE 17)\n"
		     "S: * OK [HIGHESTMODSEQ ~\n"
		     "S: * 5 FETCH (UID 6 FLAGS (\\Flagged) MODSEQ (~))\n"
		     "S: 101 OK FETCH completed\n"
		     "C: 102 UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE 17 PARTIAL -1:-2)\n"
		     "S: * 5 FETCH (UID 6 FLAGS (\\Flagged) MODSEQ (~))\n"
		     "S: 102 OK FETCH completed\n"
		     "C: d FETCH 1:* (UID) (PARTIAL 1:2)\n"
		     "S: d BAD ~\n"
		     "C: e UID FETCH 1:* (UID) (PARTIAL 1:2 PARTIAL 1:2)\n"
		     "S: e BAD ~\n"
		     "C: f UID FETCH 1:* (UID) (PARTIAL 1:-2)\n"
		     "S: f BAD ~\n"
		     "C: g UID FETCH 1:* (UID) ()\n"
		     "S: g BAD ~\n");
}

/* A message with fewer bytes than the view says is damaged: it is put in order like one that can't
 * be read, and the command ends. */
static void test_short_message(void **state)
{
	static const char *const commands[] = { "SORT (SUBJECT) UTF-8 ALL\nS: * SORT 2 1\n",
		"THREAD REFERENCES UTF-8 ALL\nS: * THREAD (1)(2)\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		struct fake f;
		char text[200];

		fake_init(&f);
		fake_connect(&f, "imaps", true);
		fake_deliver(&f, "INBOX", STR("Subject: one\r\n\r\nx\r\n"));
		fake_deliver(&f, "INBOX", STR("Subject: two\r\n\r\nx\r\n"));
		fake_entry(&f.boxes[0], 1)->e.size += 5;
		dialogue_part(&f, LOGIN INBOX("2"));
		snprintf(text, sizeof text, "C: a %sS: a OK ~\n", commands[i]);
		dialogue_with(&f, text);
		fake_done(&f);
	}
}

#define MESSAGES_OF_A_CUT 13000

/* Whose login ends while half of an answer is written hears no BYE within its line. */
static void test_cut(void **state)
{
	static const char *const commands[] = { "a SEARCH ALL\r\n",
		"a SORT (ARRIVAL) US-ASCII ALL\r\n", "a THREAD ORDEREDSUBJECT US-ASCII ALL\r\n" };
	const struct frame ended = { .type = FRAME_SESSION_ENDED };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		struct fake f;
		struct session *s;
		struct str out;
		size_t line;

		fake_init(&f);
		fake_connect(&f, "imaps", true);
		for (int n = 0; n < MESSAGES_OF_A_CUT; n++)
			fake_deliver(&f, "INBOX", STR("Subject: x\r\n\r\nx\r\n"));
		dialogue_with(&f, LOGIN INBOX("13000"));
		s = f.clients[0].session;
		/* nobody reads, until an answer has no room */
		while (s->class->input(s, str_from(commands[i])) > 0)
			while (fake_deliver_one(&f))
				;
		/* a result holds no keys while it waits to be read; threads do: they are written
		 * from their tree */
		assert_int_equal(f.host.sort_bytes > 0, i == 2);
		s->class->notice(s, &ended);
		assert_int_equal(s->next, NEXT_CLOSE);
		out = buf_str(&s->out);
		for (line = out.n; line > 0 && out.p[line - 1] != '\n'; line--)
			;
		out = str_from_offset(out, line);
		assert_true(str_starts(out, STR("* SEARCH 1 ")) ||
			    str_starts(out, STR("* SORT 1 ")) ||
			    str_starts(out, STR("* THREAD (")));
		assert_int_equal(str_search(out, STR("BYE")), out.n);
		s->class->free(&f.clients[0].session);
		assert_int_equal(f.host.sort_bytes, 0);
		fake_done(&f);
	}
}

TEST_MAIN(test_case(test_cut), test_case(test_all_of_a_front), test_case(test_short_message),
	test_case(test_partial_fetch), test_case(test_sort), test_case(test_sort_again),
	test_case(test_refusals), test_case(test_esort), test_case(test_thread),
	test_case(test_expunge_waits), test_case(test_one_too_many), test_case(test_store_away),
	test_case(test_reads_ahead), test_case(test_partial_search))
