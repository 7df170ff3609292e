// SPDX-License-Identifier: Apache-2.0
/* Messages: APPEND, FETCH, STORE, EXPUNGE, COPY, MOVE, SEARCH, with RFC 9051's examples. */
#include "imap/dialogue.h"

/* RFC 9051 6.3.12 */
static void test_append(void **state)
{
	(void)state;
	dialogue(LOGIN EMPTY_INBOX
		"C: A003 APPEND INBOX (\\Seen $Label) \" 1-Jan-1994 21:52:25 -0800\" {12}\n"
		"S: + Ready for the message\n"
		"C: A: b\n"
		"C: \n"
		"C: text\n"
		"S: * FLAGS (~$Label~)\n"
		"S: * 1 EXISTS\n"
		"S: A003 OK [APPENDUID 1001 1] APPEND completed\n"
		"C: b FETCH 1 (UID FLAGS INTERNALDATE RFC822.SIZE BODY[])\n"
		"S: * 1 FETCH (UID 1 FLAGS (\\Seen $Label) INTERNALDATE \"02-Jan-1994 05:52:25 "
		"+0000\" "
		"RFC822.SIZE 12 BODY[] {12}\n"
		"S: A: b\n"
		"S: \n"
		"S: text)\n"
		"S: b OK FETCH completed\n"
		"C: c APPEND Sent {2+}\n"
		"C: xy\n"
		"S: c OK [APPENDUID 1002 1] APPEND completed\n"
		"C: d APPEND nowhere {2}\n"
		"S: d NO [TRYCREATE] ~\n"
		"C: e APPEND nowhere {2+}\n"
		"C: xy\n"
		"S: e NO [TRYCREATE] ~\n"
		"C: f APPEND INBOX {60000000}\n"
		"S: f NO [TOOBIG] ~\n"
		"C: g APPEND INBOX \"32-Jan-1994 21:52:25 -0800\" {2}\n"
		"S: + OK\n"
		"C: xy\n"
		"S: g BAD ~\n"
		"C: h APPEND {5}\n"
		"S: + OK\n"
		"C: INBOX {3}\n"
		"S: + Ready for the message\n"
		"C: abc\n"
		"S: * 2 EXISTS\n"
		"S: h OK [APPENDUID 1001 2] ~\n"
		"C: j APPEND INBOX ~{0}\n" /* RFC 3502 6.3.11 */
		"S: j NO ~\n"
		"C: k NOOP\n"
		"S: k OK ~\n");
}

/* Keywords are kept whatever the length of the command, whose buffer grows behind the literal. */
static void test_append_keywords(void **state)
{
	(void)state;
	for (int pad = 1; pad < 130; pad++) {
		struct fake f;
		struct buf script;

		fake_init(&f);
		fake_connect(&f, "imaps", true);
		buf_init(&script, 4096);
		buf_addz(&script, LOGIN EMPTY_INBOX "C: a APPEND INBOX (keyword");
		for (int i = 0; i < pad; i++)
			buf_addc(&script, i % 40 == 39 ? ' ' : 'a' + i / 40);
		buf_addz(&script, "end) {2+}\nC: xy\nS: * FLAGS (~)\nS: * 1 EXISTS\nS: a OK ~\n"
				  "C: b FETCH 1 FLAGS\nS: * 1 FETCH (FLAGS (keyword");
		for (int i = 0; i < pad; i++)
			buf_addc(&script, i % 40 == 39 ? ' ' : 'a' + i / 40);
		buf_addz(&script, "end))\nS: b OK ~\n");
		buf_addc(&script, '\0');
		dialogue_with(&f, script.p);
		buf_done(&script);
		fake_done(&f);
	}
}

/* The bytes of a message come back as they went in, in any pieces; NUL by BINARY alone. */
static void test_append_bytes(void **state)
{
	static const char head[] = "X: y\r\n\r\n";

	(void)state;
	for (int stingy = 0; stingy < 2; stingy++) {
		struct fake f;
		struct buf in, expected;
		size_t size = 300000;

		fake_init(&f);
		fake_connect(&f, "imaps", true);
		dialogue_with(&f, LOGIN EMPTY_INBOX);
		f.stingy = stingy;
		buf_init(&in, 1024 * 1024);
		buf_init(&expected, 1024 * 1024);
		buf_addf(&in, "a APPEND INBOX ~{%zu+}\r\n", size);
		buf_addz(&expected, head);
		while (expected.n < size)
			buf_addc(&expected, (char)(expected.n * expected.n % 251));
		buf_adds(&in, buf_str(&expected));
		buf_addz(&in, "\r\nb FETCH 1 BINARY.PEEK[]\r\n");
		fake_send(&f, 0, buf_str(&in));
		dialogue_part(&f, "S: * 1 EXISTS\n"
				  "S: a OK [APPENDUID 1001 1] ~\n"
				  "S: * 1 FETCH (BINARY[] ~{300000}\n");
		assert_str(str_sub(buf_str(&f.clients[0].received), 0, size), buf_str(&expected));
		buf_consume(&f.clients[0].received, size);
		dialogue_with(&f, "S: )\n"
				  "S: b OK FETCH completed\n");
		buf_done(&in);
		buf_done(&expected);
		fake_done(&f);
	}
}

