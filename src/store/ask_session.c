// SPDX-License-Identifier: Apache-2.0
/* Questions about who: recipients, credentials, sessions. */
#include "auth/ticket.h"
#include "base/planted.h"
#include "store/resolve.h"
#include "store/store_private.h"

ASK(ask_ping)
{
	(void)session;
	(void)frame;
	peer_send(peer, request, &(struct frame){ .type = FRAME_DONE });
}

/* ---- resolve ---- */

/* Known and over quota for sure: there is no room for the declared size, or for anything. What is
 * larger than the whole quota will not fit later either. RFC 1870 6.4 */
static int check_room(const struct account_row *a, uint64_t size, struct err *err)
{
	if (a->quota_bytes && size > a->quota_bytes)
		return fail(err, ERR_TOO_BIG, "the message is larger than the mailbox's quota");
	if ((a->quota_messages && a->used_messages >= a->quota_messages) ||
		(a->quota_bytes &&
			(a->used_bytes >= a->quota_bytes || size > a->quota_bytes - a->used_bytes)))
		return fail(err, ERR_QUOTA, "the mailbox is full");
	return 0;
}

/* worked: how many of them have a quota. */
static int collect_targets(struct job *job, struct resolution *found, struct err *err)
{
	vec_init(&job->items, sizeof(struct api_target), LIMIT_ALIAS_TARGETS);
	VEC_EACH (struct account_row, account, &found->accounts) {
		/* One that is full refuses for all: else its copy would be lost in silence. */
		if (check_room(account, job->ask.resolve.size, err) < 0)
			return -1;
		if (account->quota_bytes || account->quota_messages)
			job->worked++;
		struct api_target target = { .account = account->id,
			.address = str_from(account->address) };
		if (!job_keep(job, &target.address) || !vec_push(&job->items, &target))
			return fail(err, ERR_LIMIT, "too many accounts");
	}
	return 0;
}

static void resolve_work(struct reading *r, struct job *job)
{
	struct resolution found;
	resolution_init(&found);
	if (resolve_address(r->reader, job->ask.resolve.address, &found, &job->err) == 0)
		collect_targets(job, &found, &job->err);
	resolution_done(&found);
}

static bool resolve_done(struct job *job)
{
	if (job->items.n == 1 && job->worked == 0)
		known_add(job->store, job->ask.resolve.address, vec_at(&job->items, 0), job->noted);
	job_answer(job, &(struct frame){ .type = FRAME_RESOLVED,
				.resolved.targets = { (void *)job->items.p, job->items.n } });
	return false;
}

ASK(ask_resolve)
{
	static const struct job_class class = {
		.name = "resolve", .work = resolve_work, .done = resolve_done
	};
	(void)session;
	const struct known *known = known_find(peer->store, frame->resolve.address);
	if (known) {
		struct api_target target = { known->account, str_from(known->address) };
		peer_send(peer, request,
			&(struct frame){
				.type = FRAME_RESOLVED, .resolved.targets = { &target, 1 } });
		return;
	}
	struct job *job = job_new(peer, &class, request, frame);
	if (job)
		job->noted = peer->store->renamings;
	job_read_with(job, job ? &job->ask.resolve.address : NULL);
}

/* ---- sessions ---- */

static struct account_row *room_for_account(struct job *job)
{
	job->account = arena_alloc(&job->arena, sizeof(*job->account));
	return job->account;
}

static const struct {
	struct str name;
	uint32_t service;
} services[] = {
	{ STR_INIT("smtp"), SERVICE_SMTP },
	{ STR_INIT("imap"), SERVICE_IMAP },
	{ STR_INIT("pop3"), SERVICE_POP3 },
};

static uint32_t service_of(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(services); i++)
		if (str_equal(services[i].name, name))
			return services[i].service;
	return 0;
}

static bool too_many_sessions(const struct store_peer *peer, struct err *err)
{
	return peer->n_sessions >= LIMIT_PEER_SESSIONS &&
	       fail(err, ERR_LIMIT, "too many sessions") < 0;
}

static void session_work(struct reading *r, struct job *job)
{
	struct account_row *a = room_for_account(job);
	if (r->reader->class->account_by_id(r->reader, job->by.account, a, &job->err) < 0) {
		if (job->err.kind == ERR_NOT_FOUND)
			fail(&job->err, ERR_EXPIRED, "the login has ended");
		return;
	}
	if (!a->active || (a->epoch != job->by.epoch && !planted("epoch_of_ticket_unchecked")))
		fail(&job->err, ERR_EXPIRED, "the login has ended");
}

