// SPDX-License-Identifier: Apache-2.0
/* CATENATE: the examples of RFC 4469 and of RFC 8508 4.2 (UIDs and UIDVALIDITYs are the test's),
 * URLs of every kind, alone and among several messages, and what is refused. */
#include "imap/dialogue.h"

/* `text` after `setup`. */
static void talk(const char *setup, const char *text)
{
	struct fake f;

	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_part(&f, setup);
	dialogue_with(&f, text);
	fake_done(&f);
}

/* Two messages in Drafts: one of two parts, and what is to be its new attachment. */
#define DRAFTS                                                                                     \
	"C: s1 CREATE Drafts\n"                                                                    \
	"S: s1 OK ~\n"                                                                             \
	"C: s2 APPEND Drafts {435+}\n"                                                             \
	"C: Return-Path: <bar@example.org>\n"                                                      \
	"C: Subject: Our trip\n"                                                                   \
	"C: MIME-Version: 1.0\n"                                                                   \
	"C: Content-Type: multipart/mixed;\n"                                                      \
	"C:  boundary=\"------------030308070208000400050907\"\n"                                  \
	"C: \n"                                                                                    \
	"C: --------------030308070208000400050907\n"                                              \
	"C: Content-Type: text/plain; charset=us-ascii\n"                                          \
	"C: \n"                                                                                    \
	"C: Cheers,\n"                                                                             \
	"C: Bob\n"                                                                                 \
	"C: --------------030308070208000400050907\n"                                              \
	"C: Content-Type: application/x-zip-compressed\n"                                          \
	"C: Content-Transfer-Encoding: base64\n"                                                   \
	"C: \n"                                                                                    \
	"C: UEsDBAoAAAAAAA==\n"                                                                    \
	"C: --------------030308070208000400050907--\n"                                            \
	"C: \n"                                                                                    \
	"S: s2 OK [APPENDUID 1004 1] ~\n"                                                          \
	"C: s3 APPEND Drafts {95+}\n"                                                              \
	"C: Content-Type: application/x-zip-compressed\n"                                          \
	"C: Content-Transfer-Encoding: base64\n"                                                   \
	"C: \n"                                                                                    \
	"C: UEsFBgAAAAAA\n"                                                                        \
	"C: \n"                                                                                    \
	"S: s3 OK [APPENDUID 1004 2] ~\n"

/* A new attachment: RFC 4469 appendix A, example 1 */
static void test_example_1(void **state)
{
	(void)state;
	talk(LOGIN DRAFTS, "C: A003 APPEND Drafts (\\Seen \\Draft $MDNSent) CATENATE (URL "
			   "\"/Drafts;UIDVALIDITY=1004/;UID=1/;section=HEADER\" TEXT {42}\n"
			   "S: + Ready ~\n"
			   "C: \n"
			   "C: --------------030308070208000400050907\n"
			   "C:  URL \"/Drafts;UIDVALIDITY=1004/;UID=1/;section=1.MIME\" URL "
			   "\"/Drafts;UIDVALIDITY=1004/;UID=1/;section=1\" TEXT {42}\n"
			   "S: + Ready ~\n"
			   "C: \n"
			   "C: --------------030308070208000400050907\n"
			   "C:  URL \"/Drafts;UIDVALIDITY=1004/;UID=2\" TEXT {44}\n"
			   "S: + Ready ~\n"
			   "C: \n"
			   "C: --------------030308070208000400050907--\n"
			   "C: )\n"
			   "S: A003 OK [APPENDUID 1004 3] ~\n"
			   "C: e EXAMINE Drafts\n"
			   "S: * FLAGS ~\n"
			   "S: * OK [PERM~\n"
			   "S: * 3 EXISTS\n"
			   "S: * 0 RECENT\n"
			   "S: * OK [UNSEEN ~\n"
			   "S: * OK [UIDV~\n"
			   "S: * OK [UIDN~\n"
			   "S: * OK [HIGH~\n"
			   "S: * OK [MAILBOXID ~\n"
			   "S: e OK ~\n"
			   "C: f FETCH 3 (FLAGS BODY.PEEK[])\n"
			   "S: * 3 FETCH (FLAGS (\\Seen \\Draft $MDNSent) BODY[] {435}\n"
			   "S: Return-Path: <bar@example.org>\n"
			   "S: Subject: Our trip\n"
			   "S: MIME-Version: 1.0\n"
			   "S: Content-Type: multipart/mixed;\n"
			   "S:  boundary=\"------------030308070208000400050907\"\n"
			   "S: \n"
			   "S: \n"
			   "S: --------------030308070208000400050907\n"
			   "S: Content-Type: text/plain; charset=us-ascii\n"
			   "S: \n"
			   "S: Cheers,\n"
			   "S: Bob\n"
			   "S: --------------030308070208000400050907\n"
			   "S: Content-Type: application/x-zip-compressed\n"
			   "S: Content-Transfer-Encoding: base64\n"
			   "S: \n"
			   "S: UEsFBgAAAAAA\n"
			   "S: \n"
			   "S: --------------030308070208000400050907--\n"
			   "S: )\n"
			   "S: f OK ~\n");
}

