// SPDX-License-Identifier: Apache-2.0
/* QRESYNC (RFC 7162 3.2): the examples of the RFC as dialogues, in the numbers of the made-up
 * store (modseq 11 is its first change), and what it forbids. */
#include "imap/qresync_scene.h"
#include "imap/vanished.h"

/* UIDs 2 and 4 go at 17 and 18 */
#define EXPUNGE24                                                                                  \
	"C: s1 UID STORE 2,4 +FLAGS.SILENT (\\Deleted)\n"                                          \
	"S: * 2 FETCH (UID 2 MODSEQ (16))\n"                                                       \
	"S: * 4 FETCH (UID 4 MODSEQ (16))\n"                                                       \
	"S: s1 OK ~\n"                                                                             \
	"C: s2 EXPUNGE\n"                                                                          \
	"S: * VANISHED 2,4\n"                                                                      \
	"S: s2 OK [HIGHESTMODSEQ 18] EXPUNGE completed\n"

/* RFC 7162 3.2.3, 3.2.7, 3.2.10.2 */
static void test_vanished(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL5 QRESYNC SELECT5 EXPUNGE24
		"C: a EXPUNGE\n" /* nothing went: no code */
		"S: a OK EXPUNGE completed\n"
		"C: b UID STORE 3:5 +FLAGS.SILENT (\\Deleted)\n"
		"S: * 2 FETCH (UID 3 MODSEQ (19))\n"
		"S: * 3 FETCH (UID 5 MODSEQ (19))\n"
		"S: b OK ~\n"
		"C: c UID EXPUNGE 1:3\n"
		"S: * VANISHED 3\n"
		"S: c OK [HIGHESTMODSEQ 20] ~\n"
		"C: d COPY 1 Sent\n"
		"S: d OK [COPYUID ~\n"
		"C: e UID MOVE 1,5 Sent\n" /* RFC 6851 4.4 */
		"S: * OK [COPYUID ~\n"
		"S: * VANISHED 1,5\n"
		"S: e OK [HIGHESTMODSEQ ~] MOVE completed\n"
		"C: f ENABLE CONDSTORE QRESYNC\n" /* both are on */
		"S: * ENABLED\n"
		"S: f OK ~\n");
}

/* RFC 7162 3.2.5: the parameter of SELECT */
static void test_select(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL5 QRESYNC SELECT5 EXPUNGE24
		"C: a1 STORE 3 +FLAGS.SILENT (\\Answered)\n"
		"S: * 3 FETCH (UID 5 MODSEQ (19))\n"
		"S: a1 OK ~\n"
		/* all that is known of */
		"C: a SELECT INBOX (QRESYNC (1001 15))\n"
		"S: * OK [CLOSED] ~\n" OPEN("3", "6",
			"19") "S: * VANISHED (EARLIER) 2,4\n"
			      "S: * 3 FETCH (UID 5 FLAGS (\\Answered) MODSEQ (19))\n"
			      "S: a OK [READ-WRITE] ~\n"
			      /* some of it; what is not known goes unsaid */
			      "C: b EXAMINE INBOX (CONDSTORE QRESYNC (1001 15 1:3))\n"
			      "S: * OK [CLOSED] ~\n"
			      "S: * FLAGS ~\n"
			      "S: * OK [PERMANENTFLAGS ()] ~\n"
			      "S: * 3 EXISTS\n"
			      "S: * 0 RECENT\n"
			      "S: * OK [UNSEEN 1] ~\n"
			      "S: * OK [UIDVALIDITY 1001] ~\n"
			      "S: * OK [UIDNEXT 6] ~\n"
			      "S: * OK [HIGHESTMODSEQ 19] ~\n"
			      "S: * OK [MAILBOXID ~\n"
			      "S: * VANISHED (EARLIER) 2\n"
			      "S: b OK [READ-ONLY] ~\n"
			      /* message 2 is still UID 3: nothing below it is said */
			      "C: c SELECT INBOX (QRESYNC (1001 15 1:5 (1,2,3 1,3,4)))\n"
			      "S: * OK [CLOSED] ~\n" OPEN("3", "6",
				      "19") "S: * VANISHED (EARLIER) 4\n"
					    "S: * 3 FETCH (UID 5 FLAGS (\\Answered) MODSEQ (19))\n"
					    "S: c OK [READ-WRITE] ~\n"
					    /* what went before the client's modseq it knows */
					    "C: d SELECT INBOX (QRESYNC (1001 17))\n"
					    "S: * OK [CLOSED] ~\n" OPEN("3", "6",
						    "19") "S: * VANISHED (EARLIER) 4\n"
							  "S: * 3 FETCH (UID 5 FLAGS (\\Answered) "
							  "MODSEQ (19))\n"
							  "S: d OK [READ-WRITE] ~\n"
							  /* another UIDVALIDITY: as if nothing had
							     been asked */
							  "C: e SELECT INBOX (QRESYNC (67890007 15 "
							  "41,43:211,214:541))\n"
							  "S: * OK [CLOSED] ~\n" OPEN("3", "6",
								  "19") "S: e OK [READ-WRITE] ~\n");
}

