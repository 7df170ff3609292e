// SPDX-License-Identifier: Apache-2.0
/*
 * culver store backup, store points. The command writes the backup itself, with the rights of who
 * started it: the store, which can't leave its directory, hands it the bytes over the channel. A
 * point in time is there once its manifest is, which is written last; what an interrupted run has
 * copied whole is used by the next.
 */
#include "cli/backup.h"
#include "cli/cli.h"
#include "cli/remote.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/scan.h"
#include "base/time.h"
#include "store/disk.h"
#include "store/ledger_verify.h"

#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Asked for at a time: what is flushed at once, and lost when the run is interrupted. */
enum { PIECE_BYTES = 16 * 1024 * 1024 };
/* Many backups within seconds have names of the next ones. */
enum { LATE_MS = 60000 };

struct making {
	const struct options *o;
	struct remote *remote;
	struct backup *b;
	struct manifest now, last;
	bool have_last;     /* a point of the same history */
	bool damaged;       /* a newer one, or all of them */
	struct vec extents; /* struct api_backup_segment */
	uint64_t copied_bytes, total_bytes;
	uint32_t new_segments;
	struct point point;
	bool tell;
	int64_t told_ms;
};

/* ---- the store's side of it ---- */

static void on_begin(void *arg, const struct frame *frame)
{
	struct making *m = arg;
	if (frame->type == FRAME_BACKUP_IS) {
		const struct frame_backup_is *is = &frame->backup_is;
		m->now.epoch = is->epoch;
		m->now.schema = is->schema;
		m->now.ledger.length = is->ledger_bytes;
		if (is->store_id.n == 16 && is->history.n == 16) {
			memcpy(m->now.store_id, is->store_id.p, 16);
			memcpy(m->now.history, is->history.p, 16);
		}
	}
	if (frame->type == FRAME_BACKUP_SEGMENTS)
		for (size_t i = 0; i < frame->backup_segments.segments.n; i++)
			vec_push(&m->extents, &frame->backup_segments.segments.items[i]);
}

struct receiving {
	struct making *m;
	struct backup_sink *sink;
};

static void progress(struct making *m)
{
	struct clock_seam *clock = clock_os();
	int64_t now = clock->monotonic_ms(clock);
	if (!m->tell || now < m->told_ms + 500)
		return;
	m->told_ms = now;
	fprintf(stderr, "\r%" PRIu64 " of at most %" PRIu64 " MiB copied", m->copied_bytes >> 20,
		m->total_bytes >> 20);
}

static void on_bytes(void *arg, const struct frame *frame)
{
	struct receiving *r = arg;
	if (frame->type != FRAME_BACKUP_BYTES)
		return;
	backup_sink_add(r->sink, frame->backup_bytes.data);
	r->m->copied_bytes += frame->backup_bytes.data.n;
	progress(r->m);
}

/* Bytes sink->at … length of a segment (0: the ledger) into the sink, and ends it. */
static int fetch(struct making *m, struct backup_sink *sink, uint32_t segment, uint64_t length,
	uint8_t ret[SHA256_BYTES], struct err *err)
{
	struct receiving r = { .m = m, .sink = sink };
	int rc = 0;
	while (rc == 0 && sink->at < length) {
		uint64_t before = sink->at, left = length - before;
		struct frame ask = { .type = FRAME_BACKUP_READ,
			.backup_read = {
				segment, before, left < PIECE_BYTES ? left : PIECE_BYTES } };
		rc = remote_ask(m->remote, REMOTE_STORE, &ask, on_bytes, &r, err);
		if (rc == 0)
			rc = backup_sink_flush(sink, err);
		if (rc == 0 && sink->at == before)
			break; /* shorter than was said: the end of the sink tells */
	}
	if (rc < 0)
		sink->err = *err;
	return backup_sink_close(sink, length, ret, err);
}

/* ---- one segment ---- */

static int rename_part(struct making *m, const char *from, const char *to, struct err *err)
{
	int rc = m->b->files->rename(m->b->files, from, to);
	return rc < 0 ? FAIL_SEAM(err, rc, "can't rename %s", from) : 0;
}

