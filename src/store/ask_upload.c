// SPDX-License-Identifier: Apache-2.0
/*
 * Uploads: a message, or several that land together, on its way in. The frames of one upload carry
 * its number; only the commit is answered. What fails earlier is told once, at once, and the rest
 * is dropped.
 */
#include "store/names.h"
#include "store/store_private.h"

#include <inttypes.h>
#include <stdlib.h>

struct upload_body {
	struct spool *spool;
	struct buf digest;
	size_t op, given; /* where its part of txn and of given begins */
};

struct upload {
	struct vec bodies; /* struct upload_body; what comes is for the last */
	struct txn *txn;   /* for each body: the body, then its landings */
	struct vec given;  /* struct record_recipient: one for each landing */
	uint32_t session;  /* whose mailbox is still to be looked up by its name; 0: none is */
	size_t held;       /* of the peer's upload_bytes */
	bool failed;
};

static struct upload *find(struct store_peer *peer, uint32_t request)
{
	return map_get_u64(&peer->uploads, request);
}

static struct upload_body *present(const struct upload *u)
{
	return vec_at(&u->bodies, u->bodies.n - 1);
}

static void empty(struct store_peer *peer, struct upload *u)
{
	VEC_EACH (struct upload_body, b, &u->bodies) {
		spool_free(&b->spool);
		buf_done(&b->digest);
	}
	vec_done(&u->bodies);
	txn_free(&u->txn);
	vec_done(&u->given);
	peer->upload_bytes -= u->held;
	u->held = 0;
}

void upload_free(struct store_peer *peer, struct upload *u)
{
	empty(peer, u);
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
	size_t held = u->txn->arena.used + u->given.cap * u->given.size;
	VEC_EACH (struct upload_body, b, &u->bodies)
		held += spool_memory(b->spool) + b->digest.cap;
	peer->upload_bytes = peer->upload_bytes - u->held + held;
	u->held = held;
	if (peer->upload_bytes > peer->store->settings.bounds->upload_bytes)
		return fail(err, ERR_TEMP, "too many messages are on their way");
	return 0;
}

/* An administrator brings back what was good once. */
static uint64_t most_bytes(const struct store_peer *peer)
{
	return peer->class == CLASS_ADMIN ? LIMIT_BODY_BYTES : peer->store->settings.message_bytes;
}

