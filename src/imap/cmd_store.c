// SPDX-License-Identifier: Apache-2.0
/* STORE (RFC 9051 6.4.6) and UID STORE, with UNCHANGEDSINCE (RFC 7162 3.1.3). The store changes the
 * flags. A view that had everything before that does the same by itself; any other asks for what
 * they became like for any other news. */
#include "imap/grammar.h"
#include "imap/imap_private.h"
#include "imap/notify.h"
#include "imap/selected.h"
#include "imap/token.h"

struct store_work {
	struct vec sequence, uids; /* struct api_range */
	struct vec failed;         /* UIDs that UNCHANGEDSINCE kept back */
	struct flag_list flags;
	uint64_t unchanged_since; /* UINT64_MAX, which no client can say: not given */
	enum flags_mode mode;
	bool silent;
};

static void drop(struct imap *s)
{
	struct store_work *w = s->cmd.work;

	vec_done(&w->sequence);
	vec_done(&w->uids);
	vec_done(&w->failed);
}

/* store-modifier = "(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")"   RFC 7162 7 */
static bool modifiers(struct imap *s, uint64_t *ret)
{
	struct scan *a = &s->cmd.args;

	*ret = UINT64_MAX;
	if (scan_peek(a) != '(')
		return true;
	if (!scan_char(a, '(') || !scan_word_nocase(a, STR("UNCHANGEDSINCE")) || !scan_sp(a) ||
		!token_number64(a, ret) || !scan_char(a, ')') || !scan_sp(a))
		return false;
	imap_enable_condstore(s);
	return true;
}

/* store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag))) */
static bool att_flags(struct scan *a, struct store_work *w)
{
	w->mode = scan_char(a, '+') ? FLAGS_ADD : scan_char(a, '-') ? FLAGS_REMOVE : FLAGS_REPLACE;
	if (!scan_literal_nocase(a, STR("FLAGS")))
		return false;
	w->silent = scan_literal_nocase(a, STR(".SILENT"));
	if (!scan_sp(a))
		return false;
	return scan_peek(a) == '(' ? grammar_flag_list(a, &w->flags) : grammar_flags(a, &w->flags);
}

/* MODIFIED names what was kept back, as sequence numbers or UIDs like the command. RFC 7162 3.1.3
 */
static void reply_modified(struct imap *s, struct store_work *w)
{
	struct seqset failed = seqset_of(&w->failed);
	struct vec sequence;

	vec_init(&sequence, sizeof(struct api_range), LIMIT_VIEW_ENTRIES);
	if (!s->cmd.uid && view_resolve(s->sel.view, &failed, true, NULL, &sequence))
		failed = seqset_of(&sequence);
	buf_addz(reply_open_ok(s), "MODIFIED ");
	seqset_print(&failed, &s->reply);
	reply_close(s, "Conditional STORE failed for some");
	vec_done(&sequence);
}

/* What this command did is told to everybody else; the client that said .SILENT knows. */
static void note_own(struct imap *s, const struct store_work *w, const struct frame_changed *c)
{
	struct view_own *own = &s->sel.own;

	*own = (struct view_own){ .uids = seqset_of(&w->uids),
		.failed = seqset_of(&w->failed),
		.modseq = c->modseq,
		.mode = (uint8_t)w->mode,
		.flags = w->flags.flags };
	s->sel.own_keywords = w->flags.keywords;
	s->sel.n_own_keywords = w->flags.n;
	s->sel.has_stored = true;
	s->sel.has_own = w->silent;
	selected_store(s, c->before);
}

/* Of messages that are all gone none of the FETCHes comes that the client waits for: RFC
 * 2180 4.2.2. With .SILENT there is none (4.2.1), and a UID that is no more is no error (RFC
 * 9051 6.4.9). */
static void reply_stored(struct imap *s, const struct store_work *w, uint32_t n)
{
	if (n == 0 && w->failed.n == 0 && w->sequence.n > 0 && !w->silent && !s->cmd.uid)
		reply_no(s, "EXPUNGEISSUED", "The messages no longer exist");
	else
		reply_ok(s, NULL, "STORE completed");
}

/* What the client is to be told of, whether the flags became others or not: with UNCHANGEDSINCE the
 * MODSEQ, even of a .SILENT one. RFC 7162 3.1.3 */
static void mark_stored(struct imap *s, const struct store_work *w)
{
	struct seqset sequence = seqset_of(&w->sequence), failed = seqset_of(&w->failed);

	if (!w->silent)
		view_mark_changed(s->sel.view, &sequence);
	else if (w->unchanged_since != UINT64_MAX)
		view_mark_modseqs(s->sel.view, &sequence, &failed);
}

static void stored(struct imap *s, const struct frame *answer)
{
	struct store_work *w = s->cmd.work;
	const struct frame_changed *c = &answer->changed;

	if (answer->type == FRAME_CHANGED) {
		for (size_t i = 0; i < c->failed.n; i++)
			seq_ranges_add(&w->failed, c->failed.items[i].low, c->failed.items[i].high);
		if (!c->last)
			return;
	}
	s->sel.stale = true;
	if (!imap_expect(s, answer, FRAME_CHANGED))
		return;
	note_own(s, w, c);
	notify_own_modseqs(s, c->modseq > c->before);
	mark_stored(s, w);
	if (w->failed.n > 0)
		reply_modified(s, w);
	else
		reply_stored(s, w, c->done_count);
	imap_finish(s);
}

static void ask_store(struct imap *s, struct store_work *w)
{
	struct frame set = { .type = FRAME_SET_FLAGS,
		.set_flags = { .session = s->session.store_session,
			.mailbox = s->sel.mailbox,
			.mode = (uint8_t)w->mode,
			.flags = w->flags.flags,
			.keywords = { w->flags.keywords, w->flags.n },
			.unchanged_since = w->unchanged_since,
			.before = true } };

	view_uids(s->sel.view, &w->sequence, &w->uids);
	if (w->uids.n > 0) {
		imap_ask_change(s, &w->uids, &set, stored);
		return;
	}
	reply_stored(s, w, 0);
	imap_finish(s);
}

void imap_store(struct imap *s)
{
	struct store_work *w = imap_work(s, sizeof *w, drop);

	vec_init(&w->sequence, sizeof(struct api_range), LIMIT_VIEW_ENTRIES);
	vec_init(&w->uids, sizeof(struct api_range), LIMIT_VIEW_ENTRIES);
	vec_init(&w->failed, sizeof(struct api_range), LIMIT_VIEW_ENTRIES);
	if (!imap_arg_set(s, s->cmd.uid, &w->sequence))
		return;
	if (!scan_sp(&s->cmd.args) || !modifiers(s, &w->unchanged_since) ||
		!att_flags(&s->cmd.args, w) || !scan_end(&s->cmd.args)) {
		imap_bad_args(s);
		return;
	}
	if (imap_flags_are_too_much(s, &w->flags))
		imap_finish(s);
	else if (!imap_refuse_read_only(s))
		ask_store(s, w);
}
