// SPDX-License-Identifier: Apache-2.0
/*
 * Batches that the ledger carries, over simulated files and a ledger that is a list: whatever a
 * power cut left of the segment (nothing, all, some sectors of 512 bytes or blocks of 4 KiB),
 * whatever of several commits was on disk, and whenever the flush fails or opening is cut itself,
 * every message that a commit named is read whole. And without the redo some are lost.
 */
#include "store/segment_private.h"
#include "store/segment_test.h"

/* ---- a ledger ---- */

struct row {
	struct message message;
	struct blob_ref ref;
	uint32_t prefix_at;
};
struct ledger {
	struct segment_carry slots[LIMIT_CARRY_SLOTS]; /* length 0: empty; p is owned */
	struct vec rows;
	struct segment_end committed;
};

struct world {
	struct files_sim *sim;
	struct spooler *spooler;
	struct segments *s;
	struct segments_report report;
	struct segments_options options;
	struct ledger ledger;
	struct row pending[8];
	size_t n_pending;
	uint64_t next;
	uint64_t carries;
	struct err err;
};

static int carried(void *arg, each_carry each, void *each_arg, struct err *err)
{
	struct ledger *l = arg;
	(void)err;
	for (size_t i = 0; i < LIMIT_CARRY_SLOTS; i++) {
		int rc = l->slots[i].length ? each(each_arg, &l->slots[i]) : 0;
		if (rc)
			return rc;
	}
	return 0;
}

static void commit(struct world *w, const struct segment_carry *c)
{
	struct ledger *l = &w->ledger;
	if (c) {
		struct segment_carry *slot = &l->slots[c->slot];
		uint8_t *p = xmalloc(c->length);
		assert_true(c->slot < LIMIT_CARRY_SLOTS);
		memcpy(p, c->p, c->length);
		free((void *)(uintptr_t)slot->p);
		*slot = *c;
		slot->p = p;
		segments_carried(w->s);
		w->carries++;
	}
	for (size_t i = 0; i < w->n_pending; i++) {
		const struct blob_ref *ref = &w->pending[i].ref;
		vec_push(&l->rows, &w->pending[i]);
		if (ref->segment > l->committed.segment)
			l->committed = (struct segment_end){ .segment = ref->segment };
		if (ref->offset + ref->length > l->committed.offset)
			l->committed.offset = ref->offset + ref->length;
	}
	w->n_pending = 0;
}

/* ---- a store of segments ---- */

static bool reopen(struct world *w)
{
	w->options.committed = w->ledger.committed;
	w->n_pending = 0;
	w->err = (struct err)ERR_INIT;
	w->s = segments_open(&w->options, &w->report, &w->err);
	return w->s != NULL;
}

static struct world world_new(uint64_t seed, uint64_t segment_bytes)
{
	struct world w = { .sim = files_sim_new(seed), .next = 1 };
	w.options = test_options(&w.sim->seam);
	w.options.segment_bytes = segment_bytes;
	w.spooler = spooler_new(&w.sim->seam);
	vec_init(&w.ledger.rows, sizeof(struct row), 100000);
	return w;
}

static void begin(struct world *w)
{
	w->options.carried = carried;
	w->options.carried_arg = &w->ledger;
	if (!reopen(w))
		fail_msg("%s", err_log_text(&w->err));
}

static void world_done(struct world *w)
{
	segments_close(&w->s);
	spooler_free(&w->spooler);
	for (size_t i = 0; i < LIMIT_CARRY_SLOTS; i++)
		free((void *)(uintptr_t)w->ledger.slots[i].p);
	vec_done(&w->ledger.rows);
	files_sim_free(&w->sim);
}

static bool put(struct world *w, size_t length)
{
	struct row *row = &w->pending[w->n_pending];
	row->message = (struct message){ .number = w->next++, .length = length };
	if (message_append(w->s, w->spooler, &row->message, &row->ref, &row->prefix_at, &w->err) <
		0) {
		w->n_pending = 0;
		return false;
	}
	w->n_pending++;
	return true;
}

/* What may be committed then: as the writer does it. */
static int write_batch(struct world *w, struct segment_carry *ret)
{
	int written = segments_write(w->s, ret, &w->err);
	return written == 0 ? segments_flush(w->s, &w->err) : written;
}

