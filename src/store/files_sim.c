// SPDX-License-Identifier: Apache-2.0
/* A file system in memory that fails on purpose. */
#include "store/files_sim_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

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

static int failed(struct files_sim *sim, int with)
{
	sim->failed++;
	sim->hits[with == -ENOSPC ? HIT_ENOSPC : HIT_EIO]++;
	return with;
}

/* Counts a call: 0, or what it has to return instead of being done. */
static int begin(struct files_sim *sim)
{
	const struct files_sim_plan *p = &sim->plan;
	uint64_t call = ++sim->calls;
	if (sim->watch)
		sim->watch(sim->watch_arg);
	if (sim->state->crashed)
		return -EIO;
	if (p->crash_at && call >= p->crash_at) {
		sim->state->crashed = true;
		return -EIO;
	}
	if (p->fail_at && (call == p->fail_at || (p->fail_for_ever && call > p->fail_at)))
		return failed(sim, p->fail_with);
	return 0;
}

/* ---- inodes ---- */

struct inode *files_sim_inode(struct files_sim *sim, int i)
{
	return &sim->state->inodes[i];
}

static int inode_new(struct files_sim *sim)
{
	for (int i = 0; i < MOST_INODES; i++)
		if (!files_sim_inode(sim, i)->used) {
			*files_sim_inode(sim, i) = (struct inode){ .used = true };
			return i;
		}
	abort(); /* the test makes too many files */
}

void files_sim_inode_free(struct inode *f)
{
	free(f->now);
	free(f->disk);
	free(f->dirty);
	free(f->good_now);
	free(f->good_disk);
	*f = (struct inode){ .used = false };
}

static void inode_free_if_gone(struct inode *f)
{
	if (f->used && !f->names && !f->opens && !f->log)
		files_sim_inode_free(f);
}

/* Memory that nobody has touched yet costs nothing. */
static void grow(uint8_t **p, size_t top, size_t to)
{
	uint8_t *grown = xcalloc(1, to);
	if (top)
		memcpy(grown, *p, top);
	free(*p);
	*p = grown;
}

static void inode_raise(struct inode *f, size_t top)
{
	f->top = top > f->top ? top : f->top;
}

static void inode_reserve(struct inode *f, size_t n)
{
	if (n <= f->cap)
		return;
	size_t cap = f->cap ? f->cap : 64 * 1024;
	while (cap < n)
		cap *= 2;
	grow(&f->now, f->top, cap);
	grow(&f->disk, f->top, cap);
	f->dirty = xrealloc(f->dirty, sectors(cap) * sizeof(*f->dirty));
	memset(f->dirty + sectors(f->cap), 0, (sectors(cap) - sectors(f->cap)) * sizeof(*f->dirty));
	if (f->good_now) {
		grow(&f->good_now, f->top, cap);
		grow(&f->good_disk, f->top, cap);
	}
	f->cap = cap;
}

void files_sim_sector_to_disk(struct inode *f, size_t i)
{
	if (i * SECTOR >= f->top)
		return;
	memcpy(f->disk + i * SECTOR, f->now + i * SECTOR, SECTOR);
	if (f->good_now)
		memcpy(f->good_disk + i * SECTOR, f->good_now + i * SECTOR, SECTOR);
}

/* All that is dirty reaches the disk. */
static void inode_flush(struct inode *f)
{
	for (size_t i = 0; i < sectors(f->cap); i++)
		if (f->dirty[i])
			files_sim_sector_to_disk(f, i);
	if (f->cap)
		memset(f->dirty, 0, sectors(f->cap) * sizeof(*f->dirty));
	f->disk_n = f->n;
}

/* Clean pages are dropped, and so read from the disk again. */
static void inode_forget(struct inode *f)
{
	for (size_t i = 0; i < sectors(f->top); i++)
		if (!f->dirty[i]) {
			memcpy(f->now + i * SECTOR, f->disk + i * SECTOR, SECTOR);
			if (f->good_now)
				memcpy(f->good_now + i * SECTOR, f->good_disk + i * SECTOR, SECTOR);
		}
}

