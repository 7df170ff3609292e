// SPDX-License-Identifier: Apache-2.0
/* culver import from mbox files: one, or a directory of them, in which a file is a mailbox and a
 * directory a level (or, as Thunderbird has it, "Work.sbd" what is below "Work"). */
#include "cli/import.h"

#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE_BYTES = 256 << 10, WORDS_BYTES = 64 << 10 };

struct mbox_import {
	struct importer *im;
	struct str name;
	bool begun, refused;
	uint64_t number;
	struct buf message, keywords;
	struct err *err;
};

static int on_message(void *arg, struct str text, bool too_big)
{
	struct mbox_import *mi = arg;
	struct mbox_meta meta;
	char from[40];
	bool internal = false;
	snprintf(from, sizeof(from), "message %llu", (unsigned long long)++mi->number);
	bool good = !too_big &&
		    mbox_message_read(text, &meta, &mi->keywords, &mi->message, &internal);
	if (!mi->begun) {
		struct import_mailbox m = { .name = mi->name,
			.unsubscribed = importer_is_unsubscribed(mi->im, mi->name),
			.uidvalidity = good ? meta.uidvalidity : 0,
			.uidnext = good ? meta.uidlast + 1 : 0 };
		mi->begun = true;
		mi->refused = importer_folder(mi->im, &m, mi->err) != 0;
	}
	if (mi->refused)
		return -1;
	if (!good) {
		importer_tell(mi->im, from, "larger than a message may be");
		return 0;
	}
	struct import_message m = { .bytes = buf_str(&mi->message),
		.time_ms = meta.time_ms,
		.flags = meta.flags,
		.keywords = meta.keywords,
		.uid = meta.uid,
		.from = from };
	return internal ? 0 : importer_message(mi->im, &m, mi->err);
}

static int read_all(struct mbox *mbox, int file, struct err *err)
{
	AUTO(mem_free_p)
	char *piece = xmalloc(PIECE_BYTES);
	ssize_t n;
	while ((n = read(file, piece, PIECE_BYTES)) > 0)
		if (mbox_input(mbox, str_make(piece, (size_t)n)) != 0)
			return -1;
	return n < 0 ? fail_errno(err, "an mbox can't be read") : mbox_end(mbox);
}

int import_mbox(struct importer *im, int file, struct str mailbox, struct err *err)
{
	struct mbox_import mi = { .im = im, .name = mailbox, .err = err };
	struct mbox mbox;
	if (!importer_wants(im, mailbox))
		return 0;
	buf_init(&mi.message, LIMIT_BODY_BYTES);
	buf_init(&mi.keywords, WORDS_BYTES);
	mbox_init(&mbox, LIMIT_BODY_BYTES, on_message, &mi);
	(void)lseek(file, 0, SEEK_SET);
	int rc = read_all(&mbox, file, err);
	/* An empty one is a mailbox, too. */
	if (rc == 0 && !mi.begun)
		rc = importer_folder(im,
			&(struct import_mailbox){ .name = mailbox,
				.unsubscribed = importer_is_unsubscribed(im, mailbox) },
			err);
	if (mbox.skipped && !mi.begun)
		importer_tell(im, "no mbox",
			"no line in it is \"From \", who sent a message, and a date");
	else if (mbox.skipped)
		importer_tell(im, "before the first message", "bytes that belong to none");
	mbox_done(&mbox);
	buf_done(&mi.message);
	buf_done(&mi.keywords);
	return err->kind == ERR_NONE ? 0 : rc;
}

/* ---- a directory of them ---- */

static bool ends_in(struct str name, struct str suffix)
{
	return name.n > suffix.n && str_ends_nocase(name, suffix);
}

/* An mbox begins as one, maybe behind empty lines; what else lies about (indexes, lists) does not.
 */
static bool is_mbox(int file)
{
	char begin[1024];
	struct stat st;
	if (fstat(file, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	ssize_t n = pread(file, begin, sizeof(begin), 0);
	struct str rest = str_make(begin, n > 0 ? (size_t)n : 0);
	while (rest.n && (rest.p[0] == '\r' || rest.p[0] == '\n'))
		rest = str_from_offset(rest, 1);
	return st.st_size == 0 || str_starts(rest, STR("From "));
}

/* What can't be opened, or is a link, may be a mailbox. */
static void tell_of_closed(struct importer *im, int directory, const char *entry)
{
	struct stat st;
	if (im->o->mailbox)
		return;
	if (fstatat(directory, entry, &st, 0) < 0 ? errno == EACCES
						  : S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		importer_tell_of_mailbox(im, entry, IMPORT_CLOSED);
}

static int import_entry(const struct import_level *level, const char *entry, struct err *err)
{
	struct importer *im = level->arg;
	struct buf name;
	struct str as = str_from(entry);
	if (entry[0] == '.')
		return 0;
	int rc = 0, below = import_open_directory(level->directory, entry), file = -1;
	if (below >= 0 && ends_in(as, STR(".sbd")))
		as.n -= 4;
	buf_init(&name, 8 * LIMIT_MAILBOX_NAME_BYTES);
	bool good = import_level_name(level, as, &name);
	struct import_level next = { im, below, buf_str(&name), level->depth + 1 };
	if (below < 0)
		file = openat(
			level->directory, entry, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (below < 0 && file < 0)
		tell_of_closed(im, level->directory, entry);
	else if (!good)
		importer_tell_of_mailbox(im, entry, "is no name of a mailbox");
	else if (below >= 0)
		rc = import_walk(&next, import_entry, err);
	else if (file >= 0 && is_mbox(file))
		rc = import_mbox(im, file, buf_str(&name), err);
	if (below >= 0)
		close(below);
	if (file >= 0)
		close(file);
	buf_done(&name);
	return rc;
}

int import_mboxes(struct importer *im, int directory, struct err *err)
{
	(void)importer_read_subscriptions(im, directory, ".subscriptions", '/');
	return import_walk(&(struct import_level){ im, directory, STR_NONE, 0 }, import_entry, err);
}
