/* SPDX-License-Identifier: Apache-2.0 */
/* The part of engine_suite.h about accounts, secrets, domains and aliases. */
#ifndef CULVER_STORE_ENGINE_SUITE_ACCOUNTS_H
#define CULVER_STORE_ENGINE_SUITE_ACCOUNTS_H

static void account_begins_with_its_mailboxes(void **state)
{
	static const struct {
		const char *name;
		uint16_t use;
	} cases[] = { { "INBOX", 0 }, { "Archive", USE_ARCHIVE }, { "Drafts", USE_DRAFTS },
		{ "Junk", USE_JUNK }, { "Sent", USE_SENT }, { "Trash", USE_TRASH } };
	struct ledger l;
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct api_mailbox m = mailbox(&l, alice, cases[i].name);
		assert_int_equal(m.special_use, cases[i].use);
		assert_true(m.subscribed);
		assert_int_equal(m.uidnext, 1);
		assert_true(m.highest_modseq > 0); /* RFC 7162 3.1.2.1 */
	}
	assert_run(&l, ERR_EXISTS, .kind = OP_ACCOUNT_ADD,
		.account = { .address = STR("alice@example.test"), .verifier = STR("v") });
	assert_run(&l, ERR_NOT_FOUND, .kind = OP_ACCOUNT_ADD,
		.account = { .address = STR("alice@other.test"), .verifier = STR("v") });
	assert_run(&l, ERR_IN_USE, .kind = OP_DOMAIN_REMOVE, .domain.name = STR("example.test"));
	assert_run(&l, ERR_NONE, .kind = OP_ACCOUNT_REMOVE,
		.account.address = STR("alice@example.test"));
	assert_run(&l, ERR_NONE, .kind = OP_DOMAIN_REMOVE, .domain.name = STR("example.test"));
	no_findings(&l);
	ledger_done(&l);
}

#define ALICE STR("alice@example.test")

static void password_replaces_what_came_from_it(void **state)
{
	static const struct api_secret first[] = {
		{ .kind = SECRET_SCRAM_SHA256, .value = STR_INIT("scram 1") },
		{ .kind = SECRET_RECOVERABLE, .value = STR_INIT("sealed 1") },
	};
	static const struct api_secret second[] = {
		{ .kind = SECRET_SCRAM_SHA256, .value = STR_INIT("scram 2") },
	};
	static const struct api_secret odd[] = {
		{ .kind = SECRET_APP_PASSWORD, .value = STR_INIT("x") },
	};
	struct ledger l;
	(void)state;
	ledger_init(&l);
	make_account(&l, "bob@example.test");
	assert_run(&l, ERR_NONE, .kind = OP_ACCOUNT_ADD,
		.account = { .address = ALICE,
			.verifier = STR("v1"),
			.secrets = { first, 2 },
			.values.legacy_auth = true,
			.time_ms = 5 });
	assert_run(&l, ERR_NONE, .kind = OP_SECRET_PUT,
		.secret = { .address = ALICE,
			.kind = SECRET_APP_PASSWORD,
			.label = STR("phone"),
			.value = STR("app"),
			.services = SERVICE_IMAP,
			.time_ms = 6 });
	struct credentials c = credentials(&l, "alice@example.test");
	assert_true(c.row.legacy_auth);
	assert_int_equal(c.n, 4);
	assert_int_equal(c.secrets[0].kind, SECRET_PASSWORD);
	assert_string_equal(c.values[1], "scram 1");
	assert_string_equal(c.values[2], "sealed 1");
	assert_string_equal(c.labels[3], "phone");
	assert_int_equal(c.secrets[3].services, SERVICE_IMAP);
	assert_int_equal(c.secrets[3].created_ms, 6);
	assert_int_equal(c.secrets[3].used_ms, 0);
	/* A refused one changes nothing. */
	assert_run(&l, ERR_SYNTAX, .kind = OP_ACCOUNT_PASSWORD,
		.account = { .address = ALICE, .verifier = STR("v2"), .secrets = { odd, 1 } });
	assert_string_equal(credentials(&l, "alice@example.test").values[0], "v1");
	assert_run(&l, ERR_NONE, .kind = OP_ACCOUNT_PASSWORD,
		.account = { .address = ALICE, .verifier = STR("v2"), .secrets = { second, 1 } });
	c = credentials(&l, "alice@example.test");
	assert_int_equal(c.n, 3);
	assert_string_equal(c.labels[0], "phone"); /* is not the password's */
	assert_string_equal(c.values[1], "v2");
	assert_string_equal(c.values[2], "scram 2");
	assert_int_equal(credentials(&l, "bob@example.test").n, 1);
	assert_run(&l, ERR_NONE, .kind = OP_ACCOUNT_REMOVE, .account.address = ALICE);
	no_findings(&l); /* no secret without its account */
	ledger_done(&l);
}

