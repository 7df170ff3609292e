// SPDX-License-Identifier: Apache-2.0
/* What has changed between two lists of the account's mailboxes, as NOTIFY says it: LIST for names
 * and subscriptions, STATUS for messages. RFC 5465 5. A mailbox is known by its id, a name that is
 * only subscribed by the name; 0 is the id of a
 * parent that this session made along with a mailbox. */
#include "imap/notify.h"

#include "imap/grammar.h"
#include "imap/mailbox_name.h"
#include "imap/token.h"

/* ---- which mailboxes ---- */

static bool is_named(const struct notify_group *g, struct str name)
{
	for (size_t i = 0; i < g->n; i++)
		if (str_equal(g->names[i], name) ||
			(g->filter == FILTER_SUBTREE && mailboxes_is_below(name, g->names[i])))
			return true;
	return false;
}

/* RFC 5465 6.2 to 6.6. Deliveries go to INBOX. */
static bool applies(const struct notify_group *g, const struct api_mailbox *m)
{
	switch (g->filter) {
	case FILTER_INBOXES:
		return mailbox_name_is_inbox(m->name);
	case FILTER_PERSONAL:
		return true;
	case FILTER_SUBSCRIBED:
		return m->subscribed;
	case FILTER_SUBTREE:
	case FILTER_MAILBOXES:
		return is_named(g, m->name);
	}
	return false;
}

unsigned notify_events(const struct notify *n, const struct api_mailbox *m)
{
	unsigned all = n->spec.metadata ? EVENT_METADATA : 0;

	for (size_t i = 0; i < n->spec.n; i++)
		if (applies(&n->spec.groups[i], m))
			all |= n->spec.groups[i].events;
	return all;
}

/* ---- finding ---- */

void notify_snapshot_init(struct notify_snapshot *p)
{
	arena_init(&p->arena, LIMIT_NOTIFY_MAILBOXES * (LIMIT_MAILBOX_NAME_BYTES + 64UL));
	mailboxes_init(&p->boxes, &p->arena);
}

void notify_snapshot_done(struct notify_snapshot *p)
{
	mailboxes_done(&p->boxes);
	arena_done(&p->arena);
}

static const struct api_mailbox *by_name(const struct mailboxes *boxes, struct str name)
{
	size_t i = mailboxes_after(boxes, name);

	if (i == 0 || !str_equal(mailboxes_at(boxes, i - 1)->name, name))
		return NULL;
	return mailboxes_at(boxes, i - 1);
}

/* Most keep their name, so that is tried first. */
static const struct api_mailbox *find(const struct mailboxes *boxes, const struct api_mailbox *m)
{
	const struct api_mailbox *same = by_name(boxes, m->name);

	if (!m->exists)
		return same != NULL && !same->exists ? same : NULL;
	if (same != NULL && same->exists && (same->id == m->id || same->id == 0 || m->id == 0))
		return same;
	for (size_t i = 0; i < boxes->all.n; i++) {
		const struct api_mailbox *at = mailboxes_at(boxes, i);

		if (at->exists && at->id == m->id)
			return at;
	}
	return NULL;
}

static struct str parent_of(struct str name)
{
	return str_sub(name, 0, name.n == 0 ? 0 : str_find_last(name, '/'));
}

static bool has_parent(struct str name)
{
	return str_find_last(name, '/') < name.n;
}

/* ---- LIST ---- */

static void write_list(
	struct imap *s, const struct mailboxes *boxes, struct str name, struct str old)
{
	const struct api_mailbox *m = by_name(boxes, name);
	struct buf *out = imap_out(s);

	buf_addz(out, "* LIST (");
	if (m == NULL || !m->exists)
		buf_addz(out, "\\NonExistent ");
	buf_addz(out, mailboxes_has_children(boxes, name) ? "\\HasChildren" : "\\HasNoChildren");
	if (m != NULL && m->subscribed)
		buf_addz(out, " \\Subscribed");
	for (uint16_t bit = 1; m != NULL && bit <= USE_ALL; bit = (uint16_t)(bit << 1))
		if (m->special_use & bit)
			buf_addf(out, " %s", grammar_special_use_name(bit));
	buf_addz(out, ") \"/\" ");
	mailbox_name_write(out, name, imap_utf8(s));
	if (old.p != NULL) { /* RFC 5465 5.4 */
		buf_addz(out, " (\"OLDNAME\" (");
		mailbox_name_write(out, old, imap_utf8(s));
		buf_addz(out, "))");
	}
	buf_addz(out, "\r\n");
}

