// SPDX-License-Identifier: Apache-2.0
/* Dialogues with a whole session: RFC 9051's examples and the order in which things may be said. */
#include "imap/dialogue.h"

#define OPENED                                                                                     \
	"S: * OK [UIDVALIDITY 1001] ~\n"                                                           \
	"S: * OK [UIDNEXT ~] ~\n"                                                                  \
	"S: * OK [HIGHESTMODSEQ ~] ~\n"                                                            \
	"S: se OK [READ-WRITE] SELECT completed\n"
#define EMPTY_INBOX SELECTED("0") OPENED
#define INBOX(n)    SELECTED(n) "S: * OK [UNSEEN 1] ~\n" OPENED

#define MAIL1                                                                                      \
	"D: From: a@example.org\\nSubject: one\\nDate: Sat, 21 Nov 2026 22:23:33 "                 \
	"+0000\\n\\nHello\\n\n"
#define MAIL2 "D: From: b@example.org\\nSubject: two\\n\\nWorld\\n\n"

static void test_login(void **state)
{
	(void)state;
	dialogue(LOGIN "C: a2 NOOP\n"
		       "S: a2 OK NOOP completed\n"
		       "C: a3 LOGIN alice secret\n"
		       "S: a3 BAD You are logged in already\n"
		       "C: a4 FETCH 1 FLAGS\n"
		       "S: a4 BAD Please select a mailbox first\n"
		       "C: a5 LOGOUT\n"
		       "S: * BYE Goodbye\n"
		       "S: a5 OK LOGOUT completed\n"
		       "X: closed\n");
	dialogue("S: * OK ~\n"
		 "C: a LOGIN {5}\n"
		 "S: + OK\n"
		 "C: alice {6+}\n"
		 "C: secret\n"
		 "S: a OK [CAPABILITY ~LITERAL+~] Logged in\n");
}

/* A wrong password is told after a second, then two; the fifth ends the connection. */
static void test_login_fails(void **state)
{
	(void)state;
	dialogue("S: * OK ~\n"
		 "C: a LOGIN alice wrong\n"
		 "X: wait 999\n"
		 "C: b NOOP\n"
		 "X: wait 1\n"
		 "S: a NO [AUTHENTICATIONFAILED] ~\n"
		 "S: b OK NOOP completed\n"
		 "C: c LOGIN \"nobody\" \"\\\"\"\n"
		 "X: wait 2000\n"
		 "S: c NO [AUTHENTICATIONFAILED] ~\n"
		 "C: d LOGIN x y\n"
		 "X: wait 4000\n"
		 "S: d NO [AUTHENTICATIONFAILED] ~\n"
		 "C: e LOGIN x y\n"
		 "X: wait 8000\n"
		 "S: e NO [AUTHENTICATIONFAILED] ~\n"
		 "C: f LOGIN x y\n"
		 "X: wait 16000\n"
		 "S: f NO [AUTHENTICATIONFAILED] ~\n"
		 "S: * BYE Too many failed logins\n"
		 "X: closed\n");
}

static void test_authenticate(void **state)
{
	(void)state;
	dialogue("S: * OK [CAPABILITY ~ AUTH=PLAIN AUTH=LOGIN SASL-IR ~] ~\n"
		 "C: a AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==\n"
		 "S: a OK [CAPABILITY ~] Logged in\n");
	dialogue("S: * OK ~\n"
		 "C: a AUTHENTICATE PLAIN\n"
		 "S: + \n"
		 "C: AGFsaWNlAHNlY3JldA==\n"
		 "S: a OK [CAPABILITY ~] Logged in\n");
	dialogue("S: * OK ~\n"
		 "C: a AUTHENTICATE PLAIN\n"
		 "S: + \n"
		 "C: *\n"
		 "S: a BAD AUTHENTICATE cancelled\n"
		 "C: b AUTHENTICATE PLAIN\n"
		 "S: + \n"
		 "C: {5}((((((((((((((\n"
		 "S: b BAD ~\n"
		 "C: c AUTHENTICATE KERBEROS_V4\n"
		 "S: c NO [CANNOT] No such mechanism\n"
		 "C: d AUTHENTICATE LOGIN\n"
		 "S: + VXNlcm5hbWU6\n"
		 "C: YWxpY2U=\n"
		 "S: + UGFzc3dvcmQ6\n"
		 "C: c2VjcmV0\n"
		 "S: d OK [CAPABILITY ~] Logged in\n");
}

