// SPDX-License-Identifier: Apache-2.0
/*
 * Listeners and links of the operating system's loop: uv_poll over descriptors of our own, so that
 * TLS can work on the socket itself and descriptors can be passed.
 */
#include "io/descriptor.h"
#include "io/loop_uv_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connections taken from one listener a turn, so that others and other processes get theirs. */
enum { ACCEPTS_A_TURN = 16 };
/* How long a listener rests when there is no descriptor or memory left (hostile-input X1). */
enum { ACCEPT_REST_MS = 100 };

/* ---- listeners ---- */

struct listener {
	uv_poll_t poll;
	uv_timer_t rest;
	int fd;
	int closing; /* handles of libuv's still to be closed */
	bool paused, resting;
	void (*accepted)(void *arg, int handle, const char *address, uint16_t port);
	void *arg;
	bool *freed; /* set when it was freed from inside accepted() */
};

static void listener_ready(uv_poll_t *poll, int status, int events);

static void listener_watch(struct listener *l)
{
	if (l->paused || l->resting)
		uv_poll_stop(&l->poll);
	else
		uv_poll_start(&l->poll, UV_READABLE, listener_ready);
}

static void listener_rested(uv_timer_t *timer)
{
	struct listener *l = CONTAINER_OF(timer, struct listener, rest);
	l->resting = false;
	listener_watch(l);
}

/* X1: what cannot be accepted stays in the backlog, and the loop would spin on it. */
static void listener_rest(struct listener *l)
{
	l->resting = true;
	listener_watch(l);
	uv_timer_start(&l->rest, listener_rested, ACCEPT_REST_MS, 0);
}

/* The address as text; IPv4's at an IPv6 socket is shown as IPv4; a local one (AF_UNIX) is "local".
 */
static void address_text(
	const struct sockaddr_storage *from, char text[INET6_ADDRSTRLEN], uint16_t *port)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	*port = 0;
	snprintf(text, INET6_ADDRSTRLEN, "local");
	if (from->ss_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, from, sizeof(in));
		inet_ntop(AF_INET, &in.sin_addr, text, INET6_ADDRSTRLEN);
		*port = ntohs(in.sin_port);
	} else if (from->ss_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, from, sizeof(in6));
		if (memcmp(&in6.sin6_addr, mapped, sizeof(mapped)) == 0)
			inet_ntop(AF_INET, (const uint8_t *)&in6.sin6_addr + sizeof(mapped), text,
				INET6_ADDRSTRLEN);
		else
			inet_ntop(AF_INET6, &in6.sin6_addr, text, INET6_ADDRSTRLEN);
		*port = ntohs(in6.sin6_port);
	}
}

static bool is_exhaustion(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* One connection. False: no more now. */
static bool accept_one(struct listener *l)
{
	struct sockaddr_storage from = { 0 };
	socklen_t from_size = sizeof(from);
	int fd = accept4(l->fd, (struct sockaddr *)&from, &from_size, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		if (is_exhaustion(errno))
			listener_rest(l);
		/* Any other error belongs to that one connection, which has gone already. */
		return !is_exhaustion(errno) && errno != EAGAIN && errno != EBADF &&
		       errno != EINVAL && errno != ENOTSOCK;
	}
	char text[INET6_ADDRSTRLEN];
	uint16_t port;
	address_text(&from, text, &port);
	if (from.ss_family == AF_INET || from.ss_family == AF_INET6) {
		const int on = 1;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	}
	l->accepted(l->arg, fd, text, port);
	return true;
}

void uv_handle_local_address(struct loop *loop, int handle, char ret[LOOP_ADDRESS_BYTES])
{
	struct sockaddr_storage at = { 0 };
	socklen_t size = sizeof(at);
	uint16_t port;
	(void)loop;
	if (getsockname(handle, (struct sockaddr *)&at, &size) < 0)
		at.ss_family = AF_UNSPEC;
	address_text(&at, ret, &port);
}

static void listener_ready(uv_poll_t *poll, int status, int events)
{
	struct listener *l = CONTAINER_OF(poll, struct listener, poll);
	(void)events;
	if (status < 0) { /* libuv has stopped watching: an error is waiting on the socket */
		listener_rest(l);
		return;
	}
	bool freed = false;
	l->freed = &freed;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		bool more = accept_one(l);
		if (freed)
			return;
		if (!more || l->paused)
			break;
	}
	l->freed = NULL;
}

