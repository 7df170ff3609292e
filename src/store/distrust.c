// SPDX-License-Identifier: Apache-2.0
/* The mark that a flush failed. */
#include "store/distrust.h"

#include "store/disk.h"

#define MARK "distrust"

int distrust_mark(struct files_seam *files)
{
	int file = files->open(files, MARK, O_WRONLY | O_CREAT, 0600);
	if (file < 0)
		return -1;
	/* Failing here is no news: that the disk fails is why we are here. */
	(void)files->fsync(files, file);
	(void)files->close(files, file);
	(void)files->sync_directory(files, "");
	return 0;
}

bool distrust_is_marked(struct files_seam *files)
{
	int file = files->open(files, MARK, O_RDONLY, 0);
	if (file == -ENOENT)
		return false;
	/* Not to know is a reason for distrust as well. */
	if (file >= 0)
		(void)files->close(files, file);
	return true;
}

int distrust_clear(struct files_seam *files, struct err *err)
{
	int result = files->unlink(files, MARK);
	if (result == -ENOENT)
		return 0;
	if (result == 0)
		result = files->sync_directory(files, "");
	return result < 0 ? FAIL_SEAM(err, result, "can't remove the mark %s", MARK) : 0;
}
