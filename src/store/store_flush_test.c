// SPDX-License-Identifier: Apache-2.0
/*
 * Flushes and writes that fail: of rows (through a VFS that fails on demand) and of bodies. What
 * was not flushed is never acknowledged; the store ends; its successor copies what it can verify,
 * and only then serves. G3, G10, Q3
 */
#include "store/store_private.h"
#include "store/store_test.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>

#include "store/distrust.h"
#include "store/files_sim.h"
#include "store/ledger_copy.h"

/* ---- a VFS whose files fail when told to ---- */

static struct {
	sqlite3_vfs vfs;
	sqlite3_vfs *real;
	sqlite3_io_methods methods[2]; /* of the ledger itself, and of its log */
	const sqlite3_io_methods *real_methods[2];
	int sync_fails;   /* this many flushes fail */
	bool full;        /* no write finds room */
	bool body_fails;  /* fdatasync of a segment fails */
	bool start_fails; /* and here its beginning */
} disk;

/* Which of the two a file is. */
static const sqlite3_io_methods *real_of(const sqlite3_file *file)
{
	return disk.real_methods[file->pMethods == &disk.methods[1]];
}

static int disk_sync(sqlite3_file *file, int flags)
{
	if (disk.sync_fails > 0) {
		disk.sync_fails--;
		return SQLITE_IOERR_FSYNC;
	}
	return real_of(file)->xSync(file, flags);
}

static int disk_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at)
{
	return disk.full ? SQLITE_FULL : real_of(file)->xWrite(file, p, n, at);
}

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret)
{
	(void)vfs;
	int rc = disk.real->xOpen(disk.real, name, file, flags, ret);
	if (rc != SQLITE_OK || name == NULL || strstr(name, "ledger.") == NULL)
		return rc;
	int which = (flags & SQLITE_OPEN_MAIN_DB) == 0;
	disk.real_methods[which] = file->pMethods;
	disk.methods[which] = *file->pMethods;
	disk.methods[which].xSync = disk_sync;
	disk.methods[which].xWrite = disk_write;
	file->pMethods = &disk.methods[which];
	return rc;
}

static const char *disk_name(struct files_seam *files)
{
	(void)files;
	return "failing";
}

static int (*real_fdatasync)(struct files_seam *, int);
static int disk_fdatasync(struct files_seam *files, int file)
{
	return disk.body_fails ? -EIO : real_fdatasync(files, file);
}

static int (*real_start_flush)(struct files_seam *, int, off_t, off_t);
static int disk_start_flush(struct files_seam *files, int file, off_t at, off_t n)
{
	return disk.start_fails ? -EIO : real_start_flush(files, file, at, n);
}

static void failing_world(struct world *w)
{
	disk.sync_fails = 0;
	disk.full = disk.body_fails = disk.start_fails = false;
	if (disk.real == NULL) {
		disk.real = sqlite3_vfs_find(NULL);
		disk.vfs = *disk.real;
		disk.vfs.zName = "failing";
		disk.vfs.xOpen = disk_open;
		sqlite3_vfs_register(&disk.vfs, 0);
	}
	fixture_init(&w->f);
	w->f.seams.files->sqlite_vfs = disk_name;
	real_fdatasync = w->f.seams.files->fdatasync;
	w->f.seams.files->fdatasync = disk_fdatasync;
	real_start_flush = w->f.seams.files->start_flush;
	w->f.seams.files->start_flush = disk_start_flush;
	assert_true(fixture_open(&w->f));
	world_peers(w);
	assert_frame(ask(&w->admin, (struct frame){ .type = FRAME_DOMAIN_ADD,
					    .domain_add.name = STR("example.test") }),
		FRAME_DONE);
	add_account(w, "alice@example.test");
}

