/* SPDX-License-Identifier: Apache-2.0 */
/* Small things that the files of the store share: results of the files seam as errors, and the room
 * that is kept on the disk. */
#ifndef CULVER_STORE_DISK_H
#define CULVER_STORE_DISK_H

#include "base/limits.h"
#include "base/seams.h"

#include <errno.h>
#include <fcntl.h>

/* fail_errno() with a seam's negative result. */
#define FAIL_SEAM(err, result, ...) (errno = -(int)(result), fail_errno(err, __VA_ARGS__))

/* Whether n more bytes leave the reserve that deleting needs (hostile-input Q3). A file system that
 * does not say is taken to have room: the write itself will tell. */
static inline bool disk_has_room(struct files_seam *files, uint64_t n)
{
	int64_t free_bytes = files->free_bytes(files);
	return free_bytes < 0 || (uint64_t)free_bytes >= n + LIMIT_DISK_RESERVE_BYTES;
}

#endif
