// SPDX-License-Identifier: Apache-2.0
/* X2: an IMAP session at each of its allocations, the libraries' too. It ends, or goes on as if
 * nothing had been; what it has said until then is what it says otherwise. */
#include "base/no_memory.h"
#include "imap/dialogue.h"
#include "mail/charset.h"

static const char *const lines[] = { "a CAPABILITY", "a ID (\"name\" \"x\")",
	"a LOGIN alice {6+}\r\nsecret", "a ENABLE CONDSTORE UTF8=ACCEPT", "a NAMESPACE",
	"a LIST \"\" * RETURN (STATUS (MESSAGES SIZE))", "a CREATE \"Entw\xc3\xbcrfe\"",
	"a SUBSCRIBE Sent", "a LSUB \"\" *", "a SELECT INBOX",
	"a APPEND INBOX (\\Seen word) {19+}\r\nSubject: x\r\n\r\nBody.",
	"a FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE INTERNALDATE RFC822.SIZE BODY.PEEK[])",
	"a FETCH 2 (BODY[HEADER.FIELDS (SUBJECT FROM)] BINARY.PEEK[1] BODY[1]<0.5>)",
	"a UID SEARCH RETURN (ALL COUNT) CHARSET UTF-8 OR SUBJECT {5+}\r\nd\xc3\xa9j\xc3\xa0 BODY "
	"hello",
	"a STORE 1:2 +FLAGS (\\Deleted other)", "a COPY 1 Sent", "a MOVE 2 Trash", "a EXPUNGE",
	"a STATUS Sent (MESSAGES UIDNEXT)", "a RENAME Sent Sent2", "a DELETE Sent2", "a IDLE",
	"DONE", "a CHECK", "a UNSELECT", "a LOGOUT", NULL };

static void dialogue_of_all(void *arg)
{
	struct fake f;
	(void)arg;
	fake_init(&f);
	assert_int_equal(mail_charsets_preload(), 0); /* as a front at its start */
	no_memory_from_here();
	fake_connect(&f, "imaps", true);
	dialogue_part(&f, MAIL1);
	dialogue_deliver(
		&f, STR("From: =?iso-8859-1?q?d=E9j=E0?= <a@b.example>\\n"
			"Subject: =?windows-1252?q?d=E9j=E0?= vu\\nMIME-Version: 1.0\\n"
			"Content-Type: text/plain; charset=iso-8859-1\\n"
			"Content-Transfer-Encoding: quoted-printable\\n\\nd=E9j=E0 vu\\n"));
	for (size_t i = 0; lines[i]; i++) {
		buf_addz(&f.clients[0].unread, lines[i]);
		fake_send(&f, 0, STR("\r\n"));
		no_memory_note(buf_str(&f.clients[0].received));
	}
	no_memory_until_here();
	fake_done(&f);
}

static void x2_each_allocation_of_a_session(void **state)
{
	(void)state;
	NO_MEMORY_EACH(run, "imap", dialogue_of_all, NULL)
	no_memory_said_the_same(&run);
}

TEST_MAIN(test_case(x2_each_allocation_of_a_session))
