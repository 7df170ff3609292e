/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every engine must do, as tests over struct engine_class alone. An engine's own test defines
 * ENGINE_UNDER_TEST (a struct engine_class) and how its data are thrown away, includes this, and
 * runs ENGINE_SUITE. Nothing here knows SQL.
 */
#ifndef CULVER_STORE_ENGINE_SUITE_H
#define CULVER_STORE_ENGINE_SUITE_H

#include "base/test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/engine.h"
#include "store/resolve.h"

struct ledger {
	char path[64];
	struct seams seams;
	struct clock_fake clock;
	struct random_fake random;
	struct engine *engine;
	struct reader *reader;
	uint64_t last_blob;
	const struct store_bounds *bounds; /* NULL: the normal ones */
	struct err err;
};

static void ledger_open(struct ledger *l)
{
	struct engine_options options = { .seams = &l->seams, .bounds = l->bounds };
	l->err = (struct err)ERR_INIT;
	l->engine = ENGINE_UNDER_TEST.open(&options, &l->err);
	if (l->engine == NULL)
		fail_msg("%s", err_log_text(&l->err));
	l->reader = ENGINE_UNDER_TEST.reader_open(l->engine, &l->err);
	assert_non_null(l->reader);
}

static void ledger_close(struct ledger *l)
{
	ENGINE_UNDER_TEST.reader_close(&l->reader);
	ENGINE_UNDER_TEST.close(&l->engine);
}

static void ledger_reopen(struct ledger *l)
{
	ledger_close(l);
	ledger_open(l);
}

