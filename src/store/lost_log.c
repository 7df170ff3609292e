// SPDX-License-Identifier: Apache-2.0
/*
 * A ledger's log that is damaged (log_damage.c): what was acknowledged behind the damage is gone,
 * so the store is not opened, as one whose ledger is missing is not. A person decides: restores a
 * backup, or goes on without. For that the command makes the mark `accept-loss`, under the server's
 * lock; then the log is cut behind its last commit that is whole, and since the past was lost a new
 * history begins, as after a restore (restored.h): no UID that somebody has seen means another
 * message.
 */
#include "store/disk.h"
#include "store/store_private.h"

#include <errno.h>
#include <inttypes.h>

#include "store/log_damage.h"
#include "store/restored.h"

#define ACCEPT_MARK "accept-loss"
#define LOG         "ledger.db-wal"

static int is_marked(struct files_seam *files, struct err *err)
{
	int file = files->open(files, ACCEPT_MARK, O_RDONLY, 0);
	if (file == -ENOENT)
		return 0;
	if (file < 0)
		return FAIL_SEAM(err, file, "can't look for " ACCEPT_MARK);
	(void)files->close(files, file);
	return 1;
}

static int unmark(struct files_seam *files, struct err *err)
{
	int rc = files->unlink(files, ACCEPT_MARK);
	if (rc == 0)
		rc = files->sync_directory(files, ".");
	return rc < 0 ? FAIL_SEAM(err, rc, "can't remove " ACCEPT_MARK) : 0;
}

static int cut(struct files_seam *files, int64_t end, struct err *err)
{
	int file = files->open(files, LOG, O_RDWR, 0);
	int rc = file < 0 ? file : files->truncate(files, file, end);
	if (rc >= 0)
		rc = files->fsync(files, file);
	if (file >= 0)
		(void)files->close(files, file);
	return rc < 0 ? FAIL_SEAM(err, rc, "can't cut " LOG) : 0;
}

/* One that was begun by a restore and not ended is as good. */
static int begin_history(struct store *store, struct err *err)
{
	struct restored restored = { .uidvalidity = 0 };
	struct random_seam *random = store->seams->random;
	int found = restored_find(store->seams->files, &restored, err);
	if (found)
		return found < 0 ? -1 : 0;
	random->fill(random, restored.history, sizeof(restored.history));
	return restored_put(store->seams->files, &restored, err);
}

bool lost_log_found(struct files_seam *files, int64_t *ret_at)
{
	struct log_damage first = { 0 }, again = { 0 };
	struct err ignored = ERR_INIT;
	if (log_damage(files, LOG, &first, &ignored) != 1 ||
		log_damage(files, LOG, &again, &ignored) != 1)
		return false;
	*ret_at = again.at;
	return first.at == again.at;
}

int lost_log_look(struct store *store, bool *ret_lost, struct err *err)
{
	struct files_seam *files = store->seams->files;
	struct log_damage found;
	int damaged = log_damage(files, LOG, &found, err), marked = is_marked(files, err);
	if (damaged < 0 || marked < 0)
		return -1;
	bool accepted = marked && !store->settings.read_only;
	*ret_lost = damaged;
	if (damaged)
		log_event(&store->log, LOG_ERROR, "store-damage",
			"file=" LOG " offset=%" PRId64 " whole=%" PRId64 " accepted=%d", found.at,
			found.end, accepted);
	if (damaged && !accepted)
		return fail_log(err, ERR_CORRUPT,
			LOG " is damaged at offset %" PRId64
			    ": what was acknowledged behind it is lost. Restore a backup, or go on "
			    "without: culver store check --accept-loss",
			found.at);
	if (damaged && (begin_history(store, err) < 0 || cut(files, found.end, err) < 0))
		return -1;
	return accepted ? unmark(files, err) : 0;
}
