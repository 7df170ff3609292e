/* SPDX-License-Identifier: Apache-2.0 */
/*
 * culver store restore, in its two forms: the whole store of a stopped server, or messages of one
 * account into a server that runs or not.
 *
 * uses: cli; used by: cmd_restore.c
 */
#ifndef CULVER_CLI_RESTORE_H
#define CULVER_CLI_RESTORE_H

#include "cli/cli.h"

int restore_store(const struct options *);
int restore_account(const struct options *);

#endif
