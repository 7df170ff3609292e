// SPDX-License-Identifier: Apache-2.0
/* A log that may stand in the page cache alone is on disk after it was settled. */
#include "store/sqlite_private.h"

#include "base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "store/distrust.h"
#include "store/files_sim.h"

enum { HEADER = 32, FRAME = 24 + 4096, ROOM = HEADER + 110 * FRAME };

struct log {
	struct files_sim *sim;
	uint8_t *p; /* as it was written */
	size_t n;
};

/* A header and `now` frames with its salts, then `before` with others. Written, not flushed. */
static struct log log_of(uint64_t seed, size_t now, size_t before, size_t more)
{
	struct log l = { .sim = files_sim_new(seed), .p = xmalloc(ROOM) };
	struct files_seam *files = &l.sim->seam;
	l.n = HEADER + (now + before) * FRAME + more;
	for (size_t i = 0; i < l.n; i++)
		l.p[i] = (uint8_t)(1 + (i * 31 + i / FRAME) % 255);
	for (size_t i = 0; i < now + before; i++)
		memcpy(l.p + HEADER + i * FRAME + 8, i < now ? l.p + 16 : l.p + 1, 8);
	int file = files->open(files, "log", O_CREAT | O_RDWR, 0600);
	assert_true(file >= 0);
	assert_int_equal(files->sync_directory(files, "."), 0);
	assert_int_equal(files_pwrite_all(files, file, l.p, l.n, 0), 0);
	files->close(files, file);
	return l;
}

static void done(struct log *l)
{
	free(l->p);
	files_sim_free(&l->sim);
}

/* Some of it reaches the disk, the rest is called clean; and whose flush failed is gone. */
static void flush_fails(struct log *l)
{
	struct files_seam *files = &l->sim->seam;
	files_sim_plan(l->sim, (struct files_sim_plan){ .flush_fails = 1 });
	int file = files->open(files, "log", O_RDWR, 0);
	assert_int_equal(files_fdatasync(files, file), -EIO);
	files_sim_kill(l->sim);
}

/* Whether its first n bytes survive a power cut. */
static bool is_on_disk(struct log *l, size_t n)
{
	size_t size;
	files_sim_reboot(l->sim);
	const uint8_t *p = files_sim_bytes(l->sim, "log", &size);
	return p && size >= n && memcmp(p, l->p, n) == 0;
}

static void what_counts_is_on_disk(void **state)
{
	(void)state;
	static const struct {
		size_t now, before, more;
	} cases[] = { { 0, 0, 0 }, { 0, 3, 0 }, { 1, 0, 0 }, { 31, 0, 0 }, { 32, 0, 0 },
		{ 33, 0, 0 }, { 64, 1, 0 }, { 70, 30, 0 }, { 5, 0, 4000 } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_INIT;
		struct log l = log_of(i, cases[i].now, cases[i].before, cases[i].more);
		flush_fails(&l);
		assert_int_equal(log_settle(&l.sim->seam, "log", &err), 0);
		/* The header, and 32 frames at a time; what was before is left. */
		assert_int_equal(l.sim->writes, 1 + (cases[i].now + 31) / 32);
		assert_true(is_on_disk(&l, HEADER + cases[i].now * FRAME));
		done(&l);
	}
	struct log l = log_of(7, 70, 30, 0);
	flush_fails(&l);
	assert_false(is_on_disk(&l, HEADER + (size_t)70 * FRAME)); /* the test can fail */
	done(&l);
}

static void nothing_is_nothing(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	struct log l = log_of(1, 1, 0, 0);
	struct files_seam *files = &l.sim->seam;
	assert_int_equal(log_settle(files, "none", &err), 0);
	int file = files->open(files, "log", O_RDWR, 0);
	assert_int_equal(files->truncate(files, file, HEADER - 1), 0);
	files->close(files, file);
	files_sim_plan(l.sim, (struct files_sim_plan){ .capacity = 0 });
	assert_int_equal(log_settle(files, "log", &err), 0);
	assert_int_equal(l.sim->writes, 0);
	done(&l);
}

static void a_failure_is_told(void **state)
{
	(void)state;
	for (uint64_t at = 1; at < 9; at++) {
		struct err err = ERR_INIT;
		struct log l = log_of(at, 40, 0, 0);
		files_sim_plan(l.sim, (struct files_sim_plan){ .fail_at = at, .fail_with = -EIO });
		int result = log_settle(&l.sim->seam, "log", &err);
		assert_int_equal(result, l.sim->failed ? -1 : 0);
		if (result == 0) /* what failed was the closing */
			assert_true(at >= 8);
		done(&l);
	}
	struct err err = ERR_INIT;
	struct log l = log_of(1, 40, 0, 0);
	files_sim_plan(l.sim, (struct files_sim_plan){ .flush_fails = 1 });
	assert_int_equal(log_settle(&l.sim->seam, "log", &err), -1);
	assert_true(distrust_is_marked(&l.sim->seam));
	done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_counts_is_on_disk),
		cmocka_unit_test(nothing_is_nothing),
		cmocka_unit_test(a_failure_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
