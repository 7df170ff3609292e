// SPDX-License-Identifier: Apache-2.0
/* The seams of the operating system in a folder of their own, and the fakes. */
#include "base/seams.h"
#include "base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
	char path[64];
	struct files_seam *f;
};

static int enter(void **state)
{
	struct place *p = xmalloc(sizeof(*p));
	snprintf(p->path, sizeof(p->path), "/tmp/culver-seams.XXXXXX");
	assert_non_null(mkdtemp(p->path));
	struct err err = ERR_INIT;
	p->f = files_os_new(p->path, &err);
	assert_non_null(p->f);
	*state = p;
	return 0;
}

static int remove_one(void *arg, const char *name)
{
	struct place *p = arg;
	if (p->f->unlink(p->f, name) < 0) {
		char path[512];
		snprintf(path, sizeof(path), "%s/%s", p->path, name);
		rmdir(path);
	}
	return 0;
}

static int leave(void **state)
{
	struct place *p = *state;
	p->f->list(p->f, "d", remove_one, p);
	p->f->list(p->f, ".", remove_one, p);
	files_os_free(&p->f);
	files_os_free(&p->f);
	rmdir(p->path);
	free(p);
	return 0;
}

static void names_stay_below(void **state)
{
	struct files_seam *f = ((struct place *)*state)->f;
	static const char *const bad[] = { "..", "../x", "a/../b", "d/..", "/etc/passwd", "a//b",
		"d/", "/" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(f->open(f, bad[i], O_RDONLY, 0), -EINVAL);
		assert_int_equal(f->unlink(f, bad[i]), -EINVAL);
		assert_int_equal(f->mkdir(f, bad[i], 0700), -EINVAL);
		assert_int_equal(f->rename(f, bad[i], "x"), -EINVAL);
	}
	assert_int_equal(f->unlink(f, ""), -EINVAL);
	assert_int_equal(f->open(f, "nothing", O_RDONLY, 0), -ENOENT);
	assert_int_equal(f->open(f, "no/thing", O_RDONLY, 0), -ENOENT);
}

static void links_are_not_followed(void **state)
{
	struct place *p = *state;
	char path[128];
	snprintf(path, sizeof(path), "%s/link", p->path);
	assert_int_equal(symlink("/etc", path), 0);
	assert_int_equal(p->f->open(p->f, "link/passwd", O_RDONLY, 0) < 0, 1);
	assert_int_equal(p->f->open(p->f, "link", O_RDONLY, 0), -ELOOP);
}

static void a_file_from_birth_to_death(void **state)
{
	struct files_seam *f = ((struct place *)*state)->f;
	char got[8];
	assert_int_equal(f->mkdir(f, "d", 0700), 0);
	assert_int_equal(f->mkdir(f, "d", 0700), -EEXIST);
	int file = f->open(f, "d/a", O_RDWR | O_CREAT | O_EXCL, 0600);
	assert_true(file >= 0);
	assert_int_equal(fcntl(file, F_GETFD), FD_CLOEXEC);
	assert_int_equal(f->open(f, "d/a", O_RDWR | O_CREAT | O_EXCL, 0600), -EEXIST);
	assert_int_equal(files_pwrite_all(f, file, "culver", 6, 2), 0);
	assert_int_equal(f->start_flush(f, file, 2, 6), 0);
	assert_int_equal(f->start_flush(f, -1, 2, 6), -EBADF);
	assert_int_equal(f->fdatasync(f, file), 0);
	assert_int_equal(f->fsync(f, file), 0);
	assert_int_equal(f->forget_cache(f, file), 0);
	assert_int_equal(f->size(f, file), 8);
	assert_int_equal(files_pread_all(f, file, got, 6, 2), 0);
	assert_memory_equal(got, "culver", 6);
	assert_int_equal(files_pread_all(f, file, got, 7, 2), -EIO);
	assert_int_equal(f->truncate(f, file, 3), 0);
	assert_int_equal(f->size(f, file), 3);
	assert_int_equal(f->lengthen(f, file, 3, 5), 0);
	assert_int_equal(f->size(f, file), 8);
	assert_int_equal(files_pread_all(f, file, got, 8, 0), 0);
	assert_memory_equal(got, "\0\0c\0\0\0\0\0", 8);
	assert_int_equal(f->lengthen(f, file, 8, INT64_MAX - 8), -EFBIG);
	assert_int_equal(f->lengthen(f, -1, 8, 8), -EBADF);
	assert_int_equal(f->size(f, file), 8);
	assert_int_equal(f->rename(f, "d/a", "b"), 0);
	assert_int_equal(f->sync_directory(f, "d"), 0);
	assert_int_equal(f->sync_directory(f, "."), 0);
	assert_int_equal(f->sync_directory(f, ""), 0);
	assert_int_equal(f->close(f, file), 0);
	assert_int_equal(f->close(f, file), -EBADF);
	assert_int_equal(f->unlink(f, "b"), 0);
	assert_int_equal(f->unlink(f, "b"), -ENOENT);
}

static int count(void *arg, const char *name)
{
	(void)name;
	return ++*(int *)arg == 3 ? 7 : 0;
}

static void touch(struct files_seam *f, const char *name)
{
	int file = f->open(f, name, O_WRONLY | O_CREAT, 0600);
	assert_true(file >= 0);
	f->close(f, file);
}