static void ledger_init(struct ledger *l)
{
	*l = (struct ledger){ 0 };
	/* In memory where that is possible: what is tested is not the disk. */
	snprintf(l->path, sizeof(l->path), "%s/culver-engine-XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(l->path));
	clock_fake_init(&l->clock, 1700000000000);
	random_fake_init(&l->random, 1);
	l->seams = (struct seams){ .clock = &l->clock.seam,
		.random = &l->random.seam,
		.files = files_os_new(l->path, &l->err) };
	ledger_open(l);
}

static int unlink_one(void *arg, const char *name)
{
	struct files_seam *files = arg;
	return files->unlink(files, name) < 0 ? 1 : 0;
}

static void ledger_done(struct ledger *l)
{
	ledger_close(l);
	while (l->seams.files->list(l->seams.files, ".", unlink_one, l->seams.files) > 0)
		;
	files_os_free(&l->seams.files);
	rmdir(l->path);
}

/* Runs one transaction; its error's kind. */
static enum err_kind run(struct ledger *l, struct txn *txn)
{
	struct err err = ERR_INIT;
	assert_int_equal(ENGINE_UNDER_TEST.run(l->engine, &txn, 1, &err), 0);
	l->err = txn->err;
	return txn->err.kind;
}

/* Runs and frees a transaction of one operation; its result is copied (without its vecs). */
static enum err_kind run_op(struct ledger *l, struct op given, struct op_result *ret)
{
	struct txn *txn = txn_new();
	struct op *op = txn_add(txn, given.kind);
	struct op_result fresh = op->result;
	*op = given;
	op->result = fresh;
	enum err_kind kind = run(l, txn);
	if (ret) {
		*ret = op->result;
		ret->failed = ret->pairs = (struct vec){ 0 };
	}
	txn_free(&txn);
	return kind;
}

#define assert_run(l, expected, ...)                                                               \
	do {                                                                                       \
		enum err_kind kind_ = run_op(l, (struct op){ __VA_ARGS__ }, NULL);                 \
		if (kind_ != (expected))                                                           \
			fail_msg("line %d: %s (%s)", __LINE__, err_name(kind_),                    \
				err_log_text(&(l)->err));                                          \
	} while (0)

static uint64_t account_id(struct ledger *l, const char *address)
{
	struct account_row row;
	assert_int_equal(
		ENGINE_UNDER_TEST.account_by_address(l->reader, str_from(address), &row, &l->err),
		0);
	return row.id;
}

static struct account_row account_row(struct ledger *l, uint64_t id)
{
	struct account_row row;
	assert_int_equal(ENGINE_UNDER_TEST.account_by_id(l->reader, id, &row, &l->err), 0);
	return row;
}

static bool find_mailbox(
	struct ledger *l, uint64_t account, const char *name, struct mailbox_row *ret)
{
	struct err err = ERR_INIT;
	if (ENGINE_UNDER_TEST.mailbox_by_name(l->reader, account, str_from(name), ret, &err) == 0)
		return true;
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	return false;
}

static struct api_mailbox mailbox(struct ledger *l, uint64_t account, const char *name)
{
	struct mailbox_row row;
	if (!find_mailbox(l, account, name, &row))
		fail_msg("no mailbox %s", name);
	return row.status;
}

/* A domain and an account in it. */
static uint64_t make_account(struct ledger *l, const char *address)
{
	struct str domain = str_from(strchr(address, '@') + 1);
	char name[256];
	struct err err = ERR_INIT;
	if (ENGINE_UNDER_TEST.domain(l->reader, domain, name, &err) < 0)
		assert_run(l, ERR_NONE, .kind = OP_DOMAIN_ADD, .domain.name = domain);
	assert_run(l, ERR_NONE, .kind = OP_ACCOUNT_ADD,
		.account = { .address = str_from(address), .verifier = STR("v") });
	return account_id(l, address);
}

/* A message of `size` bytes lands in a mailbox (0: INBOX). */
static enum err_kind land(struct ledger *l, uint64_t account, uint64_t box, uint64_t size,
	bool strict, struct op_result *ret)
{
	struct txn *txn = txn_new();
	struct op *body = txn_add(txn, OP_BODY);
	uint64_t id = ++l->last_blob;
	body->body.place = (struct body_place){
		.ref = { .id = id, .segment = 1, .offset = id * 4096, .length = 4096 }, .size = size
	};
	struct op *op = txn_add(txn, OP_LAND);
	op->by.account = account;
	op->land = (struct op_land){
		.mailbox = box, .body = id, .size = size, .time = 1700000000000, .strict = strict
	};
	enum err_kind kind = run(l, txn);
	if (ret) {
		*ret = txn_op(txn, 1)->result;
		ret->failed = ret->pairs = (struct vec){ 0 };
	}
	txn_free(&txn);
	return kind;
}

struct view {
	struct arena arena;
	struct vec keywords, entries;
	struct mailbox_row row;
};

static void view_read(struct ledger *l, uint64_t box, struct view *v)
{
	arena_init(&v->arena, 1 << 20);
	vec_init(&v->keywords, sizeof(struct str), LIMIT_KEYWORDS);
	vec_init(&v->entries, sizeof(struct api_entry), 1000000);
	if (ENGINE_UNDER_TEST.view(l->reader, box, 0, 1000000, &v->row, &v->arena, &v->keywords,
		    &v->entries, &l->err) < 0)
		fail_msg("%s", err_log_text(&l->err));
}

static void view_done(struct view *v)
{
	vec_done(&v->keywords);
	vec_done(&v->entries);
	arena_done(&v->arena);
}

static struct api_entry entry_of(struct ledger *l, uint64_t box, uint32_t uid)
{
	struct view v;
	struct api_entry found = { 0 };
	view_read(l, box, &v);
	VEC_EACH (struct api_entry, e, &v.entries)
		if (e->uid == uid)
			found = *e;
	view_done(&v);
	return found;
}

/* What an account proves itself with; values as text. */
struct credentials {
	struct account_row row;
	struct api_secret secrets[LIMIT_SECRETS + 3];
	char values[LIMIT_SECRETS + 3][LIMIT_SECRET_BYTES + 1];
	char labels[LIMIT_SECRETS + 3][LIMIT_SECRET_LABEL_BYTES + 1];
	size_t n;
};

static int note_secret(void *arg, const struct api_secret *secret)
{
	struct credentials *c = arg;
	assert_true(c->n < LIMIT_SECRETS + 3);
	c->secrets[c->n] = *secret;
	snprintf(c->values[c->n], sizeof(c->values[0]), "%" STR_FMT, STR_ARG(secret->value));
	snprintf(c->labels[c->n], sizeof(c->labels[0]), "%" STR_FMT, STR_ARG(secret->label));
	c->n++;
	return 0;
}

static struct credentials credentials(struct ledger *l, const char *address)
{
	struct credentials c = { .n = 0 };
	if (ENGINE_UNDER_TEST.credentials(
		    l->reader, str_from(address), STR_NONE, &c.row, note_secret, &c, &l->err) < 0)
		fail_msg("%s", err_log_text(&l->err));
	return c;
}

static const struct api_range everything = { 1, UINT32_MAX };
#define ALL_UIDS ((struct api_range_list){ &everything, 1 })

static void no_findings(struct ledger *l);

static int fail_finding(void *arg, struct str text)
{
	(void)arg;
	fail_msg("%.*s", (int)text.n, text.p);
	return 1;
}

static void no_findings(struct ledger *l)
{
	assert_int_equal(ENGINE_UNDER_TEST.check(l->reader, fail_finding, NULL, &l->err), 0);
}

/* ---- accounts, domains, aliases ---- */

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
	for (int64_t ms = 70; ms > 0; ms -= 60) /* time never goes back */
		assert_run(&l, ERR_NONE, .kind = OP_SECRET_USED, .by.account = alice,
			.secret = { .id = id, .time_ms = ms });
	assert_int_equal(credentials(&l, "alice@example.test").secrets[2].used_ms, 70);
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
		txn_add(txns[i], OP_BODY)->body.place.ref.id = (uint64_t)i + 1;
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
	assert_int_equal(flag(&l, alice, sent, FLAGS_ADD, 0, &empty, 1, UINT64_MAX), ERR_LIMIT);
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

/* ---- mailboxes ---- */

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

/* ---- against a model ---- */

/* Two mailboxes as arrays, and a watcher that knows only the changes. I27, I28 */
enum { MODEL_BOXES = 2, MODEL_ENTRIES = 4000, MODEL_WORDS = 3 };
struct model_entry {
	bool there;
	uint8_t flags, words;
	uint64_t size, modseq;
};
struct model_box {
	uint64_t id;
	uint32_t uidnext;
	struct model_entry entries[MODEL_ENTRIES];
	struct model_entry watched[MODEL_ENTRIES]; /* words: by the mailbox's own bits */
};
struct model {
	struct ledger l;
	uint64_t account, modseq;
	struct model_box boxes[MODEL_BOXES];
	uint64_t seed;
};
static const struct str model_words[MODEL_WORDS] = { STR_INIT("a"), STR_INIT("b"), STR_INIT("c") };

static uint32_t below(struct model *m, uint32_t n)
{
	m->seed = m->seed * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)(m->seed >> 33) % n;
}

