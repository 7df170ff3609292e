// SPDX-License-Identifier: Apache-2.0
/*
 * culver store restore: the whole store as it was at a point in time. It is put together beside the
 * old one and takes its place by rename; the old directory is kept aside. The store itself begins
 * the new history when it is opened (store/restored.h).
 */
#include "cli/backup.h"
#include "cli/cli.h"
#include "cli/remote.h"
#include "cli/restore.h"

#include "base/time.h"
#include "process/os.h"
#include "store/disk.h"
#include "store/ledger_verify.h"
#include "store/restored.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4300 };

struct restoring {
	const struct options *o;
	struct config *config;
	struct backup *b;
	struct point point;
	struct manifest m;
	struct identity who;
	struct restored mark;
	struct backup to; /* the new directory, as far as a sink needs it */
	char data[PATH_BYTES], parent[PATH_BYTES]; /* parent: with its slash */
	char fresh[PATH_BYTES + 20], aside[PATH_BYTES + 40];
	uint64_t bytes;
	unsigned damaged;
};

/* ---- directories ---- */

/* The store's directory as restore makes it: files, and blobs/ with files. */
static int remove_directory(const char *path, bool with_blobs, struct err *err)
{
	char name[PATH_BYTES + 300];
	DIR *d = opendir(path);
	if (d == NULL)
		return errno == ENOENT ? 0 : fail_errno(err, "can't open %s", path);
	int rc = 0;
	for (const struct dirent *e; rc == 0 && (e = readdir(d)) != NULL;) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		if (with_blobs && strcmp(e->d_name, "blobs") == 0)
			rc = remove_directory(name, false, err);
		else if (unlink(name) < 0)
			rc = fail_errno(err, "can't remove %s", name);
	}
	closedir(d);
	if (rc == 0 && rmdir(path) < 0)
		rc = fail_errno(err, "can't remove %s", path);
	return rc;
}

/* (lchown: root follows no link that the server's user has put there.) */
static int make_directory(const struct restoring *r, const char *path, struct err *err)
{
	if (mkdir(path, 0700) < 0 ||
		(r->who.uid >= 0 && lchown(path, (uid_t)r->who.uid, (gid_t)r->who.gid) < 0))
		return fail_errno(err, "can't make %s", path);
	return 0;
}

static int own_file(const struct restoring *r, const char *name, struct err *err)
{
	char path[PATH_BYTES + 100];
	snprintf(path, sizeof(path), "%s/%s", r->fresh, name);
	if (r->who.uid >= 0 && lchown(path, (uid_t)r->who.uid, (gid_t)r->who.gid) < 0)
		return fail_errno(err, "can't give %s its owner", path);
	return 0;
}

static int sync_path(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0) {
		int rc = fail_errno(err, "can't flush %s", path);
		if (fd >= 0)
			close(fd);
		return rc;
	}
	close(fd);
	return 0;
}

/* ---- files ---- */

/* A file of the backup into one of the new directory. 1: it is not what was written; what there is
 * of it has been copied, and damage in a segment costs only the messages that it hits. */
static int copy_file(struct restoring *r, const char *from, const struct manifest_file *f,
	const char *to, struct err *err)
{
	uint8_t sum[SHA256_BYTES];
	struct backup_sink sink;
	if (backup_sink_open(&sink, &r->to, to, 0, NULL, err) < 0)
		return -1;
	backup_copy(r->b, from, f->length, &sink);
	uint64_t copied = sink.at;
	r->bytes += copied;
	if (backup_sink_close(&sink, copied, sum, err) < 0 || own_file(r, to, err) < 0)
		return -1;
	if (copied == f->length && memcmp(sum, f->sha256, sizeof(sum)) == 0)
		return 0;
	fail_log(err, ERR_CORRUPT, "%s of the backup is not what was written", from);
	return 1;
}

/* Of another length than a segment that is written to has (docs/store.md, "Segments"): nothing is
 * put behind what is there, where the lost past may have put something else. */
static int seal_last(struct restoring *r, const char *name, uint64_t length, struct err *err)
{
	enum { BLOCK = 4096, SEALING = 8 };
	if (length % BLOCK)
		return 0;
	int file = r->to.files->open(r->to.files, name, O_RDWR, 0);
	int rc = file < 0 ? file
			  : r->to.files->truncate(r->to.files, file, (off_t)(length + SEALING));
	if (rc == 0)
		rc = r->to.files->fsync(r->to.files, file);
	if (file >= 0)
		(void)r->to.files->close(r->to.files, file);
	return rc < 0 ? FAIL_SEAM(err, rc, "can't seal %s", name) : 0;
}

