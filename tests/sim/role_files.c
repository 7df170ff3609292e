// SPDX-License-Identifier: Apache-2.0
/*
 * The disk as one role sees it: each call may be the one in which the role ends, and of a role that
 * has ended none succeeds. What it had open is closed with it, and its locks go.
 */
#include "sim.h"

#include "store/files_sim_vfs.h"

#include <errno.h>

enum { MOST_OPEN = 200, NAME_BYTES = 64 };

struct open_file {
	int file;
	char name[NAME_BYTES];
};

struct role_files {
	struct files_seam seam;
	struct process *process;
	struct files_seam *disk;
	struct files_sim *sim;
	struct open_file open[MOST_OPEN];
	size_t open_n;
	const char *vfs;
};

static struct role_files *of(struct files_seam *seam)
{
	return CONTAINER_OF(seam, struct role_files, seam);
}

static bool gone(struct role_files *f)
{
	return !world_call(f->process);
}

/* What the disk refuses is in the trace. */
static int64_t said(const char *call, const char *name, int64_t result)
{
	if (result < 0 && result != -ENOENT && result != -EEXIST && result != -EINTR)
		trace("disk", "%s of %s: %s", call, name, strerror((int)-result));
	return result;
}

static const char *name_of(const struct role_files *f, int file)
{
	for (size_t i = 0; i < f->open_n; i++)
		if (f->open[i].file == file)
			return f->open[i].name;
	return "?";
}

static int opened(struct role_files *f, const char *name, int file)
{
	said("open", name, file);
	if (file < 0)
		return file;
	if (f->open_n == MOST_OPEN)
		sim_fail("a role has %d files open", MOST_OPEN);
	struct open_file *o = &f->open[f->open_n++];
	o->file = file;
	snprintf(o->name, sizeof(o->name), "%s", name);
	return file;
}

static int rf_open(struct files_seam *seam, const char *name, int flags, mode_t mode)
{
	struct role_files *f = of(seam);
	return gone(f) ? -EIO : opened(f, name, f->disk->open(f->disk, name, flags, mode));
}

static int rf_open_unlinked(struct files_seam *seam, const char *directory)
{
	struct role_files *f = of(seam);
	return gone(f) ? -EIO : opened(f, "(no name)", f->disk->open_unlinked(f->disk, directory));
}

static int rf_close(struct files_seam *seam, int file)
{
	struct role_files *f = of(seam);
	for (size_t i = 0; i < f->open_n; i++)
		if (f->open[i].file == file) {
			f->open[i] = f->open[--f->open_n];
			return f->disk->close(f->disk, file);
		}
	return -EBADF;
}

static ssize_t rf_pread(struct files_seam *seam, int file, void *p, size_t n, off_t at)
{
	struct role_files *f = of(seam);
	return gone(f) ? -EIO
		       : (ssize_t)said(
				 "read", name_of(f, file), f->disk->pread(f->disk, file, p, n, at));
}

/* What has come to harm, of which nobody else is told, is in the trace, too. */
static ssize_t write_said(struct role_files *f, int file, const void *p, size_t n, off_t at)
{
	static const char *const harm[] = { [DAMAGE_FLIP] = "a bit flips",
		[DAMAGE_LOSE] = "lost",
		[DAMAGE_MISDIRECT] = "misdirected" };
	uint64_t damaged = f->sim->damaged;
	ssize_t done = (ssize_t)said(
		"write", name_of(f, file), f->disk->pwrite(f->disk, file, p, n, at));
	if (f->sim->damaged > damaged)
		trace("disk", "write of %s, %zd bytes at %lld: %s", name_of(f, file), done,
			(long long)at, harm[f->sim->plan.damage]);
	return done;
}

/* A role that ends in a write has done some of it. */
static ssize_t rf_pwrite(struct files_seam *seam, int file, const void *p, size_t n, off_t at)
{
	struct role_files *f = of(seam);
	bool was_dead = f->process->dead;
	if (!gone(f))
		return write_said(f, file, p, n, at);
	size_t some = was_dead || n == 0 ? 0 : files_sim_whole_sectors((size_t)at, (size_t)dice(n));
	if (some > 0)
		(void)f->disk->pwrite(f->disk, file, p, some, at);
	return -EIO;
}

static int rf_start_flush(struct files_seam *seam, int file, off_t at, off_t n)
{
	struct role_files *f = of(seam);
	return gone(f) ? -EIO
		       : (int)said("flush", name_of(f, file),
				 f->disk->start_flush(f->disk, file, at, n));
}

