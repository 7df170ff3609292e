// SPDX-License-Identifier: Apache-2.0
/*
 * Every call that the store makes of the system, counted, and cut or failed at each in turn: while
 * it delivers, appends, sets flags, copies, moves, expunges, renames, deletes a mailbox, undeletes
 * and reclaims. G1: killed there. G4: the call fails, in each way that the system has, or does less
 * than was asked. G10: from there on nothing works any more. G12: reclaim, and the steps of the
 * schema.
 *
 * Afterwards each message is where it was before or where it was to go, whole, once; what was
 * acknowledged has happened; `store check` finds nothing; and the store goes on.
 */
#include "base/scan.h"
#include "store/store_private.h"
#include "store/store_test.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>

/* ---- the system, which fails on demand ---- */

enum { SHORT = 1 }; /* instead of an error: a write or read of half the bytes */

static struct {
	uint64_t calls, fail_at; /* 0: never */
	int how;                 /* -errno, or SHORT */
	bool for_ever;
	struct files_seam real, *seam;
	sqlite3_vfs vfs, *real_vfs;
	sqlite3_io_methods methods[2]; /* of a database, and of its log */
	const sqlite3_io_methods *real_methods[2];
} sys;

static bool fails(void)
{
	sys.calls++;
	return sys.fail_at &&
	       (sys.calls == sys.fail_at || (sys.for_ever && sys.calls > sys.fail_at));
}

static void plan(uint64_t fail_at, int how, bool for_ever)
{
	sys.calls = 0;
	sys.fail_at = fail_at;
	sys.how = how;
	sys.for_ever = for_ever;
}

/* Calls that are no reads, writes or flushes are not interrupted on a file of a disk; and SQLite's
 * unix VFS goes on after EINTR and short counts by itself, below where it is cut here. */
static bool fails_whole(void)
{
	return fails() && sys.how != SHORT && sys.how != -EINTR;
}

static int error(void)
{
	return sys.how == SHORT ? -EINTR : sys.how;
}

/* A write that is cut has been done by half, when the process is killed in it. */
static ssize_t part(const void *p, size_t n, int file, off_t at)
{
	if (sys.how != SHORT && !sys.for_ever)
		return sys.how;
	if (sys.how != SHORT && sys.calls > sys.fail_at)
		return sys.how;
	ssize_t done = sys.real.pwrite(sys.seam, file, p, n / 2, at);
	return sys.how == SHORT ? (done ? done : -EINTR) : sys.how;
}

static int sys_open(struct files_seam *f, const char *name, int flags, mode_t mode)
{
	return fails_whole() ? sys.how : sys.real.open(f, name, flags, mode);
}
static int sys_open_unlinked(struct files_seam *f, const char *directory)
{
	return fails_whole() ? sys.how : sys.real.open_unlinked(f, directory);
}
static ssize_t sys_pread(struct files_seam *f, int file, void *p, size_t n, off_t at)
{
	if (!fails())
		return sys.real.pread(f, file, p, n, at);
	return sys.how == SHORT && n > 1 ? sys.real.pread(f, file, p, n / 2, at) : error();
}
static ssize_t sys_pwrite(struct files_seam *f, int file, const void *p, size_t n, off_t at)
{
	return fails() ? part(p, n, file, at) : sys.real.pwrite(f, file, p, n, at);
}
static int sys_fdatasync(struct files_seam *f, int file)
{
	return fails() && sys.how != SHORT ? error() : sys.real.fdatasync(f, file);
}
static int sys_sync_directory(struct files_seam *f, const char *directory)
{
	return fails_whole() ? sys.how : sys.real.sync_directory(f, directory);
}
static int sys_truncate(struct files_seam *f, int file, off_t length)
{
	return fails_whole() ? sys.how : sys.real.truncate(f, file, length);
}
static int sys_rename(struct files_seam *f, const char *from, const char *to)
{
	return fails_whole() ? sys.how : sys.real.rename(f, from, to);
}
static int sys_unlink(struct files_seam *f, const char *name)
{
	return fails_whole() ? sys.how : sys.real.unlink(f, name);
}

