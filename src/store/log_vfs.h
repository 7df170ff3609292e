/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A database's log in fewer writes. SQLite writes each page of a commit to its log by two calls,
 * header and page: 34 for a message of 10 KiB. This VFS, over another, gathers what is written to a
 * log one after the other and hands it on at the flush, or when something else is asked of the
 * file. Databases themselves go to the other VFS as they are.
 *
 * Only for a connection that flushes each commit (synchronous=FULL), be it that the flush is left
 * out (unflushed): nobody but the connection itself reads a log behind its last flush, since SQLite
 * lets others see a commit after it. A write that fails is told by the call that handed it on, with
 * the write's own code, and its bytes are forgotten: the commit has failed, and SQLite writes the
 * next one over it.
 *
 * A log that is begun anew is flushed behind its header, before any frame, also if flushes are left
 * out: were the old header on disk with some of the new frames, the first of the old ones would
 * count again, and hide what was moved to the database since.
 */
#ifndef CULVER_STORE_LOG_VFS_H
#define CULVER_STORE_LOG_VFS_H

#include <sqlite3.h>
#include <stdbool.h>

struct log_vfs {
	sqlite3_vfs vfs;
	sqlite3_vfs *base;
	char name[32];  /* for sqlite3_open_v2 */
	bool unflushed; /* to be set by who does not mind to lose commits; not while the log is
			 * moved to its place, which would lose the database */
};

/* Makes it known to SQLite, over the VFS of that name. Must stay until its connections are closed;
 * then log_vfs_done. 0, or an error of SQLite. */
int log_vfs_init(struct log_vfs *, const char *base);
void log_vfs_done(struct log_vfs *); /* also of one that is all zeros */

#endif
