// SPDX-License-Identifier: Apache-2.0
/* Reading an account for an export: its mailboxes, each as a view at one moment, and the bytes of
 * each message. What goes meanwhile is left out; what can't be read is told. */
#include "cli/export.h"

#include "base/abnf.h"
#include "base/limits.h"
#include "base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PIECE_BYTES = 65000, SHOWN_EVERY_MS = 250, MOST_ENTRIES = 1 << 24 };

struct exporter {
	const struct options *o;
	struct remote *remote;
	const struct export_class *class;
	struct export_writer *writer;
	struct export_totals *totals;
	struct err *err;
	uint32_t session;
	struct arena arena;
	struct vec mailboxes; /* struct api_mailbox, names in the arena */
	/* the mailbox at hand */
	const struct api_mailbox *mailbox;
	struct arena view_arena;
	struct frame_view_is view;
	struct vec entries; /* struct api_entry */
	struct buf message;
	uint64_t size;
	bool full;
	int64_t shown_ms;
};

/* ---- files ---- */

int export_write(int file, struct str bytes, struct err *err)
{
	while (bytes.n) {
		ssize_t n = write(file, bytes.p, bytes.n);
		if (n < 0 && errno != EINTR)
			return fail_errno(err, "writing failed");
		bytes = str_from_offset(bytes, n > 0 ? (size_t)n : 0);
	}
	return 0;
}

