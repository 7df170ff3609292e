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
#include "store/store_scene.h"

#include <errno.h>
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

static void stop_failing(void)
{
	plan(0, 0, false);
}

static void count_calls(struct scene *s)
{
	stop_failing();
	interpose(s->w.f.seams.files);
}

static void note_calls(struct course *c)
{
	c->calls = sys.calls;
}

static void use_hooks(void)
{
	scene_hooks.ready = count_calls;
	scene_hooks.reset = stop_failing;
	scene_hooks.acted = note_calls;
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
	use_hooks();
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		struct course c;
		course_init(&c, &actions[i]);
		assert_true(c.calls >= 4); /* a commit is a write and a flush (log_vfs.h) */
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
	use_hooks();
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
	use_hooks();
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
