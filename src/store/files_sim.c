// SPDX-License-Identifier: Apache-2.0
/* A file system in memory that fails on purpose. */
#include "store/files_sim.h"

#include "base/vec.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum {
	SECTOR = 512,
	BLOCK = 4096,
	MOST_INODES = 512,
	MOST_NAMES = 256,
	MOST_FILES = 256,
	NAME = 64
};

/* A file. dirty[i]: sector i of `now` has not reached `disk`. */
struct inode {
	bool used;
	unsigned names, opens,
		log; /* what keeps it: names now or durable, descriptors, log entries */
	uint8_t *now, *disk, *dirty;
	size_t n, disk_n, cap;
};

struct entry {
	char name[NAME];
	int inode; /* -1: a directory */
};

struct directory {
	struct entry entries[MOST_NAMES];
	size_t n;
};

enum change_kind { CHANGE_LINK, CHANGE_UNLINK, CHANGE_RENAME };
struct change {
	enum change_kind kind;
	char name[NAME], to[NAME];
	int inode;
};

struct descriptor {
	bool used, direct, writable;
	bool locks; /* its file */
	int inode;
};

struct files_sim_state {
	uint64_t random;
	bool crashed;
	struct inode inodes[MOST_INODES];
	struct directory now, durable;
	struct vec log; /* struct change: from durable to now */
	struct descriptor files[MOST_FILES];
};

static struct files_sim *sim_of(struct files_seam *seam)
{
	return CONTAINER_OF(seam, struct files_sim, seam);
}

/* SplitMix64. */
uint64_t files_sim_below(struct files_sim *sim, uint64_t n)
{
	uint64_t z = sim->state->random += 0x9e3779b97f4a7c15U;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
	z = (z ^ z >> 27) * 0x94d049bb133111ebU;
	return (z ^ z >> 31) % n;
}

static bool coin(struct files_sim *sim)
{
	return files_sim_below(sim, 2);
}

/* Counts a call: 0, or what it has to return instead of being done. */
static int begin(struct files_sim *sim)
{
	const struct files_sim_plan *p = &sim->plan;
	uint64_t call = ++sim->calls;
	if (sim->state->crashed)
		return -EIO;
	if (p->crash_at && call >= p->crash_at) {
		sim->state->crashed = true;
		return -EIO;
	}
	if (p->fail_at && (call == p->fail_at || (p->fail_for_ever && call > p->fail_at)))
		return sim->failed++, p->fail_with;
	return 0;
}

/* ---- inodes ---- */

static struct inode *inode_of(struct files_sim *sim, int i)
{
	return &sim->state->inodes[i];
}

static int inode_new(struct files_sim *sim)
{
	for (int i = 0; i < MOST_INODES; i++)
		if (!inode_of(sim, i)->used) {
			*inode_of(sim, i) = (struct inode){ .used = true };
			return i;
		}
	abort(); /* the test makes too many files */
}

static void inode_free_if_gone(struct inode *f)
{
	if (!f->used || f->names || f->opens || f->log)
		return;
	free(f->now);
	free(f->disk);
	free(f->dirty);
	*f = (struct inode){ .used = false };
}

static size_t sectors(size_t n)
{
	return (n + SECTOR - 1) / SECTOR;
}

static void inode_reserve(struct inode *f, size_t n)
{
	if (n <= f->cap)
		return;
	size_t cap = f->cap ? f->cap : 64 * 1024;
	while (cap < n)
		cap *= 2;
	f->now = xrealloc(f->now, cap);
	f->disk = xrealloc(f->disk, cap);
	f->dirty = xrealloc(f->dirty, sectors(cap));
	memset(f->now + f->cap, 0, cap - f->cap);
	memset(f->disk + f->cap, 0, cap - f->cap);
	memset(f->dirty + sectors(f->cap), 0, sectors(cap) - sectors(f->cap));
	f->cap = cap;
}

static void sector_to_disk(struct inode *f, size_t i)
{
	memcpy(f->disk + i * SECTOR, f->now + i * SECTOR, SECTOR);
}

/* All that is dirty reaches the disk. */
static void inode_flush(struct inode *f)
{
	for (size_t i = 0; i < sectors(f->cap); i++)
		if (f->dirty[i])
			sector_to_disk(f, i);
	if (f->cap)
		memset(f->dirty, 0, sectors(f->cap));
	f->disk_n = f->n;
}

