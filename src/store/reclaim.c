// SPDX-License-Identifier: Apache-2.0
/*
 * Upkeep: forgetting what was kept long enough, and reclaiming the space of what nobody names.
 *
 * One pass, an hour after the one before:
 *
 *     forget    rows of deleted messages whose time is over, and rows of bodies without a name
 *     settle    the writer says below which number segments are sealed, and what no row names in
 *               them never will be named; the one at the end is sealed too when it must be
 *     look      which segments have to be surveyed or rewritten
 *     walk      survey: count what is dead. Rewrite: copy the living to the end, some at a time,
 *               each portion flushed and committed like a delivery
 *     remove    when not one row names the segment any more
 *
 * All of this is the loop's: each step is a job for the maintainer or the writer, and its end
 * begins the next. A crash between any two leaves a copy too many, or a file without living
 * records, which the next pass finds; there is nothing to recover.
 *
 * What is promised: docs/store.md, "Reclaim". A segment is rewritten when half of it is dead, or
 * when something in it has been dead for half of LIMIT_ERASE_MS; LIMIT_RECLAIM_RATE_BYTES holds
 * unless nobody else wants anything, or three quarters of that time are over.
 */
#include "store/store_private.h"

#include "base/planted.h"
#include "store/disk.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
	PASS_MS = 3600 * 1000,    /* between passes */
	AGAIN_MS = 5 * 60 * 1000, /* after one that was kept from its end */
	FIRST_MS = 60 * 1000,     /* after the store's start */
	FLUSH_MS = 10 * 1000,     /* between flushes of what the ledger carries, if anything */
	TICK_MS = 100,            /* while a pass waits for its share of the disk */
	FORGET_ROWS = 100,        /* of one transaction */
	WALK_BYTES = 2 << 20,     /* read by one job */
	MOVE_BYTES = 1 << 20,     /* copied by one job, unless a record alone is larger */
	MOVE_RECORDS = 256,
	COUNT_ROWS = 50000, /* of one snapshot */
	IDLE_FACTOR = 10,
	SMALL_TAIL_BYTES = 16 << 20, /* dead bytes for which the segment at the end is not sealed */
};

static void go(struct store *store);
static void begin_pass(struct store *store);

static int64_t wall_ms(const struct store *store)
{
	return store->seams->clock->wall_ms(store->seams->clock);
}

static int64_t monotonic_ms(const struct store *store)
{
	return store->seams->clock->monotonic_ms(store->seams->clock);
}

/* ---- jobs ---- */

static struct job *job_begin(struct store *store, const struct job_class *class)
{
	struct job *job = job_new_own(store, class);
	job->upkeep = arena_alloc(&job->arena, sizeof(*job->upkeep));
	store->reclaim.busy = true;
	return job;
}

static void maintain(struct job *job)
{
	struct store *store = job->store;
	store->under_way++;
	job_queue_put(&store->to_maintain, job);
	store->seams->executor->wake(store->maintainer);
}

/* ---- the end of a pass ---- */

static void answer_askers(struct store *store, const struct err *err)
{
	struct reclaim *r = &store->reclaim;
	struct job *askers = r->askers;
	r->askers = NULL;
	for (struct job *job = askers, *next; job; job = next) {
		next = job->next;
		if (err->kind != ERR_NONE) {
			job_answer_failed(job, err);
			continue;
		}
		job_answer(
			job, &(struct frame){ .type = FRAME_RECLAIMED, .reclaimed = r->figures });
	}
}

static void end_pass(struct store *store, const struct err *err)
{
	struct reclaim *r = &store->reclaim;
	struct log_text why;
	bool cut = err->kind != ERR_NONE || r->figures.pinned;
	r->step = RECLAIM_REST;
	if (r->again && err->kind == ERR_NONE) {
		begin_pass(store);
		return;
	}
	r->now = r->again = r->all_deleted = false;
	r->next_ms = monotonic_ms(store) + (cut ? AGAIN_MS : PASS_MS);
	if (r->figures.forgotten || r->figures.segments)
		log_event(&store->log, LOG_INFO, "store-reclaimed",
			"forgotten=%" PRIu64 " segments=%u freed=%" PRIu64 " moved=%" PRIu64,
			r->figures.forgotten, r->figures.segments, r->figures.freed,
			r->figures.moved);
	if (err->kind != ERR_NONE)
		log_event(&store->log, LOG_WARN, "store-reclaim-failed", "why=%s",
			log_value(&why, str_from(err_log_text(err))));
	answer_askers(store, err);
}