static void secrets_are_put_used_and_removed(void **state)
{
	struct ledger l;
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	make_account(&l, "bob@example.test");
	struct op_by by = { .account = alice, .epoch = account_row(&l, alice).epoch };
	/* The gate's: in place of the one before, while the epoch is the same. */
	for (int i = 0; i < 2; i++)
		assert_run(&l, ERR_NONE, .kind = OP_SECRET_PUT, .by = by,
			.secret = { .kind = SECRET_SCRAM_SHA256,
				.value = i ? STR("new") : STR("old") });
	struct credentials c = credentials(&l, "alice@example.test");
	assert_int_equal(c.n, 2);
	assert_string_equal(c.values[1], "new");
	assert_int_equal(c.row.epoch, by.epoch);
	/* A certificate is one account's. */
	assert_run(&l, ERR_NONE, .kind = OP_SECRET_PUT,
		.secret = { .address = ALICE,
			.kind = SECRET_CERTIFICATE,
			.value = STR("fingerprint") });
	assert_run(&l, ERR_EXISTS, .kind = OP_SECRET_PUT,
		.secret = { .address = STR("bob@example.test"),
			.kind = SECRET_CERTIFICATE,
			.value = STR("fingerprint") });
	uint64_t id = credentials(&l, "alice@example.test").secrets[2].id;
	struct credentials owner = { .n = 0 };
	assert_int_equal(ENGINE_UNDER_TEST.credentials(l.reader, STR_NONE, STR("fingerprint"),
				 &owner.row, note_secret, &owner, &l.err),
		0);
	assert_true(owner.row.id == alice && owner.n == 3);
	assert_int_equal(ENGINE_UNDER_TEST.credentials(l.reader, STR_NONE, STR("another"),
				 &owner.row, note_secret, &owner, &l.err),
		-1);
	for (int64_t ms = 70; ms > 0; ms -= 60) { /* back, too, after a clock that ran ahead */
		assert_run(&l, ERR_NONE, .kind = OP_SECRET_USED, .by.account = alice,
			.secret = { .id = id, .time_ms = ms });
		assert_int_equal(credentials(&l, "alice@example.test").secrets[2].used_ms, ms);
	}
	assert_run(&l, ERR_NOT_FOUND, .kind = OP_SECRET_REMOVE,
		.secret = { .address = STR("bob@example.test"), .id = id });
	/* What the password made goes with it alone. */
	assert_run(&l, ERR_NOT_FOUND, .kind = OP_SECRET_REMOVE,
		.secret = { .address = ALICE, .id = c.secrets[0].id });
	assert_run(
		&l, ERR_NONE, .kind = OP_SECRET_REMOVE, .secret = { .address = ALICE, .id = id });
	assert_int_equal(account_row(&l, alice).epoch, by.epoch + 1);
	assert_run(&l, ERR_NOT_FOUND, .kind = OP_SECRET_USED, .by.account = alice,
		.secret = { .id = id, .time_ms = 80 });
	assert_run(&l, ERR_EXPIRED, .kind = OP_SECRET_PUT, .by = by,
		.secret = { .kind = SECRET_SCRAM_SHA256, .value = STR("late") });
	assert_string_equal(credentials(&l, "alice@example.test").values[1], "new");
	/* Opting out forgets what could be read again. */
	by.epoch++;
	assert_run(&l, ERR_NONE, .kind = OP_SECRET_PUT, .by = by,
		.secret = { .kind = SECRET_RECOVERABLE, .value = STR("sealed") });
	assert_run(&l, ERR_NONE, .kind = OP_ACCOUNT_SET,
		.account = { .address = ALICE, .set = ACCOUNT_LEGACY_AUTH });
	assert_int_equal(credentials(&l, "alice@example.test").n, 2);
	ledger_done(&l);
}

