// SPDX-License-Identifier: Apache-2.0
#include "store/log_vfs.h"

#include "base/mem.h"
#include "base/planted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GATHERED_BYTES = 128 * 1024 };

/* What is gathered: n bytes that belong at `at`. The other VFS's file stands behind it. */
struct log_file {
	sqlite3_file file;
	const struct log_vfs *of;
	uint8_t *gathered; /* NULL: there was no memory for it, all is written at once */
	size_t n;
	sqlite3_int64 at;
	bool begun; /* the log's header was written, and not flushed */
};

static struct log_file *log_of(sqlite3_file *file)
{
	return CONTAINER_OF(file, struct log_file, file);
}

static sqlite3_file *real(struct log_file *f)
{
	return (sqlite3_file *)(f + 1);
}

static int hand_on(struct log_file *f)
{
	size_t n = f->n;
	f->n = 0;
	return n ? real(f)->pMethods->xWrite(real(f), f->gathered, (int)n, f->at) : SQLITE_OK;
}

static int log_write(sqlite3_file *file, const void *p, int amount, sqlite3_int64 at)
{
	struct log_file *f = log_of(file);
	size_t n = (size_t)amount;
	f->begun |= at == 0;
	if (f->n && (at != f->at + (sqlite3_int64)f->n || n > GATHERED_BYTES - f->n)) {
		int rc = hand_on(f);
		if (rc != SQLITE_OK)
			return rc;
	}
	if (f->gathered == NULL || n > GATHERED_BYTES)
		return real(f)->pMethods->xWrite(real(f), p, amount, at);
	if (f->n == 0)
		f->at = at;
	memcpy(f->gathered + f->n, p, n);
	f->n += n;
	return SQLITE_OK;
}

static int log_sync(sqlite3_file *file, int flags)
{
	struct log_file *f = log_of(file);
	int rc = hand_on(f);
	if (rc != SQLITE_OK)
		return rc;
	if ((f->of->unflushed && !f->begun) || planted("row_flush_left_out"))
		return SQLITE_OK;
	rc = real(f)->pMethods->xSync(real(f), flags);
	f->begun &= rc != SQLITE_OK;
	return rc;
}

static int log_close(sqlite3_file *file)
{
	struct log_file *f = log_of(file);
	int rc = hand_on(f), closed = real(f)->pMethods->xClose(real(f));
	free(f->gathered);
	f->gathered = NULL;
	return rc == SQLITE_OK ? closed : rc;
}

static int log_read(sqlite3_file *file, void *p, int amount, sqlite3_int64 at)
{
	struct log_file *f = log_of(file);
	int rc = hand_on(f);
	return rc == SQLITE_OK ? real(f)->pMethods->xRead(real(f), p, amount, at) : rc;
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct log_file *f = log_of(file);
	int rc = hand_on(f);
	return rc == SQLITE_OK ? real(f)->pMethods->xTruncate(real(f), size) : rc;
}

static int log_size(sqlite3_file *file, sqlite3_int64 *ret)
{
	struct log_file *f = log_of(file);
	int rc = hand_on(f);
	return rc == SQLITE_OK ? real(f)->pMethods->xFileSize(real(f), ret) : rc;
}

static int log_lock(sqlite3_file *file, int level)
{
	return real(log_of(file))->pMethods->xLock(real(log_of(file)), level);
}

static int log_unlock(sqlite3_file *file, int level)
{
	return real(log_of(file))->pMethods->xUnlock(real(log_of(file)), level);
}

static int log_is_locked(sqlite3_file *file, int *ret)
{
	return real(log_of(file))->pMethods->xCheckReservedLock(real(log_of(file)), ret);
}

static int log_control(sqlite3_file *file, int what, void *arg)
{
	return real(log_of(file))->pMethods->xFileControl(real(log_of(file)), what, arg);
}

static int log_sector_size(sqlite3_file *file)
{
	return real(log_of(file))->pMethods->xSectorSize(real(log_of(file)));
}

static int log_characteristics(sqlite3_file *file)
{
	return real(log_of(file))->pMethods->xDeviceCharacteristics(real(log_of(file)));
}

static const sqlite3_io_methods log_methods = {
	.iVersion = 1,
	.xClose = log_close,
	.xRead = log_read,
	.xWrite = log_write,
	.xTruncate = log_truncate,
	.xSync = log_sync,
	.xFileSize = log_size,
	.xLock = log_lock,
	.xUnlock = log_unlock,
	.xCheckReservedLock = log_is_locked,
	.xFileControl = log_control,
	.xSectorSize = log_sector_size,
	.xDeviceCharacteristics = log_characteristics,
};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret)
{
	const struct log_vfs *v = CONTAINER_OF(vfs, struct log_vfs, vfs);
	sqlite3_vfs *base = v->base;
	if (!(flags & SQLITE_OPEN_WAL))
		return base->xOpen(base, name, file, flags, ret);
	struct log_file *f = log_of(file);
	*f = (struct log_file){ .of = v };
	int rc = base->xOpen(base, name, real(f), flags, ret);
	if (rc != SQLITE_OK)
		return rc;
	f->gathered = malloc(GATHERED_BYTES);
	f->file.pMethods = &log_methods;
	return SQLITE_OK;
}

/* The rest of a VFS gets the struct that it knows. */
static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	sqlite3_vfs *base = CONTAINER_OF(vfs, struct log_vfs, vfs)->base;
	return base->xDelete(base, name, sync);
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
	sqlite3_vfs *base = CONTAINER_OF(vfs, struct log_vfs, vfs)->base;
	return base->xAccess(base, name, flags, ret);
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *name, int n, char *ret)
{
	sqlite3_vfs *base = CONTAINER_OF(vfs, struct log_vfs, vfs)->base;
	return base->xFullPathname(base, name, n, ret);
}

int log_vfs_init(struct log_vfs *v, const char *base)
{
	sqlite3_vfs *real = sqlite3_vfs_find(base);
	if (real == NULL)
		return SQLITE_CANTOPEN;
	*v = (struct log_vfs){ .vfs = *real, .base = real };
	snprintf(v->name, sizeof(v->name), "log-%p", (void *)v);
	v->vfs.zName = v->name;
	v->vfs.pNext = NULL;
	v->vfs.szOsFile = (int)sizeof(struct log_file) + real->szOsFile;
	v->vfs.xOpen = vfs_open;
	v->vfs.xDelete = vfs_delete;
	v->vfs.xAccess = vfs_access;
	v->vfs.xFullPathname = vfs_full_path;
	return sqlite3_vfs_register(&v->vfs, 0);
}

void log_vfs_done(struct log_vfs *v)
{
	if (v->base)
		sqlite3_vfs_unregister(&v->vfs);
	v->base = NULL;
}
