// SPDX-License-Identifier: Apache-2.0
/* Becoming somebody and leaving: LOGIN, AUTHENTICATE, STARTTLS, what strangers may do, deadlines,
 * ID, and how sessions end. */
#include "imap/dialogue.h"

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

/* A gate that was taken over lets somebody in and leaves out the ticket. */
static void test_no_ticket(void **state)
{
	(void)state;
	dialogue("S: * OK ~\n"
		 "C: a LOGIN erin secret\n"
		 "X: wait 1000\n"
		 "S: a NO ~\n");
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

/* The limits of it: how long each refusal waits, and which failure is the last. */
static void test_login_failures(void **state)
{
	struct fake f;
	struct buf *got = &f.clients[0].received;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	for (int i = 1; i <= LIMIT_IMAP_LOGINS; i++) {
		buf_clear(got);
		fake_send(&f, 0, STR("a LOGIN alice wrong\r\n"));
		fake_wait(&f, (LIMIT_IMAP_LOGIN_DELAY_MS << (i - 1)) - 1);
		assert_int_equal(got->n, 0);
		fake_wait(&f, 1);
		assert_true(str_starts(buf_str(got), STR("a NO [AUTHENTICATIONFAILED]")));
		assert_int_equal(f.clients[0].closed, i == LIMIT_IMAP_LOGINS);
		if (i == LIMIT_IMAP_LOGINS - 1) { /* still with us */
			buf_clear(got);
			fake_send(&f, 0, STR("b NOOP\r\n"));
			assert_str(buf_str(got), STR("b OK NOOP completed\r\n"));
		}
	}
	fake_done(&f);
}

/* A name that no address can be asks the gate nothing, and is refused as any other. */
static void test_long_user(void **state)
{
	(void)state;
	for (int n = LIMIT_ADDRESS_BYTES - 1; n <= LIMIT_ADDRESS_BYTES + 1; n++) {
		struct fake f;
		char line[LIMIT_ADDRESS_BYTES + 64];
		uint32_t asked;

		fake_init(&f);
		fake_connect(&f, "imaps", true);
		buf_clear(&f.clients[0].received);
		asked = f.next_request;
		snprintf(line, sizeof line, "a LOGIN %0*d secret\r\n", n, 0);
		fake_send(&f, 0, str_from(line));
		assert_int_equal(f.next_request - asked, n <= LIMIT_ADDRESS_BYTES);
		fake_wait(&f, LIMIT_IMAP_LOGIN_DELAY_MS);
		assert_true(str_starts(
			buf_str(&f.clients[0].received), STR("a NO [AUTHENTICATIONFAILED]")));
		fake_done(&f);
	}
}

/* Every wait for the client, a millisecond before its end, at it and behind it. */
static void test_waits(void **state)
{
	static const struct {
		const char *said; /* after the greeting */
		int64_t ms;
	} waits[] = {
		{ "", LIMIT_IMAP_STRANGER_MS },
		{ "a LOG", LIMIT_IMAP_STRANGER_MS },
		{ "a LOGIN alice {6}\r\n", LIMIT_IMAP_STRANGER_MS },
		{ "a LOGIN alice secret\r\n", LIMIT_IMAP_IDLE_MS },
		{ "a LOGIN alice secret\r\nb IDLE\r\n", LIMIT_IMAP_IDLE_MS },
		{ "a LOGIN alice secret\r\nb NOO", LIMIT_IMAP_COMMAND_MS },
		{ "a LOGIN alice secret\r\nb APPEND INBOX {9}\r\nx", LIMIT_IMAP_COMMAND_MS },
		{ "a LOGIN alice secret\r\nb IDLE\r\nDON", LIMIT_IMAP_COMMAND_MS },
		{ "a LOGIN alice secret\r\nb NOO\r\n", LIMIT_IMAP_IDLE_MS },
		{ "a LOGIN alice secret\r\nb NOOP\r\n", LIMIT_IMAP_IDLE_MS },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(waits); i++)
		for (int over = -1; over <= 1; over++) {
			struct fake f;

			fake_init(&f);
			fake_connect(&f, "imaps", true);
			fake_send(&f, 0, str_from(waits[i].said));
			fake_wait(&f, waits[i].ms + over);
			assert_int_equal(f.clients[0].closed, over >= 0);
			assert_int_equal(str_search(buf_str(&f.clients[0].received),
						 STR("* BYE ")) < f.clients[0].received.n,
				over >= 0);
			fake_done(&f);
		}
	/* a stranger's minute is one in all, whatever is said in it */
	dialogue("S: * OK ~\n"
		 "X: wait 59999\n"
		 "C: a NOOP\n"
		 "S: a OK NOOP completed\n"
		 "X: wait 1\n"
		 "S: * BYE Login takes too long\n"
		 "X: closed\n");
}

static void log_in_and_say(struct fake *f, const char *text)
{
	fake_init(f);
	fake_connect(f, "imaps", true);
	fake_send(f, 0, STR("a LOGIN alice secret\r\n"));
	fake_send(f, 0, str_from(text));
}

/* S44's counterpart: a trickle gets no more time than silence, in no part of a command. */
static void s44_trickle(void **state)
{
	static const char *const begun[] = { "b NOO", "b LIST \"\" {6000}\r\n",
		"b APPEND INBOX {6000}\r\n", "b APPEND NOWHERE {6000+}\r\n", "b IDLE\r\nD" };
	enum { STEP_MS = 1000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(begun); i++) {
		struct fake f;
		/* a byte of a literal buys its part of a second, and that is all */
		bool literal = strchr(begun[i], '{') != NULL;
		int64_t ms = 0, bought = 1000 / LIMIT_DATA_RATE_BYTES;
		int64_t most = LIMIT_IMAP_COMMAND_MS +
			       (literal ? bought * (LIMIT_IMAP_COMMAND_MS / STEP_MS + 1) : 0);

		log_in_and_say(&f, begun[i]);
		for (; !f.clients[0].closed && ms < 2 * LIMIT_IMAP_COMMAND_MS; ms += STEP_MS) {
			fake_wait(&f, STEP_MS);
			if (!f.clients[0].closed)
				fake_send(&f, 0, STR("x"));
		}
		assert_true(ms >= LIMIT_IMAP_COMMAND_MS && ms <= most + STEP_MS);
		assert_true(str_search(buf_str(&f.clients[0].received),
				    STR("* BYE Command takes too long")) < f.clients[0].received.n);
		fake_done(&f);
	}
}

/* A literal that comes at the least rate may take as long as it needs: with a byte a second less
 * its time runs out, with the rate or more it does not. Nobody has more than the time of a command
 * without a byte. */
static void s44_least_rate(void **state)
{
	char text[LIMIT_DATA_RATE_BYTES + 1];

	(void)state;
	memset(text, 'x', sizeof text);
	for (int over = -1; over <= 1; over++) {
		struct fake f;
		const struct session *s;

		log_in_and_say(&f, "b APPEND INBOX {1000000}\r\n");
		s = f.clients[0].session;
		fake_wait(&f, 60000); /* so that there is room to grow */
		for (int second = 0; second < 1000; second++) {
			fake_wait(&f, 1000);
			fake_send(&f, 0, str_make(text, (size_t)(LIMIT_DATA_RATE_BYTES + over)));
			assert_false(f.clients[0].closed);
		}
		assert_int_equal(s->deadline_ms - f.clock.monotonic_ms,
			LIMIT_IMAP_COMMAND_MS - 60000 + over * 1000 * 1000 / LIMIT_DATA_RATE_BYTES);
		for (int i = 0; i < 200; i++) /* much at once buys no more than the most */
			fake_send(&f, 0, str_make(text, LIMIT_DATA_RATE_BYTES));
		assert_int_equal(s->deadline_ms - f.clock.monotonic_ms, LIMIT_IMAP_COMMAND_MS);
		fake_done(&f);
	}
}

/* Whom the store keeps waiting within a command loses nothing by it. */
static void s44_our_own_wait(void **state)
{
	struct fake f;
	const struct session *s;

	(void)state;
	log_in_and_say(&f, "");
	s = f.clients[0].session;
	assert_int_equal(s->class->input(f.clients[0].session, STR("b APPEND INBOX {9}\r\n")), 20);
	f.clock.monotonic_ms += LIMIT_IMAP_COMMAND_MS - 1; /* the mailbox is asked for */
	fake_run(&f);
	assert_int_equal(s->deadline_ms - f.clock.monotonic_ms, LIMIT_IMAP_COMMAND_MS);
	fake_wait(&f, LIMIT_IMAP_COMMAND_MS - 1);
	fake_send(&f, 0, STR("P: x\r\n\r\nx\r\n"));
	assert_true(str_search(buf_str(&f.clients[0].received), STR("b OK ")) <
		    f.clients[0].received.n);
	fake_done(&f);
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
		 /* RFC 9051 7.6: an example; whose literal nobody wants is not asked for it */
		 "C: a BLURDYBLOOP {3}\n"
		 "S: a BAD Unknown command\n"
		 "C: a LIST \"\" {3}\n"
		 "S: a BAD Please log in first\n"
		 "C: {3}\n"
		 "S: * BAD A command begins with a tag\n"
		 "C: a BLURDYBLOOP {3+}\n"
		 "C: abc\n"
		 "S: a BAD Unknown command\n"
		 "C: a LOGIN {104857600+}\n" /* I2 */
		 "S: * BYE [TOOBIG] Literal is too large\n"
		 "X: closed\n");
	dialogue("S: * OK ~\n"
		 "C: GET / HTTP/1.1\n"
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

/* RFC 5530 3: the service is off for the account, or the app password is for others; the password
 * was right, and somebody else is to be acted for */
static void test_denied(void **state)
{
	(void)state;
	dialogue("S: * OK ~\n"
		 "C: a LOGIN carol secret\n"
		 "X: wait 2000\n"
		 "S: a NO [CONTACTADMIN] ~\n"
		 "C: b AUTHENTICATE PLAIN Ym9iAGRhdmUAc2VjcmV0\n"
		 "X: wait 2000\n"
		 "S: b NO [AUTHORIZATIONFAILED] ~\n");
}

/* What the configuration hides is not announced, and works all the same */
static void test_hidden(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f);
	f.settings.imap_hide = "idle IMAP4rev1 LOGINDISABLED alice@example.test:APPENDLIMIT "
			       "ALICE@example.test:QRESYNC bob@example.test:MOVE x:UNSELECT";
	fake_connect(&f, "imaps", true);
	dialogue_with(&f,
		"S: * OK [CAPABILITY IMAP4rev1 ~] ~\n"
		"C: in LOGIN alice secret\n"
		"S: in OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ ID ENABLE UIDPLUS MOVE "
		"NAMESPACE "
		"SPECIAL-USE CREATE-SPECIAL-USE UNSELECT ~ CONDSTORE WITHIN ~ QUOTA=RES-MESSAGE "
		"QUOTASET "
		"UTF8=ACCEPT ~] Logged in\n"
		"C: a ENABLE QRESYNC\n"
		"S: * ENABLED QRESYNC\n"
		"S: a OK ~\n"
		"C: b IDLE\n"
		"S: + idling\n"
		"C: DONE\n"
		"S: b OK ~\n");
	fake_done(&f);
	fake_init(&f);
	f.settings.imap_hide = "none";
	fake_connect(&f, "imaps", true);
	dialogue_with(&f,
		"S: * OK ~\n"
		"C: in LOGIN alice secret\n"
		"S: in OK [CAPABILITY ~ IDLE ~ QRESYNC ~ APPENDLIMIT=52428800 ~] Logged in\n");
	fake_done(&f);
}

/* A slip of the pen hides nothing */
static void test_may_hide(void **state)
{
	static const struct {
		const char *word;
		bool may;
	} words[] = { { "qresync", true }, { "a@b.c:IDLE", true }, { "id=x/1:*:AppendLimit", true },
		{ "APPENDLIMIT=5", false }, { "QRSYNC", false }, { "a@b.c:", false },
		{ ":", false }, { "IMAP4rev1", false }, { "IMAP4rev2", true },
		{ "STARTTLS", false }, { "AUTH=", false }, { "id=IDLE", false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		assert_int_equal(imap_may_hide(str_from(words[i].word)), words[i].may);
}

/* By what a client says of itself, as long as it says it, and not of a stranger's words before TLS
 */
static void test_hidden_by_id(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f);
	f.settings.imap_hide = "id=Some*Mail/1.*:IDLE id=some*mail:QRESYNC id=*:IMAP4rev1 id=x:ID";
	f.settings.imap_hide_known = true;
	fake_connect(&f, "imaps", true);
	dialogue_with(&f,
		"S: * OK [CAPABILITY IMAP4rev1 IMAP4rev2 ~] ~\n"
		"C: a ID (\"vendor\" \"x\" \"NAME\" \"some Old mail\" \"version\" \"1.0\")\n"
		"S: * ID ~\n"
		"S: a OK ~\n"
		"C: in LOGIN alice secret\n"
		"S: in OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ ID ENABLE UIDPLUS ~ CONDSTORE "
		"WITHIN ~] ~\n"
		"C: b CAPABILITY\n"
		"S: * CAPABILITY ~ ENABLE UIDPLUS ~ CONDSTORE WITHIN ~\n"
		"S: b OK ~\n"
		/* it is served all the same */
		"C: c ENABLE QRESYNC\n"
		"S: * ENABLED QRESYNC\n"
		"S: c OK ~\n"
		/* what is wrong changes nothing */
		"C: d ID (\"name\" \"x\" \"version\")\n"
		"S: d BAD ~\n"
		"C: e ID (\"name\" \"Some Mail\" \"version\" NIL)\n"
		"S: * ID ~\n"
		"S: e OK ~\n"
		"C: f CAPABILITY\n"
		"S: * CAPABILITY ~ ENABLE IDLE UIDPLUS ~ CONDSTORE WITHIN ~\n"
		"S: f OK ~\n"
		"C: g ID NIL\n"
		"S: * ID ~\n"
		"S: g OK ~\n"
		"C: h CAPABILITY\n"
		"S: * CAPABILITY IMAP4rev1 ~ ID ENABLE IDLE ~ CONDSTORE QRESYNC ~\n"
		"S: h OK ~\n");
	fake_done(&f);
	fake_init(&f);
	f.settings.imap_hide = "id=x:IMAP4rev2";
	fake_connect(&f, "imap", false);
	dialogue_part(&f, "S: * OK ~\n"
			  "C: a ID (\"name\" \"x\")\n"
			  "S: * ID ~\n"
			  "S: a OK ~\n"
			  "C: b CAPABILITY\n"
			  "S: * CAPABILITY IMAP4rev1 STARTTLS ~\n"
			  "S: b OK ~\n"
			  "C: c STARTTLS\n"
			  "S: c OK ~\n");
	dialogue_with(&f, "C: d CAPABILITY\n"
			  "S: * CAPABILITY IMAP4rev1 IMAP4rev2 ~\n"
			  "S: d OK ~\n");
	fake_done(&f);
}

TEST_MAIN(test_case(test_denied), test_case(test_hidden), test_case(test_may_hide),
	test_case(test_hidden_by_id), test_case(test_login), test_case(test_no_ticket),
	test_case(test_login_fails), test_case(test_login_failures), test_case(test_long_user),
	test_case(test_waits), test_case(s44_trickle), test_case(s44_least_rate),
	test_case(s44_our_own_wait), test_case(test_authenticate), test_case(test_starttls),
	test_case(test_stranger), test_case(test_autologout), test_case(test_id),
	test_case(test_ends))
