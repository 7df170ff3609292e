// SPDX-License-Identifier: Apache-2.0
/*
 * culver export as a Maildir: folders of Maildir++, flags in the names, dates as the files' times,
 * and what Dovecot reads besides: UIDs (dovecot-uidlist), up to 26 keywords a folder
 * (dovecot-keywords), subscriptions.
 */
#include "cli/export.h"

#include "base/limits.h"
#include "base/vec.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct export_writer {
	int root;
	int folder, cur;
	struct buf uids, file, name, subscriptions;
	struct vec keywords; /* struct str: by letter, owned */
	struct api_mailbox mailbox;
	bool told_keywords;
	uint64_t number;
};

static struct export_writer *maildir_open(int target, struct err *err)
{
	struct export_writer *w = xmalloc(sizeof(*w));
	(void)err;
	w->root = target;
	w->folder = w->cur = -1;
	buf_init(&w->uids, (size_t)1 << 32);
	buf_init(&w->file, LIMIT_BODY_BYTES * 2UL);
	buf_init(&w->name, 16 * LIMIT_MAILBOX_NAME_BYTES);
	buf_init(&w->subscriptions, 64 << 20);
	buf_addz(&w->subscriptions, "V\t2\n\n");
	vec_init(&w->keywords, sizeof(struct str), DOVECOT_KEYWORDS);
	return w;
}

static void forget_folder(struct export_writer *w)
{
	VEC_EACH (struct str, keyword, &w->keywords)
		free((void *)(uintptr_t)keyword->p);
	vec_clear(&w->keywords);
	buf_clear(&w->uids);
	if (w->cur >= 0)
		close(w->cur);
	if (w->folder >= 0 && w->folder != w->root)
		close(w->folder);
	w->folder = w->cur = -1;
}

static void maildir_free(struct export_writer **writer)
{
	struct export_writer *w = *writer;
	if (w == NULL)
		return;
	forget_folder(w);
	buf_done(&w->uids);
	buf_done(&w->file);
	buf_done(&w->name);
	buf_done(&w->subscriptions);
	vec_done(&w->keywords);
	free(w);
	*writer = NULL;
}

static int write_new(int directory, const char *name, struct str bytes, struct err *err)
{
	int file = export_new_file(directory, name, err);
	int rc = file < 0 ? -1 : export_write(file, bytes, err);
	if (file >= 0 && close(file) < 0 && rc == 0)
		rc = fail_errno(err, "writing failed");
	return rc;
}

/* The directory that was made, with levels by tabs, as the second version of the file has them. */
static bool subscribe(struct export_writer *w)
{
	struct str rest = w->folder == w->root ? STR("INBOX")
					       : str_from_offset(buf_str(&w->name), 1);
	while (rest.n) {
		struct str level = str_split(&rest, '.');
		if (!buf_adds(&w->subscriptions, level) ||
			!buf_addc(&w->subscriptions, rest.n ? '\t' : '\n'))
			return false;
	}
	return true;
}

/* Its name, into w->name. 1: it has none, which was told. */
static int name_folder(struct export_writer *w)
{
	struct str name = w->mailbox.name;
	if (!maildir_folder_write(name, &w->name))
		buf_clear(&w->name);
	if (!export_name_is_free(w->root, &w->name)) {
		export_note(EXPORT_TOO_LONG, name);
		return 1;
	}
	if (str_find(name, '.') < name.n)
		export_note(
			"Maildir has no way to write the \".\" in it; it stands as \"_\"", name);
	return 0;
}

static int make_folder(struct export_writer *w, struct err *err)
{
	if (w->name.n)
		w->folder = export_new_directory(w->root, w->name.p, err);
	if (w->folder < 0)
		return -1;
	if (w->folder != w->root && write_new(w->folder, "maildirfolder", STR_NONE, err) < 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		int made = export_new_directory(w->folder, i ? "tmp" : "new", err);
		if (made < 0)
			return -1;
		close(made);
	}
	w->cur = export_new_directory(w->folder, "cur", err);
	return w->cur < 0 ? -1 : 0;
}

