/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The service manager that started us, if one did: what it hands in (sockets) and what it is told
 * (ready, reloading, stopping, alive), as sd_notify(3) and sd_listen_fds(3) describe. The protocol
 * is a datagram of a few words and three variables, so there is no library.
 *
 * uses: config, process/supervisor, process/os; used by: cli
 */
#ifndef CULVER_PROCESS_MANAGER_H
#define CULVER_PROCESS_MANAGER_H

#include "process/supervisor.h"

/* Says the news to $NOTIFY_SOCKET, with a line of status for people. Never blocks; without the
 * variable it does nothing. */
void manager_tell(enum supervisor_news, const char *status);
/* How often the roles must have answered, in milliseconds: a quarter of what $WATCHDOG_USEC allows,
 * so that one late answer ends nobody; without it ten seconds. */
int64_t manager_pulse_ms(void);
/* Whether descriptor 2 is the journal's, by $JOURNAL_STREAM. */
bool manager_has_journal(void);

/* The listening sockets in $LISTEN_FDS, each a service by its name in $LISTEN_FDNAMES, or else by
 * its port. Others are then opened as the configuration says. -1 with err ERR_CONFIG: one of them
 * is nothing that we serve. The array is the caller's to free. */
int manager_listeners(
	const struct config *, struct supervisor_listener **ret, size_t *ret_n, struct err *err);

#endif
