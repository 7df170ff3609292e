// SPDX-License-Identifier: Apache-2.0
/* The client against servers of every kind, each as a dialogue, whole and byte by byte. */
#include "imap_client/scene.h"

#include "base/limits.h"
#include "base/test.h"

#include <stdlib.h>

static const struct imap_client_options plain = {
	.user = STR_INIT("al"), .password = STR_INIT("se\"c"), .most_bytes = 1000
};
static const struct imap_client_options starttls = {
	.user = STR_INIT("al"), .password = STR_INIT("se\"c"), .most_bytes = 1000, .starttls = true
};

struct turn {
	const char *server, *client, *told; /* NULL: nothing */
};

static void expect(struct buf *got, const char *wanted)
{
	assert_str(buf_str(got), str_from(wanted ? wanted : ""));
	buf_clear(got);
}

static void play(struct scene *s, const struct turn *turns, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		scene_say(s, str_from(turns[i].server));
		expect(&s->sent, turns[i].client);
		expect(&s->told, turns[i].told);
	}
}

/* The turns, with a client of its own, at once and in pieces of one byte. */
#define PLAY(options, ...)                                                                         \
	do {                                                                                       \
		static const struct turn turns_[] = { __VA_ARGS__ };                               \
		for (size_t step_ = 0; step_ < 2; step_++) {                                       \
			struct scene s_;                                                           \
			scene_begin(&s_, &(options), step_);                                       \
			play(&s_, turns_, ARRAY_LEN(turns_));                                      \
			scene_end(&s_);                                                            \
		}                                                                                  \
	} while (0)

#define GREETING     "* OK hello\r\n", "c1 CAPABILITY\r\n", NULL
#define CAPABLE(can) "* CAPABILITY IMAP4rev1 " can "\r\nc1 OK\r\n"

/* ---- logging in ---- */

static void logs_in_with_plain(void **state)
{
	(void)state;
	PLAY(plain, { GREETING },
		{ CAPABLE("AUTH=PLAIN SASL-IR LOGINDISABLED"),
			"c2 AUTHENTICATE PLAIN AGFsAHNlImM=\r\n", NULL },
		{ "c2 OK [CAPABILITY IMAP4rev1] in\r\n", "c3 CAPABILITY\r\n", NULL },
		{ "* CAPABILITY IMAP4rev1\r\nc3 OK\r\n", NULL, "ready\n" });
	PLAY(plain, { GREETING }, { CAPABLE("AUTH=PLAIN"), "c2 AUTHENTICATE PLAIN\r\n", NULL },
		{ "+ \r\n", "AGFsAHNlImM=\r\n", NULL }, { "c2 OK\r\n", "c3 CAPABILITY\r\n", NULL });
}

static void logs_in_with_login(void **state)
{
	(void)state;
	PLAY(plain, { GREETING }, { CAPABLE(""), "c2 LOGIN \"al\" \"se\\\"c\"\r\n", NULL },
		{ "c2 NO [AUTHENTICATIONFAILED] wrong\r\n", NULL,
			"failed: the server refuses the login: wrong\n" });
	static const struct imap_client_options german = {
		.user = STR_INIT("j\xc3\xb6rg"), .password = STR_INIT("x"), .most_bytes = 9
	};
	PLAY(german, { GREETING }, { CAPABLE(""), "c2 LOGIN {5}\r\n", NULL },
		{ "+ go\r\n", "j\xc3\xb6rg \"x\"\r\n", NULL },
		{ "c2 OK\r\n", "c3 CAPABILITY\r\n", NULL });
	PLAY(german, { GREETING }, { CAPABLE(""), "c2 LOGIN {5}\r\n", NULL },
		{ "c2 OK in\r\n", NULL,
			"failed: the server answers a command before it has all of it\n" });
}

