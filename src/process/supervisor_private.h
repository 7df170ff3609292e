/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the supervisor: supervisor.c (life and death), upgrade.c (processes that
 * replace others), provision.c (what a child is given), connect.c (channels between children),
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

enum { RELOAD_KEYS_BYTES = 600 };
enum child_state { CHILD_DOWN, CHILD_STARTING, CHILD_UP, CHILD_DRAINING };

struct child {
	struct supervisor *supervisor;
	const struct role_row *row;
	uint32_t instance;
	uint32_t generation; /* the supervisor's when it was started */
	bool leaving;        /* another has its place; it drains, and nobody follows it */
	bool holds;          /* loaded, and not to start before its predecessor has ended */
	int process;         /* 0: none */
	bool held; /* everything is there but the process, which begins when fronts are up */
	int held_control, held_log;
	enum child_state state;
	struct channel *control;
	struct link *log;
	struct buf log_line;
	struct timer *log_rest; /* its log is not read until then */
	struct timer *timer;
	unsigned restarts;  /* since the supervisor's start */
	unsigned failures;  /* in a row: not up, or not for LIMIT_SETTLED_MS */
	bool alive;         /* it has answered the last ping */
	int64_t silent_ms;  /* so long it has answered none, as the pulses tell it */
	bool was_up;        /* this process, or the last one */
	bool spare;         /* the second of keys: started at a reload alone, to take over */
	uint32_t answered;  /* the generation of certificates that this front can use */
	bool settles;       /* it was given a reload's configuration, and has not said so yet */
	int64_t started_ms; /* monotonic: this process's start */
	int64_t up_ms;      /* and when it was up */
	int64_t died_ms;
};

/* The present channel of two children. */
struct role_link {
	struct child *a, *b;
	const struct role_edge *edge;
	uint32_t number;
	int64_t made_ms;
	bool lost; /* another is due */
};

/* A certificate as read from D/tls. */
struct certificate_file {
	char name[65];
	struct buf pem;       /* empty: it could not be read */
	char unreadable[161]; /* then: why */
};

/* As a front found it. */
struct certificate_state {
	char name[65], hosts[301], problem[161];
	int64_t expires_s;
};

/* A reload of configuration, certificates and keys (reload.c). */
struct reload {
	enum { RELOAD_NONE, RELOAD_STARTING, RELOAD_ASKING, RELOAD_SETTLING } phase;
	uint32_t generation;
	struct config *config;                   /* the new one */
	char fresh_for_start[RELOAD_KEYS_BYTES]; /* its keys that must wait for a start */
	struct vec certificates;                 /* struct certificate_file: the new ones */
	struct child *keys;                      /* the spare that is to take over */
	struct timer *timer;
	bool again; /* asked for while one was at work */
	/* For `status`. */
	uint32_t done;                     /* how many have come to their end, either way */
	char why[400];                     /* the last was refused */
	char for_start[RELOAD_KEYS_BYTES]; /* keys that were changed and wait for a start */
};

/* The road to another image of the supervisor. */
struct upgrade {
	uint32_t generation; /* how many times there was one */
	uint32_t refused;
	char why[400];                  /* the last one was refused */
	bool under_way;                 /* a new generation starts */
	bool again;                     /* asked for meanwhile: once more, when it is up */
	int checking;                   /* process of the new binary's check of itself; 0: none */
	struct link *said;              /* what it says */
	char word[TAKEOVER_WORD_BYTES]; /* what it says when it can take over */
	bool may_go;                    /* it has said that: as soon as the channels rest */
	int64_t until_ms;               /* for the check and the rest */
	struct timer *timer;
};

enum supervisor_phase { RUNNING, STOPPING_FRONTS, STOPPING_REST, STOPPED };

struct supervisor {
	struct supervisor_options o;
	struct loop *loop;
	struct vec children; /* struct child *: in the roles' order, then those that leave */
	struct vec admins;   /* struct admin * */
	struct listener *control;
	uint8_t ticket_key[32], master_key[32], ticket_secret[32];
	struct vec certificates; /* struct certificate_file: in force, whatever the files say now */
	struct vec found;        /* struct certificate_state: of those, and what was refused */
	struct reload reload;
	struct vec links; /* struct role_link */
	struct timer *connect_again;
	struct timer *daily;    /* looks for certificates that end soon */
	uint32_t last_instance; /* starts and channels are numbered by it: none twice */
	enum supervisor_phase phase;
	int status;
	bool was_ready;
	struct upgrade upgrade;
	struct timer *pulse; /* NULL: nobody wants to know */
	bool distrust; /* a store has ended because a flush failed, and none has come up since */
};

