// SPDX-License-Identifier: Apache-2.0
/* The SQLite engine: the suite that all engines pass, and what is its own. */
#include "store/engine.h"

#define ENGINE_UNDER_TEST engine_sqlite
#include "store/engine_suite.h"
#include "store/sqlite_private.h"
#include "store/store.h"

#include <sqlite3.h>
#include <sys/stat.h>

/* As before schema 11. */
#define FLAGS_IN_ROWS                                                                              \
	"DROP TABLE flags;"                                                                        \
	"ALTER TABLE entries ADD COLUMN flags INTEGER NOT NULL DEFAULT 0;"                         \
	"ALTER TABLE entries ADD COLUMN keywords_low INTEGER NOT NULL DEFAULT 0;"                  \
	"ALTER TABLE entries ADD COLUMN keywords_high INTEGER NOT NULL DEFAULT 0;"                 \
	"ALTER TABLE entries ADD COLUMN modseq INTEGER NOT NULL DEFAULT 0;"

static void alter(struct ledger *l, const char *sql)
{
	char path[128];
	sqlite3 *db;
	ledger_close(l);
	snprintf(path, sizeof(path), "%s/ledger.db", l->path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* The version that this program brings a ledger to. */
static int schema_of(struct ledger *l)
{
	char path[128];
	sqlite3 *db;
	sqlite3_stmt *st;
	snprintf(path, sizeof(path), "%s/ledger.db", l->path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	int version = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return version;
}

/* G8: a newer store is refused, clearly, and not touched. */
static void g8_newer_store_is_refused(void **state)
{
	static const struct {
		const char *sql;
		enum err_kind kind;
	} cases[] = {
		{ NULL, ERR_UNSUPPORTED },
		{ "PRAGMA user_version=1000", ERR_UNSUPPORTED },
		{ "PRAGMA user_version=1; PRAGMA application_id=7", ERR_CONFIG },
	};
	struct ledger l;
	struct err err = ERR_INIT;
	char now[64], next[64];
	(void)state;
	ledger_init(&l);
	int version = schema_of(&l);
	snprintf(now, sizeof(now), "PRAGMA user_version=%d; PRAGMA application_id=0x43564c52",
		version);
	snprintf(next, sizeof(next), "PRAGMA user_version=%d", version + 1);
	struct engine_options options = { .seams = &l.seams };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		alter(&l, cases[i].sql ? cases[i].sql : next);
		assert_null(engine_sqlite.open(&options, &err));
		assert_int_equal(err.kind, cases[i].kind);
	}
	alter(&l, now);
	ledger_open(&l);
	ledger_done(&l);
}

/* Schema 2 kept the one verifier in the account's row. */
static void schema_2_becomes_3(void **state)
{
	struct ledger l;
	(void)state;
	ledger_init(&l);
	make_account(&l, "alice@example.test");
	uint64_t bob = make_account(&l, "bob@example.test");
	alter(&l, "DROP TABLE carried; DROP TABLE secrets; ALTER TABLE accounts DROP COLUMN "
		  "legacy_auth;"
		  "ALTER TABLE entries DROP COLUMN saved; ALTER TABLE entries DROP COLUMN "
		  "uidl;" FLAGS_IN_ROWS "ALTER TABLE mailboxes DROP COLUMN uidfloor;"
		  "ALTER TABLE mailboxes DROP COLUMN recent;"
		  "ALTER TABLE mailboxes DROP COLUMN deleted_size; DROP TABLE annotations; DROP "
		  "TABLE "
		  "imported;"
		  "ALTER TABLE accounts ADD COLUMN verifier TEXT NOT NULL DEFAULT '';"
		  "UPDATE accounts SET verifier='$y$'||address; PRAGMA user_version=2");
	ledger_open(&l);
	struct credentials c = credentials(&l, "bob@example.test");
	assert_int_equal(c.n, 1);
	assert_int_equal(c.secrets[0].kind, SECRET_PASSWORD);
	assert_string_equal(c.values[0], "$y$bob@example.test");
	assert_int_equal(c.secrets[0].services, SERVICES_ALL);
	assert_false(account_row(&l, bob).legacy_auth);
	land(&l, bob, 0, 10, false, NULL);
	no_findings(&l);
	ledger_reopen(&l);
	assert_int_equal(credentials(&l, "alice@example.test").n, 1);
	ledger_done(&l);
}

/* Schema 10 had what changes of entries in their rows. What names no mailbox that there can be is
 * damage, and in nobody's way. */
static void schema_10_becomes_11(void **state)
{
	enum { N = 300 };
	struct ledger l;
	struct view v;
	(void)state;
	ledger_init(&l);
	uint64_t a = make_account(&l, "alice@example.test");
	uint64_t inbox = mailbox(&l, a, "INBOX").id;
	for (int i = 0; i <= N; i++)
		land(&l, a, 0, 10, false, NULL);
	alter(&l, FLAGS_IN_ROWS
		"UPDATE entries SET flags=uid%32,keywords_low=-uid,keywords_high=uid%2,modseq=uid;"
		"UPDATE entries SET mailbox=mailbox+(1<<39) WHERE uid=301;"
		"PRAGMA user_version=10");
	ledger_open(&l);
	view_read(&l, inbox, &v);
	assert_int_equal(v.entries.n, N);
	VEC_EACH (struct api_entry, e, &v.entries) {
		assert_int_equal(e->flags, e->uid % 32);
		assert_int_equal(e->keywords_low, 0 - (uint64_t)e->uid);
		assert_int_equal(e->keywords_high, e->uid % 2);
		assert_int_equal(e->modseq, e->uid);
		assert_int_equal(e->size, 10);
		assert_int_equal(e->time, 1700000000000);
		assert_int_equal(e->entry_id, inbox << 32 | e->uid);
	}
	view_done(&v);
	assert_run(&l, ERR_NONE, .kind = OP_MEND);
	ledger_done(&l);
}

static int64_t free_now;

static int64_t free_bytes(struct files_seam *files)
{
	(void)files;
	return free_now;
}

/* Q3: where the disk has not the room for it, nothing is begun. */
static void schema_needs_room(void **state)
{
	struct ledger l;
	struct err err = ERR_INIT;
	(void)state;
	ledger_init(&l);
	alter(&l, FLAGS_IN_ROWS "PRAGMA user_version=10");
	struct engine_options options = { .seams = &l.seams };
	struct stat st;
	char path[96];
	snprintf(path, sizeof(path), "%s/ledger.db", l.path);
	assert_int_equal(stat(path, &st), 0);
	l.seams.files->free_bytes = free_bytes;
	free_now = st.st_size / 2 * 5 - 1;
	assert_null(engine_sqlite.open(&options, &err));
	assert_int_equal(err.kind, ERR_FULL);
	assert_int_equal(schema_of(&l), 10);
	free_now++;
	ledger_open(&l);
	assert_int_equal(schema_of(&l), store_schema());
	ledger_done(&l);
}

static int count_finding(void *arg, struct str text)
{
	(void)text;
	++*(int *)arg;
	return 0;
}

/* G6: a row without its body, counters that are off, entries of no mailbox, a mailbox of no
 * account. */
static void g6_check_finds_damage(void **state)
{
	static const char *const cases[] = { "DELETE FROM bodies WHERE id=1",
		"UPDATE mailboxes SET messages=messages+1 WHERE name='INBOX'",
		"UPDATE mailboxes SET uidnext=1 WHERE name='INBOX'",
		"UPDATE mailboxes SET recent=77 WHERE account=1",
		"UPDATE accounts SET used_bytes=used_bytes+1",
		"UPDATE accounts SET mailboxes=mailboxes-1",
		"UPDATE entries SET mailbox=99 WHERE uid=2", "UPDATE secrets SET account=99",
		"UPDATE mailboxes SET account=99 WHERE name='Sent';"
		"UPDATE accounts SET mailboxes=(SELECT count(*) FROM mailboxes WHERE account=1)" };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ledger l;
		int n = 0;
		ledger_init(&l);
		uint64_t a = make_account(&l, "alice@example.test");
		land(&l, a, 0, 10, false, NULL);
		land(&l, a, 0, 10, false, NULL);
		alter(&l, cases[i]);
		ledger_open(&l);
		assert_int_equal(engine_sqlite.check(l.reader, count_finding, &n, &l.err), 0);
		assert_true(n > 0);
		ledger_done(&l);
	}
}

/* An entry's id is its mailbox's number and its UID in 63 bits: from 2^31 on a number is none, and
 * no record's. */
static void rebuild_makes_mailboxes_up_to_a_number(void **state)
{
	static const uint64_t numbers[] = { 300, INT32_MAX, INT32_MAX + 1ULL, UINT32_MAX };
	static const uint32_t prefix_at = 0;
	struct ledger l;
	(void)state;
	ledger_init(&l);
	uint64_t a = make_account(&l, "alice@example.test");
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		struct record_recipient r = { .account = a, .mailbox = numbers[i], .time_ms = 1 };
		struct mailbox_row row;
		char name[40];
		snprintf(name, sizeof(name), "Mailbox-%llu", (unsigned long long)numbers[i]);
		assert_run(&l, ERR_NONE, .kind = OP_REBUILD,
			.rebuild = { .place = { .ref.id = i + 1, .size = 9 },
				.recipients = &r,
				.prefix_at = &prefix_at,
				.n = 1 });
		assert_int_equal(find_mailbox(&l, a, name, &row), numbers[i] <= INT32_MAX);
	}
	ledger_done(&l);
}