static int copy_whole(struct making *m, struct manifest_file *f, struct err *err)
{
	char name[BACKUP_NAME_BYTES], part[BACKUP_NAME_BYTES];
	struct backup_sink sink;
	backup_segment(name, m->now.history, f->number, "");
	backup_segment(part, m->now.history, f->number, ".part");
	m->new_segments++;
	if (backup_sink_open(&sink, m->b, part, 0, NULL, err) < 0 ||
		fetch(m, &sink, f->number, f->length, f->sha256, err) < 0)
		return -1;
	return rename_part(m, part, name, err);
}

/* What is there already stays, and is read once more on the way; the rest goes behind it. 1: what
 * is there is not what it was. */
static int copy_rest(struct making *m, const struct manifest_file *known, struct manifest_file *f,
	struct err *err)
{
	char name[BACKUP_NAME_BYTES];
	struct backup_sink sink;
	backup_segment(name, m->now.history, f->number, "");
	if (backup_sink_open(&sink, m->b, name, known->length, known->sha256, err) < 0)
		return err->kind == ERR_CORRUPT ? 1 : -1;
	return fetch(m, &sink, f->number, f->length, f->sha256, err);
}

/* A segment that is as long as it was: nothing to copy. One that the last point does not know was
 * copied whole by a run that was interrupted later, or is shorter since a torn batch was cut off.
 */
static int take_as_is(struct making *m, const struct manifest_file *known, struct manifest_file *f,
	struct err *err)
{
	char name[BACKUP_NAME_BYTES];
	if (known && known->length == f->length) {
		memcpy(f->sha256, known->sha256, sizeof(f->sha256));
		return 0;
	}
	return backup_hash(m->b, backup_segment(name, m->now.history, f->number, ""), f->length,
		f->sha256, err);
}

static int copy_segment(struct making *m, struct manifest_file *f, struct err *err)
{
	char name[BACKUP_NAME_BYTES];
	const struct manifest_file *known = m->have_last ? manifest_find(&m->last, f->number)
							 : NULL;
	int64_t there = backup_size(m->b, backup_segment(name, m->now.history, f->number, ""));
	uint64_t size = there < 0 ? 0 : (uint64_t)there;
	if (there < 0 || size < (known ? known->length : f->length) || (!known && m->damaged))
		return copy_whole(m, f, err);
	if (known ? known->length >= f->length : size == f->length)
		return take_as_is(m, known, f, err);
	if (known == NULL)
		return copy_whole(m, f, err);
	int rc = copy_rest(m, known, f, err);
	if (rc <= 0)
		return rc;
	fprintf(stderr, "culver store backup: %s; copied anew\n", err_log_text(err));
	*err = (struct err)ERR_INIT;
	return copy_whole(m, f, err);
}

static int make_folder(struct making *m, struct err *err)
{
	char name[BACKUP_NAME_BYTES];
	struct files_seam *files = m->b->files;
	backup_folder(name, m->now.history, "");
	int rc = files->mkdir(files, name, 0700);
	if (rc == 0 || rc == -EEXIST)
		rc = files->sync_directory(files, "");
	backup_folder(name, m->now.history, "/blobs");
	if (rc == 0)
		rc = files->mkdir(files, name, 0700);
	return rc < 0 && rc != -EEXIST ? FAIL_SEAM(err, rc, "can't make %s", name) : 0;
}

static int copy_segments(struct making *m, struct err *err)
{
	char name[BACKUP_NAME_BYTES];
	if (make_folder(m, err) < 0)
		return -1;
	VEC_EACH (struct api_backup_segment, x, &m->extents) {
		struct manifest_file f = { .number = x->number, .length = x->length };
		if (copy_segment(m, &f, err) < 0)
			return -1;
		vec_push(&m->now.segments, &f);
	}
	backup_folder(name, m->now.history, "");
	int rc = m->b->files->sync_directory(m->b->files, name);
	backup_folder(name, m->now.history, "/blobs");
	if (rc == 0)
		rc = m->b->files->sync_directory(m->b->files, name);
	return rc < 0 ? FAIL_SEAM(err, rc, "can't flush %s", name) : 0;
}

