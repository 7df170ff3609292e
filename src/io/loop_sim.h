/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated back end of io/loop.h: a made-up network and made-up threads on a made-up clock,
 * all driven by one seed. The same seed and the same code give the same run, to the byte.
 *
 * At each step one of the things that could happen now is drawn and happens: a timer fires, a link
 * is ready, a connection is accepted, a worker makes a step or its done() is called. When nothing
 * can happen now, the clock moves to the next thing that will.
 *
 *     struct loop *loop = loop_sim_new(seed);
 *     int door = loop_sim_listen(loop);                     listener_new(loop, door, …)
 *     int client = loop_sim_connect(loop, door, "192.0.2.1", 4711);   link_new(loop, client, …)
 *     loop_sim_run_for(loop, 60000);
 *
 * uses: io/loop, base; used by: tests
 */
#ifndef CULVER_IO_LOOP_SIM_H
#define CULVER_IO_LOOP_SIM_H

#include "io/loop.h"

/* How the network behaves. Bytes never overtake one another. */
struct loop_sim_network {
	int64_t delay_ms;    /* a write arrives after 0 to this many ms */
	size_t buffer_bytes; /* on their way or unread, a direction; beyond: -EAGAIN */
	bool split;          /* reads and writes may be cut short anywhere */
};

/* 20 ms, 64 KiB, split. The wall clock starts at 2026-01-01, the monotonic one at 1000000 ms. */
struct loop *loop_sim_new(uint64_t seed);
void loop_sim_free(struct loop **);
void loop_sim_set_network(struct loop *, const struct loop_sim_network *);

/* A handle for listener_new. */
int loop_sim_listen(struct loop *);
/* A client's connection to it: the client's handle, or -ECONNREFUSED. */
int loop_sim_connect(struct loop *, int door, const char *address, uint16_t port);
/* One more holds the handle, as after dup(2), but under the same number. */
void loop_sim_keep(struct loop *, int handle);
/* The connection of the handle is lost: both sides get -ECONNRESET, what is under way is gone. */
void loop_sim_break(struct loop *, int handle);

/* class->run() runs until class->stop(), or until nothing will ever happen any more. These two as
 * well, or until so much time has passed; false when it was stopped. */
bool loop_sim_run_for(struct loop *, int64_t ms);
/* Until nothing can happen without the clock moving. */
bool loop_sim_run_until_idle(struct loop *);
/* How many things have happened, and a hash of what and in which order. */
uint64_t loop_sim_steps(const struct loop *, uint64_t *ret_hash);

#endif
