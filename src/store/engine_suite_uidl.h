/* SPDX-License-Identifier: Apache-2.0 */
/* The part of engine_suite.h about POP3's unique-ids, and about the UIDs of imported mailboxes. */
#ifndef CULVER_STORE_ENGINE_SUITE_UIDL_H
#define CULVER_STORE_ENGINE_SUITE_UIDL_H

/* ---- UIDL: hostile-input P4 ---- */

struct uidl_list {
	struct api_uidl items[16];
	size_t n;
};

static int add_uidl(void *arg, const struct entry_ids *ids)
{
	struct uidl_list *list = arg;
	assert_int_equal(ids->uidl.uid, ids->uid);
	list->items[list->n++] = ids->uidl;
	return 0;
}

static struct uidl_list uidls(struct ledger *l, uint64_t box)
{
	struct uidl_list list = { .n = 0 };
	assert_int_equal(ENGINE_UNDER_TEST.entry_ids(l->reader, box, 0, ARRAY_LEN(list.items),
				 add_uidl, &list, &l->err),
		0);
	return list;
}

static bool is_of_record(const struct api_uidl *u, uint64_t body)
{
	struct body_place place = { .size = 0 };
	memcpy(place.sha256, &body, sizeof(body));
	return u->body == body && u->recipient == 128 && u->validity == 0 &&
	       u->mark == (uint64_t)body_mark(&place, 1700000000000);
}

static bool is_of_uid(const struct api_uidl *u, uint32_t uid, uint32_t validity)
{
	return u->body == 0 && u->mark == 0 && u->uid == uid && u->validity == validity;
}

