// SPDX-License-Identifier: Apache-2.0
/* What a power cut may leave, case by case; and damage set right. */
#include "store/files_sim_private.h"

#include "base/map.h"

#include <assert.h>
#include <stdlib.h>

enum { STEP = BLOCK / SECTOR };

/* ---- damage ---- */

const uint8_t *files_sim_bytes(struct files_sim *sim, const char *name, size_t *ret_n)
{
	struct entry *e = files_sim_find(&sim->state->now, name);
	if (e == NULL || e->inode < 0)
		return NULL;
	*ret_n = files_sim_inode(sim, e->inode)->n;
	return files_sim_inode(sim, e->inode)->now;
}

void files_sim_damage(struct files_sim *sim, const char *name, size_t at, uint8_t flip)
{
	struct entry *e = files_sim_find(&sim->state->now, name);
	assert(e && e->inode >= 0 && at < files_sim_inode(sim, e->inode)->n);
	struct inode *f = files_sim_inode(sim, e->inode);
	f->now[at] ^= flip;
	f->disk[at] ^= flip;
	f->top = at < f->top ? f->top : at + 1;
}

void files_sim_heal(struct files_sim *sim)
{
	for (int i = 0; i < MOST_INODES; i++) {
		struct inode *f = files_sim_inode(sim, i);
		if (f->good_now == NULL)
			continue;
		free(f->now);
		free(f->disk);
		f->now = f->good_now;
		f->disk = f->good_disk;
		f->good_now = f->good_disk = NULL;
	}
}

bool files_sim_is_damaged(struct files_sim *sim, const char *name, uint64_t from, uint64_t to)
{
	const struct entry *e = files_sim_find(&sim->state->now, name);
	if (e == NULL || e->inode < 0)
		return false;
	const struct inode *f = files_sim_inode(sim, e->inode);
	to = to < f->n ? to : f->n;
	return f->good_now && from < to &&
	       memcmp(f->now + from, f->good_now + from, to - from) != 0;
}

/* ---- cuts by chance ---- */

/* Of the dirty sectors of a file: which write was the first of them that was lost, and the last
 * that reached the disk; and whether some of one did, and some did not. */
struct fate {
	uint32_t lost, kept;
	bool torn;
};

static void note_fate(struct fate *fate, const struct inode *f, size_t i, bool written, bool before)
{
	uint32_t write = f->dirty[i];
	if (written)
		fate->kept = write > fate->kept ? write : fate->kept;
	else if (fate->lost == 0 || write < fate->lost)
		fate->lost = write;
	fate->torn |= i > 0 && written != before && f->dirty[i - 1] == write;
}

static void count_fate(struct files_sim *sim, const struct fate *fate, bool by_sectors)
{
	sim->hits[HIT_DELAYED] += fate->lost != 0;
	sim->hits[HIT_REORDERED] += fate->lost != 0 && fate->kept > fate->lost;
	sim->hits[by_sectors ? HIT_TORN : HIT_TORN_BLOCKS] += fate->torn;
}

void files_sim_inode_lose(struct files_sim *sim, struct inode *f)
{
	size_t step = files_sim_coin(sim) ? 1 : STEP;
	struct fate fate = { .torn = false };
	bool written = false;
	/* What it was cut by goes with its length: nothing is written there. */
	for (size_t i = 0; i < sectors(f->n); i += step) {
		bool before = written;
		written = files_sim_coin(sim);
		for (size_t k = i; k < i + step && k < sectors(f->cap); k++) {
			if (f->dirty[k])
				note_fate(&fate, f, k, written, k == i ? before : written);
			if (f->dirty[k] && written)
				files_sim_sector_to_disk(f, k);
		}
	}
	count_fate(sim, &fate, step == 1);
	size_t n = f->disk_n;
	if (f->n > n && files_sim_coin(sim))
		n = files_sim_coin(sim) ? f->n : n + files_sim_below(sim, f->n - n);
	else if (f->n < n && files_sim_coin(sim))
		n = f->n;
	files_sim_inode_cut(f, n);
}

/* ---- cuts as they are asked for ---- */

