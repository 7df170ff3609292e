// SPDX-License-Identifier: Apache-2.0
/*
 * Workers as threads (base/seams.h). wake() is a condition variable, notify() a flag of the
 * worker's and one uv_async for all. Signals are the loop's thread's business.
 */
#include "io/loop_uv_private.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>

struct worker {
	struct worker *next;
	struct loop_uv *loop;
	struct worker_spec spec;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t woken;
	bool awake, ending; /* under lock */
	atomic_bool notified;
};

/* Waits to be woken. False: it is to end. */
static bool worker_wait(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	while (!w->awake && !w->ending)
		pthread_cond_wait(&w->woken, &w->lock);
	w->awake = false;
	bool go_on = !w->ending;
	pthread_mutex_unlock(&w->lock);
	return go_on;
}

static bool worker_ending(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	bool ending = w->ending;
	pthread_mutex_unlock(&w->lock);
	return ending;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	prctl(PR_SET_NAME, w->spec.name);
	while (worker_wait(w)) {
		while (w->spec.step(w->spec.arg) && !worker_ending(w))
			;
	}
	return NULL;
}

/* The thread starts with all signals blocked, so that they reach the loop. */
static void start_thread(struct worker *w)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&w->thread, NULL, worker_main, w) != 0)
		abort(); /* without its workers a role is nothing; its supervisor starts it again */
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static struct worker *worker_start(struct executor_seam *executor, const struct worker_spec *spec)
{
	struct worker *w = xmalloc(sizeof(*w));
	w->loop = CONTAINER_OF(executor, struct loop_uv, executor);
	w->spec = *spec;
	w->awake = true; /* the first steps need no wake() */
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->woken, NULL);
	w->next = w->loop->workers;
	w->loop->workers = w;
	start_thread(w);
	return w;
}

static void worker_wake(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	w->awake = true;
	pthread_mutex_unlock(&w->lock);
	pthread_cond_signal(&w->woken); /* it would only wait for the lock */
}

static void worker_notify(struct worker *w)
{
	atomic_store(&w->notified, true);
	uv_async_send(&w->loop->notified);
}

static void worker_stop(struct worker **worker)
{
	struct worker *w = *worker;
	if (w == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	w->ending = true;
	pthread_cond_signal(&w->woken);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	for (struct worker **at = &w->loop->workers; *at != NULL; at = &(*at)->next) {
		if (*at == w) {
			*at = w->next;
			break;
		}
	}
	pthread_cond_destroy(&w->woken);
	pthread_mutex_destroy(&w->lock);
	free(w);
	*worker = NULL;
}

/* done() may stop workers, this one too, so each call is followed by a new look at the list. */
static bool deliver_one(struct loop_uv *l)
{
	for (struct worker *w = l->workers; w != NULL; w = w->next) {
		if (atomic_exchange(&w->notified, false)) {
			w->spec.done(w->spec.arg);
			return true;
		}
	}
	return false;
}

void uv_executor_deliver(struct loop_uv *l)
{
	/* A bound, so that workers who notify without end do not keep the loop from the rest. */
	for (int i = 0; i < 64; i++) {
		if (!deliver_one(l))
			return;
	}
	uv_async_send(&l->notified);
}

void uv_executor_init(struct loop_uv *l)
{
	l->executor = (struct executor_seam){ .start = worker_start,
		.wake = worker_wake,
		.notify = worker_notify,
		.stop = worker_stop };
}
