// SPDX-License-Identifier: Apache-2.0
/*
 * A backup, as a command makes it: the ledger is copied between the writer's groups into a file of
 * our own directory, then the command reads that copy and the segments, up to the lengths that it
 * was told. Segments only ever grow, and all that the copy names was flushed before it was named,
 * so copy and lengths are one point in time, however long the reading takes.
 */
#include "store/disk.h"
#include "store/store_private.h"

#include <inttypes.h>

#define COPY_NAME "backup.db"

enum { SEGMENTS_A_FRAME = 4000, BYTES_A_FRAME = 65000, BYTES_A_TURN = 4 * BYTES_A_FRAME };

/* ---- the writer's part ---- */

static int copy_size(struct files_seam *files, uint64_t *ret, struct err *err)
{
	int file = files->open(files, COPY_NAME, O_RDONLY, 0);
	int64_t size = file < 0 ? file : files->size(files, file);
	if (file >= 0)
		(void)files->close(files, file);
	*ret = size < 0 ? 0 : (uint64_t)size;
	return size < 0 ? FAIL_SEAM(err, size, "the copy of the ledger") : 0;
}

/* The copy is whole: what else makes up this point in time. The lengths are taken after it, so they
 * hold all that it names. */
static void note_point(struct store *store, struct job *job)
{
	struct engine_identity id;
	store->engine->class->identity(store->engine, &id);
	struct frame_backup_is is = { .epoch = id.epoch, .schema = id.schema };
	is.store_id = str_make(id.store_id, sizeof(id.store_id));
	is.history = str_make(id.history, sizeof(id.history));
	if (copy_size(store->seams->files, &is.ledger_bytes, &job->err) < 0)
		return;
	if (!job_keep(job, &is.store_id) || !job_keep(job, &is.history)) {
		fail(&job->err, ERR_TEMP, "no memory");
		return;
	}
	job->ask = (struct frame){ .type = FRAME_BACKUP_IS, .backup_is = is };
	segments_extents(store->segments, &job->items, &job->err);
}

static void give_back(struct store *store, struct job *job)
{
	job_queue_put(&store->finished, job);
	store->seams->executor->notify(store->writer);
}

bool backup_turn(struct store *store)
{
	const struct engine_class *engine = store->engine->class;
	struct job *job = store->copying;
	if (job == NULL) {
		job = job_queue_take(&store->to_copy, 1);
		if (job == NULL)
			return false;
		if (engine->copy_begin(store->engine, COPY_NAME, &job->err) == 0)
			store->copying = job;
		else
			give_back(store, job);
		return true;
	}
	int rc = engine->copy_step(store->engine, &job->err);
	if (rc == 0)
		return true;
	if (rc > 0)
		note_point(store, job);
	store->copying = NULL;
	give_back(store, job);
	return true;
}

/* ---- beginning ---- */

