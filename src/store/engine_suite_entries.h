/* SPDX-License-Identifier: Apache-2.0 */
/* The part of engine_suite.h about messages: landing, flags, copying, moving, expunging. */
#ifndef CULVER_STORE_ENGINE_SUITE_ENTRIES_H
#define CULVER_STORE_ENGINE_SUITE_ENTRIES_H

/* ---- landing ---- */

static void uids_rise_and_are_never_given_again(void **state)
{
	struct ledger l;
	struct op_result r;
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	uint64_t inbox = mailbox(&l, alice, "INBOX").id;
	for (uint32_t uid = 1; uid <= 3; uid++) {
		assert_int_equal(land(&l, alice, 0, 10, false, &r), ERR_NONE);
		assert_int_equal(r.uid, uid);
		assert_int_equal(r.mailbox, inbox);
	}
	assert_run(&l, ERR_NONE, .kind = OP_EXPUNGE, .by.account = alice,
		.expunge = { .mailbox = inbox, .uids = ALL_UIDS });
	ledger_reopen(&l);
	assert_int_equal(land(&l, alice, 0, 10, false, &r), ERR_NONE);
	assert_int_equal(r.uid, 4);
	struct api_mailbox m = mailbox(&l, alice, "INBOX");
	assert_int_equal(m.messages, 1);
	assert_int_equal(m.unseen, 1);
	assert_int_equal(m.size, 10);
	assert_int_equal(m.uidnext, 5);
	assert_int_equal(account_row(&l, alice).used_messages, 1);
	no_findings(&l);
	ledger_done(&l);
}

static void one_fails_alone(void **state)
{
	struct ledger l;
	struct err err = ERR_INIT;
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	uint64_t inbox = mailbox(&l, alice, "INBOX").id;
	struct txn *txns[3];
	for (int i = 0; i < 3; i++) {
		txns[i] = txn_new();
		txn_add(txns[i], OP_BODY)->body.place = (struct body_place){
			.ref.id = (uint64_t)i + 1, .size = 5
		};
		struct op *op = txn_add(txns[i], OP_LAND);
		op->by.account = alice;
		op->land = (struct op_land){ .body = (uint64_t)i + 1, .size = 5 };
	}
	/* The second lands once and then in a mailbox that is not there: neither counts. */
	struct op *bad = txn_add(txns[1], OP_LAND);
	bad->by.account = alice;
	bad->land = (struct op_land){ .mailbox = 999, .body = 2, .size = 5 };
	assert_int_equal(ENGINE_UNDER_TEST.run(l.engine, txns, 3, &err), 0);
	assert_int_equal(txns[0]->err.kind, ERR_NONE);
	assert_int_equal(txns[1]->err.kind, ERR_NOT_FOUND);
	assert_int_equal(txns[1]->changes.n, 0);
	assert_int_equal(txns[2]->err.kind, ERR_NONE);
	assert_int_equal(txn_op(txns[0], 1)->result.uid, 1);
	assert_int_equal(txn_op(txns[2], 1)->result.uid, 2);
	assert_int_equal(mailbox(&l, alice, "INBOX").messages, 2);
	struct ledger_counts counts;
	ENGINE_UNDER_TEST.counts(l.reader, &counts, &l.err);
	assert_int_equal(counts.bodies, 2);
	/* A value can be run again. */
	txn_op(txns[1], 2)->land.mailbox = inbox;
	assert_int_equal(ENGINE_UNDER_TEST.run(l.engine, &txns[1], 1, &err), 0);
	assert_int_equal(txns[1]->err.kind, ERR_NONE);
	assert_int_equal(txn_op(txns[1], 2)->result.uid, 4);
	for (int i = 0; i < 3; i++)
		txn_free(&txns[i]);
	no_findings(&l);
	ledger_done(&l);
}