/* ---- the point ---- */

static void name_point(struct making *m)
{
	struct time_text text;
	time_iso8601(&text, m->now.time_ms);
	snprintf(m->point.name, sizeof(m->point.name), "%.19sZ", text.text);
	for (char *p = m->point.name; *p; p++)
		if (*p == ':')
			*p = '-';
}

/* What name_point has made a name of. */
static int64_t time_of_point(const struct point *p)
{
	uint64_t n[6] = { 0 };
	int64_t ms = 0;
	struct scan s = scan_from(str_from(p->name));
	for (size_t i = 0; i < ARRAY_LEN(n); i++) {
		scan_digits(&s, i == 0 ? 4 : 2, &n[i]);
		scan_char(&s, i == 2 ? 'T' : '-');
	}
	struct civil c = { .year = (int)n[0],
		.month = (int)n[1],
		.day = (int)n[2],
		.hour = (int)n[3],
		.minute = (int)n[4],
		.second = (int)n[5] };
	return time_from_civil(&c, &ms) ? ms : 0;
}

/* Names are the order of points: what is newest and what --keep leaves. So a new one is behind all
 * that are there, even after the clock has been set back. */
static void choose_name(struct making *m)
{
	struct point newest;
	struct err none = ERR_INIT;
	name_point(m);
	if (backup_point(m->b, NULL, &newest, &none) < 0 || strcmp(m->point.name, newest.name) > 0)
		return;
	int64_t behind_ms = time_of_point(&newest) + 1000;
	if (behind_ms > m->now.time_ms + LATE_MS)
		fprintf(stderr,
			"culver store backup: warning: the clock has been set back, or the point "
			"%s was made when it was wrong; the new one is named behind it\n",
			newest.name);
	m->now.time_ms = behind_ms;
	name_point(m);
}

static int copy_ledger(struct making *m, struct err *err)
{
	char name[BACKUP_NAME_BYTES];
	struct backup_sink sink;
	backup_point_name(name, &m->point, ".ledger");
	if (backup_sink_open(&sink, m->b, name, 0, NULL, err) < 0)
		return -1;
	return fetch(m, &sink, 0, m->now.ledger.length, m->now.ledger.sha256, err);
}

/* A damaged ledger is copied as it is: it is no point, and drives out none that is good. */
static int verify_ledger(struct making *m, struct err *err)
{
	char name[BACKUP_NAME_BYTES];
	backup_point_name(name, &m->point, ".ledger");
	if (ledger_verify(m->b->files, name, err) == 0)
		return 0;
	(void)m->b->files->unlink(m->b->files, name);
	if (err->kind != ERR_CORRUPT)
		return -1;
	struct err why = *err;
	*err = (struct err)ERR_INIT;
	return fail_log(err, ERR_CORRUPT,
		"the store's ledger is damaged; no point was made, and none removed: run culver "
		"store check (%.150s)",
		err_log_text(&why));
}

/* Last, and flushed before it has its name: from then on the point is there. */
static int write_manifest(struct making *m, struct err *err)
{
	char name[BACKUP_NAME_BYTES], part[BACKUP_NAME_BYTES];
	uint8_t ignored[SHA256_BYTES];
	struct backup_sink sink;
	AUTO(buf_done)
	struct buf text;
	buf_init(&text, LIMIT_MANIFEST_BYTES);
	backup_point_name(name, &m->point, ".manifest");
	backup_point_name(part, &m->point, ".manifest.part");
	if (!manifest_write(&m->now, &text))
		return fail(err, ERR_LIMIT, "the store has too many segments for one backup");
	if (backup_sink_open(&sink, m->b, part, 0, NULL, err) < 0)
		return -1;
	backup_sink_add(&sink, buf_str(&text));
	if (backup_sink_close(&sink, text.n, ignored, err) < 0 ||
		rename_part(m, part, name, err) < 0)
		return -1;
	int rc = m->b->files->sync_directory(m->b->files, "points");
	if (rc < 0)
		return FAIL_SEAM(err, rc, "can't flush the points' directory");
	vec_push(&m->b->points, &m->point);
	return 0;
}

