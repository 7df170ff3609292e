// SPDX-License-Identifier: Apache-2.0
/* Segments on a disk that works: what is appended is read, by ranges and by threads; limits; damage
 * of every byte is noticed. What a crash leaves is in segment_crash_test.c. */
#include "store/segment_private.h"
#include "store/crc32c.h"
#include "store/segment_test.h"

#include <unistd.h>

struct world {
	struct files_sim *sim;
	struct spooler *spooler;
	struct segments *s;
	struct segment_reader *r;
	struct segments_report report;
	struct segments_options options;
	struct err err;
};

static void world_open(struct world *w)
{
	w->s = segments_open(&w->options, &w->report, &w->err);
	if (w->s == NULL)
		fail_msg("open: %s", err_log_text(&w->err));
	w->r = segment_reader_new(w->s);
}

static void world_close(struct world *w)
{
	segment_reader_free(&w->r);
	segments_close(&w->s);
}

static struct world world_new(void)
{
	struct world w = { .sim = files_sim_new(1) };
	w.options = test_options(&w.sim->seam);
	w.spooler = spooler_new(&w.sim->seam);
	world_open(&w);
	return w;
}

static void world_done(struct world *w)
{
	world_close(w);
	spooler_free(&w->spooler);
	assert_int_equal(files_sim_open_files(w->sim), 0);
	files_sim_free(&w->sim);
}

static struct blob_ref put(struct world *w, uint64_t number, size_t length, uint32_t *prefix_at)
{
	struct message m = { number, length };
	struct blob_ref ref;
	if (message_append(w->s, w->spooler, &m, &ref, prefix_at, &w->err) < 0)
		fail_msg("append: %s", err_log_text(&w->err));
	return ref;
}

static void flush_all(struct world *w)
{
	if (segments_flush(w->s, &w->err) < 0)
		fail_msg("flush: %s", err_log_text(&w->err));
}

static int count_record(void *arg, const struct segment_record *record)
{
	(void)record;
	++*(int *)arg;
	return 0;
}

static struct segment_walk walk_all(struct segments *s)
{
	struct err err = ERR_INIT;
	int n = 0;
	struct segment_walk walk = { .record = count_record, .arg = &n, .bodies = true };
	assert_int_equal(segments_walk(s, &walk, &err), 0);
	assert_int_equal(n, walk.n_records);
	return walk;
}

/* Chunk and batch limits at N-1, N, N+1; one flush for all of them. */
static void every_length_is_read_back(void **state)
{
	(void)state;
	static const size_t lengths[] = { 0, 1, 7, 8, 1000, LIMIT_CHUNK_BYTES - 1,
		LIMIT_CHUNK_BYTES, LIMIT_CHUNK_BYTES + 1, 3 * LIMIT_CHUNK_BYTES,
		LIMIT_SPOOL_MEMORY_BYTES, LIMIT_SPOOL_MEMORY_BYTES + 1, LIMIT_SEGMENT_BATCH - 1300,
		LIMIT_SEGMENT_BATCH, LIMIT_SEGMENT_BATCH + 1, 3 * LIMIT_SEGMENT_BATCH + 5 };
	struct world w = world_new();
	struct blob_ref refs[2 * ARRAY_LEN(lengths)];
	uint32_t at[ARRAY_LEN(refs)];
	for (size_t i = 0; i < ARRAY_LEN(refs); i++)
		refs[i] = put(&w, i % 2 ? 4 * i : 4 * i + 1, lengths[i / 2], &at[i]);
	uint64_t flushes = w.sim->flushes;
	flush_all(&w);
	assert_int_equal(w.sim->flushes, flushes + 1);
	assert_int_equal(segments_totals(w.s).records, ARRAY_LEN(refs));
	for (int again = 0; again < 2; again++) {
		for (size_t i = 0; i < ARRAY_LEN(refs); i++) {
			struct message m = { i % 2 ? 4 * i : 4 * i + 1, lengths[i / 2] };
			assert_true(message_is_there(w.r, &m, &refs[i], at[i]));
		}
		assert_int_equal(walk_all(w.s).n_findings, 0);
		assert_int_equal(walk_all(w.s).n_records, ARRAY_LEN(refs));
		world_close(&w);
		files_sim_settle(w.sim);
		world_open(&w);
	}
	assert_int_equal(w.report.orphan_records, ARRAY_LEN(refs)); /* no rows were told */
	world_done(&w);
}

