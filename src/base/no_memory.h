/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests alone: a piece of work whose allocations fail, one after the other (hostile-input X2).
 * The program that includes this has its own malloc, calloc and realloc, which libraries use too.
 *
 *     static void work(void *arg) { … no_memory_from_here(); … no_memory_until_here(); … }
 *     NO_MEMORY_EACH (run, work, arg)
 *             … run.end: what became of the work with its run.n-th allocation refused
 *
 * Each time the work is done in a child process. What ends well: NO_MEMORY_ENDED, the process ended
 * as base/mem.h does; or NO_MEMORY_DONE, whoever asked lived without (a library), and the work's
 * own checks held. A signal, a failed check or another exit status fails the test.
 *
 * With CULVER_ALLOCATIONS=all each allocation is refused once, and then again with all that follow
 * (of more than NO_MEMORY_MOST, which a loop makes, NO_MEMORY_SPREAD of them);
 * otherwise NO_MEMORY_RUNS of them are, in turn this way and that. NO_MEMORY_EVERY is the same with
 * each of them in any case, for work that has few. Under a sanitizer, whose malloc it is, nothing
 * is refused: the work is done once.
 *
 * uses: mem; used by: *_memory_test.c
 */
#ifndef CULVER_BASE_NO_MEMORY_H
#define CULVER_BASE_NO_MEMORY_H

#include "base/mem.h"
#include "base/test.h"

#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	NO_MEMORY_RUNS = 16,
	NO_MEMORY_MOST = 3000,
	NO_MEMORY_SPREAD = 300,
	NO_MEMORY_SAID = 1 << 20,
	NO_MEMORY_STATUS_DONE = 99
};

/* Shared with the child. */
struct no_memory_shared {
	uint64_t calls;    /* of the allocator, in the work */
	bool acknowledged; /* the work's own */
	size_t said;       /* bytes of text that matter, when the work has noted them */
	char text[NO_MEMORY_SAID];
	size_t normal_said; /* when nothing is refused */
	char normal[NO_MEMORY_SAID];
};

static struct {
	bool on, for_ever;
	uint64_t fail_at; /* 0: never */
	struct no_memory_shared *shared;
} no_memory;

static inline bool no_memory_refuses(void)
{
	if (!no_memory.on)
		return false;
	uint64_t n = ++no_memory.shared->calls;
	return no_memory.fail_at &&
	       (n == no_memory.fail_at || (no_memory.for_ever && n > no_memory.fail_at));
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__GLIBC__)
#if defined(__has_feature)
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
#define NO_MEMORY_CAN 1
#endif
#else
#define NO_MEMORY_CAN 1
#endif
#endif

#ifdef NO_MEMORY_CAN
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

#define NO_MEMORY_OURS __attribute__((visibility("default"), used))
NO_MEMORY_OURS void *malloc(size_t n)
{
	return no_memory_refuses() ? (errno = ENOMEM, (void *)NULL) : __libc_malloc(n);
}
NO_MEMORY_OURS void *calloc(size_t n, size_t size)
{
	return no_memory_refuses() ? (errno = ENOMEM, (void *)NULL) : __libc_calloc(n, size);
}
NO_MEMORY_OURS void *realloc(void *p, size_t n)
{
	return no_memory_refuses() ? (errno = ENOMEM, (void *)NULL) : __libc_realloc(p, n);
}
NO_MEMORY_OURS int posix_memalign(void **ret, size_t align, size_t n)
{
	void *p = no_memory_refuses() ? NULL : __libc_memalign(align, n);
	*ret = p ? p : *ret;
	return p ? 0 : ENOMEM;
}
#endif

static inline void no_memory_from_here(void)
{
	no_memory.on = true;
}

static inline void no_memory_until_here(void)
{
	no_memory.on = false;
}

/* What the work has said so far; read by the test when it is over, however it ends. */
static inline void no_memory_note(struct str text)
{
	struct no_memory_shared *s = no_memory.shared;
	s->said = text.n < sizeof(s->text) ? text.n : sizeof(s->text);
	memcpy(s->text, text.p, s->said);
}

static inline struct str no_memory_said(void)
{
	return str_make(no_memory.shared->text, no_memory.shared->said);
}

enum no_memory_end { NO_MEMORY_DONE, NO_MEMORY_ENDED };

struct no_memory_run {
	uint64_t n, calls; /* the allocation that is refused; how many there are */
	bool for_ever, all;
	enum no_memory_end end;
	uint64_t runs, done, ended; /* so far */
};

/* Where it crashed: addr2line -fe PROGRAM +0xADDRESS */
static inline void no_memory_crashed(int number)
{
	void *frames[40];
	no_memory.on = false;
	backtrace_symbols_fd(frames, backtrace(frames, 40), STDERR_FILENO);
	signal(number, SIG_DFL);
	raise(number);
}

