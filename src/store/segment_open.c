// SPDX-License-Identifier: Apache-2.0
/*
 * Opening: what a crash, a torn write or a failed flush left in the last segment.
 *
 * All segments but the last were flushed before the next was made. In the last, whatever the ledger
 * names is flushed, or is carried by the ledger and written again here; behind it may stand whole
 * records (orphans: kept), torn ones (zeroed, or cut off at the end) and zeros (the file was made
 * longer). After something torn the segment is sealed, so that a place in a segment, and with it a
 * blob id, is never used twice.
 *
 * After a failed flush nothing in the page cache can be believed: what it shows may never have
 * reached the disk, and be gone at the next start. Then the last segment is read past the cache,
 * copied, flushed, and renamed over itself before anything of it is looked at.
 */
#include "store/segment_private.h"

#include <assert.h>
#include <stdlib.h>

/* ---- the state while opening ---- */

struct opening {
	struct segments *s;
	struct segments_report *report;
	uint32_t number; /* of the last segment */
	int file;        /* open for writing, unless read-only */
	uint64_t size;
	uint64_t committed; /* in this segment: where what the ledger names ends */
	uint64_t carried;   /* and what it carries */
	bool torn;          /* something was cut or zeroed: seal */
};

/* From now on reads alone; the first reason stays. */
static void refuse_writes(struct opening *o, const struct err *reason)
{
	o->s->read_only = true;
	if (!o->report->read_only)
		o->report->reason = *reason;
	o->report->read_only = true;
}

/* ---- copying the tail (a failed flush) ---- */

/* Reads up to n bytes (whole blocks, but at the end of the file) as O_DIRECT wants it: always whole
 * blocks at a time. */
static ssize_t read_blocks(
	struct files_seam *files, int file, uint8_t *p, size_t n, uint64_t at, uint64_t size)
{
	uint64_t left = at < size ? size - at : 0;
	size_t want = left < n ? (size_t)left : n, done = 0;
	while (done < want) {
		size_t ask = (size_t)segment_block_up(want - done);
		ssize_t got = files->pread(files, file, p + done, ask, (off_t)(at + done));
		if (got == -EINTR)
			continue;
		if (got < 0)
			return got;
		if (got == 0 || done + (size_t)got >= want)
			return got == 0 ? -EIO : (ssize_t)want; /* 0: shorter than it says */
		done += (size_t)got & ~(size_t)(SEGMENT_BLOCK - 1);
	}
	return (ssize_t)want;
}

/* Opens the segment so that reads come from the disk itself: O_DIRECT where the file system has it,
 * else after dropping what is cached. */
static int open_past_cache(struct files_seam *files, const char *name)
{
	int file = files->open(files, name, O_RDONLY, 0);
	if (file < 0)
		return file;
	(void)files->forget_cache(files, file);
	int direct = files->open(files, name, O_RDONLY | O_DIRECT, 0);
	if (direct < 0)
		return file;
	(void)files->close(files, file);
	return direct;
}

/* All or nothing: what the disk does not give back is not made up. */
static int copy_file(struct files_seam *files, int from, int to, struct err *err)
{
	enum { COPY_BYTES = 1024 * 1024 };
	void *p;
	if (posix_memalign(&p, SEGMENT_BLOCK, COPY_BYTES) != 0)
		mem_exhausted();
	int64_t size = files->size(files, from);
	ssize_t got = size < 0 ? (ssize_t)size : 1;
	int result = 0;
	for (uint64_t at = 0; got > 0 && result == 0; at += (uint64_t)got) {
		got = read_blocks(files, from, p, COPY_BYTES, at, (uint64_t)size);
		if (got > 0)
			result = files_pwrite_all(files, to, p, (size_t)got, (off_t)at);
	}
	free(p);
	if (got < 0)
		return FAIL_SEAM(err, got, "can't read the last segment from the disk");
	if (result == 0)
		result = files->fdatasync(files, to);
	return result < 0 ? FAIL_SEAM(err, result, "can't copy the last segment") : 0;
}

