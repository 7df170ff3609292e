// SPDX-License-Identifier: Apache-2.0
/* What reclaim asks of segments: copies that are the record, removing what nobody holds, and what a
 * crash in between leaves (hostile-input G1, G2, G4, G12); places far out (G11); keys that there
 * are not. */
#include "store/segment_private.h"
#include "store/segment_test.h"

#include <unistd.h>

enum { MOST = 40 };

/* Segments, and the ledger that goes with them: which messages live, and where. */
struct run {
	struct files_sim *sim;
	struct spooler *spooler;
	struct segments *s;
	struct segments_options options;
	struct segments_report report;
	struct message messages[MOST];
	struct blob_ref refs[MOST];
	uint32_t prefix_at[MOST];
	size_t n;
	struct err err;
};

static bool run_open(struct run *r)
{
	struct segment_end *end = &r->options.committed;
	for (size_t i = 0; i < r->n; i++) {
		const struct blob_ref *ref = &r->refs[i];
		if (ref->segment > end->segment)
			*end = (struct segment_end){ ref->segment, 0 };
		if (ref->segment == end->segment && ref->offset + ref->length > end->offset)
			end->offset = ref->offset + ref->length;
	}
	r->s = segments_open(&r->options, &r->report, &r->err);
	return r->s != NULL;
}

static void append(struct run *r, uint64_t number, size_t length)
{
	struct message m = { number, length };
	assert_true(r->n < MOST);
	assert_int_equal(
		message_append(r->s, r->spooler, &m, &r->refs[r->n], &r->prefix_at[r->n], &r->err),
		0);
	assert_int_equal(segments_flush(r->s, &r->err), 0);
	r->messages[r->n++] = m;
}

static struct run run_new(uint64_t seed, uint64_t segment_bytes)
{
	struct run r = { .sim = files_sim_new(seed) };
	r.options = test_options(&r.sim->seam);
	r.options.segment_bytes = segment_bytes;
	r.spooler = spooler_new(&r.sim->seam);
	assert_true(run_open(&r));
	return r;
}

static void run_done(struct run *r)
{
	segments_close(&r->s);
	spooler_free(&r->spooler);
	files_sim_free(&r->sim);
}

/* The message's row goes: its record is dead. */
static void forget(struct run *r, size_t i)
{
	for (r->n--; i < r->n; i++) {
		r->messages[i] = r->messages[i + 1];
		r->refs[i] = r->refs[i + 1];
		r->prefix_at[i] = r->prefix_at[i + 1];
	}
}

static void verify(struct run *r, const char *when, uint64_t call)
{
	struct segment_reader *reader = segment_reader_new(r->s);
	for (size_t i = 0; i < r->n; i++)
		if (!message_is_there(reader, &r->messages[i], &r->refs[i], r->prefix_at[i]))
			fail_msg("%s, call %d: message %zu is lost", when, (int)call, i);
	segment_reader_free(&reader);
	struct segment_walk walk = { .bodies = true };
	assert_int_equal(segments_walk(r->s, &walk, &r->err), 0);
	assert_int_equal(walk.n_findings, 0);
	assert_true(walk.n_records >= r->n);
}

/* ---- copies ---- */

static void a_copy_is_the_record(void **state)
{
	static const size_t lengths[] = { 0, 1, 5000, LIMIT_CHUNK_BYTES, 3 * LIMIT_CHUNK_BYTES + 1,
		LIMIT_SEGMENT_BATCH + 100000 };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct run r = run_new(1, 0);
		append(&r, 3, 700);
		append(&r, i, lengths[i]); /* of every four one compresses */
		struct segment_reader *reader = segment_reader_new(r.s);
		struct blob_ref from = r.refs[1];
		assert_int_equal(segments_seal(r.s, &r.err), 0);
		append(&r, 4, 700); /* something stands before it */
		assert_int_equal(segments_copy(r.s, reader, &from, &r.refs[1], &r.err), 0);
		assert_int_equal(segments_flush(r.s, &r.err), 0);
		assert_int_equal(r.refs[1].id, from.id);
		assert_int_equal(r.refs[1].length, from.length);
		assert_int_equal(r.refs[1].segment, 2);
		verify(&r, "copied", i);
		assert_int_equal(segments_copy(r.s, reader, &r.refs[0], &r.refs[0], &r.err), 0);
		assert_int_equal(segments_flush(r.s, &r.err), 0);
		segment_reader_free(&reader);
		assert_int_equal(segments_remove(r.s, 1, &r.err), 0);
		verify(&r, "the old one is gone", i);
		segments_close(&r.s);
		files_sim_reboot(r.sim);
		assert_true(run_open(&r));
		verify(&r, "opened again", i);
		run_done(&r);
	}
}

