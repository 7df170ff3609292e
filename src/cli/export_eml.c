// SPDX-License-Identifier: Apache-2.0
/* culver export as .eml files in a tar: MAILBOX/UID.eml, byte for byte, with the date as the file's
 * time; and index.tsv at its end, which says of each its date, flags and keywords. */
#include "cli/export.h"

#include "base/limits.h"
#include "base/seams.h"
#include "base/time.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

struct export_writer {
	int file;
	struct str mailbox;
	struct buf path, block, index;
};

static struct export_writer *eml_open(int target, struct err *err)
{
	struct export_writer *w = xmalloc(sizeof(*w));
	(void)err;
	w->file = target;
	buf_init(&w->path, 4 * LIMIT_MAILBOX_NAME_BYTES);
	buf_init(&w->block, 64 << 10);
	buf_init(&w->index, (size_t)1 << 32);
	buf_addz(&w->index, "file\tdate\tflags\tkeywords\n");
	return w;
}

static void eml_free(struct export_writer **writer)
{
	struct export_writer *w = *writer;
	if (w == NULL)
		return;
	buf_done(&w->path);
	buf_done(&w->block);
	buf_done(&w->index);
	free(w);
	*writer = NULL;
}

static int eml_mailbox(struct export_writer *w, const struct api_mailbox *mailbox,
	const struct frame_view_is *view, bool has_children, struct err *err)
{
	(void)has_children;
	(void)view;
	(void)err;
	w->mailbox = mailbox->name;
	return 0;
}

static int add_file(struct export_writer *w, struct str path, struct str bytes, int64_t time_ms,
	struct err *err)
{
	static const char zeros[TAR_BLOCK] = { 0 };
	buf_clear(&w->block);
	if (!tar_header(path, bytes.n, time_ms, &w->block))
		return fail(err, ERR_LIMIT, "a name is too long");
	if (export_write(w->file, buf_str(&w->block), err) < 0 ||
		export_write(w->file, bytes, err) < 0)
		return -1;
	return export_write(w->file, str_make(zeros, tar_pad(bytes.n)), err);
}

static void add_line(struct export_writer *w, const struct export_message *m)
{
	static const struct {
		uint8_t flag;
		const char *name;
	} flags[] = { { FLAG_SEEN, "\\Seen" }, { FLAG_ANSWERED, "\\Answered" },
		{ FLAG_FLAGGED, "\\Flagged" }, { FLAG_DELETED, "\\Deleted" },
		{ FLAG_DRAFT, "\\Draft" } };
	struct time_text date;
	const char *between = "";
	buf_addf(&w->index, "%s\t%s\t", w->path.p, time_iso8601(&date, m->entry->time));
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (m->entry->flags & flags[i].flag) {
			buf_addf(&w->index, "%s%s", between, flags[i].name);
			between = " ";
		}
	buf_addc(&w->index, '\t');
	for (size_t i = 0; i < m->n_keywords; i++)
		buf_addf(&w->index, "%s%" STR_FMT, i ? " " : "", STR_ARG(m->keywords[i]));
	buf_addc(&w->index, '\n');
}

static int eml_message(struct export_writer *w, const struct export_message *m, struct err *err)
{
	struct str rest = w->mailbox;
	buf_clear(&w->path);
	/* Levels that are no more than dots would be another directory. */
	while (rest.n) {
		struct str level = str_split(&rest, '/');
		if (str_equal(level, STR(".")) || str_equal(level, STR("..")))
			level = STR("_");
		buf_addf(&w->path, "%" STR_FMT "/", STR_ARG(level));
	}
	buf_addf(&w->path, "%010" PRIu32 ".eml", m->entry->uid);
	add_line(w, m);
	return w->path.full || w->index.full
		       ? fail(err, ERR_LIMIT, "too much at once")
		       : add_file(w, buf_str(&w->path), m->bytes, m->entry->time, err);
}

static int eml_mailbox_end(struct export_writer *w, struct err *err)
{
	(void)w;
	(void)err;
	return 0;
}

static int eml_end(struct export_writer *w, struct err *err)
{
	static const char zeros[2 * TAR_BLOCK] = { 0 };
	struct clock_seam *clock = clock_os();
	if (add_file(w, STR("index.tsv"), buf_str(&w->index), clock->wall_ms(clock), err) < 0 ||
		export_write(w->file, str_make(zeros, sizeof(zeros)), err) < 0)
		return -1;
	/* A pipe has nothing to flush. */
	if (fsync(w->file) < 0 && errno != EINVAL && errno != ENOTSUP)
		return fail_errno(err, "flushing failed");
	return 0;
}

const struct export_class export_eml = { .format = "eml",
	.open = eml_open,
	.mailbox = eml_mailbox,
	.message = eml_message,
	.mailbox_end = eml_mailbox_end,
	.end = eml_end,
	.free = eml_free,
	.is_file = true };
