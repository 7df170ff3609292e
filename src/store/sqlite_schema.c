// SPDX-License-Identifier: Apache-2.0
/*
 * The schema, as the list of steps that lead to it: step n brings version n to n + 1, in one
 * transaction with the number itself (PRAGMA user_version). A step that was ever released does not
 * change. docs/store.md explains the tables.
 */
#include "store/sqlite_private.h"

#include "store/disk.h"
#include "store/names.h"
#include "store/store.h"

#include <inttypes.h>

enum { APPLICATION_ID = 0x43564c52 }; /* "CVLR" */

static const char *const steps[] = {
	/* 1 */
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;"
	"CREATE TABLE domains(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,"
	" catch_all TEXT NOT NULL DEFAULT '') STRICT;"
	"CREATE TABLE accounts(id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" address TEXT NOT NULL UNIQUE, domain INTEGER NOT NULL,"
	" kind INTEGER NOT NULL DEFAULT 0, active INTEGER NOT NULL DEFAULT 1,"
	" verifier TEXT NOT NULL, epoch INTEGER NOT NULL DEFAULT 1,"
	" services INTEGER NOT NULL DEFAULT 7,"
	" quota_bytes INTEGER NOT NULL DEFAULT 0, quota_messages INTEGER NOT NULL DEFAULT 0,"
	" used_bytes INTEGER NOT NULL DEFAULT 0, used_messages INTEGER NOT NULL DEFAULT 0,"
	" pop3_retention INTEGER NOT NULL DEFAULT 0,"
	" pop3_expire_days INTEGER NOT NULL DEFAULT 0,"
	" modseq INTEGER NOT NULL DEFAULT 0,"
	" mailboxes INTEGER NOT NULL DEFAULT 0, subscriptions INTEGER NOT NULL DEFAULT 0) STRICT;"
	"CREATE INDEX accounts_domain ON accounts(domain);"
	"CREATE TABLE aliases(address TEXT NOT NULL, target TEXT NOT NULL,"
	" PRIMARY KEY(address,target)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX aliases_target ON aliases(target);"
	"CREATE TABLE mailboxes(id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" account INTEGER NOT NULL, name TEXT NOT NULL, uidvalidity INTEGER NOT NULL,"
	" uidnext INTEGER NOT NULL DEFAULT 1, special_use INTEGER NOT NULL DEFAULT 0,"
	" modseq INTEGER NOT NULL, messages INTEGER NOT NULL DEFAULT 0,"
	" unseen INTEGER NOT NULL DEFAULT 0, deleted INTEGER NOT NULL DEFAULT 0,"
	" size INTEGER NOT NULL DEFAULT 0, UNIQUE(account,name)) STRICT;"
	"CREATE TABLE subscriptions(account INTEGER NOT NULL, name TEXT NOT NULL,"
	" PRIMARY KEY(account,name)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE keywords(mailbox INTEGER NOT NULL, bit INTEGER NOT NULL,"
	" name TEXT NOT NULL, PRIMARY KEY(mailbox,bit)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE bodies(id INTEGER PRIMARY KEY, segment INTEGER NOT NULL,"
	" offset INTEGER NOT NULL, stored INTEGER NOT NULL, size INTEGER NOT NULL,"
	" sha256 BLOB NOT NULL) STRICT;"
	"CREATE TABLE entries(mailbox INTEGER NOT NULL, uid INTEGER NOT NULL,"
	" body INTEGER NOT NULL, prefix_at INTEGER NOT NULL, prefix_size INTEGER NOT NULL,"
	" flags INTEGER NOT NULL, keywords_low INTEGER NOT NULL, keywords_high INTEGER NOT NULL,"
	" modseq INTEGER NOT NULL, size INTEGER NOT NULL, time INTEGER NOT NULL,"
	" entry_id INTEGER NOT NULL, PRIMARY KEY(mailbox,uid)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX entries_body ON entries(body);"
	"CREATE TABLE expunged(mailbox INTEGER NOT NULL, uid INTEGER NOT NULL,"
	" modseq INTEGER NOT NULL, PRIMARY KEY(mailbox,uid)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE seen(mailbox INTEGER NOT NULL, account INTEGER NOT NULL,"
	" uid INTEGER NOT NULL, PRIMARY KEY(mailbox,account,uid)) STRICT, WITHOUT ROWID;",
	/* 2: what was deleted is kept for a while, and what nobody names is reclaimed. Bodies that
	 * were without an entry before are kept by account 0, which is nobody, since the year 1970.
	 */
	"ALTER TABLE accounts ADD COLUMN kept_bytes INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE accounts ADD COLUMN kept_messages INTEGER NOT NULL DEFAULT 0;"
	"CREATE TABLE deleted(account INTEGER NOT NULL, time INTEGER NOT NULL,"
	" mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, body INTEGER NOT NULL,"
	" prefix_at INTEGER NOT NULL, prefix_size INTEGER NOT NULL, flags INTEGER NOT NULL,"
	" size INTEGER NOT NULL, date INTEGER NOT NULL, entry_id INTEGER NOT NULL,"
	" name TEXT NOT NULL, keywords TEXT NOT NULL,"
	" PRIMARY KEY(account,time,mailbox,uid)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX deleted_body ON deleted(body);"
	"CREATE TABLE removed(account INTEGER PRIMARY KEY, address TEXT NOT NULL,"
	" time INTEGER NOT NULL) STRICT;"
	"CREATE INDEX removed_address ON removed(address);"
	"CREATE TABLE segments(segment INTEGER PRIMARY KEY, surveyed INTEGER NOT NULL DEFAULT 0,"
	" dead INTEGER NOT NULL DEFAULT 0, since INTEGER NOT NULL DEFAULT 0) STRICT;"
	"INSERT INTO deleted SELECT 0,0,id,0,id,0,0,0,size,0,0,'','' FROM bodies"
	" WHERE NOT EXISTS(SELECT 1 FROM entries WHERE entries.body=bodies.id);",
	/* 3: secrets have a table. A certificate is one account's. */
	"CREATE TABLE secrets(id INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER NOT NULL,"
	" kind INTEGER NOT NULL, label TEXT NOT NULL, value BLOB NOT NULL,"
	" services INTEGER NOT NULL, created_ms INTEGER NOT NULL,"
	" used_ms INTEGER NOT NULL DEFAULT 0) STRICT;"
	"CREATE INDEX secrets_account ON secrets(account);"
	"CREATE UNIQUE INDEX secrets_certificate ON secrets(value) WHERE kind=5;"
	"INSERT INTO secrets(account,kind,label,value,services,created_ms)"
	" SELECT id,1,'',CAST(verifier AS BLOB),7,0 FROM accounts ORDER BY id;"
	"ALTER TABLE accounts DROP COLUMN verifier;"
	"ALTER TABLE accounts ADD COLUMN legacy_auth INTEGER NOT NULL DEFAULT 0;",
	/* 4: one spelling for each address and domain, as store/names.h has it. Of two domains that
	 * were one all along one is left, with the accounts of both; of two accounts of one address
	 * the second is renamed, since both have mail. */
	"UPDATE OR IGNORE domains SET name=domain_spelling(name);"
	"UPDATE accounts SET domain=(SELECT kept.id FROM domains gone JOIN domains kept"
	" ON kept.name=domain_spelling(gone.name) WHERE gone.id=accounts.domain)"
	" WHERE domain IN(SELECT id FROM domains WHERE name<>domain_spelling(name));"
	"DELETE FROM domains WHERE name<>domain_spelling(name);"
	"UPDATE domains SET catch_all=address_spelling(catch_all);"
	"UPDATE OR IGNORE accounts SET address=address_spelling(address);"
	"UPDATE OR IGNORE accounts SET address=address_spelling('old'||id||'-'||address)"
	" WHERE address<>address_spelling(address);"
	"UPDATE OR IGNORE aliases SET address=address_spelling(address),"
	" target=address_spelling(target);"
	"DELETE FROM aliases WHERE address<>address_spelling(address)"
	" OR target<>address_spelling(target);"
	"UPDATE removed SET address=address_spelling(address);",
	/* 5: when an entry came into its mailbox (RFC 8514), in seconds; 0: before this step. */
	"ALTER TABLE entries ADD COLUMN saved INTEGER NOT NULL DEFAULT 0;",
	/* 6: what an EXPUNGE would free of a mailbox (RFC 9208 4.1.4). */
	"ALTER TABLE mailboxes ADD COLUMN deleted_size INTEGER NOT NULL DEFAULT 0;"
	"UPDATE mailboxes SET deleted_size=(SELECT coalesce(sum(size),0) FROM entries"
	" WHERE mailbox=mailboxes.id AND flags&8<>0) WHERE deleted>0;",
	/* 7: annotations of mailboxes, and (mailbox 0) of accounts (RFC 5464). */
	"CREATE TABLE annotations(account INTEGER NOT NULL, mailbox INTEGER NOT NULL,"
	" name TEXT NOT NULL, value BLOB NOT NULL,"
	" PRIMARY KEY(account,mailbox,name)) STRICT, WITHOUT ROWID;",
	/* 8: small batches of the last segment, on disk with the rows that name them. */
	"CREATE TABLE carried(slot INTEGER PRIMARY KEY, segment INTEGER NOT NULL,"
	" offset INTEGER NOT NULL, length INTEGER NOT NULL, checksum INTEGER NOT NULL,"
	" bytes BLOB NOT NULL) STRICT;",
	/* 9: what POP3's UIDL of an entry is made of (store/ops.h, body_mark); of those there were,
	 * UIDVALIDITY and UID, as before. And what mailboxes were imported with:
	 * UIDVALIDITYs that were taken once, and the UIDs below which all were given elsewhere. */
	"ALTER TABLE entries ADD COLUMN uidl INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE mailboxes ADD COLUMN uidfloor INTEGER NOT NULL DEFAULT 0;"
	"CREATE TABLE imported(mark INTEGER PRIMARY KEY) STRICT;",
	/* 10: the first UID that no session was told of (RFC 3501 2.3.2, \Recent); what there was
	 * is taken to be known. */
	"ALTER TABLE mailboxes ADD COLUMN recent INTEGER NOT NULL DEFAULT 1;"
	"UPDATE mailboxes SET recent=uidnext;",
	/* 11: what changes of entries stands in blocks (flag_block.h), not in their rows. */
	"CREATE TABLE flags(id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;"
	"INSERT OR IGNORE INTO flags SELECT id,(SELECT" /* damage gives none */
	" flag_block(uid,flags,keywords_low,keywords_high,modseq) FROM entries"
	" WHERE mailbox=id>>24 AND uid BETWEEN (id&16777215)<<8 AND ((id&16777215)<<8)+255)"
	" FROM (SELECT DISTINCT (mailbox<<24)|(uid>>8) AS id FROM entries);"
	"CREATE TABLE new_entries(mailbox INTEGER NOT NULL, uid INTEGER NOT NULL,"
	" body INTEGER NOT NULL, prefix_at INTEGER NOT NULL, prefix_size INTEGER NOT NULL,"
	" size INTEGER NOT NULL, time INTEGER NOT NULL, entry_id INTEGER NOT NULL,"
	" saved INTEGER NOT NULL, uidl INTEGER NOT NULL,"
	" PRIMARY KEY(mailbox,uid)) STRICT, WITHOUT ROWID;"
	"INSERT INTO new_entries SELECT mailbox,uid,body,prefix_at,prefix_size,size,time,"
	"entry_id,saved,uidl FROM entries ORDER BY mailbox,uid;"
	"DROP TABLE entries;"
	"ALTER TABLE new_entries RENAME TO entries;"
	"CREATE INDEX entries_body ON entries(body);",
};
enum { VERSION = ARRAY_LEN(steps) };

