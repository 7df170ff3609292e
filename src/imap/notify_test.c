// SPDX-License-Identifier: Apache-2.0
/* NOTIFY: the examples of RFC 5465 (names and numbers are the test's), every kind of mailbox and of
 * event, IDLE, what a session does itself, and what is refused. */
#include "imap/notify_scene.h"

/* RFC 5465 3.1 */
static void test_example(void **state)
{
	(void)state;
	talk(LOGIN LOGIN2,
		"C: x CREATE Lists/Lemonade\n"
		"S: x OK ~\n"
		"C: y CREATE Lists/Im2000\n"
		"S: y OK ~\n"
		"C: b notify set status (selected MessageNew (uid body.peek[header.fields (from to "
		"subject)]) MessageExpunge) (subtree Lists (MessageNew MessageExpunge))\n"
		"S: * STATUS Lists (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 1004)\n"
		"S: * STATUS Lists/Im2000 (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 1006)\n"
		"S: * STATUS Lists/Lemonade (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 1005)\n"
		"S: b OK NOTIFY completed\n" EMPTY_INBOX "C2: a APPEND Lists/Lemonade {2+}\n"
		"C2: xy\n"
		"S2: a OK ~\n"
		"S: * STATUS Lists/Lemonade (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 1005)\n" MAIL1
		"S: * 1 EXISTS\n"
		"S: * 1 FETCH (UID 1 BODY[HEADER.FIELDS (from to subject)] {37}\n"
		"S: From: a@example.org\n"
		"S: Subject: one\n"
		"S: \n"
		"S: )\n"
		"C: d STATUS Sent (UIDVALIDITY UIDNEXT MESSAGES)\n"
		"S: * STATUS Sent (~)\n"
		"S: d OK STATUS completed\n"
		"C: e notify set (selected MessageNew (uid body.peek[header.fields (from to "
		"subject)]) MessageExpunge) (subtree Lists (MessageNew MessageExpunge)) (mailboxes "
		"Sent (MessageNew MessageExpunge))\n"
		"S: e OK NOTIFY completed\n"
		"C2: b APPEND Sent {2+}\n"
		"C2: xy\n"
		"S2: b OK ~\n"
		"S: * STATUS Sent (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 1002)\n"
		"C2: c APPEND Trash {2+}\n"
		/* not watched */
		"C2: xy\n"
		"S2: c OK ~\n");
}

#define BOTH                                                                                       \
	"C2: se SELECT INBOX\n"                                                                    \
	"S2: * FLAGS (~)\nS2: * OK [PERM~\nS2: * ~ EXISTS\nS2: * 0 RECENT\nS2: * OK [UNSEEN 1~\n"  \
	"S2: * OK [UIDV~\nS2: * OK [UIDN~\nS2: * OK [HIGH~\nS2: * OK [MAILBOXID ~\nS2: se OK ~\n"

/* The selected mailbox: at once; expunges delayed; flags only when asked for; nothing */
static void test_selected(void **state)
{
	(void)state;
	talk(LOGIN LOGIN2 MAIL1 MAIL1 MAIL1 INBOX("3") BOTH,
		"C: a NOTIFY SET (selected (MessageNew MessageExpunge FlagChange))\n"
		"S: a OK NOTIFY completed\n"
		"C2: a STORE 2 +FLAGS (\\Deleted)\n"
		"S2: * 2 FETCH (FLAGS (\\Deleted))\n"
		"S2: a OK ~\n"
		"S: * 2 FETCH (UID 2 FLAGS (\\Deleted))\n"
		"C2: b EXPUNGE\n"
		"S2: * 2 EXPUNGE\n"
		"S2: b OK ~\n"
		"S: * 2 EXPUNGE\n"
		"C: b NOTIFY SET (selected-delayed (MessageNew MessageExpunge))\n"
		"S: b OK NOTIFY completed\n"
		"C2: c STORE 1 +FLAGS (\\Deleted)\n"
		"S2: * 1 FETCH (FLAGS (\\Deleted))\n"
		"S2: c OK ~\n"
		"C2: d EXPUNGE\n"
		"S2: * 1 EXPUNGE\n"
		"S2: d OK ~\n" MAIL2 "S: * 3 EXISTS\n"
		"C2: e NOOP\n"
		"S2: * 2 EXISTS\n"
		"S2: e OK ~\n"
		"C: c FETCH 2 FLAGS\n"
		/* RFC 9051 7.5.1 */
		"S: * 2 FETCH (FLAGS ())\n"
		"S: c OK ~\n"
		"C: d NOOP\n"
		"S: * 1 EXPUNGE\n"
		"S: d OK ~\n"
		/* one's own flags are told */
		"C: e STORE 1 +FLAGS (\\Flagged)\n"
		"S: * 1 FETCH (UID 3 FLAGS (\\Flagged))\n"
		"S: e OK ~\n"
		"C2: f NOOP\n"
		"S2: * 1 FETCH (FLAGS (\\Flagged))\n"
		"S2: f OK ~\n");
}

