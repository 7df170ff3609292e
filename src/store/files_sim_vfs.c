// SPDX-License-Identifier: Apache-2.0
/* See files_sim_vfs.h. */
#include "store/files_sim_vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

enum { SHM_LOCKS = 8, REGIONS = 64, NAME_BYTES = 64 };

/* A database: what its connections share. */
struct node {
	struct node *next;
	char name[NAME_BYTES];
	unsigned shared;
	bool reserved, pending, exclusive;
	void *regions[REGIONS];
	unsigned shm_users;
	unsigned shm_shared[SHM_LOCKS];
	bool shm_exclusive[SHM_LOCKS];
};

struct disk_vfs {
	sqlite3_vfs vfs;
	struct files_seam *files;
	struct random_seam *random;
	struct clock_seam *clock;
	struct node *nodes;
	char name[32];
};

struct db_file {
	sqlite3_file base;
	struct disk_vfs *vfs;
	struct node *node;
	int file, lock;
	bool writable, flush_directory, delete, shm;
	uint8_t shm_shared, shm_exclusive; /* of this connection, a bit for each lock */
	char name[NAME_BYTES];
};

static struct db_file *db_of(sqlite3_file *file)
{
	return CONTAINER_OF(file, struct db_file, base);
}

static struct disk_vfs *vfs_of(sqlite3_vfs *vfs)
{
	return CONTAINER_OF(vfs, struct disk_vfs, vfs);
}

/* ---- bytes ---- */