/* Copies to a new file, flushes, renames, flushes the directory. */
static int copy_segment(struct files_seam *files, uint32_t number, struct err *err)
{
	char name[SEGMENT_NAME_BYTES], copy[SEGMENT_NAME_BYTES];
	segment_name(name, number, "");
	segment_name(copy, number, ".new");
	int from = open_past_cache(files, name);
	if (from < 0)
		return FAIL_SEAM(err, from, "can't open segment %u", number);
	int to = files->open(files, copy, O_RDWR | O_CREAT | O_TRUNC, 0600);
	int result = to < 0 ? FAIL_SEAM(err, to, "can't make %s", copy)
			    : copy_file(files, from, to, err);
	if (to >= 0)
		(void)files->close(files, to);
	(void)files->close(files, from);
	if (result < 0)
		return -1;
	result = files->rename(files, copy, name);
	if (result == 0)
		result = files->sync_directory(files, SEGMENTS_DIRECTORY);
	return result < 0 ? FAIL_SEAM(err, result, "can't put %s in its place", copy) : 0;
}

/* ---- what stands in the tail ---- */

static int on_record(void *arg, struct segment_reader *r)
{
	struct opening *o = arg;
	if (r->header.offset >= o->committed)
		o->report->orphan_records++;
	return 0;
}

/* In what the ledger names: damage. Behind: a batch that was never acknowledged; zeroed, so that it
 * is nothing. When the ledger is lost nothing is touched. */
static int on_garbage(void *arg, uint64_t from, uint64_t to, const struct err *why)
{
	struct opening *o = arg;
	static const uint8_t zeros[SEGMENT_BLOCK];
	(void)why;
	o->torn = true;
	if (from < o->committed) {
		o->report->damaged_records++;
		return 0;
	}
	o->report->cut_bytes += to - from;
	if (to == o->size || o->s->options.keep_all || o->s->read_only)
		return 0;
	for (int result = 0; from < to && result == 0;) {
		size_t n = to - from < sizeof(zeros) ? (size_t)(to - from) : sizeof(zeros);
		result = files_pwrite_all(o->s->files, o->file, zeros, n, (off_t)from);
		if (result < 0) {
			struct err err;
			FAIL_SEAM(&err, result, "can't clean segment %u", o->number);
			refuse_writes(o, &err);
		}
		from += n;
	}
	return 0;
}

/* Cuts off what is torn at the end, and gives the file a length that seals it. */
static void cut(struct opening *o, uint64_t end)
{
	struct files_seam *files = o->s->files;
	int result = files->truncate(files, o->file, (off_t)end);
	if (result == 0 && end % SEGMENT_BLOCK == 0) /* longer by some zeros */
		result = files->truncate(files, o->file, (off_t)(end + RECORD_ALIGN));
	if (result == 0)
		result = files->fdatasync(files, o->file);
	struct err err;
	if (result < 0) {
		FAIL_SEAM(&err, result, "can't cut segment %u", o->number);
		refuse_writes(o, &err);
	}
}

/* Goes on in the last segment, where nothing was torn. */
static void resume(struct opening *o, uint64_t end)
{
	struct segments *s = o->s;
	if (o->size % SEGMENT_BLOCK)
		return; /* it is sealed */
	segment_set_current(s, o->number, segment_block_up(end));
	s->file = o->file;
	s->written = s->tail;
	s->extended = o->size;
	o->file = -1;
}

/* Scans [from, limit); *ret_end: behind the last whole record. */
static int scan_part(
	struct opening *o, uint64_t from, uint64_t limit, uint64_t *ret_end, struct err *err)
{
	struct segment_scan scan = { .number = o->number,
		.from = from,
		.limit = limit,
		.record = on_record,
		.garbage = on_garbage,
		.arg = o };
	struct segment_reader *r = segment_reader_new(o->s);
	r->fixed_file = o->file;
	r->fixed_limit = o->size;
	int result = segment_scan(r, &scan, err);
	segment_reader_free(&r);
	*ret_end = scan.end;
	return result;
}

