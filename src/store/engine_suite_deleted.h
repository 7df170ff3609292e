/* SPDX-License-Identifier: Apache-2.0 */
/* The part of engine_suite.h about deleted messages: kept, put back, forgotten. */
#ifndef CULVER_STORE_ENGINE_SUITE_DELETED_H
#define CULVER_STORE_ENGINE_SUITE_DELETED_H

/* The ledger's clock stands here; each deletion of a test is a second later than the one before. */
static void tick(struct ledger *l)
{
	l->clock.wall_ms += 1000;
}

static enum err_kind expunge_all(struct ledger *l, uint64_t account, uint64_t box)
{
	tick(l);
	return run_op(l,
		(struct op){ .kind = OP_EXPUNGE,
			.by.account = account,
			.expunge = { .mailbox = box, .uids = ALL_UIDS } },
		NULL);
}

static enum err_kind undelete(struct ledger *l, struct op_undelete how, struct op_result *ret)
{
	if (how.since == 0)
		how.since = 1;
	if (how.address.n == 0)
		how.address = STR("alice@example.test");
	return run_op(l, (struct op){ .kind = OP_UNDELETE, .undelete = how }, ret);
}

static uint32_t forget(struct ledger *l, uint64_t account, int64_t before)
{
	struct op_result result;
	assert_int_equal(
		run_op(l, (struct op){ .kind = OP_FORGET, .forget = { account, before, 1000 } },
			&result),
		ERR_NONE);
	return result.done_count;
}

static int count_deleted(void *arg, const struct deleted_row *row)
{
	(void)row;
	++*(uint32_t *)arg;
	return 0;
}

static uint32_t kept(struct ledger *l, uint64_t account)
{
	uint32_t n = 0;
	struct deleted_filter filter = { .account = account, .since = 1 };
	assert_int_equal(ENGINE_UNDER_TEST.deleted_each(
				 l->reader, &filter, NULL, 1000, count_deleted, &n, &l->err),
		0);
	return n;
}

static uint64_t bodies(struct ledger *l)
{
	struct ledger_counts counts;
	assert_int_equal(ENGINE_UNDER_TEST.counts(l->reader, &counts, &l->err), 0);
	return counts.bodies;
}

static void deleted_comes_back(void **state)
{
	static const struct str words[] = { STR_INIT("urgent"), STR_INIT("$Junk") };
	struct ledger l;
	struct op_result landed, result;
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	struct api_mailbox inbox = mailbox(&l, alice, "INBOX");
	land(&l, alice, 0, 70, false, &landed);
	assert_run(&l, ERR_NONE, .kind = OP_FLAGS, .by.account = alice,
		.flags = { .mailbox = inbox.id,
			.uids = ALL_UIDS,
			.mode = FLAGS_REPLACE,
			.flags = FLAG_SEEN | FLAG_DELETED,
			.keywords = { words, 2 },
			.unchanged_since = UINT64_MAX });
	struct api_entry was = entry_of(&l, inbox.id, landed.uid);
	assert_int_equal(expunge_all(&l, alice, inbox.id), ERR_NONE);
	assert_int_equal(kept(&l, alice), 1);
	assert_int_equal(bodies(&l), 1);
	assert_int_equal(account_row(&l, alice).used_messages, 0); /* not of the quota */
	no_findings(&l);
	assert_int_equal(undelete(&l, (struct op_undelete){ .since = 0 }, &result), ERR_NONE);
	assert_int_equal(result.done_count, 1);
	assert_int_equal(result.bytes, 70);
	assert_false(result.more);
	assert_int_equal(kept(&l, alice), 0);
	struct api_entry back = entry_of(&l, inbox.id, landed.uid + 1);
	assert_int_equal(back.uid, landed.uid + 1);
	assert_int_equal(back.flags, FLAG_SEEN);
	assert_int_equal(back.keywords_low, was.keywords_low);
	assert_int_equal(back.entry_id, was.entry_id);
	assert_int_equal(back.size, was.size);
	assert_int_equal(back.time, was.time);
	assert_true(back.modseq > was.modseq);
	assert_int_equal(account_row(&l, alice).used_bytes, 70);
	no_findings(&l);
	/* There is nothing to put back twice. */
	assert_int_equal(undelete(&l, (struct op_undelete){ .since = 0 }, &result), ERR_NONE);
	assert_int_equal(result.done_count, 0);
	ledger_done(&l);
}

