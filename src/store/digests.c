// SPDX-License-Identifier: Apache-2.0
/* The derived tables of digests and of search signatures. Its transactions are not flushed
 * (synchronous=NORMAL in WAL mode: what a crash takes is the newest part, never the shape of the
 * file). */
#include "store/digests.h"

#include <sqlite3.h>
#include <stdlib.h>

#include "base/limits.h"
#include "store/crc32c.h"
#include "store/sqlite_open.h"

static const char file_name[] = "digests.db";
static const char setup[] = "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;"
			    "PRAGMA wal_autocheckpoint=0;PRAGMA journal_size_limit=67108864;"
			    "PRAGMA trusted_schema=OFF;PRAGMA secure_delete=ON;"
			    "CREATE TABLE IF NOT EXISTS digests(body INTEGER PRIMARY KEY,"
			    " crc INTEGER NOT NULL, bytes BLOB NOT NULL);"
			    "CREATE TABLE IF NOT EXISTS signatures(body INTEGER NOT NULL,"
			    " prefix_at INTEGER NOT NULL, crc INTEGER NOT NULL,"
			    " bytes BLOB NOT NULL, PRIMARY KEY(body,prefix_at)) WITHOUT ROWID;";

struct digests {
	const struct seams *seams;
	sqlite3 *db, *checkpointer;
	sqlite3_stmt *put, *drop, *put_signature, *drop_signatures;
	bool begun;
};
/* Bodies are mostly asked for in rising order: the statement goes on from row to row. Its row is
 * that of `at`, and there is none from `from` up to it. */
struct digest_reader {
	sqlite3 *db;
	sqlite3_stmt *get, *get_signature;
	bool snapshot, row;
	uint64_t from, at;
};

static sqlite3 *open_db(const struct seams *seams, int flags)
{
	sqlite3 *db;
	if (sqlite_open(seams->files, NULL, file_name, flags, &db) != SQLITE_OK) {
		sqlite3_close_v2(db);
		return NULL;
	}
	sqlite3_busy_timeout(db, 1000);
	return db;
}

static void close_all(struct digests *d)
{
	sqlite3_finalize(d->put);
	sqlite3_finalize(d->drop);
	sqlite3_finalize(d->put_signature);
	sqlite3_finalize(d->drop_signatures);
	sqlite3_close_v2(d->checkpointer);
	sqlite3_close_v2(d->db);
	*d = (struct digests){ .seams = d->seams };
}

static bool prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret)
{
	return sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) == SQLITE_OK;
}

