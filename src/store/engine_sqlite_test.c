// SPDX-License-Identifier: Apache-2.0
/* The SQLite engine: the suite that all engines pass, and what is its own. */
#include "store/engine.h"

#define ENGINE_UNDER_TEST engine_sqlite
#include "store/engine_suite.h"
#include "store/sqlite_private.h"
#include "store/store.h"

#include <sqlite3.h>
#include <sys/stat.h>

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
		  "ALTER TABLE entries DROP COLUMN saved; ALTER TABLE entries DROP COLUMN uidl;"
		  "DROP TABLE flags;"
		  "ALTER TABLE entries ADD COLUMN flags INTEGER NOT NULL DEFAULT 0;"
		  "ALTER TABLE entries ADD COLUMN keywords_low INTEGER NOT NULL DEFAULT 0;"
		  "ALTER TABLE entries ADD COLUMN keywords_high INTEGER NOT NULL DEFAULT 0;"
		  "ALTER TABLE entries ADD COLUMN modseq INTEGER NOT NULL DEFAULT 0;"
		  "ALTER TABLE mailboxes DROP COLUMN uidfloor;"
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
	alter(&l,
		"DROP TABLE flags;"
		"ALTER TABLE entries ADD COLUMN flags INTEGER NOT NULL DEFAULT 0;"
		"ALTER TABLE entries ADD COLUMN keywords_low INTEGER NOT NULL DEFAULT 0;"
		"ALTER TABLE entries ADD COLUMN keywords_high INTEGER NOT NULL DEFAULT 0;"
		"ALTER TABLE entries ADD COLUMN modseq INTEGER NOT NULL DEFAULT 0;"
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
	alter(&l, "DROP TABLE flags;"
		  "ALTER TABLE entries ADD COLUMN flags INTEGER NOT NULL DEFAULT 0;"
		  "ALTER TABLE entries ADD COLUMN keywords_low INTEGER NOT NULL DEFAULT 0;"
		  "ALTER TABLE entries ADD COLUMN keywords_high INTEGER NOT NULL DEFAULT 0;"
		  "ALTER TABLE entries ADD COLUMN modseq INTEGER NOT NULL DEFAULT 0;"
		  "PRAGMA user_version=10");
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

/* ---- groups ---- */

/* A generator of transactions: the same number gives the same one again. */
enum { TWIN_BOXES = BLOCKS_HELD + 4, TWIN_OPS = 16, TWIN_GROUP = 5, TWIN_UIDS = 400 };
struct twin_txn {
	struct txn *txn;
	struct api_range ranges[TWIN_OPS];
	struct str words[TWIN_OPS];
	char name[20];
};
static uint64_t twin_seed;

static uint32_t some(uint32_t n)
{
	twin_seed = twin_seed * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)(twin_seed >> 33) % n;
}

static void twin_op(
	struct twin_txn *t, size_t i, enum op_kind kind, uint64_t account, uint64_t first)
{
	static const struct str words[] = { STR_INIT("a"), STR_INIT("b") };
	struct op *op = txn_add(t->txn, kind);
	uint64_t box = first + some(TWIN_BOXES), other = first + some(TWIN_BOXES);
	uint32_t low = 1 + some(TWIN_UIDS), n = some(3) ? some(4) : some(TWIN_UIDS);
	struct api_range_list uids = { &t->ranges[i], 1 };
	t->ranges[i] = (struct api_range){ low, low + n };
	t->words[i] = words[some(ARRAY_LEN(words))];
	op->by.account = account;
	if (kind == OP_LAND)
		op->land = (struct op_land){ .mailbox = box,
			.body = 1,
			.size = 10,
			.flags = (uint8_t)some(FLAGS_ALL),
			.keywords = { &t->words[i], some(2) },
			.uid = some(2) ? low : 0 };
	else if (kind == OP_FLAGS)
		op->flags = (struct op_flags){ .mailbox = box,
			.uids = uids,
			.mode = (enum flags_mode)some(3),
			.flags = (uint8_t)some(FLAGS_ALL),
			.keywords = { &t->words[i], some(2) },
			.unchanged_since = some(4) ? UINT64_MAX : some(500) };
	else if (kind == OP_COPY)
		op->copy = (struct op_copy){
			.mailbox = box, .target = other, .uids = uids, .move = some(2)
		};
	else if (kind == OP_EXPUNGE)
		op->expunge = (struct op_expunge){
			.mailbox = box, .uids = uids, .deleted_only = some(2)
		};
	else
		op->mailbox = (struct op_mailbox){
			.name = kind == OP_MAILBOX_RENAME ? STR("INBOX") : str_from(t->name),
			.to = str_from(t->name),
			.on = some(2)
		};
}

