// SPDX-License-Identifier: Apache-2.0
/*
 * A segment that was written well and then damaged as the input says: three bytes each, where and
 * what to flip; the first byte chooses how it is opened, the second how long the file is left.
 * Properties: every record that the walk calls whole is one that was put; opening cleans all that
 * no row names, so the walk after it finds nothing; opening again changes nothing more.
 */
#include "base/fuzz.h"
#include "store/files_sim.h"
#include "store/little.h"
#include "store/segment_private.h"
#include "store/spool.h"

#include <stdlib.h>

enum { RECORDS = 6, SEGMENT_FUZZ_AHEAD = 16 * SEGMENT_BLOCK };
static const size_t lengths[RECORDS] = { 0, 10, 600, 3000, 70000, 1 };

struct found {
	struct blob_ref refs[RECORDS];
	unsigned n;
};

static void body_of(size_t number, size_t n, char *p)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)(number * 31 + i * i / 7);
}

/* Puts the records, in three batches. Returns the end of the file. */
static void put_records(struct segments *s, struct files_sim *sim, struct found *f)
{
	struct spooler *spooler = spooler_new(&sim->seam);
	static char bytes[70000];
	for (size_t i = 0; i < RECORDS; i++) {
		struct spool *spool = spool_new(spooler, sizeof(bytes));
		struct record_recipient to = { i, i, 0, STR_INIT("Delivered-To: x\r\n") };
		body_of(i, lengths[i], bytes);
		FUZZ_CHECK(spool_add(spool, str_make(bytes, lengths[i]), NULL) == 0);
		FUZZ_CHECK(spool_finish(spool, NULL) == 0);
		FUZZ_CHECK(segments_append(s, spool, &to, 1, &f->refs[i], NULL, NULL) == 0);
		spool_free(&spool);
		if (i % 2)
			FUZZ_CHECK(segments_flush(s, NULL) == 0);
	}
	spooler_free(&spooler);
}

static int on_record(void *arg, const struct segment_record *record)
{
	struct found *f = arg;
	size_t i = record->recipients[0].account;
	FUZZ_CHECK(record->n_recipients == 1 && i < RECORDS && record->raw_length == lengths[i]);
	FUZZ_CHECK(record->ref.id == f->refs[i].id && record->ref.offset == f->refs[i].offset);
	f->n++;
	return 0;
}

static struct segment_walk walk(struct segments *s, struct found *f)
{
	struct segment_walk w = { .record = on_record, .arg = f, .bodies = true };
	f->n = 0;
	FUZZ_CHECK(segments_walk(s, &w, NULL) == 0);
	FUZZ_CHECK(w.n_records == f->n);
	return w;
}

/* What is read by a ref is right or refused. */
static void read_all(struct segments *s, const struct found *f)
{
	static char want[70000], got[70000];
	struct segment_reader *r = segment_reader_new(s);
	for (size_t i = 0; i < RECORDS; i++) {
		ssize_t n = segment_read(r, &f->refs[i], 0, got, sizeof(got), NULL);
		body_of(i, lengths[i], want);
		FUZZ_CHECK(n < 0 || ((size_t)n == lengths[i] && memcmp(want, got, (size_t)n) == 0));
	}
	segment_reader_free(&r);
}

static void damage(struct files_sim *sim, const uint8_t *data, size_t size)
{
	size_t n;
	(void)files_sim_bytes(sim, "blobs/00000001", &n);
	if (data[1] && data[1] < 128) {
		int file = sim->seam.open(&sim->seam, "blobs/00000001", O_RDWR, 0);
		n = SEGMENT_HEADER_BYTES + data[1] * 1000U;
		sim->seam.truncate(&sim->seam, file, (off_t)n);
		sim->seam.close(&sim->seam, file);
	}
	for (size_t i = 2; i + 3 <= size; i += 3) {
		size_t at = SEGMENT_HEADER_BYTES + get_u16(data + i) * 2U;
		if (at < n)
			files_sim_damage(sim, "blobs/00000001", at, data[i + 2]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	struct files_sim *sim = files_sim_new(1);
	/* As little longer as makes a difference: MiBs of zeros each time are slow to scan. */
	struct segments_options options = { .files = &sim->seam,
		.store_id = "a fuzzed store..",
		.ahead_bytes = SEGMENT_FUZZ_AHEAD };
	struct segments_report report;
	struct found found = { .n = 0 };
	struct segments *s = segments_open(&options, &report, NULL);
	FUZZ_CHECK(s != NULL);
	put_records(s, sim, &found);
	FUZZ_CHECK(walk(s, &found).n_findings == 0 && found.n == RECORDS);
	segments_close(&s);
	files_sim_settle(sim);
	damage(sim, data, size);
	options.distrust = data[0] & 1;
	options.keep_all = data[0] & 2;
	if (data[0] & 4)
		options.committed = (struct segment_end){ 1, found.refs[2].offset };
	s = segments_open(&options, &report, NULL);
	FUZZ_CHECK(s != NULL && !report.read_only);
	struct segment_walk first = walk(s, &found);
	if (!options.keep_all && options.committed.segment == 0)
		FUZZ_CHECK(first.n_findings == 0);
	read_all(s, &found);
	segments_close(&s);
	options.distrust = false;
	s = segments_open(&options, &report, NULL);
	FUZZ_CHECK(s != NULL);
	struct segment_walk second = walk(s, &found);
	FUZZ_CHECK(first.n_records == second.n_records && first.n_findings == second.n_findings);
	segments_close(&s);
	files_sim_free(&sim);
	return 0;
}
