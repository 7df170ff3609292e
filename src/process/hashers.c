// SPDX-License-Identifier: Apache-2.0
/* Hash workers. A password hash is slow by intent (some 20 a second and core), so strangers who
 * guess must not keep out those who know: a queue for each rank, all bounded. Suspects get half of
 * the workers at most, and nobody waits behind them. Among strangers the newest is first: under a
 * flood every order serves as few of them, but this one serves those who still wait for the answer,
 * and who comes when the flood is over waits for none of it. (hostile-input.md A2, S47) */
#include "process/gate_private.h"

#include "auth/scram.h"
#include "auth/verifier.h"
#include "base/limits.h"

#include <pthread.h>
#include <stdlib.h>

struct queue {
	struct hash_job *newest, *oldest;
	unsigned n;
};

struct hasher {
	struct hashers *all;
	struct worker *worker;
	enum hash_rank last_rank; /* that it takes */
};

struct hashers {
	const struct seams *seams;
	pthread_mutex_t mutex; /* guards the queues */
	struct queue waiting[HASH_RANKS], done;
	struct hasher *workers;
	unsigned n;
};

static void queue_add(struct queue *q, struct hash_job *job)
{
	job->newer = NULL;
	job->older = q->newest;
	*(q->newest ? &q->newest->newer : &q->oldest) = job;
	q->newest = job;
	q->n++;
}

static struct hash_job *queue_remove(struct queue *q, struct hash_job *job)
{
	if (job == NULL)
		return NULL;
	*(job->newer ? &job->newer->older : &q->newest) = job->older;
	*(job->older ? &job->older->newer : &q->oldest) = job->newer;
	q->n--;
	return job;
}

static struct hash_job *take_first(struct queue *q)
{
	return queue_remove(q, q->oldest);
}

static void make(const struct seams *seams, struct hash_job *job)
{
	struct scram_verifier scram;
	AUTO(buf_done)
	struct buf made;
	buf_init(&made, sizeof(job->made) - 1);
	if (!job->scram_alone) {
		if (verifier_make(seams->random, job->password, &made, &job->problem) < 0)
			return;
		memcpy(job->made, made.p, made.n);
		buf_clear(&made);
	}
	if (!scram_verifier_make(job->salt, job->password, &scram)) {
		fail_log(&job->problem, ERR_TEMP, "no memory");
		return;
	}
	scram_verifier_write(&scram, &made);
	memcpy(job->made_scram, made.p, made.n);
	mem_wipe(&scram, sizeof(scram));
}

static void run(const struct seams *seams, struct hash_job *job)
{
	if (job->make)
		make(seams, job);
	else
		job->verdict = verifier_check(job->verifier, job->password);
}

static struct hash_job *next_job(struct hasher *h)
{
	struct queue *waiting = h->all->waiting;
	struct hash_job *job = take_first(&waiting[HASH_KNOWN]);
	for (enum hash_rank r = HASH_FRESH; job == NULL && r <= h->last_rank; r++)
		job = queue_remove(&waiting[r], waiting[r].newest);
	return job;
}

/* One job. (A worker's step: called again while it returns true.) */
static bool step(void *arg)
{
	struct hasher *h = arg;
	struct hashers *all = h->all;
	pthread_mutex_lock(&all->mutex);
	struct hash_job *job = next_job(h);
	pthread_mutex_unlock(&all->mutex);
	if (job == NULL)
		return false;
	run(all->seams, job);
	pthread_mutex_lock(&all->mutex);
	queue_add(&all->done, job);
	pthread_mutex_unlock(&all->mutex);
	all->seams->executor->notify(h->worker);
	return true;
}

static void on_done(void *arg)
{
	struct hasher *h = arg;
	for (;;) {
		pthread_mutex_lock(&h->all->mutex);
		struct hash_job *job = take_first(&h->all->done);
		pthread_mutex_unlock(&h->all->mutex);
		if (job == NULL)
			return;
		job->done(job);
	}
}

struct hashers *hashers_new(const struct seams *seams, unsigned workers)
{
	struct hashers *all = xmalloc(sizeof(*all));
	all->seams = seams;
	all->n = workers;
	all->workers = xcalloc(workers, sizeof(*all->workers));
	pthread_mutex_init(&all->mutex, NULL);
	for (unsigned i = 0; i < workers; i++) {
		struct hasher *h = &all->workers[i];
		struct worker_spec spec = {
			.name = "hash", .step = step, .done = on_done, .arg = h
		};
		h->all = all;
		h->last_rank = i < workers / 2 ? HASH_SUSPECT - 1 : HASH_SUSPECT;
		h->worker = seams->executor->start(seams->executor, &spec);
	}
	return all;
}

void hashers_add(struct hashers *all, struct hash_job *job)
{
	struct queue *q = &all->waiting[job->rank];
	struct hash_job *last = NULL;
	pthread_mutex_lock(&all->mutex);
	if (q->n == LIMIT_GATE_QUEUE)
		last = job->rank == HASH_KNOWN ? job : take_first(q);
	if (last != job)
		queue_add(q, job);
	pthread_mutex_unlock(&all->mutex);
	if (last)
		last->crowded_out(last);
	for (unsigned i = 0; last != job && i < all->n; i++)
		all->seams->executor->wake(all->workers[i].worker);
}

static void drop_all(struct queue *q, void (*drop)(struct hash_job *))
{
	for (struct hash_job *job; (job = take_first(q)) != NULL;)
		drop(job);
}

void hashers_free(struct hashers **hashers, void (*drop)(struct hash_job *))
{
	struct hashers *all = *hashers;
	if (all == NULL)
		return;
	for (unsigned i = 0; i < all->n; i++)
		all->seams->executor->stop(&all->workers[i].worker);
	for (enum hash_rank r = HASH_KNOWN; r < HASH_RANKS; r++)
		drop_all(&all->waiting[r], drop);
	drop_all(&all->done, drop);
	pthread_mutex_destroy(&all->mutex);
	free(all->workers);
	free(all);
	*hashers = NULL;
}
