// SPDX-License-Identifier: Apache-2.0
/*
 * The first step of the sandbox (see sandbox.h): limits, files, user. The second, system calls, is
 * in sandbox_calls.c; the self-test in sandbox_probe.c.
 *
 * Landlock is called directly: Debian 12's headers know only its second version, and what newer
 * kernels offer is asked for when they have it (landlock(7)).
 */
#include "io/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- Landlock ---- */

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

enum { LANDLOCK_QUERY_VERSION = 1, LANDLOCK_PATH_BENEATH = 1 };

struct landlock_rules {
	uint64_t files, tcp, scopes;
};
struct landlock_path {
	uint64_t allowed;
	int32_t parent;
} __attribute__((packed));

enum landlock_file {
	LF_EXECUTE = 1 << 0,
	LF_WRITE_FILE = 1 << 1,
	LF_READ_FILE = 1 << 2,
	LF_READ_DIR = 1 << 3,
	LF_REMOVE_DIR = 1 << 4,
	LF_REMOVE_FILE = 1 << 5,
	LF_MAKE_DIR = 1 << 7,
	LF_MAKE_REG = 1 << 8,
	LF_VERSION_1 = (1 << 13) - 1,
	LF_REFER = 1 << 13,
	LF_TRUNCATE = 1 << 14,
	LF_IOCTL_DEV = 1 << 15,
};
enum landlock_tcp { LT_BIND = 1, LT_CONNECT = 2 };
enum landlock_scope { LS_ABSTRACT_SOCKETS = 1, LS_SIGNALS = 2 };

static int landlock_version(void)
{
	long v = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_QUERY_VERSION);
	return v > 0 ? (int)v : 0;
}

/* What a version of the kernel's Landlock can forbid, and so is forbidden. */
static struct landlock_rules landlock_all(int version, bool connects)
{
	struct landlock_rules r = { .files = LF_VERSION_1 };
	if (version >= 2)
		r.files |= LF_REFER;
	if (version >= 3)
		r.files |= LF_TRUNCATE;
	if (version >= 4)
		r.tcp = connects ? LT_BIND : LT_BIND | LT_CONNECT;
	if (version >= 5)
		r.files |= LF_IOCTL_DEV;
	if (version >= 6)
		r.scopes = LS_ABSTRACT_SOCKETS | LS_SIGNALS;
	return r;
}

static int landlock_allow(int rules, const char *directory, uint64_t files)
{
	int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	struct landlock_path path = { files, fd };
	long r = syscall(SYS_landlock_add_rule, rules, LANDLOCK_PATH_BENEATH, &path, 0);
	close(fd);
	return (int)r;
}

/* Nothing but what is below the directory, from this thread on and all that it starts. */
static int landlock_restrict(const char *directory, bool connects, struct err *err)
{
	int version = landlock_version();
	if (version == 0)
		return 0;
	struct landlock_rules all = landlock_all(version, connects);
	size_t size = version >= 6 ? sizeof(all) : version >= 4 ? 16 : 8;
	int rules = (int)syscall(SYS_landlock_create_ruleset, &all, size, 0);
	if (rules < 0)
		return fail_errno(err, "landlock_create_ruleset");
	uint64_t own = all.files &
		       (LF_WRITE_FILE | LF_READ_FILE | LF_READ_DIR | LF_REMOVE_DIR |
			       LF_REMOVE_FILE | LF_MAKE_DIR | LF_MAKE_REG | LF_REFER | LF_TRUNCATE);
	int r = directory != NULL ? landlock_allow(rules, directory, own) : 0;
#ifdef CULVER_SANITIZED
	/* Sanitizers read /proc/self and write their reports where they are told. */
	if (r == 0)
		r = landlock_allow(rules, "/", all.files);
#endif
	if (r == 0)
		r = (int)syscall(SYS_landlock_restrict_self, rules, 0);
	if (r != 0)
		fail_errno(err, "landlock");
	close(rules);
	return r == 0 ? 0 : -1;
}

/* ---- limits ---- */