static void takes_secrets_of_1024_bytes(void **state)
{
	(void)state;
	char secret[LIMIT_IMAP_CLIENT_SECRET_BYTES + 1];
	memset(secret, 'x', sizeof(secret));
	for (size_t n = sizeof(secret) - 2; n <= sizeof(secret); n++) {
		struct imap_client_options o = {
			.user = STR("u"), .password = str_make(secret, n), .most_bytes = 1
		};
		struct scene s;
		scene_begin(&s, &o, 0);
		scene_say(&s, STR("* OK hi\r\n"));
		assert_int_equal(
			s.last, n == sizeof(secret) ? IMAP_CLIENT_FAILED : IMAP_CLIENT_MORE);
		scene_say(&s, STR("* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\r\nc1 OK\r\n"));
		assert_int_equal(s.sent.n > n, n < sizeof(secret));
		scene_end(&s);
	}
}

static void wants_tls_where_it_was_told_to(void **state)
{
	(void)state;
	/* What was said before TLS is asked again behind it. */
	PLAY(starttls, { GREETING }, { CAPABLE("STARTTLS AUTH=PLAIN"), "c2 STARTTLS\r\n", NULL },
		{ "c2 OK begin\r\n", "c3 CAPABILITY\r\n", "tls\n" },
		{ "* CAPABILITY IMAP4rev1\r\nc3 OK\r\n", "c4 LOGIN \"al\" \"se\\\"c\"\r\n", NULL });
	PLAY(starttls, { GREETING },
		{ CAPABLE("AUTH=PLAIN"), NULL, "failed: the server does not offer STARTTLS\n" });
	PLAY(starttls, { GREETING }, { CAPABLE("STARTTLS"), "c2 STARTTLS\r\n", NULL },
		{ "c2 NO later\r\n", NULL, "failed: the server refuses STARTTLS: later\n" });
	PLAY(plain, { GREETING },
		{ CAPABLE("STARTTLS LOGINDISABLED"), NULL,
			"failed: the server takes no password on this connection: it wants TLS "
			"(LOGINDISABLED)\n" });
}

/* RFC 9051 11.3 */
static void i16_preauth_is_no_way_around_starttls(void **state)
{
	(void)state;
	PLAY(starttls, { "* PREAUTH welcome\r\n", NULL,
			       "failed: the server says that it knows us already (PREAUTH), which "
			       "is a way around STARTTLS\n" });
	PLAY(plain, { "* PREAUTH welcome\r\n", "c1 CAPABILITY\r\n", NULL },
		{ CAPABLE(""), NULL, "ready\n" });
}

static void refuses_what_came_behind_starttls(void **state)
{
	(void)state;
	struct scene s;
	scene_begin(&s, &starttls, 0);
	scene_say(&s, STR("* OK hi\r\n"));
	scene_say(&s, STR("* CAPABILITY IMAP4rev1 STARTTLS\r\nc1 OK\r\n"));
	buf_clear(&s.told);
	buf_clear(&s.sent);
	scene_say(&s, STR("c2 OK begin\r\n* CAPABILITY IMAP4rev1\r\nc3 OK\r\n"));
	expect(&s.told, "failed: the server, or somebody between, sent more behind its OK to "
			"STARTTLS\n");
	expect(&s.sent, NULL);
	scene_end(&s);
	/* In a read of its own, while TLS is being started. */
	scene_begin(&s, &starttls, 0);
	s.secure = false;
	scene_say(&s, STR("* OK hi\r\n"));
	scene_say(&s, STR("* CAPABILITY IMAP4rev1 STARTTLS\r\nc1 OK\r\n"));
	scene_say(&s, STR("c2 OK begin\r\n"));
	assert_int_equal(s.last, IMAP_CLIENT_START_TLS);
	scene_say(&s, STR("* "));
	assert_int_equal(s.last, IMAP_CLIENT_FAILED);
	scene_end(&s);
}

static void knows_who_is_no_server(void **state)
{
	(void)state;
	PLAY(plain,
		{ "220 mail ESMTP\r\n", NULL, "failed: what answers there is no IMAP server\n" });
	PLAY(plain,
		{ "* BYE full\r\n", NULL, "failed: the server refuses the connection: full\n" });
	PLAY(plain, { GREETING },
		{ "* CAPABILITY IMAP2\r\nc1 OK\r\n", NULL,
			"failed: the server does not speak IMAP4rev1\n" });
	PLAY(plain, { GREETING },
		{ "c1 BAD what\r\n", NULL, "failed: the server says BAD: what\n" });
	PLAY(plain, { GREETING },
		{ "c1 NO no\r\n", NULL, "failed: the server refuses what it should know: no\n" });
}