/* Whether a step came to its end; otherwise the pass does, and another tries again. */
static bool came_through(struct job *job)
{
	job->store->reclaim.busy = false;
	if (job->err.kind == ERR_NONE)
		return true;
	end_pass(job->store, &job->err);
	return false;
}

/* ---- forgetting ---- */

static int64_t forget_before(const struct store *store)
{
	if (store->reclaim.all_deleted)
		return INT64_MAX;
	return wall_ms(store) - store->settings.keep_deleted_ms + 1;
}

static void forget_end(struct job *job)
{
	struct reclaim *r = &job->store->reclaim;
	if (!came_through(job))
		return;
	const struct op_result *result = &txn_op(job->txn, 0)->result;
	r->figures.forgotten += result->done_count;
	if (!result->more)
		r->account++;
	go(job->store);
}

static void forget(struct store *store, uint64_t account)
{
	static const struct job_class class = { .name = "forget", .always = forget_end };
	struct job *job = job_begin(store, &class);
	job->txn = txn_new();
	txn_add(job->txn, OP_FORGET)->forget = (struct op_forget){
		.account = account, .before = forget_before(store), .most = FORGET_ROWS
	};
	store->reclaim.account = account;
	job_write(job);
}

static void expired_work(struct reading *r, struct job *job)
{
	int found = r->reader->class->deleted_expired(r->reader, job->upkeep->account,
		job->upkeep->before, &job->upkeep->account, &job->err);
	job->finished = found == 0;
}

static void expired_end(struct job *job)
{
	struct store *store = job->store;
	if (!came_through(job))
		return;
	if (!job->finished) {
		forget(store, job->upkeep->account);
		return;
	}
	store->reclaim.step = RECLAIM_SETTLE;
	go(store);
}

static void find_expired(struct store *store)
{
	static const struct job_class class = {
		.name = "expired", .work = expired_work, .always = expired_end
	};
	struct job *job = job_begin(store, &class);
	job->upkeep->account = store->reclaim.account;
	job->upkeep->before = forget_before(store);
	maintain(job);
}

/* ---- settling ---- */

static void settle_end(struct job *job)
{
	struct reclaim *r = &job->store->reclaim;
	if (!came_through(job))
		return;
	r->settled = job->upkeep->settled;
	r->step = RECLAIM_LOOK;
	go(job->store);
}

static void settle(struct store *store)
{
	static const struct job_class class = { .name = "settle", .always = settle_end };
	struct job *job = job_begin(store, &class);
	job->upkeep->roll = store->reclaim.roll;
	store->reclaim.roll = false;
	job_write(job);
}

/* ---- looking ---- */

static int add_row(void *arg, const struct segment_row *row)
{
	struct job *job = arg;
	struct reclaim_segment segment = { .row = *row };
	return vec_push(&job->items, &segment) ? 0 : 1;
}

static struct reclaim_segment *find_segment(struct vec *segments, uint32_t number)
{
	VEC_EACH (struct reclaim_segment, s, segments)
		if (s->row.segment == number)
			return s;
	return NULL;
}

/* All segments that there are, or of which something is known. */
static void look_work(struct reading *r, struct job *job)
{
	struct vec extents;
	vec_init(&job->items, sizeof(struct reclaim_segment), SIZE_MAX / 1024);
	if (r->reader->class->segment_each(r->reader, add_row, job, &job->err) < 0)
		return;
	if (segments_extents(r->store->segments, &extents, &job->err) == 0) {
		VEC_EACH (struct api_backup_segment, extent, &extents) {
			struct reclaim_segment fresh = { .row.segment = extent->number };
			struct reclaim_segment *s = find_segment(&job->items, extent->number);
			if (s == NULL)
				s = vec_push(&job->items, &fresh);
			s->bytes = extent->length;
			s->exists = true;
		}
	}
	vec_done(&extents);
}

