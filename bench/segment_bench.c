// SPDX-License-Identifier: Apache-2.0
/*
 * How fast bodies get to the disk: spool, append and flush, without ledger and protocol.
 *
 *     segment_bench [directory] [seconds]
 *
 * Prints, for several sizes of message and of batch: messages a second, MB a second, CPU a message
 * (of which in spooling and in appending), and the median and 99th percentile of a flush. Bodies do
 * not compress, or (text) do. At the end random and sequential reads of what was written.
 */
#include "base/seams.h"
#include "store/segment.h"
#include "store/spool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define MOST_FLUSHES 200000

struct bench {
	struct files_seam *files;
	struct segments *s;
	struct spooler *spooler;
	double seconds;
	char *random, *text; /* 4 MiB of each */
	struct blob_ref *refs;
	size_t n_refs;
	double *flush_us;
};

static const struct bench_case {
	const char *name;
	size_t bytes, batch;
	bool text;
} cases[] = {
	{ "10 KiB, 1 a flush", 10240, 1, false },
	{ "10 KiB, 4 a flush", 10240, 4, false },
	{ "10 KiB, 16 a flush", 10240, 16, false },
	{ "10 KiB, 64 a flush", 10240, 64, false },
	{ "10 KiB text, 64 a flush", 10240, 64, true },
	{ "2 KiB, 64 a flush", 2048, 64, false },
	{ "100 KiB, 16 a flush", 102400, 16, false },
	{ "1 MiB, 4 a flush", 1 << 20, 4, false },
	{ "1 MiB text, 4 a flush", 1 << 20, 4, true },
};

