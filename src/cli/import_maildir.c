// SPDX-License-Identifier: Apache-2.0
/*
 * culver import from a Maildir: its messages, the folders beside them (".Work.2026", Maildir++) or
 * below them (Work/2026, Dovecot's layout "fs"), and what Dovecot and Courier know of them. Others
 * may be at work in it: a message that is renamed meanwhile is found again, one that goes is gone.
 */
#include "cli/import.h"

#include "base/limits.h"
#include "base/seams.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	LIST_BYTES = 256 << 20, /* dovecot-uidlist of some millions */
	WORDS_BYTES = 64 << 10,
	MOST_FILES = 1 << 24,
	PASSES = 3
};

struct maildir {
	struct importer *im;
	struct arena arena;
	struct buf bytes, message, words;
};

/* A folder at hand. */
struct folder {
	struct maildir *md;
	int directory;
	struct buf uids, dovecot;
	struct arena arena;
	struct map courier; /* unique name -> struct courier_words */
	struct uidlist list;
	struct str letters[DOVECOT_KEYWORDS];
	struct map done; /* unique names that were seen */
	bool gone;       /* something was renamed while it was read */
};

/* Of a message; the newest of what Courier keeps. */
struct courier_words {
	uint64_t age; /* 0: of its list; else the higher the newer */
	struct str words;
};

struct maildir_file {
	const char *name;
	const char *sub; /* "cur", "new" */
	struct str base;
	uint32_t uid;
};

/* ---- keywords ---- */

static void add_word(struct buf *words, struct str word)
{
	if (words->n && word.n)
		buf_addc(words, ' ');
	buf_adds(words, word);
}

static void keep_courier(struct folder *f, struct str base, uint64_t age)
{
	struct courier_words *w = map_get(&f->courier, base);
	if (w && w->age > age)
		return;
	if (w == NULL && ((w = arena_array(&f->arena, 1, sizeof(*w))) == NULL ||
				 !map_put(&f->courier, base, w)))
		return;
	*w = (struct courier_words){ age, arena_str(&f->arena, buf_str(&f->md->words)) };
}

/* A file of a message that has changed since the list was written. */
static void read_courier_file(struct folder *f, int directory, const char *name)
{
	struct str base;
	uint64_t number;
	if (courier_file_name(str_from(name), &base, &number) &&
		import_read_file(directory, name, &f->dovecot, NULL) == 0 &&
		courier_file_read(buf_str(&f->dovecot), &f->md->words))
		keep_courier(f, base, number + 1);
}

static void read_courier(struct folder *f)
{
	struct buf text;
	struct vec names;
	struct courier_list list;
	struct str base;
	struct err ignored = ERR_INIT;
	int directory = import_open_directory(f->directory, "courierimapkeywords");
	if (directory < 0)
		return;
	buf_init(&text, LIST_BYTES);
	vec_init(&names, sizeof(char *), MOST_FILES);
	if (import_read_file(directory, ":list", &text, NULL) != 0)
		buf_clear(&text);
	courier_list_begin(&list, buf_str(&text));
	while (courier_list_next(&list, &base, &f->md->words))
		keep_courier(f, base, 0);
	(void)import_list(directory, &f->arena, &names, &ignored);
	VEC_EACH (const char *, name, &names)
		read_courier_file(f, directory, *name);
	vec_done(&names);
	buf_done(&text);
	close(directory);
}

static void find_words(struct folder *f, const struct maildir_name *name)
{
	struct buf *words = &f->md->words;
	buf_clear(words);
	for (unsigned i = 0; i < DOVECOT_KEYWORDS; i++)
		if (name->keywords >> i & 1 && f->letters[i].n)
			add_word(words, f->letters[i]);
	if (name->passed)
		add_word(words, STR("$Forwarded"));
	const struct courier_words *courier = map_get(&f->courier, name->base);
	if (courier)
		add_word(words, courier->words);
}

/* ---- messages ---- */