/* New text and header: example 2 */
static void test_example_2(void **state)
{
	(void)state;
	talk(LOGIN DRAFTS, "C: A003 APPEND Drafts (\\Seen \\Draft $MDNSent) CATENATE (TEXT {721}\n"
			   "S: + Ready ~\n"
			   "C: Return-Path: <bar@example.org>\n"
			   "C: Received: from [127.0.0.2]\n"
			   "C:           by rufus.example.org via TCP (internal) with ESMTPA;\n"
			   "C:           Thu, 11 Nov 2004 16:57:07 +0000\n"
			   "C: Message-ID: <419399E1.6000505@example.org>\n"
			   "C: Date: Thu, 12 Nov 2004 16:57:05 +0000\n"
			   "C: From: Bob Ar <bar@example.org>\n"
			   "C: X-Accept-Language: en-us, en\n"
			   "C: MIME-Version: 1.0\n"
			   "C: To: foo@example.net\n"
			   "C: Subject: About our holiday trip\n"
			   "C: Content-Type: multipart/mixed;\n"
			   "C:               boundary=\"------------030308070208000400050907\"\n"
			   "C: \n"
			   "C: --------------030308070208000400050907\n"
			   "C: Content-Type: text/plain; charset=us-ascii; format=flowed\n"
			   "C: Content-Transfer-Encoding: 7bit\n"
			   "C: \n"
			   "C: Our travel agent has sent the updated schedule.\n"
			   "C: \n"
			   "C: Cheers,\n"
			   "C: Bob\n"
			   "C: --------------030308070208000400050907\n"
			   "C:  URL \"/Drafts;UIDVALIDITY=1004/;UID=1/;Section=2.MIME\" URL "
			   "\"/Drafts;UIDVALIDITY=1004/;UID=1/;Section=2\" TEXT {44}\n"
			   "S: + Ready ~\n"
			   "C: \n"
			   "C: --------------030308070208000400050907--\n"
			   "C: )\n"
			   "S: A003 OK [APPENDUID 1004 3] ~\n"
			   "C: e SELECT Drafts\n"
			   "S: * FLAGS ~\n"
			   "S: * OK [PERM~\n"
			   "S: * 3 EXISTS\n"
			   "S: * 0 RECENT\n"
			   "S: * OK [UNSEEN ~\n"
			   "S: * OK [UIDV~\n"
			   "S: * OK [UIDN~\n"
			   "S: * OK [HIGH~\n"
			   "S: * OK [MAILBOXID ~\n"
			   "S: e OK ~\n"
			   "C: A004 UID STORE 1 +FLAGS.SILENT (\\Deleted)\n"
			   "S: A004 OK STORE completed\n"
			   "C: f FETCH 3 (FLAGS BODY.PEEK[])\n"
			   "S: * 3 FETCH (FLAGS (\\Seen \\Draft $MDNSent) BODY[] {862}\n"
			   "S: Return-Path: <bar@example.org>\n"
			   "S: Received: from [127.0.0.2]\n"
			   "S:           by rufus.example.org via TCP (internal) with ESMTPA;\n"
			   "S:           Thu, 11 Nov 2004 16:57:07 +0000\n"
			   "S: Message-ID: <419399E1.6000505@example.org>\n"
			   "S: Date: Thu, 12 Nov 2004 16:57:05 +0000\n"
			   "S: From: Bob Ar <bar@example.org>\n"
			   "S: X-Accept-Language: en-us, en\n"
			   "S: MIME-Version: 1.0\n"
			   "S: To: foo@example.net\n"
			   "S: Subject: About our holiday trip\n"
			   "S: Content-Type: multipart/mixed;\n"
			   "S:               boundary=\"------------030308070208000400050907\"\n"
			   "S: \n"
			   "S: --------------030308070208000400050907\n"
			   "S: Content-Type: text/plain; charset=us-ascii; format=flowed\n"
			   "S: Content-Transfer-Encoding: 7bit\n"
			   "S: \n"
			   "S: Our travel agent has sent the updated schedule.\n"
			   "S: \n"
			   "S: Cheers,\n"
			   "S: Bob\n"
			   "S: --------------030308070208000400050907\n"
			   "S: Content-Type: application/x-zip-compressed\n"
			   "S: Content-Transfer-Encoding: base64\n"
			   "S: \n"
			   "S: UEsDBAoAAAAAAA==\n"
			   "S: --------------030308070208000400050907--\n"
			   "S: )\n"
			   "S: f OK ~\n");
}

