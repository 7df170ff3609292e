// SPDX-License-Identifier: Apache-2.0
/* What a message and a mailbox have besides: OBJECTID (RFC 8474), SAVEDATE (RFC 8514), PREVIEW
 * (RFC 8970), and searches by age, WITHIN (RFC 5032). With the RFCs' examples. */
#include "imap/dialogue.h"

/* RFC 8474 4.1, 4.2, 4.3. The server's ids are its own. */
static void test_mailbox_id(void **state)
{
	(void)state;
	dialogue(LOGIN "C: 3 create foo\n"
		       "S: 3 OK [MAILBOXID (F4)] CREATE completed\n"
		       "C: 4 create bar\n"
		       "S: 4 OK [MAILBOXID (F5)] CREATE completed\n"
		       "C: 5 create foo\n"
		       "S: 5 NO [ALREADYEXISTS] ~\n"
		       "C: 6 status foo (mailboxid)\n"
		       "S: * STATUS foo (MAILBOXID (F4))\n"
		       "S: 6 OK ~\n"
		       "C: 7 status bar (mailboxid messages)\n"
		       "S: * STATUS bar (MESSAGES 0 MAILBOXID (F5))\n"
		       "S: 7 OK ~\n"
		       "C: 8 rename foo renamed\n"
		       "S: 8 OK ~\n"
		       "C: 9 status renamed (mailboxid)\n"
		       "S: * STATUS renamed (MAILBOXID (F4))\n"
		       "S: 9 OK ~\n"
		       "C: 11 list \"\" \"renamed\" return (status (mailboxid))\n"
		       "S: * LIST (\\HasNoChildren) \"/\" renamed\n"
		       "S: * STATUS renamed (MAILBOXID (F4))\n"
		       "S: 11 OK ~\n"
		       "C: 27 select \"renamed\"\n"
		       "S: * FLAGS ~\n"
		       "S: * OK [PERMANENTFLAGS ~\n"
		       "S: * 0 EXISTS\n"
		       "S: * 0 RECENT\n"
		       "S: * OK [UIDVALIDITY ~\n"
		       "S: * OK [UIDNEXT 1] ~\n"
		       "S: * OK [HIGHESTMODSEQ ~\n"
		       "S: * OK [MAILBOXID (F4)] ~\n"
		       "S: 27 OK [READ-WRITE] SELECT completed\n");
}

/* RFC 8474 5.3, 6: the example without THREADID, with a move */
static void test_email_id(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 MAIL2 INBOX(
		"2") "C: 22 fetch 1:* (emailid threadid)\n"
		     "S: * 1 FETCH (EMAILID (M100000001) THREADID NIL)\n"
		     "S: * 2 FETCH (EMAILID (M100000002) THREADID NIL)\n"
		     "S: 22 OK FETCH completed\n"
		     "C: 27 search emailid M100000001\n"
		     "S: * SEARCH 1\n"
		     "S: 27 OK ~\n"
		     "C: a search emailid m100000001\n" /* identifiers know their case */
		     "S: * SEARCH\n"
		     "S: a OK ~\n"
		     "C: b search emailid M0100000001\n"
		     "S: * SEARCH\n"
		     "S: b OK ~\n"
		     "C: c search emailid M11111111100000001\n"
		     "S: * SEARCH\n"
		     "S: c OK ~\n"
		     "C: d search emailid \"M1\"\n"
		     "S: d BAD ~\n"
		     "C: e search not emailid x_-\n"
		     "S: * SEARCH 1 2\n"
		     "S: e OK ~\n"
		     "C: 28 search threadid T64b478a75b7ea9\n"
		     "S: * SEARCH\n"
		     "S: 28 OK ~\n"
		     "C: 23 move 2 Trash\n"
		     "S: * OK [COPYUID ~] ~\n"
		     "S: * 2 EXPUNGE\n"
		     "S: 23 OK ~\n"
		     "C: 25 select Trash\n"
		     "S: * OK [CLOSED] ~\n"
		     "S: * FLAGS ~\n"
		     "S: * OK [PERMANENTFLAGS ~\n"
		     "S: * 1 EXISTS\n"
		     "S: * 0 RECENT\n"
		     "S: * OK [UNSEEN 1] ~\n"
		     "S: * OK [UIDVALIDITY ~\n"
		     "S: * OK [UIDNEXT 2] ~\n"
		     "S: * OK [HIGHESTMODSEQ ~\n"
		     "S: * OK [MAILBOXID ~\n"
		     "S: 25 OK [READ-WRITE] ~\n"
		     "C: 26 fetch 1:* (emailid threadid)\n"
		     "S: * 1 FETCH (EMAILID (M100000002) THREADID NIL)\n"
		     "S: 26 OK ~\n");
}