/* I18, T11: what does not come whole is not kept. */
static void test_append_cut(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_with(&f, LOGIN EMPTY_INBOX "C: a APPEND INBOX {10}\n"
					    "S: + Ready ~\n"
					    "C: abc\n");
	f.clients[0].session->class->eof(f.clients[0].session);
	fake_run(&f);
	assert_true(f.clients[0].closed);
	assert_int_equal(f.boxes[0].entries.n, 0);
	fake_done(&f);
}

/* Who closes his side has the answers to what he had said before, of all that it was. */
static void test_half_closed(void **state)
{
	struct fake f;
	struct session *session;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_part(&f, LOGIN MAIL1 INBOX("1"));
	session = f.clients[0].session;
	session->class->input(session, STR("a SEARCH ALL\r\n"));
	session->class->eof(session);
	fake_run(&f);
	dialogue_part(&f, "S: * SEARCH 1\n"
			  "S: a OK SEARCH completed\n"
			  "X: closed\n");
	fake_connect(&f, "imaps", true);
	dialogue_part(&f, LOGIN "C: a IDLE\n"
				"S: + idling\n");
	f.clients[0].session->class->eof(f.clients[0].session);
	fake_run(&f);
	dialogue_with(&f, "X: closed\n");
	fake_done(&f);
}

/* A search goes on for a while for who has closed his side, and is then cancelled: mostly he has
 * gone. */
static void test_search_of_who_is_gone(void **state)
{
	(void)state;
	for (int over = -1; over <= 1; over++) {
		struct fake f;
		struct session *session;

		fake_init(&f);
		fake_connect(&f, "imaps", true);
		dialogue_part(&f, LOGIN MAIL1 INBOX("1"));
		session = f.clients[0].session;
		session->class->input(session, STR("a SEARCH BODY zzz\r\n"));
		session->class->eof(session);
		f.clock.monotonic_ms += LIMIT_IMAP_GONE_MS + over;
		fake_run(&f);
		assert_int_equal(f.clients[0].received.n > 0, over < 0);
		if (over < 0)
			dialogue_part(&f, "S: * SEARCH\n"
					  "S: a OK ~\n");
		dialogue_with(&f, "X: closed\n");
		fake_done(&f);
	}
}

/* RFC 9051 7.1 PERMANENTFLAGS: when no keyword can be added any more, "\\*" goes. */
static void test_keywords_are_full(void **state)
{
	struct fake f;
	struct buf in;

	(void)state;
	buf_init(&in, 4096);
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_part(&f, LOGIN MAIL1 INBOX("1") "C: a STORE 1 +FLAGS.SILENT (x)\n"
						 "S: * FLAGS (~ x)\n"
						 "S: a OK ~\n");
	buf_addz(&in, "b STORE 1 +FLAGS.SILENT (");
	for (int i = 1; i < LIMIT_KEYWORDS; i++)
		buf_addf(&in, "%sk%d", i > 1 ? " " : "", i);
	buf_addz(&in, ")\r\n");
	fake_send(&f, 0, buf_str(&in));
	dialogue_with(&f, "S: * FLAGS (~ x k1 k2 ~ k127)\n"
			  "S: * OK [PERMANENTFLAGS (~ x k1 k2 ~ k127)] ~\n"
			  "S: b OK ~\n"
			  "C: c SELECT INBOX\n"
			  "S: * OK [CLOSED] ~\n"
			  "S: * FLAGS (~ k127)\n"
			  "S: * OK [PERMANENTFLAGS (~ k127)] ~\n"
			  "S: * 1 EXISTS\n"
			  "S: ~\n"
			  "S: ~\n"
			  "S: ~\n"
			  "S: ~\n"
			  "S: ~\n"
			  "S: ~\n"
			  "S: c OK ~\n");
	buf_done(&in);
	fake_done(&f);
}

