// SPDX-License-Identifier: Apache-2.0
/* Opening a database in the store's directory (see sqlite_open.h). */
#include "store/sqlite_open.h"

int sqlite_open(
	struct files_seam *files, const char *vfs, const char *name, int flags, sqlite3 **ret)
{
	char *path = sqlite3_mprintf("%s/%s", files->root(files), name);
	*ret = NULL;
	if (path == NULL) /* to SQLite no name is a database in memory, empty and for us alone */
		return SQLITE_NOMEM;
	int rc = sqlite3_open_v2(
		path, ret, flags | SQLITE_OPEN_NOMUTEX, vfs ? vfs : files->sqlite_vfs(files));
	sqlite3_free(path);
	return rc;
}
