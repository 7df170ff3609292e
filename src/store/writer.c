// SPDX-License-Identifier: Apache-2.0
/*
 * The writer: takes everything that waits, appends the bodies, flushes them once, commits the rows
 * as one group, which is the second flush, and hands all of it back to be answered. So the more
 * there is to do the cheaper each of it is. While the bodies are on their way to the disk the rows
 * are worked out; their commit waits for the bodies' flush. A small batch of bodies goes into the
 * same transaction as its rows instead (segments_write): one flush for both.
 */
#include "store/store_private.h"

#include "base/planted.h"

#include "store/distrust.h"

void store_end(struct store *store, const struct err *why)
{
	static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;
	pthread_mutex_lock(&once);
	if (!store->ended) {
		distrust_mark(store->seams->files);
		store->ended_why = *why;
		store->ended = true;
	}
	pthread_mutex_unlock(&once);
}

/* ---- bodies ---- */

/* The engine's operations get what the append said: the body's row, then one landing for each
 * recipient. */
static void fill_in(struct job *job, const struct job_body *b, const struct blob_ref *ref,
	const uint32_t *prefix_at)
{
	struct op *body = txn_op(job->txn, b->op);
	body->body.place = (struct body_place){ .ref = *ref, .size = spool_length(b->spool) };
	memcpy(body->body.place.sha256, spool_sha256(b->spool), 32);
	for (size_t i = 0; i < b->n_recipients; i++) {
		struct op *op = txn_op(job->txn, b->op + 1 + i);
		op->land.body = ref->id;
		op->land.prefix_at = prefix_at[i];
		op->land.mark = body_mark(&body->body.place, op->land.time);
	}
}

static void append(struct store *store, struct job *job)
{
	uint32_t prefix_at[LIMIT_RECORD_RECIPIENTS];
	struct blob_ref ref;
	for (size_t i = 0; i < job->n_bodies; i++) {
		struct job_body *b = &job->bodies[i];
		if (segments_append(store->segments, b->spool, b->recipients, b->n_recipients, &ref,
			    prefix_at, &job->err) < 0)
			return;
		fill_in(job, b, &ref, prefix_at);
	}
}

/* What upkeep wants of the segments while no append waits for its rows. */
static void settle(struct store *store, struct job *job)
{
	if (job->upkeep->flush) {
		(void)segments_settle(store->segments, &job->err); /* else segments_must_end */
		return;
	}
	if (!job->upkeep->roll || segments_seal(store->segments, &job->err) == 0)
		job->upkeep->settled = segments_settled(store->segments);
}

/* Copies of records, and where they are now for the rows. */
static void move(struct store *store, struct job *job)
{
	size_t i = 0;
	if (store->mover == NULL)
		store->mover = segment_reader_new(store->segments);
	VEC_EACH (struct blob_move, m, &job->items) {
		if (segments_copy(store->segments, store->mover, &m->from, &m->to, &job->err) < 0)
			return;
		txn_op(job->txn, i++)->body_move.to = m->to;
	}
}

static bool moves(const struct job *job)
{
	return job->upkeep && job->upkeep->move;
}

/* Whether the error took nothing but this job with it. */
static bool batch_stays(const struct job *job)
{
	enum err_kind kind = job->err.kind;
	return kind == ERR_NONE || kind == ERR_LIMIT || (moves(job) && kind == ERR_CORRUPT);
}

/* A failed append that was no refusal takes the whole batch with it (segment.h): all of it is
 * answered as failed for now. */
static void fail_bodies(struct job *jobs, const struct err *why)
{
	for (struct job *job = jobs; job; job = job->next)
		if ((job->n_bodies || moves(job)) && job->err.kind == ERR_NONE)
			job->err = *why;
}

static bool write_bodies(struct store *store, struct job *jobs, struct segment_carry *carry)
{
	struct err why = ERR_INIT;
	for (struct job *job = jobs; job; job = job->next)
		if (job->upkeep && !job->upkeep->move)
			settle(store, job);
	for (struct job *job = jobs; job; job = job->next) {
		if (job->n_bodies)
			append(store, job);
		else if (moves(job))
			move(store, job);
		if ((job->n_bodies || moves(job)) && !batch_stays(job)) {
			why = job->err;
			fail_bodies(jobs, &why);
			break;
		}
	}
	int written = segments_write(store->segments, carry, &why);
	if (written < 0)
		fail_bodies(jobs, &why);
	store->engine->carry = written > 0 ? carry : NULL;
	if (!segments_must_end(store->segments))
		return true;
	store_end(store, &why);
	return false;
}

