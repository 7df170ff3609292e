// SPDX-License-Identifier: Apache-2.0
/* culver export as mboxes: a file for each mailbox, in a directory for each level above it. Where a
 * mailbox has both messages and others below it, these are in NAME.sbd, as Thunderbird has it; one
 * without messages is the directory alone. */
#include "cli/export.h"

#include "base/limits.h"
#include "mail/header.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct export_writer {
	int root, file;
	struct buf text, keywords, all_keywords;
	struct buf subscriptions, place; /* place: levels as they are on disk, a tab behind each */
	uint32_t uidvalidity, uidnext;
	bool first;
};

static struct export_writer *mbox_open(int target, struct err *err)
{
	struct export_writer *w = xmalloc(sizeof(*w));
	(void)err;
	w->root = target;
	w->file = -1;
	buf_init(&w->text, LIMIT_BODY_BYTES * 2UL);
	buf_init(&w->keywords, 64 << 10);
	buf_init(&w->all_keywords, 64 << 10);
	buf_init(&w->place, 16 * LIMIT_MAILBOX_NAME_BYTES);
	buf_init(&w->subscriptions, 64 << 20);
	buf_addz(&w->subscriptions, "V\t2\n\n");
	return w;
}

static void mbox_free(struct export_writer **writer)
{
	struct export_writer *w = *writer;
	if (w == NULL)
		return;
	if (w->file >= 0)
		close(w->file);
	buf_done(&w->text);
	buf_done(&w->keywords);
	buf_done(&w->all_keywords);
	buf_done(&w->place);
	buf_done(&w->subscriptions);
	free(w);
	*writer = NULL;
}

static int open_below(int directory, struct str level, struct buf *name, struct err *err)
{
	struct stat st;
	buf_clear(name);
	bool good = folder_level_write(level, name) && name->n <= 255;
	if (good && fstatat(directory, name->p, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		S_ISREG(st.st_mode))
		good = buf_addz(name, ".sbd") && name->n <= 255;
	if (!good)
		return fail(err, ERR_UNSUPPORTED, EXPORT_TOO_LONG);
	if (mkdirat(directory, name->p, 0700) < 0 && errno != EEXIST)
		return fail_errno(err, "can't make the directory %s", name->p);
	int made = openat(directory, name->p, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return made < 0 ? fail_errno(err, "can't open the directory %s", name->p) : made;
}

/* The directory of a mailbox; *rest is its last level. */
static int open_levels(struct export_writer *w, struct str *rest, struct buf *name, struct err *err)
{
	int directory = dup(w->root);
	while (directory >= 0 && str_find(*rest, '/') < rest->n) {
		int below = open_below(directory, str_split(rest, '/'), name, err);
		buf_addf(&w->place, "%" STR_FMT "\t", STR_ARG(buf_str(name)));
		close(directory);
		directory = below;
	}
	return directory;
}

static int mbox_mailbox(struct export_writer *w, const struct api_mailbox *mailbox,
	const struct frame_view_is *view, bool has_children, struct err *err)
{
	AUTO(buf_done)
	struct buf name;
	struct str rest = mailbox->name;
	buf_init(&name, 8 * LIMIT_MAILBOX_NAME_BYTES);
	w->uidvalidity = view->uidvalidity;
	w->uidnext = view->uidnext;
	w->first = true;
	buf_clear(&w->all_keywords);
	for (size_t i = 0; i < view->keywords.n; i++)
		buf_addf(&w->all_keywords, "%s%" STR_FMT, i ? " " : "",
			STR_ARG(view->keywords.items[i]));
	if (has_children && view->messages == 0)
		return 0;
	buf_clear(&w->place);
	int directory = open_levels(w, &rest, &name, err);
	buf_clear(&name);
	if (directory >= 0 && !folder_level_write(rest, &name))
		buf_clear(&name);
	if (directory >= 0 && !export_name_is_free(directory, &name))
		fail(err, ERR_UNSUPPORTED, EXPORT_TOO_LONG);
	else if (directory >= 0)
		w->file = export_new_file(directory, name.p, err);
	if (directory >= 0)
		close(directory);
	if (w->file >= 0 && mailbox->subscribed &&
		!buf_addf(&w->subscriptions, "%" STR_FMT "%" STR_FMT "\n",
			STR_ARG(buf_str(&w->place)), STR_ARG(buf_str(&name))))
		return fail(err, ERR_LIMIT, "too many subscriptions");
	if (w->file >= 0 || err->kind != ERR_UNSUPPORTED)
		return w->file < 0 ? -1 : 0;
	export_note(err_log_text(err), mailbox->name);
	*err = (struct err)ERR_INIT;
	return 1;
}

static struct str sender_of(struct str message)
{
	struct mail_field field;
	if (!mail_field_find(str_sub(message, 0, 8000), STR("Return-Path"), &field))
		return STR_NONE;
	struct str path = str_trim(field.value);
	return path.n > 2 && path.p[0] == '<' ? str_sub(path, 1, path.n - 2) : STR_NONE;
}

static int mbox_message(struct export_writer *w, const struct export_message *m, struct err *err)
{
	struct mbox_meta meta = { .time_ms = m->entry->time,
		.flags = m->entry->flags,
		.uid = m->entry->uid,
		.sender = sender_of(m->bytes) };
	if (w->first) {
		meta.uidvalidity = w->uidvalidity;
		meta.uidlast = w->uidnext - 1;
		meta.base_keywords = buf_str(&w->all_keywords);
	}
	w->first = false;
	buf_clear(&w->text);
	buf_clear(&w->keywords);
	for (size_t i = 0; i < m->n_keywords; i++)
		buf_addf(&w->keywords, "%s%" STR_FMT, i ? " " : "", STR_ARG(m->keywords[i]));
	meta.keywords = buf_str(&w->keywords);
	if (!mbox_message_write(m->bytes, &meta, &w->text))
		return fail(err, ERR_LIMIT, "too much at once");
	return export_write(w->file, buf_str(&w->text), err);
}

static int mbox_mailbox_end(struct export_writer *w, struct err *err)
{
	if (w->file < 0)
		return 0;
	int rc = fsync(w->file);
	if (close(w->file) < 0 || rc < 0)
		rc = fail_errno(err, "flushing failed");
	w->file = -1;
	return rc;
}

static int mbox_all_end(struct export_writer *w, struct err *err)
{
	int file = export_new_file(w->root, ".subscriptions", err);
	int rc = file < 0 ? -1 : export_write(file, buf_str(&w->subscriptions), err);
	if (file >= 0 && close(file) < 0 && rc == 0)
		rc = fail_errno(err, "writing failed");
	if (rc < 0)
		return -1;
	return syncfs(w->root) < 0 ? fail_errno(err, "flushing failed") : 0;
}

const struct export_class export_mbox = { .format = "mbox",
	.open = mbox_open,
	.mailbox = mbox_mailbox,
	.message = mbox_message,
	.mailbox_end = mbox_mailbox_end,
	.end = mbox_all_end,
	.free = mbox_free };