static int copy_segments(struct restoring *r, struct err *err)
{
	char from[BACKUP_NAME_BYTES], to[64] = "";
	uint64_t length = 0;
	VEC_EACH (struct manifest_file, f, &r->m.segments) {
		snprintf(to, sizeof(to), "blobs/%08u", f->number);
		backup_segment(from, r->m.history, f->number, "");
		int rc = copy_file(r, from, f, to, err);
		if (rc < 0)
			return -1;
		if (rc > 0) {
			fprintf(stderr, "damage: %s\n", err_log_text(err));
			*err = (struct err)ERR_INIT;
			r->damaged++;
		}
		length = f->length;
	}
	return to[0] ? seal_last(r, to, length, err) : 0;
}

static int write_mark(struct restoring *r, struct err *err)
{
	uint8_t ignored[SHA256_BYTES];
	struct backup_sink sink;
	AUTO(buf_done)
	struct buf text;
	buf_init(&text, 256);
	random_os()->fill(random_os(), r->mark.history, sizeof(r->mark.history));
	restored_write(&r->mark, &text);
	if (backup_sink_open(&sink, &r->to, RESTORED_MARK, 0, NULL, err) < 0)
		return -1;
	backup_sink_add(&sink, buf_str(&text));
	if (backup_sink_close(&sink, text.n, ignored, err) < 0)
		return -1;
	return own_file(r, RESTORED_MARK, err);
}

/* The new directory, whole and flushed. */
static int fill(struct restoring *r, struct err *err)
{
	char from[BACKUP_NAME_BYTES], blobs[sizeof(r->fresh) + 8];
	snprintf(blobs, sizeof(blobs), "%s/blobs", r->fresh);
	if (remove_directory(r->fresh, true, err) < 0 || make_directory(r, r->fresh, err) < 0 ||
		make_directory(r, blobs, err) < 0)
		return -1;
	r->to.files = files_os_new(r->fresh, err);
	r->to.hashes = r->b->hashes;
	if (r->to.files == NULL)
		return -1;
	if (copy_file(r, backup_point_name(from, &r->point, ".ledger"), &r->m.ledger, "ledger.db",
		    err) != 0 ||
		ledger_verify(r->to.files, "ledger.db", err) < 0 || copy_segments(r, err) < 0 ||
		write_mark(r, err) < 0)
		return -1;
	return sync_path(blobs, err) < 0 ? -1 : sync_path(r->fresh, err);
}

/* ---- taking the old one's place ---- */

/* 1: there is a store with something in it. */
static bool has_data(const struct restoring *r)
{
	char name[PATH_BYTES + 20];
	struct stat s;
	snprintf(name, sizeof(name), "%s/ledger.db", r->data);
	if (stat(name, &s) == 0)
		return true;
	snprintf(name, sizeof(name), "%s/blobs/00000001", r->data);
	return stat(name, &s) == 0;
}

static int swap(struct restoring *r, struct err *err)
{
	struct stat s;
	bool old = stat(r->data, &s) == 0;
	if (old && rename(r->data, r->aside) < 0)
		return fail_errno(err, "can't rename %s", r->data);
	if (rename(r->fresh, r->data) < 0) {
		(void)fail_errno(err, "can't rename %s", r->fresh);
		if (old)
			(void)rename(r->aside, r->data);
		return -1;
	}
	return sync_path(r->parent, err);
}

struct known {
	struct frame_store_status_is status;
};

static void keep_status(void *arg, const struct frame *frame)
{
	struct known *k = arg;
	if (frame->type == FRAME_STORE_STATUS_IS)
		k->status = frame->store_status_is;
}

/* Asks the store of the stopped server. */
static int ask_status(struct restoring *r, struct known *k, struct err *err)
{
	struct frame f = { .type = FRAME_STORE_STATUS };
	AUTO(remote_close)
	struct remote *remote = remote_open(options_config(r->o), false, err);
	return remote ? remote_ask(remote, REMOTE_STORE, &f, keep_status, k, err) : -1;
}

/* The directory of the store by its own name: where data is a symbolic link, what it leads to, so
 * that the new store is on the disk of the old one. */