/* A minute without a command changes nothing of that. */
static void test_rest(void **state)
{
	(void)state;
	talk(LOGIN MAIL1 INBOX("1"),
		"C: a NOTIFY SET (selected (MessageNew (uid flags) MessageExpunge))\n"
		"S: a OK NOTIFY completed\n"
		"X: wait 60000\n" MAIL2 "S: * 2 EXISTS\n"
		"S: * 2 FETCH (UID 2 FLAGS ())\n"
		"C: b NOTIFY NONE\n"
		"S: b OK NOTIFY completed\n"
		"X: wait 60000\n" MAIL2 "C: c NOOP\n"
		"S: c OK ~\n");
}

/* What a REPLACE took away is told, come what may: RFC 8508 4.3 */
static void test_replace(void **state)
{
	(void)state;
	talk(LOGIN MAIL1 MAIL2 INBOX("2"), "C: a NOTIFY NONE\n"
					   "S: a OK NOTIFY completed\n"
					   "C: b REPLACE 1 Sent {2+}\n"
					   "C: xy\n"
					   "S: * OK [APPENDUID ~\n"
					   "S: * 1 EXPUNGE\n"
					   "S: b OK ~\n");
}

/* RFC 7162 3.2.4: UID and MODSEQ are in each FETCH that no FETCH asked for. */
static void test_condstore(void **state)
{
	(void)state;
	talk(LOGIN MAIL1 INBOX("1"),
		"C: a NOTIFY SET (selected (MessageNew (FLAGS) MessageExpunge))\n"
		"S: a OK NOTIFY completed\n" MAIL2 "S: * 2 EXISTS\n"
		"S: * 2 FETCH (FLAGS ())\n"
		"C: b ENABLE CONDSTORE\n"
		"S: * ENABLED CONDSTORE\n"
		"S: * OK [HIGHESTMODSEQ ~\n"
		"S: b OK ~\n" MAIL2 "S: * 3 EXISTS\n"
		"S: * 3 FETCH (FLAGS () UID 3 MODSEQ (~))\n"
		"C: c NOTIFY SET (selected (MessageNew (MODSEQ UID) MessageExpunge))\n"
		"S: c OK NOTIFY completed\n" MAIL2 "S: * 4 EXISTS\n"
		"S: * 4 FETCH (MODSEQ (~) UID 4)\n");
}

static void test_nothing(void **state)
{
	(void)state;
	talk(LOGIN LOGIN2 MAIL1 INBOX("1") BOTH,
		"C: a NOTIFY NONE\n"
		"S: a OK NOTIFY completed\n" MAIL2 "C: b NOOP\n"
		"S: b OK ~\n"
		"C: c IDLE\n"
		"S: + idling\n" MAIL2 "C: DONE\n"
		"S: c OK ~\n"
		"C: d STORE 1 +FLAGS (\\Deleted)\n"
		/* what it does itself */
		"S: * 1 FETCH (UID 1 FLAGS (\\Deleted))\n"
		"S: d OK ~\n" MAIL2
		/* all that was not told: RFC 5465 3.1 */
		"C: e NOTIFY SET (selected (MessageNew MessageExpunge))\n"
		"S: * 4 EXISTS\n"
		"S: e OK ~\n"
		"C2: x NOOP\n"
		"S2: * 4 EXISTS\n"
		"S2: * 1 FETCH (FLAGS (\\Deleted))\n"
		"S2: x OK ~\n");
}

/* A STORE tells of what it stores and nothing else, if no more is wanted; the rest is told when it
 * is: RFC 5465 3.1 */
static void test_own_flags_alone(void **state)
{
	(void)state;
	talk(LOGIN LOGIN2 MAIL1 MAIL1 MAIL1 INBOX("3") BOTH,
		NOTIFY("a", "(inboxes (MessageNew MessageExpunge))") /* SELECTED NONE */
		"C2: a STORE 2 +FLAGS.SILENT (\\Flagged)\n"
		"S2: a OK ~\n" MAIL2 "C: b STORE 1 +FLAGS (\\Seen)\n"
		"S: * 1 FETCH (UID 1 FLAGS (\\Seen))\n"
		"S: b OK ~\n"
		"C: c UID STORE 3 +FLAGS.SILENT (\\Seen)\n"
		"S: c OK ~\n"
		"C: d NOTIFY SET (selected (MessageNew MessageExpunge))\n"
		"S: * 4 EXISTS\n"
		"S: d OK ~\n"
		"C: e STORE 1,3 -FLAGS (\\Seen)\n"
		"S: * 1 FETCH (UID 1 FLAGS ())\n"
		"S: * 3 FETCH (UID 3 FLAGS ())\n"
		"S: e OK ~\n"
		"C: f STORE 1 +FLAGS.SILENT (\\Deleted)\n"
		"S: f OK ~\n"
		"C: g EXPUNGE\n"
		"S: * 1 EXPUNGE\n"
		"S: g OK ~\n"
		"C: h NOTIFY SET (selected (MessageNew MessageExpunge FlagChange))\n"
		"S: * 1 FETCH (UID 2 FLAGS (\\Flagged))\n"
		"S: h OK ~\n"
		"C2: b NOOP\n"
		"S2: * 1 EXPUNGE\n"
		"S2: * 3 EXISTS\n"
		"S2: b OK ~\n");
}

