/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads and writes on non-blocking descriptors, with at most one descriptor passed along a call
 * (SCM_RIGHTS). Nothing blocks, raises SIGPIPE, or leaves a descriptor open that nobody asked for.
 *
 * uses: nothing; used by: io
 */
#ifndef CULVER_IO_DESCRIPTOR_H
#define CULVER_IO_DESCRIPTOR_H

#include <stddef.h>
#include <sys/types.h>

/* > 0 bytes, 0 at the end, or -errno. received: when not NULL, the descriptor that came along, or
 * -1; others are closed. */
ssize_t descriptor_read(int fd, void *p, size_t n, int *received);
/* Bytes, or -errno. pass: a descriptor to send with the first byte, or -1; it stays the caller's.
 */
ssize_t descriptor_write(int fd, const void *p, size_t n, int pass);

#endif
