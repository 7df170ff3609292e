/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory of our own, for a copy of what is secret, that is gone when we are: a process beside
 * ours waits for our end and removes it, so that no signal, SIGKILL among them, leaves it behind.
 * (Only the machine's end does.) It holds files alone.
 *
 * uses: base; used by: restore_account.c
 */
#ifndef CULVER_CLI_SCRATCH_H
#define CULVER_CLI_SCRATCH_H

#include "base/err.h"

#include <sys/types.h>

struct scratch {
	char path[4300]; /* empty: there is none */
	int alive;       /* its other end hears when it closes */
	pid_t keeper;
};

/* Below $TMPDIR, else /var/tmp. */
int scratch_make(struct scratch *, struct err *err);
/* Returns when it is gone. One that was never made is let be. */
void scratch_remove(struct scratch *);

#endif
