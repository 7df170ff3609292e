// SPDX-License-Identifier: Apache-2.0
/* A backup's directory: opening, names, points, manifests. */
#include "cli/backup.h"

#include "base/abnf.h"
#include "base/limits.h"
#include "process/os.h"
#include "store/disk.h"
#include "store/ledger_verify.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST_POINTS = 100000, COPY_BYTES = 1024 * 1024 };

/* ---- names ---- */

const char *backup_point_name(
	char room[BACKUP_NAME_BYTES], const struct point *p, const char *suffix)
{
	snprintf(room, BACKUP_NAME_BYTES, "points/%s%s", p->name, suffix);
	return room;
}

const char *backup_folder(
	char room[BACKUP_NAME_BYTES], const uint8_t history[16], const char *suffix)
{
	int n = snprintf(room, BACKUP_NAME_BYTES, "segments-");
	for (size_t i = 0; i < 16; i++)
		n += snprintf(room + n, BACKUP_NAME_BYTES - (size_t)n, "%02x", history[i]);
	snprintf(room + n, BACKUP_NAME_BYTES - (size_t)n, "%s", suffix);
	return room;
}

const char *backup_segment(char room[BACKUP_NAME_BYTES], const uint8_t history[16], uint32_t number,
	const char *suffix)
{
	char file[40];
	snprintf(file, sizeof(file), "/blobs/%08u%s", number, suffix);
	return backup_folder(room, history, file);
}

/* point = 4DIGIT "-" 2DIGIT "-" 2DIGIT "T" 2DIGIT "-" 2DIGIT "-" 2DIGIT "Z" */
static bool is_point(struct str name)
{
	static const char form[] = "0000-00-00T00-00-00Z";
	if (name.n != POINT_NAME_BYTES)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (form[i] == '0' ? !abnf_is_digit(name.p[i]) : name.p[i] != form[i])
			return false;
	return true;
}

/* ---- opening ---- */

static int add_point(void *arg, const char *name)
{
	struct vec *points = arg;
	struct str s = str_from(name), suffix = STR(".manifest");
	struct point p = { "" };
	if (s.n != POINT_NAME_BYTES + suffix.n || !str_ends_nocase(s, suffix) ||
		!is_point(str_sub(s, 0, POINT_NAME_BYTES)))
		return 0;
	memcpy(p.name, s.p, POINT_NAME_BYTES);
	return vec_push(points, &p) == NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct point *)a)->name, ((const struct point *)b)->name);
}

static int list_points(struct backup *b, struct err *err)
{
	vec_clear(&b->points);
	int rc = b->files->list(b->files, "points", add_point, &b->points);
	if (rc != 0 && rc != -ENOENT)
		return rc > 0 ? fail(err, ERR_LIMIT, "too many points")
			      : FAIL_SEAM(err, rc, "can't list the points");
	if (b->points.n)
		qsort(b->points.p, b->points.n, sizeof(struct point), by_name);
	return 0;
}

/* What stands in the directory itself. */
struct contents {
	bool points, server, other;
};

static int note_name(void *arg, const char *name)
{
	struct contents *c = arg;
	if (strcmp(name, "points") == 0)
		c->points = true;
	else if (strcmp(name, "master.key") == 0 || strcmp(name, "ledger.db") == 0)
		c->server = true;
	else if (strcmp(name, "lost+found") != 0) /* a disk of its own is empty all the same */
		c->other = true;
	return 0;
}

/* To be read it must be a backup; to be written it may be empty, too. */
static int check_contents(struct backup *b, const char *path, bool write, struct err *err)
{
	struct contents c = { .points = false };
	int rc = b->files->list(b->files, "", note_name, &c);
	if (rc < 0)
		return FAIL_SEAM(err, rc, "can't list %s", path);
	if (!write)
		return c.points ? 0 : fail(err, ERR_NOT_FOUND, "%s is no backup", path);
	if (c.server)
		return fail(err, ERR_CONFIG,
			"%s is the directory of a server, with its keys or its mail: name another "
			"one",
			path);
	if (c.other && !c.points)
		return fail(err, ERR_CONFIG, "%s is neither empty nor a backup", path);
	return 0;
}

static int take_lock(struct backup *b, struct err *err)
{
	b->lock = b->files->open(b->files, "lock", O_RDWR | O_CREAT, 0600);
	if (b->lock < 0)
		return FAIL_SEAM(err, b->lock, "the backup's lock");
	int rc = b->files->lock(b->files, b->lock);
	if (rc == -EWOULDBLOCK)
		return fail(err, ERR_IN_USE, "another backup is being made into this directory");
	return rc < 0 ? FAIL_SEAM(err, rc, "the backup's lock") : 0;
}

static int open_files(struct backup *b, const char *path, bool write, struct err *err)
{
	struct identity nobody = { -1, -1 };
	if (write && os_make_directory(path, 0700, nobody, err) < 0)
		return -1;
	b->files = files_os_new(path, err);
	if (b->files == NULL || check_contents(b, path, write, err) < 0)
		return -1;
	if (write) {
		int rc = b->files->mkdir(b->files, "points", 0700);
		if (rc < 0 && rc != -EEXIST)
			return FAIL_SEAM(err, rc, "can't make %s/points", path);
		if (take_lock(b, err) < 0)
			return -1;
	}
	return list_points(b, err);
}

