/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connecting to a host by its name or address, in threads of its own: they are there before the
 * sandbox closes, have read by then what tells a name's address without asking anybody
 * (/etc/hosts) and whom to ask otherwise (/etc/resolv.conf), and need no file after that. What is
 * changed in those files counts from the next start on.
 *
 *     dial_ask(d, "imap.example.test", 993, done, arg);
 *
 * Who is asked for addresses, and what connects, is a seam: the machine (dial_os.c), or a made-up
 * world (docs/simulation.md).
 *
 * uses: base, the C library's resolver; used by: process/courier
 */
#ifndef CULVER_IO_DIAL_H
#define CULVER_IO_DIAL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/seams.h"

#include <sys/socket.h>

enum { DIAL_PLACES = 8 }; /* addresses of a host that are tried */

/* An address with its port. */
struct dial_place {
	struct sockaddr_storage address;
	socklen_t n;
};

/* Called in the dialer's threads, but for hosts, end and free. */
struct dial_seam {
	/* What tells addresses without asking anybody, as /etc/hosts has it. */
	void (*hosts)(struct dial_seam *, struct buf *out);
	/* In each thread, before the sandbox closes. */
	void (*prepare)(struct dial_seam *);
	/* Blocks. numeric: the host is an address, and nobody is asked. 0, or an EAI_ error. */
	int (*resolve)(struct dial_seam *, const char *host, uint16_t port, bool numeric,
		struct dial_place *ret, size_t *ret_n);
	/* Blocks for LIMIT_DIAL_MS. A connected handle, non-blocking, or -errno. */
	int (*connect)(struct dial_seam *, const struct dial_place *);
	void (*close)(struct dial_seam *, int handle);
	/* Who waits in connect() gives up. */
	void (*end)(struct dial_seam *);
	void (*free)(struct dial_seam *);
};
struct dial_seam *dial_os_new(void);

struct dialer;
/* Takes the seam over. Returns when all of its threads are ready for the sandbox. */
struct dialer *dialer_new(struct executor_seam *, struct dial_seam *);
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