/* A batch of one message, committed. 1: it was carried. */
static int put_one(struct world *w, size_t length)
{
	struct segment_carry c = { .length = 0 };
	assert_true(put(w, length));
	int written = write_batch(w, &c);
	assert_true(written >= 0);
	commit(w, written ? &c : NULL);
	return written;
}

static size_t lost(struct world *w)
{
	struct segment_reader *r = segment_reader_new(w->s);
	size_t n = 0;
	VEC_EACH (struct row, row, &w->ledger.rows)
		n += !message_is_there(r, &row->message, &row->ref, row->prefix_at);
	segment_reader_free(&r);
	return n;
}

static void all_is_well(struct world *w)
{
	struct segment_walk walk = { .bodies = true };
	struct err err = ERR_INIT;
	assert_int_equal(lost(w), 0);
	assert_int_equal(w->report.missing_bytes, 0);
	assert_int_equal(w->report.damaged_records, 0);
	assert_int_equal(segments_walk(w->s, &walk, &err), 0);
	assert_int_equal(walk.n_findings, 0);
	assert_true(walk.n_records >= w->ledger.rows.n);
}

/* ---- what is carried ---- */

/* The first batch is flushed, and with it room for what follows. */
static void which_batches(void **state)
{
	(void)state;
	enum { OVER = RECORD_HEADER_BYTES + RECORD_CHUNK_BYTES + 40 + 40 };
	struct world w = world_new(1, 0);
	begin(&w);
	assert_int_equal(put_one(&w, 100), 0);
	uint64_t flushes = w.sim->flushes;
	assert_int_equal(put_one(&w, 100), 1);
	assert_int_equal(w.sim->flushes, flushes);
	assert_true(segments_unsettled(w.s));
	/* LIMIT_CARRY_BYTES of a batch: N - 1 (a record is a multiple of 8), N, N + 1. */
	w.next = 1; /* of a length that is not compressed */
	size_t most = LIMIT_CARRY_BYTES - OVER;
	for (int i = -1; i <= 1; i++) {
		assert_true(put(&w, (size_t)((int)most + 8 * i)));
		w.next = 1;
		struct row *row = &w.pending[0];
		assert_int_equal(row->ref.length, LIMIT_CARRY_BYTES + 8 * i);
		struct segment_carry c;
		int written = write_batch(&w, &c);
		assert_int_equal(written, i <= 0);
		commit(&w, written ? &c : NULL);
	}
	assert_int_equal(w.sim->flushes, flushes + 1);
	assert_false(segments_unsettled(w.s));
	all_is_well(&w);
	world_done(&w);
}

static void slots_are_used_again_behind_a_flush(void **state)
{
	(void)state;
	struct world w = world_new(1, 0);
	begin(&w);
	assert_int_equal(put_one(&w, 100), 0);
	/* LIMIT_CARRY_SLOTS of them, or as many as fit what the file is longer: one fewer. */
	unsigned n = 0;
	while (put_one(&w, 100))
		n++;
	assert_in_range(n, LIMIT_CARRY_SLOTS - 2, LIMIT_CARRY_SLOTS);
	assert_int_equal(put_one(&w, 100), 1);
	assert_int_equal(w.ledger.slots[0].offset,
		w.ledger.committed.offset - (w.ledger.committed.offset % SEGMENT_BLOCK));
	assert_int_equal(segments_settle(w.s, &w.err), 0);
	assert_false(segments_unsettled(w.s));
	segments_close(&w.s);
	files_sim_reboot(w.sim);
	begin(&w);
	all_is_well(&w);
	world_done(&w);
}

/* LIMIT_CARRY_SLOTS alone, N - 1, N, N + 1: there is always room. */
static void no_slot_beyond_the_last(void **state)
{
	(void)state;
	struct world w = world_new(1, 0);
	begin(&w);
	assert_int_equal(put_one(&w, 100), 0);
	w.s->slots = LIMIT_CARRY_SLOTS - 2;
	assert_int_equal(put_one(&w, 100), 1);
	assert_int_equal(put_one(&w, 100), 1);
	assert_int_equal(w.s->slots, LIMIT_CARRY_SLOTS);
	assert_int_equal(put_one(&w, 100), 0);
	assert_int_equal(w.s->slots, 0);
	world_done(&w);
}