/* I15, I17, S15: no password without TLS; what stood behind STARTTLS is forgotten. */
static void test_starttls(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imap", false);
	dialogue_with(&f, "S: * OK [CAPABILITY IMAP4rev1 IMAP4rev2 STARTTLS LOGINDISABLED SASL-IR "
			  "LITERAL- ID ENABLE] ~\n"
			  "C: a LOGIN alice secret\n"
			  "S: a NO [PRIVACYREQUIRED] ~\n"
			  "C: b AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==\n"
			  "S: b NO [PRIVACYREQUIRED] ~\n");
	buf_addz(&f.clients[0].unread, "c STARTTLS\r\nd LOGIN alice secret\r\n");
	dialogue_with(&f, "X: wait 0\n"
			  "S: c OK Begin TLS ~\n"
			  "C: e STARTTLS\n"
			  "S: e BAD TLS is on already\n"
			  "C: f LOGIN alice secret\n"
			  "S: f OK [CAPABILITY ~] Logged in\n");
	fake_done(&f);
	fake_init(&f);
	f.settings.plaintext_auth_loopback = true;
	fake_connect(&f, "imap", false);
	dialogue_with(&f, LOGIN);
	fake_done(&f);
}

static void test_stranger(void **state)
{
	struct fake f;

	(void)state;
	/* the tenth bad command is the last */
	fake_init(&f);
	fake_connect(&f, "imap", true);
	buf_clear(&f.clients[0].received);
	for (int i = 1; i < LIMIT_IMAP_BADS; i++)
		dialogue_with(&f, "C: a XYZZY\n"
				  "S: a BAD Unknown command\n");
	dialogue_with(&f, "C: a XYZZY\n"
			  "S: a BAD Unknown command\n"
			  "S: * BYE Too many bad commands\n"
			  "X: closed\n");
	fake_done(&f);
	dialogue("S: * OK ~\n"
		 "C: a NOOP ((((((((((((((\n" /* I4 */
		 "S: a BAD Too many parentheses\n"
		 "C: a LOGIN {4294967295}\n" /* I1 */
		 "S: a BAD [TOOBIG] Literal is too large\n"
		 "C: a LOGIN {99999999999999999999}\n"
		 "S: a BAD Literal is malformed\n"
		 "C: a LOGIN {-1}\n"
		 "S: a BAD Literal is malformed\n"
		 "C: a LOGIN {010}\n"
		 "S: a BAD Literal is malformed\n"
		 "C: a LOGIN {0}\n"
		 "S: + OK\n"
		 "C:  x\n"
		 "X: wait 1000\n"
		 "S: a NO [AUTHENTICATIONFAILED] ~\n"
		 "C: +a NOOP\n"
		 "S: * BAD A command begins with a tag\n"
		 "C: a\n"
		 "S: a BAD A command has a name\n"
		 "C: a LIST \"\" *\n"
		 "S: a BAD Please log in first\n"
		 "C: a LOGIN {104857600+}\n" /* I2 */
		 "S: * BYE [TOOBIG] Literal is too large\n"
		 "X: closed\n");
	dialogue("S: * OK ~\n"
		 "C: GET / HTTP/1.1\n"
		 "X: closed\n");
	dialogue("S: * OK ~\n"
		 "X: wait 59999\n"
		 "C: a NOOP\n"
		 "S: a OK NOOP completed\n"
		 "X: wait 1\n"
		 "S: * BYE Login takes too long\n"
		 "X: closed\n");
}

static void test_autologout(void **state)
{
	(void)state;
	dialogue(LOGIN "X: wait 1799999\n"
		       "C: a NOOP\n"
		       "S: a OK NOOP completed\n"
		       "C: b IDLE\n"
		       "S: + idling\n"
		       "X: wait 1800000\n"
		       "S: * BYE Autologout~\n"
		       "X: closed\n");
}