static int limit(int what, uint64_t most, struct err *err)
{
	struct rlimit now;
	if (getrlimit((__rlimit_resource_t)what, &now) != 0)
		return fail_errno(err, "getrlimit");
	rlim_t value = now.rlim_max == RLIM_INFINITY || most < now.rlim_max ? most : now.rlim_max;
	now = (struct rlimit){ value, value };
	if (setrlimit((__rlimit_resource_t)what, &now) != 0)
		return fail_errno(err, "setrlimit");
	return 0;
}

static int set_limits(const struct sandbox_rules *rules, struct err *err)
{
	if (limit(RLIMIT_CORE, 0, err) != 0 || limit(RLIMIT_NOFILE, rules->open_files, err) != 0)
		return -1;
#ifndef CULVER_SANITIZED /* whose logs may be files */
	/* A role without files may not make one longer even if it gets hold of a descriptor. Pipes
	 * and sockets are not meant. */
	if (limit(RLIMIT_FSIZE, rules->file_bytes, err) != 0)
		return -1;
#endif
	return 0;
}

/* ---- root directory and user ---- */

/* An empty directory that has no name any more, so that nothing can ever be in it. */
static int enter_empty(struct err *err)
{
	char name[] = "/tmp/culver-XXXXXX";
	if (mkdtemp(name) == NULL)
		return fail_errno(err, "mkdtemp");
	int r = chmod(name, 0555) != 0 || chdir(name) != 0 ? fail_errno(err, "chdir %s", name) : 0;
	if (rmdir(name) != 0 && r == 0)
		r = fail_errno(err, "rmdir %s", name);
	return r;
}

static int change_root(const char *directory, struct err *err)
{
	if (directory == NULL ? enter_empty(err) != 0 : chdir(directory) != 0)
		return directory == NULL ? -1 : fail_errno(err, "chdir %s", directory);
	if (chroot(".") != 0)
		return fail_errno(err, "chroot");
	return 0;
}

static int change_user(uid_t uid, gid_t gid, struct err *err)
{
	if (setgroups(1, &gid) != 0 || setresgid(gid, gid, gid) != 0 ||
		setresuid(uid, uid, uid) != 0)
		return fail_errno(err, "changing to user %u", (unsigned)uid);
	if (setuid(0) == 0 || getuid() != uid || geteuid() != uid || getegid() != gid)
		return fail_log(err, ERR_CONFIG, "root could not be given up");
	return 0;
}

/* ---- the step ---- */

#ifndef PR_SET_MDWE
#define PR_SET_MDWE              65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#define PR_GET_MDWE              66
#endif

int sandbox_confine(const struct sandbox_rules *rules, const struct sandbox_place *place,
	const char **ret_directory, struct err *err)
{
	bool root = place->change_user && geteuid() == 0;
	const char *directory = rules->directory ? place->directory : NULL;
	if (rules->directory && (directory == NULL || directory[0] != '/'))
		return fail_log(err, ERR_CONFIG, "the role needs a directory of its own");
	if (root && place->uid == 0)
		return fail_log(err, ERR_CONFIG, "the role needs a user that is not root");
	umask(077);
	if (set_limits(rules, err) != 0 || (root && change_root(directory, err) != 0))
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return fail_errno(err, "PR_SET_NO_NEW_PRIVS");
	if (root && change_user(place->uid, place->gid, err) != 0)
		return -1;
	if (root && directory != NULL)
		directory = "/";
	if (landlock_restrict(directory, rules->calls & SANDBOX_CONNECT, err) != 0)
		return -1;
#ifndef CULVER_SANITIZED /* LeakSanitizer looks at its own process by ptrace */
	/* No core dumps, no ptrace by equals, /proc/self belongs to root. After the change of user,
	 * which sets it anew. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return fail_errno(err, "PR_SET_DUMPABLE");
	/* Memory is writable or executable. Fails before Linux 6.3; seccomp says the same. */
	prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0);
#endif
	if (ret_directory != NULL)
		*ret_directory = directory;
	return 0;
}

void sandbox_note(char note[160])
{
	int version = landlock_version();
	int n = snprintf(note, 160, "seccomp");
	if (version > 0)
		n += snprintf(note + n, 160 - (size_t)n, " landlock=%d", version);
	if (prctl(PR_GET_MDWE, 0, 0, 0, 0) > 0)
		n += snprintf(note + n, 160 - (size_t)n, " mdwe");
	snprintf(note + n, 160 - (size_t)n, " user=%u", (unsigned)geteuid());
}
