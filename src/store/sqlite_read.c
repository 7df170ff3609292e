// SPDX-License-Identifier: Apache-2.0
/*
 * Reads of the SQLite engine. Each is one snapshot that ends with the call: a statement that is
 * reset holds none, and a walk that takes two statements is inside BEGIN and COMMIT.
 */
#include "store/sqlite_private.h"

#include <inttypes.h>

/* ---- accounts, domains, aliases ---- */

static void account_from_row(sqlite3_stmt *st, struct account_row *ret)
{
	*ret = (struct account_row){ .id = sql_u64(st, 0),
		.epoch = sql_u64(st, 1),
		.modseq = sql_u64(st, 2),
		.legacy_auth = sql_u32(st, 4) != 0,
		.kind = (uint8_t)sql_u32(st, 5),
		.active = sql_u32(st, 6) != 0,
		.services = sql_u32(st, 7),
		.quota_bytes = sql_u64(st, 8),
		.quota_messages = sql_u64(st, 9),
		.used_bytes = sql_u64(st, 10),
		.used_messages = sql_u64(st, 11),
		.pop3_retention = (uint8_t)sql_u32(st, 12),
		.pop3_expire_days = sql_u32(st, 13) };
	sql_copy_text(st, 3, ret->address, sizeof(ret->address));
}

/* The one row of a statement: 0, or -1 with ERR_NOT_FOUND and the text. */
static int one(struct sqlite_reader *c, sqlite3_stmt *st, const char *missing, struct err *err)
{
	int row = sql_row(c, st, err);
	if (row == 0)
		return fail(err, ERR_NOT_FOUND, "%s", missing);
	return row < 0 ? -1 : 0;
}

int sqlite_account_by_address(
	struct reader *r, struct str address, struct account_row *ret, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	sqlite3_stmt *st = sql_bound(c, SQL_ACCOUNT_BY_ADDRESS, "t", address);
	if (one(c, st, "no such account", err) < 0)
		return -1;
	account_from_row(st, ret);
	sql_end(st);
	return 0;
}

int sqlite_account_by_id(struct reader *r, uint64_t id, struct account_row *ret, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	sqlite3_stmt *st = sql_bound(c, SQL_ACCOUNT_BY_ID, "i", (int64_t)id);
	if (one(c, st, "no such account", err) < 0)
		return -1;
	account_from_row(st, ret);
	sql_end(st);
	return 0;
}

static int each_secret(struct sqlite_reader *c, uint64_t account,
	int (*each)(void *, const struct api_secret *), void *arg, struct err *err)
{
	sqlite3_stmt *st = sql_bound(c, SQL_SECRETS, "i", (int64_t)account);
	int row, rc = 0;
	while (rc == 0 && (row = sql_row(c, st, err)) != 0) {
		if (row < 0)
			return -1;
		struct api_secret secret = { .id = sql_u64(st, 0),
			.kind = (uint8_t)sql_u32(st, 1),
			.label = sql_str(st, 2),
			.value = sql_str(st, 3),
			.services = sql_u32(st, 4),
			.created_ms = sqlite3_column_int64(st, 5),
			.used_ms = sqlite3_column_int64(st, 6) };
		rc = each(arg, &secret);
	}
	sql_end(st);
	return rc;
}

static int account_of_certificate(
	struct reader *r, struct str certificate, struct account_row *ret, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	sqlite3_stmt *st = sql_bound(c, SQL_SECRET_OWNER, "b", certificate);
	if (one(c, st, "no such certificate", err) < 0)
		return -1;
	uint64_t id = sql_u64(st, 0);
	sql_end(st);
	return sqlite_account_by_id(r, id, ret, err);
}

int sqlite_offers(struct reader *r, uint32_t *ret_scram, uint32_t *ret_legacy, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	sqlite3_stmt *st = sql_bound(c, SQL_OFFERS, "");
	if (one(c, st, "no account", err) < 0)
		return -1;
	*ret_scram = sql_u32(st, 0) & ~sql_u32(st, 1);
	*ret_legacy = sql_u32(st, 2);
	sql_end(st);
	return 0;
}

int sqlite_credentials(struct reader *r, struct str address, struct str certificate,
	struct account_row *ret, int (*each)(void *, const struct api_secret *), void *arg,
	struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	if (sql_transaction_begin(c, SQL_BEGIN_READ, err) < 0)
		return -1;
	int rc = address.n ? sqlite_account_by_address(r, address, ret, err)
			   : account_of_certificate(r, certificate, ret, err);
	if (rc == 0)
		rc = each_secret(c, ret->id, each, arg, err);
	sql_run(c, sql_bound(c, SQL_COMMIT, ""), NULL);
	return rc;
}