/* Where a file can't be made longer nothing is carried, and where room is short it is not tried. */
static int cannot_lengthen(struct files_seam *seam, int file, off_t end, off_t n)
{
	assert_int_equal(seam->truncate(seam, file, end + n / 3), 0); /* what there was room for */
	return -ENOSPC;
}

static void no_longer_file(void **state)
{
	(void)state;
	struct world w = world_new(1, 0);
	int (*lengthen)(struct files_seam *, int, off_t, off_t) = w.sim->seam.lengthen;
	begin(&w);
	w.sim->seam.lengthen = cannot_lengthen;
	for (int i = 0; i < 3; i++) {
		size_t size;
		assert_int_equal(put_one(&w, 100), 0);
		assert_non_null(files_sim_bytes(w.sim, "blobs/00000001", &size));
		assert_int_equal(size, w.s->tail);
	}
	w.sim->seam.lengthen = lengthen;
	w.sim->free_bytes = LIMIT_DISK_RESERVE_BYTES + SEGMENT_AHEAD_BYTES;
	for (int i = 0; i < 3; i++)
		assert_int_equal(put_one(&w, 100), 0);
	w.sim->free_bytes = INT64_MAX;
	assert_int_equal(put_one(&w, 100), 0);
	assert_int_equal(put_one(&w, 100), 1);
	segments_close(&w.s);
	files_sim_reboot(w.sim);
	begin(&w);
	all_is_well(&w);
	world_done(&w);
}

/* What was carried and not committed may be named by nobody; the next batch is flushed. */
static void a_commit_that_failed(void **state)
{
	(void)state;
	struct world w = world_new(1, 0);
	struct segment_carry c;
	begin(&w);
	put_one(&w, 100);
	assert_true(put(&w, 100));
	assert_int_equal(write_batch(&w, &c), 1);
	w.n_pending = 0; /* the disk was full */
	assert_int_equal(put_one(&w, 100), 0);
	assert_int_equal(put_one(&w, 100), 1);
	segments_close(&w.s);
	files_sim_reboot(w.sim);
	begin(&w);
	assert_int_equal(w.report.orphan_records, 0); /* it lies before what is named */
	all_is_well(&w);
	world_done(&w);
}

static bool nothing(void *arg, size_t thing)
{
	(void)arg;
	(void)thing;
	return false;
}

/* The disk loses the write by which opening puts a batch back, of which the ledger names the first
 * record alone: where the rest of it belongs nothing is written, since the next opening would put
 * the batch over it. */
static void nothing_lands_where_it_belongs(void **state)
{
	(void)state;
	struct world w = world_new(1, 0);
	struct segment_carry c;
	size_t names;
	begin(&w);
	assert_int_equal(put_one(&w, 100), 0);
	assert_true(put(&w, 3000) && put(&w, 9000));
	assert_int_equal(write_batch(&w, &c), 1);
	w.n_pending = 1; /* the other's recipient is gone */
	commit(&w, &c);
	segments_close(&w.s);
	(void)files_sim_pending(w.sim, &names);
	files_sim_cut(w.sim, nothing, NULL, names);
	w.sim->plan.lose_write = w.sim->writes + 1;
	begin(&w);
	w.sim->plan.lose_write = 0;
	assert_int_equal(lost(&w), 1);
	assert_int_equal(put_one(&w, 5000), 0);
	segments_close(&w.s);
	files_sim_reboot(w.sim);
	begin(&w);
	all_is_well(&w);
	world_done(&w);
}

/* ---- what a power cut leaves ---- */

/* Carried and committed, and of the segment itself exactly the sectors (or blocks) in the mask. */
static void every_part_of_it(void **state)
{
	(void)state;
	for (size_t unit = 512; unit <= SEGMENT_BLOCK; unit *= 8) {
		for (unsigned mask = 0; mask < 1U << 8; mask += TEST_STEP) {
			struct world w = world_new(1, 0);
			size_t size;
			begin(&w);
			put_one(&w, 100);
			assert_int_equal(put_one(&w, unit == 512 ? 3000 : 30000), 1);
			assert_int_equal(put_one(&w, 50), 1);
			uint64_t from = w.ledger.slots[0].offset;
			segments_close(&w.s);
			files_sim_kill(w.sim);
			files_sim_settle(w.sim);
			const uint8_t *p = files_sim_bytes(w.sim, "blobs/00000001", &size);
			bool harmed = false;
			for (size_t at = 0; at < 8 * unit; at++) {
				if ((mask >> (at / unit) & 1) || p[from + at] == 0)
					continue;
				files_sim_damage(w.sim, "blobs/00000001", from + at, p[from + at]);
				harmed = true;
			}
			begin(&w);
			assert_int_equal(w.report.carried > 0, harmed);
			all_is_well(&w);
			/* It is flushed by now; and again, nothing changes. */
			for (int again = 0; again < 2; again++) {
				segments_close(&w.s);
				files_sim_reboot(w.sim);
				begin(&w);
				assert_int_equal(w.report.carried, 0);
				all_is_well(&w);
			}
			world_done(&w);
		}
	}
}

