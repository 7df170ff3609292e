/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a front: front.c (the role), conn.c (one client's connection), asks.c (questions on
 * their way and their answers), held.c (those that wait for the next store), signer.c (search
 * signatures).
 */
#ifndef CULVER_PROCESS_FRONT_PRIVATE_H
#define CULVER_PROCESS_FRONT_PRIVATE_H

#include "api/session.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/vec.h"
#include "io/stream.h"
#include "io/tls.h"
#include "process/role.h"
#include "process/roles.h"

struct front;
struct conn;

/* A question whose answer is awaited. */
struct ask {
	struct conn *conn; /* NULL: no longer wanted */
	uint32_t request;
	enum session_peer peer;
	bool uploads;               /* the store has its number until it hears the end of it */
	struct buf again;           /* as it is sent, if the next store may be asked the same */
	struct kept_upload *upload; /* NULL: it is none, or not to be signed */
	struct ask *next, **link;   /* among its connection's */
};

/* The channel to one peer, and what was asked there. */
struct front_peer {
	struct front *front;
	enum session_peer number;
	struct channel *channel; /* NULL: away */
	struct map asks;         /* request -> struct ask */
	uint32_t request;        /* the last question's number */
};

enum { FRONT_PEERS = 3 };

/* Messages that were delivered and are to be signed (signer.c). */
struct signer {
	struct kept_upload *first, **end;
	size_t told;  /* uploads that the store knows of */
	size_t bytes; /* kept of all, those that are not delivered yet as well; buffers grow by
			 doubling, so they may take twice as much */
	struct timer *timer;
};

/* A connection: a stream, and the session that is spoken on it. */
struct conn {
	struct front *front;
	const struct service_row *service;
	struct stream *stream;
	struct session *session; /* NULL until TLS is up on a service with implicit TLS */
	struct timer *deadline;
	int64_t deadline_ms; /* what the timer is set to */
	int64_t cut_ms;      /* until when the client may listen; 0: for as long as it does */
	struct session_peer_info peer;
	struct ask *asks;
	uint32_t store_session; /* as in front->sessions */
	uint64_t id;
	bool closing, dead, wants_room, eof;
	bool unread;     /* input was offered and not taken */
	bool has_spoken; /* and it was not HTTP */
	char first[12];  /* what it began with, until that is known */
	size_t first_n;
	bool drained;              /* it was told that the front goes */
	bool handshaking;          /* TLS has begun and is not up: nobody can be told anything */
	struct conn *next, **link; /* among the front's */
	struct conn *next_dead;
	bool stranger;                /* among those who have not logged in */
	int64_t came_ms;              /* or brought LIMIT_STRANGER_BYTES last */
	uint64_t brought;             /* of session->brought, by then */
	struct conn *older, *younger; /* strangers */
	char address_key[64];         /* what is counted: throttle_client() of the address */
};

/* Certificates as they arrive, and what is made of them. */
struct certificate_set {
	struct tls_certificates *certificates; /* NULL: none has come */
	struct found_certificate *found;       /* LIMIT_CERTIFICATES of them */
	size_t found_n;
	struct tls_server *server; /* once it is whole */
};

/* What a front has of TLS (front_tls.c). */
struct front_tls {
	struct tls_server *server;     /* NULL: no TLS */
	struct blocking_channel *keys; /* who signs for it */
	/* The one before a reload: handshakes that began with its certificates may still need it.
	 */
	struct blocking_channel *keys_before;
	/* A reload's, until the supervisor says that all fronts can use it. */
	struct certificate_set next;
	struct blocking_channel *keys_next;
	struct tls_tickets *tickets;
	struct certificate_set untried; /* found at a start, whose keys are tried once they come */
	struct timer *hour;             /* when the next ticket key is asked for */
};