static void quotas_hold(void **state)
{
	struct ledger l;
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	uint64_t inbox = mailbox(&l, alice, "INBOX").id, sent = mailbox(&l, alice, "Sent").id;
	assert_run(&l, ERR_NONE, .kind = OP_ACCOUNT_SET,
		.account = { .address = STR("alice@example.test"),
			.set = ACCOUNT_QUOTA_BYTES,
			.values.quota_bytes = 100 });
	/* Strict: N fits, N + 1 does not. */
	assert_int_equal(land(&l, alice, inbox, 101, true, NULL), ERR_QUOTA);
	assert_int_equal(land(&l, alice, inbox, 99, true, NULL), ERR_NONE);
	assert_int_equal(land(&l, alice, inbox, 2, true, NULL), ERR_QUOTA);
	assert_int_equal(land(&l, alice, inbox, 1, true, NULL), ERR_NONE);
	/* A delivery that goes over by one message is still made. */
	assert_int_equal(land(&l, alice, 0, 50, false, NULL), ERR_NONE);
	struct op_by by = { .account = alice };
	assert_run(&l, ERR_QUOTA, .kind = OP_COPY, .by = by,
		.copy = { .mailbox = inbox, .target = sent, .uids = ALL_UIDS });
	assert_run(&l, ERR_NONE, .kind = OP_COPY, .by = by,
		.copy = { .mailbox = inbox, .target = sent, .uids = ALL_UIDS, .move = true });
	assert_int_equal(account_row(&l, alice).used_bytes, 150);
	assert_run(&l, ERR_NONE, .kind = OP_ACCOUNT_SET,
		.account = { .address = STR("alice@example.test"),
			.set = ACCOUNT_QUOTA_BYTES | ACCOUNT_QUOTA_MESSAGES,
			.values.quota_messages = 4 });
	assert_int_equal(land(&l, alice, inbox, 1, true, NULL), ERR_NONE);
	assert_int_equal(land(&l, alice, inbox, 1, true, NULL), ERR_QUOTA);
	no_findings(&l);
	ledger_done(&l);
}

/* ---- flags ---- */

static enum err_kind flag(struct ledger *l, uint64_t account, uint64_t box, enum flags_mode mode,
	uint8_t flags, struct str *keywords, size_t n, uint64_t unchanged_since)
{
	return run_op(l,
		(struct op){ .kind = OP_FLAGS,
			.by.account = account,
			.flags = { .mailbox = box,
				.uids = ALL_UIDS,
				.mode = mode,
				.flags = flags,
				.keywords = { keywords, n },
				.unchanged_since = unchanged_since } },
		NULL);
}

static void flags_change(void **state)
{
	struct ledger l;
	struct str word = STR("$Forwarded"), same = STR("$forwarded");
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	uint64_t inbox = mailbox(&l, alice, "INBOX").id;
	land(&l, alice, 0, 10, false, NULL);
	flag(&l, alice, inbox, FLAGS_ADD, FLAG_SEEN | FLAG_DELETED, NULL, 0, UINT64_MAX);
	struct api_mailbox m = mailbox(&l, alice, "INBOX");
	assert_int_equal(m.unseen, 0);
	assert_int_equal(m.deleted, 1);
	uint64_t modseq = m.highest_modseq;
	/* What changes nothing gets no modseq. RFC 7162 3.1.3 */
	flag(&l, alice, inbox, FLAGS_ADD, FLAG_SEEN, NULL, 0, UINT64_MAX);
	assert_int_equal(mailbox(&l, alice, "INBOX").highest_modseq, modseq);
	flag(&l, alice, inbox, FLAGS_REMOVE, FLAG_DELETED, NULL, 0, UINT64_MAX);
	assert_int_equal(entry_of(&l, inbox, 1).flags, FLAG_SEEN);
	assert_true(entry_of(&l, inbox, 1).modseq > modseq);
	/* Keywords: one, in any case. RFC 9051 2.3.2 */
	flag(&l, alice, inbox, FLAGS_ADD, 0, &word, 1, UINT64_MAX);
	flag(&l, alice, inbox, FLAGS_ADD, 0, &same, 1, UINT64_MAX);
	assert_int_equal(entry_of(&l, inbox, 1).keywords_low, 1);
	flag(&l, alice, inbox, FLAGS_REPLACE, FLAG_DRAFT, NULL, 0, UINT64_MAX);
	assert_int_equal(entry_of(&l, inbox, 1).keywords_low, 0);
	assert_int_equal(entry_of(&l, inbox, 1).flags, FLAG_DRAFT);
	no_findings(&l);
	ledger_done(&l);
}