static bool open_all(struct digests *d)
{
	d->db = open_db(d->seams, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	if (d->db && sqlite3_exec(d->db, setup, NULL, NULL, NULL) == SQLITE_OK &&
		prepare(d->db,
			"INSERT INTO digests(body,crc,bytes) VALUES(?,?,?) ON CONFLICT(body) "
			"DO UPDATE SET crc=excluded.crc,bytes=excluded.bytes",
			&d->put) &&
		prepare(d->db, "DELETE FROM digests WHERE body=?", &d->drop) &&
		prepare(d->db, "INSERT OR REPLACE INTO signatures VALUES(?,?,?,?)",
			&d->put_signature) &&
		prepare(d->db, "DELETE FROM signatures WHERE body=?", &d->drop_signatures))
		d->checkpointer = open_db(d->seams, SQLITE_OPEN_READWRITE);
	if (d->checkpointer)
		return true;
	close_all(d);
	return false;
}

static void throw_away(const struct seams *seams)
{
	static const char *const names[] = { "digests.db", "digests.db-wal", "digests.db-shm" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		seams->files->unlink(seams->files, names[i]);
}

struct digests *digests_open(const struct seams *seams, bool fresh, struct err *err)
{
	struct digests *d = xmalloc(sizeof(*d));
	d->seams = seams;
	if (fresh)
		throw_away(seams);
	if (open_all(d))
		return d;
	throw_away(seams);
	if (open_all(d))
		return d;
	free(d);
	fail_log(err, ERR_TEMP, "digests.db can't be made");
	return NULL;
}

void digests_close(struct digests **d)
{
	if (*d == NULL)
		return;
	close_all(*d);
	free(*d);
	*d = NULL;
}

void digests_begin(struct digests *d)
{
	if (d)
		d->begun = sqlite3_exec(d->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;
}

static uint32_t checksum(uint64_t body, const void *p, size_t n)
{
	return crc32c(crc32c(0, &body, sizeof(body)), p, n);
}

void digests_put(struct digests *d, uint64_t body, struct str digest)
{
	if (d == NULL || !d->begun || digest.n == 0 || digest.n > LIMIT_DIGEST_BYTES)
		return;
	sqlite3_bind_int64(d->put, 1, (int64_t)body);
	sqlite3_bind_int64(d->put, 2, checksum(body, digest.p, digest.n));
	sqlite3_bind_blob(d->put, 3, digest.p, (int)digest.n, SQLITE_STATIC);
	sqlite3_step(d->put);
	sqlite3_reset(d->put);
}

static void drop_by(sqlite3_stmt *st, uint64_t body)
{
	sqlite3_bind_int64(st, 1, (int64_t)body);
	sqlite3_step(st);
	sqlite3_reset(st);
}

void digests_drop(struct digests *d, uint64_t body)
{
	if (d == NULL || !d->begun)
		return;
	drop_by(d->drop, body);
	drop_by(d->drop_signatures, body);
}

void signatures_put(struct digests *d, uint64_t body, uint32_t prefix_at, struct str signature)
{
	if (d == NULL || !d->begun || signature.n == 0)
		return;
	sqlite3_bind_int64(d->put_signature, 1, (int64_t)body);
	sqlite3_bind_int64(d->put_signature, 2, prefix_at);
	sqlite3_bind_int64(d->put_signature, 3, checksum(body, signature.p, signature.n));
	sqlite3_bind_blob(d->put_signature, 4, signature.p, (int)signature.n, SQLITE_STATIC);
	sqlite3_step(d->put_signature);
	sqlite3_reset(d->put_signature);
}

void digests_end(struct digests *d)
{
	if (d == NULL || !d->begun)
		return;
	d->begun = false;
	if (sqlite3_exec(d->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		sqlite3_exec(d->db, "ROLLBACK", NULL, NULL, NULL);
}

void digests_checkpoint(struct digests *d)
{
	if (d)
		sqlite3_wal_checkpoint_v2(
			d->checkpointer, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

struct digest_reader *digest_reader_new(struct digests *d)
{
	if (d == NULL)
		return NULL;
	struct digest_reader *r = xmalloc(sizeof(*r));
	r->db = open_db(d->seams, SQLITE_OPEN_READONLY);
	if (r->db == NULL ||
		!prepare(r->db, "SELECT crc,bytes,body FROM digests WHERE body>=? ORDER BY body",
			&r->get) ||
		!prepare(r->db, "SELECT crc,bytes FROM signatures WHERE body=? AND prefix_at=?",
			&r->get_signature))
		digest_reader_free(&r);
	return r;
}

void digest_reader_free(struct digest_reader **r)
{
	if (*r == NULL)
		return;
	sqlite3_finalize((*r)->get);
	sqlite3_finalize((*r)->get_signature);
	sqlite3_close_v2((*r)->db);
	free(*r);
	*r = NULL;
}

static void rest(struct digest_reader *r)
{
	sqlite3_reset(r->get);
	r->row = false;
}

void digest_reader_snapshot(struct digest_reader *r, bool on)
{
	if (r == NULL)
		return;
	rest(r);
	r->snapshot = on;
	sqlite3_exec(r->db, on ? "BEGIN" : "COMMIT", NULL, NULL, NULL);
}

static void step(struct digest_reader *r)
{
	r->row = sqlite3_step(r->get) == SQLITE_ROW;
	r->at = r->row ? (uint64_t)sqlite3_column_int64(r->get, 2) : 0;
}

static void seek(struct digest_reader *r, uint64_t body)
{
	rest(r);
	sqlite3_bind_int64(r->get, 1, (int64_t)body);
	r->from = body;
	step(r);
}

static bool find(struct digest_reader *r, uint64_t body)
{
	enum { STEPS = 8 }; /* then another search is cheaper */
	if (!r->row || body < r->from)
		seek(r, body);
	for (unsigned i = 0; i < STEPS && r->row && r->at < body; i++) {
		r->from = r->at + 1;
		step(r);
	}
	if (r->row && r->at < body)
		seek(r, body);
	return r->row && r->at == body;
}

bool digest_read(struct digest_reader *r, uint64_t body, struct buf *out)
{
	if (r == NULL)
		return false;
	bool found = false;
	if (find(r, body)) {
		const void *p = sqlite3_column_blob(r->get, 1);
		size_t n = (size_t)sqlite3_column_bytes(r->get, 1);
		if (sqlite3_column_int64(r->get, 0) == checksum(body, p, n))
			found = buf_add(out, p, n);
	}
	if (!r->snapshot)
		rest(r);
	return found;
}

bool signature_read(struct digest_reader *r, uint64_t body, uint32_t prefix_at, struct buf *out)
{
	bool found = false;
	if (r == NULL)
		return false;
	sqlite3_bind_int64(r->get_signature, 1, (int64_t)body);
	sqlite3_bind_int64(r->get_signature, 2, prefix_at);
	if (sqlite3_step(r->get_signature) == SQLITE_ROW) {
		const void *p = sqlite3_column_blob(r->get_signature, 1);
		size_t n = (size_t)sqlite3_column_bytes(r->get_signature, 1);
		if (sqlite3_column_int64(r->get_signature, 0) == checksum(body, p, n))
			found = buf_add(out, p, n);
	}
	sqlite3_reset(r->get_signature);
	return found;
}