/* It came or went: so its parent is affected too, "whether it is an existing mailbox or not": one
 * that was there for its children's sake alone goes with the last of them.   RFC 5465 5.4 */
static void write_affected(struct imap *s, const struct mailboxes *boxes, struct str name)
{
	const struct api_mailbox parent = { .name = parent_of(name) };
	const struct api_mailbox *m = by_name(boxes, parent.name);

	write_list(s, boxes, name, STR_NONE);
	if (has_parent(name) && (notify_events(s->notify, m != NULL ? m : &parent) & EVENT_NAME))
		write_list(s, boxes, parent.name, STR_NONE);
}

/* No additional events are sent for children of what was renamed.         RFC 5465 5.4 */
static bool moved_with_parent(
	const struct notify *n, const struct api_mailbox *old, const struct api_mailbox *m)
{
	const struct api_mailbox *before, *after;

	if (!has_parent(old->name) || !has_parent(m->name))
		return false;
	before = by_name(&n->now.boxes, parent_of(old->name));
	after = by_name(&n->next.boxes, parent_of(m->name));
	return before != NULL && after != NULL && before->exists && after->exists &&
	       before->id == after->id && !str_equal(before->name, after->name);
}

/* ---- STATUS ---- */

/* What goes with the events of a mailbox that is not selected.         RFC 5465 3.1, 5.1 to 5.3 */
static unsigned status_atts(const struct imap *s, unsigned events, bool first)
{
	unsigned atts = STATUS_UIDVALIDITY | STATUS_MESSAGES | STATUS_UIDNEXT;

	if (s->condstore || (first && (events & EVENT_FLAGS)))
		atts |= STATUS_HIGHESTMODSEQ;
	return events & EVENT_FLAGS ? atts | STATUS_UNSEEN : atts;
}

static uint64_t highest_modseq(const struct mailboxes *boxes)
{
	uint64_t highest = 0;

	VEC_EACH (const struct api_mailbox, m, &boxes->all)
		if (m->exists && m->highest_modseq > highest)
			highest = m->highest_modseq;
	return highest;
}

static bool any_gone(const struct notify *n)
{
	VEC_EACH (const struct api_mailbox, old, &n->now.boxes.all)
		if (old->exists && find(&n->next.boxes, old) == NULL)
			return true;
	return false;
}

/* Every change of messages takes a modseq of the account's. Where this session's own are as many as
 * were taken, nobody else changed any; that is not to be seen where a mailbox went. RFC 5465 5 */
static bool is_all_own(const struct notify *n)
{
	return n->own_modseqs > 0 && !any_gone(n) &&
	       highest_modseq(&n->next.boxes) == highest_modseq(&n->now.boxes) + n->own_modseqs;
}

static void diff_messages(
	struct imap *s, const struct api_mailbox *old, const struct api_mailbox *m, unsigned events)
{
	bool is_new = old == NULL || old->id == 0;

	if (!m->exists || m->id == s->sel.mailbox || (events & EVENTS_OF_MESSAGES) == 0)
		return;
	if (is_new ? m->messages > 0
		   : old->messages != m->messages || old->uidnext != m->uidnext ||
				old->uidvalidity != m->uidvalidity)
		status_add(s, imap_out(s), m, status_atts(s, events, false), 0);
	else if (is_new || (events & EVENT_FLAGS) == 0 || old->highest_modseq == m->highest_modseq)
		return;
	else if (s->condstore)
		status_add(s, imap_out(s), m,
			STATUS_HIGHESTMODSEQ | STATUS_UIDVALIDITY | STATUS_UNSEEN, 0);
	else if (old->unseen != m->unseen)
		status_add(s, imap_out(s), m, STATUS_UIDVALIDITY | STATUS_UNSEEN, 0);
}

