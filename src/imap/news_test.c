// SPDX-License-Identifier: Apache-2.0
/* What a session tells of others: IDLE, two sessions on one mailbox, messages that went away, and a
 * store that was replaced. */
#include "imap/dialogue.h"

#include "imap/imap_private.h"

/* A message that another session expunged: no answer for it, and a word about it. RFC 2180 4.1 */
static void test_fetch_gone(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 MAIL2 INBOX("2") LOGIN2 "C2: a SELECT INBOX\n" OPENS_UNSEEN(
		"2:", "2") "S2: a OK ~\n"
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

/* COPY and MOVE by number of what another session expunged copy nothing, whether the session knows
 * it already or not: RFC 2180 4.4.1. By UID it is not there. */
static void test_copy_gone(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 MAIL2 MAIL1 INBOX("3") LOGIN2 "C2: a SELECT INBOX\n" OPENS_UNSEEN(
		"2:", "3") "S2: a OK ~\n"
			   "C2: b STORE 1 +FLAGS.SILENT (\\Deleted)\n"
			   "S2: b OK ~\n"
			   "C2: c EXPUNGE\n"
			   "S2: * 1 EXPUNGE\n"
			   "S2: c OK ~\n"
			   "C: a COPY 1:2 Sent\n"
			   "S: * 1 EXPUNGE\n"
			   "S: a NO [EXPUNGEISSUED] ~\n"
			   "C2: d STORE 1 +FLAGS.SILENT (\\Deleted)\n"
			   "S2: d OK ~\n"
			   "C2: e EXPUNGE\n"
			   "S2: * 1 EXPUNGE\n"
			   "S2: e OK ~\n"
			   "C: b FETCH 1 BODY.PEEK[]\n" /* it knows now, and may not say */
			   "S: b NO [EXPUNGEISSUED] ~\n"
			   "C: c COPY 1 nowhere\n"
			   "S: * 1 EXPUNGE\n"
			   "S: c NO [TRYCREATE] ~\n"
			   "C2: f STORE 1 +FLAGS.SILENT (\\Deleted)\n"
			   "S2: f OK ~\n"
			   "C2: g EXPUNGE\n"
			   "S2: * 1 EXPUNGE\n"
			   "S2: g OK ~\n"
			   "C: d FETCH 1 BODY.PEEK[]\n"
			   "S: d NO [EXPUNGEISSUED] ~\n"
			   "C: e MOVE 1 Sent\n"
			   "S: * 1 EXPUNGE\n"
			   "S: e NO [EXPUNGEISSUED] ~\n"
			   "C: f STATUS Sent (MESSAGES)\n"
			   "S: * STATUS Sent (MESSAGES 0)\n"
			   "S: f OK ~\n" MAIL1 MAIL2 "C: g NOOP\n"
			   "S: * 2 EXISTS\n"
			   "S: g OK ~\n"
			   "C2: h NOOP\n"
			   "S2: * 2 EXISTS\n"
			   "S2: h OK ~\n"
			   "C2: h STORE 1 +FLAGS.SILENT (\\Deleted)\n"
			   "S2: h OK ~\n"
			   "C2: i EXPUNGE\n"
			   "S2: * 1 EXPUNGE\n"
			   "S2: i OK ~\n"
			   "C: h UID COPY 4:5 Sent\n" /* RFC 9051 6.4.9 */
			   "S: * 1 EXPUNGE\n"
			   "S: h OK [COPYUID 1002 5 1] ~\n");
}

/* Flags of what another session expunged: RFC 2180 4.2. First the session does not know it, then it
 * does and may not say so. */