static int db_error(int other)
{
	return sys.how == -ENOSPC || sys.how == -EDQUOT ? SQLITE_FULL : other;
}

static const sqlite3_io_methods *real_of(const sqlite3_file *file)
{
	return sys.real_methods[file->pMethods == &sys.methods[1]];
}
static int db_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at)
{
	if (!fails_whole())
		return real_of(file)->xWrite(file, p, n, at);
	if (sys.for_ever && sys.calls == sys.fail_at)
		real_of(file)->xWrite(file, p, n / 2, at);
	return db_error(SQLITE_IOERR_WRITE);
}
static int db_sync(sqlite3_file *file, int flags)
{
	return fails_whole() ? SQLITE_IOERR_FSYNC : real_of(file)->xSync(file, flags);
}
static int db_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	return fails_whole() ? SQLITE_IOERR_TRUNCATE : real_of(file)->xTruncate(file, size);
}
static int db_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	(void)vfs;
	return fails_whole() ? SQLITE_IOERR_DELETE
			     : sys.real_vfs->xDelete(sys.real_vfs, name, sync);
}
static int db_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret)
{
	(void)vfs;
	if (fails_whole()) {
		file->pMethods = NULL;
		return SQLITE_CANTOPEN;
	}
	int rc = sys.real_vfs->xOpen(sys.real_vfs, name, file, flags, ret);
	if (rc != SQLITE_OK || file->pMethods == NULL)
		return rc;
	int which = (flags & SQLITE_OPEN_MAIN_DB) == 0;
	sys.real_methods[which] = file->pMethods;
	sys.methods[which] = *file->pMethods;
	sys.methods[which].xWrite = db_write;
	sys.methods[which].xSync = db_sync;
	sys.methods[which].xTruncate = db_truncate;
	file->pMethods = &sys.methods[which];
	return rc;
}
static const char *db_name(struct files_seam *f)
{
	(void)f;
	return "counted";
}

static void interpose(struct files_seam *f)
{
	if (sys.real_vfs == NULL) {
		sys.real_vfs = sqlite3_vfs_find(NULL);
		sys.vfs = *sys.real_vfs;
		sys.vfs.zName = "counted";
		sys.vfs.xOpen = db_open;
		sys.vfs.xDelete = db_delete;
		sqlite3_vfs_register(&sys.vfs, 0);
	}
	sys.real = *f;
	sys.seam = f;
	f->open = sys_open;
	f->open_unlinked = sys_open_unlinked;
	f->pread = sys_pread;
	f->pwrite = sys_pwrite;
	f->fdatasync = sys_fdatasync;
	f->sync_directory = sys_sync_directory;
	f->truncate = sys_truncate;
	f->rename = sys_rename;
	f->unlink = sys_unlink;
	f->sqlite_vfs = db_name;
}

/* ---- a world to begin with, made once and copied for each run ---- */

struct file_copy {
	char name[64];
	char *bytes;
	size_t n;
};
static struct vec template; /* struct file_copy */

static int copy_in(void *arg, const char *name)
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

static int copy_in_blob(void *arg, const char *name)
{
	char path[64];
	snprintf(path, sizeof(path), "blobs/%.20s", name);
	return copy_in(arg, path);
}

static void copy_out(struct files_seam *files)
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

static struct str body_of(uint32_t n, char room[BODY])
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

static void settings(struct scene *s)
{
	fixture_init(&s->w.f);
	s->w.f.settings.segment_bytes = 20000;
	s->w.f.settings.keep_deleted_ms = 86400000;
}

static void enter(struct scene *s)
{
	if (!fixture_open(&s->w.f))
		fail_msg("%s", err_log_text(&s->w.f.err));
	world_peers(&s->w);
}

static void know(struct scene *s)
{
	s->alice = account_of(&s->w.mx, "alice@example.test");
	s->bob = account_of(&s->w.mx, "bob@example.test");
	s->session = open_session(&s->w.user, s->alice);
	s->inbox = mailbox_of(&s->w.user, s->session, "INBOX");
	s->folder = mailbox_of(&s->w.user, s->session, "Folder");
}

