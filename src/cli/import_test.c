// SPDX-License-Identifier: Apache-2.0
/* The walk over directories of mail. */
#include "base/test.h"

#include "base/limits.h"
#include "base/time.h"
#include "cli/import.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int temporary(char path[64])
{
	snprintf(path, 64, "/tmp/culver-import-XXXXXX");
	assert_non_null(mkdtemp(path));
	int directory = open(path, O_RDONLY | O_DIRECTORY);
	assert_true(directory >= 0);
	return directory;
}

/* LIMIT_IMPORT_NAMES_BYTES, with all but some of it in use. */
static void names_have_an_end(void **state)
{
	enum { NAME_BYTES = 16 };
	char path[64];
	int directory = temporary(path);
	(void)state;
	close(openat(directory, "fifteen-letters", O_CREAT | O_WRONLY, 0600));
	for (int more = -1; more <= 1; more++) {
		struct arena arena;
		struct vec names;
		struct err err = ERR_INIT;
		arena_init(&arena, LIMIT_IMPORT_NAMES_BYTES);
		vec_init(&names, sizeof(char *), 10);
		arena.used = (size_t)(LIMIT_IMPORT_NAMES_BYTES - NAME_BYTES + more);
		assert_int_equal(import_list(directory, &arena, &names, &err), more <= 0 ? 0 : -1);
		assert_int_equal(err.kind, more <= 0 ? ERR_NONE : ERR_LIMIT);
		vec_done(&names);
		arena_done(&arena);
	}
	unlinkat(directory, "fifteen-letters", 0);
	rmdir(path);
	close(directory);
}

struct seen {
	struct buf names;
	int deepest;
};

static int look(const struct import_level *level, const char *entry, struct err *err)
{
	struct seen *seen = level->arg;
	struct buf name;
	buf_init(&name, 1000);
	assert_true(import_level_name(level, str_from(entry), &name));
	buf_addf(&seen->names, "%s\n", name.p);
	seen->deepest = level->depth;
	int below = import_open_directory(level->directory, entry);
	assert_true(below >= 0);
	struct import_level next = { seen, below, buf_str(&name), level->depth + 1 };
	int rc = import_walk(&next, look, err);
	close(below);
	buf_done(&name);
	return rc;
}

/* Sorted, each level below the other, and no deeper than mailboxes are. */
static void levels_have_names_and_an_end(void **state)
{
	char path[64];
	struct err err = ERR_INIT;
	struct seen seen = { .deepest = -1 };
	int directory = temporary(path), at = directory;
	(void)state;
	buf_init(&seen.names, 100000);
	assert_int_equal(mkdirat(directory, "b", 0700), 0);
	assert_int_equal(mkdirat(directory, "B", 0700), 0);
	for (int i = 0; i < LIMIT_MAILBOX_LEVELS + 2; i++) {
		assert_int_equal(mkdirat(at, "a", 0700), 0);
		int next = import_open_directory(at, "a");
		if (at != directory)
			close(at);
		at = next;
	}
	close(at);
	struct import_level top = { &seen, directory, STR_NONE, 0 };
	assert_int_equal(import_walk(&top, look, &err), 0);
	assert_int_equal(str_search(buf_str(&seen.names), STR("B\na\na/a\na/a/a\n")), 0);
	assert_true(str_ends_nocase(buf_str(&seen.names), STR("/a\nb\n")));
	assert_int_equal(seen.deepest, 0);
	size_t lines = 0;
	for (size_t i = 0; i < seen.names.n; i++)
		lines += seen.names.p[i] == '\n';
	assert_int_equal(lines, 2 + LIMIT_MAILBOX_LEVELS + 1);
	for (int i = LIMIT_MAILBOX_LEVELS + 2; i > 0; i--) {
		char deep[4 * LIMIT_MAILBOX_LEVELS] = "a";
		for (int k = 1; k < i; k++)
			memcpy(deep + 2 * k - 1, "/a", 3);
		unlinkat(directory, deep, AT_REMOVEDIR);
	}
	unlinkat(directory, "b", AT_REMOVEDIR);
	unlinkat(directory, "B", AT_REMOVEDIR);
	assert_int_equal(rmdir(path), 0);
	buf_done(&seen.names);
	close(directory);
}

/* A file may have been made at any time, as far as its file system says. */
static void files_are_of_any_time(void **state)
{
	static const struct {
		int64_t s, ms;
	} times_of[] = { { INT64_MIN, TIME_MIN_MS }, { -1, -1000 }, { 0, 0 }, { 1, 1000 },
		{ INT64_MAX, TIME_MAX_MS } };
	struct buf bytes;
	char path[] = "/dev/shm/culver-import-XXXXXX";
	(void)state;
	if (mkdtemp(path) == NULL)
		skip();
	int directory = open(path, O_RDONLY | O_DIRECTORY);
	buf_init(&bytes, 100000);
	close(openat(directory, "file", O_CREAT | O_WRONLY, 0600));
	for (size_t i = 0; i < ARRAY_LEN(times_of); i++) {
		struct timespec times[2] = { { .tv_sec = times_of[i].s },
			{ .tv_sec = times_of[i].s } };
		int64_t ms = -1;
		assert_int_equal(utimensat(directory, "file", times, 0), 0);
		assert_int_equal(import_read_file(directory, "file", &bytes, &ms), 0);
		assert_int_equal(ms, times_of[i].ms);
	}
	buf_done(&bytes);
	unlinkat(directory, "file", 0);
	rmdir(path);
	close(directory);
}

TEST_MAIN(test_case(files_are_of_any_time), test_case(names_have_an_end),
	test_case(levels_have_names_and_an_end))