static void test_select(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 MAIL2 INBOX(
		"2") "C: a EXAMINE \"inbox\"\n"
		     "S: * OK [CLOSED] ~\n"
		     "S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\n"
		     "S: * OK [PERMANENTFLAGS ()] ~\n"
		     "S: * 2 EXISTS\n"
		     "S: * 0 RECENT\n"
		     "S: * OK [UNSEEN 1] ~\n"
		     "S: * OK [UIDVALIDITY 1001] ~\n"
		     "S: * OK [UIDNEXT 3] ~\n"
		     "S: * OK [HIGHESTMODSEQ 12] ~\n"
		     "S: a OK [READ-ONLY] EXAMINE completed\n"
		     "C: b STORE 1 +FLAGS (\\Seen)\n"
		     "S: b NO [READ-ONLY] ~\n"
		     "C: c SELECT nowhere\n"
		     "S: * OK [CLOSED] ~\n"
		     "S: c NO [NONEXISTENT] ~\n"
		     "C: d FETCH 1 UID\n"
		     "S: d BAD Please select a mailbox first\n"
		     "C: e SELECT\n"
		     "S: e BAD ~\n"
		     "C: f SELECT INBOX (CONDSTORE\n"
		     "S: f BAD ~\n" INBOX("2") "C: g UNSELECT\n"
					       "S: g OK UNSELECT completed\n"
					       "C: h CLOSE\n"
					       "S: h BAD Please select a mailbox first\n");
}

/* RFC 9051 6.3.1, appendix E: what ENABLE IMAP4rev2 changes */
static void test_enable(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 "C: a ENABLE IMAP4rev2 X-GOOD-IDEA CONDSTORE\n"
			     "S: * ENABLED IMAP4rev2 CONDSTORE\n"
			     "S: a OK ENABLE completed\n"
			     "C: b ENABLE CONDSTORE\n"
			     "S: * ENABLED\n"
			     "S: b OK ENABLE completed\n"
			     "C: c SELECT INBOX\n"
			     "S: * FLAGS (~)\n"
			     "S: * OK [PERMANENTFLAGS (~\\*)] ~\n"
			     "S: * 1 EXISTS\n"
			     "S: * OK [UIDVALIDITY 1001] ~\n"
			     "S: * OK [UIDNEXT 2] ~\n"
			     "S: * OK [HIGHESTMODSEQ 11] ~\n"
			     "S: * LIST () \"/\" INBOX\n"
			     "S: c OK [READ-WRITE] ~\n"
			     "C: d SEARCH ALL\n"
			     "S: * ESEARCH (TAG \"d\") ALL 1\n"
			     "S: d OK ~\n"
			     "C: e STORE 1 +FLAGS \\Seen\n"
			     "S: * 1 FETCH (~FLAGS (\\Seen)~MODSEQ (12))\n"
			     "S: e OK STORE completed\n"
			     "C: f ENABLE\n"
			     "S: f BAD ~\n");
}

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
		"C: i APPEND INBOX {2}\n" /* MULTIAPPEND is not announced */
		"S: + Ready ~\n"
		"C: ab {2+}\n"
		"C: cd\n"
		"S: i BAD ~\n"
		"C: j APPEND INBOX ~{0}\n"
		"S: + Ready ~\n"
		"C: \n"
		"S: * 3 EXISTS\n"
		"S: j OK ~\n"
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

