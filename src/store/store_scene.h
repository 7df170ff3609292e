/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Things done to a store that has something in it, for tests that cut them short in many ways: a
 * world that is made once and copied for each run, the table of actions, what each course comes to
 * when nothing goes wrong, and the comparison with that afterwards.
 *
 * used by: store_crash_test.c (calls of the system), store_memory_test.c (allocations)
 */
#ifndef CULVER_STORE_STORE_SCENE_H
#define CULVER_STORE_STORE_SCENE_H

#include "base/scan.h"
#include "store/store_private.h"
#include "store/store_test.h"

#include <fcntl.h>

struct scene;
struct course;

/* What a test does between the steps; each may be NULL. */
static struct {
	void (*ready)(struct scene *); /* the files are there, the store is not open yet */
	void (*reset)(void);           /* from here on nothing fails */
	void (*acted)(struct course *);
} scene_hooks;

static inline void scene_reset(void)
{
	if (scene_hooks.reset)
		scene_hooks.reset();
}

/* ---- a world to begin with, made once and copied for each run ---- */

struct file_copy {
	char name[64];
	char *bytes;
	size_t n;
};
static struct vec template; /* struct file_copy */

static inline int copy_in(void *arg, const char *name)
{
	struct files_seam *files = arg;
	struct file_copy c;
	snprintf(c.name, sizeof(c.name), "%s", name);
	int file = files->open(files, c.name, O_RDONLY, 0);
	if (file < 0 || files->size(files, file) < 0)
		return 0;
	c.n = (size_t)files->size(files, file);
	c.bytes = xmalloc(c.n + 1);
	if (files_pread_all(files, file, c.bytes, c.n, 0) == 0)
		vec_push(&template, &c);
	else
		free(c.bytes); /* a directory */
	files->close(files, file);
	return 0;
}

static inline int copy_in_blob(void *arg, const char *name)
{
	char path[64];
	snprintf(path, sizeof(path), "blobs/%.20s", name);
	return copy_in(arg, path);
}

static inline void copy_out(struct files_seam *files)
{
	files->mkdir(files, "blobs", 0700);
	VEC_EACH (struct file_copy, c, &template) {
		int file = files->open(files, c->name, O_RDWR | O_CREAT, 0600);
		assert_true(file >= 0);
		assert_int_equal(files_pwrite_all(files, file, c->bytes, c->n, 0), 0);
		files->close(files, file);
	}
}

enum { BODY = 3000 };

static inline struct str body_of(uint32_t n, char room[BODY])
{
	int head = snprintf(room, BODY, "Subject: number-%u.\r\n\r\n", n);
	uint64_t z = n;
	for (size_t i = (size_t)head; i < BODY; i++) {
		z = z * 6364136223846793005U + 1442695040888963407U;
		room[i] = (char)(z >> 56 | 1);
	}
	return str_make(room, BODY);
}

struct scene {
	struct world w;
	uint64_t alice, bob, inbox, folder;
	uint32_t session;
};

static inline void settings(struct scene *s)
{
	fixture_init(&s->w.f);
	s->w.f.settings.segment_bytes = 20000;
	s->w.f.settings.keep_deleted_ms = 86400000;
}

static inline void enter(struct scene *s)
{
	if (!fixture_open(&s->w.f))
		fail_msg("%s", err_log_text(&s->w.f.err));
	world_peers(&s->w);
}

static inline void know(struct scene *s)
{
	s->alice = account_of(&s->w.mx, "alice@example.test");
	s->bob = account_of(&s->w.mx, "bob@example.test");
	s->session = open_session(&s->w.user, s->alice);
	s->inbox = mailbox_of(&s->w.user, s->session, "INBOX");
	s->folder = mailbox_of(&s->w.user, s->session, "Folder");
}

static inline void leave(struct scene *s)
{
	world_peers_done(&s->w);
	store_free(&s->w.f.store);
}

static inline void make_template(void)
{
	struct scene s;
	char room[BODY];
	if (template.size)
		return;
	vec_init(&template, sizeof(struct file_copy), 1000);
	settings(&s);
	enter(&s);
	ask(&s.w.admin,
		(struct frame){ .type = FRAME_DOMAIN_ADD, .domain_add.name = STR("example.test") });
	add_account(&s.w, "alice@example.test");
	add_account(&s.w, "bob@example.test");
	s.alice = account_of(&s.w.mx, "alice@example.test");
	s.session = open_session(&s.w.user, s.alice);
	assert_frame(ask(&s.w.user, (struct frame){ .type = FRAME_MAILBOX_CREATE,
					    .mailbox_create = { s.session, STR("Folder"), 0 } }),
		FRAME_MAILBOXES);
	know(&s);
	for (uint32_t n = 1; n <= 12; n++)
		deliver_one(&s.w.mx, s.alice, body_of(n, room));
	ask_about(&s.w.user, 1, 2,
		(struct frame){ .type = FRAME_EXPUNGE, .expunge = { s.session, s.inbox } });
	ask_about(&s.w.user, 3, 4,
		(struct frame){
			.type = FRAME_COPY, .copy = { s.session, s.inbox, s.folder, true } });
	leave(&s);
	struct files_seam *files = s.w.f.seams.files;
	files->list(files, ".", copy_in, files);
	files->list(files, "blobs", copy_in_blob, files);
	fixture_done(&s.w.f);
}