/* The attachment is stripped: example 3 */
static void test_example_3(void **state)
{
	(void)state;
	talk(LOGIN DRAFTS, "C: A003 APPEND Drafts (\\Seen \\Draft $MDNSent) CATENATE (URL "
			   "\"/Drafts;UIDVALIDITY=1004/;UID=1/;section=HEADER\" TEXT {42}\n"
			   "S: + Ready ~\n"
			   "C: \n"
			   "C: --------------030308070208000400050903\n"
			   "C:  URL \"/Drafts;UIDVALIDITY=1004/;UID=1/;section=1.MIME\" URL "
			   "\"/Drafts;UIDVALIDITY=1004/;UID=1/;section=1\" TEXT {255}\n"
			   "S: + Ready ~\n"
			   "C: \n"
			   "C: --------------030308070208000400050903\n"
			   "C: Content-type: text/plain; charset=\"us-ascii\"\n"
			   "C: Content-transfer-encoding: 7bit\n"
			   "C: \n"
			   "C: This body part contained a Power Point presentation that was\n"
			   "C: deleted upon your request.\n"
			   "C: --------------030308070208000400050903--\n"
			   "C: )\n"
			   "S: A003 OK [APPENDUID 1004 3] ~\n"
			   "C: e EXAMINE Drafts\n"
			   "S: * FLAGS ~\n"
			   "S: * OK [PERM~\n"
			   "S: * 3 EXISTS\n"
			   "S: * 0 RECENT\n"
			   "S: * OK [UNSEEN ~\n"
			   "S: * OK [UIDV~\n"
			   "S: * OK [UIDN~\n"
			   "S: * OK [HIGH~\n"
			   "S: * OK [MAILBOXID ~\n"
			   "S: e OK ~\n"
			   "C: f FETCH 3 (FLAGS BODY.PEEK[])\n"
			   "S: * 3 FETCH (FLAGS (\\Seen \\Draft $MDNSent) BODY[] {509}\n"
			   "S: Return-Path: <bar@example.org>\n"
			   "S: Subject: Our trip\n"
			   "S: MIME-Version: 1.0\n"
			   "S: Content-Type: multipart/mixed;\n"
			   "S:  boundary=\"------------030308070208000400050907\"\n"
			   "S: \n"
			   "S: \n"
			   "S: --------------030308070208000400050903\n"
			   "S: Content-Type: text/plain; charset=us-ascii\n"
			   "S: \n"
			   "S: Cheers,\n"
			   "S: Bob\n"
			   "S: --------------030308070208000400050903\n"
			   "S: Content-type: text/plain; charset=\"us-ascii\"\n"
			   "S: Content-transfer-encoding: 7bit\n"
			   "S: \n"
			   "S: This body part contained a Power Point presentation that was\n"
			   "S: deleted upon your request.\n"
			   "S: --------------030308070208000400050903--\n"
			   "S: )\n"
			   "S: f OK ~\n");
}