/* What is not told is not in HIGHESTMODSEQ: who comes again with that misses nothing. RFC 7162 6 */
static void test_untold_modseq(void **state)
{
	(void)state;
	talk(LOGIN LOGIN2 MAIL1 MAIL1 MAIL1 "C: x ENABLE QRESYNC\n"
					    "S: * ENABLED QRESYNC\n"
					    "S: x OK ~\n" INBOX("3") BOTH,
		NOTIFY("a",
			"(selected (MessageNew MessageExpunge))") "C2: a STORE 2 +FLAGS.SILENT "
								  "(\\Flagged)\n"
								  "S2: a OK ~\n"
								  "C: b STORE 1 +FLAGS "
								  "(\\Deleted)\n"
								  "S: * 1 FETCH (UID 1 FLAGS "
								  "(\\Deleted) MODSEQ (15))\n"
								  "S: * OK [HIGHESTMODSEQ 13] ~\n"
								  "S: b OK ~\n"
								  "C: c EXPUNGE\n"
								  "S: * VANISHED 1\n"
								  "S: c OK [HIGHESTMODSEQ 13] ~\n"
								  "C: d NOTIFY SET (selected "
								  "(MessageNew MessageExpunge "
								  "FlagChange))\n"
								  "S: * 1 FETCH (UID 2 FLAGS "
								  "(\\Flagged) MODSEQ (14))\n"
								  "S: d OK ~\n"
								  "C: e STORE 1 +FLAGS.SILENT "
								  "(\\Deleted)\n"
								  "S: * 1 FETCH (UID 2 MODSEQ "
								  "(17))\n"
								  "S: e OK ~\n"
								  "C: f EXPUNGE\n"
								  "S: * VANISHED 2\n"
								  "S: f OK [HIGHESTMODSEQ 18] ~\n");
}

/* RFC 5465 4: IDLE tells the same; RFC 5465 5.2: not of one's own messages */
static void test_idle(void **state)
{
	(void)state;
	talk(LOGIN LOGIN2 EMPTY_INBOX,
		"C: a NOTIFY SET (selected-delayed (MessageNew (UID FLAGS) MessageExpunge "
		"FlagChange)) (personal (MessageNew MessageExpunge MailboxName))\n"
		"S: a OK NOTIFY completed\n"
		"C: b IDLE\n"
		"S: + idling\n" MAIL1 "S: * 1 EXISTS\n"
		"S: * 1 FETCH (UID 1 FLAGS ())\n"
		"C2: a CREATE News\n"
		"S2: a OK ~\n"
		"S: * LIST (\\HasNoChildren) \"/\" News\n" MAIL1 "S: * 2 EXISTS\n"
		"S: * 2 FETCH (UID 2 FLAGS ())\n"
		"C: DONE\n"
		"S: b OK IDLE terminated\n"
		"C: c APPEND INBOX {2+}\n"
		"C: xy\n"
		"S: * 3 EXISTS\n"
		"S: c OK ~\n"
		"C: d COPY 3 INBOX\n"
		"S: * 4 EXISTS\n"
		"S: d OK ~\n"
		"C: e APPEND Sent {2+}\n"
		"C: xy\n"
		"S: e OK ~\n" MAIL1 "S: * 5 EXISTS\n"
		"S: * 5 FETCH (UID 5 FLAGS ())\n"
		/* a command that has begun to
				    arrive is not disturbed */
		"C: f STATUS Sent (MESSAGES UIDNEXT {\n"
		"S: f BAD ~\n"
		"C: g LOGOUT\n"
		"S: * BYE ~\n"
		"S: g OK ~\n");
}