static void inode_resize(struct inode *f, size_t n)
{
	inode_reserve(f, n);
	if (n < f->n) {
		files_sim_clear(f->now, n, f->top);
		if (f->good_now)
			files_sim_clear(f->good_now, n, f->top);
		for (size_t i = n / SECTOR; i < sectors(f->n); i++)
			f->dirty[i] = 1;
	}
	f->n = n;
}

/* ---- names ---- */

struct entry *files_sim_find(struct directory *d, const char *name)
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
	files_sim_inode(sim, inode)->names += (unsigned)by;
	inode_free_if_gone(files_sim_inode(sim, inode));
}

static void directory_remove(struct files_sim *sim, struct directory *d, const char *name)
{
	struct entry *e = files_sim_find(d, name);
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
	sim->changes++;
	struct change c = { .kind = kind, .inode = inode };
	snprintf(c.name, NAME, "%s", name);
	snprintf(c.to, NAME, "%s", to);
	if (inode >= 0)
		files_sim_inode(sim, inode)->log++;
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
		files_sim_inode(sim, c->inode)->log--;
		inode_free_if_gone(files_sim_inode(sim, c->inode));
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
			files_sim_inode(sim, inode)->opens++;
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
	struct entry *e = files_sim_find(&sim->state->now, name);
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
		inode_resize(files_sim_inode(sim, inode), 0);
	return descriptor_new(sim, inode, flags);
}

static int sim_open_unlinked(struct files_seam *seam, const char *directory)
{
	struct files_sim *sim = sim_of(seam);
	int result = begin(sim);
	if (result)
		return result;
	if (*directory && files_sim_find(&sim->state->now, directory) == NULL)
		return -ENOENT;
	return descriptor_new(sim, inode_new(sim), O_RDWR);
}

static struct inode *opened(struct files_sim *sim, int file)
{
	assert(file >= 0 && file < MOST_FILES && sim->state->files[file].used);
	return files_sim_inode(sim, sim->state->files[file].inode);
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
	if (!sim->plan.stutter || n == 0 || files_sim_coin(sim))
		return (ssize_t)n;
	if (files_sim_coin(sim))
		return sim->hits[HIT_EINTR]++, -EINTR;
	sim->hits[HIT_SHORT]++;
	return (ssize_t)(1 + files_sim_below(sim, n));
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
		n += files_sim_inode(sim, i)->n;
	return n;
}

static void soil(struct files_sim *sim, struct inode *f, size_t at, size_t n)
{
	for (size_t i = at / SECTOR; n && i < sectors(at + n); i++)
		f->dirty[i] = sim->state->wrote;
}

static void put(struct files_sim *sim, struct inode *f, const void *p, size_t n, size_t at)
{
	size_t some = n;
	inode_reserve(f, at + n);
	while (some && ((const uint8_t *)p)[some - 1] == 0)
		some--;
	if (some)
		inode_raise(f, at + some);
	some = f->top > at ? f->top - at : 0;
	some = some < n ? some : n;
	memcpy(f->now + at, p, some);
	if (f->good_now)
		memcpy(f->good_now + at, p, some);
	sim->state->wrote++;
	soil(sim, f, at, n);
	if (at + n > f->n)
		f->n = at + n;
}

static bool is_to_be_damaged(struct files_sim *sim, int file)
{
	const struct directory *d = &sim->state->now;
	const char *where = sim->plan.damage_where;
	if (where == NULL)
		return false;
	for (size_t i = 0; i < d->n; i++)
		if (d->entries[i].inode == sim->state->files[file].inode)
			return strncmp(d->entries[i].name, where, strlen(where)) == 0;
	return false;
}

/* What was written right is damaged in one of three ways, and what it would be is kept beside it.
 */
