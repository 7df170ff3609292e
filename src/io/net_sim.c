// SPDX-License-Identifier: Apache-2.0
/*
 * The simulated network: ends of connections with bytes under way to them, listeners with
 * connections that wait, links over them. A handle is the index of an end, which counts how many
 * hold it, as a descriptor's file does.
 */
#include "io/loop_sim_private.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

enum { SEGMENTS_MOST = 1 << 16, BACKLOG = 128 };

/* What one write put under way. */
struct segment {
	int64_t arrives_ms;
	size_t n;   /* bytes; 0: the end of the stream */
	bool first; /* no byte of it has been read */
	int handle; /* passed with the first byte, or -1 */
};

/* A connection that waits at a listener. */
struct guest {
	int handle;
	uint16_t port;
	char address[64];
};

struct end {
	int refs;
	struct end *peer; /* NULL: gone, or a listener's */
	struct buf bytes; /* under way to this end, or arrived */
	struct vec segments;
	struct vec guests;       /* of a listener */
	bool door, reset, ended; /* ended: our side said that no more will come */
};

static struct end *end_of(struct loop_sim *s, int handle)
{
	assert(handle >= 0 && (size_t)handle < s->ends.n);
	struct end *e = *(struct end **)vec_at(&s->ends, (size_t)handle);
	assert(e != NULL);
	return e;
}

static int end_new(struct loop_sim *s, struct end **ret)
{
	struct end *e = xmalloc(sizeof(*e));
	e->refs = 1;
	buf_init(&e->bytes, s->network.buffer_bytes);
	vec_init(&e->segments, sizeof(struct segment), SEGMENTS_MOST);
	vec_init(&e->guests, sizeof(struct guest), BACKLOG);
	void *added = vec_push(&s->ends, &e);
	assert(added != NULL);
	*ret = e;
	return (int)(s->ends.n - 1);
}

static void end_release(struct loop_sim *s, int handle);

static void end_forget(struct loop_sim *s, struct end *e)
{
	VEC_EACH (struct segment, segment, &e->segments)
		if (segment->handle >= 0)
			end_release(s, segment->handle);
	vec_clear(&e->segments);
	buf_clear(&e->bytes);
}

/* The end is gone: its peer will see the end of the stream, or, when bytes were left unread here, a
 * reset. */
static void end_close(struct loop_sim *s, struct end *e)
{
	struct end *peer = e->peer;
	bool unread = e->bytes.n > 0;
	e->peer = NULL;
	end_forget(s, e);
	VEC_EACH (struct guest, guest, &e->guests)
		end_release(s, guest->handle);
	vec_clear(&e->guests);
	if (peer == NULL)
		return;
	peer->peer = NULL;
	if (unread) {
		end_forget(s, peer);
		peer->reset = true;
	} else if (!e->ended) {
		struct segment last = { .arrives_ms = sim_now(s), .handle = -1 };
		vec_push(&peer->segments, &last);
	}
}

static void end_release(struct loop_sim *s, int handle)
{
	struct end *e = end_of(s, handle);
	if (--e->refs > 0)
		return;
	end_close(s, e);
	buf_done(&e->bytes);
	vec_done(&e->segments);
	vec_done(&e->guests);
	free(e);
	memset(vec_at(&s->ends, (size_t)handle), 0, sizeof(e)); /* numbers are not used again */
}

/* ---- links ---- */

struct link {
	struct link *next;
	struct loop_sim *sim;
	struct end *end;
	int handle, wanted;
	struct link_events on;
};

static struct link *sim_link_new(struct loop *loop, int handle, const struct link_events *events)
{
	struct link *k = xmalloc(sizeof(*k));
	k->sim = loop_sim_of(loop);
	k->end = end_of(k->sim, handle);
	k->handle = handle;
	k->on = *events;
	k->next = k->sim->links;
	k->sim->links = k;
	return k;
}

static void sim_link_want(struct link *k, int events)
{
	k->wanted = events;
}

static void sim_link_free(struct link **link)
{
	struct link *k = *link;
	if (k == NULL)
		return;
	for (struct link **at = &k->sim->links; *at != NULL; at = &(*at)->next) {
		if (*at == k) {
			*at = k->next;
			break;
		}
	}
	end_release(k->sim, k->handle);
	free(k);
	*link = NULL;
}

static struct segment *first_arrived(const struct loop_sim *s, const struct end *e)
{
	if (e->segments.n == 0)
		return NULL;
	struct segment *first = (struct segment *)vec_at(&e->segments, 0);
	return first->arrives_ms <= sim_now(s) ? first : NULL;
}

