/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may try a password now, and who is served first. Counts failures by client address (an IPv6
 * one by its /64). After LIMIT_GATE_FAILURES failures an address must wait; one is forgiven every
 * LIMIT_GATE_REFILL_MS. An address that has succeeded is remembered. Addresses of this machine are
 * counted, but not held up.
 *
 * A second one counts by account, and nobody is held up by it, so that nobody can lock another out:
 * strangers who try an account that many have failed at are served after others.
 *
 * uses: base; used by: process/gate
 */
#ifndef CULVER_AUTH_THROTTLE_H
#define CULVER_AUTH_THROTTLE_H

#include "base/seams.h"

struct throttle;

/* Remembers LIMIT_GATE_ADDRESSES addresses; beyond, the one that was quiet longest is forgotten. */
struct throttle *throttle_new(struct random_seam *);
void throttle_free(struct throttle **);
/* Whether the address may try now. */
bool throttle_may_try(struct throttle *, struct str address, int64_t now_ms);
void throttle_failed(struct throttle *, struct str address, int64_t now_ms);
/* A success forgives one failure, not all: who guesses for one account must not reset the count by
 * logging in to another. */
void throttle_succeeded(struct throttle *, struct str address, int64_t now_ms);
/* A try is under way, and no more. */
void throttle_began(struct throttle *, struct str address, int64_t now_ms);
void throttle_ended(struct throttle *, struct str address, int64_t now_ms);
/* Failures that are not forgiven yet, and tries under way: they may fail. */
unsigned throttle_tries(struct throttle *, struct str address, int64_t now_ms);
/* Whether the address has succeeded before, while it was remembered. */
bool throttle_is_known(const struct throttle *, struct str address);

/* The part of an address that counts as one client: all of an IPv4 one, the /64 of an IPv6 one (who
 * has one address of it has them all). Points into address; at most 96 bytes. */
struct str throttle_client(struct str address);
/* Whether it is an address of this machine: 127.0.0.0/8, ::1. */
bool throttle_is_loopback(struct str address);

#endif