/* Of another store the directory is not touched. */
static int compare_last(struct making *m, struct err *err)
{
	if (memcmp(m->last.store_id, m->now.store_id, sizeof(m->now.store_id)) != 0)
		return fail(err, ERR_CONFIG, "the directory holds the backup of another store");
	m->have_last = memcmp(m->last.history, m->now.history, sizeof(m->now.history)) == 0;
	return 0;
}

/* The newest point whose manifest can be read. One that can't is lost, and is told; the points to
 * come are not. */
static int look_back(struct making *m, struct err *err)
{
	for (size_t i = m->b->points.n; i > 0; i--) {
		manifest_done(&m->last);
		if (backup_manifest(m->b, vec_at(&m->b->points, i - 1), &m->last, err) == 0)
			return compare_last(m, err);
		if (err->kind != ERR_CORRUPT)
			return -1;
		m->damaged = true;
		fprintf(stderr, "culver %s: %s: the point is lost; remove this file\n",
			m->o->command, err_log_text(err));
		*err = (struct err)ERR_INIT;
	}
	return 0;
}

static int make_point(struct making *m, struct err *err)
{
	struct frame begin = { .type = FRAME_BACKUP_BEGIN }, end = { .type = FRAME_BACKUP_END };
	struct clock_seam *clock = clock_os();
	backup_clean(m->b);
	m->now.time_ms = clock->wall_ms(clock);
	choose_name(m);
	if (remote_ask(m->remote, REMOTE_STORE, &begin, on_begin, m, err) < 0 ||
		look_back(m, err) < 0)
		return -1;
	m->total_bytes = m->now.ledger.length;
	VEC_EACH (struct api_backup_segment, x, &m->extents)
		m->total_bytes += x->length;
	if (copy_segments(m, err) < 0 || copy_ledger(m, err) < 0 || verify_ledger(m, err) < 0 ||
		write_manifest(m, err) < 0)
		return -1;
	return remote_ask(m->remote, REMOTE_STORE, &end, NULL, NULL, err);
}

/* ---- the commands ---- */

static int read_keep(const struct options *o, size_t *ret, struct err *err)
{
	uint64_t n = 0;
	struct scan s = scan_from(str_from(o->keep ? o->keep : ""));
	if (o->keep && (!scan_number(&s, 100000, &n) || !scan_end(&s) || n == 0))
		return fail(err, ERR_SYNTAX, "--keep is a number from 1 to 100000");
	*ret = (size_t)n;
	return 0;
}

static void print_made(const struct making *m, size_t removed)
{
	if (m->tell)
		fprintf(stderr, "\n");
	if (m->o->json)
		printf("{\"point\":\"%s\",\"segments\":%zu,\"new_segments\":%u,\"copied_bytes\":"
		       "%" PRIu64 ",\"ledger_bytes\":%" PRIu64 ",\"points\":%zu,\"removed\":%zu}\n",
			m->point.name, m->now.segments.n, m->new_segments, m->copied_bytes,
			m->now.ledger.length, m->b->points.n, removed);
	else
		printf("%s: %zu segments, %u of them new; %" PRIu64 " bytes copied; %zu points\n",
			m->point.name, m->now.segments.n, m->new_segments, m->copied_bytes,
			m->b->points.n);
}

/* Where it is, or will be: its parent has a name already. */
static bool is_below(const char *path, const char *directory)
{
	AUTO(mem_free_p)
	char *copy = xstrdup(path);
	char real[PATH_MAX], top[PATH_MAX];
	if (realpath(directory, top) == NULL ||
		(realpath(path, real) == NULL && realpath(dirname(copy), real) == NULL))
		return false;
	size_t n = strlen(top);
	return strncmp(real, top, n) == 0 && (real[n] == '/' || real[n] == '\0');
}