/* What landed has its record's; it goes along with a move, and no copy has it too. */
static void p4_uidl_is_one_entrys(void **state)
{
	struct ledger l;
	struct op_result result;
	struct api_range first = { 1, 1 };
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	uint64_t inbox = mailbox(&l, alice, "INBOX").id, sent = mailbox(&l, alice, "Sent").id;
	land(&l, alice, 0, 10, false, NULL);
	land(&l, alice, 0, 20, false, NULL);
	assert_run(&l, ERR_NONE, .kind = OP_COPY, .by.account = alice,
		.copy = { .mailbox = inbox, .target = inbox, .uids = { &first, 1 } });
	struct uidl_list now = uidls(&l, inbox);
	assert_int_equal(now.n, 3);
	assert_true(is_of_record(&now.items[0], 1) && is_of_record(&now.items[1], 2));
	assert_true(is_of_uid(&now.items[2], 3, 0));
	/* There and back again, the copy too. */
	for (int i = 0; i < 2; i++)
		assert_run(&l, ERR_NONE, .kind = OP_COPY, .by.account = alice,
			.copy = { .mailbox = i ? sent : inbox,
				.target = i ? inbox : sent,
				.uids = ALL_UIDS,
				.move = true });
	now = uidls(&l, inbox);
	assert_true(is_of_record(&now.items[0], 1) && is_of_record(&now.items[1], 2));
	assert_true(is_of_uid(&now.items[2], 6, 0));
	/* A copy of what another mailbox has. */
	assert_run(&l, ERR_NONE, .kind = OP_COPY, .by.account = alice,
		.copy = { .mailbox = inbox, .target = sent, .uids = ALL_UIDS });
	now = uidls(&l, sent);
	assert_int_equal(now.n, 3);
	assert_true(is_of_uid(&now.items[0], 4, 0));
	/* What comes back has a new one: whoever had it fetches it again. */
	assert_run(&l, ERR_NONE, .kind = OP_EXPUNGE, .by.account = alice,
		.expunge = { .mailbox = inbox, .uids = ALL_UIDS });
	assert_run(&l, ERR_NONE, .kind = OP_UNDELETE,
		.undelete = { .address = STR("alice@example.test"), .since = 1 });
	now = uidls(&l, inbox);
	assert_int_equal(now.n, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_true(is_of_uid(&now.items[i], 7 + i, 0));
	assert_int_equal(land(&l, alice, 0, 20, false, &result), ERR_NONE);
	ledger_reopen(&l);
	now = uidls(&l, inbox);
	assert_true(is_of_record(&now.items[3], 3));
	ledger_done(&l);
}

/* A restored ledger's new UIDVALIDITYs change nobody's, and what is made later has the new one. */
static void p4_uidl_stays_when_history_begins_anew(void **state)
{
	struct ledger l;
	struct restored restored = { .history = { 1 }, .uidvalidity = 0 };
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	struct api_mailbox was = mailbox(&l, alice, "INBOX");
	land(&l, alice, 0, 10, false, NULL);
	assert_run(&l, ERR_NONE, .kind = OP_COPY, .by.account = alice,
		.copy = { .mailbox = was.id, .target = was.id, .uids = ALL_UIDS });
	for (uint8_t i = 1; i <= 2; i++) {
		struct engine_options options = { .seams = &l.seams, .restored = &restored };
		restored.history[0] = i;
		ledger_close(&l);
		l.engine = ENGINE_UNDER_TEST.open(&options, &l.err);
		assert_non_null(l.engine);
		l.reader = ENGINE_UNDER_TEST.reader_open(l.engine, &l.err);
		assert_non_null(l.reader);
		struct uidl_list now = uidls(&l, was.id);
		assert_int_equal(now.n, 2);
		assert_true(is_of_record(&now.items[0], 1));
		assert_true(is_of_uid(&now.items[1], 2, was.uidvalidity));
	}
	struct api_range second = { 2, 2 };
	assert_true(mailbox(&l, alice, "INBOX").uidvalidity > was.uidvalidity);
	/* Another UID: another unique-id, of the present UIDVALIDITY. */
	assert_run(&l, ERR_NONE, .kind = OP_COPY, .by.account = alice,
		.copy = { .mailbox = was.id,
			.target = was.id,
			.uids = { &second, 1 },
			.move = true });
	struct uidl_list now = uidls(&l, was.id);
	assert_true(is_of_uid(&now.items[1], mailbox(&l, alice, "INBOX").uidnext - 1, 0));
	ledger_done(&l);
}

/* ---- imported mailboxes ---- */

static enum err_kind ensure(struct ledger *l, uint64_t account, const char *name,
	uint32_t uidvalidity, uint32_t uidnext, struct op_result *ret)
{
	return run_op(l,
		(struct op){ .kind = OP_MAILBOX_ENSURE,
			.by.account = account,
			.mailbox = { .name = str_from(name),
				.uidvalidity = uidvalidity,
				.uidnext = uidnext,
				.on = true } },
		ret);
}

static uint32_t land_as(struct ledger *l, uint64_t account, uint64_t box, uint32_t uid)
{
	struct txn *txn = txn_new();
	struct op *body = txn_add(txn, OP_BODY);
	uint64_t id = ++l->last_blob;
	body->body.place = (struct body_place){ .ref.id = id, .size = 7 };
	struct op *op = txn_add(txn, OP_LAND);
	op->by.account = account;
	op->land = (struct op_land){ .mailbox = box, .body = id, .size = 7, .uid = uid };
	assert_int_equal(run(l, txn), ERR_NONE);
	uint32_t given = txn_op(txn, 1)->result.uid;
	txn_free(&txn);
	return given;
}

/* UIDs and UIDVALIDITY of another server are kept while the mailbox is new, and no UID that it has
 * given is given here. */
static void an_imported_mailbox_keeps_its_uids(void **state)
{
	struct ledger l;
	struct op_result box;
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	assert_int_equal(ensure(&l, alice, "Old", 1170000000, 100, &box), ERR_NONE);
	assert_int_equal(box.uidvalidity, 1170000000);
	assert_int_equal(mailbox(&l, alice, "Old").uidvalidity, 1170000000);
	assert_int_equal(land_as(&l, alice, box.mailbox, 5), 5);
	assert_int_equal(land_as(&l, alice, box.mailbox, 7), 7);
	ledger_reopen(&l);
	assert_int_equal(land_as(&l, alice, box.mailbox, 8), 8);
	/* A delivery in between: what comes then is new too. */
	assert_int_equal(land_as(&l, alice, box.mailbox, 0), 100);
	assert_int_equal(land_as(&l, alice, box.mailbox, 9), 101);
	assert_int_equal(land_as(&l, alice, box.mailbox, UINT32_MAX), 102);
	/* It stays what it is. */
	assert_int_equal(ensure(&l, alice, "Old", 1170000001, 1, &box), ERR_NONE);
	assert_int_equal(box.uidvalidity, 1170000000);
	/* Gone and imported again: the same UIDVALIDITY is not taken twice; another is. */
	for (int i = 0; i < 2; i++) {
		assert_run(&l, ERR_NONE, .kind = OP_MAILBOX_DELETE, .by.account = alice,
			.mailbox.name = STR("Old"));
		uint32_t wanted = 1170000000 + (uint32_t)i;
		assert_int_equal(ensure(&l, alice, "Old", wanted, 100, &box), ERR_NONE);
		assert_int_equal(box.uidvalidity == wanted, i);
	}
	/* Never one that was or might be given here. */
	uint32_t last = mailbox(&l, alice, "INBOX").uidvalidity;
	assert_int_equal(ensure(&l, alice, "Future", 4000000000, 100, &box), ERR_NONE);
	assert_true(box.uidvalidity < 4000000000);
	assert_int_equal(land_as(&l, alice, box.mailbox, 0), 1);
	assert_int_equal(ensure(&l, alice, "Given", last, 100, &box), ERR_NONE);
	assert_true(box.uidvalidity > last);
	l.clock.wall_ms += 1000000;
	assert_int_equal(ensure(&l, alice, "Since", last + 500, 100, &box), ERR_NONE);
	assert_int_equal(box.uidvalidity, last + 500);
	assert_int_equal(ensure(&l, alice, "Next", 0, 0, &box), ERR_NONE);
	assert_int_equal(box.uidvalidity, last + 501);
	no_findings(&l);
	ledger_done(&l);
}

/* I20: another server says how many UIDs are left. Where it would be less than half of them, the
 * mailbox begins anew, and a message gets a UID of ours. */
static void an_imported_mailbox_has_uids_left(void **state)
{
	struct ledger l;
	struct op_result box;
	char name[2] = "a";
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	static const uint32_t uidnexts[] = { LIMIT_IMPORTED_UID - 1, LIMIT_IMPORTED_UID,
		(uint32_t)LIMIT_IMPORTED_UID + 1, UINT32_MAX };
	for (size_t i = 0; i < ARRAY_LEN(uidnexts); i++, name[0]++) {
		bool kept = uidnexts[i] <= LIMIT_IMPORTED_UID;
		assert_int_equal(
			ensure(&l, alice, name, 1170000000 + (uint32_t)i, uidnexts[i], &box),
			ERR_NONE);
		assert_int_equal(box.uidvalidity == 1170000000 + (uint32_t)i, kept);
		assert_int_equal(
			land_as(&l, alice, box.mailbox, 0), kept ? uidnexts[i] : UINT32_C(1));
		assert_int_equal(land_as(&l, alice, box.mailbox, UINT32_MAX - 1),
			kept ? uidnexts[i] + 1 : UINT32_C(2));
	}
	assert_int_equal(ensure(&l, alice, "uids", 1170000009, 1, &box), ERR_NONE);
	assert_int_equal(land_as(&l, alice, box.mailbox, (uint32_t)LIMIT_IMPORTED_UID + 1), 1);
	assert_int_equal(land_as(&l, alice, box.mailbox, LIMIT_IMPORTED_UID), LIMIT_IMPORTED_UID);
	assert_int_equal(land_as(&l, alice, box.mailbox, 0), (uint32_t)LIMIT_IMPORTED_UID + 1);
	no_findings(&l);
	ledger_done(&l);
}

#define ENGINE_SUITE_UIDL                                                                          \
	test_case(p4_uidl_is_one_entrys), test_case(p4_uidl_stays_when_history_begins_anew),       \
		test_case(an_imported_mailbox_keeps_its_uids),                                     \
		test_case(an_imported_mailbox_has_uids_left)

#endif