/* Clean pages are dropped, and so read from the disk again. */
static void inode_forget(struct inode *f)
{
	for (size_t i = 0; i < sectors(f->cap); i++)
		if (!f->dirty[i])
			memcpy(f->now + i * SECTOR, f->disk + i * SECTOR, SECTOR);
}

static void inode_resize(struct inode *f, size_t n)
{
	inode_reserve(f, n);
	if (n < f->n) {
		memset(f->now + n, 0, f->n - n);
		for (size_t i = n / SECTOR; i < sectors(f->n); i++)
			f->dirty[i] = 1;
	}
	f->n = n;
}

/* ---- names ---- */

static struct entry *find(struct directory *d, const char *name)
{
	for (size_t i = 0; i < d->n; i++)
		if (strcmp(d->entries[i].name, name) == 0)
			return &d->entries[i];
	return NULL;
}

static void keep(struct files_sim *sim, int inode, int by)
{
	if (inode < 0)
		return;
	inode_of(sim, inode)->names += (unsigned)by;
	inode_free_if_gone(inode_of(sim, inode));
}

static void directory_remove(struct files_sim *sim, struct directory *d, const char *name)
{
	struct entry *e = find(d, name);
	if (e == NULL)
		return;
	int inode = e->inode;
	*e = d->entries[--d->n];
	keep(sim, inode, -1);
}

static void directory_add(struct files_sim *sim, struct directory *d, const char *name, int inode)
{
	keep(sim, inode, 1);
	directory_remove(sim, d, name);
	assert(d->n < MOST_NAMES && strlen(name) < NAME);
	struct entry *e = &d->entries[d->n++];
	snprintf(e->name, NAME, "%s", name);
	e->inode = inode;
}

static void apply(struct files_sim *sim, struct directory *d, const struct change *c)
{
	if (c->kind == CHANGE_LINK)
		directory_add(sim, d, c->name, c->inode);
	else
		directory_remove(sim, d, c->name);
	if (c->kind == CHANGE_RENAME)
		directory_add(sim, d, c->to, c->inode);
}

static void change(
	struct files_sim *sim, enum change_kind kind, const char *name, const char *to, int inode)
{
	struct change c = { .kind = kind, .inode = inode };
	snprintf(c.name, NAME, "%s", name);
	snprintf(c.to, NAME, "%s", to);
	if (inode >= 0)
		inode_of(sim, inode)->log++;
	vec_push(&sim->state->log, &c);
	apply(sim, &sim->state->now, &c);
}

/* The first n changes of names become durable, the others are forgotten or stay to be flushed. */
static void log_replay(struct files_sim *sim, size_t n)
{
	struct vec *log = &sim->state->log;
	for (size_t i = 0; i < log->n; i++) {
		struct change *c = vec_at(log, i);
		if (i < n)
			apply(sim, &sim->state->durable, c);
		if (c->inode < 0)
			continue;
		inode_of(sim, c->inode)->log--;
		inode_free_if_gone(inode_of(sim, c->inode));
	}
	vec_clear(log);
}

/* ---- the seam: opening ---- */

static int descriptor_new(struct files_sim *sim, int inode, int flags)
{
	for (int i = 0; i < MOST_FILES; i++)
		if (!sim->state->files[i].used) {
			sim->state->files[i] = (struct descriptor){ .used = true,
				.inode = inode,
				.direct = flags & O_DIRECT,
				.writable = (flags & O_ACCMODE) != O_RDONLY };
			inode_of(sim, inode)->opens++;
			return i;
		}
	return -EMFILE;
}

static int sim_open(struct files_seam *seam, const char *name, int flags, mode_t mode)
{
	struct files_sim *sim = sim_of(seam);
	int result = begin(sim);
	(void)mode;
	if (result)
		return result;
	struct entry *e = find(&sim->state->now, name);
	if (e == NULL && !(flags & O_CREAT))
		return -ENOENT;
	if (e && flags & O_EXCL)
		return -EEXIST;
	if (e && e->inode < 0)
		return -EISDIR;
	int inode = e ? e->inode : inode_new(sim);
	if (e == NULL)
		change(sim, CHANGE_LINK, name, "", inode);
	else if (flags & O_TRUNC)
		inode_resize(inode_of(sim, inode), 0);
	return descriptor_new(sim, inode, flags);
}