/* In the child a check that fails, and a crash, end the process there and then. */
static inline void no_memory_child(void (*work)(void *), void *arg, FILE *errors)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };
	void *frame;
	(void)backtrace(&frame, 1); /* loads what it needs */
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], no_memory_crashed);
	setenv("CMOCKA_TEST_ABORT", "1", 1);
	dup2(fileno(errors), STDERR_FILENO);
	work(arg);
	no_memory.on = false;
	_exit(NO_MEMORY_STATUS_DONE);
}

static inline void no_memory_failed(const struct no_memory_run *r, int status, FILE *errors)
{
	char text[4000];
	rewind(errors);
	text[fread(text, 1, sizeof(text) - 1, errors)] = '\0';
	fail_msg("allocation %llu of %llu%s: %s %d: %s", (unsigned long long)r->n,
		(unsigned long long)r->calls, r->for_ever ? " and all after it" : "",
		WIFSIGNALED(status) ? "signal" : "exit status",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), text);
}

static inline enum no_memory_end no_memory_once(
	const struct no_memory_run *r, void (*work)(void *), void *arg)
{
	FILE *errors = tmpfile();
	int status = 0;
	assert_non_null(errors);
	no_memory.shared->calls = no_memory.shared->said = 0;
	no_memory.shared->acknowledged = false;
	no_memory.fail_at = r->n;
	no_memory.for_ever = r->for_ever;
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		no_memory_child(work, arg, errors);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	bool done = WIFEXITED(status) && WEXITSTATUS(status) == NO_MEMORY_STATUS_DONE;
	bool ended = WIFEXITED(status) && WEXITSTATUS(status) == MEM_EXIT_STATUS && r->n;
	if (!done && !ended)
		no_memory_failed(r, status, errors);
	fclose(errors);
	return done ? NO_MEMORY_DONE : NO_MEMORY_ENDED;
}

/* The first run, which nothing is refused to and which counts. */
static inline struct no_memory_run no_memory_begin(void (*work)(void *), void *arg)
{
	const char *all = getenv("CULVER_ALLOCATIONS");
	struct no_memory_run r = { .all = all && strcmp(all, "all") == 0 };
	if (no_memory.shared == NULL) {
		no_memory.shared = mmap(NULL, sizeof(*no_memory.shared), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		assert_true(no_memory.shared != MAP_FAILED);
	}
	r.end = no_memory_once(&r, work, arg);
	r.calls = no_memory.shared->calls;
	no_memory.shared->normal_said = no_memory.shared->said;
	memcpy(no_memory.shared->normal, no_memory.shared->text, no_memory.shared->said);
	return r;
}

/* The next allocation to be refused. False: that was all; the figures are printed. */
static inline bool no_memory_next(
	struct no_memory_run *r, const char *name, void (*work)(void *), void *arg)
{
	if (!r->all) {
		r->n += r->n ? r->calls / NO_MEMORY_RUNS | 1 : 1;
		r->for_ever = r->runs++ % 2;
	} else if (r->n && !r->for_ever) {
		r->for_ever = true;
	} else {
		r->n += r->calls > NO_MEMORY_MOST ? r->calls / NO_MEMORY_SPREAD | 1 : 1;
		r->for_ever = false;
	}
	if (r->n > r->calls) {
		printf("%s: %llu allocations, %llu refused: %llu ended, %llu went on\n", name,
			(unsigned long long)r->calls, (unsigned long long)(r->ended + r->done),
			(unsigned long long)r->ended, (unsigned long long)r->done);
		return false;
	}
	r->end = no_memory_once(r, work, arg);
	r->ended += r->end == NO_MEMORY_ENDED;
	r->done += r->end == NO_MEMORY_DONE;
	return true;
}

/* Who ended has said what it says otherwise, as far as it came, so nothing of anybody else's; who
 * went on has said all of it. */
static inline void no_memory_said_the_same(const struct no_memory_run *r)
{
	struct str normal = str_make(no_memory.shared->normal, no_memory.shared->normal_said);
	struct str said = no_memory_said();
	if (!str_starts(normal, said) || (r->end == NO_MEMORY_DONE && said.n != normal.n))
		fail_msg("allocation %llu%s: '%" STR_FMT "'", (unsigned long long)r->n,
			r->for_ever ? " and all after it" : "", STR_ARG(said));
}

#define NO_MEMORY_EACH(run, name, work, arg)                                                       \
	for (struct no_memory_run run = no_memory_begin((work), (arg));                            \
		no_memory_next(&(run), (name), (work), (arg));)

static inline struct no_memory_run no_memory_begin_every(void (*work)(void *), void *arg)
{
	struct no_memory_run r = no_memory_begin(work, arg);
	r.all = true;
	return r;
}

#define NO_MEMORY_EVERY(run, name, work, arg)                                                      \
	for (struct no_memory_run run = no_memory_begin_every((work), (arg));                      \
		no_memory_next(&(run), (name), (work), (arg));)

#endif
