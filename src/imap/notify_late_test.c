// SPDX-License-Identifier: Apache-2.0
/* NOTIFY: what comes late, out of turn or without a pause: a store that is away, was replaced or
 * has no bytes for the moment; what was on its way before; several messages at once; what was
 * refused. */
#include "imap/notify_scene.h"

/* What was on its way when NOTIFY NONE was said has no effect */
static void test_late_notice(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_part(&f, LOGIN "C: a NOTIFY SET (personal (MailboxName))\n"
				"S: a OK ~\n");
	assert_true(f.clients[0].account);
	dialogue_part(&f, "C: b NOTIFY NONE\n"
			  "S: b OK ~\n");
	assert_false(f.clients[0].account);
	fake_say(&f, f.clients[0].session, 0,
		&(struct frame){ .type = FRAME_ACCOUNT_CHANGED,
			.account_changed = { f.clients[0].session->store_session } });
	fake_run(&f);
	assert_false(f.clients[0].account);
	fake_done(&f);
}

/* The store is replaced: what changed meanwhile is told when it is back */
static void test_replaced(void **state)
{
	(void)state;
	talk(LOGIN LOGIN2 EMPTY_INBOX,
		"C: a NOTIFY SET (selected (MessageNew (UID) MessageExpunge)) (personal "
		"(MailboxName))\n"
		"S: a OK NOTIFY completed\n"
		"X: replace\n"
		"C2: a CREATE News\n"
		"S2: a OK ~\n"
		"S: * LIST (\\HasNoChildren) \"/\" News\n" MAIL1 "S: * 1 EXISTS\n"
		"S: * 1 FETCH (UID 1)\n");
}

/* Somebody delivers a message, and the session hears of it before the answer that it waits for. */
static void deliver_before_the_answer(struct fake *f)
{
	struct fake_answer *a, one;

	fake_deliver(f, "INBOX", STR("x"));
	assert_int_equal(f->answers.n, 2);
	a = (struct fake_answer *)(void *)f->answers.p;
	one = a[0];
	a[0] = a[1];
	a[1] = one;
	fake_deliver_one(f);
	fake_deliver_one(f);
	fake_drain(f, &f->clients[0]);
}

/* News upon news without a pause, in IDLE and out of it: what a turn takes of the arena it gives
 * back, however many follow each other. */
static void test_no_pause(void **state)
{
	(void)state;
	for (int idle = 0; idle <= 1; idle++) {
		struct fake f;
		struct imap *s;

		fake_init(&f);
		fake_connect(&f, "imaps", true);
		dialogue_part(&f, LOGIN EMPTY_INBOX NOTIFY(
					  "a", "(selected (MessageNew (UID) MessageExpunge))"));
		if (idle)
			dialogue_part(&f, "C: tag IDLE\n"
					  "S: + idling\n");
		s = imap_of(f.clients[0].session);
		fake_deliver(&f, "INBOX", STR("x"));
		fake_deliver_one(&f);
		for (size_t used = 0; used <= 2 * LIMIT_IMAP_ARENA_BYTES;
			used += sizeof(struct fetch_work)) {
			deliver_before_the_answer(&f);
			assert_true(s->cmd.quiet); /* there was no pause */
			assert_true(s->arena.used <= 2 * sizeof(struct fetch_work));
			buf_clear(&f.clients[0].received);
		}
		fake_run(&f);
		buf_clear(&f.clients[0].received);
		if (idle)
			dialogue_part(&f, "C: DONE\n"
					  "S: tag OK ~\n");
		dialogue_with(&f, "C: b NOOP\n"
				  "S: b OK ~\n");
		fake_done(&f);
	}
}

/* RFC 5465 5.2: of several messages that came at once each has its FETCH, but for those that the
 * session made itself, and those that went. */
static void test_several(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_part(&f, LOGIN LOGIN2 MAIL1 INBOX("1")
				  NOTIFY("a", "(selected (MessageNew (UID) MessageExpunge))"));
	for (int i = 0; i < 3; i++)
		fake_deliver(&f, "INBOX", STR("x"));
	fake_run(&f);
	dialogue_part(&f, "S: * 4 EXISTS\n"
			  "S: * 2 FETCH (UID 2)\n"
			  "S: * 3 FETCH (UID 3)\n"
			  "S: * 4 FETCH (UID 4)\n");
	/* the second is its own */
	fake_deliver(&f, "INBOX", STR("x"));
	buf_addz(&f.clients[0].unread, "b COPY 1 INBOX\r\n");
	fake_input(&f.clients[0]);
	fake_run(&f);
	dialogue_with(&f, "S: * 6 EXISTS\n"
			  "S: b OK ~\n"
			  "S: * 5 FETCH (UID 5)\n");
	fake_done(&f);
}

