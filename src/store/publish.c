// SPDX-License-Identifier: Apache-2.0
/*
 * What others hear, after the flush: the change logs of watched mailboxes, the news to those who
 * watch, the end of sessions whose account changed. A mailbox nobody watches has no log.
 */
#include "store/store_private.h"

#include <stdlib.h>

/* ---- logs ---- */

struct mailbox_log *log_get(struct store *store, uint64_t mailbox, uint64_t account)
{
	struct mailbox_log *log = map_get_u64(&store->logs, mailbox);
	if (log)
		return log->account == account ? log : NULL;
	log = xmalloc(sizeof(*log));
	*log = (struct mailbox_log){ .mailbox = mailbox, .account = account, .floor = UINT64_MAX };
	vec_init(&log->items, sizeof(struct logged), LIMIT_CHANGE_LOG);
	map_put_u64(&store->logs, mailbox, log);
	return log;
}

static void log_free(struct store *store, struct mailbox_log *log)
{
	map_remove_u64(&store->logs, log->mailbox);
	vec_done(&log->items);
	free(log->keywords);
	free(log);
}

void log_release(struct store *store, struct mailbox_log *log)
{
	if (log->watches == 0 && log->users == 0)
		log_free(store, log);
}

/* Of the logs that are left, their users were dropped with the store. */
void logs_done(struct store *store)
{
	size_t at = 0;
	void *log;
	while (map_next(&store->logs, &at, NULL, &log))
		log_free(store, log);
	map_done(&store->logs);
}

static void set_keyword(struct mailbox_log *log, uint32_t bit, struct str name)
{
	if (bit >= LIMIT_KEYWORDS || name.n > LIMIT_KEYWORD_BYTES)
		return;
	if (log->keywords == NULL)
		log->keywords = xcalloc(LIMIT_KEYWORDS, sizeof(*log->keywords));
	if (name.n)
		memcpy(log->keywords[bit], name.p, name.n);
	log->keywords[bit][name.n] = 0;
	if (bit >= log->n_keywords)
		log->n_keywords = bit + 1;
}

/* Every change that was published since the log was made is in it, and a view that was read after
 * that has all that was published before: so the log is complete from the view's modseq on. The
 * view may be ahead of what is published: its uidnext goes with its modseq, and with no older one.
 */
void log_view_was_read(struct mailbox_log *log, uint64_t modseq, uint32_t uidnext, uint32_t recent,
	const struct vec *keywords)
{
	if (modseq < log->floor) {
		log->floor = modseq;
		log->floor_uidnext = uidnext;
	}
	if (recent > log->recent)
		log->recent = recent;
	/* One that was published while the view was read may be there already, without those before
	 * it. */
	for (size_t i = 0; i < keywords->n; i++)
		if (i >= log->n_keywords || log->keywords[i][0] == '\0')
			set_keyword(log, (uint32_t)i, *(struct str *)vec_at(keywords, i));
}

uint32_t log_uidnext(const struct mailbox_log *log)
{
	return log->uidnext > log->floor_uidnext ? log->uidnext : log->floor_uidnext;
}

/* The older half goes when the log is full; what is kept of the mailbox has taken it in by then. */
static void make_room(struct store *store, struct mailbox_log *log)
{
	if (log->items.n < LIMIT_CHANGE_LOG)
		return;
	size_t half = log->items.n / 2;
	base_keep_up(store, log, half);
	struct logged *last = vec_at(&log->items, half - 1);
	if (last->modseq > log->dropped)
		log->dropped = last->modseq;
	memmove(log->items.p, vec_at(&log->items, half), (log->items.n - half) * log->items.size);
	log->items.n -= half;
	base_moved(log, half);
}

static void log_change(struct store *store, struct mailbox_log *log, const struct change *change)
{
	if (change->kind == CHANGE_KEYWORD) {
		set_keyword(log, change->bit, change->name);
		return;
	}
	if (change->kind == CHANGE_MODSEQ) {
		if (change->modseq > log->latest)
			log->latest = change->modseq;
		return;
	}
	if (change->kind == CHANGE_FLAGS) {
		base_flags(store, log, change);
		if (change->modseq > log->latest)
			log->latest = change->modseq;
		return;
	}
	make_room(store, log);
	struct logged item = { .modseq = change->modseq,
		.expunged = change->kind == CHANGE_EXPUNGED,
		.entry = change->entry };
	vec_push(&log->items, &item);
	if (change->modseq > log->latest)
		log->latest = change->modseq;
	if (change->uidnext > log->uidnext)
		log->uidnext = change->uidnext;
}