static int ready_now(const struct link *k)
{
	const struct end *e = k->end;
	int ready = 0;
	if (e->reset)
		return k->wanted; /* who waits to write alone hears of it too */
	if (k->wanted & LINK_READ && first_arrived(k->sim, e) != NULL)
		ready |= LINK_READ;
	if (k->wanted & LINK_WRITE && (e->peer == NULL || buf_room(&e->peer->bytes) > 0))
		ready |= LINK_WRITE;
	return ready;
}

/* n, or now and then less. */
static size_t cut(struct loop_sim *s, size_t n)
{
	if (!s->network.split || n < 2 || sim_draw(s, 4) != 0)
		return n;
	s->splits++;
	return 1 + (size_t)sim_draw(s, n - 1);
}

/* Takes bytes of segments that have arrived, up to one that carries a descriptor, which ends a read
 * as it does in the kernel. */
static size_t take_bytes(struct link *k, char *to, size_t most, int *passed)
{
	struct end *e = k->end;
	size_t n = 0;
	struct segment *first;
	while (n < most && *passed < 0 && (first = first_arrived(k->sim, e)) != NULL) {
		if (first->n == 0)
			break;
		if (first->first && first->handle >= 0) {
			*passed = first->handle;
			first->handle = -1;
		}
		first->first = false;
		size_t part = first->n < most - n ? first->n : most - n;
		memcpy(to + n, e->bytes.p, part);
		buf_consume(&e->bytes, part);
		n += part;
		first->n -= part;
		if (first->n == 0)
			vec_remove(&e->segments, 0);
	}
	return n;
}

static ssize_t sim_link_read(struct link *k, void *p, size_t n, int *received)
{
	struct end *e = k->end;
	int passed = -1;
	if (received != NULL)
		*received = -1;
	if (e->reset)
		return -ECONNRESET;
	const struct segment *first = first_arrived(k->sim, e);
	if (first == NULL || n == 0)
		return -EAGAIN;
	if (first->n == 0)
		return 0;
	size_t got = take_bytes(k, p, cut(k->sim, n), &passed);
	if (received != NULL)
		*received = passed;
	else if (passed >= 0)
		end_release(k->sim, passed);
	return (ssize_t)got;
}

/* Later than everything that is under way. */
static int64_t arrival(struct loop_sim *s, const struct end *e)
{
	int64_t at = sim_now(s) + (int64_t)sim_draw(s, (uint64_t)s->network.delay_ms + 1);
	if (e->segments.n > 0) {
		const struct segment *last = vec_at(&e->segments, e->segments.n - 1);
		if (last->arrives_ms > at)
			at = last->arrives_ms;
	}
	s->delays += at > sim_now(s);
	return at;
}

static ssize_t sim_link_write(struct link *k, const void *p, size_t n, int pass)
{
	struct end *to = k->end->peer;
	if (k->end->reset)
		return -ECONNRESET;
	if (to == NULL || k->end->ended)
		return -EPIPE;
	size_t room = buf_room(&to->bytes);
	if (room == 0 || to->segments.n >= SEGMENTS_MOST - 1)
		return -EAGAIN;
	n = cut(k->sim, n < room ? n : room);
	struct segment s = {
		.arrives_ms = arrival(k->sim, to), .n = n, .first = true, .handle = pass
	};
	if (pass >= 0)
		end_of(k->sim, pass)->refs++;
	buf_add(&to->bytes, p, n);
	vec_push(&to->segments, &s);
	return (ssize_t)n;
}

static void sim_link_shutdown(struct link *k)
{
	struct end *to = k->end->peer;
	if (to == NULL || k->end->ended)
		return;
	k->end->ended = true;
	struct segment last = { .arrives_ms = arrival(k->sim, to), .handle = -1 };
	vec_push(&to->segments, &last);
}

static int sim_link_handle(struct link *k)
{
	return k->handle;
}

/* ---- listeners ---- */

struct listener {
	struct listener *next;
	struct loop_sim *sim;
	struct end *end;
	int handle;
	bool paused;
	void (*accepted)(void *arg, int handle, const char *address, uint16_t port);
	void *arg;
};

static struct listener *sim_listener_new(struct loop *loop, int handle,
	void (*accepted)(void *arg, int handle, const char *address, uint16_t port), void *arg)
{
	struct listener *l = xmalloc(sizeof(*l));
	l->sim = loop_sim_of(loop);
	l->end = end_of(l->sim, handle);
	l->handle = handle;
	l->accepted = accepted;
	l->arg = arg;
	l->next = l->sim->listeners;
	l->sim->listeners = l;
	return l;
}

static void sim_listener_pause(struct listener *l, bool on)
{
	l->paused = on;
}

static void sim_listener_free(struct listener **listener)
{
	struct listener *l = *listener;
	if (l == NULL)
		return;
	for (struct listener **at = &l->sim->listeners; *at != NULL; at = &(*at)->next) {
		if (*at == l) {
			*at = l->next;
			break;
		}
	}
	end_release(l->sim, l->handle);
	free(l);
	*listener = NULL;
}