/* supervisor.c */
int64_t supervisor_now(const struct supervisor *);
void supervisor_tell(struct supervisor *, enum supervisor_news);
/* A role that is in force has come up, or one that is up has taken its place: says that all are,
 * and goes on with an upgrade. */
void supervisor_go_on(struct supervisor *);
bool child_is_front(const struct child *);
struct child *child_new(struct supervisor *, const struct role_row *);
void child_free(struct child **);
int child_start(struct child *, struct err *err);
/* Starts it at the next turn, and again until it is there. */
void child_start_soon(struct child *);
/* spread_ms: over how long a front spreads its goodbyes. It is killed when it is late. */
void child_drain(struct child *, uint32_t within_ms, uint32_t spread_ms);
void child_control_events(struct child *, struct channel_events *ret);
void child_set_timer(struct child *, int64_t after_ms);
/* A front that is up is replaced when it has lived its hours. */
void child_live_hours(struct child *front);

/* pulse.c */
void pulse_start(struct supervisor *);
void pulse_stop(struct supervisor *);

/* upgrade.c */
void upgrade_init(struct supervisor *);
void upgrade_free(struct supervisor *);
/* Takes over what another image has left, and starts a new generation beside it. */
int upgrade_take_over(struct supervisor *, const struct takeover *, struct err *err);
/* Whether a child that starts now is to load and then wait. */
bool upgrade_must_hold(const struct child *);
/* A child that holds has loaded everything: its predecessor may end. */
void upgrade_loaded(struct child *);
/* Something has come up or ended: what follows from it. */
void upgrade_go_on(struct supervisor *);
/* Whether a process was the check of a new binary; then its end is dealt with. */
bool upgrade_check_ended(struct supervisor *, int process, int status);
/* A front has lived long enough: another takes its place. */
void upgrade_replace(struct child *);

/* provision.c: configuration, `start`, then channels and listeners. For one that holds, the
 * configuration and `ping`; the rest follows with provision_start. */
void provision_child(struct child *);
void provision_start(struct child *);
/* A reload's: the configuration once more. */
void provision_config(struct child *);
void provision_say(struct child *, const struct frame *);
void provision_hand_over(
	struct supervisor *, struct channel *to, const struct frame_hand_over *, int handle);
void provision_admin(struct supervisor *, struct channel *admin, uint32_t instance);
int provision_load_master_key(struct supervisor *, struct err *err);

/* connect.c */
void connect_init(struct supervisor *);
void connect_done(struct supervisor *);
/* With every peer that runs or starts; who starts later does the same. */
void connect_child(struct child *);
/* A front with the keys of a reload. False: it could not be. */
bool connect_reload(struct child *front, struct child *keys);
/* A child says that it has dropped a channel. */
void connect_lost(struct child *, uint32_t channel);
/* A child has ended, and its channels with it. */
void connect_forget(const struct child *);

/* certificates.c */
void certificates_init(struct supervisor *);
void certificates_done(struct supervisor *);
/* Every D/tls/NAME.crt, default.crt first, the others in the order of their names, up to
 * LIMIT_CERTIFICATES. Returns how many there are; -1: the directory can't be read. */
int certificates_load(struct supervisor *, struct vec *ret);
void certificates_clear(struct vec *);
void certificates_send(struct child *, const struct vec *, uint32_t generation);
/* Why one could not be read, or NULL. */
const char *certificates_unreadable(const struct vec *all, struct str name);
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
/* It has the configuration that it was given; or it has ended. */
void reload_settled(struct child *);
/* Ends a reload that waits for nobody any more, and begins the next one if it was asked for. */
void reload_go_on(struct supervisor *);

/* control.c */
void control_accepted(void *supervisor, int handle, const char *address, uint16_t port);
void control_add(struct supervisor *, int handle, bool last_ends_all);
void control_free(struct supervisor *);

/* child_log.c */
void child_log_open(struct child *, int handle);
void child_log_close(struct child *);
void child_log_rested(void *child); /* of the timer */
/* What has come of a line goes out as it is. */
void child_log_flush(struct child *);

#endif
