// SPDX-License-Identifier: Apache-2.0
/* COPY (RFC 9051 6.4.7) and MOVE (6.4.8), with COPYUID (RFC 9051 7.1). All or nothing, in the
 * store. What another session expunged is not there by UID (RFC 9051 6.4.9); by number it was named
 * for sure, and nothing is copied (RFC 2180 4.4.1). MOVE says COPYUID before the EXPUNGEs, in an
 * untagged OK. */
#include "imap/imap_private.h"
#include "imap/notify.h"

#include <inttypes.h>

struct copy_work {
	struct vec sequence, uids; /* struct api_range */
	struct vec from, to;       /* struct api_range, in step */
	struct str name;
	uint64_t target;
	uint32_t uidvalidity;
	uint32_t expected; /* messages that must all be there; 0: by UID */
	bool move;
};

static void drop(struct imap *s)
{
	struct copy_work *w = s->cmd.work;

	vec_done(&w->sequence);
	vec_done(&w->uids);
	vec_done(&w->from);
	vec_done(&w->to);
}

static void take_pairs(struct copy_work *w, const struct frame_copied *c)
{
	w->uidvalidity = c->uidvalidity;
	for (size_t i = 0; i < c->pairs.n; i++) {
		seq_ranges_add(&w->from, c->pairs.items[i].from, c->pairs.items[i].from);
		seq_ranges_add(&w->to, c->pairs.items[i].to, c->pairs.items[i].to);
	}
}

/* resp-code-copy = "COPYUID" SP nz-number SP uid-set SP uid-set */
static void add_copyuid(struct buf *out, const struct copy_work *w)
{
	struct seqset from = seqset_of(&w->from), to = seqset_of(&w->to);

	buf_addf(out, "COPYUID %" PRIu32 " ", w->uidvalidity);
	seqset_print(&from, out);
	buf_addc(out, ' ');
	seqset_print(&to, out);
}

static void say_copied(struct imap *s, const struct copy_work *w)
{
	const char *name = w->move ? "MOVE" : "COPY";

	if (w->from.n == 0) {
		reply_ok(s, NULL, "%s completed, nothing was there", name);
	} else if (w->move) {
		buf_addz(imap_out(s), "* OK [");
		add_copyuid(imap_out(s), w);
		buf_addz(imap_out(s), "] Moved\r\n");
	} else {
		add_copyuid(reply_open_ok(s), w);
		reply_close(s, "COPY completed");
	}
}

/* Whether the target is still the mailbox that was found under its name. */
static bool target_is(const struct copy_work *w, const struct frame *answer)
{
	const struct api_mailbox_list *list = &answer->mailboxes.mailboxes;

	return list->n == 1 && list->items[0].exists && list->items[0].id == w->target;
}

/* All or nothing, so nothing: a message went in between (RFC 5530 3), or the target did. */
static void what_went(struct imap *s, const struct frame *answer)
{
	const struct copy_work *w = s->cmd.work;
	bool there = answer->type == FRAME_MAILBOXES && target_is(w, answer);

	if (answer->type == FRAME_FAILED && answer->failed.kind != ERR_NOT_FOUND) {
		imap_expect(s, answer, FRAME_MAILBOXES);
		return;
	}
	s->request = 0;
	s->sel.stale = true;
	if (there)
		reply_no(s, "EXPUNGEISSUED", "Some of the messages no longer exist");
	else
		reply_no(s, "TRYCREATE", "The mailbox is there no more");
	imap_finish(s);
}

static void ask_target(struct imap *s, imap_answer *answer)
{
	const struct copy_work *w = s->cmd.work;

	imap_ask(s, ASK_STORE,
		&(struct frame){ .type = FRAME_MAILBOX_STATUS,
			.mailbox_status = { s->session.store_session, w->name } },
		answer);
}

static void copied(struct imap *s, const struct frame *answer)
{
	struct copy_work *w = s->cmd.work;

	if (answer->type == FRAME_COPIED) {
		take_pairs(w, &answer->copied);
		if (!answer->copied.last)
			return;
	}
	s->sel.stale = s->sel.stale || w->move || w->target == s->sel.mailbox;
	if (answer->type == FRAME_FAILED && answer->failed.kind == ERR_NOT_FOUND) {
		ask_target(s, what_went);
		return;
	}
	if (!imap_expect(s, answer, FRAME_COPIED))
		return;
	VEC_EACH (const struct api_range, r, &w->to)
		notify_own_messages(s, w->target, r->low, r->high);
	notify_own_modseqs(s, w->to.n > 0);
	say_copied(s, w);
	if (w->move) /* RFC 6851 4.4 */
		imap_finish_expunged(s, w->from.n > 0, "MOVE completed");
	else
		imap_finish(s);
}

static void target_found(struct imap *s, const struct frame *answer)
{
	struct copy_work *w = s->cmd.work;
	struct frame copy = { .type = FRAME_COPY,
		.copy = { s->session.store_session, s->sel.mailbox, 0, w->move, w->expected } };

	if (answer->type == FRAME_FAILED && answer->failed.kind == ERR_NOT_FOUND) {
		s->request = 0;
		reply_no(s, "TRYCREATE", "No such mailbox");
		imap_finish(s);
		return;
	}
	if (!imap_expect(s, answer, FRAME_MAILBOXES))
		return;
	if (answer->mailboxes.mailboxes.n != 1 || !answer->mailboxes.mailboxes.items[0].exists) {
		reply_no(s, "TRYCREATE", "No such mailbox");
		imap_finish(s);
		return;
	}
	w->target = copy.copy.target = answer->mailboxes.mailboxes.items[0].id;
	imap_ask_change(s, &w->uids, &copy, copied);
}

static void begin(struct imap *s, bool move)
{
	struct copy_work *w = imap_work(s, sizeof *w, drop);

	w->move = move;
	vec_init(&w->sequence, sizeof(struct api_range), LIMIT_VIEW_ENTRIES);
	vec_init(&w->uids, sizeof(struct api_range), LIMIT_VIEW_ENTRIES);
	vec_init(&w->from, sizeof(struct api_range), LIMIT_VIEW_ENTRIES);
	vec_init(&w->to, sizeof(struct api_range), LIMIT_VIEW_ENTRIES);
	if (!imap_arg_set(s, s->cmd.uid, &w->sequence) || !imap_arg_mailbox(s, &w->name) ||
		!imap_args_end(s) || (move && imap_refuse_read_only(s)))
		return;
	view_uids(s->sel.view, &w->sequence, &w->uids);
	VEC_EACH (const struct api_range, r, &w->sequence)
		w->expected += s->cmd.uid ? 0 : r->high - r->low + 1;
	if (w->uids.n == 0 && w->expected == 0) {
		say_copied(s, w);
		imap_finish(s);
		return;
	}
	ask_target(s, target_found);
}

void imap_copy(struct imap *s)
{
	begin(s, false);
}

void imap_move(struct imap *s)
{
	begin(s, true);
}