static void test_store_gone(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 MAIL2 INBOX("2") LOGIN2 "C2: a SELECT INBOX\n" OPENS_UNSEEN(
		"2:", "2") "S2: a OK ~\n"
			   "C: a FETCH 1:2 FLAGS\n"
			   "S: * 1 FETCH (FLAGS ())\n"
			   "S: * 2 FETCH (FLAGS ())\n"
			   "S: a OK ~\n"
			   "C2: b STORE 1 +FLAGS.SILENT (\\Deleted)\n"
			   "S2: b OK ~\n"
			   "C2: c EXPUNGE\n"
			   "S2: * 1 EXPUNGE\n"
			   "S2: c OK ~\n"
			   "C: b STORE 1 +FLAGS (\\Flagged)\n" /* 4.2.2 */
			   "S: b NO [EXPUNGEISSUED] ~\n"
			   "C: c STORE 1 +FLAGS (\\Flagged)\n"
			   "S: c NO [EXPUNGEISSUED] ~\n"
			   "C: d STORE 1 +FLAGS.SILENT (\\Flagged)\n" /* 4.2.1 */
			   "S: d OK ~\n"
			   "C: e STORE 1:2 +FLAGS (\\Flagged)\n"
			   "S: * 2 FETCH (FLAGS (\\Flagged))\n"
			   "S: e OK ~\n"
			   "C: f STORE 2 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)\n"
			   "S: * OK [HIGHESTMODSEQ 12] Highest\n"
			   "S: * 2 FETCH (UID 2 FLAGS (\\Flagged) MODSEQ (16))\n"
			   "S: * OK [HIGHESTMODSEQ 12] ~\n" /* the EXPUNGE waits */
			   "S: f OK [MODIFIED 2] ~\n"
			   "C: g UID STORE 1 +FLAGS (\\Flagged)\n" /* RFC 9051 6.4.9 */
			   "S: * 1 EXPUNGE\n"
			   "S: g OK ~\n");
}

/* The store goes behind a STORE that it has done: nothing old is told, and what it did once it is
 * back. */
static void test_store_goes_behind_a_change(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 INBOX("1") "X: nonews\n"
					"C: a STORE 1 +FLAGS (\\Flagged)\n"
					"S: a OK ~\n"
					"X: news\n"
					"C: b NOOP\n"
					"S: * 1 FETCH (FLAGS (\\Flagged))\n"
					"S: b OK ~\n");
}

/* A .SILENT one whose news could not be had may be undone by the time they come: then the client
 * hears what became of it, though the view sees no flag that differs. */
static void test_store_goes_behind_a_silent_change(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 MAIL2 INBOX(
		"2") "C: a FETCH 1:2 FLAGS\n"
		     "S: * 1 FETCH (FLAGS ())\n"
		     "S: * 2 FETCH (FLAGS ())\n"
		     "S: a OK ~\n" LOGIN2 "C2: a SELECT INBOX\n" OPENS_UNSEEN(
			     "2:", "2") "S2: a OK ~\n"
					"C2: b STORE 2 +FLAGS.SILENT (\\Flagged)\n"
					"S2: b OK ~\n"
					"X: nonews\n"
					"C: a STORE 1 +FLAGS.SILENT (\\Deleted)\n"
					"S: a OK ~\n"
					"X: news\n"
					"C2: b STORE 1 FLAGS.SILENT ()\n"
					"S2: b OK ~\n"
					"C: b NOOP\n"
					"S: * 1 FETCH (FLAGS ())\n"
					"S: * 2 FETCH (FLAGS (\\Flagged))\n"
					"S: b OK ~\n");
}

/* Behind an EXPUNGE: who hears OK without an EXPUNGE takes it that nothing went (RFC 9051 6.4.3).
 */
static void test_store_goes_behind_an_expunge(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 MAIL2 INBOX("2") "C: a STORE 1 +FLAGS.SILENT (\\Deleted)\n"
					      "S: a OK ~\n"
					      "X: nonews\n"
					      "C: b EXPUNGE\n"
					      "S: b NO [UNAVAILABLE] ~\n"
					      "X: news\n"
					      "C: c EXPUNGE\n"
					      "S: * 1 EXPUNGE\n"
					      "S: c OK ~\n"
					      "X: nonews\n"
					      "C: d EXPUNGE\n" /* of nothing */
					      "S: d OK ~\n");
}