static void check_offers(struct ledger *l, uint32_t scram, uint32_t legacy, int line)
{
	uint32_t s = 99, r = 99;
	assert_int_equal(ENGINE_UNDER_TEST.offers(l->reader, &s, &r, &l->err), 0);
	if (s != scram || r != legacy)
		fail_msg("line %d: %u %u", line, s, r);
}

#define assert_offers(l, scram, legacy) check_offers(l, scram, legacy, __LINE__)

/* SCRAM for a service needs every active account that may use it; what can be read again, one. */
static void offers_follow_the_accounts(void **state)
{
	static const struct api_secret made[] = {
		{ .kind = SECRET_SCRAM_SHA256, .value = STR_INIT("scram") },
		{ .kind = SECRET_RECOVERABLE, .value = STR_INIT("sealed") },
	};
	struct ledger l;
	(void)state;
	ledger_init(&l);
	assert_offers(&l, 0, 0);
	uint64_t bob = make_account(&l, "bob@example.test"); /* has a verifier alone */
	assert_offers(&l, 0, 0);
	assert_run(&l, ERR_NONE, .kind = OP_ACCOUNT_ADD,
		.account = { .address = ALICE,
			.verifier = STR("v"),
			.secrets = { made, 2 },
			.values.legacy_auth = true });
	assert_offers(&l, 0, SERVICES_ALL);
	assert_run(&l, ERR_NONE, .kind = OP_ACCOUNT_SET,
		.account = { .address = STR("bob@example.test"),
			.set = ACCOUNT_SERVICES,
			.values.services = SERVICE_IMAP });
	assert_offers(&l, SERVICE_SMTP | SERVICE_POP3, SERVICES_ALL);
	assert_run(&l, ERR_NONE, .kind = OP_SECRET_PUT, .by.account = bob,
		.secret = { .kind = SECRET_SCRAM_SHA256, .value = STR("scram") });
	assert_offers(&l, SERVICES_ALL, SERVICES_ALL);
	assert_run(&l, ERR_NONE, .kind = OP_ACCOUNT_SET,
		.account = { .address = ALICE,
			.set = ACCOUNT_SERVICES,
			.values.services = SERVICE_POP3 });
	assert_offers(&l, SERVICE_POP3 | SERVICE_IMAP, SERVICE_POP3);
	assert_run(&l, ERR_NONE, .kind = OP_ACCOUNT_SET,
		.account = { .address = ALICE, .set = ACCOUNT_ACTIVE });
	assert_offers(&l, SERVICE_IMAP, 0);
	ledger_done(&l);
}

