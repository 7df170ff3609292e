// SPDX-License-Identifier: Apache-2.0
/* Messages on their way into the store: passed over where they are there, and landing together. */
#include "cli/import.h"

#include "api/schemes.h"
#include "base/abnf.h"
#include "base/limits.h"
#include "base/planted.h"
#include "base/seams.h"
#include "base/time.h"
#include "mail/header.h"
#include "store/little.h"

#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	MOST = 1 << 25,
	BATCH_MESSAGES = 64,
	BATCH_BYTES = 4 << 20,
	DATA_BYTES = 65000,
	SHOWN_EVERY_MS = 250
};
_Static_assert(BATCH_MESSAGES <= LIMIT_UPLOAD_MESSAGES, "a batch is one upload");

/* ---- saying ---- */

static void say(struct importer *im, const char *mailbox, const char *what, const char *why)
{
	if (im->says) {
		im->says(im, mailbox, what, why);
		return;
	}
	fputs(im->shown_ms ? "\r\033[K" : "", stderr);
	if (im->o->args_n > 2) /* several accounts, maybe at once */
		fprintf(stderr, "%" STR_FMT ": ", STR_ARG(address_str(&im->address)));
	if (mailbox != NULL) {
		cli_print(stderr, str_from(mailbox));
		fputs(": ", stderr);
	}
	cli_print(stderr, str_from(what));
	fprintf(stderr, ": %s\n", why);
}

static void tell(struct importer *im, const char *what, const char *why)
{
	im->left_out++;
	say(im, im->mailbox.text, what, why);
}

void importer_tell(struct importer *im, const char *what, const char *why)
{
	if (!im->quiet)
		tell(im, what, why);
}

void importer_tell_of_mailbox(struct importer *im, const char *name, const char *why)
{
	if (im->second)
		return;
	im->left_out++;
	say(im, NULL, name, why);
}

static void show_progress(struct importer *im)
{
	struct timespec now;
	if (!isatty(STDERR_FILENO) || im->o->json)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	if (ms - im->shown_ms < SHOWN_EVERY_MS)
		return;
	im->shown_ms = ms;
	fprintf(stderr,
		"\r\033[K%" STR_FMT ": %" PRIu64 " imported, %" PRIu64 " there already: %" STR_FMT,
		STR_ARG(address_str(&im->address)), im->imported, im->there,
		STR_ARG(mailbox_name_str(&im->mailbox)));
	fflush(stderr);
}

/* ---- what the account has ---- */

static void on_bodies(void *arg, const struct frame *frame)
{
	struct importer *im = arg;
	const struct frame_bodies_are *are = &frame->bodies_are;
	if (frame->type != FRAME_BODIES_ARE)
		return;
	for (size_t i = 0; i < are->bodies.n; i++)
		bodies_add(&im->known, are->bodies.items[i],
			i < are->mailboxes.n ? are->mailboxes.items[i] : 0,
			i < are->entries.n ? are->entries.items[i] : 0);
}

static struct api_body_hash hash(const struct importer *im, struct str bytes)
{
	uint8_t sum[SHA256_BYTES];
	struct sha256 *h = sha256_begin(im->hashes);
	sha256_add(h, bytes);
	sha256_end(im->hashes, &h, sum);
	return (struct api_body_hash){ get_u64(sum), get_u64(sum + 8) };
}

/* What was delivered here and exported has the lines in front that this store keeps beside the body
 * (smtp/trace.c), in this order. The rest is what it knows. */
static bool find_inside(struct str *bytes)
{
	static const struct str lines[] = { STR_INIT("Return-Path"), STR_INIT("Delivered-To"),
		STR_INIT("Received") };
	struct mail_field field;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (!mail_field_next(bytes, &field) || !str_equal_nocase(field.name, lines[i]))
			return false;
	return true;
}

static struct import_body body_of(const struct importer *im, struct str bytes)
{
	struct import_body body = { .whole = hash(im, bytes) };
	body.has_inside = find_inside(&bytes);
	if (body.has_inside)
		body.inside = hash(im, bytes);
	return body;
}