/* A store that does not remember: all that is not there has gone. RFC 7162 3.2.5.2, 3.2.6 */
static void test_no_memory(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL5 QRESYNC SELECT5 EXPUNGE24
		"X: horizon\n"
		"C: a SELECT INBOX (QRESYNC (1001 15 1:4,7))\n"
		"S: * OK [CLOSED] ~\n" OPEN(
			"3", "6", "18") "S: * VANISHED (EARLIER) 2,4\n"
					"S: a OK [READ-WRITE] ~\n"
					"C: b SELECT INBOX (QRESYNC (1001 15 1:4 (1,3 1,5)))\n"
					"S: * OK [CLOSED] ~\n" OPEN(
						"3", "6", "18") "S: b OK [READ-WRITE] ~\n"
								"C: c UID FETCH 1:* (FLAGS) "
								"(CHANGEDSINCE 15 VANISHED)\n"
								"S: * VANISHED (EARLIER) 2,4\n"
								"S: c OK ~\n");
}

/* RFC 7162 3.2.6 */
static void test_fetch(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL5 QRESYNC SELECT5 EXPUNGE24
		"C: a1 STORE 3 +FLAGS.SILENT (\\Answered)\n"
		"S: * 3 FETCH (UID 5 MODSEQ (19))\n"
		"S: a1 OK ~\n"
		"C: a UID FETCH 1:10 (FLAGS) (CHANGEDSINCE 15 VANISHED)\n"
		"S: * VANISHED (EARLIER) 2,4\n"
		"S: * 3 FETCH (FLAGS (\\Answered) MODSEQ (19) UID 5)\n"
		"S: a OK ~\n"
		"C: b UID FETCH 3:* (FLAGS) (VANISHED CHANGEDSINCE 18)\n"
		"S: * 3 FETCH (FLAGS (\\Answered) MODSEQ (19) UID 5)\n"
		"S: b OK ~\n"
		/* the highest UID went: "*" reaches it */
		"C: c1 UID STORE 5 +FLAGS.SILENT (\\Deleted)\n"
		"S: * 3 FETCH (UID 5 MODSEQ (20))\n"
		"S: c1 OK ~\n"
		"C: c2 EXPUNGE\n"
		"S: * VANISHED 5\n"
		"S: c2 OK [HIGHESTMODSEQ 21] ~\n"
		"C: c UID FETCH 4:* (FLAGS) (CHANGEDSINCE 18 VANISHED)\n"
		"S: * VANISHED (EARLIER) 5\n"
		"S: c OK ~\n"
		"C: d FETCH 1 (FLAGS) (CHANGEDSINCE 15 VANISHED)\n"
		"S: d BAD VANISHED ~\n"
		"C: e UID FETCH 1 (FLAGS) (VANISHED)\n"
		"S: e BAD VANISHED ~\n");
}

/* Without ENABLE QRESYNC, and what is no QRESYNC. RFC 7162 3.2.3, 3.2.5 */
static void test_refusals(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL5 "C: a SELECT INBOX (QRESYNC (1001 15))\n"
			     "S: a BAD ~\n"
			     "C: b SELECT INBOX\n" OPEN("5", "6",
				     "15") "S: b OK ~\n"
					   "C: c UID FETCH 1 (FLAGS) (CHANGEDSINCE 15 VANISHED)\n"
					   "S: c BAD ~\n"
					   "C: d ENABLE QRESYNC\n" /* RFC 7162 3.1.2.1 */
					   "S: * ENABLED QRESYNC\n"
					   "S: * OK [HIGHESTMODSEQ 15] ~\n"
					   "S: d OK ~\n"
					   "C: e SELECT INBOX (QRESYNC (1001 15 1:*))\n"
					   "S: e BAD ~\n"
					   "C: f SELECT INBOX (QRESYNC (1001 15 $))\n"
					   "S: f BAD ~\n"
					   "C: g SELECT INBOX (QRESYNC (0 15))\n"
					   "S: g BAD ~\n"
					   "C: h SELECT INBOX (QRESYNC (1001 0))\n"
					   "S: h BAD ~\n"
					   "C: i SELECT INBOX (QRESYNC (1001 15 1:3 (1:2 1:3)))\n"
					   "S: i BAD ~\n"
					   "C: j SELECT INBOX (QRESYNC (1001 15 1:3 ))\n"
					   "S: j BAD ~\n"
					   "C: k SELECT INBOX (QRESYNC 1001 15)\n"
					   "S: k BAD ~\n"
					   "C: l SELECT INBOX (QRESYNC (1001 15) QRESYNC (1 1))\n"
					   "S: l BAD ~\n");
}