int export_new_file(int directory, const char *name, struct err *err)
{
	int file = openat(
		directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return file < 0 ? fail_errno(err, "can't make the file %s", name) : file;
}

int export_new_directory(int directory, const char *name, struct err *err)
{
	if (mkdirat(directory, name, 0700) < 0)
		return fail_errno(err, "can't make the directory %s", name);
	int made = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return made < 0 ? fail_errno(err, "can't open the directory %s", name) : made;
}

bool export_name_is_free(int directory, struct buf *name)
{
	struct stat st;
	enum { NAME_BYTES = 255 };
	while (name->n > 0 && name->n <= NAME_BYTES) {
		if (fstatat(directory, name->p, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return true;
		if (!buf_addc(name, '_'))
			break;
	}
	return false;
}

/* Of the progress that may stand there. */
static void clear_line(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

void export_note(const char *what, struct str name)
{
	clear_line();
	fprintf(stderr, "note: %" STR_FMT ": %s\n", STR_ARG(name), what);
}

/* ---- reading ---- */

static void on_session(void *arg, const struct frame *frame)
{
	struct exporter *x = arg;
	if (frame->type == FRAME_SESSION_IS)
		x->session = frame->session_is.session;
}

static void on_mailboxes(void *arg, const struct frame *frame)
{
	struct exporter *x = arg;
	if (frame->type != FRAME_MAILBOXES)
		return;
	for (size_t i = 0; i < frame->mailboxes.mailboxes.n; i++) {
		struct api_mailbox mailbox = frame->mailboxes.mailboxes.items[i];
		mailbox.name = arena_str(&x->arena, mailbox.name);
		if (mailbox.exists &&
			(mailbox.name.p == NULL || !vec_push(&x->mailboxes, &mailbox)))
			x->full = true;
	}
}

static void keep_view(struct exporter *x, const struct frame_view_is *is)
{
	struct str *names = arena_array(&x->view_arena, is->keywords.n + 1, sizeof(*names));
	x->view = *is;
	x->view.keywords = (struct api_str_list){ names, names ? is->keywords.n : 0 };
	x->full |= names == NULL;
	for (size_t i = 0; names && i < is->keywords.n; i++)
		names[i] = arena_str(&x->view_arena, is->keywords.items[i]);
}

static void on_view(void *arg, const struct frame *frame)
{
	struct exporter *x = arg;
	if (frame->type == FRAME_VIEW_IS)
		keep_view(x, &frame->view_is);
	if (frame->type != FRAME_VIEW_ENTRIES)
		return;
	for (size_t i = 0; i < frame->view_entries.entries.n; i++)
		if (!vec_push(&x->entries, &frame->view_entries.entries.items[i]))
			x->full = true;
}

static void on_bytes(void *arg, const struct frame *frame)
{
	struct exporter *x = arg;
	if (frame->type != FRAME_MESSAGE_BYTES)
		return;
	x->size = frame->message_bytes.size;
	if (!buf_adds(&x->message, frame->message_bytes.data))
		x->full = true;
}

/* Whole; 1: it is gone, or damaged, which was told. */
static int read_message(struct exporter *x, const struct api_entry *entry)
{
	struct err why = ERR_INIT;
	size_t before;
	buf_clear(&x->message);
	do {
		struct frame f = { .type = FRAME_MESSAGE_READ,
			.message_read = { x->session, x->mailbox->id, entry->uid, x->message.n,
				PIECE_BYTES } };
		before = x->message.n;
		if (remote_ask(x->remote, REMOTE_STORE, &f, on_bytes, x, &why) < 0)
			break;
	} while (!x->full && x->message.n > before && x->message.n < x->size);
	if (why.kind == ERR_NONE && x->message.n == x->size)
		return 0;
	if (why.kind == ERR_NOT_FOUND)
		return 1;
	if (why.kind != ERR_NONE && why.kind != ERR_CORRUPT) {
		*x->err = why;
		return -1;
	}
	x->totals->damaged++;
	clear_line();
	fprintf(stderr, "damage: %" STR_FMT " UID %u: %s\n", STR_ARG(x->mailbox->name), entry->uid,
		why.kind ? err_log_text(&why) : "the message has another size");
	return 1;
}

static void show_progress(struct exporter *x)
{
	struct timespec now;
	if (!isatty(STDERR_FILENO) || x->o->json)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	if (ms - x->shown_ms < SHOWN_EVERY_MS)
		return;
	x->shown_ms = ms;
	fprintf(stderr, "\r\033[K%" PRIu64 " messages: %" STR_FMT, x->totals->messages,
		STR_ARG(x->mailbox->name));
}

static int export_message(struct exporter *x, const struct api_entry *entry)
{
	struct export_message m = { .entry = entry };
	uint64_t bits[2] = { entry->keywords_low, entry->keywords_high };
	int rc = read_message(x, entry);
	if (rc)
		return rc < 0 ? -1 : 0;
	for (size_t i = 0; i < x->view.keywords.n && i < ARRAY_LEN(m.keywords); i++)
		if (bits[i / 64] >> (i % 64) & 1 && abnf_is_imap_keyword(x->view.keywords.items[i]))
			m.keywords[m.n_keywords++] = x->view.keywords.items[i];
	m.bytes = buf_str(&x->message);
	x->totals->messages++;
	show_progress(x);
	return x->class->message(x->writer, &m, x->err);
}

static bool has_children(const struct exporter *x, const struct api_mailbox *mailbox)
{
	size_t n = mailbox->name.n;
	VEC_EACH (struct api_mailbox, other, &x->mailboxes)
		if (other->name.n > n && other->name.p[n] == '/' &&
			str_starts(other->name, mailbox->name))
			return true;
	return false;
}

static int export_mailbox(struct exporter *x, const struct api_mailbox *mailbox)
{
	struct frame f = { .type = FRAME_VIEW_OPEN,
		.view_open = { x->session, mailbox->id, false } };
	struct err why = ERR_INIT;
	x->mailbox = mailbox;
	arena_init(&x->view_arena, 1 << 20);
	vec_init(&x->entries, sizeof(struct api_entry), MOST_ENTRIES);
	int rc = remote_ask(x->remote, REMOTE_STORE, &f, on_view, x, &why);
	bool gone = rc < 0 && why.kind == ERR_NOT_FOUND;
	if (rc < 0 && !gone)
		*x->err = why;
	if (rc == 0 && x->full)
		rc = fail(x->err, ERR_LIMIT, "the mailbox is too large");
	if (rc == 0)
		rc = x->class->mailbox(
			x->writer, mailbox, &x->view, has_children(x, mailbox), x->err);
	VEC_EACH (struct api_entry, entry, &x->entries)
		if (rc == 0)
			rc = export_message(x, entry);
	if (rc == 0)
		rc = x->class->mailbox_end(x->writer, x->err);
	x->totals->mailboxes += rc == 0;
	x->totals->left_out += rc == 1;
	vec_done(&x->entries);
	arena_done(&x->view_arena);
	return gone || rc == 1 ? 0 : rc;
}

int export_account(const struct options *o, struct remote *remote, struct str address,
	const struct export_class *class, struct export_writer *writer,
	struct export_totals *totals, struct err *err)
{
	struct exporter x = { .o = o,
		.remote = remote,
		.class = class,
		.writer = writer,
		.totals = totals,
		.err = err };
	struct frame open = { .type = FRAME_ACCOUNT_OPEN, .account_open.address = address };
	struct frame list = { .type = FRAME_MAILBOX_LIST };
	arena_init(&x.arena, 256 << 20);
	vec_init(&x.mailboxes, sizeof(struct api_mailbox), LIMIT_MAILBOXES);
	buf_init(&x.message, LIMIT_BODY_BYTES + 2 * LIMIT_PREFIX_BYTES);
	int rc = remote_ask(remote, REMOTE_STORE, &open, on_session, &x, err);
	list.mailbox_list.session = x.session;
	if (rc == 0)
		rc = remote_ask(remote, REMOTE_STORE, &list, on_mailboxes, &x, err);
	VEC_EACH (struct api_mailbox, mailbox, &x.mailboxes)
		if (rc == 0 &&
			(o->mailbox == NULL || str_equal(mailbox->name, str_from(o->mailbox))))
			rc = export_mailbox(&x, mailbox);
	if (rc == 0 && o->mailbox && totals->mailboxes == 0 && totals->left_out == 0)
		rc = fail(err, ERR_NOT_FOUND, "there is no mailbox %s", o->mailbox);
	if (rc == 0)
		rc = class->end(writer, err);
	if (x.shown_ms)
		fprintf(stderr, "\r\033[K");
	arena_done(&x.arena);
	vec_done(&x.mailboxes);
	buf_done(&x.message);
	return rc;
}
