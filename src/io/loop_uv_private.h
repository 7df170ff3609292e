/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the operating system's loop, shared by loop_uv.c, net_uv.c and executor_uv.c. */
#ifndef CULVER_IO_LOOP_UV_PRIVATE_H
#define CULVER_IO_LOOP_UV_PRIVATE_H

#include "base/mem.h"
#include "io/loop.h"

#include <uv.h>

struct signal_watch;
struct timer;

struct loop_uv {
	struct loop base;
	uv_loop_t uv;
	struct executor_seam executor;
	struct worker *workers; /* those that run */
	uv_async_t notified;    /* some worker called notify(); keeps run() from ending early */
	struct signal_watch *signals;
	bool firing;        /* a timer's callback runs */
	struct timer *late; /* set by one to a time that has come: they wait for a poll */
	uv_idle_t no_wait;  /* on while there are some: the poll does not sleep */
	uv_check_t polled;
};

static inline struct loop_uv *loop_uv_of(struct loop *loop)
{
	return CONTAINER_OF(loop, struct loop_uv, base);
}

/* net_uv.c */
struct listener *uv_listener_new(struct loop *, int handle,
	void (*accepted)(void *arg, int handle, const char *address, uint16_t port), void *arg);
void uv_listener_pause(struct listener *, bool on);
void uv_listener_free(struct listener **);
struct link *uv_link_new(struct loop *, int handle, const struct link_events *);
void uv_link_want(struct link *, int events);
ssize_t uv_link_read(struct link *, void *p, size_t n, int *received);
ssize_t uv_link_write(struct link *, const void *p, size_t n, int pass);
void uv_link_shutdown(struct link *);
int uv_link_handle(struct link *);
void uv_link_free(struct link **);
void uv_handle_local_address(struct loop *, int handle, char ret[LOOP_ADDRESS_BYTES]);

/* executor_uv.c */
void uv_executor_init(struct loop_uv *);
void uv_executor_deliver(struct loop_uv *); /* calls done() for workers that notified */

#endif