/* A record that fills the batch to the byte, one less and one more go their different ways. */
static void batch_limit_is_exact(void **state)
{
	(void)state;
	struct world w = world_new();
	/* Header, chunks, recipient and prefix take as much with a body that is a little shorter.
	 */
	uint32_t at;
	size_t rest = put(&w, 1, LIMIT_SEGMENT_BATCH - 2048, &at).length -
		      (LIMIT_SEGMENT_BATCH - 2048);
	segments_forget(w.s);
	for (int k = -1; k <= 1; k++) {
		struct message m = { 1, LIMIT_SEGMENT_BATCH - rest + (size_t)(8 * k) };
		struct blob_ref ref = put(&w, 1, m.length, &at);
		assert_int_equal(ref.length, LIMIT_SEGMENT_BATCH + 8 * k);
		/* in memory as a whole, or streamed: then the little behind its last piece is */
		assert_int_equal(w.s->n >= ref.length, k <= 0);
		flush_all(&w);
		assert_true(message_is_there(w.r, &m, &ref, at));
	}
	assert_int_equal(walk_all(w.s).n_records, 3);
	assert_int_equal(walk_all(w.s).n_findings, 0);
	world_done(&w);
}

static void ranges_are_read(void **state)
{
	(void)state;
	struct world w = world_new();
	struct message m[2] = { { 1, 200000 }, { 4, 200000 } };
	struct blob_ref refs[2];
	uint32_t at;
	char *want = xmalloc(200000), *got = xmalloc(200000);
	for (int k = 0; k < 2; k++)
		refs[k] = put(&w, m[k].number, m[k].length, &at);
	flush_all(&w);
	for (int i = 0; i < 2000; i++) {
		int k = i % 2;
		size_t from = files_sim_below(w.sim, 200100), n = files_sim_below(w.sim, 140000);
		ssize_t have = segment_read(w.r, &refs[k], from, got, n, &w.err);
		size_t expect = from >= 200000 ? 0 : n < 200000 - from ? n : 200000 - from;
		assert_int_equal(have, expect);
		message_bytes(&m[k], from, expect, want);
		assert_memory_equal(got, want, expect);
	}
	free(want);
	free(got);
	world_done(&w);
}

static void recipients_and_prefixes_have_limits(void **state)
{
	(void)state;
	struct world w = world_new();
	struct message m = { 1, 100 };
	struct blob_ref ref;
	static struct record_recipient to[LIMIT_RECORD_RECIPIENTS + 1];
	static uint32_t at[LIMIT_RECORD_RECIPIENTS + 1];
	static char prefix[LIMIT_PREFIX_BYTES + 1], got[LIMIT_PREFIX_BYTES + 1];
	struct spool *spool = message_spool(w.spooler, &m);
	memset(prefix, 'p', sizeof(prefix));
	for (int more = -1; more <= 1; more++) {
		to[0].prefix = str_make(prefix, (size_t)(LIMIT_PREFIX_BYTES + more));
		int result = segments_append(w.s, spool, to, 1, &ref, at, &w.err);
		assert_int_equal(result, more > 0 ? -1 : 0);
		if (result == 0)
			flush_all(&w);
		if (result == 0)
			assert_int_equal(
				segment_read_prefix(w.r, &ref, at[0], got, sizeof(got), &w.err),
				LIMIT_PREFIX_BYTES + more);
	}
	assert_int_equal(w.err.kind, ERR_LIMIT);
	for (size_t i = 0; i < ARRAY_LEN(to); i++)
		to[i] = (struct record_recipient){ .account = i,
			.prefix = str_make(prefix, LIMIT_PREFIX_BYTES) };
	for (int more = -1; more <= 1; more++) {
		size_t n = (size_t)(LIMIT_RECORD_RECIPIENTS + more);
		int result = segments_append(w.s, spool, to, n, &ref, at, &w.err);
		assert_int_equal(result, more > 0 ? -1 : 0);
		if (result < 0)
			continue;
		flush_all(&w);
		for (size_t i = 0; i < n; i += 100)
			assert_int_equal(
				segment_read_prefix(w.r, &ref, at[i], got, sizeof(got), &w.err),
				LIMIT_PREFIX_BYTES);
	}
	struct segment_walk walk = walk_all(w.s);
	assert_int_equal(walk.n_findings, 0);
	assert_int_equal(walk.n_records, 4);
	spool_free(&spool);
	world_done(&w);
}