/* A NOTIFY that is refused leaves what was before, be it that none was said: RFC 5465 3.1 */
static void test_refused_changes_nothing(void **state)
{
	struct fake f;

	(void)state;
	for (int before = 0; before <= 2; before++) {
		fake_init(&f);
		fake_connect(&f, "imaps", true);
		dialogue_part(&f, LOGIN LOGIN2 EMPTY_INBOX);
		if (before == 1)
			dialogue_part(&f, NOTIFY("a", "(selected (MessageNew (UID) "
						      "MessageExpunge)) (personal (MailboxName "
						      "MailboxMetadataChange))"));
		else if (before == 2)
			dialogue_part(&f, NOTIFY("a", "(selected (MessageNew MessageExpunge))"));
		f.more_boxes = LIMIT_NOTIFY_MAILBOXES;
		dialogue_part(&f, "C: b NOTIFY SET (personal (MailboxName))\n"
				  "S: b NO [NOTIFICATIONOVERFLOW] ~\n");
		f.more_boxes = 0;
		if (before == 1) /* what is told again is that there are too many */
			dialogue_part(&f, "S: * OK [NOTIFICATIONOVERFLOW] ~\n"
					  "C: b2 NOTIFY SET (selected (MessageNew (UID) "
					  "MessageExpunge)) (personal (MailboxName "
					  "MailboxMetadataChange))\n"
					  "S: b2 OK ~\n");
		dialogue_part(&f, "X: away\n"
				  "C: c NOTIFY SET STATUS (personal (MailboxName))\n"
				  "S: c NO [UNAVAILABLE] ~\n"
				  "X: back\n" MAIL1);
		if (before == 1)
			dialogue_part(&f, "S: * 1 EXISTS\n"
					  "S: * 1 FETCH (UID 1)\n"
					  "C2: d CREATE News\n"
					  "S2: d OK ~\n"
					  "S: * LIST (\\HasNoChildren) \"/\" News\n"
					  "C2: d2 SETMETADATA News (/private/comment \"x\")\n"
					  "S2: d2 OK ~\n"
					  "S: * METADATA News /private/comment\n");
		else if (before == 2)
			dialogue_part(&f, "S: * 1 EXISTS\n"
					  "C2: d CREATE News\n"
					  "S2: d OK ~\n");
		else
			dialogue_part(&f, "C: e NOOP\n"
					  "S: * 1 EXISTS\n"
					  "S: e OK ~\n");
		assert_int_equal(f.clients[0].account, before == 1);
		dialogue_with(&f, "C: g NOOP\n"
				  "S: g OK ~\n");
		fake_done(&f);
	}
}

/* News are waited for in IDLE, or without a command. */
static void begin(struct fake *f, bool idle, const char *setup)
{
	fake_init(f);
	fake_connect(f, "imaps", true);
	dialogue_part(f, setup);
	dialogue_part(f, idle ? "C: i IDLE\nS: + idling\n" : "");
}

/* The store does not say what is new for the moment, or went: IDLE and no command at all look again
 * by themselves. */
static void test_later(void **state)
{
	(void)state;
	for (int idle = 0; idle < 2; idle++) {
		struct fake f;

		begin(&f, idle,
			LOGIN EMPTY_INBOX NOTIFY(
				"a", "(selected (MessageNew (UID) MessageExpunge))"));
		dialogue_part(&f, "X: nonews\n" MAIL1 "X: wait 500\n"
				  "X: wait 500\n"
				  "X: news\n"
				  "X: wait 500\n"
				  "S: * 1 EXISTS\n"
				  "S: * 1 FETCH (UID 1)\n");
		dialogue_with(&f, MAIL1 "S: * 2 EXISTS\n"
					"S: * 2 FETCH (UID 2)\n"
					"X: wait 1000\n");
		fake_done(&f);
	}
}

/* The store went while it was asked, and was there again before the answer. */
static void test_lost_in_a_turn(void **state)
{
	(void)state;
	for (int idle = 0; idle < 2; idle++) {
		struct fake f;
		struct imap *s;
		uint32_t request;

		begin(&f, idle,
			LOGIN EMPTY_INBOX NOTIFY(
				"a", "(selected (MessageNew (UID) MessageExpunge))"));
		s = imap_of(f.clients[0].session);
		fake_deliver(&f, "INBOX", STR("x"));
		fake_deliver_one(&f);
		request = s->request;
		assert_true(request != 0);
		fake_replace_store(&f);
		fake_fail(&f, &s->session, request, ERR_EXPIRED);
		fake_run(&f);
		dialogue_with(&f, "X: wait 500\n"
				  "S: * 1 EXISTS\n"
				  "S: * 1 FETCH (UID 1)\n" MAIL1 "S: * 2 EXISTS\n"
				  "S: * 2 FETCH (UID 2)\n");
		fake_done(&f);
	}
}

/* The store has no bytes for the moment, or goes while they are asked for: what was promised of new
 * messages comes later, but for what it has none of for good. RFC 5465 5.2 */
static void test_fetched_later(void **state)
{
	(void)state;
	for (int idle = 0; idle < 2; idle++) {
		struct fake f;

		begin(&f, idle,
			LOGIN EMPTY_INBOX LOGIN2 NOTIFY("a",
				"(selected (MessageNew (UID BODY.PEEK[TEXT]) MessageExpunge))"));
		dialogue_part(&f, "X: noreads\n"
				  "C2: a APPEND INBOX {4+}\n"
				  "C2: \n"
				  "C2: ab\n"
				  "S2: a OK ~\n"
				  "S: * 1 EXISTS\n"
				  "X: reads\n"
				  "X: wait 500\n"
				  "S: * 1 FETCH (UID 1 BODY[TEXT] {2}\n"
				  "S: ab)\n");
		dialogue_with(&f, "X: noreads\n"
				  "C2: b APPEND INBOX {4+}\n"
				  "C2: \n"
				  "C2: cd\n"
				  "S2: b OK ~\n"
				  "S: * 2 EXISTS\n"
				  "X: wait 500\n"
				  "X: wait 500\n"
				  "X: reads\n"
				  "X: wait 500\n"
				  "C2: c APPEND INBOX {4+}\n"
				  "C2: \n"
				  "C2: ef\n"
				  "S2: c OK ~\n"
				  "S: * 3 EXISTS\n"
				  "S: * 3 FETCH (UID 3 BODY[TEXT] {2}\n"
				  "S: ef)\n");
		fake_done(&f);
	}
}

TEST_MAIN(test_case(test_later), test_case(test_lost_in_a_turn), test_case(test_fetched_later),
	test_case(test_refused_changes_nothing), test_case(test_several), test_case(test_no_pause),
	test_case(test_replaced), test_case(test_late_notice))