static void lists_names_until_told(void **state)
{
	struct files_seam *f = ((struct place *)*state)->f;
	int n = 0;
	touch(f, "1");
	touch(f, "2");
	assert_int_equal(f->list(f, ".", count, &n), 0);
	assert_int_equal(n, 2);
	touch(f, "3");
	touch(f, "4");
	n = 0;
	assert_int_equal(f->list(f, ".", count, &n), 7);
	assert_int_equal(n, 3);
	assert_int_equal(f->list(f, "none", count, &n), -ENOENT);
	assert_int_equal(f->list(f, "1", count, &n), -ENOTDIR);
}

static void locks_exclude(void **state)
{
	struct files_seam *f = ((struct place *)*state)->f;
	touch(f, "lock");
	int a = f->open(f, "lock", O_RDWR, 0), b = f->open(f, "lock", O_RDWR, 0);
	assert_int_equal(f->lock(f, a), 0);
	assert_int_equal(f->lock(f, b), -EWOULDBLOCK);
	f->close(f, a);
	assert_int_equal(f->lock(f, b), 0);
	f->close(f, b);
}

static void unlinked_files_have_no_name(void **state)
{
	struct place *p = *state;
	int n = 0, file = p->f->open_unlinked(p->f, "");
	struct stat st;
	assert_true(file >= 0);
	assert_int_equal(fstat(file, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(p->f->list(p->f, "", count, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(files_pwrite_all(p->f, file, "x", 1, 0), 0);
	p->f->close(p->f, file);
	assert_int_equal(p->f->open_unlinked(p->f, "none"), -ENOENT);
}

static void says_where_and_how_much(void **state)
{
	struct place *p = *state;
	assert_string_equal(p->f->root(p->f), p->path);
	assert_string_equal(p->f->sqlite_vfs(p->f), "unix-excl");
	assert_true(p->f->free_bytes(p->f) >= 0);
	struct err err = ERR_INIT;
	assert_null(files_os_new("/nonexistent/folder", &err));
	assert_int_equal(err.kind, ERR_TEMP);
}

/* A seam that gives one byte at a time, interrupted before each. */
struct slow {
	struct files_seam seam;
	int calls;
	char byte;
};

static ssize_t slow_pread(struct files_seam *seam, int file, void *p, size_t n, off_t at)
{
	struct slow *s = CONTAINER_OF(seam, struct slow, seam);
	(void)file, (void)n;
	if (s->calls++ % 2 == 0)
		return -EINTR;
	*(char *)p = (char)('a' + at);
	return 1;
}

static ssize_t slow_pwrite(struct files_seam *seam, int file, const void *p, size_t n, off_t at)
{
	struct slow *s = CONTAINER_OF(seam, struct slow, seam);
	(void)file, (void)n;
	if (s->calls++ % 2 == 0)
		return -EINTR;
	s->byte = *(const char *)p;
	return at == 3 ? -ENOSPC : 1;
}

static int slow_fdatasync(struct files_seam *seam, int file)
{
	struct slow *s = CONTAINER_OF(seam, struct slow, seam);
	(void)file;
	return s->calls++ % 3 < 2 ? -EINTR : -EIO;
}

static void whole_counts_survive_interruptions(void **state)
{
	(void)state;
	struct slow s = {
		.seam = { .pread = slow_pread, .pwrite = slow_pwrite, .fdatasync = slow_fdatasync }
	};
	char got[5] = "";
	assert_int_equal(files_pread_all(&s.seam, 0, got, 4, 0), 0);
	assert_string_equal(got, "abcd");
	assert_int_equal(s.calls, 8);
	assert_int_equal(files_pwrite_all(&s.seam, 0, "wxyz", 3, 0), 0);
	assert_int_equal(s.byte, 'y');
	assert_int_equal(files_pwrite_all(&s.seam, 0, "wxyz", 4, 0), -ENOSPC);
	s.calls = 0;
	assert_int_equal(files_fdatasync(&s.seam, 0), -EIO);
	assert_int_equal(s.calls, 3);
}

static void clocks_and_randomness(void **state)
{
	(void)state;
	struct clock_seam *os = clock_os();
	assert_true(os->wall_ms(os) > INT64_C(1700000000000));
	int64_t before = os->monotonic_ms(os);
	assert_true(os->monotonic_ms(os) >= before);
	struct clock_fake fake;
	clock_fake_init(&fake, 42);
	fake.monotonic_ms += 7;
	assert_int_equal(fake.seam.wall_ms(&fake.seam), 42);
	assert_int_equal(fake.seam.monotonic_ms(&fake.seam), 7);
	unsigned char a[300] = { 0 }, b[300] = { 0 };
	random_os()->fill(random_os(), a, sizeof(a));
	random_os()->fill(random_os(), b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	struct random_fake r;
	random_fake_init(&r, 1);
	r.seam.fill(&r.seam, a, sizeof(a));
	random_fake_init(&r, 1);
	r.seam.fill(&r.seam, b, sizeof(b));
	assert_memory_equal(a, b, sizeof(a));
	random_fake_init(&r, 2);
	r.seam.fill(&r.seam, b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
}

#define PLACE_CASE(f) cmocka_unit_test_setup_teardown(f, enter, leave)

TEST_MAIN(PLACE_CASE(names_stay_below), PLACE_CASE(links_are_not_followed),
	PLACE_CASE(a_file_from_birth_to_death), PLACE_CASE(lists_names_until_told),
	PLACE_CASE(locks_exclude), PLACE_CASE(unlinked_files_have_no_name),
	PLACE_CASE(says_where_and_how_much), test_case(whole_counts_survive_interruptions),
	test_case(clocks_and_randomness))