static void unchanged_since_keeps_back(void **state)
{
	struct ledger l;
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	uint64_t inbox = mailbox(&l, alice, "INBOX").id;
	for (int i = 0; i < 3; i++)
		land(&l, alice, 0, 10, false, NULL);
	uint64_t second = entry_of(&l, inbox, 2).modseq;
	struct txn *txn = txn_new();
	struct op *op = txn_add(txn, OP_FLAGS);
	op->by.account = alice;
	op->flags = (struct op_flags){ .mailbox = inbox,
		.uids = ALL_UIDS,
		.mode = FLAGS_ADD,
		.flags = FLAG_FLAGGED,
		.unchanged_since = second };
	assert_int_equal(run(&l, txn), ERR_NONE);
	assert_int_equal(op->result.done_count, 2);
	assert_int_equal(op->result.failed.n, 1);
	assert_int_equal(*(uint32_t *)vec_at(&op->result.failed, 0), 3);
	txn_free(&txn);
	assert_int_equal(entry_of(&l, inbox, 3).flags, 0);
	ledger_done(&l);
}

static size_t keywords_of(struct ledger *l, uint64_t box)
{
	struct view v;
	view_read(l, box, &v);
	size_t n = v.keywords.n;
	view_done(&v);
	return n;
}

/* A STORE that no message takes gives the mailbox no keyword either. RFC 7162 3.1.3 */
static void kept_back_makes_no_keyword(void **state)
{
	struct ledger l;
	struct str one = STR("one"), two = STR("two");
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	uint64_t inbox = mailbox(&l, alice, "INBOX").id;
	flag(&l, alice, inbox, FLAGS_ADD, 0, &one, 1, UINT64_MAX);
	assert_int_equal(keywords_of(&l, inbox), 0);
	land(&l, alice, 0, 10, false, NULL);
	land(&l, alice, 0, 10, false, NULL);
	uint64_t first = entry_of(&l, inbox, 1).modseq, highest = entry_of(&l, inbox, 2).modseq;
	flag(&l, alice, inbox, FLAGS_ADD, 0, &one, 1, first - 1);
	flag(&l, alice, inbox, FLAGS_REPLACE, 0, &one, 1, first - 1);
	assert_int_equal(keywords_of(&l, inbox), 0);
	assert_int_equal(mailbox(&l, alice, "INBOX").highest_modseq, highest);
	/* One that takes it is enough. */
	flag(&l, alice, inbox, FLAGS_ADD, 0, &two, 1, first);
	assert_int_equal(keywords_of(&l, inbox), 1);
	assert_int_equal(entry_of(&l, inbox, 1).keywords_low, 1);
	assert_int_equal(entry_of(&l, inbox, 2).keywords_low, 0);
	no_findings(&l);
	ledger_done(&l);
}

/* What is no keyword of IMAP (RFC 9051 9) becomes none, whoever says it: all sessions would be told
 * of it as it is. */
static void strange_keywords_are_none(void **state)
{
	struct ledger l;
	struct str names[] = { STR("x)\r\n* BYE"), STR(" "), STR("a b"), STR(""), STR("\\Seen"),
		STR("gr\xc3\xbc\xc3\x9f"), STR("$Good") };
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	uint64_t inbox = mailbox(&l, alice, "INBOX").id;
	land(&l, alice, 0, 10, false, NULL);
	assert_int_equal(flag(&l, alice, inbox, FLAGS_ADD, 0, names, ARRAY_LEN(names), UINT64_MAX),
		ERR_NONE);
	assert_int_equal(keywords_of(&l, inbox), 1);
	assert_int_equal(entry_of(&l, inbox, 1).keywords_low, 1);
	no_findings(&l);
	ledger_done(&l);
}