/* LIMIT_SECRETS, LIMIT_SECRET_BYTES, LIMIT_SECRET_LABEL_BYTES */
static void secrets_have_limits(void **state)
{
	static const char bytes[LIMIT_SECRET_BYTES + 1] = "longest";
	static const struct {
		size_t label, value;
		enum err_kind kind;
	} cases[] = { { 0, 0, ERR_LIMIT }, { LIMIT_SECRET_LABEL_BYTES - 1, 1, ERR_NONE },
		{ LIMIT_SECRET_LABEL_BYTES, 1, ERR_NONE },
		{ LIMIT_SECRET_LABEL_BYTES + 1, 1, ERR_LIMIT },
		{ 0, LIMIT_SECRET_BYTES - 1, ERR_NONE }, { 0, LIMIT_SECRET_BYTES, ERR_NONE },
		{ 0, LIMIT_SECRET_BYTES + 1, ERR_LIMIT } };
	static const struct api_secret made[] = {
		{ .kind = SECRET_SCRAM_SHA256, .value = STR_INIT("scram") },
		{ .kind = SECRET_RECOVERABLE, .value = STR_INIT("sealed") },
	};
	struct ledger l;
	(void)state;
	ledger_init(&l);
	make_account(&l, "alice@example.test");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_run(&l, cases[i].kind, .kind = OP_SECRET_PUT,
			.secret = { .address = ALICE,
				.kind = SECRET_APP_PASSWORD,
				.label = str_make(bytes, cases[i].label),
				.value = str_make(bytes, cases[i].value) });
	for (size_t n = credentials(&l, "alice@example.test").n - 1; n < LIMIT_SECRETS; n++)
		assert_run(&l, ERR_NONE, .kind = OP_SECRET_PUT,
			.secret = {
				.address = ALICE, .kind = SECRET_APP_PASSWORD, .value = STR("x") });
	assert_run(&l, ERR_LIMIT, .kind = OP_SECRET_PUT,
		.secret = { .address = ALICE, .kind = SECRET_APP_PASSWORD, .value = STR("x") });
	/* There is always room for what the password makes. */
	assert_run(&l, ERR_NONE, .kind = OP_ACCOUNT_PASSWORD,
		.account = { .address = ALICE, .verifier = STR("v"), .secrets = { made, 2 } });
	assert_int_equal(credentials(&l, "alice@example.test").n, LIMIT_SECRETS + 3);
	ledger_done(&l);
}

static void password_raises_the_epoch(void **state)
{
	struct ledger l;
	(void)state;
	ledger_init(&l);
	uint64_t alice = make_account(&l, "alice@example.test");
	struct op_by by = { .account = alice, .epoch = account_row(&l, alice).epoch };
	assert_run(&l, ERR_NONE, .kind = OP_SUBSCRIBE, .by = by,
		.mailbox = { .name = STR("x"), .on = true });
	assert_run(&l, ERR_NONE, .kind = OP_ACCOUNT_PASSWORD,
		.account = { .address = STR("alice@example.test"), .verifier = STR("w") });
	assert_run(&l, ERR_EXPIRED, .kind = OP_SUBSCRIBE, .by = by,
		.mailbox = { .name = STR("y"), .on = true });
	assert_int_equal(account_row(&l, alice).epoch, by.epoch + 1);
	/* So does losing a service, and being switched off; gaining does not. */
	assert_run(&l, ERR_NONE, .kind = OP_ACCOUNT_SET,
		.account = { .address = STR("alice@example.test"),
			.set = ACCOUNT_SERVICES,
			.values.services = SERVICE_IMAP });
	assert_int_equal(account_row(&l, alice).epoch, by.epoch + 2);
	assert_run(&l, ERR_NONE, .kind = OP_ACCOUNT_SET,
		.account = { .address = STR("alice@example.test"),
			.set = ACCOUNT_SERVICES,
			.values.services = SERVICES_ALL });
	assert_int_equal(account_row(&l, alice).epoch, by.epoch + 2);
	assert_run(&l, ERR_NONE, .kind = OP_ACCOUNT_SET,
		.account = { .address = STR("alice@example.test"), .set = ACCOUNT_ACTIVE });
	assert_int_equal(account_row(&l, alice).epoch, by.epoch + 3);
	by.epoch += 3;
	assert_run(&l, ERR_EXPIRED, .kind = OP_SUBSCRIBE, .by = by,
		.mailbox = { .name = STR("y"), .on = true });
	ledger_done(&l);
}

static void resolves(struct ledger *l, const char *address, enum err_kind expected, size_t n)
{
	struct resolution found;
	struct err err = ERR_INIT;
	resolution_init(&found);
	int rc = resolve_address(l->reader, str_from(address), &found, &err);
	if ((rc == 0 ? ERR_NONE : err.kind) != expected || (rc == 0 && found.accounts.n != n))
		fail_msg("%s: %s, %zu accounts", address, err_name(err.kind), found.accounts.n);
	resolution_done(&found);
}

