/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox of a role, in two steps, each from one row of rules:
 *
 *     sandbox_confine   before threads exist and before anything is served: no_new_privs, no core
 *                       dumps and no ptrace by equals, resource limits, the directory (Landlock; as
 *                       root also chroot), the user (as root)
 *     sandbox_close     when all is set up: seccomp for every thread. What is not in the row's
 * groups ends the process (looking at files by name is refused with EACCES).
 *
 * Where the kernel lacks Landlock or PR_SET_MDWE the step is skipped and the note says so; without
 * seccomp nothing is served.
 *
 * uses: base, libseccomp; used by: process/roles
 */
#ifndef CULVER_IO_SANDBOX_H
#define CULVER_IO_SANDBOX_H

#include "base/err.h"

#include <sys/types.h>

/* Groups of system calls, as bits. */
enum sandbox_calls {
	SANDBOX_BASE = 1,     /* memory, time, randomness, descriptors already open, the loop */
	SANDBOX_ACCEPT = 2,   /* connections from listening sockets handed over */
	SANDBOX_CONNECT = 4,  /* sockets of its own, outwards (courier) */
	SANDBOX_FILES = 8,    /* opening, reading, writing, flushing, renaming files */
	SANDBOX_THREADS = 16, /* starting threads after sandbox_close */
	SANDBOX_PAIRS = 32,   /* socketpair, for channels made after sandbox_close */
};

struct sandbox_rules {
	unsigned calls;      /* enum sandbox_calls */
	bool directory;      /* keeps its directory, to read and write; otherwise no file at all */
	uint64_t open_files; /* RLIMIT_NOFILE wanted; never above the hard limit */
	uint64_t file_bytes; /* RLIMIT_FSIZE; 0: it may write no file (not: no limit) */
};

/* What this start of the role adds to its row. */
struct sandbox_place {
	const char *directory; /* the role's own, absolute; NULL with rules->directory false */
	bool change_user; /* only as root: chroot, then this user and group and no other groups */
	uid_t uid;
	gid_t gid;
};

/* After a chroot the role's directory is "/": *ret_directory says which name to use from now on. 0,
 * or -1 with ERR_CONFIG. ret_directory may be NULL. */
int sandbox_confine(const struct sandbox_rules *, const struct sandbox_place *,
	const char **ret_directory, struct err *err) MUST_CHECK;
int sandbox_close(const struct sandbox_rules *, struct err *err) MUST_CHECK;
/* What holds here, for the log: "seccomp landlock=7 mdwe user=999". Between the two steps. */
void sandbox_note(char note[160]);

/* The self-test: attempts something that no sandboxed role may do. It returns only when the attempt
 * was not stopped by a signal: 0 when it was refused with an error, 1 when it succeeded, -1 when
 * there is no such name. For the names "open", "open-outside" and "create" 0 is as good as a
 * signal; all others must end the process (SIGSYS). */
int sandbox_probe(const char *name);
/* The i-th name, NULL at the end. */
const char *sandbox_probe_name(size_t i);
/* Whether the attempt is forbidden by these rules: courier may make sockets, a role with a
 * directory may open it. */
bool sandbox_probe_applies(const struct sandbox_rules *, const char *name);

#endif