static void test_fetch(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 MAIL2 INBOX(
		"2") "C: a FETCH 1:* (FLAGS UID)\n"
		     "S: * 1 FETCH (FLAGS () UID 1)\n"
		     "S: * 2 FETCH (FLAGS () UID 2)\n"
		     "S: a OK FETCH completed\n"
		     "C: b FETCH 2 BODY.PEEK[HEADER.FIELDS (Subject)]\n"
		     "S: * 2 FETCH (BODY[HEADER.FIELDS (Subject)] {16}\n"
		     "S: Subject: two\n"
		     "S: \n"
		     "S: )\n"
		     "S: b OK FETCH completed\n"
		     "C: c UID FETCH 2 (BODY[TEXT] BODY.PEEK[HEADER])\n"
		     "S: * 2 FETCH (BODY[TEXT] {7}\n"
		     "S: World\n"
		     "S:  BODY[HEADER] {37}\n"
		     "S: From: b@example.org\n"
		     "S: Subject: two\n"
		     "S: \n"
		     "S:  UID 2)\n"
		     "S: * 2 FETCH (UID 2 FLAGS (\\Seen))\n"
		     "S: c OK FETCH completed\n"
		     "C: d FETCH 1 (BODY.PEEK[]<2.5> RFC822.SIZE)\n"
		     "S: * 1 FETCH (BODY[]<2> {5}\n"
		     "S: om: a RFC822.SIZE ~)\n"
		     "S: d OK FETCH completed\n"
		     "C: e FETCH 1 ENVELOPE\n"
		     "S: * 1 FETCH (ENVELOPE (\"Sat, 21 Nov 2026 22:23:33 +0000\" \"one\" "
		     "((NIL NIL \"a\" \"example.org\")) ((NIL NIL \"a\" \"example.org\")) "
		     "((NIL NIL \"a\" \"example.org\")) NIL NIL NIL NIL NIL))\n"
		     "S: e OK FETCH completed\n"
		     "C: f FETCH 2 BODYSTRUCTURE\n"
		     "S: * 2 FETCH (BODYSTRUCTURE (\"text\" \"plain\" (\"CHARSET\" \"US-ASCII\") "
		     "NIL NIL "
		     "\"7BIT\" 7 1~))\n"
		     "S: f OK FETCH completed\n"
		     "C: g FETCH 3 FLAGS\n"
		     "S: g BAD No such message number\n"
		     "C: h UID FETCH 77 FLAGS\n"
		     "S: h OK FETCH completed\n"
		     "C: i FETCH 1 BODY[7]\n"
		     "S: * 1 FETCH (BODY[7] NIL)\n"
		     "S: * 1 FETCH (FLAGS (\\Seen))\n"
		     "S: i OK FETCH completed\n"
		     "C: j FETCH 1 (\n"
		     "S: j BAD ~\n"
		     "C: k FETCH 0 FLAGS\n"
		     "S: k BAD ~\n"
		     "C: l FETCH 1 FAST\n"
		     "S: * 1 FETCH (FLAGS (\\Seen) INTERNALDATE \"~\" RFC822.SIZE ~)\n"
		     "S: l OK FETCH completed\n");
}

/* RFC 9051 6.4.6 */
static void test_store(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 MAIL2 INBOX(
		"2") "C: a STORE 1:2 +FLAGS (\\Deleted)\n"
		     "S: * 1 FETCH (FLAGS (\\Deleted))\n"
		     "S: * 2 FETCH (FLAGS (\\Deleted))\n"
		     "S: a OK STORE completed\n"
		     "C: b UID STORE 2 FLAGS.SILENT ($Forwarded \\Flagged)\n"
		     "S: * FLAGS (~$Forwarded~)\n"
		     "S: b OK STORE completed\n"
		     "C: c UID STORE 2 -FLAGS $Forwarded\n"
		     "S: * 2 FETCH (UID 2 FLAGS (\\Flagged))\n"
		     "S: c OK STORE completed\n"
		     "C: d STORE 1 FLAGS (\\Recent)\n"
		     "S: * 1 FETCH (FLAGS ())\n"
		     "S: d OK ~\n"
		     "C: e STORE 1 FLAGS (\\Unknown)\n"
		     "S: e BAD ~\n"
		     "C: f STORE 1 FLAGS\n"
		     "S: f BAD ~\n"
		     "C: g STORE 3 FLAGS ()\n"
		     "S: g BAD ~\n"
		     "C: h UID STORE 9 FLAGS ()\n"
		     "S: h OK STORE completed\n");
}

