/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network seam: one event loop with timers, listeners and links. Two back ends stand behind it:
 * loop_uv.c (libuv, the operating system) and loop_sim.c (a made-up network on a made-up clock).
 * The code above (stream.c, channel.c, process/) is the same for both and knows neither.
 *
 * A handle is a number for something that the other side of the seam knows: a descriptor in
 * production, an index in a simulation. A link is a non-blocking byte conduit over one handle.
 *
 * uses: base; used by: io/stream, io/channel, process
 */
#ifndef CULVER_IO_LOOP_H
#define CULVER_IO_LOOP_H

#include "base/buf.h"
#include "base/seams.h"

struct loop;
struct timer;
struct listener;
struct link;

enum { LINK_READ = 1, LINK_WRITE = 2 };
enum { LOOP_ADDRESS_BYTES = 64 }; /* any address as text, and its NUL */

struct link_events {
	/* events: LINK_READ and/or LINK_WRITE, of those that are wanted. Errors and ends of file
	 * show as LINK_READ, and then in link_read. The link may be freed from inside. */
	void (*ready)(void *arg, int events);
	void *arg;
};

struct loop_class {
	void (*run)(struct loop *); /* until stop() */
	void (*stop)(struct loop *);

	/* when: monotonic ms, 0: off. fires once for each set. */
	struct timer *(*timer_new)(struct loop *, void (*fire)(void *arg), void *arg);
	void (*timer_set)(struct timer *, int64_t when_ms);
	void (*timer_free)(struct timer **);

	/* Calls accepted() for each connection with a handle that is now the callee's, and the
	 * client's address as text. pause(true) stops accepting (limits, EMFILE). */
	struct listener *(*listener_new)(struct loop *, int handle,
		void (*accepted)(void *arg, int handle, const char *address, uint16_t port),
		void *arg);
	void (*listener_pause)(struct listener *, bool on);
	void (*listener_free)(struct listener **); /* closes the handle */

	/* Takes the handle over. Nothing is wanted at first. */
	struct link *(*link_new)(struct loop *, int handle, const struct link_events *);
	void (*link_want)(struct link *, int events);
	/* > 0 bytes; 0 end of file; -EAGAIN; other -errno: the link is dead. received: when not
	 * NULL, a descriptor passed along with the bytes, or -1. */
	ssize_t (*link_read)(struct link *, void *p, size_t n, int *received);
	/* pass: a descriptor to pass with the first byte, or -1. */
	ssize_t (*link_write)(struct link *, const void *p, size_t n, int pass);
	void (*link_shutdown)(struct link *); /* no more writes from us */
	int (*link_handle)(struct link *);    /* for SSL_set_fd; -1 in a simulation */
	void (*link_free)(struct link **);    /* closes the handle */

	/* A connected pair of handles, for channels. 0, or -errno. */
	int (*pair)(struct loop *, int handles[2]);
	void (*handle_close)(struct loop *, int handle);
	/* Our end of a connection: the address that the client connected to, as text; "local" where
	 * it has none. */
	void (*handle_local_address)(struct loop *, int handle, char ret[LOOP_ADDRESS_BYTES]);

	struct executor_seam *(*executor)(struct loop *); /* workers that notify this loop */
};

struct loop {
	const struct loop_class *class;
	struct clock_seam *clock;
	struct buf spare; /* memory that one stream after the other reads into */
};

/* The operating system's loop (libuv). One a process. The caller frees with loop_uv_free. */
struct loop *loop_uv_new(void);
void loop_uv_free(struct loop **);
/* Calls back on the loop when the process gets one of the signals (supervisor). 0 or -errno. */
int loop_uv_on_signal(struct loop *, int number, void (*fire)(void *arg, int number), void *arg);

#endif
