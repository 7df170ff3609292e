// SPDX-License-Identifier: Apache-2.0
/*
 * What a crash, a full disk and a failing flush leave in segments (hostile-input G1 to G4, G12). A
 * small run of batches is cut at every call of the files seam in turn, with losses by several
 * seeds; then the store is opened again and everything that was promised must be whole, and the
 * walk must find nothing wrong.
 */
#include "store/segment_test.h"

#define MOST 64

/* A run of the writer, and the ledger that goes with it: which records were acknowledged. */
struct run {
	struct files_sim *sim;
	struct segments *s;
	struct segments_options options;
	struct segments_report report;
	struct message messages[MOST];
	struct blob_ref refs[MOST];
	uint32_t prefix_at[MOST];
	size_t n;      /* acknowledged */
	uint64_t next; /* number of the next message */
	struct err err;
};

/* Lengths around the edges of sectors, blocks and chunks. */
static size_t run_length(uint64_t number)
{
	static const size_t lengths[] = { 300, 5000, 0, 70000, 4096 - 200, 512, 9000, 3700 };
	return lengths[number % ARRAY_LEN(lengths)];
}

static bool run_open(struct run *r)
{
	struct segment_end *end = &r->options.committed;
	*end = (struct segment_end){ 0, 0 };
	for (size_t i = 0; i < r->n; i++) {
		struct blob_ref *ref = &r->refs[i];
		if (ref->segment > end->segment)
			*end = (struct segment_end){ ref->segment, 0 };
		if (ref->segment == end->segment && ref->offset + ref->length > end->offset)
			end->offset = ref->offset + ref->length;
	}
	r->s = segments_open(&r->options, &r->report, &r->err);
	return r->s != NULL;
}

/* One batch of k messages: acknowledged when flushed, or not at all. 0, or -1. */
static int run_batch(struct run *r, struct spooler *spooler, size_t k)
{
	size_t n = r->n;
	for (size_t i = n; i < n + k; i++) {
		struct message m = { r->next, run_length(r->next) };
		assert_true(i < MOST);
		r->next++;
		r->messages[i] = m;
		if (message_append(r->s, spooler, &m, &r->refs[i], &r->prefix_at[i], &r->err) < 0) {
			segments_forget(r->s);
			return -1;
		}
	}
	if (segments_flush(r->s, &r->err) < 0)
		return -1;
	r->n = n + k;
	return 0;
}

/* Batches of one, two and three messages until the disk stops it. */
static int run_batches(struct run *r, size_t batches)
{
	struct spooler *spooler = spooler_new(&r->sim->seam);
	int result = 0;
	for (size_t i = 0; i < batches && result == 0; i++)
		result = run_batch(r, spooler, 1 + i % 3);
	spooler_free(&spooler);
	return result;
}

static struct run run_new(uint64_t seed)
{
	struct run r = { .sim = files_sim_new(seed) };
	r.options = test_options(&r.sim->seam);
	r.options.segment_bytes = 60000; /* so that the run rolls */
	return r;
}

static void run_done(struct run *r)
{
	segments_close(&r->s);
	files_sim_free(&r->sim);
}

static void on_finding(void *arg, const struct segment_finding *finding)
{
	snprintf(arg, 200, "segment %u at %llu: %s", finding->segment,
		(unsigned long long)finding->offset, finding->text);
}

/* Everything acknowledged is whole; the walk finds it, perhaps orphans, and nothing wrong. */
static void run_verify(struct run *r, const char *when, uint64_t call, uint64_t seed)
{
	struct segment_reader *reader = segment_reader_new(r->s);
	for (size_t i = 0; i < r->n; i++)
		if (!message_is_there(reader, &r->messages[i], &r->refs[i], r->prefix_at[i]))
			fail_msg("%s, call %d, seed %d: message %zu of %zu is lost", when,
				(int)call, (int)seed, i, r->n);
	segment_reader_free(&reader);
	char text[200] = "";
	struct segment_walk walk = { .finding = on_finding, .arg = text, .bodies = true };
	assert_int_equal(segments_walk(r->s, &walk, &r->err), 0);
	if (walk.n_findings)
		fail_msg("%s, call %d, seed %d: %s", when, (int)call, (int)seed, text);
	assert_true(walk.n_records >= r->n);
}

/* The calls that a run of so many batches makes. */
static uint64_t calls_of(size_t batches)
{
	struct run r = run_new(1);
	assert_true(run_open(&r));
	assert_int_equal(run_batches(&r, batches), 0);
	uint64_t calls = r.sim->calls;
	run_verify(&r, "no fault", 0, 1);
	run_done(&r);
	return calls;
}

/* G1: the process is killed at every call: nothing of the page cache is lost. G2: power is cut at
 * every call: what was not flushed is lost or torn. Twice in a row: also while opening again. */
