// SPDX-License-Identifier: Apache-2.0
/* APPEND of several messages (RFC 3502), with UTF-8 headers (RFC 6855 4), and REPLACE (RFC 8508):
 * the examples of the RFCs, and what is refused. */
#include "imap/append.h"
#include "imap/dialogue.h"

/* RFC 3502 6.3.11: the first example */
static void test_multiappend(void **state)
{
	(void)state;
	dialogue(LOGIN EMPTY_INBOX
		"C: A003 APPEND INBOX (\\Seen) {329}\n"
		"S: + Ready for the message\n"
		"C: Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)\n"
		"C: From: Fred Foobar <foobar@Blurdybloop.example.COM>\n"
		"C: Subject: afternoon meeting\n"
		"C: To: mooch@owatagu.example.net\n"
		"C: Message-Id: <B27397-0100000@Blurdybloop.example.COM>\n"
		"C: MIME-Version: 1.0\n"
		"C: Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\n"
		"C: \n"
		"C: Hello Joe, do you think we can meet at 3:30 tomorrow?\n"
		"C:  (\\Seen) \" 7-Feb-1994 22:43:04 -0800\" {295}\n"
		"S: + Ready for the message\n"
		"C: Date: Mon, 7 Feb 1994 22:43:04 -0800 (PST)\n"
		"C: From: Joe Mooch <mooch@OWaTaGu.example.net>\n"
		"C: Subject: Re: afternoon meeting\n"
		"C: To: foobar@blurdybloop.example.com\n"
		"C: Message-Id: <a0434793874930@OWaTaGu.example.net>\n"
		"C: MIME-Version: 1.0\n"
		"C: Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\n"
		"C: \n"
		"C: 3:30 is fine with me.\n"
		"C: \n"
		"S: * 2 EXISTS\n"
		"S: A003 OK [APPENDUID 1001 1:2] APPEND completed\n"
		"C: A FETCH 1:2 (FLAGS RFC822.SIZE INTERNALDATE)\n"
		"S: * 1 FETCH (FLAGS (\\Seen) RFC822.SIZE 329 ~)\n"
		"S: * 2 FETCH (FLAGS (\\Seen) RFC822.SIZE 295 INTERNALDATE \"08-Feb-1994 06:43:04 "
		"+0000\")\n"
		"S: A OK ~\n"
		"C: A004 APPEND bogusname (\\Flagged) {1023}\n"
		"S: A004 NO [TRYCREATE] ~\n");
}

/* The internal date is the one that was given, also where 1970 begins, and before. */
static void test_date(void **state)
{
	(void)state;
	dialogue(LOGIN EMPTY_INBOX "C: a APPEND INBOX \" 1-Jan-1970 01:00:00 +0100\" {1+}\n"
				   "C: x \"31-Dec-1969 23:59:59 +0000\" {1+}\n"
				   "C: x \"01-Jan-1970 00:00:01 +0000\" {1+}\n"
				   "C: x\n"
				   "S: * 3 EXISTS\n"
				   "S: a OK ~\n"
				   "C: b FETCH 1:3 INTERNALDATE\n"
				   "S: * 1 FETCH (INTERNALDATE \"01-Jan-1970 00:00:00 +0000\")\n"
				   "S: * 2 FETCH (INTERNALDATE \"31-Dec-1969 23:59:59 +0000\")\n"
				   "S: * 3 FETCH (INTERNALDATE \"01-Jan-1970 00:00:01 +0000\")\n"
				   "S: b OK ~\n"
				   "C: c SEARCH BEFORE 1-Jan-1970\n"
				   "S: * SEARCH 2\n"
				   "S: c OK ~\n");
}

