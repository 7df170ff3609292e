// SPDX-License-Identifier: Apache-2.0
/* The selected mailbox of a session, kept in step with the store: view_open and view_changes, and
 * session_open again when the store was replaced. What the client is told stands in view.c; when,
 * in session.c. RFC 9051 5.2, 7.4, 7.5.
 *
 * SELECT asks for no entries: they are loaded when a command or a piece of news needs them, and
 * given back when the session was at rest for a minute (selected_rest). By then the mailbox may be
 * another; what the client was told is the promise, from which and from what was expunged since its
 * modseq the view becomes as the client knows it (view_promise). */
#include "imap/selected.h"

#include "base/planted.h"

#include "imap/facts.h"
#include "imap/notify.h"

#include <inttypes.h>

void selected_init(struct imap *s)
{
	vec_init(&s->sel.saved, sizeof(struct api_range), LIMIT_VIEW_ENTRIES);
	vec_init(&s->sel.promise.vanished, sizeof(struct api_range), LIMIT_VIEW_ENTRIES);
}

void selected_leave(struct imap *s)
{
	if (s->sel.view != NULL && s->session.store_session != 0)
		s->session.host->tell(s->session.host, &s->session, ASK_STORE, 0,
			&(struct frame){ .type = FRAME_VIEW_CLOSE,
				.view_close = { s->session.store_session, s->sel.mailbox } });
	view_free(&s->sel.view);
	vec_done(&s->sel.saved);
	vec_done(&s->sel.promise.vanished);
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

/* Messages from `from` on had been told to no session when the store said so; what this one knew
 * before stays as it was told. RFC 3501 2.3.2 */
static void learn_recent(struct imap *s, uint32_t from, uint32_t uidnext)
{
	uint32_t low = from > s->sel.recent_to ? from : s->sel.recent_to;

	if (s->rev2 || from == 0)
		return;
	if (low < uidnext)
		view_recent_add(s->sel.view, low, uidnext - 1);
	if (uidnext > s->sel.recent_to)
		s->sel.recent_to = uidnext;
}

static void take_view_is(struct imap *s, const struct frame_view_is *is)
{
	s->sel.mailbox = is->mailbox;
	s->sel.uidvalidity = is->uidvalidity;
	s->sel.uidnext = is->uidnext;
	s->sel.modseq = is->modseq;
	s->sel.exists = is->messages;
	s->sel.unseen = is->unseen;
	s->sel.recent = is->recent;
	learn_recent(s, is->recent_uid, is->uidnext);
	/* Who has it selected already was told the keywords of then; SELECT tells these itself. */
	if (view_set_keywords(s->sel.view, is->keywords.items, is->keywords.n) &&
		s->state == SELECTED)
		selected_write_flags(s, false);
	view_load_begin(s->sel.view);
}

/* Entries that make no view: the store is broken. What else of them comes is heard no more. */
static void view_is_broken(struct imap *s)
{
	s->session.host->cancel(s->session.host, &s->session, s->request);
	view_fails(s, &(struct frame){ .type = FRAME_FAILED,
			      .failed = { ERR_CORRUPT, STR_INIT("The mailbox is damaged") } });
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
	if (frame->type != FRAME_VIEW_ENTRIES) {
		view_fails(s, frame);
		return;
	}
	if (!view_load(s->sel.view, frame->view_entries.entries.items,
		    frame->view_entries.entries.n)) {
		view_is_broken(s);
		return;
	}
	if (!frame->view_entries.last)
		return;
	view_load_end(s->sel.view);
	s->request = 0;
	s->sel.opened(s, frame);
}

/* What is told to this session is \Recent in no other. EXAMINE takes nothing: RFC 3501 6.3.2 */
static bool takes_recent(const struct imap *s)
{
	return !s->rev2 && !s->sel.read_only;
}

/* name: in the place of sel.mailbox, when that is 0. */
static void ask_named(struct imap *s, struct str name, bool bare, imap_answer *opened)
{
	s->sel.opened = opened;
	if (!planted("news_asked_for_ever"))
		s->sel.noticed = false;
	s->sel.stale = false; /* what is read now has all that was said before */
	imap_ask(s, ASK_STORE,
		&(struct frame){ .type = FRAME_VIEW_OPEN,
			.view_open = { .session = s->session.store_session,
				.mailbox = s->sel.mailbox,
				.watch = true,
				.bare = bare,
				.unseen = !s->rev2,
				.name = name,
				.recent = !s->rev2,
				.take = takes_recent(s) } },
		take_view);
}

static void ask_view(struct imap *s, bool bare, imap_answer *opened)
{
	ask_named(s, STR(""), bare, opened);
}

static void promise(struct imap *s)
{
	s->sel.promise.exists = s->sel.exists;
	s->sel.promise.uidnext = s->sel.uidnext;
	s->sel.promise.modseq = s->sel.modseq;
}

static void opened(struct imap *s, const struct frame *frame)
{
	if (frame->type == FRAME_VIEW_ENTRIES) {
		s->sel.told = s->sel.modseq;
		view_recent_say(s->sel.view, s->sel.recent);
		if (s->sel.loaded)
			view_tell_all(s->sel.view);
		else
			promise(s);
	}
	s->sel.select(s, frame);
}

void selected_open(struct imap *s, struct str name, bool read_only, bool bare, imap_answer *select)
{
	s->sel.read_only = read_only;
	s->sel.view = view_new();
	s->sel.loaded = !bare;
	s->sel.select = select;
	ask_named(s, name, bare, opened);
}

/* ---- news ---- */

static void go_on(struct imap *s)
{
	imap_step *after = s->sel.after;

	s->sel.after = NULL;
	s->step = after;
}

/* What the client of a .SILENT STORE takes for granted may be another's by the time the news come;
 * they won't know any more what it was. So it is told. */
static void doubt_own(struct imap *s)
{
	struct vec sequence;

	if (!s->sel.has_own)
		return;
	vec_init(&sequence, sizeof(struct api_range), LIMIT_VIEW_ENTRIES);
	if (view_resolve(s->sel.view, &s->sel.own.uids, true, NULL, &sequence))
		view_mark_changed(s->sel.view,
			&(struct seqset){ .ranges = (void *)sequence.p, .n = sequence.n });
	vec_done(&sequence);
}

/* What a store that does not say what is new makes of the session; gives the kind of the failure.
 */
static enum err_kind news_fail(struct imap *s, const struct frame *frame)
{
	enum err_kind kind = frame->type == FRAME_FAILED ? frame->failed.kind : ERR_TEMP;

	s->request = 0;
	s->sel.stale = true;
	s->sel.gone = s->sel.gone || kind == ERR_NOT_FOUND;
	s->sel.behind = !s->sel.gone;
	doubt_own(s);
	if (kind == ERR_EXPIRED)
		imap_session_is_gone(s);
	return kind;
}

/* What the store said of the mailbox does not go together: a mistake of ours. */
static void broken_bye(struct imap *s)
{
	log_event(&s->session.log, LOG_ERROR, "imap-view-broken",
		"mailbox=%" PRIu64 " modseq=%" PRIu64, s->sel.mailbox, s->sel.modseq);
	imap_bye(s, "[SERVERBUG] The mailbox's view is broken");
}

/* ---- the entries, when they are needed ---- */

/* The promise stands, for the next try. */
static void load_fails(struct imap *s, const struct frame *frame)
{
	const struct promise *p = &s->sel.promise;

	s->sel.loading = false;
	view_clear(s->sel.view);
	s->sel.modseq = p->modseq;
	s->sel.uidnext = p->uidnext;
	news_fail(s, frame);
	if (!s->sel.needed) {
		go_on(s);
		return;
	}
	s->sel.after = NULL;
	reply_failed(s, frame);
	imap_finish_unavailable(s);
}

static void load_end(struct imap *s)
{
	const struct promise *p = &s->sel.promise;

	s->request = 0;
	s->sel.loading = s->sel.behind = false;
	s->sel.loaded = view_promise(s->sel.view, p->exists, p->uidnext, p->modseq, &p->vanished);
	vec_done(&s->sel.promise.vanished);
	if (!s->sel.loaded) {
		broken_bye(s);
		return;
	}
	imap_look_later(s, LIMIT_IMAP_VIEW_MS);
	go_on(s);
}

static void take_vanished(struct imap *s, const struct frame *frame)
{
	const struct api_range_list *uids = &frame->vanished.uids;

	if (frame->type != FRAME_VANISHED) {
		load_fails(s, frame);
		return;
	}
	for (size_t i = 0; i < uids->n; i++)
		seq_ranges_add(&s->sel.promise.vanished, uids->items[i].low, uids->items[i].high);
	if (frame->vanished.last)
		load_end(s);
}

/* What went since is asked for if some went: it takes a walk over all that ever did. */
static void entries_loaded(struct imap *s, const struct frame *frame)
{
	const struct promise *p = &s->sel.promise;

	if (frame->type != FRAME_VIEW_ENTRIES) {
		load_fails(s, frame);
		return;
	}
	vec_clear(&s->sel.promise.vanished);
	if (view_count_below(s->sel.view, p->uidnext) == p->exists) {
		load_end(s);
		return;
	}
	imap_ask(s, ASK_STORE,
		&(struct frame){ .type = FRAME_VIEW_VANISHED,
			.view_vanished = { s->session.store_session, s->sel.mailbox, p->modseq } },
		take_vanished);
}

static void load(struct imap *s)
{
	view_clear(s->sel.view);
	s->sel.loading = true;
	ask_view(s, false, entries_loaded);
}

/* What the client knows is then a promise again, as after SELECT. What it is still to be told, or
 * does not know, only the entries say. NOTIFY speaks of messages at once, and counts on them. */
void selected_rest(struct imap *s)
{
	struct selected *sel = &s->sel;

	facts_free(&sel->facts);
	if (!sel->loaded || sel->stale || sel->behind || sel->gone || s->notify != NULL ||
		view_has_news(sel->view, true, true))
		return;
	sel->exists = view_exists(sel->view);
	promise(s);
	view_clear(sel->view);
	sel->loaded = false;
}

void selected_load(struct imap *s, imap_step *then)
{
	if (s->sel.view == NULL || s->sel.loaded) {
		then(s);
		return;
	}
	s->sel.after = then;
	s->sel.needed = true;
	load(s);
}

/* ---- what has changed ---- */

/* What came of a view that ended too early may lack what is older, so the next try begins where
 * this one did, and until then nothing of it is told. */
static void comes_in_part(struct imap *s)
{
	s->sel.modseq = s->sel.promise.modseq;
	s->sel.uidnext = s->sel.promise.uidnext;
	s->sel.stale = true;
}

/* After view_changes could not reach back so far: a whole view was compared. */
static void reloaded(struct imap *s, const struct frame *frame)
{
	if (frame->type != FRAME_VIEW_ENTRIES) {
		comes_in_part(s);
		news_fail(s, frame);
	} else {
		s->sel.behind = false;
	}
	go_on(s);
}

static void reload(struct imap *s)
{
	promise(s);
	ask_view(s, false, reloaded);
}

static void changes_failed(struct imap *s, const struct frame *frame)
{
	if (news_fail(s, frame) != ERR_LIMIT)
		go_on(s);
	else if (s->sel.loaded)
		reload(s);
	else
		load(s);
}

/* Gives the keywords of this session's own change their bits; false: some have none yet. */
static bool own_keywords(struct imap *s)
{
	struct view_own *own = &s->sel.own;
	bool all = true;

	own->keywords_low = own->keywords_high = 0;
	for (size_t i = 0; i < s->sel.n_own_keywords; i++) {
		int bit = view_keyword_bit(s->sel.view, s->sel.own_keywords[i]);

		if (bit >= 64)
			own->keywords_high |= 1ULL << (bit - 64);
		else if (bit >= 0)
			own->keywords_low |= 1ULL << bit;
		all = all && bit >= 0;
	}
	return all;
}

static const struct view_own *own_change(struct imap *s)
{
	if (!s->sel.has_own)
		return NULL;
	own_keywords(s);
	return &s->sel.own;
}

void selected_store(struct imap *s, uint64_t before)
{
	s->sel.stale = true; /* somebody else may have changed something since */
	if (!s->sel.loaded || before == 0 || s->sel.modseq != before || !own_keywords(s))
		return;
	view_store(s->sel.view, &s->sel.own, s->sel.has_own);
	s->sel.modseq = s->sel.own.modseq;
}

/* New messages, and what came and went, need no entries: the promise grows. */
static void look_at_changes(struct imap *s, const struct frame_view_changed *c)
{
	struct promise *p = &s->sel.promise;

	for (size_t i = 0; i < c->entries.n; i++)
		if (c->entries.items[i].uid >= p->uidnext) {
			p->arrived++;
			p->recent += view_is_recent(s->sel.view, c->entries.items[i].uid);
		} else {
			p->differs = true;
		}
	for (size_t i = 0; i < c->expunged.n; i++)
		p->differs = p->differs || c->expunged.items[i] < p->uidnext;
}

static void promise_recent(struct imap *s)
{
	uint32_t n = view_recent_said(s->sel.view) + s->sel.promise.recent;

	if (n == 0)
		return;
	imap_writef(s, "* %" PRIu32 " RECENT\r\n", n);
	view_recent_say(s->sel.view, n);
}

/* It never falls: changes may be told at a modseq whose uidnext the store does not know, but that
 * it is not below what it said before. */
static uint32_t uidnext_after(const struct imap *s, const struct frame_view_changed *c)
{
	uint32_t next = s->sel.uidnext;

	if (next < c->uidnext)
		next = c->uidnext;
	return next < s->sel.changed_to ? s->sel.changed_to : next;
}

static void note_changed(struct imap *s, const struct frame_view_changed *c)
{
	for (size_t i = 0; i < c->entries.n; i++)
		if (c->entries.items[i].uid >= s->sel.changed_to)
			s->sel.changed_to = c->entries.items[i].uid + 1;
}

static void changes_end(struct imap *s, const struct frame_view_changed *c)
{
	struct promise *p = &s->sel.promise;

	s->request = 0;
	if (!s->sel.loaded && p->differs) {
		load(s);
		return;
	}
	view_apply_end(s->sel.view);
	s->sel.modseq = c->modseq;
	s->sel.uidnext = uidnext_after(s, c);
	if (!s->sel.loaded) {
		s->sel.exists = p->exists + p->arrived;
		promise(s);
		if (p->arrived > 0) {
			imap_writef(s, "* %" PRIu32 " EXISTS\r\n", p->exists);
			promise_recent(s);
		}
	}
	go_on(s);
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
	note_changed(s, c);
	learn_recent(s, c->recent_uid, uidnext_after(s, c));
	if (!s->sel.loaded)
		look_at_changes(s, c);
	else if (!view_apply(s->sel.view, c->entries.items, c->entries.n, c->expunged.items,
			 c->expunged.n, own_change(s))) {
		broken_bye(s);
		return;
	}
	if (c->last)
		changes_end(s, c);
}

void selected_refresh(struct imap *s, imap_step *after)
{
	s->sel.behind = s->sel.stale && s->lost;
	if (!s->sel.stale || s->lost) {
		s->step = after;
		return;
	}
	s->sel.after = after;
	s->sel.needed = s->sel.promise.differs = false;
	s->sel.promise.arrived = s->sel.promise.recent = s->sel.changed_to = 0;
	s->sel.stale = s->sel.noticed = false;
	imap_ask(s, ASK_STORE,
		&(struct frame){ .type = FRAME_VIEW_CHANGES,
			.view_changes = { s->session.store_session, s->sel.mailbox, s->sel.modseq,
				!s->rev2, takes_recent(s) } },
		take_changes);
}

bool selected_tell(struct imap *s, bool expunge)
{
	/* RFC 7162 3.2.4: whoever enabled CONDSTORE gets UID and MODSEQ. */
	bool mute = notify_is_mute(s), own_alone = notify_hides_flags(s);
	const struct view_tell tell = { .expunge = expunge,
		.uid = s->cmd.uid || s->rev2 || s->condstore || s->notify != NULL,
		.no_flags = own_alone && !s->sel.has_stored,
		.no_news = mute,
		.only = own_alone && s->sel.has_stored ? &s->sel.own.uids : NULL,
		.modseq = s->condstore,
		.vanished = s->qresync,
		.heard = &s->sel.heard,
		.recent = !s->rev2 };

	if (s->sel.gone) {
		imap_bye(s, "[UNAVAILABLE] The selected mailbox was deleted");
		return false;
	}
	if (!view_tell(s->sel.view, &tell, &s->session.out))
		return false;
	if (!view_has_news(s->sel.view, true, true))
		s->sel.told = s->sel.modseq;
	return true;
}

void selected_say_told(struct imap *s)
{
	if (s->sel.view != NULL && s->sel.heard > s->sel.told)
		imap_writef(s, "* OK [HIGHESTMODSEQ %" PRIu64 "] Some changes are to be told\r\n",
			s->sel.told);
	s->sel.heard = 0;
}

void selected_write_flags(struct imap *s, bool permanent)
{
	struct buf *out = imap_out(s);
	bool full = view_keyword_count(s->sel.view) == VIEW_KEYWORDS;

	buf_addz(out, "* FLAGS ");
	view_add_all_flags(s->sel.view, out, NULL);
	buf_addz(out, "\r\n");
	/* RFC 9051 7.1: \* says that new keywords can be made; when no more can be, that is told.
	 */
	if (!permanent && !full)
		return;
	buf_addz(out, "* OK [PERMANENTFLAGS ");
	if (s->sel.read_only)
		buf_addz(out, "()");
	else
		view_add_all_flags(s->sel.view, out, full ? NULL : "\\*");
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
		imap_look_later(s, LIMIT_IMAP_RETRY_MS);
	} else if (after != NULL) {
		reply_no(s, "UNAVAILABLE", "The mail store is away, please try again");
		imap_finish_unavailable(s);
	}
}

static void reopened(struct imap *s, const struct frame *frame)
{
	if (frame->type != FRAME_VIEW_ENTRIES) {
		comes_in_part(s);
		reopen_fails(s, frame);
		return;
	}
	if (!s->sel.loaded) { /* all that is new is news */
		s->sel.stale = true;
		s->sel.modseq = s->sel.promise.modseq;
		s->sel.uidnext = s->sel.promise.uidnext;
	}
	s->lost = false;
	go_on(s);
}

static void reopen_view(struct imap *s)
{
	if (s->sel.view == NULL) {
		s->lost = false;
		go_on(s);
		return;
	}
	if (s->sel.loaded)
		promise(s);
	ask_view(s, !s->sel.loaded, reopened);
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
	reopen_view(s);
}

void selected_reopen(struct imap *s, imap_step *after)
{
	s->sel.after = after;
	if (s->session.store_session != 0) /* it is the view that could not be had before */
		reopen_view(s);
	else
		imap_open_session(s, session_reopened);
}
