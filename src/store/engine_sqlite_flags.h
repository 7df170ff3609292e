/* SPDX-License-Identifier: Apache-2.0 */
/* The part of engine_sqlite_test.c about blocks of flags: groups of which some transactions fail,
 * the ends of the numbers, damage. */
#ifndef CULVER_STORE_ENGINE_SQLITE_FLAGS_H
#define CULVER_STORE_ENGINE_SQLITE_FLAGS_H

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
		if (cases[i].malformed) {
			assert_int_equal(land(&l, a, 0, 10, false, NULL), ERR_CORRUPT);
			/* Nobody knows whether something carries \Deleted. */
			assert_run(&l, ERR_CORRUPT, .kind = OP_EXPUNGE, .by.account = a,
				.expunge = {
					.mailbox = inbox, .uids = ALL_UIDS, .deleted_only = true });
		}
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

#define ENGINE_SQLITE_FLAGS                                                                        \
	test_case(groups_are_as_one_by_one), test_case(one_that_fails_beside_others),              \
		test_case(flags_of_the_last_uids), test_case(g6_flags_without_entries),            \
		test_case(views_of_missing_flags), test_case(mend_keeps_flags_of_its_transaction)

#endif
