/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of files_sim: files_sim.c (the file system), files_sim_cut.c (what a power cut may
 * leave, case by case; damage). */
#ifndef CULVER_STORE_FILES_SIM_PRIVATE_H
#define CULVER_STORE_FILES_SIM_PRIVATE_H

#include "store/files_sim.h"

#include "base/vec.h"

enum {
	SECTOR = 512,
	BLOCK = 4096,
	MOST_INODES = 512,
	MOST_NAMES = 256,
	MOST_FILES = 256,
	NAME = 64
};

/* A file. dirty[i]: sector i of `now` has not reached `disk`; by number, which write made it so.
 * Once it was damaged, `good` is what both would be without. Up to cap, all is zeros from `top` on:
 * much of a segment is zeros ahead of what was written, and is neither copied nor compared. */
struct inode {
	bool used;
	unsigned names, opens,
		log; /* what keeps it: names now or durable, descriptors, log entries */
	uint8_t *now, *disk;
	uint32_t *dirty;
	uint8_t *good_now, *good_disk; /* NULL: it was not damaged */
	size_t n, disk_n, cap, top;
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
	uint32_t wrote; /* writes, for ever */
	struct inode inodes[MOST_INODES];
	struct directory now, durable;
	struct vec log; /* struct change: from durable to now */
	struct descriptor files[MOST_FILES];
};

struct inode *files_sim_inode(struct files_sim *, int i);
struct entry *files_sim_find(struct directory *, const char *name);
void files_sim_inode_free(struct inode *);
void files_sim_sector_to_disk(struct inode *, size_t sector);
/* Each dirty sector, or block of them, reached the disk or did not; so did the length. */
void files_sim_inode_lose(struct files_sim *, struct inode *);
/* Names and descriptors as after a power cut that left the first n changes of names. */
void files_sim_names_cut(struct files_sim *, size_t n);
/* What is in memory alone is gone, and the length is this. */
void files_sim_inode_cut(struct inode *, size_t n);

static inline void files_sim_clear(uint8_t *p, size_t from, size_t to)
{
	if (from < to)
		memset(p + from, 0, to - from);
}

static inline bool files_sim_coin(struct files_sim *sim)
{
	return files_sim_below(sim, 2);
}

static inline size_t sectors(size_t n)
{
	return (n + SECTOR - 1) / SECTOR;
}

#endif