#include "store/engine_sqlite_flags.h"

/* Counters that are off are what the rows say again, of the account that was asked about. */
static void recount_mends(void **state)
{
	static const char *const cases[] = {
		"UPDATE mailboxes SET messages=messages+1,size=size-3 WHERE name='INBOX'",
		"UPDATE mailboxes SET unseen=0,deleted=9",
		"UPDATE mailboxes SET uidnext=1 WHERE name='INBOX'",
		"UPDATE mailboxes SET recent=77 WHERE account=1",
		"UPDATE accounts SET used_bytes=used_bytes+1,used_messages=0",
		"UPDATE accounts SET mailboxes=mailboxes-1,subscriptions=77",
		"UPDATE accounts SET kept_bytes=1,kept_messages=99",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ledger l;
		int n = 0;
		ledger_init(&l);
		uint64_t a = make_account(&l, "alice@example.test");
		uint64_t b = make_account(&l, "bob@example.test");
		land(&l, a, 0, 10, false, NULL);
		land(&l, a, 0, 20, false, NULL);
		expunge_all(&l, a, mailbox(&l, a, "INBOX").id);
		land(&l, a, 0, 40, false, NULL);
		struct account_row before = account_row(&l, a);
		struct api_mailbox inbox = mailbox(&l, a, "INBOX");
		alter(&l, cases[i]);
		ledger_open(&l);
		assert_int_equal(
			engine_sqlite.check_account(l.reader, a, count_finding, &n, &l.err), 0);
		assert_true(n > 0);
		assert_run(&l, ERR_NONE, .kind = OP_MEND, .mend.account = a);
		n = 0;
		assert_int_equal(
			engine_sqlite.check_account(l.reader, a, count_finding, &n, &l.err), 0);
		assert_int_equal(n, 0);
		assert_run(&l, ERR_NONE, .kind = OP_MEND, .mend.account = b);
		no_findings(&l);
		assert_int_equal(account_row(&l, a).used_bytes, before.used_bytes);
		assert_int_equal(mailbox(&l, a, "INBOX").uidnext, inbox.uidnext);
		assert_int_equal(mailbox(&l, a, "INBOX").unseen, inbox.unseen);
		ledger_done(&l);
	}
}