uint32_t store_schema(void)
{
	return VERSION;
}

/* Step 11 writes entries anew. In its log are their new rows, and zeros over the old ones, and the
 * new rows are moved from there to the file's end. */
uint64_t store_schema_room(uint32_t schema, uint64_t ledger_bytes)
{
	return schema > 0 && schema < 11 ? ledger_bytes / 2 * 5 : 0;
}

static int pragma_number(sqlite3 *db, const char *sql, int64_t *ret, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
	if (rc == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW) {
		*ret = sqlite3_column_int64(st, 0);
		sqlite3_finalize(st);
		return 0;
	}
	sqlite_fail(db, err);
	sqlite3_finalize(st);
	return -1;
}

/* What a new ledger knows of itself. UIDVALIDITY starts at the time, so that a ledger that was
 * lost and made anew gives higher ones than before (RFC 9051 2.3.1.1). */
static int fill_meta(sqlite3 *db, const struct seams *seams, struct err *err)
{
	uint8_t id[16];
	seams->random->fill(seams->random, id, sizeof(id));
	int64_t now_ms = seams->clock->wall_ms(seams->clock);
	int64_t uidvalidity = now_ms / 1000;
	if (uidvalidity < 1 || uidvalidity > 0x7fffffff)
		uidvalidity = 1;
	sqlite3_stmt *st = NULL;
	static const char sql[] = "INSERT INTO meta(key,value) VALUES('store_id',?1),"
				  "('epoch',1),('uidvalidity',?2),('created_ms',?3),"
				  "('tail_segment',0),('tail_offset',0),('bodies',0)";
	int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_bind_blob(st, 1, id, sizeof(id), SQLITE_STATIC);
		sqlite3_bind_int64(st, 2, uidvalidity);
		sqlite3_bind_int64(st, 3, now_ms);
		rc = sqlite3_step(st);
	}
	if (rc != SQLITE_DONE)
		sqlite_fail(db, err);
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