static void leave(struct scene *s)
{
	world_peers_done(&s->w);
	store_free(&s->w.f.store);
}

static void make_template(void)
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

/* The template's world, whose calls are counted from now on. */
static void scene_init(struct scene *s)
{
	make_template();
	settings(s);
	copy_out(s->w.f.seams.files);
	plan(0, 0, false);
	interpose(s->w.f.seams.files);
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
static uint32_t number_of(struct looking *l, uint64_t account, uint64_t box, uint32_t uid)
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

static int add_box(void *arg, const struct api_mailbox *box)
{
	uint64_t id = box->id;
	vec_push(arg, &id);
	return 0;
}

static void describe_box(struct looking *l, uint64_t account, uint64_t id)
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

static void describe(struct looking *l, uint64_t account)
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
static char *snapshot(struct scene *s)
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

static void no_damage(struct scene *s)
{
	const struct frame *r = ask(&s->w.admin, (struct frame){ .type = FRAME_STORE_CHECK });
	if (r->type == FRAME_CHECK_FINDING)
		fail_msg("%.*s", (int)r->check_finding.text.n, r->check_finding.text.p);
	assert_frame(r, FRAME_CHECK_DONE);
}

/* ---- what is done ---- */

/* The answer, or NULL when there is none. */
static const struct frame *try(struct test_peer *p, struct frame frame)
{
	uint32_t request = ++p->last_request;
	tell(p, request, frame);
	executor_fake_run(&p->f->executor);
	return reply_at(p, request, 0);
}

static const struct frame *try_about(
	struct test_peer *p, uint32_t low, uint32_t high, struct frame frame)
{
	tell_uids(p, p->last_request + 1, low, high);
	return try(p, frame);
}

static const struct frame *send(
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

static const struct frame *do_deliver(struct scene *s)
{
	uint64_t to[] = { s->alice, s->bob };
	return send(&s->w.mx, (struct frame){ .type = FRAME_UPLOAD_TO }, 50, 2, to);
}
static const struct frame *do_append(struct scene *s)
{
	return send(&s->w.user,
		(struct frame){ .type = FRAME_UPLOAD_INTO,
			.upload_into = { .session = s->session, .mailbox = s->folder } },
		51, 1, NULL);
}
static const struct frame *do_flags(struct scene *s)
{
	return try_about(&s->w.user, 5, 8,
		(struct frame){ .type = FRAME_SET_FLAGS,
			.set_flags = { .session = s->session,
				.mailbox = s->inbox,
				.mode = FLAGS_ADD,
				.flags = FLAG_SEEN,
				.unchanged_since = UINT64_MAX } });
}
static const struct frame *do_copy(struct scene *s)
{
	return try_about(&s->w.user, 5, 8,
		(struct frame){
			.type = FRAME_COPY, .copy = { s->session, s->inbox, s->folder, false } });
}
static const struct frame *do_move(struct scene *s)
{
	return try_about(&s->w.user, 5, 8,
		(struct frame){
			.type = FRAME_COPY, .copy = { s->session, s->inbox, s->folder, true } });
}
static const struct frame *do_expunge(struct scene *s)
{
	return try_about(&s->w.user, 5, 8,
		(struct frame){ .type = FRAME_EXPUNGE, .expunge = { s->session, s->inbox } });
}
static const struct frame *do_rename(struct scene *s)
{
	return try(
		&s->w.user, (struct frame){ .type = FRAME_MAILBOX_RENAME,
				    .mailbox_rename = { s->session, STR("Folder"), STR("a/b") } });
}
static const struct frame *do_rename_inbox(struct scene *s)
{
	return try(
		&s->w.user, (struct frame){ .type = FRAME_MAILBOX_RENAME,
				    .mailbox_rename = { s->session, STR("INBOX"), STR("old") } });
}
static const struct frame *do_delete(struct scene *s)
{
	return try(&s->w.user, (struct frame){ .type = FRAME_MAILBOX_DELETE,
				       .mailbox_delete = { s->session, STR("Folder") } });
}
static const struct frame *do_undelete(struct scene *s)
{
	return try(&s->w.admin, (struct frame){ .type = FRAME_UNDELETE,
					.undelete.address = STR("alice@example.test") });
}
static const struct frame *do_reclaim(struct scene *s)
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
	uint64_t calls;
};

static void course_init(struct course *c, const struct action *action)
{
	struct scene s;
	scene_init(&s);
	c->action = action;
	c->before = snapshot(&s);
	plan(0, 0, false);
	const struct frame *r = action->act(&s);
	assert_non_null(r);
	assert_int_not_equal(r->type, FRAME_FAILED);
	c->calls = sys.calls;
	c->after = snapshot(&s);
	no_damage(&s);
	leave(&s);
	fixture_done(&s.w.f);
}

static void course_done(struct course *c)
{
	free(c->before);
	free(c->after);
}

static void compare(struct scene *s, const struct course *c, bool acknowledged, uint64_t call)
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
static void goes_on(struct scene *s)
{
	const struct frame *r = send(
		&s->w.mx, (struct frame){ .type = FRAME_UPLOAD_TO }, 60, 1, &s->bob);
	assert_non_null(r);
	assert_frame(r, FRAME_DELIVERED);
}

/* The next process: it knows the accounts, and nothing else. */
static void next_process(struct scene *s)
{
	leave(s);
	plan(0, 0, false);
	s->w.f.ended = 0;
	enter(s);
	assert_false(store_read_only(s->w.f.store, NULL));
}

static void killed_at(const struct course *c, uint64_t call)
{
	struct scene s;
	scene_init(&s);
	plan(call, -EIO, true);
	const struct frame *r = c->action->act(&s);
	bool acknowledged = r && r->type != FRAME_FAILED;
	next_process(&s);
	compare(&s, c, acknowledged, call);
	if (c->action->act == do_reclaim) /* G12: what was cut is taken up again */
		assert_frame(do_reclaim(&s), FRAME_RECLAIMED);
	compare(&s, c, acknowledged, call);
	goes_on(&s);
	no_damage(&s);
	leave(&s);
	fixture_done(&s.w.f);
}

static void fails_at(const struct course *c, uint64_t call, int how)
{
	struct scene s;
	scene_init(&s);
	plan(call, how, false);
	const struct frame *r = c->action->act(&s);
	plan(0, 0, false);
	bool acknowledged = r && r->type != FRAME_FAILED;
	/* A client is told to come again; reclaim says what it could not read. */
	if (r && r->type == FRAME_FAILED && c->action->act != do_reclaim)
		assert_true(r->failed.kind == ERR_TEMP || r->failed.kind == ERR_FULL ||
			    r->failed.kind == ERR_READ_ONLY);
	if ((how == SHORT || how == -EINTR) && !acknowledged)
		fail_msg("%s, call %d: %s is no failure", c->action->name, (int)call,
			how == SHORT ? "a short count" : "EINTR");
	if (s.w.f.ended == 0) {
		compare(&s, c, acknowledged, call);
		goes_on(&s);
	}
	next_process(&s);
	goes_on(&s);
	no_damage(&s);
	leave(&s);
	fixture_done(&s.w.f);
}

/* ---- the tests ---- */

static void g1_g12_killed_at_every_call(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		struct course c;
		course_init(&c, &actions[i]);
		assert_true(c.calls > 5);
		for (uint64_t call = 1; call <= c.calls; call += TEST_STEP)
			killed_at(&c, call);
		course_done(&c);
	}
}