static int begin_body(
	const struct store_peer *peer, struct upload *u, uint64_t size, struct err *err)
{
	struct upload_body b = { .op = u->txn->ops.n, .given = u->given.n };
	if (size > most_bytes(peer))
		return fail(err, ERR_TOO_BIG, "the message is too large");
	if (u->bodies.n == LIMIT_UPLOAD_MESSAGES || txn_add(u->txn, OP_BODY) == NULL)
		return fail(err, ERR_LIMIT, "too many messages at once");
	b.spool = spool_new(peer->store->spooler, most_bytes(peer));
	buf_init(&b.digest, LIMIT_DIGEST_BYTES);
	vec_push(&u->bodies, &b);
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
	vec_init(&u->bodies, sizeof(struct upload_body), LIMIT_UPLOAD_MESSAGES);
	vec_init(&u->given, sizeof(struct record_recipient), LIMIT_LANDINGS);
	if (store->read_only) {
		fail(&err, ERR_READ_ONLY, "the store takes no messages at present");
		fail_upload(peer, request, u, &err);
		return;
	}
	u->txn = txn_new();
	if (begin_body(peer, u, frame->upload_open.size, &err) < 0)
		fail_upload(peer, request, u, &err);
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
	if (u && (spool_add(present(u)->spool, frame->upload_bytes.data, &err) < 0 ||
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
	buf_adds(&present(u)->digest, frame->upload_digest.data);
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
	if (!txn_keep(u->txn, &given->prefix) || !txn_keep_strings(u->txn, &op->land.keywords) ||
		!txn_keep(u->txn, &op->land.name))
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

/* ---- mailboxes by name ----
 *
 * Who appends again and again, to the same mailbox, is not to wait for a reader each time: the
 * session knows which one it was, until names change. Others are looked up before the commit. */

/* 0: it is to be looked up. */
static uint64_t remembered(const struct store_session *own, struct str name)
{
	bool same = own->named && own->named_at == own->peer->store->rewrites &&
		    str_equal(str_from(own->named), name);
	return same ? own->named_mailbox : 0;
}

/* job->noted: of before it was looked up, so that nothing is remembered that has changed since. */
static void remember(struct store_session *own, const struct job *job, const struct op *op)
{
	if (own == NULL || own->by.account != op->by.account)
		return;
	free(own->named);
	own->named = str_dup(op->land.name);
	own->named_mailbox = op->land.mailbox;
	own->named_at = job->noted;
}

/* The landings of a body, whose recipients have the mailbox too. */
static int look_up(struct reading *r, struct job *job, struct job_body *b)
{
	for (size_t i = 0; i < b->n_recipients; i++) {
		struct op *op = txn_op(job->txn, b->op + 1 + i);
		struct mailbox_row row;
		if (op->land.name.n == 0)
			continue;
		if (r->reader->class->mailbox_by_name(
			    r->reader, op->by.account, op->land.name, &row, &job->err) < 0)
			return -1;
		op->land.mailbox = b->recipients[i].mailbox = row.status.id;
	}
	return 0;
}

static void look_up_all(struct reading *r, struct job *job)
{
	for (size_t i = 0; i < job->n_bodies; i++)
		if (look_up(r, job, &job->bodies[i]) < 0)
			return;
}

/* What can't be a name is no mailbox. */
static int name_landing(struct upload *u, const struct store_session *own,
	const struct frame_upload_into *into, struct mailbox_name *name, struct op_land *land,
	struct err *err)
{
	struct err why = ERR_INIT;
	if (into->mailbox != 0 || into->name.n == 0)
		return 0;
	if (mailbox_name_canonical(into->name, name, &why) < 0)
		return fail(err, ERR_NOT_FOUND, "no such mailbox");
	land->mailbox = remembered(own, mailbox_name_str(name));
	if (land->mailbox != 0)
		return 0;
	land->name = mailbox_name_str(name);
	u->session = own->number;
	return 0;
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
	struct mailbox_name name;
	if (name_landing(u, own, into, &name, &land, &err) < 0) {
		fail_upload(peer, request, u, &err);
		return;
	}
	struct record_recipient given = {
		.account = own->by.account, .mailbox = land.mailbox, .time_ms = time
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
	if (restore_may(peer, as->account, &err) < 0) {
		fail_upload(peer, request, u, &err);
		return;
	}
	struct op_by by = { .account = as->account };
	struct op_land land = { .mailbox = as->mailbox,
		.time = as->time,
		.flags = as->flags & FLAGS_ALL,
		.keywords = as->keywords,
		.entry_id = as->entry_id,
		.uid = as->uid };
	struct record_recipient given = { .account = as->account,
		.mailbox = as->mailbox,
		.time_ms = as->time,
		.prefix = as->prefix };
	if (add_landing(peer, u, &by, &land, &given, &err) < 0)
		fail_upload(peer, request, u, &err);
}

/* The one before is whole, and has a place. */
static int end_body(const struct upload *u, struct err *err)
{
	const struct upload_body *b = present(u);
	if (u->given.n == b->given)
		return fail(err, ERR_NOT_NOW, "the message has no recipients");
	return spool_finish(b->spool, err);
}

ASK(ask_upload_next)
{
	struct upload *u = live(peer, request);
	struct err err = ERR_INIT;
	(void)session;
	if (u && (end_body(u, &err) < 0 || begin_body(peer, u, frame->upload_next.size, &err) < 0 ||
			 account_for(peer, u, &err) < 0))
		fail_upload(peer, request, u, &err);
}

/* The expunge goes first, so that its room counts (RFC 8508 3.4): it takes the place of the body's
 * operation, which comes behind it. */
static int add_replaced(
	struct upload *u, const struct op_by *by, uint64_t mailbox, uint32_t uid, struct err *err)
{
	struct api_range *range = arena_alloc(&u->txn->arena, sizeof(*range));
	if (range == NULL || u->txn->ops.n != 1 || txn_add(u->txn, OP_BODY) == NULL)
		return fail(err, ERR_NOT_NOW, "a message is replaced before it has a place");
	struct op *op = txn_op(u->txn, 0);
	present(u)->op = 1;
	*range = (struct api_range){ uid, uid };
	op->kind = OP_EXPUNGE;
	op->by = *by;
	op->expunge = (struct op_expunge){ .mailbox = mailbox, .uids = { range, 1 }, .must = true };
	return 0;
}

ASK(ask_upload_replace)
{
	struct upload *u = live(peer, request);
	struct err err = ERR_INIT;
	const struct frame_upload_replace *ask = &frame->upload_replace;
	(void)session;
	if (u == NULL)
		return;
	struct store_session *own = session_find(peer, ask->session);
	if (own == NULL)
		fail(&err, ERR_EXPIRED, "the session has ended");
	else if (ask->mailbox == 0 || ask->uid == 0)
		fail(&err, ERR_NOT_FOUND, "no such message");
	else
		add_replaced(u, &own->by, ask->mailbox, ask->uid, &err);
	if (err.kind != ERR_NONE)
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

/* ---- search signatures, which come behind ---- */

/* Of the last uploads that were to be signed, as many as their front keeps. */
static void note_signing(struct job *job)
{
	struct store_peer *peer = job->peer;
	const struct op *body = txn_op(job->txn, job->bodies[0].op);
	struct signing new = { .request = job->request, .body = body->body.place.ref.id };
	for (size_t i = 0; i < job->bodies[0].n_recipients && i < ARRAY_LEN(new.prefix_at); i++)
		new.prefix_at[new.landings++] = body[1 + i].land.prefix_at;
	if (vec_push(&peer->signing, &new))
		return;
	*(struct signing *)vec_at(&peer->signing, peer->signing_next) = new;
	peer->signing_next = (peer->signing_next + 1) % LIMIT_SIGNED_UPLOADS;
}

static const struct signing *find_signing(const struct store_peer *peer, uint32_t request)
{
	VEC_EACH (const struct signing, s, &peer->signing)
		if (s->request == request)
			return s;
	return NULL;
}

/* Nobody waits for an answer. */
static bool kept(struct job *job)
{
	job_free(job);
	return false;
}

ASK(ask_upload_signature)
{
	static const struct job_class class = { .name = "sign", .done = kept };
	const struct frame_upload_signature *sign = &frame->upload_signature;
	const struct signing *of = find_signing(peer, request);
	(void)session;
	if (of == NULL || sign->landing >= of->landings || peer->store->read_only)
		return;
	struct job *job = job_new(peer, &class, 0, frame);
	if (job == NULL)
		return;
	job->digest_body = of->body;
	job->signature_prefix = of->prefix_at[sign->landing];
	job->signature = sign->signature;
	job->txn = txn_new();
	/* The message may have been erased meanwhile: then nothing of it comes back. */
	txn_add(job->txn, OP_NAMED)->named.body = of->body;
	if (job_keep(job, &job->signature))
		job_write(job);
	else
		job_free(job);
}

/* ---- commit ---- */

static bool delivered(struct job *job)
{
	struct api_landing *landings = arena_array(
		&job->arena, job->txn->ops.n + 1, sizeof(*landings));
	struct log_text msg;
	size_t n = 0;
	log_value(&msg, job->ask.upload_commit.message_id);
	VEC_EACH (struct op, op, &job->txn->ops) {
		if (op->kind != OP_LAND || landings == NULL)
			continue;
		landings[n++] = (struct api_landing){ .account = op->by.account,
			.mailbox = op->result.mailbox,
			.uidvalidity = op->result.uidvalidity,
			.uid = op->result.uid };
		log_event(&job->peer->log, LOG_INFO, "store-landed",
			"msg=%s account=%" PRIu64 " mailbox=%" PRIu64 " uid=%u size=%" PRIu64,
			msg.text, op->by.account, op->result.mailbox, op->result.uid,
			op->land.size);
	}
	if (job->ask.upload_commit.signs && job->n_bodies == 1)
		note_signing(job);
	job_answer(job,
		&(struct frame){ .type = FRAME_DELIVERED, .delivered.landings = { landings, n } });
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

/* One body and its part of the transaction. Sizes are what was counted here, whatever was declared.
 * A digest that finds no room is left out. */
static int fill_body(struct job *job, struct upload *u, struct upload_body *from, struct err *err)
{
	size_t i = job->n_bodies++;
	const struct upload_body *after = i + 1 < u->bodies.n ? from + 1 : NULL;
	struct job_body *to = &job->bodies[i];
	size_t n = (after ? after->given : u->given.n) - from->given;
	*to = (struct job_body){ .spool = from->spool, .n_recipients = n, .op = from->op };
	from->spool = NULL;
	to->recipients = arena_array(&job->arena, n + 1, sizeof(struct record_recipient));
	if (to->recipients == NULL)
		return fail(err, ERR_TOO_BIG, "the message is too large");
	if (n)
		memcpy(to->recipients, vec_at(&u->given, from->given), n * u->given.size);
	to->digest = from->digest.full ? STR_NONE : buf_str(&from->digest);
	if (!job_keep(job, &to->digest))
		to->digest = STR_NONE;
	for (size_t k = 0; k < n; k++) {
		struct op *op = txn_op(job->txn, to->op + 1 + k);
		op->land.size = spool_length(to->spool) + op->land.prefix_size;
	}
	return 0;
}

/* Moves what the upload holds into the job. */
static int fill_job(struct job *job, struct upload *u, struct err *err)
{
	if (end_body(u, err) < 0)
		return -1;
	job->txn = u->txn;
	u->txn = NULL;
	job->bodies = arena_array(&job->arena, u->bodies.n, sizeof(struct job_body));
	if (job->bodies == NULL || !job_keep(job, &job->ask.upload_commit.message_id))
		return fail(err, ERR_TOO_BIG, "the message is too large");
	VEC_EACH (struct upload_body, from, &u->bodies)
		if (fill_body(job, u, from, err) < 0)
			return -1;
	return 0;
}

static const struct job_class upload_class = {
	.name = "upload", .done = delivered, .always = log_refusal
};

/* The mailboxes are known now. */
static bool looked_up(struct job *job)
{
	VEC_EACH (const struct op, op, &job->txn->ops)
		if (op->kind == OP_LAND && op->land.name.n)
			remember(session_find(job->peer, job->session), job, op);
	job->class = &upload_class;
	job_write(job);
	return false;
}

static void commit(struct job *job, uint32_t looks_up)
{
	static const struct job_class look_up_class = {
		.name = "upload", .work = look_up_all, .done = looked_up, .always = log_refusal
	};
	if (looks_up == 0) {
		job_write(job);
		return;
	}
	job->class = &look_up_class;
	job->session = looks_up;
	job->noted = job->store->rewrites;
	job_read(job);
}

ASK(ask_upload_commit)
{
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
	struct job *job = job_new(peer, &upload_class, request, frame);
	if (job) { /* which holds it until it is answered */
		job->uploaded = u->held;
		u->held = 0;
	}
	if (job && fill_job(job, u, &err) < 0)
		job_answer_failed(job, &err);
	else if (job)
		commit(job, u->session);
	upload_free(peer, u);
}
