// SPDX-License-Identifier: Apache-2.0
/* The table of digests by itself: the rest is seen in the store's tests. */
#include "store/digests.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/test.h"
#include "store/files_sim.h"
#include "store/files_sim_vfs.h"
#include "store/store_test.h"

#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { DIGEST = 40 * 1024, MESSAGES = 2000, MOST_LOG = 24 * 1024 * 1024 };

static int64_t log_bytes(const struct fixture *f)
{
	char path[PATH_MAX];
	struct stat st;
	snprintf(path, sizeof(path), "%s/digests.db-wal", f->seams.files->root(f->seams.files));
	return stat(path, &st) < 0 ? -1 : st.st_size;
}

static void put_one(struct digests *d, uint64_t body)
{
	static char bytes[DIGEST];
	memset(bytes, (int)body & 0x7f, sizeof(bytes));
	digests_put(d, body, str_make(bytes, sizeof(bytes)));
	digests_end(d);
}

static bool is_there(struct digest_reader *r, uint64_t body)
{
	AUTO(buf_done)
	struct buf out;
	buf_init(&out, LIMIT_DIGEST_BYTES);
	return digest_read(r, body, &out) && out.n == DIGEST && *out.p == (char)(body & 0x7f);
}

/* 80 MB go through the log while nobody moves it to its end; for a while a reader is in the way. */
static void the_log_stays_short(void **state)
{
	struct fixture f;
	(void)state;
	fixture_init(&f);
	struct digests *d = digests_open(&f.seams, false, &f.err);
	assert_non_null(d);
	struct digest_reader *r = digest_reader_new(d);
	for (uint64_t i = 1; i <= MESSAGES; i++) {
		put_one(d, i);
		if (i == MESSAGES / 4) {
			digest_reader_snapshot(r, true);
			assert_true(is_there(r, 1));
		}
		if (i == MESSAGES / 2) {
			assert_true(log_bytes(&f) > MOST_LOG);
			assert_false(is_there(r, i));
			digest_reader_snapshot(r, false);
		}
	}
	digest_reader_free(&r);
	digests_close(&d);
	d = digests_open(&f.seams, false, &f.err);
	r = digest_reader_new(d);
	for (uint64_t i = MESSAGES + 1; i <= 2 * MESSAGES; i++) {
		put_one(d, i);
		assert_true(log_bytes(&f) < MOST_LOG);
	}
	for (uint64_t i = 1; i <= 2 * MESSAGES; i += 7)
		assert_true(is_there(r, i));
	digest_reader_free(&r);
	digests_close(&d);
	fixture_done(&f);
}

static int log_pages(const struct fixture *f)
{
	sqlite3 *db;
	int pages = 0;
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/digests.db", f->seams.files->root(f->seams.files));
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_exec(db, "PRAGMA schema_version", NULL, NULL, NULL);
	sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, &pages, NULL);
	sqlite3_close(db);
	return pages;
}

/* The maintainer moves all that there is, and the next commit begins the log anew; also one that a
 * reader had made long. */
static void the_maintainer_moves_the_log(void **state)
{
	struct fixture f;
	uint64_t n = 0;
	(void)state;
	fixture_init(&f);
	struct digests *d = digests_open(&f.seams, false, &f.err);
	struct digest_reader *r = digest_reader_new(d);
	put_one(d, ++n);
	digest_reader_snapshot(r, true);
	assert_true(is_there(r, 1));
	while (log_bytes(&f) < 2 * MOST_LOG)
		put_one(d, ++n);
	digest_reader_snapshot(r, false);
	digests_checkpoint(d);
	put_one(d, ++n);
	assert_true(log_pages(&f) < 100);
	for (int i = 0; i < MESSAGES / 2; i++)
		put_one(d, ++n);
	assert_true(log_pages(&f) < MOST_LOG / 4096);
	for (uint64_t i = 1; i <= n; i += 7)
		assert_true(is_there(r, i));
	digest_reader_free(&r);
	digests_close(&d);
	fixture_done(&f);
}

/* ---- power cuts ---- */

enum { OLD = 40, NEW = 20, CUTS = 150, BEFORE = 330, AFTER = 345 };

static const char *vfs_now;

static const char *vfs_name(struct files_seam *seam)
{
	(void)seam;
	return vfs_now;
}

/* Digests on a disk that fails on purpose. */
struct disk {
	struct files_sim *sim;
	struct seams seams;
	struct random_fake random;
	struct clock_fake clock;
	struct digests *d;
	struct err err;
};