/* RFC 5465 5.4, 5.5 */
static void test_names(void **state)
{
	(void)state;
	talk(LOGIN LOGIN2,
		"C: a NOTIFY SET (personal (MailboxName SubscriptionChange))\n"
		"S: a OK NOTIFY completed\n"
		"C2: a CREATE NewMailbox\n"
		"S2: a OK ~\n"
		"S: * LIST (\\HasNoChildren) \"/\" NewMailbox\n"
		"C2: b CREATE NewMailbox/below\n"
		"S2: b OK ~\n"
		"S: * LIST (\\HasNoChildren) \"/\" NewMailbox/below\n"
		"S: * LIST (\\HasChildren) \"/\" NewMailbox\n"
		"C2: c SUBSCRIBE NewMailbox\n"
		"S2: c OK ~\n"
		"S: * LIST (\\HasChildren \\Subscribed) \"/\" NewMailbox\n"
		"C2: d UNSUBSCRIBE NewMailbox\n"
		"S2: d OK ~\n"
		"S: * LIST (\\HasChildren) \"/\" NewMailbox\n"
		"C2: e DELETE NewMailbox/below\n"
		"S2: e OK ~\n"
		"S: * LIST (\\NonExistent \\HasNoChildren) \"/\" NewMailbox/below\n"
		"S: * LIST (\\HasNoChildren) \"/\" NewMailbox\n"
		"C2: f RENAME NewMailbox OldMailbox\n"
		"S2: f OK ~\n"
		"S: * LIST (\\HasNoChildren) \"/\" OldMailbox (\"OLDNAME\" (NewMailbox))\n"
		"C2: g SUBSCRIBE nothing\n"
		"S2: g OK ~\n"
		"S: * LIST (\\NonExistent \\HasNoChildren \\Subscribed) \"/\" nothing\n"
		"C2: h UNSUBSCRIBE nothing\n"
		"S2: h OK ~\n"
		"S: * LIST (\\NonExistent \\HasNoChildren) \"/\" nothing\n"
		/* one's own are not told */
		"C: b CREATE Own/below\n"
		"S: b OK ~\n"
		"C: c SUBSCRIBE Own/below\n"
		"S: c OK ~\n"
		"C: d RENAME Own/below Own/beside\n"
		"S: d OK ~\n"
		"C: e DELETE Own/beside\n"
		"S: e OK ~\n"
		"C: f NOOP\n"
		"S: f OK ~\n");
}

/* RFC 5465 5.4: the direct parent is affected, "whether it is an existing mailbox or not" */
static void test_parent_without_mailbox(void **state)
{
	(void)state;
	talk(LOGIN LOGIN2 "C2: a CREATE top/mid/low\n"
			  "S2: a OK ~\n"
			  "C2: b DELETE top/mid\n"
			  "S2: b OK ~\n",
		"C: a NOTIFY SET (subtree top/mid (MailboxName))\n"
		"S: a OK NOTIFY completed\n"
		"C2: c DELETE top/mid/low\n"
		"S2: c OK ~\n"
		"S: * LIST (\\NonExistent \\HasNoChildren) \"/\" top/mid/low\n"
		"S: * LIST (\\NonExistent \\HasNoChildren) \"/\" top/mid\n"
		/* top/mid comes along; its parent is not watched */
		"C2: d CREATE top/mid/low\n"
		"S2: d OK ~\n"
		"S: * LIST (\\HasChildren) \"/\" top/mid\n"
		"S: * LIST (\\HasNoChildren) \"/\" top/mid/low\n"
		"S: * LIST (\\HasChildren) \"/\" top/mid\n");
}

/* The parents that a session's own CREATE and RENAME make are its own, too: RFC 5465 5 */
static void test_own_parents(void **state)
{
	(void)state;
	talk(LOGIN LOGIN2,
		"C: a NOTIFY SET (personal (MailboxName MessageNew MessageExpunge FlagChange))\n"
		"S: a OK NOTIFY completed\n"
		"C: b CREATE one/two/three\n"
		"S: b OK ~\n"
		"C: c RENAME one/two/three up/down/three\n"
		"S: c OK ~\n"
		"C: d RENAME INBOX in/out\n"
		"S: d OK ~\n"
		"C: e NOOP\n"
		"S: e OK ~\n"
		/* what others put there is told */
		"C2: a APPEND up/down {2+}\n"
		"C2: xy\n"
		"S2: a OK ~\n"
		"S: * STATUS up/down (MESSAGES 1 ~)\n");
}