static void see(struct importer *im, struct api_body_hash hash)
{
	(void)map_put(&im->seen, str_make(&hash, sizeof(hash)), im);
}

/* Of a mailbox that shows what is in others: what one of those had. Of files none is such. */
static bool was_seen(struct importer *im, const struct import_body *body)
{
	if (im->files)
		return false;
	if (im->once && map_get(&im->seen, str_make(&body->whole, sizeof(body->whole))))
		return true;
	see(im, body->whole);
	return false;
}

static bool is_here(struct importer *im, const struct import_body *body)
{
	return bodies_take_here(&im->known, body->whole, im->number) ||
	       (body->has_inside && bodies_take_here(&im->known, body->inside, im->number));
}

static bool is_anywhere(struct importer *im, const struct import_body *body)
{
	return bodies_take(&im->known, body->whole) ||
	       (body->has_inside && bodies_take(&im->known, body->inside));
}

static bool may_be_elsewhere(const struct importer *im, const struct import_body *body)
{
	return bodies_has(&im->known, body->whole) ||
	       (body->has_inside && bodies_has(&im->known, body->inside));
}

static void on_restore(void *arg, const struct frame *frame)
{
	struct importer *im = arg;
	if (frame->type == FRAME_RESTORE_IS)
		im->account = frame->restore_is.account;
}

int importer_begin(struct importer *im, struct str address, struct err *err)
{
	uint8_t key[16];
	random_os()->fill(random_os(), key, sizeof(key));
	bodies_init(&im->known, key);
	bodies_init(&im->late, key);
	map_init(&im->seen, key, MOST);
	map_init(&im->looked_at, key, MOST);
	map_init(&im->passed, key, MOST);
	map_init(&im->subscribed, key, LIMIT_MAILBOXES);
	vec_init(&im->put_off, sizeof(struct import_put_off), MOST);
	vec_init(&im->batch, sizeof(struct import_message), BATCH_MESSAGES);
	im->hashes = sha256_pool_new();
	if (address_canonical(address, &im->address, err) < 0)
		return -1;
	struct frame begin = { .type = FRAME_RESTORE_BEGIN,
		.restore_begin.address = address_str(&im->address) };
	struct frame bodies = { .type = FRAME_BODIES_LIST,
		.bodies_list.address = address_str(&im->address) };
	if (remote_ask(im->remote, REMOTE_STORE, &begin, on_restore, im, err) < 0)
		return -1;
	return remote_ask(im->remote, REMOTE_STORE, &bodies, on_bodies, im, err);
}

/* ---- mailboxes ---- */

static void on_mailbox(void *arg, const struct frame *frame)
{
	struct frame_restore_mailbox_is *is = arg;
	if (frame->type == FRAME_RESTORE_MAILBOX_IS)
		*is = frame->restore_mailbox_is;
}

/* Levels; what IMAP would not let anybody name gets other letters. */
static void add_levels(struct str name, struct buf *out)
{
	while (name.n) {
		struct str level = str_split(&name, '/');
		if (out->n)
			buf_addc(out, '/');
		if (str_equal(level, STR(".")) || str_equal(level, STR("..")))
			level = STR("_");
		for (size_t i = 0; i < level.n; i++) {
			char c = level.p[i];
			bool bad = c == '%' || c == '*' || (c == '#' && out->n == 0);
			buf_addc(out, bad ? '_' : c);
		}
	}
}

static void make_name(const struct importer *im, struct str name, struct buf *out)
{
	bool inbox = str_equal_nocase(name, STR("INBOX"));
	buf_clear(out);
	add_levels(str_from(im->o->into), out);
	if (im->o->into == NULL || !inbox)
		add_levels(name, out);
}

bool importer_wants(const struct importer *im, struct str name)
{
	struct str wanted = str_from(im->o->mailbox);
	bool inbox = str_equal_nocase(name, STR("INBOX"));
	return im->o->mailbox == NULL || str_equal(name, wanted) ||
	       (inbox && str_equal_nocase(name, wanted));
}