/* I18: N - 1, N, N + 1 keywords, and bytes of one. */
static void keywords_are_limited(void **state)
{
	struct ledger l;
	char name[LIMIT_KEYWORD_BYTES + 2];
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	uint64_t inbox = mailbox(&l, alice, "INBOX").id, sent = mailbox(&l, alice, "Sent").id;
	land(&l, alice, 0, 10, false, NULL);
	for (int i = 0; i <= LIMIT_KEYWORDS; i++) {
		struct str word = str_make(name, (size_t)snprintf(name, sizeof(name), "k%d", i));
		assert_int_equal(flag(&l, alice, inbox, FLAGS_ADD, 0, &word, 1, UINT64_MAX),
			i < LIMIT_KEYWORDS ? ERR_NONE : ERR_LIMIT);
	}
	struct api_entry e = entry_of(&l, inbox, 1);
	assert_true(e.keywords_low == UINT64_MAX && e.keywords_high == UINT64_MAX);
	/* They go along with a copy, by name. */
	memset(name, 'x', sizeof(name));
	struct str longest = str_make(name, LIMIT_KEYWORD_BYTES);
	struct str too_long = str_make(name, LIMIT_KEYWORD_BYTES + 1), empty = STR("");
	land(&l, alice, sent, 10, true, NULL);
	struct str shorter = str_make(name, LIMIT_KEYWORD_BYTES - 1);
	assert_int_equal(flag(&l, alice, sent, FLAGS_ADD, 0, &too_long, 1, UINT64_MAX), ERR_LIMIT);
	assert_int_equal(flag(&l, alice, sent, FLAGS_REMOVE, 0, &shorter, 1, UINT64_MAX), ERR_NONE);
	assert_int_equal(flag(&l, alice, sent, FLAGS_ADD, 0, &empty, 1, UINT64_MAX), ERR_NONE);
	assert_int_equal(flag(&l, alice, sent, FLAGS_ADD, 0, &longest, 1, UINT64_MAX), ERR_NONE);
	assert_run(&l, ERR_NONE, .kind = OP_COPY, .by.account = alice,
		.copy = { .mailbox = inbox, .target = sent, .uids = ALL_UIDS });
	e = entry_of(&l, sent, 2);
	/* The target had one already: the last of the source's has no room there. */
	assert_true(e.keywords_low == (UINT64_MAX ^ 1) && e.keywords_high == UINT64_MAX);
	/* Removing one that is not there makes none. */
	struct str other = STR("other");
	assert_int_equal(flag(&l, alice, inbox, FLAGS_REMOVE, 0, &other, 1, UINT64_MAX), ERR_NONE);
	no_findings(&l);
	ledger_done(&l);
}

/* ---- copy, move, expunge ---- */

static void copy_keeps_what_it_must(void **state)
{
	struct ledger l;
	struct str word = STR("w");
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	uint64_t inbox = mailbox(&l, alice, "INBOX").id, sent = mailbox(&l, alice, "Sent").id;
	land(&l, alice, 0, 10, false, NULL);
	land(&l, alice, 0, 20, false, NULL);
	flag(&l, alice, inbox, FLAGS_ADD, FLAG_ANSWERED, &word, 1, UINT64_MAX);
	l.clock.wall_ms += 5000;
	struct txn *txn = txn_new();
	struct op *op = txn_add(txn, OP_COPY);
	op->by.account = alice;
	op->copy = (struct op_copy){ .mailbox = inbox, .target = sent, .uids = ALL_UIDS };
	assert_int_equal(run(&l, txn), ERR_NONE);
	assert_int_equal(op->result.pairs.n, 2);
	struct api_pair *pair = vec_at(&op->result.pairs, 1);
	assert_true(pair->from == 2 && pair->to == 2);
	assert_int_equal(op->result.uidvalidity, mailbox(&l, alice, "Sent").uidvalidity);
	txn_free(&txn);
	struct api_entry from = entry_of(&l, inbox, 2), to = entry_of(&l, sent, 2);
	assert_int_equal(to.flags, from.flags);
	assert_int_equal(to.keywords_low, 1);
	assert_int_equal(to.time, from.time);
	assert_int_equal(to.entry_id, from.entry_id);   /* the same message: RFC 8474 4 */
	assert_int_equal(to.saved_s, from.saved_s + 5); /* but not the save date: RFC 8514 3 */
	assert_int_equal(account_row(&l, alice).used_bytes, 60);
	/* Into itself, once and not for ever. */
	assert_run(&l, ERR_NONE, .kind = OP_COPY, .by.account = alice,
		.copy = { .mailbox = inbox, .target = inbox, .uids = ALL_UIDS });
	assert_int_equal(mailbox(&l, alice, "INBOX").messages, 4);
	no_findings(&l);
	ledger_done(&l);
}