/* Scans the tail from what the ledger names on; after a failed flush also what it names. */
static int scan_tail(struct opening *o, struct err *err)
{
	uint64_t from = o->committed ? o->committed : SEGMENT_HEADER_BYTES, end;
	if (o->s->options.distrust && scan_part(o, SEGMENT_HEADER_BYTES, from, &end, err) < 0)
		return -1;
	if (scan_part(o, from, o->size, &end, err) < 0)
		return -1;
	if (o->s->read_only)
		return 0;
	/* Of a carried batch the ledger may name a part alone. Should the disk not have kept the
	 * rest, its place is not for others: the next opening writes all of it again. */
	end = o->carried > end ? o->carried : end;
	/* A copied segment is sealed: the file is fresh, its blob ids are not. */
	if (!o->torn && !o->report->copied)
		resume(o, end);
	else if (!o->s->options.keep_all)
		cut(o, end);
	return 0;
}

/* ---- the last segment ---- */

/* A segment is made with a flushed header before anything is put into it. So a file without room
 * for more than the header, and without the header, is the trace of a crash in between. */
static bool is_stillborn(const struct opening *o, const struct err *header_err)
{
	return header_err->kind == ERR_CORRUPT && o->size <= SEGMENT_HEADER_BYTES &&
	       o->committed == 0;
}

static void remove_stillborn(struct opening *o)
{
	char name[SEGMENT_NAME_BYTES];
	segment_name(name, o->number, "");
	if (o->s->read_only)
		return;
	(void)o->s->files->unlink(o->s->files, name);
	(void)o->s->files->sync_directory(o->s->files, SEGMENTS_DIRECTORY);
	o->report->segments--;
}

/* Opens the file of the last segment; for reading alone when it must be. */
static int open_tail_file(struct opening *o, struct err *err)
{
	struct files_seam *files = o->s->files;
	char name[SEGMENT_NAME_BYTES];
	segment_name(name, o->number, "");
	if (!o->s->read_only) {
		o->file = files->open(files, name, O_RDWR, 0);
		if (o->file >= 0)
			return 0;
		struct err reason;
		FAIL_SEAM(&reason, o->file, "can't open segment %u for writing", o->number);
		refuse_writes(o, &reason);
	}
	o->file = files->open(files, name, O_RDONLY, 0);
	return o->file < 0 ? FAIL_SEAM(err, o->file, "can't open segment %u", o->number) : 0;
}

static int inspect_tail(struct opening *o, struct err *err)
{
	struct segments *s = o->s;
	struct err header_err = ERR_INIT;
	int64_t size = s->files->size(s->files, o->file);
	if (size < 0)
		return FAIL_SEAM(err, size, "can't see how long segment %u is", o->number);
	o->size = (uint64_t)size;
	if (s->options.committed.segment == o->number)
		o->committed = s->options.committed.offset;
	if (o->size < o->committed) {
		o->report->missing_bytes = o->committed - o->size;
		o->torn = true;
	}
	if (segment_check_header(s, o->file, o->number, &header_err) < 0) {
		if (header_err.kind != ERR_CORRUPT) {
			*err = header_err;
			return -1;
		}
		if (is_stillborn(o, &header_err)) {
			remove_stillborn(o);
			return 0;
		}
		/* Its records carry their own address: they are read, but none is added. */
		o->report->damaged_records++;
		o->torn = true;
	}
	return o->report->missing_bytes ? 0 : scan_tail(o, err);
}

/* What the ledger carries of the last segment stands in it again, before it is looked at. */
static int redo(struct opening *o, struct err *err)
{
	struct err reason = ERR_INIT;
	if (segment_check_header(o->s, o->file, o->number, &reason) < 0 &&
		reason.kind != ERR_CORRUPT)
		return 0; /* not ours: inspect_tail says so */
	reason = (struct err)ERR_INIT;
	struct segment_redone redone = { 0 };
	if (segment_redo(o->s, o->number, o->file, &redone, &reason, err) < 0)
		return -1;
	o->report->carried = redone.differed;
	o->carried = redone.end;
	if (reason.kind != ERR_NONE)
		refuse_writes(o, &reason);
	return 0;
}