/* What can't be read is not copied, and what waits in the batch is still written. */
static void damage_is_not_copied(void **state)
{
	(void)state;
	struct run r = run_new(1, 0);
	append(&r, 1, 5000);
	assert_int_equal(segments_seal(r.s, &r.err), 0);
	files_sim_damage(r.sim, "blobs/00000001", r.refs[0].offset + 1000, 1);
	struct segment_reader *reader = segment_reader_new(r.s);
	struct message m = { 2, 900 };
	assert_int_equal(
		message_append(r.s, r.spooler, &m, &r.refs[1], &r.prefix_at[1], &r.err), 0);
	struct blob_ref to;
	assert_int_equal(segments_copy(r.s, reader, &r.refs[0], &to, &r.err), -1);
	assert_int_equal(r.err.kind, ERR_CORRUPT);
	r.sim->free_bytes = LIMIT_DISK_RESERVE_BYTES / 8; /* what reclaim leaves of it, too */
	files_sim_damage(r.sim, "blobs/00000001", r.refs[0].offset + 1000, 1);
	segment_reader_free(&reader);
	reader = segment_reader_new(r.s);
	assert_int_equal(segments_copy(r.s, reader, &r.refs[0], &to, &r.err), -1);
	assert_int_equal(r.err.kind, ERR_LIMIT);
	assert_int_equal(segments_flush(r.s, &r.err), 0);
	assert_true(message_is_there(reader, &m, &r.refs[1], r.prefix_at[1]));
	segment_reader_free(&reader);
	run_done(&r);
}

/* ---- removing ---- */

static void who_reads_goes_on(void **state)
{
	(void)state;
	struct run r = run_new(1, 0);
	append(&r, 1, 5000);
	assert_int_equal(segments_remove(r.s, 1, &r.err), -1); /* the one at the end */
	assert_int_equal(r.err.kind, ERR_DENIED);
	assert_int_equal(segments_settled(r.s), 1);
	assert_int_equal(segments_seal(r.s, &r.err), 0);
	assert_int_equal(segments_settled(r.s), 2);
	segments_pin(r.s);
	segments_pin(r.s);
	assert_int_equal(segments_remove(r.s, 1, &r.err), -1);
	assert_int_equal(r.err.kind, ERR_IN_USE);
	segments_unpin(r.s);
	assert_int_equal(segments_remove(r.s, 1, &r.err), -1);
	segments_unpin(r.s);
	int file, open_files = files_sim_open_files(r.sim);
	uint64_t limit;
	uint8_t byte;
	assert_int_equal(segment_acquire(r.s, 1, &file, &limit, &r.err), 0);
	assert_int_equal(segments_remove(r.s, 1, &r.err), 0);
	assert_int_equal(segment_pread(&r.sim->seam, file, &byte, 1, 0), 1);
	assert_int_equal(byte, 'C');
	segment_release(r.s, 1, file);
	assert_int_equal(files_sim_open_files(r.sim), open_files);
	assert_int_equal(segment_acquire(r.s, 1, &file, &limit, &r.err), -1);
	assert_int_equal(r.err.kind, ERR_CORRUPT);
	assert_int_equal(segments_remove(r.s, 1, &r.err), 0); /* it is gone already */
	r.n = 0;
	run_done(&r);
}

/* ---- crashes ---- */

/* What lives in segment 1 goes elsewhere, in portions of two, and the file goes. -1: something
 * failed; then the ledger names what it named before the portion. */
static int reclaim_first(struct run *r)
{
	struct segment_reader *reader = segment_reader_new(r->s);
	struct blob_ref to[MOST];
	int result = 0;
	for (size_t begin = 0; begin < r->n && result == 0; begin += 2) {
		size_t end = begin + 2 < r->n ? begin + 2 : r->n;
		for (size_t i = begin; i < end && result == 0; i++) {
			to[i] = r->refs[i];
			if (to[i].segment == 1)
				result = segments_copy(r->s, reader, &r->refs[i], &to[i], &r->err);
		}
		if (result < 0)
			segments_forget(r->s);
		else
			result = segments_flush(r->s, &r->err);
		for (size_t i = begin; i < end && result == 0; i++)
			r->refs[i] = to[i]; /* the commit */
	}
	segment_reader_free(&reader);
	return result < 0 ? result : segments_remove(r->s, 1, &r->err);
}

