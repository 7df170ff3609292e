// SPDX-License-Identifier: Apache-2.0
/* Processes by fork and exec of this same binary: a fresh layout and canary each time, three
 * descriptors (the log as 1 and 2, the control channel as 3), and nothing else. */
#include "process/os.h"

#include "base/limits.h"
#include "base/planted.h"
#include "base/scan.h"
#include "process/preflight.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONTROL_FD = 3 };

/* Names the descriptor; what is in it is no business of the environment's. */
#define TAKEOVER_VARIABLE "CULVER_TAKEOVER"

struct spawn_os {
	struct spawn_seam seam;
	struct loop *loop;
	struct identity who;
	char *jail;
	char *config_path;      /* or NULL */
	char program[PATH_MAX]; /* where the binary is that would replace this one */
};

extern char **environ;

static bool is_planted(struct str name)
{
#ifdef CULVER_PLANTED
	return str_equal(name, STR("CULVER_PLANTED"));
#else
	(void)name;
	return false;
#endif
}

/* Of the environment only what sanitizers, coverage and (in builds with tests) planted faults need
 * is handed on. */
static void clean_environment(char *kept[], size_t room)
{
	static char lang[] = "LANG=C.UTF-8", zone[] = "TZ=UTC";
	size_t n = 0;
	kept[n++] = lang;
	kept[n++] = zone;
	for (char **e = environ; *e && n + 1 < room; e++) {
		struct str name = str_from(*e);
		name.n = str_find(name, '=');
		if (str_ends_nocase(name, STR("SAN_OPTIONS")) ||
			str_starts(name, STR("LLVM_PROFILE")) || is_planted(name))
			kept[n++] = *e;
	}
	kept[n] = NULL;
}

/* In a child: what it says is 1 and 2, what it is given 3, and there is nothing else. */
static void take_descriptors(int given, int says, pid_t parent)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	/* Out of the way of the numbers that they become. */
	int c = fcntl(given, F_DUPFD, 10), l = fcntl(says, F_DUPFD, 10);
	int null = open("/dev/null", O_RDONLY);
	if (c < 0 || l < 0 || null < 0 || dup2(null, 0) < 0 || dup2(l, 1) < 0 || dup2(l, 2) < 0 ||
		dup2(c, CONTROL_FD) < 0 || close_range(CONTROL_FD + 1, ~0u, 0) < 0)
		_exit(1);
}

static _Noreturn void become_role(const struct spawn_os *s, const struct role_row *row,
	uint32_t instance, int control, int log, pid_t parent)
{
	char number[16], uid[24], gid[24], role[] = "role";
	char name[64], *kept[32];
	take_descriptors(control, log, parent);
	snprintf(number, sizeof(number), "%" PRIu32, instance);
	snprintf(uid, sizeof(uid), "%" PRId64, s->who.uid);
	snprintf(gid, sizeof(gid), "%" PRId64, s->who.gid);
	snprintf(name, sizeof(name), "%s", row->name);
	char title[] = "culver";
	char *argv[] = { title, role, name, number, uid, gid, s->jail, NULL };
	clean_environment(kept, ARRAY_LEN(kept));
	execve("/proc/self/exe", argv, kept);
	_exit(1);
}

static int start(struct spawn_seam *seam, const struct role_row *row, uint32_t instance,
	int control, int log)
{
	struct spawn_os *s = CONTAINER_OF(seam, struct spawn_os, seam);
	pid_t parent = getpid();
	pid_t pid = fork();
	int result = pid < 0 ? -errno : pid;
	if (pid == 0)
		become_role(s, row, instance, control, log, parent);
	close(control);
	close(log);
	return result;
}

/* ---- another image ---- */

/* What is handed over, in a file that has no name and that nobody can change any more. */
static int sealed(struct str text)
{
	int fd = memfd_create("culver-takeover", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (write(fd, text.p, text.n) == (ssize_t)text.n &&
		fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) ==
			0)
		return fd;
	int result = -errno;
	close(fd);
	return result;
}

