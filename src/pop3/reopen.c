// SPDX-License-Identifier: Apache-2.0
/* A session goes on with the store that comes after the one it had: an upgrade's, or the next after
 * a crash. The maildrop's lock went with the old store and is taken anew; the messages are those of
 * before, since no UID is given twice. Where that fails, the next command is told so, nothing is
 * deleted (P5), and the client comes again. */
#include "pop3/pop3_private.h"

static void ended(struct pop3 *s)
{
	pop3_leave(s);
	s->lost = false;
	s->ended = true;
}

static void inbox_is(struct pop3 *s, const struct frame *f)
{
	const struct api_mailbox *m = f->mailboxes.mailboxes.items;
	if (f->type == FRAME_MAILBOXES && f->mailboxes.mailboxes.n == 1 && m->id == s->mailbox &&
		m->uidvalidity == s->uidvalidity)
		s->lost = false;
	else
		ended(s);
}

static void locked(struct pop3 *s, const struct frame *f)
{
	struct frame q = { .type = FRAME_MAILBOX_STATUS,
		.mailbox_status = { s->session.store_session, STR("INBOX") } };
	if (f->type == FRAME_DONE)
		pop3_ask(s, ASK_STORE, &q, inbox_is);
	else
		ended(s);
}

static void session_opened(struct pop3 *s, const struct frame *f)
{
	if (f->type != FRAME_SESSION_IS) {
		ended(s);
		return;
	}
	s->session.store_session = f->session_is.session;
	struct frame q = { .type = FRAME_LOCK_MAILDROP,
		.lock_maildrop = { s->session.store_session } };
	pop3_ask(s, ASK_STORE, &q, locked);
}

void pop3_reopen(struct pop3 *s)
{
	struct frame q = { .type = FRAME_SESSION_OPEN,
		.session_open = {
			.ticket = str_make(s->ticket, s->ticket_n), .service = STR("pop3") } };
	pop3_ask(s, ASK_STORE, &q, session_opened);
}