/* A message that another session expunged: no answer for it, and a word about it. RFC 2180 4.1 */
static void test_fetch_gone(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 MAIL2 INBOX("2") LOGIN2
		"C2: a SELECT INBOX\n"
		"S2: * FLAGS ~\n"
		"S2: * OK [PERM~\n"
		"S2: * 2 EXISTS\n"
		"S2: * 0 RECENT\n"
		"S2: * OK [UNSEEN ~\n"
		"S2: * OK [UIDV~\n"
		"S2: * OK [UIDN~\n"
		"S2: * OK [HIGH~\n"
		"S2: a OK ~\n"
		"C2: b STORE 1 +FLAGS.SILENT (\\Deleted)\n"
		"S2: b OK ~\n"
		"C2: c EXPUNGE\n"
		"S2: * 1 EXPUNGE\n"
		"S2: c OK ~\n"
		"C: a FETCH 1:2 BODY.PEEK[TEXT]\n"
		"S: * 2 FETCH (BODY[TEXT] {7}\n"
		"S: World\n"
		"S: )\n"
		"S: a NO [EXPUNGEISSUED] ~\n"
		"C: b FETCH 2 UID\n"
		"S: * 2 FETCH (UID 2)\n"
		"S: b OK ~\n"
		"C: c NOOP\n"
		"S: * 1 EXPUNGE\n"
		"S: c OK ~\n"
		"C2: d STORE 1 +FLAGS.SILENT (\\Deleted)\n"
		"S2: d OK ~\n"
		"C2: e EXPUNGE\n"
		"S2: * 1 EXPUNGE\n"
		"S2: e OK ~\n"
		"C: d UID FETCH 1:* BODY.PEEK[TEXT]\n" /* RFC 9051 6.4.9 */
		"S: * 1 EXPUNGE\n"
		"S: d OK ~\n");
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
		     "C: d STATUS INBOX (HIGHESTMODSEQ)\n"
		     "S: * STATUS INBOX (HIGHESTMODSEQ 13)\n"
		     "S: d OK ~\n"
		     "C: e SEARCH MODSEQ 13\n"
		     "S: * SEARCH 1 (MODSEQ 13)\n"
		     "S: e OK ~\n");
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

static void test_mailboxes(void **state)
{
	(void)state;
	dialogue(
		LOGIN "C: a CREATE owatagusiam/\n"
		      "S: a OK CREATE completed\n"
		      "C: b CREATE owatagusiam/blurdybloop\n"
		      "S: b OK CREATE completed\n"
		      "C: c CREATE inbox\n"
		      "S: c NO [ALREADYEXISTS] ~\n"
		      "C: d LIST \"\" *\n"
		      "S: * LIST (\\HasNoChildren) \"/\" INBOX\n"
		      "S: * LIST (\\HasNoChildren \\Sent) \"/\" Sent\n"
		      "S: * LIST (\\HasNoChildren \\Trash) \"/\" Trash\n"
		      "S: * LIST (\\HasChildren) \"/\" owatagusiam\n"
		      "S: * LIST (\\HasNoChildren) \"/\" owatagusiam/blurdybloop\n"
		      "S: d OK LIST completed\n"
		      "C: e LIST \"\" %\n"
		      "S: * LIST ~ INBOX\n"
		      "S: * LIST ~ Sent\n"
		      "S: * LIST ~ Trash\n"
		      "S: * LIST ~ owatagusiam\n"
		      "S: e OK ~\n"
		      "C: f LIST \"\" \"\"\n"
		      "S: * LIST (\\Noselect) \"/\" \"\"\n"
		      "S: f OK ~\n"
		      "C: g RENAME owatagusiam/blurdybloop \"a b\"\n"
		      "S: g OK ~\n"
		      "C: h SUBSCRIBE \"a b\"\n"
		      "S: h OK ~\n"
		      "C: i SUBSCRIBE x/y\n"
		      "S: i OK ~\n"
		      "C: j LSUB \"\" *\n"
		      "S: * LSUB () \"/\" \"a b\"\n"
		      "S: * LSUB () \"/\" x/y\n"
		      "S: j OK LSUB completed\n"
		      "C: j2 LSUB \"\" %\n"
		      "S: * LSUB () \"/\" \"a b\"\n"
		      "S: * LSUB (\\Noselect) \"/\" x\n"
		      "S: j2 OK LSUB completed\n"
		      "C: j3 LIST (SUBSCRIBED RECURSIVEMATCH) \"\" %\n"
		      "S: * LIST (\\HasNoChildren \\Subscribed) \"/\" \"a b\"\n"
		      "S: * LIST (\\NonExistent \\Noselect \\HasNoChildren) \"/\" x (\"CHILDINFO\" "
		      "(\"SUBSCRIBED\"))\n"
		      "S: j3 OK ~\n"
		      "C: k LIST (SUBSCRIBED) \"\" * RETURN (STATUS (MESSAGES UNSEEN))\n"
		      "S: * LIST (\\HasNoChildren \\Subscribed) \"/\" \"a b\"\n"
		      "S: * STATUS \"a b\" (MESSAGES 0 UNSEEN 0)\n"
		      "S: * LIST (\\NonExistent \\Noselect \\HasNoChildren \\Subscribed) "
		      "\"/\" x/y\n"
		      "S: k OK ~\n"
		      "C: l LIST (SPECIAL-USE) \"\" (S* T*) RETURN (CHILDREN)\n"
		      "S: * LIST (\\HasNoChildren \\Sent) \"/\" Sent\n"
		      "S: * LIST (\\HasNoChildren \\Trash) \"/\" Trash\n"
		      "S: l OK ~\n"
		      "C: m LIST (RECURSIVEMATCH) \"\" *\n"
		      "S: m BAD ~\n"
		      "C: n UNSUBSCRIBE x/y\n"
		      "S: n OK ~\n"
		      "C: o DELETE \"a b\"\n"
		      "S: o OK ~\n"
		      "C: p DELETE \"a b\"\n"
		      "S: p NO [NONEXISTENT] ~\n"
		      "C: q DELETE INBOX\n"
		      "S: q NO [CANNOT] ~\n"
		      "C: r NAMESPACE\n"
		      "S: * NAMESPACE ((\"\" \"/\")) NIL NIL\n"
		      "S: r OK ~\n"
		      "C: s CREATE Drafts (USE (\\Drafts))\n"
		      "S: s OK ~\n"
		      "C: t CREATE Z (USE (\\All))\n"
		      "S: t NO [USEATTR] ~\n"
		      "C: s2 EXAMINE Drafts\n"
		      "S: * FLAGS ~\n"
		      "S: * OK [PERM~\n"
		      "S: * 0 EXISTS\n"
		      "S: * 0 RECENT\n"
		      "S: * OK [UIDV~\n"
		      "S: * OK [UIDN~\n"
		      "S: * OK [HIGH~\n"
		      "S: s2 OK ~\n"
		      "C: s3 DELETE Drafts\n"
		      "S: * OK [CLOSED] ~\n"
		      "S: s3 OK ~\n"
		      "C: u STATUS nowhere (MESSAGES)\n"
		      "S: u NO [NONEXISTENT] ~\n"
		      "C: v STATUS INBOX ()\n"
		      "S: v BAD ~\n");
}