static void alias(struct ledger *l, enum err_kind expected, const char *from, const char *to)
{
	assert_run(l, expected, .kind = OP_ALIAS_ADD,
		.alias = { .address = str_from(from), .target = str_from(to) });
}

static void addresses_resolve(void **state)
{
	static const struct {
		const char *address;
		enum err_kind kind;
		size_t n;
	} cases[] = {
		{ "alice@example.test", ERR_NONE, 1 },
		{ "ALICE+detail@Example.Test", ERR_NONE, 1 },
		{ "both@example.test", ERR_NONE, 2 },
		{ "both+x@example.test", ERR_NONE, 2 },
		{ "all@example.test", ERR_NONE, 2 }, /* over both, and alice again: once */
		{ "nobody@example.test", ERR_NOT_FOUND, 0 },
		{ "alice@elsewhere.test", ERR_DENIED, 0 },
		{ "anybody@catch.test", ERR_NONE, 1 },
		{ "anybody+x@catch.test", ERR_NONE, 1 },
		{ "postmaster", ERR_NONE, 1 }, /* RFC 5321 4.5.1 */
		{ "Postmaster@example.test", ERR_NONE, 1 },
		{ "+@example.test", ERR_NOT_FOUND, 0 },
		{ "alice", ERR_SYNTAX, 0 },
		{ "@example.test", ERR_SYNTAX, 0 },
		{ "", ERR_SYNTAX, 0 },
	};
	struct ledger l;
	(void)state;
	ledger_init(&l);
	make_account(&l, "alice@example.test");
	make_account(&l, "bob@example.test");
	assert_run(&l, ERR_NONE, .kind = OP_DOMAIN_ADD, .domain.name = STR("catch.test"));
	alias(&l, ERR_NONE, "both@example.test", "alice@example.test");
	alias(&l, ERR_NONE, "both@example.test", "bob@example.test");
	alias(&l, ERR_NONE, "all@example.test", "both@example.test");
	alias(&l, ERR_NONE, "all@example.test", "alice@example.test");
	assert_run(&l, ERR_NONE, .kind = OP_DOMAIN_SET,
		.domain = { .name = STR("catch.test"), .catch_all = STR("alice@example.test") });
	assert_run(&l, ERR_NOT_FOUND, .kind = OP_DOMAIN_SET,
		.domain = { .name = STR("catch.test"), .catch_all = STR("no@example.test") });
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		resolves(&l, cases[i].address, cases[i].kind, cases[i].n);
	ledger_done(&l);
}

/* RFC 5321 4.5.1: who was named for it, and without that somebody, in every domain. */
static void postmaster_is_reached(void **state)
{
	struct ledger l;
	(void)state;
	ledger_init(&l);
	assert_run(&l, ERR_NONE, .kind = OP_DOMAIN_ADD, .domain.name = STR("empty.test"));
	resolves(&l, "postmaster", ERR_NOT_FOUND, 0);
	resolves(&l, "postmaster@empty.test", ERR_NOT_FOUND, 0);
	make_account(&l, "alice@example.test");
	make_account(&l, "bob@example.test");
	resolves(&l, "postmaster", ERR_NONE, 1);
	resolves(&l, "Postmaster@Empty.test", ERR_NONE, 1);
	resolves(&l, "abuse@empty.test", ERR_NOT_FOUND, 0);
	alias(&l, ERR_NONE, "postmaster@example.test", "alice@example.test");
	alias(&l, ERR_NONE, "postmaster@example.test", "bob@example.test");
	resolves(&l, "POSTMASTER", ERR_NONE, 2);
	resolves(&l, "postmaster@empty.test", ERR_NONE, 1);
	ledger_done(&l);
}