/* A segment is sealed at the first record that ends behind its size; the readers' descriptors have
 * a limit, which reading more segments does not pass. */
static void segments_roll(void **state)
{
	(void)state;
	enum { N = LIMIT_SEGMENT_FILES + 10 };
	struct world w = { .sim = files_sim_new(1) };
	w.options = test_options(&w.sim->seam);
	w.options.segment_bytes = 20000;
	w.spooler = spooler_new(&w.sim->seam);
	world_open(&w);
	struct blob_ref refs[N];
	uint32_t at[N];
	for (size_t i = 0; i < N; i++) {
		refs[i] = put(&w, 4 * i + 1, 20000, &at[i]);
		if (i % 3 == 0)
			flush_all(&w);
	}
	flush_all(&w);
	assert_int_equal(refs[0].segment, 1);
	assert_true(refs[N - 1].segment > LIMIT_SEGMENT_FILES);
	for (int again = 0; again < 2; again++)
		for (size_t i = 0; i < N; i++) {
			struct message m = { 4 * i + 1, 20000 };
			assert_true(message_is_there(w.r, &m, &refs[i], at[i]));
			/* what is read, up to the limit, and the writer's own */
			int most = again || refs[i].segment > LIMIT_SEGMENT_FILES
					   ? LIMIT_SEGMENT_FILES
					   : (int)refs[i].segment;
			assert_int_equal(files_sim_open_files(w.sim), most + 1);
		}
	assert_int_equal(walk_all(w.s).n_findings, 0);
	assert_int_equal(walk_all(w.s).n_records, N);
	assert_int_equal(segments_totals(w.s).segments, refs[N - 1].segment);
	world_done(&w);
}

/* LIMIT_SEGMENT_BYTES, or what is set in its place, at N-1, N and N+1: a segment that is as long is
 * sealed before the next record. */
static void segment_size_is_exact(void **state)
{
	(void)state;
	struct world w = world_new();
	assert_int_equal(w.s->options.segment_bytes, LIMIT_SEGMENT_BYTES);
	struct blob_ref first = put(&w, 1, 5000, NULL);
	flush_all(&w);
	uint64_t end = segment_block_up(first.offset + first.length);
	for (int more = -1; more <= 1; more++) {
		w.s->options.segment_bytes = end + (uint64_t)more;
		struct blob_ref second = put(&w, 2, 100, NULL);
		assert_int_equal(second.segment, more > 0 ? first.segment : first.segment + 1);
		segments_forget(w.s);
		first = put(&w, 1, 5000, NULL);
		flush_all(&w);
		end = segment_block_up(first.offset + first.length);
	}
	assert_int_equal(walk_all(w.s).n_findings, 0);
	world_done(&w);
}

static void forget_leaves_nothing(void **state)
{
	(void)state;
	struct world w = world_new();
	uint32_t at;
	struct blob_ref first = put(&w, 1, 5000, &at);
	flush_all(&w);
	for (size_t n = 100; n < 3 * LIMIT_SEGMENT_BATCH; n *= 50) { /* in memory, and written */
		put(&w, 2, n, NULL);
		segments_forget(w.s);
		assert_int_equal(walk_all(w.s).n_records, 1);
		flush_all(&w);
		assert_int_equal(walk_all(w.s).n_records, 1);
		assert_int_equal(walk_all(w.s).n_findings, 0);
	}
	struct blob_ref second = put(&w, 3, 3000, &at);
	flush_all(&w);
	assert_int_equal(second.offset, segment_block_up(first.offset + first.length));
	assert_int_equal(walk_all(w.s).n_records, 2);
	world_done(&w);
}

/* Q3: appends are refused below the reserve, at N-1, N, N+1, and come back with the room. */
static void the_reserve_is_kept(void **state)
{
	(void)state;
	struct world w = world_new();
	struct message m = { 1, 1000 };
	struct blob_ref ref;
	for (int more = -1; more <= 1; more++) {
		w.sim->free_bytes = LIMIT_DISK_RESERVE_BYTES + 1000 + more;
		int result = message_append(w.s, w.spooler, &m, &ref, NULL, &w.err);
		assert_int_equal(result, more < 0 ? -1 : 0);
		assert_int_equal(w.err.kind, ERR_FULL);
		segments_forget(w.s);
	}
	world_done(&w);
}