/* What a repair takes from the ledger is dead in its segment: a body that is lost, with all that
 * names it, and bodies that nothing names. */
static void mend_counts_dead_bytes(void **state)
{
	struct ledger l;
	struct kept_counts kept;
	(void)state;
	ledger_init(&l);
	uint64_t a = make_account(&l, "alice@example.test");
	for (int i = 0; i < 4; i++)
		land(&l, a, 0, 10, false, NULL);
	assert_run(&l, ERR_NONE, .kind = OP_BODY_LOST, .mend.body = 1);
	assert_int_equal(engine_sqlite.kept(l.reader, &kept, &l.err), 0);
	assert_int_equal(kept.dead, 4096);

	alter(&l, "DELETE FROM entries WHERE body IN (2,4);"
		  "UPDATE bodies SET segment=2 WHERE id=4");
	ledger_open(&l);
	/* A recount has to do with one account; bodies are nobody's. */
	assert_run(&l, ERR_NONE, .kind = OP_MEND, .mend.account = a);
	assert_int_equal(engine_sqlite.kept(l.reader, &kept, &l.err), 0);
	assert_int_equal(kept.dead, 4096);
	struct op_result r;
	assert_int_equal(run_op(&l, (struct op){ .kind = OP_MEND }, &r), ERR_NONE);
	assert_int_equal(r.done_count, 3); /* two bodies, and their messages' flags */
	assert_int_equal(engine_sqlite.kept(l.reader, &kept, &l.err), 0);
	assert_int_equal(kept.dead, 3 * 4096);
	no_findings(&l);
	assert_int_equal(run_op(&l, (struct op){ .kind = OP_MEND }, &r), ERR_NONE);
	assert_int_equal(r.done_count, 0);
	assert_int_equal(engine_sqlite.kept(l.reader, &kept, &l.err), 0);
	assert_int_equal(kept.dead, 3 * 4096);
	struct ledger_counts counts;
	assert_int_equal(engine_sqlite.counts(l.reader, &counts, &l.err), 0);
	assert_int_equal(counts.bodies, 1);
	ledger_done(&l);
}

