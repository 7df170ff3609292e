// SPDX-License-Identifier: Apache-2.0
/* A backup beside work: whose it is, what it holds, what is left when its peer goes. */
#include "store/store_test.h"

#include <sqlite3.h>

static const struct frame begin = { .type = FRAME_BACKUP_BEGIN };

static bool copy_exists(struct world *w)
{
	struct files_seam *files = w->f.seams.files;
	int file = files->open(files, "backup.db", 0, 0);
	if (file >= 0)
		files->close(files, file);
	return file >= 0;
}

/* One step of the writer alone. */
static void writer_steps(struct world *w, int n)
{
	for (struct worker *worker = w->f.executor.workers; worker; worker = worker->next)
		while (strcmp(worker->spec.name, "writer") == 0 && n-- > 0)
			worker->awake = worker->spec.step(worker->spec.arg);
}

/* All bytes of a segment, or (0) of the copy. */
static void read_all(struct test_peer *p, uint32_t segment, uint64_t offset, struct buf *out)
{
	uint32_t request = ++p->last_request;
	tell(p, request,
		(struct frame){ .type = FRAME_BACKUP_READ,
			.backup_read = { segment, offset, UINT64_MAX } });
	executor_fake_run(&p->f->executor);
	bool last = false;
	for (size_t i = 0; !last; i++) {
		const struct frame *r = reply_at(p, request, i);
		assert_non_null(r);
		assert_frame(r, FRAME_BACKUP_BYTES);
		buf_adds(out, r->backup_bytes.data);
		last = r->backup_bytes.last;
	}
}

static void one_backup_at_a_time(void **state)
{
	struct world w;
	struct test_peer other;
	struct frame read = { .type = FRAME_BACKUP_READ, .backup_read = { 0, 0, 10 } };
	(void)state;
	world_init(&w);
	peer_init(&other, &w.f, CLASS_ADMIN, 7);
	assert_failed(ask(&w.admin, read), ERR_NOT_NOW);
	assert_frame(ask(&w.admin, begin), FRAME_BACKUP_IS);
	assert_failed(ask(&w.admin, begin), ERR_IN_USE);
	assert_failed(ask(&other, begin), ERR_IN_USE);
	assert_failed(ask(&other, read), ERR_NOT_NOW);
	assert_frame(ask(&other, (struct frame){ .type = FRAME_BACKUP_END }), FRAME_DONE);
	assert_frame(ask(&w.admin, read), FRAME_BACKUP_BYTES); /* it was not the other's to end */
	assert_frame(ask(&w.admin, (struct frame){ .type = FRAME_BACKUP_END }), FRAME_DONE);
	assert_false(copy_exists(&w));
	assert_failed(ask(&w.admin, read), ERR_NOT_NOW);
	assert_frame(ask(&other, begin), FRAME_BACKUP_IS);
	peer_done(&other);
	world_done(&w);
}

/* Its peer goes while the copy is made, when it is whole; the store ends; each leaves nothing. */
static void a_backup_goes_with_its_peer(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	for (int steps = 0; steps < 4; steps++) {
		struct test_peer peer;
		peer_init(&peer, &w.f, CLASS_ADMIN, 7);
		tell(&peer, 1, begin);
		writer_steps(&w, steps);
		if (steps == 3)
			executor_fake_run(&w.f.executor);
		peer_done(&peer);
		executor_fake_run(&w.f.executor);
		assert_false(copy_exists(&w));
		assert_true(store_is_idle(w.f.store));
	}
	tell(&w.admin, 99, begin);
	writer_steps(&w, 1);
	assert_true(copy_exists(&w));
	world_restart(&w);
	assert_false(copy_exists(&w));
	assert_frame(ask(&w.admin, begin), FRAME_BACKUP_IS);
	world_done(&w);
}

static int64_t number_in(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st = NULL;
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	int64_t n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

/* Enough pages for several steps. */
static void make_ledger_large(struct world *w, uint64_t account)
{
	uint32_t session = open_session(&w->user, account);
	char name[900];
	memset(name, 'n', sizeof(name));
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "m%06d", i);
		name[7] = 'n';
		struct frame f = { .type = FRAME_MAILBOX_CREATE,
			.mailbox_create = { session, str_make(name, sizeof(name)), 0 } };
		assert_frame(ask(&w->user, f), FRAME_MAILBOXES);
	}
	forget_replies(&w->user);
}

