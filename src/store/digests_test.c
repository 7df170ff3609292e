// SPDX-License-Identifier: Apache-2.0
/* The table of digests by itself: the rest is seen in the store's tests. */
#include "store/digests.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/test.h"
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

TEST_MAIN(test_case(the_log_stays_short), test_case(the_maintainer_moves_the_log))