static struct run half_dead(uint64_t seed)
{
	static const size_t lengths[] = { 300, 5000, 0, 70000, 3900, 512, 9000, 3700 };
	struct run r = run_new(seed, 60000);
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
		append(&r, i, lengths[i]);
	assert_true(r.refs[r.n - 1].segment > 1);
	for (size_t i = 0; i < r.n; i++)
		forget(&r, i);
	return r;
}

/* What a crash leaves: everything that lives, and reclaim can be begun again. */
static void g1_g2_g12_reclaim_is_cut_at_every_call(void **state)
{
	(void)state;
	bool crashed = true;
	for (uint64_t call = 1; crashed; call++)
		for (uint64_t seed = 0; seed < 12; seed++) {
			struct run r = half_dead(seed * 1000 + call);
			files_sim_plan(r.sim, (struct files_sim_plan){ .crash_at = call });
			(void)reclaim_first(&r);
			crashed = files_sim_crashed(r.sim);
			segments_close(&r.s);
			(seed % 3 ? files_sim_reboot : files_sim_kill)(r.sim);
			assert_true(run_open(&r));
			assert_false(r.report.read_only);
			assert_int_equal(r.report.missing_bytes, 0);
			verify(&r, "after the crash", call);
			assert_int_equal(reclaim_first(&r), 0);
			append(&r, 99, 1000);
			verify(&r, "begun again", call);
			run_done(&r);
		}
}

/* Each call fails once, and then the disk is well again. */
static void g4_g12_reclaim_fails_at_every_call(void **state)
{
	static const int numbers[] = { -EIO, -ENOSPC, -EROFS, -EMFILE, -ENFILE, -EDQUOT };
	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(numbers); k++)
		for (uint64_t call = 1; call <= 40; call++) {
			struct run r = half_dead(call);
			files_sim_plan(r.sim, (struct files_sim_plan){ .fail_at = call,
						      .fail_with = numbers[k],
						      .stutter = true });
			(void)reclaim_first(&r);
			bool must_end = segments_must_end(r.s);
			files_sim_plan(r.sim, (struct files_sim_plan){ .stutter = true });
			if (must_end) {
				segments_close(&r.s);
				files_sim_kill(r.sim);
				r.options.distrust = true;
				assert_true(run_open(&r));
			}
			verify(&r, "after a failing call", call);
			assert_int_equal(reclaim_first(&r), 0);
			append(&r, 99, 1000);
			verify(&r, "begun again", call);
			run_done(&r);
		}
}

/* ---- far out, and locked ---- */

/* Rewrites the header of a record in a file with what change() makes of it; ret_bytes: the record.
 */
static void with_header(struct segments *s, uint8_t *record, void (*change)(struct record_header *))
{
	struct record_header h;
	struct err err = ERR_INIT;
	assert_int_equal(record_get_header(s->seed, record, &h, &err), 0);
	change(&h);
	record_put_header(s->seed, record, &h);
}

#define FAR ((uint64_t)1 << 41)

static void far_out(struct record_header *h)
{
	h->segment = 2;
	h->offset = FAR + SEGMENT_BLOCK;
}

/* G11: a record behind 2^41 bytes of a sparse file is addressed, read and verified as any other,
 * and so is what is added to the store then. */
