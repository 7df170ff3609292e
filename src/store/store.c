// SPDX-License-Identifier: Apache-2.0
/* The store's beginning and end, and the way back of what workers have done. */
#include "store/store_private.h"

#include "base/planted.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>

#include "store/distrust.h"
#include "store/ledger_copy.h"

/* ---- opening ---- */

/* One process a store. G9 */
static int take_lock(struct store *store, struct err *err)
{
	struct files_seam *files = store->seams->files;
	store->lock_file = files->open(files, "lock", O_RDWR | O_CREAT, 0600);
	if (store->lock_file < 0) {
		errno = -store->lock_file;
		return store->settings.read_only ? 0 : fail_errno(err, "the store's lock file");
	}
	int rc = files->lock(files, store->lock_file);
	if (rc == -EWOULDBLOCK)
		return fail(err, ERR_IN_USE, "another process has the store");
	if (rc < 0) {
		errno = -rc;
		return fail_errno(err, "the store's lock");
	}
	return 0;
}

static void become_read_only(struct store *store, const struct err *why)
{
	if (store->read_only)
		return;
	store->read_only = true;
	store->read_only_why = *why;
	struct log_text text;
	log_event(&store->log, LOG_ERROR, "store-read-only", "why=%s",
		log_value(&text, str_from(err_log_text(why))));
}

/* What a failed flush left could not be copied. A disk that is full now may have room later, so it
 * is tried again; what was copied and does not verify would not verify then. */
static void copy_failed(struct store *store, const struct err *why)
{
	struct clock_seam *clock = store->seams->clock;
	become_read_only(store, why);
	if (why->kind != ERR_CORRUPT)
		store->distrust_again_ms = clock->monotonic_ms(clock) + LIMIT_DISTRUST_AGAIN_MS;
}

/* A flush failed before: the ledger is copied into a new file, or nothing is written. */
static int distrust_ledger(struct store *store, struct err *err)
{
	struct err why = ERR_INIT;
	log_event(&store->log, LOG_WARN, "store-distrust", "step=copy-ledger");
	if (ledger_copy(store->seams, &why) < 0) {
		/* When the copy was decided on, the old ledger may have lost its log: it would
		 * show the past. Who can't finish does not start. */
		if (ledger_copy_finish(store->seams, err) < 0)
			return -1;
		copy_failed(store, &why);
		if (!planted("page_cache_shown"))
			ledger_read_from_disk(store->seams->files);
	}
	return 0;
}

/* A ledger that is missing, or that a file system has left without a byte, is not simply begun
 * anew: what is in the segments would be nobody's. */
static int must_have_ledger(struct files_seam *files, struct err *err)
{
	uint8_t id[16];
	uint64_t epoch;
	struct err none = ERR_INIT;
	int file = files->open(files, "ledger.db", O_RDONLY, 0);
	int64_t size = file < 0 ? file : files->size(files, file);
	if (file >= 0)
		(void)files->close(files, file);
	if ((size != -ENOENT && size != 0) || segments_identity(files, id, &epoch, &none) < 0)
		return 0;
	return fail_log(err, ERR_CORRUPT,
		"ledger.db is %s; restore a backup, or make it anew with culver store check "
		"--rebuild",
		size == 0 ? "empty" : "missing");
}

static int open_engine(struct store *store, struct err *err)
{
	struct engine_options options = { .seams = store->seams,
		.read_only = store->read_only,
		.bounds = store->settings.bounds,
		.reserve_bytes = store->settings.reserve_bytes };
	struct engine_rebuild rebuild;
	struct restored restored;
	int found = restored_find(store->seams->files, &restored, err);
	if (found < 0)
		return -1;
	if (found)
		options.restored = &restored;
	if (!store->rebuilding && must_have_ledger(store->seams->files, err) < 0)
		return -1;
	if (store->rebuilding) {
		if (rebuild_begin(store, &rebuild, err) < 0)
			return -1;
		options.rebuild = &rebuild;
	}
	store->engine = engine_sqlite.open(&options, err);
	if (store->engine == NULL)
		return -1;
	store->engine->before_commit = writer_before_commit;
	store->engine->before_commit_arg = store;
	if (!found || store->read_only)
		return 0;
	log_event(&store->log, LOG_WARN, "store-restored", "uidvalidity=%u", restored.uidvalidity);
	return restored_clear(store->seams->files, err);
}

static void log_segments(struct store *store, const struct segments_report *report)
{
	bool damage = report->missing_bytes || report->damaged_records;
	log_event(&store->log, damage ? LOG_ERROR : LOG_INFO, "store-segments",
		"segments=%u orphans=%" PRIu64 " cut=%" PRIu64 " missing=%" PRIu64
		" damaged=%" PRIu64 " carried=%" PRIu64 " copied=%d",
		report->segments, report->orphan_records, report->cut_bytes, report->missing_bytes,
		report->damaged_records, report->carried, report->copied);
}