static _Noreturn void become_check(struct spawn_os *s, int given, int says, pid_t parent)
{
	char title[] = "culver", word[] = "takeover-check", *kept[32];
	char *argv[] = { title, word, s->config_path, NULL };
	take_descriptors(given, says, parent);
	clean_environment(kept, ARRAY_LEN(kept));
	execve(s->program, argv, kept);
	dprintf(2, "%s cannot be run: %s", s->program, strerror(errno));
	_exit(1);
}

static int check(struct spawn_seam *seam, struct str takeover, int says)
{
	struct spawn_os *s = CONTAINER_OF(seam, struct spawn_os, seam);
	pid_t parent = getpid();
	int given = sealed(takeover);
	pid_t pid = given < 0 ? given : fork();
	int result = pid < 0 && given >= 0 ? -errno : pid;
	if (pid == 0)
		become_check(s, given, says, parent);
	close(says);
	if (given >= 0)
		close(given);
	return result;
}

static void keep_over_exec(const struct takeover *t, int state, bool keep)
{
	int flag = keep ? 0 : FD_CLOEXEC;
	fcntl(state, F_SETFD, flag);
	fcntl(t->lock, F_SETFD, flag);
	fcntl(t->control, F_SETFD, flag);
	VEC_EACH (const struct takeover_listener, l, &t->listeners)
		fcntl(l->handle, F_SETFD, flag);
	VEC_EACH (const struct takeover_child, c, &t->children) {
		fcntl(c->log, F_SETFD, flag);
		fcntl(c->control.handle, F_SETFD, flag);
	}
}

/* What the supervisor hears of, and what may not end it while there is nobody who hears. */
static void set_of_signals(sigset_t *ret)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD };
	sigemptyset(ret);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		sigaddset(ret, numbers[i]);
}

static int become(struct spawn_seam *seam, const struct takeover *t, struct str text)
{
	struct spawn_os *s = CONTAINER_OF(seam, struct spawn_os, seam);
	char title[] = "culver", word[] = "serve", option[] = "-c", number[16];
	char *argv[] = { title, word, option, s->config_path, NULL };
	sigset_t signals;
	int state = sealed(text);
	if (state < 0)
		return state;
	snprintf(number, sizeof(number), "%d", state);
	setenv(TAKEOVER_VARIABLE, number, 1);
	set_of_signals(&signals);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	keep_over_exec(t, state, true);
	execv(s->program, argv);
	int result = -errno;
	keep_over_exec(t, state, false);
	sigprocmask(SIG_UNBLOCK, &signals, NULL);
	unsetenv(TAKEOVER_VARIABLE);
	close(state);
	return result;
}

/* word: what the running server wants to hear of it, or NULL. */
static int read_takeover(
	int fd, struct takeover *t, char word[TAKEOVER_WORD_BYTES], struct err *err)
{
	AUTO(buf_done)
	struct buf text;
	ssize_t n;
	buf_init(&text, LIMIT_TAKEOVER_BYTES + 1); /* one too many is refused, not cut off */
	char *room = buf_reserve(&text, LIMIT_TAKEOVER_BYTES + 1);
	n = pread(fd, room, LIMIT_TAKEOVER_BYTES + 1, 0);
	close(fd);
	if (n <= 0)
		return fail(err, ERR_UNSUPPORTED, "the running server hands nothing over");
	buf_used(&text, (size_t)n);
	int result = takeover_read(buf_str(&text), t, err);
	if (result == 0 && word && !takeover_word(buf_str(&text), word))
		result = fail(err, ERR_TEMP, "no memory is left");
	mem_wipe(room, (size_t)n);
	return result;
}

int os_take_over(struct takeover *t, struct err *err)
{
	const char *variable = getenv(TAKEOVER_VARIABLE);
	struct scan s = scan_from(str_from(variable));
	uint64_t fd;
	bool good = scan_number(&s, INT_MAX, &fd) && scan_end(&s);
	if (variable == NULL)
		return 0;
	unsetenv(TAKEOVER_VARIABLE);
	if (!good)
		return fail(err, ERR_UNSUPPORTED, TAKEOVER_VARIABLE " is no descriptor");
	if (read_takeover((int)fd, t, NULL, err))
		return -1;
	keep_over_exec(t, (int)fd, false);
	return 1;
}