static void g11_offsets_beyond_2_to_the_41(void **state)
{
	char path[64];
	struct err err = ERR_INIT;
	struct segments_report report;
	struct message m = { 1, 9000 };
	struct blob_ref ref, next;
	uint32_t at;
	(void)state;
	snprintf(path, sizeof(path), "%s/culver-far-XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(path));
	struct files_seam *files = files_os_new(path, &err);
	struct segments_options options = test_options(files);
	struct segments *s = segments_open(&options, &report, &err);
	struct spooler *spooler = spooler_new(files);
	assert_int_equal(message_append(s, spooler, &m, &ref, &at, &err), 0);
	assert_int_equal(segments_flush(s, &err), 0);
	uint8_t *record = xmalloc(ref.length), head[SEGMENT_HEADER_BYTES];
	int one = files->open(files, "blobs/00000001", O_RDONLY, 0);
	assert_int_equal(files_pread_all(files, one, record, ref.length, (off_t)ref.offset), 0);
	files->close(files, one);
	with_header(s, record, far_out);
	struct segment_header h = { .number = 2, .epoch = 1 };
	memcpy(h.store_id, options.store_id, sizeof(h.store_id));
	segment_put_header(head, &h);
	segments_close(&s);
	int two = files->open(files, "blobs/00000002", O_RDWR | O_CREAT, 0600);
	assert_int_equal(files_pwrite_all(files, two, head, sizeof(head), 0), 0);
	ref.segment = 2;
	ref.offset = FAR + SEGMENT_BLOCK;
	if (files_pwrite_all(files, two, record, ref.length, (off_t)ref.offset) == 0) {
		options.committed = (struct segment_end){ 2, ref.offset + ref.length };
		s = segments_open(&options, &report, &err);
		assert_non_null(s);
		assert_int_equal(report.missing_bytes + report.damaged_records, 0);
		struct segment_reader *r = segment_reader_new(s);
		assert_true(message_is_there(r, &m, &ref, at));
		struct message other = { 2, 5000 };
		assert_int_equal(message_append(s, spooler, &other, &next, &at, &err), 0);
		assert_int_equal(segments_flush(s, &err), 0);
		assert_int_equal(next.segment, 3); /* so no blob id is given twice */
		assert_true(message_is_there(r, &other, &next, at));
		/* And it can be moved from there. */
		struct blob_ref to;
		assert_int_equal(segments_copy(s, r, &ref, &to, &err), 0);
		assert_int_equal(segments_flush(s, &err), 0);
		assert_int_equal(to.segment, 3);
		assert_true(message_is_there(r, &m, &to, at));
		segment_reader_free(&r);
		segments_close(&s);
	} else {
		print_message("the file system has no files of 2 TiB: skipped\n");
	}
	files->close(files, two);
	spooler_free(&spooler);
	free(record);
	for (uint32_t number = 1; number <= 3; number++) {
		char name[SEGMENT_NAME_BYTES];
		segment_name(name, number, "");
		files->unlink(files, name);
	}
	files_os_free(&files);
	char blobs[80];
	snprintf(blobs, sizeof(blobs), "%s/blobs", path);
	rmdir(blobs);
	rmdir(path);
}

static void lock(struct record_header *h)
{
	h->key_id = 1;
}

/* A record with a key id other than 0 is refused, and said to be that, not damaged. */
static void a_key_is_refused_clearly(void **state)
{
	(void)state;
	struct run r = run_new(1, 0);
	append(&r, 1, 5000);
	append(&r, 2, 500);
	uint8_t old[RECORD_HEADER_BYTES], record[RECORD_HEADER_BYTES];
	size_t n;
	memcpy(old, files_sim_bytes(r.sim, "blobs/00000001", &n) + r.refs[0].offset, sizeof(old));
	memcpy(record, old, sizeof(old));
	with_header(r.s, record, lock);
	for (size_t i = 0; i < sizeof(old); i++)
		if (old[i] != record[i])
			files_sim_damage(
				r.sim, "blobs/00000001", r.refs[0].offset + i, old[i] ^ record[i]);
	struct segment_reader *reader = segment_reader_new(r.s);
	char p[10];
	assert_int_equal(segment_read(reader, &r.refs[0], 0, p, sizeof(p), &r.err), -1);
	assert_int_equal(r.err.kind, ERR_UNSUPPORTED);
	assert_non_null(strstr(err_log_text(&r.err), "encrypted with key 1"));
	assert_true(message_is_there(reader, &r.messages[1], &r.refs[1], r.prefix_at[1]));
	struct blob_ref to;
	assert_int_equal(segments_copy(r.s, reader, &r.refs[0], &to, &r.err), -1);
	assert_non_null(strstr(err_log_text(&r.err), "encrypted with key 1"));
	segment_reader_free(&reader);
	run_done(&r);
}

TEST_MAIN(test_case(a_copy_is_the_record), test_case(damage_is_not_copied),
	test_case(who_reads_goes_on), test_case(g1_g2_g12_reclaim_is_cut_at_every_call),
	test_case(g4_g12_reclaim_fails_at_every_call), test_case(g11_offsets_beyond_2_to_the_41),
	test_case(a_key_is_refused_clearly))
