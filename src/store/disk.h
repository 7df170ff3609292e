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

/* The reserve that deleting needs (hostile-input Q3): mail is refused before it is touched, reclaim
 * takes of it, and leaves a part for the ledger. */
static inline uint64_t disk_reserve(uint64_t setting)
{
	return setting ? setting : LIMIT_DISK_RESERVE_BYTES;
}

static inline uint64_t disk_last_reserve(uint64_t setting)
{
	return disk_reserve(setting) / 8;
}

/* How many bytes may be written without touching the last `kept` that are free. A file system that
 * does not say is taken to have room: the write itself will tell. */
static inline uint64_t disk_room(struct files_seam *files, uint64_t kept)
{
	int64_t free_bytes = files->free_bytes(files);
	if (free_bytes < 0)
		return UINT64_MAX;
	return (uint64_t)free_bytes > kept ? (uint64_t)free_bytes - kept : 0;
}

static inline bool disk_has_room(struct files_seam *files, uint64_t n, uint64_t kept)
{
	return disk_room(files, kept) >= n;
}

#endif