static int db_read(sqlite3_file *file, void *p, int amount, sqlite3_int64 at)
{
	struct db_file *d = db_of(file);
	size_t n = (size_t)amount, done = 0;
	while (done < n) {
		ssize_t got = d->vfs->files->pread(d->vfs->files, d->file, (char *)p + done,
			n - done, (off_t)at + (off_t)done);
		if (got == -EINTR)
			continue;
		if (got < 0)
			return SQLITE_IOERR_READ;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	memset((char *)p + done, 0, n - done);
	return done < n ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
}

static int db_write(sqlite3_file *file, const void *p, int amount, sqlite3_int64 at)
{
	struct db_file *d = db_of(file);
	if (!d->writable) /* as EBADF: SQLite tries a checkpoint when a read-only one closes */
		return SQLITE_IOERR_WRITE;
	int rc = files_pwrite_all(d->vfs->files, d->file, p, (size_t)amount, (off_t)at);
	if (rc == 0)
		return SQLITE_OK;
	return rc == -ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int db_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct db_file *d = db_of(file);
	return d->vfs->files->truncate(d->vfs->files, d->file, (off_t)size) < 0
		       ? SQLITE_IOERR_TRUNCATE
		       : SQLITE_OK;
}

static int db_sync(sqlite3_file *file, int flags)
{
	struct db_file *d = db_of(file);
	(void)flags;
	if (d->vfs->files->fdatasync(d->vfs->files, d->file) < 0)
		return SQLITE_IOERR_FSYNC;
	if (d->flush_directory) /* as unix.c: what that says is ignored */
		(void)d->vfs->files->sync_directory(d->vfs->files, ".");
	d->flush_directory = false;
	return SQLITE_OK;
}

static int db_size(sqlite3_file *file, sqlite3_int64 *ret)
{
	struct db_file *d = db_of(file);
	int64_t n = d->vfs->files->size(d->vfs->files, d->file);
	*ret = n < 0 ? 0 : n;
	return n < 0 ? SQLITE_IOERR_FSTAT : SQLITE_OK;
}

/* ---- locks of the file ---- */

static void lock_drop(struct db_file *d, int to)
{
	struct node *k = d->node;
	if (d->lock >= SQLITE_LOCK_EXCLUSIVE && to < SQLITE_LOCK_EXCLUSIVE)
		k->exclusive = false;
	if (d->lock >= SQLITE_LOCK_PENDING && to < SQLITE_LOCK_PENDING)
		k->pending = false;
	if (d->lock >= SQLITE_LOCK_RESERVED && to < SQLITE_LOCK_RESERVED)
		k->reserved = false;
	if (d->lock >= SQLITE_LOCK_SHARED && to < SQLITE_LOCK_SHARED)
		k->shared--;
	d->lock = to;
}

static int db_lock(sqlite3_file *file, int to)
{
	struct db_file *d = db_of(file);
	struct node *k = d->node;
	if (to <= d->lock)
		return SQLITE_OK;
	if (d->lock == SQLITE_LOCK_NONE) {
		if (k->pending || k->exclusive)
			return SQLITE_BUSY;
		k->shared++;
		d->lock = SQLITE_LOCK_SHARED;
	}
	if (to >= SQLITE_LOCK_RESERVED && d->lock < SQLITE_LOCK_RESERVED) {
		if (k->reserved)
			return SQLITE_BUSY;
		k->reserved = true;
		d->lock = SQLITE_LOCK_RESERVED;
	}
	if (to < SQLITE_LOCK_EXCLUSIVE)
		return SQLITE_OK;
	k->pending = true;
	d->lock = SQLITE_LOCK_PENDING;
	if (k->shared > 1)
		return SQLITE_BUSY;
	k->exclusive = true;
	d->lock = SQLITE_LOCK_EXCLUSIVE;
	return SQLITE_OK;
}

static int db_unlock(sqlite3_file *file, int to)
{
	struct db_file *d = db_of(file);
	if (to < d->lock)
		lock_drop(d, to);
	return SQLITE_OK;
}

static int db_check_reserved(sqlite3_file *file, int *ret)
{
	*ret = db_of(file)->node->reserved;
	return SQLITE_OK;
}

static int db_control(sqlite3_file *file, int what, void *arg)
{
	(void)file;
	(void)what;
	(void)arg;
	return SQLITE_NOTFOUND;
}

static int db_sector(sqlite3_file *file)
{
	(void)file;
	return 4096;
}

static int db_character(sqlite3_file *file)
{
	(void)file;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* ---- the memory that connections share ---- */

static int db_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **ret)
{
	struct db_file *d = db_of(file);
	struct node *k = d->node;
	if (!d->shm)
		k->shm_users++;
	d->shm = true;
	*ret = NULL;
	if (region >= REGIONS)
		return SQLITE_IOERR_SHMMAP;
	if (k->regions[region] == NULL && extend)
		k->regions[region] = xmalloc((size_t)size);
	*ret = k->regions[region];
	return SQLITE_OK;
}

static bool others_hold(const struct db_file *d, int i, bool exclusive)
{
	const struct node *k = d->node;
	if (k->shm_exclusive[i] && !(d->shm_exclusive & 1 << i))
		return true;
	unsigned ours = (d->shm_shared & 1 << i) != 0;
	return exclusive && k->shm_shared[i] > ours;
}

static void shm_release(struct db_file *d, int i)
{
	if (d->shm_shared & 1 << i)
		d->node->shm_shared[i]--;
	if (d->shm_exclusive & 1 << i)
		d->node->shm_exclusive[i] = false;
	d->shm_shared &= (uint8_t) ~(1 << i);
	d->shm_exclusive &= (uint8_t) ~(1 << i);
}

static void shm_take(struct db_file *d, int i, bool exclusive)
{
	if (exclusive && !(d->shm_exclusive & 1 << i)) {
		d->node->shm_exclusive[i] = true;
		d->shm_exclusive |= (uint8_t)(1 << i);
	} else if (!exclusive && !(d->shm_shared & 1 << i)) {
		d->node->shm_shared[i]++;
		d->shm_shared |= (uint8_t)(1 << i);
	}
}

static int db_shm_lock(sqlite3_file *file, int from, int n, int flags)
{
	struct db_file *d = db_of(file);
	bool exclusive = flags & SQLITE_SHM_EXCLUSIVE;
	if (flags & SQLITE_SHM_UNLOCK) {
		for (int i = from; i < from + n; i++)
			shm_release(d, i);
		return SQLITE_OK;
	}
	for (int i = from; i < from + n; i++)
		if (others_hold(d, i, exclusive))
			return SQLITE_BUSY;
	for (int i = from; i < from + n; i++)
		shm_take(d, i, exclusive);
	return SQLITE_OK;
}

static void db_shm_barrier(sqlite3_file *file)
{
	(void)file;
}

static int db_shm_unmap(sqlite3_file *file, int delete)
{
	struct db_file *d = db_of(file);
	(void)delete;
	for (int i = 0; i < SHM_LOCKS; i++)
		shm_release(d, i);
	if (d->shm && --d->node->shm_users == 0)
		for (int i = 0; i < REGIONS; i++) {
			free(d->node->regions[i]);
			d->node->regions[i] = NULL;
		}
	d->shm = false;
	return SQLITE_OK;
}

/* ---- opening and closing ---- */

static int db_close(sqlite3_file *file)
{
	struct db_file *d = db_of(file);
	struct files_seam *files = d->vfs->files;
	db_shm_unmap(file, 0);
	lock_drop(d, SQLITE_LOCK_NONE);
	files->close(files, d->file);
	if (d->delete &&d->name[0])
		files->unlink(files, d->name);
	file->pMethods = NULL;
	return SQLITE_OK;
}

static const sqlite3_io_methods methods = { .iVersion = 2,
	.xClose = db_close,
	.xRead = db_read,
	.xWrite = db_write,
	.xTruncate = db_truncate,
	.xSync = db_sync,
	.xFileSize = db_size,
	.xLock = db_lock,
	.xUnlock = db_unlock,
	.xCheckReservedLock = db_check_reserved,
	.xFileControl = db_control,
	.xSectorSize = db_sector,
	.xDeviceCharacteristics = db_character,
	.xShmMap = db_shm_map,
	.xShmLock = db_shm_lock,
	.xShmBarrier = db_shm_barrier,
	.xShmUnmap = db_shm_unmap };

/* Paths are sim/NAME: the root is the role's. */
static const char *local(const char *path)
{
	const char *slash = path ? strchr(path, '/') : NULL;
	return slash ? slash + 1 : "";
}

static struct node *node_of(struct disk_vfs *v, const char *name)
{
	struct node *k = v->nodes;
	while (k && strcmp(k->name, name) != 0)
		k = k->next;
	if (k)
		return k;
	k = xmalloc(sizeof(*k));
	snprintf(k->name, sizeof(k->name), "%s", name);
	k->next = v->nodes;
	v->nodes = k;
	return k;
}

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *ret)
{
	struct disk_vfs *v = vfs_of(vfs);
	struct db_file *d = db_of(file);
	const char *name = local(path);
	int how = flags & SQLITE_OPEN_READWRITE ? O_RDWR : O_RDONLY;
	how |= flags & SQLITE_OPEN_CREATE ? O_CREAT : 0;
	how |= flags & SQLITE_OPEN_EXCLUSIVE ? O_EXCL : 0;
	*d = (struct db_file){ .vfs = v };
	d->file = path ? v->files->open(v->files, name, how & ~O_CREAT, 0600) : -ENOENT;
	bool made = d->file == -ENOENT && flags & SQLITE_OPEN_CREATE;
	if (made)
		d->file = path ? v->files->open(v->files, name, how, 0600)
			       : v->files->open_unlinked(v->files, "");
	if (d->file < 0)
		return SQLITE_CANTOPEN;
	d->base.pMethods = &methods;
	d->writable = flags & SQLITE_OPEN_READWRITE;
	d->node = node_of(v, name);
	d->delete = flags & SQLITE_OPEN_DELETEONCLOSE;
	d->flush_directory = made && flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL |
						     SQLITE_OPEN_SUPER_JOURNAL);
	snprintf(d->name, sizeof(d->name), "%s", name);
	if (ret)
		*ret = flags;
	return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int flush)
{
	struct files_seam *files = vfs_of(vfs)->files;
	int rc = files->unlink(files, local(path));
	if (rc == -ENOENT)
		return SQLITE_IOERR_DELETE_NOENT;
	if (rc < 0)
		return SQLITE_IOERR_DELETE;
	if (flush && files->sync_directory(files, ".") < 0)
		return SQLITE_IOERR_DIR_FSYNC;
	return SQLITE_OK;
}