static unsigned asked_for_room;

static int64_t count_asking(struct files_seam *files)
{
	(void)files;
	asked_for_room++;
	return LIMIT_DISK_RESERVE_BYTES + 2500;
}

/* Once for a batch; again when that would not do. */
static void room_is_asked_for_by_the_batch(void **state)
{
	(void)state;
	struct world w = world_new();
	struct message m = { 1, 1000 };
	struct blob_ref ref;
	w.sim->seam.free_bytes = count_asking;
	asked_for_room = 0;
	put(&w, 1, 1000, NULL);
	put(&w, 2, 1000, NULL);
	assert_int_equal(asked_for_room, 1);
	assert_int_equal(message_append(w.s, w.spooler, &m, &ref, NULL, &w.err), -1);
	assert_int_equal(asked_for_room, 2);
	put(&w, 1, 1000, NULL);
	assert_int_equal(asked_for_room, 3);
	flush_all(&w);
	put(&w, 2, 1000, NULL);
	assert_int_equal(asked_for_room, 4);
	world_done(&w);
}

/* G5: whichever byte of the file is wrong, no wrong byte is read, and the walk finds it. */
static void g5_every_damaged_byte_is_noticed(void **state)
{
	(void)state;
	struct world w = world_new();
	struct blob_ref refs[4];
	uint32_t at[4];
	static const size_t lengths[] = { 900, 0, 700, 1500 };
	for (size_t i = 0; i < 4; i++) {
		refs[i] = put(&w, i, lengths[i], &at[i]);
		if (i == 2)
			flush_all(&w);
	}
	flush_all(&w);
	uint64_t end = segment_block_up(refs[3].offset + refs[3].length);
	for (size_t byte = 0; byte < end; byte += TEST_STEP) {
		struct segment_reader *r = segment_reader_new(w.s);
		files_sim_damage(w.sim, "blobs/00000001", byte, (uint8_t)(1U << byte % 8));
		int lost = 0;
		for (size_t i = 0; i < 4; i++) {
			struct message m = { i, lengths[i] };
			lost += !message_is_there(r, &m, &refs[i], at[i]);
		}
		assert_true(lost <= 1); /* isolated to one message */
		if (walk_all(w.s).n_findings != 1)
			fail_msg("byte %zu: %d findings", byte, (int)walk_all(w.s).n_findings);
		files_sim_damage(w.sim, "blobs/00000001", byte, (uint8_t)(1U << byte % 8));
		segment_reader_free(&r);
	}
	assert_int_equal(walk_all(w.s).n_findings, 0);
	world_done(&w);
}

/* G5: lost and misdirected writes. Each flushed record is there or is said not to be. */
static void g5_lost_and_misdirected_writes_are_noticed(void **state)
{
	(void)state;
	for (uint64_t write = 1; write < 40; write++) {
		struct world w = world_new();
		struct files_sim_plan plan = { .lose_write = write % 2 ? write / 2 + 1 : 0,
			.misdirect_write = write % 2 ? 0 : write / 2 };
		files_sim_plan(w.sim, plan);
		struct blob_ref refs[20];
		uint32_t at[20];
		int lost = 0;
		for (size_t i = 0; i < 20; i++) {
			refs[i] = put(&w, i, 4500, &at[i]);
			flush_all(&w);
		}
		for (size_t i = 0; i < 20; i++) {
			struct message m = { i, 4500 };
			lost += !message_is_there(w.r, &m, &refs[i], at[i]);
		}
		assert_true(lost <= 3);
		world_done(&w);
	}
}