static void damage(struct files_sim *sim, struct inode *f, size_t n, size_t at)
{
	sim->damaged++;
	sim->hits[HIT_FLIPPED + (int)sim->plan.damage]++;
	sim->damaged_bytes += n;
	if (f->good_now == NULL) {
		f->good_now = xmalloc(f->cap);
		f->good_disk = xmalloc(f->cap);
		memcpy(f->good_now, f->now, f->top);
		memcpy(f->good_disk, f->disk, f->top);
	}
	inode_raise(f, at + n + BLOCK < f->n ? at + n + BLOCK : f->n);
	uint8_t *now = f->now + at;
	if (sim->plan.damage == DAMAGE_FLIP) {
		now[files_sim_below(sim, n)] ^= (uint8_t)(1U << files_sim_below(sim, 8));
		return;
	}
	/* It is where it was not meant to be, as far as the file reaches; and not where it was. */
	if (sim->plan.damage == DAMAGE_MISDIRECT && at + BLOCK < f->n) {
		size_t fits = n < f->n - at - BLOCK ? n : f->n - at - BLOCK;
		memmove(now + BLOCK, now, fits);
		soil(sim, f, at + BLOCK, fits);
		n = n < BLOCK ? n : BLOCK;
	}
	memcpy(now, f->disk + at, n); /* what stood there before, when it was flushed */
}

size_t files_sim_whole_sectors(size_t at, size_t n)
{
	size_t end = (at + n) / SECTOR * SECTOR;
	return end > at ? end - at : 0;
}

static uint64_t room_left(struct files_sim *sim)
{
	uint64_t used = files_sim_bytes_used(sim);
	return used < sim->plan.capacity ? sim->plan.capacity - used : 0;
}

static ssize_t sim_pwrite(struct files_seam *seam, int file, const void *p, size_t n, off_t at)
{
	struct files_sim *sim = sim_of(seam);
	struct inode *f = opened(sim, file);
	bool was_alive = !sim->state->crashed;
	assert(sim->state->files[file].writable);
	int result = begin(sim);
	if (result) { /* half done */
		size_t some = sim->state->crashed && was_alive && n ? files_sim_below(sim, n) : 0;
		size_t whole = files_sim_whole_sectors((size_t)at, some);
		if (whole)
			put(sim, f, p, whole, (size_t)at);
		return result;
	}
	uint64_t write = ++sim->writes;
	ssize_t some = stutter(sim, n);
	if (some < 0)
		return some;
	n = (size_t)some;
	if (sim->plan.capacity && (size_t)at + n > f->n) {
		uint64_t room = room_left(sim), grow = (size_t)at + n - f->n;
		if (grow > room && n + room <= grow)
			return sim->full++, sim->hits[HIT_ENOSPC]++, -ENOSPC;
		if (grow > room)
			n -= (size_t)(grow - room);
	}
	if (write == sim->plan.misdirect_write)
		at += BLOCK;
	if (write == sim->plan.lose_write && (size_t)at + n > f->n)
		inode_resize(f, (size_t)at + n); /* the length grew, the bytes never came */
	else if (write != sim->plan.lose_write)
		put(sim, f, p, n, (size_t)at);
	sim->changes++;
	if (n && is_to_be_damaged(sim, file) && ++sim->damage_writes == sim->plan.damage_write)
		damage(sim, f, n, (size_t)at);
	return (ssize_t)n;
}

static int flush(struct files_sim *sim, int file)
{
	struct inode *f = opened(sim, file);
	int result = begin(sim);
	if (result)
		return result;
	sim->changes++;
	if (++sim->flushes != sim->plan.flush_fails) {
		inode_flush(f);
		return 0;
	}
	sim->flushes_failed++;
	sim->hits[HIT_EIO]++;
	/* Some sectors are written; the kernel calls all of them clean (fsyncgate; G3). */
	for (size_t i = 0; i < sectors(f->cap); i++) {
		if (f->dirty[i] && files_sim_coin(sim))
			files_sim_sector_to_disk(f, i);
		f->dirty[i] = 0;
	}
	f->disk_n = f->n;
	return -EIO;
}