/* Whether what is dead in it is to go now. */
static bool is_due(const struct store *store, const struct reclaim_segment *s)
{
	uint64_t used = s->bytes > SEGMENT_HEADER_BYTES ? s->bytes - SEGMENT_HEADER_BYTES : 0;
	if (s->row.dead * 2 >= used)
		return true;
	return s->row.dead &&
	       (store->reclaim.now || s->row.since + LIMIT_ERASE_MS / 2 <= wall_ms(store));
}

/* The segment at the end takes new mail, so it is sealed only for a reason. */
static bool must_roll(const struct store *store, const struct reclaim_segment *s)
{
	return s->row.dead && is_due(store, s) &&
	       (store->reclaim.now || s->row.dead >= SMALL_TAIL_BYTES ||
		       s->row.since + LIMIT_ERASE_MS / 2 <= wall_ms(store));
}

/* What may have to be written elsewhere before its file can go. */
static uint64_t at_most_living(const struct reclaim_segment *s)
{
	uint64_t used = s->bytes > SEGMENT_HEADER_BYTES ? s->bytes - SEGMENT_HEADER_BYTES : 0;
	return s->rewrite && used > s->row.dead ? used - s->row.dead : 0;
}

/* Those first that need the least room: they make it for the others. */
static int by_living(const void *a, const void *b)
{
	uint64_t x = at_most_living(a), y = at_most_living(b);
	return x < y ? -1 : x > y;
}

/* One is done with once in a pass, but that it waits for room, and some has gone since. */
static bool is_done(struct reclaim *r, uint32_t segment)
{
	struct reclaim_segment *before = find_segment(&r->done, segment);
	if (before == NULL)
		return false;
	if (!before->short_of_room || before->gone_then == r->figures.segments)
		return true;
	before->short_of_room = false;
	return false;
}

static void consider(struct store *store, const struct reclaim_segment *s)
{
	struct reclaim *r = &store->reclaim;
	if (s->row.segment >= r->settled) {
		r->roll |= s->exists && must_roll(store, s) && !r->rolled;
		return;
	}
	if (is_done(r, s->row.segment))
		return;
	struct reclaim_segment chosen = *s;
	chosen.rewrite = s->exists && s->row.surveyed;
	chosen.late = s->row.dead && s->row.since + LIMIT_ERASE_MS / 4 * 3 <= wall_ms(store);
	if (!s->exists || !s->row.surveyed || is_due(store, s))
		vec_push(&r->todo, &chosen);
}

/* What there is no room for is told, and no failure when something else has gone. */
static void nothing_left(struct store *store)
{
	struct reclaim *r = &store->reclaim;
	struct err err = ERR_INIT;
	unsigned stay = 0;
	VEC_EACH (struct reclaim_segment, s, &r->done)
		stay += s->short_of_room;
	if (stay && r->figures.segments == 0)
		fail_log(&err, ERR_FULL,
			"no room on the disk to move what is kept of %u files of messages", stay);
	else if (stay)
		log_event(&store->log, LOG_WARN, "store-reclaim-short", "segments=%u", stay);
	end_pass(store, &err);
}

static void look_end(struct job *job)
{
	struct store *store = job->store;
	struct reclaim *r = &store->reclaim;
	if (!came_through(job))
		return;
	vec_clear(&r->todo);
	r->at = 0;
	r->place = 0;
	VEC_EACH (struct reclaim_segment, s, &job->items)
		consider(store, s);
	if (r->todo.n)
		qsort(r->todo.p, r->todo.n, sizeof(struct reclaim_segment), by_living);
	r->rolled |= r->roll;
	r->step = r->roll ? RECLAIM_SETTLE : RECLAIM_WALK;
	if (!r->roll && r->todo.n == 0) {
		nothing_left(store);
		return;
	}
	go(store);
}

static void look(struct store *store)
{
	static const struct job_class class = {
		.name = "look", .work = look_work, .always = look_end
	};
	maintain(job_begin(store, &class));
}

/* ---- walking ---- */

struct walking {
	struct reading *reading;
	struct job *job;
	struct blob_ref ref;
	bool alive;
	uint64_t moved;
};

static int compare_row(void *arg, const struct body_place *row)
{
	struct walking *w = arg;
	w->alive = row->ref.id == w->ref.id && row->ref.segment == w->ref.segment &&
		   row->ref.offset == w->ref.offset;
	return 1;
}