static int open_tail(struct opening *o, struct err *err)
{
	struct segments *s = o->s;
	if (s->options.distrust && !s->read_only) {
		struct err reason;
		if (copy_segment(s->files, o->number, &reason) < 0)
			refuse_writes(o, &reason);
		else
			o->report->copied = true;
	}
	if (open_tail_file(o, err) < 0)
		return -1;
	int result = redo(o, err) < 0 ? -1 : inspect_tail(o, err);
	if (o->file >= 0)
		(void)s->files->close(s->files, o->file);
	return result;
}

/* ---- the directory ---- */

static int make_directory(struct segments *s, struct opening *o)
{
	struct err err;
	int result = s->read_only ? -EEXIST : s->files->mkdir(s->files, SEGMENTS_DIRECTORY, 0700);
	if (result == -EEXIST)
		return 0;
	if (result == 0)
		result = s->files->sync_directory(s->files, "");
	if (result == 0)
		return 0;
	FAIL_SEAM(&err, result, "can't make the directory of the segments");
	refuse_writes(o, &err);
	return -1;
}

/* What an interrupted copy left. */
static void remove_copy(struct segments *s, uint32_t number)
{
	char name[SEGMENT_NAME_BYTES];
	segment_name(name, number, ".new");
	if (!s->read_only)
		(void)s->files->unlink(s->files, name);
}

/* Looks at what there is: how many, and which is the last. */
static int survey(struct segments *s, struct opening *o, struct err *err)
{
	struct vec numbers;
	int result = segment_numbers(s, &numbers, err);
	if (result == 0) {
		o->report->segments = (uint32_t)numbers.n;
		o->number = numbers.n ? *(uint32_t *)vec_at(&numbers, numbers.n - 1) : 0;
	}
	vec_done(&numbers);
	return result;
}

static int open_segments(struct segments *s, struct segments_report *report, struct err *err)
{
	struct opening o = { .s = s, .report = report, .file = -1 };
	uint32_t committed = s->options.committed.segment;
	(void)make_directory(s, &o);
	if (survey(s, &o, err) < 0)
		return -1;
	s->last_number = o.number > committed ? o.number : committed;
	s->next_number = s->last_number + 1;
	if (committed > o.number)
		report->missing_bytes = s->options.committed.offset;
	if (o.number == 0)
		return 0;
	remove_copy(s, o.number);
	return open_tail(&o, err);
}

struct segments *segments_open(
	const struct segments_options *options, struct segments_report *report, struct err *err)
{
	struct segments *s = xmalloc(sizeof(*s));
	s->files = options->files;
	s->options = *options;
	if (s->options.segment_bytes == 0)
		s->options.segment_bytes = LIMIT_SEGMENT_BYTES;
	if (s->options.ahead_bytes == 0 || s->options.ahead_bytes > SEGMENT_AHEAD_BYTES)
		s->options.ahead_bytes = SEGMENT_AHEAD_BYTES;
	s->seed = record_seed(options->store_id);
	s->file = -1;
	s->read_only = options->read_only;
	s->batch = xmalloc(LIMIT_SEGMENT_BATCH + SEGMENT_BLOCK);
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->pin_lock, NULL);
	*report = (struct segments_report){ .reason = ERR_INIT };
	if (open_segments(s, report, err) < 0)
		segments_close(&s);
	return s;
}

void segments_close(struct segments **segments)
{
	struct segments *s = *segments;
	if (s == NULL)
		return;
	segment_close_all(s);
	if (s->file >= 0)
		(void)s->files->close(s->files, s->file);
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->pin_lock);
	segment_carried_free(s);
	free(s->batch);
	free(s);
	*segments = NULL;
}