int sqlite_account_first(struct reader *r, struct str domain, uint64_t *ret, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	sqlite3_stmt *st = domain.n ? sql_bound(c, SQL_ACCOUNT_FIRST_OF, "t", domain)
				    : sql_bound(c, SQL_ACCOUNT_FIRST, "");
	if (one(c, st, "no account", err) < 0)
		return -1;
	*ret = sql_u64(st, 0);
	sql_end(st);
	return 0;
}

int sqlite_domain(struct reader *r, struct str name, char *ret_catch_all, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	sqlite3_stmt *st = sql_bound(c, SQL_DOMAIN, "t", name);
	if (one(c, st, "no such domain", err) < 0)
		return -1;
	sql_copy_text(st, 0, ret_catch_all, LIMIT_ADDRESS_BYTES + 1);
	sql_end(st);
	return 0;
}

/* Gives each row's first two columns (the second may be missing) to each(). */
static int each_pair(
	struct sqlite_reader *c, sqlite3_stmt *st, each_str each, void *arg, struct err *err)
{
	int row, rc = 0;
	while (rc == 0 && (row = sql_row(c, st, err)) != 0) {
		if (row < 0)
			return -1;
		rc = each(arg, sql_str(st, 0),
			sqlite3_column_count(st) > 1 ? sql_str(st, 1) : STR_NONE);
	}
	if (st)
		sql_end(st);
	return rc;
}

int sqlite_alias_targets(
	struct reader *r, struct str address, each_str each, void *arg, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	return each_pair(c, sql_bound(c, SQL_ALIAS_TARGETS, "t", address), each, arg, err);
}

int sqlite_alias_each(struct reader *r, each_str each, void *arg, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	return each_pair(c, sql_bound(c, SQL_ALIAS_EACH, ""), each, arg, err);
}

int sqlite_account_each(struct reader *r, uint64_t after,
	int (*each)(void *, const struct account_row *), void *arg, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	sqlite3_stmt *st = sql_bound(c, SQL_ACCOUNT_EACH, "i", (int64_t)after);
	int row, rc = 0;
	while (rc == 0 && (row = sql_row(c, st, err)) != 0) {
		struct account_row account;
		if (row < 0)
			return -1;
		account_from_row(st, &account);
		rc = each(arg, &account);
	}
	sql_end(st);
	return rc;
}

int sqlite_domain_each(struct reader *r, int (*each)(void *, const struct api_domain *), void *arg,
	struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	sqlite3_stmt *st = sql_bound(c, SQL_DOMAIN_EACH, "");
	int row, rc = 0;
	while (rc == 0 && (row = sql_row(c, st, err)) != 0) {
		if (row < 0)
			return -1;
		struct api_domain domain = { .name = sql_str(st, 0),
			.catch_all = sql_str(st, 1),
			.accounts = sql_u32(st, 2) };
		rc = each(arg, &domain);
	}
	sql_end(st);
	return rc;
}

/* ---- mailboxes ---- */

static struct api_mailbox mailbox_from_row(sqlite3_stmt *st)
{
	return (struct api_mailbox){ .id = sql_u64(st, 0),
		.name = sql_str(st, 1),
		.special_use = (uint16_t)sql_u32(st, 2),
		.uidvalidity = sql_u32(st, 3),
		.uidnext = sql_u32(st, 4),
		.highest_modseq = sql_u64(st, 5),
		.messages = sql_u32(st, 6),
		.unseen = sql_u32(st, 7),
		.deleted = sql_u32(st, 8),
		.size = sql_u64(st, 9),
		.exists = sql_u64(st, 0) != 0,
		.deleted_size = sql_u64(st, 11),
		.subscribed = sql_u32(st, 14) != 0 };
}

int sqlite_mailbox_each(struct reader *r, uint64_t account,
	int (*each)(void *, const struct api_mailbox *), void *arg, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	sqlite3_stmt *st = sql_bound(c, SQL_MAILBOX_EACH, "i", (int64_t)account);
	int row, rc = 0;
	while (rc == 0 && (row = sql_row(c, st, err)) != 0) {
		if (row < 0)
			return -1;
		struct api_mailbox mailbox = mailbox_from_row(st);
		rc = each(arg, &mailbox);
	}
	sql_end(st);
	return rc;
}