/* Sent ahead, with keywords and in several places; each its own bytes */
static void test_pipelined(void **state)
{
	(void)state;
	dialogue(LOGIN EMPTY_INBOX "X: stingy\n"
				   "C: a APPEND INBOX (one) {4+}\n"
				   "C: abcd (two) {3+}\n"
				   "C: efg ~{2+}\n"
				   "C: hi\n"
				   "S: * FLAGS (~one two~)\n"
				   "S: * 3 EXISTS\n"
				   "S: a OK [APPENDUID 1001 1:3] ~\n"
				   "C: b FETCH 1:3 (FLAGS BODY.PEEK[])\n"
				   "S: * 1 FETCH (FLAGS (one) BODY[] {4}\n"
				   "S: abcd)\n"
				   "S: * 2 FETCH (FLAGS (two) BODY[] {3}\n"
				   "S: efg)\n"
				   "S: * 3 FETCH (FLAGS () BODY[] {2}\n"
				   "S: hi)\n"
				   "S: b OK ~\n");
}

/* All or none: RFC 3502 6.3.11 */
static void test_cancelled(void **state)
{
	(void)state;
	dialogue(LOGIN EMPTY_INBOX "C: a APPEND INBOX {4}\n"
				   "S: + Ready ~\n"
				   "C: abcd {0}\n" /* cancelled */
				   "S: a NO An empty message cancels APPEND\n"
				   "C: b APPEND INBOX {4}\n"
				   "S: + Ready ~\n"
				   "C: abcd {60000000}\n"
				   "S: b NO [TOOBIG] ~\n"
				   "C: c APPEND INBOX {4}\n"
				   "S: + Ready ~\n"
				   "C: abcd (oops {4}\n"
				   "S: c BAD ~\n"
				   "C: d APPEND INBOX {4+}\n"
				   "C: abcd (oops {4+}\n"
				   "C: efgh\n"
				   "S: d BAD ~\n"
				   "C: e APPEND INBOX {4+}\n"
				   "C: abcd oops\n"
				   "S: e BAD ~\n"
				   "C: f APPEND INBOX {4+}\n"
				   "C: abcd {2+}\n"
				   "C: ef)\n"
				   "S: f BAD ~\n"
				   "C: g NOOP\n"
				   "S: g OK ~\n");
}

/* What comes anyway goes to the store without a question; there the name counts as well. */
static void test_unasked(void **state)
{
	(void)state;
	dialogue(LOGIN EMPTY_INBOX "C: a APPEND nowhere {4+}\n"
				   "C: abcd\n"
				   "S: a NO [TRYCREATE] No such mailbox\n"
				   "C: b CREATE nowhere\n"
				   "S: b OK ~\n"
				   "C: c APPEND nowhere {4+}\n"
				   "C: abcd\n"
				   "S: c OK [APPENDUID ~ 1] ~\n"
				   "C: d APPEND inbox {4+}\n"
				   "C: abcd\n"
				   "S: * 1 EXISTS\n"
				   "S: d OK [APPENDUID 1001 1] ~\n"
				   "C: e DELETE nowhere\n"
				   "S: e OK ~\n"
				   "C: f APPEND nowhere {4+}\n"
				   "C: abcd\n"
				   "S: f NO [TRYCREATE] No such mailbox\n"
				   "C: g APPEND nowhere {4}\n"
				   "S: g NO [TRYCREATE] No such mailbox\n");
}

/* Up to so much: more is asked for first, and what is refused is not sent to the store. */
static void test_unasked_size(void **state)
{
	struct fake f;

	(void)state;
	for (int over = -1; over <= 1; over++) {
		char line[64];

		fake_init(&f);
		fake_connect(&f, "imaps", true);
		dialogue_part(&f, LOGIN);
		snprintf(
			line, sizeof line, "a APPEND nowhere {%d+}\r\n", APPEND_UNASKED_MAX + over);
		buf_addz(&f.clients[0].unread, line);
		assert_true(fake_input(&f.clients[0]));
		/* the store's answer, or no question */
		assert_int_equal(f.answers.n, over > 0);
		fake_done(&f);
	}
}