/* Sends a delivery; the answer, or NULL when there is none. */
static const struct frame *try_delivery(struct test_peer *p, uint64_t account)
{
	uint32_t request = ++p->last_request;
	tell(p, request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
	tell(p, request,
		(struct frame){ .type = FRAME_UPLOAD_BYTES, .upload_bytes.data = STR("b") });
	tell(p, request, (struct frame){ .type = FRAME_UPLOAD_TO, .upload_to.account = account });
	tell(p, request, (struct frame){ .type = FRAME_UPLOAD_COMMIT });
	executor_fake_run(&p->f->executor);
	return reply_at(p, request, 0);
}

/* How many messages there were after the end. */
static uint32_t succeed_after_end(struct world *w, uint64_t alice)
{
	struct files_seam *files = w->f.seams.files;
	assert_int_equal(w->f.ended, 1);
	/* Nothing is answered any more, whatever is asked. */
	size_t n = w->mx.replies.n;
	assert_null(try_delivery(&w->mx, alice));
	tell(&w->mx, 4000, (struct frame){ .type = FRAME_PING });
	assert_int_equal(w->mx.replies.n, n);
	assert_int_equal(w->f.ended, 1);
	world_peers_done(w);
	store_free(&w->f.store);
	assert_true(distrust_is_marked(files));
	disk.sync_fails = 0;
	disk.body_fails = disk.start_fails = false;
	assert_true(fixture_open(&w->f));
	assert_false(store_read_only(w->f.store, NULL));
	assert_false(distrust_is_marked(files));
	world_peers(w);
	uint32_t session = open_session(&w->user, alice);
	const struct frame *r = ask(
		&w->user, (struct frame){ .type = FRAME_MAILBOX_STATUS,
				  .mailbox_status = { session, STR("INBOX") } });
	uint32_t kept = r->mailboxes.mailboxes.items[0].messages;
	for (int i = 0; i < 10; i++)
		assert_frame(try_delivery(&w->mx, alice), FRAME_DELIVERED);
	assert_frame(ask(&w->admin, (struct frame){ .type = FRAME_STORE_CHECK }), FRAME_CHECK_DONE);
	return kept;
}

static void g3_failed_flush_of_rows_ends_the_store(void **state)
{
	struct world w;
	(void)state;
	failing_world(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	assert_frame(try_delivery(&w.mx, alice), FRAME_DELIVERED);
	disk.sync_fails = 1; /* once: a second try would seem to succeed */
	assert_null(try_delivery(&w.mx, alice));
	assert_true(succeed_after_end(&w, alice) >= 1);
	world_done(&w);
}

/* Its rows are worked out meanwhile, and not committed. */
static void g3_failed_flush_of_bodies_ends_the_store(void **state)
{
	for (int beginning = 0; beginning <= 1; beginning++) {
		struct world w;
		(void)state;
		failing_world(&w);
		uint64_t alice = account_of(&w.mx, "alice@example.test");
		assert_frame(try_delivery(&w.mx, alice), FRAME_DELIVERED);
		/* Behind a commit that failed a batch is flushed in the segment. */
		disk.full = true;
		assert_failed(try_delivery(&w.mx, alice), ERR_FULL);
		disk.full = false;
		disk.start_fails = beginning;
		disk.body_fails = !beginning;
		assert_null(try_delivery(&w.mx, alice));
		assert_int_equal(succeed_after_end(&w, alice), 1);
		world_done(&w);
	}
}

/* A small batch is on disk with its rows; that its segment can't be flushed is found out by the
 * upkeep, and costs nothing. */
static void g3_failed_flush_of_what_is_carried(void **state)
{
	struct world w;
	(void)state;
	failing_world(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	assert_frame(try_delivery(&w.mx, alice), FRAME_DELIVERED);
	disk.body_fails = true;
	assert_frame(try_delivery(&w.mx, alice), FRAME_DELIVERED);
	assert_frame(try_delivery(&w.mx, alice), FRAME_DELIVERED);
	store_upkeep(w.f.store);
	executor_fake_run(&w.f.executor);
	assert_int_equal(w.f.ended, 0); /* ten seconds have not passed */
	w.f.clock.monotonic_ms += 10 * 1000;
	store_upkeep(w.f.store);
	executor_fake_run(&w.f.executor);
	assert_true(succeed_after_end(&w, alice) >= 3);
	world_done(&w);
}

/* And in the log: then the bodies were not acknowledged, carried or not. */
static void g3_failed_flush_of_both(void **state)
{
	struct world w;
	(void)state;
	failing_world(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	assert_frame(try_delivery(&w.mx, alice), FRAME_DELIVERED);
	assert_frame(try_delivery(&w.mx, alice), FRAME_DELIVERED);
	disk.body_fails = true;
	disk.sync_fails = 1;
	assert_null(try_delivery(&w.mx, alice));
	assert_true(succeed_after_end(&w, alice) >= 2);
	world_done(&w);
}

/* The repair's own: it puts what can be read of a message into the segment. */
static void g3_failed_flush_of_a_repair(void **state)
{
	struct world w;
	(void)state;
	failing_world(&w);
	struct files_seam *files = w.f.seams.files;
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	assert_frame(try_delivery(&w.mx, alice), FRAME_DELIVERED);
	int file = files->open(files, "blobs/00000001", O_RDWR, 0);
	assert_int_equal(files->pwrite(files, file, "?", 1, SEGMENT_HEADER_BYTES), 1);
	files->close(files, file);
	peer_done(&w.mx);
	peer_done(&w.user);
	disk.body_fails = true;
	uint32_t request = ++w.admin.last_request;
	tell(&w.admin, request, (struct frame){ .type = FRAME_STORE_REPAIR });
	executor_fake_run(&w.f.executor);
	assert_null(reply_at(&w.admin, request, 0));
	assert_int_equal(w.f.ended, 1);
	assert_true(distrust_is_marked(files));
	peer_done(&w.admin);
	fixture_done(&w.f);
}

/* Watchers hear nothing of what was not flushed. */
static void unflushed_is_not_published(void **state)
{
	struct world w;
	(void)state;
	failing_world(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	ask(&w.user,
		(struct frame){ .type = FRAME_VIEW_OPEN, .view_open = { session, inbox, true } });
	forget_replies(&w.user);
	disk.sync_fails = 1;
	assert_null(try_delivery(&w.mx, alice));
	assert_int_equal(w.user.replies.n, 0);
	world_done(&w);
}

static void g10_full_disk_is_temporary(void **state)
{
	struct world w;
	(void)state;
	failing_world(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	assert_frame(try_delivery(&w.mx, alice), FRAME_DELIVERED);
	disk.full = true;
	for (int i = 0; i < 3; i++)
		assert_failed(try_delivery(&w.mx, alice), ERR_FULL);
	assert_int_equal(w.f.ended, 0);
	disk.full = false;
	const struct frame *r = try_delivery(&w.mx, alice);
	assert_frame(r, FRAME_DELIVERED);
	assert_int_equal(r->delivered.landings.items[0].uid, 2);
	assert_frame(ask(&w.admin, (struct frame){ .type = FRAME_STORE_CHECK }), FRAME_CHECK_DONE);
	world_done(&w);
}

/* The copy fails: reads are served, writes are refused, and the mark stays. */
static void store_that_cannot_be_copied_is_read_only(void **state)
{
	struct world w;
	struct err why = ERR_INIT;
	(void)state;
	failing_world(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	assert_frame(try_delivery(&w.mx, alice), FRAME_DELIVERED);
	world_peers_done(&w);
	store_free(&w.f.store);
	assert_int_equal(distrust_mark(w.f.seams.files), 0);
	disk.sync_fails = 1000;
	assert_true(fixture_open(&w.f));
	assert_true(store_read_only(w.f.store, &why));
	world_peers(&w);
	assert_failed(try_delivery(&w.mx, alice), ERR_READ_ONLY);
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	assert_failed(ask_about(&w.user, 1, 1,
			      (struct frame){ .type = FRAME_SET_FLAGS,
				      .set_flags = { .session = session, .mailbox = inbox } }),
		ERR_READ_ONLY);
	assert_failed(ask(&w.user, (struct frame){ .type = FRAME_MAILBOX_CREATE,
					   .mailbox_create = { session, STR("x"), 0 } }),
		ERR_READ_ONLY);
	const struct frame *r = ask(
		&w.user, (struct frame){ .type = FRAME_MESSAGE_READ,
				 .message_read = { session, inbox, 1, 0, 10 } });
	assert_frame(r, FRAME_MESSAGE_BYTES);
	assert_str(r->message_bytes.data, STR("b"));
	assert_true(ask(&w.admin, (struct frame){ .type = FRAME_STORE_STATUS })
			    ->store_status_is.read_only);
	assert_true(distrust_is_marked(w.f.seams.files));
	/* It tries again; what had no room then has some now. */
	int64_t left = store_upkeep(w.f.store);
	assert_in_range(left, 1, LIMIT_DISTRUST_AGAIN_MS);
	w.f.clock.monotonic_ms += left - 1;
	assert_int_equal(store_upkeep(w.f.store), 1);
	assert_int_equal(w.f.ended, 0);
	w.f.clock.monotonic_ms += 1;
	store_upkeep(w.f.store);
	assert_int_equal(w.f.ended, 1);
	w.f.clock.monotonic_ms += 1;
	store_upkeep(w.f.store);
	assert_true(succeed_after_end(&w, alice) >= 1);
	world_done(&w);
}

/* Damage stays what it is, however often it is copied. */
static void a_ledger_that_does_not_verify_is_not_copied_again(void **state)
{
	struct world w;
	static const char junk[512];
	(void)state;
	failing_world(&w);
	struct files_seam *files = w.f.seams.files;
	world_peers_done(&w);
	store_free(&w.f.store);
	assert_int_equal(distrust_mark(files), 0);
	int file = files->open(files, "ledger.db", O_RDWR, 0);
	assert_int_equal(
		files->pwrite(files, file, junk, sizeof(junk), 3 * 4096 + 8), sizeof(junk));
	files->close(files, file);
	assert_true(fixture_open(&w.f));
	world_peers(&w);
	assert_true(store_read_only(w.f.store, NULL));
	for (int i = 0; i < 3; i++) {
		w.f.clock.monotonic_ms += LIMIT_DISTRUST_AGAIN_MS;
		store_upkeep(w.f.store);
	}
	assert_int_equal(w.f.ended, 0);
	world_done(&w);
}

/* A crash at each moment of the switch leaves a ledger that opens and has everything. */
static void g12_switch_survives_a_crash(void **state)
{
	struct world w;
	(void)state;
	for (int crash_at = 0; crash_at < 2; crash_at++) {
		failing_world(&w);
		struct files_seam *files = w.f.seams.files;
		uint64_t alice = account_of(&w.mx, "alice@example.test");
		assert_frame(try_delivery(&w.mx, alice), FRAME_DELIVERED);
		world_peers_done(&w);
		store_free(&w.f.store);
		/* As it is before the decision (a copy that is not complete), and after it. */
		if (crash_at == 0) {
			int file = files->open(files, "ledger.tmp", 0102, 0600);
			assert_int_equal(files->pwrite(files, file, "junk", 4, 0), 4);
			files->close(files, file);
		} else {
			assert_int_equal(files->rename(files, "ledger.db", "ledger.ready"), 0);
		}
		assert_true(fixture_open(&w.f));
		world_peers(&w);
		assert_int_equal(try_delivery(&w.mx, alice)->delivered.landings.items[0].uid, 2);
		world_done(&w);
	}
}

/* An error when the ledger, its copy or the mark of a rebuild is looked for does not mean that
 * there is none: taken for that, a ledger that can't be believed was served as if it had been
 * copied. (Found by the simulation, seed 100.) */
static void g3_what_cannot_be_looked_for_is_not_missing(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	struct files_sim *sim = files_sim_new(1);
	struct seams seams = { .files = &sim->seam };
	int file = sim->seam.open(&sim->seam, "ledger.db", O_RDWR | O_CREAT, 0600);
	sim->seam.close(&sim->seam, file);
	struct files_sim_plan first = { .fail_at = 1, .fail_with = -EIO };
	files_sim_plan(sim, first);
	assert_int_equal(ledger_copy(&seams, &err), -1);
	files_sim_plan(sim, first);
	assert_int_equal(ledger_copy_finish(&seams, &err), -1);
	files_sim_plan(sim, first);
	assert_int_equal(rebuild_is_marked(&sim->seam, &err), -1);
	assert_int_equal(rebuild_is_marked(&sim->seam, &err), 0);
	files_sim_free(&sim);
}

TEST_MAIN(test_case(g3_what_cannot_be_looked_for_is_not_missing),
	test_case(g3_failed_flush_of_rows_ends_the_store),
	test_case(g3_failed_flush_of_bodies_ends_the_store),
	test_case(g3_failed_flush_of_what_is_carried), test_case(g3_failed_flush_of_both),
	test_case(g3_failed_flush_of_a_repair), test_case(unflushed_is_not_published),
	test_case(g10_full_disk_is_temporary), test_case(store_that_cannot_be_copied_is_read_only),
	test_case(a_ledger_that_does_not_verify_is_not_copied_again),
	test_case(g12_switch_survives_a_crash))
