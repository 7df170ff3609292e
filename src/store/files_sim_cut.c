// SPDX-License-Identifier: Apache-2.0
/* What a power cut may leave, case by case; and damage set right. */
#include "store/files_sim_private.h"

#include <stdlib.h>

enum { STEP = BLOCK / SECTOR };

/* ---- damage ---- */

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

/* ---- cuts ---- */

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

static uint8_t *copied(const uint8_t *p, size_t n)
{
	uint8_t *copy = p && n ? xmalloc(n) : NULL;
	if (copy)
		memcpy(copy, p, n);
	return copy;
}

static void copy_inode(const struct inode *from, struct inode *to)
{
	*to = *from;
	to->opens = 0;
	to->now = copied(from->now, from->cap);
	to->disk = copied(from->disk, from->cap);
	to->dirty = copied(from->dirty, sectors(from->cap));
	to->good_now = copied(from->good_now, from->cap);
	to->good_disk = copied(from->good_disk, from->cap);
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
