/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The administrator's side of the channels that the command line uses: asks store and gate, and
 * waits for the answer, as an actor or, between the rounds, by running the world.
 */
#ifndef CULVER_SIM_ADMIN_H
#define CULVER_SIM_ADMIN_H

#include "sim.h"

struct admin {
	struct actor *actor; /* NULL: the world runs while one waits */
	struct channel *control, *store, *gate;
	bool have_status, ended;
	int answer;         /* enum frame_type; 0: none yet */
	enum err_kind kind; /* of a refusal */
	char text[400];     /* of it, or the last finding */
	char verifier[257]; /* of a password */
	uint64_t findings;  /* of a check */
	uint32_t segments;  /* that a reclaim removed */
	bool more;
	/* What else comes before the answer; true: it was the last. */
	bool (*on_frame)(struct admin *, const struct frame *);
	void (*on_finding)(struct str); /* of a check; NULL */
	void *arg;
};

/* False: nobody answers. Close it in any case. */
bool admin_open(struct admin *, struct actor *);
void admin_close(struct admin *);
/* The type of the answer, or 0 when nobody answered. */
int admin_ask(struct admin *, struct channel *to, const struct frame *);
/* The same, and the run fails with every other answer. */
void admin_must(struct admin *, struct channel *to, const struct frame *, int want);

#endif
