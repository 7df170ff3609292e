/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a start needs besides its configuration, looked at without a start: `culver check` asks
 * here, and says what `culver serve` would end for or a reload refuse, or what they would go on in
 * spite of and write into the log. It interprets certificates and keys, so no supervisor calls it.
 *
 * uses: config; used by: process (the master key, takeover-check), cli
 */
#ifndef CULVER_PROCESS_PREFLIGHT_H
#define CULVER_PROCESS_PREFLIGHT_H

#include "base/err.h"
#include "config/config.h"

/* Calls `warn` with one sentence for each thing that is not as it should be. -1: a start would end,
 * or a reload be refused; err says why. What this user may not look at is warned of. has_tls: a
 * server runs and has certificates, so that none is less than it has. */
int preflight(const struct config *, bool has_tls, void (*warn)(void *arg, const char *text),
	void *arg, struct err *);

/* Whether the store will be able to use what is in data/, as the user that it runs as: -1 and err
 * say what belongs to whom, and what to do. */
int preflight_data(const struct config *, struct err *err);
/* A store that was there and is not any more is on a disk that is not mounted: no new one is begun
 * in its place, which would know nobody and hide beneath the mount. The mark stands beside the
 * directory, outside of what is mounted. Nor is one begun over a ledger that a file system has left
 * without a byte. 1: there is a store in `data`; 0: there was none before; -1: there was one, and
 * err says what to do. G10 */
#define PREFLIGHT_MARK "%s.used"
int preflight_vanished(const char *data, struct err *err);
/* -1 and ERR_CORRUPT: a rebuild of the ledger was begun and has not ended (docs/store.md, "A lost
 * ledger"), so there is nobody to serve. */
int preflight_store(const struct config *, struct err *);

/* What a reload of a server that has certificates is refused for. */
#define PREFLIGHT_NO_CERTIFICATE "there is no certificate in tls/"

/* Whether the disk has less room than is kept free, so that no mail is taken: then `text` says so.
 */
bool preflight_disk_is_short(const struct config *, char *text, size_t n);

/* Whether the disk has the room to bring the ledger from an earlier schema to this program's. */
int preflight_schema_room(const struct config *, uint32_t schema, struct err *err);

/* What to do when the master key is not there. */
#define PREFLIGHT_NO_KEY                                                                           \
	"; bring back the copy that was kept of it. Without one, culver quickstart makes "         \
	"another: app "                                                                            \
	"passwords must then be drawn anew"

/* Whether group or others may read a file. */
bool preflight_file_is_open(const char *path);

#endif