/* RFC 7162 3.1.3: UNCHANGEDSINCE and MODIFIED */
static void test_condstore(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 MAIL2 INBOX(
		"2") "C: a FETCH 1:2 (MODSEQ)\n"
		     "S: * OK [HIGHESTMODSEQ 12] ~\n"
		     "S: * 1 FETCH (MODSEQ (11))\n"
		     "S: * 2 FETCH (MODSEQ (12))\n"
		     "S: a OK ~\n"
		     "C: b STORE 1:2 (UNCHANGEDSINCE 11) +FLAGS.SILENT (\\Flagged)\n"
		     "S: * 1 FETCH (~MODSEQ (13)~)\n"
		     "S: b OK [MODIFIED 2] ~\n"
		     "C: c UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12)\n"
		     "S: * 1 FETCH (FLAGS (\\Flagged) MODSEQ (13) UID 1)\n"
		     "S: c OK ~\n"
		     /* an iPhone's way to say that it knows nothing yet */
		     "C: c2 UID FETCH 1:* (FLAGS) (CHANGEDSINCE 0)\n"
		     "S: * 1 FETCH (FLAGS (\\Flagged) MODSEQ (13) UID 1)\n"
		     "S: * 2 FETCH (FLAGS (~) MODSEQ (12) UID 2)\n"
		     "S: c2 OK ~\n"
		     "C: d STATUS INBOX (HIGHESTMODSEQ)\n"
		     "S: * STATUS INBOX (HIGHESTMODSEQ 13)\n"
		     "S: d OK ~\n"
		     "C: e SEARCH MODSEQ 13\n"
		     "S: * SEARCH 1 (MODSEQ 13)\n"
		     "S: e OK ~\n"
		     /* a FETCH with MODSEQ although nothing changes; not of what was kept back */
		     "C: f STORE 1:2 (UNCHANGEDSINCE 13) +FLAGS.SILENT (\\Flagged)\n"
		     "S: * 1 FETCH (UID 1 MODSEQ (13))\n"
		     "S: * 2 FETCH (UID 2 MODSEQ (14))\n"
		     "S: f OK STORE completed\n"
		     "C: g STORE 1:2 (UNCHANGEDSINCE 0) +FLAGS.SILENT (\\Flagged)\n"
		     "S: g OK [MODIFIED 1:2] ~\n"
		     "C: h STORE 1 +FLAGS.SILENT (\\Flagged)\n"
		     "S: h OK STORE completed\n");
}

static void test_expunge(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 MAIL2 MAIL1 MAIL2 INBOX(
		"4") "C: a STORE 1,3,4 +FLAGS.SILENT (\\Deleted)\n"
		     "S: a OK ~\n"
		     "C: b UID EXPUNGE 2:3\n"
		     "S: * 3 EXPUNGE\n"
		     "S: b OK ~\n"
		     "C: c EXPUNGE\n"
		     "S: * 3 EXPUNGE\n"
		     "S: * 1 EXPUNGE\n"
		     "S: c OK EXPUNGE completed\n"
		     "C: d STORE 1 +FLAGS.SILENT (\\Deleted)\n"
		     "S: d OK ~\n"
		     "C: e CLOSE\n"
		     "S: e OK CLOSE completed\n"
		     "C: f STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE RECENT)\n"
		     "S: * STATUS INBOX (MESSAGES 0 RECENT 0 UIDNEXT 5 UIDVALIDITY 1001 UNSEEN 0 "
		     "DELETED 0 SIZE 0)\n"
		     "S: f OK ~\n");
}

static void test_copy_move(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 MAIL2 INBOX("2") "C: a COPY 1:2 Sent\n"
					      "S: a OK [COPYUID 1002 1:2 1:2] COPY completed\n"
					      "C: b UID MOVE 2 Trash\n"
					      "S: * OK [COPYUID 1003 2 1] Moved\n"
					      "S: * 2 EXPUNGE\n"
					      "S: b OK MOVE completed\n"
					      "C: c COPY 1 nowhere\n"
					      "S: c NO [TRYCREATE] ~\n"
					      "C: d UID COPY 99 Sent\n"
					      "S: d OK COPY completed, nothing was there\n"
					      "C: e COPY 1 INBOX\n"
					      "S: * 2 EXISTS\n"
					      "S: e OK [COPYUID 1001 1 3] ~\n"
					      "C: f MOVE 5 Sent\n"
					      "S: f BAD ~\n");
}