/* Nor does a command read from what a STORE is missing in. */
static void test_fetch_behind_a_change(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 INBOX("1") "X: nonews\n"
					"C: a STORE 1 +FLAGS (\\Flagged)\n"
					"S: a OK ~\n"
					"C: b FETCH 1 FLAGS\n"
					"S: b NO [UNAVAILABLE] ~\n"
					"C: c UID SEARCH FLAGGED\n"
					"S: c NO [UNAVAILABLE] ~\n"
					"X: news\n"
					"C: d FETCH 1 FLAGS\n"
					"S: * 1 FETCH (FLAGS (\\Flagged))\n"
					"S: d OK ~\n"
					"X: nonews\n"
					"C: e STORE 1 FLAGS (\\Seen)\n"
					"S: e OK ~\n"
					"X: replace\n"
					"C: f FETCH 1 FLAGS\n"
					"S: * 1 FETCH (FLAGS (\\Seen))\n"
					"S: f OK ~\n");
}

/* IDLE tells it by itself, once it can be asked for. */
static void test_idle_behind_a_change(void **state)
{
	struct fake f;

	(void)state;
	for (int over = -1; over <= 0; over++) {
		fake_init(&f);
		fake_connect(&f, "imaps", true);
		dialogue_with(&f, LOGIN MAIL1 INBOX("1") "X: nonews\n"
							 "C: a STORE 1 +FLAGS (\\Flagged)\n"
							 "S: a OK ~\n"
							 "C: b IDLE\n"
							 "S: + idling\n"
							 "X: news\n");
		fake_wait(&f, LIMIT_IMAP_RETRY_MS + over);
		dialogue_with(&f, over < 0 ? "C: DONE\n"
					     "S: * 1 FETCH (FLAGS (\\Flagged))\n"
					     "S: b OK ~\n"
					   : "S: * 1 FETCH (FLAGS (\\Flagged))\n"
					     "C: DONE\n"
					     "S: b OK ~\n");
		fake_done(&f);
	}
}

/* The same where the news reach back too far, and the whole view ends in its middle. */
static void test_store_goes_in_a_view(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 INBOX("1") "C: a FETCH 1 FLAGS\n"
					"S: * 1 FETCH (FLAGS ())\n"
					"S: a OK ~\n"
					"X: horizon\n"
					"X: noviews\n" MAIL2 "C: b STORE 1 +FLAGS (\\Flagged)\n"
					"S: b OK ~\n"
					"X: views\n"
					"C: c NOOP\n"
					"S: * 2 EXISTS\n"
					"S: * 1 FETCH (FLAGS (\\Flagged))\n"
					"S: c OK ~\n");
}

/* A view that had everything before a STORE needs nothing of the store to tell what it did. */
static void test_store_is_known(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 INBOX("1") "C: a FETCH 1 FLAGS\n"
					"S: * 1 FETCH (FLAGS ())\n"
					"S: a OK ~\n"
					"C: b STORE 1 +FLAGS.SILENT (\\Seen)\n"
					"S: b OK ~\n"
					"X: horizon\n"
					"X: noviews\n"
					"C: c STORE 1 +FLAGS (\\Flagged)\n"
					"S: * 1 FETCH (FLAGS (\\Flagged \\Seen))\n"
					"S: c OK ~\n"
					"X: views\n"
					"C: d NOOP\n"
					"S: d OK ~\n");
}

