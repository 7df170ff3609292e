// SPDX-License-Identifier: Apache-2.0
/*
 * Sessions that watch their account: after a flush they are told that something changed, once until
 * they ask again. What it was the list of mailboxes says; only annotations are named, since nobody
 * could find out. An account that nobody watches costs nothing.
 */
#include "store/store_private.h"

#include <stdlib.h>

#define ANNOTATED_MAX 64 /* account_changed: annotations */

struct annotated {
	uint64_t mailbox;
	size_t n;
	char name[255];
};

static void add(struct store_session *session)
{
	struct map *watches = &session->peer->store->account_watches;
	struct account_watch *w = xmalloc(sizeof(*w));
	*w = (struct account_watch){ .session = session,
		.next = map_get_u64(watches, session->by.account) };
	vec_init(&w->annotated, sizeof(struct annotated), ANNOTATED_MAX);
	if (!map_put_u64(watches, session->by.account, w)) {
		free(w);
		return;
	}
	if (w->next)
		w->next->link = &w->next;
	session->account_watch = w;
}

void account_watch_remove(struct store_session *session)
{
	struct map *watches = &session->peer->store->account_watches;
	struct account_watch *w = session->account_watch;
	if (w == NULL)
		return;
	if (w->next)
		w->next->link = w->link;
	if (w->link)
		*w->link = w->next;
	else if (w->next) /* the first of its account */
		map_put_u64(watches, session->by.account, w->next);
	else
		map_remove_u64(watches, session->by.account);
	vec_done(&w->annotated);
	session->account_watch = NULL;
	free(w);
}

static void tell(struct account_watch *w)
{
	struct api_annotated items[ANNOTATED_MAX];
	struct frame f = { .type = FRAME_ACCOUNT_CHANGED,
		.account_changed = { .session = w->session->number,
			.annotations = { items, w->annotated.n },
			.more = w->more } };
	for (size_t i = 0; i < w->annotated.n; i++) {
		const struct annotated *a = vec_at(&w->annotated, i);
		items[i] = (struct api_annotated){ a->mailbox, str_make(a->name, a->n) };
	}
	w->told = true;
	w->more = false;
	peer_send(w->session->peer, 0, &f);
	vec_clear(&w->annotated);
}

ASK(ask_account_watch)
{
	(void)request;
	(void)peer;
	struct account_watch *w = session->account_watch;
	if (!frame->account_watch.on) {
		account_watch_remove(session);
		return;
	}
	if (w == NULL) {
		add(session);
		return;
	}
	w->told = false;
	if (w->annotated.n > 0 || w->more)
		tell(w);
}

/* ---- publishing ---- */

static void annotate(struct account_watch *w, const struct op_annotate *a)
{
	for (size_t i = 0; i < a->list.n; i++) {
		struct annotated item = { .mailbox = a->mailbox, .n = a->list.items[i].name.n };
		if (item.n > sizeof(item.name) || w->annotated.n == ANNOTATED_MAX) {
			w->more = true;
			continue;
		}
		if (item.n)
			memcpy(item.name, a->list.items[i].name.p, item.n);
		vec_push(&w->annotated, &item);
	}
}

static void tell_account(struct store *store, uint64_t account, const struct op_annotate *a)
{
	for (struct account_watch *w = map_get_u64(&store->account_watches, account); w;
		w = w->next) {
		if (a)
			annotate(w, a);
		if (!w->told)
			tell(w);
	}
}

static bool is_about_mailboxes(enum op_kind kind)
{
	return kind >= OP_MAILBOX_CREATE && kind <= OP_SUBSCRIBE;
}

void account_watches_publish(struct store *store, const struct txn *txn)
{
	uint64_t account = 0;
	if (store->account_watches.n == 0)
		return;
	VEC_EACH (struct op, op, &txn->ops) {
		if (op->kind == OP_ANNOTATE)
			tell_account(store, op->by.account, &op->annotate);
		else if (is_about_mailboxes(op->kind))
			tell_account(store, op->by.account, NULL);
	}
	VEC_EACH (struct change, change, &txn->changes) {
		if (change->account != account)
			tell_account(store, change->account, NULL);
		account = change->account;
	}
}
