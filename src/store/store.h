/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store remembers: accounts, mailboxes, messages. It answers frames and interprets no message.
 *
 *     struct store *s = store_new(&seams, &settings, log, &err);
 *     struct store_peer *p = store_peer_add(s, CLASS_USER, instance, &replies);
 *     if (!store_peer_frame(p, request, &frame)) … not allowed: drop the channel, store_peer_remove
 *     store_peer_room(p);             after replies.send returned false and there is room again
 *     store_peer_remove(&p);
 *     store_upkeep(s);                again and again, as it says
 *     store_free(&s);
 *
 * It has a loop's side, which is this header and all of whose functions belong to one thread, and
 * workers (base/seams.h): one writer, which commits in groups; readers; a maintainer. No socket is
 * touched here: the process role connects peers to channels.
 *
 * Order, always: bytes are on disk before the row that names them, or with it in one transaction;
 * rows are on disk before anyone hears of them (architecture.md, "The store").
 *
 * A peer is trusted with nothing: what it may ask is its class's (one table, peer.c), a session's
 * number counts only on the channel that opened it, a mailbox only for its account, and an
 * account's epoch is compared in each commit. What one peer can make the store hold is bounded.
 *
 * uses: base, api, auth/ticket, engine, segment; used by: process/store.c, cli on a stopped server
 */
#ifndef CULVER_STORE_STORE_H
#define CULVER_STORE_STORE_H

#include "api/frames.h"
#include "base/log.h"
#include "base/seams.h"

struct store;
struct store_peer;
struct store_bounds;

#define STORE_TICKET_KEY_BYTES 32

struct store_settings {
	uint64_t message_bytes; /* largest body; at most LIMIT_BODY_BYTES */
	uint64_t
		segment_bytes; /* a file of bodies is sealed at this size; 0: LIMIT_SEGMENT_BYTES */
	uint64_t reserve_bytes;  /* left free on the disk; 0: LIMIT_DISK_RESERVE_BYTES */
	uint32_t readers;        /* threads that read, 1 to 16 */
	int64_t keep_deleted_ms; /* what was deleted can be put back for so long; 0: not at all */
	int64_t pop3_login_delay_ms; /* between two locks of a maildrop; 0: none */
	uint8_t ticket_key[STORE_TICKET_KEY_BYTES];
	bool distrust;                     /* the one before ended with STORE_EXIT_DISTRUST */
	bool read_only;                    /* change nothing at all: check on a stopped server */
	const struct store_bounds *bounds; /* for tests (ops.h); NULL: the normal ones */
	/* A flush failed: nothing is answered any more, and the process must exit with
	 * STORE_EXIT_DISTRUST (distrust.h). Called once, on the loop's thread. */
	void (*ended)(void *arg, const struct err *why);
	void *arg;
};

/* Opens or makes the store in the directory of seams->files. NULL and err: another process has it
 * (ERR_IN_USE), it is of a newer version (ERR_UNSUPPORTED), it can't be read. Damage that leaves
 * something to serve is logged; a store that can't be made safe to write serves reads. */
struct store *store_new(const struct seams *seams, const struct store_settings *settings,
	const struct log *log, struct err *err);
/* Anew, of a store that is open: message_bytes, keep_deleted_ms and pop3_login_delay_ms. */
void store_configure(struct store *, const struct store_settings *);
/* Lets what is being committed end; what waits is dropped unanswered. Peers are removed. */
void store_free(struct store **store);
/* Whether writes are refused (ERR_READ_ONLY), and why. */
bool store_read_only(const struct store *store, struct err *ret_why);
/* The version of the ledger's schema that this program writes. */
uint32_t store_schema(void);
/* The room on the disk that it takes, at most, to bring a ledger of so many bytes from an earlier
 * schema to that one, beside the ledger itself. */
uint64_t store_schema_room(uint32_t schema, uint64_t ledger_bytes);
/* Nothing is being worked on and nothing waits: for draining, and tests. */
bool store_is_idle(const struct store *store);

/* Lets the upkeep go on: forgetting, reclaiming (docs/store.md). Returns in how many ms it wants to
 * be called again. */
int64_t store_upkeep(struct store *store);

struct store_replies {
	/* Sends a frame to the peer. Small frames are always taken; false: there is no room for a
	 * bulk frame now, store_peer_room follows. The frame is encoded before it returns. */
	bool (*send)(void *arg, uint32_t request, const struct frame *);
	/* Enough of a large answer for now: store_peer_rested is to be called in a moment. NULL:
	 * all is sent as fast as there is room. */
	void (*rest)(void *arg);
	void *arg;
};

/* class: enum role_class of the other end; instance: a front's number, which tickets name. */
struct store_peer *store_peer_add(
	struct store *store, int class, uint32_t instance, const struct store_replies *replies);
/* One frame. False: this peer may not send it; drop the channel. */
bool store_peer_frame(struct store_peer *peer, uint32_t request, const struct frame *frame);
void store_peer_room(struct store_peer *peer);
void store_peer_rested(struct store_peer *peer);
/* Its sessions end, its uploads are forgotten, its questions stay unanswered (what was handed to
 * the writer may still be committed). */
void store_peer_remove(struct store_peer **peer);

#endif
