/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A channel: frames between two processes over one link, with credit.
 *
 * Two lanes share it: small frames and bulk ones. Small ones overtake. Each lane has a credit in
 * bytes that the receiver grants (first: LIMIT_CHANNEL_SMALL_CREDIT and LIMIT_CHANNEL_BULK_CREDIT,
 * known to both) and grants again as it consumes. channel_send of a bulk frame without credit, or
 * with too much unsent, says so; the caller stops its own source and goes on at on_room(). Small
 * frames are queued up to a bound; beyond it the peer does not keep up and is dropped.
 *
 * A frame that does not decode, is unknown, too long, or not for this direction costs the peer the
 * channel: on_closed() is called with the reason, once, and nothing more comes.
 *
 * uses: base, api, io/loop; used by: process
 */
#ifndef CULVER_IO_CHANNEL_H
#define CULVER_IO_CHANNEL_H

#include "api/frames.h"
#include "io/loop.h"

struct channel;

struct channel_events {
	/* One frame. It and what it points at end with the call. received: a descriptor that came
	 * with it (hand_over), now the callee's, or -1. Return false to refuse the frame as not
	 * allowed here: the channel is dropped. Bulk credit is granted back when the call returns,
	 * unless channel_hold was called. */
	bool (*frame)(void *arg, uint32_t request, const struct frame *, int received);
	/* Bulk room is there again after channel_send returned false. */
	void (*room)(void *arg);
	void (*closed)(void *arg, const char *reason);
	void *arg;
};

/* them: what is at the other end (enum peer_class); us: what we are. Frames are checked against
 * both. The handle is taken over. */
struct channel *channel_new(
	struct loop *, int handle, int us, int them, const struct channel_events *);
/* What the channel is called where it was made (frame hand_over); 0 at first. */
void channel_set_number(struct channel *, uint32_t number);
uint32_t channel_number(const struct channel *);
/* In closed(): whether it ended on our side, as a peer that stalls; not because the peer has gone.
 */
bool channel_dropped(const struct channel *);
/* Encodes and queues. False: a bulk frame, and there is no credit now; room() says when. Never
 * blocks and never calls back. The bytes are sent when the loop turns, several frames in one system
 * call. On a channel that is ending, frames are thrown away (bulk: false); closed() is on its way.
 */
bool channel_send(struct channel *, uint32_t request, const struct frame *) MUST_CHECK;
/* As channel_send for a small frame, with a descriptor to pass (which is closed once sent). */
void channel_send_handle(struct channel *, uint32_t request, const struct frame *, int handle);
/* The next request number of this side: odd for the side whose class is the lower number; never 0.
 */
uint32_t channel_next_request(struct channel *);
/* From inside frame(): do not grant this frame's bulk credit back; the number of bytes to give to
 * channel_grant later. */
size_t channel_hold(struct channel *);
void channel_grant(struct channel *, size_t bytes);
/* What is left of a channel between two frames: enough to go on with it in another image of the
 * same process. Small frames alone: a channel that carried bulk frames is not put to rest. */
struct channel_rest {
	int handle;
	uint32_t request, credit, they_may, owed;
};
/* False when something is on its way, in or out: later. Otherwise *ret says where it stands, and
 * the channel itself is as before; its handle stays its own. */
bool channel_rest(const struct channel *, struct channel_rest *ret) MUST_CHECK;
/* Goes on where another image was. Takes the handle over. */
struct channel *channel_resume(struct loop *, const struct channel_rest *, int us, int them,
	const struct channel_events *);
/* Closes, after one attempt to write what waits; closed() is not called. May be called from inside
 * any of the events. */
void channel_free(struct channel **);

/* The one blocking call (a front to keys): sends the question, waits for the answer at most
 * within_ms on a channel of its own that is not on any loop. The answer's bytes live in `room`. 0,
 * or -1 with err ERR_TEMP when nobody answers in time; the late answer is thrown away later. */
struct blocking_channel;
struct blocking_channel *blocking_channel_new(int handle, int us, int them, struct clock_seam *);
int blocking_channel_ask(struct blocking_channel *, const struct frame *question, int within_ms,
	struct buf *room, struct frame *ret_answer, struct err *err);
/* How long a peer that has answered nothing yet may still take to start: LIMIT_KEYS_START_MS from
 * the channel's making on. 0: it has answered, or that time is over; who does not answer now is
 * stuck, and for a second nobody waits for it. */
int blocking_channel_start_ms(const struct blocking_channel *);
void blocking_channel_set_number(struct blocking_channel *, uint32_t number);
/* The number, once, when the peer was dropped for what it said; else 0. */
uint32_t blocking_channel_lost(struct blocking_channel *);
void blocking_channel_free(struct blocking_channel **);

#endif