/* One message is gone: example 4; then the same sent ahead, by a client that waits for nothing */
static void test_example_4(void **state)
{
	(void)state;
	talk(LOGIN MAIL1,
		"C: A003 APPEND Sent (\\Seen $MDNSent) CATENATE (TEXT {540}\n"
		"S: + Ready ~\n"
		"C: Return-Path: <foo@example.org>\n"
		"C: Received: from [127.0.0.2]\n"
		"C:           by rufus.example.org via TCP (internal) with ESMTPA;\n"
		"C:           Thu, 11 Nov 2004 16:57:07 +0000\n"
		"C: Message-ID: <419399E1.6000505@example.org>\n"
		"C: Date: Thu, 21 Nov 2004 16:57:05 +0000\n"
		"C: From: Farren Oo <foo@example.org>\n"
		"C: X-Accept-Language: en-us, en\n"
		"C: MIME-Version: 1.0\n"
		"C: To: bar@example.org\n"
		"C: Subject: Digest of the mailing list for today\n"
		"C: Content-Type: multipart/digest;\n"
		"C:               boundary=\"------------030308070208000400050904\"\n"
		"C: \n"
		"C: --------------030308070208000400050904\n"
		"C:  URL \"/INBOX;UIDVALIDITY=1001/;UID=1\" TEXT {42}\n"
		"S: + Ready ~\n"
		"C: \n"
		"C: --------------030308070208000400050904\n"
		"C:  URL \"/INBOX;UIDVALIDITY=1001/;UID=113330/;section=1.5.9\" TEXT {42}\n"
		"S: A003 NO [BADURL \"/INBOX;UIDVALIDITY=1001/;UID=113330/;section=1.5.9\"] ~\n"
		"C: a STATUS Sent (MESSAGES)\n"
		"S: * STATUS Sent (MESSAGES 0)\n"
		"S: a OK ~\n"
		"C: A003 APPEND Sent (\\Seen $MDNSent) CATENATE (TEXT {540+}\n"
		"C: Return-Path: <foo@example.org>\n"
		"C: Received: from [127.0.0.2]\n"
		"C:           by rufus.example.org via TCP (internal) with ESMTPA;\n"
		"C:           Thu, 11 Nov 2004 16:57:07 +0000\n"
		"C: Message-ID: <419399E1.6000505@example.org>\n"
		"C: Date: Thu, 21 Nov 2004 16:57:05 +0000\n"
		"C: From: Farren Oo <foo@example.org>\n"
		"C: X-Accept-Language: en-us, en\n"
		"C: MIME-Version: 1.0\n"
		"C: To: bar@example.org\n"
		"C: Subject: Digest of the mailing list for today\n"
		"C: Content-Type: multipart/digest;\n"
		"C:               boundary=\"------------030308070208000400050904\"\n"
		"C: \n"
		"C: --------------030308070208000400050904\n"
		"C:  URL \"/INBOX;UIDVALIDITY=1001/;UID=113330/;section=1.5.9\" TEXT {42+}\n"
		"C: \n"
		"C: --------------030308070208000400050904\n"
		"C:  URL \"/INBOX;UIDVALIDITY=1001/;UID=1\" TEXT {44+}\n"
		"C: \n"
		"C: --------------030308070208000400050904--\n"
		"C: )\n"
		"S: A003 NO [BADURL \"/INBOX;UIDVALIDITY=1001/;UID=113330/;section=1.5.9\"] ~\n"
		"C: b STATUS Sent (MESSAGES)\n"
		"S: * STATUS Sent (MESSAGES 0)\n"
		"S: b OK ~\n");
}

/* RFC 8508 4.2 */
static void test_replace(void **state)
{
	(void)state;
	talk(LOGIN MAIL2 INBOX("1"), "C: A011 UID REPLACE 1 INBOX CATENATE (TEXT {71}\n"
				     "S: + Ready ~\n"
				     "C: To: Mitzy <miss.mitzy@example.org>\n"
				     "C: Subject: My view of the fireworks\n"
				     "C:  URL \"/INBOX/;UID=1\")\n"
				     "S: * OK [APPENDUID 1001 2] Replacement message ready\n"
				     "S: * 1 EXPUNGE\n"
				     "S: * 1 EXISTS\n"
				     "S: A011 OK REPLACE completed\n"
				     "C: b FETCH 1 BODY.PEEK[]\n"
				     "S: * 1 FETCH (BODY[] {115}\n"
				     "S: To: Mitzy <miss.mitzy@example.org>\n"
				     "S: Subject: My view of the fireworks\n"
				     "S: From: b@example.org\n"
				     "S: Subject: two\n"
				     "S: \n"
				     "S: World\n"
				     "S: )\n"
				     "S: b OK ~\n");
}