/* One whole record; non-zero: the next job's. */
static int on_record(void *arg, const struct blob_ref *ref)
{
	struct walking *w = arg;
	struct upkeep *u = w->job->upkeep;
	if (u->read >= WALK_BYTES || w->job->items.n == MOVE_RECORDS)
		return 1;
	w->ref = *ref;
	w->alive = false;
	struct reader *reader = w->reading->reader;
	if (reader->class->body_each(reader, ref->id - 1, 1, compare_row, w, &w->job->err) < 0)
		return 1;
	if (w->alive && u->rewrite) {
		if (w->moved && w->moved + ref->length > MOVE_BYTES)
			return 1;
		w->moved += ref->length;
		vec_push(&w->job->items, &(struct blob_move){ .from = *ref });
	}
	if (!w->alive)
		u->dead += ref->length;
	u->read += ref->length;
	return 0;
}

static void walk_work(struct reading *r, struct job *job)
{
	struct upkeep *u = job->upkeep;
	struct walking w = { .reading = r, .job = job };
	vec_init(&job->items, sizeof(struct blob_move), MOVE_RECORDS);
	int result = segment_walk_some(
		r->segments, u->segment, &u->place, on_record, &w, &u->damaged, &job->err);
	u->end = result == 0;
	if (u->end && u->rewrite && planted("reclaim_unlinks_too_early"))
		segments_remove(r->store->segments, u->segment, &job->err);
}

/* The segment is done with, for this pass. */
static void next_segment(struct store *store)
{
	struct reclaim *r = &store->reclaim;
	const struct reclaim_segment *s = vec_at(&r->todo, r->at);
	struct reclaim_segment *before = find_segment(&r->done, s->row.segment);
	if (before)
		*before = *s;
	else if (s->rewrite || !s->exists) /* after a survey it is looked at once more */
		vec_push(&r->done, s);
	r->at++;
	r->place = 0;
	r->dead = 0;
	r->weighed = false;
	r->step = r->at < r->todo.n ? RECLAIM_WALK : RECLAIM_LOOK;
	go(store);
}

static void noted_end(struct job *job)
{
	if (came_through(job))
		next_segment(job->store);
}

static void note_segment(struct store *store, struct op_segment segment)
{
	static const struct job_class class = { .name = "segment", .always = noted_end };
	struct job *job = job_begin(store, &class);
	job->txn = txn_new();
	txn_add(job->txn, OP_SEGMENT)->segment = segment;
	job_write(job);
}

static void walk_goes_on(struct store *store, const struct upkeep *u)
{
	struct reclaim *r = &store->reclaim;
	const struct reclaim_segment *s = vec_at(&r->todo, r->at);
	if (!u->end) {
		go(store);
	} else if (s->rewrite) {
		r->step = RECLAIM_REMOVE;
		go(store);
	} else {
		note_segment(
			store, (struct op_segment){ .segment = s->row.segment, .dead = r->dead });
	}
}

static void move_end(struct job *job)
{
	struct store *store = job->store;
	if (!came_through(job))
		return;
	VEC_EACH (struct blob_move, move, &job->items)
		store->reclaim.figures.moved += move->to.length;
	walk_goes_on(store, job->upkeep);
}

/* The copies are made by the writer, in its batch, and named in one transaction. */
static void move(struct store *store, struct job *walked)
{
	static const struct job_class class = { .name = "move", .always = move_end };
	struct job *job = job_begin(store, &class);
	*job->upkeep = *walked->upkeep;
	job->upkeep->move = true;
	vec_done(&job->items);
	job->items = walked->items;
	walked->items = (struct vec){ 0 };
	job->txn = txn_new();
	VEC_EACH (struct blob_move, one, &job->items)
		txn_add(job->txn, OP_BODY_MOVE)->body_move.from = one->from;
	job_write(job);
}

static void walk_end(struct job *job)
{
	struct store *store = job->store;
	struct reclaim *r = &store->reclaim;
	const struct upkeep *u = job->upkeep;
	if (!came_through(job))
		return;
	r->place = u->place;
	r->dead += u->dead;
	r->budget -= (int64_t)u->read;
	if (u->damaged)
		log_event(&store->log, LOG_ERROR, "store-damage", "segment=%u", u->segment);
	if (job->items.n)
		move(store, job);
	else
		walk_goes_on(store, u);
}

