// SPDX-License-Identifier: Apache-2.0
/* Segment files: their names, their headers, and the descriptors that readers share. */
#include "store/segment_private.h"

#include "base/planted.h"
#include "base/scan.h"
#include "store/crc32c.h"
#include "store/little.h"

#include <stdio.h>
#include <stdlib.h>

static const char magic[8] = { 'C', 'U', 'L', 'V', 'E', 'R', 'S', 'G' };

enum {
	AT_MAGIC = 0,
	AT_VERSION = 8,
	AT_NUMBER = 12,
	AT_STORE_ID = 16,
	AT_EPOCH = 32,
	AT_CREATED = 40,
	AT_RESERVED = 48, /* zero */
	AT_CRC = 60,
	AT_END = 64, /* zeros up to SEGMENT_HEADER_BYTES */
};

void segment_name(char name[SEGMENT_NAME_BYTES], uint32_t number, const char *suffix)
{
	snprintf(name, SEGMENT_NAME_BYTES, SEGMENTS_DIRECTORY "/%08u%s", number, suffix);
}

/* ---- header ---- */

void segment_put_header(uint8_t p[SEGMENT_HEADER_BYTES], const struct segment_header *h)
{
	memset(p, 0, SEGMENT_HEADER_BYTES);
	memcpy(p + AT_MAGIC, magic, sizeof(magic));
	put_u32(p + AT_VERSION, SEGMENT_VERSION);
	put_u32(p + AT_NUMBER, h->number);
	memcpy(p + AT_STORE_ID, h->store_id, sizeof(h->store_id));
	put_u64(p + AT_EPOCH, h->epoch);
	put_u64(p + AT_CREATED, (uint64_t)h->created_ms);
	put_u32(p + AT_CRC, crc32c(0, p, AT_CRC));
}

/* Every byte of the block counts, so that damage anywhere is seen. */
static bool rest_is_zero(const uint8_t *p)
{
	for (size_t i = AT_END; i < SEGMENT_HEADER_BYTES; i++)
		if (p[i])
			return false;
	return true;
}

int segment_get_header(
	const uint8_t p[SEGMENT_HEADER_BYTES], struct segment_header *ret, struct err *err)
{
	if (memcmp(p + AT_MAGIC, magic, sizeof(magic)) != 0 ||
		get_u32(p + AT_CRC) != crc32c(0, p, AT_CRC) || get_u32(p + AT_VERSION) == 0 ||
		!rest_is_zero(p))
		return fail_log(err, ERR_CORRUPT, "a segment's header is damaged");
	if (get_u32(p + AT_VERSION) > SEGMENT_VERSION)
		return fail_log(err, ERR_UNSUPPORTED,
			"a segment has version %u, this Culver knows up to %u",
			get_u32(p + AT_VERSION), SEGMENT_VERSION);
	*ret = (struct segment_header){ .number = get_u32(p + AT_NUMBER),
		.epoch = get_u64(p + AT_EPOCH),
		.created_ms = (int64_t)get_u64(p + AT_CREATED) };
	memcpy(ret->store_id, p + AT_STORE_ID, sizeof(ret->store_id));
	return 0;
}

int segment_check_header(struct segments *s, int file, uint32_t number, struct err *err)
{
	uint8_t p[SEGMENT_HEADER_BYTES];
	struct segment_header h;
	ssize_t n = segment_pread(s->files, file, p, sizeof(p), 0);
	if (n < 0)
		return FAIL_SEAM(err, n, "can't read segment %u", number);
	if ((size_t)n < sizeof(p))
		return fail_log(err, ERR_CORRUPT, "segment %u is shorter than its header", number);
	if (segment_get_header(p, &h, err) < 0)
		return -1;
	if (memcmp(h.store_id, s->options.store_id, sizeof(h.store_id)) != 0)
		return fail_log(err, ERR_CONFIG, "segment %u belongs to another store", number);
	if (h.number != number)
		return fail_log(
			err, ERR_CORRUPT, "segment %u says it is segment %u", number, h.number);
	return 0;
}

/* ---- the directory ---- */

struct listing {
	struct vec *numbers;
	bool full;
};

