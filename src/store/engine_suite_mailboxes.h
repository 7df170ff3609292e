/* SPDX-License-Identifier: Apache-2.0 */
/* The part of engine_suite.h about mailboxes and their names, and what stays when a process is
 * killed. */
#ifndef CULVER_STORE_ENGINE_SUITE_MAILBOXES_H
#define CULVER_STORE_ENGINE_SUITE_MAILBOXES_H

static enum err_kind name_op(
	struct ledger *l, uint64_t account, enum op_kind kind, const char *name, const char *to)
{
	return run_op(l,
		(struct op){ .kind = kind,
			.by.account = account,
			.mailbox = { .name = str_from(name), .to = str_from(to), .on = true } },
		NULL);
}

static void mailboxes_come_and_go(void **state)
{
	struct ledger l;
	struct mailbox_row row;
	(void)state;
	ledger_init(&l);
	uint64_t a = make_account(&l, "alice@example.test");
	assert_int_equal(name_op(&l, a, OP_MAILBOX_CREATE, "a/b/c", NULL), ERR_NONE);
	assert_true(find_mailbox(&l, a, "a/b", &row)); /* parents too: RFC 9051 6.3.4 */
	assert_int_equal(name_op(&l, a, OP_MAILBOX_CREATE, "a", NULL), ERR_EXISTS);
	uint32_t validity = mailbox(&l, a, "a/b").uidvalidity;
	assert_int_equal(name_op(&l, a, OP_MAILBOX_DELETE, "a/b", NULL), ERR_NONE);
	assert_true(find_mailbox(&l, a, "a/b/c", &row)); /* children stay */
	assert_false(find_mailbox(&l, a, "a/b", &row));
	assert_int_equal(name_op(&l, a, OP_MAILBOX_DELETE, "a/b", NULL), ERR_NOT_FOUND);
	assert_int_equal(name_op(&l, a, OP_MAILBOX_DELETE, "INBOX", NULL), ERR_DENIED);
	ledger_reopen(&l);
	assert_int_equal(name_op(&l, a, OP_MAILBOX_CREATE, "a/b", NULL), ERR_NONE);
	assert_true(mailbox(&l, a, "a/b").uidvalidity > validity);
	ledger_done(&l);
}

static void deleted_mailbox_takes_its_entries(void **state)
{
	struct ledger l;
	(void)state;
	ledger_init(&l);
	uint64_t a = make_account(&l, "alice@example.test");
	uint64_t sent = mailbox(&l, a, "Sent").id;
	land(&l, a, sent, 10, true, NULL);
	land(&l, a, 0, 5, true, NULL);
	assert_int_equal(name_op(&l, a, OP_MAILBOX_DELETE, "Sent", NULL), ERR_NONE);
	assert_int_equal(account_row(&l, a).used_bytes, 5);
	assert_int_equal(account_row(&l, a).used_messages, 1);
	assert_int_equal(land(&l, a, sent, 10, true, NULL), ERR_NOT_FOUND); /* I19 */
	no_findings(&l);
	ledger_done(&l);
}

static void rename_takes_children_along(void **state)
{
	struct ledger l;
	struct mailbox_row row;
	(void)state;
	ledger_init(&l);
	uint64_t a = make_account(&l, "alice@example.test");
	name_op(&l, a, OP_MAILBOX_CREATE, "a/b/c", NULL);
	name_op(&l, a, OP_MAILBOX_CREATE, "ab", NULL); /* no child of a */
	uint64_t c = mailbox(&l, a, "a/b/c").id;
	land(&l, a, c, 10, true, NULL);
	assert_int_equal(name_op(&l, a, OP_MAILBOX_RENAME, "a", "x/y"), ERR_NONE);
	assert_int_equal(mailbox(&l, a, "x/y/b/c").id, c);
	assert_int_equal(mailbox(&l, a, "x/y/b/c").messages, 1);
	assert_true(find_mailbox(&l, a, "ab", &row));
	assert_true(find_mailbox(&l, a, "x", &row));
	assert_false(find_mailbox(&l, a, "a/b", &row));
	assert_int_equal(name_op(&l, a, OP_MAILBOX_RENAME, "a", "z"), ERR_NOT_FOUND);
	assert_int_equal(name_op(&l, a, OP_MAILBOX_RENAME, "ab", "x"), ERR_EXISTS);
	assert_int_equal(name_op(&l, a, OP_MAILBOX_RENAME, "x", "x/y/z"), ERR_DENIED);
	/* A child that would be in the way refuses the whole. */
	name_op(&l, a, OP_MAILBOX_CREATE, "n/b", NULL);
	name_op(&l, a, OP_MAILBOX_DELETE, "n", NULL);
	assert_int_equal(name_op(&l, a, OP_MAILBOX_RENAME, "x/y", "n"), ERR_EXISTS);
	assert_true(find_mailbox(&l, a, "x/y", &row));
	no_findings(&l);
	ledger_done(&l);
}

