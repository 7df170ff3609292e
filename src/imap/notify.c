// SPDX-License-Identifier: Apache-2.0
/* When NOTIFY's events are told: at once when no command runs, else behind it; in IDLE too (RFC
 * 5465 4). A turn tells the selected mailbox's news as the end of a command does, then new messages
 * with the attributes that were asked for, then what changed elsewhere; until there is nothing
 * left. */
#include "imap/notify.h"

#include "imap/fetch.h"
#include "imap/selected.h"

struct notify *notify_new(void)
{
	struct notify *n = xmalloc(sizeof *n);

	*n = (struct notify){ .stale = false };
	arena_init(&n->arena, LIMIT_NOTIFY_BYTES);
	notify_snapshot_init(&n->now);
	notify_snapshot_init(&n->next);
	vec_init(&n->own, sizeof(struct api_range), LIMIT_VIEW_ENTRIES);
	vec_init(&n->changed, sizeof(struct notify_annotated), LIMIT_NOTIFY_MAILBOXES);
	vec_init(&n->set, sizeof(struct notify_annotated), LIMIT_NOTIFY_MAILBOXES);
	return n;
}

void notify_free(struct notify **n)
{
	if (*n == NULL)
		return;
	notify_snapshot_done(&(*n)->now);
	notify_snapshot_done(&(*n)->next);
	vec_done(&(*n)->own);
	vec_done(&(*n)->changed);
	vec_done(&(*n)->set);
	arena_done(&(*n)->arena);
	notify_free(&(*n)->before);
	free(*n);
	*n = NULL;
}

bool notify_wants_boxes(const struct notify *n)
{
	if (n->spec.metadata)
		return true;
	for (size_t i = 0; i < n->spec.n; i++)
		if (n->spec.groups[i].events != 0)
			return true;
	return false;
}

/* ---- the selected mailbox ---- */

bool notify_is_mute(const struct imap *s)
{
	return s->notify != NULL && s->notify->spec.selected == 0 &&
	       (s->cmd.verb == NULL || (s->cmd.verb->flags & REMOVES) == 0);
}

bool notify_hides_flags(const struct imap *s)
{
	return s->notify != NULL && (s->notify->spec.selected & EVENT_FLAGS) == 0;
}

bool notify_holds_expunges(const struct imap *s)
{
	return s->cmd.quiet && s->cmd.news == NULL && s->notify->spec.delayed;
}

static bool is_own(const struct notify *n, uint32_t uid)
{
	VEC_EACH (const struct api_range, r, &n->own)
		if (uid >= r->low && uid <= r->high)
			return true;
	return false;
}

/* Messages that were told of and not yet fetched, but for this session's own. */
static bool has_new(const struct imap *s)
{
	return s->sel.view != NULL && s->notify->spec.attrs.n > 0 &&
	       view_last_uid(s->sel.view) > s->notify->fetched;
}

/* The number from which on messages are so. */
static uint32_t first_new(const struct imap *s)
{
	uint32_t first = view_exists(s->sel.view) + 1;

	while (first > 1 && view_entry(s->sel.view, first - 1)->uid > s->notify->fetched)
		first--;
	return first;
}

/* RFC 5465 5.2: a FETCH of each, which is unsolicited */
static bool fetch_new(struct imap *s)
{
	struct notify *n = s->notify;
	struct vec some;

	vec_init(&some, sizeof(struct api_range), LIMIT_VIEW_ENTRIES);
	for (uint32_t i = first_new(s); i <= view_exists(s->sel.view); i++)
		if (!is_own(n, view_entry(s->sel.view, i)->uid) && !view_is_gone(s->sel.view, i))
			seq_ranges_add(&some, i, i);
	n->before_fetch = n->fetched;
	n->fetched = view_last_uid(s->sel.view);
	n->fetching = some.n > 0;
	if (some.n > 0) {
		if (s->condstore) { /* RFC 7162 3.2.4 */
			fetch_attrs_add(&n->spec.attrs, &n->arena, FETCH_UID);
			fetch_attrs_add(&n->spec.attrs, &n->arena, FETCH_MODSEQ);
		}
		imap_fetch_these(s, &n->spec.attrs, &some);
		return true;
	}
	vec_done(&some);
	vec_clear(&n->own);
	return false;
}

