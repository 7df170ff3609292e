// SPDX-License-Identifier: Apache-2.0
/* A directory that goes with us. */
#include "cli/scratch.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void empty(const char *path)
{
	DIR *d = opendir(path);
	for (const struct dirent *e; d && (e = readdir(d)) != NULL;)
		if (e->d_name[0] != '.')
			(void)unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
	(void)rmdir(path);
}

/* A session of its own, so that what ends us from a terminal does not end it, and no descriptor
 * that somebody else waits for. */
static _Noreturn void keep(const char *path, int ends)
{
	char c;
	ssize_t n;
	setsid();
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	if (dup2(ends, 0) < 0)
		_exit(1);
	close_range(1, ~0u, 0);
	do
		n = read(0, &c, 1);
	while (n > 0 || (n < 0 && errno == EINTR));
	empty(path);
	_exit(0);
}

int scratch_make(struct scratch *s, struct err *err)
{
	const char *base = getenv("TMPDIR");
	int ends[2];
	if (base == NULL || base[0] == '\0')
		base = "/var/tmp";
	snprintf(s->path, sizeof(s->path), "%s/culver-restore-XXXXXX", base);
	if (mkdtemp(s->path) == NULL) {
		s->path[0] = '\0';
		return fail_errno(
			err, "can't make a directory for the ledger in %s (TMPDIR)", base);
	}
	int made = pipe2(ends, O_CLOEXEC);
	s->keeper = made < 0 ? -1 : fork();
	if (s->keeper == 0)
		keep(s->path, ends[0]);
	if (made == 0)
		close(ends[0]);
	s->alive = made < 0 ? -1 : ends[1];
	return s->keeper < 0 ? fail_errno(err, "fork") : 0;
}

void scratch_remove(struct scratch *s)
{
	if (s->path[0] == '\0')
		return;
	if (s->alive >= 0)
		close(s->alive);
	if (s->keeper < 0)
		empty(s->path);
	else
		while (waitpid(s->keeper, NULL, 0) < 0 && errno == EINTR)
			;
	s->path[0] = '\0';
}
