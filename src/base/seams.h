/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seams: everything a role takes from the outside world, as structs of functions that are
 * handed in. In production they are the operating system; in a simulation one seeded world stands
 * behind all of them. No code below src/process calls the clock, the random generator, the file
 * system or a thread by any other way. (The network seam is io/loop.h.)
 *
 * uses: str, err; used by: every role, store, io
 */
#ifndef CULVER_BASE_SEAMS_H
#define CULVER_BASE_SEAMS_H

#include "base/err.h"
#include "base/str.h"

#include <sys/types.h>

/* Time. Timers and deadlines use the monotonic clock alone; the wall clock is for dates. */
struct clock_seam {
	int64_t (*wall_ms)(struct clock_seam *);      /* milliseconds since 1970 UTC */
	int64_t (*monotonic_ms)(struct clock_seam *); /* never goes back */
};

/* Bytes nobody can guess. Cannot fail: a process without randomness ends. */
struct random_seam {
	void (*fill)(struct random_seam *, void *p, size_t n);
};

/* Files below one directory. Names are relative and never hold "..". A file is a number >= 0.
 * Functions return >= 0, or -errno. Nothing here retries: short counts and EINTR are passed up. */
struct files_seam {
	int (*open)(struct files_seam *, const char *name, int flags, mode_t mode);
	int (*open_unlinked)(
		struct files_seam *, const char *directory); /* O_TMPFILE, or as good */
	int (*close)(struct files_seam *, int file);
	ssize_t (*pread)(struct files_seam *, int file, void *p, size_t n, off_t at);
	ssize_t (*pwrite)(struct files_seam *, int file, const void *p, size_t n, off_t at);
	/* Begins to write n bytes at a place to the disk, where the system can, so that the flush
	 * that has to come has less to wait for. Nothing is on disk by it. A failure is as grave as
	 * a flush's, which may not be told of it again. */
	int (*start_flush)(struct files_seam *, int file, off_t at, off_t n);
	int (*fdatasync)(struct files_seam *, int file);
	int (*fsync)(struct files_seam *, int file);
	int (*sync_directory)(struct files_seam *, const char *directory);
	int (*truncate)(struct files_seam *, int file, off_t length);
	/* Makes a file n bytes longer than its end, which read as zeros and have blocks where the
	 * file system can do that. -errno: it may be longer by fewer (ext4, when it gets full). */
	int (*lengthen)(struct files_seam *, int file, off_t end, off_t n);
	int64_t (*size)(struct files_seam *, int file);
	int (*rename)(struct files_seam *, const char *from, const char *to);
	int (*unlink)(struct files_seam *, const char *name);
	int (*mkdir)(struct files_seam *, const char *name, mode_t mode); /* -EEXIST is returned */
	/* Calls each() for every name in the directory but . and ..; its non-zero return ends it.
	 */
	int (*list)(struct files_seam *, const char *directory, int (*each)(void *, const char *),
		void *arg);
	int (*lock)(struct files_seam *, int file); /* exclusive, not waiting; -EWOULDBLOCK */
	/* Drops clean pages of the file from the page cache where the system can. */
	int (*forget_cache)(struct files_seam *, int file);
	int64_t (*free_bytes)(struct files_seam *); /* room for data, or -errno */
	const char *(*sqlite_vfs)(
		struct files_seam *);             /* name of the VFS SQLite is to use, or NULL */
	const char *(*root)(struct files_seam *); /* the directory, for SQLite and messages */
};

/*
 * Workers: work beside the loop. A worker is a step function: called again and again by one caller
 * at a time while it returns true, and then not before wake(). In production each worker is a
 * thread; in a simulation a seeded scheduler calls the steps. A step takes its jobs from a queue of
 * the worker's own, guarded by struct mutex below, and hands results back with notify(), which
 * makes the loop call `done` soon, on the loop's thread (several notifies may become one call).
 */
struct worker;
struct worker_spec {
	const char *name;
	bool (*step)(void *arg); /* does one piece of work; false: nothing left to do */
	void (*done)(void *arg); /* on the loop's thread after notify() */
	void *arg;
};
struct executor_seam {
	struct worker *(*start)(struct executor_seam *, const struct worker_spec *);
	void (*wake)(struct worker *);   /* from any thread */
	void (*notify)(struct worker *); /* from inside step() */
	/* Lets the current step end, runs no further one, and frees. *worker becomes NULL. */
	void (*stop)(struct worker **worker);
};

struct seams {
	struct clock_seam *clock;
	struct random_seam *random;
	struct files_seam *files;       /* NULL for roles without files */
	struct executor_seam *executor; /* NULL for roles without workers */
};

/* The operating system's seams (seams_os.c). */
struct clock_seam *clock_os(void);
struct random_seam *random_os(void);
/* Files below directory (opened once; names are resolved beneath it). NULL and err when it cannot
 * be opened. Freed with files_os_free. */
struct files_seam *files_os_new(const char *directory, struct err *err);
void files_os_free(struct files_seam **files);

/* Seeded ones for tests: a clock that is set by hand and a repeatable generator. */
struct clock_fake {
	struct clock_seam seam;
	int64_t wall_ms, monotonic_ms;
};
void clock_fake_init(struct clock_fake *c, int64_t wall_ms);
struct random_fake {
	struct random_seam seam;
	uint64_t state;
};
void random_fake_init(struct random_fake *r, uint64_t seed);

/* Whole-count helpers over the seam: they go on after EINTR and short counts. 0, or -errno
 * (-EIO when pread meets the end of the file early). */
int files_pread_all(struct files_seam *f, int file, void *p, size_t n, off_t at) MUST_CHECK;
int files_pwrite_all(struct files_seam *f, int file, const void *p, size_t n, off_t at) MUST_CHECK;
/* Goes on after EINTR. */
int files_fdatasync(struct files_seam *f, int file) MUST_CHECK;

#endif
