// SPDX-License-Identifier: Apache-2.0
/* See descriptor.h. */
#include "io/descriptor.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

/* Keeps the first descriptor that came and closes any other: padding makes room for more than one
 * in a buffer that was asked to hold one. */
static void take_descriptors(struct msghdr *m, int *received)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (*received < 0)
				*received = fd;
			else
				close(fd);
		}
	}
}

static ssize_t receive(int fd, void *p, size_t n, int *received)
{
	union control control = { 0 };
	struct iovec piece = { p, n };
	struct msghdr m = { .msg_iov = &piece,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	ssize_t got = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (got >= 0)
		take_descriptors(&m, received);
	return got;
}

ssize_t descriptor_read(int fd, void *p, size_t n, int *received)
{
	ssize_t got;
	if (received != NULL)
		*received = -1;
	do {
		/* recv() without a control buffer: the kernel closes what was passed. Pipes (log
		 * lines) know read() alone. */
		if (received != NULL)
			got = receive(fd, p, n, received);
		else
			got = recv(fd, p, n, MSG_DONTWAIT);
		if (got < 0 && errno == ENOTSOCK)
			got = read(fd, p, n);
	} while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

ssize_t descriptor_write(int fd, const void *p, size_t n, int pass)
{
	union control control = { 0 };
	struct iovec piece = { .iov_len = n };
	struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1 };
	memcpy(&piece.iov_base, &p, sizeof(p)); /* iov_base is not const; nothing is written */
	if (pass >= 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &pass, sizeof(pass));
		m.msg_controllen = c->cmsg_len;
	}
	ssize_t sent;
	do {
		sent = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == ENOTSOCK && pass < 0)
			sent = write(fd, p, n);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : sent;
}
