// SPDX-License-Identifier: Apache-2.0
/* The derived tables of digests and of search signatures. Its transactions are not flushed (only
 * the log before it is moved to its place, and the header of one that is begun anew: what a crash
 * takes is the newest part, never the shape of the file). */
#include "store/digests.h"

#include <sqlite3.h>
#include <stdlib.h>

#include "base/limits.h"
#include "store/crc32c.h"
#include "store/log_vfs.h"
#include "store/sqlite_open.h"

static const char file_name[] = "digests.db";
static const char setup[] = "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;"
			    "PRAGMA wal_autocheckpoint=0;PRAGMA journal_size_limit=67108864;"
			    "PRAGMA trusted_schema=OFF;PRAGMA secure_delete=ON;"
			    "CREATE TABLE IF NOT EXISTS digests(body INTEGER PRIMARY KEY,"
			    " crc INTEGER NOT NULL, bytes BLOB NOT NULL);"
			    "CREATE TABLE IF NOT EXISTS signatures(key INTEGER PRIMARY KEY,"
			    " crc INTEGER NOT NULL, bytes BLOB NOT NULL);";

/* Of the log: from so many pages on it is begun anew. */
enum { LOG_PAGES = 16 * 1024 * 1024 / 4096, BUSY_MS = 1000 };

struct digests {
	const struct seams *seams;
	struct log_vfs log;
	sqlite3 *db, *checkpointer;
	sqlite3_stmt *begin, *commit, *put, *drop, *put_signature, *drop_signatures;
	bool tried, begun; /* a transaction, since the last end */
	bool erase;        /* the log holds what is to go */
	int log_pages, restart_at;
};
/* Keys are mostly asked for in rising order: the statement goes on from row to row. Its row is
 * that of `at`, and there is none from `from` up to it. */
struct walk {
	sqlite3_stmt *get;
	bool row;
	uint64_t from, at;
};
struct digest_reader {
	sqlite3 *db;
	bool snapshot;
	struct walk digests, signatures;
};

static sqlite3 *open_db(const struct seams *seams, const char *vfs, int flags)
{
	sqlite3 *db;
	if (sqlite_open(seams->files, vfs, file_name, flags, &db) != SQLITE_OK) {
		sqlite3_close_v2(db);
		return NULL;
	}
	sqlite3_busy_timeout(db, BUSY_MS);
	return db;
}

static void close_all(struct digests *d)
{
	sqlite3_finalize(d->begin);
	sqlite3_finalize(d->commit);
	sqlite3_finalize(d->put);
	sqlite3_finalize(d->drop);
	sqlite3_finalize(d->put_signature);
	sqlite3_finalize(d->drop_signatures);
	d->log.unflushed = false; /* the last to close moves the log */
	sqlite3_close_v2(d->checkpointer);
	sqlite3_close_v2(d->db);
	log_vfs_done(&d->log);
	*d = (struct digests){ .seams = d->seams };
}

static bool prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret)
{
	return sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) == SQLITE_OK;
}

static int note_log_pages(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct digests *d = arg;
	(void)db;
	(void)name;
	if (pages < d->log_pages)
		d->restart_at = LOG_PAGES; /* it was begun anew */
	d->log_pages = pages;
	return SQLITE_OK;
}