static void watch_changes(struct model *m, const struct txn *txn)
{
	VEC_EACH (struct change, c, &txn->changes) {
		if (c->kind != CHANGE_ENTRY && c->kind != CHANGE_EXPUNGED)
			continue;
		struct model_box *box = &m->boxes[c->mailbox == m->boxes[1].id];
		assert_int_equal(c->mailbox, box->id);
		assert_true(c->modseq > m->modseq);
		box->watched[c->entry.uid] = (struct model_entry){ .there = c->kind == CHANGE_ENTRY,
			.flags = c->entry.flags,
			.words = (uint8_t)c->entry.keywords_low,
			.size = c->entry.size,
			.modseq = c->modseq };
	}
	VEC_EACH (struct change, c, &txn->changes)
		if (c->modseq > m->modseq)
			m->modseq = c->modseq;
}

static uint8_t words_of(const struct view *v, uint64_t bits)
{
	uint8_t words = 0;
	for (size_t i = 0; i < v->keywords.n; i++)
		for (size_t k = 0; k < MODEL_WORDS; k++)
			if (bits >> i & 1 &&
				str_equal(*(struct str *)vec_at(&v->keywords, i), model_words[k]))
				words |= (uint8_t)(1 << k);
	return words;
}

static void compare_box(struct model *m, const struct model_box *box)
{
	struct view v;
	uint32_t uid = 1;
	view_read(&m->l, box->id, &v);
	assert_int_equal(v.row.status.uidnext, box->uidnext);
	VEC_EACH (struct api_entry, e, &v.entries) {
		for (; uid < e->uid; uid++)
			assert_false(box->entries[uid].there || box->watched[uid].there);
		const struct model_entry *want = &box->entries[uid], *seen = &box->watched[uid];
		assert_true(want->there && seen->there);
		assert_int_equal(e->flags, want->flags);
		assert_int_equal(e->flags, seen->flags);
		assert_int_equal(words_of(&v, e->keywords_low), want->words);
		assert_int_equal(e->keywords_low, seen->words);
		assert_int_equal(e->modseq, seen->modseq);
		assert_int_equal(e->size, want->size);
		uid++;
	}
	for (; uid < box->uidnext; uid++)
		assert_false(box->entries[uid].there || box->watched[uid].there);
	view_done(&v);
}