static int name_data(struct restoring *r, struct err *err)
{
	struct stat s;
	struct statx x;
	snprintf(r->data, sizeof(r->data), "%s/data", r->config->directory);
	if (lstat(r->data, &s) == 0 && S_ISLNK(s.st_mode)) {
		char *real = realpath(r->data, NULL);
		if (real == NULL)
			return fail_errno(err,
				"%s is a link to what is not there (is its disk mounted?)",
				r->data);
		snprintf(r->data, sizeof(r->data), "%s", real);
		free(real);
	}
	snprintf(r->parent, sizeof(r->parent), "%.*s", (int)(strrchr(r->data, '/') - r->data) + 1,
		r->data);
	if (statx(AT_FDCWD, r->data, 0, 0, &x) == 0 && x.stx_attributes & STATX_ATTR_MOUNT_ROOT)
		return fail(err, ERR_CONFIG,
			"%s is where a disk is mounted, and a restore puts another directory into "
			"its place: mount the disk elsewhere, and make %s/data a link to a "
			"directory on it",
			r->data, r->config->directory);
	return 0;
}

static void name_paths(struct restoring *r)
{
	struct time_text text;
	struct clock_seam *clock = clock_os();
	time_iso8601(&text, clock->wall_ms(clock));
	snprintf(r->fresh, sizeof(r->fresh), "%s.restoring", r->data);
	snprintf(r->aside, sizeof(r->aside), "%s.before-%.19s", r->data, text.text);
	/* A second restore within the second keeps the first one's. */
	for (int n = 2; n < 100 && access(r->aside, F_OK) == 0; n++)
		snprintf(r->aside, sizeof(r->aside), "%s.before-%.19s.%d", r->data, text.text, n);
}

static int restore(struct restoring *r, struct known *k, struct err *err)
{
	const char *note;
	struct err ignored = ERR_INIT;
	r->config = config_load(options_config(r->o), err);
	if (r->config == NULL || remote_must_be_stopped(r->config, err) < 0)
		return -1;
	r->who = os_identity(r->config, &note);
	if (name_data(r, err) < 0)
		return -1;
	name_paths(r);
	bool data = has_data(r);
	if (data && !r->o->replace)
		return fail(err, ERR_EXISTS,
			"there is a store in %s; --replace restores all the same and keeps it "
			"aside",
			r->data);
	r->b = backup_open(r->o->args[0], false, err);
	if (r->b == NULL || backup_point(r->b, r->o->point, &r->point, err) < 0 ||
		backup_manifest(r->b, &r->point, &r->m, err) < 0)
		return -1;
	/* What the store that goes has given, when it can still say so. */
	if (data && ask_status(r, k, &ignored) == 0)
		r->mark.uidvalidity = k->status.uidvalidity;
	int lock = os_lock(r->config, err);
	if (lock < 0)
		return -1;
	int rc = fill(r, err);
	/* What there is of it is of no use to anybody, and may be what fills the disk. */
	if (rc < 0)
		(void)remove_directory(r->fresh, true, &ignored);
	else
		rc = swap(r, err);
	close(lock);
	return rc < 0 ? -1 : ask_status(r, k, err);
}

int restore_store(const struct options *o)
{
	struct err err = ERR_INIT;
	struct restoring r = { .o = o };
	struct known k = { .status = { .accounts = 0 } };
	manifest_init(&r.m);
	int rc = restore(&r, &k, &err);
	if (rc == 0 && o->json)
		printf("{\"point\":\"%s\",\"bytes\":%" PRIu64 ",\"accounts\":%" PRIu64
		       ",\"messages\":%" PRIu64 ",\"damaged\":%u}\n",
			r.point.name, r.bytes, k.status.accounts, k.status.messages, r.damaged);
	else if (rc == 0)
		printf("restored to %s: %" PRIu64 " accounts, %" PRIu64 " messages, %" PRIu64
		       " bytes\n",
			r.point.name, k.status.accounts, k.status.messages, r.bytes);
	if (rc == 0 && r.damaged)
		fprintf(stderr,
			"culver %s: %u files of the backup are damaged; run culver store check\n",
			o->command, r.damaged);
	files_os_free(&r.to.files);
	backup_close(&r.b);
	manifest_done(&r.m);
	config_free(&r.config);
	if (rc < 0)
		return cli_fail(o, &err);
	return r.damaged ? EXIT_DAMAGE : EXIT_GOOD;
}