void notify_fetch_failed(struct imap *s)
{
	s->notify->put_off = true;
}

/* What was fetched was told, or is looked for later. */
static void end_fetch(struct imap *s)
{
	struct notify *n = s->notify;

	if (!n->fetching)
		return;
	if (n->put_off && !n->again) {
		n->fetched = n->before_fetch;
		n->again = s->sel.stale = s->sel.behind = true;
	} else {
		n->again = false;
		vec_clear(&n->own);
	}
	n->fetching = n->put_off = false;
}

/* ---- the account ---- */

void notify_watch(struct imap *s, bool on)
{
	s->session.host->tell(s->session.host, &s->session, ASK_STORE, 0,
		&(struct frame){ .type = FRAME_ACCOUNT_WATCH,
			.account_watch = { s->session.store_session, on } });
}

/* What holds for who has not said NOTIFY: as ever, of the selected mailbox. */
static struct notify *implied_new(void)
{
	struct notify *n = notify_new();

	n->implied = true;
	n->spec.selected = EVENTS_OF_MESSAGES;
	n->spec.delayed = true;
	return n;
}

/* As if NOTIFY NONE had been said, and ENABLE METADATA not. */
static void turn_off(struct imap *s)
{
	bool implied = s->notify->implied;

	notify_watch(s, false);
	notify_free(&s->notify);
	s->notify = implied ? implied_new() : notify_new();
	s->metadata = false;
}

void notify_add_metadata(struct notify *n)
{
	n->spec.metadata = true;
	n->spec.all |= EVENT_METADATA | EVENT_SERVER_METADATA;
}

/* What happens from here on is told of; the list of mailboxes is read in the turn behind it. */
void notify_enable_metadata(struct imap *s)
{
	s->metadata = true;
	if (s->notify == NULL)
		s->notify = implied_new();
	notify_add_metadata(s->notify);
	s->notify->stale = true;
	notify_watch(s, true);
}

void notify_replace(struct imap *s, struct notify **wanted)
{
	(*wanted)->before = s->notify;
	s->notify = *wanted;
	*wanted = NULL;
}

void notify_in_force(struct imap *s)
{
	notify_free(&s->notify->before);
}

/* Its list is read again, with all that came meanwhile.                 RFC 5465 3.1 */
void notify_put_back(struct imap *s)
{
	struct notify *refused = s->notify;

	s->notify = refused->before;
	refused->before = NULL;
	notify_free(&refused);
	if (s->notify != NULL && notify_wants_boxes(s->notify))
		s->notify->stale = true;
	else
		notify_watch(s, false);
}

static void take_list(struct imap *s, const struct frame *answer)
{
	struct notify *n = s->notify;
	const struct frame_mailboxes *m = &answer->mailboxes;

	if (answer->type != FRAME_MAILBOXES) { /* the next change tells all of it */
		if (!s->cmd.quiet)
			notify_put_back(s);
		imap_expect(s, answer, FRAME_MAILBOXES);
		return;
	}
	n->overflow = n->overflow ||
		      !mailboxes_add(&n->next.boxes, m->mailboxes.items, m->mailboxes.n) ||
		      n->next.boxes.all.n > LIMIT_NOTIFY_MAILBOXES;
	if (!m->last && !n->overflow)
		return;
	if (!m->last)
		s->session.host->cancel(s->session.host, &s->session, s->request);
	s->request = 0;
	n->overflow = n->overflow || !mailboxes_end(&n->next.boxes);
	s->step = n->listed;
}

/* What happens from here on is told of again, and what happened before is in the list. */
void notify_read_list(struct imap *s, imap_step *listed)
{
	struct notify *n = s->notify;

	n->stale = false;
	n->listed = listed;
	notify_snapshot_done(&n->next);
	notify_snapshot_init(&n->next);
	notify_watch(s, true);
	imap_ask(s, ASK_STORE,
		&(struct frame){
			.type = FRAME_MAILBOX_LIST, .mailbox_list = { s->session.store_session } },
		take_list);
}

static void take_next(struct notify *n)
{
	struct notify_snapshot old = n->now;

	n->now = n->next;
	n->now.boxes.arena = &n->now.arena;
	n->next = old;
	notify_snapshot_done(&n->next);
	notify_snapshot_init(&n->next);
	n->own_modseqs = 0;
}