static void make_box(struct ledger *l, uint64_t account, struct str name)
{
	assert_run(l, ERR_NONE, .kind = OP_MAILBOX_CREATE, .by.account = account,
		.mailbox = { .name = name });
}

static void delete_box(struct ledger *l, uint64_t account, struct str name)
{
	tick(l);
	assert_run(l, ERR_NONE, .kind = OP_MAILBOX_DELETE, .by.account = account,
		.mailbox = { .name = name });
}

/* Into its mailbox under whatever name; else the one with its name; else 'Recovered'. */
static void deleted_finds_a_place(void **state)
{
	struct ledger l;
	struct op_result result;
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	make_box(&l, alice, STR("one"));
	make_box(&l, alice, STR("two"));
	make_box(&l, alice, STR("three"));
	land(&l, alice, mailbox(&l, alice, "one").id, 10, false, NULL);
	land(&l, alice, mailbox(&l, alice, "two").id, 10, false, NULL);
	land(&l, alice, mailbox(&l, alice, "three").id, 10, false, NULL);
	expunge_all(&l, alice, mailbox(&l, alice, "one").id);
	assert_run(&l, ERR_NONE, .kind = OP_MAILBOX_RENAME, .by.account = alice,
		.mailbox = { .name = STR("one"), .to = STR("uno") });
	delete_box(&l, alice, STR("two"));
	make_box(&l, alice, STR("two"));
	delete_box(&l, alice, STR("three"));
	no_findings(&l);
	assert_int_equal(undelete(&l, (struct op_undelete){ .since = 0 }, &result), ERR_NONE);
	assert_int_equal(result.done_count, 3);
	assert_int_equal(mailbox(&l, alice, "uno").messages, 1);
	assert_int_equal(mailbox(&l, alice, "two").messages, 1);
	assert_int_equal(mailbox(&l, alice, "Recovered").messages, 1);
	assert_true(mailbox(&l, alice, "Recovered").subscribed);
	no_findings(&l);
	ledger_done(&l);
}

static void undelete_is_narrowed(void **state)
{
	struct ledger l;
	struct op_result result;
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	uint64_t inbox = mailbox(&l, alice, "INBOX").id, sent = mailbox(&l, alice, "Sent").id;
	for (int i = 0; i < 3; i++) {
		land(&l, alice, inbox, 10, false, NULL);
		expunge_all(&l, alice, inbox);
	}
	land(&l, alice, sent, 10, false, NULL);
	expunge_all(&l, alice, sent);
	int64_t last = l.clock.wall_ms;
	assert_int_equal(
		undelete(&l, (struct op_undelete){ .mailbox = STR("Sent") }, &result), ERR_NONE);
	assert_int_equal(result.done_count, 1);
	assert_int_equal(
		undelete(&l, (struct op_undelete){ .since = last - 1000 }, &result), ERR_NONE);
	assert_int_equal(result.done_count, 1);
	assert_int_equal(
		undelete(&l, (struct op_undelete){ .mailbox = STR("none") }, &result), ERR_NONE);
	assert_int_equal(result.done_count, 0);
	assert_int_equal(kept(&l, alice), 2);
	assert_int_equal(
		undelete(&l, (struct op_undelete){ .address = STR("x@example.test") }, &result),
		ERR_NOT_FOUND);
	no_findings(&l);
	ledger_done(&l);
}

static void set_quota(struct ledger *l, uint64_t bytes)
{
	assert_run(l, ERR_NONE, .kind = OP_ACCOUNT_SET,
		.account = { .address = STR("alice@example.test"),
			.set = ACCOUNT_QUOTA_BYTES,
			.values.quota_bytes = bytes });
}