/* What a file was cut by goes with its length: nothing is written there. */
static bool block_is_dirty(const struct inode *f, size_t block)
{
	if (block * BLOCK >= f->n)
		return false;
	for (size_t k = block * STEP; k < (block + 1) * STEP && k < sectors(f->cap); k++)
		if (f->dirty[k])
			return true;
	return false;
}

static size_t blocks(const struct inode *f)
{
	return (sectors(f->cap) + STEP - 1) / STEP;
}

size_t files_sim_pending(struct files_sim *sim, size_t *ret_names)
{
	size_t n = 0;
	*ret_names = sim->state->log.n;
	for (int i = 0; i < MOST_INODES; i++) {
		const struct inode *f = files_sim_inode(sim, i);
		for (size_t k = 0; f->used && k < blocks(f); k++)
			n += block_is_dirty(f, k);
		n += f->used && f->n != f->disk_n;
	}
	return n;
}

/* A file that grew is as long as its blocks that are there, if its length is not. */
static void cut(struct inode *f, bool (*keep)(void *arg, size_t thing), void *arg, size_t *thing)
{
	size_t n = f->disk_n;
	for (size_t k = 0; k < blocks(f); k++) {
		if (!block_is_dirty(f, k) || !keep(arg, (*thing)++))
			continue;
		for (size_t s = k * STEP; s < (k + 1) * STEP && s < sectors(f->cap); s++)
			if (f->dirty[s])
				files_sim_sector_to_disk(f, s);
		size_t end = (k + 1) * BLOCK < f->n ? (k + 1) * BLOCK : f->n;
		n = end > n ? end : n;
	}
	if (f->n != f->disk_n && keep(arg, (*thing)++))
		n = f->n;
	files_sim_inode_cut(f, n);
}

void files_sim_cut(
	struct files_sim *sim, bool (*keep)(void *arg, size_t thing), void *arg, size_t names)
{
	size_t thing = 0;
	files_sim_kill(sim);
	/* In the order in which they were counted: before names that go take files with them. */
	for (int i = 0; i < MOST_INODES; i++)
		if (files_sim_inode(sim, i)->used)
			cut(files_sim_inode(sim, i), keep, arg, &thing);
	files_sim_names_cut(sim, names);
}

/* ---- copies ---- */

uint64_t files_sim_hash(struct files_sim *sim)
{
	const struct directory *d = &sim->state->now;
	uint64_t hash = 0;
	for (size_t i = 0; i < d->n; i++) {
		const struct entry *e = &d->entries[i];
		const struct inode *f = e->inode < 0 ? NULL : files_sim_inode(sim, e->inode);
		uint64_t n = f == NULL ? 0 : f->n, key[2] = { hash, n };
		hash = siphash(key, e->name, strlen(e->name));
		key[0] = hash;
		if (f && f->cap)
			hash = siphash(key, f->now, f->top < f->n ? f->top : f->n);
	}
	return hash;
}

static void *copied(const void *p, size_t n, size_t cap)
{
	void *copy = p && cap ? xmalloc(cap) : NULL;
	if (copy)
		memcpy(copy, p, n);
	return copy;
}

static void copy_inode(const struct inode *from, struct inode *to)
{
	*to = *from;
	to->opens = 0;
	size_t dirty = sectors(from->cap) * sizeof(*from->dirty);
	to->now = copied(from->now, from->top, from->cap);
	to->disk = copied(from->disk, from->top, from->cap);
	to->dirty = copied(from->dirty, dirty, dirty);
	to->good_now = copied(from->good_now, from->top, from->cap);
	to->good_disk = copied(from->good_disk, from->top, from->cap);
}

struct files_sim *files_sim_copy(struct files_sim *sim)
{
	struct files_sim *copy = files_sim_new(0);
	struct files_sim_state *from = sim->state, *to = copy->state;
	copy->free_bytes = sim->free_bytes;
	to->random = from->random;
	to->now = from->now;
	to->durable = from->durable;
	VEC_EACH (const struct change, c, &from->log)
		vec_push(&to->log, c);
	for (int i = 0; i < MOST_INODES; i++) {
		const struct inode *f = &from->inodes[i];
		if (f->used && (f->names || f->log))
			copy_inode(f, &to->inodes[i]);
	}
	return copy;
}
