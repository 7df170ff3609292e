/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the gate: gate.c (the role and its channels), login.c (one login's steps),
 * exchanges.c (those of challenge and response), made.c (what is made of a password), offers.c
 * (which mechanisms are announced), login_cache.c (past successes), hashers.c (the bounded workers
 * that hash).
 */
#ifndef CULVER_PROCESS_GATE_PRIVATE_H
#define CULVER_PROCESS_GATE_PRIVATE_H

#include "api/frames.h"
#include "auth/exchange.h"
#include "auth/throttle.h"
#include "auth/ticket.h"
#include "base/limits.h"
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
	bool scram_alone;     /* make: no verifier, only the SCRAM one */
	bool known;           /* from an address that has succeeded before */
	bool right;           /* the result of a check */
	char made[256];       /* the result of a making */
	char made_scram[256]; /* and of SCRAM's */
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
	unsigned logins;    /* running */
	unsigned exchanges; /* of these, open ones */
	struct gate_client *next, **link;
};

/* A login on its way, by a password or (exchange) by challenge and response; or the making of a
 * verifier. */
struct login {
	struct hash_job job; /* first: hashers hand it back */
	struct gate_client *client;
	uint32_t request;
	int64_t began_ms;
	char service[17], peer[65];
	char user[LIMIT_ADDRESS_BYTES + 1], authzid[LIMIT_ADDRESS_BYTES + 1];
	/* from the store */
	bool exists, active;
	uint64_t account, epoch;
	uint32_t services;
	char address[LIMIT_ADDRESS_BYTES + 1];
	bool wants_scram, wants_sealed; /* to be made of the password when it is right */
	uint8_t mac[LOGIN_MAC_BYTES];   /* of what the cache remembers */
	/* exchanges.c */
	struct exchange *exchange; /* NULL: a password */
	uint32_t number, steps;
	bool awaits_client;
	enum exchange_step step;    /* what is answered at delayed_ms */
	int64_t asked_ms;           /* the client's last message */
	int64_t delayed_ms;         /* 0: nothing is held back */
	struct login *next, **link; /* among those of the gate, in the order of their beginning */
	struct login *next_delayed;
};

struct gate {
	struct role base;
	struct config *config;
	uint8_t ticket_key[TICKET_KEY_BYTES];
	uint8_t cache_key[32]; /* of the successes; derived from the master key */
	struct exchange_facts facts;
	struct channel *store;
	struct map store_asks; /* request -> struct login */
	struct gate_client *clients;
	struct throttle *throttle;
	struct map cache; /* MAC of account, verifier and password -> struct cached */
	struct cached *newest, *oldest;
	struct hashers *hashers;
	/* exchanges.c */
	struct login *exchanges, **exchanges_end;
	struct login *delayed, **delayed_end;
	struct timer *exchange_timer;
	uint32_t last_exchange;
	/* offers.c */
	struct timer *offers_timer;
	uint32_t offers_request; /* on its way to the store; 0: none */
	bool offers_stale, offers_known, offers_waiting;
	struct frame_mechanisms offers;
	bool draining;
};

/* exchanges.c */
void exchanges_init(struct gate *);
void exchanges_done(struct gate *);
void exchange_open(struct gate_client *, uint32_t request, const struct frame_exchange_begin *);
void exchange_go_on(struct gate_client *, uint32_t request, const struct frame_exchange_go_on *);
/* The store's answer about the account, as login_credentials has taken it; c is NULL when there is
 * no such account. */
void exchange_credentials(struct login *, const struct frame_credentials *c);
/* The front is gone: what waits for its clients ends. */
void exchanges_drop(struct gate_client *);
/* login_free's part. */
void exchange_close(struct login *);

/* made.c */
void make_verifier_begin(
	struct gate_client *, uint32_t request, const struct frame_make_verifier *);
/* The store's answer about the account for which a verifier is made. */
void make_credentials(struct login *, const struct frame_credentials *);
/* The password was right and something is missing that can be made of it: does so, and has the
 * store keep it. The login stays the caller's. */
void make_the_rest(struct login *);

/* offers.c */
void offers_init(struct gate *);
void offers_done(struct gate *);
/* Something has changed, or the store is new: ask it, now or soon. */
void offers_ask(struct gate *);
/* True: the store's frame was about offers. */
bool offers_frame(struct gate *, uint32_t request, const struct frame *);
void offers_tell(struct gate_client *);

/* login.c */
struct login *login_new(struct gate_client *, uint32_t request, struct str password);
/* Asks the store about an account; -1: it is away, and the login was refused. */
int login_ask_store(struct login *, struct str address, struct str certificate);
/* Answers and ends the login. */
void login_answer(struct login *, const struct frame *);
/* kind and text for the client; why for the log. */
void login_refuse(struct login *, enum err_kind kind, const char *text, const char *why);
/* Wrong credentials: counted, and one answer for all. */
void login_refuse_wrong(struct login *, const char *why);
/* It is him. What else must be right, then the ticket. */
void login_decide(struct login *);
/* Ends it without an answer. */
void login_free(struct login *);
void login_text(char *to, size_t size, struct str s);
/* The bit of enum service; 0: there is no such service. */
uint32_t login_service(const char *service);
void login_begin(struct gate_client *, uint32_t request, const struct frame_login *);
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
/* Sends where a channel is; what cannot be sent is logged. channel may be NULL. */
void gate_send(struct gate *, struct channel *, uint32_t request, const struct frame *);
void gate_client_release(struct gate_client *);

#endif