/* Subscribed is looked at anew; mailboxes knows no wildcards; FlagChange; CONDSTORE */
static void test_other(void **state)
{
	(void)state;
	talk(LOGIN LOGIN2 MAIL1,
		"C: a NOTIFY SET (subscribed (MessageNew MessageExpunge)) (mailboxes (\"S%\" "
		"\"*\") (MessageNew MessageExpunge)) (inboxes (MessageNew MessageExpunge "
		"FlagChange))\n"
		"S: a OK NOTIFY completed\n"
		"C2: a APPEND Sent {2+}\n"
		"C2: xy\n"
		"S2: a OK ~\n"
		"C2: b SUBSCRIBE Sent\n"
		"S2: b OK ~\n"
		"C2: c APPEND Sent {2+}\n"
		"C2: xy\n"
		"S2: c OK ~\n"
		"S: * STATUS Sent (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 1002)\n" MAIL1
		"S: * STATUS INBOX (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 1001 UNSEEN 2)\n" BOTH
		"C2: d STORE 1 FLAGS.SILENT (\\Seen)\n"
		"S2: d OK ~\n"
		"S: * STATUS INBOX (UIDVALIDITY 1001 UNSEEN 1)\n"
		"C2: e STORE 1 +FLAGS.SILENT (\\Flagged)\n"
		/* RFC 5465 5.1 */
		"S2: e OK ~\n"
		"C: b ENABLE CONDSTORE\n"
		"S: * ENABLED CONDSTORE\n"
		"S: b OK ~\n"
		"C2: f STORE 1 -FLAGS.SILENT (\\Flagged)\n"
		"S2: f OK ~\n"
		"S: * STATUS INBOX (UIDVALIDITY 1001 UNSEEN 1 HIGHESTMODSEQ ~)\n"
		/* the selected mailbox is none of these: RFC 5465 3.1 */
		"C: c EXAMINE INBOX\n"
		"S: * FLAGS ~\n"
		"S: * OK [PERM~\n"
		"S: * 2 EXISTS\n"
		"S: * 0 RECENT\n"
		"S: * OK [UNSEEN ~\n"
		"S: * OK [UIDV~\n"
		"S: * OK [UIDN~\n"
		"S: * OK [HIGH~\n"
		"S: * OK [MAILBOXID ~\n"
		"S: c OK ~\n" MAIL1 "C2: x NOOP\n"
		"S2: * 3 EXISTS\n"
		"S2: x OK ~\n");
}

/* What a session does itself in another mailbox is not told, flags watched or not (RFC 5465 5);
 * what others do meanwhile is. */
static void test_own_messages(void **state)
{
	(void)state;
	talk(LOGIN LOGIN2 MAIL1 MAIL2 INBOX("2"),
		"C: a NOTIFY SET (selected-delayed (MessageNew MessageExpunge FlagChange)) "
		"(personal "
		"(MessageNew MessageExpunge FlagChange))\n"
		"S: a OK NOTIFY completed\n"
		"C: b APPEND Sent {2+}\n"
		"C: xy\n"
		"S: b OK ~\n"
		"C: c APPEND Sent {2+}\n"
		"C: xy {2+}\n"
		"C: zz\n"
		"S: c OK [APPENDUID 1002 2:3] ~\n"
		"C: d COPY 1 Sent\n"
		"S: d OK ~\n"
		"C: e STORE 2 +FLAGS.SILENT (\\Deleted)\n"
		"S: e OK ~\n"
		"C: f CLOSE\n"
		"S: f OK ~\n"
		"C: g NOOP\n"
		"S: g OK ~\n"
		"C2: a SELECT Sent\n" OPENS_UNSEEN(
			"2:", "4") "S2: a OK ~\n"
				   "C: h APPEND INBOX {2}\n"
				   "S: + Ready ~\n"
				   "C2: b STORE 1 +FLAGS.SILENT (\\Seen)\n"
				   "S2: b OK ~\n"
				   "C: xy\n"
				   "S: h OK ~\n"
				   /* it may be others' */
				   "S: * STATUS INBOX (UIDVALIDITY 1001 UNSEEN 2)\n"
				   "S: * STATUS Sent (UIDVALIDITY 1002 UNSEEN 3)\n"
				   "C: i APPEND INBOX {2}\n"
				   "S: + Ready ~\n"
				   "C2: c APPEND INBOX {2+}\n"
				   "C2: xy\n"
				   "S2: c OK ~\n"
				   "C: xy\n"
				   "S: i OK ~\n"
				   "S: * STATUS INBOX (MESSAGES 4 ~\n"
				   "C2: d STORE 1 -FLAGS.SILENT (\\Seen)\n"
				   "S2: d OK ~\n"
				   "S: * STATUS Sent (UIDVALIDITY 1002 UNSEEN 4)\n");
}