/* ---- at rest ---- */

/* Logged in, with these capabilities; the next tag is c4. */
static void enter(struct scene *s, size_t step, const char *can)
{
	char text[300];
	scene_begin(s, &plain, step);
	scene_say(s, STR("* OK hi\r\n"));
	scene_say(s, STR("* CAPABILITY IMAP4rev1\r\nc1 OK\r\n"));
	scene_say(s, STR("c2 OK\r\n"));
	snprintf(text, sizeof(text), "* CAPABILITY IMAP4rev1 %s\r\nc3 OK\r\n", can);
	scene_say(s, str_from(text));
	buf_clear(&s->sent);
	buf_clear(&s->told);
}

static void expect_mailboxes(struct scene *s, const char *wanted)
{
	struct buf got;
	buf_init(&got, 1 << 16);
	for (size_t i = 0; i < imap_client_mailboxes(s->client); i++) {
		const struct imap_client_mailbox *m = imap_client_mailbox(s->client, i);
		buf_addf(&got, "%" STR_FMT "%s%s%s %u\n", STR_ARG(m->path), m->path.n ? "" : "?",
			m->selectable ? "" : " -", m->subscribed ? " +" : "", m->special_use);
	}
	assert_str(buf_str(&got), str_from(wanted));
	buf_done(&got);
}

static void lists_with_what_the_server_can(void **state)
{
	(void)state;
	for (size_t step = 0; step < 2; step++) {
		struct scene s;
		enter(&s, step, "LIST-EXTENDED SPECIAL-USE");
		imap_client_list(s.client);
		scene_say(
			&s, STR("* LIST (\\Subscribed \\HasNoChildren) \"/\" INBOX\r\n"
				"* LIST (\\Noselect) \"/\" Work\r\n"
				"* LIST (\\Sent \\Subscribed) \"/\" \"Sent \\\"x\\\"\"\r\n"
				"* LIST () \"/\" \"Work/Entw&APw-rfe\"\r\n"
				"* LIST () \"/\" {7}\r\na\xc3\xa4/b%c (\"CHILDINFO\" (\"SUB\"))\r\n"
				"* LIST () \"/\" INBOX\r\n"
				"* LIST () NIL \"a/b\"\r\n"
				"* LIST () \"/\" \"old\xe4\"\r\n"
				"* LIST () \"/\" \"/x\"\r\n"
				"c4 OK done\r\n"));
		expect(&s.sent, "c4 LIST \"\" \"*\" RETURN (SUBSCRIBED SPECIAL-USE)\r\n");
		expect(&s.told, "ready\n");
		expect_mailboxes(&s, "? 0\n"
				     "INBOX + 0\n"
				     "Sent \"x\" + 16\n"
				     "Work - 0\n"
				     "Work/Entw\xc3\xbcrfe 0\n"
				     "a_b 0\n"
				     "a\xc3\xa4/b%c 0\n"
				     "? 0\n");
		scene_end(&s);
	}
}

static void lists_with_lsub(void **state)
{
	(void)state;
	struct scene s;
	enter(&s, 0, "");
	imap_client_list(s.client);
	scene_say(&s, STR("* LIST () \".\" INBOX\r\n* LIST () \".\" A\r\n* LIST () \".\" A.B\r\n"
			  "c4 OK\r\n"));
	expect(&s.sent, "c4 LIST \"\" \"*\"\r\nc5 LSUB \"\" \"*\"\r\n");
	scene_say(&s, STR("* LSUB () \".\" A.B\r\n* LSUB () \".\" gone\r\nc5 OK\r\n"));
	expect(&s.told, "ready\n");
	expect_mailboxes(&s, "A 0\nA/B + 0\nINBOX 0\n");
	scene_end(&s);
	/* Nobody subscribes to anything: that says nothing. */
	enter(&s, 0, "");
	imap_client_list(s.client);
	scene_say(&s, STR("* LIST () \".\" A\r\nc4 OK\r\nc5 NO what\r\n"));
	expect_mailboxes(&s, "A + 0\n");
	scene_end(&s);
}

