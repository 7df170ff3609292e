// SPDX-License-Identifier: Apache-2.0
/*
 * The self-test of the sandbox (see sandbox.h): one attempt a name, by system call, so that nothing
 * of the C library's stands between. Attempts are harmless where they succeed.
 */
#include "io/sandbox.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static long probe_open(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}
static long probe_open_outside(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY | O_CLOEXEC);
}
static long probe_create(void)
{
	return syscall(
		SYS_openat, AT_FDCWD, "/tmp/culver-probe", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}
static long probe_socket(void)
{
	return syscall(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}
static long probe_packet(void)
{
	return syscall(SYS_socket, AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
}
static long probe_listen(void)
{
	return syscall(SYS_listen, 0, 1);
}
static long probe_fork(void)
{
	long r = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (r == 0)
		_exit(0);
	return r;
}
static long probe_execve(void)
{
	static const char path[] = "/bin/true";
	const char *arguments[] = { path, NULL };
	return syscall(SYS_execve, path, arguments, NULL);
}
static long probe_ptrace(void)
{
	return syscall(SYS_ptrace, PTRACE_ATTACH, getppid(), 0, 0);
}
static long probe_memory(void)
{
	return syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}
static long probe_kill(void)
{
	return syscall(SYS_kill, getppid(), 0);
}
static long probe_write_execute(void)
{
	return syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static long probe_make_executable(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return syscall(SYS_mprotect, p, 4096, PROT_READ | PROT_EXEC);
}
static long probe_chroot(void)
{
	return syscall(SYS_chroot, "/");
}
static long probe_setuid(void)
{
	return syscall(SYS_setuid, 0);
}
static long probe_mount(void)
{
	return syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL);
}
static long probe_unshare(void)
{
	return syscall(SYS_unshare, CLONE_NEWUSER);
}
static long probe_io_uring(void)
{
	return syscall(SYS_io_uring_setup, 1, NULL);
}
static long probe_bpf(void)
{
	return syscall(SYS_bpf, 0, NULL, 0);
}
static long probe_keyctl(void)
{
	return syscall(SYS_keyctl, 0, -3, 0);
}

struct probe {
	const char *name;
	long (*attempt)(void);
	unsigned unless; /* enum sandbox_calls: rightly possible for a role that has it */
};

static const struct probe probes[] = {
	{ "open", probe_open, SANDBOX_FILES },
	{ "open-outside", probe_open_outside, 0 },
	{ "create", probe_create, 0 },
	{ "socket", probe_socket, SANDBOX_CONNECT },
	{ "packet", probe_packet, 0 },
	{ "listen", probe_listen, 0 },
	{ "fork", probe_fork, 0 },
	{ "execve", probe_execve, 0 },
	{ "ptrace", probe_ptrace, 0 },
	{ "memory", probe_memory, 0 },
	{ "kill", probe_kill, 0 },
	{ "write-execute", probe_write_execute, 0 },
	{ "make-executable", probe_make_executable, 0 },
	{ "chroot", probe_chroot, 0 },
	{ "setuid", probe_setuid, 0 },
	{ "mount", probe_mount, 0 },
	{ "unshare", probe_unshare, 0 },
	{ "io-uring", probe_io_uring, 0 },
	{ "bpf", probe_bpf, 0 },
	{ "keyctl", probe_keyctl, 0 },
};

#define PROBES (sizeof(probes) / sizeof(probes[0]))

const char *sandbox_probe_name(size_t i)
{
	return i < PROBES ? probes[i].name : NULL;
}

static const struct probe *probe_named(const char *name)
{
	for (size_t i = 0; i < PROBES; i++)
		if (strcmp(probes[i].name, name) == 0)
			return &probes[i];
	return NULL;
}

bool sandbox_probe_applies(const struct sandbox_rules *rules, const char *name)
{
	const struct probe *p = probe_named(name);
	return p != NULL && !(rules->calls & p->unless);
}

int sandbox_probe(const char *name)
{
	const struct probe *p = probe_named(name);
	if (p == NULL)
		return -1;
	return p->attempt() >= 0 ? 1 : 0;
}