/* ---- reading a log ---- */

struct position {
	uint32_t uid;
	size_t at;
};

/* UIDs that rise, as those of one change do, are in order. */
static bool rises(const struct vec *positions)
{
	for (size_t i = 1; i < positions->n; i++)
		if (((const struct position *)vec_at(positions, i - 1))->uid >=
			((const struct position *)vec_at(positions, i))->uid)
			return false;
	return true;
}

static int compare_positions(const void *a, const void *b)
{
	const struct position *x = a, *y = b;
	if (x->uid != y->uid)
		return x->uid < y->uid ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static int deliver_newest(const struct mailbox_log *log, const struct vec *positions,
	struct vec *entries, struct vec *expunged, struct err *err)
{
	for (size_t i = 0; i < positions->n; i++) {
		const struct position *p = vec_at(positions, i);
		if (i + 1 < positions->n &&
			((const struct position *)vec_at(positions, i + 1))->uid == p->uid)
			continue; /* there is a newer one for this UID */
		const struct logged *item = vec_at(&log->items, p->at);
		if (!(item->expunged ? vec_push(expunged, &item->entry.uid)
				     : vec_push(entries, &item->entry)))
			return fail(err, ERR_LIMIT, "too many changes");
	}
	return 0;
}

int log_changes(const struct mailbox_log *log, uint64_t since, struct vec *entries,
	struct vec *expunged, struct err *err)
{
	if (!log_reaches(log, since))
		return fail(err, ERR_LIMIT, "changes since then are not known any more");
	return log_part(log, log_behind(log, since), log->items.n, entries, expunged, err);
}

bool log_reaches(const struct mailbox_log *log, uint64_t since)
{
	return log->floor != UINT64_MAX && since >= log->floor && since >= log->dropped;
}

size_t log_behind(const struct mailbox_log *log, uint64_t since)
{
	size_t at = log->items.n;
	while (at > 0 && ((const struct logged *)vec_at(&log->items, at - 1))->modseq > since)
		at--; /* modseqs only rise */
	return at;
}

int log_part(const struct mailbox_log *log, size_t from, size_t to, struct vec *entries,
	struct vec *expunged, struct err *err)
{
	struct vec positions;
	vec_init(&positions, sizeof(struct position), LIMIT_CHANGE_LOG);
	for (size_t at = from; at < to; at++) {
		const struct logged *item = vec_at(&log->items, at);
		struct position p = { item->entry.uid, at };
		vec_push(&positions, &p);
	}
	if (!rises(&positions))
		qsort(positions.p, positions.n, sizeof(struct position), compare_positions);
	int rc = deliver_newest(log, &positions, entries, expunged, err);
	vec_done(&positions);
	return rc;
}

/* ---- watches ---- */

struct watch *watch_find(const struct store_session *session, uint64_t mailbox)
{
	for (struct watch *w = session->watches; w; w = w->next)
		if (w->log->mailbox == mailbox)
			return w;
	return NULL;
}

struct watch *watch_add(struct store_session *session, uint64_t mailbox, struct err *err)
{
	struct store_peer *peer = session->peer;
	struct watch *w = watch_find(session, mailbox);
	if (w)
		return w;
	if (peer->n_watches >= LIMIT_PEER_WATCHES) {
		fail(err, ERR_LIMIT, "too many mailboxes are watched");
		return NULL;
	}
	struct mailbox_log *log = log_get(peer->store, mailbox, session->by.account);
	if (log == NULL) {
		fail(err, ERR_NOT_FOUND, "no such mailbox");
		return NULL;
	}
	w = xmalloc(sizeof(*w));
	*w = (struct watch){ .session = session,
		.log = log,
		.next = session->watches,
		.link = &session->watches,
		.log_next = log->watches,
		.log_link = &log->watches };
	if (w->next)
		w->next->link = &w->next;
	if (w->log_next)
		w->log_next->log_link = &w->log_next;
	session->watches = log->watches = w;
	peer->n_watches++;
	return w;
}

void watch_remove(struct watch *w)
{
	struct mailbox_log *log = w->log;
	struct store_peer *peer = w->session->peer;
	log->users++; /* the log outlives this */
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
	*w->log_link = w->log_next;
	if (w->log_next)
		w->log_next->log_link = w->log_link;
	peer->n_watches--;
	free(w);
	base_unwatched(peer->store, log);
	log->users--;
	log_release(peer->store, log);
}

/* Once, until the peer asks again: so any number of changes needs the credit of one frame. */
void watch_tell(struct watch *w, bool gone)
{
	if (w->told && !gone)
		return;
	w->told = true;
	peer_send(w->session->peer, 0,
		&(struct frame){ .type = FRAME_MAILBOX_CHANGED,
			.mailbox_changed = { .session = w->session->number,
				.mailbox = w->log->mailbox,
				.modseq = w->log->latest,
				.gone = gone } });
}

/* ---- publishing ---- */

static void tell_watchers(struct mailbox_log *log, bool gone)
{
	for (struct watch *w = log->watches, *next; w; w = next) {
		next = w->log_next;
		watch_tell(w, gone);
	}
}

static void publish_gone(struct store *store, struct mailbox_log *log)
{
	tell_watchers(log, true);
	log->gone = true;
	base_drop(store, log);
	while (log->watches)
		watch_remove(log->watches);
}

static void let_go(struct store *store, struct mailbox_log **plog)
{
	struct mailbox_log *log = *plog;
	*plog = NULL;
	if (log == NULL)
		return;
	log->users--;
	log_release(store, log);
}

/* Who may log in how has changed. */
static bool is_about_accounts(enum op_kind kind)
{
	return (kind >= OP_ACCOUNT_ADD && kind <= OP_ACCOUNT_SET) || kind == OP_SECRET_PUT;
}

static void tell_gates(struct store *store, const struct txn *txn)
{
	static const struct frame changed = { .type = FRAME_ACCOUNTS_CHANGED };
	bool about = false;
	VEC_EACH (struct op, op, &txn->ops)
		about |= is_about_accounts(op->kind);
	for (struct store_peer *peer = store->peers; about && peer; peer = peer->next)
		if (peer->class == CLASS_GATE)
			peer_send(peer, 0, &changed);
}

/* All of a transaction's changes to a mailbox are in its log. */
static void logged_all(struct store *store, struct mailbox_log *log)
{
	tell_watchers(log, false);
	base_unless_long(store, log);
}

/* What leaves no changes in a log: names, an import's UIDVALIDITY, counters that are mended.
 * Another mailbox may take the name of one that is deleted (ask_upload.c). */
static void rewritten(struct store *store, const struct op *op)
{
	bool imports = op->kind == OP_MAILBOX_ENSURE && op->mailbox.uidvalidity;
	if (op->kind == OP_MAILBOX_RENAME)
		bases_forget_names(store);
	else if (op->kind == OP_MAILBOX_DELETE)
		store->rewrites++;
	else if (op->kind == OP_MEND || imports)
		bases_forget(store);
}

void publish(struct store *store, const struct txn *txn)
{
	tell_gates(store, txn);
	account_watches_publish(store, txn);
	VEC_EACH (struct op, op, &txn->ops)
		rewritten(store, op);
	struct mailbox_log *log = NULL; /* which stays as long as it is this */
	uint64_t mailbox = 0;
	VEC_EACH (struct change, change, &txn->changes) {
		if (change->kind == CHANGE_ENDED) {
			sessions_end(store, change->account);
			let_go(store, &log);
			mailbox = 0;
			continue;
		}
		if (change->mailbox != mailbox) {
			if (log)
				logged_all(store, log);
			let_go(store, &log);
			mailbox = change->mailbox;
			log = map_get_u64(&store->logs, mailbox);
			if (log)
				log->users++;
		}
		if (log == NULL)
			continue;
		if (change->kind == CHANGE_GONE) {
			publish_gone(store, log);
			let_go(store, &log);
		} else {
			log_change(store, log, change);
		}
	}
	if (log)
		logged_all(store, log);
	let_go(store, &log);
}
