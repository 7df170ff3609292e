// SPDX-License-Identifier: Apache-2.0
/* Jobs: a question with everything it needs, handed from the loop to a worker and back. */
#include "store/store_private.h"

#include <stdlib.h>

/* ---- queues ---- */

void job_queue_init(struct job_queue *q)
{
	*q = (struct job_queue){ 0 };
	pthread_mutex_init(&q->lock, NULL);
	q->end = &q->first;
}

void job_queue_done(struct job_queue *q)
{
	for (struct job *job = job_queue_take(q, SIZE_MAX), *next; job; job = next) {
		next = job->next;
		job_free(job);
	}
	pthread_mutex_destroy(&q->lock);
}

void job_queue_put(struct job_queue *q, struct job *job)
{
	job->next = NULL;
	pthread_mutex_lock(&q->lock);
	*q->end = job;
	q->end = &job->next;
	q->n++;
	pthread_mutex_unlock(&q->lock);
}

struct job *job_queue_take(struct job_queue *q, size_t max)
{
	pthread_mutex_lock(&q->lock);
	struct job *first = q->first, **end = &first;
	for (; *end && max > 0; max--, q->n--)
		end = &(*end)->next;
	q->first = *end;
	*end = NULL;
	if (q->first == NULL)
		q->end = &q->first;
	pthread_mutex_unlock(&q->lock);
	return first;
}

/* ---- life ---- */

enum { JOB_ARENA_BYTES = 64 * 1024 * 1024, JOB_BYTES = 1024 * 1024 };

struct job *job_new_own(struct store *store, const struct job_class *class)
{
	struct job *job = xmalloc(sizeof(*job));
	job->class = class;
	job->cost = class->cost;
	job->store = store;
	arena_init(&job->arena, JOB_ARENA_BYTES);
	vec_init(&job->items, 1, 1);
	vec_init(&job->more_items, 1, 1);
	vec_init(&job->keywords, sizeof(struct str), LIMIT_KEYWORDS);
	buf_init(&job->bytes, JOB_BYTES);
	return job;
}

struct job *job_new(struct store_peer *peer, const struct job_class *class, uint32_t request,
	const struct frame *frame)
{
	if (peer->n_jobs >= LIMIT_PEER_JOBS) {
		struct err err = ERR_INIT;
		fail(&err, ERR_TEMP, "too many questions at once");
		peer_fail(peer, request, &err);
		return NULL;
	}
	struct job *job = job_new_own(peer->store, class);
	job->request = request;
	job->ask = *frame;
	job->peer = peer;
	job->peer_next = peer->jobs;
	job->peer_link = &peer->jobs;
	if (peer->jobs)
		peer->jobs->peer_link = &job->peer_next;
	peer->jobs = job;
	peer->n_jobs++;
	return job;
}

/* Chosen once: the transaction may go before the job does. */
static struct peer_room *room_of(struct job *job)
{
	if (job->room == NULL)
		job->room = job->txn ? &job->peer->changes : &job->peer->reads;
	return job->room;
}

static void leave_peer(struct job *job)
{
	*job->peer_link = job->peer_next;
	if (job->peer_next)
		job->peer_next->peer_link = job->peer_link;
	job->peer->n_jobs--;
	room_of(job)->held -= job->held;
	job->peer->asked_bytes -= job->asked;
	job->peer->upload_bytes -= job->uploaded;
	peer_start_waiting(job->peer);
}

void job_free(struct job *job)
{
	if (job->peer)
		leave_peer(job);
	job_leave_log(job); /* one that only waited still has it */
	txn_free(&job->txn);
	base_put(&job->base);
	for (size_t i = 0; i < job->n_bodies; i++)
		spool_free(&job->bodies[i].spool);
	vec_done(&job->items);
	vec_done(&job->more_items);
	vec_done(&job->keywords);
	buf_done(&job->bytes);
	arena_done(&job->arena);
	free(job);
}

bool job_keep(struct job *job, struct str *s)
{
	if (s->n == 0)
		return true;
	*s = arena_str(&job->arena, *s);
	return s->p != NULL;
}

/* ---- handing over ---- */

static void to_readers(struct job *job)
{
	struct store *store = job->store;
	store->under_way++;
	job_queue_put(&store->to_read, job);
	/* One that is idle; when none is, each looks again before it becomes idle (reading.c). */
	for (uint32_t i = 0; i < store->n_readers; i++) {
		if (store->readings[i].busy)
			continue;
		store->seams->executor->wake(store->readings[i].worker);
		return;
	}
}

static void to_writer(struct job *job)
{
	struct store *store = job->store;
	store->under_way++;
	job_queue_put(&store->to_write, job);
	store->seams->executor->wake(store->writer);
}

/* ---- the end of a series ---- */

const struct vec *job_series(const struct job *job)
{
	return job->base ? &job->base->entries : &job->items;
}

bool job_is_large(const struct job *job)
{
	enum { LARGE_BYTES = 2 * 1024 * 1024 };
	const struct vec *items = job_series(job);
	return items->cap * items->size > LARGE_BYTES;
}

static void drop_items(struct reading *r, struct job *job)
{
	(void)r;
	vec_done(&job->items);
}

/* To give back the pages of a large view takes milliseconds, for which a loop's other clients need
 * not wait: a reader does it. */
void job_said(struct job *job)
{
	static const struct job_class class = { .name = "drop", .work = drop_items };
	if (job->base == NULL && job_is_large(job)) {
		struct job *drop = job_new_own(job->store, &class);
		drop->items = job->items;
		job->items = (struct vec){ .p = NULL };
		to_readers(drop);
	}
	job_free(job);
}

/* What a question holds counts until it is answered: a peer may ask thousands of questions at once,
 * but not all of them with as many bytes as a frame has. Beside its uploads, so that who sends many
 * large messages does not keep others of that front from asking. */
