// SPDX-License-Identifier: Apache-2.0
/*
 * The second step of the sandbox: which system calls each group may make. What is in no group of a
 * role ends the process, with four exceptions that are answered with an error, because the C
 * library tries them by itself and can do without: looking at files by name, clone3, and, of who
 * makes sockets, those of two families.
 */
#include "io/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

/* ---- whole calls ---- */

struct group {
	unsigned bit;
	const int *calls;
	size_t n;
};

/* Descriptors that are open, memory, time, waiting, randomness, ending. */
static const int base_calls[] = { SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv),
	SCMP_SYS(writev), SCMP_SYS(close), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendto),
	SCMP_SYS(sendmsg), SCMP_SYS(shutdown), SCMP_SYS(getsockopt), SCMP_SYS(getsockname),
	SCMP_SYS(getpeername), SCMP_SYS(fstat), SCMP_SYS(lseek), SCMP_SYS(poll), SCMP_SYS(ppoll),
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_ctl),
	SCMP_SYS(futex), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep), SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom),
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mlock),
	SCMP_SYS(munlock), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getppid), SCMP_SYS(getuid),
	SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getrusage),
	SCMP_SYS(sysinfo), SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_yield),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction),
	SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group),
	/* Of a thread that was started before the sandbox closed and runs only now. */
	SCMP_SYS(set_robust_list), SCMP_SYS(rseq) };

static const int accept_calls[] = { SCMP_SYS(accept4), SCMP_SYS(accept) };

static const int connect_calls[] = { SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(sendmmsg),
	SCMP_SYS(recvmmsg) };

static const int file_calls[] = { SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2),
	SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(preadv), SCMP_SYS(pwritev),
	SCMP_SYS(fdatasync), SCMP_SYS(fsync), SCMP_SYS(sync_file_range), SCMP_SYS(ftruncate),
	SCMP_SYS(fallocate), SCMP_SYS(fadvise64), SCMP_SYS(flock), SCMP_SYS(rename),
	SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(link), SCMP_SYS(linkat), SCMP_SYS(unlink),
	SCMP_SYS(unlinkat), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rmdir),
	SCMP_SYS(getdents64), SCMP_SYS(getcwd), SCMP_SYS(stat), SCMP_SYS(lstat),
	SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(statfs), SCMP_SYS(fstatfs),
	SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink),
	SCMP_SYS(readlinkat), SCMP_SYS(fchmod), SCMP_SYS(fchown), SCMP_SYS(utimensat),
	SCMP_SYS(msync), SCMP_SYS(memfd_create), SCMP_SYS(copy_file_range) };

static const int thread_calls[] = { SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler) };

#ifdef CULVER_SANITIZED
static const bool sanitized = true;
/* What ASan, UBSan, TSan and LeakSanitizer do behind a program's back. */
static const int sanitizer_calls[] = { SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(readlink),
	SCMP_SYS(readlinkat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(newfstatat),
	SCMP_SYS(access), SCMP_SYS(getcwd), SCMP_SYS(getdents64), SCMP_SYS(mmap),
	SCMP_SYS(mprotect), SCMP_SYS(clone), SCMP_SYS(wait4), SCMP_SYS(ptrace), SCMP_SYS(kill),
	SCMP_SYS(tgkill), SCMP_SYS(prctl), SCMP_SYS(arch_prctl), SCMP_SYS(pipe2), SCMP_SYS(dup2),
	SCMP_SYS(dup3), SCMP_SYS(fcntl), SCMP_SYS(ioctl), SCMP_SYS(prlimit64), SCMP_SYS(getrlimit),
	SCMP_SYS(setrlimit), SCMP_SYS(process_vm_readv), SCMP_SYS(personality), SCMP_SYS(uname),
	SCMP_SYS(mincore), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(rt_sigtimedwait),
	SCMP_SYS(execve), SCMP_SYS(pread64), SCMP_SYS(ftruncate), SCMP_SYS(unlink), SCMP_SYS(mkdir),
	SCMP_SYS(socketpair) };
#else
static const bool sanitized = false;
#endif

#define GROUP(bit, calls)                                                                          \
	{                                                                                          \
		bit, calls, sizeof(calls) / sizeof((calls)[0])                                     \
	}
static const struct group groups[] = {
	GROUP(SANDBOX_BASE, base_calls),
	GROUP(SANDBOX_ACCEPT, accept_calls),
	GROUP(SANDBOX_CONNECT, connect_calls),
	GROUP(SANDBOX_FILES, file_calls),
	GROUP(SANDBOX_THREADS, thread_calls),
#ifdef CULVER_SANITIZED
	GROUP(SANDBOX_BASE, sanitizer_calls),
#endif
};

/* Looking at files by name without the right to: an error, since the C library looks for
 * translations and configuration at odd moments. */
static const int refused_calls[] = { SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(stat),
	SCMP_SYS(lstat), SCMP_SYS(statx), SCMP_SYS(access), SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getcwd) };

/* Sockets that the C library's resolver would like to have, and can do without. */
static const uint64_t refused_families[] = { AF_UNIX, AF_NETLINK };

/* ---- calls with arguments ---- */

/* Allowed when (argument & mask) == value. */
struct argument_row {
	unsigned bit;
	int call;
	unsigned argument;
	uint64_t mask, value;
};

#define WHOLE UINT64_C(0xffffffff) /* int arguments: the upper half is not looked at */

