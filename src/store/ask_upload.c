// SPDX-License-Identifier: Apache-2.0
/*
 * Uploads: a message on its way in. The frames of one upload carry its number; only the commit is
 * answered. What fails earlier is told once, at once, and the rest is dropped.
 */
#include "store/store_private.h"

#include <inttypes.h>
#include <stdlib.h>

struct upload {
	struct spool *spool;
	struct buf digest;
	struct txn *txn;  /* op 0: the body, then the landings */
	struct vec given; /* struct record_recipient: one for each landing */
	size_t held;      /* of the peer's upload_bytes */
	bool failed;
};

static struct upload *find(struct store_peer *peer, uint32_t request)
{
	return map_get_u64(&peer->uploads, request);
}

static void empty(struct store_peer *peer, struct upload *u)
{
	spool_free(&u->spool);
	txn_free(&u->txn);
	buf_release(&u->digest);
	vec_done(&u->given);
	peer->upload_bytes -= u->held;
	u->held = 0;
}

void upload_free(struct store_peer *peer, struct upload *u)
{
	empty(peer, u);
	buf_done(&u->digest);
	free(u);
}

/* Told once; the number stays known, so that what still comes for it is dropped. */
static void fail_upload(
	struct store_peer *peer, uint32_t request, struct upload *u, const struct err *err)
{
	empty(peer, u);
	u->failed = true;
	peer_fail(peer, request, err);
}

/* What the upload holds, counted against the peer's bound. */
static int account_for(struct store_peer *peer, struct upload *u, struct err *err)
{
	size_t held = spool_memory(u->spool) + u->digest.cap + u->txn->arena.used +
		      u->given.cap * u->given.size;
	peer->upload_bytes = peer->upload_bytes - u->held + held;
	u->held = held;
	if (peer->upload_bytes > peer->store->settings.bounds->upload_bytes)
		return fail(err, ERR_TEMP, "too many messages are on their way");
	return 0;
}

ASK(ask_upload_open)
{
	(void)session;
	struct err err = ERR_INIT;
	struct store *store = peer->store;
	if (find(peer, request) || peer->uploads.n >= LIMIT_PEER_UPLOADS) {
		fail(&err, find(peer, request) ? ERR_NOT_NOW : ERR_TEMP, "too many uploads");
		peer_fail(peer, request, &err);
		return;
	}
	struct upload *u = xmalloc(sizeof(*u));
	map_put_u64(&peer->uploads, request, u);
	buf_init(&u->digest, LIMIT_DIGEST_BYTES);
	vec_init(&u->given, sizeof(struct record_recipient), LIMIT_LANDINGS);
	if (store->read_only) {
		fail(&err, ERR_READ_ONLY, "the store takes no messages at present");
		fail_upload(peer, request, u, &err);
		return;
	}
	if (frame->upload_open.size > store->settings.message_bytes) {
		fail(&err, ERR_TOO_BIG, "the message is too large");
		fail_upload(peer, request, u, &err);
		return;
	}
	u->spool = spool_new(store->spooler, store->settings.message_bytes);
	u->txn = txn_new();
	txn_add(u->txn, OP_BODY);
}

/* The open upload of a number, or NULL: none, or it has failed. */
static struct upload *live(struct store_peer *peer, uint32_t request)
{
	struct upload *u = find(peer, request);
	return u && !u->failed ? u : NULL;
}

ASK(ask_upload_bytes)
{
	struct upload *u = live(peer, request);
	struct err err = ERR_INIT;
	(void)session;
	if (u && (spool_add(u->spool, frame->upload_bytes.data, &err) < 0 ||
			 account_for(peer, u, &err) < 0))
		fail_upload(peer, request, u, &err);
}

/* A digest that is too large is left out: it is only a claim, and can be made again. */
ASK(ask_upload_digest)
{
	struct upload *u = live(peer, request);
	struct err err = ERR_INIT;
	(void)session;
	if (u == NULL)
		return;
	buf_adds(&u->digest, frame->upload_digest.data);
	if (account_for(peer, u, &err) < 0)
		fail_upload(peer, request, u, &err);
}

/* One more landing. The prefix moves into the transaction. */
static int add_landing(struct store_peer *peer, struct upload *u, const struct op_by *by,
	const struct op_land *land, struct record_recipient *given, struct err *err)
{
	struct op *op = txn_add(u->txn, OP_LAND);
	if (op == NULL || u->given.n == LIMIT_LANDINGS)
		return fail(err, ERR_LIMIT, "the message has too many recipients");
	op->by = *by;
	op->land = *land;
	if (!txn_keep(u->txn, &given->prefix) || !txn_keep_strings(u->txn, &op->land.keywords))
		return fail(err, ERR_LIMIT, "the message has too many recipients");
	op->land.prefix_size = (uint32_t)given->prefix.n;
	vec_push(&u->given, given);
	return account_for(peer, u, err);
}

static int64_t now_ms(const struct store_peer *peer)
{
	struct clock_seam *clock = peer->store->seams->clock;
	return clock->wall_ms(clock);
}

ASK(ask_upload_to)
{
	struct upload *u = live(peer, request);
	struct err err = ERR_INIT;
	(void)session;
	if (u == NULL)
		return;
	int64_t now = now_ms(peer);
	struct op_by by = { .account = frame->upload_to.account };
	struct op_land land = { .time = now };
	struct record_recipient given = {
		.account = by.account, .time_ms = now, .prefix = frame->upload_to.prefix
	};
	if (add_landing(peer, u, &by, &land, &given, &err) < 0)
		fail_upload(peer, request, u, &err);
}

