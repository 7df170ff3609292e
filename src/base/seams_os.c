// SPDX-License-Identifier: Apache-2.0
/*
 * The operating system behind the seams: clock_gettime, getrandom, and files below one directory.
 *
 * A name is resolved beneath the directory and follows no symbolic link, by openat2(2) where the
 * kernel has it (RESOLVE_BENEATH), else component by component. The directory itself is opened
 * once, so the seam goes on to work after a chroot. The struct is not written to after
 * files_os_new, so threads may share it.
 */
#include "base/seams.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- clock ---- */

static int64_t clock_ms(clockid_t id)
{
	struct timespec now;
	int failed = clock_gettime(id, &now);
	assert(!failed);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t os_wall_ms(struct clock_seam *clock)
{
	(void)clock;
	return clock_ms(CLOCK_REALTIME);
}

static int64_t os_monotonic_ms(struct clock_seam *clock)
{
	(void)clock;
	return clock_ms(CLOCK_MONOTONIC);
}

struct clock_seam *clock_os(void)
{
	static struct clock_seam seam = { .wall_ms = os_wall_ms, .monotonic_ms = os_monotonic_ms };
	return &seam;
}

/* ---- randomness ---- */

static void os_fill(struct random_seam *random, void *p, size_t n)
{
	(void)random;
	for (char *at = p; n;) {
		ssize_t got = getrandom(at, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		/* No process goes on with bytes that somebody could guess. */
		if (got <= 0)
			abort();
		at += got;
		n -= (size_t)got;
	}
}

struct random_seam *random_os(void)
{
	static struct random_seam seam = { .fill = os_fill };
	return &seam;
}

/* ---- files ---- */

struct files_os {
	struct files_seam seam;
	int directory;
	bool openat2; /* the kernel has it */
	char *root;
};

static struct files_os *os_of(struct files_seam *seam)
{
	return CONTAINER_OF(seam, struct files_os, seam);
}

static int or_errno(int result)
{
	return result < 0 ? -errno : result;
}

/* Whether a name stays below: relative, no "..", no empty component. "" and "." are the directory
 * itself. */
static bool name_is_below(const char *name)
{
	struct str rest = str_from(name);
	if (rest.n && rest.p[rest.n - 1] == '/')
		return false;
	while (rest.n) {
		struct str part = str_split(&rest, '/');
		if (part.n == 0 || str_equal(part, STR("..")))
			return false;
	}
	return true;
}

/* The slow way: one openat(2) a component, none of which may be a link. */
static int open_by_walking(int directory, const char *name, int flags, mode_t mode)
{
	struct str rest = str_from(name);
	int at = directory;
	for (;;) {
		struct str part = str_split(&rest, '/');
		AUTO(mem_free_p)
		char *text = str_dup(part);
		int next = rest.n ? openat(at, text, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
				  : openat(at, text, flags | O_NOFOLLOW, mode);
		int number = errno;
		if (at != directory)
			close(at);
		errno = number;
		if (next < 0 || rest.n == 0)
			return or_errno(next);
		at = next;
	}
}

static int open_below(struct files_os *f, const char *name, int flags, mode_t mode)
{
	if (!name_is_below(name))
		return -EINVAL;
	if (*name == '\0')
		name = ".";
	flags |= O_CLOEXEC;
	if (f->openat2) {
		struct open_how how = { .flags = (unsigned)flags,
			.mode = flags & O_CREAT ? mode : 0,
			.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
		int file = (int)syscall(SYS_openat2, f->directory, name, &how, sizeof(how));
		/* EAGAIN: something was renamed meanwhile; ENOSYS, EPERM: a filter forbids it. */
		if (file >= 0 || (errno != EAGAIN && errno != ENOSYS && errno != EPERM))
			return or_errno(file);
	}
	return open_by_walking(f->directory, name, flags, mode);
}

static int open_directory(struct files_os *f, const char *name)
{
	return open_below(f, name, O_RDONLY | O_DIRECTORY, 0);
}

/* Opens the directory that a name is in; *ret_base is its last component. */
static int open_parent(struct files_os *f, const char *name, const char **ret_base)
{
	const char *slash = strrchr(name, '/');
	if (!name_is_below(name) || *name == '\0')
		return -EINVAL;
	*ret_base = slash ? slash + 1 : name;
	AUTO(mem_free_p)
	char *parent = str_dup(str_make(name, slash ? (size_t)(slash - name) : 0));
	return open_directory(f, parent);
}

/* Closes a directory and hands the result of the work in it on. */
static int close_after(int directory, int result)
{
	close(directory);
	return result;
}

static int os_open(struct files_seam *seam, const char *name, int flags, mode_t mode)
{
	return open_below(os_of(seam), name, flags, mode);
}

/* A file system without O_TMPFILE: a name that nobody guesses, gone at once. */
static int create_and_unlink(int directory)
{
	uint64_t number;
	char name[40];
	random_os()->fill(random_os(), &number, sizeof(number));
	snprintf(name, sizeof(name), "unlinked-%016llx", (unsigned long long)number);
	int file = openat(
		directory, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file >= 0 && unlinkat(directory, name, 0) < 0) {
		int number_of_error = errno;
		close(file);
		errno = number_of_error;
		file = -1;
	}
	return or_errno(file);
}

static int os_open_unlinked(struct files_seam *seam, const char *name)
{
	int directory = open_directory(os_of(seam), name);
	if (directory < 0)
		return directory;
	int file = or_errno(openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
	/* The three answers of open(2) when O_TMPFILE is unknown to kernel or file system. */
	if (file == -EOPNOTSUPP || file == -EISDIR || file == -ENOENT)
		file = create_and_unlink(directory);
	return close_after(directory, file);
}

static int os_close(struct files_seam *seam, int file)
{
	(void)seam;
	return or_errno(close(file));
}

static ssize_t os_pread(struct files_seam *seam, int file, void *p, size_t n, off_t at)
{
	(void)seam;
	ssize_t got = pread(file, p, n, at);
	return got < 0 ? -errno : got;
}

static ssize_t os_pwrite(struct files_seam *seam, int file, const void *p, size_t n, off_t at)
{
	(void)seam;
	ssize_t put = pwrite(file, p, n, at);
	return put < 0 ? -errno : put;
}

/* Some file systems can't; theirs is a flush like any other. */
static int os_start_flush(struct files_seam *seam, int file, off_t at, off_t n)
{
	(void)seam;
	int result = or_errno(sync_file_range(file, at, n, SYNC_FILE_RANGE_WRITE));
	return result == -EINVAL || result == -ENOSYS || result == -EOPNOTSUPP ? 0 : result;
}

static int os_fdatasync(struct files_seam *seam, int file)
{
	(void)seam;
	return or_errno(fdatasync(file));
}

static int os_fsync(struct files_seam *seam, int file)
{
	(void)seam;
	return or_errno(fsync(file));
}

static int os_sync_directory(struct files_seam *seam, const char *name)
{
	int directory = open_directory(os_of(seam), name);
	if (directory < 0)
		return directory;
	return close_after(directory, or_errno(fsync(directory)));
}

static int os_truncate(struct files_seam *seam, int file, off_t length)
{
	(void)seam;
	return or_errno(ftruncate(file, length));
}

static int os_lengthen(struct files_seam *seam, int file, off_t end, off_t n)
{
	(void)seam;
	int result = or_errno(fallocate(file, 0, end, n));
	return result == -EOPNOTSUPP ? or_errno(ftruncate(file, end + n)) : result;
}

static int64_t os_size(struct files_seam *seam, int file)
{
	(void)seam;
	struct stat st;
	return fstat(file, &st) < 0 ? -errno : st.st_size;
}

static int os_rename(struct files_seam *seam, const char *from, const char *to)
{
	const char *from_base, *to_base;
	int from_directory = open_parent(os_of(seam), from, &from_base);
	if (from_directory < 0)
		return from_directory;
	int to_directory = open_parent(os_of(seam), to, &to_base);
	if (to_directory < 0)
		return close_after(from_directory, to_directory);
	int result = or_errno(renameat(from_directory, from_base, to_directory, to_base));
	return close_after(from_directory, close_after(to_directory, result));
}

static int os_unlink(struct files_seam *seam, const char *name)
{
	const char *base;
	int directory = open_parent(os_of(seam), name, &base);
	if (directory < 0)
		return directory;
	return close_after(directory, or_errno(unlinkat(directory, base, 0)));
}

static int os_mkdir(struct files_seam *seam, const char *name, mode_t mode)
{
	const char *base;
	int directory = open_parent(os_of(seam), name, &base);
	if (directory < 0)
		return directory;
	return close_after(directory, or_errno(mkdirat(directory, base, mode)));
}

static int os_list(
	struct files_seam *seam, const char *name, int (*each)(void *, const char *), void *arg)
{
	int directory = open_directory(os_of(seam), name);
	if (directory < 0)
		return directory;
	DIR *d = fdopendir(directory);
	if (d == NULL)
		return close_after(directory, -errno);
	int result = 0;
	while (result == 0) {
		errno = 0;
		const struct dirent *e = readdir(d);
		if (e == NULL) {
			result = -errno;
			break;
		}
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			result = each(arg, e->d_name);
	}
	closedir(d);
	return result;
}

static int os_lock(struct files_seam *seam, int file)
{
	(void)seam;
	return or_errno(flock(file, LOCK_EX | LOCK_NB));
}

static int os_forget_cache(struct files_seam *seam, int file)
{
	(void)seam;
	return -posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
}

static int64_t os_free_bytes(struct files_seam *seam)
{
	struct statvfs st;
	if (fstatvfs(os_of(seam)->directory, &st) < 0)
		return -errno;
	uint64_t bytes;
	if (__builtin_mul_overflow((uint64_t)st.f_bavail, (uint64_t)st.f_frsize, &bytes) ||
		bytes > INT64_MAX)
		return INT64_MAX;
	return (int64_t)bytes;
}

/* A directory has one process (its lock), so SQLite's connections, all of them in it, agree in
 * memory instead of by byte locks on files: some 30 system calls a delivery less. */
static const char *os_sqlite_vfs(struct files_seam *seam)
{
	(void)seam;
	return "unix-excl";
}

static const char *os_root(struct files_seam *seam)
{
	return os_of(seam)->root;
}

static const struct files_seam os_files = { .open = os_open,
	.open_unlinked = os_open_unlinked,
	.close = os_close,
	.pread = os_pread,
	.pwrite = os_pwrite,
	.start_flush = os_start_flush,
	.fdatasync = os_fdatasync,
	.fsync = os_fsync,
	.sync_directory = os_sync_directory,
	.truncate = os_truncate,
	.lengthen = os_lengthen,
	.size = os_size,
	.rename = os_rename,
	.unlink = os_unlink,
	.mkdir = os_mkdir,
	.list = os_list,
	.lock = os_lock,
	.forget_cache = os_forget_cache,
	.free_bytes = os_free_bytes,
	.sqlite_vfs = os_sqlite_vfs,
	.root = os_root };

static bool kernel_has_openat2(int directory)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH };
	int file = (int)syscall(SYS_openat2, directory, ".", &how, sizeof(how));
	if (file >= 0)
		close(file);
	return file >= 0;
}

struct files_seam *files_os_new(const char *directory, struct err *err)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		fail_errno(err, "cannot open the directory %s", directory);
		return NULL;
	}
	struct files_os *f = xmalloc(sizeof(*f));
	*f = (struct files_os){ .seam = os_files,
		.directory = fd,
		.openat2 = kernel_has_openat2(fd),
		.root = xstrdup(directory) };
	return &f->seam;
}

void files_os_free(struct files_seam **files)
{
	if (*files == NULL)
		return;
	struct files_os *f = os_of(*files);
	*files = NULL;
	close(f->directory);
	free(f->root);
	free(f);
}