/* Bytes that the channel has room for go to it as they are; others wait in a copy. */
static void test_no_copy(void **state)
{
	struct fake f;

	(void)state;
	for (int stingy = 0; stingy < 2; stingy++) {
		const struct append_work *w;

		fake_init(&f);
		fake_connect(&f, "imaps", true);
		dialogue_part(&f, LOGIN);
		f.stingy = stingy;
		buf_addz(&f.clients[0].unread, "a APPEND INBOX {4+}\r\nab");
		assert_true(fake_input(&f.clients[0]));
		buf_addz(&f.clients[0].unread, "c");
		while (f.clients[0].unread.n > 0 && fake_input(&f.clients[0]))
			;
		w = CONTAINER_OF(f.clients[0].session, struct imap, session)->cmd.work;
		assert_int_equal(w->piece.cap > 0, stingy);
		fake_done(&f);
	}
}

/* What names a message in logs: drawn once, then counted. */
static void test_ids(void **state)
{
	const struct imap *s;
	uint64_t first;
	struct fake f;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_part(&f, LOGIN);
	dialogue_with(&f, "C: a APPEND INBOX {4+}\n"
			  "C: abcd\n"
			  "S: a OK ~\n");
	s = CONTAINER_OF(f.clients[0].session, struct imap, session);
	first = s->append_id;
	assert_true(first != 0);
	dialogue_with(&f, "C: b APPEND INBOX {4+}\n"
			  "C: abcd\n"
			  "S: b OK ~\n");
	assert_int_equal(s->append_id, first + 1);
	fake_done(&f);
}

/* One more than may come at once */
static void test_too_many(void **state)
{
	struct buf in;
	struct fake f;

	(void)state;
	buf_init(&in, 65536);
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_part(&f, LOGIN);
	buf_addz(&in, "a APPEND INBOX {1+}\r\nx");
	for (int i = 0; i < LIMIT_UPLOAD_MESSAGES; i++)
		buf_addz(&in, " {1+}\r\nx");
	buf_addz(&in, "\r\n");
	fake_send(&f, 0, buf_str(&in));
	dialogue_with(&f, "S: a NO [LIMIT] At most 100 messages at once\n");
	buf_done(&in);
	fake_done(&f);
}

/* RFC 6855 4 */
static void test_utf8(void **state)
{
	(void)state;
	dialogue(LOGIN EMPTY_INBOX "C: a APPEND INBOX UTF8 (~{4+}\n"
				   "C: a: b)\n"
				   "S: a NO [CANNOT] ~\n"
				   "C: b ENABLE UTF8=ACCEPT\n"
				   "S: * ENABLED UTF8=ACCEPT\n"
				   "S: b OK ~\n"
				   "C: c APPEND INBOX (\\Seen) UTF8 (~{13}\n"
				   "S: + Ready ~\n"
				   "C: Subject: \xc3\xa4\n"
				   "C: ) UTF8 (~{4+}\n"
				   "C: a: b)\n"
				   "S: * 2 EXISTS\n"
				   "S: c OK [APPENDUID 1001 1:2] ~\n"
				   "C: d FETCH 1 (ENVELOPE)\n"
				   "S: * 1 FETCH (ENVELOPE (NIL \"\xc3\xa4\" NIL ~\n"
				   "S: d OK ~\n"
				   "C: e CREATE \"\xc3\xa4\"\n"
				   "S: e OK ~\n"
				   "C: f LIST \"\" \"\xc3\xa4\"\n"
				   "S: * LIST (~) \"/\" \"\xc3\xa4\"\n"
				   "S: f OK ~\n"
				   "C: g APPEND INBOX UTF8 (~{4+}\n"
				   "C: a: b\n"
				   "S: g BAD ~\n"
				   "C: s SELECT Sent\n"
				   "S: * OK [CLOSED] ~\n" OPENS(":", "0",
					   "") "S: s OK ~\n"
					       "C: t SEARCH CHARSET UTF-8 ALL\n" /* RFC 6855 3 */
					       "S: t BAD ~\n"
					       "C: h APPEND INBOX UTF8 ({4+}\n"
					       "C: a: b)\n"
					       "S: h BAD ~\n");
}