static void read_only_refuses(void **state)
{
	struct ledger l;
	(void)state;
	ledger_init(&l);
	uint64_t a = make_account(&l, "alice@example.test");
	ledger_close(&l);
	struct engine_options options = { .seams = &l.seams, .read_only = true };
	l.engine = engine_sqlite.open(&options, &l.err);
	assert_non_null(l.engine);
	l.reader = engine_sqlite.reader_open(l.engine, &l.err);
	assert_int_equal(land(&l, a, 0, 10, false, NULL), ERR_READ_ONLY);
	assert_int_equal(mailbox(&l, a, "INBOX").messages, 0);
	ledger_done(&l);
}

/* The log starts over: it does not grow with what was ever written. */
static void log_is_reused(void **state)
{
	struct ledger l;
	(void)state;
	ledger_init(&l);
	uint64_t a = make_account(&l, "alice@example.test");
	for (int i = 0; i < 1000; i++) {
		land(&l, a, 0, 10, false, NULL);
		if (engine_sqlite.checkpoint_due(l.engine))
			assert_int_equal(engine_sqlite.checkpoint(l.engine, &l.err), 0);
	}
	struct files_seam *files = l.seams.files;
	int file = files->open(files, "ledger.db-wal", 0, 0);
	assert_true(files->size(files, file) < 8 * 1024 * 1024);
	files->close(files, file);
	no_findings(&l);
	ledger_done(&l);
}

static int64_t log_bytes_now(struct ledger *l)
{
	struct files_seam *files = l->seams.files;
	int file = files->open(files, "ledger.db-wal", 0, 0);
	int64_t size = files->size(files, file);
	files->close(files, file);
	return size;
}

/* The log is started over when it has a quarter of its bytes: with a page less it grows on, with
 * all of them or one more it does not. */
static void log_is_started_over(void **state)
{
	enum { PAGE = 4096, FRAME = PAGE + 24, HEADER = 32 };
	struct store_bounds bounds = store_bounds_normal;
	(void)state;
	assert_int_equal(store_bounds_normal.log_bytes, LIMIT_WAL_BYTES);
	for (int over = -1; over <= 1; over++) {
		struct ledger l;
		ledger_init(&l);
		l.bounds = &bounds;
		bounds.log_bytes = LIMIT_WAL_BYTES;
		ledger_reopen(&l);
		uint64_t a = make_account(&l, "alice@example.test");
		for (int i = 0; i < 20; i++)
			land(&l, a, 0, 10, false, NULL);
		int64_t before = log_bytes_now(&l), pages = (before - HEADER) / FRAME;
		assert_int_equal((before - HEADER) % FRAME, 0);
		bounds.log_bytes = 4 * PAGE * (size_t)(pages - over);
		land(&l, a, 0, 10, false, NULL);
		if (over < 0)
			assert_true(log_bytes_now(&l) > before);
		else
			assert_int_equal(log_bytes_now(&l), before);
		no_findings(&l);
		ledger_done(&l);
	}
}

/* Q3: below the reserve, which deleting lives on, the log does not grow on to its sixteen MiB. */
static void q3_log_is_cut_where_room_is_short(void **state)
{
	enum { RESERVE = 1 << 20, ALLOWED = RESERVE / 8 / 2 };
	(void)state;
	for (int over = -1; over <= 1; over++) {
		struct ledger l;
		ledger_init(&l);
		l.reserve_bytes = RESERVE;
		l.seams.files->free_bytes = free_bytes;
		free_now = INT64_MAX;
		ledger_reopen(&l);
		uint64_t a = make_account(&l, "alice@example.test");
		while (log_bytes_now(&l) < 4 * ALLOWED)
			land(&l, a, 0, 10, false, NULL);
		free_now = RESERVE + over;
		land(&l, a, 0, 10, false, NULL);
		assert_int_equal(log_bytes_now(&l) > 4 * ALLOWED, over > 0);
		no_findings(&l);
		ledger_done(&l);
	}
}