/* Some rising ranges; which UIDs they cover. */
static struct api_range_list some_uids(struct model *m, const struct model_box *box,
	struct api_range ranges[4], bool covered[MODEL_ENTRIES])
{
	size_t n = 0;
	uint32_t at = 1;
	memset(covered, 0, MODEL_ENTRIES);
	while (n < 4 && at < box->uidnext) {
		uint32_t low = at + below(m, 1 + box->uidnext / 3);
		uint32_t high = low + below(m, 5);
		ranges[n++] = (struct api_range){ low, high };
		for (uint32_t uid = low; uid <= high && uid < box->uidnext; uid++)
			covered[uid] = box->entries[uid].there;
		at = high + 1;
	}
	return (struct api_range_list){ ranges, n };
}

static void model_land(struct model *m, struct model_box *box, struct txn *txn)
{
	struct op *body = txn_add(txn, OP_BODY);
	uint64_t id = ++m->l.last_blob;
	body->body.place = (struct body_place){ .ref.id = id, .size = 7 };
	struct op *op = txn_add(txn, OP_LAND);
	op->by.account = m->account;
	op->land = (struct op_land){
		.mailbox = box->id, .body = id, .size = id % 100, .flags = FLAG_DRAFT
	};
	box->entries[box->uidnext++] = (struct model_entry){
		.there = true, .flags = FLAG_DRAFT, .size = id % 100
	};
}

static void model_flags(struct model *m, struct model_box *box, struct txn *txn,
	struct api_range_list uids, const bool *covered)
{
	struct op *op = txn_add(txn, OP_FLAGS);
	enum flags_mode mode = below(m, 3);
	uint8_t flags = (uint8_t)below(m, 32), word = (uint8_t)below(m, MODEL_WORDS);
	uint64_t since = below(m, 2) ? UINT64_MAX : m->modseq - below(m, 5);
	op->by.account = m->account;
	op->flags = (struct op_flags){ .mailbox = box->id,
		.uids = uids,
		.mode = mode,
		.flags = flags,
		.keywords = { &model_words[word], 1 },
		.unchanged_since = since };
	for (uint32_t uid = 1; uid < box->uidnext; uid++) {
		struct model_entry *e = &box->entries[uid];
		if (!covered[uid] || box->watched[uid].modseq > since)
			continue;
		uint8_t bit = (uint8_t)(1 << word);
		e->flags = mode == FLAGS_REPLACE ? flags
			   : mode == FLAGS_ADD   ? e->flags | flags
						 : e->flags & ~flags;
		e->words = mode == FLAGS_REPLACE ? bit
			   : mode == FLAGS_ADD   ? e->words | bit
						 : e->words & ~bit;
	}
}