static void twin_make(struct twin_txn *t, uint64_t seed, uint64_t account, uint64_t first)
{
	static const enum op_kind kinds[] = { OP_LAND, OP_LAND, OP_LAND, OP_FLAGS, OP_FLAGS,
		OP_COPY, OP_EXPUNGE };
	static const enum op_kind cold[] = { OP_SUBSCRIBE, OP_MAILBOX_DELETE, OP_MAILBOX_RENAME };
	twin_seed = seed * 2654435761;
	t->txn = txn_new();
	snprintf(t->name, sizeof(t->name), "box-%u", some(3 * TWIN_BOXES));
	for (size_t i = 0, n = 1 + some(TWIN_OPS - 1); i < n; i++)
		twin_op(t, i, kinds[some(ARRAY_LEN(kinds))], account, first);
	if (some(50) == 0)
		twin_op(t, TWIN_OPS - 1, cold[some(ARRAY_LEN(cold))], account, first);
	if (some(3) == 0)
		txn_add(t->txn, OP_NAMED)->named.body = 77; /* fails */
}

static uint64_t twin_begin(struct ledger *l, uint64_t *first)
{
	ledger_init(l);
	uint64_t a = make_account(l, "alice@example.test");
	for (size_t i = 0; i < TWIN_BOXES; i++) {
		char name[20];
		snprintf(name, sizeof(name), "box-%zu", i);
		assert_run(l, ERR_NONE, .kind = OP_MAILBOX_CREATE, .by.account = a,
			.mailbox.name = str_from(name));
		if (i == 0)
			*first = mailbox(l, a, name).id;
	}
	land(l, a, 0, 10, false, NULL);
	*first -= 1; /* one that is there from the beginning, too */
	return a;
}

static void twins_are_alike(struct ledger *a, struct ledger *b, uint64_t last)
{
	for (uint64_t id = 1; id <= last; id++) {
		struct mailbox_row row;
		struct err err = ERR_INIT;
		struct view v, w;
		bool there = engine_sqlite.mailbox_by_id(a->reader, id, &row, &err) == 0;
		assert_int_equal(
			engine_sqlite.mailbox_by_id(b->reader, id, &row, &err) == 0, there);
		if (!there)
			continue;
		view_read(a, id, &v);
		view_read(b, id, &w);
		assert_int_equal(v.entries.n, w.entries.n);
		for (size_t i = 0; i < v.entries.n; i++)
			assert_memory_equal(vec_at(&v.entries, i), vec_at(&w.entries, i),
				sizeof(struct api_entry));
		assert_int_equal(v.row.status.highest_modseq, w.row.status.highest_modseq);
		assert_int_equal(v.row.status.uidnext, w.row.status.uidnext);
		view_done(&v);
		view_done(&w);
	}
	no_findings(a);
}

/* What groups of transactions do, some of which fail, is what those that do not fail would do, each
 * by itself and each on a ledger that was opened anew: what is held of blocks shows nowhere. */
static void groups_are_as_one_by_one(void **state)
{
	struct ledger a, b;
	uint64_t first, seed = 1, failed = 0;
	(void)state;
	uint64_t account = twin_begin(&a, &first);
	assert_int_equal(twin_begin(&b, &first), account);
	for (int group = 0; group < 600; group++) {
		struct twin_txn t[TWIN_GROUP], one;
		struct txn *txns[TWIN_GROUP];
		size_t n = 1 + (size_t)group % TWIN_GROUP;
		for (size_t i = 0; i < n; i++) {
			twin_make(&t[i], seed + i, account, first);
			txns[i] = t[i].txn;
		}
		assert_int_equal(engine_sqlite.run(a.engine, txns, n, &a.err), 0);
		for (size_t i = 0; i < n; i++, seed++) {
			if (txns[i]->err.kind == ERR_NONE) {
				twin_make(&one, seed, account, first);
				ledger_reopen(&b);
				assert_int_equal(run(&b, one.txn), ERR_NONE);
				txn_free(&one.txn);
			}
			failed += txns[i]->err.kind != ERR_NONE;
			txn_free(&txns[i]);
		}
		if (group % 20 == 0)
			twins_are_alike(&a, &b, 3 * TWIN_BOXES);
	}
	assert_true(failed > seed / 4 && failed < seed * 3 / 4);
	twins_are_alike(&a, &b, 3 * TWIN_BOXES);
	ledger_done(&a);
	ledger_done(&b);
}

