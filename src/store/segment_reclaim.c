// SPDX-License-Identifier: Apache-2.0
/*
 * What reclaim needs of segments: copying a living record to the end, sealing the segment at the
 * end, pins, and removing a segment that nothing names any more.
 *
 * A copy keeps its blob id, and with that the checksums of all its parts; only its header, which
 * says where it stands, is made anew. It goes the way of every record: into the batch, flushed with
 * it, named by a row afterwards.
 */
#include "store/segment_private.h"

/* What a record is copied by. */
#define PIECE_BYTES (64 * 1024)

/* ---- copying ---- */

/* Bytes from … to of the record that is loaded, behind what is in the batch already. */
static int copy_bytes(
	struct segments *s, struct segment_reader *r, uint64_t from, uint64_t to, struct err *err)
{
	while (from < to) {
		size_t n = to - from < PIECE_BYTES ? (size_t)(to - from) : PIECE_BYTES;
		const uint8_t *p = segment_window(
			r, r->header.segment, r->header.offset + from, n, err);
		if (p == NULL ||
			(s->n + n > LIMIT_SEGMENT_BATCH && segment_write_out(s, s->n, err) < 0))
			return -1;
		memcpy(s->batch + s->n, p, n);
		s->n += n;
		from += n;
	}
	return 0;
}

static int copy_record(
	struct segments *s, struct segment_reader *r, struct record_header *h, struct err *err)
{
	if (s->n + RECORD_HEADER_BYTES > LIMIT_SEGMENT_BATCH && segment_write_out(s, s->n, err) < 0)
		return -1;
	record_put_header(s->seed, s->batch + s->n, h);
	s->n += RECORD_HEADER_BYTES;
	return copy_bytes(s, r, RECORD_HEADER_BYTES, h->stored_length, err);
}

int segments_copy(struct segments *s, struct segment_reader *r, const struct blob_ref *from,
	struct blob_ref *ret, struct err *err)
{
	if (s->must_end || s->read_only)
		return fail_log(err, ERR_READ_ONLY, "the segments take no more");
	if (segment_load_ref(r, from, err) < 0 || segment_verify_recipients(r, err) < 0 ||
		segment_verify_chunks(r, false, err) < 0) {
		err->kind = ERR_CORRUPT; /* nothing was touched: the batch stays */
		return -1;
	}
	/* What is moved makes room: that is what the reserve is for. */
	if (!disk_has_room(
		    s->files, s->n + from->length, disk_last_reserve(s->options.reserve_bytes)))
		return fail_log(err, ERR_LIMIT, "no room on the disk to move a message");
	s->room = 0; /* none of the reserve for what the file would be longer */
	struct record_header h = r->header;
	if (segment_prepare(s, err) < 0) {
		segments_forget(s);
		return -1;
	}
	h.segment = s->number;
	h.offset = s->written + s->n;
	if (copy_record(s, r, &h, err) < 0) {
		err->kind = ERR_TEMP; /* whatever it is, the batch is gone */
		segments_forget(s);
		return -1;
	}
	s->batch_records++;
	s->plain = true; /* the old order: what is moved is flushed, then named */
	*ret = (struct blob_ref){
		.id = h.blob_id, .segment = h.segment, .offset = h.offset, .length = h.stored_length
	};
	return 0;
}

/* ---- the segment at the end ---- */

uint32_t segments_settled(const struct segments *s)
{
	return s->number ? s->number : s->last_number;
}

/* ---- pins ---- */

void segments_pin(struct segments *s)
{
	pthread_mutex_lock(&s->pin_lock);
	s->pins++;
	pthread_mutex_unlock(&s->pin_lock);
}

void segments_unpin(struct segments *s)
{
	pthread_mutex_lock(&s->pin_lock);
	s->pins--;
	pthread_mutex_unlock(&s->pin_lock);
}

/* ---- removing ---- */

/* The shared descriptor goes when its last reader has gone. */
static void drop_file(struct segments *s, uint32_t number)
{
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < LIMIT_SEGMENT_FILES; i++) {
		struct segment_file *f = &s->open_files[i];
		if (f->number != number)
			continue;
		f->removed = true;
		if (f->users == 0)
			segment_file_close(s, f);
	}
	pthread_mutex_unlock(&s->lock);
}

static int remove_unpinned(struct segments *s, uint32_t number, struct err *err)
{
	char name[SEGMENT_NAME_BYTES];
	if (s->pins > 0)
		return fail(err, ERR_IN_USE, "the segments are being read, as by a backup");
	segment_name(name, number, "");
	int result = s->files->unlink(s->files, name);
	if (result < 0 && result != -ENOENT)
		return FAIL_SEAM(err, result, "can't remove segment %u", number);
	/* Comes the name back after a power cut, then with records that no row names. */
	result = s->files->sync_directory(s->files, SEGMENTS_DIRECTORY);
	return result < 0 ? FAIL_SEAM(err, result, "flushing the segments' directory failed") : 0;
}

int segments_remove(struct segments *s, uint32_t number, struct err *err)
{
	pthread_mutex_lock(&s->lock);
	bool last = number >= (s->number ? s->number : s->last_number);
	pthread_mutex_unlock(&s->lock);
	if (s->read_only || last)
		return fail_log(err, ERR_DENIED, "segment %u is not to be removed", number);
	pthread_mutex_lock(&s->pin_lock);
	int result = remove_unpinned(s, number, err);
	pthread_mutex_unlock(&s->pin_lock);
	if (result == 0)
		drop_file(s, number);
	return result;
}

/* ---- walking a segment by parts ---- */

struct walk_some {
	int (*record)(void *arg, const struct blob_ref *ref);
	void *arg;
	uint32_t damaged;
};

static int give_record(void *arg, struct segment_reader *r)
{
	struct walk_some *w = arg;
	const struct record_header *h = &r->header;
	struct blob_ref ref = { h->blob_id, h->segment, h->offset, h->stored_length };
	return w->record(w->arg, &ref);
}

static int count_damage(void *arg, uint64_t from, uint64_t to, const struct err *why)
{
	struct walk_some *w = arg;
	(void)from;
	(void)to;
	(void)why;
	w->damaged++;
	return 0;
}

int segment_walk_some(struct segment_reader *r, uint32_t segment, uint64_t *place,
	int (*record)(void *arg, const struct blob_ref *ref), void *arg, uint32_t *ret_damaged,
	struct err *err)
{
	struct walk_some w = { .record = record, .arg = arg };
	int file;
	uint64_t limit;
	if (segment_acquire(r->s, segment, &file, &limit, err) < 0)
		return -1;
	segment_release(r->s, segment, file);
	struct segment_scan scan = { .number = segment,
		.from = *place ? *place : SEGMENT_HEADER_BYTES,
		.limit = limit,
		.record = give_record,
		.garbage = count_damage,
		.arg = &w };
	int result = segment_scan(r, &scan, err);
	*place = scan.end;
	*ret_damaged = w.damaged;
	return result;
}
