// SPDX-License-Identifier: Apache-2.0
/* The readers' step: one job at a time, each reader with connections of its own. The maintainer is
 * a reader for long jobs (check), which also moves the logs to their places. */
#include "store/store_private.h"

#include <stdlib.h>

/* Connections are opened by the thread that uses them, when there is something to do. */
static bool open_connections(struct reading *r, struct err *err)
{
	struct store *store = r->store;
	if (r->reader)
		return true;
	r->reader = store->engine->class->reader_open(store->engine, err);
	if (r->reader == NULL)
		return false;
	r->segments = segment_reader_new(store->segments);
	r->digests = digest_reader_new(store->digests);
	return true;
}

/* Becomes idle before the last look, so that a job put after it finds somebody to wake. */
static struct job *take(struct reading *r, struct job_queue *queue)
{
	r->busy = true;
	struct job *job = job_queue_take(queue, 1);
	if (job)
		return job;
	r->busy = false;
	job = job_queue_take(queue, 1);
	r->busy = job != NULL;
	return job;
}

static bool work_one(struct reading *r, struct job_queue *queue)
{
	struct store *store = r->store;
	if (store->ended)
		return false;
	struct job *job = take(r, queue);
	if (job == NULL)
		return false;
	if (open_connections(r, &job->err))
		job->class->work(r, job);
	job_queue_put(&store->finished, job);
	store->seams->executor->notify(r->worker);
	return true;
}

bool reading_step(void *arg)
{
	struct reading *r = arg;
	return work_one(r, &r->store->to_read);
}

bool maintainer_step(void *arg)
{
	struct reading *r = arg;
	struct store *store = r->store;
	struct err err = ERR_INIT;
	if (store->ended)
		return false;
	if (store->engine->class->checkpoint_due(store->engine)) {
		if (store->engine->class->checkpoint(store->engine, &err) < 0) {
			store_end(store, &err);
			store->seams->executor->notify(r->worker);
			return false;
		}
		digests_checkpoint(store->digests);
	}
	return work_one(r, &store->to_maintain);
}
