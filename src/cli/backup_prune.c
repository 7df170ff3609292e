// SPDX-License-Identifier: Apache-2.0
/* Removing from a backup: what an interrupted run left, old points, and segments nobody needs. */
#include "cli/backup.h"

#include "base/abnf.h"
#include "base/scan.h"
#include "store/disk.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- what was interrupted ---- */

struct leftovers {
	const struct backup *b;
	struct vec names; /* char * */
};

static int note_leftover(void *arg, const char *name)
{
	struct leftovers *l = arg;
	struct str s = str_from(name);
	bool part = str_ends_nocase(s, STR(".part"));
	bool ledger = str_ends_nocase(s, STR(".ledger"));
	if (!part && !ledger)
		return 0;
	VEC_EACH (struct point, p, &l->b->points)
		if (ledger && str_equal(str_sub(s, 0, POINT_NAME_BYTES), str_from(p->name)))
			return 0;
	char *copy = xstrdup(name);
	return vec_push(&l->names, &copy) == NULL;
}

void backup_clean(struct backup *b)
{
	struct leftovers l = { .b = b };
	char path[BACKUP_NAME_BYTES];
	vec_init(&l.names, sizeof(char *), 100000);
	(void)b->files->list(b->files, "points", note_leftover, &l);
	VEC_EACH (char *, name, &l.names) {
		snprintf(path, sizeof(path), "points/%s", *name);
		(void)b->files->unlink(b->files, path);
		free(*name);
	}
	vec_done(&l.names);
}

/* ---- segments ---- */

struct used {
	uint8_t history[16];
	uint32_t number;
};

static int by_place(const void *a, const void *b)
{
	const struct used *x = a, *y = b;
	int order = memcmp(x->history, y->history, sizeof(x->history));
	if (order)
		return order;
	return x->number < y->number ? -1 : x->number > y->number;
}

static int collect_used(const struct backup *b, struct vec *used, struct err *err)
{
	int rc = 0;
	VEC_EACH (struct point, p, &b->points) {
		struct manifest m;
		rc = backup_manifest(b, p, &m, err);
		struct used u;
		memcpy(u.history, m.history, sizeof(u.history));
		VEC_EACH (struct manifest_file, f, &m.segments) {
			u.number = f->number;
			if (rc == 0 && vec_push(used, &u) == NULL)
				rc = fail(err, ERR_LIMIT, "too many segments");
		}
		manifest_done(&m);
		if (rc < 0)
			break;
	}
	if (used->n)
		qsort(used->p, used->n, sizeof(struct used), by_place);
	return rc;
}

struct sweep {
	const struct vec *used;
	struct vec names; /* char *: folders, or files to remove */
	struct used at;
};

static int note_folder(void *arg, const char *name)
{
	struct sweep *w = arg;
	if (!str_starts(str_from(name), STR("segments-")) || strlen(name) != 9 + 32)
		return 0;
	char *copy = xstrdup(name);
	return vec_push(&w->names, &copy) == NULL;
}

/* Also what an interrupted copy of a segment left. */
static int note_unused(void *arg, const char *name)
{
	struct sweep *w = arg;
	struct scan s = scan_from(str_from(name));
	uint64_t number;
	if (scan_digits(&s, 8, &number) && scan_end(&s)) {
		w->at.number = (uint32_t)number;
		if (w->used->n && bsearch(&w->at, w->used->p, w->used->n, sizeof(w->at), by_place))
			return 0;
	} else if (!str_ends_nocase(str_from(name), STR(".part"))) {
		return 0;
	}
	char *copy = xstrdup(name);
	return vec_push(&w->names, &copy) == NULL;
}

static void sweep_folder(struct backup *b, const struct vec *used, const char *folder)
{
	struct sweep w = { .used = used };
	char path[2 * BACKUP_NAME_BYTES];
	vec_init(&w.names, sizeof(char *), 1 << 20);
	snprintf(path, sizeof(path), "%s/blobs", folder);
	if (abnf_hex_bytes(
		    str_sub(str_from(folder), 9, 9 + 32), w.at.history, sizeof(w.at.history)))
		(void)b->files->list(b->files, path, note_unused, &w);
	VEC_EACH (char *, name, &w.names) {
		snprintf(path, sizeof(path), "%s/blobs/%s", folder, *name);
		(void)b->files->unlink(b->files, path);
		free(*name);
	}
	vec_done(&w.names);
}

static int sweep_segments(struct backup *b, struct err *err)
{
	struct vec used;
	struct sweep w = { .used = &used };
	vec_init(&used, sizeof(struct used), 1 << 24);
	vec_init(&w.names, sizeof(char *), 100000);
	int rc = collect_used(b, &used, err);
	if (rc == 0)
		(void)b->files->list(b->files, ".", note_folder, &w);
	VEC_EACH (char *, name, &w.names) {
		sweep_folder(b, &used, *name);
		free(*name);
	}
	vec_done(&w.names);
	vec_done(&used);
	return rc;
}

/* ---- points ---- */

/* The manifest first, and durably: then the rest is of no use to anybody. */
static int remove_point(struct backup *b, const struct point *p, struct err *err)
{
	char name[BACKUP_NAME_BYTES];
	int rc = b->files->unlink(b->files, backup_point_name(name, p, ".manifest"));
	if (rc == 0)
		rc = b->files->sync_directory(b->files, "points");
	if (rc < 0)
		return FAIL_SEAM(err, rc, "can't remove the point %s", p->name);
	(void)b->files->unlink(b->files, backup_point_name(name, p, ".ledger"));
	return 0;
}

int backup_prune(struct backup *b, size_t keep, size_t *ret_removed, struct err *err)
{
	*ret_removed = 0;
	while (b->points.n > keep) {
		struct point oldest = *(struct point *)vec_at(&b->points, 0);
		if (remove_point(b, &oldest, err) < 0)
			return -1;
		vec_remove(&b->points, 0);
		++*ret_removed;
	}
	return *ret_removed ? sweep_segments(b, err) : 0;
}
