// SPDX-License-Identifier: Apache-2.0
/* \Recent and RECENT (RFC 3501 2.3.2, 7.3.2): which session sees them, when, and that nobody does
 * who said ENABLE IMAP4rev2. What the store makes of it: store/recent_test.c. */
#include "imap/dialogue.h"

#define HEAD(c) "S" c " * FLAGS ~\nS" c " * OK [PERM~\n"
#define REST(c)                                                                                    \
	"S" c " * OK [UNSEEN 1] ~\nS" c " * OK [UIDV~\nS" c " * OK [UIDN~\nS" c " * OK [HIGH~\n"   \
	"S" c " * OK [MAILBOXID ~\n"
#define OPENED_WITH(c, n, recent)                                                                  \
	HEAD(c) "S" c " * " n " EXISTS\nS" c " * " recent " RECENT\n" REST(c)

/* The first session that has the mailbox selected sees them, the next does not; who looks by
 * EXAMINE or STATUS changes nothing. RFC 3501 6.3.2, 6.3.10 */
static void test_first_session(void **state)
{
	(void)state;
	dialogue(LOGIN "X: recents\n" MAIL1 MAIL2 LOGIN2 "C: a STATUS INBOX (MESSAGES RECENT)\n"
		       "S: * STATUS INBOX (MESSAGES 2 RECENT 2)\n"
		       "S: a OK ~\n"
		       "C: b LIST \"\" INBOX RETURN (STATUS (RECENT))\n"
		       "S: * LIST (~) \"/\" INBOX\n"
		       "S: * STATUS INBOX (RECENT 2)\n"
		       "S: b OK ~\n"
		       "C2: a EXAMINE INBOX\n" OPENED_WITH("2:", "2",
			       "2") "S2: a OK [READ-ONLY] ~\n"
				    "C2: b FETCH 1:2 FLAGS\n"
				    "S2: * 1 FETCH (FLAGS (\\Recent))\n"
				    "S2: * 2 FETCH (FLAGS (\\Recent))\n"
				    "S2: b OK ~\n"
				    "C: c SELECT INBOX\n" OPENED_WITH(":", "2",
					    "2") "S: c OK [READ-WRITE] ~\n"
						 "C: d FETCH 1:2 FLAGS\n"
						 "S: * 1 FETCH (FLAGS (\\Recent))\n"
						 "S: * 2 FETCH (FLAGS (\\Recent))\n"
						 "S: d OK ~\n"
						 "C: e STATUS INBOX (RECENT)\n"
						 "S: * STATUS INBOX (RECENT 0)\n"
						 "S: e OK ~\n"
						 "C2: c SELECT INBOX\n"
						 "S2: * OK [CLOSED] ~\n" OPENED_WITH("2:", "2",
							 "0") "S2: c OK ~\n"
							      "C2: d FETCH 1 FLAGS\n"
							      "S2: * 1 FETCH (FLAGS ())\n"
							      "S2: d OK ~\n"
							      /* in the session itself they are for
								 as long as it is selected */
							      "C: f FETCH 2 FLAGS\n"
							      "S: * 2 FETCH (FLAGS (\\Recent))\n"
							      "S: f OK ~\n"
							      "C: g SELECT INBOX\n"
							      "S: * OK [CLOSED] ~\n" OPENED_WITH(
								      ":", "2", "0") "S: g OK ~\n");
}

/* What arrives is recent in one of the sessions. RFC 3501 6.1.2, 7.3.2 */
static void test_arrivals(void **state)
{
	(void)state;
	dialogue(LOGIN "X: recents\n" MAIL1 "C: a SELECT INBOX\n" OPENED_WITH(
		":", "1", "1") "S: a OK ~\n" LOGIN2 "C2: a SELECT INBOX\n" OPENED_WITH("2:", "1",
		"0") "S2: a OK ~\n" MAIL2 "C: b NOOP\n" /* without entries */
		     "S: * 2 EXISTS\n"
		     "S: * 2 RECENT\n"
		     "S: b OK ~\n"
		     "C2: b NOOP\n"
		     "S2: * 2 EXISTS\n"
		     "S2: b OK ~\n"
		     "C2: c FETCH 1:2 FLAGS\n"
		     "S2: * 1 FETCH (FLAGS ())\n"
		     "S2: * 2 FETCH (FLAGS ())\n"
		     "S2: c OK ~\n" MAIL1 "C2: d NOOP\n" /* with them */
		     "S2: * 3 EXISTS\n"
		     "S2: * 1 RECENT\n"
		     "S2: d OK ~\n"
		     "C: c FETCH 1:* FLAGS\n"
		     "S: * 1 FETCH (FLAGS (\\Recent))\n"
		     "S: * 2 FETCH (FLAGS (\\Recent))\n"
		     "S: * 3 EXISTS\n"
		     "S: * 2 RECENT\n"
		     "S: c OK ~\n"
		     "C: d FETCH 3 FLAGS\n"
		     "S: * 3 FETCH (FLAGS ())\n"
		     "S: d OK ~\n"
		     "C2: e IDLE\n"
		     "S2: + idling\n" MAIL2 "S2: * 4 EXISTS\n"
		     "S2: * 2 RECENT\n"
		     "C2: DONE\n"
		     "S2: e OK ~\n");
}