/* ---- what steps call ---- */

static struct str text_of(sqlite3_value *value)
{
	const unsigned char *p = sqlite3_value_text(value);
	return str_make(p, (size_t)sqlite3_value_bytes(value));
}

static void result(sqlite3_context *c, const char *text, size_t n)
{
	sqlite3_result_text(c, text, (int)n, SQLITE_TRANSIENT);
}

/* What has no spelling stays as it is. */
static void address_spelling(sqlite3_context *c, int n, sqlite3_value **values)
{
	struct address_name a;
	(void)n;
	if (address_canonical(text_of(values[0]), &a, NULL) == 0)
		result(c, a.text, a.n);
	else
		sqlite3_result_value(c, values[0]);
}

static void domain_spelling(sqlite3_context *c, int n, sqlite3_value **values)
{
	char name[LIMIT_DOMAIN_BYTES + 1];
	(void)n;
	if (domain_canonical(text_of(values[0]), name, NULL) == 0)
		result(c, name, strlen(name));
	else
		sqlite3_result_value(c, values[0]);
}

static int add_functions(sqlite3 *db, struct err *err)
{
	enum { FLAGS = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY };
	if (sqlite3_create_function(db, "address_spelling", 1, FLAGS, NULL, address_spelling, NULL,
		    NULL) == SQLITE_OK &&
		sqlite3_create_function(db, "domain_spelling", 1, FLAGS, NULL, domain_spelling,
			NULL, NULL) == SQLITE_OK)
		return 0;
	sqlite_fail(db, err);
	return -1;
}