/* Of an account whose mail expires, what is too old goes when a session opens: RFC 2449 6.7. */
static bool expire(struct job *job)
{
	const struct account_row *a = job->account;
	struct clock_seam *clock = job->store->seams->clock;
	static const struct api_range all = { 1, UINT32_MAX };
	if (a->pop3_retention != RETAIN_EXPIRE || a->pop3_expire_days == 0 || job->txn ||
		job->store->read_only)
		return false;
	job->txn = txn_new();
	struct op *op = txn_add(job->txn, OP_EXPUNGE);
	op->by = job->by;
	op->expunge = (struct op_expunge){ .uids = { &all, 1 },
		.before = clock->wall_ms(clock) - (int64_t)a->pop3_expire_days * 86400000 };
	job_write(job);
	return true;
}

/* Old mail that can't be expunged now is no reason to refuse the session. */
static void session_always(struct job *job)
{
	if (job->txn && job->err.kind != ERR_EXPIRED)
		job->err = (struct err)ERR_INIT;
}

static bool session_done(struct job *job)
{
	struct store_peer *peer = job->peer;
	const struct account_row *a = job->account;
	if (job->noted != peer->store->endings) {
		/* Some account's epoch rose while this one's was being read. */
		job->noted = peer->store->endings;
		txn_free(&job->txn);
		job_read(job);
		return false;
	}
	if (expire(job))
		return false;
	if (too_many_sessions(peer, &job->err)) {
		job_answer_failed(job, &job->err);
		return false;
	}
	struct store_session *s = session_add(peer, &job->by, (uint32_t)job->size);
	job_answer(job, &(struct frame){ .type = FRAME_SESSION_IS,
				.session_is = { .session = s->number,
					.account = a->id,
					.address = str_from(a->address),
					.pop3_retention = a->pop3_retention,
					.pop3_expire_days = a->pop3_expire_days,
					.quota_bytes = a->quota_bytes,
					.used_bytes = a->used_bytes } });
	return false;
}

static int check_ticket(
	struct store_peer *peer, const struct frame *frame, struct ticket *ret, struct err *err)
{
	struct store *store = peer->store;
	uint32_t service = service_of(frame->session_open.service);
	int64_t now_ms = store->seams->clock->wall_ms(store->seams->clock);
	if (service == 0)
		return fail(err, ERR_SYNTAX, "no such service");
	if (ticket_open(store->settings.ticket_key, frame->session_open.ticket, peer->instance,
		    now_ms, ret, err) < 0)
		return -1;
	if (!(ret->rights & service))
		return fail(err, ERR_DENIED, "the login was for another service");
	return too_many_sessions(peer, err) ? -1 : 0;
}

ASK(ask_session_open)
{
	static const struct job_class class = { .name = "session",
		.work = session_work,
		.always = session_always,
		.done = session_done };
	struct ticket ticket;
	struct err err = ERR_INIT;
	(void)session;
	if (check_ticket(peer, frame, &ticket, &err) < 0) {
		peer_fail(peer, request, &err);
		return;
	}
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return;
	job->by = (struct op_by){ .account = ticket.account, .epoch = ticket.epoch };
	job->size = service_of(frame->session_open.service);
	job->noted = peer->store->endings;
	job_read(job);
}

ASK(ask_session_close)
{
	(void)peer;
	(void)request;
	(void)frame;
	session_remove(session);
}

/* ---- addresses of one's own ---- */

static void owns_work(struct reading *r, struct job *job)
{
	int owns = resolve_owns(
		r->reader, job->ask.owns_address.address, job->by.account, &job->err);
	if (owns == 0 || (owns < 0 && job->err.kind == ERR_SYNTAX))
		fail(&job->err, ERR_DENIED, "the address is not one of yours");
}

static bool answer_done(struct job *job)
{
	job_answer_done(job);
	return false;
}

ASK(ask_owns_address)
{
	static const struct job_class class = {
		.name = "owns", .work = owns_work, .done = answer_done
	};
	struct job *job = job_new(peer, &class, request, frame);
	if (job)
		job->by = session->by;
	job_read_with(job, job ? &job->ask.owns_address.address : NULL);
}

/* ---- quota ---- */

static void quota_work(struct reading *r, struct job *job)
{
	job->account = arena_alloc(&job->arena, sizeof(*job->account));
	r->reader->class->account_by_id(r->reader, job->by.account, job->account, &job->err);
}

static bool quota_done(struct job *job)
{
	const struct account_row *a = job->account;
	job_answer(job, &(struct frame){ .type = FRAME_QUOTA_IS,
				.quota_is = { a->used_bytes, a->used_messages, a->quota_bytes,
					a->quota_messages } });
	return false;
}

ASK(ask_quota)
{
	static const struct job_class class = {
		.name = "quota", .work = quota_work, .done = quota_done
	};
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return;
	job->by = session->by;
	job_read(job);
}