static void g4_every_call_fails_in_every_way(void **state)
{
	static const int ways[] = { -EIO, -ENOSPC, -EDQUOT, -EROFS, -EMFILE, -ENFILE, -EINTR,
		SHORT };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		struct course c;
		course_init(&c, &actions[i]);
		for (uint64_t call = 1; call <= c.calls; call += TEST_STEP)
			/* All of them where bytes arrive; elsewhere each call in two ways. */
			for (size_t k = i < 2 ? 0 : call % 4; k < ARRAY_LEN(ways);
				k += i < 2 ? 1 : 4)
				fails_at(&c, call, ways[k]);
		course_done(&c);
	}
}

/* G10: the disk is full, read-only or gone: what can't be done is said to be temporary, what needs
 * no disk goes on, and when it is back everything does. */
static void g10_disk_goes_and_comes_back(void **state)
{
	static const int ways[] = { -ENOSPC, -EROFS, -ENOENT };
	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(ways); k++) {
		struct scene s;
		scene_init(&s);
		plan(1, ways[k], true);
		const struct frame *r = do_deliver(&s);
		if (r && r->failed.kind != ERR_READ_ONLY)
			assert_failed(r, ways[k] == -ENOSPC ? ERR_FULL : ERR_TEMP);
		if (s.w.f.ended == 0) {
			/* Who is there is known without the disk's help. */
			assert_int_equal(account_of(&s.w.mx, "bob@example.test"), s.bob);
			plan(0, 0, false);
			goes_on(&s);
		}
		next_process(&s);
		goes_on(&s);
		no_damage(&s);
		leave(&s);
		fixture_done(&s.w.f);
	}
}

