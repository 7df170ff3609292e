// SPDX-License-Identifier: Apache-2.0
/* Processes by fork and exec of this same binary: a fresh layout and canary each time, three
 * descriptors (the log as 1 and 2, the control channel as 3), and nothing else. */
#include "process/os.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONTROL_FD = 3 };

struct spawn_os {
	struct spawn_seam seam;
	struct loop *loop;
	struct identity who;
	char *jail;
};

extern char **environ;

/* Of the environment only what sanitizers and coverage need is handed on. */
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
			str_starts(name, STR("LLVM_PROFILE")))
			kept[n++] = *e;
	}
	kept[n] = NULL;
}

static _Noreturn void become(const struct spawn_os *s, const struct role_row *row,
	uint32_t instance, int control, int log, pid_t parent)
{
	char number[16], uid[24], gid[24], role[] = "role";
	char name[64], *kept[32];
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	/* Out of the way of the numbers that they become. */
	int c = fcntl(control, F_DUPFD, 10), l = fcntl(log, F_DUPFD, 10);
	int null = open("/dev/null", O_RDONLY);
	if (c < 0 || l < 0 || null < 0 || dup2(null, 0) < 0 || dup2(l, 1) < 0 || dup2(l, 2) < 0 ||
		dup2(c, CONTROL_FD) < 0 || close_range(CONTROL_FD + 1, ~0u, 0) < 0)
		_exit(1);
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
		become(s, row, instance, control, log, parent);
	close(control);
	close(log);
	return result;
}

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

struct spawn_seam *spawn_os_new(struct loop *loop, struct identity who, const char *jail)
{
	struct spawn_os *s = xmalloc(sizeof(*s));
	s->seam = (struct spawn_seam){ .start = start, .kill = kill_process };
	s->loop = loop;
	s->who = who;
	s->jail = xstrdup(jail);
	if (loop_uv_on_signal(loop, SIGCHLD, on_child, s) < 0)
		abort(); /* without it no child would ever come back */
	return &s->seam;
}

void spawn_os_free(struct spawn_seam **seam)
{
	struct spawn_os *s = CONTAINER_OF(*seam, struct spawn_os, seam);
	free(s->jail);
	free(s);
	*seam = NULL;
}
