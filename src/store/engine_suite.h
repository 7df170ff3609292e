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
	uint64_t reserve_bytes;            /* 0: the normal one */
	struct err err;
};

static void ledger_open(struct ledger *l)
{
	struct engine_options options = {
		.seams = &l->seams, .bounds = l->bounds, .reserve_bytes = l->reserve_bytes
	};
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
	memcpy(body->body.place.sha256, &id, sizeof(id));
	int64_t mark = body_mark(&body->body.place, 1700000000000);
	struct op *op = txn_add(txn, OP_LAND);
	op->by.account = account;
	op->land = (struct op_land){ .mailbox = box,
		.body = id,
		.prefix_at = 128,
		.mark = mark,
		.size = size,
		.time = 1700000000000,
		.strict = strict };
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

/* ---- transactions ---- */

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

/* ---- the rest, by subject ---- */

#include "store/engine_suite_accounts.h"
#include "store/engine_suite_entries.h"
#include "store/engine_suite_mailboxes.h"
#include "store/engine_suite_uidl.h"
#include "store/engine_suite_model.h"
#include "store/engine_suite_deleted.h"

#define ENGINE_SUITE                                                                               \
	test_case(changed_entries_are_limited), test_case(transactions_are_limited),               \
		ENGINE_SUITE_ACCOUNTS, ENGINE_SUITE_ENTRIES, ENGINE_SUITE_MAILBOXES,               \
		ENGINE_SUITE_MODEL, ENGINE_SUITE_DELETED, ENGINE_SUITE_UIDL

#endif
