// SPDX-License-Identifier: Apache-2.0
/* EXPUNGE (RFC 9051 6.4.3) and UID EXPUNGE (6.4.9). The store takes away what carries \Deleted; the
 * client hears of it with the mailbox's other news. */
#include "imap/imap_private.h"
#include "imap/notify.h"

#define UIDS_IN_FRAME 7000

/* The first `uids` frame is the question; the rest and the change itself go with it. */
void imap_ask_change(
	struct imap *s, const struct vec *uids, const struct frame *change, imap_answer *answer)
{
	const struct api_range *all = (const void *)uids->p;
	size_t at = 0;

	do {
		size_t n = uids->n - at < UIDS_IN_FRAME ? uids->n - at : UIDS_IN_FRAME;
		struct frame f = { .type = FRAME_UIDS, .uids = { { n ? all + at : NULL, n } } };

		if (at == 0)
			imap_ask(s, ASK_STORE, &f, answer);
		else
			imap_tell(s, &f);
		at += n;
	} while (at < uids->n);
	imap_tell(s, change);
}

static void ask_expunge(struct imap *s, const struct vec *uids, imap_answer *answer)
{
	const struct frame expunge = { .type = FRAME_EXPUNGE,
		.expunge = { s->session.store_session, s->sel.mailbox, true } };

	s->sel.stale = true;
	imap_ask_change(s, uids, &expunge, answer);
}

bool imap_refuse_read_only(struct imap *s)
{
	if (!s->sel.read_only)
		return false;
	reply_no(s, "READ-ONLY", "The mailbox was opened with EXAMINE");
	imap_finish(s);
	return true;
}

void imap_finish_expunged(struct imap *s, bool any, const char *text)
{
	if (any && s->qresync)
		s->cmd.highest = text;
	reply_ok(s, NULL, "%s", text);
	imap_finish(s);
}

static void expunged(struct imap *s, const struct frame *answer)
{
	if (answer->type == FRAME_CHANGED && !answer->changed.last)
		return;
	if (!imap_expect(s, answer, FRAME_CHANGED))
		return;
	s->cmd.owes_expunges = answer->changed.done_count > 0;
	notify_own_modseqs(s, s->cmd.owes_expunges);
	imap_finish_expunged(s, answer->changed.done_count > 0, "EXPUNGE completed");
}

void imap_expunge_all(struct imap *s, imap_answer *answer)
{
	struct api_range everything = { 1, UINT32_MAX };
	struct vec all = { .p = (char *)(void *)&everything, .n = 1 };

	ask_expunge(s, &all, answer);
}

void imap_expunge(struct imap *s)
{
	if (imap_args_end(s) && !imap_refuse_read_only(s))
		imap_expunge_all(s, expunged);
}

static void expunge_set(struct imap *s, const struct vec *sequence, struct vec *uids)
{
	view_uids(s->sel.view, sequence, uids);
	if (uids->n > 0) {
		ask_expunge(s, uids, expunged);
		return;
	}
	reply_ok(s, NULL, "EXPUNGE completed");
	imap_finish(s);
}

void imap_uid_expunge(struct imap *s)
{
	struct vec sequence, uids;

	vec_init(&sequence, sizeof(struct api_range), LIMIT_VIEW_ENTRIES);
	vec_init(&uids, sizeof(struct api_range), LIMIT_VIEW_ENTRIES);
	if (imap_arg_set(s, true, &sequence) && imap_args_end(s) && !imap_refuse_read_only(s))
		expunge_set(s, &sequence, &uids);
	vec_done(&sequence);
	vec_done(&uids);
}