/* An expunged one counts no more. */
static void test_fewer(void **state)
{
	(void)state;
	dialogue(LOGIN "X: recents\n" MAIL1 MAIL2 "C: a SELECT INBOX\n" OPENED_WITH(
		":", "2", "2") "S: a OK ~\n"
			       "C: b STORE 1 +FLAGS (\\Seen \\Deleted)\n"
			       "S: * 1 FETCH (FLAGS (\\Deleted \\Seen \\Recent))\n"
			       "S: b OK ~\n"
			       "C: c EXPUNGE\n"
			       "S: * 1 EXPUNGE\n"
			       "S: * 1 RECENT\n"
			       "S: c OK ~\n" MAIL1 "C: d NOOP\n"
			       "S: * 2 EXISTS\n"
			       "S: * 2 RECENT\n"
			       "S: d OK ~\n");
}

/* No client can alter it. RFC 3501 2.3.2, 6.4.6; 6.4.7: a copy has it */
static void test_store_and_copy(void **state)
{
	(void)state;
	dialogue(LOGIN "X: recents\n" MAIL1 "C: a SELECT INBOX\n" OPENED_WITH(
		":", "1", "1") "S: a OK ~\n"
			       "C: b STORE 1 -FLAGS (\\Recent)\n"
			       "S: * 1 FETCH (FLAGS (\\Recent))\n"
			       "S: b OK ~\n"
			       "C: c STORE 1 FLAGS (\\Seen)\n"
			       "S: * 1 FETCH (FLAGS (\\Seen \\Recent))\n"
			       "S: c OK ~\n"
			       "C: d COPY 1 INBOX\n"
			       "S: * 2 EXISTS\n"
			       "S: * 2 RECENT\n"
			       "S: d OK ~\n"
			       "C: e CREATE Work\n"
			       "S: e OK ~\n"
			       "C: f MOVE 1:2 Work\n"
			       "S: * OK [COPYUID ~\n"
			       "S: * 2 EXPUNGE\n"
			       "S: * 1 EXPUNGE\n"
			       "S: * 0 RECENT\n"
			       "S: f OK ~\n"
			       "C: g STATUS Work (MESSAGES RECENT)\n"
			       "S: * STATUS Work (MESSAGES 2 RECENT 2)\n"
			       "S: g OK ~\n"
			       "C: h LIST \"\" (INBOX Work) RETURN (STATUS (RECENT))\n"
			       "S: * LIST (~) \"/\" INBOX\n"
			       "S: * STATUS INBOX (RECENT 0)\n"
			       "S: * LIST (~) \"/\" Work\n"
			       "S: * STATUS Work (RECENT 2)\n"
			       "S: h OK ~\n");
}

/* RFC 3501 6.4.4: RECENT, OLD and NEW */
static void test_search(void **state)
{
	(void)state;
	dialogue(LOGIN "X: recents\n" MAIL1 "C: a SELECT INBOX\n" OPENED_WITH(
		":", "1", "1") "S: a OK ~\n"
			       "C: b SELECT INBOX\n"
			       "S: * OK [CLOSED] ~\n" OPENED_WITH(
				       ":", "1", "0") "S: b OK ~\n" MAIL1 MAIL2 "C: c NOOP\n"
						      "S: * 3 EXISTS\n"
						      "S: * 2 RECENT\n"
						      "S: c OK ~\n"
						      "C: d STORE 2 +FLAGS.SILENT (\\Seen)\n"
						      "S: d OK ~\n"
						      "C: e SEARCH RECENT\n"
						      "S: * SEARCH 2 3\n"
						      "S: e OK ~\n"
						      "C: f SEARCH NEW\n"
						      "S: * SEARCH 3\n"
						      "S: f OK ~\n"
						      "C: g SEARCH OLD\n"
						      "S: * SEARCH 1\n"
						      "S: g OK ~\n");
}

