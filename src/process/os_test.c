// SPDX-License-Identifier: Apache-2.0
/* Directories that appear whole, the lock, and a log that never blocks. */
#include "base/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "process/os.h"

static void test_make_directory(void **state)
{
	char top[] = "/tmp/culver-os-XXXXXX", path[100], slashed[110], fresh[110];
	struct identity nobody = { -1, -1 };
	struct err err = ERR_INIT;
	struct stat s;
	(void)state;
	assert_non_null(mkdtemp(top));
	snprintf(path, sizeof(path), "%s/data", top);
	snprintf(slashed, sizeof(slashed), "%s/data/", top);
	snprintf(fresh, sizeof(fresh), "%s/data.new", top);
	assert_int_equal(mkdir(fresh, 0777), 0); /* an earlier run got so far */
	assert_int_equal(os_make_directory(slashed, 0700, nobody, &err), 0);
	assert_int_equal(stat(path, &s), 0);
	assert_int_equal(s.st_mode & 07777, 0700);
	assert_int_equal(chmod(path, 0750), 0);
	assert_int_equal(os_make_directory(path, 0700, nobody, &err), 0);
	assert_int_equal(stat(path, &s), 0);
	assert_int_equal(s.st_mode & 07777, 0750); /* what is there is left alone */
	rmdir(path);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(os_make_directory(path, 0700, nobody, &err), -1);
	assert_int_equal(err.kind, ERR_CONFIG);
	unlink(path);
	rmdir(top);
}

static void stop(void *arg)
{
	struct loop *loop = arg;
	loop->class->stop(loop);
}

static void test_log_never_blocks(void **state)
{
	struct log_sink_fd sink;
	char line[1000], bytes[70000];
	int fds[2];
	(void)state;
	assert_int_equal(pipe(fds), 0);
	log_sink_fd_init(&sink, fds[1]);
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (int i = 0; i < 1000; i++)
		sink.sink.write(&sink.sink, str_make(line, sizeof(line)));
	assert_true(sink.dropped > 900);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	while (read(fds[0], bytes, sizeof(bytes)) > 0)
		;
	sink.sink.write(&sink.sink, str_make(line, sizeof(line)));
	/* The lines that were kept, what is missing, and then this one. */
	ssize_t n = read(fds[0], bytes, sizeof(bytes) - 1);
	assert_true(n > 0);
	bytes[n] = '\0';
	const char *note = strstr(bytes, "level=warn event=log-dropped");
	assert_non_null(note);
	assert_true(note > bytes && note[-1] == '\n');
	assert_ptr_equal(strstr(note, "xxx"), strchr(note, '\n') + 1);
	assert_int_equal(sink.dropped, 0);
	log_sink_fd_done(&sink);
	close(fds[0]);
	close(fds[1]);
}

/* Lines of one turn of the loop are one write, whole and in order; the last of them are not lost.
 */
static void test_log_of_a_turn(void **state)
{
	struct log_sink_fd sink;
	struct loop *loop = loop_uv_new();
	char bytes[100];
	int fds[2];
	(void)state;
	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	log_sink_fd_init(&sink, fds[1]);
	log_sink_fd_gather(&sink, loop);
	sink.sink.write(&sink.sink, STR("one\n"));
	sink.sink.write(&sink.sink, STR("two\n"));
	assert_int_equal(read(fds[0], bytes, sizeof(bytes)), -1);
	struct timer *end = loop->class->timer_new(loop, stop, loop);
	loop->class->timer_set(end, loop->clock->monotonic_ms(loop->clock) + 1);
	loop->class->run(loop);
	assert_int_equal(read(fds[0], bytes, sizeof(bytes)), 8);
	assert_memory_equal(bytes, "one\ntwo\n", 8);
	sink.sink.write(&sink.sink, STR("last\n"));
	log_sink_fd_done(&sink);
	assert_int_equal(read(fds[0], bytes, sizeof(bytes)), 5);
	loop->class->timer_free(&end);
	loop_uv_free(&loop);
	close(fds[0]);
	close(fds[1]);
}

static size_t resident_bytes(void)
{
	unsigned long pages = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu %lu", &pages, &resident), 2);
	fclose(f);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* What lies between things that stay is given back, too. */
static void test_trim(void **state)
{
	enum { BLOCKS = 60000, BYTES = 1000, STAYS = 1000 };
	static void *blocks[BLOCKS];
	(void)state;
	os_trim();
	size_t before = resident_bytes();
	for (int i = 0; i < BLOCKS; i++)
		blocks[i] = memset(xmalloc(BYTES), 1, BYTES);
	size_t full = resident_bytes();
	for (int i = 0; i < BLOCKS; i++)
		if (i % STAYS != STAYS - 1)
			free(blocks[i]);
	os_trim();
	size_t left = resident_bytes();
#ifndef CULVER_SANITIZED /* another allocator */
	assert_true(full > before + 50000000);
	assert_true(left < before + 10000000);
#else
	assert_true(full > before && left > 0);
#endif
	for (int i = STAYS - 1; i < BLOCKS; i += STAYS)
		free(blocks[i]);
}

/* Nobody becomes root by a number that is none, and nobody stays root by the number that says so.
 */
static void test_role_arguments(void **state)
{
	static const char *const bad[][2] = { { "0", "5" }, { "x", "5" }, { "5", "x" },
		{ "5x", "5" }, { "4294967295", "5" }, { "5", "4294967295" }, { "-1", "5" },
		{ "-2", "-2" }, { "", "" } };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const char *argv[] = { "culver", "role", "gate", "1", bad[i][0], bad[i][1], "/",
			NULL };
		assert_int_equal(role_main(7, (char **)(uintptr_t)argv), 2);
	}
}

TEST_MAIN(test_case(test_make_directory), test_case(test_log_never_blocks),
	test_case(test_log_of_a_turn), test_case(test_role_arguments), test_case(test_trim))