/* RFC 5465 5.6, 5.7 */
static void test_metadata(void **state)
{
	(void)state;
	talk(LOGIN LOGIN2, "C: a NOTIFY SET (mailboxes INBOX (MailboxMetadataChange)) (personal "
			   "(ServerMetadataChange))\n"
			   "S: a OK NOTIFY completed\n"
			   "C2: a SETMETADATA INBOX (/shared/comment \"x\")\n"
			   "S2: a OK ~\n"
			   "S: * METADATA INBOX /shared/comment\n"
			   "C2: b SETMETADATA INBOX (/shared/comment NIL)\n"
			   "S2: b OK ~\n"
			   "S: * METADATA INBOX /shared/comment\n"
			   "C2: c SETMETADATA \"\" (/private/comment \"x\")\n"
			   "S2: c OK ~\n"
			   "S: * METADATA \"\" /private/comment\n"
			   "C2: d SETMETADATA Sent (/private/comment \"x\")\n"
			   "S2: d OK ~\n");
}

/* What a session changes itself it is not told of (RFC 5465 5), the same of others it is */
static void test_own_metadata(void **state)
{
	(void)state;
	talk(LOGIN LOGIN2, "C: a NOTIFY SET (personal (MailboxMetadataChange "
			   "ServerMetadataChange))\n"
			   "S: a OK NOTIFY completed\n"
			   "C: b SETMETADATA INBOX (/shared/comment \"x\")\n"
			   "S: b OK ~\n"
			   "C: c SETMETADATA \"\" (/private/comment \"x\")\n"
			   "S: c OK ~\n"
			   "C: d NOOP\n"
			   "S: d OK ~\n"
			   "C2: a SETMETADATA INBOX (/shared/comment \"y\")\n"
			   "S2: a OK ~\n"
			   "S: * METADATA INBOX /shared/comment\n"
			   "C2: b SETMETADATA \"\" (/private/comment \"y\")\n"
			   "S2: b OK ~\n"
			   "S: * METADATA \"\" /private/comment\n"
			   "C: e NOTIFY NONE\n"
			   "S: e OK ~\n"
			   "C: f SETMETADATA INBOX (/shared/comment \"z\")\n"
			   "S: f OK ~\n"
			   "C: g NOTIFY SET (personal (MailboxMetadataChange))\n"
			   "S: g OK NOTIFY completed\n"
			   "C2: c SETMETADATA INBOX (/shared/comment \"y\")\n"
			   "S2: c OK ~\n"
			   "S: * METADATA INBOX /shared/comment\n");
}

/* RFC 5464 4.4: for good, before NOTIFY and behind it; the mailbox that is selected is as ever. */
static void test_enabled_metadata(void **state)
{
	(void)state;
	talk(LOGIN LOGIN2, "C: a ENABLE METADATA\n"
			   "S: * ENABLED METADATA\n"
			   "S: a OK ENABLE completed\n"
			   "C: b ENABLE Metadata\n"
			   "S: * ENABLED\n"
			   "S: b OK ENABLE completed\n"
			   "C2: a SETMETADATA INBOX (/shared/comment \"x\")\n"
			   "S2: a OK ~\n"
			   "S: * METADATA INBOX /shared/comment\n"
			   "C2: b SETMETADATA \"\" (/private/comment \"x\")\n"
			   "S2: b OK ~\n"
			   "S: * METADATA \"\" /private/comment\n"
			   "C2: c CREATE News\n"
			   "S2: c OK ~\n"
			   "C: c SETMETADATA INBOX (/shared/comment \"y\")\n"
			   "S: c OK ~\n" EMPTY_INBOX MAIL1 MAIL1 "S: * 1 EXISTS\n"
			   "S: * 2 EXISTS\n" BOTH "C2: f STORE 1 +FLAGS.SILENT (\\Deleted)\n"
			   "S2: f OK ~\n"
			   "S: * 1 FETCH (UID 1 FLAGS (\\Deleted))\n"
			   "C2: g EXPUNGE\n"
			   "S2: * 1 EXPUNGE\n"
			   "S2: g OK ~\n"
			   /* no EXPUNGE while no command runs: RFC 9051 7.5.1 */
			   "C: e FETCH 2 (UID)\n"
			   "S: * 2 FETCH (UID 2)\n"
			   "S: e OK ~\n"
			   "C: f NOOP\n"
			   "S: * 1 EXPUNGE\n"
			   "S: f OK ~\n"
			   "C: g NOTIFY NONE\n"
			   "S: g OK ~\n"
			   "C2: h SETMETADATA News (/shared/comment \"z\")\n"
			   "S2: h OK ~\n"
			   "S: * METADATA News /shared/comment\n"
			   "C: h NOTIFY SET (mailboxes INBOX (MailboxName))\n"
			   "S: h OK ~\n"
			   "C2: i SETMETADATA News (/shared/comment NIL)\n"
			   "S2: i OK ~\n"
			   "S: * METADATA News /shared/comment\n");
	talk(LOGIN LOGIN2, NOTIFY("a", "(personal (MailboxName))") /* what NOTIFY has is kept */
		"C: b ENABLE METADATA\n"
		"S: * ENABLED METADATA\n"
		"S: b OK ~\n"
		"C2: a CREATE News\n"
		"S2: a OK ~\n"
		"S: * LIST (\\HasNoChildren) \"/\" News\n"
		"C2: b SETMETADATA News (/shared/comment \"z\")\n"
		"S2: b OK ~\n"
		"S: * METADATA News /shared/comment\n");
}