/* ---- weighing ---- */

static void count_living(struct reading *r, struct job *job)
{
	struct upkeep *u = job->upkeep;
	uint64_t after = 0;
	u->left = u->left_bytes = 0;
	while (r->reader->class->bodies_in(r->reader, u->segment, &after, COUNT_ROWS, &u->left,
		       &u->left_bytes, &job->err) > 0)
		;
}

static uint64_t room(const struct store *store)
{
	return disk_room(store->seams->files, disk_last_reserve(store->settings.reserve_bytes));
}

static void weigh_work(struct reading *r, struct job *job)
{
	count_living(r, job);
	job->finished = job->upkeep->left_bytes <= room(r->store);
}

static void weigh_end(struct job *job)
{
	struct reclaim *r = &job->store->reclaim;
	if (!came_through(job))
		return;
	if (job->finished) {
		r->weighed = true;
		go(job->store);
		return;
	}
	struct reclaim_segment *s = vec_at(&r->todo, r->at);
	s->short_of_room = true;
	s->gone_then = r->figures.segments;
	next_segment(job->store);
}

/* A segment that can't be moved whole is not begun: what is copied of it would take room until its
 * file can go. Rows are only counted when it is not plain that there is room. */
static void weigh(struct store *store)
{
	static const struct job_class class = {
		.name = "weigh", .work = weigh_work, .always = weigh_end
	};
	const struct reclaim *r = &store->reclaim;
	const struct reclaim_segment *s = vec_at(&r->todo, r->at);
	struct job *job = job_begin(store, &class);
	job->upkeep->segment = s->row.segment;
	maintain(job);
}

static void walk(struct store *store)
{
	static const struct job_class class = {
		.name = "walk", .work = walk_work, .always = walk_end
	};
	struct reclaim *r = &store->reclaim;
	const struct reclaim_segment *s = vec_at(&r->todo, r->at);
	if (!s->exists) {
		note_segment(store, (struct op_segment){ .segment = s->row.segment, .gone = true });
		return;
	}
	if (r->budget <= 0 && !r->now && !s->late)
		return; /* store_upkeep goes on */
	if (s->rewrite && !r->weighed && at_most_living(s) > room(store)) {
		weigh(store);
		return;
	}
	struct job *job = job_begin(store, &class);
	job->upkeep->segment = s->row.segment;
	job->upkeep->rewrite = s->rewrite;
	job->upkeep->place = r->place;
	maintain(job);
}

/* ---- removing ---- */

static void remove_work(struct reading *r, struct job *job)
{
	struct upkeep *u = job->upkeep;
	count_living(r, job);
	if (job->err.kind == ERR_NONE && u->left == 0)
		segments_remove(r->store->segments, u->segment, &job->err);
}

static void remove_end(struct job *job)
{
	struct store *store = job->store;
	struct reclaim *r = &store->reclaim;
	const struct reclaim_segment *s = vec_at(&r->todo, r->at);
	bool pinned = job->err.kind == ERR_IN_USE;
	if (pinned)
		job->err = (struct err)ERR_INIT;
	if (!came_through(job))
		return;
	r->figures.pinned |= pinned;
	if (job->upkeep->left)
		log_event(&store->log, LOG_ERROR, "store-segment-stays",
			"segment=%u damaged=%" PRIu64, s->row.segment, job->upkeep->left);
	if (pinned || job->upkeep->left) {
		next_segment(store);
		return;
	}
	r->figures.segments++;
	r->figures.freed += s->bytes;
	note_segment(store, (struct op_segment){ .segment = s->row.segment, .gone = true });
}

static void remove_segment(struct store *store)
{
	static const struct job_class class = {
		.name = "remove", .work = remove_work, .always = remove_end
	};
	struct reclaim *r = &store->reclaim;
	const struct reclaim_segment *s = vec_at(&r->todo, r->at);
	struct job *job = job_begin(store, &class);
	job->upkeep->segment = s->row.segment;
	maintain(job);
}

/* ---- a pass ---- */