/* Strict about the quota when it comes back; and no more is kept than the quota, the newest. */
static void deleted_and_quota(void **state)
{
	struct ledger l;
	struct op_result result;
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	uint64_t inbox = mailbox(&l, alice, "INBOX").id;
	set_quota(&l, 100);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(land(&l, alice, inbox, 50, true, NULL), ERR_NONE);
		expunge_all(&l, alice, inbox);
	}
	assert_int_equal(kept(&l, alice), 2);
	assert_int_equal(bodies(&l), 2);
	no_findings(&l);
	assert_int_equal(land(&l, alice, inbox, 50, true, NULL), ERR_NONE);
	assert_int_equal(undelete(&l, (struct op_undelete){ .since = 0 }, &result), ERR_NONE);
	assert_int_equal(result.done_count, 1);
	assert_true(result.more);
	assert_int_equal(undelete(&l, (struct op_undelete){ .since = 0 }, &result), ERR_QUOTA);
	set_quota(&l, 150);
	assert_int_equal(undelete(&l, (struct op_undelete){ .since = 0 }, &result), ERR_NONE);
	assert_int_equal(result.done_count, 1);
	no_findings(&l);
	ledger_done(&l);
}

/* What is larger than the quota is not kept when it is deleted, nor with its mailbox; and its body
 * goes, too. */
static void deleted_beyond_the_quota(void **state)
{
	struct ledger l;
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	uint64_t inbox = mailbox(&l, alice, "INBOX").id, sent = mailbox(&l, alice, "Sent").id;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(land(&l, alice, inbox, 60, false, NULL), ERR_NONE);
		assert_int_equal(land(&l, alice, sent, 60, false, NULL), ERR_NONE);
	}
	set_quota(&l, 50);
	expunge_all(&l, alice, inbox);
	assert_int_equal(kept(&l, alice), 0);
	assert_int_equal(bodies(&l), 2);
	no_findings(&l);
	assert_int_equal(name_op(&l, alice, OP_MAILBOX_DELETE, "Sent", NULL), ERR_NONE);
	assert_int_equal(kept(&l, alice), 0);
	assert_int_equal(bodies(&l), 0);
	no_findings(&l);
	ledger_done(&l);
}

/* Once its time is over it is gone, and its body with it, unless another message has that too. */
static void deleted_is_forgotten(void **state)
{
	struct ledger l;
	uint64_t found;
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	uint64_t inbox = mailbox(&l, alice, "INBOX").id, sent = mailbox(&l, alice, "Sent").id;
	land(&l, alice, inbox, 10, false, NULL);
	assert_run(&l, ERR_NONE, .kind = OP_COPY, .by.account = alice,
		.copy = { .mailbox = inbox, .target = sent, .uids = ALL_UIDS });
	expunge_all(&l, alice, inbox);
	int64_t first = l.clock.wall_ms;
	assert_int_equal(ENGINE_UNDER_TEST.deleted_expired(l.reader, 0, first, &found, &l.err), 0);
	assert_int_equal(
		ENGINE_UNDER_TEST.deleted_expired(l.reader, 0, first + 1, &found, &l.err), 1);
	assert_int_equal(found, alice);
	assert_int_equal(
		ENGINE_UNDER_TEST.deleted_expired(l.reader, alice + 1, first + 1, &found, &l.err),
		0);
	assert_int_equal(forget(&l, alice, first), 0);
	assert_int_equal(forget(&l, alice, first + 1), 1);
	assert_int_equal(bodies(&l), 1); /* the copy */
	no_findings(&l);
	expunge_all(&l, alice, sent);
	assert_int_equal(bodies(&l), 1);
	assert_int_equal(forget(&l, alice, INT64_MAX), 1);
	assert_int_equal(bodies(&l), 0);
	assert_int_equal(kept(&l, alice), 0);
	no_findings(&l);
	ledger_done(&l);
}