/* G6: rows that name what is not there. */
static void wrong_refs_are_refused(void **state)
{
	(void)state;
	struct world w = world_new();
	uint32_t at;
	char got[100];
	struct blob_ref good = put(&w, 1, 5000, &at), other = put(&w, 2, 5000, NULL);
	flush_all(&w);
	struct blob_ref bad[] = { good, good, good, good, good, good, good, good };
	bad[0].id++;
	bad[1].segment = 2;
	bad[2].offset = other.offset;
	bad[3].length -= 8;
	bad[4].offset = 1ULL << 60;
	bad[5].segment = 0;
	bad[6].length = UINT64_MAX;
	bad[7].offset = UINT64_MAX -
			99; /* its end is behind the beginning of what is in the window */
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(segment_read(w.r, &bad[i], 0, got, sizeof(got), &w.err), -1);
		assert_int_equal(w.err.kind, ERR_CORRUPT);
		assert_int_equal(segment_read(w.r, &good, 0, got, sizeof(got), &w.err), 100);
	}
	static const uint32_t places[] = { 0, 4, 128, 5000, UINT32_MAX };
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		assert_int_equal(
			segment_read_prefix(w.r, &good, places[i], got, sizeof(got), &w.err), -1);
	struct segment_body body;
	assert_int_equal(segment_read_header(w.r, &good, &body, &w.err), 0);
	assert_int_equal(body.raw_length, 5000);
	assert_int_equal(segment_verify(w.r, &good, &body, &w.err), 0);
	body.sha256[0] ^= 1;
	assert_int_equal(segment_verify(w.r, &good, &body, &w.err), -1);
	world_done(&w);
}

/* A rebuild: every record with its recipients. */
static int compare_record(void *arg, const struct segment_record *record)
{
	uint64_t *next = arg;
	char prefix[64];
	struct message m = { *next, 3000 };
	assert_int_equal(record->n_recipients, 1);
	assert_int_equal(record->recipients[0].account, *next);
	assert_int_equal(record->recipients[0].time_ms, -5);
	assert_str(record->recipients[0].prefix, str_make(prefix, message_prefix(&m, prefix)));
	assert_int_equal(record->raw_length, 3000);
	++*next;
	return *next == 8 ? 3 : 0;
}

static void the_walk_tells_recipients(void **state)
{
	(void)state;
	struct world w = world_new();
	for (uint64_t i = 0; i < 10; i++)
		put(&w, i, 3000, NULL);
	flush_all(&w);
	uint64_t next = 0;
	struct segment_walk walk = { .record = compare_record, .arg = &next };
	assert_int_equal(segments_walk(w.s, &walk, &w.err), 3); /* ended by the callback */
	assert_int_equal(next, 8);
	world_done(&w);
}

/* G8: another store's and a newer version's segments. */
static void g8_foreign_segments_are_refused(void **state)
{
	(void)state;
	struct world w = world_new();
	struct message m = { 1, 100 };
	uint32_t at;
	struct blob_ref ref = put(&w, 1, 100, &at);
	flush_all(&w);
	world_close(&w);
	struct segments_options other = w.options;
	other.store_id[0] ^= 1;
	assert_null(segments_open(&other, &w.report, &w.err));
	assert_int_equal(w.err.kind, ERR_CONFIG);
	world_open(&w);
	assert_true(message_is_there(w.r, &m, &ref, at));
	world_close(&w);
	/* version 2, with its right checksum */
	uint8_t p[SEGMENT_HEADER_BYTES];
	struct segment_header h = { .number = 1, .epoch = 1 };
	segment_put_header(p, &h);
	size_t n;
	const uint8_t *now = files_sim_bytes(w.sim, "blobs/00000001", &n);
	memcpy(p, now, sizeof(p));
	p[8] = 2;
	uint32_t crc = crc32c(0, p, 60);
	for (int i = 0; i < 4; i++)
		p[60 + i] = (uint8_t)(crc >> 8 * i);
	for (size_t i = 0; i < sizeof(p); i++)
		files_sim_damage(w.sim, "blobs/00000001", i, p[i] ^ now[i]);
	assert_null(segments_open(&w.options, &w.report, &w.err));
	assert_int_equal(w.err.kind, ERR_UNSUPPORTED);
	spooler_free(&w.spooler);
	files_sim_free(&w.sim);
}

/* Readers in threads beside the writer, on the system's own files. */
struct reading {
	struct segments *s;
	pthread_mutex_t lock;
	struct blob_ref refs[300];
	uint32_t at[300];
	size_t n;
	bool done;
};

static void *read_along(void *arg)
{
	struct reading *x = arg;
	struct segment_reader *r = segment_reader_new(x->s);
	uintptr_t wrong = 0;
	for (bool done = false; !done;) {
		pthread_mutex_lock(&x->lock);
		size_t n = x->n;
		done = x->done;
		pthread_mutex_unlock(&x->lock);
		for (size_t i = n > 20 && !done ? n - 20 : 0; i < n; i++) {
			struct message m = { i, 100 * i };
			wrong += !message_is_there(r, &m, &x->refs[i], x->at[i]);
		}
	}
	segment_reader_free(&r);
	return (void *)wrong;
}