static int sim_open_unlinked(struct files_seam *seam, const char *directory)
{
	struct files_sim *sim = sim_of(seam);
	int result = begin(sim);
	if (result)
		return result;
	if (*directory && find(&sim->state->now, directory) == NULL)
		return -ENOENT;
	return descriptor_new(sim, inode_new(sim), O_RDWR);
}

static struct inode *opened(struct files_sim *sim, int file)
{
	assert(file >= 0 && file < MOST_FILES && sim->state->files[file].used);
	return inode_of(sim, sim->state->files[file].inode);
}

/* Not a call that fails: nothing in the store may depend on what close says. */
static int sim_close(struct files_seam *seam, int file)
{
	struct files_sim *sim = sim_of(seam);
	struct inode *f = opened(sim, file);
	sim->state->files[file].used = false;
	f->opens--;
	inode_free_if_gone(f);
	return 0;
}

/* ---- the seam: bytes ---- */

/* How much of n is done at once; -EINTR: nothing. */
static ssize_t stutter(struct files_sim *sim, size_t n)
{
	if (!sim->plan.stutter || n == 0 || coin(sim))
		return (ssize_t)n;
	return coin(sim) ? -EINTR : (ssize_t)(1 + files_sim_below(sim, n));
}

static ssize_t sim_pread(struct files_seam *seam, int file, void *p, size_t n, off_t at)
{
	struct files_sim *sim = sim_of(seam);
	struct inode *f = opened(sim, file);
	int result = begin(sim);
	if (result)
		return result;
	ssize_t some = stutter(sim, n);
	if (some < 0 || (size_t)at >= f->n)
		return some < 0 ? some : 0;
	n = (size_t)some < f->n - (size_t)at ? (size_t)some : f->n - (size_t)at;
	if (sim->state->files[file].direct)
		inode_forget(f);
	memcpy(p, f->now + at, n);
	return (ssize_t)n;
}

uint64_t files_sim_bytes_used(struct files_sim *sim)
{
	uint64_t n = 0;
	for (int i = 0; i < MOST_INODES; i++)
		n += inode_of(sim, i)->n;
	return n;
}

static void put(struct inode *f, const void *p, size_t n, size_t at)
{
	inode_reserve(f, at + n);
	memcpy(f->now + at, p, n);
	if (n)
		memset(f->dirty + at / SECTOR, 1, sectors(at + n) - at / SECTOR);
	if (at + n > f->n)
		f->n = at + n;
}

static ssize_t sim_pwrite(struct files_seam *seam, int file, const void *p, size_t n, off_t at)
{
	struct files_sim *sim = sim_of(seam);
	struct inode *f = opened(sim, file);
	bool was_alive = !sim->state->crashed;
	assert(sim->state->files[file].writable);
	int result = begin(sim);
	if (result) { /* half done */
		if (sim->state->crashed && was_alive && n)
			put(f, p, files_sim_below(sim, n), (size_t)at);
		return result;
	}
	uint64_t write = ++sim->writes;
	ssize_t some = stutter(sim, n);
	if (some < 0)
		return some;
	n = (size_t)some;
	if (sim->plan.capacity && (size_t)at + n > f->n) {
		uint64_t used = files_sim_bytes_used(sim), grow = (size_t)at + n - f->n;
		uint64_t room = used < sim->plan.capacity ? sim->plan.capacity - used : 0;
		if (grow > room && n + room <= grow)
			return sim->full++, -ENOSPC;
		if (grow > room)
			n -= (size_t)(grow - room);
	}
	if (write == sim->plan.misdirect_write)
		at += BLOCK;
	if (write != sim->plan.lose_write)
		put(f, p, n, (size_t)at);
	else if ((size_t)at + n > f->n) /* the length grew, the bytes never came */
		inode_resize(f, (size_t)at + n);
	return (ssize_t)n;
}

static int flush(struct files_sim *sim, int file)
{
	struct inode *f = opened(sim, file);
	int result = begin(sim);
	if (result)
		return result;
	if (++sim->flushes != sim->plan.flush_fails) {
		inode_flush(f);
		return 0;
	}
	sim->flushes_failed++;
	/* Some sectors are written; the kernel calls all of them clean (fsyncgate; G3). */
	for (size_t i = 0; i < sectors(f->cap); i++) {
		if (f->dirty[i] && coin(sim))
			sector_to_disk(f, i);
		f->dirty[i] = 0;
	}
	f->disk_n = f->n;
	return -EIO;
}

