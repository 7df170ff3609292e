// SPDX-License-Identifier: Apache-2.0
/* What holds for every seam: reading and writing whole counts, whole flushes. */
#include "base/seams.h"

#include <errno.h>

int files_pread_all(struct files_seam *f, int file, void *p, size_t n, off_t at)
{
	for (char *to = p; n;) {
		ssize_t got = f->pread(f, file, to, n, at);
		if (got == -EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? (int)got : -EIO;
		to += got;
		at += got;
		n -= (size_t)got;
	}
	return 0;
}

int files_pwrite_all(struct files_seam *f, int file, const void *p, size_t n, off_t at)
{
	for (const char *from = p; n;) {
		ssize_t put = f->pwrite(f, file, from, n, at);
		if (put == -EINTR)
			continue;
		/* A write of nothing would go on for ever. */
		if (put <= 0)
			return put < 0 ? (int)put : -EIO;
		from += put;
		at += put;
		n -= (size_t)put;
	}
	return 0;
}

int files_fdatasync(struct files_seam *f, int file)
{
	int result;
	do {
		result = f->fdatasync(f, file);
	} while (result == -EINTR);
	return result;
}
