/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VFS for SQLite over a files seam, as its own unix VFS is over a system's, for tests and
 * simulations: it goes on after EINTR and short counts, flushes the directory after the first flush
 * of a new log, and lets the locks and the shared memory of the write-ahead log go with the
 * process. One process has a database at a time, so that memory is ours, and locks only keep its
 * connections apart. Names are "ROOT/NAME", whatever the root.
 *
 * uses: base/seams, sqlite3; used by: tests
 */
#ifndef CULVER_STORE_FILES_SIM_VFS_H
#define CULVER_STORE_FILES_SIM_VFS_H

#include "base/seams.h"

/* Its name, by its number. It is SQLite's default from now on, so that its own generator of random
 * numbers is seeded by it, too. */
const char *files_sim_vfs_new(
	struct files_seam *, int number, struct random_seam *, struct clock_seam *);
/* All its files are closed. */
void files_sim_vfs_free(const char *name);

#endif