/* segment = 8DIGIT; other names are not ours. */
static int list_one(void *arg, const char *name)
{
	struct listing *l = arg;
	struct scan s = scan_from(str_from(name));
	uint64_t number;
	if (!scan_digits(&s, 8, &number) || !scan_end(&s) || number == 0)
		return 0;
	uint32_t small = (uint32_t)number;
	l->full = vec_push(l->numbers, &small) == NULL;
	return l->full;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

int segment_numbers(struct segments *s, struct vec *ret, struct err *err)
{
	vec_init(ret, sizeof(uint32_t), SEGMENT_MAX_NUMBER);
	struct listing l = { .numbers = ret };
	int result = s->files->list(s->files, SEGMENTS_DIRECTORY, list_one, &l);
	if (result < 0 && result != -ENOENT)
		return FAIL_SEAM(err, result, "can't list the segments");
	if (l.full)
		return fail_log(err, ERR_LIMIT, "too many segments");
	if (ret->n)
		qsort(ret->p, ret->n, sizeof(uint32_t), by_number);
	return 0;
}

/* ---- descriptors ---- */

ssize_t segment_pread(struct files_seam *files, int file, void *p, size_t n, uint64_t at)
{
	size_t done = 0;
	while (done < n) {
		ssize_t got = files->pread(
			files, file, (char *)p + done, n - done, (off_t)(at + done));
		if (got == -EINTR && !planted("interruption_is_failure"))
			continue;
		if (got < 0)
			return got;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

/* The entry of this segment, else one to use for it: free, or idle for longest. NULL: all are in
 * use. */
static struct segment_file *choose(struct segments *s, uint32_t number)
{
	struct segment_file *best = NULL;
	for (size_t i = 0; i < LIMIT_SEGMENT_FILES; i++) {
		struct segment_file *f = &s->open_files[i];
		if (f->number == number)
			return f;
		if (f->users == 0 && (best == NULL || f->used_at < best->used_at))
			best = f;
	}
	return best;
}

/* Opens a segment for reading. A damaged header does not keep its records from being read (they
 * carry their own address); one that is whole and another store's does. */
static int open_to_read(struct segments *s, uint32_t number, uint64_t *ret_size, struct err *err)
{
	char name[SEGMENT_NAME_BYTES];
	segment_name(name, number, "");
	int file = s->files->open(s->files, name, O_RDONLY, 0);
	if (file == -ENOENT)
		return fail_log(err, ERR_CORRUPT, "segment %u is missing", number);
	if (file < 0)
		return FAIL_SEAM(err, file, "can't open segment %u", number);
	int64_t size = s->files->size(s->files, file);
	if (size < 0) {
		(void)s->files->close(s->files, file);
		return FAIL_SEAM(err, size, "can't see how long segment %u is", number);
	}
	struct err header_err = ERR_INIT;
	if (segment_check_header(s, file, number, &header_err) < 0 &&
		header_err.kind == ERR_CONFIG) {
		(void)s->files->close(s->files, file);
		return fail_log(err, ERR_CORRUPT, "%s", err_log_text(&header_err));
	}
	*ret_size = (uint64_t)size;
	return file;
}

static int acquire_locked(
	struct segments *s, uint32_t number, int *ret_file, uint64_t *ret_limit, struct err *err)
{
	if (number == 0)
		return fail_log(err, ERR_CORRUPT, "there is no segment 0");
	struct segment_file *f = choose(s, number), uncached = { .number = 0 };
	if (f == NULL)
		f = &uncached;
	if (f->number != number) {
		uint64_t size;
		int file = open_to_read(s, number, &size, err);
		if (file < 0)
			return -1;
		if (f->number)
			(void)s->files->close(s->files, f->file);
		*f = (struct segment_file){ .number = number, .file = file, .size = size };
	}
	f->users++;
	f->used_at = ++s->uses;
	*ret_file = f->file;
	*ret_limit = number == s->number ? s->tail : f->size;
	return 0;
}

int segment_acquire(
	struct segments *s, uint32_t number, int *ret_file, uint64_t *ret_limit, struct err *err)
{
	pthread_mutex_lock(&s->lock);
	int result = acquire_locked(s, number, ret_file, ret_limit, err);
	pthread_mutex_unlock(&s->lock);
	return result;
}

void segment_file_close(struct segments *s, struct segment_file *f)
{
	(void)s->files->close(s->files, f->file);
	*f = (struct segment_file){ .number = 0 };
}

void segment_release(struct segments *s, uint32_t number, int file)
{
	bool found = false;
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < LIMIT_SEGMENT_FILES && !found; i++) {
		struct segment_file *f = &s->open_files[i];
		found = f->number == number && f->file == file;
		if (!found)
			continue;
		f->users--;
		if (f->users == 0 && f->removed)
			segment_file_close(s, f);
	}
	pthread_mutex_unlock(&s->lock);
	if (!found)
		(void)s->files->close(s->files, file);
}

void segment_set_current(struct segments *s, uint32_t number, uint64_t tail)
{
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < LIMIT_SEGMENT_FILES; i++)
		if (s->open_files[i].number && s->open_files[i].number == s->number)
			s->open_files[i].size = s->tail;
	s->number = number;
	s->tail = tail;
	if (number > s->last_number)
		s->last_number = number;
	pthread_mutex_unlock(&s->lock);
}

void segment_close_all(struct segments *s)
{
	for (size_t i = 0; i < LIMIT_SEGMENT_FILES; i++) {
		struct segment_file *f = &s->open_files[i];
		if (f->number)
			(void)s->files->close(s->files, f->file);
		*f = (struct segment_file){ .number = 0 };
	}
}

/* ---- for a backup ---- */

int segments_extents(struct segments *s, struct vec *ret, struct err *err)
{
	struct vec numbers;
	int result = segment_numbers(s, &numbers, err);
	pthread_mutex_lock(&s->lock);
	uint32_t last = s->last_number;
	pthread_mutex_unlock(&s->lock);
	vec_init(ret, sizeof(struct api_backup_segment), SEGMENT_MAX_NUMBER);
	VEC_EACH (uint32_t, number, &numbers) {
		struct api_backup_segment x = { .number = *number };
		int file;
		if (result < 0 || *number > last)
			break;
		result = segment_acquire(s, *number, &file, &x.length, err);
		if (result < 0)
			break;
		segment_release(s, *number, file);
		vec_push(ret, &x);
	}
	vec_done(&numbers);
	return result;
}

ssize_t segments_read_raw(
	struct segments *s, uint32_t number, uint64_t at, void *p, size_t n, struct err *err)
{
	int file;
	uint64_t limit;
	if (segment_acquire(s, number, &file, &limit, err) < 0)
		return -1;
	uint64_t left = at < limit ? limit - at : 0;
	ssize_t got = segment_pread(s->files, file, p, left < n ? (size_t)left : n, at);
	segment_release(s, number, file);
	if (got > 0)
		segment_overlay(s, number, p, (size_t)got, at);
	return got < 0 ? FAIL_SEAM(err, got, "can't read segment %u", number) : got;
}

/* ---- for rebuilding ---- */

static void look_at_header(
	struct files_seam *files, uint32_t number, struct segment_header *ret, bool *found)
{
	char name[SEGMENT_NAME_BYTES];
	uint8_t p[SEGMENT_HEADER_BYTES];
	struct segment_header h;
	segment_name(name, number, "");
	int file = files->open(files, name, O_RDONLY, 0);
	if (file < 0)
		return;
	if (segment_pread(files, file, p, sizeof(p), 0) == (ssize_t)sizeof(p) &&
		segment_get_header(p, &h, NULL) == 0) {
		uint64_t epoch = ret->epoch > h.epoch ? ret->epoch : h.epoch;
		if (!*found)
			*ret = h;
		ret->epoch = epoch;
		*found = true;
	}
	(void)files->close(files, file);
}

int segments_identity(
	struct files_seam *files, uint8_t ret_store_id[16], uint64_t *ret_epoch, struct err *err)
{
	struct segments s = { .files = files };
	struct segment_header h = { .epoch = 0 };
	struct vec numbers;
	bool found = false;
	int result = segment_numbers(&s, &numbers, err);
	VEC_EACH (uint32_t, number, &numbers)
		look_at_header(files, *number, &h, &found);
	vec_done(&numbers);
	if (result < 0)
		return -1;
	if (!found)
		return fail(err, ERR_NOT_FOUND, "there is no segment to rebuild a ledger from");
	memcpy(ret_store_id, h.store_id, sizeof(h.store_id));
	*ret_epoch = h.epoch;
	return 0;
}
