/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the gate: gate.c (the role and its channels), login.c (one login's steps),
 * login_cache.c (past successes), hashers.c (the bounded workers that hash).
 */
#ifndef CULVER_PROCESS_GATE_PRIVATE_H
#define CULVER_PROCESS_GATE_PRIVATE_H

#include "api/frames.h"
#include "auth/throttle.h"
#include "auth/ticket.h"
#include "base/map.h"
#include "base/vec.h"
#include "process/role.h"

struct gate;
struct gate_client;
struct hashers;

enum { LOGIN_MAC_BYTES = 32 }; /* HMAC-SHA-256 */

/* One password to be checked or made into a verifier: the only thing that crosses threads. */
struct hash_job {
	struct str password, verifier; /* owned; verifier is empty to make one */
	bool make;
	bool known;     /* from an address that has succeeded before */
	bool right;     /* the result of a check */
	char made[256]; /* the result of a making */
	void (*done)(struct hash_job *);
	struct hash_job *next;
};

/* Workers: half of them take jobs of known addresses alone. */
struct hashers *hashers_new(const struct seams *, unsigned workers);
/* Jobs that are left are given to drop(), not done. */
void hashers_free(struct hashers **, void (*drop)(struct hash_job *));
/* false: LIMIT_GATE_QUEUE jobs of its kind wait already. done() is called on the loop. */
bool hashers_add(struct hashers *, struct hash_job *);

/* A channel to somebody who asks: a front, or the command line. */
struct gate_client {
	struct gate *gate;
	struct channel *channel; /* NULL: gone, kept for the logins that still run */
	uint32_t instance;
	int class;
	unsigned logins; /* running */
	struct gate_client *next, **link;
};

struct gate {
	struct role base;
	struct config *config;
	uint8_t ticket_key[TICKET_KEY_BYTES];
	uint8_t cache_key[32]; /* of the successes; derived from the master key */
	struct channel *store;
	struct map store_asks; /* request -> struct login */
	struct gate_client *clients;
	struct throttle *throttle;
	struct map cache; /* MAC of account, verifier and password -> struct cached */
	struct cached *newest, *oldest;
	struct hashers *hashers;
	bool draining;
};

/* login.c */
void login_begin(struct gate_client *, uint32_t request, const struct frame_login *);
void make_verifier_begin(
	struct gate_client *, uint32_t request, const struct frame_make_verifier *);
/* The store's answer, or `failed` when it is away. */
void login_credentials(struct gate *, void *login, const struct frame *);
/* Ends without an answer. */
void login_drop(struct hash_job *);
void login_drop_waiting(struct gate *); /* those that wait for the store */

/* login_cache.c: at most LIMIT_GATE_CACHE past successes; beyond, the oldest is forgotten. */
void login_cache_mac(const struct gate *, uint64_t account, struct str verifier,
	struct str password, uint8_t ret[LOGIN_MAC_BYTES]);
bool login_cache_has(struct gate *, const uint8_t mac[LOGIN_MAC_BYTES]);
void login_cache_add(struct gate *, const uint8_t mac[LOGIN_MAC_BYTES]);
void login_cache_free(struct gate *);

/* gate.c */
void gate_client_release(struct gate_client *);

#endif