static int count_question(struct job *job, struct err *err)
{
	struct store_peer *peer = job->peer;
	if (peer == NULL || job->asked || job->uploaded)
		return 0;
	job->asked = sizeof(*job) + job->arena.used + (job->txn ? job->txn->arena.used : 0);
	peer->asked_bytes += job->asked;
	if (peer->asked_bytes > job->store->settings.bounds->upload_bytes)
		return fail(err, ERR_TEMP, "too many questions at once");
	return 0;
}

/* Nobody works on it. */
static void refuse(struct job *job, const struct err *err)
{
	job->err = *err;
	if (job->peer && job->class->always)
		job->class->always(job);
	job_answer_failed(job, err);
}

static bool fits(const struct peer_room *room, size_t cost)
{
	return room->held == 0 || room->held + cost <= LIMIT_PEER_ANSWER_BYTES;
}

static void take_room(struct peer_room *room, struct job *job)
{
	job->held = job->cost;
	room->held += job->cost;
}

/* Whether it waits, until the peer has taken answers. */
static bool waits(struct job *job)
{
	if (job->peer == NULL || job->cost == 0 || job->held)
		return false;
	struct peer_room *room = room_of(job);
	if (room->waiting == NULL && fits(room, job->cost)) {
		take_room(room, job);
		return false;
	}
	job->next = NULL;
	*room->waiting_end = job;
	room->waiting_end = &job->next;
	return true;
}

void job_read(struct job *job)
{
	struct err err = ERR_INIT;
	if (count_question(job, &err) < 0)
		refuse(job, &err);
	else if (!waits(job))
		to_readers(job);
}

static void start_waiting(struct peer_room *room, void (*start)(struct job *))
{
	while (room->waiting && fits(room, room->waiting->cost)) {
		struct job *job = room->waiting;
		room->waiting = job->next;
		if (room->waiting == NULL)
			room->waiting_end = &room->waiting;
		take_room(room, job);
		start(job);
	}
}

void peer_start_waiting(struct store_peer *peer)
{
	start_waiting(&peer->reads, to_readers);
	start_waiting(&peer->changes, to_writer);
}

void job_read_with(struct job *job, struct str *s)
{
	struct err err = ERR_INIT;
	if (job == NULL)
		return;
	if (job_keep(job, s)) {
		job_read(job);
		return;
	}
	fail(&err, ERR_LIMIT, "the question is too long");
	job_answer_failed(job, &err);
}

void job_write(struct job *job)
{
	struct store *store = job->store;
	struct err err = ERR_INIT;
	if (store->read_only)
		fail(&err, ERR_READ_ONLY, "the store takes no changes at present");
	if (store->read_only || count_question(job, &err) < 0)
		refuse(job, &err);
	else if (!waits(job))
		to_writer(job);
}

/* ---- what is ahead of what is published ---- */

void job_leave_log(struct job *job)
{
	struct mailbox_log *log = job->log;
	job->log = NULL;
	if (log == NULL)
		return;
	log->users--;
	log_release(job->store, log);
}

void job_wait(struct job *job)
{
	job->next = job->store->unpublished;
	job->store->unpublished = job;
}

static void forget_waiting(struct job *job)
{
	job_leave_log(job);
	job_free(job);
}

void jobs_retry(struct store *store)
{
	struct job *waiting = store->unpublished;
	store->unpublished = NULL;
	for (struct job *job = waiting, *next; job; job = next) {
		next = job->next;
		if (job->peer)
			job->class->published(job);
		else
			forget_waiting(job);
	}
}

void jobs_drop(struct store *store)
{
	for (struct job *job = store->unpublished, *next; job; job = next) {
		next = job->next;
		forget_waiting(job);
	}
	store->unpublished = NULL;
}

/* ---- whose ---- */

int job_own_mailbox(
	struct reading *r, struct job *job, uint64_t mailbox, struct mailbox_row *ret_row)
{
	if (r->reader->class->mailbox_by_id(r->reader, mailbox, ret_row, &job->err) < 0)
		return -1;
	return ret_row->account == job->by.account
		       ? 0
		       : fail(&job->err, ERR_NOT_FOUND, "no such mailbox");
}

/* ---- answers ---- */

static size_t bytes_of(const struct vec *v)
{
	return v->cap * v->size;
}

void job_holds(struct job *job)
{
	size_t bytes = bytes_of(job_series(job)) + bytes_of(&job->more_items) + job->arena.used;
	if (job->txn)
		bytes += bytes_of(&txn_op(job->txn, 0)->result.pairs);
	room_of(job)->held += bytes - job->held;
	job->held = bytes;
	peer_start_waiting(job->peer);
}

void job_answer(struct job *job, const struct frame *frame)
{
	if (job->peer)
		peer_send(job->peer, job->request, frame);
	job_free(job);
}

void job_answer_done(struct job *job)
{
	job_answer(job, &(struct frame){ .type = FRAME_DONE });
}

void job_answer_failed(struct job *job, const struct err *err)
{
	if (job->peer)
		peer_fail_job(job, err);
	job_free(job);
}

bool job_items_read(struct job *job)
{
	if (!job->finished) {
		job_read(job);
		return false;
	}
	job_holds(job);
	job->finished = false;
	return true;
}

void job_items_sent(struct job *job)
{
	job->at += job->step;
	job->finished = job->at == job_series(job)->n;
}

void job_keep_uids(struct job *job, struct api_u32_list *uids)
{
	if (uids->n == 0)
		return; /* an empty list has no items to point to */
	uint32_t *copy = arena_array(&job->arena, uids->n, sizeof(*copy));
	memcpy(copy, uids->items, uids->n * sizeof(*copy));
	uids->items = copy;
}