/* The template's world, not open yet. */
static inline void scene_prepare(struct scene *s)
{
	make_template();
	settings(s);
	copy_out(s->w.f.seams.files);
	if (scene_hooks.ready)
		scene_hooks.ready(s);
}

static inline void scene_init(struct scene *s)
{
	scene_prepare(s);
	enter(s);
	know(s);
}

/* ---- what is there ---- */

struct looking {
	struct store *store;
	struct reader *rows;
	struct segment_reader *bytes;
	struct buf out;
};

/* The number of a message, all of whose bytes are right. */
static inline uint32_t number_of(struct looking *l, uint64_t account, uint64_t box, uint32_t uid)
{
	struct entry_place place;
	struct err err = ERR_INIT;
	char got[BODY], want[BODY];
	if (l->rows->class->entry(l->rows, account, box, uid, &place, &err) < 0 ||
		segment_read(l->bytes, &place.body.ref, 0, got, BODY, &err) != BODY)
		fail_msg("uid %u: %s", uid, err_log_text(&err));
	struct scan s = scan_from(str_from_offset(str_make(got, BODY), strlen("Subject: number-")));
	uint64_t n;
	assert_true(scan_number(&s, 1000, &n));
	body_of((uint32_t)n, want);
	assert_memory_equal(got, want, BODY);
	return (uint32_t)n;
}

static inline int add_box(void *arg, const struct api_mailbox *box)
{
	uint64_t id = box->id;
	vec_push(arg, &id);
	return 0;
}

static inline void describe_box(struct looking *l, uint64_t account, uint64_t id)
{
	struct mailbox_row row;
	struct vec entries;
	struct arena arena;
	struct err err = ERR_INIT;
	arena_init(&arena, 1 << 20);
	vec_init(&entries, sizeof(struct api_entry), 1000);
	assert_int_equal(
		l->rows->class->view(l->rows, id, 0, 1000, &row, &arena, NULL, &entries, &err), 0);
	buf_addf(&l->out, "%s:", row.name);
	VEC_EACH (struct api_entry, e, &entries)
		buf_addf(&l->out, " %u=%u/%u", e->uid, number_of(l, account, id, e->uid), e->flags);
	buf_addz(&l->out, "\n");
	vec_done(&entries);
	arena_done(&arena);
}

static inline void describe(struct looking *l, uint64_t account)
{
	struct vec boxes;
	struct err err = ERR_INIT;
	vec_init(&boxes, sizeof(uint64_t), 1000);
	assert_int_equal(l->rows->class->mailbox_each(l->rows, account, add_box, &boxes, &err), 0);
	VEC_EACH (uint64_t, id, &boxes)
		if (*id)
			describe_box(l, account, *id);
	vec_done(&boxes);
}

/* Every message of both accounts: where, which, with what flags. The caller frees. */
static inline char *snapshot(struct scene *s)
{
	struct store *store = s->w.f.store;
	struct err err = ERR_INIT;
	struct looking l = { .store = store,
		.rows = store->engine->class->reader_open(store->engine, &err),
		.bytes = segment_reader_new(store->segments) };
	buf_init(&l.out, 1 << 20);
	describe(&l, s->alice);
	describe(&l, s->bob);
	buf_addc(&l.out, '\0');
	segment_reader_free(&l.bytes);
	store->engine->class->reader_close(&l.rows);
	return l.out.p;
}

static inline void no_damage(struct scene *s)
{
	const struct frame *r = ask(&s->w.admin, (struct frame){ .type = FRAME_STORE_CHECK });
	if (r->type == FRAME_CHECK_FINDING)
		fail_msg("%.*s", (int)r->check_finding.text.n, r->check_finding.text.p);
	assert_frame(r, FRAME_CHECK_DONE);
}

/* ---- what is done ---- */

/* The answer, or NULL when there is none. */
static inline const struct frame *try(struct test_peer *p, struct frame frame)
{
	uint32_t request = ++p->last_request;
	tell(p, request, frame);
	executor_fake_run(&p->f->executor);
	return reply_at(p, request, 0);
}

static inline const struct frame *try_about(
	struct test_peer *p, uint32_t low, uint32_t high, struct frame frame)
{
	tell_uids(p, p->last_request + 1, low, high);
	return try(p, frame);
}