/* What of it has reached the disk is up to the power cut. */
static int sim_start_flush(struct files_seam *seam, int file, off_t at, off_t n)
{
	(void)file;
	(void)at;
	(void)n;
	return begin(sim_of(seam));
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
	sim->changes++;
	if (result == 0)
		log_replay(sim, sim->state->log.n);
	return result;
}

static int sim_truncate(struct files_seam *seam, int file, off_t length)
{
	struct files_sim *sim = sim_of(seam);
	struct inode *f = opened(sim, file);
	int result = begin(sim);
	sim->changes++;
	if (result == 0)
		inode_resize(f, (size_t)length);
	return result;
}

static int sim_lengthen(struct files_seam *seam, int file, off_t end, off_t n)
{
	struct files_sim *sim = sim_of(seam);
	struct inode *f = opened(sim, file);
	int result = begin(sim);
	if (result)
		return result;
	if (sim->plan.capacity && room_left(sim) < (uint64_t)n)
		return sim->full++, sim->hits[HIT_ENOSPC]++, -ENOSPC;
	sim->changes++;
	inode_resize(f, (size_t)(end + n));
	return 0;
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
	struct entry *e = files_sim_find(&sim->state->now, from);
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
	struct entry *e = files_sim_find(&sim->state->now, name);
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
	if (files_sim_find(&sim->state->now, name))
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
	if (*directory && files_sim_find(&sim->state->now, directory) == NULL)
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
	.start_flush = sim_start_flush,
	.fdatasync = sim_fdatasync,
	.fsync = sim_fdatasync,
	.sync_directory = sim_sync_directory,
	.truncate = sim_truncate,
	.lengthen = sim_lengthen,
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
	for (int i = 0; i < MOST_INODES; i++)
		files_sim_inode_free(files_sim_inode(*sim, i));
	vec_done(&(*sim)->state->log);
	free((*sim)->state);
	free(*sim);
	*sim = NULL;
}

void files_sim_plan(struct files_sim *sim, struct files_sim_plan plan)
{
	sim->plan = plan;
	sim->calls = sim->flushes = sim->writes = sim->damage_writes = 0;
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

void files_sim_inode_cut(struct inode *f, size_t n)
{
	files_sim_clear(f->disk, n, f->top);
	if (f->cap) {
		memcpy(f->now, f->disk, f->top);
		memset(f->dirty, 0, sectors(f->cap) * sizeof(*f->dirty));
	}
	if (f->good_now) {
		files_sim_clear(f->good_disk, n, f->top);
		memcpy(f->good_now, f->good_disk, f->top);
	}
	f->n = f->disk_n = n;
}

void files_sim_names_cut(struct files_sim *sim, size_t n)
{
	struct files_sim_state *s = sim->state;
	log_replay(sim, n);
	while (s->now.n)
		directory_remove(sim, &s->now, s->now.entries[0].name);
	for (size_t i = 0; i < s->durable.n; i++)
		directory_add(
			sim, &s->now, s->durable.entries[i].name, s->durable.entries[i].inode);
}

void files_sim_reboot(struct files_sim *sim)
{
	files_sim_kill(sim);
	files_sim_names_cut(sim, (size_t)files_sim_below(sim, sim->state->log.n + 1));
	for (int i = 0; i < MOST_INODES; i++)
		if (files_sim_inode(sim, i)->used)
			files_sim_inode_lose(sim, files_sim_inode(sim, i));
}

void files_sim_settle(struct files_sim *sim)
{
	log_replay(sim, sim->state->log.n);
	for (int i = 0; i < MOST_INODES; i++) {
		inode_flush(files_sim_inode(sim, i));
		inode_forget(files_sim_inode(sim, i));
	}
}

int files_sim_open_files(const struct files_sim *sim)
{
	int n = 0;
	for (int i = 0; i < MOST_FILES; i++)
		n += sim->state->files[i].used;
	return n;
}