static void model_copy(struct model *m, struct model_box *from, struct model_box *to,
	struct txn *txn, struct api_range_list uids, const bool *covered, bool move)
{
	struct op *op = txn_add(txn, OP_COPY);
	op->by.account = m->account;
	op->copy = (struct op_copy){
		.mailbox = from->id, .target = to->id, .uids = uids, .move = move
	};
	uint32_t end = from->uidnext;
	for (uint32_t uid = 1; uid < end; uid++) {
		if (!covered[uid])
			continue;
		to->entries[to->uidnext++] = from->entries[uid];
		if (move)
			from->entries[uid].there = false;
	}
}

static void model_expunge(struct model *m, struct model_box *box, struct txn *txn,
	struct api_range_list uids, const bool *covered)
{
	struct op *op = txn_add(txn, OP_EXPUNGE);
	bool deleted_only = below(m, 2);
	op->by.account = m->account;
	op->expunge = (struct op_expunge){
		.mailbox = box->id, .uids = uids, .deleted_only = deleted_only
	};
	for (uint32_t uid = 1; uid < box->uidnext; uid++)
		if (covered[uid] && (!deleted_only || box->entries[uid].flags & FLAG_DELETED))
			box->entries[uid].there = false;
}

static void model_step(struct model *m)
{
	struct model_box *box = &m->boxes[below(m, 2)], *other = &m->boxes[below(m, 2)];
	struct api_range ranges[4];
	bool covered[MODEL_ENTRIES];
	struct txn *txn = txn_new();
	struct api_range_list uids = some_uids(m, box, ranges, covered);
	uint32_t what = below(m, 10);
	bool room = box->uidnext + other->uidnext < MODEL_ENTRIES / 2;
	if (what < 4 && room)
		model_land(m, box, txn);
	else if (what < 6 && room)
		model_copy(m, box, other, txn, uids, covered, what == 5);
	else if (what == 6)
		model_expunge(m, box, txn, uids, covered);
	else
		model_flags(m, box, txn, uids, covered);
	assert_int_equal(run(&m->l, txn), ERR_NONE);
	watch_changes(m, txn);
	txn_free(&txn);
}

static void random_changes_agree_with_a_model(void **state)
{
	static const char *const names[MODEL_BOXES] = { "INBOX", "Sent" };
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct model *m = xmalloc(sizeof(*m));
		m->seed = seed;
		ledger_init(&m->l);
		m->account = make_account(&m->l, "alice@example.test");
		for (int i = 0; i < MODEL_BOXES; i++) {
			m->boxes[i].id = mailbox(&m->l, m->account, names[i]).id;
			m->boxes[i].uidnext = 1;
		}
		m->modseq = account_row(&m->l, m->account).modseq;
		for (int step = 1; step <= 400; step++) {
			model_step(m);
			if (step % 100 == 0)
				ledger_reopen(&m->l);
			if (step % 20 == 0)
				for (int i = 0; i < MODEL_BOXES; i++)
					compare_box(m, &m->boxes[i]);
		}
		no_findings(&m->l);
		ledger_done(&m->l);
		free(m);
	}
}

#include "store/engine_suite_deleted.h"

/* How many entries one transaction may touch, whatever it does to them: all of them, or, with one
 * more, none. */