/* RFC 7162 6: expunges that are held back hold HIGHESTMODSEQ back; another session's are VANISHED
 */
static void test_held_back(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL5 QRESYNC SELECT5 LOGIN2 "C2: a SELECT INBOX\n" OPENS_UNSEEN(
		"2:", "5") "S2: a OK ~\n"
			   "C2: b STORE 2:4 +FLAGS.SILENT (\\Deleted)\n"
			   "S2: b OK ~\n"
			   "C2: c EXPUNGE\n"
			   "S2: * 4 EXPUNGE\n"
			   "S2: * 3 EXPUNGE\n"
			   "S2: * 2 EXPUNGE\n"
			   "S2: c OK EXPUNGE completed\n"
			   "C: d FETCH 5 (UID MODSEQ)\n"
			   "S: * 5 FETCH (UID 5 MODSEQ (15))\n"
			   "S: d OK ~\n"
			   "C: d STORE 5 +FLAGS.SILENT (\\Flagged)\n"
			   "S: * 5 FETCH (UID 5 MODSEQ (20))\n"
			   "S: * OK [HIGHESTMODSEQ 15] ~\n"
			   "S: d OK ~\n"
			   "C: e NOOP\n"
			   "S: * VANISHED 2:4\n"
			   "S: e OK ~\n"
			   "C: f FETCH 2 (UID)\n"
			   "S: * 2 FETCH (UID 5)\n"
			   "S: f OK ~\n");
}

/* What could not be had of the store holds it back as well: 2 had changed before 3, of which alone
 * the client hears. */
static void test_news_away(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL5 QRESYNC SELECT5 LOGIN2 "C2: a SELECT INBOX\n" OPENS_UNSEEN("2:",
		"5") "S2: a OK ~\n"
		     "C2: b STORE 2 +FLAGS.SILENT (\\Flagged)\n"
		     "S2: b OK ~\n"
		     "C2: c STORE 3 +FLAGS.SILENT (\\Flagged)\n"
		     "S2: c OK ~\n"
		     "X: nonews\n"
		     "C: d FETCH 3 (MODSEQ BODY[TEXT]<0.1>)\n"
		     "S: * 3 FETCH (MODSEQ (17) BODY[TEXT]<0> {1}\n"
		     "S: H)\n"
		     "S: * OK [HIGHESTMODSEQ 15] ~\n"
		     "S: d OK ~\n"
		     "C: e SELECT INBOX (QRESYNC (1001 15))\n"
		     "S: * OK [CLOSED] ~\n" OPEN("5", "6",
			     "18") "S: * 2 FETCH (UID 2 FLAGS (\\Flagged) MODSEQ (16))\n"
				   "S: * 3 FETCH (UID 3 FLAGS (\\Flagged \\Seen) MODSEQ (18))\n"
				   "S: e OK ~\n");
}

/* Whoever leaves the mailbox after NOTIFY told a change, and not the expunge before it, takes the
 * tagged reply for it that all up to there was told. RFC 7162 6 */
