/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a command's way to others: remote.c, remote_fetch.c; and tests/sim. */
#ifndef CULVER_CLI_REMOTE_PRIVATE_H
#define CULVER_CLI_REMOTE_PRIVATE_H

#include "cli/remote.h"
#include "io/channel.h"
#include "process/os.h"

/* An answer may take hours (a check, a backup of a large store), and who works on it says nothing
 * meanwhile: it is awaited as long as the connection lives. A role that dies closes it; one that
 * hangs is the watchdog's (pulse.c). */
struct remote_channel {
	struct remote *remote;
	struct channel *channel;
};

struct remote {
	struct config *config;
	struct loop *loop;
	struct timer *timeout;
	struct channel *control;
	struct remote_channel peers[REMOTE_PEERS];
	struct buf status;
	struct buf certificates; /* as remote_certificates() gives them */
	struct remote_upgrades upgrades;
	struct remote_reloads reloads;
	int process; /* the supervisor's */
	bool have_status, lost, timed_out, room, ended;
	pid_t offline; /* the supervisor of a stopped server, our child */
	/* the one question at a time */
	struct channel *asked;
	uint32_t request;
	void (*each)(void *, const struct frame *);
	void *arg;
	struct err *err;
	bool answered;
	int result;
	int received; /* a descriptor that came with an answer, or -1 */
	/* who reads another server for us */
	struct spawn_seam *spawn;
	struct channel *fetcher_control;
	bool fetcher_answered;
};

/* The parts of remote_open and remote_close that know nothing of where the server is: to talk on a
 * loop, by a handle to its control socket. The loop is not freed. */
struct remote *remote_new(void);
int remote_join(struct remote *, struct loop *, int handle, struct err *err);
void remote_leave(struct remote *);
void remote_wake(struct remote *);
/* Turns the loop until *done, the server is lost, or the time is over; 0: no end of time. */
void remote_run_until(struct remote *, const bool *done, int64_t within_ms);
void remote_add_peer(struct remote *, enum remote_peer, int class, int handle);

#endif