static void changed_entries_are_limited(void **state)
{
	static const struct store_bounds bounds = {
		.changed_entries = 10, .log_bytes = LIMIT_WAL_BYTES, .group_rows = LIMIT_GROUP_ROWS
	};
	static struct api_range all = { 1, UINT32_MAX };
	static const enum op_kind kinds[] = { OP_FLAGS, OP_COPY, OP_EXPUNGE };
	struct ledger l;
	(void)state;
	assert_int_equal(store_bounds_normal.changed_entries, LIMIT_CHANGED_ENTRIES);
	ledger_init(&l);
	l.bounds = &bounds;
	ledger_reopen(&l);
	for (uint32_t n = bounds.changed_entries - 1; n <= bounds.changed_entries + 1; n++)
		for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
			char name[64];
			snprintf(name, sizeof(name), "a%u-%zu@example.test", n, i);
			uint64_t a = make_account(&l, name);
			uint64_t inbox = mailbox(&l, a, "INBOX").id;
			bool over = n > bounds.changed_entries;
			for (uint32_t k = 0; k < n; k++)
				land(&l, a, 0, 10, false, NULL);
			struct op op = { .kind = kinds[i], .by.account = a };
			if (op.kind == OP_FLAGS)
				op.flags = (struct op_flags){ .mailbox = inbox,
					.uids = { &all, 1 },
					.mode = FLAGS_ADD,
					.flags = FLAG_SEEN,
					.unchanged_since = UINT64_MAX };
			else if (op.kind == OP_COPY)
				op.copy = (struct op_copy){ .mailbox = inbox,
					.target = mailbox(&l, a, "Trash").id,
					.uids = { &all, 1 },
					.move = true };
			else
				op.expunge = (struct op_expunge){ .mailbox = inbox,
					.uids = { &all, 1 } };
			assert_int_equal(run_op(&l, op, NULL), over ? ERR_LIMIT : ERR_NONE);
			struct api_mailbox m = mailbox(&l, a, "INBOX");
			assert_int_equal(m.messages, over || op.kind == OP_FLAGS ? n : 0);
			assert_int_equal(m.unseen, op.kind == OP_FLAGS && !over ? 0 : m.messages);
		}
	ledger_done(&l);
}

/* What the operations of one transaction point at: bytes, counted in 16 with a NUL behind each
 * string. */
static void transactions_are_limited(void **state)
{
	enum { MOST = LIMIT_TRANSACTION_BYTES };
	char *bytes = xcalloc(1, MOST + 1);
	(void)state;
	for (int over = -1; over <= 1; over++) {
		struct txn *txn = txn_new();
		struct str first = str_make(bytes, MOST / 2 - 1);
		struct str rest = str_make(bytes, (size_t)(MOST - MOST / 2 - 1 + over * 16));
		assert_true(txn_keep(txn, &first));
		assert_int_equal(txn_keep(txn, &rest), over <= 0);
		assert_true(txn->arena.used <= MOST);
		txn_free(&txn);
	}
	free(bytes);
}

#define ENGINE_SUITE                                                                               \
	test_case(account_begins_with_its_mailboxes), test_case(password_raises_the_epoch),        \
		test_case(password_replaces_what_came_from_it),                                    \
		test_case(secrets_are_put_used_and_removed), test_case(secrets_have_limits),       \
		test_case(offers_follow_the_accounts), test_case(addresses_resolve),               \
		test_case(postmaster_is_reached), test_case(alias_loops_are_refused),              \
		test_case(alias_targets_are_limited), test_case(alias_chains_are_limited),         \
		test_case(uids_rise_and_are_never_given_again), test_case(one_fails_alone),        \
		test_case(quotas_hold), test_case(flags_change),                                   \
		test_case(unchanged_since_keeps_back), test_case(kept_back_makes_no_keyword),      \
		test_case(keywords_are_limited), test_case(copy_keeps_what_it_must),               \
		test_case(move_leaves_nothing), test_case(expunge_takes_the_deleted),              \
		test_case(mailboxes_come_and_go), test_case(deleted_mailbox_takes_its_entries),    \
		test_case(rename_takes_children_along), test_case(inbox_is_renamed_by_moving),     \
		test_case(subscriptions_outlive_mailboxes), test_case(mailboxes_are_limited),      \
		test_case(others_mailboxes_are_none), test_case(identity_stays),                   \
		test_case(changed_entries_are_limited), test_case(transactions_are_limited),       \
		test_case(killed_process_loses_nothing),                                           \
		test_case(random_changes_agree_with_a_model), ENGINE_SUITE_DELETED

#endif