static bool open_all(struct digests *d)
{
	if (log_vfs_init(&d->log, d->seams->files->sqlite_vfs(d->seams->files)) != SQLITE_OK)
		return false;
	d->log.unflushed = true;
	d->db = open_db(d->seams, d->log.name, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	if (d->db && sqlite3_exec(d->db, setup, NULL, NULL, NULL) == SQLITE_OK &&
		prepare(d->db, "BEGIN IMMEDIATE", &d->begin) &&
		prepare(d->db, "COMMIT", &d->commit) &&
		prepare(d->db,
			"INSERT INTO digests(body,crc,bytes) VALUES(?,?,?) ON CONFLICT(body) "
			"DO UPDATE SET crc=excluded.crc,bytes=excluded.bytes",
			&d->put) &&
		prepare(d->db, "DELETE FROM digests WHERE body=?", &d->drop) &&
		prepare(d->db, "INSERT OR REPLACE INTO signatures VALUES(?,?,?)",
			&d->put_signature) &&
		prepare(d->db, "DELETE FROM signatures WHERE key>=? AND key<?",
			&d->drop_signatures))
		d->checkpointer = open_db(d->seams, NULL, SQLITE_OPEN_READWRITE);
	/* SQLite moves nothing by a connection that has read nothing yet, and says that it is done.
	 */
	if (d->checkpointer && sqlite3_exec(d->checkpointer, "PRAGMA schema_version", NULL, NULL,
				       NULL) == SQLITE_OK) {
		sqlite3_wal_hook(d->db, note_log_pages, d);
		d->restart_at = LOG_PAGES;
		return true;
	}
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

static bool run(sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);
	sqlite3_reset(st);
	return rc == SQLITE_DONE;
}

/* Whether there is a transaction: the first change begins it, or waits in vain for the lock, for
 * all up to the end. */
static bool begun(struct digests *d)
{
	if (d == NULL)
		return false;
	if (!d->tried)
		d->begun = run(d->begin);
	d->tried = true;
	return d->begun;
}

static uint32_t checksum(uint64_t body, const void *p, size_t n)
{
	return crc32c(crc32c(0, &body, sizeof(body)), p, n);
}

void digests_put(struct digests *d, uint64_t body, struct str digest)
{
	if (digest.n == 0 || digest.n > LIMIT_DIGEST_BYTES || !begun(d))
		return;
	sqlite3_bind_int64(d->put, 1, (int64_t)body);
	sqlite3_bind_int64(d->put, 2, checksum(body, digest.p, digest.n));
	sqlite3_bind_blob(d->put, 3, digest.p, (int)digest.n, SQLITE_STATIC);
	(void)run(d->put);
}

/* Signatures lie in the order of bodies, those of one body's recipients in as many places as a byte
 * has values: of two whose prefixes fall together the last one made is kept. */
static int64_t signature_key(uint64_t body, uint32_t prefix_at)
{
	return (int64_t)(body << 8 | (prefix_at * UINT32_C(2654435769)) >> 24);
}

void signatures_drop(struct digests *d, uint64_t body)
{
	if (!begun(d))
		return;
	sqlite3_bind_int64(d->drop_signatures, 1, (int64_t)(body << 8));
	sqlite3_bind_int64(d->drop_signatures, 2, (int64_t)((body + 1) << 8));
	(void)run(d->drop_signatures);
}

void digests_drop(struct digests *d, uint64_t body)
{
	if (!begun(d))
		return;
	sqlite3_bind_int64(d->drop, 1, (int64_t)body);
	(void)run(d->drop);
	signatures_drop(d, body);
}

/* So that one of another prefix, under the same key, is not taken for it. */
static uint32_t signature_checksum(uint64_t body, uint32_t prefix_at, struct str signature)
{
	return crc32c(checksum(body, &prefix_at, sizeof(prefix_at)), signature.p, signature.n);
}

void signatures_put(struct digests *d, uint64_t body, uint32_t prefix_at, struct str signature)
{
	if (signature.n == 0 || !begun(d))
		return;
	sqlite3_stmt *st = d->put_signature;
	sqlite3_bind_int64(st, 1, signature_key(body, prefix_at));
	sqlite3_bind_int64(st, 2, signature_checksum(body, prefix_at, signature));
	sqlite3_bind_blob(st, 3, signature.p, (int)signature.n, SQLITE_STATIC);
	(void)run(st);
}

/* By the writer itself, and with that flush of the log that commits do without. */
static bool move_log(struct digests *d, int mode)
{
	sqlite3_busy_timeout(d->db, 0);
	d->log.unflushed = false;
	int rc = sqlite3_wal_checkpoint_v2(d->db, NULL, mode, NULL, NULL);
	d->log.unflushed = true;
	sqlite3_busy_timeout(d->db, BUSY_MS);
	if (rc != SQLITE_OK)
		return false;
	d->log_pages = 0;
	d->restart_at = LOG_PAGES;
	return true;
}

/* The maintainer moves pages while others are written, so under load it never finds the log at its
 * end. What is left is moved here; where a reader is in the way, later. */
static void keep_log_short(struct digests *d)
{
	if (d->erase)
		d->erase = !move_log(d, SQLITE_CHECKPOINT_TRUNCATE);
	else if (d->log_pages >= d->restart_at && !move_log(d, SQLITE_CHECKPOINT_RESTART))
		d->restart_at = d->log_pages + LOG_PAGES / 4;
}

void digests_erase(struct digests *d)
{
	if (d)
		d->erase = true;
}

void digests_end(struct digests *d)
{
	if (d == NULL)
		return;
	if (d->begun && !run(d->commit))
		sqlite3_exec(d->db, "ROLLBACK", NULL, NULL, NULL);
	d->tried = d->begun = false;
	keep_log_short(d);
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
	r->db = open_db(d->seams, NULL, SQLITE_OPEN_READONLY);
	if (r->db == NULL ||
		!prepare(r->db, "SELECT crc,bytes,body FROM digests WHERE body>=? ORDER BY body",
			&r->digests.get) ||
		!prepare(r->db, "SELECT crc,bytes,key FROM signatures WHERE key>=? ORDER BY key",
			&r->signatures.get))
		digest_reader_free(&r);
	return r;
}

void digest_reader_free(struct digest_reader **r)
{
	if (*r == NULL)
		return;
	sqlite3_finalize((*r)->digests.get);
	sqlite3_finalize((*r)->signatures.get);
	sqlite3_close_v2((*r)->db);
	free(*r);
	*r = NULL;
}

static void rest(struct walk *w)
{
	sqlite3_reset(w->get);
	w->row = false;
}

void digest_reader_snapshot(struct digest_reader *r, bool on)
{
	if (r == NULL)
		return;
	rest(&r->digests);
	rest(&r->signatures);
	r->snapshot = on;
	sqlite3_exec(r->db, on ? "BEGIN" : "COMMIT", NULL, NULL, NULL);
}

static void step(struct walk *w)
{
	w->row = sqlite3_step(w->get) == SQLITE_ROW;
	w->at = w->row ? (uint64_t)sqlite3_column_int64(w->get, 2) : 0;
}

static void seek(struct walk *w, uint64_t key)
{
	rest(w);
	sqlite3_bind_int64(w->get, 1, (int64_t)key);
	w->from = key;
	step(w);
}

static bool find(struct walk *w, uint64_t key)
{
	enum { STEPS = 8 }; /* then another search is cheaper */
	if (!w->row || key < w->from)
		seek(w, key);
	for (unsigned i = 0; i < STEPS && w->row && w->at < key; i++) {
		w->from = w->at + 1;
		step(w);
	}
	if (w->row && w->at < key)
		seek(w, key);
	return w->row && w->at == key;
}

static struct str bytes_at(const struct walk *w)
{
	const void *p = sqlite3_column_blob(w->get, 1);
	return str_make(p, (size_t)sqlite3_column_bytes(w->get, 1));
}

bool digest_read(struct digest_reader *r, uint64_t body, struct buf *out)
{
	if (r == NULL)
		return false;
	bool found = false;
	if (find(&r->digests, body)) {
		struct str bytes = bytes_at(&r->digests);
		if (sqlite3_column_int64(r->digests.get, 0) == checksum(body, bytes.p, bytes.n))
			found = buf_adds(out, bytes);
	}
	if (!r->snapshot)
		rest(&r->digests);
	return found;
}

struct str signature_read(struct digest_reader *r, uint64_t body, uint32_t prefix_at)
{
	if (r == NULL || !find(&r->signatures, (uint64_t)signature_key(body, prefix_at)))
		return STR_NONE;
	struct str bytes = bytes_at(&r->signatures);
	bool good = sqlite3_column_int64(r->signatures.get, 0) ==
		    signature_checksum(body, prefix_at, bytes);
	return good ? bytes : STR_NONE;
}
