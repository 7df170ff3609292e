// SPDX-License-Identifier: Apache-2.0
/* The machine's resolver and sockets (see dial.h). The C library's resolver blocks. */
#include "io/dial.h"

#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct dial_os {
	struct dial_seam seam;
	int ending[2]; /* a pipe, whose other end is closed when all of it ends */
};

static struct dial_os *os_of(struct dial_seam *seam)
{
	return CONTAINER_OF(seam, struct dial_os, seam);
}

/* ---- names ---- */

static void os_hosts(struct dial_seam *seam, struct buf *out)
{
	ssize_t n = -1;
	int file = open("/etc/hosts", O_RDONLY | O_CLOEXEC);
	(void)seam;
	if (file < 0)
		return;
	for (char *p; (p = buf_reserve(out, 4096)) != NULL && (n = read(file, p, 4096)) > 0;)
		buf_used(out, (size_t)n);
	close(file);
}

/* What the resolver would read at its first use, and again and again, is read now and kept: a file
 * that can't be seen any more would count as an empty one. */
static void os_prepare(struct dial_seam *seam)
{
	struct addrinfo *all = NULL;
	(void)seam;
	if (res_init() == 0)
		_res.options |= RES_NORELOAD;
	if (getaddrinfo("localhost", NULL, NULL, &all) == 0)
		freeaddrinfo(all);
}

static int os_resolve(struct dial_seam *seam, const char *host, uint16_t port, bool numeric,
	struct dial_place *ret, size_t *ret_n)
{
	char service[8];
	struct addrinfo *all = NULL, want = { .ai_socktype = SOCK_STREAM,
		.ai_flags = (numeric ? AI_NUMERICHOST : 0) | AI_NUMERICSERV };
	(void)seam;
	*ret_n = 0;
	snprintf(service, sizeof(service), "%u", port);
	int rc = getaddrinfo(host, service, &want, &all);
	if (rc != 0)
		return rc;
	for (struct addrinfo *a = all; a && *ret_n < DIAL_PLACES; a = a->ai_next) {
		struct dial_place *place = &ret[*ret_n];
		if (a->ai_addrlen > sizeof(place->address))
			continue;
		memcpy(&place->address, a->ai_addr, a->ai_addrlen);
		place->n = a->ai_addrlen;
		++*ret_n;
	}
	freeaddrinfo(all);
	return 0;
}

/* ---- connecting ---- */

/* 0 or errno. */
static int wait_connected(const struct dial_os *o, int fd)
{
	struct pollfd p[] = { { .fd = fd, .events = POLLOUT }, { .fd = o->ending[0] } };
	int error = 0, rc;
	socklen_t n = sizeof(error);
	do
		rc = poll(p, ARRAY_LEN(p), LIMIT_DIAL_MS);
	while (rc < 0 && errno == EINTR);
	if (rc == 0)
		return ETIMEDOUT;
	if (rc > 0 && p[0].revents == 0)
		return ECANCELED;
	if (rc < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
		return errno;
	return error;
}

static int os_connect(struct dial_seam *seam, const struct dial_place *to)
{
	int fd = socket(to->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int error = connect(fd, (const struct sockaddr *)&to->address, to->n) == 0 ? 0 : errno;
	if (error == EINPROGRESS)
		error = wait_connected(os_of(seam), fd);
	if (error == 0)
		return fd;
	close(fd);
	return -error;
}

static void os_close(struct dial_seam *seam, int handle)
{
	(void)seam;
	close(handle);
}

/* ---- its life ---- */

static void os_end(struct dial_seam *seam)
{
	struct dial_os *o = os_of(seam);
	if (o->ending[1] >= 0)
		close(o->ending[1]);
	o->ending[1] = -1;
}

static void os_free(struct dial_seam *seam)
{
	struct dial_os *o = os_of(seam);
	os_end(seam);
	if (o->ending[0] >= 0)
		close(o->ending[0]);
	free(o);
}

struct dial_seam *dial_os_new(void)
{
	struct dial_os *o = xmalloc(sizeof(*o));
	o->seam = (struct dial_seam){ .hosts = os_hosts,
		.prepare = os_prepare,
		.resolve = os_resolve,
		.connect = os_connect,
		.close = os_close,
		.end = os_end,
		.free = os_free };
	if (pipe2(o->ending, O_CLOEXEC) < 0)
		o->ending[0] = o->ending[1] = -1; /* then the end waits */
	return &o->seam;
}