static void add_flags(struct txn *txn, uint64_t account, uint64_t box, uint8_t flags)
{
	struct op *op = txn_add(txn, OP_FLAGS);
	op->by.account = account;
	op->flags = (struct op_flags){ .mailbox = box,
		.uids = ALL_UIDS,
		.mode = FLAGS_ADD,
		.flags = flags,
		.unchanged_since = UINT64_MAX };
}

/* A group's transaction that fails leaves flags as those before it in the group made them, also
 * of blocks that had to be written meanwhile, and of those that were read again then. */
static void one_that_fails_beside_others(void **state)
{
	enum { FLAGGED, CHANGES, CROWDS_OUT, SEEN };
	static const uint8_t given[] = { FLAG_FLAGGED, FLAG_DRAFT, FLAG_ANSWERED, FLAG_SEEN };
	uint64_t boxes[BLOCKS_HELD + BLOCKS_HELD / 2];
	struct ledger l;
	struct txn *txns[ARRAY_LEN(given)];
	(void)state;
	ledger_init(&l);
	uint64_t a = make_account(&l, "alice@example.test");
	uint64_t inbox = boxes[0] = mailbox(&l, a, "INBOX").id;
	for (size_t i = 1; i < ARRAY_LEN(boxes); i++) {
		char name[20];
		snprintf(name, sizeof(name), "box-%zu", i);
		assert_run(&l, ERR_NONE, .kind = OP_MAILBOX_CREATE, .by.account = a,
			.mailbox.name = str_from(name));
		boxes[i] = mailbox(&l, a, name).id;
		land(&l, a, boxes[i], 10, false, NULL);
	}
	land(&l, a, 0, 10, false, NULL);
	for (size_t i = 0; i < ARRAY_LEN(given); i++) {
		txns[i] = txn_new();
		add_flags(txns[i], a, inbox, given[i]);
	}
	for (size_t i = 1; i < ARRAY_LEN(boxes); i++)
		add_flags(txns[CROWDS_OUT], a, boxes[i], 0);
	add_flags(txns[CROWDS_OUT], a, inbox, given[CROWDS_OUT]);
	txn_add(txns[CHANGES], OP_NAMED)->named.body = 77;
	txn_add(txns[CROWDS_OUT], OP_NAMED)->named.body = 77;
	assert_int_equal(engine_sqlite.run(l.engine, txns, ARRAY_LEN(txns), &l.err), 0);
	for (size_t i = 0; i < ARRAY_LEN(given); i++) {
		assert_int_equal(txns[i]->err.kind == ERR_NONE, i == FLAGGED || i == SEEN);
		txn_free(&txns[i]);
	}
	assert_int_equal(entry_of(&l, inbox, 1).flags, FLAG_FLAGGED | FLAG_SEEN);
	no_findings(&l);
	ledger_done(&l);
}