static const struct argument_row argument_rows[] = {
	/* Memory that is never executable. */
	{ SANDBOX_BASE, SCMP_SYS(mmap), 2, PROT_EXEC, 0 },
	{ SANDBOX_BASE, SCMP_SYS(mprotect), 2, PROT_EXEC, 0 },
	{ SANDBOX_BASE, SCMP_SYS(prctl), 0, WHOLE, PR_SET_NAME },
	/* fstat() of glibc. */
	{ SANDBOX_BASE, SCMP_SYS(newfstatat), 3, AT_EMPTY_PATH, AT_EMPTY_PATH },
	{ SANDBOX_BASE, SCMP_SYS(fcntl), 1, WHOLE, F_GETFL },
	{ SANDBOX_BASE, SCMP_SYS(fcntl), 1, WHOLE, F_SETFL },
	{ SANDBOX_BASE, SCMP_SYS(fcntl), 1, WHOLE, F_GETFD },
	{ SANDBOX_BASE, SCMP_SYS(fcntl), 1, WHOLE, F_SETFD },
	{ SANDBOX_BASE, SCMP_SYS(ioctl), 1, WHOLE, FIONBIO },
	{ SANDBOX_BASE, SCMP_SYS(ioctl), 1, WHOLE, FIOCLEX },
	{ SANDBOX_BASE, SCMP_SYS(ioctl), 1, WHOLE, FIONREAD },
	{ SANDBOX_BASE, SCMP_SYS(ioctl), 1, WHOLE, TCGETS }, /* isatty() of stdio */
	/* Asking for limits, not setting them. */
	{ SANDBOX_BASE, SCMP_SYS(prlimit64), 2, UINT64_MAX, 0 },
	{ SANDBOX_BASE, SCMP_SYS(setsockopt), 1, WHOLE, SOL_SOCKET },
	{ SANDBOX_BASE, SCMP_SYS(setsockopt), 1, WHOLE, 6 /* IPPROTO_TCP */ },
	{ SANDBOX_FILES, SCMP_SYS(fcntl), 1, WHOLE, F_SETLK },
	{ SANDBOX_FILES, SCMP_SYS(fcntl), 1, WHOLE, F_GETLK },
	{ SANDBOX_FILES, SCMP_SYS(fcntl), 1, WHOLE, F_OFD_SETLK },
	{ SANDBOX_FILES, SCMP_SYS(fcntl), 1, WHOLE, F_OFD_GETLK },
	{ SANDBOX_FILES, SCMP_SYS(fcntl), 1, WHOLE, F_DUPFD_CLOEXEC },
	{ SANDBOX_FILES, SCMP_SYS(fcntl), 1, WHOLE, F_ADD_SEALS },
	{ SANDBOX_THREADS, SCMP_SYS(clone), 0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM },
	{ SANDBOX_CONNECT, SCMP_SYS(socket), 0, WHOLE, AF_INET },
	{ SANDBOX_CONNECT, SCMP_SYS(socket), 0, WHOLE, AF_INET6 },
	{ SANDBOX_CONNECT, SCMP_SYS(setsockopt), 1, WHOLE, 0 /* IPPROTO_IP */ },
	{ SANDBOX_CONNECT, SCMP_SYS(setsockopt), 1, WHOLE, 41 /* IPPROTO_IPV6 */ },
	{ SANDBOX_PAIRS, SCMP_SYS(socketpair), 0, WHOLE, AF_UNIX },
};

/* ---- the filter ---- */

static int add_groups(scmp_filter_ctx filter, unsigned bits)
{
	int r = 0;
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		for (size_t k = 0; bits & groups[i].bit && k < groups[i].n && r == 0; k++)
			r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, groups[i].calls[k], 0);
	return r;
}

static int add_arguments(scmp_filter_ctx filter, unsigned bits)
{
	int r = 0;
	for (size_t i = 0; i < sizeof(argument_rows) / sizeof(argument_rows[0]) && r == 0; i++) {
		const struct argument_row *row = &argument_rows[i];
		if (!(bits & row->bit))
			continue;
		struct scmp_arg_cmp compare = { .arg = row->argument,
			.op = SCMP_CMP_MASKED_EQ,
			.datum_a = row->mask,
			.datum_b = row->value };
		r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, row->call, 1, &compare);
		/* A group has the call whole already. */
		r = r == -EEXIST || r == -EACCES ? 0 : r;
	}
	/* abort() and raise() reach this process alone. */
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
			SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	return r == -EEXIST ? 0 : r;
}

static int add_refusals(scmp_filter_ctx filter, unsigned bits)
{
	int r = 0;
	bool refuse = !sanitized && !(bits & SANDBOX_FILES);
	for (size_t i = 0; i < sizeof(refused_calls) / sizeof(refused_calls[0]) && refuse && r == 0;
		i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), refused_calls[i], 0);
	if (r == 0 && refuse) /* stat() of glibc; fstat() has the flag */
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(newfstatat), 1,
			SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, 0));
	/* The resolver would ask a name service's daemon, and the kernel for its interfaces. */
	for (size_t i = 0; i < sizeof(refused_families) / sizeof(refused_families[0]) &&
			   bits & SANDBOX_CONNECT && r == 0;
		i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
			SCMP_A0(SCMP_CMP_MASKED_EQ, WHOLE, refused_families[i]));
	/* Its flags are in memory, where no filter can see them: glibc then uses clone. */
	if (r == 0 && bits & SANDBOX_THREADS)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return r;
}

int sandbox_close(const struct sandbox_rules *rules, struct err *err)
{
	unsigned bits = rules->calls | SANDBOX_BASE;
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (filter == NULL)
		return fail_log(err, ERR_CONFIG, "seccomp is not there");
	/* All threads; foreign architectures as everything unknown; a tree, not a list. */
	int r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r == 0)
		r = add_groups(filter, bits);
	if (r == 0)
		r = add_arguments(filter, bits);
	if (r == 0)
		r = add_refusals(filter, bits);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	if (r != 0)
		return fail_log(err, ERR_CONFIG, "seccomp refuses the filter: error %d", -r);
	return 0;
}
