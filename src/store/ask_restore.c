// SPDX-License-Identifier: Apache-2.0
/*
 * Messages that come back from a backup into a store that is in use: what the account has (so that
 * nothing comes twice), the mailboxes they go to, and their landing, which is an upload with flags
 * and the entry's old id. One restore of an account at a time, so that what was told stays true but
 * for what the account's own sessions do.
 */
#include "store/store_private.h"

enum { KNOWN_A_FRAME = 4000, ENTRIES_A_SLICE = 10000, MOST_KNOWN = 1 << 24 };

/* ---- what is there ---- */

struct collecting {
	struct job *job;
	struct vec mailboxes; /* uint64_t */
	uint32_t last;
	size_t n;
};

static int add_mailbox(void *arg, const struct api_mailbox *mailbox)
{
	struct collecting *c = arg;
	uint64_t id = mailbox->id;
	return id && vec_push(&c->mailboxes, &id) == NULL
		       ? fail(&c->job->err, ERR_LIMIT, "too many mailboxes")
		       : 0;
}

static int add_entry(void *arg, const struct entry_ids *ids)
{
	struct collecting *c = arg;
	struct api_known known = { .entry_id = ids->entry_id, .body = ids->body };
	c->last = ids->uid;
	c->n++;
	return vec_push(&c->job->items, &known)
		       ? 0
		       : fail(&c->job->err, ERR_LIMIT, "the account has too many messages");
}

static int collect(struct reading *r, struct collecting *c)
{
	const struct engine_class *engine = r->reader->class;
	struct err *err = &c->job->err;
	if (engine->mailbox_each(r->reader, c->job->size, add_mailbox, c, err) != 0)
		return -1;
	VEC_EACH (uint64_t, mailbox, &c->mailboxes) {
		c->last = 0;
		do {
			c->n = 0;
			if (engine->entry_ids(r->reader, *mailbox, c->last, ENTRIES_A_SLICE,
				    add_entry, c, err) != 0)
				return -1;
		} while (c->n == ENTRIES_A_SLICE);
	}
	return 0;
}

/* size: the account's id. */
static void known_work(struct reading *r, struct job *job)
{
	struct account_row account;
	struct collecting c = { .job = job };
	vec_init(&job->items, sizeof(struct api_known), MOST_KNOWN);
	if (r->reader->class->account_by_address(
		    r->reader, job->ask.restore_begin.address, &account, &job->err) < 0)
		return;
	job->size = account.id;
	vec_init(&c.mailboxes, sizeof(uint64_t), LIMIT_MAILBOXES);
	(void)collect(r, &c);
	vec_done(&c.mailboxes);
}

static enum produced known_produce(struct job *job, struct frame *frame)
{
	if (job->finished)
		return PRODUCED_END;
	if (job->worked == 0) {
		struct str history = str_make(job->store->history, sizeof(job->store->history));
		*frame = (struct frame){ .type = FRAME_RESTORE_IS,
			.restore_is = { .account = job->size } };
		if (job_keep(job, &history))
			frame->restore_is.history = history;
		return PRODUCED_FRAME;
	}
	size_t n = job->items.n - job->at;
	job->step = n > KNOWN_A_FRAME ? KNOWN_A_FRAME : n;
	*frame = (struct frame){ .type = FRAME_RESTORE_KNOWN,
		.restore_known = {
			.entries = { job->step ? vec_at(&job->items, job->at) : NULL, job->step },
			.last = job->step == n } };
	return PRODUCED_FRAME;
}

static void known_sent(struct job *job)
{
	if (job->worked++ == 0)
		return;
	job->at += job->step;
	job->finished = job->at == job->items.n;
}

/* Not when its peer has ended it, and perhaps begun another. */
static bool is_in_force(const struct job *job)
{
	return job->peer &&
	       str_equal(address_str(&job->peer->restores), job->ask.restore_begin.address);
}

/* What whoever was at work before has under way is in the ledger first: a command that was killed,
 * and is run again at once, would not know of it. */
static bool begin_done(struct job *job)
{
	if (job->txn == NULL) {
		if (is_in_force(job))
			job->peer->restored = job->size;
		return true;
	}
	txn_free(&job->txn);
	job_read(job);
	return false;
}