/* The last UIDs of mailboxes with the greatest numbers that entry ids have room for. */
static void flags_of_the_last_uids(void **state)
{
	enum { LEFT = 6 };
	uint64_t boxes[2];
	struct ledger l;
	(void)state;
	ledger_init(&l);
	uint64_t a = make_account(&l, "alice@example.test");
	alter(&l, "UPDATE sqlite_sequence SET seq=2147483645 WHERE name='mailboxes'");
	ledger_open(&l);
	for (size_t i = 0; i < ARRAY_LEN(boxes); i++) {
		struct str name = i ? STR("two") : STR("one");
		assert_run(&l, ERR_NONE, .kind = OP_MAILBOX_CREATE, .by.account = a,
			.mailbox.name = name);
		boxes[i] = mailbox(&l, a, name.p).id;
	}
	assert_int_equal(boxes[1], INT32_MAX);
	alter(&l, "UPDATE mailboxes SET uidnext=4294967295-6 WHERE id>2147483640");
	ledger_open(&l);
	for (size_t i = 0; i < ARRAY_LEN(boxes); i++) {
		for (int n = 0; n < LEFT; n++)
			assert_int_equal(land(&l, a, boxes[i], 10, false, NULL), ERR_NONE);
		assert_int_equal(land(&l, a, boxes[i], 10, false, NULL), ERR_LIMIT);
	}
	struct txn *txn = txn_new();
	add_flags(txn, a, boxes[0], FLAG_SEEN);
	add_flags(txn, a, boxes[1], FLAG_DELETED);
	assert_int_equal(run(&l, txn), ERR_NONE);
	assert_int_equal(txn_op(txn, 0)->result.done_count, LEFT);
	assert_int_equal(txn_op(txn, 1)->result.done_count, LEFT);
	txn_free(&txn);
	assert_int_equal(entry_of(&l, boxes[0], UINT32_MAX - 1).flags, FLAG_SEEN);
	assert_int_equal(entry_of(&l, boxes[1], UINT32_MAX - LEFT).flags, FLAG_DELETED);
	no_findings(&l);
	assert_run(&l, ERR_NONE, .kind = OP_EXPUNGE, .by.account = a,
		.expunge = { .mailbox = boxes[1], .uids = ALL_UIDS, .deleted_only = true });
	assert_int_equal(entry_of(&l, boxes[0], UINT32_MAX - LEFT).flags, FLAG_SEEN);
	assert_int_equal(entry_of(&l, boxes[1], UINT32_MAX - 1).uid, 0);
	no_findings(&l);
	assert_run(&l, ERR_NONE, .kind = OP_MAILBOX_DELETE, .by.account = a,
		.mailbox.name = STR("two"));
	assert_int_equal(entry_of(&l, boxes[0], UINT32_MAX - 1).flags, FLAG_SEEN);
	no_findings(&l);
	ledger_done(&l);
}

/* G6: of what is flagged and what is there, each without the other is told. A mend takes out the
 * flags of nothing; what has none gets none, at a modseq that clients see as new. */
static void g6_flags_without_entries(void **state)
{
	enum { LOST = 0xff };
	static const struct {
		const char *sql;
		bool malformed;
		uint8_t after[5]; /* by UID */
	} cases[] = { { "DELETE FROM flags", false, { 0, LOST, LOST, LOST } },
		{ "UPDATE flags SET data=x'01'", true, { 0, LOST, LOST, LOST } },
		{ "UPDATE flags SET data=zeroblob(60)", true, { 0, LOST, LOST, LOST } },
		{ "DELETE FROM entries WHERE uid=2", false, { 0, FLAG_SEEN, 0, FLAG_DRAFT } },
		{ "UPDATE entries SET uid=4 WHERE uid=3", false,
			{ 0, FLAG_SEEN, FLAG_FLAGGED, 0, LOST } },
		{ "INSERT INTO flags SELECT id+1,data FROM flags", false,
			{ 0, FLAG_SEEN, FLAG_FLAGGED, FLAG_DRAFT } } };
	static const uint8_t given[] = { FLAG_SEEN, FLAG_FLAGGED, FLAG_DRAFT };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ledger l;
		int n = 0;
		ledger_init(&l);
		uint64_t a = make_account(&l, "alice@example.test");
		uint64_t inbox = mailbox(&l, a, "INBOX").id;
		for (uint32_t uid = 1; uid <= ARRAY_LEN(given); uid++) {
			struct api_range one = { uid, uid };
			land(&l, a, 0, 10, false, NULL);
			assert_run(&l, ERR_NONE, .kind = OP_FLAGS, .by.account = a,
				.flags = { .mailbox = inbox,
					.uids = { &one, 1 },
					.mode = FLAGS_ADD,
					.flags = given[uid - 1],
					.unchanged_since = UINT64_MAX });
		}
		uint64_t before = account_row(&l, a).modseq;
		alter(&l, cases[i].sql);
		ledger_open(&l);
		assert_int_equal(engine_sqlite.check(l.reader, count_finding, &n, &l.err), 0);
		assert_true(n > 0);
		if (cases[i].malformed)
			assert_int_equal(land(&l, a, 0, 10, false, NULL), ERR_CORRUPT);
		assert_run(&l, ERR_NONE, .kind = OP_MEND);
		no_findings(&l);
		for (uint32_t uid = 1; uid < ARRAY_LEN(cases[i].after); uid++) {
			struct api_entry x = entry_of(&l, inbox, uid);
			bool lost = cases[i].after[uid] == LOST;
			assert_int_equal(x.flags, lost ? 0 : cases[i].after[uid]);
			assert_int_equal(x.modseq > before, lost);
		}
		assert_true(mailbox(&l, a, "INBOX").highest_modseq >= before);
		land(&l, a, 0, 10, false, NULL);
		no_findings(&l);
		ledger_done(&l);
	}
}

