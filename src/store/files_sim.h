/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file system in memory that fails on purpose, for tests and simulations (nothing else links it).
 * What was written and what was flushed are kept apart, by sectors of 512 bytes and by a log of the
 * changes of names. Everything that happens by chance follows from the seed.
 *
 *     struct files_sim *sim = files_sim_new(seed);
 *     sim->plan.crash_at = 17;                    the 17th call from now on does not come back
 *     … run the code under test over &sim->seam until files_sim_crashed(sim) …
 *     files_sim_reboot(sim);                      power is back: unflushed sectors are lost or torn
 *     … open again, compare with what was promised …
 *
 * A loss on reboot is by sectors or by blocks of 4 KiB, as the seed has it; changes of names that
 * were not flushed survive as a prefix of their log. One thread.
 */
#ifndef CULVER_STORE_FILES_SIM_H
#define CULVER_STORE_FILES_SIM_H

#include "base/seams.h"

/* What is to go wrong. Calls are counted from files_sim_new or files_sim_plan on, from 1; 0: never.
 */
struct files_sim_plan {
	uint64_t crash_at;        /* this call and all that follow fail; a write is half done */
	uint64_t fail_at;         /* this call returns fail_with */
	int fail_with;            /* -EIO, -ENOSPC, -EROFS, … */
	bool fail_for_ever;       /* and all that follow too */
	uint64_t flush_fails;     /* this flush (fsync, fdatasync) fails with -EIO: some sectors are
				   * written, all are called clean, later flushes say 0 */
	uint64_t lose_write;      /* this write says it is done and is not */
	uint64_t misdirect_write; /* this write lands one block behind its place */
	bool stutter;      /* reads and writes return short counts and -EINTR half of the time */
	uint64_t capacity; /* bytes of all files; beyond: -ENOSPC. 0: endless */
	const char *damage_where; /* of the writes to files whose names begin so, */
	uint64_t damage_write;    /* this one comes to harm */
	enum { DAMAGE_FLIP, DAMAGE_LOSE, DAMAGE_MISDIRECT } damage; /* so */
};

/* What has gone wrong, to be counted. Of a power cut: each file that was left so. */
enum files_sim_hit {
	HIT_EIO,
	HIT_ENOSPC,
	HIT_SHORT,
	HIT_EINTR,
	HIT_TORN,        /* a write of which some sectors reached the disk */
	HIT_TORN_BLOCKS, /* or some blocks of 4 KiB */
	HIT_REORDERED,   /* one reached it and an earlier one did not */
	HIT_DELAYED,     /* one had not reached it yet */
	HIT_FLIPPED,     /* in the order of plan.damage */
	HIT_LOST,
	HIT_MISDIRECTED,
	FILES_SIM_HITS
};

struct files_sim {
	struct files_seam seam;
	struct files_sim_plan plan;
	uint64_t calls, flushes, writes, damage_writes; /* so far, under this plan */
	uint64_t failed, full, flushes_failed; /* how often the plan has struck, of all plans */
	uint64_t hits[FILES_SIM_HITS];         /* and in which way */
	uint64_t damaged, damaged_bytes; /* writes that came to harm, and all of their bytes */
	uint64_t changes;                /* of anything that a power cut may leave */
	void (*watch)(void *arg);        /* before each call; NULL: nobody looks */
	void *watch_arg;
	int64_t free_bytes; /* what free_bytes() says */
	struct files_sim_state *state;
};

struct files_sim *files_sim_new(uint64_t seed);
void files_sim_free(struct files_sim **sim);
/* Sets the plan and counts from 1 again. */
void files_sim_plan(struct files_sim *sim, struct files_sim_plan plan);
bool files_sim_crashed(const struct files_sim *sim);
/* Power was cut and is back: descriptors are closed, what was not flushed is lost by chance. The
 * plan is empty. */
void files_sim_reboot(struct files_sim *sim);
/* Only the process died: descriptors are closed, nothing is lost. The plan is empty. */
void files_sim_kill(struct files_sim *sim);
/* Everything unflushed reaches the disk, or (clean pages) is read from it again. */
void files_sim_settle(struct files_sim *sim);
/* The bytes of a file as a reader sees them, to look at or to damage: a change is on disk at once
 * with files_sim_damage. NULL: no such file. */
const uint8_t *files_sim_bytes(struct files_sim *sim, const char *name, size_t *ret_n);
void files_sim_damage(struct files_sim *sim, const char *name, size_t at, uint8_t flip);
/* As if no write had come to harm by plan.damage_write. */
void files_sim_heal(struct files_sim *sim);
/* Whether a file is other than it was written, in those bytes. */
bool files_sim_is_damaged(struct files_sim *sim, const char *name, uint64_t from, uint64_t to);

/* What a power cut may leave, case by case. The things that are not on the disk: blocks of 4 KiB
 * that were written, lengths that have changed; and changes of names, of which a number survives.
 */
size_t files_sim_pending(struct files_sim *sim, size_t *ret_names);
/* Another with the same files, which nobody has open. */
struct files_sim *files_sim_copy(struct files_sim *sim);
/* Power was cut: of the pending things, those are left that keep() says, and so many names. */
void files_sim_cut(
	struct files_sim *sim, bool (*keep)(void *arg, size_t thing), void *arg, size_t names);
/* Of the names and bytes of all files, as they are seen now: one that is the same means that they
 * are. */
uint64_t files_sim_hash(struct files_sim *sim);
/* The bytes of all files, as plan.capacity counts them. */
uint64_t files_sim_bytes_used(struct files_sim *sim);
/* Of a write at that place that ended after n bytes what is there: no sector is written in part,
 * and then neither is a log's header of 32 bytes. */
size_t files_sim_whole_sectors(size_t at, size_t n);
/* How many descriptors are open. */
int files_sim_open_files(const struct files_sim *sim);
/* A random number below n from the sim's seed. */
uint64_t files_sim_below(struct files_sim *sim, uint64_t n);

#endif