static const struct {
	const char *text;
	const char *reply;
} refused[] = {
	{ "", "BAD" },
	{ " ALL", "BAD" },
	{ " NONE x", "BAD" },
	{ " SET", "BAD" },
	{ " SET ()", "BAD" },
	{ " SET (everything (MessageNew MessageExpunge))", "BAD" },
	{ " SET (personal (MessageNew MessageExpunge)", "BAD" },
	{ " SET (personal)", "BAD" },
	{ " SET (subtree (MessageNew))", "BAD" },
	/* RFC 5465 5: they go together */
	{ " SET (personal (MessageNew))", "BAD" },
	{ " SET (personal (MessageExpunge))", "BAD" },
	{ " SET (personal (FlagChange))", "BAD" },
	{ " SET (personal (FlagChange MessageNew))", "BAD" },
	/* 6.1: message events, and once; 8: attributes go with selected */
	{ " SET (selected (MailboxName))", "BAD" },
	{ " SET (selected NONE) (selected-delayed NONE)", "BAD" },
	{ " SET (personal (MessageNew (UID) MessageExpunge))", "BAD" },
	{ " SET (selected (MessageNew (FOO) MessageExpunge))", "BAD" },
	/* 3.1: NO, not BAD */
	{ " SET (selected (MessageNew MessageExpunge FlagChange AnnotationChange))",
		"NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange "
		"MailboxMetadataChange ServerMetadataChange)]" },
	{ " SET (personal (FooChange))", "NO [BADEVENT (MessageNew ~)]" },
	/* fine */
	{ " SET (personal NONE)", "OK" },
	{ " SET STATUS (selected NONE)", "OK" },
	{ " SET (mailboxes (&bad& \"\") (MailboxName))", "OK" },
	{ " SET (selected (MessageNew (BODY.PEEK[TEXT]<0.10> ENVELOPE) MessageExpunge))", "OK" },
	{ " NONE", "OK" },
};

static void test_arguments(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		char text[600];

		snprintf(text, sizeof text, LOGIN "C: a NOTIFY%s\nS: a %s ~\n", refused[i].text,
			refused[i].reply);
		dialogue(text);
	}
}

static void notify_many(int groups, int names, const char *reply)
{
	struct buf in;
	struct fake f;

	buf_init(&in, 1024 * 1024);
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_part(&f, LOGIN);
	buf_addz(&in, "a NOTIFY SET");
	for (int g = 0; g < groups; g++) {
		buf_addz(&in, " (mailboxes (x");
		for (int i = 1; i < names; i++)
			buf_addz(&in, " x");
		buf_addz(&in, ") (MailboxName))");
	}
	buf_addz(&in, "\r\n");
	fake_send(&f, 0, buf_str(&in));
	dialogue_with(&f, reply);
	buf_done(&in);
	fake_done(&f);
}

/* What is parsed counts too, so less than the limit is too much. */
static void notify_long(size_t n, const char *reply)
{
	struct buf in;
	struct fake f;

	buf_init(&in, 2 * LIMIT_NOTIFY_BYTES);
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_part(&f, LOGIN);
	buf_addz(&in, "a NOTIFY SET (mailboxes \"");
	while (in.n < n)
		buf_addc(&in, 'x');
	buf_addz(&in, "\" (MailboxName))\r\n");
	fake_send(&f, 0, buf_str(&in));
	dialogue_with(&f, reply);
	buf_done(&in);
	fake_done(&f);
}

static void test_limits(void **state)
{
	(void)state;
	notify_long(LIMIT_NOTIFY_BYTES / 2, "S: a OK ~\n");
	notify_long(LIMIT_NOTIFY_BYTES - 1, "S: a NO [NOTIFICATIONOVERFLOW] ~\n");
	notify_long(LIMIT_NOTIFY_BYTES, "S: a NO [NOTIFICATIONOVERFLOW] ~\n");
	notify_long(LIMIT_NOTIFY_BYTES + 1, "S: a NO [NOTIFICATIONOVERFLOW] ~\n");
	notify_many(LIMIT_NOTIFY_GROUPS - 1, 1, "S: a OK ~\n");
	notify_many(LIMIT_NOTIFY_GROUPS, LIMIT_NOTIFY_NAMES / LIMIT_NOTIFY_GROUPS, "S: a OK ~\n");
	notify_many(LIMIT_NOTIFY_GROUPS + 1, 1, "S: a NO [NOTIFICATIONOVERFLOW] ~\n");
	notify_many(LIMIT_NOTIFY_GROUPS, LIMIT_NOTIFY_NAMES / LIMIT_NOTIFY_GROUPS + 1,
		"S: a NO [NOTIFICATIONOVERFLOW] ~\n");
	notify_many(1, LIMIT_NOTIFY_NAMES - 1, "S: a OK ~\n");
	notify_many(1, LIMIT_NOTIFY_NAMES, "S: a OK ~\n");
	notify_many(1, LIMIT_NOTIFY_NAMES + 1, "S: a NO [NOTIFICATIONOVERFLOW] ~\n");
}