/* RFC 9051 6.3.13, and two sessions on one mailbox */
static void test_idle(void **state)
{
	(void)state;
	dialogue(LOGIN EMPTY_INBOX
		"C: a IDLE\n"
		"S: + idling\n" MAIL1 "S: * 1 EXISTS\n" LOGIN2 "C2: a SELECT INBOX\n" OPENS_UNSEEN(
			"2:", "1") "S2: a OK ~\n"
				   "C2: b STORE 1 +FLAGS (\\Seen \\Deleted)\n"
				   "S2: * 1 FETCH (FLAGS (\\Deleted \\Seen))\n"
				   "S2: b OK ~\n"
				   "S: * 1 FETCH (FLAGS (\\Deleted \\Seen))\n" MAIL2
				   "S: * 2 EXISTS\n"
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
	dialogue(LOGIN MAIL1 MAIL2 MAIL1 INBOX("3") LOGIN2 "C2: a SELECT INBOX\n" OPENS_UNSEEN(
		"2:", "3") "S2: a OK ~\n"
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
					"C: c FETCH 1 UID\n"
					"S: c NO [UNAVAILABLE] ~\n"
					"X: back\n"
					"C: c2 FETCH 1 UID\n"
					"S: * 1 FETCH (UID 1)\n"
					"S: c2 OK ~\n"
					"X: away\n"
					"C: c3 FETCH 1 BODY[]\n"
					"S: c3 NO [UNAVAILABLE] ~\n"
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

/* SELECT deselects what was selected, also where the store is lost (RFC 9051 6.3.2): what comes
 * there is told no more. */
static void test_select_while_the_store_is_lost(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 INBOX("1") "C: a CREATE x\n"
					"S: a OK ~\n"
					"X: away\n"
					"X: replace\n"
					"C: b SELECT\n" /* no command that could be done */
					"S: b BAD ~\n"
					"C: c FETCH 1 UID\n"
					"S: c NO [UNAVAILABLE] ~\n"
					"C: d SELECT x\n"
					"S: * OK [CLOSED] ~\n"
					"S: d NO [UNAVAILABLE] ~\n"
					"C: e EXAMINE x\n"
					"S: e NO [UNAVAILABLE] ~\n"
					"X: back\n" MAIL2 "C: f NOOP\n"
					"S: f OK ~\n"
					"C: g CHECK\n"
					"S: g BAD ~\n"
					"X: replace\n"
					"C: h SELECT INBOX\n" OPENS_UNSEEN(
						":", "2") "S: h OK ~\n"
							  "C: i FETCH 2 UID\n"
							  "S: * 2 FETCH (UID 2)\n"
							  "S: i OK ~\n");
}

/* IDLE tries again so often to reach a store that is away. */
static void test_idle_retries(void **state)
{
	struct fake f;

	(void)state;
	for (int over = -1; over <= 1; over++) {
		uint32_t asked;

		fake_init(&f);
		fake_connect(&f, "imaps", true);
		dialogue_with(&f, LOGIN EMPTY_INBOX "C: a IDLE\n"
						    "S: + idling\n"
						    "X: away\n"
						    "X: replace\n");
		asked = f.next_request;
		fake_wait(&f, LIMIT_IMAP_RETRY_MS + over);
		assert_int_equal(f.next_request > asked, over >= 0);
		fake_done(&f);
	}
}

/* What a store said of the mailbox before it was replaced is in the view that the next one gives:
 * IDLE does not go on asking about it for ever. (Found by the simulation, seed 32.) */
static void test_idle_after_a_store(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_with(&f, LOGIN EMPTY_INBOX "C: a IDLE\n"
					    "S: + idling\n"
					    "X: away\n"
					    "X: replace\n");
	struct session *session = f.clients[0].session;
	for (uint64_t box = 1; box < 20; box++) {
		const struct frame about = { .type = FRAME_MAILBOX_CHANGED,
			.mailbox_changed = { .mailbox = box } };
		session->class->notice(session, &about);
	}
	dialogue_with(&f, "X: back\n"
			  "X: wait 500\n"
			  "X: wait 500\n" MAIL1 "S: * 1 EXISTS\n"
			  "C: DONE\n"
			  "S: a OK ~\n");
	fake_done(&f);
}

/* Who has selected a mailbox and asked for nothing has its numbers all the same: what came between
 * SELECT and the first command that needs a message is told as it would have been. */
static void test_a_promise(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 MAIL2 MAIL1 INBOX("3") LOGIN2 "C2: a SELECT INBOX\n" OPENS_UNSEEN(
		"2:", "3") "S2: a OK ~\n"
		/* New messages need no entries. */
		MAIL2 "C: a NOOP\n"
			   "S: * 4 EXISTS\n"
			   "S: a OK ~\n"
			   "C2: b UID STORE 2 +FLAGS.SILENT (\\Deleted)\n"
			   "S2: * 4 EXISTS\n"
			   "S2: b OK ~\n"
			   "C2: c UID STORE 3 +FLAGS.SILENT (\\Flagged)\n"
			   "S2: c OK ~\n"
			   "C2: d EXPUNGE\n"
			   "S2: * 2 EXPUNGE\n"
			   "S2: d OK ~\n" MAIL1
			   /* Number 2 stays until an EXPUNGE may be told; 3 is still the third. */
			   "C: b FETCH 1:4 UID\n"
			   "S: * 1 FETCH (UID 1)\n"
			   "S: * 3 FETCH (UID 3)\n"
			   "S: * 4 FETCH (UID 4)\n"
			   "S: * 5 EXISTS\n"
			   "S: * 3 FETCH (FLAGS (\\Flagged))\n"
			   "S: b NO [EXPUNGEISSUED] ~\n"
			   "C: c NOOP\n"
			   "S: * 2 EXPUNGE\n"
			   "S: c OK ~\n"
			   "C: d FETCH 2:* UID\n"
			   "S: * 2 FETCH (UID 3)\n"
			   "S: * 3 FETCH (UID 4)\n"
			   "S: * 4 FETCH (UID 5)\n"
			   "S: d OK ~\n");
}

/* A store that does not know the UIDNEXT of its changes (it has nothing older than these) says
 * none: the promise is whole by what it said before, and by the UIDs that came. */
static void test_a_promise_without_uidnext(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_with(&f, LOGIN MAIL1 INBOX("1"));
	f.no_uidnext = true;
	dialogue_with(&f, "C: a NOOP\n"
			  "S: a OK ~\n" MAIL2 "C: b NOOP\n"
			  "S: * 2 EXISTS\n"
			  "S: b OK ~\n" MAIL1 "C: c NOOP\n"
			  "S: * 3 EXISTS\n"
			  "S: c OK ~\n"
			  "C: d FETCH 1:* UID\n"
			  "S: * 1 FETCH (UID 1)\n"
			  "S: * 2 FETCH (UID 2)\n"
			  "S: * 3 FETCH (UID 3)\n"
			  "S: d OK ~\n" MAIL1 "C: e NOOP\n"
			  "S: * 4 EXISTS\n"
			  "S: e OK ~\n"
			  "C: f UID FETCH 4:* FLAGS\n"
			  "S: * 4 FETCH (FLAGS () UID 4)\n"
			  "S: f OK ~\n");
	fake_done(&f);
}

#define FLAGS_OF_TWO                                                                               \
	"C: a FETCH 1:2 FLAGS\n"                                                                   \
	"S: * 1 FETCH (FLAGS ())\n"                                                                \
	"S: * 2 FETCH (FLAGS ())\n"                                                                \
	"S: a OK ~\n"

/* A session at rest gives its entries back, in IDLE or not, and is told what comes as if it had
 * not. */
static void test_rest(void **state)
{
	struct fake f;

	(void)state;
	for (int over = -1; over <= 1; over++) {
		fake_init(&f);
		fake_connect(&f, "imaps", true);
		dialogue_with(&f, LOGIN MAIL1 MAIL2 INBOX("2") FLAGS_OF_TWO);
		fake_wait(&f, LIMIT_IMAP_VIEW_MS + over);
		assert_int_equal(imap_of(f.clients[0].session)->sel.loaded, over < 0);
		fake_done(&f);
	}
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_with(&f, LOGIN MAIL1 MAIL2 INBOX("2") FLAGS_OF_TWO "C: b IDLE\n"
								    "S: + idling\n"
								    "X: wait 60000\n");
	assert_false(imap_of(f.clients[0].session)->sel.loaded);
	dialogue_with(&f, LOGIN2 "C2: a SELECT INBOX\n" OPENS_UNSEEN("2:", "2") "S2: a OK ~\n" MAIL1
										"S: * 3 EXISTS\n");
	assert_false(imap_of(f.clients[0].session)->sel.loaded);
	dialogue_with(&f, "C2: b STORE 2 +FLAGS.SILENT (\\Flagged)\n"
			  "S2: * 3 EXISTS\n"
			  "S2: b OK ~\n"
			  "S: * 2 FETCH (FLAGS (\\Flagged))\n"
			  "X: wait 60000\n"
			  "C2: c STORE 1 +FLAGS.SILENT (\\Deleted)\n"
			  "S2: c OK ~\n"
			  "S: * 1 FETCH (FLAGS (\\Deleted))\n"
			  "X: wait 60000\n"
			  "C2: d EXPUNGE\n"
			  "S2: * 1 EXPUNGE\n"
			  "S2: d OK ~\n"
			  "S: * 1 EXPUNGE\n"
			  "X: wait 60000\n"
			  "S: * OK Still here\n");
	assert_false(imap_of(f.clients[0].session)->sel.loaded);
	dialogue_with(&f, "C: DONE\n"
			  "S: b OK ~\n"
			  "C: c FETCH 1:2 (UID FLAGS)\n"
			  "S: * 1 FETCH (UID 2 FLAGS (\\Flagged))\n"
			  "S: * 2 FETCH (UID 3 FLAGS ())\n"
			  "S: c OK ~\n");
	fake_done(&f);
}

/* What SORT has seen goes too, and is seen again when it is needed. */
static void test_rest_after_a_sort(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	for (int i = 0; i < 2; i++) {
		dialogue_with(&f, i == 0 ? LOGIN MAIL2 MAIL1 INBOX("2") : "");
		dialogue_with(&f, "C: a SORT (SUBJECT) UTF-8 ALL\n"
				  "S: * SORT 2 1\n"
				  "S: a OK ~\n");
		assert_non_null(imap_of(f.clients[0].session)->sel.facts);
		fake_wait(&f, LIMIT_IMAP_VIEW_MS);
		assert_null(imap_of(f.clients[0].session)->sel.facts);
	}
	fake_done(&f);
}

/* A keyword that another session made is told before a message has it, however it came to be known:
 * RFC 9051 7.3.1 */
static void test_new_keywords(void **state)
{
#define KNOWN "S: * FLAGS (~ New)\n"
	static const struct {
		const char *how, *known;
	} cases[] = {
		{ "C: b NOOP\n", KNOWN },
		{ "X: horizon\nC: b NOOP\n", KNOWN },
		{ "X: replace\n", KNOWN "C: b NOOP\n" },
		{ "X: wait 60000\nC: b NOOP\n", KNOWN },
		{ "X: wait 60000\nX: horizon\nC: b NOOP\n", KNOWN },
		{ "X: wait 60000\nX: replace\n", KNOWN "C: b NOOP\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fake f;

		fake_init(&f);
		fake_connect(&f, "imaps", true);
		dialogue_with(&f, LOGIN MAIL1 MAIL2 INBOX("2") FLAGS_OF_TWO LOGIN2
			"C2: a SELECT INBOX\n" OPENS_UNSEEN(
				"2:", "2") "S2: a OK ~\n"
					   "C2: b STORE 1 +FLAGS.SILENT (New)\n"
					   "S2: * FLAGS (~ New)\n"
					   "S2: b OK ~\n");
		dialogue_part(&f, cases[i].how);
		dialogue_part(&f, cases[i].known);
		dialogue_with(&f, "S: * 1 FETCH (FLAGS (New))\n"
				  "S: b OK ~\n"
				  "C: c NOOP\n"
				  "S: c OK ~\n");
		fake_done(&f);
	}
}

/* A store whose entries make no view: no command takes that for one. */
static void test_broken_view(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 MAIL2 INBOX("2") "X: badviews\n"
					      "C: a FETCH 1:2 FLAGS\n"
					      "S: a NO ~\n"
					      "C: b NOOP\n"
					      "S: b OK ~\n");
	dialogue(LOGIN MAIL1 MAIL2 INBOX("2") FLAGS_OF_TWO "X: horizon\n"
							   "X: badviews\n" MAIL1 "C: b NOOP\n"
							   "S: b OK ~\n"
							   "C: c FETCH 1 FLAGS\n"
							   "S: c NO ~\n");
	dialogue(LOGIN MAIL1 MAIL2 "C: a NOTIFY SET (selected (MessageNew MessageExpunge))\n"
				   "S: a OK ~\n"
				   "X: badviews\n"
				   "C: b SELECT INBOX\n"
				   "S: b NO ~\n"
				   "C: c FETCH 1 FLAGS\n"
				   "S: c BAD ~\n");
}

/* What is still to be told keeps the entries: an EXPUNGE waits for its moment. */
static void test_no_rest(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_with(&f, LOGIN MAIL1 MAIL2 INBOX("2") FLAGS_OF_TWO LOGIN2
		"C2: a SELECT INBOX\n" OPENS_UNSEEN(
			"2:", "2") "S2: a OK ~\n"
				   "C2: b UID STORE 1 +FLAGS.SILENT \\Deleted\n"
				   "S2: b OK ~\n"
				   "C2: c EXPUNGE\n"
				   "S2: * 1 EXPUNGE\n"
				   "S2: c OK ~\n"
				   "C: b FETCH 2 UID\n"
				   "S: * 2 FETCH (UID 2)\n"
				   "S: b OK ~\n"
				   "X: wait 60000\n");
	assert_true(imap_of(f.clients[0].session)->sel.loaded);
	dialogue_with(&f, "C: c FETCH 2 UID\n"
			  "S: * 2 FETCH (UID 2)\n"
			  "S: c OK ~\n"
			  "C: d NOOP\n"
			  "S: * 1 EXPUNGE\n"
			  "S: d OK ~\n");
	fake_done(&f);
}

/* Who is in IDLE hears that we are there, until it ends; autologout counts on all the same. */
static void test_keep_alive(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_part(&f, LOGIN EMPTY_INBOX "C: a IDLE\n"
					    "S: + idling\n");
	fake_wait(&f, LIMIT_IMAP_ALIVE_MS - 1);
	assert_int_equal(f.clients[0].received.n, 0);
	fake_wait(&f, 1);
	dialogue_part(&f, "S: * OK Still here\n");
	fake_wait(&f, LIMIT_IMAP_ALIVE_MS + 1);
	dialogue_part(&f, "S: * OK Still here\n" MAIL1 "S: * 1 EXISTS\n"
			  "C: DONE\n"
			  "S: a OK IDLE terminated\n");
	fake_wait(&f, LIMIT_IMAP_ALIVE_MS);
	dialogue_part(&f, "C: b IDLE\n"
			  "S: + idling\n");
	fake_wait(&f, LIMIT_IMAP_IDLE_MS - 1);
	dialogue_part(&f, "S: * OK Still here\n");
	fake_wait(&f, 1);
	dialogue_with(&f, "S: * BYE Autologout: idle for too long\n"
			  "X: closed\n");
	fake_done(&f);
}

TEST_MAIN(test_case(test_keep_alive), test_case(test_a_promise),
	test_case(test_a_promise_without_uidnext), test_case(test_rest), test_case(test_no_rest),
	test_case(test_rest_after_a_sort), test_case(test_new_keywords),
	test_case(test_broken_view), test_case(test_store_goes_behind_a_change),
	test_case(test_store_goes_behind_a_silent_change),
	test_case(test_store_goes_behind_an_expunge), test_case(test_fetch_behind_a_change),
	test_case(test_idle_behind_a_change), test_case(test_store_goes_in_a_view),
	test_case(test_store_is_known), test_case(test_idle_after_a_store),
	test_case(test_idle_retries), test_case(test_fetch_gone), test_case(test_copy_gone),
	test_case(test_store_gone), test_case(test_idle), test_case(test_two_sessions),
	test_case(test_store_lost), test_case(test_select_while_the_store_is_lost))