struct listener *uv_listener_new(struct loop *loop, int handle,
	void (*accepted)(void *arg, int handle, const char *address, uint16_t port), void *arg)
{
	struct listener *l = xmalloc(sizeof(*l));
	l->fd = handle;
	l->accepted = accepted;
	l->arg = arg;
	/* uv_poll_init makes it non-blocking. */
	if (uv_poll_init(&loop_uv_of(loop)->uv, &l->poll, handle) != 0) {
		close(handle);
		free(l);
		return NULL;
	}
	uv_timer_init(&loop_uv_of(loop)->uv, &l->rest);
	listener_watch(l);
	return l;
}

void uv_listener_pause(struct listener *l, bool on)
{
	if (l->paused == on)
		return;
	l->paused = on;
	listener_watch(l);
}

static void listener_closed(struct listener *l)
{
	if (--l->closing == 0)
		free(l);
}

static void listener_poll_closed(uv_handle_t *handle)
{
	listener_closed(CONTAINER_OF(handle, struct listener, poll));
}

static void listener_timer_closed(uv_handle_t *handle)
{
	listener_closed(CONTAINER_OF(handle, struct listener, rest));
}

void uv_listener_free(struct listener **listener)
{
	struct listener *l = *listener;
	if (l == NULL)
		return;
	if (l->freed != NULL)
		*l->freed = true;
	l->closing = 2;
	uv_close((uv_handle_t *)&l->rest, listener_timer_closed);
	uv_close((uv_handle_t *)&l->poll, listener_poll_closed);
	close(l->fd);
	*listener = NULL;
}

/* ---- links ---- */

/* Who waits for an answer wants nothing of its client until then, and most clients say nothing
 * until then: so interest in reading is not taken back (two system calls) before something comes
 * that nobody wants. */
struct link {
	uv_poll_t poll;
	struct link_events on;
	int fd;
	int wanted;  /* by the owner */
	int watched; /* by libuv: what is wanted, and LINK_READ perhaps */
};

static void link_ready(uv_poll_t *poll, int status, int events);

static void link_watch(struct link *k, int events)
{
	int uv = (events & LINK_READ ? UV_READABLE : 0) | (events & LINK_WRITE ? UV_WRITABLE : 0);
	k->watched = events;
	if (uv == 0)
		uv_poll_stop(&k->poll);
	else
		uv_poll_start(&k->poll, uv, link_ready);
}

static void link_ready(uv_poll_t *poll, int status, int events)
{
	struct link *k = CONTAINER_OF(poll, struct link, poll);
	int ready = 0;
	if (status < 0) {
		/* An error waits on the socket, and libuv has stopped watching: the next read or
		 * write says which. */
		k->wanted = k->watched = 0;
		k->on.ready(k->on.arg, LINK_READ | LINK_WRITE);
		return;
	}
	if (events & UV_READABLE)
		ready |= LINK_READ;
	if (events & UV_WRITABLE)
		ready |= LINK_WRITE;
	if (ready & ~k->wanted)
		link_watch(k, k->wanted);
	if (ready & k->wanted)
		k->on.ready(k->on.arg, ready & k->wanted);
}

struct link *uv_link_new(struct loop *loop, int handle, const struct link_events *events)
{
	struct link *k = xmalloc(sizeof(*k));
	k->fd = handle;
	k->on = *events;
	if (uv_poll_init(&loop_uv_of(loop)->uv, &k->poll, handle) != 0) {
		close(handle);
		free(k);
		return NULL;
	}
	return k;
}

void uv_link_want(struct link *k, int events)
{
	k->wanted = events;
	if (events != k->watched && (events | LINK_READ) != k->watched)
		link_watch(k, events);
}

ssize_t uv_link_read(struct link *k, void *p, size_t n, int *received)
{
	return descriptor_read(k->fd, p, n, received);
}

ssize_t uv_link_write(struct link *k, const void *p, size_t n, int pass)
{
	return descriptor_write(k->fd, p, n, pass);
}

void uv_link_shutdown(struct link *k)
{
	shutdown(k->fd, SHUT_WR);
}

int uv_link_handle(struct link *k)
{
	return k->fd;
}

static void link_closed(uv_handle_t *handle)
{
	free(CONTAINER_OF(handle, struct link, poll));
}

void uv_link_free(struct link **link)
{
	struct link *k = *link;
	if (k == NULL)
		return;
	/* uv_close stops the poll before the descriptor's number can be used again. */
	uv_close((uv_handle_t *)&k->poll, link_closed);
	close(k->fd);
	*link = NULL;
}