/* The segment has it and the ledger has not: an orphan, or torn; then messages go on. */
static void the_segment_alone(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed += TEST_STEP) {
		struct world w = world_new(seed, 0);
		struct segment_carry c;
		begin(&w);
		put_one(&w, 100);
		put_one(&w, 5000);
		assert_true(put(&w, 20000));
		assert_int_equal(write_batch(&w, &c), 1);
		segments_close(&w.s);
		files_sim_reboot(w.sim);
		begin(&w);
		all_is_well(&w);
		put_one(&w, 100);
		put_one(&w, 100);
		segments_close(&w.s);
		files_sim_reboot(w.sim);
		begin(&w);
		all_is_well(&w);
		world_done(&w);
	}
}

/* ---- everything at random ---- */

static size_t some_length(struct world *w)
{
	static const size_t most[] = { 1, 100, 3000, 12000, 12000, 30000, 90000 };
	return (size_t)files_sim_below(w->sim, most[files_sim_below(w->sim, ARRAY_LEN(most))]);
}

/* A batch: written, and committed unless it is cut before. False: it failed, or the power is cut.
 */
static bool one_batch(struct world *w)
{
	struct segment_carry c;
	for (uint64_t n = 1 + files_sim_below(w->sim, 3); n > 0; n--)
		if (!put(w, some_length(w)))
			return false;
	int written = write_batch(w, &c);
	if (written < 0 || files_sim_crashed(w->sim))
		return false;
	uint64_t fate = files_sim_below(w->sim, 40);
	if (fate == 0)
		return false; /* cut between the two */
	if (fate == 1)
		w->n_pending = 0; /* the commit was refused, and all goes on */
	else
		commit(w, written ? &c : NULL);
	if (fate == 2)
		return segments_settle(w->s, &w->err) == 0;
	if (fate == 3)
		return segments_seal(w->s, &w->err) == 0;
	return true;
}

static void plan_something(struct world *w)
{
	struct files_sim_plan plan = { .crash_at = 0 };
	switch (files_sim_below(w->sim, 4)) {
	case 0:
		plan.crash_at = 1 + files_sim_below(w->sim, 60);
		break;
	case 1:
		plan.flush_fails = 1 + files_sim_below(w->sim, 4);
		break;
	case 2:
		plan.stutter = true;
		break;
	}
	files_sim_plan(w->sim, plan);
}

/* Opens, perhaps cut in the middle of it. */
static void open_again(struct world *w, bool distrust)
{
	w->options.distrust = distrust;
	files_sim_plan(w->sim,
		(struct files_sim_plan){ .crash_at = files_sim_below(w->sim, 3)
							     ? 0
							     : 1 + files_sim_below(w->sim, 30) });
	bool opened = reopen(w);
	if (!files_sim_crashed(w->sim)) {
		files_sim_plan(w->sim, (struct files_sim_plan){ .crash_at = 0 });
		assert_true(opened);
		return;
	}
	segments_close(&w->s);
	files_sim_reboot(w->sim);
	w->options.distrust = false;
	if (!reopen(w))
		fail_msg("%s", err_log_text(&w->err));
}