/* LIMIT_NOTIFY_MAILBOXES, and one more, at first and later */
static void mailboxes(int n, const char *reply)
{
	struct fake f;

	fake_init(&f);
	f.more_boxes = n - (int)f.n_boxes;
	fake_connect(&f, "imaps", true);
	dialogue_part(&f, LOGIN);
	dialogue_with(&f, reply);
	fake_done(&f);
}

static void test_too_many_mailboxes(void **state)
{
	(void)state;
	mailboxes(LIMIT_NOTIFY_MAILBOXES - 1, NOTIFY("a", "(personal (MailboxName))"));
	mailboxes(LIMIT_NOTIFY_MAILBOXES,
		NOTIFY("a", "(personal (MailboxName))") LOGIN2 "C2: a CREATE one-more\n"
							       "S2: a OK ~\n"
							       "S: * OK [NOTIFICATIONOVERFLOW] ~\n"
							       "C2: b CREATE another\n"
							       "S2: b OK ~\n"
							       "C: b NOOP\n"
							       "S: b OK ~\n");
	mailboxes(LIMIT_NOTIFY_MAILBOXES + 1, "C: a NOTIFY SET (personal (MailboxName))\n"
					      "S: a NO [NOTIFICATIONOVERFLOW] ~\n"
					      "C: b NOTIFY SET (selected NONE)\n"
					      "S: b OK ~\n");
	mailboxes(LIMIT_NOTIFY_MAILBOXES + 1,
		"C: a ENABLE METADATA\n"
		"S: * ENABLED METADATA\n"
		"S: a OK ~\n"
		"S: * OK [NOTIFICATIONOVERFLOW] ~\n" EMPTY_INBOX LOGIN2 MAIL1 "S: * 1 EXISTS\n"
		"C: b NOTIFY NONE\n"
		"S: b OK ~\n");
}

/* 10^5, of which no more than that is read */
static void i13_many_mailboxes(void **state)
{
	(void)state;
	mailboxes(100000 / TEST_STEP,
		"C: a NOTIFY SET STATUS (personal (MessageNew MessageExpunge))\n"
		"S: a NO [NOTIFICATIONOVERFLOW] ~\n"
		"C: b NOOP\n"
		"S: b OK ~\n");
}

/* One's own RENAME of INBOX leaves it and what is below where they were: RFC 9051 6.3.6 */
static void test_own_rename_of_inbox(void **state)
{
	(void)state;
	talk(LOGIN LOGIN2, "C: x CREATE INBOX/below\n"
			   "S: x OK ~\n"
			   "C: a NOTIFY SET (personal (MailboxName))\n"
			   "S: a OK NOTIFY completed\n"
			   "C: b RENAME INBOX old\n"
			   "S: b OK ~\n"
			   "C: c NOOP\n"
			   "S: c OK ~\n"
			   "C2: a CREATE News\n"
			   "S2: a OK ~\n"
			   "S: * LIST (\\HasNoChildren) \"/\" News\n"
			   "C2: b DELETE INBOX/below\n"
			   "S2: b OK ~\n"
			   "S: * LIST (\\NonExistent \\HasNoChildren) \"/\" INBOX/below\n"
			   "S: * LIST (\\HasNoChildren) \"/\" INBOX\n"
			   "C2: c DELETE old\n"
			   "S2: c OK ~\n"
			   "S: * LIST (\\NonExistent \\HasNoChildren) \"/\" old\n");
}

TEST_MAIN(test_case(test_own_rename_of_inbox), test_case(test_example), test_case(test_selected),
	test_case(test_condstore), test_case(test_rest), test_case(test_nothing),
	test_case(test_own_flags_alone), test_case(test_untold_modseq), test_case(test_idle),
	test_case(test_names), test_case(test_parent_without_mailbox), test_case(test_own_parents),
	test_case(test_replace), test_case(test_own_messages), test_case(test_other),
	test_case(test_metadata), test_case(test_own_metadata), test_case(test_enabled_metadata),
	test_case(test_arguments), test_case(test_limits), test_case(i13_many_mailboxes),
	test_case(test_too_many_mailboxes))