/* What one huge group has added is given back: the file is cut to LIMIT_WAL_BYTES. */
static void long_log_is_cut(void **state)
{
	struct ledger l;
	struct err err = ERR_INIT;
	sqlite3_stmt *st;
	(void)state;
	ledger_init(&l);
	sqlite3 *db = sqlite_db_open(&l.seams, NULL, "ledger.db", SQLITE_OPEN_READWRITE, &err);
	assert_non_null(db);
	assert_int_equal(
		sqlite3_prepare_v2(db, "PRAGMA journal_size_limit", -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int64(st, 0), LIMIT_WAL_BYTES);
	sqlite3_finalize(st);
	sqlite3_close_v2(db);
	ledger_done(&l);
}

/* How many groups are in the log: a frame that ends one has the database's size (fileformat2.html
 * 4.1). */
static size_t groups_in_log(struct ledger *l)
{
	enum { PAGE = 4096, FRAME = PAGE + 24, HEADER = 32 };
	static const uint8_t none[4];
	struct files_seam *files = l->seams.files;
	int file = files->open(files, "ledger.db-wal", 0, 0);
	uint8_t frame[8];
	size_t n = 0;
	for (uint64_t at = HEADER; files->pread(files, file, frame, sizeof(frame), (off_t)at) > 0;
		at += FRAME)
		n += memcmp(frame + 4, none, 4) != 0;
	files->close(files, file);
	return n;
}

/* Transactions that each write a row for n entries, as one call: copies of the same ones, or each
 * of its own. */
static void copies(struct ledger *l, uint64_t account, uint32_t n, uint32_t times, bool same)
{
	struct api_range ranges[LIMIT_GROUP_TRANSACTIONS];
	struct txn *txns[LIMIT_GROUP_TRANSACTIONS];
	struct err err = ERR_INIT;
	uint64_t inbox = mailbox(l, account, "INBOX").id;
	uint64_t target = mailbox(l, account, "Trash").id;
	for (uint32_t i = 0; i < times; i++) {
		uint32_t first = same ? 1 : 1 + i * n;
		ranges[i] = (struct api_range){ first, first + n - 1 };
		txns[i] = txn_new();
		struct op *op = txn_add(txns[i], OP_COPY);
		op->by.account = account;
		op->copy = (struct op_copy){
			.mailbox = inbox, .target = target, .uids = { &ranges[i], 1 }
		};
	}
	assert_int_equal(ENGINE_UNDER_TEST.run(l->engine, txns, times, &err), 0);
	for (uint32_t i = 0; i < times; i++) {
		assert_int_equal(txns[i]->err.kind, ERR_NONE);
		assert_int_equal(txns[i]->changes.n, n);
		txn_free(&txns[i]);
	}
}

/* A transaction after which a group has written LIMIT_GROUP_ROWS is its last. */
static void rows_of_one_group(void **state)
{
	enum { N = 10, TIMES = 6 };
	struct store_bounds bounds = store_bounds_normal;
	struct ledger l;
	(void)state;
	assert_int_equal(store_bounds_normal.group_rows, LIMIT_GROUP_ROWS);
	ledger_init(&l);
	bounds.group_rows = N;
	l.bounds = &bounds;
	ledger_reopen(&l);
	uint64_t a = make_account(&l, "alice@example.test");
	for (int i = 0; i < N + 1; i++)
		land(&l, a, 0, 10, false, NULL);
	for (uint32_t n = N - 1; n <= N + 1; n++) {
		size_t before = groups_in_log(&l);
		copies(&l, a, n, TIMES, true);
		assert_int_equal(groups_in_log(&l) - before, n < N ? TIMES / 2 : TIMES);
	}
	for (int over = -1; over <= 1; over++) { /* of several together */
		size_t before = groups_in_log(&l);
		bounds.group_rows = (size_t)(N * (TIMES - 1) + over);
		copies(&l, a, N, TIMES, true);
		assert_int_equal(groups_in_log(&l) - before, over <= 0 ? 2 : 1);
	}
	no_findings(&l);
	ledger_done(&l);
}

/* What has to be on disk before the rows: asked for when nobody sees them yet. */
struct before {
	struct ledger *l;
	uint64_t account;
	uint32_t each, calls, fails_at;
};

static int before_commit(void *arg, struct err *err)
{
	struct before *b = arg;
	assert_int_equal(mailbox(b->l, b->account, "Trash").messages, b->each * b->calls);
	return ++b->calls == b->fails_at ? fail(err, ERR_TEMP, "the bodies are not there") : 0;
}

/* Each commit of a call waits for it, and where it fails neither that one is made nor those behind
 * it. */
static void what_comes_before_commits(void **state)
{
	enum { EACH = 10, TIMES = 4 };
	struct store_bounds bounds = store_bounds_normal;
	bounds.group_rows = EACH;
	(void)state;
	for (uint32_t fails_at = 1; fails_at <= TIMES; fails_at++) {
		struct ledger l;
		ledger_init(&l);
		l.bounds = &bounds;
		ledger_reopen(&l);
		uint64_t a = make_account(&l, "alice@example.test");
		uint64_t inbox = mailbox(&l, a, "INBOX").id, trash = mailbox(&l, a, "Trash").id;
		for (int i = 0; i < EACH; i++)
			land(&l, a, 0, 10, false, NULL);
		struct before b = { &l, a, EACH, 0, fails_at };
		struct api_range all = { 1, EACH };
		struct txn *txns[TIMES];
		for (int i = 0; i < TIMES; i++) {
			txns[i] = txn_new();
			struct op *op = txn_add(txns[i], OP_COPY);
			op->by.account = a;
			op->copy = (struct op_copy){
				.mailbox = inbox, .target = trash, .uids = { &all, 1 }
			};
		}
		l.engine->before_commit = before_commit;
		l.engine->before_commit_arg = &b;
		assert_int_equal(ENGINE_UNDER_TEST.run(l.engine, txns, TIMES, &l.err), 0);
		l.engine->before_commit = NULL;
		assert_int_equal(b.calls, fails_at);
		for (uint32_t i = 0; i < TIMES; i++) {
			bool made = i + 1 < fails_at;
			assert_int_equal(txns[i]->err.kind, made ? ERR_NONE : ERR_TEMP);
			assert_int_equal(txns[i]->changes.n, made ? EACH : 0);
			txn_free(&txns[i]);
		}
		assert_int_equal(mailbox(&l, a, "Trash").messages, EACH * (fails_at - 1));
		copies(&l, a, EACH, 1, true); /* and it goes on */
		assert_int_equal(mailbox(&l, a, "Trash").messages, EACH * fails_at);
		no_findings(&l);
		ledger_done(&l);
	}
}

/* Of LIMIT_FLAGS_TOLD entries each is told, of more what was done to all. What had the flags
 * already does not count, and another change of the transaction stays. */
static void flags_are_told_one_by_one(void **state)
{
	enum { N = 5 };
	struct store_bounds bounds = store_bounds_normal;
	struct str keyword = STR("$Word");
	struct ledger l;
	(void)state;
	assert_int_equal(store_bounds_normal.flags_told, LIMIT_FLAGS_TOLD);
	assert_true(LIMIT_FLAGS_TOLD <= LIMIT_CHANGE_LOG / 2);
	ledger_init(&l);
	bounds.flags_told = N;
	l.bounds = &bounds;
	ledger_reopen(&l);
	uint64_t a = make_account(&l, "alice@example.test");
	uint64_t inbox = mailbox(&l, a, "INBOX").id;
	for (uint32_t n = N - 1; n <= N + 1; n++) {
		while (mailbox(&l, a, "INBOX").messages < n)
			land(&l, a, 0, 10, false, NULL);
		for (int mode = FLAGS_ADD; mode <= FLAGS_REMOVE; mode++) {
			struct txn *txn = txn_new();
			struct op *op = txn_add(txn, OP_FLAGS);
			op->by.account = a;
			op->flags = (struct op_flags){ .mailbox = inbox,
				.uids = ALL_UIDS,
				.mode = mode,
				.flags = FLAG_SEEN,
				.keywords = { &keyword, 1 },
				.unchanged_since = UINT64_MAX };
			assert_int_equal(run(&l, txn), ERR_NONE);
			assert_int_equal(op->result.done_count, n);
			assert_true(op->result.before < op->result.modseq);
			struct change *last = vec_at(&txn->changes, txn->changes.n - 1);
			bool made = n == N - 1 && mode == FLAGS_ADD; /* the keyword */
			assert_int_equal(txn->changes.n, made + (n <= N ? n : 1));
			assert_int_equal(last->kind, n <= N ? CHANGE_ENTRY : CHANGE_FLAGS);
			assert_int_equal(last->modseq, op->result.modseq);
			if (n > N)
				assert_int_equal(last->flags.bits[0], 1);
			txn_free(&txn);
		}
		assert_int_equal(mailbox(&l, a, "INBOX").unseen, n);
	}
	no_findings(&l);
	ledger_done(&l);
}

/* What many huge transactions write at once does not lie in the log together: it is started over
 * between groups. */
static void log_of_huge_transactions(void **state)
{
	enum { TIMES = 32, DOUBLED = 10, ENTRIES = TIMES << DOUBLED, EACH = ENTRIES / TIMES };
	static struct api_range all = { 1, UINT32_MAX };
	struct store_bounds bounds = store_bounds_normal;
	int64_t bytes[2];
	(void)state;
	for (int cut = 0; cut <= 1; cut++) {
		struct ledger l;
		ledger_init(&l);
		l.bounds = &bounds;
		uint64_t a = make_account(&l, "alice@example.test");
		uint64_t inbox = mailbox(&l, a, "INBOX").id;
		for (int i = 0; i < TIMES; i++)
			land(&l, a, 0, 10, false, NULL);
		for (int i = 0; i < DOUBLED; i++)
			assert_run(&l, ERR_NONE, .kind = OP_COPY, .by.account = a,
				.copy = { .mailbox = inbox, .target = inbox, .uids = { &all, 1 } });
		bounds.log_bytes = 1024 * 1024;
		bounds.group_rows = cut ? EACH : ENTRIES;
		ledger_reopen(&l); /* with an empty log */
		copies(&l, a, EACH, TIMES, false);
		bytes[cut] = log_bytes_now(&l);
		no_findings(&l);
		ledger_done(&l);
	}
	assert_true(bytes[0] > 2 * (int64_t)bounds.log_bytes);
	assert_true(bytes[1] < (int64_t)bounds.log_bytes / 2);
}

/* Behind the last mod-sequence nothing changes any more: none is given twice, none is negative. */
static void i21_modseqs_run_out(void **state)
{
	(void)state;
	for (int over = -1; over <= 1; over++) {
		struct ledger l;
		char sql[100];
		ledger_init(&l);
		uint64_t a = make_account(&l, "alice@example.test");
		uint64_t inbox = mailbox(&l, a, "INBOX").id;
		land(&l, a, 0, 10, false, NULL);
		snprintf(sql, sizeof sql, "UPDATE accounts SET modseq=%lld",
			(long long)LIMIT_MODSEQ + over);
		alter(&l, sql);
		ledger_open(&l);
		assert_run(&l, over <= 0 ? ERR_NONE : ERR_LIMIT, .kind = OP_COPY, .by.account = a,
			.copy = { .mailbox = inbox,
				.target = inbox,
				.uids = { &(struct api_range){ 1, 1 }, 1 } });
		ledger_done(&l);
	}
}

/* A ledger that has names from when any bytes were a keyword: a message comes back without them,
 * and a copy leaves them behind. */
static void strange_keywords_of_old(void **state)
{
	struct ledger l;
	struct op_result result;
	struct str names[] = { STR("one"), STR("two"), STR("good") };
	(void)state;
	ledger_init(&l);
	uint64_t a = make_account(&l, "alice@example.test");
	uint64_t inbox = mailbox(&l, a, "INBOX").id, sent = mailbox(&l, a, "Sent").id;
	land(&l, a, 0, 10, false, NULL);
	flag(&l, a, inbox, FLAGS_ADD, 0, names, ARRAY_LEN(names), UINT64_MAX);
	alter(&l, "UPDATE keywords SET name=' ' WHERE bit=0;"
		  "UPDATE keywords SET name='x)'||char(13,10)||'*' WHERE bit=1");
	ledger_open(&l);
	assert_run(&l, ERR_NONE, .kind = OP_COPY, .by.account = a,
		.copy = { .mailbox = inbox, .target = sent, .uids = ALL_UIDS });
	assert_int_equal(keywords_of(&l, sent), 1);
	assert_int_equal(entry_of(&l, sent, 1).keywords_low, 1);
	assert_run(&l, ERR_NONE, .kind = OP_EXPUNGE, .by.account = a,
		.expunge = { .mailbox = inbox, .uids = ALL_UIDS });
	assert_int_equal(undelete(&l, (struct op_undelete){ .since = 0 }, &result), ERR_NONE);
	assert_int_equal(result.done_count, 1);
	assert_int_equal(entry_of(&l, inbox, 2).keywords_low, 1 << 2);
	ledger_done(&l);
}

/* G6: an EXPUNGE takes what carries \Deleted, of the UIDs that were asked for, whatever the
 * mailbox's counters say of it. Those that said too little end at 0. */
static void g6_expunge_believes_no_counter(void **state)
{
	static const struct {
		const char *sql;
		bool low;
	} cases[] = { { "UPDATE mailboxes SET deleted=0,deleted_size=0 WHERE name='INBOX'", true },
		{ "UPDATE mailboxes SET deleted=1,deleted_size=1 WHERE name='INBOX'", true },
		{ "UPDATE mailboxes SET deleted=9,deleted_size=99 WHERE name='INBOX'", false } };
	struct api_range flagged[] = { { 1, 1 }, { 3, 3 } }, some[] = { { 2, 3 } };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ledger l;
		ledger_init(&l);
		uint64_t a = make_account(&l, "alice@example.test");
		uint64_t inbox = mailbox(&l, a, "INBOX").id;
		for (int n = 0; n < 3; n++)
			land(&l, a, 0, 10, false, NULL);
		assert_run(&l, ERR_NONE, .kind = OP_FLAGS, .by.account = a,
			.flags = { .mailbox = inbox,
				.uids = { flagged, ARRAY_LEN(flagged) },
				.mode = FLAGS_ADD,
				.flags = FLAG_DELETED,
				.unchanged_since = UINT64_MAX });
		alter(&l, cases[i].sql);
		ledger_open(&l);
		assert_run(&l, ERR_NONE, .kind = OP_EXPUNGE, .by.account = a,
			.expunge = { .mailbox = inbox, .uids = { some, 1 }, .deleted_only = true });
		assert_int_equal(entry_of(&l, inbox, 1).uid, 1);
		assert_int_equal(entry_of(&l, inbox, 2).uid, 2);
		assert_int_equal(entry_of(&l, inbox, 3).uid, 0);
		assert_run(&l, ERR_NONE, .kind = OP_EXPUNGE, .by.account = a,
			.expunge = { .mailbox = inbox, .uids = ALL_UIDS, .deleted_only = true });
		assert_int_equal(mailbox(&l, a, "INBOX").messages, 1);
		assert_int_equal(entry_of(&l, inbox, 2).uid, 2);
		if (cases[i].low)
			no_findings(&l);
		ledger_done(&l);
	}
}