static void power_on(struct disk *k)
{
	vfs_now = files_sim_vfs_new(&k->sim->seam, 1, &k->random.seam, &k->clock.seam);
	k->sim->seam.sqlite_vfs = vfs_name;
	k->seams.files = &k->sim->seam;
	k->d = digests_open(&k->seams, false, &k->err);
	assert_non_null(k->d);
}

static void power_off(struct disk *k)
{
	k->sim->plan.crash_at = k->sim->calls + 1;
	digests_close(&k->d);
	files_sim_vfs_free(vfs_now);
	files_sim_reboot(k->sim);
}

static void put_some(struct disk *k, uint64_t from, uint64_t n)
{
	for (uint64_t i = from; i < from + n; i++)
		put_one(k->d, i);
}

static bool is_sound(void)
{
	sqlite3 *db;
	sqlite3_stmt *st;
	assert_int_equal(
		sqlite3_open_v2("sim/digests.db", &db, SQLITE_OPEN_READWRITE, vfs_now), SQLITE_OK);
	bool sound = sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &st, NULL) == SQLITE_OK &&
		     sqlite3_step(st) == SQLITE_ROW &&
		     strcmp((const char *)sqlite3_column_text(st, 0), "ok") == 0;
	sqlite3_finalize(st);
	sqlite3_close(db);
	return sound;
}

/* Whether what is there are all up to some commit, at least so many. */
static bool is_there_up_to(struct disk *k, uint64_t least, uint64_t most)
{
	struct digest_reader *r = digest_reader_new(k->d);
	uint64_t n = 0;
	while (n < most && is_there(r, n + 1))
		n++;
	bool right = n >= least;
	for (uint64_t i = n + 1; i <= most; i++)
		right &= !is_there(r, i);
	digest_reader_free(&r);
	return right;
}

/* The power is cut at one of so many calls behind the first commits, or after all of them. What was
 * moved to its place stays, whatever of the log reached the disk, and in whatever order. */
static void cut_behind(uint64_t seed, uint64_t first, uint64_t least, uint64_t calls)
{
	struct disk k = { .sim = files_sim_new(seed) };
	random_fake_init(&k.random, seed);
	clock_fake_init(&k.clock, 1700000000000);
	power_on(&k);
	put_some(&k, 1, first);
	if (least == first)
		digests_checkpoint(k.d);
	k.sim->plan.crash_at = k.sim->calls + 1 + files_sim_below(k.sim, calls);
	uint64_t n = first + files_sim_below(k.sim, NEW);
	put_some(&k, first + 1, n - first);
	if (files_sim_below(k.sim, 2))
		digests_checkpoint(k.d);
	put_some(&k, n + 1, NEW);
	power_off(&k);
	power_on(&k);
	assert_true(is_sound());
	assert_true(is_there_up_to(&k, least, n + NEW));
	digests_close(&k.d);
	files_sim_vfs_free(vfs_now);
	files_sim_free(&k.sim);
}

static void a_power_cut_takes_the_newest_alone(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= CUTS; seed++)
		cut_behind(seed, OLD, OLD, 1 + seed * 10);
}

/* Here the writer itself moves it, at some commit between BEFORE and AFTER. */
static void also_when_the_writer_moves_the_log(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= CUTS / 10; seed++) {
		cut_behind(seed, BEFORE, 0, 12000);
		cut_behind(seed, AFTER, BEFORE, 400);
	}
}

/* Where the database is locked a group waits for it once, and is left out; the next is not. */
static void a_lock_is_waited_for_once(void **state)
{
	struct disk k = { .sim = files_sim_new(1) };
	sqlite3 *other;
	(void)state;
	random_fake_init(&k.random, 1);
	clock_fake_init(&k.clock, 1700000000000);
	power_on(&k);
	assert_int_equal(sqlite3_open_v2("sim/digests.db", &other, SQLITE_OPEN_READWRITE, vfs_now),
		SQLITE_OK);
	sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	digests_put(k.d, 1, STR("a"));
	sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_close(other);
	put_one(k.d, 2);
	put_one(k.d, 3);
	struct digest_reader *r = digest_reader_new(k.d);
	assert_false(is_there(r, 2));
	assert_true(is_there(r, 3));
	digest_reader_free(&r);
	digests_close(&k.d);
	files_sim_vfs_free(vfs_now);
	files_sim_free(&k.sim);
}

TEST_MAIN(test_case(the_log_stays_short), test_case(the_maintainer_moves_the_log),
	test_case(a_power_cut_takes_the_newest_alone),
	test_case(also_when_the_writer_moves_the_log), test_case(a_lock_is_waited_for_once))
