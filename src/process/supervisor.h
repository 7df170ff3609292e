/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor: starts the roles, watches them, starts again what dies, hands descriptors over,
 * stops them in order. It interprets nothing that comes from outside: on D/control it looks at who
 * is calling (SO_PEERCRED) and passes channels; from its children it takes `started` and `done`.
 *
 * It can be replaced while it works: a new image of the same process takes sockets and children
 * over (takeover.h), starts a new generation of roles, and lets the old ones drain. The old store
 * ends before the new one opens its files; old fronts accept until the new ones do.
 *
 * uses: config, io, process/roles; used by: main (serve), cli (a stopped server)
 */
#ifndef CULVER_PROCESS_SUPERVISOR_H
#define CULVER_PROCESS_SUPERVISOR_H

#include "base/log.h"
#include "config/config.h"
#include "io/loop.h"
#include "process/roles.h"
#include "process/takeover.h"

/* How processes come to be: the process seam. A simulation starts a role on its own loop instead.
 */
struct spawn_seam {
	/* Starts a role. control and log are handles that become the child's (and are closed here).
	 * Returns a number > 0 that names it, or -errno. */
	int (*start)(struct spawn_seam *, const struct role_row *, uint32_t instance, int control,
		int log);
	void (*kill)(struct spawn_seam *, int process, int signal);
	/* Lets the binary that would take over look at what it would get. It says on `says` (taken
	 * over) what it objects to, or its takeover_word() when it can, and then ends with 0.
	 * Returns as start() does. NULL: there is no other image to go to. */
	int (*check)(struct spawn_seam *, struct str takeover, int says);
	/* Becomes the other image. Returns only when that failed, with -errno, all being as before.
	 */
	int (*become)(struct spawn_seam *, const struct takeover *, struct str text);
	/* Set by the supervisor: a process has ended; status as waitpid(2) gives it. */
	void (*ended)(void *arg, int process, int status);
	void *arg;
};

enum supervisor_news {
	NEWS_READY, /* all roles are up, for the first time */
	NEWS_UPGRADED,
	NEWS_RELOADING,
	NEWS_RELOADED,
	NEWS_STOPPING,
	NEWS_PULSE, /* all roles have answered since the last pulse_ms */
};

struct supervisor_options {
	const char *config_path;
	struct config *config; /* taken over */
	struct clock_seam *clock;
	struct random_seam *random;
	struct spawn_seam *spawn;
	/* Listening sockets: opened by the caller for each service, closed by supervisor_stop. */
	struct supervisor_listener {
		const struct service_row *service;
		int handle;
	} * listeners;
	size_t listeners_n;
	/* Another handle for the same listening socket, or -1. NULL: dup(2). */
	int (*copy_listener)(void *arg, const struct supervisor_listener *);
	void *copy_arg;
	int control_listener; /* D/control, or -1 */
	int admin_handle;     /* offline: the one command's channel; all ends with it. -1: none */
	/* Whether who is at the other end of a control connection may command. */
	bool (*may_command)(void *arg, int handle);
	void *may_command_arg;
	void (*news)(void *arg, enum supervisor_news);
	void *news_arg;
	/* How often the roles are asked whether they live; who answers nothing for LIMIT_SILENCE_MS
	 * is killed. 0: never */
	int64_t pulse_ms;
	/* A reload is about to put a configuration in force: what is the caller's own (its log)
	 * follows it. -1: it can't, and the reload is refused. NULL: nothing is. */
	int (*configured)(void *arg, const struct config *, struct err *err);
	void *configured_arg;
	const struct takeover *takeover; /* of the image before this one, or NULL; read at once */
	int lock;                        /* of the directory, for the next image; not closed here */
	struct log log;
	void (*log_write)(void *arg, struct str line); /* children's log lines */
	void *log_arg;
};

struct supervisor;
/* Starts every role. NULL and err when a role could not even be started. */
struct supervisor *supervisor_new(
	struct loop *, const struct supervisor_options *, struct err *err);
/* Orderly: fronts drain, then the others. The loop stops when all are gone. */
void supervisor_stop(struct supervisor *);
/* The configuration, certificates and keys anew; what is broken leaves the old in force. */
void supervisor_reload(struct supervisor *);
/* Replaces this image by the binary that is installed now, once that has checked that it can. What
 * it objects to is logged and leaves everything as it is. */
void supervisor_upgrade(struct supervisor *);
/* 0, or the exit status to end with: a role could never be started. */
int supervisor_status(const struct supervisor *);
void supervisor_free(struct supervisor **);

#endif