/* ---- G12: an old ledger is brought up to date ---- */

/* Schema 1 as it was, with one message and one body that nothing names. */
static const char schema_1[] =
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;"
	"CREATE TABLE domains(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,"
	" catch_all TEXT NOT NULL DEFAULT '') STRICT;"
	"CREATE TABLE accounts(id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" address TEXT NOT NULL UNIQUE, domain INTEGER NOT NULL,"
	" kind INTEGER NOT NULL DEFAULT 0, active INTEGER NOT NULL DEFAULT 1,"
	" verifier TEXT NOT NULL, epoch INTEGER NOT NULL DEFAULT 1,"
	" services INTEGER NOT NULL DEFAULT 7,"
	" quota_bytes INTEGER NOT NULL DEFAULT 0, quota_messages INTEGER NOT NULL DEFAULT 0,"
	" used_bytes INTEGER NOT NULL DEFAULT 0, used_messages INTEGER NOT NULL DEFAULT 0,"
	" pop3_retention INTEGER NOT NULL DEFAULT 0,"
	" pop3_expire_days INTEGER NOT NULL DEFAULT 0,"
	" modseq INTEGER NOT NULL DEFAULT 0,"
	" mailboxes INTEGER NOT NULL DEFAULT 0, subscriptions INTEGER NOT NULL DEFAULT 0) STRICT;"
	"CREATE INDEX accounts_domain ON accounts(domain);"
	"CREATE TABLE aliases(address TEXT NOT NULL, target TEXT NOT NULL,"
	" PRIMARY KEY(address,target)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX aliases_target ON aliases(target);"
	"CREATE TABLE mailboxes(id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" account INTEGER NOT NULL, name TEXT NOT NULL, uidvalidity INTEGER NOT NULL,"
	" uidnext INTEGER NOT NULL DEFAULT 1, special_use INTEGER NOT NULL DEFAULT 0,"
	" modseq INTEGER NOT NULL, messages INTEGER NOT NULL DEFAULT 0,"
	" unseen INTEGER NOT NULL DEFAULT 0, deleted INTEGER NOT NULL DEFAULT 0,"
	" size INTEGER NOT NULL DEFAULT 0, UNIQUE(account,name)) STRICT;"
	"CREATE TABLE subscriptions(account INTEGER NOT NULL, name TEXT NOT NULL,"
	" PRIMARY KEY(account,name)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE keywords(mailbox INTEGER NOT NULL, bit INTEGER NOT NULL,"
	" name TEXT NOT NULL, PRIMARY KEY(mailbox,bit)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE bodies(id INTEGER PRIMARY KEY, segment INTEGER NOT NULL,"
	" offset INTEGER NOT NULL, stored INTEGER NOT NULL, size INTEGER NOT NULL,"
	" sha256 BLOB NOT NULL) STRICT;"
	"CREATE TABLE entries(mailbox INTEGER NOT NULL, uid INTEGER NOT NULL,"
	" body INTEGER NOT NULL, prefix_at INTEGER NOT NULL, prefix_size INTEGER NOT NULL,"
	" flags INTEGER NOT NULL, keywords_low INTEGER NOT NULL, keywords_high INTEGER NOT NULL,"
	" modseq INTEGER NOT NULL, size INTEGER NOT NULL, time INTEGER NOT NULL,"
	" entry_id INTEGER NOT NULL, PRIMARY KEY(mailbox,uid)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX entries_body ON entries(body);"
	"CREATE TABLE expunged(mailbox INTEGER NOT NULL, uid INTEGER NOT NULL,"
	" modseq INTEGER NOT NULL, PRIMARY KEY(mailbox,uid)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE seen(mailbox INTEGER NOT NULL, account INTEGER NOT NULL,"
	" uid INTEGER NOT NULL, PRIMARY KEY(mailbox,account,uid)) STRICT, WITHOUT ROWID;"
	"INSERT INTO meta VALUES('store_id',x'00112233445566778899aabbccddeeff'),('epoch',1),"
	"('uidvalidity',1700000000),('created_ms',1700000000000),('tail_segment',0),"
	"('tail_offset',0),('bodies',2);"
	"INSERT INTO domains(id,name) VALUES(1,'example.test');"
	"INSERT INTO accounts(id,address,domain,verifier,used_bytes,used_messages,modseq,mailboxes)"
	" VALUES(1,'alice@example.test',1,'v',10,1,2,1);"
	"INSERT INTO mailboxes(id,account,name,uidvalidity,uidnext,modseq,messages,unseen,size)"
	" VALUES(1,1,'INBOX',1700000000,2,2,1,1,10);"
	"INSERT INTO bodies VALUES(4294967808,1,4096,200,10,zeroblob(32)),"
	"(4294967840,1,4352,200,10,zeroblob(32));"
	"INSERT INTO entries VALUES(1,1,4294967808,0,0,0,0,0,2,10,1700000000000,4294967297);"
	"PRAGMA application_id=0x43564c52;PRAGMA user_version=1;";