/* A move is no deletion: nothing is kept of it. */
static void moved_is_not_deleted(void **state)
{
	struct ledger l;
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	uint64_t inbox = mailbox(&l, alice, "INBOX").id, sent = mailbox(&l, alice, "Sent").id;
	land(&l, alice, inbox, 10, false, NULL);
	assert_run(&l, ERR_NONE, .kind = OP_COPY, .by.account = alice,
		.copy = { .mailbox = inbox, .target = sent, .uids = ALL_UIDS, .move = true });
	assert_int_equal(kept(&l, alice), 0);
	ledger_done(&l);
}

static void remove_alice(struct ledger *l, bool erase)
{
	tick(l);
	assert_run(l, ERR_NONE, .kind = OP_ACCOUNT_REMOVE,
		.account = { .address = STR("alice@example.test"), .erase = erase });
}

/* What an account left is kept without it, and goes to whoever an administrator makes with its
 * address and says so; with `erase` it does not. */
static void removed_account_comes_back(void **state)
{
	struct ledger l;
	struct op_result result;
	(void)state;
	ledger_init(&l);
	for (int erase = 0; erase < 2; erase++) {
		uint64_t alice = make_account(&l, "alice@example.test");
		land(&l, alice, 0, 10, false, NULL);
		land(&l, alice, mailbox(&l, alice, "Sent").id, 10, false, NULL);
		expunge_all(&l, alice, mailbox(&l, alice, "Sent").id);
		remove_alice(&l, erase);
		no_findings(&l);
		assert_int_equal(bodies(&l), 2);
		assert_int_equal(kept(&l, alice), erase ? 0 : 2);
		uint64_t again = make_account(&l, "alice@example.test");
		assert_int_equal(
			undelete(&l, (struct op_undelete){ .removed = false }, &result), ERR_NONE);
		assert_int_equal(result.done_count, 0); /* another person, perhaps */
		assert_int_equal(
			undelete(&l, (struct op_undelete){ .removed = true }, &result), ERR_NONE);
		assert_int_equal(result.done_count, erase ? 0 : 2);
		assert_int_equal(mailbox(&l, again, "INBOX").messages, erase ? 0 : 1);
		assert_int_equal(mailbox(&l, again, "Sent").messages, erase ? 0 : 1);
		no_findings(&l);
		assert_int_equal(forget(&l, alice, 1), erase ? 2 : 0);
		remove_alice(&l, true);
		assert_int_equal(forget(&l, again, 1), erase ? 0 : 2);
		assert_int_equal(bodies(&l), 0);
		uint64_t id = 0;
		assert_int_equal(ENGINE_UNDER_TEST.removed_each(
					 l.reader, STR("alice@example.test"), 0, &id, &l.err),
			0);
	}
	no_findings(&l);
	ledger_done(&l);
}

/* Many at a time, in portions. */
static void undelete_goes_on(void **state)
{
	struct ledger l;
	struct op_result result;
	uint32_t n = 0;
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	uint64_t inbox = mailbox(&l, alice, "INBOX").id;
	for (int i = 0; i < 1100; i++)
		land(&l, alice, inbox, 1, false, NULL);
	expunge_all(&l, alice, inbox);
	do {
		assert_int_equal(
			undelete(&l, (struct op_undelete){ .since = 0 }, &result), ERR_NONE);
		n += result.done_count;
	} while (result.more);
	assert_int_equal(n, 1100);
	assert_int_equal(mailbox(&l, alice, "INBOX").messages, 1100);
	no_findings(&l);
	ledger_done(&l);
}

#define ENGINE_SUITE_DELETED                                                                       \
	test_case(deleted_comes_back), test_case(deleted_finds_a_place),                           \
		test_case(undelete_is_narrowed), test_case(deleted_and_quota),                     \
		test_case(deleted_beyond_the_quota), test_case(deleted_is_forgotten),              \
		test_case(moved_is_not_deleted), test_case(removed_account_comes_back),            \
		test_case(undelete_goes_on)

#endif