static void alias_loops_are_refused(void **state)
{
	struct ledger l;
	(void)state;
	ledger_init(&l);
	make_account(&l, "alice@example.test");
	alias(&l, ERR_NONE, "a@example.test", "alice@example.test");
	alias(&l, ERR_NONE, "b@example.test", "a@example.test");
	alias(&l, ERR_NONE, "c@example.test", "b@example.test");
	alias(&l, ERR_DENIED, "a@example.test", "c@example.test");
	alias(&l, ERR_DENIED, "a@example.test", "a@example.test");
	alias(&l, ERR_DENIED, "new@example.test", "new@example.test");
	alias(&l, ERR_DENIED, "a@example.test", "c+detail@example.test");
	alias(&l, ERR_EXISTS, "a@example.test", "alice@example.test");
	alias(&l, ERR_EXISTS, "alice@example.test", "b@example.test");
	alias(&l, ERR_NOT_FOUND, "a@example.test", "nobody@example.test");
	alias(&l, ERR_NOT_FOUND, "a@elsewhere.test", "alice@example.test");
	assert_run(&l, ERR_NONE, .kind = OP_ALIAS_REMOVE, .alias.address = STR("c@example.test"));
	assert_run(
		&l, ERR_NOT_FOUND, .kind = OP_ALIAS_REMOVE, .alias.address = STR("c@example.test"));
	ledger_done(&l);
}

static void alias_targets_are_limited(void **state)
{
	struct ledger l;
	char address[64];
	(void)state;
	ledger_init(&l);
	for (int i = 0; i <= LIMIT_ALIAS_TARGETS; i++) {
		snprintf(address, sizeof(address), "u%d@example.test", i);
		make_account(&l, address);
		alias(&l, i < LIMIT_ALIAS_TARGETS ? ERR_NONE : ERR_LIMIT, "list@example.test",
			address);
	}
	resolves(&l, "list@example.test", ERR_NONE, LIMIT_ALIAS_TARGETS);
	/* One more account through a second alias: over the limit at resolution. */
	alias(&l, ERR_NONE, "more@example.test", "list@example.test");
	resolves(&l, "more@example.test", ERR_NONE, LIMIT_ALIAS_TARGETS);
	alias(&l, ERR_NONE, "more@example.test", address);
	resolves(&l, "more@example.test", ERR_LIMIT, 0);
	ledger_done(&l);
}

/* A chain of aliases as long as a walk may be, and one longer. */
static void alias_chains_are_limited(void **state)
{
	struct ledger l;
	char address[64], before[64] = "alice@example.test";
	(void)state;
	ledger_init(&l);
	make_account(&l, before);
	for (int i = 1; i <= LIMIT_ALIAS_STEPS; i++) {
		snprintf(address, sizeof(address), "a%d@example.test", i);
		alias(&l, ERR_NONE, address, before);
		if (i >= LIMIT_ALIAS_STEPS - 2)
			resolves(&l, address, i < LIMIT_ALIAS_STEPS ? ERR_NONE : ERR_LIMIT, 1);
		memcpy(before, address, sizeof(before));
	}
	alias(&l, ERR_LIMIT, "longer@example.test", before);
	ledger_done(&l);
}

static void catch_all(struct ledger *l, const char *address)
{
	assert_run(l, ERR_NONE, .kind = OP_DOMAIN_SET,
		.domain = { STR("example.test"), str_from(address) });
}

/* Whoever gets an address that somebody had gets nothing by itself: what led there goes with it,
 * and what led to that. */
static void what_led_to_one_who_has_gone(void **state)
{
	static const char *const targets[] = { "bob@example.test", "bob+all@example.test",
		"list@example.test", "list+x@example.test", "lists@example.test" };
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		struct ledger l;
		(void)state;
		ledger_init(&l);
		make_account(&l, "alice@example.test");
		make_account(&l, "bob@example.test");
		make_account(&l, "bobby@example.test");
		alias(&l, ERR_NONE, "list@example.test", "bob@example.test");
		alias(&l, ERR_NONE, "lists@example.test", "list+some@example.test");
		alias(&l, ERR_NONE, "both@example.test", "lists@example.test");
		alias(&l, ERR_NONE, "both@example.test", "alice@example.test");
		alias(&l, ERR_NONE, "other@example.test", "bobby+bob@example.test");
		catch_all(&l, targets[i]);
		resolves(&l, "nobody@example.test", ERR_NONE, 1);
		assert_run(&l, ERR_NONE, .kind = OP_ACCOUNT_REMOVE,
			.account.address = STR("bob@example.test"));
		make_account(&l, "bob@example.test");
		make_account(&l, "list@example.test");
		resolves(&l, "nobody@example.test", ERR_NOT_FOUND, 0);
		resolves(&l, "lists@example.test", ERR_NOT_FOUND, 0);
		resolves(&l, "both@example.test", ERR_NONE, 1);
		resolves(&l, "other@example.test", ERR_NONE, 1);
		ledger_done(&l);
	}
}