/* An empty file is none, as in unix.c. */
static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret)
{
	struct files_seam *files = vfs_of(vfs)->files;
	int file = files->open(files, local(path), O_RDONLY, 0);
	*ret = file >= 0 && (flags != SQLITE_ACCESS_EXISTS || files->size(files, file) > 0);
	if (file >= 0)
		files->close(files, file);
	return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *path, int n, char *out)
{
	(void)vfs;
	snprintf(out, (size_t)n, "%s", path);
	return SQLITE_OK;
}

static int vfs_random(sqlite3_vfs *vfs, int n, char *out)
{
	struct random_seam *random = vfs_of(vfs)->random;
	random->fill(random, out, (size_t)n);
	return n;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
	(void)vfs;
	return us;
}

static int vfs_now(sqlite3_vfs *vfs, sqlite3_int64 *ret)
{
	struct clock_seam *clock = vfs_of(vfs)->clock;
	*ret = INT64_C(210866760000000) + clock->wall_ms(clock); /* Julian day 2440587.5 is 1970 */
	return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int n, char *out)
{
	(void)vfs;
	(void)n;
	(void)out;
	return 0;
}

const char *files_sim_vfs_new(
	struct files_seam *files, int number, struct random_seam *random, struct clock_seam *clock)
{
	struct disk_vfs *v = xmalloc(sizeof(*v));
	v->files = files;
	v->random = random;
	v->clock = clock;
	snprintf(v->name, sizeof(v->name), "sim-%d", number);
	v->vfs = (sqlite3_vfs){ .iVersion = 2,
		.szOsFile = sizeof(struct db_file),
		.mxPathname = NAME_BYTES,
		.zName = v->name,
		.xOpen = vfs_open,
		.xDelete = vfs_delete,
		.xAccess = vfs_access,
		.xFullPathname = vfs_full_path,
		.xRandomness = vfs_random,
		.xSleep = vfs_sleep,
		.xCurrentTimeInt64 = vfs_now,
		.xGetLastError = vfs_last_error };
	/* The default, so that SQLite's own generator is seeded by it, too. */
	sqlite3_vfs_register(&v->vfs, 1);
	return v->name;
}

void files_sim_vfs_free(const char *name)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(name);
	if (vfs == NULL)
		return;
	struct disk_vfs *v = vfs_of(vfs);
	sqlite3_vfs_unregister(vfs);
	for (struct node *next; v->nodes; v->nodes = next) {
		next = v->nodes->next;
		for (int i = 0; i < REGIONS; i++)
			free(v->nodes->regions[i]);
		free(v->nodes);
	}
	free(v);
}