#define FETCHED(tag, n, size, text)                                                                \
	"C: " tag " FETCH " n " BODY.PEEK[]\n"                                                     \
	"S: * " n " FETCH (BODY[] {" size "}\n"                                                    \
	"S: " text ")\n"                                                                           \
	"S: " tag " OK ~\n"

/* Every kind of URL, without a literal; \Seen stays as it is */
static void urls(const char *circumstances)
{
	struct fake f;

	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_part(&f, LOGIN MAIL1 INBOX("1"));
	dialogue_part(&f, circumstances);
	dialogue_with(&f,
		"C: a APPEND INBOX CATENATE (URL ;UID=1/;SECTION=TEXT/;PARTIAL=1.3)\n"
		"S: * 2 EXISTS\n"
		"S: a OK [APPENDUID 1001 2] ~\n" FETCHED("b", "2", "3",
			"ell") "C: c APPEND INBOX CATENATE (URL "
			       "\"/INBOX/;UID=1/;SECTION=HEADER.FIELDS%20(Subject)\" "
			       "URL "
			       "\"/%49nbox/;UID=1/;SECTION=HEADER.FIELDS.NOT%20(From%20Date)/"
			       ";PARTIAL=0.9\" URL "
			       ";UID=1/;PARTIAL=80)\n"
			       "S: * 3 EXISTS\n"
			       "S: c OK [APPENDUID 1001 3] ~\n"
			       "C: d FETCH 3 BODY.PEEK[]\n"
			       "S: * 3 FETCH (BODY[] {28}\n"
			       "S: Subject: one\n"
			       "S: \n"
			       "S: Subject: o\n"
			       "S: )\n"
			       "S: d OK ~\n"
			       /* empty pieces are nothing; nor is a URL whose literal comes apart
				*/
			       "C: e APPEND INBOX CATENATE (URL ;UID=1/;PARTIAL=5000 URL {21}\n"
			       "S: + OK\n"
			       "C: ;UID=1/;SECTION=1/;PA)\n"
			       "S: e NO [BADURL \";UID=1/;SECTION=1/;PA\"] ~\n"
			       "C: f APPEND INBOX CATENATE (TEXT {0+}\n"
			       "C:  URL {17}\n"
			       "S: + OK\n"
			       "C: ;UID=1/;SECTION=1 TEXT {2+}\n"
			       "C: xy)\n"
			       "S: * 4 EXISTS\n"
			       "S: f OK [APPENDUID 1001 4] ~\n"
			       "C: g FETCH 4 BODY.PEEK[]\n"
			       "S: * 4 FETCH (BODY[] {9}\n"
			       "S: Hello\n"
			       "S: xy)\n"
			       "S: g OK ~\n"
			       "C: h FETCH 1 FLAGS\n"
			       "S: * 1 FETCH (FLAGS ())\n"
			       "S: h OK ~\n");
	fake_done(&f);
}

static void test_urls(void **state)
{
	(void)state;
	urls("");
	urls("X: nodigests\n");
	urls("X: stingy\n");
}

