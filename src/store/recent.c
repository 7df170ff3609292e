// SPDX-License-Identifier: Apache-2.0
/*
 * Which messages no session was told of (RFC 3501 2.3.2, \Recent): those from a UID on, which rises
 * whenever a session is told of more. A mailbox's log has it (struct mailbox_log), since who asks
 * has a log; its row in the ledger follows within a minute, with a flush that nobody waits for, and
 * when the store is closed. Until then the log stays. What a crash loses of it makes messages
 * \Recent once more, as the RFC would have it where nobody can tell.
 */
#include "store/store_private.h"

enum {
	WRITE_MS = 10 * 1000, /* between writings */
	A_WRITING = 256       /* mailboxes of one transaction */
};

void recent_take(struct store *store, struct mailbox_log *log, uint32_t uidnext)
{
	if (uidnext <= log->recent)
		return;
	log->recent = uidnext;
	if (log->recent_waits || store->read_only)
		return;
	log->recent_waits = true;
	log->users++;
	log->recent_next = store->recents;
	store->recents = log;
}

void recents_collect(const struct store *store, uint64_t account, struct vec *ret)
{
	for (const struct mailbox_log *log = store->recents; log; log = log->recent_next) {
		struct recent_of of = { log->mailbox, log->recent };
		if (log->account == account)
			vec_push(ret, &of);
	}
}

static struct txn *some(const struct store *store)
{
	struct txn *txn = txn_new();
	size_t n = 0;
	for (const struct mailbox_log *log = store->recents; log && n < A_WRITING;
		log = log->recent_next, n++)
		txn_add(txn, OP_RECENT)->recent = (struct op_recent){ log->mailbox, log->recent };
	return txn;
}

/* Those whose `recent` the ledger has leave the list. Its order is the transaction's, and what came
 * since stands before. */
static void written(struct store *store, const struct txn *txn)
{
	struct mailbox_log **at = &store->recents;
	for (size_t n = 0; *at && n < txn->ops.n;) {
		struct mailbox_log *log = *at;
		const struct op_recent *now = &((const struct op *)vec_at(&txn->ops, n))->recent;
		bool it = log->mailbox == now->mailbox;
		n += it;
		if (!it || log->recent > now->uid) { /* or it has risen meanwhile */
			at = &log->recent_next;
			continue;
		}
		*at = log->recent_next;
		log->recent_waits = false;
		log->users--;
		log_release(store, log);
	}
}

static void write_some(struct store *store);

/* What could not be written is tried again, later. */
static void write_end(struct job *job)
{
	struct store *store = job->store;
	store->recents_busy = false;
	if (job->err.kind != ERR_NONE)
		return;
	written(store, job->txn);
	if (job->txn->ops.n == A_WRITING && store->recents)
		write_some(store);
}

static void write_some(struct store *store)
{
	static const struct job_class class = { .name = "recent", .always = write_end };
	struct job *job = job_new_own(store, &class);
	job->txn = some(store);
	store->recents_busy = true;
	job_write(job);
}

void recents_write(struct store *store, int64_t now_ms)
{
	if (store->recents == NULL || store->recents_busy || now_ms - store->recents_ms < WRITE_MS)
		return;
	store->recents_ms = now_ms;
	write_some(store);
}

void recents_save(struct store *store)
{
	struct err err = ERR_INIT;
	bool goes_on = !store->read_only && !store->ended;
	while (store->recents && goes_on) {
		struct txn *txn = some(store);
		if (store->engine->class->run(store->engine, &txn, 1, &err) < 0)
			store_end(store, &err);
		goes_on = !store->ended && txn->err.kind == ERR_NONE;
		if (goes_on)
			written(store, txn);
		txn_free(&txn);
	}
}