int importer_mailbox(struct importer *im, const struct import_mailbox *m, struct err *err)
{
	AUTO(buf_done)
	struct buf name;
	struct err why = ERR_INIT;
	struct frame_restore_mailbox_is is = { 0 };
	buf_init(&name, 3 * LIMIT_MAILBOX_NAME_BYTES);
	if (importer_flush(im, err) < 0)
		return -1;
	make_name(im, m->name, &name);
	if (mailbox_name_canonical(buf_str(&name), &im->mailbox, &why) < 0) {
		im->mailbox = (struct mailbox_name){ .n = 0 };
		im->quiet = im->second;
		importer_tell_of_mailbox(im, name.p ? name.p : "", err_log_text(&why));
		return 1;
	}
	struct frame f = { .type = FRAME_RESTORE_MAILBOX,
		.restore_mailbox = { .account = im->account,
			.name = mailbox_name_str(&im->mailbox),
			.unsubscribed = m->unsubscribed,
			.uidvalidity = m->uidvalidity,
			.uidnext = m->uidnext } };
	if (remote_ask(im->remote, REMOTE_STORE, &f, on_mailbox, &is, err) < 0)
		return -1;
	/* A record that says INBOX and no number is found there by a rebuild, too. */
	im->id = str_equal(mailbox_name_str(&im->mailbox), STR("INBOX")) ? 0 : is.mailbox;
	im->number = is.mailbox;
	im->once = m->once;
	im->keeps_uids = m->uidvalidity && is.uidvalidity == m->uidvalidity;
	im->holds = im->quiet = false;
	im->mailboxes += !im->counted;
	show_progress(im);
	return 0;
}

/* ---- messages ---- */

static void free_message(struct import_message *m)
{
	free((void *)(uintptr_t)m->bytes.p);
	free((void *)(uintptr_t)m->keywords.p);
	free((void *)(uintptr_t)m->from);
}

static void clear_batch(struct importer *im)
{
	VEC_EACH (struct import_message, m, &im->batch)
		free_message(m);
	vec_clear(&im->batch);
	im->batch_bytes = 0;
}

/* flag-keyword = atom   RFC 9051 9 */
static bool is_keyword(struct str word)
{
	static const char specials[] = "(){%*\"\\]";
	bool good = word.n > 0 && word.n <= LIMIT_KEYWORD_BYTES;
	for (size_t i = 0; i < word.n; i++)
		good = good && word.p[i] > ' ' && word.p[i] < 0x7f &&
		       strchr(specials, word.p[i]) == NULL;
	return good;
}

static struct api_str_list keywords_of(struct str words, struct str names[LIMIT_KEYWORDS])
{
	size_t n = 0;
	while (words.n && n < LIMIT_KEYWORDS) {
		struct str word = str_split(&words, ' ');
		if (is_keyword(word))
			names[n++] = word;
	}
	return (struct api_str_list){ names, n };
}

static int send_message(
	struct importer *im, const struct import_message *m, bool keywords, struct err *err)
{
	struct str names[LIMIT_KEYWORDS];
	for (size_t at = 0; at < m->bytes.n; at += DATA_BYTES) {
		struct frame bytes = { .type = FRAME_UPLOAD_BYTES,
			.upload_bytes.data = str_sub(m->bytes, at, DATA_BYTES) };
		if (remote_tell(im->remote, &bytes, err) < 0)
			return -1;
	}
	struct frame to = { .type = FRAME_UPLOAD_RESTORE,
		.upload_restore = { .account = im->account,
			.mailbox = im->id,
			.time = m->time_ms,
			.flags = m->flags,
			.keywords = keywords_of(keywords ? m->keywords : STR_NONE, names),
			.uid = im->keeps_uids ? m->uid : 0 } };
	return remote_tell(im->remote, &to, err);
}