static void crash_at_every_call(bool power)
{
	enum { BATCHES = 9 };
	uint64_t calls = calls_of(BATCHES);
	assert_true(calls > 20);
	for (uint64_t call = 1; call <= calls; call += TEST_STEP)
		for (uint64_t seed = 0; seed < (power ? 12 : 2); seed++) {
			struct run r = run_new(seed * 1000 + call);
			files_sim_plan(r.sim, (struct files_sim_plan){ .crash_at = call });
			if (run_open(&r))
				(void)run_batches(&r, BATCHES);
			assert_true(files_sim_crashed(r.sim));
			for (uint64_t again = seed; again > 0; again /= 2) {
				segments_close(&r.s);
				(power ? files_sim_reboot : files_sim_kill)(r.sim);
				uint64_t at = 1 + files_sim_below(r.sim, 12);
				files_sim_plan(r.sim, (struct files_sim_plan){ .crash_at = at });
				if (run_open(&r))
					(void)run_batches(&r, 1);
			}
			segments_close(&r.s);
			(power ? files_sim_reboot : files_sim_kill)(r.sim);
			if (!run_open(&r))
				fail_msg("call %d, seed %d: %s", (int)call, (int)seed,
					err_log_text(&r.err));
			assert_false(r.report.read_only);
			assert_int_equal(r.report.missing_bytes, 0);
			run_verify(&r, "after the crash", call, seed);
			assert_int_equal(run_batches(&r, 2), 0);
			run_verify(&r, "going on", call, seed);
			run_done(&r);
		}
}

static void g1_killed_at_every_call(void **state)
{
	(void)state;
	crash_at_every_call(false);
}

static void g2_power_cut_at_every_call(void **state)
{
	(void)state;
	crash_at_every_call(true);
}

/* The same for a body that streams to the file piece by piece. */
static void g2_power_cut_in_a_large_body(void **state)
{
	(void)state;
	for (uint64_t call = 1;; call += TEST_STEP) {
		struct run r = run_new(call);
		struct message m = { 1, LIMIT_SEGMENT_BATCH + 100000 };
		assert_true(run_open(&r));
		assert_int_equal(run_batches(&r, 2), 0);
		struct spooler *spooler = spooler_new(&r.sim->seam);
		files_sim_plan(r.sim, (struct files_sim_plan){ .crash_at = call });
		struct blob_ref *ref = &r.refs[r.n];
		uint32_t *at = &r.prefix_at[r.n];
		if (message_append(r.s, spooler, &m, ref, at, &r.err) == 0 &&
			segments_flush(r.s, &r.err) == 0)
			r.messages[r.n++] = m;
		spooler_free(&spooler);
		bool crashed = files_sim_crashed(r.sim);
		segments_close(&r.s);
		files_sim_reboot(r.sim);
		assert_true(run_open(&r));
		run_verify(&r, "large", call, 0);
		run_done(&r);
		if (!crashed)
			break;
	}
}

/* G4: every call fails once, in each of the ways; or from then on. The store goes on, or says that
 * it must end and its successor distrusts; nothing acknowledged is lost. */
static void one_failing_call(uint64_t call, int number, bool for_ever)
{
	struct run r = run_new(call);
	assert_true(run_open(&r));
	assert_int_equal(run_batches(&r, 3), 0);
	files_sim_plan(r.sim, (struct files_sim_plan){ .fail_at = call,
				      .fail_with = number,
				      .fail_for_ever = for_ever,
				      .stutter = true });
	for (int i = 0; i < 6; i++)
		(void)run_batches(&r, 1);
	bool must_end = segments_must_end(r.s);
	if (must_end) {
		assert_int_equal(run_batches(&r, 1), -1);
		assert_int_equal(segments_flush(r.s, &r.err), -1);
	}
	files_sim_plan(r.sim, (struct files_sim_plan){ .stutter = true });
	if (must_end) {
		assert_int_equal(distrust_mark(&r.sim->seam), 0);
		segments_close(&r.s);
		files_sim_kill(r.sim);
		r.options.distrust = distrust_is_marked(&r.sim->seam);
		assert_true(run_open(&r));
		assert_true(r.report.copied);
		assert_int_equal(distrust_clear(&r.sim->seam, &r.err), 0);
		assert_false(distrust_is_marked(&r.sim->seam));
	}
	run_verify(&r, "after a failing call", call, 0);
	assert_int_equal(run_batches(&r, 2), 0);
	run_verify(&r, "going on after a failing call", call, 0);
	run_done(&r);
}