struct backup *backup_open(const char *path, bool write, struct err *err)
{
	struct backup *b = xmalloc(sizeof(*b));
	*b = (struct backup){ .lock = -1, .hashes = sha256_pool_new() };
	vec_init(&b->points, sizeof(struct point), MOST_POINTS);
	if (open_files(b, path, write, err) < 0)
		backup_close(&b);
	return b;
}

void backup_close(struct backup **backup)
{
	struct backup *b = *backup;
	if (b == NULL)
		return;
	if (b->lock >= 0)
		(void)b->files->close(b->files, b->lock);
	files_os_free(&b->files);
	sha256_pool_free(&b->hashes);
	vec_done(&b->points);
	free(b);
	*backup = NULL;
}

/* ---- points ---- */

int backup_point(const struct backup *b, const char *name, struct point *ret, struct err *err)
{
	if (b->points.n == 0)
		return fail(err, ERR_NOT_FOUND, "there is no backup in this directory");
	*ret = *(const struct point *)vec_at(&b->points, b->points.n - 1);
	if (name == NULL)
		return 0;
	VEC_EACH (struct point, p, &b->points) {
		if (strcmp(p->name, name) == 0) {
			*ret = *p;
			return 0;
		}
	}
	return fail(
		err, ERR_NOT_FOUND, "the backup has no point %s; see culver store points", name);
}

static int read_small(struct files_seam *files, const char *name, struct buf *out, struct err *err)
{
	int file = files->open(files, name, O_RDONLY, 0);
	int64_t size = file < 0 ? file : files->size(files, file);
	char *p = size < 0 ? NULL : buf_reserve(out, (size_t)size + 1);
	int rc = size < 0 ? (int)size
		 : p      ? files_pread_all(files, file, p, (size_t)size, 0)
			  : -EFBIG;
	if (file >= 0)
		(void)files->close(files, file);
	if (rc < 0)
		return FAIL_SEAM(err, rc, "%s", name);
	buf_used(out, (size_t)size);
	return 0;
}

int backup_manifest(
	const struct backup *b, const struct point *p, struct manifest *ret, struct err *err)
{
	char name[BACKUP_NAME_BYTES];
	AUTO(buf_done)
	struct buf text;
	buf_init(&text, LIMIT_MANIFEST_BYTES);
	manifest_init(ret);
	if (read_small(b->files, backup_point_name(name, p, ".manifest"), &text, err) < 0)
		return -1;
	struct err why = ERR_INIT;
	if (manifest_parse(buf_str(&text), ret, &why) == 0)
		return 0;
	return fail_log(err, why.kind, "%s: %s", name, err_log_text(&why));
}

/* ---- verifying ---- */

int64_t backup_size(const struct backup *b, const char *name)
{
	int file = b->files->open(b->files, name, O_RDONLY, 0);
	if (file < 0)
		return -1;
	int64_t size = b->files->size(b->files, file);
	(void)b->files->close(b->files, file);
	return size;
}

/* Gives [0, length) of a file to both hashes (the second may be NULL). */
static int hash_file(struct files_seam *files, int file, uint64_t length, struct sha256 *first,
	struct sha256 *second, struct err *err)
{
	AUTO(mem_free_p)
	char *p = xmalloc(COPY_BYTES);
	for (uint64_t at = 0; at < length;) {
		size_t n = length - at < COPY_BYTES ? (size_t)(length - at) : COPY_BYTES;
		int rc = files_pread_all(files, file, p, n, (off_t)at);
		if (rc < 0)
			return FAIL_SEAM(err, rc, "reading the backup");
		sha256_add(first, str_make(p, n));
		if (second)
			sha256_add(second, str_make(p, n));
		at += n;
	}
	return 0;
}

int backup_hash(const struct backup *b, const char *name, uint64_t length,
	uint8_t ret[SHA256_BYTES], struct err *err)
{
	int file = b->files->open(b->files, name, O_RDONLY, 0);
	if (file < 0)
		return FAIL_SEAM(err, file, "%s", name);
	int64_t size = b->files->size(b->files, file);
	struct sha256 *hash = sha256_begin(b->hashes);
	int rc = size < 0 || (uint64_t)size < length
			 ? fail_log(err, ERR_CORRUPT, "%s is too short", name)
			 : hash_file(b->files, file, length, hash, NULL, err);
	sha256_end(b->hashes, &hash, ret);
	(void)b->files->close(b->files, file);
	return rc;
}

struct verifying {
	const struct backup *b;
	void (*each)(void *arg, const char *line);
	void *arg;
	const struct manifest_file *ledger;
	int found;
};

