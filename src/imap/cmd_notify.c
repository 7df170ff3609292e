// SPDX-License-Identifier: Apache-2.0
/* NOTIFY SET and NOTIFY NONE (RFC 5465 3.1). A command that is refused leaves what was before. */
#include "imap/notify.h"

#include "imap/mailbox_name.h"

struct notify_work {
	struct notify *wanted;
};

static void drop(struct imap *s)
{
	struct notify_work *w = s->cmd.work;

	notify_free(&w->wanted);
}

/* RFC 5465 3.1: NO, with the names of all that there are */
static void bad_event(struct imap *s)
{
	reply_no(s,
		"BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange "
		"MailboxMetadataChange ServerMetadataChange)",
		"There is an event that is not known here");
	imap_finish(s);
}

static void overflow(struct imap *s)
{
	reply_no(s, "NOTIFICATIONOVERFLOW", "Too much to be watched");
	imap_finish(s);
}

/* In the store's spelling. A name that no mailbox can have is one that does not exist, which is
 * ignored (RFC 5465 3.1). */
static bool read_names(struct imap *s, struct notify *n)
{
	struct buf known;
	bool fits = true;

	buf_init(&known, LIMIT_MAILBOX_NAME_BYTES);
	for (size_t g = 0; g < n->spec.n; g++) {
		for (size_t i = 0; i < n->spec.groups[g].n; i++) {
			struct str *name = &n->spec.groups[g].names[i];
			struct err err = ERR_INIT;

			if (mailbox_name_read(*name, imap_utf8(s), &known, &err) < 0)
				buf_clear(&known);
			*name = arena_str(&n->arena, buf_str(&known));
			fits = fits && name->p != NULL;
		}
	}
	buf_done(&known);
	return fits;
}

static void done(struct imap *s)
{
	reply_ok(s, NULL, "NOTIFY completed");
	s->sel.stale = s->sel.view != NULL; /* an implicit NOOP: RFC 5465 3.1 */
	imap_finish(s);
}

/* The list is read: what was before goes. */
static void take_effect(struct imap *s)
{
	struct notify *n = s->notify;

	if (n->overflow) {
		notify_put_back(s);
		overflow(s);
		return;
	}
	notify_in_force(s);
	notify_listed_first(s);
	if (n->spec.status)
		notify_write_status(s);
	done(s);
}

void imap_notify(struct imap *s)
{
	struct notify_work *w = imap_work(s, sizeof *w, drop);
	struct err err = ERR_INIT;
	struct scan a;

	w->wanted = notify_new();
	a = scan_from(arena_str(&w->wanted->arena, scan_rest(&s->cmd.args)));
	if (a.p == NULL) {
		overflow(s);
	} else if (notify_parse(&a, &w->wanted->arena, &w->wanted->spec, &err) < 0) {
		if (err.kind == ERR_LIMIT) {
			overflow(s);
			return;
		}
		reply_bad(s, NULL, "%s", err.public_text);
		imap_finish_now(s);
	} else if (w->wanted->spec.all & EVENT_UNKNOWN) {
		bad_event(s);
	} else if (!read_names(s, w->wanted)) {
		overflow(s);
	} else {
		if (s->metadata)
			notify_add_metadata(w->wanted);
		notify_replace(s, &w->wanted);
		if (s->sel.view != NULL)
			notify_selected(s);
		if (notify_wants_boxes(s->notify)) {
			notify_read_list(s, take_effect);
			return;
		}
		notify_in_force(s);
		notify_watch(s, false);
		done(s);
	}
}