struct front {
	struct role base;
	struct session_host host;
	struct front_settings settings;
	struct config *config;
	struct front_peer peers[FRONT_PEERS];
	struct front_tls tls;
	struct vec listeners; /* struct front_listener */
	struct conn *conns, *dead;
	size_t conns_n;
	struct conn *oldest, *youngest; /* strangers, who give way when there is no room (X4) */
	struct map sessions;            /* store session -> struct conn */
	struct map per_address;         /* address -> count as a pointer's number */
	struct vec refused_asks;        /* struct refused: asked while the peer was away */
	struct timer *soon;             /* the next turn: refused asks, dead connections */
	struct timer *drain_end;
	struct timer *drain_next;                       /* the next goodbyes */
	int64_t drain_from_ms, spread_ms, drain_end_ms; /* monotonic, but for the spread */
	size_t drain_conns;                             /* at the start of it */
	struct vec held; /* struct held: questions that wait for the next store */
	size_t held_bytes;
	int64_t hold_until_ms;
	struct timer *hold;
	struct signer signer;
	uint64_t next_id, served;
	uint32_t away_request; /* numbers for questions that nobody was there to take */
	bool draining;
};

struct front_listener {
	struct front *front;
	const struct service_row *service;
	struct listener *listener;
};

struct refused {
	enum session_peer peer;
	uint32_t request;
};

/* front.c */
void front_soon(struct front *);

/* front_tls.c */
void front_tls_init(struct front *);
void front_tls_done(struct front *);
/* The configuration has come or changed. */
void front_tls_configured(struct front *);
/* Takes a channel to keys. False: the kind is none of that. */
bool front_tls_hand_over(struct front *, const struct frame_hand_over *, int handle);
bool front_tls_certificate(struct front *, const struct frame_front_certificate *);
bool front_tls_use(struct front *, const struct frame_use_certificates *);

/* tls_sign_function, of a struct front. */
int front_tls_sign(void *front, const char *key_id, uint16_t scheme, struct str digest,
	struct buf *ret_signature, struct err *err);

/* conn.c */
void conn_accept(struct front_listener *, int handle, const char *address, uint16_t port);
/* Does what a session has asked for since the last call: output, what is next, deadline. Call after
 * every call into the session. */
void conn_settle(struct conn *);
void conn_answer(struct conn *, uint32_t request, const struct frame *);
void conn_room(struct conn *); /* a channel has room for bulk again */
/* It is to end in its protocol's manner. patient: one whose handshake is under way may end that. */
void conn_drain(struct conn *, bool patient);
/* The time is over: it is told so, if its protocol has a word for it. */
void conn_expire(struct conn *);
void conn_kill(struct conn *); /* dead; freed at the next turn */
void conn_free(struct conn *);

/* asks.c */
void asks_init(struct front *);
void asks_done(struct front *);
void asks_forget(struct conn *); /* of a connection that ends */
void asks_turn(struct front *);  /* answers those that nobody was there to take */
/* A new channel to a peer: what was asked of the old one is answered `failed`. */
void asks_set_channel(struct front *, enum session_peer, int handle);
/* A question that will not be answered is answered `failed` at the next turn. */
void asks_refuse(struct front *, enum session_peer, uint32_t request);
/* Those who wait for room to tell something may try again. */
void asks_room(struct front_peer *);

/* held.c */
void held_init(struct front *);
void held_done(struct front *);
void held_begin(struct front *); /* the store has gone */
/* False: this question cannot wait, or nobody waits any more. */
bool held_put(struct front *, uint32_t request, const struct frame *);
/* A question of the store: keeps what may be asked again, as long as the store has not answered. */
void held_note(struct ask *, const struct frame *);
/* It was not answered. False: it cannot be asked again, or not once more. */
bool held_again(struct front *, struct ask *);
void held_send(struct front *); /* the next store is there */

/* signer.c */
void signer_init(struct front *);
void signer_done(struct front *);
/* An upload begins. To be forgotten, unless it is delivered. NULL: too many wait to be signed for
 * this one to be kept. */
struct kept_upload *signer_begin(const struct front *, uint32_t request);
void signer_forget(struct front *, struct kept_upload **);
/* A frame of it has been sent. u may be NULL. */
void signer_told(struct front *, struct kept_upload *, const struct frame *);
/* Whether the commit, which is to be sent now, is to say that its signature will come. */
bool signer_wants(const struct front *, const struct kept_upload *);
/* The store has it: takes it over if it is to be signed. */
void signer_delivered(struct front *, struct kept_upload **);
void signer_clear(struct front *); /* the store has gone */

#endif