/* I8, I9: names in modified UTF-7 before ENABLE IMAP4rev2, in UTF-8 after; what is none. */
static void test_names(void **state)
{
	(void)state;
	dialogue(LOGIN "C: a CREATE Entw&APw-rfe\n"
		       "S: a OK ~\n"
		       "C: b LIST \"\" Entw*\n"
		       "S: * LIST (\\HasNoChildren) \"/\" Entw&APw-rfe\n"
		       "S: b OK ~\n"
		       "C: c ENABLE IMAP4rev2\n"
		       "S: * ENABLED IMAP4rev2\n"
		       "S: c OK ~\n"
		       "C: d LIST \"\" Entw*\n"
		       "S: * LIST (\\HasNoChildren) \"/\" \"Entw\xc3\xbcrfe\"\n"
		       "S: d OK ~\n"
		       "C: e CREATE \"Entw\xc3\xbcrfe\"\n"
		       "S: e NO [ALREADYEXISTS] ~\n"
		       "C: f CREATE ../x\n"
		       "S: f NO ~\n"
		       "C: g CREATE /etc/passwd\n"
		       "S: g NO ~\n"
		       "C: h CREATE a//b\n"
		       "S: h NO ~\n"
		       "C: i CREATE \"a%b\"\n"
		       "S: i NO ~\n"
		       "C: j CREATE \"\"\n"
		       "S: j NO ~\n");
	dialogue(LOGIN "C: a CREATE &-&AAA\n"
		       "S: a NO ~\n"
		       "C: b CREATE &AGE-\n"
		       "S: b NO ~\n"
		       "C: c CREATE &\n"
		       "S: c NO ~\n"
		       "C: d LIST \"\" &AAA*\n"
		       "S: d OK ~\n");
}