static void g4_every_call_fails_once(void **state)
{
	(void)state;
	static const int numbers[] = { -EIO, -ENOSPC, -EROFS, -EMFILE, -EDQUOT };
	for (size_t k = 0; k < ARRAY_LEN(numbers); k++)
		for (uint64_t call = 1; call <= 40; call += TEST_STEP) {
			one_failing_call(call, numbers[k], false);
			one_failing_call(call, numbers[k], true);
		}
}

/* G4: the disk is full at every byte of the way (by steps); with room again the store goes on. */
static void g4_full_disk(void **state)
{
	(void)state;
	for (uint64_t room = 0; room < 160000; room += 777) {
		struct run r = run_new(room);
		assert_true(run_open(&r));
		assert_int_equal(run_batches(&r, 3), 0);
		size_t n = r.n;
		size_t used;
		(void)files_sim_bytes(r.sim, "blobs/00000001", &used);
		files_sim_plan(r.sim, (struct files_sim_plan){ .capacity = used + room });
		for (int i = 0; i < 5; i++)
			if (run_batches(&r, 1) < 0)
				assert_int_equal(r.err.kind, ERR_FULL);
		assert_false(segments_must_end(r.s));
		run_verify(&r, "full", room, 0);
		files_sim_plan(r.sim, (struct files_sim_plan){ .capacity = 0 });
		assert_int_equal(run_batches(&r, 3), 0);
		assert_true(r.n >= n + 6);
		segments_close(&r.s);
		files_sim_reboot(r.sim);
		assert_true(run_open(&r));
		run_verify(&r, "full and rebooted", room, 0);
		run_done(&r);
	}
}

/* Runs until flush number f fails and lies from then on. */
static struct run run_until_a_flush_fails(uint64_t flush, uint64_t seed)
{
	struct run r = run_new(seed);
	assert_true(run_open(&r));
	assert_int_equal(run_batches(&r, 2), 0);
	files_sim_plan(r.sim, (struct files_sim_plan){ .flush_fails = flush });
	assert_int_equal(run_batches(&r, 9), -1);
	assert_true(segments_must_end(r.s));
	assert_true(segments_flush(r.s, &r.err) == -1); /* not even when the next would say 0 */
	assert_int_equal(distrust_mark(&r.sim->seam), 0);
	segments_close(&r.s);
	files_sim_kill(r.sim); /* the page cache stays as it is: a lie */
	return r;
}

/* G3: a flush fails once, then says 0. The successor copies; what it then shows and acknowledges is
 * there when the page cache is gone, and when the power is. */
static void g3_a_failed_flush_is_survived(void **state)
{
	(void)state;
	for (uint64_t flush = 1; flush <= 9; flush++)
		for (uint64_t seed = 0; seed < 20; seed += TEST_STEP) {
			struct run r = run_until_a_flush_fails(flush, seed);
			r.options.distrust = distrust_is_marked(&r.sim->seam);
			assert_true(r.options.distrust);
			assert_true(run_open(&r));
			assert_true(r.report.copied);
			assert_false(r.report.read_only);
			assert_int_equal(r.report.damaged_records, 0);
			run_verify(&r, "copied", flush, seed);
			struct segment_walk before = { .bodies = true }, after = { .bodies = true };
			assert_int_equal(segments_walk(r.s, &before, &r.err), 0);
			if (seed % 2) {
				files_sim_settle(r.sim); /* the page cache is dropped */
			} else {
				segments_close(&r.s);
				files_sim_reboot(r.sim);
				r.options.distrust = false;
				assert_true(run_open(&r));
			}
			assert_int_equal(segments_walk(r.s, &after, &r.err), 0);
			assert_int_equal(before.n_records, after.n_records);
			run_verify(&r, "copied and dropped", flush, seed);
			assert_int_equal(run_batches(&r, 3), 0);
			segments_close(&r.s);
			files_sim_reboot(r.sim);
			assert_true(run_open(&r));
			run_verify(&r, "acknowledged after the copy", flush, seed);
			run_done(&r);
		}
}

/* The control: an ordinary opening after a failed flush believes the page cache, and what it showed
 * is not on the disk. If this finds no difference the test above shows nothing. */
static void without_distrust_records_vanish(void **state)
{
	(void)state;
	int vanished = 0;
	for (uint64_t seed = 0; seed < 20; seed += TEST_STEP) {
		struct run r = run_until_a_flush_fails(3, seed);
		struct segment_walk before = { .bodies = true }, after = { .bodies = true };
		assert_true(run_open(&r));
		assert_int_equal(segments_walk(r.s, &before, &r.err), 0);
		files_sim_settle(r.sim);
		assert_int_equal(segments_walk(r.s, &after, &r.err), 0);
		vanished += before.n_records != after.n_records;
		run_done(&r);
	}
	assert_true(vanished > 0);
}

/* G3, G12: the copying itself is cut or fails at every call: then reads alone, and the next opening
 * does it. */
