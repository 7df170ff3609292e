// SPDX-License-Identifier: Apache-2.0
/*
 * A log that SQLite wrote: what a power cut may leave of it is not called damaged, and what it
 * can't leave is, wherever two commits that are whole stand behind it.
 */
#include "store/log_damage.h"

#include "base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "store/files_sim.h"
#include "store/files_sim_vfs.h"

enum { HEADER = 32, FRAME = 24 + 4096, SECTOR = 512 };
static const char log_name[] = "ledger.db-wal";

/* A disk with a database on it, and the log as it was written. */
struct scene {
	struct files_sim *sim;
	struct random_fake random;
	struct clock_fake clock;
	const char *vfs;
	sqlite3 *db;
	uint8_t *p;
	size_t n;
};

static void run(struct scene *s, const char *sql)
{
	assert_int_equal(sqlite3_exec(s->db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static struct scene begin(void)
{
	struct scene s = { .sim = files_sim_new(1) };
	random_fake_init(&s.random, 1);
	clock_fake_init(&s.clock, 1700000000000);
	return s;
}

static void open_db(struct scene *s)
{
	s->vfs = files_sim_vfs_new(&s->sim->seam, 1, &s->random.seam, &s->clock.seam);
	assert_int_equal(sqlite3_open_v2("sim/ledger.db", &s->db,
				 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, s->vfs),
		SQLITE_OK);
	run(s, "PRAGMA page_size=4096");
	run(s, "PRAGMA journal_mode=WAL");
	run(s, "PRAGMA synchronous=FULL");
	run(s, "PRAGMA wal_autocheckpoint=0");
	run(s, "CREATE TABLE IF NOT EXISTS t(i INTEGER PRIMARY KEY, b BLOB)");
}

static void row(struct scene *s, unsigned bytes)
{
	char sql[100];
	snprintf(sql, sizeof(sql), "INSERT INTO t(b) VALUES(randomblob(%u))", bytes);
	run(s, sql);
}

static void keep(struct scene *s)
{
	const uint8_t *p = files_sim_bytes(s->sim, log_name, &s->n);
	assert_non_null(p);
	free(s->p);
	s->p = xmalloc(s->n);
	memcpy(s->p, p, s->n);
}

static void close_db(struct scene *s)
{
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_close(s->db);
	files_sim_vfs_free(s->vfs);
	s->db = NULL;
}

static void done(struct scene *s)
{
	if (s->db)
		close_db(s);
	free(s->p);
	files_sim_free(&s->sim);
}

static bool is_damaged(struct files_sim *sim, struct log_damage *ret)
{
	struct err err = ERR_INIT;
	int found = log_damage(&sim->seam, log_name, ret, &err);
	assert_true(found >= 0);
	return found;
}

/* The log with other bytes. */
static bool would_be_damaged(const uint8_t *p, size_t n, struct log_damage *ret)
{
	struct files_sim *sim = files_sim_new(1);
	int file = sim->seam.open(&sim->seam, log_name, O_CREAT | O_RDWR, 0600);
	assert_int_equal(files_pwrite_all(&sim->seam, file, p, n, 0), 0);
	sim->seam.close(&sim->seam, file);
	bool damaged = is_damaged(sim, ret);
	files_sim_free(&sim);
	return damaged;
}

static uint8_t *frame(struct scene *s, size_t i)
{
	return s->p + HEADER + i * FRAME;
}

static bool is_commit(struct scene *s, size_t i)
{
	static const uint8_t none[4];
	return memcmp(frame(s, i) + 4, none, 4) != 0;
}

/* Frames of commits of several sizes. */
static struct scene furnished(void)
{
	static const unsigned sizes[] = { 10, 9000, 10, 20000, 5000, 10, 10 };
	struct scene s = begin();
	open_db(&s);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		row(&s, sizes[i]);
	keep(&s);
	return s;
}

static size_t frames(const struct scene *s)
{
	return (s->n - HEADER) / FRAME;
}

/* A commit stands behind frame i, and another frame behind it; from the first on that verifies by
 * the one before it. */
static bool is_provable(struct scene *s, size_t i, bool sum_is_lost)
{
	for (size_t k = i + (sum_is_lost ? 2 : 1); k + 1 < frames(s); k++)
		if (is_commit(s, k))
			return true;
	return false;
}

static void damage_is_seen(void **state)
{
	(void)state;
	struct scene s = furnished();
	struct log_damage found;
	assert_false(would_be_damaged(s.p, s.n, &found));
	assert_int_equal(found.end, s.n);
	size_t seen = 0;
	for (size_t i = 0; i < frames(&s); i++) {
		static const size_t places[] = { 0, 5, 8, 12, 16, 23, 24, 2000, 4119 };
		for (size_t k = 0; k < ARRAY_LEN(places); k++) {
			frame(&s, i)[places[k]] ^= 4;
			bool damaged = would_be_damaged(s.p, s.n, &found);
			frame(&s, i)[places[k]] ^= 4;
			bool sum = places[k] >= 16 && places[k] < 24;
			assert_int_equal(damaged, is_provable(&s, i, sum));
			if (damaged)
				assert_int_equal(found.at, HEADER + i * FRAME);
			seen += damaged;
		}
		uint8_t kept[FRAME];
		memcpy(kept, frame(&s, i), FRAME);
		memset(frame(&s, i), 0, FRAME);
		assert_int_equal(would_be_damaged(s.p, s.n, &found), is_provable(&s, i, true));
		memcpy(frame(&s, i), kept, FRAME);
	}
	assert_true(seen > 50);
	done(&s);
}

static void end_is_that_of_a_commit(void **state)
{
	(void)state;
	struct scene s = furnished();
	struct log_damage found;
	size_t i = 0;
	while (is_commit(&s, i) || i < 6)
		i++;
	frame(&s, i)[100] ^= 1;
	assert_true(would_be_damaged(s.p, s.n, &found));
	size_t whole = i;
	while (!is_commit(&s, whole - 1))
		whole--;
	assert_int_equal(found.at, HEADER + i * FRAME);
	assert_int_equal(found.end, HEADER + whole * FRAME);
	done(&s);
}

static void header_is_missed(void **state)
{
	(void)state;
	struct scene s = furnished();
	struct log_damage found;
	for (size_t i = 0; i < HEADER; i++) {
		s.p[i] ^= 8;
		assert_true(would_be_damaged(s.p, s.n, &found));
		assert_int_equal(found.end, 0);
		s.p[i] ^= 8;
	}
	memset(s.p, 0, SECTOR);
	assert_int_equal(would_be_damaged(s.p, s.n, &found), 1);
	assert_int_equal(found.end, 0);
	done(&s);
}

/* As the log is read when it was started over: what is behind the end is of before. */
static void started_over(void **state)
{
	(void)state;
	struct scene s = furnished();
	struct log_damage found;
	uint8_t old_header[HEADER];
	memcpy(old_header, s.p, HEADER);
	run(&s, "PRAGMA wal_checkpoint(RESTART)");
	assert_false(is_damaged(s.sim, &found));
	row(&s, 10);
	keep(&s);
	assert_false(would_be_damaged(s.p, s.n, &found));
	row(&s, 10);
	row(&s, 10);
	row(&s, 10);
	keep(&s);
	assert_false(would_be_damaged(s.p, s.n, &found));
	assert_true(found.end > HEADER && found.end < (int64_t)s.n);
	/* Of the new round the header was lost. */
	memcpy(s.p, old_header, HEADER);
	assert_true(would_be_damaged(s.p, s.n, &found));
	assert_int_equal(found.end, 0);
	done(&s);
}

/* Each power cut leaves what it leaves of one commit that was not flushed, the next goes on behind
 * what is whole, and so on: nothing of it is damage. */
static void power_cuts_are_none(void **state)
{
	(void)state;
	size_t lost = 0;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct scene s = begin();
		files_sim_free(&s.sim);
		s.sim = files_sim_new(seed);
		for (unsigned boot = 0; boot < 6; boot++) {
			struct log_damage found;
			open_db(&s);
			for (unsigned i = 0; i < 3; i++)
				row(&s, (unsigned)files_sim_below(s.sim, 30000));
			s.sim->plan.crash_at = s.sim->calls + 1 + files_sim_below(s.sim, 40);
			for (unsigned i = 0; i < 30 && !files_sim_crashed(s.sim); i++) {
				char sql[100];
				snprintf(sql, sizeof(sql),
					"INSERT INTO t(b) VALUES(randomblob(%u))",
					(unsigned)files_sim_below(s.sim, 30000));
				sqlite3_exec(s.db, sql, NULL, NULL, NULL);
			}
			close_db(&s);
			files_sim_reboot(s.sim);
			assert_false(is_damaged(s.sim, &found));
			keep(&s);
			lost += found.end < (int64_t)s.n;
		}
		done(&s);
	}
	assert_true(lost > 60); /* there was something to be mistaken about */
}

/* What a transaction has written ahead of its end, and then took back. */
static void undone_transactions_are_none(void **state)
{
	(void)state;
	struct scene s = begin();
	struct log_damage found;
	open_db(&s);
	row(&s, 10);
	run(&s, "PRAGMA cache_size=5");
	run(&s, "BEGIN");
	for (int i = 0; i < 40; i++)
		row(&s, 4000);
	run(&s, "ROLLBACK");
	keep(&s);
	assert_true(frames(&s) > 20);
	assert_false(would_be_damaged(s.p, s.n, &found));
	for (int i = 0; i < 10; i++) {
		row(&s, 10);
		keep(&s);
		assert_false(would_be_damaged(s.p, s.n, &found));
		assert_true(found.end < (int64_t)s.n);
	}
	/* No room: some of a commit is there. */
	s.sim->plan.capacity = files_sim_bytes_used(s.sim) + 100000;
	assert_int_not_equal(
		sqlite3_exec(s.db, "INSERT INTO t(b) VALUES(randomblob(300000))", NULL, NULL, NULL),
		SQLITE_OK);
	s.sim->plan.capacity = 0;
	for (int i = 0; i < 10; i++) {
		row(&s, 10);
		keep(&s);
		assert_false(would_be_damaged(s.p, s.n, &found));
	}
	done(&s);
}

static void short_ones_are_none(void **state)
{
	(void)state;
	struct scene s = furnished();
	struct log_damage found;
	for (size_t n = 0; n < s.n; n += n < 200 ? 1 : SECTOR)
		assert_false(would_be_damaged(s.p, n, &found));
	struct files_sim *none = files_sim_new(1);
	assert_false(is_damaged(none, &found));
	files_sim_free(&none);
	/* What can't be read is not called whole. */
	struct err err = ERR_INIT;
	uint64_t calls = s.sim->calls;
	for (uint64_t at = 1; at <= 4; at++) {
		s.sim->plan.fail_at = s.sim->calls + at;
		s.sim->plan.fail_with = -EIO;
		assert_int_equal(log_damage(&s.sim->seam, log_name, &found, &err), -1);
	}
	assert_true(s.sim->calls > calls);
	s.sim->plan.fail_at = 0;
	done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damage_is_seen),
		cmocka_unit_test(end_is_that_of_a_commit),
		cmocka_unit_test(header_is_missed),
		cmocka_unit_test(started_over),
		cmocka_unit_test(power_cuts_are_none),
		cmocka_unit_test(undone_transactions_are_none),
		cmocka_unit_test(short_ones_are_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