/* RFC 6855 4: header fields in UTF-8, of who has not said that he takes them */
static void test_utf8_header(void **state)
{
	(void)state;
	dialogue(LOGIN EMPTY_INBOX
		"C: a APPEND INBOX {10}\n"
		"S: + Ready ~\n"
		"C: a: \xc3\xa4\n"
		"C: \n"
		"C: x\n"
		"S: a NO [CANNOT] Header fields in UTF-8 need ENABLE UTF8=ACCEPT\n"
		"C: b APPEND INBOX {4+}\n" /* of several none */
		"C: a: b {5+}\n"
		"C: a: \xc3\xa4 {4+}\n"
		"C: c: d\n"
		"S: b NO [CANNOT] ~\n"
		"C: c APPEND INBOX CATENATE (TEXT {4+}\n"
		"C: a: \xc3 TEXT {1+}\n"
		"C: \xa4)\n"
		"S: c NO [CANNOT] ~\n"
		/* a body may hold anything, and a field what is no UTF-8 */
		"C: d APPEND INBOX {12+}\n"
		"C: a: b\n"
		"C: \n"
		"C: \xc3\xa4\n"
		"C:  {4+}\n"
		"C: a: \xe4\n"
		"S: * 2 EXISTS\n"
		"S: d OK ~\n"
		"C: e REPLACE 1 INBOX {5+}\n"
		"C: a: \xc3\xa4\n"
		"S: e NO [CANNOT] ~\n"
		"C: f ENABLE UTF8=ACCEPT\n"
		"S: * ENABLED UTF8=ACCEPT\n"
		"S: f OK ~\n"
		"C: g APPEND INBOX {5+}\n"
		"C: a: \xc3\xa4\n"
		"S: * 3 EXISTS\n"
		"S: g OK ~\n");
	dialogue(LOGIN EMPTY_INBOX "C: a ENABLE IMAP4rev2\n" /* RFC 9051 6.3.12 */
				   "S: * ENABLED IMAP4rev2\n"
				   "S: a OK ~\n"
				   "C: b APPEND INBOX {5+}\n"
				   "C: a: \xc3\xa4\n"
				   "S: * 1 EXISTS\n"
				   "S: b OK ~\n");
}

/* Where UTF8=ACCEPT is not announced RFC 3501 6.3.11 alone holds. */
static void test_utf8_hidden(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f);
	f.settings.imap_hide = "UTF8=ACCEPT";
	fake_connect(&f, "imaps", true);
	dialogue_with(&f, LOGIN "C: a APPEND INBOX {5+}\n"
				"C: a: \xc3\xa4\n"
				"S: a OK ~\n");
	fake_done(&f);
}

/* RFC 8508 3.2, 3.3 */
static void test_replace(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 MAIL1 MAIL1 MAIL1 INBOX(
		"4") "C: A003 REPLACE 4 INBOX (\\Seen \\Draft) {8}\n"
		     "S: + Ready for the message\n"
		     "C: a: b\n"
		     "C: \n"
		     "C: \n"
		     "S: * OK [APPENDUID 1001 5] Replacement message ready\n"
		     "S: * 4 EXPUNGE\n"
		     "S: * 4 EXISTS\n"
		     "S: A003 OK REPLACE completed\n"
		     "C: A004 UID REPLACE 5 Sent {8+}\n"
		     "C: a: c\n"
		     "C: \n"
		     "C: \n"
		     "S: * OK [APPENDUID 1002 1] Replacement message ready\n"
		     "S: * 4 EXPUNGE\n"
		     "S: A004 OK REPLACE completed\n"
		     "C: a REPLACE * INBOX {2+}\n"
		     "C: xy\n"
		     "S: * OK [APPENDUID 1001 6] ~\n"
		     "S: * 3 EXPUNGE\n"
		     "S: * 3 EXISTS\n"
		     "S: a OK REPLACE completed\n"
		     /* QRESYNC: RFC 8508 4.5 */
		     "C: q ENABLE QRESYNC\n"
		     "S: * ENABLED QRESYNC\n"
		     "S: * OK [HIGHESTMODSEQ ~\n"
		     "S: q OK ~\n"
		     "C: b UID REPLACE 6 INBOX {2+}\n"
		     "C: xy\n"
		     "S: * OK [APPENDUID 1001 7] ~\n"
		     "S: * VANISHED 6\n"
		     "S: * 3 EXISTS\n"
		     "S: b OK [HIGHESTMODSEQ ~] REPLACE completed\n");
}