static void tell_boxes(struct imap *s)
{
	struct notify *n = s->notify;

	if (n->overflow) { /* RFC 5465 5.8: as if NOTIFY NONE had been said */
		imap_write(s,
			STR("* OK [NOTIFICATIONOVERFLOW] Too much to be told, NOTIFY is off\r\n"));
		turn_off(s);
	} else {
		notify_diff(s);
		take_next(n);
		notify_write_metadata(s);
	}
	imap_finish(s);
}

void notify_listed_first(struct imap *s)
{
	take_next(s->notify);
}

static bool push_annotated(struct vec *v, uint64_t mailbox, struct str name)
{
	struct notify_annotated *a = vec_push(v, NULL);

	if (a == NULL)
		return false;
	a->mailbox = mailbox;
	snprintf(a->name, sizeof a->name, "%" STR_FMT, STR_ARG(name));
	return true;
}

static void account_changed(struct notify *n, const struct frame_account_changed *f)
{
	if (!notify_wants_boxes(n)) /* it was on its way when that was said */
		return;
	n->stale = true;
	n->overflow = n->overflow || (f->more && (n->spec.all & EVENT_METADATA));
	for (size_t i = 0; i < f->annotations.n; i++) {
		const struct api_annotated *a = &f->annotations.items[i];

		if (!push_annotated(&n->changed, a->mailbox, a->name)) {
			n->overflow = true;
			return;
		}
	}
}

void notify_account_changed(struct imap *s, const struct frame_account_changed *f)
{
	for (struct notify *n = s->notify; n != NULL; n = n->before)
		account_changed(n, f);
}

void notify_reopened(struct imap *s)
{
	if (s->notify == NULL)
		return;
	s->notify->stale = notify_wants_boxes(s->notify);
	vec_clear(&s->notify->set); /* the old store doesn't tell of them any more */
}

/* ---- turns ---- */

static bool has_work(const struct imap *s)
{
	const struct notify *n = s->notify;

	if (s->lost)
		return false;
	if (n->stale)
		return true;
	if (s->sel.view == NULL || n->spec.selected == 0)
		return false;
	/* what stays hidden, now or for ever, is no work */
	return s->sel.noticed || s->sel.stale || has_new(s) ||
	       view_has_news(s->sel.view, !n->spec.delayed || s->cmd.news != NULL,
		       (n->spec.selected & EVENT_FLAGS) != 0);
}

static void begin(struct imap *s)
{
	s->cmd.quiet = true;
	s->cmd.busy = true;
	imap_finish(s);
}

void notify_turn(struct imap *s)
{
	if (s->notify == NULL || s->step != NULL || s->request != 0 || s->cmd.busy ||
		(s->cmd.running && s->cmd.news == NULL) || s->session.next != NEXT_GO_ON ||
		!has_work(s))
		return;
	s->cmd.running = true;
	begin(s);
}

/* Nothing of the client's text is touched: it may have begun to send a command. */
static void over(struct imap *s)
{
	bool idle = s->cmd.news != NULL;

	buf_release(&s->reply);
	if (idle) /* it goes on */
		s->cmd.quiet = s->cmd.busy = false;
	else
		s->cmd = (struct command){ .verb = NULL };
	if (idle ? s->lost || s->sel.behind : s->sel.behind && !s->draining)
		imap_look_later(s, LIMIT_IMAP_RETRY_MS);
	else if (!idle)
		imap_at_rest(s);
}

/* What a turn took, before another that may follow at once. IDLE has its tag in the arena, and
 * nothing else. */
static void give_back(struct imap *s)
{
	char tag[LIMIT_IMAP_TAG_BYTES];
	size_t n = s->cmd.tag.n;

	imap_drop_work(s);
	if (s->cmd.news == NULL) {
		arena_reset(&s->arena);
		return;
	}
	memcpy(tag, s->cmd.tag.p, n);
	arena_reset(&s->arena);
	s->cmd.tag = arena_str(&s->arena, str_make(tag, n));
}

void notify_quiet_over(struct imap *s)
{
	end_fetch(s);
	give_back(s);
	if (s->lost || s->sel.behind || s->session.next != NEXT_GO_ON || s->draining)
		over(s);
	else if (has_new(s) && fetch_new(s))
		return;
	else if (s->notify->stale)
		notify_read_list(s, tell_boxes);
	else if (has_work(s))
		begin(s);
	else
		over(s);
}