static int carried(void *arg, each_carry each, void *each_arg, struct err *err)
{
	struct engine *engine = arg;
	return engine->class->carried(engine, each, each_arg, err);
}

static int open_segments(struct store *store, bool distrust, struct err *err)
{
	struct engine_identity id;
	struct segments_report report = { 0 };
	store->engine->class->identity(store->engine, &id);
	struct segments_options options = { .files = store->seams->files,
		.epoch = id.epoch,
		.now_ms = store->seams->clock->wall_ms(store->seams->clock),
		.committed = id.committed,
		.segment_bytes = store->settings.segment_bytes,
		.reserve_bytes = store->settings.reserve_bytes,
		.distrust = distrust,
		.read_only = store->read_only && !store->rebuilding,
		.keep_all = store->rebuilding,
		.carried = carried,
		.carried_arg = store->engine };
	memcpy(options.store_id, id.store_id, sizeof(options.store_id));
	memcpy(store->history, id.history, sizeof(store->history));
	store->segments = segments_open(&options, &report, err);
	if (store->segments == NULL)
		return -1;
	log_segments(store, &report);
	store->damage_seen += report.missing_bytes || report.damaged_records;
	if (report.read_only && !store->read_only)
		copy_failed(store, &report.reason);
	else if (report.read_only)
		become_read_only(store, &report.reason);
	return 0;
}

static int open_files(struct store *store, struct err *err)
{
	struct files_seam *files = store->seams->files;
	bool distrust = (store->settings.distrust || distrust_is_marked(files)) &&
			!planted("page_cache_trusted");
	if (store->settings.read_only) {
		store->read_only = true;
		fail(&store->read_only_why, ERR_READ_ONLY, "opened for reading");
	}
	if (!store->read_only && ledger_copy_finish(store->seams, err) < 0)
		return -1;
	int marked = store->read_only ? 0 : rebuild_is_marked(files, err);
	if (marked < 0)
		return -1;
	store->rebuilding = marked;
	if (!store->rebuilding && lost_log_look(store, &store->log_was_cut, err) < 0)
		return -1;
	if (distrust && !store->read_only && distrust_ledger(store, err) < 0)
		return -1;
	if (open_engine(store, err) < 0 || open_segments(store, distrust, err) < 0)
		return -1;
	struct err ignored = ERR_INIT;
	if (!store->settings.read_only)
		store->digests = digests_open(
			store->seams, distrust || store->log_was_cut, &ignored);
	if (distrust && !store->read_only && distrust_clear(files, &ignored) < 0)
		copy_failed(store, &ignored);
	if (store->rebuilding) {
		struct err why = ERR_INIT;
		fail(&why, ERR_READ_ONLY, "%s", rebuild_unfinished);
		become_read_only(store, &why);
	}
	store->spooler = spooler_new(files);
	spooler_reserve(store->spooler, store->settings.reserve_bytes);
	if (!store->settings.read_only)
		backup_remove_copy(store);
	return 0;
}

/* ---- workers ---- */

static struct worker *start(struct store *store, const char *name, bool (*step)(void *), void *arg)
{
	struct worker_spec spec = { .name = name, .step = step, .done = store_collect, .arg = arg };
	return store->seams->executor->start(store->seams->executor, &spec);
}

static void start_workers(struct store *store)
{
	for (uint32_t i = 0; i <= store->n_readers; i++)
		store->readings[i].store = store;
	store->maintaining = &store->readings[store->n_readers];
	store->writing.store = store;
	store->writer = start(store, "writer", writer_step, &store->writing);
	for (uint32_t i = 0; i < store->n_readers; i++)
		store->readings[i].worker = start(
			store, "reader", reading_step, &store->readings[i]);
	store->maintaining->worker = start(
		store, "maintainer", maintainer_step, store->maintaining);
	store->maintainer = store->maintaining->worker;
}

static void stop_workers(struct store *store)
{
	struct executor_seam *executor = store->seams->executor;
	if (store->writer)
		executor->stop(&store->writer);
	for (uint32_t i = 0; i <= store->n_readers; i++) {
		struct reading *r = &store->readings[i];
		if (r->worker)
			executor->stop(&r->worker);
		digest_reader_free(&r->digests);
		segment_reader_free(&r->segments);
		if (r->reader)
			store->engine->class->reader_close(&r->reader);
	}
	store->maintainer = NULL;
}

/* ---- life ---- */

void store_configure(struct store *store, const struct store_settings *s)
{
	bool bounded = s->message_bytes > 0 && s->message_bytes <= LIMIT_BODY_BYTES;
	store->settings.message_bytes = bounded ? s->message_bytes : LIMIT_BODY_BYTES;
	store->settings.keep_deleted_ms = s->keep_deleted_ms;
	store->settings.pop3_login_delay_ms = s->pop3_login_delay_ms;
}