void backup_remove_copy(struct store *store)
{
	static const char *const names[] = { COPY_NAME, COPY_NAME "-journal", COPY_NAME "-wal" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		(void)store->seams->files->unlink(store->seams->files, names[i]);
}

static void end(struct store *store)
{
	backup_remove_copy(store);
	if (store->backup != BACKUP_NONE)
		segments_unpin(store->segments);
	store->backup = BACKUP_NONE;
	store->backup_owner = NULL;
}

/* The copy was made, or not, or nobody waits for it any more. */
static void copied(struct job *job)
{
	struct store *store = job->store;
	if (job->peer && job->peer == store->backup_owner && job->err.kind == ERR_NONE)
		store->backup = BACKUP_READY;
	else
		end(store);
}

static enum produced begin_produce(struct job *job, struct frame *frame)
{
	if (job->finished)
		return PRODUCED_END;
	if (job->worked == 0) {
		*frame = job->ask;
		return PRODUCED_FRAME;
	}
	size_t n = job->items.n - job->at;
	job->step = n > SEGMENTS_A_FRAME ? SEGMENTS_A_FRAME : n;
	*frame = (struct frame){ .type = FRAME_BACKUP_SEGMENTS,
		.backup_segments = {
			.segments = { job->step ? vec_at(&job->items, job->at) : NULL, job->step },
			.last = job->step == n } };
	return PRODUCED_FRAME;
}

static void begin_sent(struct job *job)
{
	if (job->worked++ == 0)
		return;
	job->at += job->step;
	job->finished = job->at == job->items.n;
}

ASK(ask_backup_begin)
{
	static const struct job_class class = {
		.name = "backup", .always = copied, .produce = begin_produce, .sent = begin_sent
	};
	struct store *store = peer->store;
	struct err err = ERR_INIT;
	(void)session;
	if (store->backup != BACKUP_NONE) {
		fail(&err, ERR_IN_USE, "another backup is being made");
		peer_fail(peer, request, &err);
		return;
	}
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return;
	segments_pin(store->segments); /* what is named now can be read to the end */
	store->backup = BACKUP_COPYING;
	store->backup_owner = peer;
	store->under_way++;
	job_queue_put(&store->to_copy, job);
	store->seams->executor->wake(store->writer);
}

/* ---- reading ---- */

static ssize_t read_copy(struct store *store, uint64_t at, void *p, size_t n, struct err *err)
{
	struct files_seam *files = store->seams->files;
	int file = files->open(files, COPY_NAME, O_RDONLY, 0);
	if (file < 0)
		return FAIL_SEAM(err, file, "the copy of the ledger");
	size_t done = 0;
	ssize_t got = 1;
	while (done < n && got != 0) {
		got = files->pread(files, file, (char *)p + done, n - done, (off_t)(at + done));
		if (got < 0 && got != -EINTR)
			break;
		done += got > 0 ? (size_t)got : 0;
	}
	(void)files->close(files, file);
	return got < 0 && got != -EINTR ? FAIL_SEAM(err, got, "the copy of the ledger")
					: (ssize_t)done;
}

/* A turn's worth; size: bytes of the whole answer that were not read yet. */
static void read_work(struct reading *r, struct job *job)
{
	struct frame_backup_read *ask = &job->ask.backup_read;
	size_t n = ask->length < BYTES_A_TURN ? (size_t)ask->length : BYTES_A_TURN;
	buf_clear(&job->bytes);
	job->at = 0;
	char *p = buf_reserve(&job->bytes, n ? n : 1);
	ssize_t got = ask->segment ? segments_read_raw(r->store->segments, ask->segment,
					     ask->offset, p, n, &job->err)
				   : read_copy(r->store, ask->offset, p, n, &job->err);
	if (got < 0)
		return;
	buf_used(&job->bytes, (size_t)got);
	ask->offset += (uint64_t)got;
	ask->length = (size_t)got < n ? 0 : ask->length - n; /* 0: the end */
}

static enum produced read_produce(struct job *job, struct frame *frame)
{
	uint64_t left = job->ask.backup_read.length;
	if (job->finished)
		return PRODUCED_END;
	if (job->at == job->bytes.n && left)
		return PRODUCED_WORK;
	size_t n = job->bytes.n - job->at;
	job->step = n > BYTES_A_FRAME ? BYTES_A_FRAME : n;
	*frame = (struct frame){ .type = FRAME_BACKUP_BYTES,
		.backup_bytes = { .data = str_sub(buf_str(&job->bytes), job->at, job->step),
			.last = job->step == n && left == 0 } };
	return PRODUCED_FRAME;
}

static void read_sent(struct job *job)
{
	job->at += job->step;
	job->finished = job->at == job->bytes.n && job->ask.backup_read.length == 0;
}

ASK(ask_backup_read)
{
	static const struct job_class class = { .name = "backup-read",
		.work = read_work,
		.produce = read_produce,
		.sent = read_sent,
		.cost = BYTES_A_TURN };
	struct err err = ERR_INIT;
	(void)session;
	if (peer->store->backup_owner != peer || peer->store->backup != BACKUP_READY) {
		fail(&err, ERR_NOT_NOW, "no backup is being made");
		peer_fail(peer, request, &err);
		return;
	}
	struct job *job = job_new(peer, &class, request, frame);
	if (job)
		job_read(job);
}

/* ---- ending ---- */

void backup_leave(struct store_peer *peer)
{
	/* While the copy is being made its job finds that the peer is gone (copied). */
	if (peer->store->backup_owner != peer)
		return;
	peer->store->backup_owner = NULL;
	if (peer->store->backup == BACKUP_READY)
		end(peer->store);
}

ASK(ask_backup_end)
{
	(void)session;
	(void)frame;
	backup_leave(peer);
	peer_send(peer, request, &(struct frame){ .type = FRAME_DONE });
}