/* RFC 2342 5 */
static void knows_its_own_namespace(void **state)
{
	(void)state;
	struct scene s;
	enter(&s, 0, "NAMESPACE");
	scene_say(&s, STR("* NAMESPACE ((\"INBOX.\" \".\" \"X-P\" (\"F1\" \"F2\"))(\"#mh/\" \"/\"))"
			  " ((\"user.\" \".\")) NIL\r\nc4 OK\r\n"));
	expect(&s.told, "ready\n");
	imap_client_list(s.client);
	scene_say(&s,
		STR("* LIST () \".\" INBOX\r\n* LIST () \".\" INBOX.Sent\r\n"
		    "* LIST () \".\" user.bob.x\r\n* LIST () \".\" Inbox\r\nc5 OK\r\nc6 OK\r\n"));
	expect_mailboxes(&s, "INBOX + 0\nSent + 0\nINBOX + 0\nuser/bob/x - + 0\n");
	scene_end(&s);
	enter(&s, 0, "NAMESPACE");
	scene_say(&s, STR("* NAMESPACE ((\"\" \"/\") NIL NIL\r\n"));
	expect(&s.told, "failed: the NAMESPACE response makes no sense\n");
	scene_end(&s);
	enter(&s, 0, "NAMESPACE");
	scene_say(&s, STR("c4 NO never heard\r\n"));
	expect(&s.told, "ready\n");
	scene_end(&s);
}

static void paths_have_bounds(void **state)
{
	(void)state;
	char name[LIMIT_MAILBOX_NAME_BYTES + 2];
	struct buf out;
	buf_init(&out, 4 * sizeof(name));
	memset(name, 'x', sizeof(name));
	assert_true(imap_client_path(str_make(name, LIMIT_MAILBOX_NAME_BYTES), '/', &out));
	assert_false(imap_client_path(str_make(name, LIMIT_MAILBOX_NAME_BYTES + 1), '/', &out));
	buf_clear(&out);
	for (size_t i = 1; i < 2 * LIMIT_MAILBOX_LEVELS + 2; i += 2)
		name[i] = '/';
	assert_true(imap_client_path(str_make(name, 2 * LIMIT_MAILBOX_LEVELS - 1), '/', &out));
	assert_false(imap_client_path(str_make(name, 2 * LIMIT_MAILBOX_LEVELS + 1), '/', &out));
	assert_false(imap_client_path(STR("a//b"), '/', &out));
	assert_false(imap_client_path(STR("a\xff"), '/', &out));
	assert_false(imap_client_path(STR(""), '/', &out));
	assert_int_equal(out.n, 2 * LIMIT_MAILBOX_LEVELS - 1);
	buf_done(&out);
}

/* In INBOX, examined: the next tag is c7. */
static void examine(struct scene *s, size_t step)
{
	enter(s, step, "");
	imap_client_list(s->client);
	scene_say(s, STR("* LIST () \".\" \"a \\\\b\"\r\nc4 OK\r\nc5 OK\r\n"));
	buf_clear(&s->sent);
	buf_clear(&s->told);
	imap_client_examine(s->client, 0);
	scene_say(s, STR("* FLAGS (\\Seen)\r\n* OK [PERMANENTFLAGS ()] ro\r\n* 3 EXISTS\r\n"
			 "* OK [UIDVALIDITY 77] ok\r\n* OK [UIDNEXT 9] ok\r\n* 0 RECENT\r\n"
			 "c6 OK [READ-ONLY] done\r\n"));
	expect(&s->sent, "c6 EXAMINE \"a \\\\b\"\r\n");
	expect(&s->told, "ready\n");
	struct imap_client_selected is = imap_client_selected(s->client);
	assert_int_equal(is.uidvalidity, 77);
	assert_int_equal(is.uidnext, 9);
	assert_int_equal(is.exists, 3);
}