static void go(struct store *store)
{
	static void (*const steps[])(struct store *) = { [RECLAIM_FORGET] = find_expired,
		[RECLAIM_SETTLE] = settle,
		[RECLAIM_LOOK] = look,
		[RECLAIM_WALK] = walk,
		[RECLAIM_REMOVE] = remove_segment };
	if (store->reclaim.step != RECLAIM_REST && !store->reclaim.busy && !store->ended)
		steps[store->reclaim.step](store);
}

static void begin_pass(struct store *store)
{
	struct reclaim *r = &store->reclaim;
	r->step = RECLAIM_FORGET;
	r->again = false;
	r->account = 0;
	r->roll = r->rolled = false;
	r->figures = (struct frame_reclaimed){ 0 };
	vec_clear(&r->done);
	go(store);
}

/* The share of the disk that a pass has: more when nobody asked for anything since the last time.
 */
static void refill(struct store *store, int64_t now)
{
	struct reclaim *r = &store->reclaim;
	int64_t rate = LIMIT_RECLAIM_RATE_BYTES * (store->asked == r->asked ? IDLE_FACTOR : 1);
	int64_t passed = now - r->counted_ms > 1000 ? 1000 : now - r->counted_ms;
	r->budget += rate * passed / 1000;
	if (r->budget > rate / 10)
		r->budget = rate / 10;
	r->counted_ms = now;
	r->asked = store->asked;
}

void reclaim_init(struct store *store)
{
	struct reclaim *r = &store->reclaim;
	vec_init(&r->todo, sizeof(struct reclaim_segment), SIZE_MAX / 1024);
	vec_init(&r->done, sizeof(struct reclaim_segment), SIZE_MAX / 1024);
	r->counted_ms = monotonic_ms(store);
	r->next_ms = r->counted_ms + FIRST_MS;
}

void reclaim_done(struct store *store)
{
	struct reclaim *r = &store->reclaim;
	for (struct job *job = r->askers, *next; job; job = next) {
		next = job->next;
		job_free(job);
	}
	vec_done(&r->todo);
	vec_done(&r->done);
}

/* What the ledger carries stands in the segment too, before long: then a lost ledger takes none of
 * it along, and a disk that refuses it is noticed. */
static void flush_carried(struct store *store, int64_t now)
{
	static const struct job_class class = { .name = "flush" };
	if (now - store->reclaim.flushed_ms < FLUSH_MS || !segments_unsettled(store->segments))
		return;
	store->reclaim.flushed_ms = now;
	struct job *job = job_new_own(store, &class);
	job->upkeep = arena_alloc(&job->arena, sizeof(*job->upkeep));
	job->upkeep->flush = true;
	job_write(job);
}

int64_t store_upkeep(struct store *store)
{
	struct reclaim *r = &store->reclaim;
	int64_t now = monotonic_ms(store);
	if (store->distrust_again_ms && !store_copies_again(store))
		return store->distrust_again_ms - now;
	if (store->read_only || r->held)
		return PASS_MS;
	flush_carried(store, now);
	recents_write(store, now);
	refill(store, now);
	if (r->step == RECLAIM_REST && now >= r->next_ms)
		begin_pass(store);
	else
		go(store);
	return r->step == RECLAIM_REST ? r->next_ms - now : TICK_MS;
}

/* ---- an administrator asks ---- */

ASK(ask_store_reclaim)
{
	static const struct job_class class = { .name = "reclaim" };
	struct store *store = peer->store;
	struct reclaim *r = &store->reclaim;
	struct err err = ERR_INIT;
	(void)session;
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return;
	if (store->read_only) {
		fail(&err, ERR_READ_ONLY, "the store takes no changes at present");
		job_answer_failed(job, &err);
		return;
	}
	if (r->held) {
		fail(&err, ERR_IN_USE, "the store is being repaired");
		job_answer_failed(job, &err);
		return;
	}
	job->next = r->askers;
	r->askers = job;
	r->now = true;
	r->all_deleted |= frame->store_reclaim.deleted;
	r->again = r->step != RECLAIM_REST; /* one more, for what that pass has gone past */
	if (r->step == RECLAIM_REST)
		begin_pass(store);
	else
		go(store);
}