static void inbox_is_renamed_by_moving(void **state)
{
	struct ledger l;
	(void)state;
	ledger_init(&l);
	uint64_t a = make_account(&l, "alice@example.test");
	uint64_t inbox = mailbox(&l, a, "INBOX").id;
	land(&l, a, 0, 10, false, NULL);
	name_op(&l, a, OP_MAILBOX_CREATE, "INBOX/child", NULL);
	assert_int_equal(name_op(&l, a, OP_MAILBOX_RENAME, "INBOX", "old/mail"), ERR_NONE);
	assert_int_equal(mailbox(&l, a, "INBOX").id, inbox);
	assert_int_equal(mailbox(&l, a, "INBOX").messages, 0);
	assert_int_equal(mailbox(&l, a, "old/mail").messages, 1);
	assert_int_equal(mailbox(&l, a, "INBOX/child").messages, 0); /* RFC 9051 6.3.6 */
	no_findings(&l);
	ledger_done(&l);
}

struct names {
	char text[4096];
};

static int add_name(void *arg, const struct api_mailbox *m)
{
	struct names *names = arg;
	size_t n = strlen(names->text);
	snprintf(names->text + n, sizeof(names->text) - n, "%.*s%s%s ", (int)m->name.n, m->name.p,
		m->subscribed ? "+" : "", m->exists ? "" : "?");
	return 0;
}

static void subscriptions_outlive_mailboxes(void **state)
{
	struct ledger l;
	struct names names = { "" };
	(void)state;
	ledger_init(&l);
	uint64_t a = make_account(&l, "alice@example.test");
	name_op(&l, a, OP_SUBSCRIBE, "Nowhere", NULL);
	name_op(&l, a, OP_SUBSCRIBE, "Nowhere", NULL);
	name_op(&l, a, OP_MAILBOX_CREATE, "Plain", NULL);
	name_op(&l, a, OP_MAILBOX_DELETE, "Junk", NULL);
	assert_int_equal(ENGINE_UNDER_TEST.mailbox_each(l.reader, a, add_name, &names, &l.err), 0);
	assert_string_equal(
		names.text, "Archive+ Drafts+ INBOX+ Junk+? Nowhere+? Plain Sent+ Trash+ ");
	ledger_done(&l);
}

/* N - 1, N, N + 1 mailboxes and subscriptions. I25, G11 */
static void mailboxes_are_limited(void **state)
{
	static const struct {
		enum op_kind kind;
		int limit, have;
	} cases[] = { { OP_MAILBOX_CREATE, LIMIT_MAILBOXES, 6 },
		{ OP_SUBSCRIBE, LIMIT_SUBSCRIPTIONS, 6 } };
	struct ledger l;
	struct err err = ERR_INIT;
	char name[32];
	(void)state;
	ledger_init(&l);
	uint64_t a = make_account(&l, "alice@example.test");
	for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
		for (int n = cases[c].have; n < cases[c].limit - 1;) {
			struct txn *txn = txn_new();
			for (int k = 0; k < 1000 && n < cases[c].limit - 1; k++, n++) {
				struct op *op = txn_add(txn, cases[c].kind);
				op->by.account = a;
				op->mailbox.name = str_make(
					name, (size_t)snprintf(name, sizeof(name), "m%d", n));
				op->mailbox.on = true;
				assert_true(txn_keep(txn, &op->mailbox.name));
			}
			assert_int_equal(ENGINE_UNDER_TEST.run(l.engine, &txn, 1, &err), 0);
			assert_int_equal(txn->err.kind, ERR_NONE);
			txn_free(&txn);
		}
		assert_int_equal(name_op(&l, a, cases[c].kind, "N", NULL), ERR_NONE);
		assert_int_equal(name_op(&l, a, cases[c].kind, "N+1", NULL), ERR_LIMIT);
	}
	assert_int_equal(name_op(&l, a, OP_MAILBOX_DELETE, "N", NULL), ERR_NONE);
	assert_int_equal(name_op(&l, a, OP_MAILBOX_CREATE, "N+1", NULL), ERR_NONE);
	ledger_done(&l);
}