/* A damaged ledger may say any number. */
static void uidl_of_any_number(void **state)
{
	struct ledger l;
	(void)state;
	ledger_init(&l);
	uint64_t a = make_account(&l, "alice@example.test");
	uint64_t inbox = mailbox(&l, a, "INBOX").id;
	land(&l, a, 0, 10, false, NULL);
	alter(&l, "UPDATE entries SET uidl=-9223372036854775808");
	ledger_open(&l);
	struct uidl_list now = uidls(&l, inbox);
	assert_true(is_of_uid(&now.items[0], 1, 0));
	ledger_done(&l);
}

/* Here an engine is the first that uses SQLite. */
static void memory_is_not_counted(void **state)
{
	struct ledger l;
	(void)state;
	ledger_init(&l);
	assert_int_equal(sqlite3_memory_used(), 0);
	ledger_done(&l);
}

TEST_MAIN(ENGINE_SUITE, ENGINE_SQLITE_FLAGS, test_case(memory_is_not_counted),
	test_case(strange_keywords_of_old), test_case(g6_expunge_believes_no_counter),
	test_case(uidl_of_any_number), test_case(i21_modseqs_run_out), test_case(rows_of_one_group),
	test_case(what_comes_before_commits), test_case(flags_are_told_one_by_one),
	test_case(log_of_huge_transactions), test_case(log_is_started_over),
	test_case(q3_log_is_cut_where_room_is_short), test_case(long_log_is_cut),
	test_case(g8_newer_store_is_refused), test_case(schema_2_becomes_3),
	test_case(schema_10_becomes_11), test_case(schema_needs_room),
	test_case(g6_check_finds_damage), test_case(rebuild_makes_mailboxes_up_to_a_number),
	test_case(recount_mends), test_case(mend_counts_dead_bytes), test_case(read_only_refuses),
	test_case(log_is_reused))
