/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connecting to a host by its name or address, in threads of its own: they are there before the
 * sandbox closes, have read by then what tells a name's address without asking anybody
 * (/etc/hosts) and whom to ask otherwise (/etc/resolv.conf), and need no file after that. What is
 * changed in those files counts from the next start on.
 *
 *     dial_ask(d, "imap.example.test", 993, done, arg);
 *
 * uses: base, the C library's resolver; used by: process/courier
 */
#ifndef CULVER_IO_DIAL_H
#define CULVER_IO_DIAL_H

#include "base/err.h"
#include "base/seams.h"

struct dialer;
/* Returns when all of its threads are ready for the sandbox. */
struct dialer *dialer_new(struct executor_seam *);
/* Ends the threads, also those that wait for a host, but for its name: calls are not answered any
 * more. */
void dialer_free(struct dialer **);

struct dial;
/* Tries the addresses of the host in their order, LIMIT_DIAL_MS each. Calls done() on the loop: a
 * connected socket, non-blocking, which is now its; or -1 and why (host-safe text). NULL: too many
 * are under way (LIMIT_DIALS). */
struct dial *dial_ask(struct dialer *, struct str host, uint16_t port,
	void (*done)(void *arg, int handle, const struct err *), void *arg);
/* done() is not called. */
void dial_cancel(struct dial **);

#endif
