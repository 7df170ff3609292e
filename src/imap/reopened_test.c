// SPDX-License-Identifier: Apache-2.0
/* A session whose store was replaced, and the next one goes in the middle of the view: what a
 * client with QRESYNC may take for told. RFC 7162 6 */
#include "imap/imap_private.h"
#include "imap/qresync_scene.h"

/* The store was replaced, and the next one goes, too, in the middle of its view: what that said is
 * not what the client has been told, whatever command comes then. */
static void test_reopened_in_part(void **state)
{
	struct fake f;

	(void)state;
	for (int loaded = 0; loaded < 2; loaded++) {
		fake_init(&f);
		fake_connect(&f, "imaps", true);
		dialogue_with(&f, LOGIN MAIL5 QRESYNC SELECT5);
		if (loaded)
			dialogue_with(&f, "C: a FETCH 1 FLAGS\n"
					  "S: * 1 FETCH (FLAGS ())\n"
					  "S: a OK ~\n");
		dialogue_with(&f, LOGIN2 "C2: a SELECT INBOX\n" OPENS_UNSEEN(
					  "2:", "5") "S2: a OK ~\n"
						     "C2: b UID STORE 2 +FLAGS.SILENT \\Deleted\n"
						     "S2: b OK ~\n"
						     "C2: c EXPUNGE\n"
						     "S2: * 2 EXPUNGE\n"
						     "S2: c OK ~\n"
						     "X: noviews\n"
						     "X: replace\n");
		fake_send(&f, 0, STR("b CAPABILITY\r\n"));
		buf_clear(&f.clients[0].received);
		assert_int_equal(imap_of(f.clients[0].session)->sel.told, 15);
		dialogue_with(&f, "X: views\n"
				  "C: c NOOP\n"
				  "S: * VANISHED 2\n"
				  "S: c OK ~\n");
		assert_int_equal(imap_of(f.clients[0].session)->sel.told, 17);
		fake_done(&f);
	}
}

/* Nor is what had come of it told: a client that hears of the first message's change takes it that
 * none of the same modseq is behind. */
static void test_told_in_part(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_with(&f, LOGIN MAIL5 QRESYNC SELECT5
		"C: a FETCH 1 FLAGS\n"
		"S: * 1 FETCH (FLAGS ())\n"
		"S: a OK ~\n" LOGIN2 "C2: a SELECT INBOX\n" OPENS_UNSEEN(
			"2:", "5") "S2: a OK ~\n"
				   "C2: b STORE 1,5 +FLAGS.SILENT (\\Flagged)\n"
				   "S2: b OK ~\n"
				   "X: noviews\n"
				   "X: replace\n");
	fake_send(&f, 0, STR("b CAPABILITY\r\n"));
	assert_int_equal(
		str_search(buf_str(&f.clients[0].received), STR("FETCH")), f.clients[0].received.n);
	buf_clear(&f.clients[0].received);
	dialogue_with(&f, "X: views\n"
			  "C: c NOOP\n"
			  "S: * 1 FETCH (UID 1 FLAGS (\\Flagged) MODSEQ (16))\n"
			  "S: * 5 FETCH (UID 5 FLAGS (\\Flagged) MODSEQ (16))\n"
			  "S: c OK ~\n");
	fake_done(&f);
}

/* A mailbox that can't be read is asked for again and again, by the one session that was opened. */
static void test_session_is_opened_once(void **state)
{
	struct fake f;
	uint32_t sessions;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_with(&f, LOGIN MAIL5 QRESYNC SELECT5 "X: noviews\n"
						      "X: replace\n"
						      "C: a FETCH 1 FLAGS\n"
						      "S: a NO [UNAVAILABLE] ~\n");
	sessions = f.next_session;
	dialogue_with(&f, "C: b FETCH 1 FLAGS\n"
			  "S: b NO [UNAVAILABLE] ~\n"
			  "X: views\n"
			  "C: c FETCH 1 FLAGS\n"
			  "S: * 1 FETCH (FLAGS ())\n"
			  "S: c OK ~\n");
	assert_int_equal(f.next_session, sessions);
	fake_done(&f);
}

TEST_MAIN(test_case(test_reopened_in_part), test_case(test_told_in_part),
	test_case(test_session_is_opened_once))
