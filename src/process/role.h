/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A role: one process of Culver as a struct made from its seams. In production each lives in a
 * process of its own (role_main.c); in a simulation several live in one, on one simulated loop.
 *
 * A role's life, driven by frames from the supervisor over its control channel:
 *
 *     new        from a context
 *     frame      its configuration
 *     prepare    with whatever rights the process was started with: read what only they can
 *     (the directory and the user change, file rules)
 *     start      open what it owns
 *     (the sandbox closes; `started` is said)
 *     frame      channels, listeners; later channels that replace lost ones, new configuration
 *     drain      finish, then context->finish()
 *
 * uses: base, api, io; used by: process
 */
#ifndef CULVER_PROCESS_ROLE_H
#define CULVER_PROCESS_ROLE_H

#include "api/schemes.h"
#include "base/log.h"
#include "config/config.h"
#include "io/channel.h"

struct dialer;
struct role_row;
struct role_context;

struct role {
	const struct role_class *class;
	struct role_context *context;
};

struct role_class {
	struct role *(*new)(struct role_context *);
	/* A frame of the supervisor's; handle: what came with it, now the role's, or -1. false: it
	 * is not for this role, which ends the process. */
	bool (*frame)(struct role *, const struct frame *, int handle);
	int (*prepare)(struct role *, struct err *); /* may be NULL */
	int (*start)(struct role *, struct err *);   /* may be NULL */
	/* See frame drain; spread_ms is a front's. */
	void (*drain)(struct role *, uint32_t within_ms, uint32_t spread_ms);
	void (*free)(struct role **);
};

/* What a role lives in. The seams without files; a role that has a directory opens its own. */
struct role_context {
	struct loop *loop;
	struct seams seams;
	struct log log;
	struct log_sink *sink; /* its level and form follow the configuration */
	uint32_t instance; /* of this start of this role; never used twice while a supervisor lives
			    */
	const struct role_row *row;
	struct files_seam *(*open_files)(
		struct role_context *, const char *directory, struct err *);
	void (*close_files)(struct role_context *, struct files_seam **);
	/* File rules, directory and user; then, after start, the system calls. */
	int (*confine)(struct role_context *, struct err *);
	int (*close_sandbox)(struct role_context *, struct err *);
	/* What connects outwards; NULL where there is no network. */
	struct dialer *(*open_dialer)(struct role_context *);
	/* Now and then, when the supervisor looks whether the role is alive; or NULL. */
	void (*pulse)(struct role_context *);
	/* The role has ended: status 0, or why. Returns; the loop stops soon. */
	void (*finish)(struct role_context *, int status);
	void *owner;             /* of the functions above */
	struct channel *control; /* to the supervisor; set by role_host */
};

/* Takes a role through its life; owns the control channel. */
struct role_host;
struct role_host *role_host_new(struct role_context *, int control_handle);
void role_host_free(struct role_host **);

/* Called when a channel that the supervisor handed over has closed: if it ended on our side, says
 * so, and both sides get another. */
void role_channel_closed(struct role_context *, const struct channel *);
void role_channel_lost(struct role_context *, uint32_t number);

/* Applies log_level and log_format of a configuration to a sink: the context's, or the
 * supervisor's. */
void role_log_as(struct log_sink *, const struct config *);
void role_apply_log(struct role_context *, const struct config *);
/* The same for a role that needs nothing else of the lines that it is given. */
void role_apply_log_lines(struct role_context *, struct str lines);

extern const struct role_class front_role;
extern const struct role_class store_role;
extern const struct role_class gate_role;
extern const struct role_class keys_role;
extern const struct role_class courier_role;
extern const struct role_class fetcher_role;

#endif