static void accept_one(struct listener *l)
{
	struct guest guest = *(struct guest *)vec_at(&l->end->guests, 0);
	vec_remove(&l->end->guests, 0);
	l->accepted(l->arg, guest.handle, guest.address, guest.port);
}

/* ---- handles ---- */

static int sim_pair(struct loop *loop, int handles[2])
{
	struct loop_sim *s = loop_sim_of(loop);
	struct end *a, *b;
	handles[0] = end_new(s, &a);
	handles[1] = end_new(s, &b);
	a->peer = b;
	b->peer = a;
	return 0;
}

static void sim_handle_close(struct loop *loop, int handle)
{
	if (handle >= 0)
		end_release(loop_sim_of(loop), handle);
}

static void sim_handle_local_address(struct loop *loop, int handle, char ret[LOOP_ADDRESS_BYTES])
{
	(void)loop;
	(void)handle;
	snprintf(ret, LOOP_ADDRESS_BYTES, "192.0.2.25");
}

int loop_sim_listen(struct loop *loop)
{
	struct end *e;
	int handle = end_new(loop_sim_of(loop), &e);
	e->door = true;
	return handle;
}

int loop_sim_connect(struct loop *loop, int door, const char *address, uint16_t port)
{
	struct loop_sim *s = loop_sim_of(loop);
	struct end *e = (size_t)door < s->ends.n ? *(struct end **)vec_at(&s->ends, (size_t)door)
						 : NULL;
	int handles[2];
	if (e == NULL || !e->door || e->guests.n == BACKLOG)
		return -ECONNREFUSED;
	sim_pair(loop, handles);
	struct guest guest = { .handle = handles[1], .port = port };
	snprintf(guest.address, sizeof(guest.address), "%s", address);
	vec_push(&e->guests, &guest);
	return handles[0];
}

void loop_sim_keep(struct loop *loop, int handle)
{
	end_of(loop_sim_of(loop), handle)->refs++;
}

void loop_sim_break(struct loop *loop, int handle)
{
	struct loop_sim *s = loop_sim_of(loop);
	struct end *e = end_of(s, handle), *peer = e->peer;
	end_forget(s, e);
	e->reset = true;
	e->peer = NULL;
	if (peer == NULL)
		return;
	end_forget(s, peer);
	peer->reset = true;
	peer->peer = NULL;
}

/* ---- what the loop asks ---- */

void sim_net_collect(struct loop_sim *s)
{
	for (struct link *k = s->links; k != NULL; k = k->next)
		if (ready_now(k) != 0)
			sim_can(s, SIM_LINK, k);
	for (struct listener *l = s->listeners; l != NULL; l = l->next)
		if (!l->paused && l->end->guests.n > 0)
			sim_can(s, SIM_LISTENER, l);
}

void sim_net_happen(struct loop_sim *s, const struct sim_event *e)
{
	(void)s;
	if (e->kind == SIM_LISTENER) {
		accept_one(e->what);
		return;
	}
	struct link *k = e->what;
	k->on.ready(k->on.arg, ready_now(k));
}

int64_t sim_net_next(const struct loop_sim *s)
{
	int64_t next = INT64_MAX;
	for (const struct link *k = s->links; k != NULL; k = k->next) {
		if (!(k->wanted & LINK_READ) || k->end->segments.n == 0)
			continue;
		const struct segment *first = vec_at(&k->end->segments, 0);
		/* What has arrived is collected, so this is about what has not. */
		if (first->arrives_ms > sim_now(s) && first->arrives_ms < next)
			next = first->arrives_ms;
	}
	return next;
}

void sim_net_done(struct loop_sim *s)
{
	assert(s->links == NULL && s->listeners == NULL);
	/* Handles that nobody closed, and those that they pass. */
	for (size_t i = 0; i < s->ends.n; i++) {
		struct end *e = *(struct end **)vec_at(&s->ends, i);
		while (e != NULL && *(struct end **)vec_at(&s->ends, i) == e)
			end_release(s, (int)i);
	}
}

const struct loop_class sim_net_class = {
	.listener_new = sim_listener_new,
	.listener_pause = sim_listener_pause,
	.listener_free = sim_listener_free,
	.link_new = sim_link_new,
	.link_want = sim_link_want,
	.link_read = sim_link_read,
	.link_write = sim_link_write,
	.link_shutdown = sim_link_shutdown,
	.link_handle = sim_link_handle,
	.link_free = sim_link_free,
	.pair = sim_pair,
	.handle_close = sim_handle_close,
	.handle_local_address = sim_handle_local_address,
};