static int mailbox_row(
	struct sqlite_reader *c, sqlite3_stmt *st, struct mailbox_row *ret, struct err *err)
{
	if (one(c, st, "no such mailbox", err) < 0)
		return -1;
	ret->status = mailbox_from_row(st);
	ret->account = sql_u64(st, 10);
	ret->recent = sql_u32(st, 13);
	sql_copy_text(st, 1, ret->name, sizeof(ret->name));
	ret->status.name = str_from(ret->name);
	sql_end(st);
	return 0;
}

int sqlite_mailbox_by_name(struct reader *r, uint64_t account, struct str name,
	struct mailbox_row *ret, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	return mailbox_row(
		c, sql_bound(c, SQL_MAILBOX_BY_NAME, "it", (int64_t)account, name), ret, err);
}

int sqlite_mailbox_by_id(struct reader *r, uint64_t id, struct mailbox_row *ret, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	return mailbox_row(c, sql_bound(c, SQL_MAILBOX_BY_ID, "i", (int64_t)id), ret, err);
}

/* What came or went since the mailbox was read makes it no more than there were. */
int sqlite_recent(struct reader *r, const struct api_mailbox *mailbox, uint32_t from, uint32_t *ret,
	struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	sqlite3_stmt *st = sql_bound(c, SQL_RECENT, "iii", (int64_t)mailbox->id, (int64_t)from,
		(int64_t)mailbox->uidnext);
	int row = sql_row(c, st, err);
	*ret = 0;
	if (row <= 0)
		return row;
	uint32_t n = sql_u32(st, 0);
	*ret = n < mailbox->messages ? n : mailbox->messages;
	sql_end(st);
	return 0;
}

/* ---- views ---- */

static int read_keywords(struct sqlite_reader *c, uint64_t mailbox, struct arena *arena,
	struct vec *keywords, struct err *err)
{
	sqlite3_stmt *st = sql_bound(c, SQL_KEYWORDS, "i", (int64_t)mailbox);
	int row;
	while ((row = sql_row(c, st, err)) > 0) {
		struct str name = arena_str(arena, sql_str(st, 1));
		if (name.p == NULL || vec_push(keywords, &name) == NULL) {
			sql_end(st);
			return fail(err, ERR_LIMIT, "too many keywords");
		}
	}
	return row;
}

void sqlite_add_row(sqlite3_stmt *st, struct api_entry *x)
{
	x->uid = sql_u32(st, ENTRIES_UID);
	x->size = sql_u64(st, ENTRIES_SIZE);
	x->time = sqlite3_column_int64(st, ENTRIES_TIME);
	x->entry_id = sql_u64(st, ENTRIES_ENTRY_ID);
	x->saved_s = sql_u32(st, ENTRIES_SAVED);
}

int sqlite_entry_from_row(struct sqlite_reader *c, uint64_t mailbox, sqlite3_stmt *st,
	struct api_entry *ret, struct err *err)
{
	sqlite_add_row(st, ret);
	return blocks_read(c, mailbox, ret, err);
}

static int read_entries(struct sqlite_reader *c, uint64_t mailbox, uint32_t after, size_t rows,
	struct vec *entries, struct err *err)
{
	if (after == UINT32_MAX)
		return 0;
	sqlite3_stmt *st = sql_bound(c, SQL_ENTRIES, "iiii", (int64_t)mailbox, (int64_t)after + 1,
		(int64_t)UINT32_MAX, (int64_t)rows);
	int row;
	while ((row = sql_row(c, st, err)) > 0) {
		struct api_entry *entry = vec_push(entries, NULL);
		if (entry == NULL) {
			sql_end(st);
			return fail(err, ERR_LIMIT, "the mailbox is too large for a view");
		}
		if (sqlite_entry_from_row(c, mailbox, st, entry, err) < 0) {
			sql_end(st);
			return -1;
		}
	}
	return row;
}

int sqlite_snapshot_begin(struct reader *r, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	return sql_transaction_begin(c, SQL_BEGIN_READ, err);
}

void sqlite_snapshot_end(struct reader *r)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	sql_run(c, sql_bound(c, SQL_COMMIT, ""), NULL);
}

int sqlite_view(struct reader *r, uint64_t mailbox, uint32_t after, size_t rows,
	struct mailbox_row *ret, struct arena *arena, struct vec *keywords, struct vec *entries,
	struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	if (sqlite_snapshot_begin(r, err) < 0)
		return -1;
	int rc = sqlite_mailbox_by_id(r, mailbox, ret, err);
	if (rc == 0 && keywords)
		rc = read_keywords(c, mailbox, arena, keywords, err);
	if (rc == 0)
		rc = read_entries(c, mailbox, after, rows, entries, err);
	sqlite_snapshot_end(r);
	return rc;
}