ASK(ask_upload_into)
{
	struct upload *u = live(peer, request);
	struct err err = ERR_INIT;
	const struct frame_upload_into *into = &frame->upload_into;
	(void)session;
	if (u == NULL)
		return;
	struct store_session *own = session_find(peer, into->session);
	if (own == NULL) {
		fail(&err, ERR_EXPIRED, "the session has ended");
		fail_upload(peer, request, u, &err);
		return;
	}
	int64_t time = into->time ? into->time : now_ms(peer);
	struct op_land land = { .mailbox = into->mailbox,
		.time = time,
		.flags = into->flags & FLAGS_ALL,
		.keywords = into->keywords,
		.strict = true };
	struct record_recipient given = {
		.account = own->by.account, .mailbox = into->mailbox, .time_ms = time
	};
	if (add_landing(peer, u, &own->by, &land, &given, &err) < 0)
		fail_upload(peer, request, u, &err);
}

/* An entry of a backup, as it was there. */
ASK(ask_upload_restore)
{
	struct upload *u = live(peer, request);
	struct err err = ERR_INIT;
	const struct frame_upload_restore *as = &frame->upload_restore;
	(void)session;
	if (u == NULL)
		return;
	if (peer->store->restorer != peer) {
		fail(&err, ERR_NOT_NOW, "no restore is at work");
		fail_upload(peer, request, u, &err);
		return;
	}
	struct op_by by = { .account = as->account };
	struct op_land land = { .mailbox = as->mailbox,
		.time = as->time,
		.flags = as->flags & FLAGS_ALL,
		.keywords = as->keywords,
		.entry_id = as->entry_id };
	struct record_recipient given = { .account = as->account,
		.mailbox = as->mailbox,
		.time_ms = as->time,
		.prefix = as->prefix };
	if (add_landing(peer, u, &by, &land, &given, &err) < 0)
		fail_upload(peer, request, u, &err);
}

ASK(ask_upload_abort)
{
	(void)session;
	(void)frame;
	struct upload *u = map_remove_u64(&peer->uploads, request);
	if (u)
		upload_free(peer, u);
}

/* ---- commit ---- */

static bool delivered(struct job *job)
{
	struct api_landing *landings = arena_array(
		&job->arena, job->n_recipients + 1, sizeof(*landings));
	struct log_text msg;
	log_value(&msg, job->ask.upload_commit.message_id);
	for (size_t i = 0; landings && i < job->n_recipients; i++) {
		const struct op *op = txn_op(job->txn, i + 1);
		landings[i] = (struct api_landing){ .account = op->by.account,
			.mailbox = op->result.mailbox,
			.uidvalidity = op->result.uidvalidity,
			.uid = op->result.uid };
		log_event(&job->peer->log, LOG_INFO, "store-landed",
			"msg=%s account=%" PRIu64 " mailbox=%" PRIu64 " uid=%u size=%" PRIu64,
			msg.text, op->by.account, op->result.mailbox, op->result.uid,
			op->land.size);
	}
	job_answer(job,
		&(struct frame){ .type = FRAME_DELIVERED,
			.delivered.landings = { landings, landings ? job->n_recipients : 0 } });
	return false;
}

/* The message's id is on every line about it: also on that of its refusal. */
static void log_refusal(struct job *job)
{
	struct log_text msg, why;
	if (job->err.kind == ERR_NONE)
		return;
	log_value(&msg, job->ask.upload_commit.message_id);
	log_event(&job->store->log, LOG_WARN, "store-refused", "msg=%s kind=%s why=%s", msg.text,
		err_name(job->err.kind), log_value(&why, str_from(err_log_text(&job->err))));
}

/* Sizes are what was counted here, whatever was declared. */
static void set_sizes(struct job *job)
{
	for (size_t i = 0; i < job->n_recipients; i++) {
		struct op *op = txn_op(job->txn, i + 1);
		op->land.size = spool_length(job->spool) + op->land.prefix_size;
	}
}

/* Moves what the upload holds into the job. */
static int fill_job(struct job *job, struct upload *u, struct err *err)
{
	job->spool = u->spool;
	job->txn = u->txn;
	u->spool = NULL;
	u->txn = NULL;
	job->n_recipients = u->given.n;
	job->recipients = arena_array(&job->arena, u->given.n + 1, sizeof(struct record_recipient));
	job->digest = u->digest.full ? STR_NONE : buf_str(&u->digest);
	if (job->recipients == NULL || !job_keep(job, &job->digest) ||
		!job_keep(job, &job->ask.upload_commit.message_id))
		return fail(err, ERR_TOO_BIG, "the message is too large");
	if (u->given.n == 0)
		return fail(err, ERR_NOT_NOW, "the message has no recipients");
	memcpy(job->recipients, u->given.p, u->given.n * u->given.size);
	if (spool_finish(job->spool, err) < 0)
		return -1;
	set_sizes(job);
	return 0;
}

ASK(ask_upload_commit)
{
	static const struct job_class class = {
		.name = "upload", .done = delivered, .always = log_refusal
	};
	struct upload *u = map_remove_u64(&peer->uploads, request);
	struct err err = ERR_INIT;
	(void)session;
	if (u && u->failed) {
		upload_free(peer, u); /* its answer was the failure */
		return;
	}
	if (u == NULL) {
		fail(&err, ERR_NOT_NOW, "there is no such upload");
		peer_fail(peer, request, &err);
		return;
	}
	struct job *job = job_new(peer, &class, request, frame);
	if (job && fill_job(job, u, &err) < 0)
		job_answer_failed(job, &err);
	else if (job)
		job_write(job);
	upload_free(peer, u);
}