/* A replaced store may have forgotten whom it told: this session's client keeps what it knows. */
static void test_replaced_store(void **state)
{
	struct fake f;

	(void)state;
	for (int entries = 0; entries < 2; entries++) {
		fake_init(&f);
		fake_connect(&f, "imaps", true);
		dialogue_part(&f, LOGIN "X: recents\n" MAIL1 "C: a SELECT INBOX\n" OPENED_WITH(
					  ":", "1", "1") "S: a OK ~\n"
							 "C: b SELECT INBOX\n"
							 "S: * OK [CLOSED] ~\n" OPENED_WITH(
								 ":", "1", "0") "S: b OK ~\n");
		if (entries)
			dialogue_part(&f, "C: c FETCH 1 FLAGS\n"
					  "S: * 1 FETCH (FLAGS ())\n"
					  "S: c OK ~\n");
		f.boxes[0].recent = 1;
		dialogue_part(&f, "X: replace\n" MAIL2 "C: d NOOP\n"
				  "S: * 2 EXISTS\n"
				  "S: * 1 RECENT\n"
				  "S: d OK ~\n"
				  "C: e FETCH 1:2 FLAGS\n"
				  "S: * 1 FETCH (FLAGS ())\n"
				  "S: * 2 FETCH (FLAGS (\\Recent))\n"
				  "S: e OK ~\n");
		fake_done(&f);
	}
}

/* RFC 9051 appendix E: rev2 has none of it, and takes it from nobody. */
static void test_rev2(void **state)
{
	(void)state;
	dialogue(LOGIN "X: recents\n" MAIL1 "C: a ENABLE IMAP4rev2\n"
		       "S: * ENABLED IMAP4rev2\n"
		       "S: a OK ~\n"
		       "C: b SELECT INBOX\n"
		       "S: * FLAGS ~\nS: * OK [PERM~\nS: * 1 EXISTS\nS: * OK [UIDV~\n"
		       "S: * OK [UIDN~\nS: * OK [HIGH~\nS: * OK [MAILBOXID ~\nS: * LIST ~\n"
		       "S: b OK ~\n" MAIL2 "C: c FETCH 1 FLAGS\n"
		       "S: * 1 FETCH (FLAGS ())\n"
		       "S: * 2 EXISTS\n"
		       "S: c OK ~\n"
		       "C: d STATUS INBOX (RECENT)\n"
		       "S: * STATUS INBOX (RECENT 0)\n"
		       "S: d OK ~\n"
		       "C: e SEARCH RECENT\n"
		       "S: * ESEARCH (TAG \"e\")\n"
		       "S: e OK ~\n" LOGIN2 "C2: a SELECT INBOX\n" OPENED_WITH(
			       "2:", "2", "2") "S2: a OK ~\n"
					       "C2: b FETCH 1 FLAGS\n"
					       "S2: * 1 FETCH (FLAGS (\\Recent))\n"
					       "S2: b OK ~\n"
					       "C2: c ENABLE IMAP4rev2\n"
					       "S2: * ENABLED IMAP4rev2\n"
					       "S2: c OK ~\n"
					       "C2: d FETCH 1 FLAGS\n"
					       "S2: * 1 FETCH (FLAGS ())\n"
					       "S2: d OK ~\n");
	/* without entries, too */
	dialogue(LOGIN "X: recents\n" MAIL1 "C: a SELECT INBOX\n" OPENED_WITH(
		":", "1", "1") "S: a OK ~\n"
			       "C: b ENABLE IMAP4rev2\n"
			       "S: * ENABLED IMAP4rev2\n"
			       "S: b OK ~\n" MAIL2 "C: c NOOP\n"
			       "S: * 2 EXISTS\n"
			       "S: c OK ~\n"
			       "C: d FETCH 1:2 FLAGS\n"
			       "S: * 1 FETCH (FLAGS ())\n"
			       "S: * 2 FETCH (FLAGS ())\n"
			       "S: d OK ~\n");
}

/* QRESYNC's answer has it too. RFC 7162 3.2.5 */
static void test_qresync(void **state)
{
	(void)state;
	dialogue(LOGIN "X: recents\n" MAIL1 "C: a ENABLE QRESYNC\n"
		       "S: * ENABLED QRESYNC\n"
		       "S: a OK ~\n"
		       "C: b SELECT INBOX (QRESYNC (1001 1))\n" OPENED_WITH(
			       ":", "1", "1") "S: * 1 FETCH (UID 1 FLAGS (\\Recent) MODSEQ (~))\n"
					      "S: b OK ~\n" MAIL2 "C: c NOOP\n"
					      "S: * 2 EXISTS\n"
					      "S: * 2 RECENT\n"
					      "S: c OK ~\n"
					      "C: d UID STORE 1 +FLAGS.SILENT (\\Deleted)\n"
					      "S: * 1 FETCH (UID 1 MODSEQ (~))\n"
					      "S: d OK ~\n"
					      "C: e EXPUNGE\n"
					      "S: * VANISHED 1\n"
					      "S: * 1 RECENT\n"
					      "S: e OK ~\n");
}

TEST_MAIN(test_case(test_first_session), test_case(test_arrivals), test_case(test_fewer),
	test_case(test_store_and_copy), test_case(test_search), test_case(test_replaced_store),
	test_case(test_rev2), test_case(test_qresync))