/* All of them in one commit, or none. */
static int upload(struct importer *im, const struct import_message *m, size_t n, bool keywords,
	struct err *err)
{
	struct frame open = { .type = FRAME_UPLOAD_OPEN, .upload_open.size = m->bytes.n };
	struct frame commit = { .type = FRAME_UPLOAD_COMMIT,
		.upload_commit.message_id = STR("import") };
	struct frame abort = { .type = FRAME_UPLOAD_ABORT };
	if (remote_begin(im->remote, REMOTE_STORE, NULL, NULL, err) < 0 ||
		remote_tell(im->remote, &open, err) < 0)
		return -1;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct frame next = { .type = FRAME_UPLOAD_NEXT, .upload_next.size = m[i].bytes.n };
		if (i > 0)
			rc = remote_tell(im->remote, &next, err);
		if (rc == 0)
			rc = send_message(im, &m[i], keywords, err);
	}
	if (rc == 0 && remote_tell(im->remote, &commit, err) == 0)
		return remote_wait(im->remote, err);
	struct err ignored = ERR_INIT;
	(void)remote_tell(im->remote, &abort, &ignored);
	return -1;
}

/* What a message can be refused for; anything else ends the import. */
static bool is_its_own(enum err_kind kind)
{
	return kind == ERR_LIMIT || kind == ERR_TOO_BIG || kind == ERR_SYNTAX;
}

/* Alone, then without its keywords, of which the mailbox may have too many. */
static int upload_alone(struct importer *im, const struct import_message *m, struct err *err)
{
	int rc = upload(im, m, 1, true, err);
	if (rc < 0 && err->kind == ERR_LIMIT && m->keywords.n) {
		*err = (struct err)ERR_INIT;
		rc = upload(im, m, 1, false, err);
		if (rc == 0)
			say(im, im->mailbox.text, m->from,
				"comes without keywords: the mailbox has too many");
	}
	if (rc == 0) {
		im->imported++;
		return 0;
	}
	if (!is_its_own(err->kind))
		return -1;
	tell(im, m->from, err_log_text(err));
	*err = (struct err)ERR_INIT;
	return 0;
}

int importer_flush(struct importer *im, struct err *err)
{
	size_t n = im->batch.n;
	int rc = 0;
	if (n > 1 && upload(im, vec_at(&im->batch, 0), n, true, err) == 0) {
		im->imported += n;
	} else if (n > 0 && err->kind != ERR_NONE && !is_its_own(err->kind)) {
		rc = planted("import_error_ignored") ? 0 : -1;
	} else {
		*err = (struct err)ERR_INIT;
		for (size_t i = 0; rc == 0 && i < n; i++)
			rc = upload_alone(im, vec_at(&im->batch, i), err);
	}
	clear_batch(im);
	show_progress(im);
	return rc;
}

static struct str owned(struct str s)
{
	return str_make(xmemdup0(s.n ? s.p : "", s.n), s.n);
}

static void count_there(struct importer *im)
{
	im->there++;
	show_progress(im);
}

bool importer_has(struct importer *im, uint64_t entry_id)
{
	struct api_body_hash hash;
	if (!bodies_take_entry(&im->known, entry_id, &hash))
		return false;
	see(im, hash);
	count_there(im);
	return true;
}

static int put_off(struct importer *im, const struct import_message *m,
	const struct import_body *body, struct err *err)
{
	struct import_put_off p = { .body = *body, .mailbox = im->number, .uid = m->uid };
	im->holds = true;
	return vec_push(&im->put_off, &p) ? 0 : fail(err, ERR_LIMIT, "there are too many messages");
}

/* A file's message that need not be read again; of those that are alike in a mailbox the first,
 * since the last are late. */
static void pass(struct importer *im, const struct import_body *body, uint64_t mailbox)
{
	struct placed_body placed = { body->whole, mailbox };
	if (im->files && im->turn == IMPORT_AT_HAND)
		count_more(&im->passed, str_make(&placed, sizeof(placed)));
}

static bool is_late(struct importer *im, const struct import_body *body)
{
	struct placed_body placed = { body->whole, im->number };
	return !count_less(&im->passed, str_make(&placed, sizeof(placed))) &&
	       bodies_take_here(&im->late, body->whole, im->number);
}

void importer_settle(struct importer *im)
{
	VEC_EACH (struct import_put_off, p, &im->put_off) {
		p->late = !is_anywhere(im, &p->body);
		if (p->late) {
			bodies_add(&im->late, p->body.whole, p->mailbox, 0);
			continue;
		}
		pass(im, &p->body, p->mailbox);
		count_there(im);
	}
}