/* Who expects more messages than are there has none copied or moved. */
static void copy_of_what_must_be_there(void **state)
{
	struct ledger l;
	struct api_range first = { 1, 1 }, both = { 1, 3 };
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	uint64_t inbox = mailbox(&l, alice, "INBOX").id, sent = mailbox(&l, alice, "Sent").id;
	for (int i = 0; i < 3; i++)
		land(&l, alice, 0, 10, false, NULL);
	assert_run(&l, ERR_NONE, .kind = OP_EXPUNGE, .by.account = alice,
		.expunge = { .mailbox = inbox, .uids = { &first, 1 } });
	for (int move = 0; move < 2; move++)
		assert_run(&l, ERR_NOT_FOUND, .kind = OP_COPY, .by.account = alice,
			.copy = { inbox, sent, { &both, 1 }, move, .expected = 3 });
	assert_int_equal(mailbox(&l, alice, "INBOX").messages, 2);
	assert_int_equal(mailbox(&l, alice, "Sent").messages, 0);
	assert_int_equal(mailbox(&l, alice, "Sent").uidnext, 1);
	assert_int_equal(account_row(&l, alice).used_messages, 2);
	assert_run(&l, ERR_NONE, .kind = OP_COPY, .by.account = alice,
		.copy = { inbox, sent, { &both, 1 }, false, .expected = 2 });
	assert_int_equal(mailbox(&l, alice, "Sent").messages, 2);
	no_findings(&l);
	ledger_done(&l);
}

static void move_leaves_nothing(void **state)
{
	struct ledger l;
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	uint64_t inbox = mailbox(&l, alice, "INBOX").id, sent = mailbox(&l, alice, "Sent").id;
	for (int i = 0; i < 600; i++)
		land(&l, alice, 0, 1, false, NULL);
	assert_run(&l, ERR_NONE, .kind = OP_COPY, .by.account = alice,
		.copy = { .mailbox = inbox, .target = sent, .uids = ALL_UIDS, .move = true });
	assert_int_equal(mailbox(&l, alice, "INBOX").messages, 0);
	assert_int_equal(mailbox(&l, alice, "INBOX").uidnext, 601);
	assert_int_equal(mailbox(&l, alice, "Sent").messages, 600);
	assert_int_equal(account_row(&l, alice).used_messages, 600);
	/* Moved onto itself: all there, with new UIDs. */
	assert_run(&l, ERR_NONE, .kind = OP_COPY, .by.account = alice,
		.copy = { .mailbox = sent, .target = sent, .uids = ALL_UIDS, .move = true });
	assert_int_equal(mailbox(&l, alice, "Sent").messages, 600);
	assert_int_equal(entry_of(&l, sent, 600).uid, 0);
	assert_int_equal(entry_of(&l, sent, 601).uid, 601);
	no_findings(&l);
	ledger_done(&l);
}

static void expunge_takes_the_deleted(void **state)
{
	struct ledger l;
	struct api_range second = { 2, 2 };
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	uint64_t inbox = mailbox(&l, alice, "INBOX").id;
	for (int i = 0; i < 3; i++)
		land(&l, alice, 0, 10, false, NULL);
	assert_run(&l, ERR_NONE, .kind = OP_FLAGS, .by.account = alice,
		.flags = { .mailbox = inbox,
			.uids = { &second, 1 },
			.mode = FLAGS_ADD,
			.flags = FLAG_DELETED,
			.unchanged_since = UINT64_MAX });
	assert_run(&l, ERR_NONE, .kind = OP_EXPUNGE, .by.account = alice,
		.expunge = { .mailbox = inbox, .uids = ALL_UIDS, .deleted_only = true });
	struct api_mailbox m = mailbox(&l, alice, "INBOX");
	assert_int_equal(m.messages, 2);
	assert_int_equal(m.deleted, 0);
	assert_int_equal(entry_of(&l, inbox, 2).uid, 0);
	assert_run(&l, ERR_NONE, .kind = OP_EXPUNGE, .by.account = alice,
		.expunge = { .mailbox = inbox, .uids = { &second, 1 } });
	assert_int_equal(mailbox(&l, alice, "INBOX").messages, 2);
	/* Ranges that fall or overlap are refused. */
	struct api_range falling[] = { { 3, 3 }, { 1, 1 } }, over[] = { { 1, 2 }, { 2, 3 } },
			 upside[] = { { 3, 1 } };
	struct api_range_list bad[] = { { falling, 2 }, { over, 2 }, { upside, 1 } };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_run(&l, ERR_SYNTAX, .kind = OP_EXPUNGE, .by.account = alice,
			.expunge = { .mailbox = inbox, .uids = bad[i] });
	no_findings(&l);
	ledger_done(&l);
}