static void verify_file(struct verifying *v, const char *name, const struct manifest_file *f)
{
	uint8_t sum[SHA256_BYTES];
	struct err err = ERR_INIT;
	if (backup_hash(v->b, name, f->length, sum, &err) == 0 &&
		memcmp(sum, f->sha256, sizeof(sum)) != 0)
		fail_log(&err, ERR_CORRUPT, "%s is not what was written", name);
	/* The one file that may have been damaged before it was written. */
	if (err.kind == ERR_NONE && f == v->ledger)
		(void)ledger_verify(v->b->files, name, &err);
	if (err.kind == ERR_NONE)
		return;
	v->found++;
	if (v->each)
		v->each(v->arg, err_log_text(&err));
}

int backup_verify(const struct backup *b, const struct point *p,
	void (*each)(void *arg, const char *line), void *arg, struct err *err)
{
	struct verifying v = { .b = b, .each = each, .arg = arg };
	struct manifest m;
	char name[BACKUP_NAME_BYTES];
	if (backup_manifest(b, p, &m, err) < 0) {
		manifest_done(&m);
		return -1;
	}
	v.ledger = &m.ledger;
	verify_file(&v, backup_point_name(name, p, ".ledger"), &m.ledger);
	VEC_EACH (struct manifest_file, f, &m.segments)
		verify_file(&v, backup_segment(name, m.history, f->number, ""), f);
	manifest_done(&m);
	return v.found;
}

/* ---- the sink ---- */

static void sink_drop(struct backup_sink *s)
{
	sha256_drop(s->hashes, &s->hash);
	if (s->file >= 0)
		(void)s->files->close(s->files, s->file);
	s->file = -1;
}

/* Hashes what stays, which must be what it was. */
static int take_beginning(struct backup_sink *s, const char *name, uint64_t from,
	const uint8_t *expected, struct err *err)
{
	uint8_t sum[SHA256_BYTES];
	struct sha256 *compare = sha256_begin(s->hashes);
	int rc = hash_file(s->files, s->file, from, s->hash, compare, err);
	sha256_end(s->hashes, &compare, sum);
	if (rc == 0 && expected && memcmp(sum, expected, sizeof(sum)) != 0)
		rc = fail_log(err, ERR_CORRUPT, "%s is not what was written", name);
	s->at = from;
	return rc;
}

int backup_sink_open(struct backup_sink *s, const struct backup *b, const char *name, uint64_t from,
	const uint8_t *expected, struct err *err)
{
	*s = (struct backup_sink){ .files = b->files, .hashes = b->hashes, .err = ERR_INIT };
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->file = s->files->open(s->files, name, from ? O_RDWR : O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (s->file < 0)
		return FAIL_SEAM(err, s->file, "can't write %s", name);
	s->hash = sha256_begin(s->hashes);
	int rc = from ? take_beginning(s, name, from, expected, err) : 0;
	if (rc == 0 && from) {
		rc = s->files->truncate(s->files, s->file, (off_t)from);
		if (rc < 0)
			FAIL_SEAM(err, rc, "can't write %s", name);
	}
	if (rc < 0)
		sink_drop(s);
	return rc < 0 ? -1 : 0;
}

void backup_sink_add(struct backup_sink *s, struct str bytes)
{
	if (s->err.kind != ERR_NONE)
		return;
	int rc = files_pwrite_all(s->files, s->file, bytes.p, bytes.n, (off_t)s->at);
	if (rc < 0) {
		FAIL_SEAM(&s->err, rc, "writing %s/%s", s->files->root(s->files), s->name);
		return;
	}
	sha256_add(s->hash, bytes);
	s->at += bytes.n;
}

void backup_copy(
	const struct backup *b, const char *from, uint64_t length, struct backup_sink *sink)
{
	int file = b->files->open(b->files, from, O_RDONLY, 0);
	AUTO(mem_free_p)
	char *p = xmalloc(COPY_BYTES);
	while (file >= 0 && sink->at < length && sink->err.kind == ERR_NONE) {
		uint64_t left = length - sink->at;
		ssize_t n = b->files->pread(b->files, file, p,
			left < COPY_BYTES ? (size_t)left : COPY_BYTES, (off_t)sink->at);
		if (n < 0 && n != -EINTR)
			FAIL_SEAM(&sink->err, n, "reading %s", from);
		if (n == 0)
			break;
		if (n > 0)
			backup_sink_add(sink, str_make(p, (size_t)n));
	}
	if (file >= 0)
		(void)b->files->close(b->files, file);
}

int backup_sink_flush(struct backup_sink *s, struct err *err)
{
	if (s->err.kind == ERR_NONE) {
		int rc = s->files->fdatasync(s->files, s->file);
		if (rc < 0)
			FAIL_SEAM(&s->err, rc, "flushing %s/%s", s->files->root(s->files), s->name);
	}
	if (s->err.kind == ERR_NONE)
		return 0;
	*err = s->err;
	return -1;
}

int backup_sink_close(
	struct backup_sink *s, uint64_t length, uint8_t ret[SHA256_BYTES], struct err *err)
{
	int rc = backup_sink_flush(s, err);
	if (rc == 0 && s->at != length)
		rc = fail_log(err, ERR_TEMP, "the server sent %llu bytes instead of %llu",
			(unsigned long long)s->at, (unsigned long long)length);
	if (rc == 0)
		sha256_end(s->hashes, &s->hash, ret);
	sink_drop(s);
	return rc;
}