static void test_leaves_while_held_back(void **state)
{
	static const char *const leaves[] = { "C: d UNSELECT\n"
					      "S: * OK [HIGHESTMODSEQ 16] ~\n"
					      "S: d OK ~\n",
		"C: d CLOSE\n"
		"S: * OK [HIGHESTMODSEQ 16] ~\n"
		"S: d OK ~\n",
		"C: d SELECT Sent\n"
		"S: * OK [HIGHESTMODSEQ 16] ~\n"
		"S: * OK [CLOSED] ~\n"
		"S: * FLAGS ~\n"
		"S: * OK [PERM~\n"
		"S: * 0 EXISTS\n"
		"S: * 0 RECENT\n"
		"S: * OK [UIDVALIDITY 1002] ~\n"
		"S: * OK [UIDNEXT 1] ~\n"
		"S: * OK [HIGHESTMODSEQ ~] ~\n"
		"S: * OK [MAILBOXID ~\n"
		"S: d OK ~\n",
		"C: d SELECT \"&\"\n"
		"S: * OK [HIGHESTMODSEQ 16] ~\n"
		"S: * OK [CLOSED] ~\n"
		"S: d NO ~\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(leaves); i++) {
		struct fake f;

		fake_init(&f);
		fake_connect(&f, "imaps", true);
		dialogue_with(&f, LOGIN MAIL5 QRESYNC SELECT5
			"C: n NOTIFY SET (selected-delayed (MessageNew MessageExpunge "
			"FlagChange))\n"
			"S: n OK ~\n" LOGIN2 "C2: a SELECT INBOX\n" OPENS_UNSEEN(
				"2:", "5") "S2: a OK ~\n"
					   "C2: b STORE 2 +FLAGS.SILENT (\\Deleted)\n"
					   "S2: b OK ~\n"
					   "S: * 2 FETCH (UID 2 FLAGS (\\Deleted) MODSEQ "
					   "(16))\n"
					   "C: c NOOP\n"
					   "S: c OK ~\n"
					   "C2: c EXPUNGE\n"
					   "S2: * 2 EXPUNGE\n"
					   "S2: c OK ~\n"
					   "C2: d STORE 4 +FLAGS.SILENT (\\Flagged)\n"
					   "S2: d OK ~\n"
					   "S: * 5 FETCH (UID 5 FLAGS (\\Flagged) MODSEQ "
					   "(18))\n");
		dialogue_with(&f, leaves[i]);
		fake_done(&f);
	}
}

/* Nor does who enables it then hear more than he was told. RFC 7162 3.2 */
static void test_enable_while_held_back(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL5 INBOX("5") LOGIN2 "C2: a SELECT INBOX\n" OPENS_UNSEEN(
		"2:", "5") "S2: a OK ~\n"
			   "C2: b STORE 2 +FLAGS.SILENT (\\Deleted)\n"
			   "S2: b OK ~\n"
			   "C2: c EXPUNGE\n"
			   "S2: * 2 EXPUNGE\n"
			   "S2: c OK ~\n"
			   "C: d FETCH 5 (UID)\n"
			   "S: * 5 FETCH (UID 5)\n"
			   "S: d OK ~\n"
			   "C: e ENABLE QRESYNC\n"
			   "S: * ENABLED QRESYNC\n"
			   "S: * OK [HIGHESTMODSEQ 15] ~\n"
			   "S: * VANISHED 2\n"
			   "S: e OK ~\n");
}

/* ---- the sample ---- */

static struct seqset set_of(struct arena *a, const char *text)
{
	struct seqset set;
	struct scan s = scan_from(str_from(text));

	assert_true(seqset_parse(&s, a, &set));
	return set;
}

/* RFC 7162 3.2.5.2: message 4 is UID 8, message 12 is UID 25 */
static void test_match(void **state)
{
	static const struct {
		const char *numbers, *uids;
		bool fits;
		uint32_t above;
	} cases[] = {
		{ "4,12", "8,24", true, 8 },
		{ "4,12", "8,25", true, 25 },
		{ "4", "9", true, 0 },
		{ "1:4", "2,4,6,8", true, 8 },
		{ "1:4", "2,4,6", false, 0 },
		{ "1:4294967295", "1:4294967295", true, 0 },
		{ "12:14", "25,30:31", true, 25 },
	};
	struct view *v = view_new();
	struct arena a;

	(void)state;
	arena_init(&a, 1 << 20);
	view_load_begin(v);
	for (uint32_t n = 1; n <= 12; n++) {
		struct api_entry e = { .uid = n < 12 ? 2 * n : 25 };

		assert_true(view_load(v, &e, 1));
	}
	view_load_end(v);
	view_tell_all(v);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct seqset numbers = set_of(&a, cases[i].numbers);
		struct seqset uids = set_of(&a, cases[i].uids);
		uint32_t above = 99;

		assert_int_equal(vanished_match(v, &numbers, &uids, &above), cases[i].fits);
		assert_int_equal(above, cases[i].above);
	}
	view_free(&v);
	arena_done(&a);
}

TEST_MAIN(test_case(test_vanished), test_case(test_select), test_case(test_no_memory),
	test_case(test_fetch), test_case(test_refusals), test_case(test_held_back),
	test_case(test_news_away), test_case(test_leaves_while_held_back),
	test_case(test_enable_while_held_back), test_case(test_match))