/* An entry that has none reads as one without flags; where a block can't be read there is no view.
 */
static void views_of_missing_flags(void **state)
{
	struct ledger l;
	(void)state;
	ledger_init(&l);
	uint64_t a = make_account(&l, "alice@example.test");
	uint64_t inbox = mailbox(&l, a, "INBOX").id;
	land(&l, a, 0, 10, false, NULL);
	alter(&l, "DELETE FROM flags");
	ledger_open(&l);
	assert_int_equal(entry_of(&l, inbox, 1).modseq, 1);
	alter(&l, "INSERT INTO flags SELECT id<<24,x'00' FROM mailboxes WHERE name='INBOX'");
	ledger_open(&l);
	struct view v = { .row.account = 0 };
	struct err err = ERR_INIT;
	vec_init(&v.entries, sizeof(struct api_entry), 10);
	assert_int_equal(
		engine_sqlite.view(l.reader, inbox, 0, 10, &v.row, NULL, NULL, &v.entries, &err),
		-1);
	assert_int_equal(err.kind, ERR_CORRUPT);
	vec_done(&v.entries);
	ledger_done(&l);
}

/* A repair puts what it could read of a message beside it, with its flags, in the transaction in
 * which that goes: both may be of one block. */
static void mend_keeps_flags_of_its_transaction(void **state)
{
	struct ledger l;
	(void)state;
	ledger_init(&l);
	uint64_t a = make_account(&l, "alice@example.test");
	uint64_t inbox = mailbox(&l, a, "INBOX").id;
	land(&l, a, 0, 10, false, NULL);
	struct txn *txn = txn_new();
	txn_add(txn, OP_BODY)->body.place = (struct body_place){
		.ref = { .id = 77, .segment = 1, .offset = 77 * 4096, .length = 4096 }, .size = 10
	};
	struct op *op = txn_add(txn, OP_LAND);
	op->by.account = a;
	op->land = (struct op_land){ .body = 77, .size = 10, .flags = FLAG_SEEN };
	txn_add(txn, OP_BODY_LOST)->mend.body = l.last_blob;
	txn_add(txn, OP_MEND);
	assert_int_equal(run(&l, txn), ERR_NONE);
	txn_free(&txn);
	assert_int_equal(entry_of(&l, inbox, 1).uid, 0);
	assert_int_equal(entry_of(&l, inbox, 2).flags, FLAG_SEEN);
	ledger_done(&l);
}

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

TEST_MAIN(ENGINE_SUITE, test_case(memory_is_not_counted), test_case(strange_keywords_of_old),
	test_case(uidl_of_any_number), test_case(i21_modseqs_run_out), test_case(rows_of_one_group),
	test_case(flags_are_told_one_by_one), test_case(log_of_huge_transactions),
	test_case(log_is_started_over), test_case(q3_log_is_cut_where_room_is_short),
	test_case(long_log_is_cut), test_case(g8_newer_store_is_refused),
	test_case(schema_2_becomes_3), test_case(schema_10_becomes_11),
	test_case(schema_needs_room), test_case(one_that_fails_beside_others),
	test_case(groups_are_as_one_by_one), test_case(flags_of_the_last_uids),
	test_case(g6_flags_without_entries), test_case(views_of_missing_flags),
	test_case(g6_check_finds_damage), test_case(recount_mends),
	test_case(mend_counts_dead_bytes), test_case(mend_keeps_flags_of_its_transaction),
	test_case(read_only_refuses), test_case(log_is_reused))