static double now_s(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what, const struct err *err)
{
	fprintf(stderr, "%s: %s\n", what, err_log_text(err));
	exit(1);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static void spool_one(struct bench *b, const struct bench_case *c, struct spool **ret)
{
	struct err err = ERR_INIT;
	size_t at = (size_t)lrand48() % ((4U << 20) - c->bytes + 1);
	struct str bytes = str_make((c->text ? b->text : b->random) + at, c->bytes);
	*ret = spool_new(b->spooler, LIMIT_BODY_BYTES);
	while (bytes.n) { /* as frames bring them */
		struct str part = str_sub(bytes, 0, 65000);
		if (spool_add(*ret, part, &err) < 0)
			die("spool", &err);
		bytes = str_from_offset(bytes, part.n);
	}
	if (spool_finish(*ret, &err) < 0)
		die("spool", &err);
}

/* One batch: its spools, their records, one flush. */
static void one_batch(struct bench *b, const struct bench_case *c, double cpu[3], double *flush_us)
{
	struct spool *spools[64];
	struct err err = ERR_INIT;
	static const char prefix[300] = "Return-Path: <a@example.test>\r\n";
	struct record_recipient to = { 1, 2, 3, { prefix, sizeof(prefix) } };
	double t0 = now_s(CLOCK_PROCESS_CPUTIME_ID);
	for (size_t i = 0; i < c->batch; i++)
		spool_one(b, c, &spools[i]);
	double t1 = now_s(CLOCK_PROCESS_CPUTIME_ID);
	b->n_refs = 0;
	for (size_t i = 0; i < c->batch; i++) {
		if (segments_append(b->s, spools[i], &to, 1, &b->refs[b->n_refs++], NULL, &err) < 0)
			die("append", &err);
		spool_free(&spools[i]);
	}
	double t2 = now_s(CLOCK_PROCESS_CPUTIME_ID), wall = now_s(CLOCK_MONOTONIC);
	if (segments_flush(b->s, &err) < 0)
		die("flush", &err);
	*flush_us = (now_s(CLOCK_MONOTONIC) - wall) * 1e6;
	cpu[0] += t1 - t0;
	cpu[1] += t2 - t1;
	cpu[2] += now_s(CLOCK_PROCESS_CPUTIME_ID) - t2;
}

static void run(struct bench *b, const struct bench_case *c)
{
	double cpu[3] = { 0 }, start = now_s(CLOCK_MONOTONIC), wall;
	size_t flushes = 0;
	do {
		one_batch(b, c, cpu, &b->flush_us[flushes++]);
		wall = now_s(CLOCK_MONOTONIC) - start;
	} while (wall < b->seconds && flushes < MOST_FLUSHES);
	double n = (double)(flushes * c->batch);
	qsort(b->flush_us, flushes, sizeof(double), by_value);
	printf("%-26s %8.0f/s %7.1f MB/s  CPU us %6.1f = spool %6.1f append %5.1f flush %6.1f"
	       "  flush us p50 %6.0f p99 %6.0f\n",
		c->name, n / wall, n * (double)c->bytes / wall / 1e6,
		(cpu[0] + cpu[1] + cpu[2]) / n * 1e6, cpu[0] / n * 1e6, cpu[1] / n * 1e6,
		cpu[2] / n * 1e6, b->flush_us[flushes / 2], b->flush_us[flushes * 99 / 100]);
	fflush(stdout);
}

static void read_back(struct bench *b)
{
	enum { N = 4096 };
	static const struct bench_case small = { "", 10240, 64, false };
	struct blob_ref *refs = xcalloc(N, sizeof(*refs));
	double cpu[3], us;
	for (size_t n = 0; n < N; n += 64) {
		one_batch(b, &small, cpu, &us);
		memcpy(refs + n, b->refs, 64 * sizeof(*refs));
	}
	struct segment_reader *r = segment_reader_new(b->s);
	struct err err = ERR_INIT;
	char p[10240];
	for (int random = 0; random < 2; random++) {
		double start = now_s(CLOCK_MONOTONIC);
		for (size_t i = 0; i < 10 * N; i++) {
			size_t k = random ? (size_t)lrand48() % N : i % N;
			if (segment_read(r, &refs[k], 0, p, sizeof(p), &err) != sizeof(p))
				die("read", &err);
		}
		double wall = now_s(CLOCK_MONOTONIC) - start;
		printf("read 10 KiB, %-13s %8.0f/s %7.1f MB/s\n", random ? "anywhere" : "in order",
			10 * N / wall, 10 * N * 10240 / wall / 1e6);
	}
	segment_reader_free(&r);
	free(refs);
}

static void fill(struct bench *b)
{
	static const char *const words[] = { "the ", "mail ", "of ", "a ", "quick ", "message ",
		"from ", "and ", "to\r\n", "with ", "delivery ", "is ", "store " };
	b->random = xmalloc(4 << 20);
	b->text = xmalloc(4 << 20);
	random_os()->fill(random_os(), b->random, 4 << 20);
	for (size_t n = 0; n < 4 << 20;) {
		const char *word = words[(size_t)lrand48() % ARRAY_LEN(words)];
		for (size_t i = 0; word[i] && n < 4 << 20; i++)
			b->text[n++] = word[i];
	}
}

static int unlink_one(void *arg, const char *name)
{
	struct files_seam *files = arg;
	char path[64];
	snprintf(path, sizeof(path), "blobs/%s", name);
	return files->unlink(files, path) < 0;
}

int main(int argc, char **argv)
{
	char made[] = "/var/tmp/culver-bench-XXXXXX";
	const char *directory = argc > 1 ? argv[1] : mkdtemp(made);
	struct err err = ERR_INIT;
	struct segments_report report;
	struct bench b = { .seconds = argc > 2 ? strtod(argv[2], NULL) : 2 };
	b.files = directory ? files_os_new(directory, &err) : NULL;
	if (b.files == NULL)
		die("directory", &err);
	struct segments_options options = { .files = b.files, .store_id = "segment_bench..." };
	b.s = segments_open(&options, &report, &err);
	if (b.s == NULL)
		die("open", &err);
	b.spooler = spooler_new(b.files);
	b.refs = xcalloc(64, sizeof(*b.refs));
	b.flush_us = xcalloc(MOST_FLUSHES, sizeof(*b.flush_us));
	fill(&b);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		run(&b, &cases[i]);
	read_back(&b);
	segments_close(&b.s);
	spooler_free(&b.spooler);
	(void)b.files->list(b.files, "blobs", unlink_one, b.files);
	char blobs[4200];
	snprintf(blobs, sizeof(blobs), "%s/blobs", directory);
	(void)rmdir(blobs);
	if (directory == made)
		(void)rmdir(made);
	files_os_free(&b.files);
	free(b.refs);
	free(b.flush_us);
	free(b.random);
	free(b.text);
	return 0;
}
