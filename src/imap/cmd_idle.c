// SPDX-License-Identifier: Apache-2.0
/* IDLE (RFC 9051 6.3.13): news are told as they come, until DONE; what NOTIFY asked for when it was
 * said (RFC 5465 4). Now and then a word that says nothing: what is between the client and us may
 * forget a connection that is silent, and of a client that is gone we hear when we write. */
#include "base/planted.h"
#include "imap/facts.h"
#include "imap/imap_private.h"
#include "imap/notify.h"
#include "imap/selected.h"

static void idle_tell(struct imap *s)
{
	bool tells = s->sel.view != NULL && !s->sel.behind;

	if (tells && !selected_tell(s, true) && s->session.next == NEXT_GO_ON)
		s->step = idle_tell;
	else if (s->sel.noticed && !s->lost)
		selected_refresh(s, idle_tell); /* it changed again while we asked */
	else if (s->sel.behind && !s->lost)
		imap_look_later(s, LIMIT_IMAP_RETRY_MS);
}

static void idle_news(struct imap *s)
{
	if (s->notify != NULL)
		notify_turn(s);
	else if (s->sel.view != NULL && !planted("idle_says_nothing"))
		selected_refresh(s, idle_tell);
}

static void idle_line(struct imap *s, struct str line)
{
	s->cmd.line = NULL;
	s->cmd.news = NULL;
	s->alive_ms = 0;
	if (str_equal_nocase(line, STR("DONE")))
		reply_ok(s, NULL, "IDLE terminated");
	else
		reply_bad(s, NULL, "IDLE ends with DONE");
	imap_finish(s);
}

void imap_idle(struct imap *s)
{
	if (!imap_args_end(s))
		return;
	facts_free(&s->sel.facts); /* who waits holds little */
	imap_write(s, STR("+ idling\r\n"));
	wire_reset(&s->wire);
	wire_plain(&s->wire);
	s->cmd.line = idle_line;
	s->cmd.news = idle_news;
	imap_keep_alive(s);
	idle_news(s);
}