/* I11: somebody else's mailbox is none. */
static void others_mailboxes_are_none(void **state)
{
	struct ledger l;
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	uint64_t bob = make_account(&l, "bob@example.test");
	uint64_t hers = mailbox(&l, alice, "INBOX").id, his = mailbox(&l, bob, "INBOX").id;
	land(&l, alice, 0, 10, false, NULL);
	land(&l, bob, 0, 10, false, NULL);
	struct op_by by = { .account = bob };
	assert_int_equal(land(&l, bob, hers, 10, true, NULL), ERR_NOT_FOUND);
	assert_int_equal(flag(&l, bob, hers, FLAGS_ADD, 1, NULL, 0, UINT64_MAX), ERR_NOT_FOUND);
	assert_run(&l, ERR_NOT_FOUND, .kind = OP_EXPUNGE, .by = by,
		.expunge = { .mailbox = hers, .uids = ALL_UIDS });
	assert_run(&l, ERR_NOT_FOUND, .kind = OP_COPY, .by = by,
		.copy = { .mailbox = hers, .target = his, .uids = ALL_UIDS });
	assert_run(&l, ERR_NOT_FOUND, .kind = OP_COPY, .by = by,
		.copy = { .mailbox = his, .target = hers, .uids = ALL_UIDS });
	struct entry_place place;
	struct err err = ERR_INIT;
	assert_int_equal(ENGINE_UNDER_TEST.entry(l.reader, bob, hers, 1, &place, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(ENGINE_UNDER_TEST.entry(l.reader, alice, hers, 1, &place, &err), 0);
	ledger_done(&l);
}

static void identity_stays(void **state)
{
	struct ledger l;
	struct engine_identity before, after;
	(void)state;
	ledger_init(&l);
	uint64_t a = make_account(&l, "alice@example.test");
	land(&l, a, 0, 10, false, NULL);
	ENGINE_UNDER_TEST.identity(l.engine, &before);
	assert_int_equal(before.committed.segment, 1);
	assert_int_equal(before.committed.offset, 8192);
	ledger_reopen(&l);
	ENGINE_UNDER_TEST.identity(l.engine, &after);
	assert_memory_equal(before.store_id, after.store_id, sizeof(before.store_id));
	assert_int_equal(after.committed.offset, 8192);
	assert_int_equal(after.epoch, 1);
	ledger_done(&l);
}

/* A process that is killed at work: whatever run() came back from is there. G1 */
static void killed_process_loses_nothing(void **state)
{
	struct ledger l;
	int ends[2];
	uint32_t uid, last = 0;
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	for (uint64_t round = 1; round <= 5; round++) {
		ledger_close(&l);
		assert_int_equal(pipe(ends), 0);
		pid_t child = fork();
		if (child == 0) {
			struct op_result r;
			ledger_open(&l);
			for (l.last_blob = round * 100000;;) {
				enum err_kind kind = land(&l, alice, 0, 1, false, &r);
				if (kind != ERR_NONE ||
					write(ends[1], &r.uid, sizeof(r.uid)) != sizeof(r.uid))
					_exit(1);
			}
		}
		close(ends[1]);
		for (int i = 0; i < 40; i++)
			assert_int_equal(read(ends[0], &uid, sizeof(uid)), sizeof(uid));
		kill(child, SIGKILL);
		while (read(ends[0], &uid, sizeof(uid)) == sizeof(uid))
			last = uid;
		close(ends[0]);
		waitpid(child, NULL, 0);
		ledger_open(&l);
		struct api_mailbox m = mailbox(&l, alice, "INBOX");
		assert_true(m.messages >= last && m.uidnext == m.messages + 1);
		no_findings(&l);
	}
	ledger_done(&l);
}

#define ENGINE_SUITE_MAILBOXES                                                                     \
	test_case(mailboxes_come_and_go), test_case(deleted_mailbox_takes_its_entries),            \
		test_case(rename_takes_children_along), test_case(inbox_is_renamed_by_moving),     \
		test_case(subscriptions_outlive_mailboxes), test_case(mailboxes_are_limited),      \
		test_case(others_mailboxes_are_none), test_case(identity_stays),                   \
		test_case(killed_process_loses_nothing)

#endif