/* RFC 8514 4.2, 4.3: the internal date is the client's, the save date is not */
static void test_save_date(void **state)
{
	(void)state;
	dialogue(LOGIN EMPTY_INBOX "C: a APPEND INBOX \"01-Jan-2015 18:50:53 +0100\" {2+}\n"
				   "C: xy\n"
				   "S: * 1 EXISTS\n"
				   "S: a OK ~\n"
				   "C: A101 FETCH 1 (SAVEDATE INTERNALDATE)\n"
				   "S: * 1 FETCH (SAVEDATE \"21-Nov-2026 22:26:40 +0000\" "
				   "INTERNALDATE \"01-Jan-2015 17:50:53 +0000\")\n"
				   "S: A101 OK FETCH completed\n"
				   "C: A102 SEARCH SAVEDON 21-Nov-2026\n"
				   "S: * SEARCH 1\n"
				   "S: A102 OK ~\n"
				   "C: A103 SEARCH SAVEDSINCE 21-Nov-2026\n"
				   "S: * SEARCH 1\n"
				   "S: A103 OK ~\n"
				   "C: A104 SEARCH SAVEDBEFORE 21-Nov-2026\n"
				   "S: * SEARCH\n"
				   "S: A104 OK ~\n"
				   "C: A105 SEARCH SAVEDBEFORE \"22-Nov-2026\" SAVEDATESUPPORTED\n"
				   "S: * SEARCH 1\n"
				   "S: A105 OK ~\n"
				   "C: A106 SEARCH ON 1-Jan-2015 NOT SAVEDATESUPPORTED\n"
				   "S: * SEARCH\n"
				   "S: A106 OK ~\n"
				   "C: A107 SEARCH SAVEDON\n"
				   "S: A107 BAD ~\n");
}

/* RFC 5032 4, to the second */
static void test_within(void **state)
{
	(void)state;
	dialogue(
		LOGIN MAIL1 "X: wait 3000\n" MAIL2 INBOX("2") "C: a1 SEARCH UNSEEN YOUNGER 259200\n"
							      "S: * SEARCH 1 2\n"
							      "S: a1 OK ~\n"
							      "C: a2 SEARCH YOUNGER 2\n"
							      "S: * SEARCH 2\n"
							      "S: a2 OK ~\n"
							      "C: a3 SEARCH YOUNGER 3\n"
							      "S: * SEARCH 1 2\n"
							      "S: a3 OK ~\n"
							      "C: a4 SEARCH OLDER 3\n"
							      "S: * SEARCH 1\n"
							      "S: a4 OK ~\n"
							      "C: a5 SEARCH OLDER 4\n"
							      "S: * SEARCH\n"
							      "S: a5 OK ~\n"
							      "C: a6 SEARCH OLDER 4294967295\n"
							      "S: * SEARCH\n"
							      "S: a6 OK ~\n"
							      "C: a7 SEARCH OLDER 0\n"
							      "S: a7 BAD ~\n"
							      "C: a8 SEARCH YOUNGER 4294967296\n"
							      "S: a8 BAD ~\n");
}

/* RFC 8970 5 */
static void test_preview(void **state)
{
	(void)state;
	dialogue(LOGIN
		"D: Subject: one\\n\\nPreview text!\\n\n"
		"D: Content-Type: image/png\\n\\nPNG\\n\n"
		"D: Content-Type: text/plain; charset=utf-8\\n\\nGr\xc3\xbc\xc3\x9f"
		"e\\n\n" INBOX("3") "C: A1 FETCH 1 (PREVIEW (LAZY))\n"
				    "S: * 1 FETCH (PREVIEW NIL)\n" /* it has no digest yet */
				    "S: A1 OK FETCH completed\n"
				    "C: A2 FETCH 1 (RFC822.SIZE PREVIEW)\n"
				    "S: * 1 FETCH (RFC822.SIZE 31 PREVIEW \"Preview text!\")\n"
				    "S: A2 OK FETCH completed\n"
				    "C: A3 FETCH 2:3 PREVIEW\n"
				    "S: * 2 FETCH (PREVIEW \"\")\n"
				    "S: * 3 FETCH (PREVIEW {7}\n"
				    "S: Gr\xc3\xbc\xc3\x9f"
				    "e)\n"
				    "S: A3 OK ~\n"
				    "C: A4 ENABLE IMAP4rev2\n"
				    "S: * ENABLED IMAP4rev2\n"
				    "S: A4 OK ~\n"
				    "C: A5 UID FETCH 3 (PREVIEW (LAZY LAZY) PREVIEW)\n"
				    "S: * 3 FETCH (PREVIEW \"Gr\xc3\xbc\xc3\x9f"
				    "e\" UID 3)\n"
				    "S: A5 OK ~\n"
				    "C: A6 FETCH 1 (PREVIEW (EAGER))\n"
				    "S: A6 BAD ~\n"
				    "C: A7 FETCH 1 (PREVIEW ())\n"
				    "S: A7 BAD ~\n"
				    "C: A8 FETCH 1 (PREVIEW (LAZY)\n"
				    "S: A8 BAD ~\n");
}

/* RFC 8970 5, example 3 and a digest that is there */
static void test_preview_lazy(void **state)
{
	(void)state;
	dialogue(LOGIN EMPTY_INBOX "C: a APPEND INBOX {23+}\n"
				   "C: From: FOO\n"
				   "C: \n"
				   "C: Preview!\n"
				   "C:\n"
				   "S: * 1 EXISTS\n"
				   "S: a OK ~\n"
				   "C: C2 SEARCH RETURN (SAVE) FROM \"FOO\"\n"
				   "S: C2 OK SEARCH completed\n"
				   "C: C3 FETCH $ (UID PREVIEW (LAZY))\n"
				   "S: * 1 FETCH (UID 1 PREVIEW \"Preview!\")\n"
				   "S: C3 OK FETCH completed\n"
				   "C: C4 FETCH 1 (BODY.PEEK[] PREVIEW (LAZY))\n"
				   "S: * 1 FETCH (BODY[] {23}\n"
				   "S: From: FOO\n"
				   "S: \n"
				   "S: Preview!\n"
				   "S:  PREVIEW \"Preview!\")\n"
				   "S: C4 OK FETCH completed\n");
}

TEST_MAIN(test_case(test_mailbox_id), test_case(test_email_id), test_case(test_save_date),
	test_case(test_within), test_case(test_preview), test_case(test_preview_lazy))
