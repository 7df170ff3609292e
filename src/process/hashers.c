// SPDX-License-Identifier: Apache-2.0
/* Hash workers. A password hash is slow by intent, so strangers who guess must not keep out those
 * who know: two queues, both bounded; every worker takes the known first, and half of the workers
 * take nothing else. (hostile-input.md A2) */
#include "process/gate_private.h"

#include "auth/scram.h"
#include "auth/verifier.h"
#include "base/limits.h"

#include <pthread.h>
#include <stdlib.h>

struct queue {
	struct hash_job *first, **last;
	unsigned n;
};

struct hasher {
	struct hashers *all;
	struct worker *worker;
	bool known_only;
};

struct hashers {
	const struct seams *seams;
	pthread_mutex_t mutex; /* guards the three queues */
	struct queue known, others, done;
	struct hasher *workers;
	unsigned n;
};

static void queue_init(struct queue *q)
{
	*q = (struct queue){ .first = NULL };
	q->last = &q->first;
}

static void queue_add(struct queue *q, struct hash_job *job)
{
	job->next = NULL;
	*q->last = job;
	q->last = &job->next;
	q->n++;
}

static struct hash_job *queue_take(struct queue *q)
{
	struct hash_job *job = q->first;
	if (job == NULL)
		return NULL;
	q->first = job->next;
	if (q->first == NULL)
		q->last = &q->first;
	q->n--;
	return job;
}

static void make(const struct seams *seams, struct hash_job *job)
{
	struct scram_verifier scram;
	struct err err = ERR_INIT;
	AUTO(buf_done)
	struct buf made;
	buf_init(&made, sizeof(job->made) - 1);
	if (!job->scram_alone) {
		if (verifier_make(seams->random, job->password, &made, &err) < 0)
			return;
		memcpy(job->made, made.p, made.n);
		buf_clear(&made);
	}
	if (!scram_verifier_make(seams->random, job->password, &scram))
		return;
	scram_verifier_write(&scram, &made);
	memcpy(job->made_scram, made.p, made.n);
	mem_wipe(&scram, sizeof(scram));
}

static void run(const struct seams *seams, struct hash_job *job)
{
	if (job->make)
		make(seams, job);
	else
		job->right = verifier_check(job->verifier, job->password);
}

/* One job. (A worker's step: called again while it returns true.) */
static bool step(void *arg)
{
	struct hasher *h = arg;
	struct hashers *all = h->all;
	pthread_mutex_lock(&all->mutex);
	struct hash_job *job = queue_take(&all->known);
	if (job == NULL && !h->known_only)
		job = queue_take(&all->others);
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
		struct hash_job *job = queue_take(&h->all->done);
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
	queue_init(&all->known);
	queue_init(&all->others);
	queue_init(&all->done);
	for (unsigned i = 0; i < workers; i++) {
		struct hasher *h = &all->workers[i];
		struct worker_spec spec = {
			.name = "hash", .step = step, .done = on_done, .arg = h
		};
		h->all = all;
		h->known_only = i < workers / 2;
		h->worker = seams->executor->start(seams->executor, &spec);
	}
	return all;
}

bool hashers_add(struct hashers *all, struct hash_job *job)
{
	pthread_mutex_lock(&all->mutex);
	struct queue *q = job->known ? &all->known : &all->others;
	bool room = q->n < LIMIT_GATE_QUEUE;
	if (room)
		queue_add(q, job);
	pthread_mutex_unlock(&all->mutex);
	for (unsigned i = 0; room && i < all->n; i++)
		all->seams->executor->wake(all->workers[i].worker);
	return room;
}

static void drop_all(struct queue *q, void (*drop)(struct hash_job *))
{
	for (struct hash_job *job; (job = queue_take(q)) != NULL;)
		drop(job);
}

void hashers_free(struct hashers **hashers, void (*drop)(struct hash_job *))
{
	struct hashers *all = *hashers;
	if (all == NULL)
		return;
	for (unsigned i = 0; i < all->n; i++)
		all->seams->executor->stop(&all->workers[i].worker);
	drop_all(&all->known, drop);
	drop_all(&all->others, drop);
	drop_all(&all->done, drop);
	pthread_mutex_destroy(&all->mutex);
	free(all->workers);
	free(all);
	*hashers = NULL;
}
