/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where roles meet the operating system: starting processes, being one, sockets and locks. The only
 * part of process/ that a simulation leaves out.
 *
 * uses: process, io, base; used by: cli
 */
#ifndef CULVER_PROCESS_OS_H
#define CULVER_PROCESS_OS_H

#include "process/supervisor.h"

/* What children become when we are root; -1: they stay what we are. */
struct identity {
	int64_t uid, gid;
};

/* The user that the configuration names, or, when there is none of that name, a number that no
 * account has (said in *ret_note, for the log). For whom is not root: -1. */
struct identity os_identity(const struct config *, const char **ret_note);

/* Starts roles by fork and exec of this binary, and reaps them on the loop. jail: an empty
 * directory for roles that own none. config_path: for the binary that may replace this one at its
 * path, which becomes `culver serve -c PATH` again; NULL: there is no such thing. Freed with
 * spawn_os_free. */
struct spawn_seam *spawn_os_new(
	struct loop *, struct identity, const char *jail, const char *config_path);
void spawn_os_free(struct spawn_seam **);

/* What the image before this one has left, when there is one: 1 and *ret, or 0. -1: it cannot be
 * read. To be asked once, early. */
int os_take_over(struct takeover *ret, struct err *err);
/* SIGHUP, SIGUSR1 and SIGUSR2 of now on wait for os_hear_signals: a server that has no handlers
 * yet does not end by them. By SIGTERM and SIGINT it does. */
void os_hold_signals(void);
/* What came since then, or while images changed, comes now; dead children are reaped. */
void os_hear_signals(void);
/* `culver takeover-check CONFIG`: whether this binary could take over what descriptor 3 says. */
int takeover_check_main(int argc, char **argv);

/* The start is over: memory that it alone needed is given back (start_memory.c). */
void os_started(void);
/* Memory that was needed for a while, and is free now, goes back to the system: where that much
 * more is free than when it was last asked. To be called every few seconds. */
void os_trim(void);

/* `culver role NAME INSTANCE UID GID JAIL`: a child's main(). Returns its exit status. */
int role_main(int argc, char **argv);
/* `culver role-probe`: the sandbox attempts what it forbids (role_probe.c). */
int role_probe_main(int argc, char **argv);

/* All sockets that the configuration wants, for supervisor_options: of the services that *all has
 * none of yet. -1 with err naming address, port, service and what to do (ERR_IN_USE: somebody has
 * the port). The array is the caller's to free. */
int os_listen(
	const struct config *, struct supervisor_listener **all, size_t *all_n, struct err *err);
/* The port of a listening TCP socket, or -1. */
int os_listening_port(int handle);
/* -1: an address that the configuration listens on is not this machine's, so that os_listen would
 * fail. Nothing is listened on. */
int os_look_at_listen(const struct config *, struct err *err);
/* -1: the configuration's directory is where nothing can be written. */
int os_look_at_directory(const struct config *, struct err *err);
/* The lock on a configuration's directory: a descriptor to keep, -1 and ERR_IN_USE when somebody
 * has it. */
int os_lock(const struct config *, struct err *err);
/* D/control, listening; or a connection to it (-1 and ERR_NOT_FOUND when nobody listens). */
int os_control_listen(const struct config *, struct identity, struct err *err);
int os_control_connect(const struct config *, struct err *err);
/* The process that listens at the other end of a connection to it; -1: unknown. */
int os_control_process(int handle);
void os_control_remove(const struct config *);
/* Whether the process at the other end is root's, ours, or the service user's (SO_PEERCRED). */
bool os_may_command(int handle, struct identity);
/* Makes a directory and, as root, gives it to the identity. Exists already: fine. */
int os_make_directory(const char *path, unsigned mode, struct identity, struct err *err);

/* A log sink that writes to a descriptor without ever blocking: some lines are kept until they can
 * be written; what does not fit (a reader that is behind, a full disk) is dropped, and the next
 * line that fits says how many were. */
struct log_sink_fd {
	struct log_sink sink;
	int fd;
	bool opened;     /* a file of our own */
	bool priorities; /* each line begins as the journal wants it */
	uint64_t dropped;
	size_t at_once; /* bytes that one write may have */
	struct buf kept;
	struct loop *loop;
	struct timer *soon; /* NULL: each line is written at once */
};
void log_sink_fd_init(struct log_sink_fd *, int fd);
/* Writes to a file from here on, at its end; again for one that was rotated away. -1 and err: as
 * before. */
int log_sink_fd_open(struct log_sink_fd *, const char *path, struct err *err);
/* Writes to a descriptor that is not its own again, as after log_sink_fd_init. */
void log_sink_fd_back(struct log_sink_fd *, int fd);
/* From now on the lines of one turn of the loop go out in one write. */
void log_sink_fd_gather(struct log_sink_fd *, struct loop *);
/* Writes what is kept, before the loop ends; later lines are written at once. */
void log_sink_fd_done(struct log_sink_fd *);

#endif