static void test_replace_refused(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 "C: a REPLACE 1 INBOX {2+}\n" /* RFC 8508 3.5: in the selected state */
			     "C: xy\n"
			     "S: a BAD ~\n" INBOX("1") "C: b REPLACE 2 INBOX {2}\n"
						       "S: b BAD ~\n"
						       "C: c UID REPLACE 2 INBOX {2}\n"
						       "S: c NO [NONEXISTENT] ~\n"
						       "C: d UID REPLACE 1 nowhere {2}\n"
						       "S: d NO [TRYCREATE] ~\n"
						       "C: e REPLACE 1 INBOX {2+}\n"
						       "C: xy {2+}\n" /* 4.7 */
						       "C: zz\n"
						       "S: e BAD ~\n"
						       "C: f REPLACE 1 INBOX\n"
						       "S: f BAD ~\n"
						       "C: g REPLACE 1:2 INBOX {2+}\n"
						       "C: xy\n"
						       "S: g BAD ~\n"
						       "C: h NOOP\n"
						       "S: h OK ~\n");
	dialogue(LOGIN MAIL1
		"C: a EXAMINE INBOX\n" OPENS_UNSEEN(":", "1") "S: a OK [READ-ONLY] ~\n"
							      "C: b REPLACE 1 INBOX {2}\n"
							      "S: b NO [READ-ONLY] ~\n");
}

/* tag = 1*<any ASTRING-CHAR except "+">, of 64 bytes at most, whatever the literal's kind: BAD
 * without a tag, and nothing is appended */
static void test_tags(void **state)
{
	static const char *const tags[] = { "+", "a+", "(", "a%", "*",
		"ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tags); i++)
		for (int nonsync = 0; nonsync <= 1; nonsync++) {
			struct fake f;
			char text[300];

			fake_init(&f);
			fake_connect(&f, "imaps", true);
			dialogue_part(&f, LOGIN EMPTY_INBOX);
			snprintf(text, sizeof text, "C: %s APPEND INBOX {3%s}\n%sS: * BAD ~\n",
				tags[i], nonsync ? "+" : "", nonsync ? "C: abc\n" : "");
			dialogue_part(&f, text);
			snprintf(text, sizeof text, "C: %s APPEND {5+}\nC: INBOX {3}\n", tags[i]);
			dialogue_part(&f, text);
			buf_clear(&f.clients[0].received); /* the literal is asked for, or not */
			dialogue_part(&f, "C: abc\n"
					  "S: * BAD ~\n");
			dialogue_with(&f, "C: n NOOP\n"
					  "S: n OK ~\n");
			assert_int_equal(f.boxes[0].entries.n, 0);
			fake_done(&f);
		}
}

TEST_MAIN(test_case(test_unasked), test_case(test_unasked_size), test_case(test_tags),
	test_case(test_multiappend), test_case(test_date), test_case(test_pipelined),
	test_case(test_cancelled), test_case(test_no_copy), test_case(test_ids),
	test_case(test_too_many), test_case(test_utf8), test_case(test_utf8_header),
	test_case(test_utf8_hidden), test_case(test_replace), test_case(test_replace_refused))