static int maildir_mailbox(struct export_writer *w, const struct api_mailbox *mailbox,
	const struct frame_view_is *view, bool has_children, struct err *err)
{
	(void)has_children;
	w->mailbox = *mailbox;
	w->told_keywords = false;
	w->folder = w->root;
	buf_clear(&w->name);
	if (!str_equal(mailbox->name, STR("INBOX")) && name_folder(w))
		return 1;
	buf_addf(&w->uids, "3 V%" PRIu32 " N%" PRIu32 "\n", view->uidvalidity, view->uidnext);
	if (make_folder(w, err) < 0)
		return -1;
	return mailbox->subscribed && !subscribe(w) ? fail(err, ERR_LIMIT, "too many subscriptions")
						    : 0;
}

/* The letter of a keyword; -1: all are taken. */
static int letter_of(struct export_writer *w, struct str keyword)
{
	for (size_t i = 0; i < w->keywords.n; i++)
		if (str_equal_nocase(*(struct str *)vec_at(&w->keywords, i), keyword))
			return (int)i;
	struct str copy = str_make(xmemdup0(keyword.p, keyword.n), keyword.n);
	if (vec_push(&w->keywords, &copy))
		return (int)w->keywords.n - 1;
	free((void *)(uintptr_t)copy.p);
	if (!w->told_keywords)
		export_note("Maildir has no more than 26 keywords; others are left out",
			w->mailbox.name);
	w->told_keywords = true;
	return -1;
}

static bool make_name(struct export_writer *w, const struct export_message *m)
{
	uint32_t letters = 0;
	for (size_t i = 0; i < m->n_keywords; i++) {
		int letter = letter_of(w, m->keywords[i]);
		if (letter >= 0)
			letters |= (uint32_t)1 << letter;
	}
	buf_clear(&w->name);
	int64_t time_s = m->entry->time / 1000;
	return buf_addf(&w->name, "%" PRId64 ".M%" PRIu64 "P%d.culver,S=%zu,W=%zu",
		       time_s > 0 ? time_s : 0, ++w->number, (int)getpid(), w->file.n,
		       m->bytes.n) &&
	       buf_addf(&w->uids, "%" PRIu32 " :%s\n", m->entry->uid, w->name.p) &&
	       maildir_name_info(&w->name, m->entry->flags, false, letters);
}

static int maildir_message(struct export_writer *w, const struct export_message *m, struct err *err)
{
	buf_clear(&w->file);
	if (!folders_to_lf(m->bytes, &w->file) || !make_name(w, m))
		return fail(err, ERR_LIMIT, "too much at once");
	if (write_new(w->cur, w->name.p, buf_str(&w->file), err) < 0)
		return -1;
	struct timespec when = { .tv_sec = m->entry->time / 1000,
		.tv_nsec = m->entry->time % 1000 * 1000000 };
	if (when.tv_nsec < 0) {
		when.tv_sec--;
		when.tv_nsec += 1000000000;
	}
	struct timespec times[2] = { when, when };
	return utimensat(w->cur, w->name.p, times, 0) < 0
		       ? fail_errno(err, "the time of a file can't be set")
		       : 0;
}

static int maildir_mailbox_end(struct export_writer *w, struct err *err)
{
	buf_clear(&w->file);
	for (size_t i = 0; i < w->keywords.n; i++)
		buf_addf(&w->file, "%zu %" STR_FMT "\n", i,
			STR_ARG(*(struct str *)vec_at(&w->keywords, i)));
	int rc = write_new(w->folder, "dovecot-uidlist", buf_str(&w->uids), err);
	if (rc == 0 && w->keywords.n)
		rc = write_new(w->folder, "dovecot-keywords", buf_str(&w->file), err);
	forget_folder(w);
	return rc;
}

static int maildir_end(struct export_writer *w, struct err *err)
{
	if (write_new(w->root, "subscriptions", buf_str(&w->subscriptions), err) < 0)
		return -1;
	return syncfs(w->root) < 0 ? fail_errno(err, "flushing failed") : 0;
}

const struct export_class export_maildir = { .format = "maildir",
	.open = maildir_open,
	.mailbox = maildir_mailbox,
	.message = maildir_message,
	.mailbox_end = maildir_mailbox_end,
	.end = maildir_end,
	.free = maildir_free };