/* ---- steps ---- */

static int take_step(sqlite3 *db, int64_t from, const struct seams *seams, struct err *err)
{
	char number[96];
	snprintf(number, sizeof(number),
		"PRAGMA user_version=%" PRId64 ";PRAGMA application_id=%d;", from + 1,
		APPLICATION_ID);
	if (sqlite_exec(db, "BEGIN IMMEDIATE", err) < 0)
		return -1;
	if (sqlite_exec(db, steps[from], err) == 0 &&
		(from > 0 || fill_meta(db, seams, err) == 0) && sqlite_exec(db, number, err) == 0 &&
		sqlite_exec(db, "COMMIT", err) == 0)
		return 0;
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return -1;
}

int sqlite_schema_version(sqlite3 *db, uint32_t *ret, struct err *err)
{
	int64_t version;
	if (pragma_number(db, "PRAGMA user_version", &version, err) < 0)
		return -1;
	*ret = (uint32_t)version;
	return 0;
}

/* Another program's file, that somebody has put in the ledger's place. */
static int refuse_foreign(sqlite3 *db, int64_t version, struct err *err)
{
	int64_t application, tables;
	if (pragma_number(db, "PRAGMA application_id", &application, err) < 0 ||
		pragma_number(db, "SELECT count(*) FROM sqlite_schema", &tables, err) < 0)
		return -1;
	if (version > 0 ? application == APPLICATION_ID : tables == 0)
		return 0;
	return fail_log(err, ERR_CONFIG,
		"ledger.db is a database, but no ledger of this program: put the right file in its "
		"place; where it is lost, restore a backup (culver store restore), or have culver "
		"store check --rebuild make it anew");
}

int sqlite_schema_known(sqlite3 *db, struct err *err)
{
	uint32_t version;
	if (sqlite_schema_version(db, &version, err) < 0 || refuse_foreign(db, version, err) < 0)
		return -1;
	if (version <= VERSION)
		return 0;
	return fail_log(err, ERR_UNSUPPORTED,
		"the store was written by a newer version of this program (schema %u, this program "
		"knows %d)",
		version, VERSION);
}

/* A step that finds no room on its way leaves nothing behind, but has filled the disk for a while,
 * and is tried again at each start: so it is not begun. */
static int must_have_room(sqlite3 *db, int64_t version, const struct seams *seams, struct err *err)
{
	int64_t pages, page_bytes;
	if (pragma_number(db, "PRAGMA page_count", &pages, err) < 0 ||
		pragma_number(db, "PRAGMA page_size", &page_bytes, err) < 0)
		return -1;
	uint64_t room = store_schema_room((uint32_t)version, (uint64_t)(pages * page_bytes));
	if (disk_has_room(seams->files, room, 0))
		return 0;
	return fail_log(err, ERR_FULL,
		"to bring the ledger from schema %" PRId64 " to %d takes up to %" PRIu64
		" bytes beside it, and its disk has %" PRIu64 ": nothing was changed",
		version, VERSION, room, disk_room(seams->files, 0));
}

int sqlite_schema_bring(sqlite3 *db, const struct seams *seams, bool read_only, struct err *err)
{
	int64_t version;
	if (pragma_number(db, "PRAGMA user_version", &version, err) < 0)
		return -1;
	if (version < VERSION && read_only)
		return fail_log(err, ERR_READ_ONLY,
			"the ledger has schema %" PRId64 " and must be "
			"brought to %d, but nothing may be written",
			version, VERSION);
	if (version < VERSION &&
		(must_have_room(db, version, seams, err) < 0 || add_functions(db, err) < 0))
		return -1;
	for (; version < VERSION; version++)
		if (take_step(db, version, seams, err) < 0)
			return -1;
	return 0;
}