static void run_one(uint64_t seed)
{
	struct world w = world_new(seed, 1 << 20);
	begin(&w);
	for (int life = 0; life < 6; life++) {
		plan_something(&w);
		uint64_t batches = 1 + files_sim_below(w.sim, 25);
		while (batches-- > 0 && one_batch(&w))
			;
		bool distrust = segments_must_end(w.s) && !files_sim_crashed(w.sim);
		bool kill = distrust || files_sim_below(w.sim, 3) == 0;
		segments_close(&w.s);
		if (kill && !files_sim_crashed(w.sim))
			files_sim_kill(w.sim);
		else
			files_sim_reboot(w.sim);
		open_again(&w, distrust);
		assert_false(w.report.read_only);
		all_is_well(&w);
	}
	segments_close(&w.s);
	files_sim_reboot(w.sim);
	w.options.distrust = false;
	assert_true(reopen(&w));
	all_is_well(&w);
	world_done(&w);
}

#ifndef SEEDS
#define SEEDS 40 /* by hand: thousands */
#endif

static void whatever_happens(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed += TEST_STEP)
		run_one(seed);
}

/* The same cuts, and opening does not write again what was carried. */
static void without_the_redo_it_is_lost(void **state)
{
	(void)state;
	size_t n = 0;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct world w = world_new(seed, 0);
		begin(&w);
		for (int i = 0; i < 20; i++)
			put_one(&w, 5000);
		assert_true(w.carries > 10);
		segments_close(&w.s);
		files_sim_reboot(w.sim);
		w.options.carried = NULL;
		assert_true(reopen(&w));
		n += lost(&w);
		world_done(&w);
	}
	assert_true(n > 20);
}

/* ---- where nothing may be written, and what is no batch ---- */

static void readers_see_what_cannot_be_written(void **state)
{
	(void)state;
	for (int how = 0; how < 2; how++) {
		struct world w = world_new(3, 0);
		begin(&w);
		for (int i = 0; i < 30; i++)
			put_one(&w, 9000);
		segments_close(&w.s);
		files_sim_reboot(w.sim);
		w.options.read_only = how == 0;
		if (how == 1)
			files_sim_plan(
				w.sim, (struct files_sim_plan){ .fail_at = 0, .capacity = 1 });
		assert_true(reopen(&w));
		assert_true(w.report.carried > 0);
		all_is_well(&w);
		/* A backup takes what readers see. */
		const struct segment_carry *c = &w.ledger.slots[3];
		uint8_t *p = xmalloc(c->length);
		assert_int_equal(
			segments_read_raw(w.s, 1, c->offset, p, c->length, &w.err), c->length);
		assert_memory_equal(p, c->p, c->length);
		free(p);
		segments_close(&w.s);
		w.options.read_only = false;
		files_sim_plan(w.sim, (struct files_sim_plan){ .crash_at = 0 });
		files_sim_reboot(w.sim);
		begin(&w);
		all_is_well(&w);
		world_done(&w);
	}
}

/* A row that is damaged, of another place, another store or another segment changes nothing. */
static void only_what_verifies_is_written(void **state)
{
	(void)state;
	struct world w = world_new(1, 0);
	begin(&w);
	put_one(&w, 100);
	assert_int_equal(put_one(&w, 9000), 1);
	segments_close(&w.s);
	files_sim_kill(w.sim);
	struct segment_carry *c = &w.ledger.slots[0], was = *c;
	uint8_t *p = (uint8_t *)(uintptr_t)c->p;
	for (int i = 0; i < 5; i++) {
		*c = was;
		p[4321] ^= i == 0;
		c->offset += i == 1 ? 8 : 0;
		c->segment += i == 2;
		c->length -= i == 3;
		w.options.store_id[0] ^= i == 4;
		if (i < 4) {
			begin(&w);
			assert_int_equal(w.report.carried, 0);
			all_is_well(&w);
			segments_close(&w.s);
			files_sim_kill(w.sim);
		} else {
			assert_false(reopen(&w)); /* another store's */
		}
		p[4321] ^= i == 0;
		w.options.store_id[0] ^= i == 4;
	}
	*c = was;
	files_sim_settle(w.sim);
	begin(&w);
	all_is_well(&w);
	world_done(&w);
}

TEST_MAIN(test_case(which_batches), test_case(slots_are_used_again_behind_a_flush),
	test_case(no_slot_beyond_the_last), test_case(no_longer_file),
	test_case(a_commit_that_failed), test_case(nothing_lands_where_it_belongs),
	test_case(every_part_of_it), test_case(the_segment_alone), test_case(whatever_happens),
	test_case(without_the_redo_it_is_lost), test_case(readers_see_what_cannot_be_written),
	test_case(only_what_verifies_is_written))