/* RFC 9051 6.3.13, and two sessions on one mailbox */
static void test_idle(void **state)
{
	(void)state;
	dialogue(LOGIN EMPTY_INBOX
		"C: a IDLE\n"
		"S: + idling\n" MAIL1 "S: * 1 EXISTS\n" LOGIN2 "C2: a SELECT INBOX\n"
		"S2: * FLAGS ~\n"
		"S2: * OK [PERM~\n"
		"S2: * 1 EXISTS\n"
		"S2: * 0 RECENT\n"
		"S2: * OK [UNSEEN ~\n"
		"S2: * OK [UIDV~\n"
		"S2: * OK [UIDN~\n"
		"S2: * OK [HIGH~\n"
		"S2: a OK ~\n"
		"C2: b STORE 1 +FLAGS (\\Seen \\Deleted)\n"
		"S2: * 1 FETCH (FLAGS (\\Deleted \\Seen))\n"
		"S2: b OK ~\n"
		"S: * 1 FETCH (FLAGS (\\Deleted \\Seen))\n" MAIL2 "S: * 2 EXISTS\n"
		"C2: c EXPUNGE\n"
		"S2: * 1 EXPUNGE\n"
		"S2: * 1 EXISTS\n"
		"S2: c OK ~\n"
		"S: * 1 EXPUNGE\n"
		"C: DONE\n"
		"S: a OK IDLE terminated\n"
		"C: b IDLE\n"
		"S: + idling\n"
		"C: c NOOP\n" /* I12 */
		"S: b BAD IDLE ends with DONE\n");
}

/* RFC 9051 7.5.1: no EXPUNGE during FETCH, STORE, SEARCH; each session keeps its own numbers. */
static void test_two_sessions(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 MAIL2 MAIL1 INBOX("3") LOGIN2
		"C2: a SELECT INBOX\n"
		"S2: * FLAGS ~\n"
		"S2: * OK [PERM~\n"
		"S2: * 3 EXISTS\n"
		"S2: * 0 RECENT\n"
		"S2: * OK [UNSEEN ~\n"
		"S2: * OK [UIDV~\n"
		"S2: * OK [UIDN~\n"
		"S2: * OK [HIGH~\n"
		"S2: a OK ~\n"
		"C2: b UID STORE 1 +FLAGS.SILENT \\Deleted\n"
		"S2: b OK ~\n"
		"C2: c EXPUNGE\n"
		"S2: * 1 EXPUNGE\n"
		"S2: c OK ~\n"
		"C: a STORE 3 +FLAGS (\\Flagged)\n"
		"S: * 3 FETCH (FLAGS (\\Flagged))\n"
		"S: a OK ~\n"
		"C2: d STORE 2 +FLAGS (\\Answered)\n"
		"S2: * 2 FETCH (FLAGS (\\Answered \\Flagged))\n"
		"S2: d OK ~\n"
		"C: b FETCH 3 (UID)\n"
		"S: * 3 FETCH (UID 3)\n"
		"S: * 3 FETCH (FLAGS (\\Answered \\Flagged))\n"
		"S: b OK ~\n"
		"C: c SEARCH ALL\n"
		"S: * SEARCH 2 3\n"
		"S: c OK ~\n"
		"C: d UID SEARCH ANSWERED\n"
		"S: * SEARCH 3\n"
		"S: * 1 EXPUNGE\n"
		"S: d OK ~\n"
		"C: e FETCH 1:* UID\n"
		"S: * 1 FETCH (UID 2)\n"
		"S: * 2 FETCH (UID 3)\n"
		"S: e OK ~\n");
}

static void test_search(void **state)
{
	(void)state;
	dialogue(
		LOGIN MAIL1 MAIL2 MAIL1 INBOX("3") "C: a SEARCH SUBJECT two\n"
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
						   "S: e NO [BADCHARSET (UTF-8~)] ~\n"
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
						   "S: i OK ~\n");
}

