// SPDX-License-Identifier: Apache-2.0
/*
 * Whether the ledger's log was damaged, or only ends where the power went.
 *
 * To SQLite both are the same: it reads frames as long as each one's checksum, which goes over all
 * before it, is right, and takes the rest for what was never finished. But a commit is flushed
 * before anything is written behind it. So a frame that is chained to the end of a commit proves
 * that this commit, and all before it, was on the disk once; and where one does not verify that
 * stands before such a pair, what was acknowledged is gone. The two are judged by the checksum that
 * the frame before them holds, not by the chain that is broken.
 *
 * Frames that a transaction left when it was rolled back or a write of it failed, or that a power
 * cut left of the last commit, may stand behind the end, but are no proof: nothing was ever written
 * behind them as behind a commit. So of the last commit and the one before it nothing can be said.
 *
 * https://www.sqlite.org/fileformat2.html, 4.1 and 4.2
 */
#include "store/log_damage.h"

#include "base/mem.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "store/disk.h"

enum {
	HEADER_BYTES = 32,
	HEADER_SALTS = 16,
	HEADER_SUM = 24,
	VERSION = 3007000,
	PAGE = 4096,
	FRAME_HEADER = 24,
	FRAME_SALTS = 8,
	FRAME_SUM = 16,
	SALTS = 8,
	FRAME = FRAME_HEADER + PAGE,
	AT_ONCE = 32,
};
#define MAGIC 0x377f0682U /* and 1: its checksums are of big-endian words */

struct sum {
	uint32_t a, b;
};

/* All frames, one after the other. */
struct walk {
	bool big;
	bool any_round; /* there is no header that says which counts */
	bool whole;     /* each one so far verifies, from the header on */
	bool commit;    /* behind the damage: the one before verifies and ends a transaction */
	uint8_t salts[SALTS];
	struct sum before; /* what the one before says that the sum is */
	struct log_damage found;
};

static uint32_t word(const uint8_t *p, bool big)
{
	uint32_t w;
	memcpy(&w, p, sizeof(w));
	return big ? be32toh(w) : le32toh(w);
}

static struct sum sum_on(struct sum s, bool big, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i += 8) {
		s.a += word(p + i, big) + s.b;
		s.b += word(p + i + 4, big) + s.a;
	}
	return s;
}

static struct sum sum_at(const uint8_t *p)
{
	return (struct sum){ word(p, true), word(p + 4, true) };
}

static bool is_sum(struct sum s, const uint8_t *p)
{
	struct sum there = sum_at(p);
	return s.a == there.a && s.b == there.b;
}

static bool header_is_good(const uint8_t *p)
{
	bool big = p[3] & 1;
	return (word(p, true) & ~1U) == MAGIC && word(p + 4, true) == VERSION &&
	       word(p + 8, true) == PAGE &&
	       is_sum(sum_on((struct sum){ 0 }, big, p, HEADER_SUM), p + HEADER_SUM);
}

/* The header is flushed before the first frame is written. So frames whose header is not there,
 * whatever their round, or is still that of the round before (its first salt is one less), have
 * lost it. */
static void walk_begin(struct walk *w, const uint8_t *header, const uint8_t *first)
{
	const uint8_t *salts = header + HEADER_SALTS;
	bool good = header_is_good(header);
	bool big = good ? header[3] & 1 : __BYTE_ORDER == __BIG_ENDIAN;
	*w = (struct walk){ .big = big, .before = sum_at(header + HEADER_SUM) };
	w->any_round = !good;
	w->whole = good && word(first + FRAME_SALTS, true) != word(salts, true) + 1;
	memcpy(w->salts, w->whole ? salts : first + FRAME_SALTS, SALTS);
	w->found.end = w->whole ? HEADER_BYTES : 0;
}

static bool verifies(const struct walk *w, const uint8_t *frame)
{
	if (memcmp(frame + FRAME_SALTS, w->salts, SALTS) != 0 || word(frame, true) == 0)
		return false;
	struct sum s = sum_on(w->before, w->big, frame, FRAME_SALTS);
	return is_sum(sum_on(s, w->big, frame + FRAME_HEADER, PAGE), frame + FRAME_SUM);
}

/* True: it proves damage. */
static bool walk_frame(struct walk *w, const uint8_t *frame, int64_t at)
{
	bool good = verifies(w, frame), commit = good && word(frame + 4, true) != 0;
	w->before = sum_at(frame + FRAME_SUM);
	if (w->any_round)
		memcpy(w->salts, frame + FRAME_SALTS, SALTS);
	if (w->whole && good) {
		w->found.end = commit ? at + FRAME : w->found.end;
		return false;
	}
	if (w->whole)
		w->found.at = at;
	w->whole = false;
	bool proof = good && w->commit;
	w->commit = commit;
	return proof;
}

/* 1: damaged, 0: not, or what a read has failed with. */
static int walk(struct files_seam *files, int file, int64_t size, uint8_t *p, struct walk *w)
{
	uint8_t header[HEADER_BYTES];
	int64_t at = HEADER_BYTES;
	if (size - at < FRAME)
		return 0;
	int result = files_pread_all(files, file, header, sizeof(header), 0);
	while (result == 0 && size - at >= FRAME) {
		int64_t n = (size - at) / FRAME < AT_ONCE ? (size - at) / FRAME : AT_ONCE;
		result = files_pread_all(files, file, p, (size_t)n * FRAME, at);
		if (result == 0 && at == HEADER_BYTES)
			walk_begin(w, header, p);
		for (int64_t i = 0; i < n && result == 0; i++, at += FRAME)
			result = walk_frame(w, p + i * FRAME, at);
	}
	return result;
}

int log_damage(struct files_seam *files, const char *name, struct log_damage *ret, struct err *err)
{
	struct walk w = { .found = { 0 } };
	int file = files->open(files, name, O_RDONLY, 0);
	if (file == -ENOENT)
		return 0;
	if (file < 0)
		return FAIL_SEAM(err, file, "can't read %s", name);
	int64_t size = files->size(files, file);
	uint8_t *p = xmalloc((size_t)AT_ONCE * FRAME);
	int result = size < 0 ? (int)size : walk(files, file, size, p, &w);
	free(p);
	(void)files->close(files, file);
	if (result < 0)
		return FAIL_SEAM(err, result, "can't read %s", name);
	*ret = w.found;
	return result;
}