/* What is committed between two steps of the copy is in it, and the segments hold what it names. */
static void commits_beside_the_copy_are_in_it(void **state)
{
	struct world w;
	char path[128];
	struct buf bytes;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	make_ledger_large(&w, alice);
	deliver_one(&w.mx, alice, STR("before"));
	tell(&w.admin, 50, begin);
	writer_steps(&w, 2);
	assert_null(reply_at(&w.admin, 50, 0));
	deliver_one(&w.mx, alice, STR("while it is copied"));
	const struct frame *is = reply_at(&w.admin, 50, 0), *list = reply_at(&w.admin, 50, 1);
	assert_frame(is, FRAME_BACKUP_IS);
	assert_frame(list, FRAME_BACKUP_SEGMENTS);
	uint64_t ledger_bytes = is->backup_is.ledger_bytes; /* replies move as more come */
	assert_true(list->backup_segments.last);
	assert_int_equal(list->backup_segments.segments.n, 1);
	uint64_t length = list->backup_segments.segments.items[0].length;
	deliver_one(&w.mx, alice, STR("afterwards"));

	buf_init(&bytes, 1 << 24);
	read_all(&w.admin, 0, 0, &bytes);
	assert_int_equal(bytes.n, ledger_bytes);
	snprintf(path, sizeof(path), "%s/copied.db", w.f.path);
	FILE *f = fopen(path, "wb");
	assert_int_equal(fwrite(bytes.p, 1, bytes.n, f), bytes.n);
	fclose(f);
	sqlite3 *db;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(number_in(db, "SELECT count(*) FROM entries"), 2);
	assert_int_equal(number_in(db, "SELECT count(*) FROM mailboxes"), 312);
	assert_int_equal(number_in(db, "SELECT count(*) FROM pragma_integrity_check "
				       "WHERE integrity_check='ok'"),
		1);
	assert_true((uint64_t)number_in(db, "SELECT max(offset+stored) FROM bodies") <= length);
	sqlite3_close(db);
	unlink(path);

	/* A segment's bytes are those of the file, from any place; none beyond what is flushed. */
	buf_clear(&bytes);
	read_all(&w.admin, 1, 0, &bytes);
	assert_true(bytes.n >= length);
	assert_int_equal(memcmp(bytes.p, "CULVERSG", 8), 0);
	buf_clear(&bytes);
	read_all(&w.admin, 1, UINT64_MAX / 2, &bytes);
	assert_int_equal(bytes.n, 0);
	assert_failed(ask(&w.admin, (struct frame){ .type = FRAME_BACKUP_READ,
					    .backup_read = { 77, 0, 10 } }),
		ERR_CORRUPT);
	buf_done(&bytes);
	world_done(&w);
}

/* A repair wants the store for itself; a rebuild is for a ledger that was lost. */
static void repair_is_refused_beside_others(void **state)
{
	struct world w;
	struct frame repair = { .type = FRAME_STORE_REPAIR };
	(void)state;
	world_init(&w);
	assert_failed(ask(&w.admin, repair), ERR_IN_USE);
	peer_done(&w.mx);
	peer_done(&w.user);
	repair.store_repair.rebuild = true;
	assert_failed(ask(&w.admin, repair), ERR_NOT_NOW);
	repair.store_repair.rebuild = false;
	const struct frame *r = ask(&w.admin, repair);
	assert_frame(r, FRAME_REPAIR_DONE);
	assert_int_equal(r->repair_done.repaired + r->repair_done.left, 0);
	peer_done(&w.admin);
	fixture_done(&w.f);
}

/* Messages come back only through a restore of their account, one at a time, and into the account's
 * own mailboxes. */
