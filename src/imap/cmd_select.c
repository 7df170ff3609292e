// SPDX-License-Identifier: Apache-2.0
/* Into a mailbox and out of it: SELECT, EXAMINE (RFC 9051 6.3.2, 6.3.3; CONDSTORE and
 * QRESYNC: RFC 7162 3.1.8, 3.2.5), CLOSE, UNSELECT (6.4.1, 6.4.2). */
#include "base/planted.h"
#include "imap/grammar.h"
#include "imap/imap_private.h"
#include "imap/mailbox_name.h"
#include "imap/notify.h"
#include "imap/selected.h"
#include "imap/token.h"
#include "imap/vanished.h"

#include <inttypes.h>

struct select_work {
	struct str name, given;
	bool examine;
	bool closed; /* another was selected, which the client is still to be told */
	bool condstore;
	bool qresync;
	uint32_t uidvalidity;        /* QRESYNC: what the client knows */
	struct seqset numbers, uids; /* its sample of them */
	struct vanished vanished;    /* its modseq and UIDs */
	uint32_t next;               /* the sequence number whose changes are said next */
};

static void drop(struct imap *s)
{
	vanished_done(&((struct select_work *)s->cmd.work)->vanished);
}

/* sequence-set without "*" and "$". RFC 7162 7 */
static bool plain_set(struct imap *s, struct seqset *ret)
{
	return seqset_parse(&s->cmd.args, &s->arena, ret) && !ret->star && !ret->saved;
}

/* seq-match-data = "(" known-sequence-set SP known-uid-set ")"      RFC 7162 7 */
static bool match_data(struct imap *s, struct select_work *w)
{
	struct scan *a = &s->cmd.args;

	return scan_char(a, '(') && plain_set(s, &w->numbers) && scan_sp(a) &&
	       plain_set(s, &w->uids) && scan_char(a, ')') &&
	       (w->numbers.too_much || w->uids.too_much ||
		       seqset_count(&w->numbers) == seqset_count(&w->uids));
}

/* "QRESYNC" SP "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")" */
static bool qresync_param(struct imap *s, struct select_work *w)
{
	struct scan *a = &s->cmd.args;
	bool more;

	w->qresync = true;
	if (!scan_sp(a) || !scan_char(a, '(') || !token_nz_number(a, &w->uidvalidity) ||
		!scan_sp(a) || !token_number64(a, &w->vanished.since) || w->vanished.since == 0)
		return false;
	more = scan_sp(a);
	if (more && scan_peek(a) != '(') {
		if (!plain_set(s, &w->vanished.known))
			return false;
		w->vanished.has_known = true;
		more = scan_sp(a);
	}
	return (!more || match_data(s, w)) && scan_char(a, ')');
}

static bool select_param(struct imap *s, struct select_work *w)
{
	if (!w->qresync && scan_word_nocase(&s->cmd.args, STR("QRESYNC")))
		return qresync_param(s, w);
	w->condstore = scan_word_nocase(&s->cmd.args, STR("CONDSTORE"));
	return w->condstore;
}

/* select-params = "(" select-param *(SP select-param) ")"           RFC 4466 3, RFC 7162 7 */
static bool select_params(struct imap *s, struct select_work *w)
{
	struct scan *a = &s->cmd.args;

	if (scan_end(a))
		return true;
	if (!scan_sp(a) || !scan_char(a, '(') || !select_param(s, w))
		return false;
	while (!scan_char(a, ')'))
		if (!scan_sp(a) || !select_param(s, w))
			return false;
	s->condstore = s->condstore || w->condstore;
	return scan_end(a) && (!w->qresync || s->qresync); /* RFC 7162 3.2.5 */
}

static void say_closed(struct imap *s)
{
	untagged_ok(s, "CLOSED", "Previous mailbox is closed");
}

static void say_selected(struct imap *s, const struct select_work *w)
{
	uint32_t unseen = s->rev2 ? 0 : s->sel.unseen;

	selected_write_flags(s, true);
	imap_writef(s, "* %" PRIu32 " EXISTS\r\n", s->sel.exists);
	if (!s->rev2) /* RFC 9051 appendix E */
		imap_writef(s, "* %" PRIu32 " RECENT\r\n", s->sel.recent);
	if (unseen != 0)
		imap_writef(s, "* OK [UNSEEN %" PRIu32 "] First unseen\r\n", unseen);
	imap_writef(s, "* OK [UIDVALIDITY %" PRIu32 "] UIDs valid\r\n", s->sel.uidvalidity);
	imap_writef(s, "* OK [UIDNEXT %" PRIu32 "] Predicted next UID\r\n", s->sel.uidnext);
	imap_writef(s, "* OK [HIGHESTMODSEQ %" PRIu64 "] Highest\r\n", s->sel.modseq);
	buf_addz(imap_out(s), "* OK [MAILBOXID ("); /* RFC 8474 4.2 */
	grammar_add_mailbox_id(imap_out(s), s->sel.mailbox);
	buf_addz(imap_out(s), ")] Its id\r\n");
	/* RFC 9051 6.3.2: SELECT has a LIST response, with the mailbox's true name */
	if (s->rev2) {
		buf_addz(imap_out(s), "* LIST () \"/\" ");
		mailbox_name_write(imap_out(s), w->name, imap_utf8(s));
		imap_write_oldname(s, w->name, w->given);
		buf_addz(imap_out(s), "\r\n");
	}
}