static void reads_entries(void **state)
{
	(void)state;
	for (size_t step = 0; step < 2; step++) {
		struct scene s;
		examine(&s, step);
		imap_client_entries(s.client);
		scene_say(&s,
			STR("* 1 FETCH (UID 2 FLAGS (\\Seen \\Recent $Forwarded a-b) INTERNALDATE "
			    "\"01-Jan-1970 00:00:07 +0000\" RFC822.SIZE 123)\r\n"
			    "* 2 FETCH (MODSEQ (12) X-Y (a (b \"c)\" {3}\r\n()\") d NIL) UID 4 "
			    "FLAGS () RFC822.SIZE 5)\r\n"
			    "* 2 FETCH (FLAGS (\\Deleted))\r\n"
			    "* 1 EXPUNGE\r\n* 4 EXISTS\r\n* OK still here\r\n* VANISHED 8\r\n"
			    "c7 OK done\r\n"));
		expect(&s.sent, "c7 UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)\r\n");
		expect(&s.told, "entry 2 123 7 1 ($Forwarded a-b)\nentry 4 5 -1 0 ()\nready\n");
		scene_end(&s);
	}
}

static void fetches_bodies(void **state)
{
	(void)state;
	static const uint32_t uids[] = { 2, 4, 5, 6 };
	for (size_t step = 0; step < 2; step++) {
		struct scene s;
		examine(&s, step);
		imap_client_fetch(s.client, uids, 4);
		expect(&s.told, NULL);
		scene_say(&s, STR("* 1 FETCH (UID 2 FLAGS (\\Seen) BODY[] {4}\r\na\0\r\n)\r\n"
				  "* 2 FETCH (BODY[] \"q\\\"\" FLAGS (x) UID 4)\r\n"
				  "* 9 FETCH (FLAGS () UID 100)\r\n"
				  "* 3 FETCH (UID 5 BODY[] NIL)\r\n"
				  "* 4 FETCH (body[] {0}\r\n UID 6)\r\n"
				  "c7 OK\r\n"));
		expect(&s.sent, "c7 UID FETCH 2,4,5,6 (UID FLAGS INTERNALDATE BODY.PEEK[])\r\n");
		assert_str(buf_str(&s.told),
			STR("a\0\r\n\nmessage 2 4 -1 1 ()\nq\"\nmessage 4 2 -1 0 (x)\n"
			    "\nmessage 6 0 -1 0 ()\nready\n"));
		scene_end(&s);
	}
}

static void throws_away_what_is_too_big(void **state)
{
	(void)state;
	static const uint32_t uid = 2;
	for (uint64_t size = 999; size <= 1001; size++) {
		struct scene s;
		char text[1200];
		examine(&s, 0);
		imap_client_fetch(s.client, &uid, 1);
		snprintf(text, sizeof(text), "* 1 FETCH (UID 2 BODY[] {%d}\r\n%*s)\r\n", (int)size,
			(int)size, "");
		scene_say(&s, str_from(text));
		bool too_big = size > 1000;
		assert_int_equal(str_search(buf_str(&s.told), STR("too big")) < s.told.n, too_big);
		assert_int_equal(s.told.n > 500, !too_big);
		scene_end(&s);
	}
	/* One beyond all measure ends it. */
	for (uint64_t more = 0; more < 2; more++) {
		struct scene s;
		char text[100];
		examine(&s, 0);
		imap_client_fetch(s.client, &uid, 1);
		snprintf(text, sizeof(text), "* 1 FETCH (UID 2 BODY[] {%llu}\r\n",
			(unsigned long long)(LIMIT_IMAP_CLIENT_BODY_BYTES + more));
		scene_say(&s, str_from(text));
		assert_int_equal(s.last, more ? IMAP_CLIENT_FAILED : IMAP_CLIENT_MORE);
		scene_end(&s);
	}
}