/* ---- rows ---- */

static void put_digests(struct store *store, const struct job *job)
{
	if (job->digest.n) {
		digests_put(store->digests, job->digest_body, job->digest);
		signatures_drop(store->digests, job->digest_body);
	}
	if (job->signature.n)
		signatures_put(
			store->digests, job->digest_body, job->signature_prefix, job->signature);
	for (size_t i = 0; i < job->n_bodies; i++) {
		const struct job_body *b = &job->bodies[i];
		if (b->digest.n)
			digests_put(store->digests, txn_op(job->txn, b->op)->body.place.ref.id,
				b->digest);
	}
}

/* Digests of bodies that are gone go too: they hold what the messages said. And where the bytes of
 * bodies have gone theirs do. */
static void drop_digests(struct store *store, const struct job *job)
{
	VEC_EACH (uint64_t, body, &job->txn->dropped)
		digests_drop(store->digests, *body);
	if (job->upkeep == NULL || job->err.kind != ERR_NONE)
		return;
	VEC_EACH (struct op, op, &job->txn->ops)
		if (op->kind == OP_SEGMENT && op->segment.gone)
			digests_erase(store->digests);
}

/* A transaction is begun by the first of them. */
static void write_digests(struct store *store, struct job *jobs)
{
	for (struct job *job = jobs; job; job = job->next)
		if (job->err.kind == ERR_NONE)
			put_digests(store, job);
	for (struct job *job = jobs; job; job = job->next)
		if (job->txn)
			drop_digests(store, job);
	digests_end(store->digests);
}

static int flush_bodies(struct store *store, struct err *err)
{
	if (segments_flush(store->segments, err) == 0)
		return 0;
	store_end(store, err);
	return -1;
}

int writer_before_commit(void *arg, struct err *err)
{
	return planted("rows_before_bytes") ? 0 : flush_bodies(arg, err);
}

/* The bodies' place is sure when they were committed with the rows. */
static void note_carried(struct store *store, const struct segment_carry *carry)
{
	if (store->engine->carry == NULL && carry->length)
		segments_carried(store->segments);
	store->engine->carry = NULL;
}

static bool write_rows(struct store *store, struct job *jobs)
{
	struct txn *txns[LIMIT_GROUP_TRANSACTIONS];
	size_t n = 0;
	struct err why = ERR_INIT;
	for (struct job *job = jobs; job; job = job->next)
		if (job->txn && job->err.kind == ERR_NONE)
			txns[n++] = job->txn;
	if (n && store->engine->class->run(store->engine, txns, n, &why) < 0) {
		store_end(store, &why);
		return false;
	}
	/* Bodies of which no row was committed, too: the next batch begins behind them. */
	if (store->ended || flush_bodies(store, &why) < 0)
		return false;
	store->commits += n;
	for (struct job *job = jobs; job; job = job->next)
		if (job->txn && job->err.kind == ERR_NONE)
			job->err = job->txn->err;
	return true;
}

bool writer_step(void *arg)
{
	struct reading *writing = arg;
	struct store *store = writing->store;
	if (store->ended)
		return false;
	struct job *jobs = job_queue_take(&store->to_write, LIMIT_GROUP_TRANSACTIONS);
	if (jobs == NULL)
		return backup_turn(store);
	struct segment_carry carry = { .length = 0 };
	bool going_on = write_bodies(store, jobs, &carry);
	going_on = going_on && write_rows(store, jobs);
	note_carried(store, &carry);
	if (going_on)
		write_digests(store, jobs);
	for (struct job *job = jobs; job; job = job->next)
		if (job->class->exclusive && !store->ended)
			job->class->exclusive(store, job);
	going_on = going_on && !store->ended;
	/* After a failed flush nothing is answered; the jobs still go home to be freed. */
	for (struct job *job = jobs, *next; job; job = next) {
		next = job->next;
		job_queue_put(&store->finished, job);
	}
	store->seams->executor->notify(store->writer);
	if (going_on && store->engine->class->checkpoint_due(store->engine))
		store->seams->executor->wake(store->maintainer);
	if (going_on)
		backup_turn(store);
	return going_on;
}