int importer_message(struct importer *im, const struct import_message *m, struct err *err)
{
	if (m->bytes.n > im->most_bytes) {
		importer_tell(im, m->from, "larger than a message may be (message_bytes)");
		return 0;
	}
	bool at_hand = im->turn == IMPORT_AT_HAND;
	struct import_body body = body_of(im, m->bytes);
	if (im->turn == IMPORT_LATE)
		return is_late(im, &body) ? importer_put(im, m, err) : 0;
	bool there = was_seen(im, &body) || (at_hand ? is_here(im, &body) : is_anywhere(im, &body));
	if (!there && at_hand && (im->holds || may_be_elsewhere(im, &body)))
		return put_off(im, m, &body, err);
	pass(im, &body, im->number);
	if (!there)
		return importer_put(im, m, err);
	count_there(im);
	return 0;
}

int importer_put(struct importer *im, const struct import_message *m, struct err *err)
{
	if (im->batch.n && im->batch_bytes + m->bytes.n > BATCH_BYTES &&
		importer_flush(im, err) < 0)
		return -1;
	struct import_message copy = *m;
	copy.bytes = owned(m->bytes);
	copy.keywords = owned(m->keywords);
	copy.from = xstrdup(m->from);
	if (vec_push(&im->batch, &copy) == NULL)
		free_message(&copy); /* it is flushed when it is full */
	im->batch_bytes += m->bytes.n;
	return im->batch.n == BATCH_MESSAGES ? importer_flush(im, err) : 0;
}

int importer_end(struct importer *im, struct err *err)
{
	struct frame end = { .type = FRAME_RESTORE_END };
	if (importer_flush(im, err) < 0)
		return -1;
	if (im->shown_ms)
		fprintf(stderr, "\r\033[K");
	return remote_ask(im->remote, REMOTE_STORE, &end, NULL, NULL, err);
}

void importer_abandon(struct importer *im)
{
	struct err ignored = ERR_INIT;
	struct frame end = { .type = FRAME_RESTORE_END };
	if (im->shown_ms)
		fprintf(stderr, "\r\033[K");
	if (im->account)
		(void)remote_ask(im->remote, REMOTE_STORE, &end, NULL, NULL, &ignored);
}

void importer_done(struct importer *im)
{
	clear_batch(im);
	vec_done(&im->batch);
	bodies_done(&im->known);
	bodies_done(&im->late);
	map_done(&im->seen);
	map_done(&im->looked_at);
	map_done(&im->passed);
	map_done(&im->subscribed);
	vec_done(&im->put_off);
	if (im->hashes)
		sha256_pool_free(&im->hashes);
}

/* ---- files ---- */

int importer_read(struct importer *im, int (*read)(struct importer *, void *arg, struct err *),
	void *arg, struct err *err)
{
	im->files = true;
	if (bodies_any(&im->known)) {
		im->turn = IMPORT_AT_HAND;
		if (read(im, arg, err) < 0)
			return -1;
		importer_settle(im);
		im->second = im->counted = true;
	}
	return read(im, arg, err);
}

/* Whether it is read this time. */
static bool is_its_turn(struct importer *im)
{
	bool looked_at = map_get_u64(&im->looked_at, im->number) != NULL;
	if (im->second) {
		im->turn = looked_at ? IMPORT_LATE : IMPORT_REST;
		im->quiet = looked_at;
		return !looked_at || bodies_in(&im->late, im->number);
	}
	if (im->turn == IMPORT_REST || looked_at)
		return true;
	im->quiet = !bodies_in(&im->known, im->number);
	if (!im->quiet)
		(void)map_put_u64(&im->looked_at, im->number, im);
	return !im->quiet;
}

int importer_folder(struct importer *im, const struct import_mailbox *m, struct err *err)
{
	int rc = importer_mailbox(im, m, err);
	return rc ? rc : !is_its_turn(im);
}