/* What went between the question for the target and the copy decides what is said. */
static void test_copy_races(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 MAIL2 INBOX("2") "X: races\n"
					      "C: a COPY 1:2 INBOX\n"
					      "S: a NO [EXPUNGEISSUED] ~\n"
					      "C: b MOVE 1 Sent\n"
					      "S: b NO [TRYCREATE] ~\n");
}

static void test_search(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 MAIL2 MAIL1 INBOX(
		"3") "C: a SEARCH SUBJECT two\n"
		     "S: * SEARCH 2\n"
		     "S: a OK SEARCH completed\n"
		     "C: b UID SEARCH RETURN (MIN COUNT) BODY hello\n"
		     "S: * ESEARCH (TAG \"b\") UID MIN 1 COUNT 2\n"
		     "S: b OK ~\n"
		     "C: c SEARCH RETURN (SAVE) OR SUBJECT two 3\n"
		     "S: c OK ~\n"
		     "C: d FETCH $ UID\n"
		     "S: * 2 FETCH (UID 2)\n"
		     "S: * 3 FETCH (UID 3)\n"
		     "S: d OK ~\n"
		     "C: e SEARCH CHARSET KOI99 BODY x\n"
		     "S: e NO [BADCHARSET (us-ascii utf-8 ~)] ~\n"
		     "C: f SEARCH NOT\n"
		     "S: f BAD ~\n"
		     "C: g SEARCH NOT TEXT two UNSEEN\n"
		     "S: * SEARCH 1 3\n"
		     "S: g OK ~\n"
		     "C: h SEARCH DELETED\n"
		     "S: * SEARCH\n"
		     "S: h OK ~\n"
		     "C: i STORE $ +FLAGS (\\Seen)\n"
		     "S: * 2 FETCH (FLAGS (\\Seen))\n"
		     "S: * 3 FETCH (FLAGS (\\Seen))\n"
		     "S: i OK ~\n"
		     "C: j SEARCH RETURN (SAVE) FOO\n"
		     "S: j BAD ~\n"
		     "C: k SEARCH $\n"
		     "S: * SEARCH 2 3\n"
		     "S: k OK ~\n"
		     "C: l SEARCH RETURN (SAVE) CHARSET KOI99 BODY x\n"
		     "S: l NO [BADCHARSET (us-ascii utf-8 ~)] ~\n"
		     "C: m SEARCH $\n"
		     "S: * SEARCH\n"
		     "S: m OK ~\n");
}

/* A keyword of 65 bytes: NO [LIMIT], in STORE and APPEND, before the message comes */
static void test_long_keyword(void **state)
{
	(void)state;
#define K16 "kkkkkkkkkkkkkkkk"
	dialogue(LOGIN MAIL1 INBOX("1") "C: a STORE 1 +FLAGS.SILENT (" K16 K16 K16 K16 ")\n"
					"S: * FLAGS ~\n"
					"S: a OK ~\n"
					"C: b STORE 1 +FLAGS (" K16 K16 K16 K16 "k)\n"
					"S: b NO [LIMIT] ~\n"
					"C: c APPEND INBOX (" K16 K16 K16 K16 "k) {4}\n"
					"S: c NO [LIMIT] ~\n"
					"C: d STORE 1 +FLAGS (\\Unknown)\n"
					"S: d BAD ~\n");
}

/* RFC 9051 6.4.4: the Date field alone, not when it arrived */
static void test_sent(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 MAIL2 INBOX("2") "C: a SEARCH SENTSINCE 1-Jan-1980\n"
					      "S: * SEARCH 1\n"
					      "S: a OK ~\n"
					      "C: b SEARCH SENTBEFORE 1-Jan-2100\n"
					      "S: * SEARCH 1\n"
					      "S: b OK ~\n"
					      "C: c SEARCH NOT SENTBEFORE 1-Jan-2100\n"
					      "S: * SEARCH 2\n"
					      "S: c OK ~\n"
					      "C: d SEARCH SINCE 1-Jan-1980\n"
					      "S: * SEARCH 1 2\n"
					      "S: d OK ~\n");
}