static inline const struct frame *send(
	struct test_peer *p, struct frame to, uint32_t n, int recipients, const uint64_t *accounts)
{
	char room[BODY];
	uint32_t request = ++p->last_request;
	tell(p, request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
	tell(p, request,
		(struct frame){
			.type = FRAME_UPLOAD_BYTES, .upload_bytes.data = body_of(n, room) });
	for (int i = 0; i < recipients; i++) {
		if (accounts)
			to.upload_to.account = accounts[i];
		tell(p, request, to);
	}
	tell(p, request, (struct frame){ .type = FRAME_UPLOAD_COMMIT });
	executor_fake_run(&p->f->executor);
	return reply_at(p, request, 0);
}

static inline const struct frame *do_deliver(struct scene *s)
{
	uint64_t to[] = { s->alice, s->bob };
	return send(&s->w.mx, (struct frame){ .type = FRAME_UPLOAD_TO }, 50, 2, to);
}
static inline const struct frame *do_append(struct scene *s)
{
	return send(&s->w.user,
		(struct frame){ .type = FRAME_UPLOAD_INTO,
			.upload_into = { .session = s->session, .mailbox = s->folder } },
		51, 1, NULL);
}
static inline const struct frame *do_flags(struct scene *s)
{
	return try_about(&s->w.user, 5, 8,
		(struct frame){ .type = FRAME_SET_FLAGS,
			.set_flags = { .session = s->session,
				.mailbox = s->inbox,
				.mode = FLAGS_ADD,
				.flags = FLAG_SEEN,
				.unchanged_since = UINT64_MAX } });
}
static inline const struct frame *do_copy(struct scene *s)
{
	return try_about(&s->w.user, 5, 8,
		(struct frame){
			.type = FRAME_COPY, .copy = { s->session, s->inbox, s->folder, false } });
}
static inline const struct frame *do_move(struct scene *s)
{
	return try_about(&s->w.user, 5, 8,
		(struct frame){
			.type = FRAME_COPY, .copy = { s->session, s->inbox, s->folder, true } });
}
static inline const struct frame *do_expunge(struct scene *s)
{
	return try_about(&s->w.user, 5, 8,
		(struct frame){ .type = FRAME_EXPUNGE, .expunge = { s->session, s->inbox } });
}
static inline const struct frame *do_rename(struct scene *s)
{
	return try(
		&s->w.user, (struct frame){ .type = FRAME_MAILBOX_RENAME,
				    .mailbox_rename = { s->session, STR("Folder"), STR("a/b") } });
}
static inline const struct frame *do_rename_inbox(struct scene *s)
{
	return try(
		&s->w.user, (struct frame){ .type = FRAME_MAILBOX_RENAME,
				    .mailbox_rename = { s->session, STR("INBOX"), STR("old") } });
}
static inline const struct frame *do_delete(struct scene *s)
{
	return try(&s->w.user, (struct frame){ .type = FRAME_MAILBOX_DELETE,
				       .mailbox_delete = { s->session, STR("Folder") } });
}
static inline const struct frame *do_undelete(struct scene *s)
{
	return try(&s->w.admin, (struct frame){ .type = FRAME_UNDELETE,
					.undelete.address = STR("alice@example.test") });
}
static inline const struct frame *do_reclaim(struct scene *s)
{
	return try(&s->w.admin,
		(struct frame){ .type = FRAME_STORE_RECLAIM, .store_reclaim.deleted = true });
}

static const struct action {
	const char *name;
	const struct frame *(*act)(struct scene *);
} actions[] = { { "deliver", do_deliver }, { "append", do_append }, { "flags", do_flags },
	{ "copy", do_copy }, { "move", do_move }, { "expunge", do_expunge },
	{ "rename", do_rename }, { "rename INBOX", do_rename_inbox }, { "delete", do_delete },
	{ "undelete", do_undelete }, { "reclaim", do_reclaim } };

/* ---- an action without a failure ---- */

struct course {
	const struct action *action;
	char *before, *after;
	uint64_t calls; /* that can fail on its way */
};

static inline void course_init(struct course *c, const struct action *action)
{
	struct scene s;
	scene_init(&s);
	c->action = action;
	c->before = snapshot(&s);
	scene_reset();
	const struct frame *r = action->act(&s);
	assert_non_null(r);
	assert_int_not_equal(r->type, FRAME_FAILED);
	if (scene_hooks.acted)
		scene_hooks.acted(c);
	c->after = snapshot(&s);
	no_damage(&s);
	leave(&s);
	fixture_done(&s.w.f);
}

static inline void course_done(struct course *c)
{
	free(c->before);
	free(c->after);
}

static inline void compare(
	struct scene *s, const struct course *c, bool acknowledged, uint64_t call)
{
	char *now = snapshot(s);
	bool done = strcmp(now, c->after) == 0;
	if (!done && (acknowledged || strcmp(now, c->before) != 0))
		fail_msg("%s, call %d of %d%s:\n%swas\n%s", c->action->name, (int)call,
			(int)c->calls, acknowledged ? ", acknowledged" : "", now, c->before);
	free(now);
	no_damage(s);
}

/* It goes on: another delivery arrives. */
static inline void goes_on(struct scene *s)
{
	const struct frame *r = send(
		&s->w.mx, (struct frame){ .type = FRAME_UPLOAD_TO }, 60, 1, &s->bob);
	assert_non_null(r);
	assert_frame(r, FRAME_DELIVERED);
}

/* The next process: it knows the accounts, and nothing else. */
static inline void next_process(struct scene *s)
{
	leave(s);
	scene_reset();
	s->w.f.ended = 0;
	enter(s);
	assert_false(store_read_only(s->w.f.store, NULL));
}

#endif