/* With MULTIAPPEND: messages of all kinds in one commit, or none */
static void test_several(void **state)
{
	(void)state;
	talk(LOGIN MAIL1 INBOX("1"),
		"X: stingy\n"
		"C: a APPEND INBOX (one) CATENATE (URL ;UID=1/;SECTION=TEXT TEXT {1+}\n"
		"C: x) (two) {2+}\n"
		"C: yz (three) CATENATE (URL ;UID=1/;SECTION=TEXT) CATENATE (TEXT {1+}\n"
		"C: w TEXT {1+}\n"
		"C: v) ~{1+}\n"
		"C: u\n"
		"S: * FLAGS (~one two three~)\n"
		"S: * 6 EXISTS\n"
		"S: a OK [APPENDUID 1001 2:6] ~\n"
		"C: b FETCH 2:6 (FLAGS BODY.PEEK[])\n"
		"S: * 2 FETCH (FLAGS (one) BODY[] {8}\n"
		"S: Hello\n"
		"S: x)\n"
		"S: * 3 FETCH (FLAGS (two) BODY[] {2}\n"
		"S: yz)\n"
		"S: * 4 FETCH (FLAGS (three) BODY[] {7}\n"
		"S: Hello\n"
		"S: )\n"
		"S: * 5 FETCH (FLAGS () BODY[] {2}\n"
		"S: wv)\n"
		"S: * 6 FETCH (FLAGS () BODY[] {1}\n"
		"S: u)\n"
		"S: b OK ~\n"
		"C: c APPEND INBOX CATENATE (URL ;UID=1) CATENATE (URL ;UID=99)\n"
		"S: c NO [BADURL \";UID=99\"] ~\n"
		"C: d APPEND INBOX CATENATE (URL ;UID=1) CATENATE (TEXT {0+}\n"
		"C: )\n"
		"S: d NO An empty message cancels APPEND\n"
		"C: e ENABLE UTF8=ACCEPT\n"
		"S: * ENABLED UTF8=ACCEPT\n"
		"S: e OK ~\n"
		"C: f APPEND INBOX CATENATE (UTF8 (~{4+}\n"
		"C: a: b) URL ;UID=1/;SECTION=TEXT)\n"
		/* RFC 6855 4 */
		"S: * 7 EXISTS\n"
		"S: f OK [APPENDUID 1001 7] ~\n"
		"C: g FETCH 7 RFC822.SIZE\n"
		"S: * 7 FETCH (RFC822.SIZE 11)\n"
		"S: g OK ~\n");
}

static void test_refused(void **state)
{
	(void)state;
	talk(LOGIN MAIL1,
		/* RFC 4469 3: with nothing selected the base URL names no mailbox */
		"C: a APPEND INBOX CATENATE (URL ;UID=1)\n"
		"S: a NO [BADURL \";UID=1\"] ~\n"
		"C: b APPEND INBOX CATENATE (URL imap://alice@localhost/INBOX/;UID=1)\n"
		"S: b NO [BADURL \"imap://alice@localhost/INBOX/;UID=1\"] ~\n"
		"C: c APPEND INBOX CATENATE (URL \"a]\\\"b\")\n"
		"S: c NO [BADURL \"a%5D%22b\"] ~\n"
		"C: d APPEND INBOX CATENATE (URL /nowhere/;UID=1 URL /INBOX/;UID=1)\n"
		"S: d NO [BADURL \"/nowhere/;UID=1\"] ~\n"
		"C: e APPEND INBOX CATENATE (URL /INBOX;UIDVALIDITY=1002/;UID=1)\n"
		"S: e NO [BADURL ~] ~\n"
		"C: f APPEND INBOX CATENATE (URL /INBOX/;UID=1/;SECTION=2)\n"
		"S: f NO [BADURL ~] ~\n"
		"C: g APPEND INBOX CATENATE (URL /INBOX/;UID=1/;SECTION=FOO)\n"
		"S: g NO [BADURL ~] ~\n"
		"C: h APPEND INBOX CATENATE (URL /../;UID=1)\n"
		"S: h NO [BADURL ~] ~\n"
		"C: i APPEND nowhere CATENATE (URL /INBOX/;UID=1)\n"
		"S: i NO [TRYCREATE] ~\n"
		/* syntax */
		"C: j APPEND INBOX CATENATE ()\n"
		"S: j BAD ~\n"
		"C: k APPEND INBOX CATENATE (URL /INBOX/;UID=1\n"
		"S: k BAD ~\n"
		"C: l APPEND INBOX CATENATE (URL /INBOX/;UID=1) x\n"
		"S: l BAD ~\n"
		"C: m APPEND INBOX CATENATE (TEXT {1}\n"
		"S: + Ready ~\n"
		"C: x URL /INBOX/;UID=1 FOO {1}\n"
		"S: m BAD ~\n"
		"C: n APPEND INBOX CATENATE (TEXT \"x\")\n"
		"S: n BAD ~\n"
		"C: o APPEND INBOX\n"
		"S: o BAD ~\n"
		"C: p APPEND INBOX CATENATE (UTF8 (~{4+}\n"
		"C: a: b))\n"
		"S: p NO [CANNOT] ~\n"
		"C: q APPEND INBOX CATENATE (TEXT {1+}\n"
		"C: x\n"
		"S: q BAD ~\n"
		"C: r STATUS INBOX (MESSAGES)\n"
		"S: * STATUS INBOX (MESSAGES 1)\n"
		"S: r OK ~\n");
}