static void g3_g12_copying_may_fail(void **state)
{
	(void)state;
	for (uint64_t call = 1; call <= 30; call++)
		for (int way = 0; way < 3; way++) {
			struct run r = run_until_a_flush_fails(2 + call % 4, call);
			r.options.distrust = true;
			struct files_sim_plan plan = { .crash_at = way == 0 ? call : 0,
				.fail_at = way > 0 ? call : 0,
				.fail_with = -ENOSPC,
				.fail_for_ever = way == 2 };
			files_sim_plan(r.sim, plan);
			if (run_open(&r) && r.report.read_only) {
				struct files_sim_plan none = { .crash_at = 0 };
				files_sim_plan(r.sim, none);
				size_t n = r.n;
				assert_int_equal(run_batches(&r, 1), -1);
				assert_int_equal(r.err.kind, ERR_READ_ONLY);
				assert_int_equal(r.n, n);
			}
			segments_close(&r.s);
			files_sim_kill(r.sim);
			assert_true(run_open(&r));
			assert_true(r.report.copied && !r.report.read_only);
			run_verify(&r, "copied at last", call, way);
			assert_int_equal(run_batches(&r, 2), 0);
			files_sim_settle(r.sim);
			run_verify(&r, "going on at last", call, way);
			run_done(&r);
		}
}

/* Damage in what the ledger names does not keep the store from opening, is counted where it is
 * looked at, and costs the one message. */
static void damage_in_the_tail(void **state)
{
	(void)state;
	for (int distrust = 0; distrust < 2; distrust++) {
		struct run r = run_new(1);
		r.options.segment_bytes = 1 << 20;
		assert_true(run_open(&r));
		assert_int_equal(run_batches(&r, 4), 0);
		segments_close(&r.s);
		files_sim_settle(r.sim);
		files_sim_damage(r.sim, "blobs/00000001", r.refs[1].offset + 150, 1);
		r.options.distrust = distrust;
		assert_true(run_open(&r));
		assert_int_equal(r.report.damaged_records, distrust);
		struct segment_reader *reader = segment_reader_new(r.s);
		for (size_t i = 0; i < r.n; i++)
			assert_int_equal(message_is_there(reader, &r.messages[i], &r.refs[i],
						 r.prefix_at[i]),
				i != 1);
		segment_reader_free(&reader);
		assert_int_equal(run_batches(&r, 1), 0);
		run_done(&r);
	}
}

/* G6: the files end before what the rows name. */
static void g6_missing_segments_are_told(void **state)
{
	(void)state;
	struct run r = run_new(1);
	assert_true(run_open(&r));
	assert_int_equal(run_batches(&r, 9), 0);
	segments_close(&r.s);
	char name[32];
	snprintf(name, sizeof(name), "blobs/%08u", r.refs[r.n - 1].segment);
	assert_int_equal(r.sim->seam.unlink(&r.sim->seam, name), 0);
	assert_true(run_open(&r));
	assert_true(r.report.missing_bytes > 0);
	uint32_t last = r.refs[r.n - 1].segment;
	assert_int_equal(run_batches(&r, 1), 0);
	assert_true(r.refs[r.n - 1].segment > last); /* its number is not used again */
	run_done(&r);
}

/* A lost ledger: nothing is cleaned away that a rebuild could want. */
static void keep_all_touches_nothing(void **state)
{
	(void)state;
	struct run r = run_new(1);
	r.options.segment_bytes = 1 << 20;
	assert_true(run_open(&r));
	assert_int_equal(run_batches(&r, 6), 0);
	segments_close(&r.s);
	files_sim_settle(r.sim);
	files_sim_damage(r.sim, "blobs/00000001", r.refs[r.n - 1].offset + 150, 1);
	files_sim_damage(r.sim, "blobs/00000001", r.refs[2].offset + 150, 1);
	size_t before, after;
	(void)files_sim_bytes(r.sim, "blobs/00000001", &before);
	size_t n = r.n;
	r.n = 0; /* no rows */
	r.options.keep_all = true;
	assert_true(run_open(&r));
	(void)files_sim_bytes(r.sim, "blobs/00000001", &after);
	assert_int_equal(before, after);
	assert_int_equal(r.report.orphan_records, n - 2);
	run_done(&r);
}

TEST_MAIN(test_case(g1_killed_at_every_call), test_case(g2_power_cut_at_every_call),
	test_case(g2_power_cut_in_a_large_body), test_case(g4_every_call_fails_once),
	test_case(g4_full_disk), test_case(g3_a_failed_flush_is_survived),
	test_case(without_distrust_records_vanish), test_case(g3_g12_copying_may_fail),
	test_case(damage_in_the_tail), test_case(g6_missing_segments_are_told),
	test_case(keep_all_touches_nothing))
