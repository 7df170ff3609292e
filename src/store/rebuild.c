// SPDX-License-Identifier: Apache-2.0
/*
 * A lost ledger: the mark `rebuild` (made by the command, under the server's lock) makes the store
 * open with an empty ledger that belongs to the segments there are, and answer nobody but check and
 * repair (peer.c), until a repair with `rebuild` has filled it from the records and removed the
 * mark.
 */
#include "store/disk.h"
#include "store/store_private.h"

#include <errno.h>
#include <inttypes.h>

const char rebuild_unfinished[] =
	"the ledger is being made anew, and that has not ended: culver store check --rebuild";

static int gone(int rc)
{
	return rc == -ENOENT ? 0 : rc;
}

int rebuild_is_marked(struct files_seam *files, struct err *err)
{
	int file = files->open(files, REBUILD_MARK, O_RDONLY, 0);
	if (file == -ENOENT)
		return 0;
	if (file < 0)
		return FAIL_SEAM(err, file, "can't look for " REBUILD_MARK);
	(void)files->close(files, file);
	return 1;
}

/* The ledger that was there, whatever it is, stays as ledger.lost, with its log: the log goes
 * first, so that no crash leaves it to a ledger that it does not belong to. One that an interrupted
 * rebuild has begun is begun again. (The command lets no rebuild begin while there is a ledger.lost
 * of one before.) */
static int set_aside(struct files_seam *files, struct err *err)
{
	int lost = files->open(files, "ledger.lost", O_RDONLY, 0);
	if (lost < 0 && lost != -ENOENT)
		return FAIL_SEAM(err, lost, "can't look for ledger.lost");
	if (lost >= 0)
		(void)files->close(files, lost);
	int rc = lost >= 0 ? gone(files->unlink(files, "ledger.db-wal"))
			   : gone(files->rename(files, "ledger.db-wal", "ledger.lost-wal"));
	if (rc == 0 && lost < 0)
		rc = files->sync_directory(files, ".");
	if (rc == 0)
		rc = lost >= 0 ? gone(files->unlink(files, "ledger.db"))
			       : gone(files->rename(files, "ledger.db", "ledger.lost"));
	if (rc == 0)
		rc = gone(files->unlink(files, "ledger.db-shm"));
	if (rc == 0)
		rc = files->sync_directory(files, ".");
	return rc < 0 ? FAIL_SEAM(err, rc, "the old ledger can't be set aside") : 0;
}

int rebuild_begin(struct store *store, struct engine_rebuild *ret, struct err *err)
{
	uint64_t epoch;
	if (segments_identity(store->seams->files, ret->store_id, &epoch, err) < 0 ||
		set_aside(store->seams->files, err) < 0)
		return -1;
	ret->epoch = epoch + 1;
	return 0;
}

/* ---- filling it ---- */

struct filling {
	struct store *store;
	uint64_t messages;
	struct txn *txns[LIMIT_GROUP_TRANSACTIONS];
	size_t n;
	struct err *err;
};

static int run_group(struct filling *f)
{
	const struct engine_class *engine = f->store->engine->class;
	int rc = f->n ? engine->run(f->store->engine, f->txns, f->n, f->err) : 0;
	if (rc < 0)
		store_end(f->store, f->err);
	for (size_t i = 0; i < f->n; i++) {
		if (rc == 0 && f->txns[i]->err.kind != ERR_NONE) {
			*f->err = f->txns[i]->err;
			rc = -1;
		}
		f->messages += txn_op(f->txns[i], 0)->result.done_count;
		txn_free(&f->txns[i]);
	}
	f->n = 0;
	return rc;
}

static int add_record(void *arg, const struct segment_record *record)
{
	struct filling *f = arg;
	struct txn *txn = txn_new();
	struct op *op = txn_add(txn, OP_REBUILD);
	struct op_rebuild *rebuild = &op->rebuild;
	struct record_recipient *recipients = arena_array(
		&txn->arena, record->n_recipients + 1, sizeof(*recipients));
	uint32_t *prefix_at = arena_array(
		&txn->arena, record->n_recipients + 1, sizeof(*prefix_at));
	f->txns[f->n++] = txn;
	if (recipients == NULL || prefix_at == NULL)
		return fail(f->err, ERR_LIMIT, "a record has too many recipients");
	rebuild->place = (struct body_place){ .ref = record->ref, .size = record->raw_length };
	memcpy(rebuild->place.sha256, record->sha256, sizeof(record->sha256));
	for (size_t i = 0; i < record->n_recipients; i++) {
		recipients[i] = record->recipients[i];
		prefix_at[i] = record->prefix_at[i];
		if (!txn_keep(txn, &recipients[i].prefix))
			return fail(f->err, ERR_LIMIT, "a record's prefixes are too long");
	}
	rebuild->recipients = recipients;
	rebuild->prefix_at = prefix_at;
	rebuild->n = record->n_recipients;
	return f->n == LIMIT_GROUP_TRANSACTIONS ? run_group(f) : 0;
}

int rebuild_fill(struct store *store, uint64_t *ret_messages, struct err *err)
{
	struct filling f = { .store = store, .err = err };
	struct segment_walk walk = { .record = add_record, .arg = &f };
	int rc = segments_walk(store->segments, &walk, err);
	if (run_group(&f) < 0)
		rc = -1;
	*ret_messages = f.messages;
	if (rc != 0)
		return -1;
	rc = store->seams->files->unlink(store->seams->files, REBUILD_MARK);
	if (rc == 0)
		rc = store->seams->files->sync_directory(store->seams->files, ".");
	return rc < 0 ? FAIL_SEAM(err, rc, "the mark of a rebuild can't be removed") : 0;
}