/* An alias that has gone, and one that still has a target, or is an address with a detail. */
static void what_led_to_an_alias_that_has_gone(void **state)
{
	struct ledger l;
	(void)state;
	ledger_init(&l);
	make_account(&l, "alice@example.test");
	make_account(&l, "bob@example.test");
	alias(&l, ERR_NONE, "list@example.test", "alice@example.test");
	alias(&l, ERR_NONE, "list@example.test", "bob@example.test");
	alias(&l, ERR_NONE, "alice+x@example.test", "bob@example.test");
	catch_all(&l, "list@example.test");
	assert_run(&l, ERR_NONE, .kind = OP_ALIAS_REMOVE,
		.alias = { STR("list@example.test"), STR("bob@example.test") });
	resolves(&l, "nobody@example.test", ERR_NONE, 1);
	assert_run(&l, ERR_NONE, .kind = OP_ALIAS_REMOVE,
		.alias = { STR("list@example.test"), STR("alice@example.test") });
	make_account(&l, "list@example.test");
	resolves(&l, "nobody@example.test", ERR_NOT_FOUND, 0);
	catch_all(&l, "alice+x@example.test");
	assert_run(&l, ERR_NONE, .kind = OP_ALIAS_REMOVE,
		.alias.address = STR("alice+x@example.test"));
	resolves(&l, "nobody@example.test", ERR_NONE, 1); /* to alice */
	ledger_done(&l);
}

static void a_domain_with_aliases_stays(void **state)
{
	struct ledger l;
	(void)state;
	ledger_init(&l);
	make_account(&l, "alice@example.test");
	assert_run(&l, ERR_NONE, .kind = OP_DOMAIN_ADD, .domain.name = STR("old.test"));
	assert_run(&l, ERR_NONE, .kind = OP_DOMAIN_ADD, .domain.name = STR("very.old.test"));
	alias(&l, ERR_NONE, "all@very.old.test", "alice@example.test");
	assert_run(&l, ERR_NONE, .kind = OP_DOMAIN_REMOVE, .domain.name = STR("old.test"));
	assert_run(&l, ERR_IN_USE, .kind = OP_DOMAIN_REMOVE, .domain.name = STR("very.old.test"));
	assert_run(
		&l, ERR_NONE, .kind = OP_ALIAS_REMOVE, .alias.address = STR("all@very.old.test"));
	assert_run(&l, ERR_NONE, .kind = OP_DOMAIN_REMOVE, .domain.name = STR("very.old.test"));
	ledger_done(&l);
}

#define ENGINE_SUITE_ACCOUNTS                                                                      \
	test_case(account_begins_with_its_mailboxes),                                              \
		test_case(password_replaces_what_came_from_it),                                    \
		test_case(secrets_are_put_used_and_removed),                                       \
		test_case(offers_follow_the_accounts), test_case(secrets_have_limits),             \
		test_case(password_raises_the_epoch), test_case(addresses_resolve),                \
		test_case(postmaster_is_reached), test_case(alias_loops_are_refused),              \
		test_case(alias_targets_are_limited), test_case(alias_chains_are_limited),         \
		test_case(what_led_to_one_who_has_gone),                                           \
		test_case(what_led_to_an_alias_that_has_gone),                                     \
		test_case(a_domain_with_aliases_stays)

#endif
