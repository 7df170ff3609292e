// SPDX-License-Identifier: Apache-2.0
/*
 * What a process that was killed left in the log may stand in the page cache alone: written and not
 * flushed yet, or lost by a flush that failed when nobody was left to say so. Readers must not see
 * it before it is on disk, and nothing may be committed behind a hole: so it is written again, and
 * flushed.
 *
 * Only what SQLite will read: a log that was started over still has frames of before behind its
 * end. Those carry other salts than its header, and recovery stops at the first of them
 * (https://www.sqlite.org/fileformat2.html, 4.1).
 */
#include "store/sqlite_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "store/disk.h"
#include "store/distrust.h"

enum {
	HEADER_BYTES = 32,
	HEADER_SALTS = 16,
	PAGE_HEADER_BYTES = 24,
	PAGE_SALTS = 8,
	SALTS_BYTES = 8,
	LOGGED_BYTES = PAGE_HEADER_BYTES + 4096,
	FRAMES_AT_ONCE = 32,
};

/* How many frames from p on carry the salts. */
static size_t frames_in_force(const uint8_t *p, size_t n, const uint8_t *salts)
{
	size_t i = 0;
	while (i < n && memcmp(p + i * LOGGED_BYTES + PAGE_SALTS, salts, SALTS_BYTES) == 0)
		i++;
	return i;
}

static int write_again(struct files_seam *files, int file, int64_t size, uint8_t *p)
{
	uint8_t header[HEADER_BYTES];
	int result = files_pread_all(files, file, header, sizeof(header), 0);
	if (result == 0)
		result = files_pwrite_all(files, file, header, sizeof(header), 0);
	int64_t at = HEADER_BYTES;
	for (size_t n = FRAMES_AT_ONCE; n == FRAMES_AT_ONCE && result == 0;) {
		if ((size - at) / LOGGED_BYTES < FRAMES_AT_ONCE)
			n = (size_t)((size - at) / LOGGED_BYTES);
		result = files_pread_all(files, file, p, n * LOGGED_BYTES, at);
		if (result < 0)
			break;
		n = frames_in_force(p, n, header + HEADER_SALTS);
		result = files_pwrite_all(files, file, p, n * LOGGED_BYTES, at);
		at += (int64_t)n * LOGGED_BYTES;
	}
	return result;
}

static int settle(struct files_seam *files, int file)
{
	int64_t size = files->size(files, file);
	if (size < HEADER_BYTES) /* SQLite reads nothing of it */
		return size < 0 ? (int)size : 0;
	uint8_t *p = xmalloc((size_t)FRAMES_AT_ONCE * LOGGED_BYTES);
	int result = write_again(files, file, size, p);
	free(p);
	if (result < 0)
		return result;
	result = files_fdatasync(files, file);
	if (result < 0)
		(void)distrust_mark(files);
	return result;
}

int log_settle(struct files_seam *files, const char *name, struct err *err)
{
	int file = files->open(files, name, O_RDWR, 0);
	if (file == -ENOENT)
		return 0;
	int result = file < 0 ? file : settle(files, file);
	if (file >= 0)
		(void)files->close(files, file);
	return result < 0 ? FAIL_SEAM(err, result, "can't write %s again", name) : 0;
}