static int by_uid(const void *a, const void *b)
{
	const struct maildir_file *x = a, *y = b;
	uint32_t last = UINT32_MAX, u = x->uid ? x->uid : last, v = y->uid ? y->uid : last;
	if (u != v)
		return u < v ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int list_sub(
	struct folder *f, const char *sub, struct arena *arena, struct vec *files, struct err *err)
{
	struct vec names;
	int directory = import_open_directory(f->directory, sub);
	if (directory < 0)
		return 0; /* a Maildir may lack one of the two; what else it is was told */
	vec_init(&names, sizeof(char *), MOST_FILES);
	int rc = import_list(directory, arena, &names, err);
	close(directory);
	VEC_EACH (const char *, name, &names) {
		struct maildir_file file = { .name = *name, .sub = sub };
		if (rc < 0 || (*name)[0] == '.')
			continue;
		file.base = maildir_name_read(str_from(*name)).base;
		if (file.base.n == 0 || map_get(&f->done, file.base))
			continue;
		file.uid = uidlist_find(&f->list, file.base);
		if (vec_push(files, &file) == NULL)
			rc = fail(err, ERR_LIMIT, "a folder holds too many messages");
	}
	vec_done(&names);
	return rc;
}

static int import_file(struct folder *f, const struct maildir_file *file, struct err *err)
{
	struct maildir *md = f->md;
	int directory = import_open_directory(f->directory, file->sub);
	struct import_message m = { .uid = file->uid, .from = file->name };
	errno = 0;
	int rc = directory < 0 ? 1
			       : import_read_file(directory, file->name, &md->bytes, &m.time_ms);
	int why = errno;
	if (directory >= 0)
		close(directory);
	if (rc && why == ENOENT) {
		f->gone = true;
		return 0;
	}
	(void)map_put(&f->done, file->base, f);
	if (rc) {
		importer_tell(md->im, file->name,
			why == EFBIG ? "larger than a message may be"
				     : "can't be read, or is no plain file");
		return 0;
	}
	const char *packed = folders_packed(buf_str(&md->bytes));
	if (packed) {
		importer_tell(md->im, file->name, packed);
		return 0;
	}
	struct maildir_name name = maildir_name_read(str_from(file->name));
	buf_clear(&md->message);
	if (!folders_to_crlf(buf_str(&md->bytes), &md->message)) {
		importer_tell(md->im, file->name, "larger than a message may be");
		return 0;
	}
	find_words(f, &name);
	m.bytes = buf_str(&md->message);
	m.flags = name.flags;
	m.keywords = buf_str(&md->words);
	return importer_message(md->im, &m, err);
}

static bool is_there(int directory, const char *name)
{
	struct stat st;
	return fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A whole directory of messages is not left out in silence. */
static void tell_of_closed(struct folder *f, const char *sub)
{
	int directory = import_open_directory(f->directory, sub);
	if (directory >= 0)
		close(directory);
	else if (is_there(f->directory, sub))
		importer_tell(f->md->im, sub, IMPORT_CLOSED);
}

/* Once more where files were renamed under way. */
static int import_files(struct folder *f, struct err *err)
{
	int rc = 0;
	f->gone = true;
	tell_of_closed(f, "cur");
	tell_of_closed(f, "new");
	for (int pass = 0; rc == 0 && f->gone && pass < PASSES; pass++) {
		struct arena arena;
		struct vec files;
		f->gone = false;
		arena_init(&arena, (size_t)1 << 32);
		vec_init(&files, sizeof(struct maildir_file), 2 * MOST_FILES);
		rc = list_sub(f, "cur", &arena, &files, err);
		if (rc == 0)
			rc = list_sub(f, "new", &arena, &files, err);
		if (files.n)
			qsort(files.p, files.n, files.size, by_uid);
		VEC_EACH (struct maildir_file, file, &files)
			if (rc == 0)
				rc = import_file(f, file, err);
		vec_done(&files);
		arena_done(&arena);
	}
	return rc;
}

/* ---- a folder ---- */

static void read_lists(struct folder *f)
{
	if (import_read_file(f->directory, "dovecot-uidlist", &f->uids, NULL) != 0 &&
		import_read_file(f->directory, "courierimapuiddb", &f->uids, NULL) != 0)
		buf_clear(&f->uids);
	uidlist_read(&f->list, buf_str(&f->uids));
	read_courier(f);
	if (import_read_file(f->directory, "dovecot-keywords", &f->dovecot, NULL) != 0)
		buf_clear(&f->dovecot);
	dovecot_keywords_read(buf_str(&f->dovecot), f->letters);
}

static int import_folder(struct maildir *md, int directory, struct str name, struct err *err)
{
	struct folder f = { .md = md, .directory = directory };
	uint8_t key[16] = { 0 };
	if (!importer_wants(md->im, name))
		return 0;
	buf_init(&f.uids, LIST_BYTES);
	arena_init(&f.arena, 2UL * LIST_BYTES);
	buf_init(&f.dovecot, WORDS_BYTES);
	random_os()->fill(random_os(), key, sizeof(key));
	map_init(&f.done, key, MOST_FILES);
	map_init(&f.courier, key, MOST_FILES);
	read_lists(&f);
	struct import_mailbox m = { .name = name,
		.uidvalidity = f.list.uidvalidity,
		.uidnext = f.list.uidnext,
		.unsubscribed = importer_is_unsubscribed(md->im, name) };
	int rc = importer_folder(md->im, &m, err);
	if (rc == 0)
		rc = import_files(&f, err);
	uidlist_done(&f.list);
	map_done(&f.done);
	buf_done(&f.uids);
	map_done(&f.courier);
	arena_done(&f.arena);
	buf_done(&f.dovecot);
	return rc < 0 ? -1 : 0;
}

/* ---- folders ---- */

static bool is_maildir(int directory)
{
	return is_there(directory, "cur") || is_there(directory, "new");
}

/* What can't be opened, or is a link, may be a folder; what is no directory is none. */
static void tell_of_folder(struct maildir *md, int directory, const char *entry)
{
	char cur[NAME_MAX + 8];
	struct stat st;
	snprintf(cur, sizeof(cur), "%s/cur", entry);
	if (md->im->o->mailbox == NULL && (fstatat(directory, cur, &st, 0) == 0 || errno == EACCES))
		importer_tell_of_mailbox(md->im, entry, IMPORT_CLOSED);
}

static bool is_own(const char *name)
{
	return strcmp(name, "cur") == 0 || strcmp(name, "new") == 0 || strcmp(name, "tmp") == 0;
}

/* Maildir++ lies beside the INBOX; any other name is a level of a path. */
static int import_entry(const struct import_level *level, const char *entry, struct err *err)
{
	struct maildir *md = level->arg;
	struct buf name;
	if (is_own(entry))
		return 0;
	int rc = 0, below = import_open_directory(level->directory, entry);
	if (below < 0) {
		tell_of_folder(md, level->directory, entry);
		return 0;
	}
	buf_init(&name, 8 * LIMIT_MAILBOX_NAME_BYTES);
	bool beside = entry[0] == '.' && level->above.n == 0;
	bool good = beside ? maildir_folder_read(str_from(entry), &name)
			   : entry[0] != '.' && import_level_name(level, str_from(entry), &name);
	if (good && is_maildir(below))
		rc = import_folder(md, below, buf_str(&name), err);
	else if (!good && is_maildir(below))
		importer_tell_of_mailbox(md->im, entry, "is no name of a folder");
	struct import_level next = { md, below, buf_str(&name), level->depth + 1 };
	if (rc == 0 && good && !beside)
		rc = import_walk(&next, import_entry, err);
	close(below);
	buf_done(&name);
	return rc;
}

int import_maildir(struct importer *im, int directory, struct err *err)
{
	struct maildir md = { .im = im };
	buf_init(&md.bytes, LIMIT_BODY_BYTES + WORDS_BYTES);
	buf_init(&md.message, LIMIT_BODY_BYTES);
	buf_init(&md.words, WORDS_BYTES);
	(void)(importer_read_subscriptions(im, directory, "subscriptions", '.') ||
		importer_read_subscriptions(im, directory, "courierimapsubscribed", '.'));
	int rc = import_folder(&md, directory, STR("INBOX"), err);
	if (rc == 0)
		rc = import_walk(
			&(struct import_level){ &md, directory, STR_NONE, 0 }, import_entry, err);
	buf_done(&md.bytes);
	buf_done(&md.message);
	buf_done(&md.words);
	return rc;
}