static void goes_on_behind_no(void **state)
{
	(void)state;
	static const uint32_t uid = 2;
	struct scene s;
	examine(&s, 0);
	imap_client_fetch(s.client, &uid, 1);
	scene_say(&s, STR("c7 NO [UNAVAILABLE] not\x1b now\r\n"));
	assert_int_equal(s.last, IMAP_CLIENT_FAILED); /* an escape is in it */
	scene_end(&s);
	examine(&s, 0);
	imap_client_fetch(s.client, &uid, 1);
	scene_say(&s, STR("c7 NO [UNAVAILABLE] not \xc2\x9b now\r\n"));
	expect(&s.told, "refused: the server says: not ?? now\n");
	imap_client_examine(s.client, 0);
	scene_say(&s, STR("c8 NO gone\r\n"));
	expect(&s.told, "refused: the server says: gone\n");
	imap_client_fetch(s.client, &uid, 1);
	scene_say(&s, STR("c9 BAD can't read it\r\n"));
	expect(&s.told, "refused: the server says: can't read it\n");
	imap_client_logout(s.client);
	scene_say(&s, STR("* BYE bye\r\nc10 OK\r\n"));
	expect(&s.told, "failed: logged out\n");
	expect(&s.sent, "c7 UID FETCH 2 (UID FLAGS INTERNALDATE BODY.PEEK[])\r\n"
			"c8 EXAMINE \"a \\\\b\"\r\n"
			"c9 UID FETCH 2 (UID FLAGS INTERNALDATE BODY.PEEK[])\r\nc10 LOGOUT\r\n");
	/* Nothing more is said or heard. */
	imap_client_list(s.client);
	scene_say(&s, STR("* OK\r\n"));
	expect(&s.sent, NULL);
	scene_end(&s);
}

/* ---- hostile servers ---- */

static void fails(const char *words, const char *why)
{
	static const uint32_t uids[] = { 2, 4 };
	for (size_t step = 0; step < 2; step++) {
		struct scene s;
		examine(&s, step);
		imap_client_fetch(s.client, uids, 2);
		buf_clear(&s.told);
		scene_say(&s, str_from(words));
		struct str told = buf_str(&s.told), wanted = str_from(why);
		size_t at = str_search(told, STR("failed: "));
		told = str_from_offset(told, at + 8);
		if (!str_starts(told, wanted))
			fail_msg("%s: %.*s", words, (int)told.n, told.n ? told.p : "");
		scene_end(&s);
	}
}

static void lies_end_the_session(void **state)
{
	(void)state;
	fails("* 1 FETCH (UID 3 BODY[] {1}\r\nx)\r\n", "the server sends a message that was not");
	fails("* 1 FETCH (BODY[] {1}\r\nx)\r\n", "the server sends a message that was not");
	fails("* 1 FETCH (UID 2 BODY[] {1}\r\nx)\r\n* 1 FETCH (UID 2 BODY[] {1}\r\nx)\r\n",
		"the server sends the message UID 2 twice");
	fails("* 1 FETCH (BODY[] {1}\r\nx BODY[] {1}\r\ny)\r\n", "the server sends two bodies");
	fails("* 1 FETCH (BODY[] {1}\r\nx BODY[] \"y\" UID 2)\r\n", "a FETCH response makes no");
	fails("* 1 FETCH (X {7}\r\nBODY[] {5}\r\n12345 UID 2)\r\n", "a FETCH response makes no");
	fails("* 1 FETCH (\"BODY[] {1}\r\nx UID 2)\r\n", "a FETCH response makes no");
	fails("* 1 FETCH (UID 0)\r\n", "a FETCH response makes no sense");
	fails("* 1 FETCH (UID 4294967296)\r\n", "a FETCH response makes no sense");
	fails("* 1 FETCH (FLAGS (a(b)))\r\n", "a FETCH response makes no sense");
	fails("* 1 FETCH (UID 2\r\n", "a FETCH response makes no sense");
	fails("* 1 FETCH\r\n", "");
	fails("* 1 FETCH ((((((((((((((((((((((((((((((((((((((((((((((((((((\r\n", "a FETCH");
	fails("* 99999999999 EXISTS\r\n", "a response makes no sense");
	fails("c6 OK\r\n", "the server answers what was not asked");
	fails("c8 OK\r\n", "the server answers what was not asked");
	fails("c7 YES\r\n", "the server's answer is neither");
	fails("+ more\r\n", "the server asks for more");
	fails("* BYE going down\r\n", "the server ends the session: going down");
	fails("* OK [UIDVALIDITY 78] new\r\n", "the mailbox was made anew");
	fails("* OK [UIDVALIDITY 77\r\n", "a response code does not end");
	fails("* OK {200000}\r\n", "the server sends a literal of 200000 bytes, unasked");
	fails("* OK {99999999999999999999}\r\n* OK {9223372036854775807}\r\n",
		"the server sends a literal of 9223372036854775807 bytes");
	fails("* 1 FETCH (UID 2 BODY[] {9223372036854775807}\r\n",
		"the server sends a message of 9223372036854775807 bytes");
	fails("* OK \001\r\n", "the server sends control characters");
	fails("* OK\n", "the server ends a line without CR LF");
	fails("\r\n", "the server answers what was not asked");
}

