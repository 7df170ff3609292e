// SPDX-License-Identifier: Apache-2.0
/* Mailboxes: SELECT, ENABLE, CREATE to LSUB, names in both encodings. */
#include "imap/dialogue.h"

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
		     "S: * OK [MAILBOXID (~)] ~\n"
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
					       "S: h BAD Please select a mailbox first\n" INBOX("2")
		/* What fails selects nothing (6.3.2); what is no command is none. */
		"C: i SELECT a (\n"
		"S: i BAD ~\n"
		"C: j SELECT\n"
		"S: j BAD ~\n"
		"C: k FETCH 1 UID\n"
		"S: * 1 FETCH (UID 1)\n"
		"S: k OK ~\n"
		"C: l SELECT a//b\n"
		"S: * OK [CLOSED] ~\n"
		"S: l NO [CANNOT] ~\n"
		"C: m FETCH 1 UID\n"
		"S: m BAD Please select a mailbox first\n");
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
			     "S: * OK [MAILBOXID (~)] ~\n"
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

static void test_mailboxes(void **state)
{
	(void)state;
	dialogue(LOGIN
		"C: a CREATE owatagusiam/\n"
		"S: a OK [MAILBOXID (~)] CREATE completed\n"
		"C: b CREATE owatagusiam/blurdybloop\n"
		"S: b OK [MAILBOXID (~)] CREATE completed\n"
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
		"C: s2 EXAMINE Drafts\n" OPENS(":", "0", "") "S: s2 OK ~\n"
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

/* A pattern that ends within what modified UTF-7 shifts is held against names as they are written:
 * RFC 3501 6.3.8, "zero or more characters at this position". */
static void test_half_names(void **state)
{
	(void)state;
	dialogue(LOGIN "C: a CREATE R&-D/&AOQA9g-\n"
		       "S: a OK ~\n"
		       "C: b CREATE &AOQ-b\n"
		       "S: b OK ~\n"
		       "C: c LIST \"\" &*\n"
		       "S: * LIST (\\HasNoChildren) \"/\" &AOQ-b\n"
		       "S: c OK ~\n"
		       "C: d LIST \"\" R&%\n"
		       "S: * LIST (\\HasChildren) \"/\" R&-D\n"
		       "S: d OK ~\n"
		       "C: e LIST R& *\n"
		       "S: * LIST (\\HasChildren) \"/\" R&-D\n"
		       "S: * LIST (\\HasNoChildren) \"/\" R&-D/&AOQA9g-\n"
		       "S: e OK ~\n"
		       "C: f LIST R&-D/ &AOQ%\n"
		       "S: * LIST (\\HasNoChildren) \"/\" R&-D/&AOQA9g-\n"
		       "S: f OK ~\n"
		       "C: g LIST \"\" (&-* &x& inbox)\n"
		       "S: * LIST (\\HasNoChildren) \"/\" INBOX\n"
		       "S: g OK ~\n"
		       "C: h ENABLE UTF8=ACCEPT\n"
		       "S: * ENABLED UTF8=ACCEPT\n"
		       "S: h OK ~\n"
		       "C: i LIST \"\" R&*\n" /* a name for itself now */
		       "S: * LIST (\\HasChildren) \"/\" R&D\n"
		       "S: * LIST (\\HasNoChildren) \"/\" \"R&D/\xc3\xa4\xc3\xb6\"\n"
		       "S: i OK ~\n"
		       "C: j LIST \"\" &*\n"
		       "S: j OK ~\n");
}

/* A name of which only children are subscribed is \\Noselect in LSUB, whatever was enabled:
 * RFC 3501 6.3.9. */
static void test_lsub_in_rev2(void **state)
{
	(void)state;
	dialogue(LOGIN "C: a ENABLE IMAP4rev2\n"
		       "S: ~\n"
		       "S: a OK ~\n"
		       "C: b SUBSCRIBE x/y\n"
		       "S: b OK ~\n"
		       "C: c LSUB \"\" %\n"
		       "S: * LSUB (\\Noselect) \"/\" x\n"
		       "S: c OK ~\n");
}

/* RFC 9051 6.3.9.8, example 8 (where qux2 exists here), what 6.3.9.6 says of its last part, and
 * example 11: no STATUS for what only has CHILDINFO. RFC 3501 6.3.9: without "%" LSUB has what is
 * subscribed alone. */
static void test_children_of_example_8(void **state)
{
	(void)state;
	dialogue(
		LOGIN "C: c CREATE foo2\n"
		      "S: c OK ~\n"
		      "C: c CREATE baz2\n"
		      "S: c OK ~\n"
		      "C: c CREATE eps2/mamba\n"
		      "S: c OK ~\n"
		      "C: c CREATE qux2/bar2\n"
		      "S: c OK ~\n"
		      "C: c CREATE foo2/bar2\n"
		      "S: c OK ~\n"
		      "C: c CREATE baz2/bar2\n"
		      "S: c OK ~\n"
		      "C: s SUBSCRIBE foo2/bar1\n"
		      "S: s OK ~\n"
		      "C: s SUBSCRIBE foo2/bar2\n"
		      "S: s OK ~\n"
		      "C: s SUBSCRIBE baz2/bar2\n"
		      "S: s OK ~\n"
		      "C: s SUBSCRIBE baz2/bar22\n"
		      "S: s OK ~\n"
		      "C: s SUBSCRIBE baz2/bar222\n"
		      "S: s OK ~\n"
		      "C: s SUBSCRIBE eps2\n"
		      "S: s OK ~\n"
		      "C: s SUBSCRIBE eps2/mamba\n"
		      "S: s OK ~\n"
		      "C: s SUBSCRIBE qux2/bar2\n"
		      "S: s OK ~\n"
		      "C: s SUBSCRIBE foo2/bar1\n"
		      "S: s OK ~\n"
		      "C: a LIST (RECURSIVEMATCH SUBSCRIBED) \"\" *2\n"
		      "S: * LIST (\\HasNoChildren \\Subscribed) \"/\" baz2/bar2\n"
		      "S: * LIST (\\NonExistent \\Noselect \\HasNoChildren \\Subscribed) \"/\" "
		      "baz2/bar22\n"
		      "S: * LIST (\\NonExistent \\Noselect \\HasNoChildren \\Subscribed) \"/\" "
		      "baz2/bar222\n"
		      "S: * LIST (\\HasChildren \\Subscribed) \"/\" eps2 (\"CHILDINFO\" "
		      "(\"SUBSCRIBED\"))\n"
		      "S: * LIST (\\HasChildren) \"/\" foo2 (\"CHILDINFO\" (\"SUBSCRIBED\"))\n"
		      "S: * LIST (\\HasNoChildren \\Subscribed) \"/\" foo2/bar2\n"
		      "S: * LIST (\\HasNoChildren \\Subscribed) \"/\" qux2/bar2\n"
		      "S: a OK ~\n"
		      "C: b LIST (RECURSIVEMATCH SUBSCRIBED) \"\" eps* RETURN (STATUS (MESSAGES))\n"
		      "S: * LIST (\\HasChildren \\Subscribed) \"/\" eps2 (\"CHILDINFO\" "
		      "(\"SUBSCRIBED\"))\n"
		      "S: * STATUS eps2 (MESSAGES 0)\n"
		      "S: * LIST (\\HasNoChildren \\Subscribed) \"/\" eps2/mamba\n"
		      "S: * STATUS eps2/mamba (MESSAGES 0)\n"
		      "S: b OK ~\n"
		      "C: d LIST (RECURSIVEMATCH SUBSCRIBED) \"\" f% RETURN (STATUS (MESSAGES))\n"
		      "S: * LIST (\\HasChildren) \"/\" foo2 (\"CHILDINFO\" (\"SUBSCRIBED\"))\n"
		      "S: d OK ~\n"
		      "C: e LSUB \"\" foo2\n"
		      "S: e OK ~\n"
		      "C: f LSUB \"\" f%\n"
		      "S: * LSUB (\\Noselect) \"/\" foo2\n"
		      "S: f OK ~\n");
}

/* RFC 9051 6.3.2, 6.3.4 to 6.3.6, 6.3.12: a name that is not as it was given. Rev1 does not know.
 */
static void test_oldname(void **state)
{
	(void)state;
	dialogue(
		LOGIN "C: a CREATE \"a\xcc\x88\"\n"
		      "S: a OK ~\n"
		      "C: b DELETE \"a\xcc\x88\"\n"
		      "S: b OK ~\n"
		      "C: c ENABLE IMAP4rev2\n"
		      "S: ~\n"
		      "S: c OK ~\n"
		      "C: d SELECT inbox\n"
		      "S: * FLAGS (~)\n"
		      "S: * OK [PERMANENTFLAGS (~)] ~\n"
		      "S: * 0 EXISTS\n"
		      "S: * OK [UIDVALIDITY 1001] ~\n"
		      "S: * OK [UIDNEXT 1] ~\n"
		      "S: * OK [HIGHESTMODSEQ ~] ~\n"
		      "S: * OK [MAILBOXID (~)] ~\n"
		      "S: * LIST () \"/\" INBOX (\"OLDNAME\" (inbox))\n"
		      "S: d OK ~\n"
		      "C: e CREATE \"a\xcc\x88\"\n"
		      "S: * LIST () \"/\" \"\xc3\xa4\" (\"OLDNAME\" (\"a\xcc\x88\"))\n"
		      "S: e OK ~\n"
		      "C: f RENAME \"\xc3\xa4\" b/\n"
		      "S: f OK ~\n"
		      "C: g RENAME b \"a\xcc\x88\"\n"
		      "S: * LIST () \"/\" \"\xc3\xa4\" (\"OLDNAME\" (b))\n"
		      "S: g OK ~\n"
		      "C: h APPEND \"a\xcc\x88\" {4+}\n"
		      "C: a: b\n"
		      "S: * LIST () \"/\" \"\xc3\xa4\" (\"OLDNAME\" (\"a\xcc\x88\"))\n"
		      "S: h OK [APPENDUID ~] ~\n"
		      "C: i DELETE \"a\xcc\x88\"\n"
		      "S: * LIST (\\NonExistent) \"/\" \"\xc3\xa4\" (\"OLDNAME\" (\"a\xcc\x88\"))\n"
		      "S: i OK ~\n");
}

/* RFC 5530: a limit of ours is NO [LIMIT], not BAD */
static void list_patterns(int n, const char *end, const char *reply)
{
	struct buf in;
	struct fake f;

	buf_init(&in, 65536);
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_part(&f, LOGIN);
	buf_addz(&in, "a LIST \"\" (x");
	for (int i = 1; i < n; i++)
		buf_addz(&in, " x");
	buf_addf(&in, ")%s\r\n", end);
	fake_send(&f, 0, buf_str(&in));
	dialogue_with(&f, reply);
	buf_done(&in);
	fake_done(&f);
}

/* The client is written to once: nothing is said before the store has answered. */
static void test_select_says_all_at_once(void **state)
{
	struct fake f;
	struct fake_client *c = &f.clients[0];

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_with(&f, LOGIN MAIL1 INBOX("1"));
	buf_addz(&c->unread, "a SELECT INBOX\r\n");
	assert_true(fake_input(c));
	assert_int_equal(c->session->out.n, 0);
	fake_run(&f);
	assert_true(str_starts(buf_str(&c->received), STR("* OK [CLOSED]")));
	fake_done(&f);
}

static void test_patterns(void **state)
{
	(void)state;
	list_patterns(31, "", "S: a OK ~\n");
	list_patterns(32, "", "S: a OK ~\n");
	list_patterns(33, " RETURN (CHILDREN)", "S: a NO [LIMIT] At most 32 patterns at once\n");
	list_patterns(33, " RETURN (", "S: a BAD ~\n");
}

TEST_MAIN(test_case(test_select_says_all_at_once), test_case(test_patterns),
	test_case(test_oldname), test_case(test_lsub_in_rev2),
	test_case(test_children_of_example_8), test_case(test_select), test_case(test_enable),
	test_case(test_mailboxes), test_case(test_names), test_case(test_half_names))