static int first_unseen(
	struct sqlite_reader *c, uint64_t mailbox, size_t looked, uint32_t *ret, struct err *err)
{
	struct block_walk w = block_walk(mailbox, 0, UINT32_MAX);
	struct held_block *h;
	size_t n = 0;
	int more;
	while ((more = blocks_next(c, &w, &h, err)) > 0)
		for (size_t i = 0; i < FLAG_BLOCK_UIDS; i++) {
			const struct flag_record *r = &h->block->records[i];
			if (r->modseq == 0)
				continue;
			if (n++ == looked)
				return 0;
			if (!(r->flags & FLAG_SEEN)) {
				*ret = (uint32_t)n;
				return 0;
			}
		}
	return more;
}

int sqlite_numbers(struct reader *r, uint64_t mailbox, size_t looked, struct mailbox_row *ret,
	struct arena *arena, struct vec *keywords, uint32_t *ret_unseen, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	*ret_unseen = 0;
	if (sqlite_snapshot_begin(r, err) < 0)
		return -1;
	int rc = sqlite_mailbox_by_id(r, mailbox, ret, err);
	if (rc == 0)
		rc = read_keywords(c, mailbox, arena, keywords, err);
	if (rc == 0 && looked > 0 && ret->status.unseen > 0)
		rc = first_unseen(c, mailbox, looked, ret_unseen, err);
	sqlite_snapshot_end(r);
	return rc;
}

/* Without an index on modseq (which would make every expunge dearer): all of the mailbox's are
 * read, in slices. */
int sqlite_expunged(struct reader *r, uint64_t mailbox, uint32_t *after, size_t rows,
	uint64_t since, struct vec *ret, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	sqlite3_stmt *st = sql_bound(
		c, SQL_TOMBSTONES, "iii", (int64_t)mailbox, (int64_t)*after, (int64_t)rows);
	size_t n = 0;
	int row;
	while ((row = sql_row(c, st, err)) > 0) {
		*after = sql_u32(st, 0);
		n++;
		if (sql_u64(st, 1) > since && ranges_add(ret, *after, err) < 0) {
			sql_end(st);
			return -1;
		}
	}
	return row < 0 ? -1 : n == rows;
}

/* ---- bodies ---- */

static void body_from_row(sqlite3_stmt *st, int at, struct body_place *ret)
{
	*ret = (struct body_place){ .ref = { .id = sql_u64(st, at),
					    .segment = sql_u32(st, at + 1),
					    .offset = sql_u64(st, at + 2),
					    .length = sql_u64(st, at + 3) },
		.size = sql_u64(st, at + 4) };
	struct str hash = sql_str(st, at + 5);
	if (hash.n == sizeof(ret->sha256))
		memcpy(ret->sha256, hash.p, hash.n);
}

int sqlite_entry(struct reader *r, uint64_t account, uint64_t mailbox, uint32_t uid,
	struct entry_place *ret, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	sqlite3_stmt *st = sql_bound(
		c, SQL_ENTRY_PLACE, "iii", (int64_t)mailbox, (int64_t)uid, (int64_t)account);
	if (one(c, st, "no such message", err) < 0)
		return -1;
	*ret = (struct entry_place){
		.prefix_at = sql_u32(st, 0), .prefix_size = sql_u32(st, 1), .size = sql_u64(st, 2)
	};
	bool has_body = sqlite3_column_type(st, 3) != SQLITE_NULL;
	if (has_body)
		body_from_row(st, 3, &ret->body);
	sql_end(st);
	if (!has_body)
		return fail_log(err, ERR_CORRUPT, "ledger: mailbox %" PRIu64 " uid %u has no body",
			mailbox, uid);
	return 0;
}

enum { PASSED_OVER = 16 }; /* rows between two that are wanted, then another search is cheaper */