/* A store that was replaced: the client notices nothing, or is told to come again. */
static void test_store_lost(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 INBOX("1") "X: replace\n" MAIL2 "C: a NOOP\n"
					"S: * 2 EXISTS\n"
					"S: a OK ~\n"
					"C: b IDLE\n"
					"S: + idling\n"
					"X: replace\n" MAIL1 "S: * 3 EXISTS\n"
					"C: DONE\n"
					"S: b OK ~\n"
					"X: away\n"
					"C: c FETCH 1 BODY[]\n"
					"S: c NO [UNAVAILABLE] ~\n"
					"C: d CREATE x\n"
					"S: d NO [UNAVAILABLE] ~\n"
					"C: e FETCH 1 UID\n"
					"S: * 1 FETCH (UID 1)\n"
					"S: e OK ~\n"
					"X: replace\n"
					"C: f FETCH 1 UID\n"
					"S: f NO [UNAVAILABLE] ~\n"
					"X: back\n"
					"C: g FETCH 1 UID\n"
					"S: * 1 FETCH (UID 1)\n"
					"S: g OK ~\n"
					"C: g2 IDLE\n"
					"S: + idling\n"
					"X: away\n"
					"X: replace\n"
					"X: wait 500\n"
					"X: wait 500\n"
					"X: back\n"
					"X: wait 500\n" MAIL2 "S: * 4 EXISTS\n"
					"C: DONE\n"
					"S: g2 OK ~\n"
					"X: away\n"
					"X: replace\n"
					"C: g3 APPEND INBOX {14+}\n"
					"C: g4 LOGOUT\n" /* no command: a part of the message */
					"C: abc\n"
					"S: g3 NO [UNAVAILABLE] ~\n"
					"C: g5 APPEND INBOX {14}\n"
					"S: g5 NO [UNAVAILABLE] ~\n"
					"X: back\n"
					"X: horizon\n" MAIL2 "C: h NOOP\n"
					"S: * 5 EXISTS\n"
					"S: h OK ~\n");
}

static void test_id(void **state)
{
	(void)state;
	dialogue("S: * OK ~\n"
		 "C: a ID NIL\n"
		 "S: * ID (\"name\" \"Culver\")\n"
		 "S: a OK ID completed\n"
		 "C: b ID (\"name\" \"x\" \"version\" NIL)\n"
		 "S: * ID ~\n"
		 "S: b OK ID completed\n"
		 "C: c ID (\"name\")\n"
		 "S: c BAD ~\n"
		 "C: d ID\n"
		 "S: d BAD ~\n"
		 "C: e CAPABILITY\n"
		 "S: * CAPABILITY IMAP4rev1 IMAP4rev2 AUTH=PLAIN AUTH=LOGIN SASL-IR LITERAL- ID "
		 "ENABLE\n"
		 "S: e OK ~\n"
		 "C: f CAPABILITY x\n"
		 "S: f BAD ~\n");
}

/* The password was changed, or the front drains. */
static void test_ends(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_with(&f, LOGIN EMPTY_INBOX);
	fake_say(&f, f.clients[0].session, 0, &(struct frame){ .type = FRAME_SESSION_ENDED });
	dialogue_with(&f, "X: wait 0\n"
			  "S: * BYE ~\n"
			  "X: closed\n");
	fake_connect(&f, "imaps", true);
	dialogue_with(&f, LOGIN);
	f.clients[0].session->class->drain(f.clients[0].session);
	dialogue_with(&f, "X: wait 0\n"
			  "S: * BYE ~\n"
			  "X: closed\n");
	fake_done(&f);
}

TEST_MAIN(test_case(test_login), test_case(test_login_fails), test_case(test_authenticate),
	test_case(test_starttls), test_case(test_stranger), test_case(test_autologout),
	test_case(test_select), test_case(test_enable), test_case(test_append),
	test_case(test_append_bytes), test_case(test_append_keywords), test_case(test_append_cut),
	test_case(test_fetch), test_case(test_fetch_gone), test_case(test_store),
	test_case(test_condstore), test_case(test_expunge), test_case(test_copy_move),
	test_case(test_mailboxes), test_case(test_names), test_case(test_idle),
	test_case(test_two_sessions), test_case(test_search), test_case(test_store_lost),
	test_case(test_id), test_case(test_ends))