/* The largest message, by text and by URL, and one byte more */
static void test_too_big(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f);
	f.settings.message_bytes = 10;
	fake_connect(&f, "imaps", true);
	dialogue_with(&f,
		LOGIN MAIL1 INBOX(
			"1") "C: a APPEND INBOX CATENATE (TEXT {3+}\n"
			     "C: abc URL ;UID=1/;SECTION=TEXT)\n"
			     "S: * 2 EXISTS\n"
			     "S: a OK [APPENDUID 1001 2] ~\n"
			     "C: b APPEND INBOX CATENATE (TEXT {4+}\n"
			     "C: abcd URL ;UID=1/;SECTION=TEXT TEXT {5+}\n"
			     "C: abcde)\n"
			     "S: b NO [TOOBIG] ~\n"
			     "C: c APPEND INBOX CATENATE (URL ;UID=1/;SECTION=TEXT TEXT {3}\n"
			     "S: + Ready ~\n"
			     "C: abc TEXT {0}\n"
			     "S: + Ready ~\n"
			     "C: )\n"
			     "S: * 3 EXISTS\n"
			     "S: c OK ~\n"
			     "C: d APPEND INBOX CATENATE (URL ;UID=1/;SECTION=TEXT TEXT {4}\n"
			     "S: d NO [TOOBIG] ~\n");
	fake_done(&f);
}

/* What is too long for a dialogue; frees it. */
static void append_at_once(struct buf *in, const char *reply)
{
	struct fake f;

	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_part(&f, LOGIN MAIL1);
	fake_send(&f, 0, buf_str(in));
	dialogue_with(&f, reply);
	buf_done(in);
	fake_done(&f);
}

static void append_parts(int n, const char *reply)
{
	struct buf in;

	buf_init(&in, 65536);
	buf_addz(&in, "a APPEND INBOX CATENATE (TEXT {1+}\r\nx");
	for (int i = 1; i < n; i++)
		buf_addz(&in, " URL /INBOX/;UID=1/;PARTIAL=0.1");
	buf_addz(&in, ")\r\n");
	append_at_once(&in, reply);
}

static void test_parts(void **state)
{
	(void)state;
	append_parts(LIMIT_IMAP_CATENATE_PARTS - 1, "S: a OK ~\n");
	append_parts(LIMIT_IMAP_CATENATE_PARTS, "S: a OK ~\n");
	append_parts(LIMIT_IMAP_CATENATE_PARTS + 1, "S: a NO [LIMIT] At most 1000 parts at once\n");
}

static void append_url(size_t n, const char *reply)
{
	struct buf in;

	buf_init(&in, 65536);
	buf_addz(&in, "a APPEND INBOX CATENATE (URL \"");
	for (size_t i = 0; i < n; i++)
		buf_addc(&in, 'x');
	buf_addz(&in, "\")\r\n");
	append_at_once(&in, reply);
}

static void test_url_bytes(void **state)
{
	(void)state;
	append_url(LIMIT_IMAP_URL_BYTES - 1, "S: a NO [BADURL \"xxx~xxx\"] ~\n");
	append_url(LIMIT_IMAP_URL_BYTES, "S: a NO [BADURL \"xxx~xxx\"] ~\n");
	append_url(LIMIT_IMAP_URL_BYTES + 1, "S: a BAD ~\n");
}

TEST_MAIN(test_case(test_example_1), test_case(test_example_2), test_case(test_example_3),
	test_case(test_example_4), test_case(test_replace), test_case(test_urls),
	test_case(test_several), test_case(test_refused), test_case(test_too_big),
	test_case(test_parts), test_case(test_url_bytes))