/* From uids[0] on as far as one walk over the rows goes; how many that were, or -1. */
static ssize_t walk_bodies(struct sqlite_reader *c, uint64_t mailbox, const uint32_t *uids,
	size_t n, struct entry_body *ret, struct err *err)
{
	size_t rising = 1, at = 0, passed = 0;
	while (rising < n && uids[rising] > uids[rising - 1])
		rising++;
	sqlite3_stmt *st = sql_bound(c, SQL_ENTRIES, "iiii", (int64_t)mailbox, (int64_t)uids[0],
		(int64_t)uids[rising - 1], (int64_t)UINT32_MAX);
	int row = 1;
	while (at < rising && passed < PASSED_OVER && (row = sql_row(c, st, err)) > 0) {
		uint32_t uid = sql_u32(st, ENTRIES_UID);
		while (at < rising && uids[at] < uid)
			at++; /* it is not there */
		passed++;
		if (at == rising || uids[at] != uid)
			continue;
		ret[at++] = (struct entry_body){ sql_u64(st, ENTRIES_BODY),
			sql_u32(st, ENTRIES_PREFIX_AT), sql_u32(st, ENTRIES_PREFIX_SIZE) };
		passed = 0;
	}
	if (row > 0)
		sql_end(st);
	return row < 0 ? -1 : row == 0 ? (ssize_t)rising : (ssize_t)at;
}

int sqlite_entry_bodies(struct reader *r, uint64_t account, uint64_t mailbox, const uint32_t *uids,
	size_t n, struct entry_body *ret, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	struct mailbox_row row;
	for (size_t i = 0; i < n; i++)
		ret[i] = (struct entry_body){ .body = 0 };
	if (sqlite_mailbox_by_id(r, mailbox, &row, err) < 0) {
		if (err->kind != ERR_NOT_FOUND)
			return -1;
		*err = (struct err)ERR_INIT;
		return 0;
	}
	if (row.account != account)
		return 0;
	for (size_t at = 0; at < n;) {
		ssize_t some = walk_bodies(c, mailbox, uids + at, n - at, ret + at, err);
		if (some < 0)
			return -1;
		at += (size_t)some;
	}
	return 0;
}

int sqlite_body_each(struct reader *r, uint64_t after, size_t n,
	int (*each)(void *, const struct body_place *), void *arg, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	sqlite3_stmt *st = sql_bound(c, SQL_BODY_EACH, "ii", (int64_t)after, (int64_t)n);
	int row, rc = 0;
	while (rc == 0 && (row = sql_row(c, st, err)) != 0) {
		struct body_place body;
		if (row < 0)
			return -1;
		body_from_row(st, 0, &body);
		rc = each(arg, &body);
	}
	sql_end(st);
	return rc;
}

static struct api_uidl uidl_from_row(sqlite3_stmt *st)
{
	int64_t uidl = sqlite3_column_int64(st, ENTRIES_UIDL);
	struct api_uidl ret = { .uid = sql_u32(st, ENTRIES_UID) };
	if (uidl > 0) {
		ret.body = sql_u64(st, ENTRIES_BODY);
		ret.recipient = sql_u32(st, ENTRIES_PREFIX_AT);
		ret.mark = (uint64_t)uidl;
	} else {
		ret.validity = (uint32_t)(0 - (uint64_t)uidl); /* damage may say any number */
	}
	return ret;
}

int sqlite_entry_ids(struct reader *r, uint64_t mailbox, uint32_t after, size_t n,
	int (*each)(void *, const struct entry_ids *), void *arg, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	if (after == UINT32_MAX)
		return 0;
	sqlite3_stmt *st = sql_bound(c, SQL_ENTRIES, "iiii", (int64_t)mailbox, (int64_t)after + 1,
		(int64_t)UINT32_MAX, (int64_t)n);
	int row;
	while ((row = sql_row(c, st, err)) > 0) {
		struct entry_ids ids = { .uid = sql_u32(st, ENTRIES_UID),
			.entry_id = sql_u64(st, ENTRIES_ENTRY_ID),
			.body = sql_u64(st, ENTRIES_BODY),
			.uidl = uidl_from_row(st) };
		int rc = each(arg, &ids);
		if (rc) {
			sql_end(st);
			return rc;
		}
	}
	return row;
}

int sqlite_counts(struct reader *r, struct ledger_counts *ret, struct err *err)
{
	struct sqlite_reader *c = sqlite_reader_of(r);
	sqlite3_stmt *st = sql_bound(c, SQL_COUNTS, "");
	if (one(c, st, "no counts", err) < 0)
		return -1;
	*ret = (struct ledger_counts){ .accounts = sql_u64(st, 0),
		.messages = sql_u64(st, 1),
		.bodies = sql_u64(st, 2),
		.epoch = sql_u64(st, 3),
		.uidvalidity = sql_u32(st, 4) };
	sql_end(st);
	return 0;
}