struct flagging {
	uint32_t uid; /* 0: it ends */
	bool off;
};

/* STOREs of \Deleted and an EXPUNGE, in one transaction; what is expunged. */
static uint32_t flag_and_expunge(struct ledger *l, uint64_t account, uint64_t box,
	const struct flagging *f, struct api_range_list uids)
{
	struct api_range one[4];
	struct txn *txn = txn_new();
	for (size_t i = 0; f && f[i].uid; i++) {
		struct op *op = txn_add(txn, OP_FLAGS);
		one[i] = (struct api_range){ f[i].uid, f[i].uid };
		op->by.account = account;
		op->flags = (struct op_flags){ .mailbox = box,
			.uids = { &one[i], 1 },
			.mode = f[i].off ? FLAGS_REMOVE : FLAGS_ADD,
			.flags = FLAG_DELETED,
			.unchanged_since = UINT64_MAX };
	}
	struct op *op = txn_add(txn, OP_EXPUNGE);
	op->by.account = account;
	op->expunge = (struct op_expunge){ .mailbox = box, .uids = uids, .deleted_only = true };
	assert_int_equal(run(l, txn), ERR_NONE);
	uint32_t n = op->result.done_count;
	txn_free(&txn);
	return n;
}

/* What carries \Deleted is found all over a mailbox, within the UIDs that were asked for alone, as
 * the transaction has it, whether that is written or not. */
static void expunge_finds_the_deleted(void **state)
{
	enum { N = 1000 };
	struct ledger l;
	const struct api_range none[] = { { 1, 299 }, { 301, 512 }, { 514, UINT32_MAX } },
			       all[] = { { 300, 513 } }, second[] = { { 301, 512 }, { 513, 600 } };
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	uint64_t inbox = mailbox(&l, alice, "INBOX").id;
	for (int i = 0; i < N; i++)
		land(&l, alice, 0, 10, false, NULL);
	for (int written = 0; written <= 1; written++) {
		if (written)
			ledger_reopen(&l);
		uint32_t n = flag_and_expunge(&l, alice, inbox,
			(const struct flagging[]){ { 300, false }, { 513, false }, { 0 } },
			(struct api_range_list){ none, ARRAY_LEN(none) });
		assert_int_equal(n, 0);
		if (written)
			ledger_reopen(&l);
		n = flag_and_expunge(&l, alice, inbox,
			(const struct flagging[]){ { 300, true }, { 513, true }, { 0 } }, ALL_UIDS);
		assert_int_equal(n, 0);
	}
	const struct flagging both[] = { { 300, false }, { 513, false }, { 0 } };
	assert_int_equal(flag_and_expunge(&l, alice, inbox, both,
				 (struct api_range_list){ second, ARRAY_LEN(second) }),
		1);
	assert_int_equal(entry_of(&l, inbox, 300).flags, FLAG_DELETED);
	assert_int_equal(entry_of(&l, inbox, 513).uid, 0);
	assert_int_equal(
		flag_and_expunge(&l, alice, inbox, NULL, (struct api_range_list){ all, 1 }), 1);
	const struct flagging ends[] = { { 1, false }, { 256, false }, { N, false }, { 0 } };
	assert_int_equal(flag_and_expunge(&l, alice, inbox, ends, ALL_UIDS), 3);
	assert_int_equal(mailbox(&l, alice, "INBOX").messages, N - 5);
	no_findings(&l);
	ledger_done(&l);
}

#define ENGINE_SUITE_ENTRIES                                                                       \
	test_case(uids_rise_and_are_never_given_again), test_case(one_fails_alone),                \
		test_case(quotas_hold), test_case(flags_change),                                   \
		test_case(unchanged_since_keeps_back), test_case(kept_back_makes_no_keyword),      \
		test_case(strange_keywords_are_none), test_case(keywords_are_limited),             \
		test_case(copy_keeps_what_it_must), test_case(copy_of_what_must_be_there),         \
		test_case(move_leaves_nothing), test_case(expunge_takes_the_deleted),              \
		test_case(expunge_finds_the_deleted)

#endif