static void write_schema_1(const char *directory)
{
	char path[100];
	sqlite3 *db;
	snprintf(path, sizeof(path), "%s/ledger.db", directory);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, schema_1, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static int one_finding(void *arg, struct str text)
{
	(void)arg;
	fail_msg("%.*s", (int)text.n, text.p);
	return 1;
}

static void is_up_to_date(struct scene *s)
{
	struct engine *e = s->w.f.store->engine;
	struct reader *r = e->class->reader_open(e, &s->w.f.err);
	struct account_row alice;
	struct mailbox_row inbox;
	uint64_t nobody = 99;
	assert_int_equal(e->class->check(r, one_finding, NULL, &s->w.f.err), 0);
	assert_int_equal(
		e->class->account_by_address(r, STR("alice@example.test"), &alice, &s->w.f.err), 0);
	assert_int_equal(alice.used_messages, 1);
	assert_int_equal(e->class->mailbox_by_id(r, 1, &inbox, &s->w.f.err), 0);
	assert_int_equal(inbox.status.messages, 1);
	/* What nothing named will be forgotten first. */
	assert_int_equal(e->class->deleted_expired(r, 0, 1, &nobody, &s->w.f.err), 1);
	assert_int_equal(nobody, 0);
	e->class->reader_close(&r);
}

static void g12_schema_steps_are_cut_at_every_call(void **state)
{
	bool cut = true;
	(void)state;
	for (uint64_t call = 1; cut; call += TEST_STEP) {
		struct scene s;
		settings(&s);
		write_schema_1(s.w.f.path);
		interpose(s.w.f.seams.files);
		plan(call, -EIO, true);
		if (fixture_open(&s.w.f))
			executor_fake_run(&s.w.f.executor);
		cut = sys.calls >= call;
		store_free(&s.w.f.store);
		plan(0, 0, false);
		if (!fixture_open(&s.w.f))
			fail_msg("call %d: %s", (int)call, err_log_text(&s.w.f.err));
		is_up_to_date(&s);
		fixture_done(&s.w.f);
	}
}

TEST_MAIN(test_case(g1_g12_killed_at_every_call), test_case(g4_every_call_fails_in_every_way),
	test_case(g10_disk_goes_and_comes_back), test_case(g12_schema_steps_are_cut_at_every_call))
