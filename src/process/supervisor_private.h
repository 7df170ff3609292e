/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the supervisor: supervisor.c (life and death), provision.c (what a child is given),
 * control.c (commands), child_log.c (children's log lines). */
#ifndef CULVER_PROCESS_SUPERVISOR_PRIVATE_H
#define CULVER_PROCESS_SUPERVISOR_PRIVATE_H

#include "api/frames.h"
#include "base/vec.h"
#include "io/channel.h"
#include "process/supervisor.h"

/* A child's line, of which it says itself where it ends: PIPE_BUF, so that a write of it to a pipe
 * with room for anything never blocks. */
enum { CHILD_LINE_BYTES = 16 * 1024 };
_Static_assert(CHILD_LINE_BYTES > LOG_LINE_BYTES, "no honest line is cut");

enum child_state { CHILD_DOWN, CHILD_STARTING, CHILD_UP, CHILD_DRAINING };

struct child {
	struct supervisor *supervisor;
	const struct role_row *row;
	uint32_t instance;
	int process; /* 0: none */
	enum child_state state;
	struct channel *control;
	struct link *log;
	struct buf log_line;
	struct timer *timer;
	unsigned restarts;  /* since the supervisor's start */
	unsigned failures;  /* in a row: not up, or not for LIMIT_SETTLED_MS */
	bool was_up;        /* this process, or the last one */
	int64_t started_ms; /* monotonic: this process's start */
	int64_t died_ms;
};

enum supervisor_phase { RUNNING, STOPPING_FRONTS, STOPPING_REST, STOPPED };

struct supervisor {
	struct supervisor_options o;
	struct loop *loop;
	struct child *children;
	size_t children_n;
	struct vec admins; /* struct admin * */
	struct listener *control;
	struct timer *stop_timer;
	uint8_t ticket_key[32], master_key[32];
	uint32_t last_instance;
	enum supervisor_phase phase;
	int status;
	bool was_ready;
	bool distrust; /* a store has ended because a flush failed, and none has come up since */
};

/* supervisor.c */
int64_t supervisor_now(const struct supervisor *);

/* provision.c: configuration, `start`, then channels and listeners. */
void provision_child(struct child *);
/* A reload's: configuration and certificates once more. */
void provision_again(struct child *);
void provision_admin(struct supervisor *, struct channel *admin, uint32_t instance);
int provision_load_master_key(struct supervisor *, struct err *err);

/* control.c */
void control_accepted(void *supervisor, int handle, const char *address, uint16_t port);
void control_add(struct supervisor *, int handle, bool last_ends_all);
void control_free(struct supervisor *);

/* child_log.c */
void child_log_open(struct child *, int handle);
void child_log_close(struct child *);

#endif