static void select_reply(struct imap *s)
{
	const struct select_work *w = s->cmd.work;

	reply_ok(s, w->examine ? "READ-ONLY" : "READ-WRITE", "%s completed",
		w->examine ? "EXAMINE" : "SELECT");
	imap_finish_now(s);
}

/* The flags that the client missed. RFC 7162 3.2.5.1 */
static void say_change(struct imap *s, const struct select_work *w, uint32_t number)
{
	const struct api_entry *e = view_entry(s->sel.view, number);

	if (e->modseq <= w->vanished.since ||
		(w->vanished.has_known && !seqset_contains(&w->vanished.known, e->uid)))
		return;
	buf_addf(imap_out(s), "* %" PRIu32 " FETCH (UID %" PRIu32 " FLAGS ", number, e->uid);
	view_add_flags(s->sel.view, imap_out(s), e);
	buf_addf(imap_out(s), " MODSEQ (%" PRIu64 "))\r\n", e->modseq);
}

static void changes_step(struct imap *s)
{
	struct select_work *w = s->cmd.work;

	while (imap_out(s)->n < IMAP_ROOM_BYTES && w->next <= view_exists(s->sel.view))
		say_change(s, w, w->next++);
	s->step = w->next <= view_exists(s->sel.view) ? changes_step : select_reply;
}

/* With another UIDVALIDITY than the client's, nothing that it knows counts. RFC 7162 3.2.5 */
static void resync(struct imap *s, struct select_work *w)
{
	if (!w->qresync || w->uidvalidity != s->sel.uidvalidity) {
		select_reply(s);
		return;
	}
	w->next = 1;
	vanished_match(s->sel.view, &w->numbers, &w->uids, &w->vanished.above);
	vanished_say(s, &w->vanished, changes_step);
}

static void select_opened(struct imap *s, const struct frame *answer)
{
	struct select_work *w = s->cmd.work;

	if (w->closed)
		say_closed(s);
	if (answer->type != FRAME_VIEW_ENTRIES) {
		if (answer->type == FRAME_FAILED && answer->failed.kind == ERR_NOT_FOUND)
			reply_no(s, "NONEXISTENT", "No such mailbox");
		else
			reply_failed(s, answer);
		selected_leave(s);
		imap_finish(s);
		return;
	}
	s->state = SELECTED;
	notify_selected(s);
	say_selected(s, w);
	resync(s, w);
}

/* QRESYNC and NOTIFY speak of messages at once. */
static void open_now(struct imap *s)
{
	const struct select_work *w = s->cmd.work;

	selected_open(s, w->name, w->examine, !w->qresync && s->notify == NULL, select_opened);
}

/* True: one was selected. */
static bool close_selected(struct imap *s)
{
	if (s->sel.view == NULL)
		return false;
	selected_say_told(s);
	selected_leave(s);
	return true;
}

/* False: it was answered, with BAD for what is no string, or NO for what is no name. */
static bool arg_name(struct imap *s, struct select_work *w)
{
	struct scan args = s->cmd.args;
	struct str string;
	bool is_string = scan_sp(&args) && token_astring(&args, &s->arena, &string);

	if (imap_arg_mailbox_given(s, &w->name, &w->given))
		return true;
	if (is_string && close_selected(s))
		say_closed(s);
	return false;
}

/* A mailbox that was selected is closed first, whatever becomes of the new one (6.3.2). That is
 * said with the store's answer, so that the client is written to and woken once; but at once where
 * the store was lost, and may not answer. */
static void open_mailbox(struct imap *s, bool examine)
{
	struct select_work *w = imap_work(s, sizeof *w, drop);

	vanished_init(&w->vanished);
	w->examine = examine;
	if (!arg_name(s, w))
		return;
	if (!select_params(s, w)) {
		imap_bad_args(s);
		return;
	}
	w->closed = close_selected(s);
	if (imap_set_is_too_much(s, &w->numbers) || imap_set_is_too_much(s, &w->uids) ||
		imap_set_is_too_much(s, &w->vanished.known)) {
		if (w->closed)
			say_closed(s);
		imap_finish(s);
		return;
	}
	if (w->closed && s->lost) {
		say_closed(s);
		w->closed = false;
	}
	if (s->lost)
		selected_reopen(s, open_now);
	else
		open_now(s);
}

void imap_select(struct imap *s)
{
	open_mailbox(s, false);
}

void imap_examine(struct imap *s)
{
	open_mailbox(s, true);
}

/* ---- out again ---- */

static void leave(struct imap *s)
{
	selected_say_told(s);
	selected_leave(s);
	reply_ok(s, NULL, "%.*s completed", (int)s->cmd.verb->name.n, s->cmd.verb->name.p);
	imap_finish_now(s);
}

void imap_unselect(struct imap *s)
{
	if (imap_args_end(s))
		leave(s);
}

/* Where somebody deleted the mailbox nothing is left to expunge, and CLOSE knows no NO. */
static void close_expunged(struct imap *s, const struct frame *answer)
{
	if (answer->type == FRAME_FAILED && answer->failed.kind == ERR_NOT_FOUND)
		s->request = 0;
	else if (imap_expect(s, answer, FRAME_CHANGED))
		notify_own_modseqs(s, answer->changed.done_count > 0);
	else
		return;
	leave(s);
}

/* CLOSE expunges without a word, unless the mailbox was EXAMINEd.   RFC 9051 6.4.1 */
void imap_close(struct imap *s)
{
	if (!imap_args_end(s))
		return;
	if (s->sel.read_only && !planted("examined_is_expunged"))
		leave(s);
	else
		imap_expunge_all(s, close_expunged);
}