static int rf_fdatasync(struct files_seam *seam, int file)
{
	struct role_files *f = of(seam);
	if (f->process->crash_at_flush)
		f->process->crash_in = 1;
	f->process->crash_at_flush = false;
	return gone(f) ? -EIO
		       : (int)said("flush", name_of(f, file), f->disk->fdatasync(f->disk, file));
}

static int rf_sync_directory(struct files_seam *seam, const char *directory)
{
	struct role_files *f = of(seam);
	return gone(f) ? -EIO
		       : (int)said("flush of the directory", directory,
				 f->disk->sync_directory(f->disk, directory));
}

static int rf_truncate(struct files_seam *seam, int file, off_t length)
{
	struct role_files *f = of(seam);
	return gone(f) ? -EIO
		       : (int)said("truncation", name_of(f, file),
				 f->disk->truncate(f->disk, file, length));
}

static int rf_lengthen(struct files_seam *seam, int file, off_t end, off_t n)
{
	struct role_files *f = of(seam);
	return gone(f) ? -EIO
		       : (int)said("lengthening", name_of(f, file),
				 f->disk->lengthen(f->disk, file, end, n));
}

static int64_t rf_size(struct files_seam *seam, int file)
{
	struct role_files *f = of(seam);
	return gone(f) ? -EIO : f->disk->size(f->disk, file);
}

static int rf_rename(struct files_seam *seam, const char *from, const char *to)
{
	struct role_files *f = of(seam);
	return gone(f) ? -EIO : (int)said("rename", from, f->disk->rename(f->disk, from, to));
}

static int rf_unlink(struct files_seam *seam, const char *name)
{
	struct role_files *f = of(seam);
	return gone(f) ? -EIO : (int)said("unlink", name, f->disk->unlink(f->disk, name));
}

static int rf_mkdir(struct files_seam *seam, const char *name, mode_t mode)
{
	struct role_files *f = of(seam);
	return gone(f) ? -EIO : f->disk->mkdir(f->disk, name, mode);
}

static int rf_list(struct files_seam *seam, const char *directory,
	int (*each)(void *, const char *), void *arg)
{
	struct role_files *f = of(seam);
	return gone(f) ? -EIO : f->disk->list(f->disk, directory, each, arg);
}

static int rf_lock(struct files_seam *seam, int file)
{
	struct role_files *f = of(seam);
	return gone(f) ? -EIO : f->disk->lock(f->disk, file);
}

static int rf_forget_cache(struct files_seam *seam, int file)
{
	struct role_files *f = of(seam);
	return gone(f) ? -EIO : f->disk->forget_cache(f->disk, file);
}

static int64_t rf_free_bytes(struct files_seam *seam)
{
	struct role_files *f = of(seam);
	return gone(f) ? -EIO : f->disk->free_bytes(f->disk);
}

static const char *rf_sqlite_vfs(struct files_seam *seam)
{
	struct role_files *f = of(seam);
	if (f->vfs == NULL)
		f->vfs = files_sim_vfs_new(
			seam, f->process->pid, &world.random.seam, world.loop->clock);
	return f->vfs;
}

static const char *rf_root(struct files_seam *seam)
{
	(void)seam;
	return "sim";
}

static const struct files_seam functions = {
	.open = rf_open,
	.open_unlinked = rf_open_unlinked,
	.close = rf_close,
	.pread = rf_pread,
	.pwrite = rf_pwrite,
	.start_flush = rf_start_flush,
	.fdatasync = rf_fdatasync,
	.fsync = rf_fdatasync,
	.sync_directory = rf_sync_directory,
	.truncate = rf_truncate,
	.lengthen = rf_lengthen,
	.size = rf_size,
	.rename = rf_rename,
	.unlink = rf_unlink,
	.mkdir = rf_mkdir,
	.list = rf_list,
	.lock = rf_lock,
	.forget_cache = rf_forget_cache,
	.free_bytes = rf_free_bytes,
	.sqlite_vfs = rf_sqlite_vfs,
	.root = rf_root,
};

struct files_seam *role_files_new(struct process *p, struct files_sim *sim)
{
	struct role_files *f = xmalloc(sizeof(*f));
	f->seam = functions;
	f->process = p;
	f->sim = sim;
	f->disk = &sim->seam;
	return &f->seam;
}

/* After the role's own end, which may have been without closing anything. */
void role_files_close(struct files_seam *seam)
{
	struct role_files *f = of(seam);
	while (f->open_n > 0)
		rf_close(seam, f->open[0].file);
	if (f->vfs)
		files_sim_vfs_free(f->vfs);
}