static void init(struct store *store)
{
	store->seams->random->fill(store->seams->random, store->map_key, sizeof(store->map_key));
	map_init(&store->sessions, store->map_key, 1 << 24);
	map_init(&store->logs, store->map_key, 1 << 24);
	map_init(&store->account_watches, store->map_key, 1 << 24);
	map_init(&store->maildrops, store->map_key, 1 << 24);
	map_init(&store->known, store->map_key, LIMIT_KNOWN_ADDRESSES);
	openings_init(store);
	job_queue_init(&store->to_write);
	job_queue_init(&store->to_read);
	job_queue_init(&store->to_maintain);
	job_queue_init(&store->to_copy);
	job_queue_init(&store->finished);
	uint32_t n = store->settings.readers;
	store->n_readers = n < 1 ? 1 : n > MAX_READERS ? MAX_READERS : n;
	store_configure(store, &store->settings);
}

struct store *store_new(const struct seams *seams, const struct store_settings *settings,
	const struct log *log, struct err *err)
{
	struct store *store = xmalloc(sizeof(*store));
	store->seams = seams;
	store->settings = *settings;
	if (store->settings.bounds == NULL)
		store->settings.bounds = &store_bounds_normal;
	store->log = *log;
	store->lock_file = -1;
	init(store);
	if (take_lock(store, err) < 0 || open_files(store, err) < 0) {
		store_free(&store);
		return NULL;
	}
	reclaim_init(store);
	start_workers(store);
	return store;
}

void store_free(struct store **pstore)
{
	struct store *store = *pstore;
	if (store == NULL)
		return;
	*pstore = NULL;
	stop_workers(store);
	recents_save(store);
	while (store->peers) {
		struct store_peer *peer = store->peers;
		store_peer_remove(&peer);
	}
	reclaim_done(store);
	segment_reader_free(&store->mover);
	job_queue_done(&store->to_write);
	job_queue_done(&store->to_read);
	job_queue_done(&store->to_maintain);
	job_queue_done(&store->to_copy);
	if (store->copying)
		job_free(store->copying);
	job_queue_done(&store->finished);
	jobs_drop(store);
	bases_drop(store);
	map_done(&store->sessions);
	logs_done(store);
	map_done(&store->account_watches);
	map_done(&store->maildrops);
	known_done(store);
	openings_done(store);
	if (store->segments)
		segments_close(&store->segments);
	digests_close(&store->digests);
	if (store->engine)
		store->engine->class->close(&store->engine);
	spooler_free(&store->spooler);
	if (store->lock_file >= 0)
		store->seams->files->close(store->seams->files, store->lock_file);
	mem_wipe(store->settings.ticket_key, sizeof(store->settings.ticket_key));
	free(store);
}

bool store_read_only(const struct store *store, struct err *ret_why)
{
	if (store->read_only && ret_why)
		*ret_why = store->read_only_why;
	return store->read_only;
}

bool store_is_idle(const struct store *store)
{
	/* What upkeep does can end anywhere. */
	if (store->under_way > (store->reclaim.busy ? 1 : 0) || store->unpublished)
		return false;
	for (const struct store_peer *peer = store->peers; peer; peer = peer->next)
		if (peer->jobs)
			return false;
	return true;
}

/* ---- the way back ---- */

static void finish(struct store *store, struct job *job)
{
	store->under_way--;
	if (job->txn && job->err.kind == ERR_NONE) {
		known_after(store, job->txn);
		publish(store, job->txn);
		txn_forget_changes(job->txn);
	}
	if (job->class->always)
		job->class->always(job);
	if (job->peer == NULL)
		job_free(job);
	else if (job->err.kind != ERR_NONE)
		job_answer_failed(job, &job->err);
	else if (job->class->done == NULL || job->class->done(job))
		peer_out(job->peer, job);
}

/* After a failed flush: not one answer more. */
static void end(struct store *store)
{
	if (store->told_ended)
		return;
	store->told_ended = true;
	struct log_text text;
	log_event(&store->log, LOG_ERROR, "store-ended", "why=%s",
		log_value(&text, str_from(err_log_text(&store->ended_why))));
	if (store->settings.ended)
		store->settings.ended(store->settings.arg, &store->ended_why);
}

bool store_copies_again(struct store *store)
{
	struct clock_seam *clock = store->seams->clock;
	struct err why = ERR_INIT;
	if (store->distrust_again_ms == 0 || clock->monotonic_ms(clock) < store->distrust_again_ms)
		return false;
	store->distrust_again_ms = 0;
	fail(&why, ERR_TEMP, "what a failed flush left is to be copied once more");
	store_end(store, &why);
	end(store);
	return true;
}

void store_collect(void *arg)
{
	struct reading *r = arg;
	struct store *store = r->store;
	if (store->ended) {
		end(store);
		return;
	}
	struct job *job;
	while ((job = job_queue_take(&store->finished, 1)) != NULL)
		finish(store, job);
	jobs_retry(store);
}