/* A backup in data/ would go when data/ does, and the server could not start: it is not its user's.
 */
static int refuse_own_data(const struct options *o, struct err *err)
{
	char data[PATH_MAX];
	AUTO(config_free)
	struct config *c = config_load_directory(options_config(o));
	if (c == NULL)
		return 0; /* what is wrong is told by who asks the server */
	snprintf(data, sizeof(data), "%s/data", c->directory);
	if (is_below(o->args[0], data))
		return fail(err, ERR_CONFIG,
			"%s is in %s, the directory of a server, with its mail: name another one",
			o->args[0], data);
	return 0;
}

static int backup(struct making *m, size_t keep, struct err *err)
{
	size_t removed = 0;
	if (refuse_own_data(m->o, err) < 0)
		return -1;
	m->b = backup_open(m->o->args[0], true, err);
	if (m->b == NULL)
		return -1;
	m->remote = remote_open(options_config(m->o), false, err);
	if (m->remote == NULL || make_point(m, err) < 0)
		return -1;
	int rc = keep ? backup_prune(m->b, keep, &removed, err) : 0;
	print_made(m, removed);
	return rc;
}

int cmd_store_backup(const struct options *o)
{
	struct err err = ERR_INIT;
	size_t keep;
	struct making m = { .o = o, .tell = !o->json && isatty(STDERR_FILENO) };
	if (o->args_n != 1)
		return cli_usage(o, "[-c FILE] [--keep N] [--json] DIRECTORY");
	if (read_keep(o, &keep, &err) < 0)
		return cli_fail(o, &err);
	manifest_init(&m.now);
	manifest_init(&m.last);
	vec_init(&m.extents, sizeof(struct api_backup_segment), 1 << 20);
	int rc = backup(&m, keep, &err);
	remote_close(&m.remote);
	backup_close(&m.b);
	manifest_done(&m.now);
	manifest_done(&m.last);
	vec_done(&m.extents);
	if (rc < 0)
		return cli_fail(o, &err);
	return m.damaged ? EXIT_DAMAGE : EXIT_GOOD;
}

/* ---- points ---- */

static void print_damage(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "damage: %s\n", line);
}

/* 1: it is damaged. */
static int print_point(
	const struct options *o, const struct backup *b, const struct point *p, bool first)
{
	struct manifest m;
	struct err err = ERR_INIT;
	uint64_t bytes = 0;
	int found = backup_manifest(b, p, &m, &err);
	VEC_EACH (struct manifest_file, f, &m.segments)
		bytes += f->length;
	if (found == 0 && o->verify)
		found = backup_verify(b, p, print_damage, NULL, &err);
	if (found < 0)
		print_damage(NULL, err_log_text(&err));
	if (o->json)
		printf("%s{\"point\":\"%s\",\"epoch\":%" PRIu64
		       ",\"schema\":%u,\"segments\":%zu,\"bytes\":%" PRIu64 ",\"damaged\":%s}",
			first ? "" : ",", p->name, m.epoch, m.schema, m.segments.n,
			bytes + m.ledger.length, found ? "true" : "false");
	else
		printf("%s %zu segments, %" PRIu64 " bytes%s\n", p->name, m.segments.n,
			bytes + m.ledger.length,
			found       ? " DAMAGED"
			: o->verify ? ", verified"
				    : "");
	manifest_done(&m);
	return found != 0;
}

int cmd_store_points(const struct options *o)
{
	struct err err = ERR_INIT;
	bool first = true, damaged = false;
	if (o->args_n != 1)
		return cli_usage(o, "[--verify] [--json] DIRECTORY");
	AUTO(backup_close)
	struct backup *b = backup_open(o->args[0], false, &err);
	if (b == NULL)
		return cli_fail(o, &err);
	if (o->json)
		printf("{\"points\":[");
	VEC_EACH (struct point, p, &b->points) {
		if (print_point(o, b, p, first))
			damaged = true;
		first = false;
	}
	if (o->json)
		printf("]}\n");
	return damaged ? EXIT_DAMAGE : EXIT_GOOD;
}