static void begin_always(struct job *job)
{
	if (job->err.kind != ERR_NONE && is_in_force(job))
		restore_leave(job->peer);
}

static bool is_restored(const struct store *store, const struct address_name *address)
{
	for (const struct store_peer *p = store->peers; p; p = p->next)
		if (str_equal(address_str(&p->restores), address_str(address)))
			return true;
	return false;
}

ASK(ask_restore_begin)
{
	static const struct job_class class = { .name = "restore",
		.work = known_work,
		.always = begin_always,
		.done = begin_done,
		.produce = known_produce,
		.sent = known_sent };
	struct store *store = peer->store;
	struct err err = ERR_INIT;
	struct address_name address;
	(void)session;
	int rc = address_canonical(frame->restore_begin.address, &address, &err);
	if (rc == 0 && (peer->restores.n || is_restored(store, &address)))
		rc = fail(&err, ERR_IN_USE, "another restore or import of the account is at work");
	else if (rc == 0 && store->read_only)
		rc = fail(&err, ERR_READ_ONLY, "the store takes no messages at present");
	if (rc < 0) {
		peer_fail(peer, request, &err);
		return;
	}
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return;
	peer->restores = address;
	job->ask.restore_begin.address = address_str(&address);
	job->txn = txn_new();
	if (job_keep(job, &job->ask.restore_begin.address))
		job_write(job);
}

void restore_leave(struct store_peer *peer)
{
	peer->restores.n = 0;
	peer->restored = 0;
}

int restore_may(const struct store_peer *peer, uint64_t account, struct err *err)
{
	if (peer->restored && peer->restored == account)
		return 0;
	return fail(err, ERR_NOT_NOW, "no restore of the account is at work");
}

ASK(ask_restore_end)
{
	(void)session;
	(void)frame;
	restore_leave(peer);
	peer_send(peer, request, &(struct frame){ .type = FRAME_DONE });
}

/* ---- mailboxes ---- */

static bool mailbox_made(struct job *job)
{
	struct op *op = txn_op(job->txn, 0);
	struct frame answer = { .type = FRAME_RESTORE_MAILBOX_IS,
		.restore_mailbox_is = { op->result.mailbox, op->result.uidvalidity } };
	job_answer(job, &answer);
	return false;
}

/* The mailbox of that name; made, with its parents, where it is missing. */
ASK(ask_restore_mailbox)
{
	static const struct job_class class = { .name = "restore-mailbox", .done = mailbox_made };
	const struct frame_restore_mailbox *ask = &frame->restore_mailbox;
	struct mailbox_name name;
	struct err err = ERR_INIT;
	(void)session;
	if (restore_may(peer, ask->account, &err) < 0 ||
		mailbox_name_canonical(ask->name, &name, &err) < 0) {
		peer_fail(peer, request, &err);
		return;
	}
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return;
	job->txn = txn_new();
	struct op *op = txn_add(job->txn, OP_MAILBOX_ENSURE);
	op->by.account = ask->account;
	op->mailbox.name = mailbox_name_str(&name);
	op->mailbox.special_use = ask->special_use;
	op->mailbox.on = !ask->unsubscribed;
	op->mailbox.uidvalidity = ask->uidvalidity;
	op->mailbox.uidnext = ask->uidnext;
	if (txn_keep(job->txn, &op->mailbox.name))
		job_write(job);
}

/* ---- annotations ---- */

static bool annotated(struct job *job)
{
	job_answer_done(job);
	return false;
}

ASK(ask_restore_annotations)
{
	static const struct job_class class = { .name = "restore-annotations", .done = annotated };
	const struct frame_restore_annotations *ask = &frame->restore_annotations;
	struct err err = ERR_INIT;
	(void)session;
	if (restore_may(peer, ask->account, &err) < 0) {
		peer_fail(peer, request, &err);
		return;
	}
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return;
	job->txn = txn_new();
	struct op *op = txn_add(job->txn, OP_ANNOTATE);
	op->by.account = ask->account;
	op->annotate = (struct op_annotate){
		.mailbox = ask->mailbox, .list = ask->annotations, .missing = true
	};
	if (annotations_keep(job->txn, &op->annotate.list, &err) < 0)
		job_answer_failed(job, &err);
	else
		job_write(job);
}