static void restore_is_one_peers(void **state)
{
	struct world w;
	struct test_peer other;
	struct frame start = { .type = FRAME_RESTORE_BEGIN,
		.restore_begin.address = STR("alice@example.test") };
	struct frame mailbox = { .type = FRAME_RESTORE_MAILBOX };
	(void)state;
	world_init(&w);
	peer_init(&other, &w.f, CLASS_ADMIN, 7);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	mailbox.restore_mailbox = (struct frame_restore_mailbox){ alice, STR("Back"), 0 };
	assert_failed(ask(&w.admin, mailbox), ERR_NOT_NOW);
	assert_frame(ask(&w.admin, start), FRAME_RESTORE_IS);
	assert_failed(ask(&other, start), ERR_IN_USE);
	assert_failed(ask(&other, mailbox), ERR_NOT_NOW);
	const struct frame *r = ask(&w.admin, mailbox);
	assert_frame(r, FRAME_RESTORE_MAILBOX_IS);
	uint64_t id = r->restore_mailbox_is.mailbox;
	assert_int_equal(ask(&w.admin, mailbox)->restore_mailbox_is.mailbox, id);
	uint64_t bob = account_of(&w.mx, "bob@example.test");
	for (int i = 0; i < 3; i++) {
		struct test_peer *p = i == 0 ? &other : &w.admin;
		uint32_t request = 100 + (uint32_t)i;
		tell(p, request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
		tell(p, request,
			(struct frame){ .type = FRAME_UPLOAD_RESTORE,
				.upload_restore = { .account = i == 1 ? bob : alice,
					.mailbox = id,
					.entry_id = 12345 } });
		tell(p, request, (struct frame){ .type = FRAME_UPLOAD_COMMIT });
		executor_fake_run(&w.f.executor);
		if (i < 2)
			assert_failed(reply_at(p, request, 0), ERR_NOT_NOW);
		else
			assert_frame(reply_at(p, request, 0), FRAME_DELIVERED);
	}
	assert_frame(ask(&w.admin, (struct frame){ .type = FRAME_RESTORE_END }), FRAME_DONE);
	peer_done(&w.admin);
	assert_frame(ask(&other, start), FRAME_RESTORE_IS);
	const struct frame *known = reply_at(&other, other.last_request, 1);
	assert_frame(known, FRAME_RESTORE_KNOWN);
	assert_int_equal(known->restore_known.entries.n, 1);
	assert_int_equal(known->restore_known.entries.items[0].entry_id, 12345);
	peer_done(&other);
	peer_done(&w.mx);
	peer_done(&w.user);
	fixture_done(&w.f);
}

/* Those of two accounts go on beside each other, each into its own. */
static void two_accounts_are_restored_at_once(void **state)
{
	static const char *const addresses[] = { "alice@example.test", "Bob@Example.test" };
	struct world w;
	struct test_peer other;
	(void)state;
	world_init(&w);
	peer_init(&other, &w.f, CLASS_ADMIN, 7);
	struct test_peer *peers[] = { &w.admin, &other };
	uint64_t ids[2];
	struct frame start = { .type = FRAME_RESTORE_BEGIN };
	for (size_t i = 0; i < 2; i++) {
		ids[i] = account_of(&w.mx, i ? "bob@example.test" : addresses[i]);
		start.restore_begin.address = str_from(addresses[i]);
		const struct frame *is = ask(peers[i], start);
		assert_frame(is, FRAME_RESTORE_IS);
		assert_int_equal(is->restore_is.account, ids[i]);
	}
	start.restore_begin.address = STR("bob@example.test");
	assert_failed(ask(&w.admin, start), ERR_IN_USE);
	for (size_t i = 0; i < 2; i++)
		for (size_t k = 0; k < 2; k++) {
			const struct frame *r = ask(
				peers[i], (struct frame){ .type = FRAME_RESTORE_MAILBOX,
						  .restore_mailbox = { ids[k], STR("Back"), 0 } });
			if (i == k)
				assert_frame(r, FRAME_RESTORE_MAILBOX_IS);
			else
				assert_failed(r, ERR_NOT_NOW);
		}
	start.restore_begin.address = STR("nobody@example.test");
	assert_frame(ask(&other, (struct frame){ .type = FRAME_RESTORE_END }), FRAME_DONE);
	assert_failed(ask(&other, start), ERR_NOT_FOUND);
	start.restore_begin.address = STR("bob@example.test");
	assert_frame(ask(&other, start), FRAME_RESTORE_IS); /* the failed one is over */
	peer_done(&other);
	world_done(&w);
}

/* Who begins another restore before the first has answered is at the second's account. */
static void an_ended_restore_changes_nothing(void **state)
{
	struct world w;
	struct test_peer other;
	struct frame start = { .type = FRAME_RESTORE_BEGIN };
	struct frame mailbox = { .type = FRAME_RESTORE_MAILBOX };
	(void)state;
	world_init(&w);
	peer_init(&other, &w.f, CLASS_ADMIN, 7);
	(void)account_of(&w.mx, "alice@example.test");
	uint64_t bob = account_of(&w.mx, "bob@example.test");
	static const char *const first[] = { "alice@example.test", "nobody@example.test" };
	for (size_t i = 0; i < ARRAY_LEN(first); i++) {
		start.restore_begin.address = str_from(first[i]);
		tell(&w.admin, 1000, start);
		tell(&w.admin, 1001, (struct frame){ .type = FRAME_RESTORE_END });
		start.restore_begin.address = STR("bob@example.test");
		tell(&w.admin, 1002, start);
		executor_fake_run(&w.f.executor);
		mailbox.restore_mailbox = (struct frame_restore_mailbox){ bob, STR("Back"), 0 };
		assert_frame(ask(&w.admin, mailbox), FRAME_RESTORE_MAILBOX_IS);
		assert_failed(ask(&other, start), ERR_IN_USE);
		assert_frame(
			ask(&w.admin, (struct frame){ .type = FRAME_RESTORE_END }), FRAME_DONE);
	}
	peer_done(&other);
	world_done(&w);
}

TEST_MAIN(test_case(an_ended_restore_changes_nothing), test_case(two_accounts_are_restored_at_once),
	test_case(one_backup_at_a_time), test_case(a_backup_goes_with_its_peer),
	test_case(commits_beside_the_copy_are_in_it), test_case(repair_is_refused_beside_others),
	test_case(restore_is_one_peers))
