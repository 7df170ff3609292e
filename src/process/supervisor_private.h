/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the supervisor: supervisor.c (life and death), provision.c (what a child is given),
 * control.c (commands), child_log.c (children's log lines). */
#ifndef CULVER_PROCESS_SUPERVISOR_PRIVATE_H
#define CULVER_PROCESS_SUPERVISOR_PRIVATE_H

#include "api/frames.h"
#include "base/limits.h"
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
	bool held;   /* everything is there but the process, which begins when fronts are up */
	int held_control, held_log;
	enum child_state state;
	struct channel *control;
	struct link *log;
	struct buf log_line;
	struct timer *timer;
	unsigned restarts;  /* since the supervisor's start */
	unsigned failures;  /* in a row: not up, or not for LIMIT_SETTLED_MS */
	bool was_up;        /* this process, or the last one */
	bool spare;         /* the second of keys: started at a reload alone, to take over */
	uint32_t answered;  /* the generation of certificates that this front can use */
	int64_t started_ms; /* monotonic: this process's start */
	int64_t died_ms;
};

/* A certificate as read from D/tls. */
struct certificate_file {
	char name[65];
	struct buf pem; /* empty: it could not be read */
};

/* As a front found it. */
struct certificate_state {
	char name[65], hosts[301], problem[161];
	int64_t expires_s;
};

/* A reload of certificates and keys (reload.c). */
struct reload {
	enum { RELOAD_NONE, RELOAD_STARTING, RELOAD_ASKING } phase;
	uint32_t generation;
	struct vec certificates; /* struct certificate_file: the new ones */
	struct child *keys;      /* the spare that is to take over */
	struct timer *timer;
	bool again; /* asked for while one was at work */
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
	uint8_t ticket_key[32], master_key[32], ticket_secret[32];
	struct vec certificates; /* struct certificate_file: in force, whatever the files say now */
	struct vec found;        /* struct certificate_state: of those, and what was refused */
	struct reload reload;
	struct timer *daily; /* looks for certificates that end soon */
	uint32_t last_instance;
	enum supervisor_phase phase;
	int status;
	bool was_ready;
	bool distrust; /* a store has ended because a flush failed, and none has come up since */
};

/* supervisor.c */
int64_t supervisor_now(const struct supervisor *);
bool child_is_front(const struct child *);
int child_start(struct child *, struct err *err);
void child_drain(struct child *, uint32_t within_ms);
void child_set_timer(struct child *, int64_t after_ms);

/* provision.c: configuration, `start`, then channels and listeners. */
void provision_child(struct child *);
/* A reload's: the configuration once more. */
void provision_config(struct child *);
void provision_say(struct child *, const struct frame *);
void provision_hand_over(struct supervisor *, struct channel *to, const char *kind,
	uint32_t instance, int class, int handle);
/* 0 or -errno. */
int provision_read_file(const char *path, struct buf *out);
void provision_admin(struct supervisor *, struct channel *admin, uint32_t instance);
int provision_load_master_key(struct supervisor *, struct err *err);

/* certificates.c */
void certificates_init(struct supervisor *);
void certificates_done(struct supervisor *);
/* Every D/tls/NAME.crt, default.crt first, the others in the order of their names. */
void certificates_load(struct supervisor *, struct vec *ret);
void certificates_clear(struct vec *);
void certificates_send(struct child *, const struct vec *, uint32_t generation);
/* What a front says of them; refused: of a reload that will not be. */
void certificates_found(struct supervisor *, const struct frame_certificates_are *, bool refused);
/* For `status`. Returns how many. */
size_t certificates_list(
	const struct supervisor *, struct api_certificate list[LIMIT_CERTIFICATES]);

/* reload.c */
void reload_init(struct supervisor *);
void reload_done(struct supervisor *);
void reload_keys_up(struct child *spare);
void reload_keys_ended(struct child *spare);
/* To a front that comes up meanwhile: nothing unless a reload is at work. */
void reload_offer(struct child *front);
void reload_answered(struct child *front, const struct frame_certificates_are *);

/* control.c */
void control_accepted(void *supervisor, int handle, const char *address, uint16_t port);
void control_add(struct supervisor *, int handle, bool last_ends_all);
void control_free(struct supervisor *);

/* child_log.c */
void child_log_open(struct child *, int handle);
void child_log_close(struct child *);

#endif