void os_hold_signals(void)
{
	sigset_t signals;
	set_of_signals(&signals);
	sigdelset(&signals, SIGTERM);
	sigdelset(&signals, SIGINT);
	sigdelset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
}

void os_hear_signals(void)
{
	sigset_t signals;
	set_of_signals(&signals);
	raise(SIGCHLD);
	sigprocmask(SIG_UNBLOCK, &signals, NULL);
}

/* ---- check of a binary that is to take over ---- */

static int check_takeover(const char *config_path, char word[TAKEOVER_WORD_BYTES], struct err *err)
{
	AUTO(takeover_done)
	struct takeover t;
	takeover_init(&t);
	AUTO(config_free)
	struct config *config = config_load(config_path, err);
	if (config == NULL || read_takeover(CONTROL_FD, &t, word, err))
		return -1;
	if (t.schema > store_schema())
		return fail(err, ERR_UNSUPPORTED,
			"the store was written by a newer version (schema %" PRIu32
			", this program knows %" PRIu32 ")",
			t.schema, store_schema());
	if (preflight_schema_room(config, t.schema, err) < 0)
		return -1;
	VEC_EACH (const struct takeover_child, c, &t.children)
		if (role_row_named(c->role) == NULL)
			return fail(err, ERR_UNSUPPORTED,
				"the running server has a role %s that this program does not know",
				c->role);
	return 0;
}

int takeover_check_main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	char word[TAKEOVER_WORD_BYTES];
	if (argc != 3 || fcntl(CONTROL_FD, F_GETFD) < 0) {
		fprintf(stderr, "culver: a running server starts this before an upgrade\n");
		return 2;
	}
	if (check_takeover(argv[2], word, &err) == 0)
		return printf("%s\n", word) > 0 && fflush(stdout) == 0 ? 0 : 1;
	fprintf(stderr, "%s", err_log_text(&err));
	return 1;
}

/* ---- the seam ---- */

static void kill_process(struct spawn_seam *seam, int process, int number)
{
	(void)seam;
	kill(process, number);
}

static void on_child(void *arg, int number)
{
	struct spawn_os *s = arg;
	int status;
	pid_t pid;
	(void)number;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (s->seam.ended)
			s->seam.ended(s->seam.arg, pid, status);
}

/* The path that this program was started by, symbolic links and all: where one leads elsewhere by
 * then is what an upgrade is about. What is no path of this file (a script's, a descriptor's) is of
 * no use, and the file's own name has to do. */
static bool find_program(char ret[PATH_MAX])
{
	struct stat given, self;
	const char *name = (const char *)getauxval(AT_EXECFN);
	char here[PATH_MAX] = "";
	if (name && stat(name, &given) == 0 && stat("/proc/self/exe", &self) == 0 &&
		given.st_dev == self.st_dev && given.st_ino == self.st_ino &&
		(name[0] == '/' || getcwd(here, sizeof(here)))) {
		int n = snprintf(ret, PATH_MAX, "%s%s%s", here, here[0] ? "/" : "", name);
		if (n < PATH_MAX)
			return true;
	}
	ssize_t n = readlink("/proc/self/exe", ret, PATH_MAX - 1);
	ret[n > 0 ? n : 0] = '\0';
	return n > 0;
}

struct spawn_seam *spawn_os_new(
	struct loop *loop, struct identity who, const char *jail, const char *config_path)
{
	struct spawn_os *s = xmalloc(sizeof(*s));
	s->seam = (struct spawn_seam){ .start = start, .kill = kill_process };
	s->loop = loop;
	s->who = who;
	s->jail = xstrdup(jail);
	if (config_path && find_program(s->program)) {
		s->config_path = xstrdup(config_path);
		s->seam.check = check;
		s->seam.become = become;
	}
	if (loop_uv_on_signal(loop, SIGCHLD, on_child, s) < 0)
		abort(); /* without it no child would ever come back */
	return &s->seam;
}

void spawn_os_free(struct spawn_seam **seam)
{
	struct spawn_os *s = CONTAINER_OF(*seam, struct spawn_os, seam);
	free(s->jail);
	free(s->config_path);
	free(s);
	*seam = NULL;
}