/* ---- what this session does itself: RFC 5465 5 ---- */

void notify_selected(struct imap *s)
{
	if (s->notify == NULL)
		return;
	s->notify->fetched = view_last_uid(s->sel.view);
	vec_clear(&s->notify->own);
}

static struct api_mailbox *now_by(struct notify *n, uint64_t id, struct str name)
{
	VEC_EACH (struct api_mailbox, m, &n->now.boxes.all)
		if (id != 0 ? m->exists && m->id == id : str_equal(m->name, name))
			return m;
	return NULL;
}

void notify_own_messages(struct imap *s, uint64_t mailbox, uint32_t low, uint32_t high)
{
	struct api_range range = { low, high };
	struct api_mailbox *m;

	if (s->notify == NULL)
		return;
	if (mailbox == s->sel.mailbox && s->notify->spec.attrs.n > 0)
		vec_push(&s->notify->own, &range);
	m = now_by(s->notify, mailbox, STR_NONE);
	if (m == NULL || m->uidnext != low)
		return;
	m->uidnext = high + 1;
	m->messages += high - low + 1;
}

void notify_own_modseqs(struct imap *s, uint64_t n)
{
	if (s->notify != NULL)
		s->notify->own_modseqs += n;
}

/* The list is in order again, with parents. */
static void settle(struct notify *n)
{
	if (!mailboxes_end(&n->now.boxes))
		n->overflow = true;
}

/* With a mailbox the parents that it lacks are made. */
static void settle_with_parents(struct notify *n, struct str name)
{
	settle(n);
	VEC_EACH (struct api_mailbox, parent, &n->now.boxes.all)
		parent->exists = parent->exists || mailboxes_is_below(name, parent->name);
}

void notify_own_created(struct imap *s, const struct api_mailbox *m)
{
	struct notify *n = s->notify;
	struct api_mailbox *there;

	if (n == NULL)
		return;
	there = now_by(n, 0, m->name);
	if (there != NULL) {
		struct str name = there->name;

		*there = *m;
		there->name = name;
	} else if (!mailboxes_add(&n->now.boxes, m, 1)) {
		n->overflow = true;
	}
	settle_with_parents(n, m->name);
}

void notify_own_deleted(struct imap *s, struct str name)
{
	struct api_mailbox *m = s->notify == NULL ? NULL : now_by(s->notify, 0, name);

	if (m != NULL)
		m->exists = false;
}

void notify_own_renamed(struct imap *s, struct str from, struct str to)
{
	struct notify *n = s->notify;

	if (n == NULL)
		return;
	if (str_equal(from, STR("INBOX"))) { /* RFC 9051 6.3.6: it stays, and what is below */
		notify_own_created(s, &(struct api_mailbox){ .name = to, .exists = true });
		return;
	}
	VEC_EACH (struct api_mailbox, m, &n->now.boxes.all) {
		char text[2 * LIMIT_MAILBOX_NAME_BYTES + 1];

		if (!str_equal(m->name, from) && !mailboxes_is_below(m->name, from))
			continue;
		snprintf(text, sizeof text, "%" STR_FMT "%" STR_FMT, STR_ARG(to),
			STR_ARG(str_from_offset(m->name, from.n)));
		m->name = arena_str(&n->now.arena, str_from(text));
	}
	mailboxes_renamed(&n->now.boxes);
	settle_with_parents(n, to);
}

void notify_own_subscribed(struct imap *s, struct str name, bool on)
{
	struct api_mailbox one = { .name = name, .subscribed = on };
	struct api_mailbox *m;

	if (s->notify == NULL)
		return;
	m = now_by(s->notify, 0, name);
	if (m != NULL)
		m->subscribed = on;
	else if (on && mailboxes_add(&s->notify->now.boxes, &one, 1))
		settle(s->notify);
}

/* The store tells of each, once, sooner or later: a watch that is on tells of all, and what is told
 * when there was more than it tells ends the watch. */
void notify_own_annotated(struct imap *s, uint64_t mailbox, struct str name)
{
	if (s->notify != NULL && notify_wants_boxes(s->notify))
		push_annotated(&s->notify->set, mailbox, name);
}
