// SPDX-License-Identifier: Apache-2.0
/* The selected mailbox of a session, kept in step with the store: view_open and view_changes, and
 * session_open again when the store was replaced. What the client is told stands in view.c; when,
 * in session.c. RFC 9051 5.2, 7.4, 7.5. */
#include "imap/selected.h"

#include "base/planted.h"

#include "imap/facts.h"
#include "imap/notify.h"

#include <inttypes.h>

void selected_init(struct imap *s)
{
	vec_init(&s->sel.saved, sizeof(struct api_range), LIMIT_VIEW_ENTRIES);
}

void selected_leave(struct imap *s)
{
	if (s->sel.view != NULL && s->session.store_session != 0)
		s->session.host->tell(s->session.host, &s->session, ASK_STORE, 0,
			&(struct frame){ .type = FRAME_VIEW_CLOSE,
				.view_close = { s->session.store_session, s->sel.mailbox } });
	view_free(&s->sel.view);
	vec_done(&s->sel.saved);
	facts_free(&s->sel.facts);
	s->sel = (struct selected){ .mailbox = 0 };
	selected_init(s);
	if (s->state == SELECTED)
		s->state = AUTHENTICATED;
}

/* ---- a whole view ---- */

static void view_fails(struct imap *s, const struct frame *frame)
{
	s->request = 0;
	s->sel.opened(s, frame);
}

static void take_view_is(struct imap *s, const struct frame_view_is *is)
{
	s->sel.uidvalidity = is->uidvalidity;
	s->sel.uidnext = is->uidnext;
	s->sel.modseq = is->modseq;
	view_set_keywords(s->sel.view, is->keywords.items, is->keywords.n);
	view_load_begin(s->sel.view);
}

/* view_is, then view_entries until the last. */
static void take_view(struct imap *s, const struct frame *frame)
{
	if (frame->type == FRAME_VIEW_IS) {
		if (s->sel.uidvalidity != 0 && s->sel.uidvalidity != frame->view_is.uidvalidity) {
			imap_bye(s, "[UNAVAILABLE] The mailbox was restored, please reconnect");
			return;
		}
		take_view_is(s, &frame->view_is);
		return;
	}
	if (frame->type != FRAME_VIEW_ENTRIES ||
		!view_load(s->sel.view, frame->view_entries.entries.items,
			frame->view_entries.entries.n)) {
		view_fails(s, frame);
		return;
	}
	if (!frame->view_entries.last)
		return;
	view_load_end(s->sel.view);
	s->request = 0;
	s->sel.opened(s, frame);
}

static void ask_view(struct imap *s, imap_answer *opened)
{
	s->sel.opened = opened;
	if (!planted("news_asked_for_ever"))
		s->sel.noticed = false;
	s->sel.stale = false; /* what is read now has all that was said before */
	imap_ask(s, ASK_STORE,
		&(struct frame){ .type = FRAME_VIEW_OPEN,
			.view_open = { s->session.store_session, s->sel.mailbox, true } },
		take_view);
}

void selected_open(struct imap *s, uint64_t mailbox, bool read_only, imap_answer *opened)
{
	s->sel.mailbox = mailbox;
	s->sel.read_only = read_only;
	s->sel.view = view_new();
	ask_view(s, opened);
}

/* ---- news ---- */

static void go_on(struct imap *s)
{
	imap_step *after = s->sel.after;

	s->sel.after = NULL;
	s->step = after;
}

/* After view_changes could not reach back so far: a whole view was compared. */
static void reloaded(struct imap *s, const struct frame *frame)
{
	if (frame->type != FRAME_VIEW_ENTRIES)
		s->sel.stale = true;
	go_on(s);
}

static void changes_failed(struct imap *s, const struct frame *frame)
{
	enum err_kind kind = frame->type == FRAME_FAILED ? frame->failed.kind : ERR_TEMP;

	s->request = 0;
	s->sel.stale = true;
	if (kind == ERR_LIMIT) {
		ask_view(s, reloaded);
		return;
	}
	s->sel.behind = true;
	if (kind == ERR_NOT_FOUND)
		s->sel.gone = true;
	if (kind == ERR_EXPIRED)
		s->lost = true;
	go_on(s);
}

/* The keywords of this session's own change have their bits now. */
static const struct view_own *own_change(struct imap *s)
{
	struct view_own *own = &s->sel.own;

	if (!s->sel.has_own)
		return NULL;
	own->keywords_low = own->keywords_high = 0;
	for (size_t i = 0; i < s->sel.n_own_keywords; i++) {
		int bit = view_keyword_bit(s->sel.view, s->sel.own_keywords[i]);

		if (bit >= 64)
			own->keywords_high |= 1ULL << (bit - 64);
		else if (bit >= 0)
			own->keywords_low |= 1ULL << bit;
	}
	return own;
}

