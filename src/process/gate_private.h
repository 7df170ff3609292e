/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the gate: gate.c (the role and its channels), login.c (one login's steps),
 * login_held.c (those that wait for the next store),
 * exchanges.c (those of challenge and response), made.c (what is made of a password), offers.c
 * (which mechanisms are announced), login_cache.c (past successes), hashers.c (the bounded workers
 * that hash), rank.c (who of those who wait is served first), app_password.c.
 */
#ifndef CULVER_PROCESS_GATE_PRIVATE_H
#define CULVER_PROCESS_GATE_PRIVATE_H

#include "api/frames.h"
#include "auth/exchange.h"
#include "auth/scram.h"
#include "auth/throttle.h"
#include "auth/ticket.h"
#include "auth/verifier.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/vec.h"
#include "process/role.h"

struct gate;
struct gate_client;
struct hashers;

enum { LOGIN_MAC_BYTES = 32 }; /* HMAC-SHA-256 */

/* Who is served first: every worker takes the lowest rank that waits, and half of them take no
 * suspect. Known: the account has come in from that address before; in the order they came. The
 * others are strangers, the newest first, by how often their address has tried of late: fresh not
 * at all, a suspect LIMIT_GATE_TRIES times, or for an account that many strangers have tried. */
enum hash_rank { HASH_KNOWN, HASH_FRESH, HASH_SUSPECT = HASH_FRESH + LIMIT_GATE_TRIES, HASH_RANKS };

/* One password to be checked or made into a verifier: the only thing that crosses threads. */
struct hash_job {
	struct str password, verifier; /* owned; verifier is empty to make one */
	bool make;
	bool scram_alone;               /* make: no verifier, only the SCRAM one */
	uint8_t salt[SCRAM_SALT_BYTES]; /* make: of the SCRAM one */
	enum hash_rank rank;
	enum verdict verdict; /* the result of a check */
	struct err problem;   /* why nothing was made */
	char made[256];       /* the result of a making */
	char made_scram[256]; /* and of SCRAM's */
	/* On the loop, one of the two: it was done; it waited for too long and has made room. */
	void (*done)(struct hash_job *);
	void (*crowded_out)(struct hash_job *);
	struct hash_job *newer, *older;
};

struct hashers *hashers_new(const struct seams *, unsigned workers);
/* Jobs that are left are given to drop(), not done. */
void hashers_free(struct hashers **, void (*drop)(struct hash_job *));
/* Adds a job. When LIMIT_GATE_QUEUE of its rank wait already, the one that would be the last to be
 * served is crowded out, before this returns: this one, if it is known. */
void hashers_add(struct hashers *, struct hash_job *);

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
	struct str asked_address, asked_certificate; /* of the store; owned */
	bool was_held;
	struct login *next_held; /* login_held.c */
	/* from the store */
	bool exists, active;
	uint64_t account, epoch;
	uint32_t services;
	char address[LIMIT_ADDRESS_BYTES + 1];
	bool wants_scram,
		wants_sealed;  /* to be made of the password when it is right, and (scram) */
	char scram[256];       /* when what there is is not as it is made now */
	uint64_t app_password; /* its number, when the password is one; 0: it is not */
	uint32_t app_services; /* what it is good for */
	int64_t app_used_ms;   /* when its use was noted last */
	/* rank.c */
	char guessed[24], pair[96]; /* what it counts for among users and pairs */
	bool under_way;
	uint8_t mac[LOGIN_MAC_BYTES]; /* of what the cache remembers; of an app password that is
					 made */
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
	uint8_t app_key[32];   /* of the MACs of app passwords */
	bool other_key_told;   /* app_password.c */
	struct exchange_facts facts;
	struct channel *store;
	struct map store_asks; /* request -> struct login */
	/* login_held.c: those who wait for the next store */
	struct login *held, **held_end;
	unsigned held_n;
	int64_t hold_until_ms;
	struct timer *hold;
	struct gate_client *clients;
	struct throttle *throttle; /* by client address */
	struct throttle *users;    /* by account: who is guessed at by strangers */
	struct throttle *pairs;    /* by address and account: who has come in from where */
	struct map cache;          /* MAC of account, verifier and password -> struct cached */
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
void make_app_password(
	struct gate_client *, uint32_t request, const struct frame_make_app_password *);
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
/* The same question once more, of another store. */
int login_ask_again(struct login *);
/* The store is away. */
void login_refuse_store(struct login *);
/* Answers and ends the login. */
void login_answer(struct login *, const struct frame *);
/* kind and text for the client; why for the log. */
void login_refuse(struct login *, enum err_kind kind, const char *text, const char *why);
/* Wrong credentials: counted, and one answer for all. */
void login_refuse_wrong(struct login *, const char *why);
/* OpenSSL, or crypt(3), has no memory: nothing is known of the credentials, and nothing counted. */
void login_refuse_no_memory(struct login *);
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

/* login_held.c */
void login_held_init(struct gate *);
void login_held_done(struct gate *); /* they end without an answer */
/* The store has gone: whoever waits for it waits for the next one, or is told to come back. */
void login_held_begin(struct gate *);
/* False: it has waited before, too many do, or nobody waits any more. */
bool login_held_put(struct login *);
void login_held_send(struct gate *); /* the next store is there */

/* rank.c */
/* How the login is counted, as soon as it is known whose account it is for, if anybody's. */
void rank_name(struct login *);
enum hash_rank rank_of(const struct login *);
/* It waits for a worker; it is over, if it did wait. */
void rank_begins(struct login *);
void rank_ends(struct login *);
void rank_failed(struct login *);
void rank_succeeded(struct login *);

/* app_password.c: a password that we have drawn, for one program. */
enum { APP_PASSWORD_TEXT_BYTES = 29 };
/* As it is shown, without a NUL, and its MAC. False: no memory. */
bool app_password_draw(
	const struct gate *, char text[APP_PASSWORD_TEXT_BYTES], uint8_t mac[32]) MUST_CHECK;
/* Whether the login's password is one of the account's; then what it is good for. c: NULL for no
 * account, at the same cost. */
enum verdict app_password_check(struct login *, const struct frame_credentials *c) MUST_CHECK;
/* What is kept of one: HMAC-SHA-256 of its 25 symbols. False: no memory. */
bool app_password_mac(const struct gate *, const char *symbols, uint8_t mac[32]) MUST_CHECK;
/* Has the store note its use when it is due: once in LIMIT_SECRET_USED_MS, so that no login waits
 * for a flush. */
bool app_password_is_due(const struct login *);
void app_password_used(const struct login *);

/* login_cache.c: at most LIMIT_GATE_CACHE past successes; beyond, the oldest is forgotten. */
/* key: where the hash table puts what. */
void login_cache_init(struct gate *, const uint8_t key[16]);
/* False: no memory. */
bool login_cache_mac(const struct gate *, uint64_t account, struct str verifier,
	struct str password, uint8_t ret[LOGIN_MAC_BYTES]) MUST_CHECK;
bool login_cache_has(struct gate *, const uint8_t mac[LOGIN_MAC_BYTES]);
void login_cache_add(struct gate *, const uint8_t mac[LOGIN_MAC_BYTES]);
void login_cache_free(struct gate *);

/* gate.c */
/* Sends where a channel is; what cannot be sent is logged. channel may be NULL. */
void gate_send(struct gate *, struct channel *, uint32_t request, const struct frame *);
void gate_client_release(struct gate_client *);

#endif