/* No link is followed, and nothing but a plain file is opened for reading: a pipe would wait. */
static int open_plain(int directory, const char *name, struct stat *st)
{
	int file = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (file >= 0 && (fstat(file, st) < 0 || !S_ISREG(st->st_mode))) {
		close(file);
		errno = EINVAL;
		return -1;
	}
	return file;
}

/* A file may say any time. */
static int64_t ms_of(struct timespec t)
{
	if (t.tv_sec < TIME_MIN_MS / 1000)
		return TIME_MIN_MS;
	if (t.tv_sec > TIME_MAX_MS / 1000)
		return TIME_MAX_MS;
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int import_read_file(int directory, const char *name, struct buf *out, int64_t *ret_time_ms)
{
	struct stat st;
	buf_clear(out);
	int file = open_plain(directory, name, &st);
	if (file < 0)
		return 1;
	ssize_t n = 0;
	char *p;
	while ((p = buf_reserve(out, DATA_BYTES)) != NULL && (n = read(file, p, DATA_BYTES)) > 0)
		buf_used(out, (size_t)n);
	close(file);
	if (ret_time_ms)
		*ret_time_ms = ms_of(st.st_mtim);
	if (p == NULL)
		errno = EFBIG;
	return p == NULL || n < 0 ? 1 : 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int import_list(int directory, struct arena *arena, struct vec *names, struct err *err)
{
	int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	if (d == NULL) {
		if (copy >= 0)
			close(copy);
		return fail_errno(err, "a directory can't be read");
	}
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		struct str name = arena_str(arena, str_from(e->d_name));
		if (name.p == NULL || vec_push(names, &name.p) == NULL) {
			closedir(d);
			return fail(err, ERR_LIMIT, "a directory holds too much");
		}
	}
	closedir(d);
	if (names->n)
		qsort(names->p, names->n, names->size, by_name);
	return 0;
}

int import_walk(const struct import_level *level,
	int (*each)(const struct import_level *, const char *entry, struct err *), struct err *err)
{
	struct vec names;
	struct arena arena;
	if (level->depth > LIMIT_MAILBOX_LEVELS)
		return 0;
	arena_init(&arena, LIMIT_IMPORT_NAMES_BYTES);
	vec_init(&names, sizeof(char *), LIMIT_MAILBOXES * 10);
	int rc = import_list(level->directory, &arena, &names, err);
	VEC_EACH (const char *, name, &names)
		if (rc == 0)
			rc = each(level, *name, err);
	vec_done(&names);
	arena_done(&arena);
	return rc;
}

bool import_level_name(const struct import_level *level, struct str entry, struct buf *name)
{
	return (level->above.n == 0 || (buf_adds(name, level->above) && buf_addc(name, '/'))) &&
	       folder_level_read(entry, name);
}

int import_open_directory(int directory, const char *name)
{
	return openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* ---- subscriptions ---- */

/* In a path of mboxes "Work.sbd" is what is below "Work". */
static void drop_sbd(struct buf *name)
{
	static const struct str sbd = STR_INIT(".sbd/");
	for (size_t at; (at = str_search(buf_str(name), sbd)) < name->n;) {
		char *p = name->p + at;
		memmove(p, p + sbd.n - 1, name->n - at - sbd.n + 1);
		buf_truncate(name, name->n - sbd.n + 1);
	}
}

bool importer_read_subscriptions(
	struct importer *im, int directory, const char *file, char separator)
{
	struct buf text, name;
	buf_init(&text, LIMIT_IMPORT_NAMES_BYTES);
	buf_init(&name, 8 * LIMIT_MAILBOX_NAME_BYTES);
	bool found = import_read_file(directory, file, &text, NULL) == 0;
	struct subscriptions s = subscriptions_begin(buf_str(&text), separator);
	while (found && subscriptions_next(&s, &name)) {
		if (separator == '/')
			drop_sbd(&name);
		(void)map_put(&im->subscribed, buf_str(&name), im);
	}
	im->has_list |= found;
	buf_done(&text);
	buf_done(&name);
	return found;
}

bool importer_is_unsubscribed(const struct importer *im, struct str name)
{
	return im->has_list && map_get(&im->subscribed, name) == NULL;
}