static void take_changes(struct imap *s, const struct frame *frame)
{
	const struct frame_view_changed *c = &frame->view_changed;

	if (frame->type != FRAME_VIEW_CHANGED) {
		changes_failed(s, frame);
		return;
	}
	if (view_set_keywords(s->sel.view, c->keywords.items, c->keywords.n))
		selected_write_flags(s, false);
	if (!view_apply(s->sel.view, c->entries.items, c->entries.n, c->expunged.items,
		    c->expunged.n, own_change(s))) {
		imap_bye(s, "[SERVERBUG] The mailbox's view is broken");
		return;
	}
	if (!c->last)
		return;
	view_apply_end(s->sel.view);
	s->sel.modseq = c->modseq;
	s->sel.uidnext = c->uidnext;
	s->request = 0;
	go_on(s);
}

void selected_refresh(struct imap *s, imap_step *after)
{
	s->sel.behind = s->sel.stale && s->lost;
	if (!s->sel.stale || s->lost) {
		s->step = after;
		return;
	}
	s->sel.after = after;
	s->sel.stale = s->sel.noticed = false;
	imap_ask(s, ASK_STORE,
		&(struct frame){ .type = FRAME_VIEW_CHANGES,
			.view_changes = { s->session.store_session, s->sel.mailbox,
				s->sel.modseq } },
		take_changes);
}

bool selected_tell(struct imap *s, bool expunge)
{
	/* RFC 7162 3.2.4: whoever enabled CONDSTORE gets UID and MODSEQ. */
	const struct view_tell tell = { .expunge = expunge,
		.uid = s->cmd.uid || s->rev2 || s->condstore || s->notify != NULL,
		.no_flags = notify_hides_flags(s),
		.modseq = s->condstore,
		.vanished = s->qresync };

	if (s->sel.gone) {
		imap_bye(s, "[UNAVAILABLE] The selected mailbox was deleted");
		return false;
	}
	if (notify_is_mute(s))
		return true;
	if (!view_tell(s->sel.view, &tell, &s->session.out))
		return false;
	if (expunge || !view_has_gone(s->sel.view))
		s->sel.told = s->sel.modseq;
	else if (s->qresync) /* expunges are held back: RFC 7162 3.2, 6 */
		imap_writef(s, "* OK [HIGHESTMODSEQ %" PRIu64 "] Some expunges are to be told\r\n",
			s->sel.told);
	return true;
}

void selected_write_flags(struct imap *s, bool permanent)
{
	struct buf *out = imap_out(s);

	buf_addz(out, "* FLAGS ");
	view_add_all_flags(s->sel.view, out, NULL);
	buf_addz(out, "\r\n");
	if (!permanent)
		return;
	/* RFC 9051 7.1: \* says that new keywords can be made. */
	buf_addz(out, "* OK [PERMANENTFLAGS ");
	if (s->sel.read_only)
		buf_addz(out, "()");
	else
		view_add_all_flags(s->sel.view, out, "\\*");
	buf_addz(out, "] Flags that are kept\r\n");
}

/* ---- the store was replaced ---- */

static void reopen_fails(struct imap *s, const struct frame *frame)
{
	enum err_kind kind = frame->type == FRAME_FAILED ? frame->failed.kind : ERR_TEMP;
	imap_step *after = s->sel.after;

	s->request = 0;
	s->sel.after = NULL;
	if (kind == ERR_EXPIRED || kind == ERR_DENIED) {
		imap_bye(s, "[UNAVAILABLE] The session has ended, please log in again");
	} else if (kind == ERR_NOT_FOUND) {
		imap_bye(s, "[UNAVAILABLE] The selected mailbox was deleted");
	} else if (s->cmd.news != NULL || (after != NULL && !s->cmd.running)) {
		imap_retry_later(s);
	} else if (after != NULL) {
		reply_no(s, "UNAVAILABLE", "The mail store is away, please try again");
		if (s->cmd.unavailable != NULL)
			s->cmd.unavailable(s);
		else
			imap_finish_now(s);
	}
}

static void reopened(struct imap *s, const struct frame *frame)
{
	if (frame->type != FRAME_VIEW_ENTRIES) {
		reopen_fails(s, frame);
		return;
	}
	s->lost = false;
	go_on(s);
}

static void session_reopened(struct imap *s, const struct frame *frame)
{
	if (frame->type != FRAME_SESSION_IS) {
		reopen_fails(s, frame);
		return;
	}
	s->request = 0;
	s->session.store_session = frame->session_is.session;
	notify_reopened(s);
	if (s->sel.view != NULL) {
		ask_view(s, reopened);
		return;
	}
	s->lost = false;
	go_on(s);
}

void selected_reopen(struct imap *s, imap_step *after)
{
	s->sel.after = after;
	imap_open_session(s, session_reopened);
}
