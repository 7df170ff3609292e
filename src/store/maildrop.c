// SPDX-License-Identifier: Apache-2.0
/*
 * Maildrops: one POP3 session has an account's at a time (RFC 1939 3, hostile-input P6), and an
 * account's may be opened again only after a while, when that is configured (RFC 2449 6.5). And
 * what the unique-ids of its messages are made of (RFC 1939 7, P4).
 *
 * The while is one and the same for all, so what is remembered ends in the order it began. It is
 * kept in memory alone: who restarts the store is let in at once.
 */
#include "store/store_private.h"

#include <stdlib.h>

struct opening {
	uint64_t account;
	int64_t at_ms; /* monotonic */
	struct opening *next;
};

static int64_t now_ms(const struct store *store)
{
	return store->seams->clock->monotonic_ms(store->seams->clock);
}

static void forget_oldest(struct openings *o)
{
	struct opening *oldest = o->oldest;
	o->oldest = oldest->next;
	if (o->oldest == NULL)
		o->end = &o->oldest;
	map_remove_u64(&o->by_account, oldest->account);
	free(oldest);
}

static void remember(struct store *store, uint64_t account)
{
	struct openings *o = &store->openings;
	if (store->settings.pop3_login_delay_ms == 0)
		return;
	if (o->by_account.n == o->by_account.max)
		forget_oldest(o);
	struct opening *new = xmalloc(sizeof(*new));
	*new = (struct opening){ .account = account, .at_ms = now_ms(store) };
	*o->end = new;
	o->end = &new->next;
	map_put_u64(&o->by_account, account, new);
}

static bool too_soon(struct store *store, uint64_t account)
{
	struct openings *o = &store->openings;
	int64_t over_ms = now_ms(store) - store->settings.pop3_login_delay_ms;
	while (o->oldest && o->oldest->at_ms <= over_ms)
		forget_oldest(o);
	return map_get_u64(&o->by_account, account) != NULL;
}

void openings_init(struct store *store)
{
	map_init(&store->openings.by_account, store->map_key, LIMIT_MAILDROP_OPENINGS);
	store->openings.end = &store->openings.oldest;
}

void openings_done(struct store *store)
{
	while (store->openings.oldest)
		forget_oldest(&store->openings);
	map_done(&store->openings.by_account);
}

ASK(ask_lock_maildrop)
{
	(void)frame;
	struct store *store = peer->store;
	struct store_session *holder = map_get_u64(&store->maildrops, session->by.account);
	struct err err = ERR_INIT;
	if (holder == session) {
		peer_send(peer, request, &(struct frame){ .type = FRAME_DONE });
		return;
	}
	if (holder)
		fail(&err, ERR_IN_USE, "another session has the maildrop");
	else if (too_soon(store, session->by.account))
		fail(&err, ERR_NOT_NOW, "the last login was too short a while ago");
	if (err.kind != ERR_NONE) {
		peer_fail(peer, request, &err);
		return;
	}
	session->maildrop = true;
	map_put_u64(&store->maildrops, session->by.account, session);
	remember(store, session->by.account);
	peer_send(peer, request, &(struct frame){ .type = FRAME_DONE });
}

/* ---- unique-ids ---- */

enum { UIDLS_A_FRAME = 2300 };

static int add_uidl(void *arg, const struct entry_ids *ids)
{
	struct job *job = arg;
	job->worked = ids->uid;
	return vec_push(&job->items, &ids->uidl)
		       ? 0
		       : fail(&job->err, ERR_LIMIT, "the mailbox has too many messages");
}

/* A slice. What comes or goes between two may be in the answer or not. */
static void uidls_work(struct reading *r, struct job *job)
{
	const struct engine_class *engine = r->reader->class;
	struct mailbox_row row;
	size_t before = job->items.n, rows = job->store->settings.bounds->slice_rows;
	uint64_t mailbox = job->ask.uidl_list.mailbox;
	if (job_own_mailbox(r, job, mailbox, &row) < 0)
		return;
	if (engine->entry_ids(
		    r->reader, mailbox, (uint32_t)job->worked, rows, add_uidl, job, &job->err) == 0)
		job->finished = job->items.n - before < rows;
}

static enum produced uidls_produce(struct job *job, struct frame *frame)
{
	if (job->finished)
		return PRODUCED_END;
	size_t n = job->items.n - job->at;
	job->step = n > UIDLS_A_FRAME ? UIDLS_A_FRAME : n;
	*frame = (struct frame){ .type = FRAME_UIDLS_ARE,
		.uidls_are = {
			.uidls = { job->step ? vec_at(&job->items, job->at) : NULL, job->step },
			.last = job->step == n } };
	return PRODUCED_FRAME;
}

ASK(ask_uidl_list)
{
	static const struct job_class class = { .name = "uidls",
		.work = uidls_work,
		.done = job_items_read,
		.produce = uidls_produce,
		.sent = job_items_sent,
		.cost = LIMIT_PEER_ANSWER_BYTES / 8 };
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return;
	job->by = session->by;
	vec_done(&job->items);
	vec_init(&job->items, sizeof(struct api_uidl), job->store->settings.bounds->view_entries);
	job_read(job);
}