/* Of 131,072 bytes; a line that does not end, literals that do not end. */
static void responses_have_bounds(void **state)
{
	(void)state;
	for (int more = -1; more <= 1; more++) {
		size_t n = (size_t)(LIMIT_IMAP_CLIENT_RESPONSE_BYTES + more);
		char *text = malloc(n);
		struct scene s;
		examine(&s, 0);
		memset(text, 'x', n);
		memcpy(text, "* OK ", 5);
		memcpy(text + n - 2, "\r\n", 2);
		scene_say(&s, str_make(text, n));
		assert_int_equal(s.last, more > 0 ? IMAP_CLIENT_FAILED : IMAP_CLIENT_MORE);
		scene_end(&s);
		free(text);
	}
}

static void endless_chatter_is_ended(void **state)
{
	(void)state;
	struct scene s;
	examine(&s, 0);
	imap_client_entries(s.client);
	for (size_t i = 0; i < LIMIT_IMAP_CLIENT_USELESS; i++)
		scene_say(&s, STR("* OK hi\r\n"));
	assert_int_equal(s.last, IMAP_CLIENT_MORE);
	scene_say(&s, STR("* 1 FETCH (UID 2)\r\n"));
	assert_int_equal(s.last, IMAP_CLIENT_ENTRY);
	for (size_t i = 0; i < LIMIT_IMAP_CLIENT_USELESS; i++)
		scene_say(&s, STR("* OK hi\r\n"));
	assert_int_equal(s.last, IMAP_CLIENT_MORE);
	scene_say(&s, STR("* OK hi\r\n"));
	assert_int_equal(s.last, IMAP_CLIENT_FAILED);
	scene_end(&s);
}

static void names_have_bounds(void **state)
{
	(void)state;
	struct scene s;
	char text[70000];
	size_t most = LIMIT_IMAP_CLIENT_NAMES_BYTES / 60000, n = 0;
	enter(&s, 0, "");
	imap_client_list(s.client);
	memset(text, 'x', sizeof(text));
	memcpy(text, "* LIST () NIL ", 14);
	memcpy(text + sizeof(text) - 2, "\r\n", 2);
	while (s.last != IMAP_CLIENT_FAILED && n++ < 2 * most)
		scene_say(&s, str_make(text, sizeof(text)));
	assert_int_equal(s.last, IMAP_CLIENT_FAILED);
	assert_in_range(n, most / 2, most);
	scene_end(&s);
}

static void fetches_at_most_64(void **state)
{
	(void)state;
	uint32_t uids[LIMIT_IMAP_CLIENT_FETCH + 1];
	for (size_t n = LIMIT_IMAP_CLIENT_FETCH - 1; n <= LIMIT_IMAP_CLIENT_FETCH + 1; n++) {
		struct scene s;
		examine(&s, 0);
		for (size_t i = 0; i < n; i++)
			uids[i] = (uint32_t)(4294967295 - n + i);
		imap_client_fetch(s.client, uids, n);
		assert_int_equal(imap_client_out(s.client)->n > 0, n <= LIMIT_IMAP_CLIENT_FETCH);
		scene_end(&s);
	}
}

TEST_MAIN(test_case(logs_in_with_plain), test_case(logs_in_with_login),
	test_case(takes_secrets_of_1024_bytes), test_case(wants_tls_where_it_was_told_to),
	test_case(i16_preauth_is_no_way_around_starttls),
	test_case(refuses_what_came_behind_starttls), test_case(knows_who_is_no_server),
	test_case(lists_with_what_the_server_can), test_case(lists_with_lsub),
	test_case(knows_its_own_namespace), test_case(paths_have_bounds), test_case(reads_entries),
	test_case(fetches_bodies), test_case(throws_away_what_is_too_big),
	test_case(goes_on_behind_no), test_case(lies_end_the_session),
	test_case(responses_have_bounds), test_case(endless_chatter_is_ended),
	test_case(names_have_bounds), test_case(fetches_at_most_64))