/* What was read gets a signature; then only what may match is read. */
static void test_signatures(void **state)
{
	(void)state;
	struct fake f;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_part(&f, LOGIN MAIL1 MAIL2 MAIL1 INBOX("3"));
	unsigned reads[2];
	for (int round = 0; round < 2; round++) {
		reads[round] = f.reads;
		dialogue_part(&f, "C: a SEARCH TEXT nowhere\n"
				  "S: * SEARCH\n"
				  "S: a OK ~\n"
				  "C: b SEARCH TEXT \"ubject: t\" ALL\n"
				  "S: * SEARCH 2\n"
				  "S: b OK ~\n"
				  "C: c SEARCH OR SUBJECT two NOT BODY hello\n"
				  "S: * SEARCH 2\n"
				  "S: c OK ~\n"
				  "C: d SEARCH BODY lo\n"
				  "S: * SEARCH 1 3\n"
				  "S: d OK ~\n");
		assert_int_equal(f.signs, 3);
		reads[round] = f.reads - reads[round];
	}
	assert_true(reads[1] <= reads[0] - 6);
	dialogue_with(&f, "");
	fake_done(&f);
}

/* RFC 9051 6.4.4.1: a search with SAVE that ends in NO empties "$", whatever the store failed at;
 * one without leaves it. */
static void test_saved_and_failed(void **state)
{
	static const char *const searches[] = { "SUBJECT two", "TEXT two", "BODY two" };
	char text[300];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(searches); i++) {
		struct fake f;

		fake_init(&f);
		fake_connect(&f, "imaps", true);
		dialogue_part(&f, LOGIN MAIL1 MAIL2 INBOX("2") "C: a SEARCH RETURN (SAVE) ALL\n"
							       "S: a OK ~\n");
		snprintf(text, sizeof text, "X: away\nC: b SEARCH %s\nS: b NO [UNAVAILABLE] ~\n",
			searches[i]);
		dialogue_part(&f, text);
		dialogue_part(&f, "X: back\n"
				  "C: c SEARCH $\n"
				  "S: * SEARCH 1 2\n"
				  "S: c OK ~\n");
		snprintf(text, sizeof text,
			"X: away\nC: d SEARCH RETURN (SAVE) %s\nS: d NO [UNAVAILABLE] ~\n",
			searches[i]);
		dialogue_part(&f, text);
		dialogue_with(&f, "X: back\n"
				  "C: e SEARCH $\n"
				  "S: * SEARCH\n"
				  "S: e OK ~\n");
		fake_done(&f);
	}
}

/* Also where the store is away before it runs. */
static void test_saved_and_refused(void **state)
{
	static const struct {
		const char *away, *back;
	} cases[] = {
		{ "X: away\nX: replace\n", "X: back\n" },
		{ "X: nonews\nC: s STORE 1 +FLAGS.SILENT (\\Seen)\nS: s OK ~\n",
			"X: news\nC: n NOOP\nS: * 1 FETCH (FLAGS (\\Seen))\nS: n OK ~\n" },
	};
	static const char *const searches[] = { "SEARCH RETURN (SAVE) 1",
		"UID SEARCH RETURN (MIN SAVE) 1", "SORT RETURN (COUNT SAVE) (SUBJECT) UTF-8 ALL" };
	char text[600];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases) * ARRAY_LEN(searches); i++) {
		const char *away = cases[i % 2].away, *back = cases[i % 2].back;
		struct fake f;

		fake_init(&f);
		fake_connect(&f, "imaps", true);
		dialogue_part(&f, LOGIN MAIL1 MAIL2 INBOX("2") "C: a SEARCH RETURN (SAVE) ALL\n"
							       "S: a OK ~\n");
		snprintf(text, sizeof text,
			"%sC: b SEARCH RETURN (COUNT) ALL\nS: b NO [UNAVAILABLE] ~\n"
			"%sC: c SEARCH $\nS: * SEARCH 1 2\nS: c OK ~\n",
			away, back);
		dialogue_part(&f, text);
		snprintf(text, sizeof text,
			"%sC: d %s\nS: d NO [UNAVAILABLE] ~\n"
			"%sC: e SEARCH $\nS: * SEARCH\nS: e OK ~\n",
			away, searches[i / 2], back);
		dialogue_with(&f, text);
		fake_done(&f);
	}
}

TEST_MAIN(test_case(test_saved_and_failed), test_case(test_saved_and_refused),
	test_case(test_signatures), test_case(test_long_keyword), test_case(test_sent),
	test_case(test_append), test_case(test_append_keywords), test_case(test_append_bytes),
	test_case(test_append_cut), test_case(test_half_closed),
	test_case(test_search_of_who_is_gone), test_case(test_keywords_are_full),
	test_case(test_fetch), test_case(test_store), test_case(test_condstore),
	test_case(test_expunge), test_case(test_copy_move), test_case(test_copy_races),
	test_case(test_search))