/* ---- one mailbox ---- */

static void diff_present(struct imap *s, const struct api_mailbox *m, bool own)
{
	const struct notify *n = s->notify;
	const struct api_mailbox *old = find(&n->now.boxes, m);
	const struct api_mailbox *same = old != NULL ? old : by_name(&n->now.boxes, m->name);
	unsigned now = notify_events(n, m), either = now | (old ? notify_events(n, old) : 0);

	if (m->exists && old == NULL && (now & EVENT_NAME))
		write_affected(s, &n->next.boxes, m->name);
	else if (m->exists && old != NULL && (either & EVENT_NAME) &&
		 !str_equal(old->name, m->name) && !moved_with_parent(n, old, m))
		write_list(s, &n->next.boxes, m->name, old->name);
	else if ((either & EVENT_SUBSCRIPTION) &&
		 m->subscribed != (same != NULL && same->subscribed))
		write_list(s, &n->next.boxes, m->name, STR_NONE);
	if (!own)
		diff_messages(s, old, m, now);
}

/* It may be there still as a name that is subscribed, or as the parent of others. */
static void diff_gone(struct imap *s, const struct api_mailbox *old)
{
	const struct notify *n = s->notify;
	unsigned events = notify_events(n, old);

	if (old->exists && find(&n->next.boxes, old) == NULL && (events & EVENT_NAME))
		write_affected(s, &n->next.boxes, old->name);
	else if (!old->exists && old->subscribed && by_name(&n->next.boxes, old->name) == NULL &&
		 (events & EVENT_SUBSCRIPTION))
		write_list(s, &n->next.boxes, old->name, STR_NONE);
}

void notify_diff(struct imap *s)
{
	struct notify *n = s->notify;
	bool own = is_all_own(n);

	VEC_EACH (const struct api_mailbox, old, &n->now.boxes.all)
		diff_gone(s, old);
	VEC_EACH (const struct api_mailbox, m, &n->next.boxes.all)
		diff_present(s, m, own);
}

void notify_write_status(struct imap *s)
{
	VEC_EACH (const struct api_mailbox, m, &s->notify->now.boxes.all) {
		unsigned events = notify_events(s->notify, m);

		if (m->exists && m->id != s->sel.mailbox && (events & EVENTS_OF_MESSAGES))
			status_add(s, imap_out(s), m, status_atts(s, events, true), 0);
	}
}

/* ---- METADATA ---- */

/* "*" SP "METADATA" SP mailbox SP entry-list                             RFC 5464 4.4.2 */
static void write_annotated(struct imap *s, struct str mailbox, const char *name)
{
	struct buf *out = imap_out(s);

	buf_addz(out, "* METADATA ");
	if (mailbox.n == 0)
		buf_addz(out, "\"\"");
	else
		mailbox_name_write(out, mailbox, imap_utf8(s));
	buf_addc(out, ' ');
	token_add_astring(out, str_from(name), imap_utf8(s));
	buf_addz(out, "\r\n");
}

/* One of this session's own, which is told of once.              RFC 5465 5 */
static bool take_own(struct notify *n, const struct notify_annotated *a)
{
	for (size_t i = 0; i < n->set.n; i++) {
		const struct notify_annotated *own = vec_at(&n->set, i);

		if (own->mailbox != a->mailbox || strcmp(own->name, a->name) != 0)
			continue;
		vec_remove(&n->set, i);
		return true;
	}
	return false;
}

void notify_write_metadata(struct imap *s)
{
	struct notify *n = s->notify;

	VEC_EACH (const struct notify_annotated, a, &n->changed) {
		if (take_own(n, a))
			continue;
		if (a->mailbox == 0 && (n->spec.all & EVENT_SERVER_METADATA))
			write_annotated(s, STR_NONE, a->name);
		VEC_EACH (const struct api_mailbox, m, &n->now.boxes.all)
			if (a->mailbox != 0 && m->exists && m->id == a->mailbox &&
				(notify_events(n, m) & EVENT_METADATA))
				write_annotated(s, m->name, a->name);
	}
	vec_clear(&n->changed);
}