static int sim_fdatasync(struct files_seam *seam, int file)
{
	return flush(sim_of(seam), file);
}

static int sim_sync_directory(struct files_seam *seam, const char *directory)
{
	struct files_sim *sim = sim_of(seam);
	int result = begin(sim);
	(void)directory; /* a commit of the journal takes all of it */
	if (result == 0)
		log_replay(sim, sim->state->log.n);
	return result;
}

static int sim_truncate(struct files_seam *seam, int file, off_t length)
{
	struct files_sim *sim = sim_of(seam);
	struct inode *f = opened(sim, file);
	int result = begin(sim);
	if (result == 0)
		inode_resize(f, (size_t)length);
	return result;
}

static int64_t sim_size(struct files_seam *seam, int file)
{
	struct files_sim *sim = sim_of(seam);
	int result = begin(sim);
	return result ? result : (int64_t)opened(sim, file)->n;
}

static int sim_forget_cache(struct files_seam *seam, int file)
{
	struct files_sim *sim = sim_of(seam);
	int result = begin(sim);
	if (result == 0)
		inode_forget(opened(sim, file));
	return result;
}

/* ---- the seam: names ---- */

static int sim_rename(struct files_seam *seam, const char *from, const char *to)
{
	struct files_sim *sim = sim_of(seam);
	int result = begin(sim);
	if (result)
		return result;
	struct entry *e = find(&sim->state->now, from);
	if (e == NULL)
		return -ENOENT;
	change(sim, CHANGE_RENAME, from, to, e->inode);
	return 0;
}

static int sim_unlink(struct files_seam *seam, const char *name)
{
	struct files_sim *sim = sim_of(seam);
	int result = begin(sim);
	if (result)
		return result;
	struct entry *e = find(&sim->state->now, name);
	if (e == NULL)
		return -ENOENT;
	change(sim, CHANGE_UNLINK, name, "", e->inode);
	return 0;
}

static int sim_mkdir(struct files_seam *seam, const char *name, mode_t mode)
{
	struct files_sim *sim = sim_of(seam);
	int result = begin(sim);
	(void)mode;
	if (result)
		return result;
	if (find(&sim->state->now, name))
		return -EEXIST;
	change(sim, CHANGE_LINK, name, "", -1);
	return 0;
}

static int sim_list(struct files_seam *seam, const char *directory,
	int (*each)(void *, const char *), void *arg)
{
	struct files_sim *sim = sim_of(seam);
	int result = begin(sim);
	if (result)
		return result;
	if (strcmp(directory, ".") == 0)
		directory = "";
	if (*directory && find(&sim->state->now, directory) == NULL)
		return -ENOENT;
	size_t n = strlen(directory);
	for (size_t i = 0; i < sim->state->now.n; i++) {
		const char *name = sim->state->now.entries[i].name;
		bool below = n == 0 || (strncmp(name, directory, n) == 0 && name[n] == '/');
		name += n ? n + 1 : 0;
		if (below && strchr(name, '/') == NULL && each(arg, name) != 0)
			break;
	}
	return 0;
}

static int sim_lock(struct files_seam *seam, int file)
{
	struct files_sim *sim = sim_of(seam);
	struct descriptor *d = sim->state->files;
	int result = begin(sim);
	for (int i = 0; result == 0 && i < MOST_FILES; i++)
		if (i != file && d[i].used && d[i].locks && d[i].inode == d[file].inode)
			return -EWOULDBLOCK;
	d[file].locks |= result == 0;
	return result;
}

static int64_t sim_free_bytes(struct files_seam *seam)
{
	return sim_of(seam)->free_bytes;
}

static const char *sim_sqlite_vfs(struct files_seam *seam)
{
	(void)seam;
	return NULL;
}

static const char *sim_root(struct files_seam *seam)
{
	(void)seam;
	return "sim";
}

static const struct files_seam functions = {
	.open = sim_open,
	.open_unlinked = sim_open_unlinked,
	.close = sim_close,
	.pread = sim_pread,
	.pwrite = sim_pwrite,
	.fdatasync = sim_fdatasync,
	.fsync = sim_fdatasync,
	.sync_directory = sim_sync_directory,
	.truncate = sim_truncate,
	.size = sim_size,
	.rename = sim_rename,
	.unlink = sim_unlink,
	.mkdir = sim_mkdir,
	.list = sim_list,
	.lock = sim_lock,
	.forget_cache = sim_forget_cache,
	.free_bytes = sim_free_bytes,
	.sqlite_vfs = sim_sqlite_vfs,
	.root = sim_root,
};