/* A directory of the system's own files. */
struct place {
	char directory[64];
	struct files_seam *files;
};

static struct place place_new(void)
{
	struct place p = { "/tmp/culver-segments-XXXXXX", NULL };
	struct err err = ERR_INIT;
	assert_non_null(mkdtemp(p.directory));
	p.files = files_os_new(p.directory, &err);
	assert_non_null(p.files);
	return p;
}

static void place_done(struct place *p, uint32_t segments)
{
	for (uint32_t number = 1; number <= segments; number++) {
		char name[SEGMENT_NAME_BYTES];
		segment_name(name, number, "");
		assert_int_equal(p->files->unlink(p->files, name), 0);
	}
	files_os_free(&p->files);
	char blobs[80];
	snprintf(blobs, sizeof(blobs), "%s/blobs", p->directory);
	assert_int_equal(rmdir(blobs), 0);
	assert_int_equal(rmdir(p->directory), 0);
}

/* The copy past the page cache, by O_DIRECT where /tmp has it; of a file that ends in a block, and
 * of one that was cut. */
static void distrust_on_the_systems_files(void **state)
{
	(void)state;
	struct place p = place_new();
	struct world w = { .sim = files_sim_new(1) };
	w.options = test_options(p.files);
	w.spooler = spooler_new(p.files);
	struct message m = { 1, 3000000 };
	struct blob_ref ref;
	uint32_t at;
	for (int opened = 0; opened < 4; opened++) {
		world_open(&w);
		assert_int_equal(w.report.copied, opened > 0);
		assert_int_equal(w.report.damaged_records, 0);
		assert_int_equal(w.report.cut_bytes, 0);
		if (opened == 0)
			ref = put(&w, 1, m.length, &at);
		flush_all(&w);
		assert_true(message_is_there(w.r, &m, &ref, at));
		w.options.distrust = true;
		w.options.committed = (struct segment_end){ ref.segment, ref.offset + ref.length };
		world_close(&w);
	}
	spooler_free(&w.spooler);
	files_sim_free(&w.sim);
	place_done(&p, 1);
}

static void threads_read_along(void **state)
{
	(void)state;
	struct place place = place_new();
	struct err err = ERR_INIT;
	struct spooler *spooler = spooler_new(place.files);
	struct segments_options options = test_options(place.files);
	options.segment_bytes = 300000;
	struct segments_report report;
	static struct reading x = { .lock = PTHREAD_MUTEX_INITIALIZER };
	x.s = segments_open(&options, &report, &err);
	assert_non_null(x.s);
	pthread_t threads[3];
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_along, &x), 0);
	for (size_t i = 0; i < ARRAY_LEN(x.refs); i++) {
		struct message m = { i, 100 * i };
		assert_int_equal(message_append(x.s, spooler, &m, &x.refs[i], &x.at[i], &err), 0);
		if (i % 7)
			continue;
		assert_int_equal(segments_flush(x.s, &err), 0);
		pthread_mutex_lock(&x.lock);
		x.n = i + 1;
		pthread_mutex_unlock(&x.lock);
	}
	pthread_mutex_lock(&x.lock);
	x.done = true;
	pthread_mutex_unlock(&x.lock);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		void *wrong;
		pthread_join(threads[i], &wrong);
		assert_ptr_equal(wrong, NULL);
	}
	segments_forget(x.s);
	struct segments_totals totals = segments_totals(x.s);
	segments_close(&x.s);
	spooler_free(&spooler);
	place_done(&place, totals.segments);
}

TEST_MAIN(test_case(every_length_is_read_back), test_case(batch_limit_is_exact),
	test_case(ranges_are_read), test_case(recipients_and_prefixes_have_limits),
	test_case(segments_roll), test_case(segment_size_is_exact),
	test_case(forget_leaves_nothing), test_case(the_reserve_is_kept),
	test_case(room_is_asked_for_by_the_batch), test_case(g5_every_damaged_byte_is_noticed),
	test_case(g5_lost_and_misdirected_writes_are_noticed), test_case(wrong_refs_are_refused),
	test_case(the_walk_tells_recipients), test_case(g8_foreign_segments_are_refused),
	test_case(distrust_on_the_systems_files), test_case(threads_read_along))