/* ---- the world around it ---- */

struct files_sim *files_sim_new(uint64_t seed)
{
	struct files_sim *sim = xmalloc(sizeof(*sim));
	sim->seam = functions;
	sim->free_bytes = INT64_MAX;
	sim->state = xmalloc(sizeof(*sim->state));
	sim->state->random = seed;
	vec_init(&sim->state->log, sizeof(struct change), 100000);
	return sim;
}

void files_sim_free(struct files_sim **sim)
{
	if (*sim == NULL)
		return;
	for (int i = 0; i < MOST_INODES; i++) {
		struct inode *f = inode_of(*sim, i);
		free(f->now);
		free(f->disk);
		free(f->dirty);
	}
	vec_done(&(*sim)->state->log);
	free((*sim)->state);
	free(*sim);
	*sim = NULL;
}

void files_sim_plan(struct files_sim *sim, struct files_sim_plan plan)
{
	sim->plan = plan;
	sim->calls = sim->flushes = sim->writes = 0;
}

bool files_sim_crashed(const struct files_sim *sim)
{
	return sim->state->crashed;
}

void files_sim_kill(struct files_sim *sim)
{
	files_sim_plan(sim, (struct files_sim_plan){ .crash_at = 0 });
	sim->state->crashed = false;
	for (int i = 0; i < MOST_FILES; i++)
		if (sim->state->files[i].used)
			(void)sim_close(&sim->seam, i);
}

/* Each dirty sector, or block of them, reached the disk or did not; so did the length. */
static void inode_lose(struct files_sim *sim, struct inode *f)
{
	size_t step = coin(sim) ? 1 : BLOCK / SECTOR;
	for (size_t i = 0; i < sectors(f->cap); i += step) {
		bool written = coin(sim);
		for (size_t k = i; k < i + step && k < sectors(f->cap); k++)
			if (f->dirty[k] && written)
				sector_to_disk(f, k);
	}
	size_t n = f->disk_n;
	if (f->n > n && coin(sim))
		n = coin(sim) ? f->n : n + files_sim_below(sim, f->n - n);
	else if (f->n < n && coin(sim))
		n = f->n;
	if (f->cap > n)
		memset(f->disk + n, 0, f->cap - n);
	if (f->cap) {
		memcpy(f->now, f->disk, f->cap);
		memset(f->dirty, 0, sectors(f->cap));
	}
	f->n = f->disk_n = n;
}

void files_sim_reboot(struct files_sim *sim)
{
	struct files_sim_state *s = sim->state;
	files_sim_kill(sim);
	log_replay(sim, (size_t)files_sim_below(sim, s->log.n + 1));
	while (s->now.n)
		directory_remove(sim, &s->now, s->now.entries[0].name);
	for (size_t i = 0; i < s->durable.n; i++)
		directory_add(
			sim, &s->now, s->durable.entries[i].name, s->durable.entries[i].inode);
	for (int i = 0; i < MOST_INODES; i++)
		if (inode_of(sim, i)->used)
			inode_lose(sim, inode_of(sim, i));
}

void files_sim_settle(struct files_sim *sim)
{
	log_replay(sim, sim->state->log.n);
	for (int i = 0; i < MOST_INODES; i++) {
		inode_flush(inode_of(sim, i));
		inode_forget(inode_of(sim, i));
	}
}

const uint8_t *files_sim_bytes(struct files_sim *sim, const char *name, size_t *ret_n)
{
	struct entry *e = find(&sim->state->now, name);
	if (e == NULL || e->inode < 0)
		return NULL;
	*ret_n = inode_of(sim, e->inode)->n;
	return inode_of(sim, e->inode)->now;
}

void files_sim_damage(struct files_sim *sim, const char *name, size_t at, uint8_t flip)
{
	struct entry *e = find(&sim->state->now, name);
	assert(e && e->inode >= 0 && at < inode_of(sim, e->inode)->n);
	inode_of(sim, e->inode)->now[at] ^= flip;
	inode_of(sim, e->inode)->disk[at] ^= flip;
}

int files_sim_open_files(const struct files_sim *sim)
{
	int n = 0;
	for (int i = 0; i < MOST_FILES; i++)
		n += sim->state->files[i].used;
	return n;
}
